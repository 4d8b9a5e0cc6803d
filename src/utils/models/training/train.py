"""Training a network on cached pixels: seeded, resumable, and skipped when its result is already there."""

from __future__ import annotations

import functools
import json
import re
from dataclasses import asdict, dataclass
from pathlib import Path

import pandas as pd

from src.utils.code import code_digest, module_digest
from src.utils.data.pictures.pixel_cache import PixelCache
from src.utils.data.split import group_weights
from src.utils.files import hash_bytes
from src.utils.models.bundle.bundle import (
    Bundle,
    library_versions,
    load_bundle,
    read_history,
    save_bundle,
)
from src.utils.models.training import fitting
from src.utils.models.training.feeding import split_examples
from src.utils.models.training.fitting import (
    BuildModel,
    Recipe,
    ResumeFile,
    report,
    train_model,
    weighted_score,
)
from src.utils.models.training.precision import choose_precision
from src.utils.settings import Settings, UserError

_EXPORT = "src.utils.models.bundle.export"
"""What writes the network that is served: if it changes, the bundle has to be written again."""


@dataclass(frozen=True)
class TrainedModel:
    """A bundle, the epochs behind it, and whether they ran just now."""

    bundle: Bundle
    history: pd.DataFrame
    trained: bool


def train_or_load(
    name: str,
    build: BuildModel,
    images: pd.DataFrame,
    cache: PixelCache,
    settings: Settings,
    recipe: Recipe | None = None,
    facts: dict | None = None,
    progress: bool = True,
) -> TrainedModel:
    """Train a network and save its bundle, unless the bundle there came from the very same training.

    The same means: pictures, split, weights, network, recipe, precision, versions and source code. An
    interrupted training continues after its last whole epoch. The bundle holds the weights of the best epoch
    in float32, and its validation metrics are measured on that model.

    Args:
        name: Name of the bundle.
        build: Builds the network.
        images: The readable rows of the manifest, the table `cache` was opened for.
        cache: The pixels.
        settings: Where to write, and for the default recipe, epochs and seed.
        recipe: How to train.
        facts: More entries for the bundle; changing them alone does not train again.
        progress: Whether to report.

    Returns:
        The bundle and its history.

    Raises:
        UserError: A split lacks a class.
    """
    recipe = recipe or Recipe(settings.epochs, settings.seed)
    train, validation = split_examples(images, "train"), split_examples(images, "validation")
    precision = choose_precision(settings.precision)
    data = data_fingerprint(images)
    fingerprint = _fingerprint(
        data, asdict(recipe), precision.policy, library_versions(), _architecture(build), _code(build)
    )
    folder = settings.models_dir / name
    known = _same_training(folder, fingerprint)
    if known:
        report(
            progress, f"{name} is up to date: pictures, parameters and code are those it was trained with."
        )
        return TrainedModel(known, read_history(folder), trained=False)

    report(progress, f"{name}: training in {precision.policy}, because {precision.reason}.")
    resume = ResumeFile(settings.interim_dir / "training" / f"{name}.npz", fingerprint)
    run = train_model(build, cache, train, validation, recipe, precision.policy, resume, progress)
    model = build(policy="float32")
    model.set_weights(run.best_weights)
    history = pd.DataFrame(run.history)
    origin = {
        "source": settings.source,
        "demonstration": settings.dataset.demonstration,
        "seed": recipe.seed,
        "fingerprint": fingerprint,
        "data_fingerprint": data,
        "training": asdict(recipe)
        | {"precision": precision.policy, "seconds": round(run.seconds, 1), "best_epoch": run.best_epoch}
        | {"epochs_run": len(run.history)}
        | {"pictures": len(train), "validation_pictures": len(validation)},
        "metrics": {"validation": weighted_score(model, cache, validation)},
    }
    bundle = save_bundle(folder, model, {**origin, **(facts or {})}, history)
    resume.remove()
    return TrainedModel(bundle, history, trained=True)


def data_fingerprint(images: pd.DataFrame) -> str:
    """Key of what is learnt from: content, label, split and weight of training and validation pictures."""
    facts = images[["content", "label", "split"]].assign(weight=group_weights(images))
    used = facts[facts["split"].isin(["train", "validation"])]
    return hash_bytes(used.to_csv(index=False).encode())


def _architecture(build: BuildModel) -> str:
    """The network as text, without the numbers Keras gives to layers in the order they are made."""
    return re.sub(r"_\d+\b", "", build(policy="float32").to_json())


def _code(build: BuildModel) -> str:
    """Digest of the code that trains, and of what builds the network."""
    while isinstance(build, functools.partial):
        build = build.func
    return code_digest(fitting.__name__, build.__module__) + module_digest(_EXPORT)


def _fingerprint(*parts: object) -> str:
    return hash_bytes(json.dumps(parts, sort_keys=True).encode())


def _same_training(folder: Path, fingerprint: str) -> Bundle | None:
    """The bundle there, if it came from this very training and is intact: the network and what is served."""
    try:
        bundle = load_bundle(folder)
        bundle.check_model_file()
        bundle.check_served_files()
    except UserError:
        return None
    return bundle if bundle.facts.get("fingerprint") == fingerprint else None
