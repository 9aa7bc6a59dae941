"""Supabase Storage on loopback, as far as our store goes, with the oddities of the real one.

Written after the source of supabase/storage (src/http/routes/object, src/storage, src/internal/
errors) and the gateway's rules for keys:

* errors are HTTP 400 (500 for a 500) with the true status as a string in `statusCode`;
* an upload that its head is enough to refuse is answered at once, its body is not read, and the
  connection stays open; nothing that comes on it later is read either;
* a bucket's size limit is held against Content-Length, so a body in chunks is of any size;
* signed URLs are relative, and bound to the object's name and an end by a real HS256 token; what
  may be put by a slot is bound by nothing;
* a prefix is a LIKE pattern; pages hold `page` objects at most; folders are nothing but names.

Faults are the business of tests/faulty_front.py.
"""

from __future__ import annotations

import base64
import json
import re
import shutil
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from email.message import Message
from email.utils import format_datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, quote, unquote, urlsplit
from uuid import uuid4

from tests.supabase_objects import (
    NAME,
    SECRET_KEY,
    Bucket,
    Refusal,
    StoredFile,
    claims_in,
    is_signed,
    js_time,
    listed,
    no_such_key,
    refusal,
    signed,
)

_PIECE = 1 << 16


class SupabaseServer(ThreadingHTTPServer):
    """Serves until the end of its `with` block; buckets are made by tests, in `buckets`."""

    daemon_threads = True
    request_queue_size = 64

    def __init__(self, folder: Path) -> None:
        super().__init__(("127.0.0.1", 0), _Request)
        self.host, self.port = "127.0.0.1", int(self.server_port)
        self.url = f"http://{self.host}:{self.port}"
        self.folder = folder
        self.buckets: dict[str, Bucket] = {}
        self.page = 1000
        self.slots_work_for_s = 7200
        self.ahead_s = 0  # of our clock, where links and slots are looked at
        self.has_gateway = True
        self.uploads: list[Message] = []  # their headers
        self.left_alone: list[socket.socket] = []

    def shutdown_request(self, request: Any) -> None:
        if request not in self.left_alone:
            super().shutdown_request(request)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing of clients that went away."""

    def bucket(self, name: str) -> Bucket:
        try:
            return self.buckets[name]
        except KeyError:
            raise refusal(404, "NoSuchBucket", "Bucket not found", "Bucket not found") from None

    def file(self, bucket: str, name: str) -> StoredFile:
        """Return the file; who asks for one in no bucket hears that the file is missing."""
        found = self.buckets[bucket].files.get(name) if bucket in self.buckets else None
        if found is None:
            raise no_such_key()
        return found

    def keep(self, bucket: str, name: str, path: Path, media_type: str, cache_control: str) -> None:
        """Let this be the file of that name; readers of an earlier one go on reading it."""
        files, now = self.buckets[bucket].files, datetime.now(UTC)
        first = files[name].created_at if name in files else now
        size = path.stat().st_size
        files[name] = StoredFile(path, size, media_type, cache_control, first, now)


@contextmanager
def supabase_server(folder: Path, *buckets: str) -> Iterator[SupabaseServer]:
    server = SupabaseServer(folder)
    server.buckets = {name: Bucket(None) for name in buckets}
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        thread.join()
        for connection in server.left_alone:
            connection.close()
        server.server_close()


class _Request(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = -1
    server: SupabaseServer

    def _serve(self) -> None:
        target = urlsplit(self.path)
        self.query = {name: values[0] for name, values in parse_qs(target.query).items()}
        path = unquote(target.path)
        self.was_read = not {"Content-Length", "Transfer-Encoding"} & set(self.headers)
        try:
            for method, pattern, serve in _ROUTES:
                found = re.fullmatch(f"/storage/v1{pattern}", path)
                if method == self.command and found:
                    serve(self, **found.groupdict())
                    break
            else:
                raise Refusal(404, statusCode=404, error="Not Found", message="Route not found")
        except Refusal as error:
            self._answer_json(error.body, error.http_status)
        if not self.was_read:
            self._leave_alone()

    do_GET = do_POST = do_PUT = do_DELETE = _serve  # noqa: N815

    def _authenticate(self) -> None:
        """Ask for a key as the gateway does, and for a token as the service behind it does."""
        key = self.headers.get("apikey", "")
        token = self.headers.get("Authorization", "").removeprefix("Bearer ")
        if self.server.has_gateway:
            if key != SECRET_KEY and not is_signed(key):
                raise Refusal(401, message="Invalid API key", hint="Double check your API key.")
            if key == SECRET_KEY and not token:
                return  # the gateway puts in a token of its own
        if not is_signed(token):
            raise refusal(403, "AccessDenied", "Invalid Compact JWS", "Unauthorized")

    def _claims(self, bucket: str, name: str) -> dict[str, Any]:
        """Return what the token in the query vouches for: this object, at this time."""
        if "token" not in self.query:
            raise refusal(400, "Error", "querystring must have required property 'token'")
        claims = claims_in(self.query["token"], ahead_s=self.server.ahead_s)
        if claims.get("url") != f"{bucket}/{name}":
            raise refusal(400, "InvalidSignature", "Invalid signature")
        return claims

    # objects

    def _create(self, bucket: str, name: str) -> None:
        self._authenticate()
        self._upload(bucket, name, is_upsert=self.headers.get("x-upsert") == "true")

    def _fill_slot(self, bucket: str, name: str) -> None:
        claims = self._claims(bucket, name)
        if claims["scope"] != "upload":
            raise refusal(400, "InvalidSignature", "Token is not scoped for upload")
        self._upload(bucket, name, is_upsert=claims["upsert"])

    def _upload(self, bucket: str, name: str, *, is_upsert: bool) -> None:
        self.server.uploads.append(self.headers)
        place = self.server.bucket(bucket)
        limit, announced = place.file_size_limit, int(self.headers.get("Content-Length", 0))
        if limit is not None and announced > limit:
            message = "The object exceeded the maximum allowed size"
            raise refusal(413, "EntityTooLarge", message, "Payload too large")
        self._check_place(bucket, name, is_upsert=is_upsert)
        path = self.server.folder / uuid4().hex
        try:
            with path.open("wb") as file:
                for piece in self._body():
                    file.write(piece)
        except OSError:
            path.unlink()
            raise
        self.server.keep(
            bucket,
            name,
            path,
            self.headers.get("Content-Type", "application/octet-stream"),
            self.headers.get("Cache-Control", "no-cache"),
        )
        self._answer_json({"Id": str(uuid4()), "Key": f"{bucket}/{name}"})

    def _check_place(self, bucket: str, name: str, *, is_upsert: bool) -> None:
        """Refuse what could not be inserted; in no bucket, a foreign key is violated."""
        if not NAME.fullmatch(name):
            raise refusal(400, "InvalidKey", f"Invalid key: {name}")
        if bucket not in self.server.buckets:
            raise refusal(404, "InvalidRequest", "The related resource does not exist")
        if not is_upsert and name in self.server.buckets[bucket].files:
            raise refusal(409, "KeyAlreadyExists", "The resource already exists", "Duplicate")

    def _get(self, bucket: str, name: str) -> None:
        self._authenticate()
        self.server.bucket(bucket)
        file = self.server.file(bucket, name)
        self._send_file(file, {"Cache-Control": file.cache_control})

    def _get_signed(self, bucket: str, name: str) -> None:
        claims = self._claims(bucket, name)
        if claims["scope"] != "download":
            raise refusal(400, "InvalidSignature", "Token is not scoped for download")
        headers = {
            "Expires": format_datetime(datetime.fromtimestamp(claims["exp"], UTC), usegmt=True)
        }
        if "download" in self.query:
            name_given = quote(self.query["download"], safe="!~*'()")
            headers["Content-Disposition"] = (
                f"attachment; filename={name_given}; filename*=UTF-8''{name_given};"
            )
        self._send_file(self.server.file(bucket, name), headers)

    def _info(self, bucket: str, name: str) -> None:
        self._authenticate()
        self.server.bucket(bucket)
        file = self.server.file(bucket, name)
        self._answer_json(
            {
                "name": name,
                "size": file.size,
                "content_type": file.media_type,
                "cache_control": file.cache_control,
                "created_at": js_time(file.created_at),
                "last_modified": js_time(file.updated_at),
            }
        )

    def _copy(self) -> None:
        self._authenticate()
        said = self._json()
        bucket, to = said["bucketId"], said["destinationKey"]
        file = self.server.file(bucket, said["sourceKey"])
        self._check_place(bucket, to, is_upsert=self.headers.get("x-upsert") == "true")
        path = self.server.folder / uuid4().hex
        shutil.copyfile(file.path, path)
        self.server.keep(bucket, to, path, file.media_type, file.cache_control)
        self._answer_json({"Key": f"{bucket}/{to}"})

    def _delete(self, bucket: str) -> None:
        self._authenticate()
        names = self._json()["prefixes"]  # whole names, whatever they are called
        files = self.server.buckets[bucket].files if bucket in self.server.buckets else {}
        gone = [name for name in names if files.pop(name, None)]
        self._answer_json([{"name": name} for name in gone])

    def _list(self, bucket: str) -> None:
        self._authenticate()
        said = self._json()
        like = re.escape(said.get("prefix", "")).replace("_", ".").replace("%", ".*")
        after = base64.b64decode(said.get("cursor", "")).decode().removeprefix("l:")
        most = min(said.get("limit", 1000), self.server.page)
        files = self.server.buckets[bucket].files if bucket in self.server.buckets else {}
        meant = [n for n in sorted(files) if n > after and re.match(like, n, re.DOTALL)]
        shown, has_next = meant[:most], len(meant) > most
        page: dict[str, Any] = {"hasNext": has_next, "folders": []}
        page["objects"] = [listed(name, files[name]) for name in shown]
        if has_next:
            page["nextCursor"] = base64.b64encode(f"l:{shown[-1]}".encode()).decode()
        self._answer_json(page)

    # links, slots, buckets

    def _sign(self, bucket: str, name: str) -> None:
        self._authenticate()
        for_s = self._json()["expiresIn"]
        if not isinstance(for_s, int) or for_s < 1:
            raise refusal(400, "Error", "body/expiresIn must be >= 1")
        self.server.file(bucket, name)
        token = signed({"url": f"{bucket}/{name}", "scope": "download"}, for_s=for_s)
        self._answer_json({"signedURL": f"/object/sign/{bucket}/{name}?token={token}"})

    def _sign_slot(self, bucket: str, name: str) -> None:
        self._authenticate()
        self._json()
        is_upsert = self.headers.get("x-upsert") == "true"
        self.server.bucket(bucket)
        self._check_place(bucket, name, is_upsert=is_upsert)
        claims = {"url": f"{bucket}/{name}", "upsert": is_upsert, "scope": "upload"}
        token = signed(claims, for_s=self.server.slots_work_for_s)
        url = f"/object/upload/sign/{bucket}/{name}?token={token}"
        self._answer_json({"url": url, "token": token})

    def _get_bucket(self, bucket: str) -> None:
        self._authenticate()
        limit = self.server.bucket(bucket).file_size_limit
        self._answer_json({"id": bucket, "name": bucket, "file_size_limit": limit})

    # bytes

    def _json(self) -> Any:
        return json.loads(b"".join(self._body()) or b"{}")

    def _body(self) -> Iterator[bytes]:
        """Yield what the client sends, to its end."""
        if self.headers.get("Transfer-Encoding") == "chunked":
            while size := int(self.rfile.readline(), 16):
                yield self.rfile.read(size)
                self.rfile.readline()
            self.rfile.readline()
        left = int(self.headers.get("Content-Length", 0))
        while left:
            piece = self.rfile.read(min(_PIECE, left))
            if not piece:
                raise ConnectionResetError("the client went away")
            left -= len(piece)
            yield piece
        self.was_read = True

    def _send_file(self, file: StoredFile, headers: dict[str, str]) -> None:
        self.send_response(200)
        told = {"Content-Type": file.media_type, "Content-Length": str(file.size)}
        for name, value in (told | headers).items():
            self.send_header(name, value)
        self.end_headers()
        with file.path.open("rb") as body:
            shutil.copyfileobj(body, self.wfile, _PIECE)

    def _answer_json(self, said: Any, status: int = 200) -> None:
        body = json.dumps(said).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json; charset=utf-8")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def _leave_alone(self) -> None:
        """Neither read on nor close."""
        self.close_connection = True
        self.server.left_alone.append(self.connection)

    def log_message(self, format: str, *args: object) -> None:
        """Keep quiet."""


_OBJECT = r"/(?P<bucket>[^/]+)/(?P<name>.+)"
_ROUTES: tuple[tuple[str, str, Callable[..., None]], ...] = (
    ("POST", r"/object/copy", _Request._copy),
    ("POST", r"/object/list-v2/(?P<bucket>[^/]+)", _Request._list),
    ("POST", rf"/object/upload/sign{_OBJECT}", _Request._sign_slot),
    ("PUT", rf"/object/upload/sign{_OBJECT}", _Request._fill_slot),
    ("POST", rf"/object/sign{_OBJECT}", _Request._sign),
    ("GET", rf"/object/sign{_OBJECT}", _Request._get_signed),
    ("GET", rf"/object/info/authenticated{_OBJECT}", _Request._info),
    ("GET", rf"/object/authenticated{_OBJECT}", _Request._get),
    ("POST", rf"/object{_OBJECT}", _Request._create),
    ("DELETE", r"/object/(?P<bucket>[^/]+)", _Request._delete),
    ("GET", r"/bucket/(?P<bucket>[^/]+)", _Request._get_bucket),
)
