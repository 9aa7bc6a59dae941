"""The calculations of benchmarks/ begin with what production really has."""

from __future__ import annotations

from benchmarks.capacity import Shape
from benchmarks.cost import AlwaysOn
from tests.infra.state import State


def test_the_shape_is_that_of_production(judge):
    state = State.read(judge.state_of("prod"))
    worker, dispatcher = state.services["worker"], state.services["dispatcher"]
    [queue] = [q for q in state.of("google_cloud_tasks_queue") if "-normal-" in q["name"]]
    limits, [budget] = queue["rate_limits"][0], state.of("google_billing_budget")

    assert Shape() == Shape(
        workers=worker.instances,
        worker_cpu=worker.cpu,
        worker_slots=worker.concurrency,
        worker_uploads=int(worker.env["MAX_PARALLEL_UPLOADS"]),
        worker_pool=int(worker.env["THREADS"]) + 2,  # the heartbeat, the drain
        dispatchers=dispatcher.instances,
        dispatcher_cpu=dispatcher.cpu,
        dispatcher_threads=int(dispatcher.env["THREADS"]),
        dispatcher_pool=int(dispatcher.env["DATABASE_POOL"]),
        queue_at_once=limits["max_concurrent_dispatches"],
        queue_per_second=limits["max_dispatches_per_second"],
        connections=state.outputs["max_connections"],
        database_cpu=vcpu_of(state)[0],
        budget=float(budget["amount"][0]["specified_amount"][0]["units"]),
    )


def test_what_is_always_on_is_production_s(judge):
    state = State.read(judge.state_of("prod"))
    [database] = state.of("google_sql_database_instance")
    settings, (vcpu, gb) = database["settings"][0], vcpu_of(state)

    assert AlwaysOn() == AlwaysOn(
        database_vcpu=vcpu,
        database_gb=gb,
        database_zones=2 if settings["availability_type"] == "REGIONAL" else 1,
        disk_gb=settings["disk_size"],
        dispatchers=state.services["dispatcher"].values["scaling"][0]["min_instance_count"],
    )


def vcpu_of(state: State) -> tuple[float, float]:
    """Return the vCPUs and GB of memory of db-custom-<vCPUs>-<MB>."""
    [database] = state.of("google_sql_database_instance")
    vcpu, mb = database["settings"][0]["tier"].removeprefix("db-custom-").split("-")
    return float(vcpu), float(mb) / 1024
