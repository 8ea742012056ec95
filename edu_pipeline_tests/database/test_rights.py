"""Copying rights: a schema built beside the live one has what the live one has, whoever set it there and how."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from typing import LiteralString

import psycopg
import pytest
from psycopg import sql
from psycopg.conninfo import make_conninfo

from edu_pipeline.database import rights
from edu_pipeline.database.cluster import Cluster
from edu_pipeline.database.connection import Connection, Database
from edu_pipeline.database.rights import Default, Grant, Object, copy_rights, defaults, objects
from edu_pipeline.errors import PrivilegeMissing

LIVE, BUILT = 'Live "a', 'Live "a__next'
"""Names that work only where they are quoted."""

EVERYTHING = """
    CREATE TABLE plain (id serial PRIMARY KEY, number bigint GENERATED ALWAYS AS IDENTITY, "Quoted, name" text);
    CREATE TABLE parted (annee int) PARTITION BY LIST (annee);
    CREATE TABLE {partition} PARTITION OF parted DEFAULT;
    CREATE VIEW seen AS SELECT * FROM plain;
    CREATE MATERIALIZED VIEW cached AS SELECT * FROM plain;
    CREATE SEQUENCE counter;
    CREATE FUNCTION once(a int, b text) RETURNS int LANGUAGE sql AS 'SELECT 1';
    CREATE FUNCTION once(a plain, VARIADIC b plain[]) RETURNS int LANGUAGE sql AS 'SELECT 2';
    CREATE FUNCTION shown() RETURNS TABLE (x int) LANGUAGE sql AS 'SELECT 3';
    CREATE PROCEDURE done() LANGUAGE sql AS 'SELECT 4';
    CREATE AGGREGATE total(int) (sfunc = int4pl, stype = int);
"""


@dataclass(frozen=True)
class Names:
    """Roles of this test's own."""

    owner: str
    other: str
    alice: str
    bob: str


@pytest.fixture
def names(cluster: Cluster) -> Iterator[Names]:
    tag = uuid.uuid4().hex[:8]
    found = Names(f"Owner {tag}", f"other_{tag}", f"alice_{tag}", f"bob_{tag}")
    listed = [found.owner, found.other, found.alice, found.bob]
    with psycopg.connect(cluster.url("postgres"), autocommit=True) as connection:
        for name in listed:
            connection.execute(sql.SQL("CREATE ROLE {} LOGIN PASSWORD 'secret'").format(sql.Identifier(name)))
        yield found
        for name in listed:
            connection.execute(sql.SQL("DROP ROLE {}").format(sql.Identifier(name)))


@pytest.fixture
def connection(names: Names, empty_database: Database) -> Iterator[Connection]:
    """A superuser's transaction, rolled back at the end, with everything in both schemas and no right set."""
    with empty_database.connect() as connection:
        for schema, partition in ((LIVE, "parted__rows_2"), (BUILT, "parted__rows")):
            build(connection, schema, partition)
        yield connection
        connection.rollback()


def build(connection: Connection, schema: str, partition: str) -> None:
    name = sql.Identifier(schema)
    connection.execute(sql.SQL("CREATE SCHEMA {}").format(name))
    connection.execute(sql.SQL("SET LOCAL search_path TO {}").format(name))
    connection.execute(sql.SQL(EVERYTHING).format(partition=sql.Identifier(partition)))


def run(connection: Connection, schema: str, names: Names, *statements: LiteralString) -> None:
    """Execute statements in which {owner}, {alice}... are roles and {schema} is the schema that is first."""
    roles = {name: sql.Identifier(getattr(names, name)) for name in Names.__dataclass_fields__}
    connection.execute(sql.SQL("SET LOCAL search_path TO {}").format(sql.Identifier(schema)))
    for statement in statements:
        connection.execute(sql.SQL(statement).format(schema=sql.Identifier(schema), **roles))


def held(connection: Connection, schema: str) -> dict[tuple[str, str], tuple[str, frozenset[Grant]]]:
    return {(found.kind, found.label): (found.owner, found.grants) for found in objects(connection, schema)}


def one(connection: Connection, schema: str, kind: str, label: str) -> Object:
    (found,) = [found for found in objects(connection, schema) if (found.kind, found.label) == (kind, label)]
    return found


def set_by_hand(connection: Connection, names: Names) -> None:
    """What an operator may have done to a live schema over the years."""
    run(
        connection,
        LIVE,
        names,
        "ALTER SCHEMA {schema} OWNER TO {owner}",
        "ALTER TABLE plain OWNER TO {owner}",
        "ALTER TABLE parted OWNER TO {other}",
        "ALTER TABLE parted__rows_2 OWNER TO {other}",
        "ALTER VIEW seen OWNER TO {owner}",
        "ALTER MATERIALIZED VIEW cached OWNER TO {owner}",
        "ALTER SEQUENCE counter OWNER TO {owner}",
        "ALTER FUNCTION once(int, text) OWNER TO {owner}",
        "ALTER FUNCTION once(plain, plain[]) OWNER TO {other}",
        "ALTER PROCEDURE done() OWNER TO {owner}",
        "ALTER AGGREGATE total(int) OWNER TO {owner}",
        "GRANT USAGE ON SCHEMA {schema} TO {alice}, {bob}",
        "GRANT CREATE ON SCHEMA {schema} TO {bob} WITH GRANT OPTION",
        "GRANT ALL ON plain TO {alice}",
        "GRANT SELECT ON plain TO {bob} WITH GRANT OPTION",
        "GRANT SELECT ON seen TO PUBLIC",
        "GRANT SELECT ON cached, parted TO {alice}",
        'GRANT SELECT ("Quoted, name"), UPDATE (id) ON plain TO {other} WITH GRANT OPTION',
        "GRANT USAGE ON SEQUENCE counter, plain_id_seq TO {alice}",
        "REVOKE ALL ON FUNCTION once(int, text) FROM PUBLIC",
        "GRANT EXECUTE ON FUNCTION once(int, text) TO {alice}",
        "REVOKE ALL ON PROCEDURE done() FROM PUBLIC, {owner}",
        "REVOKE ALL ON FUNCTION total(int) FROM PUBLIC",
        "REVOKE TRUNCATE ON plain FROM {owner}",
        "ALTER DEFAULT PRIVILEGES FOR ROLE {owner} IN SCHEMA {schema} GRANT SELECT ON TABLES TO {alice}",
        "ALTER DEFAULT PRIVILEGES FOR ROLE {owner} IN SCHEMA {schema} GRANT USAGE ON SEQUENCES TO {bob} "
        "WITH GRANT OPTION",
        "ALTER DEFAULT PRIVILEGES FOR ROLE {owner} IN SCHEMA {schema} GRANT ALL ON ROUTINES TO {bob}",
        "ALTER DEFAULT PRIVILEGES FOR ROLE {other} IN SCHEMA {schema} GRANT USAGE ON TYPES TO {alice}",
        "COMMENT ON SCHEMA {schema} IS 'ask Alice''s team'",
        "SET LOCAL ROLE {bob}",  # granted by one who was granted it
        "GRANT SELECT ON plain TO {other}",
        "RESET ROLE",
    )


def test_everything_is_as_in_the_live_schema(connection: Connection, names: Names) -> None:
    set_by_hand(connection, names)
    live = held(connection, LIVE)
    assert len(live) == 14
    assert held(connection, BUILT).keys() == live.keys()
    copy_rights(connection, LIVE, BUILT)
    assert held(connection, BUILT) == live == held(connection, LIVE)
    assert defaults(connection, BUILT) == defaults(connection, LIVE)
    comments = "SELECT obj_description(oid, 'pg_namespace') FROM pg_namespace WHERE nspname = ANY (%s)"
    assert connection.execute(comments, [[LIVE, BUILT]]).fetchall() == [("ask Alice's team",)] * 2


def test_a_right_too_many_is_taken_away(connection: Connection, names: Names) -> None:
    set_by_hand(connection, names)
    run(connection, LIVE, names, "GRANT SELECT ON seen TO {bob} WITH GRANT OPTION")
    run(
        connection,
        BUILT,
        names,
        "GRANT ALL ON SCHEMA {schema} TO PUBLIC",
        "GRANT SELECT ON plain, parted TO {bob} WITH GRANT OPTION",
        "GRANT UPDATE (number) ON plain TO {bob}",
        "GRANT ALL ON SEQUENCE counter TO PUBLIC",
        "ALTER DEFAULT PRIVILEGES FOR ROLE {owner} IN SCHEMA {schema} GRANT DELETE ON TABLES TO {bob}",
        "SET LOCAL ROLE {bob}",
        "GRANT SELECT ON plain, parted TO {alice}, {other}",
        "RESET ROLE",
        "GRANT SELECT ON seen TO {bob} WITH GRANT OPTION",
        "SET LOCAL ROLE {bob}",
        "GRANT SELECT ON seen TO {alice}",
        "RESET ROLE",
    )
    copy_rights(connection, LIVE, BUILT)
    assert held(connection, BUILT) == held(connection, LIVE)
    assert defaults(connection, BUILT) == defaults(connection, LIVE)


def test_the_second_time_nothing_is_run(connection: Connection, names: Names, monkeypatch: pytest.MonkeyPatch) -> None:
    set_by_hand(connection, names)
    copy_rights(connection, LIVE, BUILT)
    monkeypatch.setattr(rights, "run", None)
    copy_rights(connection, LIVE, BUILT)


def test_what_is_new_is_as_if_created_in_the_live_schema(connection: Connection, names: Names) -> None:
    set_by_hand(connection, names)
    run(
        connection,
        BUILT,
        names,
        "CREATE TABLE fresh (id serial)",
        "CREATE FUNCTION fresh() RETURNS int LANGUAGE sql AS 'SELECT 1'",
        "COMMENT ON SCHEMA {schema} IS 'its own'",
    )
    copy_rights(connection, LIVE, BUILT)
    table, sequence, function = (
        one(connection, BUILT, kind, label)
        for kind, label in (("table", "fresh"), ("sequence", "fresh_id_seq"), ("routine", "fresh{}"))
    )
    assert {table.owner, sequence.owner, function.owner} == {names.owner}
    assert {held for held in table.grants if held.grantee != names.owner} == {Grant("SELECT", names.alice)}
    usable = {held for held in sequence.grants if held.grantee != names.owner}
    assert usable == {Grant("USAGE", names.bob, grantable=True)}
    assert {held.grantee for held in function.grants} == {names.owner, names.bob, None}
    comment = "SELECT obj_description(oid, 'pg_namespace') FROM pg_namespace WHERE nspname = %s"
    assert connection.execute(comment, [BUILT]).fetchone() == ("its own",)


def test_what_only_the_live_schema_has_is_passed_over(connection: Connection, names: Names) -> None:
    set_by_hand(connection, names)
    run(connection, BUILT, names, 'ALTER TABLE plain DROP COLUMN "Quoted, name" CASCADE', "DROP SEQUENCE counter")
    copy_rights(connection, LIVE, BUILT)
    copied = one(connection, BUILT, "table", "plain").grants
    assert {held for held in copied if held.column} == {Grant("UPDATE", names.other, "id", grantable=True)}
    assert Grant("SELECT", names.bob, None, grantable=True) in copied


def test_without_a_live_schema_there_is_nothing_to_copy(connection: Connection) -> None:
    before = held(connection, BUILT)
    copy_rights(connection, "not there", BUILT)
    assert held(connection, BUILT) == before


def test_extensions_are_left_alone(connection: Connection) -> None:
    connection.execute("CREATE SCHEMA home; CREATE EXTENSION postgis SCHEMA home")
    assert [found.kind for found in objects(connection, "home")] == ["schema"]


def test_the_live_schema_is_not_locked(names: Names, empty_database: Database) -> None:
    with empty_database.connect() as connection:
        build(connection, LIVE, "parted__rows_2")
        set_by_hand(connection, names)
    with empty_database.connect() as connection, psycopg.connect(empty_database.url) as other:
        other.execute(sql.SQL("LOCK TABLE {} IN ACCESS EXCLUSIVE MODE").format(sql.Identifier(LIVE, "plain")))
        build(connection, BUILT, "parted__rows")
        connection.execute("SET LOCAL lock_timeout = '100ms'")
        copy_rights(connection, LIVE, BUILT)
        assert held(connection, BUILT) == held(connection, LIVE)


def test_who_may_not_is_told_the_statement(names: Names, empty_database: Database) -> None:
    with empty_database.connect() as connection:
        for schema in (LIVE, BUILT):
            build(connection, schema, "parted__rows")
            run(connection, schema, names, "GRANT USAGE ON SCHEMA {schema} TO {alice}")
        run(connection, LIVE, names, "ALTER TABLE plain OWNER TO {owner}", "GRANT SELECT ON seen TO {bob}")
        run(connection, BUILT, names, "GRANT SELECT ON plain TO {alice}", "GRANT SELECT ON seen TO {alice}")
    theirs = Database(make_conninfo(empty_database.url, user=names.alice, password="secret"), BUILT)
    with pytest.raises(PrivilegeMissing) as found, theirs.connect() as connection:
        copy_rights(connection, LIVE, BUILT)
    assert "must be owner of table plain" in found.value.problem
    assert f'ALTER TABLE "Live ""a__next".plain OWNER TO "{names.owner}"' in found.value.remedy
    with pytest.raises(PrivilegeMissing, match="no privileges were granted"), theirs.connect() as connection:
        rights.grant(connection, one(connection, BUILT, "table", "seen"), [Grant("SELECT", names.bob)])


def test_default_privileges_of_a_role_that_we_are_not(connection: Connection, names: Names) -> None:
    run(connection, LIVE, names, "ALTER DEFAULT PRIVILEGES IN SCHEMA {schema} GRANT SELECT ON TABLES TO {bob}")
    assert defaults(connection, LIVE) == {Default("edu", "TABLES", Grant("SELECT", names.bob))}
    for schema in (LIVE, BUILT):
        for found in objects(connection, schema):
            rights.set_owner(connection, found, names.owner)
    run(connection, LIVE, names, "SET LOCAL ROLE {owner}")
    with pytest.raises(PrivilegeMissing, match="ALTER DEFAULT PRIVILEGES FOR ROLE"):
        copy_rights(connection, LIVE, BUILT)
