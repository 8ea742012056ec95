"""INSEE's Base permanente des équipements: the number of facilities of each type in each area, on every level.

Belongs here: the zip archive of counts with its metadata. Does not belong here: the zones (`geographies.py`), the
schools, which are those of the world (`schools.py`).

The columns are those of the edition of 2025; reports differ on whether that of 2024 has UNIT_MEASURE, OBS_STATUS and
UNIT_MULT.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import polars as pl
from numpy.typing import NDArray

from edu_pipeline.sample.formats import write_csv, write_zip
from edu_pipeline.sample.geographies import places_of, zones_of
from edu_pipeline.sample.publication import publication
from edu_pipeline.sample.world import World
from edu_pipeline.vocabulary import arrondissements

SOURCE = "insee-bpe"
YEAR, GEOGRAPHY = 2025, 2026
TOTAL = "_T"
DOMAINS = {
    "A": "Services pour les particuliers",
    "B": "Commerces",
    "C": "Enseignement",
    "D": "Santé et action sociale",
    "E": "Transports et déplacements",
    "F": "Sports, loisirs et culture",
    "G": "Tourisme",
}
TYPES = """
A1 01 04 05 08 09 20 21 22 24 25 26 28 29 30 31 32 33
A2 03 05 06 07 08
A3 01 02 03 04
A4 01 02 03 04 05 06
A5 01 02 03 04 05 06 07
B1 03 04 05
B2 01 02 04 05 06 07 08 09 10
B3 02 03 04 06 07 08 09 10 11 12 13 15 16 17 18 19 20 21 22 23 24 25
C1 07 08 09
C2 01
C3 01 02 03 04 05
C4 01 02 03 09
C5 01 02 03 04 05 09
C6 01 02 03 04 05 09
C7 01 02
D1 01 02 03 04 05 06 07 08 09 10 11 12 13
D2 02 03 06 07 08 09 10 11 12 13 14 31 35 36 37 38 39 40 42 43 65 77 79 81
D3 02 03 04 05 07
D4 01 02 03
D5 02 03 04 05 06 07
D6 01 02 03 04 05 06
D7 01 02 03 04 05 09
E1 01 02 07 08 09
F1 01 02 03 04 05 06 07 08 09 10 11 12 13 14 16 17 18 19 20 21 22 23 24 25 26
F2 01 02 03 04
F3 03 05 07 12 13 14 15
G1 01 02 03 04 05
"""
"""Sub-domain, and the numbers of its types, which follow the domain's letter and the sub-domain's digit."""

PER_THOUSAND = {
    "A101": 0.02,
    "A104": 0.05,
    "A203": 0.5,
    "A206": 0.2,
    "B104": 0.035,
    "B105": 0.19,
    "B201": 0.1,
    "B202": 0.35,
    "B207": 0.74,
    "D106": 0.01,
    "D265": 0.89,
    "D277": 0.55,
    "D279": 1.2,
    "D281": 1.5,
    "D307": 0.3,
    "D401": 0.16,
    "D502": 0.22,
    "F101": 0.055,
    "F121": 0.24,
}
"""Facilities per 1,000 inhabitants, about as in France; the rates of the other types are invented."""

Counts = NDArray[np.int64]


@publication(SOURCE, "DS_BPE_CSV_FR.zip")
def equipment(world: World, path: Path) -> None:
    """Eleven levels, with totals by sub-domain, by domain and overall; no row where there is nothing.

    Text is quoted, numbers are not. The three cities are COM, their arrondissements ARM.
    """
    types = [f"{line[:2]}{number}" for line in TYPES.strip().splitlines() for number in line.split()[1:]]
    places = places_of(world, GEOGRAPHY)
    counts = _counts(world, places, types)
    with tempfile.TemporaryDirectory(dir=path.parent, prefix=".") as scratch:
        data, meta = (Path(scratch) / f"DS_BPE_{YEAR}_{name}.csv" for name in ("data", "metadata"))
        with data.open("wb") as out:
            for number, rows in enumerate(_levels(world, places, types, counts)):
                rows.write_csv(out, include_header=number == 0, separator=";", quote_style="non_numeric")
        write_csv(_metadata(types), meta, quote="all")
        write_zip(path, {meta.name: meta, data.name: data})


def _counts(world: World, places: pl.DataFrame, types: list[str]) -> Counts:
    """Facilities by place and type; the rarer a type, the larger a place has to be to have one."""
    invented = world.rng(SOURCE, "types").lognormal(np.log(0.09), 1.2, len(types))
    frequent = [PER_THOUSAND.get(kind, rate) for kind, rate in zip(types, invented, strict=True)]
    per_person = np.clip(frequent, 0.002, 2) / 1000
    people = places["population"].to_numpy()[:, None]
    needed = np.clip(0.2 / per_person, 800, 2500)
    counts = world.rng(SOURCE, "counts").poisson(per_person * people / (1 + (needed / (people + 1)) ** 2))
    for kind, schools in _schools(world, places).items():
        counts[:, types.index(kind)] = schools
    counts = world.revised(pl.DataFrame({"value": counts.reshape(-1)}), SOURCE, "value")["value"].to_numpy()
    counts = counts.reshape(len(people), len(types)).copy()
    city = places["code"].replace_strict(arrondissements.COMMUNES, default=None, return_dtype=pl.String)
    for code in city.drop_nulls().unique():
        counts[(places["code"] == code).to_numpy()] = counts[(city == code).fill_null(False).to_numpy()].sum(axis=0)
    return counts


def _schools(world: World, places: pl.DataFrame) -> dict[str, Counts]:
    """The world's own schools by INSEE's type, in each place."""
    general = pl.col("voie_generale") | pl.col("voie_technologique")
    pupils, lycee, college = pl.col("type") == "Ecole", pl.col("type") == "Lycée", pl.col("type") == "Collège"
    primary, nursery = pl.col("nom").str.starts_with("École primaire"), pl.col("code_nature") == "101"
    of_type = {
        "C107": pupils & nursery,
        "C108": pupils & ~nursery & primary,
        "C109": pupils & ~nursery & ~primary,
        "C201": college,
        "C301": lycee & general,
        "C302": lycee & ~general,
        "C303": pl.lit(False),
        "C305": lycee & general & pl.col("voie_professionnelle"),
    }
    by_place = world.schools.group_by(code="code_place").agg(
        condition.fill_null(False).sum().alias(kind) for kind, condition in of_type.items()
    )
    counted = places.select("code").join(by_place, on="code", how="left", maintain_order="left").fill_null(0)
    return {kind: counted[kind].cast(pl.Int64).to_numpy() for kind in of_type}


def _levels(world: World, places: pl.DataFrame, types: list[str], counts: Counts) -> Iterator[pl.DataFrame]:
    """The file's rows, level by level."""
    is_part = places["code"].is_in(list(arrondissements.COMMUNES)).to_numpy()
    whole = places.filter(~pl.Series(is_part))
    zones = whole.select("code").join(zones_of(world, whole), on="code", maintain_order="left")
    areas = {"COM": whole["code"], "FRANCE": pl.Series(["F"]).gather([0] * whole.height)}
    areas |= {name: zones[name] for name in ("DEP", "REG", "EPCI", "ARR", "BV2022", "ZE2020", "UU2020", "AAV2020")}
    yield _rows("ARM", *_summed(places["code"].filter(pl.Series(is_part)), counts[is_part]), types)
    for level, codes in areas.items():
        yield _rows(level, *_summed(codes, counts[~is_part]), types)


def _summed(areas: pl.Series, counts: Counts) -> tuple[pl.Series, Counts]:
    """The areas by code, and the counts of the places in each."""
    order = areas.arg_sort()
    inside = areas.gather(order)
    starts = inside.is_first_distinct().arg_true()
    summed: Counts = np.add.reduceat(counts[order.to_numpy()], starts.to_numpy(), axis=0)
    return inside.gather(starts), summed


def _rows(level: str, areas: pl.Series, counts: Counts, types: list[str]) -> pl.DataFrame:
    """A row for each area and type, sub-domain, domain and overall, where there is at least one facility."""
    subdomain, domain = np.array(types).astype("U2"), np.array(types).astype("U1")
    subdomains, domains = np.unique(subdomain), np.unique(domain)
    columns = (
        [(kind[:1], kind[:2], kind) for kind in types]
        + [(str(name)[:1], str(name), TOTAL) for name in subdomains]
        + [(str(name), TOTAL, TOTAL) for name in domains]
        + [(TOTAL, TOTAL, TOTAL)]
    )
    every = np.hstack(
        [
            counts,
            counts @ (subdomain[:, None] == subdomains),
            counts @ (domain[:, None] == domains),
            counts.sum(axis=1, keepdims=True),
        ]
    )
    area, column = np.nonzero(every)
    dimensions = pl.DataFrame(columns, schema=["FACILITY_DOM", "FACILITY_SDOM", "FACILITY_TYPE"], orient="row")
    return pl.DataFrame({"GEO": areas.gather(area)}).with_columns(
        pl.lit(level).alias("GEO_OBJECT"),
        *dimensions[column],
        pl.lit("FACILITIES").alias("BPE_MEASURE"),
        pl.lit("COUNT").alias("UNIT_MEASURE"),
        pl.lit("A").alias("OBS_STATUS"),
        pl.lit(0).alias("UNIT_MULT"),
        pl.lit(YEAR).alias("TIME_PERIOD"),
        pl.Series("OBS_VALUE", every[area, column]),
    )


def _metadata(types: list[str]) -> pl.DataFrame:
    """The codes of the dimensions and their labels; the labels of types are invented."""
    rows = [("FACILITY_DOM", "Domaine", code, label) for code, label in DOMAINS.items()]
    rows += [("FACILITY_SDOM", "Sous-domaine", kind, f"Sous-domaine {kind}") for kind in sorted({k[:2] for k in types})]
    rows += [("FACILITY_TYPE", "Type", kind, f"Équipement {kind} (libellé inventé)") for kind in types]
    return pl.DataFrame(rows, schema=["COD_VAR", "LIB_VAR", "COD_MOD", "LIB_MOD"], orient="row")
