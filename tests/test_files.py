import errno
import hashlib
import json
import os
import re

import pytest

from src.utils.files import (
    atomic_folder,
    atomic_path,
    hash_bytes,
    hash_file,
    link_or_copy,
    read_json,
    sha256_bytes,
    sha256_file,
    write_json,
    write_text,
)
from src.utils.settings import PROJECT_ROOT


def test_a_failed_write_leaves_the_old_file_and_nothing_else(tmp_path):
    target = tmp_path / "table.csv"
    write_text(target, "old")
    with pytest.raises(RuntimeError), atomic_path(target) as temporary:
        temporary.write_text("half")
        raise RuntimeError
    assert target.read_text() == "old"
    assert [path.name for path in tmp_path.iterdir()] == ["table.csv"]


def test_json_round_trip_and_no_nan(tmp_path):
    write_json(tmp_path / "a" / "facts.json", {"auc": 0.5, "name": "ä"})
    assert read_json(tmp_path / "a" / "facts.json") == {"auc": 0.5, "name": "ä"}
    with pytest.raises(ValueError, match="not JSON compliant"):
        write_json(tmp_path / "a" / "facts.json", {"auc": float("nan")})
    assert json.loads((tmp_path / "a" / "facts.json").read_text())["auc"] == 0.5


def test_hashes_agree_and_tell_contents_apart(tmp_path):
    data = bytes(range(256)) * 8192
    (tmp_path / "a").write_bytes(data)
    assert hash_file(tmp_path / "a") == hash_bytes(data)
    assert len(hash_bytes(b"")) == 32
    assert hash_bytes(b"a") != hash_bytes(b"b")


def test_sha256_is_the_standards(tmp_path):
    data = b"abc" * 1_000_000
    (tmp_path / "a").write_bytes(data)
    assert sha256_file(tmp_path / "a") == sha256_bytes(data) == hashlib.sha256(data).hexdigest()
    assert sha256_bytes(b"abc").startswith("ba7816bf8f01cfea")  # FIPS 180-2, appendix B.1


def test_there_is_one_module_for_checksums_and_copies():
    own = re.compile(r"hashlib|shutil\.copy[2(]|shutil\.copyfile\(")
    users = [path.name for path in (PROJECT_ROOT / "src").rglob("*.py") if own.search(path.read_text())]
    assert users == ["files.py"]


class TestLinkOrCopy:
    @pytest.fixture
    def no_links(self, monkeypatch):
        def refuse(*_):
            raise OSError(errno.EXDEV, "no links here")

        monkeypatch.setattr(os, "link", refuse)

    @pytest.fixture
    def source(self, tmp_path):
        path = tmp_path / "source.jpg"
        path.write_text("content")
        os.utime(path, ns=(1, 1))
        return path

    def test_it_links_what_a_symbolic_link_leads_to(self, tmp_path, source):
        (tmp_path / "shortcut").symlink_to(source)
        link_or_copy(tmp_path / "shortcut", tmp_path / "target")
        assert not (tmp_path / "target").is_symlink() and (tmp_path / "target").samefile(source)

    def test_it_copies_with_the_time_where_links_cannot_be(self, tmp_path, source, no_links):
        link_or_copy(source, tmp_path / "target")
        assert (tmp_path / "target").read_text() == "content"
        assert not (tmp_path / "target").samefile(source)
        assert (tmp_path / "target").stat().st_mtime_ns == 1
        assert len(list(tmp_path.iterdir())) == 2

    def test_an_equal_target_stays_and_another_one_is_replaced(self, tmp_path, source, no_links):
        target = tmp_path / "target"
        link_or_copy(source, target)
        first = target.stat().st_ino
        link_or_copy(source, target)
        assert target.stat().st_ino == first
        source.write_text("changed")
        link_or_copy(source, target)
        assert target.read_text() == "changed"

    def test_a_source_that_is_gone_leaves_the_target(self, tmp_path):
        write_text(tmp_path / "target", "old")
        with pytest.raises(FileNotFoundError):
            link_or_copy(tmp_path / "gone", tmp_path / "target")
        assert (tmp_path / "target").read_text() == "old"

    def test_a_copy_that_fails_leaves_nothing(self, tmp_path, source, no_links, monkeypatch):
        def full(_, target):
            target.write_text("ha")
            raise OSError(errno.ENOSPC, "disk full")

        monkeypatch.setattr("shutil.copy2", full)
        with pytest.raises(OSError, match="disk full"):
            link_or_copy(source, tmp_path / "target")
        assert [path.name for path in tmp_path.iterdir()] == ["source.jpg"]


class TestAtomicFolder:
    def test_it_takes_the_place_of_the_old_one(self, tmp_path):
        target = tmp_path / "site"
        for words in ("old", "new"):
            with atomic_folder(target) as folder:
                (folder / f"{words}.html").write_text(words)
        assert [path.name for path in target.iterdir()] == ["new.html"]
        assert list(tmp_path.iterdir()) == [target]

    def test_a_failure_leaves_the_old_one(self, tmp_path):
        target = tmp_path / "site"
        with atomic_folder(target) as folder:
            (folder / "old.html").write_text("old")
        with pytest.raises(OSError, match="full"), atomic_folder(target) as folder:
            (folder / "half.html").write_text("half")
            raise OSError("disk is full")
        assert [path.name for path in target.iterdir()] == ["old.html"]
        assert list(tmp_path.iterdir()) == [target]
