"""`python -m colorway`: send a picture in many palettes, watch, and fetch what came of it.

What is asked for is written to stdout (a job's id, the files), what is told to stderr. Exit code 0:
done; 2: the call is wrong and nothing was done; 1: the job did not complete, or the service or the
network is in trouble: try again later.
"""

from __future__ import annotations

import json
import os
import sys
from dataclasses import dataclass
from datetime import UTC
from itertools import islice
from math import inf
from pathlib import Path
from typing import Annotated, Any, cast
from uuid import UUID

import typer
from pydantic import TypeAdapter
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn
from rich.table import Column, Table

from colorway.client import (
    ApiProblem,
    Client,
    ClientError,
    ImageId,
    ImageUrl,
    Job,
    JobOptions,
    JobSummary,
    Picture,
)

TROUBLE, WRONG = 1, 2

commands = typer.Typer(
    help="Send a picture in many palettes, watch, and fetch what came of it.",
    add_completion=False,
    rich_markup_mode=None,
)

MOST_IN_ONE_REQUEST = 30_000_000
"""Bytes; Cloud Run takes 32 MiB. What is larger is put straight into the store."""

ImageNamed = Annotated[
    str, typer.Argument(metavar="IMAGE", help="A file, an https:// address, or an image's id.")
]
PaletteFile = Annotated[
    Path,
    typer.Argument(
        metavar="PALETTES",
        help='A JSON file: a list like [{"name": "Nord", "colors": ["#2e3440", "#eceff4"]}],'
        " or a whole job document without its image.",
    ),
]
JobNamed = Annotated[str, typer.Argument(metavar="JOB", help="The job's id.")]
AsJson = Annotated[bool, typer.Option("--json", help="As the API tells it.")]


@dataclass(frozen=True, slots=True)
class Service:
    """Where the service is, and as whom to call it."""

    url: str
    api_key: str | None
    key_file: Path | None
    patience_s: float

    def client(self) -> Client:
        """Return a client, or raise TyperException for what cannot be an address or a key."""
        key = self.api_key if self.key_file is None else _text_of(self.key_file)
        if not key:
            raise typer.TyperException(
                "there is no API key: set COLORWAY_API_KEY, or name a file with it by --key-file"
            )
        try:
            return Client(self.url, key.strip(), patience_s=self.patience_s)
        except ValueError as error:
            raise typer.TyperException(str(error)) from None


@commands.callback()
def service(
    context: typer.Context,
    url: Annotated[
        str, typer.Option(envvar="COLORWAY_URL", help="The service's address.")
    ] = "http://127.0.0.1:8000",
    key_file: Annotated[
        Path | None, typer.Option(help="A file with the API key, instead of COLORWAY_API_KEY.")
    ] = None,
    patience: Annotated[
        float, typer.Option(min=0, help="Seconds to go on trying while the service is away.")
    ] = 15,
) -> None:
    """Note where the service is; each command below makes its calls."""
    context.obj = Service(url, os.environ.get("COLORWAY_API_KEY"), key_file, patience)


@commands.command()
def submit(
    context: typer.Context,
    image: ImageNamed,
    palettes: PaletteFile,
    wait: Annotated[bool, typer.Option("--wait", help="Wait until the job is done.")] = False,
    out: Annotated[
        Path | None, typer.Option(help="Wait, and fetch the pictures into this folder.")
    ] = None,
) -> None:
    """Send a picture in these palettes; print the job's id, or the files with --out."""
    source, (wanted, options) = _source(image), _job_document(palettes)
    with _client(context) as client:
        if isinstance(source, Path) and source.stat().st_size > MOST_IN_ONE_REQUEST:
            source = {"id": client.upload_by_slot(source).id}
        job = client.submit(source, wanted, **options)
        typer.echo(job.id, err=out is not None)
        if wait or out is not None:
            job = _watch(client, job.id, within_s=inf)
        if out is not None:
            _fetch_into(out, client, job.id)
    if wait or out is not None:
        _end_as(job)


@commands.command()
def estimate(context: typer.Context, image: ImageNamed, palettes: PaletteFile) -> None:
    """Check all that `submit` would send, and tell what would come of it; nothing is recorded."""
    source, (wanted, options) = _source(image), _job_document(palettes)
    with _client(context) as client:
        found = client.estimate(source, wanted, **options)
    counts = found.counts
    typer.echo(f"palettes: {counts.total}, of which rendered before: {counts.cached}")
    if found.seconds is not None:
        typer.echo(f"seconds, by your last {found.seconds_from_jobs} jobs: {found.seconds:g}")
    if found.bytes is not None:
        typer.echo(f"bytes, by what you have: {found.bytes:,}")


@commands.command()
def show(context: typer.Context, job: JobNamed, as_json: AsJson = False) -> None:
    """Show how far a job and each of its palettes is."""
    with _client(context) as client:
        found = client.job(job)
        if as_json:
            typer.echo(found.model_dump_json(indent=2))
            return
        colorways = list(client.colorways(job))
    table = Table("palette", "status", "picture", "attempts", "error", box=None)
    for colorway in colorways:
        result, error = colorway.result, colorway.error
        picture = (
            f"{result.format} {result.width}x{result.height}, {result.bytes:,} B" if result else ""
        )
        why = error.detail if error else ""
        table.add_row(colorway.key, colorway.status, picture, str(colorway.attempts), why)
    typer.echo(f"{found.id} {_told(found)}")
    _print(table)


@commands.command("list")
def list_jobs(
    context: typer.Context,
    status: Annotated[str | None, typer.Option(help="Only jobs in this status.")] = None,
    limit: Annotated[int, typer.Option(min=1, help="So many at the most.")] = 20,
    as_json: AsJson = False,
) -> None:
    """Show your jobs, the newest first."""
    with _client(context) as client:
        jobs = list(islice(client.jobs(status=status, page_size=min(limit, 100)), limit))
    if as_json:
        typer.echo(TypeAdapter(list[JobSummary]).dump_json(jobs, indent=2).decode())
        return
    id_column = Column("job", min_width=36, no_wrap=True)
    table = Table(id_column, "created (UTC)", "status", "%", "total", box=None, pad_edge=False)
    for job in jobs:
        created = f"{job.created_at.astimezone(UTC):%Y-%m-%d %H:%M}"
        total = str(job.counts.total)
        table.add_row(job.id, created, job.status, str(job.progress_percent), total)
    _print(table)


@commands.command()
def wait(
    context: typer.Context,
    job: JobNamed,
    within: Annotated[
        float, typer.Option(min=0, help="Seconds; left out: until it is done.")
    ] = inf,
) -> None:
    """Show a job's progress until it is done."""
    with _client(context) as client:
        done = _watch(client, job, within_s=within)
    _end_as(done)


@commands.command()
def fetch(
    context: typer.Context,
    job: JobNamed,
    out: Annotated[Path, typer.Option(help="The folder for the pictures.")] = Path(),
    thumbnails: Annotated[
        bool, typer.Option("--thumbnails", help="The thumbnails, not the pictures.")
    ] = False,
) -> None:
    """Download a job's finished pictures, and print their names."""
    with _client(context) as client:
        count = _fetch_into(out, client, job, thumbnails=thumbnails)
    if not count:
        _tell(f"no picture of the job {job} is finished")
        raise typer.Exit(TROUBLE)


@commands.command()
def archive(
    context: typer.Context,
    job: JobNamed,
    file: Annotated[Path, typer.Argument(metavar="FILE", help="The zip to write.")],
) -> None:
    """Download a job's finished pictures as one zip."""
    file.parent.mkdir(parents=True, exist_ok=True)
    with _client(context) as client:
        client.fetch_archive(job, file)
    typer.echo(file)


@commands.command()
def cancel(context: typer.Context, job: JobNamed) -> None:
    """Cancel what has not ended; what is finished stays."""
    with _client(context) as client:
        _tell(_told(client.cancel(job)))


@commands.command()
def retry(
    context: typer.Context,
    job: JobNamed,
    keys: Annotated[
        list[str] | None, typer.Argument(metavar="[KEY]...", help="Left out: all of it.")
    ] = None,
) -> None:
    """Render again what failed or was cancelled."""
    with _client(context) as client:
        _tell(_told(client.retry(job, keys)))


@commands.command()
def delete(context: typer.Context, job: JobNamed) -> None:
    """Delete a job that is done, and those of its pictures that no other job shares."""
    with _client(context) as client:
        client.delete_job(job)
    _tell(f"the job {job} is deleted")


def _client(context: typer.Context) -> Client:
    service: Service = context.obj
    return service.client()


def _source(image: str) -> Picture | ImageId | ImageUrl:
    if image.startswith(("https://", "http://")):
        return {"url": image}
    if Path(image).is_file():
        return Path(image)
    try:
        return {"id": str(UUID(image))}
    except ValueError:
        raise typer.TyperException(
            f"there is no file {image}, and it is neither an address nor an image's id"
        ) from None


def _job_document(file: Path) -> tuple[list[Any], JobOptions]:
    """Return palettes and options; what they say is for the service to judge."""
    try:
        document = json.loads(_text_of(file))
        json.dumps(document, allow_nan=False)  # Python's reader takes NaN, and 1e999 for infinity
    except (ValueError, RecursionError) as error:
        raise typer.TyperException(f"{file} is not JSON: {error}") from None
    if isinstance(document, list):
        document = {"palettes": document}
    if not isinstance(document, dict) or not isinstance(document.get("palettes"), list):
        raise typer.TyperException(f"{file} is neither a list of palettes nor has it one")
    palettes: list[Any] = document.pop("palettes")
    for name in document.keys() - JobOptions.__annotations__.keys():
        known = ", ".join(["palettes", *JobOptions.__annotations__])
        raise typer.TyperException(f"{file}: a job has no member {name!r}; it has {known}")
    return palettes, cast("JobOptions", document)


def _text_of(file: Path) -> str:
    try:
        return file.read_text()
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "it is not text"
        raise typer.TyperException(f"{file} cannot be read: {why}") from None


def _watch(client: Client, job_id: str, *, within_s: float) -> Job:
    columns = (BarColumn(), TextColumn("{task.description}"))
    with Progress(*columns, console=Console(stderr=True)) as progress:
        bar = progress.add_task("")
        return client.wait(
            job_id,
            within_s=within_s,
            on_progress=lambda job: progress.update(
                bar, completed=job.progress_percent, description=_told(job)
            ),
        )


def _told(job: Job) -> str:
    counts = job.counts.model_dump(exclude={"total"})
    told = ", ".join(f"{count} {status}" for status, count in counts.items() if count)
    left = "" if job.eta_seconds is None else f", some {job.eta_seconds} s left"
    return f"{job.status}, {job.progress_percent} %: {told}{left}"


def _fetch_into(folder: Path, client: Client, job_id: str, *, thumbnails: bool = False) -> int:
    """Download what is finished; print each file's name, and return how many there are."""
    folder.mkdir(parents=True, exist_ok=True)
    fetch_one = client.fetch_thumbnail if thumbnails else client.fetch_image
    count = 0
    for colorway in client.colorways(job_id, status="completed"):
        if colorway.result is not None:
            ending = "thumb.webp" if thumbnails else colorway.result.format
            file = folder / f"{colorway.key}.{ending}"
            fetch_one(job_id, colorway.key, file)
            typer.echo(file)
            count += 1
    return count


def _end_as(job: Job) -> None:
    """Say what did not become a picture, and end with the exit code that tells of it."""
    for colorway in job.colorways:
        if colorway.error is not None and not colorway.result:
            _tell(f"{colorway.key}: {colorway.error.detail}")
    if job.status != "completed":
        _tell(f"the job {job.id} is {job.status}")
        raise typer.Exit(TROUBLE)


def _print(table: Table) -> None:
    Console(highlight=False).print(table)


def _tell(sentence: str) -> None:
    typer.echo(sentence, err=True)


def main(arguments: list[str]) -> int:
    """Run a command and return the exit code."""
    try:
        # Not standalone: that would answer a bad argument with a page instead of a line.
        code = commands(args=arguments or ["--help"], standalone_mode=False)
    except typer.TyperException as error:
        return _refuse(error.format_message(), WRONG)
    except ApiProblem as problem:
        is_ours = problem.status < 500 and not problem.retryable
        return _refuse(str(problem), WRONG if is_ours else TROUBLE)
    except ClientError as error:
        return _refuse(str(error), TROUBLE)
    except OSError as error:
        return _refuse(f"{error.filename}: {error.strerror}", TROUBLE)
    return code or 0


def _refuse(complaint: str, code: int) -> int:
    _tell(f"colorway: {complaint}")
    return code


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
