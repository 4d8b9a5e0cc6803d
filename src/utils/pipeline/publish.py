"""Promote the sample's full run into what the repository shows: docs, README, model card, stored outputs.

For maintainers (`make publish`). Nothing here is typed by hand: numbers come from
`reports/sample/metrics.json` and, for speed, `reports/benchmark.json`; pictures from `figures/sample`,
notebook outputs from the executed copies. Tests compare the documents with the promoted copies of both
reports, so a number cannot drift from its run.
"""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path
from typing import Any

from PIL import Image

from src.utils.estimate import read_estimates
from src.utils.files import atomic_path, read_json, write_text
from src.utils.pipeline.blocks import BLOCKS, ELSEWHERE, fill_blocks
from src.utils.pipeline.stages import Stage, load_stages, why_stale
from src.utils.pipeline.stored_outputs import clean_outputs
from src.utils.settings import PROJECT_ROOT, Settings, UserError

SHOWING = (
    *("README.md", "MODEL_CARD.md", "notebooks/README.md"),
    *("docs/DEPLOYMENT.md", "docs/DETECTORS.md", "docs/SEVERAL_MACHINES.md"),
)
"""Documents with generated blocks and promoted figures."""

FIGURE_WIDTH = 1280
"""Width in pixels of the figures that the documents show."""


def read_facts(docs: Path) -> dict[str, dict[str, Any]]:
    """The promoted reports that are there, by name: what blocks are made from."""
    names = {source for source, _ in BLOCKS.values()}
    files = {name: docs / f"{name}.json" for name in names}
    facts = {name: read_json(file, read_estimates) for name, file in files.items() if file.is_file()}
    if "benchmark" in facts:
        facts["benchmark"][ELSEWHERE] = [read_json(file) for file in sorted(docs.glob("benchmark_*.json"))]
    return facts


def keep_benchmark(docs: Path, report: dict[str, Any]) -> None:
    """Put a promoted benchmark aside if it comes from another processor than the one that replaces it.

    Args:
        docs: The folder with `benchmark.json`; of each other processor it keeps the newest report.
        report: What is about to be promoted.
    """
    promoted = docs / "benchmark.json"
    if promoted.is_file():
        processor = read_json(promoted)["machine"]["processor"]
        promoted.replace(docs / _benchmark_of(processor))
    (docs / _benchmark_of(report["machine"]["processor"])).unlink(missing_ok=True)


def _benchmark_of(processor: str) -> str:
    """File name of another processor's report, such as `benchmark_intel_xeon.json`."""
    words = re.findall("[a-z0-9]+", re.sub(r"\(\w+\)| processor", "", processor.lower()))
    return f"benchmark_{'_'.join(words)}.json"


def shown_figures(text: str) -> list[str]:
    """File names under `docs/figures/` that a document shows."""
    return sorted(set(re.findall(r"docs/figures/([\w.-]+)", text)))


def promote_figure(source: Path, target: Path) -> None:
    """Copy a figure at the documents' width."""
    with Image.open(source) as image, atomic_path(target) as temporary:
        height = round(image.height * FIGURE_WIDTH / image.width)
        smaller = image.convert("RGB").resize((FIGURE_WIDTH, height), Image.Resampling.LANCZOS)
        smaller.save(temporary, optimize=True, quality=88)


def publish(root: Path = PROJECT_ROOT) -> list[Path]:
    """Promote the sample's full run.

    Args:
        root: The project's folder.

    Returns:
        The files written.

    Raises:
        UserError: The run is missing or not up to date, or a document shows a figure that no notebook made.
    """
    settings = Settings.from_env({"DATA_SOURCE": "sample"}, root)
    stages = load_stages(root)
    for stage in stages:
        if reason := why_stale(stage, settings):
            raise UserError(
                f"{stage.name} is not up to date ({reason}): run DATA_SOURCE=sample make reproduce."
            )
    written = _promote_reports(settings, root)
    facts = read_facts(root / "docs")
    for name in SHOWING:
        if (root / name).is_file():
            written += _update_document(root / name, facts, settings.figures_dir, root / "docs" / "figures")
    return written + [_store_outputs(stage, settings) for stage in stages]


def _promote_reports(settings: Settings, root: Path) -> list[Path]:
    """Copy the reports that are there to docs/."""
    docs, reports, written = root / "docs", root / "reports", []
    for report, promoted in (
        (settings.reports_dir / "metrics.json", "results.json"),
        (reports / "benchmark.json", "benchmark.json"),
        (reports / "several_machines.json", "several_machines.json"),
    ):
        if report.is_file():
            if promoted == "benchmark.json":
                keep_benchmark(docs, read_json(report))
            write_text(docs / promoted, json.dumps(read_json(report), indent=2) + "\n")
            written.append(docs / promoted)
    return written


def _update_document(
    document: Path, facts: dict[str, dict[str, Any]], figures: Path, promoted: Path
) -> list[Path]:
    """Promote the figures that a document shows, and fill its blocks."""
    text, written = document.read_text(encoding="utf-8"), []
    for figure in shown_figures(text):
        if not (figures / figure).is_file():
            raise UserError(
                f"{document.name} shows docs/figures/{figure}, which no notebook makes: correct its name."
            )
        promote_figure(figures / figure, promoted / figure)
        written.append(promoted / figure)
    write_text(document, fill_blocks(text, facts))
    return [*written, document]


def _store_outputs(stage: Stage, settings: Settings) -> Path:
    """Write a notebook as it was executed, cleaned."""
    executed = read_json(settings.reports_dir / "notebooks" / f"{stage.name}.ipynb")
    write_text(stage.path, json.dumps(clean_outputs(executed), indent=1, ensure_ascii=False) + "\n")
    return stage.path


def main() -> int:
    """Run `publish` and list what it wrote."""
    try:
        written = publish()
    except UserError as error:
        print(error, file=sys.stderr)
        return 1
    for path in written:
        print(path.relative_to(PROJECT_ROOT))
    return 0


if __name__ == "__main__":
    sys.exit(main())
