"""The manifest: every row kept, every fact true, nothing read twice, nothing lost to an interruption."""

from __future__ import annotations

import io
import os
import signal
import sqlite3
import subprocess
import sys
from pathlib import Path

import imagehash
import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageCms

from src.utils.data import manifest as module
from src.utils.data.manifest import (
    EXTRA_COLUMNS,
    MANIFEST_COLUMNS,
    Facts,
    estimate_jpeg_quality,
    read_manifest,
    scan_images,
    unreadable_report,
    usable_rows,
    write_manifest,
)
from src.utils.data.pictures import decode
from src.utils.data.pictures.decode import ImageError, open_image
from src.utils.files import hash_bytes
from src.utils.settings import UserError


def picture(width: int = 40, height: int = 30, seed: int = 0) -> Image.Image:
    coarse = np.random.default_rng(seed).integers(0, 256, (6, 8, 3), dtype=np.uint8)
    return Image.fromarray(coarse).resize((width, height), Image.Resampling.BICUBIC)


def table_of(names: list[str], **columns) -> pd.DataFrame:
    rows = {"file_name": names, "label": [i % 2 for i in range(len(names))]}
    rows |= dict.fromkeys(("group", "generator", "origin", "subject", "split"), "") | columns
    return pd.DataFrame(rows)


def scan(raw_dir: Path, table: pd.DataFrame, cache_path: Path | None = None) -> pd.DataFrame:
    return scan_images(raw_dir, table, cache_path, workers=2, progress=False)


def scan_one(raw_dir: Path, **save_options) -> pd.Series:
    kind = save_options.pop("format", "JPEG")
    save_options.pop("image", picture()).save(raw_dir / "a.jpg", kind, **save_options)
    return scan(raw_dir, table_of(["a.jpg"])).iloc[0]


def test_a_row_has_what_the_source_said_and_what_the_file_is(tmp_path):
    (tmp_path / "train_data").mkdir()
    path = tmp_path / "train_data" / "a.jpg"
    picture().save(path, quality=83)
    table = table_of(
        ["train_data/a.jpg"], label=[1], group="g", generator="NA", origin="o", subject="s", split="unseen"
    )
    manifest = scan(tmp_path, table)
    assert tuple(manifest.columns) == MANIFEST_COLUMNS + EXTRA_COLUMNS
    row = manifest.iloc[0]
    decoded = open_image(path)
    luma = np.asarray(decoded.resize((64, 64), Image.Resampling.BOX).convert("L"), float)
    wanted = {
        "file_name": "train_data/a.jpg",
        "label": 1,
        "group": "g",
        "split": "unseen",
        "generator": "NA",
        "origin": "o",
        "subject": "s",
        "width": 40,
        "height": 30,
        "bytes": path.stat().st_size,
        "format": "JPEG",
        "mode": "RGB",
        "jpeg_quality": 83,
        "phash": str(imagehash.phash(decoded)),
        "readable": True,
        "reason": "",
        "content": hash_bytes(path.read_bytes()),
        "subsampling": "4:2:0",
        "progressive": False,
        "exif": False,
        "icc": False,
    }
    assert {name: row[name] for name in wanted} == wanted
    assert row["brightness"] == pytest.approx(luma.mean(), abs=1e-3)
    assert row["contrast"] == pytest.approx(luma.std(), abs=1e-3)


def test_columns_of_the_contract():
    assert ",".join(MANIFEST_COLUMNS) == (
        "file_name,label,group,split,generator,origin,subject,width,height,bytes,format,mode,jpeg_quality,phash,"
        "readable,reason"
    )


def test_saturation(tmp_path):
    assert scan_one(tmp_path, image=Image.new("RGB", (9, 9), "red"), format="PNG")["saturation"] == 255
    assert scan_one(tmp_path, image=Image.new("RGB", (9, 9), "grey"), format="PNG")["saturation"] == 0


@pytest.mark.parametrize("quality", [1, 10, 25, 50, 75, 90, 95, 100])
def test_jpeg_quality_is_exact_for_libjpeg(quality):
    for mode in ("RGB", "L"):
        buffer = io.BytesIO()
        picture().convert(mode).save(buffer, "JPEG", quality=quality)
        with Image.open(buffer) as image:
            assert estimate_jpeg_quality(image.quantization) == quality


def test_jpeg_quality_of_other_tables_is_the_nearest():
    buffer = io.BytesIO()
    picture().save(buffer, "JPEG", quality=80)
    with Image.open(buffer) as image:
        tables = {
            key: [value + (i % 9 == 0) for i, value in enumerate(t)] for key, t in image.quantization.items()
        }
    assert abs(estimate_jpeg_quality(tables) - 80) <= 1


@pytest.mark.parametrize(("stored", "shown"), [((41, 30), (30, 41)), ((30, 41), (41, 30)), ((30, 30),) * 2])
def test_a_large_jpeg_has_the_size_it_is_stored_at_though_it_is_decoded_smaller(
    tmp_path, monkeypatch, stored, shown
):
    monkeypatch.setattr(decode, "WHOLE_PIXELS", 400)
    exif = Image.Exif()
    exif[0x0112] = 6
    row = scan_one(tmp_path, image=picture(*stored), exif=exif)
    assert (row["width"], row["height"]) == shown


def test_container_facts(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    row = scan_one(
        tmp_path, exif=exif, icc_profile=profile, progressive=True, subsampling="4:4:4", quality=70
    )
    assert (row["exif"], row["icc"], row["progressive"], row["subsampling"]) == (True, True, True, "4:4:4")
    assert (row["width"], row["height"]) == (30, 40)  # as shown
    tables = {scan_one(tmp_path, quality=quality)["quantisation"] for quality in (70, 71)} | {
        row["quantisation"]
    }
    assert len(tables) == 2 and all(len(digest) == 8 for digest in tables)
    grey = scan_one(tmp_path, image=picture().convert("L"))
    assert (grey["mode"], grey["subsampling"]) == ("L", "")


def test_other_formats_have_no_jpeg_facts(tmp_path):
    row = scan_one(tmp_path, format="PNG")
    assert row["format"] == "PNG" and row["jpeg_quality"] is pd.NA
    assert (row["quantisation"], row["subsampling"]) == ("", "")


@pytest.fixture
def damaged(tmp_path) -> tuple[Path, pd.DataFrame]:
    """A folder where one picture is fine and each other file is wrong in its own way."""
    picture().save(tmp_path / "fine.png")
    picture(400, 300).save(tmp_path / "whole.jpg")
    data = (tmp_path / "whole.jpg").read_bytes()
    (tmp_path / "cut.jpg").write_bytes(data[: len(data) // 2])
    (tmp_path / "empty.jpg").write_bytes(b"")
    (tmp_path / "page.jpg").write_bytes(b"<html></html>")
    (tmp_path / "folder.jpg").mkdir()
    names = ["gone.jpg", "cut.jpg", "fine.png", "empty.jpg", "page.jpg", "folder.jpg"]
    return tmp_path, table_of(names, split="unseen")


def test_unreadable_files_keep_their_row_and_say_why(damaged):
    manifest = scan(*damaged)
    reasons = dict(zip(manifest["file_name"], manifest["reason"], strict=True))
    assert reasons == {
        "gone.jpg": "missing",
        "cut.jpg": "truncated: ends before its picture does",
        "fine.png": "",
        "empty.jpg": "empty: is empty (0 bytes)",
        "page.jpg": "not_image: is an HTML page, not a picture",
        "folder.jpg": "not_file: is a folder, not a file",
    }
    assert manifest["readable"].tolist() == [False, False, True, False, False, False]
    assert manifest["split"].tolist() == ["", "", "unseen", "", "", ""]
    cut = manifest.iloc[1]  # what the header told is kept
    assert (cut["width"], cut["height"], cut["format"], cut["jpeg_quality"]) == (400, 300, "JPEG", 75)
    assert cut["bytes"] > 0 and cut["phash"] == "" and np.isnan(cut["brightness"])
    assert usable_rows(manifest)["file_name"].tolist() == ["fine.png"]
    assert usable_rows(manifest).index.tolist() == [0]


def test_unreadable_report(damaged):
    raw_dir, table = damaged
    table = pd.concat([table, table_of(["gone_too.jpg"])], ignore_index=True)
    report = unreadable_report(scan(raw_dir, table))
    assert report["problem"].tolist() == ["missing", "empty", "not_file", "not_image", "truncated"]
    assert report["files"].tolist() == [2, 1, 1, 1, 1]
    assert report["example"][0] == "gone.jpg (missing)"
    fine = scan(raw_dir, table_of(["fine.png"]))
    assert unreadable_report(fine).empty and list(unreadable_report(fine)) == ["problem", "files", "example"]


def test_an_empty_table_gives_an_empty_manifest(tmp_path):
    manifest = scan(tmp_path, table_of([]))
    assert len(manifest) == 0 and tuple(manifest.columns) == MANIFEST_COLUMNS + EXTRA_COLUMNS


def test_a_table_with_only_names_and_labels_will_do(tmp_path):
    picture().save(tmp_path / "a.png")
    manifest = scan(tmp_path, pd.DataFrame({"file_name": ["a.png"], "label": [0]}, index=[17]))
    assert manifest.loc[0, ["group", "split", "generator"]].tolist() == ["", "", ""]


def test_manifest_round_trip(damaged, tmp_path):
    manifest = scan(*damaged)
    manifest.loc[2, "phash"] = "0000000000000012"
    manifest.loc[2, "generator"] = "null"
    write_manifest(tmp_path / "out" / "images.csv", manifest)
    again = read_manifest(tmp_path / "out" / "images.csv")
    pd.testing.assert_frame_equal(again, manifest, check_exact=True)


texts = st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=8)


@given(
    st.lists(
        st.builds(
            lambda **facts: Facts(**facts),
            width=st.integers(0, 2**40),
            jpeg_quality=st.none() | st.integers(1, 100),
            phash=st.text("0123456789abcdef", min_size=16, max_size=16),
            readable=st.booleans(),
            reason=texts,
            brightness=st.none() | st.floats(0, 255),
            format=texts,
            exif=st.booleans(),
        ),
        min_size=1,
        max_size=4,
    ),
    texts,
)
@settings(deadline=None, max_examples=50)
def test_any_manifest_survives_the_file(tmp_path_factory, facts, text):
    table = table_of([f"{text}{i}" for i in range(len(facts))], generator=text, subject='a,"b"\nc')
    manifest = module._assemble(table, facts)
    path = tmp_path_factory.mktemp("m") / "images.csv"
    write_manifest(path, manifest)
    pd.testing.assert_frame_equal(read_manifest(path), manifest, check_exact=True)


def test_unknown_columns_of_a_manifest_are_text(damaged, tmp_path):
    manifest = scan(*damaged).assign(source_group="007")
    write_manifest(tmp_path / "images.csv", manifest)
    assert read_manifest(tmp_path / "images.csv")["source_group"].tolist() == ["007"] * 6


def test_reading_a_manifest_that_is_not_there_or_not_one(tmp_path):
    with pytest.raises(UserError, match=r"images\.csv does not exist"):
        read_manifest(tmp_path / "images.csv")
    (tmp_path / "images.csv").write_text("file_name,label\na,0\n")
    with pytest.raises(UserError, match="no column group"):
        read_manifest(tmp_path / "images.csv")


@pytest.fixture
def watched(monkeypatch) -> list[str]:
    """The names of the files that are really read."""
    read = []
    original = module.read_file

    def spy(path: Path):
        read.append(path.name)
        return original(path)

    monkeypatch.setattr(module, "read_file", spy)
    return read


def test_a_second_scan_reads_only_what_changed(tmp_path, watched):
    raw_dir, cache = tmp_path / "raw", tmp_path / "interim" / "scan.sqlite"
    raw_dir.mkdir()
    names = [f"{i}.png" for i in range(6)]
    for i, name in enumerate(names):
        picture(seed=i).save(raw_dir / name)
    (raw_dir / "4.png").write_bytes(b"")
    table = table_of(names)
    first = scan(raw_dir, table, cache)
    assert sorted(watched) == names
    watched.clear()
    pd.testing.assert_frame_equal(scan(raw_dir, table, cache), first, check_exact=True)
    assert watched == []
    picture(50, 20, seed=9).save(raw_dir / "2.png")
    (raw_dir / "5.png").unlink()
    again = scan(raw_dir, table.iloc[::-1], cache)
    assert set(watched) == {"2.png", "5.png"}
    assert again.set_index("file_name").loc["2.png", "width"] == 50
    assert again["reason"].tolist()[0] == "missing" and again["file_name"].tolist() == names[::-1]
    unchanged = ["0.png", "1.png", "3.png"]
    pd.testing.assert_frame_equal(
        again.set_index("file_name").loc[unchanged],
        first.set_index("file_name").loc[unchanged],
        check_exact=True,
    )


def test_a_touched_file_of_the_same_length_is_read_again(tmp_path, watched):
    path = tmp_path / "a.bmp"
    Image.new("RGB", (8, 8), "red").save(path)
    before = scan(tmp_path, table_of(["a.bmp"]), tmp_path / "cache")
    Image.new("RGB", (8, 8), "blue").save(path)
    os.utime(path, ns=(1, path.stat().st_mtime_ns + 1))
    after = scan(tmp_path, table_of(["a.bmp"]), tmp_path / "cache")
    assert before["bytes"][0] == after["bytes"][0] and before["content"][0] != after["content"][0]


def test_a_file_that_could_not_be_opened_is_tried_again(tmp_path, monkeypatch):
    """Permissions may change without a change of the file's time."""
    picture().save(tmp_path / "a.png")

    def refuse(path: Path):
        raise ImageError("unreadable", path.name, "cannot be read (Permission denied)")

    with monkeypatch.context() as patch:
        patch.setattr(module, "read_file", refuse)
        closed = scan(tmp_path, table_of(["a.png"]), tmp_path / "cache")
    assert closed["reason"].tolist() == ["unreadable: cannot be read (Permission denied)"]
    assert scan(tmp_path, table_of(["a.png"]), tmp_path / "cache")["readable"].all()


def test_another_version_or_a_damaged_cache_is_read_anew(tmp_path, watched, monkeypatch):
    picture().save(tmp_path / "a.png")
    cache, table = tmp_path / "cache", table_of(["a.png"])
    first = scan(tmp_path, table, cache)
    monkeypatch.setattr(module, "code_digest", lambda name: "of other code")
    scan(tmp_path, table, cache)
    cache.write_bytes(b"no database" * 100)
    pd.testing.assert_frame_equal(scan(tmp_path, table, cache), first)
    assert watched == ["a.png"] * 3
    scan(tmp_path, table, cache)
    assert watched == ["a.png"] * 3


def test_a_cache_that_cannot_be_used_is_explained(tmp_path):
    picture().save(tmp_path / "a.png")
    cache = tmp_path / "cache"
    scan(tmp_path, table_of([]), cache)
    other = sqlite3.connect(cache, isolation_level=None)
    other.execute("DROP TABLE remembered")
    other.execute("CREATE TABLE remembered (something)")
    other.close()
    with pytest.raises(UserError, match="cache cannot be written"):
        scan(tmp_path, table_of(["a.png"]), cache)


KILLED_SCAN = """
import os, signal, sys
from pathlib import Path
import pandas as pd
from src.utils.data import manifest, remembered

raw_dir, cache = Path(sys.argv[1]), Path(sys.argv[2])
looked, original = [], manifest._look_at

def dies_at_the_50th(path, size):
    looked.append(path)
    if len(looked) == 50:
        os.kill(os.getpid(), signal.SIGKILL)
    return original(path, size)

manifest._look_at, remembered.FLUSH_EVERY = dies_at_the_50th, 8
table = pd.DataFrame({"file_name": sorted(path.name for path in raw_dir.iterdir()), "label": 0})
manifest.scan_images(raw_dir, table, cache, workers=2, progress=False)
"""


def test_a_killed_scan_goes_on_where_it_stopped(tmp_path, watched):
    raw_dir, cache = tmp_path / "raw", tmp_path / "scan.sqlite"
    raw_dir.mkdir()
    names = [f"{i:03d}.png" for i in range(80)]
    for i, name in enumerate(names):
        picture(seed=i).save(raw_dir / name)
    done = subprocess.run([sys.executable, "-c", KILLED_SCAN, raw_dir, cache])
    assert done.returncode == -signal.SIGKILL
    table = pd.DataFrame({"file_name": names, "label": 0})
    resumed = scan(raw_dir, table, cache)
    assert 80 - 49 <= len(watched) <= 80 - 40  # of 49 looked at, whole batches of 8 were kept
    watched.clear()
    pd.testing.assert_frame_equal(resumed, scan(raw_dir, table), check_exact=True)


def test_the_result_does_not_depend_on_threads(tmp_path):
    names = [f"{i}.jpg" for i in range(20)]
    for i, name in enumerate(names):
        picture(seed=i).save(tmp_path / name)
    one = scan_images(tmp_path, table_of(names), workers=1, progress=False)
    pd.testing.assert_frame_equal(scan_images(tmp_path, table_of(names), workers=4, progress=False), one)


def test_progress_is_shown_on_request(tmp_path, capsys):
    picture().save(tmp_path / "a.png")
    scan_images(tmp_path, table_of(["a.png"]), progress=True)
    assert "1/1" in capsys.readouterr().err
    scan(tmp_path, table_of(["a.png"]))
    assert capsys.readouterr().err == ""


SMALL = []
for kind in ("JPEG", "TIFF", "MPO", "PNG"):
    buffer = io.BytesIO()
    picture(16, 12).save(buffer, kind)
    SMALL.append(buffer.getvalue())


@given(st.sampled_from(SMALL), st.lists(st.tuples(st.integers(0, 400), st.integers(0, 255)), max_size=6))
@settings(deadline=None, max_examples=200)
@pytest.mark.filterwarnings("ignore::UserWarning")
def test_no_file_is_fatal(tmp_path_factory, data, changes):
    damaged = bytearray(data)
    for position, value in changes:
        damaged[position % len(damaged)] = value
    folder = tmp_path_factory.mktemp("f")
    (folder / "x").write_bytes(damaged)
    row = scan(folder, table_of(["x"])).iloc[0]
    assert row["readable"] == (row["reason"] == "") == (len(row["phash"]) == 16)
