"""Alerts and dashboard look at metrics that are there: of our log lines, or Google's own.

tests/infra asks the same of what Terraform applies; this needs no Terraform.
"""

from __future__ import annotations

import re

from tests.databases import ROOT
from tests.journeys.log_filters import log_metrics_in

INFRA = ROOT / "infra"
WATCHERS = [INFRA / "alerts.tf", INFRA / "dashboard.tf", *(INFRA / "dashboards").iterdir()]

# https://cloud.google.com/monitoring/api/metrics_gcp_c (Cloud Tasks)
# https://cloud.google.com/monitoring/api/metrics_gcp_p_z (Cloud Run)
GOOGLES_OWN = {
    "cloudtasks.googleapis.com/queue/depth",
    "cloudtasks.googleapis.com/queue/task_attempt_count",
    "run.googleapis.com/container/cpu/utilizations",
    "run.googleapis.com/container/instance_count",
    "run.googleapis.com/container/memory/utilizations",
    "run.googleapis.com/request_count",
}


def test_what_is_watched_is_what_the_lines_are_made_into():
    ours = {metric.name for metric in log_metrics_in(INFRA / "logging_metrics.tf", name="x")}

    watched = set(re.findall(r'local\.of_log\["(\w+)"\]', _watchers()))

    assert watched == ours


def test_nothing_else_is_watched_but_metrics_of_googles():
    text = _watchers()
    services = r"(?:cloudtasks|run|logging|cloudsql|storage|custom)\.googleapis\.com"

    named = set(re.findall(rf'metric\.type = \\"({services}/[\w/]+)', text))
    # the dashboard names the service first, and its metrics in what follows
    of_run = re.findall(r'local\.run_metric\["\w+"\]\}/([\w/]+)', text)

    assert named | {f"run.googleapis.com/{name}" for name in of_run} == GOOGLES_OWN | {
        "logging.googleapis.com/user/"
    }


def _watchers() -> str:
    return "\n".join(file.read_text() for file in WATCHERS)
