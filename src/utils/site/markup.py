"""Make converted HTML fit for the site: own links, quiet content, tables that scroll, headings to link to."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Mapping
from typing import NamedTuple
from urllib.parse import unquote, urlsplit

from bs4 import BeautifulSoup, Tag
from bs4.element import NavigableString

from src.utils.plots.figure.style import unbroken

ACTIVE = ["script", "style", "iframe", "object", "embed", "link", "meta", "base", "form", "audio", "video"]
"""Elements that run something, restyle the page or ask somebody else for something."""

INLINE = {"a", "b", "code", "em", "i", "mark", "span", "strong"}
"""Elements that do not part words."""

HEADINGS = ["h1", "h2", "h3", "h4"]


class Section(NamedTuple):
    """A part of a page, from one heading to the next."""

    anchor: str
    heading: str
    text: str


class Place(NamedTuple):
    """Where converted HTML comes from and where it goes.

    Attributes:
        origin: The document's path in the project, which its links start from.
        page: The page's path in the site.
        targets: Path in the project → path in the site, of all that a link may lead to.
        sizes: Path in the site → width and height in pixels, of its pictures.
    """

    origin: str
    page: str
    targets: Mapping[str, str] = {}
    sizes: Mapping[str, tuple[int, int]] = {}


def tidy(html: str, place: Place) -> str:
    """Make converted HTML fit for a page of the site.

    Nothing active stays. Links within the project lead to the site's pages, those that have none become plain
    text, pictures that the site does not have become a sentence. Wide tables scroll within the page, headings
    get ids as GitHub gives them, each once.
    """
    soup = BeautifulSoup(html, "html.parser")
    for tag in soup(ACTIVE):
        tag.decompose()
    for tag in soup(True):
        for name in [name for name in tag.attrs if name in ("style", "border") or name.startswith("on")]:
            del tag[name]
    for link in soup("a"):
        _lead(link, place)
    for image in soup("img"):
        _show(image, place)
    for table in soup("table"):
        _let_scroll(table, soup)
    taken: set[str] = set()
    for heading in soup(HEADINGS):
        heading["id"] = _free(_slug(heading.get_text()), taken)
    return str(soup)


def sections(html: str) -> list[Section]:
    """Cut a page into what lies under each of its headings, as text for the search."""
    found: list[tuple[str, str, list[str]]] = [("", "", [])]
    for node in BeautifulSoup(html, "html.parser").descendants:
        if isinstance(node, Tag) and node.name in HEADINGS:
            found.append((str(node.get("id", "")), _plain(node.get_text()), []))
        elif isinstance(node, Tag) and node.name not in INLINE:
            found[-1][2].append(" ")
        elif isinstance(node, NavigableString) and node.find_parent([*HEADINGS, "nav"]) is None:
            found[-1][2].append(node)
    return [Section(anchor, heading, _plain("".join(texts))) for anchor, heading, texts in found]


def headings(html: str, level: str = "h2") -> list[tuple[str, str]]:
    """Id and text of a page's headings of one level, in order."""
    return [(str(tag["id"]), _plain(tag.get_text())) for tag in BeautifulSoup(html, "html.parser")(level)]


def _lead(link: Tag, place: Place) -> None:
    """Let a link lead to the site's page, or to the web; or take it off."""
    address = urlsplit(str(link.get("href", "")))
    if link.get_text() == link.get("href"):  # an address that a text or a table quotes: nobody is sent there
        link.unwrap()
    elif address.scheme in ("http", "https", "mailto"):
        link["rel"] = "noopener noreferrer"
    elif address.scheme or not (address.path or address.fragment):
        link.unwrap()
    elif address.path:
        target = _target(address.path, place)
        if target is None:
            link.unwrap()
        else:
            link["href"] = target + (f"#{address.fragment}" if address.fragment else "")


def _show(image: Tag, place: Place) -> None:
    """Let a picture come from the site; say so where the site does not have it."""
    address = urlsplit(str(image.get("src", "")))
    image["alt"] = str(image.get("alt", ""))
    if address.scheme == "data":
        return
    target = None if address.scheme or address.netloc else _target(address.path, place)
    if target is None:
        image.replace_with(f"(Not shown here: {image['alt'] or 'a picture without a description'}.)")
        return
    image["src"], image["loading"] = target, "lazy"
    whole = posixpath.normpath(posixpath.join(posixpath.dirname(place.page), target))
    if size := place.sizes.get(whole):
        image["width"], image["height"] = map(str, size)


def _target(path: str, place: Place) -> str | None:
    """The relative address, from the page, of what a document's link leads to."""
    named = posixpath.normpath(posixpath.join(posixpath.dirname(place.origin), unquote(path)))
    target = place.targets.get(named)
    return None if target is None else posixpath.relpath(target, posixpath.dirname(place.page) or ".")


def _let_scroll(table: Tag, soup: BeautifulSoup) -> None:
    """Put a table into a box that scrolls, by the keyboard too; a heading without words is no heading.

    Intervals stay in one piece.
    """
    _join_head(table)
    if table.thead and not table.thead.get_text(strip=True):
        table.thead.decompose()
    for text in table.find_all(string=re.compile(r"\[")):
        text.replace_with(unbroken(text))
    for cell in table("th"):
        if not cell.get_text(strip=True):
            cell.name = "td"
        else:
            cell["scope"] = "col" if cell.find_parent("thead") else "row"
    box = soup.new_tag(
        "div", attrs={"class": "wide", "tabindex": "0", "role": "group", "aria-label": "Table"}
    )
    table.wrap(box)


def _join_head(table: Tag) -> None:
    """Write the names of a data frame's index, a row of their own, into the empty cells above them."""
    rows = table.select("thead tr")
    cells = [row("th") for row in rows]
    if len(rows) != 2 or len(cells[0]) != len(cells[1]):
        return
    pairs = [(above, below) for above, below in zip(*cells, strict=True) if below.get_text(strip=True)]
    if all(not above.get_text(strip=True) for above, _ in pairs):
        for above, below in pairs:
            above.replace_with(below.extract())
        rows[1].decompose()


def _slug(text: str) -> str:
    return re.sub(r"\s", "-", re.sub(r"[^\w\s-]", "", text.strip().lower())) or "part"


def _free(slug: str, taken: set[str]) -> str:
    """The slug, or with a number if a heading has it already."""
    number, free = 0, slug
    while free in taken:
        number += 1
        free = f"{slug}-{number}"
    taken.add(free)
    return free


def _plain(text: str) -> str:
    return " ".join(text.split())
