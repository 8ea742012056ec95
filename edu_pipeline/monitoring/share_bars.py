"""Shares as a picture in SVG: a bar for each group, and a legend with the numbers.

Belongs here: how it looks. Does not belong here: what is divided (``plots.py``), other pictures (``drawing.py``). Every
load draws this one, and matplotlib takes a third of a second for it; here it is a text, so short that Dagster mostly
shows it without a click.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from itertools import cycle
from xml.etree.ElementTree import Element, SubElement, tostring

from edu_pipeline.monitoring.drawing import INK, PALETTE

WIDTH, BAR, LINE, MARGIN = 680, 18, 20, 10
"""Pixels: of the picture, the height of a bar and of a line of text, and around everything."""

HAIRLINE = 0.5
"""Pixels that any part has at least, so that a single row among millions is seen."""


def share_bars(groups: Mapping[str, Mapping[str, int]]) -> bytes:
    """A picture of groups, each divided into its parts; equal parts have equal colours.

    Args:
        groups: name of a group to the numbers of its parts, by name.
    """
    totals = Counter[str]()
    for parts in groups.values():
        totals.update(parts)
    colours = dict(zip([name for name, _ in totals.most_common()], cycle(PALETTE), strict=False))
    height = 2 * MARGIN + len(groups) * (LINE + BAR + MARGIN) + len(colours) * LINE
    sizes = {"width": str(WIDTH), "height": str(height), "viewBox": f"0 0 {WIDTH} {height}"}
    picture = Element(
        "svg", {"xmlns": "http://www.w3.org/2000/svg", "font-family": "sans-serif", "font-size": "12"} | sizes
    )
    _box(picture, 0, 0, WIDTH, height, "#ffffff")
    y = float(MARGIN)
    for group, parts in groups.items():
        _text(picture, MARGIN, y, f"{group}: {sum(parts.values()):,} rows")
        y += LINE
        _bar(picture, y, parts, colours)
        y += BAR + MARGIN
    for name, colour in colours.items():
        _box(picture, MARGIN, y + 4, 12, 12, colour)
        _text(picture, MARGIN + LINE, y, f"{name}: {totals[name]:,}")
        y += LINE
    svg: bytes = tostring(picture, encoding="utf-8")
    return svg


def _bar(picture: Element, y: float, parts: Mapping[str, int], colours: Mapping[str, str]) -> None:
    whole, x = sum(parts.values()) or 1, float(MARGIN)
    for name in colours:
        if number := parts.get(name, 0):
            width = max(HAIRLINE, (WIDTH - 2 * MARGIN) * number / whole)
            _box(picture, x, y, width, BAR, colours[name])
            x += width


def _box(picture: Element, x: float, y: float, width: float, height: float, colour: str) -> None:
    numbers = {"x": x, "y": y, "width": width, "height": height}
    SubElement(picture, "rect", {name: f"{round(number, 1):g}" for name, number in numbers.items()} | {"fill": colour})


def _text(picture: Element, x: float, y: float, text: str) -> None:
    element = SubElement(picture, "text", {"x": f"{x:g}", "y": f"{y + LINE - 6:g}", "fill": INK})
    element.text = text
