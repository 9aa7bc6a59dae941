"""`python -m colorway` as a person uses it: sentences and exit codes, never a stack trace."""

from __future__ import annotations

import json
import os
import socket
from collections.abc import Callable, Iterator
from pathlib import Path
from uuid import UUID
from zipfile import ZipFile

import pytest
from sqlalchemy import select
from structlog.testing import capture_logs

from colorway.__main__ import MOST_IN_ONE_REQUEST, main
from colorway.client import Client, Job
from colorway.ledger.tables import upload_slots
from tests.colorway.service import rendered
from tests.dispatcher.stage import Stage, a_png, palettes

Command = Callable[..., tuple[int, str, str]]


@pytest.fixture
def command(
    url: str, stage: Stage, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Iterator[Command]:
    """Run a command; return its exit code, and what it wrote to stdout and stderr."""
    monkeypatch.setenv("COLORWAY_URL", url)
    monkeypatch.setenv("COLORWAY_API_KEY", stage.key)
    monkeypatch.setenv("COLUMNS", "200")

    def run(*arguments: str | Path) -> tuple[int, str, str]:
        code = main([str(argument) for argument in arguments])
        return (code, *capsys.readouterr())

    with capture_logs():  # the dispatcher's, which would write to the same stdout
        yield run


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    file = tmp_path / "photo.png"
    file.write_bytes(a_png())
    return file


@pytest.fixture
def nord(tmp_path: Path) -> Path:
    return written(tmp_path, palettes("nord"))


def written(folder: Path, document: object) -> Path:
    file = folder / "palettes.json"
    file.write_text(document if isinstance(document, str) else json.dumps(document))
    return file


def a_finished_job(client: Client, stage: Stage) -> Job:
    job = client.submit(a_png(), palettes("nord", "ink"))
    rendered(stage, job, "nord", "ink")
    return job


def test_submit_prints_the_jobs_id_and_nothing_else(
    command: Command, client: Client, photo: Path, nord: Path
) -> None:
    code, out, err = command("submit", photo, nord)

    assert (code, err) == (0, "")
    assert [job.id for job in client.jobs()] == [out.strip()]


def test_a_job_document_brings_all_its_options(
    command: Command, client: Client, photo: Path, tmp_path: Path
) -> None:
    document = {"palettes": palettes("nord"), "priority": "low", "metadata": {"for": "spring"}}

    code, out, _ = command("submit", photo, written(tmp_path, document))

    job = client.job(out.strip())
    assert (code, job.priority, job.metadata) == (0, "low", {"for": "spring"})


def test_an_image_may_be_named_by_its_id(command: Command, client: Client, nord: Path) -> None:
    image = client.upload(a_png())

    code, out, _ = command("submit", image.id, nord)

    assert (code, client.job(out.strip()).image.id) == (0, image.id)


def test_what_is_done_already_is_shown_and_fetched(
    command: Command, client: Client, stage: Stage, tmp_path: Path
) -> None:
    job = a_finished_job(client, stage)

    waited, _, progress = command("wait", job.id)
    fetched, files, _ = command("fetch", job.id, "--out", tmp_path / "out" / "pictures")

    assert (waited, fetched) == (0, 0)
    assert "completed, 100 %: 2 completed" in progress
    folder = tmp_path / "out" / "pictures"
    assert files.split() == [str(folder / "nord.png"), str(folder / "ink.png")]
    assert sorted(file.name for file in folder.iterdir()) == ["ink.png", "nord.png"]


def test_thumbnails_are_fetched_beside_pictures(
    command: Command, client: Client, stage: Stage, tmp_path: Path
) -> None:
    job = a_finished_job(client, stage)

    code, files, _ = command("fetch", job.id, "--out", tmp_path, "--thumbnails")

    assert code == 0
    assert files.split() == [str(tmp_path / f"{key}.thumb.webp") for key in ("nord", "ink")]


def test_an_archive_is_one_file(
    command: Command, client: Client, stage: Stage, tmp_path: Path
) -> None:
    job = a_finished_job(client, stage)

    code, out, _ = command("archive", job.id, tmp_path / "new" / "all.zip")

    assert (code, out) == (0, f"{tmp_path / 'new' / 'all.zip'}\n")
    with ZipFile(tmp_path / "new" / "all.zip") as archive:
        assert archive.testzip() is None


def test_an_estimate_submits_nothing(
    command: Command, client: Client, photo: Path, nord: Path
) -> None:
    code, out, _ = command("estimate", photo, nord)

    assert (code, out) == (0, "palettes: 1, of which rendered before: 0\n")
    assert list(client.jobs()) == []


def test_what_is_too_large_for_one_request_goes_straight_to_the_store(
    command: Command, client: Client, stage: Stage, nord: Path, tmp_path: Path
) -> None:
    large = tmp_path / "large.png"
    large.write_bytes(a_png())
    os.truncate(large, MOST_IN_ONE_REQUEST + 1)  # nothing, behind the picture's end

    code, out, _ = command("submit", large, nord)

    image = client.job(out.strip()).image
    assert (code, image.bytes) == (0, MOST_IN_ONE_REQUEST + 1)
    with stage.ledger.reading() as session:
        assert session.scalars(select(upload_slots.c.image_id)).all() == [UUID(image.id)]


def test_show_tells_of_each_palette(command: Command, client: Client, stage: Stage) -> None:
    job = a_finished_job(client, stage)

    code, out, _ = command("show", job.id)
    as_json, document, _ = command("show", job.id, "--json")

    assert (code, as_json) == (0, 0)
    assert "png 64x48, 9 B" in out
    assert json.loads(document)["counts"]["completed"] == 2


def test_list_shows_the_newest_first(command: Command, client: Client) -> None:
    jobs = [client.submit(a_png(), palettes("nord")).id for _ in range(3)]
    client.cancel(jobs[0])

    code, out, _ = command("list", "--limit", "2")
    _, cancelled, _ = command("list", "--status", "cancelled", "--json")

    assert code == 0
    assert [line.split()[0] for line in out.splitlines() if "pending" in line] == jobs[:0:-1]
    assert [job["id"] for job in json.loads(cancelled)] == [jobs[0]]


def test_cancel_retry_delete(command: Command, client: Client) -> None:
    job = client.submit(a_png(), palettes("nord", "ink"))

    _, _, cancelled = command("cancel", job.id)
    ended, _, told = command("wait", job.id)
    _, _, one = command("retry", job.id, "ink")
    _, _, everything = command("retry", job.id)
    command("cancel", job.id)
    deleted, _, _ = command("delete", job.id)

    assert "2 cancelled" in cancelled
    assert ended == 1
    assert f"the job {job.id} is cancelled" in told
    assert "1 pending" in one
    assert "2 pending" in everything
    assert deleted == 0
    assert list(client.jobs()) == []


def test_a_wait_may_end_before_its_job(command: Command, client: Client) -> None:
    job = client.submit(a_png(), palettes("nord"))

    code, _, err = command("wait", job.id, "--within", "0")

    assert code == 1
    assert err.splitlines()[-1] == (
        f"colorway: the job {job.id} is not done after 0 s: it is pending, 0 %"
    )


def test_nothing_finished_is_nothing_to_fetch(
    command: Command, client: Client, tmp_path: Path
) -> None:
    job = client.submit(a_png(), palettes("nord"))

    code, out, err = command("fetch", job.id, "--out", tmp_path)

    assert (code, out) == (1, "")
    assert "no picture" in err


def test_what_the_service_refuses_is_said_in_one_line(
    command: Command, photo: Path, tmp_path: Path
) -> None:
    wrong = [{"name": "Nord", "colors": ["#12", "#fff"]}]

    code, out, err = command("submit", photo, written(tmp_path, wrong))

    assert (code, out) == (2, "")
    assert err.startswith("colorway: 422 validation: ")
    assert "#/palettes/0/colors/0: '#12' is not a colour" in err
    assert len(err.splitlines()) == 1


@pytest.mark.parametrize(
    ("document", "complaint"),
    [
        ("not JSON", "is not JSON"),
        ('{"palettes": [1e999]}', "is not JSON"),
        ("[" * 100_000, "is not JSON"),
        ("{}", "neither a list of palettes nor has it one"),
        ('{"palettes": {}}', "neither a list of palettes nor has it one"),
        ('{"palettes": [], "priorty": "low"}', "has no member 'priorty'; it has palettes, render"),
        ('{"palettes": [], "hold_s": 3}', "has no member 'hold_s'"),
    ],
)
def test_a_palette_file_that_is_none_is_refused_before_anything_is_sent(
    command: Command, photo: Path, tmp_path: Path, document: str, complaint: str
) -> None:
    code, out, err = command("submit", photo, written(tmp_path, document))

    assert (code, out) == (2, "")
    assert complaint in err


def test_files_that_are_not_there(command: Command, photo: Path, nord: Path) -> None:
    no_picture = command("submit", "nowhere.png", nord)
    no_palettes = command("submit", photo, "nowhere.json")

    assert no_picture == (
        2,
        "",
        "colorway: there is no file nowhere.png, and it is neither an address nor an image's id\n",
    )
    assert no_palettes == (
        2,
        "",
        "colorway: nowhere.json cannot be read: No such file or directory\n",
    )


def test_a_folder_that_cannot_be_written_is_named(
    command: Command, client: Client, stage: Stage, tmp_path: Path
) -> None:
    job = a_finished_job(client, stage)
    (tmp_path / "file").touch()

    code, _, err = command("fetch", job.id, "--out", tmp_path / "file")

    assert (code, err) == (1, f"colorway: {tmp_path / 'file'}: File exists\n")


def test_a_job_that_is_not_there(command: Command) -> None:
    code, _, err = command("show", "0198")

    assert code == 2
    assert err.startswith("colorway: 404 not-found: ")


def test_a_service_that_is_not_there(command: Command) -> None:
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{nobody.getsockname()[1]}"

        code, _, err = command("--url", f"http://{address}", "--patience", "0", "list")

    assert code == 1
    assert err == f"colorway: no whole answer from {address}: [Errno 111] Connection refused\n"


def test_no_key(command: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("COLORWAY_API_KEY")

    code, _, err = command("list")

    assert code == 2
    assert "set COLORWAY_API_KEY" in err


def test_a_key_from_a_file(
    command: Command, stage: Stage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("COLORWAY_API_KEY")
    (tmp_path / "key").write_text(f"{stage.key}\n")

    code, _, _ = command("--key-file", tmp_path / "key", "list")
    wrong, _, err = command("--key-file", tmp_path, "list")

    assert (code, wrong) == (0, 2)
    assert "cannot be read" in err


def test_an_address_that_is_none(command: Command) -> None:
    code, _, err = command("--url", "localhost:8000", "list")

    assert code == 2
    assert "'localhost:8000' is no address" in err


@pytest.mark.parametrize("arguments", [["shw"], ["show"], ["wait", "x", "--within", "soon"]])
def test_a_call_that_is_wrong_is_told_in_one_line(command: Command, arguments: list[str]) -> None:
    code, _, err = command(*arguments)

    assert code == 2
    assert err.startswith("colorway: ")
    assert len(err.splitlines()) == 1


def test_help_needs_no_key(command: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("COLORWAY_API_KEY")

    bare, general, _ = command()
    code, special, _ = command("submit", "--help")

    assert (bare, code) == (0, 0)
    assert "Download a job's finished pictures" in general
    assert "PALETTES" in special
