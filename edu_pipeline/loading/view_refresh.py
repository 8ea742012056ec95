"""Refreshing a materialized view without making its readers wait.

Belongs here: when a refresh is needed, and recording it in the ledger. Does not belong here: what the views are
(``database/views.py``).
"""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import polars as pl
from psycopg import sql

from edu_pipeline.database import ledger
from edu_pipeline.database.comments import comment_on_view
from edu_pipeline.database.connection import Database
from edu_pipeline.database.ledger import REFUSED, Load
from edu_pipeline.database.locks import schema_in_use
from edu_pipeline.database.views import View, inputs_version
from edu_pipeline.loading.load import Options, Outcome


def refresh(view: View, database: Database, options: Options | None = None, run_id: str | None = None) -> Outcome:
    """Refresh ``view`` if one of its tables has changed since the last time; concurrently if it may have readers.

    Raises:
        DatabaseUnreachable: the server does not answer.
        psycopg.Error: the refresh failed; the view is as it was.
    """
    with database.connect() as connection:
        schema_in_use(connection, database.schema)
        version = inputs_version(view, ledger.last_change(connection, database.schema))
        previous = ledger.newest(connection, database.schema, names=[view.name]).get(view.name)
        if previous and previous.inputs_version == version and not (options and options.force):
            return Outcome(previous, skipped=True)
        started = datetime.now(UTC)
        filled = connection.execute("SELECT relispopulated FROM pg_class WHERE oid = to_regclass(%s)", [view.name])
        concurrently = sql.SQL("CONCURRENTLY" if filled.fetchone() == (True,) and not database.live else "")
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
        comment_on_view(connection, database.schema, view.name, view.inputs)
        return Outcome(replace(done, id=identifier), skipped=False)
