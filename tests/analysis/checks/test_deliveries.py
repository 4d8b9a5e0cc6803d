"""Deliveries: each by itself, the worst one named, verdicts compared with those on pictures as they are."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from PIL import Image
from sklearn.metrics import balanced_accuracy_score, roc_auc_score

from src.utils.analysis.checks import deliveries
from src.utils.analysis.checks.deliveries import (
    calls_of,
    delivery_records,
    delivery_table,
    readable_deliveries,
    score_deliveries,
    sizes_sentence,
    unseen_ways,
    verdict_changes,
    verdicts_of,
)
from src.utils.analysis.scoring.parts import part_of
from src.utils.data.pictures.deliveries import ALL_DELIVERIES, AS_THEY_ARE, DELIVERIES
from src.utils.files import hash_file
from src.utils.models.bundle.calibration import write_calibration
from src.utils.settings import Settings
from tests.analysis.bright_model import bright_predictor
from tests.models.calibrations import POLICY, wide_table

pytestmark = pytest.mark.filterwarnings("ignore:.*trained with other versions")

GREYS = {0: 51, 1: 204}
"""Grey of the pictures of each class: the bright model says 2 × (grey / 127.5 − 1) = ∓1.2."""


def make_part(groups: int = 80):
    """One picture a group, classes in turn, no source known."""
    images = pd.DataFrame(
        {
            "file_name": [f"{one}.png" for one in range(groups)],
            "label": np.arange(groups) % 2,
            "group": [f"g{one}" for one in range(groups)],
            "split": "test",
            "generator": "",
            "origin": "",
        }
    )
    return part_of(images, "test")


def flat_pictures(raw_dir, number: int = 6):
    raw_dir.mkdir(parents=True)
    rows = []
    for index in range(number):
        path, label = raw_dir / f"{index}.png", index % 2
        Image.new("RGB", (32, 32), (GREYS[label] + index // 2,) * 3).save(path)
        rows.append({"file_name": path.name, "label": label, "content": hash_file(path), "generator": ""})
    return pd.DataFrame(rows).assign(group=range(number), split="test", origin="")


def signs(part) -> np.ndarray:
    """Log-odds of a model that is always right."""
    return 2.0 * part.label - 1


def say(odds: np.ndarray) -> np.ndarray:
    """AI from 0.5 on, no sign of it up to −0.5, nothing between."""
    return np.select([odds >= 0.5, odds <= -0.5], ["AI-generated", "No sign of AI"], "Uncertain")


def test_scores_are_those_of_each_delivered_picture(tmp_path):
    settings = Settings(root=tmp_path)
    part = part_of(flat_pictures(settings.raw_dir), "test")
    scores = score_deliveries(bright_predictor(tmp_path / "bright"), part, settings, progress=False)
    assert list(scores) == list(ALL_DELIVERIES)
    grey = np.array([51, 204, 52, 205, 53, 206])
    expected = 2 * (grey / 127.5 - 1)
    for name in set(scores) - {"letterbox", "webp_80"}:  # nothing happens to a flat grey
        np.testing.assert_allclose(scores[name], expected, atol=0.02, err_msg=name)
    np.testing.assert_allclose(scores["webp_80"], expected, atol=0.05)
    boxed = 2 * (grey * 32 / 57 / 127.5 - 1)  # 32 of 57 columns are not black
    np.testing.assert_allclose(scores["letterbox"], boxed, atol=0.06)


def test_a_picture_is_decoded_once_and_what_was_scored_is_remembered(tmp_path, monkeypatch):
    settings, opened = Settings(root=tmp_path), []
    part = part_of(flat_pictures(settings.raw_dir), "test")
    module = "src.utils.analysis.scoring.scores.open_image"
    real = deliveries.score_versions.__globals__["open_image"]
    monkeypatch.setattr(module, lambda path: opened.append(path.name) or real(path))
    predictor = bright_predictor(tmp_path / "bright")
    first = score_deliveries(predictor, part, settings, progress=False)
    assert sorted(opened) == sorted(part.images["file_name"])
    again = score_deliveries(predictor, part, settings, progress=False)
    assert len(opened) == len(part.images)
    for name in first:
        np.testing.assert_array_equal(again[name], first[name])
    other = bright_predictor(tmp_path / "bright", weights=b"others")
    score_deliveries(other, part, settings, progress=False)
    assert len(opened) == 2 * len(part.images)


def test_no_pictures_are_no_error(tmp_path):
    settings = Settings(root=tmp_path)
    part = part_of(flat_pictures(settings.raw_dir), "unseen")
    scores = score_deliveries(bright_predictor(tmp_path / "bright"), part, settings, progress=False)
    assert set(scores) == set(ALL_DELIVERIES) and all(len(odds) == 0 for odds in scores.values())


def test_rates_are_told_apart_and_the_worst_delivery_is_named():
    part = make_part()
    right = signs(part)
    missed = np.where((part.label == 1) & (np.arange(80) < 40), -1.0, right)  # half of the AI pictures
    accused = np.where((part.label == 0) & (np.arange(80) < 20), 1.0, right)  # a quarter of the photographs
    scores = {AS_THEY_ARE: right, "jpeg_60": accused, "edge_512": missed, "grey": -right}
    table = delivery_table(scores, part, resamples=200).set_index("delivery")
    assert table["recall"].tolist() == [1, 1, 0.5, 0]
    assert table["false_positive_rate"].tolist() == [0, 0.25, 0, 1]
    assert table["balanced_accuracy"].tolist() == [1, 0.875, 0.75, 0]
    assert table["drop"].tolist() == [0, 0.125, 0.25, 1]
    assert table["transformation"].tolist() == [False, False, False, True]
    assert table.index[table["worst"]].tolist() == ["edge_512"]  # the transformations stand apart
    row = table.loc["edge_512"]
    assert row["recall_low"] < 0.5 < row["recall_high"] and 0 < row["drop_low"] < 0.25 < row["drop_high"]
    sure = table.loc[AS_THEY_ARE]  # never wrong on 40 groups: the exact bound, not certainty
    assert sure["recall_low"] == pytest.approx(0.025 ** (1 / 40)) and sure["recall_high"] == 1
    assert sure["false_positive_rate_high"] == pytest.approx(1 - 0.025 ** (1 / 40))
    assert (sure["drop_low"], sure["drop_high"]) == (0, 0)


def test_values_are_scikit_learns_and_what_is_called_ai_counts():
    part = make_part(60)
    odds = signs(part) + np.random.default_rng(0).normal(0, 1.5, 60)
    (row,) = delivery_table({AS_THEY_ARE: odds}, part, lambda odds: odds >= 0.7, 5).to_dict("records")
    assert row["auc"] == pytest.approx(roc_auc_score(part.label, odds))
    assert row["balanced_accuracy"] == pytest.approx(balanced_accuracy_score(part.label, odds >= 0.7))
    assert row["recall"] == pytest.approx((odds[part.label == 1] >= 0.7).mean())


def test_every_source_counts_the_same():
    part = make_part(60)
    generators = np.where(part.label == 1, np.where(np.arange(60) < 12, "Flux.1 dev", "SD 1.5"), "")
    part = part_of(part.images.assign(generator=generators), "test")
    odds = np.where(generators == "Flux.1 dev", -1.0, 1.0)  # all six pictures by Flux are missed, of 30
    (row,) = delivery_table({AS_THEY_ARE: odds}, part, resamples=5).to_dict("records")
    assert row["recall"] == pytest.approx(0.5)
    assert row["false_positive_rate"] == 1


def test_few_groups_have_no_interval():
    table = delivery_table({AS_THEY_ARE: signs(make_part(30))}, make_part(30))
    assert table["recall"].tolist() == [1] and table["recall_low"].isna().all()


def test_a_verdict_that_turns_is_told_from_one_that_is_withheld():
    part = make_part()
    before = signs(part)
    turned, withheld = before.copy(), before.copy()
    turned[:8] *= -1
    withheld[4:20] = 0
    scores = {AS_THEY_ARE: before, "jpeg_60": turned, "edge_512": withheld, "grey": -before}
    changes = verdict_changes(scores, part, say, resamples=200).set_index("delivery")
    assert changes.index.tolist() == ["jpeg_60", "edge_512", "any", "grey"]
    assert changes["turned"].tolist() == pytest.approx([0.1, 0, 0.1, 1])
    assert changes["changed"].tolist() == pytest.approx([0.1, 0.2, 0.25, 1])
    assert changes["answered"].tolist() == pytest.approx([1, 0.8, 0.8, 1])
    assert changes["transformation"].tolist() == [False, False, False, True]
    assert changes.loc["jpeg_60", "turned_low"] < 0.1 < changes.loc["jpeg_60", "turned_high"]
    assert 0 < changes.loc["edge_512", "turned_high"] < 0.1  # never seen to turn is not never


def test_from_uncertain_to_a_verdict_is_a_change_and_no_turn():
    part = make_part()
    scores = {AS_THEY_ARE: np.zeros(80), "jpeg_60": np.ones(80)}
    row, through_all = verdict_changes(scores, part, say, resamples=5).to_dict("records")
    assert (row["turned"], row["changed"], row["answered"]) == (0, 1, 1)
    assert through_all["answered"] == 0  # as they are, none has a verdict


def test_calls_and_verdicts_are_those_of_the_calibrated_model(tmp_path):
    folder = tmp_path / "bright"
    files = bright_predictor(folder).bundle.served_files
    write_calibration(folder, files, wide_table(), POLICY)
    predictor, odds = bright_predictor(folder), np.linspace(-4, 4, 17)
    rows = [predictor.row("", probability) for probability in 1 / (1 + np.exp(-odds))]
    said, called = verdicts_of(predictor)(odds), calls_of(predictor)(odds)
    assert said.tolist() == [row["verdict"] for row in rows]
    assert set(said) == {"No sign of AI", "Uncertain", "AI-generated"}
    assert called.tolist() == [row["probability_ai"] >= 0.5 for row in rows]
    assert len(verdicts_of(predictor)(odds[:0])) == 0


def test_the_table_for_people_has_a_row_a_delivery():
    part = make_part()
    scores = {AS_THEY_ARE: signs(part), "edge_512": -signs(part)}
    table = delivery_table(scores, part, resamples=20)
    readable = readable_deliveries(table, verdict_changes(scores, part, say, resamples=20))
    assert readable["delivery"].tolist() == ["As they are", "To 512 px, JPEG 40 (worst)"]
    assert readable["verdict turned"].tolist() == ["–", "1.00"]
    assert readable["recall"].tolist() == ["1.00 [0.91, 1.00]", "0.00 [0.00, 0.09]"]


def test_it_is_said_how_many_pictures_are_made_smaller():
    pictures = pd.DataFrame({"width": [288, 700, 500], "height": [288, 500, 1100]})
    assert sizes_sentence(pictures) == (
        "Made smaller, of 3 pictures: 0 to 1600 px, 1 to 1024 px, 1 to 768 px, 2 to 640 px, 2 to 512 px; "
        "the others are only compressed."
    )


def test_what_a_policy_is_chosen_on_are_the_unseen_pictures_through_the_named_deliveries():
    images = make_part(8).images.assign(split=["test", "unseen"] * 4)
    sent = part_of(images, "test", "unseen")
    scores = {name: np.arange(8.0) + place for place, name in enumerate(ALL_DELIVERIES)}
    new, ways = unseen_ways(images, sent, {"best": scores})
    assert new.images["file_name"].tolist() == [f"{one}.png" for one in (1, 3, 5, 7)]
    assert len(ways["best"]) == len(DELIVERIES) - 1
    assert ways["best"]["JPEG 90"].tolist() == [2.0, 4.0, 6.0, 8.0]


def test_what_is_kept_names_its_pictures_and_its_model():
    kept = delivery_records("test", "best", pd.DataFrame({"a": [np.nan]}), pd.DataFrame({"b": [1]}))
    assert kept == {"pictures": "test", "model": "best", "rates": [{"a": None}], "verdicts": [{"b": 1}]}
