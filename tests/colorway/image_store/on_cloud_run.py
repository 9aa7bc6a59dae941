"""A process without any key, like one on Cloud Run: asks for a link and a slot, and prints them.

Its credentials are what a metadata server says; IAM is at the address that it is given.
"""

from __future__ import annotations

import json
import sys
from dataclasses import asdict
from datetime import timedelta

from colorway.errors import ColorwayError
from colorway.image_store.gcs import GcsStore

MINUTE = timedelta(minutes=1)


def main(bucket: str, iam: str) -> None:
    store = GcsStore(bucket, iam=iam)
    try:
        link = store.signed_url("nord.png", expires_in=MINUTE, download_name="nord.png")
        slot = store.upload_slot("slot", size=7, media_type="image/png", expires_in=MINUTE)
    except ColorwayError as error:
        print(json.dumps({"error": type(error).__name__}))  # noqa: T201
    else:
        print(json.dumps({"link": link, "slot": asdict(slot)}, default=str))  # noqa: T201


if __name__ == "__main__":
    main(*sys.argv[1:])
