"""The front shares connections out, and fails as it is told."""

from __future__ import annotations

import socket
import socketserver
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import pytest

from chaos.front import Front
from demo.supervisor import free_port

PATIENCE_S = 5


class _Echo(socketserver.BaseRequestHandler):
    def handle(self) -> None:
        while said := self.request.recv(100):
            self.request.sendall(f"{self.server.server_address[1]} {said.decode()}".encode())


@contextmanager
def an_echo() -> Iterator[int]:
    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), _Echo) as server:
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        yield server.server_address[1]
        server.shutdown()


@pytest.fixture
def two() -> Iterator[tuple[Front, list[int]]]:
    with ExitStack() as stack:
        ports = [stack.enter_context(an_echo()) for _ in range(2)]
        front = Front(free_port(), [("127.0.0.1", port) for port in ports])
        stack.callback(front.close)
        yield front, ports


def connected(front: Front) -> socket.socket:
    return socket.create_connection(("127.0.0.1", front.port), timeout=PATIENCE_S)


def said(connection: socket.socket, text: str) -> str:
    connection.sendall(text.encode())
    return connection.recv(100).decode()


def test_connections_go_to_the_backends_in_turn(two):
    front, ports = two

    with connected(front) as one, connected(front) as other:
        answers = {said(one, "hello"), said(other, "hello")}

    assert answers == {f"{port} hello" for port in ports}


def test_a_backend_that_is_away_is_passed_over():
    with an_echo() as port:
        front = Front(free_port(), [("127.0.0.1", free_port()), ("127.0.0.1", port)])

        with connected(front) as one, connected(front) as other:
            answers = {said(one, "hello"), said(other, "hello")}
        front.close()

    assert answers == {f"{port} hello"}


def test_a_front_that_refuses_cuts_what_is_open_until_it_heals(two):
    front, _ = two
    with connected(front) as one:
        said(one, "hello")

        front.refuse()

        assert is_cut(one)
        with pytest.raises(ConnectionRefusedError):
            connected(front)

    front.heal()
    with connected(front) as another:
        assert said(another, "hello").endswith("hello")


def test_a_front_that_holds_up_passes_on_later_what_was_said(two):
    front, _ = two
    with connected(front) as one:
        said(one, "hello")
        front.hold_up()
        one.sendall(b"are you there")
        one.settimeout(0.1)
        with pytest.raises(TimeoutError):
            one.recv(100)

        front.heal()

        one.settimeout(PATIENCE_S)
        assert one.recv(100).endswith(b"are you there")


def test_a_cut_breaks_what_is_open_and_welcomes_new_ones(two):
    front, _ = two
    with connected(front) as one:
        said(one, "hello")

        front.cut()

        assert is_cut(one)
    with connected(front) as another:
        assert said(another, "hello").endswith("hello")


def is_cut(connection: socket.socket) -> bool:
    try:
        return connection.recv(100) == b""
    except ConnectionResetError:
        return True
