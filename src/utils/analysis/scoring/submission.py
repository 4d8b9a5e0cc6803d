"""An answer for every picture of the competition's test set, in the form that it accepts."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas as pd
from tqdm import tqdm

from src.utils.analysis.scoring.parts import Part
from src.utils.analysis.stats.metrics import evaluate
from src.utils.files import atomic_path
from src.utils.models.bundle.predictor import Predictor
from src.utils.settings import UserError

TEST_FILE = "test.csv"
ID, LABEL = "id", "label"
COLUMNS = [ID, LABEL]

GUESS = 1
"""Answer for a picture that cannot be read: half of the competition's pictures are AI-generated."""


def read_test_ids(raw_dir: Path) -> list[str] | None:
    """Read which pictures the competition asks about.

    Args:
        raw_dir: `data/raw/<source>`; an id such as `test_data_v2/abc.jpg` is a file below it.

    Returns:
        The ids in the file's order, or None where there is no `test.csv`.

    Raises:
        UserError: The file has no column `id`, or an id is empty or occurs twice.
    """
    path = raw_dir / TEST_FILE
    if not path.is_file():
        return None
    table = pd.read_csv(path, dtype=str, keep_default_na=False)
    if ID not in table:
        raise UserError(f"{path} has no column {ID}: restore the competition's own {TEST_FILE}.")
    ids = table[ID].tolist()
    seen: set[str] = set()
    for row, one in enumerate(ids):
        if not one or one in seen:
            problem = "is empty" if not one else f"({one}) occurs twice"
            raise UserError(
                f"{path}: the id in row {row} {problem}: restore the competition's own {TEST_FILE}."
            )
        seen.add(one)
    return ids


def pictures_to_answer(raw_dir: Path, stand_in: Part) -> tuple[list[str], bool]:
    """Choose what to answer: the competition's pictures, or others where there is no `test.csv`.

    Args:
        raw_dir: `data/raw/<source>`.
        stand_in: Pictures that take their place.

    Returns:
        The ids, and whether they are the competition's.

    Raises:
        UserError: `test.csv` is damaged.
    """
    asked = read_test_ids(raw_dir)
    return (stand_in.images["file_name"].tolist(), False) if asked is None else (asked, True)


def stand_in_scores(part: Part, answers: pd.DataFrame, model: str, seed: int) -> dict[str, dict[str, Any]]:
    """Measure answers to pictures whose labels are known, beside answering AI every time.

    Args:
        part: The pictures.
        answers: From `answer`, in their order; a picture that cannot be read counts as called AI.
        model: Which model answered.
        seed: Seed of the bootstrap.
    """
    said = {"always_ai": [1.0] * len(answers), model: answers["probability_ai"].fillna(float(GUESS))}
    return {name: evaluate(part.label, one, part.group, part.weight, seed=seed) for name, one in said.items()}


def answer(predictor: Predictor, ids: Sequence[str], raw_dir: Path, progress: bool = True) -> pd.DataFrame:
    """Score pictures one batch after the other.

    Args:
        predictor: The model; its threshold decides.
        ids: Files relative to `raw_dir`.
        raw_dir: Where they lie.
        progress: Whether to show a progress bar.

    Returns:
        A row an id, in their order: `id`, `label` (0 or 1), `probability_ai` (NaN where a picture cannot be
        read; its label is `GUESS`) and `error` (why not, else empty).
    """
    rows = predictor.predict_files(raw_dir / one for one in ids)
    answers = []
    for one, row in zip(
        ids, tqdm(rows, "Scoring", len(ids), disable=not progress, unit="picture"), strict=True
    ):
        probability = row["probability_ai"]
        known = probability is not None
        answers.append(
            {
                ID: one,
                LABEL: int(probability >= predictor.bundle.threshold) if known else GUESS,
                "probability_ai": probability,
                "error": row["error"],
            }
        )
    table = pd.DataFrame(answers, columns=[*COLUMNS, "probability_ai", "error"])
    return table.astype({"probability_ai": float})


def write_submission(path: Path, answers: pd.DataFrame) -> None:
    """Write the two columns that the competition wants, all or nothing."""
    with atomic_path(path) as temporary:
        answers[COLUMNS].to_csv(temporary, index=False, lineterminator="\n")


def check_submission(path: Path, ids: Sequence[str]) -> pd.DataFrame:
    """Make sure that a submission is what the competition accepts.

    Args:
        path: The file.
        ids: What it must answer, in this order.

    Returns:
        The file as a table: `id`, and `label` as numbers.

    Raises:
        UserError: Columns, number of rows, an id, its place or a label is wrong; it says which and where.
    """
    table = pd.read_csv(path, dtype=str, keep_default_na=False)
    if list(table.columns) != COLUMNS:
        raise UserError(f"{path} has the columns {', '.join(table.columns)}, not {', '.join(COLUMNS)}.")
    if len(table) != len(ids):
        raise UserError(f"{path} has {len(table):,} rows for {len(ids):,} pictures: write it again.")
    for row, (found, asked) in enumerate(zip(table[ID], ids, strict=True)):
        if found != asked:
            raise UserError(f"{path}: row {row} is {found!r} where {asked!r} was asked for: write it again.")
    wrong = table.index[~table[LABEL].isin(["0", "1"])]
    if len(wrong):
        label = table.loc[wrong[0], LABEL]
        raise UserError(f"{path}: the label in row {wrong[0]} is {label!r}, not 0 or 1: write it again.")
    return table.astype({LABEL: int})
