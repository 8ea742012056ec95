"""The target database: one connection at a time, with the target schema alone on its search_path.

Alone, since a name that it does not have must be an error, and not be found in `public`, which is the application's.

Belongs here: connecting, and what is asked of the catalogue. Does not belong here: SQL about any one table's
rows (``publish``), migrations (``migrate.py``), the private cluster (``cluster.py``).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass

import psycopg
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict

from edu_pipeline.database.cluster import Cluster
from edu_pipeline.errors import DatabaseUnreachable, DiskFull, SchemaMissing
from edu_pipeline.settings import Settings

Connection = psycopg.Connection[tuple[object, ...]]

TABLES, VIEWS = "rp", "m"
"""Kinds of relations, as in ``pg_class.relkind``: tables (also partitioned ones), and materialized views."""

CONNECT_TIMEOUT = 10
"""Seconds to wait for the server to answer."""

SESSION = "SET jit = off; SET default_statistics_target = 30"
"""Compiling takes longer than any statement of ours saves by it: 0.3 to 1 s. ANALYZE of a wide table takes half a
second with the default of 100 (values per column that are told apart), 0.15 s with 30; the views take no longer."""


_open: set[Connection] = set()
"""The connections of this process."""


@dataclass(frozen=True)
class Database:
    """Where the tables are.

    Attributes:
        url: a libpq connection URL.
        schema: the schema that tables are read from and written to.
        live: the schema that readers see, if ``schema`` is one that is built beside it; else None.
    """

    url: str
    schema: str
    live: str | None = None

    @property
    def next(self) -> Database:
        """The schema that a full rebuild fills, to be swapped with this one (``swap.py``)."""
        return Database(self.url, f"{self.schema}__next", live=self.schema)

    @contextmanager
    def connect(self) -> Iterator[Connection]:
        """A connection in its own transaction: committed at the end, rolled back on an error.

        Raises:
            DatabaseUnreachable: the server does not answer or refuses; the text has no password.
            DiskFull: the server has no space left for what was done with the connection.
        """
        try:
            connection = psycopg.connect(self.url, connect_timeout=CONNECT_TIMEOUT, application_name="edu_pipeline")
        except psycopg.OperationalError as error:
            raise DatabaseUnreachable(
                self.place,
                f"expected an answer, found: {str(error).strip()}.",
                "Start it (`edu-pipeline db start` for the private cluster) or mend EDU_DATABASE_URL.",
            ) from error
        _open.add(connection)
        try:
            with connection:
                _work_as_owner(connection, self.live or self.schema)
                connection.execute(SESSION)
                set_search_path(connection, [self.schema])
                yield connection
        except psycopg.errors.DiskFull as error:
            raise DiskFull(
                self.place,
                f"expected space for the new rows beside the published ones, found: {str(error).strip()}.",
                "The published rows are as they were. Free space on the server (`edu-pipeline drop-previous` gives "
                "back that of the schema before the last rebuild) or add some; then run the same again.",
            ) from error
        finally:
            _open.discard(connection)

    @property
    def place(self) -> str:
        """Host, port and name of the database, for people; never a password."""
        given = conninfo_to_dict(self.url)
        return f"database {given.get('dbname', '')} on {given.get('host', 'localhost')}:{given.get('port', 5432)}"


def cancel_statements() -> None:
    """Cancel what the server does for the connections of this process, whichever thread waits for it."""
    for connection in list(_open):
        with suppress(psycopg.Error):
            connection.cancel_safe(timeout=CONNECT_TIMEOUT)


def target(settings: Settings) -> Database:
    """The database that the settings name; the private cluster's if they name none.

    Raises:
        ClusterFailed: there is no private cluster yet, or no server to run it.
    """
    url = settings.database_url or Cluster(settings.local / "postgres").url()
    return Database(url, settings.target_schema)


def _work_as_owner(connection: Connection, schema: str) -> None:
    """Take the role that owns ``schema``, if the login is a member of it: what is made then belongs to all members."""
    owner = connection.execute(
        "SELECT r.rolname FROM pg_namespace AS n JOIN pg_roles AS r ON r.oid = n.nspowner "
        "WHERE n.nspname = %s AND r.rolname <> current_user AND r.rolname !~ '^pg_' AND pg_has_role(r.oid, 'MEMBER')",
        [schema],
    ).fetchone()
    if owner:
        connection.execute(sql.SQL("SET ROLE {}").format(sql.Identifier(str(owner[0]))))


def exists(connection: Connection, schema: str) -> bool:
    """Whether there is a schema of that name."""
    return connection.execute("SELECT FROM pg_namespace WHERE nspname = %s", [schema]).fetchone() is not None


def set_search_path(connection: Connection, schemas: Sequence[str]) -> None:
    """Make ``schemas`` the search_path of the session."""
    path = sql.SQL(", ").join(map(sql.Identifier, schemas))
    connection.execute(sql.SQL("SET search_path TO {}").format(path))
    connection.commit()


def home_of_postgis(connection: Connection) -> list[str]:
    """The schema that PostGIS lives in; empty where it is not installed."""
    rows = connection.execute(
        "SELECT nspname FROM pg_extension JOIN pg_namespace AS n ON n.oid = extnamespace WHERE extname = 'postgis'"
    )
    return [str(name) for (name,) in rows]


def relations(connection: Connection, schema: str, kinds: str) -> list[str]:
    """The names of a schema's relations of some ``kinds`` (letters of ``pg_class.relkind``), sorted.

    Neither partitions nor tables that a load works with are listed, nor what belongs to an extension.

    Raises:
        SchemaMissing: there is no such schema; the text names those that there are.
    """
    schemas = [
        str(name)
        for (name,) in connection.execute(
            "SELECT nspname FROM pg_namespace WHERE nspname !~ '^pg_' AND nspname <> 'information_schema' ORDER BY 1"
        )
    ]
    if schema not in schemas:
        raise SchemaMissing(
            f"schema {schema}",
            f"expected a schema of this name in the database, found only {', '.join(schemas) or 'none'}.",
            "Name one of these, or connect to another database.",
        )
    rows = connection.execute(
        "SELECT relname FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = relnamespace "
        "WHERE nspname = %s AND relkind = ANY (%s) AND NOT relispartition AND relname !~ '__' AND NOT EXISTS ("
        "SELECT FROM pg_depend WHERE classid = 'pg_class'::regclass AND objid = c.oid AND deptype = 'e') "
        'ORDER BY relname COLLATE "C"',
        [schema, list(kinds)],
    )
    return [str(name) for (name,) in rows]
