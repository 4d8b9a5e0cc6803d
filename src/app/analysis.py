"""From a picture's bytes, or a link, to one entry of the answer."""

from __future__ import annotations

import base64
import io
import logging
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from PIL import Image
from PIL.ImageFile import ImageFile

from src.app.host import turn_for_large
from src.app.limits import MEGA, Limits
from src.app.model import Model, ModelSlot
from src.utils.data.parallel import map_ahead
from src.utils.data.pictures.declared import read_declared
from src.utils.data.pictures.decode import ImageError, can_be_reduced, decode, open_header
from src.utils.data.web.fetch import FetchedImage, FetchError
from src.utils.files import sha256_bytes
from src.utils.settings import CLASS_NAMES, UserError

log = logging.getLogger(__name__)

PREVIEW_SIDE = 640
NAME_LENGTH = 255
"""Longest name in an answer, in characters: what file systems allow, and no more of a stranger's text."""

FETCH_SECONDS = 10.0
FETCHES_AT_ONCE = 4

Fetch = Callable[..., FetchedImage]


class PictureError(UserError):
    """A picture that is beyond the app's limits; `code` is a slug as in `ImageError`."""

    def __init__(self, code: str, sentence: str):
        super().__init__(sentence)
        self.code = code


def analyse_upload(name: str, data: bytes, slot: ModelSlot, limits: Limits, preview: bool) -> dict[str, Any]:
    """Answer for one uploaded file.

    Args:
        name: The file's name; its first 255 characters are given back, and it is used for nothing else.
        data: Its content.
        slot: Holds a loaded model.
        limits: What is accepted.
        preview: Whether to send back a small copy, for pictures that a browser cannot show itself.

    Returns:
        `filename` with the prediction, or with `error` (a sentence) and `code`.
    """
    return _entry(name, lambda: _analyse(data, slot, limits, preview))


def analyse_links(
    links: list[str], slot: ModelSlot, limits: Limits, preview: bool, fetch: Fetch
) -> Iterator[dict[str, Any]]:
    """Answer for links, in their order; a few are fetched ahead while one is looked at."""

    def read(link: str) -> tuple[str, FetchedImage | Exception]:
        try:
            options = {"max_bytes": limits.file_bytes, "max_pixels": limits.pixels}
            return link, fetch(link, total_seconds=FETCH_SECONDS, **options)
        except Exception as error:
            return link, error

    for link, fetched in map_ahead(read, links, workers=FETCHES_AT_ONCE, ahead=FETCHES_AT_ONCE):
        yield _entry(link, lambda fetched=fetched: _analyse(_data_of(fetched), slot, limits, preview))


def _data_of(fetched: FetchedImage | Exception) -> bytes:
    if isinstance(fetched, Exception):
        raise fetched
    return fetched.data


def _entry(name: str, analyse: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    """One entry of the answer, whatever happens: the other pictures still get theirs."""
    entry: dict[str, Any] = {"filename": name[:NAME_LENGTH]}
    try:
        return entry | analyse()
    except ImageError as error:  # the decoder calls only a picture of too many pixels too large
        return entry | {"error": str(error), "code": error.code.replace("too_large", "too_many_pixels")}
    except FetchError as error:
        hint = {"suggestion": error.suggestion} if error.suggestion else {}
        return entry | {"error": str(error), "code": error.code} | hint
    except PictureError as error:
        return entry | {"error": str(error), "code": error.code}
    except Exception as error:  # nothing of the picture may reach the log, so not the message either
        log.error("A picture could not be analysed: %s", type(error).__name__)
        return entry | {"error": "This picture could not be analysed.", "code": "failed"}


def _analyse(data: bytes, slot: ModelSlot, limits: Limits, preview: bool) -> dict[str, Any]:
    if len(data) > limits.file_bytes:
        sentence = (
            f"The file has {len(data) / MEGA:.1f} MB, more than the {limits.file_bytes // MEGA} MB allowed."
        )
        raise PictureError("too_large", sentence)
    sha256 = sha256_bytes(data)
    with slot.turn:
        header = open_header(data, limits.pixels, "The file")
        width, height = header.size
        _check_pixels(data, header, limits)
        with turn_for_large(width * height):
            declared = read_declared(data, header)
            image = decode(header, limits.pixels)
            del header  # and with it the pixels in their own mode
            entry = _predict(image, slot.model) | {"sha256": sha256, "declared": declared}  # pyright: ignore[reportArgumentType]
            return entry | {"preview": _shrink(image) if preview else None}


def _check_pixels(data: bytes, header: ImageFile, limits: Limits) -> None:
    """Refuse a picture that needs too much memory, by what its header says."""
    width, height = header.size
    if width * height <= limits.whole_pixels:
        return
    size = f"The picture has {width:,} × {height:,} pixels"
    if width * height > limits.pixels:
        sentence = f"{size}, more than the {limits.pixels / MEGA:g} megapixels allowed."
        raise PictureError("too_many_pixels", sentence)
    if not can_be_reduced(data, header):
        allowed = f"the {limits.whole_pixels / MEGA:g} megapixels allowed for a file of this kind"
        sentence = f"{size}, more than {allowed}: save it as a JPEG that is not progressive."
        raise PictureError("too_many_pixels", sentence)


def _predict(image: Image.Image, model: Model) -> dict[str, Any]:
    prediction = model.predict(image)
    probability = prediction.probability_ai
    evidence = prediction.evidence
    return {
        "label": prediction.label,
        "confidence": round(
            100 * (probability if prediction.label == CLASS_NAMES[1] else 1 - probability), 2
        ),
        "probability_ai": round(probability, 6),
        "probability_low": prediction.probability_low,
        "probability_high": prediction.probability_high,
        "verdict": prediction.verdict,
        "lean": prediction.lean,
        "reason": prediction.reason,
        "model": model.name,
        "evidence": None if evidence is None else np.nan_to_num(evidence.astype(float)).round(4).tolist(),
    }


def _shrink(image: Image.Image) -> str:
    """Make of a picture a JPEG of at most 640 pixels a side, as base64; it is used up."""
    image.thumbnail((PREVIEW_SIDE, PREVIEW_SIDE), Image.Resampling.BILINEAR)
    file = io.BytesIO()
    image.save(file, "JPEG", quality=85)
    return base64.b64encode(file.getvalue()).decode("ascii")
