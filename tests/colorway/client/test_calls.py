"""Every call of the API, made by the client of a real dispatcher."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zipfile import ZipFile

import pytest

from colorway.client import ApiProblem, Client, Job
from colorway.palette import CATALOGUE
from tests.colorway.service import PICTURE, THUMBNAIL, rendered
from tests.dispatcher.stage import Stage, a_png, many_palettes, palettes


def test_a_picture_is_submitted_from_a_path_from_bytes_and_from_a_file(
    client: Client, tmp_path: Path
) -> None:
    path = tmp_path / "photo.png"
    path.write_bytes(a_png())

    jobs = [client.submit(picture, CATALOGUE) for picture in (path, str(path), a_png())]
    with path.open("rb") as file:
        jobs.append(client.submit(file, CATALOGUE))

    assert {job.image.sha256 for job in jobs} == {hashlib.sha256(a_png()).hexdigest()}
    assert len({job.id for job in jobs}) == 4
    assert [colorway.colors for colorway in jobs[0].colorways] == [
        palette.colors for palette in CATALOGUE
    ]


def test_a_picture_that_was_uploaded_is_submitted_by_its_id(client: Client) -> None:
    image = client.upload(a_png())

    job = client.submit(
        {"id": image.id},
        [{"key": "night", "name": "Nord", "colors": ["#123", "#fff"]}],
        output={"format": "webp", "max_edge": 64},
        priority="high",
        metadata={"campaign": "spring"},
    )

    assert image == client.image(image.id)
    assert job.image.model_dump().items() <= image.model_dump().items()
    assert [colorway.key for colorway in job.colorways] == ["night"]
    assert (job.output["format"], job.priority) == ("webp", "high")
    assert job.metadata == {"campaign": "spring"}
    assert client.job(job.id) == job


def test_the_same_key_is_the_same_job(client: Client) -> None:
    first, second = (
        client.submit(a_png(), palettes("nord"), idempotency_key="spring-42") for _ in range(2)
    )

    assert first == second
    assert [job.id for job in client.jobs()] == [first.id]


def test_everything_wrong_is_told_at_once(client: Client) -> None:
    wrong = [{"name": "", "colors": ["#12", "#fff"]}, {"name": "Nord", "colors": ["#fff"]}]

    with pytest.raises(ApiProblem) as caught:
        client.submit(a_png(), wrong)

    problem = caught.value
    assert (problem.status, problem.code) == (422, "validation")
    assert {flaw.pointer for flaw in problem.errors} == {
        "#/palettes/0/name",
        "#/palettes/0/colors/0",
        "#/palettes/1/colors",
    }
    assert list(client.jobs()) == []


def test_jobs_are_listed_over_all_pages(client: Client) -> None:
    image = client.upload(a_png())
    made = [client.submit({"id": image.id}, palettes("nord")) for _ in range(5)]
    client.cancel(made[0].id)

    listed = [job.id for job in client.jobs(page_size=2)]
    cancelled = [job.id for job in client.jobs(status="cancelled")]

    assert listed == [job.id for job in reversed(made)]
    assert cancelled == [made[0].id]


def test_jobs_are_listed_by_time(client: Client) -> None:
    job = client.submit(a_png(), palettes("nord"))
    now, hour = datetime.now(UTC), timedelta(hours=1)

    assert [found.id for found in client.jobs(created_after=now - hour)] == [job.id]
    assert [found.id for found in client.jobs(created_before=now + hour)] == [job.id]
    assert list(client.jobs(created_after=now + hour)) == []


def test_colorways_are_listed_over_all_pages(client: Client, stage: Stage) -> None:
    keys = [f"palette-{number}" for number in range(500)]
    job = client.submit(a_png(), many_palettes(500))
    rendered(stage, job, keys[3])

    assert [colorway.key for colorway in client.colorways(job.id)] == keys
    assert len(job.colorways) == 100
    assert job.colorways_next is not None
    assert [each.index for each in client.colorways(job.id, status="completed")] == [3]
    assert client.colorway(job.id, keys[420]).index == 420


def test_a_picture_and_its_thumbnail_are_fetched(
    client: Client, stage: Stage, tmp_path: Path
) -> None:
    job = client.submit(a_png(), palettes("nord"))
    rendered(stage, job, "nord")

    client.fetch_image(job.id, "nord", tmp_path / "nord.png")
    client.fetch_thumbnail(job.id, "nord", tmp_path / "nord.webp")

    assert (tmp_path / "nord.png").read_bytes() == PICTURE
    assert (tmp_path / "nord.webp").read_bytes() == THUMBNAIL


def test_a_picture_that_is_not_finished_is_a_problem(client: Client, tmp_path: Path) -> None:
    job = client.submit(a_png(), palettes("nord"))

    with pytest.raises(ApiProblem, match="not-ready"):
        client.fetch_image(job.id, "nord", tmp_path / "nord.png")

    assert not (tmp_path / "nord.png").exists()


def test_a_job_is_cancelled_retried_and_deleted(client: Client) -> None:
    job = client.submit(a_png(), palettes("nord", "ink"))

    cancelled = client.cancel(job.id)
    one_again = client.retry(job.id, ["ink"])
    all_again = client.retry(job.id)
    client.cancel(job.id)
    client.delete_job(job.id)
    client.delete_image(job.image.id)

    assert (cancelled.status, cancelled.counts.cancelled) == ("cancelled", 2)
    assert (one_again.counts.pending, all_again.counts.pending) == (1, 2)
    assert list(client.jobs()) == []
    with pytest.raises(ApiProblem, match="404 not-found"):
        client.image(job.image.id)


def test_a_job_is_waited_for(client: Client, stage: Stage) -> None:
    job = client.submit(a_png(), palettes("nord", "ink"))
    seen: list[Job] = []

    def work(now: Job) -> None:
        """Render one more each time that there is news."""
        seen.append(now)
        if not now.done:
            rendered(stage, job, ("nord", "ink")[now.counts.completed])

    done = client.wait(job.id, within_s=30, on_progress=work)

    assert done.status == "completed"
    assert [now.counts.completed for now in seen] == [0, 1, 2]
    assert [now.progress_percent for now in seen] == [0, 50, 100]


def test_all_finished_pictures_are_fetched_as_one_archive(
    client: Client, stage: Stage, tmp_path: Path
) -> None:
    job = client.submit(a_png(), palettes("nord", "ink"))
    rendered(stage, job, "nord")

    client.fetch_archive(job.id, tmp_path / "all.zip")

    with ZipFile(tmp_path / "all.zip") as archive:
        assert PICTURE in [archive.read(name) for name in archive.namelist()]
        assert archive.testzip() is None


def test_an_estimate_tells_what_would_be_and_leaves_nothing(client: Client) -> None:
    found = client.estimate(a_png(), palettes("nord", "ink"), priority="low")

    assert (found.counts.total, found.counts.to_render, found.priority) == (2, 2, "low")
    assert [colorway.key for colorway in found.colorways] == ["nord", "ink"]
    assert (found.image.id, found.image.sha256) == (None, hashlib.sha256(a_png()).hexdigest())
    assert list(client.jobs()) == []


def test_a_picture_is_put_straight_into_the_store(client: Client, tmp_path: Path) -> None:
    path = tmp_path / "photo.png"
    path.write_bytes(a_png())

    image = client.upload_by_slot(path)
    again = client.upload_by_slot(path)
    told = client.upload_by_slot(path, content_type="image/webp")  # it is known: nobody looks

    assert image.sha256 == hashlib.sha256(a_png()).hexdigest()
    assert client.image(image.id) == image == again == told


def test_a_file_that_its_name_does_not_tell_of_needs_a_media_type(
    client: Client, tmp_path: Path
) -> None:
    path = tmp_path / "photo"
    path.write_bytes(a_png())

    with pytest.raises(ApiProblem, match="#/content_type"):
        client.upload_by_slot(path)

    assert client.upload_by_slot(path, content_type="image/png").format == "png"


def test_it_is_told_how_the_queue_does(client: Client) -> None:
    client.submit(a_png(), palettes("nord", "ink"), priority="high")

    stats = client.queue_stats()

    assert (stats.depth.high, stats.depth.normal, stats.processing) == (2, 0, 0)


def test_it_is_told_how_the_service_does(client: Client) -> None:
    assert client.health().status == "ok"
    assert client.ready().status == "ready"
