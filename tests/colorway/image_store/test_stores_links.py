"""What every store's signed links promise, over real HTTP, to whoever has one."""

from __future__ import annotations

import re
from datetime import timedelta
from io import BytesIO

import pytest

from tests.colorway.image_store.stands import LinkedStand

KEY = "account/colorways/fingerprint/nord-1.png"
MINUTE = timedelta(minutes=1)


@pytest.fixture
def linked(linked: LinkedStand) -> LinkedStand:
    """Each store, with two pictures in it."""
    for key in (KEY, KEY.replace("nord", "rose")):
        linked.store.put(key, BytesIO(b"picture"), size=7, sha256="", media_type="image/png")
    return linked


def a_link(linked: LinkedStand, expires_in: timedelta = MINUTE, name: str = "nord.png") -> str:
    return linked.store.signed_url(KEY, expires_in=expires_in, download_name=name)


def test_whoever_has_a_link_gets_the_picture_and_a_name_for_it(linked):
    got = linked.follow(a_link(linked))

    assert (got.status, got.body) == (200, b"picture")
    assert got.headers["Content-Length"] == "7"
    assert "nord.png" in got.headers["Content-Disposition"]


def test_a_link_is_over_once_its_time_has_come(linked):
    got = linked.follow(a_link(linked, timedelta(seconds=-1)))

    assert got.status // 100 == 4
    assert b"picture" not in got.body


def test_a_link_to_what_was_deleted_leads_nowhere(linked):
    link = a_link(linked)
    linked.store.delete(KEY)

    assert linked.follow(link).status == 404


@pytest.mark.parametrize(
    ("part", "instead"),
    [
        ("nord-1", "rose-1"),
        ("account/", "another/"),
        (r"nord\.png", "evil.exe"),
        ("[0-9a-zA-Z]$", "-"),
        ("[?].*", ""),
    ],
    ids=["another picture", "another account", "another name", "signature", "nothing"],
)
def test_a_link_cannot_be_made_into_another(linked, part, instead):
    link = a_link(linked)
    altered = re.sub(part, instead, link, count=1)

    assert altered != link
    assert linked.follow(altered).status // 100 == 4


@pytest.mark.parametrize("method", ["PUT", "POST", "DELETE"])
def test_a_link_is_for_reading_alone(linked, method):
    got = linked.follow(a_link(linked), method)

    assert got.status // 100 == 4
    with linked.store.open(KEY) as body:
        assert body.read() == b"picture"
