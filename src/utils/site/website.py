"""The website of a run: which pages there are, what stands on them, and writing them all or nothing."""

from __future__ import annotations

import functools
import io
import json
import posixpath
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import jinja2
import nbformat
from markupsafe import Markup
from PIL import Image

from src.utils.datasets import DEMONSTRATION
from src.utils.files import atomic_folder
from src.utils.pipeline.blocks import fill_blocks, results_block
from src.utils.site.convert import TEMPLATES, document_html, notebook_html
from src.utils.site.markup import Place, headings, sections, tidy
from src.utils.site.run import Figure, FinishedRun

START, FIGURES, CARD, DATA, SEARCH = (
    f"{name}.html" for name in ("index", "figures", "model-card", "data", "search")
)
NAVIGATION = (
    (START, "Results"),
    (f"{START}#notebooks", "Notebooks"),
    (FIGURES, "Figures"),
    (CARD, "Model card"),
    (DATA, "Data"),
)
DOCUMENTS = {"README.md": START, "notebooks/README.md": START, "MODEL_CARD.md": CARD, "data/README.md": DATA}
"""Documents of the project and the pages that a link to them leads to."""

HEADLINE = ("11_makers", "11_unseen_models", "05_models")
"""The figure of the start page: the first of these that the run drew."""

Fit = Callable[[str, str, str], str]
"""Makes converted HTML fit for a page: HTML, the document's path in the project, the page's in the site."""

ASSETS = ("site.css", "search.js")
SEARCH_INDEX = "search-index.js"


@dataclass(frozen=True)
class Page:
    """A page of the site.

    Attributes:
        path: Its place in the site, with slashes.
        title: Of the window, and in search results.
        body: HTML of what is its own.
        before: The page before it, where pages have an order.
        after: The page after it.
    """

    path: str
    title: str
    body: str
    before: tuple[str, str] | None = None
    after: tuple[str, str] | None = None

    @property
    def root(self) -> str:
        """What leads from the page to the site's folder: empty, or `../`."""
        return "../" * self.path.count("/")


def write_site(run: FinishedRun, folder: Path) -> Path:
    """Write a run's website in the place of an older one.

    Args:
        run: What the run left.
        folder: `reports/<source>/site`.

    Returns:
        The start page.

    Raises:
        OSError: The folder cannot be written; the old site is still there.
    """
    with atomic_folder(folder) as partial:
        for name, content in site_files(run).items():
            target = partial / name
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(content.read_bytes() if isinstance(content, Path) else content)
    return folder / START


def site_files(run: FinishedRun) -> dict[str, bytes | Path]:
    """Everything that the site consists of.

    Returns:
        Path in the site → the file's content, or the file that it is a copy of.
    """
    files: dict[str, bytes | Path] = {
        f"figures/{path.name}": path for figure in run.figures for path in figure.files
    }
    converted = {}
    for notebook in run.notebooks:
        captions = {one.caption: one.name for one in run.figures if one.notebook == notebook.name}
        converted[notebook.name], pictures = notebook_html(notebook, captions)
        files |= {f"notebooks/pictures/{name}": content for name, content in pictures.items()}
        files[f"notebooks/{notebook.name}.ipynb"] = nbformat.writes(notebook.content).encode()
    targets, sizes = _targets(run, files), _sizes(files)

    def fit(html: str, origin: str, page: str) -> str:
        return tidy(html, Place(origin, page, targets, sizes))

    pages = [
        _start(run, fit, sizes),
        *_notebook_pages(run, converted, fit),
        _figures_page(run, sizes),
        _document(CARD, "Model card", "MODEL_CARD.md", run, fit),
        _document(DATA, "Data", "data/README.md", run, fit),
        Page(SEARCH, "Search", _render("search.html")),
    ]
    files |= {page.path: _around(page, run).encode() for page in pages}
    files |= {name: TEMPLATES / name for name in ASSETS}
    files |= {path.name: path for path in run.downloads}
    files[SEARCH_INDEX] = _search_index(pages).encode()
    return files


def _targets(run: FinishedRun, files: Mapping[str, object]) -> dict[str, str]:
    """Where links of documents and notebooks lead: path in the project → path in the site."""
    figures = {f"docs/{name}": name for name in files if name.startswith("figures/")}
    pictures = {
        f"notebooks/{posixpath.basename(name)}": name
        for name in files
        if name.startswith("notebooks/pictures/")
    }
    notebooks = {f"notebooks/{one.name}.ipynb": f"notebooks/{one.name}.html" for one in run.notebooks}
    return DOCUMENTS | figures | pictures | notebooks | {FIGURES: FIGURES}


def _sizes(files: Mapping[str, bytes | Path]) -> dict[str, tuple[int, int]]:
    """Width and height of each picture in pixels."""
    sizes = {}
    for name, content in files.items():
        if name.endswith((".png", ".jpg", ".jpeg")):
            with Image.open(io.BytesIO(content) if isinstance(content, bytes) else content) as image:
                sizes[name] = image.size
    return sizes


def _start(run: FinishedRun, fit: Fit, sizes: Mapping[str, tuple[int, int]]) -> Page:
    """The results, and the way to everything else."""
    by_name = {figure.name: figure for figure in run.figures}
    headline = next((by_name[name] for name in HEADLINE if name in by_name), None)
    results = results_block(run.metrics) if run.metrics["models"] else "This run measured no model."
    body = _render(
        "index.html",
        run=run,
        notice=DEMONSTRATION if run.settings.dataset.demonstration else "",
        results=Markup(fit(document_html(results), "README.md", START)),
        figure=headline,
        size=headline and sizes[f"figures/{headline.files[0].name}"],
    )
    return Page(START, "Human or AI?", body)


def _notebook_pages(run: FinishedRun, converted: Mapping[str, str], fit: Fit) -> list[Page]:
    """A page for each notebook, with the one before it and the one after it."""
    links = [(f"{one.name}.html", one.title) for one in run.notebooks]
    pages = []
    for number, notebook in enumerate(run.notebooks):
        path = f"notebooks/{notebook.name}.html"
        content = fit(converted[notebook.name], f"notebooks/{notebook.name}.ipynb", path)
        title, end, cells = content.partition("</h1>")
        body = _render(
            "notebook.html",
            notebook=notebook,
            title=Markup(title + end),
            cells=Markup(cells),
            headings=headings(cells),
        )
        before = links[number - 1] if number else None
        after = links[number + 1] if number + 1 < len(links) else None
        pages.append(Page(path, notebook.title, body, before, after))
    return pages


def _figures_page(run: FinishedRun, sizes: Mapping[str, tuple[int, int]]) -> Page:
    """Every figure with its caption, its notebook and its files."""
    titles = {one.name: one.title for one in run.notebooks}
    groups: dict[str, list[Figure]] = {}
    for figure in run.figures:
        groups.setdefault(figure.notebook, []).append(figure)
    return Page(
        FIGURES, "Figures", _render("figures.html", groups=groups, titles=titles, sizes=sizes, run=run)
    )


def _document(path: str, title: str, origin: str, run: FinishedRun, fit: Fit) -> Page:
    """A document of the project, its results those of this run."""
    text = (run.settings.root / origin).read_text(encoding="utf-8")
    if run.metrics["models"]:
        text = fill_blocks(text, {"results": run.metrics})
    return Page(path, title, fit(document_html(text), origin, path))


def _search_index(pages: list[Page]) -> str:
    """A script that holds the text of every section: from the disk no page may read another file as data."""
    rows = [
        {"page": page.path, "title": page.title, **section._asdict()}
        for page in pages
        if page.path != SEARCH
        for section in sections(page.body)
        if section.text
    ]
    return f"const SEARCH_INDEX = {json.dumps(rows, ensure_ascii=False, indent=0)};\n"


def _around(page: Page, run: FinishedRun) -> str:
    """The whole page: its own part with head, navigation and foot."""
    return _render("base.html", page=page, body=Markup(page.body), about=run.about, navigation=NAVIGATION)


def _render(template: str, **facts: object) -> str:
    return _environment().get_template(template).render(**facts)


@functools.cache
def _environment() -> jinja2.Environment:
    return jinja2.Environment(
        loader=jinja2.FileSystemLoader(TEMPLATES),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
    )
