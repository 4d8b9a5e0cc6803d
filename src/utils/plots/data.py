"""The data before any training: sizes, what the files give away, and who is in which split."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import ArrayLike, NDArray

from src.utils.names import ALL_CONTAINER, fact_name, percent
from src.utils.plots.figure.style import (
    CLASS_COLOURS,
    INK,
    QUIET,
    SMALL_SIZE,
    light_grid,
    new_figure,
    percent_axis,
)
from src.utils.settings import CLASS_NAMES, SPLITS

CONTENT_COLOUR = "#009E73"
MARKERS = ("o", "D")
"""Marker of class 0 and of class 1, for who cannot tell the colours apart."""


def size_plot(width: ArrayLike, height: ArrayLike, label: ArrayLike, note: str = "") -> Figure | str:
    """Draw which sizes and which aspect ratios each class has.

    Args:
        width: Pixels, [n].
        height: Pixels, [n].
        label: Classes, [n].
        note: Which data.

    Returns:
        Left: every size as a mark whose area is its share of the class. Right, where shapes differ: the share
        of the class at each aspect ratio (width / height), in bins. A sentence if there is one size only.
    """
    width, height, label = (np.asarray(one, dtype=float) for one in (width, height, label))
    sizes = np.unique(np.stack([width, height]), axis=1).T
    if len(sizes) < 2:
        only = "".join(
            f"Every picture is {w:.0f} × {h:.0f} pixels: size gives nothing away." for w, h in sizes
        )
        return only or "There are no pictures."
    figure = new_figure(_size_title(width, height, label), note)
    edges = _ratio_edges(width / height)
    several = int(np.count_nonzero(np.histogram(width / height, edges)[0]) > 1)
    left, *right = figure.subplots(1, 1 + several, squeeze=False, width_ratios=[1.15, 1][: 1 + several])[0]
    for one, colour in enumerate(CLASS_COLOURS):
        mine = label == one
        sizes, counts = np.unique(np.stack([width[mine], height[mine]]), axis=1, return_counts=True)
        area = 60 + 2000 * counts / max(counts.sum(), 1)
        look = {"alpha": 0.5, "linewidth": 0} if one == 0 else {"facecolor": "none", "linewidth": 2.5}
        left.scatter(*sizes, s=area, marker=MARKERS[one], edgecolor=colour, label=CLASS_NAMES[one], **look)
    _from_zero(left, width, height)
    left.set(xlabel="Width, pixels", ylabel="Height, pixels")
    light_grid(left, "both")
    for axes in right:
        _draw_ratios(axes, width / height, label, edges)
    legend = (right or [left])[0].legend(loc="upper right" if right else "upper left", markerscale=0.5)
    for handle, colour in zip(legend.get_texts(), CLASS_COLOURS, strict=True):
        handle.set_color(colour)
    return figure


def _draw_ratios(axes: Axes, aspect: NDArray, label: NDArray, edges: NDArray) -> None:
    """Draw the share of each class at each aspect ratio."""
    for one, name in enumerate(CLASS_NAMES):
        mine = label == one
        shares = np.histogram(aspect[mine], edges)[0] / max(mine.sum(), 1)
        style = {"color": CLASS_COLOURS[one], "label": name, "linewidth": 3}
        axes.stairs(shares, edges, fill=one == 0, alpha=0.45 if one == 0 else 1, **style)
    axes.set(xlabel="Aspect ratio, width / height", ylabel="Share of the class")
    highest = max(axes.dataLim.ymax, 0.05)
    axes.set(ylim=(0, 1.3 * highest), yticks=[tick for tick in axes.get_yticks() if tick <= highest + 0.05])
    percent_axis(axes.yaxis)
    light_grid(axes)


def audit_plot(table: pd.DataFrame, note: str = "", title: str = "", most: int = 14) -> Figure | str:
    """Draw how well each fact alone ranks the classes: AUC with its interval, and chance.

    Args:
        table: Columns `feature`, `kind` (`container` or `content`), `auc`, `low`, `high`, `constant`,
            `direction`.
        note: Which data.
        title: Title; the finding if not given.
        most: Most rows to draw, the highest; the note says how many are left out.

    Returns:
        A row per fact that varies, highest AUC on top; those that are constant are named below. A sentence
        if no fact ranks anything.
    """
    varying = table[~table["constant"] & table["auc"].notna()].sort_values("auc", kind="stable")
    if varying.empty:
        return "No fact ranks the classes: all are the same for every picture, or there is one class only."
    constant = [fact for fact in table.loc[table["constant"], "feature"] if fact != ALL_CONTAINER]
    lines = [f"The {len(varying) - most} weakest facts are not drawn."] if len(varying) > most else []
    if constant:
        lines.append("Constant, so they tell nothing: " + ", ".join(map(fact_name, constant)) + ".")
    figure = new_figure(title or _audit_title(table), " ".join([note, *lines]).strip())
    axes = figure.subplots()
    varying = varying.tail(most)
    for row, fact in enumerate(varying.itertuples()):
        content = fact.kind == "content"
        colour = CONTENT_COLOUR if content else INK
        axes.plot([fact.low, fact.high], [row, row], color=colour, linewidth=4, solid_capstyle="butt")
        axes.plot(fact.auc, row, "s" if content else "o", color=colour, markersize=12)
        right = np.nanmax([fact.high, fact.auc])
        axes.annotate(
            f"{fact.auc:.2f}" + (f", {fact.direction}" if fact.direction else ""),
            (right, row),
            (10, 0),
            textcoords="offset points",
            va="center",
            fontsize=SMALL_SIZE + 1,
            color=colour,
        )
    axes.axvline(0.5, color=QUIET, linestyle="--", linewidth=2)
    names = [fact_name(fact) for fact in varying["feature"]]
    lowest = np.nanmin([0.45, *varying["low"]])
    axes.set(
        yticks=range(len(names)),
        yticklabels=names,
        ylim=(-0.6, max(len(names), 3) - 0.4),
        xlim=(lowest - 0.02, 1.12),
        xticks=np.arange(0.5, 1.01, 0.1),
        xlabel="AUC of this fact alone (0.5 = chance, 1 = tells every picture)",
    )
    axes.spines["left"].set_visible(False)
    light_grid(axes, "x")
    axes.tick_params(axis="y", length=0)
    for kind, colour, marker in (("container", INK, "o"), ("content", CONTENT_COLOUR, "s")):
        if (varying["kind"] == kind).any():
            axes.plot([], [], marker, color=colour, markersize=12, label=kind)
    axes.legend(loc="lower right", handletextpad=0.2)
    return figure


def split_overview(counts: pd.DataFrame, note: str = "", title: str = "") -> Figure | str:
    """Draw how many pictures and groups of each class every split holds.

    Args:
        counts: Columns `split`, `label`, `pictures`, `groups`; a row per split and class that occurs.
        note: Which data.
        title: Title; the shares if not given.

    Returns:
        The figure; a sentence if there are no pictures.
    """
    splits = [split for split in SPLITS if (counts["split"] == split).any()]
    if not splits:
        return "There are no pictures in any split."
    figure = new_figure(title or _split_title(counts, splits), note)
    panels = figure.subplots(1, 2, sharey=True)
    for axes, column in zip(panels, ("pictures", "groups"), strict=True):
        for one, name in enumerate(CLASS_NAMES):
            mine = counts[counts["label"] == one].set_index("split")[column].reindex(splits, fill_value=0)
            rows = np.arange(len(splits)) + 0.2 * (2 * one - 1)
            bars = axes.barh(rows, mine, height=0.36, color=CLASS_COLOURS[one], label=name)
            axes.bar_label(bars, [f"{count:,}" for count in mine], padding=6, fontsize=SMALL_SIZE + 2)
        axes.set_title(column.capitalize())
        axes.set_xlim(0, 1.16 * max(counts[column].max(), 1))
        axes.spines[["bottom", "left"]].set_visible(False)
        axes.tick_params(length=0)
        axes.set_xticks([])
    panels[0].set(yticks=range(len(splits)), yticklabels=[split.capitalize() for split in splits])
    panels[0].invert_yaxis()
    # Beside the panels: inside, it would lie on the bars of a large unseen set.
    legend = figure.legend(*panels[1].get_legend_handles_labels(), loc="outside right center")
    for text, colour in zip(legend.get_texts(), CLASS_COLOURS, strict=True):
        text.set_color(colour)
    return figure


def _size_title(width: NDArray, height: NDArray, label: NDArray) -> str:
    sizes = [set(zip(width[label == one], height[label == one], strict=True)) for one in (0, 1)]
    human, ai, shared = len(sizes[0]), len(sizes[1]), len(sizes[0] & sizes[1])
    return f"Human-made pictures have {_sizes(human)}, AI-generated ones {_sizes(ai)}; {shared:,} in common"


def _sizes(count: int) -> str:
    return f"{count:,} size{'' if count == 1 else 's'}"


def _ratio_edges(aspect: NDArray) -> NDArray:
    """Bins of 0.05 around the ratios that occur, with a margin; the outermost 1 % at each end is left out."""
    low, high = np.quantile(aspect, [0.01, 0.99]) if len(aspect) else (1, 1)
    return np.arange(np.floor(low * 20) - 3, np.ceil(high * 20) + 4) / 20 - 0.025


def _from_zero(axes: Axes, width: NDArray, height: NDArray) -> None:
    most = 1.15 * max(width.max(initial=1), height.max(initial=1))
    axes.set(xlim=(0, most), ylim=(0, most))


def _audit_title(table: pd.DataFrame) -> str:
    """What the container tells, alone and together, and else what the content tells most."""
    ranked = table[~table["constant"] & table["auc"].notna()]
    ranked = ranked.sort_values("auc", ascending=False, kind="stable")
    together = ranked[ranked["feature"] == ALL_CONTAINER]
    facts = ranked[ranked["feature"] != ALL_CONTAINER]
    container, content = (facts[facts["kind"] == kind] for kind in ("container", "content"))
    if len(together):
        alone = f"; the strongest alone: {_strongest(container)}" if len(container) else ""
        return f"Container facts together reach {_auc(together)}{alone}"
    if len(container):
        return f"The strongest container fact: {_strongest(container)}"
    return f"All containers are alike; the strongest content fact: {_strongest(content)}"


def _strongest(facts: pd.DataFrame) -> str:
    return f"{fact_name(facts['feature'].iloc[0])}, {_auc(facts)}"


def _auc(facts: pd.DataFrame) -> str:
    """The first fact's AUC, and whether it may be chance."""
    first = facts.iloc[0]
    return f"AUC {first['auc']:.2f}{' (may be chance)' if first['low'] <= 0.5 else ''}"


def _split_title(counts: pd.DataFrame, splits: Sequence[str]) -> str:
    drawn = [split for split in splits if split != "unseen"]
    if not drawn:
        return "Every picture belongs to the unseen set"
    groups = counts.groupby("split")["groups"].sum().reindex(drawn)
    shares = ", ".join(f"{percent(share)} {split}" for split, share in (groups / groups.sum()).items())
    return f"Groups by split: {shares}" + ("; the unseen set apart" if "unseen" in splits else "")
