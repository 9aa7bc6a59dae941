"""64 MiB go into every store and come out of it without ever being in memory at once."""

from __future__ import annotations

import json
import os
import subprocess
import sys

from tests.databases import ROOT

EIGHT_MIB = 8 << 10  # in KiB


def test_a_process_grows_by_less_than_8_mib_whatever_it_stores_or_reads(linked):
    told = subprocess.run(
        [sys.executable, "-m", "tests.colorway.image_store.large_object"],
        cwd=ROOT,
        env={**os.environ, **linked.environment},
        capture_output=True,
        text=True,
        check=False,
    )

    assert told.returncode == 0, told.stderr
    grown = json.loads(told.stdout)
    assert grown["whole"]
    assert grown["put"] < EIGHT_MIB
    assert grown["open"] < EIGHT_MIB
