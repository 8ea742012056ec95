"""Comments on tables and views: what they are, and where their present rows are from.

Belongs here: the text of a comment, and writing it. Does not belong here: descriptions (contracts, ``sql/views``), what
follows from the ledger (``provenance.py``).

COMMENT takes a lock that no reader or writer of rows waits for, but VACUUM and ANALYZE do: it is left out where the
text is as it should be.
"""

from __future__ import annotations

from collections.abc import Sequence

from psycopg import sql

from edu_pipeline.database.connection import Connection
from edu_pipeline.database.provenance import provenance
from edu_pipeline.table import Table

ATTRIBUTION = "\n\nAttribution: "
"""Between the description and the attribution, by which the description is found again."""


def comment_on_table(connection: Connection, schema: str, table: Table) -> None:
    """Say what ``table`` is and where its rows are from: sources, editions, days of release, licence."""
    _renew(connection, schema, table.name, sql.SQL("TABLE"), table.description, [table.name])


def comment_on_view(connection: Connection, schema: str, name: str, made_from: Sequence[str]) -> None:
    """Add to the comment on a view, whose SQL has said what it is, where its rows are from.

    Args:
        made_from: the tables that it reads.
    """
    description = _present(connection, name).partition(ATTRIBUTION)[0]
    _renew(connection, schema, name, sql.SQL("MATERIALIZED VIEW"), description, made_from)


def _renew(
    connection: Connection, schema: str, name: str, kind: sql.SQL, description: str, made_from: Sequence[str]
) -> None:
    attribution = provenance(connection, schema, made_from).attribution
    text = f"{description}{ATTRIBUTION}{attribution}" if attribution else description
    if text != _present(connection, name):
        statement = sql.SQL("COMMENT ON {} {} IS {}").format(kind, sql.Identifier(name), sql.Literal(text))
        connection.execute(statement)


def _present(connection: Connection, name: str) -> str:
    """The comment on a table or view; empty if there is none."""
    query = "SELECT coalesce(obj_description(to_regclass(quote_ident(%s)), 'pg_class'), '')"
    ((text,),) = connection.execute(query, [name]).fetchall()
    return str(text)
