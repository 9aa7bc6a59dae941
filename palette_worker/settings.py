"""What the palette worker reads from the environment, once, at start."""

from __future__ import annotations

import os
from datetime import timedelta

from pydantic import Field

from colorway.settings import Duration, SharedSettings


class Settings(SharedSettings):
    """The palette worker's settings; docs/settings.md lists them all."""

    worker_url: str = Field(description="root URL of this service: the audience of callers' tokens")
    threads: int = Field(
        default=8, ge=1, le=256, description="request threads of one process, and its connections"
    )
    lease_for: Duration = Field(
        default=timedelta(seconds=60), description="a dead worker is noticed after this"
    )
    heartbeat_every: Duration = Field(
        default=timedelta(seconds=15), description="how often leases are renewed"
    )
    time_budget: Duration = Field(
        default=timedelta(minutes=8),
        description="an attempt gives up after this; below Cloud Run's timeout",
    )
    slot_wait: Duration = Field(
        default=timedelta(seconds=5), description="a task waits so long for room, then 503"
    )
    render_bytes: int = Field(
        default=280_000_000, description="memory for pictures in flight; bounds renders at once"
    )
    source_cache_bytes: int = Field(
        default=100_000_000, description="memory for decoded sources that may be used again"
    )
    max_parallel_renders: int = Field(
        default_factory=lambda: os.cpu_count() or 1,
        ge=1,
        description="renders at once; default: the number of processors",
    )
    max_parallel_uploads: int = Field(
        default=2, ge=1, description="uploads at once, apart from rendering"
    )
    max_source_bytes: int = Field(default=50_000_000, description="largest source read, bytes")
    max_pixels: int = Field(default=40_000_000, description="largest source decoded, pixels")

    @property
    def connections(self) -> int:
        """To the ledger, of one process: a thread's each, the heartbeat's and the drain's."""
        return self.threads + 2
