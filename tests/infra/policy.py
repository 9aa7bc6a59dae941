"""What the applied infrastructure must hold to: who may do what, and which settings fit together.

It reads the state that Terraform leaves behind, where every member, name and number is concrete,
and knows nothing of how infra/ is written. What it finds wrong comes back as sentences.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from tests.infra.state import NAME, State, Values

Grant = tuple[str, str, str]
"""Who, which role, on what."""

BASIC_ROLES = {"roles/owner", "roles/editor", "roles/viewer"}
PRIORITIES = ("high", "normal", "low")

_ONE_INSTANCE = re.compile(
    r"resource\.name == 'projects/[^/]+/instances/[^/']+'"
    r" && resource\.service == 'sqladmin\.googleapis\.com'"
)

RESERVE = 10
"""Connections that Postgres keeps for itself, and for whoever looks into it."""


def complaints(state: State) -> list[str]:
    """Return everything that is wrong, a sentence each; nothing on a good day."""
    return [
        complaint
        for look in (_grants, _doors, _capacity, _connections, _times, _retries, _secrets)
        for complaint in look(state)
    ]


def allowed_grants(state: State) -> set[Grant]:
    """Return who must be allowed what, no more and no less, in an environment of this shape."""
    allowed: set[Grant] = {
        ("dispatcher", "iam.serviceAccountUser", "account task-invoker"),
        ("task-invoker", "run.invoker", "service worker"),
        ("allUsers", "run.invoker", "service dispatcher"),
        ("deployer", "artifactregistry.writer", "images"),
        ("deployer", "run.developer", "service dispatcher"),
        ("deployer", "run.developer", "service worker"),
        ("deployer", "run.developer", "job migrate"),
        ("deployer", "logging.logWriter", "project"),
        ("deployer", "logging.viewer", "project"),  # a new revision's errors, before it gets more
        ("deployer", "iam.serviceAccountUser", "account task-invoker"),  # for the smoke queue
    }
    allowed |= {
        ("deployer", f"cloudtasks.{role}", "queue smoke")
        for role in ("enqueuer", "viewer", "taskDeleter")
    }
    allowed |= {
        ("dispatcher", f"cloudtasks.{role}", f"queue {priority}")
        for role in ("enqueuer", "viewer")
        for priority in PRIORITIES
    }
    allowed |= {
        ("deployer", "iam.serviceAccountUser", f"account {who}")
        for who in ("dispatcher", "worker", "migrator")
    }
    services, ledger_users = ("dispatcher", "worker"), ("dispatcher", "worker", "migrator")
    if state.has("google_storage_bucket"):
        allowed |= {(who, "storage.objectUser", "pictures") for who in services}
        allowed.add(("dispatcher", "iam.serviceAccountTokenCreator", "account dispatcher"))
    readers = {"link-signing-key": services}
    if state.has("google_sql_database_instance"):
        allowed |= {(who, "cloudsql.instanceUser", "ledger") for who in ledger_users}
        readers["ledger-ca"] = ledger_users
    else:
        readers["database-url"] = ledger_users
    if not state.has("google_storage_bucket"):
        readers["supabase-key"] = services
    return allowed | {
        (who, "secretmanager.secretAccessor", f"secret {secret}")
        for secret, whose in readers.items()
        for who in whose
    }


def _grants(state: State) -> Iterator[str]:
    given: set[Grant] = set()
    for kind, values in state.resources:
        if kind.endswith(("_iam_binding", "_iam_policy")):
            yield f"{kind} takes away what others were granted"
        if kind.endswith("_iam_member"):
            if values["role"] in BASIC_ROLES:
                yield f"{values['member']} has a basic role, {values['role']}"
            given.add((_who(values["member"]), values["role"].removeprefix("roles/"), _on(values)))
    allowed = allowed_grants(state)
    for who, role, on in sorted(given - allowed):
        yield f"{who} has {role} on {on}, which nobody allowed"
    for who, role, on in sorted(allowed - given):
        yield f"{who} lacks {role} on {on}"


def _doors(state: State) -> Iterator[str]:
    worker = state.services["worker"].values
    if worker["ingress"] != "INGRESS_TRAFFIC_INTERNAL_ONLY":
        yield f"the worker's ingress is {worker['ingress']}"
    for name, service in state.services.items():
        if service.values["invoker_iam_disabled"]:
            yield f"the {name} asks no caller who it is"
        own_url = service.env[f"{name.upper()}_URL"]
        if service.values["custom_audiences"] != [own_url]:
            yield f"the {name}'s audience is not its URL"
    for bucket in state.of("google_storage_bucket"):
        if bucket["public_access_prevention"] != "enforced":
            yield "pictures may be made public"


def _capacity(state: State) -> Iterator[str]:
    worker = state.services["worker"]
    slots = worker.instances * worker.concurrency
    queues = state.of("google_cloud_tasks_queue")
    dispatches = sum(queue["rate_limits"][0]["max_concurrent_dispatches"] for queue in queues)
    if dispatches > slots:
        yield f"{dispatches} dispatches at once, above {slots} slots"
    for name, spare in (("worker", 2), ("dispatcher", 1)):
        service = state.services[name]
        if service.concurrency + spare > int(service.env["THREADS"]):
            yield f"the {name} has no thread to spare for health checks"


def _connections(state: State) -> Iterator[str]:
    worker, dispatcher = state.services["worker"], state.services["dispatcher"]
    needed = (
        worker.instances * (int(worker.env["THREADS"]) + 2)
        + dispatcher.instances * int(dispatcher.env["DATABASE_POOL"])
        + 1  # the migrator
    )
    there = int(state.outputs["max_connections"]) - RESERVE
    if needed > there:
        yield f"pools of {needed} connections, above the {there} that there are"
    for instance in state.of("google_sql_database_instance"):
        flags = {flag["name"]: flag["value"] for flag in instance["settings"][0]["database_flags"]}
        if int(flags["max_connections"]) != int(state.outputs["max_connections"]):
            yield "the instance allows other connections than were reckoned with"


def _times(state: State) -> Iterator[str]:
    worker, dispatcher = state.services["worker"], state.services["dispatcher"]
    budget = float(worker.env["TIME_BUDGET"])
    deadline = float(dispatcher.env["DISPATCH_DEADLINE"])
    if not budget < worker.timeout_s <= deadline:
        yield f"times out of order: {budget:g} < {worker.timeout_s:g} <= {deadline:g} is not so"
    if not 15 <= deadline <= 1800:
        yield f"Cloud Tasks takes no deadline of {deadline:g} s"
    for call in state.of("google_cloud_scheduler_job"):
        waits_s = float(call["attempt_deadline"].removesuffix("s"))
        if waits_s > dispatcher.timeout_s:
            yield f"{call['name']} waits longer than the dispatcher answers"


def _retries(state: State) -> Iterator[str]:
    for queue in state.of("google_cloud_tasks_queue"):
        retry = queue["retry_config"][0]
        # what is not set is made up here, and what is made up is no number of seconds
        ends_after = (retry["max_retry_duration"] or "").removesuffix("s")
        if retry["max_attempts"] != -1 or ends_after.replace(".", "").isdigit():
            yield f"{queue['name']} gives up, and loses tasks"
        if (retry["min_backoff"], retry["max_backoff"]) != ("2s", "60s"):
            yield f"{queue['name']} backs off other than from 2 s to 60 s"


def _secrets(state: State) -> Iterator[str]:
    for version in state.of("google_secret_manager_secret_version"):
        if version["secret"].endswith("ledger-ca"):
            continue  # which everybody may know
        if version["secret_data"] or version["secret_data_wo"]:
            yield f"the state holds the value of {version['secret']}"
    for name, service in state.services.items():
        for variable in service.env:
            if variable.endswith("_KEY"):
                yield f"the {name}'s {variable} is written down"


def _who(member: str) -> str:
    return member.removeprefix("serviceAccount:").split("@")[0].removeprefix(NAME)


def _on(grant: Values) -> str:
    """Return a short name of what the grant lies on; `project` where nothing narrows it."""
    if "service_account_id" in grant:
        return f"account {_who(grant['service_account_id'].rpartition('/')[2])}"
    if "secret_id" in grant:
        return f"secret {grant['secret_id'].rpartition('/')[2].removeprefix(NAME)}"
    if "bucket" in grant:
        return "pictures"
    if "repository" in grant:
        return "images"
    name = grant.get("name", "").removeprefix(NAME)
    if name in ("dispatcher", "worker"):
        return f"service {name}"
    if name == "migrate":
        return f"job {name}"
    if name:
        return f"queue {name.split('-')[0]}"
    condition = grant.get("condition") or [{"expression": ""}]
    return "ledger" if _ONE_INSTANCE.fullmatch(condition[0]["expression"]) else "project"
