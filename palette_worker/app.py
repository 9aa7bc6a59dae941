"""create_app() wires every part of the palette worker, here and nowhere else."""

from __future__ import annotations

import threading

from flask import Flask
from tenacity import sleep_using_event

from colorway.image_store import ImageStore, open_store
from colorway.ledger.connection import Ledger
from colorway.oidc import CallerCheck
from colorway.telemetry.metrics import RenderMetrics
from palette_worker.heartbeat import Heartbeat, utc_now
from palette_worker.rendering import Limits
from palette_worker.request_log import log_requests
from palette_worker.routes import show_errors, worker_routes
from palette_worker.settings import Settings
from palette_worker.slots import RenderSlots
from palette_worker.source_image import SourceImages
from palette_worker.steps import Bench

_MAX_TASK_BYTES = 10_000  # a task carries ids only


def create_app(settings: Settings, *, store: ImageStore | None = None) -> Flask:
    """Return the worker; call it once per process, after fork.

    Pictures lie in the store of the settings, unless another one is given. The worker's bench is at
    `app.extensions["bench"]`, for SIGTERM to drain.
    """
    metrics = RenderMetrics()
    ledger = Ledger(settings.database_url, pool_size=settings.connections)
    store = store or open_store(settings)
    heartbeat = Heartbeat(
        ledger, metrics, lease_for=settings.lease_for, every=settings.heartbeat_every
    )
    draining = threading.Event()
    bench = Bench(
        ledger=ledger,
        store=store,
        sources=SourceImages(
            store,
            metrics,
            limits=Limits(max_pixels=settings.max_pixels, max_bytes=settings.max_source_bytes),
            cache_bytes=settings.source_cache_bytes,
        ),
        slots=RenderSlots(settings.render_bytes),
        renders=threading.BoundedSemaphore(settings.max_parallel_renders),
        uploads=threading.BoundedSemaphore(settings.max_parallel_uploads),
        heartbeat=heartbeat,
        metrics=metrics,
        draining=draining,
        pause=sleep_using_event(draining),
        lease_for=settings.lease_for,
        time_budget=settings.time_budget,
        slot_wait=settings.slot_wait,
        now=utc_now,
    )
    callers = CallerCheck(
        audience=settings.worker_url,
        issuer=settings.oidc_issuer,
        certs_url=settings.oidc_certs_url,
        emails=settings.oidc_callers,
    )
    heartbeat.start()

    app = Flask(__name__)
    app.config["MAX_CONTENT_LENGTH"] = _MAX_TASK_BYTES
    app.extensions["bench"] = bench
    log_requests(app, metrics)
    show_errors(app)
    app.register_blueprint(worker_routes(bench, callers))
    return app
