"""The stands of all stores, so that each is held to the same promises."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from colorway.image_store import ImageStore
from tests.colorway.image_store.gcs_stand import GcsStand, gcs_stand
from tests.colorway.image_store.stands import (
    FarStand,
    FolderStand,
    LinkedStand,
    MemoryStand,
    Stand,
    folder_stand,
)
from tests.colorway.image_store.supabase_stand import SupabaseStand, supabase_stand
from tests.google_cloud import GoogleCloud, fake_gcs

FAR = ["gcs", "supabase"]
LINKED = ["folder", *FAR]
STORES = ["memory", *LINKED]
GENEROUS = ["supabase"]  # its links and slots bind less than they say


@pytest.fixture
def memory() -> MemoryStand:
    return MemoryStand()


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[FolderStand]:
    with folder_stand(tmp_path / "pictures") as stand:
        yield stand


@pytest.fixture(scope="session")
def fake_gcs_server() -> Iterator[tuple[str, int]]:
    with fake_gcs() as server:
        yield server


@pytest.fixture(scope="session")
def google(fake_gcs_server: tuple[str, int]) -> GoogleCloud:
    return GoogleCloud(fake_gcs_server)


@pytest.fixture
def gcs(google: GoogleCloud, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[GcsStand]:
    with gcs_stand(google, tmp_path, monkeypatch) as stand:
        yield stand


@pytest.fixture
def supabase(tmp_path: Path) -> Iterator[SupabaseStand]:
    with supabase_stand(tmp_path) as stand:
        yield stand


@pytest.fixture(params=STORES)
def stand(request: pytest.FixtureRequest) -> Stand:
    """Each store there is, in turn, and the fake."""
    stand: Stand = request.getfixturevalue(request.param)
    return stand


@pytest.fixture
def store(stand: Stand) -> ImageStore:
    return stand.store


@pytest.fixture(params=[name for name in STORES if name not in GENEROUS])
def strict(request: pytest.FixtureRequest) -> Stand:
    """Each store whose slots grant no more than they say, in turn, and the fake."""
    stand: Stand = request.getfixturevalue(request.param)
    return stand


@pytest.fixture(params=[name for name in LINKED if name not in GENEROUS])
def strictly_linked(request: pytest.FixtureRequest) -> LinkedStand:
    """Each store whose links bind all that they say, in turn."""
    stand: LinkedStand = request.getfixturevalue(request.param)
    return stand


@pytest.fixture(params=LINKED)
def linked(request: pytest.FixtureRequest) -> LinkedStand:
    """Each store there is, in turn."""
    stand: LinkedStand = request.getfixturevalue(request.param)
    return stand


@pytest.fixture(params=FAR)
def far(request: pytest.FixtureRequest) -> FarStand:
    """Each store that is reached over a network, in turn."""
    stand: FarStand = request.getfixturevalue(request.param)
    return stand
