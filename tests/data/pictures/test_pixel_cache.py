"""The pixel cache: right pixels in any order, decoded once, whatever interrupts it, in constant memory."""

from __future__ import annotations

import resource
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from src.utils.data.pictures import pixel_cache
from src.utils.data.pictures.decode import read_pixels
from src.utils.data.pictures.pixel_cache import PixelCache, open_pixel_cache
from src.utils.settings import PROJECT_ROOT, UserError
from tests.data.made_pictures import make_images

SIZE = 16


def open_quietly(images: pd.DataFrame, root: Path) -> PixelCache:
    return open_pixel_cache(images, root / "raw", root / "cache", size=SIZE, workers=2, progress=False)


def expected(images: pd.DataFrame, root: Path) -> np.ndarray:
    return np.stack([read_pixels(root / "raw" / name, SIZE) for name in images["file_name"]])


@pytest.fixture
def images(tmp_path: Path) -> pd.DataFrame:
    return make_images(tmp_path / "raw", 12)


@pytest.fixture
def decoded(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Sizes asked for of the decoder, one entry per picture it decoded."""
    sizes = []

    def counting(data: bytes, size: int) -> np.ndarray:
        sizes.append(size)
        return read_pixels(data, size)

    monkeypatch.setattr(pixel_cache, "read_pixels", counting)
    return sizes


def test_gathers_the_decoders_pixels_in_any_order(images: pd.DataFrame, tmp_path: Path) -> None:
    cache = open_quietly(images, tmp_path)
    order = np.array([7, 0, 0, 11])
    batch = cache.gather(order)
    assert batch.dtype == np.uint8 and batch.shape == (4, SIZE, SIZE, 3) and len(cache) == 12
    assert np.array_equal(batch, expected(images, tmp_path)[order])
    assert cache.gather(order[:0]).shape == (0, SIZE, SIZE, 3)


def test_a_second_opening_decodes_only_what_is_new(
    images: pd.DataFrame, tmp_path: Path, decoded: list[int]
) -> None:
    open_quietly(images[:8], tmp_path)
    open_quietly(images[:8], tmp_path)
    assert len(decoded) == 8
    shuffled = images.iloc[::-1]
    assert np.array_equal(open_quietly(shuffled, tmp_path).gather(range(12)), expected(shuffled, tmp_path))
    assert len(decoded) == 12


def test_equal_files_share_a_row(images: pd.DataFrame, tmp_path: Path, decoded: list[int]) -> None:
    twin = images.iloc[[0]].assign(file_name="train_data/twin.png")
    shutil.copy(tmp_path / "raw" / images["file_name"][0], tmp_path / "raw/train_data/twin.png")
    cache = open_quietly(pd.concat([images, twin]), tmp_path)
    assert len(cache) == 13 and len(decoded) == 12
    assert cache.path.stat().st_size == 12 * SIZE * SIZE * 3


def test_sizes_lie_side_by_side_and_other_decoders_go(
    images: pd.DataFrame, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, decoded: list[int]
) -> None:
    small = open_quietly(images, tmp_path)
    large = open_pixel_cache(images, tmp_path / "raw", tmp_path / "cache", size=20, progress=False)
    monkeypatch.setattr(pixel_cache, "code_digest", lambda name: "of other code")
    newer = open_quietly(images, tmp_path)
    assert decoded == 12 * [SIZE] + 12 * [20] + 12 * [SIZE]
    assert newer.path.exists() and large.path.exists() and not small.path.exists()


@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.tuples(st.lists(st.integers(0, 11), min_size=1), st.binary(max_size=40)), max_size=4))
def test_any_history_of_openings_and_torn_writes(
    images: pd.DataFrame, tmp_path: Path, history: list[tuple[list[int], bytes]]
) -> None:
    shutil.rmtree(tmp_path / "cache", ignore_errors=True)
    truth = expected(images, tmp_path)
    for rows, torn in history:
        cache = open_quietly(images.iloc[rows], tmp_path)
        assert np.array_equal(cache.gather(range(len(rows))), truth[rows])
        with cache.path.open("ab") as file:
            file.write(torn)
        with cache.path.with_suffix(".txt").open("ab") as file:
            file.write(b"f" * min(len(torn), 32))


def test_a_killed_build_goes_on_where_it_stopped(tmp_path: Path, decoded: list[int]) -> None:
    images = make_images(tmp_path / "raw", 40)
    images.to_csv(tmp_path / "images.csv", index=False)
    program = f"""
import os, signal
from pathlib import Path
import pandas as pd
from src.utils.data.pictures import pixel_cache

read_pixels, calls = pixel_cache.read_pixels, []
def deadly(data, size):
    calls.append(1)
    if len(calls) > 30:
        os.kill(os.getpid(), signal.SIGKILL)
    return read_pixels(data, size)

pixel_cache.COMMIT_ROWS = 8
pixel_cache.read_pixels = deadly
root = Path({str(tmp_path)!r})
images = pd.read_csv(root / "images.csv")
pixel_cache.open_pixel_cache(images, root / "raw", root / "cache", {SIZE}, workers=1, progress=False)
"""
    killed = subprocess.run([sys.executable, "-c", program], cwd=PROJECT_ROOT, capture_output=True)
    assert killed.returncode == -signal.SIGKILL, killed.stderr.decode()
    cache = open_quietly(images, tmp_path)
    assert 0 < len(decoded) < 40  # some rows of the killed build were kept
    assert np.array_equal(cache.gather(range(40)), expected(images, tmp_path))


def test_a_disk_known_to_be_too_small_is_not_written_to(
    images: pd.DataFrame, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = shutil.disk_usage(tmp_path)
    monkeypatch.setattr(pixel_cache.shutil, "disk_usage", lambda folder: usage._replace(free=5000))
    with pytest.raises(UserError, match="too full for the pixel cache"):
        open_quietly(images, tmp_path)
    assert sum(path.stat().st_size for path in (tmp_path / "cache").iterdir()) == 0


def test_a_disk_that_fills_up_keeps_whole_rows_only(
    images: pd.DataFrame, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pixel_cache, "COMMIT_ROWS", 2)
    row, (soft, hard) = SIZE * SIZE * 3, resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (int(7.5 * row), hard))
    try:
        with pytest.raises(UserError, match="too full for the pixel cache"):
            open_quietly(images, tmp_path)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    (pixels,) = (tmp_path / "cache").glob("*.u8")
    assert pixels.stat().st_size == 6 * row
    assert np.array_equal(open_quietly(images, tmp_path).gather(range(12)), expected(images, tmp_path))


@pytest.mark.parametrize(
    ("spoil", "problem"),
    [
        (lambda path: path.unlink(), "does not exist"),
        (lambda path: path.write_bytes(path.read_bytes() + b"x"), "has changed"),
    ],
)
def test_a_file_that_is_not_what_was_listed_is_named(
    images: pd.DataFrame, tmp_path: Path, spoil, problem: str
) -> None:
    spoil(tmp_path / "raw" / images["file_name"][5])
    with pytest.raises(UserError, match=rf"0-5\.png {problem}.*run notebook 03"):
        open_quietly(images, tmp_path)


def test_a_cache_cut_short_while_open_is_reported(images: pd.DataFrame, tmp_path: Path) -> None:
    cache = open_quietly(images, tmp_path)
    with cache.path.open("r+b") as file:
        file.truncate(100)
    with pytest.raises(UserError, match="damaged"):
        cache.gather(np.array([0]))
    repaired = open_quietly(images, tmp_path)
    assert np.array_equal(repaired.gather(range(12)), expected(images, tmp_path))


def test_memory_does_not_grow_with_the_data(tmp_path: Path) -> None:
    program = """
import resource, sys
from pathlib import Path
import numpy as np
from src.utils.data.pictures.pixel_cache import PixelCache

path, rows = Path(sys.argv[1]), 4000
with path.open("wb") as file:
    file.truncate(rows * 255 * 255 * 3)
cache = PixelCache(path, 255, np.arange(rows))
order = np.random.default_rng(0).permutation(rows).reshape(-1, 32)
cache.gather(order[0])
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
for batch in order:
    cache.gather(batch)
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
"""
    run = subprocess.run(
        [sys.executable, "-c", program, str(tmp_path / "sparse.u8")],
        cwd=PROJECT_ROOT, capture_output=True, text=True, check=True,
    )  # fmt: skip
    unit = 2**20 if sys.platform == "darwin" else 2**10  # bytes on macOS, KiB elsewhere
    assert int(run.stdout) / unit < 40  # MiB; the data has 744
