"""What only the store on Google Cloud Storage does."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
from datetime import timedelta
from io import BytesIO
from typing import Any

import pytest
import structlog
from google.oauth2 import credentials, service_account
from pydantic import SecretStr

from colorway.errors import Misconfigured, NotFound, TryLater
from colorway.image_store import open_store
from colorway.image_store.gcs import GcsStore
from colorway.image_store.gcs.access import SCOPES
from colorway.settings import StoreSettings
from tests.colorway.image_store.gcs_stand import GcsStand
from tests.databases import ROOT
from tests.faulty_front import Answer, Hang

MINUTE = timedelta(minutes=1)
KEY = "account/sources/nord.png"


@pytest.fixture
def store(gcs: GcsStand) -> GcsStore:
    return gcs.store


def put(store: GcsStore, key: str = KEY, data: bytes = b"picture") -> None:
    store.put(key, BytesIO(data), size=len(data), sha256="beef", media_type="image/png")


# The bucket and its prefix


def test_the_store_is_chosen_by_a_url_with_a_prefix(gcs, store):
    settings = StoreSettings(
        image_store=gcs.environment["IMAGE_STORE"] + "/", link_signing_key=SecretStr("k" * 32)
    )
    put(store)

    opened = open_store(settings)

    assert isinstance(opened, GcsStore)
    assert opened.stat(KEY).bytes == 7


def test_what_is_beside_the_prefix_or_was_put_by_others_is_not_listed(gcs, store):
    put(gcs.a_store(prefix="a"), "prefixed/x")
    put(gcs.a_store(prefix=""), "b")
    gcs.put_raw("a/prefix/a folder/")
    put(store)

    assert [found.key for found in store.list("")] == [KEY]
    assert len(list(gcs.a_store(prefix="").list(""))) == 3


def test_an_object_knows_its_sha256(gcs, store):
    put(store)

    assert gcs.raw(f"a/prefix/{KEY}")["metadata"] == {"sha256": "beef"}


def test_a_folder_does_not_pay_for_googles_libraries(tmp_path):
    script = (
        "import sys; from colorway.image_store import open_store;"
        "from colorway.settings import StoreSettings;"
        f"open_store(StoreSettings(image_store={tmp_path.as_uri()!r}, link_signing_key='k' * 32));"
        "sys.exit(any(name.startswith('google.') for name in sys.modules))"
    )

    told = subprocess.run([sys.executable, "-c", script], cwd=ROOT, check=False)  # noqa: S603

    assert told.returncode == 0


# What lies there already, and what is spoilt on its way


def test_other_bytes_under_the_same_key_are_refused(store):
    put(store)

    with pytest.raises(ValueError, match="other bytes"):
        put(store, data=b"another")

    with store.open(KEY) as body:
        assert body.read() == b"picture"


def test_a_refusal_before_the_body_was_read_is_no_different(gcs, store):
    large = bytes(3 << 20)
    put(store, data=large)
    gcs.front.fail(Answer(412), times=1)

    put(store, data=large)


def test_what_has_come_and_gone_meanwhile_may_be_put_again(gcs, store):
    gcs.front.fail(Answer(412), times=1)

    with pytest.raises(TryLater):
        put(store)

    put(store)


def test_what_was_spoilt_on_its_way_there_is_taken_back(gcs, store):
    stored = {"crc32c": "AAAAAA==", "generation": "17"}
    gcs.front.fail(Answer(200, body=json.dumps(stored).encode()), times=1)

    with pytest.raises(TryLater):
        put(store)

    last = gcs.front.seen[-1]
    assert last.method == "DELETE"
    assert "ifGenerationMatch=17" in last.path


def test_what_was_spoilt_on_its_way_to_us_is_not_believed(gcs, store):
    put(store)
    gcs.front.gate = lambda request: {"X-Goog-Hash": "md5=x, crc32c=AAAAAA=="}

    with store.open(KEY) as body, pytest.raises(TryLater):
        body.read()


# What needs an operator


@pytest.mark.parametrize("call", ["open", "stat", "delete"])
def test_a_missing_bucket_is_not_taken_for_a_missing_object(gcs, store, call):
    message = "The specified bucket does not exist."
    said = {"error": {"code": 404, "message": message, "errors": [{"message": message}]}}
    gcs.front.fail(Answer(404, {"Content-Type": "application/json"}, json.dumps(said).encode()))

    with pytest.raises(Misconfigured, match="bucket"):
        getattr(store, call)(KEY)


def test_what_is_refused_for_other_reasons_is_logged_with_what_google_said(gcs, store):
    gcs.front.fail(Answer(400, body=b"UserProjectMissing"))

    with structlog.testing.capture_logs() as logs, pytest.raises(Misconfigured) as error:
        put(store)

    assert "UserProjectMissing" in logs[0]["said"]
    assert "UserProjectMissing" not in str(error.value)  # which clients may see


@pytest.mark.parametrize("call", ["open", "stat"])
def test_a_status_that_no_standard_names_needs_an_operator_too(gcs, store, call):
    gcs.front.fail(Answer(499), times=1)

    with pytest.raises(Misconfigured, match="refuses what we ask"):
        getattr(store, call)(KEY)


def test_a_role_that_is_missing_is_named(gcs, store):
    gcs.front.fail(Answer(403, body=b"pictures@colorway does not have storage.objects.create"))

    with structlog.testing.capture_logs() as logs, pytest.raises(Misconfigured):
        put(store)

    assert "roles/storage.objectUser" in logs[0]["advice"]


@pytest.mark.parametrize("key_file", ["missing.json", "broken.json"])
def test_credentials_that_cannot_be_read_need_an_operator(gcs, tmp_path, monkeypatch, key_file):
    (tmp_path / "broken.json").write_text("{}")
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(tmp_path / key_file))

    with structlog.testing.capture_logs() as logs, pytest.raises(Misconfigured):
        put(gcs.a_store())

    assert "GOOGLE_APPLICATION_CREDENTIALS" in logs[0]["advice"]


def test_a_token_that_was_refused_is_not_used_again(gcs, store):
    gcs.google.tokens.clear()

    with pytest.raises(Misconfigured):
        put(store)

    put(store)


def test_a_token_server_that_is_away_is_trouble_that_passes(gcs):
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        facts = gcs.google.service_account(f"http://127.0.0.1:{unused.getsockname()[1]}")
        without = service_account.Credentials.from_service_account_info(facts, scopes=SCOPES)

        with pytest.raises(TryLater) as error:
            put(gcs.a_store(credentials=without))

    assert not isinstance(error.value, Misconfigured)


def test_a_token_server_that_hangs_is_not_waited_for_long(gcs):
    gcs.front.fail(Hang())

    with pytest.raises(TryLater):
        put(gcs.a_store())


# Signing without a key


def on_cloud_run(gcs: GcsStand) -> dict[str, Any]:
    """Return what a process prints whose credentials are the metadata server's."""
    told = subprocess.run(  # noqa: S603 - our own module
        [
            sys.executable,
            "-m",
            "tests.colorway.image_store.on_cloud_run",
            *(gcs.bucket, gcs.front.url),
        ],
        cwd=ROOT,
        env={
            "PATH": "",
            "HOME": "/nowhere",
            "STORAGE_EMULATOR_HOST": gcs.front.url,
            "HTTPS_PROXY": gcs.front.url,
            "GCE_METADATA_HOST": gcs.front.url.removeprefix("http://"),
            "GCE_METADATA_IP": gcs.front.url.removeprefix("http://"),
        },
        capture_output=True,
        text=True,
        check=False,
    )
    assert told.returncode == 0, told.stderr
    said: dict[str, Any] = json.loads(told.stdout.splitlines()[-1])
    return said


def test_on_cloud_run_links_and_slots_are_signed_by_iam(gcs):
    put(gcs.a_store(prefix=""), "nord.png")

    said = on_cloud_run(gcs)

    assert gcs.follow(said["link"]).body == b"picture"
    asked = [seen.path for seen in gcs.front.seen if seen.path.endswith(":signBlob")]
    assert len(asked) == 2


def test_who_may_not_sign_needs_an_operator(gcs, monkeypatch):
    monkeypatch.setattr(gcs.google, "may_sign", False)

    assert on_cloud_run(gcs) == {"error": "Misconfigured"}


def test_somebodys_own_credentials_cannot_sign(gcs):
    somebody = credentials.Credentials("a token")

    with structlog.testing.capture_logs() as logs, pytest.raises(Misconfigured, match="signed"):
        gcs.a_store(credentials=somebody).signed_url(KEY, expires_in=MINUTE, download_name="a.png")

    assert "service account" in logs[0]["advice"]


def test_a_missing_object_can_be_linked_to_but_not_followed(gcs, store):
    link = store.signed_url(KEY, expires_in=MINUTE, download_name="a.png")

    assert gcs.follow(link).status == 404
    with pytest.raises(NotFound):
        store.stat(KEY)
