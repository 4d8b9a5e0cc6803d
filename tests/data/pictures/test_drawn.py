"""Pictures drawn in code are RGB, of every kind, and the same whenever the seed is."""

from __future__ import annotations

import numpy as np

from src.utils.data.pictures.drawn import KINDS, drawn_pictures


def test_every_kind_is_drawn_and_the_seed_alone_decides():
    first, again, other = (list(drawn_pictures(of_each=2, seed=seed)) for seed in (0, 0, 1))
    assert [kind for kind, _ in first] == [kind for kind in KINDS for _ in range(2)]
    assert {image.mode for _, image in first} == {"RGB"}
    assert all(np.array_equal(one, same) for (_, one), (_, same) in zip(first, again, strict=True))
    assert not all(np.array_equal(one, new) for (_, one), (_, new) in zip(first, other, strict=True))


def test_kinds_are_what_they_are_called():
    pictures = {kind: np.asarray(image) for kind, image in drawn_pictures(of_each=1, seed=0)}
    assert pictures["single pixel"].shape == (1, 1, 3)
    assert np.ptp(pictures["blank"], axis=(0, 1)).max() == 0
    assert pictures["line"].shape[0] <= 8 and pictures["line"].shape[1] >= 2_000
    assert set(np.unique(pictures["square code"])) == {0, 255}
    assert (pictures["text page"] == 255).mean() > 0.5 and (pictures["text page"] < 60).any()
