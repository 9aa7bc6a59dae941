"""What is wrong with a job document is told at once, each thing with its place."""

from __future__ import annotations

import gzip
import json
from uuid import UUID

import pytest

from colorway.ledger.accounts import ALL_SCOPES
from tests.dispatcher.stage import a_job_part, a_png, flaws_of, many_palettes, palettes

NOBODY = UUID("01980000-0000-7000-8000-000000000000")
IMAGE = {"id": str(NOBODY)}
NORD = {"name": "Nord", "colors": ["#000000", "#ffffff"]}


def test_everything_wrong_is_told_at_once(stage):
    answer = stage.post_json(
        {
            "image": IMAGE,
            "pallettes": [],
            "palettes": [
                {"name": "Nord", "colors": ["#12", "#ffffff", "blue"]},
                {"name": "", "colors": ["#000000", "#ffffff"]},
                {"key": "Not A Key", "name": "Key", "colors": ["#000000", "#ffffff"]},
                {"name": "One", "colors": ["#000000"]},
                {"name": "Twin", "colors": ["#000000", "#ffffff"]},
                {"name": "twin", "colors": ["#000000", "#ffffff"]},
                {"name": "Text", "colors": "#000000"},
                {"name": "Number", "colors": [1, "#ffffff"]},
                "nord",
            ],
            "render": {"strength": 1.5, "preserve_luminance": "yes"},
            "output": {"format": "bmp", "quality": 0, "max_edge": 1},
            "priority": "urgent",
            "metadata": {"": "x", "long": "x" * 501, "a/b~c d": 1},
        }
    )

    assert flaws_of(answer) == {
        "#/pallettes": "extra-forbidden",
        "#/palettes/0/colors/0": "color-syntax",
        "#/palettes/0/colors/2": "color-syntax",
        "#/palettes/1/name": "string-too-short",
        "#/palettes/2/key": "string-pattern-mismatch",
        "#/palettes/3/colors": "too-short",
        "#/palettes/5/key": "duplicate-key",
        "#/palettes/6/colors": "list-type",
        "#/palettes/7/colors/0": "string-type",
        "#/palettes/8": "model-type",
        "#/render/strength": "less-than-equal",
        "#/render/preserve_luminance": "bool-type",
        "#/output/format": "literal-error",
        "#/output/quality": "greater-than-equal",
        "#/output/max_edge": "greater-than-equal",
        "#/priority": "enum",
        "#/metadata/": "string-too-short",
        "#/metadata/long": "string-too-long",
        "#/metadata/a~1b~0c%20d": "string-type",
    }
    assert answer.json["detail"] == "19 things are not valid"


@pytest.mark.parametrize("wrong", [[1], "text", 1, None, True])
def test_a_document_that_is_no_object_is_not_valid(stage, wrong):
    assert "#" in flaws_of(stage.post_bytes(json.dumps(wrong).encode()))


@pytest.mark.parametrize(
    ("document", "where"),
    [
        ({"palettes": [NORD]}, "#/image"),
        ({"palettes": [NORD], "image": None}, "#/image"),
        ({"palettes": [NORD], "image": {}}, "#/image"),
        ({"palettes": [NORD], "image": {"id": "x"}}, "#/image/id"),
        ({"palettes": [NORD], "image": {"url": "https://a.example/b.png"} | IMAGE}, "#/image"),
        ({"image": IMAGE}, "#/palettes"),
        ({"image": IMAGE, "palettes": []}, "#/palettes"),
        ({"image": IMAGE, "palettes": {"0": NORD}}, "#/palettes"),
        ({"image": IMAGE, "palettes": [NORD | {"size": 1}]}, "#/palettes/0/size"),
        ({"image": IMAGE, "palettes": [NORD], "render": {"strength": "1"}}, "#/render/strength"),
        ({"image": IMAGE, "palettes": [NORD], "output": {"quality": 90.5}}, "#/output/quality"),
        ({"image": IMAGE, "palettes": [NORD], "output": {"quality": True}}, "#/output/quality"),
        (
            {"image": IMAGE, "palettes": [NORD], "metadata": {str(n): "" for n in range(21)}},
            "#/metadata",
        ),
    ],
)
def test_one_wrong_thing_is_told_alone(stage, document, where):
    assert list(flaws_of(stage.post_json(document))) == [where]


@pytest.mark.parametrize("color", ["#ab", "#abcd", "abc", "#ggg", "#abc\n", " #abc", "#٣٣٣", ""])
def test_a_colour_is_three_or_six_hex_digits(stage, color):
    nord = {"name": "Nord", "colors": ["#000", color]}

    answer = stage.post_json({"image": IMAGE, "palettes": [nord]})

    assert flaws_of(answer) == {"#/palettes/0/colors/1": "color-syntax"}


@pytest.mark.parametrize("key", ["", "A", "-a", "a b", "a\n", "k" * 64, "ä"])
def test_a_key_that_is_none_is_refused(stage, key):
    answer = stage.post_json({"image": IMAGE, "palettes": [NORD | {"key": key}]})

    assert flaws_of(answer) == {"#/palettes/0/key": "string-pattern-mismatch"}


def test_two_palettes_of_one_name_are_told_to_take_keys(stage):
    answer = stage.post_json({"image": IMAGE, "palettes": palettes("Nord", "nord!", "other")})

    (flaw,) = answer.json["errors"]
    assert (flaw["pointer"], flaw["code"]) == ("#/palettes/1/key", "duplicate-key")
    assert "give it a `key`" in flaw["detail"]


def test_a_given_key_may_not_be_anothers_default(stage):
    given = {"key": "nord", "name": "Mine", "colors": ["#000", "#fff"]}

    answer = stage.post_json({"image": IMAGE, "palettes": [NORD, given]})

    assert flaws_of(answer) == {"#/palettes/1/key": "duplicate-key"}


@pytest.mark.parametrize("count", [2, 20_000])
def test_too_many_palettes_are_counted(stage, count):
    too_many = [NORD] * 500 + [0] * (count - 500) if count > 500 else many_palettes(501)

    answer = stage.post_json({"image": IMAGE, "palettes": too_many})

    assert flaws_of(answer)["#/palettes"] == "too-many"
    assert str(len(too_many)) in answer.text


@pytest.mark.parametrize(
    "document",
    [
        {"palettes": [NORD | {"name": "a\0b"}]},
        {"palettes": [NORD], "metadata": {"a\0": "b"}},
        {"palettes": [NORD], "metadata": {"a": "b\0"}},
        {"palettes": [NORD | {"key": "a\0b"}]},
    ],
)
def test_nul_is_refused_before_a_database_can(stage_on_each, document):
    image = {"id": stage_on_each.an_image()}

    answer = stage_on_each.post_json(document | {"image": image})

    assert list(flaws_of(answer).values()) == ["string-pattern-mismatch"]


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"nonsense",
        b'{"palettes": []',
        b'{"palettes": [],}',
        b'{"a": NaN}',
        b'{"a": Infinity}',
        b'{"a": -Infinity}',
        b'{"priority": "low", "priority": "high"}',
        b'{"palettes": [{"name": "a", "name": "b", "colors": []}]}',
        b'{"metadata": {"a": "\\ud800"}}',
        b'{"metadata": {"\\udfff": "a"}}',
        b'{"a": "\xff"}',
        '{"a": "ü"}'.encode("latin-1"),
        b'{"a": "\n"}',
        b"[" * 100_000,
        b'{"a":' * 50_000,
        '{"priority": "low"}'.encode("utf-16"),
        '{"priority": "low"}'.encode("utf-32-be"),
        b'\xef\xbb\xbf{"priority": "low"}',
        b'{"metadata": {"a": "\xed\xa0\x80"}}',
        b'{"metadata": {"a": "\xc0\x80"}}',
        b"\x00{}",
        b"{}\x00",
        b"{} {}",
        b'{"a": 01}',
        b'{"a": 0x10}',
        b'{"a": +1}',
        b'{"a": .5}',
        b"{'a': 1}",
        b'{"a": 1} // so it is',
        b"image=1&job=2",
    ],
)
def test_what_is_not_json_is_malformed(stage, body):
    plain = stage.post_bytes(body)
    in_parts = stage.post_parts(("image", a_png()), ("job", body))

    assert [answer.status_code for answer in (plain, in_parts)] == [400, 400]
    assert plain.json["code"] == in_parts.json["code"] == "malformed"


@pytest.mark.parametrize("number", ["1e400", "-1e400", "0.5e-400", "9" * 5000, "9" * 900_000])
@pytest.mark.parametrize("place", ['"output": {"quality": %s}', '"priority": %s', '"metadata": %s'])
def test_a_number_beyond_all_bounds_is_not_valid(stage, place, number):
    document = json.dumps({"image": IMAGE, "palettes": [NORD]})

    answer = stage.post_bytes(f"{document[:-1]}, {place % number}}}".encode())

    too_long = len(number) > 4300  # for the reader itself
    assert answer.status_code == (400 if too_long else 422)


def test_ten_megabytes_of_json_are_too_large(stage):
    answers = (
        stage.post_bytes(b'{"a": "' + b"x" * 10_000_000 + b'"}'),
        stage.post_parts(("image", a_png()), ("job", "x" * 10_000_000)),
    )

    assert [answer.status_code for answer in answers] == [413, 413]
    assert all("1000000 bytes" in answer.json["detail"] for answer in answers)


def test_a_picture_may_not_be_named_and_sent_at_once(stage):
    answer = stage.post_parts(("image", a_png()), ("job", a_job_part(image=IMAGE)))

    assert flaws_of(answer) == {"#/image": "image-twice"}


@pytest.mark.parametrize("path", ["/v1/jobs", "/v1/images", f"/v1/jobs/{IMAGE['id']}/retry"])
@pytest.mark.parametrize("coding", ["gzip", "GZIP", "deflate", "br", "gzip, identity", "x"])
def test_a_body_in_another_coding_is_not_read(stage, path, coding):
    body = gzip.compress(b"{}")

    answer = stage.post(
        path, data=body, content_type="application/json", headers={"Content-Encoding": coding}
    )

    assert (answer.status_code, answer.json["code"]) == (415, "media-type")
    assert "Content-Encoding" in answer.json["detail"]


@pytest.mark.parametrize("charset", ["utf-16", "latin-1", "x", "utf-7"])
def test_text_in_another_charset_is_not_read(stage, charset):
    answer = stage.post("/v1/jobs", data=b"{}", content_type=f"application/json; charset={charset}")

    assert (answer.status_code, answer.json["code"]) == (415, "media-type")


@pytest.mark.parametrize(
    "media_type",
    [
        "APPLICATION/JSON",
        "application/json; charset=UTF-8",
        'application/json;charset="utf-8"',
        'application/json; ;;=;"',
    ],
)
def test_json_may_be_announced_in_many_ways(stage, media_type):
    identity = {"Content-Encoding": "identity"}

    answer = stage.post("/v1/jobs", data=b"[]", content_type=media_type, headers=identity)

    assert flaws_of(answer)["#"] == "model-type"


@pytest.mark.parametrize("text", ["%00", "%ff", "%ed%a0%80", "a%0d%0ab", "%F0%9F%8E%A8", "1e400"])
def test_nothing_odd_in_a_query_reaches_a_database(stage_on_each, text):
    job = stage_on_each.a_job("nord")["links"]
    said = {
        "/v1/jobs": ("limit", "cursor", "status", "created_after", "created_before", text),
        job["colorways"]: ("limit", "cursor", "status", text),
        f"{job['colorways']}/nord/image": ("thumbnail",),
    }

    answers = [
        stage_on_each.get(f"{path}?{name}={text}") for path, names in said.items() for name in names
    ]

    assert [answer.status_code for answer in answers] == [422] * 11
    assert all("errors" in answer.json for answer in answers)


@pytest.mark.parametrize("key", ["a\0b", "\udcff", "\xff\xfe", "a" * 8000, " ", "\u2028"])
def test_an_odd_key_is_nobodys(stage_on_each, key):
    header = f"Bearer {key}".encode("utf-8", "surrogateescape").decode("latin-1")

    answer = stage_on_each.client.get("/v1/jobs", environ_overrides={"HTTP_AUTHORIZATION": header})

    assert (answer.status_code, answer.json["code"]) == (401, "unauthenticated")


def test_a_query_parameter_given_twice_is_refused(stage):
    answer = stage.get("/v1/jobs?limit=1&limit=2")

    assert flaws_of(answer) == {"limit": "twice"}


def test_every_call_refuses_a_query_parameter_that_it_does_not_know(stage):
    values = {"job": NOBODY, "image": NOBODY, "slot": NOBODY, "key": "nord"}
    calls = [
        (method, rule.build({name: values[name] for name in rule.arguments})[1])
        for rule in stage.app.url_map.iter_rules()
        if rule.rule.startswith("/v1/")
        for method in rule.methods - {"HEAD", "OPTIONS"}
    ]

    flaws = {
        (method, path): flaws_of(
            stage.client.open(f"{path}?dry_runn=1", method=method, headers=stage.a_key(*ALL_SCOPES))
        )
        for method, path in calls
    }

    assert ("POST", "/v1/images") in flaws
    assert flaws == {call: {"dry_runn": "unknown"} for call in flaws}
