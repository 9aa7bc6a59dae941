"""create_app() wires every part of the dispatcher, here and nowhere else."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from threading import Event
from typing import Any

from flask import Flask
from flask_compress import Compress

from colorway.image_store import ImageStore, open_store
from colorway.image_store.local_folder import LocalFolderStore
from colorway.ledger.connection import Ledger
from colorway.ledger.quotas import Quotas
from colorway.oidc import CallerCheck
from colorway.telemetry.metrics import RequestMetrics
from dispatcher.api.answer_headers import set_answer_headers
from dispatcher.api.archive import archive_routes
from dispatcher.api.authentication import calling_account
from dispatcher.api.calls import refuse_what_is_misread
from dispatcher.api.colorways import colorway_routes
from dispatcher.api.images import image_routes
from dispatcher.api.job_list import job_list_routes
from dispatcher.api.jobs import job_routes
from dispatcher.api.links import link_routes
from dispatcher.api.openapi import openapi_routes
from dispatcher.api.problems import show_problems
from dispatcher.api.queue import queue_routes
from dispatcher.api.rate_limit import limit_rates
from dispatcher.api.removal import removal_routes
from dispatcher.api.request_log import log_requests
from dispatcher.api.upkeep import upkeep_routes
from dispatcher.api.uploads import Uploads
from dispatcher.api.waiting import Waiting
from dispatcher.archive import Archives
from dispatcher.cleanup import Cleanup
from dispatcher.delivery import Delivery
from dispatcher.door import Pace
from dispatcher.intake import Intake
from dispatcher.places import Places
from dispatcher.reconciler import Reconciler
from dispatcher.remote_image import Limits, RemoteImages, UrlRules
from dispatcher.removal import Removal
from dispatcher.settings import Settings
from dispatcher.slots import Slots
from dispatcher.task_queue import TaskQueue
from dispatcher.timer import call_every
from dispatcher.web.pages import page_routes

API_VERSION = "0.1.0"

BURST = timedelta(seconds=2)
"""So long a place is waited for: a burst of quick pictures passes, nobody waits for slow ones."""

MAX_BODY = 64_000
"""Bytes of a request's body, on every route that does not set a limit of its own."""

COMPRESSION: dict[str, Any] = {
    "COMPRESS_ALGORITHM": ["gzip"],
    "COMPRESS_MIMETYPES": ["application/json"],  # pictures are as small as they get
    "COMPRESS_MIN_SIZE": 1000,  # bytes; less fits into one packet anyway
    "COMPRESS_STREAMS": False,
}


@dataclass(frozen=True, slots=True)
class Machinery:
    """What lives longer than a request; at `app.extensions["machinery"]`, for timers and ends."""

    ledger: Ledger
    queue: TaskQueue
    delivery: Delivery
    reconciler: Reconciler
    cleanup: Cleanup
    uploads: Uploads
    stopping: Event
    """Set when the process is about to end: whoever waits for news is answered at once."""

    def close(self) -> None:
        """Close every connection; what the queue has not taken stays in the outbox."""
        self.queue.close()
        self.delivery.close()
        self.ledger.dispose()


def create_app(
    settings: Settings,
    *,
    store: ImageStore | None = None,
    remote_images: RemoteImages | None = None,
) -> Flask:
    """Return the dispatcher; call it once per process, after fork.

    Pictures lie in the store of the settings and are fetched as these say, unless another store or
    another way to fetch is given.
    """
    metrics = RequestMetrics()
    ledger = Ledger(settings.database_url, pool_size=settings.database_pool)
    store = store or open_store(settings)
    queue = TaskQueue(settings)
    delivery = Delivery(ledger, queue, metrics)
    quotas = Quotas(settings.max_pending, settings.max_stored_bytes)
    intake = Intake(
        ledger,
        store,
        delivery,
        settings.keep_jobs_for,
        settings.enqueue_inline,
        remote_images or _remote_images(settings),
        quotas,
        metrics,
    )
    reconciler = Reconciler(ledger, queue, delivery, store, metrics, settings)
    cleanup = Cleanup(ledger, store, metrics, settings)
    callers = CallerCheck(
        audience=settings.dispatcher_url,
        issuer=settings.oidc_issuer,
        certs_url=settings.oidc_certs_url,
        emails=settings.oidc_callers,
    )
    stopping = Event()
    lounge = _places(settings.threads // 3, full="too many requests wait for news")
    waiting = Waiting(ledger, lounge, pause=stopping.wait)
    parcels = _places(settings.threads // 4, full="too many archives are being sent")
    uploads = Uploads(
        max_bytes=settings.max_upload_bytes,
        max_pixels=settings.max_pixels,
        places=_places(
            settings.parallel_uploads,
            full="too many pictures are being received at once",
            wait_for=BURST,
        ),
    )
    slots = Slots(
        ledger, store, settings.slots_work_for, settings.max_pixels, uploads.places, quotas
    )

    app = Flask(__name__, static_folder=None)
    app.config.from_mapping(MAX_CONTENT_LENGTH=MAX_BODY, **COMPRESSION)
    app.url_map.merge_slashes = False  # its redirects would be the only answers in HTML
    app.extensions["machinery"] = Machinery(
        ledger, queue, delivery, reconciler, cleanup, uploads, stopping
    )
    app.extensions["pace"] = Pace(
        settings.receive_within, settings.receive_rate, settings.send_within
    )
    log_requests(app, metrics)
    Compress(app)  # after the log in this list is before it on the way out: its time counts
    set_answer_headers(app)
    show_problems(app)
    limit_rates(app, settings.rate_limit)
    refuse_what_is_misread(app)
    app.register_blueprint(job_list_routes(ledger))
    app.register_blueprint(job_routes(intake, uploads, waiting, max_palettes=settings.max_palettes))
    app.register_blueprint(colorway_routes(ledger, store, links_work_for=settings.links_work_for))
    app.register_blueprint(archive_routes(Archives(ledger, store), parcels))
    app.register_blueprint(image_routes(intake, uploads, slots))
    app.register_blueprint(removal_routes(Removal(ledger, store)))
    app.register_blueprint(queue_routes(ledger))
    app.register_blueprint(upkeep_routes(ledger, delivery, reconciler, cleanup, callers, metrics))
    app.register_blueprint(openapi_routes(API_VERSION, settings))
    app.register_blueprint(page_routes(API_VERSION))
    if isinstance(store, LocalFolderStore):
        app.register_blueprint(link_routes(store, uploads))
    return app


def start_timers(app: Flask, settings: Settings) -> None:
    """Call upkeep by timers, where the settings say so.

    They are daemons, ended with the process: upkeep may end anywhere.
    """
    machinery: Machinery = app.extensions["machinery"]
    reconcile, clean_up = machinery.reconciler.reconcile, machinery.cleanup.clean_up
    if settings.reconcile_every is not None:
        call_every(settings.reconcile_every, "reconciler", lambda now: reconcile(now=now), Event())
    if settings.cleanup_every is not None:
        call_every(settings.cleanup_every, "cleanup", lambda now: clean_up(now=now), Event())


def _remote_images(settings: Settings) -> RemoteImages:
    return RemoteImages(
        Limits(settings.max_upload_bytes, settings.max_pixels, settings.fetch_for),
        UrlRules(
            allow_http=settings.allow_http_sources,
            ports=frozenset(map(int, settings.source_ports.split(","))),
        ),
        _places(
            settings.threads // 4,
            full="too many pictures are being fetched at once",
            wait_for=BURST,
        ),
    )


def _places(count: int, *, full: str, wait_for: timedelta = timedelta(0)) -> Places:
    return Places(max(1, count), full=full, wait_for=wait_for, whose=calling_account)
