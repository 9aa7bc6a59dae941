"""What only the local folder store does: files, links, and choosing it by IMAGE_STORE."""

from __future__ import annotations

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from io import BytesIO
from pathlib import Path
from threading import Barrier
from urllib.parse import parse_qs, urlsplit

import pytest
from pydantic import SecretStr, ValidationError

from colorway.errors import Conflict, Gone, NotFound, TryLater
from colorway.image_store import ImageStore, open_store
from colorway.image_store.local_folder import LINK_ROUTE, Link, LocalFolderStore
from colorway.settings import StoreSettings

KEY = "account/colorways/fingerprint/picture.png"
MINUTE = timedelta(minutes=1)
DAY = timedelta(days=1)


@pytest.fixture
def store(tmp_path: Path) -> LocalFolderStore:
    store = LocalFolderStore(tmp_path / "pictures", "k" * 32)
    put(store, KEY, b"picture")
    return store


def put(store: LocalFolderStore, key: str, data: bytes) -> None:
    store.put(key, BytesIO(data), size=len(data), sha256="", media_type="image/png")


def link_to(store: LocalFolderStore, key: str = KEY) -> Link:
    url = urlsplit(store.signed_url(key, expires_in=MINUTE, download_name="nord.png"))
    said = {name: values[0] for name, values in parse_qs(url.query).items()}
    path = url.path.removeprefix(f"{LINK_ROUTE}/")
    return Link(path, said["name"], said["expires"], said["signature"])


def test_a_fresh_link_opens_the_picture(store):
    link = link_to(store)

    with store.open_link(link, now=datetime.now(UTC)) as body:
        assert body.read() == b"picture"


def test_a_link_is_over_when_its_time_has_come(store):
    link = link_to(store)

    with pytest.raises(Gone):
        store.open_link(link, now=datetime.now(UTC) + MINUTE)


@pytest.mark.parametrize(
    "tamper",
    [
        lambda link: replace(link, key="account/colorways/fingerprint/other.png"),
        lambda link: replace(link, key="../pictures/" + link.key),
        lambda link: replace(link, download_name="evil.exe"),
        lambda link: replace(link, download_name=""),
        lambda link: replace(link, expires=str(int(link.expires) + 1)),
        lambda link: replace(link, expires="never"),
        lambda link: replace(link, expires=""),
        lambda link: replace(link, signature=""),
        lambda link: replace(link, signature="ä"),
        lambda link: replace(link, signature=link.signature.upper()),
        lambda link: replace(link, key=f"{link.key}\n{link.download_name}", download_name=""),
    ],
)
def test_a_link_tampered_with_is_not_one_of_ours(store, tamper: Callable[[Link], Link]):
    put(store, "account/colorways/fingerprint/other.png", b"secret")

    with pytest.raises(NotFound, match="not one of ours"):
        store.open_link(tamper(link_to(store)), now=datetime.now(UTC))


def test_a_link_of_another_signing_key_is_not_one_of_ours(store, tmp_path):
    stranger = LocalFolderStore(tmp_path / "pictures", "x" * 32)

    with pytest.raises(NotFound):
        store.open_link(link_to(stranger), now=datetime.now(UTC))


def test_of_two_who_use_a_slot_at_once_one_is_first(store):
    began = Barrier(2)

    def fill(data: bytes) -> str:
        began.wait(timeout=10)
        try:
            store.fill_slot("slot", BytesIO(data), size=1)
        except Conflict as error:
            return error.code
        return data.decode()

    for _ in range(20):
        with ThreadPoolExecutor(2) as threads:
            said = set(threads.map(fill, [b"a", b"b"]))
        with store.open("slot") as stored:
            assert said == {stored.read().decode(), "slot-filled"}
        store.delete("slot")


def test_what_a_killed_process_left_behind_is_no_object(store, tmp_path):
    (tmp_path / "pictures" / ".unfinished" / "half").write_bytes(b"half")
    (tmp_path / "pictures" / ".DS_Store").write_bytes(b"a desktop's")

    assert [found.key for found in store.list("")] == [KEY]


def test_what_was_left_behind_a_day_ago_goes_when_the_folder_is_opened(tmp_path):
    left = tmp_path / ".unfinished"
    left.mkdir()
    for name, age in (("old", 2 * DAY), ("young", timedelta(0))):
        (left / name).write_bytes(b"half")
        modified = (datetime.now(UTC) - age).timestamp()
        os.utime(left / name, (modified, modified))

    LocalFolderStore(tmp_path, "k" * 32)

    assert [file.name for file in left.iterdir()] == ["young"]


def test_a_failing_body_leaves_no_file(store, tmp_path):
    class Broken(BytesIO):
        def read(self, size: int | None = -1) -> bytes:
            raise ConnectionResetError("the client went away")

    with pytest.raises(TryLater):
        store.put("a/b", Broken(), size=3, sha256="", media_type="image/png")

    assert list((tmp_path / "pictures" / ".unfinished").iterdir()) == []


def test_a_folder_in_trouble_asks_to_try_later(store, tmp_path):
    put(store, "blocked", b"x")

    with pytest.raises(TryLater):
        put(store, "blocked/by-a-file", b"x")


@pytest.mark.parametrize("is_mount_point", [True, False])
def test_a_folder_that_is_not_mounted_has_lost_no_picture(store, tmp_path, is_mount_point):
    folder = (tmp_path / "pictures").rename(tmp_path / "elsewhere")
    if is_mount_point:
        (tmp_path / "pictures").mkdir()

    for ask in (store.open, store.stat, store.delete):
        with pytest.raises(TryLater, match="mounted"):
            ask(KEY)
    with pytest.raises(TryLater):
        put(store, "another/picture.png", b"x")
    folder.replace(tmp_path / "pictures")

    assert store.stat(KEY).bytes == len(b"picture")


def test_the_store_is_chosen_by_a_url(tmp_path):
    folder = tmp_path / "with space"

    store = opened(folder.as_uri())

    assert isinstance(store, LocalFolderStore)
    assert folder.is_dir()


@pytest.mark.parametrize(
    "url",
    [
        "",
        "folder",
        "ftp:///folder",
        "file:folder",
        "file://host/folder",
        "gs:///prefix",
        "gs://bucket/../up",
        "gs://bucket/a?b",
        "gs://Bucket",
    ],
)
def test_a_url_that_names_no_store_is_no_setting(url):
    with pytest.raises(ValidationError, match="image_store"):
        opened(url)


def opened(url: str) -> ImageStore:
    return open_store(StoreSettings(image_store=url, link_signing_key=SecretStr("k" * 32)))
