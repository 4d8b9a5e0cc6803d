"""Fetch a detector of others: `python -m src.utils.models.detectors NAME [--hash …] [--mirror …]`."""

from __future__ import annotations

import argparse
import os
import sys

from src.utils.models.detectors.kept import HASH_VARIABLE, MIRROR_VARIABLE, keep_detector
from src.utils.models.detectors.table import Entry, read_table
from src.utils.settings import Settings, UserError

DONE, WRONG_USAGE = 0, 2


def main(arguments: list[str] | None = None) -> int:
    """Run the command line.

    Args:
        arguments: Without the program's name; the process's own by default.

    Returns:
        Exit code: 0 if the detector is there now, 2 if not.
    """
    options = _parser().parse_args(arguments)
    try:
        entries = read_table()
        if not options.name:
            print(*(one.about for one in entries.values()), sep="\n")
            return DONE
        entry = _entry(entries, options.name)
        confirm = _ask if sys.stdin.isatty() else None
        folder = keep_detector(Settings.from_env(), entry, options.hash, options.mirror, confirm)
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        return WRONG_USAGE
    print(f"{entry.about}\n{folder} is its bundle.")
    print(*entry.claims, sep="\n")
    print(f"Next: `make calibrate MODEL={entry.name}` measures it here; until then it gives no verdict.")
    return DONE


def _entry(entries: dict[str, Entry], name: str) -> Entry:
    if name not in entries:
        raise UserError(f"NAME={name} is no detector of detectors.toml: use one of {', '.join(entries)}.")
    return entries[name]


def _ask(found: str) -> bool:
    """Let a person compare a hash with the one that the authors publish."""
    print(f"SHA-256 of what came: {found}", file=sys.stderr)
    return input("Is that the one its authors publish? [y/N] ").strip().lower() in ("y", "yes")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m src.utils.models.detectors",
        description="Fetch a detector of detectors.toml into models/detectors/, or list them.",
        epilog="Exit code: 0 the detector is there, 2 it cannot be had.",
    )
    parser.add_argument("name", nargs="?", help="a detector of the table; without it they are listed")
    parser.add_argument(
        "--hash",
        default=os.environ.get(HASH_VARIABLE, ""),
        help="SHA-256 of its file, where the table has none",
    )
    parser.add_argument(
        "--mirror",
        default=os.environ.get(MIRROR_VARIABLE, ""),
        metavar="URL",
        help="another address of the file, or with a closing / of its folder",
    )
    return parser


if __name__ == "__main__":
    sys.exit(main())
