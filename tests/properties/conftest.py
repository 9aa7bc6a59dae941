"""How long the stories are told: `HYPOTHESIS_PROFILE=long` for some minutes, else some seconds.

The suite tells the same stories on every run; the long profile tells new ones each time.
"""

from __future__ import annotations

import os
from tempfile import gettempdir

from hypothesis import HealthCheck, Phase, configuration, settings

configuration.set_hypothesis_home_dir(f"{gettempdir()}/colorway-hypothesis")
settings.register_profile(
    "suite",
    max_examples=50,
    stateful_step_count=40,
    derandomize=True,
    database=None,
    deadline=None,
    phases=(Phase.generate, Phase.shrink),
    suppress_health_check=[HealthCheck.too_slow],  # a story is some hundred transactions
)
settings.register_profile(
    "long",
    settings.get_profile("suite"),
    derandomize=False,
    max_examples=600,
    stateful_step_count=60,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "suite"))
