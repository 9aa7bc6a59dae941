from __future__ import annotations

import hashlib
from datetime import datetime, timedelta
from uuid import UUID

import pytest
from sqlalchemy import select, update
from sqlalchemy.orm import Session

from colorway.errors import InvalidRequest, NotFound, Unauthenticated
from colorway.ledger.accounts import (
    ALL_SCOPES,
    all_accounts,
    caller_with,
    find_account,
    find_key,
    issue_key,
    open_account,
    require_new_name,
    revoke_key,
    rotate_key,
    shown_of,
)
from colorway.ledger.tables import api_keys
from tests.builders import DAY, MINUTE, NOON, an_account

AN_ID = "01980000-0000-7000-8000-000000000000"


def works(session: Session, key: str, *, now: datetime = NOON) -> bool:
    try:
        return bool(caller_with(session, key, now=now))
    except Unauthenticated:
        return False


def a_key_shown_as(session: Session, prefix: str, account: UUID | None = None) -> str:
    """Make a key that the ledger shows like this, and return it."""
    key = issue_key(session, account or an_account(session), now=NOON)
    this = api_keys.c.prefix == shown_of(key)
    session.execute(update(api_keys).where(this).values(prefix=prefix))
    return key


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


def test_accounts_are_listed_by_age_with_their_keys_and_no_secret(session):
    press = open_account(session, "Press", now=NOON + MINUTE)
    studio = open_account(session, "Studio", now=NOON)
    late = issue_key(session, studio, now=NOON + DAY, scopes=("read",), expires_at=NOON + 2 * DAY)
    early = issue_key(session, studio, now=NOON)

    listed = all_accounts(session)

    assert [(each.id, each.name, each.created_at) for each in listed] == [
        (studio, "Studio", NOON),
        (press, "Press", NOON + MINUTE),
    ]
    first, second = listed[0].keys
    assert (first.prefix, first.scopes, first.expires_at) == (
        shown_of(early),
        list(ALL_SCOPES),
        None,
    )
    assert (second.prefix, second.scopes) == (shown_of(late), ["read"])
    assert (second.created_at, second.expires_at) == (NOON + DAY, NOON + 2 * DAY)
    assert listed[1].keys == []
    assert early not in str(listed)
    assert hashlib.sha256(early.encode()).hexdigest() not in str(listed)


def test_an_account_is_found_by_its_id_and_by_its_name(session):
    an_account(session, "Press")
    studio = an_account(session, "Studio")

    assert find_account(session, str(studio)).id == studio
    assert find_account(session, "Studio").id == studio


@pytest.mark.parametrize("named", ["studio", "Stud", "", "Studio\0", "\udcff", AN_ID])
def test_an_account_that_is_not_there_is_not_found(session, named):
    an_account(session, "Studio")

    with pytest.raises(NotFound, match="no account has the id or the name"):
        find_account(session, named)


def test_an_account_is_not_guessed_where_several_have_the_name(session):
    twins = [an_account(session, "Studio"), an_account(session, "Studio")]

    with pytest.raises(InvalidRequest, match="2 accounts") as refused:
        find_account(session, "Studio")

    assert all(str(twin) in str(refused.value) for twin in twins)
    assert find_account(session, str(twins[1])).id == twins[1]


@pytest.mark.parametrize(
    "name", ["Studio", "", " ", "Press ", "a\0", "a\x1b[31m", AN_ID, "a" * 101]
)
def test_a_new_name_can_be_told_from_all_others(session, name):
    an_account(session, "Studio")

    with pytest.raises(InvalidRequest):
        require_new_name(session, name)


@pytest.mark.parametrize("name", ["studio", "Studio 2", "Überdruck", "a" * 100])
def test_any_other_name_is_as_good(session, name):
    an_account(session, "Studio")

    require_new_name(session, name)


@pytest.mark.parametrize("named", ["cw_abC", "cw_abCde", "cw_abCdef"])
def test_a_key_is_found_by_how_it_begins(session, named):
    for shown in ("cw_ABCDEF", "cw_abc_ef", "cw_ab_def", "cw_xabCde"):
        a_key_shown_as(session, shown)
    wanted = an_account(session)
    a_key_shown_as(session, "cw_abCdef", wanted)

    assert find_key(session, named).account_id == wanted


def test_an_underscore_stands_for_itself_only(session):
    a_key_shown_as(session, "cw_abcdef")

    with pytest.raises(NotFound):
        find_key(session, "cw_a_c")


def test_a_key_is_not_guessed_where_several_begin_alike(session):
    a_key_shown_as(session, "cw_abcdef")
    a_key_shown_as(session, "cw_abcxyz")

    with pytest.raises(InvalidRequest, match=r"2 keys begin with 'cw_abc'.*cw_abcdef, cw_abcxyz"):
        find_key(session, "cw_abc")


def test_keys_that_look_alike_are_told_apart_by_the_whole_of_them(session):
    account = an_account(session)
    key = a_key_shown_as(session, "cw_abcdef", account)
    a_key_shown_as(session, "cw_abcdef")

    assert find_key(session, key).account_id == account


@pytest.mark.parametrize(
    "named", ["", "cw_", "abc", "cw_%", "cw_a b", "cw_a\0", "cw_ä", "cw_\udcff"]
)
def test_what_cannot_be_the_beginning_of_a_key_names_none(session, named):
    issue_key(session, an_account(session), now=NOON)

    with pytest.raises(InvalidRequest, match="cw_ and some more"):
        find_key(session, named)


def test_an_error_repeats_no_secret(session):
    secret = issue_key(session, an_account(session), now=NOON)
    mistyped = f"{secret[:-1]}-"

    with pytest.raises(NotFound, match=shown_of(secret)) as refused:
        find_key(session, mistyped)

    assert secret[9:20] not in str(refused.value)


def test_after_a_rotation_both_keys_work_until_the_grace_ends(session):
    account = an_account(session)
    old = issue_key(session, account, now=NOON, scopes=("submit", "read"))
    bystander = issue_key(session, account, now=NOON)

    rotation = rotate_key(session, shown_of(old), grace=DAY, now=NOON)

    assert caller_with(session, rotation.key, now=NOON + 100 * DAY).account == account
    assert caller_with(session, rotation.key, now=NOON).scopes == {"submit", "read"}
    assert (rotation.scopes, rotation.expires_at) == (["submit", "read"], None)
    assert (rotation.old_prefix, rotation.old_expires_at) == (shown_of(old), NOON + DAY)
    assert works(session, old, now=NOON + DAY - MINUTE)
    assert not works(session, old, now=NOON + DAY)
    assert works(session, bystander, now=NOON + 100 * DAY)


def test_a_rotation_never_lengthens_a_life(session):
    old = issue_key(session, an_account(session), now=NOON - DAY, expires_at=NOON + MINUTE)

    rotation = rotate_key(session, old, grace=DAY, now=NOON)

    assert rotation.old_expires_at == NOON + MINUTE
    assert not works(session, old, now=NOON + MINUTE)


def test_the_successor_lasts_as_long_as_the_old_key_was_made_for(session):
    old = issue_key(session, an_account(session), now=NOON, expires_at=NOON + 90 * DAY)

    rotation = rotate_key(session, old, grace=DAY, now=NOON + 80 * DAY)

    assert rotation.expires_at == NOON + 170 * DAY
    assert works(session, rotation.key, now=NOON + 169 * DAY)
    assert not works(session, rotation.key, now=NOON + 170 * DAY)
    assert rotation.old_expires_at == NOON + 81 * DAY


def test_without_any_grace_the_old_key_ends_at_once(session):
    old = issue_key(session, an_account(session), now=NOON)

    rotation = rotate_key(session, old, grace=timedelta(0), now=NOON + MINUTE)

    assert not works(session, old, now=NOON + MINUTE)
    assert works(session, rotation.key, now=NOON + MINUTE)


def test_a_key_that_has_expired_is_not_made_good_again(session):
    old = issue_key(session, an_account(session), now=NOON - DAY, expires_at=NOON)

    with pytest.raises(InvalidRequest, match=f"{shown_of(old)} is over"):
        rotate_key(session, shown_of(old), grace=DAY, now=NOON)

    assert len(session.execute(select(api_keys)).all()) == 1


def test_a_revoked_key_is_gone_by_anybodys_clock_and_no_other(session):
    account = an_account(session)
    leaked, kept = (issue_key(session, account, now=NOON) for _ in range(2))

    revoked = revoke_key(session, shown_of(leaked))

    assert revoked == shown_of(leaked)
    assert not works(session, leaked, now=NOON - DAY)
    assert works(session, kept)
    with pytest.raises(NotFound):
        revoke_key(session, shown_of(leaked))
