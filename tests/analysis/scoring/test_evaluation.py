import numpy as np
import pandas as pd
import pytest

from src.utils.analysis.scoring import evaluation
from src.utils.analysis.scoring.evaluation import (
    Scores,
    compare_models,
    comparison,
    evaluate_bundles,
    evaluate_out_of_fold,
    evaluate_parts,
    evaluate_split,
    largest_difference,
    roc_bands,
    run_header,
    score_baselines,
    score_bundle,
    score_heads,
    wrong_answers,
)
from src.utils.analysis.scoring.parts import part_of
from src.utils.data.split import group_weights
from src.utils.estimate import Estimate
from src.utils.models.bundle.bundle import save_bundle
from src.utils.models.bundle.calibration import write_calibration
from src.utils.models.encoder.best import PROBE
from src.utils.models.encoder.runtime import EMBEDDING, Head
from src.utils.settings import Settings
from tests.analysis.bright_model import bright_predictor
from tests.data.made_pictures import make_images
from tests.manifests import make_manifest
from tests.models.calibrations import POLICY, wide_table
from tests.models.tiny import build_tiny, make_project


def images():
    return pd.DataFrame(
        {
            "file_name": [f"{number}.jpg" for number in range(8)],
            "label": [0, 0, 0, 1, 1, 1, 0, 1],
            "group": ["a", "a", "b", "c", "c", "d", "e", "f"],
            "split": ["test"] * 6 + ["train", "validation"],
        }
    )


def test_a_split_is_scored_on_its_own_rows_and_every_group_counts_the_same():
    probability = np.array([0.1, 0.9, 0.1, 0.9, 0.9, 0.9, 0.5, 0.5])
    entry = evaluate_split(images(), {"m": Scores(probability, 2.0)}, "test", seed=1)["m"]
    assert entry["confusion_matrix"] == [[2, 1], [0, 3]]
    assert entry["accuracy"].value == pytest.approx(0.875)  # group a is half right and one of four
    assert entry["seconds"] == 2.0
    assert entry["auc"].low is None
    assert evaluate_split(images(), {"m": Scores(probability, 2.0)}, "unseen", seed=1) == {}


def test_roc_band_ends_in_the_corners():
    bands = roc_bands(images(), {"m": Scores(np.linspace(0, 1, 8), 0.0)}, "test", seed=1)
    assert bands["m"]["tpr"].iloc[-1] == pytest.approx(1)
    assert group_weights(images())[:6].mean() == pytest.approx(1)


def test_the_header_counts_pictures_by_split():
    header = run_header(Settings(seed=3), images())
    assert header == {
        "source": "sample", "split": "group", "seed": 3, "n_train": 1, "n_validation": 1, "n_test": 6,
    }  # fmt: skip


def test_mistakes_come_confident_first_and_one_of_each_original_before_a_second():
    probability = np.array([0.95, 0.9, 0.6, 0.2, 0.9, 0.9, 0.9, 0.1])
    wrong = wrong_answers(images(), probability, "test")
    assert wrong["file_name"].tolist() == ["0.jpg", "3.jpg", "2.jpg", "1.jpg"]
    assert wrong["probability_ai"].tolist() == [0.95, 0.2, 0.6, 0.9]


def test_a_reloaded_bundle_gives_the_same_scores(tmp_path):
    settings, table, cache = make_project(tmp_path, pictures=12)
    save_bundle(settings.models_dir / "tiny", build_tiny(), {})
    first, second = (score_bundle(settings.models_dir / "tiny", cache) for _ in range(2))
    assert first.probability.shape == (len(table),)
    assert np.array_equal(first.probability, second.probability)


def test_what_was_chosen_for_a_model_later_changes_none_of_its_scores(tmp_path):
    settings, _, cache = make_project(tmp_path, pictures=12)
    bundle = save_bundle(settings.models_dir / "tiny", build_tiny(), {})
    before = score_bundle(bundle.folder, cache).probability
    write_calibration(bundle.folder, bundle.served_files, wide_table(), POLICY, 4.0, 0.7)
    assert np.array_equal(score_bundle(bundle.folder, cache).probability, before)


def test_parts_are_measured_on_their_own_rows_and_empty_ones_left_out():
    table = images()
    odds = np.where(table["label"] == 1, 1.0, -1.0)
    odds[6] = 3.0
    parts = (part_of(table, "test"), part_of(table, "unseen"), part_of(table, "train"))
    measured = evaluate_parts({"m": odds}, parts, seed=1)
    assert list(measured) == ["test", "train"]
    assert measured["test"]["m"]["confusion_matrix"] == [[3, 0], [0, 3]]
    assert measured["train"]["m"]["confusion_matrix"] == [[0, 1], [0, 0]]


@pytest.mark.filterwarnings("ignore:.*trained with other versions")
def test_saved_models_are_measured_on_one_split(tmp_path, monkeypatch):
    settings = Settings(root=tmp_path)
    table, folder = make_images(settings.raw_dir, 20), settings.models_dir / "bright"
    bright_predictor(folder, input_size=255)
    monkeypatch.setattr(evaluation.Predictor, "load", lambda folder: bright_predictor(folder, input_size=255))
    measured = evaluate_bundles({"bright": folder}, table, "validation", settings)
    assert measured["bright"]["auc"].value == 1
    assert sum(map(sum, measured["bright"]["confusion_matrix"])) == (table["split"] == "validation").sum()


def test_heads_score_encodings_that_are_at_hand():
    head = Head({EMBEDDING: np.array([2.0], np.float32)}, {EMBEDDING: 0.0}, 1.0, "0" * 16)  # bias 1
    scores = score_heads({"probe": head}, {EMBEDDING: np.array([[0.0], [1.0]], np.float32)})
    assert scores["probe"].seconds is None
    assert scores["probe"].probability == pytest.approx([1 / (1 + np.exp(-1)), 1 / (1 + np.exp(-3))])


@pytest.mark.filterwarnings("ignore:.*trained with other versions")
def test_what_is_served_is_compared_with_what_was_measured(tmp_path):
    names = make_images(tmp_path, 4)["file_name"]
    predictor = bright_predictor(tmp_path / "bright")
    said = predictor.predict_pixels(predictor.read_all(tmp_path, names))
    assert largest_difference(predictor, tmp_path, names, said) == 0
    said[2] -= 0.25
    assert largest_difference(predictor, tmp_path, names, said) == pytest.approx(0.25)


def two_splits() -> pd.DataFrame:
    """Twenty groups of each class in `test` and in `unseen`, a picture each."""
    return pd.DataFrame(
        {
            "label": np.tile([0, 1], 40),
            "group": [f"g{number}" for number in range(80)],
            "file_name": [f"train_data/{number}.jpg" for number in range(80)],
            "split": ["test"] * 40 + ["unseen"] * 40,
        }
    )


def test_two_models_are_compared_over_the_same_groups():
    rows = two_splits()
    right = np.where(rows["label"] == 1, 0.9, 0.1)
    missing_five = right.copy()
    missing_five[np.flatnonzero((rows["label"] == 1) & (rows["split"] == "test"))[:5]] = 0.1
    scores = {"a": Scores(right, None), "b": Scores(missing_five, None)}
    found = comparison(rows, scores, "a", "b", seed=1)
    assert list(found) == ["a_minus_b"] and list(found["a_minus_b"]) == ["test", "unseen"]
    for estimate in found["a_minus_b"]["test"].values():  # a quarter of one class; as ties, half of it
        assert estimate.value == pytest.approx(0.125)
        assert 0 < estimate.low < 0.125 < estimate.high < 0.3
    assert found["a_minus_b"]["unseen"] == dict.fromkeys(
        ("balanced_accuracy", "auc"), Estimate(0.0, 0.0, 0.0)
    )
    test = part_of(rows, "test")
    turned = compare_models(test, missing_five[test.rows], right[test.rows], seed=1)
    assert turned["auc"].value == pytest.approx(-0.125)
    seen = rows[rows["split"] == "test"].reset_index(drop=True)
    only = comparison(
        seen, {name: Scores(one.probability[:40], None) for name, one in scores.items()}, "a", "b", 1
    )
    assert list(only["a_minus_b"]) == ["test"]


def test_out_of_fold_every_picture_is_scored_by_a_head_that_never_met_its_group():
    rng = np.random.default_rng(0)
    rows = make_manifest(groups=30, per_group=2)
    label = rows["label"].to_numpy()
    _, group = np.unique(rows["group"], return_inverse=True)
    own = np.eye(group.max() + 1, dtype=np.float32)[group]  # tells each group, and so its class, by heart
    learnt = evaluate_out_of_fold({"m": PROBE}, rows, {"whole": {EMBEDDING: own}}, seed=1)["m"]
    assert 0.3 < learnt["auc"].value < 0.7
    signal = rng.normal(size=(len(rows), 4)).astype(np.float32)
    signal[:, 0] += 4 * label
    found = evaluate_out_of_fold({"m": PROBE}, rows, {"whole": {EMBEDDING: signal}}, seed=1)["m"]
    assert found["auc"].value > 0.98 and found["balanced_accuracy"].value > 0.9
    assert found["auc"].low < found["auc"].value
    few = rows[rows["group"].isin(rows["group"].unique()[:8])]
    assert evaluate_out_of_fold({"m": PROBE}, few, {"whole": {EMBEDDING: own[few.index]}}, seed=1) == {}


@pytest.mark.parametrize("split", ["test", "unseen"])
def test_with_twenty_groups_of_a_class_every_model_has_an_interval_the_baselines_too(split):
    rows = make_manifest(groups=100, per_group=1)
    rows.loc[rows["split"] == "validation", "split"] = "unseen"
    extra = rows.index[rows["split"] == "train"][:40]
    rows.loc[extra, "split"] = "unseen"
    scores = score_baselines(rows, seed=1)
    scores["perfect"] = Scores(0.2 + 0.6 * rows["label"].to_numpy(), None)
    entries = evaluate_split(rows, scores, split, seed=1)
    assert list(entries) == ["always_ai", "metadata_only", "perfect"]
    for entry in entries.values():
        for metric in ("balanced_accuracy", "auc"):
            assert entry[metric].low is not None and entry[metric].high is not None
    for metric in ("balanced_accuracy", "auc"):
        assert entries["always_ai"][metric] == Estimate(0.5, 0.5, 0.5)
    assert entries["perfect"]["auc"].low < 1
