"""Cloud Logging's filters and extractors, as far as infra/logging_metrics.tf goes.

https://cloud.google.com/logging/docs/view/logging-query-language
Of that language this knows comparisons by `=` and `=~` of a path with a string, a number, a boolean
or several strings in `( … OR … )`, each perhaps behind `NOT`, all joined by `AND`. Whatever else a
filter says is an error here, not a guess. As there, text is compared whatever its case, but for
regular expressions; and what is missing equals nothing, so that NOT of it is true.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

Entry = Mapping[str, Any]

_STRING = r'"(?:[^"\\]|\\.)*"'
_VALUE = rf"{_STRING}|true|false|-?\d+(?:\.\d+)?|\(\s*{_STRING}(?:\s+OR\s+{_STRING})*\s*\)"
_TERM = re.compile(rf"(NOT\s+)?([\w.]+)\s*(=~|=)\s*({_VALUE})(?:\s+AND\s+|$)")
_SPECIAL = ("severity", "time")


class NotUnderstood(Exception):
    """The filter says what this subset of the language does not know."""


@dataclass(frozen=True)
class LogMetric:
    """A log-based metric: which entries it takes, what it reads of them."""

    name: str
    filter: str
    seconds: str | None
    labels: tuple[str, ...]

    def read(self, entries: list[Entry]) -> list[tuple[Any, dict[str, Any]]]:
        """Return the value and the labels of every entry that the filter takes."""
        takes = compiled(self.filter)
        return [
            (
                None if self.seconds is None else entry["jsonPayload"].get(self.seconds),
                {label: entry["jsonPayload"].get(label) for label in self.labels},
            )
            for entry in entries
            if takes(entry)
        ]


def entry_of(line: str, *, service: str) -> Entry:
    """Return what Cloud Run's agent makes of a line of the service's output.

    https://cloud.google.com/logging/docs/structured-logging#special-payload-fields
    """
    said = json.loads(line)
    payload = {
        field: value
        for field, value in said.items()
        if field not in _SPECIAL and not field.startswith("logging.googleapis.com/")
    }
    return {
        "resource": {"type": "cloud_run_revision", "labels": {"service_name": service}},
        "severity": said["severity"],
        "jsonPayload": payload,
    }


def compiled(text: str) -> Callable[[Entry], bool]:
    """Return the filter as a function of an entry."""
    terms, at = [], 0
    while at < len(text):
        found = _TERM.match(text, at)
        if found is None:
            raise NotUnderstood(text[at:])
        terms.append(_term(*found.groups()))
        at = found.end()
    return lambda entry: all(term(entry) for term in terms)


def _term(negation: str | None, path: str, operator: str, value: str) -> Callable[[Entry], bool]:
    wanted = [json.loads(each) for each in re.findall(_STRING, value)] or [json.loads(value)]

    def holds(entry: Entry) -> bool:
        found: Any = entry
        for name in path.split("."):
            found = found.get(name) if isinstance(found, Mapping) else None
        matches = _searched if operator == "=~" else _alike
        return any(matches(found, each) for each in wanted) != bool(negation)

    return holds


def _searched(found: Any, pattern: str) -> bool:
    return isinstance(found, str) and re.search(pattern, found) is not None


def _alike(found: Any, wanted: Any) -> bool:
    if isinstance(found, str) and isinstance(wanted, str):
        return found.casefold() == wanted.casefold()
    return type(found) is type(wanted) and bool(found == wanted)


_ASSIGNED = re.compile(rf"^\s*(\w+)\s*=\s*({_STRING})\s*$", re.MULTILINE)
_METRIC = re.compile(
    rf"^    (\w+) = \{{\s+what\s+= {_STRING}\s+filter\s+= ({_STRING})"
    rf"\s+seconds = (null|{_STRING})\s+labels\s+= (\[.*?\])\s+\}}$",
    re.MULTILINE,
)


def log_metrics_in(file: Path, *, name: str) -> list[LogMetric]:
    """Return the metrics that this file of Terraform's makes, for a service of this name."""
    text = file.read_text()
    known = {f"local.{key}": json.loads(value) for key, value in _ASSIGNED.findall(text)}

    def filled(template: str) -> str:
        while "${" in template:
            template = re.sub(
                r"\$\{(.+?)\}", lambda m: (known | {"var.name": name})[m[1]], template
            )
        return template

    return [
        LogMetric(key, filled(json.loads(filter_)), json.loads(seconds), tuple(json.loads(labels)))
        for key, filter_, seconds, labels in _METRIC.findall(text)
    ]
