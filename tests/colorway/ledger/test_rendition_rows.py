from __future__ import annotations

from dataclasses import replace

from colorway.ledger.renditions import record_rendition, rendition_bytes
from colorway.ledger.tables import renditions
from tests.builders import NOON, a_stored_rendition, an_account, row_of


def test_a_rendition_is_recorded_as_it_was_stored(session):
    account, stored = an_account(session), a_stored_rendition("nord.png")

    winner = record_rendition(session, account, "f" * 64, stored, now=NOON)

    row = row_of(session, renditions, winner.id)
    assert (row.account_id, row.fingerprint, row.key) == (account, "f" * 64, "nord.png")
    assert (row.sha256, row.bytes, row.format) == (stored.sha256, 500, "png")
    assert (row.width, row.height, row.created_at) == (64, 48, NOON)
    assert winner.key == "nord.png"


def test_of_two_renditions_of_one_fingerprint_the_first_counts(session):
    account = an_account(session)
    first = record_rendition(session, account, "same", a_stored_rendition("1.png"), now=NOON)

    second = record_rendition(session, account, "same", a_stored_rendition("2.png"), now=NOON)

    assert second == first


def test_accounts_share_no_renditions(session):
    stored = a_stored_rendition()

    mine = record_rendition(session, an_account(session), "same", stored, now=NOON)
    theirs = record_rendition(session, an_account(session), "same", stored, now=NOON)

    assert mine.id != theirs.id


def test_of_those_that_an_account_has_the_bytes_are_told(session):
    account, other = an_account(session), an_account(session)
    for owner, print_, size in ((account, "a", 7), (account, "b", 8), (other, "c", 9)):
        stored = replace(a_stored_rendition(), bytes=size)
        record_rendition(session, owner, print_, stored, now=NOON)

    assert rendition_bytes(session, account, ["a", "b", "b", "c", "d"]) == {"a": 7, "b": 8}
    assert rendition_bytes(session, account, []) == {}
