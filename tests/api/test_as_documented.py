"""The real service does what its OpenAPI document says, whatever it is sent, and nothing else."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
import requests

from tests.api.fuzz import Fuzzer, a_fuzzer

SEED = "5"


@pytest.fixture(scope="module")
def fuzzer(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fuzzer]:
    with a_fuzzer(tmp_path_factory.mktemp("machine")) as fuzzer:
        yield fuzzer


@pytest.mark.parametrize(
    ("phase", "bound"),
    [
        ("examples", ()),  # those in the document
        ("coverage", ()),  # each bound of each schema, from either side
        ("fuzzing", ("--max-examples", "25")),  # at random, valid and not
        # one call after the other, by the document's links; begun anew where a second look at the
        # service differs from the first, so a number of scenarios would be no bound
        ("stateful", ("--max-time", "20")),
    ],
)
def test_schemathesis_finds_nothing(fuzzer, phase, bound):
    ran = fuzzer.run("--phases", phase, "--seed", SEED, *bound)

    assert ran.returncode == 0, ran.stdout


def test_every_call_was_made_as_it_is_meant(fuzzer):
    document = requests.get(f"{fuzzer.machine.dispatcher_url}/openapi.json", timeout=5).json()
    meant = {
        (method, path): {int(status) for status in said["responses"] if status < "4"}
        for path, calls in document["paths"].items()
        for method, said in calls.items()
    }

    answered = {
        (method, re.sub(r"<(?:\w+:)?(\w+)>", r"{\1}", route), status)
        for method, route, status in fuzzer.answered()
    }

    assert [
        call
        for call, statuses in meant.items()
        if not any((*call, status) in answered for status in statuses)
    ] == []
    assert not any(status >= 500 for _, _, status in answered)
