"""Error slides: what is drawn is what the tables say, on rich and on poor data."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure

from src.utils.plots.errors import (
    accuracy_bins_plot,
    accuracy_by_plot,
    effects_plot,
    error_gallery,
    outcome_plot,
    threshold_plot,
)
from src.utils.plots.figure.style import AI, HUMAN


def title(figure: Figure) -> str:
    figure.draw_without_rendering()
    return figure.get_suptitle().replace("\n", " ").replace("\N{NO-BREAK SPACE}", " ")


def test_every_picture_is_a_dot_in_the_row_of_its_outcome() -> None:
    outcome = ["true negative", "false positive", "false positive", "true positive"]
    figure = outcome_plot(outcome, [0.2, 0.6, 0.9, 0.7], "Deck's CNN")
    assert title(figure) == "Deck's CNN is 75 % sure when it is wrong, 75 % when it is right (medians)"
    rows = [line.get_xdata().tolist() for line in figure.axes[0].lines]
    assert [pytest.approx(row) for row in rows] == [[0.8], [0.6, 0.9], [], [0.7]]
    for row, line in enumerate(figure.axes[0].lines):
        assert (np.abs(line.get_ydata() - row) < 0.31).all()
    assert [text.get_text() for text in figure.axes[0].texts] == ["1", "2", "0", "1"]


def test_no_mistake_only_mistakes_and_no_pictures() -> None:
    assert "no mistake" in title(outcome_plot(["true negative"] * 2, [0.1, 0.2]))
    assert "wrong on every one" in title(outcome_plot(["false positive"] * 2, [0.8, 0.9]))
    assert outcome_plot([], []) == "There are no probabilities to draw."


def test_answers_that_are_equally_sure_are_a_sentence() -> None:
    said = outcome_plot(["true negative", "false positive", "true positive"], [0.49, 0.51, 0.50])
    assert said == "Every probability of AI lies between 0.49 and 0.51: there is no spread to draw."
    shares = {"accuracy": 0.5, "fpr": [1.0, 0.5, 0.0], "recall": [1.0, 0.5, 0.0]}
    curve = pd.DataFrame({"recall": [0.5, 1.0], "precision": [0.5, 0.5]})
    flat, wide = (pd.DataFrame({"threshold": one} | shares) for one in ([0.5, 0.51, 0.52], [0.4, 0.5, 0.6]))
    assert threshold_plot(flat, curve, 0.5).startswith("All probabilities are about the same")
    assert not isinstance(threshold_plot(wide, curve, 0.5), str)


def test_one_answer_for_every_picture_is_the_title() -> None:
    figure = outcome_plot(["false positive", "true positive"], [0.52, 0.60], "Deck's CNN")
    assert title(figure) == "Deck's CNN calls every picture AI, 56 % sure (median)"


def test_mistakes_are_shown_surest_first_with_what_is_in_them() -> None:
    pictures = [np.full((30, 40, 3), 20 * number, np.uint8) for number in range(7)]
    figure = error_gallery(
        pictures,
        np.linspace(0.99, 0.6, 7),
        0,
        12,
        pd.Series(["wig", *[""] * 5, "black_and_gold_garden_spider"]),
        "note",
    )
    assert title(figure) == "Human-made, but called AI: 12 mistakes, the surest of each original"
    texts = [text.get_text().replace("\N{NO-BREAK SPACE}", " ") for text in figure.texts]
    assert texts[2:4] == ["99 % · wig", "92 %"] and len(figure.axes) == 7
    assert texts[-1] == "60 % · black_and_gold_g…"
    assert len({round(axes.get_position().y0, 3) for axes in figure.axes}) == 2
    assert title(error_gallery(pictures, [0.1] * 7, 1, 7)) == "AI-generated, but called human-made: 7 in all"
    unsure = error_gallery(pictures, [0.51] * 7, 0, 12)
    assert title(unsure) == "Human-made, but called AI: 12 in all, none with more than 51 % confidence"
    assert error_gallery([], [], 1, 0) == "No AI-generated picture is answered wrongly."


def effects(**columns: list) -> pd.DataFrame:
    table = {
        "errors": ["false positives", "false negatives", "false positives"],
        "property": ["brightness", "brightness", "sharpness"],
        "delta": [-0.5, 0.2, 0.1],
        "low": [-0.7, np.nan, -0.2],
        "high": [-0.3, np.nan, 0.4],
        "p_adjusted": [0.01, np.nan, 0.6],
    }
    return pd.DataFrame(table | columns)


def test_effects_have_a_panel_a_kind_and_are_filled_where_they_hold() -> None:
    figure = effects_plot(effects())
    assert title(figure) == "1 of 2 comparisons set wrong answers apart from right ones"
    positives, negatives = figure.axes
    marks = [line for line in positives.lines if line.get_marker() == "o"]
    assert [mark.get_xydata()[0].tolist() for mark in marks] == [[-0.5, 0], [0.1, 1]]
    assert [mark.get_markerfacecolor() for mark in marks] == [HUMAN, "white"]
    [mark] = [line for line in negatives.lines if line.get_marker() == "o"]
    assert mark.get_xydata()[0].tolist() == [0.2, 0] and mark.get_color() == AI
    assert [label.get_text() for label in positives.get_yticklabels()] == ["brightness", "sharpness"]


def test_nothing_measurable_and_nothing_to_compare_are_said() -> None:
    assert title(effects_plot(effects(p_adjusted=[0.5] * 3))) == (
        "Wrong and right answers: no difference survives correction (3 comparisons)"
    )
    assert effects_plot(effects(p_adjusted=[np.nan] * 3)).startswith("Too few groups are wrong or right")
    one = effects_plot(effects(p_adjusted=[0.5] * 3).iloc[[1]])
    title(one)
    assert [axes.get_title("left") for axes in one.axes] == ["False negatives"]
    assert effects_plot(effects().head(0)).startswith("In neither class")


def bins(properties: int, count: int) -> pd.DataFrame:
    rows = [
        {
            "property": f"p{one}",
            "from": step,
            "to": step + 1.5,
            "accuracy": step / count,
            "low": 0.1,
            "high": 0.9,
        }
        for one in range(properties)
        for step in range(count)
    ]
    return pd.DataFrame(rows, columns=["property", "from", "to", "accuracy", "low", "high"])


@pytest.mark.parametrize(("properties", "count"), [(1, 2), (2, 5), (7, 3), (10, 5), (12, 2)])
def test_each_property_has_a_panel_with_its_bins(properties: int, count: int) -> None:
    figure = accuracy_bins_plot(bins(properties, count), 0.6)
    title(figure)
    panels = [axes for axes in figure.axes if axes.axison]
    assert [axes.get_title("left") for axes in panels] == [f"p{one}" for one in range(min(properties, 10))]
    line = panels[0].lines[1]
    assert line.get_ydata().tolist() == [step / count for step in range(count)]
    assert panels[0].lines[0].get_ydata()[0] == 0.6
    labels = [label.get_text() for label in panels[0].get_xticklabels()]
    assert labels[0] == ("0.0–\n1.5" if count < 10 else "0–\n2") and sum(map(bool, labels)) == (
        2 if count > 3 else count
    )


def test_no_property_is_said() -> None:
    assert accuracy_bins_plot(bins(0, 0), 0.6) == "No property differs between the pictures."


def by_value() -> pd.DataFrame:
    return pd.DataFrame(
        {
            "value": ["people", "food", "a very long name of something that nobody could read on a slide"],
            "human": [40, 5, 0],
            "ai": [1040, 5, 1],
            "groups": [20, 5, 1],
            "accuracy": [0.6, 0.9, 0.0],
            "low": [0.5, 0.8, 0.0],
            "high": [0.7, 1.0, 0.2],
        }
    )


def test_accuracy_goes_from_worst_to_best_with_counts() -> None:
    figure = accuracy_by_plot(by_value(), "subject", 0.62)
    assert title(figure).startswith("Accuracy by subject: from 0 %") and title(figure).endswith(
        "to 90 % (food)"
    )
    axes = figure.axes[0]
    marks = [line.get_xydata()[0].tolist() for line in axes.lines if line.get_marker() == "o"]
    assert marks == [[0, 0], [0.6, 1], [0.9, 2]]
    texts = [text.get_text() for text in axes.texts]
    assert texts[:3] == [
        "0 human · 1 AI (1 group)",
        "40 human · 1,040 AI (20 groups)",
        "5 human · 5 AI (5 groups)",
    ]
    assert max(len(label.get_text()) for label in axes.get_yticklabels()) <= 34


def test_without_intervals_no_difference_is_claimed() -> None:
    assert "at most 20 originals stand behind a row" in title(
        accuracy_by_plot(by_value().assign(low=np.nan), "subject", 0.6)
    )
    for few in (0, 1):
        assert accuracy_by_plot(by_value().head(few), "generator", 0.6) == (
            "Nothing to compare by generator: not two of them have 5 groups."
        )


def test_threshold_and_precision_recall_are_drawn_as_given() -> None:
    sweep = pd.DataFrame(
        {"threshold": [0, 0.5, 1], "accuracy": [0.5, 0.8, 0.5], "fpr": [1, 0.3, 0], "recall": [1, 0.9, 0]}
    )
    curve = pd.DataFrame({"recall": [1.0, 0.5, 0.0], "precision": [0.5, 0.75, 1.0]})
    figure = threshold_plot(sweep, curve, 0.5, model="Deck's CNN")
    assert title(figure) == "Deck's CNN: what another threshold would buy and cost"
    left, right = figure.axes
    lines = {line.get_label(): line.get_ydata() for line in left.lines}
    assert lines["false-positive rate"].tolist() == [1, 0.3, 0]
    assert lines["AI missed"].tolist() == pytest.approx([0, 0.1, 1])
    assert right.lines[1].get_xdata(orig=True).tolist() == [1.0, 0.5]
    only_human = threshold_plot(sweep.assign(recall=np.nan), curve.head(0), 0.0)
    assert only_human.endswith("pictures of one class only.")
    assert threshold_plot(sweep.assign(fpr=np.nan), curve, 1.0) == only_human


def test_what_varies_by_rounding_only_has_no_panel_and_no_tick_of_5e_31() -> None:
    noise = bins(1, 3).assign(property="hue", **{"from": [0.0, 1e-31, 2e-31], "to": [1e-31, 2e-31, 5.8e-31]})
    figure = accuracy_bins_plot(pd.concat([bins(1, 3), noise]), 0.6)
    assert [axes.get_title("left") for axes in figure.axes] == ["p0"]
    tiny = bins(1, 2).assign(**{"from": [5.8e-31, 0.5], "to": [0.5, 0.9]})
    assert [label.get_text() for label in accuracy_bins_plot(tiny, 0.6).axes[0].get_xticklabels()] == [
        "0.00–\n0.50",
        "0.50–\n0.90",
    ]
