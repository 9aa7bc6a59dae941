"""Archives of finished pictures: what is in them, and what is said where something is missing."""

from __future__ import annotations

import json
import tracemalloc
from io import BytesIO, RawIOBase
from typing import Any, BinaryIO, cast
from uuid import UUID
from zipfile import ZipFile

import pytest
from sqlalchemy import update

from colorway.errors import Conflict, Gone, NotFound, TryLater
from colorway.fingerprint import ENGINE_VERSION
from colorway.ledger.commands import cancel_job
from colorway.ledger.connection import Ledger
from colorway.ledger.lease import fail
from colorway.ledger.repairs import NEVER, longest_unseen
from colorway.ledger.tables import images, jobs, renditions
from dispatcher.archive import Archives, Contents
from tests.builders import BROKEN, DAY, MINUTE, NOON, a_claim, a_job, an_account, row_of
from tests.dispatcher.finished_jobs import finish_with
from tests.fakes import HookedStore, StoreInMemory, away

MB = 1_000_000
NORD, INK, ROSE = b"nord's picture", b"ink's", b"rose's, the third"
ALL = {"nord": NORD, "ink": INK, "rose": ROSE}


class Shelf:
    """A job, and what archives of it are made from."""

    def __init__(self, ledger: Ledger, store: StoreInMemory, *keys: str, **matters: Any) -> None:
        self.ledger, self.store = ledger, store
        self.archives = Archives(ledger, store)
        with ledger.transaction() as session:
            self.job, self.tasks = a_job(session, keys or tuple(ALL), **matters)
            self.account: UUID = row_of(session, jobs, self.job).account_id

    def finish(self, pictures: dict[str, bytes]) -> None:
        finish_with(self.ledger, self.store, self.job, pictures)

    def contents(self) -> Contents:
        return self.archives.contents(self.account, self.job, now=NOON)

    def archive(self) -> ZipFile:
        contents = self.contents()
        sent = b"".join(self.archives.stream(contents))
        assert len(sent) == contents.length
        archive = ZipFile(BytesIO(sent))
        assert archive.testzip() is None
        return archive

    def key_of(self, row: int) -> str:
        """Return where the picture of this row lies."""
        return str(self.contents().colorways[row].rendition_key)

    def doubted(self) -> list[str]:
        """Return which pictures the reconciler will look at next."""
        with self.ledger.reading() as session:
            rows = longest_unseen(session, before=NOON - DAY, most=10)
        assert all(row.checked_at == NEVER for row in rows)
        return [row.key for row in rows]


@pytest.fixture
def shelf(sqlite_ledger: Ledger) -> Shelf:
    """A job of three colorways, all of them finished."""
    shelf = Shelf(sqlite_ledger, HookedStore())
    shelf.finish(ALL)
    return shelf


def said_in(archive: ZipFile) -> dict[str, Any]:
    manifest: dict[str, Any] = json.loads(archive.read("manifest.json"))
    return manifest


def test_the_pictures_are_there_under_their_keys_in_the_order_of_submission(ledger: Ledger):
    shelf = Shelf(ledger, StoreInMemory())
    shelf.finish(ALL)

    archive = shelf.archive()

    assert archive.namelist() == ["nord.png", "ink.png", "rose.png", "manifest.json"]
    assert [archive.read(f"{key}.png") for key in ALL] == [NORD, INK, ROSE]
    assert {each.date_time for each in archive.infolist()} == {(2030, 1, 1, 12, 0, 0)}


def test_the_same_job_makes_the_same_archive(shelf):
    archives = [b"".join(shelf.archives.stream(shelf.contents())) for _ in range(2)]

    assert archives[0] == archives[1]


def test_the_manifest_says_how_each_picture_was_made_and_what_became_of_the_others(ledger: Ledger):
    shelf = Shelf(ledger, StoreInMemory(), "nord", "ink", "rose", metadata={"campaign": "spring"})
    shelf.finish({"nord": NORD})
    with ledger.transaction() as session:
        fail(session, a_claim(session, shelf.tasks[1]), BROKEN, now=NOON)
        source = row_of(session, images, row_of(session, jobs, shelf.job).image_id)

    archive = shelf.archive()

    said, nord = said_in(archive), shelf.contents().colorways[0]
    assert archive.namelist() == ["nord.png", "manifest.json"]
    assert (said["job"], said["status"]) == (str(shelf.job), "processing")
    assert (said["created_at"], said["finished_at"]) == ("2030-01-01T12:00:00Z", None)
    assert said["metadata"] == {"campaign": "spring"}
    assert (said["source"]["sha256"], said["source"]["bytes"]) == (source.sha256, source.bytes)
    assert said["render"]["engine_version"] == ENGINE_VERSION
    assert said["output"]["format"] == "png"
    assert said["colorways"][0] == {
        "key": "nord",
        "name": "nord",
        "colors": nord.colors,
        "index": 0,
        "status": "completed",
        "file": "nord.png",
        "sha256": nord.rendition_sha256,
        "bytes": len(NORD),
        "width": 64,
        "height": 48,
        "error": None,
    }
    without = [(each["status"], each["file"], each["error"]) for each in said["colorways"][1:]]
    assert without == [("failed", None, BROKEN), ("pending", None, None)]


def test_five_hundred_pictures_are_all_there(sqlite_ledger: Ledger):
    pictures = {f"p{number}": f"picture {number}".encode() * number for number in range(1, 501)}
    shelf = Shelf(sqlite_ledger, StoreInMemory(), *pictures)
    shelf.finish(pictures)

    archive = shelf.archive()

    assert [archive.read(f"{key}.png") for key in pictures] == list(pictures.values())
    assert len(said_in(archive)["colorways"]) == 500


class Endless(RawIOBase):
    """A picture of 2 MB that takes no memory."""

    def __init__(self) -> None:
        self._left = 2 * MB

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        size = min(len(buffer), self._left)
        buffer[:size] = bytes(size)
        self._left -= size
        return size


class LargeStore(StoreInMemory):
    """Has 2 MB under every key, whatever is put there."""

    def put(self, key: str, body: BinaryIO, **said: Any) -> None:
        pass

    def open(self, key: str) -> BinaryIO:
        return cast("BinaryIO", Endless())


def test_five_hundred_pictures_of_2_mb_take_little_memory(sqlite_ledger: Ledger):
    keys = [f"p{number}" for number in range(500)]
    shelf = Shelf(sqlite_ledger, LargeStore(), *keys)
    shelf.finish(dict.fromkeys(keys, bytes(2 * MB)))
    contents = shelf.contents()

    tracemalloc.start()
    sent = sum(map(len, shelf.archives.stream(contents)))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert sent == contents.length > 1000 * MB
    assert peak < 8 * MB


def test_an_archive_starts_before_the_second_picture_is_asked_for(shelf):
    asked_for = []
    shelf.store.before["open"] = asked_for.append

    pieces = shelf.archives.stream(shelf.contents())
    first = next(pieces)
    pieces.close()

    assert NORD in first
    assert asked_for == [shelf.key_of(0)]


def test_no_connection_to_the_ledger_is_held_while_bytes_move(shelf):
    held = [shelf.ledger.engine.pool.checkedout() for _ in shelf.archives.stream(shelf.contents())]

    assert set(held) == {0}


@pytest.mark.parametrize("missing", [["nord"], ["rose"], ["nord", "ink"], ["ink", "rose"]])
def test_a_picture_that_was_lost_is_left_out_and_the_archive_says_so(shelf, missing):
    lost = [shelf.key_of(list(ALL).index(key)) for key in missing]
    for key in lost:
        shelf.store.delete(key)

    archive = shelf.archive()

    said = {each["key"]: each for each in said_in(archive)["colorways"]}
    there = [key for key in ALL if key not in missing]
    assert archive.namelist() == [*(f"{key}.png" for key in there), "manifest.json"]
    assert {key for key in ALL if said[key]["file"] is None} == set(missing)
    assert {said[key]["error"]["code"] for key in missing} == {"object-missing"}
    assert sorted(shelf.doubted()) == sorted(lost)


def test_a_picture_lost_meanwhile_may_be_as_small_as_it_likes(sqlite_ledger: Ledger):
    shelf = Shelf(sqlite_ledger, StoreInMemory(), "a", "b")
    shelf.finish({"a": b"a", "b": b"b"})
    shelf.store.delete(shelf.key_of(0))

    assert shelf.archive().namelist() == ["b.png", "manifest.json"]


def test_where_all_pictures_were_lost_there_is_no_archive(shelf):
    shelf.store.objects.clear()

    with pytest.raises(Conflict) as refusal:
        next(shelf.archives.stream(shelf.contents()))

    assert (refusal.value.code, refusal.value.retry_after) == ("not-ready", 2)
    assert len(shelf.doubted()) == 3


def test_a_manifest_is_not_filled_with_more_than_anybody_would_read(shelf):
    shelf.store.delete(shelf.key_of(2))
    with shelf.ledger.transaction() as session:
        rose = renditions.c.key == shelf.key_of(2)
        session.execute(update(renditions).where(rose).values(bytes=200 * MB))

    with pytest.raises(TryLater):
        list(shelf.archives.stream(shelf.contents()))


@pytest.mark.parametrize("damage", [b"n0rd's picture", NORD[:-1], NORD + b"!", b""])
def test_a_picture_that_is_not_what_it_was_is_never_sent(shelf, damage):
    nord, key = shelf.contents(), shelf.key_of(0)
    shelf.store.objects[key] = damage

    with pytest.raises(TryLater):
        next(shelf.archives.stream(nord))

    assert shelf.doubted() == [key]


def test_while_the_store_is_away_an_archive_cannot_be_finished(shelf):
    pieces = shelf.archives.stream(shelf.contents())
    next(pieces)
    shelf.store.before["open"] = away

    with pytest.raises(TryLater):
        list(pieces)

    assert shelf.doubted() == []


class Broken(BytesIO):
    """A stream whose connection breaks after the first bytes."""

    def read(self, size: int | None = -1) -> bytes:
        if self.tell():
            raise ConnectionResetError("the store hung up")
        return super().read(4)


class BreakingStore(StoreInMemory):
    """Hands out streams that break, and keeps them."""

    def __init__(self) -> None:
        super().__init__()
        self.opened: list[BinaryIO] = []

    def open(self, key: str) -> BinaryIO:
        self.opened.append(Broken(self.objects[key]))
        return self.opened[-1]


def test_a_picture_that_cannot_be_read_to_its_end_is_closed_and_not_doubted(sqlite_ledger: Ledger):
    store = BreakingStore()
    shelf = Shelf(sqlite_ledger, store)
    shelf.finish(ALL)

    with pytest.raises(TryLater):
        next(shelf.archives.stream(shelf.contents()))

    assert [stream.closed for stream in store.opened] == [True]
    assert shelf.doubted() == []


def test_no_stream_of_the_store_is_open_while_whoever_takes_the_archive_is_waited_for(shelf):
    opened: list[BinaryIO] = []

    def open_it(key: str) -> BinaryIO:
        opened.append(BytesIO(shelf.store.objects[key]))
        return opened[-1]

    shelf.store.open = open_it

    pieces = shelf.archives.stream(shelf.contents())
    still_open = [not all(each.closed for each in opened) for _ in pieces]

    assert len(opened) == 3
    assert not any(still_open)


@pytest.mark.parametrize(("is_done", "retry_after"), [(False, 2), (True, None)])
def test_a_job_without_a_finished_picture_has_no_archive(
    sqlite_ledger: Ledger, is_done: bool, retry_after: int | None
):
    shelf = Shelf(sqlite_ledger, StoreInMemory())
    if is_done:
        with sqlite_ledger.transaction() as session:
            cancel_job(session, shelf.account, shelf.job, now=NOON)

    with pytest.raises(Conflict) as refusal:
        shelf.contents()

    assert (refusal.value.code, refusal.value.retry_after) == ("not-ready", retry_after)


def test_an_expired_job_has_no_archive(shelf):
    expires_at = shelf.contents().job.expires_at

    shelf.archives.contents(shelf.account, shelf.job, now=expires_at - MINUTE)
    with pytest.raises(Gone):
        shelf.archives.contents(shelf.account, shelf.job, now=expires_at)


def test_another_accounts_job_is_not_found(shelf):
    with shelf.ledger.transaction() as session:
        stranger = an_account(session, "stranger")

    with pytest.raises(NotFound):
        shelf.archives.contents(stranger, shelf.job, now=NOON)
