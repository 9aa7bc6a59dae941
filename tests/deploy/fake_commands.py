"""Commands that only note their calls, and answer as a test wants."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

_FAKE = r"""#!/bin/bash
call="${0##*/} $*"
call=${call//$'\n'/ }
echo "$call" >>"$CALLS"
if [[ $call =~ --target\ ([a-z]+).*--metadata-file\ ([^ ]+) ]]; then
    cp "$DIGESTS/${BASH_REMATCH[1]}.json" "${BASH_REMATCH[2]}"
fi
while IFS=$'\t' read -r pattern status first says; do
    if [[ $call =~ $pattern ]] && (($(grep -cE -- "$pattern" "$CALLS") <= first)); then
        printf '%b' "$says"
        exit "$status"
    fi
done <"$ANSWERS"
"""


@dataclass(frozen=True, slots=True)
class Answer:
    """What a call that matches says, and its exit status; the first pattern that matches counts.

    Only for the first so many calls, where there is more than one thing to say.
    """

    pattern: str
    says: str = ""
    status: int = 0
    first: int = 1_000

    def __str__(self) -> str:
        says = self.says.replace("\n", "\\n")
        return f"{self.pattern}\t{self.status}\t{self.first}\t{says}\n"


def failing(pattern: str, says: str = "") -> Answer:
    """Let the calls that match fail."""
    return Answer(pattern, says, status=1)


class FakeCommands:
    """Commands of these names, in a folder of their own; `digests` is where builds find theirs."""

    def __init__(self, folder: Path, *names: str) -> None:
        self._bin, self._calls, self._answers = folder / "bin", folder / "calls", folder / "answers"
        self.digests = folder
        self._bin.mkdir()
        self._calls.touch()
        for name in names:
            (self._bin / name).write_text(_FAKE)
            (self._bin / name).chmod(0o755)

    def answer(self, *answers: Answer) -> None:
        """Answer so from now on; whatever matches none succeeds and says nothing."""
        self._answers.write_text("".join(map(str, answers)))

    @property
    def calls(self) -> list[str]:
        """Every call so far, in order."""
        return self._calls.read_text().splitlines()

    @property
    def environment(self) -> dict[str, str]:
        """What lets a process find these instead of the real ones."""
        return {
            "PATH": os.pathsep.join((str(self._bin), "/usr/bin", "/bin")),
            "CALLS": str(self._calls),
            "ANSWERS": str(self._answers),
            "DIGESTS": str(self.digests),
        }
