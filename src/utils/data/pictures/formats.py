"""The one table of picture formats: a new one is a new row here, and the sentence in the README."""

from __future__ import annotations

import io
import re
from collections.abc import Callable
from dataclasses import dataclass

from PIL import (
    AvifImagePlugin,
    BmpImagePlugin,
    GifImagePlugin,
    ImageFile,
    JpegImagePlugin,
    PngImagePlugin,
    TiffImagePlugin,
    WebPImagePlugin,
)

SNIFF_BYTES = 1024
"""So many bytes of a file tell what it is."""


@dataclass(frozen=True)
class Format:
    """A kind of file that is read as a picture.

    Attributes:
        name: What people call it.
        suffixes: Endings of its files' names, in lower case.
        media_type: What browsers call it.
        start: How its content begins, a regular expression over bytes.
        open: Pillow's reader of its header.
    """

    name: str
    suffixes: tuple[str, ...]
    media_type: str
    start: bytes
    open: Callable[[io.BytesIO], ImageFile.ImageFile]


FORMATS = (
    Format("PNG", (".png",), "image/png", rb"\x89PNG\r\n\x1a\n", PngImagePlugin.PngImageFile),
    Format("JPEG", (".jpg", ".jpeg", ".jfif"), "image/jpeg", rb"\xff\xd8\xff", JpegImagePlugin.jpeg_factory),
    Format("WebP", (".webp",), "image/webp", rb"RIFF.{4}WEBP", WebPImagePlugin.WebPImageFile),
    Format("GIF", (".gif",), "image/gif", rb"GIF8[79]a", GifImagePlugin.GifImageFile),
    Format("BMP", (".bmp",), "image/bmp", rb"BM.{12}", BmpImagePlugin.BmpImageFile),
    Format(
        "TIFF",
        (".tif", ".tiff"),
        "image/tiff",
        rb"II[*+]\x00(?!.{4}CR)|MM\x00[*+]",
        TiffImagePlugin.TiffImageFile,
    ),
    Format(
        "AVIF",
        (".avif",),
        "image/avif",
        rb".{4}ftyp(avi[fs]|.{0,60}avi[fs])",
        AvifImagePlugin.AvifImageFile,
    ),
)
"""What is read, in the order in which people are told; a file's content decides, never its name."""

IMAGE_SUFFIXES = frozenset(suffix for each in FORMATS for suffix in each.suffixes)
"""Endings, in lower case, of the files that count as pictures; what is inside is the decoder's business."""


@dataclass(frozen=True)
class Unread:
    """A kind of picture that people have and that is not read.

    Attributes:
        name: What people call it, before "file".
        suffixes: Endings of its files' names, in lower case.
        start: How its content begins, a regular expression over bytes.
        cure: What to do with one.
    """

    name: str
    suffixes: tuple[str, ...]
    start: bytes
    cure: str


CAMERA_RAW = Unread(
    "camera raw",
    (".dng", ".cr2", ".cr3", ".nef", ".arw", ".raf", ".orf", ".rw2", ".pef", ".srw", ".x3f"),
    rb"II\*\x00.{4}CR|IIU\x00|IIR[OS]|MMOR|FUJIFILMCCD-RAW|.{4}ftypcrx|FOVb",
    "develop it to PNG or TIFF first",
)
"""Most are TIFF files of a small preview, so not all are told by how they begin: the decoder looks closer."""

UNREAD = (
    Unread(
        "HEIC",
        (".heic", ".heif", ".hif"),
        rb".{4}ftyp(hei|hev|mif1|msf1)",
        "save it as PNG first (on a Mac: sips -s format png FILE --out FILE.png; elsewhere: heif-convert)",
    ),
    Unread(
        "JPEG XL", (".jxl",), rb"\xff\x0a|\x00\x00\x00\x0cJXL ", "save it as PNG first (djxl FILE FILE.png)"
    ),
    Unread(
        "JPEG 2000",
        (".jp2", ".j2k", ".jpf", ".jpx"),
        rb"\x00\x00\x00\x0cjP|\xff\x4f\xff\x51",
        "save it as PNG first",
    ),
    CAMERA_RAW,
    Unread("Photoshop", (".psd", ".psb"), rb"8BPS", "export it as PNG first"),
    Unread("Windows icon", (".ico", ".cur"), rb"\x00\x00[\x01\x02]\x00", "save it as PNG first"),
)
"""Told apart after `FORMATS`, so that nobody wonders where a picture went. CONTRIBUTING.md says why HEIC and
JPEG XL are among them."""

OTHER_KINDS = {
    rb"(\xef\xbb\xbf)?\s*(<(\?xml|!--|!doctype svg).*)?<svg": "an SVG drawing, not a picture of pixels",
    rb"(\xef\xbb\xbf)?\s*(<!--.*)?<(!doctype html|html|head|body)": "an HTML page, not a picture",
    rb"(\xef\xbb\xbf)?\s*<\?xml": "an XML document, not a picture",
    rb"%PDF-": "a PDF document, not a picture",
    rb"PK\x03\x04": "a ZIP archive, not a picture",
    rb"\x1f\x8b": "a gzip archive, not a picture",
    rb".{4}ftyp|\x1a\x45\xdf\xa3|RIFF.{4}AVI ": "a video, not a picture",
    rb"[\t\n\r\x20-\x7e\x80-\xff]+\Z": "plain text, not a picture",
}
"""What else people send, told apart so that the message names it."""


def find_format(start: bytes) -> Format | None:
    """The format of a file whose first `SNIFF_BYTES` are these; None if it is not one that is read."""
    return next((known for known in FORMATS if re.match(known.start, start, re.DOTALL)), None)


def list_formats(joined_by: str) -> str:
    """Name all formats in a sentence: `PNG, JPEG, …, TIFF or AVIF` when joined by `or`."""
    *others, last = (each.name for each in FORMATS)
    return f"{', '.join(others)} {joined_by} {last}"
