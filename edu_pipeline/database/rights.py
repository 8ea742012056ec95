"""Rights in a schema: who owns what, who may do what, and copying that to another schema.

Belongs here: reading owners, grants and default privileges from PostgreSQL's catalogue, changing them one by one, and
copying them from schema to schema. Does not belong here: which role should have which right (``roles.py``).

Rights are compared by their effect, not by how they are stored: a table without any GRANT has the rights that
PostgreSQL gives to its owner, and who granted a right does not matter. Row security policies are not covered: they are
neither read nor copied.
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
        column: the column that it is limited to; None: the whole object.
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
        label: what identifies it in any schema: its name; for a partition that of its table, since an exchange renames
            the partition; for a routine its name and argument types; empty for the schema itself.
        name: schema-qualified and quoted, ready for SQL.
        follows: whether it is the sequence of a column, which always has the owner of its table.
        columns: the columns of a table.
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
    """A default privilege: a grant on what ``role`` will create; ``on`` is a name in ALTER DEFAULT PRIVILEGES."""

    role: str
    on: str
    grant: Grant


WORDS = {"schema": "SCHEMA", "table": "TABLE", "partition": "TABLE", "sequence": "SEQUENCE", "routine": "ROUTINE"}
"""Kind of object to its name in GRANT and ALTER."""

CREATED_AS = {"table": "TABLES", "partition": "TABLES", "sequence": "SEQUENCES", "routine": "ROUTINES"}
"""Kind of object to its name in ALTER DEFAULT PRIVILEGES."""

OBJECTS = """
    WITH object AS (
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
    SELECT o.kind, o.label, o.name, pg_get_userbyid(o.owner), o.follows,
        array(SELECT a.attname::text FROM pg_attribute AS a
            WHERE a.attrelid = o.relation AND a.attnum > 0 AND NOT a.attisdropped),
        g.privilege_type, CASE WHEN g.grantee <> 0 THEN pg_get_userbyid(g.grantee) END, g.attname,
        bool_or(g.is_grantable)
    FROM object AS o LEFT JOIN LATERAL (
        SELECT NULL::name AS attname, * FROM aclexplode(o.acl)
        UNION ALL
        SELECT a.attname, entry.* FROM pg_attribute AS a, aclexplode(a.attacl) AS entry
        WHERE a.attrelid = o.relation AND NOT a.attisdropped
    ) AS g ON true
    GROUP BY o.kind, o.label, o.name, o.owner, o.follows, o.relation, g.privilege_type, g.grantee, g.attname
    ORDER BY o.kind = 'schema' DESC, o.name
"""

DEFAULTS = """
    SELECT pg_get_userbyid(d.defaclrole),
        CASE d.defaclobjtype WHEN 'r' THEN 'TABLES' WHEN 'S' THEN 'SEQUENCES' WHEN 'f' THEN 'ROUTINES' ELSE 'TYPES' END,
        g.privilege_type, CASE WHEN g.grantee <> 0 THEN pg_get_userbyid(g.grantee) END, bool_or(g.is_grantable)
    FROM pg_default_acl AS d
    JOIN pg_namespace AS n ON n.oid = d.defaclnamespace
    CROSS JOIN aclexplode(d.defaclacl) AS g
    WHERE n.nspname = %s
    GROUP BY 1, 2, g.privilege_type, g.grantee
"""

PRIVILEGE_NOT_GRANTED = {"01006", "01007"}
"""SQLSTATEs of the warnings that GRANT and REVOKE give when they do nothing."""


def copy_rights(connection: Connection, from_schema: str, to_schema: str) -> None:
    """Give ``to_schema`` the owners, grants and default privileges of ``from_schema``, object by object.

    An object that only ``to_schema`` has gets the owner and the default privileges of ``from_schema``, as if it had
    been created there. A comment on ``from_schema`` is copied if ``to_schema`` has none. ``from_schema`` is neither
    changed nor locked; if it does not exist, nothing happens. The caller commits. Copying again changes nothing; a
    missing right shows on empty tables just as on full ones.

    Raises:
        PrivilegeMissing: this session's role may not set an owner, grant or default privilege; the caller rolls back.
    """
    originals = {(item.kind, item.label): item for item in objects(connection, from_schema)}
    if not originals:
        return
    for item in objects(connection, to_schema):
        original = originals.get((item.kind, item.label), originals["schema", ""])
        set_owner(connection, item, original.owner)
    _copy_defaults(connection, from_schema, to_schema)
    privileges = defaults(connection, to_schema)
    for item in objects(connection, to_schema):
        counterpart = originals.get((item.kind, item.label))
        if counterpart is None:
            grant(connection, item, _by_default(item, privileges))
        else:
            _copy_grants(connection, counterpart.grants, item)
    _copy_comment(connection, from_schema, to_schema)


def objects(connection: Connection, schema: str) -> list[Object]:
    """The schema, its tables, views, sequences and routines, except those of extensions; empty if it does not exist."""
    connection.execute("SET LOCAL jit = off")  # compiling the query takes 40 times as long as running it
    grants: dict[tuple[str, str, str, str, bool, frozenset[str]], set[Grant]] = defaultdict(set)
    for kind, label, name, owner, follows, columns, privilege, grantee, column, grantable in connection.execute(
        OBJECTS, {"schema": schema}
    ):
        assert isinstance(columns, list)
        of_object = grants[str(kind), str(label), str(name), str(owner), bool(follows), frozenset(columns)]
        if privilege is not None:
            of_object.add(Grant(str(privilege), _name(grantee), _name(column), bool(grantable)))
    return [Object(*attributes, frozenset(of_object)) for attributes, of_object in grants.items()]


def defaults(connection: Connection, schema: str) -> set[Default]:
    """The default privileges IN SCHEMA ``schema``."""
    return {
        Default(str(role), str(on), Grant(str(privilege), _name(grantee), None, bool(grantable)))
        for role, on, privilege, grantee, grantable in connection.execute(DEFAULTS, [schema])
    }


def set_owner(connection: Connection, item: Object, owner: str) -> bool:
    """Make ``owner`` the owner of an object, unless it is already, or the object follows another.

    Returns:
        Whether the owner was changed.

    Raises:
        PrivilegeMissing: this session's role may not.
    """
    if item.owner == owner or item.follows:
        return False
    form = sql.SQL("ALTER {} {} OWNER TO {}")
    run(connection, form.format(sql.SQL(WORDS[item.kind]), sql.SQL(item.name), sql.Identifier(owner)))
    return True


def grant(connection: Connection, item: Object, grants: Iterable[Grant]) -> None:
    """Grant privileges on an object.

    Raises:
        PrivilegeMissing: this session's role may not.
    """
    for new in sorted(grants, key=repr):
        option = sql.SQL(" WITH GRANT OPTION" if new.grantable else "")
        run(connection, sql.SQL("GRANT {} TO {}{}").format(_privilege_on(item, new), _role(new.grantee), option))


def revoke(connection: Connection, item: Object, grants: Iterable[Grant]) -> None:
    """Revoke privileges on an object, and whatever their grantees have granted to others.

    Raises:
        PrivilegeMissing: this session's role may not.
    """
    for old in sorted(grants, key=repr):
        run(connection, sql.SQL("REVOKE {} FROM {} CASCADE").format(_privilege_on(item, old), _role(old.grantee)))


def set_default(connection: Connection, schema: str, new: Default) -> None:
    """Set a default privilege IN SCHEMA ``schema``.

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
    """Run a statement about rights; one that PostgreSQL only warns about and ignores counts as refused.

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
            f"expected the right to run `{text}`, found that {connection.info.user} lacks it: {warnings[0]}.",
            f"Nothing was changed. Do the same as a superuser, or have one run `{text};`, then start again.",
        )


def _copy_grants(connection: Connection, grants: frozenset[Grant], item: Object) -> None:
    """Make the grants on ``item`` those of its counterpart.

    If there is a grant too many, all are revoked first: one that a third role has granted goes in no other way.
    """
    wanted = {each for each in grants if each.column is None or each.column in item.columns}
    if item.grants - wanted:
        revoke(connection, item, item.grants)
        grant(connection, item, wanted)
    else:
        grant(connection, item, wanted - item.grants)


def _copy_defaults(connection: Connection, from_schema: str, to_schema: str) -> None:
    wanted, existing = defaults(connection, from_schema), defaults(connection, to_schema)
    for old in sorted(existing - wanted, key=repr):
        statement = sql.SQL("{} REVOKE {} ON {} FROM {}").format(
            _alter_default(to_schema, old), sql.SQL(old.grant.privilege), sql.SQL(old.on), _role(old.grant.grantee)
        )
        run(connection, statement)
    for new in sorted(wanted - existing, key=repr):
        set_default(connection, to_schema, new)


def _by_default(item: Object, privileges: set[Default]) -> set[Grant]:
    """The grants that an object lacks of those that it would have got if it had been created with these defaults."""
    on = CREATED_AS.get(item.kind)
    return {default.grant for default in privileges if (default.role, default.on) == (item.owner, on)} - item.grants


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


def _privilege_on(item: Object, entry: Grant) -> sql.Composed:
    column = sql.SQL(" ({})").format(sql.Identifier(entry.column)) if entry.column is not None else sql.SQL("")
    kind, name = sql.SQL(WORDS[item.kind]), sql.SQL(item.name)
    return sql.SQL("{}{} ON {} {}").format(sql.SQL(entry.privilege), column, kind, name)


def _alter_default(schema: str, default: Default) -> sql.Composed:
    form = sql.SQL("ALTER DEFAULT PRIVILEGES FOR ROLE {} IN SCHEMA {}")
    return form.format(sql.Identifier(default.role), sql.Identifier(schema))


def _role(grantee: str | None) -> sql.Composable:
    return sql.Identifier(grantee) if grantee is not None else sql.SQL("PUBLIC")


def _name(value: object) -> str | None:
    return None if value is None else str(value)
