"""Measure a detector of others on the dataset at hand: `python -m src.utils.pipeline.calibrate MODEL`.

What notebook 10 does for the project's own models, by the same rules. Intervals are fitted on validation
pictures, verdicts rest on unseen ones, and no picture is scored twice. What the detector learned on is not
known in full, so it may have met sources that are unseen to our own models.
"""

from __future__ import annotations

import argparse
import os
import sys
from typing import Any

import pandas as pd

from src.utils.analysis.checks import content_gate
from src.utils.analysis.checks.confidence import MOST_GROUPS, choose_all, choose_policies, write_choice
from src.utils.analysis.scoring.evaluation import evaluate_parts
from src.utils.analysis.scoring.parts import Part, part_of
from src.utils.analysis.scoring.scores import score_models
from src.utils.data.manifest import read_manifest, usable_rows
from src.utils.environment import quiet_start
from src.utils.models.bundle.predictor import Predictor
from src.utils.models.detectors.kept import find_model
from src.utils.models.encoder.selection import limit_groups
from src.utils.settings import Settings, UserError
from src.utils.story import trust

DONE, WRONG_USAGE = 0, 2

SPLITS = ("validation", "unseen")
"""What is scored: enough to calibrate; tests are left to the notebooks that compare models."""


def calibrate(settings: Settings, asked: str, progress: bool = True) -> list[str]:
    """Score a detector on the dataset's validation and unseen pictures and write its `calibration.json`.

    Args:
        settings: Which dataset, and the seed.
        asked: A detector of the table, or its bundle's folder.
        progress: Whether to show progress bars.

    Returns:
        What was found, in sentences.

    Raises:
        UserError: There is no such detector, it is one of the project's own models, or the dataset was not
            split yet or lacks a class.
    """
    with quiet_start():
        predictor = Predictor.load(find_model(asked, settings))
    bundle = predictor.bundle
    if "detector" not in bundle.facts:
        raise UserError(
            f"{bundle.name} is a model of this project: notebook 10 (`make reproduce`) calibrates it."
        )
    images = _pictures(settings)
    validation, unseen = (part_of(images, split) for split in SPLITS)
    odds = score_models({bundle.name: predictor}, images, settings, progress)
    chosen = choose_policies(choose_all(odds, validation), odds, {}, unseen, seed=settings.seed)
    choice = chosen[bundle.name]
    sentences = trust.track_record(choice.track_record)
    measured = evaluate_parts(odds, (validation, unseen), settings.seed)
    write_choice(
        bundle,
        choice,
        sentences,
        _gate(validation, unseen, settings, progress),
        metrics={part: by_model[bundle.name] for part, by_model in measured.items()},
        measured_on=settings.source,
    )
    return [*trust.verdict_policy(vars(choice.policy)), *sentences]


def _pictures(settings: Settings) -> pd.DataFrame:
    """Validation pictures, at most so many groups of them, and unseen ones."""
    images = usable_rows(read_manifest(settings.manifest_path))
    images = limit_groups(images[images["split"].isin(SPLITS)], MOST_GROUPS, settings.seed)
    if images.loc[images["split"] == "validation", "label"].nunique() < 2:
        raise UserError(
            f"{settings.manifest_path} has no validation pictures of both classes: split it anew."
        )
    return images


def _gate(validation: Part, unseen: Part, settings: Settings, progress: bool) -> dict[str, Any]:
    """The content gate, its limits chosen on validation as notebook 10 does."""
    parts = [one for one in (validation, unseen) if len(one.images)]
    facts = {one.name: content_gate.measure_facts(one, settings, progress) for one in parts}
    limits = content_gate.choose_limits(facts["validation"], validation.group)
    alarms = content_gate.false_alarms(facts, parts[1:], limits, seed=settings.seed)
    return content_gate.gate_record(limits, alarms, content_gate.misses(limits, settings))


def main(arguments: list[str] | None = None) -> int:
    """Run the command line.

    Args:
        arguments: Without the program's name; the process's own by default.

    Returns:
        Exit code: 0 if the detector is calibrated now, 2 if not.
    """
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # TensorFlow's start-up notes are not for this reader
    parser = argparse.ArgumentParser(
        prog="python -m src.utils.pipeline.calibrate",
        description="Measure a detector of others on the dataset (DATA_SOURCE): then it may give verdicts.",
    )
    parser.add_argument("model", help="a detector of detectors.toml, fetched when it is missing")
    options = parser.parse_args(arguments)
    try:
        if not options.model:
            raise UserError("MODEL is missing: name a detector of detectors.toml, such as MODEL=sieve.")
        settings = Settings.from_env()
        said = calibrate(settings, options.model)
    except (UserError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return WRONG_USAGE
    print(f"{options.model} is calibrated on the {settings.dataset.title}:", *said, sep="\n")
    return DONE


if __name__ == "__main__":
    sys.exit(main())
