"""A verdict for people, as Markdown that reads well as plain text, and for programs, as JSON."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import asdict, fields

from chaos.auditor.figures import Times
from chaos.auditor.findings import HEADINGS
from chaos.auditor.verdict import Verdict

_MOST_SHOWN = 10

Facts = dict[str, str]
"""What the run was: database, seed, length."""


def as_markdown(verdict: Verdict, facts: Facts) -> str:
    """Return the report to read, or to paste into docs/chaos.md."""
    parts = [
        ", ".join(f"{name} {value}" for name, value in facts.items()),
        _table("must be 0", {name: len(verdict.findings.under(name)) for name in HEADINGS}),
        _table("what happened", _what_happened(verdict)),
    ]
    for name, meaning in HEADINGS.items():
        sentences = verdict.findings.under(name)
        if sentences:
            shown = [f"- {sentence}" for sentence in sentences[:_MOST_SHOWN]]
            more = len(sentences) - len(shown)
            shown += [f"- and {more} more"] if more else []
            parts.append("\n".join([f"**{name}**: {meaning}", "", *shown]))
    parts.append(_conclusion(verdict))
    return "\n\n".join(parts) + "\n"


def as_json(verdict: Verdict, facts: Facts) -> str:
    """Return all of it, every finding included."""
    report = {
        "run": facts,
        "clean": verdict.is_clean,
        "too_little": verdict.too_little,
        "findings": {name: verdict.findings.under(name) for name in HEADINGS},
        "figures": {
            field.name: getattr(verdict.figures, field.name) for field in fields(verdict.figures)
        },
    }
    return json.dumps(report, indent=2, default=asdict)


def _conclusion(verdict: Verdict) -> str:
    if not verdict.is_clean:
        return f"Not clean: {verdict.findings.count} findings."
    if verdict.too_little:
        return "All zeros, but too little happened to count: " + "; ".join(verdict.too_little) + "."
    return "All zeros, and it hurt enough to count."


def _what_happened(verdict: Verdict) -> dict[str, object]:
    seen = verdict.figures
    outages = ", ".join(f"{name} {seconds:.0f} s" for name, seconds in seen.outages)
    return {
        "jobs accepted": seen.jobs,
        "colorways accepted": _sum_of(seen.colorways),
        "attempts": seen.attempts,
        "pictures fetched and compared": seen.pictures,
        "kills (kill -9)": _sum_of(seen.kills),
        "… with a lease held": seen.kills_with_lease,
        "leases that died with a worker": seen.leases_died,
        "services that ended by themselves": seen.died_by_themselves,
        "freezes beyond the lease": seen.freezes,
        "outages": outages or "none",
        "other troubles": _sum_of(seen.troubles),
        "finishes that the fence stopped": seen.fenced_finishes,
        "attempts stopped before that": seen.fenced_before,
        "faults of the queue": _sum_of(seen.faults),
        "repairs": _sum_of(seen.repairs),
        "calls without an answer, with a 503": f"{seen.silences}, {seen.unavailable}",
        "planted sources that kill": seen.poison_sources,
        "acts put off to spare what had suffered": seen.spared,
        "from a kill until the lease is taken back": _times(seen.to_notice),
        "from a kill to the next claim": _times(seen.to_heal),
        "from a lost queue to all sent again": _times(seen.queue_refilled),
        "until all had ended, once healed": f"{seen.quiet_s:.1f} s",
    }


def _times(seen: Times) -> str:
    if not seen.count:
        return "none"
    return f"p50 {seen.p50} s, p99 {seen.p99} s, longest {seen.longest} s ({seen.count})"


def _sum_of(counts: Counter[str]) -> str:
    parts = ", ".join(f"{name} {count}" for name, count in counts.most_common())
    return f"{counts.total()}" + (f": {parts}" if parts else "")


def _table(title: str, rows: dict[str, int] | dict[str, object]) -> str:
    width = max(map(len, [title, *rows]))
    lines = [f"| {title:<{width}} | |", f"| {'-' * width} | --- |"]
    return "\n".join(lines + [f"| {name:<{width}} | {value} |" for name, value in rows.items()])
