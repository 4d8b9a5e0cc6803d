from __future__ import annotations

import hashlib
import http.server
import io
import json
import tarfile
import threading
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from src.utils.data.published.package_files import read_pins, take_files
from src.utils.settings import UserError


def wheel(files: dict[str, bytes]) -> bytes:
    """A zip of files."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return buffer.getvalue()


def source_archive(files: dict[str, bytes], links: dict[str, str] | None = None) -> bytes:
    """A source archive: everything in one folder, beside a build script."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
        for name, data in (files | {"setup.py": b""} if "setup.py" not in files else files).items():
            member = tarfile.TarInfo(f"pack-1.0/{name}")
            member.size = len(data)
            archive.addfile(member, io.BytesIO(data))
        for name, target in (links or {}).items():
            member = tarfile.TarInfo(f"pack-1.0/{name}")
            member.type, member.linkname = tarfile.SYMTYPE, target
            archive.addfile(member)
    return buffer.getvalue()


class FakeIndex(http.server.ThreadingHTTPServer):
    """An index of packages on this machine, in JSON or, for `html`, as older ones answer."""

    def __init__(self):
        super().__init__(("127.0.0.1", 0), _Handler)
        self.archives: dict[str, bytes] = {}
        self.downloads: list[str] = []
        self.html = False
        self.changed = False

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/simple"

    def add(self, name: str, archive: bytes) -> str:
        """Publish an archive; returns the line that pins it."""
        self.archives[name] = archive
        return f"{name}==1.0 \\\n    --hash=sha256:{hashlib.sha256(archive).hexdigest()}\n"


class _Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        part, name = self.path.strip("/").split("/")
        data = self.server.archives.get(name)
        if data is None:
            self.send_error(404)
            return
        kind = "application/octet-stream"
        if part == "files":
            self.server.downloads.append(name)
            data = data + b"!" if self.server.changed else data
        else:
            digest = hashlib.sha256(data).hexdigest()
            address = f"../../files/{name}"
            kind = "text/html" if self.server.html else "application/vnd.pypi.simple.v1+json"
            page = f'<a href="{address}#sha256={digest}">' if self.server.html else ""
            data = (page or json.dumps({"files": [{"url": address, "hashes": {"sha256": digest}}]})).encode()
        self.send_response(200)
        self.send_header("Content-Type", kind)
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *arguments: object) -> None:
        pass


@pytest.fixture
def index(monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeIndex]:
    """An index that pip is told to use."""
    with FakeIndex() as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        monkeypatch.setenv("PIP_INDEX_URL", server.address)
        monkeypatch.setenv("PIP_EXTRA_INDEX_URL", "")
        yield server
        server.shutdown()


def take(index: FakeIndex, archive: bytes, paths: list[str], folder: Path) -> dict[str, bytes]:
    """What lies in the folder afterwards."""
    requirements = folder.parent / "requirements.txt"
    requirements.write_text(index.add("pack", archive))
    folder.mkdir()
    take_files(read_pins(requirements), {"pack": paths}, folder, progress=False)
    return {
        path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()
    }


@pytest.mark.parametrize("html", [False, True], ids=["json", "html"])
@pytest.mark.parametrize("archive", [wheel, source_archive])
def test_only_what_is_wanted_is_copied_out(tmp_path, index, archive, html):
    index.html = html
    packed = archive({"pack/a.jpg": b"1", "pack/b.jpg": b"2"})
    assert take(index, packed, ["pack/a.jpg", "pack/missing.jpg"], tmp_path / "new") == {"pack/a.jpg": b"1"}


def test_a_source_archive_is_not_built(tmp_path, index):
    marker = tmp_path / "it ran"
    script = f"open({str(marker)!r}, 'w')\nfrom setuptools import setup\nsetup(name='pack', version='1.0')\n"
    packed = source_archive({"setup.py": script.encode(), "pack/a.jpg": b"1"})
    assert take(index, packed, ["pack/a.jpg"], tmp_path / "new") == {"pack/a.jpg": b"1"}
    assert not marker.exists()


def test_a_file_of_a_zip_inside_the_archive(tmp_path, index):
    packed = wheel({"pack/test/gallery.zip": wheel({"Old Town.jpg": b"1", "other.jpg": b"2"})})
    taken = take(index, packed, ["pack/test/gallery.zip/Old Town.jpg"], tmp_path / "new")
    assert taken == {"pack/test/gallery.zip/Old Town.jpg": b"1"}


@pytest.mark.parametrize("path", ["../out.jpg", "/out.jpg", "pack/../../out.jpg", "a.zip/../../../out.jpg"])
def test_a_path_that_leaves_the_folder_is_refused(tmp_path, index, path):
    with pytest.raises(UserError, match="leaves the packages' folder"):
        take(index, wheel({path: b"1"}), [path], tmp_path / "new")
    assert not list(tmp_path.rglob("*.jpg"))
    assert index.downloads == []


def test_a_link_in_an_archive_is_no_file(tmp_path, index):
    packed = source_archive({"pack/a.jpg": b"1"}, links={"pack/b.jpg": "/etc/hostname"})
    assert take(index, packed, ["pack/b.jpg"], tmp_path / "new") == {}


def test_what_is_not_the_pinned_file_is_not_opened(tmp_path, index):
    index.changed = True
    with pytest.raises(UserError, match="pack could not be fetched: what came is not the pinned file"):
        take(index, wheel({"pack/a.jpg": b"1"}), ["pack/a.jpg"], tmp_path / "new")
    assert list((tmp_path / "new").iterdir()) == []


def test_failures_say_the_package_and_the_next_step(tmp_path, index, monkeypatch):
    wrong = {"pack": "0" * 64}
    cases = [(index.address, "no index of pip has the pinned file"), ("http://127.0.0.1:9/simple", "connect")]
    for address, advice in cases:
        monkeypatch.setenv("PIP_INDEX_URL", address)
        with pytest.raises(UserError, match=f"pack could not be fetched: .*{advice}") as raised:
            take_files(wrong, {"pack": ["pack/a.jpg"]}, tmp_path, progress=False)
        assert "\n" not in str(raised.value)
    with pytest.raises(UserError, match="other has no pin"):
        take_files(wrong, {"other": ["a.jpg"]}, tmp_path, progress=False)
    monkeypatch.setenv("PIP_INDEX_URL", index.address)
    with pytest.raises(UserError, match="its archive cannot be read"):
        take(index, b"no archive", ["a.jpg"], tmp_path / "new")
    with pytest.raises(UserError, match=r"nothing\.txt is missing"):
        read_pins(tmp_path / "nothing.txt")
