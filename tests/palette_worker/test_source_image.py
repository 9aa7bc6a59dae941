"""A source is fetched and decoded once, for as many palettes as want it."""

from __future__ import annotations

import gc
import hashlib
import weakref
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial
from io import BytesIO
from threading import Event

import pytest

from colorway.errors import Hopeless, TryLater
from colorway.telemetry.metrics import RenderMetrics
from palette_worker.rendering import Limits
from palette_worker.source_image import SourceImages
from tests.fakes import away
from tests.palette_worker.workplace import SOON, a_picture, at_once, source_of


@pytest.fixture
def metrics():
    return RenderMetrics()


@pytest.fixture
def sources(store, metrics):
    return some_sources(store, metrics)


def some_sources(store, metrics, *, cache_bytes=10**9, limits=Limits()):  # noqa: B008 - frozen
    return SourceImages(store, metrics, limits=limits, cache_bytes=cache_bytes)


def stored(store, seed=0):
    body = a_picture(seed)
    key = f"studio/sources/{seed}"
    digest = hashlib.sha256(body).hexdigest()
    store.put(key, BytesIO(body), size=len(body), sha256=digest, media_type="image/png")
    return source_of(store, key)


def decodes(metrics):
    return metrics.registry.get_sample_value("source_decodes_total")


def test_seven_who_want_one_source_at_once_decode_it_once(store, sources, metrics):
    wanted = stored(store)

    found = at_once(*[partial(sources.fetch, wanted, within_s=SOON)] * 7)

    assert decodes(metrics) == 1
    assert len(set(map(id, found))) == 1
    assert (found[0].width, found[0].height) == (32, 24)


def test_who_waits_for_anothers_decoding_does_so_no_longer_than_it_has_time(store, sources):
    wanted = stored(store)
    is_open, may_go_on = Event(), Event()

    def stall(key):
        is_open.set()
        assert may_go_on.wait(SOON)

    store.before["open"] = stall
    with ThreadPoolExecutor(1) as pool:
        first = pool.submit(sources.fetch, wanted, within_s=SOON)
        assert is_open.wait(SOON)
        with pytest.raises(TimeoutError):
            sources.fetch(wanted, within_s=0.01)
        may_go_on.set()

    assert first.result() is sources.fetch(wanted, within_s=0)


def test_a_failure_is_not_remembered(store, sources, metrics):
    wanted = stored(store)
    store.before["open"] = away

    failures = at_once(*[partial(sources.fetch, wanted, within_s=SOON)] * 3)
    store.before.clear()

    assert [type(failure) for failure in failures] == [TryLater] * 3
    assert sources.fetch(wanted, within_s=SOON).width == 32
    assert decodes(metrics) == 1


def test_a_failure_keeps_nothing_in_memory(store, sources):
    wanted = replace(stored(store), sha256="0" * 64)
    gc.disable()
    try:
        with pytest.raises(Hopeless) as refused:
            sources.fetch(wanted, within_s=SOON)
        error = weakref.ref(refused.value)
        del refused
        assert error() is None  # no cycle holds it, nor the bytes that its traceback knows
    finally:
        gc.enable()


def test_the_longest_unused_is_forgotten_first(store, metrics):
    first, second, third = (stored(store, seed) for seed in range(3))
    size = some_sources(store, RenderMetrics()).fetch(first, within_s=1).nbytes
    sources = some_sources(store, metrics, cache_bytes=round(2.5 * size))

    for wanted in (first, second, first, third):  # the second is the longest unused
        sources.fetch(wanted, within_s=1)
    assert decodes(metrics) == 3
    sources.fetch(first, within_s=1)
    sources.fetch(third, within_s=1)
    assert decodes(metrics) == 3
    sources.fetch(second, within_s=1)
    assert decodes(metrics) == 4


def test_a_source_larger_than_the_cache_still_serves_all_its_palettes(store, metrics):
    sources = some_sources(store, metrics, cache_bytes=1)
    large, other = stored(store, 1), stored(store, 2)

    in_use = sources.fetch(large, within_s=1)
    assert sources.fetch(large, within_s=1) is in_use
    sources.fetch(other, within_s=1)

    assert in_use.base_palette(2) is not None  # what is in use lives on
    sources.fetch(large, within_s=1)
    assert decodes(metrics) == 3


def test_more_pixels_than_allowed_are_not_decoded(store, metrics):
    sources = some_sources(store, metrics, limits=Limits(max_pixels=100))

    with pytest.raises(Hopeless) as refused:
        sources.fetch(stored(store), within_s=1)

    assert refused.value.code == "image-too-many-pixels"
    assert decodes(metrics) == 0


def test_no_more_is_read_than_was_uploaded(store, sources):
    wanted = stored(store)
    store.objects[wanted.key] += b"\0" * 10_000_000

    with pytest.raises(Hopeless) as refused:
        sources.fetch(wanted, within_s=1)

    assert refused.value.code == "source-damaged"
