"""What was measured of a finished model and chosen for it: `calibration.json` beside `bundle.json`.

A bundle is written once, by whoever trains it. How its scores are to be read, what it may say and the metrics
on pictures that trained nothing come later and live here; notebook 10 alone writes them. The file names the
SHA-256 of the model's files and counts for these files only. Reading it needs NumPy alone.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from src.utils.files import read_json, write_json
from src.utils.settings import UserError

SCHEMA = 2
CALIBRATION_FILE = "calibration.json"

AI_GENERATED, NO_SIGN, UNCERTAIN = "AI-generated", "No sign of AI", "Uncertain"
"""The verdicts. None is proof, and none says that a person made a picture."""

DECIMALS, SUREST = 2, 30.0
"""Log-odds are compared after rounding to so many decimals, within ± `SUREST`: a rule that no picture has a
say in, which keeps the table short however many pictures it rests on."""


@dataclass(frozen=True, eq=False)
class VennAbers:
    """What a score means: an interval of probabilities (Vovk and Petej 2014, arXiv 1211.0025).

    The two ends are what isotonic regression on the calibration pictures says of a picture when it joins them
    as human-made (`low`) and as AI-generated (`high`). Few pictures near a score give a wide interval.

    Attributes:
        score: Scores of the calibration pictures, log-odds of AI at temperature 1, float64 [k], ascending.
        low: Lower end at each score, float64 [k], 0–1, ascending.
        high: Upper end at each score, float64 [k], 0–1, ascending, above `low`.
        groups: Groups of calibration pictures with each class: `human`, `ai`.
        left_out: What each calibration picture's scorer had never met: its `source`, or only its `group`.
    """

    score: NDArray[np.float64]
    low: NDArray[np.float64]
    high: NDArray[np.float64]
    groups: Mapping[str, int]
    left_out: str

    def __post_init__(self) -> None:
        """Raise ValueError unless the table has the order that isotonic regression gives it."""
        sizes = {np.shape(one) for one in (self.score, self.low, self.high)}
        if len(sizes) != 1 or self.score.ndim != 1 or not self.score.size:
            raise ValueError("columns of different lengths")
        inside = self.low[0] >= 0 and self.high[-1] <= 1 and np.all(self.low <= self.high)
        rising = all(np.all(np.diff(one) >= 0) for one in (self.low, self.high))
        if not (inside and rising and np.all(np.diff(self.score) > 0)):
            raise ValueError("a table out of order")

    def interval(self, log_odds: ArrayLike) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Ends of the intervals of any scores.

        A picture between two scores joins the upper one as AI-generated and the lower one as human-made.

        Args:
            log_odds: Log-odds of AI at temperature 1, float [n].

        Returns:
            Low and high, float64 [n] each, 0–1.
        """
        score = comparable(log_odds)
        low = np.append(0.0, self.low)[np.searchsorted(self.score, score, "right")]
        return low, np.append(self.high, 1.0)[np.searchsorted(self.score, score, "left")]


@dataclass(frozen=True)
class Policy:
    """When a verdict may be given.

    Attributes:
        ai_from: *AI-generated* is said of a picture whose whole interval lies from here on; None for never.
        clear_up_to: *No sign of AI* is said of one whose whole interval lies up to here; None for never.
        why_no_ai: A sentence that says why *AI-generated* is never said, else empty.
        why_no_clear: The same of *No sign of AI*.
        evidence: What the two rest on, in numbers.
    """

    ai_from: float | None = None
    clear_up_to: float | None = None
    why_no_ai: str = ""
    why_no_clear: str = ""
    evidence: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Raise ValueError unless no verdict can contradict the label."""
        low, high = self.band
        if not 0 <= low <= 0.5 <= high <= 1:
            raise ValueError(f"verdicts up to {low} and from {high}")

    @property
    def band(self) -> tuple[float, float]:
        """Between these two probabilities no verdict is ever given."""
        clear, ai = self.clear_up_to, self.ai_from
        return 0.0 if clear is None else clear, 1.0 if ai is None else ai


@dataclass(frozen=True)
class Calibration:
    """How a model's output is to be read.

    Attributes:
        temperature: What logits are divided by before the softmax.
        threshold: Probability of class 1 from which on a picture is called class 1.
        venn_abers: What its scores mean.
        policy: When it gives a verdict.
        facts: The whole of calibration.json: also `track_record`, `content_gate`, `metrics` by split.
    """

    temperature: float
    threshold: float
    venn_abers: VennAbers
    policy: Policy
    facts: Mapping[str, Any] = field(default_factory=dict)

    @property
    def gate_limits(self) -> Mapping[str, float]:
        """Limits of the content gate (see `content_gate`); none where none were chosen."""
        return (self.facts.get("content_gate") or {}).get("limits", {})

    @property
    def track_record(self) -> list[str]:
        """Sentences on how it did with sources that it had not met; none where there were none."""
        return list((self.facts.get("track_record") or {}).get("sentences", ()))


def comparable(log_odds: ArrayLike) -> NDArray[np.float64]:
    """Log-odds as they are compared with each other; see `DECIMALS`."""
    return np.clip(np.round(np.asarray(log_odds, np.float64), DECIMALS), -SUREST, SUREST)


def point_value(low: ArrayLike, high: ArrayLike) -> NDArray[np.float64]:
    """The one probability that stands for an interval: of all, the one with the least regret in log loss.

    Args:
        low: Lower ends, [n], 0–1.
        high: Upper ends, [n], 0–1.

    Returns:
        high / (1 − low + high), float64 [n], within the interval (Vovk and Petej 2014, section 4).
    """
    low, high = np.asarray(low, np.float64), np.asarray(high, np.float64)
    return high / (1 - low + high)


def write_calibration(
    folder: Path,
    model_files: Mapping[str, str],
    venn_abers: VennAbers,
    policy: Policy,
    temperature: float = 1.0,
    threshold: float = 0.5,
    content_gate: Mapping[str, Any] | None = None,
    track_record: Mapping[str, Any] | None = None,
    **facts: Any,
) -> None:
    """Write what was chosen and measured for the model in a folder; what was there is replaced.

    Args:
        folder: The bundle.
        model_files: File name → SHA-256, as `Bundle.served_files`.
        venn_abers: What its scores mean.
        policy: When it gives a verdict.
        temperature: Divides the logits; above 0.
        threshold: Probability, 0–1.
        content_gate: Which pictures are unlike what the model learned; None where that is not known.
        track_record: `missed`, `accused` and `sentences`; None where no source was unseen.
        **facts: More entries, such as `metrics`.
    """
    table = asdict(venn_abers)
    record = {
        "schema": SCHEMA,
        "model_files": dict(model_files),
        "temperature": float(temperature),
        "threshold": float(threshold),
        "venn_abers": table | {name: table[name].tolist() for name in ("score", "low", "high")},
        "policy": asdict(policy),
        "content_gate": content_gate,
        "track_record": track_record,
        **facts,
    }
    write_json(folder / CALIBRATION_FILE, record)


def read_calibration(folder: Path, model_files: Mapping[str, str]) -> Calibration | None:
    """Read what was measured of exactly this model.

    Args:
        folder: The bundle.
        model_files: File name → SHA-256, as `Bundle.served_files`.

    Returns:
        None where nothing was measured, or what was measured belongs to another model or (with a warning) was
        written by another version.

    Raises:
        UserError: The file is damaged.
    """
    path = folder / CALIBRATION_FILE
    if not path.is_file():
        return None
    try:
        facts = read_json(path)
        if facts["schema"] != SCHEMA:
            said = (
                f"{path} was written by another version (schema {facts['schema']}, this one reads {SCHEMA})"
            )
            warnings.warn(f"{said}: run notebook 10 again with `make reproduce`.", stacklevel=3)
            return None
        if dict(facts["model_files"]) != dict(model_files):
            return None
        if not float(facts["temperature"]) > 0:
            raise ValueError("a value out of range")
        table = facts["venn_abers"]
        columns = {name: np.array(table[name], np.float64) for name in ("score", "low", "high")}
        return Calibration(
            temperature=float(facts["temperature"]),
            threshold=float(facts["threshold"]),
            venn_abers=VennAbers(**columns, groups=dict(table["groups"]), left_out=str(table["left_out"])),
            policy=Policy(**facts["policy"]),
            facts=facts,
        )
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise UserError(
            f"{path} is damaged ({error!r}): delete it and run notebook 10 again with `make reproduce`."
        ) from error
