"""What is kept no longer goes, and whatever is in use stays."""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict, replace
from datetime import timedelta
from pathlib import Path
from uuid import UUID

import pytest
from sqlalchemy import select
from structlog.testing import capture_logs

from colorway.errors import TryLater
from colorway.image_keys import source_key
from colorway.ledger.connection import Ledger
from colorway.ledger.images import SourceFacts, record_image, want_image
from colorway.ledger.lapse import give_up
from colorway.ledger.tables import colorways
from dispatcher.cleanup import Removed, objects, rows
from dispatcher.cleanup.duty import Premises
from tests.builders import DAY, NOON, an_account
from tests.colorway.ledger.test_races import at_once
from tests.dispatcher.litter import CLEANING, FRESH, IN_ALL, Litter, a_litter
from tests.fakes import HookedStore, away

NOTHING = Removed(foreign=IN_ALL.foreign)


@pytest.fixture
def litter(ledger: Ledger, tmp_path: Path) -> Litter:
    return a_litter(ledger, tmp_path)


@pytest.fixture
def small_pages(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let one look find so little that every duty takes several."""
    monkeypatch.setattr(rows, "MOST", 2)
    monkeypatch.setattr(rows, "MOST_JOBS", 2)
    monkeypatch.setattr(objects, "MOST", 3)


def summed(calls: list[Removed]) -> Removed:
    """Return what these calls have removed together."""
    total: Counter[str] = Counter()
    for call in calls:
        total.update(asdict(call))
    return replace(Removed.counted(total), foreign=calls[0].foreign)


def an_account_in(ledger):
    with ledger.transaction() as session:
        return an_account(session, "late")


def test_what_is_kept_no_longer_goes_and_whatever_is_in_use_stays(litter):
    removed = litter.cleanup().clean_up(now=CLEANING)

    assert removed == IN_ALL
    assert litter.stored() == litter.kept
    litter.require_whole()
    left = {name: len(found) for name, found in litter.rows().items()}
    assert (left["jobs"], left["images"], left["renditions"]) == (4, 6, 7)
    assert (left["upload_slots"], left["idempotency_keys"]) == (3, 1)
    assert litter.cleanup().clean_up(now=CLEANING) == NOTHING


def test_a_dry_run_changes_nothing_and_says_what_a_run_does(litter, small_pages):
    rows_before, keys_before = litter.rows(), litter.stored()

    foreseen = litter.cleanup().foresee(now=CLEANING)

    assert foreseen == IN_ALL
    assert (litter.rows(), litter.stored()) == (rows_before, keys_before)


def test_a_month_earlier_there_is_nothing_to_remove_but_old_objects(litter):
    removed = litter.cleanup().clean_up(now=NOON + timedelta(hours=23))

    assert replace(removed, pictures=0, foreign=0) == Removed()
    assert removed.pictures == 1  # the one that somebody's hand has made useless
    litter.require_whole()


def test_a_call_whose_time_is_up_looks_at_one_page_of_each_and_the_next_goes_on(
    litter, small_pages
):
    cleanup = litter.cleanup(cleanup_for=0)
    calls = []
    for _ in range(30):
        calls.append(cleanup.clean_up(now=CLEANING))
        litter.require_whole()

    assert calls[0].more
    assert calls[0] != replace(IN_ALL, more=True)
    assert summed(calls) == replace(IN_ALL, foreign=calls[0].foreign)
    assert litter.stored() == litter.kept


def test_a_round_that_is_done_begins_anew_and_who_has_all_time_goes_round_at_once(
    litter, small_pages
):
    cleanup = litter.cleanup(cleanup_for=0)
    cleanup.clean_up(now=CLEANING)
    all_else = cleanup.clean_up_all(now=CLEANING)
    litter.put(late := source_key(UUID(int=0), "d" * 64, UUID(int=0)), stays=False)

    removed = cleanup.clean_up(now=CLEANING)

    assert not all_else.more
    assert removed.orphans == 1
    assert late not in litter.stored()


def test_several_at_once_remove_everything_once(litter, small_pages):
    cleanups = [litter.cleanup() for _ in range(4)]

    calls = at_once(*(lambda it=it: it.clean_up(now=CLEANING) for it in cleanups))

    total = summed(calls)
    assert replace(total, orphans=0, foreign=0) == replace(IN_ALL, orphans=0, foreign=0)
    assert litter.stored() == litter.kept
    litter.require_whole()


def test_with_the_store_away_rows_go_and_their_objects_are_found_later(litter):
    store = HookedStore()
    for each in litter.store.list(""):
        with litter.store.open(each.key) as body:
            store.put(each.key, body, size=1, sha256="", media_type="image/png")
            store.times[each.key] = each.modified_at
    cleanup = replace(litter.cleanup(), store=store)
    store.before["delete"] = away

    with pytest.raises(TryLater), capture_logs() as logs:
        cleanup.clean_up(now=CLEANING)
    pointed_to = litter.kept - set(store.objects)
    del store.before["delete"]
    later = cleanup.clean_up(now=CLEANING)

    assert pointed_to == set()
    assert {line["event"] for line in logs} == {
        "objects not dropped",
        "cleaned up",
        "objects are not ours",
    }
    assert later.orphans > IN_ALL.orphans
    assert set(store.objects) == litter.kept


def test_what_was_removed_is_counted_and_told(litter):
    cleanup = litter.cleanup()

    with capture_logs() as logs:
        cleanup.clean_up(now=CLEANING)

    metrics = cleanup.metrics.exposition().decode()
    assert 'cleanup_removed_total{kind="pictures"} 4.0' in metrics
    assert 'kind="foreign"' not in metrics
    told = {line["kind"]: line["count"] for line in logs if line["event"] == "cleaned up"}
    assert told == {k: n for k, n in asdict(IN_ALL).items() if n and k not in ("foreign", "more")}
    [warned] = [line for line in logs if line["log_level"] == "warning"]
    assert (warned["event"], warned["count"]) == ("objects are not ours", 3)


def test_an_expired_job_that_has_not_ended_goes_once_it_is_given_up(litter):
    cleanup = litter.cleanup()
    cleanup.clean_up(now=CLEANING)
    with litter.ledger.transaction() as session:
        unfinished = select(colorways.c.id).where(colorways.c.finished_at.is_(None))
        late = session.scalars(unfinished).one()
        give_up(session, late, before=CLEANING, now=CLEANING)

    removed = cleanup.clean_up(now=CLEANING)

    assert (removed.jobs, removed.sources) == (1, 1)


def test_a_source_is_kept_for_a_while_after_it_was_sent_again(litter, ledger):
    source = litter.source(an_account_in(ledger), "sent again")
    with ledger.transaction() as session:
        again = want_image(session, source.id, now=FRESH)

    litter.cleanup().clean_up(now=FRESH + 29 * DAY)
    kept = litter.store.stat(source.key)
    litter.cleanup().clean_up(now=FRESH + 31 * DAY)

    assert (again.id, kept.key) == (source.id, source.key)
    assert source.key not in litter.stored()


def test_a_source_is_kept_for_a_while_after_its_last_job_was_submitted(litter, ledger):
    source = litter.source(an_account_in(ledger), "submitted late")
    litter.job(source, "nord", at=FRESH, stays=False)
    hasty = litter.cleanup(keep_images_for=timedelta(days=40))

    hasty.clean_up(now=FRESH + 39 * DAY)
    kept = source.key in litter.stored()
    hasty.clean_up(now=FRESH + 41 * DAY)

    assert kept
    assert source.key not in litter.stored()


def test_an_object_that_a_row_points_to_meanwhile_is_let_alone(litter, ledger):
    account, facts = an_account_in(ledger), SourceFacts("d" * 64, 1, "png", 8, 6)
    key = source_key(account, facts.sha256, account)
    litter.put(key)
    duty = objects.orphans(Premises(ledger, litter.store, CLEANING, 30 * DAY, DAY))

    pages = list(duty.pages(""))
    with ledger.transaction() as session:
        record_image(session, account, account, key, facts, now=CLEANING)
    removed: Counter[str] = Counter()
    for page in pages:
        duty.remove(page.found, removed)

    assert key in {found for page in pages for found in page.found}
    assert removed["orphans"] == IN_ALL.orphans
    assert litter.store.stat(key).bytes == 1
