"""How the deck's network learnt, in sentences (notebook 04)."""

from __future__ import annotations

import pandas as pd


def learning(history: pd.DataFrame, best: pd.DataFrame, default: str) -> list[str]:
    """Say how both variants learnt, and how much of it is luck.

    Args:
        history: A row an epoch of each run: `model` (`cnn_deck` and `cnn_scaled`), `seed`, `epoch` from 1,
            `loss` and `accuracy` on the training split.
        best: A row a run, its best epoch: `model`, `seed`, `value` (validation accuracy, 0–1).
        default: The model with the higher validation AUC.
    """
    first = history[history["epoch"] == 1].groupby("model")["loss"].max()
    last = history.sort_values("epoch").groupby(["model", "seed"]).tail(1)["accuracy"].mean()
    return [
        f"Fed pixels from 0 to 255, the network's worst loss in the first epoch is {first['cnn_deck']:.1f}; "
        f"fed scaled pixels, it is {first['cnn_scaled']:.2f} (a coin toss has 0.69).",
        seeds_sentence(best),
        f"By the last epoch, training accuracy is {last:.2f} on average. What that says about new pictures "
        "is the next notebook's question.",
        f"`{default}` ranks validation pictures better: predictions use it until there is an improved model.",
    ]


def seeds_sentence(best: pd.DataFrame) -> str:
    """Say how far validation accuracy moves with the seed; `best` as for `learning`."""
    by_model = best.groupby("model", sort=False)["value"].agg(["min", "max"])
    seeds = best["seed"].nunique()
    if seeds == 1:
        values = " and ".join(f"{row['max']:.2f} for `{name}`" for name, row in by_model.iterrows())
        return f"One seed: validation accuracy is {values}. `SEEDS=3` shows how much of that is luck."
    ranges = " and ".join(
        f"from {row['min']:.2f} to {row['max']:.2f} for `{name}`" for name, row in by_model.iterrows()
    )
    return f"Over {seeds} seeds, validation accuracy runs {ranges}."
