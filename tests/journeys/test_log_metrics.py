"""Cloud Monitoring's log-based metrics are fed by the very lines that the services write."""

from __future__ import annotations

from pathlib import Path

import grpc
import pytest
from google.cloud import tasks_v2
from google.cloud.tasks_v2.services.cloud_tasks.transports import CloudTasksGrpcTransport
from sqlalchemy import update

from colorway.client import Client
from colorway.ledger.connection import Ledger
from colorway.ledger.tables import jobs
from demo.machine import QUEUES, TASK_CALLER, Machine
from tests.databases import ROOT
from tests.journeys.conftest import IMPATIENT
from tests.journeys.log_filters import Entry, NotUnderstood, compiled, entry_of, log_metrics_in
from tests.journeys.travel import SEVEN, TWO, a_broken_photo, a_photo, eventually, finished

NAME = "colorway"
METRICS = log_metrics_in(ROOT / "infra" / "logging_metrics.tf", name=NAME)
SERVICES = ("dispatcher", "worker")


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> list[Entry]:
    """All that the services have to say of a day on which everything happened once."""
    folder = tmp_path_factory.mktemp("day")
    machine = Machine(folder / "data", settings=IMPATIENT | {"PICTURE_UNSEEN_FOR": "0"})
    ledger = Ledger(machine.database_url)
    with machine.running(), Client(machine.dispatcher_url, machine.api_key) as client:
        _all_that_may_happen(machine, client, ledger, folder)
    ledger.dispose()
    return _entries(machine)


def _all_that_may_happen(machine: Machine, client: Client, ledger: Ledger, folder: Path) -> None:
    job = finished(client, client.submit(a_photo(folder), TWO))
    client.wait(client.submit(a_broken_photo(folder), TWO).id)
    client.fetch_archive(job.id, folder / "all.zip")

    assert job.colorways[0].result is not None
    (machine.data / "pictures" / job.colorways[0].result.path).unlink()
    _until_it_says(machine, "picture lost")
    with ledger.transaction() as session:
        session.execute(update(jobs).values(failed=jobs.c.failed + 1))
    _until_it_says(machine, "counters were wrong")
    _call_as_the_scheduler_does(machine, "/internal/reconcile")
    _until_it_says(machine, "/internal/reconcile")

    large = client.submit(a_photo(folder, width=3000, height=2000), SEVEN)
    eventually(lambda: client.job(large.id), lambda seen: bool(seen.counts.processing))
    machine.worker.stop()


def _until_it_says(machine: Machine, text: str) -> None:
    log = machine.logs / "dispatcher.log"
    eventually(log.read_text, lambda said: text in said)


def _call_as_the_scheduler_does(machine: Machine, route: str) -> None:
    token = tasks_v2.OidcToken(service_account_email=TASK_CALLER, audience=machine.dispatcher_url)
    call = tasks_v2.HttpRequest(url=machine.dispatcher_url + route, oidc_token=token)
    with grpc.insecure_channel(f"127.0.0.1:{machine.ports.queue_grpc}") as channel:
        queue = tasks_v2.CloudTasksClient(transport=CloudTasksGrpcTransport(channel=channel))
        queue.create_task(
            parent=QUEUES.replace("{priority}", "high"), task=tasks_v2.Task(http_request=call)
        )


def _entries(machine: Machine) -> list[Entry]:
    return [
        entry_of(line, service=f"{NAME}-{service}")
        for service in SERVICES
        for line in (machine.logs / f"{service}.log").read_text().splitlines()
    ]


@pytest.mark.parametrize("metric", METRICS, ids=lambda metric: metric.name)
def test_a_metric_reads_what_the_services_write(metric, written):
    taken = metric.read(written)

    assert taken
    for seconds, labels in taken:
        assert metric.seconds is None or (isinstance(seconds, float | int) and seconds >= 0)
        assert all(isinstance(value, str) and value for value in labels.values())


def test_every_metric_of_the_file_was_read():
    assert len(METRICS) == (ROOT / "infra" / "logging_metrics.tf").read_text().count("    what ")


@pytest.mark.parametrize("step", ["process_palette", "upload_palette"])
def test_every_step_that_starts_ends_whatever_becomes_of_it(written, step):
    lines = [entry["jsonPayload"] for entry in written if entry["jsonPayload"].get("step") == step]
    phases = [line["phase"] for line in lines]

    assert phases.count("START") == phases.count("END") > 0
    for line in lines:
        assert (line["phase"] == "START") or line.get("seconds", line.get("duration")) >= 0


def test_who_waits_as_they_wished_or_takes_an_archive_is_not_slow(written):
    [http] = (metric for metric in METRICS if metric.name == "http_request_seconds")
    answers = [entry["jsonPayload"] for entry in written if "waited" in entry["jsonPayload"]]
    waited = [answer for answer in answers if answer["waited"]]
    archives = [answer for answer in answers if answer["route"].endswith("/archive")]

    taken = http.read(written)

    calls = [answer for answer in answers if answer["route"].startswith("/v1/")]
    assert waited
    assert archives
    assert len(taken) == len(calls) - len(waited) - len(archives)


ENTRY = {"severity": "INFO", "jsonPayload": {"message": "Said", "status": 200, "waited": True}}


@pytest.mark.parametrize(
    ("text", "takes"),
    [
        ('jsonPayload.message="said"', True),
        ('jsonPayload.message="sai"', False),
        ('jsonPayload.message=~"^Sa"', True),
        ('jsonPayload.message=~"^sa"', False),
        ('jsonPayload.message=("a" OR "said")', True),
        ("jsonPayload.status=200", True),
        ('jsonPayload.status="200"', False),
        ("jsonPayload.waited=true", True),
        ("NOT jsonPayload.waited=true", False),
        ("jsonPayload.missing=true", False),
        ('jsonPayload.missing=~""', False),
        ("NOT jsonPayload.missing=true", True),
        ('jsonPayload.status=200 AND severity="INFO"', True),
        ('jsonPayload.status=200 AND severity="ERROR"', False),
    ],
)
def test_a_filter_is_read_as_the_language_says(text, takes):
    assert compiled(text)(ENTRY) is takes


@pytest.mark.parametrize(
    "text",
    [
        'a="b" OR c="d"',
        'a!="b"',
        'a!~"b"',
        'a:"b"',
        'a="b" c="d"',
        '(a="b")',
        "a>5",
        '"anywhere"',
        'a="b" AND',
    ],
)
def test_a_filter_beyond_what_is_known_here_is_an_error(text):
    with pytest.raises(NotUnderstood):
        compiled(text)
