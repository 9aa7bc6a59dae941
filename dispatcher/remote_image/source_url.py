"""A URL as a client may write it: one spelling, no credentials, a port where the web is.

Nothing is repaired on the way, as browsers do: what two programs might read in two ways is refused.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address
from urllib.parse import urljoin

from dispatcher.remote_image.address import IPAddress
from dispatcher.remote_image.refusals import blocked

MAX_LENGTH = 2048
URL_PATTERN = r"^[!-\[\]-~]+$"
"""Printable ASCII without spaces and backslashes."""

_DEFAULT_PORTS = {"http": 80, "https": 443}
_URL = re.compile(
    r"(?P<scheme>[a-z][a-z0-9+.-]*)://(?P<authority>[^/?#]*)(?P<target>[^#]*)(#.*)?",
    re.IGNORECASE,
)
_AUTHORITY = re.compile(r"(?P<host>\[[^\[\]]*\]|[^\[\]:]+)(:(?P<port>[0-9]{1,5})?)?")
_LABEL = r"[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?"
_NAME = re.compile(rf"(?=.{{1,253}}$)({_LABEL}\.)+{_LABEL}")
_ENDS_IN_NUMBER = re.compile(r"(.*\.)?([0-9]+|0x[0-9a-f]*)")
"""What a browser reads as an IPv4 address (WHATWG URL, section 3.5): `2130706433`, `0x7f.1`."""

_SPECIAL_NAMES = re.compile(r"(.*\.)?(localhost|local|internal|home\.arpa|test|invalid|onion|alt)")
"""They never name a public host: RFC 6761, RFC 6762, RFC 7686, RFC 8375, RFC 9476, and ICANN's
`internal`. They are not even looked up, for whether they exist is nobody's business."""


@dataclass(frozen=True, slots=True)
class SourceUrl:
    """Where to connect, and what to ask for there; `address` is set where the host is one."""

    scheme: str
    host: str
    port: int
    target: str
    address: IPAddress | None = None

    @property
    def authority(self) -> str:
        """Host and port as the header `Host` has them."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == _DEFAULT_PORTS[self.scheme] else f"{host}:{self.port}"

    def __str__(self) -> str:
        return f"{self.scheme}://{self.authority}{self.target}"


@dataclass(frozen=True, slots=True)
class UrlRules:
    """Which URLs are fetched at all, whatever their host."""

    allow_http: bool = False
    ports: frozenset[int] = frozenset(_DEFAULT_PORTS.values())

    def read(self, text: str) -> SourceUrl:
        """Return what the URL says, or raise InvalidRequest (`source-blocked`)."""
        _require_plain(text)
        parts = _URL.fullmatch(text)
        if parts is None:
            raise blocked("this is no URL; write it like https://cdn.example/picture.png")
        scheme, target = parts["scheme"].lower(), parts["target"]
        if scheme not in self._schemes:
            raise blocked(
                f"the URL must begin with {' or '.join(f'{s}://' for s in self._schemes)}"
            )
        if "@" in parts["authority"]:
            raise blocked("the URL must have no user name and no password")
        authority = _AUTHORITY.fullmatch(parts["authority"])
        if authority is None:
            raise blocked("the URL names no host, or its port is no number")
        port = int(authority["port"] or _DEFAULT_PORTS[scheme])
        if port not in self.ports:
            ports = " or ".join(map(str, sorted(self.ports)))
            raise blocked(f"the URL's port is {port}; it must be {ports}")
        host, address = _host(authority["host"].lower())
        return SourceUrl(
            scheme, host, port, target if target.startswith("/") else f"/{target}", address
        )

    def follow(self, url: SourceUrl, location: str) -> SourceUrl:
        """Return where a redirect leads, or raise InvalidRequest (`source-blocked`)."""
        _require_plain(location)
        following = self.read(urljoin(str(url), location))
        if url.scheme == "https" and following.scheme == "http":
            raise blocked("it leads from https to http")
        return following

    @property
    def _schemes(self) -> tuple[str, ...]:
        return ("https", "http") if self.allow_http else ("https",)


def _require_plain(text: str) -> None:
    if len(text) > MAX_LENGTH:
        raise blocked(f"the URL has {len(text)} characters; the limit is {MAX_LENGTH}")
    if not re.fullmatch(URL_PATTERN, text):
        raise blocked(
            "the URL must be of printable ASCII without spaces and backslashes:"
            " percent-encode its path, and write its host in the xn-- form"
        )


def _host(text: str) -> tuple[str, IPAddress | None]:
    address: IPAddress
    if text.startswith("["):
        try:
            address = IPv6Address(text[1:-1])
        except ValueError:
            raise blocked("the URL's host is no IPv6 address") from None
        if address.scope_id is not None:
            raise blocked("the URL's host must have no zone")
        return str(address), address
    if _ENDS_IN_NUMBER.fullmatch(text):
        try:
            address = IPv4Address(text)
        except ValueError:
            raise blocked("an IPv4 address is written as four decimal numbers: 192.0.2.1") from None
        return str(address), address
    if not _NAME.fullmatch(text):
        raise blocked(
            "the URL's host must be a full name of letters, digits and hyphens: cdn.example"
        )
    if _SPECIAL_NAMES.fullmatch(text):
        raise blocked(f"{text} is a name of private networks; name a public host")
    return text, None
