"""Whose trace a request belongs to, as its headers tell; what is malformed tells nothing."""

from __future__ import annotations

import pytest
from werkzeug.datastructures import Headers

from colorway.telemetry.trace_context import TraceContext
from colorway.telemetry.traces import current_place, span

TRACE, SPAN = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
NUMBER = int(SPAN, 16)
HERE = TraceContext(TRACE, SPAN, is_sampled=True)
UNSAMPLED = TraceContext(TRACE, SPAN, is_sampled=False)


@pytest.mark.parametrize(
    ("traceparent", "told"),
    [
        (f"00-{TRACE}-{SPAN}-01", HERE),
        (f"00-{TRACE}-{SPAN}-00", UNSAMPLED),
        (f"00-{TRACE}-{SPAN}-ff", HERE),  # other flags are to be ignored
        (f"cc-{TRACE}-{SPAN}-01", HERE),  # a later version
        (f"cc-{TRACE}-{SPAN}-01-what-it-adds", HERE),
    ],
)
def test_a_traceparent_tells_of_a_span(traceparent, told):
    assert TraceContext.parse(traceparent) == told


@pytest.mark.parametrize(
    "malformed",
    [
        None,
        "",
        f"ff-{TRACE}-{SPAN}-01",
        f"00-{TRACE}-{SPAN}-01-more",
        f"cc-{TRACE}-{SPAN}-01.more",
        f"00-{TRACE}-{SPAN}",
        f"00-{TRACE.upper()}-{SPAN}-01",
        f"00-{'0' * 32}-{SPAN}-01",
        f"00-{TRACE}-{'0' * 16}-01",
        f"00-{TRACE}-{SPAN}-1",
        f" 00-{TRACE}-{SPAN}-01",
        f"00-{TRACE}-{SPAN}-01\n",
    ],
)
def test_a_malformed_traceparent_tells_nothing(malformed):
    assert TraceContext.parse(malformed) is None


@pytest.mark.parametrize("place", [HERE, UNSAMPLED])
def test_what_is_passed_on_is_read_as_it_was(place):
    assert TraceContext.parse(place.traceparent) == place


@pytest.mark.parametrize(
    ("header", "told"),
    [
        (f"{TRACE}/{NUMBER};o=1", HERE),
        (f"{TRACE}/{NUMBER};o=0", UNSAMPLED),
        (f"{TRACE}/{NUMBER}", UNSAMPLED),
        (f"{TRACE}/1;o=1", TraceContext(TRACE, "0000000000000001", is_sampled=True)),
        (f"{TRACE}/0;o=1", None),
        (f"{TRACE}/{2**64};o=1", None),
        (f"{'0' * 32}/{NUMBER};o=1", None),
        (TRACE, None),
        ("nonsense", None),
    ],
)
def test_googles_older_header_is_understood(header, told):
    assert TraceContext.of_request(Headers({"X-Cloud-Trace-Context": header})) == told


def test_a_traceparent_goes_before_googles_header():
    other = f"{'1' * 32}/1;o=1"
    both = Headers({"Traceparent": HERE.traceparent, "X-Cloud-Trace-Context": other})

    assert TraceContext.of_request(both) == HERE


def test_a_span_that_is_not_exported_is_where_its_parent_is():
    with span("request", parent=HERE), span("step") as step:
        inside = current_place()

    assert (step.place, inside, current_place()) == (HERE, HERE, None)


def test_a_request_without_a_caller_belongs_to_no_trace_though_one_was_never_left():
    with span("request", parent=HERE, kind="SERVER"), span("request", kind="SERVER") as step:
        inside = current_place()

    assert (step.place, inside) == (None, None)


def test_a_span_that_breaks_is_left_all_the_same():
    @span("step", parent=HERE)
    def break_off():
        raise RuntimeError

    with pytest.raises(RuntimeError):
        break_off()

    assert current_place() is None
