import numpy as np
import pandas as pd

from src.utils.plots.links import answer_card, answer_gallery, read_path_plot

PICTURE = np.zeros((20, 30, 3), np.uint8)


def words(figure):
    return [text.get_text() for text in figure.findobj(lambda one: hasattr(one, "get_text"))]


def test_a_card_shows_the_probability_its_interval_and_how_far_to_trust_it():
    answer = {"probability_ai": 0.57, "probability_low": 0.4, "probability_high": 0.6, "verdict": "Uncertain"}
    figure = answer_card(PICTURE, answer, "A demonstration.", "Model: m.")
    said = words(figure)
    assert "Uncertain: the model gives AI a probability of 57 %" in " ".join(" ".join(said).split())
    assert "A demonstration." in [text.strip() for text in said] and "40 % to 60 %" in said
    mark = figure.axes[1].lines[0]
    assert list(mark.get_xdata()) == [0.57, 0.57]
    unmeasured = answer | {"probability_low": None, "probability_high": None}
    assert not [word for word in words(answer_card(PICTURE, unmeasured, "")) if " % to " in word]


def test_a_gallery_parts_wins_from_losses_and_without_truth_shows_verdicts():
    answers = pd.DataFrame(
        {
            "label": ["AI-generated", "Human-made"],
            "truth": ["AI-generated", "AI-generated"],
            "probability_ai": [0.9, 0.2],
            "verdict": ["AI-generated", "Human-made"],
        }
    )
    said = words(answer_gallery([PICTURE, PICTURE], answers))
    assert {"Right (1)", "Wrong (1)", "1 of 2 links answered right"} <= set(said)
    said = words(answer_gallery([PICTURE, PICTURE], answers.assign(truth="")))
    assert {"AI-generated (1)", "Human-made (1)", "Answers to 2 links"} <= set(said)


def test_read_paths_are_sorted_and_the_most_harmful_one_is_named():
    answers = pd.DataFrame(
        {"this project": [0.9, 0.1], "b": [0.8, 0.2], "c": [0.7, 0.3], "d": [0.1, 0.2]}, index=["x", "y"]
    )
    figure = read_path_plot(answers)
    assert "Read as “d”, 1 of 2 pictures change their answer" in words(figure)
    assert list(figure.axes[0].lines[0].get_xdata()) == [0.1, 0.9]
    low, high = read_path_plot(0.5 + answers / 100).axes[0].get_xlim()
    assert 0.49 < low < 0.5 and 0.509 < high < 0.52


def test_reading_in_another_way_may_change_nothing():
    same = [0.9, 0.1]
    answers = pd.DataFrame({"this project": same, "b": [0.875, 0.2], "c": same, "d": same})
    said = words(read_path_plot(answers))
    assert "No way of reading changes an answer; probabilities move by at most 10.0 points" in [
        " ".join(one.split()) for one in said
    ]
    assert read_path_plot(answers.head(0)) == "There are no pictures to read in several ways."
    assert answer_gallery([], pd.DataFrame({"truth": [], "label": []})) == "No picture was read from a link."
