"""/v1/queue/stats: how the queue does, for admins."""

from __future__ import annotations

from datetime import UTC, datetime

from colorway.ledger.lease import fail
from colorway.ledger.repairs import note_drift
from tests.builders import BROKEN, MINUTE
from tests.dispatcher.stage import flaws_of, on_stage
from tests.dispatcher.test_show_job import claimed, completed

STATS = "/v1/queue/stats"


def test_the_stats_tell_what_waits_what_goes_on_and_what_has_ended(stage_on_each):
    stage = stage_on_each
    job = stage.a_job("nord", "ink", "rose", "coal")["id"]
    stage.a_job("nord", priority="high")
    completed(stage, job, 0)
    now = datetime.now(UTC)
    failing, _ = claimed(stage, job, 1), claimed(stage, job, 2)
    with stage.ledger.transaction() as session:
        fail(session, failing, BROKEN, now=now)
        note_drift(session, 2, now=now - MINUTE)

    body = stage.get(STATS).json

    at = datetime.fromisoformat(body.pop("at"))
    assert now <= at <= datetime.now(UTC)
    assert 0 <= body.pop("oldest_pending_seconds") < 60
    assert body == {
        "object": "queue_stats",
        "depth": {"high": 1, "normal": 1, "low": 0},
        "processing": 1,
        "stalled": 0,
        "completed_per_minute": 0.2,
        "failed_last_hour": 1,
        "undelivered": 0,
        "drift": 2,
        "reconciled_at": (now - MINUTE).isoformat().replace("+00:00", "Z"),
    }


def test_the_stats_are_of_all_accounts_and_for_admins_alone(stage, tmp_path, idle_queue):
    with on_stage(stage.ledger, tmp_path, idle_queue.grpc_address) as stranger:
        stranger.a_job("nord", "ink")

    answer = stage.get(STATS, headers=stage.a_key("admin"))
    refused = stage.get(STATS, headers=stage.a_key("submit", "read"))
    nobody = stage.client.get(STATS)

    assert answer.json["depth"] == {"high": 0, "normal": 2, "low": 0}
    assert (refused.status_code, refused.json["code"]) == (403, "forbidden")
    assert nobody.status_code == 401


def test_where_nothing_waits_and_nobody_has_reconciled_there_is_nothing_to_tell(stage):
    body = stage.get(STATS).json

    assert body["oldest_pending_seconds"] is None
    assert (body["drift"], body["reconciled_at"]) == (None, None)


def test_the_stats_take_no_parameters(stage):
    assert flaws_of(stage.get(f"{STATS}?window=60")) == {"window": "unknown"}
