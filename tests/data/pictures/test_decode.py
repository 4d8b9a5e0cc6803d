"""Every odd kind of picture comes out as the upright 8-bit sRGB picture people see, or as one clear line."""

from __future__ import annotations

import concurrent.futures
import hashlib
import io
import os
import random
import socket
import struct
import subprocess
import sys
import warnings
import zlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageCms, ImageDraw, ImageFile, TiffImagePlugin

from src.utils.data.pictures import decode
from src.utils.data.pictures.decode import ImageError, open_image, read_pixels, squash
from src.utils.settings import UserError


def encode(image: Image.Image, kind: str, **options) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def colour_blocks(width: int = 48, height: int = 32) -> Image.Image:
    """Red, green, blue and yellow quarters, with no symmetry: every turn of it is another picture."""
    image = Image.new("RGB", (width, height))
    draw = ImageDraw.Draw(image)
    for corner, colour in zip(
        ((0, 0), (1, 0), (0, 1), (1, 1)), ("red", "lime", "blue", "yellow"), strict=True
    ):
        left, top = corner[0] * width // 2, corner[1] * height // 2
        draw.rectangle((left, top, left + width // 2, top + height // 2), fill=colour)
    return image


def noise(width: int = 64, height: int = 48, seed: int = 0) -> Image.Image:
    """A smooth random picture: something to compress, cut and damage."""
    coarse = np.random.default_rng(seed).integers(0, 256, (12, 16, 3), dtype=np.uint8)
    return Image.fromarray(coarse).resize((width, height), Image.Resampling.BICUBIC)


def pixel(data: bytes, x: int = 0, y: int = 0) -> tuple[int, int, int]:
    return open_image(data).getpixel((x, y))


def png_chunks(
    width: int, height: int, depth: int, colour_type: int, rows: bytes, extra: bytes = b""
) -> bytes:
    """A PNG from its raw rows, for kinds Pillow does not write."""

    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    header = struct.pack(">IIBBBBB", width, height, depth, colour_type, 0, 0, 0)
    body = chunk(b"IHDR", header) + extra + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + body


def rgb_profile(primaries: np.ndarray, gamma: float) -> bytes:
    """An ICC v2 matrix profile; `primaries` [3, 3] has the XYZ (D50) of red, green and blue as columns."""

    def fixed(values) -> bytes:
        return b"".join(struct.pack(">i", round(value * 65536)) for value in values)

    curve = b"curv" + bytes(4) + struct.pack(">IH", 1, round(gamma * 256)) + bytes(2)
    name = b"wide\0"
    tags = {
        b"desc": b"desc" + bytes(4) + struct.pack(">I", len(name)) + name + bytes(78),
        b"cprt": b"text" + bytes(4) + b"none\0",
        b"wtpt": b"XYZ " + bytes(4) + fixed((0.9642, 1.0, 0.8249)),
        **{
            letter + b"XYZ": b"XYZ " + bytes(4) + fixed(primaries[:, i])
            for i, letter in enumerate((b"r", b"g", b"b"))
        },
        **{letter + b"TRC": curve for letter in (b"r", b"g", b"b")},
    }
    table, body = b"", b""
    for tag, value in tags.items():
        value += bytes(-len(value) % 4)
        table += tag + struct.pack(">II", 132 + 12 * len(tags) + len(body), len(value))
        body += value
    header = (
        struct.pack(">I4sI4s4s4s", 0, b"none", 0x02400000, b"mntr", b"RGB ", b"XYZ ") + bytes(12) + b"acsp"
    )
    header += bytes(28) + fixed((0.9642, 1.0, 0.8249))
    rest = header + bytes(128 - len(header)) + struct.pack(">I", len(tags)) + table + body
    return struct.pack(">I", len(rest)) + rest[4:]


# XYZ of the primaries, adapted to D50 (Bradford), as the published profiles carry them.
DISPLAY_P3 = np.array(
    [[0.51512, 0.29198, 0.15710], [0.24120, 0.69225, 0.06657], [-0.00105, 0.04189, 0.78407]]
)
SRGB = np.array([[0.43607, 0.38515, 0.14307], [0.22249, 0.71687, 0.06061], [0.01392, 0.09708, 0.71410]])


def srgb_curve(linear: np.ndarray) -> np.ndarray:
    """IEC 61966-2-1: linear light 0–1 to sRGB values 0–255."""
    return 255 * np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear.clip(0) ** (1 / 2.4) - 0.055)


KINDS = {
    "PNG": {},
    "JPEG": {"quality": 95, "subsampling": 0},
    "WEBP": {"lossless": True},
    "GIF": {},
    "BMP": {},
    "TIFF": {},
    "AVIF": {"quality": 95, "subsampling": "4:4:4"},
    "MPO": {"quality": 95, "subsampling": 0},
}


@pytest.mark.parametrize("kind", KINDS)
def test_each_format_is_read_whatever_its_extension_says(kind, tmp_path):
    path = tmp_path / "lies.txt"
    path.write_bytes(encode(colour_blocks(), kind, **KINDS[kind]))
    image = open_image(path)
    assert (image.mode, image.size) == ("RGB", (48, 32))
    assert np.abs(np.asarray(image, int) - np.asarray(colour_blocks(), int)).mean() < 6
    assert np.array_equal(read_pixels(path), squash(image))


def test_squash_is_pillows_bilinear_filter():
    picture = noise(90, 30)
    pixels = read_pixels(encode(picture, "PNG"), 20)
    assert pixels.dtype == np.uint8 and pixels.shape == (20, 20, 3)
    assert np.array_equal(pixels, np.asarray(picture.resize((20, 20), Image.Resampling.BILINEAR)))
    assert read_pixels(encode(picture, "PNG")).shape == (255, 255, 3)
    assert pixels.flags.writeable and pixels.flags.c_contiguous


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "TIFF", "AVIF", "TIFF-LZW"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_orientation_is_applied(kind, orientation):
    stored = {
        1: None,
        2: Image.Transpose.FLIP_LEFT_RIGHT,
        3: Image.Transpose.ROTATE_180,
        4: Image.Transpose.FLIP_TOP_BOTTOM,
        5: Image.Transpose.TRANSPOSE,
        6: Image.Transpose.ROTATE_90,  # shown by turning it back, clockwise
        7: Image.Transpose.TRANSVERSE,
        8: Image.Transpose.ROTATE_270,
    }[orientation]
    picture = colour_blocks() if stored is None else colour_blocks().transpose(stored)
    exif = Image.Exif()
    exif[0x0112] = orientation
    options = (
        {"lossless": True} if kind == "WEBP" else {"compression": "tiff_lzw"} if kind == "TIFF-LZW" else {}
    )
    shown = open_image(encode(picture, kind.removesuffix("-LZW"), exif=exif, **options))
    assert shown.size == (48, 32)
    corners = [shown.getpixel(at) for at in ((4, 4), (44, 4), (4, 28), (44, 28))]
    wanted = [(255, 0, 0), (0, 255, 0), (0, 0, 255), (255, 255, 0)]
    assert np.abs(np.array(corners) - np.array(wanted)).max() < 12


@pytest.mark.filterwarnings("ignore:Corrupt EXIF")
def test_broken_exif_does_not_matter():
    data = encode(colour_blocks(), "JPEG", exif=b"Exif\0\0II*\0\xff\xff\xff\xff")
    assert open_image(data).size == (48, 32)


def test_display_p3_is_converted_to_srgb():
    gamma, colour = 2.2, np.array([120, 180, 90])
    picture = Image.new("RGB", (8, 8), tuple(int(c) for c in colour))
    data = encode(picture, "PNG", icc_profile=rgb_profile(DISPLAY_P3, gamma))
    linear = np.linalg.inv(SRGB) @ DISPLAY_P3 @ ((colour / 255) ** gamma)
    assert linear.min() > 0  # inside sRGB, so nothing is clipped
    wanted = srgb_curve(linear)
    assert np.abs(wanted - colour).max() > 8  # ignoring the profile would be seen
    assert np.abs(np.array(pixel(data)) - wanted).max() <= 1.5


@pytest.mark.parametrize("kind", ["JPEG", "WEBP", "TIFF", "AVIF"])
def test_profiles_are_found_in_every_format(kind):
    picture = Image.new("RGB", (16, 16), (0, 200, 0))
    plain = pixel(encode(picture, kind))
    wide = pixel(encode(picture, kind, icc_profile=rgb_profile(DISPLAY_P3, 2.2)))
    assert wide[1] > plain[1] + 3


def test_an_srgb_profile_changes_nothing():
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    picture = noise()
    assert np.array_equal(open_image(encode(picture, "PNG", icc_profile=profile)), picture)


def test_grey_profile_and_profiles_that_do_not_fit():
    grey = Image.new("L", (8, 8), 128)
    wide = rgb_profile(DISPLAY_P3, 2.2)
    assert pixel(encode(grey, "PNG", icc_profile=wide)) == (128, 128, 128)  # colour profile on grey: ignored
    picture = Image.new("RGB", (8, 8), (10, 200, 30))
    for broken in (b"not a profile", wide[:200], wide.replace(b"acsp", b"xxxx")):
        assert pixel(encode(picture, "PNG", icc_profile=broken)) == (10, 200, 30)


@pytest.mark.parametrize("kind", ["JPEG", "TIFF"])
def test_cmyk_is_not_a_negative(kind):
    """JPEG stores CMYK inverted, as Adobe does; TIFF stores it as it is."""
    red = Image.new("CMYK", (16, 16), (0, 255, 255, 0))
    data = encode(red, kind)
    assert kind == "TIFF" or b"Adobe" in data
    assert np.abs(np.array(pixel(data, 8, 8)) - (255, 0, 0)).max() < 8


def test_sixteen_bit_grey_keeps_its_tones():
    ramp = np.linspace(0, 65535, 256).astype(np.uint16).reshape(16, 16)
    wanted = (ramp >> 8).astype(np.uint8)
    for data in (
        encode(Image.fromarray(ramp), "PNG"),
        encode(Image.fromarray(ramp), "TIFF"),
        encode(Image.frombytes("I;16B", (16, 16), ramp.astype(">u2").tobytes()), "TIFF"),
    ):
        assert np.array_equal(np.asarray(open_image(data)), np.repeat(wanted[..., None], 3, axis=2))


def test_sixteen_bit_colour_and_grey_agree():
    value = 0x80FF
    colour = png_chunks(1, 1, 16, 2, b"\0" + struct.pack(">3H", value, 0, 0xFFFF))
    assert pixel(colour) == (0x80, 0, 0xFF)
    grey = png_chunks(1, 1, 16, 0, b"\0" + struct.pack(">H", value))
    assert pixel(grey) == (0x80,) * 3
    half = png_chunks(1, 1, 16, 6, b"\0" + struct.pack(">4H", 0, 0, 0, 0x8000))
    assert np.abs(np.array(pixel(half)) - 127).max() <= 1


def test_white_is_zero_in_sixteen_bit_tiff():
    tags = TiffImagePlugin.ImageFileDirectory_v2()
    tags[262] = 0
    picture = Image.fromarray(np.full((8, 8), 0xF000, np.uint16))
    assert pixel(encode(picture, "TIFF", tiffinfo=tags)) == (15, 15, 15)


@pytest.mark.parametrize(
    ("values", "wanted"),
    [
        (np.array([[0, 128, 255]], np.int32), [0, 128, 255]),
        (np.array([[0, 32768, 65535]], np.int32), [0, 128, 255]),
        (np.array([[0, 500_000, 1_000_000]], np.int32), [0, 128, 255]),
        (np.array([[-100, 0, 100]], np.int32), [0, 128, 255]),
        (np.array([[0, 0.5, 1]], np.float32), [0, 128, 255]),
        (np.array([[0, 100.2, 255]], np.float32), [0, 100, 255]),
        (np.array([[0, 32767.5, 65535]], np.float32), [0, 128, 255]),
        (np.array([[0, np.nan, 1]], np.float32), [0, 0, 255]),
        (np.array([[0, 0, 0]], np.float32), [0, 0, 0]),
    ],
)
def test_integers_and_floats_are_scaled_not_clipped(values, wanted):
    grey = np.asarray(open_image(encode(Image.fromarray(values), "TIFF")))[..., 0]
    assert np.abs(grey[0].astype(int) - wanted).max() <= 1


def test_one_bit():
    picture = Image.new("1", (8, 8), 1)
    picture.putpixel((0, 0), 0)
    data = encode(picture, "PNG")
    assert pixel(data) == (0, 0, 0) and pixel(data, 3, 3) == (255, 255, 255)


def test_transparency_lies_over_white():
    picture = Image.new("RGBA", (3, 1))
    picture.putdata([(0, 0, 0, 0), (255, 0, 0, 128), (1, 2, 3, 255)])
    for data in (
        encode(picture, "PNG"),
        encode(picture, "WEBP", lossless=True, exact=True),
        encode(picture, "TIFF"),
    ):
        assert pixel(data) == (255, 255, 255)
        assert np.abs(np.array(pixel(data, 1)) - (255, 127, 127)).max() <= 1
        assert pixel(data, 2) == (1, 2, 3)


def test_grey_with_transparency():
    picture = Image.new("LA", (2, 1))
    picture.putdata([(0, 0), (40, 255)])
    data = encode(picture, "PNG")
    assert pixel(data) == (255, 255, 255) and pixel(data, 1) == (40, 40, 40)


def test_premultiplied_grey_tiff():
    """ExtraSamples 1: what is stored is grey times alpha."""
    picture = Image.new("LA", (2, 1))
    picture.putdata([(0, 0), (64, 128)])
    extra_samples = struct.pack("<HHI", 338, 3, 1)
    data = encode(picture, "TIFF").replace(extra_samples + b"\2", extra_samples + b"\1")
    assert decode.open_header(data).mode == "La"
    assert pixel(data) == (255, 255, 255)
    assert np.abs(np.array(pixel(data, 1)) - (64 + 127)).max() <= 1


def test_palette_with_transparent_and_half_transparent_entries():
    picture = Image.new("P", (3, 1))
    picture.putpalette([255, 0, 0, 0, 255, 0, 0, 0, 255])
    picture.putdata([0, 1, 2])
    data = encode(picture, "PNG", transparency=bytes([0, 128, 255]))
    assert pixel(data) == (255, 255, 255)
    assert np.abs(np.array(pixel(data, 1)) - (127, 255, 127)).max() <= 1
    assert pixel(data, 2) == (0, 0, 255)
    data = encode(picture, "GIF", transparency=2)
    assert pixel(data) == (255, 0, 0) and pixel(data, 2) == (255, 255, 255)


def test_one_colour_declared_transparent():
    picture = Image.new("RGB", (2, 1), (9, 9, 9))
    picture.putpixel((1, 0), (8, 9, 9))
    data = encode(picture, "PNG", transparency=(9, 9, 9))
    assert pixel(data) == (255, 255, 255) and pixel(data, 1) == (8, 9, 9)


def test_a_profile_is_applied_before_the_white():
    picture = Image.new("RGBA", (2, 1), (0, 200, 0, 255))
    picture.putpixel((1, 0), (0, 200, 0, 0))
    data = encode(picture, "PNG", icc_profile=rgb_profile(DISPLAY_P3, 2.2))
    assert pixel(data)[1] > 203 and pixel(data, 1) == (255, 255, 255)


def test_lab_tiff():
    picture = Image.new("LAB", (4, 4), (255, 128, 128))
    assert np.abs(np.array(pixel(encode(picture, "TIFF"))) - 255).max() <= 2


@pytest.mark.parametrize("kind", ["GIF", "WEBP", "PNG", "TIFF", "AVIF", "MPO"])
def test_an_animation_gives_its_first_frame(kind):
    frames = [Image.new("RGB", (32, 32), colour) for colour in ("red", "blue", "lime")]
    data = encode(frames[0], kind, save_all=True, append_images=frames[1:])
    with Image.open(io.BytesIO(data)) as check:
        assert check.n_frames == 3
    assert np.abs(np.array(pixel(data, 9, 9)) - (255, 0, 0)).max() < 8


def test_nothing_of_the_container_is_left():
    exif = Image.Exif()
    exif[0x0112] = 6
    data = encode(noise(), "JPEG", exif=exif, icc_profile=rgb_profile(DISPLAY_P3, 2.2), comment=b"hello")
    image = open_image(data)
    assert image.info == {} and not image.getexif()
    assert b"Exif" not in encode(image, "JPEG") and b"ICC_PROFILE" not in encode(image, "JPEG")


def test_jpeg_is_decoded_at_full_size():
    """Pillow's draft mode would decode at half size and lose the fine detail."""
    checks = (np.indices((512, 512)).sum(axis=0) % 2 * 255).astype(np.uint8)
    data = encode(Image.fromarray(checks), "JPEG", quality=100)
    assert np.asarray(open_image(data), float).std() > 100


@pytest.fixture
def small_limit(monkeypatch):
    """Pictures of more than 3000 pixels count as large."""
    monkeypatch.setattr(decode, "WHOLE_PIXELS", 3000)


JPEGS = {
    "baseline": {},
    "progressive": {"progressive": True},
    "full colour": {"subsampling": 0},
    "progressive in full colour": {"subsampling": 0, "progressive": True},
    "CMYK": {},
    "progressive CMYK": {"progressive": True},
    "grey": {},
    "MPO": {},
}


def encode_jpeg(kind: str, picture: Image.Image, **options) -> bytes:
    mode = "CMYK" if "CMYK" in kind else "L" if kind == "grey" else "RGB"
    container = "MPO" if kind == "MPO" else "JPEG"
    return encode(picture.convert(mode), container, quality=95, **JPEGS[kind], **options)


@pytest.mark.parametrize("kind", JPEGS)
def test_a_large_jpeg_is_decoded_at_half_its_size_and_shows_the_same(kind, small_limit):
    whole = noise(80, 60).convert("L").convert("RGB") if kind == "grey" else noise(80, 60)
    half = open_image(encode_jpeg(kind, whole))
    assert half.size == (40, 30)
    assert np.abs(squash(half, 8).astype(int) - squash(whole, 8)).mean() < 2


@pytest.mark.parametrize("kind", JPEGS)
def test_up_to_the_limit_a_jpeg_is_decoded_whole(kind, small_limit):
    data = encode_jpeg(kind, noise(60, 50))
    assert np.array_equal(open_image(data), Image.open(io.BytesIO(data)).convert("RGB"))


@pytest.mark.parametrize("kind", ["PNG", "WEBP", "TIFF", "BMP", "GIF", "AVIF"])
def test_what_cannot_be_decoded_smaller_stays_whole(kind, small_limit):
    assert open_image(encode(noise(80, 60), kind)).size == (80, 60)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_large_jpeg_is_turned_upright_too(orientation, small_limit):
    exif = Image.Exif()
    exif[0x0112] = orientation
    data = encode_jpeg("baseline", colour_blocks(96, 64), exif=exif)
    decode.WHOLE_PIXELS = 10_000  # put back by the fixture
    whole = open_image(data)
    decode.WHOLE_PIXELS = 3000
    half = open_image(data)
    assert half.size == tuple(side // 2 for side in whole.size)
    assert np.abs(squash(half, 8).astype(int) - squash(whole, 8)).mean() < 4


@given(st.integers(8, 300), st.integers(8, 300), st.integers(64, 4000))
@settings(max_examples=60, deadline=None)
def test_a_reduced_jpeg_is_as_large_as_the_limit_lets_it_be(width, height, limit):
    data = encode(Image.new("L", (width, height), 99), "JPEG")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(decode, "WHOLE_PIXELS", limit)
        size = open_image(data).size
    fitting = [scale for scale in (1, 2, 4) if width * height <= limit * scale**2]
    scale = fitting[0] if fitting else 8
    assert size == (-(-width // scale), -(-height // scale))


def test_what_was_loaded_at_half_size_is_not_reduced_again(small_limit):
    header = decode.open_header(encode(noise(200, 100), "JPEG"))
    decode.load_pixels(header)
    assert decode.decode(header).size == (50, 25)


@pytest.mark.parametrize("kind", JPEGS)
def test_several_scans_in_full_colour_take_too_much_memory_to_be_reduced(kind):
    data = encode_jpeg(kind, noise())
    assert decode.can_be_reduced(data, decode.open_header(data)) == (
        kind not in ("progressive in full colour", "progressive CMYK")
    )


def scans_apart(data: bytes) -> bytes:
    """A baseline JPEG in full colour, whose first scan is made to name one of its three colours only."""
    at = data.index(b"\xff\xda")
    return data[: at + 2] + b"\x00\x08\x01" + data[at + 5 : at + 7] + b"\x00\x3f\x00" + data[at + 14 :]


def test_a_first_scan_of_some_colours_and_a_head_that_hides_it_count_as_several_scans():
    data = encode_jpeg("full colour", noise())
    at = data.index(b"\xff\xc0")
    for changed in (
        scans_apart(data),
        data[:at] + b"\xff" + data[at:],
        data[:at] + b"\xff\xd0" + data[at:],
        data[: at + 1],
        data[:3],
        data[:2],
    ):
        assert decode.can_be_reduced(data, decode.open_header(data))
        assert not decode.can_be_reduced(changed, decode.open_header(data))


@pytest.mark.parametrize("kind", ["PNG", "WEBP", "TIFF", "BMP", "GIF", "AVIF"])
def test_no_other_format_can_be_reduced(kind):
    data = encode(noise(), kind)
    assert not decode.can_be_reduced(data, decode.open_header(data))


PEAK = """
import re, sys
from pathlib import Path
from src.utils.data.pictures.decode import open_image
data = open(sys.argv[1], "rb").read()
def peak():  # not getrusage's, which begins with that of the process that started this one
    return int(re.search(r"VmHWM:\\s+(\\d+)", Path("/proc/self/status").read_text())[1])
before = peak()
image = open_image(data)
print(peak() - before, *image.size)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="needs Linux's /proc")
def test_fifty_megapixels_need_no_more_memory_than_twenty_four(tmp_path):
    def peak(size, **options):
        path = tmp_path / "a.jpg"
        exif = Image.Exif()
        exif[0x0112] = 6
        path.write_bytes(encode(Image.new("RGB", size, (90, 120, 200)), "JPEG", exif=exif, **options))
        done = subprocess.run(
            [sys.executable, "-c", PEAK, str(path)], capture_output=True, text=True, check=True
        )
        kilobytes, *shown = map(int, done.stdout.split())
        return kilobytes / 1000, tuple(shown)

    before, shown = peak((6000, 4000))
    assert shown == (4000, 6000) and 170 < before < 250
    for options in ({}, {"progressive": True}):
        after, shown = peak((8192, 6144), **options)
        assert shown == (3072, 4096) and after < 1.1 * before


@pytest.mark.parametrize(
    ("data", "code", "words"),
    [
        (b"", "empty", "is empty"),
        (b"<!DOCTYPE html><html><body>404</body></html>", "not_image", "HTML page"),
        (b"\n  <html lang=en>", "not_image", "HTML page"),
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "not_image", "SVG drawing"),
        (b"<?xml version='1.0'?>\n<!-- by a tool -->\n<svg/>", "not_image", "SVG drawing"),
        (b"<?xml version='1.0'?><Error>AccessDenied</Error>", "not_image", "XML document"),
        ("Grüße, nicht gefunden\n".encode(), "not_image", "plain text"),
        (b"%PDF-1.7\n", "not_image", "PDF document"),
        (b"PK\x03\x04\0\0", "not_image", "ZIP archive"),
        (b"\0\0\0\x18ftypheic\0\0\0\0mif1heic", "unsupported", "HEIC"),
        (b"\0\0\0\x18ftypmp42\0\0\0\0isom", "not_image", "video"),
        (b"\0\0\0\x0cJXL \r\n\x87\n", "unsupported", "JPEG XL"),
        (b"8BPS\0\1", "unsupported", "Photoshop"),
        (bytes(range(256)), "not_image", "not a picture of a known kind"),
    ],
)
def test_what_is_no_picture_is_named(data, code, words):
    with pytest.raises(ImageError, match=words) as caught:
        read_pixels(data, name="upload.jpg")
    assert caught.value.code == code
    assert str(caught.value).startswith("upload.jpg ") and "\n" not in str(caught.value)


@pytest.mark.parametrize("kind", ["ICO", "PPM", "TGA", "JPEG2000", "PCX"])
def test_other_formats_of_pillow_stay_closed(kind):
    with pytest.raises(ImageError) as caught:
        open_image(encode(colour_blocks(), kind))
    assert caught.value.code in ("not_image", "unsupported")


def test_paths_that_lead_nowhere(tmp_path):
    with pytest.raises(ImageError, match=r"gone\.jpg does not exist") as caught:
        open_image(tmp_path / "gone.jpg")
    assert caught.value.code == "missing" and isinstance(caught.value, UserError)
    with pytest.raises(ImageError, match="is a folder, not a file") as caught:
        open_image(tmp_path)
    assert caught.value.code == "not_file" and str(tmp_path) in str(caught.value)
    (tmp_path / "loop.jpg").symlink_to("loop.jpg")
    with pytest.raises(ImageError, match="Too many levels of symbolic links") as caught:
        open_image(tmp_path / "loop.jpg")
    assert caught.value.code == "unreadable"
    with pytest.raises(ImageError, match="does not exist"):
        open_image("nul\0.jpg")


def test_pipes_sockets_and_devices_are_never_opened(tmp_path):
    os.mkfifo(tmp_path / "pipe.jpg")
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(tmp_path / "socket.jpg"))
        for path in (tmp_path / "pipe.jpg", tmp_path / "socket.jpg", "/dev/zero"):
            with pytest.raises(ImageError, match="is a pipe, a socket or a device, not a file") as caught:
                open_image(path)
            assert caught.value.code == "not_file"


@pytest.mark.parametrize("tags", [{254: 1}, {50706: b"\1\4\0\0"}])
def test_the_preview_of_a_raw_file_is_not_taken_for_the_picture(tags):
    """Pillow opens DNG, NEF and ARW as TIFF and sees their preview alone."""
    entries = TiffImagePlugin.ImageFileDirectory_v2()
    for tag, value in tags.items():
        entries[tag] = value
        entries.tagtype[tag] = 1 if isinstance(value, bytes) else 4
    with pytest.raises(ImageError, match="is a camera raw file, which is not read: develop it") as caught:
        open_image(encode(colour_blocks(), "TIFF", tiffinfo=entries))
    assert caught.value.code == "unsupported"


@pytest.mark.parametrize(
    "start", [b"II*\0\x10\0\0\0CR\2\0", b"IIU\0", b"IIRO", b"FUJIFILMCCD-RAW", b"\0\0\0\x18ftypcrx "]
)
def test_raw_files_are_named(start):
    with pytest.raises(ImageError, match="camera raw") as caught:
        open_image(start + bytes(40))
    assert caught.value.code == "unsupported"


def cuts(data: bytes) -> list[int]:
    return sorted({random.Random(0).randrange(1, len(data)) for _ in range(40)} | {len(data) // 2})


@pytest.mark.parametrize(
    ("kind", "options"),
    [
        ("PNG", {}),
        ("JPEG", {}),
        ("JPEG", {"progressive": True}),
        ("JPEG", {"quality": 98, "restart_marker_rows": 1}),
        ("WEBP", {}),
        ("GIF", {}),
        ("BMP", {}),
        ("TIFF", {}),
        ("TIFF", {"compression": "tiff_lzw"}),
        ("AVIF", {}),
    ],
)
@pytest.mark.filterwarnings("ignore::UserWarning")
def test_a_cut_file_is_an_error_never_half_a_picture(kind, options):
    data = encode(noise(320, 240), kind, **options)
    whole = read_pixels(data, 64)
    codes = set()
    for cut in cuts(data):
        try:
            assert np.array_equal(read_pixels(data[:cut], 64), whole)  # only the end mark was lost
        except ImageError as error:
            codes.add(error.code)
    assert codes and codes <= {"truncated", "unreadable", "not_image"}
    with pytest.raises(ImageError):
        read_pixels(data[: len(data) // 2])


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "CMYK", "TIFF", "GIF", "WEBP"])
def test_pixels_that_were_loaded_before_come_out_equal(kind):
    exif = Image.Exif()
    exif[0x0112] = 6
    picture = noise(40, 30).convert("CMYK") if kind == "CMYK" else noise(40, 30)
    data = encode(picture, "JPEG" if kind == "CMYK" else kind, exif=exif)
    header = decode.open_header(data)
    decode.load_pixels(header)
    assert decode.decode(header).tobytes() == open_image(data).tobytes()


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP", "BMP"])
def test_a_cut_file_is_called_so(kind):
    data = encode(noise(), kind)
    with pytest.raises(ImageError, match="ends before its picture does") as caught:
        open_image(data[: len(data) * 2 // 3], name="photo")
    assert caught.value.code == "truncated"


SMALL = {kind: encode(noise(24, 18), kind) for kind in ("PNG", "JPEG", "WEBP", "GIF", "BMP", "TIFF", "AVIF")}


@given(st.sampled_from(sorted(SMALL)), st.lists(st.tuples(st.integers(0), st.integers(0, 255)), max_size=12))
@settings(max_examples=300, deadline=None)
@pytest.mark.filterwarnings("ignore::UserWarning")
def test_damaged_bytes_give_a_picture_or_an_image_error(kind, changes):
    data = bytearray(SMALL[kind])
    for position, value in changes:
        data[position % len(data)] = value
    try:
        assert read_pixels(bytes(data), 16, max_pixels=10_000).shape == (16, 16, 3)
    except ImageError as error:
        assert error.code in ("not_image", "unsupported", "too_large", "truncated", "unreadable")
        assert "\n" not in str(error)


@given(st.binary(max_size=200))
@settings(deadline=None)
def test_any_bytes_at_all(data):
    with pytest.raises(ImageError):
        read_pixels(data, 16, max_pixels=10_000)


def test_the_limit_is_checked_on_the_header():
    """These 70 bytes claim 100,000 × 100,000 pixels; nothing of that size is allocated."""
    bomb = png_chunks(100_000, 100_000, 8, 2, b"")
    words = r"100000 × 100000 pixels, that is 10,000\.0 megapixels, more than the limit of 100\.0"
    with pytest.raises(ImageError, match=words) as caught:
        open_image(bomb, name="bomb.png")
    assert caught.value.code == "too_large"


def test_limits_are_the_callers():
    data = encode(noise(100, 50), "PNG")
    assert open_image(data, max_pixels=5000).size == (100, 50)
    with pytest.raises(ImageError, match="100 × 50 pixels"):
        open_image(data, max_pixels=4999)


def test_a_webp_that_declares_a_giant_canvas_is_refused():
    picture = encode(
        Image.new("RGBA", (8, 8)), "WEBP", save_all=True, append_images=[Image.new("RGBA", (8, 8), "red")]
    )
    giant = bytearray(picture)
    assert giant[12:16] == b"VP8X"
    giant[24:30] = (59_999).to_bytes(3, "little") * 2
    with pytest.raises(ImageError) as caught:
        open_image(bytes(giant))
    assert caught.value.code == "too_large"


def test_a_file_too_long_for_its_pixels_is_not_opened(tmp_path):
    path = tmp_path / "film.jpg"
    with path.open("wb") as file:
        file.truncate(9_000)
    with pytest.raises(ImageError, match="too long") as caught:
        open_image(path, max_pixels=1000)
    assert caught.value.code == "too_large"


def test_no_setting_of_the_process_is_touched_or_needed():
    before = (Image.MAX_IMAGE_PIXELS, ImageFile.LOAD_TRUNCATED_IMAGES, list(warnings.filters))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        huge = png_chunks(10_000, 9_500, 1, 0, (b"\0" + bytes(1250)) * 9_500)  # beyond Pillow's own warning
        assert open_image(huge).size == (10_000, 9_500)
    assert before == (Image.MAX_IMAGE_PIXELS, ImageFile.LOAD_TRUNCATED_IMAGES, list(warnings.filters))


def test_threads_read_the_same_bytes():
    files = [encode(noise(seed=seed), kind) for seed in range(4) for kind in SMALL]
    alone = [hashlib.sha256(read_pixels(data)).hexdigest() for data in files]
    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        together = [hashlib.sha256(pixels).hexdigest() for pixels in pool.map(read_pixels, files * 3)]
    assert together == alone * 3


def test_path_and_bytes_agree(tmp_path):
    data = encode(noise(), "JPEG")
    path = tmp_path / "a.jpg"
    path.write_bytes(data)
    assert read_pixels(path).tobytes() == read_pixels(data).tobytes() == read_pixels(str(path)).tobytes()


def test_importing_needs_neither_tensorflow_nor_pandas():
    heavy = "{'tensorflow', 'keras', 'pandas', 'scipy'}"
    code = f"import sys, src.utils.data.pictures.decode; print({heavy} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"


def test_known_pixels_come_out_as_ever():
    """Whoever changes this on purpose changes what every trained model is fed."""
    ramp = np.arange(60 * 40 * 3, dtype=np.uint32).reshape(40, 60, 3) % 251
    pixels = read_pixels(encode(Image.fromarray(ramp.astype(np.uint8)), "PNG"), 16)
    digest = hashlib.sha256(pixels.tobytes()).hexdigest()[:16]
    assert digest == "e86d9f0b9ab7c4e5"
