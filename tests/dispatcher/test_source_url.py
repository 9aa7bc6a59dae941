"""How a URL may be spelled: in one way, for what can be read in two ways is refused."""

from __future__ import annotations

from ipaddress import ip_address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from colorway.errors import InvalidRequest
from dispatcher.remote_image import SourceUrl, UrlRules
from dispatcher.remote_image.source_url import MAX_LENGTH

STRICT, WITH_HTTP = UrlRules(), UrlRules(allow_http=True)


def refusal(text: str, rules: UrlRules = STRICT) -> str:
    with pytest.raises(InvalidRequest) as refused:
        rules.read(text)
    assert (refused.value.status, refused.value.code) == (422, "source-blocked")
    return refused.value.detail


@pytest.mark.parametrize(
    ("text", "read"),
    [
        ("https://cdn.example/a.png", ("cdn.example", 443, "/a.png")),
        ("HTTPS://CDN.Example/A.png", ("cdn.example", 443, "/A.png")),
        ("https://cdn.example", ("cdn.example", 443, "/")),
        ("https://cdn.example?size=2", ("cdn.example", 443, "/?size=2")),
        ("https://cdn.example/a?b=/c@d:e#part", ("cdn.example", 443, "/a?b=/c@d:e")),
        ("https://cdn.example#part", ("cdn.example", 443, "/")),
        ("https://cdn.example:443/a", ("cdn.example", 443, "/a")),
        ("https://cdn.example:80/a", ("cdn.example", 80, "/a")),
        ("https://cdn.example:/a", ("cdn.example", 443, "/a")),
        ("https://xn--bcher-kva.example/%C3%BC", ("xn--bcher-kva.example", 443, "/%C3%BC")),
        ("https://my_bucket.s3.example/a", ("my_bucket.s3.example", 443, "/a")),
        ("https://1.2.3.4.example/a", ("1.2.3.4.example", 443, "/a")),
    ],
)
def test_a_url_says_where_to_connect_and_what_to_ask_for(text, read):
    url = STRICT.read(text)

    assert (url.host, url.port, url.target) == read
    assert (url.scheme, url.address) == ("https", None)


@pytest.mark.parametrize(
    ("host", "address"),
    [
        ("8.8.8.8", "8.8.8.8"),
        ("[2606:4700::1111]", "2606:4700::1111"),
        ("[2606:4700:0:0:0:0:0:1111]", "2606:4700::1111"),
        ("[::ffff:10.0.0.1]", "::ffff:10.0.0.1"),
    ],
)
def test_a_host_may_be_an_address(host, address):
    url = STRICT.read(f"https://{host}/a")

    assert (url.address, url.host) == (ip_address(address), str(ip_address(address)))


@pytest.mark.parametrize(
    "host",
    [
        "0177.0.0.1",  # octal
        "127.0.0.01",
        "0x7f.0.0.1",  # hex
        "0x7f000001",
        "127.0.0.0x1",
        "2130706433",  # one decimal number
        "017700000001",
        "127.1",  # short
        "127.0.1",
        "0",
        "1.2.3.4.5",
        "256.1.1.1",
        "a.1",
        "a.0x",
    ],
)
def test_an_ipv4_address_has_one_spelling(host):
    assert "four decimal numbers" in refusal(f"https://{host}/a")


@pytest.mark.parametrize(
    "host",
    [
        "[::1",
        "::1",
        "[::1]x",
        "[]",
        "[1.2.3.4]",
        "[cdn.example]",
        "[::g]",
        "[[::1]]",
        "[2606:4700::1111%eth0]",
        "[2606:4700::1111%25eth0]",
        "[v1.fe]",
    ],
)
def test_an_ipv6_address_has_brackets_and_no_zone(host):
    refusal(f"https://{host}/a")


@pytest.mark.parametrize(
    "host",
    [
        "",
        "localhost",
        "db",
        "cdn.example.",
        ".cdn.example",
        "cdn..example",
        "-cdn.example",
        "cdn-.example",
        "cdn.exam%70le",
        "%31%32%37.0.0.1",
        "cdn.example%00.inside",
        "cdn.example%2f.inside",
        "cdn,example",
        "cdn.example;inside",
        "cdn'.example",
        "a" * 64 + ".example",
        ".".join(["abcdefghi"] * 26),
    ],
)
def test_a_name_is_full_and_plain(host):
    refusal(f"https://{host}/a")


@pytest.mark.parametrize(
    "host",
    [
        "a.localhost",
        "metadata.google.internal",
        "printer.local",
        "router.home.arpa",
        "a.test",
        "a.invalid",
        "a.onion",
        "a.alt",
    ],
)
def test_names_of_private_networks_are_not_even_looked_up(host):
    assert "private" in refusal(f"https://{host}/a")


@pytest.mark.parametrize(
    "text",
    [
        "https://user@cdn.example/a",
        "https://user:password@cdn.example/a",
        "https://:@cdn.example/a",
        "https://@cdn.example/a",
        "https://cdn.example@127.0.0.1/a",
        "https://127.0.0.1:80@cdn.example/a",
        "https://a@b@cdn.example/a",
    ],
)
def test_credentials_are_refused(text):
    assert "no user name" in refusal(text)


@pytest.mark.parametrize(
    "text",
    [
        " https://cdn.example/a",
        "https://cdn.example/a ",
        "https://cdn.example/a b",
        "https://cdn.example/\ta",
        "https://cdn.exa\tmple/a",
        "https://cdn.example/a\r\nX-Injected: 1",
        "https://cdn.example/a\n",
        "https://cdn.example/\0",
        "https://cdn.example/\x7f",
        "https:\\\\cdn.example\\a",
        "https://cdn.example\\@127.0.0.1/a",
        "https://cdn.example/ü",
        "https://bücher.example/a",
        "https://①②⑦.⓪.⓪.①/a",
        "https://\uff11\uff12\uff17.0.0.1/a",
        "https://127。0。0。1/a",
        "https://loc\u00adal.example/a",
        "https://cdn.example/\ud800",
        "",
    ],
)
def test_what_is_not_printable_ascii_is_refused(text):
    assert "printable ASCII" in refusal(text)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("http://cdn.example/a", "begin with https://"),
        ("ftp://cdn.example/a", "begin with https://"),
        ("file:///etc/passwd", "begin with https://"),
        ("gopher://cdn.example/_a", "begin with https://"),
        ("data:image/png;base64,AAAA", "no URL"),
        ("javascript:alert(1)", "no URL"),
        ("//cdn.example/a", "no URL"),
        ("cdn.example/a", "no URL"),
        ("https:cdn.example/a", "no URL"),
        ("https:/cdn.example/a", "no URL"),
        ("https:///a", "names no host"),
        ("https://?a", "names no host"),
    ],
)
def test_a_url_is_of_the_web_and_begins_with_https(text, told):
    assert told in refusal(text)


def test_http_may_be_allowed():
    assert WITH_HTTP.read("http://cdn.example/a").port == 80
    assert "https:// or http://" in refusal("ftp://cdn.example/a", WITH_HTTP)


@pytest.mark.parametrize("port", ["0", "22", "442", "444", "6379", "8080", "65535", "65979"])
def test_the_port_is_one_of_the_web(port):
    assert f"port is {int(port)}; it must be 80 or 443" in refusal(f"https://cdn.example:{port}/a")


@pytest.mark.parametrize("port", ["-1", "+443", "4_4_3", "443a", "443:443", "0x1bb", "000443"])
def test_a_port_is_a_number(port):
    assert "port is no number" in refusal(f"https://cdn.example:{port}/a")


def test_other_ports_may_be_allowed():
    rules = UrlRules(ports=frozenset({8443}))

    assert rules.read("https://cdn.example:8443/a").port == 8443
    assert "must be 8443" in refusal("https://cdn.example/a", rules)


def test_a_url_has_an_end():
    longest = "https://cdn.example/".ljust(MAX_LENGTH, "a")

    assert STRICT.read(longest).host == "cdn.example"
    assert "the limit is 2048" in refusal(longest + "a")


@pytest.mark.parametrize(
    ("location", "leads_to"),
    [
        ("https://other.example/b", "https://other.example/b"),
        ("//other.example/b", "https://other.example/b"),
        ("/b?c", "https://cdn.example:80/b?c"),
        ("b", "https://cdn.example:80/dir/b"),
        ("../b", "https://cdn.example:80/b"),
        ("?c", "https://cdn.example:80/dir/a?c"),
        ("https://[2606:4700::1111]:80/b", "https://[2606:4700::1111]:80/b"),
    ],
)
def test_a_redirect_is_relative_to_where_it_stands(location, leads_to):
    url = STRICT.read("https://cdn.example:80/dir/a")

    assert str(STRICT.follow(url, location)) == leads_to


@pytest.mark.parametrize(
    "location",
    [
        "http://other.example/b",
        "https://user@other.example/b",
        "https://other.example:22/b",
        "https://0177.0.0.1/b",
        "ftp://other.example/b",
        "/b c",
        "/\tb",
        "\\\\other.example\\b",
        "/b\xfc",
        "",
    ],
)
def test_a_redirect_is_read_as_strictly(location):
    url = WITH_HTTP.read("https://cdn.example/a")

    with pytest.raises(InvalidRequest) as refused:
        WITH_HTTP.follow(url, location)

    assert refused.value.code == "source-blocked"


def test_a_redirect_from_http_may_lead_to_either():
    url = WITH_HTTP.read("http://cdn.example/a")

    assert WITH_HTTP.follow(url, "http://cdn.example/b").scheme == "http"
    assert WITH_HTTP.follow(url, "https://cdn.example/b").scheme == "https"


@given(st.text(), st.sampled_from(["", "https://", "https://cdn.example/", "https://["]))
def test_any_text_is_read_or_refused(text, before):
    try:
        url = WITH_HTTP.read(before + text)
    except InvalidRequest:
        return

    assert isinstance(url, SourceUrl)
    assert str(url).isascii()
    assert str(url).isprintable()
    assert " " not in str(url)
