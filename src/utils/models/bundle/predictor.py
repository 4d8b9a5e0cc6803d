"""One way from a picture to a probability, for evaluation, command line and web alike.

Importing this needs no TensorFlow: a runtime is chosen by the ending of the file a bundle serves when a
predictor is loaded, and is nothing but a function from pixels to the network's output.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image

from src.utils.data.machines import ModelFiles
from src.utils.data.parallel import map_ahead
from src.utils.data.pictures.decode import open_image, squash
from src.utils.models.bundle.bundle import Bundle, load_bundle, load_model
from src.utils.models.bundle.calibration import AI_GENERATED, NO_SIGN, UNCERTAIN, point_value
from src.utils.models.bundle.content_gate import picture_facts, why_outside
from src.utils.models.bundle.onnx_session import onnx_runtime
from src.utils.models.detectors.recipe import Recipe
from src.utils.models.detectors.runtime import DetectorRuntime
from src.utils.models.encoder.runtime import EncoderRuntime
from src.utils.models.networks.forward import BATCH_SIZE, Runtime, cached_logits, trace_model
from src.utils.names import percent
from src.utils.settings import UserError

if TYPE_CHECKING:
    from src.utils.data.pictures.pixel_cache import PixelCache

COLUMNS = (
    *("file", "label", "probability_ai", "probability_low", "probability_high"),
    *("confidence", "verdict", "lean", "reason", "error"),
)
UNCALIBRATED = "uncalibrated: what this model says was not measured on pictures that it never met"
"""Why a model without calibration gives no verdict."""

UNCALIBRATED_HERE = (
    "uncalibrated here: the probability is the one its authors published, not measured on this dataset"
)
"""The same of a detector of others."""

Source = str | Path | bytes | Image.Image
"""A picture's file, its bytes, or the RGB picture that `open_image` makes of them."""


def load_exported(bundle: Bundle) -> Runtime:
    """Load the network that a Keras model was exported to, or a detector of others.

    Raises:
        UserError: The file is missing, damaged, or not the network that bundle.json describes.
    """
    path = bundle.check_served_files()
    try:
        if bundle.resize == VIEWS:
            return DetectorRuntime(path, Recipe.of(bundle.facts["recipe"]))
        return onnx_runtime(path, bundle.input_size)
    except ValueError as error:
        again = f"delete {path.parent}" if bundle.resize == VIEWS else "train again with `make reproduce`"
        raise UserError(f"{path} cannot be used ({error}): {again}.") from error


RUNTIMES: dict[str, Callable[[Bundle], Runtime]] = {
    ".onnx": load_exported,
    ".npz": lambda bundle: EncoderRuntime.load(bundle.check_served_files()),
    ".keras": lambda bundle: trace_model(load_model(bundle)),
}
"""How to load a network, by the ending of its file; Keras is for networks that cannot be exported."""

VIEWS = "views"
"""`resize` of a detector of others, which reads as its `recipe` says."""

READERS: dict[str, Callable[[Image.Image, Bundle], np.ndarray]] = {
    "squash": lambda image, bundle: squash(image, bundle.input_size),
    VIEWS: lambda image, bundle: Recipe.of(bundle.facts["recipe"]).read(image),
}
"""How an RGB picture becomes the network's pixels by the bundle's `resize`: uint8 [size, size, 3], or of a
detector of others [views, size, size, 3]."""


def probability_of_ai(logits: np.ndarray, temperature: float = 1.0) -> np.ndarray:
    """Softmax probability of class 1.

    Args:
        logits: float [n, 2].
        temperature: Divides the logits; above 1 it makes the model less sure.

    Returns:
        float64 [n], 0–1.
    """
    difference = np.diff(logits.astype(np.float64), axis=1)[:, 0] / temperature
    return np.exp(-np.logaddexp(0, -difference))


@dataclass(frozen=True)
class Predictor:
    """A bundle ready to be asked.

    Attributes:
        bundle: What the model is and how its output is read.
        runtime: The network.
    """

    bundle: Bundle
    runtime: Runtime

    @classmethod
    def load(cls, folder: Path) -> Predictor:
        """Load a bundle's network.

        Raises:
            UserError: The bundle is missing, damaged, or of a kind this code does not know.
        """
        bundle = load_bundle(folder)
        for entry, known, value in (
            ("resize", READERS, bundle.resize),
            ("output", ("logits",), bundle.output),
            ("served_file", RUNTIMES, bundle.served_path.suffix),
        ):
            if value not in known:
                raise UserError(
                    f"{folder} has {entry} {value!r}, which this version does not know: update it."
                )
        return cls.of(bundle)

    @classmethod
    def of(cls, bundle: Bundle) -> Predictor:
        """Load the network of a bundle that is known already.

        Raises:
            UserError: A file that it serves is missing or damaged.
        """
        return cls(bundle, RUNTIMES[bundle.served_path.suffix](bundle))

    def __reduce__(self):
        return _load_again, (self.bundle, ModelFiles(self.bundle.folder, tuple(self.bundle.served_files)))

    def uncalibrated(self) -> Predictor:
        """The same model as it was trained, or published: temperature 1, no interval and no verdict."""
        return replace(self, bundle=replace(self.bundle, calibration=None))

    def read(self, source: Source) -> np.ndarray:
        """Read a picture as the network gets it.

        Args:
            source: A file, its bytes, or the picture already decoded, which is not changed.

        Returns:
            uint8 [size, size, 3], 0–255; of a detector of others [views, size, size, 3].

        Raises:
            ImageError: The picture cannot be read.
        """
        return READERS[self.bundle.resize](_opened(source), self.bundle)

    def outside(self, image: Image.Image) -> str:
        """Why a picture is unlike what the model learned on, for `row`; empty if it is not, or not known.

        Args:
            image: RGB picture, as decoded.
        """
        limits = self.bundle.calibration and self.bundle.calibration.gate_limits
        return why_outside(picture_facts(image), limits) if limits else ""

    def read_all(self, raw_dir: Path, file_names: Iterable[str]) -> np.ndarray:
        """Read a few pictures: uint8 [n, size, size, 3].

        Args:
            raw_dir: What the names are relative to.
            file_names: As in the manifest; may be none.

        Raises:
            ImageError: A picture cannot be read.
        """
        size = self.bundle.input_size
        pixels = [self.read(raw_dir / name) for name in file_names]
        return np.stack(pixels) if pixels else np.empty((0, size, size, 3), np.uint8)

    def predict_pixels(self, pixels: np.ndarray) -> np.ndarray:
        """Probability that each picture is AI-generated, by the temperature alone; `row` says what it means.

        Args:
            pixels: uint8 [n, size, size, 3], as `read` gives them.

        Returns:
            float64 [n], 0–1.
        """
        parts = [
            self.runtime(pixels[start : start + BATCH_SIZE]) for start in range(0, len(pixels), BATCH_SIZE)
        ]
        return probability_of_ai(np.concatenate(parts), self.bundle.temperature)

    def explain(self, pixels: np.ndarray) -> tuple[np.ndarray, np.ndarray | None]:
        """Probabilities, and where in each picture the network found its reasons, if it says so by itself.

        Args:
            pixels: uint8 [n, size, size, 3], as `read` gives them.

        Returns:
            float64 [n], 0–1; and float32 [n, rows, columns] over the whole picture, above 0 for AI, below for
            human, or None.
        """
        if not hasattr(self.runtime, "explain"):
            return self.predict_pixels(pixels), None
        logits, maps = self.runtime.explain(pixels)
        return probability_of_ai(logits, self.bundle.temperature), maps

    def predict_cached(self, cache: PixelCache, rows: np.ndarray, progress: bool = False) -> np.ndarray:
        """Probability for rows of a pixel cache: float64 [n], whatever n in the memory of a few batches."""
        return probability_of_ai(cached_logits(self.runtime, cache, rows, progress), self.bundle.temperature)

    def predict_files(
        self, sources: Iterable[Any], load: Callable[[Any], Source] = lambda source: source
    ) -> Iterator[dict[str, Any]]:
        """Predict any number of pictures in constant memory.

        Threads read ahead while the network works on the batch before.

        Args:
            sources: Paths, or whatever `load` understands; taken only as needed.
            load: Turns a source into a path or bytes; called in a thread, may raise UserError.

        Yields:
            One row per source, in order: `COLUMNS`, with None in place of the prediction where `error` is
            not empty.
        """

        def read(source: Any) -> tuple[str, tuple[np.ndarray, str] | str]:
            try:
                image = _opened(load(source))
                return str(source), (self.read(image), self.outside(image))
            except (UserError, OSError) as error:
                return str(source), str(error)

        pictures = map_ahead(read, sources, ahead=2 * BATCH_SIZE)
        while batch := list(islice(pictures, BATCH_SIZE)):
            pixels = [result[0] for _, result in batch if not isinstance(result, str)]
            probabilities = iter(self.predict_pixels(np.stack(pixels)) if pixels else ())
            for name, result in batch:
                yield (
                    self.failed(name, result)
                    if isinstance(result, str)
                    else self.row(name, next(probabilities), result[1])
                )

    def row(self, name: str, probability: float, outside: str = "") -> dict[str, Any]:
        """Put an answer in the words of the contract (`COLUMNS`).

        Args:
            name: The picture's.
            probability: As `predict_pixels` gives it.
            outside: Why the picture is unlike what the model learned, which makes the verdict `Uncertain`;
                empty if it is not.
        """
        low, high = self.interval(probability)
        point = probability if low is None or high is None else float(point_value(low, high))
        verdict, lean, reason = self._judge(low, high, outside)
        return {
            "file": name,
            "label": self.bundle.class_names[int(point >= self.bundle.threshold)],
            "probability_ai": round(float(point), 6),
            "probability_low": None if low is None else round(low, 6),
            "probability_high": None if high is None else round(high, 6),
            "confidence": round(100 * float(max(point, 1 - point)), 4),
            "verdict": verdict,
            "lean": lean,
            "reason": reason,
            "error": "",
        }

    def interval(self, probability: float) -> tuple[float, float] | tuple[None, None]:
        """Ends of a picture's Venn-Abers interval, 0–1; None twice for a model without calibration.

        Args:
            probability: As `predict_pixels` gives it.
        """
        if self.bundle.calibration is None:
            return None, None
        with np.errstate(divide="ignore"):
            log_odds = self.bundle.temperature * (np.log(probability) - np.log1p(-probability))
        low, high = self.bundle.calibration.venn_abers.interval([log_odds])
        return float(low[0]), float(high[0])

    def _judge(self, low: float | None, high: float | None, outside: str) -> tuple[str, str, str]:
        """Verdict, lean, and why the verdict is `Uncertain`."""
        if low is None or high is None:
            return UNCERTAIN, "none", UNCALIBRATED_HERE if self.bundle.resize == VIEWS else UNCALIBRATED
        if outside:
            return UNCERTAIN, "none", outside
        policy, middle = self.bundle.policy, self.bundle.threshold
        reach = f"its interval, {percent(low)} to {percent(high)}, reaches"
        if low < middle < high:
            return UNCERTAIN, "none", f"{reach} across {percent(middle)}"
        if low >= middle:
            if policy.ai_from is None:
                return UNCERTAIN, "AI", _clause(policy.why_no_ai)
            if low < policy.ai_from:
                return UNCERTAIN, "AI", f"{reach} below {percent(policy.ai_from)}"
            return AI_GENERATED, "AI", ""
        if policy.clear_up_to is None:
            return UNCERTAIN, "human", _clause(policy.why_no_clear)
        if high > policy.clear_up_to:
            return UNCERTAIN, "human", f"{reach} above {percent(policy.clear_up_to)}"
        return NO_SIGN, "human", ""

    @staticmethod
    def failed(name: str, error: str) -> dict[str, Any]:
        """The row of a picture that could not be read."""
        return dict.fromkeys(COLUMNS) | {"file": name, "error": error}


def _load_again(bundle: Bundle, folder: Path) -> Predictor:
    """The predictor on another machine, from the folder that its served files came to lie in there."""
    return Predictor.of(replace(bundle, folder=folder))


def _clause(sentence: str) -> str:
    """A sentence as a reason: it goes on after a colon, and has no full stop."""
    return f"{sentence[:1].lower()}{sentence[1:].removesuffix('.')}"


def _opened(source: Source) -> Image.Image:
    """The RGB picture itself."""
    return source if isinstance(source, Image.Image) else open_image(source)
