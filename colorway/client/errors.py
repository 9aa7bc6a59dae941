"""What can go wrong with a call, named for what the caller can do about it.

ClientError
├── ApiProblem         the service refused: change the request; or come again, if `retryable`
├── ConnectionFailed   no whole answer came, however often it was asked for
├── UnexpectedAnswer   what answers there does not speak this API: look at the address
└── NotDoneInTime      nothing went wrong but time: the job goes on
"""

from __future__ import annotations

from colorway.client.bodies import Flaw, Job, Problem

_FLAWS_TOLD = 10  # in a message; `errors` has them all


class ClientError(Exception):
    """Any of these; its message is a sentence for people."""


class ApiProblem(ClientError):
    """The service's own words (problem+json); `code` is what to branch on.

    `retry_after_s` is when it asked to come again, if it did.
    """

    def __init__(self, problem: Problem, *, retry_after_s: float | None = None) -> None:
        self.status = problem.status
        self.code = problem.code
        self.detail = problem.detail
        self.errors: tuple[Flaw, ...] = problem.errors
        self.retryable = problem.retryable
        self.request_id = problem.request_id
        self.retry_after_s = retry_after_s
        super().__init__(self._in_words())

    def _in_words(self) -> str:
        words = [f"{self.status} {self.code}: {self.detail}"]
        words += [
            f"{flaw.pointer or flaw.parameter or ''}: {flaw.detail}"
            for flaw in self.errors[:_FLAWS_TOLD]
        ]
        if len(self.errors) > _FLAWS_TOLD:
            words.append(f"and {len(self.errors) - _FLAWS_TOLD} more")
        if self.status >= 500 and self.request_id:
            words.append(f"the request was {self.request_id}")
        return "; ".join(words)


class ConnectionFailed(ClientError):
    """The network's or the service's trouble; whether the call took effect is not known."""


class UnexpectedAnswer(ClientError):
    """A redirect, a page, a body that is none of this API's."""


class NotDoneInTime(ClientError):
    """`job` is how it was seen last."""

    def __init__(self, job: Job, *, within_s: float) -> None:
        self.job = job
        super().__init__(
            f"the job {job.id} is not done after {within_s:g} s: it is {job.status},"
            f" {job.progress_percent} %"
        )
