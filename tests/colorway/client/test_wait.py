"""Waiting for a job: by answers that are held, or by asking again and again."""

from __future__ import annotations

import pytest

from colorway.client import ApiProblem, Job, NotDoneInTime
from colorway.client.answers import LEAST_PAUSE_S
from colorway.client.calls import HOLD_S
from tests.colorway.client.scripted_server import (
    NO_ANSWER,
    Hours,
    Reply,
    a_client,
    a_job,
    a_json,
    a_problem,
    scripted_server,
)

HELD = {"Preference_Applied": f"wait={HOLD_S}"}
NOTHING_NEW = Reply(304, headers={"Retry-After": "5"})
NOTHING_NEW_FOR_LONG = Reply(304, headers={"Preference-Applied": "wait=20", "Retry-After": "5"})


def test_each_version_is_told_once_and_at_once() -> None:
    hours, told = Hours(), list[Job]()
    with scripted_server(
        a_json(a_job(version=3)),
        NOTHING_NEW_FOR_LONG,
        a_json(a_job(version=4), **HELD),
        NOTHING_NEW_FOR_LONG,
        a_json(a_job(version=7, done=True), **HELD),
    ) as server:
        job = a_client(server, hours).wait("one", on_progress=told.append)

        asked = [(one.headers["If-None-Match"], one.headers["Prefer"]) for one in server.asked]
    assert asked[0] == (None, None)
    assert asked[1:] == [(f'W/"{version}"', "wait=20") for version in (3, 3, 4, 4)]
    assert [each.version for each in told] == [3, 4, 7]
    assert job == told[-1]
    assert job.done
    assert hours.naps == [LEAST_PAUSE_S] * 3


def test_a_job_that_is_done_is_not_waited_for() -> None:
    hours, told = Hours(), list[Job]()
    with scripted_server(a_json(a_job(done=True))) as server:
        a_client(server, hours).wait("one", on_progress=told.append)

        assert (len(server.asked), len(told), hours.naps) == (1, 1, [])


def test_where_no_answer_is_held_it_asks_as_often_as_the_service_likes() -> None:
    hours = Hours()
    with scripted_server(
        a_json(a_job()),
        NOTHING_NEW,
        a_json(a_job(version=2), Retry_After="10"),
        Reply(304),
        a_json(a_job(version=3, done=True)),
    ) as server:
        a_client(server, hours).wait("one")

    assert hours.naps == [5, 10, 2]


def test_the_same_version_is_no_news() -> None:
    told = list[Job]()
    with scripted_server(
        a_json(a_job()), a_json(a_job()), a_json(a_job(version=2, done=True))
    ) as server:
        a_client(server, Hours()).wait("one", on_progress=told.append)

    assert [job.version for job in told] == [1, 2]


def test_time_may_run_out() -> None:
    hours = Hours()
    with scripted_server(a_json(a_job()), NOTHING_NEW) as server:
        client = a_client(server, hours)

        with pytest.raises(NotDoneInTime, match="not done after 12 s: it is processing") as caught:
            client.wait("one", within_s=12)

        preferred = [asked.headers["Prefer"] for asked in server.asked]
    assert caught.value.job.id == "0198-job"
    assert hours.naps == [5, 5, 2]
    assert preferred == [None, "wait=12", "wait=7", "wait=2"]


def test_no_time_is_time_for_one_look() -> None:
    with scripted_server(a_json(a_job())) as server:
        client = a_client(server, Hours())

        with pytest.raises(NotDoneInTime):
            client.wait("one", within_s=0)

        assert len(server.asked) == 1


def test_a_service_that_is_away_for_a_moment_is_waited_for() -> None:
    with scripted_server(a_json(a_job()), NO_ANSWER, a_json(a_job(version=2, done=True))) as server:
        assert a_client(server, Hours()).wait("one").done


def test_a_job_that_is_deleted_meanwhile_is_a_problem() -> None:
    with scripted_server(a_json(a_job()), a_problem(404, "not-found")) as server:
        client = a_client(server, Hours())

        with pytest.raises(ApiProblem, match="404"):
            client.wait("one")
