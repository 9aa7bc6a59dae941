"""Which of the picture's main colours becomes which colour of the palette.

The assignment of least total cost. What cost means decides what survives: with
`preserve_luminance`, squared differences of lightness, which the sorted order minimises, so light
stays light; hue only settles what lightness leaves open. Without it, hue and chroma lead: red
becomes the palette's red even where that is the darker one, and lightness settles the rest.
"""

from __future__ import annotations

import math

from palette_worker.rendering.oklab import Floats

_HUE_BESIDE_LIGHTNESS = 0.3  # small enough to keep the order, enough to map a palette onto itself
_LIGHTNESS_BESIDE_HUE = 0.3  # keeps one-hue pictures in order, where hue says nothing


def matched(base: Floats, targets: Floats, *, preserve_luminance: bool) -> Floats:
    """Return for each base colour its target, shape of `base`; OKLab, len(base) ≤ len(targets)."""
    by_lightness, by_hue = (
        (1.0, _HUE_BESIDE_LIGHTNESS) if preserve_luminance else (_LIGHTNESS_BESIDE_HUE, 1.0)
    )
    squared = (base[:, None, :] - targets[None, :, :]) ** 2
    cost = by_lightness * squared[..., 0] + by_hue * (squared[..., 1] + squared[..., 2])
    chosen: Floats = targets[assignment(cost.tolist())]
    return chosen


def assignment(cost: list[list[float]]) -> list[int]:
    """Return for each row a column of its own, so that the sum of costs is least; rows ≤ columns.

    The Hungarian method (H. W. Kuhn, Naval Research Logistics Quarterly 2, 1955) in its
    shortest-path form with potentials, O(rows² · columns), after R. Jonker and A. Volgenant
    (Computing 38, 1987): rows are added one by one, each along the cheapest alternating path.
    """
    columns = len(cost[0])
    outside = columns  # one more column, which every newcomer holds at first
    row_price = [0.0] * len(cost)
    column_price = [0.0] * (columns + 1)
    owner = [-1] * (columns + 1)

    for newcomer in range(len(cost)):
        owner[outside] = newcomer
        shortest = [math.inf] * columns
        came_from = [outside] * columns
        reached, free = [outside], list(range(columns))
        column = outside
        while owner[column] >= 0:
            row = owner[column]
            for other in free:
                reduced = cost[row][other] - row_price[row] - column_price[other]
                if reduced < shortest[other]:
                    shortest[other], came_from[other] = reduced, column
            column = min(free, key=shortest.__getitem__)
            step = shortest[column]
            for other in reached:
                row_price[owner[other]] += step
                column_price[other] -= step
            for other in free:
                shortest[other] -= step
            free.remove(column)
            reached.append(column)
        while column != outside:  # everyone on the path moves up by one
            owner[column] = owner[came_from[column]]
            column = came_from[column]

    return [owner.index(row) for row in range(len(cost))]
