"""Writing a difference into a published table, without a reader noticing.

Belongs here: the two strategies, a delta (delete by key, COPY the new rows) and, for a large difference in a
large table, the exchange of its single partition; and removing what a failed or killed exchange left behind. Does not
belong here: deciding what to publish.

The next partition is filled in a transaction of its own and committed. Under ``wal_level = minimal`` the server writes
the files of new tables to disk when their transaction commits: if that were the one that exchanges the partitions,
readers would wait for the disk.

Rows that nobody can read yet are written frozen. Every snapshot sees them, even that of a REPEATABLE READ transaction
that began before an exchange and reads the table for the first time after it; and autovacuum has nothing to do there.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import timedelta

import polars as pl
import psycopg
from psycopg import sql

from edu_pipeline.database import locks
from edu_pipeline.database.connection import Connection, Database
from edu_pipeline.database.copying import copy_in
from edu_pipeline.errors import EduError, TableBusy
from edu_pipeline.loading.difference import Difference
from edu_pipeline.table import Table

EXCHANGE_FROM = 0.2
"""Share of a large table's rows from which a difference is published by exchanging the partition."""

LOCK_TIMEOUT = "50ms"
"""How long the exchange may wait for its lock, with readers queueing behind it."""

LOCK_TRIES = 100
"""How often the exchange tries to get its lock, half a second apart on average, before it gives up."""


@dataclass(frozen=True)
class Written:
    """What was written, and the step that is left.

    Attributes:
        strategy: ``nothing``, ``delta`` or ``exchange``.
        rows: the table that has the new rows before they are published: the table itself, or its next partition.
        publish: exchanges the partitions, or does nothing; call it right before the commit, since readers wait from
            then on. Raises TableBusy if readers hold the table for too long.
    """

    strategy: str
    rows: sql.Identifier
    publish: Callable[[], None]


def write(
    connection: Connection, database: Database, table: Table, new: pl.LazyFrame, change: Difference, *, unread: bool
) -> Written:
    """Replace the published rows with those of ``new``; the caller calls ``publish`` and commits.

    Args:
        connection: one of ``database``, with the lock ``table_loading``.
        change: the difference between the published rows and ``new``.
        unread: whether nobody reads the table yet, so that it may be locked while it is filled.
    """
    name = sql.Identifier(table.name)
    if change.size == 0:
        return Written("nothing", name, lambda: None)
    if table.large and change.size > EXCHANGE_FROM * max(change.published, 1):
        incoming = _next_partition_of(database, table, new)
        return Written("exchange", incoming, lambda: _exchange(connection, table, incoming))
    if unread and not change.published:
        _fill(connection, table, new)
    else:
        _delta(connection, table, change)
    return Written("delta", name, lambda: None)


def _delta(connection: Connection, table: Table, change: Difference) -> None:
    name, stale = sql.Identifier(table.name), sql.Identifier(f"{table.name}__stale")
    if change.changed + change.removed:
        columns = sql.SQL(", ").join(map(sql.Identifier, table.key))
        create = sql.SQL("CREATE TEMPORARY TABLE {} ON COMMIT DROP AS SELECT {} FROM {} WITH NO DATA")
        connection.execute(create.format(stale, columns, name))
        copy_in(connection, stale, change.stale)
        same = sql.SQL(" AND ").join(
            sql.SQL("{0}.{2} = {1}.{2}").format(name, stale, sql.Identifier(column)) for column in table.key
        )
        connection.execute(sql.SQL("DELETE FROM {} USING {} WHERE {}").format(name, stale, same))
    copy_in(connection, name, change.fresh)


def _fill(connection: Connection, table: Table, new: pl.LazyFrame) -> None:
    """Fill an empty table, then build its key and indexes: a third of the time that it takes the other way round.

    A table that a foreign key points to can neither lose its key nor be truncated, without which rows cannot be written
    frozen: it is filled as it is.
    """
    name = sql.Identifier(table.name)
    (referenced,) = connection.execute(
        "SELECT EXISTS (SELECT FROM pg_constraint WHERE confrelid = to_regclass(quote_ident(%s)))", [table.name]
    ).fetchall()[0]
    if referenced:
        copy_in(connection, name, new)
        return
    indexes = connection.execute(
        "SELECT CASE WHEN k.oid IS NULL THEN format('DROP INDEX %%s', c.oid::regclass) "
        "ELSE format('ALTER TABLE %%s DROP CONSTRAINT %%I', i.indrelid::regclass, k.conname) END, "
        "CASE WHEN k.oid IS NULL THEN pg_get_indexdef(c.oid) ELSE format('ALTER TABLE %%s ADD CONSTRAINT %%I %%s', "
        "i.indrelid::regclass, k.conname, pg_get_constraintdef(k.oid)) END "
        "FROM pg_index AS i JOIN pg_class AS c ON c.oid = i.indexrelid "
        "LEFT JOIN pg_constraint AS k ON k.conindid = c.oid "
        "WHERE i.indrelid = to_regclass(quote_ident(%s)) ORDER BY c.oid",
        [table.name],
    ).fetchall()
    for drop, _ in indexes:
        connection.execute(str(drop).encode())
    connection.execute(sql.SQL("TRUNCATE {}").format(name))
    copy_in(connection, name, new, frozen=True)
    for _, make in indexes:
        connection.execute(str(make).encode())


def _next_partition_of(database: Database, table: Table, new: pl.LazyFrame) -> sql.Identifier:
    """Load, index and commit a table that is to become the partition."""
    like = sql.SQL(
        "CREATE TABLE {} (LIKE {} INCLUDING DEFAULTS INCLUDING CONSTRAINTS INCLUDING STORAGE) "
        "WITH (autovacuum_enabled = false)"
    )
    with database.connect() as connection:
        parent, incoming = sql.Identifier(table.name), sql.Identifier(_free_name(connection, table))
        connection.execute(like.format(incoming, parent))
        copy_in(connection, incoming, new, frozen=True)
        for definition in _indexes(connection, table, incoming):
            connection.execute(definition)
        connection.execute(sql.SQL("ANALYZE {}").format(incoming))
    return incoming


def _exchange(connection: Connection, table: Table, incoming: sql.Identifier) -> None:
    """Detach the partition and attach the next one."""
    parent = sql.Identifier(table.name)
    (current,) = [name for name, attached in partitions(connection, table).items() if attached]
    detach = sql.SQL("ALTER TABLE {} DETACH PARTITION {}").format(parent, sql.Identifier(current))
    _with_lock(connection, detach, table)
    connection.execute(sql.SQL("ALTER TABLE {} ATTACH PARTITION {} DEFAULT").format(parent, incoming))
    connection.execute(sql.SQL("ALTER TABLE {} RESET (autovacuum_enabled)").format(incoming))


def _with_lock(connection: Connection, statement: sql.Composed, table: Table) -> None:
    """Run a statement that locks readers out, trying again rather than making them queue behind it."""
    connection.execute(sql.SQL("SET LOCAL lock_timeout = {}").format(sql.Literal(LOCK_TIMEOUT)))
    for _ in range(LOCK_TRIES):
        try:
            with connection.transaction():
                connection.execute(statement)
            break
        except psycopg.errors.LockNotAvailable:
            time.sleep(random.uniform(0.25, 0.75))
    else:
        raise TableBusy(
            f"table {table.name}",
            f"expected to get its lock within {LOCK_TRIES} tries of {LOCK_TIMEOUT}, found it held by other sessions.",
            "End the long transaction that reads it (see pg_stat_activity) and load again; the old rows stay.",
        )
    connection.execute("SET LOCAL lock_timeout = 0")


def partitions(connection: Connection, table: Table) -> dict[str, bool]:
    """Tables named like the partitions of ``table``, and whether each is attached."""
    rows = connection.execute(
        "SELECT c.relname, c.relispartition FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace "
        "WHERE n.nspname = current_schema() AND c.relkind = 'r' AND starts_with(c.relname, %s)",
        [f"{table.name}__rows"],
    )
    return {str(name): bool(attached) for name, attached in rows}


def sweep(connection: Connection, table: Table) -> None:
    """Drop the detached partitions that exchanges left behind; the caller has the lock ``table_loading``."""
    for name, attached in partitions(connection, table).items():
        if not attached:
            connection.execute(sql.SQL("DROP TABLE {}").format(sql.Identifier(name)))


@contextmanager
def swept_after_failure(database: Database, table: Table) -> Iterator[None]:
    """Drop the next partition if the block fails, as far as that is possible; otherwise the next load does it."""
    try:
        yield
    except BaseException:
        with suppress(EduError, psycopg.Error):
            if table.large:
                with database.connect() as connection:
                    locks.table_loading(connection, database.schema, table.name, timedelta(seconds=1))
                    sweep(connection, table)
        raise


def _free_name(connection: Connection, table: Table) -> str:
    taken = partitions(connection, table)
    return next(name for number in range(2, 1000) if (name := f"{table.name}__rows_{number}") not in taken)


def _indexes(connection: Connection, table: Table, incoming: sql.Identifier) -> list[sql.Composed]:
    """The statements that give the next partition the parent's indexes, so that attaching it builds none."""
    rows = connection.execute(
        "SELECT i.indisprimary, i.indisunique, a.amname, "
        "array(SELECT pg_get_indexdef(i.indexrelid, k, true) FROM generate_series(1, i.indnkeyatts) k) "
        "FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid JOIN pg_am a ON a.oid = c.relam "
        "WHERE i.indrelid = to_regclass(quote_ident(%s)) ORDER BY i.indisprimary DESC, c.relname",
        [table.name],
    )
    statements: list[sql.Composed] = []
    for primary, unique, method, columns in rows:
        assert isinstance(columns, list)
        keys = sql.SQL(", ").join([sql.SQL(column) for column in columns])
        if primary:
            statements.append(sql.SQL("ALTER TABLE {} ADD PRIMARY KEY ({})").format(incoming, keys))
        else:
            form = "CREATE UNIQUE INDEX ON {} USING {} ({})" if unique else "CREATE INDEX ON {} USING {} ({})"
            statements.append(sql.SQL(form).format(incoming, sql.Identifier(str(method)), keys))
    return statements
