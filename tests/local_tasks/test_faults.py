"""The value that says what goes wrong on purpose: how often, to whom, and as text."""

import pytest

from local_tasks.faults import NO_FAULTS, REORDERED_WITHIN, Faults
from tests.local_tasks.stage import QUEUE

T1 = f"{QUEUE}/tasks/t1"
MANY = [f"{QUEUE}/tasks/t{number}" for number in range(1000)]


def test_nothing_goes_wrong_unless_told():
    harm = [
        (
            NO_FAULTS.is_forgotten(task, 1),
            NO_FAULTS.has_twin_beside(task, 1),
            NO_FAULTS.has_twin_behind(task, 1),
            NO_FAULTS.is_answer_dropped(task, 1),
            NO_FAULTS.put_off(task, 100.0),
        )
        for task in MANY
    ]

    assert set(harm) == {(False, False, False, False, 100.0)}


@pytest.mark.parametrize("probability", [0.1, 0.5, 0.9])
def test_a_fault_strikes_as_often_as_its_probability_says(probability: float):
    faults = Faults(*[probability] * 6)

    shares = [
        sum(faults.is_forgotten(task, 1) for task in MANY),
        sum(faults.is_answer_dropped(task, 1) for task in MANY),
        sum(faults.has_twin_beside(task, 1) for task in MANY) / probability,
        sum(faults.has_twin_behind(task, 1) for task in MANY) / (1 - probability),
        sum(Faults(delay=probability).put_off(task, 0) > 0 for task in MANY),
        sum(Faults(reorder=probability).put_off(task, 0) > 0 for task in MANY),
    ]

    assert shares == pytest.approx([probability * 1000] * 6, abs=100)


def test_an_attempt_has_a_twin_on_one_side_only():
    faults = Faults(deliver_twice=1)

    sides = [(faults.has_twin_beside(task, 1), faults.has_twin_behind(task, 1)) for task in MANY]

    assert set(sides) == {(True, False), (False, True)}


def test_the_same_seed_does_the_same_to_the_same_tasks_in_any_order():
    forward = [Faults(drop_answer=0.5, seed=7).is_answer_dropped(task, 1) for task in MANY]
    backward = [Faults(drop_answer=0.5, seed=7).is_answer_dropped(task, 1) for task in MANY[::-1]]
    other_seed = [Faults(drop_answer=0.5, seed=8).is_answer_dropped(task, 1) for task in MANY]

    assert forward == backward[::-1]
    assert forward != other_seed


def test_each_attempt_and_each_due_time_has_a_chance_of_its_own():
    half = Faults(deliver_twice=0.5, overlap=1, drop_answer=0.5)
    sides = Faults(deliver_twice=1, overlap=0.5)

    chances = [
        {half.is_answer_dropped(T1, attempt) for attempt in range(100)},
        {half.has_twin_beside(T1, attempt) for attempt in range(100)},
        {sides.has_twin_beside(T1, attempt) for attempt in range(100)},
        {Faults(delay=0.5).put_off(T1, due_at) == due_at for due_at in range(100)},
        {Faults(reorder=0.5).put_off(T1, due_at) == due_at for due_at in range(100)},
    ]

    assert chances == [{True, False}] * 5


def test_one_fault_does_not_follow_another():
    faults = Faults(forget=0.5, drop_answer=0.5, deliver_twice=0.5, overlap=1)

    together = {
        (
            faults.is_forgotten(task, 1),
            faults.is_answer_dropped(task, 1),
            faults.has_twin_beside(task, 1),
        )
        for task in MANY
    }

    assert len(together) == 8


def test_what_is_put_off_is_put_off_by_any_time_up_to_the_longest():
    delays = [Faults(delay=1, max_delay=3).put_off(task, 100.0) - 100 for task in MANY]
    windows = [Faults(reorder=1).put_off(task, 100.0) - 100 for task in MANY]
    both = [Faults(delay=1, max_delay=3, reorder=1).put_off(task, 100.0) - 100 for task in MANY]

    for seconds, longest in ((delays, 3), (windows, REORDERED_WITHIN)):
        assert 0 < min(seconds) < longest / 10
        assert longest * 0.9 < max(seconds) <= longest
    assert both == pytest.approx([a + b for a, b in zip(delays, windows, strict=True)])


def test_an_assignment_sets_what_it_names():
    faults = NO_FAULTS

    for assignment in ("deliver_twice=0.1", "overlap=1", "drop_answer=.05", "delay=0.2"):
        faults = faults.with_fault(assignment)
    for assignment in ("max_delay=2", "reorder=0.3", "forget=0", "seed=7"):
        faults = faults.with_fault(assignment)

    assert faults == Faults(
        deliver_twice=0.1,
        overlap=1,
        drop_answer=0.05,
        delay=0.2,
        max_delay=2,
        reorder=0.3,
        forget=0,
        seed=7,
    )


@pytest.mark.parametrize(
    ("assignment", "complaint"),
    [
        ("speed=1", "there is no fault 'speed'; there are: deliver_twice, overlap, drop_answer, "),
        ("", "there is no fault ''; "),
        ("delay", "delay is a probability, a number from 0 to 1"),
        ("delay=x", "delay is a probability, a number from 0 to 1"),
        ("delay=nan", "delay is a probability, a number from 0 to 1"),
        ("forget=1.1", "forget is a probability, a number from 0 to 1"),
        ("reorder=-0.1", "reorder is a probability, a number from 0 to 1"),
        ("max_delay=0", "max_delay is a number of seconds above 0"),
        ("max_delay=inf", "max_delay is a number of seconds above 0"),
        ("max_delay=2s", "max_delay is a number of seconds above 0"),
        ("seed=0.5", "seed is a whole number"),
    ],
)
def test_an_assignment_that_makes_no_sense_is_refused(assignment: str, complaint: str):
    with pytest.raises(ValueError, match=f"^{complaint}"):
        NO_FAULTS.with_fault(assignment)


def test_a_seed_that_is_no_whole_number_is_refused():
    with pytest.raises(ValueError, match="seed is a whole number"):
        Faults(seed=0.5)  # type: ignore[arg-type]
