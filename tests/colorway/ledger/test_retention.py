"""What nobody needs any more is found without looking at all that is needed."""

from __future__ import annotations

from uuid import UUID

import pytest
from sqlalchemy import insert, text, update
from uuid_utils.compat import uuid7

from colorway.image_keys import (
    Kind,
    Origin,
    origin_of,
    rendition_key,
    slot_key,
    source_key,
    thumbnail_key,
)
from colorway.ledger import retention
from colorway.ledger.repairs import NEVER
from colorway.ledger.tables import colorways, idempotency_keys, images, jobs, renditions
from tests.builders import (
    DAY,
    MINUTE,
    NOON,
    a_claim,
    a_job,
    an_account,
    an_image,
    finish_it,
    row_of,
)

LATER = NOON + 31 * DAY
FIRST = (NEVER, UUID(int=0))
FIRST_KEY = (*FIRST, "", "")


def test_a_page_goes_on_behind_what_expired_at_the_same_moment(session):
    image = an_image(session)
    made = []
    for _ in range(5):
        job, [task] = a_job(session, image=image, reuse="force")
        finish_it(session, a_claim(session, task))
        made.append(job)

    pages, last = [], FIRST
    while page := retention.expired_jobs(session, now=LATER, last=last, most=2):
        pages.append([row.id for row in page])
        last = (page[-1].expires_at, page[-1].id)

    assert [len(page) for page in pages] == [2, 2, 1]
    assert sorted(job for page in pages for job in page) == sorted(made)


def test_keys_of_the_same_moment_are_passed_through_and_forgotten_once(session):
    account = an_account(session)
    row = {"account_id": account, "route": "r", "request_sha256": "", "holder": account}
    row |= {"reserved_until": NOON, "job_id": None, "created_at": NOON}
    session.execute(insert(idempotency_keys), [row | {"key": key} for key in "edcba"])

    first = retention.old_keys(session, now=LATER, last=FIRST_KEY, most=3)
    second = retention.old_keys(session, now=LATER, last=tuple(first[-1]), most=3)
    forgotten = [retention.forget_keys(session, first, now=LATER) for _ in range(2)]

    assert [key.key for key in (*first, *second)] == list("abcde")
    assert forgotten == [3, 0]
    assert len(retention.old_keys(session, now=LATER, last=FIRST_KEY, most=9)) == 2
    assert retention.old_keys(session, now=NOON + DAY / 2, last=FIRST_KEY, most=9) == []


def test_a_key_tells_what_it_was_made_for():
    account, it = uuid7(), uuid7()
    picture = rendition_key(account, "f" * 64, it, 12, "webp")

    assert origin_of(source_key(account, "e" * 64, it)) == Origin(account, Kind.SOURCE, "e" * 64)
    assert origin_of(slot_key(account, it)) == Origin(account, Kind.SLOT, str(it))
    assert origin_of(picture) == Origin(account, Kind.PICTURE, "f" * 64)
    assert origin_of(thumbnail_key(picture)) == origin_of(picture)


@pytest.mark.parametrize(
    "key",
    [
        "notes.txt",
        "{account}/readme.txt",
        "{account}/sources/{account}",
        "{account}/uploads/{account}/more",
        "{account}/uploads/mine",
        "{account}/colorways/nord.png",
        "studio/uploads/{account}",
        "backup/{account}/uploads/{account}",
    ],
)
def test_a_key_that_we_would_not_make_tells_nothing(key):
    assert origin_of(key.format(account=uuid7())) is None


def test_only_the_very_object_that_a_row_names_is_known(session):
    image = an_image(session)
    _, [task] = a_job(session, image=image)
    held = a_claim(session, task)
    finish_it(session, held)
    shown = row_of(session, renditions, row_of(session, colorways, task.colorway).rendition_id)
    account, other = image.account_id, an_account(session, "another")

    known = retention.known_objects(
        session,
        [
            Origin(account, Kind.SOURCE, image.sha256),
            Origin(account, Kind.PICTURE, shown.fingerprint),
            Origin(other, Kind.PICTURE, shown.fingerprint),
            Origin(account, Kind.SLOT, str(uuid7())),
        ],
    )

    assert known == {image.key, shown.key, thumbnail_key(shown.key)}


def test_a_source_whose_job_was_submitted_lately_is_wanted_though_the_job_has_expired(session):
    image = an_image(session)
    session.execute(update(images).values(wanted_at=NOON - 9 * DAY))
    _, [task] = a_job(session, image=image)  # at noon
    finish_it(session, a_claim(session, task))
    asked = session, [image.id]

    assert retention.unused_sources(*asked, before=NOON - MINUTE, now=LATER) == []
    assert retention.unused_sources(*asked, before=NOON + MINUTE, now=LATER) == [image.id]


def crowd(ledger):
    """Let there be 2,000 sources, pictures and jobs each, all in use, and one job that expired."""
    with ledger.transaction() as session:
        image = an_image(session)
        _, [task] = a_job(session, image=image)
        finish_it(session, a_claim(session, task))
        rows = {t: session.execute(t.select()).mappings().one() for t in (images, renditions, jobs)}
        colorway = session.execute(colorways.select()).mappings().one()
        ids = [uuid7() for _ in range(2_000)]
        for table, row in rows.items():
            unique = {images: "sha256", renditions: "fingerprint"}.get(table, "on_error")
            differs = {"expires_at": LATER + DAY} if table is jobs else {}
            session.execute(
                insert(table), [{**row, "id": id, unique: str(id)} | differs for id in ids]
            )
        session.execute(
            insert(colorways),
            [{**colorway, "id": id, "job_id": id, "rendition_id": id} for id in ids],
        )
    return ids


def plans_of(ledger, ids, explain):
    """Return how the database finds what has expired, and what is unused on one page."""
    last = {"last_0": NEVER, "last_1": UUID(int=0)}
    with ledger.reading() as session:
        for statement in (
            retention.EXPIRED_JOBS.params(**last, now=LATER, most=50),
            retention.UNUSED_PICTURES.params(ids=ids[:50], now=LATER),
            retention.UNUSED_SOURCES.params(ids=ids[:50], now=LATER, before=LATER),
            retention.PICTURES.params(last=ids[0], most=50),
        ):
            said = statement.compile(session.connection(), compile_kwargs={"literal_binds": True})
            yield "\n".join(str(line) for line in session.execute(text(f"{explain} {said}")))


def test_what_has_expired_is_found_by_index_on_postgres(postgres_ledger, watcher):
    ids = crowd(postgres_ledger)
    for table in ("images", "renditions", "jobs", "colorways"):
        watcher.execute(text(f"VACUUM ANALYZE {table}"))

    expired, pictures, sources, page = plans_of(postgres_ledger, ids, "EXPLAIN ANALYZE")

    assert "ix_jobs_expires_at" in expired
    assert "Rows Removed by Filter" not in expired
    assert "ix_colorways_rendition_id" in pictures
    assert "ix_jobs_image_id" in sources
    assert "pk_renditions" in page
    for plan in (expired, pictures, sources, page):
        assert "Seq Scan" not in plan.replace("Seq Scan on upload_slots", "")  # it is empty


def test_what_has_expired_is_found_by_index_on_sqlite(sqlite_ledger):
    ids = crowd(sqlite_ledger)

    expired, pictures, sources, page = plans_of(sqlite_ledger, ids, "EXPLAIN QUERY PLAN")

    assert "ix_jobs_expires_at (expires_at>? AND expires_at<?)" in expired
    assert "ix_colorways_rendition_id" in pictures
    assert "ix_jobs_image_id" in sources
    for plan in (expired, pictures, sources, page):
        assert "SCAN" not in plan
