"""What is chosen for every model on pictures it had not met, what it does elsewhere, and where it is kept."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

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
    left_out_intervals,
    measure_calibration,
    operating_point,
    reliability_table,
)
from src.utils.analysis.stats.policy import (
    NO_VERDICT,
    Tried,
    coverage_table,
    policy_with_evidence,
    track_record,
    verdict_table,
)
from src.utils.analysis.stats.venn_abers import equal_groups
from src.utils.data.families import source_names
from src.utils.estimate import Estimate
from src.utils.models.bundle.bundle import Bundle
from src.utils.models.bundle.calibration import write_calibration
from src.utils.models.bundle.predictor import Predictor
from src.utils.models.encoder.best import DESIGNS, Design
from src.utils.models.encoder.features import encode_pictures
from src.utils.models.encoder.left_out import left_out_scores
from src.utils.models.encoder.runtime import WHOLE, EncoderRuntime
from src.utils.models.encoder.selection import limit_groups, selection_rows
from src.utils.names import model_name
from src.utils.settings import Settings

AS_THEY_ARE = "as they are"
"""The way of delivery that changes nothing."""

MOST_GROUPS = 4000

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


def left_out_all(
    settings: Settings,
    predictors: Mapping[str, Predictor],
    images: pd.DataFrame,
    most_groups: int = MOST_GROUPS,
    progress: bool = True,
) -> dict[str, Scored]:
    """Score training and validation pictures by heads that had not met their sources.

    Only a head on a frozen encoder is fitted again in seconds; a network is not trained anew for this.

    Args:
        settings: Where pictures and features are, and the seed.
        predictors: The models, by name.
        images: Readable rows of the manifest.
        most_groups: As in notebook 09, which chose the head's design on as many.
        progress: Whether to show progress bars.

    Returns:
        By the name of each model that has such a head; see `left_out_scores`.
    """
    seen = limit_groups(images, most_groups, settings.seed)
    seen = seen.iloc[selection_rows(seen)].reset_index(drop=True)
    label, group, source = seen["label"].to_numpy(int), seen["group"].to_numpy(), source_names(seen)
    folder, found = settings.interim_dir / "features", {}
    for name, predictor in predictors.items():
        design, runtime = _design_of(predictor), predictor.runtime
        if design is not None:
            views = {
                view: encode_pictures(runtime.encoder, seen, settings.raw_dir, folder, view, progress)
                for view in dict.fromkeys(("whole", *design.fit_views))
            }
            odds, left_out = left_out_scores(design, runtime.head, seen, views, settings.seed)
            found[name] = Scored(odds, label, group, source, left_out)
    return found


def choose_policies(
    chosen: Choices,
    log_odds: LogOdds,
    left_out: Mapping[str, Scored],
    unseen: Part,
    delivered: Mapping[str, Mapping[str, NDArray[np.float64]]] | None = None,
    seed: int = 0,
) -> dict[str, CalibrationChoice]:
    """Choose when each model gives a verdict, and say how it did with sources that it had not met.

    Args:
        chosen: From `choose_all`.
        log_odds: By model, of all pictures, [all].
        left_out: From `left_out_all`; what a policy rests on where there are no unseen pictures.
        unseen: The unseen pictures; may be none.
        delivered: By model, then by way of delivery: log-odds of the unseen pictures as they arrive,
            [unseen]. The rule then has to hold on each.
        seed: Seed of the bootstrap.

    Returns:
        The choices with `policy` and `track_record`; never a verdict where no source was left out.
    """
    found = {}
    for name, choice in chosen.items():
        ways = {AS_THEY_ARE: log_odds[name][unseen.rows], **(delivered or {}).get(name, {})}
        tried = _try_unseen(choice, unseen, ways) if len(unseen.label) else _try_left_out(left_out.get(name))
        if tried is None:
            found[name] = replace(choice, policy=NO_VERDICT)
            continue
        policy = policy_with_evidence(tried, choice.threshold_fpr5, seed=seed)
        found[name] = replace(choice, policy=policy, track_record=track_record(tried, seed=seed))
    return found


def measure_all(log_odds: LogOdds, chosen: Choices, test: Part, seed: int) -> dict[str, dict[str, Any]]:
    """Measure what was chosen for every model on the test pictures, see `measure_calibration`."""
    return {
        name: measure_calibration(
            chosen[name], odds[test.rows], test.label, test.group, test.weight, seed=seed
        )
        for name, odds in log_odds.items()
    }


def measure_parts(
    log_odds: LogOdds, chosen: Choices, parts: Sequence[Part], seed: int
) -> dict[str, dict[str, Any]]:
    """Measure what was chosen on several parts, by `model, part`; parts without pictures are left out."""
    measured = {part.name: measure_all(log_odds, chosen, part, seed) for part in parts if len(part.label)}
    return {f"{model_name(name)}, {part}": measured[part][name] for name in chosen for part in measured}


def verdict_counts(
    log_odds: NDArray[np.float64], choice: CalibrationChoice, parts: Sequence[Part]
) -> pd.DataFrame:
    """How many pictures of each part and class get each verdict of one model; see `verdict_table`."""
    tables = {
        part.name: verdict_table(choice.policy, part.label, *choice.venn_abers.interval(log_odds[part.rows]))
        for part in parts
        if len(part.label)
    }
    return pd.concat(tables, names=["pictures", "class"])


def coverage_parts(
    log_odds: NDArray[np.float64], choice: CalibrationChoice, parts: Sequence[Part]
) -> dict[str, pd.DataFrame]:
    """How often one model answers and is then right, by part; see `coverage_table`.

    Every source of a class has the same weight.
    """
    return {
        part.name: coverage_table(
            part.label,
            *choice.venn_abers.interval(log_odds[part.rows]),
            equal_groups(source_names(part.images)),
        )
        for part in parts
        if len(part.label)
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


def threshold_support(chosen: Choices) -> pd.DataFrame:
    """What each model's threshold rests on, a row a model; see `CalibrationChoice.supported_by`."""
    return pd.DataFrame({model_name(name): choice.supported_by for name, choice in chosen.items()}).T


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
    sentences: Mapping[str, Sequence[str]] | None = None,
    content_gate: Mapping[str, Any] | None = None,
) -> None:
    """Write every model's `calibration.json`: what was chosen for it, and what its card says of it.

    Args:
        settings: Where models and reports are.
        predictors: The models, by name.
        chosen: From `choose_policies`.
        measured: From `measure_all`.
        sentences: By model, what its track record is in words.
        content_gate: From `content_gate.gate_record`: the same for every model.

    Raises:
        UserError: An earlier notebook's metrics are damaged.
    """
    cards = card_metrics(settings.reports_dir, MEASURED_BEFORE, measured)
    for name, choice in chosen.items():
        said, bundle = (sentences or {}).get(name, ()), predictors[name].bundle
        write_choice(bundle, choice, said, content_gate, metrics=cards[name])


def write_choice(
    bundle: Bundle,
    choice: CalibrationChoice,
    sentences: Sequence[str] = (),
    content_gate: Mapping[str, Any] | None = None,
    **facts: Any,
) -> None:
    """Write one model's `calibration.json`.

    Args:
        bundle: The model.
        choice: What was chosen for it.
        sentences: What its track record is in words.
        content_gate: From `content_gate.gate_record`.
        **facts: More entries, such as `metrics`.
    """
    record = choice.track_record
    write_calibration(
        bundle.folder,
        bundle.served_files,
        choice.venn_abers,
        choice.policy,
        choice.temperature,
        content_gate=content_gate,
        track_record=record and {**record, "sentences": list(sentences)},
        threshold_fpr5={"value": choice.threshold_fpr5, **choice.supported_by},
        **facts,
    )


def _validation_scores(log_odds: NDArray[np.float64], validation: Part) -> Scored:
    """The validation pictures: a network trained on none of their groups, but may have met their sources."""
    source = source_names(validation.images)
    return Scored(log_odds[validation.rows], validation.label, validation.group, source, "group")


def _design_of(predictor: Predictor) -> Design | None:
    """What a model's head is an instance of; None for a network, or a head of another kind."""
    runtime, name = predictor.runtime, predictor.bundle.facts.get("selection")
    if not isinstance(runtime, EncoderRuntime) or runtime.head.crops != WHOLE:
        return None
    return next((one for one in DESIGNS if one.name == name), None)


def _try_unseen(choice: CalibrationChoice, unseen: Part, ways: Mapping[str, NDArray[np.float64]]) -> Tried:
    intervals = {way: choice.venn_abers.interval(odds) for way, odds in ways.items()}
    return Tried(unseen.label, unseen.group, source_names(unseen.images), intervals)


def _try_left_out(scored: Scored | None) -> Tried | None:
    if scored is None or scored.left_out != "source":
        return None
    return Tried(scored.label, scored.group, scored.source, {AS_THEY_ARE: left_out_intervals(scored)})
