"""Every model's score of every picture, in one table: `reports/<source>/predictions.csv`."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from src.utils.analysis.stats.metrics import THRESHOLD
from src.utils.files import atomic_path
from src.utils.settings import UserError

PREDICTION_COLUMNS = ("model", "file_name", "label", "split", "probability_ai", "predicted")
_TYPES = dict(zip(PREDICTION_COLUMNS, (str, str, int, str, float, int), strict=True))


def predictions_path(reports_dir: Path) -> Path:
    """Where the predictions are."""
    return reports_dir / "predictions.csv"


def part_path(reports_dir: Path, notebook: str) -> Path:
    """Where one notebook's predictions are."""
    return reports_dir / "predictions" / f"{notebook}.csv"


def write_predictions(
    reports_dir: Path,
    notebook: str,
    rows: pd.DataFrame,
    probabilities: Mapping[str, ArrayLike],
    threshold: float = THRESHOLD,
) -> pd.DataFrame:
    """Write one notebook's scores, `predictions/NN.csv`; the run merges them into `predictions.csv`.

    Args:
        reports_dir: `reports/<source>`.
        notebook: The notebook's two digits.
        rows: The pictures scored: `file_name`, `label` and `split` of the manifest.
        probabilities: Model's name → probability of class 1, [n].
        threshold: `predicted` is 1 from this probability on.

    Returns:
        The rows written for these models.

    Raises:
        ValueError: Not one probability within 0 and 1 for each row, or a picture twice.
    """
    if rows["file_name"].duplicated().any():
        raise ValueError(f"notebook {notebook}: a picture is scored twice")
    parts = [_rows(rows, name, one, threshold) for name, one in probabilities.items()]
    table = pd.concat(parts, ignore_index=True)
    _write(part_path(reports_dir, notebook), table)
    return table


def merge_predictions(reports_dir: Path) -> pd.DataFrame:
    """Merge all notebooks' scores into `predictions.csv`, ordered by model; nothing is written for none.

    Raises:
        UserError: A notebook's file is not a table of predictions.
    """
    parts = [_read(path) for path in sorted((reports_dir / "predictions").glob("[0-9][0-9].csv"))]
    if not parts:
        return _empty()
    table = pd.concat(parts, ignore_index=True).sort_values("model", kind="stable", ignore_index=True)
    _write(predictions_path(reports_dir), table)
    return table


def read_predictions(reports_dir: Path, notebook: str, model: str) -> pd.DataFrame:
    """Read what a notebook scored with a model.

    Raises:
        UserError: The notebook has not run, or its file is not a table of predictions.
    """
    path = part_path(reports_dir, notebook)
    if not path.exists():
        raise UserError(f"{path} does not exist yet: run notebook {notebook} first.")
    table = _read(path)
    return table[table["model"] == model].reset_index(drop=True)


def kept_probabilities(
    reports_dir: Path, notebook: str, model: str, images: pd.DataFrame
) -> NDArray[np.float64]:
    """What a notebook scored with a model, for each of some pictures.

    Args:
        reports_dir: `reports/<source>`.
        notebook: The notebook's two digits.
        model: Whose scores.
        images: Rows of the manifest.

    Returns:
        Probability of class 1, float64 [n]; NaN for a picture that was not scored.

    Raises:
        UserError: The notebook has not run, or its file is not a table of predictions.
    """
    kept = read_predictions(reports_dir, notebook, model).set_index("file_name")["probability_ai"]
    return kept.reindex(images["file_name"]).to_numpy(np.float64)


def _rows(rows: pd.DataFrame, model: str, probability: ArrayLike, threshold: float) -> pd.DataFrame:
    """One model's rows of the table."""
    probability = np.asarray(probability, dtype=float)
    if probability.shape != (len(rows),) or not ((probability >= 0) & (probability <= 1)).all():
        raise ValueError(f"{model}: need one probability within 0 and 1 for each of {len(rows)} pictures")
    mine = rows[["file_name", "label", "split"]].reset_index(drop=True)
    said = {"probability_ai": probability, "predicted": (probability >= threshold).astype(int)}
    return mine.assign(model=model, **said)[list(PREDICTION_COLUMNS)]


def _empty() -> pd.DataFrame:
    return pd.DataFrame(columns=list(PREDICTION_COLUMNS)).astype(_TYPES)


def _write(path: Path, table: pd.DataFrame) -> None:
    with atomic_path(path) as temporary:
        table.to_csv(temporary, index=False, lineterminator="\n")


def _read(path: Path) -> pd.DataFrame:
    try:
        return pd.read_csv(path, dtype=_TYPES, keep_default_na=False)[list(PREDICTION_COLUMNS)]
    except (ValueError, KeyError) as error:
        raise UserError(f"{path} is damaged ({error}): delete it and run the notebooks again.") from error
