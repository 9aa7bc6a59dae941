"""What every image store promises, held against each of them, and against the fake."""

from __future__ import annotations

import hashlib
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from io import BytesIO
from typing import Any

import pytest

from colorway.errors import InvalidRequest, LeaseLost, NotFound, TryLater
from colorway.image_store import ImageStore, UploadSlot

EIGHT_MIB = 8 << 20
MINUTE = timedelta(minutes=1)
ODD_KEYS = (
    "",
    "..",
    "../secrets",
    "a/../b",
    "a//b",
    "/a",
    "a/",
    ".hidden",
    "a/.hidden",
    ".unfinished/x",
    "a\0b",
    "a\nb",
    "a b",
    "ä",
    "a\\b",
    "a?b",
    "a" * 256,
    "/".join(["a" * 100] * 10),
)


def put(store: ImageStore, key: str, data: bytes, *, size: int | None = None) -> None:
    store.put(
        key,
        BytesIO(data),
        size=len(data) if size is None else size,
        sha256=hashlib.sha256(data).hexdigest(),
        media_type="image/png",
    )


def read(store: ImageStore, key: str) -> bytes:
    with store.open(key) as body:
        return body.read()


def keys(store: ImageStore, prefix: str = "", after: str = "") -> list[str]:
    return [found.key for found in store.list(prefix, after=after)]


@pytest.mark.parametrize("size", [0, 1, EIGHT_MIB - 1, EIGHT_MIB, EIGHT_MIB + 1])
def test_what_is_put_comes_back_whole(store, size):
    data = b"\x89PNG" * (size // 4) + b"x" * (size % 4)

    put(store, "account/sources/a", data)

    assert read(store, "account/sources/a") == data
    assert store.stat("account/sources/a").bytes == size


def test_the_world_is_told_what_it_is_and_that_it_never_changes(stand, store):
    put(store, "account/colorways/nord.png", b"picture")

    assert stand.told("account/colorways/nord.png") == (
        "image/png",
        "public, max-age=31536000, immutable",
    )


def test_repeating_a_put_is_harmless(store):
    put(store, "a/b", b"picture")

    put(store, "a/b", b"picture")

    assert read(store, "a/b") == b"picture"
    assert keys(store) == ["a/b"]


@pytest.mark.parametrize("size", [3, 9], ids=["body too long", "body too short"])
def test_a_body_of_another_length_stores_nothing(store, size):
    with pytest.raises(TryLater):
        put(store, "a/b", b"abcdef", size=size)

    assert keys(store) == []


class EndingBody(BytesIO):
    """A body that reads well to some byte, and then raises."""

    def __init__(self, data: bytes, *, after: int, error: Exception) -> None:
        super().__init__(data)
        self._after = after
        self._error = error

    def read(self, size: int | None = -1, /) -> bytes:
        left = self._after - self.tell()
        if size is None or size < 0 or not left:
            raise self._error
        return super().read(min(size, left))


@pytest.mark.parametrize("error", [LeaseLost("stop"), TryLater("stop")], ids=repr)
@pytest.mark.parametrize("after", [0, EIGHT_MIB // 2])
def test_a_body_that_must_end_ends_the_put_with_its_own_error(store, after, error):
    body = EndingBody(bytes(EIGHT_MIB), after=after, error=error)

    with pytest.raises(type(error)) as raised:
        store.put("a/b", body, size=EIGHT_MIB, sha256="", media_type="image/png")

    assert raised.value is error
    assert keys(store) == []
    put(store, "a/b", b"picture")
    assert read(store, "a/b") == b"picture"


def test_a_failed_put_leaves_the_earlier_object_alone(store):
    put(store, "a/b", b"whole")

    with pytest.raises(TryLater):
        put(store, "a/b", b"half", size=100)

    assert read(store, "a/b") == b"whole"


def test_a_missing_object_is_not_found(store):
    put(store, "a/b", b"x")

    for missing in ("nowhere", "a/c", "a", "a/b/c"):
        with pytest.raises(NotFound):
            store.open(missing)
        with pytest.raises(NotFound):
            store.stat(missing)
        with pytest.raises(NotFound):
            store.copy(missing, "elsewhere")


def test_a_copy_has_the_same_bytes_and_a_life_of_its_own(store):
    put(store, "slots/a", b"picture")

    store.copy("slots/a", "sources/a")
    store.delete("slots/a")

    assert read(store, "sources/a") == b"picture"
    assert keys(store) == ["sources/a"]


def test_deleting_what_is_not_there_is_no_error(store):
    put(store, "a/b", b"x")

    for missing in ("nowhere", "a", "a/b/c"):
        store.delete(missing)

    assert keys(store) == ["a/b"]


def test_listing_goes_on_beyond_one_page(store):
    wanted = [f"a/{number:04}" for number in range(1003)]  # a page of GCS has 1000
    with ThreadPoolExecutor(8) as threads:
        for _ in threads.map(lambda key: put(store, key, b"x"), reversed(wanted)):
            pass

    assert keys(store, "a/") == wanted


def test_listing_gives_keys_in_order_with_sizes_and_times(store):
    began = datetime.now(UTC) - timedelta(seconds=1)
    for key in ("a/z", "a-b/c", "a/b/c", "a0", "b"):
        put(store, key, key.encode())

    found = list(store.list("a"))

    assert [each.key for each in found] == ["a-b/c", "a/b/c", "a/z", "a0"]
    assert [each.bytes for each in found] == [5, 5, 3, 2]
    assert all(began <= each.modified_at <= datetime.now(UTC) for each in found)
    assert keys(store, "a/") == ["a/b/c", "a/z"]
    assert keys(store, "../") == []


def test_a_list_can_be_taken_up_behind_any_key(store):
    stored = sorted(["a-b/c", "a.b", "a/b-c/d", "a/b/c", "a/b/d.e", "a/z", "a0", "b/a/a", "z"])
    for key in reversed(stored):
        put(store, key, b"x")

    for after in ("", *stored, "a", "a/b", "a/b/", "a/b/c0", "a/y", "b/a/a/a", "zz"):
        assert keys(store, after=after) == [key for key in stored if key > after]
    assert keys(store, "a/", after="a/b/c") == ["a/b/d.e", "a/z"]
    assert keys(store, "a/b", after="a/b-c/d") == ["a/b/c", "a/b/d.e"]
    assert keys(store, "b", after="a/z") == ["b/a/a"]


@pytest.mark.parametrize("key", ODD_KEYS)
def test_an_odd_key_is_refused_by_every_call(store, key):
    for call in (
        lambda: put(store, key, b"x"),
        lambda: store.open(key),
        lambda: store.stat(key),
        lambda: store.delete(key),
        lambda: store.copy(key, "b"),
        lambda: store.signed_url(key, expires_in=MINUTE, download_name="a.png"),
        lambda: store.upload_slot(key, size=1, media_type="image/png", expires_in=MINUTE),
    ):
        with pytest.raises(InvalidRequest):
            call()


def test_a_copy_to_an_odd_key_is_refused(store):
    put(store, "a", b"x")

    with pytest.raises(InvalidRequest):
        store.copy("a", "../b")


def test_puts_at_the_same_time_do_not_mix(store):
    pictures = {f"a/{number}": bytes([number]) * 100_000 for number in range(16)}

    with ThreadPoolExecutor(8) as threads:
        for _ in threads.map(lambda item: put(store, *item), list(pictures.items()) * 3):
            pass

    assert {key: read(store, key) for key in keys(store)} == pictures


def a_slot(
    store: ImageStore, key: str = "a/uploads/slot", *, expires_in: timedelta = MINUTE
) -> UploadSlot:
    """Return a slot for the seven bytes of `picture`."""
    return store.upload_slot(key, size=7, media_type="image/png", expires_in=expires_in)


def test_whoever_has_a_slot_may_put_an_object_there(store, stand):
    slot = a_slot(store)

    status = stand.use(slot, b"picture", announced=7)

    assert status // 100 == 2
    assert read(store, "a/uploads/slot") == b"picture"
    assert slot.url.startswith(("/", "https://", "http://", "memory://"))


def test_a_slot_says_until_when_it_works(store):
    soon = datetime.now(UTC) + MINUTE

    assert abs(a_slot(store).expires_at - soon) < timedelta(seconds=2)


def test_a_slot_works_no_longer_than_it_says(strict):
    late = a_slot(strict.store, expires_in=timedelta(seconds=-1))

    status = strict.use(late, b"picture", announced=7)

    assert late.expires_at < datetime.now(UTC)
    assert status // 100 == 4
    assert keys(strict.store) == []


@pytest.mark.parametrize(
    "change",
    [
        {"method": "POST"},
        {"method": "DELETE"},
        {"method": "GET"},
        {"url": ("a/uploads/slot", "a/uploads/slott")},
        {"url": ("a/uploads/", "b/uploads/")},
        {"url": ("?", "?x=")},
    ],
    ids=str,
)
def test_a_slot_cannot_be_made_into_something_else(store, stand, change: dict[str, Any]):
    slot = a_slot(store)
    if "url" in change:
        change = {"url": slot.url.replace(*change["url"])}

    status = stand.use(replace(slot, **change), b"picture", announced=7)

    assert status // 100 == 4
    assert keys(store) == []


@pytest.mark.parametrize("headers", [{"Content-Type": "text/html"}, {}])
def test_a_slot_is_for_one_media_type(strict, headers):
    status = strict.use(replace(a_slot(strict.store), headers=headers), b"picture", announced=7)

    assert status // 100 == 4
    assert keys(strict.store) == []


@pytest.mark.parametrize(
    ("body", "announced"),
    [(b"pictur", 6), (b"pictures", 8), (b"", 0)],
    ids=["too small", "too large", "nothing"],
)
def test_a_slot_takes_just_so_many_bytes(strict, body, announced):
    status = strict.use(a_slot(strict.store), body, announced=announced)

    assert status // 100 == 4
    assert keys(strict.store) == []


def test_what_is_broken_off_leaves_nothing_in_a_slot(store, stand):
    status = stand.use(a_slot(store), b"pict", announced=7)

    assert status // 100 in (0, 4)  # whoever breaks off may get no answer
    assert keys(store) == []


@pytest.mark.parametrize("again", [b"picture", b"another"])
def test_a_slot_overwrites_nothing(store, stand, again):
    slot = a_slot(store)
    stand.use(slot, b"picture", announced=7)

    status = stand.use(slot, again, announced=7)

    assert status // 100 == 4
    assert read(store, "a/uploads/slot") == b"picture"
