"""A dispatcher as a client meets it: real ledger, real folder, real local queue."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cached_property
from hashlib import sha256
from io import BytesIO
from pathlib import Path
from typing import Any
from uuid import UUID

from flask import Flask
from flask.testing import FlaskClient
from PIL import Image
from sqlalchemy import select
from werkzeug.test import TestResponse

from colorway.errors import NotFound
from colorway.image_store.local_folder import LocalFolderStore
from colorway.job import Priority
from colorway.ledger.accounts import ALL_SCOPES, Scope, issue_key, open_account
from colorway.ledger.connection import Ledger
from colorway.ledger.tables import Record, colorways, outbox
from dispatcher.app import Machinery, create_app
from dispatcher.remote_image import RemoteImages
from dispatcher.settings import Settings
from local_tasks.queue_settings import QueueSettings
from local_tasks.server import LocalTasks

QUEUES = "projects/test/locations/here/queues/colorway-{priority}"
CALLER = "tasks@colorway.test"
NOBODY = "http://127.0.0.1:9"
IDLE = QueueSettings(max_dispatches_per_second=1e-6, max_burst_size=1)
"""One task is sent at once, to nobody; the others lie in the queue to be looked at."""

Problem = dict[str, Any]


@dataclass
class Stage:
    """The app, its settings, an account with every scope, and a ledger of the test's own."""

    settings: Settings
    app: Flask
    ledger: Ledger
    account: UUID
    key: str
    headers: dict[str, str] = field(init=False)

    def __post_init__(self) -> None:
        self.headers = {"Authorization": f"Bearer {self.key}"}

    @cached_property
    def client(self) -> FlaskClient:
        return self.app.test_client()

    @property
    def machinery(self) -> Machinery:
        machinery: Machinery = self.app.extensions["machinery"]
        return machinery

    @property
    def store(self) -> LocalFolderStore:
        folder = Path(self.settings.image_store.removeprefix("file://"))
        return LocalFolderStore(folder, self.settings.link_signing_key.get_secret_value())

    def get(self, path: str, **options: Any) -> TestResponse:
        headers = self.headers | options.pop("headers", {})
        return self.client.get(path, headers=headers, **options)

    def follow(self, answer: TestResponse, **options: Any) -> TestResponse:
        """Go where the answer leads, without a key."""
        return self.client.get(answer.headers["Location"], buffered=True, **options)

    def post(self, path: str, **options: Any) -> TestResponse:
        headers = self.headers | options.pop("headers", {})
        return self.client.post(path, headers=headers, **options)

    def post_json(self, document: Any) -> TestResponse:
        return self.post("/v1/jobs", json=document)

    def post_bytes(self, body: bytes) -> TestResponse:
        return self.post("/v1/jobs", data=body, content_type="application/json")

    def post_parts(self, *parts: tuple[str, Any]) -> TestResponse:
        """Submit these parts: bytes become a file, a text a field."""
        return self.post("/v1/jobs", **multipart(*parts))

    def an_image(self, picture: bytes | None = None) -> str:
        """Upload a picture and return its id."""
        answer = self.post("/v1/images", data=picture or a_png(), content_type="image/png")
        assert answer.status_code in {200, 201}, answer.text
        return str(answer.json["id"])

    def announce(self, picture: bytes, **differs: Any) -> TestResponse:
        """Ask for a slot for this picture, or for one that differs in what is told."""
        told = {
            "filename": "a.png",
            "bytes": len(picture),
            "sha256": sha256(picture).hexdigest(),
            "content_type": "image/png",
        }
        return self.post("/v1/images", json=told | differs)

    def put(self, slot: dict[str, Any], body: bytes, **options: Any) -> TestResponse:
        """Put this into the slot of this answer, as a stranger to the API could."""
        how = slot["upload"]
        asked = {"method": how["method"], "headers": how["headers"], "data": body} | options
        return self.client.open(how["url"], **asked)

    def a_slot(self, picture: bytes, **differs: Any) -> str:
        """Return the id of a slot into which this picture has been put."""
        slot = self.announce(picture, **differs)
        assert slot.status_code == 201, slot.text
        assert self.put(slot.json, picture).status_code == 204
        return str(slot.json["id"])

    def confirm(self, slot: str, **options: Any) -> TestResponse:
        return self.post(f"/v1/images/{slot}/confirm", **options)

    def a_job(self, *names: str, **options: Any) -> dict[str, Any]:
        """Submit a job in palettes of these names and return its body."""
        document = {"image": {"id": self.an_image()}, "palettes": palettes(*names or ("nord",))}
        answer = self.post_json(document | options)
        assert answer.status_code == 202, answer.text
        body: dict[str, Any] = answer.json
        return body

    def a_key(self, *scopes: Scope, expires_at: datetime | None = None) -> dict[str, str]:
        """Return the headers of another key of the account."""
        with self.ledger.transaction() as session:
            key = issue_key(
                session, self.account, now=datetime.now(UTC), scopes=scopes, expires_at=expires_at
            )
        return {"Authorization": f"Bearer {key}"}

    def rows(self, job: str) -> list[Record]:
        """Return the job's colorways as the ledger has them."""
        wanted = colorways.c.job_id == UUID(job)
        with self.ledger.reading() as session:
            return list(
                session.execute(select(colorways).where(wanted).order_by(colorways.c.position))
            )

    def undelivered(self) -> list[Record]:
        with self.ledger.reading() as session:
            return list(session.execute(select(outbox).order_by(outbox.c.colorway_id)))

    def stored_keys(self) -> list[str]:
        return [found.key for found in self.store.list("")]

    def is_stored(self, key: str) -> bool:
        try:
            self.store.stat(key)
        except NotFound:
            return False
        return True


def settings_for(
    ledger: Ledger, folder: Path, queue: str = "127.0.0.1:9", **matters: Any
) -> Settings:
    """Return the settings of a dispatcher on this ledger, with its pictures in the folder."""
    return Settings(
        **{
            "database_pool": 1,  # so that no call may ask for a second while it keeps one
            "database_url": ledger.engine.url.render_as_string(hide_password=False),
            "image_store": (folder / "pictures").as_uri(),
            "link_signing_key": "k" * 32,
            "oidc_issuer": NOBODY,
            "oidc_certs_url": f"{NOBODY}/certs",
            "oidc_callers": [CALLER],
            "task_caller": CALLER,
            "task_queues": QUEUES,
            "cloud_tasks_emulator_host": queue,
            "worker_url": NOBODY,
            "dispatcher_url": NOBODY,
            **matters,
        }
    )


@contextmanager
def on_stage(
    ledger: Ledger,
    folder: Path,
    queue: str,
    *,
    remote_images: RemoteImages | None = None,
    **matters: Any,
) -> Iterator[Stage]:
    """Yield a dispatcher on this ledger and the queue at this address."""
    now = datetime.now(UTC)
    with ledger.transaction() as session:
        account = open_account(session, "studio", now=now)
        key = issue_key(session, account, now=now, scopes=ALL_SCOPES)
    settings = settings_for(ledger, folder, queue, **matters)
    app = create_app(settings, remote_images=remote_images)
    try:
        yield Stage(settings, app, ledger, account, key)
    finally:
        app.extensions["machinery"].close()


@contextmanager
def local_queue(folder: Path, settings: QueueSettings = IDLE) -> Iterator[LocalTasks]:
    """Yield a running local queue with the three queues."""
    names = [QUEUES.replace("{priority}", priority) for priority in Priority]
    with LocalTasks(folder / "queue.db", queues=dict.fromkeys(names, settings)) as tasks:
        yield tasks


def multipart(*parts: tuple[str, Any]) -> dict[str, Any]:
    """Return the body of a multipart request with just these parts, and its media type."""
    body = bytearray()
    for name, value in parts:
        is_file = isinstance(value, bytes)
        disposition = f'form-data; name="{name}"' + ('; filename="a.png"' if is_file else "")
        body += f"--limit\r\nContent-Disposition: {disposition}\r\n\r\n".encode()
        body += (value if is_file else value.encode()) + b"\r\n"
    body += b"--limit--\r\n"
    return {"data": bytes(body), "content_type": "multipart/form-data; boundary=limit"}


def palettes(*names: str) -> list[dict[str, Any]]:
    return [{"name": name, "colors": ["#000000", "#ffffff"]} for name in names]


def many_palettes(count: int) -> list[dict[str, Any]]:
    return palettes(*(f"palette {number}" for number in range(count)))


def a_job_part(**options: Any) -> str:
    return json.dumps({"palettes": palettes("nord")} | options)


def a_picture(
    kind: str = "png", size: tuple[int, int] = (8, 6), color: int = 0, **how: Any
) -> bytes:
    body = BytesIO()
    Image.new("RGB", size, (color % 256, color // 256, 90)).save(body, kind, **how)
    return body.getvalue()


def a_png(color: int = 0) -> bytes:
    return a_picture("png", color=color)


def flaws_of(answer: TestResponse) -> dict[str, str]:
    """Return the answer's flaws: where, and their code."""
    assert answer.status_code == 422, answer.text
    return {
        flaw.get("pointer") or flaw["parameter"]: flaw["code"]
        for flaw in answer.json.get("errors", ())
    }
