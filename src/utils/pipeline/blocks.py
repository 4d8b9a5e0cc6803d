"""Parts of the documents that runs and benchmarks fill: what stands between two marks.

Each function takes a promoted report and gives Markdown.
"""

from __future__ import annotations

import re
import statistics
from collections.abc import Callable, Iterable
from typing import Any

from src.utils.analysis.scoring.results import HEADLINE, difference_name
from src.utils.datasets import DATASETS
from src.utils.names import interval_text, metric_name, model_name
from src.utils.pipeline.stages import load_stages
from src.utils.settings import PROJECT_ROOT

ELSEWHERE = "elsewhere"
"""Entry of the benchmark's facts: the reports of other processors."""

MILLION = 1_000_000
MACHINES = (1, 10, 100)
PICTURE_WISE = {
    "a folder of files": "predictions by the deck's network",
    "VGG19 labels of files": "labels by VGG19",
}
"""Tasks of the benchmark that can be divided among machines picture by picture, and what they are."""


def markdown_table(header: list[str], rows: list[list[str]]) -> str:
    """Lay out a Markdown table."""
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def results_block(results: dict[str, Any]) -> str:
    """The headline table: a row a model, on the test split and on unseen sources, then a row a difference."""
    unseen = results.get("unseen", {})
    rows = [
        _headline_row(f"{model_name(name)} (`{name}`)", entry, unseen.get(name, {}))
        for name, entry in results["models"].items()
    ]
    rows += [
        _headline_row(f"*{difference_name(pair)}*", splits.get("test", {}), splits.get("unseen", {}))
        for pair, splits in results.get("comparisons", {}).items()
    ]
    columns = [f"{metric_name(metric)}, {split}" for split in ("test", "unseen") for metric in HEADLINE]
    table = markdown_table(["Model", *columns], rows)
    counts = f"{results['n_train']} training, {results['n_validation']} validation, {results['n_test']} test"
    dataset = DATASETS[results["source"]].title.capitalize()
    return (
        f"{table}\n\n"
        f"{dataset}, {results['split']} split, seed {results['seed']}: {counts} pictures. "
        "Brackets are 95 % intervals from a bootstrap over originals, not over crops; differences are paired "
        "over the same originals. *Unseen* are generators and photo sources that no training met."
    )


def _headline_row(title: str, test: dict[str, Any], unseen: dict[str, Any]) -> list[str]:
    return [title, *(interval_text(part.get(metric)) for part in (test, unseen) for metric in HEADLINE)]


def notebooks_block(results: dict[str, Any]) -> str:
    """The table of notebooks, from `notebooks/stages.toml`."""

    def listed(entries: Iterable[str]) -> str:
        return ", ".join(f"`{entry}`" for entry in entries)

    rows = [
        [
            f"[{stage.name}]({stage.name}.ipynb)",
            stage.question,
            listed(stage.reads),
            listed(stage.writes),
            f"{stage.minutes:g}",
        ]
        for stage in load_stages(PROJECT_ROOT)
    ]
    return markdown_table(["notebook", "question", "reads", "writes", "minutes"], rows)


def speed_block(benchmark: dict[str, Any]) -> str:
    """The speed on each kind of processor that was measured, the newest report first."""
    return "\n\n".join(_speed_of(report) for report in (benchmark, *benchmark.get(ELSEWHERE, ())))


def _speed_of(benchmark: dict[str, Any]) -> str:
    """Work done our way and another, beside the machine's limit, and the rates that the limits come from."""
    server = benchmark["server"]
    rows = [_speed_row(task["name"], task, "pictures_per_second") for task in benchmark["tasks"]]
    for to, part in (("", server), (" to `best`", server.get("best", {}))):
        rows += [
            _speed_row(f"uploads{to} from {number} client{'s' * (number != '1')}", row, "requests_per_second")
            for number, row in part.get("clients", {}).items()
        ]
    table = markdown_table(
        ["pictures per second", "the deck's way", "here", "faster", "limit", "reached"], rows
    )
    sentences = (
        _measured_on(benchmark),
        f"Training is in {benchmark['machine']['training_precision']}.",
        *_limits_of(benchmark),
        *_seconds_of(benchmark),
        *_evaluating_of(benchmark),
    )
    return f"{table}\n\n{' '.join(sentences)}"


def _speed_row(title: str, row: dict[str, Any], rate: str) -> list[str]:
    """A line of the table; what was not measured stays empty."""
    limit, other = row.get("limit"), f" ({row['other']})" if "other" in row else ""
    return [
        title,
        f"{row['deck'][rate]:,.1f}{other}" if "deck" in row else "",
        f"{row['ours'][rate]:,.1f}",
        f"{row['times_faster']:.1f}×" if "times_faster" in row else "",
        f"{limit['pictures_per_second']:,.1f}" if limit else "",
        f"{limit['share']:.0%}" if limit else "",
    ]


def _limits_of(benchmark: dict[str, Any]) -> list[str]:
    """What the limits come from: the machine's rates, medians over all rows that they stand for."""
    rates: dict[tuple[str, str], list[float]] = {}
    for row in (*benchmark["tasks"], *benchmark["server"]["clients"].values()):
        for name, one in row.get("limit", {}).get("rates", {}).items():
            rates.setdefault((name, one["unit"]), []).append(one["rate"])
    if not rates:
        return []
    told = [f"{name} {statistics.median(some):,.0f} {unit}" for (name, unit), some in rates.items()]
    return [
        "The limit is what the machine could do if it did nothing but the multiplying, decoding or copying "
        f"that the work cannot do without, measured in the same turns: {', '.join(told)}."
    ]


def _seconds_of(benchmark: dict[str, Any]) -> list[str]:
    """How long commands take."""
    seconds = benchmark.get("once", {}).get("seconds", {})
    told = [f"{name} {number:.1f} s" for name, number in seconds.items()]
    return [f"From start to end: {', '.join(told)}."] if told else []


def _evaluating_of(benchmark: dict[str, Any]) -> list[str]:
    """How fast a detector is judged, beside asking it."""
    found = benchmark.get("evaluating")
    if not found:
        return []
    predict, evaluate = (
        f"{found[name]['pictures_per_second']:.1f} on {found[name]['busy_cores']:.1f} cores"
        for name in ("predict", "evaluate")
    )
    return [
        f"`make evaluate` of `best`, {found['pictures']:,} pictures scored twice and reported on: "
        f"{evaluate}; `make predict`: {predict}."
    ]


def serving_block(benchmark: dict[str, Any]) -> str:
    """What the servers need and how fast they answer, with the deck's network and with the best model."""
    rows = []
    for model, part in (
        ("the deck's CNN", benchmark["server"]),
        ("best", benchmark["server"].get("best", {})),
    ):
        for way, title in (("deck", "the deck's development server"), ("ours", "gunicorn, as set up here")):
            if way not in part.get("start_seconds", {}):
                continue
            loads = [row[way] for row in part["clients"].values()]
            answers = [
                f"{load['requests_per_second']:,.1f} ({load['p50_ms']:,.0f}, {load['p95_ms']:,.0f})"
                for load in loads
            ]
            rows.append(
                [
                    model,
                    title,
                    f"{part['start_seconds'][way]:.1f}",
                    f"{part['memory_mb'][way]:,.0f}",
                    *answers,
                ]
            )
    clients = [f"{number} client{'s' * (number != '1')}" for number in benchmark["server"]["clients"]]
    table = markdown_table(["model", "server", "ready after, s", "memory, MB", *clients], rows)
    return (
        f"{table}\n\nUploads per second, in brackets the median and the 95th percentile of the time to an "
        f"answer in milliseconds; memory of all processes together after the load. {_measured_on(benchmark)}"
    )


def detector_block(benchmark: dict[str, Any]) -> str:
    """What a network of the architecture of the field's open detectors costs."""
    found = benchmark.get("detector")
    if not found:
        return "Not measured yet: `make benchmark` does."
    rows = [
        [
            name,
            f"{one['file_mb']:.0f}",
            f"{one['milliseconds_alone']:,.0f}",
            f"{one['pictures_per_second']:,.1f}",
            f"{one['busy_cores']:.1f}",
            f"{one['memory_mb']:,.0f}" if one["memory_mb"] else "–",
        ]
        for name, one in found["precisions"].items()
    ]
    header = [
        "computed in",
        "file, MB",
        "one picture alone, ms",
        "pictures a second",
        "busy cores",
        "memory, MB",
    ]
    machine = benchmark["machine"]
    return (
        f"{markdown_table(header, rows)}\n\n{found['network']}, {found['parameters'] / 1e6:.1f} million "
        f"parameters, each precision in a process of its own; medians. {machine['processor']}, "
        f"{machine['cores']} cores."
    )


def million_block(benchmark: dict[str, Any]) -> str:
    """Hours that a million pictures take on machines like the one measured: its own rates and a division."""
    decoding = benchmark["once"]["decoding_pictures_per_second"]
    rates = {"decoding into the pixel cache, once": decoding} | {
        PICTURE_WISE[task["name"]]: task["ours"]["pictures_per_second"]
        for task in benchmark["tasks"]
        if task["name"] in PICTURE_WISE
    }
    rows = [
        [name, f"{rate:,.1f}", *(_hours(MILLION / rate / machines) for machines in MACHINES)]
        for name, rate in rates.items()
    ]
    counted = [f"hours, {machines} machine{'s' * (machines > 1)}" for machines in MACHINES]
    table = markdown_table(["work", "pictures a second here", *counted], rows)
    return f"{table}\n\n{_measured_on(benchmark)}"


def _hours(seconds: float) -> str:
    """Hours with two digits, or whole ones."""
    hours = seconds / 3600
    return f"{hours:,.0f}" if hours >= 10 else f"{hours:.2g}"


def scaling_block(several: dict[str, Any]) -> str:
    """Pictures a second by the number of workers."""
    machine = several["machine"]
    rows = [
        [
            f"{row['workers']} worker{'s' * (row['workers'] > 1)}"
            if row["workers"]
            else "without a scheduler",
            *(f"{rate:,.1f}" for rate in row["pictures_per_second"].values()),
        ]
        for row in several["rows"]
    ]
    table = markdown_table(["pictures a second", *several["rows"][0]["pictures_per_second"]], rows)
    return (
        f"{table}\n\n{machine['processor']}, {machine['cores']} cores, load "
        f"{machine['load_average']} at the end, {several['pictures']}; one run of "
        "`python -m benchmarks.several_machines`."
    )


def _measured_on(benchmark: dict[str, Any]) -> str:
    machine = benchmark["machine"]
    return (
        f"{machine['processor']}, {machine['cores']} cores, {benchmark['pictures']}; medians of turns in one "
        "run of `make benchmark`, clients on the same machine."
    )


BLOCKS: dict[str, tuple[str, Callable[[dict[str, Any]], str]]] = {
    "results": ("results", results_block),
    "notebooks": ("results", notebooks_block),
    "speed": ("benchmark", speed_block),
    "serving": ("benchmark", serving_block),
    "detector": ("benchmark", detector_block),
    "million": ("benchmark", million_block),
    "scaling": ("several_machines", scaling_block),
}
"""Generated parts of the documents, each between `<!-- NAME:begin -->` and `<!-- NAME:end -->`, with the file
below docs/ that they are made from and what makes them."""


def fill_blocks(text: str, facts: dict[str, dict[str, Any]]) -> str:
    """Replace every generated block of a document.

    Args:
        text: The document.
        facts: The promoted reports that are there, by name.

    Returns:
        The document with its blocks made from `facts`; those without any, and everything else, untouched.

    Raises:
        KeyError: The document names a block that nobody makes.
    """

    def fill(match: re.Match[str]) -> str:
        name = match["name"]
        source, make = BLOCKS[name]
        return (
            f"<!-- {name}:begin -->\n{make(facts[source])}\n<!-- {name}:end -->"
            if source in facts
            else match[0]
        )

    return re.sub(r"<!-- (?P<name>\w+):begin -->.*?<!-- (?P=name):end -->", fill, text, flags=re.DOTALL)
