"""A delivery goes step by step, and what goes wrong ends it before anybody is served by it.

Every step of cloudbuild.yaml is run, with its own scripts; docker, gcloud and others only note
their calls.
"""

from __future__ import annotations

import re

import pytest

from tests.deploy.cloud_build import DISPATCHER_DIGEST, WORKER_DIGEST
from tests.deploy.fake_commands import Answer, failing

NEW_WORKER, NEW_DISPATCHER = "the-new-worker", "the-new-dispatcher"
TRAFFIC = "^gcloud run services update-traffic"
STAGED = "^gcloud run services update colorway"

TESTS_FAIL = failing("^make")
IMAGE_BREAKS = failing("^docker buildx build .*--target dispatcher")
MIGRATION_FAILS = failing("^gcloud run jobs execute")
WORKER_STAYS_DOWN = failing(f"{STAGED}-worker")
DISPATCHER_STAYS_DOWN = failing(f"{STAGED}-dispatcher")
WORKER_IS_NOT_READY = Answer("^gcloud tasks describe")
TASK_CANNOT_BE_SEEN = failing("^gcloud tasks describe", "PERMISSION_DENIED")
DISPATCHER_IS_NOT_READY = failing("^curl .*/ready$")


def answers_of(revision, *statuses):
    return Answer(
        f"^gcloud logging read .*{revision}", "".join(f"{status}\n" for status in statuses)
    )


def shifts(delivery):
    """Return what traffic was sent where, in order: the ends of the calls."""
    return [call.rpartition("--to-revisions ")[2] for call in delivery.calls_like(TRAFFIC)]


def test_it_goes_from_tests_to_all_traffic_the_worker_first(cloud_build):
    delivery = cloud_build.deliver()

    assert delivery.failed == [], delivery.said
    landmarks = [
        "^make check test$",
        "^docker buildx build .*--target worker .*--push",
        "^docker buildx build .*--target dispatcher .*--push",
        f"^gcloud run jobs update colorway-migrate .*dispatcher@{DISPATCHER_DIGEST}",
        "^gcloud run jobs execute colorway-migrate .*--wait$",
        f"{STAGED}-worker .*worker@{WORKER_DIGEST} --no-traffic --tag next",
        f"{STAGED}-dispatcher .*dispatcher@{DISPATCHER_DIGEST} --no-traffic --tag next",
        "^gcloud tasks create-http-task .*https://next---colorway-worker-.*/ready",
        "^curl .*https://next---colorway-dispatcher-.*/health$",
        "^curl .*https://next---colorway-dispatcher-.*/ready$",
        f"{TRAFFIC} colorway-worker .* {NEW_WORKER}=10$",
        f"^gcloud logging read .*{NEW_WORKER}",
        f"{TRAFFIC} colorway-worker .* {NEW_WORKER}=100$",
        f"{TRAFFIC} colorway-dispatcher .* {NEW_DISPATCHER}=10$",
        f"^gcloud logging read .*{NEW_DISPATCHER}",
        f"{TRAFFIC} colorway-dispatcher .* {NEW_DISPATCHER}=100$",
    ]
    left = iter(delivery.calls)
    assert [mark for mark in landmarks if not any(re.search(mark, call) for call in left)] == []


def test_what_runs_is_named_by_digest(cloud_build):
    images = [
        re.search(r"--image (\S+)", call)[1]
        for call in cloud_build.deliver().calls_like("--image ")
    ]

    assert len(images) == 3
    assert [image for image in images if not re.search(r"@sha256:[0-9a-f]{64}$", image)] == []


def test_a_tenth_of_the_traffic_is_watched_for_three_minutes(cloud_build):
    delivery = cloud_build.deliver()

    tenth, rest = (
        delivery.calls.index(delivery.calls_like(f"{NEW_WORKER}={percent}$")[0])
        for percent in (10, 100)
    )
    watched = delivery.calls[tenth + 1 : rest]
    pauses = [int(call.split()[1]) for call in watched if call.startswith("sleep")]
    assert sum(pauses) == 180
    assert len([call for call in watched if call.startswith("gcloud logging read")]) == len(pauses)


@pytest.mark.parametrize(
    ("trouble", "step", "never"),
    [
        (TESTS_FAIL, "test", "^(docker|gcloud)"),
        (IMAGE_BREAKS, "build", "^gcloud"),
        (MIGRATION_FAILS, "migrate", "^gcloud run services"),
        (WORKER_STAYS_DOWN, "stage-worker", f"{STAGED}-dispatcher|{TRAFFIC}"),
        (DISPATCHER_STAYS_DOWN, "stage-dispatcher", TRAFFIC),
        (WORKER_IS_NOT_READY, "smoke-worker", f"^curl|{TRAFFIC}"),
        (TASK_CANNOT_BE_SEEN, "smoke-worker", f"^curl|{TRAFFIC}"),
        (DISPATCHER_IS_NOT_READY, "smoke-dispatcher", TRAFFIC),
    ],
)
def test_trouble_ends_the_delivery_before_anybody_notices(cloud_build, trouble, step, never):
    delivery = cloud_build.deliver(trouble)

    assert delivery.failed == [step]
    assert delivery.calls_like(trouble.pattern) != []
    assert delivery.calls_like(never) == []


def test_an_image_that_was_not_pushed_cannot_be_deployed(cloud_build, tmp_path):
    (tmp_path / "worker.json").write_text("{}")

    delivery = cloud_build.deliver()

    assert delivery.failed == ["build"]


def test_a_task_that_nobody_answers_is_taken_back(cloud_build):
    delivery = cloud_build.deliver(WORKER_IS_NOT_READY)

    assert len(delivery.calls_like("^gcloud tasks describe smoke-")) == 20
    assert len(delivery.calls_like("^gcloud tasks delete smoke-")) == 1


def test_a_worker_that_needs_a_moment_is_waited_for(cloud_build):
    delivery = cloud_build.deliver(Answer("^gcloud tasks describe", first=3))

    assert delivery.failed == []
    assert len(delivery.calls_like("^gcloud tasks describe")) == 4


@pytest.mark.parametrize("statuses", [(200, 500), (502,), (200, 504, 200)])
def test_a_worker_that_breaks_gets_no_more_than_a_tenth(cloud_build, statuses):
    delivery = cloud_build.deliver(answers_of(NEW_WORKER, *statuses))

    assert delivery.failed == ["shift-worker"]
    assert shifts(delivery) == [f"{NEW_WORKER}=10", "the-old-one=100"]
    assert delivery.calls_like(f"{TRAFFIC} colorway-dispatcher") == []


def test_what_breaks_late_counts_as_well(cloud_build):
    fine = Answer(f"^gcloud logging read .*{NEW_WORKER}", "200\n", first=8)

    delivery = cloud_build.deliver(fine, answers_of(NEW_WORKER, 200, 500))

    assert shifts(delivery) == [f"{NEW_WORKER}=10", "the-old-one=100"]


def test_a_dispatcher_that_breaks_leaves_the_new_worker_where_it_is(cloud_build):
    delivery = cloud_build.deliver(answers_of(NEW_DISPATCHER, 202, 500))

    assert delivery.failed == ["shift-dispatcher"]
    assert shifts(delivery) == [
        f"{NEW_WORKER}=10",
        f"{NEW_WORKER}=100",
        f"{NEW_DISPATCHER}=10",
        "the-old-one=100",
    ]


@pytest.mark.parametrize(("busy", "failed"), [(1, []), (2, ["shift-worker"])])
def test_one_answer_in_twenty_may_be_busy(cloud_build, busy, failed):
    statuses = (20 - busy) * [204] + busy * [503]

    delivery = cloud_build.deliver(answers_of(NEW_WORKER, *statuses))

    assert delivery.failed == failed


def test_a_service_that_nobody_calls_is_delivered(cloud_build):
    assert cloud_build.deliver(Answer("^gcloud logging read")).failed == []


@pytest.mark.parametrize(
    "trouble",
    [
        failing("^gcloud logging read", "PERMISSION_DENIED"),
        failing(f"{NEW_WORKER}=10$"),
        failing(f"{NEW_WORKER}=100$"),
    ],
)
def test_whatever_breaks_while_traffic_moves_it_goes_back(cloud_build, trouble):
    delivery = cloud_build.deliver(trouble)

    assert delivery.failed == ["shift-worker"]
    assert shifts(delivery)[-1] == "the-old-one=100"


def test_traffic_that_was_split_goes_back_to_where_it_was(cloud_build):
    split = Answer("^gcloud run services describe .*traffic", "one,90\ntagged,\nanother,10\n")

    delivery = cloud_build.deliver(split, answers_of(NEW_WORKER, 500))

    assert shifts(delivery)[-1] == "one=90,another=10"


def test_no_traffic_moves_where_there_is_nothing_to_go_back_to(cloud_build):
    delivery = cloud_build.deliver(Answer("^gcloud run services describe .*traffic"))

    assert delivery.failed == ["shift-worker"]
    assert shifts(delivery) == []
