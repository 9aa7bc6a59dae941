"""What every store's signed links promise, over real HTTP, to whoever has one."""

from __future__ import annotations

import re
from datetime import timedelta
from io import BytesIO

import pytest

from tests.colorway.image_store.stands import LinkedStand

KEY = "account/colorways/fingerprint/nord-1.png"
MINUTE = timedelta(minutes=1)
LAST_BUT_ONE = r"[0-9a-zA-Z](?=[^&0-9a-zA-Z]*[^&](&download=.*)?$)"
"""A character of the signature; the last one of base64 may say nothing."""


@pytest.fixture
def linked(linked: LinkedStand) -> LinkedStand:
    """Each store, with two pictures in it."""
    return with_pictures(linked)


def with_pictures(linked: LinkedStand) -> LinkedStand:
    for key in (KEY, KEY.replace("nord", "rose")):
        linked.store.put(key, BytesIO(b"picture"), size=7, sha256="", media_type="image/png")
    return linked


def a_link(linked: LinkedStand) -> str:
    return linked.store.signed_url(KEY, expires_in=MINUTE, download_name="nord.png")


def test_whoever_has_a_link_gets_the_picture_and_a_name_for_it(linked):
    got = linked.follow(a_link(linked))

    assert (got.status, got.body) == (200, b"picture")
    assert got.headers["Content-Length"] == "7"
    assert "nord.png" in got.headers["Content-Disposition"]


def test_a_link_is_over_once_its_time_has_come(linked):
    got = linked.follow(linked.an_old_link(KEY))

    assert got.status // 100 == 4
    assert b"picture" not in got.body


def test_a_link_to_what_was_deleted_leads_nowhere(linked):
    link = a_link(linked)
    linked.store.delete(KEY)

    assert linked.follow(link).status // 100 == 4


@pytest.mark.parametrize(
    ("part", "instead"),
    [
        ("nord-1", "rose-1"),
        ("account/", "another/"),
        (LAST_BUT_ONE, "-"),
        ("[?].*", ""),
    ],
    ids=["another picture", "another account", "signature", "nothing"],
)
def test_a_link_cannot_be_made_into_another(linked, part, instead):
    link = a_link(linked)
    altered = re.sub(part, instead, link, count=1)

    assert altered != link
    assert linked.follow(altered).status // 100 == 4


def test_a_link_cannot_be_given_another_name(strictly_linked):
    link = a_link(with_pictures(strictly_linked))

    altered = link.replace("nord.png", "evil.exe")

    assert altered != link
    assert strictly_linked.follow(altered).status // 100 == 4


@pytest.mark.parametrize("method", ["PUT", "POST", "DELETE"])
def test_a_link_is_for_reading_alone(linked, method):
    got = linked.follow(a_link(linked), method)

    assert got.status // 100 == 4
    with linked.store.open(KEY) as body:
        assert body.read() == b"picture"
