"""What an evaluation leaves in `reports/evaluate/<name>/`: scores, metrics, figures and one page."""

from __future__ import annotations

import base64
import csv
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jinja2
import pandas as pd

from src.utils.analysis.scoring.tables import table_records
from src.utils.estimate import Estimate
from src.utils.files import atomic_path, write_json, write_text
from src.utils.judge.deliveries import AS_IT_IS, delivery_title
from src.utils.judge.figures import save_figures
from src.utils.judge.judgement import Answers, Judgement, Worst
from src.utils.judge.measure import COMPARED, METRICS
from src.utils.judge.reference import METRICS_FILE, SCORES_FILE
from src.utils.judge.tables import left_out_table
from src.utils.names import fact_name, metric_name, one_line
from src.utils.plots.figure.saving import SavedFigure
from src.utils.story.judging import calibrated_elsewhere

SCHEMA = 1
PAGE_FILE = "report.html"
SCORE_COLUMNS = (
    *("detector", "delivery", "file_name", "content", "label", "group", "generator", "origin"),
    *("score", "probability_ai", "predicted", "error"),
)

_TEMPLATE = Path(__file__).with_name("page.html")


def write_report(judgement: Judgement, compared: dict[str, Any] | None, folder: Path, seed: int = 0) -> Path:
    """Write everything; each file is whole or is not there, and the page comes last.

    Args:
        judgement: What was found.
        compared: From `reference.compare_with`, or None.
        folder: `reports/evaluate/<name>`; made if needed.
        seed: Seed of the resamples.

    Returns:
        The page.
    """
    write_scores(folder / SCORES_FILE, judgement)
    record = metrics_record(judgement, compared, seed)
    write_json(folder / METRICS_FILE, record)
    figures = save_figures(judgement, folder / "figures", seed)
    write_text(folder / PAGE_FILE, page(judgement, record, figures, folder.name))
    return folder / PAGE_FILE


def write_scores(path: Path, judgement: Judgement) -> None:
    """Write a row for each picture, detector and delivery; then one for each file that could not be read."""
    with (
        atomic_path(path) as temporary,
        temporary.open("w", newline="", encoding="utf-8", errors="surrogateescape") as file,
    ):
        writer = csv.DictWriter(
            file, SCORE_COLUMNS, lineterminator="\n", restval="", quoting=csv.QUOTE_MINIMAL
        )
        writer.writeheader()
        writer.writerows(_score_rows(judgement))


def metrics_record(judgement: Judgement, compared: dict[str, Any] | None, seed: int) -> dict[str, Any]:
    """All numbers as `metrics.json` has them; estimates are objects of value, low and high."""
    pictures = judgement.pictures
    images = pictures.part.images
    groups = images.groupby("label")["group"].nunique()
    return {
        "schema": SCHEMA,
        "folder": one_line(pictures.name),
        "seed": seed,
        "pictures": {
            "readable": len(images),
            "human": int((images["label"] == 0).sum()),
            "ai": int((images["label"] == 1).sum()),
            "groups_human": int(groups.get(0, 0)),
            "groups_ai": int(groups.get(1, 0)),
            "unreadable": [
                {"file_name": one_line(row.file_name), "reason": row.reason}
                for row in pictures.unreadable.itertuples()
            ],
        },
        "audit": judgement.audit,
        "detectors": {
            one.name: {
                "title": one.title,
                "about": one.about,
                "calibrated": one.calibrated,
                "threshold": one.threshold,
                "deliveries": judgement.metrics[one.name],
                "sources": table_records(judgement.sources[one.name]),
                "left_out": table_records(judgement.left_out[one.name]),
            }
            for one in judgement.answers
        },
        "cheap": {name: found._asdict() for name, found in judgement.explained.items()},
        "worst_delivery": {name: found._asdict() for name, found in judgement.worst.items()},
        "differences": judgement.differences,
        "reference": compared,
    }


def page(judgement: Judgement, record: dict[str, Any], figures: list[SavedFigure], name: str) -> str:
    """The report as one HTML page that needs no other file."""
    environment = jinja2.Environment(autoescape=True, trim_blocks=True, lstrip_blocks=True)
    template = environment.from_string(_TEMPLATE.read_text(encoding="utf-8"))
    return template.render(
        name=name,
        record=record,
        lines=headline(judgement),
        deliveries=[(one, delivery_title(one)) for one in judgement.deliveries],
        metrics=[(metric, metric_name(metric)) for metric in METRICS],
        compared=[(metric, metric_name(metric)) for metric in COMPARED],
        sources={one.name: _source_rows(judgement.sources[one.name]) for one in judgement.answers},
        left_out={one.name: left_out_table(judgement.left_out[one.name]) for one in judgement.answers},
        figures=[
            {
                "data": base64.b64encode(one.preview).decode("ascii"),
                "caption": one_line(one.caption),
                "alt": one_line(one.alt),
            }
            for one in figures
        ],
        fact_name=fact_name,
        delivery_title=delivery_title,
    )


def headline(judgement: Judgement) -> list[str]:
    """The report's lines: each detector minus the best of what is cheap, worst delivery, new generators."""
    lines = []
    for one in judgement.answers:
        for delivery, found in judgement.explained.items():
            auc = judgement.metrics[one.name][delivery]["auc"]
            start = f"{one.title}, pictures {delivery_title(delivery)}: ROC-AUC {auc.text()}"
            lines.append(f"{start}; {_against(found.best, found.above.get(one.name))}.")
        if one.name in judgement.worst:
            lines.append(_worst_line(one, judgement.worst[one.name], judgement.metrics[one.name]))
        lines.append(calibrated_elsewhere(one.title, judgement.left_out[one.name]))
    return lines


def _worst_line(one: Answers, worst: Worst, metrics: dict[str, dict]) -> str:
    """Recall and false-positive rate through the worst delivery, and as the pictures are."""
    left, before = (
        f"recall {metrics[name]['recall'].text()}, false-positive rate "
        f"{metrics[name]['false_positive_rate'].text()}"
        for name in (worst.delivery, AS_IT_IS)
    )
    return (
        f"{one.title}, worst of {worst.among} deliveries, {delivery_title(worst.delivery)}: {left}; "
        f"as they are, {before}; it costs {worst.costs['balanced_accuracy'].text()} of balanced accuracy."
    )


def _against(best: str, above: Estimate | None) -> str:
    if above is None or above.value is None:
        return "too few groups to tell what something cheap could do"
    said = f"minus the best cheap classifier ({best}) that is {above.text()}"
    if above.low is None or above.high is None:
        return said
    if above.low > 0:
        return f"{said}: more than anything cheap explains"
    return (
        f"{said}: nothing shown that is beyond it"
        if above.high >= 0
        else f"{said}: less than that classifier"
    )


def _score_rows(judgement: Judgement) -> Iterator[dict[str, Any]]:
    kept = ["file_name", "content", "label", "group", "generator", "origin"]
    rows = judgement.pictures.part.images[kept].to_dict("records")
    for one in judgement.answers:
        for delivery, answers in one.said.items():
            both = zip(answers.score.tolist(), answers.probability.tolist(), strict=True)
            for row, (score, said) in zip(rows, both, strict=True):
                called = int(said >= one.threshold)
                yield (
                    row
                    | {"detector": one.name, "delivery": delivery}
                    | {
                        "score": score,
                        "probability_ai": said,
                        "predicted": called,
                    }
                )
    for row in judgement.pictures.unreadable.to_dict("records"):
        yield {name: row[name] for name in kept} | {"error": row["reason"]}


def _source_rows(table: pd.DataFrame) -> list[dict[str, Any]]:
    return [
        {
            "generator": bool(row["label"]),
            "source": one_line(row["source"]),
            "pictures": row["pictures"],
            "groups": row["groups"],
            "called_ai": Estimate.from_row(row, "called_ai").text(),
            "auc": Estimate.from_row(row, "auc").text(),
        }
        for row in table.to_dict("records")
    ]
