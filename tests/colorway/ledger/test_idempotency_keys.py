"""Keys of submissions: who holds one, for how long, and what becomes of those who wait for it."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from functools import partial
from uuid import UUID

import pytest
from sqlalchemy import func, select
from uuid_utils.compat import uuid7

from colorway.errors import Conflict, InvalidRequest
from colorway.job import OutputOptions, PaletteOrder, Priority, RenderOptions
from colorway.ledger.idempotency import Reservation, complete, release, request_sha256, reserve
from colorway.ledger.tables import idempotency_keys, jobs
from colorway.palette import Palette
from tests.builders import DAY, MINUTE, NOON, a_job, a_job_request, an_account, an_image
from tests.colorway.ledger.test_lock_order import in_transaction, wait_until_one_waits
from tests.colorway.ledger.test_races import at_once

SECOND = timedelta(seconds=1)
IMAGE = UUID("01980000-0000-7000-8000-000000000000")
WANTED = a_job_request(IMAGE, ("nord", "ink"), metadata={"a": "1", "b": "2"})


def a_reservation(account: UUID, *, sha256: str = "a" * 64, key: str = "once") -> Reservation:
    """Return another request's wish for the key."""
    return Reservation(account, "POST /v1/jobs", key, sha256)


def refused_by(function, *given, **named) -> str:
    with pytest.raises((Conflict, InvalidRequest)) as refused:
        function(*given, **named)
    return refused.value.code


def test_a_key_is_reserved_by_the_first_who_asks(session):
    account = an_account(session)
    first, second = a_reservation(account), a_reservation(account)

    assert reserve(session, first, now=NOON) is None

    assert refused_by(reserve, session, second, now=NOON) == "idempotency-in-progress"
    other = replace(second, request_sha256="b" * 64)
    assert refused_by(reserve, session, other, now=NOON) == "idempotency-mismatch"


def test_a_completed_key_leads_to_its_job_for_a_day(session):
    image = an_image(session)
    held = a_reservation(image.account_id)
    reserve(session, held, now=NOON)
    job, _ = a_job(session, image=image)
    complete(session, held, job)
    late = NOON + DAY - SECOND

    assert reserve(session, a_reservation(image.account_id), now=late) == job

    other = a_reservation(image.account_id, sha256="b" * 64)
    assert refused_by(reserve, session, other, now=late) == "idempotency-mismatch"
    assert reserve(session, other, now=NOON + DAY) is None
    again = replace(other, holder=uuid7())
    assert refused_by(reserve, session, again, now=NOON + DAY) == "idempotency-in-progress"
    assert refused_by(reserve, session, held, now=NOON + DAY) == "idempotency-mismatch"


def test_accounts_routes_and_keys_do_not_meet(session):
    account, stranger = an_account(session), an_account(session, "another")
    held = a_reservation(account)
    reserve(session, held, now=NOON)

    others = [
        a_reservation(stranger),
        replace(held, route="POST /v1/images"),
        replace(held, key="Once"),
    ]

    assert [reserve(session, other, now=NOON) for other in others] == [None] * 3
    codes = {refused_by(reserve, session, each, now=NOON) for each in (held, *others)}
    assert codes == {"idempotency-in-progress"}


@pytest.mark.parametrize("sha256", ["a" * 64, "b" * 64])
def test_a_reservation_that_ran_out_is_taken_over_for_any_request(session, sha256):
    account = an_account(session)
    slow, next_one = a_reservation(account), a_reservation(account, sha256=sha256)
    reserve(session, slow, now=NOON)

    early = refused_by(reserve, session, slow, now=NOON + MINUTE - SECOND)
    taken = reserve(session, next_one, now=NOON + MINUTE)

    assert (early, taken) == ("idempotency-in-progress", None)
    again = a_reservation(account, sha256=sha256)
    late = NOON + 2 * MINUTE - SECOND
    assert refused_by(reserve, session, again, now=late) == "idempotency-in-progress"


def test_only_the_newest_holder_completes_or_releases(session):
    image = an_image(session)
    slow, newest = a_reservation(image.account_id), a_reservation(image.account_id)
    reserve(session, slow, now=NOON)
    reserve(session, newest, now=NOON + MINUTE)
    job, _ = a_job(session, image=image)

    release(session, slow)

    assert refused_by(complete, session, slow, job) == "idempotency-in-progress"
    complete(session, newest, job)
    assert reserve(session, slow, now=NOON + MINUTE) == job


def test_a_released_key_is_free_for_anything(session):
    account = an_account(session)
    held, neighbour = a_reservation(account), a_reservation(account, key="twice")
    for each in (held, neighbour):
        reserve(session, each, now=NOON)

    release(session, held)

    assert reserve(session, a_reservation(account, sha256="b" * 64), now=NOON) is None
    kept = a_reservation(account, key="twice")
    assert refused_by(reserve, session, kept, now=NOON) == "idempotency-in-progress"


def test_a_completed_key_cannot_be_released(session):
    image = an_image(session)
    held = a_reservation(image.account_id)
    reserve(session, held, now=NOON)
    job, _ = a_job(session, image=image)
    complete(session, held, job)

    release(session, held)

    assert reserve(session, a_reservation(image.account_id), now=NOON) == job


def test_a_key_goes_with_its_job(session):
    image = an_image(session)
    held = a_reservation(image.account_id)
    reserve(session, held, now=NOON)
    job, _ = a_job(session, image=image)
    complete(session, held, job)

    session.execute(jobs.delete().where(jobs.c.id == job))

    assert reserve(session, a_reservation(image.account_id), now=NOON) is None


@pytest.mark.parametrize("count", [2, 8])
@pytest.mark.parametrize("has_run_out", [False, True])
def test_of_many_who_reserve_at_once_one_gets_the_key(ledger, count, has_run_out):
    with ledger.transaction() as session:
        account = an_account(session)
        if has_run_out:
            reserve(session, a_reservation(account), now=NOON - MINUTE)

    def reserving() -> str:
        try:
            with ledger.transaction() as session:
                reserve(session, a_reservation(account), now=NOON)
        except Conflict as refused:
            return refused.code
        return "reserved"

    results = at_once(*[reserving] * count)

    assert sorted(results) == ["idempotency-in-progress"] * (count - 1) + ["reserved"]


def recording(ledger, image, held) -> UUID | str:
    """Record a job and complete the reservation, in one transaction."""
    try:
        with ledger.transaction() as session:
            job, _ = a_job(session, image=image)
            complete(session, held, job)
    except Conflict as refused:
        return refused.code
    return job


def taking_over(ledger, held) -> UUID | str | None:
    try:
        return in_transaction(ledger, reserve, held, now=NOON + MINUTE)
    except Conflict as refused:
        return refused.code


def test_a_slow_request_and_those_who_take_over_make_one_job(ledger):
    with ledger.transaction() as session:
        image = an_image(session)
        slow = a_reservation(image.account_id)
        reserve(session, slow, now=NOON)

    def take_over_and_record() -> UUID | str:
        held = a_reservation(image.account_id)
        earlier = taking_over(ledger, held)
        return recording(ledger, image, held) if earlier is None else earlier

    results = at_once(partial(recording, ledger, image, slow), *[take_over_and_record] * 7)

    made = {result for result in results if isinstance(result, UUID)}
    with ledger.reading() as session:
        assert set(session.scalars(select(jobs.c.id))) == made
        assert session.scalar(select(idempotency_keys.c.job_id)) in made
    assert len(made) == 1
    assert {result for result in results if isinstance(result, str)} <= {"idempotency-in-progress"}


@pytest.mark.parametrize("commits", [True, False])
def test_who_reserves_what_another_is_reserving_waits_for_its_commit(
    postgres_ledger, watcher, commits
):
    with postgres_ledger.transaction() as session:
        account = an_account(session)

    with ThreadPoolExecutor(1) as pool:
        with postgres_ledger.transaction() as session:
            reserve(session, a_reservation(account), now=NOON)
            second = a_reservation(account)
            reserving = pool.submit(in_transaction, postgres_ledger, reserve, second, now=NOON)
            wait_until_one_waits(watcher)
            if not commits:
                session.rollback()
        refused = reserving.exception(timeout=10)

    assert isinstance(refused, Conflict) == commits


def test_who_takes_over_while_the_first_completes_finds_its_job(postgres_ledger, watcher):
    with postgres_ledger.transaction() as session:
        image = an_image(session)
        slow = a_reservation(image.account_id)
        reserve(session, slow, now=NOON)

    with ThreadPoolExecutor(1) as pool:
        with postgres_ledger.transaction() as session:
            job, _ = a_job(session, image=image)
            complete(session, slow, job)
            next_one = a_reservation(image.account_id)
            waiting = pool.submit(taking_over, postgres_ledger, next_one)
            wait_until_one_waits(watcher)
        earlier = waiting.result(timeout=10)

    assert earlier == job


def test_who_completes_what_is_being_taken_over_records_nothing(postgres_ledger, watcher):
    with postgres_ledger.transaction() as session:
        image = an_image(session)
        slow = a_reservation(image.account_id)
        reserve(session, slow, now=NOON)

    with ThreadPoolExecutor(1) as pool:
        with postgres_ledger.transaction() as session:
            reserve(session, a_reservation(image.account_id), now=NOON + MINUTE)
            completing = pool.submit(recording, postgres_ledger, image, slow)
            wait_until_one_waits(watcher)
        result = completing.result(timeout=10)

    assert result == "idempotency-in-progress"
    with postgres_ledger.reading() as session:
        assert session.scalar(select(func.count()).select_from(jobs)) == 0


def test_equal_requests_have_one_hash():
    same = a_job_request(UUID(str(IMAGE)), ("nord", "ink"), metadata={"b": "2", "a": "1"})

    assert request_sha256(same, uploaded=None) == request_sha256(WANTED, uploaded=None)


def test_a_hash_stays_what_it_is_from_release_to_release():
    sha256 = request_sha256(replace(WANTED, priority=Priority.LOW), uploaded="c" * 64)

    # a client that repeats its submission across a deploy is not told that it is another one
    assert sha256 == "57252c11945698a2f286bd00b80fa2519c41b35407226c5f8f6337db2d806231"


@pytest.mark.parametrize(
    "change",
    [
        {"image_id": UUID(int=1)},
        {"palettes": WANTED.palettes[::-1]},
        {"palettes": WANTED.palettes[:1]},
        {"palettes": (replace(WANTED.palettes[0], key="mine"), WANTED.palettes[1])},
        {"palettes": (PaletteOrder("nord", Palette("nord", ("#000", "#111"))), WANTED.palettes[1])},
        {"render": RenderOptions(strength=0.5)},
        {"render": RenderOptions(preserve_luminance=False)},
        {"output": OutputOptions(format="auto")},
        {"output": OutputOptions(max_edge=320)},
        {"output": OutputOptions(thumbnail_edge=100)},
        {"priority": Priority.HIGH},
        {"on_error": "stop"},
        {"reuse": "force"},
        {"metadata": {}},
        {"metadata": {"a": "2", "b": "1"}},
    ],
)
def test_whatever_differs_makes_another_hash(change):
    other = replace(WANTED, **change)

    assert request_sha256(other, uploaded=None) != request_sha256(WANTED, uploaded=None)


def test_the_picture_that_came_along_counts():
    hashes = {request_sha256(WANTED, uploaded=sent) for sent in (None, "a" * 64, "b" * 64)}

    assert len(hashes) == 3
