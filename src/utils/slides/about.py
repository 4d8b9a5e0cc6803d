"""Slides on what the talk is about: the question, the data, the split; limits, next steps, credits."""

from __future__ import annotations

from src.utils.datasets import DEMONSTRATION
from src.utils.estimate import Estimate
from src.utils.plots.training import DECK_ACCURACY
from src.utils.slides.findings import BEST, Findings
from src.utils.slides.slide import Number, Slide
from src.utils.story import improvement, trust
from src.utils.story import slides as titles

PARTS = {"train": "training pictures", "validation": "validation pictures", "test": "test pictures"}


def cover(findings: Findings) -> Slide:
    """Open the talk: the question, and of which data."""
    dataset = findings.settings.dataset
    said = (f"Trained on {dataset.trained_on}", *([DEMONSTRATION] if dataset.demonstration else []))
    return Slide(
        "Human or AI?",
        ("The question, asked of one dataset.", *said, f"Run: {findings.footer}."),
        points=("Was this image made by a person or by a generator?", *said),
        cover=True,
    )


def question(findings: Findings) -> Slide:
    """The number that the deck reported, and the question it leaves."""
    points = (
        "In March 2025 six students showed a detector. Their slides are “the deck” from here on.",
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


def guess(findings: Findings) -> Slide:
    """Pictures of both classes for the audience to guess at."""
    notes = ("Let people vote by a show of hands; the next slide answers.",)
    return Slide(titles.GUESS, notes, findings.picture("02_examples"))


def data(findings: Findings) -> Slide:
    """What these pictures are, and how many there are in all."""
    dataset, counts = findings.settings.dataset, findings.counts
    new = findings.unseen_pictures
    return findings.slide(
        titles.data(sum(counts.values()), new),
        findings.picture("02_examples_answers", "02_examples"),
        "n_train, n_validation, n_test, unseen",
        (f"From: {dataset.origin}.", f"Terms: {dataset.licence}."),
    )


def split(findings: Findings) -> Slide:
    """What is kept on one side of the split, and how many pictures each part has."""
    numbers = [Number(f"{count:,}", PARTS[part]) for part, count in findings.counts.items()]
    method = findings.number("split")
    return findings.slide(
        titles.SPLITS[method],
        findings.picture("03_splits"),
        "split, n_train, n_validation, n_test",
        ("The test chooses nothing; sources that training had not met decide when a verdict is given.",),
        numbers,
    )


def leak(findings: Findings) -> Slide:
    """What a random split would have added."""
    effect = findings.number("split_effect")
    difference = findings.estimate("split_effect", "difference")
    kinds = (("random", "split at random"), ("group", "originals kept whole"))
    return findings.slide(
        trust.split_title(difference),
        findings.picture("10_random_split"),
        "split_effect",
        (trust.split_sentence(difference),),
        [Number.of(effect[kind], f"ROC-AUC, {said}", digits=3) for kind, said in kinds],
    )


def limits(findings: Findings) -> Slide:
    """What the numbers cannot carry."""
    dataset, new = findings.settings.dataset, findings.unseen_pictures
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


def next_steps(findings: Findings) -> Slide:
    """What is left to do, of which this run's own gaps come first."""
    dataset = findings.settings.dataset
    spread = findings.metrics.get("seeds", {}).get("spread", [])
    points = [
        "Run the same notebooks on the deck's data: DATA_SOURCE=kaggle make reproduce."
        if dataset.demonstration
        else "",
        "Collect originals of each class until every number has an interval."
        if dataset.demonstration
        else "Set generators and photo sources aside that training never meets."
        if not findings.unseen_pictures
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


def credits(findings: Findings) -> Slide:
    """Whose pictures, networks and methods these are."""
    dataset, encoder = findings.settings.dataset, findings.encoder
    labeller = findings.metrics.get("labels", {}).get("labeller")
    points = [
        f"Pictures: {dataset.full_name}. {dataset.origin}. Terms: {dataset.licence}.",
        f"Image encoder: {encoder}." if encoder else "",
        f"Labels: {labeller}, trained on ImageNet." if labeller else "",
        "Question, network and first numbers: a student team's deck, March 2025.",
        "Methods: Venn-Abers (Vovk and Petej 2014), linear probe (UnivFD, Ojha et al. 2023), colours of "
        "Okabe and Ito (2008). Code: MIT.",
    ]
    return Slide(
        "Whose work this rests on",
        ("data/README.md names where pictures come from; data/sample_sources.csv, each of the sample.",),
        points=tuple(filter(None, points)),
    )
