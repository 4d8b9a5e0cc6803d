"""A calibration that knew a source, and one that did not."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from src.utils.analysis.checks.unseen import ALL_IN_TURN
from src.utils.analysis.scoring.parts import part_of
from src.utils.analysis.stats.calibration import choose_calibration
from src.utils.judge import left_out
from src.utils.judge.left_out import COLUMNS, leave_sources_out
from src.utils.judge.tables import left_out_table


def part_with(generators, photo_sources, originals=120, pictures=1):
    """So many pictures of each original, classes and sources in turn; and the source of each picture."""
    number = np.repeat(np.arange(originals), pictures)
    label, place = number % 2, number // 2
    made = [
        generators[at % len(generators)] if one else photo_sources[at % len(photo_sources)]
        for one, at in zip(label, place, strict=True)
    ]
    images = pd.DataFrame(
        {
            "file_name": [f"{row}.png" for row in range(len(number))],
            "label": label,
            "group": number,
            "split": "judged",
            "generator": np.where(label == 1, made, ""),
            "origin": np.where(label == 0, made, ""),
        }
    )
    return part_of(images, "judged"), np.array(made)


def scores(made, means, seed=0):
    return np.array([means[one] for one in made]) + np.random.default_rng(seed).normal(0, 0.5, len(made))


def test_a_generator_unlike_the_others_is_missed_and_its_probabilities_were_wrong():
    part, made = part_with(["Flux", "SDXL", "Kling"], ["Archive", "Flickr"], originals=180)
    score = scores(made, {"Flux": 3, "SDXL": 3, "Kling": -3, "Archive": -3, "Flickr": -3})
    found = leave_sources_out(part, score, resamples=50).set_index(["label", "source"])
    assert list(found.index) == [
        *((1, name) for name in ("Flux", "Kling", "Stable Diffusion", ALL_IN_TURN)),
        *((0, name) for name in ("Archive", "Flickr", ALL_IN_TURN)),
    ]
    easy, new = found.loc[(1, "Flux")], found.loc[(1, "Kling")]
    assert (easy["groups"], easy["recall"], easy["recall_high"]) == (30, 1, 1)
    assert new["recall"] < 0.2 and new["brier"] > 0.25 + easy["brier"]
    assert new["change"] > 0.05 and new["change_low"] > 0  # calibrations that met it had learnt to doubt
    assert 0.01 < found.loc[(1, ALL_IN_TURN), "false_positive_rate"] < 0.1
    mean = found.loc[1, "recall"].drop(ALL_IN_TURN).mean()
    assert found.loc[(1, ALL_IN_TURN), "recall"] == pytest.approx(mean)


def test_a_photo_source_that_looks_generated_costs_more_than_the_share_that_was_chosen():
    part, made = part_with(["Flux", "Kling"], ["Archive", "Studio"], originals=180)
    score = scores(made, {"Flux": 2, "Kling": 2, "Archive": -3, "Studio": 1.5})
    found = leave_sources_out(part, score, resamples=50).set_index(["label", "source"])
    assert found.loc[(0, "Studio"), "false_positive_rate"] > 0.9
    assert found.loc[(0, "Archive"), "false_positive_rate"] == 0
    assert found.loc[(1, ALL_IN_TURN), "false_positive_rate"] < 0.1  # there it was met


def test_a_calibration_meets_whole_groups_and_nothing_of_what_is_left_out(monkeypatch):
    part, made = part_with(["Flux", "Kling"], ["Archive"], pictures=3)
    met = []

    def record(scored, temperature):
        met.append(scored)
        return choose_calibration(scored, temperature)

    monkeypatch.setattr(left_out, "choose_calibration", record)
    found = leave_sources_out(part, np.arange(len(made), dtype=float), resamples=20)
    assert [sorted(set(one.source)) for one in met] == [
        *5 * [["Archive", "Flux", "Kling"]],
        *5 * [["Archive", "Kling"]],
        *5 * [["Archive", "Flux"]],
    ]
    for one in met:
        groups, pictures = np.unique(one.group, return_counts=True)
        assert set(pictures) == {3} and len(groups) < 120
    assert found[found["source"] == "Flux"][["groups", "pictures"]].values.tolist() == [[30, 90]]


@pytest.mark.parametrize(
    ("generators", "photo_sources", "originals", "sides"),
    [
        (["Flux"], ["Archive"], 120, set()),
        ([""], [""], 120, set()),
        (["Flux", "Kling"], [""], 120, {1}),
        (["Flux", "Kling"], ["Archive"], 18, set()),  # four groups of one
        (["Flux", "Kling"], ["Archive"], 8, set()),  # fewer groups than folds
        (["Flux 1", "Flux 2"], ["Archive", "Flickr"], 120, {0}),  # versions of one generator
    ],
)
def test_where_nothing_can_be_left_out_there_are_no_rows(generators, photo_sources, originals, sides):
    part, made = part_with(generators, photo_sources, originals)
    found = leave_sources_out(part, np.arange(len(made), dtype=float), resamples=20)
    assert set(found["label"]) == sides and list(found.columns) == list(COLUMNS)
    assert isinstance(left_out_table(found), str) == (not sides)


def test_few_groups_give_no_interval_and_one_answer_for_all_no_error():
    part, made = part_with(["Flux", "Kling"], ["Archive"], 40)
    found = leave_sources_out(part, np.zeros(len(made)), resamples=20).set_index("source")
    flux = found.loc["Flux"]
    assert (flux["recall"], flux["false_positive_rate"]) == (0, 0)  # no threshold calls so few photographs AI
    assert np.isnan(flux["recall_low"])  # ten groups
    assert left_out_table(found.reset_index()).loc[("Flux", "generator"), "Recall"].endswith("not estimable)")
