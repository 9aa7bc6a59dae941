"""Through both services, the pictures in a store over a network: real processes on both sides."""

from __future__ import annotations

import re
import zipfile
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path

import pytest
import requests

from colorway.client import ApiProblem
from demo.machine import Machine
from tests.colorway.image_store.gcs_stand import gcs_stand
from tests.colorway.image_store.stands import FarStand
from tests.colorway.image_store.supabase_stand import supabase_stand
from tests.faulty_front import CutRequest
from tests.google_cloud import GoogleCloud, fake_gcs
from tests.journeys.conftest import IMPATIENT
from tests.journeys.travel import TWO, a_photo, finished

SLOT = re.compile("X-Goog-Signature|/upload/sign/")


@pytest.fixture(params=["gcs", "supabase"])
def stand(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[FarStand]:
    if request.param == "supabase":
        with supabase_stand(tmp_path) as stand:
            yield stand
        return
    with fake_gcs() as server, gcs_stand(GoogleCloud(server), tmp_path, monkeypatch) as stand:
        yield stand


@pytest.fixture
def machine(stand: FarStand, tmp_path: Path) -> Iterator[Machine]:
    machine = Machine(tmp_path / "data", settings=IMPATIENT | stand.environment)
    with machine.running():
        yield machine


def test_a_job_from_an_upload_slot_to_its_deletion(stand, client, tmp_path):
    source = client.upload_by_slot(a_photo(tmp_path))
    uploads = [seen.method for seen in stand.front.seen if SLOT.search(seen.path)]

    done = finished(client, client.submit({"id": source.id}, TWO))

    assert done.status == "completed"
    assert "PUT" in uploads
    pictures = [_picture(client, done, colorway, tmp_path) for colorway in done.colorways]
    assert [sha256(picture).hexdigest() for picture in pictures] == [
        colorway.result.sha256 for colorway in done.colorways
    ]
    client.fetch_archive(done.id, tmp_path / "all.zip")
    with zipfile.ZipFile(tmp_path / "all.zip") as archive:
        assert [archive.read(name) for name in archive.namelist()[:-1]] == pictures
    assert len(list(stand.store.list(""))) == 1 + 2 * len(TWO)  # source, pictures, thumbnails

    client.delete_job(done.id)
    client.delete_image(source.id)

    assert list(stand.store.list("")) == []
    with pytest.raises(ApiProblem, match="not-found"):
        client.job(done.id)


@pytest.mark.parametrize(
    ("query", "media_type"), [("", "image/png"), ("?thumbnail=1", "image/webp")]
)
def test_whoever_asks_for_a_picture_is_sent_to_the_store(
    stand, machine, client, tmp_path, query, media_type
):
    done = finished(client, client.submit(a_photo(tmp_path), TWO))
    key = done.colorways[0].key
    asked = f"{machine.dispatcher_url}/v1/jobs/{done.id}/colorways/{key}/image{query}"
    ours = {"Authorization": f"Bearer {machine.api_key}"}

    sent = requests.get(asked, headers=ours, allow_redirects=False, timeout=5)
    got = requests.get(sent.headers["Location"], timeout=5)

    assert sent.status_code == 307
    assert sent.headers["Location"].startswith(stand.front.url)
    assert got.headers["Content-Type"] == media_type
    assert key in got.headers["Content-Disposition"]


def test_an_upload_that_was_cut_is_made_again(stand, client, tmp_path):
    image = client.upload(a_photo(tmp_path))
    stand.front.fail(CutRequest(after=1000), times=3)

    done = finished(client, client.submit({"id": image.id}, TWO))

    assert done.status == "completed"
    for colorway in done.colorways:
        picture = _picture(client, done, colorway, tmp_path)
        assert sha256(picture).hexdigest() == colorway.result.sha256


def _picture(client, job, colorway, folder):
    """Return the picture that the colorway's link leads to."""
    file = folder / f"{colorway.key}.png"
    client.fetch_image(job.id, colorway.key, file)
    return file.read_bytes()
