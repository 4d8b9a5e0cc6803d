"""The spread over seeds, by hand."""

import numpy as np
import pytest
from sklearn.metrics import f1_score, roc_auc_score

from src.utils.analysis.checks import seeds
from src.utils.analysis.checks.seeds import auc_spread, measure_seeds, seed_bundles, seed_table, spread_table
from src.utils.analysis.scoring.parts import part_of
from src.utils.files import write_json
from src.utils.settings import Settings
from tests.analysis.bright_model import bright_predictor
from tests.data.made_pictures import make_images


def test_runs_that_are_there_are_found_the_headline_one_first(tmp_path):
    settings = Settings(root=tmp_path, seed=42, seeds=3)
    for folder in ("cnn_deck", "seeds/cnn_deck-44", "seeds/cnn_deck-99", "seeds/cnn_scaled-43"):
        write_json(settings.models_dir / folder / "bundle.json", {})
    assert seed_bundles(settings, "cnn_deck") == {
        42: settings.models_dir / "cnn_deck",
        44: settings.models_dir / "seeds" / "cnn_deck-44",
    }
    assert list(seed_bundles(settings, "cnn_scaled")) == [43]


def test_each_run_is_measured_as_scikit_learn_does():
    label = np.array([0, 0, 1, 1, 1])
    scores = {("cnn_deck", 1): np.array([-1.0, 1, 2, -2, 3]), ("cnn_deck", 2): np.array([-1.0, -1, 2, 2, 3])}
    table = seed_table(scores, label).set_index("seed")
    assert table.loc[1, "auc"] == pytest.approx(roc_auc_score(label, scores["cnn_deck", 1]))
    assert table.loc[1, "f1"] == pytest.approx(f1_score(label, scores["cnn_deck", 1] >= 0))
    assert table.loc[2, ["auc", "balanced_accuracy", "f1"]].tolist() == [1, 1, 1]


def test_spread_by_hand():
    label = np.array([0, 1])
    runs = seed_table(
        {("a", 1): np.array([-1.0, 1]), ("a", 2): np.array([1.0, -1]), ("b", 1): np.array([0.0, 0])}, label
    )
    spread = spread_table(runs).set_index(["model", "metric"])
    auc = spread.loc[("a", "auc")]
    assert auc[["seeds", "mean", "lowest", "highest"]].tolist() == [2, 0.5, 0, 1]
    assert auc["deviation"] == pytest.approx(np.sqrt(0.5))
    assert np.isnan(spread.loc[("b", "auc"), "deviation"])


def test_one_models_spread_of_auc_is_a_row_of_plain_values():
    runs = seed_table({("a", 1): np.array([-1.0, 1]), ("a", 2): np.array([1.0, -1])}, np.array([0, 1]))
    row = auc_spread(spread_table(runs), "a")
    assert (row["seeds"], row["lowest"], row["highest"]) == (2, 0, 1)


def test_every_run_that_is_there_is_scored(tmp_path, monkeypatch):
    settings = Settings(root=tmp_path, seed=1, seeds=2)
    images = make_images(settings.raw_dir, 8)
    for folder in ("cnn_deck", "seeds/cnn_deck-2"):
        bright_predictor(settings.models_dir / folder)
    monkeypatch.setattr(seeds.Predictor, "load", lambda folder: bright_predictor(folder))
    table = measure_seeds(settings, ("cnn_deck", "cnn_scaled"), part_of(images, "train"))
    assert table[["model", "seed", "auc"]].to_numpy().tolist() == [["cnn_deck", 1, 1.0], ["cnn_deck", 2, 1.0]]
