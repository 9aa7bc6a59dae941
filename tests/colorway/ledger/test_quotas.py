"""Quotas: what counts against them, how much room is left, and that looking is cheap."""

from __future__ import annotations

import pytest
from sqlalchemy import insert, text, update
from uuid_utils.compat import uuid7

from colorway.errors import TooMany
from colorway.ledger.commands import cancel_job, retry_job
from colorway.ledger.lease import fail
from colorway.ledger.quotas import (
    LOOK_AGAIN_IN,
    STORED_BYTES,
    TAKEN,
    Quotas,
    Room,
    require_space,
    room_of,
    room_to_fill,
    set_quotas,
)
from colorway.ledger.repairs import forget_rendition
from colorway.ledger.tables import accounts, colorways, images, jobs, renditions
from tests.builders import (
    BROKEN,
    NOON,
    a_claim,
    a_job,
    an_account,
    an_image,
    finish_it,
    row_of,
)

MANY = Quotas(1_000)


def refusal(room: Room, more: int) -> TooMany:
    with pytest.raises(TooMany) as refused:
        room.require(more)
    return refused.value


def a_room(taken: int, most: int) -> Room:
    return Room(uuid7(), taken, Quotas(most))


def stores(session, image, *picture_bytes):
    """Let the image's account store a source of 1000 bytes, and pictures of these."""
    _, tasks = a_job(session, tuple(f"p{n}" for n in range(len(picture_bytes))), image=image)
    for task, size in zip(tasks, picture_bytes, strict=True):
        finish_it(session, a_claim(session, task))
        picture = row_of(session, colorways, task.colorway).rendition_id
        session.execute(update(renditions).where(renditions.c.id == picture).values(bytes=size))


@pytest.mark.parametrize("look", [room_of, room_to_fill])
def test_what_is_pending_or_processing_takes_room_and_what_has_ended_does_not(session, look):
    image = an_image(session)
    _, [done, broken, running, _] = a_job(session, ("a", "b", "c", "d"), image=image)
    finish_it(session, a_claim(session, done))
    fail(session, a_claim(session, broken), BROKEN, now=NOON)
    a_claim(session, running)
    cancelled, _ = a_job(session, ("e", "f"), image=image)
    cancel_job(session, image.account_id, cancelled, now=NOON)
    a_job(session, ("g", "h", "i"), image=image)
    a_job(session, image=an_image(session))

    assert look(session, image.account_id, MANY) == Room(image.account_id, 5, MANY)


def test_an_account_that_has_no_job_has_all_the_room_there_is(session):
    account = an_account(session)

    assert room_to_fill(session, account, MANY) == Room(account, 0, MANY)


def test_a_retry_takes_room_again(session):
    image = an_image(session)
    job, _ = a_job(session, ("a", "b"), image=image)
    cancel_job(session, image.account_id, job, now=NOON)

    retry_job(session, image.account_id, job, ["a"], now=NOON)

    assert room_of(session, image.account_id, MANY).taken == 1


def test_a_picture_that_was_lost_takes_room_even_where_there_is_none(session):
    image = an_image(session)
    _, [task, _] = a_job(session, ("a", "b"), image=image)
    finish_it(session, a_claim(session, task))
    picture = row_of(session, colorways, task.colorway).rendition_id

    forget_rendition(session, picture, now=NOON)

    assert room_of(session, image.account_id, Quotas(1)) == Room(image.account_id, 2, Quotas(1))


def test_what_just_fits_is_let_in():
    a_room(7, 10).require(3)
    a_room(0, 10).require(10)


def test_what_fits_once_others_have_ended_is_asked_to_come_back():
    refused = refusal(a_room(1_234, 1_235), more=2)

    assert (refused.status, refused.code) == (429, "quota-exceeded")
    assert refused.retry_after == LOOK_AGAIN_IN
    assert "1,234 colorways of this account are pending or processing" in refused.detail
    assert "quota of 1,235" in refused.detail


def test_what_never_fits_is_not_asked_to_come_back():
    refused = refusal(a_room(0, 10), more=11)

    assert (refused.code, refused.retry_after) == ("quota-exceeded", None)
    assert "send fewer at a time" in refused.detail


def test_an_accounts_own_quotas_go_before_those_of_all(session):
    own, plain = an_account(session), an_account(session)

    set_quotas(session, own, {"max_pending": 0, "max_stored_bytes": 5})

    assert room_of(session, own, MANY).quotas.max_pending == 0
    assert room_of(session, plain, MANY).quotas.max_pending == 1_000
    with pytest.raises(TooMany):
        require_space(session, own, MANY, more=6)
    require_space(session, plain, MANY, more=6)


def test_a_quota_taken_away_is_that_of_all_again(session):
    account = an_account(session)
    set_quotas(session, account, {"max_pending": 3, "max_stored_bytes": 0})

    set_quotas(session, account, {"max_stored_bytes": None})

    row = row_of(session, accounts, account)
    assert (row.max_pending, row.max_stored_bytes) == (3, None)
    require_space(session, account, Quotas(1, 10), more=10)


def test_sources_and_pictures_take_space_and_those_of_others_do_not(session):
    image = an_image(session)
    stores(session, image, 500, 250)
    stores(session, an_image(session), 9_999)

    require_space(session, image.account_id, Quotas(1, 2_000), more=250)
    with pytest.raises(TooMany) as refused:
        require_space(session, image.account_id, Quotas(1, 2_000), more=251)

    assert (refused.value.code, refused.value.retry_after) == ("quota-exceeded", None)
    assert "stores 1,750 of 2,000 bytes, and 251 would be added" in refused.value.detail


def test_more_bytes_than_32_bits_can_count_are_counted(session):
    image = an_image(session)
    stores(session, image, 2**40, 2**40)

    with pytest.raises(TooMany, match=f"{2**41 + 1000:,} of"):
        require_space(session, image.account_id, Quotas(1, 2**40), more=0)


def crowd(ledger):
    """Let two accounts have 2,000 sources, pictures and jobs each, and return one of them.

    Of a hundred jobs one has not ended.
    """
    with ledger.transaction() as session:
        owners = [an_image(session) for _ in range(2)]
        stores(session, owners[0], 500)
        for table, unique in ((images, "sha256"), (renditions, "fingerprint"), (jobs, "total")):
            pattern = session.execute(table.select()).mappings().first()
            rows = [
                {**pattern, "id": uuid7(), "account_id": it.account_id, unique: 100 + n}
                for it in owners
                for n in range(2_000)
            ]
            session.execute(insert(table), rows)
        session.execute(update(jobs).where(jobs.c.total % 100 == 0).values(finished_at=None))
    return owners[1].account_id


def plan_of(session, statement, account, *, explain):
    asked = statement.params(account=account)
    said = asked.compile(session.connection(), compile_kwargs={"literal_binds": True})
    return "\n".join(str(line) for line in session.execute(text(f"{explain} {said}")))


def test_looking_reads_no_more_than_it_counts_on_postgres(postgres_ledger, watcher):
    account = crowd(postgres_ledger)
    for table in ("images", "renditions", "jobs"):
        watcher.execute(text(f"VACUUM ANALYZE {table}"))

    with postgres_ledger.reading() as session:
        sources, pictures, taken = [
            plan_of(session, which, account, explain="EXPLAIN ANALYZE")
            for which in (*STORED_BYTES, TAKEN)
        ]

    assert "Index Only Scan using ix_images_account_id_bytes" in sources
    assert "Index Only Scan using ix_renditions_account_id_bytes" in pictures
    assert "Heap Fetches: 0" in sources
    assert "Heap Fetches: 0" in pictures
    assert "ix_jobs_account_id_open" in taken
    assert "Removed by Filter" not in taken


def test_looking_reads_no_more_than_it_counts_on_sqlite(sqlite_ledger):
    account = crowd(sqlite_ledger)

    with sqlite_ledger.reading() as session:
        sources, pictures, taken = [
            plan_of(session, which, account, explain="EXPLAIN QUERY PLAN")
            for which in (*STORED_BYTES, TAKEN)
        ]

    assert "COVERING INDEX ix_images_account_id_bytes" in sources
    assert "COVERING INDEX ix_renditions_account_id_bytes" in pictures
    assert "INDEX ix_jobs_account_id_open" in taken
