import numpy as np
import pytest

from src.utils.models.networks.deck_cnn import build_deck_cnn
from src.utils.models.training import deck_runs
from src.utils.models.training.deck_runs import VARIANTS, all_epochs, best_epochs, train_variant
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
    assert history["model"].tolist() == ["cnn_scaled", "cnn_scaled"]
    assert history[["seed", "epoch"]].to_numpy().tolist() == [[7, 1], [8, 1]]
    validation = [model.bundle.facts["metrics"]["validation"] for model in runs["cnn_scaled"].values()]
    assert best["value"].tolist() == [one["accuracy"] for one in validation]
    assert best["loss"].tolist() == [one["loss"] for one in validation]
    assert best[["seed", "epoch"]].to_numpy().tolist() == [[7, 1], [8, 1]]
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
