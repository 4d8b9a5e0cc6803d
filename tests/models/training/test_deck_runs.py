import pandas as pd

from src.utils.models.training import deck_runs
from src.utils.models.training.deck_runs import VARIANTS, all_epochs, best_epochs, train_variant
from src.utils.settings import Settings
from tests.models.tiny import build_tiny, make_project


def test_each_seed_has_its_own_run_and_only_the_first_is_a_model_to_use(tmp_path, monkeypatch):
    _, images, cache = make_project(tmp_path)
    monkeypatch.setattr(deck_runs, "build_deck_cnn", lambda policy, **_: build_tiny(policy))
    settings = Settings(root=tmp_path, epochs=1, seed=7, seeds=2)
    runs = {"cnn_scaled": train_variant("cnn_scaled", images, cache, settings)}
    assert list(runs["cnn_scaled"]) == [7, 8]
    assert (settings.models_dir / "cnn_scaled" / "bundle.json").is_file()
    assert (settings.models_dir / "seeds" / "cnn_scaled-8" / "bundle.json").is_file()
    assert (settings.models_dir / "default").read_text() == "cnn_scaled\n"
    assert [model.bundle.facts["seed"] for model in runs["cnn_scaled"].values()] == [7, 8]

    history, best = all_epochs(runs), best_epochs(runs)
    assert history["model"].tolist() == ["cnn_scaled", "cnn_scaled"]
    assert history[["seed", "epoch"]].to_numpy().tolist() == [[7, 1], [8, 1]]
    assert isinstance(best, pd.DataFrame) and best["value"].between(0, 1).all()
    again = train_variant("cnn_scaled", images, cache, settings)
    assert not any(model.trained for model in again.values())


def test_a_variant_scales_its_pixels_by_its_name_whatever_the_seed(tmp_path, monkeypatch):
    built = []
    monkeypatch.setattr(deck_runs, "build_deck_cnn", lambda **options: built.append(options))
    monkeypatch.setattr(deck_runs, "train_or_load", lambda name, build, *_: build())
    for name in VARIANTS:
        train_variant(name, None, None, Settings(root=tmp_path, seed=5, seeds=2))
    assert built == [
        {"scaled": scaled, "seed": seed, "name": name}
        for name, scaled in (("cnn_deck", False), ("cnn_scaled", True))
        for seed in (5, 6)
    ]
