"""What is chosen and measured for every model is what would be for each alone, and is kept beside it."""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from src.utils.analysis.checks import confidence
from src.utils.analysis.checks.confidence import (
    choose_all,
    choose_policies,
    coverage_parts,
    left_out_all,
    measure_all,
    measure_parts,
    operating_points,
    reliability,
    sweep_parts,
    threshold_support,
    verdict_counts,
    write_calibrations,
)
from src.utils.analysis.scoring.parts import part_of
from src.utils.analysis.scoring.results import write_metrics
from src.utils.analysis.scoring.scores import at_temperature
from src.utils.analysis.stats.calibration import (
    CalibrationChoice,
    Scored,
    called_sweep,
    fit_temperature,
    measure_calibration,
)
from src.utils.analysis.stats.policy import NO_VERDICT
from src.utils.data.families import source_names
from src.utils.estimate import Estimate, read_estimates
from src.utils.files import read_json
from src.utils.models.encoder.runtime import EMBEDDING, EncoderRuntime, Head
from src.utils.settings import Settings
from tests.analysis.bright_model import bright_predictor
from tests.models.calibrations import POLICY, wide_table
from tests.models.tiny import fake_runtime

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


def with_sources(images: pd.DataFrame, unseen: bool = True) -> pd.DataFrame:
    """Four sources a class; the second half of the pictures unseen, or in the test."""
    number = np.arange(len(images)) // 2 % 4
    label = images["label"]
    return images.assign(
        generator=np.where(label == 1, np.array(["Flux", "Kling", "Krea", "Lens"])[number], ""),
        origin=np.where(label == 0, np.array(["Alps", "Baltic", "Crete", "Dalarna"])[number], ""),
        split=np.where(np.arange(len(images)) < 40, "validation", "unseen" if unseen else "test"),
    )


def policy_of(images, odds, left_out=None, delivered=None):
    chosen = choose_all({"best": odds}, part_of(images, "validation"), left_out)
    return choose_policies(chosen, {"best": odds}, left_out or {}, part_of(images, "unseen"), delivered)[
        "best"
    ]


def test_a_policy_rests_on_unseen_pictures_in_every_way_of_delivery():
    images = with_sources(make_images())
    signal = 2.0 * images["label"].to_numpy() - 1
    good = 4 * signal + np.random.default_rng(1).normal(size=80)
    alone = policy_of(images, good)
    assert alone.policy.evidence["pictures"] == {"human": 20, "ai": 20}
    assert alone.policy.evidence["deliveries"] == ["as they are"]
    assert alone.track_record["missed"]["of"] == 20 and alone.track_record["missed"]["count"] == 0
    assert alone.policy.ai_from is not None and alone.policy.clear_up_to is not None
    turned = policy_of(images, good, delivered={"best": {"turned round": -good[40:]}})
    assert turned.policy.band == (0, 1) and "turned round" in turned.policy.why_no_ai
    assert turned.track_record == alone.track_record


def test_without_unseen_pictures_left_out_sources_support_a_policy_and_groups_do_not():
    images = with_sources(make_images(), unseen=False)
    odds = 4 * (2.0 * images["label"].to_numpy() - 1) + np.random.default_rng(1).normal(size=80)
    label, group, source = images["label"].to_numpy(), images["group"].to_numpy(), source_names(images)
    by_source = policy_of(images, odds, {"best": Scored(odds, label, group, source, "source")})
    assert by_source.policy.ai_from is not None and by_source.venn_abers.left_out == "source"
    assert by_source.track_record["accused"]["of"] == 40
    by_group = policy_of(images, odds, {"best": Scored(odds, label, group, source, "group")})
    assert by_group.policy == policy_of(images, odds).policy == NO_VERDICT
    assert by_group.track_record is None


def test_parts_without_pictures_are_passed_over_in_tables_and_curves():
    images = make_images()
    odds = make_odds(images)
    parts = (part_of(images, "test"), part_of(images, "unseen"))
    chosen = {"best": CalibrationChoice(1.0, wide_table(), 0.6, policy=POLICY)}
    odds = {"best": odds["best"]}
    measured = measure_parts(odds, chosen, parts, seed=0)
    assert list(measured) == ["Improved model, test"]
    assert measured["Improved model, test"] == measure_all(odds, chosen, parts[0], 0)["best"]
    counts = verdict_counts(odds["best"], chosen["best"], parts)
    assert counts.loc["test"].to_numpy().sum() == 40
    assert list(coverage_parts(odds["best"], chosen["best"], parts)) == ["test"]


def test_a_head_on_a_frozen_encoder_is_scored_without_its_sources_and_a_network_is_not(monkeypatch):
    images = with_sources(make_images())
    asked = []

    def encode(encoder, seen, raw_dir, folder, view, progress):
        asked.append(view)
        signal = 2.0 * seen["label"].to_numpy() - 1
        noise = np.random.default_rng(0).normal(size=(len(seen), 3))
        return {EMBEDDING: (signal[:, None] + noise).astype(np.float32)}

    monkeypatch.setattr(confidence, "encode_pictures", encode)
    head = Head({EMBEDDING: np.ones(3, np.float32)}, {EMBEDDING: 0.0}, 0.0, "")
    split = np.where(np.arange(80) % 4 < 2, "train", images["split"])
    models = {
        "best": SimpleNamespace(
            runtime=EncoderRuntime(None, head), bundle=SimpleNamespace(facts={"selection": "embedding"})
        ),
        "cnn_deck": SimpleNamespace(runtime=fake_runtime, bundle=SimpleNamespace(facts={})),
    }
    found = left_out_all(Settings(), models, images.assign(split=split), progress=False)
    assert list(found) == ["best"] and asked == ["whole"]
    assert found["best"].left_out == "source" and len(found["best"].log_odds) == 60
    assert np.mean((found["best"].log_odds > 0) == found["best"].label) > 0.8


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
    choice = replace(choice, track_record={"missed": {"count": 1, "of": 9}})
    assert threshold_support({"best": choice}).loc["Improved model", "of"] == 20
    gate = {"limits": {"aspect": 4.0}, "false_alarm": [], "miss": []}
    write_calibrations(
        settings, predictors, {"best": choice}, measured, {"best": ["It missed 1 of 9."]}, gate
    )
    written = read_json(settings.models_dir / "best" / "calibration.json", read_estimates)
    assert (written["temperature"], written["policy"]["ai_from"]) == (2.0, 0.7)
    assert written["track_record"]["sentences"] == ["It missed 1 of 9."]
    assert written["threshold_fpr5"] == {"value": 0.6, "called_ai": 1, "of": 20, "photo_sources": 4}
    assert written["metrics"]["test"] == {"auc": Estimate(0.9), "ece": Estimate(0.1)}
    assert written["content_gate"] == gate
