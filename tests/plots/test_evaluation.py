import numpy as np
import pandas as pd
import pytest
from matplotlib import colormaps
from matplotlib.colors import Normalize

from src.utils.estimate import Estimate
from src.utils.names import model_name
from src.utils.plots.evaluation import (
    MATRIX_SHADES,
    confusion_plot,
    matrices_plot,
    metric_forest,
    probability_plot,
    roc_plot,
)
from src.utils.plots.figure.style import INK, NO_INTERVAL, contrast
from tests.plots.checks import lines, nothing_is_cut_off, title, words

INTERVAL = Estimate(0.71, 0.62, 0.79)


def test_the_confusion_matrix_shows_counts_and_shares():
    figure = confusion_plot([[41, 34], [27, 1048]], "cnn_deck", "A note.")
    left, right = figure.axes
    assert words(left)[:4] == ["41", "34", "27", "1,048"]
    assert words(left)[4:] == ["rightly cleared", "false positives", "missed", "found"]
    assert words(right) == ["55 %", "45 %", "3 %", "97 %"]
    assert [label.get_text() for label in left.get_xticklabels()] == ["Human-made", "AI-generated"]
    assert "recognises 55 % of the human-made and 97 % of the AI-generated" in title(figure)
    assert nothing_is_cut_off(figure)


def test_a_confusion_matrix_without_a_class():
    figure = confusion_plot([[0, 0], [2, 2]])
    assert words(figure.axes[1]) == ["–", "–", "50 %", "50 %"]
    assert title(figure) == "Recognised: 50 % of the AI-generated pictures; no others are here"
    assert confusion_plot([[0, 0], [0, 0]]) == "There are no pictures to count."


def test_one_answer_for_every_picture_is_the_title():
    assert title(confusion_plot([[0, 60], [0, 60]], "cnn_deck")) == (
        "Deck's CNN (faithful) calls every picture AI-generated"
    )


def test_words_on_the_matrix_are_readable_on_every_shade():
    shades = colormaps[MATRIX_SHADES["cmap"]]
    scale = Normalize(MATRIX_SHADES["vmin"], MATRIX_SHADES["vmax"])
    assert min(contrast(INK, shades(scale(share))) for share in np.linspace(0, 1, 101)) > 4.5


def test_matrices_stand_side_by_side_and_one_answer_for_all_is_named() -> None:
    figure = matrices_plot({"cnn_deck": [[0, 60], [0, 60]], "best": [[57, 3], [1, 59]]}, "A note.")
    deck, best = figure.axes
    assert words(deck) == [*["0 %", "100 %"] * 2, *["0 pictures", "60 pictures"] * 2]
    assert words(best)[:4] == ["95 %", "5 %", "2 %", "98 %"] and words(best)[6] == "1 picture"
    assert title(figure) == f"One answer for every picture: {model_name('cnn_deck')}"
    both = matrices_plot({"cnn_deck": [[40, 20], [30, 30]], "best": [[57, 3], [1, 59]]})
    assert title(both) == "Balanced accuracy from left to right: 0.58, 0.97"
    assert nothing_is_cut_off(figure)


def test_the_roc_curve_has_its_band_and_its_area():
    grid = np.linspace(0, 1, 5)
    band = pd.DataFrame({"fpr": grid, "tpr": grid**0.5, "low": grid, "high": grid**0.25})
    empty = band.iloc[:0]
    figure = roc_plot({"cnn_deck": band, "best": empty}, {"cnn_deck": INTERVAL, "best": {}}, "A note.")
    (axes,) = figure.axes
    assert lines(axes)[0] == [[0, 0], *np.column_stack([grid, grid**0.5]).tolist()]
    assert lines(axes)[1] == [[0, 0], [1, 1]]
    edge = axes.collections[0].get_paths()[0].vertices
    assert {(0.25, 0.25), (0.25, 0.25**0.25)} <= {tuple(point) for point in edge}
    legend = [text.get_text() for text in axes.get_legend().get_texts()]
    assert legend == ["Deck's CNN (faithful)\n0.71 [0.62, 0.79]", "chance"]
    assert nothing_is_cut_off(figure)
    assert title(figure) == "ROC-AUC: Deck's CNN (faithful), 0.71 [0.62, 0.79]"
    assert roc_plot({"best": empty}, {}) == "There is no ROC curve: it takes pictures of both classes."


def test_a_curve_that_may_be_guessing_is_not_called_best():
    grid = np.linspace(0, 1, 5)
    band = pd.DataFrame({"fpr": grid, "tpr": grid, "low": grid, "high": grid})
    may_be = {"cnn_deck": Estimate(0.55, 0.45, 0.66), "cnn_scaled": Estimate(0.52, 0.4, 0.6)}
    assert title(roc_plot(dict.fromkeys(may_be, band), may_be)) == (
        "No curve is measurably above guessing; the highest ROC-AUC: Deck's CNN (faithful), 0.55 [0.45, 0.66]"
    )
    above = may_be | {"best": Estimate(0.9, 0.8, 0.95)}
    assert title(roc_plot(dict.fromkeys(above, band), above)) == (
        "The highest ROC-AUC: Improved model, 0.90 [0.80, 0.95]"
    )


def test_the_forest_puts_models_beside_their_baselines():
    table = pd.DataFrame(
        {
            "model": ["always_ai", "cnn_deck"],
            "name": ["Always answers AI", "Deck's CNN"],
            "value": [0.5, 0.63],
            "low": [np.nan, 0.54],
            "high": [np.nan, 0.7],
        }
    )
    f1_of = table.assign(value=[np.nan, 0.63])
    figure = metric_forest({"auc": table, "f1": f1_of}, {"f1": 2 / 3}, "A note.")
    auc, f1 = figure.axes
    assert [[0.54, 1], [0.7, 1]] in lines(auc) and [[0.63, 1]] in lines(auc)
    assert words(auc) == ["0.50", "0.63 [0.54, 0.70]"]
    assert words(f1) == ["–", "0.63 [0.54, 0.70]"]
    assert [[2 / 3, 0], [2 / 3, 1]] in lines(f1) and [[0.5, 0], [0.5, 1]] in lines(auc)
    assert [label.get_text() for label in auc.get_yticklabels()] == table["name"].tolist()
    assert figure.get_supxlabel().split() == f"A note. {NO_INTERVAL}".split()
    assert title(figure) == "The highest ROC-AUC: Deck's CNN, 0.63 [0.54, 0.70]"
    assert nothing_is_cut_off(figure)


def test_a_forest_without_a_known_value_is_a_sentence() -> None:
    unknown = pd.DataFrame({"model": ["m"], "name": ["m"], "value": [np.nan], "low": np.nan, "high": np.nan})
    known = unknown.assign(value=0.5)
    assert len(metric_forest({"auc": known, "f1": unknown}).axes) == 1
    assert metric_forest({"auc": unknown}) == "No model could be measured on these pictures."
    assert metric_forest({"auc": unknown.head(0)}) == "No model could be measured on these pictures."


def test_a_low_value_stays_in_the_forest():
    table = pd.DataFrame({"model": ["m"], "name": ["m"], "value": [0.1], "low": [0.02], "high": [0.2]})
    assert metric_forest({"recall": table}).axes[0].get_xlim()[0] < 0.02


def test_probabilities_are_shares_of_each_class_and_the_wrong_side_stands_out():
    label = np.array([0, 0, 0, 0, 1, 1])
    probability = np.array([0.02, 0.04, 0.5, 0.99, 0.49, 1.0])
    figure = probability_plot(label, probability, np.array([1, 1, 1, 1, 3, 1]), note="A note.")
    human, ai = figure.axes
    heights = [[bar.get_height() for bar in axes.patches] for axes in (human, ai)]
    assert np.flatnonzero(heights[0]).tolist() == [0, 10, 19]
    assert [h for h in heights[0] if h] == [0.5, 0.25, 0.25]
    assert [h for h in heights[1] if h] == [0.75, 0.25]
    assert human.get_title("right") == "50 % called AI"
    assert ai.get_title("right") == "75 % called human-made"
    assert [bar.get_alpha() for bar in human.patches] == [0.35] * 10 + [1.0] * 10
    assert [bar.get_alpha() for bar in ai.patches] == [1.0] * 10 + [0.35] * 10
    assert nothing_is_cut_off(figure)


@pytest.mark.parametrize("threshold", [0.0, 0.123, 0.87, 1.0])
def test_any_threshold_and_one_class(threshold):
    figure = probability_plot([1, 1], [0.3, 0.9], threshold=threshold)
    (axes,) = figure.axes
    assert sum(bar.get_height() for bar in axes.patches) == pytest.approx(1)
    assert "false-positive" not in title(figure)


def test_a_single_bar_is_no_histogram():
    assert probability_plot([0, 1, 1], [0.51, 0.52, 0.52]) == (
        "Every probability of AI lies between 0.51 and 0.52: there is no spread to draw."
    )
    assert probability_plot([], []) == "There are no probabilities to draw."


def test_no_model_leads_where_all_of_them_may_be_guessing() -> None:
    table = pd.DataFrame(
        {"model": "a", "name": ["A", "B"], "value": [0.53, 0.5], "low": [0.41, 0.3], "high": 0.65}
    )
    assert title(metric_forest({"auc": table})) == "ROC-AUC: no model is measurably above guessing"
    lifted = table.assign(low=[0.51, 0.3])
    assert title(metric_forest({"auc": lifted})) == "The highest ROC-AUC: A, 0.53 [0.51, 0.65]"
    assert "no model" in title(metric_forest({"auc": lifted}, {"auc": 0.6}))
