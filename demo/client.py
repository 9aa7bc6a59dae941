"""The REST calls that the demo makes, as any client would."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import requests

from colorway.palette import Palette

Job = dict[str, Any]


class Client:
    """A dispatcher's base URL and an API key."""

    def __init__(self, base_url: str, api_key: str) -> None:
        self._base_url = base_url
        self._session = requests.Session()
        self._session.headers["Authorization"] = f"Bearer {api_key}"

    def submit(self, image: Path, palettes: Iterable[Palette], **options: Any) -> Job:
        """Submit the picture in these palettes; options are other members of the job document."""
        wanted = [{"name": palette.name, "colors": palette.colors} for palette in palettes]
        document = json.dumps({"palettes": wanted} | options)
        with image.open("rb") as file:
            parts: dict[str, Any] = {
                "image": (image.name, file, "application/octet-stream"),
                "job": (None, document, "application/json"),
            }
            return self._read(self._session.post(f"{self._base_url}/v1/jobs", files=parts))

    def job(self, job_id: str) -> Job:
        """Return the job as it is now."""
        return self._read(self._session.get(f"{self._base_url}/v1/jobs/{job_id}"))

    def fetch(self, image_url: str, to: Path) -> None:
        """Write a finished picture to this file, whole or not at all."""
        answer = self._session.get(self._base_url + image_url)
        self._refuse(answer)
        unfinished = to.with_name(f".{to.name}.unfinished")
        unfinished.write_bytes(answer.content)
        unfinished.replace(to)

    def close(self) -> None:
        """Close the connections."""
        self._session.close()

    def _read(self, answer: requests.Response) -> Job:
        self._refuse(answer)
        job: Job = answer.json()
        return job

    def _refuse(self, answer: requests.Response) -> None:
        if not answer.ok:
            raise CallFailed(answer)


class CallFailed(Exception):
    """The dispatcher refused; the message is its problem, in one line."""

    def __init__(self, answer: requests.Response) -> None:
        try:
            problem = answer.json()
        except ValueError:
            problem = {"detail": answer.text[:200]}
        flaws = [f"{flaw['pointer']}: {flaw['detail']}" for flaw in problem.get("errors", ())]
        super().__init__("; ".join([f"{answer.status_code} {problem.get('detail', '')}", *flaws]))
