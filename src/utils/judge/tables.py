"""What was judged as tables for people: numbers with their intervals as text."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pandas as pd

from src.utils.estimate import Estimate
from src.utils.judge.deliveries import AS_IT_IS, delivery_title
from src.utils.judge.judgement import Judgement
from src.utils.judge.left_out import MEASURED
from src.utils.judge.measure import COMPARED
from src.utils.names import metric_name, model_name, one_line

SHOWN = ("auc", "balanced_accuracy", "f1", "recall", "false_positive_rate")
"""Metrics that a table of detectors has, if no others are asked for."""


def detector_table(
    judgement: Judgement,
    metrics: Sequence[str] = SHOWN,
    also: Mapping[str, Mapping[str, Estimate]] | None = None,
    absent: Mapping[str, str] | None = None,
) -> pd.DataFrame:
    """A row for each detector and delivery, a column a metric.

    Args:
        judgement: What was found.
        metrics: Which columns.
        also: By model, what was measured of it on the pictures as they are, such as of one that sees none.
        absent: By detector that could not be asked, why, or how to get it.
    """
    measured = {
        (one.title, delivery_title(name)): judgement.metrics[one.name][name]
        for one in judgement.answers
        for name in judgement.explained
    }
    measured |= {(model_name(name), delivery_title(AS_IT_IS)): found for name, found in (also or {}).items()}
    rows = {
        place: {metric_name(metric): found[metric].text() for metric in metrics}
        for place, found in measured.items()
    }
    nothing = dict.fromkeys(map(metric_name, metrics), "–")
    rows |= {(name, f"not asked: {why}"): nothing for name, why in (absent or {}).items()}
    return pd.DataFrame.from_dict(rows, orient="index").rename_axis(["Detector", "Pictures"])


def cheap_table(judgement: Judgement) -> pd.DataFrame | str:
    """ROC-AUC of what is cheap, then of the detectors, a column a delivery; a sentence on too few groups."""
    titles = {one.name: one.title for one in judgement.answers}
    columns = {
        f"ROC-AUC, {delivery_title(name)}": {
            titles.get(ranked, ranked): auc.text() for ranked, auc in found.auc.items()
        }
        for name, found in judgement.explained.items()
    }
    if not any(columns.values()):
        return "A class has fewer than five groups: nothing cheap can be fitted on some and tried on others."
    return pd.DataFrame(columns).fillna("–").rename_axis("Ranked by")


def difference_table(differences: Mapping[str, Mapping[str, Mapping[str, Estimate]]]) -> pd.DataFrame:
    """A row for each pair of detectors and delivery, a column for each of `COMPARED`.

    Args:
        differences: By pair `A_minus_B`, then by delivery.
    """
    rows = {
        (*map(model_name, pair.split("_minus_")), delivery_title(name)): {
            metric_name(metric): found[metric].text() for metric in COMPARED
        }
        for pair, deliveries in differences.items()
        for name, found in deliveries.items()
    }
    return pd.DataFrame.from_dict(rows, orient="index").rename_axis(["Detector", "minus", "Pictures"])


def left_out_table(left_out: pd.DataFrame) -> pd.DataFrame | str:
    """What a calibration made here does on sources that it had not met; a sentence where there are none.

    Args:
        left_out: From `left_out.leave_sources_out`.
    """
    if left_out.empty:
        return "No class has two sources of known name with five groups each: none can be left out."
    titles = {name: metric_name(name) for name in MEASURED} | {
        "change": "Brier score, minus where it was met"
    }
    return pd.DataFrame(
        {
            "Left out": [one_line(source) for source in left_out["source"]],
            "Class": ["generator" if label else "photo source" for label in left_out["label"]],
            "Groups": left_out["groups"],
        }
        | {
            titles[name]: [Estimate.from_row(row, name).text() for row in left_out.to_dict("records")]
            for name in MEASURED
        }
    ).set_index(["Left out", "Class"])
