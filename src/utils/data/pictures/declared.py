"""What a picture's file says about itself: declared, not proven.

Cameras, editors and generators leave notes in a file: EXIF, XMP, PNG text, C2PA content credentials. Anyone
can write or remove them, so they are shown beside a prediction and never enter it. Of the place where a
picture was taken only the presence is read.
"""

from __future__ import annotations

import io
import json
import re
from collections.abc import Mapping
from typing import Any

from PIL import ExifTags
from PIL.ImageFile import ImageFile

from src.utils.data.pictures.decode import load_pixels

MAX_NOTE = 200
MAX_PARAMETERS = 1500
MAX_XMP = 1_000_000

_GENERATOR_TEXTS = {
    "parameters": "Stable Diffusion web UI",
    "workflow": "ComfyUI",
    "prompt": "ComfyUI",
    "invokeai_metadata": "InvokeAI",
    "sd-metadata": "InvokeAI",
    "dream": "InvokeAI",
    "fooocus_scheme": "Fooocus",
    "generation_data": "an image generator",
    "aigc": "a generator that labels its pictures (AIGC)",
}
"""Names of PNG text entries that generators write, in lower case, and who writes them."""

_AI_SOURCES = ("trainedAlgorithmicMedia", "compositeWithTrainedAlgorithmicMedia")
"""IPTC's digital source types for pictures made, or partly made, by a generator."""

_CREDENTIALS_SETTINGS = {"verify": {"remote_manifest_fetch": False, "ocsp_fetch": False}}
"""Without these the C2PA library opens whatever address a picture names, inside this network too."""


def read_declared(data: bytes, header: ImageFile) -> dict[str, Any]:
    """Collect what a file says about itself.

    Args:
        data: The whole file.
        header: The same file from `decode.open_header`, once its number of pixels was found acceptable: text
            that follows a PNG's pixels is only reached by decoding them. It can be decoded afterwards.

    Returns:
        Values for JSON, None where the file says nothing: `format`, `width`, `height` (as stored), `bytes`,
        `camera`, `software`, `taken` (EXIF's own spelling), `location` (whether it has one), `generator` and
        `generator_parameters` (what an image generator noted), `digital_source` (an IPTC term), `credentials`
        (see `read_credentials`) and `says_ai`, whether any of these declares a generator's work. Texts are
        cut to a readable length and hold no control characters.

    Raises:
        ImageError: A PNG's pixels are cut short or damaged.
    """
    texts = _read_texts(header)
    exif = _read_exif(header)
    xmp = _read_xmp(header)
    generator, parameters = _find_generator(texts, exif)
    credentials = read_credentials(data, header.format)
    digital_source = xmp["digital_source"] or (credentials or {}).get("digital_source")
    return {
        "format": header.format,
        "width": header.width,
        "height": header.height,
        "bytes": len(data),
        "camera": exif["camera"],
        "software": exif["software"] or xmp["software"],
        "taken": exif["taken"],
        "location": exif["location"],
        "generator": generator,
        "generator_parameters": parameters,
        "digital_source": digital_source,
        "credentials": credentials,
        "says_ai": bool(generator) or digital_source in _AI_SOURCES,
    }


def read_credentials(data: bytes, format: str) -> dict[str, Any] | None:
    """Read C2PA content credentials that are embedded in a picture; nothing is asked over the network.

    Args:
        data: The whole file.
        format: Pillow's name of its format, such as `JPEG`.

    Returns:
        None without credentials, else `generator` (the program that signed), `issuer` (the name in its
        certificate, which is compared with no list of trusted signers), `intact` (whether the picture is as
        it was signed) and `digital_source` (an IPTC term, one for a generator's work first, or None).
    """
    import c2pa

    kind = "jpeg" if format == "MPO" else format.lower()
    settings = c2pa.Settings.from_dict(_CREDENTIALS_SETTINGS)
    try:
        with c2pa.Context(settings) as context:
            reader = c2pa.Reader.try_create(kind, io.BytesIO(data), context=context)
            return _summarise_credentials(json.loads(reader.json())) if reader else None
    except (c2pa.C2paError, ValueError):  # of a kind without credentials, kept elsewhere, or damaged
        return None


def _summarise_credentials(report: Mapping[str, Any]) -> dict[str, Any] | None:
    manifest = report.get("manifests", {}).get(report.get("active_manifest"))
    if not manifest:
        return None
    programs = [info.get("name") for info in manifest.get("claim_generator_info", [])]
    actions = [
        action
        for assertion in manifest.get("assertions", [])
        if assertion.get("label", "").startswith("c2pa.actions")
        for action in assertion.get("data", {}).get("actions", [])
    ]
    sources = [str(action.get("digitalSourceType") or "").rpartition("/")[2] for action in actions]
    return {
        "generator": _clean(next(filter(None, programs), manifest.get("claim_generator"))),
        "issuer": _clean((manifest.get("signature_info") or {}).get("issuer")),
        "intact": report.get("validation_state") in ("Valid", "Trusted"),
        "digital_source": _clean(
            max(sources, key=lambda source: (source in _AI_SOURCES, bool(source)), default=None)
        ),
    }


def _read_exif(header: ImageFile) -> dict[str, Any]:
    """Camera, program, date and whether there is a place; broken EXIF says nothing."""
    try:
        exif = header.getexif()
        details = exif.get_ifd(ExifTags.IFD.Exif)
        place = exif.get_ifd(ExifTags.IFD.GPSInfo)
    except Exception:  # Pillow fails in many ways on data that is not EXIF
        return dict.fromkeys(("camera", "software", "taken", "comment")) | {"location": False}
    make, model = (_clean(exif.get(tag)) or "" for tag in (ExifTags.Base.Make, ExifTags.Base.Model))
    camera = model if model.lower().startswith(make.lower()) else f"{make} {model}"
    return {
        "camera": camera.strip() or None,
        "software": _clean(exif.get(ExifTags.Base.Software)),
        "taken": _clean(details.get(ExifTags.Base.DateTimeOriginal)),
        "comment": _decode_comment(details.get(ExifTags.Base.UserComment)),
        "location": ExifTags.GPS.GPSLatitude in place,
    }


def _decode_comment(comment: Any) -> str:
    """EXIF's user comment: eight bytes that name the encoding, then text (EXIF 2.32, tag 0x9286)."""
    if not isinstance(comment, bytes):
        return str(comment or "")
    if comment.startswith(b"UNICODE\x00"):
        text = comment[8:]
        return text.decode("utf-16-le" if text[1:2] == b"\x00" else "utf-16-be", errors="ignore")
    return comment.removeprefix(b"ASCII\x00\x00\x00").decode("utf-8", errors="ignore")


def _read_xmp(header: ImageFile) -> dict[str, str | None]:
    """Two notes of an XMP packet, found as text: no XML parser has to meet a stranger's file."""
    packet = header.info.get("xmp") or header.info.get("XML:com.adobe.xmp") or b""
    text = packet if isinstance(packet, str) else bytes(packet[:MAX_XMP]).decode("utf-8", errors="ignore")

    def find(name: str) -> str | None:
        match = re.search(rf"\b{name}(?:\s*=\s*[\"']|\s*>\s*|\s+rdf:resource\s*=\s*[\"'])([^\"'<>]+)", text)
        return _clean(match[1]) if match else None

    source = find("DigitalSourceType")
    return {"digital_source": source and source.rpartition("/")[2], "software": find("CreatorTool")}


def _read_texts(header: ImageFile) -> dict[str, str]:
    """A PNG's text entries by name, in lower case."""
    if header.format != "PNG":
        return {}
    load_pixels(header)  # before Pillow looks for EXIF there, which passes over damage
    return {str(key).lower(): str(value) for key, value in header.info.items() if isinstance(value, str)}


def _find_generator(texts: Mapping[str, str], exif: Mapping[str, Any]) -> tuple[str | None, str | None]:
    """The image generator that left its parameters, and these."""
    for name, generator in _GENERATOR_TEXTS.items():
        if texts.get(name):
            return generator, _clean(texts[name], MAX_PARAMETERS)
    if texts.get("software") == "NovelAI":
        return "NovelAI", _clean(texts.get("description") or texts.get("comment"), MAX_PARAMETERS)
    if re.search(r"Job ID: [0-9a-f-]{36}", texts.get("description", "")):
        return "Midjourney", _clean(texts["description"], MAX_PARAMETERS)
    comment = exif["comment"] or ""
    if re.search(r"\bSteps: \d+, ", comment):
        return "Stable Diffusion web UI", _clean(comment, MAX_PARAMETERS)
    return None, None


def _clean(value: Any, length: int = MAX_NOTE) -> str | None:
    """A note as one readable line, or None if nothing is left of it."""
    if isinstance(value, bytes):
        value = value.decode("utf-8", errors="ignore")
    printable = "".join(char if char.isprintable() else " " for char in str(value or "")[: 4 * length])
    text = " ".join(printable.split())
    return (text if len(text) <= length else f"{text[: length - 1]}…") or None
