import numpy as np
import pandas as pd
import pytest

from src.utils.analysis.scoring.predictions import (
    PREDICTION_COLUMNS,
    kept_probabilities,
    merge_predictions,
    predictions_path,
    read_predictions,
    write_predictions,
)
from src.utils.settings import UserError

ROWS = pd.DataFrame(
    {"file_name": ["train_data/a.jpg", "train_data/NA.jpg"], "label": [0, 1], "split": ["test", "unseen"]},
    index=[7, 3],
)


def test_what_is_written_is_read_to_the_last_digit(tmp_path):
    probability = np.array([1 / 3, 0.5])
    written = write_predictions(tmp_path / "new", "05", ROWS, {"cnn_deck": probability})
    table = merge_predictions(tmp_path / "new")
    assert table.columns.tolist() == list(PREDICTION_COLUMNS)
    assert (table["probability_ai"].to_numpy() == probability).all()
    assert table["predicted"].tolist() == [0, 1]
    assert table["file_name"].tolist() == ROWS["file_name"].tolist()
    pd.testing.assert_frame_equal(table, written, check_dtype=False)
    pd.testing.assert_frame_equal(read_predictions(tmp_path / "new", "05", "cnn_deck"), table)
    header = predictions_path(tmp_path / "new").read_text().splitlines()[0]
    assert header == "model,file_name,label,split,probability_ai,predicted"


def test_a_notebooks_rows_are_replaced_and_the_others_kept(tmp_path):
    write_predictions(tmp_path, "05", ROWS, {"b": [0.1, 0.2]})
    write_predictions(tmp_path, "09", ROWS, {"a": [0.3, 0.4]})
    write_predictions(tmp_path, "05", ROWS.iloc[:1], {"b": [0.9]})
    assert read_predictions(tmp_path, "09", "a")["probability_ai"].tolist() == [0.3, 0.4]
    assert read_predictions(tmp_path, "05", "b")["probability_ai"].tolist() == [0.9]
    assert read_predictions(tmp_path, "05", "a").empty
    assert merge_predictions(tmp_path)["model"].tolist() == ["a", "a", "b"]


def test_the_order_of_writing_leaves_no_trace(tmp_path):
    for folder, order in (("one", "ab"), ("two", "ba"), ("one", "a")):
        for model in order:
            notebook = {"a": "09", "b": "05"}[model]
            write_predictions(tmp_path / folder, notebook, ROWS, {model: [0.1, 0.7]})
        merge_predictions(tmp_path / folder)
    one, two = (predictions_path(tmp_path / folder).read_bytes() for folder in ("one", "two"))
    assert one == two


def test_before_any_notebook_there_are_none(tmp_path):
    table = merge_predictions(tmp_path)
    assert table.empty and table.columns.tolist() == list(PREDICTION_COLUMNS)
    assert not predictions_path(tmp_path).exists()
    with pytest.raises(UserError, match="run notebook 05 first"):
        read_predictions(tmp_path, "05", "cnn_deck")


@pytest.mark.parametrize("probability", [[0.5], [0.5, np.nan], [0.5, 1.2]])
def test_one_probability_for_each_picture(tmp_path, probability):
    with pytest.raises(ValueError, match="one probability within 0 and 1 for each of 2"):
        write_predictions(tmp_path, "05", ROWS, {"a": probability})
    assert not predictions_path(tmp_path).exists()


def test_a_picture_is_scored_once(tmp_path):
    with pytest.raises(ValueError, match="twice"):
        write_predictions(tmp_path, "05", pd.concat([ROWS, ROWS]), {"a": [0.1] * 4})


def test_a_damaged_table_is_named(tmp_path):
    (tmp_path / "predictions").mkdir()
    (tmp_path / "predictions" / "05.csv").write_text("model,file_name\na,b\n")
    with pytest.raises(UserError, match=r"05\.csv is damaged"):
        merge_predictions(tmp_path)


def test_kept_probabilities_follow_the_pictures_and_are_nan_where_none_was_kept(tmp_path):
    write_predictions(tmp_path, "09", ROWS, {"linear_probe": [0.1, 0.2]})
    asked = pd.DataFrame({"file_name": ["train_data/NA.jpg", "train_data/b.jpg", "train_data/a.jpg"]})
    kept = kept_probabilities(tmp_path, "09", "linear_probe", asked)
    assert kept[[0, 2]].tolist() == [0.2, 0.1] and np.isnan(kept[1])
