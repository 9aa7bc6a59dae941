"""Pixels stay what they were until ENGINE_VERSION is raised."""

from __future__ import annotations

import pytest

from tests.palette_worker.rendering.golden import CASES, FOLDER, drawn, golden, largest_difference


@pytest.mark.parametrize("case", CASES)
def test_a_rendition_looks_as_this_engine_version_promises(case):
    assert golden(case).exists(), "no golden pictures of this ENGINE_VERSION: make golden"

    # one level is what another processor's rounding may move
    assert largest_difference(case, drawn(case)) <= 1, "pixels moved: raise ENGINE_VERSION"


def test_no_golden_pictures_of_other_engine_versions_are_kept():
    assert [folder.name for folder in FOLDER.iterdir()] == [golden("photo").parent.name]
