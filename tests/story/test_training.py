"""Sentences about training: several seeds, and one, which shows no luck."""

from __future__ import annotations

import pandas as pd

from src.utils.story.training import learning, seeds_sentence


def best(seeds: int) -> pd.DataFrame:
    rows = [
        {"model": model, "seed": seed, "value": value + seed / 10}
        for model, value in (("cnn_deck", 0.5), ("cnn_scaled", 0.6))
        for seed in range(seeds)
    ]
    return pd.DataFrame(rows)


def test_one_seed_has_no_range() -> None:
    said = seeds_sentence(best(1))
    assert said.startswith("One seed: validation accuracy is 0.50 for `cnn_deck` and 0.60 for `cnn_scaled`.")
    assert "SEEDS=3" in said and "from" not in said


def test_several_seeds_have_a_range() -> None:
    assert seeds_sentence(best(3)) == (
        "Over 3 seeds, validation accuracy runs from 0.50 to 0.70 for `cnn_deck` and "
        "from 0.60 to 0.80 for `cnn_scaled`."
    )


def test_learning_speaks_of_the_first_and_the_last_epoch() -> None:
    history = pd.DataFrame(
        {
            "model": ["cnn_deck", "cnn_deck", "cnn_scaled", "cnn_scaled"],
            "seed": 1,
            "epoch": [1, 2, 1, 2],
            "loss": [14.02, 0.6, 0.71, 0.5],
            "accuracy": [0.5, 0.8, 0.5, 0.9],
        }
    )
    said = learning(history, best(1), "cnn_scaled")
    assert "first epoch is 14.0; fed scaled pixels, it is 0.71" in said[0]
    assert said[2].startswith("By the last epoch, training accuracy is 0.85 on average.")
    assert said[3].startswith("`cnn_scaled` ranks validation pictures better")
