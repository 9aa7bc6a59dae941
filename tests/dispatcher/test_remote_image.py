"""A picture is fetched from where its URL leads, if all that is called on the way is public."""

from __future__ import annotations

import threading
from datetime import timedelta
from ipaddress import ip_address

import pytest

from colorway.errors import TryLater
from dispatcher.places import Places
from dispatcher.remote_image import Limits, RemoteImages, UrlRules, is_public
from dispatcher.remote_image.fetch import resolve_by_system
from tests.dispatcher.source_host import (
    HOST,
    LOOPBACK,
    Names,
    fetched,
    refusal,
    remote_images,
    said,
)
from tests.dispatcher.stage import a_png

MAX_REDIRECTS = 5


def test_a_picture_is_fetched(host):
    url = host.has(body=a_png(7))

    with remote_images(host).picture_at(url) as picture:
        facts = picture.facts

    assert (facts.format, facts.width, facts.height, facts.bytes) == ("png", 8, 6, len(a_png(7)))
    assert fetched(remote_images(host), url) == a_png(7)


def test_the_host_learns_what_we_want_and_nothing_else(host, monkeypatch):
    url = host.has("/a.png?size=2")
    for name in ("http_proxy", "https_proxy", "all_proxy", "HTTP_PROXY", "HTTPS_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")

    fetched(remote_images(host), url)

    [request] = host.requests
    assert request.splitlines() == [
        "GET /a.png?size=2 HTTP/1.1",
        f"Host: {HOST}:{host.port}",
        "User-Agent: colorway",
        "Accept: image/*, application/octet-stream",
        "Accept-Encoding: identity",
        "Connection: close",
        "",
    ]


@pytest.mark.parametrize("address", ["127.0.0.1", "10.0.0.1", "::1", "::ffff:127.0.0.1"])
def test_a_name_that_leads_inside_is_blocked(host, address):
    url = host.has()

    error = refusal(remote_images(host, resolve=Names([address]), may_connect=is_public), url)

    assert (error.code, host.connections) == ("source-blocked", 0)
    assert HOST in error.detail
    assert address not in error.detail


def test_one_address_inside_condemns_all(host):
    url = host.has()

    for addresses in (["127.0.0.1", "10.0.0.1"], ["10.0.0.1", "127.0.0.1"]):
        error = refusal(remote_images(host, resolve=Names(addresses)), url)
        assert error.code == "source-blocked"
    assert host.connections == 0


def test_an_address_is_not_looked_up_but_looked_at(host):
    host.has()
    names = Names()

    blocked = refusal(
        remote_images(host, resolve=names), f"http://169.254.169.254:{host.port}/a.png"
    )
    picture = fetched(remote_images(host, resolve=names), host.url(host="127.0.0.1"))

    assert (blocked.code, names.asked) == ("source-blocked", [])
    assert picture == a_png()


def test_without_a_say_in_it_only_what_is_public_is_called(host):
    host.has()
    limits = Limits(max_bytes=1000, max_pixels=1000, fetch_for=timedelta(seconds=20))
    rules = UrlRules(allow_http=True, ports=frozenset({host.port}))
    images = RemoteImages(limits, rules, Places(1, full="too many"))

    error = refusal(images, host.url(host="127.0.0.1"))

    assert (error.code, host.connections) == ("source-blocked", 0)


def test_a_name_is_looked_up_once_and_only_what_was_looked_at_is_called(host):
    url = host.has()
    names = Names(["127.0.0.1"], ["127.0.0.2"])  # whoever asks again is led elsewhere
    looked_at = []

    def may_connect(address: object) -> bool:
        looked_at.append(address)
        return address == LOOPBACK

    picture = fetched(remote_images(host, resolve=names, may_connect=may_connect), url)

    assert picture == a_png()
    assert (names.asked, looked_at) == ([HOST], [LOOPBACK])


def test_the_system_looks_names_up():
    assert ip_address("127.0.0.1") in resolve_by_system("localhost")


def test_a_redirect_is_looked_up_anew(host):
    host.has("/b.png")
    url = host.redirects("/a.png", "/b.png")
    names = Names(["127.0.0.1"], ["10.0.0.1"])

    error = refusal(remote_images(host, resolve=names), url)

    assert (error.code, names.asked, host.paths()) == ("source-blocked", [HOST, HOST], ["/a.png"])


def test_where_an_address_does_not_answer_the_next_one_is_called(host):
    url = host.has()
    names = Names(["127.0.0.2", "127.0.0.1"])  # the host listens on the latter

    picture = fetched(remote_images(host, resolve=names, may_connect=lambda address: True), url)

    assert picture == a_png()


@pytest.mark.parametrize("names", [Names(host="other.example"), Names([])])
def test_a_name_without_an_address_is_unreachable(host, names):
    error = refusal(remote_images(host, resolve=names), host.has())

    assert (error.code, error.detail) == ("source-unreachable", f"{HOST} has no address")


def test_a_host_that_does_not_listen_is_unreachable(host):
    host.has()
    url = host.url(host="127.0.0.2")

    error = refusal(remote_images(host, may_connect=lambda address: True), url)

    assert (error.code, host.connections) == ("source-unreachable", 0)


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_redirects_are_followed(host, status):
    host.has("/c.png")
    host.redirects("/b.png", host.url("/c.png"), status)
    url = host.redirects("/a.png", "/b.png", status)

    picture = fetched(remote_images(host), url)

    assert picture == a_png()
    assert host.paths() == ["/a.png", "/b.png", "/c.png"]


@pytest.mark.parametrize("count", [MAX_REDIRECTS, MAX_REDIRECTS + 1])
def test_redirects_are_followed_so_often_and_no_further(host, count):
    for hop in range(count):
        host.redirects(f"/{hop}", f"/{hop + 1}")
    host.has(f"/{count}")

    if count > MAX_REDIRECTS:
        error = refusal(remote_images(host), host.url("/0"))
        assert error.code == "source-blocked"
        assert "more than 5 times" in error.detail
    else:
        assert fetched(remote_images(host), host.url("/0")) == a_png()
    assert len(host.paths()) == MAX_REDIRECTS + 1


def test_a_loop_ends(host):
    url = host.redirects("/a.png", "/a.png")

    error = refusal(remote_images(host), url)

    assert (error.code, len(host.paths())) == ("source-blocked", MAX_REDIRECTS + 1)


@pytest.mark.parametrize(
    "location",
    [
        "http://169.254.169.254/latest/meta-data/",
        "http://10.0.0.1/a.png",
        "http://[::1]/a.png",
        "http://[::ffff:127.0.0.1]/a.png",
        "http://[64:ff9b::7f00:1]/a.png",
        "http://0x7f.1/a.png",
        "http://localhost/a.png",
        "http://metadata.google.internal/",
        "http://user:password@cdn.example/a.png",
        "http://cdn.example:22/a.png",
        "file:///etc/passwd",
        "ftp://cdn.example/a.png",
        "gopher://cdn.example/_x",
        "//10.0.0.1/a.png",
        "/a b.png",
    ],
)
def test_a_redirect_may_lead_only_where_a_url_may(host, location):
    url = host.redirects("/a.png", location)

    error = refusal(remote_images(host), url)

    assert (error.code, host.paths()) == ("source-blocked", ["/a.png"])
    assert HOST in error.detail
    assert "redirects to" in error.detail


def test_a_redirect_to_nowhere_is_a_wrong_answer(host):
    host.answers["/a.png"] = said("HTTP/1.1 302 Found", "Content-Length: 0")

    error = refusal(remote_images(host), host.url())

    assert (error.code, error.detail) == ("source-unreachable", f"{HOST} answered 302, not 200")


@pytest.mark.parametrize("status", [201, 204, 206, 300, 304, 401, 403, 404, 429, 500, 503])
def test_any_other_status_than_200_is_unreachable(host, status):
    banner = f"HTTP/1.1 {status} secret-banner"
    host.answers["/a.png"] = said(banner, "Server: secret-banner", body=b"secret-banner")

    error = refusal(remote_images(host), host.url())

    assert (error.code, error.detail) == (
        "source-unreachable",
        f"{HOST} answered {status}, not 200",
    )


def test_only_so_many_are_fetched_at_once(host):
    asked, may_end = threading.Event(), threading.Event()

    def answer_late(connection: object) -> None:
        asked.set()
        may_end.wait(10)

    host.answers["/slow.png"] = answer_late
    images = remote_images(host, places=Places(1, full="too many are fetched at once"))
    slow = threading.Thread(target=refusal, args=(images, host.url("/slow.png")))
    slow.start()
    asked.wait(10)

    with pytest.raises(TryLater) as too_many:
        fetched(images, host.has())
    may_end.set()
    slow.join()
    free_again = fetched(images, host.has())

    assert str(too_many.value) == "too many are fetched at once"
    assert free_again == a_png()


def test_the_log_says_what_a_name_led_to_and_no_secret_of_the_url(host, capsys):
    url = host.has("/a.png?token=secret")

    refusal(remote_images(host, resolve=Names(["10.0.0.1"])), url)
    fetched(remote_images(host), url)

    log = capsys.readouterr().out
    assert "10.0.0.1" in log
    assert "source fetched" in log
    assert "secret" not in log
