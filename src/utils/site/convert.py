"""Executed notebooks and Markdown documents as HTML that is not yet anybody's page."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from pathlib import Path

from nbconvert import HTMLExporter
from nbconvert.filters.markdown_mistune import IPythonRenderer, MarkdownWithMath
from nbconvert.preprocessors import ExtractOutputPreprocessor
from traitlets.config import Config

from src.utils.site.run import Notebook

TEMPLATES = Path(__file__).with_name("templates")

SHOWN = ["text/html", "text/markdown", "image/png", "image/jpeg", "text/plain"]
"""Kinds of output by preference; scripts and widgets are none of them."""


def notebook_html(notebook: Notebook, figures: Mapping[str, str]) -> tuple[str, dict[str, bytes]]:
    """Convert an executed notebook by this room's template.

    Args:
        notebook: The notebook.
        figures: Caption → name of its saved figures, which are shown with their caption and a link.

    Returns:
        HTML without a head, and the pictures that it shows by their names.
    """
    html, resources = _exporter().from_notebook_node(
        notebook.content, {"unique_key": notebook.name, "figures": dict(figures)}
    )
    return html, {Path(name).name: content for name, content in resources["outputs"].items()}


def document_html(text: str) -> str:
    """Convert Markdown as GitHub reads it, tables included."""
    return MarkdownWithMath(renderer=IPythonRenderer(escape=False, exclude_anchor_links=True)).render(text)


@functools.cache
def _exporter() -> HTMLExporter:
    return HTMLExporter(
        template_name="notebook",
        extra_template_basedirs=[str(TEMPLATES)],
        exclude_anchor_links=True,
        preprocessors=[ExtractOutputPreprocessor(extract_output_types={"image/png", "image/jpeg"})],
        config=Config({"NbConvertBase": {"display_data_priority": SHOWN}}),
    )
