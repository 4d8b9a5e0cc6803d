"""What damage does to a model, and what it owes to shortcuts and to the split."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from src.utils.estimate import Estimate
from src.utils.names import model_name, percent
from src.utils.plots.figure.style import (
    AI,
    HUMAN,
    INK,
    QUIET,
    SMALL_SIZE,
    TEXT_SIZE,
    brief,
    footnoted,
    in_sentence,
    light_grid,
    model_colour,
    new_figure,
    on_white,
    percent_axis,
)

COLUMNS = 4
"""Panels side by side."""

GAP = 1.2
"""Rows between deliveries and transformations."""

RATES = (
    ("recall", "Recall (AI-generated)", AI, -0.13),
    ("false_positive_rate", "False-positive rate (human-made)", HUMAN, 0.13),
)
"""Column, name, colour of the class, and how many rows off the middle its marks stand."""


def robustness_curves(
    tables: Mapping[str, Mapping[str, pd.DataFrame]],
    axes_names: Mapping[str, str],
    note: str = "",
    title: str = "",
) -> Figure | str:
    """Draw the AUC of each model as damage grows, a panel a kind of damage.

    Args:
        tables: By kind of damage, then by model: `level`, `auc`, `auc_low`, `auc_high`, the picture as it is
            in the first row, then mild to severe.
        axes_names: By kind, what the level is.
        note: Which data.
        title: Title; the largest loss if not given.

    Returns:
        The figure; a sentence if no ROC-AUC is known.
    """
    if not any(table["auc"].notna().any() for models in tables.values() for table in models.values()):
        return "No ROC-AUC is known here: it takes pictures of both classes."
    figure = new_figure(title or _robustness_title(tables, axes_names), note)
    rows = -(-(len(tables) + 1) // COLUMNS)
    panels = np.ravel(figure.subplots(rows, COLUMNS, sharey=True, squeeze=False))
    for axes, (kind, models) in zip(panels, tables.items(), strict=False):
        levels = list(max((table["level"].tolist() for table in models.values()), key=len))
        for model, table in models.items():
            place = [levels.index(level) for level in table["level"]]
            colour = model_colour(model)
            axes.fill_between(
                place, table["auc_low"], table["auc_high"], color=colour, alpha=0.15, linewidth=0
            )
            axes.plot(place, table["auc"], "o-", color=colour, markersize=7)
        axes.axhline(0.5, color=QUIET, linestyle="--", linewidth=1.5)
        axes.set_xticks(range(len(levels)), ["as is", *(f"{level:g}" for level in levels[1:])])
        axes.tick_params(axis="x", labelsize=SMALL_SIZE)
        axes.set_title(axes_names[kind], fontsize=TEXT_SIZE)
        light_grid(axes)
    seen = pd.concat([table for models in tables.values() for table in models.values()])
    low, high = np.nanmin(seen[["auc", "auc_low"]]), np.nanmax(seen[["auc", "auc_high"]])
    panels[0].set_ylim(min(0.4, low - 0.03), max(0.8, high + 0.03))
    for axes in panels[::COLUMNS]:
        axes.set_ylabel("ROC-AUC")
    _explain(panels[len(tables)], {model for models in tables.values() for model in models})
    for axes in panels[len(tables) :]:
        axes.set_axis_off()
    return figure


def delivery_plot(table: pd.DataFrame, model: str = "", note: str = "", title: str = "") -> Figure | str:
    """Draw recall and false-positive rate through every delivery, transformations apart below.

    Args:
        table: A row a delivery: `title`, `transformation`, `worst` (true for one row), `recall`,
            `false_positive_rate` and `balanced_accuracy`, each with `_low` and `_high`.
        model: Which model answered.
        note: Which data.
        title: Title; the worst delivery if not given.

    Returns:
        The figure; a sentence if there are no deliveries.
    """
    if table.empty:
        return "There are no pictures that could be delivered."
    balanced = [Estimate.from_row(row, "balanced_accuracy") for row in table.to_dict("records")]
    figure = new_figure(title or _delivery_title(table, model), footnoted(note, balanced))
    axes = figure.subplots()
    table = table.sort_values("transformation", kind="stable").reset_index(drop=True)
    places = table.index + GAP * table["transformation"]
    for name, text, colour, shift in RATES:
        if table[name].isna().all():
            continue  # no pictures of that class
        axes.hlines(
            places + shift, table[f"{name}_low"], table[f"{name}_high"], color=colour, alpha=0.5, lw=5
        )
        axes.plot(table[name], places + shift, "o", color=colour, markersize=10, label=text)
        axes.axvline(table[name].iloc[0], color=colour, linewidth=1.5, linestyle=":")
    beside = {"transform": axes.get_yaxis_transform(), "va": "center", "fontsize": SMALL_SIZE}
    for place, row in zip(places, table.to_dict("records"), strict=True):
        weight = "bold" if row["worst"] else "normal"
        said = brief(Estimate.from_row(row, "balanced_accuracy"))
        axes.text(1.02, place, said, fontweight=weight, **beside)
    heads = [(1.02, -0.9, "Balanced accuracy", "left"), (-0.01, -0.9, "Deliveries", "right")]
    if table["transformation"].any():
        heads.append((-0.01, places[table["transformation"]].min() - 0.9, "Transformations", "right"))
    for x, place, text, side in heads:
        axes.text(x, place, text, color=QUIET, ha=side, **beside)
    names = [f"{row.title} – worst" if row.worst else row.title for row in table.itertuples()]
    axes.set(yticks=places, ylim=(places.max() + 0.6, -0.6), xlim=(-0.02, 1.02), xlabel="Share called AI")
    for text, worst in zip(axes.set_yticklabels(names, fontsize=SMALL_SIZE), table["worst"], strict=True):
        text.set_fontweight("bold" if worst else "normal")
    axes.spines["left"].set_visible(False)
    axes.tick_params(axis="y", length=0)
    percent_axis(axes.xaxis)
    light_grid(axes, "x")
    axes.legend(loc="lower left", bbox_to_anchor=(0, 1.0), ncols=2, fontsize=SMALL_SIZE + 1)
    return figure


def difference_plot(rows: pd.DataFrame, note: str = "", title: str = "") -> Figure | str:
    """Draw AUCs that belong together, one under the other, and what lies between them.

    Args:
        rows: `set` (rows of one set stand together), `name`, `value`, `low`, `high`, `difference` (a text
            beside the row, or empty) and `model` (its colour; may be empty).
        note: Which data.
        title: Title.

    Returns:
        The figure; a sentence if no ROC-AUC is known.
    """
    rows = rows[rows["value"].notna()]
    if rows.empty:
        return "No ROC-AUC is known here: it takes pictures of both classes."
    estimates = [Estimate.of(row.value, row.low, row.high) for row in rows.itertuples()]
    figure = new_figure(title, footnoted(note, estimates))
    axes = figure.subplots()
    place, marks, names = 0.0, [], []
    previous = None
    for row, estimate in zip(rows.itertuples(), estimates, strict=True):
        place += 0.0 if previous is None else 1.0 if row.set == previous else 1.7
        if row.set != previous:
            where = axes.get_yaxis_transform()
            axes.text(0.0, place - 0.62, row.set, transform=where, fontweight="bold", **on_white())
        previous = row.set
        colour = model_colour(row.model) if row.model else INK
        axes.plot([row.low, row.high], [place, place], color=colour, linewidth=5, solid_capstyle="butt")
        axes.plot(row.value, place, "o", color=colour, markersize=14)
        said = brief(estimate) + (f"   {row.difference}" if row.difference else "")
        axes.text(
            1.02, place, said, transform=axes.get_yaxis_transform(), va="center", fontsize=SMALL_SIZE + 1
        )
        marks.append(place)
        names.append(row.name)
    axes.axvline(0.5, color=QUIET, linestyle="--", linewidth=2)
    lowest = np.nanmin([0.4, *rows["value"], *rows["low"]])
    axes.set(
        yticks=marks, ylim=(place + 0.7, -1.0), xlim=(lowest - 0.03, 1.03), xlabel="ROC-AUC (0.5 = chance)"
    )
    axes.set_yticklabels(names)
    axes.spines["left"].set_visible(False)
    axes.tick_params(axis="y", length=0)
    light_grid(axes, "x")
    return figure


def _explain(axes: Axes, models: set[str]) -> None:
    for model in sorted(models):
        axes.plot([], [], "o-", color=model_colour(model), label=model_name(model))
    axes.fill_between([], [], [], color=QUIET, alpha=0.2, label="95 % interval")
    axes.plot([], [], "--", color=QUIET, linewidth=1.5, label="chance")
    axes.legend(loc="center", fontsize=SMALL_SIZE + 1)


def _delivery_title(table: pd.DataFrame, model: str) -> str:
    who = f"{model_name(model)}: " if model else ""
    if not table["worst"].any():
        return f"{who}the same answers through every delivery"
    worst = table[table["worst"]].iloc[0]
    rates = [
        f"{said} {percent(worst[name])}"
        for name, said in (("recall", "recall"), ("false_positive_rate", "false-positive rate"))
        if not np.isnan(worst[name])
    ]
    return f"{who}worst delivery “{worst['title']}”, {', '.join(rates)}"


def _robustness_title(tables: Mapping[str, Mapping[str, pd.DataFrame]], axes_names: Mapping[str, str]) -> str:
    losses: Sequence[tuple[float, str, str, float, bool]] = [
        (table["auc"].iloc[0] - row.auc, model, axes_names[kind], row.level, np.isnan(row.auc_low))
        for kind, models in tables.items()
        for model, table in models.items()
        for row in table.iloc[1:].itertuples()
        if not np.isnan(table["auc"].iloc[0] - row.auc)
    ]
    loss, model, kind, level, few = max(losses, default=(0.0, "", "", 0.0, False))
    if loss < 0.005:
        return "No damage that was tried lowers a ROC-AUC by 0.01"
    where = f"{model_name(model)}, {in_sentence(kind)} = {level:g}"
    doubt = " (too few originals for an interval)" if few else ""
    return f"The largest loss of ROC-AUC is {loss:.2f}: {where}{doubt}"
