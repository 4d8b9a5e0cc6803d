"""Which encoder is best for the data at hand, by measurement.

A linear head on frozen features of a recent encoder does better on pictures from elsewhere than detectors
that were made for them (Zhou and others 2026, arXiv 2602.01738). Which encoder, the data at hand must say:
all are compared on the same training pictures by what the improved model is chosen by, how well a linear
head ranks pictures of sources that it has not met. Of those that cannot be told apart the simplest is taken.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from src.utils.analysis.checks.ablation import ablation_table, choose_candidate
from src.utils.code import code_digest
from src.utils.data.pictures.decode import ImageError
from src.utils.data.remembered import open_store
from src.utils.estimate import Estimate
from src.utils.files import hash_bytes
from src.utils.models.encoder import choice, selection
from src.utils.models.encoder.features import encode_pictures, encoding_rate
from src.utils.models.encoder.heads import has_folds
from src.utils.models.encoder.hub import Unreachable, has_gpu
from src.utils.models.encoder.runtime import BLOCKS, Encoder
from src.utils.settings import Settings, UserError

MOST_PICTURES = 1500
"""Training pictures that every candidate encodes, at most."""

TABLE_COLUMNS = (
    *("encoder", "parameters", "download", "licence", "rate"),
    *("mean", "mean_low", "mean_high", "mean_error", "chosen", "problem"),
)


@dataclass(frozen=True)
class Choice:
    """The encoder to build on.

    Attributes:
        encoder: The encoder.
        why: A sentence that says why it is this one.
        table: What was compared, a row a candidate, columns `TABLE_COLUMNS`: millions of `parameters`,
            gigabytes of `download`, the `rate` in pictures a second, the `mean` ROC-AUC over left-out
            sources, and the `problem` of one that was not measured. No rows where nothing was compared.
    """

    encoder: Encoder
    why: str
    table: pd.DataFrame


def announce(settings: Settings) -> str:
    """Say what a comparison will fetch and how to go without; empty where there is none."""
    if not choice.must_compare(settings):
        return ""
    compared = [one for one in choice.candidates_here(settings, has_gpu()) if one.eligible]
    return (
        f"ENCODER=auto compares {len(compared)} encoders on at most {MOST_PICTURES:,} training pictures, "
        f"once, and fetches up to {sum(one.download for one in compared):.1f} GB for that. ENCODER=sample "
        "compares nothing and fetches 0.1 GB."
    )


def choose_encoder(settings: Settings, images: pd.DataFrame) -> Choice:
    """Take the encoder that was asked for or, for `auto`, compare those that this machine can use.

    What was measured is remembered by the pictures' contents; encodings are too, one by one, so that an
    interrupted comparison goes on where it stopped. One that could not be had is tried again in the next run.

    Args:
        settings: Says what was asked for, which data, and where everything lies.
        images: Readable rows of the manifest. Only those of the training split are looked at.

    Raises:
        ImageError: A picture cannot be read.
        UserError: What was asked for cannot be had, or none can.
    """
    nothing = pd.DataFrame(columns=list(TABLE_COLUMNS))
    if not choice.must_compare(settings):
        return Choice(*choice.find_encoder(settings), nothing)
    drawn = draw_pictures(images, MOST_PICTURES, settings.seed)
    if not has_folds(drawn["label"].to_numpy(int), drawn["group"].to_numpy()):
        why = "There are too few groups to compare encoders on, so it is the sample's own."
        return Choice(choice.load_named(settings, choice.SAMPLE), why, nothing)
    table = compare(choice.candidates_here(settings, has_gpu()), settings, drawn)
    (name,) = table.loc[table["chosen"], "encoder"]
    why = (
        f"Of {table['rate'].notna().sum()} encoders compared on {len(drawn):,} training pictures, the "
        "simplest within one standard error of the best."
    )
    return Choice(choice.load_named(settings, name), why, table)


def draw_pictures(images: pd.DataFrame, most: int, seed: int = 0) -> pd.DataFrame:
    """Draw whole groups of the training split evenly, up to a number of pictures.

    Args:
        images: Rows of the manifest.
        most: Pictures to draw, at most.
        seed: Seed of the draw.

    Returns:
        The rows drawn, in their order, numbered from 0.
    """
    training = images[images["split"] == "train"]
    sizes = training.groupby("group").size()
    shuffled = sizes.iloc[np.random.default_rng(seed).permutation(len(sizes))]
    drawn = shuffled.index[shuffled.cumsum() <= most]
    return training[training["group"].isin(drawn)].reset_index(drop=True)


def compare(candidates: Sequence[choice.Candidate], settings: Settings, images: pd.DataFrame) -> pd.DataFrame:
    """Measure candidates on left-out sources and choose one; see `Choice.table`.

    Args:
        candidates: What to compare, the simplest first.
        settings: Says where everything lies, and the seed.
        images: Rows of the manifest, all of the training split.

    Raises:
        ImageError: A picture cannot be read.
        UserError: No candidate can be had.
    """
    folds = selection.plan_folds(images, settings.seed)
    measured, problems, silent = {}, {}, False
    with open_store(settings.interim_dir / "encoders" / "bake_off.sqlite", code_digest(__name__)) as store:
        for one in candidates:
            key = _key(settings, one, images)
            try:
                if not one.eligible:
                    raise UserError(f"Not for commercial use: only ENCODER={one.name} takes it.")
                if store.get(key) is None:
                    if silent and one.from_hub:
                        raise UserError("Kaggle does not answer.")
                    store.put([(key, _measure(one, settings, images, folds))])
                measured[one.name] = store.get(key)
            except ImageError:  # no fault of the encoder's
                raise
            except (UserError, OSError, MemoryError) as error:
                silent = silent or isinstance(error, Unreachable)
                problems[one.name] = str(error) or "Too little memory."
    if not measured:
        raise UserError(f"No encoder can be had. {' '.join(problems.values())}")
    compared = [one for one in candidates if one.name in measured]
    odds = {name: [np.array(fold) for fold in known["odds"]] for name, known in measured.items()}
    table = ablation_table(images, compared, folds, odds, seed=settings.seed)
    told = pd.DataFrame(
        {
            **{"encoder": one.name, "parameters": one.parameters, "download": one.download},
            **{"licence": one.licence, "problem": problems.get(one.name, "")},
            "rate": measured[one.name]["rate"] if one.name in measured else np.nan,
        }
        for one in candidates
    )
    told["chosen"] = told["encoder"] == choose_candidate(table)
    told = told.merge(table.rename(columns={"candidate": "encoder"}), on="encoder", how="left")
    return told[list(TABLE_COLUMNS)]


def readable_table(table: pd.DataFrame) -> pd.DataFrame:
    """A comparison for people; see `Choice.table`."""
    rows = table.to_dict("records")
    return pd.DataFrame(
        {
            "encoder": table["encoder"],
            "AUC, sources left out": [Estimate.from_row(row, "mean").text() for row in rows],
            "pictures per second": ["–" if np.isnan(row["rate"]) else f"{row['rate']:.1f}" for row in rows],
            "download": [f"{row['download']:.1f} GB" for row in rows],
            "parameters": [f"{row['parameters']} million" for row in rows],
            "licence": table["licence"],
            "what came of it": ["taken" if row["chosen"] else row["problem"] for row in rows],
        }
    )


def _measure(
    one: choice.Candidate, settings: Settings, images: pd.DataFrame, folds: Sequence[selection.Fold]
) -> dict[str, Any]:
    """How many pictures a candidate encodes a second, and what a head on it says of each fold's pictures."""
    encoder = choice.load_named(settings, one.name)
    whole = encode_pictures(encoder, images, settings.raw_dir, settings.interim_dir / "features")
    head = selection.head_candidate(one.name, one.part, images, [whole], [[whole]], BLOCKS)
    odds = [scores.tolist() for scores in selection.held_out_scores(head, folds)]
    return {"rate": encoding_rate(encoder), "odds": odds}


def _key(settings: Settings, one: choice.Candidate, images: pd.DataFrame) -> str:
    """What a measurement depends on besides code: the encoder, the pictures, and how they are left out."""
    pictures = images[["content", "label", "group", "generator", "origin"]].to_csv(index=False)
    return hash_bytes(
        f"{one.name} {choice.encoder_version(settings, one.name)} {settings.seed}\n{pictures}".encode()
    )
