import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg

from src.utils.plots.figure.galleries import (
    PictureRow,
    class_examples,
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


def test_examples_are_the_decks_two_rows():
    figure = class_examples([picture(n) for n in range(5)], [picture(n) for n in range(10, 15)])
    assert shown(figure) == [*range(5), *range(10, 15)]
    assert [text for text in texts(figure) if text in ("Human-made", "AI-generated")] == [
        "Human-made",
        "AI-generated",
    ]
    colours = {text.get_text(): text.get_color() for text in figure.texts}
    assert (colours["Human-made"], colours["AI-generated"]) == (HUMAN, AI)
    tops = [axes.get_position().y1 for axes in figure.axes]
    assert len(set(tops[:5])) == len(set(tops[5:])) == 1 and tops[0] > tops[5]


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
    assert figure.get_suptitle() == "The most confident of 12 false alarms and 1 miss"
    written = texts(figure)
    assert [text for text in written if text.startswith("P(AI)")] == [
        "P(AI) = 99 %",
        "P(AI) = 80 %",
        "P(AI) = 1 %",
        "P(AI) = 30 %",
    ]
    assert "Human-made, but called AI (12 in all)" in written


def test_no_mistakes_are_said_to_be_none():
    figure = mistakes([], [], [], (0, 0))
    assert texts(figure).count("none") == 2 and shown(figure) == []
    assert texts(picture_wall([], 0)).count("none") == 1


def test_a_caption_for_each_picture():
    with pytest.raises(ValueError, match="1 captions, 2 pictures"):
        picture_rows([PictureRow("row", [picture(1), picture(2)], ["only one"])])


def test_a_title_of_two_lines_touches_no_picture():
    long = "Human-made, but called AI: thirty mistakes in all, of each original the one that it was surest of"
    figure = picture_rows([PictureRow("", [picture(0, 100, 200)] * 5)] * 2, long)
    assert "\n" in figure.get_suptitle()
    title = figure._suptitle.get_window_extent(FigureCanvasAgg(figure).get_renderer())
    assert max(axes.get_window_extent().y1 for axes in figure.axes) <= title.y0
