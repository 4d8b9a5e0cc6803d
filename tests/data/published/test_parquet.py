"""Pictures leave a Parquet file with their bytes unchanged, whatever is killed in between."""

from __future__ import annotations

import base64
import csv
import json
import signal
import subprocess
import sys
import zlib

import duckdb
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from src.utils.data.published import parquet
from src.utils.data.published.parquet import unpack_parquet
from src.utils.data.sources.folder import fetch_folder
from src.utils.data.sources.labelled_folder import read_labelled_folder
from src.utils.data.sources.train_table import clean_value, read_train_table
from src.utils.settings import PROJECT_ROOT, Settings, UserError
from tests.data.kaggle_server import make_jpeg

PICTURES = [make_jpeg(seed, side=4) for seed in range(6)]
STRUCT = "STRUCT(bytes BLOB, path VARCHAR)"


BY_PYARROW = (
    "eNq9Vctu00AUHQbXLVAhXjOKpSwsi1qA0pKGtrSoi47TJnGbPhJomwQBslPHcWsnIU6J2oLEggWfwCfwCaxYIz4AsexnsELM"
    "jJM4aUULLBhF43vnnnPvORM52SD5SQTQAlqMIYEGIhKjAAD5NaS7AC/RveGUW/tNS473J4w0iq4NkMRbnHSBnsRQfKCEnwQl"
    "0FndgCJm0fwANOoG0GG6e8ae1ZTjYfinWhP9yYP/qDURhmysiu7FEAwJNzOMAAe0TnXlwZPyIJMXRfJA6epUUAKhLAWpA5Dr"
    "CwEk1DKFBMmdBhHRL1ctz0AimIaRIcczbAsJdPwYzcyDluUHsdAwWtUxkGXNkMCKrmFabgfo1Xcst1PFl6V5KauCKBqVxkQg"
    "3QmaBs0QxAKu4F11RI8iJhSCeXxbEqUZemmUfIrG53JWAs+ozT4W4CxG4iyBszqyOCGPt9SPF0LGXVFSTwzpKOfw59hUf/bB"
    "cVTqEvAXClBH8HcIznd2DP/J2teLf+vtrfBX3r4JZ3g7hueZgziLN9RPQ31NbgTm4FnmIDf3XjxlDv7OHMQaTqmfxRPm4G/M"
    "QZzBWfXdcN+Aq1KXgN9TABWNP1BzsciV6r5tOzW7YpStyOMjxalV6soj+UipWAZ78XyecCE8qhkeP3uqGI4Sk5WmZbjKMxq8"
    "aB00LFpQkq7h+1lOeEMXiIySfH59+1HwUkWOhftszRKNEJIjwVohZIpoNkkRYpOkzc80baDeZs+lXl3v5t0uPNfZU+NPBtJ4"
    "JzaIpFZZ9FD33P2SN+usOywuucVCfrLsbR3qu3XbOlj2i9vLrpnUZ/SM75heqlUqrDKsqXuphu60bb227Ba3207hMY3dubhV"
    "0FzG1ffW/GJh7fBJOuWUaL1SmJyr5EiWjTYyW7VSgs5NlKrFxGYgNd3uieb6lnb5pdAgxU0F0pdIb22yw5aZyLsmSxcZfq7N"
    "rpK3qHJQ6DdYKbaZgabe/SQJyXSgHM6vb6U3fy3N8iQJ59vdTlxEQEi7reL2jsvy+gaTcp5+RtLa9L7rPF3l+BxrRkfRkWWy"
    "2BHfI+VyXFom/JJDwenl6Z301mFICesgIjeM5st9qzVebjTGjWaz3pZfWU3fqdfkxMxEfGJSYj/LvQ/4MQTABv2P/wVITIIy"
)


def write(path, columns, metadata=None):
    """A Parquet file of columns: name → (SQL type, values)."""
    path.parent.mkdir(parents=True, exist_ok=True)
    kinds = ", ".join(f"{name} {kind}" for name, (kind, _) in columns.items())
    note = f", KV_METADATA {{huggingface: '{json.dumps(metadata)}'}}" if metadata else ""
    with duckdb.connect() as connection:
        connection.execute(f"CREATE TABLE rows ({kinds})")
        places = ", ".join("?" * len(columns))
        for row in zip(*(values for _, values in columns.values()), strict=True):
            connection.execute(f"INSERT INTO rows VALUES ({places})", list(row))
        connection.execute(f"COPY rows TO '{path}' (FORMAT parquet{note})")


def open_fake(path, count=2, first=0):
    """A file in the columns of OpenFake, every other row real."""
    rows = range(first, first + count)
    columns = {
        "image": (STRUCT, [{"bytes": PICTURES[row], "path": f"{row}.png"} for row in rows]),
        "prompt": ("VARCHAR", ["a dog, seen\nfrom above"] * count),
        "label": ("VARCHAR", ["fake" if row % 2 else "real" for row in rows]),
        "model": ("VARCHAR", ["flux.1-dev" if row % 2 else "real" for row in rows]),
    }
    write(path, columns)


def community_forensics(path):
    """A file in the columns of Community Forensics: bytes, numbers, and FFHQ as the model of photographs."""
    columns = {
        "image_name": ("VARCHAR", ["0.png", "1.png"]),
        "image_data": ("BLOB", PICTURES[:2]),
        "model_name": ("VARCHAR", ["FFHQ", "someone/Some-Diffusion, v2"]),
        "real_source": ("VARCHAR", ["FFHQ", "LAION"]),
        "label": ("BIGINT", [0, 1]),
    }
    write(path, columns)


def unpacked_rows(folder):
    with (folder / "train.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def pictures(folder):
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*.jpg")}


def test_open_fakes_files_become_a_labelled_folder(tmp_path):
    open_fake(tmp_path / "there/core/train-00000-of-00002.parquet", count=4)
    open_fake(tmp_path / "there/core/train-00001-of-00002.parquet", first=4)
    folder = unpack_parquet(tmp_path / "there", tmp_path / "here", progress=False)
    assert folder == tmp_path / "here"
    names = [f"core/train/00000-of-00002/{row:07d}.jpg" for row in range(4)]
    names += [f"core/train/00001-of-00002/{row:07d}.jpg" for row in range(2)]
    assert pictures(folder) == dict(zip(names, PICTURES, strict=True))
    rows, _ = read_labelled_folder(folder)
    assert [row["path"] for row in rows] == names
    assert [(row["label"], row["generator"], row["origin"]) for row in rows] == [
        ("0", "", ""),
        ("1", "flux.1-dev", ""),
    ] * 3


def test_row_groups_are_read_one_after_the_other(tmp_path, monkeypatch):
    """A file that pyarrow wrote as the `datasets` library does: five rows in groups of two."""
    (tmp_path / "there").mkdir()
    (tmp_path / "there/a.parquet").write_bytes(zlib.decompress(base64.b64decode(BY_PYARROW)))
    asked = []
    query = parquet._query
    monkeypatch.setattr(parquet, "_query", lambda *given, **rows: asked.append(rows) or query(*given, **rows))
    folder = unpack_parquet(tmp_path / "there", tmp_path / "here", progress=False)
    assert asked[-3:] == [{"first": 0, "last": 1}, {"first": 2, "last": 3}, {"first": 4, "last": 4}]
    found = [
        ((folder / row["file_name"]).read_bytes(), row["label"], row["generator"])
        for row in unpacked_rows(folder)
    ]
    labels = ["ai", "real"]  # so numbered by the file's own ClassLabel
    makers = ["maker 0", "", "maker 2", "", "maker 4"]
    assert found == [(b"picture %d" % row, labels[row % 2], makers[row]) for row in range(5)]


def test_community_forensics_model_of_a_photograph_is_its_source(tmp_path):
    community_forensics(tmp_path / "there/data/Eval-00000-of-00001.parquet")
    rows, _ = read_labelled_folder(unpack_parquet(tmp_path / "there", tmp_path / "here", progress=False))
    assert [(row["label"], row["generator"], row["origin"]) for row in rows] == [
        ("0", "", "FFHQ"),
        ("1", "someone/Some-Diffusion, v2", ""),
    ]


@pytest.mark.parametrize(
    ("kind", "labels", "names", "said"),
    [
        ("BIGINT", [0, 1], ["ai", "real"], ["ai", "real"]),  # numbered the other way round
        ("BIGINT", [0, 1], None, ["0", "1"]),
        ("DOUBLE", [1, 0], None, ["1.0", "0.0"]),
        ("BOOLEAN", [True, False], None, ["1", "0"]),
        ("VARCHAR", ["Fake", " real"], None, ["Fake", "real"]),
        ("BLOB", [b"fake", b"real"], None, ["fake", "real"]),
    ],
)
def test_labels_are_what_the_file_says_they_are(tmp_path, kind, labels, names, said):
    metadata = {"info": {"features": {"label": {"names": names, "_type": "ClassLabel"}}}} if names else None
    columns = {"image": ("BLOB", PICTURES[:2]), "label": (kind, labels)}
    write(tmp_path / "there/a.parquet", columns, metadata)
    folder = unpack_parquet(tmp_path / "there", tmp_path / "here", progress=False)
    assert [row["label"] for row in unpacked_rows(folder)] == said


def test_rows_without_a_picture_or_a_label_are_counted_and_keep_their_number(tmp_path, capsys):
    columns = {"image": ("BLOB", [None, PICTURES[0], b"", PICTURES[1]]), "label": ("INTEGER", [0, 1, 1, -1])}
    write(tmp_path / "there/a.parquet", columns)
    folder = unpack_parquet(tmp_path / "there", tmp_path / "here")
    assert [row["file_name"] for row in unpacked_rows(folder)] == ["a/0000001.jpg"]
    assert "no picture or no label: 3 of 4." in capsys.readouterr().out


def test_what_is_no_picture_keeps_its_row(tmp_path):
    columns = {"image": ("BLOB", [b"no picture", PICTURES[0]]), "label": ("INTEGER", [0, 1])}
    write(tmp_path / "there/a.parquet", columns)
    folder = unpack_parquet(tmp_path / "there", tmp_path / "here", progress=False)
    assert [row["file_name"] for row in unpacked_rows(folder)] == ["a/0000000.bin", "a/0000001.jpg"]
    assert (folder / "a/0000000.bin").read_bytes() == b"no picture"


def test_a_folder_without_pictures_in_parquet_is_left_alone(tmp_path):
    label = {"label": ("INTEGER", [0])}
    write(tmp_path / "there/metadata.parquet", {"file_name": ("VARCHAR", ["a.jpg"]), **label})
    write(tmp_path / "there/links.parquet", {"image": ("VARCHAR", ["a.jpg"]), **label})
    write(tmp_path / "there/lists.parquet", {"image": (f"{STRUCT}[]", [[]]), **label})
    assert unpack_parquet(tmp_path / "there", tmp_path / "here", progress=False) == tmp_path / "there"
    assert not (tmp_path / "here").exists()


def test_a_second_call_reads_nothing(tmp_path, monkeypatch):
    open_fake(tmp_path / "there/a.parquet")
    folder = unpack_parquet(tmp_path / "there", tmp_path / "here", progress=False)
    before = {path: path.stat().st_mtime_ns for path in folder.rglob("*")}
    monkeypatch.setattr(parquet, "_unpack_rows", None)
    unpack_parquet(tmp_path / "there", tmp_path / "here", progress=False)
    assert {path: path.stat().st_mtime_ns for path in folder.rglob("*")} == before


def test_other_files_are_unpacked_anew(tmp_path):
    open_fake(tmp_path / "there/a.parquet")
    unpack_parquet(tmp_path / "there", tmp_path / "here", progress=False)
    open_fake(tmp_path / "there/b.parquet")
    (tmp_path / "there/a.parquet").unlink()
    folder = unpack_parquet(tmp_path / "there", tmp_path / "here", progress=False)
    assert pictures(folder) == {"b/0000000.jpg": PICTURES[0], "b/0000001.jpg": PICTURES[1]}


CHILD = """
import os, signal, sys
from pathlib import Path
from src.utils.data.published import parquet

count = 0

def write_or_die(path):
    global count
    count += 1
    if count == 4:
        os.kill(os.getpid(), signal.SIGKILL)
    return write(path)

write, parquet.atomic_path = parquet.atomic_path, write_or_die
parquet.unpack_parquet(Path(sys.argv[1]), Path(sys.argv[2]), progress=False)
"""


def test_a_killed_call_is_finished_by_the_next(tmp_path, monkeypatch):
    for number in range(3):
        open_fake(tmp_path / f"there/{number}.parquet", first=2 * number)
    command = [sys.executable, "-c", CHILD, str(tmp_path / "there"), str(tmp_path / "here")]
    assert subprocess.run(command, cwd=PROJECT_ROOT).returncode == -signal.SIGKILL
    begun = {name: (tmp_path / "here" / name).stat().st_ino for name in pictures(tmp_path / "here")}
    assert len(begun) == 3 and not (tmp_path / "here/train.csv").exists()

    read = []
    unpack_rows = parquet._unpack_rows
    monkeypatch.setattr(
        parquet, "_unpack_rows", lambda *given: read.append(given[2].name) or unpack_rows(*given)
    )
    folder = unpack_parquet(tmp_path / "there", tmp_path / "here", progress=False)
    assert read == ["1.parquet", "2.parquet"]  # the first was noted; of the second a picture is there
    assert pictures(folder) == {f"{row // 2}/{row % 2:07d}.jpg": PICTURES[row] for row in range(6)}
    assert all((folder / name).stat().st_ino == inode for name, inode in begun.items())
    assert len(unpacked_rows(folder)) == 6


def test_parts_of_a_split_are_parts_of_the_path_unless_two_would_meet(tmp_path):
    for name in ("x/test-00000-of-00001.parquet", "x/test/00000-of-00001.parquet"):
        open_fake(tmp_path / "there" / name)
    folder = unpack_parquet(tmp_path / "there", tmp_path / "here", progress=False)
    assert sorted(pictures(folder)) == [
        f"x/test{middle}00000-of-00001/000000{row}.jpg" for middle in "-/" for row in range(2)
    ]


def refusal(tmp_path) -> str:
    with pytest.raises(UserError) as caught:
        unpack_parquet(tmp_path / "there", tmp_path / "here", progress=False)
    assert "\n" not in str(caught.value)
    return str(caught.value)


class TestRefusals:
    def test_pictures_without_labels(self, tmp_path):
        write(tmp_path / "there/a.parquet", {"image": ("BLOB", PICTURES[:1]), "class": ("INTEGER", [0])})
        assert "has pictures but no column 'label' (columns found: image, class)" in refusal(tmp_path)

    def test_no_pictures_with_labels(self, tmp_path):
        write(tmp_path / "there/a.parquet", {"image": ("BLOB", PICTURES[:1]), "label": ("INTEGER", [None])})
        assert "hold no picture with a label" in refusal(tmp_path)

    @pytest.mark.parametrize("keep", [0, 10, 0.5])
    def test_a_cut_file(self, tmp_path, keep):
        open_fake(tmp_path / "there/a.parquet")
        data = (tmp_path / "there/a.parquet").read_bytes()
        (tmp_path / "there/a.parquet").write_bytes(data[: int(keep if keep >= 1 else keep * len(data))])
        assert "a.parquet cannot be read as Parquet (" in refusal(tmp_path)

    def test_a_damaged_file(self, tmp_path):
        open_fake(tmp_path / "there/a.parquet")
        data = bytearray((tmp_path / "there/a.parquet").read_bytes())
        data[4:40] = bytes(36)
        (tmp_path / "there/a.parquet").write_bytes(data)
        assert "download or copy it again" in refusal(tmp_path)

    def test_a_full_disk(self, tmp_path, monkeypatch):
        open_fake(tmp_path / "there/a.parquet")
        monkeypatch.setattr("shutil.disk_usage", lambda _: type("Usage", (), {"free": 10}))
        assert "GB are free: make room and run again." in refusal(tmp_path)

    def test_duckdb_missing(self, tmp_path, monkeypatch):
        open_fake(tmp_path / "there/a.parquet")
        monkeypatch.setitem(sys.modules, "duckdb", None)
        assert "needs duckdb to be read: install it with `make setup`." in refusal(tmp_path)


@pytest.mark.parametrize("name", ["[a]*?", "it's", "é\n$path", "-"])
def test_odd_names_of_files_and_folders(tmp_path, name):
    open_fake(tmp_path / "plain.parquet")
    there = tmp_path / "there" / name
    there.mkdir(parents=True)
    (tmp_path / "plain.parquet").rename(there / f"{name}.parquet")
    folder = unpack_parquet(tmp_path / "there", tmp_path / "here", progress=False)
    rows, _ = read_labelled_folder(folder)
    assert [(folder / row["path"]).read_bytes() for row in rows] == PICTURES[:2]


def test_a_name_that_is_not_unicode_is_refused_in_one_line(tmp_path):
    open_fake(tmp_path / "there/a.parquet")
    (tmp_path / "there/a.parquet").rename(tmp_path / "there/\udcff.parquet")
    assert "cannot encode" in refusal(tmp_path)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=20, deadline=None)
@given(st.lists(st.tuples(st.binary(min_size=1, max_size=50), st.text(max_size=20)), min_size=1, max_size=8))
def test_any_bytes_and_makers_come_out_as_they_went_in(tmp_path_factory, rows):
    root = tmp_path_factory.mktemp("wild")
    columns = {
        "image": ("BLOB", [data for data, _ in rows]),
        "label": ("VARCHAR", ["fake"] * len(rows)),
        "generator": ("VARCHAR", [f"x{maker}" for _, maker in rows]),
    }
    write(root / "there/a.parquet", columns)
    folder = unpack_parquet(root / "there", root / "here", progress=False)
    found = unpacked_rows(folder)
    assert [(folder / row["file_name"]).read_bytes() for row in found] == [data for data, _ in rows]
    assert [row["generator"] for row in found] == [clean_value(f"x{maker}") for _, maker in rows]


def test_data_dir_may_be_a_folder_of_parquet_files(tmp_path):
    open_fake(tmp_path / "mine/train-00000-of-00001.parquet", count=6)
    run = Settings(source="folder", data_dir=tmp_path / "mine", root=tmp_path / "project")
    fetch_folder(run, progress=False)
    table = read_train_table(run.raw_dir)
    assert list(table["label"]) == [0, 1] * 3 and set(table["generator"]) == {"", "flux.1-dev"}
    assert table["file_name"][5] == "train_data/train__00000-of-00001__0000005.jpg"
    assert (run.raw_dir / table["file_name"][5]).read_bytes() == PICTURES[5]
    before = (run.raw_dir / "train.csv").stat().st_mtime_ns
    fetch_folder(run, progress=False)
    assert (run.raw_dir / "train.csv").stat().st_mtime_ns == before
