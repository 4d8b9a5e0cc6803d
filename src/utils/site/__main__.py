"""Make a website from a finished run: `python -m src.utils.site`, or `make site`."""

from __future__ import annotations

import argparse
import sys

from src.utils.settings import Settings, UserError
from src.utils.site.run import read_run
from src.utils.site.website import write_site

DONE, WRONG_USAGE = 0, 2

_DESCRIPTION = """\
Make a website from the run in reports/SOURCE and figures/SOURCE: results, executed notebooks, figures with
downloads, model card, data, search. It opens from the disk and works on any static host; it asks nobody else
for anything. It is written to reports/SOURCE/site, in the place of an older one.
"""

_EPILOG = """\
DATA_SOURCE chooses the dataset, as for `make reproduce`.
Exit code: 0 done, 2 there is no finished run, or a file of it is damaged.
"""


def main(arguments: list[str] | None = None) -> int:
    """Run the command line.

    Args:
        arguments: Without the program's name; the process's own by default.

    Returns:
        Exit code: 0 if the site was written, 2 if there is no run to make it from.
    """
    _parser().parse_args(arguments)
    try:
        settings = Settings.from_env()
        print(write_site(read_run(settings), settings.reports_dir / "site"))
    except (UserError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return WRONG_USAGE
    return DONE


def _parser() -> argparse.ArgumentParser:
    return argparse.ArgumentParser(
        prog="python -m src.utils.site",
        description=_DESCRIPTION,
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )


if __name__ == "__main__":
    sys.exit(main())
