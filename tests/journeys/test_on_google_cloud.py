"""Through both services, the pictures in Google Cloud Storage: real processes on both sides."""

from __future__ import annotations

import zipfile
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path

import pytest

from colorway.client import ApiProblem
from demo.machine import Machine
from tests.colorway.image_store.gcs_stand import GcsStand, gcs_stand
from tests.faulty_front import CutRequest
from tests.google_cloud import GoogleCloud, fake_gcs
from tests.journeys.conftest import IMPATIENT
from tests.journeys.travel import TWO, a_photo, finished


@pytest.fixture
def gcs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[GcsStand]:
    with (
        fake_gcs() as server,
        gcs_stand(GoogleCloud(server), tmp_path, monkeypatch) as stand,
    ):
        yield stand


@pytest.fixture
def machine(gcs: GcsStand, tmp_path: Path) -> Iterator[Machine]:
    machine = Machine(tmp_path / "data", settings=IMPATIENT | gcs.environment)
    with machine.running():
        yield machine


def test_a_job_from_an_upload_slot_to_its_deletion(gcs, client, tmp_path):
    source = client.upload_by_slot(a_photo(tmp_path))
    uploads = [seen for seen in gcs.front.seen if "X-Goog-Signature" in seen.path]

    done = finished(client, client.submit({"id": source.id}, TWO))

    assert done.status == "completed"
    assert [upload.method for upload in uploads] == ["PUT"]
    pictures = [_picture(client, done, colorway, tmp_path) for colorway in done.colorways]
    assert [sha256(picture).hexdigest() for picture in pictures] == [
        colorway.result.sha256 for colorway in done.colorways
    ]
    client.fetch_archive(done.id, tmp_path / "all.zip")
    with zipfile.ZipFile(tmp_path / "all.zip") as archive:
        assert [archive.read(name) for name in archive.namelist()[:-1]] == pictures
    assert len(list(gcs.store.list(""))) == 1 + 2 * len(TWO)  # source, pictures, thumbnails

    client.delete_job(done.id)
    client.delete_image(source.id)

    assert list(gcs.store.list("")) == []
    with pytest.raises(ApiProblem, match="not-found"):
        client.job(done.id)


def test_an_upload_that_was_cut_is_made_again(gcs, client, tmp_path):
    image = client.upload(a_photo(tmp_path))
    gcs.front.fail(CutRequest(after=1000), times=3)

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
