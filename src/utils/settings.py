"""Where things are and what this run was asked to do.

Every variable of the Makefile is an environment variable too, so a notebook opened in JupyterLab, a headless
run and a test read their parameters from the same place: `Settings.from_env()`.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from src.utils.datasets import DATASETS, Dataset
from src.utils.names import one_line

PROJECT_ROOT = Path(__file__).resolve().parents[2]

CLASS_NAMES = ("Human-made", "AI-generated")
"""Class 0 and class 1; a score is always the probability of class 1."""

PROFILES = ("full", "smoke")
SPLIT_METHODS = ("group", "random", "own")
MISSING_CHOICES = ("stop", "skip")
PRECISIONS = ("auto", "float32", "mixed_bfloat16")
SPLITS = ("train", "validation", "test", "unseen")

IMAGE_SIZE = 255
"""Side of the square the deck's network reads, in pixels."""


class UserError(Exception):
    """A problem the user can solve: its message is one line that names the cause and the next step.

    A line break in it, as the name of a file may hold one, is written as an escape.
    """

    def __init__(self, sentence: str = ""):
        super().__init__(one_line(str(sentence)))

    def _render_traceback_(self) -> list[str]:
        """Show the sentence alone in a notebook (IPython asks for this), not fifty lines of stack."""
        return [f"{type(self).__name__}: {self}"]


@dataclass(frozen=True)
class Settings:
    """The parameters of one run and the folders that follow from them.

    Attributes:
        source: Name of one of `DATASETS`.
        profile: `full`, or `smoke` for a run of minutes that writes to a scratch folder only.
        seed: Seed of every random choice.
        epochs: Training epochs of the deck's network.
        seeds: How many seeds the deck's network is trained with, counted up from `seed`.
        split_method: `group` (nothing related crosses a split), `random` (the deck's way) or `own` (the
            dataset's own test and validation pictures are kept).
        precision: Keras's dtype policy for training; `auto` for what the hardware does fast.
        encoder: Encoder of the improved model: `auto`, `sample`, a KerasHub preset, a folder with one, or a
            detector of `detectors.toml`.
        data_dir: The user's own images, for `folder`: a folder or a `.zip`; of a dataset of Hugging Face
            where its files go.
        data_address: The address of such a dataset, `hf://datasets/…`; empty for a folder.
        classes: What folder names and labels of `data_dir` mean, such as `laion=human,sdxl=ai`.
        missing: What becomes of rows of a table whose picture is absent: `stop` or `skip`.
        root: The project's folder; raw data lies below it in every profile.
        source_reason: Why this source was chosen, in one sentence.
    """

    source: str = "sample"
    profile: str = "full"
    seed: int = 42
    epochs: int = 10
    seeds: int = 1
    split_method: str = "group"
    precision: str = "auto"
    encoder: str = "auto"
    data_dir: Path | None = None
    data_address: str = ""
    classes: str = ""
    missing: str = "stop"
    root: Path = PROJECT_ROOT
    source_reason: str = ""

    @classmethod
    def from_env(cls, env: Mapping[str, str] | None = None, root: Path | None = None) -> Settings:
        """Read the run's variables.

        DATA_SOURCE, DATA_DIR, CLASSES, MISSING, PROFILE, SEED, EPOCHS, SEEDS, SPLIT, PRECISION and ENCODER.

        Args:
            env: Variables by name; the process's own by default. An empty value counts as unset. A relative
                DATA_DIR starts at `root`, wherever a notebook happens to run.
            root: The project's folder; by default the one that this code lies in.

        Raises:
            UserError: A variable has a value that is not among its choices, or this code is not that of the
                checkout it is started in.
        """
        root = require_own_checkout() if root is None else root
        env = os.environ if env is None else env

        def choice(name: str, default: str, choices: tuple[str, ...]) -> str:
            value = env.get(name) or default
            if value not in choices:
                raise UserError(f"{name}={value} is not known: use one of {', '.join(choices)}.")
            return value

        def whole(name: str, default: int, lowest: int) -> int:
            value = env.get(name) or str(default)
            try:
                number = int(value)
            except ValueError:
                number = lowest - 1
            if number < lowest:
                raise UserError(f"{name}={value} is not a whole number of at least {lowest}.")
            return number

        profile = choice("PROFILE", "full", PROFILES)
        data_dir, data_address = place_data(env.get("DATA_DIR", ""), root)
        source, reason = _choose_source(env.get("DATA_SOURCE", ""), data_dir, root)
        return cls(
            source=source,
            profile=profile,
            seed=whole("SEED", 42, 0),
            epochs=whole("EPOCHS", 1 if profile == "smoke" else 10, 1),
            seeds=whole("SEEDS", 1, 1),
            split_method=choice("SPLIT", "group", SPLIT_METHODS),
            precision=choice("PRECISION", "auto", PRECISIONS),
            encoder=env.get("ENCODER") or "auto",
            data_dir=data_dir,
            data_address=data_address,
            classes=env.get("CLASSES") or "",
            missing=choice("MISSING", "stop", MISSING_CHOICES),
            root=root,
            source_reason=reason,
        )

    @property
    def dataset(self) -> Dataset:
        """What `source` names."""
        return DATASETS[self.source]

    @property
    def smoke(self) -> bool:
        """Whether this is the short run that only proves that everything works."""
        return self.profile == "smoke"

    @property
    def work_root(self) -> Path:
        """Where results go: the project, or for a smoke run a scratch folder with the same tree."""
        return self.root / ".smoke" if self.smoke else self.root

    @property
    def raw_dir(self) -> Path:
        """`train.csv` and the images exactly as the source left them; shared by all profiles."""
        return self.root / "data" / "raw" / self.source

    @property
    def rejected_dir(self) -> Path:
        """Pictures that are no material for the dataset, one folder a kind; only the sample has them."""
        return self.raw_dir.with_name(f"{self.raw_dir.name}_rejected")

    @property
    def interim_dir(self) -> Path:
        """Caches that can be made again: the scan, pixels."""
        return self.work_root / "data" / "interim" / self.source

    @property
    def processed_dir(self) -> Path:
        """The manifest and the split tree."""
        return self.work_root / "data" / "processed" / self.source

    @property
    def manifest_path(self) -> Path:
        """`images.csv`, the spine: one row a picture, with its group and split."""
        return self.processed_dir / "images.csv"

    @property
    def models_dir(self) -> Path:
        """One folder (bundle) per model."""
        return self.work_root / "models" / self.source

    @property
    def detectors_dir(self) -> Path:
        """Files of detectors of others, fetched once; shared by all datasets and profiles."""
        return self.root / "models" / "detectors"

    @property
    def figures_dir(self) -> Path:
        """Slides' figures and their index."""
        return self.work_root / "figures" / self.source

    @property
    def reports_dir(self) -> Path:
        """Metrics, tables and executed notebooks."""
        return self.work_root / "reports" / self.source


def require_own_checkout(here: Path | None = None) -> Path:
    """The project's folder, provided that the run was not started in another clone of it.

    An environment that clones share imports the code of the one that was set up last, and its folders follow.

    Args:
        here: Where the run was started; the current folder by default.

    Raises:
        UserError: `here` lies in another checkout than this code.
    """
    here = (here or Path.cwd()).resolve()
    around = (folder for folder in (here, *here.parents) if (folder / "notebooks" / "stages.toml").is_file())
    checkout = next(around, PROJECT_ROOT)
    if checkout != PROJECT_ROOT:
        raise UserError(
            f"This is {checkout}, but the environment runs the code of {PROJECT_ROOT}: run `make setup` in "
            f"{checkout} and start again."
        )
    return PROJECT_ROOT


def place_data(asked: str, root: Path) -> tuple[Path | None, str]:
    """The folder or `.zip` that DATA_DIR means, and the address that it is filled from, if it is one.

    Args:
        asked: A path, which starts at `root` if it is relative, or `hf://datasets/…`; empty for none.
        root: The project's folder.
    """
    if not asked:
        return None, ""
    if not asked.startswith("hf://"):
        return (root / Path(asked).expanduser()).resolve(), ""
    name = re.sub(r"[^\w.@-]", "__", asked.removeprefix("hf://datasets/"))
    return root / "data" / "raw" / "hub" / name, asked


def _choose_source(asked: str, data_dir: Path | None, root: Path) -> tuple[str, str]:
    """Pick the data source and say why, in a sentence that names the way to another one."""
    if asked:
        if asked not in DATASETS:
            raise UserError(f"DATA_SOURCE={asked} is not known: use one of {', '.join(DATASETS)}.")
        return asked, f"DATA_SOURCE={asked} was asked for."
    if data_dir is not None:
        return "folder", "DATA_DIR is set, so your own images are used."
    if (root / "data" / "raw" / "kaggle" / "train.csv").is_file():
        return "kaggle", "data/raw/kaggle has a train.csv; DATA_SOURCE=sample uses the small sample instead."
    return "sample", (
        "no Kaggle data lies under data/raw/kaggle, so the small sample is used; "
        "DATA_SOURCE=kaggle downloads the full dataset, DATA_SOURCE=folder DATA_DIR=… takes your own images."
    )
