import itertools

import numpy as np
import pandas as pd
import pytest
from matplotlib.colors import to_hex

from src.utils.estimate import Estimate
from src.utils.plots.data import audit_plot, size_plot, split_overview
from src.utils.plots.evaluation import confusion_plot, metric_forest, probability_plot, roc_plot
from src.utils.plots.figure.style import AI, CLASS_COLOURS, HUMAN, MODEL_COLOURS
from src.utils.plots.training import DECK_ACCURACY, learning_curves, seed_spread

INTERVAL = Estimate(0.71, 0.62, 0.79)


def lines(axes):
    """Data of every line that is not empty."""
    return [np.column_stack(line.get_data()).tolist() for line in axes.lines if len(line.get_xdata())]


def words(axes):
    return [text.get_text() for text in axes.texts]


def title(figure):
    """The title as one line with ordinary spaces."""
    return " ".join(figure.get_suptitle().split())


def nothing_is_cut_off(figure):
    figure.draw_without_rendering()
    for axes in figure.axes:
        box = axes.get_tightbbox()
        if box is not None and box.width:
            assert box.x0 >= -1 and box.y0 >= -1
            assert box.x1 <= figure.bbox.width + 1 and box.y1 <= figure.bbox.height + 1
    return True


def luminance(colour):
    """Relative luminance (WCAG 2.2)."""
    values = [int(colour[start : start + 2], 16) / 255 for start in (1, 3, 5)]
    linear = [value / 12.92 if value <= 0.04045 else ((value + 0.055) / 1.055) ** 2.4 for value in values]
    return np.dot(linear, [0.2126, 0.7152, 0.0722])


def test_class_colours_stay_apart_without_red_or_green():
    # Viénot et al. 1999: linear RGB as a deuteranope and a protanope see it
    deutan = np.array([[0.29275, 0.70725, 0], [0.29275, 0.70725, 0], [-0.02234, 0.02234, 1]])
    protan = np.array([[0.11238, 0.88762, 0], [0.11238, 0.88762, 0], [0.00401, -0.00401, 1]])
    colours = [[(int(c[s : s + 2], 16) / 255) ** 2.2 for s in (1, 3, 5)] for c in CLASS_COLOURS]
    for seen in (deutan, protan):
        human, ai = (seen @ np.array(colour) for colour in colours)
        assert np.linalg.norm(human - ai) > 0.3


def test_words_in_colour_can_be_read_on_white():
    for colour in (*CLASS_COLOURS, *MODEL_COLOURS.values()):
        assert 1.05 / (luminance(colour) + 0.05) > 3, colour
    assert not set(MODEL_COLOURS.values()) & set(CLASS_COLOURS)


# --- data


def test_constant_sizes_are_said_to_give_nothing_away():
    figure = size_plot([384] * 10, [384] * 10, [0, 1] * 5, "A note.")
    assert figure.get_suptitle() == "Every picture is 384 × 384 pixels: size gives nothing away"
    left, right = figure.axes
    assert [marks.get_offsets().tolist() for marks in left.collections] == [[[384, 384]]] * 2
    assert [stairs.get_data().values.max() for stairs in right.patches] == [1.0, 1.0]
    assert nothing_is_cut_off(figure)


def test_sizes_by_class():
    figure = size_plot([100, 200, 100, 400], [100, 100, 100, 100], [0, 0, 1, 1])
    assert title(figure) == "Human-made pictures have 2 sizes, AI-generated ones 2; 1 occur in both"
    human, ai = figure.axes[1].patches
    for stairs, expected in ((human, {1.0: 0.5, 2.0: 0.5}), (ai, {1.0: 0.5, 4.0: 0.5})):
        shares, edges, _ = stairs.get_data()
        middle = ((edges[:-1] + edges[1:]) / 2).round(3)
        assert {m: s for m, s in zip(middle, shares, strict=True) if s} == expected
    size_plot([], [], [])


def audit_table(**columns):
    table = {
        "feature": ["width", "bytes", "jpeg_quality", "all container facts"],
        "kind": ["container", "content", "container", "container"],
        "auc": [0.5, 0.68, 0.6, 0.66],
        "low": [0.5, 0.6, 0.48, 0.5],
        "high": [0.5, 0.75, 0.7, 0.8],
        "direction": ["", "more in AI", "more in human", ""],
        "constant": [True, False, False, False],
    }
    return pd.DataFrame(table | columns)


def test_the_audit_draws_what_varies_and_names_what_does_not():
    figure = audit_plot(audit_table(), "A note.")
    (axes,) = figure.axes
    assert [label.get_text() for label in axes.get_yticklabels()] == [
        "JPEG quality",
        "all container facts",
        "bytes",
    ]
    assert lines(axes)[:2] == [[[0.48, 0], [0.7, 0]], [[0.6, 0]]]
    assert [[0.5, 0], [0.5, 1]] in lines(axes)
    assert words(axes) == ["0.60, more in human", "0.66", "0.68, more in AI"]
    assert "Constant, so they tell nothing: width." in figure.get_supxlabel()
    assert "JPEG quality, AUC 0.60 (together 0.66)" in title(figure)
    assert nothing_is_cut_off(figure)


def test_an_audit_of_constant_containers_says_so():
    table = audit_table(constant=[True, False, True, True])
    assert "All containers are alike" in audit_plot(table).get_suptitle()
    nothing = audit_plot(audit_table(constant=[True] * 4))
    assert nothing.get_suptitle() == "All containers are alike" and nothing_is_cut_off(nothing)


def test_a_long_audit_keeps_the_strongest():
    rows = pd.DataFrame({"feature": [f"f{n}" for n in range(30)], "auc": np.linspace(0.5, 0.9, 30)})
    table = rows.assign(kind="content", low=rows["auc"], high=np.nan, direction="", constant=False)
    figure = audit_plot(table, most=5)
    labels = [label.get_text() for label in figure.axes[0].get_yticklabels()]
    assert labels == ["f25", "f26", "f27", "f28", "f29"]
    assert "25 weakest" in figure.get_supxlabel()


def test_the_split_is_drawn_as_counted():
    rows = list(itertools.product(("train", "validation", "test"), (0, 1)))
    counts = pd.DataFrame(rows, columns=["split", "label"])
    counts = counts.assign(pictures=[640, 600, 160, 150, 200, 1900], groups=[64, 64, 16, 16, 20, 20])
    figure = split_overview(counts, "A note.")
    pictures, groups = figure.axes
    assert [bar.get_width() for bar in pictures.patches] == [640, 160, 200, 600, 150, 1900]
    assert [bar.get_width() for bar in groups.patches] == [64, 16, 20, 64, 16, 20]
    assert words(pictures) == ["640", "160", "200", "600", "150", "1,900"]
    assert title(figure) == "Groups by split: 64 % train, 16 % validation, 20 % test"
    assert to_hex(pictures.patches[0].get_facecolor()).upper() == HUMAN
    assert to_hex(pictures.patches[3].get_facecolor()).upper() == AI
    assert nothing_is_cut_off(figure)


# --- training


def history():
    rows = [
        {"model": model, "seed": seed, "epoch": epoch, "accuracy": 0.5 + epoch / 10, "val_accuracy": accuracy,
         "loss": 12.0 if epoch == 1 else 0.5, "val_loss": 0.7 - accuracy / 10}
        for model in ("cnn_deck", "cnn_scaled")
        for seed in (1, 2)
        for epoch, accuracy in ((1, 0.55), (2, 0.65), (3, 0.6))
    ]  # fmt: skip
    return pd.DataFrame(rows)


def test_learning_curves_stand_beside_the_decks_ten_values():
    figure = learning_curves(history(), note="A note.")
    panels = figure.axes[:2]
    assert [axes.get_title("left") for axes in panels] == [
        "Deck's CNN (pixels 0–255)",
        "Deck's CNN (pixels scaled)",
    ]
    for axes in panels:
        drawn = lines(axes)
        assert drawn[0] == [[1, 0.6], [2, 0.7], [3, 0.8]]
        assert drawn[1] == [[1, 0.55], [2, 0.65], [3, 0.6]]
        assert drawn[2] == [[2, 0.65]]
        assert np.array(drawn[6]).tolist() == [[n + 1, value] for n, value in enumerate(DECK_ACCURACY)]
    assert figure.get_suptitle() == "Training accuracy ends at 0.80, validation accuracy at 0.60"
    assert nothing_is_cut_off(figure)


def test_one_exploding_loss_does_not_flatten_the_rest():
    figure = learning_curves(history(), "loss", (0.7447, 0.2154, 0.1904))
    assert figure.axes[0].get_ylim()[1] < 3
    assert [[2, 0.7 - 0.065]] in lines(figure.axes[0])


@pytest.mark.parametrize("epochs", [1, 3])
def test_short_runs_one_model_and_no_deck(epochs):
    rows = history().query("model == 'cnn_deck' and epoch <= @epochs")
    figure = learning_curves(rows, deck=None)
    assert len(figure.axes) == 2 and len(lines(figure.axes[0])) == 2 * 3 + 1
    assert nothing_is_cut_off(figure)
    learning_curves(rows.assign(val_accuracy=np.nan))


def test_the_spread_between_seeds_is_drawn_and_said():
    table = pd.DataFrame(
        {"model": ["cnn_deck"] * 3 + ["cnn_scaled"], "seed": [1, 2, 3, 1], "value": [0.6, 0.5, 0.7, 0.65]}
    )
    figure = seed_spread(table, "auc", "A note.")
    (axes,) = figure.axes
    assert [[0.6, 0], [0.5, 0], [0.7, 0]] in lines(axes)
    assert words(axes) == [
        "mean 0.60, from 0.50 to 0.70 (3 seeds)",
        "0.65 (1 seed)",
    ]
    assert title(figure) == ("Another seed moves the ROC-AUC of Deck's CNN (pixels 0–255) by up to 0.20")
    assert nothing_is_cut_off(figure)


# --- evaluation


def test_the_confusion_matrix_shows_counts_and_shares():
    figure = confusion_plot([[41, 34], [27, 1048]], "cnn_deck", "A note.")
    left, right = figure.axes
    assert words(left)[:4] == ["41", "34", "27", "1,048"]
    assert words(left)[4:] == ["rightly cleared", "wrongly accused", "missed", "caught"]
    assert words(right) == ["55 %", "45 %", "3 %", "97 %"]
    assert [label.get_text() for label in left.get_xticklabels()] == ["Human-made", "AI-generated"]
    assert "recognises 55 % of the human-made and 97 % of the AI-generated" in title(figure)
    assert nothing_is_cut_off(figure)


def test_a_confusion_matrix_without_a_class():
    assert words(confusion_plot([[0, 0], [2, 2]]).axes[1]) == ["–", "–", "50 %", "50 %"]


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
    assert legend == ["Deck's CNN (pixels 0–255)\n0.71 [0.62, 0.79]", "chance"]
    assert nothing_is_cut_off(figure)
    assert roc_plot({"best": empty}, {}).get_suptitle() == "No curve: both classes are needed"


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
    figure = metric_forest({"auc": table, "f1": table.assign(value=np.nan)}, {"f1": 2 / 3}, "A note.")
    auc, f1 = figure.axes
    assert [[0.54, 1], [0.7, 1]] in lines(auc) and [[0.63, 1]] in lines(auc)
    assert words(auc) == ["0.50\n(interval not estimable)", "0.63 [0.54, 0.70]"]
    assert words(f1) == ["–", "–"]
    assert [[2 / 3, 0], [2 / 3, 1]] in lines(f1) and [[0.5, 0], [0.5, 1]] in lines(auc)
    assert [label.get_text() for label in auc.get_yticklabels()] == table["name"].tolist()
    assert figure.get_suptitle().startswith("ROC-AUC: Deck's CNN leads with 0.63")
    assert nothing_is_cut_off(figure)


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
    assert sum(bar.get_height() for bar in figure.axes[1].patches) == pytest.approx(1)
    assert figure.axes[0].get_title("right") == "– called AI"
