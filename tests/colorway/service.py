"""What stands in for the worker where the client is tested."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime
from io import BytesIO
from uuid import UUID

from colorway.client import Job
from colorway.image_keys import thumbnail_key
from tests.dispatcher.finished_jobs import finish_with
from tests.dispatcher.stage import Stage

PICTURE, THUMBNAIL = b"a picture", b"a thumbnail"


def rendered(stage: Stage, job: Job, *keys: str) -> None:
    """Let a worker have rendered these colorways of the job."""
    pictures = dict.fromkeys(keys, PICTURE)
    finish_with(stage.ledger, stage.store, UUID(job.id), pictures, now=datetime.now(UTC))
    digest = hashlib.sha256(THUMBNAIL).hexdigest()
    for row in stage.rows(job.id):
        if row.key in keys:
            stage.store.put(
                thumbnail_key(f"pictures/{row.id}.png"),
                BytesIO(THUMBNAIL),
                size=len(THUMBNAIL),
                sha256=digest,
                media_type="image/webp",
            )
