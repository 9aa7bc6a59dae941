"""Signed links and slots of Google Cloud Storage, verified offline by the account's public key.

They are for the real address, and nothing is asked: neither Google, nor what stands for it.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from email.message import Message
from urllib.parse import parse_qs, parse_qsl, urlencode, urlsplit

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from google.oauth2 import service_account

from colorway.image_store import UploadSlot
from colorway.image_store.gcs import GcsStore
from colorway.image_store.gcs.access import SCOPES
from tests.google_cloud import ACCOUNT, GoogleCloud
from tests.v4_signatures import Distrusted, verify

HOST = "storage.googleapis.com"
HEADERS = {"Host": HOST}
MINUTE = timedelta(minutes=1)
KEY = "account/colorways/fingerprint/nord-1.png"


@pytest.fixture
def store(google: GoogleCloud) -> GcsStore:
    facts = google.service_account("https://oauth2.example")
    return GcsStore(
        "pictures",
        "a/prefix",
        credentials=service_account.Credentials.from_service_account_info(facts, scopes=SCOPES),
    )


@pytest.fixture
def link(store: GcsStore) -> str:
    return store.signed_url(KEY, expires_in=MINUTE, download_name="nord.png")


@pytest.fixture
def slot(store: GcsStore) -> UploadSlot:
    return store.upload_slot(KEY, size=7, media_type="image/png", expires_in=MINUTE)


@pytest.fixture
def believed(google: GoogleCloud):
    """Whether Google would believe a request, and if not, why."""

    def why_not(
        url: str,
        headers: Mapping[str, str] = HEADERS,
        method: str = "GET",
        *,
        later: timedelta = timedelta(0),
        key: rsa.RSAPublicKey | None = None,
    ) -> str | None:
        target = url.removeprefix(f"https://{HOST}")
        now = datetime.now(UTC) + later
        public = key or google.key.public_key()
        try:
            verify(method, target, headers, account=ACCOUNT, key=public, now=now)
        except Distrusted as error:
            return str(error)
        return None

    return why_not


def test_a_link_leads_to_the_bucket_and_is_believed(link, believed):
    url = urlsplit(link)

    assert (url.scheme, url.netloc, url.path) == ("https", HOST, f"/pictures/a/prefix/{KEY}")
    assert believed(link) is None


def test_it_is_believed_until_it_expires(link, believed):
    assert believed(link, later=timedelta(seconds=58)) is None
    assert "Expired" in believed(link, later=timedelta(seconds=61))


def test_it_is_believed_of_nobody_else(link, believed):
    another = rsa.generate_private_key(public_exponent=65537, key_size=2048)

    assert "Signature" in believed(link, key=another.public_key())


@pytest.mark.parametrize("name", ["nord.png", 'a "b" c.png', "grün.png", "a&b=c.png"])
def test_a_link_tells_the_name_to_save_under(store, believed, name):
    link = store.signed_url(KEY, expires_in=MINUTE, download_name=name)

    said = parse_qs(urlsplit(link).query)["response-content-disposition"][0]
    header = Message()
    header["Content-Disposition"] = said
    assert header.get_filename() == name
    assert believed(link) is None


def test_no_part_of_a_link_can_be_altered(link, believed):
    url = urlsplit(link)
    query = dict(parse_qsl(url.query))
    others = [link.replace("nord-1", "nord-2"), f"{link}&more=1", link.replace("prefix", "Prefix")]
    for name, value in query.items():
        for differs in (value + "0", value[:-1], value.swapcase()):
            if differs != value and name != "X-Goog-Signature":
                others.append(url._replace(query=urlencode(query | {name: differs})).geturl())
        left = {other: query[other] for other in query if other != name}
        others.append(url._replace(query=urlencode(left)).geturl())
    others.append(link[:-1] + ("0" if link[-1] != "0" else "1"))

    assert len(others) > 20
    assert [other for other in others if believed(other) is None] == []


@pytest.mark.parametrize("method", ["PUT", "DELETE", "POST", "HEAD"])
def test_a_link_is_for_one_method(link, believed, method):
    assert "Signature" in believed(link, method=method)


@pytest.mark.parametrize(
    "headers", [{}, {"Host": "evil.example"}, HEADERS | {"x-goog-acl": "public-read"}], ids=str
)
def test_a_link_is_for_one_host_and_nothing_of_google_beside_it(link, believed, headers):
    assert believed(link, headers) is not None


def test_a_slot_is_believed_with_its_headers(slot, believed):
    assert slot.headers == {
        "Content-Type": "image/png",
        "x-goog-if-generation-match": "0",
        "x-goog-content-length-range": "7,7",
    }
    assert believed(slot.url, HEADERS | slot.headers, "PUT") is None


def test_no_header_of_a_slot_can_be_altered_or_left_out(slot, believed):
    for name, value in slot.headers.items():
        left = {other: slot.headers[other] for other in slot.headers if other != name}

        assert believed(slot.url, HEADERS | left, "PUT") is not None
        assert believed(slot.url, HEADERS | left | {name: f"{value}1"}, "PUT") is not None


def test_a_slot_is_for_putting_alone(slot, believed):
    assert "Signature" in believed(slot.url, HEADERS | slot.headers, "GET")


def test_a_link_for_longer_than_google_allows_is_an_error(store):
    with pytest.raises(ValueError, match="seven days"):
        store.signed_url(KEY, expires_in=timedelta(days=8), download_name="nord.png")
