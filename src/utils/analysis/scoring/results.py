"""Numbers live once: each notebook writes its own, merged into `reports/<source>/metrics.json`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from src.utils.estimate import read_estimates
from src.utils.files import read_json, write_json
from src.utils.names import METRICS, MODEL_NAMES, interval_text, metric_name, model_name
from src.utils.settings import Settings, UserError

SCHEMA = 1
HEADER = ("source", "split", "seed", "n_train", "n_validation", "n_test")
HEADLINE = ("balanced_accuracy", "auc")
"""The metrics of the one table of results."""

TABLE_METRICS = tuple(name for name, metric in METRICS.items() if metric.in_table)


def metrics_path(reports_dir: Path) -> Path:
    """Where the merged numbers are."""
    return reports_dir / "metrics.json"


def write_metrics(reports_dir: Path, notebook: str, numbers: Mapping[str, Any]) -> None:
    """Write one notebook's numbers, `metrics/NN.json`; the run merges all notebooks' into `metrics.json`.

    Args:
        reports_dir: `reports/<source>`.
        notebook: The notebook's two digits.
        numbers: Any part of the schema: header facts, `models`, `unseen`, and what later notebooks add.

    Raises:
        ValueError: `notebook` is not two digits, or a number is NaN or infinite.
    """
    if not (len(notebook) == 2 and notebook.isdigit()):
        raise ValueError(f"notebook {notebook!r} is not two digits")
    write_json(reports_dir / "metrics" / f"{notebook}.json", dict(numbers))


def merge_metrics(reports_dir: Path) -> dict[str, Any]:
    """Merge all notebooks' numbers into `metrics.json`, a later notebook over an earlier one.

    Returns:
        What was written: `schema`, the header (None where no notebook has said it yet), `models` in the order
        of every table, then the rest by name.

    Raises:
        UserError: A notebook's file is damaged.
    """
    merged: dict[str, Any] = {}
    for path in sorted((reports_dir / "metrics").glob("[0-9][0-9].json")):
        merged = _deep_merge(merged, _read_object(path))
    models = merged.pop("models", {})
    known = [name for name in MODEL_NAMES if name in models]
    ordered = {"schema": SCHEMA} | {name: merged.pop(name, None) for name in HEADER}
    ordered["models"] = {name: models[name] for name in [*known, *sorted(set(models) - set(known))]}
    merged.pop("schema", None)
    ordered |= {name: merged[name] for name in sorted(merged)}
    write_json(metrics_path(reports_dir), ordered)
    return ordered


def read_finished(settings: Settings, purpose: str) -> dict[str, Any]:
    """Read the merged numbers of a finished run, for something that is made from it.

    Args:
        settings: Say which run.
        purpose: What is made, such as `slides`; for the message.

    Raises:
        UserError: There is no finished run, or its file is damaged.
    """
    path = metrics_path(settings.reports_dir)
    again = f"run DATA_SOURCE={settings.source} make reproduce"
    if not path.is_file():
        raise UserError(f"There is no run to make {purpose} from ({path} is missing): {again}.")
    try:
        metrics = read_json(path, read_estimates)
        metrics["models"]
    except (ValueError, KeyError, TypeError) as error:
        raise UserError(f"{path} is damaged ({error!r}): delete it and {again}.") from error
    return metrics


def card_metrics(
    reports_dir: Path, notebooks: Iterable[str], more: Mapping[str, Mapping[str, Any]]
) -> dict[str, dict[str, Any]]:
    """Collect what a model's card says of it: what earlier notebooks measured, and more on the test split.

    Args:
        reports_dir: `reports/<source>`.
        notebooks: Two digits each; one that has not run yet adds nothing.
        more: Model's name → metrics on the test split.

    Returns:
        For each model of `more`: `test`, and `unseen` where it was measured there.

    Raises:
        UserError: A notebook's file is damaged.
    """
    known = read_numbers(reports_dir, notebooks)
    cards = {}
    for name, metrics in more.items():
        unseen = known.get("unseen", {}).get(name)
        test = {**known.get("models", {}).get(name, {}), **metrics}
        cards[name] = {"test": test, **({"unseen": unseen} if unseen else {})}
    return cards


def read_numbers(reports_dir: Path, notebooks: Iterable[str]) -> dict[str, Any]:
    """Read what some notebooks measured, a later one over an earlier one.

    Args:
        reports_dir: `reports/<source>`.
        notebooks: Two digits each; one that has not run yet adds nothing.

    Raises:
        UserError: A notebook's file is damaged.
    """
    known: dict[str, Any] = {}
    for notebook in notebooks:
        path = reports_dir / "metrics" / f"{notebook}.json"
        known = _deep_merge(known, _read_object(path)) if path.is_file() else known
    return known


def read_section(reports_dir: Path, notebook: str, section: str) -> dict[str, Any]:
    """Read what another notebook measured.

    Args:
        reports_dir: `reports/<source>`.
        notebook: The notebook's two digits.
        section: Such as `models`.

    Returns:
        Empty where that notebook has not run yet, or measured no such thing.

    Raises:
        UserError: The notebook's file is damaged.
    """
    path = reports_dir / "metrics" / f"{notebook}.json"
    return _read_object(path).get(section, {}) if path.is_file() else {}


def headline_table(metrics: Mapping[str, Any]) -> pd.DataFrame:
    """The one table of results: a row a model on test and unseen sources, then a row a difference.

    Args:
        metrics: With `models`, and as far as they were measured `unseen` and `comparisons`.

    Returns:
        Index `Model`; columns such as "Balanced accuracy, test", those of a split without numbers left out.
    """
    unseen, models = metrics.get("unseen", {}), metrics.get("models", {})
    rows = {model_name(one): (models[one], unseen.get(one, {})) for one in MODEL_NAMES if one in models}
    rows |= {
        difference_name(pair): (splits.get("test", {}), splits.get("unseen", {}))
        for pair, splits in metrics.get("comparisons", {}).items()
    }
    measured = [(0, "test")] + ([(1, "unseen")] if unseen else [])
    table = {
        f"{metric_name(metric)}, {split}": [interval_text(parts[side].get(metric)) for parts in rows.values()]
        for side, split in measured
        for metric in HEADLINE
    }
    return pd.DataFrame(table, index=pd.Index(list(rows), name="Model"))


def difference_table(comparisons: Mapping[str, Mapping[str, Mapping[str, Any]]]) -> pd.DataFrame:
    """Lay out how far one model is above another, a row per pair and split: "0.04 [-0.01, 0.09]".

    Args:
        comparisons: From `evaluation.comparison`: `A_minus_B` → split → metric → estimate.
    """
    rows = {
        (*map(model_name, pair.split("_minus_")), split): {
            metric_name(name): interval_text(entry) for name, entry in metrics.items()
        }
        for pair, splits in comparisons.items()
        for split, metrics in splits.items()
    }
    return pd.DataFrame.from_dict(rows, orient="index").rename_axis(["Model", "minus", "Split"])


def difference_name(pair: str) -> str:
    """Say `A_minus_B` for people."""
    return " minus ".join(map(model_name, pair.split("_minus_")))


def metrics_table(
    metrics: Mapping[str, Any],
    columns: Sequence[str] = TABLE_METRICS,
    section: str = "models",
    otherwise: str = "No model was measured here.",
) -> pd.DataFrame | str:
    """Lay the models' metrics out for people: one row a model, "0.64 [0.55, 0.72]" in the cells.

    Args:
        metrics: Merged numbers, or a dictionary with such a section.
        columns: Metrics to show.
        section: `models`, or `unseen` where there is one.
        otherwise: What to say if the section is empty or not there.

    Returns:
        The table, or the sentence.
    """
    if not metrics.get(section):
        return otherwise
    rows = {
        model_name(model): {metric_name(column): interval_text(entry.get(column)) for column in columns}
        for model, entry in metrics.get(section, {}).items()
    }
    table = pd.DataFrame.from_dict(rows, orient="index", columns=[metric_name(column) for column in columns])
    return table.rename_axis("Model")


def metric_intervals(
    metrics: Mapping[str, Any], metric: str = "auc", section: str = "models"
) -> pd.DataFrame:
    """One metric of every model as numbers: `model`, `name`, `value`, `low`, `high`; NaN where unknown."""
    columns = ["model", "name", "value", "low", "high"]
    rows = [
        {"model": model, "name": model_name(model)} | entry[metric].columns("value", "low", "high")
        for model, entry in metrics.get(section, {}).items()
        if metric in entry
    ]
    return pd.DataFrame(rows, columns=columns).astype({name: float for name in columns[2:]})


def intervals_by_metric(models: Mapping[str, Any], metrics: Sequence[str]) -> dict[str, pd.DataFrame]:
    """Several metrics of every model, by metric, each as from `metric_intervals`.

    Args:
        models: By model, its metrics.
        metrics: Such as `auc`.
    """
    return {metric: metric_intervals({"models": models}, metric) for metric in metrics}


def _deep_merge(old: Mapping[str, Any], new: Mapping[str, Any]) -> dict[str, Any]:
    merged = dict(old)
    for name, value in new.items():
        both = isinstance(value, Mapping) and isinstance(merged.get(name), Mapping)
        merged[name] = _deep_merge(merged[name], value) if both else value
    return merged


def _read_object(path: Path) -> dict[str, Any]:
    try:
        value = read_json(path, read_estimates)
        if not isinstance(value, dict):
            raise ValueError("not an object")
    except ValueError as error:
        raise UserError(f"{path} is damaged ({error}): delete it and run its notebook again.") from error
    return value
