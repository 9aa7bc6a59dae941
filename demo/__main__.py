"""`python -m demo show` runs one job for real, `serve` keeps all running, `doctor` examines it."""

from __future__ import annotations

import signal
import sys
from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path
from tempfile import mkdtemp
from threading import Event
from typing import Annotated, NoReturn

import typer
from rich.console import Console

from colorway.client import ApiProblem, Client, ClientError, Job
from colorway.errors import InvalidRequest
from colorway.ledger.connection import address_of
from colorway.palette import CATALOGUE, Palette
from demo.baseline import seconds_one_after_another
from demo.contact_sheet import Frame, contact_sheet
from demo.doctors import see_doctors
from demo.interrupt import ctrl_c
from demo.machine import Machine, Ports, running_file
from demo.palette_file import read_palettes
from demo.production import production
from demo.screen import show_failures, show_times, watch
from demo.supervisor import DidNotStart, free_port

commands = typer.Typer(help=__doc__, no_args_is_help=True, add_completion=False)
console = Console()


@commands.command()
def show(
    image: Annotated[Path, typer.Argument(help="the picture to recolour")],
    out: Annotated[Path, typer.Option(help="folder for the results")] = Path("demo-output"),
    palettes: Annotated[
        Path | None, typer.Option(help="a JSON list of palettes instead of the built-in seven")
    ] = None,
) -> None:
    """Render one picture in many palettes, and watch."""
    image, out = image.expanduser(), out.expanduser()  # some shells leave IMAGE=~/… as it is
    if not image.is_file():
        _stop(f"there is no file {image}", code=2)
    try:
        wanted = CATALOGUE if palettes is None else read_palettes(palettes.expanduser())
    except InvalidRequest as error:
        _stop(error.detail, code=2)
    machine = Machine(Path(mkdtemp(prefix="colorway-demo-")))
    try:
        with ctrl_c() as check:
            job = _run_job(machine, image, wanted, out, check)
    except ApiProblem as problem:
        machine.remove()
        _stop(f"the dispatcher refused: {problem}", code=2)
    except KeyboardInterrupt:
        machine.remove()
        _stop("stopped", code=130)
    except (DidNotStart, ClientError) as error:
        _stop(f"{error}\nlogs: {machine.logs}", code=1)
    if job.status != "completed":
        show_failures(console, job)
        _stop(f"the job is {job.status}; logs: {machine.logs}", code=1)
    machine.remove()


Data = Annotated[
    Path | None,
    typer.Option(help="where ledger, queue and pictures are kept; `data`, or `data-prod`"),
]
Prod = Annotated[
    bool, typer.Option(help="as in the cloud: Postgres, three dispatcher processes, two workers")
]


@commands.command()
def serve(data: Data = None, prod: Prod = False) -> None:
    """Keep dispatcher, palette worker and local queue running until Ctrl-C.

    In production shape the ledger is the Postgres at DATABASE_URL, or one that lasts as long as
    this; pictures go to IMAGE_STORE, if that is set.
    """
    data = data or _data(prod)
    known = _key_in(data)
    stopping = Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stopping.set())
    ports = Ports(dispatcher=free_port(8000), worker=free_port(8001))
    try:
        made = production(data, ports) if prod else nullcontext(Machine(data, ports=ports))
        with made as machine, machine.running():
            _explain(machine, show_key=machine.api_key != known)
            machine.keep_alive(stopping, report=lambda what: console.print(what, style="yellow"))
    except DidNotStart as error:
        _stop(str(error), code=1)


@commands.command()
def doctor(data: Data = None, prod: Prod = False) -> None:
    """Ask the doctors of both services about the machine that runs from this folder."""
    data = data or _data(prod)
    if not running_file(data).exists():
        how = "`make run PROD=1`" if prod else "`make run`"
        _stop(f"nothing runs from {data}/; {how} starts it", code=2)
    sys.exit(see_doctors(running_file(data)))


def _run_job(
    machine: Machine,
    image: Path,
    palettes: tuple[Palette, ...],
    out: Path,
    check: Callable[[], None],
) -> Job:
    with machine.running(), Client(machine.dispatcher_url, machine.api_key) as client:
        console.print(f"{image} in {len(palettes)} palettes")
        job = watch(console, client, client.submit(image, palettes), check)
        if job.status == "completed":
            frames = _fetch(client, image, job, out)
    if job.status == "completed":
        sheet = out / "contact-sheet.png"
        contact_sheet(frames).save(sheet)
        show_times(console, job, one_after_another_s=seconds_one_after_another(image, palettes))
        console.print(f"Pictures: {out}/   Contact sheet: {sheet}", soft_wrap=True)
    return job


def _fetch(client: Client, image: Path, job: Job, out: Path) -> list[Frame]:
    out.mkdir(parents=True, exist_ok=True)
    frames = [Frame(image, "source")]
    for colorway in client.colorways(job.id):
        if colorway.result is not None:
            picture = out / f"{colorway.key}.{colorway.result.format}"
            client.fetch_image(job.id, colorway.key, picture)
            frames.append(Frame(picture, colorway.name, colorway.colors))
    return frames


def _explain(machine: Machine, *, show_key: bool) -> None:
    url, key_file = machine.dispatcher_url, machine.data / "api_key"
    known_key = f"\nAPI key     {machine.api_key} (shown once)" if show_key else ""
    shape = machine.shape
    console.print(
        f"""dispatcher  {url}, explained at {url}/docs{_several(shape.dispatchers)}
worker      {machine.worker_url}{_several(shape.workers)}
ledger      {address_of(machine.database_url)}
logs        {machine.logs}{known_key}

Try, in another terminal:
  KEY=$(cat {key_file})
  curl -H "Authorization: Bearer $KEY" {url}/v1/jobs \\
    -F image=@demo/pictures/coffee.jpg \\
    -F 'job={{"palettes": [{{"name": "Nord", "colors": ["#2e3440", "#88c0d0", "#eceff4"]}}]}}'
  curl -H "Authorization: Bearer $KEY" {url}/v1/jobs/ID
  curl -L -H "Authorization: Bearer $KEY" {url}/v1/jobs/ID/colorways/nord/image -o nord.png

Ctrl-C stops everything.""",
        markup=False,
        highlight=False,
        soft_wrap=True,
    )


def _several(processes: int) -> str:
    return f", {processes} processes" if processes > 1 else ""


def _data(prod: bool) -> Path:
    return Path("data-prod" if prod else "data")


def _key_in(data: Path) -> str | None:
    kept = data / "api_key"
    return kept.read_text().strip() if kept.exists() else None


def _stop(why: str, *, code: int) -> NoReturn:
    console.print(why, style="red", markup=False)
    sys.exit(code)


if __name__ == "__main__":
    commands()
