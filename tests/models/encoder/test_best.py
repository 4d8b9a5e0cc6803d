"""The improved model from features to bundle to answer: one folder, no TensorFlow, the same numbers."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from src.utils.models.bundle.bundle import default_bundle_dir
from src.utils.models.bundle.predictor import Predictor
from src.utils.models.encoder.best import (
    DESIGNS,
    PROBE,
    all_candidates,
    design_named,
    fit_design,
    fit_heads,
    head_probability,
    save_best,
    twin_candidates,
)
from src.utils.models.encoder.features import READ_SIZE, encode_pictures
from src.utils.models.encoder.runtime import BLOCKS, ENCODER_FILE, HEAD_FILE
from src.utils.settings import Settings, UserError
from tests.data.made_pictures import make_images
from tests.models.tiny_encoder import load_tiny

DESIGN = next(design for design in DESIGNS if design.name == "all blocks")


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    """A project of bright and dark pictures with its improved model saved."""
    root = tmp_path_factory.mktemp("project")
    settings = Settings(root=root, seed=3)
    images = make_images(settings.raw_dir, 60)
    encoder = load_tiny(root)
    folder = settings.interim_dir / "features"
    views = {
        view: encode_pictures(encoder, images, settings.raw_dir, folder, view, progress=False)
        for view in ("whole", "damaged", "crop")
    }
    head = fit_design(DESIGN, encoder, images, views, settings.seed)
    bundle = save_best(settings, encoder, head, images, views["whole"], {"selection": DESIGN.name})
    return settings, images, views, head, bundle


def test_twins_of_photographs_speak_for_the_class_they_are_given() -> None:
    """AI pictures lie to the right, twins of photographs above; twins called AI make "above" suspicious."""
    rng = np.random.default_rng(0)
    label = np.repeat([0, 1], 40)
    names = [f"{n}.jpg" for n in range(80)]
    images = pd.DataFrame({"file_name": names, "label": label, "group": names, "split": "train"})
    rows = rng.normal(0, 0.1, (80, 2))
    rows[label == 1, 0] += 1
    upwards = np.array([0, 1])
    twins = rows[label == 0] + upwards
    above = rows + upwards
    views = {"whole": dict.fromkeys(BLOCKS, rows), "damaged": dict.fromkeys(BLOCKS, above)}
    as_ai, as_human = twin_candidates(images, views, dict.fromkeys(BLOCKS, twins))
    fit, score = np.arange(2, 80), np.array([0, 1])
    for candidate, suspicious in ((as_ai, True), (as_human, False)):
        plain, shifted = candidate.fit_and_score(fit, score)
        assert (plain < 0).all()
        assert ((shifted > 0) == suspicious).all()


def test_the_bundle_is_whole(project) -> None:
    settings, images, _, head, bundle = project
    assert sorted(path.name for path in bundle.folder.iterdir()) == ["bundle.json", ENCODER_FILE, HEAD_FILE]
    facts = json.loads((bundle.folder / "bundle.json").read_text())
    assert (facts["model_file"], facts["input_size"], facts["resize"]) == (HEAD_FILE, READ_SIZE, "squash")
    assert facts["encoder_sha256"] == head.encoder_sha256
    assert facts["selection"] == "all blocks"
    assert facts["training"]["pictures"] == (images["split"] == "train").sum()
    assert default_bundle_dir(settings) == bundle.folder


def test_it_has_learnt(project) -> None:
    _, images, views, head, bundle = project
    assert bundle.facts["metrics"]["validation"]["accuracy"] > 0.9
    probability = head_probability(head, views["whole"])
    assert probability[images["label"] == 1].mean() > 0.8 > 0.2 > probability[images["label"] == 0].mean()


def test_what_is_served_is_what_was_measured(project) -> None:
    settings, images, views, head, bundle = project
    predictor = Predictor.load(bundle.folder)
    rows = list(predictor.predict_files([settings.raw_dir / name for name in images["file_name"][:6]]))
    expected = head_probability(head, views["whole"])[:6]
    np.testing.assert_allclose([row["probability_ai"] for row in rows], expected, atol=2e-6)


def test_the_map_comes_with_the_answer(project) -> None:
    settings, images, _, _, bundle = project
    predictor = Predictor.load(bundle.folder)
    pixels = np.stack([predictor.read(settings.raw_dir / name) for name in images["file_name"][:2]])
    _, maps = predictor.explain(pixels)
    assert maps.shape == (2, 14, 14)
    assert maps[1].mean() > maps[0].mean()  # the second is generated


def test_a_changed_head_is_refused(project, tmp_path: Path) -> None:
    bundle = project[-1]
    for path in bundle.folder.iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    (tmp_path / HEAD_FILE).write_bytes((tmp_path / HEAD_FILE).read_bytes() + b" ")
    with pytest.raises(UserError, match="not the file"):
        Predictor.load(tmp_path)


def test_an_answer_needs_no_tensorflow(project) -> None:
    settings, images, _, _, bundle = project
    picture = settings.raw_dir / images["file_name"][0]
    code = (
        "import sys; from pathlib import Path; from src.utils.models.bundle.predictor import Predictor;"
        f"(row,) = Predictor.load(Path({str(bundle.folder)!r})).predict_files([{str(picture)!r}]);"
        "assert not row['error'];"
        "assert not {'tensorflow', 'keras', 'pandas', 'sklearn'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_every_detector_that_is_compared_has_its_name(project) -> None:
    _, images, views, _, _ = project
    twins = {name: rows[images["label"] == 0] for name, rows in views["whole"].items()}
    numbers = [np.zeros((len(images), 2), np.float32)] * 2
    names = [one.name for one in all_candidates(images, views, twins, numbers, numbers, "all blocks")]
    assert names[: len(DESIGNS)] == [design.name for design in DESIGNS]
    assert names[len(DESIGNS) :] == [
        "resampled twins as AI",
        "resampled twins as human",
        "grain",
        "all blocks + grain",
        "EfficientNet-Lite0",
        "all blocks + EfficientNet-Lite0",
    ]


def test_the_chosen_design_is_fitted_beside_the_plain_probe(project) -> None:
    settings, images, views, head, _ = project
    heads = fit_heads("all blocks", load_tiny(settings.root), images, views, settings.seed)
    assert list(heads) == ["linear_probe", "best"]
    assert tuple(heads["linear_probe"].weights) == PROBE.blocks
    assert heads["best"].bias == head.bias
    assert design_named("all blocks") is DESIGN


def test_designs_are_in_the_order_of_their_complexity_and_the_plain_probe_can_be_kept() -> None:
    sizes = [(len(one.blocks), len(one.fit_views), one.crops) for one in DESIGNS]
    assert DESIGNS[0] is PROBE and PROBE.eligible
    assert [blocks for blocks, *_ in sizes] == sorted(blocks for blocks, *_ in sizes)
    clean, damaged = design_named("all blocks, clean"), design_named("all blocks")
    assert DESIGNS.index(clean) < DESIGNS.index(damaged)
    assert not design_named("all blocks, crops at prediction").eligible
