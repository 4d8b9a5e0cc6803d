import json
from dataclasses import replace

import numpy as np
import pytest

from src.utils.analysis.scoring.results import (
    card_metrics,
    difference_name,
    difference_table,
    headline_table,
    intervals_by_metric,
    merge_metrics,
    metric_intervals,
    metrics_path,
    metrics_table,
    read_numbers,
    write_metrics,
)
from src.utils.analysis.stats.metrics import evaluate
from src.utils.estimate import Estimate
from src.utils.names import model_name
from src.utils.settings import UserError
from tests.pipeline.reports import HEADER, METRIC


def test_notebooks_numbers_become_one_file_with_the_contracts_keys(tmp_path):
    label = np.repeat([0, 1], 30)
    entry = evaluate(label, np.linspace(0, 1, 60), np.arange(60), resamples=20, seconds=2.0)
    write_metrics(tmp_path, "05", {"models": {"cnn_deck": entry, "always_ai": {"auc": METRIC}}})
    write_metrics(tmp_path, "03", HEADER)
    merged = merge_metrics(tmp_path)
    assert list(merged) == [
        "schema", "source", "split", "seed", "n_train", "n_validation", "n_test", "models",
    ]  # fmt: skip
    assert merged["schema"] == 1 and merged["n_test"] == 150
    assert list(merged["models"]) == ["always_ai", "cnn_deck"]
    assert merged["models"]["cnn_deck"] == entry
    written = json.loads(metrics_path(tmp_path).read_text())
    assert written["models"]["always_ai"]["auc"] == {"value": 0.641, "low": 0.552, "high": 0.72}
    assert (tmp_path / "metrics" / "05.json").is_file()


def test_a_later_notebook_adds_to_a_model_and_overrides_it(tmp_path):
    write_metrics(tmp_path, "10", {"models": {"best": {"ece": {"value": 0.1}, "seconds": 2}}})
    write_metrics(tmp_path, "09", {"models": {"best": {"auc": METRIC, "seconds": 1}}, "extra": {"b": [1]}})
    write_metrics(tmp_path, "11", {"unseen": {"best": {"auc": METRIC}}, "extra": {"a": [2], "b": [3]}})
    merged = merge_metrics(tmp_path)
    assert merged["models"]["best"] == {"auc": METRIC, "seconds": 2, "ece": {"value": 0.1}}
    assert merged["extra"] == {"a": [2], "b": [3]}
    assert merged["unseen"]["best"]["auc"] == METRIC
    assert list(merged)[-2:] == ["extra", "unseen"]


def test_models_are_in_the_order_of_the_tables(tmp_path):
    models = {name: {} for name in ("zebra", "best", "cnn_scaled", "ant", "metadata_only")}
    write_metrics(tmp_path, "05", {"models": models})
    merged = merge_metrics(tmp_path)
    assert list(merged["models"]) == ["metadata_only", "cnn_scaled", "best", "ant", "zebra"]


def test_rewriting_a_notebook_replaces_what_it_said_and_order_leaves_no_trace(tmp_path):
    write_metrics(tmp_path / "a", "05", {"models": {"old": {}}})
    for folder, order in (("a", "35"), ("b", "53")):
        for digit in order:
            write_metrics(tmp_path / folder, f"0{digit}", {"models": {f"m{digit}": {}}})
    merged = merge_metrics(tmp_path / "a")
    assert list(merged["models"]) == ["m3", "m5"] and merge_metrics(tmp_path / "b") == merged
    assert metrics_path(tmp_path / "a").read_bytes() == metrics_path(tmp_path / "b").read_bytes()


def test_a_card_joins_what_notebooks_measured_of_a_model(tmp_path):
    write_metrics(tmp_path, "05", {"models": {"cnn": {"auc": 1, "ece": 2}}})
    write_metrics(tmp_path, "09", {"models": {"best": {"auc": 3}}, "unseen": {"best": {"auc": 4}}})
    cards = card_metrics(tmp_path, ("05", "09", "11"), {"cnn": {"ece": 5}, "best": {}, "new": {"ece": 6}})
    assert cards == {
        "cnn": {"test": {"auc": 1, "ece": 5}},
        "best": {"test": {"auc": 3}, "unseen": {"auc": 4}},
        "new": {"test": {"ece": 6}},
    }


def test_before_any_notebook_the_header_is_unknown(tmp_path):
    merged = merge_metrics(tmp_path)
    assert merged["source"] is None and merged["models"] == {}
    assert json.loads(metrics_path(tmp_path).read_text()) == merged


def test_problems_are_named(tmp_path):
    with pytest.raises(ValueError, match="two digits"):
        write_metrics(tmp_path, "5", {})
    with pytest.raises(ValueError, match="JSON"):
        write_metrics(tmp_path, "05", {"models": {"best": {"auc": float("nan")}}})
    (tmp_path / "metrics").mkdir(exist_ok=True)
    for broken in ("{", "[]"):
        (tmp_path / "metrics" / "04.json").write_text(broken)
        with pytest.raises(UserError, match=r"04\.json is damaged"):
            merge_metrics(tmp_path)


def test_the_table_is_for_people():
    metrics = {"models": {"cnn_deck": {"auc": METRIC, "f1": Estimate(0.5)}, "new": {}}}
    table = metrics_table(metrics, ["auc", "f1", "recall"])
    assert table.columns.tolist() == ["ROC-AUC", "F1 (AI)", "Recall"]
    assert table.iloc[0].tolist() == ["0.64 [0.55, 0.72]", "0.50 (interval not estimable)", "–"]
    assert table.index.tolist() == ["Deck's CNN (faithful)", "new"]
    assert metrics_table(metrics, section="unseen", otherwise="No unseen set.") == "No unseen set."


def test_one_metric_as_numbers_for_a_plot():
    metrics = {"models": {"cnn_deck": {"auc": METRIC}, "best": {"auc": replace(METRIC, low=None)}, "new": {}}}
    table = metric_intervals(metrics, "auc")
    assert table["model"].tolist() == ["cnn_deck", "best"]
    assert table["value"].tolist() == [0.641, 0.641]
    assert np.isnan(table["low"][1]) and table["low"][0] == 0.552
    assert metric_intervals(metrics, "recall").empty
    several = intervals_by_metric(metrics["models"], ("auc", "recall"))
    assert list(several) == ["auc", "recall"] and several["auc"].equals(table)


def test_a_difference_names_both_models_and_the_split():
    compared = {"best_minus_linear_probe": {"test": {"auc": Estimate(0.04, -0.01, 0.09)}}}
    table = difference_table(compared)
    assert table.index.tolist() == [(model_name("best"), model_name("linear_probe"), "test")]
    assert table.iloc[0].tolist() == ["0.04 [-0.01, 0.09]"]
    assert difference_name("best_minus_linear_probe") == "Improved model minus Linear probe (frozen encoder)"


def test_the_headline_is_one_table_of_models_and_differences(tmp_path):
    entry = {"balanced_accuracy": METRIC, "auc": METRIC}
    compared = {"best_minus_linear_probe": {"test": {"auc": METRIC}, "unseen": {}}}
    write_metrics(tmp_path, "05", {"models": {"always_ai": entry}, "unseen": {"always_ai": entry}})
    write_metrics(tmp_path, "09", {"models": {"best": entry}, "comparisons": compared})
    table = headline_table(read_numbers(tmp_path, ("05", "09", "10")))
    assert table.index.tolist() == [
        "Always answers AI",
        "Improved model",
        "Improved model minus Linear probe (frozen encoder)",
    ]
    assert table.columns.tolist() == [
        "Balanced accuracy, test",
        "ROC-AUC, test",
        "Balanced accuracy, unseen",
        "ROC-AUC, unseen",
    ]
    assert table.iloc[0].tolist() == ["0.64 [0.55, 0.72]"] * 4
    assert table.iloc[1].tolist() == ["0.64 [0.55, 0.72]"] * 2 + ["–"] * 2
    assert table.iloc[2].tolist() == ["–", "0.64 [0.55, 0.72]", "–", "–"]
    alone = headline_table({"models": {"best": entry}})
    assert alone.columns.tolist() == ["Balanced accuracy, test", "ROC-AUC, test"]
    assert read_numbers(tmp_path / "nowhere", ("05",)) == {}
