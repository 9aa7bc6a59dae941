"""Which other images of an account look like one."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import insert
from sqlalchemy.orm import Session
from uuid_utils.compat import uuid7

from colorway.ledger.duplicates import MOST_SHOWN, NEWEST, Duplicates, NearImage, duplicates_of
from colorway.ledger.images import note_hashes
from colorway.ledger.removal import remove_image
from colorway.ledger.tables import Record, images
from colorway.perceptual_hashes import PerceptualHashes
from tests.builders import NOON, an_account, an_image, row_of

ITS = PerceptualHashes(phash=0x5A5A_0F0F_3C3C_7777, ahash=-2, dhash=-(1 << 63), whash=0x0123_4567)


def flipped(number: int, bits: int) -> int:
    """Return the hash with its lowest bits turned over, as many as said."""
    return number ^ ((1 << bits) - 1)


def changed(*bits: int) -> PerceptualHashes:
    """Return hashes that differ from ITS in so many bits each."""
    return PerceptualHashes(*map(flipped, ITS, bits))


@pytest.fixture
def account(session: Session) -> UUID:
    return an_account(session)


def seen(session: Session, account: UUID, hashes: PerceptualHashes | None) -> Record:
    """Record an image of bytes of its own that looks like this to a worker; None has not looked."""
    image = an_image(session, account, seed=str(uuid7())).id
    if hashes is not None:
        note_hashes(session, image, hashes)
    return row_of(session, images, image)


def test_until_a_worker_has_looked_nothing_is_known(session, account):
    seen(session, account, ITS)

    found = duplicates_of(session, seen(session, account, None))

    assert found == Duplicates(exact=(), near=None)


def test_an_image_like_no_other_has_no_duplicates(session, account):
    seen(session, account, changed(32, 32, 32, 32))

    assert duplicates_of(session, seen(session, account, ITS)) == Duplicates((), ())


def test_images_with_the_same_hashes_are_exact_whichever_was_first(session, account):
    first, second, third = (seen(session, account, ITS) for _ in range(3))

    assert duplicates_of(session, second) == Duplicates((third.id, first.id), ())
    assert duplicates_of(session, third) == Duplicates((second.id, first.id), ())


@pytest.mark.parametrize("which", range(4), ids=PerceptualHashes._fields)
def test_a_single_bit_of_any_hash_makes_it_near_instead_of_exact(session, account, which):
    other = seen(session, account, changed(*(int(index == which) for index in range(4))))

    found = duplicates_of(session, seen(session, account, ITS))

    assert found == Duplicates((), (NearImage(other.id, 0),))


@pytest.mark.parametrize(
    ("bits", "distance"),
    [
        ((6, 6, 6, 6), 6),
        ((32, 0, 3, 6), 6),
        ((0, 2, 40, 1), 2),
        ((7, 7, 0, 0), None),
        ((0, 6, 7, 9), None),
    ],
)
def test_near_is_what_differs_in_few_bits_of_three_hashes(session, account, bits, distance):
    seen(session, account, changed(*bits))

    found = duplicates_of(session, seen(session, account, ITS))

    assert [it.distance for it in found.near] == ([] if distance is None else [distance])


def test_signs_are_bits_like_the_others(session, account):
    minus, plus = PerceptualHashes(*[-1] * 4), PerceptualHashes(*[(1 << 63) - 1] * 4)
    other = seen(session, account, plus)

    found = duplicates_of(session, seen(session, account, minus))

    assert found.near == (NearImage(other.id, 1),)


def test_the_nearest_come_first_and_the_newer_of_equals(session, account):
    distances = [4, 2, 6, 2]
    rows = [seen(session, account, changed(bits, bits, bits, bits)) for bits in distances]

    found = duplicates_of(session, seen(session, account, ITS))

    assert [it.image for it in found.near] == [rows[index].id for index in (3, 1, 0, 2)]


def test_lists_are_short(session, account):
    same = [seen(session, account, ITS).id for _ in range(MOST_SHOWN + 2)]
    alike = [seen(session, account, changed(1, 1, 1, 1)).id for _ in range(MOST_SHOWN + 2)]

    found = duplicates_of(session, row_of(session, images, same[0]))

    assert list(found.exact) == same[:1:-1]
    assert [it.image for it in found.near] == alike[:1:-1]


def test_exact_ones_are_found_whatever_their_age_and_near_ones_among_the_newest(session, account):
    exact = seen(session, account, ITS)
    too_old = seen(session, account, changed(2, 2, 2, 2))
    many(session, account, 10)
    just_new_enough = seen(session, account, changed(4, 4, 4, 4))
    many(session, account, NEWEST - 2)

    found = duplicates_of(session, seen(session, account, ITS))

    assert found.exact == (exact.id,)
    assert found.near == (NearImage(just_new_enough.id, 4),)
    assert too_old.id not in {it.image for it in found.near}


def test_images_that_nobody_has_looked_at_take_no_place_among_the_newest(session, account):
    other = seen(session, account, changed(2, 2, 2, 2))
    many(session, account, NEWEST, phash=None)

    found = duplicates_of(session, seen(session, account, ITS))

    assert found.near == (NearImage(other.id, 2),)


def test_what_has_no_light_and_dark_is_like_nothing(session, account):
    plain = PerceptualHashes(phash=-(1 << 63), ahash=0, dhash=0, whash=0)
    seen(session, account, plain)

    assert duplicates_of(session, seen(session, account, plain)) == Duplicates((), ())


def test_another_accounts_images_are_never_named(session, account):
    stranger = an_account(session)
    seen(session, stranger, ITS)
    seen(session, stranger, changed(2, 2, 2, 2))

    assert duplicates_of(session, seen(session, account, ITS)) == Duplicates((), ())


def test_a_deleted_image_is_named_no_longer(session, account):
    same, alike = seen(session, account, ITS), seen(session, account, changed(2, 2, 2, 2))
    mine = seen(session, account, ITS)

    for row in (same, alike):
        remove_image(session, account, row.id)

    assert duplicates_of(session, mine) == Duplicates((), ())


def test_what_a_worker_says_first_stays(session, account):
    image = seen(session, account, ITS)
    other = seen(session, account, None)

    note_hashes(session, image.id, changed(30, 30, 0, 0))

    assert row_of(session, images, image.id) == image
    assert row_of(session, images, other.id).phash is None


def many(session: Session, account: UUID, count: int, phash: int | None = 0) -> None:
    """Record so many newer images that look quite different, or were not looked at."""
    hashes = {"phash": phash, "ahash": phash, "dhash": phash, "whash": phash}
    row: dict[str, Any] = {"account_id": account, "key": "", "format": "png", "bytes": 1}
    size = {"width": 1, "height": 1, "created_at": NOON}
    rows = [row | size | hashes | {"id": uuid7(), "sha256": str(uuid7())} for _ in range(count)]
    session.execute(insert(images), rows)
