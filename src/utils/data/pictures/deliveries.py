"""The ways in which one picture reaches different people: sent, posted, saved again; and, apart, reworked.

A delivery is what services do without being asked: they compress, and make smaller what is longer than they
like. A transformation is what somebody does on purpose. Neither needs chance: the same picture always gives
the same pixels. No delivery ever enlarges a picture.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import NamedTuple

import numpy as np
from PIL import Image, ImageOps

from src.utils.data.pictures.augment import recompress_jpeg, recompress_webp

JPEG_LONGEST = 65_500
WEBP_LONGEST = 16_383
"""Longest edge, in pixels, that a file of this format can hold (libjpeg's and libwebp's limits)."""

AS_THEY_ARE = "as_they_are"


class Delivery(NamedTuple):
    """One way to a viewer.

    Attributes:
        title: What people call it.
        apply: RGB picture → RGB picture; the first is not changed.
        longest_edge: Longer pictures are made smaller until their longest edge has so many pixels; None
            where the size does not matter.
    """

    title: str
    apply: Callable[[Image.Image], Image.Image]
    longest_edge: int | None = None


def shrink(image: Image.Image, longest_edge: int) -> Image.Image:
    """Make a picture smaller until its longest edge has so many pixels (Lanczos); a smaller one stays."""
    smaller = image.copy()
    smaller.thumbnail((longest_edge, longest_edge), Image.Resampling.LANCZOS, reducing_gap=None)
    return smaller


def send_jpeg(image: Image.Image, quality: int, longest_edge: int = JPEG_LONGEST) -> Image.Image:
    """Make a picture smaller where it is longer than `longest_edge`, and compress it as JPEG."""
    return recompress_jpeg(shrink(image, longest_edge), quality)


def send_webp(image: Image.Image, quality: int) -> Image.Image:
    """Compress a picture as WebP."""
    return recompress_webp(shrink(image, WEBP_LONGEST), quality)


def enlarge_thumbnail(image: Image.Image, side: int = 128) -> Image.Image:
    """Make a thumbnail and bring it back to the picture's own size, bicubic."""
    return shrink(image, side).resize(image.size, Image.Resampling.BICUBIC)


def grey(image: Image.Image) -> Image.Image:
    """Take the colours away (luma of ITU-R 601); the picture stays RGB."""
    return ImageOps.grayscale(image).convert("RGB")


def crop_corner(image: Image.Image, share: float = 0.6) -> Image.Image:
    """Keep the upper left corner: `share` (0.5–1) of each side."""
    return image.crop((0, 0, round(image.width * share), round(image.height * share)))


def letterbox(image: Image.Image) -> Image.Image:
    """Put a picture into the middle of the smallest black 16:9 frame that holds it, at its own size."""
    width, height = max(image.width, -(-image.height * 16 // 9)), max(image.height, -(-image.width * 9 // 16))
    frame = Image.new("RGB", (width, height))
    frame.paste(image, ((width - image.width) // 2, (height - image.height) // 2))
    return frame


def collage(image: Image.Image) -> Image.Image:
    """Show a picture four times, two by two, each half its size: as large as before, odd sides less one."""
    half = [max(side // 2, 1) for side in image.size]
    quarter = np.asarray(image.resize(half, Image.Resampling.LANCZOS))
    return Image.fromarray(np.tile(quarter, (2, 2, 1)))


def _jpeg(quality: int) -> Delivery:
    return Delivery(f"JPEG {quality}", partial(send_jpeg, quality=quality))


def _posted(longest_edge: int, quality: int) -> Delivery:
    apply = partial(send_jpeg, quality=quality, longest_edge=longest_edge)
    return Delivery(f"To {longest_edge} px, JPEG {quality}", apply, longest_edge)


DELIVERIES: dict[str, Delivery] = {
    AS_THEY_ARE: Delivery("As they are", Image.Image.copy),
    "jpeg_90": _jpeg(90),
    "jpeg_75": _jpeg(75),
    "jpeg_60": _jpeg(60),
    "webp_80": Delivery("WebP 80", partial(send_webp, quality=80)),
    "scale_90": Delivery(
        "To 90 %, bicubic", partial(ImageOps.scale, factor=0.9, resample=Image.Resampling.BICUBIC)
    ),
    "edge_1600": _posted(1600, 85),
    "edge_1024": _posted(1024, 85),
    "edge_768": _posted(768, 60),
    "edge_640": _posted(640, 80),
    "edge_512": _posted(512, 40),
}
"""The deliveries, by name, in the order of every table."""

TRANSFORMATIONS: dict[str, Delivery] = {
    "thumbnail": Delivery("128 px thumbnail, enlarged", enlarge_thumbnail),
    "grey": Delivery("Grey", grey),
    "corner": Delivery("Corner, 60 % of each side", crop_corner),
    "letterbox": Delivery("Letterboxed to 16:9", letterbox),
    "collage": Delivery("2 × 2 collage of itself", collage),
}
"""What somebody does to a picture on purpose, by name."""

ALL_DELIVERIES = DELIVERIES | TRANSFORMATIONS


def deliver_all(image: Image.Image) -> Iterator[Image.Image]:
    """Send one picture through everything in `ALL_DELIVERIES`, in that order, one at a time."""
    for delivery in ALL_DELIVERIES.values():
        yield delivery.apply(image)
