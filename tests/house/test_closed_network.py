from __future__ import annotations

import socket

import pytest

FAR = "192.0.2.1"  # a documentation address: nothing answers there


@pytest.mark.parametrize("connect", ["connect", "connect_ex"])
@pytest.mark.parametrize(
    ("family", "address"),
    [
        (socket.AF_INET, (FAR, 80)),
        (socket.AF_INET, ("example.org", 80)),
        (socket.AF_INET6, ("2001:db8::1", 80)),
    ],
)
def test_no_test_reaches_beyond_this_machine(family, address, connect):
    with (
        socket.socket(family) as far,
        pytest.raises(pytest.fail.Exception, match="reached for the network"),
    ):
        getattr(far, connect)(address)


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
def test_this_machine_is_open(host):
    with socket.create_server(("127.0.0.1", 0)) as server, socket.socket() as near:
        near.connect((host, server.getsockname()[1]))
