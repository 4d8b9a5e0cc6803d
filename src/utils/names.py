"""What models, metrics and sources are called where people read them, and how a number is written there."""

from __future__ import annotations

from collections.abc import Mapping

MODEL_NAMES = {
    "always_ai": "Always answers AI",
    "metadata_only": "File facts, no pixels",
    "linear_probe": "Linear probe, frozen encoder",
    "cnn_deck": "Deck's CNN, pixels 0–255",
    "cnn_scaled": "Same CNN, pixels scaled",
    "best": "Improved model",
}
"""The project's models in the order of every table."""

METRIC_NAMES = {
    "accuracy": "Accuracy",
    "balanced_accuracy": "Balanced accuracy",
    "precision": "Precision",
    "recall": "Recall",
    "f1": "F1 (AI)",
    "f1_macro": "F1 (macro)",
    "auc": "ROC-AUC",
    "average_precision": "Average precision",
    "brier": "Brier score",
    "ece": "Calibration error",
}

SOURCE_NAMES = {"sample": "demonstration sample", "kaggle": "Kaggle dataset", "folder": "your own images"}


def model_name(model: str) -> str:
    """Name of a model for people; one that is not the project's stands for itself."""
    return MODEL_NAMES.get(model, model)


def metric_name(metric: str) -> str:
    """Name of a metric for people."""
    return METRIC_NAMES.get(metric, metric.replace("_", " ").capitalize())


def interval_text(entry: Mapping[str, float | None] | None, digits: int = 2) -> str:
    """Write a number with its interval: `0.64 [0.55, 0.72]`, or what is known of it.

    Args:
        entry: `{"value", "low", "high"}`, None where not defined or not estimable.
        digits: Digits after the point.
    """
    if entry is None or entry["value"] is None:
        return "–"
    value = f"{entry['value']:.{digits}f}"
    if entry["low"] is None or entry["high"] is None:
        return f"{value} (interval not estimable)"
    return f"{value} [{entry['low']:.{digits}f}, {entry['high']:.{digits}f}]"
