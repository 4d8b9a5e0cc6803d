"""Encoders compared on left-out sources: which is taken, what is remembered, and what one failure costs."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from src.utils.analysis.scoring import bake_off
from src.utils.analysis.scoring.bake_off import TABLE_COLUMNS, choose_encoder, draw_pictures, readable_table
from src.utils.data.pictures.decode import ImageError
from src.utils.models.encoder import choice
from src.utils.models.encoder.choice import Candidate
from src.utils.models.encoder.hub import Unreachable
from src.utils.models.encoder.runtime import EMBEDDING, Encoder
from src.utils.settings import Settings, UserError
from tests.data.made_pictures import make_images
from tests.models.tiny_encoder import WIDTH, load_tiny

SMALL = Candidate("small", "clip", 10, 0.1, "MIT")
MIDDLE = Candidate("middle", "siglip", 20, 0.25, "Apache-2.0")
LARGE = Candidate("large", "dinov3", 30, 0.5, "DINOv3 License")
CLOSED = Candidate("closed", "metaclip_2", 40, 7.0, "CC-BY-NC-4.0")


class BlindSession:
    """An encoder's network that answers the same to every picture but for noise."""

    def __init__(self, session) -> None:
        self._session, self._random = session, np.random.default_rng(0)

    def get_inputs(self) -> list:
        return self._session.get_inputs()

    def get_outputs(self) -> list:
        return self._session.get_outputs()

    def run(self, names, feeds) -> list[np.ndarray]:
        answers = self._session.run(names, feeds)
        return [1 + 0.1 * self._random.normal(size=one.shape).astype(np.float32) for one in answers]


@pytest.fixture
def images(tmp_path: Path) -> pd.DataFrame:
    """Thirty groups of a photograph and a brighter generated picture, of two sources each."""
    table = make_images(Settings(source="kaggle", root=tmp_path).raw_dir, 60)
    number = np.arange(len(table)) // 2
    ai = table["label"] == 1
    return table.assign(
        generator=np.where(ai, np.where(number % 2, "Flux.1 dev", "Qwen-Image"), ""),
        origin=np.where(ai, "web", np.where(number // 2 % 2, "campus", "flowers")),
    )


@pytest.fixture
def loaded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Encoders by name, `small` being blind; the names that were loaded, in order."""
    sighted = load_tiny(tmp_path)
    blind = dataclasses.replace(sighted, sha256="0" * 64, session=BlindSession(sighted.session))
    encoders = {"small": blind, "sample": sighted, "middle": sighted, "large": sighted}
    names = []

    def load(settings: Settings, name: str) -> Encoder:
        names.append(name)
        found = encoders[name]
        if isinstance(found, BaseException):
            raise found
        return found

    monkeypatch.setattr(choice, "load_named", load)
    monkeypatch.setattr(bake_off, "encoding_rate", lambda encoder: 12.5)
    monkeypatch.setattr(bake_off, "has_gpu", lambda: False)
    return SimpleNamespace(names=names, encoders=encoders)


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    monkeypatch.setattr(choice, "CANDIDATES", (SMALL, MIDDLE, LARGE, CLOSED))
    return Settings(source="kaggle", root=tmp_path, seed=1)


def test_the_simplest_of_those_that_see_is_taken(settings, images, loaded) -> None:
    chosen = choose_encoder(settings, images)
    assert chosen.encoder is loaded.encoders["middle"]
    assert chosen.why == (
        "Of 3 encoders compared on 48 training pictures, the simplest within one standard error of the best."
    )
    table = chosen.table.set_index("encoder")
    assert tuple(chosen.table.columns) == TABLE_COLUMNS
    assert list(table.index) == ["small", "middle", "large", "closed"]
    assert table["chosen"].tolist() == [False, True, False, False]
    assert table.loc["middle", "mean"] == 1.0
    assert table.loc["small", "mean"] < 0.8
    assert table.loc["large", "rate"] == 12.5
    assert table["problem"].tolist()[:3] == ["", "", ""]


def test_a_licence_that_forbids_commercial_use_is_only_taken_by_name(settings, images, loaded) -> None:
    table = choose_encoder(settings, images).table.set_index("encoder")
    assert "closed" not in loaded.names
    assert table.loc["closed", "problem"] == "Not for commercial use: only ENCODER=closed takes it."
    assert np.isnan(table.loc["closed", "mean"])
    loaded.encoders["closed"] = loaded.encoders["middle"]
    asked = choose_encoder(dataclasses.replace(settings, encoder="closed"), images)
    assert asked.encoder is loaded.encoders["middle"]
    assert asked.why == "ENCODER=closed was asked for."
    assert asked.table.empty


def test_a_second_run_measures_nothing_again(settings, images, loaded) -> None:
    first = choose_encoder(settings, images)
    assert loaded.names == ["small", "middle", "large", "middle"]
    loaded.names.clear()
    second = choose_encoder(settings, images)
    assert loaded.names == ["middle"]
    pd.testing.assert_frame_equal(second.table, first.table)


def test_other_pictures_are_measured_anew(settings, images, loaded) -> None:
    choose_encoder(settings, images)
    loaded.names.clear()
    choose_encoder(settings, images[images["group"] != images["group"].iloc[0]])
    assert loaded.names == ["small", "middle", "large", "middle"]


def test_an_interrupted_comparison_goes_on_where_it_stopped(settings, images, loaded) -> None:
    sighted, loaded.encoders["middle"] = loaded.encoders["middle"], KeyboardInterrupt()
    with pytest.raises(KeyboardInterrupt):
        choose_encoder(settings, images)
    loaded.encoders["middle"] = sighted
    loaded.names.clear()
    choose_encoder(settings, images)
    assert loaded.names == ["middle", "large", "middle"]


@pytest.mark.parametrize(
    "error", [UserError("It is gone."), OSError("It is gone."), MemoryError("It is gone.")]
)
def test_a_candidate_that_cannot_be_had_is_a_line(settings, images, loaded, error) -> None:
    loaded.encoders["middle"] = error
    table = choose_encoder(settings, images).table.set_index("encoder")
    assert table.loc["middle", "problem"] == "It is gone."
    assert table["chosen"].tolist() == [False, False, True, False]


def test_a_silent_hub_is_asked_once_and_again_in_the_next_run(settings, images, loaded, monkeypatch) -> None:
    sample = Candidate("sample", "clip", 86, 0.1, "MIT")
    monkeypatch.setattr(choice, "CANDIDATES", (MIDDLE, LARGE, sample))
    sighted, loaded.encoders["middle"] = loaded.encoders["middle"], Unreachable("Kaggle is not there.")
    chosen = choose_encoder(settings, images)
    assert loaded.names == ["middle", "sample", "sample"]
    assert chosen.table["problem"].tolist() == ["Kaggle is not there.", "Kaggle does not answer.", ""]
    loaded.encoders["middle"] = sighted
    loaded.names.clear()
    assert choose_encoder(settings, images).table["problem"].tolist() == ["", "", ""]
    assert loaded.names == ["middle", "large", "middle"]


def test_nothing_to_be_had_is_an_error(settings, images, loaded) -> None:
    for name in ("small", "middle", "large"):
        loaded.encoders[name] = UserError(f"{name} is gone.")
    with pytest.raises(UserError, match=r"No encoder can be had\. small is gone\. middle is gone\."):
        choose_encoder(settings, images)


def test_a_picture_that_cannot_be_read_is_no_fault_of_an_encoder(settings, images, loaded) -> None:
    (settings.raw_dir / images["file_name"].iloc[0]).write_bytes(b"no picture")
    with pytest.raises(ImageError):
        choose_encoder(settings, images)


def test_too_few_groups_are_not_compared_on(settings, images, loaded) -> None:
    chosen = choose_encoder(settings, images[images["group"].isin(images["group"].unique()[:4])])
    assert chosen.encoder is loaded.encoders["sample"]
    assert chosen.why == "There are too few groups to compare encoders on, so it is the sample's own."
    assert chosen.table.empty


def test_without_sources_groups_are_left_out(settings, images, loaded) -> None:
    table = choose_encoder(settings, images.assign(generator="", origin="")).table.set_index("encoder")
    assert table["chosen"].tolist() == [False, True, False, False]
    assert table.loc["middle", "mean"] == 1.0


def test_only_training_pictures_are_looked_at(settings, images, loaded) -> None:
    hidden = images["split"] != "train"
    for name in images.loc[hidden, "file_name"]:
        (settings.raw_dir / name).unlink()
    assert choose_encoder(settings, images).encoder is loaded.encoders["middle"]


@pytest.mark.parametrize("most", [0, 7, 20, 1000])
def test_whole_groups_are_drawn_up_to_a_number_of_pictures(images, most: int) -> None:
    drawn = draw_pictures(images, most, seed=2)
    training = images[images["split"] == "train"]
    assert len(drawn) == min(most // 2 * 2, len(training))
    assert set(drawn["split"]) <= {"train"}
    assert (drawn.groupby("group").size() == 2).all()
    assert list(drawn.index) == list(range(len(drawn)))
    pd.testing.assert_frame_equal(draw_pictures(images, most, seed=2), drawn)
    if most == 20:
        assert set(draw_pictures(images, most, seed=3)["group"]) != set(drawn["group"])


def test_a_run_says_beforehand_what_it_fetches(settings, loaded) -> None:
    said = bake_off.announce(settings)
    assert said.startswith("ENCODER=auto compares 3 encoders on at most 1,500 training pictures, once")
    assert "up to 0.8 GB" in said
    assert bake_off.announce(dataclasses.replace(settings, encoder="sample")) == ""


def test_the_table_reads_well(settings, images, loaded) -> None:
    loaded.encoders["large"] = UserError("It is gone.")
    told = readable_table(choose_encoder(settings, images).table)
    assert told["encoder"].tolist() == ["small", "middle", "large", "closed"]
    assert told["AUC, sources left out"].iloc[1].startswith("1.00")
    assert told["AUC, sources left out"].iloc[2] == "–"
    assert told["pictures per second"].tolist() == ["12.5", "12.5", "–", "–"]
    assert told["download"].tolist() == ["0.1 GB", "0.2 GB", "0.5 GB", "7.0 GB"]
    assert told["licence"].iloc[2] == "DINOv3 License"
    assert told["what came of it"].tolist() == [
        *("", "taken", "It is gone.", "Not for commercial use: only ENCODER=closed takes it.")
    ]


def test_what_an_encoder_sees_is_what_is_compared(loaded) -> None:
    """The stand-ins: one tells bright from dark, the other does not."""
    dark, bright = (np.full((224, 224, 3), value, np.uint8) for value in (20, 200))
    seen = [loaded.encoders["middle"].encode(one)[0]["class_12"] for one in (dark, bright)]
    assert (seen[1] > seen[0]).all()
    assert loaded.encoders["small"].encode(dark)[0][EMBEDDING].shape == (WIDTH,)
