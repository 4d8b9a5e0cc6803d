"""Answers to pictures from links, and to pictures read in another way than the network was trained with.

The deck read pixels in three ways: bilinear resizing without antialiasing in training, nearest-neighbour in
its URL cell, and nearest-neighbour divided by 255 on its page. A network answers each of them, and does not
complain.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from PIL import Image

from src.utils.data.pictures.decode import open_image, squash
from src.utils.models.bundle.bundle import load_bundle, load_model
from src.utils.models.bundle.predictor import Predictor, probability_of_ai
from src.utils.settings import CLASS_NAMES, IMAGE_SIZE


def answer_table(
    predictor: Predictor, pictures: Iterable[bytes], names: Iterable[str], labels: Iterable[int] = ()
) -> pd.DataFrame:
    """Ask a model about pictures that were fetched.

    Args:
        predictor: The model.
        pictures: Their bytes, [n].
        names: Links or paths, [n]; `file` is the last part of each.
        labels: Their classes, [n]; none if nobody knows them.

    Returns:
        A row a picture as `Predictor.predict_files` gives it, and `truth`: the class's name, or empty.
    """
    answers = pd.DataFrame(predictor.predict_files(pictures))
    truth = [CLASS_NAMES[label] for label in labels] or [""] * len(answers)
    return answers.assign(file=[name.rsplit("/", 1)[-1] for name in names], truth=truth)


def read_ours(path: Path) -> np.ndarray:
    """This project's one way: antialiased bilinear, 0–255."""
    return squash(open_image(path), IMAGE_SIZE).astype(np.float32)


def read_like_training(path: Path) -> np.ndarray:
    """The deck's training: `image_dataset_from_directory`, bilinear without antialiasing, 0–255."""
    import tensorflow as tf

    return tf.image.resize(np.asarray(open_image(path)), (IMAGE_SIZE, IMAGE_SIZE), method="bilinear").numpy()


def read_like_url_cell(path: Path) -> np.ndarray:
    """The deck's URL cell: `load_img` with a target size, which takes the nearest pixel, 0–255."""
    resized = open_image(path).resize((IMAGE_SIZE, IMAGE_SIZE), Image.Resampling.NEAREST)
    return np.asarray(resized, dtype=np.float32)


def read_like_page(path: Path) -> np.ndarray:
    """The deck's page: as its URL cell, then divided by 255."""
    return read_like_url_cell(path) / 255


READ_PATHS: dict[str, Callable[[Path], np.ndarray]] = {
    "this project": read_ours,
    "deck, training": read_like_training,
    "deck, URL cell": read_like_url_cell,
    "deck, web page": read_like_page,
}
"""Ways to read a file as float32 [255, 255, 3], by name; the first is what networks here learn from."""


def compare_read_paths(bundle_dir: Path, files: Sequence[Path]) -> pd.DataFrame:
    """Ask one network about the same files, read in each way.

    Args:
        bundle_dir: A bundle that reads 255-pixel squares.
        files: Pictures.

    Returns:
        A row a file, a column a way of `READ_PATHS`: probability of AI.

    Raises:
        UserError: The bundle cannot be loaded.
        ImageError: A picture cannot be read.
    """
    bundle = load_bundle(bundle_dir)
    model = load_model(bundle)
    answers = {}
    for name, read in READ_PATHS.items():
        logits = model.predict_on_batch(np.stack([read(file) for file in files]))
        answers[name] = probability_of_ai(logits, bundle.temperature)
    return pd.DataFrame(answers, index=[file.name for file in files])


def summarise_read_paths(answers: pd.DataFrame, threshold: float = 0.5) -> pd.DataFrame:
    """How far each way of reading moves the answers of the first.

    Args:
        answers: From `compare_read_paths`.
        threshold: A picture is called AI from this probability on.

    Returns:
        A row a way: `mean_shift` and `largest_shift` of the probability, `other_answers` (how many pictures
        change sides) and `called_ai`.
    """
    reference = answers.iloc[:, 0]
    shift = answers.sub(reference, axis=0).abs()
    called = answers >= threshold
    return pd.DataFrame(
        {
            "mean_shift": shift.mean(),
            "largest_shift": shift.max(),
            "other_answers": called.ne(called.iloc[:, 0], axis=0).sum(),
            "called_ai": called.sum(),
        }
    )
