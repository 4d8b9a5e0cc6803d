"""The improved model: the designs it is chosen from, and how the chosen one is fitted and kept."""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pandas as pd
from sklearn.model_selection import StratifiedGroupKFold

from src.utils.data.split import group_weights
from src.utils.files import link_or_copy
from src.utils.models.bundle.bundle import Bundle, save_bundle
from src.utils.models.encoder.features import read_size
from src.utils.models.encoder.heads import FOLDS, balance, calibrate, fit_head, take
from src.utils.models.encoder.runtime import (
    BLOCKS,
    CLASS_BLOCKS,
    EMBEDDING,
    ENCODER_FILE,
    HEAD_FILE,
    PATCH_BLOCK,
    Encoder,
    Features,
    Head,
)
from src.utils.models.encoder.selection import Candidate, combined_candidate, head_candidate
from src.utils.models.training.validation import validation_metrics
from src.utils.settings import Settings


@dataclass(frozen=True)
class Design:
    """A head that was considered.

    Attributes:
        name: Short name.
        part: What it adds or leaves out, for people.
        blocks: What the head reads.
        fit_views: Keys of `encoders.VIEWS` that it is fitted on.
        crops: Whether a random crop's answer is averaged with the whole picture's.
    """

    name: str
    part: str
    blocks: tuple[str, ...]
    fit_views: tuple[str, ...] = ("whole",)
    crops: bool = False

    @property
    def eligible(self) -> bool:
        """Whether it can be kept: it needs one encoding a picture."""
        return not self.crops


_DAMAGED = ("whole", "damaged")
_LAYERS = (*CLASS_BLOCKS, PATCH_BLOCK)

PROBE = Design("embedding", "plain linear probe (UnivFD): the final embedding", (EMBEDDING,))
"""`linear_probe` in the metrics."""

DESIGNS = (
    PROBE,
    Design(
        "embedding, damaged", "the final embedding, also fitted on damaged copies", (EMBEDDING,), _DAMAGED
    ),
    Design("patches", "mean patch token of layer 8 alone", (PATCH_BLOCK,), _DAMAGED),
    Design("layers", "class tokens of layers 8 to 12, a regression each, averaged", CLASS_BLOCKS, _DAMAGED),
    Design("layers + patches, clean", "layers and patches, fitted without damaged copies", _LAYERS),
    Design("layers + patches", "layers and patches", _LAYERS, _DAMAGED),
    Design("all blocks, clean", "layers, patches and embedding, fitted without damaged copies", BLOCKS),
    Design("all blocks", "layers, patches and embedding", BLOCKS, _DAMAGED),
    Design(
        "all blocks, crops in training",
        "all blocks, also fitted on a crop at native resolution",
        BLOCKS,
        (*_DAMAGED, "crop"),
    ),
    Design(
        "all blocks, crops at prediction",
        "whole picture and an undamaged native crop, averaged",
        BLOCKS,
        _DAMAGED,
        True,
    ),
)
"""Heads on the encoder in the order of their complexity: fewer blocks first, then fewer views of a picture.

Of designs that are as good as each other the first is kept. Layers are counted in twelfths of the depth.
"""


def design_candidates(
    images: pd.DataFrame, views: Mapping[str, Features], designs: Sequence[Design] = DESIGNS
) -> list[Candidate]:
    """Make designs ready for cross-validation; what is left out arrives as it is, and damaged.

    A head is the mean of its blocks' heads, so each block is fitted once for all designs that read it.

    Args:
        images: Rows of the manifest, as many as every view has.
        views: Features by name: `whole`, `damaged`, `crop`.
        designs: The designs.
    """
    label, weight = images["label"].to_numpy(int), group_weights(images)

    @functools.cache
    def block_odds(fit: bytes, score: bytes, fit_views: tuple[str, ...], block: str) -> dict[str, np.ndarray]:
        """Log-odds of the rows to score in every view, from a head on one block."""
        rows, scored = np.frombuffer(fit, np.intp), np.frombuffer(score, np.intp)
        parts = [{block: views[name][block][rows]} for name in fit_views]
        head = fit_head(parts, label[rows], weight[rows], (block,))
        return {name: head.log_odds({block: view[block][scored]}) for name, view in views.items()}

    def make(design: Design) -> Candidate:
        def fit_and_score(fit: np.ndarray, score: np.ndarray) -> np.ndarray:
            keys = fit.astype(np.intp).tobytes(), score.astype(np.intp).tobytes(), design.fit_views
            odds = [block_odds(*keys, block) for block in design.blocks]
            shown = (
                [("whole",), ("damaged",)] if not design.crops else [("whole", "crop"), ("damaged", "crop")]
            )
            return np.array(
                [np.mean([one[view] for one in odds for view in names], axis=0) for names in shown]
            )

        return Candidate(design.name, design.part, fit_and_score, design.eligible)

    return [make(design) for design in designs]


def other_candidates(
    images: pd.DataFrame, grain: Sequence[np.ndarray], lite0: Sequence[np.ndarray], partner: Candidate
) -> list[Candidate]:
    """Detectors of another kind, alone and averaged with a head on the encoder.

    Args:
        images: Rows of the manifest.
        grain: `encoders.grain_features` of the pictures as they are, and damaged.
        lite0: `encoders.lite0_features` likewise.
        partner: What they are averaged with.
    """
    kinds = {
        "grain": ("residual, spectrum and neighbouring pixels", grain),
        "EfficientNet-Lite0": ("ImageNet features, frozen", lite0),
    }
    candidates = []
    for name, (part, numbers) in kinds.items():
        views = [{name: one} for one in numbers]
        alone = head_candidate(name, part, images, views, [[view] for view in views], (name,))
        both = combined_candidate(f"{partner.name} + {name}", "the two averaged", [partner, alone])
        candidates += [alone, both]
    return candidates


def twin_candidates(
    images: pd.DataFrame, views: Mapping[str, Features], resampled: Features
) -> list[Candidate]:
    """Aligned pairs without a generator: every photograph once more, halved and scaled up again.

    As further AI-generated examples they differ from their photographs in an up-scaler's traces and nothing
    else; as further human-made ones they say that such traces alone prove nothing.

    Args:
        images: Rows of the manifest, as many as every view has.
        views: Features by name: `whole`, `damaged`.
        resampled: Features of the human-made pictures' twins, in their order.
    """
    label, weight = images["label"].to_numpy(int), group_weights(images)
    twin_row = np.cumsum(label == 0) - 1

    def make(called: str, twin_label: int) -> Candidate:
        def fit_and_score(fit: np.ndarray, score: np.ndarray) -> np.ndarray:
            human = fit[label[fit] == 0]
            pictures, twins = take(views["whole"], fit), take(resampled, twin_row[human])
            both = {block: np.concatenate([pictures[block], twins[block]]) for block in BLOCKS}
            labels = np.concatenate([label[fit], np.full(len(human), twin_label)])
            head = fit_head([both], labels, np.concatenate([weight[fit], weight[human]]), BLOCKS)
            return np.array([head.log_odds(take(views[name], score)) for name in ("whole", "damaged")])

        part = f"all blocks, and resampled twins of the photographs as {called}"
        return Candidate(f"resampled twins as {called}", part, fit_and_score)

    return [make("AI", 1), make("human", 0)]


def all_candidates(
    images: pd.DataFrame,
    views: Mapping[str, Features],
    resampled: Features,
    grain: Sequence[np.ndarray],
    lite0: Sequence[np.ndarray],
    partner: str,
) -> list[Candidate]:
    """Every detector that is compared: the designs, those with resampled twins, and those of another kind.

    Args:
        images: Rows of the manifest, as many as every view has.
        views: Features by name: `whole`, `damaged`, `crop`.
        resampled: Features of the human-made pictures' twins, in their order.
        grain: `features.grain_features` of the pictures as they are, and damaged.
        lite0: `features.lite0_features` likewise.
        partner: Name of the design that detectors of another kind are averaged with.
    """
    designs = design_candidates(images, views)
    together = next(one for one in designs if one.name == partner)
    others = other_candidates(images, grain, lite0, together)
    return designs + twin_candidates(images, views, resampled) + others


@dataclass(frozen=True)
class EncoderModel:
    """An encoder and a head, saved the way a Keras model is: `save_bundle` needs no more than this.

    Attributes:
        encoder: The encoder; its file goes into the bundle, linked where the disk can, else copied.
        head: The head.
    """

    encoder: Encoder
    head: Head
    file_name: ClassVar[str] = HEAD_FILE

    @property
    def input_shape(self) -> tuple[int | None, ...]:
        """What a predictor reads: [n, side, side, 3]."""
        side = read_size(self.encoder.layout.size)
        return (None, side, side, 3)

    def save(self, path: Path) -> None:
        """Write the head to `path` and put the encoder beside it."""
        self.head.save(path)
        link_or_copy(self.encoder.path, path.with_name(ENCODER_FILE))


def fit_design(
    design: Design, encoder: Encoder, images: pd.DataFrame, views: Mapping[str, Features], seed: int
) -> Head:
    """Fit and calibrate a design on the training split alone; validation stays for the temperature.

    Args:
        design: The design.
        encoder: The encoder behind the features.
        images: Rows of the manifest, as many as every view has.
        views: Features by name.
        seed: Seed of the folds that calibrate.
    """
    rows = np.flatnonzero(images["split"] == "train")
    return _fit_rows(design, rows, images, views, seed, encoder.sha256)


def out_of_fold(
    design: Design, images: pd.DataFrame, views: Mapping[str, Features], seed: int = 0
) -> np.ndarray:
    """Score every picture by a head that was fitted and calibrated without its group.

    The head weighs both classes the same in each fold, so that answers of different folds can be ranked
    together.

    Args:
        design: The design.
        images: Rows of the manifest, as many as every view has; each class has `heads.FOLDS` groups.
        views: Features by name.
        seed: Seed of the folds.

    Returns:
        Probability of AI, float64 [n].
    """
    label, group = images["label"].to_numpy(int), images["group"].to_numpy()
    probability = np.empty(len(label))
    for fit, score in StratifiedGroupKFold(FOLDS, shuffle=True, random_state=seed).split(label, label, group):
        head = _fit_rows(design, fit, images, views, seed)
        probability[score] = head_probability(head, take(views["whole"], score))
    return probability


def _fit_rows(
    design: Design,
    rows: np.ndarray,
    images: pd.DataFrame,
    views: Mapping[str, Features],
    seed: int,
    encoder_sha256: str = "",
) -> Head:
    """Fit and calibrate a design on some rows."""
    label, group = images["label"].to_numpy(int)[rows], images["group"].to_numpy()[rows]
    weight = group_weights(images)[rows]
    parts = [take(views[name], rows) for name in design.fit_views]
    head = fit_head(parts, label, weight, design.blocks, encoder_sha256)
    return calibrate(head, parts, label, group, weight, seed)


def design_named(name: str) -> Design:
    """The design of that name, one of `DESIGNS`."""
    return next(one for one in DESIGNS if one.name == name)


def fit_heads(
    chosen: str, encoder: Encoder, images: pd.DataFrame, views: Mapping[str, Features], seed: int
) -> dict[str, Head]:
    """Fit the chosen design, `best`, and the plain probe beside it, `linear_probe`; see `fit_design`."""
    designs = {"linear_probe": PROBE, "best": design_named(chosen)}
    return {name: fit_design(design, encoder, images, views, seed) for name, design in designs.items()}


def save_best(
    settings: Settings,
    encoder: Encoder,
    head: Head,
    images: pd.DataFrame,
    whole: Features,
    facts: Mapping[str, Any],
) -> Bundle:
    """Save the head as `models/<source>/best` with its validation loss.

    Args:
        settings: Says where.
        encoder: The encoder.
        head: From `fit_design`.
        images: Rows of the manifest, as many as `whole` has.
        whole: Features of the whole pictures, for the validation metrics.
        facts: More entries of bundle.json.
    """
    training = images["split"].value_counts()
    record = {
        "source": settings.source,
        "demonstration": settings.dataset.demonstration,
        "seed": settings.seed,
        **encoder.layout.record,
        "encoder_sha256": encoder.sha256,
        "blocks": list(head.weights),
        "crops": head.crops,
        "training": {
            "pictures": int(training.get("train", 0)),
            "validation_pictures": int(training.get("validation", 0)),
        },
        "metrics": {"validation": validation_score(head, images, whole)},
    }
    return save_bundle(settings.models_dir / "best", EncoderModel(encoder, head), {**record, **facts})


def validation_score(head: Head, images: pd.DataFrame, whole: Features) -> dict[str, float]:
    """`validation_metrics` of a head, both classes with the same weight."""
    rows = np.flatnonzero(images["split"] == "validation")
    label = images["label"].to_numpy(int)[rows]
    weight = balance(label, group_weights(images)[rows])
    return validation_metrics(label, head.log_odds(take(whole, rows)), weight)


def head_probability(head: Head, whole: Features) -> np.ndarray:
    """Probability of AI of pictures whose features are at hand: what a predictor would say, float64 [n]."""
    odds = head.log_odds(whole).astype(np.float64)
    return np.exp(-np.logaddexp(0, -odds))
