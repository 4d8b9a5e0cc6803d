"""The model as the app sees it: facts, and an answer for a picture. Nothing else here knows what runs it."""

from __future__ import annotations

import logging
import os
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields
from itertools import chain, repeat
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from PIL import Image

from src.utils.datasets import BETTER_DETECTOR, DATASETS, DEMONSTRATION
from src.utils.models.bundle.bundle import FACTS_FILE
from src.utils.models.bundle.predictor import Predictor
from src.utils.models.detectors.kept import answering_bundle
from src.utils.models.detectors.recipe import Recipe
from src.utils.models.store.bucket import ModelStore
from src.utils.models.store.model_cache import fetch_in_child
from src.utils.names import model_name, percent
from src.utils.settings import Settings, UserError

log = logging.getLogger(__name__)

NO_MODEL = "This server has no model to answer with: its log says why."

PAUSES = (1, 2, 4, 8, 16, 32, 60)
"""Seconds between attempts to load the model; the last one repeats."""


@dataclass(frozen=True)
class Prediction:
    """A model's answer for one picture.

    Attributes:
        probability_ai: 0–1.
        label: One of the two class names.
        verdict: `AI-generated`, `No sign of AI` or `Uncertain`.
        reason: Why the verdict is `Uncertain`, else empty.
        evidence: float [rows, columns], where over the whole upright picture the model found its reasons:
            above 0 for AI-generated, below 0 for human-made, in any unit. None if the model cannot say.
        probability_low, probability_high: Ends of the picture's interval, 0–1; None without calibration.
        lean: `AI`, `human` or `none`: on which side the interval lies, whatever the verdict.
    """

    probability_ai: float
    label: str
    verdict: str
    reason: str = ""
    evidence: np.ndarray | None = None
    probability_low: float | None = None
    probability_high: float | None = None
    lean: str = "none"


class Model(Protocol):
    """What the app needs of a model."""

    name: str
    facts: Mapping[str, Any]

    def predict(self, image: Image.Image) -> Prediction:
        """Answer for a decoded picture (`open_image`), which stays as it is."""
        ...


class BundleModel:
    """A bundle of this project behind the app's interface."""

    def __init__(self, predictor: Predictor):
        self._predictor = predictor
        self.name = predictor.bundle.name
        self.facts: Mapping[str, Any] = predictor.bundle.card

    @classmethod
    def load(cls, folder: Path) -> BundleModel:
        """Load a bundle and ask it once, so that its first visitor need not wait.

        Raises:
            UserError: There is no such bundle or it cannot be used.
        """
        predictor = Predictor.load(folder)
        predictor.predict_pixels(predictor.read(Image.new("RGB", (64, 64)))[None])
        return cls(predictor)

    def predict(self, image: Image.Image) -> Prediction:
        """Answer for a decoded picture."""
        probabilities, maps = self._predictor.explain(self._predictor.read(image)[None])
        row = self._predictor.row("", float(probabilities[0]), self._predictor.outside(image))
        told = {name: row[name] for name in (field.name for field in fields(Prediction)) if name in row}
        return Prediction(**told, evidence=None if maps is None else maps[0])


def model_location() -> Path | ModelStore:
    """Where the environment says that the model lies, without going there; both kinds have a `name`.

    Returns:
        A bundle's folder (MODEL_DIR), else a place in S3 (S3_BUCKET_NAME and what belongs to it), else a
        calibrated detector's or the default model's folder of the data source.

    Raises:
        UserError: The variables contradict each other, the folder holds no model, or none has been trained.
    """
    named = os.environ.get("MODEL_DIR")
    if named and not (Path(named) / FACTS_FILE).is_file():
        raise UserError(
            f"MODEL_DIR={named} holds no model ({FACTS_FILE} is missing): name a bundle's folder."
        )
    if named:
        return Path(named)
    store = ModelStore.from_env()
    if store:
        return store
    try:
        return answering_bundle(Settings.from_env())
    except UserError as error:
        raise UserError(f"{error} A server needs MODEL_DIR or S3_BUCKET_NAME.") from None


def chosen_folder() -> Path:
    """The bundle to serve, brought to this machine first if it lies in S3.

    Raises:
        UserError: As `model_location`, or the model cannot be fetched.
    """
    location = model_location()
    if isinstance(location, Path):
        return location
    folder, note = fetch_in_child(location)
    if note:
        log.warning("%s", note)
    return folder


class ModelSlot:
    """Holds the model once it is loaded; until then says so, and keeps trying.

    Attributes:
        model: None until it is ready.
        problem: What visitors are told while loading fails, else empty; the reason is in the log.
        settled: Set once loading has succeeded or failed for the first time.
        turn: Held while a picture is decoded and predicted: one at a time, so memory stays flat.
    """

    def __init__(self, load: Callable[[], Model], pauses: Sequence[float] = PAUSES):
        """Make an empty slot.

        Args:
            load: Gives the model.
            pauses: Seconds between attempts; the last one repeats.
        """
        self._load = load
        self._pauses = pauses
        self._reason = ""
        self.model: Model | None = None
        self.problem = ""
        self.settled = threading.Event()
        self.turn = threading.Lock()

    def fill_in_background(self) -> None:
        """Start loading, and return at once."""
        threading.Thread(target=self.fill, daemon=True, name="load-model").start()

    def fill(self) -> None:
        """Load the model, however many attempts that takes."""
        for pause in chain(self._pauses, repeat(self._pauses[-1])):
            self._try()
            self.settled.set()
            if self.model is not None:
                return
            time.sleep(pause)

    def _try(self) -> None:
        """Load the model, or log why that failed unless the log says so already."""
        try:
            self.model = self._load()
        except Exception as error:
            self.problem = NO_MODEL
            if repr(error) == self._reason:
                return
            self._reason = repr(error)
            if isinstance(error, UserError):
                log.error("No model yet, trying again: %s", error)
            else:
                log.exception("No model yet, trying again. The reason was not foreseen:")
        else:
            self.problem = ""
            log.info("Model %s is ready.", self.model.name)


PUBLIC_FACTS = (
    *("class_names", "input_size", "resize", "threshold", "temperature", "policy", "source"),
    *("calibrated", "track_record"),
    *("demonstration", "seed", "training", "metrics", "versions"),
    *("detector", "measured_on"),
)
"""Entries of a bundle's card that are shown to everybody."""


VERSION_DIGITS = 12

VIEW_WORDS = {
    "squash": "the whole picture scaled to a square",
    "crop": "the middle of the scaled picture",
    "native": "the middle at full resolution",
}
"""The views of a detector of others, for people."""


def public_facts(model: Model) -> dict[str, Any]:
    """What everybody may know about a model, for `GET /model` and its card.

    Returns:
        `name`, `title` (for people), `version` (the first digits of its file's SHA-256), `trained_on` and
        `reading` (sentences), `notice` (what to say first, or nothing), and `PUBLIC_FACTS` where the
        bundle has them; of a detector of others also `published_calibration` and `measured` (sentences).
    """
    facts = model.facts
    told = {
        "name": model.name,
        "title": facts.get("detector", {}).get("title") or model_name(model.name),
        "version": str(facts.get("model_sha256", ""))[:VERSION_DIGITS],
        "trained_on": describe_training(facts),
        "reading": describe_reading(facts),
        "notice": f"{DEMONSTRATION} {BETTER_DETECTOR}" if facts.get("demonstration") else "",
    }
    if "detector" in facts:
        told |= {"published_calibration": describe_published(facts), "measured": describe_measuring(facts)}
    return told | {name: facts[name] for name in PUBLIC_FACTS if name in facts}


def describe_published(facts: Mapping[str, Any]) -> str:
    """Say what a detector's published calibration is, and whether its probabilities here are that one's."""
    recipe = Recipe.of(facts["recipe"])
    use = (
        "Here its probabilities are measured instead."
        if facts["calibrated"]
        else "Uncalibrated here: its probabilities are these, until they are measured."
    )
    return (
        f"Log-odds of AI are {recipe.scale:g} × logit + {recipe.offset:g}, and a picture is called AI from "
        f"{percent(recipe.threshold)} on. {use}"
    )


def describe_measuring(facts: Mapping[str, Any]) -> str:
    """Say on what a detector of others was measured by whoever runs it."""
    if "measured_on" not in facts:
        return f"Nothing yet: make calibrate MODEL={facts['name']} measures it."
    dataset = DATASETS.get(facts["measured_on"])
    return f"Validation and unseen pictures of {dataset.full_name if dataset else facts['measured_on']}."


def describe_training(facts: Mapping[str, Any]) -> str:
    """Say what a model was trained on, in words that fit after "trained on"."""
    if "detector" in facts:
        return facts["detector"]["trained_on"]
    dataset = DATASETS.get(facts.get("source", ""))
    words = dataset.trained_on if dataset else "images of unknown origin"
    pictures = facts.get("training", {}).get("pictures")
    return f"{words} ({pictures:,} pictures)" if pictures else words


def describe_reading(facts: Mapping[str, Any]) -> str:
    """Say what happens to pictures that are not square."""
    side = facts.get("input_size", "?")
    if facts.get("resize") == "squash":
        return (
            f"Any shape will do: the whole picture is scaled to {side} × {side} pixels, as in training. "
            "Nothing is cut off."
        )
    if "recipe" in facts:
        views = " and ".join(dict.fromkeys(VIEW_WORDS[one] for one in facts["recipe"]["views"]))
        return f"Any shape will do: at {side} × {side} pixels it reads {views}."
    return f"Any shape will do: the picture is read at {side} × {side} pixels, as in training."
