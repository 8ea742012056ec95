"""Whether a load that failed would fail again.

Belongs here: which failures come from the content of releases, and what must change before another attempt. Does not
belong here: recording a failure (``recording.py``), what is loaded (``plan.py``).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from importlib import resources

from edu_pipeline import errors
from edu_pipeline.checks.subject import PLACES
from edu_pipeline.contracts import specs
from edu_pipeline.database.ledger import Load
from edu_pipeline.table import Table

OF_CONTENT = frozenset(
    kind.__name__
    for kind in (
        errors.AnotherFile,
        errors.CheckRed,
        errors.ColumnEmpty,
        errors.ColumnMissing,
        errors.FileInvalid,
        errors.MemberMissing,
        errors.NoRows,
        errors.TableShrank,
        errors.TooManyRefused,
        errors.UnknownReference,
    )
)
"""The failures that the same releases and the same code lead to again; any other is tried again."""

TEXT = re.compile(r"(?P<kind>\w+): (?P<where>.+?): (?P<problem>.+)", re.DOTALL)
"""A failure text."""

CHECK = re.compile(r"(?:, found | \| )(\w+): ")
"""What precedes and follows the name of a check in the text of CheckRed."""


def would_fail_again(
    table: Table, version: str, loaded: Load | None, failed: Load | None, changes: Mapping[str, int]
) -> bool:
    """Whether the last attempt to load ``table`` failed for its content, and nothing has changed since.

    Args:
        version: that of the inputs now (``versions.inputs_version``).
        loaded: the newest load that was published.
        failed: the newest one that failed.
        changes: table to the id of the newest load that changed a row of it (``ledger.last_change``).
    """
    if failed is None or failed.id is None or (loaded and (loaded.id or 0) > failed.id):
        return False
    is_of_content = (failed.error or "").partition(":")[0] in OF_CONTENT
    looked_up = {*PLACES, *(name for spec in specs(table.contract).values() for name in spec.references or ())}
    has_changed = (
        failed.inputs_version != version
        or any(changes.get(name, 0) > failed.id for name in looked_up)
        or (failed.finished_at is not None and _expectations_changed_at() > failed.finished_at)
    )
    return is_of_content and not has_changed


def recorded(failed: Load) -> errors.EduError:
    """The failure of a recorded load, of the class that it had; its text begins as it did then."""
    match = TEXT.fullmatch(failed.error or "")
    assert match is not None and failed.finished_at is not None
    kind = getattr(errors, match["kind"])
    failure: errors.EduError = kind.__new__(kind)
    failure.where, failure.problem = match["where"], match["problem"]
    failure.remedy = (
        f"Nothing has changed since this load failed at {failed.finished_at:%Y-%m-%d %H:%M}, so it was not tried "
        f"again. `edu-pipeline refresh {failed.table_name}` does."
    )
    if isinstance(failure, errors.CheckRed):
        failure.checks = CHECK.findall(failure.problem)
    return failure


def _expectations_changed_at() -> datetime:
    """When the figures of the checks, which no version covers, were last edited or installed."""
    with resources.as_file(resources.files("edu_pipeline.checks") / "expectations.toml") as path:
        return datetime.fromtimestamp(path.stat().st_mtime, UTC)
