"""The real `kaggle` client against a local server that answers as Kaggle does."""

from __future__ import annotations

import errno
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
import zipfile
from collections import namedtuple
from pathlib import Path

import pytest
from kagglesdk import kaggle_env

from src.utils.data.sources.kaggle import DATASET, fetch_kaggle, find_token
from src.utils.data.sources.train_table import read_train_table
from src.utils.settings import PROJECT_ROOT, Settings, UserError
from tests.data.kaggle_server import SECRET, SIGNATURE, KaggleServer, make_dataset, make_jpeg, make_zip

ARCHIVE = f"{DATASET.split('/')[1]}.zip"
KEY_FILE = json.dumps({"username": "somebody", "key": SECRET})
KEY_PLACE = "{home}/.kaggle/kaggle.json"
LOGIN_PLACE = "~/.kaggle/credentials.json"
Usage = namedtuple("Usage", "total used free")

CHILD = """
import os, shutil, signal, sys
from collections import namedtuple
from pathlib import Path
from kagglesdk import kaggle_env
from src.utils.data.sources.kaggle import fetch_kaggle
from src.utils.settings import Settings

url, root, kill_at = sys.argv[1], Path(sys.argv[2]), int(sys.argv[3])
kaggle_env._env_to_endpoint[kaggle_env.KaggleEnv.PROD] = url
shutil.disk_usage = lambda path: namedtuple("Usage", "total used free")(0, 0, 10**12)
copy, count = shutil.copyfileobj, 0

def copy_or_die(source, target, *rest):
    global count
    count += 1
    if count == kill_at:
        target.write(source.read(100))
        target.flush()
        os.kill(os.getpid(), signal.SIGKILL)
    copy(source, target, *rest)

shutil.copyfileobj = copy_or_die
fetch_kaggle(Settings(source="kaggle", root=root), progress=False)
"""


@pytest.fixture
def settings(tmp_path):
    return Settings(source="kaggle", root=tmp_path / "project")


@pytest.fixture(autouse=True)
def empty_home(tmp_path, monkeypatch):
    """A home without tokens, a fresh import of the client, room on the disk, and no waiting."""
    home = tmp_path / "home"
    home.mkdir()
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    for name in os.environ:
        if name.startswith(("KAGGLE_", "XDG_CONFIG")) or name in ("VERBOSE", "VERBOSE_OUTPUT"):
            monkeypatch.delenv(name)
    for name in [name for name in sys.modules if name.split(".")[0] == "kaggle"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setattr("shutil.disk_usage", lambda path: Usage(10**12, 0, 10**12))
    monkeypatch.setattr("time.sleep", lambda seconds: None)
    return home


@pytest.fixture
def token(empty_home):
    """A legacy key file, as the website gives it."""
    path = empty_home / ".kaggle" / "kaggle.json"
    path.parent.mkdir()
    path.write_text(KEY_FILE)
    return path


@pytest.fixture
def server(monkeypatch):
    with KaggleServer(archive=make_zip(make_dataset())) as running:
        monkeypatch.setitem(kaggle_env._env_to_endpoint, kaggle_env.KaggleEnv.PROD, running.url)
        yield running


def files_below(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def fill(folder: Path, files: dict[str, bytes]) -> None:
    for name, content in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)


def refusal(settings) -> str:
    with pytest.raises(UserError) as caught:
        fetch_kaggle(settings, progress=False)
    message = str(caught.value)
    assert "\n" not in message
    assert caught.value.__cause__ is None
    assert SECRET not in message
    assert SIGNATURE not in message
    return message


def run_child(settings, url, kill_at=0):
    return subprocess.Popen(
        [sys.executable, "-c", CHILD, url, str(settings.root), str(kill_at)],
        cwd=PROJECT_ROOT,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
    )


def test_a_download_leaves_kaggles_layout_and_nothing_else(settings, server, token, capsys):
    fetch_kaggle(settings)
    assert files_below(settings.raw_dir) == make_dataset()
    shown = capsys.readouterr()
    assert "8 rows arrived (79,950 when this was written); pictures missing: 0; other files: 0." in shown.out
    assert "100%" in shown.err
    assert SECRET not in shown.out + shown.err
    assert SIGNATURE not in shown.out + shown.err


def test_a_second_call_asks_kaggle_nothing(settings, server, token):
    fetch_kaggle(settings, progress=False)
    asked = len(server.calls)
    fetch_kaggle(settings, progress=False)
    assert asked > 0
    assert len(server.calls) == asked


def test_the_quiet_call_prints_nothing(settings, server, token, capsys):
    fetch_kaggle(settings, progress=False)
    assert capsys.readouterr() == ("", "")


def test_a_verbose_environment_does_not_make_the_client_print_the_token(
    settings, server, empty_home, monkeypatch, capsys
):
    monkeypatch.setenv("KAGGLE_API_TOKEN", SECRET)
    monkeypatch.setenv("VERBOSE", "1")
    fetch_kaggle(settings)
    shown = capsys.readouterr()
    assert SECRET not in shown.out + shown.err
    assert files_below(settings.raw_dir) == make_dataset()


def test_a_folder_filled_by_hand_is_used_as_it_is_without_a_token(settings, server):
    by_hand = make_dataset() | {"notes.txt": b"mine"}
    fill(settings.raw_dir, by_hand)
    fetch_kaggle(settings)
    assert files_below(settings.raw_dir) == by_hand
    assert server.calls == []


@pytest.mark.parametrize(
    ("files", "step"),
    [
        ({"archive/train.csv": b"", "archive/train_data/a.jpg": b""}, "move everything in"),
        ({"archive.zip": b"", "train_data/a.jpg": b""}, "leave nothing there but"),
        ({"train_data/a.jpg": b""}, "finish unzipping"),
    ],
)
def test_a_half_filled_folder_is_explained_and_left_alone(settings, server, token, files, step):
    fill(settings.raw_dir, files)
    message = refusal(settings)
    assert "no train.csv" in message
    assert step in message
    assert files_below(settings.raw_dir) == files
    assert server.calls == []


class TestArchiveByHand:
    """What a browser downloads: an archive of any name, put into the folder by hand."""

    def test_it_is_unpacked_and_kept_and_kaggle_is_asked_nothing(self, settings, server):
        by_hand = make_zip(make_dataset())
        fill(settings.raw_dir, {"archive (1).zip": by_hand})
        fetch_kaggle(settings, progress=False)
        assert files_below(settings.raw_dir) == make_dataset() | {"archive (1).zip": by_hand}
        assert server.calls == []

    def test_a_kill_while_unpacking_is_finished_by_the_next_call(self, settings, server):
        fill(settings.raw_dir, {"archive.zip": server.archive})
        child = run_child(settings, server.url, kill_at=3)
        assert child.wait() == -signal.SIGKILL
        child.stderr.close()
        assert not (settings.raw_dir / "train.csv").exists()
        fetch_kaggle(settings, progress=False)
        assert files_below(settings.raw_dir) == make_dataset() | {"archive.zip": server.archive}

    def test_a_damaged_one_stays_and_is_named(self, settings, server):
        fill(settings.raw_dir, {"archive.zip": server.archive[:-40]})
        assert f"{settings.raw_dir / 'archive.zip'} cannot be unpacked" in refusal(settings)
        assert (settings.raw_dir / "archive.zip").is_file()
        (settings.raw_dir / "archive.zip").write_bytes(server.archive)
        fetch_kaggle(settings, progress=False)
        assert (settings.raw_dir / "train.csv").is_file()

    def test_an_unsafe_one_is_refused(self, settings, server, tmp_path):
        fill(settings.raw_dir, {"archive.zip": make_zip(make_dataset() | {"../outside.jpg": b""})})
        assert "'../outside.jpg' leaves its folder" in refusal(settings)
        assert not (tmp_path / "project/data/raw/outside.jpg").exists()

    def test_doubled_folders_are_seen_through(self, settings, server):
        files = {
            name.replace("train_data/", "train_data/train_data/"): data
            for name, data in make_dataset().items()
        }
        fill(settings.raw_dir, {"archive.zip": make_zip(files)})
        fetch_kaggle(settings, progress=False)
        table = read_train_table(settings.raw_dir)
        assert len(table) == 8
        assert all(name.startswith("train_data/train_data/") for name in table["file_name"])
        assert all((settings.raw_dir / name).is_file() for name in table["file_name"])


class TestToken:
    def test_none(self, settings, server, empty_home, capsys):
        message = refusal(settings)
        assert message.startswith("No Kaggle token was found")
        assert "https://www.kaggle.com/settings" in message
        assert "DATA_SOURCE=sample" in message
        assert server.calls == []
        assert (
            list(empty_home.iterdir()) == []
        )  # the client, which makes its folder on import, was not imported
        assert capsys.readouterr() == ("", "")

    @pytest.mark.parametrize(
        ("files", "env", "place"),
        [
            ({}, {"KAGGLE_API_TOKEN": SECRET}, "KAGGLE_API_TOKEN"),
            ({".kaggle/access_token": SECRET}, {}, "~/.kaggle/access_token"),
            ({".kaggle/access_token.txt": SECRET}, {}, "~/.kaggle/access_token.txt"),
            ({".kaggle/access_token": " \n"}, {}, None),
            ({}, {"KAGGLE_USERNAME": "me", "KAGGLE_KEY": SECRET}, "KAGGLE_KEY"),
            ({}, {"KAGGLE_KEY": SECRET}, None),
            ({".kaggle/kaggle.json": KEY_FILE}, {}, "{home}/.kaggle/kaggle.json"),
            ({".config/kaggle/kaggle.json": KEY_FILE}, {}, "{home}/.config/kaggle/kaggle.json"),
            ({"keys/kaggle.json": KEY_FILE}, {"KAGGLE_CONFIG_DIR": "{home}/keys"}, "{home}/keys/kaggle.json"),
            ({".kaggle/kaggle.json": f'{{"key": "{SECRET}"}}'}, {"KAGGLE_USERNAME": "me"}, KEY_PLACE),
            ({".kaggle/kaggle.json": "[1]"}, {}, None),
            ({".kaggle/credentials.json": f'{{"refresh_token": "{SECRET}"}}'}, {}, LOGIN_PLACE),
        ],
    )
    def test_places(self, empty_home, files, env, place):
        fill(empty_home, {name: text.encode() for name, text in files.items()})
        env = {name: value.format(home=empty_home) for name, value in env.items()}
        expected = place.format(home=empty_home) if place else None
        assert find_token({"HOME": str(empty_home), **env}) == expected

    def test_a_key_file_without_a_key_is_named(self, settings, server, token):
        token.write_text("{}")
        assert refusal(settings).startswith(f"{token} lacks a username or key")

    def test_every_kind_downloads(self, settings, server, empty_home, monkeypatch):
        path = empty_home / "my token"
        path.write_text(SECRET + "\n")
        monkeypatch.setenv("KAGGLE_API_TOKEN", str(path))
        fetch_kaggle(settings, progress=False)
        assert files_below(settings.raw_dir) == make_dataset()

    def test_a_bad_key_is_refused_with_401(self, settings, server, token):
        server.status = 401
        message = refusal(settings)
        assert message.startswith(f"Kaggle does not accept the token in {token} (401)")

    @pytest.mark.parametrize("status", [401, 403])
    def test_a_bad_access_token_is_refused_before_the_download(
        self, settings, server, monkeypatch, capsys, status
    ):
        monkeypatch.setenv("KAGGLE_API_TOKEN", SECRET)
        server.token_status = status
        assert refusal(settings).startswith("Kaggle does not accept the token in KAGGLE_API_TOKEN")
        assert all("IntrospectToken" in address for address in server.addresses)
        assert capsys.readouterr() == ("", "")


@pytest.mark.parametrize(
    ("status", "cause", "step"),
    [
        (403, "forbids this download (403)", "in a browser"),
        (404, "has no dataset alessandrasala79/ai-vs-human-generated-dataset (404)", "still opens"),
        (429, "patience (429)", "in a few minutes"),
        (503, "error (503)", "run this again later"),
    ],
)
def test_a_refusal_names_cause_and_next_step(settings, server, token, status, cause, step):
    server.status = status
    message = refusal(settings)
    assert cause in message
    assert step in message


def test_no_network(settings, token, monkeypatch):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        closed = f"http://127.0.0.1:{free.getsockname()[1]}"
    monkeypatch.setitem(kaggle_env._env_to_endpoint, kaggle_env.KaggleEnv.PROD, closed)
    message = refusal(settings)
    assert message.startswith("Kaggle cannot be reached (ConnectionError)")
    assert "run this again" in message


class TestDisk:
    def test_too_little_is_said_with_both_figures(self, settings, server, token, monkeypatch):
        monkeypatch.setattr("shutil.disk_usage", lambda path: Usage(0, 0, 12_300_000_000))
        message = refusal(settings)
        assert "need about 40 GB more" in message
        assert "12.3 GB are free" in message
        assert server.calls == []

    def test_what_is_there_already_is_subtracted(self, settings, server, token, monkeypatch):
        partial = settings.raw_dir / ".download" / ARCHIVE
        partial.parent.mkdir(parents=True)
        with partial.open("wb") as file:
            file.truncate(10 * 10**9)  # a hole: takes no disk
        monkeypatch.setattr("shutil.disk_usage", lambda path: Usage(0, 0, 29_000_000_000))
        assert "need about 30 GB more" in refusal(settings)

    def test_a_disk_that_fills_up_while_unpacking(self, settings, server, token, monkeypatch):
        def full(*_):
            raise OSError(errno.ENOSPC, "No space left on device")

        with monkeypatch.context() as patch:
            patch.setattr("shutil.copyfileobj", full)
            assert "is full: free some and run this again" in refusal(settings)
        fetch_kaggle(settings, progress=False)
        assert files_below(settings.raw_dir) == make_dataset()


class TestInterruption:
    @pytest.fixture
    def large(self, server):
        """Enough noise that the client, which writes blocks of 1 MiB, has something on the disk."""
        files = make_dataset(rows=8, side=700)
        server.archive = make_zip(files)
        assert len(server.archive) > 3 << 20
        return files

    def test_a_cut_is_continued_in_the_same_call(self, settings, server, token, large):
        server.cut_after = 2_500_000
        fetch_kaggle(settings, progress=False)
        assert files_below(settings.raw_dir) == large
        starts = [start for start, _ in server.ranges]
        assert starts == sorted(starts)
        assert starts[0] == 2 << 20

    def test_after_a_kill_only_the_rest_is_sent(self, settings, server, token, large):
        server.stall_after = 2_500_000
        child = run_child(settings, server.url)
        partial = settings.raw_dir / ".download" / ARCHIVE
        wait_until(lambda: partial.is_file() and partial.stat().st_size >= 2 << 20, child)
        child.send_signal(signal.SIGKILL)
        assert child.wait() == -signal.SIGKILL
        child.stderr.close()
        begun = partial.stat().st_size

        server.stall_after = None
        fetch_kaggle(settings, progress=False)
        assert server.ranges == [(begun, len(server.archive) - begun)]
        assert files_below(settings.raw_dir) == large

    def test_a_changed_archive_is_not_glued_to_the_old_half(self, settings, server, token, large):
        partial = settings.raw_dir / ".download" / ARCHIVE
        fill(partial.parent, {ARCHIVE: b"old" * 1000})
        fill(partial.parent, {f"{ARCHIVE}.kaggle-partial": b'{"validator": "\\"old\\"", "size": 4000}'})
        fetch_kaggle(settings, progress=False)
        assert files_below(settings.raw_dir) == large

    def test_a_network_that_stays_away_keeps_what_came(self, settings, server, token, large, monkeypatch):
        with monkeypatch.context() as patch:
            patch.setattr(server, "cut_after", 0)
            assert refusal(settings).startswith("Kaggle cannot be reached (ChunkedEncodingError)")
        assert not (settings.raw_dir / "train.csv").exists()
        fetch_kaggle(settings, progress=False)
        assert files_below(settings.raw_dir) == large

    def test_a_kill_while_unpacking_leaves_no_torn_picture(self, settings, server, token):
        child = run_child(settings, server.url, kill_at=5)
        assert child.wait() == -signal.SIGKILL
        child.stderr.close()
        left = {name: data for name, data in files_below(settings.raw_dir).items() if ".download" not in name}
        dataset = make_dataset()
        assert len(left) == 4
        assert left.items() <= dataset.items()
        assert "train.csv" not in left
        kept = {name: (settings.raw_dir / name).stat().st_mtime_ns for name in left}
        asked = len(server.calls)

        again = run_child(settings, server.url)
        assert again.wait() == 0, again.stderr.read()
        again.stderr.close()
        assert files_below(settings.raw_dir) == dataset
        assert {name: (settings.raw_dir / name).stat().st_mtime_ns for name in left} == kept
        assert len(server.calls) == asked  # the archive was whole

    def test_a_kill_before_the_archive_was_deleted(self, settings, server, token):
        fill(settings.raw_dir, make_dataset() | {f".download/{ARCHIVE}": server.archive})
        fetch_kaggle(settings, progress=False)
        assert files_below(settings.raw_dir) == make_dataset()


class TestArchive:
    def test_a_few_missing_pictures_are_counted(self, settings, server, token, capsys):
        files = make_dataset(rows=200)
        gone = [name for name in files if name.startswith("train_data")][7]
        del files[gone]
        server.archive = make_zip(files | {"train_data/extra.jpg": make_jpeg(1)})
        fetch_kaggle(settings)
        assert "pictures missing: 1; other files: 1." in capsys.readouterr().out

    def test_many_missing_pictures_stop_it_with_a_name(self, settings, server, token):
        files = make_dataset()
        gone = [name for name in files if name.startswith("train_data")][3]
        del files[gone]
        server.archive = make_zip(files)
        message = refusal(settings)
        assert "lacks 1 of the 8 pictures" in message
        assert gone in message
        assert not (settings.raw_dir / "train.csv").exists()

    @pytest.mark.parametrize(
        "name", ["../outside.jpg", "/etc/outside.jpg", "a/../../outside.jpg", "C:/outside.jpg"]
    )
    def test_a_path_that_leaves_the_folder_stops_everything(self, settings, server, token, name, tmp_path):
        before = set(tmp_path.rglob("*"))
        server.archive = make_zip(make_dataset() | {name: b"outside"})
        message = refusal(settings)
        assert f"'{name}' leaves its folder" in message
        assert "nothing was unpacked" in message
        written = {path.name for path in set(tmp_path.rglob("*")) - before if path.is_file()}
        assert written == {ARCHIVE}

    def test_a_link_stops_everything(self, settings, server, token):
        link = zipfile.ZipInfo("train_data/link.jpg")
        link.external_attr = 0o120777 << 16
        server.archive = make_zip(make_dataset() | {link: b"/etc/passwd"})
        assert "'train_data/link.jpg' is a link" in refusal(settings)

    def test_a_damaged_archive_is_deleted_and_downloaded_anew(self, settings, server, token):
        whole = server.archive
        start, end = len(whole) // 3, len(whole) // 3 + 50
        server.archive = whole[:start] + bytes(byte ^ 255 for byte in whole[start:end]) + whole[end:]
        assert "was damaged and is deleted: run this again" in refusal(settings)
        server.archive = whole
        fetch_kaggle(settings, progress=False)
        assert files_below(settings.raw_dir) == make_dataset()

    def test_an_answer_that_is_no_archive(self, settings, server, token):
        server.archive = b"<html>please sign in to this network</html>"
        assert "was damaged and is deleted" in refusal(settings)

    def test_an_archive_without_a_table(self, settings, server, token):
        server.archive = make_zip({"readme.txt": b"moved"})
        assert "has no train.csv" in refusal(settings)


def wait_until(condition, child, seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert child.poll() is None, child.stderr.read()
        assert time.monotonic() < deadline, "nothing happened"
        threading.Event().wait(0.01)  # time.sleep is switched off here
