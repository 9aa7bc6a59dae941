"""Both services stop, however often they are told: by gunicorn, and by others besides."""

from __future__ import annotations

import os
import runpy
import signal
import threading
from types import SimpleNamespace

import pytest

from tests.databases import ROOT


class SecondSignal(threading.Event):
    """An event that is interrupted by another SIGTERM while it is being set."""

    def __init__(self):
        super().__init__()
        self.depth = self.deepest = 0

    def set(self):
        self.depth += 1
        self.deepest = max(self.deepest, self.depth)
        if self.depth == 1:
            os.kill(os.getpid(), signal.SIGTERM)
        super().set()
        self.depth -= 1


@pytest.fixture
def gunicorns_own():
    """Stand in for the handler that gunicorn has made; tells how often it was called."""
    calls = []
    before = signal.signal(signal.SIGTERM, lambda signum, frame: calls.append(signum))
    yield calls
    signal.signal(signal.SIGTERM, before)


@pytest.mark.parametrize("service", ["dispatcher", "palette_worker"])
def test_a_second_signal_does_not_wait_for_the_first(service, gunicorns_own, monkeypatch):
    monkeypatch.setenv("GRACE_S", "1")
    told, given_back = SecondSignal(), threading.Event()
    parts = {
        "machinery": SimpleNamespace(stopping=told),
        "bench": SimpleNamespace(
            draining=told, heartbeat=SimpleNamespace(give_back_all=given_back.set)
        ),
    }
    worker = SimpleNamespace(app=SimpleNamespace(wsgi=lambda: SimpleNamespace(extensions=parts)))
    configuration = runpy.run_path(str(ROOT / service / "gunicorn.conf.py"))
    configuration["post_worker_init"](worker)

    os.kill(os.getpid(), signal.SIGTERM)

    assert told.is_set()
    assert told.deepest == 1
    assert len(gunicorns_own) == 2
