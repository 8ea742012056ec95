"""The three roles of the database: groups that the operator's logins are put into.

Belongs here: which role may do what. Does not belong here: how rights are read and changed (``rights.py``), and
logins: they, and their passwords, are the operator's (``GRANT edu_loader TO <login>``).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import psycopg
from psycopg import sql

from edu_pipeline.database import rights
from edu_pipeline.database.connection import Connection, Database
from edu_pipeline.database.rights import Default, Grant, Object
from edu_pipeline.errors import TableBusy

LOCK_TIMEOUT = "1s"
"""How long a change of owner may stand in the queue for a table, and so keep its readers waiting."""

LEDGER = ("loads", "releases", "refused_rows", "migrations")
"""Tables of ``edu_pipeline`` that ``check_data_freshness()`` reads, with the rights of whoever calls it."""


@dataclass(frozen=True, slots=True)
class Roles:
    """The names of the three groups, none of which can log in.

    Attributes:
        owner: owns the target schema, the one that a rebuild makes beside it, the one before, ``analytics`` and
            ``edu_pipeline``, and all that is in them; may create schemas, and refer to ``user_mgmt.users (id)``.
        loader: for the pipeline's login. PostgreSQL 15 lets nobody but the owner of a table refresh, analyze, attach
            or index it, so the loader is a member of ``owner`` and has its rights; and it may use Dagster's schema.
        reader: for the application's login. May read the tables and views of the target schema, those too that are
            made later, and the ledger. The two tables that the application writes, in ``analytics``, are for the
            operator to grant.
    """

    owner: str = "edu_owner"
    loader: str = "edu_loader"
    reader: str = "edu_reader"


def create_roles(database: Database, roles: Roles | None = None) -> list[str]:
    """Create the roles that are missing, and give them what they lack of their rights, all or nothing.

    Nothing is taken from any other role, but whoever owned a table has lost it: in ``analytics`` it keeps its rights,
    elsewhere it needs membership in one of the three. Run it again when there are new things to own: a schema of
    Dagster, the application's users, tables that a superuser made.

    Returns:
        What was done, line by line, or that there was nothing to do; then what the operator should know.

    Raises:
        DatabaseUnreachable: the server does not answer.
        PrivilegeMissing: the login may not; the text has the statement that a superuser should run.
        TableBusy: a table was in use for so long that its owner could not be changed.
    """
    roles = roles or Roles()
    with database.connect() as connection:
        connection.execute("SET ROLE NONE")  # the login itself, whatever role the connection works as
        connection.execute(sql.SQL("SET lock_timeout = {}").format(sql.Literal(LOCK_TIMEOUT)))
        try:
            done = list(_steps(connection, database.schema, roles))
        except psycopg.errors.LockNotAvailable as error:
            raise TableBusy(
                database.place,
                f"expected the lock of every table within {LOCK_TIMEOUT}, found: {str(error).strip()}.",
                "Nothing was changed. End the long transaction (pg_stat_activity) and try again.",
            ) from error
        return (done or ["nothing to do: roles and rights are as they should be"]) + list(
            _concerns(connection, database.schema, roles)
        )


def _steps(connection: Connection, schema: str, roles: Roles) -> Iterator[str]:
    """Do what is missing; a line for each thing done."""
    yield from _create(connection, roles)
    for owned in (schema, f"{schema}__next", f"{schema}__previous", "analytics", "edu_pipeline"):
        yield from _own(connection, owned, roles.owner)
    for privilege in ("CONNECT", "CREATE", "TEMPORARY"):
        yield from _grant_on_database(connection, roles.owner, privilege)
    yield from _refer_to_users(connection, roles.owner)
    yield from _use_dagster(connection, roles.loader)
    yield from _grant_on_database(connection, roles.reader, "CONNECT")
    yield from _read(connection, schema, roles.reader, None)
    yield from _read_later(connection, schema, roles)
    yield from _read(connection, "edu_pipeline", roles.reader, LEDGER)
    home = _postgis(connection)
    if home != "public":
        for role in (roles.owner, roles.reader):
            yield from _grant(connection, home, _schema_of(rights.objects(connection, home)), role, "USAGE")


def _create(connection: Connection, roles: Roles) -> Iterator[str]:
    names = [roles.owner, roles.loader, roles.reader]
    rows = connection.execute("SELECT rolname FROM pg_roles WHERE rolname = ANY (%s)", [names])
    there = {str(name) for (name,) in rows}
    missing = [name for name in names if name not in there]
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
    """Make ``owner`` the owner of a schema, if it is there, and of all that is in it."""
    before = [found for found in rights.objects(connection, schema) if found.owner != owner]
    changed = [found for found in before if rights.set_owner(connection, found, owner)]
    if changed:
        former = ", ".join(sorted({found.owner for found in before}))
        yield f"{owner}: owns {schema}, {len(changed)} objects that were of {former}"
    if schema == "analytics":
        for former in sorted({found.owner for found in before}):
            yield from _keep(connection, [found for found in before if found.owner == former], former, owner)


def _keep(connection: Connection, objects: list[Object], former: str, owner: str) -> Iterator[str]:
    """Grant to the former owner what it could do as such, unless it still can: the application may be that owner."""
    if connection.execute("SELECT pg_has_role(%s, %s, 'USAGE')", [former, owner]).fetchone() == (False,):
        for found in objects:
            rights.grant(connection, found, [held for held in found.grants if held.grantee == former])
        yield f"{former}: keeps its rights on what it owned in analytics"


def _grant_on_database(connection: Connection, role: str, privilege: str) -> Iterator[str]:
    name = connection.info.dbname
    held = connection.execute("SELECT has_database_privilege(%s, %s, %s)", [role, name, privilege])
    if held.fetchone() == (False,):
        form = sql.SQL("GRANT {} ON DATABASE {} TO {}")
        rights.run(connection, form.format(sql.SQL(privilege), sql.Identifier(name), sql.Identifier(role)))
        yield f"{role}: {privilege} on the database"


def _refer_to_users(connection: Connection, owner: str) -> Iterator[str]:
    """What the foreign keys of ``analytics`` need, and no more, if the application has a table of users."""
    objects = rights.objects(connection, "user_mgmt")
    users = [found for found in objects if (found.kind, found.label) == ("table", "users") and "id" in found.columns]
    if users:
        yield from _grant(connection, "user_mgmt", _schema_of(objects), owner, "USAGE")
        yield from _grant(connection, "user_mgmt.users (id)", users, owner, "REFERENCES", column="id")


def _use_dagster(connection: Connection, loader: str) -> Iterator[str]:
    objects = rights.objects(connection, "dagster")
    yield from _grant(connection, "dagster", _schema_of(objects), loader, "USAGE", "CREATE")
    tables = [found for found in objects if found.kind == "table"]
    yield from _grant(connection, "tables of dagster", tables, loader, "SELECT", "INSERT", "UPDATE", "DELETE")
    sequences = [found for found in objects if found.kind == "sequence"]
    yield from _grant(connection, "sequences of dagster", sequences, loader, "USAGE", "SELECT")


def _read(connection: Connection, schema: str, reader: str, only: Iterable[str] | None) -> Iterator[str]:
    """Let ``reader`` read the tables and views of a schema, all or ``only`` some; not partitions by themselves."""
    objects = rights.objects(connection, schema)
    yield from _grant(connection, schema, _schema_of(objects), reader, "USAGE")
    tables = [found for found in objects if found.kind == "table" and (only is None or found.label in only)]
    yield from _grant(connection, f"tables and views of {schema}", tables, reader, "SELECT")


def _read_later(connection: Connection, schema: str, roles: Roles) -> Iterator[str]:
    wanted = Default(roles.owner, "TABLES", Grant("SELECT", roles.reader))
    if rights.objects(connection, schema) and wanted not in rights.defaults(connection, schema):
        rights.set_default(connection, schema, wanted)
        yield f"{roles.reader}: SELECT on what {roles.owner} will create in {schema}"


def _grant(
    connection: Connection, what: str, objects: list[Object], role: str, *privileges: str, column: str | None = None
) -> Iterator[str]:
    """Grant ``privileges`` on those of ``objects`` where they are missing; ``what`` names them all."""
    changed = 0
    for found in objects:
        held = {(grant.privilege, grant.column) for grant in found.grants if grant.grantee == role}
        missing = [Grant(privilege, role, column) for privilege in privileges if (privilege, column) not in held]
        rights.grant(connection, found, missing)
        changed += bool(missing)
    if changed:
        count = "" if len(objects) == 1 else f" ({changed})"
        yield f"{role}: {', '.join(privileges)} on {what}{count}"


def _schema_of(objects: list[Object]) -> list[Object]:
    return [found for found in objects if found.kind == "schema"]


def _postgis(connection: Connection) -> str:
    """The schema that PostGIS lives in; ``public`` where there is none."""
    home = connection.execute(
        "SELECT n.nspname FROM pg_extension e JOIN pg_namespace n ON n.oid = e.extnamespace WHERE e.extname = 'postgis'"
    ).fetchone()
    return str(home[0]) if home else "public"


def _concerns(connection: Connection, schema: str, roles: Roles) -> Iterator[str]:
    """What is left to do, and what is not as it should be in ``public``, which is not ours to change."""
    if not rights.objects(connection, schema):
        yield f"{schema}: there is no such schema yet; run this again after `edu-pipeline migrate`"
    public = {
        (grant.privilege, grant.grantee)
        for found in _schema_of(rights.objects(connection, "public"))
        for grant in found.grants
    }
    if ("CREATE", None) in public:
        yield "public: any role may create objects there (GRANT CREATE ON SCHEMA public TO PUBLIC); left alone"
    if _postgis(connection) == "public":
        for role in (roles.owner, roles.loader, roles.reader):
            usable = connection.execute("SELECT has_schema_privilege(%s, 'public', 'USAGE')", [role]).fetchone()
            if usable != (True,):
                yield f"public: PostGIS is there and {role} may not use it (GRANT USAGE ON SCHEMA public); left alone"
