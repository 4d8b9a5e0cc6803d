"""Every model's score of every picture, in one table: `reports/<source>/predictions.csv`."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from src.utils.analysis.stats.metrics import THRESHOLD
from src.utils.files import atomic_path
from src.utils.settings import UserError

PREDICTION_COLUMNS = ("model", "file_name", "label", "split", "probability_ai", "predicted")
_TYPES = dict(zip(PREDICTION_COLUMNS, (str, str, int, str, float, int), strict=True))


def predictions_path(reports_dir: Path) -> Path:
    """Where the predictions are."""
    return reports_dir / "predictions.csv"


def write_predictions(
    reports_dir: Path,
    model: str,
    rows: pd.DataFrame,
    probability: ArrayLike,
    threshold: float = THRESHOLD,
) -> pd.DataFrame:
    """Write one model's scores; those it had before go, those of other models stay.

    Args:
        reports_dir: `reports/<source>`.
        model: The model's name.
        rows: The pictures scored: `file_name`, `label` and `split` of the manifest.
        probability: Probability of class 1, [n].
        threshold: `predicted` is 1 from this probability on.

    Returns:
        The rows written for this model.

    Raises:
        ValueError: Not one probability within 0 and 1 for each row, or a picture twice.
        UserError: The file that is there is not a table of predictions.
    """
    probability = np.asarray(probability, dtype=float)
    if probability.shape != (len(rows),) or not ((probability >= 0) & (probability <= 1)).all():
        raise ValueError(f"{model}: need one probability within 0 and 1 for each of {len(rows)} pictures")
    if rows["file_name"].duplicated().any():
        raise ValueError(f"{model}: a picture is scored twice")
    mine = rows[["file_name", "label", "split"]].reset_index(drop=True)
    mine = mine.assign(
        model=model, probability_ai=probability, predicted=(probability >= threshold).astype(int)
    )[list(PREDICTION_COLUMNS)]
    others = read_predictions(reports_dir)
    table = pd.concat([others[others["model"] != model], mine], ignore_index=True)
    with atomic_path(predictions_path(reports_dir)) as temporary:
        table.sort_values("model", kind="stable").to_csv(temporary, index=False, lineterminator="\n")
    return mine


def read_predictions(reports_dir: Path, model: str | None = None) -> pd.DataFrame:
    """Read all predictions, or one model's; an empty table where nothing has been scored.

    Raises:
        UserError: The file is not a table of predictions.
    """
    path = predictions_path(reports_dir)
    if not path.exists():
        return pd.DataFrame(columns=list(PREDICTION_COLUMNS)).astype(_TYPES)
    try:
        table = pd.read_csv(path, dtype=_TYPES, keep_default_na=False)
        table = table[list(PREDICTION_COLUMNS)]
    except (ValueError, KeyError) as error:
        raise UserError(f"{path} is damaged ({error}): delete it and run the notebooks again.") from error
    return table if model is None else table[table["model"] == model].reset_index(drop=True)
