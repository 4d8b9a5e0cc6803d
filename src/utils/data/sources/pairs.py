"""Kaggle's rows come in pairs: rows 2k and 2k+1 are a photograph and the AI twin made from it.

The dataset does not say so in a column; its labels do, by going 1, 0, 1, 0, … This is checked before anything
relies on it, because a pair on both sides of a split would leak the answer.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from src.utils.settings import UserError


def check_pairing(table: pd.DataFrame) -> None:
    """Make sure that the rows of a table are pairs: AI, human, and so on.

    Args:
        table: `file_name` and `label` (0 or 1), in the order of Kaggle's `train.csv`.

    Raises:
        UserError: The labels do not alternate, or a row has no partner; it names the row where that begins.
    """
    label = table["label"].to_numpy()
    wrong = np.flatnonzero(label != (np.arange(len(label)) + 1) % 2)
    if not wrong.size and len(label) % 2 == 0:
        return
    row = int(wrong[0]) if wrong.size else len(label) - 1
    reason = (
        f"row {row} ({_describe(table, row)}) should be {_expected(row)}"
        if wrong.size
        else (f"the last row, {row} ({_describe(table, row)}), has no partner")
    )
    before = f" after row {row - 1} ({_describe(table, row - 1)})" if row else ""
    raise UserError(
        f"The rows of train.csv are not pairs of an AI picture and its photograph: {reason}{before}. "
        "Restore Kaggle's own train.csv, or use the pictures without pairs: "
        "DATA_SOURCE=folder DATA_DIR=data/raw/kaggle."
    )


def pair_groups(table: pd.DataFrame) -> list[str]:
    """Group of each row, `pair_000000` for rows 0 and 1, `pair_000001` for rows 2 and 3, and so on.

    Raises:
        UserError: The rows are not pairs (`check_pairing`).
    """
    check_pairing(table)
    return [f"pair_{row // 2:06d}" for row in range(len(table))]


def pair_table(table: pd.DataFrame, count: int = 5) -> pd.DataFrame:
    """The first pairs side by side, to look at.

    Args:
        table: As for `check_pairing`.
        count: How many pairs at most.

    Returns:
        Columns `pair`, `human_file` and `ai_file`, one row a pair.

    Raises:
        UserError: The rows are not pairs (`check_pairing`).
    """
    groups = pair_groups(table)
    name = table["file_name"].to_numpy()
    pairs = pd.DataFrame({"pair": groups[::2], "human_file": name[1::2], "ai_file": name[::2]})
    return pairs.head(count)


def _expected(row: int) -> str:
    return "human-made (label 0)" if row % 2 else "AI-generated (label 1)"


def _describe(table: pd.DataFrame, row: int) -> str:
    return f"{table['file_name'].iloc[row]}, label {table['label'].iloc[row]}"
