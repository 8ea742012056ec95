"""Writing a difference into a published table, and what its readers see."""

from __future__ import annotations

import threading
import time
from functools import partial
from operator import contains

import polars as pl
import psycopg
import pytest
from psycopg import sql

from edu_pipeline.database import locks
from edu_pipeline.database.connection import Connection, Database
from edu_pipeline.errors import DatabaseUnreachable, TableBusy
from edu_pipeline.loading import writing
from edu_pipeline.loading.difference import difference
from edu_pipeline.table import Table
from edu_pipeline_tests.loading.samples import Crimes, a_table, crimes
from edu_pipeline_tests.waiting import awaited

INDEXES = (
    "SELECT pg_get_indexdef(indexrelid), indisprimary, indisvalid, pg_get_constraintdef(c.oid), indexrelid::int "
    "FROM pg_index LEFT JOIN pg_constraint AS c ON conindid = indexrelid AND contype IN ('p', 'u') "
    "WHERE indrelid = 'sales'::regclass ORDER BY 1"
)


@pytest.fixture
def partitioned(database: Database) -> Table:
    """An empty partitioned table with two indexes."""
    table = a_table(Crimes, "crimes", large=True)
    with database.connect() as connection:
        connection.execute(
            "CREATE TABLE crimes (cle text, annee integer, nombre integer, PRIMARY KEY (cle, annee)) "
            "PARTITION BY LIST (annee);"
            "CREATE INDEX ON crimes (nombre); CREATE TABLE crimes__rows PARTITION OF crimes DEFAULT"
        )
    return table


@pytest.fixture
def large(database: Database, partitioned: Table) -> Table:
    """The partitioned table with 20,000 rows."""
    publish(database, partitioned, crimes(20_000, 1))
    return partitioned


def published(connection: Connection, table: Table) -> pl.DataFrame:
    """The rows of the table."""
    rows = connection.execute(sql.SQL("SELECT * FROM {}").format(sql.Identifier(table.name))).fetchall()
    return pl.DataFrame(rows, schema=crimes(1, 1).schema, orient="row")


def publish(database: Database, table: Table, new: pl.DataFrame, *, unread: bool = False) -> str:
    with database.connect() as connection:
        writing.sweep(connection, table)
        change = difference(new.lazy(), published(connection, table).lazy(), table.key)
        written = writing.write(connection, database, table, new.lazy(), change, unread=unread)
        written.publish()
        return written.strategy


def with_counts(*counts: int | None) -> pl.DataFrame:
    """A row per count, in their order; None leaves the row out."""
    return crimes(len(counts), 0).with_columns(nombre=pl.Series(counts, dtype=pl.Int32)).drop_nulls()


@pytest.mark.parametrize("unread", [False, True])
@pytest.mark.parametrize(
    ("counts", "strategy"),
    [
        ([1, 1, 1, 1], "nothing"),
        ([1, None, 1, 1], "delta"),
        ([1, 2, 1, 1], "delta"),
        ([1, 1, 1, 1, 1], "delta"),
        ([2, None, 1, 1], "delta"),
        ([2, 2, None, None], "delta"),
        ([2, 2, None, 1, 1, 1], "delta"),
        ([2, 2, 2, 2], "delta"),
        ([None, None, None, None, 1], "delta"),
    ],
)
def test_a_delta_leaves_the_new_rows_and_no_others(
    database: Database, counts: list[int | None], strategy: str, unread: bool
) -> None:
    """Also of a table that nobody reads yet but that has rows."""
    table, new = a_table(Crimes, "sales"), with_counts(*counts)
    with database.connect() as connection:
        connection.execute("CREATE TABLE sales (cle text, annee integer, nombre integer, PRIMARY KEY (cle, annee))")
    publish(database, table, crimes(4, 1))
    assert publish(database, table, new, unread=unread) == strategy
    with database.connect() as connection:
        assert published(connection, table).sort("cle").equals(new)


@pytest.mark.parametrize("referenced", [False, True])
def test_an_empty_unread_table_is_filled_before_it_is_indexed(database: Database, referenced: bool) -> None:
    """Frozen: an older snapshot sees the rows. A table that a foreign key points to cannot be, and is filled all the
    same, its indexes in place."""
    table = a_table(Crimes, "sales")
    new, none = crimes(500, 1), crimes(0, 1)
    change = difference(new.lazy(), none.lazy(), table.key)
    with database.connect() as connection, database.connect() as older:
        connection.execute(
            "CREATE TABLE sales (cle text, annee integer, nombre integer, PRIMARY KEY (cle, annee), "
            'CONSTRAINT "Once" UNIQUE (annee, cle) DEFERRABLE);'
            "CREATE INDEX ON sales (nombre) WHERE annee > 2000; CREATE UNIQUE INDEX ON sales (lower(cle))"
        )
        if referenced:
            connection.execute("CREATE TABLE sold (cle text, annee integer, FOREIGN KEY (cle, annee) REFERENCES sales)")
        connection.commit()
        older.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
        older.execute("SELECT 1")
        before = connection.execute(INDEXES).fetchall()
        with connection.transaction(force_rollback=True):
            writing.write(connection, database, table, new.lazy(), change, unread=False)
            assert connection.execute(INDEXES).fetchall() == before
        writing.write(connection, database, table, new.lazy(), change, unread=True)
        after = connection.execute(INDEXES).fetchall()
        assert [index[:-1] for index in after] == [index[:-1] for index in before] and len(before) == 4
        kept = {index[-1] for index in before} & {index[-1] for index in after}
        assert len(kept) == (4 if referenced else 0)
        connection.commit()
        assert connection.execute("SELECT count(*) FROM sales").fetchone() == (500,)
        assert older.execute("SELECT count(*) FROM sales").fetchone() == (0 if referenced else 500,)


def test_a_large_difference_exchanges_the_partition(database: Database, large: Table) -> None:
    with database.connect() as connection:
        oid = connection.execute("SELECT 'crimes'::regclass::oid").fetchone()
        indexes = connection.execute("SELECT count(*) FROM pg_index WHERE indrelid = 'crimes'::regclass").fetchone()
    assert publish(database, large, crimes(20_000, 2)) == "exchange"
    with database.connect() as connection:
        assert connection.execute("SELECT 'crimes'::regclass::oid").fetchone() == oid
        assert connection.execute("SELECT min(nombre), count(*) FROM crimes").fetchone() == (2, 20_000)
        ((current, _),) = [pair for pair in writing.partitions(connection, large).items() if pair[1]]
        own = connection.execute("SELECT count(*) FROM pg_index WHERE indrelid = to_regclass(%s)", [current]).fetchone()
        assert own == indexes == (2,)


def test_an_exchanged_table_is_not_empty_for_an_older_snapshot(database: Database, large: Table) -> None:
    with database.connect() as older:
        older.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
        older.execute("SELECT 1")
        assert publish(database, large, crimes(20_000, 2)) == "exchange"
        assert older.execute("SELECT min(nombre), count(*) FROM crimes").fetchone() == (2, 20_000)


def test_more_than_a_fifth_of_a_large_table_is_an_exchange(database: Database, partitioned: Table) -> None:
    assert publish(database, partitioned, crimes(1, 1)) == "exchange"
    assert publish(database, partitioned, crimes(10, 1)) == "exchange"
    assert publish(database, partitioned, with_counts(*[2] * 2, *[1] * 8)) == "delta"
    assert publish(database, partitioned, with_counts(*[1] * 9, 2)) == "exchange"
    assert publish(database, partitioned, with_counts(*[1] * 9, 2)) == "nothing"


def test_attaching_the_next_partition_builds_no_index(database: Database, partitioned: Table) -> None:
    """Readers wait while it is attached."""
    indexes = "SELECT indexrelid::int FROM pg_index WHERE indrelid = to_regclass(%s) ORDER BY 1"
    new, none = crimes(10, 1), crimes(0, 1)
    change = difference(new.lazy(), none.lazy(), partitioned.key)
    with database.connect() as connection:
        written = writing.write(connection, database, partitioned, new.lazy(), change, unread=False)
        name = written.rows.as_string(connection)
        before = connection.execute(indexes, [name]).fetchall()
        written.publish()
        assert connection.execute(indexes, [name]).fetchall() == before and len(before) == 2


def test_the_next_partition_is_on_disk_before_readers_wait(database: Database, large: Table) -> None:
    """What its own transaction creates, a server with ``wal_level = minimal`` writes to disk when that commits."""
    new = crimes(20_000, 2)
    with database.connect() as connection, database.connect() as other:
        change = difference(new.lazy(), published(connection, large).lazy(), large.key)
        written = writing.write(connection, database, large, new.lazy(), change, unread=False)
        query = sql.SQL("SELECT count(*), min(nombre) FROM {}").format(written.rows)
        assert other.execute(query).fetchone() == (20_000, 2)
        connection.rollback()


def test_a_failed_load_leaves_no_next_partition(database: Database, large: Table) -> None:
    new = crimes(20_000, 2)
    with (
        pytest.raises(ZeroDivisionError),
        writing.swept_after_failure(database, large),
        database.connect() as connection,
    ):
        change = difference(new.lazy(), published(connection, large).lazy(), large.key)
        writing.write(connection, database, large, new.lazy(), change, unread=False).publish()
        raise ZeroDivisionError
    with database.connect() as connection:
        assert list(writing.partitions(connection, large).values()) == [True]
        assert connection.execute("SELECT min(nombre), count(*) FROM crimes").fetchone() == (1, 20_000)


def test_another_load_keeps_its_next_partition(database: Database, large: Table) -> None:
    new = crimes(20_000, 2)
    with database.connect() as connection:
        locks.table_loading(connection, database.schema, large.name)
        change = difference(new.lazy(), published(connection, large).lazy(), large.key)
        written = writing.write(connection, database, large, new.lazy(), change, unread=False)
        with pytest.raises(ZeroDivisionError), writing.swept_after_failure(database, large):
            raise ZeroDivisionError
        written.publish()
    with database.connect() as connection:
        assert connection.execute("SELECT min(nombre), count(*) FROM crimes").fetchone() == (2, 20_000)


def test_a_small_difference_of_a_large_table_is_a_delta(database: Database, large: Table) -> None:
    new = crimes(20_000, 1).with_columns(
        nombre=pl.when(pl.col("cle") == "7").then(9).otherwise("nombre").cast(pl.Int32)
    )
    assert publish(database, large, new) == "delta"


def test_what_exchanges_leave_is_swept_at_the_next(database: Database, large: Table) -> None:
    for nombre in (2, 3, 4):
        publish(database, large, crimes(20_000, nombre))
    with database.connect() as connection:
        assert len(writing.partitions(connection, large)) == 2
        writing.sweep(connection, large)
        assert list(writing.partitions(connection, large).values()) == [True]


def test_a_reader_sees_old_or_new_and_hardly_waits(database: Database, large: Table) -> None:
    """If the lock were held while rows are written, the longest wait would be as long as the load."""
    seen: set[tuple[object, ...]] = set()
    waits: list[float] = []
    loads: list[float] = []
    stop = threading.Event()

    def read() -> None:
        with database.connect() as connection:
            connection.autocommit = True
            while not stop.is_set():
                begin = time.perf_counter()
                row = connection.execute(
                    "SELECT nombre, (SELECT nombre FROM crimes WHERE cle = '7') FROM crimes LIMIT 1"
                )
                seen.add(row.fetchall()[0])
                waits.append(time.perf_counter() - begin)
                time.sleep(0.002)

    reader = threading.Thread(target=read)
    reader.start()
    try:
        for nombre in (2, 3):
            begin = time.perf_counter()
            assert publish(database, large, crimes(200_000, nombre)) == "exchange"
            loads.append(time.perf_counter() - begin)
            awaited(partial(contains, seen, (nombre, nombre)), f"the reader to see {nombre}")
    finally:
        stop.set()
        reader.join()
    assert seen == {(n, n) for n in (1, 2, 3)}
    assert max(waits) < min(loads) / 2, f"the reader waited {max(waits):.3f} s, the loads took {loads}"


def test_an_exchange_behind_a_long_reader_gives_way(
    database: Database, large: Table, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writing, "LOCK_TRIES", 2)
    with database.connect() as reader:
        reader.execute("SELECT count(*) FROM crimes")
        with pytest.raises(TableBusy, match="expected to get its lock within 2 tries"):
            publish(database, large, crimes(20_000, 2))
    with database.connect() as connection:
        assert connection.execute("SELECT min(nombre) FROM crimes").fetchone() == (1,)


def test_a_killed_load_leaves_the_old_rows(database: Database, large: Table) -> None:
    with pytest.raises(DatabaseUnreachable), database.connect() as connection:
        writing.sweep(connection, large)
        frame = crimes(20_000, 2)
        rows = connection.execute("SELECT * FROM crimes").fetchall()
        old = pl.DataFrame(rows, schema=frame.schema, orient="row")
        change = difference(frame.lazy(), old.lazy(), large.key)
        writing.write(connection, database, large, frame.lazy(), change, unread=False).publish()
        with database.connect() as other:
            other.execute("SELECT pg_terminate_backend(%s)", [connection.info.backend_pid])
        connection.execute("SELECT 1")
    with database.connect() as connection:
        assert connection.execute("SELECT min(nombre), count(*) FROM crimes").fetchone() == (1, 20_000)
    assert publish(database, large, crimes(20_000, 3)) == "exchange"
