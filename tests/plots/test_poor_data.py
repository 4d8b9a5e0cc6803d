"""Every plot on data with little to show: one class, one seed, one source, no interval, nothing at all.

It says something true, or it is a sentence instead of a figure and nothing is saved.
"""

from __future__ import annotations

import importlib
import inspect
import pkgutil
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from matplotlib.figure import Figure

from src.utils import plots
from src.utils.estimate import Estimate
from src.utils.plots import (
    calibration,
    data,
    errors,
    evaluation,
    explanations,
    improve,
    labels,
    links,
    robustness,
    training,
    unseen,
)
from src.utils.plots.figure import galleries
from tests.plots.checks import says_something

Draw = Callable[[st.SearchStrategy], Any]

NAMES = ("Flux", "a generator whose name is longer than any slide is wide, " * 3, "Łódź_2", "$x$", "B", "C")
SHARES = st.sampled_from([0.0, 0.4993, 0.5, 0.51, 0.83, 1.0])
COUNTS = st.integers(0, 3)
MODELS = st.sampled_from([["best"], ["cnn_deck", "cnn_scaled"], ["always_ai", "somebody's detector", "best"]])
CLASSES = st.sampled_from([[0], [1], [0, 1]])
NOTE = "Demonstration sample, test split: 12 pictures in 3 groups."


def estimate(draw: Draw) -> Estimate:
    if draw(st.integers(0, 4)) == 0:
        return Estimate()
    value = draw(SHARES)
    return Estimate(value, value - 0.1, value + 0.1) if draw(st.booleans()) else Estimate(value)


def columns(draw: Draw, *names: str) -> dict[str, float]:
    return {key: number for name in names for key, number in estimate(draw).columns(name).items()}


def shares(draw: Draw, count: int) -> np.ndarray:
    return np.array(draw(st.lists(SHARES, min_size=count, max_size=count)), dtype=float)


def pictures(count: int) -> list[np.ndarray]:
    return [np.full((20 + 10 * (at % 3), 30, 3), 40, np.uint8) for at in range(count)]


def answers(draw: Draw) -> tuple[np.ndarray, np.ndarray]:
    """Labels of one class or both, and probabilities: all alike, all right, all wrong, or any."""
    count = draw(st.integers(0, 5))
    label = np.array(draw(st.lists(st.sampled_from(draw(CLASSES)), min_size=count, max_size=count)), int)
    kind = draw(st.sampled_from(["alike", "right", "wrong", "any"]))
    said = {"alike": np.full(count, 0.51), "right": 1.0 * label, "wrong": 1.0 - label}
    return label, said[kind] if kind in said else shares(draw, count)


def table(draw: Draw, names: tuple[str, ...], row: Callable[[str], dict[str, Any]]) -> pd.DataFrame:
    """None, one or all of some named rows; with its columns even if there is none."""
    rows = pd.DataFrame([row(name) for name in names])
    return rows.head(draw(st.sampled_from([0, 1, len(names)])))


def matrix(draw: Draw) -> list[list[int]]:
    return [[draw(COUNTS), draw(COUNTS)], [draw(COUNTS), draw(COUNTS)]]


def history(draw: Draw) -> pd.DataFrame:
    epochs, seeds = draw(st.integers(0, 2)), draw(st.integers(1, 2))
    known = draw(st.sampled_from([1.0, np.nan]))
    rows = [
        {"model": model, "seed": seed, "epoch": epoch, "kept": epoch == epochs, "accuracy": 0.5}
        | {"val_accuracy": 0.5 * known, "loss": 10.0 ** (3 - 2 * epoch), "val_loss": 0.69 * known}
        for model in draw(MODELS)
        for seed in range(seeds)
        for epoch in range(1, epochs + 1)
    ]
    return pd.DataFrame(
        rows, columns=["model", "seed", "epoch", "kept", "accuracy", "val_accuracy", "loss", "val_loss"]
    )


def learning_curves(draw: Draw) -> Figure | str:
    deck = draw(st.sampled_from([None, training.DECK_ACCURACY]))
    return training.learning_curves(history(draw), draw(st.sampled_from(["accuracy", "loss"])), deck, NOTE)


def seed_spread(draw: Draw) -> Figure | str:
    rows = [
        {"model": model, "seed": seed, "value": draw(st.sampled_from([np.nan, 0.5, 0.6]))}
        for model in draw(MODELS)
        for seed in range(draw(st.integers(0, 2)))
    ]
    return training.seed_spread(pd.DataFrame(rows, columns=["model", "seed", "value"]))


def roc_plot(draw: Draw) -> Figure | str:
    grid, rows = np.linspace(0, 1, 5), draw(st.sampled_from([0, 5]))
    band = pd.DataFrame({"fpr": grid, "tpr": grid**0.5, "low": np.nan, "high": np.nan}).head(rows)
    models = draw(MODELS)
    return evaluation.roc_plot(dict.fromkeys(models, band), {name: estimate(draw) for name in models}, NOTE)


def metric_forest(draw: Draw) -> Figure | str:
    models = draw(MODELS)

    def of_metric() -> pd.DataFrame:
        rows = [
            {"model": one, "name": one, **estimate(draw).columns("value", "low", "high")} for one in models
        ]
        return pd.DataFrame(rows)

    return evaluation.metric_forest({"auc": of_metric(), "recall": of_metric()}, note=NOTE)


def probability_plot(draw: Draw) -> Figure | str:
    return evaluation.probability_plot(*answers(draw), threshold=draw(SHARES), model="best", note=NOTE)


def reliability_plot(draw: Draw) -> Figure | str:
    row = {"probability": 0.5, "ai": 0.5, "weight": 1.0, "ai_low": np.nan, "ai_high": np.nan}
    bins = pd.DataFrame([row]).head(draw(st.integers(0, 1)))
    models = draw(MODELS)
    both = {"before": bins, "after": bins}
    found = {name: {when: estimate(draw) for when in both} for name in models}
    return calibration.reliability_plot(dict.fromkeys(models, both), found, NOTE)


def calibrated_threshold(draw: Draw) -> Figure | str:
    label, probability = answers(draw)
    thresholds = np.unique(probability)
    rates = [
        [np.mean(probability[label == one] >= at) if (label == one).any() else np.nan for at in thresholds]
        for one in (0, 1)
    ]
    sweep = pd.DataFrame({"threshold": thresholds, "false_positive_rate": rates[0], "recall": rates[1]})
    sweeps = dict.fromkeys(draw(st.sampled_from([["validation"], ["validation", "test"]])), sweep)
    return calibration.threshold_plot(sweeps, draw(SHARES), (0.4, 0.6), "best", NOTE)


def coverage_plot(draw: Draw) -> Figure | str:
    count = draw(st.integers(0, 2))
    part = pd.DataFrame({"answered": shares(draw, count), "right": shares(draw, count)})
    part["right"] = part["right"].where(part["answered"] > 0)
    return calibration.coverage_plot({"test": part, "unseen": part.head(1)}, "best", note=NOTE)


def size_plot(draw: Draw) -> Figure | str:
    label, _ = answers(draw)
    side = [draw(st.sampled_from([64, 65, 3000])) for _ in label]
    return data.size_plot(side, side if draw(st.booleans()) else side[::-1], label, NOTE)


def audit_plot(draw: Draw) -> Figure | str:
    kinds = ("container", "content", "container")
    return data.audit_plot(
        pd.DataFrame(
            {"feature": name, "kind": kind, "direction": "", "constant": draw(st.booleans())}
            | estimate(draw).columns("auc", "low", "high")
            for name, kind in zip(("format", "bytes_per_pixel", "all container facts"), kinds, strict=True)
        ),
        NOTE,
    )


def split_overview(draw: Draw) -> Figure | str:
    splits = draw(st.sampled_from([[], ["unseen"], ["train", "test"]]))
    rows = [(split, one, draw(COUNTS), 1) for split in splits for one in draw(CLASSES)]
    return data.split_overview(pd.DataFrame(rows, columns=["split", "label", "pictures", "groups"]), NOTE)


def outcome_plot(draw: Draw) -> Figure | str:
    label, probability = answers(draw)
    words = (("true negative", "false positive"), ("false negative", "true positive"))
    outcome = [words[one][int(p >= 0.5)] for one, p in zip(label, probability, strict=True)]
    return errors.outcome_plot(outcome, probability, "Deck's CNN", NOTE)


def error_gallery(draw: Draw) -> Figure | str:
    count = draw(st.integers(0, 5))
    return errors.error_gallery(pictures(count), shares(draw, count), 1, count + 2, [NAMES[1]] * count, NOTE)


def effects_plot(draw: Draw) -> Figure | str:
    kinds = draw(st.sampled_from([[], ["false positives"], ["false negatives"], list(errors.KINDS)]))
    rows = [
        {"errors": kind, "property": name, "p_adjusted": draw(st.sampled_from([np.nan, 0.01, 0.9]))}
        | {"delta": 0.0, "low": np.nan, "high": np.nan}
        for kind in kinds
        for name in draw(st.sampled_from([["hue"], ["hue", "noise"]]))
    ]
    return errors.effects_plot(
        pd.DataFrame(rows, columns=["errors", "property", "p_adjusted", "delta", "low", "high"]), NOTE
    )


def accuracy_bins_plot(draw: Draw) -> Figure | str:
    rows = [
        {"property": name, "from": at * width, "to": (at + 1) * width, "accuracy": draw(SHARES)}
        | {"low": np.nan, "high": np.nan}
        for name, width in (("hue", 5.8e-31), ("area", draw(st.sampled_from([1e-4, 0.5, 7e6]))))
        for at in range(draw(st.integers(0, 5)))
    ]
    found = pd.DataFrame(rows, columns=["property", "from", "to", "accuracy", "low", "high"])
    return errors.accuracy_bins_plot(found, draw(SHARES), NOTE)


def accuracy_by_plot(draw: Draw) -> Figure | str:
    def row(name: str) -> dict[str, Any]:
        return {"value": name, "human": 0, "ai": 3, "groups": draw(st.integers(4, 5))} | estimate(
            draw
        ).columns("accuracy", "low", "high")

    found = table(draw, NAMES, row)
    return errors.accuracy_by_plot(found[found["accuracy"].notna()], "generator", 0.5, NOTE)


def costs_of_thresholds(draw: Draw) -> Figure | str:
    known = {one: 1.0 if one in draw(CLASSES) else np.nan for one in (0, 1)}
    sweep = pd.DataFrame({"threshold": [0.0, 1.0], "accuracy": 0.5})
    sweep = sweep.assign(fpr=known[0] * np.array([1.0, 0.0]), recall=known[1] * np.array([1.0, 0.0]))
    curve = pd.DataFrame({"recall": [1.0, 0.0], "precision": [0.5, 1.0]}).head(draw(st.sampled_from([0, 2])))
    return errors.threshold_plot(sweep, curve, 0.5, note=NOTE)


def maps_gallery(draw: Draw) -> Figure | str:
    count = draw(COUNTS)
    maps = [np.zeros((3, 3))] * count
    return explanations.evidence_gallery(pictures(count), maps, ["AI: 51 %"] * count, NAMES[1], NOTE)


def randomised_gallery(draw: Draw) -> Figure | str:
    count = draw(COUNTS)
    maps = {"Trained": [np.zeros((3, 3))] * count, "Random weights": [np.ones((3, 3))] * count}
    return explanations.randomised_gallery(pictures(count), maps, "A title", NOTE)


def similarity_plot(draw: Draw) -> Figure | str:
    count = draw(COUNTS)
    layers = draw(st.sampled_from([["dense_1"], ["dense_1", "conv2d_1", "another picture"]]))
    return explanations.similarity_plot({layer: shares(draw, count) for layer in layers}, NOTE, "A title")


def control_plot(draw: Draw) -> Figure | str:
    count = draw(COUNTS)
    learnt = draw(st.sampled_from([[], ["true labels", "shuffled labels"]]))
    return explanations.control_plot(
        {name: shares(draw, count) for name in learnt}, shares(draw, count), "A title", NOTE
    )


def spectrum_grid(draw: Draw) -> Figure | str:
    human = np.full((4, 4), draw(st.sampled_from([0.0, np.nan])))
    return explanations.spectrum_grid({"as they are": (human, np.zeros((4, 4)))}, NOTE, "A title")


def spectrum_curves(draw: Draw) -> Figure | str:
    gap = draw(st.sampled_from([0.0, np.nan]))
    ring = pd.DataFrame({"frequency": [0.0, 0.5], "difference": gap, "difference_low": np.nan})
    ring["difference_high"] = np.nan
    return explanations.spectrum_curves({"as they are": ring, "after JPEG 75": ring}, NOTE)


def generator_spectra(draw: Draw) -> Figure | str:
    sources = NAMES[: draw(st.integers(0, len(NAMES)))]
    gaps = {name: np.zeros((4, 4)) for name in sources} | ({"D": np.eye(4)} if sources else {})
    return explanations.generator_spectra({"as they are": gaps, "after JPEG 75": gaps}, NOTE, "A title")


def ablation_plot(draw: Draw) -> Figure | str:
    designs = ("all blocks", "layers + patches, clean", "B")  # names of our own, none of them long
    found = table(draw, designs, lambda name: {"candidate": name, **columns(draw, "mean", "worst")})
    return improve.ablation_plot(found, "B", NOTE)


def source_plot(draw: Draw) -> Figure | str:
    rows, across = draw(st.integers(1, 3)), draw(st.integers(1, 3))
    cells = draw(
        st.lists(st.sampled_from([np.nan, 0.2, 0.7, 1.0]), min_size=rows * across, max_size=rows * across)
    )
    found = pd.DataFrame(np.reshape(cells, (rows, across)), index=NAMES[:rows], columns=NAMES[:across])
    return improve.source_plot(found, NOTE)


def patches_gallery(draw: Draw) -> Figure | str:
    count = draw(COUNTS)
    maps = draw(st.sampled_from([None, [np.zeros((3, 3))] * count]))
    return improve.evidence_gallery(pictures(count), maps, [1] * count, shares(draw, count), NOTE)


def confidence_plot(draw: Draw) -> Figure | str:
    known = draw(CLASSES)
    row = {side: 0.4 if one in known else np.nan for one, side in enumerate(("human", "ai"))}
    row |= {f"{side}_{end}": np.nan for side in ("human", "ai", "difference") for end in ("low", "high")}
    row |= {"difference": row["ai"] - row["human"], "deck_human": 0.385, "deck_ai": 0.435}
    return labels.confidence_plot(pd.DataFrame([row] * 3), "VGG19", NOTE)


def frequent_labels_plot(draw: Draw) -> Figure | str:
    names = draw(st.sampled_from([[], ["Human-made"], ["Human-made", "AI-generated"]]))
    rows = [
        (name, category, 1, 1) for name in names for category in ("lab_coat", "black_and_gold_garden_spider")
    ]
    found = pd.DataFrame(rows, columns=["class", "category", "pictures", "groups"])
    return labels.frequent_labels_plot(found, "VGG19", NOTE)


def category_plot(draw: Draw) -> Figure | str:
    def side() -> labels.CategorySide:
        count = draw(COUNTS)
        return labels.CategorySide(shares(draw, count), min(count, 1), list(range(count)), pictures(count))

    return labels.category_plot("lab_coat", NAMES[1], (side(), side()), "VGG19", NOTE)


def association_plot(draw: Draw) -> Figure | str:
    def row(name: str) -> dict[str, Any]:
        tested = draw(st.sampled_from([np.nan, 0.01, 0.9]))
        odds, low, high = draw(st.sampled_from([(0.0, 0.0, 0.4), (1.0, 0.2, 5.0), (np.inf, 1.1, np.inf)]))
        counts = {"category": name, "groups_human": 0, "groups_ai": 7, "p_adjusted": tested}
        return counts | {"odds_ratio": odds, "low": low, "high": high}

    return labels.association_plot(table(draw, ("alp", "wig"), row), "VGG19", NOTE)


def answer_card(draw: Draw) -> Figure | str:
    said = dict(
        zip(("probability_ai", "probability_low", "probability_high"), [draw(SHARES)] * 3, strict=True)
    )
    if draw(st.booleans()):
        said |= {"probability_low": None, "probability_high": None}
    return links.answer_card(pictures(1)[0], said | {"verdict": "Uncertain"}, "A demonstration.", NOTE)


def answer_gallery(draw: Draw) -> Figure | str:
    label, probability = answers(draw)
    names = np.array(["Human-made", "AI-generated"])
    found = pd.DataFrame({"label": names[(probability >= 0.5).astype(int)], "probability_ai": probability})
    found["truth"] = names[label] if draw(st.booleans()) else ""
    return links.answer_gallery(pictures(len(label)), found.assign(verdict="Uncertain"), NOTE)


def read_path_plot(draw: Draw) -> Figure | str:
    count = draw(COUNTS)
    found = {name: shares(draw, count) for name in ("this project", "nearest", "divided", "both")}
    return links.read_path_plot(pd.DataFrame(found), NOTE)


def robustness_curves(draw: Draw) -> Figure | str:
    def curve() -> pd.DataFrame:
        return pd.DataFrame([{"level": level, **columns(draw, "auc")} for level in (0, 30)])

    models = draw(MODELS)
    found = {kind: {model: curve() for model in models} for kind in draw(st.sampled_from([[], ["jpeg"]]))}
    return robustness.robustness_curves(found, {"jpeg": "JPEG quality"}, NOTE)


def delivery_plot(draw: Draw) -> Figure | str:
    worst = draw(st.booleans())

    def row(name: str) -> dict[str, Any]:
        measured = columns(draw, "recall", "false_positive_rate", "balanced_accuracy")
        return {"title": name, "transformation": name == "B", "worst": worst and name == "Flux"} | measured

    return robustness.delivery_plot(table(draw, ("Flux", NAMES[2], "B"), row), "best", NOTE)


def difference_plot(draw: Draw) -> Figure | str:
    def row(name: str) -> dict[str, Any]:
        return {"set": "Same square", "name": name, "model": "", "difference": ""} | estimate(draw).columns(
            "value", "low", "high"
        )

    return robustness.difference_plot(table(draw, ("Flux", "B"), row), NOTE, "A title")


def unseen_plot(draw: Draw) -> Figure | str:
    known = draw(CLASSES)

    def row(name: str) -> dict[str, Any]:
        return {"label": known[len(name) % len(known)], "source": name, "groups": 1, "pictures": 3} | {
            "called_ai": draw(SHARES),
            "called_ai_low": np.nan,
            "called_ai_high": np.nan,
        }

    return unseen.unseen_plot(table(draw, NAMES, row), (draw(SHARES), draw(SHARES)), "best", NOTE, most=3)


def holdout_plot(draw: Draw) -> Figure | str:
    def row(name: str) -> dict[str, Any]:
        met, left_out = estimate(draw), estimate(draw)
        numbers = met.columns("met") | left_out.columns("left_out")
        return {"source": name, "groups": 1, "drop": numbers["met"] - numbers["left_out"]} | numbers

    return unseen.holdout_plot(table(draw, NAMES, row), NOTE)


def gate_plot(draw: Draw) -> Figure | str:
    def kind(name: str) -> dict[str, Any]:
        return {"origin": "drawn in code", "kind": name[:20], "pictures": 1, "missed": 1, "share": 1.0}

    def own(name: str) -> dict[str, Any]:
        rates = {"share": 0.0, "share_low": np.nan, "share_high": np.nan}
        return {"part": "test", "label": len(name) % 2, "pictures": 1, "stopped": 0} | rates

    return unseen.gate_plot(table(draw, NAMES, kind), table(draw, ("Flux", "B"), own), NOTE)


def guessing_gallery(draw: Draw) -> Figure | str:
    label, _ = answers(draw)
    return galleries.guessing_gallery(pictures(len(label)), label.tolist(), draw(st.booleans()), NOTE)


def mistakes(draw: Draw) -> Figure | str:
    label, probability = answers(draw)
    totals = (int((label == 0).sum()), int((label == 1).sum()))
    return galleries.mistakes(pictures(len(label)), label, probability, totals, note=NOTE)


PLOTS: dict[Callable, Callable[[Draw], Figure | str]] = {
    training.learning_curves: learning_curves,
    training.seed_spread: seed_spread,
    evaluation.confusion_plot: lambda draw: evaluation.confusion_plot(matrix(draw), "best", NOTE),
    evaluation.matrices_plot: lambda draw: evaluation.matrices_plot(
        {name: matrix(draw) for name in draw(MODELS)}, NOTE
    ),
    evaluation.roc_plot: roc_plot,
    evaluation.metric_forest: metric_forest,
    evaluation.probability_plot: probability_plot,
    calibration.reliability_plot: reliability_plot,
    calibration.threshold_plot: calibrated_threshold,
    calibration.coverage_plot: coverage_plot,
    data.size_plot: size_plot,
    data.audit_plot: audit_plot,
    data.split_overview: split_overview,
    errors.outcome_plot: outcome_plot,
    errors.error_gallery: error_gallery,
    errors.effects_plot: effects_plot,
    errors.accuracy_bins_plot: accuracy_bins_plot,
    errors.accuracy_by_plot: accuracy_by_plot,
    errors.threshold_plot: costs_of_thresholds,
    explanations.evidence_gallery: maps_gallery,
    explanations.randomised_gallery: randomised_gallery,
    explanations.similarity_plot: similarity_plot,
    explanations.control_plot: control_plot,
    explanations.spectrum_grid: spectrum_grid,
    explanations.spectrum_curves: spectrum_curves,
    explanations.generator_spectra: generator_spectra,
    improve.ablation_plot: ablation_plot,
    improve.source_plot: source_plot,
    improve.evidence_gallery: patches_gallery,
    labels.confidence_plot: confidence_plot,
    labels.frequent_labels_plot: frequent_labels_plot,
    labels.category_plot: category_plot,
    labels.association_plot: association_plot,
    links.answer_card: answer_card,
    links.answer_gallery: answer_gallery,
    links.read_path_plot: read_path_plot,
    robustness.robustness_curves: robustness_curves,
    robustness.delivery_plot: delivery_plot,
    robustness.difference_plot: difference_plot,
    unseen.unseen_plot: unseen_plot,
    unseen.holdout_plot: holdout_plot,
    unseen.gate_plot: gate_plot,
    galleries.guessing_gallery: guessing_gallery,
    galleries.picture_wall: lambda draw: galleries.picture_wall(pictures(draw(COUNTS)), 0, note=NOTE),
    galleries.mistakes: mistakes,
}
"""Every plot, and how to call it with poor data."""


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("plot", PLOTS, ids=lambda plot: f"{plot.__module__.split('.')[-1]}.{plot.__name__}")
@settings(max_examples=6, deadline=None, derandomize=True, database=None)
@given(data=st.data())
def test_poor_data_gives_a_sentence_or_a_figure_that_says_something(
    plot: Callable, data: st.DataObject
) -> None:
    assert says_something(PLOTS[plot](data.draw))


def test_no_plot_is_left_out() -> None:
    names = [name for _, name, _ in pkgutil.iter_modules(plots.__path__, "src.utils.plots.")]
    modules = [importlib.import_module(name) for name in (*names, galleries.__name__)]
    public = {
        one
        for module in modules
        for name, one in inspect.getmembers(module, inspect.isfunction)
        if one.__module__ == module.__name__ and not name.startswith("_")
        if "Figure" in str(one.__annotations__.get("return", ""))
    }
    assert public - {galleries.picture_rows} == set(PLOTS)
