from __future__ import annotations

import errno
import json
import os
import shutil
import signal
import subprocess
import sys
import zipfile

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from src.utils.data.sources.folder import fetch_folder, flat_names
from src.utils.data.sources.labelled_folder import class_of, read_labelled_folder
from src.utils.data.sources.train_table import read_train_table
from src.utils.settings import PROJECT_ROOT, Settings, UserError
from tests.data.kaggle_server import make_jpeg

PARTS = st.text(min_size=1, max_size=100).filter(lambda part: not {"/", "\0"} & set(part) and part.strip("."))
PATHS = st.lists(st.lists(PARTS, min_size=1, max_size=5).map("/".join), unique=True)
ANY_NAMES = settings(
    suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=50, deadline=None
)


@pytest.fixture
def mine(tmp_path):
    """A user's folder with two pictures of each class, one of them nested."""
    folder = tmp_path / "mine"
    fill(folder, "human/a.jpg", "human/holiday/b.PNG", "AI/a.jpg", "AI/c.webp")
    return folder


@pytest.fixture
def run(tmp_path, mine):
    """Settings of a run on that folder."""
    return Settings(source="folder", data_dir=mine, root=tmp_path / "project")


def fill(folder, *names):
    for seed, name in enumerate(names):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(make_jpeg(seed, side=4))


def without_data_dir(run):
    return Settings(source="folder", root=run.root)


def labels(run) -> dict[str, int]:
    table = read_train_table(run.raw_dir)
    return dict(zip(table["file_name"], table["label"], strict=True))


def contents(folder):
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def listing(folder):
    return {path: path.stat().st_mtime_ns for path in (folder, *folder.rglob("*"))}


def refusal(run) -> str:
    with pytest.raises(UserError) as caught:
        fetch_folder(run, progress=False)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def cannot_link(*_, **__):
    raise OSError(errno.EXDEV, "Invalid cross-device link")


class TestFilling:
    def test_class_folders_become_kaggles_layout(self, run, mine):
        before = listing(mine)
        fetch_folder(run, progress=False)
        assert labels(run) == {
            "train_data/AI__a.jpg": 1,
            "train_data/AI__c.webp": 1,
            "train_data/human__a.jpg": 0,
            "train_data/human__holiday__b.PNG": 0,
        }
        linked = run.raw_dir / "train_data/human__holiday__b.PNG"
        assert linked.samefile(mine / "human/holiday/b.PNG")
        assert listing(mine) == before

    def test_copies_where_links_cannot_be(self, run, mine, monkeypatch):
        monkeypatch.setattr("os.link", cannot_link)
        fetch_folder(run, progress=False)
        copy = run.raw_dir / "train_data/AI__a.jpg"
        assert copy.read_bytes() == (mine / "AI/a.jpg").read_bytes()
        assert not copy.samefile(mine / "AI/a.jpg")
        assert not list(run.raw_dir.rglob(".*"))

    def test_a_linked_picture_is_linked_itself(self, run, mine, tmp_path):
        fill(tmp_path, "elsewhere.jpg")
        (mine / "human/link.jpg").symlink_to(tmp_path / "elsewhere.jpg")
        fetch_folder(run, progress=False)
        linked = run.raw_dir / "train_data/human__link.jpg"
        assert not linked.is_symlink()
        assert linked.samefile(tmp_path / "elsewhere.jpg")

    def test_what_is_left_out_is_said(self, run, mine, capsys):
        fill(mine, "human/phone.HEIC", "human/phone2.heic", "readme.md")
        fetch_folder(run)
        said = capsys.readouterr().out
        assert "Left out: HEIC (2), .md (1). To read HEIC, save it as PNG first" in said
        assert (
            "Understood: classes from folders (AI is AI-generated: 2, human is human-made: 2): 2 hum" in said
        )

    def test_the_quiet_call_prints_nothing(self, run, mine, capsys):
        fill(mine, "readme.md")
        fetch_folder(run, progress=False)
        assert capsys.readouterr() == ("", "")


class TestClassFolders:
    @pytest.mark.parametrize(
        ("human", "ai"),
        [("0", "1"), ("human", "ai"), ("Real", "FAKE"), ("Human-made", "AI_generated"), ("0_real", "1_fake")],
    )
    def test_their_names(self, tmp_path, human, ai):
        fill(tmp_path, f"{human}/x.jpg", f"{ai}/x.jpg")
        rows, _ = read_labelled_folder(tmp_path)
        assert {row["path"]: row["label"] for row in rows} == {f"{human}/x.jpg": "0", f"{ai}/x.jpg": "1"}

    def test_they_may_lie_deep(self, tmp_path):
        fill(tmp_path, "a/fake/b/x.jpg", "a/real/original/x.jpg", "b/c/fake/y.jpg")
        rows, _ = read_labelled_folder(tmp_path)
        found = {row["path"]: row["label"] for row in rows}
        assert found == {"a/fake/b/x.jpg": "1", "a/real/original/x.jpg": "0", "b/c/fake/y.jpg": "1"}

    @pytest.mark.parametrize(
        ("names", "expected"),
        [
            ([], "has no pictures (PNG, JPEG, WebP, GIF, BMP, TIFF or AVIF)"),
            (["human/a.txt"], "has no pictures"),
            (["human/a.jpg"], "has no picture of class 1 (AI-generated)"),
            (["1/a.jpg", "fake/b.jpg"], "has no picture of class 0 (Human-made)"),
            (["cats/a.jpg", "dogs/b.jpg"], "name no class ('cats', 'dogs'): call them human and ai"),
            (["human/a.jpg", "ai/a.jpg", "misc/deep/c.jpg"], "('misc/deep')"),
            (["human/a.jpg", "ai/a.jpg", "loose.jpg"], "(its top)"),
            ([f"{n}x/a.jpg" for n in range(9)], "'4x' and 4 more)"),
        ],
    )
    def test_errors(self, run, mine, names, expected):
        shutil.rmtree(mine)
        mine.mkdir()
        fill(mine, *names)
        message = refusal(run)
        assert message.startswith(str(mine))
        assert expected in message
        assert not run.raw_dir.exists()

    @given(st.text())
    def test_any_word_is_a_class_or_none(self, word):
        assert class_of(word) in (0, 1, None)
        assert class_of(word) == class_of(f" {word} ")


class TestTable:
    @pytest.fixture
    def tabled(self, run, mine):
        """The same folder, with a table that disagrees with the folders' names."""

        def write(text: str, name: str = "labels.csv"):
            (mine / name).write_text(text)
            return run

        return write

    def test_a_table_wins_over_folders_and_brings_its_columns(self, tabled, capsys):
        run = tabled("label,file_name,generator,group,mood\nAI,human/a.jpg,flux,g1,x\nreal,AI/a.jpg,,g1,\n")
        fetch_folder(run)
        table = read_train_table(run.raw_dir)
        assert list(table["file_name"]) == ["train_data/human__a.jpg", "train_data/AI__a.jpg"]
        assert list(table["label"]) == [1, 0]
        assert list(table["generator"]) == ["flux", ""]
        assert list(table["group"]) == ["g1", "g1"]
        assert "which no row names or CLASSES skips: 2, first AI/c.webp." in capsys.readouterr().out

    def test_train_csv_is_preferred(self, tabled):
        tabled("file_name,label\nhuman/a.jpg,1\nAI/a.jpg,0\n", "other.csv")
        run = tabled(",file_name,label\n0,human/a.jpg,0\n1,AI/a.jpg,1\n", "train.csv")
        fetch_folder(run, progress=False)
        assert list(labels(run).values()) == [0, 1]

    def test_a_table_of_something_else_is_passed_over(self, tabled):
        run = tabled("camera,date\nx,y\n")
        fetch_folder(run, progress=False)
        assert len(labels(run)) == 4

    def test_windows_names_are_understood(self, tabled):
        run = tabled("file_name,label\nhuman\\holiday\\b.PNG,0.0\nAI\\a.jpg,1.0\n")
        fetch_folder(run, progress=False)
        assert labels(run) == {"train_data/human__holiday__b.PNG": 0, "train_data/AI__a.jpg": 1}

    @pytest.mark.parametrize(
        ("text", "expected"),
        [
            ("file_name\nhuman/a.jpg\n", "train.csv has no column 'label' (columns found: file_name)"),
            ("file_name,label\nhuman/a.jpg,cat\n", "row 0 (line 2): column 'label' says 'cat', which is no"),
            (
                "file_name,label\nhuman/a.jpg,0\nx.jpg,1\n",
                "row 1 (line 3): column 'file_name' says 'x.jpg', which",
            ),
            ("file_name,label\n/etc/passwd,1\nAI/a.jpg,0\n", "says '/etc/passwd', which is not in"),
            (
                "file_name,label\nAI/a.jpg,1\nAI/./a.jpg,0\n",
                "row 1 (line 3): AI/a.jpg is already named in row 0",
            ),
            ("file_name,label\nAI/a.jpg,1\n", "has no picture of class 0"),
        ],
    )
    def test_errors(self, tabled, text, expected):
        assert expected in refusal(tabled(text, "train.csv"))

    def test_a_lone_table_without_its_column_is_named(self, tmp_path):
        fill(tmp_path, "a.jpg")
        (tmp_path / "mine.csv").write_text("file_name,mood\na.jpg,1\n")
        with pytest.raises(
            UserError, match=r"mine\.csv has no column 'label' \(columns found: file_name, mood\)"
        ):
            read_labelled_folder(tmp_path)

    def test_several_tables_are_too_many(self, tabled):
        tabled("file_name,label\nAI/a.jpg,1\n", "a.csv")
        assert "several tables of pictures (a.csv, b.csv): name one train.csv" in refusal(
            tabled("file_name,label\nAI/a.jpg,1\n", "b.csv")
        )

    @ANY_NAMES
    @given(
        st.one_of(
            st.binary(max_size=100),
            st.text(max_size=60).map(lambda text: f"file_name,label\n{text}".encode()),
        )
    )
    def test_any_table_is_read_or_explained(self, mine, content):
        (mine / "train.csv").write_bytes(content)
        with pytest.raises(UserError):
            read_labelled_folder(mine)


class TestNames:
    def test_are_readable_where_they_can_be(self):
        assert flat_names(["ai/x y/é.jpg", "0/b.png"]) == ["train_data/ai__x y__é.jpg", "train_data/0__b.png"]

    def test_collisions_get_a_hash_each(self):
        names = flat_names(["ai/a__b.jpg", "ai/a/b.jpg", "ai/c.jpg"])
        assert names[2] == "train_data/ai__c.jpg"
        assert len({name.casefold() for name in names}) == 3
        assert all(name.endswith("-ai__a__b.jpg") for name in names[:2])

    @given(PATHS)
    def test_are_unique_flat_printable_and_short(self, paths):
        names = [name.removeprefix("train_data/") for name in flat_names(paths)]
        assert len({name.casefold() for name in names}) == len(paths)
        assert all(name.isprintable() and not set("/\\") & set(name) for name in names)
        assert all(0 < len(name.encode()) <= 150 for name in names)

    @ANY_NAMES
    @given(
        st.sets(
            st.text(st.characters(codec="utf-8", exclude_characters="/\0"), min_size=1, max_size=20),
            max_size=5,
        )
    )
    def test_pictures_of_any_name_arrive(self, tmp_path_factory, stems):
        root = tmp_path_factory.mktemp("wild")
        paths = [f"human/_{stem}.jpg" for stem in stems] + ["ai/_.jpg"]
        fill(root / "mine", *paths)
        fill(root / "mine", "human/plain.jpg")
        run = Settings(source="folder", data_dir=root / "mine", root=root)
        fetch_folder(run, progress=False)
        table = read_train_table(run.raw_dir)
        assert len(table) == len(stems) + 2
        assert all((run.raw_dir / name).is_file() for name in table["file_name"])

    def test_a_name_that_is_not_unicode_arrives(self, run, mine):
        shutil.copy(mine / "AI/a.jpg", os.fsencode(mine) + b"/AI/\xff\xfe.jpg")
        fetch_folder(run, progress=False)
        assert labels(run)["train_data/AI____.jpg"] == 1


class TestArchive:
    @pytest.fixture
    def zipped(self, run, mine, tmp_path):
        shutil.make_archive(str(tmp_path / "mine"), "zip", tmp_path, "mine")
        return Settings(source="folder", data_dir=tmp_path / "mine.zip", root=run.root)

    def test_an_archive_is_as_good_as_its_folder(self, run, zipped, mine):
        fetch_folder(zipped, progress=False)
        assert set(labels(zipped)) == {
            "train_data/AI__a.jpg",
            "train_data/AI__c.webp",
            "train_data/human__a.jpg",
            "train_data/human__holiday__b.PNG",
        }
        linked = run.raw_dir / "train_data/AI__a.jpg"
        assert linked.read_bytes() == (mine / "AI/a.jpg").read_bytes()
        before = listing(run.raw_dir)
        fetch_folder(zipped, progress=False)
        assert listing(run.raw_dir) == before
        fetch_folder(without_data_dir(run), progress=False)

    def test_a_name_that_leaves_the_folder_stops_everything(self, run, zipped, tmp_path):
        with zipfile.ZipFile(zipped.data_dir, "a") as archive:
            archive.writestr("../outside.jpg", b"")
        assert "'../outside.jpg' leaves its folder" in refusal(zipped)
        assert not (tmp_path / "project/data/raw/outside.jpg").exists()
        assert not (run.raw_dir / "train.csv").exists()


class TestMemory:
    def test_an_unchanged_folder_is_left_alone(self, run):
        fetch_folder(run, progress=False)
        before = listing(run.raw_dir)
        fetch_folder(run, progress=False)
        assert listing(run.raw_dir) == before

    def test_it_says_what_it_was_made_from(self, run, mine):
        fetch_folder(run, progress=False)
        memory = json.loads((run.raw_dir / "source.json").read_text())
        assert memory["data_dir"] == str(mine)
        assert len(memory["fingerprint"]) == 32

    @pytest.mark.parametrize("links", [True, False])
    def test_changes_are_followed(self, run, mine, capsys, monkeypatch, links):
        if not links:
            monkeypatch.setattr("os.link", cannot_link)
        fetch_folder(run, progress=False)
        kept = (run.raw_dir / "train_data/AI__a.jpg").stat().st_ino
        (mine / "AI/c.webp").unlink()
        (mine / "human/a.jpg").unlink()
        (mine / "human/a.jpg").write_bytes(b"another picture")
        fill(mine, "human/new.jpg")
        fetch_folder(run)
        assert f"{mine} has changed" in capsys.readouterr().out
        assert set(labels(run)) == {
            "train_data/AI__a.jpg",
            "train_data/human__a.jpg",
            "train_data/human__holiday__b.PNG",
            "train_data/human__new.jpg",
        }
        assert set(contents(run.raw_dir)) == {*labels(run), "train.csv", "source.json"}
        assert (run.raw_dir / "train_data/human__a.jpg").read_bytes() == b"another picture"
        assert (run.raw_dir / "train_data/AI__a.jpg").stat().st_ino == kept

    def test_a_picture_exchanged_for_one_of_the_same_size_is_followed(self, run, mine):
        fetch_folder(run, progress=False)
        old = (mine / "AI/a.jpg").read_bytes()
        (mine / "new").write_bytes(old[::-1])
        os.utime(mine / "new", ns=(0, 0))
        (mine / "new").replace(mine / "AI/a.jpg")
        fetch_folder(run, progress=False)
        assert (run.raw_dir / "train_data/AI__a.jpg").read_bytes() == old[::-1]

    def test_a_changed_label_is_followed(self, run, mine):
        (mine / "train.csv").write_text("file_name,label\nhuman/a.jpg,0\nAI/a.jpg,1\n")
        fetch_folder(run, progress=False)
        (mine / "train.csv").write_text("file_name,label\nhuman/a.jpg,1\nAI/a.jpg,0\n")
        fetch_folder(run, progress=False)
        assert labels(run) == {"train_data/human__a.jpg": 1, "train_data/AI__a.jpg": 0}

    def test_another_folder_is_explained_and_not_mixed_in(self, run, mine, tmp_path):
        fetch_folder(run, progress=False)
        before = contents(run.raw_dir)
        other = tmp_path / "other"
        fill(other, "0/x.jpg", "1/x.jpg")
        message = refusal(Settings(source="folder", data_dir=other, root=run.root))
        assert f"was made from {mine}, but DATA_DIR is {other}: delete {run.raw_dir}" in message
        assert "unset DATA_DIR" in message
        assert contents(run.raw_dir) == before

    def test_without_data_dir_what_is_there_is_used(self, run):
        fetch_folder(run, progress=False)
        before = listing(run.raw_dir)
        fetch_folder(without_data_dir(run))
        assert listing(run.raw_dir) == before

    def test_without_data_dir_and_without_pictures(self, run):
        assert refusal(without_data_dir(run)).startswith("DATA_SOURCE=folder needs DATA_DIR=<your folder")

    def test_a_folder_filled_by_hand_is_used_but_not_overwritten(self, run):
        fill(run.raw_dir, "train_data/x.jpg")
        (run.raw_dir / "train.csv").write_text("file_name,label\ntrain_data/x.jpg,1\n")
        before = listing(run.raw_dir)
        fetch_folder(without_data_dir(run))
        assert "was filled by hand" in refusal(run)
        assert listing(run.raw_dir) == before


class TestDataDir:
    def test_missing(self, run, mine):
        shutil.rmtree(mine)
        assert refusal(run) == f"DATA_DIR={mine} does not exist: check the path."

    def test_missing_after_it_was_used(self, run, mine):
        fetch_folder(run, progress=False)
        shutil.rmtree(mine)
        assert "or unset DATA_DIR to go on with what" in refusal(run)

    def test_a_file(self, run, mine):
        shutil.rmtree(mine)
        mine.write_bytes(b"zip")
        assert refusal(run) == f"DATA_DIR={mine} is neither a folder nor a .zip: check the path."

    @pytest.mark.parametrize("inside", [".", "data/raw", "data/raw/folder", "data/raw/folder/train_data"])
    def test_overlapping_its_own_result(self, run, inside):
        run.raw_dir.joinpath("train_data").mkdir(parents=True)
        assert "overlaps" in refusal(Settings(source="folder", data_dir=run.root / inside, root=run.root))


class TestInterruption:
    CHILD = """
import os, shutil, signal, sys
from pathlib import Path
from src.utils.data.sources.folder import fetch_folder
from src.utils.settings import Settings

def cannot_link(*_):
    raise OSError("no links here")

count = 0

def copy_or_die(source, target):
    global count
    count += 1
    if count == 3:
        Path(target).write_bytes(Path(source).read_bytes()[:20])
        os.kill(os.getpid(), signal.SIGKILL)
    copy(source, target)

os.link, copy, shutil.copy2 = cannot_link, shutil.copy2, copy_or_die
fetch_folder(Settings(source="folder", data_dir=Path(sys.argv[1]), root=Path(sys.argv[2])), progress=False)
"""

    def test_a_killed_copy_is_finished(self, run, mine, monkeypatch):
        command = [sys.executable, "-c", self.CHILD, str(mine), str(run.root)]
        assert subprocess.run(command, cwd=PROJECT_ROOT).returncode == -signal.SIGKILL
        assert not (run.raw_dir / "train.csv").exists()
        begun = {path: path.stat().st_ino for path in run.raw_dir.glob("train_data/[!.]*")}
        assert len(begun) == 2
        assert f"run again with DATA_DIR={mine}" in refusal(without_data_dir(run))

        monkeypatch.setattr("os.link", cannot_link)
        fetch_folder(run, progress=False)
        assert len(labels(run)) == 4
        assert {path: path.stat().st_ino for path in begun} == begun
        assert set(contents(run.raw_dir)) == {*labels(run), "train.csv", "source.json"}
        for name in ("human__a.jpg", "human__holiday__b.PNG", "AI__a.jpg", "AI__c.webp"):
            source = mine / name.replace("__", "/")
            assert (run.raw_dir / "train_data" / name).read_bytes() == source.read_bytes()

    def test_the_torn_half_of_a_killed_copy_is_removed(self, run):
        fetch_folder(run, progress=False)
        (run.raw_dir / "train.csv").unlink()
        (run.raw_dir / "train_data/.human__a-x7.jpg").write_bytes(b"half a pict")
        fetch_folder(run, progress=False)
        assert set(contents(run.raw_dir)) == {*labels(run), "train.csv", "source.json"}

    def test_a_full_disk_is_explained_and_finished_later(self, run, monkeypatch):
        def full(source, target):
            raise OSError(errno.ENOSPC, "No space left on device", str(target))

        with monkeypatch.context() as patch:
            patch.setattr("os.link", cannot_link)
            patch.setattr("shutil.copy2", full)
            assert "No space left on device" in refusal(run)
        fetch_folder(run, progress=False)
        assert len(labels(run)) == 4
