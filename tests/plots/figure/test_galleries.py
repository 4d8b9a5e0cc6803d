import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg

from src.utils.plots.figure.galleries import (
    PictureRow,
    guessing_gallery,
    mistakes,
    picture_rows,
    picture_wall,
)
from src.utils.plots.figure.style import AI, HUMAN


def picture(value, height=30, width=30):
    return np.full((height, width, 3), value, dtype=np.uint8)


def shown(figure):
    """First pixel of each picture, in drawing order."""
    return [axes.images[0].get_array()[0, 0, 0] for axes in figure.axes]


def texts(figure):
    return [text.get_text() for text in figure.texts]


def test_examples_ask_without_answering_and_a_second_figure_answers():
    pictures, label = [picture(n) for n in range(10)], [0, 1, 1, 0, 1, 0, 0, 1, 0, 0]
    asked, answered = (guessing_gallery(pictures, label, answer) for answer in (False, True))
    assert shown(asked) == shown(answered) == list(range(10))
    assert asked.get_suptitle() == "4 of these 10 pictures were made by a generator. Which?"
    assert [text for text in texts(asked)[1:] if text] == [str(n) for n in range(1, 11)]
    assert not {"Human", "AI"} & set(" ".join(texts(asked)).split())
    assert {"1: Human-made", "2: AI-generated"} <= set(texts(answered))
    colours = {text.get_text(): text.get_color() for text in answered.texts}
    assert (colours["1: Human-made"], colours["2: AI-generated"]) == (HUMAN, AI)
    tops = [axes.get_position().y1 for axes in asked.axes]
    assert len(set(tops[:5])) == len(set(tops[5:])) == 1 and tops[0] > tops[5]
    assert "nothing to guess" in guessing_gallery(pictures[:2], [1, 1], False)


@pytest.mark.parametrize("count", [1, 5, 8, 24, 60])
def test_pictures_never_overlap_each_other_the_words_or_the_edge(count):
    figure = picture_wall([picture(n, 20 + n, 50) for n in range(count)], 1, note="A note.")
    figure.draw_without_rendering()
    boxes = [axes.get_window_extent() for axes in figure.axes]
    boxes += [text.get_window_extent() for text in figure.texts if text.get_text()]
    for number, box in enumerate(boxes):
        assert box.x0 >= 0 and box.y0 >= 0
        assert box.x1 <= figure.bbox.width and box.y1 <= figure.bbox.height
        assert not any(box.overlaps(other) for other in boxes[:number])
    assert shown(figure) == list(range(count))


def test_a_picture_keeps_its_shape():
    figure = picture_rows([PictureRow("one", [picture(0, 100, 200)])])
    figure.draw_without_rendering()
    box = figure.axes[0].images[0].get_window_extent()
    assert box.width / box.height == pytest.approx(2, rel=0.01)


def test_mistakes_are_shown_by_class_in_their_order_and_counted():
    figure = mistakes(
        [picture(n) for n in range(5)], [0, 1, 0, 1, 0], [0.99, 0.01, 0.8, 0.3, 0.7], (12, 1), shown=2
    )
    assert shown(figure) == [0, 2, 1, 3]
    assert figure.get_suptitle() == "The most confident of 12 false positives and 1 false negative"
    written = texts(figure)
    assert [text for text in written if text.startswith("P(AI)")] == [
        "P(AI) = 99 %",
        "P(AI) = 80 %",
        "P(AI) = 1 %",
        "P(AI) = 30 %",
    ]
    assert "Human-made, but called AI (12 in all)" in written


def test_nothing_to_show_is_a_sentence():
    assert mistakes([], [], [], (0, 0)) == "No picture is answered wrongly."
    assert picture_wall([], 0) == "There are no human-made pictures."


def test_a_kind_of_mistake_that_does_not_occur_has_no_row_and_none_is_called_confident_at_51_percent():
    figure = mistakes([picture(1)], [0], [0.51], (1, 0))
    assert " ".join(figure.get_suptitle().split()) == (
        "1 false positive and 0 false negatives, none with more than 51 % confidence"
    )
    assert len(shown(figure)) == 1 and not any("AI-generated" in text for text in texts(figure))


def test_a_caption_for_each_picture():
    with pytest.raises(ValueError, match="1 captions, 2 pictures"):
        picture_rows([PictureRow("row", [picture(1), picture(2)], ["only one"])])


def test_a_title_of_two_lines_touches_no_picture():
    long = "Human-made, but called AI: thirty mistakes in all, of each original the one that it was surest of"
    figure = picture_rows([PictureRow("", [picture(0, 100, 200)] * 5)] * 2, long)
    assert "\n" in figure.get_suptitle()
    title = figure._suptitle.get_window_extent(FigureCanvasAgg(figure).get_renderer())
    assert max(axes.get_window_extent().y1 for axes in figure.axes) <= title.y0
