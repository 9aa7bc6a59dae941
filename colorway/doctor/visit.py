"""One visit: every check of a service in its turn, from its settings to what both must agree on."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

from colorway.doctor.agreement import Facts, Sides, check_agreement
from colorway.doctor.arguments import arguments_of
from colorway.doctor.finding import Findings, right, unseen
from colorway.doctor.issuer import check_issuer
from colorway.doctor.ledger import check_ledger
from colorway.doctor.report import FINE, Report, print_json
from colorway.doctor.settings import check_process, read_or_explain
from colorway.doctor.store import check_store
from colorway.settings import SharedSettings
from colorway.telemetry.logs import configure_logging

S = TypeVar("S", bound=SharedSettings)


@dataclass(frozen=True, slots=True)
class Doctor(Generic[S]):
    """What one service's doctor knows and the other's does not."""

    service: str
    about: str
    settings: type[S]
    facts_of: Callable[[S], Facts]
    own_checks: Callable[[S, Sides], Findings]
    dispatcher_url: Callable[[S], str | None]
    """Where links may be followed; None to the service that gives none."""


def visit(doctor: Doctor[S], given: list[str]) -> int:
    """Look at everything, show it, and return the exit code."""
    arguments = arguments_of(doctor.service, doctor.about, given)
    configure_logging(doctor.service, "CRITICAL", to=sys.stderr)  # what matters is in the findings
    report = Report(doctor.service, arguments.json)
    settings, flaws = read_or_explain(doctor.settings)
    for flaw in flaws:
        report.add(flaw)
    if settings is None:
        report.add(unseen("all else", "needs the settings"))
        return report.end(None)
    facts = doctor.facts_of(settings)
    if arguments.facts:
        print_json(doctor.service, facts)
        return FINE
    report.add(right("settings", f"all {len(doctor.settings.model_fields)} can be read"))
    sides = Sides.of(
        facts,
        arguments.other,
        dispatchers=arguments.dispatchers,
        workers=arguments.workers,
        request_timeout=arguments.request_timeout,
    )
    report.take("process", check_process())
    report.take("ledger", check_ledger(settings.database_url, connections=sides.connections))
    report.take(
        "image store", check_store(settings, dispatcher_url=doctor.dispatcher_url(settings))
    )
    report.take("issuer", check_issuer(settings))
    report.take(doctor.service, doctor.own_checks(settings, sides))
    report.take("both sides", check_agreement(facts, sides))
    return report.end(facts)
