"""The answers that are shown: confident, of both classes, each of another original."""

import numpy as np
import pandas as pd
import pytest

from src.utils.analysis.content.explained import (
    above_chance,
    answer_captions,
    choose_answers,
    likeness_gain,
    map_likeness,
    own_evidence,
)
from src.utils.estimate import Estimate
from tests.analysis.bright_model import bright_predictor
from tests.data.made_pictures import make_images as make_pictures


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


class MapsOfBrightness:
    """Says of every picture that all of it speaks for AI as much as it is bright."""

    def explain(self, pixels):
        score = pixels.mean((1, 2, 3)) / 127.5 - 1
        return np.stack([-score, score], axis=1), np.tile(score[:, None, None], (1, 2, 2))


@pytest.mark.filterwarnings("ignore:.*trained with other versions")
def test_a_models_own_maps_come_with_its_right_and_then_its_wrong_answers(tmp_path):
    images = make_pictures(tmp_path, 6)
    predictor = bright_predictor(tmp_path / "bright", runtime=MapsOfBrightness())
    said = np.where(images["label"] == 1, 0.9, 0.2)
    said[0] = 0.7
    own = own_evidence(predictor, images, said, tmp_path, each=2)
    assert own.right == 2 and own.rows["label"].tolist() == [0, 1, 0]
    assert own.maps.shape == (3, 2, 2) and (np.sign(own.maps[:, 0, 0]) == [-1, 1, -1]).all()
    nothing = own_evidence(None, images, None, tmp_path, each=2)
    assert answer_captions(nothing.rows) == []
    assert len(nothing.rows) == len(nothing.maps) == nothing.right == 0


def test_likeness_is_a_mean_by_layer():
    assert map_likeness({"dense": np.array([0.5, 1.0])}) == {"dense": 0.75}


def test_the_gain_of_true_labels_is_paired_and_has_an_interval():
    shuffled = np.linspace(0.1, 0.6, 40)
    gain = likeness_gain({"true": shuffled + 0.2, "shuffled": shuffled}, np.arange(40))
    assert [gain.value, gain.low, gain.high] == pytest.approx([0.2] * 3)
    noise = np.random.default_rng(0).normal(0, 0.2, 40)
    none = likeness_gain({"true": shuffled + noise - noise.mean(), "shuffled": shuffled}, np.arange(40))
    assert none.low < 0 < none.high
    assert likeness_gain({"true": shuffled[:5], "shuffled": shuffled[:5]}, np.arange(5)).low is None
    assert likeness_gain({}, []) is None


def test_chance_is_left_behind_only_with_an_interval():
    assert above_chance(Estimate(0.7, 0.55, 0.8))
    assert not above_chance(Estimate(0.7, 0.45, 0.8)) and not above_chance(Estimate(0.9))
