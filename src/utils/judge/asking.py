"""Asking a detector about pictures, each picture and each way of delivering it once."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from src.utils.code import code_digest
from src.utils.data.remembered import compute_once
from src.utils.judge.deliveries import Deliveries, answer_keys, deliver
from src.utils.judge.detectors.detector import Detector


def ask_detector(
    detector: Detector,
    images: pd.DataFrame,
    folder: Path,
    memory: Path,
    deliveries: Deliveries,
    progress: bool = True,
) -> dict[str, NDArray[np.float64]]:
    """Score pictures, computing only what the memory does not know; a killed run goes on where it was.

    Threads decode ahead while the detector works, each picture once for all deliveries; about two batches
    wait.

    Args:
        detector: The detector.
        images: Readable rows of the manifest: `file_name` and `content`.
        folder: What `file_name` is relative to.
        memory: Folder of the answers so far, by content and delivery: one file a detector.
        deliveries: Applied to each decoded picture; another one has another name.
        progress: Whether to show a progress bar.

    Returns:
        By delivery, log-odds of AI before any calibration, float64 [n], in the order of the rows.

    Raises:
        ImageError: A picture cannot be read any more.
        UserError: The detector failed.
    """
    files = [folder / name for name in images["file_name"]]

    def compute(places: list[int]) -> Iterator[float]:
        waiting = deliver(files, deliveries, places, detector.read, ahead=2 * detector.batch)
        while batch := list(islice(waiting, detector.batch)):
            yield from map(float, detector.ask(batch))

    keys = answer_keys(images["content"].tolist(), deliveries)
    path, version = memory / f"{detector.key}.sqlite", code_digest(__name__)
    answers = compute_once(path, version, keys, compute, detector.title, progress)
    odds = np.fromiter(answers, np.float64, len(keys)).reshape(-1, len(deliveries))
    return dict(zip(deliveries, odds.T.copy(), strict=True))
