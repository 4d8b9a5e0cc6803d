"""What a model answers on the test split and to links, in sentences (notebooks 05 and 06)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd

from src.utils.datasets import BETTER_DETECTOR, DEMONSTRATION
from src.utils.estimate import Estimate
from src.utils.names import interval_text, percent

CHANCE = 0.5
"""ROC-AUC of a coin toss."""


def on_test(
    name: str,
    models: Mapping[str, Mapping[str, Any]],
    compared: Mapping[str, Mapping[str, Mapping[str, Estimate]]],
    pictures: int,
    groups: int,
) -> list[str]:
    """Say how often a model is right on the test split; `trust.against_facts` sets it beside file facts.

    Args:
        name: The model.
        models: By model, its metrics: of this one and of `always_ai`; of `best` where it is known already.
        compared: `cnn_scaled_minus_cnn_deck` → split → metric → estimate.
        pictures: Pictures in the test split.
        groups: Their groups.
    """
    mine = models[name]
    return [
        f"`{name}` on {pictures:,} test pictures in {groups:,} groups: balanced accuracy "
        f"{interval_text(mine['balanced_accuracy'])}, ROC-AUC {interval_text(mine['auc'])}.",
        matrix_sentence(mine["confusion_matrix"]),
        *chance_sentences(mine, models.get("best")),
        fair_sentence(compared),
        f"Answering AI every time has an F1 of {interval_text(models['always_ai']['f1'])}: a high F1 alone "
        "says little.",
        "The deck's 0.96 was accuracy on its own training pictures: it cannot be compared with numbers here.",
    ]


def chance_sentences(mine: Mapping[str, Any], best: Mapping[str, Any] | None) -> list[str]:
    """Say that a model cannot be told from guessing, if so, and what the improved model does.

    Args:
        mine: The model's metrics on the test split.
        best: The improved model's; None where it does not exist yet.
    """
    area = mine["auc"]
    if area.low is not None and area.low > CHANCE:
        return []
    better = (
        f" The improved model (notebook 09) reaches {interval_text(best['auc'])} on the same pictures."
        if best
        else " Notebook 09 looks for a better model."
    )
    if area.low is None or area.high is None:
        finding = f"On so few groups its ROC-AUC, {area.text()}, cannot be told from guessing"
    elif area.high < CHANCE:
        finding = f"That is worse than guessing: its ROC-AUC is {area.text()}"
    else:
        reaches = f"the interval of its ROC-AUC, {area.text()}, holds {CHANCE:.2f}"
        finding = f"That cannot be told from guessing: {reaches}"
    return [f"{finding}.{better}"]


def fair_sentence(compared: Mapping[str, Mapping[str, Mapping[str, Estimate]]]) -> str:
    """Say what training the deck's network fairly bought; `compared` as for `on_test`."""
    changes = (
        "Scaled pixels, varied pictures, a smaller learning rate and the epoch of the best validation ROC-AUC"
    )
    splits = compared.get("cnn_scaled_minus_cnn_deck", {})
    told = [
        f"{split} {metrics['auc'].text()} ({_against_zero(metrics['auc'])})"
        for split, metrics in splits.items()
    ]
    return f"{changes} change the deck's ROC-AUC by: {'; '.join(told) or 'not measured'}."


def _against_zero(difference: Estimate) -> str:
    """Say whether a difference is one."""
    if difference.low is None or difference.high is None:
        return "no interval, so no finding"
    if difference.low > 0:
        return "better"
    return "worse" if difference.high < 0 else "no measurable difference"


def matrix_sentence(matrix: list[list[int]]) -> str:
    """Say what a confusion matrix `[[TN, FP], [FN, TP]]` holds, in pictures and as rates."""
    (tn, fp), (fn, tp) = matrix
    human = (
        f"Of {tn + fp:,} human-made pictures it calls {fp:,} AI-generated (false-positive rate "
        f"{percent(fp / (tn + fp))})"
        if tn + fp
        else "There are no human-made pictures"
    )
    ai = (
        f"of {fn + tp:,} AI-generated ones it misses {fn:,} (recall {percent(tp / (fn + tp))})"
        if fn + tp
        else "there are no AI-generated ones"
    )
    return f"{human}; {ai}."


def links(trust: str, answers: pd.DataFrame, read_paths: pd.DataFrame) -> list[str]:
    """Say what a model answered to pictures from links, and what another way of reading does.

    Args:
        trust: From `trust_sentence`.
        answers: A row a link: `verdict`, `label` and `truth` (class names; empty where not known).
        read_paths: A row a way of reading the same pictures, this project's first: `other_answers` (how many
            change sides) and `largest_shift` of the probability, 0–1.
    """
    uncertain = int((answers["verdict"] == "Uncertain").sum())
    known = answers[answers["truth"] != ""]
    right = int((known["label"] == known["truth"]).sum())
    return [
        trust,
        f"{len(answers)} pictures read from links: {uncertain} answered *Uncertain*"
        + (f", {right} on the right side of the threshold." if len(known) else "."),
        read_paths_sentence(read_paths, len(answers)),
    ]


def read_paths_sentence(read_paths: pd.DataFrame, pictures: int) -> str:
    """Say how much another way of reading changes; `read_paths` as for `links`."""
    shift = f"the largest change of a probability is {read_paths['largest_shift'].max():.2f}."
    worst = read_paths["other_answers"].idxmax()
    changed = int(read_paths.loc[worst, "other_answers"])
    if not changed:
        return f"Read in the deck's three ways, no picture gets another answer; {shift}"
    return f"Read as “{worst}”, {changed} of {pictures} pictures get another answer; {shift}"


def trust_sentence(card: Mapping[str, Any]) -> str:
    """Say how far a model's answers may be trusted, from what was measured of it.

    Args:
        card: All that is known of the model; used are `demonstration`, whether it is a `detector` of others,
            and the ROC-AUC in `metrics.test.auc`, or of such a detector in `metrics.unseen.auc`: an object of
            `value`, `low` and `high`.
    """
    others = "detector" in card
    auc = card.get("metrics", {}).get("unseen" if others else "test", {}).get("auc")
    pictures = (
        "pictures of unseen sources, which it may have met," if others else "test pictures it never met,"
    )
    measured = (
        f"On {pictures} its ROC-AUC is {Estimate(**auc).text()}; a coin toss has 0.50."
        if auc
        else "It has not been measured on pictures it never met."
    )
    return (
        f"{DEMONSTRATION if card.get('demonstration') else 'An answer is an estimate, not proof.'} {measured}"
    )


def better_detector(card: Mapping[str, Any]) -> str:
    """Say how to get a detector of others; empty for a model that is no demonstration."""
    return BETTER_DETECTOR if card.get("demonstration") else ""


def calibration_sentence(card: Mapping[str, Any]) -> str:
    """Say what a model's verdicts rest on.

    Args:
        card: All that is known of the model; used are `calibrated`, `policy`, and the `name` of a `detector`
            of others.
    """
    policy = card["policy"]
    if not card["calibrated"]:
        step = f"`make calibrate MODEL={card['name']}`" if "detector" in card else "notebook 10"
        return (
            f"This model is not calibrated yet, so every verdict is *Uncertain*: run {step}, then this one "
            "again."
        )
    ai, clear = (
        why if edge is None else f"*{verdict}* where the whole interval lies {side} {percent(edge)}."
        for edge, why, verdict, side in (
            (policy["ai_from"], policy["why_no_ai"], "AI-generated", "above"),
            (policy["clear_up_to"], policy["why_no_clear"], "No sign of AI", "below"),
        )
    )
    return " ".join(dict.fromkeys(("This model is calibrated.", ai, clear)))
