"""Settings are read once, and a bad environment fails once, with all that is wrong with it."""

from __future__ import annotations

from datetime import timedelta

import pytest

from colorway.settings import LedgerSettings, SharedSettings, read_settings
from dispatcher.settings import Settings

GOOD = {
    "DATABASE_URL": "postgresql+psycopg://user:hunter2@db/colorway",
    "IMAGE_STORE": "file:///pictures",
    "LINK_SIGNING_KEY": "a-very-secret-key-of-32-characters",
    "OIDC_CALLERS": "a@example.com, b@example.com,",
    "TASK_QUEUES": "projects/p/locations/l/queues/colorway-{priority}",
    "WORKER_URL": "https://worker.example",
    "DISPATCHER_URL": "https://dispatcher.example",
    "TASK_CALLER": "a@example.com",
}


@pytest.fixture
def environment(monkeypatch):
    """Set just these variables, of those that we read."""

    def become(**changes: str | None) -> None:
        for name in Settings.model_fields:
            monkeypatch.delenv(name.upper(), raising=False)
        for name, value in (GOOD | changes).items():
            if value is not None:
                monkeypatch.setenv(name, value)

    return become


def test_a_good_environment_is_read(environment):
    environment()

    settings = read_settings(Settings)

    assert settings.oidc_callers == {"a@example.com", "b@example.com"}
    assert settings.max_palettes == 500
    assert settings.reconcile_every is None


@pytest.mark.parametrize(
    ("text", "duration"),
    [
        ("90", timedelta(seconds=90)),
        ("0.5", timedelta(seconds=0.5)),
        ("PT1M", timedelta(minutes=1)),
    ],
)
def test_a_duration_is_seconds_or_iso_8601(environment, text, duration):
    environment(RECONCILE_EVERY=text)

    assert read_settings(Settings).reconcile_every == duration


@pytest.mark.parametrize(
    "url", ["sqlite:///data/ledger.db", "sqlite+pysqlite:///a.db", "postgresql://db/colorway"]
)
def test_a_ledger_needs_no_other_setting(environment, url):
    environment(**(dict.fromkeys(GOOD) | {"DATABASE_URL": url}))

    assert read_settings(LedgerSettings).database_url == url


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("DATABASE_URL", None),
        ("DATABASE_URL", ""),
        ("DATABASE_URL", "mysql://user:secret@db/colorway"),
        ("IMAGE_STORE", "pictures"),
        ("LINK_SIGNING_KEY", "short"),
        ("OIDC_CALLERS", ""),
        ("OIDC_CALLERS", " , "),
        ("LOG_LEVEL", "LOUD"),
        ("THREADS", "0"),
        ("THREADS", "many"),
        ("TASK_QUEUES", "projects/p/locations/l/queues/colorway"),
        ("WORKER_URL", "https://worker.example/"),
        ("DISPATCHER_URL", "dispatcher.example"),
        ("DISPATCH_DEADLINE", "5"),
        ("DISPATCH_DEADLINE", "soon"),
        ("MAX_PALETTES", "0"),
        ("ENQUEUE_INLINE", "-1"),
        ("MAX_PENDING", "0"),
        ("MAX_STORED_BYTES", "-1"),
        ("MAX_STORED_BYTES", "20 GB"),
        ("KEEP_JOBS_FOR", "0"),
        ("KEEP_IMAGES_FOR", "-1"),
        ("LINKS_WORK_FOR", "0"),
        ("SLOTS_WORK_FOR", "-1"),
        ("CLEANUP_EVERY", "0"),
        ("RATE_LIMIT", "6000"),
        ("RATE_LIMIT", "often"),
        ("RATE_LIMIT", "0 per minute"),
        ("RATE_LIMIT", "10 per fortnight"),
        ("RATE_LIMIT", "10 per second; 100 per minute"),
        ("RATE_LIMIT", " "),
    ],
)
def test_a_bad_one_is_named(environment, capsys, name, value):
    environment(**{name: value})

    with pytest.raises(SystemExit) as end:
        read_settings(Settings)

    assert end.value.code == 2
    assert f"setting {name}: " in capsys.readouterr().err


def test_supabase_needs_an_address_and_a_key(environment, capsys):
    environment(IMAGE_STORE="supabase://bucket/prefix", SUPABASE_KEY="")

    with pytest.raises(SystemExit):
        read_settings(Settings)

    said = capsys.readouterr().err
    assert "setting SUPABASE_URL: Value error, needed where IMAGE_STORE is supabase://" in said
    assert "setting SUPABASE_KEY: Value error, needed where IMAGE_STORE is supabase://" in said


def test_supabase_with_both_is_read(environment):
    environment(
        IMAGE_STORE="supabase://bucket/prefix",
        SUPABASE_URL="https://abc.supabase.co",
        SUPABASE_KEY="sb_secret_hunter2",
    )

    settings = read_settings(Settings)

    assert settings.supabase_url == "https://abc.supabase.co"
    assert "hunter2" not in repr(settings)


@pytest.mark.parametrize("rate", ["6000 per minute", "100/second", "10 per 5 minutes", ""])
def test_a_rate_is_a_number_and_a_time_or_nothing(environment, rate):
    environment(RATE_LIMIT=rate)

    assert read_settings(Settings).rate_limit == rate


def test_all_bad_ones_are_named_at_once_and_no_value_is_shown(environment, capsys):
    environment(LINK_SIGNING_KEY="hunter2", THREADS="0", TASK_CALLER=None)

    with pytest.raises(SystemExit):
        read_settings(Settings)

    said = capsys.readouterr().err
    assert said.count("setting ") == 3
    assert "docs/settings.md" in said
    assert "hunter2" not in said


def test_secrets_are_not_in_what_settings_print(environment):
    environment()

    settings = read_settings(Settings)

    for printed in (repr(settings), str(settings)):
        assert "hunter2" not in printed
        assert "a-very-secret" not in printed


def test_settings_do_not_change(environment):
    environment()
    settings = read_settings(SharedSettings)

    with pytest.raises(ValueError, match="frozen"):
        settings.log_level = "ERROR"
