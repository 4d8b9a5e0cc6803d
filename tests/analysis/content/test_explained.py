"""The answers that are shown: confident, of both classes, each of another original."""

import pandas as pd

from src.utils.analysis.content.explained import answer_captions, choose_answers


def make_images():
    rows = [
        (0, "a", 0.1),
        (0, "a", 0.2),
        (0, "b", 0.45),
        (0, "c", 0.9),
        (1, "d", 0.95),
        (1, "e", 0.99),
        (1, "f", 0.3),
    ]
    table = pd.DataFrame(rows, columns=["label", "group", "probability"])
    return table.assign(file_name=[f"{row}.jpg" for row in range(len(table))])


def test_right_answers_by_confidence_one_of_each_original():
    images = make_images()
    chosen = choose_answers(images, images["probability"], right=True, count=4)
    assert chosen["file_name"].tolist() == ["0.jpg", "2.jpg", "5.jpg", "4.jpg"]
    assert answer_captions(chosen)[0] == "Human: 10 %"
    two = choose_answers(images, images["probability"], right=True, count=2)
    assert two["file_name"].tolist() == ["0.jpg", "5.jpg"]


def test_wrong_answers_and_places_left_to_the_other_class():
    images = make_images()
    wrong = choose_answers(images, images["probability"], right=False)
    assert wrong["file_name"].tolist() == ["3.jpg", "6.jpg"]
    always_ai = choose_answers(images, [0.8] * 7, right=False, count=3)
    assert always_ai["label"].tolist() == [0, 0, 0]
    assert always_ai["group"].tolist() == ["a", "b", "c"]


def test_nothing_to_choose_is_no_error():
    images = make_images().head(1)
    assert choose_answers(images, [0.1], right=False).empty
