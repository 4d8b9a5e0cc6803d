"""What a model looks at: maps over pictures, the check on random weights, and residual spectra."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from matplotlib.colors import LinearSegmentedColormap, to_rgb
from matplotlib.figure import Figure
from numpy.typing import ArrayLike, NDArray
from PIL import Image

from src.utils.names import percent, short_name
from src.utils.plots.figure.galleries import SURE, PictureRow, picture_rows
from src.utils.plots.figure.style import (
    AI,
    CLASS_COLOURS,
    FAINT,
    HUMAN,
    INK,
    QUIET,
    SMALL_SIZE,
    TEXT_SIZE,
    light_grid,
    new_figure,
    on_white,
)

EVIDENCE = LinearSegmentedColormap.from_list("evidence", [HUMAN, "#FFFFFF", AI])
"""From what speaks for human-made, through nothing, to what speaks for AI."""

COVER = 0.75
"""Opacity of a map where it is strongest."""

MOST_GENERATORS = 5
"""Columns of spectra that are large enough to be seen from the back row."""


def lay_over(picture: NDArray[np.uint8], evidence: NDArray, scale: float) -> NDArray[np.uint8]:
    """Colour a picture by what speaks for AI (orange) and for human-made (blue), over its greys.

    Args:
        picture: uint8 [height, width, 3].
        evidence: Map of any size, above zero for AI.
        scale: Strength that is drawn in full colour.

    Returns:
        uint8 [height, width, 3].
    """
    height, width = picture.shape[:2]
    coarse = Image.fromarray(np.clip(evidence / max(scale, 1e-12), -1, 1).astype(np.float32))
    strength = np.asarray(coarse.resize((width, height), Image.Resampling.BICUBIC)).clip(-1, 1)[..., None]
    grey = np.asarray(Image.fromarray(picture).convert("L"), dtype=float)[..., None]
    colour = np.where(strength > 0, 255 * np.array(to_rgb(AI)), 255 * np.array(to_rgb(HUMAN)))
    cover = COVER * np.abs(strength)
    return np.rint(grey * (1 - cover) + colour * cover).astype(np.uint8)


def answers_title(model: str, which: str, probability: Sequence[float]) -> str:
    """Say in a figure's title whose answers are shown; answers at 52 % are not called confident.

    Args:
        model: Its name for people.
        which: `right` or `wrong`.
        probability: Its probability of AI for each picture that is shown.
    """
    surest = max((abs(one - 0.5) + 0.5 for one in probability), default=1.0)
    if surest < SURE:
        return f"{model}: its {which} answers, none with more than {percent(surest)} confidence"
    return f"{model}: its most confident {which} answers"


def evidence_gallery(
    pictures: Sequence[NDArray[np.uint8]],
    maps: Sequence[NDArray],
    captions: Sequence[str],
    title: str,
    note: str = "",
    names: tuple[str, str] = (
        "The picture",
        "Orange speaks for AI, blue for human-made; below: truth, probability of AI",
    ),
    otherwise: str = "There are no such pictures here.",
) -> Figure | str:
    """Draw pictures, and below each what spoke for either class.

    Args:
        pictures: uint8 [height, width, 3] each.
        maps: A map for each, above zero for AI; all are drawn on one scale.
        captions: A line under each map.
        title: What is to be seen.
        note: Which data.
        names: What the two rows hold.
        otherwise: What is said where there are no pictures.

    Returns:
        The figure, or `otherwise`.
    """
    if not len(pictures):
        return otherwise
    scale = _common_scale(maps)
    covered = [lay_over(*both, scale) for both in zip(pictures, maps, strict=True)]
    rows = [PictureRow(names[0], pictures), PictureRow(names[1], covered, captions)]
    return picture_rows(rows, title, note)


def randomised_gallery(
    pictures: Sequence[NDArray[np.uint8]],
    maps: Mapping[str, Sequence[NDArray]],
    title: str,
    note: str = "",
) -> Figure | str:
    """Draw the same pictures' maps from the trained network and from networks with random weights.

    Args:
        pictures: uint8 [height, width, 3] each.
        maps: By what a row is called, a map for each picture; each row has a scale of its own.
        title: What is to be seen.
        note: Which data.

    Returns:
        The figure; a sentence if there are no pictures.
    """
    if not len(pictures):
        return "There are no such pictures here."
    rows = [
        PictureRow(
            name,
            [lay_over(picture, one, _common_scale(own)) for picture, one in zip(pictures, own, strict=True)],
        )
        for name, own in maps.items()
    ]
    return picture_rows(rows, title, note)


def similarity_plot(
    similarity: Mapping[str, ArrayLike],
    note: str,
    title: str,
    xlabel: str = "Weights drawn anew, from the output down to this layer",
) -> Figure | str:
    """Draw how alike maps are to those of other networks, such as ones with some weights drawn anew.

    Args:
        similarity: By the other network, the size of a rank correlation a picture; last, what the maps of
            different pictures have in common.
        note: Which data.
        title: The finding.
        xlabel: What the other networks are.

    Returns:
        The figure; a sentence if there are no maps to compare.
    """
    values = [np.asarray(one, dtype=float) for one in similarity.values()]
    if len(values) < 2 or not all(map(len, values)):
        return "There are no maps to compare."
    figure = new_figure(title, note)
    axes = figure.subplots()
    jitter = np.random.default_rng(0)
    for place, one in enumerate(values):
        axes.plot(
            place + jitter.uniform(-0.12, 0.12, len(one)), one, "o", color=QUIET, alpha=0.35, markersize=7
        )
        axes.plot([place - 0.25, place + 0.25], [one.mean()] * 2, color=INK, linewidth=4)
        axes.annotate(
            f"{one.mean():.2f}",
            (place + 0.27, one.mean()),
            (4, 0),
            textcoords="offset points",
            va="center",
            fontsize=TEXT_SIZE,
            **on_white(),
        )
    axes.axhline(values[-1].mean(), color=QUIET, linewidth=1.5, linestyle="--")
    axes.axvline(len(values) - 1.5, color=FAINT, linewidth=2)
    axes.set_xticks(range(len(values)), [_readable(name) for name in similarity])
    axes.set(
        xlim=(-0.5, len(values) - 0.3),
        ylim=(-0.02, 1.05),
        xlabel=xlabel,
        ylabel="Likeness to the trained map",
    )
    light_grid(axes)
    return figure


def control_plot(
    likeness: Mapping[str, ArrayLike], unrelated: ArrayLike, title: str, note: str = ""
) -> Figure | str:
    """Draw how alike maps are to those of networks that learnt true and shuffled labels.

    Args:
        likeness: By what a network learnt, the size of a rank correlation a picture; may be empty.
        unrelated: What the maps of different pictures have in common, a value a picture.
        title: The finding.
        note: Which data.

    Returns:
        The figure; a sentence if there is nothing to compare.
    """
    if not likeness:
        return "This network is not above chance: there is nothing to compare its maps with."
    return similarity_plot(
        {**likeness, "another picture": unrelated}, note, title, "What the other network learnt from"
    )


def spectrum_grid(
    spectra: Mapping[str, tuple[ArrayLike, ArrayLike]], note: str = "", title: str = ""
) -> Figure | str:
    """Draw the mean residual spectrum of each class and their difference, a row a treatment.

    Args:
        spectra: By treatment, the spectra of human-made and of AI-generated pictures in decibels,
            [side, side], zero frequency in the middle; not finite where there are no pictures.
        note: Which data.
        title: Title.

    Returns:
        The figure; a sentence if a class has no spectrum.
    """
    if not spectra or not all(np.isfinite(one).all() for pair in spectra.values() for one in pair):
        return "There are pictures of one class only, so no spectra can be compared."
    figure = new_figure(title, note)
    grid = figure.subplots(len(spectra), 3, squeeze=False)
    levels = np.concatenate([np.ravel(one) for pair in spectra.values() for one in pair])
    low, high = np.quantile(levels, [0.02, 0.999])
    gaps = [np.asarray(ai) - np.asarray(human) for human, ai in spectra.values()]
    reach = max(np.quantile(np.abs(gap), 0.995) for gap in gaps)
    for row, (name, pair), gap in zip(grid, spectra.items(), gaps, strict=True):
        for axes, one in zip(row, pair, strict=False):
            level = axes.imshow(one, cmap="magma", vmin=low, vmax=high, extent=(-0.5, 0.5, 0.5, -0.5))
        difference = row[2].imshow(gap, cmap=EVIDENCE, vmin=-reach, vmax=reach, extent=(-0.5, 0.5, 0.5, -0.5))
        row[0].set_ylabel(name, fontsize=TEXT_SIZE)
        for axes in row:
            axes.set(xticks=[-0.5, 0, 0.5], yticks=[])
            axes.tick_params(labelsize=SMALL_SIZE)
    figure.colorbar(level, ax=grid[:, 1].tolist(), label="dB", shrink=0.7)
    figure.colorbar(difference, ax=grid[:, 2].tolist(), label="dB", shrink=0.7)
    for axes, name, colour in zip(
        grid[0], ("Human-made", "AI-generated", "AI minus human-made"), (*CLASS_COLOURS, INK), strict=True
    ):
        axes.set_title(name, color=colour, fontweight="bold")
    for axes in grid[-1]:
        axes.set_xlabel("Cycles a pixel", fontsize=SMALL_SIZE)
    return figure


def spectrum_curves(curves: Mapping[str, pd.DataFrame], note: str = "", title: str = "") -> Figure | str:
    """Draw by how much AI-generated residuals differ from human-made ones at each frequency.

    Args:
        curves: By treatment: `frequency`, `difference`, `difference_low`, `difference_high` in decibels.
        note: Which data.
        title: Title; the largest difference before and after if not given.

    Returns:
        The figure; a sentence if there is no difference to draw.
    """
    if not curves or any(table["difference"].isna().all() for table in curves.values()):
        return "There are pictures of one class only, so no spectra can be compared."
    figure = new_figure(title or _curves_title(curves), note)
    axes = figure.subplots()
    for (name, table), colour, line in zip(
        curves.items(), (INK, "#009E73", QUIET), ("-", "--", ":"), strict=False
    ):
        axes.fill_between(
            table["frequency"],
            table["difference_low"],
            table["difference_high"],
            color=colour,
            alpha=0.15,
            linewidth=0,
        )
        axes.plot(table["frequency"], table["difference"], line, color=colour, label=name)
    axes.axhline(0, color=QUIET, linewidth=1.5)
    axes.set(xlim=(0, 0.5), xlabel="Frequency, cycles a pixel", ylabel="AI minus human-made, dB")
    light_grid(axes)
    axes.legend(loc="best")
    return figure


def generator_spectra(
    gaps: Mapping[str, Mapping[str, ArrayLike]], note: str = "", title: str = ""
) -> Figure | str:
    """Draw each generator's mean residual spectrum minus that of human-made pictures.

    Args:
        gaps: By treatment (a row each), then by generator (a column each, the first `MOST_GENERATORS`):
            decibels, [side, side].
        note: Which data.
        title: Title.

    Returns:
        The figure; a sentence if there is no generator.
    """
    if not any(gaps.values()):
        return "No generator family with enough originals is known here."
    every = list(next(iter(gaps.values())))
    sources = every[:MOST_GENERATORS]
    left = len(every) - len(sources)
    more = f"{left} more {'families are' if left > 1 else 'family is'} not drawn." if left else ""
    figure = new_figure(title, f"{note} {more}".strip())
    grid = figure.subplots(len(gaps), len(sources), squeeze=False)
    everything = [np.abs(own[source]) for own in gaps.values() for source in sources]
    reach = np.quantile(np.concatenate([np.ravel(one) for one in everything]), 0.99)
    for row, (name, own) in zip(grid, gaps.items(), strict=True):
        for axes, source in zip(row, sources, strict=True):
            drawn = axes.imshow(own[source], cmap=EVIDENCE, vmin=-reach, vmax=reach)
            axes.set(xticks=[], yticks=[])
        row[0].set_ylabel(name, fontsize=TEXT_SIZE - 1)
    for axes, source in zip(grid[0], sources, strict=True):
        axes.set_title(short_name(source, 18), fontsize=SMALL_SIZE + 1, loc="center")
    figure.colorbar(drawn, ax=grid.ravel().tolist(), label="dB over human-made", shrink=0.7)
    return figure


def _common_scale(maps: Sequence[NDArray]) -> float:
    return float(np.quantile(np.abs(np.concatenate([np.ravel(one) for one in maps])), 0.98))


def _readable(layer: str) -> str:
    return layer.replace("2d_", " ").replace("_", " ")


def _curves_title(curves: Mapping[str, pd.DataFrame]) -> str:
    largest = [table["difference"].iloc[1:].abs().max() for table in curves.values()]
    return (
        f"Residuals differ by up to {largest[0]:.1f} dB; after the same compression, by {largest[-1]:.1f} dB"
    )
