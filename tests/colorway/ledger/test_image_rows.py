from __future__ import annotations

import pytest
from sqlalchemy import func, select
from uuid_utils.compat import uuid7

from colorway.errors import NotFound
from colorway.ledger.images import SourceFacts, find_image, image_with, note_frames, record_image
from colorway.ledger.tables import images
from tests.builders import NOON, an_account, an_image, row_of

FACTS = SourceFacts("a" * 64, bytes=5_000_000_000, format="tiff", width=9000, height=8000)


def test_an_image_is_recorded_as_it_is(session):
    account, image = an_account(session), uuid7()

    row = record_image(session, account, image, "sources/a", FACTS, now=NOON)

    assert (row.id, row.account_id, row.key) == (image, account, "sources/a")
    assert (row.sha256, row.bytes) == (FACTS.sha256, 5_000_000_000)  # beyond 32 bits
    assert (row.format, row.width, row.height) == ("tiff", 9000, 8000)
    assert (row.frames, row.created_at) == (None, NOON)


def test_the_same_bytes_are_the_image_that_was_first(session):
    account, first = an_account(session), uuid7()
    record_image(session, account, first, "sources/first", FACTS, now=NOON)

    row = record_image(session, account, uuid7(), "sources/second", FACTS, now=NOON)

    assert (row.id, row.key) == (first, "sources/first")
    assert session.scalar(select(func.count()).select_from(images)) == 1


def test_the_same_bytes_of_another_account_are_another_image(session):
    mine, theirs = an_image(session, seed="same"), an_image(session, seed="same")

    assert mine.id != theirs.id
    assert image_with(session, mine.account_id, mine.sha256).id == mine.id


def test_an_image_is_found_by_its_bytes(session):
    image = an_image(session)

    assert image_with(session, image.account_id, image.sha256) == image
    assert image_with(session, image.account_id, "b" * 64) is None


def test_another_accounts_image_is_not_found(session):
    image = an_image(session)

    assert find_image(session, image.account_id, image.id) == image
    with pytest.raises(NotFound):
        find_image(session, an_account(session), image.id)


def test_the_first_count_of_frames_stays(session):
    image, other = an_image(session), an_image(session)

    note_frames(session, image.id, 3)
    note_frames(session, image.id, 1)

    assert row_of(session, images, image.id).frames == 3
    assert row_of(session, images, other.id).frames is None
