"""The content gate's limits: chosen on a dataset, then how often it stops what it should and should not."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from PIL import Image

from src.utils.analysis.scoring.parts import Part
from src.utils.analysis.scoring.tables import table_records
from src.utils.analysis.stats.bootstrap import RESAMPLES, bootstrap, never_certain
from src.utils.code import code_digest
from src.utils.data.parallel import map_ahead
from src.utils.data.pictures.decode import open_image
from src.utils.data.pictures.drawn import drawn_pictures
from src.utils.data.remembered import compute_once
from src.utils.data.sources.rejected import rejected_pictures
from src.utils.models.bundle.content_gate import FACTS, Limits, picture_facts
from src.utils.settings import Settings

MOST_STOPPED = 0.02
"""Share of a dataset's originals that the gate may stop, all facts together."""

DRAWN, REJECTED = "drawn in code", "left out of the sample"
"""Where pictures come from that the gate should stop."""


def measure_facts(part: Part, settings: Settings, progress: bool = True) -> pd.DataFrame:
    """Measure the pictures of a part, each once however often this is called.

    Args:
        part: The pictures.
        settings: Says where the pictures are and where facts are kept.
        progress: Show a progress bar.

    Returns:
        A float column for each of `FACTS`, one row a picture.

    Raises:
        ImageError: A picture cannot be read.
    """
    names = part.images["file_name"]

    def compute(positions: list[int]) -> Iterator[dict[str, float]]:
        paths = (settings.raw_dir / names.iloc[position] for position in positions)
        return map_ahead(lambda path: picture_facts(open_image(path)), paths)

    store, contents = settings.interim_dir / "content_gate.sqlite", list(part.images["content"])
    rows = compute_once(store, code_digest(__name__), contents, compute, "Content", progress)
    return pd.DataFrame(rows, columns=list(FACTS)).astype(float)


def choose_limits(facts: pd.DataFrame, group: ArrayLike, most: float = MOST_STOPPED) -> dict[str, float]:
    """Loosen the strictest limits until they stop few enough originals.

    An original is stopped where any picture of it is. As long as too many are, the fact that stops most of
    them lets the nearest of these pass. So the gate opens for whatever a dataset has plenty of, drawings say,
    and a dataset with few originals does not need to show every kind of picture by itself.

    Args:
        facts: From `measure_facts`.
        group: The original of each picture, [n].
        most: Share of originals that may be stopped by all facts together, 0–1.

    Returns:
        A limit for each of `FACTS`.
    """
    limits = {name: fact.strictest for name, fact in FACTS.items()}
    by_group = facts.groupby(np.asarray(group))
    extreme = pd.DataFrame(
        {name: by_group[name].min() if fact.lowest else by_group[name].max() for name, fact in FACTS.items()}
    )
    beyond = _beyond(extreme, limits)
    while beyond.any(axis=1).mean() > most:
        name = beyond.sum().idxmax()
        stopped = extreme.loc[beyond[name], name]
        limits[name] = float(stopped.max() if FACTS[name].lowest else stopped.min())
        beyond = _beyond(extreme, limits)
    return limits


def is_stopped(facts: pd.DataFrame, limits: Limits) -> NDArray[np.bool_]:
    """Whether the gate stops each picture, bool [n]."""
    return _beyond(facts, limits).any(axis=1).to_numpy()


def false_alarms(
    facts: Mapping[str, pd.DataFrame],
    parts: Sequence[Part],
    limits: Limits,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> pd.DataFrame:
    """Share of a dataset's own pictures that the gate stops, by part and class.

    Args:
        facts: By name of a part, from `measure_facts`.
        parts: The parts.
        limits: From `choose_limits`.
        resamples: Number of bootstrap resamples.
        seed: Their seed.

    Returns:
        A row a part and class: `part`, `label`, `groups`, `pictures`, `stopped` (how many pictures), `share`
        (every original counts the same) and `share_low`, `share_high` from a bootstrap over originals, NaN
        where not estimable.
    """
    rows = []
    for part in parts:
        stopped = is_stopped(facts[part.name], limits)
        for label in np.unique(part.label):
            mine = part.label == label
            groups = len(np.unique(part.group[mine]))
            share = bootstrap(
                partial(_share, stopped[mine]),
                part.group[mine],
                part.label[mine],
                part.weight[mine],
                resamples,
                seed,
            )["share"]
            rows.append(
                {
                    "part": part.name,
                    "label": int(label),
                    "groups": groups,
                    "pictures": int(mine.sum()),
                    "stopped": int(stopped[mine].sum()),
                    **never_certain(share, groups).columns("share"),
                }
            )
    return pd.DataFrame(rows)


def misses(limits: Limits, settings: Settings, of_each: int = 10) -> pd.DataFrame:
    """What the gate lets pass of pictures that it should stop, by kind.

    Args:
        limits: From `choose_limits`.
        settings: Says where the pictures are that were left out of the sample; of another dataset, or where
            they were not made, there are none.
        of_each: How many pictures of each kind are drawn.

    Returns:
        A row a kind: `origin` (`DRAWN` or `REJECTED`), `kind`, `pictures`, `missed` (how many), `share`.
    """
    rows = [
        (origin, kind, not is_stopped(pd.DataFrame([picture_facts(image)]), limits)[0])
        for origin, kind, image in _outsiders(settings, of_each)
    ]
    table = pd.DataFrame(rows, columns=["origin", "kind", "missed"])
    by_kind = table.groupby(["origin", "kind"], sort=False)["missed"]
    return by_kind.agg(pictures="size", missed="sum", share="mean").reset_index()


def gate_record(limits: Limits, alarms: pd.DataFrame, missed: pd.DataFrame) -> dict[str, Any]:
    """The gate as `calibration.json` keeps it: `limits`, `false_alarm` and `miss`.

    Args:
        limits: From `choose_limits`.
        alarms: From `false_alarms`.
        missed: From `misses`.
    """
    return {
        "limits": {name: float(limit) for name, limit in limits.items()},
        "false_alarm": table_records(alarms),
        "miss": table_records(missed),
    }


def _outsiders(settings: Settings, of_each: int) -> Iterator[tuple[str, str, Image.Image]]:
    """Pictures that the gate should stop: where from, of which kind."""
    for kind, image in drawn_pictures(of_each):
        yield DRAWN, kind, image
    for kind, path in rejected_pictures(settings):
        yield REJECTED, kind, open_image(path)


def _beyond(facts: pd.DataFrame, limits: Limits) -> pd.DataFrame:
    """Which facts are beyond their limits, bool [n, facts]."""
    return pd.DataFrame({name: FACTS[name].beyond(facts[name], limit) for name, limit in limits.items()})


def _share(stopped: NDArray[np.bool_], weight: NDArray[np.float64]) -> dict[str, float]:
    """Weighted share of pictures that are stopped."""
    return {"share": float(np.average(stopped, weights=weight)) if weight.any() else np.nan}
