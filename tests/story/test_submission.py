"""What is said of a submission and of the whole run: known, unseen, measured or not."""

from __future__ import annotations

import pandas as pd

from src.utils.estimate import Estimate
from src.utils.story.submission import answer, choices, submission, which_pictures

SURE, UNSURE, LESS = Estimate(0.99, 0.97, 1.0), Estimate(0.55, 0.43, 0.67), Estimate(0.8, 0.7, 0.9)


def test_the_stand_in_is_counted() -> None:
    (said,) = submission("submission.csv", [1, 0, 0, 0], 0, competition=False)
    assert said.startswith("`submission.csv` answers 4 pictures in the order of the test split")
    assert said.endswith("; called AI: 1.")


def test_the_competition_keeps_its_labels_and_guesses_are_counted() -> None:
    said = submission("submission.csv", [1, 1], 1, competition=True)
    assert "in the order of test.csv" in said[0]
    assert said[1] == "Could not be read and got a guess: 1."
    assert "expect a fall" in said[2]


def test_which_pictures_are_answered() -> None:
    assert which_pictures(5540, True) == "5,540 pictures of the competition's test.csv."
    assert which_pictures(12, False).startswith("No test.csv here: the 12 pictures")


def test_what_was_chosen_is_counted_on_its_own_split() -> None:
    splits = ["train"] * 4 + ["validation"] * 2 + ["test", "unseen"]
    images = pd.DataFrame({"split": splits, "group": list("aabbccde")})
    table = choices(images).set_index("what was chosen")
    assert table.loc["nothing: only measured", ["on", "pictures", "originals"]].tolist() == ["test", 1, 1]
    verdict = "when a verdict is given, each source judged without its help"
    assert table.loc[verdict, ["on", "pictures"]].tolist() == ["unseen", 1]
    design = "encoder and design of the improved model, sources left out in turn"
    assert table.loc[design, ["pictures", "originals"]].tolist() == [6, 3]
    without = choices(images[images["split"] != "unseen"]).set_index("what was chosen")
    assert without.loc[verdict, ["on", "pictures"]].tolist() == ["train, validation", 6]


def metrics(test: Estimate, unseen: Estimate | None = None) -> dict:
    new = {"unseen": {"best": {"auc": unseen}}} if unseen else {}
    return {"models": {"best": {"auc": test}}, **new}


def test_the_answer_is_three_sentences_made_from_the_numbers() -> None:
    verdicts = {"answered": Estimate(0.39, 0.3, 0.5), "right": Estimate(1.0, 0.83, 1.0)}
    assert answer("best", metrics(SURE, LESS), verdicts) == [
        "**Was it made by a person or by a generator?** For pictures of sources that it knows, `best` ranks "
        "nearly all of them rightly: ROC-AUC 0.99 [0.97, 1.00] on the test.",
        "For sources that it never met it ranks better than guessing: ROC-AUC 0.80 [0.70, 0.90], less than "
        "on the test.",
        "About a single picture it says so only where that held on unseen sources: 39 % [30 %, 50 %] of the "
        "test pictures get a verdict; of these verdicts, 100 % [83 %, 100 %] are right. No verdict is proof.",
    ]


def test_the_answer_stays_true_when_nothing_was_found_or_measured() -> None:
    said = answer("cnn_deck", {"models": {"cnn_deck": {"auc": UNSURE}}}, {})
    assert "`cnn_deck` cannot be told from guessing: ROC-AUC 0.55 [0.43, 0.67]" in said[0]
    assert "was not measured" in said[1] and "not calibrated" in said[2]
    few = answer("best", metrics(Estimate(0.9), UNSURE), {"answered": Estimate(0.0, 0.0, 0.1)})
    assert "on so few originals" in few[0]
    assert few[1].endswith("cannot be told from guessing: ROC-AUC 0.55 [0.43, 0.67].")
    assert "no test picture gets a verdict" in few[2]
    meets = answer("best", metrics(LESS, Estimate(0.75, 0.6, 0.85)), {})[1]
    assert meets.endswith("an interval that meets that of the test.")
    assert "`best` was not measured: ROC-AUC – on the test." in answer("best", {}, {})[0]
