"""Every number in a takeaway or a figure's title is found in the run's numbers or in a table beside it."""

import json

import pytest

from src.utils.settings import PROJECT_ROOT
from tests.claims import said_numbers, unfounded
from tests.test_repository import NOTEBOOKS

RESULTS = json.loads((PROJECT_ROOT / "docs" / "results.json").read_text())


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_the_stored_notebooks_claim_what_was_measured(path):
    assert unfounded(json.loads(path.read_text()), RESULTS) == []


def executed(*claims, table="", title=""):
    shown = [{"data": {"text/markdown": f"- {claim}"}} for claim in claims]
    shown.append({"data": {"text/html": table}, "metadata": {"image/png": {"title": title}}})
    return {"cells": [{"outputs": shown}, {"cell_type": "markdown"}]}


def test_a_number_from_nowhere_is_found_in_a_sentence_and_in_a_title():
    metrics = {
        "auc": {"value": 0.8734, "low": 0.79, "high": 0.9391},
        "confusion_matrix": [[30, 30], [35, 28]],
    }
    said = "`best_2` (notebook 09): ROC-AUC 0.87 [0.79, 0.94]; of 60 pictures 50 %"
    assert unfounded(executed(said), metrics) == []
    assert unfounded(executed("It is 0.88."), metrics) == ["0.88 in: - It is 0.88."]
    assert unfounded(executed("41 rows, 1,200 pictures", table="<td>41</td><td>1,200</td>"), {}) == []
    (wrong,) = unfounded(executed(title="Trees reach 0.71"), metrics)
    assert wrong == "0.71 in: Trees reach 0.71"


def test_names_of_files_and_settings_are_no_claims():
    assert said_numbers("See `SEEDS=3`, SEEDS=3, figures/sample/11_makers.png and notebooks 05 and 09.") == []
    assert said_numbers("-0.04 [-0.20, 0.13] over 1,200, 5 % left") == ["-0.04", "-0.20", "0.13", "1200", "5"]
