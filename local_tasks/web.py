"""The server's own small HTTP port: /certs, where tokens are checked, and /health."""

import json
import logging
import socket
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from socketserver import TCPServer
from typing import Any

log = logging.getLogger(__name__)


class Web:
    def __init__(self, host: str, port: int) -> None:
        """Bind at once, so that the URL is known before anything is served. Raises OSError."""
        self._pages: dict[str, bytes] = {}
        self._server = _Server((host.strip("[]"), port), _page_handler(self._pages))
        self._address = (host.strip("[]"), int(self._server.server_address[1]))
        self._thread = threading.Thread(target=self._serve, name="web", daemon=True)
        self._is_stopping = False
        self.url = f"http://{host}:{self._address[1]}"

    def start(self, certificates: dict[str, Any], *, issuer: str) -> None:
        discovery = {"issuer": issuer, "jwks_uri": f"{self.url}/certs"}
        self._pages["/certs"] = json.dumps(certificates).encode()
        self._pages["/health"] = b'{"status": "ok"}'
        self._pages["/.well-known/openid-configuration"] = json.dumps(discovery).encode()
        self._thread.start()

    def stop(self) -> None:
        self._is_stopping = True
        if self._thread.is_alive():
            socket.create_connection(self._address).close()  # wakes it
            self._thread.join()
        self._server.server_close()

    def _serve(self) -> None:
        # Not serve_forever(), which looks twice a second whether it is to stop.
        while not self._is_stopping:
            self._server.handle_request()


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, address: tuple[str, int], handler: type[BaseHTTPRequestHandler]) -> None:
        self.address_family = socket.AF_INET6 if ":" in address[0] else socket.AF_INET
        super().__init__(address, handler)

    def handle_error(self, request: Any, client_address: Any) -> None:
        log.debug("caller hung up: address=%s", client_address)

    def server_bind(self) -> None:
        TCPServer.server_bind(self)  # past HTTPServer's, which asks the DNS for our name


def _page_handler(pages: dict[str, bytes]) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        timeout = 10  # seconds; an idle connection holds a thread

        def do_GET(self) -> None:
            page = pages.get(self.path.partition("?")[0])
            body = b'{"error": "not found"}' if page is None else page
            self.send_response(404 if page is None else 200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: Any) -> None:
            """Say nothing: a health check each second is no news."""

    return Handler
