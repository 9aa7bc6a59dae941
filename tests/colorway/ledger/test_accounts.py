from __future__ import annotations

import hashlib

import pytest
from sqlalchemy import select

from colorway.errors import Unauthenticated
from colorway.ledger.accounts import ALL_SCOPES, caller_with, issue_key
from colorway.ledger.tables import api_keys
from tests.builders import DAY, NOON, an_account


def test_a_key_speaks_for_its_account(session):
    account, _ = an_account(session), an_account(session)
    key = issue_key(session, account, now=NOON)

    caller = caller_with(session, key, now=NOON)

    assert caller.account == account
    assert caller.scopes == set(ALL_SCOPES)


def test_a_key_may_do_only_what_it_was_made_for(session):
    key = issue_key(session, an_account(session), now=NOON, scopes=("read",))

    assert caller_with(session, key, now=NOON).scopes == {"read"}


def test_only_the_hash_of_a_key_is_kept(session):
    key = issue_key(session, an_account(session), now=NOON)

    row = session.execute(select(api_keys)).one()

    assert row.sha256 == hashlib.sha256(key.encode()).hexdigest()
    assert key.startswith(row.prefix)
    assert len(row.prefix) < 10  # enough to tell keys apart, nothing to guess the rest from
    assert all(key not in str(value) for value in row)


def test_no_two_keys_are_the_same(session):
    account = an_account(session)

    keys = {issue_key(session, account, now=NOON) for _ in range(5)}

    assert len(keys) == 5
    assert all(len(key) > 40 for key in keys)


@pytest.mark.parametrize("key", ["", "cw_wrong", "cw_' OR 1=1 --"])
def test_an_unknown_key_is_nobody(session, key):
    issue_key(session, an_account(session), now=NOON)

    with pytest.raises(Unauthenticated, match="not known"):
        caller_with(session, key, now=NOON)


def test_a_key_ends_at_its_expiry(session):
    account = an_account(session)
    key = issue_key(session, account, now=NOON, expires_at=NOON + DAY)

    assert caller_with(session, key, now=NOON).account == account
    with pytest.raises(Unauthenticated, match="expired"):
        caller_with(session, key, now=NOON + DAY)
