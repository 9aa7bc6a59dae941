"""/docs and /problems. They run no script but their own files, and ask nobody but this service."""

from __future__ import annotations

import json
import re

from flask import Blueprint, Response, render_template, request, url_for
from markupsafe import Markup, escape

from colorway.errors import NotFound
from colorway.image_store.contract import IMMUTABLE
from dispatcher.api.problem_kinds import COLORWAY_ERRORS, KINDS
from dispatcher.api.problems import example_of
from dispatcher.web.assets import asset

_NOTHING_ELSE = (
    "default-src 'none'; style-src 'self'; img-src 'self' data:; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
_AND_CALLS = f"{_NOTHING_ELSE}; script-src 'self'; connect-src 'self'"

_AGAIN = {
    "never": "Not as it is.",
    "sometimes": "After `Retry-After` seconds, where the answer has that header; else never.",
    "always": "Yes, as it is, after `Retry-After` seconds.",
}

_TICKED = re.compile(r"`([^`]+)`")


def page_routes(version: str) -> Blueprint:
    """Return the routes of the pages and their files."""
    routes = Blueprint("pages", __name__, template_folder="templates")

    @routes.get("/docs")
    def docs() -> Response:
        return _page("docs.html", _AND_CALLS, version=version)

    @routes.get("/problems")
    def problems() -> Response:
        return _page("problems.html", _NOTHING_ELSE, kinds=KINDS, colorway_errors=COLORWAY_ERRORS)

    @routes.get("/problems/<code>")
    def problem(code: str) -> Response:
        if code not in KINDS:
            raise NotFound("there is no such kind of problem")
        example = json.dumps(example_of(code), indent=2, ensure_ascii=False)
        facts = {"code": code, "kind": KINDS[code], "example": example, "again": _AGAIN}
        return _page("problem.html", _NOTHING_ELSE, **facts)

    @routes.get("/docs/files/<digest>/<name>")
    def file(digest: str, name: str) -> Response:
        found = asset(name)
        if digest != found.digest:
            raise NotFound("there is a newer file of this name")
        is_packed = request.accept_encodings.quality("gzip") > 0
        answer = Response(found.packed if is_packed else found.body, mimetype=found.media_type)
        if is_packed:
            answer.headers["Content-Encoding"] = "gzip"
        answer.vary.add("Accept-Encoding")
        answer.headers["Cache-Control"] = IMMUTABLE
        answer.set_etag(found.digest, weak=True)
        answer.make_conditional(request)
        return answer

    @routes.app_template_filter()
    def ticked(text: str) -> Markup:
        """Return the text with what is between backticks as code."""
        return Markup(_TICKED.sub(r"<code>\1</code>", str(escape(text))))  # noqa: S704 - escaped

    @routes.app_template_global()
    def file_url(name: str) -> str:
        return url_for("pages.file", digest=asset(name).digest, name=name)

    return routes


def _page(template: str, policy: str, **facts: object) -> Response:
    answer = Response(render_template(template, **facts), mimetype="text/html")
    answer.headers["Content-Security-Policy"] = policy
    answer.headers["Cache-Control"] = "public, no-cache"
    answer.add_etag()
    answer.make_conditional(request)
    return answer
