"""The places of the map: communes, départements and schools with their names and positions, sorted by code.

Belongs here: what a place is called, where it is, and what it is found by. Does not belong here: its figures
(``figures.py``), its shape (``shapes.py``).

Columns of every frame: code, name, dep (code of the département), x and y (degrees; NULL where nobody says), near (what
tells it from others of the name: the postal codes of a commune, the commune of a school, the region of a département).
"""

from __future__ import annotations

from pathlib import Path

import polars as pl

COLUMNS = ("code", "name", "dep", "x", "y", "near")


def communes(data: Path) -> pl.DataFrame:
    """The communes and municipal arrondissements; ``parent`` is an arrondissement's city."""
    return (
        pl.read_parquet(data / "info_communes.parquet")
        .select(
            code="code_commune",
            name="nom_commune",
            dep="code_departement",
            x="longitude",
            y="latitude",
            near=pl.col("codes_postaux").list.join(" "),
            parent="code_commune_parent",
        )
        .sort("code")
    )


def departements(data: Path, communes: pl.DataFrame) -> pl.DataFrame:
    """The départements; each is placed in the middle of its communes."""
    middles = communes.group_by("dep").agg(pl.col("x", "y").mean().round(4))
    return (
        pl.read_parquet(data / "departements.parquet")
        .select(code="code_departement", name="nom_departement", dep="code_departement", near="nom_region")
        .join(middles, on="dep", how="left")
        .select(COLUMNS)
        .sort("code")
    )


def lycees(data: Path, communes: pl.DataFrame) -> pl.DataFrame:
    """The lycées of the directory and those with results; ``sector``: public or private."""
    return _schools(data, communes, "geodata_lycees", "lycee_context_cache", "etablissement", "etablissement")


def colleges(data: Path, communes: pl.DataFrame) -> pl.DataFrame:
    """The collèges of the directory and those with results; ``sector``: public or private."""
    return _schools(data, communes, "colleges_geolocalisation", "college_context_cache", "nom", "nom_etablissement")


def _schools(
    data: Path, communes: pl.DataFrame, directory: str, view: str, directory_name: str, view_name: str
) -> pl.DataFrame:
    """The schools of the view, then those that only the directory has."""
    listed = pl.read_parquet(data / f"{directory}.parquet").select(
        code="uai",
        name=directory_name,
        commune="code_commune",
        x="longitude",
        y="latitude",
        near="commune",
        sector="secteur",
    )
    known = pl.read_parquet(data / f"{view}.parquet").select(
        code="uai",
        name=view_name,
        commune="code_commune",
        x="longitude",
        y="latitude",
        near="nom_commune",
        sector="secteur",
    )
    schools = pl.concat([known, listed.join(known, on="code", how="anti")])
    of_commune = communes.select(commune="code", dep="dep")
    return schools.join(of_commune, on="commune", how="left").select(*COLUMNS, "commune", "sector").sort("code")
