"""Shortcuts planted and found; a model that lives on one falls when it is taken away."""

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from src.utils.analysis.checks.shortcuts import (
    ALL_CONTENT,
    ALL_FACTS,
    NEUTRAL_NAMES,
    common_side,
    cut_square,
    full_audit,
    measure_neutralised,
    neutral_rows,
    neutral_table,
    neutralise,
    score_neutralised,
    together,
)
from src.utils.analysis.scoring.parts import part_of
from src.utils.files import hash_file
from src.utils.names import ALL_CONTAINER
from src.utils.settings import Settings
from tests.analysis.bright_model import bright_predictor
from tests.data.made_pictures import make_images
from tests.manifests import make_manifest

pytestmark = pytest.mark.filterwarnings("ignore:.*trained with other versions")


def with_brightness(manifest, signal=0.0):
    rng = np.random.default_rng(4)
    return manifest.assign(brightness=rng.normal(120, 10, len(manifest)) + signal * manifest["label"])


def test_facts_together_of_innocent_pictures_are_at_chance():
    rows = together(full_audit(with_brightness(make_manifest()), resamples=50)).set_index("feature")
    assert list(rows.index) == [ALL_CONTAINER, ALL_CONTENT, ALL_FACTS]
    np.testing.assert_allclose(rows["auc"], 0.5, atol=0.12)


def test_a_planted_container_shortcut_is_found_on_its_side_only():
    manifest = with_brightness(make_manifest())
    manifest["width"] = np.where(manifest["label"] == 1, 512, 500)
    rows = together(full_audit(manifest, resamples=50)).set_index("feature")
    assert rows.loc[ALL_CONTAINER, "auc"] > 0.99
    assert rows.loc[ALL_FACTS, "auc"] > 0.99
    assert rows.loc[ALL_CONTENT, "auc"] < 0.65


def test_a_planted_content_shortcut_is_found_on_its_side_only():
    rows = together(full_audit(with_brightness(make_manifest(), 40), resamples=50)).set_index("feature")
    assert rows.loc[ALL_CONTENT, "auc"] > 0.95
    assert rows.loc[ALL_CONTAINER, "auc"] == pytest.approx(0.5)


def test_the_common_square_is_what_nearly_all_pictures_have():
    pictures = pd.DataFrame({"width": [500] * 99 + [40], "height": [400] * 100})
    assert common_side(pictures) == 400
    assert common_side(pictures.assign(width=500, height=np.arange(100) + 300)) == 304


def test_cut_square_takes_the_middle_and_enlarges_what_is_too_small():
    pixels = np.random.default_rng(0).integers(0, 256, (40, 60, 3), dtype=np.uint8)
    cut = cut_square(Image.fromarray(pixels), 20)
    np.testing.assert_array_equal(np.asarray(cut), pixels[10:30, 20:40])
    assert cut_square(Image.fromarray(pixels), 50).size == (50, 50)


def test_neutralised_pictures_have_one_size_and_lose_what_the_compression_takes():
    rng = np.random.default_rng(0)
    for height, width in ((40, 60), (33, 35), (200, 90)):
        image = Image.fromarray(rng.integers(0, 256, (height, width, 3), dtype=np.uint8))
        neutral = neutralise(image, 32)
        assert neutral.size == (32, 32)
        assert neutral.tobytes() != cut_square(image, 32).tobytes()
        assert neutral.tobytes() == neutralise(image, 32).tobytes()


def test_a_model_that_lives_on_the_border_falls_when_the_border_is_cut_off(tmp_path):
    rng, rows = np.random.default_rng(0), []
    folder = tmp_path / "raw"
    folder.mkdir()
    for number in range(60):
        label = number % 2
        pixels = np.full((48, 48, 3), 128, np.uint8)
        pixels[8:40, 8:40] = rng.integers(100, 156)
        pixels[:8], pixels[40:] = 60 + 120 * label, 60 + 120 * label
        path = folder / f"{number}.png"
        Image.fromarray(pixels).save(path)
        rows.append({"file_name": path.name, "label": label, "group": number, "content": hash_file(path)})
    pictures = pd.DataFrame(rows)
    predictor = bright_predictor(tmp_path / "bright")
    scores = score_neutralised(predictor, pictures, folder, tmp_path / "memory", 32, progress=False)
    assert tuple(scores) == NEUTRAL_NAMES
    table = neutral_table(scores, pictures, resamples=200).set_index("pictures")
    assert table.loc["as they are", "auc"] == 1
    assert table.loc["as they are", "drop"] == 0
    assert table.loc["same square", "drop_low"] > 0.2
    assert table.loc["same square and compression", "auc"] == pytest.approx(0.5, abs=0.2)


def test_a_neutral_table_is_laid_out_for_its_plot():
    pictures = pd.DataFrame({"label": np.arange(60) % 2, "group": np.arange(60)})
    rng = np.random.default_rng(0)
    scores = {
        name: rng.normal(size=60) + gap * pictures["label"]
        for name, gap in zip(NEUTRAL_NAMES, (3, 2, 0), strict=True)
    }
    rows = neutral_rows({"best": neutral_table(scores, pictures, resamples=50)})
    assert rows["set"].unique().tolist() == ["Improved model"]
    assert rows["name"].tolist() == list(NEUTRAL_NAMES)
    assert rows["difference"].iloc[0] == ""
    assert rows["difference"].iloc[2].startswith("(-0.")


def test_a_part_is_measured_in_every_version(tmp_path):
    settings = Settings(root=tmp_path)
    train = part_of(make_images(settings.raw_dir, 8), "train")
    table = measure_neutralised(bright_predictor(tmp_path / "bright"), train, settings, side=16)
    assert table["pictures"].tolist() == list(NEUTRAL_NAMES)
    assert table["auc"].tolist() == [1, 1, 1]
