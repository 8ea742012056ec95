"""The target database: one connection at a time, with only the target schema on its search_path.

Only that one: a name that it lacks must be an error, and not lead to a table of the application in `public`.

Belongs here: connecting, and listing what is in a schema. Does not belong here: the rows of any one table
(``loading/rows.py``, ``loading/writing.py``), migrations (``migrate.py``), the private cluster (``cluster.py``).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field

import psycopg
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict

from edu_pipeline.database import sessions
from edu_pipeline.database.cluster import Cluster
from edu_pipeline.database.sessions import CONNECT_TIMEOUT
from edu_pipeline.errors import DatabaseUnreachable, DiskFull, SchemaMissing
from edu_pipeline.settings import Settings

Connection = sessions.Connection

TABLES, VIEWS = "rp", "m"
"""Kinds of relations for ``relations``, letters of ``pg_class.relkind``: tables, and materialized views."""

SESSION = "SET jit = off; SET default_statistics_target = 30"
"""Compiling a statement takes 0.3 to 1 s, more than any of ours gains by it. ANALYZE of a wide table takes 0.5 s with
the default target of 100, 0.15 s with 30, and the views are refreshed no slower."""

SCHEMAS = "SELECT nspname FROM pg_namespace WHERE nspname !~ '^pg_' AND nspname <> 'information_schema' ORDER BY 1"

RELATIONS = """
    SELECT c.relname
    FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace
    WHERE n.nspname = %s AND c.relkind = ANY (%s) AND NOT c.relispartition AND c.relname !~ '__' AND NOT EXISTS (
        SELECT FROM pg_depend WHERE classid = 'pg_class'::regclass AND objid = c.oid AND deptype = 'e'
    )
    ORDER BY c.relname COLLATE "C"
"""

_open_connections: set[Connection] = set()
"""Those of this process."""


@dataclass(frozen=True)
class Database:
    """Where the tables are.

    Attributes:
        url: a libpq connection URL. It may contain a password, so no representation shows it.
        schema: the schema that tables are read from and written to.
        live: the live schema, if ``schema`` is the next one, which a rebuild fills; else None.
    """

    url: str = field(repr=False)
    schema: str
    live: str | None = None

    @property
    def next(self) -> Database:
        """The next schema, which a full rebuild fills and then swaps with this one (``operations/swap.py``)."""
        return Database(self.url, f"{self.schema}__next", live=self.schema)

    @contextmanager
    def connect(self, *, new: bool = False) -> Iterator[Connection]:
        """A connection in a transaction, which is committed at the end and rolled back on an error.

        Args:
            new: in a session that begins now, with the settings that the database and the role have by now.

        Raises:
            DatabaseUnreachable: the server does not answer, refuses the connection, or goes away; the text contains no
                password.
            DiskFull: the server has no space left.
        """
        try:
            connection = sessions.begin(self.url) if new else sessions.take(self.url)
        except psycopg.OperationalError as error:
            raise DatabaseUnreachable(
                self.place,
                f"expected an answer, found: {str(error).strip()}.",
                "Start it (`edu-pipeline db start` for the private cluster), or correct its URL in the settings.",
            ) from error
        try:
            with self._kept(connection):
                _work_as_owner(connection, self.live or self.schema)
                connection.execute(SESSION)
                set_search_path(connection, [self.schema])
                yield connection
        except psycopg.errors.DiskFull as error:
            raise DiskFull(
                self.place,
                f"expected space for the new rows next to the published ones, found: {str(error).strip()}.",
                "The published rows are unchanged. Add space on the server or free some (`edu-pipeline drop-previous` "
                "frees that of the previous schema); then run the same command again.",
            ) from error

    @contextmanager
    def _kept(self, connection: Connection) -> Iterator[None]:
        """Commit at the end and keep the session; after an error close it, which rolls back.

        Raises:
            DatabaseUnreachable: the server has ended the session.
        """
        _open_connections.add(connection)
        try:
            yield
            if not connection.closed:
                connection.commit()
        except BaseException as error:
            is_lost = connection.broken
            connection.close()
            if is_lost and isinstance(error, psycopg.Error):
                raise DatabaseUnreachable(
                    self.place,
                    f"expected an answer throughout, found: {str(error).strip()}.",
                    "What was not complete was rolled back. Start the server; then run the same command again.",
                ) from error
            raise
        finally:
            _open_connections.discard(connection)  # before another thread has it
        sessions.give_back(self.url, connection)

    @property
    def place(self) -> str:
        """Name, host and port of the database, for messages; never a password."""
        info = conninfo_to_dict(self.url)
        return f"database {info.get('dbname', '')} on {info.get('host', 'localhost')}:{info.get('port', 5432)}"


def cancel_statements() -> None:
    """Cancel the statements that this process waits for, in any thread."""
    for connection in list(_open_connections):
        with suppress(psycopg.Error):
            connection.cancel_safe(timeout=CONNECT_TIMEOUT)


def target(settings: Settings) -> Database:
    """The database of the settings; that of the private cluster if they name none.

    Raises:
        ClusterFailed: there is no private cluster yet.
    """
    secret = settings.database_url
    url = secret.get_secret_value() if secret else Cluster(settings.local / "postgres").url()
    return Database(url, settings.target_schema)


def _work_as_owner(connection: Connection, schema: str) -> None:
    """Take the role that owns ``schema``, if this one is a member: then new objects belong to all its members."""
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


def check_migrated(connection: Connection, schema: str) -> None:
    """Check that the database has the target schema and the ledger.

    Raises:
        SchemaMissing: it was never migrated; the text says how to do that.
    """
    for name in (schema, "edu_pipeline"):
        _check_exists(connection, name, "Create it: `edu-pipeline migrate`, or `make demo`, which also fills it.")


def _check_exists(connection: Connection, schema: str, remedy: str) -> None:
    if not exists(connection, schema):
        schemas = ", ".join(str(name) for (name,) in connection.execute(SCHEMAS))
        raise SchemaMissing(
            f"schema {schema}",
            f"expected a schema of this name in the database, found only {schemas or 'none'}.",
            remedy,
        )


def set_search_path(connection: Connection, schemas: Sequence[str]) -> None:
    """Make ``schemas`` the search_path of the session."""
    path = sql.SQL(", ").join(map(sql.Identifier, schemas))
    connection.execute(sql.SQL("SET search_path TO {}").format(path))
    connection.commit()


def home_of_postgis(connection: Connection) -> list[str]:
    """The schema that PostGIS is in; empty where it is not installed."""
    rows = connection.execute(
        "SELECT nspname FROM pg_extension JOIN pg_namespace AS n ON n.oid = extnamespace WHERE extname = 'postgis'"
    )
    return [str(name) for (name,) in rows]


def relations(connection: Connection, schema: str, kinds: str) -> list[str]:
    """The names of the tables and views of a schema, sorted.

    Partitions, the work tables of a load (whose names contain ``__``) and what belongs to an extension are left out.

    Args:
        kinds: which kinds, letters of ``pg_class.relkind``, e.g. ``TABLES + VIEWS``.

    Raises:
        SchemaMissing: the schema does not exist; the text names the existing ones.
    """
    _check_exists(connection, schema, "Name one of these, or connect to another database.")
    return [str(name) for (name,) in connection.execute(RELATIONS, [schema, list(kinds)])]
