import numpy as np
import pandas as pd
import pytest
from PIL import Image
from scipy.special import expit

from src.utils.analysis.scoring.read_paths import (
    READ_PATHS,
    answer_table,
    compare_read_paths,
    summarise_read_paths,
)
from src.utils.data.pictures.decode import read_pixels
from src.utils.models.bundle.bundle import save_bundle
from src.utils.models.bundle.predictor import Predictor
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


@pytest.fixture
def bright_bundle(tmp_path):
    """A network that says log-odds of 4 × (mean red / 255) − 2."""
    import keras

    pixels = keras.Input((IMAGE_SIZE, IMAGE_SIZE, 3))
    mean = keras.layers.GlobalAveragePooling2D()(pixels)
    model = keras.Model(pixels, keras.layers.Dense(2)(mean))
    kernel = np.array([[0, 4 / 255], [0, 0], [0, 0]], np.float32)
    model.set_weights([kernel, np.array([0, -2], np.float32)])
    return save_bundle(tmp_path / "bright", model, {}).folder


def test_one_network_answers_for_each_file_read_in_each_way(bright_bundle, tmp_path):
    files = []
    for name, red in (("dark.png", 51), ("light.png", 204)):
        Image.new("RGB", (300, 200), (red, 9, 9)).save(tmp_path / name)
        files.append(tmp_path / name)
    answers = compare_read_paths(bright_bundle, files)
    assert answers.index.tolist() == ["dark.png", "light.png"] and list(answers) == list(READ_PATHS)
    expected = [expit(4 * red / 255 - 2) for red in (51, 204)]
    for way in ("this project", "deck, training", "deck, URL cell"):
        np.testing.assert_allclose(answers[way], expected, atol=1e-5)
    divided = [expit(4 * red / 255 / 255 - 2) for red in (51, 204)]
    np.testing.assert_allclose(answers["deck, web page"], divided, atol=1e-5)


def test_answers_to_pictures_carry_name_and_truth(bright_bundle, picture):
    predictor, data = Predictor.load(bright_bundle), [picture.read_bytes()] * 2
    answers = answer_table(predictor, data, ["http://a/b/one.png", "two.png"], [0, 1])
    assert answers["file"].tolist() == ["one.png", "two.png"]
    assert answers["truth"].tolist() == ["Human-made", "AI-generated"]
    expected = predictor.predict_pixels(predictor.read(picture)[None])[0]
    assert answers["probability_ai"].tolist() == pytest.approx([expected] * 2, abs=1e-5)
    assert answer_table(predictor, data, ["a", "b"])["truth"].tolist() == ["", ""]


def test_shifts_are_counted_against_the_first_way():
    answers = pd.DataFrame({"this project": [0.2, 0.6], "other": [0.6, 0.7]}, index=["a", "b"])
    summary = summarise_read_paths(answers)
    assert summary.loc["this project"].tolist() == [0, 0, 0, 1]
    assert summary.loc["other"].tolist() == pytest.approx([0.25, 0.4, 1, 2])
