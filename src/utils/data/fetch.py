"""Read a picture from a link, without letting the link reach into the machine or its network.

A link is somebody else's instruction to make this computer connect somewhere, so nothing about it is believed:
the host is resolved here and every address it has must be public; the connection goes to the very address that
was checked (with the name kept for `Host` and the certificate), so a name that resolves differently a moment
later gains nothing; each redirect starts over. Time, bytes, unpacked bytes and pixels have limits, and what came
is judged by its content. Proxies set in the environment are not used: behind one, the proxy would resolve the
name again and the check would mean nothing.
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
import warnings
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from html.parser import HTMLParser
from urllib.parse import quote, urljoin, urlsplit

import certifi
from PIL import Image

from src.utils.data.addresses import is_allowed
from src.utils.settings import UserError

MAX_BYTES = 20_000_000
MAX_PIXELS = 50_000_000
CONNECT_SECONDS = 5.0
TOTAL_SECONDS = 20.0
MAX_REDIRECTS = 5
MAX_URL_LENGTH = 2048
PORTS = (80, 443)
"""The only ports read on the public web: a link must not turn this program into a port scanner."""

FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF", "AVIF", "MPO")
"""Pillow's names of the formats looked for; none of them runs a program or reads another file."""


class FetchError(UserError):
    """A link that gave no picture.

    Attributes:
        code: A short slug that stays the same when the sentence is reworded: `bad_url`, `not_found`,
            `private_address`, `unreachable`, `tls`, `timeout`, `too_many_redirects`, `http_status`, `cut_off`,
            `too_large`, `too_many_pixels`, `bad_encoding`, `empty`, `html_page`, `svg` or `not_a_picture`.
        suggestion: The address of the picture that an HTML page names as its own, where it names one.
    """

    def __init__(self, code: str, sentence: str, suggestion: str | None = None):
        super().__init__(sentence)
        self.code = code
        self.suggestion = suggestion


@dataclass(frozen=True)
class FetchedImage:
    """What a link led to.

    Attributes:
        data: The file's bytes, at most `max_bytes`. Its header was read, its pixels were not: decoding may
            still find it damaged.
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
    max_pixels: int = MAX_PIXELS,
    connect_seconds: float = CONNECT_SECONDS,
    total_seconds: float = TOTAL_SECONDS,
) -> FetchedImage:
    """Read one picture from the web.

    Args:
        url: An http or https link.
        allow_local: Also read from this computer and its private network, on any port: for notebooks and tests
            that serve their own pictures. Link-local, metadata and other special addresses stay refused.
        max_bytes: Limit for the file, as sent and as unpacked.
        max_pixels: Limit for width × height, read from the file's header.
        connect_seconds: Limit for reaching one address.
        total_seconds: Limit for everything: names, redirects, handshakes, every last byte.

    Raises:
        FetchError: There is no picture to be had; the message is one sentence that leaves out the link itself.
    """
    deadline = _Deadline(total_seconds, connect_seconds)
    for _ in range(MAX_REDIRECTS + 1):
        target = _parse(url, allow_local)
        with _open(target, deadline, allow_local) as response:
            location = response.getheader("Location")
            if response.status in (301, 302, 303, 307, 308) and location:
                url = urljoin(target.url, location.strip())
                continue
            if response.status != 200:
                raise FetchError("http_status", _status_sentence(target.host, response.status))
            data = _read_body(response, target.host, max_bytes)
        return FetchedImage(data, target.url, _check_content(data, target, max_pixels))
    raise FetchError("too_many_redirects", f"{target.host} redirects more than {MAX_REDIRECTS} times.")


# --- the link ---------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Target:
    """A checked link: where to connect, and what to ask for."""

    scheme: str
    host: str
    port: int
    path: str

    @property
    def host_header(self) -> str:
        name = f"[{self.host}]" if ":" in self.host else self.host
        return name if self.port == _default_port(self.scheme) else f"{name}:{self.port}"

    @property
    def url(self) -> str:
        return f"{self.scheme}://{self.host_header}{self.path}"


def _default_port(scheme: str) -> int:
    return 443 if scheme == "https" else 80


def _parse(url: str, allow_local: bool) -> _Target:
    """Take a link apart, refusing everything that two programs could read differently."""
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
    if parts.scheme not in ("http", "https"):
        raise FetchError("bad_url", "Only links that begin with http:// or https:// are read.")
    if "@" in parts.netloc:
        raise FetchError("bad_url", "The link contains a user name or password, which is not sent anywhere.")
    port = _default_port(parts.scheme) if port is None else port
    if port not in PORTS and not allow_local:
        raise FetchError("bad_url", "The link names an unusual port; only 80 and 443 are read.")
    path = quote(parts.path or "/", safe="/%:@!$&'()*+,;=~-._")
    query = quote(parts.query, safe="/?%:@!$&'()*+,;=~-._[]")
    return _Target(parts.scheme, _ascii_host(parts.hostname), port, f"{path}?{query}" if query else path)


def _ascii_host(host: str | None) -> str:
    """The host as DNS knows it: international names in their ASCII form."""
    try:
        name = host.encode("idna").decode("ascii").rstrip(".") if host else ""
    except UnicodeError:
        name = ""
    if not re.fullmatch(r"[A-Za-z0-9._-]{1,253}|[0-9A-Fa-f:.]{2,45}", name):
        raise FetchError("bad_url", "The link has no valid host name.")
    return name.lower()


# --- the address ------------------------------------------------------------------------------------------


def _resolve(target: _Target, deadline: _Deadline, allow_local: bool) -> list[str]:
    """All addresses of a host, each of them checked; one bad address spoils the name.

    The system's resolver has no time limit, so it is asked from a thread that may be left behind. It also
    understands the old spellings (`127.1`, `2130706433`, `0177.0.0.1`): what is checked is what they mean.
    """
    answers: queue.SimpleQueue = queue.SimpleQueue()

    def ask() -> None:
        try:
            answers.put(socket.getaddrinfo(target.host, target.port, type=socket.SOCK_STREAM))
        except (OSError, UnicodeError):
            answers.put([])

    threading.Thread(target=ask, daemon=True, name="resolve").start()
    try:
        found = answers.get(timeout=deadline.left())
    except queue.Empty:
        raise deadline.error() from None
    addresses = list(dict.fromkeys(str(entry[4][0]) for entry in found))
    if not addresses:
        raise FetchError("not_found", f"There is no host named {target.host}: check the link.")
    if not all(is_allowed(address, allow_local) for address in addresses):
        raise FetchError(
            "private_address",
            f"{target.host} is a local, private or reserved address; only pictures on the public web are read.",
        )
    return addresses


# --- the connection ---------------------------------------------------------------------------------------


class _Deadline:
    """One clock for the whole of a fetch."""

    def __init__(self, total_seconds: float, connect_seconds: float):
        self.total_seconds = total_seconds
        self.connect_seconds = connect_seconds
        self._end = time.monotonic() + total_seconds

    def left(self) -> float:
        """Seconds that remain, above zero."""
        left = self._end - time.monotonic()
        if left <= 0:
            raise self.error()
        return left

    def error(self) -> FetchError:
        return FetchError("timeout", f"The picture did not arrive within {self.total_seconds:g} seconds.")


class _TimedStream(io.RawIOBase):
    """A socket's incoming bytes, each wait cut off at the deadline: a server cannot drip for ever."""

    def __init__(self, sock: socket.socket, deadline: _Deadline):
        self._sock, self._deadline = sock, deadline

    def readable(self) -> bool:
        return True

    def readinto(self, buffer) -> int:
        self._sock.settimeout(self._deadline.left())
        return self._sock.recv_into(buffer)


class _TimedSocket:
    """As much of a socket as `http.client` asks for."""

    def __init__(self, sock: socket.socket, deadline: _Deadline):
        self._sock, self._deadline = sock, deadline

    def sendall(self, data: bytes) -> None:
        self._sock.settimeout(self._deadline.left())
        self._sock.sendall(data)

    def makefile(self, mode: str) -> io.BufferedReader:
        return io.BufferedReader(_TimedStream(self._sock, self._deadline))

    def close(self) -> None:
        """Leave the socket to `_open`, which closes it when the answer has been read."""


@contextlib.contextmanager
def _open(target: _Target, deadline: _Deadline, allow_local: bool) -> Iterator[http.client.HTTPResponse]:
    """Ask for the target at one of its checked addresses; network trouble in the block becomes a FetchError."""
    addresses = _resolve(target, deadline, allow_local)
    try:
        with _connect(target, addresses, deadline) as sock:
            connection = http.client.HTTPConnection(target.host)
            connection.sock = _TimedSocket(sock, deadline)
            headers = {
                "Host": target.host_header,
                "User-Agent": "human-or-ai",
                "Accept": "image/*",
                "Accept-Encoding": "identity",
                "Connection": "close",
            }
            connection.putrequest("GET", target.path, skip_host=True, skip_accept_encoding=True)
            for name, value in headers.items():
                connection.putheader(name, value)
            connection.endheaders()
            with connection.getresponse() as response:
                yield response
    except TimeoutError:
        raise deadline.error() from None
    except (OSError, http.client.HTTPException):
        raise FetchError(
            "cut_off", f"{target.host} broke off before the whole picture had arrived."
        ) from None


def _connect(target: _Target, addresses: list[str], deadline: _Deadline) -> socket.socket:
    """Connect to the first address that answers; for https, check the certificate against the host's name."""
    for address in addresses:
        try:
            seconds = min(deadline.connect_seconds, deadline.left())
            sock = socket.create_connection((address, target.port), timeout=seconds)
        except OSError:
            continue
        return _secure(sock, target, deadline) if target.scheme == "https" else sock
    raise FetchError("unreachable", f"{target.host} does not answer: try again later or check the link.")


def _secure(sock: socket.socket, target: _Target, deadline: _Deadline) -> socket.socket:
    """Start TLS with the host's name, trusting the system's authorities and certifi's."""
    context = ssl.create_default_context()
    context.load_verify_locations(certifi.where())
    try:
        sock.settimeout(min(deadline.connect_seconds, deadline.left()))
        return context.wrap_socket(sock, server_hostname=target.host)
    except TimeoutError:
        sock.close()
        raise deadline.error() from None
    except (ssl.SSLError, OSError):
        sock.close()
        raise FetchError(
            "tls", f"{target.host} has no valid certificate, so it may be somebody else."
        ) from None


# --- the answer -------------------------------------------------------------------------------------------


_STATUS_MEANINGS = {
    401: "asks for a login",
    403: "does not give this picture to programs",
    404: "has no such picture",
    410: "no longer has this picture",
    429: "is asked too often; try again later",
}


def _status_sentence(host: str, status: int) -> str:
    return f"{host} {_STATUS_MEANINGS.get(status, 'did not send a picture')} (HTTP {status})."


def _read_body(response: http.client.HTTPResponse, host: str, max_bytes: int) -> bytes:
    """Read and unpack an answer, never holding more than `max_bytes` of either."""
    too_large = FetchError("too_large", f"{host} sends more than the {max_bytes / 1e6:g} MB allowed.")
    encoding = (response.getheader("Content-Encoding") or "identity").strip().lower()
    if encoding not in ("identity", "gzip", "x-gzip", "deflate"):
        raise FetchError("bad_encoding", f"{host} sends the picture packed in a way that was not asked for.")
    if (response.length or 0) > max_bytes:
        raise too_large
    body = response.read(max_bytes + 1)
    if len(body) <= max_bytes and response.length:
        raise http.client.IncompleteRead(body, response.length)
    if len(body) <= max_bytes and encoding != "identity":
        body = _unpack(body, host, max_bytes + 1)
    if len(body) > max_bytes:
        raise too_large
    return body


def _unpack(body: bytes, host: str, limit: int) -> bytes:
    """Undo gzip or deflate (with or without zlib's header) up to `limit` bytes."""
    for window in (32 + zlib.MAX_WBITS, -zlib.MAX_WBITS):
        with contextlib.suppress(zlib.error):
            return zlib.decompressobj(window).decompress(body, limit)
    raise FetchError("bad_encoding", f"{host} says the picture is compressed, but it cannot be unpacked.")


def _check_content(data: bytes, target: _Target, max_pixels: int) -> str:
    """Say what the bytes are, by looking at them.

    Returns:
        The media type of a picture that may be decoded.

    Raises:
        FetchError: They are no picture, one of a kind that is not read, or one with too many pixels.
    """
    if not data:
        raise FetchError("empty", f"{target.host} sent an empty file.")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)
            image = Image.open(io.BytesIO(data), formats=FORMATS)
    except Image.DecompressionBombError:
        raise _too_many_pixels(target.host, max_pixels) from None
    except Exception:  # whatever Pillow's parsers stumble over, it is no picture
        raise _no_picture(data, target) from None
    if image.width * image.height > max_pixels:
        raise _too_many_pixels(target.host, max_pixels)
    return Image.MIME[image.format]


def _too_many_pixels(host: str, max_pixels: int) -> FetchError:
    limit = f"{max_pixels / 1e6:g} megapixels"
    return FetchError("too_many_pixels", f"The picture at {host} has more than the {limit} allowed.")


def _no_picture(data: bytes, target: _Target) -> FetchError:
    """Name what came instead of a picture."""
    markup = re.search(rb"<(svg|!doctype html|html|head|body|title|meta)[\s>]", data[:4096], re.IGNORECASE)
    if markup and markup[1].lower() == b"svg":
        return FetchError(
            "svg", f"{target.host} sent an SVG drawing; only photographs and other pixels are read."
        )
    if markup:
        suggestion = _preview_picture(data, target.url)
        hint = f"its preview picture is {suggestion}" if suggestion else "use the link of the picture itself"
        return FetchError("html_page", f"This is a page, not a picture; {hint}.", suggestion)
    return FetchError("not_a_picture", f"What {target.host} sent is not a picture that can be read.")


class _MetaTag(HTMLParser):
    """Reads the attributes of one `<meta …>`."""

    def __init__(self, tag: str):
        super().__init__()
        self.values: dict[str, str | None] = {}
        self.feed(tag)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.values = dict(attrs)


def _preview_picture(page: bytes, url: str) -> str | None:
    """The http(s) address of the picture that a page names for previews (`og:image`), if there is one.

    Tags are cut out first, at a bounded length: a whole hostile page would keep an HTML parser busy for minutes.
    """
    for tag in re.finditer(rb"<meta\s[^<>]{1,4000}>", page[:2_000_000], re.IGNORECASE):
        values = _MetaTag(tag[0].decode("utf-8", errors="replace")).values
        name = values.get("property") or values.get("name") or ""
        if name.lower() in ("og:image", "og:image:url", "og:image:secure_url") and values.get("content"):
            with contextlib.suppress(FetchError, ValueError):
                return _parse(urljoin(url, values["content"].strip()), allow_local=True).url
    return None
