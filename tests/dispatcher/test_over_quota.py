"""Quotas as a client meets them: 429, nothing half done, and what it can do about it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from threading import Barrier
from uuid import UUID

import pytest
from sqlalchemy import Table, func, select, update
from werkzeug.test import TestResponse

from colorway.ledger.connection import Ledger
from colorway.ledger.progress import find_job_to_write
from colorway.ledger.quotas import Quotas, room_of, room_to_fill, set_quotas
from colorway.ledger.tables import images, jobs, upload_slots
from local_tasks.server import LocalTasks
from tests.colorway.ledger.test_lock_order import wait_until_one_waits
from tests.dispatcher.stage import Stage, a_job_part, a_png, many_palettes, multipart, on_stage

QUOTA = 10


@pytest.fixture
def narrow(ledger: Ledger, tmp_path: Path, idle_queue: LocalTasks) -> Iterator[Stage]:
    """A dispatcher whose accounts may have ten colorways pending, on each database in turn.

    It has a connection for each of eight calls at once, or they would not meet in the ledger.
    """
    narrow = {"max_pending": QUOTA, "database_pool": 8}
    with on_stage(ledger, tmp_path, idle_queue.grpc_address, **narrow) as stage:
        yield stage


def order(stage: Stage, image: str, colorways: int, **headers: str) -> TestResponse:
    """Submit a job of so many colorways."""
    document = {"image": {"id": image}, "palettes": many_palettes(colorways)}
    return stage.post("/v1/jobs", json=document, headers=headers)


def order_with_picture(stage: Stage, color: int = 0) -> TestResponse:
    """Submit a job of one colorway and its picture."""
    return stage.post("/v1/jobs", **multipart(("image", a_png(color)), ("job", a_job_part())))


def cancelled(stage: Stage, image: str, colorways: int) -> str:
    """Submit a job and cancel it; return its path."""
    path: str = order(stage, image, colorways).headers["Location"]
    stage.post(f"{path}/cancel")
    return path


def with_quotas(stage: Stage, **quotas: int) -> None:
    with stage.ledger.transaction() as session:
        set_quotas(session, stage.account, quotas)


def pending(stage: Stage) -> int:
    with stage.ledger.reading() as session:
        return room_of(session, stage.account, Quotas(0)).taken


def rows_in(stage: Stage, table: Table) -> int | None:
    with stage.ledger.reading() as session:
        return session.scalar(select(func.count()).select_from(table))


def at_once(*calls: Callable[[], TestResponse]) -> list[int]:
    """Make each call by a thread of its own, all started together, and return their statuses."""
    start = Barrier(len(calls))

    def make(call: Callable[[], TestResponse]) -> int:
        start.wait(timeout=10)
        return call().status_code

    with ThreadPoolExecutor(len(calls)) as pool:
        return list(pool.map(make, calls))


def test_submissions_at_once_fill_the_quota_and_never_exceed_it(narrow):
    image = narrow.an_image()

    statuses = at_once(*[partial(order, narrow, image, 3)] * 8)

    assert sorted(statuses) == [202] * 3 + [429] * 5
    assert (pending(narrow), rows_in(narrow, jobs)) == (9, 3)


def test_retries_and_submissions_at_once_never_exceed_it_either(narrow):
    image = narrow.an_image()
    ended = [cancelled(narrow, image, 3) for _ in range(4)]

    retries = [partial(narrow.post, f"{path}/retry") for path in ended]
    statuses = at_once(*retries, *[partial(order, narrow, image, 3)] * 4)

    assert sorted(statuses) == [202] * 3 + [429] * 5
    assert pending(narrow) == 9


def test_what_is_beyond_the_quota_is_refused_whole_and_may_be_sent_again_later(narrow):
    image = narrow.an_image()
    job = order(narrow, image, 7).headers["Location"]

    refused = order(narrow, image, 4)
    narrow.post(f"{job}/cancel")
    again = order(narrow, image, 4)

    problem = refused.json
    assert (refused.status_code, problem["code"]) == (429, "quota-exceeded")
    assert (problem["retryable"], refused.headers["Retry-After"]) == (True, "60")
    assert "7 colorways of this account are pending or processing" in problem["detail"]
    assert again.status_code == 202
    assert rows_in(narrow, jobs) == 2


def test_a_job_larger_than_the_quota_is_not_worth_sending_again(narrow):
    refused = order(narrow, narrow.an_image(), QUOTA + 1)

    assert (refused.status_code, refused.json["code"]) == (429, "quota-exceeded")
    assert refused.json["retryable"] is False
    assert "Retry-After" not in refused.headers
    assert "11 colorways at once" in refused.json["detail"]


def test_a_refused_jobs_picture_is_not_stored(narrow):
    order(narrow, narrow.an_image(), QUOTA)
    before = narrow.stored_keys()

    refused = order_with_picture(narrow, color=7)

    assert refused.status_code == 429
    assert (narrow.stored_keys(), rows_in(narrow, images)) == (before, 1)


def test_a_refused_submissions_key_may_be_used_again(narrow):
    image = narrow.an_image()
    full = order(narrow, image, QUOTA).headers["Location"]
    once = {"Idempotency-Key": "once"}

    refused = order(narrow, image, 1, **once)
    narrow.post(f"{full}/cancel")
    accepted = order(narrow, image, 1, **once)

    assert (refused.status_code, accepted.status_code) == (429, 202)
    assert "Idempotency-Replayed" not in accepted.headers


def test_a_repeated_submission_finds_its_job_however_full_it_is(narrow):
    image = narrow.an_image()
    once = {"Idempotency-Key": "once"}
    first = order(narrow, image, QUOTA, **once)

    repeated = order(narrow, image, QUOTA, **once)

    assert (repeated.status_code, repeated.json["id"]) == (202, first.json["id"])


def test_a_retry_beyond_the_quota_opens_nothing(narrow):
    image = narrow.an_image()
    path = cancelled(narrow, image, 4)
    order(narrow, image, 7)
    before = narrow.get(path).json

    refused = narrow.post(f"{path}/retry")
    some = narrow.post(f"{path}/retry", json={"keys": ["palette-0", "palette-2"]})

    assert (refused.status_code, refused.json["code"]) == (429, "quota-exceeded")
    assert refused.headers["Retry-After"] == "60"
    assert before["counts"]["cancelled"] == 4
    assert some.status_code == 202
    assert (some.json["counts"]["pending"], pending(narrow)) == (2, 9)


def test_a_full_account_that_has_nothing_to_retry_is_told_so(narrow):
    path = order(narrow, narrow.an_image(), QUOTA).headers["Location"]

    answer = narrow.post(f"{path}/retry")

    assert (answer.status_code, answer.json["code"]) == (409, "nothing-to-retry")


def test_an_accounts_own_quota_is_what_counts(narrow):
    image = narrow.an_image()
    with_quotas(narrow, max_pending=QUOTA + 1)

    statuses = [order(narrow, image, n).status_code for n in (QUOTA, 2, 1, 1)]

    assert statuses == [202, 429, 202, 429]


def test_one_full_account_leaves_room_to_the_others(narrow, tmp_path, idle_queue):
    order(narrow, narrow.an_image(), QUOTA)

    with on_stage(narrow.ledger, tmp_path, idle_queue.grpc_address, max_pending=QUOTA) as other:
        answer = order(other, other.an_image(), QUOTA)

    assert answer.status_code == 202


def test_a_retry_locks_the_account_before_its_job_as_a_submission_does(
    postgres_ledger, watcher, tmp_path, idle_queue
):
    with on_stage(postgres_ledger, tmp_path, idle_queue.grpc_address) as stage:
        image = stage.an_image()
        path = cancelled(stage, image, 1)
        job = UUID(path.rpartition("/")[2])

        with ThreadPoolExecutor(1) as pool:
            with postgres_ledger.transaction() as session:
                room_to_fill(session, stage.account, Quotas(1))
                retrying = pool.submit(stage.post, f"{path}/retry")
                wait_until_one_waits(watcher)
                find_job_to_write(session, stage.account, job)  # or this is a deadlock
            answer = retrying.result(timeout=10)

    assert answer.status_code == 202


def test_a_picture_beyond_what_may_be_stored_is_refused(stage_on_each):
    stage = stage_on_each
    size = len(a_png())
    with_quotas(stage, max_stored_bytes=size)

    fits = stage.post("/v1/images", data=a_png(), content_type="image/png")
    refused = stage.post("/v1/images", data=a_png(1), content_type="image/png")
    known = stage.post("/v1/images", data=a_png(), content_type="image/png")

    assert (fits.status_code, known.status_code) == (201, 200)
    assert (refused.status_code, refused.json["code"]) == (429, "quota-exceeded")
    assert refused.json["retryable"] is False
    assert "Retry-After" not in refused.headers
    assert f"stores {size:,} of {size:,} bytes" in refused.json["detail"]
    assert "delete jobs, and images that no job uses" in refused.json["detail"]
    assert len(stage.stored_keys()) == rows_in(stage, images) == 1


def test_who_stores_too_much_may_order_nothing_until_something_is_deleted(stage_on_each):
    stage = stage_on_each
    used, spare = stage.an_image(), stage.an_image(a_png(1))
    with_quotas(stage, max_stored_bytes=len(a_png()))

    refused = [order(stage, used, 1), order_with_picture(stage), order_with_picture(stage, 2)]
    stage.client.delete(f"/v1/images/{spare}", headers=stage.headers)
    accepted = order(stage, used, 1)

    assert [answer.status_code for answer in refused] == [429] * 3
    assert {answer.json["code"] for answer in refused} == {"quota-exceeded"}
    assert rows_in(stage, images) == 1
    assert accepted.status_code == 202


def test_no_slot_is_given_for_what_may_not_be_stored(stage_on_each):
    stage = stage_on_each
    with_quotas(stage, max_stored_bytes=len(a_png()) - 1)

    refused = stage.announce(a_png())

    assert (refused.status_code, refused.json["code"]) == (429, "quota-exceeded")
    assert (refused.json["retryable"], rows_in(stage, upload_slots)) == (False, 0)


def test_what_other_slots_await_takes_space_until_they_are_confirmed_or_expire(stage_on_each):
    stage = stage_on_each
    size = len(a_png())
    with_quotas(stage, max_stored_bytes=2 * size)
    slot = stage.a_slot(a_png())

    stage.announce(a_png(1))
    refused = stage.announce(a_png(2))
    stage.confirm(slot)
    still = stage.announce(a_png(2))
    with stage.ledger.transaction() as session:
        session.execute(update(upload_slots).values(expires_at=upload_slots.c.created_at))
    later = stage.announce(a_png(2))

    assert [refused.status_code, still.status_code, later.status_code] == [429, 429, 201]
    assert f"stores 0 of {2 * size:,} bytes, {2 * size:,} may still" in refused.json["detail"]
    assert f"stores {size:,} of {2 * size:,} bytes, {size:,} may" in still.json["detail"]


def test_of_two_slots_for_the_same_space_one_becomes_an_image(stage_on_each):
    stage = stage_on_each
    first, second = [stage.a_slot(a_png(color)) for color in range(2)]
    with_quotas(stage, max_stored_bytes=len(a_png()))

    accepted, refused = stage.confirm(first), stage.confirm(second)
    stage.client.delete(f"/v1/images/{accepted.json['id']}", headers=stage.headers)
    later = stage.confirm(second)

    assert (accepted.status_code, refused.status_code) == (200, 429)
    assert refused.json["code"] == "quota-exceeded"
    assert later.status_code == 200


def test_what_all_may_store_is_a_setting(ledger, tmp_path, idle_queue):
    queue = idle_queue.grpc_address
    with on_stage(ledger, tmp_path, queue, max_stored_bytes=len(a_png()) - 1) as stage:
        refused = stage.post("/v1/images", data=a_png(), content_type="image/png")

    assert (refused.status_code, refused.json["code"]) == (429, "quota-exceeded")
