from __future__ import annotations

import json
from uuid import UUID

import pytest

from colorway.errors import Malformed
from colorway.job import Priority
from colorway.render_task import Nudge, RenderTask

COLORWAY = UUID("01980000-0000-7000-8000-000000000001")
TASK = RenderTask(COLORWAY, epoch=2)


def test_a_task_comes_out_of_json_as_it_went_in():
    assert RenderTask.from_json(TASK.to_json()) == TASK


def test_a_task_says_no_more_than_where_to_look():
    assert json.loads(TASK.to_json()) == {"v": 1, "colorway": str(COLORWAY), "epoch": 2}


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"\xff",
        b"null",
        b"[]",
        b'"text"',
        b"{}",
        b"[" * 100_000,
        b'{"v": 1, "colorway": "01980000-0000-7000-8000-000000000001", "epoch": -1}',
        b'{"v": 1, "colorway": "01980000-0000-7000-8000-000000000001", "epoch": 99999999999}',
        b'{"v": 1, "colorway": "nord", "epoch": 0}',
        b'{"v": 1, "colorway": 7, "epoch": 0}',
        b'{"v": 1, "colorway": null, "epoch": 0}',
        b'{"v": 1, "colorway": "01980000-0000-7000-8000-000000000001"}',
        b'{"v": 1, "colorway": "01980000-0000-7000-8000-000000000001", "epoch": "0"}',
        b'{"v": 1, "colorway": "01980000-0000-7000-8000-000000000001", "epoch": true}',
        b'{"v": 1, "colorway": "01980000-0000-7000-8000-000000000001", "epoch": 0.5}',
        b'{"v": 2, "colorway": "01980000-0000-7000-8000-000000000001", "epoch": 0}',
    ],
)
def test_what_is_no_task_is_malformed(body):
    with pytest.raises(Malformed):
        RenderTask.from_json(body)


def test_the_same_delivery_has_the_same_name():
    assert Nudge(TASK, 3, Priority.LOW).name() == Nudge(TASK, 3, Priority.LOW).name()


@pytest.mark.parametrize(
    "other",
    [
        Nudge(TASK, 4, Priority.LOW),
        Nudge(RenderTask(COLORWAY, 3), 3, Priority.LOW),
        Nudge(RenderTask(UUID(int=1), 2), 3, Priority.LOW),
    ],
)
def test_every_other_delivery_has_another_name(other):
    assert other.name() != Nudge(TASK, 3, Priority.LOW).name()


def test_a_name_is_what_the_queue_takes_for_one():
    name = Nudge(TASK, 3, Priority.LOW).name()

    assert len(name) <= 500
    assert name.isalnum()
