"""Pictures in an S3 bucket, `s3://bucket/prefix`: listed once, then each read where it is looked at.

obstore reads them, through fsspec's interface. Keys, region and the address of another service than Amazon's
are the usual variables (AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_REGION, AWS_ENDPOINT_URL) of whichever
machine reads. Both packages are imported only for such an address.
"""

from __future__ import annotations

import contextlib
from collections import Counter
from collections.abc import Iterator
from typing import Any

from src.utils.data.pictures.decode import BYTES_PER_PIXEL, MAX_PIXELS, ImageError
from src.utils.data.pictures.listing import is_image_name, kind_of_name
from src.utils.settings import UserError

SCHEME = "s3://"


def is_in_bucket(name: str) -> bool:
    """Whether a name is an address in a bucket."""
    return name.startswith(SCHEME)


def walk_bucket(address: str, left_out: Counter[str]) -> Iterator[str]:
    """The addresses of all pictures below a prefix, sorted.

    Args:
        address: `s3://bucket`, or that with a prefix that ends where a folder's name would.
        left_out: Counts, by kind, the objects that are not named like pictures.

    Raises:
        UserError: The bucket cannot be listed.
    """
    with _explained(address):
        names = sorted(_store().find(address.removeprefix(SCHEME).rstrip("/")))
    for name in names:
        if is_image_name(name):
            yield SCHEME + name
        else:
            left_out[kind_of_name(name)] += 1


def read_object(address: str) -> bytes:
    """Read one object, unless it is too long to be a picture.

    Raises:
        ImageError: It is missing, too long, or cannot be read.
    """
    longest = MAX_PIXELS * BYTES_PER_PIXEL
    with _explained(address):
        data = _store().cat_file(address.removeprefix(SCHEME), start=0, end=longest + 1)
    if len(data) > longest:
        raise ImageError("too_large", address, f"has more than {longest / 1e6:,.0f} MB")
    return data


def _store() -> Any:
    try:
        from obstore.fsspec import FsspecStore
    except ModuleNotFoundError as error:
        raise UserError(
            f"{SCHEME} needs {error.name}, which is not installed: run "
            '`.venv/bin/python -m pip install -e ".[cluster]"`.'
        ) from error
    return FsspecStore("s3")  # fsspec keeps one


@contextlib.contextmanager
def _explained(address: str) -> Iterator[None]:
    """Turn what the store's library raises into one line that names the object."""
    try:
        yield
    except UserError:
        raise
    except FileNotFoundError as error:
        raise ImageError("missing", address, "does not exist") from error
    except Exception as error:  # the errors of obstore share no public base class with those of fsspec
        reason = (str(error).strip() or type(error).__name__).partition("\n")[0]
        raise ImageError(
            "unreadable", address, f"cannot be read ({reason[:200]})", "check it and the AWS_… variables"
        ) from error
