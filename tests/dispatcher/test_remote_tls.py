"""Over https a host must show that it is the one the URL names, whatever address it has."""

from __future__ import annotations

import socket
import ssl
from datetime import UTC, datetime, timedelta

import pytest

from tests.dispatcher.certificates import Authority
from tests.dispatcher.source_host import (
    HOST,
    Names,
    SourceHost,
    fetched,
    refusal,
    remote_images,
    said,
)
from tests.dispatcher.stage import a_png

OK = "HTTP/1.1 200 OK"


@pytest.fixture(scope="module")
def authority() -> Authority:
    return Authority()


def test_a_host_that_shows_who_it_is_is_believed(authority, tmp_path):
    tls = authority.server(tmp_path, HOST)
    named = []
    tls.sni_callback = lambda server, name, context: named.append(name)

    with SourceHost(tls).serving() as host:
        picture = fetched(remote_images(host, tls=authority.trust()), host.has())

    assert picture == a_png()
    assert named == [HOST]
    assert f"Host: {HOST}:{host.port}\r\n" in host.requests[0]


def test_an_address_may_have_a_certificate(authority, tmp_path):
    with SourceHost(authority.server(tmp_path, "127.0.0.1")).serving() as host:
        host.has()

        picture = fetched(remote_images(host, tls=authority.trust()), host.url(host="127.0.0.1"))

    assert picture == a_png()


@pytest.mark.parametrize("shown", ["other.example", "*.cdn.example", "127.0.0.1"])
def test_a_certificate_of_another_host_is_refused(authority, tmp_path, shown):
    with SourceHost(authority.server(tmp_path, shown)).serving() as host:
        error = refusal(remote_images(host, tls=authority.trust()), host.has())

    assert error.code == "source-unreachable"
    assert error.detail.startswith(f"the certificate of {HOST} is not valid: Hostname mismatch")
    assert host.requests == []


def test_a_certificate_that_has_ended_is_refused(authority, tmp_path):
    yesterday = datetime.now(UTC) - timedelta(days=1)
    with SourceHost(authority.server(tmp_path, HOST, ends_at=yesterday)).serving() as host:
        error = refusal(remote_images(host, tls=authority.trust()), host.has())

    assert error.detail == f"the certificate of {HOST} is not valid: certificate has expired"
    assert host.requests == []


def test_an_authority_that_nobody_knows_is_not_trusted(authority, tmp_path):
    with SourceHost(authority.server(tmp_path, HOST)).serving() as host:
        images = [remote_images(host, tls=tls) for tls in (Authority().trust(), None)]
        errors = [refusal(each, host.has()) for each in images]

    assert [error.code for error in errors] == ["source-unreachable"] * 2
    assert all("is not valid" in error.detail for error in errors)
    assert host.requests == []


def test_a_host_without_tls_is_unreachable_by_https(authority):
    with SourceHost().serving() as host:
        host.greeting = b"220 ready\r\n"

        error = refusal(remote_images(host, tls=authority.trust()), f"https://{HOST}:{host.port}/")

    assert error.code == "source-unreachable"


def test_a_handshake_that_takes_too_long_is_left(authority, tmp_path):
    tls = authority.server(tmp_path, HOST)
    with socket.create_server(("127.0.0.1", 0)) as silent, SourceHost(tls).serving() as host:
        host.port = silent.getsockname()[1]  # the kernel takes the connection, and nobody answers
        briefly = timedelta(milliseconds=50)

        error = refusal(remote_images(host, tls=authority.trust(), connect_for=briefly), host.url())

    assert error.detail == f"{HOST} took too long"


def test_a_redirect_never_leads_from_https_to_http(authority, tmp_path):
    with (
        SourceHost(authority.server(tmp_path, HOST)).serving() as host,
        SourceHost().serving() as plain,
    ):
        url = host.redirects("/a.png", plain.has())

        error = refusal(remote_images(host, tls=authority.trust()), url)

    assert error.code == "source-blocked"
    assert plain.connections == 0


def test_the_next_host_must_show_who_it_is_too(authority, tmp_path):
    with SourceHost(authority.server(tmp_path, HOST)).serving() as host:
        url = host.redirects("/a.png", host.url("/b.png", host="127.0.0.1"))

        error = refusal(remote_images(host, tls=authority.trust(), resolve=Names()), url)

    assert error.code == "source-unreachable"
    assert f"the certificate of the place that {HOST} redirects to is not valid" in error.detail
    assert host.paths() == ["/a.png"]


def test_a_body_without_a_length_ends_only_as_tls_ends(authority, tmp_path):
    whole = said(OK, "Content-Type: image/png", body=a_png())

    def end(connection: ssl.SSLSocket) -> None:
        connection.sendall(whole)
        connection.unwrap()

    with SourceHost(authority.server(tmp_path, HOST)).serving() as host:
        images = remote_images(host, tls=authority.trust())
        host.answers["/a.png"] = end
        picture = fetched(images, host.url())
        host.answers["/a.png"] = whole  # and the connection breaks: by whom, nobody knows
        error = refusal(images, host.url())

    assert picture == a_png()
    assert error.code == "source-unreachable"
