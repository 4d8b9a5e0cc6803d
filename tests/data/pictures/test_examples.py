import numpy as np
import pandas as pd
from PIL import Image

from src.utils.data.pictures.examples import choose_examples, read_previews


def test_examples_come_from_different_groups_first():
    images = pd.DataFrame(
        {
            "file_name": [f"{number}.jpg" for number in range(12)],
            "label": [0] * 8 + [1] * 4,
            "group": ["a"] * 5 + ["b", "c", "d"] + ["e"] * 4,
        }
    )
    chosen = choose_examples(images, label=0, count=4, seed=1)
    assert set(chosen["group"]) == {"a", "b", "c", "d"}
    assert choose_examples(images, 0, 4, seed=1).equals(chosen)
    assert len(choose_examples(images, label=1, count=10, seed=1)) == 4


def test_previews_keep_their_shape(tmp_path):
    Image.new("RGB", (1000, 500), (250, 10, 10)).save(tmp_path / "wide.png")
    Image.new("RGB", (30, 40)).save(tmp_path / "small.png")
    wide, small = read_previews(tmp_path, ["wide.png", "small.png"], side=200)
    assert wide.shape == (100, 200, 3) and small.shape == (40, 30, 3)
    assert np.array_equal(wide[50, 100], [250, 10, 10])
