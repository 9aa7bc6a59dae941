"""The main job through both services, with nothing going wrong but the picture."""

from __future__ import annotations

import hashlib
from pathlib import Path

import requests

from colorway.client import Client, Job
from colorway.ledger.connection import Ledger
from demo.machine import Machine
from tests.journeys.travel import (
    SEVEN,
    TWO,
    a_broken_photo,
    a_photo,
    finished,
    stored_files,
    tasks_of,
)


def test_one_picture_in_seven_palettes(machine: Machine, client: Client, tmp_path: Path) -> None:
    job = client.submit(a_photo(tmp_path), SEVEN)

    done = finished(client, job)

    assert done.status == "completed"
    assert done.progress_percent == 100
    assert [colorway.key for colorway in done.colorways] == [
        palette.default_key() for palette in SEVEN
    ]
    fetched = [_fetched(client, done, colorway.key, tmp_path) for colorway in done.colorways]
    assert [hashlib.sha256(body).hexdigest() for body in fetched] == [
        colorway.result and colorway.result.sha256 for colorway in done.colorways
    ]
    assert len(set(fetched)) == 7
    assert len(stored_files(machine.data / "pictures")) == 1 + 2 * 7  # source, pictures, thumbnails


def test_seven_palettes_of_one_source_decode_it_once(
    machine: Machine, client: Client, tmp_path: Path
) -> None:
    finished(client, client.submit(a_photo(tmp_path, width=1200, height=900), SEVEN))

    metrics = requests.get(
        f"{machine.worker_url}/metrics", headers=machine.task_headers(), timeout=5
    ).text

    assert "source_decodes_total 1.0" in metrics
    assert 'colorways_total{status="completed"} 7.0' in metrics
    assert 'jobs_total{status="completed"} 1.0' in metrics


def test_a_source_that_cannot_be_decoded_fails_its_job_and_no_other(
    client: Client, tmp_path: Path
) -> None:
    broken = client.submit(a_broken_photo(tmp_path), SEVEN)
    healthy = client.submit(a_photo(tmp_path), TWO)

    failed, completed = finished(client, broken), finished(client, healthy)

    assert failed.status == "failed"
    assert failed.counts.failed == 7
    errors = {(c.error.code, c.error.phase) for c in failed.colorways if c.error}
    assert errors == {("image-undecodable", "decode")}
    assert completed.status == "completed"


def test_a_task_that_comes_twice_changes_nothing(
    machine: Machine, client: Client, its_ledger: Ledger, tmp_path: Path
) -> None:
    done = finished(client, client.submit(a_photo(tmp_path), SEVEN))
    before = stored_files(machine.data / "pictures")

    answers = [
        requests.post(
            f"{machine.worker_url}/internal/tasks/render",
            data=task.to_json(),
            headers=machine.task_headers(),
            timeout=5,
        ).status_code
        for task in tasks_of(its_ledger)
    ]

    assert answers == [204] * 7
    assert client.job(done.id) == done
    assert stored_files(machine.data / "pictures") == before


def _fetched(client: Client, job: Job, key: str, folder: Path) -> bytes:
    file = folder / f"{key}.png"
    client.fetch_image(job.id, key, file)
    return file.read_bytes()
