"""What both doctors are told on the command line."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

from colorway.doctor.agreement import Facts, read_other

_END = """exit code 0: nothing is wrong; 1: something is; 2: these arguments are"""


class Arguments(argparse.Namespace):
    """The arguments, each with its unit."""

    facts: bool
    json: bool
    other: Facts | None
    dispatchers: int
    workers: int
    request_timeout: timedelta | None


def arguments_of(service: str, about: str, given: list[str]) -> Arguments:
    """Read them, or end the process with code 2."""
    parser = argparse.ArgumentParser(f"python -m {service}.doctor", description=about, epilog=_END)
    add: Callable[..., object] = parser.add_argument
    add("--json", action="store_true", help="one JSON document, facts included")
    add("--facts", action="store_true", help="only tell what the other service must agree with")
    add(
        "--other",
        type=_other(service),
        metavar="FILE",
        help="what the other service's doctor said by --facts, or by --json",
    )
    add("--dispatchers", type=_count, default=1, metavar="N", help="processes at most (1)")
    add("--workers", type=_count, default=1, metavar="N", help="processes at most (1)")
    add(
        "--request-timeout",
        type=_seconds,
        metavar="SECONDS",
        help="after which the platform cuts the worker's answer (Cloud Run's timeout)",
    )
    return parser.parse_args(given, namespace=Arguments())


def _other(service: str) -> Callable[[str], Facts]:
    def read(text: str) -> Facts:
        try:
            other = read_other(Path(text))
        except ValueError as error:
            raise argparse.ArgumentTypeError(str(error)) from None
        if other.service == service:
            raise argparse.ArgumentTypeError(f"{text} is from the same service's doctor")
        return other

    return read


def _count(text: str) -> int:
    if not text.isdecimal() or not 0 < int(text) <= 10_000:
        raise argparse.ArgumentTypeError(f"{text!r} is no number from 1 to 10000")
    return int(text)


def _seconds(text: str) -> timedelta:
    if not text.isdecimal() or not 0 < int(text) <= 86_400:
        raise argparse.ArgumentTypeError(f"{text!r} is no number of seconds from 1 to 86400")
    return timedelta(seconds=int(text))
