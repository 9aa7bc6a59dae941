"""`python -m dispatcher.accounts`, as an operator runs it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import select

from colorway.errors import Unauthenticated
from colorway.ledger.accounts import ALL_SCOPES, Caller, caller_with, issue_key, open_account
from colorway.ledger.connection import Ledger
from colorway.ledger.tables import Record, accounts, api_keys
from dispatcher.accounts import main
from tests.builders import DAY
from tests.databases import ROOT
from tests.dispatcher.stage import Stage

HOUR = timedelta(hours=1)


def run(ledger: Ledger | str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run the command with DATABASE_URL and no other setting."""
    url = ledger if isinstance(ledger, str) else str(ledger.engine.url)
    return subprocess.run(  # noqa: S603 - our own command
        [sys.executable, "-W", "error", "-m", "dispatcher.accounts", *arguments],
        env={"PATH": os.environ["PATH"], "DATABASE_URL": url},
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


def key_from(ran: subprocess.CompletedProcess[str]) -> str:
    """Return the key, which is the one line on stdout, and on stderr only how it begins."""
    assert ran.returncode == 0, ran.stderr
    key = ran.stdout.removesuffix("\n")
    assert key.startswith("cw_")
    assert not set(key) & set(" \n")
    assert key not in ran.stderr
    assert key[:9] in ran.stderr
    return key


def caller(ledger: Ledger, key: str, *, after: timedelta = timedelta(0)) -> Caller:
    with ledger.reading() as session:
        return caller_with(session, key, now=datetime.now(UTC) + after)


def an_account(ledger: Ledger, name: str = "Studio") -> str:
    """Open an account with a key, and return the key."""
    now = datetime.now(UTC)
    with ledger.transaction() as session:
        return issue_key(session, open_account(session, name, now=now), now=now)


def status(stage: Stage, key: str) -> int:
    """Return what the app answers whoever has this key."""
    path = "/v1/images/01980000-0000-7000-8000-000000000000"
    return stage.client.get(path, headers={"Authorization": f"Bearer {key}"}).status_code


def test_a_new_account_begins_with_a_key_that_may_submit_and_read(sqlite_ledger: Ledger) -> None:
    key = key_from(run(sqlite_ledger, "create", "Studio"))

    (account,) = json.loads(run(sqlite_ledger, "list", "--json").stdout)
    assert caller(sqlite_ledger, key, after=10_000 * DAY).scopes == {"submit", "read"}
    assert str(caller(sqlite_ledger, key).account) == account["id"]
    assert account["name"] == "Studio"


def test_a_further_key_has_the_scopes_and_the_time_it_was_given(sqlite_ledger: Ledger) -> None:
    first = an_account(sqlite_ledger)
    account = caller(sqlite_ledger, first).account

    by_name = run(sqlite_ledger, "add-key", "Studio", "--scope", "admin", "--expires-in", "90d")
    by_id = run(sqlite_ledger, "add-key", str(account), "--scope", "read", "--scope", "submit")

    short, lasting = key_from(by_name), key_from(by_id)
    early = caller(sqlite_ledger, short, after=89 * DAY)
    assert (early.account, early.scopes) == (account, {"admin"})
    with pytest.raises(Unauthenticated, match="expired"):
        caller(sqlite_ledger, short, after=90 * DAY)
    assert caller(sqlite_ledger, lasting).scopes == {"submit", "read"}
    assert caller(sqlite_ledger, first).account == account


def test_the_list_shows_how_keys_begin_and_never_a_secret(sqlite_ledger: Ledger) -> None:
    key = an_account(sqlite_ledger, "[red]Studio[/]")

    table, as_json = run(sqlite_ledger, "list"), run(sqlite_ledger, "list", "--json")

    (account,) = json.loads(as_json.stdout)
    (listed,) = account["keys"]
    assert (account["name"], listed["prefix"]) == ("[red]Studio[/]", key[:9])
    assert set(listed) == {"prefix", "scopes", "created_at", "expires_at"}
    for shown in (account["name"], account["id"], key[:9], "submit, read, admin", "never"):
        assert shown in table.stdout
    assert key[:12] not in table.stdout + as_json.stdout
    assert (table.returncode, table.stderr, as_json.stderr) == (0, "", "")


def test_an_account_begins_with_the_quotas_it_was_given(sqlite_ledger: Ledger) -> None:
    key_from(run(sqlite_ledger, "create", "Plain"))
    sizes = ("--max-pending", "500", "--max-stored-bytes", "20GB")
    key_from(run(sqlite_ledger, "create", "Studio", *sizes))

    assert quotas_in(sqlite_ledger) == {"Plain": (None, None), "Studio": (500, 20_000_000_000)}
    table = run(sqlite_ledger, "list").stdout
    assert "may have pending: default; stored: default" in table
    assert "may have pending: 500; stored: 20 GB" in table


def test_a_quota_is_changed_and_the_other_stays(
    sqlite_ledger: Ledger, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("DATABASE_URL", str(sqlite_ledger.engine.url))
    an_account(sqlite_ledger)
    an_account(sqlite_ledger, "Press")

    seen = []
    for change in (
        ("--max-pending", "0", "--max-stored-bytes", "1500kB"),
        ("--max-stored-bytes", "999"),
        ("--max-pending", "default"),
        ("--max-stored-bytes", "default", "--max-pending", "7"),
    ):
        assert main(["set-quota", "Studio", *change]) == 0
        seen.append(quotas_in(sqlite_ledger)["Studio"])

    assert seen == [(0, 1_500_000), (0, 999), (None, 999), (7, None)]
    assert quotas_in(sqlite_ledger)["Press"] == (None, None)
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.splitlines() == [
        "account 'Studio' may have pending: 0; stored: 1,500 kB",
        "account 'Studio' may have pending: 0; stored: 999 bytes",
        "account 'Studio' may have pending: default; stored: 999 bytes",
        "account 'Studio' may have pending: 7; stored: default",
    ]


def quotas_in(ledger: Ledger) -> dict[str, tuple[int | None, int | None]]:
    """Return the quotas of each account, as the list tells them."""
    listed = json.loads(run(ledger, "list", "--json").stdout)
    return {each["name"]: (each["max_pending"], each["max_stored_bytes"]) for each in listed}


def test_an_empty_ledger_lists_nothing_and_says_what_to_do(
    sqlite_ledger: Ledger, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("DATABASE_URL", str(sqlite_ledger.engine.url))

    codes = [main(["list"]), main(["list", "--json"])]

    said = capsys.readouterr()
    assert (codes, said.out) == ([0, 0], "[]\n")
    assert "`create NAME`" in said.err


def test_a_rotated_key_works_for_its_grace_and_the_new_one_from_now_on(stage: Stage) -> None:
    kept = run(stage.ledger, "rotate", stage.key[:9])
    successor = key_from(kept)
    hasty = key_from(run(stage.ledger, "rotate", successor[:9], "--grace", "0m"))

    assert "expires" in kept.stderr
    assert [status(stage, key) for key in (stage.key, successor, hasty)] == [404, 401, 404]
    assert caller(stage.ledger, stage.key, after=23 * HOUR).scopes == set(ALL_SCOPES)
    with pytest.raises(Unauthenticated, match="expired"):
        caller(stage.ledger, stage.key, after=24 * HOUR)


def test_a_revoked_key_is_refused_at_once(stage: Stage) -> None:
    before = status(stage, stage.key)

    revoked = run(stage.ledger, "revoke", stage.key[:9])

    assert (revoked.returncode, revoked.stdout) == (0, "")
    assert stage.key[:9] in revoked.stderr
    assert (before, status(stage, stage.key)) == (404, 401)


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ("create Studio", "choose another name"),
        ("create", "Missing argument 'NAME'"),
        ("create New --scope all", "a scope is one of submit, read, admin"),
        ("create New --scope read --scope Admin", "a scope is one of submit, read, admin"),
        ("create New --expires-in 90", "a number and one of m, h, d, w, like 90d"),
        ("create New --expires-in 90days", "a number and one of m, h, d, w, like 90d"),
        ("create New --expires-in d", "a number and one of m, h, d, w, like 90d"),
        ("create New --expires-in -1d", "a number and one of m, h, d, w, like 90d"),
        ("create New --expires-in 1.5d", "a number and one of m, h, d, w, like 90d"),
        ("create New --expires-in ٣d", "a number and one of m, h, d, w, like 90d"),
        ("create New --expires-in 36501d", "at most 36500d"),
        ("create New --expires-in 99999999w", "at most 36500d"),
        ("create New --expires-in 0d", "never works"),
        ("add-key Nobody", "`list` shows what there is"),
        ("add-key Twins", "2 accounts are called 'Twins'"),
        ("add-key Studio --scope", "requires an argument"),
        ("rotate cw_", "cw_ and some more characters"),
        ("rotate cw_no", "`list` shows what there is"),
        ("rotate cw_no --grace soon", "a number and one of m, h, d, w, like 90d"),
        ("revoke cw_no", "`list` shows what there is"),
        ("revoke Studio", "cw_ and some more characters"),
        ("revoke cw_a cw_b", "unexpected extra argument"),
        ("set-quota Studio", "say what to change"),
        ("set-quota Nobody --max-pending 1", "`list` shows what there is"),
        ("set-quota Studio --max-pending", "requires an argument"),
        ("set-quota Studio --max-pending -1", "a number of at most 1,000,000,000, or default"),
        ("set-quota Studio --max-pending many", "a number of at most 1,000,000,000, or default"),
        ("set-quota Studio --max-pending 1000000001", "at most 1,000,000,000"),
        ("set-quota Studio --max-pending 1kB", "a number of at most 1,000,000,000, or default"),
        ("set-quota Studio --max-stored-bytes 1.5GB", "one of TB, GB, MB, kB"),
        ("set-quota Studio --max-stored-bytes 1GiB", "one of TB, GB, MB, kB"),
        ("set-quota Studio --max-stored-bytes 1000001TB", "at most 1,000,000,000,000,000,000"),
        ("create New --max-pending ٣", "a number of at most 1,000,000,000, or default"),
        ("forget Studio", "No such command 'forget'"),
    ],
)
def test_wrong_arguments_are_refused_in_a_line_and_change_nothing(
    sqlite_ledger: Ledger,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    arguments: str,
    says: str,
) -> None:
    monkeypatch.setenv("DATABASE_URL", str(sqlite_ledger.engine.url))
    for name in ("Studio", "Twins", "Twins"):
        an_account(sqlite_ledger, name)
    before = everything(sqlite_ledger)

    code = main(arguments.split())

    said = capsys.readouterr()
    assert (code, said.out) == (2, "")
    assert says in said.err
    assert said.err.count("\n") == 1
    assert everything(sqlite_ledger) == before


def everything(ledger: Ledger) -> list[list[Record]]:
    with ledger.reading() as session:
        return [list(session.execute(select(table))) for table in (accounts, api_keys)]


@pytest.mark.parametrize(
    ("url", "code", "says"),
    [
        ("postgresql+psycopg://127.0.0.1:9/nothing", 1, "cannot be reached"),
        ("sqlite:////nowhere/ledger.db", 1, "cannot be reached"),
        ("mysql://127.0.0.1/colorway", 2, "setting DATABASE_URL"),
        ("", 2, "setting DATABASE_URL"),
    ],
)
def test_a_ledger_that_is_away_or_none_is_named(url: str, code: int, says: str) -> None:
    refused = run(url, "list")

    assert (refused.returncode, refused.stdout) == (code, "")
    assert says in refused.stderr
    assert "Traceback" not in refused.stderr


def test_a_database_without_tables_is_to_be_migrated_first(empty_database: str) -> None:
    refused = run(empty_database, "create", "Studio")

    assert (refused.returncode, refused.stdout) == (2, "")
    assert refused.stderr.count("\n") == 1
    assert "make migrate" in refused.stderr


def test_help_needs_no_setting(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("DATABASE_URL", raising=False)

    codes = [main([]), main(["--help"]), main(["rotate", "--help"])]

    assert codes == [0, 0, 0]
    assert capsys.readouterr().out.count("Usage:") == 3
