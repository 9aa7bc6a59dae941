"""Every kind of problem: what it is, what to do about it, and one as it looks.

problems.py answers with them, the OpenAPI document shows them, and /problems explains them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from colorway.errors import Flaw


@dataclass(frozen=True, slots=True)
class ProblemKind:
    """What all problems of one code have in common; `detail` and `flaws` are an example.

    `retry` says whether the same request, sent later, may succeed by itself: the answer then has
    `Retry-After`, and is `retryable`.
    """

    status: int
    title: str
    meaning: str
    remedy: str
    detail: str
    instance: str = "/v1/jobs"
    flaws: tuple[Flaw, ...] = ()
    retry: Literal["never", "sometimes", "always"] = "never"


_JOB = "/v1/jobs/0198c6a2-7b1e-7c43-9d6f-2f1f0c9a5e11"
_IMAGE = "/v1/images/0198c6a2-6f00-7a10-8c55-64c0a3b7d9e2"

KINDS: Mapping[str, ProblemKind] = {
    "malformed": ProblemKind(
        400,
        "The request cannot be read",
        "The request is not HTTP as it is spoken here, the body is not JSON or not multipart, a"
        " name stands twice in one object, the body ended before its `Content-Length`, or a header"
        " is not what it should be.",
        "Read `detail`: it says what could not be read, and often where. Send valid UTF-8 JSON.",
        "this is not JSON: Expecting ',' delimiter: line 1 column 48 (char 47)",
    ),
    "unauthenticated": ProblemKind(
        401,
        "An API key is needed",
        "There is no `Authorization` header, or its key is not known, was revoked or has expired.",
        "Send `Authorization: Bearer` and your key. Whoever runs this service issues keys.",
        "send your API key as `Authorization: Bearer …`",
    ),
    "forbidden": ProblemKind(
        403,
        "The API key may not do this",
        "The key is valid, but lacks the scope that this call needs: `read`, `submit` or `admin`.",
        "Use a key with the scope that `detail` names.",
        "this API key lacks the scope 'submit'",
    ),
    "not-found": ProblemKind(
        404,
        "There is no such thing",
        "Nothing is at this address, it was deleted, or it belongs to another account.",
        "Take ids and addresses from the answers of this API rather than put them together.",
        "there is no job 0198c6a2-7b1e-7c43-9d6f-2f1f0c9a5e11",
        _JOB,
    ),
    "method": ProblemKind(
        405,
        "The method is not allowed",
        "The address exists, but does not know this method.",
        "The header `Allow` lists the methods it knows.",
        "this path takes GET, HEAD, OPTIONS, POST",
    ),
    "request-timeout": ProblemKind(
        408,
        "The request came too slowly",
        "The request was not whole in the time it has, which grows with its size.",
        "Send it again, over a better connection; a large picture rather by an upload slot.",
        "the request came too slowly, and was not waited for any longer",
    ),
    "idempotency-in-progress": ProblemKind(
        409,
        "The same request is under way",
        "A request with this `Idempotency-Key` is still being worked on.",
        "Send it again after `Retry-After` seconds; you will get the job that the first one made.",
        "another request with this Idempotency-Key is under way",
        retry="always",
    ),
    "not-done": ProblemKind(
        409,
        "Not done yet",
        "The job still has colorways that are pending or processing.",
        "Wait until its `done` is true, or cancel it first.",
        "job 0198c6a2-7b1e-7c43-9d6f-2f1f0c9a5e11 is not done; cancel it first, or wait",
        _JOB,
    ),
    "not-ready": ProblemKind(
        409,
        "Not ready yet",
        "There is no picture yet: the colorway is not `completed`, no colorway of the job is, or"
        " nothing was put into the upload slot.",
        "With `Retry-After`, come back after so many seconds. Without, it will not come by itself:"
        " retry the job, for its colorways failed or were cancelled.",
        "colorway 'nord' is processing",
        f"{_JOB}/colorways/nord/image",
        retry="sometimes",
    ),
    "slot-filled": ProblemKind(
        409,
        "Something lies there already",
        "This upload slot was filled before: each takes one file, once.",
        "Confirm the slot, if what lies there is what you announced; else announce it again.",
        "something has been put there already; confirm it",
        "/files/slots/0198c6a2-6f00-7a10-8c55-64c0a3b7d9e2",
    ),
    "nothing-to-retry": ProblemKind(
        409,
        "Nothing to retry",
        "None of the colorways named, or none at all, has failed or was cancelled.",
        "There is nothing to do: what is pending will be rendered, what is completed stays.",
        "nothing of this has failed or was cancelled",
        f"{_JOB}/retry",
    ),
    "in-use": ProblemKind(
        409,
        "Something refers to it",
        "Jobs refer to this source, so it cannot be deleted.",
        "Delete those jobs first.",
        "image 0198c6a2-6f00-7a10-8c55-64c0a3b7d9e2 belongs to a job; delete its jobs first",
        _IMAGE,
    ),
    "expired": ProblemKind(
        410,
        "It has expired",
        "The job is past its `expires_at`, and its pictures went with it; or the upload slot is.",
        "Submit the job again, or ask for another slot.",
        "the job has expired, and its pictures with it: 2026-12-26 10:00:00 UTC",
        f"{_JOB}/colorways/nord/image",
    ),
    "too-large": ProblemKind(
        413,
        "The body is too large",
        "The picture, or the JSON, has more bytes than are taken here.",
        "`detail` names the limit. Send a smaller file; or, where it is not this service that takes"
        " no more at once, put the file into an upload slot.",
        "the picture is too large; the limit is 50000000 bytes",
        "/v1/images",
    ),
    "media-type": ProblemKind(
        415,
        "The media type is not read here",
        "The `Content-Type` is missing, or is none that this call reads; or the body has a"
        " `Content-Encoding`, or another charset than UTF-8.",
        "Set the `Content-Type` that `detail` names, without fail on JSON: `application/json`.",
        "send application/json, or multipart/form-data with a picture",
    ),
    "validation": ProblemKind(
        422,
        "The request is not valid",
        "The request can be read, but something in it is not as it should be: a field, a query"
        " parameter or a part. Nothing was recorded.",
        "`errors` lists everything that is wrong at once: `pointer` leads into the JSON (RFC 6901),"
        " `parameter` names a parameter of the query.",
        "2 things are not valid",
        flaws=(
            Flaw(
                "#/palettes/0/colors/1",
                "color-syntax",
                "'#12' is not a colour: write #rgb or #rrggbb",
            ),
            Flaw("#/pallettes", "extra-forbidden", "Extra inputs are not permitted"),
        ),
    ),
    "idempotency-mismatch": ProblemKind(
        422,
        "The key belongs to another request",
        "This `Idempotency-Key` was used within the last day, with another body.",
        "Use a new key for a new request, and the same one only to repeat the very same request.",
        "this Idempotency-Key was used for another request",
    ),
    "image-undecodable": ProblemKind(
        422,
        "The picture cannot be read",
        "The bytes are none of the formats that are read here, or the file's header is damaged.",
        "Send a PNG, JPEG, WebP, GIF, AVIF or TIFF file as it is, not Base64 or a data URL.",
        "these bytes are no picture we read; send one of png, jpeg, webp, gif, avif, tiff",
        "/v1/images",
    ),
    "image-too-many-pixels": ProblemKind(
        422,
        "The picture has too many pixels",
        "Width times height is more than is taken here.",
        "`detail` names the limit. Scale the picture down.",
        "the picture has 12000 x 9000 pixels; the limit is 40000000 in all",
        "/v1/images",
    ),
    "source-blocked": ProblemKind(
        422,
        "No picture is fetched from there",
        "`image.url` is one that is never fetched: not https, with a password, on another port, at"
        " an address that is not public, or it leads to such a one.",
        "`detail` says what is wrong. Name a public https URL, or send the picture itself.",
        "the URL must begin with https://",
        flaws=(Flaw("#/image/url", "source-blocked", "the URL must begin with https://"),),
    ),
    "source-unreachable": ProblemKind(
        422,
        "The picture could not be fetched",
        "The host of `image.url` did not answer in time, not with a picture, or broke off.",
        "Look whether the URL works for you. Then send the request again, or the picture itself.",
        "cdn.example took too long",
        flaws=(Flaw("#/image/url", "source-unreachable", "cdn.example took too long"),),
    ),
    "rate-limited": ProblemKind(
        429,
        "Too many requests",
        "This API key calls more often than it may. `RateLimit-Policy` says how often that is, and"
        " `RateLimit` what is left.",
        "Send the request again after `Retry-After` seconds. `Prefer: wait=20` spares you polls.",
        "an API key may call 6,000 times in 60 s",
        retry="always",
    ),
    "quota-exceeded": ProblemKind(
        429,
        "More than the account's quota",
        "The account has as many colorways pending, or as many bytes stored, as it may, or would"
        " have. Nothing was recorded.",
        "With `Retry-After`, wait until some colorways have ended. Without, waiting does not help:"
        " send fewer palettes at once, or delete jobs and images.",
        "9,990 colorways of this account are pending or processing, and 20 more are beyond its"
        " quota of 10,000: wait until some have ended",
        retry="sometimes",
    ),
    "internal": ProblemKind(
        500,
        "Something broke on our side",
        "A bug of ours. It was logged, with all that is needed to find it.",
        "Tell whoever runs this service the `request_id`. Repeating a submission is safe with its"
        " `Idempotency-Key`.",
        "this is our fault; the request id helps us find it",
    ),
    "unavailable": ProblemKind(
        503,
        "Not available right now",
        "The database or the store is in trouble, or there is no room for another upload.",
        "Send the same request again after `Retry-After` seconds, with its `Idempotency-Key`.",
        "the ledger cannot be reached",
        retry="always",
    ),
}

COLORWAY_ERRORS: Mapping[str, str] = {
    "image-undecodable": "The source looked like a picture, but its pixels cannot be decoded.",
    "image-too-many-pixels": "The source is larger than its header said, or the result would be"
    " larger than its format allows: ask for `png`, or for a `max_edge`.",
    "source-missing": "The source is no longer in the store.",
    "source-damaged": "The source in the store is not what was uploaded.",
    "source-kills-worker": "Workers died when they rendered this source; it is not tried again.",
    "timed-out": "It did not end in time (a day, where nothing else is set), and was given up.",
    "stopped": "Another palette failed, and the job was submitted with `on_error: stop`.",
    "worker-lost": "The worker fell silent. The colorway is tried again by itself.",
    "worker-stopped": "The worker was stopped. The colorway is tried again by itself.",
    "too-slow": "The attempt used up its time. The colorway is tried again by itself.",
    "store-unavailable": "The store is in trouble. The colorway is tried again by itself.",
    "unavailable": "The ledger is in trouble. The colorway is tried again by itself.",
    "object-missing": "Its picture was lost from the store. It is rendered again by itself.",
    "internal": "An attempt broke on our side; it is tried again, five times in all.",
}
"""What a colorway's `error` may be; more may be added. Those tried again are still `pending`."""
