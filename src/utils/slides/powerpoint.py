"""A talk as a PowerPoint file: native text, titles as titles, alt texts, notes.

The same talk gives the same bytes.
"""

from __future__ import annotations

import datetime
import io
import re
import zipfile
from pathlib import Path

from pptx import Presentation
from pptx.dml.color import RGBColor
from pptx.enum.shapes import MSO_SHAPE
from pptx.enum.text import MSO_ANCHOR, MSO_AUTO_SIZE, PP_ALIGN
from pptx.opc.constants import RELATIONSHIP_TYPE
from pptx.oxml.ns import qn
from pptx.presentation import Presentation as Deck
from pptx.shapes.autoshape import Shape
from pptx.slide import Slide as Sheet
from pptx.slide import SlideLayout
from pptx.util import Inches, Pt

from src.utils.files import atomic_path
from src.utils.plots.figure.style import AI, FAINT, HUMAN, INK, QUIET
from src.utils.slides.layout import HIGH, WIDE, Bar, Page, Shown, Words

TYPEFACE = "Verdana"
"""On every Windows and Mac; its letters are as wide as those of DejaVu Sans, which Linux takes instead."""

_TITLE_ONLY = 5
"""The one layout of python-pptx's template that is kept, cleared of what this project does not use."""

_LONG_AGO = (1980, 1, 1, 0, 0, 0)
"""The earliest date a ZIP file can hold."""

_THEME = {
    "dk1": INK,
    "lt1": "#FFFFFF",
    "dk2": QUIET,
    "lt2": FAINT,
    "accent1": HUMAN,
    "accent2": AI,
    "accent3": "#009E73",
    "accent4": "#6A3D9A",
    "accent5": "#CC79A7",
    "accent6": "#8A6200",
    "hlink": HUMAN,
    "folHlink": "#6A3D9A",
}
"""The house colours under the names of PowerPoint's themes, so that what somebody adds looks alike."""


def write_powerpoint(pages: list[Page], title: str, path: Path) -> None:
    """Write a talk, all or nothing.

    Args:
        pages: From `layout.lay_out`.
        title: The file's title.
        path: Such as `reports/sample/slides.pptx`.
    """
    deck = Presentation()
    layout = _own_template(deck)
    for page in pages:
        sheet = deck.slides.add_slide(layout)
        sheet.background.fill.solid()
        sheet.background.fill.fore_color.rgb = _colour(page.background)
        for box in page.boxes:
            _draw(sheet, box)  # pyright: ignore[reportArgumentType]
        sheet.notes_slide.notes_text_frame.text = _plain("\n".join(page.slide.notes))  # pyright: ignore[reportOptionalMemberAccess]
    facts = deck.core_properties
    facts.title, facts.author, facts.last_modified_by = title, "Human or AI", ""
    facts.created = facts.modified = datetime.datetime(*_LONG_AGO)
    buffer = io.BytesIO()
    deck.save(buffer)
    with atomic_path(path) as temporary:
        temporary.write_bytes(_without_dates(buffer))


def _own_template(deck: Deck) -> SlideLayout:
    """Make python-pptx's template this project's: 16:9, one layout, own type and colours."""
    deck.slide_width, deck.slide_height = Inches(WIDE), Inches(HIGH)
    layouts = deck.slide_layouts
    layout = layouts[_TITLE_ONLY]
    for other in [one for one in layouts if one is not layout]:
        layouts.remove(other)
    layout.name = "Finding"
    for part in (layout, deck.slide_master):
        for shape in list(part.placeholders):  # pyright: ignore[reportArgumentType]
            if shape.placeholder_format.type != layout.placeholders[0].placeholder_format.type:
                shape.element.getparent().remove(shape.element)
            else:
                shape.left, shape.top = Inches(0.55), Inches(0.62)
                shape.width, shape.height = Inches(WIDE - 1.1), Inches(1.05)
    package = deck.part.package
    for key, relation in list(package._rels.items()):
        if relation.reltype == RELATIONSHIP_TYPE.THUMBNAIL:  # a picture of the template
            package.drop_rel(key)
    theme = deck.slide_master.part.part_related_by(RELATIONSHIP_TYPE.THEME)
    text = theme.blob.decode("utf-8")
    for name, colour in _THEME.items():
        value = f'<a:{name}><a:srgbClr val="{colour[1:]}"/></a:{name}>'
        text = re.sub(rf"<a:{name}>.*?</a:{name}>", value, text, flags=re.DOTALL)
    text = re.sub(r'<a:latin typeface="[^"]*"', f'<a:latin typeface="{TYPEFACE}"', text)
    text = re.sub(r'name="Office[^"]*"', 'name="Human or AI"', text)
    theme.blob = text.encode("utf-8")
    return layout


def _draw(sheet: Sheet, box: Bar | Words | Shown) -> None:
    place = tuple(Inches(one) for one in (box.x, box.y, box.width, box.height))
    if isinstance(box, Bar):
        bar = sheet.shapes.add_shape(MSO_SHAPE.RECTANGLE, *place)
        bar.fill.solid()
        bar.fill.fore_color.rgb = _colour(box.colour)
        bar.line.fill.background()
        _decorative(bar)
    elif isinstance(box, Shown):
        figure = sheet.shapes.add_picture(str(box.picture.path), *place)
        figure.crop_top = box.cut
        properties = figure._element.nvPicPr.cNvPr  # pyright: ignore[reportAttributeAccessIssue]
        properties.set("descr", f"{box.picture.alt} {box.picture.caption}")
        properties.set("name", box.picture.path.stem)
    else:
        shape = sheet.shapes.title if box.role == "title" else sheet.shapes.add_textbox(*place)
        shape.left, shape.top, shape.width, shape.height = place  # pyright: ignore[reportOptionalMemberAccess]
        _write(shape, box)  # pyright: ignore[reportArgumentType]


def _decorative(bar: Shape) -> None:
    """A bar says nothing: an empty alt text, a name that tells, and no shadow of the theme's."""
    bar.name = "Bar"
    bar._element.remove(bar._element.find(qn("p:style")))
    bar._element.nvSpPr.cNvPr.set("descr", "")


def _write(shape: Shape, box: Words) -> None:
    frame = shape.text_frame
    frame.word_wrap, frame.auto_size, frame.vertical_anchor = True, MSO_AUTO_SIZE.NONE, MSO_ANCHOR.TOP
    frame.margin_left = frame.margin_right = frame.margin_top = frame.margin_bottom = Inches(0)
    for number, lines in enumerate(box.paragraphs):
        paragraph = frame.paragraphs[0] if number == 0 else frame.add_paragraph()
        paragraph.alignment = PP_ALIGN.RIGHT if box.right else PP_ALIGN.LEFT
        paragraph.line_spacing, paragraph.space_before = 1.0, Pt(box.gap * 72 if number else 0)
        run = paragraph.add_run()
        run.text = " ".join(lines)
        run.font.size, run.font.bold, run.font.name = Pt(box.size), box.bold, TYPEFACE
        run.font.color.rgb = _colour(box.colour)


def _plain(markdown: str) -> str:
    """The notebooks' sentences without their marks for emphasis and code."""
    return re.sub(r"[*`]", "", markdown)


def _colour(colour: str) -> RGBColor:
    return RGBColor.from_string(colour[1:])


def _without_dates(written: io.BytesIO) -> bytes:
    """The same ZIP file with one old date for every part."""
    clean = io.BytesIO()
    with zipfile.ZipFile(written) as source, zipfile.ZipFile(clean, "w", zipfile.ZIP_DEFLATED) as target:
        for name in source.namelist():
            part = zipfile.ZipInfo(name, _LONG_AGO)
            part.compress_type = zipfile.ZIP_DEFLATED
            target.writestr(part, source.read(name))
    return clean.getvalue()
