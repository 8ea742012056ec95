"""Copying rights: the next schema gets those of the live one, whoever set them there, and how."""

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
"""Names that work only if they are quoted."""

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
    names = Names(f"Owner {tag}", f"other_{tag}", f"alice_{tag}", f"bob_{tag}")
    roles = [names.owner, names.other, names.alice, names.bob]
    with psycopg.connect(cluster.url("postgres"), autocommit=True) as connection:
        for name in roles:
            connection.execute(sql.SQL("CREATE ROLE {} LOGIN PASSWORD 'secret'").format(sql.Identifier(name)))
        yield names
        for name in roles:
            connection.execute(sql.SQL("DROP ROLE {}").format(sql.Identifier(name)))


@pytest.fixture
def connection(names: Names, empty_database: Database) -> Iterator[Connection]:
    """A superuser's transaction, rolled back at the end: all kinds of objects in both schemas, and no right set."""
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
    """Execute statements in which {owner}, {alice}... are roles and {schema} is the schema, first on the path."""
    roles = {name: sql.Identifier(getattr(names, name)) for name in Names.__dataclass_fields__}
    connection.execute(sql.SQL("SET LOCAL search_path TO {}").format(sql.Identifier(schema)))
    for statement in statements:
        connection.execute(sql.SQL(statement).format(schema=sql.Identifier(schema), **roles))


def rights_of(connection: Connection, schema: str) -> dict[tuple[str, str], tuple[str, frozenset[Grant]]]:
    """Kind and label of each object to its owner and grants."""
    return {(item.kind, item.label): (item.owner, item.grants) for item in objects(connection, schema)}


def the_object(connection: Connection, schema: str, kind: str, label: str) -> Object:
    (only,) = [item for item in objects(connection, schema) if (item.kind, item.label) == (kind, label)]
    return only


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


def test_all_rights_are_those_of_the_live_schema(connection: Connection, names: Names) -> None:
    set_by_hand(connection, names)
    live = rights_of(connection, LIVE)
    assert len(live) == 14
    assert rights_of(connection, BUILT).keys() == live.keys()
    copy_rights(connection, LIVE, BUILT)
    assert rights_of(connection, BUILT) == live == rights_of(connection, LIVE)
    assert defaults(connection, BUILT) == defaults(connection, LIVE)
    comments = "SELECT obj_description(oid, 'pg_namespace') FROM pg_namespace WHERE nspname = ANY (%s)"
    assert connection.execute(comments, [[LIVE, BUILT]]).fetchall() == [("ask Alice's team",)] * 2


def test_a_right_too_many_is_revoked(connection: Connection, names: Names) -> None:
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
    assert rights_of(connection, BUILT) == rights_of(connection, LIVE)
    assert defaults(connection, BUILT) == defaults(connection, LIVE)


def test_copying_twice_runs_nothing(connection: Connection, names: Names, monkeypatch: pytest.MonkeyPatch) -> None:
    set_by_hand(connection, names)
    copy_rights(connection, LIVE, BUILT)
    monkeypatch.setattr(rights, "run", None)
    copy_rights(connection, LIVE, BUILT)


def test_new_objects_get_rights_as_if_created_live(connection: Connection, names: Names) -> None:
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
        the_object(connection, BUILT, kind, label)
        for kind, label in (("table", "fresh"), ("sequence", "fresh_id_seq"), ("routine", "fresh{}"))
    )
    assert {table.owner, sequence.owner, function.owner} == {names.owner}
    assert {grant for grant in table.grants if grant.grantee != names.owner} == {Grant("SELECT", names.alice)}
    usable = {grant for grant in sequence.grants if grant.grantee != names.owner}
    assert usable == {Grant("USAGE", names.bob, grantable=True)}
    assert {grant.grantee for grant in function.grants} == {names.owner, names.bob, None}
    comment = "SELECT obj_description(oid, 'pg_namespace') FROM pg_namespace WHERE nspname = %s"
    assert connection.execute(comment, [BUILT]).fetchone() == ("its own",)


def test_objects_of_the_live_schema_alone_are_skipped(connection: Connection, names: Names) -> None:
    set_by_hand(connection, names)
    run(connection, BUILT, names, 'ALTER TABLE plain DROP COLUMN "Quoted, name" CASCADE', "DROP SEQUENCE counter")
    copy_rights(connection, LIVE, BUILT)
    copied = the_object(connection, BUILT, "table", "plain").grants
    assert {grant for grant in copied if grant.column} == {Grant("UPDATE", names.other, "id", grantable=True)}
    assert Grant("SELECT", names.bob, None, grantable=True) in copied


def test_without_a_live_schema_nothing_is_copied(connection: Connection) -> None:
    before = rights_of(connection, BUILT)
    copy_rights(connection, "not there", BUILT)
    assert rights_of(connection, BUILT) == before


def test_extensions_are_left_alone(connection: Connection) -> None:
    connection.execute("CREATE SCHEMA home; CREATE EXTENSION postgis SCHEMA home")
    assert [item.kind for item in objects(connection, "home")] == ["schema"]


def test_the_live_schema_is_not_locked(names: Names, empty_database: Database) -> None:
    with empty_database.connect() as connection:
        build(connection, LIVE, "parted__rows_2")
        set_by_hand(connection, names)
    with empty_database.connect() as connection, psycopg.connect(empty_database.url) as other:
        other.execute(sql.SQL("LOCK TABLE {} IN ACCESS EXCLUSIVE MODE").format(sql.Identifier(LIVE, "plain")))
        build(connection, BUILT, "parted__rows")
        connection.execute("SET LOCAL lock_timeout = '100ms'")
        copy_rights(connection, LIVE, BUILT)
        assert rights_of(connection, BUILT) == rights_of(connection, LIVE)


def test_a_missing_right_names_the_statement(names: Names, empty_database: Database) -> None:
    with empty_database.connect() as connection:
        for schema in (LIVE, BUILT):
            build(connection, schema, "parted__rows")
            run(connection, schema, names, "GRANT USAGE ON SCHEMA {schema} TO {alice}")
        run(connection, LIVE, names, "ALTER TABLE plain OWNER TO {owner}", "GRANT SELECT ON seen TO {bob}")
        run(connection, BUILT, names, "GRANT SELECT ON plain TO {alice}", "GRANT SELECT ON seen TO {alice}")
    theirs = Database(make_conninfo(empty_database.url, user=names.alice, password="secret"), BUILT)
    with pytest.raises(PrivilegeMissing) as caught, theirs.connect() as connection:
        copy_rights(connection, LIVE, BUILT)
    assert "must be owner of table plain" in caught.value.problem
    assert f'ALTER TABLE "Live ""a__next".plain OWNER TO "{names.owner}"' in caught.value.remedy
    with pytest.raises(PrivilegeMissing, match="no privileges were granted"), theirs.connect() as connection:
        rights.grant(connection, the_object(connection, BUILT, "table", "seen"), [Grant("SELECT", names.bob)])


def test_default_privileges_of_another_role(connection: Connection, names: Names) -> None:
    run(connection, LIVE, names, "ALTER DEFAULT PRIVILEGES IN SCHEMA {schema} GRANT SELECT ON TABLES TO {bob}")
    assert defaults(connection, LIVE) == {Default("edu", "TABLES", Grant("SELECT", names.bob))}
    for schema in (LIVE, BUILT):
        for item in objects(connection, schema):
            rights.set_owner(connection, item, names.owner)
    run(connection, LIVE, names, "SET LOCAL ROLE {owner}")
    with pytest.raises(PrivilegeMissing, match="ALTER DEFAULT PRIVILEGES FOR ROLE"):
        copy_rights(connection, LIVE, BUILT)
