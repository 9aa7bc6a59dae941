"""Every call of the API, as a method."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from math import inf
from mimetypes import guess_type
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeVar, Unpack
from urllib.parse import quote
from uuid import uuid4

from colorway.client.answers import (
    Look,
    expecting,
    image_or_slot,
    link,
    look,
    reading,
    writing,
)
from colorway.client.bodies import (
    Body,
    Colorway,
    Estimate,
    Health,
    Image,
    Job,
    JobSummary,
    Page,
    QueueStats,
    SlotUpload,
)
from colorway.client.errors import ApiProblem, NotDoneInTime
from colorway.client.files import Picture, Stream, opened
from colorway.client.orders import (
    BYTES,
    JSON,
    ImageId,
    ImageUrl,
    JobOptions,
    json_bytes,
    order,
)
from colorway.client.wire import Content, Wire
from colorway.palette import Palette

HOLD_S = 20
"""So long the service is asked to hold an answer back until there is news."""

_COLORWAYS_PER_PAGE = 500

B = TypeVar("B", bound=Body)


class Client:
    """A service's address and an API key. Not for several threads: each takes its own.

    Every call raises ClientError. One that fails for a reason that may pass is repeated where that
    does no harm, as long as the next try begins within `patience_s` seconds. A try is given up
    when the service says nothing for `silence_s` seconds; it may well say nothing for 20 s while it
    fetches a picture, and for another 25 s if it is asked to hold the answer. `sleep` and `clock`
    are parameters so that tests need not wait.
    """

    def __init__(
        self,
        base_url: str,
        api_key: str,
        *,
        patience_s: float = 60,
        silence_s: float = 50,
        sleep: Callable[[float], None] = time.sleep,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Raise ValueError for what cannot be an address or a key."""
        if not base_url.startswith(("http://", "https://")):
            raise ValueError(f"{base_url!r} is no address: it begins with https:// or http://")
        if not (api_key.isascii() and api_key.isprintable() and api_key.strip()):
            raise ValueError("this is no API key: a key is a line of printable ASCII")
        self._sleep = sleep
        self._clock = clock
        self._wire = Wire(
            base_url.rstrip("/"),
            api_key.strip(),
            patience_s=patience_s,
            silence_s=silence_s,
            sleep=sleep,
            clock=clock,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections."""
        self._wire.close()

    def submit(
        self,
        image: Picture | ImageId | ImageUrl,
        palettes: Iterable[Palette | Mapping[str, Any]],
        *,
        idempotency_key: str | None = None,
        hold_s: int = 0,
        **options: Unpack[JobOptions],
    ) -> Job:
        """Submit one image in these palettes. However often it is sent, there is one job.

        With a key of your own, that is true across calls and processes, for a day. The service
        holds the answer for up to `hold_s` seconds, 25 at the most, if the job may be done by then.
        """
        headers = {"Idempotency-Key": idempotency_key or str(uuid4())}
        if hold_s:
            headers["Prefer"] = f"wait={hold_s}"
        return self._post_job(Job, image, palettes, options, headers=headers, params={})

    def estimate(
        self,
        image: Picture | ImageId | ImageUrl,
        palettes: Iterable[Palette | Mapping[str, Any]],
        **options: Unpack[JobOptions],
    ) -> Estimate:
        """Return what the same submission would make, and make nothing."""
        return self._post_job(
            Estimate, image, palettes, options, headers={}, params={"dry_run": "true"}
        )

    def jobs(
        self,
        *,
        status: str | None = None,
        created_after: datetime | None = None,
        created_before: datetime | None = None,
        page_size: int = 100,
    ) -> Iterator[JobSummary]:
        """Return the account's jobs, the newest first; pages are fetched as they are needed."""
        asked = {
            "limit": str(page_size),
            "status": status,
            "created_after": created_after and created_after.isoformat(),
            "created_before": created_before and created_before.isoformat(),
        }
        params = {name: value for name, value in asked.items() if value}
        return self._all(Page[JobSummary], "/v1/jobs", params)

    def job(self, job_id: str) -> Job:
        """Return the job as it is now."""
        return self._get(Job, _job(job_id))

    def wait(
        self,
        job_id: str,
        *,
        within_s: float = inf,
        on_progress: Callable[[Job], object] = lambda job: None,
    ) -> Job:
        """Return the job once it is done; call `on_progress` with it now and at each change.

        The service holds its answers until there is news; where it does not, it is asked as often
        as it likes to be. Raise NotDoneInTime after so many seconds.
        """
        ends_at = self._clock() + within_s
        job = self.job(job_id)
        on_progress(job)
        while not job.done:
            left_s = ends_at - self._clock()
            if left_s <= 0:
                raise NotDoneInTime(job, within_s=within_s)
            news = self._look(job, hold_s=int(min(HOLD_S, left_s)))
            if news.job is not None and news.job.version != job.version:
                job = news.job
                on_progress(job)
            if not job.done:
                self._sleep(min(news.pause_s, max(0.0, ends_at - self._clock())))
        return job

    def cancel(self, job_id: str) -> Job:
        """Cancel what has not ended; a job that is done stays as it is."""
        return self._wire.call("POST", f"{_job(job_id)}/cancel", reading(Job))

    def retry(self, job_id: str, keys: Sequence[str] | None = None) -> Job:
        """Render again what failed or was cancelled: these keys, or all.

        Not repeated where no answer came: what was reopened may have failed again since.
        """
        body = _json({} if keys is None else {"keys": list(keys)})
        path = f"{_job(job_id)}/retry"
        return self._wire.call("POST", path, reading(Job), is_idempotent=False, **body)

    def delete_job(self, job_id: str) -> None:
        """Delete a job that is done, and those of its pictures that no other job shares."""
        self._wire.delete(_job(job_id))

    def colorways(self, job_id: str, *, status: str | None = None) -> Iterator[Colorway]:
        """Return the job's colorways in the order of submission, however many there are."""
        params = {"limit": str(_COLORWAYS_PER_PAGE)} | ({"status": status} if status else {})
        return self._all(Page[Colorway], f"{_job(job_id)}/colorways", params)

    def colorway(self, job_id: str, key: str) -> Colorway:
        """Return one colorway of the job."""
        return self._get(Colorway, _colorway(job_id, key))

    def fetch_image(self, job_id: str, key: str, to: Path) -> None:
        """Write a finished picture to this file, whole or not at all."""
        self._follow(f"{_colorway(job_id, key)}/image", to)

    def fetch_thumbnail(self, job_id: str, key: str, to: Path) -> None:
        """Write a finished picture's thumbnail to this file, whole or not at all."""
        self._follow(f"{_colorway(job_id, key)}/image?thumbnail=1", to)

    def fetch_archive(self, job_id: str, to: Path) -> None:
        """Write a zip of all finished pictures and a manifest to this file, or nothing."""
        self._wire.call("GET", f"{_job(job_id)}/archive", writing(to))

    def upload(self, picture: Picture) -> Image:
        """Store a source, to use it in many jobs; the same bytes are the same image."""
        headers = {"Content-Type": BYTES}
        with opened(picture) as file:
            return self._wire.call(
                "POST", "/v1/images", reading(Image), data=Stream(file), headers=headers
            )

    def upload_by_slot(
        self, file: str | os.PathLike[str], *, content_type: str | None = None
    ) -> Image:
        """Store a source as `upload` does, but put it straight into the store: any size passes.

        The media type is told by the file's name, unless it is given.
        """
        path = Path(file)
        with path.open("rb") as opened_file:
            stream = Stream(opened_file)
            announced = {
                "filename": path.name,
                "bytes": len(stream),
                "sha256": stream.sha256(),
                "content_type": content_type or guess_type(path.name)[0] or BYTES,
            }
            found = self._wire.call("POST", "/v1/images", image_or_slot, **_json(announced))
            if isinstance(found, Image):
                return found  # these bytes are there already
            self._fill(found.upload, stream)
        return self._wire.call("POST", f"{_image(found.id)}/confirm", reading(Image))

    def image(self, image_id: str) -> Image:
        """Return what is known of a source."""
        return self._get(Image, _image(image_id))

    def delete_image(self, image_id: str) -> None:
        """Delete a source that no job refers to."""
        self._wire.delete(_image(image_id))

    def queue_stats(self) -> QueueStats:
        """Return how the queue does; for keys with the scope `admin`."""
        return self._get(QueueStats, "/v1/queue/stats")

    def health(self) -> Health:
        """Ask once whether the service answers."""
        return self._wire.call_once("/health", reading(Health))

    def ready(self) -> Health:
        """Ask once whether the service can do its work."""
        return self._wire.call_once("/ready", reading(Health))

    def _get(self, model: type[B], path: str, params: dict[str, str] | None = None) -> B:
        return self._wire.call("GET", path, reading(model), params=params or {})

    def _all(self, kind: type[Page[B]], path: str, params: dict[str, str]) -> Iterator[B]:
        page = self._get(kind, path, params)
        yield from page.data
        while page.next:
            page = self._get(kind, page.next)
            yield from page.data

    def _post_job(
        self,
        model: type[B],
        image: Picture | ImageId | ImageUrl,
        palettes: Iterable[Palette | Mapping[str, Any]],
        options: JobOptions,
        *,
        headers: dict[str, str],
        params: dict[str, str],
    ) -> B:
        with order(image, palettes, options) as (body, media_type):
            headers = headers | {"Content-Type": media_type}
            return self._wire.call(
                "POST", "/v1/jobs", reading(model), data=body, headers=headers, params=params
            )

    def _follow(self, path: str, to: Path) -> None:
        self._wire.follow("GET", self._wire.call("GET", path, link), writing(to))

    def _fill(self, slot: SlotUpload, picture: Stream) -> None:
        try:
            self._wire.follow(
                slot.method, slot.url, expecting(200, 201, 204), data=picture, headers=slot.headers
            )
        except ApiProblem as problem:
            # something lies there: what an unanswered try has put, or the confirmation will tell
            if problem.status not in {409, 412}:
                raise

    def _look(self, job: Job, *, hold_s: int) -> Look:
        headers = {"If-None-Match": f'W/"{job.version}"'}
        if hold_s:
            headers["Prefer"] = f"wait={hold_s}"
        return self._wire.call("GET", _job(job.id), look, headers=headers)


def _json(document: Mapping[str, Any]) -> Content:
    return Content(data=json_bytes(document), headers={"Content-Type": JSON})


def _job(job_id: str) -> str:
    return f"/v1/jobs/{quote(job_id, safe='')}"


def _colorway(job_id: str, key: str) -> str:
    return f"{_job(job_id)}/colorways/{quote(key, safe='')}"


def _image(image_id: str) -> str:
    return f"/v1/images/{quote(image_id, safe='')}"
