from __future__ import annotations

import re
from uuid import UUID

from colorway.image_keys import rendition_key, slot_key, source_key, thumbnail_key

ACCOUNT, IMAGE, COLORWAY = (UUID(int=number) for number in (1, 2, 3))


def test_two_uploads_of_the_same_bytes_lie_apart():
    assert source_key(ACCOUNT, "a" * 64, IMAGE) != source_key(ACCOUNT, "a" * 64, COLORWAY)


def test_no_two_attempts_share_a_key():
    keys = {rendition_key(ACCOUNT, "f" * 64, COLORWAY, fence, "png") for fence in range(1, 20)}
    keys |= {rendition_key(ACCOUNT, "f" * 64, IMAGE, fence, "png") for fence in range(1, 20)}

    assert len(keys) == 38


def test_a_thumbnail_lies_beside_its_picture():
    key = rendition_key(ACCOUNT, "f" * 64, COLORWAY, 7, "jpeg")

    assert key == f"{ACCOUNT}/colorways/{'f' * 64}/{COLORWAY}-7.jpeg"
    assert thumbnail_key(key) == f"{ACCOUNT}/colorways/{'f' * 64}/{COLORWAY}-7.thumb.webp"


def test_keys_begin_with_the_account_and_suit_every_store():
    picture = rendition_key(ACCOUNT, "f" * 64, COLORWAY, 1, "webp")

    source, slot = source_key(ACCOUNT, "a" * 64, IMAGE), slot_key(ACCOUNT, IMAGE)

    for key in (source, slot, picture, thumbnail_key(picture)):
        assert key.startswith(f"{ACCOUNT}/")
        assert re.fullmatch(r"[A-Za-z0-9/_.-]+", key)
