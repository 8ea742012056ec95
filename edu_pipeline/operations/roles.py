"""The roles of the database: groups that the operator puts logins into, and the owner of `analytics`.

Belongs here: which role may do what. Does not belong here: how rights are read and changed (``rights.py``); logins and
their passwords, which are the operator's (``GRANT edu_loader TO <login>``).
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass

import psycopg
from psycopg import sql

from edu_pipeline.database import rights
from edu_pipeline.database.connection import Connection, Database, home_of_postgis
from edu_pipeline.database.rights import Default, Grant, Object
from edu_pipeline.errors import TableBusy
from edu_pipeline.operations.swap import previous_of

LOCK_TIMEOUT = "1s"
"""How long a change of owner may queue for a table, with readers waiting behind it."""

LEDGER = ("loads", "releases", "refused_rows", "migrations")
"""Tables of ``edu_pipeline`` that ``check_data_freshness()`` reads with its caller's rights."""

LINK = "link_analytics_to_users"
"""The function of ``edu_pipeline`` that adds the foreign keys of ``analytics``."""


@dataclass(frozen=True, slots=True)
class Roles:
    """The names of the three groups and of the owner of ``analytics``; none of them can log in.

    Attributes:
        owner: owns the live, the next and the previous schema and ``edu_pipeline``, with everything in them; may create
            schemas.
        loader: for the pipeline's login. In PostgreSQL 15 only the owner of a table can refresh, analyze, attach or
            index it, so the loader is a member of ``owner`` and has its rights; it may also use Dagster's schema.
        reader: for the application's login. May read the tables and views of the live schema, including those that
            are created later, and the ledger. Rights on the two tables of ``analytics``, which the application writes,
            are granted by the operator.
        analytics: owns ``analytics`` with everything in it, and the function that links it to ``user_mgmt.users (id)``,
            which it may reference. Nobody is a member, so the pipeline can neither drop nor empty these tables.
    """

    owner: str = "edu_owner"
    loader: str = "edu_loader"
    reader: str = "edu_reader"
    analytics: str = "edu_analytics"


def create_roles(database: Database, roles: Roles | None = None) -> list[str]:
    """Create the roles that do not exist and grant them the rights that they lack, all or nothing.

    No other role loses a right, except that tables change owner: in ``analytics`` the previous owner keeps its rights,
    elsewhere it needs membership in one of the three roles. Run it again when there is something new to own: a schema
    of Dagster, the application's users, tables that a superuser created.

    Returns:
        What was changed, line by line, or that nothing was; then what the operator should know.

    Raises:
        DatabaseUnreachable: the server does not answer.
        PrivilegeMissing: the login lacks a right; the text has the statement that a superuser should run.
        TableBusy: a table was in use for so long that its owner could not be changed.
    """
    roles = roles or Roles()
    with database.connect() as connection:
        connection.execute("SET ROLE NONE")  # the login itself, whatever role the connection has taken
        connection.execute(sql.SQL("SET lock_timeout = {}").format(sql.Literal(LOCK_TIMEOUT)))
        try:
            changes = list(_change(connection, database, roles))
        except psycopg.errors.LockNotAvailable as error:
            raise TableBusy(
                database.place,
                f"expected the lock of every table within {LOCK_TIMEOUT}, found: {str(error).strip()}.",
                "Nothing was changed. End the long transaction (pg_stat_activity) and try again.",
            ) from error
        concerns = list(_concerns(connection, database.schema, roles))
    return (changes or ["nothing to do: roles and rights are as they should be"]) + concerns


def _change(connection: Connection, database: Database, roles: Roles) -> Iterator[str]:
    """Create and grant what is missing; a line for each change."""
    schema = database.schema
    yield from _create(connection, roles)
    for owned in (schema, database.next.schema, previous_of(schema), "edu_pipeline"):
        yield from _own(connection, owned, roles.owner)
    yield from _own_analytics(connection, roles)
    for privilege in ("CONNECT", "CREATE", "TEMPORARY"):
        yield from _grant_on_database(connection, roles.owner, privilege)
    yield from _reference_users(connection, roles.analytics)
    yield from _use_dagster(connection, roles.loader)
    yield from _grant_on_database(connection, roles.reader, "CONNECT")
    yield from _read(connection, schema, roles.reader)
    yield from _read_new_tables(connection, schema, roles)
    yield from _read(connection, "edu_pipeline", roles.reader, only=LEDGER)
    home = _postgis(connection)
    if home != "public":
        for role in (roles.owner, roles.reader):
            yield from _grant(connection, home, _schema_of(rights.objects(connection, home)), role, "USAGE")


def _create(connection: Connection, roles: Roles) -> Iterator[str]:
    names = [roles.owner, roles.loader, roles.reader, roles.analytics]
    rows = connection.execute("SELECT rolname FROM pg_roles WHERE rolname = ANY (%s)", [names])
    existing = {str(name) for (name,) in rows}
    missing = [name for name in names if name not in existing]
    if missing:
        create = [sql.SQL("CREATE ROLE {} NOLOGIN").format(sql.Identifier(name)) for name in missing]
        rights.run(connection, sql.SQL("; ").join(create))
        yield f"created {', '.join(missing)}"
    member = connection.execute("SELECT pg_has_role(%s, %s, 'MEMBER')", [roles.loader, roles.owner])
    if member.fetchone() == (False,):
        form = sql.SQL("GRANT {} TO {}")
        rights.run(connection, form.format(sql.Identifier(roles.owner), sql.Identifier(roles.loader)))
        yield f"{roles.loader}: member of {roles.owner}"


def _own(connection: Connection, schema: str, owner: str) -> Iterator[str]:
    """Make ``owner`` the owner of a schema, if it exists, and of everything in it but what is for ``analytics``."""
    others = [item for item in _not_owned(connection, schema, owner) if not item.label.startswith(LINK)]
    yield from _take_over(connection, schema, others, owner)


def _own_analytics(connection: Connection, roles: Roles) -> Iterator[str]:
    """Make the owner of ``analytics`` that, and of the function that adds its foreign keys, which the pipeline calls.

    A previous owner that is the application keeps its rights; the pipeline's own does not.
    """
    others = _not_owned(connection, "analytics", roles.analytics)
    yield from _take_over(connection, "analytics", others, roles.analytics)
    link = [item for item in rights.objects(connection, "edu_pipeline") if item.label.startswith(LINK)]
    yield from _take_over(connection, f"edu_pipeline.{LINK}", link, roles.analytics)
    yield from _grant(connection, LINK, link, roles.owner, "EXECUTE")
    for previous in sorted({item.owner for item in others}):
        is_pipeline = connection.execute("SELECT pg_has_role(%s, %s, 'MEMBER')", [previous, roles.owner]).fetchone()
        if is_pipeline == (False,):
            owned = [item for item in others if item.owner == previous]
            yield from _keep_rights(connection, owned, previous, roles.analytics)


def _not_owned(connection: Connection, schema: str, owner: str) -> list[Object]:
    return [item for item in rights.objects(connection, schema) if item.owner != owner]


def _take_over(connection: Connection, what: str, objects: list[Object], owner: str) -> Iterator[str]:
    previous_owners = ", ".join(sorted({item.owner for item in objects} - {owner}))
    changed = [item for item in objects if item.owner != owner and rights.set_owner(connection, item, owner)]
    if changed:
        yield f"{owner}: owns {what}, objects taken over from {previous_owners}: {len(changed)}"


def _keep_rights(connection: Connection, objects: list[Object], previous: str, owner: str) -> Iterator[str]:
    """Grant the previous owner, which may be the application, its rights as owner, unless it has them anyway."""
    if connection.execute("SELECT pg_has_role(%s, %s, 'USAGE')", [previous, owner]).fetchone() == (False,):
        for item in objects:
            rights.grant(connection, item, [grant for grant in item.grants if grant.grantee == previous])
        yield f"{previous}: keeps its rights on what it owned in analytics"


def _grant_on_database(connection: Connection, role: str, privilege: str) -> Iterator[str]:
    name = connection.info.dbname
    may = connection.execute("SELECT has_database_privilege(%s, %s, %s)", [role, name, privilege])
    if may.fetchone() == (False,):
        form = sql.SQL("GRANT {} ON DATABASE {} TO {}")
        rights.run(connection, form.format(sql.SQL(privilege), sql.Identifier(name), sql.Identifier(role)))
        yield f"{role}: {privilege} on the database"


def _reference_users(connection: Connection, owner: str) -> Iterator[str]:
    """Grant what the foreign keys of ``analytics`` need, and no more, if the application has a table of users."""
    objects = rights.objects(connection, "user_mgmt")
    users = [item for item in objects if (item.kind, item.label) == ("table", "users") and "id" in item.columns]
    if users:
        yield from _grant(connection, "user_mgmt", _schema_of(objects), owner, "USAGE")
        yield from _grant(connection, "user_mgmt.users (id)", users, owner, "REFERENCES", column="id")


def _use_dagster(connection: Connection, loader: str) -> Iterator[str]:
    objects = rights.objects(connection, "dagster")
    yield from _grant(connection, "dagster", _schema_of(objects), loader, "USAGE", "CREATE")
    tables = [item for item in objects if item.kind == "table"]
    yield from _grant(connection, "tables of dagster", tables, loader, "SELECT", "INSERT", "UPDATE", "DELETE")
    sequences = [item for item in objects if item.kind == "sequence"]
    yield from _grant(connection, "sequences of dagster", sequences, loader, "USAGE", "SELECT")


def _read(connection: Connection, schema: str, reader: str, only: Collection[str] | None = None) -> Iterator[str]:
    """Let ``reader`` read all tables and views of a schema, or ``only`` some; partitions only through their table."""
    objects = rights.objects(connection, schema)
    yield from _grant(connection, schema, _schema_of(objects), reader, "USAGE")
    tables = [item for item in objects if item.kind == "table" and (only is None or item.label in only)]
    yield from _grant(connection, f"tables and views of {schema}", tables, reader, "SELECT")


def _read_new_tables(connection: Connection, schema: str, roles: Roles) -> Iterator[str]:
    wanted = Default(roles.owner, "TABLES", Grant("SELECT", roles.reader))
    if rights.objects(connection, schema) and wanted not in rights.defaults(connection, schema):
        rights.set_default(connection, schema, wanted)
        yield f"{roles.reader}: SELECT on what {roles.owner} will create in {schema}"


def _grant(
    connection: Connection, what: str, objects: list[Object], role: str, *privileges: str, column: str | None = None
) -> Iterator[str]:
    """Grant ``privileges`` on those ``objects``, called ``what`` in the line, where they are missing."""
    changed = 0
    for item in objects:
        granted = {(grant.privilege, grant.column) for grant in item.grants if grant.grantee == role}
        missing = [Grant(privilege, role, column) for privilege in privileges if (privilege, column) not in granted]
        rights.grant(connection, item, missing)
        changed += bool(missing)
    if changed:
        count = "" if len(objects) == 1 else f" ({changed})"
        yield f"{role}: {', '.join(privileges)} on {what}{count}"


def _schema_of(objects: list[Object]) -> list[Object]:
    return [item for item in objects if item.kind == "schema"]


def _postgis(connection: Connection) -> str:
    """The schema of PostGIS; ``public`` where it is not installed."""
    return next(iter(home_of_postgis(connection)), "public")


def _concerns(connection: Connection, schema: str, roles: Roles) -> Iterator[str]:
    """What is left to do, and what is not as it should be in ``public``, which is not ours to change."""
    if not rights.objects(connection, schema):
        yield f"{schema}: there is no such schema yet; run this again after `edu-pipeline migrate`"
    grants = {
        (grant.privilege, grant.grantee)
        for item in _schema_of(rights.objects(connection, "public"))
        for grant in item.grants
    }
    if ("CREATE", None) in grants:
        yield "public: any role may create objects in it (GRANT CREATE ON SCHEMA public TO PUBLIC); left unchanged"
    if _postgis(connection) == "public":
        for role in (roles.owner, roles.loader, roles.reader):
            may = connection.execute("SELECT has_schema_privilege(%s, 'public', 'USAGE')", [role]).fetchone()
            if may != (True,):
                yield f"public: PostGIS is in it, {role} may not use it (GRANT USAGE ON SCHEMA public); left unchanged"
