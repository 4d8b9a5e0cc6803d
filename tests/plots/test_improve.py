from __future__ import annotations

import numpy as np
import pandas as pd

from src.utils.plots.figure.style import AI, HUMAN
from src.utils.plots.improve import ablation_plot, evidence_gallery, source_plot
from tests.plots.checks import title


def table() -> pd.DataFrame:
    return pd.DataFrame(
        {
            "candidate": ["plain", "full"],
            "mean": [0.9, 0.95],
            "mean_low": [0.8, np.nan],
            "mean_high": [0.95, np.nan],
            "worst": [0.7, 0.85],
            "worst_low": [0.5, np.nan],
            "worst_high": [0.8, np.nan],
        }
    )


def test_the_ablation_shows_every_candidate_and_sets_off_the_chosen() -> None:
    figure = ablation_plot(table(), "full", "note")
    assert title(figure) == "On left-out sources “full” reaches a ROC-AUC of 0.95; on the worst, 0.85"
    folded = ablation_plot(table(), "full", "note", "fold")
    assert title(folded).startswith("On left-out folds “full” reaches")
    (axes,) = figure.axes
    names = {label.get_text(): label.get_fontweight() for label in axes.get_yticklabels()}
    assert names == {"plain": "normal", "full": "bold"}
    dots = [line.get_xdata().tolist() for line in axes.lines if line.get_marker() == "o"]
    assert dots == [[0.9, 0.95], [0.7, 0.85]]


def test_the_matrix_shows_every_pair() -> None:
    matrix = pd.DataFrame([[0.9, 0.75]], index=["Flux"], columns=["Argon theme", "campus"])
    folds = ["fold 1", "fold 2"]
    assert "folds of originals" in source_plot(pd.DataFrame([[0.9, np.nan], [np.nan, 0.8]], folds, folds))
    figure = source_plot(matrix)
    assert title(figure) == "Left out together, hardest to tell apart: Flux and campus"
    axes = figure.axes[0]
    assert [text.get_text() for text in axes.texts] == ["0.90", "0.75"]
    assert [label.get_text() for label in axes.get_xticklabels()] == ["Argon", "campus"]


def test_a_model_without_patches_has_no_evidence_to_show() -> None:
    assert evidence_gallery([], None, [], []).startswith("The model that was kept reads no single patches")


def test_evidence_is_signed_on_one_scale() -> None:
    maps = [np.full((14, 14), -1.0), np.full((14, 14), 3.0)]
    pictures = [np.zeros((20, 30, 3), np.uint8)] * 2
    figure = evidence_gallery(pictures, maps, [0, 1], [0.1, 0.9])
    images = [axes.images[0] for axes in figure.axes]
    scales = {(image.norm.vmin, image.norm.vmax) for image in images[2:]}
    assert len(scales) == 1
    ((low, high),) = scales
    assert low == -high < 0
    colours = [axes.title.get_color() for axes in figure.axes[:2]]
    assert colours == [HUMAN, AI]
