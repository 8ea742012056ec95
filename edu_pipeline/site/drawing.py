"""The geometry of the site's small figures: bars, and lines over time; and their colours by layer.

Belongs here: paths of SVG. Does not belong here: the marks around them (``templates/macros.html``), graphs
(``graph.py``).
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

HEIGHT = 36
"""Of a figure, in its own units."""

LEAST = 1
"""Height of a bar for any number above 0, which would otherwise be invisible."""


def bars(counts: Sequence[int]) -> str:
    """The path of bars, each one unit wide, with the highest as high as the figure."""
    most = max(counts, default=0)
    heights = [max(LEAST, round(HEIGHT * count / most, 1)) if count else 0 for count in counts]
    return "".join(
        f"M{place} {HEIGHT}v-{height:g}h.9v{height:g}z" for place, height in enumerate(heights) if height > 0
    )


def line(points: Sequence[tuple[datetime, float]], most: float, width: float = 120) -> str:
    """The path of values over time, from the first moment to the last.

    Args:
        most: the value at the top of the figure.
    """
    if not points:
        return ""
    first, last = points[0][0], points[-1][0]
    span = (last - first).total_seconds() or 1.0
    places = [
        f"{width * (moment - first).total_seconds() / span:.1f} {HEIGHT * (1 - min(value / most, 1)):.1f}"
        for moment, value in points
    ]
    return "M" + "L".join(places)
