"""What the dispatcher reads from the environment, once, at start."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated

from limits import parse_many
from pydantic import AfterValidator, Field

from colorway.settings import Duration, ServiceUrl, SharedSettings


def _rate(text: str) -> str:
    try:
        rates = parse_many(text) if text else []
    except ValueError:
        rates = []
    if text and (len(rates) != 1 or rates[0].amount == 0):
        raise ValueError("a rate is one number above 0 and a time, like `6000 per minute`")
    return text


LONGEST_LINK = timedelta(days=7)
"""What Google Cloud Storage signs for at most; whatever the store, nobody needs more."""

Rate = Annotated[str, AfterValidator(_rate)]
"""So many in a time, as the limits library reads it; or nothing."""


class Settings(SharedSettings):
    """The dispatcher's settings; docs/settings.md lists them all."""

    task_queues: str = Field(
        pattern=r"^projects/[^/]+/locations/[^/]+/queues/[^/]*\{priority\}[^/]*$",
        description="the three queues: `projects/…/locations/…/queues/colorway-{priority}`",
    )
    cloud_tasks_emulator_host: str | None = Field(
        default=None, description="`host:port` of a local queue; unset, the real Cloud Tasks"
    )
    worker_url: ServiceUrl = Field(
        description="root URL of the palette worker, where tasks are sent"
    )
    dispatcher_url: ServiceUrl = Field(description="root URL of this service, for its own tasks")
    task_caller: str = Field(description="e-mail of the service account whose token tasks carry")
    dispatch_deadline: Duration = Field(
        default=timedelta(minutes=10),
        ge=timedelta(seconds=15),
        le=timedelta(minutes=30),
        description="the queue gives up waiting for the worker's answer after this",
    )
    enqueue_inline: int = Field(
        default=16,  # as many calls as delivery.py makes at once: no second round is waited for
        ge=0,
        description="tasks that POST itself hands to the queue; the rest follow",
    )

    threads: int = Field(
        default=128,
        ge=1,
        le=1024,
        description="request threads of one process; each slow client holds one for a while",
    )
    database_pool: int = Field(
        default=10, ge=1, description="connections of one process to the ledger, for all threads"
    )
    receive_within: Duration = Field(
        default=timedelta(seconds=20),
        gt=timedelta(0),
        description="a request must be whole by then, and a second later for each `RECEIVE_RATE`",
    )
    receive_rate: int = Field(
        default=20_000, ge=1, description="bytes of a request that may take a second"
    )
    send_within: Duration = Field(
        default=timedelta(seconds=20),
        gt=timedelta(0),
        description="a client must take each piece of its answer within this",
    )

    max_upload_bytes: int = Field(
        default=50_000_000, ge=1, description="largest picture taken, bytes"
    )
    max_pixels: int = Field(default=40_000_000, ge=1, description="largest picture taken, pixels")
    max_palettes: int = Field(default=500, ge=1, description="palettes in one job")
    max_pending: int = Field(
        default=10_000,
        ge=1,
        description="colorways of an account pending or processing; its own quota overrides this",
    )
    max_stored_bytes: int | None = Field(
        default=None,
        ge=0,
        description="bytes of an account's sources and pictures; its own quota overrides this",
    )
    rate_limit: Rate = Field(
        default="6000 per minute",
        description="calls of an API key to each process, like `100/second`; empty: no limit",
    )
    parallel_uploads: int = Field(
        default=4, ge=1, description="pictures above 1 MB received at once"
    )
    fetch_for: Duration = Field(
        default=timedelta(seconds=20),
        gt=timedelta(0),
        le=timedelta(seconds=40),  # a key of idempotency is reserved for a minute, storing included
        description="fetching one picture ends after this, redirects included; 40 s at most",
    )
    allow_http_sources: bool = Field(
        default=False, description="whether `image.url` may begin with `http://`"
    )
    source_ports: str = Field(
        default="80,443",
        pattern=r"^[0-9]{1,5}(,[0-9]{1,5})*$",
        description="ports that `image.url` may name, separated by commas",
    )
    keep_jobs_for: Duration = Field(
        default=timedelta(days=30),
        gt=timedelta(0),
        description="a job's `expires_at` is this long after it came",
    )
    links_work_for: Duration = Field(
        default=timedelta(minutes=15),
        gt=timedelta(0),
        le=LONGEST_LINK,
        description="a picture's signed link expires after this; 7 days at most",
    )
    slots_work_for: Duration = Field(
        default=timedelta(hours=1),
        gt=timedelta(0),
        le=LONGEST_LINK,
        description="an upload slot expires after this, 7 days at most; confirm it by then",
    )

    reconcile_every: Duration | None = Field(
        default=None,
        description="reconcile by a timer in this process; unset where a scheduler calls",
    )
    outbox_silent_for: Duration = Field(
        default=timedelta(seconds=30),
        description="undelivered tasks older than this are sent again",
    )
    task_unseen_for: Duration = Field(
        default=timedelta(seconds=30), description="the queue is asked about tasks older than this"
    )
    give_up_after: Duration = Field(
        default=timedelta(hours=24),
        description="a colorway that has not ended so long after it was ordered, or retried, fails",
    )
    picture_unseen_for: Duration = Field(
        default=timedelta(days=7),
        description="the store is asked for finished pictures that nobody has checked for so long",
    )
    pictures_per_call: int = Field(
        default=20, ge=0, description="finished pictures that one reconciliation reads and checks"
    )

    cleanup_every: Duration | None = Field(
        default=None,
        gt=timedelta(0),
        description="clean up by a timer in this process; unset where a scheduler calls",
    )
    cleanup_for: Duration = Field(
        default=timedelta(minutes=2),
        description="one cleanup ends after this, and the next goes on; below the platform's"
        " request timeout",
    )
    keep_images_for: Duration = Field(
        default=timedelta(days=30),
        ge=timedelta(0),
        description="a source without a job is removed so long after it was last sent or submitted",
    )
    keep_orphans_for: Duration = Field(
        default=timedelta(hours=24),
        ge=timedelta(minutes=1),
        description="objects that the ledger does not know are removed when they are this old;"
        " upload slots, so long after they expired",
    )
