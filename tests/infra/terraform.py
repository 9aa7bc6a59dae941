"""The real terraform as a judge of infra/, with or without a provider registry in reach.

TFCHECK is the path of a script that serves Terraform a stub of the providers, and so can apply too;
where it is unset, Terraform fetches the providers themselves, and nothing can be applied.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from tests.databases import ROOT
from tests.infra.policy import complaints
from tests.infra.state import State

INFRA = ROOT / "infra"
ENVIRONMENTS = ("minimal", "dev", "prod")
SKIPS = ROOT / ".checkov.yaml"
TOOLS = ROOT / ".venv" / "infra" / "bin"
STUB = os.environ.get("TFCHECK")


@dataclass(frozen=True)
class Judge:
    """Judges a folder of Terraform files; leaves what it writes in another."""

    folder: Path
    out: Path

    def verdict(self, environment: str) -> list[str]:
        """Return what is wrong: what Terraform says, or what the policy finds after an apply."""
        done = self.apply(environment)
        if done.returncode:
            return [done.stdout]
        return complaints(State.read(self.state_of(environment)))

    def apply(self, environment: str) -> subprocess.CompletedProcess[str]:
        """Plan and apply against the stub; plan and state lie beside each other afterwards."""
        return self._stub(
            environment,
            *("--steps", "init,plan,apply"),
            *("--plan-json", str(self.plan_of(environment))),
            *("--state-json", str(self.state_of(environment))),
        )

    def validate(self, environment: str) -> subprocess.CompletedProcess[str]:
        """Check format, types and references, and run Terraform's own tests."""
        if STUB:
            return self._stub(environment, "--steps", "fmt,init,validate,test")
        copy = self.out / f"{environment}.copy"
        shutil.copytree(self.folder, copy, ignore=shutil.ignore_patterns(".terraform*"))
        for command in (
            ["fmt", "-check", "-recursive"],
            ["init", "-backend=false", "-input=false"],
            ["validate"],
            ["test", "-no-color", f"-var-file={self._var_file(environment)}"],
        ):
            done = run(["terraform", *command], cwd=copy)
            if done.returncode:
                break
        return done

    def plan_of(self, environment: str) -> Path:
        return self.out / f"{environment}.plan.json"

    def state_of(self, environment: str) -> Path:
        return self.out / f"{environment}.state.json"

    def _stub(self, environment: str, *arguments: str) -> subprocess.CompletedProcess[str]:
        python, var_file = str(TOOLS / "python"), str(self._var_file(environment))
        return run([python, str(STUB), str(self.folder), "--var-file", var_file, *arguments])

    def _var_file(self, environment: str) -> Path:
        return (self.folder / "envs" / f"{environment}.tfvars").resolve()


def checkov(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Run checkov with the skips of .checkov.yaml."""
    return run([str(TOOLS / "checkov"), "--config-file", str(SKIPS), *arguments])


def run(command: list[str], cwd: Path = ROOT) -> subprocess.CompletedProcess[str]:
    """Run it to its end; its complaints are among what it says."""
    return subprocess.run(  # noqa: S603 - our own command
        command, cwd=cwd, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False
    )
