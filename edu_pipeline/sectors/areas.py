"""The areas of collèges' sectors, with the collèges' codes, from the rows of each publisher.

Belongs here: the form of the publishers' rows, and what is wrong with a row. Does not belong here: which school a name
means (``schools.py``), which addresses are in an area (``by_address.py``), stretches of street (``stretches.py``).

Paris gives names and addresses, which become codes. The Haute-Garonne has a row per collège, with its code; the
Loire-Atlantique a row per sector, with a list of codes, since collèges may share a sector.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import polars as pl
import shapely

from edu_pipeline import ewkb
from edu_pipeline.flow import newest, once, pick
from edu_pipeline.sectors import rules, schools, zoning
from edu_pipeline.sectors.schools import School

PARIS, HAUTE_GARONNE, LOIRE_ATLANTIQUE = "75", "31", "44"

COLLEGES = 4
"""A sector of Paris has at most so many collèges."""

NAMES, ADDRESSES = ([f"{what}_etab_{number}" for number in range(1, COLLEGES + 1)] for what in ("lib", "adr"))

IDENTITY = "identity"
"""The column that identifies a sector among those of its publisher."""

READ = pl.Schema(
    dict.fromkeys(("noms_colleges", "uai_colleges"), pl.List(pl.String()))
    | dict.fromkeys(("geometry", "refused_because"), pl.String())
)
"""What is read of a row."""

NO_POLYGON = "geometry: expected a polygon, found something else"

Row = Mapping[str, Any]


class Colleges(NamedTuple):
    """Names and codes of a sector's collèges, and what is wrong with them."""

    names: list[str]
    codes: list[str]
    complaints: list[str]


def of_paris(rows: pl.LazyFrame, known: Sequence[School]) -> pl.DataFrame:
    """The sectors of Paris in the latest school year.

    Args:
        rows: nom_secteur, rentree_scolaire, ``NAMES``, ``ADDRESSES``; geometry in GeoJSON.
        known: the public collèges of Paris.

    Returns:
        code_departement, nom_secteur, rentree_scolaire, rule, ``READ``, ``IDENTITY``.
    """
    shape = "geo_shape: expected a polygon as GeoJSON, found something else"
    read = _read(newest(rows, "rentree_scolaire"), lambda row: _by_name(row, known), shape)
    return _described(read, PARIS, rules.PARIS_SECTORS, pl.col("nom_secteur"))


def of_haute_garonne(rows: pl.LazyFrame) -> pl.DataFrame:
    """The sectors of the Haute-Garonne, which are its collèges'.

    Args:
        rows: nom_secteur, noms_colleges and uai_colleges, a text each; geometry as EWKB.

    Returns:
        The columns that ``of_paris`` returns.
    """
    read = _read(rows, lambda row: _by_code(row, "college", "uai"), NO_POLYGON)
    return _described(read, HAUTE_GARONNE, rules.HAUTE_GARONNE, pl.col("uai_colleges").list.join(" "))


def of_loire_atlantique(rows: pl.LazyFrame) -> pl.DataFrame:
    """The sectors of the Loire-Atlantique, which have numbers.

    Args:
        rows: nom_secteur, the number; noms_colleges and uai_colleges, lists; geometry as EWKB.

    Returns:
        The columns that ``of_paris`` returns.
    """
    read = _read(rows, lambda row: _by_code(row, "college", "id_etb"), NO_POLYGON)
    return _described(read, LOIRE_ATLANTIQUE, rules.LOIRE_ATLANTIQUE, pl.col("nom_secteur"))


def _read(rows: pl.LazyFrame, colleges_of: Callable[[Row], Colleges], no_polygon: str) -> pl.DataFrame:
    """The rows, of which copies count once, with the columns ``READ``.

    Args:
        no_polygon: what is wrong with a row without one.
    """
    sectors = once(rows, []).collect()
    read = []
    for row in sectors.iter_rows(named=True):
        names, codes, complaints = colleges_of(row)
        polygons = zoning.polygons(row["geometry"])
        area = ewkb.encoded([shapely.multipolygons(polygons)])[0] if polygons else None
        reasons = [*complaints, *([] if polygons else [no_polygon])]
        read.append((names, sorted({*codes}), area, "; ".join(reasons) or None))
    return sectors.drop(list(READ), strict=False).hstack(pl.DataFrame(read, schema=READ, orient="row"))


def _described(read: pl.DataFrame, departement: str, rule: str, identity: pl.Expr) -> pl.DataFrame:
    year = pl.col("rentree_scolaire") if "rentree_scolaire" in read.columns else pl.lit(None, pl.String)
    columns = {"code_departement": pl.lit(departement), "rentree_scolaire": year, "rule": pl.lit(rule)}
    return pick(read.lazy(), "nom_secteur", *READ, identity.alias(IDENTITY), **columns).collect()


def _by_name(row: Row, known: Sequence[School]) -> Colleges:
    named = [(row[name], row[address]) for name, address in zip(NAMES, ADDRESSES, strict=True) if row[name]]
    found = [schools.find(name, address, known) for name, address in named]
    complaints = [one.reason for one in found if one.reason]
    if not named:
        complaints.append("lib_etab_1: expected the name of a collège, found none")
    if row["rentree_scolaire"] is None:
        complaints.append("annee_scol: expected a school year, found none")
    return Colleges([name for name, _ in named], [one.uai for one in found if one.uai], complaints)


def _by_code(row: Row, name: str, code: str) -> Colleges:
    """What columns of names and codes say, whose names in the file are ``name`` and ``code``."""
    names, codes = (list(_texts(row[column])) for column in ("noms_colleges", "uai_colleges"))
    complaints = []
    if not codes:
        complaints.append(f"{code}: expected the code of a collège, found none")
    elif len(names) != len(codes):
        complaints.append(f"{name}, {code}: expected as many names as codes, found {len(names)} and {len(codes)}")
    return Colleges(names, [one.upper() for one in codes], complaints)


def _texts(value: str | Sequence[str | None] | None) -> Iterator[str]:
    """The texts of a cell, a text or a list, that are not empty."""
    for text in [value] if isinstance(value, str) else value or []:
        if text and text.strip():
            yield text.strip()
