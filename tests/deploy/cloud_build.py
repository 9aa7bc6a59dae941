"""Cloud Build on this machine: the real steps in order, and commands that only note their calls.

A step that has no `waitFor` waits for all before it. Of those which may go on at the same time all
are run, whatever becomes of one of them, for in the cloud they would have begun.
"""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from tests.databases import ROOT
from tests.deploy.fake_commands import Answer, FakeCommands, failing

BUILD = yaml.safe_load((ROOT / "cloudbuild.yaml").read_text())
BUILT_IN = {
    "BUILD_ID": "0a1b2c3d-0000-4000-8000-000000000000",
    "COMMIT_SHA": "4ce5b9d01e" + 30 * "0",
}
WORKER_DIGEST, DISPATCHER_DIGEST = "sha256:" + 64 * "a", "sha256:" + 64 * "b"
FAKED = ("make", "docker", "gcloud", "curl", "sleep")

ALL_IS_WELL = (
    failing("^gcloud tasks describe", "ERROR: (gcloud.tasks.describe) NOT_FOUND: not found."),
    Answer("^gcloud run services describe .*-worker .*latestCreated", "the-new-worker"),
    Answer("^gcloud run services describe .*-dispatcher .*latestCreated", "the-new-dispatcher"),
    Answer("^gcloud run services describe .*traffic", "the-old-one,100\ntagged-only,\n"),
    Answer("^gcloud logging read", "200\n202\n404\n"),
)


@dataclass(frozen=True, slots=True)
class Delivery:
    """What came of it: every call in its order, and the steps that failed."""

    calls: list[str]
    failed: list[str]
    said: str

    def calls_like(self, pattern: str) -> list[str]:
        """Return the calls that match."""
        return [call for call in self.calls if re.search(pattern, call)]


class CloudBuild:
    """Runs cloudbuild.yaml in a folder of its own."""

    def __init__(self, folder: Path) -> None:
        self._commands = FakeCommands(folder, *FAKED)
        self._workspace = folder / "workspace"
        for target, digest in (("worker", WORKER_DIGEST), ("dispatcher", DISPATCHER_DIGEST)):
            metadata = {
                "containerimage.config.digest": "sha256:c0",
                "containerimage.digest": digest,
            }
            (self._commands.digests / f"{target}.json").write_text(json.dumps(metadata, indent=2))
        shutil.copytree(ROOT / "infra" / "deploy", self._workspace / "infra" / "deploy")

    def deliver(self, *answers: Answer) -> Delivery:
        """Run every step that comes to run; these answers come before those that all is well."""
        self._commands.answer(*answers, *ALL_IS_WELL)
        failed: list[str] = []
        said = ""
        for wave in _waves(BUILD["steps"]):
            for step in wave:
                done = self._run(step)
                said += done.stdout
                if done.returncode:
                    failed.append(step["id"])
            if failed:
                break
        return Delivery(self._commands.calls, failed, said)

    def _run(self, step: dict[str, Any]) -> subprocess.CompletedProcess[str]:
        given = dict(_substituted(line).split("=", 1) for line in step.get("env", ()))
        return subprocess.run(  # noqa: S603 - our own command
            [step["entrypoint"], *map(_substituted, step["args"])],
            cwd=self._workspace,
            env=self._commands.environment | given,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )


def _waves(steps: list[dict[str, Any]]) -> Iterator[list[dict[str, Any]]]:
    """Return the steps, those together that nothing keeps from running at the same time."""
    done: set[str] = set()
    left = list(enumerate(steps))
    while left:
        wave = [(n, step) for n, step in left if _waits_for(steps, n) <= done]
        yield [step for _, step in wave]
        done |= {step["id"] for _, step in wave}
        left = [one for one in left if one not in wave]


def _waits_for(steps: list[dict[str, Any]], number: int) -> set[str]:
    before = {step["id"] for step in steps[:number]}
    return set(steps[number].get("waitFor", before)) - {"-"}


def _substituted(text: str) -> str:
    values = BUILD["substitutions"] | BUILT_IN
    return re.sub(r"\$(?:(\$)|\{(\w+)\}|(\w+))", lambda m: m[1] or values[m[2] or m[3]], text)
