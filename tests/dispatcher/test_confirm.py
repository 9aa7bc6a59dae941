"""Confirming a slot while others do the same, the store changes, or the process is killed."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from io import BytesIO
from uuid import UUID

import pytest
from sqlalchemy import func, select

from colorway.errors import Conflict, InvalidRequest, NotFound, TryLater
from colorway.image_keys import slot_key
from colorway.ledger.connection import Ledger
from colorway.ledger.quotas import Quotas
from colorway.ledger.tables import Record, images, upload_slots
from dispatcher.places import Places
from dispatcher.removal import Removal
from dispatcher.slots import Announcement, Slots
from tests.builders import an_account
from tests.colorway.ledger.test_races import at_once
from tests.dispatcher.stage import a_png
from tests.dispatcher.test_idempotency_in_flight import Killed, MortalLedger
from tests.fakes import HookedStore, away

PNG = a_png()
NOW = datetime.now(UTC)  # as a store's own clock tells it
HOUR = timedelta(hours=1)


class Desk:
    """Slots on a mortal ledger and a store with hooks, with a picture in one of them."""

    def __init__(self, ledger: Ledger) -> None:
        self.ledger = MortalLedger(ledger.engine.url.render_as_string(hide_password=False))
        self.store = HookedStore()
        self.places = Places(8, full="too many pictures are being read")
        self.slots = self.slots_in(self.store)
        with self.ledger.transaction() as session:
            self.account = an_account(session)
        self.slot = self.a_slot()

    def slots_in(self, store: HookedStore) -> Slots:
        return Slots(self.ledger, store, HOUR, 1000, self.places, Quotas(1))

    def a_slot(self, picture: bytes = PNG) -> UUID:
        told = Announcement("a.png", len(picture), sha256(picture).hexdigest(), "image/png")
        slot, _ = self.slots.open(self.account, told, now=NOW)
        self.put(slot, picture)
        self.ledger.commits = 0
        return slot

    def put(self, slot: UUID, picture: bytes) -> None:
        """Put this into the slot, whatever lies there."""
        key = slot_key(self.account, slot)
        self.store.put(key, BytesIO(picture), size=len(picture), sha256="", media_type="image/png")

    def confirm(self) -> Record:
        return self.slots.confirm(self.account, self.slot, now=NOW)

    def once(self, method: str, meanwhile: Callable[[], object]) -> None:
        """Let this happen before the store is called the next time."""

        def hook(key: str) -> None:
            del self.store.before[method]
            meanwhile()

        self.store.before[method] = hook

    def count(self) -> int:
        with self.ledger.reading() as session:
            return session.scalar(select(func.count()).select_from(images))


@pytest.fixture
def desk(ledger: Ledger) -> Iterator[Desk]:
    desk = Desk(ledger)
    yield desk
    desk.ledger.dispose()


either_moment = pytest.mark.parametrize("moment", ["copy", "open"])


@either_moment
def test_of_two_confirmations_both_return_the_one_image(desk, moment):
    overtaking: list[Record] = []
    desk.once(moment, lambda: overtaking.append(desk.confirm()))

    image = desk.confirm()

    assert overtaking == [image]
    assert image.id == desk.slot
    assert desk.store.objects == {image.key: PNG}
    assert desk.count() == 1


def test_many_confirmations_of_one_slot_make_one_image(desk):
    for color in range(1, 6):
        desk.slot = desk.a_slot(a_png(color))

        made = at_once(*[desk.confirm] * 6)

        assert {image.id for image in made} == {desk.slot}
        assert desk.count() == color
        assert len(desk.store.objects) == 1 + color  # the first slot waits to the end


def test_slots_for_the_same_bytes_make_one_image(desk):
    slots = [desk.slot] + [desk.a_slot() for _ in range(5)]

    made = at_once(
        *(lambda slot=slot: desk.slots.confirm(desk.account, slot, now=NOW) for slot in slots)
    )

    assert len({image.id for image in made}) == 1
    assert desk.store.objects == {made[0].key: PNG}


@either_moment
def test_an_image_that_was_confirmed_and_deleted_meanwhile_stays_deleted(desk, moment):
    def confirm_and_delete() -> None:
        image = desk.confirm()
        Removal(desk.ledger, desk.store).delete_image(desk.account, image.id)

    desk.once(moment, confirm_and_delete)

    with pytest.raises(NotFound):
        desk.confirm()

    assert desk.count() == 0


def test_what_is_put_there_after_the_copy_is_not_what_is_recorded(desk):
    other = a_png(1)
    assert len(other) == len(PNG)
    desk.once("open", lambda: desk.put(desk.slot, other))

    image = desk.confirm()

    assert desk.store.objects[image.key] == PNG
    assert image.sha256 == sha256(PNG).hexdigest()


def test_what_is_put_there_before_the_copy_is_what_is_looked_at(desk):
    desk.once("copy", lambda: desk.put(desk.slot, a_png(1)))

    with pytest.raises(InvalidRequest) as refusal:
        desk.confirm()

    assert [flaw.pointer for flaw in refusal.value.flaws] == ["#/sha256"]
    assert desk.count() == 0
    assert list(desk.store.objects) == [slot_key(desk.account, desk.slot)]


def test_what_is_put_there_once_it_is_confirmed_reaches_no_image(desk):
    overtaking: list[Record] = []

    def confirm_and_put_another() -> None:
        overtaking.append(desk.confirm())
        desk.put(desk.slot, a_png(1))

    desk.once("copy", confirm_and_put_another)

    with pytest.raises(InvalidRequest):
        desk.confirm()

    [image] = overtaking
    assert desk.store.objects[image.key] == PNG
    assert desk.confirm() == image


def test_no_transaction_is_open_while_bytes_move(desk):
    def write() -> None:
        with desk.ledger.transaction() as session:  # waits for ever, if one were
            an_account(session, "another")

    for method in ("copy", "open", "delete"):
        desk.once(method, write)

    assert desk.confirm().id == desk.slot


def killed(key: str = "") -> None:
    raise Killed


@pytest.mark.parametrize(
    ("moment", "is_recorded"),
    [("copy", False), ("open", False), ("before", False), ("after", True), ("delete", True)],
)
def test_killed_at_any_moment_it_can_be_repeated(desk, moment, is_recorded):
    if moment in {"before", "after"}:
        desk.ledger.fails = (moment, 1)
    else:
        desk.once(moment, killed)
    with pytest.raises(Killed):
        desk.confirm()
    recorded = desk.count()
    desk.ledger.fails = None

    image = desk.confirm()

    assert recorded == is_recorded
    assert image.id == desk.slot
    assert desk.store.objects[image.key] == PNG
    assert desk.count() == 1


def test_killed_while_a_lost_source_is_restored_it_can_be_repeated(desk):
    image = desk.confirm()
    again = desk.slot = desk.a_slot()
    del desk.store.objects[image.key]
    copies = []

    def killed_at_the_second(key: str) -> None:
        copies.append(key)
        if len(copies) == 2:
            killed()

    desk.store.before["copy"] = killed_at_the_second
    with pytest.raises(Killed):
        desk.confirm()
    del desk.store.before["copy"]

    confirmed = desk.confirm()

    assert copies[0] == slot_key(desk.account, again)
    assert confirmed == image
    assert desk.store.objects[image.key] == PNG


@pytest.mark.parametrize("method", ["copy", "open"])
def test_a_store_that_is_away_confirms_nothing(desk, method):
    desk.store.before[method] = away
    with pytest.raises(TryLater):
        desk.confirm()
    del desk.store.before[method]

    assert desk.count() == 0
    assert desk.confirm().id == desk.slot


def test_a_store_that_is_away_afterwards_takes_nothing_back(desk):
    desk.store.before["delete"] = away

    image = desk.confirm()

    assert image.id == desk.slot
    assert desk.confirm() == image


def test_a_source_that_the_store_breaks_off_is_tried_again(desk):
    whole = desk.store.open

    class Broken(HookedStore):
        def open(self, key: str) -> BytesIO:
            return BytesIO(whole(key).read()[:-1])

    broken = Broken()
    broken.objects, broken.times = desk.store.objects, desk.store.times

    with pytest.raises(TryLater):
        desk.slots_in(broken).confirm(desk.account, desk.slot, now=NOW)

    assert desk.count() == 0
    assert list(desk.store.objects) == [slot_key(desk.account, desk.slot)]


def test_while_others_are_being_read_a_confirmation_is_asked_to_come_back(desk):
    with ExitStack() as others:
        for _ in range(8):
            others.enter_context(desk.places.take())
        with pytest.raises(TryLater, match="too many"):
            desk.confirm()
    left = list(desk.store.objects)

    image = desk.confirm()

    assert left == [slot_key(desk.account, desk.slot)]
    assert image.id == desk.slot


def test_what_is_confirmed_needs_no_place(desk):
    image = desk.confirm()

    with ExitStack() as others:
        for _ in range(8):
            others.enter_context(desk.places.take())

        assert desk.confirm() == image


def test_an_empty_slot_is_a_conflict(desk):
    desk.store.objects.clear()

    with pytest.raises(Conflict, match="nothing has been put"):
        desk.confirm()


def test_a_slot_is_recorded_as_it_was_announced(desk):
    with desk.ledger.reading() as session:
        row = session.execute(select(upload_slots)).one()

    assert (row.id, row.account_id) == (desk.slot, desk.account)
    assert row.key == f"{desk.account}/uploads/{desk.slot}"
    assert (row.sha256, row.bytes) == (sha256(PNG).hexdigest(), len(PNG))
    assert (row.created_at, row.image_id) == (NOW, None)
    [(_, _, slot)] = desk.store.slots.values()
    assert row.expires_at == slot.expires_at
