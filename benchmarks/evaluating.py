"""Judging a detector beside asking it: pictures a second of `make evaluate` and of `make predict`.

`evaluate` scores each picture twice, as it is and made alike, looks at its file, measures what is cheap, and
draws a report; all of that is timed, with nothing remembered from before.
"""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from PIL import Image

from benchmarks.timing import summarise, time_once
from src.utils.data.sources.folder import open_dataset
from src.utils.judge.detectors.load import load_bundle_detector
from src.utils.judge.judgement import judge
from src.utils.judge.pictures import read_pictures
from src.utils.judge.report import write_report
from src.utils.models.bundle.predictor import Predictor
from src.utils.settings import Settings

PICTURES = 1000
"""Pictures that are judged: turned copies of fewer."""

ORIGINALS = 126
"""Pictures that give as many, each turned and mirrored in eight ways."""

WAYS = 2
"""How often `evaluate` scores a picture: as it is, and made alike."""


def benchmark_evaluating(
    folder: Path, scratch: Path, bundle: Path | None, most: int = PICTURES
) -> dict[str, Any]:
    """Time both on the same pictures, once each.

    Args:
        folder: Pictures in `0` and `1`.
        scratch: Where copies and the report may go.
        bundle: The model that is asked; None if there is none.
        most: Pictures at most.

    Returns:
        `pictures`, `predict` and `evaluate` as `timing.Timing`, the latter's pictures counted each time that
        they are scored, and `times_faster`, how much evaluate is; empty without a model.
    """
    if bundle is None:
        return {}
    paths = turned_copies(sorted(folder.glob("[01]/*")), scratch / "turned", most)
    predictor = Predictor.load(bundle)
    predict = summarise(len(paths), [time_once(lambda: list(predictor.predict_files(paths)))])
    with tempfile.TemporaryDirectory(dir=scratch) as place:
        judged = time_once(lambda: evaluate(scratch / "turned", bundle, Path(place)))
    evaluated = summarise(WAYS * len(paths), [judged])
    return {
        "pictures": len(paths),
        "predict": asdict(predict),
        "evaluate": asdict(evaluated),
        "times_faster": round(evaluated.pictures_per_second / predict.pictures_per_second, 2),
    }


def turned_copies(paths: Sequence[Path], folder: Path, most: int) -> list[Path]:
    """Copies of pictures below their folders' names, turned and mirrored if there are fewer than `most`."""
    copies = []
    for way in (None, *Image.Transpose):
        for path in paths[: most - len(copies)]:
            with Image.open(path) as image:
                turned = image.convert("RGB") if way is None else image.convert("RGB").transpose(way)
            copy = folder / path.parent.name / f"{path.stem}-{0 if way is None else 1 + way}.jpg"
            copy.parent.mkdir(parents=True, exist_ok=True)
            turned.save(copy, quality=90)
            copies.append(copy)
    return copies


def evaluate(folder: Path, bundle: Path, place: Path) -> None:
    """All that `make evaluate` does, with its files below `place`."""
    opened = open_dataset(Settings(source="folder", data_dir=folder, root=place), progress=False)
    pictures = read_pictures(folder.name, opened, place / "looked", progress=False)
    judgement = judge(pictures, [load_bundle_detector(bundle)], place / "scores", progress=False)
    write_report(judgement, None, place / "report")


def as_lines(found: dict[str, Any]) -> list[str]:
    """What was found as lines of text; none without a model."""
    if not found:
        return []
    predict, judged = found["predict"], found["evaluate"]
    return [
        "",
        f"evaluate, {found['pictures']:,} pictures scored twice: {judged['pictures_per_second']} a second on "
        f"{judged['busy_cores']} cores; predict: {predict['pictures_per_second']} on {predict['busy_cores']}",
    ]
