from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from functools import partial
from hashlib import sha256

import pytest
from sqlalchemy import select
from uuid_utils.compat import uuid7

from colorway.errors import NotFound, TryLater
from colorway.ledger.images import SourceFacts, find_image, find_image_to_write, record_image
from colorway.ledger.removal import remove_image
from colorway.ledger.slots import awaited_bytes, confirm_slot, find_slot, record_slot
from colorway.ledger.tables import images, upload_slots
from tests.builders import MINUTE, NOON, an_account, an_image, row_of
from tests.colorway.ledger.test_lock_order import in_transaction, wait_until_one_waits

BASE = sha256(b"base").hexdigest()  # an_image() has these bytes, unless told otherwise
FACTS = SourceFacts(BASE, bytes=5_000_000_000, format="png", width=64, height=48)


def a_slot(session, account):
    slot = uuid7()
    record_slot(
        session,
        account,
        slot,
        f"uploads/{slot}",
        sha256=BASE,
        size=FACTS.bytes,
        expires_at=NOON + MINUTE,
        now=NOON,
    )
    return slot


def test_a_slot_is_recorded_as_it_is(session):
    account = an_account(session)

    slot = a_slot(session, account)

    row = find_slot(session, account, slot)
    assert (row.id, row.account_id, row.key) == (slot, account, f"uploads/{slot}")
    assert (row.sha256, row.bytes) == (BASE, 5_000_000_000)  # beyond 32 bits
    assert (row.created_at, row.expires_at) == (NOON, NOON + MINUTE)
    assert row.image_id is None


def test_slots_await_what_was_told_until_they_are_confirmed_or_expire(session):
    account = an_account(session)
    a_slot(session, an_account(session))
    confirmed, _ = a_slot(session, account), a_slot(session, account)

    both = awaited_bytes(session, account, now=NOON)
    confirm_slot(session, account, confirmed, "sources/base", FACTS, now=NOON)
    one = awaited_bytes(session, account, now=NOON)
    none = awaited_bytes(session, account, now=NOON + MINUTE)

    assert (both, one, none) == (2 * FACTS.bytes, FACTS.bytes, 0)


def test_another_accounts_slot_is_not_found(session):
    account, stranger = an_account(session), an_account(session)
    slot = a_slot(session, account)

    with pytest.raises(NotFound):
        find_slot(session, stranger, slot)
    with pytest.raises(NotFound):
        confirm_slot(session, stranger, slot, "sources/a", FACTS, now=NOON)

    assert find_slot(session, account, slot).image_id is None


def test_a_confirmed_slot_is_an_image_with_its_id(session):
    account = an_account(session)
    slot, other = a_slot(session, account), a_slot(session, account)

    image = confirm_slot(session, account, slot, "sources/a", FACTS, now=NOON)

    assert image == find_image(session, account, slot)
    assert (image.key, image.sha256, image.bytes) == ("sources/a", BASE, FACTS.bytes)
    assert find_slot(session, account, slot).image_id == slot
    assert find_slot(session, account, other).image_id is None


def test_a_slot_confirmed_before_keeps_its_image(session):
    account = an_account(session)
    slot = a_slot(session, account)
    first = confirm_slot(session, account, slot, "sources/first", FACTS, now=NOON)

    second = confirm_slot(session, account, slot, "sources/second", FACTS, now=NOON)

    assert second == first
    assert first.key == "sources/first"


def test_bytes_that_are_known_stay_the_image_they_were(session):
    image = an_image(session)
    slot = a_slot(session, image.account_id)

    confirmed = confirm_slot(session, image.account_id, slot, "sources/a", FACTS, now=NOON)

    assert confirmed == image
    assert find_slot(session, image.account_id, slot).image_id == image.id


def test_a_deleted_image_takes_the_slots_along_that_became_it(session):
    image = an_image(session)
    slot, open_slot = a_slot(session, image.account_id), a_slot(session, image.account_id)
    confirm_slot(session, image.account_id, slot, "sources/a", FACTS, now=NOON)

    remove_image(session, image.account_id, image.id)

    assert list(session.scalars(select(upload_slots.c.id))) == [open_slot]


def test_a_slot_that_is_gone_makes_no_image(ledger):
    with ledger.transaction() as session:
        account = an_account(session)

    with pytest.raises(NotFound), ledger.transaction() as session:
        confirm_slot(session, account, uuid7(), "sources/a", FACTS, now=NOON)

    with ledger.reading() as session:
        assert list(session.scalars(select(images.c.id))) == []


def test_a_deletion_that_waits_for_a_confirmation_takes_its_slot_along(postgres_ledger, watcher):
    with postgres_ledger.transaction() as session:
        image = an_image(session)
        slot = a_slot(session, image.account_id)

    with ThreadPoolExecutor(1) as pool:
        with postgres_ledger.transaction() as session:
            record_image(session, image.account_id, uuid7(), "sources/a", FACTS, now=NOON)
            removing = pool.submit(
                in_transaction, postgres_ledger, remove_image, image.account_id, image.id
            )
            wait_until_one_waits(watcher)  # so what was found may be referred to
            confirm_slot(session, image.account_id, slot, "sources/a", FACTS, now=NOON)
        removing.result(timeout=10)

    with postgres_ledger.reading() as session:
        assert list(session.scalars(select(upload_slots.c.id))) == []


def test_bytes_whose_image_is_just_being_deleted_are_put_off(postgres_ledger, watcher):
    with postgres_ledger.transaction() as session:
        image = an_image(session)
        slot = a_slot(session, image.account_id)
    confirm = partial(
        in_transaction, postgres_ledger, confirm_slot, image.account_id, slot, "sources/a", FACTS
    )

    with ThreadPoolExecutor(1) as pool:
        with postgres_ledger.transaction() as session:
            find_image_to_write(session, image.account_id, image.id)
            confirming = pool.submit(confirm, now=NOON)
            wait_until_one_waits(watcher)
            remove_image(session, image.account_id, image.id)
        put_off = confirming.exception(timeout=10)

    assert isinstance(put_off, TryLater)
    assert confirm(now=NOON).id == slot
    with postgres_ledger.reading() as session:
        assert row_of(session, upload_slots, slot).image_id == slot
