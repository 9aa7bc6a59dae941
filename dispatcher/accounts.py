"""`python -m dispatcher.accounts`: who may call, with which API keys, and how much each may have.

Of all settings it reads DATABASE_URL alone. A new key is all that is written to stdout, and is
shown this once. Exit code 0: done; 2: the arguments are wrong, and nothing was done; 1: the ledger
is away, try again later.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Annotated

import typer
from pydantic import TypeAdapter
from rich.console import Console
from rich.table import Table
from rich.text import Text

from colorway.errors import InvalidRequest, NotFound, Refused, TryLater
from colorway.ledger.accounts import (
    ALL_SCOPES,
    AccountFacts,
    Scope,
    all_accounts,
    find_account,
    issue_key,
    open_account,
    require_new_name,
    revoke_key,
    rotate_key,
    shown_of,
)
from colorway.ledger.connection import Ledger
from colorway.ledger.quotas import Quota, set_quotas
from colorway.settings import LedgerSettings, read_settings

AWAY, WRONG = 1, 2

DEFAULT_SCOPES: tuple[Scope, ...] = ("submit", "read")  # admin sees figures of all accounts

commands = typer.Typer(
    help="Accounts and their API keys, in the ledger at DATABASE_URL.",
    add_completion=False,
    rich_markup_mode=None,
)

_UNITS = {"m": "minutes", "h": "hours", "d": "days", "w": "weeks"}
_LONGEST = timedelta(days=36500)

DEFAULT = "default"
_BYTES = {"TB": 10**12, "GB": 10**9, "MB": 10**6, "kB": 1000}
_MOST_PENDING, _MOST_BYTES = 10**9, 10**18  # what the ledger's columns can hold

Scopes = Annotated[
    list[str] | None,
    typer.Option(
        "--scope",
        metavar="SCOPE",
        help=f"What the key may do: {', '.join(ALL_SCOPES)}; may be repeated."
        f" Left out: {' and '.join(DEFAULT_SCOPES)}.",
    ),
]
ExpiresIn = Annotated[
    str | None,
    typer.Option(metavar="DURATION", help="How long the key lasts, like 90d. Left out: forever."),
]
AccountNamed = Annotated[str, typer.Argument(metavar="ACCOUNT", help="Its id, or its name.")]
MaxPending = Annotated[
    str | None,
    typer.Option(
        metavar="NUMBER",
        help="Colorways that it may have pending or processing; `default`: as MAX_PENDING says.",
    ),
]
MaxStoredBytes = Annotated[
    str | None,
    typer.Option(
        metavar="SIZE",
        help="What its pictures may take, like 20GB; `default`: as MAX_STORED_BYTES says.",
    ),
]
KeyNamed = Annotated[
    str, typer.Argument(metavar="PREFIX", help="How the key begins: as much as tells it apart.")
]


@commands.command()
def create(
    name: Annotated[str, typer.Argument(metavar="NAME", help="What people call it; a new name.")],
    scope: Scopes = None,
    expires_in: ExpiresIn = None,
    max_pending: MaxPending = None,
    max_stored_bytes: MaxStoredBytes = None,
) -> None:
    """Make an account and its first key, and print the key."""
    now = datetime.now(UTC)
    scopes, expires_at = _scopes(scope), _expiry(expires_in, now)
    quotas = _quotas(max_pending, max_stored_bytes)
    with _ledger() as ledger, ledger.transaction() as session:
        require_new_name(session, name)
        account = open_account(session, name, now=now)
        if quotas:
            set_quotas(session, account, quotas)
        key = issue_key(session, account, now=now, scopes=scopes, expires_at=expires_at)
    _tell(f"account {name!r} has the id {account}")
    _show(key, scopes, expires_at)


@commands.command("add-key")
def add_key(account: AccountNamed, scope: Scopes = None, expires_in: ExpiresIn = None) -> None:
    """Make another key for an account, and print it."""
    now = datetime.now(UTC)
    scopes, expires_at = _scopes(scope), _expiry(expires_in, now)
    with _ledger() as ledger, ledger.transaction() as session:
        found = find_account(session, account)
        key = issue_key(session, found.id, now=now, scopes=scopes, expires_at=expires_at)
    _show(key, scopes, expires_at)


@commands.command("set-quota")
def set_quota(
    account: AccountNamed,
    max_pending: MaxPending = None,
    max_stored_bytes: MaxStoredBytes = None,
) -> None:
    """Change how much an account may have; what is left out stays as it is."""
    quotas = _quotas(max_pending, max_stored_bytes)
    if not quotas:
        raise InvalidRequest("say what to change: --max-pending, --max-stored-bytes, or both")
    with _ledger() as ledger, ledger.transaction() as session:
        found = find_account(session, account)
        now = set_quotas(session, found.id, quotas)
    _tell(f"account {now.name!r} {_may_have(now.max_pending, now.max_stored_bytes)}")


@commands.command("list")
def list_all(
    as_json: Annotated[bool, typer.Option("--json", help="As one line of JSON.")] = False,
) -> None:
    """Show the accounts, their quotas, and how their keys begin; never a secret."""
    with _ledger() as ledger, ledger.reading() as session:
        accounts = all_accounts(session)
    if as_json:
        typer.echo(TypeAdapter(list[AccountFacts]).dump_json(accounts).decode())
        return
    now, console = datetime.now(UTC), Console(highlight=False)
    for account in accounts:
        _print_account(console, account, now)
    if not accounts:
        _tell("there is no account yet: `create NAME` makes one")


@commands.command()
def rotate(
    prefix: KeyNamed,
    grace: Annotated[
        str, typer.Option(metavar="DURATION", help="How long the old key goes on to work, like 2h.")
    ] = "24h",
) -> None:
    """Make a key in place of an old one, and print it.

    It may do the same and lasts as long as the old one was made for. The old one goes on to work
    for the grace, unless it expires before.
    """
    grace_for = _duration("--grace", grace)
    with _ledger() as ledger, ledger.transaction() as session:
        rotation = rotate_key(session, prefix, grace=grace_for, now=datetime.now(UTC))
    _tell(f"the key {rotation.old_prefix} expires {_said(rotation.old_expires_at)} UTC")
    _show(rotation.key, rotation.scopes, rotation.expires_at)


@commands.command()
def revoke(prefix: KeyNamed) -> None:
    """End a key at once, and forget it."""
    with _ledger() as ledger, ledger.transaction() as session:
        revoked = revoke_key(session, prefix)
    _tell(f"the key {revoked} is revoked")


@contextmanager
def _ledger() -> Iterator[Ledger]:
    ledger = Ledger(read_settings(LedgerSettings).database_url, pool_size=1)
    try:
        if not ledger.has_tables():
            raise InvalidRequest("the ledger at DATABASE_URL is empty: `make migrate` prepares it")
        yield ledger
    finally:
        ledger.dispose()


def _scopes(wanted: list[str] | None) -> tuple[Scope, ...]:
    for scope in wanted or ():
        if scope not in ALL_SCOPES:
            known = ", ".join(ALL_SCOPES)
            raise InvalidRequest(f"there is no scope {scope!r}: a scope is one of {known}")
    return tuple(scope for scope in ALL_SCOPES if scope in (wanted or DEFAULT_SCOPES))


def _expiry(expires_in: str | None, now: datetime) -> datetime | None:
    if expires_in is None:
        return None
    lasts_for = _duration("--expires-in", expires_in)
    if not lasts_for:
        raise InvalidRequest(
            "--expires-in 0 would make a key that never works: say how long, like 90d"
        )
    return now + lasts_for


def _duration(option: str, text: str) -> timedelta:
    found = re.fullmatch(r"([0-9]{1,8})([mhdw])", text)
    duration = timedelta(**{_UNITS[found[2]]: int(found[1])}) if found else None
    if duration is None or duration > _LONGEST:
        raise InvalidRequest(
            f"{option} {text!r} is no duration: it is a number and one of {', '.join(_UNITS)},"
            f" like 90d, and at most {_LONGEST.days}d"
        )
    return duration


def _quotas(max_pending: str | None, max_stored_bytes: str | None) -> dict[Quota, int | None]:
    """Return those that are given; None where one is to be the default."""
    quotas: dict[Quota, int | None] = {}
    if max_pending is not None:
        quotas["max_pending"] = _amount("--max-pending", max_pending, {}, most=_MOST_PENDING)
    if max_stored_bytes is not None:
        quotas["max_stored_bytes"] = _amount(
            "--max-stored-bytes", max_stored_bytes, _BYTES, most=_MOST_BYTES
        )
    return quotas


def _amount(option: str, text: str, units: dict[str, int], *, most: int) -> int | None:
    if text == DEFAULT:
        return None
    found = re.fullmatch(r"([0-9]{1,19})([a-zA-Z]*)", text)
    factor = (units | {"": 1}).get(found[2]) if found else None
    if found is None or factor is None or int(found[1]) * factor > most:
        unit = f", perhaps with one of {', '.join(units)}," if units else ""
        raise InvalidRequest(
            f"{option} {text!r} is no quota: it is a number{unit} of at most {most:,}, or {DEFAULT}"
        )
    return int(found[1]) * factor


def _show(key: str, scopes: Sequence[str], expires_at: datetime | None) -> None:
    expires = "never expires" if expires_at is None else f"expires {_said(expires_at)} UTC"
    _tell(f"the key {shown_of(key)} may {', '.join(scopes)} and {expires}; it is shown this once:")
    typer.echo(key)


def _print_account(console: Console, account: AccountFacts, now: datetime) -> None:
    # not the table's title: that would be folded to the width of the table
    heading = Text.assemble((account.name, "bold"), f"  {account.id}")
    console.print(heading, soft_wrap=True)
    console.print(_may_have(account.max_pending, account.max_stored_bytes), soft_wrap=True)
    table = Table("key", "scopes", "created (UTC)", "expires (UTC)")
    for key in account.keys:
        expires = "never" if key.expires_at is None else _said(key.expires_at)
        over = key.expires_at is not None and key.expires_at <= now
        table.add_row(
            key.prefix,
            ", ".join(key.scopes),
            _said(key.created_at),
            f"{expires} (over)" if over else expires,
            style="dim" if over else None,
        )
    console.print(table)


def _may_have(max_pending: int | None, max_stored_bytes: int | None) -> str:
    pending = DEFAULT if max_pending is None else f"{max_pending:,}"
    return f"may have pending: {pending}; stored: {_size(max_stored_bytes)}"


def _size(quota: int | None) -> str:
    """Say it in the largest unit in which it is a whole number."""
    if quota is None:
        return DEFAULT
    for unit, factor in _BYTES.items():
        if quota and quota % factor == 0:
            return f"{quota // factor:,} {unit}"
    return f"{quota:,} bytes"


def _said(time: datetime) -> str:
    return f"{time:%Y-%m-%d %H:%M}"


def _tell(sentence: str) -> None:
    """Say it on stderr: stdout is for what is asked for, a key or a list."""
    typer.echo(sentence, err=True)


def main(arguments: list[str]) -> int:
    """Run a command and return the exit code."""
    try:
        # Not standalone: that would answer a bad argument with a page instead of a line.
        commands(args=arguments or ["--help"], standalone_mode=False)
    except typer.TyperException as error:
        return _refuse(error.format_message(), WRONG)
    except NotFound as error:
        return _refuse(f"{error}; `list` shows what there is", WRONG)
    except Refused as error:
        return _refuse(str(error), WRONG)
    except TryLater as error:
        return _refuse(str(error), AWAY)
    return 0


def _refuse(complaint: str, code: int) -> int:
    _tell(f"accounts: {complaint}")
    return code


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
