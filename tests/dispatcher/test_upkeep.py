"""Health for the platform, metrics for operators, and the calls of queue and scheduler."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path

import pytest
from sqlalchemy import delete, update

from colorway.ledger.tables import colorways, jobs
from dispatcher.cleanup import Removed
from dispatcher.reconciler import Repairs
from tests.builders import MINUTE
from tests.dispatcher.stage import CALLER, NOBODY, Stage, on_stage
from tests.key_server import KeyServer


@pytest.fixture
def keys() -> Iterator[KeyServer]:
    with KeyServer() as keys:
        yield keys


@pytest.fixture
def called(sqlite_ledger, tmp_path: Path, idle_queue, keys: KeyServer) -> Iterator[Stage]:
    """A dispatcher that believes this key server."""
    believed = {"oidc_issuer": keys.url, "oidc_certs_url": f"{keys.url}/certs"}
    with on_stage(sqlite_ledger, tmp_path, idle_queue.grpc_address, **believed) as stage:
        yield stage


def as_queue(keys: KeyServer, **claims: object) -> dict[str, str]:
    return {"Authorization": f"Bearer {keys.token(audience=NOBODY, email=CALLER, **claims)}"}


def test_health_and_readiness_need_no_key(stage):
    assert stage.client.get("/health").json == {"status": "ok"}
    assert stage.client.get("/ready").json == {"status": "ready"}


def test_metrics_are_for_admins(stage):
    stage.a_job("nord")

    answer = stage.get("/metrics")
    refused = stage.get("/metrics", headers=stage.a_key("submit", "read"))

    assert answer.status_code == 200
    assert "tasks_delivered_total 1.0" in answer.text
    assert 'route="/v1/jobs"' in answer.text
    assert refused.status_code == 403


def test_metrics_tell_what_the_ledger_knows_of_the_queue(stage):
    stage.a_job("nord", "ink", priority="low")
    with stage.ledger.transaction() as session:
        session.execute(update(colorways).values(opened_at=datetime.now(UTC) - 9 * MINUTE))
    waiting = stage.get("/metrics").text
    with stage.ledger.transaction() as session:
        session.execute(delete(jobs))

    idle = stage.get("/metrics").text

    assert 'queue_depth{priority="low"} 2.0' in waiting
    assert 'queue_depth{priority="high"} 0.0' in waiting
    assert "\noldest_pending_seconds 54" in waiting
    assert 'queue_depth{priority="low"} 0.0' in idle
    assert "\noldest_pending_seconds 0.0" in idle


def test_an_invented_method_makes_no_series_of_its_own(stage):
    stage.client.open("/health", method="BREW")

    metrics = stage.get("/metrics").text
    assert "BREW" not in metrics
    assert 'method="other"' in metrics


def test_the_scheduler_may_reconcile(called, keys):
    answer = called.client.post("/internal/reconcile", headers=as_queue(keys))

    assert answer.status_code == 200
    assert answer.json == asdict(Repairs())


def test_the_scheduler_may_clean_up(called, keys):
    job = called.a_job("nord")["links"]["self"]

    answer = called.client.post("/internal/cleanup", headers=as_queue(keys))

    assert answer.status_code == 200
    assert answer.json == asdict(Removed())
    assert called.get(job).status_code == 200


def test_a_delivery_of_a_job_with_nothing_left_is_done(called, keys):
    job = called.a_job("nord")["id"]

    for _ in range(2):
        answer = called.client.post(
            "/internal/deliver", json={"v": 1, "job": job}, headers=as_queue(keys)
        )

        assert answer.status_code == 200


@pytest.mark.parametrize("body", [b"", b"{}", b"[]", b'{"job": 1}', b'{"job": "x"}', b"[" * 60_000])
def test_a_delivery_of_nonsense_is_malformed(called, keys, body):
    answer = called.client.post("/internal/deliver", data=body, headers=as_queue(keys))

    assert (answer.status_code, answer.json["code"]) == (400, "malformed")


def test_a_body_beyond_reason_is_too_large(called, keys):
    answer = called.client.post("/internal/deliver", data=b"x" * 100_000, headers=as_queue(keys))

    assert (answer.status_code, answer.json["code"]) == (413, "too-large")
    assert "64000 bytes" in answer.json["detail"]


@pytest.mark.parametrize("path", ["/internal/deliver", "/internal/reconcile", "/internal/cleanup"])
def test_somebody_else_may_not_call(called, keys, path):
    stranger = {"Authorization": f"Bearer {keys.token(audience=NOBODY, email='x@example.com')}"}

    answers = [called.client.post(path, headers=stranger), called.post(path)]

    assert [answer.status_code for answer in answers] == [403, 401]
