"""What is known of detectors on pictures that they had not met, in sentences (notebook 14)."""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd

from src.utils.estimate import Estimate
from src.utils.names import as_it_is, interval_text, percent
from src.utils.story.reading import read_difference


def which_pictures(split: str, pictures: int, groups: int) -> str:
    """Say which pictures are judged on.

    Args:
        split: `unseen`, or `test` where the dataset has no unseen set.
        pictures: How many.
        groups: Their groups.
    """
    count = f"{pictures:,} pictures of the {split} split, one of each original, in {groups:,} groups."
    if split == "unseen":
        return f"{count} No model of this project met their sources."
    return f"{count} This dataset has no unseen set: their sources may be known to detectors trained on it."


def as_they_are_and_alike(title: str, metrics: Mapping[str, Mapping[str, Estimate]]) -> str:
    """Say how a detector ranks the pictures as they are, and once all were made alike.

    Args:
        title: The detector's name for people.
        metrics: By delivery, the pictures as they are first: `auc`, `recall`, `false_positive_rate`.
    """
    first, alike = list(metrics.values())[:2]
    return (
        f"{title}: ROC-AUC {interval_text(first['auc'])}, and {interval_text(alike['auc'])} once all "
        f"pictures were made alike; recall {interval_text(first['recall'])} and false-positive rate "
        f"{interval_text(first['false_positive_rate'])} as they are."
    )


def beside_cheap(title: str, best: str, cheap: Estimate | None, above: Estimate | None) -> str:
    """Say what something cheap reaches on the same pictures, and whether the detector is better.

    Args:
        title: The detector's name for people.
        best: The best cheap classifier; empty where a class has too few groups to fit one.
        cheap: Its ROC-AUC.
        above: The detector's ROC-AUC minus that.
    """
    if not best or cheap is None or above is None:
        return "A class has too few groups to fit anything cheap beside the detectors."
    return (
        f"The best that something cheap does is {interval_text(cheap)} ({best}). {title} minus that: "
        f"{interval_text(above)}, {_meaning(above, 'more than anything cheap explains', 'less than that')}."
    )


def paired(first: str, second: str, differences: Mapping[str, Estimate]) -> list[str]:
    """Say whether one detector ranks better than another on the same pictures.

    Args:
        first: A detector's name for people.
        second: The other's.
        differences: By the pictures' name, the ROC-AUC of the first minus that of the second.
    """
    return [
        f"{first} minus {second} on {where}: ROC-AUC {interval_text(found)}, "
        f"{_meaning(found, 'better on pictures like these', 'worse on pictures like these')}."
        for where, found in differences.items()
    ]


def beside_others(
    title: str, differences: Mapping[str, Estimate], where: str, absent: Mapping[str, str]
) -> list[str]:
    """Say how a model of this project stands beside detectors of others, or how to get them.

    Args:
        title: The model's name for people.
        differences: By detector that was asked, the model's ROC-AUC minus its.
        where: The pictures' name.
        absent: By detector that was not asked, how to get it.
    """
    said = [one for other, found in differences.items() for one in paired(title, other, {where: found})]
    if differences:
        said.append(
            "What detectors of others learned on is not known in full: they may have met sources that are "
            "unseen to the models of this project."
        )
    if absent:
        ways = "; ".join(f"`{name}`: {as_it_is(why)}" for name, why in absent.items())
        said.append(f"Detectors of others that were not asked: {ways}. Then run this notebook again.")
    return said


def says_always_ai(metrics: Mapping[str, Estimate]) -> str:
    """Say what a detector that looks at nothing gets.

    Args:
        metrics: Of `always_ai` on the pictures as they are: `f1`, `recall`, `false_positive_rate`.
    """
    recall, rate = (metrics[name].value or 0.0 for name in ("recall", "false_positive_rate"))
    return (
        f"Answering AI every time has an F1 of {interval_text(metrics['f1'])}: recall {percent(recall)}, and "
        f"{percent(rate)} of photographs called AI. One of these numbers alone praises a detector that looks "
        "at nothing."
    )


def hardest_source(title: str, sources: pd.DataFrame) -> str:
    """Name the generator that a detector misses most.

    Args:
        title: The detector's name for people.
        sources: A row a generator (`label` 1) or photo source (0): `source`, `called_ai` (0–1), `groups`.
    """
    generators = sources[sources["label"] == 1].sort_values("called_ai", kind="stable")
    if len(generators) < 2:
        return ""  # one generator is the average
    worst = generators.iloc[0]
    originals = f"{worst['groups']} original{'' if worst['groups'] == 1 else 's'}"
    return (
        f"{title} calls AI least often what {as_it_is(worst['source'])} made: {percent(worst['called_ai'])} "
        f"of pictures from {originals}. An average over generators does not show that."
    )


def calibrated_elsewhere(title: str, left_out: pd.DataFrame) -> str:
    """Say what a calibration made on these pictures would do on a generator that it had not met.

    Args:
        title: The detector's name for people.
        left_out: A row a source that was left out, then one for all of a class in turn, which comes last:
            `label`, `recall`, `false_positive_rate`, `brier` and `change`, with `_low` and `_high`.
    """
    generators = left_out[left_out["label"] == 1]
    if generators.empty:
        return (
            f"{title}: no generator can be left out of a calibration here; that takes two of known name with "
            "five groups each, and five groups of photographs."
        )
    each, together = generators.iloc[:-1], generators.iloc[-1]
    found = {
        name: Estimate.from_row(together, name)
        for name in ("recall", "false_positive_rate", "brier", "change")
    }
    recall, rate, brier, change = (interval_text(one) for one in found.values())
    meaning = _meaning(found["change"], "worse than with them", "better than with them")
    return (
        f"{title}, calibrated on these pictures without each of {len(each)} generators in turn: recall "
        f"{recall} on those generators ({each['recall'].min():.2f} to {each['recall'].max():.2f}), "
        f"false-positive rate {rate}; Brier score {brier}, which is a change of {change}, {meaning}."
    )


def _meaning(difference: Estimate, better: str, worse: str) -> str:
    """What a difference shows: that it is above zero, below, or neither."""
    return read_difference(
        difference,
        above=better,
        below=worse,
        around="which may be chance",
        unknown="too few groups to say more",
    )
