"""What models and metrics are called where people read them, and how a number is written there.

Also how a name that is data (of a file, a generator, a photo source) is written into a sentence, Markdown or
a figure. In tables and files it stays exactly what it is.
"""

from __future__ import annotations

import math
import re
import unicodedata
from typing import NamedTuple

from src.utils.estimate import Estimate

MODEL_NAMES = {
    "always_ai": "Always answers AI",
    "metadata_only": "File facts (no pixels)",
    "linear_probe": "Linear probe (frozen encoder)",
    "cnn_deck": "Deck's CNN (faithful)",
    "cnn_scaled": "Deck's CNN (fair training)",
    "best": "Improved model",
}
"""The project's models in the order of every table."""


class Metric(NamedTuple):
    """Where a metric is shown, and as what.

    Attributes:
        title: Its name for people.
        in_table: Whether tables of models have a column for it.
        on_card: Whether the page's card of the model lists it.
    """

    title: str
    in_table: bool = False
    on_card: bool = False


METRICS = {
    "accuracy": Metric("Accuracy", in_table=True, on_card=True),
    "balanced_accuracy": Metric("Balanced accuracy", in_table=True, on_card=True),
    "precision": Metric("Precision", in_table=True, on_card=True),
    "recall": Metric("Recall", in_table=True, on_card=True),
    "f1": Metric("F1 (AI)", in_table=True, on_card=True),
    "f1_macro": Metric("F1 (macro)"),
    "auc": Metric("ROC-AUC", in_table=True, on_card=True),
    "average_precision": Metric("Average precision", in_table=True),
    "brier": Metric("Brier score", on_card=True),
    "ece": Metric("Calibration error", on_card=True),
    "brier_calibrated": Metric("Brier score, calibrated"),
    "ece_calibrated": Metric("Calibration error, calibrated"),
    "brier_venn_abers": Metric("Brier score, Venn-Abers"),
    "ece_venn_abers": Metric("Calibration error, Venn-Abers"),
    "interval_width": Metric("Mean width of the intervals"),
    "ece_by_chance": Metric("Calibration error by chance"),
    "threshold_fpr5": Metric("Threshold for a false-positive rate of 5 %"),
    "false_positive_rate_fpr5": Metric("False-positive rate there"),
    "recall_fpr5": Metric("Recall there"),
    "false_positive_rate": Metric("False-positive rate"),
    "answered": Metric("Share with a verdict"),
    "right": Metric("Right among verdicts"),
    "right_without": Metric("Right if it always answered"),
    "twin_above_its_photograph": Metric("Twin ranked above its photograph"),
}
"""Every metric, in the order of every table."""

ALL_CONTAINER = "all container facts"
"""The shortcut audit's row for a model on all container facts together."""

FACT_NAMES = {
    "bytes_per_pixel": "bytes per pixel",
    "exif": "EXIF data",
    "format": "file format",
    "icc": "colour profile",
    "jpeg_quality": "JPEG quality",
    "mode": "pixel mode",
    "multiple_of_64": "sides multiples of 64",
    "multiple_of_8": "sides multiples of 8",
    "progressive": "progressive JPEG",
    "quantisation": "JPEG tables",
    "subsampling": "JPEG subsampling",
}


def model_name(model: str) -> str:
    """Name of a model for people; one that is not the project's stands for itself."""
    return MODEL_NAMES.get(model, model)


def metric_name(metric: str) -> str:
    """Name of a metric for people."""
    return METRICS[metric].title if metric in METRICS else metric.replace("_", " ").capitalize()


def fact_name(fact: str) -> str:
    """Name of a fact about a picture or its file for people."""
    return FACT_NAMES.get(fact, fact.replace("_", " "))


def one_line(text: str) -> str:
    """Write a text on one line: line breaks, tabs and other control characters as their escapes."""
    breaking = ("Cc", "Cs", "Zl", "Zp")  # controls, halves of characters, separators of lines and paragraphs
    return "".join(
        one.encode("unicode_escape").decode() if unicodedata.category(one) in breaking else one
        for one in text
    )


def short_name(name: str, most: int = 34) -> str:
    """Write a name for a place of little room, such as a tick of a figure: one line, its end cut off."""
    plain = one_line(name)
    return plain if len(plain) <= most else f"{plain[: most - 1].rstrip()}…"


def as_it_is(text: str) -> str:
    """Write a text into Markdown so that it is shown as it is, whatever Markdown, HTML or TeX it looks like.

    Args:
        text: Any text. One without special characters stays; another becomes one code span, written in HTML
            because that holds in a table, too, and because mathematics is not looked for in it.
    """
    plain = one_line(text)
    if not re.search(r"[\\`*{}\[\]<>#|$&~^!]|(?<!\w)_|_(?!\w)", plain):
        return plain
    return "<code>" + re.sub(r"[^\w ]|_", lambda one: f"&#{ord(one[0])};", plain) + "</code>"


def percent(share: float) -> str:
    """Write a share as whole percents: `64 %`; `–` if there is none."""
    return "–" if math.isnan(share) else f"{100 * share:.0f} %"


def interval_text(estimate: Estimate | None, digits: int = 2) -> str:
    """Write a number with its interval: `0.64 [0.55, 0.72]`, or what is known of it; `–` for None.

    Args:
        estimate: The number.
        digits: Digits after the point.
    """
    return "–" if estimate is None else estimate.text(digits)


def percent_text(estimate: Estimate) -> str:
    """Write a share as whole percents with its interval: `39 % [29 %, 47 %]`; `–` if there is none."""
    if estimate.value is None:
        return "–"
    ends = "" if None in (estimate.low, estimate.high) else f" [{estimate.low:.0%}, {estimate.high:.0%}]"
    return percent(estimate.value) + ends.replace("%", " %")
