from src.utils.estimate import Estimate
from src.utils.names import MODEL_NAMES, interval_text, metric_name, model_name, percent, percent_text


def test_a_number_is_written_with_what_is_known_of_it():
    assert interval_text(Estimate(0.641, 0.552, 0.72)) == "0.64 [0.55, 0.72]"
    assert interval_text(Estimate(0.641, 0.552, 0.72), digits=3) == "0.641 [0.552, 0.720]"
    assert interval_text(Estimate(0.5)) == "0.50 (interval not estimable)"
    assert interval_text(Estimate()) == interval_text(None) == "–"


def test_shares_are_whole_percents():
    assert [percent(share) for share in (0.0, 0.646, 1.0, float("nan"))] == ["0 %", "65 %", "100 %", "–"]


def test_names_are_for_people_and_unknown_ones_stand_for_themselves():
    assert list(MODEL_NAMES) == [
        "always_ai", "metadata_only", "linear_probe", "cnn_deck", "cnn_scaled", "best",
    ]  # fmt: skip
    assert len(set(MODEL_NAMES.values())) == len(MODEL_NAMES)
    assert model_name("cnn_deck") != "cnn_deck" and model_name("mine") == "mine"
    assert metric_name("auc") == "ROC-AUC" and metric_name("some_number") == "Some number"


def test_a_share_is_written_with_the_ends_of_its_interval():
    assert percent_text(Estimate(0.391, 0.3, 1.0)) == "39 % [30 %, 100 %]"
    assert (percent_text(Estimate(0.5)), percent_text(Estimate())) == ("50 %", "–")
