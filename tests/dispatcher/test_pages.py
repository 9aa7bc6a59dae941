"""/docs and /problems: pages that run only our own files, ask no other host, and are kept well."""

from __future__ import annotations

import gzip
import html
import re
from html.parser import HTMLParser

import pytest

from dispatcher.api.problem_kinds import COLORWAY_ERRORS, KINDS

PAGES = ("/docs", "/problems", "/problems/validation")
NOTHING = "default-src 'none'; frame-ancestors 'none'"


class Page(HTMLParser):
    """What a page loads and leads to, and whatever in it a strict policy would not run."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.loads: list[str] = []
        self.leads_to: list[str] = []
        self.inline: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        if tag in {"script", "img", "link"}:
            self.loads.append(given.get("src") or given.get("href") or f"inline {tag}")
        if tag == "a":
            self.leads_to.append(given["href"] or "")
        if tag == "style" or "style" in given or any(name.startswith("on") for name in given):
            self.inline.append(tag)


def policy_of(answer) -> dict[str, str]:
    policy = answer.headers["Content-Security-Policy"]
    return dict(part.split(maxsplit=1) for part in policy.split(";"))


@pytest.mark.parametrize("path", PAGES)
def test_a_page_is_for_everybody_and_says_what_it_may_do(stage, path):
    answer = stage.client.get(path)

    policy = policy_of(answer)
    assert (answer.status_code, answer.mimetype) == (200, "text/html")
    assert policy["default-src"] == "'none'"
    assert policy["style-src"] == "'self'"
    assert {policy[name] for name in ("base-uri", "form-action", "frame-ancestors")} == {"'none'"}
    assert "unsafe" not in answer.headers["Content-Security-Policy"]
    assert answer.headers["Referrer-Policy"] == "no-referrer"
    assert answer.headers["X-Content-Type-Options"] == "nosniff"


def test_only_the_docs_may_run_scripts_and_call(stage):
    may_run = [path for path in PAGES if "script-src" in policy_of(stage.client.get(path))]

    assert may_run == ["/docs"]
    assert policy_of(stage.client.get("/docs"))["connect-src"] == "'self'"


@pytest.mark.parametrize("path", PAGES)
def test_a_page_loads_only_files_of_ours_and_they_are_there(stage, path):
    page = Page(stage.client.get(path).text)

    assert page.inline == []
    assert len(page.loads) >= 3
    for address in page.loads:
        assert re.fullmatch(r"/docs/files/[0-9a-f]{16}/[a-z-]+\.(css|js|svg)", address)
        assert stage.client.get(address).status_code == 200


def test_no_file_of_ours_names_another_host(stage):
    ours = [file for file in Page(stage.client.get("/docs").text).loads if "swagger" not in file]

    for address in ours:
        named = set(re.findall(r"https?://[^\s\"']+", stage.client.get(address).text))
        assert named <= {"http://www.w3.org/2000/svg"}  # a name, which nobody asks


@pytest.mark.parametrize("path", PAGES)
def test_links_within_the_site_lead_somewhere(stage, path):
    page = Page(stage.client.get(path).text)

    for address in page.leads_to:
        if address.startswith("/"):
            assert stage.client.get(address).status_code == 200


@pytest.mark.parametrize("path", [*PAGES, "/openapi.json"])
def test_what_has_not_changed_is_not_sent_again(stage, path):
    answer = stage.client.get(path)
    again = stage.client.get(path, headers={"If-None-Match": answer.headers["ETag"]})

    assert answer.headers["Cache-Control"] == "public, no-cache"
    assert (again.status_code, again.data) == (304, b"")


def test_a_file_is_packed_once_and_kept_for_good(stage):
    [address] = [file for file in Page(stage.client.get("/docs").text).loads if "bundle" in file]

    plain = stage.client.get(address)
    packed = stage.client.get(address, headers={"Accept-Encoding": "br, gzip"})

    assert (plain.mimetype, packed.mimetype) == ("text/javascript", "text/javascript")
    assert "Content-Encoding" not in plain.headers
    assert packed.headers["Content-Encoding"] == "gzip"
    assert gzip.decompress(packed.data) == plain.data
    assert len(packed.data) < len(plain.data) / 3
    for answer in (plain, packed):
        assert answer.headers["Cache-Control"] == "public, max-age=31536000, immutable"
        assert answer.headers["Vary"] == "Accept-Encoding"


@pytest.mark.parametrize(
    "path",
    [
        "/docs/files/0123456789abcdef/docs.js",  # not the file that we have now
        "/docs/files/0123456789abcdef/index.css",  # Swagger UI's, but of no use to us
        "/docs/files/0123456789abcdef/..%2Fpages.py",
        "/docs/",
        "/problems/none",
        "/problems/<script>",
    ],
)
def test_there_is_nothing_else(stage, path):
    answer = stage.client.get(path)

    assert (answer.status_code, answer.json["code"]) == (404, "not-found")


def test_every_kind_of_problem_has_its_page_where_its_type_leads(stage):
    refused = stage.get("/v1/jobs?limit=0").json
    index = stage.client.get("/problems").text

    for code, kind in KINDS.items():
        page = stage.client.get(f"/problems/{code}")
        assert page.status_code == 200
        assert kind.title in html.unescape(page.text)
        assert f'"/problems/{code}"' in index
    assert refused["type"].endswith("/problems/validation")
    assert all(f"<code>{code}</code>" in index for code in COLORWAY_ERRORS)


@pytest.mark.parametrize("path", ["/health", "/nothing", "/v1/jobs", "/openapi.json"])
def test_an_answer_of_the_api_is_no_page(stage, path):
    answer = stage.client.get(path)

    assert answer.headers["Content-Security-Policy"] == NOTHING
    assert answer.headers["Referrer-Policy"] == "no-referrer"
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
