import io
import struct
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import ExifTags, Image
from PIL.PngImagePlugin import PngInfo

from src.utils.data.pictures.declared import MAX_NOTE, MAX_PARAMETERS, read_credentials, read_declared
from src.utils.data.pictures.decode import ImageError, decode, open_header, open_image
from tests.data.hostile_server import hostile_server, picture_bytes
from tests.data.signing import CAPTURED, GENERATED, sign

STEPS = "a castle\nSteps: 20, Sampler: Euler a, Seed: 1"
NOTHING = {
    **dict.fromkeys(("camera", "software", "taken", "generator", "generator_parameters")),
    **dict.fromkeys(("digital_source", "credentials")),
    "location": False,
    "says_ai": False,
}


def declared(data):
    return read_declared(data, open_header(data))


def save(kind, **options):
    file = io.BytesIO()
    Image.new("RGB", (8, 6)).save(file, kind, **options)
    return file.getvalue()


def png_with(**texts):
    info = PngInfo()
    for key, value in texts.items():
        info.add_itxt(key, value)
    return save("PNG", pnginfo=info)


def exif_with(base=(), details=(), place=()):
    exif = Image.Exif()
    exif.update(base)
    exif.get_ifd(ExifTags.IFD.Exif).update(details)
    exif.get_ifd(ExifTags.IFD.GPSInfo).update(place)
    return exif


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF", "AVIF"])
def test_a_plain_file_declares_its_size_and_nothing_else(kind):
    data = save(kind)
    assert declared(data) == {**NOTHING, "format": kind, "width": 8, "height": 6, "bytes": len(data)}


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "AVIF"])
def test_a_camera_its_date_and_the_presence_of_a_place(kind):
    base = {
        ExifTags.Base.Make: "Canon",
        ExifTags.Base.Model: "EOS R5\x00",
        ExifTags.Base.Software: "GIMP\n2.10",
    }
    details = {ExifTags.Base.DateTimeOriginal: "2024:05:01 12:30:00"}
    place = {ExifTags.GPS.GPSLatitudeRef: "N", ExifTags.GPS.GPSLatitude: (52.0, 31.0, 12.0)}
    facts = declared(save(kind, exif=exif_with(base, details, place)))
    assert (facts["camera"], facts["software"]) == ("Canon EOS R5", "GIMP 2.10")
    assert (facts["taken"], facts["location"]) == ("2024:05:01 12:30:00", True)
    assert not facts["says_ai"] and "52" not in str(facts)


@pytest.mark.parametrize(
    ("make", "model", "camera"),
    [("NIKON", "NIKON D90", "NIKON D90"), ("Apple", "", "Apple"), ("", "Pixel 9", "Pixel 9"), ("", "", None)],
)
def test_the_maker_is_not_said_twice(make, model, camera):
    exif = exif_with({ExifTags.Base.Make: make, ExifTags.Base.Model: model})
    assert declared(save("JPEG", exif=exif))["camera"] == camera


@pytest.mark.parametrize(
    ("texts", "generator", "parameters"),
    [
        ({"parameters": STEPS}, "Stable Diffusion web UI", "a castle Steps: 20, Sampler: Euler a, Seed: 1"),
        ({"prompt": '{"3": {}}', "workflow": '{"nodes": []}'}, "ComfyUI", '{"nodes": []}'),
        ({"invokeai_metadata": "{}"}, "InvokeAI", "{}"),
        ({"Dream": "castle -s 50"}, "InvokeAI", "castle -s 50"),
        ({"Software": "NovelAI", "Description": "castle"}, "NovelAI", "castle"),
        (
            {"Description": "castle --v 6 Job ID: 123e4567-e89b-12d3-a456-426614174000"},
            "Midjourney",
            "castle --v 6 Job ID: 123e4567-e89b-12d3-a456-426614174000",
        ),
    ],
)
def test_what_generators_leave_in_png_text(texts, generator, parameters):
    facts = declared(png_with(**texts))
    assert (facts["generator"], facts["generator_parameters"]) == (generator, parameters)
    assert facts["says_ai"]


@pytest.mark.parametrize("texts", [{"Comment": "made with love"}, {"Software": "GIMP"}, {"parameters": ""}])
def test_ordinary_png_text_names_no_generator(texts):
    assert declared(png_with(**texts))["generator"] is None


def test_png_text_after_the_pixels_is_found():
    data = save("PNG")
    chunk = b"tEXtparameters\x00castle"
    chunk = struct.pack(">I", len(chunk) - 4) + chunk + struct.pack(">I", zlib.crc32(chunk))
    facts = declared(data[:-12] + chunk + data[-12:])
    assert facts["generator_parameters"] == "castle"


@pytest.mark.parametrize(
    "comment",
    [
        b"UNICODE\x00" + STEPS.encode("utf-16-be"),
        b"UNICODE\x00" + STEPS.encode("utf-16-le"),
        b"ASCII\x00\x00\x00" + STEPS.encode(),
    ],
)
@pytest.mark.parametrize("kind", ["JPEG", "WEBP"])
def test_parameters_in_an_exif_comment(kind, comment):
    facts = declared(save(kind, exif=exif_with(details={ExifTags.Base.UserComment: comment})))
    assert facts["generator_parameters"] == "a castle Steps: 20, Sampler: Euler a, Seed: 1"


@pytest.mark.parametrize(
    "note",
    [
        f'Iptc4xmpExt:DigitalSourceType="{GENERATED}"',
        f"<x:DigitalSourceType>{GENERATED}</x:DigitalSourceType>",
    ],
)
@pytest.mark.parametrize("kind", ["JPEG", "WEBP", "PNG"])
def test_the_digital_source_in_xmp(kind, note):
    packet = f'<x:xmpmeta xmlns:x="adobe:ns:meta/"><a {note} xmp:CreatorTool="Firefly"/></x:xmpmeta>'
    if kind == "PNG":
        info = PngInfo()
        info.add_itxt("XML:com.adobe.xmp", packet)
        data = save("PNG", pnginfo=info)
    else:
        data = save(kind, xmp=packet.encode())
    facts = declared(data)
    assert (facts["digital_source"], facts["software"]) == ("trainedAlgorithmicMedia", "Firefly")
    assert facts["says_ai"]


def test_texts_are_cut_and_cleaned():
    facts = declared(png_with(parameters="castle\x1b[31m\u202e " * 5000, Software="x" * 5000))
    assert len(facts["generator_parameters"]) == MAX_PARAMETERS
    assert facts["generator_parameters"].isprintable() and facts["generator_parameters"].endswith("…")
    exif = exif_with({ExifTags.Base.Software: "x" * 5000})
    assert len(declared(save("JPEG", exif=exif))["software"]) == MAX_NOTE


# --- content credentials ----------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
def test_credentials_of_a_generator(kind):
    facts = declared(sign(picture_bytes(kind), f"image/{kind.lower()}"))
    assert facts["credentials"] == {
        "generator": "Imaginarium",
        "issuer": "Example Pictures Ltd",
        "intact": True,
        "digital_source": "trainedAlgorithmicMedia",
    }
    assert facts["says_ai"] and facts["digital_source"] == "trainedAlgorithmicMedia"


def test_credentials_of_a_camera_do_not_speak_of_ai():
    facts = declared(sign(picture_bytes(), sources=(CAPTURED,)))
    assert (facts["digital_source"], facts["says_ai"]) == ("digitalCapture", False)
    assert declared(sign(picture_bytes(), sources=(CAPTURED, GENERATED)))["says_ai"]


def test_a_picture_changed_after_signing_is_not_intact():
    signed = bytearray(sign(picture_bytes(size=(200, 200))))
    signed[-100] ^= 1
    assert declared(bytes(signed))["credentials"]["intact"] is False


def test_credentials_kept_elsewhere_are_not_fetched():
    """The library's own default opens the address, even one of this computer."""
    with hostile_server() as server:
        address = f"http://127.0.0.1:{server.server_port}/ok.jpg"
        data = sign(picture_bytes(), remote=address)
        server.seen.clear()
        assert address.encode() in data
        assert declared(data)["credentials"] is None
        assert server.seen == []


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "GIF", "TIFF", "AVIF"])
def test_a_picture_can_be_decoded_after_its_notes_were_read(kind):
    exif = exif_with({ExifTags.Base.Make: "Canon", ExifTags.Base.Orientation: 6})
    data = save(kind, exif=exif)
    header = open_header(data)
    assert read_declared(data, header)["format"] == kind
    assert decode(header).tobytes() == open_image(data).tobytes()


@pytest.mark.parametrize("rest", [b"", bytes(400)])
def test_a_damaged_png_is_refused_as_the_decoder_refuses_it(rest):
    """Pillow decodes it in silence when it is asked a second time."""
    file = io.BytesIO()
    Image.effect_noise((64, 48), 90).save(file, "PNG")
    data = file.getvalue()[:300] + rest
    with pytest.raises(ImageError) as expected:
        open_image(data)
    with pytest.raises(ImageError) as refused:
        declared(data)
    assert (refused.value.code, str(refused.value)) == (expected.value.code, str(expected.value))


@given(st.binary(max_size=300), st.sampled_from(["JPEG", "PNG", "BMP", "MPO", "TIFF", "GIF"]))
def test_credentials_of_anything_are_none(data, kind):
    assert read_credentials(data, kind) is None


@pytest.mark.filterwarnings("ignore::UserWarning")  # Pillow's, of the damage
@given(st.integers(0, 4000), st.binary(min_size=1, max_size=40))
def test_damaged_notes_never_fail(start, noise):
    exif = exif_with({ExifTags.Base.Make: "Canon"}, {ExifTags.Base.UserComment: b"UNICODE\x00ab"})
    data = bytearray(save("JPEG", exif=exif, xmp=b"<DigitalSourceType>x"))
    start = 20 + start % (len(data) - 20)
    data[start : start + len(noise)] = noise
    try:
        header = open_header(bytes(data))
    except Exception:
        return
    assert set(read_declared(bytes(data), header)) >= set(NOTHING)
