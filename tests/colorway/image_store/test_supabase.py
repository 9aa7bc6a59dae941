"""What only Supabase Storage does: its keys, its errors, its limits, its pages and its slots."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from io import BytesIO
from urllib.parse import parse_qs, urlsplit

import pytest
import requests

from colorway.errors import Conflict, Misconfigured, NotFound, TryLater
from colorway.image_store import ImageStore, open_store
from colorway.image_store.supabase import SupabaseStore
from colorway.settings import StoreSettings
from tests.colorway.image_store.supabase_stand import (
    BUCKET,
    KEY,
    SupabaseStand,
    keys,
    put,
    put_stream,
)
from tests.faulty_front import Answer
from tests.supabase_objects import SECRET_KEY, jwt_key

MINUTE = timedelta(minutes=1)
MORE_THAN_SOCKETS_HOLD = 48 << 20


@pytest.fixture
def stand(supabase: SupabaseStand) -> SupabaseStand:
    return supabase


@pytest.fixture
def store(stand: SupabaseStand) -> ImageStore:
    return stand.store


# Keys


def test_a_secret_key_is_no_bearer_token(stand, store):
    put(store)
    store.stat(KEY)

    for seen in stand.front.seen:
        assert seen.headers["apikey"] == SECRET_KEY
        assert "Authorization" not in seen.headers


def test_a_legacy_key_is_both(stand):
    key = jwt_key("service_role")
    store = stand.opened(key)

    put(store)
    store.stat(KEY)

    for seen in stand.front.seen:
        assert seen.headers["apikey"] == key
        assert seen.headers["Authorization"] == f"Bearer {key}"


@pytest.mark.parametrize(
    "key",
    [
        jwt_key("anon"),
        jwt_key("authenticated"),
        "sb_publishable_" + "a" * 32,
        "a.b.c",
        "YQ.YQ.YQ",
        "WzFd.WzFd.WzFd",
        "hunter2",
    ],
)
def test_a_key_that_does_not_see_every_object_is_refused_at_once(stand, key):
    with pytest.raises(Misconfigured, match="SUPABASE_KEY") as refused:
        stand.opened(key)

    assert key not in str(refused.value)
    assert stand.front.seen == []


def test_credentials_for_the_host_in_a_netrc_are_not_ours(stand, tmp_path, monkeypatch):
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login somebody password else\n")
    monkeypatch.setenv("NETRC", str(netrc))

    put(stand.store)

    assert "Authorization" not in stand.front.seen[0].headers


@pytest.mark.parametrize("has_gateway", [True, False])
def test_a_key_that_is_refused_is_for_the_operator(stand, has_gateway):
    stand.server.has_gateway = has_gateway
    forged = jwt_key("service_role")[:-4] + "AAAA"
    store = stand.opened(forged)

    for call in (lambda: put(store), lambda: store.open(KEY), lambda: store.stat(KEY)):
        with pytest.raises(Misconfigured, match="refuses this service's key"):
            call()


# Settings


def test_the_store_is_chosen_by_settings(stand):
    given = {name.lower(): value for name, value in stand.environment.items()}
    store = open_store(StoreSettings(**given))

    put(store)

    assert isinstance(store, SupabaseStore)
    assert list(stand.server.buckets[BUCKET].files) == [f"studio/{KEY}"]


def test_a_store_may_have_a_bucket_to_itself(stand):
    given = {name.lower(): value for name, value in stand.environment.items()}
    store = open_store(StoreSettings(**given | {"image_store": f"supabase://{BUCKET}"}))

    put(store)

    assert list(stand.server.buckets[BUCKET].files) == [KEY]
    assert keys(store) == [KEY]


# Early answers


@pytest.mark.parametrize("size", [2_000, MORE_THAN_SOCKETS_HOLD])
def test_a_refusal_before_the_body_was_read_neither_hangs_nor_spoils_what_follows(stand, size):
    store = stand.opened(url=stand.server.url)  # the front would read the body
    stand.server.buckets[BUCKET].file_size_limit = 1_000

    for _ in range(3):
        with pytest.raises(Misconfigured, match=f"takes 1000 bytes at most, not {size} bytes"):
            put_stream(store, Zeros(size), size)
        assert keys(store) == []
        put(store, "a/small")
        assert store.stat("a/small").bytes == 7
        store.delete("a/small")

    assert len(stand.server.left_alone) == 3


def test_a_limit_of_the_project_has_no_figure_of_ours(stand, store):
    too_large = {"statusCode": "413", "error": "Payload too large", "message": "too large"}
    stand.front.fail(Answer(400, body=json.dumps(too_large).encode()), times=1)

    with pytest.raises(Misconfigured, match="takes no file of 7 bytes"):
        put(store)


class Zeros(BytesIO):
    """So many bytes, of which none are kept."""

    def __init__(self, size: int) -> None:
        super().__init__()
        self._left = size

    def read(self, size: int | None = -1) -> bytes:
        piece = bytes(min(size or 0, self._left))
        self._left -= len(piece)
        return piece


@pytest.mark.parametrize("size", [0, 1, 1 << 20])
def test_no_body_is_sent_in_chunks_which_would_slip_past_the_limit(stand, size):
    put(stand.opened(url=stand.server.url), data=b"x" * size)

    [headers] = stand.server.uploads
    assert headers["Content-Length"] == str(size)
    assert "Transfer-Encoding" not in headers


def test_a_body_in_chunks_does_slip_past_the_limit(stand):
    stand.server.buckets[BUCKET].file_size_limit = 10

    answer = requests.post(
        f"{stand.server.url}/storage/v1/object/{BUCKET}/large",
        data=iter([b"x" * 20, b"y" * 20]),
        headers={"apikey": SECRET_KEY},
        timeout=5,
    )

    assert answer.status_code == 200
    assert stand.server.buckets[BUCKET].files["large"].size == 40


def test_a_body_that_should_be_empty_is_looked_at(store):
    with pytest.raises(TryLater):
        put_stream(store, BytesIO(b"not empty"), 0)

    assert keys(store) == []


def test_an_upload_has_a_connection_of_its_own(stand, store):
    put(store)
    store.stat(KEY)

    assert [seen.headers["Connection"] for seen in stand.front.seen] == ["close", "keep-alive"]


def test_a_body_that_cannot_be_read_is_not_waited_for(stand, store):
    class Broken(BytesIO):
        def read(self, size: int | None = -1) -> bytes:
            raise ConnectionResetError(104, "reset by the client whose body it is")

    with pytest.raises(TryLater, match="could not be read"):
        put_stream(store, Broken(), 7)

    assert keys(store) == []


# Lists


def test_a_list_comes_in_pages(stand, store):
    stand.server.page = 2
    wanted = [f"a/{number}" for number in range(5)]
    for key in wanted:
        put(store, key)

    assert keys(store, "a/") == wanted
    assert keys(store, "a/", after="a/1") == wanted[2:]
    assert keys(store, "a/", after="a/9") == []


def test_a_list_has_only_what_was_meant(stand, store):
    for key in ("a_b/c", "axb/c", "a_b/d"):
        put(store, key)
    files = stand.server.buckets[BUCKET].files
    files["studio/a_b/.emptyFolderPlaceholder"] = files["studio/a_b/c"]  # as the dashboard makes

    assert keys(store, "a_b/") == ["a_b/c", "a_b/d"]


# Links and slots


def test_a_link_is_whole_and_names_the_download(stand, store):
    put(store)

    link = store.signed_url(KEY, expires_in=MINUTE, download_name="a&b=ä.png")

    assert link.startswith(f"{stand.front.url}/storage/v1/object/sign/{BUCKET}/studio/{KEY}?")
    assert parse_qs(urlsplit(link).query)["download"] == ["a&b=ä.png"]
    assert stand.follow(link).body == b"picture"


def test_there_is_no_link_to_what_is_not_there(store):
    with pytest.raises(NotFound):
        store.signed_url(KEY, expires_in=MINUTE, download_name="a.png")


def test_a_slot_says_the_earlier_of_two_ends(stand, store):
    stand.server.slots_work_for_s = 30
    begun = datetime.now(UTC)

    slot = store.upload_slot(KEY, size=7, media_type="image/png", expires_in=MINUTE)

    assert timedelta(seconds=28) < slot.expires_at - begun < timedelta(seconds=32)


def test_a_slot_is_over_when_the_service_says(stand, store):
    stand.server.slots_work_for_s = 30
    slot = store.upload_slot(KEY, size=7, media_type="image/png", expires_in=MINUTE)
    stand.server.ahead_s = 31

    assert stand.use(slot, b"picture", announced=7) == 400
    assert keys(store) == []


def test_a_slot_takes_any_size_and_type_up_to_the_limit_of_the_bucket(stand, store):
    stand.server.buckets[BUCKET].file_size_limit = 10
    slot = store.upload_slot(KEY, size=7, media_type="image/png", expires_in=MINUTE)
    other = replace(slot, headers={"Content-Type": "text/html"})

    assert stand.use(slot, b"x" * 11, announced=11) == 400
    assert stand.use(other, b"x" * 9, announced=9) == 200
    assert store.stat(KEY).bytes == 9


def test_there_is_no_slot_where_something_lies(store):
    put(store)

    with pytest.raises(Conflict) as refused:
        store.upload_slot(KEY, size=7, media_type="image/png", expires_in=MINUTE)

    assert refused.value.code == "slot-filled"


def test_a_link_is_no_slot_and_a_slot_is_no_link(stand, store):
    put(store)
    link = store.signed_url(KEY, expires_in=MINUTE, download_name="a.png")
    slot = store.upload_slot("b", size=7, media_type="image/png", expires_in=MINUTE)
    store.delete(KEY)
    put(store, "b")

    as_slot = replace(slot, url=link.replace("/object/sign/", "/object/upload/sign/"))

    assert stand.use(as_slot, b"picture", announced=7) == 400
    assert stand.follow(slot.url.replace("/object/upload/sign/", "/object/sign/")).status == 400
