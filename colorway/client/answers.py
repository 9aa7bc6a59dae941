"""What is made of answers: a value, a file, a problem; and of one in other words, an error."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar
from urllib.parse import urljoin, urlsplit

import requests
from pydantic import ValidationError

from colorway.client.bodies import Body, Image, Job, Problem, Slot
from colorway.client.errors import ApiProblem, UnexpectedAnswer
from colorway.client.files import CHUNK, write_whole

LEAST_PAUSE_S = 0.1  # between two looks at a busy job: what is faster helps nobody
_POLL_EVERY_S = 2.0  # where an answer does not say
_MAY_PASS = {429, 502, 503, 504}  # of a proxy, which does not say

Answer = requests.Response
B = TypeVar("B", bound=Body)
T = TypeVar("T")
Reader = Callable[[Answer], T]


def reading(model: type[B]) -> Reader[B]:
    """Return what makes a value of this model of an answer."""

    def read(answer: Answer) -> B:
        _require(answer, 200, 201, 202)
        try:
            return model.model_validate_json(answer.content)
        except ValidationError as error:
            flaw = error.errors()[0]
            place = "/".join(map(str, flaw["loc"])) or "the whole"
            what = f"{_shown(answer.url)} answers with no {model.__name__}"
            raise UnexpectedAnswer(f"{what}: {place}: {flaw['msg']}") from None

    return read


def writing(file: Path) -> Reader[None]:
    """Return what writes an answer to this file, whole or not at all."""

    def read(answer: Answer) -> None:
        _require(answer, 200)
        write_whole(file, answer.iter_content(CHUNK))

    return read


def expecting(*statuses: int) -> Reader[None]:
    """Return what reads nothing but the status of an answer."""
    return lambda answer: _require(answer, *statuses)


def link(answer: Answer) -> str:
    """Return where the answer leads."""
    _require(answer, 307)
    return urljoin(answer.url, answer.headers["Location"])


def image_or_slot(answer: Answer) -> Image | Slot:
    """Return the image of these bytes, or where to put them."""
    return reading(Slot)(answer) if answer.status_code == 201 else reading(Image)(answer)


@dataclass(frozen=True, slots=True)
class Look:
    """A job as one look has shown it, None where it has not changed; and when to look again."""

    job: Job | None
    pause_s: float


def look(answer: Answer) -> Look:
    """Return what there is to see."""
    _require(answer, 200, 304)
    was_held = "wait=" in answer.headers.get("Preference-Applied", "")
    pause_s = LEAST_PAUSE_S if was_held else _retry_after_s(answer) or _POLL_EVERY_S
    return Look(None if answer.status_code == 304 else reading(Job)(answer), pause_s)


def problem_in(answer: Answer) -> ApiProblem:
    """Return what went wrong; a proxy, or another kind of server, has words of its own."""
    try:
        problem = Problem.model_validate_json(answer.content)
    except ValidationError:
        problem = Problem(
            status=answer.status_code,
            code="unknown",
            detail=f"{host(answer.url)} says {answer.reason!r}, not in words of this API",
            retryable=answer.status_code in _MAY_PASS,
        )
    return ApiProblem(problem, retry_after_s=_retry_after_s(answer))


def host(url: str) -> str:
    """Return the part of a URL that may be shown to anyone, and says whom it was about."""
    return urlsplit(url).netloc.rpartition("@")[2]


def _shown(url: str) -> str:
    """Return the URL without its query, which may be what opens a door."""
    return urlsplit(url)._replace(query="", fragment="").geturl()


def _require(answer: Answer, *statuses: int) -> None:
    if answer.status_code not in statuses:
        to = answer.headers.get("Location")
        what = str(answer.status_code) + (f" and leads to {_shown(to)}" if to else "")
        raise UnexpectedAnswer(f"{_shown(answer.url)} answers {what}: is that the service?")


def _retry_after_s(answer: Answer) -> float | None:
    """Return the seconds of `Retry-After`; a date there, which ours never is, says nothing."""
    text = answer.headers.get("Retry-After", "")
    return float(text) if text.isascii() and text.isdigit() else None
