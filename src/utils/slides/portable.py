"""The same talk as a PDF, one page a slide: text that can be selected, an outline, alt texts.

It is drawn here, so no office program is needed. Notes are in the PowerPoint file only.
"""

from __future__ import annotations

import datetime
from pathlib import Path

from fpdf import FPDF

from src.utils.files import atomic_path
from src.utils.slides.layout import HIGH, WIDE, Bar, Box, Page, Shown, Words
from src.utils.slides.text import LINE, font_file, width

_FACE = "DejaVu"
_ASCENT = 0.95
"""From the top of a line to its foot, in its type size."""

_EPOCH = datetime.datetime(1980, 1, 1, tzinfo=datetime.UTC)


def write_pdf(pages: list[Page], title: str, path: Path) -> None:
    """Write a talk, all or nothing.

    Args:
        pages: From `layout.lay_out`.
        title: The file's title.
        path: Such as `reports/sample/slides.pdf`.
    """
    document = FPDF(unit="in", format=(WIDE, HIGH))
    document.set_auto_page_break(False)
    document.set_margin(0)
    document.set_title(title)
    document.set_lang("en")
    document.set_creation_date(_EPOCH)
    for bold in (False, True):
        document.add_font(_FACE, "B" if bold else "", font_file(bold))
    for page in pages:
        document.add_page()
        _fill(document, Bar(0, 0, WIDE, HIGH, page.background))
        document.set_font(_FACE, "", 12)
        document.start_section(page.slide.title)
        for box in page.boxes:
            _draw(document, box)
    with atomic_path(path) as temporary:
        temporary.write_bytes(bytes(document.output()))


def _draw(document: FPDF, box: Box) -> None:
    if isinstance(box, Bar):
        _fill(document, box)
    elif isinstance(box, Shown):
        whole = box.height / (1 - box.cut)
        with document.rect_clip(box.x, box.y, box.width, box.height):
            document.image(
                box.picture.path,
                box.x,
                box.y - whole * box.cut,
                box.width,
                whole,
                alt_text=f"{box.picture.alt} {box.picture.caption}",
            )
    elif isinstance(box, Words):
        _write(document, box)


def _fill(document: FPDF, bar: Bar) -> None:
    document.set_fill_color(bar.colour)
    document.rect(bar.x, bar.y, bar.width, bar.height, style="F")


def _write(document: FPDF, box: Words) -> None:
    document.set_font(_FACE, "B" if box.bold else "", box.size)
    document.set_text_color(box.colour)
    line, foot = box.size * LINE / 72, box.y + box.size * _ASCENT / 72
    for lines in box.paragraphs:
        for text in lines:
            left = box.x + (box.width - width(text, box.size, box.bold) if box.right else 0)
            document.text(left, foot, text)
            foot += line
        foot += box.gap
