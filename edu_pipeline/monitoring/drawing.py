"""Drawing small pictures with matplotlib: histograms, bars, maps and lines, put together in one PNG.

Belongs here: how a picture looks. Does not belong here: which table has which picture, and reading its values
(``plots.py``).

Only matplotlib's objects are used, none of the global state of ``pyplot``, so that threads may draw at the same time.
The background is white, so that a picture is readable in a light UI and in a dark one.
"""

# ruff: noqa: PLC0415 - matplotlib takes a second to import, and most processes draw nothing

from __future__ import annotations

import io
from collections.abc import Callable, Sequence
from datetime import datetime
from itertools import cycle
from typing import TYPE_CHECKING, Any

import numpy as np
import shapely

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.collections import PathCollection

Draw = Callable[["Axes"], None]
Point = tuple[float, float]

WIDTH, HEIGHT, DPI = 3.4, 2.2, 100
"""Inches of a panel, and pixels per inch."""

COLOURS = 128
"""Colours of a picture; so few reduce it to a third of the bytes."""

FONT_SIZE = 7
"""Points."""

LABELLED = 12
"""Lines that have a label."""

UPRIGHT = 8
"""Labels that fit side by side below their bars."""

BINS = 40
"""Bars of a histogram."""

LEFT_OUT = 0.5
"""Percent of the values that a histogram leaves out at either end."""

DETAIL = 0.002
"""Degrees to which contours are simplified: less than a pixel of a département's map."""

LAND, INK, EDGE, OTHER = "#dddddd", "#333333", "#ffffff", "#bbbbbb"
"""Colours: communes without a value, text and outlines, borders between communes, lines without a label."""

PALETTE = ("#0072b2", "#e69f00", "#009e73", "#cc79a7", "#56b4e9", "#d55e00")
"""Colours that colour-blind people can tell apart: M. Okabe and K. Ito, Color Universal Design (2008)."""

SCALE = "cividis"
"""The colour scale of values, also made for colour-blind people."""


def png(draws: Sequence[Draw], width: float = WIDTH) -> bytes:
    """Panels side by side, as one picture.

    Args:
        width: of each panel, in inches.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure
    from PIL import Image

    figure = Figure(figsize=(width * len(draws), HEIGHT), dpi=DPI, layout="constrained", facecolor="white")
    for draw, axes in zip(draws, figure.subplots(1, len(draws), squeeze=False)[0], strict=True):
        draw(axes)
    canvas: Any = FigureCanvasAgg(figure)  # its methods have no hints
    canvas.draw()  # once; savefig draws twice
    pixels = Image.fromarray(np.asarray(canvas.buffer_rgba())).convert("RGB")
    picture = io.BytesIO()
    pixels.quantize(COLOURS).save(picture, "PNG", optimize=True)
    return picture.getvalue()


def histogram(axes: Axes, values: list[float], title: str, label: str) -> None:
    """The distribution of values, without the extremes, and their mean."""
    low, high = np.percentile(values, [LEFT_OUT, 100 - LEFT_OUT])
    mean = float(np.mean(values))
    axes.stairs(*np.histogram(values, bins=BINS, range=(low, high)), fill=True, color=PALETTE[0])
    axes.axvline(mean, color=PALETTE[5], label=f"mean of {len(values):,} rows: {mean:,.1f}")
    axes.set_ylim(top=1.25 * axes.get_ylim()[1])
    axes.legend(fontsize=FONT_SIZE, frameon=False, loc="upper right")
    axes.xaxis.set_major_formatter("{x:,.0f}")
    _name(axes, title, f"{label} (without {LEFT_OUT} % at either end)", "rows")


def bars(axes: Axes, counts: dict[str, int], title: str, label: str) -> None:
    """A bar for each count."""
    axes.bar(list(counts), list(counts.values()), color=PALETTE[0])
    _name(axes, title, label, "rows")
    if len(counts) > UPRIGHT:
        axes.tick_params(axis="x", labelrotation=45)


def dots(
    axes: Axes,
    groups: dict[str, list[Point]],
    land: list[Point],
    west_to_east: Point,
    south_to_north: Point,
    title: str,
) -> None:
    """A map of places, in the colour of their group, over dots of the communes."""
    x, y = np.array(land).reshape(-1, 2).T
    axes.scatter(x, y, s=2, color=LAND, linewidths=0)
    for (group, places), colour in zip(groups.items(), cycle(PALETTE), strict=False):
        x, y = np.array(places).T
        axes.scatter(x, y, s=1.5, color=colour, linewidths=0, label=f"{group}: {len(places):,}")
    axes.set(xlim=west_to_east, ylim=south_to_north)
    axes.legend(fontsize=FONT_SIZE, frameon=False, loc="upper left", bbox_to_anchor=(1, 1), markerscale=3)
    _as_map(axes, title)


def choropleth(axes: Axes, contours: Sequence[str], values: Sequence[float | None], title: str, label: str) -> None:
    """A map of areas in the colours of their values."""
    from matplotlib import colormaps

    areas = _shapes(contours, edgecolor=EDGE, linewidth=0.2)
    areas.set(array=np.ma.masked_invalid(np.array(values, dtype=float)), cmap=colormaps[SCALE].with_extremes(bad=LAND))
    axes.add_collection(areas)
    assert axes.figure is not None
    bar = axes.figure.colorbar(areas, ax=axes, panchor=False)
    bar.set_label(label, fontsize=FONT_SIZE, color=INK)
    bar.ax.tick_params(labelsize=FONT_SIZE)
    _as_map(axes, title)


def coloured_shapes(axes: Axes, shapes: Sequence[str], names: Sequence[str], land: list[str], title: str) -> None:
    """A map of lines or areas in the colour of their group, grey if its name is empty, over the communes."""
    axes.add_collection(_shapes(land, facecolor=LAND, edgecolor=EDGE, linewidth=0.2))
    colour_of = dict(zip(sorted(set(names) - {""}), cycle(PALETTE), strict=False)) | {"": OTHER}
    colours = [colour_of[name] for name in names]
    are_areas = bool(shapely.get_dimensions(shapely.from_wkb(shapes[0])) == 2)
    style = {"facecolor": colours, "edgecolor": EDGE} if are_areas else {"facecolor": "none", "edgecolor": colours}
    axes.add_collection(_shapes(shapes, linewidth=0.3 if are_areas else 0.8, **style))
    _as_map(axes, title)


def lines(axes: Axes, series: list[tuple[str, list[tuple[datetime, float]]]], title: str, label: str) -> None:
    """A line for each series of values over time; the first ones in colour and labelled, the others grey."""
    from matplotlib.dates import ConciseDateFormatter

    styles = [(line, colour) for line in ("-", "--") for colour in PALETTE]
    for place, (name, points) in reversed(list(enumerate(series))):
        line, colour = styles[place] if place < LABELLED else ("-", OTHER)
        times, values = zip(*points, strict=True)
        text = f"{name}: {values[-1]:,.0f}" if place < LABELLED else None
        axes.plot(times, values, line, color=colour, label=text, linewidth=1, marker="o", markersize=3, markevery=[-1])
    if series:
        axes.legend(fontsize=FONT_SIZE - 1, frameon=False, loc="upper left", bbox_to_anchor=(1, 1), reverse=True)
        axes.xaxis.get_offset_text().set_fontsize(FONT_SIZE)
        locator = axes.xaxis.get_major_locator()
        axes.xaxis.set_major_formatter(ConciseDateFormatter(locator))  # type: ignore[no-untyped-call] # no hints
    axes.set_ylim(bottom=0)
    _name(axes, title, "", label)


def _shapes(geometries: Sequence[str], **style: Any) -> PathCollection:
    """Geometries, in hexadecimal as PostGIS gives them, as one collection of lines or areas."""
    from matplotlib.collections import PathCollection
    from matplotlib.path import Path

    simple = shapely.simplify(shapely.from_wkb(list(geometries)), DETAIL, preserve_topology=True)
    oriented = shapely.orient_polygons(simple)
    edges = [shapely.get_rings(shape) if shapely.get_dimensions(shape) == 2 else [shape] for shape in oriented]
    paths = [Path.make_compound_path(*[Path(shapely.get_coordinates(edge)) for edge in each]) for each in edges]
    return PathCollection(paths, **style)


def _name(axes: Axes, title: str, x: str, y: str) -> None:
    """Title and labels, in small print."""
    axes.set_title(title, fontsize=FONT_SIZE + 1, color=INK)
    axes.set_xlabel(x, fontsize=FONT_SIZE, color=INK)
    axes.set_ylabel(y, fontsize=FONT_SIZE, color=INK)
    axes.yaxis.set_major_formatter("{x:,.0f}")
    axes.tick_params(labelsize=FONT_SIZE, labelcolor=INK, color=INK)
    axes.spines[["top", "right"]].set_visible(False)


def _as_map(axes: Axes, title: str) -> None:
    """A map instead of a diagram: no axes; longitudes and latitudes are to scale in the middle."""
    axes.autoscale_view()
    axes.set_aspect(float(1 / np.cos(np.radians(np.mean(axes.get_ylim())))))
    axes.set_axis_off()
    axes.set_title(title, fontsize=FONT_SIZE + 1, color=INK)
