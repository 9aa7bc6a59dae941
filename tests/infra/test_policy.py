"""Every environment holds to the policy, once applied."""

from __future__ import annotations

import pytest

from tests.infra.policy import complaints
from tests.infra.state import State
from tests.infra.terraform import ENVIRONMENTS


@pytest.mark.parametrize("environment", ENVIRONMENTS)
def test_nobody_may_more_than_needed_and_settings_fit_together(judge, environment):
    state = State.read(judge.state_of(environment))

    assert complaints(state) == []


def test_the_smallest_environment_keeps_nothing_on(judge):
    state = State.read(judge.state_of("minimal"))

    assert not state.has("google_sql_database_instance")
    for service in state.services.values():
        assert service.values["scaling"][0]["min_instance_count"] == 0


def test_production_can_be_undone(judge):
    [instance] = State.read(judge.state_of("prod")).of("google_sql_database_instance")

    backups = instance["settings"][0]["backup_configuration"][0]
    assert backups["enabled"]
    assert backups["point_in_time_recovery_enabled"]
    assert instance["deletion_protection"]
