"""Explanation slides: colours mean what the legend says, spectra lie where they should."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from matplotlib.colors import to_rgb

from src.utils.plots.explanations import (
    COVER,
    MOST_GENERATORS,
    answers_title,
    control_plot,
    evidence_gallery,
    generator_spectra,
    lay_over,
    randomised_gallery,
    similarity_plot,
    spectrum_curves,
    spectrum_grid,
)
from src.utils.plots.figure.style import AI, HUMAN
from tests.plots.checks import lines, nothing_is_cut_off, title, words

GREY = np.full((40, 60, 3), 100, np.uint8)


def test_what_speaks_for_ai_is_orange_and_for_human_made_blue() -> None:
    evidence = np.zeros((4, 6))
    evidence[:, 0], evidence[:, 5] = 2, -2
    covered = lay_over(GREY, evidence, scale=2)
    assert covered.shape == GREY.shape
    for column, colour in ((0, AI), (59, HUMAN)):
        expected = 100 * (1 - COVER) + 255 * np.array(to_rgb(colour)) * COVER
        np.testing.assert_allclose(covered[20, column], expected, atol=12)
    np.testing.assert_allclose(covered[20, 30], [100] * 3, atol=6)


def test_a_map_of_nothing_leaves_the_greys() -> None:
    np.testing.assert_array_equal(lay_over(GREY, np.zeros((3, 3)), scale=0), GREY)


def test_pictures_stand_above_their_maps_on_one_scale() -> None:
    maps = [np.full((3, 3), 1.0), np.full((3, 3), 0.1)]
    figure = evidence_gallery([GREY, GREY], maps, ["AI: 90 %", "Human: 10 %"], "A title", "A note.")
    assert title(figure) == "A title"
    plain, _, strong, weak = (np.asarray(axes.images[0].get_array(), float) for axes in figure.axes)
    assert np.ptp(plain) == 0
    assert np.ptp(strong[20, 30]) > 4 * np.ptp(weak[20, 30])
    assert {"AI: 90 %", "Human: 10 %"} <= {text.get_text() for text in figure.texts}


def test_random_maps_have_a_scale_of_their_own() -> None:
    maps = {"Trained": [np.full((3, 3), 1.0)], "Random weights": [np.full((3, 3), 0.001)]}
    figure = randomised_gallery([GREY], maps, "A title")
    trained, random = (np.asarray(axes.images[0].get_array(), float) for axes in figure.axes)
    np.testing.assert_allclose(trained, random, atol=2)


def test_likeness_is_drawn_by_layer_beside_chance() -> None:
    check = {"dense_1": [0.9, 0.7], "conv2d_1": [0.3, 0.4], "another picture": [0.2, 0.3]}
    figure = similarity_plot(check, "A note.", "A finding")
    assert title(figure) == "A finding"
    (axes,) = figure.axes
    assert words(axes) == ["0.80", "0.35", "0.25"]
    assert [text.get_text() for text in axes.get_xticklabels()] == ["dense 1", "conv 1", "another picture"]
    assert nothing_is_cut_off(figure)


def test_answers_near_a_coin_toss_are_not_called_confident() -> None:
    assert answers_title("M", "right", [0.9, 0.4]) == "M: its most confident right answers"
    assert (
        answers_title("M", "wrong", [0.52, 0.46])
        == "M: its wrong answers, none with more than 54 % confidence"
    )
    assert answers_title("M", "wrong", []) == "M: its most confident wrong answers"


def test_spectra_show_each_class_and_their_difference() -> None:
    human, ai = np.zeros((8, 8)), np.zeros((8, 8))
    ai[2, 3] = 4
    figure = spectrum_grid(
        {"as they are": (human, ai), "after JPEG 75": (human, human)}, "A note.", "A title"
    )
    images = [np.asarray(axes.images[0].get_array()) for axes in figure.axes[:6]]
    np.testing.assert_array_equal(images[2], ai - human)
    np.testing.assert_array_equal(images[5], human)
    assert figure.axes[2].images[0].get_clim() == figure.axes[5].images[0].get_clim()
    assert nothing_is_cut_off(figure)


def test_curves_say_what_compression_leaves() -> None:
    def curve(size):
        difference = np.array([9.0, size, -size / 2])  # the first ring is the mean and does not count
        table = pd.DataFrame({"frequency": [0, 0.25, 0.5], "difference": difference})
        return table.assign(difference_low=difference - 1, difference_high=difference + 1)

    figure = spectrum_curves({"as they are": curve(3.0), "after JPEG 75": curve(0.5)}, "A note.")
    assert title(figure) == "Residuals differ by up to 3.0 dB; after the same compression, by 0.5 dB"
    assert [[0, 9], [0.25, 3], [0.5, -1.5]] in lines(figure.axes[0])
    assert words(figure.axes[0]) == ["as they are", "after JPEG 75"]


def test_of_many_generators_those_are_drawn_that_the_back_row_can_see() -> None:
    gaps = {f"Painter {number}": np.eye(8) for number in range(8)}
    figure = generator_spectra({"as they are": gaps, "after JPEG 75": gaps}, "A note.", "A title")
    figure.draw_without_rendering()
    panels = [axes for axes in figure.axes if axes.images]
    assert len(panels) == 2 * MOST_GENERATORS
    assert min(axes.get_window_extent().height for axes in panels) >= figure.bbox.height / 5
    assert figure.get_supxlabel() == "A note. 3 more families are not drawn."


@pytest.mark.parametrize("sources", [["Flux"], ["Flux", "Qwen", "Z-Image"]])
def test_each_generator_has_a_column(sources) -> None:
    gaps = {name: {source: np.eye(8) for source in sources} for name in ("as they are", "after JPEG 75")}
    figure = generator_spectra(gaps, "A note.", "A title")
    assert len(figure.axes) == 2 * len(sources) + 1
    assert [axes.get_title() for axes in figure.axes[: len(sources)]] == sources
    assert nothing_is_cut_off(figure)


def test_nothing_to_draw_is_a_sentence() -> None:
    assert evidence_gallery([], [], [], "A title") == "There are no such pictures here."
    assert generator_spectra({"as they are": {}, "after JPEG 75": {}}).startswith("No generator family")


def test_controls_stand_side_by_side_and_without_any_there_is_a_sentence() -> None:
    likeness = {"true labels": np.linspace(0.2, 0.6, 24), "shuffled labels": np.linspace(0.1, 0.5, 24)}
    figure = control_plot(likeness, np.full(24, 0.2), "A finding", "A note.")
    assert title(figure) == "A finding"
    (axes,) = figure.axes
    ticks = [label.get_text() for label in axes.get_xticklabels()]
    assert ticks == ["true labels", "shuffled labels", "another picture"]
    assert axes.get_xlabel() == "What the other network learnt from"
    nothing_is_cut_off(figure)
    assert "not above chance" in control_plot({}, [], "A finding")
