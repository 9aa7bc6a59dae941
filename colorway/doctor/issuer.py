"""Who signs callers' tokens: are its keys to be had, and is it who the settings say?"""

from __future__ import annotations

from datetime import UTC, datetime

import requests

from colorway.doctor.clock import check_date_header
from colorway.doctor.finding import Findings, judged, right, unseen, wrong
from colorway.errors import TryLater
from colorway.oidc import CallerCheck
from colorway.settings import SharedSettings

_PATIENCE_S = 5
_DISCOVERY = "/.well-known/openid-configuration"  # OpenID Connect Discovery 1.0, section 4


def check_issuer(settings: SharedSettings) -> Findings:
    """Fetch the keys as the service does, and what the issuer tells of itself."""
    callers = CallerCheck(
        audience="",  # nobody's token is read
        issuer=settings.oidc_issuer,
        certs_url=settings.oidc_certs_url,
        emails=settings.oidc_callers,
    )
    try:
        callers.require_keys()
    except TryLater as error:
        yield wrong(
            "issuer's keys",
            f"{error}, from {settings.oidc_certs_url}: {type(error.__cause__).__name__}",
            fix="correct OIDC_CERTS_URL, or let this machine reach it",
        )
    else:
        yield right("issuer's keys", f"fetched from {settings.oidc_certs_url}")
    yield from _discovery(settings)


def _discovery(settings: SharedSettings) -> Findings:
    what, asked = "issuer", settings.oidc_issuer + _DISCOVERY
    try:
        answer = requests.get(asked, timeout=_PATIENCE_S)
        ours = datetime.now(UTC)
        told = answer.json() if answer.ok else None
    except (requests.RequestException, ValueError) as error:
        yield unseen(what, f"nothing to be read at {asked} ({type(error).__name__})")
        return
    if not isinstance(told, dict):
        yield unseen(what, f"tells nothing of itself at {asked}")
    else:
        flaws = [
            f"{name} is {ours!r} and the issuer says {told.get(field)!r}"
            for name, field, ours in (
                ("OIDC_ISSUER", "issuer", settings.oidc_issuer),
                ("OIDC_CERTS_URL", "jwks_uri", settings.oidc_certs_url),
            )
            if told.get(field) != ours
        ]
        fix = "set both as the issuer says, in both services"
        yield judged(what, flaws, detail=f"{settings.oidc_issuer} says the same", fix=fix)
    yield check_date_header("issuer", answer.headers.get("Date"), ours=ours)
