"""What belongs to another account is nowhere: on every route there is, by every method."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from itertools import count
from typing import Any

from sqlalchemy import select
from werkzeug.routing import Rule

from colorway.ledger.accounts import issue_key, open_account
from colorway.ledger.tables import Row
from tests.dispatcher.stage import Stage, a_png

Answers = dict[tuple[str, str], tuple[int, str]]

COLORS = count(1)
NOBODYS = {
    "job": "01980000-0000-7000-8000-000000000000",
    "image": "01980000-0000-7000-8000-000000000001",
    "slot": "01980000-0000-7000-8000-000000000002",
    "key": "nord",
}


def routes_to_things(stage: Stage) -> list[tuple[str, Rule]]:
    """Return each route whose path names something of an account, with each of its methods."""
    return [
        (method, rule)
        for rule in stage.app.url_map.iter_rules()
        if rule.arguments and rule.rule.startswith("/v1/")
        for method in sorted((rule.methods or set()) - {"HEAD", "OPTIONS"})
    ]


def a_strangers_headers(stage: Stage) -> dict[str, str]:
    now = datetime.now(UTC)
    with stage.ledger.transaction() as session:
        key = issue_key(session, open_account(session, "stranger", now=now), now=now)
    return {"Authorization": f"Bearer {key}"}


def what_it_owns(stage: Stage) -> dict[str, str]:
    job = stage.a_job("nord")
    slot = stage.a_slot(a_png(next(COLORS)))  # of bytes that no slot before had
    return {"job": job["id"], "image": job["image"]["id"], "slot": slot, "key": "nord"}


def answers(
    stage: Stage, headers: dict[str, str], things_to_ask_for: Callable[[], dict[str, str]]
) -> Answers:
    """Ask for things on every route; return its status, and what is said of a problem.

    A KeyError means a kind of thing that this test does not know yet.
    """
    said = {}
    for method, rule in routes_to_things(stage):
        things = things_to_ask_for()
        built = rule.build({name: things[name] for name in rule.arguments})
        assert built is not None
        answer = stage.client.open(built[1], method=method, headers=headers)
        detail = answer.json["detail"] if answer.status_code >= 400 else ""
        for name, thing in things.items():
            detail = detail.replace(thing, name)
        said[method, rule.rule] = (answer.status_code, detail)
    return said


def everything(stage: Stage) -> dict[str, list[Any]]:
    tables = Row.metadata.sorted_tables
    with stage.ledger.reading() as session:
        return {table.name: list(session.execute(select(table))) for table in tables}


def test_a_strangers_key_finds_the_same_as_if_there_were_nothing(stage: Stage) -> None:
    stranger, things = a_strangers_headers(stage), what_it_owns(stage)
    before = everything(stage)

    found = answers(stage, stranger, lambda: things)
    nothing = answers(stage, stranger, lambda: NOBODYS)

    assert {route: status for route, (status, _) in found.items()} == dict.fromkeys(found, 404)
    assert found == nothing
    assert everything(stage) == before


def test_its_owner_finds_it_on_each_of_these_routes(stage: Stage) -> None:
    found = answers(stage, stage.headers, lambda: what_it_owns(stage))

    assert ("GET", "/v1/images/<uuid:image>") in found
    assert found["POST", "/v1/images/<uuid:slot>/confirm"] == (200, "")
    lost = {route for route, (status, _) in found.items() if status in {401, 403, 404, 405}}
    assert lost == set()
