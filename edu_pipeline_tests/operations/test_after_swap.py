"""After a swap: what follows the schemas (rights, functions, the ledger), and what is never lost."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any, LiteralString

import psycopg
import pytest
from psycopg import sql

from edu_pipeline.database import rights
from edu_pipeline.database.cluster import Cluster
from edu_pipeline.database.connection import Database
from edu_pipeline.database.migrate import migrate, start_over
from edu_pipeline.database.views import views
from edu_pipeline.errors import ColumnMissing, NoPrevious, SchemaInUse
from edu_pipeline.monitoring.status import table_status
from edu_pipeline.operations import swap
from edu_pipeline_tests.operations.generations import (
    COMMUNES,
    LIVE,
    LOADED,
    WHOLE,
    build,
    content,
    publish,
    rebuild,
    schemas,
    whole,
)
from edu_pipeline_tests.stand_in import SALES_HEADER, StandIn, sale

Step = Callable[[], object]


def by_hand(database: Database, statement: LiteralString) -> list[tuple[Any, ...]]:
    """Run a statement as a person at psql, whose search_path leads to none of our schemas; the rows that it returns."""
    with psycopg.connect(database.url, autocommit=True, options="-csearch_path=public") as connection:
        cursor = connection.execute(statement)
        return cursor.fetchall() if cursor.description else []


@pytest.fixture
def reader_role(cluster: Cluster) -> Iterator[str]:
    """A role of this test's own."""
    name = f"reader_{uuid.uuid4().hex[:8]}"
    with psycopg.connect(cluster.url("postgres"), autocommit=True) as connection:
        connection.execute(sql.SQL("CREATE ROLE {}").format(sql.Identifier(name)))
    yield name
    with psycopg.connect(cluster.url("postgres"), autocommit=True) as connection:
        connection.execute(sql.SQL("DROP ROLE {}").format(sql.Identifier(name)))


def rights_and_comments(database: Database, schema: str) -> tuple[object, ...]:
    """Rights and comments of a schema, without its name."""
    comments = (
        "SELECT relname, objsubid, description FROM pg_description JOIN pg_class ON objoid = pg_class.oid "
        "WHERE classoid = 'pg_class'::regclass AND relnamespace = %(schema)s::regnamespace UNION ALL "
        "SELECT '', 0, obj_description(%(schema)s::regnamespace) ORDER BY 1, 2"
    )
    with database.connect() as connection:
        grants = {(item.kind, item.label): (item.owner, item.grants) for item in rights.objects(connection, schema)}
        described = connection.execute(comments, {"schema": schema}).fetchall()
        return grants, rights.defaults(connection, schema), described


def test_rights_and_comments_follow_swap_and_rollback(live: StandIn, reader_role: str) -> None:
    name = sql.Identifier(reader_role)
    with psycopg.connect(live.database.url, autocommit=True) as connection:
        for statement in (
            "GRANT USAGE ON SCHEMA educational_data TO {}",
            "GRANT SELECT ON ALL TABLES IN SCHEMA educational_data TO {}",
            "GRANT EXECUTE ON ALL ROUTINES IN SCHEMA educational_data TO {} WITH GRANT OPTION",
            "REVOKE ALL ON ALL ROUTINES IN SCHEMA educational_data FROM PUBLIC",
            "ALTER DEFAULT PRIVILEGES IN SCHEMA educational_data GRANT SELECT ON TABLES TO {}",
            "ALTER TABLE educational_data.ips_score OWNER TO {}",
            "COMMENT ON SCHEMA educational_data IS 'Ours.'",
        ):
            connection.execute(sql.SQL(statement).format(name))
    try:
        before = rights_and_comments(live.database, LIVE)
        steps: list[Step] = [
            lambda: rebuild(live, 2),
            lambda: swap.roll_back(live.database),
            lambda: rebuild(live, 3),
        ]
        for step in steps:
            step()
            assert rights_and_comments(live.database, LIVE) == before
            with psycopg.connect(live.database.url, options=f"-csearch_path={LIVE}") as reader:
                reader.execute(sql.SQL("SET ROLE {}").format(name))
                assert (reader.execute(WHOLE).fetchone() or (0,))[0] == COMMUNES
    finally:
        with psycopg.connect(live.database.url, autocommit=True) as connection:
            connection.execute(sql.SQL("DROP OWNED BY {} CASCADE").format(name))


def newest_release(live: StandIn) -> str:
    """The newest release of the sales in the archive."""
    release = live.archive.newest("dvf-indicateurs-communes")
    assert release is not None
    return release.id


def check_reports(live: StandIn, release: str) -> None:
    """Check that the functions, the status and the ledger all report this release of the sales as the live one."""
    freshness: LiteralString = (
        "SELECT row_count, releases ->> 'dvf-indicateurs-communes' FROM educational_data.check_data_freshness() "
        "WHERE table_name = 'mutations_immo_latest'"
    )
    assert by_hand(live.database, freshness) == [(COMMUNES, release)]
    statuses = {status.table: status for status in table_status(live.database, live.archive)}
    status = statuses["mutations_immo_latest"]
    assert (status.rows, status.releases["dvf-indicateurs-communes"]) == (COMMUNES, release)
    assert migrate(live.database) == []
    recorded: LiteralString = (
        "SELECT count(*) FROM edu_pipeline.loads "
        "WHERE target_schema = 'educational_data' AND code_version = 'refresh_all_caches'"
    )
    ((before,),) = live.rows(recorded)
    refreshed = by_hand(live.database, "SELECT view_name, rows FROM educational_data.refresh_all_caches()")
    assert len(refreshed) == len(views()) and live.rows(recorded) == [(before + len(views()),)]


def test_functions_and_ledger_follow_swap_and_rollback(live: StandIn) -> None:
    first = newest_release(live)
    check_reports(live, first)
    rebuild(live, 2)
    second = newest_release(live)
    check_reports(live, second)
    assert live.load(*LOADED).skipped
    swap.roll_back(live.database)
    check_reports(live, first)
    swap.roll_back(live.database)
    check_reports(live, second)


def test_a_schema_inherits_nothing_of_a_dropped_one(live: StandIn) -> None:
    """A load into a schema that was dropped later is newer than the loads of its successor, and not of its rows."""
    rebuild(live, 2)
    upcoming = build(live, 3)
    publish(live, 9)
    live.load("mutations_immo_latest")
    swap.swap(upcoming)
    swap.drop_previous(live.database)
    rebuild(live, 4)
    swap.roll_back(live.database)
    loads = (
        "SELECT count(*) FROM edu_pipeline.loads "
        "WHERE target_schema = 'educational_data' AND table_name = 'mutations_immo_latest'"
    )
    assert live.rows(loads) == [(1,)] and live.rows(WHOLE) == [whole(3)]


def test_analytics_survives_whatever_happens(live: StandIn) -> None:
    by_hand(live.database, "INSERT INTO analytics.nl_query_log (user_query) VALUES ('Quels lycées ?'), ('Où ?')")
    by_hand(live.database, "INSERT INTO analytics.user_feedback (mood, message) VALUES ('good', 'Merci')")
    rows: LiteralString = (
        "SELECT id, user_query, created_at FROM analytics.nl_query_log UNION ALL "
        "SELECT id, message, created_at FROM analytics.user_feedback ORDER BY 2"
    )
    before = live.rows(rows)
    assert len(before) == 3
    steps: list[Step] = [
        lambda: rebuild(live, 2),
        lambda: swap.roll_back(live.database),
        lambda: start_over(live.database),
        lambda: swap.drop_previous(live.database),
        lambda: by_hand(live.database, "DROP SCHEMA educational_data CASCADE"),
        lambda: rebuild(live, 3),
    ]
    for step in steps:
        step()
        assert by_hand(live.database, rows) == before
    assert live.rows(WHOLE) == [whole(3)]


def test_a_previous_schema_dropped_by_hand(live: StandIn) -> None:
    rebuild(live, 2)
    by_hand(live.database, "DROP SCHEMA educational_data__previous CASCADE")
    with pytest.raises(NoPrevious, match=r"edu-pipeline rebuild --as-of DAY"):
        swap.roll_back(live.database)
    with pytest.raises(NoPrevious):
        swap.drop_previous(live.database)
    rebuild(live, 3)
    assert live.rows(WHOLE) == [whole(3)]


def test_a_dependent_view_is_reported_and_never_dropped(live: StandIn) -> None:
    """On the live schema: the swap succeeds and names it. On the previous schema: that cannot be dropped."""
    by_hand(live.database, "CREATE VIEW public.dear AS SELECT * FROM educational_data.mutations_immo_latest")
    assert rebuild(live, 2) == ["public.dear"]
    before = content(live)
    refusals: list[Step] = [
        lambda: swap.prepare(live.database.next),
        lambda: swap.drop_previous(live.database),
    ]
    for refused in refusals:
        with pytest.raises(SchemaInUse, match=r"educational_data__previous: .*public\.dear.*CREATE OR REPLACE VIEW"):
            refused()
    assert content(live) == before and schemas(live.database) == ["", "__previous"]
    assert live.rows("SELECT DISTINCT nb_mutations FROM public.dear") == [(1,)]
    by_hand(live.database, "CREATE OR REPLACE VIEW public.dear AS SELECT * FROM educational_data.mutations_immo_latest")
    assert rebuild(live, 3) == ["public.dear"]


def test_a_table_of_the_operators_own_is_never_dropped(live: StandIn) -> None:
    by_hand(live.database, "CREATE TABLE educational_data.my_notes AS SELECT 'mine' AS note")
    rebuild(live, 2)
    refusals: list[Step] = [lambda: swap.drop_previous(live.database), lambda: rebuild(live, 3)]
    for refused in refusals:
        with pytest.raises(SchemaInUse, match=r"found my_notes\. Move it to a schema of your own"):
            refused()
    by_hand(live.database, "ALTER TABLE educational_data__previous.my_notes SET SCHEMA public")
    rebuild(live, 3)
    swap.drop_previous(live.database)
    assert live.rows("SELECT note FROM public.my_notes") == [("mine",)]


def test_a_schema_that_was_never_filled_is_not_kept(live: StandIn) -> None:
    """A rollback to it would show the readers empty tables; the one that was live before it stays the previous one."""
    rebuild(live, 2)
    start_over(live.database)
    rebuild(live, 3)
    assert live.rows(WHOLE) == [whole(3)]
    swap.roll_back(live.database)
    assert live.rows(WHOLE) == [whole(1)]


def test_a_failed_load_leaves_the_live_schema_alone(live: StandIn) -> None:
    before = content(live)
    upcoming = live.database.next
    swap.prepare(upcoming)
    live.put_sales([sale("01001")], header=SALES_HEADER.replace("nb_mutations", "autre"))
    with pytest.raises(ColumnMissing):
        replace(live, database=upcoming).load(*LOADED)
    assert content(live) == before
