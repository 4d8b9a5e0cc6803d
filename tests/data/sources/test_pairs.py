from __future__ import annotations

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from src.utils.data.sources.pairs import check_pairing, pair_groups, pair_table
from src.utils.settings import UserError


def table_of(labels: list[int]) -> pd.DataFrame:
    names = [f"train_data/{row}.jpg" for row in range(len(labels))]
    return pd.DataFrame({"file_name": names, "label": labels})


def test_pairs_are_numbered_two_rows_at_a_time():
    assert pair_groups(table_of([1, 0, 1, 0])) == ["pair_000000", "pair_000000", "pair_000001", "pair_000001"]


def test_pairs_are_shown_with_each_picture_in_its_column():
    shown = pair_table(table_of([1, 0] * 4), count=2)
    assert shown.to_dict("list") == {
        "pair": ["pair_000000", "pair_000001"],
        "human_file": ["train_data/1.jpg", "train_data/3.jpg"],
        "ai_file": ["train_data/0.jpg", "train_data/2.jpg"],
    }


@pytest.mark.parametrize(
    ("labels", "expected"),
    [
        (
            [1, 0, 1, 1, 0, 1],
            "row 3 (train_data/3.jpg, label 1) should be human-made (label 0) after row 2 (train_data/2.jpg",
        ),
        ([0, 1], "row 0 (train_data/0.jpg, label 0) should be AI-generated (label 1)."),
        (
            [1, 0, 1],
            "the last row, 2 (train_data/2.jpg, label 1), has no partner after row 1 (train_data/1.jpg",
        ),
    ],
)
def test_the_error_says_where_the_pairs_end(labels, expected):
    with pytest.raises(UserError) as caught:
        check_pairing(table_of(labels))
    assert expected in str(caught.value)
    assert "DATA_SOURCE=folder" in str(caught.value)


@given(pairs=st.integers(1, 40), data=st.data())
def test_no_row_can_be_lost_or_relabelled_unnoticed(pairs, data):
    whole = table_of([1, 0] * pairs)
    check_pairing(whole)
    row = data.draw(st.integers(0, len(whole) - 1))
    lost = whole.drop(index=row)
    relabelled = whole.assign(label=whole["label"].where(whole.index != row, 1 - whole["label"]))
    for broken in (lost, relabelled):
        with pytest.raises(UserError, match=rf"row,? {min(row, len(broken) - 1)} "):
            check_pairing(broken)
