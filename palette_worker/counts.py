"""What this worker's writes have ended, counted; the end of a job is logged, too."""

from __future__ import annotations

from colorway.job import JobEnd
from colorway.ledger.lease import Claim
from colorway.lifecycle import Status, is_last_try
from colorway.telemetry.metrics import RenderMetrics


def count_end(metrics: RenderMetrics, status: Status, end: JobEnd | None) -> None:
    """Count a colorway that is in this state now, and its job if that has ended with it."""
    if status in (Status.COMPLETED, Status.FAILED):  # job_ended() counts what was cancelled
        metrics.colorways.labels(status).inc()
    if end is not None:
        metrics.job_ended(end)


def count_given_back(
    metrics: RenderMetrics, claim: Claim, end: JobEnd | None, *, counts: bool
) -> None:
    """Count what giving back has ended: its last try, or a job that had a failure meanwhile."""
    is_over = counts and is_last_try(claim.tries + 1)
    count_end(metrics, Status.FAILED if is_over else Status.PENDING, end)
