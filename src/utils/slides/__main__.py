"""Make a talk from a finished run: `python -m src.utils.slides`, or `make slides`."""

from __future__ import annotations

import argparse
import sys
import warnings
from pathlib import Path

from src.utils.settings import Settings, UserError
from src.utils.slides.findings import read_findings
from src.utils.slides.layout import lay_out
from src.utils.slides.portable import write_pdf
from src.utils.slides.powerpoint import write_powerpoint
from src.utils.slides.talk import make_talk

DONE, WRONG_USAGE = 0, 2

_DESCRIPTION = """\
Make a talk from the run in reports/SOURCE and figures/SOURCE: slides.pptx, with notes, and slides.pdf.
Every number on it comes from that run; what the run did not measure or draw has no slide.
"""

_EPILOG = """\
DATA_SOURCE chooses the dataset, as for `make reproduce`.
Exit code: 0 done, 2 there is no finished run, or a file of it is damaged.
"""


def make_slides(settings: Settings) -> tuple[Path, Path]:
    """Write the talk of a run.

    Args:
        settings: Which run.

    Returns:
        `reports/<source>/slides.pptx` and `slides.pdf`.

    Raises:
        UserError: There is no finished run, or a file of it is damaged.
    """
    findings = read_findings(settings)
    slides = make_talk(findings)
    pages = lay_out(slides, findings.footer)
    title = f"{slides[0].title} {findings.footer}"
    powerpoint, pdf = (settings.reports_dir / f"slides.{suffix}" for suffix in ("pptx", "pdf"))
    write_powerpoint(pages, title, powerpoint)
    write_pdf(pages, title, pdf)
    return powerpoint, pdf


def main(arguments: list[str] | None = None) -> int:
    """Run the command line.

    Args:
        arguments: Without the program's name; the process's own by default.

    Returns:
        Exit code: 0 if the talk was written, 2 if there is no run to make it from.
    """
    _parser().parse_args(arguments)
    try:
        with warnings.catch_warnings(record=True) as noticed:
            written = make_slides(Settings.from_env())
    except (UserError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return WRONG_USAGE
    print("".join(f"{one.message}\n" for one in noticed), end="", file=sys.stderr)
    print("\n".join(map(str, written)))
    return DONE


def _parser() -> argparse.ArgumentParser:
    return argparse.ArgumentParser(
        prog="python -m src.utils.slides",
        description=_DESCRIPTION,
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )


if __name__ == "__main__":
    sys.exit(main())
