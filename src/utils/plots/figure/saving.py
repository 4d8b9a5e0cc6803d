"""The one way a figure is written: the same bytes for the same figure, and a line in the folder's index."""

from __future__ import annotations

import base64
import io
import re
import sys
from collections.abc import Iterable
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import matplotlib
from matplotlib.figure import Figure
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from src.utils.files import atomic_path, read_json, write_json
from src.utils.names import one_line
from src.utils.plots.figure.style import DPI
from src.utils.settings import UserError

INDEX_NAME = "index.json"
KINDS = ("plot", "gallery")

DECK_FIGURES = ("07_confidence.*", "07_*.jpg", "05_confusion_matrix.*")
"""Files of the figures that the deck showed or announced (galleries of 07 are its categories); they open the
index in this order."""

SUFFIXES = ("png", "svg", "jpg")
MIN_WIDTH = 1920
PREVIEW_WIDTH = 1000


@dataclass(frozen=True)
class SavedFigure:
    """A figure on disk; as the last line of a notebook's cell it shows itself small, with its alt text.

    Attributes:
        path: The PNG, or for a gallery the JPEG.
        caption: What it shows, on how many pictures of which data.
        alt: The same for somebody who cannot see it.
        title: What is written above it; empty for none.
        preview: The image as shown in a notebook, at most 1000 pixels wide; PNG or JPEG as `path`.
    """

    path: Path
    caption: str
    alt: str
    title: str
    preview: bytes = field(repr=False)

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> tuple[dict, dict]:
        kind = "image/jpeg" if self.path.suffix == ".jpg" else "image/png"
        data = {kind: base64.b64encode(self.preview).decode("ascii"), "text/plain": self.caption}
        return data, {kind: {"alt": self.alt, "title": self.title}}


def save_figure(
    figure: Figure,
    name: str,
    caption: str,
    alt: str,
    folder: Path,
    notebook: str,
    kind: str = "plot",
    run: str = "",
) -> SavedFigure:
    """Write a figure at slide size and note it in the folder's `index.json`.

    A plot becomes `<name>.png` and `<name>.svg`, a gallery of pictures `<name>.jpg`. Nothing in the files
    depends on the day or the machine's clock, so a second run leaves the same bytes. They say what they are
    wherever they end up: name, caption, and the notebook and run that they come from.

    Args:
        figure: A 16:9 figure, e.g. from `style.new_figure`.
        name: Such as `04_learning_curves`: the notebook's number, then lower-case words.
        caption: One or two sentences: what is seen, how many pictures, of which data.
        alt: What somebody who cannot see the figure needs to know.
        folder: `figures/<source>`; made if needed.
        notebook: The notebook's name without its suffix, such as `04_train_cnn`.
        kind: `plot` or `gallery`.
        run: Which data, settings and commit it was drawn from, in a few words.

    Returns:
        The saved figure, which a notebook displays.

    Raises:
        ValueError: No caption or alt text, a name or kind not as above, or a figure that is not 16:9.
        UserError: The folder's index is damaged.
    """
    _check(figure, name, caption, alt, kind)
    stale, pixels = {f"{name}.{suffix}" for suffix in SUFFIXES}, _render(figure)
    said = _about(name, caption, notebook, run)
    if kind == "gallery":
        path = folder / f"{name}.jpg"
        contents = {path: _encode(pixels, "JPEG", quality=88, comment=_as_comment(said))}
        preview = _encode(_shrink(pixels), "JPEG", quality=82)
    else:
        path = folder / f"{name}.png"
        contents = {
            path: _encode(pixels, "PNG", pnginfo=_text_chunks(said)),
            path.with_suffix(".svg"): _render_svg(figure, name, said),
        }
        preview = _encode(_shrink(pixels), "PNG")
    for target, data in contents.items():
        with atomic_path(target) as temporary:
            temporary.write_bytes(data)
    for left_over in stale - {target.name for target in contents}:
        (folder / left_over).unlink(missing_ok=True)
    entry = {"file": path.name, "notebook": notebook, "run": run, "caption": caption, "alt": alt}
    _note_in_index(folder, entry)
    _close(figure)
    return SavedFigure(path, caption, alt, figure.get_suptitle().replace("\n", " "), preview)


def drop_figure(name: str, folder: Path) -> None:
    """Remove a figure that an earlier run left, with its line in the index; nothing happens if there is none.

    Raises:
        UserError: The folder's index is damaged.
    """
    for suffix in SUFFIXES:
        (folder / f"{name}.{suffix}").unlink(missing_ok=True)
    known = read_index(folder)
    kept = [entry for entry in known if Path(entry["file"]).stem != name]
    if kept != known:
        write_json(folder / INDEX_NAME, kept)


def drop_others(folder: Path, kept: Iterable[SavedFigure], pattern: str = "*") -> None:
    """Remove figures that an earlier run left and this one did not save.

    Args:
        folder: Of the figures.
        kept: What this run saved.
        pattern: Which files are meant, such as `07_*.jpg`; all if not given.

    Raises:
        UserError: The folder's index is damaged.
    """
    names = {one.path.name for one in kept}
    for entry in read_index(folder):
        if entry["file"] not in names and fnmatchcase(entry["file"], pattern):
            drop_figure(Path(entry["file"]).stem, folder)


def read_index(folder: Path) -> list[dict[str, str]]:
    """Read a folder's figures: file, notebook, run, caption and alt text of each, the deck's first.

    Raises:
        UserError: The index is not what `save_figure` writes.
    """
    path = folder / INDEX_NAME
    if not path.exists():
        return []
    try:
        entries = read_json(path)
        return sorted(entries, key=_place)
    except (ValueError, TypeError, KeyError) as error:
        raise UserError(f"{path} is damaged ({error}): delete it and draw the figures again.") from error


def _place(entry: dict[str, str]) -> tuple[int, str]:
    """Where a figure stands in the index."""
    name = entry["file"]
    ranks = [rank for rank, pattern in enumerate(DECK_FIGURES) if fnmatchcase(name, pattern)]
    return (ranks or [len(DECK_FIGURES)])[0], name


def _check(figure: Figure, name: str, caption: str, alt: str, kind: str) -> None:
    if not caption.strip() or not alt.strip():
        raise ValueError(f"figure {name} needs a caption and an alt text")
    if not re.fullmatch(r"\d\d_[a-z0-9_]+", name):
        raise ValueError(f"figure name {name!r} is not like 04_learning_curves")
    if kind not in KINDS:
        raise ValueError(f"figure kind {kind!r} is not one of {', '.join(KINDS)}")
    width, height = figure.get_size_inches()
    if abs(width / height - 16 / 9) > 0.01:
        raise ValueError(f"figure {name} is {width:g} × {height:g} inches, not 16:9")


def _render(figure: Figure) -> Image.Image:
    """Draw the figure, at least `MIN_WIDTH` pixels wide."""
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=max(DPI, MIN_WIDTH / figure.get_figwidth()))
    return Image.open(buffer).convert("RGB")


def _about(name: str, caption: str, notebook: str, run: str) -> dict[str, str]:
    """What a figure's file says of itself, by the keywords that PNG and SVG share; XML takes no controls."""
    source = ", ".join(filter(None, (notebook, run)))
    return {"Title": name, "Description": one_line(caption), "Source": one_line(source)}


def _text_chunks(said: dict[str, str]) -> PngInfo:
    chunks = PngInfo()
    for keyword, text in said.items():
        chunks.add_text(keyword, text)
    return chunks


def _as_comment(said: dict[str, str]) -> bytes:
    """The same for a JPEG, which has one comment: a line each."""
    return "\n".join(f"{keyword}: {text}" for keyword, text in said.items()).encode()


def _render_svg(figure: Figure, name: str, said: dict[str, str]) -> bytes:
    """Draw the figure as SVG without a date and with element ids that follow from its name."""
    buffer = io.BytesIO()
    with matplotlib.rc_context({"svg.hashsalt": name}):
        figure.savefig(buffer, format="svg", metadata={"Date": None, **said})
    return buffer.getvalue()


def _shrink(pixels: Image.Image) -> Image.Image:
    """The notebook's copy."""
    height = round(pixels.height * PREVIEW_WIDTH / pixels.width)
    return pixels.resize((PREVIEW_WIDTH, height), Image.Resampling.LANCZOS)


def _encode(pixels: Image.Image, image_format: str, **options: Any) -> bytes:
    buffer = io.BytesIO()
    pixels.save(buffer, image_format, optimize=True, **options)
    return buffer.getvalue()


def _note_in_index(folder: Path, entry: dict[str, str]) -> None:
    """Add the entry; an older one of the same figure, whatever its suffix then was, goes."""
    stem = Path(entry["file"]).stem
    others = [other for other in read_index(folder) if Path(other["file"]).stem != stem]
    write_json(folder / INDEX_NAME, sorted([*others, entry], key=_place))


def _close(figure: Figure) -> None:
    """Let pyplot forget a figure that was made with it, so that a notebook does not show it a second time."""
    if pyplot := sys.modules.get("matplotlib.pyplot"):
        pyplot.close(figure)
