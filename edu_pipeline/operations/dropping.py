"""Dropping a schema that is not live, unless somebody would miss something.

Belongs here: what depends on a schema from outside, what in it is not ours, dropping it with its bookkeeping. Does not
belong here: which schema is dropped when (``swap.py``), starting over with an empty live schema (``migrate.py``).
"""

from __future__ import annotations

import psycopg
from psycopg import sql

from edu_pipeline.database import ledger
from edu_pipeline.database.connection import TABLES, VIEWS, Connection, exists, relations
from edu_pipeline.errors import SchemaInUse
from edu_pipeline.operations.waiting import blocked, limit_lock_waits

DEPENDENTS = """
    WITH inside AS (
        SELECT 'pg_class'::regclass AS classid, oid FROM pg_class WHERE relnamespace = %(schema)s::regnamespace
        UNION ALL SELECT 'pg_proc'::regclass, oid FROM pg_proc WHERE pronamespace = %(schema)s::regnamespace
        UNION ALL SELECT 'pg_type'::regclass, oid FROM pg_type WHERE typnamespace = %(schema)s::regnamespace
    ), outside AS (
        SELECT coalesce(r.ev_class, c.conrelid, a.adrelid, p.oid) AS oid, d.classid = 'pg_proc'::regclass AS is_routine
        FROM inside
        JOIN pg_depend AS d ON d.refclassid = inside.classid AND d.refobjid = inside.oid AND d.deptype IN ('n', 'a')
        LEFT JOIN pg_rewrite AS r ON d.classid = 'pg_rewrite'::regclass AND r.oid = d.objid
        LEFT JOIN pg_constraint AS c ON d.classid = 'pg_constraint'::regclass AND c.oid = d.objid
        LEFT JOIN pg_attrdef AS a ON d.classid = 'pg_attrdef'::regclass AND a.oid = d.objid
        LEFT JOIN pg_proc AS p ON d.classid = 'pg_proc'::regclass AND p.oid = d.objid
    )
    SELECT DISTINCT n.nspname || '.' || coalesce(c.relname, p.proname)
    FROM outside AS o
    LEFT JOIN pg_class AS c ON NOT o.is_routine AND c.oid = o.oid
    LEFT JOIN pg_proc AS p ON o.is_routine AND p.oid = o.oid
    JOIN pg_namespace AS n ON n.oid = coalesce(c.relnamespace, p.pronamespace)
    WHERE n.oid <> %(schema)s::regnamespace
    ORDER BY 1
"""

SCHEMA_RECORDS = ("migrations", "check_results")
"""Tables of ``edu_pipeline``, besides the ledger's, with rows about one schema in a column ``target_schema``."""


def dependents(connection: Connection, schema: str) -> list[str]:
    """Views, tables and routines of other schemas that depend on something in ``schema``; none if it does not exist."""
    if not exists(connection, schema):
        return []
    quoted = sql.Identifier(schema).as_string(connection)
    return [str(name) for (name,) in connection.execute(DEPENDENTS, {"schema": quoted})]


def check_no_dependents(connection: Connection, schema: str) -> None:
    """Check that nothing outside a schema depends on it.

    Raises:
        SchemaInUse: something does; the text names it.
    """
    names = dependents(connection, schema)
    if names:
        raise SchemaInUse(
            f"schema {schema}",
            f"expected nothing outside it to depend on it, found {', '.join(names)}.",
            "Recreate it on the live schema (CREATE OR REPLACE VIEW ...) or drop it; then try again.",
        )


def check_only_ours(connection: Connection, schema: str, live: str) -> None:
    """Check that everything in ``schema`` either exists in the live schema too or was loaded at some time.

    Raises:
        SchemaInUse: there is a table or view of somebody else's; the text names it.
    """
    if not (exists(connection, schema) and exists(connection, live)):
        return
    kinds = TABLES + VIEWS + "v"
    ours = {*relations(connection, live, kinds), *ledger.loaded_tables(connection)}
    foreign = [name for name in relations(connection, schema, kinds) if name not in ours]
    if foreign:
        raise SchemaInUse(
            f"schema {schema}",
            f"expected only what {live} has too, found {', '.join(foreign)}.",
            "Move it to a schema of your own (ALTER TABLE ... SET SCHEMA ...) or drop it; then try again.",
        )


def drop(connection: Connection, schema: str, patience: float) -> None:
    """Drop a schema that is not live, with its quarantine, and commit; nothing happens if it does not exist.

    Args:
        patience: how many seconds to wait for sessions that read it.

    Raises:
        SchemaInUse: something outside depends on it.
        SwapBlocked: sessions that read it did not finish in time.
    """
    if not exists(connection, schema):
        return
    check_no_dependents(connection, schema)
    limit_lock_waits(connection, patience)
    try:
        connection.execute(sql.SQL("DROP SCHEMA {} CASCADE").format(sql.Identifier(schema)))
    except psycopg.errors.LockNotAvailable as error:
        raise blocked(connection, schema, patience) from error
    forget(connection, schema)
    connection.commit()


def forget(connection: Connection, schema: str) -> None:
    """Make sure that no later schema of this name inherits the bookkeeping of one that is gone; the caller commits."""
    for table in SCHEMA_RECORDS:
        delete = sql.SQL("DELETE FROM edu_pipeline.{} WHERE target_schema = %s")
        connection.execute(delete.format(sql.Identifier(table)), [schema])
    ledger.retire_schema(connection, schema)
