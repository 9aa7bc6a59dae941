"""What the doctors find out about the ledger, on both databases."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from alembic import command
from sqlalchemy import make_url, text

from colorway.doctor.clock import check_clock
from colorway.doctor.ledger import RESERVED, check_ledger
from colorway.ledger.revision import NEWEST
from demo.supervisor import free_port
from tests.colorway.doctor.verdicts import the_wrong_one, verdicts
from tests.databases import migrate, migrations_of


@pytest.fixture
def url(ledger):
    return ledger.engine.url.render_as_string(hide_password=False)


def test_a_healthy_one(url):
    assert set(verdicts(check_ledger(url, connections=1)).values()) == {"right"}


def test_one_that_was_never_migrated(empty_database):
    wrong = [it for it in check_ledger(empty_database, connections=1) if it.verdict == "wrong"]

    assert "make migrate" in wrong[0].fix
    assert wrong[0].what == ("ledger" if "sqlite" in empty_database else "ledger's revision")


def test_one_that_is_behind(empty_database):
    migrate(empty_database)
    command.downgrade(migrations_of(empty_database), "-1")

    flaw = the_wrong_one(check_ledger(empty_database, connections=1))

    assert flaw.what == "ledger's revision"
    assert f"this code needs {NEWEST}" in flaw.detail
    assert "make migrate" in flaw.fix


def test_one_that_a_newer_release_has_migrated_goes_on_to_work(ledger, url):
    with ledger.transaction() as session:
        session.execute(text("UPDATE alembic_version SET version_num = '9999'"))

    found = verdicts(check_ledger(url, connections=1))

    assert found["ledger's revision"] == "right"


def test_one_that_is_away_and_no_password_is_shown():
    url = f"postgresql://colorway:hunter2@127.0.0.1:{free_port()}/colorway"

    flaw = the_wrong_one(check_ledger(url, connections=1))

    assert "cannot be reached" in flaw.detail
    assert "Connection refused" in flaw.detail
    assert "hunter2" not in flaw.detail + flaw.fix


def test_a_database_that_is_not_there(postgres_ledger):
    url = postgres_ledger.engine.url.set(database="nowhere")

    flaw = the_wrong_one(check_ledger(url.render_as_string(hide_password=False), connections=1))

    assert 'database "nowhere" does not exist' in flaw.detail


def test_one_that_may_only_be_read(postgres_ledger):
    url = postgres_ledger.engine.url
    with postgres_ledger.transaction() as session:
        session.execute(
            text(f'ALTER DATABASE "{url.database}" SET default_transaction_read_only = on')
        )

    flaw = the_wrong_one(check_ledger(url.render_as_string(hide_password=False), connections=1))

    assert flaw.what == "ledger's rows"
    assert "read-only transaction" in flaw.detail


def test_more_connections_than_there_are(postgres_ledger):
    url = postgres_ledger.engine.url.render_as_string(hide_password=False)
    with postgres_ledger.reading() as session:
        most = int(session.scalar(text("SHOW max_connections")))
    room = most - RESERVED - 1  # the migration's

    fits = verdicts(check_ledger(url, connections=room))
    flaw = the_wrong_one(check_ledger(url, connections=room + 1))

    assert fits["ledger's connections"] == "right"
    assert flaw.what == "ledger's connections"


def test_connections_that_nobody_has_counted(postgres_ledger):
    url = postgres_ledger.engine.url.render_as_string(hide_password=False)

    assert verdicts(check_ledger(url, connections=None))["ledger's connections"] == "unseen"


def test_no_file_is_made_where_there_is_none(tmp_path):
    file = tmp_path / "ledger.db"

    the_wrong_one(check_ledger(f"sqlite:///{file}", connections=1))

    assert not file.exists()


@pytest.mark.parametrize(
    ("seconds", "verdict"), [(-6, "wrong"), (-4, "right"), (4, "right"), (6, "wrong")]
)
def test_its_clock_may_be_some_seconds_off(seconds, verdict):
    def ask() -> datetime:
        return datetime.now(UTC) + timedelta(seconds=seconds)

    assert check_clock("ledger", ask).verdict == verdict


def test_a_broken_url_is_told_without_its_password():
    url = make_url("postgresql://colorway:hunter2@localhost/colorway?no_such_option=1")

    flaw = the_wrong_one(check_ledger(url.render_as_string(hide_password=False), connections=1))

    assert "no_such_option" in flaw.detail
    assert "hunter2" not in flaw.detail + flaw.fix
