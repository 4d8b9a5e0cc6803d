from __future__ import annotations

import os
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from src.utils.data.pictures.listing import (
    BROKEN,
    REPEATED,
    SPECIAL,
    UNOPENED,
    is_image_name,
    is_plain_relative,
    kind_of_name,
    say_left_out,
    walk_files,
    walk_pictures,
)


@pytest.mark.parametrize(
    "name", ["a.jpg", "B.JPEG", "c.d.PnG", "x/y.webp", "e.gif", "f.bmp", "g.TIF", "h.tiff", "i.avif"]
)
def test_pictures_are_known_by_their_ending(name):
    assert is_image_name(name)


@pytest.mark.parametrize("name", ["a.txt", "jpg", ".jpg", "a.jpg.zip", "a.heic", "a.svg", ""])
def test_other_files_are_not_pictures(name):
    assert not is_image_name(name)


@pytest.mark.parametrize(
    "name",
    ["", ".", "/", "/a", "../a", "a/../b", "a/..", "C:/a", "c:a", "a\\b", "\\\\host\\a", "a\0b", "//host/a"],
)
def test_names_that_could_leave_their_folder_are_refused(name):
    assert not is_plain_relative(name)


@given(st.text())
def test_an_accepted_name_stays_below_any_folder(tmp_path_factory, name):
    root = tmp_path_factory.getbasetemp()
    if is_plain_relative(name):
        assert root in (root / name).parents
        assert (root / name).resolve().is_relative_to(root)


def test_files_are_listed_sorted_without_hidden_ones(tmp_path):
    for name in (
        "b/2.jpg",
        "a.txt",
        "b/1.jpg",
        ".hidden/x.jpg",
        "b/.DS_Store",
        "__MACOSX/b/1.jpg",
        "c/d/e.png",
    ):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    assert list(walk_files(tmp_path)) == ["a.txt", "b/1.jpg", "b/2.jpg", "c/d/e.png"]


def test_linked_folders_are_followed_and_loops_end(tmp_path):
    elsewhere = tmp_path / "elsewhere"
    inside = tmp_path / "inside"
    for folder in (elsewhere, inside):
        folder.mkdir()
    (elsewhere / "far.jpg").touch()
    (inside / "human").symlink_to(elsewhere)
    (inside / "loop").symlink_to(inside)
    (inside / "gone.jpg").symlink_to(tmp_path / "nothing")
    left_out = Counter()
    assert list(walk_files(inside, left_out)) == ["human/far.jpg"]
    assert left_out == {REPEATED: 1, BROKEN: 1}


def test_a_folder_is_listed_by_its_own_name_before_that_of_a_link(tmp_path):
    (tmp_path / "human").mkdir()
    (tmp_path / "human/a.jpg").touch()
    (tmp_path / "a_link").symlink_to("human")
    left_out = Counter()
    assert list(walk_files(tmp_path, left_out)) == ["human/a.jpg"]
    assert left_out == {REPEATED: 1}


def test_links_that_lead_to_each_other_end_nothing(tmp_path):
    (tmp_path / "a").symlink_to("b")
    (tmp_path / "b").symlink_to("a")
    (tmp_path / "c.jpg").touch()
    left_out = Counter()
    assert list(walk_files(tmp_path, left_out)) == ["c.jpg"]
    assert left_out == {BROKEN: 2}


def test_what_is_no_file_is_counted_and_never_opened(tmp_path):
    os.mkfifo(tmp_path / "pipe.jpg")
    (tmp_path / "zero.jpg").symlink_to("/dev/zero")
    (tmp_path / "a.jpg").touch()
    left_out = Counter()
    assert list(walk_files(tmp_path, left_out)) == ["a.jpg"]
    assert left_out == {SPECIAL: 2}


def test_a_folder_that_may_not_be_opened_ends_nothing_but_itself(tmp_path, monkeypatch):
    for name in ("closed/x.jpg", "open/y.jpg"):
        (tmp_path / name).parent.mkdir()
        (tmp_path / name).touch()
    scandir = os.scandir

    def refuse(path):  # also for root, who may open everything
        if Path(path).name == "closed":
            raise PermissionError(13, "Permission denied", path)
        return scandir(path)

    monkeypatch.setattr("os.scandir", refuse)
    left_out = Counter()
    assert list(walk_files(tmp_path, left_out)) == ["open/y.jpg"]
    assert left_out == {UNOPENED: 1}
    with pytest.raises(PermissionError):
        list(walk_files(tmp_path / "closed"))


def test_nesting_beyond_what_python_recurses_and_the_system_opens(deep_folder):
    left_out = Counter()
    deep, last = walk_files(deep_folder, left_out)
    assert deep == 1200 * "d/" + "deep.jpg" and last == "last.jpg"
    assert left_out == {UNOPENED: 1}


@pytest.fixture
def deep_folder(tmp_path, monkeypatch):
    """2,100 folders in each other: one path to the last is longer than the 4,096 bytes a system takes."""
    (tmp_path / "last.jpg").touch()
    monkeypatch.chdir(tmp_path)
    for depth in range(2100):
        if depth == 1200:
            Path("deep.jpg").touch()
        Path("d").mkdir()
        os.chdir("d")
    yield tmp_path
    for _ in range(2100):  # pytest could not delete it
        os.chdir("..")
        Path("d").rmdir()
        Path("deep.jpg").unlink(missing_ok=True)


def test_pictures_are_told_from_what_else_lies_there(tmp_path):
    for name in ("a.jpg", "b.HEIC", "c.heif", "d.jxl", "e.NEF", "f.txt", "g"):
        (tmp_path / name).touch()
    left_out = Counter()
    assert list(walk_pictures(tmp_path, left_out)) == ["a.jpg"]
    expected = {"HEIC": 2, "JPEG XL": 1, "camera raw": 1, ".txt": 1, "without an ending": 1}
    assert left_out == expected
    said = say_left_out(left_out)
    assert said.startswith(
        "Left out: HEIC (2), JPEG XL (1), camera raw (1), .txt (1), without an ending (1). To read HEIC, save"
    )
    assert "\n" not in said


def test_many_kinds_are_summed_up():
    assert say_left_out(Counter({f".{kind}": 1 for kind in range(11)})).endswith(".6 (1) and 3 kinds more.")
    assert say_left_out(Counter()) == ""


@pytest.mark.parametrize(
    ("name", "kind"), [("x/a.HIF", "HEIC"), ("a.tar.gz", ".gz"), (".x/y", "without an ending")]
)
def test_kinds_by_name(name, kind):
    assert kind_of_name(name) == kind
