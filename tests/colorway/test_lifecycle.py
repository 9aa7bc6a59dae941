from __future__ import annotations

import pytest

from colorway.lifecycle import MAX_TRIES, Status, is_last_try


def test_a_colorway_has_three_ends():
    ends = {status for status in Status if status.is_final}

    assert ends == {Status.COMPLETED, Status.FAILED, Status.CANCELLED}


def test_states_are_spelled_as_clients_see_them():
    assert [str(status) for status in Status] == [
        "pending",
        "processing",
        "completed",
        "failed",
        "cancelled",
    ]


@pytest.mark.parametrize(
    ("tries", "is_last"), [(0, False), (MAX_TRIES - 1, False), (MAX_TRIES, True)]
)
def test_a_colorway_is_given_up_after_its_last_try(tries, is_last):
    assert is_last_try(tries) is is_last
