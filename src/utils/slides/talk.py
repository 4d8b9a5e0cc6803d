"""The talk: which slides there are, in their order, made from what a run left.

Each slide is a function of the findings. Where the run left no such figure or number, `Findings` raises
`Missing` and the talk goes on without that slide. No result is typed here: titles come from `story.slides`,
what is said about them from the sentences that the notebooks close with.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pandas as pd

from src.utils.analysis.checks.robustness import kind_names
from src.utils.datasets import DEMONSTRATION
from src.utils.estimate import Estimate
from src.utils.names import interval_text, model_name, one_line
from src.utils.plots.figure.style import AI, HUMAN, model_colour
from src.utils.plots.training import DECK_ACCURACY
from src.utils.slides.findings import Findings, Missing
from src.utils.slides.slide import Number, Picture, Slide
from src.utils.story import answers, content, improvement, trust
from src.utils.story import slides as titles

MOST_CATEGORIES = 3
"""Categories that are shown with their pictures; a talk has an end."""

PARTS = {"train": "training pictures", "validation": "validation pictures", "test": "test pictures"}

BEST, PROBE, DECK = "best", "linear_probe", "cnn_deck"


def make_talk(findings: Findings) -> list[Slide]:
    """Make the slides that this run allows."""
    return [slide for make in SLIDES for slide in _made(make, findings)]


def _made(make: Callable[[Findings], Slide | Iterator[Slide]], findings: Findings) -> list[Slide]:
    try:
        made = make(findings)
        return [made] if isinstance(made, Slide) else list(made)
    except Missing:
        return []


def footer(findings: Findings) -> str:
    """The line at the foot of each slide: which data, which run."""
    settings, metrics = findings.settings, findings.metrics
    title = settings.dataset.title
    return f"{title[:1].upper()}{title[1:]} · {metrics.get('split')} split · seed {metrics.get('seed')}"


def _cover(findings: Findings) -> Slide:
    dataset = findings.settings.dataset
    said = (f"Trained on {dataset.trained_on}", *([DEMONSTRATION] if dataset.demonstration else []))
    return Slide(
        "Human or AI?",
        ("The question, asked of one dataset.", *said, f"Run: {footer(findings)}."),
        points=("Was this image made by a person or by a generator?", *said),
        cover=True,
    )


def _question(findings: Findings) -> Slide:
    points = (
        "In March 2025 six students showed a network that tells photographs from generated pictures; their "
        "slides are “the deck” from here on.",
        "A network can learn its training pictures by heart.",
        "How do we know that such a number is true?",
    )
    last = DECK_ACCURACY[-1]
    return Slide(
        titles.question(last),
        (
            f"The deck's training accuracy, epoch by epoch: {', '.join(map(str, DECK_ACCURACY))}.",
            "It cannot be compared with numbers on pictures that a model has not met.",
            "Source: the deck, March 2025.",
        ),
        points=points,
        numbers=(Number(f"{last:.2f}", "training accuracy after ten epochs"),),
    )


def _data(findings: Findings) -> Slide:
    dataset, counts = findings.settings.dataset, _counts(findings)
    new = _unseen_pictures(findings)
    return _shown(
        findings,
        titles.data(sum(counts.values()), new),
        findings.picture("02_examples"),
        "n_train, n_validation, n_test, unseen",
        (f"From: {dataset.origin}.", f"Terms: {dataset.licence}."),
    )


def _split(findings: Findings) -> Slide:
    numbers = [Number(f"{count:,}", PARTS[part]) for part, count in _counts(findings).items()]
    method = findings.number("split")
    return _shown(
        findings,
        titles.SPLITS[method],
        findings.picture("03_splits"),
        "split, n_train, n_validation, n_test",
        ("Validation chooses; the test and the unseen pictures are scored once, for finished models.",),
        numbers,
    )


def _leak(findings: Findings) -> Slide:
    effect = findings.number("split_effect")
    kinds = (("random", "split at random"), ("group", "originals kept whole"))
    return _shown(
        findings,
        trust.split_title(effect["difference"]),
        findings.picture("10_random_split"),
        "split_effect",
        (trust.split_sentence(effect["difference"]),),
        [Number.of(effect[kind], f"ROC-AUC, {said}", digits=3) for kind, said in kinds],
    )


def _learning(findings: Findings) -> Slide:
    spread = findings.number("seeds")["spread"]
    luck = next((row for row in spread if (row["model"], row["metric"]) == (DECK, "auc")), None)
    if luck is None:
        raise Missing("seeds → spread")
    return _shown(
        findings,
        titles.learning(luck),
        findings.picture("04_learning_curves"),
        "seeds",
        (trust.luck_sentence(luck), "Crosses are what the deck printed, on training pictures."),
        [
            Number(f"{DECK_ACCURACY[-1]:.2f}", "training accuracy in the deck"),
            Number.of(findings.number("models", DECK, "accuracy"), "accuracy on the test here"),
        ],
    )


def _matrix(findings: Findings) -> Slide:
    """The matrix of the deck's network in the variant that is used, which notebook 12 explains too."""
    name = findings.number("maps", "model")
    mine = findings.number("models", name)
    said = (
        ("recall", "recall: AI-generated pictures found"),
        ("precision", "precision: right among those called AI"),
    )
    return _shown(
        findings,
        titles.matrix(model_name(name), mine["confusion_matrix"]),
        findings.picture("05_confusion_matrix"),
        f"models.{name}",
        (answers.matrix_sentence(mine["confusion_matrix"]),),
        [Number.share(mine[metric], label) for metric, label in said],
    )


def _guessing(findings: Findings) -> Slide:
    models = findings.number("models")
    deck = findings.number("models", DECK)
    facts = models.get("metadata_only")
    notes = (
        *answers.chance_sentences(deck, models.get(BEST)),
        answers.fair_sentence(findings.metrics.get("comparisons", {})),
    )
    return _shown(
        findings,
        titles.guessing(model_name(DECK), deck["auc"]),
        findings.picture("05_roc"),
        f"models.{DECK}, models.metadata_only, comparisons",
        notes,
        [
            Number.of(deck["auc"], "ROC-AUC of the deck's network", model_colour(DECK)),
            *([Number.of(facts["auc"], "of a model that reads no pixels")] if facts else []),
        ],
    )


def _links(findings: Findings) -> Slide:
    table = findings.table("link_answers.csv")
    known = table[table["truth"] != ""]
    right = int((known["label"] == known["truth"]).sum())
    uncertain = int((table["verdict"] == "Uncertain").sum())
    return _shown(
        findings,
        titles.links(len(table), len(known), right, uncertain),
        findings.picture("06_link_gallery"),
        "link_answers.csv",
        ("Links are fetched with limits on size and time, from public addresses only.",),
    )


def _confidence(findings: Findings) -> Slide:
    labeller = findings.number("labels", "labeller")
    first = findings.table("label_confidence.csv").iloc[0]
    if pd.isna(first["human"]) or pd.isna(first["ai"]):
        raise Missing("mean confidences of both classes")
    sides = (("human", "human-made pictures", HUMAN), ("ai", "AI-generated pictures", AI))
    return _shown(
        findings,
        titles.confidence(labeller, first["human"], first["ai"], first["p_adjusted"]),
        findings.picture("07_confidence"),
        "labels, label_confidence.csv",
        (content.confidence_sentence(first),),
        [Number.of(Estimate.from_row(first, side), label, colour) for side, label, colour in sides],
    )


def _categories(findings: Findings) -> Slide:
    record = findings.number("labels")
    return _shown(
        findings,
        titles.categories(record["categories_tested"], record["over_represented"]),
        findings.picture("07_association", "07_frequent_labels"),
        "labels",
        (
            f"{record['labeller']} named {record['pictures']:,} pictures.",
            "Originals are counted, not crops; p-values are corrected for the number of categories.",
        ),
    )


def _category_pictures(findings: Findings) -> Iterator[Slide]:
    """A slide for each of some categories, those that differ between the classes first, then what was tested."""
    table = findings.table("label_association.csv")
    found = findings.number("labels", "over_represented")
    shown = [
        (row, picture)
        for name, picture in findings.pictures.items()
        if name.startswith("07_category_")
        for row in table.itertuples()
        if f" calls {row.category} (" in picture.caption
    ]
    shown.sort(key=lambda pair: (pair[0].category not in found, pd.isna(pair[0].p)))
    for row, picture in shown[:MOST_CATEGORIES]:
        title = titles.category(row.category, row.groups_human, row.groups_ai, row.verdict)
        yield _shown(findings, title, picture, "label_association.csv")


def _mistakes(findings: Findings) -> Slide:
    record = findings.number("errors")
    counts = (record["false_positives"], record["false_negatives"])
    held = record["held"]
    return _shown(
        findings,
        titles.mistakes(model_name(record["model"]), *counts, len(held), record["comparisons"]),
        findings.picture("08_effects"),
        "errors",
        (
            *(f"Holds after correction, {one}." for one in held),
            *(
                f"Tree for {kind}, ROC-AUC out of fold: {interval_text(area)}."
                for kind, area in record["error_auc"].items()
            ),
            "A property that goes with mistakes need not cause them.",
        ),
    )


def _improved(findings: Findings) -> Slide:
    best, deck = (findings.number("models", name, "auc") for name in (BEST, DECK))
    probe = findings.number("models").get(PROBE)
    compared = findings.metrics.get("comparisons", {})
    return _shown(
        findings,
        titles.improved(best, deck),
        findings.picture("05_matrices", "12_best_evidence", "09_evidence"),
        f"models.{BEST}, models.{PROBE}, comparisons",
        (
            *improvement.difference_sentences(compared),
            *(f"{name}: {findings.card[key]}." for key, name in ENCODER_FACTS if key in findings.card),
        ),
        [
            Number.of(best, "ROC-AUC of the improved model", model_colour(BEST)),
            *([Number.of(probe["auc"], "of the plain linear probe", model_colour(PROBE))] if probe else []),
        ],
    )


def _design(findings: Findings) -> Slide:
    kept = findings.card.get("selection")
    table = findings.table("ablation.csv").set_index("candidate")
    if kept not in table.index:
        raise Missing(f"{kept} in ablation.csv")
    row = table.loc[kept]
    return _shown(
        findings,
        titles.design(kept, row["mean"], row["worst"], row["worst_source"]),
        findings.picture("09_ablation"),
        "ablation.csv",
        ("The simplest design within one standard error of the best one is kept.",),
        [
            Number.of(Estimate.from_row(row, "mean"), "ROC-AUC, mean over left-out sources"),
            Number.of(Estimate.from_row(row, "worst"), "on the worst of them"),
        ],
    )


def _unseen(findings: Findings) -> Slide:
    test, new = (findings.number(part, BEST, "auc") for part in ("models", "unseen"))
    notes = ["Unseen are generators and photo sources that no training, validation or test has met."]
    folded = findings.metrics.get("out_of_fold", {}).get(BEST, {}).get("auc")
    if isinstance(folded, Estimate):
        notes.append(f"Out of fold, each source left out in turn, it has {interval_text(folded)}.")
    return _shown(
        findings,
        titles.unseen(test, new),
        findings.picture("11_unseen_models"),
        f"models.{BEST}, unseen.{BEST}",
        notes,
        [
            Number.of(test, "ROC-AUC on the test"),
            Number.of(new, "on unseen sources", model_colour(BEST)),
        ],
    )


def _sources(findings: Findings) -> Slide:
    rows = findings.number("unseen_sources", "rows")
    if not rows:
        raise Missing("unseen sources")
    return _shown(
        findings,
        titles.sources(rows),
        findings.picture("11_makers"),
        "unseen_sources",
        (
            f"The model: {model_name(findings.number('unseen_sources', 'model'))}.",
            *(f"{_interval_of(row)}" for row in rows),
        ),
    )


def _interval_of(row: dict[str, Any]) -> str:
    return f"{row['source']}: called AI {interval_text(_estimate(row, 'called_ai'))}, {row['pictures']} pictures."


def _calibration(findings: Findings) -> Slide:
    mine = findings.number("models", BEST)
    error = next((mine[name] for name in ("ece_venn_abers", "ece_calibrated") if name in mine), None)
    if error is None or "ece" not in mine:
        raise Missing("calibration error")
    chance = mine.get("ece_by_chance", Estimate())
    return _shown(
        findings,
        titles.calibration(error, chance),
        findings.picture("10_reliability"),
        f"models.{BEST}",
        (
            f"Calibration error on the test before: {interval_text(mine['ece'])}; after: "
            f"{interval_text(error)}; by chance alone: {interval_text(chance)}.",
        ),
        [
            Number.of(mine["ece"], "calibration error on the test, before"),
            Number.of(error, "after it was calibrated"),
        ],
    )


def _verdicts(findings: Findings) -> Slide:
    answered, right = (findings.number("models", BEST, name) for name in ("answered", "right"))
    notes = [answers.calibration_sentence(findings.card)] if "policy" in findings.card else []
    return _shown(
        findings,
        titles.verdicts(answered, right),
        findings.picture("10_coverage", "10_threshold"),
        f"models.{BEST}, calibration.json",
        notes,
        [
            Number.share(answered, "of the test pictures get a verdict"),
            *([Number.share(right, "of these verdicts are right")] if right.value is not None else []),
        ],
    )


def _track_record(findings: Findings) -> Slide:
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


def _damage(findings: Findings) -> Slide:
    rows = findings.number("robustness", "models", BEST)
    before, *damaged = rows
    worst = min(damaged, key=lambda row: row["auc"], default=before)
    kind, drop = kind_names().get(worst["kind"], worst["kind"]), _estimate(worst, "auc_drop")
    return _shown(
        findings,
        titles.damage(kind, worst["level"], before["auc"], worst["auc"], drop),
        findings.picture("10_robustness"),
        "robustness",
        (f"The drop: {interval_text(drop)}.",),
        [
            Number.of(_estimate(before, "auc"), "ROC-AUC as they are"),
            Number.of(_estimate(worst, "auc"), "at its worst", model_colour(BEST)),
        ],
    )


def _estimate(row: dict[str, Any], name: str) -> Estimate:
    """An estimate of a table's row in JSON, where None stands for what is not known."""
    return Estimate(row[name], row.get(f"{name}_low"), row.get(f"{name}_high"))


def _deliveries(findings: Findings) -> Slide:
    rows = findings.number("deliveries", "models", BEST)
    worst = next((row for row in rows if row.get("worst")), None)
    if worst is None:
        raise Missing("deliveries")
    before, after = (_estimate(row, "balanced_accuracy") for row in (rows[0], worst))
    return _shown(
        findings,
        titles.delivery(worst["title"], before.value, after.value, _estimate(worst, "drop")),
        findings.picture("10_deliveries"),
        "deliveries",
        ("Each picture is sent, posted or reworked in one way at a time.",),
        [
            Number.of(before, "balanced accuracy as they are"),
            Number.of(after, "through the worst way", model_colour(BEST)),
        ],
    )


def _limits(findings: Findings) -> Slide:
    dataset, new = findings.settings.dataset, _unseen_pictures(findings)
    area = findings.metrics["models"].get(BEST, {}).get("auc", Estimate())
    points = [
        "The test has too few originals for intervals: another handful of pictures could move every number."
        if area.value is not None and area.low is None
        else "",
        improvement.ONE_TASTE if dataset.name == "sample" else "",
        "" if new else "This dataset has no unseen sources to measure on.",
        "None of this says how a model would do on pictures that somebody meets tomorrow.",
        "Not as proof, and not to accuse a person or to grade anybody's work.",
    ]
    return Slide(
        titles.limits(dataset.demonstration, new),
        ("What the numbers before cannot carry.", "Source: metrics.json, MODEL_CARD.md."),
        points=tuple(filter(None, points)),
    )


def _next_steps(findings: Findings) -> Slide:
    dataset = findings.settings.dataset
    spread = findings.metrics.get("seeds", {}).get("spread", [])
    points = [
        "Run the same notebooks on the deck's data: DATA_SOURCE=kaggle make reproduce."
        if dataset.demonstration
        else "",
        "Collect originals of each class until every number has an interval."
        if dataset.demonstration
        else "Set generators and photo sources aside that training never meets."
        if not _unseen_pictures(findings)
        else "",
        "Train with more seeds, SEEDS=3, to see how much is luck."
        if any(row["seeds"] < 2 for row in spread)
        else "",
        "" if findings.card.get("calibrated") else "Calibrate the improved model: notebook 10.",
        "Judge it, and other people's detectors, on a folder of your own: make evaluate DIR=…",
        "Ask it about new generators as they come out, before training on them.",
    ]
    return Slide(
        "What to do with more time",
        ("Each step is a command or a notebook of this repository.",),
        points=tuple(filter(None, points)),
    )


ENCODER_FACTS = (
    ("encoder", "Image encoder"),
    ("encoder_licence", "its licence"),
    ("encoder_from", "taken from"),
)
"""Entries of the improved model's bundle.json, and what they are."""


def _credits(findings: Findings) -> Slide:
    dataset, card = findings.settings.dataset, findings.card
    labeller = findings.metrics.get("labels", {}).get("labeller")
    encoder = ", ".join(f"{card[key]}" for key, _ in ENCODER_FACTS if key in card)
    points = [
        f"Pictures: {dataset.full_name}. {dataset.origin}. Terms: {dataset.licence}.",
        f"Image encoder: {encoder}." if encoder else "",
        f"Labels: {labeller}, trained on ImageNet." if labeller else "",
        "Question, network and first numbers: a student team's deck, March 2025.",
        "Methods: Venn-Abers (Vovk and Petej 2014), linear probe (UnivFD, Ojha et al. 2023), colours of Okabe "
        "and Ito (2008). Code: MIT.",
    ]
    return Slide(
        "Whose work this rests on",
        (
            "Sources are named picture by picture in data/README.md and, for the sample, in data/sample_sources.csv.",
        ),
        points=tuple(filter(None, points)),
    )


SLIDES: tuple[Callable[[Findings], Slide | Iterator[Slide]], ...] = (
    *(_cover, _question, _data, _split, _leak),
    *(_learning, _matrix, _guessing, _links),
    *(_confidence, _categories, _category_pictures, _mistakes),
    *(_improved, _design, _unseen, _sources),
    *(_calibration, _verdicts, _track_record, _damage, _deliveries),
    *(_limits, _next_steps, _credits),
)
"""What makes each slide, in the talk's order."""


def _shown(
    findings: Findings,
    title: str,
    picture: Picture,
    sections: str,
    said: tuple[str, ...] | list[str] = (),
    numbers: list[Number] | tuple[Number, ...] = (),
) -> Slide:
    """A slide with a figure; its notes say what to say, what is seen, and where it comes from."""
    notes = (
        f"{title}.",
        *said,
        f"The figure: {picture.caption}",
        f"Drawn by notebook {picture.notebook}. Numbers: reports/{findings.settings.source}, {sections}. "
        f"{footer(findings)}.",
    )
    return Slide(one_line(title), tuple(map(one_line, notes)), picture, tuple(numbers))


def _counts(findings: Findings) -> dict[str, int]:
    return {part: findings.number(f"n_{part}") for part in ("train", "validation", "test")}


def _unseen_pictures(findings: Findings) -> int:
    """Pictures of the unseen set: those of any model's confusion matrix there; 0 without such a set."""
    models = findings.metrics.get("unseen") or {}
    return next((sum(map(sum, entry["confusion_matrix"])) for entry in models.values()), 0)
