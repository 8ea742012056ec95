"""How long it takes to place segments of streets, and in how much memory. `python bench/street_matching.py`.

A country is made up, the same one each time: 96 départements of a city, ten towns and 25 villages, about 3 million
addresses in files laid out as the Base Adresse Nationale's, one csv.gz per département, and 1 million segments written
as the carte scolaire writes them; of 100 labels about 80 are the street's, abbreviated, 10 have a letter less and 10
name no street. A process of its own reads and places one département after the other. The floor is another one that
reads the same files and groups the addresses by street. Both are done with half of the départements, too: time is to
grow no faster than the work. Goals: less than 10 minutes, less than 2 GiB resident (it starts no other process).
"""

from __future__ import annotations

import json
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from rich.console import Console
from rich.table import Table

from edu_pipeline.sectors.placing import ADDRESS, SEGMENT, addresses_of, place
from edu_pipeline.sectors.street_words import TYPES

DEPARTEMENTS = 96
STREETS = [800, *[80] * 10, *[20] * 25]
"""Of the communes of a département."""

SEGMENTS, NUMBERS = 5, 15
"""Of a street: segments, and addresses on average."""

GOAL_SECONDS, GOAL_BYTES, GOAL_GROWTH = 600, 2 << 30, 1.15

BAN = (
    "id", "id_fantoir", "numero", "rep", "nom_voie", "code_postal", "code_insee", "nom_commune",
    "code_insee_ancienne_commune", "nom_ancienne_commune", "x", "y", "lon", "lat", "type_position", "alias", "nom_ld",
    "libelle_acheminement", "nom_afnor", "source_position", "source_nom_voie", "certification_commune", "cad_parcelles",
)  # fmt: skip
"""The columns of the BAN's files."""

KINDS = ["Rue", "Rue", "Rue", "Avenue", "Boulevard", "Allée", "Impasse", "Chemin", "Place", "Square"]
TITLES = ["", "", "", "du Général ", "du Docteur ", "Saint-", "de la ", "des "]
FIRST = ["", "", "Jean ", "Pierre ", "Marie ", "Jean-Baptiste ", "Émile ", "Lucie "]
SYLLABLES = [
    "ba", "be", "bi", "bo", "cha", "che", "da", "del", "du", "fa", "fer", "ga", "gué", "jo", "ker", "la", "lan", "le",
    "lo", "ma", "mé", "mon", "na", "pé", "plo", "ra", "ré", "ro", "sa", "ti", "va", "ville",
]  # fmt: skip


def plain(column: str) -> pl.Expr:
    """Capitals without accents, hyphens and apostrophes."""
    capitals = pl.col(column).str.to_uppercase().str.normalize("NFKD").str.replace_all(r"\p{M}", "")
    return capitals.str.replace_all("[-']", " ").alias("nom_afnor")


def streets_of(random: np.random.Generator, count: int) -> list[str]:
    """Names of streets as the BAN writes them, each once."""
    names: dict[str, None] = {}
    while len(names) < count:
        name = "".join(random.choice(SYLLABLES, random.integers(3, 6))).capitalize()
        names[f"{random.choice(KINDS)} {random.choice(TITLES)}{random.choice(FIRST)}{name}"] = None
    return list(names)


def published(random: np.random.Generator, names: list[str]) -> list[str]:
    """The names as the carte scolaire writes them."""
    short = {long: abbreviation for abbreviation, long in TYPES.items()} | {"GENERAL": "GAL", "SAINT": "ST"}
    labels = []
    capitals = pl.DataFrame({"name": names}).select(plain("name")).to_series()
    for name, kind in zip(capitals, random.random(len(names)), strict=True):
        label = " ".join(short.get(word, word) for word in name.split())
        at = int(random.integers(-5, -1))
        labels.append(label if kind < 0.8 else label[:at] + label[at + 1 :] if kind < 0.9 else f"{label[:-4]}QUIBERAC")
    return labels


def make(folder: Path, number: int) -> None:
    """The two files of one département."""
    random = np.random.default_rng(number)
    codes = [f"{number:02d}{commune:03d}" for commune, count in enumerate(STREETS, 1) for _ in range(count)]
    names = [name for count in STREETS for name in streets_of(random, count)]
    addresses(random, codes, names).write_csv(
        folder / f"adresses-{number:02d}.csv.gz", separator=";", compression="gzip"
    )
    labels, bounds = published(random, names), [(1, 10, "tous"), (11, 9999, "pair"), (11, 9999, "impair")]
    bounds += [(1, 9999, "tous"), (1, 31, "impair")]
    rows = [(code, label, *bound) for code, label in zip(codes, labels, strict=True) for bound in bounds]
    pl.DataFrame(rows, SEGMENT, orient="row").write_parquet(folder / f"segments-{number:02d}.parquet")


def addresses(random: np.random.Generator, codes: list[str], names: list[str]) -> pl.DataFrame:
    """The addresses of a département, in the BAN's columns: each street straight, its sides 12 m apart."""
    sizes = 2 * random.geometric(2 / NUMBERS, len(names)).clip(1, 200)
    street = np.repeat(np.arange(len(names)), sizes)
    order = np.arange(len(street)) - np.repeat(sizes.cumsum() - sizes, sizes)
    angle = random.uniform(0, np.pi, len(names))[street]
    along, aside = order * 8.0, np.where(order % 2, -6.0, 6.0) + random.normal(0, 2, len(order))
    lon, lat = random.uniform([[2], [48]], [[3], [49]], (2, len(names)))
    text = {name: pl.lit(None, pl.String) for name in BAN}
    frame = pl.DataFrame(
        {
            "numero": order + 1,
            "rep": pl.Series(np.where(order % 20 == 7, "bis", "")).replace("", None),
            "nom_voie": pl.Series(names).gather(street),
            "code_insee": pl.Series(codes).gather(street),
            "lon": (lon[street] + (along * np.cos(angle) - aside * np.sin(angle)) / 73_000).round(6),
            "lat": (lat[street] + (along * np.sin(angle) + aside * np.cos(angle)) / 111_000).round(6),
        }
    )
    return frame.with_columns(nom_afnor=plain("nom_voie")).select(
        *(name if name in (*frame.columns, "nom_afnor") else empty.alias(name) for name, empty in text.items())
    )


def read(path: Path) -> pl.DataFrame:
    """The columns of the BAN that placing wants."""
    types = {"numero": pl.Int64, "lon": pl.Float64, "lat": pl.Float64}
    schema = {name: types.get(name, pl.String) for name in BAN}
    return pl.read_csv(path, separator=";", schema=schema, columns=list(ADDRESS))


def work(what: str, folder: Path, departements: int) -> dict[str, Any]:
    """Place, or only read and group: what came out, seconds, and bytes resident at most."""
    begin = time.perf_counter()
    counts = {"segments": 0, "addresses": 0, "lines": 0, "held": 0}
    for number in range(1, departements + 1):
        here = read(folder / f"adresses-{number:02d}.csv.gz")
        counts["addresses"] += len(here)
        if what == "floor":
            counts["lines"] += len(here.group_by("code_insee", "nom_voie").agg("numero", "lon", "lat"))
            continue
        done = place(pl.read_parquet(folder / f"segments-{number:02d}.parquet"), here)
        counts["segments"] += len(done)
        counts["lines"] += done["geometry"].count()
        counts["held"] += len(addresses_of(done, here))
    seconds = time.perf_counter() - begin
    return counts | {"seconds": seconds, "bytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024}


def in_its_own_process(what: str, folder: Path, departements: int) -> dict[str, Any]:
    """``work`` in a process of its own, so that its memory is its own."""
    command = [sys.executable, __file__, what, str(folder), str(departements)]
    result: dict[str, Any] = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    return result


def main() -> None:
    """Make the country, and print seconds, growth and memory."""
    if len(sys.argv) > 1:
        print(json.dumps(work(sys.argv[1], Path(sys.argv[2]), int(sys.argv[3]))))
        return
    grid = Table("", "départements", "segments", "addresses", "lines", "held", "s", "MiB")
    seconds = {}
    with tempfile.TemporaryDirectory(prefix="edu-pipeline-bench-") as name:
        folder = Path(name)
        for number in range(1, DEPARTEMENTS + 1):
            make(folder, number)
        for departements in (DEPARTEMENTS // 2, DEPARTEMENTS):
            for what in ("floor", "place"):
                found = in_its_own_process(what, folder, departements)
                seconds[what, departements] = found["seconds"]
                figures = [f"{found[key]:,}" for key in ("segments", "addresses", "lines", "held")]
                grid.add_row(
                    what, str(departements), *figures, f"{found['seconds']:.1f}", f"{found['bytes'] / 2**20:,.0f}"
                )
    Console().print(grid)
    growth = seconds["place", DEPARTEMENTS] / seconds["place", DEPARTEMENTS // 2]
    print(f"twice the work takes {growth:.2f} times as long (goal: at most {2 * GOAL_GROWTH:.2f})")
    print(f"{seconds['place', DEPARTEMENTS] / seconds['floor', DEPARTEMENTS]:.1f} times the floor")
    good = found["seconds"] < GOAL_SECONDS and found["bytes"] < GOAL_BYTES and growth <= 2 * GOAL_GROWTH
    print("goals met" if good else "GOALS MISSED: 600 s, 2 GiB, linear growth")


if __name__ == "__main__":
    main()
