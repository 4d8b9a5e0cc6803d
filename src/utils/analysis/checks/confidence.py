"""What is chosen for every model on validation, what it does on the test, and where it is kept."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from src.utils.analysis.checks.unseen import source_of
from src.utils.analysis.scoring.parts import Part
from src.utils.analysis.scoring.results import card_metrics
from src.utils.analysis.scoring.scores import at_temperature
from src.utils.analysis.stats.calibration import (
    CalibrationChoice,
    Scored,
    calibration_scores,
    called_sweep,
    choose_calibration,
    fit_temperature,
    measure_calibration,
    operating_point,
    reliability_table,
)
from src.utils.estimate import Estimate
from src.utils.models.bundle.calibration import write_calibration
from src.utils.models.bundle.predictor import Predictor
from src.utils.names import model_name
from src.utils.settings import Settings

MEASURED_BEFORE = ("05", "09")
"""Notebooks whose metrics belong on a model's card."""

LogOdds = Mapping[str, NDArray[np.float64]]
"""By model, log-odds of AI of all pictures at temperature 1, float64 [all] each."""

Choices = Mapping[str, CalibrationChoice]


def choose_all(
    log_odds: LogOdds, validation: Part, left_out: Mapping[str, Scored] | None = None
) -> dict[str, CalibrationChoice]:
    """Choose temperature, intervals and threshold of every model.

    Args:
        log_odds: By model, of all pictures, [all].
        validation: Where the temperature is fitted, and whatever else a model has no better pictures for.
        left_out: By model, pictures scored by heads that had not met their sources.
    """
    return {
        name: choose_calibration(
            (left_out or {}).get(name) or _validation_scores(odds, validation),
            fit_temperature(odds[validation.rows], validation.label, validation.weight),
        )
        for name, odds in log_odds.items()
    }


def measure_all(log_odds: LogOdds, chosen: Choices, test: Part, seed: int) -> dict[str, dict[str, Any]]:
    """Measure what was chosen for every model on the test pictures, see `measure_calibration`."""
    return {
        name: measure_calibration(
            chosen[name], odds[test.rows], test.label, test.group, test.weight, seed=seed
        )
        for name, odds in log_odds.items()
    }


def reliability(
    log_odds: LogOdds, chosen: Choices, names: Sequence[str], part: Part, seed: int
) -> tuple[dict[str, dict[str, pd.DataFrame]], dict[str, dict[str, Estimate]]]:
    """What models said against what was true, `before` and `after` their temperatures.

    Args:
        log_odds: By model, of all pictures, [all].
        chosen: From `choose_all`.
        names: The models to compare.
        part: The pictures to measure on.
        seed: Seed of the bootstrap.

    Returns:
        `reliability_table` and calibration error, each by model, then by `before` and `after`.
    """
    where = (part.group, part.weight)
    tables, errors = {name: {} for name in names}, {name: {} for name in names}
    for name in names:
        for when, temperature in (("before", 1.0), ("after", chosen[name].temperature)):
            said = at_temperature(log_odds[name][part.rows], temperature)
            tables[name][when] = reliability_table(part.label, said, *where, seed=seed)
            errors[name][when] = calibration_scores(part.label, said, *where, seed=seed)["ece"]
    return tables, errors


def operating_points(
    log_odds: LogOdds, chosen: Choices, parts: Sequence[Part], seed: int
) -> dict[str, dict[str, Estimate]]:
    """What every model's threshold does on each part, by `model, part`; see `operating_point`."""
    points = {}
    for name, choice in chosen.items():
        for part in parts:
            said = choice.probability(log_odds[name][part.rows])
            points[f"{model_name(name)}, {part.name}"] = operating_point(
                part.label, said, part.group, choice.threshold_fpr5, part.weight, seed=seed
            )
    return points


def sweep_parts(
    log_odds: NDArray[np.float64], choice: CalibrationChoice, parts: Sequence[Part]
) -> dict[str, pd.DataFrame]:
    """Shares called AI at every threshold, by part, of one model; see `called_sweep`."""
    return {
        part.name: called_sweep(part.label, choice.probability(log_odds[part.rows]), part.weight)
        for part in parts
    }


def write_calibrations(
    settings: Settings,
    predictors: Mapping[str, Predictor],
    chosen: Choices,
    measured: Mapping[str, Mapping[str, Any]],
    content_gate: Mapping[str, Any] | None = None,
) -> None:
    """Write every model's `calibration.json`: what was chosen for it, and what its card says of it.

    Args:
        settings: Where models and reports are.
        predictors: The models, by name.
        chosen: From `choose_all`.
        measured: From `measure_all`.
        content_gate: From `content_gate.gate_record`: the same for every model.

    Raises:
        UserError: An earlier notebook's metrics are damaged.
    """
    cards = card_metrics(settings.reports_dir, MEASURED_BEFORE, measured)
    for name, choice in chosen.items():
        write_calibration(
            settings.models_dir / name,
            predictors[name].bundle.served_files,
            choice.venn_abers,
            choice.policy,
            choice.temperature,
            content_gate=content_gate,
            threshold_fpr5={"value": choice.threshold_fpr5, **choice.supported_by},
            metrics=cards[name],
        )


def _validation_scores(log_odds: NDArray[np.float64], validation: Part) -> Scored:
    """The validation pictures: a network trained on none of their groups, but may have met their sources."""
    source = source_of(validation.images).to_numpy(str)
    return Scored(log_odds[validation.rows], validation.label, validation.group, source, "group")
