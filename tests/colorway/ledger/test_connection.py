from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import datetime, timedelta, timezone
from threading import Event

import pytest
from sqlalchemy import create_engine, event, func, inspect, select, text, update
from sqlalchemy.exc import IntegrityError, InternalError, StatementError

from colorway.errors import TryLater
from colorway.ledger.accounts import open_account
from colorway.ledger.connection import Ledger, address_of, is_sqlite
from colorway.ledger.tables import Account, UtcDateTime
from tests.builders import NOON, an_account

ACCOUNTS = select(func.count()).select_from(Account)


def accounts_in(ledger):
    with ledger.reading() as session:
        return session.scalar(ACCOUNTS)


def write(ledger, writing=Ledger.transaction):
    with writing(ledger) as session:
        an_account(session)


BOTH_WRITE = pytest.mark.parametrize("writing", [Ledger.transaction, Ledger.noting])


@BOTH_WRITE
def test_a_transaction_commits_at_its_end(ledger, writing):
    write(ledger, writing)

    assert accounts_in(ledger) == 1


@BOTH_WRITE
def test_an_error_undoes_the_whole_transaction(ledger, writing):
    def half_done():
        with writing(ledger) as session:
            an_account(session)
            raise KeyError("a bug of ours")

    with pytest.raises(KeyError):
        half_done()

    assert accounts_in(ledger) == 0
    assert ledger.engine.pool.checkedout() == 0


def test_what_is_written_while_reading_is_refused_or_thrown_away(ledger):
    with suppress(InternalError), ledger.reading() as session:  # Postgres refuses it
        an_account(session)

    assert accounts_in(ledger) == 0
    assert ledger.engine.pool.checkedout() == 0


def test_a_reader_works_while_a_writer_is_at_it_and_sees_nothing_of_it(ledger):
    with ledger.transaction() as session:
        an_account(session)

        assert accounts_in(ledger) == 0

    assert accounts_in(ledger) == 1


def test_a_reader_sees_one_snapshot(ledger):
    with ledger.reading() as reader:
        before = reader.scalar(ACCOUNTS)
        with ledger.transaction() as writer:
            an_account(writer)

        assert reader.scalar(ACCOUNTS) == before


def test_a_broken_promise_between_rows_is_a_bug_and_no_trouble(ledger):
    def the_same_again():
        with ledger.transaction() as session:
            account = an_account(session)
            session.add_all([Account(id=account, name="Twin", created_at=NOON)])

    with pytest.raises(IntegrityError):
        the_same_again()


def test_a_ledger_that_answers_passes_its_check(ledger):
    ledger.check()


@pytest.mark.parametrize(
    "url",
    ["postgresql+psycopg://nobody@127.0.0.1:1/nowhere", "sqlite:////nowhere/at/all/ledger.db"],
)
def test_a_database_that_is_away_means_try_later(url):
    away = Ledger(url)

    with pytest.raises(TryLater):
        away.check()
    with pytest.raises(TryLater):
        write(away)


def test_who_finds_no_connection_free_comes_back(ledger):
    url = ledger.engine.url.render_as_string(hide_password=False)
    narrow = Ledger(url, pool_size=1, free_within=timedelta(milliseconds=10))

    with narrow.reading() as session:
        session.execute(ACCOUNTS)
        with pytest.raises(TryLater, match="in use"):
            narrow.check()

    narrow.check()
    narrow.dispose()


def test_an_error_does_not_tell_what_was_to_be_written(ledger):
    with ledger.reading() as session, pytest.raises(StatementError) as broken:
        session.execute(text("SELECT :value FROM nowhere"), {"value": "topsecret"})

    assert "SELECT" in str(broken.value)
    assert "topsecret" not in str(broken.value)


@pytest.mark.parametrize(
    ("url", "embedded"),
    [("sqlite:///a.db", True), ("sqlite+pysqlite:///a.db", True), ("postgresql://h/a", False)],
)
def test_a_url_says_which_database_it_is(url, embedded):
    assert is_sqlite(url) is embedded


# Times


def test_times_come_back_as_aware_utc(session):
    tokyo = timezone(timedelta(hours=9))
    account = open_account(session, "Studio", now=datetime(2030, 1, 1, 21, tzinfo=tokyo))
    session.expire_all()

    kept = session.get(Account, account).created_at

    assert (kept, kept.utcoffset()) == (NOON, timedelta(0))


def test_times_come_back_as_utc_from_a_server_that_lives_elsewhere(postgres_ledger):
    with postgres_ledger.transaction() as session:
        session.execute(text("SET LOCAL TIME ZONE 'Asia/Tokyo'"))
        account = an_account(session)
        session.expire_all()

        kept = session.get(Account, account).created_at

    assert (kept, kept.utcoffset()) == (NOON, timedelta(0))


def test_naive_times_are_refused(session):
    with pytest.raises(StatementError, match="aware times only"):
        open_account(session, "Studio", now=NOON.replace(tzinfo=None))


def test_no_time_is_no_time():
    assert UtcDateTime().process_bind_param(None, None) is None
    assert UtcDateTime().process_result_value(None, None) is None


# SQLite made to behave


def pragmas(session):
    return {
        name: session.execute(text(f"PRAGMA {name}")).scalar_one()
        for name in ("journal_mode", "synchronous", "foreign_keys")
    }


def test_sqlite_keeps_its_promises(sqlite_ledger):
    with sqlite_ledger.transaction() as session:
        promising = pragmas(session)

    assert promising == {"journal_mode": "wal", "synchronous": 2, "foreign_keys": 1}


def test_sqlite_waits_for_no_disk_with_a_note_and_for_it_again_with_the_next_promise(sqlite_ledger):
    narrow = Ledger(str(sqlite_ledger.engine.url), pool_size=1)  # both on the same connection

    with narrow.noting() as session:
        noting = pragmas(session)
    with narrow.transaction() as session:
        promising = pragmas(session)

    narrow.dispose()
    assert (noting["synchronous"], promising["synchronous"]) == (1, 2)


@pytest.fixture
def impatient_process(sqlite_ledger):
    """Another ledger on the same file, which shares no lock with the first and does not wait."""
    ledger = Ledger(str(sqlite_ledger.engine.url))
    do_not_wait = "PRAGMA busy_timeout = 1"
    event.listen(ledger.engine, "connect", lambda connection, _: connection.execute(do_not_wait))
    yield ledger
    ledger.dispose()


def test_a_writer_holds_the_lock_from_its_first_look(sqlite_ledger, impatient_process):
    with sqlite_ledger.transaction() as session:
        session.scalar(ACCOUNTS)

        with pytest.raises(TryLater):
            write(impatient_process)


def test_a_reader_holds_no_lock(sqlite_ledger, impatient_process):
    with sqlite_ledger.reading() as session:
        session.scalar(ACCOUNTS)

        write(impatient_process)

    assert accounts_in(sqlite_ledger) == 1


def test_a_ledger_whose_lock_was_taken_works_again_later(sqlite_ledger, impatient_process):
    with sqlite_ledger.transaction() as session:
        an_account(session)
        with pytest.raises(TryLater):
            write(impatient_process)

    write(impatient_process)

    assert impatient_process.engine.pool.checkedout() == 0
    assert accounts_in(sqlite_ledger) == 2


def test_sqlite_undoes_changes_of_tables_too(sqlite_ledger):
    def half_a_migration():
        with sqlite_ledger.engine.begin() as connection:
            connection.execute(text("CREATE TABLE strays (id INTEGER)"))
            raise KeyError("a bug of ours")

    with pytest.raises(KeyError):
        half_a_migration()

    assert "strays" not in inspect(sqlite_ledger.engine).get_table_names()


# Postgres in trouble


def test_a_connection_that_breaks_means_try_later_once(postgres_ledger):
    killer = create_engine(postgres_ledger.engine.url)
    kill = text("SELECT pg_terminate_backend(:pid, 5000)")  # it waits for up to 5 seconds

    def write_while_the_connection_breaks():
        with postgres_ledger.transaction() as session:
            an_account(session)
            pid = session.scalar(text("SELECT pg_backend_pid()"))
            with killer.connect() as connection:
                connection.execute(kill, {"pid": pid})
            an_account(session)

    with pytest.raises(TryLater):
        write_while_the_connection_breaks()

    killer.dispose()
    assert accounts_in(postgres_ledger) == 0
    write(postgres_ledger)


def test_of_two_in_a_deadlock_one_must_try_later(postgres_ledger):
    with postgres_ledger.transaction() as session:
        accounts = [an_account(session), an_account(session)]
    held = [Event(), Event()]

    def rename_both(first):
        second = 1 - first
        try:
            with postgres_ledger.transaction() as session:
                rename(session, accounts[first])
                held[first].set()
                held[second].wait(timeout=10)
                rename(session, accounts[second])
        except TryLater:
            return "try later"
        return "done"

    def rename(session, account):
        session.execute(update(Account).where(Account.id == account).values(name="renamed"))

    with ThreadPoolExecutor(2) as pool:
        assert sorted(pool.map(rename_both, (0, 1))) == ["done", "try later"]


@pytest.mark.parametrize(
    ("url", "address"),
    [
        ("sqlite:////srv/ledger.db", "sqlite:////srv/ledger.db"),
        (
            "postgresql+psycopg://me:hunter2@db:6432/colorway?prepared_statements=false",
            "postgresql://db:6432/colorway",
        ),
        (
            "postgresql://a%40p.iam@/colorway?host=/run/pg",
            "postgresql:///colorway?host=%2Frun%2Fpg",
        ),
    ],
)
def test_an_address_has_neither_login_nor_options(url, address):
    assert address_of(url) == address


def test_statements_are_prepared_unless_the_url_says_otherwise(postgres_ledger):
    target = postgres_ledger.engine.url
    as_told = target.update_query_dict({"prepared_statements": "false"})
    unprepared = Ledger(as_told.render_as_string(hide_password=False), pool_size=1)

    def prepared_on(ledger: Ledger) -> int:
        for _ in range(10):
            with ledger.reading() as session:  # at whose end nothing may be forgotten
                session.execute(ACCOUNTS)
        with ledger.transaction() as session:
            return session.scalar(text("SELECT count(*) FROM pg_prepared_statements"))

    assert prepared_on(postgres_ledger) > 0
    assert prepared_on(unprepared) == 0
    unprepared.dispose()
