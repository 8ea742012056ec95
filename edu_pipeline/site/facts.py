"""What is known of each table and view, put together from the contracts, the ledger, the checks and the archive.

Belongs here: gathering it once for all pages. Does not belong here: how a page shows it, the rows (``profile.py``).
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date

from edu_pipeline.accounts import summed
from edu_pipeline.catalogue import Source, catalogue
from edu_pipeline.checks import CheckResult
from edu_pipeline.contracts import Spec, specs
from edu_pipeline.database import ledger
from edu_pipeline.database.connection import Database
from edu_pipeline.database.provenance import Origin
from edu_pipeline.database.views import views
from edu_pipeline.export.description import Collection, Described, Field
from edu_pipeline.loading.corrections import as_recorded
from edu_pipeline.monitoring.health import Health, judge
from edu_pipeline.monitoring.status import SourceStatus, TableStatus, gather
from edu_pipeline.sources.archive import Archive
from edu_pipeline.table import Table, tables


@dataclass(frozen=True)
class Column:
    """A column of a table or view.

    Attributes:
        spec: what the contract says beyond the field; None for a view.
        upstream: the publishers' names for it, each with the parameter or table that has it; a plain name is of all.
        hidden: values that the publisher hides, as the last load found.
        missing: what its files lack of it, as the last load found: source and upstream name.
    """

    field: Field
    spec: Spec | None
    upstream: tuple[tuple[str, str], ...]
    hidden: int
    missing: tuple[str, ...]


@dataclass(frozen=True)
class TableFacts:
    """A table or view.

    Attributes:
        described: its columns, key and provenance.
        table: its declaration; None for a view.
        status: what its last load did.
        columns: by name.
        sources: those that it reads itself, by id.
        origins: the releases behind its rows.
        made_from, feeds: the tables and views on either side of it.
        looked_up: tables in which only codes are looked up.
        corrections: what was corrected in the publishers' files, in sentences.
        balance: file to its number of rows, and how many of these had which fate.
        checks: the newest results.
        language, code: ``python`` or ``sql``, and the text of the transform or view.
        path: of the file with this code, below the package.
    """

    described: Described
    table: Table | None
    status: TableStatus | None
    columns: Mapping[str, Column]
    sources: Mapping[str, Source]
    made_from: tuple[str, ...]
    feeds: tuple[str, ...]
    looked_up: tuple[str, ...]
    corrections: tuple[str, ...]
    balance: Mapping[str, Mapping[str, int]]
    checks: tuple[CheckResult, ...]
    language: str
    code: str
    path: str

    @property
    def name(self) -> str:
        """The table's name."""
        return self.described.name

    @property
    def origins(self) -> tuple[Origin, ...]:
        """The releases behind its rows."""
        return self.described.provenance.origins

    @property
    def rows(self) -> int:
        """How many rows it has."""
        return self.described.rows

    @property
    def summary(self) -> str:
        """The first paragraph of its description, on one line."""
        return " ".join(self.described.description.partition("\n\n")[0].split())

    @property
    def failing(self) -> tuple[CheckResult, ...]:
        """The checks that last found something."""
        return tuple(check for check in self.checks if not check.passed)


@dataclass(frozen=True)
class Facts:
    """Everything that is known.

    Attributes:
        tables: every table and view, in the collection's order.
        sources: every source that a table reads, with its newest release.
        today: the day from which ages count.
    """

    tables: Mapping[str, TableFacts]
    sources: tuple[SourceStatus, ...]
    health: Health
    today: date


def gather_facts(database: Database, archive: Archive, collection: Collection) -> Facts:
    """Gather what is known of all tables of a collection.

    Raises:
        DatabaseUnreachable: the server does not answer.
        ArchiveUnusable: the archive cannot be read.
    """
    state = gather(database, archive)
    with database.connect() as connection:
        loads = ledger.newest(connection, database.schema)
    statuses = {status.table: status for status in state.tables}
    found = {}
    for described in collection.tables:
        checks = tuple(check for check in state.checks if check.table == described.name)
        found[described.name] = table_facts(described, statuses.get(described.name), loads.get(described.name), checks)
    sources = tuple(source for source in state.sources if source.tables)
    return Facts(found, sources, judge(state), collection.taken_at.date())


def table_facts(
    described: Described, status: TableStatus | None, load: ledger.Load | None, checks: Sequence[CheckResult]
) -> TableFacts:
    """What is known of one table or view."""
    name = described.name
    table, view = tables().get(name), views().get(name)
    hidden = status.hidden if status else {}
    missing = tuple(status.missing) if status else ()
    own = specs(table.contract) if table else {}
    columns = {field.name: _column(field, own.get(field.name), table, hidden, missing) for field in described.fields}
    code = inspect.getsource(inspect.getmodule(table.transform) or table.transform) if table else ""
    path = table.path if table else views()[name].path
    made_from = tuple(table.input_tables) if table else tuple(views()[name].inputs)
    return TableFacts(
        described=described,
        table=table,
        status=status,
        columns=columns,
        sources={source: catalogue()[source] for source in table.sources} if table else {},
        made_from=made_from,
        feeds=feeds(name),
        looked_up=tuple(other for other in table.tables if other not in made_from) if table else (),
        corrections=tuple(applied.text for applied in as_recorded(name, load.corrections if load else {})),
        balance=summed(status.balance) if status else {},
        checks=tuple(checks),
        language="sql" if view else "python",
        code=view.text if view else code,
        path="/".join(path.parts[path.parts.index("edu_pipeline", -5) :]) if path else "",
    )


def feeds(name: str) -> tuple[str, ...]:
    """The tables and views that are made from a table."""
    by_tables = [table.name for table in tables().values() if name in table.input_tables]
    return (*by_tables, *(view.name for view in views().values() if name in view.inputs))


def _column(
    field: Field,
    spec: Spec | None,
    table: Table | None,
    hidden: Mapping[str, int],
    missing: Iterable[str],
) -> Column:
    """A column; the ledger names what a file lacks ``<source>: <upstream column>``, with a remark where it is empty."""
    upstream: tuple[tuple[str, str], ...] = ()
    if spec and table and spec.upstream:
        if isinstance(spec.upstream, Mapping):
            upstream = tuple(spec.upstream.items())
        else:
            upstream = tuple((parameter, spec.upstream) for parameter in table.parameters)
    files = table.files if table else {}
    names = [f"{files[parameter].source}: {name}" for parameter, name in upstream if parameter in files]
    lacking = [lacks for lacks in missing if any(re.match(rf"{re.escape(name)}(\W|$)", lacks) for name in names)]
    return Column(field, spec, upstream, hidden.get(field.name, 0), tuple(lacking))
