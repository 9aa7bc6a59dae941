"""The image store: an object of our own goes in, is found, read and followed, and goes away."""

from __future__ import annotations

import io
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from pathlib import Path
from time import perf_counter
from urllib.parse import unquote, urljoin, urlsplit
from uuid import uuid4

import requests

from colorway.doctor.clock import check_date_header
from colorway.doctor.finding import Finding, Findings, right, unseen, wrong
from colorway.errors import ColorwayError, Misconfigured, NotFound
from colorway.image_store import ImageStore, is_stored, open_store
from colorway.settings import StoreSettings

_BODY = b"put here by a doctor, who takes it away again"
_PATIENCE_S = 10
_FOLDER = "let the user that services run as write to the folder, and see that its disk has room"
_FAR = "see that the store is up and reachable from here; docs/stores.md has what it needs"


def check_store(settings: StoreSettings, *, dispatcher_url: str | None) -> Findings:
    """Look at the store, and follow a link where the dispatcher's URL is given: it gives them."""
    is_folder = settings.image_store.startswith("file:")
    fix = _FOLDER if is_folder else _FAR
    if is_folder and not (folder := Path(unquote(urlsplit(settings.image_store).path))).is_dir():
        yield wrong(
            "image store", f"there is no folder {folder}", fix="make it, or correct IMAGE_STORE"
        )
        return
    try:
        store = open_store(settings)
    except (ColorwayError, OSError) as error:
        yield _trouble("opened", error, fix)
        return
    key = f"doctor-{uuid4().hex}.png"  # beside the accounts, and in no folder that would stay
    try:
        yield from _tried(store, key, fix)
        if dispatcher_url is not None:
            yield from _link(store, key, dispatcher_url)
    finally:
        left_behind = _taken_away(store, key, fix)
    yield from left_behind


def _tried(store: ImageStore, key: str, fix: str) -> Findings:
    began = perf_counter()
    steps: dict[str, Callable[[], bool]] = {
        "put": lambda: _put(store, key),
        "found": lambda: store.stat(key).bytes == len(_BODY),
        "read": lambda: _read(store, key),
        "listed": lambda: [found.key for found in store.list(key)] == [key],
    }
    for step, holds in steps.items():
        try:
            if not holds():
                yield wrong("image store", f"an object is not {step} as it should be", fix=fix)
                return
        except (ColorwayError, OSError) as error:
            yield _trouble(step, error, fix)
            return
    took = (perf_counter() - began) * 1000
    yield right("image store", f"an object was {', '.join(steps)} in {took:.0f} ms")


def _link(store: ImageStore, key: str, dispatcher_url: str) -> Findings:
    what = "signed link"
    try:
        if not is_stored(store, key):
            yield unseen(what, "nothing is stored that it could lead to")
            return
        link = store.signed_url(key, expires_in=timedelta(minutes=1), download_name="doctor.png")
    except (ColorwayError, OSError) as error:
        yield _trouble("given a signed link", error, "docs/stores.md has what signing takes")
        return
    is_ours = link.startswith("/")
    whose = "dispatcher" if is_ours else "image store"
    try:
        answer = requests.get(urljoin(dispatcher_url, link), timeout=_PATIENCE_S)
    except requests.RequestException as error:
        said = f"no {whose} answers where it leads ({type(error).__name__})"
        start = "start the dispatcher, or correct DISPATCHER_URL"
        yield unseen(what, said, fix=start if is_ours else "reach the internet from here")
        return
    ours = datetime.now(UTC)
    if answer.ok and answer.content == _BODY:
        yield right(what, f"leads to the object, at the {whose}")
    else:
        keys = "give every process the same LINK_SIGNING_KEY and IMAGE_STORE"
        said = f"the {whose} answers {answer.status_code} instead of the object"
        yield wrong(what, said, fix=keys if is_ours else "docs/stores.md has what signing takes")
    yield check_date_header(whose, answer.headers.get("Date"), ours=ours)


def _taken_away(store: ImageStore, key: str, fix: str) -> list[Finding]:
    try:
        store.delete(key)
        is_left = is_stored(store, key)
    except (ColorwayError, OSError) as error:
        return [_trouble("deleted", error, fix)]
    return [wrong("image store", f"{key} cannot be deleted", fix=fix)] if is_left else []


def _put(store: ImageStore, key: str) -> bool:
    digest = sha256(_BODY).hexdigest()
    store.put(key, io.BytesIO(_BODY), size=len(_BODY), sha256=digest, media_type="image/png")
    return True


def _read(store: ImageStore, key: str) -> bool:
    with store.open(key) as body:
        return body.read() == _BODY


def _trouble(step: str, error: Exception, fix: str) -> Finding:
    if isinstance(error, NotFound):
        return wrong("image store", f"an object that was put is not there to be {step}", fix=fix)
    advice = error.advice if isinstance(error, Misconfigured) else ""
    return wrong("image store", f"nothing can be {step}: {error}", fix=advice or fix)
