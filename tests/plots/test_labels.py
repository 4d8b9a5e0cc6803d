"""Label slides: what is drawn is what the tables say, on rich and on poor data."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure

from src.utils.plots.figure.style import AI, HUMAN
from src.utils.plots.labels import (
    CategorySide,
    association_plot,
    category_plot,
    confidence_plot,
    frequent_labels_plot,
)


def title(figure: Figure) -> str:
    return figure.get_suptitle().replace("\n", " ")


def confidences(low: float = -0.1, high: float = 0.2) -> pd.DataFrame:
    row = {"human": 0.3, "human_low": 0.2, "human_high": 0.4, "ai": 0.35, "ai_low": 0.3, "ai_high": 0.4}
    row |= {"difference": 0.05, "difference_low": low, "difference_high": high}
    return pd.DataFrame([row | {"deck_human": 0.385334, "deck_ai": 0.434599}] * 3)


def test_means_stand_beside_the_decks() -> None:
    figure = confidence_plot(confidences(), "VGG19")
    figure.draw_without_rendering()
    axes = figure.axes[0]
    heights = [line.get_ydata()[0] for line in axes.lines]
    assert heights == [0.3, 0.385334, 0.35, 0.434599]
    assert [line.get_color() for line in axes.lines][::2] == [HUMAN, AI]
    assert [text.get_text() for text in axes.texts] == ["0.30"] * 3 + ["0.35"] * 3
    assert [label.get_text() for label in axes.get_xticklabels()] == [
        "first label",
        "second label",
        "third label",
    ]


def test_the_title_claims_only_what_the_interval_shows() -> None:
    assert (
        title(confidence_plot(confidences(), "VGG19"))
        == "VGG19 is about as sure on AI-generated as on human-made pictures"
    )
    assert title(confidence_plot(confidences(0.01), "VGG19")) == "VGG19 is surer on AI-generated pictures"
    assert "less sure" in title(confidence_plot(confidences(-0.2, -0.1).assign(difference=-0.15), "VGG19"))
    unknown = confidences().assign(difference_low=np.nan, human_low=np.nan, human_high=np.nan)
    assert title(confidence_plot(unknown, "VGG19")).startswith("VGG19's mean confidence: 0.35 on AI")
    one_class = confidences().assign(difference=np.nan, human=np.nan)
    figure = confidence_plot(one_class, "VGG19")
    figure.draw_without_rendering()
    assert title(figure) == "VGG19's mean confidence: 0.35 on AI-generated pictures; there are no others"
    assert len(figure.axes[0].texts) == 3


def test_frequent_labels_have_a_panel_a_class() -> None:
    table = pd.DataFrame(
        {
            "class": ["Human-made"] * 2 + ["AI-generated"],
            "category": ["lab_coat", "plate", "wig"],
            "pictures": [34, 23, 10],
            "groups": [34, 5, 10],
        }
    )
    figure = frequent_labels_plot(table, "VGG19")
    figure.draw_without_rendering()
    human, ai = figure.axes
    assert [bar.get_width() for bar in human.patches] == [34, 23] and [
        bar.get_width() for bar in ai.patches
    ] == [10]
    assert [text.get_text() for text in human.texts] == ["34", "23  (5 groups)"]
    assert human.get_xlim() == ai.get_xlim() and "VGG19" in title(figure)
    assert len(frequent_labels_plot(table.head(2), "VGG19").axes) == 1
    rare = table.assign(pictures=[34, 1, 1], groups=1)
    assert [len(axes.patches) for axes in frequent_labels_plot(rare, "VGG19").axes] == [1]
    assert frequent_labels_plot(table.head(0), "VGG19") == "No label is given to two pictures of a class."


def side(confidence: list[float], shown: list[int], groups: int | None = None) -> CategorySide:
    pictures = [np.full((20, 30, 3), 10 * number, np.uint8) for number in range(len(shown))]
    return CategorySide(confidence, groups or len(confidence), shown, pictures)


def test_a_category_shows_points_and_numbered_pictures() -> None:
    human = side([0.2, 0.9, 0.5], [1, 0], groups=2)
    figure = category_plot("rapeseed", "a yellow plant", (human, side([], [])), "VGG19", "note")
    figure.draw_without_rendering()
    assert title(figure) == "VGG19 says “rapeseed”: a yellow plant"
    points, *frames = figure.axes
    assert [(x, y) for x, y in zip(*points.lines[1].get_data(), strict=True)] == [
        (3, 0.2),
        (1, 0.9),
        (2, 0.5),
    ]
    assert [(text.get_text(), text.xy) for text in points.texts] == [("1", (1, 0.9)), ("2", (3, 0.2))]
    assert [frame.get_title() for frame in frames] == ["1: 0.90", "2: 0.20"]
    assert points.get_title("right") == "3 pictures of 2 groups, mean 0.53"
    assert category_plot("rapeseed", "a plant", (side([], []), side([], [])), "VGG19") == (
        "No picture is called rapeseed."
    )


def test_a_full_category_fills_two_rows_within_the_slide() -> None:
    full = side(list(np.linspace(0.9, 0.1, 34)), list(range(6)))
    for sides in ((full, full), (full, side([], []))):
        figure = category_plot("plate", "a dish " * 12, sides, "VGG19")
        figure.draw_without_rendering()
        assert len(figure.axes) == 7 * len([one for one in sides if one.pictures])
        for axes in figure.axes:
            box = axes.get_position(original=True)
            assert 0 <= box.x0 < box.x1 <= 1 and 0 <= box.y0 < box.y1 <= 1
            assert not axes.images or box.height >= 0.2 - 1e-9
    with pytest.raises(ValueError, match="6 fit"):
        category_plot("plate", "a dish", (side([0.5] * 9, list(range(9))), full), "VGG19")


def odds(**columns: list[float]) -> pd.DataFrame:
    table = {
        "category": ["rapeseed", "alp", "wig"],
        "groups_human": [6, 14, 0],
        "groups_ai": [41, 0, 7],
        "odds_ratio": [8.0, 0.0, np.inf],
        "low": [3.0, 0.0, 1.1],
        "high": [20.0, 0.4, np.inf],
        "p_adjusted": [0.001, 0.01, 0.2],
    }
    return pd.DataFrame(table | columns)


def test_odds_are_drawn_with_arrows_where_they_have_no_end() -> None:
    figure = association_plot(odds(), "VGG19")
    figure.draw_without_rendering()
    axes = figure.axes[0]
    marks = [line for line in axes.lines if line.get_marker() not in ("None", None, "")]
    assert [mark.get_marker() for mark in marks] == ["o", "<", ">"]
    assert [mark.get_color() for mark in marks] == [AI, HUMAN, AI]
    assert marks[0].get_xdata()[0] == 8 and marks[0].get_markerfacecolor() == AI
    assert marks[2].get_markerfacecolor() == "white"
    left, right = axes.get_xlim()
    assert marks[1].get_xdata()[0] == left and marks[2].get_xdata()[0] == right
    assert title(figure) == "2 of 3 tested categories differ between the classes (VGG19)"
    assert axes.texts[0].get_text() == "6 human · 41 AI"


def test_nothing_tested_and_nothing_found_are_said() -> None:
    nothing = "No category is shown by enough groups of both classes to be tested."
    assert association_plot(odds(p_adjusted=[np.nan] * 3), "VGG19") == nothing
    assert association_plot(odds().head(0), "VGG19") == nothing
    found = association_plot(odds(p_adjusted=[0.5] * 3), "VGG19")
    assert title(found) == "None of 3 tested categories differs between the classes (VGG19)"
