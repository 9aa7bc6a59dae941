"""Hosts that send too much, too slowly, for ever, or nothing that is a picture."""

from __future__ import annotations

import gzip
import itertools
import socket
import threading
import zlib
from datetime import timedelta

import pytest

from colorway.errors import InvalidRequest, TooLarge
from dispatcher.remote_image import IPAddress
from tests.builders import MINUTE
from tests.dispatcher.source_host import (
    HOST,
    LOOPBACK,
    answer,
    fetched,
    refusal,
    remote_images,
    said,
)
from tests.dispatcher.stage import a_picture, a_png

OK = "HTTP/1.1 200 OK"
PNG = "Content-Type: image/png"
CHUNKED = "Transfer-Encoding: chunked"
BRIEF = timedelta(milliseconds=50)


def padded(size: int) -> bytes:
    return a_png().ljust(size, b"x")


def chunked(*chunks: bytes) -> bytes:
    return b"".join(b"%x\r\n%s\r\n" % (len(chunk), chunk) for chunk in (*chunks, b""))


@pytest.mark.parametrize(
    "saying",
    [
        answer(padded(1000)),
        said(OK, PNG, CHUNKED, body=chunked(padded(1000))),
        said(OK, PNG, CHUNKED, body=chunked(*(padded(1000)[i : i + 7] for i in range(0, 1000, 7)))),
        said(OK, PNG, body=padded(1000)),  # ends with the connection
        said("HTTP/1.0 200 OK", PNG, body=padded(1000)),
        said("HTTP/1.1 100 Continue") + answer(padded(1000)),
    ],
    ids=["length", "chunk", "chunks", "no length", "HTTP/1.0", "continued"],
)
def test_however_it_is_framed_a_picture_may_have_just_so_many_bytes(host, saying):
    host.answers["/a.png"] = saying

    picture = fetched(remote_images(host, max_bytes=1000), host.url())
    error = refusal(remote_images(host, max_bytes=999), host.url())

    assert picture == padded(1000)
    assert isinstance(error, TooLarge)
    assert (error.status, error.code) == (413, "too-large")
    assert error.detail == "the picture is too large; the limit is 999 bytes"


def test_a_length_beyond_the_limit_ends_it_before_the_first_byte(host):
    unsent = threading.Event()

    def say_length(connection: socket.socket) -> None:
        connection.sendall(said(OK, PNG, "Content-Length: 100001"))
        if connection.recv(1) == b"":
            unsent.set()

    host.answers["/a.png"] = say_length

    error = refusal(remote_images(host, max_bytes=100_000), host.url())

    assert error.code == "too-large"
    assert unsent.wait(10)


@pytest.mark.parametrize(
    "head", [said(OK, PNG), said(OK, PNG, CHUNKED) + b"fffffff\r\n"], ids=["no length", "chunk"]
)
def test_an_endless_body_ends_at_the_limit(host, head):
    sent = []

    def never_end(connection: socket.socket) -> None:
        connection.sendall(head)
        while True:
            connection.sendall(b"x" * 10_000)
            sent.append(10_000)

    host.answers["/a.png"] = never_end

    error = refusal(remote_images(host, max_bytes=100_000), host.url())

    assert error.code == "too-large"
    assert sum(sent) < 20_000_000  # what the kernel's buffers take, too


class Drip:
    """A clock that goes on a second with each look at it, and lets a host send one more byte."""

    def __init__(self, before: bytes) -> None:
        self.looks = 0
        self._is_over = False
        self._look = threading.Semaphore(0)
        self._before = before

    def clock(self) -> float:
        self.looks += 1
        self._look.release()
        return self.looks

    def say(self, connection: socket.socket) -> None:
        connection.sendall(self._before)
        while self._look.acquire(timeout=10) and not self._is_over:
            connection.sendall(b"x")

    def end(self) -> None:
        self._is_over = True
        self._look.release()


@pytest.mark.parametrize(
    "before",
    [
        b"",
        b"HTTP/1.1 200 O",
        b"HTTP/1.1 200 OK\r\nX-Slow: ",
        said(OK, PNG, "Content-Length: 50000"),
        said(OK, PNG),
        said(OK, PNG, CHUNKED) + b"50000\r\n",
        said(OK, PNG, CHUNKED) + b"5;",
        said(OK, PNG, CHUNKED) + chunked(a_png())[:-2] + b"X-Trailer: ",
    ],
    ids=["status", "reason", "header", "length", "no length", "chunk", "extension", "trailer"],
)
def test_a_host_that_drips_is_left_at_the_deadline(host, before):
    drip = Drip(before)
    host.answers["/a.png"] = drip.say

    error = refusal(
        remote_images(host, fetch_for=timedelta(seconds=30), clock=drip.clock), host.url()
    )
    drip.end()

    assert (error.code, error.detail) == ("source-unreachable", f"{HOST} took too long")
    assert 25 < drip.looks <= 35


@pytest.mark.parametrize(
    "again",
    [
        said("HTTP/1.1 100 Continue"),
        said(OK, PNG, CHUNKED) + b"1;" + b"x" * 60_000 + b"\r\nx\r\n",
    ],
    ids=["continue", "extensions"],
)
def test_a_host_that_says_much_and_nothing_is_left_at_the_deadline(host, again):
    looks = itertools.count()

    def say_much(connection: socket.socket) -> None:
        while True:
            connection.sendall(again)

    host.answers["/a.png"] = say_much

    error = refusal(remote_images(host, clock=lambda: float(next(looks))), host.url())

    assert error.code == "source-unreachable"


def test_redirects_share_one_deadline(host):
    looks = itertools.count(step=5)
    url = host.redirects("/a.png", "/a.png")

    error = refusal(remote_images(host, clock=lambda: float(next(looks))), url)

    assert (error.detail, len(host.paths())) == (
        f"the place that {HOST} redirects to took too long",
        1,
    )


def test_a_name_that_is_looked_up_for_too_long_is_not_called(host):
    now = [0.0]

    def look_up_slowly(name: str) -> list[IPAddress]:
        now[0] += 20
        return [LOOPBACK]

    images = remote_images(host, resolve=look_up_slowly, clock=lambda: now[0])

    error = refusal(images, host.has())

    assert (error.detail, host.connections) == (f"{HOST} took too long", 0)


@pytest.mark.parametrize(
    "before", [b"", b"HTTP/1.1 200 OK\r\nX-", said(OK, PNG, "Content-Length: 500") + b"x"]
)
def test_a_host_that_falls_silent_is_left(host, before):
    def fall_silent(connection: socket.socket) -> None:
        connection.sendall(before)
        host.is_over.wait(10)

    host.answers["/a.png"] = fall_silent

    error = refusal(remote_images(host, silence_for=BRIEF), host.url())

    assert (error.code, error.detail) == ("source-unreachable", f"{HOST} took too long")


def test_silence_does_not_outlast_the_deadline(host):
    host.answers["/a.png"] = lambda connection: host.is_over.wait(10)

    error = refusal(remote_images(host, fetch_for=BRIEF, silence_for=MINUTE), host.url())

    assert error.detail == f"{HOST} took too long"  # and not: it left after ten seconds


def test_a_host_that_takes_no_connection_is_left(host):
    with socket.create_server(("127.0.0.1", 0), backlog=0) as full, socket.socket() as first:
        first.connect(full.getsockname())  # the only one that may wait
        host.port = full.getsockname()[1]

        error = refusal(remote_images(host, connect_for=BRIEF), host.url())

    assert (error.code, error.detail) == ("source-unreachable", f"{HOST} took too long")


@pytest.mark.parametrize(
    "saying",
    [
        b"",
        b"\r\n\r\n",
        b"220 ftp.example ready\r\n",
        b"SSH-2.0-OpenSSH_9.9 secret-banner\r\n",
        b"HTTP/1.1 abc OK\r\n\r\n",
        b"HTTP/1.1 99 Low\r\n\r\n",
        b"HTTP/2.0 200 OK\r\n\r\n",
        b"HTTP/1.1 200 " + b"x" * 70_000,
        b"HTTP/1.1 200 OK\r\nX: " + b"x" * 70_000,
        b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 200,
        b"\x00" * 1000,
        b"\xff" * 1000,
        said(OK, PNG, "Content-Length: 5000", body=a_png()),
        said(OK, PNG, CHUNKED, body=chunked(a_png())[:-5]),
        said(OK, PNG, CHUNKED, body=chunked(a_png())[:-20]),
        said(OK, PNG, CHUNKED, body=b"xyz\r\n"),
        said(OK, PNG, CHUNKED, body=b"-1\r\n" + a_png()),
        said(OK, PNG, CHUNKED, body=b"-5\r\n" + a_png()),
        said(OK, PNG, CHUNKED, body=a_png()),
        said(OK, PNG, CHUNKED, body=b"1" * 70_000),
    ],
    ids=lambda saying: ascii(saying[:30]),
)
def test_an_answer_that_is_broken_or_cut_off_is_unreachable(host, saying):
    host.answers["/a.png"] = saying

    error = refusal(remote_images(host), host.url())

    assert error.code == "source-unreachable"
    assert HOST in error.detail
    assert "secret-banner" not in error.detail


def test_an_endless_chunk_of_size_minus_one_is_not_read(host):
    def never_end(connection: socket.socket) -> None:
        connection.sendall(said(OK, PNG, CHUNKED) + b"-1\r\n")
        while True:
            connection.sendall(b"x" * 10_000)

    host.answers["/a.png"] = never_end

    error = refusal(remote_images(host), host.url())

    assert error.code == "source-unreachable"
    assert "does not speak HTTP" in error.detail  # and not: took too long


@pytest.mark.parametrize(
    ("encoding", "body"),
    [
        ("gzip", gzip.compress(a_png())),
        ("x-gzip", gzip.compress(a_png())),
        ("deflate", zlib.compress(a_png())),
        ("br", b"x"),
        ("identity, gzip", gzip.compress(a_png())),
        ("gzip", a_png()),  # it only says so
    ],
)
def test_what_is_encoded_is_not_decoded(host, encoding, body):
    host.answers["/a.png"] = answer(body, f"Content-Encoding: {encoding}")

    error = refusal(remote_images(host), host.url())

    assert (error.code, error.status) == ("source-unreachable", 422)
    assert "encoded" in error.detail


def test_a_bomb_of_gzip_under_another_name_is_no_picture(host):
    bomb = gzip.compress(a_png() + bytes(10_000_000))
    host.answers["/a.png"] = said(OK, PNG, "Transfer-Encoding: gzip", body=bomb)

    error = refusal(remote_images(host), host.url())

    assert error.code == "image-undecodable"


@pytest.mark.parametrize(
    "kind",
    [
        "image/png",
        "image/jpeg",
        "IMAGE/PNG; x=y",
        "application/octet-stream",
        "binary/octet-stream",
        None,
    ],
)
def test_what_may_be_a_picture_is_looked_at(host, kind):
    host.answers["/a.png"] = answer(a_png(), "Content-Encoding: identity", kind=kind)

    assert fetched(remote_images(host), host.url()) == a_png()


@pytest.mark.parametrize("kind", ["text/html", "application/json", "text/image/png", "", "x"])
def test_what_calls_itself_otherwise_is_not(host, kind):
    host.answers["/a.png"] = answer(a_png(), kind=kind)

    error = refusal(remote_images(host), host.url())

    assert (error.code, error.detail) == (
        "source-unreachable",
        f"{HOST} sent no image/* and no application/octet-stream",
    )


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"", "image-undecodable"),
        (b"<svg xmlns='x'/>", "image-undecodable"),
        (b"<html>secret-banner</html>", "image-undecodable"),
        (a_png()[:20], "image-undecodable"),
        (a_picture("gif", (40, 26)), "image-too-many-pixels"),
    ],
)
def test_what_is_no_picture_after_all_is_refused_as_one(host, body, code):
    host.answers["/a.png"] = answer(body)

    error = refusal(remote_images(host), host.url())

    assert isinstance(error, InvalidRequest)
    assert (error.status, error.code) == (422, code)
    assert "secret-banner" not in error.detail
