"""Which tests are to notice what breaks where."""

from __future__ import annotations

LEDGER_TESTS = ("tests/colorway/ledger",)
REUSE_TESTS = (
    "tests/colorway/ledger/test_submission.py",
    "tests/colorway/ledger/test_retention_races.py",
    "tests/dispatcher/test_known_pictures.py",
)
WORKER_TESTS = (
    "tests/palette_worker/test_attempt.py",
    "tests/palette_worker/test_attempt_trouble.py",
    "tests/palette_worker/test_attempt_limits.py",
    "tests/palette_worker/test_store_trouble.py",
    "tests/palette_worker/test_ledger_away.py",
    "tests/palette_worker/test_alone.py",
    "tests/palette_worker/test_heartbeat.py",
    "tests/palette_worker/test_worker_draining.py",
    "tests/palette_worker/test_worker_routes.py",
)
RECONCILER_TESTS = ("tests/dispatcher/test_reconciler.py",)
REMOVAL_TESTS = (
    "tests/colorway/ledger/test_removal.py",
    "tests/colorway/ledger/test_removal_races.py",
    "tests/dispatcher/test_delete.py",
)
DELIVERY_TESTS = ("tests/dispatcher/test_delivery.py", "tests/dispatcher/test_task_queue.py")
ONCE_TESTS = (
    "tests/colorway/ledger/test_idempotency_keys.py",
    "tests/dispatcher/test_idempotency.py",
    "tests/dispatcher/test_idempotency_in_flight.py",
)
QUOTA_TESTS = (
    "tests/colorway/ledger/test_quotas.py",
    "tests/colorway/ledger/test_lock_order.py",
    "tests/dispatcher/test_over_quota.py",
)
