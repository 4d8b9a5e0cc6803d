import numpy as np
import pandas as pd
import pytest

from src.utils.plots.training import DECK_ACCURACY, learning_curves, seed_spread
from src.utils.settings import PROJECT_ROOT
from tests.plots.checks import lines, nothing_is_cut_off, title, words


def history():
    rows = [
        {"model": model, "seed": seed, "epoch": epoch, "accuracy": 0.5 + epoch / 10, "val_accuracy": accuracy,
         "loss": 12.0 if epoch == 1 else 0.5, "val_loss": 0.7 - accuracy / 10, "kept": epoch == 2}
        for model in ("cnn_deck", "cnn_scaled")
        for seed in (1, 2)
        for epoch, accuracy in ((1, 0.55), (2, 0.65), (3, 0.6))
    ]  # fmt: skip
    return pd.DataFrame(rows)


def test_learning_curves_stand_beside_the_decks_ten_values():
    figure = learning_curves(history(), note="A note.")
    panels = figure.axes[:2]
    assert [axes.get_title("left") for axes in panels] == [
        "Deck's CNN (faithful)",
        "Deck's CNN (fair training)",
    ]
    for axes in panels:
        drawn = lines(axes)
        assert drawn[0] == [[1, 0.6], [2, 0.7], [3, 0.8]]
        assert drawn[1] == [[1, 0.55], [2, 0.65], [3, 0.6]]
        assert drawn[2] == [[2, 0.65]]
        assert np.array(drawn[6]).tolist() == [[n + 1, value] for n, value in enumerate(DECK_ACCURACY)]
    assert figure.get_suptitle() == "Training accuracy ends at 0.80, validation accuracy at 0.60"
    assert nothing_is_cut_off(figure)


def test_the_readme_tells_the_decks_first_and_last_value():
    text = " ".join((PROJECT_ROOT / "README.md").read_text(encoding="utf-8").split())
    assert f"{DECK_ACCURACY[0]} after the first epoch, {DECK_ACCURACY[-1]} after the tenth" in text
    assert len(DECK_ACCURACY) == 10


def test_one_exploding_loss_does_not_flatten_the_rest():
    figure = learning_curves(history(), "loss", deck=(0.7, 0.2, 0.1))
    axes = figure.axes[0]
    low, high = axes.get_ylim()
    assert axes.get_yscale() == "log" and low < 0.1 and high > 12  # no curve leaves the axes
    assert [[2, 0.7 - 0.065]] in lines(axes)
    assert nothing_is_cut_off(figure)
    assert learning_curves(history().assign(loss=0.6), "loss").axes[0].get_yscale() == "linear"


@pytest.mark.parametrize("epochs", [1, 3])
def test_short_runs_one_model_and_no_deck(epochs):
    rows = history().query("model == 'cnn_deck' and epoch <= @epochs")
    figure = learning_curves(rows.assign(kept=rows["epoch"] == 1), deck=None)
    assert len(figure.axes) == 2 and len(lines(figure.axes[0])) == 2 * 3 + 1
    assert nothing_is_cut_off(figure)


def test_without_validation_nothing_is_said_or_ringed_of_it():
    rows = history().query("model == 'cnn_deck' and seed == 1").assign(val_accuracy=np.nan)
    figure = learning_curves(rows, deck=None)
    assert title(figure) == "Training accuracy ends at 0.80"
    drawn = lines(figure.axes[0])
    assert drawn[0] == [[1, 0.6], [2, 0.7], [3, 0.8]]
    assert len(drawn) == 3 and np.isnan(np.array(drawn[1])[:, 1]).all()


def test_the_spread_between_seeds_is_drawn_and_said():
    table = pd.DataFrame(
        {"model": ["cnn_deck"] * 3 + ["cnn_scaled"], "seed": [1, 2, 3, 1], "value": [0.6, 0.5, 0.7, 0.65]}
    )
    figure = seed_spread(table, "auc", "A note.")
    (axes,) = figure.axes
    assert [[0.6, 0], [0.5, 0], [0.7, 0]] in lines(axes)
    assert words(axes) == [
        "mean 0.60, from 0.50 to 0.70 (3 seeds)",
        "0.65 (1 seed)",
    ]
    assert title(figure) == ("Another seed moves the ROC-AUC of Deck's CNN (faithful) by up to 0.20")
    assert nothing_is_cut_off(figure)


def test_one_seed_says_nothing_about_luck_and_equal_seeds_do_not_move_by_zero():
    one = pd.DataFrame({"model": ["cnn_deck", "cnn_scaled"], "seed": [1, 1], "value": [0.6, 0.65]})
    assert seed_spread(one).startswith("One seed was trained")
    assert seed_spread(one.assign(value=np.nan)).startswith("One seed was trained")
    same = pd.DataFrame({"model": ["cnn_deck"] * 2, "seed": [1, 2], "value": [0.6, 0.601]})
    assert title(seed_spread(same)) == "Another seed moves no ROC-AUC by 0.01"
