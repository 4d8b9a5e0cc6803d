import numpy as np
import pandas as pd
import pytest
from PIL import Image

from src.utils.analysis.scoring.read_paths import READ_PATHS, summarise_read_paths
from src.utils.data.pictures.decode import read_pixels
from src.utils.settings import IMAGE_SIZE


@pytest.fixture
def picture(tmp_path):
    pixels = np.random.default_rng(0).integers(0, 256, (300, 400, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(tmp_path / "noise.png")
    return tmp_path / "noise.png"


def test_the_first_way_is_the_projects_own(picture):
    ours = next(iter(READ_PATHS.values()))(picture)
    assert np.array_equal(ours, read_pixels(picture))


def test_the_decks_ways_differ_as_the_deck_wrote_them(picture):
    nearest = np.asarray(Image.open(picture).resize((IMAGE_SIZE, IMAGE_SIZE), Image.Resampling.NEAREST))
    assert np.array_equal(READ_PATHS["deck, URL cell"](picture), nearest)
    assert np.allclose(READ_PATHS["deck, web page"](picture), nearest / 255)
    plain, smooth = READ_PATHS["deck, training"](picture), READ_PATHS["this project"](picture)
    assert plain.shape == smooth.shape == (IMAGE_SIZE, IMAGE_SIZE, 3)
    assert plain.std() > smooth.std() + 5  # antialiasing averages the noise that plain bilinear keeps


def test_shifts_are_counted_against_the_first_way():
    answers = pd.DataFrame({"this project": [0.2, 0.6], "other": [0.6, 0.7]}, index=["a", "b"])
    summary = summarise_read_paths(answers)
    assert summary.loc["this project"].tolist() == [0, 0, 0, 1]
    assert summary.loc["other"].tolist() == pytest.approx([0.25, 0.4, 1, 2])
