from __future__ import annotations

import warnings
import zipfile
from types import SimpleNamespace

import pytest

from src.utils.data.sources.archive import DAMAGE, extract, safe_members, unpack_once
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


class TestOnce:
    @pytest.fixture
    def zipped(self, tmp_path):
        """Writes an archive of some names; the content of each is its name."""

        def write(*names: str):
            with zipfile.ZipFile(tmp_path / "mine.zip", "w") as new:
                for name in names:
                    new.writestr(name, name)
            return tmp_path / "mine.zip"

        return write

    def test_the_second_call_finds_what_the_first_unpacked(self, zipped, tmp_path):
        path = zipped("human/a.jpg", "ai/b.jpg")
        folder = unpack_once(path, tmp_path / "store", progress=False)
        assert (folder / "ai/b.jpg").read_text() == "ai/b.jpg"
        (folder / "ai/b.jpg").write_text("mark")
        assert unpack_once(path, tmp_path / "store", progress=False) == folder
        assert (folder / "ai/b.jpg").read_text() == "mark"

    def test_another_archive_takes_its_place(self, zipped, tmp_path):
        old = unpack_once(zipped("human/a.jpg", "ai/b.jpg"), tmp_path / "store", progress=False)
        new = unpack_once(zipped("human/a.jpg", "ai/b.jpg", "c"), tmp_path / "store", progress=False)
        assert not old.exists() and (new / "c").is_file()
        assert [entry.name for entry in (tmp_path / "store").iterdir()] == [new.name]

    @pytest.mark.parametrize(
        ("names", "inside"),
        [
            (["set/human/a", "set/ai/b"], "set"),
            (["human/a", "human/b"], ""),
            (["train/ai/a", "train/human/b"], ""),
            (["set/a", "labels.csv"], ""),
        ],
    )
    def test_a_folder_around_everything_is_stepped_into(self, zipped, tmp_path, names, inside):
        folder = unpack_once(zipped(*names), tmp_path / "store", progress=False)
        assert folder.name == inside or (not inside and folder.name.startswith(".unpacked-"))

    def test_a_cut_archive_is_explained_and_leaves_nothing_to_use(self, zipped, tmp_path):
        path = zipped("human/a.jpg", "ai/b.jpg")
        path.write_bytes(path.read_bytes()[:-30])
        with pytest.raises(UserError, match=r"mine\.zip cannot be unpacked \(.*\): get it again"):
            unpack_once(path, tmp_path / "store", progress=False)
        assert not list((tmp_path / "store").glob(".unpacked-*"))

    def test_too_little_disk_is_said_before_anything_is_written(self, zipped, tmp_path, monkeypatch):
        monkeypatch.setattr("shutil.disk_usage", lambda path: SimpleNamespace(free=10))
        with pytest.raises(UserError, match=r"needs 0\.0 GB more .* make room"):
            unpack_once(zipped("human/a.jpg"), tmp_path / "store", progress=False)
        assert not [path for path in (tmp_path / "store").rglob("*") if path.is_file()]
