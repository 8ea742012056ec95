"""What the ledger will say of a load, collected while it runs.

Belongs here: from the steps of a load to its row in the ledger, and recording a load that fails. Does not belong here:
the steps (``load.py``), statements (``database/ledger.py``).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from types import TracebackType

import polars as pl
import psycopg

from edu_pipeline.database import ledger
from edu_pipeline.database.connection import Connection, Database
from edu_pipeline.database.ledger import REFUSED, Load
from edu_pipeline.errors import EduError, failure_text
from edu_pipeline.loading import acceptance
from edu_pipeline.loading.balance import Balance
from edu_pipeline.loading.conform import Conformed
from edu_pipeline.loading.difference import Difference
from edu_pipeline.loading.rows import Made
from edu_pipeline.sources.archive import Release


class Recording:
    """What the ledger will say of a load, collected on its way; if it fails, that is recorded, whatever the error.

    A panic, a lack of memory and Ctrl-C are errors too, and the connection of the load may be broken: the failure is
    recorded on a new one.

    Attributes:
        releases: source to the release that is read.
        where: table and releases, for failure texts.
        notes: what the readers did to the files, in sentences.
    """

    def __init__(self, database: Database, attempt: Load, releases: Mapping[str, Release]) -> None:
        self.database, self.load, self.releases = database, attempt, releases
        self.where = f"table {attempt.table_name}, {acceptance.described(releases)}"
        self.refused = pl.DataFrame(schema=REFUSED)
        self.notes: Sequence[str] = ()

    def __enter__(self) -> Recording:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if error is None:
            return
        failed = replace(
            self.load,
            state="failed",
            refused=self.refused.height,
            error=failure_text(error).replace("\0", "\N{REPLACEMENT CHARACTER}"),
        )
        for sample in (self.refused, self.refused.clear()):  # the failure alone, if its rows cannot be recorded
            with suppress(EduError, psycopg.Error), self.database.connect() as connection:
                ledger.record(connection, failed, sample, self.releases)
                return

    def made(self, made: Made) -> None:
        """Note what was read, and what the contract refuses."""
        self.refused = made.conformed.refused
        self.load = replace(
            self.load, hidden=made.hidden, corrections=made.corrected, missing=made.missing, skipped=made.skipped
        )
        self.notes = made.notes

    def resolved(self, conformed: Conformed, unknown: Mapping[str, int], balance: Balance) -> None:
        """Note which references are unknown, what is refused for that, and where the rows of the files went."""
        self.refused = conformed.refused
        self.load = replace(self.load, unknown=unknown, balance=balance.files, look_ups=balance.look_ups)

    def published(self, connection: Connection, strategy: str, conformed: Conformed, change: Difference) -> Load:
        """Record the load as published, in the transaction of its rows."""
        done = replace(
            self.load,
            state="published",
            strategy=strategy,
            rows=conformed.rows,
            added=change.added,
            changed=change.changed,
            removed=change.removed,
            refused=self.refused.height,
        )
        return replace(done, id=ledger.record(connection, done, self.refused, self.releases))
