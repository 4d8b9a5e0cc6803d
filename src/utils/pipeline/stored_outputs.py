"""What the notebooks in git keep of a run: no noise, and pictures light enough for the web."""

from __future__ import annotations

import base64
import io
from typing import Any

from PIL import Image


def clean_outputs(notebook: dict[str, Any]) -> dict[str, Any]:
    """Keep of an executed notebook what a reader needs: no stderr, no timings, no machine facts."""
    without_noise(notebook)
    for cell in notebook["cells"]:
        for output in cell.get("outputs", []):
            _make_lighter(output.get("data", {}), output.get("metadata", {}))
    notebook["metadata"].pop("language_info", None)
    notebook["metadata"]["kernelspec"] = {"display_name": "Python 3", "language": "python", "name": "python3"}
    return notebook


def without_noise(notebook: dict[str, Any]) -> dict[str, Any]:
    """Take progress bars, warnings and timings out of an executed notebook."""
    for cell in notebook["cells"]:
        cell["metadata"].pop("execution", None)
        if cell["cell_type"] == "code":
            cell["outputs"] = [output for output in cell["outputs"] if output.get("name") != "stderr"]
    return notebook


def lighter_picture(png: bytes) -> tuple[str, bytes]:
    """Encode a stored plot for git: in 128 colours, or as JPEG where that is less than half (photographs).

    Args:
        png: A PNG file.

    Returns:
        Media type and file.
    """
    with Image.open(io.BytesIO(png)) as image:
        pixels = image.convert("RGB")
    palette, photograph = io.BytesIO(), io.BytesIO()
    pixels.quantize(128, dither=Image.Dither.NONE).save(palette, "PNG", optimize=True)
    pixels.save(photograph, "JPEG", quality=72, optimize=True)
    if 2 * photograph.tell() < palette.tell():
        return "image/jpeg", photograph.getvalue()
    return "image/png", palette.getvalue()


def _make_lighter(data: dict[str, Any], metadata: dict[str, Any]) -> None:
    """Exchange an output's PNG for a lighter picture; its alt text goes along."""
    if "image/png" in data:
        kind, content = lighter_picture(base64.b64decode(data.pop("image/png")))
        data[kind] = base64.b64encode(content).decode("ascii")
        metadata[kind] = metadata.pop("image/png", {})
