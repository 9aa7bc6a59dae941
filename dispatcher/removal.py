"""Deletes what a client has no more use for: the rows first, commit, then the objects.

Where the store is away the objects stay behind. Nothing points to them, so they do no harm.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from uuid import UUID

import structlog

from colorway.image_store import ImageStore
from colorway.ledger.connection import Ledger
from colorway.ledger.removal import remove_image, remove_job
from dispatcher.dropping import drop_objects, with_thumbnails

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Removal:
    """What deleting needs: where the rows are, and where the pictures."""

    ledger: Ledger
    store: ImageStore

    def delete_job(self, account: UUID, job: UUID) -> None:
        """Delete the job and the pictures that no other job shares; raises what remove_job does."""
        with self.ledger.transaction() as session:
            pictures = remove_job(session, account, job)
        log.info("job_deleted", job=job, pictures=len(pictures))
        self._drop(with_thumbnails(pictures))

    def delete_image(self, account: UUID, image: UUID) -> None:
        """Delete the source; raises what remove_image does."""
        with self.ledger.transaction() as session:
            source = remove_image(session, account, image)
        log.info("image_deleted", image=image)
        self._drop([source])

    def _drop(self, keys: Sequence[str]) -> None:
        with suppress(Exception):  # the rows are gone: whoever got an error would ask again
            drop_objects(self.store, keys)
