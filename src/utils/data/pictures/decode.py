"""The one way this project reads pixels: Pillow and NumPy, the same for training, evaluation and serving.

A picture is found out from its content (never from its extension), its size is checked on the header before
anything is decoded, and what comes out is always upright 8-bit sRGB over white. Nothing here changes a
setting of the process, so any number of threads may read at once, and the same bytes always give the same
pixels.
"""

from __future__ import annotations

import io
import re
import stat
from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import ExifTags, Image, ImageChops, ImageCms, ImageFile, TiffImagePlugin

from src.utils.data.pictures.formats import (
    CAMERA_RAW,
    OTHER_KINDS,
    SNIFF_BYTES,
    UNREAD,
    Unread,
    find_format,
    list_formats,
)
from src.utils.settings import IMAGE_SIZE, UserError

MAX_PIXELS = 100_000_000
"""Largest picture that is decoded, width times height, unless the caller asks for another limit."""

SENT_PIXELS = 51_000_000
"""Largest picture taken from others, by upload or link: phones' "50 megapixels" are up to 8192 × 6144."""

WHOLE_PIXELS = 24_000_000
"""Up to here every picture is decoded whole; a larger JPEG at half its width and height, or less."""

BYTES_PER_PIXEL = 8
"""The most an uncompressed picture takes (16-bit RGBA): a longer file than this is not opened at all."""

_JPEGS = ("JPEG", "MPO")

_START_OF_SCAN = b"\xda"
_BARE_MARKERS = frozenset(bytes([kind]) for kind in (*range(0xC0), *range(0xD0, 0xDA), 0xFF)) | {b""}
"""Second bytes that begin no segment with a length (ITU-T T.81, table B.1)."""

_ADVICE = {
    "missing": "check the path",
    "not_file": "give a regular file, or copy it into one first",
    "empty": "download or copy it again",
    "not_image": f"give a {list_formats('or')} picture",
    "too_large": "make it smaller first",
    "truncated": "download or copy it again",
    "unreadable": "open it in a picture editor and save it again, or leave it out",
}

_NEW_SUBFILE_TYPE, _REDUCED, _DNG_VERSION = 254, 1, 50706

_TRANSPOSE = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
"""What turns a picture upright, by its EXIF orientation (EXIF 2.32, tag 0x0112)."""


class ImageError(UserError):
    """A picture that cannot be read.

    Attributes:
        code: `missing`, `not_file`, `empty`, `not_image`, `unsupported`, `too_large`, `truncated` or
            `unreadable`.
        problem: What is wrong, without the name: "is empty".
    """

    def __init__(self, code: str, name: str, problem: str, advice: str = ""):
        super().__init__(f"{name} {problem}: {advice or _ADVICE[code]}.")
        self.code = code
        self.problem = problem


def open_image(
    source: Path | str | bytes, max_pixels: int = MAX_PIXELS, name: str | None = None
) -> Image.Image:
    """Read a picture as people see it.

    EXIF orientation is applied, an ICC profile is converted to sRGB (a broken one is ignored), CMYK, grey,
    palette, 1-bit and 16-bit pixels become 8-bit RGB, what is transparent lies over white, and an animation
    gives its first frame. A JPEG of more than `WHOLE_PIXELS` comes out at a half of its width and height (a
    quarter, an eighth), so that it has no more than that.

    Args:
        source: A file, or the bytes of one.
        max_pixels: Largest accepted width times height; checked before decoding.
        name: What error messages call the picture; the path, or "image" for bytes.

    Returns:
        An RGB picture without metadata.

    Raises:
        ImageError: The picture is missing, empty, no picture, too large, cut short or damaged.
    """
    name = name or _name(source)
    return decode(open_header(source, max_pixels, name), max_pixels, name)


def read_pixels(
    source: Path | str | bytes,
    size: int = IMAGE_SIZE,
    max_pixels: int = MAX_PIXELS,
    name: str | None = None,
) -> np.ndarray:
    """Read a picture as the deck's network gets it: `squash(open_image(source), size)`.

    Args:
        source: A file, or the bytes of one.
        size: Side of the square, in pixels.
        max_pixels: Largest accepted width times height; checked before decoding.
        name: What error messages call the picture; the path, or "image" for bytes.

    Returns:
        uint8 [size, size, 3], 0–255, sRGB.

    Raises:
        ImageError: As `open_image`.
    """
    return squash(open_image(source, max_pixels, name), size)


def squash(image: Image.Image, size: int = IMAGE_SIZE) -> np.ndarray:
    """Resize an RGB picture to a square, whatever its shape, with Pillow's (antialiasing) bilinear filter.

    Args:
        image: RGB picture.
        size: Side of the square, in pixels.

    Returns:
        uint8 [size, size, 3], 0–255.
    """
    return np.array(image.resize((size, size), Image.Resampling.BILINEAR))


def open_header(
    source: Path | str | bytes, max_pixels: int = MAX_PIXELS, name: str | None = None
) -> ImageFile.ImageFile:
    """Find out what a file is and read its header, without decoding a pixel.

    Args:
        source: A file, or the bytes of one.
        max_pixels: Files too long for an uncompressed picture of this size are not opened.
        name: What error messages call the picture; the path, or "image" for bytes.

    Returns:
        Pillow's picture with `format`, `mode`, `size` and `info`, to be handed to `decode`.

    Raises:
        ImageError: The picture is missing, empty, no picture, far too large, or its header is damaged.
    """
    name = name or _name(source)
    data = source if isinstance(source, bytes) else read_file(Path(source), max_pixels, name)
    reader = _find_opener(data[:SNIFF_BYTES], name)
    if data.startswith(b"RIFF") and int.from_bytes(data[4:8], "little") + 8 > len(data):  # libwebp says less
        raise ImageError("truncated", name, "ends before its picture does")
    try:
        # Not Image.open: that warns, for the whole process, from Pillow's own limit of pixels on.
        header = reader(io.BytesIO(data))
        only_preview = _is_raw_preview(header)
    except Image.DecompressionBombError as error:
        limit = f"the limit of {_mega(max_pixels)} megapixels"
        raise ImageError("too_large", name, f"declares far more pixels than {limit}") from error
    except Exception as error:
        raise _damaged(error, name) from error
    if only_preview:
        raise _unread(CAMERA_RAW, name)
    return header


def decode(header: ImageFile.ImageFile, max_pixels: int = MAX_PIXELS, name: str = "image") -> Image.Image:
    """Decode a picture whose header was read: the second half of `open_image`.

    Args:
        header: From `open_header`; it is used up, its metadata too.
        max_pixels: Largest accepted width times height.
        name: What error messages call the picture.

    Returns:
        An upright RGB picture without metadata.

    Raises:
        ImageError: The picture is too large, cut short or damaged.
    """
    load_pixels(header, max_pixels, name)
    try:
        orientation = _orientation(header)  # after loading: Pillow itself turns TIFF, PNG may keep EXIF last
        return _turn_upright(_to_rgb(header), orientation)
    except Exception as error:
        raise _damaged(error, name) from error


def load_pixels(header: ImageFile.ImageFile, max_pixels: int = MAX_PIXELS, name: str = "image") -> None:
    """Decode the pixels as they are stored, and read what follows them in the file: a PNG's texts.

    A large JPEG is decoded at a fraction of its size, as `open_image` says, and `header.size` then is that.

    `decode` does this by itself; call it before to reach that metadata.

    Args:
        header: From `open_header`; it keeps the pixels, and `decode` does not decode them again.
        max_pixels: Largest accepted width times height.
        name: What error messages call the picture.

    Raises:
        ImageError: The picture is too large, cut short or damaged.
    """
    width, height = header.size
    if width * height > max_pixels:
        problem = (
            f"has {width} × {height} pixels, that is {_mega(width * height)} megapixels, "
            f"more than the limit of {_mega(max_pixels)}"
        )
        raise ImageError("too_large", name, problem)
    try:
        if header.format in _JPEGS and width * height > WHOLE_PIXELS:
            scale = next((each for each in (2, 4) if width * height <= WHOLE_PIXELS * each**2), 8)
            header.draft(None, (width // scale, height // scale))
        header.load()
    except Exception as error:
        raise _damaged(error, name) from error


def can_be_reduced(data: bytes, header: ImageFile.ImageFile) -> bool:
    """Whether a picture beyond `WHOLE_PIXELS` can be decoded in the memory that one of that size takes.

    A JPEG can, since it is decoded smaller than it is. But where its samples come in several scans, as in a
    progressive one, libjpeg holds two bytes for each of them until the last scan is there: too much with more
    than two samples a pixel, that is with colour at full resolution (4:4:4) or CMYK.

    Args:
        data: The whole file.
        header: The same file from `open_header`, not yet decoded.
    """
    if header.format not in _JPEGS:
        return False
    across, down = (max(layer[side] for layer in header.layer) for side in (1, 2))
    samples = sum(layer[1] * layer[2] for layer in header.layer) / max(1, across * down)  # a pixel
    return samples <= 2 or ("progressive" not in header.info and _first_scan(data) == header.layers)


def _first_scan(data: bytes) -> int:
    """How many of its colours a JPEG's first scan holds; 0 if what comes before it is out of order."""
    at = 2
    while data[at : at + 1] == b"\xff" and (kind := data[at + 1 : at + 2]) not in _BARE_MARKERS:
        if kind == _START_OF_SCAN:
            return int.from_bytes(data[at + 4 : at + 5])
        at += 2 + int.from_bytes(data[at + 2 : at + 4])
    return 0


def read_file(path: Path, max_pixels: int = MAX_PIXELS, name: str | None = None) -> bytes:
    """Read a picture's file, unless it is too long to be one.

    Args:
        path: The file.
        max_pixels: The file may have 8 bytes for each of these pixels.
        name: What error messages call the picture; the path by default.

    Raises:
        ImageError: The file is missing, is no regular file, may not be read, or is too long.
    """
    name = name or str(path)
    try:
        status = path.stat()
        if not stat.S_ISREG(status.st_mode):  # opening a pipe could wait for ever
            kind = "a folder" if stat.S_ISDIR(status.st_mode) else "a pipe, a socket or a device"
            raise ImageError("not_file", name, f"is {kind}, not a file")
        length = status.st_size
        if length > max_pixels * BYTES_PER_PIXEL:
            limit = f"too long for a picture of {_mega(max_pixels)} megapixels"
            raise ImageError("too_large", name, f"is a file of {_mega(length)} MB, {limit}")
        return path.read_bytes()
    except (FileNotFoundError, NotADirectoryError, ValueError) as error:  # or its name holds a NUL
        raise ImageError("missing", name, "does not exist") from error
    except OSError as error:
        raise ImageError("unreadable", name, f"cannot be read ({error.strerror})") from error


def _name(source: Path | str | bytes) -> str:
    return "image" if isinstance(source, bytes) else str(source)


def _mega(number: int) -> str:
    return f"{number / 1e6:,.1f}"


def _find_opener(start: bytes, name: str) -> Callable[[io.BytesIO], ImageFile.ImageFile]:
    """The reader for a file that starts so, or an error that says what the file is instead."""
    if not start:
        raise ImageError("empty", name, "is empty (0 bytes)")
    if known := find_format(start):
        return known.open
    for unread in UNREAD:
        if re.match(unread.start, start, re.DOTALL):
            raise _unread(unread, name)
    for pattern, kind in OTHER_KINDS.items():
        if re.match(pattern, start, re.DOTALL | re.IGNORECASE):
            raise ImageError("not_image", name, f"is {kind}")
    raise ImageError("not_image", name, "is not a picture of a known kind")


def _unread(kind: Unread, name: str) -> ImageError:
    return ImageError("unsupported", name, f"is a {kind.name} file, which is not read", kind.cure)


def _is_raw_preview(header: ImageFile.ImageFile) -> bool:
    """Whether all that Pillow sees of a camera's raw file is its preview.

    That is a TIFF whose first picture is marked as a smaller version of another one in the file (TIFF 6.0,
    tag NewSubfileType, bit 0), or one that calls itself a digital negative (DNG 1.4, tag DNGVersion).
    """
    tags = getattr(header, "tag_v2", {})
    return header.format == "TIFF" and (tags.get(_NEW_SUBFILE_TYPE) == _REDUCED or _DNG_VERSION in tags)


def _damaged(error: Exception, name: str) -> ImageError:
    """Pillow's many ways to give up on a broken file, in two kinds."""
    if isinstance(error, EOFError) or "truncated" in str(error).lower():
        return ImageError("truncated", name, "ends before its picture does")
    return ImageError(
        "unreadable", name, f"is damaged ({' '.join(str(error).split()) or type(error).__name__})"
    )


def _orientation(image: Image.Image) -> int:
    try:
        return image.getexif().get(ExifTags.Base.Orientation, 1)
    except Exception:  # broken EXIF data says nothing about the pixels
        return 1


def _turn_upright(image: Image.Image, orientation: int) -> Image.Image:
    method = _TRANSPOSE.get(orientation)
    return image if method is None else image.transpose(method)


def _to_rgb(image: Image.Image) -> Image.Image:
    """8-bit sRGB over white, without metadata, from any of Pillow's modes."""
    profile = image.info.get("icc_profile")
    alpha = None
    if image.mode[0] in "IF":
        image = _to_eight_bits(image)
    elif image.has_transparency_data:
        grey = image.mode in ("L", "LA", "La")
        image = (image.convert("LA") if image.mode == "La" else image).convert("RGBA")
        alpha = image.getchannel("A")
        image = image.convert("L" if grey else "RGB")
    rgb = _to_srgb(image, profile)
    if rgb.mode != "RGB":
        rgb = rgb.convert("RGB")
    rgb.info = {}  # else saving it would carry the profile along and apply it twice
    if alpha is not None:
        rgb.paste((255, 255, 255), mask=ImageChops.invert(alpha))
    return rgb


def _to_srgb(image: Image.Image, profile: bytes | None) -> Image.Image:
    """Convert colours by the picture's ICC profile; one that is broken or for other colours is ignored."""
    if not profile:
        return image
    if image.mode not in ("L", "RGB", "CMYK"):
        image = image.convert("L" if image.mode == "1" else "RGB")
    try:
        srgb = ImageCms.createProfile("sRGB")
        return ImageCms.profileToProfile(image, io.BytesIO(profile), srgb, outputMode="RGB")
    except ImageCms.PyCMSError:
        return image


def _to_eight_bits(image: Image.Image) -> Image.Image:
    """Grey of 16 or 32 bits, or floating point, to 8 bits.

    16-bit values keep their high byte, as Pillow does for 16-bit colour. 32-bit integers and floats carry no
    white point, so it is the smallest usual one (1 for floats, 255, 65535) that holds all values. Larger ones
    are stretched from 0 to their maximum, negative ones from their minimum to their maximum.
    """
    values = np.asarray(image)
    tags = getattr(image, "tag_v2", {})
    if image.mode.startswith("I;16"):
        bits = tags.get(TiffImagePlugin.BITSPERSAMPLE, (16,))[0]
        grey = (values >> (bits - 8)).astype(np.uint8)
    else:
        grey = _scale(np.nan_to_num(values.astype(np.float32), posinf=0, neginf=0), image.mode == "F")
    if tags.get(TiffImagePlugin.PHOTOMETRIC_INTERPRETATION) == 0:  # white is zero
        grey = 255 - grey
    return Image.fromarray(grey)


def _scale(values: np.ndarray, floating: bool) -> np.ndarray:
    """float32 values of any range to uint8 0–255."""
    low, high = float(values.min()), float(values.max())
    if low >= 0:
        whites = [white for white in (1 if floating else 255, 255, 65535) if white >= high]
        low, high = 0.0, float(whites[0]) if whites else high
    return np.rint((values - low) * (255 / max(high - low, 1e-30))).clip(0, 255).astype(np.uint8)
