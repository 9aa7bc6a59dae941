"""What every measure has to reach, and one number to rank methods by."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from statistics import mean

_LOST_AT_THE_BAR = 0.2
_MOST_DEFECT = 10.0  # bars; so that one measure alone does not decide


@dataclass(frozen=True, slots=True)
class Bar:
    """A limit for one measure: on the mean over all pairs of picture and palette, or on the worst.

    `about` groups measures. `unit` is the defect that counts as much as just reaching the bar,
    where that is no distance from perfect.
    """

    about: str
    limit: float
    perfect: float = 0.0
    higher_is_better: bool = False
    worst_counts: bool = False
    unit: float = 0.0

    def holds(self, value: float) -> bool:
        """Whether the value is good enough."""
        return value >= self.limit if self.higher_is_better else value <= self.limit

    def judged(self, values: Mapping[tuple[str, str], float]) -> float:
        """Return the value that is held against the limit."""
        return self.worst(values) if self.worst_counts else mean(values.values())

    def worst(self, values: Mapping[tuple[str, str], float]) -> float:
        """Return the worst of the values."""
        return min(values.values()) if self.higher_is_better else max(values.values())

    def defect(self, value: float) -> float:
        """Return how far the value is from perfect: 0 perfect, 1 at the bar, 10 at the most."""
        unit = self.unit or abs(self.limit - self.perfect)
        return min(_MOST_DEFECT, abs(value - self.perfect) / unit)


COLORS, SHAPES, RAMPS, FLAT_ART, FIDELITY = "colours", "shapes", "ramps", "flat art", "fidelity"

BARS: dict[str, Bar] = {
    "adherence": Bar(COLORS, 6.0),
    "coverage": Bar(COLORS, 2.5),
    "structure": Bar(SHAPES, 0.965, perfect=1.0, higher_is_better=True),
    "gradients": Bar(SHAPES, 0.82, perfect=1.0, higher_is_better=True),
    "lost edges": Bar(SHAPES, 0.01),
    "banding": Bar(RAMPS, 2.5, perfect=1.0),
    "colours kept": Bar(RAMPS, 0.78, perfect=1.0, higher_is_better=True),
    "flat error": Bar(FLAT_ART, 0.0, worst_counts=True, unit=2.0),
    "distinct areas": Bar(
        FLAT_ART, 1.0, perfect=1.0, higher_is_better=True, worst_counts=True, unit=0.1
    ),
    "edges of logo": Bar(FLAT_ART, 0.5),
    "edges of alpha logo": Bar(FLAT_ART, 0.5),
    "edges of grey logo": Bar(FLAT_ART, 1.5),
    "edges of JPEG logo": Bar(FLAT_ART, 6.0),
    "halo": Bar(FLAT_ART, 0.0, worst_counts=True, unit=0.02),
    "halo of JPEG logo": Bar(FLAT_ART, 0.05),
    "identity": Bar(FIDELITY, 0.3, worst_counts=True),
    "alpha": Bar(FIDELITY, 0.0, worst_counts=True, unit=0.02),
    "strength 0": Bar(FIDELITY, 0.0, worst_counts=True, unit=0.02),
    "other bytes": Bar(FIDELITY, 0.0, worst_counts=True, unit=0.02),
}

OURS_ALONE = ("strength 0", "other bytes")
"""What rivals cannot be asked."""


def summary(means: Mapping[str, float]) -> float:
    """Return U, 0 to 100: the geometric mean over what the bars are about, given mean values.

    Each of colours, shapes, ramps, flat art and fidelity is the geometric mean of its measures'
    scores. A score is 0.8 to the power of the defect: 100 is perfect, 80 at the bar, 64 at twice
    the defect that the bar allows.
    """
    defects: dict[str, list[float]] = {}
    for name, value in means.items():
        if name not in OURS_ALONE:
            defects.setdefault(BARS[name].about, []).append(BARS[name].defect(value))
    return float(100 * (1 - _LOST_AT_THE_BAR) ** mean(map(mean, defects.values())))
