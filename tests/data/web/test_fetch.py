import ipaddress
import socket
import ssl
import threading
import time
import tracemalloc

import pytest
import trustme
from hypothesis import example, given, settings
from hypothesis import strategies as st

from src.utils.data.pictures.decode import ImageError, open_image
from src.utils.data.web.addresses import is_allowed
from src.utils.data.web.fetch import FetchError, fetch_image, is_url
from src.utils.data.web.serve import read_links, serve_pictures
from tests.data.hostile_server import BODIES, JPEG, hostile_server

PUBLIC = "93.184.216.34"


def words(text):
    return text.split()


class FakeNet:
    """Stands in for the name system and the routes of the internet; everything above the socket is real.

    `names` maps a host to its successive answers (lists of addresses); public addresses lead to the local
    hostile server, whichever port is asked for. `connected` collects the addresses that were connected to.
    """

    def __init__(self, monkeypatch, port: int):
        self.names: dict[str, list[list[str]]] = {}
        self.connected: list[tuple[str, int]] = []

        def getaddrinfo(host, port, *args, **kwargs):
            answers = self.names.get(host)
            if not answers:
                raise socket.gaierror(socket.EAI_NONAME, "unknown")
            addresses = answers.pop(0) if len(answers) > 1 else answers[0]
            return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port)) for address in addresses]

        def create_connection(address, timeout=None):
            self.connected.append(address)
            if address[0] != PUBLIC:
                raise ConnectionRefusedError
            sock = socket.socket()
            sock.settimeout(timeout)
            sock.connect(("127.0.0.1", self.port))
            return sock

        self.port = port
        monkeypatch.setattr(socket, "create_connection", create_connection)
        monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)


@pytest.fixture(scope="module")
def server():
    with hostile_server() as running:
        yield running


@pytest.fixture
def base(server):
    return f"http://127.0.0.1:{server.server_port}"


@pytest.fixture
def net(server, monkeypatch):
    fake = FakeNet(monkeypatch, server.server_port)
    fake.names["pictures.example"] = [[PUBLIC]]
    return fake


def refusal(url, **options):
    """The FetchError of a link, whose sentence must be one line that ends in a full stop."""
    with pytest.raises(FetchError) as caught:
        fetch_image(url, **{"total_seconds": 5, **options})
    sentence = str(caught.value)
    assert sentence.endswith(".") and "\n" not in sentence and len(sentence) < 400
    return caught.value


def code(url, **options):
    return refusal(url, **options).code


# --- what works -------------------------------------------------------------------------------------------


def test_a_picture_arrives_byte_for_byte(base):
    fetched = fetch_image(f"{base}/ok.jpg?size=large#part", allow_local=True)
    assert fetched.data == JPEG
    assert fetched.content_type == "image/jpeg"
    assert fetched.final_url == f"{base}/ok.jpg?size=large"


@pytest.mark.parametrize("path", ["/wrong-type.jpg", "/no-type", "/gzip", "/deflate", "/raw-deflate"])
def test_the_content_is_believed_not_the_headers(base, path):
    fetched = fetch_image(base + path, allow_local=True)
    assert (fetched.data, fetched.content_type) == (JPEG, "image/jpeg")


def test_redirects_are_followed_and_the_final_address_told(base):
    fetched = fetch_image(f"{base}/redirect?to=/redirect?to=/ok.jpg", allow_local=True)
    assert fetched.final_url == f"{base}/ok.jpg"


def test_the_request_is_plain(net, server):
    server.seen.clear()
    fetch_image("http://Pictures.Example/ok.jpg?q=ä&r=[1]")
    ((path, headers),) = server.seen
    assert path == "/ok.jpg?q=%C3%A4&r=[1]"
    assert headers["Host"] == "pictures.example"
    assert headers["Accept-Encoding"] == "identity"
    assert not {"Cookie", "Authorization", "Referer"} & set(headers)


def test_international_names_are_looked_up_in_their_ascii_form(net):
    net.names["xn--bcher-kva.example"] = [[PUBLIC]]
    assert fetch_image("http://Bücher.example./ok.jpg").final_url == "http://xn--bcher-kva.example/ok.jpg"


def test_the_next_address_is_tried_when_one_does_not_answer(net):
    net.names["two.example"] = [["93.184.216.1", PUBLIC]]
    assert fetch_image("http://two.example/ok.jpg").data == JPEG
    assert net.connected == [("93.184.216.1", 80), (PUBLIC, 80)]


def test_proxies_of_the_environment_are_not_used(net, monkeypatch):
    for name in ("http_proxy", "HTTP_PROXY", "https_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    assert fetch_image("http://pictures.example/ok.jpg").data == JPEG
    assert net.connected == [(PUBLIC, 80)]


def test_a_served_folder_can_be_read_while_it_is_served(tmp_path):
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "a picture.jpg").write_bytes(JPEG)
    with serve_pictures(tmp_path) as address:
        link = f"{address}/sub/a%20picture.jpg"
        assert fetch_image(link, allow_local=True).data == JPEG
        assert code(f"{address}/../secret", allow_local=True) == "http_status"
    assert code(link, allow_local=True) == "unreachable"
    with pytest.raises(NotADirectoryError), serve_pictures(tmp_path / "missing"):
        pass


def test_without_links_a_folders_pictures_are_read_by_link(tmp_path):
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "50 %.jpg").write_bytes(JPEG)
    assert [one.data for one in read_links([], tmp_path, ["sub/50 %.jpg"])] == [JPEG]


def test_with_links_no_folder_is_served_and_this_computer_stays_closed(tmp_path, net):
    links = ["http://pictures.example/ok.jpg"]
    assert [one.data for one in read_links(links, tmp_path / "missing", ["no.jpg"])] == [JPEG]
    with pytest.raises(FetchError):
        read_links(["http://127.0.0.1/own.jpg"], tmp_path, [])


def test_what_counts_as_a_link():
    assert is_url("https://x.example/a.jpg") and is_url("HTTP://x") and is_url(" http://x ")
    assert (
        not is_url("photo.jpg") and not is_url("ftp://x/a.jpg") and not is_url("http:/x") and not is_url("")
    )


# --- where links may lead ---------------------------------------------------------------------------------

REFUSED = words("""
127.0.0.1 127.8.8.8 0.0.0.0 0.1.2.3 10.0.0.1 172.16.0.1 172.31.255.255 192.168.1.1 169.254.0.1 169.254.169.254
100.64.0.1 100.100.100.200 192.0.0.192 192.0.2.1 192.88.99.1 198.18.0.1 198.51.100.1 203.0.113.1 224.0.0.1
239.255.255.250 240.0.0.1 255.255.255.255 168.63.129.16
::1 :: fe80::1 fe80::1%eth0 fec0::1 fc00::1 fd00:ec2::254 fd20:ce::254 ff02::1 2001:db8::1 2001::1
2002:7f00:1:: 2002:a9fe:a9fe:: 100::1 5f00::1 3fff::1 ::127.0.0.1 ::ffff:127.0.0.1 ::ffff:169.254.169.254
::ffff:10.0.0.1 ::ffff:0:127.0.0.1 64:ff9b::7f00:1 64:ff9b::a9fe:a9fe 64:ff9b:1::5db8:d822 localhost 127.1
""")
ALLOWED = words("""
93.184.216.34 1.1.1.1 172.32.0.1 192.167.0.1 223.255.255.255 2606:2800:220:1:248:1893:25c8:1946
2a00:1450:4001::1 ::ffff:93.184.216.34 64:ff9b::5db8:d822
""")


@pytest.mark.parametrize("address", REFUSED)
def test_special_addresses_are_refused(address):
    assert not is_allowed(address)


@pytest.mark.parametrize("address", ALLOWED)
def test_public_addresses_are_allowed(address):
    assert is_allowed(address) and is_allowed(address, allow_local=True)


def test_the_opt_in_opens_this_network_and_nothing_else():
    opened = {address for address in REFUSED if is_allowed(address, allow_local=True)}
    assert opened == {
        *words("127.0.0.1 127.8.8.8 10.0.0.1 172.16.0.1 172.31.255.255 192.168.1.1 ::1 fc00::1"),
        *words("::ffff:127.0.0.1 ::ffff:10.0.0.1 64:ff9b::7f00:1"),
    }


@given(st.ip_addresses(v=4))
@example(ipaddress.IPv4Address("169.254.169.254"))
def test_an_ipv4_address_fares_the_same_in_every_disguise(address):
    allowed = is_allowed(str(address))
    assert is_allowed(f"::ffff:{address}") == allowed
    assert is_allowed(f"64:ff9b::{int(address) >> 16:x}:{int(address) & 0xFFFF:x}") == allowed
    assert not allowed or address.is_global


@given(st.ip_addresses(v=6))
def test_no_ipv6_address_is_allowed_that_is_not_global(address):
    assert not is_allowed(str(address)) or (address.is_global and not address.is_multicast)


SPELLINGS = words("""
127.1 127.0.1 2130706433 017700000001 0x7f000001 0x7f.1 0177.0.0.1 0 127.0.0.1. localhost [::1]
[::ffff:127.0.0.1] [0:0:0:0:0:ffff:7f00:1] ①②⑦.⓪.⓪.① 127。0。0。1
""")


@pytest.mark.parametrize("host", SPELLINGS)
def test_every_spelling_of_this_computer_is_refused(host, server):
    server.seen.clear()
    assert code(f"http://{host}/ok.jpg") in ("private_address", "not_found")
    assert server.seen == []


def test_decimal_spellings_mean_this_computer(server):
    """The cases above would prove nothing if the resolver did not understand them."""
    assert fetch_image(f"http://2130706433:{server.server_port}/ok.jpg", allow_local=True).data == JPEG
    assert code("http://2130706433/") == "private_address"


@pytest.mark.parametrize(
    "to", ["http://127.0.0.1/", "http://169.254.169.254/latest/meta-data/", "http://inside/"]
)
def test_a_redirect_inwards_is_refused(net, to):
    net.names |= {
        "127.0.0.1": [["127.0.0.1"]],
        "169.254.169.254": [["169.254.169.254"]],
        "inside": [["10.0.0.7"]],
    }
    assert code(f"http://pictures.example/redirect?to={to}") == "private_address"
    assert net.connected == [(PUBLIC, 80)]


def test_metadata_is_refused_even_to_those_who_read_locally(base):
    assert code(f"{base}/redirect?to=http://169.254.169.254/", allow_local=True) == "private_address"


@pytest.mark.parametrize("to", ["file:///etc/passwd", "ftp://pictures.example/a", "gopher://x/", "data:,a"])
def test_a_redirect_to_another_scheme_is_refused(net, to):
    assert code(f"http://pictures.example/redirect?to={to}") == "bad_url"


def test_a_name_that_rebinds_is_asked_once_and_held_to_its_answer(net):
    net.names["rebind.example"] = [[PUBLIC], ["127.0.0.1"]]
    assert fetch_image("http://rebind.example/ok.jpg").data == JPEG
    assert net.connected == [(PUBLIC, 80)]


def test_a_name_that_rebinds_between_redirects_is_refused(net):
    net.names["rebind.example"] = [[PUBLIC], ["127.0.0.1"]]
    assert code("http://rebind.example/redirect?to=http://rebind.example/ok.jpg") == "private_address"
    assert net.connected == [(PUBLIC, 80)]


def test_one_private_address_among_public_ones_spoils_the_name(net):
    net.names["mixed.example"] = [[PUBLIC, "10.0.0.1"]]
    assert code("http://mixed.example/ok.jpg") == "private_address"
    assert net.connected == []


@pytest.mark.parametrize(
    "url",
    [
        *(
            "ftp://pictures.example/a",
            "file:///etc/passwd",
            "javascript:alert(1)",
            "//pictures.example/a",
            "a.jpg",
        ),
        *(
            "http://",
            "http:///a",
            "https://?",
            "http://pictures.example:99999/",
            "http://pictures.example:x/",
        ),
        *(
            "http://user@pictures.example/",
            "http://user:secret@pictures.example/",
            "http://[::1",
            "http://a..b/",
        ),
        *(
            "http://pictures.example\\@127.0.0.1/",
            "http://pictures.example/a b",
            "http://pictures.example/\r\nX: y",
        ),
        *(
            "http://pictures.example/\x00",
            "http://exa%6dple.com/",
            "http://" + "a" * 64 + ".example/",
            "http://a!b/",
        ),
        *("http://pictures.example:22/", "http://pictures.example:8080/", "https://pictures.example:0/"),
        "http://pictures.example/" + "a" * 2048,
    ],
)
def test_doubtful_links_are_refused_unread(net, url):
    error = refusal(url)
    assert error.code == "bad_url" and "secret" not in str(error)
    assert net.connected == []


@settings(max_examples=200, deadline=None)
@given(
    st.one_of(
        st.text(max_size=60),
        st.builds("http{}://{}{}{}".format, *[st.text("s:/@[].%#?0127①ax-\\\t", max_size=9)] * 4),
    )
)
def test_no_text_makes_it_fail_in_another_way_or_connect(text):
    with pytest.MonkeyPatch.context() as monkeypatch:
        net = FakeNet(monkeypatch, 9)
        net.names = {host: [["127.0.0.1"]] for host in "12ax"}
        with pytest.raises(FetchError):
            fetch_image(text)
        assert net.connected == []


# --- what servers do --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("/missing.jpg", "http_status"),
        ("/status/403", "http_status"),
        ("/status/500", "http_status"),
        ("/status/304", "http_status"),
        ("/loop", "too_many_redirects"),
        ("/bad-redirect", "bad_url"),
        ("/cut", "cut_off"),
        ("/cut-chunk", "cut_off"),
        ("/hang-up", "cut_off"),
        ("/noise", "bad_answer"),
        ("/boast", "too_large"),
        ("/endless", "too_large"),
        ("/endless-chunks", "too_large"),
        ("/gzip-bomb", "too_large"),
        ("/gzip-lie", "bad_encoding"),
        ("/brotli", "bad_encoding"),
        ("/empty", "empty"),
        ("/page-as.jpg", "html_page"),
        ("/page-bare", "html_page"),
        ("/drawing.svg", "svg"),
        ("/drawing-as.png", "svg"),
        ("/text", "not_image"),
        ("/script.eps", "not_image"),
        ("/no-header.png", "unreadable"),
        ("/film.mp4", "not_image"),
        ("/hundred-megapixels.png", "too_many_pixels"),
        ("/gigapixels.png", "too_many_pixels"),
    ],
)
def test_each_misbehaviour_has_its_sentence(base, path, expected):
    assert code(base + path, allow_local=True, max_bytes=2_000_000) == expected


@pytest.mark.parametrize("path", ["/gzip-bomb", "/endless", "/endless-chunks", "/boast"])
def test_memory_stays_near_the_limit(base, path):
    tracemalloc.start()
    try:
        assert code(base + path, allow_local=True, max_bytes=2_000_000) == "too_large"
        assert tracemalloc.get_traced_memory()[1] < 12_000_000
    finally:
        tracemalloc.stop()


def test_refusals_speak_to_people(base):
    sentence = str(refusal(f"{base}/missing.jpg", allow_local=True))
    assert sentence == "127.0.0.1 has no such picture (HTTP 404)."
    sentence = str(refusal(f"{base}/endless", allow_local=True, max_bytes=1_500_000))
    assert sentence == "127.0.0.1 sends more than the 1.5 MB that are read."
    sentence = str(refusal(f"{base}/film.mp4", allow_local=True))
    assert sentence.startswith("What 127.0.0.1 sent is a video, not a picture")
    assert str(refusal("http://[::1]/x")).startswith("::1 is a local, private or reserved address")


def test_a_page_is_told_from_a_picture_and_its_own_picture_named(base):
    error = refusal(f"{base}/page-as.jpg", allow_local=True)
    assert error.suggestion == f"{base}/ok.jpg?a=1&b=2"
    assert str(error) == f"This is a page, not a picture; its preview picture is {error.suggestion}."
    assert fetch_image(error.suggestion, allow_local=True).data == JPEG


@pytest.mark.parametrize("path", ["/page-bare", "/page-odd"])
def test_a_page_without_a_usable_picture_says_so(base, path):
    error = refusal(base + path, allow_local=True)
    assert (error.code, error.suggestion) == ("html_page", None)


def test_a_huge_page_of_broken_tags_takes_no_time(base, monkeypatch):
    page = b"<html>" + b"<meta <!-- <meta content=" * 400_000
    monkeypatch.setitem(BODIES, "/broken-page", ("text/html", page))
    start = time.monotonic()
    assert code(f"{base}/broken-page", allow_local=True) == "html_page"
    assert time.monotonic() - start < 4


def test_a_damaged_picture_is_left_to_the_decoder(base):
    fetched = fetch_image(f"{base}/truncated.jpg", allow_local=True)
    with pytest.raises(ImageError) as caught:
        open_image(fetched.data)
    assert caught.value.code == "truncated"


def test_limits_are_exact(base):
    assert fetch_image(f"{base}/ok.jpg", allow_local=True, max_bytes=len(JPEG), max_pixels=64 * 48)
    for path in ("/ok.jpg", "/gzip"):
        assert code(base + path, allow_local=True, max_bytes=len(JPEG) - 1) == "too_large"
    with pytest.raises(
        FetchError, match=r"64 × 48 pixels, more than the 0\.003 megapixels allowed"
    ) as caught:
        fetch_image(f"{base}/ok.jpg", allow_local=True, max_pixels=3000)
    assert caught.value.code == "too_many_pixels"
    assert code(f"{base}/ok.jpg", allow_local=True, max_pixels=64 * 48 - 1) == "too_many_pixels"


@pytest.mark.parametrize("path", ["/drip", "/drip-headers", "/silent"])
def test_a_slow_server_is_left_in_time(base, path):
    start = time.monotonic()
    assert code(base + path, allow_local=True, total_seconds=0.3) == "timeout"
    assert 0.25 < time.monotonic() - start < 2


def test_a_slow_name_system_is_left_in_time(monkeypatch):
    release = threading.Event()
    monkeypatch.setattr(socket, "getaddrinfo", lambda *args, **kwargs: release.wait(30))
    try:
        assert code("http://slow.example/", total_seconds=0.2) == "timeout"
    finally:
        release.set()


def test_a_server_that_does_not_accept_is_left_in_time():
    with socket.socket() as full:
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        address = full.getsockname()
        waiting = [socket.socket() for _ in range(4)]  # fill the queue, so that a further one gets no answer
        for client in waiting:
            client.setblocking(False)
            client.connect_ex(address)
        start = time.monotonic()
        url = f"http://127.0.0.1:{address[1]}/"
        assert code(url, allow_local=True, connect_seconds=0.2, total_seconds=2) in ("unreachable", "timeout")
        assert time.monotonic() - start < 3
        for client in waiting:
            client.close()


def test_unknown_and_dead_hosts(net):
    net.names["dead.example"] = [["93.184.216.1"]]
    assert code("http://nowhere.example/a.jpg") == "not_found"
    assert code("http://dead.example/a.jpg") == "unreachable"


# --- certificates -----------------------------------------------------------------------------------------


@pytest.fixture
def secure_net(monkeypatch, tmp_path):
    """https://pictures.example with a certificate for that name only; `trust()` trusts its authority."""
    authority = trustme.CA()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("pictures.example").configure_cert(context)
    names = []
    context.sni_callback = lambda sock, name, context: names.append(name)
    authority.cert_pem.write_to_path(str(tmp_path / "authority.pem"))
    with hostile_server(context) as running:
        fake = FakeNet(monkeypatch, running.server_port)
        fake.asked_names = names
        fake.names = {"pictures.example": [[PUBLIC]], "other.example": [[PUBLIC]], PUBLIC: [[PUBLIC]]}
        fake.trust = lambda: monkeypatch.setattr("certifi.where", lambda: str(tmp_path / "authority.pem"))
        yield fake


def test_the_certificate_is_checked_against_the_name_though_the_address_is_connected_to(secure_net):
    secure_net.trust()
    fetched = fetch_image("https://pictures.example/ok.jpg")
    assert (fetched.data, fetched.final_url) == (JPEG, "https://pictures.example/ok.jpg")
    assert secure_net.connected == [(PUBLIC, 443)]
    assert secure_net.asked_names == ["pictures.example"]


@pytest.mark.parametrize("host", ["other.example", PUBLIC])
def test_a_certificate_for_another_name_is_refused(secure_net, host):
    secure_net.trust()
    assert code(f"https://{host}/ok.jpg") == "tls"


def test_a_certificate_of_an_unknown_authority_is_refused(secure_net):
    assert code("https://pictures.example/ok.jpg") == "tls"


def test_a_server_without_tls_is_refused(net):
    assert code("https://pictures.example/ok.jpg") == "tls"
