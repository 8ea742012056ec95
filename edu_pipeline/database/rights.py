"""Rights in a schema: who owns what, who may do what, and the same in a schema that was built beside it.

Belongs here: reading owners, grants and default privileges from the catalogue, changing them one by one, and
copying them from schema to schema. Does not belong here: which role should have which right (``roles.py``).

Rights are compared as they work, not as they are written down: a table without any GRANT has the rights that
PostgreSQL gives to its owner, and who granted a right does not count. Rows that are hidden by a row security policy
are no matter of rights here: policies are neither read nor copied.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass

import psycopg
from psycopg import sql

from edu_pipeline.database.connection import Connection
from edu_pipeline.errors import PrivilegeMissing


@dataclass(frozen=True, slots=True)
class Grant:
    """One privilege of one role.

    Attributes:
        privilege: as in GRANT, e.g. ``SELECT``.
        column: the only column that it is about; None: the whole object.
        grantee: the role; None: PUBLIC.
        grantable: WITH GRANT OPTION.
    """

    privilege: str
    grantee: str | None
    column: str | None = None
    grantable: bool = False


@dataclass(frozen=True, slots=True)
class Object:
    """A schema, or something in it.

    Attributes:
        kind: ``schema``, ``table`` (a view too), ``partition``, ``sequence`` or ``routine``.
        label: what it is known by in any schema: its name; of a partition that of its table, since an exchange gives
            it another; of a routine its name and argument types; empty for the schema itself.
        name: schema-qualified and quoted, as SQL takes it.
        follows: it is the sequence of a column and always has the owner of its table.
        columns: of a table.
    """

    kind: str
    label: str
    name: str
    owner: str
    follows: bool
    columns: frozenset[str]
    grants: frozenset[Grant]


@dataclass(frozen=True, slots=True)
class Default:
    """A default privilege: a grant on what ``role`` will create; ``on`` is as in ALTER DEFAULT PRIVILEGES."""

    role: str
    on: str
    grant: Grant


WORDS = {"schema": "SCHEMA", "table": "TABLE", "partition": "TABLE", "sequence": "SEQUENCE", "routine": "ROUTINE"}
"""Kind to its name in GRANT and ALTER."""

CREATED_AS = {"table": "TABLES", "partition": "TABLES", "sequence": "SEQUENCES", "routine": "ROUTINES"}
"""Kind to its name in ALTER DEFAULT PRIVILEGES."""

OBJECTS = """
    WITH found AS (
        SELECT 'schema' AS kind, '' AS label, quote_ident(nspname) AS name, nspowner AS owner, false AS follows,
            coalesce(nspacl, acldefault('n', nspowner)) AS acl, NULL::oid AS relation
        FROM pg_namespace WHERE nspname = %(schema)s
        UNION ALL
        SELECT CASE WHEN c.relkind = 'S' THEN 'sequence' WHEN c.relispartition THEN 'partition' ELSE 'table' END,
            coalesce(parent.relname, c.relname), quote_ident(n.nspname) || '.' || quote_ident(c.relname), c.relowner,
            c.relkind = 'S' AND EXISTS (
                SELECT FROM pg_depend AS d
                WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype IN ('a', 'i')
            ),
            coalesce(c.relacl, acldefault(CASE c.relkind WHEN 'S' THEN 's' ELSE 'r' END::"char", c.relowner)), c.oid
        FROM pg_class AS c
        JOIN pg_namespace AS n ON n.oid = c.relnamespace
        LEFT JOIN pg_inherits AS i ON i.inhrelid = c.oid AND c.relispartition
        LEFT JOIN pg_class AS parent ON parent.oid = i.inhparent
        WHERE n.nspname = %(schema)s AND c.relkind IN ('r', 'p', 'v', 'm', 'f', 'S') AND NOT EXISTS (
            SELECT FROM pg_depend AS d
            WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e'
        )
        UNION ALL
        SELECT 'routine', p.proname || array(
                SELECT CASE WHEN t.typnamespace = p.pronamespace THEN '' ELSE t.typnamespace::regnamespace || '.' END
                    || t.typname
                FROM unnest(p.proargtypes) WITH ORDINALITY AS a (type, position) JOIN pg_type AS t ON t.oid = a.type
                ORDER BY a.position
            )::text,
            quote_ident(n.nspname) || '.' || quote_ident(p.proname) || '(' || pg_get_function_identity_arguments(p.oid)
                || ')',
            p.proowner, false, coalesce(p.proacl, acldefault('f', p.proowner)), NULL
        FROM pg_proc AS p
        JOIN pg_namespace AS n ON n.oid = p.pronamespace
        WHERE n.nspname = %(schema)s AND NOT EXISTS (
            SELECT FROM pg_depend AS d WHERE d.classid = 'pg_proc'::regclass AND d.objid = p.oid AND d.deptype = 'e'
        )
    )
    SELECT found.kind, found.label, found.name, pg_get_userbyid(found.owner), found.follows,
        array(SELECT a.attname::text FROM pg_attribute AS a
            WHERE a.attrelid = found.relation AND a.attnum > 0 AND NOT a.attisdropped),
        held.privilege_type, CASE WHEN held.grantee <> 0 THEN pg_get_userbyid(held.grantee) END, held.attname,
        bool_or(held.is_grantable)
    FROM found LEFT JOIN LATERAL (
        SELECT NULL::name AS attname, * FROM aclexplode(found.acl)
        UNION ALL
        SELECT a.attname, whole.* FROM pg_attribute AS a, aclexplode(a.attacl) AS whole
        WHERE a.attrelid = found.relation AND NOT a.attisdropped
    ) AS held ON true
    GROUP BY found.kind, found.label, found.name, found.owner, found.follows, found.relation,
        held.privilege_type, held.grantee, held.attname
    ORDER BY found.kind = 'schema' DESC, found.name
"""

DEFAULTS = """
    SELECT pg_get_userbyid(d.defaclrole),
        CASE d.defaclobjtype WHEN 'r' THEN 'TABLES' WHEN 'S' THEN 'SEQUENCES' WHEN 'f' THEN 'ROUTINES' ELSE 'TYPES' END,
        held.privilege_type, CASE WHEN held.grantee <> 0 THEN pg_get_userbyid(held.grantee) END,
        bool_or(held.is_grantable)
    FROM pg_default_acl AS d
    JOIN pg_namespace AS n ON n.oid = d.defaclnamespace
    CROSS JOIN aclexplode(d.defaclacl) AS held
    WHERE n.nspname = %s
    GROUP BY 1, 2, held.privilege_type, held.grantee
"""

PRIVILEGE_NOT_GRANTED = {"01006", "01007"}
"""SQLSTATE of the warnings with which GRANT and REVOKE do nothing."""


def copy_rights(connection: Connection, from_schema: str, to_schema: str) -> None:
    """Give ``to_schema`` the owners, grants and default privileges of ``from_schema``, object by object of one name.

    What only ``to_schema`` has gets the owner of ``from_schema`` and the default privileges there, as if it had been
    created in it. A comment on ``from_schema`` is copied if ``to_schema`` has none. Nothing of ``from_schema`` is
    changed or locked; if there is no such schema, nothing is done. The caller commits. Copying twice changes nothing
    the second time; it fails for want of rights as soon on empty tables as on full ones.

    Raises:
        PrivilegeMissing: this session's role may not set an owner, grant or default privilege; the caller rolls back.
    """
    live = {(found.kind, found.label): found for found in objects(connection, from_schema)}
    if not live:
        return
    for built in objects(connection, to_schema):
        set_owner(connection, built, live.get((built.kind, built.label), live["schema", ""]).owner)
    _copy_defaults(connection, from_schema, to_schema)
    given = defaults(connection, to_schema)
    for built in objects(connection, to_schema):
        counterpart = live.get((built.kind, built.label))
        if counterpart is None:
            grant(connection, built, _by_default(built, given))
        else:
            _copy_grants(connection, counterpart.grants, built)
    _copy_comment(connection, from_schema, to_schema)


def objects(connection: Connection, schema: str) -> list[Object]:
    """The schema, its tables, views, sequences and routines, except those of extensions; empty if there is none."""
    connection.execute("SET LOCAL jit = off")  # compiling the query takes 40 times as long as the query
    found: dict[tuple[str, str, str, str, bool, frozenset[str]], set[Grant]] = defaultdict(set)
    for kind, label, name, owner, follows, columns, privilege, grantee, column, grantable in connection.execute(
        OBJECTS, {"schema": schema}
    ):
        assert isinstance(columns, list)
        held = found[str(kind), str(label), str(name), str(owner), bool(follows), frozenset(columns)]
        if privilege is not None:
            held.add(Grant(str(privilege), _name(grantee), _name(column), bool(grantable)))
    return [Object(*described, frozenset(grants)) for described, grants in found.items()]


def defaults(connection: Connection, schema: str) -> set[Default]:
    """The default privileges IN SCHEMA."""
    return {
        Default(str(role), str(on), Grant(str(privilege), _name(grantee), None, bool(grantable)))
        for role, on, privilege, grantee, grantable in connection.execute(DEFAULTS, [schema])
    }


def set_owner(connection: Connection, changed: Object, owner: str) -> bool:
    """Make ``owner`` the owner of an object, unless it is or the object follows another.

    Returns:
        Whether there was anything to do.

    Raises:
        PrivilegeMissing: this session's role may not.
    """
    if changed.owner == owner or changed.follows:
        return False
    form = sql.SQL("ALTER {} {} OWNER TO {}")
    run(connection, form.format(sql.SQL(WORDS[changed.kind]), sql.SQL(changed.name), sql.Identifier(owner)))
    return True


def grant(connection: Connection, to: Object, grants: Iterable[Grant]) -> None:
    """Grant privileges on an object.

    Raises:
        PrivilegeMissing: this session's role may not.
    """
    for new in sorted(grants, key=repr):
        option = sql.SQL(" WITH GRANT OPTION" if new.grantable else "")
        run(connection, sql.SQL("GRANT {} TO {}{}").format(_what(to, new), _role(new.grantee), option))


def revoke(connection: Connection, of: Object, grants: Iterable[Grant]) -> None:
    """Revoke privileges on an object, and what others granted by virtue of them.

    Raises:
        PrivilegeMissing: this session's role may not.
    """
    for old in sorted(grants, key=repr):
        run(connection, sql.SQL("REVOKE {} FROM {} CASCADE").format(_what(of, old), _role(old.grantee)))


def set_default(connection: Connection, schema: str, new: Default) -> None:
    """Set a default privilege IN SCHEMA.

    Raises:
        PrivilegeMissing: this session's role may not.
    """
    option = sql.SQL(" WITH GRANT OPTION" if new.grant.grantable else "")
    run(
        connection,
        sql.SQL("{} GRANT {} ON {} TO {}{}").format(
            _alter_default(schema, new), sql.SQL(new.grant.privilege), sql.SQL(new.on), _role(new.grant.grantee), option
        ),
    )


def run(connection: Connection, statement: sql.Composed) -> None:
    """Run a statement about rights; one that PostgreSQL passes over with a warning counts as refused.

    Raises:
        PrivilegeMissing: this session's role may not; the transaction can only be rolled back.
    """
    warnings: list[str] = []

    def note(notice: psycopg.errors.Diagnostic) -> None:
        if notice.sqlstate in PRIVILEGE_NOT_GRANTED:
            warnings.append(str(notice.message_primary))

    connection.add_notice_handler(note)
    try:
        connection.execute(statement)
    except psycopg.errors.InsufficientPrivilege as error:
        warnings.append(str(error).strip())
    finally:
        connection.remove_notice_handler(note)
    if warnings:
        text = statement.as_string(connection)
        raise PrivilegeMissing(
            f"database {connection.info.dbname}",
            f"expected to be allowed `{text}`, found, as {connection.info.user}: {warnings[0]}.",
            f"Nothing was changed. Do the same as a superuser, or have one run `{text};` and begin again.",
        )


def _copy_grants(connection: Connection, live: frozenset[Grant], built: Object) -> None:
    """Make the grants on ``built`` those of its counterpart.

    If there is one too many, all go: only so does one go that a third role has granted.
    """
    wanted = {held for held in live if held.column is None or held.column in built.columns}
    if built.grants - wanted:
        revoke(connection, built, built.grants)
        grant(connection, built, wanted)
    else:
        grant(connection, built, wanted - built.grants)


def _copy_defaults(connection: Connection, from_schema: str, to_schema: str) -> None:
    wanted, found = defaults(connection, from_schema), defaults(connection, to_schema)
    for old in sorted(found - wanted, key=repr):
        statement = sql.SQL("{} REVOKE {} ON {} FROM {}").format(
            _alter_default(to_schema, old), sql.SQL(old.grant.privilege), sql.SQL(old.on), _role(old.grant.grantee)
        )
        run(connection, statement)
    for new in sorted(wanted - found, key=repr):
        set_default(connection, to_schema, new)


def _by_default(new: Object, given: set[Default]) -> set[Grant]:
    """What an object would have been granted at its creation, had the default privileges been there."""
    on = CREATED_AS.get(new.kind)
    return {default.grant for default in given if (default.role, default.on) == (new.owner, on)} - new.grants


def _copy_comment(connection: Connection, from_schema: str, to_schema: str) -> None:
    comments = {
        str(name): comment
        for name, comment in connection.execute(
            "SELECT nspname, obj_description(oid, 'pg_namespace') FROM pg_namespace WHERE nspname = ANY (%s)",
            [[from_schema, to_schema]],
        )
    }
    if comments[from_schema] is not None and comments[to_schema] is None:
        text = sql.Literal(comments[from_schema])
        run(connection, sql.SQL("COMMENT ON SCHEMA {} IS {}").format(sql.Identifier(to_schema), text))


def _what(on: Object, held: Grant) -> sql.Composed:
    column = sql.SQL(" ({})").format(sql.Identifier(held.column)) if held.column is not None else sql.SQL("")
    return sql.SQL("{}{} ON {} {}").format(sql.SQL(held.privilege), column, sql.SQL(WORDS[on.kind]), sql.SQL(on.name))


def _alter_default(schema: str, default: Default) -> sql.Composed:
    form = sql.SQL("ALTER DEFAULT PRIVILEGES FOR ROLE {} IN SCHEMA {}")
    return form.format(sql.Identifier(default.role), sql.Identifier(schema))


def _role(grantee: str | None) -> sql.Composable:
    return sql.Identifier(grantee) if grantee is not None else sql.SQL("PUBLIC")


def _name(value: object) -> str | None:
    return None if value is None else str(value)
