"""A submission has the competition's columns, order and ids, or says what is wrong."""

from dataclasses import replace

import pandas as pd
import pytest

from src.utils.analysis.scoring.parts import part_of
from src.utils.analysis.scoring.submission import (
    GUESS,
    answer,
    check_submission,
    pictures_to_answer,
    read_test_ids,
    stand_in_scores,
    write_submission,
)
from src.utils.settings import UserError
from tests.analysis.bright_model import bright_predictor
from tests.data.made_pictures import make_images
from tests.models.calibrations import make_calibration

pytestmark = pytest.mark.filterwarnings("ignore:.*trained with other versions")


def write_test_csv(folder, text):
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "test.csv").write_text(text)


def test_ids_are_read_in_their_order_and_as_they_are(tmp_path):
    write_test_csv(tmp_path, "id\ntest_data_v2/b.jpg\ntest_data_v2/a.jpg\n")
    assert read_test_ids(tmp_path) == ["test_data_v2/b.jpg", "test_data_v2/a.jpg"]


def test_no_test_file_is_no_error(tmp_path):
    assert read_test_ids(tmp_path) is None


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("file\na.jpg\n", "no column id"),
        ("id,x\na.jpg,1\n,2\n", "row 1 is empty"),
        ("id\na.jpg\nb.jpg\na.jpg\n", "row 2 \\(a.jpg\\) occurs twice"),
    ],
)
def test_a_damaged_test_file_is_named(tmp_path, text, message):
    write_test_csv(tmp_path, text)
    with pytest.raises(UserError, match=message):
        read_test_ids(tmp_path)


def test_a_submission_answers_every_id_in_order_even_unreadable_ones(tmp_path):
    images = make_images(tmp_path, 40)
    (tmp_path / "train_data" / "broken.jpg").write_bytes(b"not a picture")
    ids = [*images["file_name"], "train_data/broken.jpg", "train_data/missing.jpg"]
    predictor = bright_predictor(tmp_path / "bright")
    answers = answer(predictor, ids, tmp_path, progress=False)
    assert answers["id"].tolist() == ids
    brighter = (answers["probability_ai"] >= 0.5).astype(int)
    assert answers["label"].tolist()[:40] == brighter.tolist()[:40]
    assert set(answers["label"][:40]) == {0, 1}
    assert answers["label"].tolist()[40:] == [GUESS, GUESS]
    assert answers["error"].str.contains("broken.jpg|missing.jpg").tolist() == [False] * 40 + [True] * 2
    path = tmp_path / "submission.csv"
    write_submission(path, answers)
    assert path.read_text().startswith(f"id,label\n{ids[0]},")
    checked = check_submission(path, ids)
    assert checked["label"].tolist() == answers["label"].tolist()


def test_the_bundles_threshold_decides(tmp_path):
    images = make_images(tmp_path, 4)
    lax = bright_predictor(tmp_path / "bright")
    strict = replace(lax, bundle=replace(lax.bundle, calibration=make_calibration(threshold=0.99)))
    assert answer(strict, images["file_name"], tmp_path, progress=False)["label"].tolist() == [0, 0, 0, 0]


@pytest.mark.parametrize(
    ("table", "message"),
    [
        ({"label": [1, 0], "id": ["a", "b"]}, "columns label, id, not id, label"),
        ({"id": ["a"], "label": [1]}, "1 rows for 2 pictures"),
        ({"id": ["b", "a"], "label": [1, 0]}, "row 0 is 'b' where 'a' was asked for"),
        ({"id": ["a", "c"], "label": [1, 0]}, "row 1 is 'c'"),
        ({"id": ["a", "b"], "label": [1, 2]}, "label in row 1 is '2'"),
        ({"id": ["a", "b"], "label": [0.9, 0]}, "label in row 0 is '0.9'"),
        ({"id": ["a", "b"], "label": [1, ""]}, "label in row 1 is ''"),
    ],
)
def test_a_wrong_submission_is_refused(tmp_path, table, message):
    path = tmp_path / "submission.csv"
    pd.DataFrame(table).to_csv(path, index=False)
    with pytest.raises(UserError, match=message):
        check_submission(path, ["a", "b"])


def test_other_pictures_stand_in_only_where_the_competition_asks_nothing(tmp_path):
    rows = pd.DataFrame({"file_name": ["x.jpg"], "label": [1], "group": ["a"], "split": ["test"]})
    test = part_of(rows, "test")
    assert pictures_to_answer(tmp_path, test) == (["x.jpg"], False)
    write_test_csv(tmp_path, "id\nb.jpg\n")
    assert pictures_to_answer(tmp_path, test) == (["b.jpg"], True)


def test_answers_are_measured_beside_always_ai_and_unreadable_ones_count_as_ai():
    rows = pd.DataFrame({"file_name": list("wxyz"), "label": [0, 0, 1, 1], "group": list("abcd")})
    answers = pd.DataFrame({"probability_ai": [0.1, 0.9, 0.8, None]}, dtype=float)
    scores = stand_in_scores(part_of(rows.assign(split="test"), "test"), answers, "best", seed=0)
    assert scores["always_ai"]["f1"].value == pytest.approx(2 / 3)
    assert scores["best"]["f1"].value == pytest.approx(0.8)
