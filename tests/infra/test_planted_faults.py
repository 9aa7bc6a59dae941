"""What would be worst is planted in a copy of infra/, and the judge must find it."""

from __future__ import annotations

from dataclasses import dataclass

import pytest


@dataclass(frozen=True)
class Fault:
    """In which file, instead of what, which text."""

    file: str
    instead_of: str
    text: str

    def plant(self, folder):
        path = folder / self.file
        whole = path.read_text()
        assert whole.count(self.instead_of) == 1
        path.write_text(whole.replace(self.instead_of, self.text))


def a_grant(kind, on, role, member):
    return f"""
resource "{kind}" "planted" {{
  {on}
  role   = "{role}"
  {member}
}}

# --- pictures ---"""


PLACE = "\n# --- pictures ---"
WORKER = 'member = local.member["worker"]'
GRANTS = {
    "an editor": (
        a_grant("google_project_iam_member", "project = var.project_id", "roles/editor", WORKER),
        "has a basic role, roles/editor",
    ),
    "a role for the whole project": (
        a_grant(
            "google_project_iam_member", "project = var.project_id", "roles/run.invoker", WORKER
        ),
        "worker has run.invoker on project, which nobody allowed",
    ),
    "a binding that takes from others": (
        a_grant(
            "google_project_iam_binding",
            "project = var.project_id",
            "roles/cloudsql.client",
            'members = [local.member["worker"]]',
        ),
        "google_project_iam_binding takes away",
    ),
    "a public worker": (
        a_grant(
            "google_cloud_run_v2_service_iam_member",
            "name     = module.worker.name\n  location = var.region",
            "roles/run.invoker",
            'member = "allUsers"',
        ),
        "allUsers has run.invoker on service worker",
    ),
}

IDENTITIES = {
    name: (Fault("iam.tf", PLACE, grant), found) for name, (grant, found) in GRANTS.items()
} | {
    "a worker open to the internet": (
        Fault("run_worker.tf", "INGRESS_TRAFFIC_INTERNAL_ONLY", "INGRESS_TRAFFIC_ALL"),
        "the worker's ingress is INGRESS_TRAFFIC_ALL",
    ),
    "services that ask nobody": (
        Fault(
            "modules/run_service/main.tf",
            "  deletion_protection = var.deletion_protection\n",
            "  deletion_protection = var.deletion_protection\n  invoker_iam_disabled = true\n",
        ),
        "the worker asks no caller who it is",
    ),
    "a dispatcher that may not act as whom tasks need": (
        Fault("iam.tf", 'toset(["dispatcher", "deployer"]) #', 'toset(["deployer"]) #'),
        "dispatcher lacks iam.serviceAccountUser on account task-invoker",
    ),
    "any database of the project's": (
        Fault("iam.tf", "sqladmin.googleapis.com'", "sqladmin.googleapis.com' || true"),
        "worker has cloudsql.instanceUser on project, which nobody allowed",
    ),
    "a secret in the state": (
        Fault(
            "secrets.tf",
            "secret_data_wo         = ephemeral.random_password.link_signing_key.result\n"
            "  secret_data_wo_version = var.link_signing_key_version",
            'secret_data = "a key that everybody with the state can read"',
        ),
        "the state holds the value of",
    ),
}

NUMBERS = {
    "more dispatches than slots": (
        Fault("envs/prod.tfvars", "concurrent_dispatches = 40", "concurrent_dispatches = 41"),
        "The queues dispatch 101 tasks at once",
        "101 dispatches at once, above 100 slots",
    ),
    "more connections than the ledger has": (
        Fault("envs/prod.tfvars", "= 300", "= 270"),
        "may open 261 connections",
        "pools of 261 connections, above the 260",
    ),
    "an attempt that outlives its request": (
        Fault("variables.tf", "optional(number, 480)", "optional(number, 540)"),
        "An attempt must end before Cloud Run cuts it",
        "times out of order: 540 < 540 <= 600",
    ),
    "a request that outlives the deadline": (
        Fault("variables.tf", "= 600", "= 530"),
        "before the queue gives up waiting",
        "times out of order: 480 < 540 <= 530",
    ),
    "no thread to spare": (
        Fault("variables.tf", "optional(number, 6)", "optional(number, 5)"),
        "two to spare",
        "the worker has no thread to spare",
    ),
}

LINE = "max_attempts  = -1 #"
RETRIES = {
    "attempts that end": Fault("queues.tf", LINE, "max_attempts = 5 #"),
    "a time that ends": Fault(
        "queues.tf", LINE, 'max_retry_duration = "3600s"\nmax_attempts = -1 #'
    ),
}


@pytest.mark.parametrize(("fault", "found"), IDENTITIES.values(), ids=IDENTITIES)
def test_an_identity_that_may_too_much_or_too_little_is_found(copy, fault, found):
    fault.plant(copy.folder)

    verdict = copy.verdict("prod")

    assert any(found in complaint for complaint in verdict), verdict


@pytest.mark.parametrize(("fault", "refused", "_found"), NUMBERS.values(), ids=NUMBERS)
def test_numbers_that_do_not_fit_together_fail_the_plan(copy, fault, refused, _found):
    fault.plant(copy.folder)

    [said] = copy.verdict("prod")

    assert refused in " ".join(said.split())


@pytest.mark.parametrize(("fault", "_refused", "found"), NUMBERS.values(), ids=NUMBERS)
def test_and_are_found_where_the_plan_does_not_look(copy, fault, _refused, found):
    fault.plant(copy.folder)
    (copy.folder / "agreements.tf").unlink()

    [complaint] = copy.verdict("prod")

    assert found in complaint


@pytest.mark.parametrize("fault", RETRIES.values(), ids=RETRIES)
def test_a_queue_that_loses_tasks_is_found(copy, fault):
    fault.plant(copy.folder)

    verdict = copy.verdict("prod")

    assert len([said for said in verdict if said.endswith("gives up, and loses tasks")]) == 4
