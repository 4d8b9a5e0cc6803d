"""Scores are the model's own, computed once a picture, whatever is measured afterwards."""

from typing import ClassVar

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, ImageOps

from src.utils.analysis.scoring.scores import (
    at_temperature,
    calibrated_probabilities,
    content_seed,
    load_models,
    log_odds,
    model_key,
    score_as_they_are,
    score_models,
    score_pictures,
    score_versions,
    trained_models,
)
from src.utils.data.pictures.decode import open_image, read_pixels, squash
from src.utils.models.bundle.bundle import load_bundle
from src.utils.models.bundle.calibration import write_calibration
from src.utils.models.bundle.predictor import Predictor
from src.utils.models.encoder.packaged import LAYOUT
from src.utils.models.encoder.runtime import (
    BLOCKS,
    CORNERS,
    EMBEDDING,
    WHOLE,
    EncoderRuntime,
    Head,
)
from src.utils.settings import Settings
from tests.analysis.bright_model import bright_predictor, brightness_log_odds
from tests.data.made_pictures import make_images
from tests.models.calibrations import POLICY, wide_table
from tests.models.tiny import fake_runtime

pytestmark = pytest.mark.filterwarnings("ignore:.*trained with other versions")


@pytest.fixture
def images(tmp_path):
    return make_images(tmp_path / "raw", 40)


def score(tmp_path, predictor, images, name="as_it_is", change=None):
    return score_pictures(
        predictor, images, tmp_path / "raw", tmp_path / "memory", name, change, progress=False
    )


def broken(pixels):
    raise AssertionError("a remembered picture was scored again")


def test_scores_are_the_models_log_odds_in_the_order_of_the_rows(tmp_path, images):
    predictor = bright_predictor(tmp_path / "bright")
    expected = [brightness_log_odds(read_pixels(tmp_path / "raw" / name, 16)) for name in images["file_name"]]
    np.testing.assert_allclose(score(tmp_path, predictor, images), expected, atol=1e-9)
    backwards = images.iloc[::-1].reset_index(drop=True)
    np.testing.assert_allclose(score(tmp_path, predictor, backwards), expected[::-1], atol=1e-9)


def test_only_new_pictures_are_computed(tmp_path, images):
    first = score(tmp_path, bright_predictor(tmp_path / "bright"), images.head(30))
    seen = []

    def spy(pixels):
        seen.append(len(pixels))
        return fake_runtime(pixels)

    again = score(tmp_path, bright_predictor(tmp_path / "bright", runtime=spy), images)
    np.testing.assert_array_equal(again[:30], first)
    assert sum(seen) == 10
    score(tmp_path, bright_predictor(tmp_path / "bright", runtime=broken), images)


def test_what_is_measured_after_training_changes_no_score(tmp_path, images):
    before = score(tmp_path, bright_predictor(tmp_path / "bright"), images)
    files = load_bundle(tmp_path / "bright").served_files
    write_calibration(tmp_path / "bright", files, wide_table(), POLICY, 4.0, 0.7, metrics={"test": {}})
    calibrated = Predictor(load_bundle(tmp_path / "bright"), fake_runtime)
    np.testing.assert_array_equal(score(tmp_path, calibrated, images), before)
    np.testing.assert_allclose(score(tmp_path / "other", calibrated, images.head(0)), [])
    fresh = score_pictures(calibrated, images, tmp_path / "raw", tmp_path / "fresh", progress=False)
    np.testing.assert_allclose(fresh, before, atol=1e-9)


def test_other_weights_are_another_model(tmp_path):
    one = model_key(bright_predictor(tmp_path / "bright").bundle)
    other = model_key(bright_predictor(tmp_path / "bright", weights=b"others").bundle)
    assert one != other


def test_a_change_is_made_before_the_picture_is_read(tmp_path, images):
    seeds = {}

    def invert(image, seed):
        seeds[seed] = seeds.get(seed, 0) + 1
        return Image.eval(image, lambda value: 255 - value)

    predictor = bright_predictor(tmp_path / "bright")
    plain, inverted = score(tmp_path, predictor, images), score(tmp_path, predictor, images, "invert", invert)
    np.testing.assert_allclose(inverted, -plain, atol=0.02)
    assert sorted(seeds) == sorted(content_seed(content) for content in images["content"])


def test_no_more_is_read_ahead_than_two_batches(tmp_path):
    images = make_images(tmp_path / "raw", 2, side=17)
    many = images.loc[[0] * 400].reset_index(drop=True).assign(content=[f"{row:032x}" for row in range(400)])
    read, scored, most = [0], [0], [0]

    def count(image, seed):
        read[0] += 1
        most[0] = max(most[0], read[0] - scored[0])
        return image

    def runtime(pixels):
        scored[0] += len(pixels)
        return fake_runtime(pixels)

    score(tmp_path, bright_predictor(tmp_path / "bright", runtime=runtime), many, "count", count)
    assert scored[0] == 400
    assert most[0] <= 4 * 32


def test_the_network_gets_the_changed_pixels_as_they_are(tmp_path, images):
    met = []

    def spy(pixels):
        met.extend(pixels)
        return fake_runtime(pixels)

    predictor = bright_predictor(tmp_path / "bright", runtime=spy)
    score(tmp_path, predictor, images, "mirror", lambda image, seed: ImageOps.mirror(image))
    mirrored = [ImageOps.mirror(open_image(tmp_path / "raw" / name)) for name in images["file_name"]]
    np.testing.assert_array_equal(met, [squash(image, 16) for image in mirrored])


@given(st.lists(st.floats(0.001, 0.999), min_size=1))
def test_log_odds_and_probability_undo_each_other(probability):
    np.testing.assert_allclose(at_temperature(log_odds(probability)), probability, atol=1e-12)


def test_certainty_stays_finite_and_a_temperature_makes_less_sure():
    assert np.isfinite(log_odds([0.0, 1.0])).all()
    np.testing.assert_allclose(at_temperature([2.0, -2.0], 2.0), 1 / (1 + np.exp([-1.0, 1.0])))


def test_models_are_listed_in_the_order_of_the_tables(tmp_path):
    for name in ("best", "cnn_deck", "cnn_scaled", "other"):
        bright_predictor(tmp_path / name)
    assert trained_models(tmp_path) == ["cnn_deck", "cnn_scaled", "best"]
    assert trained_models(tmp_path / "nothing") == []


def test_models_are_scored_together_and_each_at_its_own_temperature(tmp_path):
    settings = Settings(root=tmp_path)
    images = make_images(settings.raw_dir, 4)
    predictors = {name: bright_predictor(settings.models_dir / name) for name in ("cnn_deck", "best")}
    write_calibration(
        settings.models_dir / "best", predictors["best"].bundle.served_files, wide_table(), POLICY, 4.0
    )
    predictors["best"] = Predictor(load_bundle(settings.models_dir / "best"), fake_runtime)
    odds = score_models(predictors, images, settings, progress=False)
    np.testing.assert_allclose(odds["best"], odds["cnn_deck"], atol=1e-9)
    said = calibrated_probabilities(predictors, images, settings)
    np.testing.assert_allclose(said["cnn_deck"], at_temperature(odds["cnn_deck"]))
    np.testing.assert_allclose(said["best"], at_temperature(odds["best"], 4.0))
    assert load_models(tmp_path / "nothing") == {}


class FakeEncoder:
    """Says of a picture how bright it is, in every block; counts how often it is asked."""

    sha256 = "0123456789abcdef"
    layout = LAYOUT
    widths: ClassVar = dict.fromkeys(BLOCKS, 1)

    def __init__(self):
        self.asked = 0

    def encode(self, pixels):
        self.asked += 1
        brightness = np.array([pixels.mean() / 127.5 - 1], np.float32)
        return dict.fromkeys(BLOCKS, brightness), None

    def encode_each(self, pictures):
        return map(self.encode, pictures)

    def encode_flat(self, pixels):
        return np.stack([np.concatenate(list(self.encode(picture)[0].values())) for picture in pixels])


@pytest.mark.parametrize("crops", [WHOLE, CORNERS])
def test_features_that_are_kept_give_the_scores_that_the_predictor_gives(tmp_path, images, crops):
    head = Head({EMBEDDING: np.array([2.0], np.float32)}, {EMBEDDING: 0.0}, 0.25, FakeEncoder.sha256, crops)
    encoder = FakeEncoder()
    predictor = bright_predictor(tmp_path / "best", runtime=EncoderRuntime(encoder, head), input_size=288)
    where = (predictor, images, tmp_path / "raw", tmp_path / "memory")
    expected = score_pictures(*where, progress=False)
    before = encoder.asked
    for _ in range(2):
        found = score_as_they_are(*where, tmp_path / "features", progress=False)
        np.testing.assert_allclose(found, expected, atol=1e-5)
    assert encoder.asked - before == (len(images) if crops == WHOLE else 0)


def test_any_other_model_scores_its_pictures(tmp_path, images):
    predictor = bright_predictor(tmp_path / "bright")
    expected = score(tmp_path, predictor, images)
    found = score_as_they_are(
        predictor, images, tmp_path / "raw", tmp_path / "fresh", tmp_path / "features", progress=False
    )
    np.testing.assert_array_equal(found, expected)
    assert not (tmp_path / "features").exists()


def upright_and_inverted(image):
    yield image
    yield ImageOps.invert(image)


def test_versions_are_scored_together_as_they_would_be_alone(tmp_path, images):
    predictor = bright_predictor(tmp_path / "bright")
    folders = tmp_path / "raw", tmp_path / "memory"
    both = score_versions(predictor, images, *folders, "both", upright_and_inverted, progress=False)
    assert both.shape == (40, 2)
    np.testing.assert_array_equal(both[:, 0], score(tmp_path, predictor, images))
    np.testing.assert_allclose(both[:, 1], -both[:, 0], atol=2e-3)  # a resize rounds
    again = Predictor(predictor.bundle, broken)
    kept = score_versions(again, images[::-1], *folders, "both", upright_and_inverted, progress=False)
    np.testing.assert_array_equal(kept, both[::-1])
