"""The failures: one class for every way in which something can fail that a person can act on.

Belongs here: exception classes whose text says where, what was expected, what was found, and what to do next. Does not
belong here: handling them, except for the one function that says which failures are transient (worth a retry).

Every text has one form: `<class>: <where>: expected ..., found .... <what to do>.` docs/operating.md says what each
class means; a test compares the two.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import psycopg
import requests

EXAMPLES = 20
"""Most examples that a failure text shows."""


LONGEST_VALUE = 200
"""Most characters of a value that a text shows."""

LONGEST_TEXT = 4_000
"""Most bytes of a failure text."""


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


def cut_to_bytes(text: str, longest: int) -> str:
    """A text of at most ``longest`` bytes; three dots stand for the rest."""
    encoded = text.encode("utf-8", "replace")
    return text if len(encoded) <= longest else f"{encoded[: max(0, longest - 3)].decode('utf-8', 'ignore')}..."


class EduError(Exception):
    """A failure that a person can act on.

    Args:
        where: the source and release, table or file where it happened.
        problem: "expected ..., found ....", a whole sentence.
        remedy: what to do next, an imperative sentence.

    Attributes:
        transient: whether trying again later may help.
    """

    transient = False

    def __init__(self, where: str, problem: str, remedy: str) -> None:
        self.where, self.problem, self.remedy = where, problem, remedy
        super().__init__(f"{where}: {problem} {remedy}")

    def __str__(self) -> str:
        where, remedy = (cut_to_bytes(text, LONGEST_TEXT // 4) for text in (self.where, self.remedy))
        problem = cut_to_bytes(self.problem, LONGEST_TEXT - len(f"{where}{remedy}".encode()) - 50)
        return f"{type(self).__name__}: {where}: {problem} {remedy}"

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickle all of it: a failure in a worker process arrives here with its attributes."""
        return _failure, (type(self), self.args, vars(self))


def _failure(kind: type[EduError], args: tuple[object, ...], state: dict[str, object]) -> EduError:
    failure = kind.__new__(kind, *args)
    vars(failure).update(state)
    return failure


class SettingInvalid(EduError):
    """A setting or an argument has a value that cannot be used."""


class SourceMissing(EduError):
    """The archive has no release of a source, and there is no file to make one from."""


class InputMissing(SourceMissing):
    """A table is waiting: no release has a file that it needs, or a table that it is made from was never loaded.

    Attributes:
        awaited: the sources and tables that it waits for, in words.
    """

    def __init__(self, where: str, problem: str, remedy: str, awaited: str) -> None:
        self.awaited = awaited
        super().__init__(where, problem, remedy)


class NotInStandIn(SourceMissing):
    """The stand-in directory has no file for a source; tables that need it wait."""


class DownloadFailed(EduError):
    """The publisher answered, but not with the file; trying again will not help."""

    status: int | None = None
    """HTTP status of the answer, if there was one."""


class PublisherUnavailable(EduError):
    """Timeout, lost connection, 5xx or 429 after all retries; it may work later."""

    transient = True


class DownloadRefused(EduError):
    """A download that is not allowed: a redirect to plain http or a private address, or a file over the size limit."""


class FileInvalid(EduError):
    """A file is not what the catalogue says: it is empty, truncated, an HTML page or in another format."""


class StillRefused(FileInvalid):
    """A publisher still has a file that was refused before; it is not tried again."""


class MemberMissing(EduError):
    """A zip archive has no member with the expected name."""


class ReleaseDamaged(EduError):
    """A file in the archive no longer has the SHA-256 that it was stored with."""


class ArchiveUnusable(EduError):
    """The archive of releases cannot be read or written: it is missing or full, or permission is denied."""


class ColumnMissing(EduError):
    """A file lacks an upstream column that a contract needs.

    Args:
        where: the source and release, or the file.
        column: the upstream name.
        closest: names in the file that are close to it.
        contract: the contract's class.
        field: the contract's column.
        remedy: what to do, if a new name is not to be added to the aliases of ``field``.
    """

    def __init__(
        self, where: str, column: str, closest: Iterable[str], contract: str, field: str, remedy: str | None = None
    ) -> None:
        names = ", ".join(map(repr, closest))
        if remedy is None:
            remedy = f"Add the new name to the aliases of {contract}.{field} if the publisher renamed it."
            remedy = remedy if names else f"Look at the file: it may be another one. {remedy}"
        super().__init__(
            where, f"expected column {column!r}, found none of that name (closest: {names or 'none is close'}).", remedy
        )


class ColumnEmpty(EduError):
    """A column that a table cannot do without is there, but no row has a value in it."""


class AnotherFile(EduError):
    """A file has hardly any of the columns that a table reads from it: it is probably another file."""


class NoRows(EduError):
    """A file or a transform gave no rows at all."""


class RowsUnaccounted(EduError):
    """Rows of a file are neither published nor refused, and no rule has set them aside."""


class NothingFound(EduError):
    """Of all the rows for which something was looked up in another file, none was found there."""


class FileShrank(EduError):
    """A file has far fewer rows that count than in the last load."""


class OriginMixed(EduError):
    """The sample publisher's invented data and real data would be mixed in one schema."""


class TooManyRefused(EduError):
    """More rows break the contract than the table allows."""


class UnknownReference(EduError):
    """More rows refer to a key that does not exist than the table allows."""


class TableShrank(EduError):
    """A load would leave far fewer rows than are published."""


class CheckRed(EduError):
    """The new rows fail a check that the published rows pass.

    Attributes:
        checks: names of the failing checks.
    """

    def __init__(self, where: str, problem: str, remedy: str, checks: list[str]) -> None:
        super().__init__(where, problem, remedy)
        self.checks = checks


class ProcessKilled(EduError):
    """A worker process that was making part of the rows, or the files of the site's map, was killed."""


class TableBusy(EduError):
    """Another load of the same table is still running."""

    transient = True


class DatabaseUnreachable(EduError):
    """The database server does not answer."""

    transient = True


class MigrationInvalid(EduError):
    """The database is older or newer than the program, or a migration that was already applied has been edited."""


class MigrationFailed(EduError):
    """A migration failed; its transaction was rolled back."""


class PrivilegeMissing(EduError):
    """The session's role lacks a privilege; the text has the statement that a superuser can run instead."""


class WaitTooLong(EduError):
    """Another run, or some other session, held a lock for longer than anybody waits for it."""


class RebuildUnderWay(EduError):
    """Another full rebuild of the same schema is running."""


class SwapBlocked(EduError):
    """Other sessions kept reading or loading for so long that the schemas could not be swapped; nothing has changed."""


class SchemaInUse(EduError):
    """A schema cannot be dropped: something outside depends on it, or it contains something that is not ours."""


class NoPrevious(EduError):
    """There is no previous schema to return to."""


class DiskFull(EduError):
    """The database server, or the folder for temporary files, has no space left; the transaction was rolled back."""


class CorrectionInvalid(EduError):
    """An entry of corrections.toml cannot be read, or names something that does not exist."""


class SchemaMissing(EduError):
    """A schema that a command should read does not exist."""


class QueriesInvalid(EduError):
    """A file of queries for `edu-pipeline compare` cannot be parsed."""


class ExportFailed(EduError):
    """The files of an export cannot be written: the folder or bucket is not writable, or a disk is full."""


class SiteFailed(EduError):
    """The site cannot be built: its folder is not writable, a disk is full, or npm cannot install its JavaScript."""


class SwitchoverRefused(EduError):
    """The search_path was left alone: the target schema is not ready, or somebody else has changed the path."""


class UiStopped(EduError):
    """One of the programs that serve the UI has ended by itself."""


class ClusterFailed(EduError):
    """The private PostgreSQL cluster could not be created or started."""


def failure_text(error: BaseException) -> str:
    """What people read of an error: its text, or the name and the message of one that is not the project's."""
    return str(error) if isinstance(error, EduError) else cut(f"{type(error).__name__}: {error}")


def is_transient(error: BaseException) -> bool:
    """Whether trying again may help: timeouts, 5xx, 429, lost connections; nothing else."""
    if isinstance(error, EduError):
        return error.transient
    return isinstance(
        error,
        requests.Timeout | requests.ConnectionError | psycopg.OperationalError | ConnectionError | TimeoutError,
    )
