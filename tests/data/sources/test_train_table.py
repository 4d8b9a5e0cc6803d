from __future__ import annotations

import csv

import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from src.utils.data.sources.train_table import (
    OPTIONAL_COLUMNS,
    TABLE_COLUMNS,
    missing_and_extra,
    read_train_table,
    require_files,
    write_train_table,
)
from src.utils.settings import UserError

KAGGLE = ",file_name,label\n0,train_data/b.jpg,1\n1,train_data/a.jpg,0\n"


def read(folder, text: str | bytes) -> pd.DataFrame:
    (folder / "train.csv").write_bytes(text if isinstance(text, bytes) else text.encode())
    return read_train_table(folder)


def test_kaggles_table_is_read_in_its_order(tmp_path):
    table = read(tmp_path, KAGGLE)
    assert list(table.columns) == list(TABLE_COLUMNS)
    assert list(table["file_name"]) == ["train_data/b.jpg", "train_data/a.jpg"]
    assert table["label"].dtype == "int64"
    assert list(table["label"]) == [1, 0]
    assert (table[list(OPTIONAL_COLUMNS)] == "").all(axis=None)


def test_optional_columns_come_along_and_others_do_not(tmp_path):
    table = read(tmp_path, "split,label,file_name,group,mood\nunseen,0,a.jpg,007,calm\n,1,b.jpg,NA,\n")
    assert list(table["group"]) == ["007", "NA"]
    assert list(table["split"]) == ["unseen", ""]
    assert "mood" not in table


def test_a_line_break_in_a_cell_becomes_a_space(tmp_path):
    assert read(tmp_path, 'file_name,label,group\na.jpg,1,"a\r\nb"\n')["group"].item() == "a b"


def test_what_spreadsheets_leave_is_read(tmp_path):
    table = read(tmp_path, '\ufefffile_name , label\r\n a.jpg , 1 \r\n"b,c.jpg",0\r\n')
    assert list(table["file_name"]) == ["a.jpg", "b,c.jpg"]
    assert list(table["label"]) == [1, 0]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("file_name\na.jpg\n", "no column 'label' (columns found: file_name)"),
        ("name;label\na.jpg;1\n", "no column 'file_name' (columns found: name, label)"),
        ("", "no column 'file_name' (columns found: none)"),
        ("file_name,label,label\na.jpg,1,0\n", "the column 'label' more than once"),
        ("file_name,label\n", "has no rows"),
        (
            "file_name,label\na.jpg,1\nb.jpg,2\n",
            "row 1 (line 3): label '2' of b.jpg must be 0 (human) or 1 (AI)",
        ),
        ("file_name,label\na.jpg\n", "row 0 (line 2): label '' of a.jpg"),
        ("file_name,label\na.jpg,1,x\n", "row 0 (line 2) has more values than the header"),
        (
            "file_name,label\na.jpg,1\nx.jpg,0\n./a.jpg,0\n",
            "row 2 (line 4): ./a.jpg is already named in row 0 with label 1, here with 0",
        ),
        ("file_name,label\n../a.jpg,1\n", "row 0 (line 2): file_name '../a.jpg' must be a path relative to"),
        ("file_name,label\n/etc/a.jpg,1\n", "file_name '/etc/a.jpg' must be a path relative to"),
        ("file_name,label\n,1\n", "file_name '' must be"),
        ("file_name,label,split\na.jpg,1,fold2\n", "row 0 (line 2): split 'fold2' must be train, validation"),
        (KAGGLE.encode("utf-16")[:-1], "is not UTF-8 text"),
        ('file_name,label\n"' + "a" * 200_000 + '",1\n', "is not a readable CSV"),
    ],
)
def test_an_error_names_the_file_and_the_row(tmp_path, text, expected):
    with pytest.raises(UserError) as caught:
        read(tmp_path, text)
    assert str(caught.value).startswith(str(tmp_path / "train.csv"))
    assert expected in str(caught.value)


def test_no_table_at_all(tmp_path):
    with pytest.raises(UserError, match=r"train\.csv does not exist"):
        read_train_table(tmp_path)


ANY_FILE = settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
CELLS = st.text(alphabet=st.sampled_from('01ab,"\n\r\\/. ;\0é'), max_size=6)


@ANY_FILE
@given(
    st.one_of(
        st.binary(max_size=200),
        st.lists(st.lists(CELLS, max_size=4), max_size=5).map(
            lambda rows: "\n".join(["file_name,label", *map(",".join, rows)]).encode()
        ),
    )
)
def test_any_file_gives_a_valid_table_or_a_user_error(tmp_path, content):
    try:
        table = read(tmp_path, content)
    except UserError as error:
        assert str(tmp_path) in str(error)
        return
    assert set(table["label"]) <= {0, 1}
    assert table["file_name"].is_unique
    assert all((tmp_path / name).resolve().is_relative_to(tmp_path) for name in table["file_name"])


ONE_LINE = st.characters(codec="utf-8", exclude_categories=["Cc", "Zl", "Zp"])
NAMES = st.text(ONE_LINE, min_size=1, max_size=8).map(
    lambda text: f"train_data/{text.translate(dict.fromkeys(map(ord, '/:' + chr(92)), '_'))}x.jpg"
)
ROWS = st.tuples(NAMES, st.integers(0, 1), st.text(ONE_LINE, max_size=5))


@ANY_FILE
@given(st.lists(ROWS, min_size=1, unique_by=lambda row: row[0]))
def test_what_is_written_is_read_back(tmp_path, rows):
    table = pd.DataFrame(rows, columns=["file_name", "label", "group"]).assign(origin="")
    write_train_table(tmp_path, table)
    again = read_train_table(tmp_path)
    assert list(again["file_name"]) == list(table["file_name"])
    assert list(again["label"]) == list(table["label"])
    assert list(again["group"]) == [group.strip() for group in table["group"]]


def test_a_written_table_looks_like_kaggles(tmp_path):
    table = pd.DataFrame(
        {"label": [1, 0], "file_name": ["train_data/b.jpg", "train_data/a.jpg"], "origin": ["", ""]}
    )
    write_train_table(tmp_path, table.set_index(pd.Index([7, 9])))
    assert (tmp_path / "train.csv").read_text() == KAGGLE


class TestFiles:
    @pytest.fixture
    def filled(self, tmp_path):
        for name in (
            "train_data/a.jpg",
            "train_data/z.jpg",
            "test_data_v2/t.jpg",
            "test.csv",
            "source.json",
            ".x/y.jpg",
        ):
            (tmp_path / name).parent.mkdir(exist_ok=True)
            (tmp_path / name).touch()
        return tmp_path

    def test_missing_and_extra_are_named(self, filled):
        assert missing_and_extra(filled, read(filled, KAGGLE)) == (["train_data/b.jpg"], ["train_data/z.jpg"])

    def test_a_name_written_in_another_way_is_not_missing(self, filled):
        table = read(filled, "file_name,label\n./train_data//a.jpg,1\n")
        assert missing_and_extra(filled, table)[0] == []

    def test_up_to_one_in_a_hundred_may_be_missing(self, tmp_path):
        names = [f"{row}.jpg" for row in range(200)]
        with (tmp_path / "train.csv").open("w", newline="") as file:
            csv.writer(file).writerows([("file_name", "label"), *((name, 0) for name in names)])
        for name in names[2:]:
            (tmp_path / name).touch()
        assert require_files(tmp_path, read_train_table(tmp_path))[0] == ["0.jpg", "1.jpg"]
        (tmp_path / "2.jpg").unlink()
        with pytest.raises(
            UserError, match=r"lacks 3 of the 200 pictures that train\.csv names, first 0\.jpg"
        ):
            require_files(tmp_path, read_train_table(tmp_path))
