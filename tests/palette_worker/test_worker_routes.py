"""What the queue is told: a status code for every outcome, and nothing to strangers."""

from __future__ import annotations

import time
from datetime import timedelta
from pathlib import Path
from uuid import uuid4

import jwt
import pytest
from flask import Flask

from colorway.ledger.connection import Ledger
from colorway.lifecycle import Status
from colorway.oidc import CallerCheck
from colorway.render_task import RenderTask
from local_tasks.clock import ManualClock
from local_tasks.oidc import TokenMint, new_key_pem
from local_tasks.web import Web
from palette_worker.app import create_app
from palette_worker.routes import show_errors, worker_routes
from palette_worker.settings import Settings
from tests.builders import a_claim
from tests.fakes import away
from tests.palette_worker.workplace import a_bench, a_placed_job, colorway_of, results_in

WORKER = "http://worker.test"
CALLER = "tasks@colorway.local"
RENDER = "/internal/tasks/render"


class Issuer:
    """Signs tokens, and publishes its keys on loopback."""

    def __init__(self):
        self.pem = new_key_pem()
        self.web = Web("127.0.0.1", 0)
        self.url = self.web.url
        self.web.start(self._mint().certificates(), issuer=self.url)

    def token(self, *, email=CALLER, audience=WORKER, **differs):
        return self._mint(**differs).token(email, audience)

    def signed(self, **claims):
        """Return a token with other claims, under the key that is published."""
        header = jwt.get_unverified_header(self.token())
        sound = jwt.decode(self.token(), options={"verify_signature": False})
        return jwt.encode(sound | claims, self.pem, algorithm="RS256", headers=header)

    def _mint(self, *, pem=None, issuer=None, seconds_ago=0):
        clock = ManualClock(time.time() - seconds_ago)
        return TokenMint(pem or self.pem, issuer=issuer or self.url, clock=clock)


@pytest.fixture(scope="module")
def issuer():
    issuer = Issuer()
    yield issuer
    issuer.web.stop()


@pytest.fixture
def client(bench, issuer):
    return client_of(bench, issuer)


def client_of(bench, issuer):
    callers = CallerCheck(
        audience=WORKER, issuer=issuer.url, certs_url=f"{issuer.url}/certs", emails=[CALLER]
    )
    app = Flask(__name__)
    show_errors(app)
    app.register_blueprint(worker_routes(bench, callers))
    return app.test_client()


def deliver(client, issuer, task, token=None):
    headers = {"Authorization": f"Bearer {token or issuer.token()}"}
    body = task.to_json() if isinstance(task, RenderTask) else task
    return client.post(RENDER, data=body, headers=headers)


# Outcomes


def test_a_colorway_that_is_rendered_is_decided(bench, client, issuer):
    _, [task] = a_placed_job(bench)

    assert deliver(client, issuer, task).status_code == 204
    assert colorway_of(bench, task).status is Status.COMPLETED
    assert deliver(client, issuer, task).status_code == 204


def test_a_colorway_that_failed_for_good_is_decided(bench, client, issuer):
    _, [task] = a_placed_job(bench, body=b"no picture")

    assert deliver(client, issuer, task).status_code == 204
    assert colorway_of(bench, task).status is Status.FAILED


def test_a_task_without_a_colorway_is_decided(client, issuer):
    assert deliver(client, issuer, RenderTask(uuid4(), 0)).status_code == 204


def test_a_colorway_that_is_leased_must_come_again(bench, client, issuer):
    _, [task] = a_placed_job(bench)
    with bench.ledger.transaction() as session:
        a_claim(session, task)

    assert deliver(client, issuer, task).status_code == 409


def test_a_store_in_trouble_slows_the_queue_down(bench, client, issuer, store):
    _, [task] = a_placed_job(bench)
    store.before["open"] = away

    answer = deliver(client, issuer, task)

    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "5")
    assert answer.json["code"] == "unavailable"


def test_a_full_worker_slows_the_queue_down(bench, client, issuer):
    _, [task] = a_placed_job(bench)

    with bench.slots.hold(10**9, wait_for=timedelta(0)):
        answer = deliver(client, issuer, task)

    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "2")
    assert colorway_of(bench, task).attempts == 0


def test_a_ledger_that_is_away_slows_the_queue_down(store, clock, issuer, tmp_path):
    nowhere = Ledger(f"sqlite:///{tmp_path}/missing/ledger.db")
    client = client_of(a_bench(nowhere, store, clock), issuer)

    assert deliver(client, issuer, RenderTask(uuid4(), 0)).status_code == 503
    assert client.get("/ready").status_code == 503
    assert client.get("/health").status_code == 200
    nowhere.dispose()


def test_a_bug_is_told_from_trouble_and_its_words_stay_here(bench, client, issuer, store):
    _, [task] = a_placed_job(bench)

    def a_bug(key):
        raise ValueError("secret")

    store.before["put"] = a_bug

    answer = deliver(client, issuer, task)

    assert answer.status_code == 500
    assert b"secret" not in answer.data
    assert colorway_of(bench, task).tries == 1


def test_a_worker_that_stops_claims_nothing(bench, client, issuer):
    _, [task] = a_placed_job(bench)
    bench.draining.set()

    answer = deliver(client, issuer, task)

    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "1")
    assert colorway_of(bench, task).attempts == 0


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"rubbish",
        b"\xff\xfe",
        b"[]",
        b"null",
        b"{}",
        b'{"v": 2, "colorway": "01890000-0000-7000-8000-000000000000", "epoch": 0}',
        b'{"v": 1, "colorway": "nord", "epoch": 0}',
        b'{"v": 1, "colorway": 7, "epoch": 0}',
        b'{"v": 1, "colorway": "01890000-0000-7000-8000-000000000000", "epoch": "0"}',
    ],
)
def test_rubbish_is_refused(client, issuer, body):
    assert deliver(client, issuer, body).status_code == 400


# Callers


def test_without_a_token_nobody_learns_or_does_anything(bench, client):
    _, [task] = a_placed_job(bench)

    assert client.post(RENDER, data=task.to_json()).status_code == 401
    assert client.get("/metrics").status_code == 401
    assert colorway_of(bench, task).attempts == 0


@pytest.mark.parametrize(
    ("status", "forge"),
    [
        (401, lambda issuer: "rubbish"),
        (401, lambda issuer: issuer.token(pem=new_key_pem())),
        (401, lambda issuer: issuer.token(audience="http://elsewhere.test")),
        (401, lambda issuer: issuer.token(issuer="http://127.0.0.1:9")),
        (401, lambda issuer: issuer.token(seconds_ago=3700)),
        (401, lambda issuer: issuer.signed(email=None)),
        (401, lambda issuer: jwt.encode({"email": CALLER}, "x" * 32, algorithm="HS256")),
        (403, lambda issuer: issuer.token(email="stranger@colorway.local")),
        (403, lambda issuer: issuer.signed(email_verified=False)),
        (403, lambda issuer: issuer.signed(email_verified="true")),
    ],
)
def test_a_token_that_is_not_our_queues_opens_nothing(bench, client, issuer, status, forge):
    _, [task] = a_placed_job(bench)

    answer = deliver(client, issuer, task, token=forge(issuer))

    assert answer.status_code == status
    assert colorway_of(bench, task).attempts == 0


def test_an_issuer_that_is_away_puts_the_task_off(bench):
    gone = Issuer()
    token = gone.token()
    gone.web.stop()
    _, [task] = a_placed_job(bench)

    assert deliver(client_of(bench, gone), gone, task, token=token).status_code == 503


def test_metrics_are_shown_to_our_callers(bench, client, issuer):
    _, [task] = a_placed_job(bench)
    deliver(client, issuer, task)

    answer = client.get("/metrics", headers={"Authorization": f"Bearer {issuer.token()}"})

    assert answer.status_code == 200
    assert b'colorway_attempts_total{outcome="completed"} 1.0' in answer.data


def test_health_is_for_everyone(client):
    assert client.get("/health").json == {"status": "ok"}
    assert client.get("/ready").json == {"status": "ready"}
    assert client.get("/nothing").status_code == 404
    assert client.get(RENDER).status_code == 405


# The whole application


@pytest.fixture
def settings(sqlite_ledger: Ledger, issuer, tmp_path: Path):
    return Settings(
        database_url=str(sqlite_ledger.engine.url),
        image_store=(tmp_path / "pictures").as_uri(),
        link_signing_key="k" * 32,
        oidc_issuer=issuer.url,
        oidc_certs_url=f"{issuer.url}/certs",
        oidc_callers=CALLER,
        worker_url=WORKER,
    )


@pytest.fixture
def app(settings):
    app = create_app(settings)
    yield app
    app.extensions["bench"].heartbeat.stop()
    app.extensions["bench"].ledger.dispose()


def test_the_wired_worker_renders(app, issuer):
    bench = app.extensions["bench"]
    _, [task] = a_placed_job(bench)

    assert deliver(app.test_client(), issuer, task).status_code == 204
    assert colorway_of(bench, task).status is Status.COMPLETED
    labels = {"route": RENDER, "method": "POST", "status": "204"}
    count = bench.metrics.registry.get_sample_value
    assert count("http_request_seconds_count", labels) == 1


def test_the_wired_worker_does_not_sleep_between_two_tries_once_it_is_stopped(app):
    bench = app.extensions["bench"]
    bench.draining.set()

    began = time.monotonic()
    bench.pause(60)

    assert time.monotonic() - began < 30


def test_a_store_that_is_given_is_the_one_used(settings, issuer, store):
    app = create_app(settings, store=store)
    bench = app.extensions["bench"]
    _, [task] = a_placed_job(bench)

    assert deliver(app.test_client(), issuer, task).status_code == 204

    assert len(results_in(store)) == 2
    bench.heartbeat.stop()
    bench.ledger.dispose()


def test_a_body_that_cannot_be_a_task_is_not_read(app, issuer):
    assert deliver(app.test_client(), issuer, b" " * 100_000).status_code == 413
