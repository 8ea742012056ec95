"""The materialized views: their SQL, what they read, and refreshing them.

Belongs here: everything about a view that follows from its file ``sql/views/<view>.sql``. Does not belong
here: creating them (``migrate.py``) and what they show (the SQL).
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path

import polars as pl
from psycopg import sql

from edu_pipeline.database import Database, share
from edu_pipeline.load import Options, Outcome
from edu_pipeline.migrate import migrations
from edu_pipeline.publish import ledger
from edu_pipeline.publish.conform import REFUSED
from edu_pipeline.publish.ledger import Load
from edu_pipeline.table import tables


@dataclass(frozen=True)
class View:
    """A materialized view: its name, its SQL, the declared tables that the SQL reads."""

    name: str
    text: str
    inputs: tuple[str, ...]

    @property
    def description(self) -> str:
        """What the view is: the comment at the head of its file."""
        lines = re.match(r"(?:--.*\n)+", self.text)
        return re.sub(r"(?m)^-- ?", "", lines.group()).strip() if lines else ""

    @property
    def path(self) -> Path:
        """The file that holds its SQL."""
        return Path(__file__).parent / "sql" / "views" / f"{self.name}.sql"

    @property
    def code_version(self) -> str:
        """Hash of the SQL."""
        return hashlib.sha256(self.text.encode()).hexdigest()[:12]


@lru_cache(maxsize=1)
def views() -> dict[str, View]:
    """Every view by name."""
    found = {}
    for file in migrations():
        if file.repeatable:
            name = file.name.removesuffix(".sql")
            statements = re.sub(r"--.*", "", file.text)
            inputs = tuple(table for table in tables() if re.search(rf"\b{table}\b", statements))
            found[name] = View(name, file.text, inputs)
    return found


def inputs_version(view: View, versions: Mapping[str, int]) -> str:
    """Hash of all that the rows of ``view`` depend on: the versions of its tables, and its SQL."""
    inputs = {name: versions.get(name) for name in view.inputs}
    return hashlib.sha256(repr((view.code_version, inputs)).encode()).hexdigest()[:16]


def refresh(view: View, database: Database, options: Options | None = None, run_id: str | None = None) -> Outcome:
    """Refresh ``view`` if one of its tables has changed since, concurrently if it is filled.

    Raises:
        DatabaseUnreachable: the server does not answer.
        psycopg.Error: the refresh failed; the view is as it was.
    """
    with database.connect() as connection:
        share(connection, database.schema)
        version = inputs_version(view, ledger.last_change(connection, database.schema))
        previous = ledger.newest(connection, database.schema).get(view.name)
        if previous and previous.inputs_version == version and not (options and options.force):
            return Outcome(previous, skipped=True)
        started = datetime.now(UTC)
        filled = connection.execute("SELECT relispopulated FROM pg_class WHERE oid = to_regclass(%s)", [view.name])
        concurrently = sql.SQL("CONCURRENTLY" if filled.fetchone() == (True,) else "")
        name = sql.Identifier(view.name)
        connection.execute(sql.SQL("REFRESH MATERIALIZED VIEW {} {}").format(concurrently, name))
        connection.execute(sql.SQL("ANALYZE {}").format(name))
        counted = connection.execute(sql.SQL("SELECT count(*) FROM {}").format(name)).fetchone()
        assert counted is not None and isinstance(counted[0], int)
        done = Load(
            target_schema=database.schema,
            table_name=view.name,
            state="published",
            started_at=started,
            releases={},
            inputs_version=version,
            code_version=view.code_version,
            run_id=run_id,
            strategy="refresh",
            rows=counted[0],
        )
        identifier = ledger.record(connection, done, pl.DataFrame(schema=REFUSED), {})
        return Outcome(replace(done, id=identifier), skipped=False)
