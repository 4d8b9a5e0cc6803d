"""Each picture is asked about once, whatever cuts the run; what is delivered is what is asked about."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from src.utils.data.pictures.decode import open_image
from src.utils.judge import deliveries
from src.utils.judge.asking import ask_detector
from src.utils.judge.deliveries import deliveries_for, delivery_title, make_alike
from src.utils.settings import PROJECT_ROOT, UserError
from tests.judge.folders import AI, HUMAN, brightness_detector, flat, look_at, noise_pictures, six_pictures

AS_THEY_COME = {"as_it_is": None}
BLACK = Image.new("RGB", (4, 4))


def read(folder: Path, tmp_path: Path):
    return look_at(folder, tmp_path / "memory")


def ask(detector, pictures, tmp_path, deliveries=AS_THEY_COME):
    return ask_detector(
        detector, pictures.part.images, pictures.folder, tmp_path / "scores", deliveries, progress=False
    )


def test_answers_come_in_order_and_are_remembered_by_content(tmp_path):
    pictures, asked = read(six_pictures(tmp_path / "six"), tmp_path), []
    detector = brightness_detector(asked=asked)
    odds = ask(detector, pictures, tmp_path)["as_it_is"]
    expected = [(round(255 * one) - 127.5) / 100 for one in (*AI, *HUMAN)]
    np.testing.assert_allclose(odds, expected)
    assert len(asked) == 6
    (pictures.folder / "ai/0.png").rename(pictures.folder / "ai/9.png")
    again = read(pictures.folder, tmp_path)
    renamed = ask(detector, again, tmp_path)["as_it_is"]
    assert len(asked) == 6
    np.testing.assert_allclose(np.sort(renamed), np.sort(odds))
    ask(brightness_detector("other", asked), again, tmp_path)
    assert len(asked) == 12


def test_a_delivery_is_applied_before_the_detector_sees_the_picture(tmp_path):
    pictures = read(six_pictures(tmp_path / "six"), tmp_path)
    seen = []
    detector = brightness_detector(asked=seen)
    ask(detector, pictures, tmp_path, {"half": lambda image: image.resize((10, 5))})
    assert {one.size for one in seen} == {(10, 5)}
    ask(detector, pictures, tmp_path)
    assert len(seen) == 12


def test_a_picture_is_decoded_once_however_it_is_delivered_and_asked_only_what_is_new(tmp_path, monkeypatch):
    pictures = read(six_pictures(tmp_path / "six"), tmp_path)
    decoded, seen = [], []
    monkeypatch.setattr(deliveries, "open_image", lambda path: decoded.append(path) or open_image(path))
    detector = brightness_detector(asked=seen)
    darker = {"dark": lambda image: image.point(lambda value: value // 2)}
    plain = ask(detector, pictures, tmp_path, darker)
    found = ask(detector, pictures, tmp_path, {**AS_THEY_COME, **darker, "black": lambda _: BLACK})
    assert (len(decoded), len(seen)) == (12, 18)
    np.testing.assert_array_equal(found["dark"], plain["dark"])
    np.testing.assert_array_equal(found["black"], -1.275)
    np.testing.assert_array_less(found["dark"], found["as_it_is"])


KILLED = """
import os, sys
from pathlib import Path
from src.utils.judge.asking import ask_detector
from tests.judge.folders import brightness_detector, look_at

class Counted(list):
    def extend(self, more):
        super().extend(more)
        if len(self) > 100:
            os._exit(9)

root = Path(sys.argv[1])
pictures = look_at(root / "many", root / "memory")
ask_detector(brightness_detector(asked=Counted()), pictures.part.images, pictures.folder, root / "scores",
             {"as_it_is": None}, progress=False)
"""


def test_a_killed_run_goes_on_where_it_was(tmp_path):
    noise_pictures(tmp_path / "many", 120, (16, 16))
    done = subprocess.run([sys.executable, "-c", KILLED, str(tmp_path)], cwd=PROJECT_ROOT)
    assert done.returncode == 9
    pictures, asked = read(tmp_path / "many", tmp_path), []
    detector = brightness_detector(asked=asked)
    odds = ask(detector, pictures, tmp_path)["as_it_is"]
    assert len(odds) == 120 and 20 <= len(asked) <= 56  # 64 are written at once


def test_all_made_alike_have_one_size_and_compression_whatever_they_were():
    rng = np.random.default_rng(0)
    for height, width in ((40, 60), (200, 90), (20, 20)):
        image = Image.fromarray(rng.integers(0, 256, (height, width, 3), dtype=np.uint8))
        alike = make_alike(image, 32)
        assert alike.size == (32, 32)
        assert alike.tobytes() == make_alike(image, 32).tobytes()
    gradient = Image.fromarray(np.tile(np.arange(100, dtype=np.uint8)[:, None, None], (1, 50, 3)))
    middle = np.asarray(make_alike(gradient, 25)).mean()
    assert middle == pytest.approx(49.5, abs=1)


def test_the_common_side_is_part_of_the_deliverys_name(tmp_path):
    pictures = read(noise_pictures(tmp_path / "noise", 40, (32, 48)), tmp_path)
    ways = deliveries_for(pictures.part.images)
    assert list(ways) == ["as_it_is", "alike-32"] and ways["as_it_is"] is None
    assert [delivery_title(one) for one in ways] == ["as they are", "made alike, 32 px"]


def test_groups_sources_and_bad_files_are_read_as_for_training(tmp_path):
    folder = noise_pictures(tmp_path / "noise", 40)
    (folder / "4.png").write_bytes(b"nothing")
    (folder / "6.png").write_bytes((folder / "8.png").read_bytes())
    pictures = read(folder, tmp_path)
    images = pictures.part.images.set_index("file_name")
    assert images.loc["6.png", "group"] == images.loc["8.png", "group"] == "6.png"
    assert set(images["generator"]) == {"", "Flux", "SDXL"} and set(images["origin"]) == {"", "Archive"}
    assert pictures.unreadable["file_name"].tolist() == ["4.png"]
    assert pictures.unreadable["reason"].str.startswith("not_image").all()
    assert pictures.part.weight.sum() == pytest.approx(39)


@pytest.mark.parametrize(
    ("files", "sentence"),
    [
        ([], "has no pictures"),
        (["a.png", "b.png"], "name no class"),
        (["human/a.png"], "no picture of class 1"),
    ],
)
def test_no_pictures_no_labels_or_one_class_is_one_sentence(tmp_path, files, sentence):
    folder = tmp_path / "folder"
    folder.mkdir()
    for name in files:
        flat(folder / name, 0.5)
    with pytest.raises(UserError, match=sentence):
        read(folder, tmp_path)
    with pytest.raises(UserError, match="is neither a folder nor a"):
        read(tmp_path / "nowhere", tmp_path)


def test_a_class_of_bad_files_only_is_one_sentence(tmp_path):
    folder = six_pictures(tmp_path / "six")
    for path in (folder / "ai").iterdir():
        path.write_bytes(b"")
    with pytest.raises(UserError, match=r"no readable picture of class 1.*empty"):
        read(folder, tmp_path)
