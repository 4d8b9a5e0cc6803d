import numpy as np
import pytest

from src.utils.models.networks.deck_cnn import PARAMETERS, build_deck_cnn
from src.utils.models.training import deck_runs
from src.utils.models.training.deck_runs import (
    VARIANTS,
    all_epochs,
    best_epochs,
    train_variant,
    variant_recipe,
)
from src.utils.models.training.fitting import Recipe
from src.utils.settings import IMAGE_SIZE, Settings
from tests.models.tiny import build_tiny, make_project


def test_each_seed_has_its_own_run_and_only_the_first_is_a_model_to_use(tmp_path, monkeypatch):
    _, images, cache = make_project(tmp_path)
    monkeypatch.setattr(deck_runs, "build_deck_cnn", lambda policy, **_: build_tiny(policy))
    settings = Settings(root=tmp_path, epochs=1, seed=7, seeds=2)
    runs = {"cnn_scaled": train_variant("cnn_scaled", images, cache, settings)}
    assert list(runs["cnn_scaled"]) == [7, 8]
    assert (settings.models_dir / "cnn_scaled" / "bundle.json").is_file()
    assert (settings.models_dir / "seeds" / "cnn_scaled-8" / "bundle.json").is_file()
    assert [model.bundle.facts["seed"] for model in runs["cnn_scaled"].values()] == [7, 8]

    history, best = all_epochs(runs), best_epochs(runs)
    assert history[["model", "seed", "epoch"]].to_numpy().tolist() == [
        ["cnn_scaled", seed, epoch] for seed in (7, 8) for epoch in (1, 2)
    ]
    assert history.groupby("seed")["kept"].sum().tolist() == [1, 1]
    kept = history[history["kept"]]
    assert best["epoch"].tolist() == kept["epoch"].tolist()
    validation = [model.bundle.facts["metrics"]["validation"] for model in runs["cnn_scaled"].values()]
    assert best["value"].tolist() == [one["accuracy"] for one in validation]
    assert best["loss"].tolist() == [one["loss"] for one in validation]
    assert best["auc"].tolist() == [one["auc"] for one in validation]
    assert best["seed"].tolist() == [7, 8]
    again = train_variant("cnn_scaled", images, cache, settings)
    assert not any(model.trained for model in again.values())


@pytest.mark.parametrize(("name", "scales"), [("cnn_deck", False), ("cnn_scaled", True)])
def test_one_variant_scales_its_pixels_and_the_other_is_fed_0_to_255(name, scales, monkeypatch):
    built = []
    monkeypatch.setattr(deck_runs, "train_or_load", lambda _, build, *rest: built.append(build()))
    assert list(VARIANTS) == ["cnn_deck", "cnn_scaled"]
    train_variant(name, None, None, Settings(seed=3))
    (model,) = built
    pixels = np.random.default_rng(0).uniform(0, 255, (1, IMAGE_SIZE, IMAGE_SIZE, 3)).astype(np.float32)
    other = build_deck_cnn(scaled=not scales, seed=3)
    other.set_weights(model.get_weights())
    same = other(pixels * 255 if scales is False else pixels / 255)
    assert model.name == name
    np.testing.assert_allclose(model(pixels), same, rtol=1e-3, atol=1e-4)


def test_the_faithful_run_is_the_decks_and_the_fair_one_the_same_network_in_better_conditions():
    assert variant_recipe("cnn_deck", 10, 3) == Recipe(epochs=10, seed=3)
    fair = variant_recipe("cnn_scaled", 10, 3)
    assert (fair.epochs, fair.seed, fair.augment, fair.keep) == (20, 3, True, "auc")
    assert fair.patience < fair.epochs
    assert build_deck_cnn(scaled=True).count_params() == build_deck_cnn().count_params() == PARAMETERS
