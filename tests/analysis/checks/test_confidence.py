"""What is chosen and measured for every model is what would be for each alone, and is kept beside it."""

import numpy as np
import pandas as pd
import pytest

from src.utils.analysis.checks.confidence import (
    choose_all,
    measure_all,
    operating_points,
    reliability,
    sweep_parts,
    write_calibrations,
)
from src.utils.analysis.scoring.parts import part_of
from src.utils.analysis.scoring.results import write_metrics
from src.utils.analysis.scoring.scores import at_temperature
from src.utils.analysis.stats.calibration import (
    CalibrationChoice,
    called_sweep,
    fit_temperature,
    measure_calibration,
)
from src.utils.estimate import Estimate, read_estimates
from src.utils.files import read_json
from src.utils.settings import Settings
from tests.analysis.bright_model import bright_predictor
from tests.models.calibrations import POLICY, wide_table

pytestmark = pytest.mark.filterwarnings("ignore:.*trained with other versions")


def make_images() -> pd.DataFrame:
    """Eighty pictures, a group each, half for validation; classes in turn."""
    rows = np.arange(80)
    split = np.where(rows < 40, "validation", "test")
    return pd.DataFrame(
        {
            "file_name": rows.astype(str),
            "label": rows % 2,
            "group": rows,
            "split": split,
            "generator": "",
            "origin": "",
        }
    )


def make_odds(images: pd.DataFrame) -> dict[str, np.ndarray]:
    noise = np.random.default_rng(0).normal(size=len(images))
    signal = 2 * images["label"].to_numpy() - 1
    return {"cnn_deck": 0.2 * signal + noise, "best": 4 * (signal + noise)}


def test_every_model_is_calibrated_on_validation_alone():
    images = make_images()
    odds, validation = make_odds(images), part_of(images, "validation")
    chosen = choose_all(odds, validation)
    assert chosen["best"].temperature == fit_temperature(odds["best"][:40], images["label"][:40])
    assert chosen["best"].venn_abers.groups == {"human": 20, "ai": 20}
    assert chosen["best"].venn_abers.left_out == "group"
    assert len(chosen["best"].venn_abers.score) <= 40
    measured = measure_all(odds, chosen, part_of(images, "test"), seed=0)
    assert measured["best"]["threshold_fpr5"].value == chosen["best"].threshold_fpr5
    alone = measure_calibration(chosen["best"], odds["best"][40:], images["label"][40:], images["group"][40:])
    assert measured["best"] == alone
    assert list(measured) == ["cnn_deck", "best"]


def test_reliability_is_measured_before_and_after_the_temperature():
    images = make_images()
    odds, test = make_odds(images), part_of(images, "test")
    chosen = {name: CalibrationChoice(4.0, wide_table(), 0.6) for name in odds}
    tables, errors = reliability(odds, chosen, ["best"], test, seed=0)
    assert list(tables) == list(errors) == ["best"]
    assert list(tables["best"]) == ["before", "after"]
    mean = {
        when: np.average(table["probability"], weights=table["weight"])
        for when, table in tables["best"].items()
    }
    assert mean["before"] == pytest.approx(at_temperature(odds["best"][40:]).mean())
    assert mean["after"] == pytest.approx(at_temperature(odds["best"][40:], 4.0).mean())
    assert errors["best"]["before"].value != errors["best"]["after"].value


def test_a_threshold_is_asked_of_every_part_and_swept():
    images = make_images()
    odds, parts = make_odds(images), (part_of(images, "validation"), part_of(images, "test"))
    chosen = {"best": CalibrationChoice(4.0, wide_table(), 0.5)}
    points = operating_points(odds, chosen, parts, seed=0)
    assert list(points) == ["Improved model, validation", "Improved model, test"]
    humans = odds["best"][40:][images["label"][40:] == 0]
    assert points["Improved model, test"]["false_positive_rate"].value == pytest.approx(
        (humans.round(2) >= 0).mean()
    )
    sweep = sweep_parts(odds["best"], chosen["best"], parts)["test"]
    expected = called_sweep(images["label"][40:], chosen["best"].probability(odds["best"][40:]))
    pd.testing.assert_frame_equal(sweep, expected)


def test_what_was_chosen_lies_beside_the_model_with_what_its_card_says(tmp_path):
    settings = Settings(root=tmp_path)
    predictors = {"best": bright_predictor(settings.models_dir / "best")}
    write_metrics(settings.reports_dir, "09", {"models": {"best": {"auc": Estimate(0.9)}}})
    measured = {"best": {"ece": Estimate(0.1)}}
    choice = CalibrationChoice(2.0, wide_table(), 0.6, {"called_ai": 1, "of": 20, "photo_sources": 4}, POLICY)
    gate = {"limits": {"aspect": 4.0}, "false_alarm": [], "miss": []}
    write_calibrations(settings, predictors, {"best": choice}, measured, gate)
    written = read_json(settings.models_dir / "best" / "calibration.json", read_estimates)
    assert (written["temperature"], written["policy"]["ai_from"]) == (2.0, 0.7)
    assert written["threshold_fpr5"] == {"value": 0.6, "called_ai": 1, "of": 20, "photo_sources": 4}
    assert written["metrics"]["test"] == {"auc": Estimate(0.9), "ece": Estimate(0.1)}
    assert written["content_gate"] == gate
