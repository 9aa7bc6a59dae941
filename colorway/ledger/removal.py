"""What a client deletes, or time does: a job with pictures that are no other job's, or a source.

These are the rows. Their objects are dropped once the rows are gone and that is committed: an
object that nothing points to is harmless, a row that points to nothing is not.

A picture is locked before its job, as by a finish that points to it and by whoever forgets it.
"""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from sqlalchemy import bindparam, delete, exists, select, update
from sqlalchemy.orm import Session

from colorway.errors import Conflict, TryLater
from colorway.ledger import outbox
from colorway.ledger.images import find_image_to_write
from colorway.ledger.progress import find_job, find_job_to_write, progress_of
from colorway.ledger.tables import Record, colorways, images, jobs, renditions

LOCK_ITS_PICTURES = (
    select(renditions.c.id)
    .where(
        renditions.c.id.in_(
            select(colorways.c.rendition_id).where(colorways.c.job_id == bindparam("job"))
        )
    )
    .order_by(renditions.c.id)
    .with_for_update()
)
LOCK_PICTURES = (
    select(renditions.c.id)
    .where(renditions.c.id.in_(bindparam("pictures", expanding=True)))
    .order_by(renditions.c.id)
    .with_for_update()
)
# Until now the job itself has told that its source was wanted.
WANTED_BY_JOB = (
    update(images)
    .where(images.c.id == bindparam("image"), images.c.wanted_at < bindparam("submitted"))
    .values(wanted_at=bindparam("submitted"))
)
REMOVE_JOB = delete(jobs).where(jobs.c.id == bindparam("job"))
REMOVE_UNUSED = (
    delete(renditions)
    .where(
        renditions.c.id.in_(bindparam("pictures", expanding=True)),
        ~exists().where(colorways.c.rendition_id == renditions.c.id),
    )
    .returning(renditions.c.key)
)

IS_IN_USE = select(exists().where(jobs.c.image_id == bindparam("image")))
REMOVE_IMAGE = delete(images).where(images.c.id == bindparam("image"))


def remove_job(session: Session, account: UUID, job: UUID) -> Sequence[str]:
    """Delete a job that is done; return the keys of the pictures that nothing points to now.

    Raises NotFound, Conflict while it is not done, and TryLater where it is reopened and done
    again at this very moment: it has pictures then that should have been locked before it.
    """
    seen = _require_done(find_job(session, account, job))
    pictures = session.scalars(LOCK_ITS_PICTURES, {"job": job}).all()
    locked = _require_done(find_job_to_write(session, account, job))
    if locked.version != seen.version:
        raise TryLater(f"job {job} has just changed", retry_after=1)
    outbox.forget_job(session, job)  # a delivery may be about to forget the same entries
    session.execute(WANTED_BY_JOB, {"image": locked.image_id, "submitted": locked.created_at})
    session.execute(REMOVE_JOB, {"job": job})
    return session.scalars(REMOVE_UNUSED, {"pictures": list(pictures)}).all()


def remove_unused_pictures(session: Session, among: Sequence[UUID]) -> Sequence[str]:
    """Delete those of these pictures that no colorway shows, and return their keys.

    They are locked first, and looked at in the next statement: whoever has just pointed to one, in
    a transaction that was still open, has done so by then.
    """
    pictures = {"pictures": list(among)}
    session.execute(LOCK_PICTURES, pictures).all()
    return session.scalars(REMOVE_UNUSED, pictures).all()


def remove_image(session: Session, account: UUID, image: UUID) -> str:
    """Delete a source that no job refers to, and return the key it was stored under.

    Raises NotFound, and Conflict while a job refers to it. As its row is locked, no job can begin
    to do so meanwhile.
    """
    found = find_image_to_write(session, account, image)
    if session.scalar(IS_IN_USE, {"image": image}):
        raise Conflict(f"image {image} belongs to a job; delete its jobs first", code="in-use")
    session.execute(REMOVE_IMAGE, {"image": image})
    return str(found.key)


def _require_done(job: Record) -> Record:
    if not progress_of(job).is_done:
        raise Conflict(f"job {job.id} is not done; cancel it first, or wait", code="not-done")
    return job
