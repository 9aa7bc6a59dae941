"""What is not HTTP, or may be read in two ways, gets one 4xx as problem+json, and is hung up on."""

from __future__ import annotations

import re

import pytest

from tests.dispatcher.stage import a_job_part, a_png
from tests.dispatcher.wire import CLOSE, HEALTH, exchange, is_alive, request

X = b"Host: x\r\n"
GET = b"GET /health HTTP/1.1\r\n" + X
POST = b"POST /v1/jobs HTTP/1.1\r\n" + X
CHUNKED = "Transfer-Encoding: chunked"
JSON = "Content-Type: application/json"
NOWHERE = "01980000-0000-7000-8000-000000000000"


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        # request lines
        (b"GARBAGE\r\n\r\n", 400),
        (b"\r\n\r\n\r\n", 400),
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"x" * 99 + b"\r\n\r\n", 400),  # TLS
        (b"GET /health\r\n\r\n", 400),  # HTTP/0.9
        (b"GET /health HTTP/2.0\r\n" + X + b"\r\n", 400),
        (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 400),
        (b"GET /health HTTX/1.1\r\n" + X + b"\r\n", 400),
        (b"GET /health  HTTP/1.1\r\n" + X + b"\r\n", 400),
        (b"GET\t/health\tHTTP/1.1\r\n" + X + b"\r\n", 400),
        (b"get /health HTTP/1.1\r\n" + X + b"\r\n", 400),
        (b"GE(T /health HTTP/1.1\r\n" + X + b"\r\n", 400),
        (b"GET health HTTP/1.1\r\n" + X + b"\r\n", 400),
        (b"GET * HTTP/1.1\r\n" + X + b"\r\n", 400),
        (b"GET http://[::1/health HTTP/1.1\r\n" + X + b"\r\n", 400),
        (b"GET /he\0alth HTTP/1.1\r\n" + X + b"\r\n", 400),
        (b"GET /\xc3\xbc HTTP/1.1\r\n" + X + b"\r\n", 400),
        (b"GET /" + b"a" * 5000 + b" HTTP/1.1\r\n" + X + b"\r\n", 414),
        (b"GET /" + b"a" * 100_000, 414),
        # headers
        (b"GET /health HTTP/1.1\nHost: x\n\n", 400),
        (GET + b"X: a\n\r\n", 400),
        (GET + b"X : a\r\n\r\n", 400),
        (GET + b": a\r\n\r\n", 400),
        (GET + b"X: a\r\n b\r\n\r\n", 400),  # obs-fold
        (b"GET /health HTTP/1.1\r\n X: a\r\n" + X + b"\r\n", 400),
        (GET + b"X-Request-Id: a\rSet-Cookie: b\r\n\r\n", 400),
        (GET + b"X-Request-Id: a\0b\r\n\r\n", 400),
        (GET + b"Authorization Bearer topsecret\r\n\r\n", 400),
        (GET + X + b"\r\n", 400),
        (GET + b"Expect: the-unexpected\r\n\r\n", 417),
        (GET + b"X: " + b"a" * 9000 + b"\r\n\r\n", 431),
        (GET + b"X: a\r\n" * 200 + b"\r\n", 431),
        (GET + b"X: " + b"a" * 2_000_000, 431),
        # how long the body is
        (POST + b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400),
        (POST + b"Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n", 400),
        (POST + b"Content-Length: 0\r\nContent-Length: 44\r\n\r\n", 400),
        (POST + b"Content-Length: 2, 2\r\n\r\n{}", 400),
        (POST + b"Content-Length: -1\r\n\r\n", 400),
        (POST + b"Content-Length: +2\r\n\r\n{}", 400),
        (POST + b"Content-Length: 0x2\r\n\r\n{}", 400),
        (POST + b"Content-Length: 2 2\r\n\r\n{}", 400),
        (POST + b"Content-Length: \xb2\r\n\r\n{}", 400),
        (POST + b"Content-Length: " + b"9" * 5000 + b"\r\n\r\n", 400),
        (POST + b"Content-Length:\r\n\r\n{}", 400),
        (POST + b"Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n", 400),
        (POST + b"Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n", 400),
        (POST + b"Transfer-Encoding: chunked, chunked\r\n\r\n0\r\n\r\n", 400),
        (POST + b"Transfer-Encoding: identity\r\n\r\n", 400),
        (POST + b"Transfer-Encoding: gzip\r\n\r\n", 400),
        (POST + b"Transfer-Encoding: \x0bchunked\r\n\r\n0\r\n\r\n", 400),
        (POST + b"Transfer-Encoding:\r\n\r\n0\r\n\r\n", 400),
        (b"POST /v1/jobs HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400),
    ],
)
def test_what_is_not_http_is_refused_and_nothing_after_it_is_believed(machine, sent, status):
    (answer,) = exchange(machine, sent, HEALTH)

    problem = answer.json
    assert answer.headers["content-type"] == "application/problem+json"
    assert (answer.status, problem["status"], problem["code"]) == (status, status, "malformed")
    assert answer.headers["connection"] == "close"
    assert answer.headers["x-request-id"] == problem["request_id"]
    assert "topsecret" not in str(answer)
    assert is_alive(machine)


@pytest.mark.parametrize(
    "chunks",
    [
        b"zz\r\n{}\r\n0\r\n\r\n",
        b"-2\r\n{}\r\n0\r\n\r\n",
        b"0x2\r\n{}\r\n0\r\n\r\n",
        b"2 \r\n{}\r\n0\r\n\r\n",
        b"\r\n{}\r\n0\r\n\r\n",
        b"2\r\n{}XX0\r\n\r\n",
        b"2;a=\x01\r\n{}\r\n0\r\n\r\n",
        b"2;a=b\rc\r\n{}\r\n0\r\n\r\n",
        b"0" * 20_000,
        b"2\r\n{}\r\n0\r\nContent-Length: 3\r\n\r\n",
        b"2\r\n{}\r\n0\r\nno colon\r\n\r\n",
        b"2\r\n{}\r\n0\r\n" + b"X: y\r\n" * 200_000,
    ],
)
@pytest.mark.parametrize(
    ("path", "media_type"),
    [
        ("/v1/jobs", JSON),
        ("/v1/jobs", "Content-Type: multipart/form-data; boundary=limit"),
        ("/v1/images", "Content-Type: image/png"),
        (f"/v1/jobs/{NOWHERE}/cancel", JSON),
        (f"/v1/jobs/{NOWHERE}/retry", JSON),
    ],
)
def test_chunks_that_are_none_are_refused_while_the_body_is_read(machine, path, media_type, chunks):
    sent = request(machine, f"POST {path}", media_type, CHUNKED, body=chunks)

    (answer,) = exchange(machine, sent, HEALTH)

    assert answer.headers["content-type"] == "application/problem+json"
    assert (answer.status, answer.json["code"]) == (400, "malformed")


def test_chunks_that_nobody_reads_get_no_second_answer(machine):
    sent = request(machine, "GET /health", CHUNKED, body=b"zz\r\n")

    (answer,) = exchange(machine, sent, HEALTH)

    assert answer.status == 200
    assert is_alive(machine)


@pytest.mark.parametrize("body", [b"f" * 40 + b"\r\n{}", b"7fffffffffffffff\r\n{}", b"2\r\n{}"])
def test_chunks_that_promise_more_than_comes_are_cut_short(machine, body):
    sent = request(machine, "POST /v1/jobs", JSON, CHUNKED, body=body)

    (answer,) = exchange(machine, sent, hang_up=True)

    assert (answer.status, answer.json["code"]) == (400, "malformed")


def test_a_body_coded_twice_is_not_read_as_if_it_were_once(machine):
    sent = request(
        machine,
        "POST /v1/jobs",
        JSON,
        "Transfer-Encoding: gzip, chunked",
        body=b"2\r\n{}\r\n0\r\n\r\n",
    )

    (answer,) = exchange(machine, sent)

    assert (answer.status, answer.json["code"]) == (400, "malformed")


@pytest.mark.parametrize(
    "host", ["", "Host: \r\n", "Host: a b\r\n", "Host: \xff\r\n", 'Host: "\r\n']
)
def test_a_request_says_which_host_it_means(machine, host):
    (answer,) = exchange(
        machine, f"GET /health HTTP/1.1\r\n{CLOSE}\r\n{host}\r\n".encode("latin-1")
    )

    assert (answer.status, answer.json["code"]) == (400, "malformed")


@pytest.mark.parametrize(
    "sent",
    [
        b"GET /health HTTP/1.0\r\n\r\n",  # a health check of the old kind
        b"GET /health HTTP/1.0\r\nHost: a_service:8000\r\n\r\n",
        b"GET http://elsewhere/health HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
        b"\r\nGET /health HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
        b"GET /health HTTP/1.1\r\nhOST:x\t\r\ncOnNeCtIoN: CLOSE\r\n\r\n",
        b"GET /health HTTP/1.1\r\nHost: x\r\nConnection: close\r\nCookie: =;\xff\r\n\r\n",
        # what only a proxy's own headers could say, and this one is no proxy's
        b"GET /health HTTP/1.1\r\nHost: x\r\nConnection: close\r\nSCRIPT_NAME: /x\r\n\r\n",
        b"GET /health HTTP/1.1\r\nHost: x\r\nConnection: close\r\nPATH_INFO: /metrics\r\n\r\n",
    ],
)
def test_what_is_odd_but_means_one_thing_is_answered(machine, sent):
    (answer,) = exchange(machine, sent)

    assert (answer.status, answer.json) == (200, {"status": "ok"})


def test_requests_may_follow_each_other_on_one_connection(machine):
    body = a_job_part().encode()
    first = request(machine, "POST /v1/jobs", JSON, f"Content-Length: {len(body)}", body=body)

    answers = exchange(machine, first + first + HEALTH)

    assert [answer.status for answer in answers] == [422, 422, 200]


def test_who_asks_whether_to_send_is_told_to_go_on(machine):
    picture = a_png(77)
    size = f"Content-Length: {len(picture)}"
    sent = request(
        machine, "POST /v1/images", "Content-Type: image/png", size, "Expect: 100-Continue", CLOSE
    )

    answers = exchange(machine, sent, picture)

    assert [answer.status for answer in answers] == [100, 201]


@pytest.mark.parametrize("method", ["TRACE", "PROPFIND", "BREW", "M-SEARCH"])
def test_a_method_that_is_not_offered_is_405(machine, method):
    (answer,) = exchange(machine, request(machine, f"{method} /v1/jobs", CLOSE))

    assert (answer.status, answer.json["code"]) == (405, "method")
    assert answer.headers["allow"] == "GET, HEAD, OPTIONS, POST"


@pytest.mark.parametrize(
    "target",
    [
        "/v1/jobs/%00",
        "/v1/jobs/%0d%0aSet-Cookie:%20a=b",
        "/v1/jobs/../../etc/passwd",
        "/v1/jobs/%2e%2e/%2e%2e/etc/passwd",
        "/v1/jobs%2f" + NOWHERE + "%2f..",
        "//evil.example/v1/jobs",
        "/v1//jobs",
        "/v1/jobs;a=b",
        "/v1/jobs/%",
        "/v1/jobs/%zz",
        "/v1/jobs/%ff%fe",
        "/v1/jobs/%c0%ae%c0%ae/",
        "/v1/jobs/%ed%a0%80",
        "/v1/jobs/" + "a/" * 1500,
        "/v1/jobs/" + NOWHERE + "/colorways/%00",
        "/v1/jobs/" + NOWHERE + "/colorways/%0d%0a",
        "/files/%2e%2e/%2e%2e/ledger.png?name=a&expires=9999999999&signature=a",
        "/files/..%2f..%2fledger.png?name=%0d%0aSet-Cookie:&expires=1&signature=%00",
        "/files/a%00.png?name=a&expires=" + "9" * 3000 + "&signature=%ff",
        "/files/a.png?name=a&expires=%D9%A3&signature=%C3%BC",
        "http://evil.example",
    ],
)
def test_a_path_that_leads_nowhere_is_404_and_comes_back_in_no_header(machine, target):
    (answer,) = exchange(machine, request(machine, f"GET {target}", CLOSE))

    assert (answer.status, answer.json["code"]) == (404, "not-found")
    assert "set-cookie" not in answer.headers
    assert re.fullmatch(r"[0-9a-f-]{36}", answer.headers["x-request-id"])
