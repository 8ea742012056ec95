"""The failure texts: every way in which a load can fail, one class each.

Belongs here: exception classes whose message says what was expected, what was found, where, and what to
do next. Does not belong here: any handling of them, except the one function that classifies a failure as
transient (worth a retry) or not.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from typing import Any

import psycopg
import requests

EXAMPLES = 20
"""How many examples a failure text shows at most."""


LONGEST_VALUE = 200
"""Most characters of a value that a text shows."""

LONGEST_TEXT = 4_000
"""Most characters of a failure text."""


def shown(value: object, longest: int = LONGEST_VALUE) -> str:
    """A value from a file as texts show it: on one line, control and formatting characters escaped, cut."""
    text = str(value)
    escaped = "".join(
        char if char.isprintable() else char.encode("unicode_escape").decode() for char in text[: longest + 1]
    )
    return cut(escaped, longest)


def cut(text: str, longest: int = LONGEST_TEXT) -> str:
    """A text of at most ``longest`` characters; three dots stand for the rest."""
    return text if len(text) <= longest else f"{text[: longest - 3]}..."


class EduError(Exception):
    """A failure that a person can act on.

    Args:
        where: source and release, table, or file in which it happened.
        problem: what was expected and what was found.
        remedy: what to do next, an imperative sentence.
    """

    transient = False

    def __init__(self, where: str, problem: str, remedy: str) -> None:
        self.where, self.problem, self.remedy = where, problem, remedy
        super().__init__(f"{where}: {problem} {remedy}")

    def __str__(self) -> str:
        problem = cut(self.problem, LONGEST_TEXT - len(self.where) - len(self.remedy) - 50)
        return f"{type(self).__name__}: {self.where}: {problem} {self.remedy}"

    def __reduce__(self) -> tuple[Any, ...]:
        """A failure in another process is the same one here."""
        return _failure, (type(self), self.args, vars(self))


def _failure(kind: type[EduError], args: tuple[object, ...], state: dict[str, object]) -> EduError:
    failure = kind.__new__(kind, *args)
    vars(failure).update(state)
    return failure


class SettingInvalid(EduError):
    """A setting has a value that cannot be used."""


class SourceMissing(EduError):
    """No release of a source: neither in the archive nor at its publisher."""


class InputMissing(SourceMissing):
    """A table waits: no release has a file that it needs, or a table that it is made from was never loaded.

    Attributes:
        awaited: the sources and tables, in words.
    """

    def __init__(self, where: str, problem: str, remedy: str, awaited: str) -> None:
        self.awaited = awaited
        super().__init__(where, problem, remedy)


class NotInStandIn(SourceMissing):
    """The directory that stands in for the publishers has no file of a source: tables that need it wait."""


class DownloadFailed(EduError):
    """The publisher answered, and not with the file; a retry will not mend it."""

    status: int | None = None
    """HTTP status of the answer, where there was one."""


class PublisherUnavailable(EduError):
    """Time-out, connection lost, 5xx or 429 after all retries: later it may work."""

    transient = True


class DownloadRefused(EduError):
    """We refuse to follow: a redirect to plain http or to a private address, or a file beyond the limit."""


class FileInvalid(EduError):
    """The file is not what the catalogue says: empty, truncated, an HTML page, another format."""


class MemberMissing(EduError):
    """A zip archive has no member of the expected name."""


class ReleaseDamaged(EduError):
    """A file of the archive no longer has the SHA-256 it was stored with."""


class ArchiveUnusable(EduError):
    """The archive of releases cannot be read or written: no space, no permission, not there."""


class ColumnMissing(EduError):
    """An upstream column that a contract needs is not in the file."""

    def __init__(self, where: str, column: str, found: Iterable[str], contract: str, field: str) -> None:
        found = list(found)
        close = difflib.get_close_matches(column.lower(), [name.lower() for name in found], n=3, cutoff=0.5)
        closest = [name for name in found if name.lower() in close] or found[:EXAMPLES]
        super().__init__(
            where,
            f"column {column!r} not found; closest: {', '.join(map(repr, closest)) or 'none'}.",
            f"Add it to the aliases of {contract}.{field}.",
        )


class NoRows(EduError):
    """A file or a transform gave no row at all."""


class OriginMixed(EduError):
    """Invented data of the sample publisher and data of real publishers would stand in one schema."""


class TooManyRefused(EduError):
    """More rows break the contract than the table tolerates."""


class UnknownReference(EduError):
    """More rows point to a key that does not exist than the table tolerates."""


class TableShrank(EduError):
    """A load has far fewer rows than the one before."""


class CheckRed(EduError):
    """A check would turn red that the published rows pass.

    Attributes:
        checks: their names.
    """

    def __init__(self, where: str, problem: str, remedy: str, checks: list[str]) -> None:
        super().__init__(where, problem, remedy)
        self.checks = checks


class ProcessKilled(EduError):
    """A process that worked on a part of the rows is gone."""


class TableBusy(EduError):
    """Another load of the same table is under way."""

    transient = True


class DatabaseUnreachable(EduError):
    """The database does not answer."""

    transient = True


class MigrationInvalid(EduError):
    """A migration that was applied has been edited, or is gone."""


class MigrationFailed(EduError):
    """A migration did not apply; its transaction was rolled back."""


class PrivilegeMissing(EduError):
    """The role of this session may not do what is needed; the text has the statement for one that may."""


class RebuildUnderWay(EduError):
    """Another full rebuild of the same schema is under way."""


class SwapBlocked(EduError):
    """Other sessions read or load for so long that the schemas could not be swapped; nothing has changed."""


class SchemaInUse(EduError):
    """A schema cannot be dropped: something outside depends on it, or something in it is not ours."""


class NoPrevious(EduError):
    """There is no previous schema to go back to."""


class DiskFull(EduError):
    """The database server has no space left; what was begun is undone."""


class CorrectionInvalid(EduError):
    """An entry of corrections.toml names what there is not, or cannot be read."""


class SchemaMissing(EduError):
    """A schema that is to be read does not exist."""


class QueriesInvalid(EduError):
    """A file of queries cannot be read as such."""


class SwitchoverRefused(EduError):
    """The database's search_path stays as it is: what it would lead to is not ready, or it is not what was expected."""


class ClusterFailed(EduError):
    """The private PostgreSQL cluster could not be made or started."""


def is_transient(error: BaseException) -> bool:
    """Whether a retry can mend ``error``: time-outs, 5xx, 429, connections lost; nothing else."""
    if isinstance(error, EduError):
        return error.transient
    return isinstance(
        error,
        requests.Timeout | requests.ConnectionError | psycopg.OperationalError | ConnectionError | TimeoutError,
    )
