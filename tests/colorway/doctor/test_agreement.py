"""Both services' settings held against each other."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from colorway.doctor.agreement import Facts, Sides, check_agreement
from tests.colorway.doctor.verdicts import the_wrong_one, verdicts

SAME = {
    "ledger": "postgresql://db/colorway",
    "image_store": "gs://pictures",
    "issuer": "https://accounts.google.com",
    "certs_url": "https://www.googleapis.com/oauth2/v3/certs",
    "audience": "https://worker.example",
}


def dispatcher(**differs: Any) -> Facts:
    told = {
        "service": "dispatcher",
        "callers": {"tasks@example.com"},
        "connections": 10,
        "time_limit": 600,
    }
    return Facts.model_validate(SAME | told | differs)


def worker(**differs: Any) -> Facts:
    told = {
        "service": "palette_worker",
        "callers": {"tasks@example.com", "smoke@example.com"},
        "connections": 8,
        "time_limit": 480,
        "slots": 6,
    }
    return Facts.model_validate(SAME | told | differs)


def sides(ours: Facts, other: Facts | None, *, request_timeout_s: int | None = 540) -> Sides:
    cut = None if request_timeout_s is None else timedelta(seconds=request_timeout_s)
    return Sides.of(ours, other, dispatchers=3, workers=25, request_timeout=cut)


def findings(ours: Facts, other: Facts | None, **matters: Any) -> list[Any]:
    return list(check_agreement(ours, sides(ours, other, **matters)))


def test_two_that_agree():
    assert set(verdicts(findings(dispatcher(), worker())).values()) == {"right"}
    assert set(verdicts(findings(worker(), dispatcher())).values()) == {"right"}


@pytest.mark.parametrize("name", SAME)
def test_what_differs_is_named_with_both_values(name):
    flaw = the_wrong_one(findings(dispatcher(), worker(**{name: "https://elsewhere.example"})))

    assert flaw.what == "both sides"
    assert f"{SAME[name]} to the dispatcher and https://elsewhere.example to" in flaw.detail


def test_a_task_caller_whom_the_worker_does_not_know():
    flaw = the_wrong_one(findings(dispatcher(callers={"other@example.com"}), worker()))

    assert flaw.what == "task caller"
    assert "OIDC_CALLERS" in flaw.fix


@pytest.mark.parametrize(
    ("budget", "cut", "deadline"), [(540, 540, 600), (480, 601, 600), (600, None, 600)]
)
def test_times_that_are_not_nested(budget, cut, deadline):
    flaw = the_wrong_one(
        findings(dispatcher(time_limit=deadline), worker(time_limit=budget), request_timeout_s=cut)
    )

    assert flaw.what == "times"


def test_a_timeout_may_reach_to_the_deadline():
    assert verdicts(findings(dispatcher(), worker(), request_timeout_s=600))["times"] == "right"


@pytest.mark.parametrize("ours", [dispatcher(), worker()])
def test_alone_nothing_is_proven(ours):
    found = findings(ours, None)

    assert verdicts(found) == {"both sides": "unseen", "times": "unseen"}
    assert ours.fingerprint in found[0].detail


def test_fingerprints_are_equal_where_both_agree_and_only_there():
    assert dispatcher().fingerprint == worker().fingerprint
    for name in SAME:
        assert worker(**{name: "elsewhere"}).fingerprint != dispatcher().fingerprint


def test_connections_are_counted_for_all_processes():
    assert sides(dispatcher(), worker()).connections == 3 * 10 + 25 * 8
    assert sides(dispatcher(), None).connections is None
