import io
import re

import pytest
from PIL import Image

from src.utils.data.pictures.decode import ImageError, open_header, open_image
from src.utils.data.pictures.formats import FORMATS, IMAGE_SUFFIXES, OTHER_KINDS, list_formats
from src.utils.settings import PROJECT_ROOT


def saved_as(kind):
    file = io.BytesIO()
    Image.new("RGB", (24, 18), "teal").save(file, kind)
    return file.getvalue()


@pytest.mark.parametrize("known", FORMATS, ids=lambda known: known.name)
def test_a_format_is_what_pillow_calls_so(known):
    """Its endings, its media type and how it begins, as Pillow writes it."""
    Image.init()
    kind = known.name.upper()
    data = saved_as(kind)
    begins = [other.name for other in FORMATS if re.match(other.start, data, re.DOTALL)]
    assert begins == [known.name]
    assert Image.MIME[kind] == known.media_type
    assert {Image.EXTENSION[suffix] for suffix in known.suffixes} == {kind}
    header = open_header(data)
    assert header.format == kind and isinstance(header, type(known.open(io.BytesIO(data))))


def test_no_name_or_ending_is_there_twice():
    assert len(IMAGE_SUFFIXES) == sum(len(known.suffixes) for known in FORMATS) == 10
    assert len({known.name for known in FORMATS}) == len(FORMATS) == 7


def test_formats_in_a_sentence():
    assert list_formats("or") == "PNG, JPEG, WebP, GIF, BMP, TIFF or AVIF"
    with pytest.raises(ImageError, match=re.escape(list_formats("or"))):
        open_image(b"%PDF-1.7")


def test_the_readme_names_every_format():
    text = " ".join((PROJECT_ROOT / "README.md").read_text(encoding="utf-8").split())
    assert f"{list_formats('and')} are read" in text


@pytest.mark.parametrize("known", FORMATS, ids=lambda known: known.name)
def test_what_is_read_is_taken_for_nothing_else(known):
    data = saved_as(known.name.upper())[:1024]
    kinds = {kind for start, kind in OTHER_KINDS.items() if re.match(start, data, re.DOTALL | re.IGNORECASE)}
    assert kinds <= {"a video, not a picture"}  # AVIF is a kind of it, and found before
