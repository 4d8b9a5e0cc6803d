"""Slides on what the models answer, and on how far that can be trusted."""

from __future__ import annotations

import math
from typing import Any

import pandas as pd

from src.utils.analysis.checks.ablation import left_out_kind
from src.utils.analysis.checks.robustness import kind_names
from src.utils.estimate import Estimate
from src.utils.names import interval_text, model_name
from src.utils.plots.figure.style import model_colour
from src.utils.plots.training import DECK_ACCURACY
from src.utils.slides.findings import BEST, DECK, PROBE, Findings, Missing
from src.utils.slides.slide import Number, Slide
from src.utils.story import answers, improvement, trust
from src.utils.story import slides as titles

CALIBRATION_ERRORS = {
    "ece": "calibration error of its raw scores, on the test",
    "ece_calibrated": "after the temperature",
    "ece_venn_abers": "of the probability that it tells, by Venn-Abers",
}
"""Calibration errors in `metrics.json` and of what; the last one that is known is of what people are told."""


def learning(findings: Findings) -> Slide:
    """How the deck's network learns, and how much of its result is luck."""
    luck = _luck(findings)
    if luck is None:
        raise Missing("seeds → spread")
    return findings.slide(
        titles.learning(luck),
        findings.picture("04_learning_curves"),
        "seeds",
        (trust.luck_sentence(luck), "Crosses are what the deck printed, on training pictures."),
        [
            Number(f"{DECK_ACCURACY[-1]:.2f}", "training accuracy in the deck"),
            Number.of(findings.number("models", DECK, "accuracy"), "accuracy on the test here"),
        ],
    )


def _luck(findings: Findings) -> dict[str, Any] | None:
    """What the seed does to the ROC-AUC of the deck's network, if several were tried."""
    spread = findings.metrics.get("seeds", {}).get("spread", [])
    return next((row for row in spread if (row["model"], row["metric"]) == (DECK, "auc")), None)


def matrix(findings: Findings) -> Slide:
    """The matrix of the deck's network in the variant that is used, which notebook 12 explains too."""
    name = findings.number("maps", "model")
    mine = findings.number("models", name)
    if not sum(map(sum, mine["confusion_matrix"])):
        raise Missing("pictures in the confusion matrix")
    said = (
        ("recall", "recall: AI-generated pictures found"),
        ("precision", "precision: right among those called AI"),
    )
    return findings.slide(
        titles.matrix(model_name(name), mine["confusion_matrix"]),
        findings.picture("05_confusion_matrix"),
        f"models.{name}",
        (answers.matrix_sentence(mine["confusion_matrix"]),),
        [Number.share(mine[metric], label) for metric, label in said],
    )


def guessing(findings: Findings) -> Slide:
    """Whether the deck's network can be told from guessing."""
    models = findings.number("models")
    deck, area = findings.number("models", DECK), findings.estimate("models", DECK, "auc")
    facts, luck = models.get("metadata_only"), _luck(findings)
    compared = findings.metrics.get("comparisons", {})
    notes = (
        *(answers.chance_sentences(deck, models.get(BEST)) if area.low is not None else ()),
        *([answers.fair_sentence(compared)] if "cnn_scaled_minus_cnn_deck" in compared else []),
    )
    return findings.slide(
        titles.guessing(model_name(DECK), area, luck["lowest"] if luck else None),
        findings.picture("05_roc"),
        f"models.{DECK}, models.metadata_only, comparisons, seeds",
        notes,
        [
            Number.of(area, "ROC-AUC of the deck's network", model_colour(DECK)),
            *([Number.of(facts["auc"], "of a model that reads no pixels")] if facts else []),
        ],
    )


def links(findings: Findings) -> Slide:
    """What came back for pictures read from links."""
    table = findings.table("link_answers.csv")
    known = table[table["truth"] != ""]
    right = int((known["label"] == known["truth"]).sum())
    uncertain = int((table["verdict"] == "Uncertain").sum())
    return findings.slide(
        titles.links(len(table), len(known), right, uncertain),
        findings.picture("06_link_gallery"),
        "link_answers.csv",
        ("Links are fetched with limits on size and time, from public addresses only.",),
    )


def improved(findings: Findings) -> Slide:
    """The improved model beside the deck's network and the plain probe."""
    best, deck = (findings.estimate("models", name, "auc") for name in (BEST, DECK))
    probe = findings.number("models").get(PROBE)
    compared = findings.metrics.get("comparisons", {})
    folded = findings.metrics.get("out_of_fold", {}).get(BEST)
    return findings.slide(
        titles.improved(best, deck),
        findings.picture("05_matrices", "12_best_evidence", "09_evidence"),
        f"models.{BEST}, models.{PROBE}, out_of_fold.{BEST}, comparisons",
        (
            *improvement.difference_sentences(compared),
            f"Image encoder: {findings.encoder}." if findings.encoder else "",
        ),
        [
            Number.of(best, "ROC-AUC of the improved model", model_colour(BEST)),
            *([Number.of(probe["auc"], "of the plain linear probe", model_colour(PROBE))] if probe else []),
            *(
                [Number.of(folded["auc"], "improved, five folds of all but unseen pictures")]
                if folded
                else []
            ),
        ],
    )


def design(findings: Findings) -> Slide:
    """Which design was kept, and how it does on what was left out."""
    kept = str(findings.card.get("selection"))
    table = findings.table("ablation.csv").set_index("candidate")
    if kept not in table.index:
        raise Missing(f"{kept} in ablation.csv")
    row, left_out = table.loc[kept], left_out_kind(table)
    return findings.slide(
        titles.design(kept, row["mean"], row["worst"], row["worst_source"], left_out),
        findings.picture("09_ablation"),
        "ablation.csv",
        ("The simplest design within one standard error of the best one is kept.",),
        [
            Number.of(Estimate.from_row(row, "mean"), f"ROC-AUC, mean over left-out {left_out}s"),
            Number.of(Estimate.from_row(row, "worst"), "on the worst of them"),
        ],
    )


def unseen(findings: Findings) -> Slide:
    """What is left on sources that the improved model never met."""
    test, new = (findings.estimate(part, BEST, "auc") for part in ("models", "unseen"))
    return findings.slide(
        titles.unseen(test, new),
        findings.picture("11_unseen_models"),
        f"models.{BEST}, unseen.{BEST}",
        ("Unseen are generators and photo sources that no training, validation or test has met.",),
        [
            Number.of(test, "ROC-AUC on the test"),
            Number.of(new, "on unseen sources", model_colour(BEST)),
        ],
    )


def sources(findings: Findings) -> Slide:
    """The generators and photo sources that the average hides."""
    rows = findings.number("unseen_sources", "rows")
    if not rows:
        raise Missing("unseen sources")
    return findings.slide(
        titles.sources(rows),
        findings.picture("11_makers"),
        "unseen_sources",
        (
            f"The model: {model_name(findings.number('unseen_sources', 'model'))}.",
            *map(_interval_of, rows),
        ),
    )


def _interval_of(row: dict[str, Any]) -> str:
    share = interval_text(_estimate(row, "called_ai"))
    return f"{row['source']}: called AI {share}, {row['pictures']} pictures."


def calibration(findings: Findings) -> Slide:
    """How far its probabilities are from what is true."""
    mine = findings.number("models", BEST)
    known = [(mine[name], said) for name, said in CALIBRATION_ERRORS.items() if name in mine]
    if len(known) < 2 or known[-1][0].value is None:
        raise Missing("calibration error")
    error, chance = known[-1][0], mine.get("ece_by_chance", Estimate())
    return findings.slide(
        titles.calibration(error, chance),
        findings.picture("10_reliability"),
        f"models.{BEST}",
        (
            "The figure shows the raw scores and what the temperature makes of them.",
            f"What may be chance alone: {interval_text(chance)}.",
        ),
        [Number.of(one, said) for one, said in known],
    )


def verdicts(findings: Findings) -> Slide:
    """How often there is a verdict, and how often it is right."""
    answered, right = findings.estimate("models", BEST, "answered"), findings.number("models", BEST, "right")
    notes = [answers.calibration_sentence(findings.card)] if findings.card.get("calibrated") else []
    return findings.slide(
        titles.verdicts(answered, right),
        findings.picture("10_coverage", "10_threshold"),
        f"models.{BEST}, calibration.json",
        notes,
        [
            Number.share(answered, "of the test pictures get a verdict"),
            *([Number.share(right, "of these verdicts are right")] if right.value is not None else []),
        ],
    )


def track_record(findings: Findings) -> Slide:
    """What it did with sources that it had not met, in counts."""
    record = findings.card.get("track_record")
    if not record:
        raise Missing("track record")
    said = trust.track_record(record)
    policy = findings.card.get("policy", {})
    evidence = trust.verdict_policy(policy) if policy.get("evidence") else []
    return Slide(
        titles.track_record(record["missed"]),
        (*said, *evidence, "Source: calibration.json of the improved model."),
        points=(*said, "A verdict is never proof: No sign of AI does not say that a person made a picture."),
    )


def damage(findings: Findings) -> Slide:
    """Which damage costs most."""
    rows = findings.number("robustness", "models", BEST)
    before, *damaged = rows
    damaged = [row for row in damaged if row["auc"] is not None]
    if before["auc"] is None:
        raise Missing("ROC-AUC of undamaged pictures")
    worst = min(damaged, key=lambda row: row["auc"], default=before)
    kind, drop = str(worst["kind"]), _estimate(worst, "auc_drop")
    return findings.slide(
        titles.damage(kind_names().get(kind, kind), worst["level"], before["auc"], worst["auc"], drop),
        findings.picture("10_robustness"),
        "robustness",
        (f"The drop: {interval_text(drop)}.",),
        [
            Number.of(_estimate(before, "auc"), "ROC-AUC as they are"),
            Number.of(_estimate(worst, "auc"), "at its worst", model_colour(BEST)),
        ],
    )


def deliveries(findings: Findings) -> Slide:
    """Which way to a viewer costs most."""
    record = findings.number("deliveries")
    rows = record["rates"]
    worst = next((row for row in rows if row["worst"]), None)
    if worst is None:
        raise Missing("the worst delivery")
    before, after = (_estimate(row, "balanced_accuracy") for row in (rows[0], worst))
    if before.value is None or after.value is None:
        raise Missing("balanced accuracy of deliveries")
    tables = (pd.DataFrame(record[name]).fillna(math.nan) for name in ("rates", "verdicts"))
    return findings.slide(
        titles.delivery(worst["title"], before.value, after.value, _estimate(worst, "drop")),
        findings.picture("10_deliveries"),
        "deliveries",
        trust.delivered(model_name(record["model"]), *tables),
        [
            Number.of(before, "balanced accuracy as they are"),
            Number.of(after, "through the worst way", model_colour(record["model"])),
        ],
    )


def _estimate(row: dict[str, Any], name: str) -> Estimate:
    """An estimate of a table's row in JSON, where None stands for what is not known."""
    return Estimate(row[name], row.get(f"{name}_low"), row.get(f"{name}_high"))
