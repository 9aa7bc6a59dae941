"""Jobs whose pictures are really in a store, made without a worker."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from datetime import datetime
from io import BytesIO
from uuid import UUID

from colorway.image_store import ImageStore
from colorway.ledger.connection import Ledger
from colorway.ledger.lease import finish
from colorway.ledger.renditions import StoredRendition, record_rendition
from colorway.ledger.tables import colorways, jobs
from tests.builders import NOON, TIMINGS, a_claim, row_of, tasks_of


def finish_with(
    ledger: Ledger,
    store: ImageStore,
    job: UUID,
    pictures: Mapping[str, bytes],
    *,
    now: datetime = NOON,
) -> None:
    """Finish the job's colorways of these keys with these pictures."""
    with ledger.transaction() as session:
        for task in tasks_of(session, job):
            row = row_of(session, colorways, task.colorway)
            if row.key not in pictures:
                continue
            body = pictures[row.key]
            key, sha256 = f"pictures/{row.id}.png", hashlib.sha256(body).hexdigest()
            store.put(key, BytesIO(body), size=len(body), sha256=sha256, media_type="image/png")
            stored = StoredRendition(key, sha256, len(body), format="png", width=64, height=48)
            account = row_of(session, jobs, job).account_id
            won = record_rendition(session, account, row.fingerprint, stored, now=now)
            finish(session, a_claim(session, task, now=now), won.id, TIMINGS, now=now)
