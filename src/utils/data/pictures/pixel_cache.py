"""Pixels decoded once: a file of uint8 rows that training reads in any order, however large it grows.

Two files per picture size: the pixels, one row of size × size × 3 bytes after the other, and an index with
the content key of each row, one line each. Rows are only ever appended, and a row counts once its line
stands in the index, which is written after the pixels are on disk. So a killed build leaves whole rows, the
next one goes on from there, and new pictures cost their own decoding only.
"""

from __future__ import annotations

import errno
import fcntl
import os
import shutil
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import numpy as np
import pandas as pd
import PIL
from tqdm import tqdm

from src.utils.code import code_digest
from src.utils.data.machines import compute_values
from src.utils.data.parallel import map_ahead
from src.utils.data.pictures.decode import ImageError, read_file, read_pixels
from src.utils.files import hash_bytes
from src.utils.settings import IMAGE_SIZE, UserError

COMMIT_ROWS = 256
"""Rows between two commits: what a kill can cost, 50 MB at 255 px."""

_LINE_BYTES = 33  # 32 hexadecimal digits and a line feed
_NO_SPACE = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


@dataclass(frozen=True)
class PixelCache:
    """The pixels of a table of pictures, on disk.

    Attributes:
        path: The file of pixels.
        size: Side of every picture, in pixels.
        rows: int64 [n], where in the file the picture of each table row lies; equal pictures share a row.
    """

    path: Path
    size: int
    rows: np.ndarray

    def __len__(self) -> int:
        """Number of rows of the table."""
        return len(self.rows)

    def gather(self, positions: np.ndarray) -> np.ndarray:
        """Read some pictures.

        Reads each row straight into the result instead of through a memory map: pages touched through a map
        count as the process's own, so its memory would grow to the size of the data.

        Args:
            positions: int [m], rows of the table the cache was opened for.

        Returns:
            uint8 [m, size, size, 3], RGB, 0–255.

        Raises:
            UserError: The file is shorter than its index says.
        """
        batch = np.empty((len(positions), self.size, self.size, 3), np.uint8)
        with self.path.open("rb", buffering=0) as file:
            for picture, row in zip(batch, self.rows[positions], strict=True):
                if os.preadv(file.fileno(), [picture], int(row) * picture.nbytes) != picture.nbytes:
                    raise UserError(f"{self.path} is damaged: delete that file and run again to rebuild it.")
        return batch


def open_pixel_cache(
    manifest: pd.DataFrame,
    raw_dir: Path,
    folder: Path,
    size: int = IMAGE_SIZE,
    workers: int | None = None,
    progress: bool = True,
) -> PixelCache:
    """Open the cache of these pictures, decoding those it does not know yet.

    Args:
        manifest: One row per readable picture, with `file_name` and `content`.
        raw_dir: What `file_name` is relative to.
        folder: Where caches lie; made if needed. Caches of this size by other code are deleted from it.
        size: Side of the pictures, in pixels.
        workers: Decoding threads; one per processor by default.
        progress: Whether to show a progress bar while decoding.

    Returns:
        A cache whose row i is the manifest's i-th row.

    Raises:
        UserError: A picture vanished, changed or cannot be read, or the disk is too small.
    """
    folder.mkdir(parents=True, exist_ok=True)
    stem = f"pixels-{size}-{code_digest(__name__)}-pillow{PIL.__version__}"
    _remove_other_decoders(folder, size, stem)
    pixels_path, index_path = folder / f"{stem}.u8", folder / f"{stem}.txt"
    row_bytes = size * size * 3
    with index_path.open("a+b", buffering=0) as index:
        fcntl.flock(index, fcntl.LOCK_EX)  # a second run waits, then finds the rows of the first
        known = _read_index(index, pixels_path, row_bytes)
        missing = manifest[~manifest["content"].isin(known)].drop_duplicates("content")
        if len(missing):
            _check_space(folder, len(missing) * row_bytes)
            pictures = list(zip(missing["file_name"], missing["content"], strict=True))

            def decode(some: list[tuple[str, str]]) -> Iterator[np.ndarray]:
                return map_ahead(lambda one: _read_picture(raw_dir / one[0], one[1], size), some, workers)

            decoded = compute_values(decode, pictures)
            bar = tqdm(decoded, f"Decoding to {size} px", len(missing), disable=not progress, unit="picture")
            rows = ((pictures[place][1], pixels) for place, pixels in bar)
            _append(pixels_path, index, rows, len(known) * row_bytes)
            known = _read_index(index, pixels_path, row_bytes)
    rows = manifest["content"].map(known).to_numpy(np.int64)
    return PixelCache(pixels_path, size, rows)


def _remove_other_decoders(folder: Path, size: int, stem: str) -> None:
    """Delete caches whose pixels today's decoder would not make."""
    for path in folder.glob(f"pixels-{size}-*"):
        if path.stem != stem:
            path.unlink()


def _read_index(index: IO[bytes], pixels_path: Path, row_bytes: int) -> dict[str, int]:
    """Content key → row, for the rows that are complete in both files; the rest of the index is cut off."""
    rows = pixels_path.stat().st_size // row_bytes if pixels_path.exists() else 0
    index.seek(0)
    lines = index.read(rows * _LINE_BYTES)
    complete = lines[: len(lines) // _LINE_BYTES * _LINE_BYTES]
    index.truncate(len(complete))
    return {content: row for row, content in enumerate(complete.decode().split())}


def _check_space(folder: Path, needed: int) -> None:
    """Refuse before writing anything when the disk cannot hold the pixels."""
    free = shutil.disk_usage(folder).free
    if needed > free:
        raise _no_space(folder, f"{needed / 1e9:.1f} GB are needed, {free / 1e9:.1f} GB are free")


def _no_space(folder: Path, detail: str) -> UserError:
    return UserError(
        f"The disk is too full for the pixel cache in {folder} ({detail}): free space and run again."
    )


def _read_picture(path: Path, content: str, size: int) -> np.ndarray:
    """Decode one file, making sure that it is still the file the manifest describes."""
    try:
        data = read_file(path)
        if hash_bytes(data) == content:
            return read_pixels(data, size)
        problem = "has changed since it was listed"
    except ImageError as error:
        problem = error.problem
    raise UserError(f"{path} {problem}: run notebook 03_split_directories again to list the pictures anew.")


def _append(path: Path, index: IO[bytes], pictures: Iterable[tuple[str, np.ndarray]], committed: int) -> None:
    """Append pictures and their keys; when the disk fills up, what was not committed is cut off again.

    Args:
        path: The pixels' file.
        index: The index, open for appending.
        pictures: Key and pixels of each, uint8 [size, size, 3], in whatever order they come.
        committed: Length of the pixels the index knows, in bytes; anything after them is dropped.
    """

    def commit(pixels: IO[bytes], waiting: list[str]) -> int:
        pixels.flush()
        os.fsync(pixels.fileno())
        index.write("".join(f"{content}\n" for content in waiting).encode())
        waiting.clear()
        return pixels.tell()

    try:
        with path.open("ab") as pixels:
            pixels.truncate(committed)
            waiting: list[str] = []
            for content, picture in pictures:
                pixels.write(picture.data)
                waiting.append(content)
                if len(waiting) == COMMIT_ROWS:
                    committed = commit(pixels, waiting)
            commit(pixels, waiting)
    except OSError as error:
        if error.errno not in _NO_SPACE:
            raise
        os.truncate(path, committed)
        raise _no_space(path.parent, os.strerror(error.errno)) from error
