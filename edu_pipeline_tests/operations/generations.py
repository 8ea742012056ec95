"""Generations of the data: in each, every row carries the generation's number, so two numbers in an answer are a mix.

Belongs here: publishing, loading and rebuilding a generation, and asking which one a schema has. Does not belong here:
sessions that read meanwhile (``readers.py``).
"""

from __future__ import annotations

from dataclasses import replace

from edu_pipeline.database.checksum import Checksum, checksums
from edu_pipeline.database.connection import Database
from edu_pipeline.database.views import views
from edu_pipeline.loading.view_refresh import refresh
from edu_pipeline.operations import swap
from edu_pipeline_tests.stand_in import StandIn, sale

LOADED = ("departements", "passage_communes", "info_communes", "mutations_immo_latest")
COMMUNES = 30
LIVE = "educational_data"

WHOLE = """
    SELECT count(*), min(nb_mutations), max(nb_mutations), min(population), max(population)
    FROM mutations_immo_latest JOIN info_communes USING (code_commune)
"""
"""The generation, four times, from two tables."""


def whole(generation: int) -> tuple[int, ...]:
    """The answer to ``WHOLE`` for one generation."""
    return COMMUNES, generation, generation, generation, generation


def publish(stand_in: StandIn, generation: int) -> None:
    """Have the publishers offer a generation."""
    codes = stand_in.put_communes(COMMUNES)
    communes = stand_in.folder / "geo-api-communes" / "communes.json"
    communes.write_text(communes.read_text().replace('"population": 860', f'"population": {generation}'))
    stand_in.put_sales([sale(code, houses=generation) for code in codes])


def fill(stand_in: StandIn) -> None:
    """Load what the publishers offer, and refresh the views."""
    stand_in.load(*LOADED)
    for view in views().values():
        refresh(view, stand_in.database)


def build(stand_in: StandIn, generation: int) -> Database:
    """Build a generation in the next schema."""
    publish(stand_in, generation)
    upcoming = stand_in.database.next
    swap.prepare(upcoming)
    fill(replace(stand_in, database=upcoming))
    return upcoming


def rebuild(stand_in: StandIn, generation: int) -> list[str]:
    """Build a generation and swap."""
    return swap.swap(build(stand_in, generation))


def content(stand_in: StandIn, schema: str = LIVE) -> dict[str, Checksum]:
    """Checksums of a schema's tables."""
    return checksums(Database(stand_in.database.url, schema))


def schemas(database: Database) -> list[str]:
    """The live schema and those that a rebuild adds, without the name that they share."""
    with database.connect() as connection:
        rows = connection.execute(
            "SELECT nspname FROM pg_namespace WHERE nspname ~ ('^' || %s) ORDER BY 1", [database.schema]
        )
        return [str(name).removeprefix(database.schema) for (name,) in rows]
