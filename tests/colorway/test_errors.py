from __future__ import annotations

import pytest

from colorway import errors
from colorway.errors import ColorwayError, Conflict, Flaw, Hopeless, InvalidRequest, TryLater

REFUSALS = [
    (errors.Malformed, 400, "malformed"),
    (errors.Unauthenticated, 401, "unauthenticated"),
    (errors.Forbidden, 403, "forbidden"),
    (errors.NotFound, 404, "not-found"),
    (errors.Conflict, 409, "not-ready"),
    (errors.TooLarge, 413, "too-large"),
    (errors.WrongMediaType, 415, "media-type"),
    (errors.InvalidRequest, 422, "validation"),
]


@pytest.mark.parametrize(("refusal", "status", "code"), REFUSALS)
def test_a_refusal_knows_its_status_and_its_stable_name(refusal, status, code):
    error = refusal("because")

    assert (error.status, error.code, error.detail, str(error)) == (
        status,
        code,
        "because",
        "because",
    )


def test_a_refusal_may_have_a_more_exact_name():
    assert Conflict("a job uses it", code="in-use").code == "in-use"


def test_a_refusal_carries_every_flaw():
    flaws = (Flaw("/a", "x", "no"), Flaw("/b", "y", "no"))

    assert InvalidRequest("two flaws", flaws=flaws).flaws == flaws


def test_shared_trouble_says_when_to_come_back():
    assert TryLater("the store is away", retry_after=30).retry_after == 30


def test_shared_trouble_may_have_a_more_exact_name():
    assert TryLater("the ledger is away").code == "unavailable"
    assert TryLater("the store is away", code="store-unavailable").code == "store-unavailable"


def test_what_only_an_operator_can_end_is_no_reason_to_ask_again_soon():
    error = errors.Misconfigured("the store refuses our key")

    assert isinstance(error, TryLater)
    assert error.retry_after == 300


def test_a_hopeless_colorway_says_where_it_failed():
    error = Hopeless("not a picture", code="image-undecodable", phase="decode")

    assert (error.code, error.phase) == ("image-undecodable", "decode")


def test_all_our_errors_are_of_one_family():
    ours = [thing for thing in vars(errors).values() if isinstance(thing, type)]

    assert all(issubclass(e, ColorwayError) for e in ours if issubclass(e, Exception))
