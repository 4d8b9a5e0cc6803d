from __future__ import annotations

import warnings
import zipfile

import pytest

from src.utils.data.sources.archive import DAMAGE, extract, safe_members
from src.utils.settings import UserError


@pytest.fixture
def archive(tmp_path):
    """An open archive of two pictures in a folder, a note and what a Mac leaves."""
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as new:
        new.mkdir("pictures")
        for name in ("pictures/1.jpg", "pictures/2.jpg", "note.txt", ".DS_Store", "pictures/._1.jpg"):
            new.writestr(name, f"content of {name}")
    with zipfile.ZipFile(tmp_path / "a.zip") as opened:
        yield opened


def test_files_arrive_and_hidden_ones_do_not(archive, tmp_path):
    extract(archive, safe_members(archive), tmp_path / "out", tmp_path / "part", progress=False)
    out = {
        str(path.relative_to(tmp_path / "out")) for path in (tmp_path / "out").rglob("*") if path.is_file()
    }
    assert out == {"pictures/1.jpg", "pictures/2.jpg", "note.txt"}
    assert (tmp_path / "out" / "pictures" / "2.jpg").read_text() == "content of pictures/2.jpg"
    assert not (tmp_path / "part").exists()


def test_whole_files_are_kept_and_torn_ones_replaced(archive, tmp_path):
    whole, torn = tmp_path / "out" / "pictures" / "1.jpg", tmp_path / "out" / "pictures" / "2.jpg"
    whole.parent.mkdir(parents=True)
    whole.write_text("CONTENT OF PICTURES/1.JPG")
    torn.write_text("content of")
    extract(archive, safe_members(archive), tmp_path / "out", tmp_path / "part", progress=False)
    assert whole.read_text() == "CONTENT OF PICTURES/1.JPG"
    assert torn.read_text() == "content of pictures/2.jpg"


def test_a_wrong_checksum_leaves_no_file(tmp_path):
    path = tmp_path / "a.zip"
    with zipfile.ZipFile(path, "w") as new:
        new.writestr("1.jpg", b"right content")
    path.write_bytes(path.read_bytes().replace(b"right content", b"wrong content"))
    with zipfile.ZipFile(path) as opened, pytest.raises(DAMAGE):
        extract(opened, safe_members(opened), tmp_path / "out", tmp_path / "part", progress=False)
    assert not (tmp_path / "out" / "1.jpg").exists()


def test_a_name_that_comes_twice_is_refused(tmp_path):
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as new, warnings.catch_warnings(action="ignore"):
        new.writestr("1.jpg", b"one")
        new.writestr("1.jpg", b"two")
    with (
        zipfile.ZipFile(tmp_path / "a.zip") as opened,
        pytest.raises(UserError, match=r"'1\.jpg' comes twice"),
    ):
        safe_members(opened)
