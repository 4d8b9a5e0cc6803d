"""Pictures that are neither photographs nor meant to look like one, drawn in code.

What people hand in beside photographs: pages, windows, charts, logos, nothing at all. They cost no download,
and the same seed gives the same pictures, up to the font of the installed Pillow.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import lru_cache

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from PIL import Image, ImageDraw, ImageFont

WHITE = (255, 255, 255)
WORDS = (
    "the",
    "light",
    "of",
    "windows",
    "falls",
    "on",
    "a",
    "table",
    "where",
    "nobody",
    "has",
    "been",
    "since",
)

Draw = np.random.Generator
"""Where a picture's random choices come from."""


def drawn_pictures(of_each: int = 10, seed: int = 0) -> Iterator[tuple[str, Image.Image]]:
    """Draw some pictures of every kind.

    Args:
        of_each: How many of each of `KINDS`.
        seed: Seed of every choice.

    Yields:
        The kind, and an RGB picture.
    """
    for place, (kind, make) in enumerate(KINDS.items()):
        for number in range(of_each):
            yield kind, make(np.random.default_rng([seed, place, number]))


def blank(draw: Draw) -> Image.Image:
    """One colour, white first among them."""
    return Image.new("RGB", _size(draw), WHITE if draw.random() < 0.5 else _colour(draw))


def single_pixel(draw: Draw) -> Image.Image:
    """One pixel."""
    return Image.new("RGB", (1, 1), _colour(draw))


def line(draw: Draw) -> Image.Image:
    """A strip, one to eight pixels high, of any colours."""
    size = (int(draw.integers(2_000, 30_001)), int(draw.integers(1, 9)))
    return _picture(draw.integers(0, 256, (size[1], size[0], 3)))


def gradient(draw: Draw) -> Image.Image:
    """One colour that passes into another along a slanted line."""
    width, height = _size(draw)
    across, down = draw.uniform(-1, 1, 2)
    way = across * np.linspace(0, 1, width) + down * np.linspace(0, 1, height)[:, None]
    way = ((way - way.min()) / max(np.ptp(way), 1e-9))[..., None]
    return _picture((1 - way) * _colour(draw) + way * _colour(draw))


def noise(draw: Draw) -> Image.Image:
    """Every pixel by itself, of any colour or of any grey."""
    width, height = _size(draw)
    return _picture(draw.integers(0, 256, (height, width, int(draw.choice([1, 3])))))


def text_page(draw: Draw) -> Image.Image:
    """A page of words, black on white, with a heading and paragraphs."""
    page = Image.new("RGB", (int(draw.integers(600, 1_300)), int(draw.integers(800, 1_700))), WHITE)
    size = int(draw.integers(14, 30))
    _write(page, (60, 40), page.width - 120, 1, 2 * size, draw)
    top = 60 + 4 * size
    while top < page.height - 5 * size:
        lines = int(draw.integers(2, 8))
        _write(page, (60, top), page.width - 120, lines, size, draw)
        top += int((lines + 1) * 1.4 * size)
    return page


def screenshot(draw: Draw) -> Image.Image:
    """A window with a bar, a list at the side, boxes, and words in them."""
    size = (int(draw.integers(800, 1_900)), int(draw.integers(600, 1_100)))
    ground, ink = ((250, 250, 252), (40, 40, 50)) if draw.random() < 0.7 else ((30, 31, 38), (210, 210, 220))
    window = Image.new("RGB", size, ground)
    pen = ImageDraw.Draw(window)
    pen.rectangle((0, 0, size[0], 48), _colour(draw))
    pen.rectangle((0, 48, size[0] // 5, size[1]), tuple((3 * np.array(ground) + ink) // 4))
    _write(window, (16, 70), size[0] // 5 - 32, 12, 16, draw, ink)
    for column in range(3):
        left = size[0] // 5 + 30 + column * size[0] // 4
        for top in range(80, size[1] - 160, 190):
            pen.rounded_rectangle((left, top, left + size[0] // 4 - 30, top + 160), 8, outline=ink)
            _write(window, (left + 14, top + 14), size[0] // 4 - 60, 4, 16, draw, ink)
            pen.rounded_rectangle((left + 14, top + 118, left + 110, top + 148), 6, _colour(draw))
    return window


def plot(draw: Draw) -> Image.Image:
    """A chart: lines, bars, or dots, with axes and a title."""
    figure = Figure(figsize=tuple(draw.uniform(4, 9, 2)), dpi=100)
    canvas, axes = FigureCanvasAgg(figure), figure.subplots()
    values = draw.normal(size=(3, 24)).cumsum(axis=1)
    kind = draw.integers(3)
    for one in values:
        if kind == 0:
            axes.plot(one)
        elif kind == 1:
            axes.bar(np.arange(24) + draw.uniform(0, 0.5), one, width=0.4)
        else:
            axes.scatter(draw.normal(size=60), draw.normal(size=60), s=20)
    axes.set(title=_words(draw, 5), xlabel=_words(draw, 2), ylabel=_words(draw, 1))
    canvas.draw()
    return _picture(np.asarray(canvas.buffer_rgba())[..., :3])


def square_code(draw: Draw) -> Image.Image:
    """Black and white squares in a frame, such as a QR code has."""
    cells = np.pad(draw.integers(0, 2, [int(draw.integers(21, 58))] * 2) * 255, 4, constant_values=255)
    side = int(draw.integers(4, 12))
    return _picture(cells.repeat(side, axis=0).repeat(side, axis=1)[..., None])


def icon(draw: Draw) -> Image.Image:
    """A few plain shapes on one colour, 16 to 512 pixels wide, with smooth edges."""
    side = int(draw.choice([16, 32, 48, 64, 128, 256, 512]))
    large = Image.new("RGB", (512, 512), WHITE if draw.random() < 0.5 else _colour(draw))
    pen = ImageDraw.Draw(large)
    for shape in draw.choice([pen.ellipse, pen.rectangle], int(draw.integers(2, 6))):
        left, top = draw.integers(20, 260, 2)
        width, height = draw.integers(60, 230, 2)
        shape([int(edge) for edge in (left, top, left + width, top + height)], _colour(draw))
    return large.resize((side, side), Image.Resampling.LANCZOS)


KINDS: dict[str, Callable[[Draw], Image.Image]] = {
    "blank": blank,
    "single pixel": single_pixel,
    "line": line,
    "gradient": gradient,
    "noise": noise,
    "text page": text_page,
    "screenshot": screenshot,
    "plot": plot,
    "square code": square_code,
    "icon": icon,
}
"""Every kind with what draws one."""


def _size(draw: Draw) -> tuple[int, int]:
    return int(draw.integers(100, 1_200)), int(draw.integers(100, 1_200))


def _colour(draw: Draw) -> tuple[int, int, int]:
    return tuple(int(value) for value in draw.integers(0, 256, 3))


def _picture(values: np.ndarray) -> Image.Image:
    """An RGB picture of numbers 0–255, [h, w, 3] or grey [h, w, 1]."""
    pixels = np.broadcast_to(values, (*values.shape[:2], 3))
    return Image.fromarray(np.rint(pixels).astype(np.uint8))


def _words(draw: Draw, count: int) -> str:
    return " ".join(draw.choice(WORDS, count))


def _write(
    picture: Image.Image,
    place: tuple[int, int],
    width: int,
    lines: int,
    size: int,
    draw: Draw,
    ink: tuple[int, int, int] = (20, 20, 20),
) -> None:
    """Write some lines of words, each cut off at `width` pixels."""
    pen, font = ImageDraw.Draw(picture), _font(size)
    for number in range(lines):
        text = _words(draw, 40)
        text = text[: int(len(text) * width / font.getlength(text))]
        pen.text((place[0], place[1] + int(1.4 * size * number)), text, ink, font)


@lru_cache
def _font(size: int) -> ImageFont.FreeTypeFont:
    return ImageFont.load_default(size)
