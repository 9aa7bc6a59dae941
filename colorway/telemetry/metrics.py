"""Prometheus metrics, one registry per application so that nothing is global."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_LATEST

_REUSED = "colorways completed with a picture that was there"
_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0)


class Metrics:
    """A registry, and the text of it for a scrape."""

    media_type = CONTENT_TYPE_LATEST

    def __init__(self) -> None:
        self.registry = CollectorRegistry()

    def exposition(self) -> bytes:
        """Return every metric in the text format."""
        return generate_latest(self.registry)

    def _seconds(self, name: str, what: str, labels: tuple[str, ...] = ()) -> Histogram:
        return Histogram(name, what, labels, buckets=_SECONDS, registry=self.registry)

    def _count(self, name: str, what: str, labels: tuple[str, ...] = ()) -> Counter:
        return Counter(name, what, labels, registry=self.registry)

    def _gauge(self, name: str, what: str, labels: tuple[str, ...] = ()) -> Gauge:
        return Gauge(name, what, labels, registry=self.registry)


class RenderMetrics(Metrics):
    """What the palette worker counts."""

    def __init__(self) -> None:
        super().__init__()
        self.attempts = self._count("colorway_attempts_total", "attempts by outcome", ("outcome",))
        self.reuse_hits = self._count("reuse_hits_total", _REUSED)
        self.colorways = self._count("colorways_total", "colorways ended", ("status",))
        self.jobs = self._count("jobs_total", "jobs ended", ("status",))
        self.source_decodes = self._count("source_decodes_total", "sources decoded")
        self.fetch = self._seconds("source_fetch_seconds", "fetching a source from the store")
        self.render = self._seconds("palette_render_seconds", "recolouring and encoding")
        self.upload = self._seconds("palette_upload_seconds", "storing picture and thumbnail")


class RequestMetrics(Metrics):
    """What the dispatcher counts."""

    def __init__(self) -> None:
        super().__init__()
        self.requests = self._seconds(
            "http_request_seconds", "answering a request", ("route", "method", "status")
        )
        self.reuse_hits = self._count("reuse_hits_total", _REUSED)
        self.delivered = self._count("tasks_delivered_total", "tasks handed to the queue")
        self.repairs = self._count(
            "reconciler_repairs_total", "what was lost and sent again", ("kind",)
        )
        self.removed = self._count(
            "cleanup_removed_total", "what was kept no longer, and is gone", ("kind",)
        )
        # facts of the ledger, collected at scrape
        self.queue_depth = self._gauge("queue_depth", "colorways that are pending", ("priority",))
        self.oldest_pending = self._gauge(
            "oldest_pending_seconds", "since the one that waits longest was ordered; 0 if none does"
        )
        self.drift = self._gauge(
            "ledger_drift",
            "jobs whose counters the reconciler found wrong at its last call; must be 0",
        )
