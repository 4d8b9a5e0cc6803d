"""A dataset of Hugging Face arrives whole, and what stops it is said in one line; against a stand-in."""

from __future__ import annotations

import json
import sys

import pytest

from src.utils.data.published.hub import fetch_hub, parse_address
from src.utils.data.sources.registry import describe_source, ensure_raw
from src.utils.settings import Settings, UserError
from tests.data.hub_server import SHA, HubServer
from tests.data.kaggle_server import make_jpeg

ADDRESS = "hf://datasets/owner/name"
TOKEN = "hf_abcdefghijklmnop"
FILES = {
    "README.md": b"# A dataset",
    ".gitattributes": b"",
    "data/real/a.jpg": make_jpeg(0),
    "data/fake/b [1].JPG": make_jpeg(1),
    "weights.safetensors": bytes(100),
}


@pytest.fixture
def site(monkeypatch, tmp_path):
    monkeypatch.setenv("HF_HOME", str(tmp_path / "home"))
    monkeypatch.delenv("HF_TOKEN", raising=False)
    monkeypatch.setattr("huggingface_hub.file_download.time.sleep", lambda _: None, raising=False)
    with HubServer(dict(FILES)) as server:
        monkeypatch.setenv("HF_ENDPOINT", server.url)
        yield server


def fetched(folder):
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file() and not any(part.startswith(".") for part in path.relative_to(folder).parts)
    }


def refusal(folder, address=ADDRESS) -> str:
    with pytest.raises(UserError) as caught:
        fetch_hub(address, folder, progress=False)
    assert "\n" not in str(caught.value) and TOKEN not in str(caught.value)
    return str(caught.value)


def test_pictures_arrive_and_the_revision_is_noted(site, tmp_path, capsys):
    note = fetch_hub(ADDRESS, tmp_path / "here")
    pictures = {name: data for name, data in FILES.items() if name.startswith("data/")}
    assert fetched(tmp_path / "here") == pictures
    assert [path.name for path in (tmp_path / "here").glob(".*")] == [".hub.json"]
    assert note == (ADDRESS, SHA, "cc-by-4.0", True)
    assert json.loads((tmp_path / "here/.hub.json").read_text())["revision"] == SHA
    size = sum(map(len, pictures.values())) / 1e6
    assert (
        f"{site.url}/datasets/owner/name: 2 files, {size:.1f} MB, {size:.1f} MB of it to be fetched; "
        f"licence: cc-by-4.0; revision {SHA}." in capsys.readouterr().out
    )


def test_what_is_there_costs_no_request(site, tmp_path):
    fetch_hub(ADDRESS, tmp_path / "here", progress=False)
    site.calls.clear()
    assert fetch_hub(ADDRESS, tmp_path / "here", progress=False).revision == SHA
    assert site.calls == []


@pytest.mark.parametrize("revision", ["main", SHA])
def test_a_revision_may_be_asked_for(site, tmp_path, revision):
    assert fetch_hub(f"{ADDRESS}@{revision}", tmp_path / "here", progress=False).revision == SHA
    assert site.calls[0][1] == f"/api/datasets/owner/name/revision/{revision}"


def test_a_broken_connection_goes_on_where_it_stopped(site, tmp_path, monkeypatch):
    monkeypatch.setattr("huggingface_hub.constants.DOWNLOAD_CHUNK_SIZE", 10_000)  # what it writes at once
    site.files["data/real/large.jpg"] = make_jpeg(2, side=300)
    site.cut_after = 40_000
    fetch_hub(ADDRESS, tmp_path / "here", progress=False)
    assert fetched(tmp_path / "here")["data/real/large.jpg"] == site.files["data/real/large.jpg"]
    asked = [range for _, path, range, _ in site.calls if path.endswith("large.jpg") and range]
    starts = [int(range.removeprefix("bytes=").partition("-")[0]) for range in asked]
    assert starts == [40_000 * (number + 1) for number in range(len(starts))] and starts


def test_a_cut_call_is_finished_by_the_next_with_its_revision(site, tmp_path):
    site.files = {
        "data/fake/b.jpg": FILES["data/fake/b [1].JPG"],
        "data/real/large.jpg": make_jpeg(2, side=300),
    }
    site.cut_after = 40_000
    assert "cannot be reached (RemoteProtocolError)" in refusal(tmp_path / "here")
    assert list(fetched(tmp_path / "here")) == ["data/fake/b.jpg"]
    site.cut_after = None
    site.calls.clear()
    fetch_hub(ADDRESS, tmp_path / "here", progress=False)
    assert fetched(tmp_path / "here") == site.files
    assert site.calls[0][1] == f"/api/datasets/owner/name/revision/{SHA}"
    assert {path.rpartition("/")[2] for _, path, _, _ in site.calls[1:]} == {"large.jpg"}


def test_a_token_is_sent_and_never_shown(site, tmp_path, monkeypatch, capfd):
    monkeypatch.setenv("HF_TOKEN", TOKEN)
    fetch_hub(ADDRESS, tmp_path / "here")
    assert {token for *_, token in site.calls} == {f"Bearer {TOKEN}"}
    out, err = capfd.readouterr()
    assert TOKEN not in out + err
    for path in (tmp_path / "here").rglob("*"):
        assert path.is_dir() or TOKEN.encode() not in path.read_bytes()


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        ((401, "RepoNotFound"), "is not there, or is private: check the name, or set HF_TOKEN"),
        ((404, "RepoNotFound"), "is not there, or is private: check the name, or set HF_TOKEN"),
        ((403, "GatedRepo"), "wants its terms accepted: do so in a browser, then set HF_TOKEN"),
        ((500, ""), "is refused by the hub (500): run this again later, what has arrived is kept."),
    ],
)
def test_refusals(site, tmp_path, monkeypatch, answer, expected):
    monkeypatch.setenv("HF_TOKEN", TOKEN)
    site.refusal = answer
    assert f"{site.url}/datasets/owner/name {expected}" in refusal(tmp_path / "here")


def test_an_unknown_revision(site, tmp_path):
    assert "has no revision gone: take one that its page lists" in refusal(
        tmp_path / "here", f"{ADDRESS}@gone"
    )


def test_no_network(site, tmp_path, monkeypatch):
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    assert "cannot be reached (ConnectError): check the network or proxy" in refusal(tmp_path / "here")


def test_no_room(site, tmp_path, monkeypatch):
    site.files["a.parquet"] = bytes(3_000_000)
    monkeypatch.setattr("shutil.disk_usage", lambda _: type("Usage", (), {"free": 10}))
    message = refusal(tmp_path / "here")
    assert "the files take 3.0 MB and 3.0 MB for the pictures in them, 0.0 MB are free: make room" in message
    assert fetched(tmp_path / "here") == {}


def test_nothing_that_is_read(site, tmp_path):
    site.files = {"a.tar": b"x", "b.tar": b"x", "labels.csv": b"x"}
    message = refusal(tmp_path / "here")
    assert "has no Parquet files and no pictures" in message and "but .tar (2), .csv (1)" in message


def test_a_licence_that_is_not_stated(site, tmp_path):
    site.licence = None
    assert fetch_hub(ADDRESS, tmp_path / "here", progress=False).licence == "not stated"


def test_names_that_leave_the_folder_are_not_fetched(site, tmp_path):
    site.files = {
        "../out.jpg": b"x",
        "/abs.jpg": b"x",
        ".hidden/a.jpg": b"x",
        "a.jpg": FILES["data/real/a.jpg"],
    }
    fetch_hub(ADDRESS, tmp_path / "here", progress=False)
    assert list(fetched(tmp_path / "here")) == ["a.jpg"] and not (tmp_path / "out.jpg").exists()


def test_addresses():
    assert parse_address(ADDRESS) == ("owner/name", None)
    assert parse_address(f"{ADDRESS}@refs/convert/parquet") == ("owner/name", "refs/convert/parquet")
    for wrong in (
        "hf://owner/name",
        "hf://datasets/name",
        "hf://datasets/../x",
        f"{ADDRESS}/sub",
        f"{ADDRESS}@",
    ):
        with pytest.raises(UserError, match="write hf://datasets/OWNER/NAME"):
            parse_address(wrong)


def test_data_dir_may_be_an_address(site, tmp_path, monkeypatch):
    run = Settings.from_env({"DATA_DIR": ADDRESS}, root=tmp_path / "project")
    assert run.source == "folder" and run.data_dir == tmp_path / "project/data/raw/hub/owner__name"
    table = ensure_raw(run, progress=False)
    assert dict(zip(table["file_name"], table["label"], strict=True)) == {
        "train_data/data__fake__b [1].JPG": 1,
        "train_data/data__real__a.jpg": 0,
    }
    facts = describe_source(run)
    assert facts["from"] == f"{ADDRESS}, revision {SHA}" and facts["licence"] == "cc-by-4.0"
    site.calls.clear()
    ensure_raw(run, progress=False)
    assert site.calls == []


def test_the_client_missing(site, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "huggingface_hub", None)
    assert "needs huggingface_hub to be fetched: install it with `make setup`." in refusal(tmp_path / "here")
