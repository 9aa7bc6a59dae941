"""What the doctors find out about the image store, and that they leave nothing in it."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from colorway.doctor.store import check_store
from colorway.image_store import open_store
from colorway.settings import StoreSettings
from demo.supervisor import free_port
from tests.colorway.doctor.verdicts import the_wrong_one, verdicts
from tests.colorway.image_store.gcs_stand import GcsStand, gcs_stand
from tests.colorway.image_store.stands import SIGNING_KEY, FolderStand, folder_stand
from tests.faulty_front import Answer
from tests.google_cloud import GoogleCloud, fake_gcs

ALL = {"image store": "right", "signed link": "right"}


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    folder = tmp_path / "pictures"
    folder.mkdir()
    return folder


@pytest.fixture
def stand(pictures: Path) -> Iterator[FolderStand]:
    with folder_stand(pictures) as stand:
        yield stand


@pytest.fixture
def gcs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[GcsStand]:
    with fake_gcs() as server, gcs_stand(GoogleCloud(server), tmp_path, monkeypatch) as stand:
        yield stand


@pytest.fixture
def closed_folder() -> Iterator[Path]:
    """A folder that may be read and not written, by somebody whom that stops."""
    with tempfile.TemporaryDirectory(prefix="colorway-closed-") as name:
        folder, was = Path(name), os.geteuid()
        (folder / ".unfinished").mkdir()
        for each in (folder / ".unfinished", folder):
            each.chmod(0o555)
        if was == 0:
            os.seteuid(65534)
        try:
            yield folder
        finally:
            os.seteuid(was)
            folder.chmod(0o755)


def settings_of(stand: FolderStand | GcsStand) -> StoreSettings:
    return StoreSettings(image_store=stand.environment["IMAGE_STORE"], link_signing_key=SIGNING_KEY)


def in_folder(folder: Path, key: str = SIGNING_KEY) -> StoreSettings:
    return StoreSettings(image_store=folder.as_uri(), link_signing_key=key)


def test_a_healthy_folder_keeps_nothing(stand, pictures):
    found = verdicts(check_store(settings_of(stand), dispatcher_url=stand.dispatcher))

    assert found == ALL | {"clock against the dispatcher's": "right"}
    assert [path.name for path in pictures.rglob("*")] == [".unfinished"]


def test_a_worker_follows_no_links(stand):
    assert verdicts(check_store(settings_of(stand), dispatcher_url=None)) == {
        "image store": "right"
    }


def test_a_folder_that_is_not_there_is_not_made(tmp_path):
    folder = tmp_path / "nowhere"

    flaw = the_wrong_one(check_store(in_folder(folder), dispatcher_url=None))

    assert "there is no folder" in flaw.detail
    assert not folder.exists()


def test_a_folder_that_may_only_be_read(closed_folder):
    found = check_store(in_folder(closed_folder), dispatcher_url=None)

    flaw = the_wrong_one(found)

    assert "nothing can be put: the image folder is in trouble: Permission denied" in flaw.detail
    assert "write to the folder" in flaw.fix


def test_links_that_another_key_signs(stand, pictures):
    other = in_folder(pictures, "another-key-" * 4)

    flaw = the_wrong_one(check_store(other, dispatcher_url=stand.dispatcher))

    assert flaw.what == "signed link"
    assert "404" in flaw.detail
    assert "LINK_SIGNING_KEY" in flaw.fix


def test_links_that_no_dispatcher_serves(pictures):
    away = f"http://127.0.0.1:{free_port()}"

    found = verdicts(check_store(in_folder(pictures), dispatcher_url=away))

    assert found == {"image store": "right", "signed link": "unseen"}


def test_a_healthy_bucket_keeps_nothing(gcs):
    found = verdicts(check_store(settings_of(gcs), dispatcher_url="http://127.0.0.1:9"))

    assert {what: found[what] for what in ALL} == ALL
    assert list(gcs.store.list("")) == []


def test_a_bucket_that_is_not_there(gcs):
    settings = StoreSettings(image_store="gs://not-there", link_signing_key=SIGNING_KEY)

    [flaw, *_] = [it for it in check_store(settings, dispatcher_url=None) if it.verdict == "wrong"]

    assert flaw.fix == "create the bucket, or correct IMAGE_STORE"


def test_a_bucket_in_trouble(gcs):
    gcs.front.gate = lambda request: (
        Answer(503) if "/upload" in request.path else gcs.google(request)
    )

    flaw = the_wrong_one(check_store(settings_of(gcs), dispatcher_url=None))

    assert "nothing can be put" in flaw.detail
    assert "503" in flaw.detail


def test_a_bucket_whose_links_cannot_be_followed(gcs):
    def refuse_links(request):
        is_link = request.method == "GET" and "X-Goog-Signature" in request.path
        return Answer(403) if is_link else gcs.google(request)

    gcs.front.gate = refuse_links

    flaw = the_wrong_one(check_store(settings_of(gcs), dispatcher_url="http://127.0.0.1:9"))

    assert flaw.what == "signed link"
    assert "403" in flaw.detail
    assert list(open_store(settings_of(gcs)).list("")) == []
