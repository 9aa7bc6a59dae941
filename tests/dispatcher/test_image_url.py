"""A job may name its picture by a URL; what goes wrong on the way leaves nothing behind."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator
from sqlalchemy import func, select

from colorway.ledger.connection import Ledger
from colorway.ledger.quotas import set_quotas
from colorway.ledger.tables import colorways, idempotency_keys, images, jobs, outbox
from dispatcher.remote_image import RemoteImages
from local_tasks.server import LocalTasks
from tests.dispatcher.source_host import HOST, Names, SourceHost, answer, remote_images, said
from tests.dispatcher.stage import Stage, a_job_part, a_png, flaws_of, on_stage, palettes
from tests.dispatcher.test_idempotency_in_flight import Desk

BOTH = {"id": "01980000-0000-7000-8000-000000000000", "url": "https://cdn.example/"}


@pytest.fixture
def names() -> Names:
    return Names()


@pytest.fixture
def remote(host: SourceHost, names: Names) -> RemoteImages:
    return remote_images(host, resolve=names, max_bytes=1000)


@pytest.fixture
def stage(
    sqlite_ledger: Ledger, tmp_path: Path, idle_queue: LocalTasks, remote: RemoteImages
) -> Iterator[Stage]:
    """A dispatcher that may fetch from the host, and nowhere else."""
    queue = idle_queue.grpc_address
    with on_stage(sqlite_ledger, tmp_path, queue, remote_images=remote) as stage:
        yield stage


@pytest.fixture
def stage_on_each(
    ledger: Ledger, tmp_path: Path, idle_queue: LocalTasks, remote: RemoteImages
) -> Iterator[Stage]:
    """The same on each database in turn."""
    queue = idle_queue.grpc_address
    with on_stage(ledger, tmp_path, queue, remote_images=remote) as stage:
        yield stage


def submitted(stage: Stage, url: object, key: str | None = None, **options: object):
    headers = {"Idempotency-Key": key} if key else {}
    document = {"image": {"url": url}, "palettes": palettes("nord")} | options
    return stage.post("/v1/jobs", json=document, headers=headers)


def recorded(stage: Stage) -> dict[str, int]:
    tables = (jobs, colorways, outbox, images, idempotency_keys)
    with stage.ledger.reading() as session:
        return {
            table.name: count
            for table in tables
            if (count := session.scalar(select(func.count()).select_from(table)))
        }


def test_a_job_with_the_url_of_its_picture_is_accepted(stage_on_each, host):
    stage = stage_on_each
    answered = submitted(stage, host.has())

    job = answered.json
    assert answered.status_code == 202
    assert (job["image"]["width"], job["image"]["height"], job["image"]["format"]) == (8, 6, "png")
    assert job["image"]["bytes"] == len(a_png())
    assert stage.get(f"/v1/images/{job['image']['id']}").status_code == 200
    with stage.ledger.reading() as session:
        key = session.scalar(select(images.c.key))
    with stage.store.open(key) as stored:
        assert stored.read() == a_png()


def test_the_same_bytes_are_the_same_image_however_they_come(stage, host):
    uploaded = stage.an_image()

    fetched = submitted(stage, host.has("/a.png")).json["image"]["id"]
    elsewhere = submitted(stage, host.has("/b.png")).json["image"]["id"]
    sent = stage.post_parts(("image", a_png()), ("job", a_job_part())).json["image"]["id"]

    assert uploaded == fetched == elsewhere == sent
    assert len(stage.stored_keys()) == 1


def test_a_repeated_submission_fetches_nothing(stage_on_each, host, names):
    stage = stage_on_each
    url = host.has()

    first = submitted(stage, url, "once")
    host.answers[url] = said("HTTP/1.1 404 Gone")
    again = submitted(stage, url, "once")

    assert (again.status_code, again.json["id"]) == (202, first.json["id"])
    assert again.headers["Idempotency-Replayed"] == "true"
    assert (host.paths(), names.asked) == (["/a.png"], [HOST])


@pytest.mark.parametrize("quota", ["max_pending", "max_stored_bytes"])
def test_nothing_is_fetched_for_an_account_that_is_full(stage_on_each, host, names, quota):
    stage = stage_on_each
    stage.an_image()
    with stage.ledger.transaction() as session:
        set_quotas(session, stage.account, {quota: 0})

    refused = submitted(stage, host.has("/other.png"))

    assert (refused.status_code, refused.json["code"]) == (429, "quota-exceeded")
    assert (host.paths(), names.asked) == ([], [])


def test_a_dry_run_fetches_the_picture_and_keeps_nothing(stage, host):
    document = {"image": {"url": host.has()}, "palettes": palettes("nord")}

    answered = stage.post("/v1/jobs?dry_run=true", json=document)

    assert (answered.status_code, answered.json["image"]["width"]) == (200, 8)
    assert (host.paths(), recorded(stage), stage.stored_keys()) == (["/a.png"], {}, [])


def test_a_dry_run_tells_what_cannot_be_fetched(stage, host):
    document = {"image": {"url": host.url()}, "palettes": palettes("nord")}
    host.answers["/a.png"] = said("HTTP/1.1 404 Not Found")

    answered = stage.post("/v1/jobs?dry_run=true", json=document)

    assert (answered.status_code, answered.json["code"]) == (422, "source-unreachable")


def test_another_url_is_another_request(stage_on_each, host):
    stage = stage_on_each
    submitted(stage, host.has("/a.png"), "once")

    other = submitted(stage, host.has("/b.png"), "once")

    assert (other.status_code, other.json["code"]) == (422, "idempotency-mismatch")
    assert host.paths() == ["/a.png"]


def test_without_a_key_it_is_fetched_each_time(stage, host):
    first, second = (submitted(stage, host.has(body=a_png(color))) for color in (1, 2))

    assert first.json["image"]["id"] != second.json["image"]["id"]
    assert len(host.requests) == 2


PROBLEMS = {
    "not public": ("http://10.0.0.1/a.png", 422, "source-blocked"),
    "a private name": ("https://metadata.google.internal/", 422, "source-blocked"),
    "no URL": ("a.png", 422, "source-blocked"),
    "credentials": ("https://me:secret@cdn.example/a.png", 422, "source-blocked"),
    "another port": ("http://cdn.example:22/a.png", 422, "source-blocked"),
    "another scheme": ("file:///etc/passwd", 422, "source-blocked"),
    "redirected inside": ("/inside", 422, "source-blocked"),
    "no such name": ("https://other.example/a.png", 422, "source-unreachable"),
    "not found": ("/missing", 422, "source-unreachable"),
    "a page": ("/page", 422, "source-unreachable"),
    "cut off": ("/cut", 422, "source-unreachable"),
    "too large": ("/large", 413, "too-large"),
    "no picture": ("/text", 422, "image-undecodable"),
    "too many pixels": ("/wide", 422, "image-too-many-pixels"),
}


def let_all_go_wrong(host: SourceHost) -> None:
    host.redirects("/inside", "http://169.254.169.254/latest/")
    host.answers |= {
        "/missing": said("HTTP/1.1 404 Not Found"),
        "/page": answer(a_png(), kind="text/html"),
        "/cut": answer(a_png())[:-1],
        "/large": answer(a_png().ljust(1001)),
        "/text": answer(b"hello"),
        "/wide": answer(WIDE),
    }


WIDE = b"GIF89a" + (1001).to_bytes(2, "little") + (1).to_bytes(2, "little") + bytes(3)


@pytest.mark.parametrize("problem", PROBLEMS)
def test_what_cannot_be_fetched_is_told_and_leaves_nothing(stage_on_each, host, problem):
    stage = stage_on_each
    url, status, code = PROBLEMS[problem]
    let_all_go_wrong(host)

    answered = submitted(stage, host.url(url) if url.startswith("/") else url, "once")

    assert (answered.status_code, answered.json["code"]) == (status, code)
    [flaw] = answered.json["errors"]
    assert (flaw["pointer"], flaw["code"]) == ("#/image/url", code)
    assert flaw["detail"] == answered.json["detail"]
    assert (recorded(stage), stage.stored_keys()) == ({}, [])


@pytest.mark.parametrize("names", [Names(["10.1.2.3"])])
def test_what_is_told_says_nothing_of_what_is_inside(stage, host):
    answered = submitted(stage, host.has())

    assert answered.json["code"] == "source-blocked"
    assert HOST in answered.json["detail"]
    assert "10.1.2.3" not in answered.text


def test_after_a_failure_the_key_is_free(stage_on_each, host):
    stage = stage_on_each
    host.answers["/a.png"] = said("HTTP/1.1 503 Busy")
    failed = submitted(stage, host.url(), "once")

    again = submitted(stage, host.has(), "once")

    assert (failed.json["code"], again.status_code) == ("source-unreachable", 202)
    assert "Idempotency-Replayed" not in again.headers


def test_how_to_name_a_picture_is_told_as_it_is_written(stage):
    answered = stage.post_json({"image": "https://cdn.example/a.png", "palettes": palettes("nord")})

    (flaw,) = answered.json["errors"]
    assert flaw["detail"] == 'name the picture by {"id": "…"} or by {"url": "…"}, just one'


@pytest.mark.parametrize(
    ("image", "flaws"),
    [
        (None, {"#/image": "missing"}),
        ({}, {"#/image": "one-of"}),
        ({"link": "https://cdn.example/a.png"}, {"#/image": "one-of"}),
        (BOTH, {"#/image": "one-of"}),
        ("https://cdn.example/a.png", {"#/image": "one-of"}),
        ({"url": None}, {"#/image/url": "string-type"}),
        ({"url": 1}, {"#/image/url": "string-type"}),
        ({"url": ["https://cdn.example/"]}, {"#/image/url": "string-type"}),
        ({"url": "https://cdn.example/", "size": 1}, {"#/image/size": "extra-forbidden"}),
        ({"id": "x"}, {"#/image/id": "uuid-parsing"}),
        ({"url": "http://cdn.example:22/"}, {"#/image/url": "source-blocked"}),
    ],
)
def test_all_that_is_wrong_is_listed_at_once(stage, host, image, flaws):
    wrong = {"palettes": [{"name": "a", "colors": ["#12", "#123"]}], "priority": "soon"}

    answered = stage.post_json({"image": image} | wrong)

    assert flaws_of(answered) == flaws | {
        "#/palettes/0/colors/0": "color-syntax",
        "#/priority": "enum",
    }
    assert answered.json["code"] == "validation"


@pytest.mark.parametrize(
    ("image", "is_valid"),
    [
        ({"id": BOTH["id"]}, True),
        ({"url": BOTH["url"]}, True),
        (None, False),  # as a part, which has a schema of its own
        (BOTH, False),
        ({}, False),
        ({"id": 1}, False),
        ({"url": None}, False),
        ({"url": BOTH["url"], "size": 1}, False),
        ({"url": "https://cdn.example/a b"}, False),
        ({"url": "https://cdn.example/".ljust(2049, "a")}, False),
        (BOTH["url"], False),
    ],
    ids=lambda given: str(given)[:50],
)
def test_the_schema_of_an_image_is_as_strict_as_we_are(stage, image, is_valid):
    document = stage.client.get("/openapi.json").json
    schema = {"$ref": "#/components/schemas/JobIn"} | {"components": document["components"]}
    wanted = {"image": image, "palettes": palettes("nord"), "priority": "soon"}

    flaws = flaws_of(stage.post_json(wanted)).keys() - {"#/priority"}

    assert Draft202012Validator(schema).is_valid(wanted | {"priority": "low"}) == is_valid
    assert bool(flaws) != is_valid


def test_a_picture_comes_once(stage, host):
    part = a_job_part(image={"url": host.has()})

    answered = stage.post_parts(("image", a_png()), ("job", part))

    assert flaws_of(answered) == {"#/image": "image-twice"}
    assert host.connections == 0


def test_who_may_not_submit_fetches_nothing(stage, host):
    document = {"image": {"url": host.has()}, "palettes": palettes("nord")}

    answered = stage.post("/v1/jobs", json=document, headers=stage.a_key("read"))

    assert (answered.status_code, host.connections) == (403, 0)


def test_while_it_is_fetched_the_same_request_is_under_way_and_the_ledger_is_free(
    stage_on_each, host
):
    desk = Desk(stage_on_each, host)
    document = {"json": {"image": {"url": host.url()}, "palettes": palettes("nord")}}
    meanwhile = []

    def ask_again(connection: socket.socket) -> None:
        meanwhile.append(desk.send(document))
        with desk.ledger.transaction() as session:  # SQLite has one for all who write
            session.execute(jobs.delete())
        connection.sendall(answer(a_png()))

    host.answers["/a.png"] = ask_again

    first = desk.send(document)

    assert first.status_code == 202
    assert [(each.status_code, each.json["code"]) for each in meanwhile] == [
        (409, "idempotency-in-progress")
    ]
    assert len(host.requests) == 1
    desk.delivery.close()
    desk.ledger.dispose()


def test_by_default_only_https_from_public_hosts(sqlite_ledger, tmp_path, idle_queue, host):
    host.has()
    with on_stage(sqlite_ledger, tmp_path, idle_queue.grpc_address) as stage:
        told = [
            submitted(stage, url).json["detail"]
            for url in (
                "http://cdn.example/a.png",
                host.url().replace("http://", "https://"),
                "https://127.0.0.1/a.png",
            )
        ]

    assert told == [
        "the URL must begin with https://",
        f"the URL's port is {host.port}; it must be 80 or 443",
        "127.0.0.1 is not on the public internet, or not with all its addresses",
    ]
    assert host.connections == 0


def test_settings_say_what_else_is_fetched(sqlite_ledger, tmp_path, idle_queue, host):
    host.has()
    matters = {"allow_http_sources": True, "source_ports": f"443,{host.port}"}
    with on_stage(sqlite_ledger, tmp_path, idle_queue.grpc_address, **matters) as stage:
        told = [
            submitted(stage, url).json["detail"]
            for url in ("http://cdn.example/a.png", host.url(host="127.0.0.1"))
        ]

    assert told == [
        f"the URL's port is 80; it must be 443 or {host.port}",
        "127.0.0.1 is not on the public internet, or not with all its addresses",
    ]
    assert host.connections == 0
