"""A model as it is kept: one folder with the network, everything needed to use it, and how it came about.

Reading a bundle's facts needs neither TensorFlow nor pandas: the web app does it with Pillow and NumPy alone.
"""

from __future__ import annotations

import shutil
import tempfile
import warnings
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, replace
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from src.utils.code import module_digest
from src.utils.files import read_json, replace_folder, sha256_file, write_json, write_text
from src.utils.models.bundle.calibration import Calibration, Policy, read_calibration
from src.utils.models.bundle.validated import validation_rank
from src.utils.settings import CLASS_NAMES, Settings, UserError

if TYPE_CHECKING:
    import keras
    import pandas as pd

SCHEMA = 1
FACTS_FILE = "bundle.json"
MODEL_FILE = "model.keras"
EXPORTED_FILE = "model.onnx"
HISTORY_FILE = "history.csv"
DEFAULT_FILE = "default"
PREFERRED = "best"

_MEASURED_WITH = ("tensorflow", "keras", "onnxruntime", "numpy", "pillow")


@dataclass(frozen=True)
class Bundle:
    """What one needs to know to use a model.

    Attributes:
        folder: Where it lies; its name is the model's.
        class_names: Names of class 0 and class 1.
        input_size: Side of the square the network reads, in pixels.
        resize: How a picture becomes that square; `squash` is `decode.read_pixels`.
        output: What the network gives; `logits` are two, one a class.
        facts: The whole of bundle.json: validation metrics, training, versions, seed, fingerprints and so on.
        calibration: What was measured and chosen since; None while nothing was.
    """

    folder: Path
    class_names: tuple[str, str]
    input_size: int
    resize: str
    output: str
    facts: Mapping[str, Any]
    calibration: Calibration | None = None

    @property
    def temperature(self) -> float:
        """What logits are divided by before the softmax: 1 without calibration."""
        return self.calibration.temperature if self.calibration else 1.0

    @property
    def threshold(self) -> float:
        """Probability of class 1 from which on a picture is called class 1: without calibration 0.5.

        A detector of others has the one it was published with until it is calibrated.
        """
        published = self.facts.get("recipe", {}).get("threshold", 0.5)
        return self.calibration.threshold if self.calibration else published

    @property
    def policy(self) -> Policy:
        """When a verdict may be given: never without calibration."""
        return self.calibration.policy if self.calibration else Policy()

    @property
    def card(self) -> dict[str, Any]:
        """All that is known of the model: bundle.json, and over it what calibration.json adds."""
        measured = dict(self.calibration.facts) if self.calibration else {}
        metrics = {**self.facts.get("metrics", {}), **measured.get("metrics", {})}
        chosen = {
            "calibrated": self.calibration is not None,
            "temperature": self.temperature,
            "threshold": self.threshold,
            "policy": asdict(self.policy),
        }
        return {**measured, **self.facts, **chosen, "metrics": metrics}

    @property
    def name(self) -> str:
        """The model's name."""
        return self.folder.name

    @property
    def model_path(self) -> Path:
        """The trained network, for going on with it; a folder that only serves need not have it."""
        return self.folder / self.facts["model_file"]

    @property
    def served_path(self) -> Path:
        """The file a predictor loads; its ending tells which runtime reads it."""
        return self.folder / self.facts.get("served_file", self.facts["model_file"])

    @property
    def served_files(self) -> dict[str, str]:
        """What serving needs besides bundle.json: file name → SHA-256 in hexadecimal digits."""
        facts = self.facts
        return dict(facts.get("served_files", {facts["model_file"]: facts["model_sha256"]}))

    def check_model_file(self) -> Path:
        """Path of the trained network, once its content is what was saved.

        Raises:
            UserError: The file is missing or differs.
        """
        return _check_file(self.model_path, self.facts["model_sha256"])

    def check_served_files(self) -> Path:
        """Path of the file a predictor loads, once all that serving needs is what was saved.

        Raises:
            UserError: A file is missing or differs.
        """
        for name, sha256 in self.served_files.items():
            _check_file(self.folder / name, sha256)
        return self.served_path


def save_bundle(
    folder: Path, model: keras.Model, facts: Mapping[str, Any], history: pd.DataFrame | None = None
) -> Bundle:
    """Save a model with its facts; another bundle of that name is replaced as a whole, the same one is kept.

    Args:
        folder: `models/<source>/<name>`.
        model: In float32, input [n, size, size, 3]. A Keras model, which is served as the ONNX file it is
            exported to, or by Keras itself where that cannot be done (a warning says why). Or anything with
            its `save` and `input_shape` and the `file_name` it is saved under, which is served as it is,
            with whatever else `save` puts beside it.
        facts: Entries of bundle.json; they come before the defaults set here.
        history: One row an epoch, kept as history.csv.

    Returns:
        The bundle as it can be loaded.

    Raises:
        UserError: The exported network's answers are not the model's; the old bundle is still there.
        OSError: The folder cannot be written; the old bundle is still there.
    """
    folder.parent.mkdir(parents=True, exist_ok=True)
    partial = Path(tempfile.mkdtemp(prefix=f".{folder.name}-", dir=folder.parent))
    try:
        files = _write_network(model, partial)
        defaults = {
            "schema": SCHEMA,
            "name": folder.name,
            "class_names": list(CLASS_NAMES),
            "input_size": model.input_shape[1],
            "resize": "squash",
            "output": "logits",
            "metrics": {},
            "versions": library_versions(),
            **files,
        }
        write_json(partial / FACTS_FILE, {**defaults, **facts})
        if history is not None:
            history.to_csv(partial / HISTORY_FILE, index=False)
        partial.chmod(0o755)
        if not _is_same(partial, folder):
            replace_folder(partial, folder)
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    return load_bundle(folder)


def load_bundle(folder: Path) -> Bundle:
    """Read a bundle's facts.

    Raises:
        UserError: There is no bundle, or bundle.json is damaged or of another schema.
    """
    path = folder / FACTS_FILE
    if not path.is_file():
        raise UserError(
            f"{folder} holds no trained model ({FACTS_FILE} is missing): run `make reproduce` first."
        )
    try:
        facts = read_json(path)
        if facts["schema"] != SCHEMA:
            raise UserError(f"{path} has schema {facts['schema']}, this code reads {SCHEMA}: train again.")
        bundle = Bundle(
            folder=folder,
            class_names=tuple(facts["class_names"]),
            input_size=int(facts["input_size"]),
            resize=facts["resize"],
            output=facts["output"],
            facts=facts,
        )
        _check_names(facts)
        saved_with = facts["versions"]
    except (KeyError, TypeError, ValueError) as error:
        raise UserError(f"{path} is damaged ({error!r}): train again with `make reproduce`.") from error
    _warn_of_other_versions(folder.name, saved_with)
    return replace(bundle, calibration=read_calibration(folder, bundle.served_files))


def load_model(bundle: Bundle) -> keras.Model:
    """Load a bundle's network, checked against its checksum and without running any code it may contain.

    Raises:
        UserError: The file is missing, differs from what was saved, or cannot be read by this version of
            Keras.
    """
    import keras

    path = bundle.check_model_file()
    try:
        return keras.saving.load_model(path, compile=False, safe_mode=True)
    except (TypeError, ValueError, OSError) as error:
        reason = str(error).partition("\n")[0]
        raise UserError(f"{path} cannot be loaded ({reason}): train again with `make reproduce`.") from error


def read_history(folder: Path) -> pd.DataFrame:
    """The epochs of a bundle's training: `train.TrainingRun.history`."""
    import pandas as pd

    return pd.read_csv(folder / HISTORY_FILE)


def choose_default(models_dir: Path) -> str:
    """Name the model to use where one is needed: `best`, else the better one on validation.

    Raises:
        UserError: No model has been trained.
    """
    names = sorted(path.parent.name for path in models_dir.glob(f"[!.]*/{FACTS_FILE}"))
    if not names:
        raise UserError(f"There is no trained model in {models_dir} yet: run `make reproduce` first.")
    return PREFERRED if PREFERRED in names else better_on_validation(models_dir, names)


def write_default(models_dir: Path) -> str:
    """Write the name that `choose_default` gives to `models_dir/default`, for people and other programs.

    Raises:
        UserError: No model has been trained.
    """
    name = choose_default(models_dir)
    write_text(models_dir / DEFAULT_FILE, f"{name}\n")
    return name


def better_on_validation(models_dir: Path, names: Iterable[str]) -> str:
    """Name the model with the highest validation AUC among some, the first of equals; see `validation_rank`.

    Raises:
        UserError: One of them has not been trained.
    """

    def rank(bundle: Bundle) -> tuple[bool, float]:
        return validation_rank(bundle.facts["metrics"].get("validation", {}))

    return max((load_bundle(models_dir / name) for name in names), key=rank).name


def default_bundle_dir(settings: Settings) -> Path:
    """Folder of the model to use for this source.

    Raises:
        UserError: No model has been trained.
    """
    return settings.models_dir / choose_default(settings.models_dir)


_DECODER = "src.utils.data.pictures.decode"


def library_versions() -> dict[str, Any]:
    """Versions of what a model's numbers depend on; null where a library is not installed."""

    def installed(name: str) -> str | None:
        try:
            return version(name)
        except PackageNotFoundError:
            return None

    return {name: installed(name) for name in _MEASURED_WITH} | {"decoder": module_digest(_DECODER)}


def _warn_of_other_versions(name: str, saved_with: Mapping[str, Any]) -> None:
    """Warn when a library that is installed here is not the one the model was measured with."""
    changed = [
        f"{library} {saved_with.get(library)} → {here}"
        for library, here in library_versions().items()
        if here is not None and saved_with.get(library) != here
    ]
    if changed:
        warnings.warn(
            f"{name} was trained with other versions ({', '.join(changed)}): its numbers may differ.",
            stacklevel=3,
        )


def _is_same(new: Path, folder: Path) -> bool:
    """Whether a folder holds every file of `new` already, byte for byte."""
    return all(
        (folder / path.name).is_file() and sha256_file(folder / path.name) == sha256_file(path)
        for path in new.iterdir()
    )


def _write_network(model: Any, folder: Path) -> dict[str, Any]:
    """Write a network's files into an empty folder; return bundle.json's entries about them."""
    model_file = getattr(model, "file_name", MODEL_FILE)
    model.save(folder / model_file)
    saved = sorted(path.name for path in folder.iterdir())
    served_file = _export(model, folder) if model_file == MODEL_FILE else model_file
    needed = saved if served_file == model_file else [served_file]
    return {
        "model_file": model_file,
        "model_sha256": sha256_file(folder / model_file),
        "served_file": served_file,
        "served_files": {name: sha256_file(folder / name) for name in needed},
    }


def _export(model: keras.Model, folder: Path) -> str:
    """Export a Keras model; return the name of the file to serve."""
    from src.utils.models.bundle.export import CannotExport, export_onnx

    try:
        export_onnx(model, folder / EXPORTED_FILE)
    except CannotExport as error:
        warnings.warn(f"{model.name} is served by Keras, for it cannot be exported: {error}", stacklevel=4)
        return MODEL_FILE
    return EXPORTED_FILE


def _check_names(facts: Mapping[str, Any]) -> None:
    """Raise ValueError unless bundle.json names files of its own folder only, the served one among them."""
    served_file = facts.get("served_file", facts["model_file"])
    served_files = dict(facts.get("served_files", {facts["model_file"]: facts["model_sha256"]}))
    if served_file not in served_files:
        raise ValueError(f"{served_file!r} has no checksum")
    for name in (facts["model_file"], *served_files):
        if Path(name).name != name:
            raise ValueError(f"{name!r} is no name for a file")


def _check_file(path: Path, sha256: str) -> Path:
    """The path, if the file is there and has that checksum."""
    if not path.is_file():
        raise UserError(f"{path} is missing: put it back, or train again with `make reproduce`.")
    if sha256_file(path) != sha256:
        raise UserError(
            f"{path} is not the file bundle.json describes: put that back, or train again with "
            "`make reproduce`."
        )
    return path
