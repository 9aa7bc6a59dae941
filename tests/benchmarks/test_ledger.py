"""The benchmark of the ledger times calls of several threads, and rivals in turn."""

from functools import partial
from threading import Barrier

import pytest

from benchmarks.ledger import in_turn, together


def test_as_many_calls_are_made_at_once_as_there_are_threads():
    meeting = Barrier(3, timeout=10)

    turn = together([meeting.wait] * 6, 3)

    assert len(turn.calls) == 6


def test_what_comes_before_the_first_end_counts_for_its_call_alone():
    seconds = iter([0, 50, 50, 51, 51, 53])

    turn = together([int, int, int], 1, clock=lambda: next(seconds))

    assert turn.calls == [50, 1, 2]
    assert turn.seconds == 3 * 1.5


def test_every_call_is_made_once():
    made = []

    together([partial(made.append, number) for number in range(200)], 4)

    assert sorted(made) == list(range(200))


def test_a_call_that_fails_ends_the_benchmark():
    with pytest.raises(ZeroDivisionError):
        together([partial(divmod, 1, number) for number in (1, 0, 1)], 2)


def test_rivals_take_turns_back_and_forth_and_the_first_round_does_not_count():
    order = []

    def rival(name):
        order.append(name)
        yield [int, int]
        yield [int, int, int]

    turns = in_turn({name: partial(rival, name) for name in "ab"}, rounds=2, threads=1)

    assert order == ["b", "a", "a", "b", "b", "a"]
    assert {name: [len(turn.calls) for turn in found] for name, found in turns.items()} == {
        "a": [5, 5],
        "b": [5, 5],
    }
