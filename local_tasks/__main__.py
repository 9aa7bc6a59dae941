"""`python -m local_tasks`: serve queues, or mint a token as the server would."""

import json
import logging
import signal
import sys
import threading
from pathlib import Path
from typing import Annotated

import typer

from local_tasks.clock import SystemClock
from local_tasks.errors import CannotStart
from local_tasks.faults import NAMES, NO_FAULTS, Faults
from local_tasks.oidc import TokenMint
from local_tasks.queue_settings import RATE_FIELDS, RETRY_FIELDS, QueueSettings, parse_declaration
from local_tasks.server import LocalTasks
from local_tasks.store import read_facts

BAD_ARGUMENTS = 2

commands = typer.Typer(
    help="Cloud Tasks v2 on one machine: the unmodified google-cloud-tasks client in, HTTP out,"
    " tasks kept in one SQLite file.",
    add_completion=False,
    rich_markup_mode=None,
)


@commands.command()
def serve(
    data: Annotated[Path, typer.Option(metavar="FILE", help="The SQLite file; made if missing.")],
    grpc: Annotated[
        str, typer.Option(metavar="HOST:PORT", help="Where clients connect; port 0: any free one.")
    ] = "127.0.0.1:8123",
    http: Annotated[
        str, typer.Option(metavar="HOST:PORT", help="Where /certs and /health are served.")
    ] = "127.0.0.1:8124",
    queue: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME[,SETTING=NUMBER...]",
            help="A queue to have, with its settings; may be repeated. These win over stored ones."
            f" Settings: {', '.join((*RATE_FIELDS, *RETRY_FIELDS))}. Durations are in seconds.",
        ),
    ] = None,
    issuer: Annotated[
        str | None, typer.Option(metavar="URL", help="iss of the tokens; default: the --http URL.")
    ] = None,
    allow_remote_targets: Annotated[
        bool, typer.Option("--allow-remote-targets", help="Let tasks go to other machines.")
    ] = False,
    fault: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME=NUMBER",
            help="What goes wrong on purpose, how probably (0 to 1); may be repeated."
            f" Names: {', '.join(NAMES)}. max_delay is in seconds.",
        ),
    ] = None,
    ready_file: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Also write the ready line here, once serving."),
    ] = None,
) -> None:
    """Serve queues until SIGTERM or Ctrl-C.

    Once ready, one line of JSON on stdout names the addresses; everything else goes to stderr.

    \b
    python -m local_tasks serve --data queue.db \\
        --queue projects/p/locations/l/queues/normal,max_concurrent_dispatches=4,min_backoff=2
    """
    logging.basicConfig(
        level=logging.INFO, stream=sys.stderr, format="%(asctime)s %(levelname)s %(message)s"
    )
    declared = dict(map(_declaration, queue or []))
    faults = _faults(fault or [])
    with LocalTasks(
        data,
        queues=declared,
        grpc_address=grpc,
        http_address=http,
        issuer=issuer,
        allow_remote_targets=allow_remote_targets,
        faults=faults,
    ) as tasks:
        ready = json.dumps({"ready": True, "grpc": tasks.grpc_address, "http": tasks.http_url})
        if ready_file is not None:
            _write_whole(ready_file, f"{ready}\n")
        stop_asked = threading.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: stop_asked.set())
        typer.echo(ready)
        sys.stdout.flush()
        stop_asked.wait()


@commands.command()
def token(
    data: Annotated[Path, typer.Option(metavar="FILE", help="The SQLite file of the server.")],
    audience: Annotated[str, typer.Option(metavar="URL", help="aud: who the token is for.")],
    account: Annotated[str, typer.Option(metavar="EMAIL", help="The service account it names.")],
) -> None:
    """Print an identity token, good for an hour, signed with the key of FILE.

    Like `gcloud auth print-identity-token`. The server may be running, and must have been once.
    """
    key, issuer = read_facts(data, "signing_key", "issuer")
    if key is None or issuer is None:
        raise CannotStart(f"{data} has no signing key yet: start the server on it once")
    typer.echo(TokenMint(key, issuer=issuer, clock=SystemClock()).token(account, audience))


def _declaration(text: str) -> tuple[str, QueueSettings]:
    try:
        return parse_declaration(text)
    except ValueError as error:
        raise CannotStart(f"--queue {text}: {error}") from error


def _faults(assignments: list[str]) -> Faults:
    faults = NO_FAULTS
    for assignment in assignments:
        try:
            faults = faults.with_fault(assignment)
        except ValueError as error:
            raise CannotStart(f"--fault {assignment}: {error}") from error
    return faults


def _write_whole(path: Path, text: str) -> None:
    """Whoever waits for the file never reads half of it."""
    unfinished = path.with_name(f"{path.name}.part")
    try:
        unfinished.write_text(text)
        unfinished.replace(path)
    except OSError as error:
        raise CannotStart(f"{path} cannot be written: {error.strerror}") from error


def main(arguments: list[str]) -> int:
    try:
        # Not standalone: that would answer a bad argument with a page instead of a line.
        commands(args=arguments or ["--help"], standalone_mode=False)
    except typer.TyperException as error:
        return _refuse(error.format_message())
    except CannotStart as error:
        return _refuse(str(error))
    return 0


def _refuse(complaint: str) -> int:
    typer.echo(f"local_tasks: {complaint}", err=True)
    return BAD_ARGUMENTS


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
