"""The manifest: one row a picture, from one parallel pass over the raw files.

The pass looks at the container (size, format, JPEG tables: what a shortcut could use), decodes the picture
once, and keeps a perceptual hash and three plain content numbers. A file that cannot be read keeps its row
and says why. What was seen is remembered by file name, size and time of change, so that a second pass reads
only what is new and an interrupted one goes on where it stopped.
"""

from __future__ import annotations

import functools
import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import imagehash
import numpy as np
import pandas as pd
import PIL
from PIL import Image, ImageFile, JpegImagePlugin, TiffImagePlugin
from tqdm import tqdm

from src.utils.code import code_digest
from src.utils.data.machines import compute_values
from src.utils.data.parallel import map_ahead
from src.utils.data.pictures.decode import ImageError, decode, open_header, read_file
from src.utils.data.remembered import open_store, put_as_they_come
from src.utils.files import atomic_path, hash_bytes
from src.utils.settings import UserError

THUMBNAIL = 64
"""Side of the small picture that brightness, contrast and saturation are measured on, in pixels."""


class Facts(NamedTuple):
    """What one pass finds out about a file.

    Attributes:
        width: Width as shown, that is after EXIF rotation, in pixels; for an unreadable file as its header
            says, 0 where there is none.
        height: Height, likewise.
        bytes: Length of the file; 0 if it is missing.
        format: Pillow's name of a format of `pictures.formats`, such as `JPEG` or `MPO` (several JPEGs).
        mode: Pillow's name of the stored pixels: `RGB`, `L`, `P`, `CMYK`, `I;16` …
        jpeg_quality: The libjpeg quality, 1–100, whose quantisation tables are nearest; none but for JPEG.
        phash: ImageHash's 64-bit perceptual hash of the decoded picture, 16 hexadecimal digits.
        readable: Whether the picture could be decoded.
        reason: Why not, beginning with a short code; empty for a readable file.
        content: `hash_bytes` of the file: equal for equal files.
        brightness: Mean luma, 0–255.
        contrast: Standard deviation of luma over a 64 × 64 thumbnail, 0–128.
        saturation: Mean HSV saturation, 0–255.
        quantisation: Digest of the quantisation tables, 8 hexadecimal digits; empty but for JPEG.
        subsampling: `4:4:4`, `4:2:2` or `4:2:0`; empty for other layouts and formats.
        progressive: Whether a JPEG is progressive.
        exif: Whether the file carries EXIF data.
        icc: Whether the file carries a colour profile.
    """

    width: int = 0
    height: int = 0
    bytes: int = 0
    format: str = ""
    mode: str = ""
    jpeg_quality: int | None = None
    phash: str = ""
    readable: bool = False
    reason: str = ""
    content: str = ""
    brightness: float | None = None
    contrast: float | None = None
    saturation: float | None = None
    quantisation: str = ""
    subsampling: str = ""
    progressive: bool = False
    exif: bool = False
    icc: bool = False


SOURCE_COLUMNS = ("file_name", "label", "group", "split", "generator", "origin", "subject")
MANIFEST_COLUMNS = (*SOURCE_COLUMNS, *Facts._fields[:9])
EXTRA_COLUMNS = Facts._fields[9:]

_DTYPES = {
    **dict.fromkeys(("label", "width", "height", "bytes"), "int64"),
    "jpeg_quality": "Int64",
    **dict.fromkeys(("brightness", "contrast", "saturation"), "float64"),
    **dict.fromkeys(("readable", "progressive", "exif", "icc"), "bool"),
}
"""Types of the columns that are no text."""

_MAY_BE_UNKNOWN = ("jpeg_quality", "brightness", "contrast", "saturation")


def scan_images(
    raw_dir: Path,
    table: pd.DataFrame,
    cache_path: Path | None = None,
    workers: int | None = None,
    progress: bool = True,
) -> pd.DataFrame:
    """Look at every picture of a source once, in parallel, and make the manifest.

    Args:
        raw_dir: The folder that `file_name` is relative to.
        table: One row a picture, with `file_name`, `label` and where known `group`, `generator`, `origin`,
            `subject` and `split` (`unseen`, a part of the dataset's own split, or empty).
        cache_path: SQLite file that remembers what was seen; made if needed. None remembers nothing.
        workers: Threads; all cores by default. Pillow decodes outside Python's lock.
        progress: Whether to show a progress bar.

    Returns:
        `MANIFEST_COLUMNS` and `EXTRA_COLUMNS`, a row for each row of `table`, in its order. `split` is that
        of `table`, empty for pictures that cannot be read.

    Raises:
        UserError: The cache cannot be written.
    """
    files = [_stamp(raw_dir, name) for name in table["file_name"]]

    def look_at(rows: list[int]) -> Iterator[Facts]:
        return map_ahead(lambda row: _look_at(raw_dir / files[row].name, files[row].size), rows, workers)

    with open_store(cache_path, f"{code_digest(__name__)} Pillow {PIL.__version__}") as store:
        keys = [" ".join(map(str, file)).encode(errors="backslashreplace").decode() for file in files]
        facts = [Facts(*known) if (known := store.get(key)) else None for key in keys]
        todo = [row for row, known in enumerate(facts) if known is None]
        bar = tqdm(
            desc="Scanning",
            total=len(files),
            initial=len(files) - len(todo),
            unit="picture",
            disable=not progress,
        )

        def seen() -> Iterator[tuple[str, Facts]]:
            for place, one in compute_values(look_at, todo):
                row = todo[place]
                facts[row] = one
                bar.update()
                if one.content:  # what could not be opened at all is tried again
                    yield keys[row], one

        with bar:
            put_as_they_come(store, seen())
    return _assemble(table, facts)  # pyright: ignore[reportArgumentType]


def write_manifest(path: Path, manifest: pd.DataFrame) -> None:
    """Write the manifest as CSV, all or nothing."""
    with atomic_path(path) as temporary:
        manifest.to_csv(temporary, index=False, lineterminator="\n")


def read_manifest(path: Path) -> pd.DataFrame:
    """Read a manifest exactly as it was written: text stays text (`""` where unknown), numbers their type.

    Raises:
        UserError: There is no manifest, or a column is missing.
    """
    try:
        columns = pd.read_csv(path, nrows=0).columns
    except FileNotFoundError as error:
        raise UserError(
            f"{path} does not exist: run `make reproduce`, or the notebooks from 01 on."
        ) from error
    missing = [name for name in MANIFEST_COLUMNS if name not in columns]
    if missing:
        raise UserError(
            f"{path} has no column {', '.join(missing)}: delete it and run the notebooks from 01 on."
        )
    return pd.read_csv(
        path,
        dtype={name: _DTYPES.get(name, "str") for name in columns},
        keep_default_na=False,
        na_values={name: [""] for name in _MAY_BE_UNKNOWN},
    )


def usable_rows(manifest: pd.DataFrame) -> pd.DataFrame:
    """The rows whose picture can be read, numbered from 0; a picture without a group is one of its own."""
    rows = manifest[manifest["readable"]].reset_index(drop=True)
    return rows.assign(group=rows["group"].where(rows["group"] != "", rows["file_name"]))


def unreadable_report(manifest: pd.DataFrame) -> pd.DataFrame:
    """How many files could not be read, and why.

    Returns:
        `problem` (the code that `reason` begins with), `files` and `example` (one file name with its full
        reason), most frequent first; empty if everything was readable.
    """
    bad = manifest[~manifest["readable"]]
    lines = bad["file_name"] + " (" + bad["reason"] + ")"
    by_problem = lines.groupby(bad["reason"].str.replace(r":.*", "", regex=True).rename("problem"))
    report = by_problem.agg(files="size", example="first").reset_index()
    return report.sort_values(["files", "problem"], ascending=[False, True], ignore_index=True)


def estimate_jpeg_quality(tables: dict[int, list[int]]) -> int:
    """The quality setting of libjpeg whose quantisation tables are nearest to these (sum of differences).

    Exact for files that libjpeg, or anything with its tables, wrote; for others the nearest in strength.

    Args:
        tables: Pillow's `quantization`: 64 values a table, luma first.

    Returns:
        1–100.
    """
    own = np.array([values for _, values in sorted(tables.items())][:2])
    return 1 + int(np.abs(_libjpeg_tables()[:, : len(own)] - own).sum(axis=(1, 2)).argmin())


@functools.cache
def _libjpeg_tables() -> np.ndarray:
    """Quantisation tables of each quality as libjpeg writes them: int [100, 2, 64], luma and chroma."""
    tables = []
    for quality in range(1, 101):
        buffer = io.BytesIO()
        Image.new("RGB", (1, 1)).save(buffer, "JPEG", quality=quality)
        tables.append([open_header(buffer.getvalue()).quantization[table] for table in (0, 1)])  # pyright: ignore[reportAttributeAccessIssue]
    return np.array(tables)


def _look_at(path: Path, size: int) -> Facts:
    """Everything about one file of `size` bytes; never raises for what is in it."""
    facts: dict[str, Any] = {"bytes": size}
    try:
        data = read_file(path)
        facts |= {"bytes": len(data), "content": hash_bytes(data)}
        header = open_header(data)
        facts |= _container_facts(header)
        stored = header.size
        image = decode(header)
        width, height = _upright_size(image, stored)
        facts |= {"width": width, "height": height, **_content_facts(image), "readable": True}
    except ImageError as error:
        facts["reason"] = "missing" if error.code == "missing" else f"{error.code}: {error.problem}"
    return Facts(**facts)


def _upright_size(image: Image.Image, stored: tuple[int, int]) -> tuple[int, int]:
    """Width and height of an upright picture, also if it was decoded smaller than it is stored."""
    if max(image.size) == max(stored):
        return image.size
    width, height = stored
    return stored if (image.width < image.height) == (width < height) else (height, width)


def _container_facts(header: ImageFile.ImageFile) -> dict[str, Any]:
    """What the header tells before any pixel is decoded."""
    facts = {
        "width": header.width,
        "height": header.height,
        "format": header.format,
        "mode": header.mode,
        "exif": "exif" in header.info or TiffImagePlugin.EXIFIFD in getattr(header, "tag_v2", {}),
        "icc": bool(header.info.get("icc_profile")),
    }
    tables = getattr(header, "quantization", None)
    if tables:
        sampling = JpegImagePlugin.get_sampling(header) if header.layers == 3 else -1  # pyright: ignore[reportAttributeAccessIssue]
        facts |= {
            "jpeg_quality": estimate_jpeg_quality(tables),
            "quantisation": hash_bytes(repr(sorted(tables.items())).encode())[:8],
            "subsampling": {0: "4:4:4", 1: "4:2:2", 2: "4:2:0"}.get(sampling, ""),
            "progressive": "progressive" in header.info,
        }
    return facts


def _content_facts(image: Image.Image) -> dict[str, Any]:
    """The perceptual hash and plain numbers of a decoded picture."""
    small = image.resize((THUMBNAIL, THUMBNAIL), Image.Resampling.BOX)
    luma = np.asarray(small.convert("L"), float)
    return {
        "phash": str(imagehash.phash(image)),
        "brightness": round(float(luma.mean()), 3),
        "contrast": round(float(luma.std()), 3),
        "saturation": round(float(np.asarray(small.convert("HSV"))[..., 1].mean()), 3),
    }


def _assemble(table: pd.DataFrame, facts: list[Facts]) -> pd.DataFrame:
    """The manifest from what the source says and what the files are."""
    said = table.reindex(columns=list(SOURCE_COLUMNS), fill_value="").reset_index(drop=True)
    manifest = pd.concat([said, pd.DataFrame(facts, columns=list(Facts._fields))], axis=1)
    manifest = manifest.astype({name: _DTYPES.get(name, "str") for name in manifest.columns})
    manifest.loc[~manifest["readable"], "split"] = ""
    return manifest


class _Stamp(NamedTuple):
    """A file as the cache knows it: if one of these differs, the file is looked at again."""

    name: str
    size: int
    changed: int


def _stamp(raw_dir: Path, name: str) -> _Stamp:
    """Name, length and time of change (ns) of a file; zeros if it is not there."""
    try:
        status = (raw_dir / name).stat()
    except OSError:
        return _Stamp(name, 0, 0)
    return _Stamp(name, status.st_size, status.st_mtime_ns)
