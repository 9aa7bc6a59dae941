"""The infrastructure and the code name the same things: settings, routes, lines of the log."""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest

import dispatcher.settings
import palette_worker.settings
from tests.databases import ROOT
from tests.infra.state import State
from tests.infra.terraform import ENVIRONMENTS, INFRA

SETTINGS = {"dispatcher": dispatcher.settings.Settings, "worker": palette_worker.settings.Settings}
PACKAGES = {
    "dispatcher": (ROOT / "dispatcher", ROOT / "colorway"),
    "worker": (ROOT / "palette_worker", ROOT / "colorway"),
}
READ_BY_GUNICORN = {"HOST"}

SECRET = {
    "LINK_SIGNING_KEY": "k" * 64,
    "SUPABASE_KEY": "sb_secret_of-a-test",
    "DATABASE_URL": "postgresql+psycopg://colorway@db.example.org/postgres",
}

GOOGLES_OWN = {
    "cloudtasks.googleapis.com/queue/depth",
    "cloudtasks.googleapis.com/queue/task_attempt_count",
    "run.googleapis.com/container/cpu/utilizations",
    "run.googleapis.com/container/instance_count",
    "run.googleapis.com/container/memory/utilizations",
    "run.googleapis.com/request_count",
}


@pytest.fixture(params=ENVIRONMENTS)
def state(judge, request):
    return State.read(judge.state_of(request.param))


@pytest.fixture
def production(judge):
    return State.read(judge.state_of("prod"))


@pytest.mark.parametrize("name", SETTINGS)
def test_a_service_starts_with_what_it_is_told(state, name, monkeypatch):
    service = state.services[name]
    secret = {variable: SECRET[variable] for variable in service.secrets}
    for variable, value in (service.env | secret).items():
        monkeypatch.setenv(variable, value)

    settings = SETTINGS[name]()

    assert settings.model_fields_set >= {
        variable.lower() for variable in service.env.keys() - READ_BY_GUNICORN
    }


def test_both_are_told_the_same(state):
    told, other = (state.services[name].env for name in ("dispatcher", "worker"))

    for variable in ("IMAGE_STORE", "WORKER_URL"):
        assert told[variable] == other[variable]
    assert told["TASK_CALLER"] in other["OIDC_CALLERS"].split(",")
    assert told["TASK_CALLER"] in told["OIDC_CALLERS"].split(",")  # it delivers, too


def test_the_queues_are_those_that_the_dispatcher_is_told_of(state):
    queues = {queue["id"] for queue in state.of("google_cloud_tasks_queue")}

    told = state.services["dispatcher"].env["TASK_QUEUES"]

    assert {told.replace("{priority}", one) for one in ("high", "normal", "low")} < queues


def test_the_scheduler_calls_routes_that_are_there(production):
    source = (ROOT / "dispatcher" / "api" / "upkeep.py").read_text()
    calls = production.of("google_cloud_scheduler_job")

    paths = {urlsplit(call["http_target"][0]["uri"]).path for call in calls}

    assert paths == {"/internal/reconcile", "/internal/cleanup"}
    assert paths <= set(re.findall(r'@routes\.post\("(.+?)"\)', source))


def test_every_log_metric_reads_lines_that_the_code_writes(production):
    metrics = production.of("google_logging_metric")

    assert metrics
    for metric in metrics:
        [message] = re.findall(r'jsonPayload\.message="(.+?)"', metric["filter"])
        wanted = _fields_of(metric) - {"message"}
        services = [name for name in PACKAGES if f"colorway-{name}" in metric["filter"]]
        assert services, metric["filter"]
        for service in services:
            lines = [*_lines_written_in(PACKAGES[service])]
            assert any(said == message and wanted <= fields for said, fields in lines), metric


def test_alerts_and_dashboard_read_no_other_metrics(production):
    ours = {
        f"logging.googleapis.com/user/{metric['name']}"
        for metric in production.of("google_logging_metric")
    }
    [dashboard] = production.of("google_monitoring_dashboard")
    read = dashboard["dashboard_json"] + json.dumps(production.of("google_monitoring_alert_policy"))

    named = set(re.findall(r'metric\.type = \\+"(.+?)\\+"', read))

    assert named <= ours | GOOGLES_OWN
    assert ours <= named  # and none is made for nobody


def test_every_alert_leads_to_its_page(production):
    page = (ROOT / "docs" / "operations.md").read_text()
    contents = [
        alert["documentation"][0]["content"]
        for alert in production.of("google_monitoring_alert_policy")
    ]

    sections = {section for text in contents for section in re.findall("section `(.+?)`", text)}

    assert len(sections) == len(contents) > 0
    assert sections == set(re.findall("^## (.+)$", page, flags=re.MULTILINE))


def test_what_operators_are_told_to_search_is_written(production):
    page = (ROOT / "docs" / "operations.md").read_text()
    written = {
        message
        for packages in PACKAGES.values()
        for message, _fields in _lines_written_in(packages)
    }

    searched = {
        message
        for words in re.findall(r"jsonPayload\.message=(\(.+?\)|\".+?\")", page)
        for message in re.findall(r'"(.+?)"', words)
    }

    assert searched
    assert searched <= written


def test_the_layout_is_that_of_its_page():
    files = {path.name for path in INFRA.glob("*.tf")}

    named = set(re.findall(r"`(\w+\.tf)`", (INFRA / "README.md").read_text()))

    assert named == files


def _fields_of(metric) -> set[str]:
    extractors = [metric["value_extractor"] or "", *(metric["label_extractors"] or {}).values()]
    return set(re.findall(r"jsonPayload\.(\w+)", " ".join([metric["filter"], *extractors])))


def _lines_written_in(packages: tuple[Path, ...]) -> Iterator[tuple[str, set[str]]]:
    """Yield each message with the fields that its line names."""
    for path in sorted(path for package in packages for path in package.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            match node:
                case ast.Call(
                    func=ast.Attribute(value=ast.Name(id="log")),
                    args=[ast.Constant(value=str(message))],
                ):
                    yield message, {word.arg for word in node.keywords if word.arg}
