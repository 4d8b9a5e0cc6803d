from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from src.utils.data.pictures.listing import is_image_name, is_plain_relative, walk_files


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
    assert list(walk_files(inside)) == ["human/far.jpg"]
