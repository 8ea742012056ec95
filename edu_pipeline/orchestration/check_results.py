"""The checks of tables and views as Dagster has them: their specifications, and their results as events.

Belongs here: from a load, a failure or a check's result to Dagster's check results. Does not belong here: the checks
(package ``checks``), when a load is refused (``loading/acceptance.py``), other metadata (``metadata.py``).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import dagster as dg

from edu_pipeline import checks
from edu_pipeline.errors import CheckRed, NoRows, TableShrank, UnknownReference
from edu_pipeline.loading.columns import missing_columns
from edu_pipeline.loading.corrections import as_recorded, corrections_for
from edu_pipeline.loading.load import Outcome
from edu_pipeline.orchestration.untrusted import escaped, table
from edu_pipeline.table import Table

LOAD_CHECKS = {
    "contract": "Rows that break the contract are in quarantine, and few enough to publish the others.",
    "references": "Codes refer to rows that exist, but for a tolerated few.",
    "volume": "There are rows, and not far fewer than in the previous load.",
}
"""The checks that every load of a table makes."""

CORRECTIONS = "Every correction of a known upstream error still finds the value that it corrects (corrections.toml)."
COLUMNS = "The files have every column that the table reads; one that is missing is NULL in all rows."
SUPPLIED = "An operator has supplied the file. Without it the table is empty: no value is invented."


def table_check_specs(table: Table) -> list[dg.AssetCheckSpec]:
    """The checks that a load of ``table`` reports."""
    return [
        dg.AssetCheckSpec(name, asset=table.name, description=description)
        for name, description in _descriptions(table).items()
    ]


def view_check_specs(name: str) -> list[dg.AssetCheckSpec]:
    """The checks that a refresh of a view reports."""
    return [_spec(check) for check in checks.specs_of(name)]


def agreement_check_specs(name: str) -> list[dg.AssetCheckSpec]:
    """The checks of a table that compare it with others, or with today's date."""
    return [_spec(check) for check in checks.specs_of(name) if check.between]


def check_result(result: checks.CheckResult) -> dg.AssetCheckResult:
    """The result of a check, for a step of Dagster's to report."""
    return dg.AssetCheckResult(**_fields(result))


def check_evaluation(result: checks.CheckResult) -> dg.AssetCheckEvaluation:
    """The result of a check that no step of Dagster's reports."""
    return dg.AssetCheckEvaluation(**_fields(result))


def loaded_checks(table: Table, outcome: Outcome) -> Iterator[dg.AssetCheckResult]:
    """The results of all checks of a load that succeeded."""
    load = outcome.load
    yield dg.AssetCheckResult(check_name="contract", passed=True, metadata=_quarantine_metadata(outcome))
    yield dg.AssetCheckResult(check_name="references", passed=True, metadata={"unknown": dict(load.unknown)})
    yield dg.AssetCheckResult(check_name="volume", passed=True, metadata={"rows": load.rows or 0})
    if table.sources:
        yield columns_check(load.missing)
    if corrections_for(table.name):
        yield _corrections_check(table.name, load.corrections)
    if table.is_supplied:
        yield _supplied_check(table, bool(load.releases))
    yield from map(check_result, outcome.checks)


def failed_checks(failure: dg.Failure) -> Iterator[dg.AssetCheckResult]:
    """The checks that a failure of a load turns red."""
    for name in failed_check_names(failure.__cause__):
        yield dg.AssetCheckResult(
            check_name=name,
            passed=False,
            description=escaped(failure.description or ""),
            metadata=failure.metadata,
        )


def failed_check_names(error: BaseException | None) -> list[str]:
    """The checks that an error turns red; ``contract`` unless the error is about another one."""
    match error:
        case UnknownReference():
            return ["references"]
        case NoRows() | TableShrank():
            return ["volume"]
        case CheckRed():
            return error.checks
        case _:
            return ["contract"]


def waiting_checks(table: Table, missing: str) -> Iterator[dg.AssetCheckResult]:
    """The results of all checks of a table that is not loaded, since it waits for ``missing``: warnings that say so."""
    for name in _descriptions(table):
        yield dg.AssetCheckResult(
            check_name=name,
            passed=False,
            severity=dg.AssetCheckSeverity.WARN,
            description=escaped(f"It waits for {missing}."),
        )


def _spec(check: checks.CheckSpec) -> dg.AssetCheckSpec:
    return dg.AssetCheckSpec(check.name, asset=check.table, description=check.description)


def _descriptions(table: Table) -> dict[str, str]:
    """The checks that a load of ``table`` reports, and what each says when it passes."""
    descriptions = dict(LOAD_CHECKS)
    if table.is_supplied:
        descriptions["supplied"] = SUPPLIED
    if table.sources:
        descriptions["columns"] = COLUMNS
    if corrections_for(table.name):
        descriptions["corrections"] = CORRECTIONS
    descriptions |= {check.name: check.description for check in checks.specs_of(table.name) if not check.between}
    return descriptions


def _fields(result: checks.CheckResult) -> dict[str, Any]:
    return {
        "asset_key": dg.AssetKey(result.table),
        "check_name": result.name,
        "passed": result.passed,
        "severity": dg.AssetCheckSeverity(result.severity.upper()),
        "description": escaped(result.description) if result.description else None,
        "metadata": result.metadata,
    }


def _quarantine_metadata(outcome: Outcome) -> dict[str, Any]:
    """How many rows a load refused, and the reasons for the first of them; the ledger has them all."""
    metadata: dict[str, Any] = {"refused": outcome.load.refused}
    if outcome.refused:
        metadata["quarantine"] = table(["key", "reasons"], outcome.refused)
    return metadata


def columns_check(missing: Mapping[str, list[str]]) -> dg.AssetCheckResult:
    """Whether the files had every column that the table reads; a warning names those that are missing."""
    return dg.AssetCheckResult(
        check_name="columns",
        passed=not missing,
        severity=dg.AssetCheckSeverity.WARN,
        description=escaped(missing_columns(missing)) if missing else None,
        metadata={"missing": len(missing)},
    )


def _corrections_check(table: str, corrected_rows: Mapping[str, int]) -> dg.AssetCheckResult:
    """Whether every correction was needed; one that corrects no row can be removed."""
    unused = [applied.text for applied in as_recorded(table, corrected_rows) if applied.rows == 0]
    return dg.AssetCheckResult(
        check_name="corrections",
        passed=not unused,
        severity=dg.AssetCheckSeverity.WARN,
        description=escaped("; ".join(unused)) or None,
        metadata={"rows corrected": dict(corrected_rows)},
    )


def _supplied_check(table: Table, is_supplied: bool) -> dg.AssetCheckResult:
    """Whether an operator has supplied a file of the table."""
    missing = f"No file of {', '.join(table.sources)}: see docs/editorial-files.md."
    return dg.AssetCheckResult(
        check_name="supplied",
        passed=is_supplied,
        severity=dg.AssetCheckSeverity.WARN,
        description=None if is_supplied else escaped(missing),
    )
