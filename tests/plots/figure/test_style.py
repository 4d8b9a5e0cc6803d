import numpy as np

from src.utils.plots.figure.style import CLASS_COLOURS, MODEL_COLOURS, data_note, wrap


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


def test_a_title_is_broken_into_even_lines_that_keep_numbers_whole():
    text = "Deck's CNN recognises 55 % of the human-made and 64 % of the AI-generated, AUC 0.71 [0.62, 0.79]"
    lines = wrap(text, 60).split("\n")
    assert len(lines) == 2 and abs(len(lines[0]) - len(lines[1])) < 20
    assert "\N{NO-BREAK SPACE}".join(["55", "%"]) in lines[0]
    assert lines[1].endswith("[0.62,\N{NO-BREAK SPACE}0.79]")
    assert wrap("short", 60) == "short" and wrap("", 60) == ""


def test_a_note_says_which_data_and_how_many():
    assert data_note("sample", "test", 1480, 37) == (
        "Demonstration sample, test split: 1,480 pictures in 37 groups."
    )
    assert data_note("kaggle") == "Kaggle dataset."
    assert data_note("folder", pictures=3) == "Your own images: 3 pictures."


def test_one_picture_is_no_plural():
    assert data_note("folder", "test", 1, 1).endswith("test split: 1 picture in 1 group.")


def test_no_line_ends_within_a_word():
    assert wrap("There are AI-generated pictures", 21) == "There are\nAI-generated pictures"
