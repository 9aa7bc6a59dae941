"""What is there after an apply: every value is concrete, and services know what they are told."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

Values = dict[str, Any]

NAME = "colorway-"  # what every name begins with


@dataclass(frozen=True)
class State:
    """What is there after an apply, and the outputs."""

    resources: list[tuple[str, Values]]
    outputs: Values

    @classmethod
    def read(cls, path: Path) -> State:
        """Read what `terraform show -json` wrote."""
        values = json.loads(path.read_text())["values"]
        outputs = {name: output["value"] for name, output in values["outputs"].items()}
        return cls([*_resources_of(values["root_module"])], outputs)

    def of(self, kind: str) -> list[Values]:
        """Return all resources of this kind."""
        return [values for of_kind, values in self.resources if of_kind == kind]

    def has(self, kind: str) -> bool:
        return bool(self.of(kind))

    @cached_property
    def services(self) -> dict[str, Service]:
        """The Cloud Run services by their short names."""
        services = map(Service, self.of("google_cloud_run_v2_service"))
        return {service.values["name"].removeprefix(NAME): service for service in services}


@dataclass(frozen=True)
class Service:
    """A Cloud Run service, and what it is told."""

    values: Values

    @cached_property
    def env(self) -> dict[str, str]:
        """Variables that are written down."""
        return {one["name"]: one["value"] for one in self._env if not one["value_source"]}

    @cached_property
    def secrets(self) -> dict[str, str]:
        """Variables that come from secrets, and from which."""
        return {
            one["name"]: one["value_source"][0]["secret_key_ref"][0]["secret"].removeprefix(NAME)
            for one in self._env
            if one["value_source"]
        }

    @cached_property
    def instances(self) -> int:
        return int(self.values["scaling"][0]["max_instance_count"])

    @cached_property
    def concurrency(self) -> int:
        return int(self._template["max_instance_request_concurrency"])

    @cached_property
    def cpu(self) -> float:
        """vCPUs of one instance."""
        return float(self._template["containers"][0]["resources"][0]["limits"]["cpu"])

    @cached_property
    def timeout_s(self) -> float:
        return float(self._template["timeout"].removesuffix("s"))

    @property
    def _template(self) -> Values:
        template: Values = self.values["template"][0]
        return template

    @property
    def _env(self) -> list[Values]:
        env: list[Values] = self._template["containers"][0]["env"]
        return env


def _resources_of(module: Values) -> Iterator[tuple[str, Values]]:
    for resource in module.get("resources", []):
        if resource["mode"] == "managed":
            yield resource["type"], resource["values"]
    for child in module.get("child_modules", []):
        yield from _resources_of(child)
