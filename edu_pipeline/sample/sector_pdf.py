"""A list of lycées' sectors as the académie de Versailles publishes it: a PDF.

Belongs here: the invented PDF, in two columns, with what makes real ones hard to read: names that go on in the next
line after a hyphen, ligatures, a header and a footer on every page, entries that go on in the next column or on the
next page. Does not belong here: files that the server offers (`publishers/`), since nobody fetches a PDF.
"""

# ruff: noqa: PLC0415 - matplotlib takes a second to import, and nothing else here needs it

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import polars as pl

from edu_pipeline.sample import spelling
from edu_pipeline.sample.streets import streets_of
from edu_pipeline.sample.world import World

STREETS = 6
"""Streets that are listed of each commune."""
LYCEES = 2
"""Lycées of a zone; the first is marked with an X."""

WIDTH, HEIGHT = 52, 60
"""Characters of a line, and lines of a column."""
LEFT, COLUMNS = 40.0, (40.0, 305.0)
TITLE, TOP, FOOT, SIZE = 820.0, 790.0, 30.0, 7.5
"""Points: the left edges of the header and of the columns, the tops of all parts of a page, the size of the type."""
PAPER = (595.0, 842.0)

LIGATURES = {"ffi": "\ufb03", "ffl": "\ufb04", "fi": "\ufb01", "fl": "\ufb02", "ff": "\ufb00"}
"""What typesetters draw as one letter."""


def entries(world: World, departement: str) -> list[str]:
    """The entries of a département, commune by commune; all streets of a commune are in one zone.

    The zone's lycées are the nearest public ones with a general track: `Town : ACACIAS (RUE DES) 78TOWN1 [X] NAME
    (Town), [_] ...`.
    """
    places = world.places.filter(code_departement=departement).sort("code")
    lycees = _lycees(world, departement)
    streets = streets_of(world.streets, places).filter(pl.col("number") < STREETS)
    listed = []
    for number, place in enumerate(places.iter_rows(named=True), 1):
        distance = np.hypot(lycees["x"].to_numpy() - place["longitude"], lycees["y"].to_numpy() - place["latitude"])
        nearest = lycees[np.argsort(distance, kind="stable")[:LYCEES]].select("name", "town").rows()
        named = ", ".join(f"[{'_X'[rank == 0]}] {name} ({town})" for rank, (name, town) in enumerate(nearest))
        zone = f"{departement}{_letters(place['nom'])}{number}"
        for street in streets.filter(code_place=place["code"])["nom_afnor"]:
            kind, _, name = street.partition(" ")
            listed.append(f"{_town(place['nom'])} : {name} ({kind}) {zone} {named}")
    return listed


def write(listed: Sequence[str], path: Path, title: str, height: int = HEIGHT) -> None:
    """Write the PDF.

    Args:
        listed: entries, each as one text.
        title: the header of every page.
        height: lines of a column.
    """
    import matplotlib
    from matplotlib.backends.backend_pdf import PdfPages
    from matplotlib.figure import Figure

    lines = [line for entry in listed for line in textwrap.wrap(_ligated(entry), WIDTH)]
    columns = ["\n".join(lines[first : first + height]) for first in range(0, len(lines), height)]
    pages = [columns[first : first + 2] for first in range(0, len(columns), 2)]
    with matplotlib.rc_context({"pdf.fonttype": 42}), PdfPages(path) as pdf:
        for number, page in enumerate(pages, 1):
            figure = Figure(figsize=(PAPER[0] / 72, PAPER[1] / 72))
            footer = f"Page {number} / {len(pages)}"
            for x, y, text in (
                (LEFT, TITLE, title),
                *zip(COLUMNS, (TOP, TOP), page, strict=False),
                (COLUMNS[1], FOOT, footer),
            ):
                drawn = figure.text(x / PAPER[0], y / PAPER[1], text, fontsize=SIZE, parse_math=False)
                drawn.set(verticalalignment="top", linespacing=1.4)
            pdf.savefig(figure)


def _lycees(world: World, departement: str) -> pl.DataFrame:
    """name (of the namesake, in capitals), town, x and y of the public lycées with a general or technological track."""
    positions = world.places.select("code", place_x="longitude", place_y="latitude")
    lycees = world.lycees_gt.filter("public", code_departement=departement)
    return lycees.join(positions, left_on="code_place", right_on="code", maintain_order="left").select(
        name=spelling.capitals(pl.col("nom").str.replace("^Lycée .* inventé ", "")),
        town=pl.col("nom_place").map_elements(_town, pl.String),
        x=pl.coalesce("longitude", "place_x"),
        y=pl.coalesce("latitude", "place_y"),
    )


def _town(name: str) -> str:
    """The name without `(inventée)`, since brackets have a meaning here."""
    return name.partition(" (")[0]


def _letters(name: str) -> str:
    return "".join(letter for letter in name.upper() if "A" <= letter <= "Z")[:5]


def _ligated(text: str) -> str:
    for letters, ligature in LIGATURES.items():
        text = text.replace(letters, ligature)
    return text
