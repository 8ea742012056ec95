"""Publishing into a real database: what a load writes, and what a reader sees of it."""

from __future__ import annotations

import threading
import time
from datetime import date
from functools import partial
from operator import contains
from pathlib import Path

import polars as pl
import psycopg
import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from psycopg import sql

from edu_pipeline import contracts as c
from edu_pipeline.contracts import Contract
from edu_pipeline.database.connection import Database
from edu_pipeline.database.copying import copy_in, copy_out
from edu_pipeline.errors import TableBusy
from edu_pipeline.loading import writing
from edu_pipeline.loading.difference import difference
from edu_pipeline.table import Table
from edu_pipeline_tests.conformed import conform
from edu_pipeline_tests.stand_in import StandIn, sale
from edu_pipeline_tests.waiting import awaited


class Everything(Contract):
    """One column of every kind."""

    cle = c.text("Key.", key=True)
    texte = c.text("Text.")
    entier = c.integer("Integer.")
    decimal = c.numeric("Decimal.")
    reel = c.real("Real.")
    oui = c.boolean("Flag.")
    jour = c.date("Day.")
    liste = c.texts("Texts.")


def everything(rows: list[dict[str, object]]) -> pl.DataFrame:
    return pl.DataFrame(rows, schema={name: column.dtype for name, column in Everything.columns().items()})


def a_table(contract: type[Contract], name: str, large: bool = False) -> Table:
    def transform(x: pl.LazyFrame) -> pl.LazyFrame:
        return x

    transform.__name__ = name
    return Table(contract, transform, {}, (), None, 0.01, 0.02, 0.8, large)


def create(connection: psycopg.Connection[tuple[object, ...]], contract: type[Contract], name: str) -> None:
    columns = [sql.SQL("{} {}").format(sql.Identifier(n), sql.SQL(s.sql)) for n, s in c.specs(contract).items()]
    connection.execute(
        sql.SQL("CREATE TABLE {} ({}, PRIMARY KEY (cle))").format(sql.Identifier(name), sql.SQL(", ").join(columns))
    )


texts = st.text(st.characters(exclude_characters="\0\x1f", exclude_categories=["Cs"]), min_size=1)
row = st.fixed_dictionaries(
    {
        "cle": texts,
        "texte": st.none() | texts,
        "entier": st.none() | st.integers(-(2**31), 2**31 - 1),
        "decimal": st.none() | st.decimals(-999, 999, places=2),
        "reel": st.none() | st.floats(allow_nan=False, allow_infinity=False),
        "oui": st.none() | st.booleans(),
        "jour": st.none() | st.dates(date(1800, 1, 1), date(2200, 1, 1)),
        "liste": st.none() | st.lists(texts, max_size=3),
    }
)


def test_a_transform_may_set_a_row_aside_itself() -> None:
    frame = everything([{"cle": "a"}, {"cle": "b", "entier": 3}]).with_columns(
        refused_because=pl.Series([None, "another one says otherwise"])
    )
    result = conform(frame.lazy(), a_table(Everything, "everything"))
    assert result.frame["cle"].to_list() == ["a"]
    assert result.frame.columns == list(Everything.columns())
    assert result.refused.select("key", "reasons").rows() == [("b", ["another one says otherwise"])]
    assert "refused_because" not in result.refused["row"].item()


@given(rows=st.lists(row, min_size=1, max_size=8, unique_by=lambda row: str(row["cle"])))
@hypothesis_settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_what_goes_in_comes_out_and_differs_in_nothing(
    database: Database, tmp_path_factory: pytest.TempPathFactory, rows: list[dict[str, object]]
) -> None:
    frame = everything(rows)
    with database.connect() as connection:
        create(connection, Everything, "everything")
        assert copy_in(connection, sql.Identifier("everything"), frame.lazy()) == frame.height
        back = copy_out(connection, "everything", Everything, tmp_path_factory.mktemp("scratch"))
        assert back.collect().sort("cle").equals(frame.sort("cle"))
        found = difference(frame.lazy(), back, ["cle"])
        assert (found.size, found.published) == (0, frame.height)
        connection.rollback()


def test_of_another_table_only_the_columns_and_the_latest_rows_are_read_that_are_named(
    database: Database, tmp_path: Path
) -> None:
    days = {"a": date(2024, 1, 1), "b": date(2025, 1, 1), "c": None, "d": date(2025, 1, 1)}
    rows = everything([{"cle": key, "jour": day} for key, day in days.items()])
    with database.connect() as connection:
        create(connection, Everything, "everything")
        copy_in(connection, sql.Identifier("everything"), rows.lazy())
        back = copy_out(connection, "everything", Everything, tmp_path, ["cle", "jour"], "jour").collect()
        assert sorted(back.rows()) == [("b", date(2025, 1, 1)), ("d", date(2025, 1, 1))]
        connection.rollback()


def test_difference_counts_what_was_added_changed_and_removed() -> None:
    old = pl.DataFrame({"k": ["a", "b", "c", "d"], "v": [1, None, 3, None], "l": [["x"], [], None, ["y", "z"]]})
    new = pl.DataFrame({"k": ["a", "b", "c", "e"], "v": [1, None, 4, 5], "l": [["x"], None, None, ["y"]]})
    found = difference(new.lazy(), old.lazy(), ["k"])
    assert (found.added, found.changed, found.removed, found.published) == (1, 2, 1, 4)
    assert sorted(found.fresh.collect()["k"]) == ["b", "c", "e"]
    assert sorted(found.stale.collect()["k"]) == ["b", "c", "d"]


@given(
    old=st.lists(row, max_size=6, unique_by=lambda row: str(row["cle"])),
    new=st.lists(row, max_size=6, unique_by=lambda row: str(row["cle"])),
    kept=st.sets(st.integers(0, 5)),
)
@hypothesis_settings(max_examples=200, deadline=None)
def test_difference_is_that_of_comparing_row_by_row(
    old: list[dict[str, object]], new: list[dict[str, object]], kept: set[int]
) -> None:
    for number in kept & set(range(len(old))):  # rows in common, and rows that share a key only
        if old[number]["cle"] not in {row["cle"] for row in new}:
            new = [*new, old[number] if number % 2 else old[number] | {"texte": "changed", "liste": None}]
    before, after = ({row["cle"]: row for row in everything(rows).to_dicts()} for rows in (old, new))
    found = difference(everything(new).lazy(), everything(old).lazy(), ["cle"])
    assert found.added == len(after.keys() - before.keys())
    assert found.removed == len(before.keys() - after.keys())
    assert found.changed == len([key for key in before.keys() & after.keys() if before[key] != after[key]])
    assert found.published == len(old)


def test_rows_that_differ_by_the_order_of_their_values_differ() -> None:
    old = pl.DataFrame({"k": ["a", "b"], "x": ["1", None], "y": [None, "1"], "z": ["p", "q"], "w": ["q", "p"]})
    new = old.select("k", x="y", y="x", z="w", w="z")
    assert difference(new.lazy(), old.lazy(), ["k"]).changed == 2


def test_only_the_difference_is_written(stand_in: StandIn) -> None:
    codes = stand_in.put_communes(40)
    stand_in.load_communes()
    stand_in.put_sales([sale(code) for code in codes])
    stand_in.load("mutations_immo_latest")
    written = "SELECT code_commune, xmin::text FROM mutations_immo_latest"
    before = dict(stand_in.rows(written))
    stand_in.put_sales([*(sale(code) for code in codes[1:-1]), sale(codes[-1], houses=7), sale("75056")])
    done = stand_in.load("mutations_immo_latest").load
    assert (done.added, done.changed, done.removed, done.strategy) == (1, 1, 1, "delta")
    after = dict(stand_in.rows(written))
    assert {code for code in after if before.get(code) != after[code]} == {codes[-1], "75056"}


def test_unchanged_files_are_not_loaded_again(stand_in: StandIn) -> None:
    codes = stand_in.put_communes()
    stand_in.load_communes()
    stand_in.put_sales([sale(code) for code in codes])
    assert not stand_in.load("mutations_immo_latest").skipped
    loads = stand_in.rows("SELECT count(*) FROM edu_pipeline.loads")
    stand_in.put_sales([sale(code) for code in codes])
    assert stand_in.load("mutations_immo_latest").skipped
    assert stand_in.rows("SELECT count(*) FROM edu_pipeline.loads") == loads


def test_a_forced_load_mends_a_table_that_has_drifted(stand_in: StandIn) -> None:
    codes = stand_in.put_communes()
    stand_in.load_communes()
    stand_in.put_sales([sale(code) for code in codes])
    stand_in.load("mutations_immo_latest")
    with stand_in.database.connect() as connection:
        connection.execute("UPDATE mutations_immo_latest SET prix_moyen = 1 WHERE code_commune = '01001'")
        connection.execute("DELETE FROM mutations_immo_latest WHERE code_commune = '01002'")
    done = stand_in.load("mutations_immo_latest", force=True).load
    assert (done.added, done.changed, done.removed) == (1, 1, 0)


class Crimes(Contract):
    """A large table."""

    cle = c.text("Key.", key=True)
    annee = c.integer("Year.", key=True)
    nombre = c.integer("Count.")


def crimes(count: int, nombre: int) -> pl.DataFrame:
    return pl.DataFrame(
        {"cle": [str(number) for number in range(count)], "annee": [2024] * count, "nombre": [nombre] * count},
        schema_overrides={"annee": pl.Int32, "nombre": pl.Int32},
    )


@pytest.fixture
def large(database: Database) -> Table:
    """A partitioned table with 20,000 rows and two indexes."""
    table = a_table(Crimes, "crimes", large=True)
    with database.connect() as connection:
        connection.execute(
            "CREATE TABLE crimes (cle text, annee integer, nombre integer, PRIMARY KEY (cle, annee)) "
            "PARTITION BY LIST (annee);"
            "CREATE INDEX ON crimes (nombre); CREATE TABLE crimes__rows PARTITION OF crimes DEFAULT"
        )
    publish(database, table, crimes(20_000, 1))
    return table


def publish(database: Database, table: Table, new: pl.DataFrame) -> str:
    with database.connect() as connection:
        writing.sweep(connection, table)
        rows = connection.execute(sql.SQL("SELECT * FROM {}").format(sql.Identifier(table.name))).fetchall()
        old = pl.DataFrame(rows, schema=new.schema, orient="row")
        written = writing.write(
            connection, table, new.lazy(), difference(new.lazy(), old.lazy(), table.key), unread=False
        )
        written.publish()
        return written.strategy


INDEXES = (
    "SELECT pg_get_indexdef(indexrelid), indisprimary, indisvalid, pg_get_constraintdef(c.oid), indexrelid::int "
    "FROM pg_index LEFT JOIN pg_constraint AS c ON conindid = indexrelid AND contype IN ('p', 'u') "
    "WHERE indrelid = 'sales'::regclass ORDER BY 1"
)


@pytest.mark.parametrize("referenced", [False, True])
def test_an_empty_table_that_nobody_reads_is_filled_frozen_and_indexed_then(
    database: Database, referenced: bool
) -> None:
    """Frozen: an older snapshot sees the rows. A table that a foreign key points to cannot be, and is filled all the
    same, its indexes in place."""
    table = a_table(Crimes, "sales")
    new, none = crimes(500, 1), crimes(0, 1)
    found = difference(new.lazy(), none.lazy(), table.key)
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
            writing.write(connection, table, new.lazy(), found, unread=False)
            assert connection.execute(INDEXES).fetchall() == before
        writing.write(connection, table, new.lazy(), found, unread=True)
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


def test_a_reader_sees_old_or_new_and_never_waits_for_an_exchange(database: Database, large: Table) -> None:
    seen: set[tuple[object, ...]] = set()
    waits: list[float] = []
    stop = threading.Event()

    def read() -> None:
        with database.connect() as connection:
            connection.autocommit = True
            while not stop.is_set():
                begin = time.perf_counter()
                found = connection.execute("SELECT min(nombre), max(nombre), count(*) FROM crimes").fetchone()
                waits.append(time.perf_counter() - begin)
                assert found is not None
                seen.add(found)
                time.sleep(0.002)

    reader = threading.Thread(target=read)
    reader.start()
    try:
        for nombre in (2, 3):
            assert publish(database, large, crimes(20_000, nombre)) == "exchange"
            awaited(partial(contains, seen, (nombre, nombre, 20_000)), f"the reader to see {nombre}")
    finally:
        stop.set()
        reader.join()
    assert seen == {(n, n, 20_000) for n in (1, 2, 3)}
    assert len(waits) > 20


def test_an_exchange_behind_a_long_reader_gives_way(
    database: Database, large: Table, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writing, "LOCK_TRIES", 2)
    with database.connect() as reader:
        reader.execute("SELECT count(*) FROM crimes")
        with pytest.raises(TableBusy, match="expected its lock within 2 tries"):
            publish(database, large, crimes(20_000, 2))
    with database.connect() as connection:
        assert connection.execute("SELECT min(nombre) FROM crimes").fetchone() == (1,)


def test_a_killed_load_leaves_the_old_rows(database: Database, large: Table) -> None:
    with pytest.raises(psycopg.OperationalError), database.connect() as connection:
        writing.sweep(connection, large)
        frame = crimes(20_000, 2)
        rows = connection.execute("SELECT * FROM crimes").fetchall()
        old = pl.DataFrame(rows, schema=frame.schema, orient="row")
        found = difference(frame.lazy(), old.lazy(), large.key)
        writing.write(connection, large, frame.lazy(), found, unread=False).publish()
        with database.connect() as other:
            other.execute("SELECT pg_terminate_backend(%s)", [connection.info.backend_pid])
        connection.execute("SELECT 1")
    with database.connect() as connection:
        assert connection.execute("SELECT min(nombre), count(*) FROM crimes").fetchone() == (1, 20_000)
    assert publish(database, large, crimes(20_000, 3)) == "exchange"


def test_rounding_is_that_of_postgresql(database: Database) -> None:
    values = ["2.675", "-2.675", "0.005", "1.005", "99.995", "12.344"]
    table = a_table(Everything, "everything")
    frame = everything([{"cle": value} for value in values]).with_columns(decimal=pl.col("cle"))
    ours = conform(frame.lazy(), table).frame["decimal"].to_list()
    with database.connect() as connection:
        theirs = [connection.execute("SELECT %s::numeric(5,2)", [value]).fetchone() for value in values]
    assert [(value,) for value in ours] == theirs
