"""A palette worker's bench on a real ledger, and jobs whose sources lie in its store."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from io import BytesIO
from typing import Any
from uuid import UUID

import numpy as np
from PIL import Image
from tenacity import Retrying, retry_if_result, stop_after_delay, wait_fixed
from uuid_utils.compat import uuid7

from colorway.image_keys import source_key
from colorway.image_store import ImageStore
from colorway.job import OutputOptions
from colorway.ledger.connection import Ledger
from colorway.ledger.images import SourceFacts, record_image
from colorway.ledger.orders import SourceRef
from colorway.ledger.tables import Record, colorways, jobs, renditions
from colorway.lifecycle import Status
from colorway.render_task import RenderTask
from colorway.telemetry.metrics import RenderMetrics
from palette_worker.heartbeat import Heartbeat
from palette_worker.rendering import Limits
from palette_worker.slots import RenderSlots
from palette_worker.source_image import SourceImages
from palette_worker.steps import Bench
from tests.builders import MINUTE, NOON, a_job, an_account, counts_of, row_of
from tests.fakes import Clock, HookedStore

BUDGET = 8 * MINUTE
SOON = 20.0  # seconds of real time after which a test gives up waiting
ROOM = 1_000_000


def a_bench(ledger: Ledger, store: ImageStore, clock: Clock, **matters: Any) -> Bench:
    metrics = RenderMetrics()
    fields: dict[str, Any] = {
        "ledger": ledger,
        "store": store,
        "sources": SourceImages(store, metrics, limits=Limits(), cache_bytes=ROOM),
        "slots": RenderSlots(ROOM),
        "renders": threading.BoundedSemaphore(2),
        "uploads": threading.BoundedSemaphore(2),
        "heartbeat": Heartbeat(ledger, metrics, lease_for=MINUTE, every=MINUTE / 4, now=clock),
        "metrics": metrics,
        "draining": threading.Event(),
        "pause": lambda seconds: None,
        "lease_for": MINUTE,
        "time_budget": BUDGET,
        "slot_wait": timedelta(0),
        "now": clock,
    }
    return Bench(**fields | matters)


def a_picture(seed: int = 0, *, kind: str = "PNG") -> bytes:
    """Draw 32 by 24 pixels; the seed decides their colours."""
    chance = np.random.default_rng(seed)
    pixels = chance.integers(0, 255, (3, 4, 3), dtype=np.uint8).repeat(8, axis=0).repeat(8, axis=1)
    body = BytesIO()
    Image.fromarray(pixels).save(body, kind)
    return body.getvalue()


def a_placed_job(
    bench: Bench,
    palettes: tuple[str, ...] = ("nord",),
    *,
    body: bytes | None = None,
    **matters: Any,
) -> tuple[UUID, list[RenderTask]]:
    """Record a job whose source lies in the store; small thumbnails, unless told otherwise."""
    body = a_picture() if body is None else body
    matters = {"output": OutputOptions(thumbnail_edge=64)} | matters
    with bench.ledger.transaction() as session:
        account = matters.pop("account", None) or an_account(session)
        image, digest = uuid7(), hashlib.sha256(body).hexdigest()
        key = source_key(account, digest, image)
        facts = SourceFacts(digest, len(body), "png", width=32, height=24)
        row = record_image(session, account, image, key, facts, now=NOON)
        placed = a_job(session, palettes, image=row, **matters)
    if row.key == key:
        bench.store.put(key, BytesIO(body), size=len(body), sha256=digest, media_type="image/png")
    return placed


def colorway_of(bench: Bench, task: RenderTask) -> Record:
    with bench.ledger.reading() as session:
        return row_of(session, colorways, task.colorway)


def job_of(bench: Bench, job: UUID) -> Record:
    with bench.ledger.reading() as session:
        return row_of(session, jobs, job)


def given_back(bench: Bench, task: RenderTask, *, tries: int = 0) -> bool:
    """Whether the colorway waits for its next attempt, and the ledger's counters know it."""
    row = colorway_of(bench, task)
    assert (row.status, row.tries, row.leased_until) == (Status.PENDING, tries, None)
    with bench.ledger.reading() as session:
        counters, rows = counts_of(session, row.job_id)
    assert counters == rows
    return True


def rendition_of(bench: Bench, task: RenderTask) -> Record:
    """Return the picture that the ledger says this colorway has."""
    with bench.ledger.reading() as session:
        rendition = row_of(session, colorways, task.colorway).rendition_id
        return row_of(session, renditions, rendition)


def is_whole(bench: Bench, task: RenderTask) -> bool:
    """Whether what the ledger says of this colorway's picture is true."""
    rendition = rendition_of(bench, task)
    with bench.store.open(rendition.key) as body:
        stored = body.read()
    assert len(stored) == rendition.bytes
    return bool(hashlib.sha256(stored).hexdigest() == rendition.sha256)


def source_of(store: HookedStore, key: str) -> SourceRef:
    """Return what a worker is told of this stored source."""
    body = store.objects[key]
    return SourceRef(uuid7(), key, hashlib.sha256(body).hexdigest(), len(body), 32, 24, None, False)


def results_in(store: HookedStore) -> set[str]:
    """Return the keys of all that attempts have left in the store."""
    return {key for key in store.objects if "/colorways/" in key}


def counted(bench: Bench, name: str, **labels: str) -> float:
    return bench.metrics.registry.get_sample_value(name, labels) or 0


def at_once(*works: Callable[[], Any]) -> list[Any]:
    """Run each in a thread of its own, all started together; return results or errors in order."""
    start = threading.Barrier(len(works))

    def run(work: Callable[[], Any]) -> Any:
        start.wait(SOON)
        try:
            return work()
        except Exception as error:
            return error

    with ThreadPoolExecutor(len(works)) as pool:
        return list(pool.map(run, works))


def until(holds: Callable[[], bool]) -> None:
    """Look again and again until it holds; fail if it never does."""
    look_again = Retrying(
        retry=retry_if_result(lambda it_holds: not it_holds),
        wait=wait_fixed(0.005),
        stop=stop_after_delay(SOON),
    )
    look_again(holds)
