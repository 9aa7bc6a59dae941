"""The calls of one client over HTTP. Every answer is written down as it was told."""

from __future__ import annotations

import hashlib
import json
from typing import Any

import requests

from chaos.diary import Diary
from chaos.orders import Order

_CONNECT_S, _READ_S = 2, 9  # a client's patience, not the service's

Answer = requests.Response
Job = dict[str, Any]


class Wire:
    """A dispatcher's address, a key, and a diary; one per thread."""

    def __init__(self, base_url: str, api_key: str, diary: Diary, *, client: int) -> None:
        self._base_url = base_url
        self._diary = diary
        self._client = client
        self._session = requests.Session()
        self._session.headers["Authorization"] = f"Bearer {api_key}"

    def upload(self, order: Order) -> str | None:
        """Send the picture; return the image's id, or None where there was no such answer."""
        answer = self._call(
            "upload", "POST", "/v1/images", order=order.key, data=order.picture.body
        )
        return str(answer.json()["id"]) if answer is not None and answer.ok else None

    def submit(self, order: Order, image: str | None) -> Job | None:
        """Send the job under its key; return it once it is accepted."""
        headers = {"Idempotency-Key": order.key}
        if image is not None:
            document = order.document | {"image": {"id": image}}
            answer = self._call(
                "submit", "POST", "/v1/jobs", order=order.key, json=document, headers=headers
            )
        else:
            parts: dict[str, Any] = {
                "image": ("picture.png", order.picture.body, "image/png"),
                "job": (None, json.dumps(order.document), "application/json"),
            }
            answer = self._call(
                "submit", "POST", "/v1/jobs", order=order.key, files=parts, headers=headers
            )
        return self._job("submit", answer, order=order.key)

    def poll(self, job: str, *, version: int | None) -> Job | None:
        """Ask for the job; with a version, only for what is newer. None: nothing was told."""
        headers = {} if version is None else {"If-None-Match": f'W/"{version}"'}
        answer = self._call("poll", "GET", f"/v1/jobs/{job}", job=job, headers=headers)
        if answer is not None and answer.status_code == requests.codes.not_modified:
            self._note("unchanged", job=job, version=version)
            return None
        return self._job("poll", answer)

    def cancel(self, job: str) -> Job | None:
        """Cancel the job; return it."""
        return self._job("cancel", self._call("cancel", "POST", f"/v1/jobs/{job}/cancel", job=job))

    def retry(self, job: str) -> Job | str | None:
        """Retry what failed or was cancelled; return the job, or why there is nothing to retry."""
        answer = self._call("retry", "POST", f"/v1/jobs/{job}/retry", job=job, json={})
        if answer is not None and answer.status_code == requests.codes.conflict:
            return str(_code(answer))
        return self._job("retry", answer)

    def fetch(self, job: str, colorway: Job, *, thumbnail: bool) -> bool:
        """Fetch a picture by its link; whether one came, right or wrong."""
        url = colorway["thumbnail_url"] if thumbnail else colorway["image_url"]
        answer = self._call("picture", "GET", url, job=job, allow_redirects=False)
        if answer is None or answer.status_code != requests.codes.temporary_redirect:
            return False
        picture = self._call("picture", "GET", answer.headers["Location"], job=job)
        if picture is None or not picture.ok:
            return False
        self._note(
            "picture",
            job=job,
            key=colorway["key"],
            thumbnail=thumbnail,
            told=None if thumbnail else colorway["result"]["sha256"],
            sha256=hashlib.sha256(picture.content).hexdigest(),
            bytes=len(picture.content),
        )
        return True

    def close(self) -> None:
        """Close the connections."""
        self._session.close()

    def _job(self, asked: str, answer: Answer | None, **facts: Any) -> Job | None:
        if answer is None or not answer.ok:
            return None
        job: Job = answer.json()
        self._note(
            "told",
            asked=asked,
            job=job["id"],
            http=answer.status_code,
            replayed=answer.headers.get("Idempotency-Replayed") == "true",
            version=job["version"],
            status=job["status"],
            done=job["done"],
            percent=job["progress_percent"],
            counts=job["counts"],
            colorways={
                colorway["key"]: [colorway["status"], (colorway["result"] or {}).get("sha256")]
                for colorway in job["colorways"]
            },
            **facts,
        )
        return job

    def _call(
        self,
        asked: str,
        method: str,
        path: str,
        *,
        job: str | None = None,
        order: str | None = None,
        **how: Any,
    ) -> Answer | None:
        """Return the answer, or None if none came; errors are written down."""
        url = self._base_url + path
        try:
            answer = self._session.request(method, url, timeout=(_CONNECT_S, _READ_S), **how)
        except requests.RequestException as error:
            self._note("silence", asked=asked, job=job, order=order, why=type(error).__name__)
            return None
        if answer.status_code >= requests.codes.bad_request:
            self._note(
                "refused",
                asked=asked,
                job=job,
                order=order,
                http=answer.status_code,
                type=answer.headers.get("Content-Type", ""),
                code=_code(answer),
                body=answer.text[:300],
            )
        return answer

    def _note(self, event: str, **facts: Any) -> None:
        self._diary.note(event, client=self._client, **facts)


def _code(answer: Answer) -> str | None:
    try:
        return str(answer.json()["code"])
    except (ValueError, KeyError, TypeError):
        return None
