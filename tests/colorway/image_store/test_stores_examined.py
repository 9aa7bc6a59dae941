"""What the doctors find out about a store, and that they leave nothing in it."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from colorway.doctor.store import check_store
from colorway.settings import StoreSettings
from demo.supervisor import free_port
from tests.colorway.doctor.verdicts import the_wrong_one, verdicts
from tests.colorway.image_store.stands import SIGNING_KEY
from tests.faulty_front import Answer

SOUND = {"image store": "right", "signed link": "right"}
AWAY = "http://127.0.0.1:9"  # a store that is reached over a network needs no dispatcher


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


def settings_of(stand, **differs):
    """Read the settings that open the stand's store."""
    told = {name.lower(): said for name, said in stand.environment.items()} | differs
    known = StoreSettings.model_fields
    return StoreSettings(**{name: said for name, said in told.items() if name in known})


def in_folder(folder, key=SIGNING_KEY):
    return StoreSettings(image_store=folder.as_uri(), link_signing_key=key)


def examined(settings, dispatcher=None):
    return list(check_store(settings, dispatcher_url=dispatcher))


def test_a_sound_one_keeps_nothing(linked):
    found = verdicts(examined(settings_of(linked), getattr(linked, "dispatcher", AWAY)))

    assert {what: found[what] for what in SOUND} == SOUND
    assert "wrong" not in found.values()
    assert list(linked.store.list("")) == []


def test_a_folder_looks_as_before(folder, tmp_path):
    examined(settings_of(folder), folder.dispatcher)

    assert [path.name for path in (tmp_path / "pictures").rglob("*")] == [".unfinished"]


def test_a_worker_follows_no_links(linked):
    assert verdicts(examined(settings_of(linked))) == {"image store": "right"}


def test_a_folder_that_is_not_there_is_not_made(tmp_path):
    flaw = the_wrong_one(examined(in_folder(tmp_path / "nowhere")))

    assert "there is no folder" in flaw.detail
    assert not (tmp_path / "nowhere").exists()


def test_a_folder_that_may_only_be_read(closed_folder):
    flaw = the_wrong_one(examined(in_folder(closed_folder)))

    assert "nothing can be put: the image folder is in trouble: Permission denied" in flaw.detail
    assert "write to the folder" in flaw.fix


def test_links_that_another_key_signs(folder, tmp_path):
    other = in_folder(tmp_path / "pictures", "another-key-" * 4)

    flaw = the_wrong_one(examined(other, folder.dispatcher))

    assert flaw.what == "signed link"
    assert "404" in flaw.detail
    assert "LINK_SIGNING_KEY" in flaw.fix


def test_links_that_no_dispatcher_serves(folder):
    found = verdicts(examined(settings_of(folder), f"http://127.0.0.1:{free_port()}"))

    assert found == {"image store": "right", "signed link": "unseen"}


@pytest.mark.parametrize(("kind", "scheme"), [("gcs", "gs"), ("supabase", "supabase")])
def test_a_bucket_that_is_not_there(request, kind, scheme):
    stand = request.getfixturevalue(kind)

    found = examined(settings_of(stand, image_store=f"{scheme}://not-there"))

    flaws = [it for it in found if it.verdict == "wrong"]
    assert "the bucket, or correct IMAGE_STORE" in flaws[0].fix


def test_a_key_that_is_not_known(supabase):
    settings = settings_of(supabase, supabase_key="sb_secret_hunter2")

    flaws = [it for it in examined(settings) if it.verdict == "wrong"]

    assert "SUPABASE_KEY" in flaws[0].fix
    assert "hunter2" not in repr(flaws)


def test_a_store_that_takes_nothing(far):
    was = far.front.gate
    far.front.gate = lambda request: (
        Answer(503) if request.method == "POST" and "/token" not in request.path else was(request)
    )

    flaws = [it for it in examined(settings_of(far)) if it.verdict == "wrong"]

    assert "nothing can be put" in flaws[0].detail
    assert "503" in flaws[0].detail


def test_links_that_cannot_be_followed(gcs):
    def refuse_links(request):
        is_link = request.method == "GET" and "X-Goog-Signature" in request.path
        return Answer(403) if is_link else gcs.google(request)

    gcs.front.gate = refuse_links

    flaw = the_wrong_one(examined(settings_of(gcs), AWAY))

    assert flaw.what == "signed link"
    assert "403" in flaw.detail
    assert list(gcs.store.list("")) == []
