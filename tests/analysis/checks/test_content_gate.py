"""Limits are loosened for what a dataset has; what the gate stops and lets pass is counted."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from src.utils.analysis.checks.content_gate import (
    DRAWN,
    REJECTED,
    choose_limits,
    false_alarms,
    gate_record,
    is_stopped,
    measure_facts,
    misses,
)
from src.utils.analysis.scoring.parts import Part, part_of
from src.utils.files import write_json
from src.utils.models.bundle.content_gate import FACTS, picture_facts
from src.utils.settings import Settings
from tests.data.made_pictures import make_images

INSIDE = {
    "shorter_side": 300.0,
    "aspect": 1.5,
    "luma_variance": 2000.0,
    "common_colours": 0.1,
    "detail": 120.0,
    "neighbour_correlation": 0.95,
    "chroma": 80.0,
}
STRICTEST = {name: fact.strictest for name, fact in FACTS.items()}


def facts_of(*changes: dict[str, float]) -> pd.DataFrame:
    return pd.DataFrame([INSIDE | change for change in changes])


def part(name: str, labels: list[int], groups: list[int]) -> Part:
    names = [str(number) for number in range(len(labels))]
    images = pd.DataFrame({"file_name": names, "label": labels, "group": groups, "split": name})
    return part_of(images, name)


def test_where_nothing_is_beyond_the_limits_stay_as_strict_as_they_are():
    facts = facts_of(*[{}] * 4)
    assert choose_limits(facts, [0, 1, 2, 3]) == STRICTEST


def test_what_a_dataset_has_loosens_the_fact_that_stops_it_and_no_other():
    grey = [{"chroma": value} for value in (0.0, 1.0, 2.0, 3.0)]
    limits = choose_limits(facts_of(*[{}] * 96, *grey), np.arange(100))
    assert limits == STRICTEST | {"chroma": 2.0}  # two of a hundred may be stopped
    assert choose_limits(facts_of(*[{}] * 96, *grey), np.arange(100), most=0) == STRICTEST | {"chroma": 0.0}
    assert choose_limits(facts_of(*[{}] * 96, *grey), np.arange(100), most=0.04) == STRICTEST


def test_an_original_counts_once_and_by_its_most_extreme_picture():
    facts = facts_of({"aspect": 6.0}, {"aspect": 9.0}, {}, {})
    assert choose_limits(facts, ["a", "a", "b", "b"]) == STRICTEST | {"aspect": 9.0}
    assert choose_limits(facts, ["a", "a", "b", "c"], most=0.34) == STRICTEST


def test_a_dataset_of_drawings_opens_the_gate():
    facts = facts_of(*({"common_colours": share, "detail": 3.0} for share in np.linspace(0.6, 1, 50)))
    limits = choose_limits(facts, np.arange(50))
    assert is_stopped(facts, limits).sum() <= 1
    assert limits["detail"] == 3.0 and limits["common_colours"] >= 0.99


def test_false_alarms_are_counted_by_class_with_intervals_over_originals():
    labels, groups = [0] * 40 + [1] * 4, [*np.repeat(np.arange(20), 2), 90, 91, 92, 92]
    test = part("test", labels, groups)
    facts = facts_of(*[{"chroma": 0.0}] * 4, *[{}] * 36, {"aspect": 8.0}, {}, {}, {})
    table = false_alarms({"test": facts}, [test], STRICTEST, resamples=200)
    human, ai = table.to_dict("records")
    assert (human["groups"], human["pictures"], human["stopped"], human["share"]) == (20, 40, 4, 0.1)
    assert 0 <= human["share_low"] < 0.1 < human["share_high"] < 0.4
    assert (ai["groups"], ai["pictures"], ai["stopped"]) == (3, 4, 1)
    assert ai["share"] == pytest.approx(1 / 3)  # every original counts the same
    assert np.isnan(ai["share_low"])


def test_no_false_alarm_is_never_certain():
    test = part("test", [0] * 20, list(range(20)))
    row = false_alarms({"test": facts_of(*[{}] * 20)}, [test], STRICTEST, resamples=50).iloc[0]
    assert row["share"] == 0 and row["share_high"] == pytest.approx(1 - 0.025 ** (1 / 20))


def test_facts_are_measured_once_for_each_content(tmp_path: Path):
    images = make_images(tmp_path / "data/raw/sample", 8)
    settings, some = Settings(root=tmp_path), part_of(images, "train")
    first = measure_facts(some, settings, progress=False)
    one = Image.open(settings.raw_dir / some.images["file_name"][0]).convert("RGB")
    assert first.iloc[0].to_dict() == pytest.approx(picture_facts(one))
    for name in some.images["file_name"]:
        (settings.raw_dir / name).unlink()
    pd.testing.assert_frame_equal(measure_facts(some, settings, progress=False), first)


def test_misses_are_counted_by_kind_of_what_is_drawn_and_of_what_was_left_out(tmp_path: Path):
    settings = Settings(root=tmp_path)
    assert set(misses(STRICTEST, settings, of_each=1)["origin"]) == {DRAWN}
    posters = settings.rejected_dir / "poster"
    posters.mkdir(parents=True)
    Image.new("RGB", (200, 200), "red").save(posters / "plain.png")
    pixels = np.random.default_rng(0).integers(0, 256, (30, 30, 3), dtype=np.uint8)
    Image.fromarray(pixels).resize((300, 300), Image.Resampling.BICUBIC).save(posters / "photo.png")
    row = misses(STRICTEST, settings, of_each=1).iloc[-1]
    assert row.to_dict() == {"origin": REJECTED, "kind": "poster", "pictures": 2, "missed": 1, "share": 0.5}


def test_the_record_is_json(tmp_path: Path):
    alarms = false_alarms({"test": facts_of({}, {})}, [part("test", [0, 1], [0, 1])], STRICTEST)
    missed = pd.DataFrame([{"origin": DRAWN, "kind": "line", "pictures": 2, "missed": 0, "share": 0.0}])
    record = gate_record(STRICTEST, alarms, missed)
    write_json(tmp_path / "record.json", record)
    assert record["limits"] == STRICTEST
    assert record["false_alarm"][0]["share_low"] is None
    assert record["miss"] == [{"origin": DRAWN, "kind": "line", "pictures": 2, "missed": 0, "share": 0.0}]
