"""Make a bundle of a Keras model from elsewhere, once: `python -m src.utils.pipeline.convert MODEL.h5 …`."""

from __future__ import annotations

import argparse
import os
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from src.utils.environment import quiet_start
from src.utils.files import sha256_file
from src.utils.settings import CLASS_NAMES, PROJECT_ROOT, Settings, UserError

if TYPE_CHECKING:
    from src.utils.models.bundle.bundle import Bundle
    from src.utils.models.bundle.legacy import Converted, Told

DONE, WRONG_USAGE = 0, 2

_DESCRIPTION = """\
Make a bundle of a Keras model from elsewhere, so that command line, page and notebooks can use it:
two logits, Human-made first, exported for ONNX Runtime.
"""

_EPILOG = """\
Nothing is guessed, for a wrong guess gives confident answers that are the wrong way round: ask whoever
trained the model. If it ends in a sigmoid or a softmax, its file says so and --output is not needed.

The deck's page divided pixels by 255, and took a high number from a single output for a human's work:

  python -m src.utils.pipeline.convert model_05.h5 --name old_page --pixels 0-1 --high-means human

and --output logits too, if the model itself ends without a sigmoid. No code in a model's file is run.
Exit code: 0 done, 2 wrong usage or a model that cannot be converted.
"""


def main(arguments: list[str] | None = None) -> int:
    """Run the command line.

    Args:
        arguments: Without the program's name; the process's own by default.

    Returns:
        Exit code: 0 if the bundle was written, 2 for wrong usage or a model that cannot be converted.
    """
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # TensorFlow's start-up notes are not for this reader
    options = _parser().parse_args(arguments)
    try:
        folder = _target(options.name, options.to)
        with quiet_start():
            from src.utils.models.bundle.legacy import Told
        told = Told(options.pixels, options.high_means, options.classes, options.output)
        bundle, converted = convert(options.model, folder, told)
    except ModuleNotFoundError as error:
        print(
            f"error: converting needs {error.name}: run `make setup`, then use its Python.", file=sys.stderr
        )
        return WRONG_USAGE
    except (UserError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return WRONG_USAGE
    print(describe(options.model, bundle, converted, told))
    return DONE


def convert(path: Path, folder: Path, told: Told) -> tuple[Bundle, Converted]:
    """Convert a model's file into a bundle that claims no metrics, for none are known.

    Args:
        path: An `.h5` or `.keras` file.
        folder: The bundle to write.
        told: What the file does not say.

    Raises:
        UserError: The file cannot be read or converted, or what was told does not fit it.
        OSError: The folder cannot be written.
    """
    from src.utils.models.bundle.bundle import save_bundle
    from src.utils.models.bundle.legacy import convert_legacy, load_legacy

    converted = convert_legacy(load_legacy(path), told)
    origin = {
        "file": path.name,
        "sha256": sha256_file(path),
        "output": converted.output,
        "high_means": told.high_means,
        "classes": told.classes,
        "pixels": told.pixels,
    }
    facts = {"source": "unknown", "demonstration": False, "metrics": {}, "converted_from": origin}
    return save_bundle(folder, converted.model, facts), converted


def describe(path: Path, bundle: Bundle, converted: Converted, told: Told) -> str:
    """Say in a few lines what became what, and what can be done with it."""
    names = {"human": CLASS_NAMES[0], "ai": CLASS_NAMES[1]}
    if converted.outputs == 1:
        numbers = f"one number, high for {names[told.high_means]}"  # pyright: ignore[reportArgumentType]
    else:
        classes = (told.classes or "").split(",")
        numbers = "two numbers, " + " then ".join(names[one] for one in classes)
    kind = "as logits" if converted.output == "logits" else f"after a {converted.output}"
    way = "from before that" if converted.exact else "the logarithms of these"
    place, size = _shown(bundle.folder), f"{bundle.input_size} × {bundle.input_size} pixels"
    return "\n".join(
        (
            f"{path.name}: {size}, {told.pixels} → {numbers}, {kind}",
            f"{place}: {size}, 0-255 → two logits, {' then '.join(bundle.class_names)}"
            + (f", {way}" if converted.output != "logits" else ""),
            f"Their probabilities for six test pictures differ by at most {converted.difference:.1g}. "
            "How good the model is was not measured, so the bundle has no metrics.",
            f"Next: python -m src.utils.predict --model {place} PICTURE, or MODEL_DIR={place} make app",
        )
    )


def _target(name: str | None, to: Path | None) -> Path:
    """The bundle's folder, which must not be there yet."""
    if name is not None and not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]*", name):
        raise UserError(
            f"{name!r} is no name for a model: use letters, digits, dots, dashes and underscores."
        )
    folder = to if to is not None else Settings.from_env().models_dir / str(name)
    if folder.exists():
        raise UserError(f"{_shown(folder)} is there already: choose another name, or delete it first.")
    return folder


def _shown(folder: Path) -> str:
    """A folder as one would type it in the project's folder."""
    return str(folder.relative_to(PROJECT_ROOT) if folder.is_relative_to(PROJECT_ROOT) else folder)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m src.utils.pipeline.convert",
        description=_DESCRIPTION,
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("model", type=Path, metavar="MODEL", help="an .h5 or .keras file of a whole model")
    target = parser.add_mutually_exclusive_group(required=True)
    target.add_argument("--name", help="write models/<source>/NAME")
    target.add_argument("--to", type=Path, metavar="FOLDER", help="write FOLDER instead")
    parser.add_argument(
        "--pixels",
        required=True,
        choices=("0-255", "0-1", "minus1-1"),
        help="the range of the pixels that were fed to the model (minus1-1 is -1 to 1)",
    )
    meaning = parser.add_mutually_exclusive_group(required=True)
    meaning.add_argument(
        "--high-means", choices=("human", "ai"), help="one output: the class that a high number speaks for"
    )
    meaning.add_argument(
        "--classes",
        choices=("human,ai", "ai,human"),
        metavar="ORDER",
        help="two outputs: which class each speaks for, human,ai or ai,human",
    )
    parser.add_argument(
        "--output",
        choices=("sigmoid", "softmax", "logits"),
        help="what the numbers are, where the model does not end in an activation that says it",
    )
    return parser


if __name__ == "__main__":
    sys.exit(main())
