"""What the doctors find out about whoever signs the tokens: here, a real local queue."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from colorway.doctor.issuer import check_issuer
from colorway.settings import SharedSettings
from demo.supervisor import free_port
from local_tasks.server import LocalTasks
from tests.colorway.doctor.verdicts import the_wrong_one, verdicts
from tests.faulty_front import Answer, FaultyFront
from tests.key_server import KeyServer


@pytest.fixture
def queue(tmp_path: Path) -> Iterator[LocalTasks]:
    with LocalTasks(tmp_path / "queue.db", queues={}) as tasks:
        yield tasks


def settings(issuer: str, certs: str | None = None) -> SharedSettings:
    return SharedSettings(
        database_url="sqlite:///ledger.db",
        image_store="file:///pictures",
        link_signing_key="k" * 32,
        oidc_callers="tasks@example.com",
        oidc_issuer=issuer,
        oidc_certs_url=certs or f"{issuer}/certs",
    )


def test_a_healthy_one(queue):
    assert verdicts(check_issuer(settings(queue.http_url))) == {
        "issuer's keys": "right",
        "issuer": "right",
        "clock against the issuer's": "right",
    }


def test_one_that_goes_by_another_name(queue):
    other_name = queue.http_url.replace("127.0.0.1", "localhost")

    flaw = the_wrong_one(check_issuer(settings(other_name, f"{queue.http_url}/certs")))

    assert flaw.what == "issuer"
    assert f"OIDC_ISSUER is '{other_name}' and the issuer says '{queue.http_url}'" in flaw.detail


def test_keys_that_are_not_its_own(queue):
    with KeyServer() as stranger:
        flaw = the_wrong_one(check_issuer(settings(queue.http_url, f"{stranger.url}/certs")))

    assert flaw.what == "issuer"
    assert "OIDC_CERTS_URL" in flaw.detail


def test_keys_that_are_not_where_they_should_be(queue):
    found = list(check_issuer(settings(queue.http_url, f"{queue.http_url}/nothing")))

    assert verdicts(found)["issuer's keys"] == "wrong"


def test_one_that_is_away():
    found = verdicts(check_issuer(settings(f"http://127.0.0.1:{free_port()}")))

    assert found == {"issuer's keys": "wrong", "issuer": "unseen"}


def test_one_that_tells_nothing_of_itself_but_its_keys():
    with KeyServer() as stranger:
        stranger.answer = None
        found = verdicts(check_issuer(settings(stranger.url)))

    assert found["issuer's keys"] == "right"


@pytest.mark.parametrize("minutes", [-3, 3])
def test_a_clock_that_is_minutes_off(queue, minutes):
    address = urlsplit(queue.http_url)
    front = FaultyFront(str(address.hostname), int(address.port or 0))
    told = datetime.now(UTC) + timedelta(minutes=minutes)
    front.gate = lambda request: (
        {"Date": format_datetime(told, usegmt=True)} if request.path != "/certs" else {}
    )
    try:
        found = check_issuer(settings(queue.http_url, f"{queue.http_url}/certs"))
        direct = verdicts(found)
        flaws = [it for it in check_issuer(settings(front.url)) if it.what.startswith("clock")]
    finally:
        front.close()

    assert direct["clock against the issuer's"] == "right"
    assert [flaw.verdict for flaw in flaws] == ["wrong"]
    assert ("behind" if minutes > 0 else "ahead of") in flaws[0].detail
    assert "NTP" in flaws[0].fix


def test_one_that_does_not_tell_the_time(queue):
    front = FaultyFront("127.0.0.1", int(urlsplit(queue.http_url).port or 0))
    front.fail(Answer(404))
    try:
        found = verdicts(check_issuer(settings(front.url)))
    finally:
        front.close()

    assert found["clock against the issuer's"] == "unseen"
