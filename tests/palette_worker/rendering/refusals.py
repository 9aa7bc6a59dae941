"""How a file that cannot be decoded is refused, and that it does not take long."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from colorway.errors import Hopeless
from palette_worker.rendering import Limits, decode

DEFAULT = Limits()


def refusal(body: bytes, limits: Limits = DEFAULT) -> Hopeless:
    """Return the error, whose sentence is one that a client can be shown."""
    with pytest.raises(Hopeless) as caught:
        decode(body, limits)
    assert caught.value.phase == "decode"
    sentence = str(caught.value)
    assert sentence
    assert "\n" not in sentence
    assert "object at" not in sentence
    return caught.value


def why(body: bytes, limits: Limits = DEFAULT) -> str:
    error = refusal(body, limits)
    assert error.code == "image-undecodable"
    return str(error)


@contextmanager
def soon() -> Iterator[None]:
    """Fail if it takes long: each takes a tenth, and took ten to a thousand times as long once."""
    started = time.perf_counter()
    yield
    assert time.perf_counter() - started < 3.0
