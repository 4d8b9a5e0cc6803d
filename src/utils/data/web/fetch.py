"""Read a picture from a link, without letting the link reach into this machine or its network.

A link is somebody else's instruction to connect somewhere, so nothing about it is believed. The host is
resolved here, every address it has must be public, and the connection goes to the very address that was
checked (the name stays for `Host` and the certificate): a name that means something else a moment later
gains nothing. Each redirect starts over. Time, bytes, unpacked bytes and pixels have limits, and what came is
judged by its content. Proxies named in the environment are not used: a proxy would resolve the name once
more, and the check would mean nothing.
"""

from __future__ import annotations

import contextlib
import http.client
import io
import queue
import re
import socket
import ssl
import threading
import time
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from html.parser import HTMLParser
from urllib.parse import quote, urljoin, urlsplit

import certifi

from src.utils.data.pictures.decode import SENT_PIXELS, ImageError, open_header
from src.utils.data.web.addresses import is_allowed
from src.utils.settings import UserError

MAX_BYTES = 20_000_000
CONNECT_SECONDS = 5.0
TOTAL_SECONDS = 20.0
MAX_REDIRECTS = 5
MAX_URL_LENGTH = 2048
DEFAULT_PORTS = {"http": 80, "https": 443}
"""The schemes that are read and, on the public web, the only ports: this must not become a port scanner."""


class FetchError(UserError):
    """A link that gave no picture.

    Attributes:
        code: A slug that stays when the sentence is reworded: `bad_url`, `not_found`, `private_address`,
            `unreachable`, `tls`, `timeout`, `bad_answer`, `too_many_redirects`, `http_status`, `cut_off`,
            `too_large`, `too_many_pixels`, `bad_encoding`, `html_page`, `svg`, or one of an `ImageError`.
        suggestion: The link of the picture that an HTML page names as its own, where it names one.
    """

    def __init__(self, code: str, sentence: str, suggestion: str | None = None):
        super().__init__(sentence)
        self.code = code
        self.suggestion = suggestion


@dataclass(frozen=True)
class FetchedImage:
    """What a link led to.

    Attributes:
        data: The file's bytes. Its header was read, its pixels were not: decoding may still find it damaged.
        final_url: The address after redirects.
        content_type: The media type that the content shows, whatever the server said, such as `image/jpeg`.
    """

    data: bytes
    final_url: str
    content_type: str


def is_url(text: str) -> bool:
    """Whether `text` is meant as a link (it begins with http:// or https://) and not as a path."""
    return text.strip().lower().startswith(("http://", "https://"))


def fetch_image(
    url: str,
    *,
    allow_local: bool = False,
    max_bytes: int = MAX_BYTES,
    max_pixels: int = SENT_PIXELS,
    connect_seconds: float = CONNECT_SECONDS,
    total_seconds: float = TOTAL_SECONDS,
) -> FetchedImage:
    """Read one picture from the web.

    Args:
        url: An http or https link.
        allow_local: Also read from this computer and its private network, on any port: for notebooks and
            tests that serve their own pictures. Link-local, metadata and special addresses stay refused.
        max_bytes: Limit for the file, as sent and as unpacked.
        max_pixels: Limit for width × height, read from the file's header.
        connect_seconds: Limit for reaching one address.
        total_seconds: Limit for everything: names, redirects, handshakes, the last byte.

    Returns:
        The file, not yet decoded.

    Raises:
        FetchError: There is no picture to be had; one sentence that does not repeat the link.
    """
    deadline = _Deadline(total_seconds)
    for _ in range(MAX_REDIRECTS + 1):
        target = _parse(url, any_port=allow_local)
        addresses = _resolve(target, deadline, allow_local)
        with _answer(target, addresses, deadline, connect_seconds) as response:
            location = response.getheader("Location")
            if response.status in (301, 302, 303, 307, 308) and location:
                url = _join(target.url, location.encode("latin-1").decode(errors="replace"))
                continue
            if response.status != 200:
                raise FetchError("http_status", _status_sentence(target.host, response.status))
            data = _read_body(response, target.host, max_bytes)
        return FetchedImage(data, target.url, _check_content(data, target, max_pixels))
    raise FetchError("too_many_redirects", f"{target.host} redirects more than {MAX_REDIRECTS} times.")


# --- the link ---------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Target:
    """A link taken apart: where to connect and what to ask for."""

    scheme: str
    host: str
    port: int
    path: str

    @property
    def host_header(self) -> str:
        name = f"[{self.host}]" if ":" in self.host else self.host
        return name if self.port == DEFAULT_PORTS[self.scheme] else f"{name}:{self.port}"

    @property
    def url(self) -> str:
        return f"{self.scheme}://{self.host_header}{self.path}"


def _parse(url: str, any_port: bool) -> _Target:
    """Take a link apart, refusing whatever two programs might read differently."""
    url = url.strip()
    if len(url) > MAX_URL_LENGTH:
        raise FetchError("bad_url", f"The link is longer than {MAX_URL_LENGTH} characters.")
    if re.search(r"[\x00-\x20\x7f\\]", url):
        raise FetchError("bad_url", "The link contains a space, a backslash or a control character.")
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise FetchError("bad_url", "The link cannot be read: check its host and port.") from None
    if parts.scheme not in DEFAULT_PORTS:
        raise FetchError("bad_url", "Only links that begin with http:// or https:// are read.")
    if "@" in parts.netloc:
        raise FetchError("bad_url", "The link contains a user name or a password: use one without.")
    port = DEFAULT_PORTS[parts.scheme] if port is None else port
    if not any_port and port not in DEFAULT_PORTS.values():
        raise FetchError("bad_url", "The link names an unusual port; only 80 and 443 are read.")
    path = quote(parts.path or "/", safe="/%:@!$&'()*+,;=~")
    query = quote(parts.query, safe="/?%:@!$&'()*+,;=~[]")
    return _Target(parts.scheme, _ascii_host(parts.hostname), port, f"{path}?{query}" if query else path)


def _join(base: str, link: str) -> str:
    """A link as seen from the page or answer that holds it."""
    try:
        return urljoin(base, link.strip())
    except ValueError:
        raise FetchError("bad_url", "The link leads to one that cannot be read.") from None


def _ascii_host(host: str | None) -> str:
    """The host as the name system knows it, international names in their ASCII form."""
    try:
        name = (host or "").encode("idna").decode("ascii").rstrip(".").lower()
    except UnicodeError:
        name = ""
    if not re.fullmatch(r"[a-z0-9._-]{1,253}|[0-9a-f:.]{2,45}", name):
        raise FetchError("bad_url", "The link has no valid host name.")
    return name


# --- time -------------------------------------------------------------------------------------------------


class _Deadline:
    """One clock for the whole of a fetch."""

    def __init__(self, seconds: float):
        self._seconds = seconds
        self._end = time.monotonic() + seconds

    def left(self) -> float:
        """Seconds that remain, above zero."""
        left = self._end - time.monotonic()
        if left <= 0:
            raise self.error()
        return left

    def error(self) -> FetchError:
        return FetchError("timeout", f"The picture did not arrive within {self._seconds:g} seconds.")


class _TimedStream(io.RawIOBase):
    """A socket's incoming bytes; every wait ends at the deadline, so a server cannot drip for ever."""

    def __init__(self, sock: socket.socket, deadline: _Deadline):
        self._sock, self._deadline = sock, deadline

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview) -> int:
        self._sock.settimeout(self._deadline.left())
        return self._sock.recv_into(buffer)


class _TimedSocket:
    """As much of a socket as `http.client` uses."""

    def __init__(self, sock: socket.socket, deadline: _Deadline):
        self._sock, self._deadline = sock, deadline

    def sendall(self, data: bytes) -> None:
        self._sock.settimeout(self._deadline.left())
        self._sock.sendall(data)

    def makefile(self, mode: str) -> io.BufferedReader:
        return io.BufferedReader(_TimedStream(self._sock, self._deadline))

    def close(self) -> None:
        """Leave the socket to `_answer`, which closes it after the last byte."""


# --- the connection ---------------------------------------------------------------------------------------


def _resolve(target: _Target, deadline: _Deadline, allow_local: bool) -> list[str]:
    """All addresses of a host, each of them checked: one bad address spoils the name.

    The system's resolver knows no time limit, so it is asked from a thread that may be left behind. It also
    understands old spellings (`127.1`, `2130706433`, `0177.0.0.1`): what is checked is what it makes of them.
    """
    answers: queue.SimpleQueue = queue.SimpleQueue()

    def ask() -> None:
        try:
            answers.put(socket.getaddrinfo(target.host, target.port, type=socket.SOCK_STREAM))
        except (OSError, UnicodeError):
            answers.put([])

    threading.Thread(target=ask, daemon=True).start()
    try:
        found = answers.get(timeout=deadline.left())
    except queue.Empty:
        raise deadline.error() from None
    addresses = list(dict.fromkeys(str(entry[4][0]) for entry in found))
    if not addresses:
        raise FetchError("not_found", f"There is no host named {target.host}: check the link.")
    if not all(is_allowed(address, allow_local) for address in addresses):
        sentence = f"{target.host} is a local, private or reserved address; only the public web is read."
        raise FetchError("private_address", sentence)
    return addresses


@contextlib.contextmanager
def _answer(
    target: _Target, addresses: list[str], deadline: _Deadline, connect_seconds: float
) -> Iterator[http.client.HTTPResponse]:
    """Ask one of the checked addresses for the target; trouble on the way becomes a FetchError."""
    try:
        with _connect(target, addresses, deadline, connect_seconds) as sock:
            connection = http.client.HTTPConnection(target.host)
            connection.sock = _TimedSocket(sock, deadline)
            connection.putrequest("GET", target.path, skip_host=True, skip_accept_encoding=True)
            connection.putheader("Host", target.host_header)
            connection.putheader("User-Agent", "human-or-ai")
            connection.putheader("Accept", "image/*")
            connection.putheader("Accept-Encoding", "identity")
            connection.putheader("Connection", "close")
            connection.endheaders()
            with connection.getresponse() as response:
                yield response
    except TimeoutError:
        raise deadline.error() from None
    except (OSError, http.client.IncompleteRead):
        raise FetchError("cut_off", f"{target.host} broke off before the whole picture had come.") from None
    except http.client.HTTPException:
        raise FetchError("bad_answer", f"{target.host} does not answer as a web server does.") from None


def _connect(
    target: _Target, addresses: list[str], deadline: _Deadline, connect_seconds: float
) -> socket.socket:
    """Connect to the first address that answers; for https, make sure that it is the host."""
    for address in addresses:
        seconds = min(connect_seconds, deadline.left())
        try:
            sock = socket.create_connection((address, target.port), timeout=seconds)
        except OSError:
            continue
        return _secure(sock, target, deadline) if target.scheme == "https" else sock
    raise FetchError("unreachable", f"{target.host} does not answer: check the link or try again later.")


def _secure(sock: socket.socket, target: _Target, deadline: _Deadline) -> ssl.SSLSocket:
    """Start TLS under the host's name, trusting the system's authorities and certifi's."""
    context = ssl.create_default_context()
    context.load_verify_locations(certifi.where())
    try:
        sock.settimeout(deadline.left())
        return context.wrap_socket(sock, server_hostname=target.host)
    except (OSError, FetchError) as error:
        sock.close()
        if isinstance(error, ssl.SSLError):
            sentence = f"No secure connection to {target.host} can be made, or its certificate is not valid."
            raise FetchError("tls", sentence) from None
        raise


# --- the answer -------------------------------------------------------------------------------------------

_STATUS_MEANINGS = {
    401: "asks for a login",
    403: "does not give this picture to programs",
    404: "has no such picture",
    410: "no longer has this picture",
    429: "is asked too often: try again later",
}


def _status_sentence(host: str, status: int) -> str:
    return f"{host} {_STATUS_MEANINGS.get(status, 'did not send a picture')} (HTTP {status})."


def _read_body(response: http.client.HTTPResponse, host: str, max_bytes: int) -> bytes:
    """Read and unpack an answer without ever holding much more than `max_bytes`."""
    encoding = (response.getheader("Content-Encoding") or "identity").strip().lower()
    if encoding not in ("identity", "gzip", "x-gzip", "deflate"):
        raise FetchError("bad_encoding", f"{host} sends the picture packed in a way that was not asked for.")
    announced = response.length or 0
    body = b"" if announced > max_bytes else response.read(max_bytes + 1)
    if len(body) < announced <= max_bytes:
        raise http.client.IncompleteRead(body)
    if encoding != "identity" and len(body) <= max_bytes:
        body = _unpack(body, host, max_bytes + 1)
    if max(announced, len(body)) > max_bytes:
        raise FetchError("too_large", f"{host} sends more than the {max_bytes / 1e6:g} MB that are read.")
    return body


def _unpack(body: bytes, host: str, limit: int) -> bytes:
    """Undo gzip or deflate (with or without zlib's header), stopping at `limit` bytes."""
    for window in (32 + zlib.MAX_WBITS, -zlib.MAX_WBITS):
        with contextlib.suppress(zlib.error):
            return zlib.decompressobj(window).decompress(body, limit)
    raise FetchError("bad_encoding", f"{host} sends the picture packed, and it cannot be unpacked.")


def _check_content(data: bytes, target: _Target, max_pixels: int) -> str:
    """Look at the bytes and say which kind of picture they are.

    Returns:
        The media type, such as `image/png`.

    Raises:
        FetchError: They are no picture, of a kind that is not read, or promise too many pixels.
    """
    try:
        header = open_header(data, max_pixels, name=f"What {target.host} sent")
    except ImageError as error:
        raise _no_picture(data, target, error) from None
    if header.width * header.height > max_pixels:
        size = f"{header.width:,} × {header.height:,} pixels"
        limit = f"the {max_pixels / 1e6:g} megapixels allowed"
        raise FetchError("too_many_pixels", f"The picture at {target.host} has {size}, more than {limit}.")
    return header.get_format_mimetype()  # pyright: ignore[reportReturnType]


def _no_picture(data: bytes, target: _Target, error: ImageError) -> FetchError:
    """Name what came instead of a picture: markup is looked at here, the rest is the decoder's finding."""
    markup = re.search(rb"<(svg|!doctype html|html|head|body|title|meta)[\s>]", data[:4096], re.IGNORECASE)
    if markup and markup[1].lower() == b"svg":
        return FetchError("svg", f"{target.host} sent an SVG drawing, which has no pixels to look at.")
    if markup:
        suggestion = _preview_picture(data, target.url)
        hint = f"its preview picture is {suggestion}" if suggestion else "use the link of the picture itself"
        return FetchError("html_page", f"This is a page, not a picture; {hint}.", suggestion)
    return FetchError("too_many_pixels" if error.code == "too_large" else error.code, str(error))


class _MetaTag(HTMLParser):
    """The attributes of one `<meta …>`."""

    def __init__(self, tag: str):
        super().__init__()
        self.values: dict[str, str | None] = {}
        self.feed(tag)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.values = dict(attrs)


def _preview_picture(page: bytes, url: str) -> str | None:
    """The link of the picture that a page names for previews (`og:image`), if there is a usable one.

    Tags are cut out first, at a bounded length: whole hostile pages can keep an HTML parser busy for minutes.
    """
    for tag in re.finditer(rb"<meta\s[^<>]{1,4000}>", page, re.IGNORECASE):
        values = _MetaTag(tag[0].decode("utf-8", errors="replace")).values
        name = values.get("property") or values.get("name") or ""
        content = values.get("content")
        if name.lower() in ("og:image", "og:image:url", "og:image:secure_url") and content:
            with contextlib.suppress(FetchError):
                return _parse(_join(url, content), any_port=True).url
    return None


def try_links(*links: str) -> dict[str, str]:
    """Say of each link what `fetch_image` makes of it: the media type, or the refusal's sentence."""
    answers = {}
    for link in links:
        try:
            answers[link] = fetch_image(link).content_type
        except FetchError as error:
            answers[link] = str(error)
    return answers
