"""Which other sources of an account look like one: a hint for people, never a reason to refuse.

Only sources are compared: the colorways of one picture look alike to these hashes, as they must.

What is the same to all four hashes is `exact`, whenever it came: an index leads to the answer. What
differs in a few bits is `near`, among the newest of the account: no index finds these, and a
thousand are compared within a few milliseconds. Both lists are short. However many images an
account has, this reads no more rows.

A picture without any light and dark (its ahash is 0: no 64th of it is above the mean) is like every
other such, so it is said to be like none.
"""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import bindparam, select
from sqlalchemy.orm import Session

from colorway.ledger.tables import Record, images
from colorway.perceptual_hashes import NEAR, PerceptualHashes, distance

NEWEST = 1000
MOST_SHOWN = 20

_HASHES = tuple(images.c[name] for name in PerceptualHashes._fields)

EQUAL_TO_IT = (
    select(images.c.id)
    .where(
        images.c.account_id == bindparam("account"),
        *(column == bindparam(column.name) for column in _HASHES),
        images.c.id != bindparam("image"),
    )
    .order_by(images.c.id.desc())
    .limit(MOST_SHOWN)
)
NEWEST_OF_ACCOUNT = (
    select(images.c.id, *_HASHES)
    .where(images.c.account_id == bindparam("account"), images.c.phash.is_not(None))
    .order_by(images.c.id.desc())
    .limit(NEWEST)
)


@dataclass(frozen=True, slots=True)
class NearImage:
    """An image that looks alike, and how far its hashes are, as `distance` has it."""

    image: UUID
    distance: int


@dataclass(frozen=True, slots=True)
class Duplicates:
    """The newest images that are the same to every hash, and the nearest of the others.

    `near` is None until a worker has looked at the picture.
    """

    exact: tuple[UUID, ...]
    near: tuple[NearImage, ...] | None


def duplicates_of(session: Session, image: Record) -> Duplicates:
    """Return which other images of its account look like this one."""
    if image.phash is None:
        return Duplicates((), None)
    if image.ahash == 0:
        return Duplicates((), ())
    its = PerceptualHashes(*(getattr(image, name) for name in PerceptualHashes._fields))
    account = {"account": image.account_id}
    exact = session.scalars(EQUAL_TO_IT, account | its._asdict() | {"image": image.id})
    near = [
        NearImage(other, apart)
        for other, *hashes in session.execute(NEWEST_OF_ACCOUNT, account)
        if (apart := distance(its, hashes)) <= NEAR and tuple(hashes) != its
    ]
    near.sort(key=lambda it: it.distance)  # the newer first where they are equally near
    return Duplicates(tuple(exact), tuple(near[:MOST_SHOWN]))
