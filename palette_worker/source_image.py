"""The source from the store, decoded once for all its palettes: a small single-flight LRU."""

from __future__ import annotations

import hashlib
import threading
from collections import OrderedDict
from concurrent.futures import Future
from uuid import UUID

from colorway.errors import Hopeless, NotFound, TryLater
from colorway.image_store import ImageStore
from colorway.ledger.orders import SourceRef
from colorway.telemetry.metrics import RenderMetrics
from colorway.telemetry.traces import span
from palette_worker.rendering import Limits, Source, decode


class SourceImages:
    """Decoded sources, bounded by bytes. Seven tasks of one job fetch and decode once."""

    def __init__(
        self, store: ImageStore, metrics: RenderMetrics, *, limits: Limits, cache_bytes: int
    ) -> None:
        self._store = store
        self._metrics = metrics
        self._limits = limits
        self._cache_bytes = cache_bytes
        self._guard = threading.Lock()
        self._sources: OrderedDict[UUID, Future[Source]] = OrderedDict()

    def fetch(self, wanted: SourceRef, *, within_s: float) -> Source:
        """Return the decoded source; Hopeless if it is missing, damaged or undecodable.

        Another thread's decoding of the same source is waited for `within_s` seconds, then
        TimeoutError; what that one's attempt raises, this one raises too.
        """
        with self._guard:
            future = self._sources.get(wanted.image)
            is_mine = future is None
            if future is None:
                future = self._sources[wanted.image] = Future()
            self._sources.move_to_end(wanted.image)
        try:
            if is_mine:
                try:
                    source = self._load(wanted)
                except BaseException as error:
                    self._forget(wanted.image)  # the next one may have better luck
                    future.set_exception(error)
                else:
                    future.set_result(source)
                    self._evict(keep=wanted.image)
            return future.result(within_s)
        finally:
            # its error's traceback knows this frame: a cycle that would keep the bytes read
            del future

    def _load(self, wanted: SourceRef) -> Source:
        with span("read source"), self._metrics.fetch.time():
            body = self._sound_bytes(wanted)
        with span("decode"):
            source = decode(body, self._limits)
        self._metrics.source_decodes.inc()
        return source

    def _sound_bytes(self, wanted: SourceRef) -> bytes:
        for _ in range(2):  # what was spoilt on its way to us is not spoilt for good
            body = self._read(wanted)
            if hashlib.sha256(body).hexdigest() == wanted.sha256:
                return body
        raise Hopeless(
            "the source in the store is not what was uploaded", code="source-damaged", phase="fetch"
        )

    def _read(self, wanted: SourceRef) -> bytes:
        """Return all that is stored, but at most a byte more than there should be."""
        try:
            with self._store.open(wanted.key) as stream:
                body = stream.read(wanted.bytes + 1)
            if len(body) < wanted.bytes and len(body) < self._store.stat(wanted.key).bytes:
                raise TryLater("the source was cut short on its way to us")
        except NotFound as error:
            raise Hopeless(
                "the source is no longer in the store", code="source-missing", phase="fetch"
            ) from error
        except OSError as error:  # once it is open, a stream is the platform's
            raise TryLater("the source could not be read to its end") from error
        return body

    def _forget(self, image: UUID) -> None:
        with self._guard:
            del self._sources[image]

    def _evict(self, *, keep: UUID) -> None:
        """Forget the longest unused until the rest fits; what is in use lives on by reference.

        The newest stays, however large: the palettes that follow want it.
        """
        with self._guard:
            sizes = {
                image: future.result().nbytes
                for image, future in self._sources.items()
                if future.done() and future.exception() is None
            }
            total = sum(sizes.values())
            for image, size in sizes.items():
                if total > self._cache_bytes and image != keep:
                    del self._sources[image]
                    total -= size
