from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image

from src.utils.data.pictures import augment as module
from src.utils.data.pictures.augment import (
    PERTURBATIONS,
    add_noise,
    augment,
    blur,
    crop_centre,
    crop_random,
    perturb,
    recompress_jpeg,
    resize,
    screenshot,
)


def picture(width: int = 96, height: int = 64, seed: int = 0) -> Image.Image:
    """A colourful picture with fine detail."""
    rng = np.random.default_rng(seed)
    coarse = Image.fromarray(rng.integers(0, 256, (8, 8, 3), np.uint8)).resize((width, height))
    return add_noise(coarse, 12, rng)


def grey(value: int = 128, side: int = 200) -> Image.Image:
    return Image.new("RGB", (side, side), (value,) * 3)


@pytest.mark.parametrize("name", PERTURBATIONS)
def test_a_perturbation_is_deterministic_and_leaves_its_input_alone(name):
    image, before = picture(), picture()
    level = PERTURBATIONS[name].levels[-1]
    first, second = perturb(image, name, level), perturb(image, name, level)
    assert first.tobytes() == second.tobytes()
    assert image.tobytes() == before.tobytes()
    assert first.mode == "RGB"
    assert (first.size, first.tobytes()) != (image.size, image.tobytes())


@pytest.mark.parametrize("name", ["jpeg", "webp", "blur", "noise"])
def test_levels_run_from_mild_to_severe(name):
    image = picture()
    original = np.asarray(image, float)
    damage = [
        np.abs(np.asarray(perturb(image, name, level), float) - original).mean()
        for level in PERTURBATIONS[name].levels
    ]
    assert damage == sorted(damage)


def test_the_curves_cover_the_protocol():
    levels = {name: one.levels for name, one in PERTURBATIONS.items()}
    assert (max(levels["jpeg"]), min(levels["jpeg"])) == (95, 30)
    assert (max(levels["webp"]), min(levels["webp"])) == (90, 50)
    assert (max(levels["resize"]), min(levels["resize"])) == (2.0, 0.5)
    assert max(levels["blur"]) == 3
    assert max(levels["noise"]) == 10
    assert {"crop", "screenshot"} <= set(levels)


def test_noise_has_the_stated_deviation():
    noisy = np.asarray(add_noise(grey(), 5, np.random.default_rng(1)), float)
    assert noisy.std() == pytest.approx(5, rel=0.02)
    assert noisy.mean() == pytest.approx(128, abs=0.1)


def test_another_seed_gives_other_noise():
    assert perturb(grey(), "noise", 5, seed=1).tobytes() != perturb(grey(), "noise", 5, seed=2).tobytes()


def test_blur_has_the_stated_width():
    impulse = Image.new("RGB", (61, 61))
    impulse.putpixel((30, 30), (255, 255, 255))
    profile = np.asarray(blur(impulse.resize((61, 61)), 3), float)[..., 0].sum(axis=0)
    offset = np.arange(61) - 30
    assert np.sqrt((profile * offset**2).sum() / profile.sum()) == pytest.approx(3, rel=0.15)


def test_jpeg_has_the_stated_quality(monkeypatch):
    written = []
    original = Image.Image.save

    def keep(self, target, **options):
        original(self, target, **options)
        written.append(target.getvalue())

    monkeypatch.setattr(Image.Image, "save", keep)
    recompress_jpeg(picture(), 50)
    monkeypatch.undo()
    tables = Image.open(io.BytesIO(written[0])).quantization
    reference = io.BytesIO()
    picture().save(reference, format="JPEG", quality=50)
    assert tables == Image.open(io.BytesIO(reference.getvalue())).quantization


@pytest.mark.parametrize(("factor", "size"), [(0.5, (48, 32)), (2.0, (192, 128)), (0.01, (16, 16))])
def test_resize_scales_both_sides(factor, size):
    assert resize(picture(), factor).size == size


def test_a_screenshot_shrinks():
    assert screenshot(picture(200, 100), 0.5).size == (100, 50)


def test_the_centre_crop_is_the_middle():
    image = picture(100, 60)
    middle = crop_centre(image, 0.5)
    np.testing.assert_array_equal(np.asarray(middle), np.asarray(image)[15:45, 25:75])


def test_a_random_crop_is_cut_not_scaled():
    image = picture(90, 50)
    pixels = np.asarray(image)
    crop = np.asarray(crop_random(image, 32, np.random.default_rng(3)))
    places = [
        (top, left)
        for top in range(50 - 32 + 1)
        for left in range(90 - 32 + 1)
        if (pixels[top : top + 32, left : left + 32] == crop).all()
    ]
    assert len(places) == 1


def test_a_crop_never_exceeds_the_picture():
    assert crop_random(picture(90, 50), 400, np.random.default_rng(0)).size == (50, 50)


def test_augment_repeats_itself_for_a_seed_and_varies_between_seeds():
    image = picture(128, 128)
    copies = [augment(image, np.random.default_rng(seed)) for seed in range(20)]
    again = [augment(image, np.random.default_rng(seed)) for seed in range(20)]
    assert [one.tobytes() for one in copies] == [one.tobytes() for one in again]
    assert len({one.tobytes() for one in copies}) > 15


def test_augment_mirrors_half_of_the_time_and_shrinks_at_most_to_half():
    left_dark = Image.fromarray(
        np.repeat(np.linspace(0, 255, 64, dtype=np.uint8)[None, :, None], 64, 0).repeat(3, 2)
    )
    copies = [augment(left_dark, np.random.default_rng(seed)) for seed in range(200)]
    mirrored = [np.asarray(one, float)[:, 0].mean() > 128 for one in copies]
    assert 70 < sum(mirrored) < 130
    assert min(one.width for one in copies) >= 32
    assert sum(one.width < 64 for one in copies) in range(70, 130)


def test_strengths_are_stated_as_ranges():
    for low, high in (module.SCALES, module.BLUR_SIGMAS, module.NOISE_SIGMAS, module.JPEG_QUALITIES):
        assert low < high
