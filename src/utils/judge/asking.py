"""Asking a detector about pictures, each picture and each way of delivering it once."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from src.utils.code import code_digest
from src.utils.data.parallel import map_ahead
from src.utils.data.pictures.decode import open_image
from src.utils.data.remembered import compute_once
from src.utils.judge.deliveries import AS_IT_IS, Delivery, delivery_title
from src.utils.judge.detectors.detector import Detector


def ask_detector(
    detector: Detector,
    images: pd.DataFrame,
    folder: Path,
    memory: Path,
    name: str = AS_IT_IS,
    delivery: Delivery | None = None,
    progress: bool = True,
) -> NDArray[np.float64]:
    """Score pictures, computing only what the memory does not know; a killed run goes on where it was.

    Threads decode ahead while the detector works, and no more than two batches wait.

    Args:
        detector: The detector.
        images: Readable rows of the manifest: `file_name` and `content`.
        folder: What `file_name` is relative to.
        memory: Folder of the answers so far, by content: one file a detector and delivery.
        name: What the delivery is called; another one has another name.
        delivery: Applied to each decoded picture; None leaves it as it is.
        progress: Whether to show a progress bar.

    Returns:
        Log-odds of AI before any calibration, float64 [n], in the order of the rows.

    Raises:
        ImageError: A picture cannot be read any more.
        UserError: The detector failed.
    """
    files, contents = images["file_name"].tolist(), images["content"].tolist()

    def read(position: int):
        image = open_image(folder / files[position])
        return detector.read(image if delivery is None else delivery(image))

    def compute(positions: list[int]) -> Iterator[float]:
        waiting = map_ahead(read, positions, ahead=2 * detector.batch)
        while batch := list(islice(waiting, detector.batch)):
            yield from map(float, detector.ask(batch))

    path = memory / detector.key / f"{name}.sqlite"
    task = f"{detector.title}, {delivery_title(name)}"
    version = code_digest(__name__, "src.utils.judge.deliveries")
    return np.fromiter(
        compute_once(path, version, contents, compute, task, progress), np.float64, len(contents)
    )
