"""`python -m dispatcher.doctor`: is all there that this dispatcher needs, and does it fit together?

It reads the dispatcher's settings, leaves nothing behind, and shows no secret.
"""

from __future__ import annotations

import sys
from contextlib import closing
from datetime import timedelta

import requests

from colorway.doctor.agreement import Facts, Sides, where_both_meet
from colorway.doctor.finding import Finding, Findings, judged, right, unseen, wrong
from colorway.doctor.visit import Doctor, visit
from colorway.errors import ColorwayError, Misconfigured, NotFound
from colorway.job import Priority
from dispatcher.settings import Settings
from dispatcher.task_queue import QueueFacts, TaskQueue

LEAST_BACKOFF, MOST_BACKOFF = timedelta(seconds=2), timedelta(seconds=60)

_PATIENCE_S = 5
_CREATE = "create the queue, or correct TASK_QUEUES"
_REACH = "start the queue, or correct CLOUD_TASKS_EMULATOR_HOST; in the cloud leave it unset"


def facts_of(settings: Settings) -> Facts:
    """Return what the worker must agree with."""
    return Facts(
        service="dispatcher",
        **where_both_meet(settings),
        audience=settings.worker_url,
        callers=frozenset({settings.task_caller}),
        connections=settings.database_pool,
        time_limit=settings.dispatch_deadline,
    )


def own_checks(settings: Settings, sides: Sides) -> Findings:
    """The queues, who calls whom, and how long is kept what may still be recorded."""
    yield from check_queues(settings, sides)
    yield _own_caller(settings)
    yield _worker(settings.worker_url)
    yield _orphans(settings)


def check_queues(settings: Settings, sides: Sides) -> Findings:
    """Each queue is there, never gives up, and together they ask for no more than there are slots.

    Reasons: "Retries" in docs/architecture.md.
    """
    dispatches = 0
    with closing(TaskQueue(settings)) as queues:
        for priority in Priority:
            what = f"queue {priority}"
            try:
                facts = queues.facts(priority)
            except NotFound as error:
                yield wrong(what, str(error), fix=_CREATE)
                return
            except ColorwayError as error:
                advice = error.advice if isinstance(error, Misconfigured) else ""
                yield wrong(what, str(error), fix=advice or _REACH)
                return
            dispatches += facts.most_at_once
            yield judged(
                what,
                _queue_flaws(facts),
                detail="never gives up, and waits 2 to 60 s between tries",
                fix=_mended(facts, is_local=settings.cloud_tasks_emulator_host is not None),
            )
    yield _capacity(dispatches, sides)


def _queue_flaws(facts: QueueFacts) -> list[str]:
    least, most = facts.min_backoff.total_seconds(), facts.max_backoff.total_seconds()
    flaws = {
        f"it gives up after {facts.max_attempts} attempts, and tells nobody": (
            facts.max_attempts != -1
        ),
        f"it gives up after {facts.max_retry_duration}, and tells nobody": bool(
            facts.max_retry_duration
        ),
        f"it waits {least:g} to {most:g} s between tries": not (
            LEAST_BACKOFF <= facts.min_backoff <= facts.max_backoff <= MOST_BACKOFF
        ),
        f"it is {facts.state.lower()}": facts.state != "RUNNING",
    }
    return [flaw for flaw, holds in flaws.items() if holds]


def _mended(facts: QueueFacts, *, is_local: bool) -> str:
    if is_local:
        return "declare it with max_attempts=-1,max_retry_duration=0,min_backoff=2,max_backoff=60"
    _, project, _, location, _, name = facts.name.split("/")
    where = f"{name} --location={location} --project={project}"
    if facts.state != "RUNNING":
        return f"`gcloud tasks queues resume {where}`"
    return (
        f"`gcloud tasks queues update {where}"
        " --max-attempts=-1 --max-retry-duration=0s --min-backoff=2s --max-backoff=60s`"
    )


def _capacity(dispatches: int, sides: Sides) -> Finding:
    what = "queues and slots"
    if sides.worker is None or sides.worker.slots is None:
        said = f"the queues send up to {dispatches} tasks at once; the workers' slots are not known"
        return unseen(what, said, fix="give the worker's doctor's --facts as --other")
    slots = sides.workers * sides.worker.slots
    said = f"the queues send up to {dispatches} tasks at once, to {slots} slots"
    if dispatches <= slots:
        return right(what, said)
    fix = "more workers (--workers), more of their THREADS, or a lower max_concurrent_dispatches"
    return wrong(what, said, fix=fix)


def _own_caller(settings: Settings) -> Finding:
    what, caller = "caller of our own tasks", settings.task_caller
    if caller in settings.oidc_callers:
        return right(what, f"{caller} is on the dispatcher's list")
    said = f"{caller} (TASK_CALLER) is not on the dispatcher's list"
    return wrong(what, said, fix="add it to the dispatcher's OIDC_CALLERS")


def _worker(url: str) -> Finding:
    """In the cloud only the queue reaches the worker, so that no answer proves nothing."""
    try:
        answer = requests.get(f"{url}/health", timeout=_PATIENCE_S)
        answer.raise_for_status()
    except requests.RequestException as error:
        fix = "start it, or correct WORKER_URL; if only the queue may reach it, all is well"
        said = f"does not answer us at {url} ({type(error).__name__})"
        return unseen("worker", said, fix=fix)
    return right("worker", f"answers at {url}")


def _orphans(settings: Settings) -> Finding:
    """An attempt stores its picture first, and records it later: that is no orphan yet."""
    what, kept, longest = "orphans", settings.keep_orphans_for, settings.dispatch_deadline
    if kept > longest:
        return right(what, f"are kept for {kept}, longer than any attempt may take")
    said = f"are removed after {kept} (KEEP_ORPHANS_FOR); an attempt may take {longest}"
    return wrong(what, said, fix="set KEEP_ORPHANS_FOR well above DISPATCH_DEADLINE")


DOCTOR = Doctor(
    service="dispatcher",
    about=__doc__ or "",
    settings=Settings,
    facts_of=facts_of,
    own_checks=own_checks,
    dispatcher_url=lambda settings: settings.dispatcher_url,
)

if __name__ == "__main__":
    sys.exit(visit(DOCTOR, sys.argv[1:]))
