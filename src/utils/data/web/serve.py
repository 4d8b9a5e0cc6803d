"""Serve a folder of pictures on this computer, so that reading from a link can be shown without a network."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterable, Iterator, Sequence
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import quote

from src.utils.data.web.fetch import FetchedImage, fetch_image


class _QuietHandler(SimpleHTTPRequestHandler):
    """Serves files and says nothing about it."""

    def log_message(self, *args: object) -> None:
        pass


def link_to(address: str, name: str) -> str:
    """Link of a file below a served folder.

    Args:
        address: What `serve_pictures` yields.
        name: The file's path below the folder, with forward slashes, whatever characters are in it.
    """
    return f"{address}/{quote(name)}"


@contextlib.contextmanager
def serve_pictures(folder: Path) -> Iterator[str]:
    """Serve `folder` over http to this computer only, for as long as the block lasts.

    Reading from it needs `fetch_image(..., allow_local=True)`.

    Args:
        folder: The folder to serve, with what lies below it.

    Yields:
        The address of the folder without a closing slash, such as `http://127.0.0.1:40123`; the port is free.

    Raises:
        NotADirectoryError: `folder` is not a folder.
    """
    if not folder.is_dir():
        raise NotADirectoryError(folder)
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(_QuietHandler, directory=str(folder))) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()


def read_links(urls: Sequence[str], folder: Path, names: Iterable[str]) -> list[FetchedImage]:
    """Read pictures from links; without any, pictures of a folder from links to this computer.

    Args:
        urls: Links; none to read `names`.
        folder: What `names` are relative to; served while they are read.
        names: Paths below the folder, with forward slashes.

    Returns:
        A fetched picture for each link, in order.

    Raises:
        FetchError: There is no picture to be had from a link.
    """
    if urls:
        return [fetch_image(url) for url in urls]
    with serve_pictures(folder) as address:
        return [fetch_image(link_to(address, name), allow_local=True) for name in names]
