"""Tables and figures of detectors that were judged on pictures at hand."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from matplotlib.figure import Figure

from src.utils.judge import figures, tables
from src.utils.judge.detectors.own import always_ai
from src.utils.judge.judgement import judge
from src.utils.judge.pictures import known_pictures
from tests.judge.folders import brightness_detector, look_at, noise_pictures, six_pictures


@pytest.fixture(scope="module")
def six(tmp_path_factory):
    folder = tmp_path_factory.mktemp("six")
    looked = look_at(six_pictures(folder / "six"), folder / "memory")
    pictures = known_pictures("six, all of it", looked.part, looked.folder)
    detectors = [brightness_detector(), always_ai()]
    return judge(pictures, detectors, folder / "scores", progress=False, together=False)


def test_detectors_pairs_and_too_few_groups(six):
    assert [one.name for one in six.answers] == ["bright", "always_ai"]  # none for both together
    table = tables.detector_table(six)
    assert list(table.index) == [
        *(("bright", "as they are"), ("bright", "made alike, 20 px")),
        *(("Always answers AI", "as they are"), ("Always answers AI", "made alike, 20 px")),
    ]
    assert table["ROC-AUC"].iloc[0].startswith("0.89") and table["ROC-AUC"].iloc[2].startswith("0.50")
    assert table["False-positive rate"].iloc[2].startswith("1.00")
    difference = tables.difference_table(six.differences)
    assert difference.index[0] == ("bright", "Always answers AI", "as they are")
    assert difference["ROC-AUC"].iloc[0].startswith("0.39")
    assert "fewer than five groups" in tables.cheap_table(six)
    assert "too few groups" in figures.cheap_figure(six)
    assert "sources of these pictures are not known" in figures.sources_figure(six, "bright")
    named = {name: one.assign(source=["Flux", "Alps"]) for name, one in six.sources.items()}
    assert isinstance(figures.sources_figure(replace(six, sources=named), "bright"), Figure)


def test_what_was_not_asked_and_what_sees_no_picture_have_rows_of_their_own(six):
    found = six.metrics["always_ai"]["as_it_is"]
    table = tables.detector_table(
        six, also={"metadata_only": found}, absent={"sieve": "make detector NAME=sieve fetches it"}
    )
    facts, sieve = table.iloc[-2], table.iloc[-1]
    assert facts.name == ("File facts (no pixels)", "as they are") and facts["Recall"].startswith("1.00")
    assert sieve.name == ("sieve", "not asked: make detector NAME=sieve fetches it")
    assert set(sieve) == {"–"} and list(table.columns) == list(tables.detector_table(six).columns)


def test_what_is_cheap_has_a_row_each(tmp_path):
    looked = look_at(noise_pictures(tmp_path / "noise", 20), tmp_path / "memory")
    judged = judge(looked, [brightness_detector()], tmp_path / "scores", progress=False)
    table = tables.cheap_table(judged)
    assert list(table.columns) == ["ROC-AUC, as they are", "ROC-AUC, made alike, 32 px"]
    assert table.loc["format and size", "ROC-AUC, made alike, 32 px"] == "–"
    assert "bright" in table.index and isinstance(figures.cheap_figure(judged, "note"), Figure)
    assert np.all(table["ROC-AUC, as they are"] != "–")
