"""What is said of a submission, on the competition's pictures and on those that stand in."""

from __future__ import annotations

from src.utils.estimate import Estimate
from src.utils.story.submission import submission, which_pictures

SCORES = {name: {"f1": Estimate(value)} for name, value in (("always_ai", 0.67), ("best", 0.9))}


def test_the_stand_in_is_scored_beside_always_ai() -> None:
    said = submission("submission.csv", [1, 0, 0, 0], 0, SCORES, "best")
    assert said[0] == (
        "`submission.csv` answers 4 pictures in the order of the test split and passed its check; 25 % are "
        "called AI."
    )
    assert said[1].startswith("On the test split its F1 is 0.90 ") and "every time has 0.67 " in said[1]
    assert len(said) == 3


def test_the_competition_keeps_its_labels_and_guesses_are_counted() -> None:
    said = submission("submission.csv", [1, 1], 1, {}, "best")
    assert "in the order of test.csv" in said[0]
    assert said[1] == "Could not be read and got a guess: 1."
    assert "expect a fall" in said[2]


def test_which_pictures_are_answered() -> None:
    assert which_pictures(5540, True) == "5,540 pictures of the competition's test.csv."
    assert which_pictures(12, False).startswith("No test.csv here: the 12 pictures")
