"""What is done to every decoded picture before a detector sees it: nothing, or the same for all."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import chain, groupby
from pathlib import Path
from typing import TypeVar

import pandas as pd
from PIL import Image

from src.utils.analysis.checks.shortcuts import COMMON_QUALITY, common_side, cut_square
from src.utils.data.parallel import map_ahead
from src.utils.data.pictures.augment import recompress_jpeg
from src.utils.data.pictures.decode import open_image
from src.utils.data.pictures.deliveries import ALL_DELIVERIES, AS_THEY_ARE
from src.utils.settings import UserError

Delivery = Callable[[Image.Image], Image.Image]
"""An RGB picture → another RGB picture; the first is not changed."""

Deliveries = Mapping[str, Delivery | None]
"""Deliveries by name; None leaves a picture as it is."""

Result = TypeVar("Result")

AS_IT_IS, ALIKE = "as_it_is", "alike"
"""Names of deliveries; the second is followed by the common side, as in `alike-224`."""


ALL = "all"
"""Asks for every delivery of `data.pictures.deliveries`."""


def deliver(
    files: Sequence[Path],
    deliveries: Deliveries,
    places: Sequence[int],
    use: Callable[[Image.Image], Result],
    ahead: int | None = None,
) -> Iterator[Result]:
    """Decode pictures in threads, each once, and use them in the ways in which they are delivered.

    Args:
        files: The pictures.
        deliveries: The ways.
        places: Which pictures in which ways, ascending: number of the picture · ways + number of the way.
        use: What is done with a delivered picture; called in threads.
        ahead: Results that wait at most, about.

    Yields:
        What `use` gives, a result a place, in order.

    Raises:
        ImageError: A picture cannot be read any more.
    """
    ways = list(deliveries.values())

    def use_all(of_one: list[int]) -> list[Result]:
        image = open_image(files[of_one[0] // len(ways)])
        chosen = (ways[place % len(ways)] for place in of_one)
        return [use(image if way is None else way(image)) for way in chosen]

    pictures = (list(of_one) for _, of_one in groupby(places, lambda place: place // len(ways)))
    return chain.from_iterable(map_ahead(use_all, pictures, ahead=ahead and 1 + ahead // len(ways)))


def answer_keys(contents: Sequence[str], deliveries: Deliveries) -> list[str]:
    """What is remembered of each picture in each way is known by, in the order of `deliver`'s places."""
    return [f"{content} {name}" for content in contents for name in deliveries]


def deliveries_for(images: pd.DataFrame, asked: Sequence[str] = ()) -> dict[str, Delivery | None]:
    """The deliveries that pictures are scored through, by name; None leaves a picture as it is.

    Args:
        images: Readable rows of the manifest, with `width` and `height`.
        asked: Names from `chosen_deliveries`, scored beside the pictures as they are and made alike.
    """
    side = common_side(images)
    more = {name: ALL_DELIVERIES[name].apply for name in asked}
    return {AS_IT_IS: None, f"{ALIKE}-{side}": lambda image: make_alike(image, side), **more}


def chosen_deliveries(asked: Sequence[str]) -> list[str]:
    """The deliveries that a user names; `all` stands for every one.

    Raises:
        UserError: There is no such delivery.
    """
    known = [name for name in ALL_DELIVERIES if name != AS_THEY_ARE]
    for name in asked:
        if name not in (ALL, *known):
            raise UserError(f"DELIVERY={name} is not known: use {ALL}, or some of {', '.join(known)}.")
    return known if ALL in asked else list(dict.fromkeys(asked))


def make_alike(image: Image.Image, side: int, quality: int = COMMON_QUALITY) -> Image.Image:
    """Give a picture the shape, the size and the last compression that every other one gets.

    The middle square is scaled to `side` pixels (bicubic, antialiased) and saved as JPEG. What the size it
    came from has left in its sharpness is still there: see `cheap`.
    """
    square = cut_square(image, min(image.size)).resize((side, side), Image.Resampling.BICUBIC)
    return recompress_jpeg(square, quality)


def delivery_title(name: str) -> str:
    """A delivery's name for people."""
    if name == AS_IT_IS:
        return "as they are"
    if name in ALL_DELIVERIES:
        return ALL_DELIVERIES[name].title
    kind, _, side = name.partition("-")
    return f"made alike, {side} px" if kind == ALIKE else name.replace("_", " ")
