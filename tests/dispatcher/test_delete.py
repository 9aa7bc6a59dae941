"""DELETE of a job and of a source: the rows first, then the objects."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from io import BytesIO
from threading import Barrier
from uuid import UUID

import pytest
from structlog.testing import capture_logs

from colorway.image_keys import thumbnail_key
from colorway.ledger.removal import remove_image
from colorway.ledger.tables import images
from dispatcher.dropping import AT_ONCE
from dispatcher.removal import Removal
from tests.builders import a_claim, a_job, an_image, finish_it
from tests.colorway.ledger.test_lock_order import wait_until_one_waits
from tests.dispatcher.stage import Stage, on_stage, palettes
from tests.dispatcher.test_show_job import NOWHERE, completed
from tests.fakes import HookedStore, StoreInMemory, away


def put(store, key: str) -> None:
    store.put(key, BytesIO(b"picture"), size=7, sha256="", media_type="image/png")


def objects_of(stage: Stage, job: str) -> set[str]:
    """Put objects where the job's pictures should be, and return their keys."""
    body = stage.get(f"/v1/jobs/{job}").json
    pictures = {each["result"]["path"] for each in body["colorways"] if each["result"]}
    keys = pictures | {thumbnail_key(key) for key in pictures}
    for key in keys:
        put(stage.store, key)
    return keys


def delete(stage: Stage, path: str, **options):
    return stage.client.delete(path, headers=options.pop("headers", stage.headers), **options)


def test_a_deleted_job_is_gone_with_its_pictures_and_its_source_stays(stage_on_each):
    stage = stage_on_each
    two = [{"name": dark, "colors": [dark, "#ffffff"]} for dark in ("#000000", "#111111")]
    job = stage.a_job(palettes=two)
    path = job["links"]["self"]
    completed(stage, job["id"], 0)
    completed(stage, job["id"], 1)
    pictures = objects_of(stage, job["id"])

    answer = delete(stage, path)

    assert (answer.status_code, answer.data) == (204, b"")
    assert len(pictures) == 4
    assert not pictures & set(stage.stored_keys())
    assert stage.get(path).status_code == 404
    assert stage.get("/v1/jobs").json["data"] == []
    assert stage.get(f"/v1/images/{job['image']['id']}").status_code == 200
    assert delete(stage, path).json["code"] == "not-found"


def test_pictures_that_another_job_shares_stay(stage):
    first, second = stage.a_job("nord")["id"], stage.a_job("nord")["id"]
    for job in (first, second):
        completed(stage, job)
    pictures = objects_of(stage, first)

    delete(stage, f"/v1/jobs/{first}")
    kept = set(stage.stored_keys())
    delete(stage, f"/v1/jobs/{second}")

    assert pictures <= kept
    assert not pictures & set(stage.stored_keys())


def test_a_job_that_is_not_done_is_not_deleted(stage):
    job = stage.a_job("nord", "ink")["id"]
    completed(stage, job, 0)
    pictures = objects_of(stage, job)

    refused = delete(stage, f"/v1/jobs/{job}")
    stage.post(f"/v1/jobs/{job}/cancel")
    kept = set(stage.stored_keys())
    answer = delete(stage, f"/v1/jobs/{job}")

    assert (refused.status_code, refused.json["code"]) == (409, "not-done")
    assert refused.json["retryable"] is False
    assert pictures <= kept
    assert answer.status_code == 204


def test_a_source_is_deleted_with_its_bytes_once_no_job_refers_to_it(stage_on_each):
    stage = stage_on_each
    job = stage.a_job("nord")
    completed(stage, job["id"])
    path, (source, *_) = f"/v1/images/{job['image']['id']}", stage.stored_keys()

    refused = delete(stage, path)
    delete(stage, job["links"]["self"])
    answer = delete(stage, path)

    assert (refused.status_code, refused.json["code"]) == (409, "in-use")
    assert (answer.status_code, answer.data) == (204, b"")
    assert not stage.is_stored(source)
    assert stage.get(path).status_code == 404
    assert delete(stage, path).json["code"] == "not-found"


def test_a_source_can_be_sent_again_after_it_was_deleted(stage):
    first = stage.an_image()
    delete(stage, f"/v1/images/{first}")

    second = stage.an_image()

    assert second != first
    assert len(stage.stored_keys()) == 1
    refused = stage.post_json({"image": {"id": first}, "palettes": palettes("nord")})
    assert refused.status_code == 404


either_deletion = pytest.mark.parametrize("kind", ["jobs", "images"])


def deletable(stage: Stage, kind: str) -> str:
    """Make one that could be deleted, and return where it is."""
    if kind == "images":
        return f"/v1/images/{stage.an_image()}"
    job = stage.a_job("nord")["id"]
    completed(stage, job)
    return f"/v1/jobs/{job}"


@either_deletion
def test_what_is_anothers_is_not_found_and_stays(stage, tmp_path, idle_queue, kind):
    path = deletable(stage, kind)

    with on_stage(stage.ledger, tmp_path, idle_queue.grpc_address) as stranger:
        answer = delete(stranger, path)

    assert (answer.status_code, answer.json["code"]) == (404, "not-found")
    assert stage.get(path).status_code == 200


@either_deletion
@pytest.mark.parametrize("id", [NOWHERE, "nord"])
def test_what_was_never_there_is_not_found(stage, kind, id):
    assert delete(stage, f"/v1/{kind}/{id}").status_code == 404


@either_deletion
def test_a_deletion_takes_the_submit_scope(stage, kind):
    path = deletable(stage, kind)

    refused = delete(stage, path, headers=stage.a_key("read", "admin"))
    nobody = delete(stage, path, headers={})
    answer = delete(stage, path, headers=stage.a_key("submit"))

    assert [each.status_code for each in (refused, nobody, answer)] == [403, 401, 204]


@either_deletion
@pytest.mark.parametrize("options", [{"query_string": "dry_run=true"}, {"json": {"keys": []}}])
def test_what_a_deletion_does_not_know_is_refused(stage, kind, options):
    path = deletable(stage, kind)

    answer = delete(stage, path, **options)

    assert (answer.status_code, answer.json["code"]) == (422, "validation")
    assert stage.get(path).status_code == 200


def a_job_with_pictures(ledger, store, *, count: int = 2) -> tuple[UUID, UUID]:
    """Record a job of so many pictures, done and stored, and return account and job."""
    with ledger.transaction() as session:
        image = an_image(session)
        job, tasks = a_job(session, tuple(f"p{n}" for n in range(count)), image=image)
        for task in tasks:
            held = a_claim(session, task)
            finish_it(session, held)
            for key in (picture := f"{held.colorway}-{held.fence}.png", thumbnail_key(picture)):
                put(store, key)
    return image.account_id, job


def test_objects_are_dropped_only_after_the_rows_are_gone_for_good(sqlite_ledger):
    store, seen = HookedStore(), []
    account, job = a_job_with_pictures(sqlite_ledger, store)

    def look(key: str) -> None:
        with sqlite_ledger.reading() as session:
            seen.append(session.connection().exec_driver_sql("SELECT count(*) FROM jobs").scalar())

    store.before["delete"] = look

    Removal(sqlite_ledger, store).delete_job(account, job)

    assert seen == [0] * 4
    assert store.objects == {}


@pytest.mark.parametrize("trouble", [away, lambda key: 1 / 0], ids=["away", "a bug"])
def test_a_store_in_trouble_leaves_objects_behind_and_is_not_asked_again(sqlite_ledger, trouble):
    store, asked = HookedStore(), []
    account, job = a_job_with_pictures(sqlite_ledger, store, count=AT_ONCE)
    all_ask = Barrier(AT_ONCE)

    def hook(key: str) -> None:
        asked.append(key)
        all_ask.wait(timeout=10)
        trouble(key)

    store.before["delete"] = hook

    with capture_logs() as logs:
        Removal(sqlite_ledger, store).delete_job(account, job)

    assert (len(asked), len(store.objects)) == (AT_ONCE, 2 * AT_ONCE)
    [said] = [line for line in logs if line["log_level"] == "warning"]
    assert (said["event"], said["objects"]) == ("objects not dropped", 2 * AT_ONCE)
    assert said["first"] in asked


def test_several_objects_are_dropped_at_once(sqlite_ledger):
    store, all_ask = HookedStore(), Barrier(AT_ONCE)
    account, job = a_job_with_pictures(sqlite_ledger, store, count=AT_ONCE)
    store.before["delete"] = lambda key: all_ask.wait(timeout=10)

    Removal(sqlite_ledger, store).delete_job(account, job)

    assert store.objects == {}


def test_a_source_whose_store_is_away_is_deleted_all_the_same(sqlite_ledger):
    store = StoreInMemory()
    with sqlite_ledger.transaction() as session:
        image = an_image(session)
    store.is_away = True

    Removal(sqlite_ledger, store).delete_image(image.account_id, image.id)

    with sqlite_ledger.reading() as session:
        assert session.execute(images.select()).all() == []


def test_a_submission_whose_source_is_deleted_at_that_moment_finds_none(
    postgres_ledger, watcher, tmp_path, idle_queue
):
    with (
        on_stage(postgres_ledger, tmp_path, idle_queue.grpc_address) as stage,
        ThreadPoolExecutor(1) as pool,
    ):
        image = stage.an_image()
        with postgres_ledger.transaction() as session:
            remove_image(session, stage.account, UUID(image))
            document = {"image": {"id": image}, "palettes": palettes("nord")}
            submitting = pool.submit(stage.post_json, document)
            wait_until_one_waits(watcher)
        answer = submitting.result(timeout=10)

    assert (answer.status_code, answer.json["code"]) == (404, "not-found")
