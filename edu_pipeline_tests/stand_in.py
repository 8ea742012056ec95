"""A directory that stands in for the publishers, filled file by file, and loads from it into a real database.

Belongs here: publishing small files, and loading them as the pipeline does. Does not belong here: the country of
the sample publisher (``edu_pipeline/sample``).
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, LiteralString

from psycopg.conninfo import conninfo_to_dict
from upath import UPath

from edu_pipeline import checks
from edu_pipeline.catalogue import catalogue
from edu_pipeline.database import ledger
from edu_pipeline.database.cluster import Cluster
from edu_pipeline.database.connection import Database
from edu_pipeline.loading.load import Options, Outcome, load
from edu_pipeline.sources.archive import Archive
from edu_pipeline.sources.fetch import fetch_if_any
from edu_pipeline.table import tables
from edu_pipeline_tests.servers import new_database

SALES = "dvf-indicateurs-communes"
SALES_HEADER = "INSEE_COM,annee,nb_mutations,NbMaisons,NbApparts,PropMaison,PropAppart,PrixMoyen,Prixm2Moyen,SurfaceMoy"


@dataclass(frozen=True)
class StandIn:
    """A directory in place of the publishers, and a pipeline that reads from it."""

    folder: Path
    archive: Archive
    database: Database

    def put(self, source: str, name: str, content: str | bytes) -> None:
        """Publish a file."""
        path = self.folder / source / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.encode() if isinstance(content, str) else content)

    def put_communes(self, count: int = 30) -> list[str]:
        """Publish ``count`` communes of the Ain and what they refer to.

        Returns:
            Their codes.
        """
        codes = [f"01{number:03d}" for number in range(1, count + 1)]
        codes_of_ain = {"codeDepartement": "01", "codeRegion": "84", "codesPostaux": ["01000"]}
        centre = {"type": "Point", "coordinates": [4.93, 46.15]}
        groups = {"siren": "210100012", "codeEpci": "200069193"}
        commune = {"population": 860, "centre": centre} | codes_of_ain | groups
        paris = commune | {"nom": "Paris 16e Arrondissement", "code": "75116", "codeDepartement": "75"}
        paris = {name: value for name, value in paris.items() if name not in groups}
        communes = [commune | {"nom": f"Commune {code}", "code": code} for code in codes]
        communes.append(commune | {"nom": "Paris", "code": "75056", "codeDepartement": "75", "codeRegion": "11"})
        self.put("geo-api-communes", "communes.json", json.dumps(communes))
        self.put("geo-api-communes", "arrondissements-municipaux.json", json.dumps([paris | {"codeRegion": "11"}]))
        departements = [
            {"nom": "Ain", "code": "01", "codeRegion": "84"},
            {"nom": "Paris", "code": "75", "codeRegion": "11"},
        ]
        self.put("geo-api-departements", "departements.json", json.dumps(departements))
        self.put(
            "departement-academie",
            "departement_academie.csv",
            "code_departement;departement;code_academie;academie;code_region_academique;region_academique;derived_from\n"
            "01;AIN;10;LYON;01;AUVERGNE-RHONE-ALPES;x\n75;PARIS;01;PARIS;10;ILE-DE-FRANCE;x\n",
        )
        self.put(
            "insee-table-passage",
            "passage_1999_2024.csv",
            "geo_ini,geo_fin,cod_ini,cod_fin,annee,typemodif,ratio\n2018,2019,01999,01001,2019-01-01,f,1.0\n",
        )
        return codes

    def put_sales(self, rows: list[str], header: str = SALES_HEADER) -> None:
        """Publish the property sales; a row has the header's columns, e.g. ``01001,2024,4,...``."""
        self.put(SALES, "communesdvf2024.csv", "\n".join([header, *rows, ""]))

    def load(self, *names: str, accept_shrink: bool = False, force: bool = False) -> Outcome:
        """Fetch the sources of the tables and load these, in the given order.

        Returns:
            The outcome of the last load.
        """
        for name in names:
            for source in tables()[name].sources:
                fetch_if_any(catalogue()[source], self.archive, str(self.folder))
            options = Options(force=force, accept_shrink=frozenset([name] if accept_shrink else []))
            outcome = load(tables()[name], self.database, self.archive, options)
        return outcome

    def load_communes(self) -> None:
        """Load the communes and what they refer to."""
        self.load("departements", "passage_communes", "info_communes")

    def check(self, name: str, names: Collection[str] | None = None) -> list[checks.CheckResult]:
        """The results of a table's checks."""
        with self.database.connect() as connection:
            return checks.run(connection, self.database, self.archive, name, names)

    def rows(self, statement: LiteralString) -> list[tuple[Any, ...]]:
        """The rows of a query."""
        with self.database.connect() as connection:
            return connection.execute(statement).fetchall()

    def failed(self, name: str) -> ledger.Load | None:
        """The newest failed load of a table, from the ledger."""
        with self.database.connect() as connection:
            return ledger.newest(connection, self.database.schema, "failed").get(name)


@contextmanager
def new_stand_in(cluster: Cluster, template: str, folder: Path) -> Iterator[StandIn]:
    """A directory, an archive and a database of their own, to be filled once and copied for each test."""
    with new_database(cluster, template) as name:
        yield StandIn(
            folder / "upstream", Archive(UPath(folder / "archive")), Database(cluster.url(name), "educational_data")
        )


@contextmanager
def copy_of(filled: StandIn, cluster: Cluster, folder: Path) -> Iterator[StandIn]:
    """A copy of what ``new_stand_in`` has made, which a test may change."""
    if filled.folder.parent.exists():
        shutil.copytree(filled.folder.parent, folder, dirs_exist_ok=True)
    with new_stand_in(cluster, str(conninfo_to_dict(filled.database.url)["dbname"]), folder) as copied:
        yield copied


def sale(code: str, houses: int = 4, price: str = "290575") -> str:
    """A row of the property sales of a commune: houses only, in the order of the 2024 file, not swapped."""
    return f"{code},2024,{houses},{houses},0,100,0,{price},3258,96"
