from __future__ import annotations

from sqlalchemy import update

from colorway.job import OutputOptions, RenderOptions
from colorway.ledger.images import note_frames
from colorway.ledger.orders import order_of
from colorway.ledger.tables import colorways, images
from colorway.lifecycle import Status
from colorway.render_task import RenderTask
from tests.builders import MINUTE, NOON, a_claim, a_job, a_palette, an_image, row_of


def test_an_order_says_all_that_rendering_needs(session):
    image = an_image(session)
    render = RenderOptions(strength=0.5, preserve_luminance=False)
    output = OutputOptions(format="webp", quality=70, lossless=False, max_edge=512)
    job, [_, task] = a_job(
        session, palettes=("nord", "ink"), image=image, render=render, output=output
    )

    order = order_of(session, task)

    assert (order.account, order.job, order.key) == (image.account_id, job, "ink")
    assert order.palette == a_palette("ink")
    assert (order.render, order.output) == (render, output)
    assert order.fingerprint == row_of(session, colorways, task.colorway).fingerprint
    assert (order.opened_at, order.status) == (NOON, Status.PENDING)


def test_an_order_says_where_its_source_is_and_what_to_expect(session):
    image = an_image(session)
    _, [task] = a_job(session, image=image)
    note_frames(session, image.id, 3)

    source = order_of(session, task).source

    assert (source.image, source.key, source.sha256) == (image.id, image.key, image.sha256)
    assert (source.bytes, source.width, source.height, source.frames) == (1000, 64, 48, 3)


def test_an_order_knows_how_its_colorway_stands(session):
    _, [task] = a_job(session)
    a_claim(session, task)

    assert order_of(session, task).status is Status.PROCESSING


def test_an_order_is_rendered_alone_where_a_lease_ran_out_or_its_source_killed_a_worker(session):
    image, suspect = an_image(session), an_image(session, seed="suspect")
    _, [healthy, lost, leased] = a_job(session, ("nord", "ink", "grape"), image=image)
    _, [beside_a_death] = a_job(session, image=suspect)
    the_lost = update(colorways).where(colorways.c.id == lost.colorway)
    session.execute(the_lost.values(alone=True))
    session.execute(update(images).where(images.c.id == suspect.id).values(deaths=1))
    a_claim(session, leased)  # an attempt only begins on it where the lease has run out

    tasks = (healthy, lost, leased, beside_a_death)
    alone = [order_of(session, task).alone for task in tasks]

    assert alone == [False, True, True, True]


def test_an_order_is_alone_where_the_claim_will_be(session):
    _, tasks = a_job(session, ("nord", "ink", "grape"))
    a_claim(session, tasks[0])
    session.execute(update(colorways).where(colorways.c.id == tasks[1].colorway).values(alone=True))

    expected = [order_of(session, task).alone for task in tasks]
    claims = [a_claim(session, task, now=NOON + 2 * MINUTE) for task in tasks]

    assert [held.alone for held in claims] == expected == [True, True, False]


def test_a_task_of_another_epoch_orders_nothing(session):
    _, [task] = a_job(session)
    session.execute(update(colorways).values(epoch=1))

    assert order_of(session, task) is None
    assert order_of(session, RenderTask(task.colorway, 1)) is not None


def test_a_colorway_that_does_not_exist_orders_nothing(session):
    job, _ = a_job(session)

    assert order_of(session, RenderTask(job, 0)) is None
