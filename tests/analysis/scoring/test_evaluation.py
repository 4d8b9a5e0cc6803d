import numpy as np
import pandas as pd
import pytest

from src.utils.analysis.scoring.evaluation import (
    Scores,
    evaluate_split,
    roc_bands,
    run_header,
    score_bundle,
    wrong_answers,
)
from src.utils.data.split import group_weights
from src.utils.models.bundle.bundle import save_bundle
from src.utils.settings import Settings
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
