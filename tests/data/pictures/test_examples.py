import numpy as np
import pandas as pd
from PIL import Image

from src.utils.data.pictures.examples import (
    answer_table,
    choose_examples,
    choose_of_both,
    class_previews,
    mixed_previews,
    read_previews,
)


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


def test_either_class_gets_its_share(tmp_path):
    names = [f"{number}.png" for number in range(6)]
    for number, name in enumerate(names):
        Image.new("RGB", (8, 8), (40 * number, 0, 0)).save(tmp_path / name)
    images = pd.DataFrame({"file_name": names, "label": [0, 1] * 3, "group": names})
    chosen = choose_of_both(images, 2, seed=1)
    assert chosen["label"].tolist() == [0, 0, 1, 1]
    human, ai = class_previews(images, tmp_path, 2, seed=1)
    reds = [int(picture[0, 0, 0]) for picture in (*human, *ai)]
    assert reds == [40 * names.index(name) for name in chosen["file_name"]]
    mixed, labels = mixed_previews(images, tmp_path, 2, seed=1)
    by_red = dict(zip(reds, [0, 0, 1, 1], strict=True))
    assert [by_red[int(picture[0, 0, 0])] for picture in mixed] == labels
    assert sorted(labels) == [0, 0, 1, 1]


def test_a_mixed_draw_mixes_the_classes_and_passes_over_what_cannot_be_read(tmp_path):
    for number in range(1, 8):
        Image.new("RGB", (8, 8), (30 * number, 0, 0)).save(tmp_path / f"{number}.png")
    (tmp_path / "0.png").write_bytes(b"no picture")
    names = [f"{number}.png" for number in range(8)]
    images = pd.DataFrame({"file_name": names, "label": [0, 1] * 4, "group": ["", "g"] * 4})
    pictures, answers = mixed_previews(images, tmp_path, 4, seed=1)
    numbers = [int(picture[0, 0, 0]) // 30 for picture in pictures]
    assert sorted(numbers) == [1, 2, 3, 4, 5, 6, 7] and answers == [number % 2 for number in numbers]
    assert answers not in (sorted(answers), sorted(answers, reverse=True))
    again, _ = mixed_previews(images, tmp_path, 4, seed=1)
    assert all(np.array_equal(one, other) for one, other in zip(pictures, again, strict=True))
    table = answer_table([0, 1])
    assert table.loc["made"].to_dict() == {"1": "Human-made", "2": "AI-generated"}
