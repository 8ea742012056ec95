"""A country of four départements, and the rows and loads that tests of checks put into it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

import polars as pl
from psycopg import sql

from edu_pipeline.checks import CheckResult
from edu_pipeline.database import ledger
from edu_pipeline.database.connection import Connection
from edu_pipeline.database.ledger import REFUSED, Load
from edu_pipeline.sources.archive import Release

RunCheck = Callable[[str, str], CheckResult]
"""Runs one check of a table."""

Expect = Callable[..., None]
"""Sets what is expected of one table, in place of ``expectations.toml``."""

COUNTRY = [("01", "10", "LYON"), ("2A", "27", "CORSE"), ("75", "01", "PARIS"), ("974", "28", "LA REUNION")]
"""The départements with the code and name of their académie."""


def record(
    connection: Connection,
    table: str,
    schema: str = "educational_data",
    releases: Mapping[str, Release] | None = None,
    **values: Any,
) -> None:
    """Record a published load, and the releases that it used."""
    releases = releases or {}
    load = Load(
        target_schema=schema,
        table_name=table,
        state="published",
        started_at=datetime.now(UTC),
        releases={source: release.id for source, release in releases.items()},
        inputs_version="",
        code_version="",
        **({"strategy": "delta"} | values),
    )
    ledger.record(connection, load, pl.DataFrame(schema=REFUSED), releases)


def put_colleges(connection: Connection, numbers: Mapping[str, int], session: int = 2025, **rest: object) -> None:
    """Insert results of so many collèges by département."""
    for code, number in numbers.items():
        names = ["uai", "session", "code_departement", *rest]
        statement = sql.SQL(
            "INSERT INTO metrics_colleges ({}) SELECT %s || n, {} FROM generate_series(1, %s) AS n"
        ).format(
            sql.SQL(", ").join(map(sql.Identifier, names)), sql.SQL(", ").join([sql.Placeholder()] * (len(names) - 1))
        )
        connection.execute(statement, [code, session, code, *rest.values(), number])
