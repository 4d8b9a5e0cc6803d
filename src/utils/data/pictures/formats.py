"""The one table of picture formats: a new one is a new row here, and the sentence in the README."""

from __future__ import annotations

import io
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
        rb"II[*+]\x00|MM\x00[*+]",
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

OTHER_KINDS = {
    rb".{4}ftyp(hei|hev|mif1|msf1)": "a HEIC picture, which is not supported",
    rb"\x00\x00\x00\x0cjP|\xff\x4f\xff\x51": "a JPEG 2000 picture, which is not supported",
    rb"\xff\x0a|\x00\x00\x00\x0cJXL ": "a JPEG XL picture, which is not supported",
    rb"8BPS": "a Photoshop document, which is not supported",
    rb"\x00\x00[\x01\x02]\x00": "an icon, which is not supported",
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


def list_formats(joined_by: str) -> str:
    """Name all formats in a sentence: `PNG, JPEG, …, TIFF or AVIF` when joined by `or`."""
    *others, last = (each.name for each in FORMATS)
    return f"{', '.join(others)} {joined_by} {last}"
