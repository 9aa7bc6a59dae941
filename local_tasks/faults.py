"""What the queue does wrong on purpose: the worst that the real service may do to a task.

Cloud Tasks promises at least once, in no order, at no certain time. A run with faults shows whether
its handlers can live with that. `forget` goes further: that promise is broken.

Each decision has a generator of its own, seeded with the seed, the fault, the task and its attempt
or due time. So the same seed does the same to the same task, whichever thread comes first and
however often the server is killed meanwhile, and threads share nothing. Nothing that is decided
here is stored.
"""

import logging
import math
import random
from dataclasses import dataclass, fields, replace
from typing import Any

log = logging.getLogger(__name__)

# A reordered task lets those pass that are due up to so many seconds after it.
REORDERED_WITHIN = 1.0


@dataclass(frozen=True, slots=True)
class Faults:
    """Probabilities, but for the last two. As it comes, nothing goes wrong. Raises ValueError.

    deliver_twice  an attempt has a twin, whose answer nobody heeds
    overlap        of these twins: sent along with the attempt; the others follow its success
    drop_answer    the target has done its work, the queue does not hear of it and tries again
    delay          a task is sent later than it is due, by up to max_delay
    reorder        later ones go first
    forget         a task is gone when its turn comes, as if it had been completed
    """

    deliver_twice: float = 0.0
    overlap: float = 0.5
    drop_answer: float = 0.0
    delay: float = 0.0
    reorder: float = 0.0
    forget: float = 0.0
    max_delay: float = 5.0  # seconds
    seed: int = 0

    def __post_init__(self) -> None:
        for name in NAMES:
            if not _is_right(name, getattr(self, name)):
                raise ValueError(f"{name} is {_what_is_right(name)}")

    def with_fault(self, assignment: str) -> "Faults":
        """The same and one more "name=number" from the command line; raises ValueError."""
        name, _, value = assignment.partition("=")
        if name not in NAMES:
            raise ValueError(f"there is no fault {name!r}; there are: {', '.join(NAMES)}")
        try:
            number: Any = int(value) if name == "seed" else float(value)
        except ValueError:
            raise ValueError(f"{name} is {_what_is_right(name)}") from None
        return replace(self, **{name: number})

    # What happens, and a line in the log whenever it does:

    def is_forgotten(self, task: str, attempt: int) -> bool:
        """Only a task that was never sent: those in doubt after a kill are delivered."""
        if attempt > 1 or not self._strikes("forget", task):
            return False
        log.warning("fault: forgotten: task=%s", task)
        return True

    def has_twin_beside(self, task: str, attempt: int) -> bool:
        return self._has_twin(task, attempt, is_beside=True)

    def has_twin_behind(self, task: str, attempt: int) -> bool:
        return self._has_twin(task, attempt, is_beside=False)

    def is_answer_dropped(self, task: str, attempt: int) -> bool:
        if not self._strikes("drop_answer", task, attempt):
            return False
        log.warning("fault: answer dropped: task=%s attempt=%s", task, attempt)
        return True

    def put_off(self, task: str, due_at: float) -> float:
        """When a task that is due then really goes."""
        start_at = due_at
        if self._strikes("delay", task, due_at):
            seconds = self.max_delay * self._share("delayed by", task, due_at)
            log.warning("fault: delayed: task=%s seconds=%.3f", task, seconds)
            start_at += seconds
        if self._strikes("reorder", task, due_at):
            seconds = REORDERED_WITHIN * self._share("reordered by", task, due_at)
            log.warning("fault: reordered: task=%s seconds=%.3f", task, seconds)
            start_at += seconds
        return start_at

    def _has_twin(self, task: str, attempt: int, *, is_beside: bool) -> bool:
        if not self._strikes("deliver_twice", task, attempt):
            return False
        if self._strikes("overlap", task, attempt) is not is_beside:
            return False
        log.warning("fault: delivered twice: task=%s attempt=%s", task, attempt)
        return True

    def _strikes(self, fault: str, task: str, moment: float = 0) -> bool:
        probability: float = getattr(self, fault)
        return probability > 0 and self._share(fault, task, moment) <= probability

    def _share(self, what: str, task: str, moment: float) -> float:
        """The same number above 0, up to 1, whenever it is asked for."""
        own = random.Random(f"{self.seed} {what} {task} {moment}")  # noqa: S311 - no secret
        return 1.0 - own.random()


def _is_right(name: str, number: float) -> bool:
    if name == "seed":
        return isinstance(number, int)
    if name == "max_delay":
        return 0 < number < math.inf
    return 0 <= number <= 1


def _what_is_right(name: str) -> str:
    if name == "seed":
        return "a whole number"
    if name == "max_delay":
        return "a number of seconds above 0"
    return "a probability, a number from 0 to 1"


NAMES = tuple(field.name for field in fields(Faults))
NO_FAULTS = Faults()
