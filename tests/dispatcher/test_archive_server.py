"""Archives under gunicorn, on real sockets: broken off by either side, and never a false end."""

from __future__ import annotations

import socket
import subprocess
from collections.abc import Iterator
from datetime import UTC, datetime
from io import BytesIO
from pathlib import Path
from zipfile import ZipFile

import pytest
import requests
from tenacity import Retrying, retry_if_result, stop_after_delay, wait_fixed

from colorway.image_store.local_folder import LocalFolderStore
from colorway.ledger.accounts import caller_with
from colorway.ledger.connection import Ledger
from colorway.ledger.progress import all_colorways
from demo.machine import Machine
from tests.builders import a_job, an_image
from tests.dispatcher.finished_jobs import finish_with

MB = 1_000_000
PICTURES = {f"p{number}": bytes([number]) * (2 * MB) for number in range(15)}
"""More than what the sockets between two processes hold."""


class Sender:
    """A dispatcher that sends one archive at a time, and the job that it has pictures of."""

    def __init__(self, machine: Machine) -> None:
        self.machine = machine
        self.pictures = machine.data / "pictures"
        self.ledger = Ledger(machine.database_url)
        now = datetime.now(UTC)
        with self.ledger.transaction() as session:
            image = an_image(session, caller_with(session, machine.api_key, now=now).account)
            self.job, _ = a_job(session, tuple(PICTURES), image=image, now=now)
        store = LocalFolderStore(self.pictures, "k" * 32)
        finish_with(self.ledger, store, self.job, PICTURES, now=now)

    @property
    def url(self) -> str:
        return f"{self.machine.dispatcher_url}/v1/jobs/{self.job}/archive"

    @property
    def headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.machine.api_key}"}

    def get(self) -> requests.Response:
        return requests.get(self.url, headers=self.headers, timeout=30)

    def call(self) -> socket.socket:
        """Ask for the archive, read the first bytes of the answer and then no more."""
        call = socket.create_connection(("127.0.0.1", self.machine.ports.dispatcher), timeout=30)
        lines = [f"GET {self.url} HTTP/1.1", "Host: x", *map(": ".join, self.headers.items())]
        call.sendall("\r\n".join([*lines, "", ""]).encode())
        assert call.recv(12) == b"HTTP/1.1 200"
        return call

    def picture(self, position: int) -> Path:
        with self.ledger.reading() as session:
            return self.pictures / str(all_colorways(session, self.job)[position].rendition_key)


@pytest.fixture(scope="module")
def sender(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sender]:
    """Dispatcher and queue, without a worker."""
    machine = Machine(tmp_path_factory.mktemp("machine"), settings={"THREADS": "4"})
    sender = Sender(machine)
    try:
        machine.queue.start()
        machine.dispatcher.start()
        machine.queue.wait_until_ready()
        machine.dispatcher.wait_until_ready()
        yield sender
    finally:
        sender.ledger.dispose()
        machine.dispatcher.stop()
        machine.queue.stop()


def test_an_archive_comes_whole(sender: Sender) -> None:
    answer = sender.get()

    with ZipFile(BytesIO(answer.content)) as archive:
        assert archive.testzip() is None
        assert archive.namelist() == [*(f"{key}.png" for key in PICTURES), "manifest.json"]
    assert answer.headers["Content-Length"] == str(len(answer.content))


def test_a_connection_may_go_on_after_head(sender: Sender) -> None:
    with requests.Session() as calls:
        head = calls.head(sender.url, headers=sender.headers, timeout=30)
        answer = calls.get(sender.url, headers=sender.headers, timeout=30)

    assert head.headers["Content-Length"] == str(len(answer.content))


def test_while_a_client_reads_slowly_others_are_asked_to_come_back_and_served_later(
    sender: Sender,
) -> None:
    with sender.call():
        refused = sender.get()
        health = requests.get(f"{sender.machine.dispatcher_url}/health", timeout=5)
    served = eventually_served(sender)

    assert (refused.status_code, refused.headers["Retry-After"]) == (503, "2")
    assert health.ok
    assert len(served.content) == int(served.headers["Content-Length"])


def eventually_served(sender: Sender) -> requests.Response:
    """Return the archive once the server has seen that the one before is not wanted."""
    until_there_is_a_place = Retrying(
        retry=retry_if_result(lambda answer: answer.status_code == 503),
        wait=wait_fixed(0.02),
        stop=stop_after_delay(20),
    )
    return until_there_is_a_place(sender.get)


def test_a_store_in_trouble_midway_is_seen_by_every_client(sender: Sender, tmp_path: Path) -> None:
    broken = sender.picture(10)
    kept = broken.rename(tmp_path / "kept")
    broken.symlink_to(broken)  # whoever opens it, root too, is told of too many links

    with pytest.raises(requests.exceptions.ChunkedEncodingError):
        sender.get()
    header = f"Authorization: {sender.headers['Authorization']}"
    command = ["curl", "-sS", "-o", tmp_path / "short.zip", "-H", header, sender.url]
    curl = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603
    broken.unlink()
    kept.rename(broken)
    again = eventually_served(sender)

    assert curl.returncode == 18, curl.stderr  # a partial file
    assert (tmp_path / "short.zip").stat().st_size >= 10 * 2 * MB
    assert again.status_code == 200
