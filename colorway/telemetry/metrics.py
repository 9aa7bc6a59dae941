"""Prometheus metrics, one registry per application so that nothing is global.

Where several processes serve one address (processes.py), each keeps its counts in files that all of
them read: whichever is asked, it tells of all, and of those that have ended. Gauges would need a
rule for how to add them up; ours are facts of the ledger, and collected when they are asked for.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from datetime import timedelta

import structlog
from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.exposition import CONTENT_TYPE_LATEST
from prometheus_client.multiprocess import MultiProcessCollector
from prometheus_client.registry import Collector

from colorway.job import JobEnd, Priority
from colorway.lifecycle import Status
from colorway.telemetry.processes import FOLDER

log = structlog.get_logger()

_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0)


class Metrics:
    """A registry, and the text of it for a scrape; with what both services count."""

    media_type = CONTENT_TYPE_LATEST

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.requests = self._seconds(
            "http_request_seconds", "answering a request", ("route", "method", "status")
        )
        self.colorways = self._count("colorways_total", "colorways ended", ("status",))
        self.jobs = self._count("jobs_total", "jobs ended", ("status",))
        self.reuse_hits = self._count(
            "reuse_hits_total", "colorways completed with a picture that was there"
        )

    def exposition(self, facts: Iterable[Metric] = ()) -> bytes:
        """Return every metric of every process, and these facts, in the text format."""
        counted = self.registry
        if FOLDER in os.environ:
            counted = CollectorRegistry()
            MultiProcessCollector(counted)  # type: ignore[no-untyped-call]
        return generate_latest(counted) + generate_latest(_Given(facts))

    def job_ended(self, end: JobEnd) -> None:
        """Count and log a job that has just ended.

        What was cancelled is counted with it, for that may be many at once and by several hands.
        """
        status = end.progress.status
        self.jobs.labels(status).inc()
        self.colorways.labels(Status.CANCELLED).inc(end.progress.cancelled)
        log.info(
            "job_finished",
            job=end.job,
            status=status,
            overall_seconds=end.overall.total_seconds(),
        )

    def _seconds(self, name: str, what: str, labels: tuple[str, ...] = ()) -> Histogram:
        return Histogram(name, what, labels, buckets=_SECONDS, registry=self.registry)

    def _count(self, name: str, what: str, labels: tuple[str, ...] = ()) -> Counter:
        return Counter(name, what, labels, registry=self.registry)


class RenderMetrics(Metrics):
    """What the palette worker counts."""

    def __init__(self) -> None:
        super().__init__()
        self.attempts = self._count("colorway_attempts_total", "attempts by outcome", ("outcome",))
        self.source_decodes = self._count("source_decodes_total", "sources decoded")
        self.fetch = self._seconds("source_fetch_seconds", "fetching a source from the store")
        self.render = self._seconds("palette_render_seconds", "recolouring and encoding")
        self.upload = self._seconds("palette_upload_seconds", "storing picture and thumbnail")


class RequestMetrics(Metrics):
    """What the dispatcher counts."""

    def __init__(self) -> None:
        super().__init__()
        self.delivered = self._count("tasks_delivered_total", "tasks handed to the queue")
        self.repairs = self._count(
            "reconciler_repairs_total", "what was lost and sent again", ("kind",)
        )
        self.removed = self._count(
            "cleanup_removed_total", "what was kept no longer, and is gone", ("kind",)
        )


def ledger_facts(
    depth: Mapping[Priority, int], oldest_pending: timedelta | None, drift: int | None
) -> list[Metric]:
    """Return the gauges that are facts of the ledger, and of no process."""
    waiting = GaugeMetricFamily("queue_depth", "colorways that are pending", labels=("priority",))
    for priority, count in depth.items():
        waiting.add_metric((priority,), count)
    seconds = oldest_pending.total_seconds() if oldest_pending else 0
    return [
        waiting,
        GaugeMetricFamily(
            "oldest_pending_seconds",
            "since the one that waits longest was ordered; 0 if none does",
            value=seconds,
        ),
        GaugeMetricFamily(
            "ledger_drift",
            "jobs whose counters the reconciler found wrong at its last call; must be 0",
            value=drift or 0,
        ),
    ]


class _Given(Collector):
    def __init__(self, metrics: Iterable[Metric]) -> None:
        self._metrics = metrics

    def collect(self) -> Iterable[Metric]:
        return self._metrics
