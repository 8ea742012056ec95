"""From declarations to Dagster: one raw asset per source, one asset per table, one per view.

Belongs here: everything that Dagster shows of them (groups, owners, kinds, tags, column schema, checks,
metadata). Does not belong here: the way of the data (``load.py``, ``views.py``), which knows no Dagster.
"""

import traceback
import warnings
from collections.abc import Iterable, Iterator, Sequence
from datetime import timedelta
from typing import Any

import dagster as dg

from edu_pipeline import checks
from edu_pipeline.catalogue import Source, catalogue
from edu_pipeline.contracts import spec
from edu_pipeline.database.migrate import described_columns
from edu_pipeline.database.views import View
from edu_pipeline.errors import CheckRed, EduError, InputMissing, NoRows, TableShrank, UnknownReference, is_transient
from edu_pipeline.loading import operator_file
from edu_pipeline.loading.corrections import as_recorded, corrections_for
from edu_pipeline.loading.lineage import sources_of, upstream_tables
from edu_pipeline.loading.load import Outcome, load
from edu_pipeline.loading.releases import fetch_if_new
from edu_pipeline.loading.versions import code_version
from edu_pipeline.loading.view_refresh import refresh
from edu_pipeline.monitoring.plots import as_markdown, plot
from edu_pipeline.operations.swap import swap
from edu_pipeline.resources import ArchiveResource, PostgresResource, RunOptions
from edu_pipeline.settings import settings
from edu_pipeline.sources.fetch import Fetched, newest_fetched
from edu_pipeline.sources.inputs import awaited, releases_of
from edu_pipeline.table import Table, tables

OWNERS = ["team:data-engineering"]
RETRIES, RETRY_AFTER = 2, 30
"""How often, and after how many seconds, a step is tried again whose failure a retry can mend."""

CHECKS = {
    "contract": "Rows that break the contract are in quarantine, and are few enough to publish the others.",
    "references": "Codes point to rows that exist, but for a tolerated few.",
    "volume": "There are rows, and not far fewer than at the load before.",
}


REASONS = 400
"""Characters of the reasons for refusing a row that its table's check shows."""

INVENTED = "INVENTED by the sample publisher: nothing of it is real"

CORRECTIONS = "Every correction of a known upstream error still finds what it expects (corrections.toml)."
SUPPLIED = "The file that an operator hands in is there; without it the table is empty, no value is invented."


WARN_AFTER = 0.75
"""Share of the time that a source may age from which its assets' freshness is a warning."""


def _priority(table: Table) -> int:
    """2 of the tables that take longest, those of a source in many parts: others are loaded beside them, and not
    before. 1 of those that they are made from, 0 of the others."""
    longest = [name for name, other in tables().items() if other.in_parts]
    return 2 if table.name in longest else int(any(table.name in upstream_tables(name) for name in longest))


def _freshness(sources: Iterable[str]) -> dg.FreshnessPolicy:
    """How old a materialization may get: as old as the newest release of the source that changes most often."""
    days = min(catalogue()[source].max_age_days for source in sources)
    return dg.FreshnessPolicy.time_window(
        fail_window=timedelta(days=days), warn_window=timedelta(days=WARN_AFTER * days)
    )


def raw_key(source: str) -> dg.AssetKey:
    """The key of a source's raw asset."""
    return dg.AssetKey(["raw", catalogue()[source].slug])


def raw_asset(source: Source) -> dg.AssetsDefinition:
    """The asset whose materialization is a release of ``source`` in the archive."""

    @dg.asset(
        key=raw_key(source.id),
        group_name="raw",
        description=f"{source.title}, as published by {source.publisher} ({source.licence}). {source.note}".strip(),
        owners=OWNERS,
        kinds={"file", *(file.format for file in source.files.values())},
        tags={"layer": "raw", "cadence": source.cadence, "publisher": _tag(source.publisher)},
        deps=["probes"],
        freshness_policy=_freshness([source.id]),
        metadata={"source": dg.MetadataValue.url(source.landing_page), "licence": source.licence},
    )
    def raw(
        context: dg.AssetExecutionContext, postgres: PostgresResource, archive: ArchiveResource
    ) -> dg.MaterializeResult[Any]:
        with failures(context):
            held = archive.archive()
            if archive.fetches:
                record = context.instance.get_run_record_by_id(context.run.run_id)
                assert record is not None
                fetched = fetch_if_new(source, settings(), postgres.database(), held, record.create_timestamp)
            else:
                fetched = newest_fetched(source, held)
        if fetched is None:
            return dg.MaterializeResult(metadata={"release": "none: there is no file"})
        return dg.MaterializeResult(
            metadata=release_metadata(fetched), data_version=dg.DataVersion(fetched.release.sha256[:12])
        )

    return raw


def release_metadata(fetched: Fetched) -> dict[str, Any]:
    """What the UI shows of a release."""
    release = fetched.release
    return {
        "release": release.id,
        "new": fetched.new,
        "data": INVENTED if release.invented else "the publisher's",
        "sha256": release.sha256,
        "bytes": sum(file.bytes for file in release.files),
        "files": dg.MetadataValue.md("\n".join(f"- `{file.name}` from {file.url}" for file in release.files)),
        "retrieved_at": dg.MetadataValue.timestamp(release.retrieved_at),
    }


def table_asset(table: Table) -> dg.AssetsDefinition:
    """The asset whose materialization is a load of ``table``."""

    @dg.asset(
        name=table.name,
        group_name=table.layer,
        deps=[*map(raw_key, table.sources), *table.tables, *_places(table)],
        description=table.description,
        owners=OWNERS,
        kinds={"postgres", "polars"},
        tags={"layer": table.layer, **_source_tags(table)},
        op_tags={"dagster/priority": str(_priority(table))},
        freshness_policy=_freshness(sources_of(table.name)),
        code_version=code_version(table),
        check_specs=[
            dg.AssetCheckSpec(name, asset=table.name, description=text) for name, text in _checks(table).items()
        ],
        metadata={
            "dagster/column_schema": _column_schema(table),
            "dagster/table_name": f"{settings().target_schema}.{table.name}",
            "sources": dg.MetadataValue.md(
                "\n".join(f"- [{catalogue()[name].title}]({catalogue()[name].landing_page})" for name in table.sources)
                or "derived from other tables"
            ),
            **_code(table.path),
        },
    )
    def materialize(
        context: dg.AssetExecutionContext,
        postgres: PostgresResource,
        archive: ArchiveResource,
        run_options: RunOptions,
    ) -> Iterator[dg.AssetCheckResult | dg.MaterializeResult[Any]]:
        held = archive.archive()
        releases = releases_of(table, held)
        without_file = awaited(table, releases, tables()).files or (table.sources and not releases)
        supplied = operator_file.kept(table, held) if without_file or table.name in run_options.from_files else None
        try:
            with failures(context):
                outcome = load(table, postgres.database(), held, run_options.options(), context.run.run_id, supplied)
        except dg.Failure as failure:
            if isinstance(failure.__cause__, InputMissing):
                yield from _waiting(table, failure.__cause__.awaited)
                return
            yield from _failed_checks(failure)
            raise
        yield from _passed_checks(table, outcome)
        yield from map(check_result, outcome.checks)
        yield dg.MaterializeResult(metadata=_metadata(outcome) | _picture(table, outcome, postgres, context))

    return materialize


def _picture(
    table: Table, outcome: Outcome, postgres: PostgresResource, context: dg.AssetExecutionContext
) -> dict[str, Any]:
    """The table's picture; without one nothing is lost but the picture."""
    if outcome.skipped:
        return {}
    try:
        drawn = plot(table.name, postgres.database())
    except Exception as error:
        context.log.warning(f"no picture of {table.name}: {type(error).__name__}: {error}")
        return {}
    return {"plot": dg.MetadataValue.md(as_markdown(drawn, table.name))} if drawn else {}


def _places(table: Table) -> list[str]:
    """The tables that say where places are, which its checks ask for: they are loaded first, unless made from it."""
    asked = [name for name in ("departements", "info_communes") if name not in table.tables]
    return [name for name in asked if table.name not in {name, *upstream_tables(name)}]


def view_asset(view: View) -> dg.AssetsDefinition:
    """The asset whose materialization is a refresh of ``view``."""

    @dg.asset(
        name=view.name,
        group_name="views",
        deps=list(view.inputs),
        description=view.description,
        owners=OWNERS,
        kinds={"postgres", "sql"},
        tags={"layer": "views"},
        freshness_policy=_freshness(sources_of(view.name)),
        code_version=view.code_version,
        check_specs=[
            dg.AssetCheckSpec(spec.name, asset=view.name, description=spec.description)
            for spec in checks.specs_of(view.name)
        ],
        metadata={"dagster/table_name": f"{settings().target_schema}.{view.name}", **_code(view.path)},
    )
    def materialize(
        context: dg.AssetExecutionContext,
        postgres: PostgresResource,
        archive: ArchiveResource,
        run_options: RunOptions,
    ) -> Iterator[dg.AssetCheckResult | dg.MaterializeResult[Any]]:
        database = postgres.database()
        with failures(context):
            outcome = refresh(view, database, run_options.options(), run_id=context.run.run_id)
            with database.connect() as connection:
                found = checks.run(connection, database, archive.archive(), view.name)
        yield from map(check_result, found)
        yield dg.MaterializeResult(metadata=_metadata(outcome))

    return materialize


def live_schema_asset(inputs: Sequence[str]) -> dg.AssetsDefinition:
    """The asset that stands for the schema which readers see: its materialization ends a full rebuild."""

    @dg.asset(
        name="live_schema",
        group_name="views",
        deps=list(inputs),
        description="The schema that readers see. A full rebuild fills a schema beside it; when all that is above here "
        "went well, and no check finds an error that the rows in use do not have, the two swap names, and the former "
        "one is kept as <schema>__previous (`edu-pipeline rollback`). In any other run there is nothing to swap, since "
        "tables are published in place.",
        owners=OWNERS,
        kinds={"postgres"},
        tags={"layer": "views"},
    )
    def live_schema(
        context: dg.AssetExecutionContext,
        postgres: PostgresResource,
        archive: ArchiveResource,
        run_options: RunOptions,
    ) -> dg.MaterializeResult[Any]:
        if not postgres.rebuild:
            return dg.MaterializeResult(metadata={"swapped": False})
        with failures(context):
            for found in checks.before_swap(postgres.database(), archive.archive(), run_options.options().accept_red):
                context.instance.report_runless_asset_event(_evaluation(found))
            dependents = swap(postgres.database(), run_options.accept_shrink, context.run.run_id)
        for name in dependents:
            context.log.warning(f"{name} depends on the former schema and shows its rows: make it anew")
        return dg.MaterializeResult(metadata={"swapped": True, "depend on the former schema": dependents})

    return live_schema


class failures:
    """Turns an error into Dagster's: a retry for what a retry can mend, a final failure with the text for the rest."""

    def __init__(self, context: dg.AssetExecutionContext) -> None:
        self.context = context

    def __enter__(self) -> None: ...

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> None:
        if error is None:
            return
        if is_transient(error) and self.context.retry_number < RETRIES:
            self.context.log.warning(str(error))
            raise dg.RetryRequested(max_retries=RETRIES, seconds_to_wait=RETRY_AFTER) from error
        if isinstance(error, EduError):
            raise dg.Failure(
                description=str(error),
                metadata={"where": error.where, "found": error.problem, "what to do": error.remedy},
                allow_retries=False,
            ) from error
        if isinstance(error, Exception):
            raise dg.Failure(
                description=f"{type(error).__name__}: {error}",
                metadata={"defect": dg.MetadataValue.md(f"```\n{''.join(traceback.format_exception(error))}\n```")},
                allow_retries=False,
            ) from error


def check_result(found: checks.CheckResult) -> dg.AssetCheckResult:
    """What a check found, as Dagster takes it."""
    return dg.AssetCheckResult(
        asset_key=dg.AssetKey(found.table),
        check_name=found.name,
        passed=found.passed,
        severity=dg.AssetCheckSeverity(found.severity.upper()),
        description=found.description,
        metadata=found.metadata,
    )


def _evaluation(found: checks.CheckResult) -> dg.AssetCheckEvaluation:
    """What a check found that no step of Dagster's has made."""
    return dg.AssetCheckEvaluation(
        asset_key=dg.AssetKey(found.table),
        check_name=found.name,
        passed=found.passed,
        severity=dg.AssetCheckSeverity(found.severity.upper()),
        description=found.description,
        metadata=found.metadata,
    )


def _failed_checks(failure: dg.Failure) -> Iterator[dg.AssetCheckResult]:
    cause, names = failure.__cause__, ["contract"]
    if isinstance(cause, UnknownReference):
        names = ["references"]
    elif isinstance(cause, NoRows | TableShrank):
        names = ["volume"]
    elif isinstance(cause, CheckRed):
        names = cause.checks
    for name in names:
        yield dg.AssetCheckResult(
            check_name=name, passed=False, description=failure.description, metadata=failure.metadata
        )


def _waiting(table: Table, awaited: str) -> Iterator[dg.AssetCheckResult | dg.MaterializeResult[Any]]:
    """What a table yields that waits for a file or for another table: nothing is loaded, and its checks say so."""
    text = f"It waits for {awaited}."
    for name in _checks(table):
        yield dg.AssetCheckResult(check_name=name, passed=False, severity=dg.AssetCheckSeverity.WARN, description=text)
    yield dg.MaterializeResult(metadata={"waits": text})


def _checks(table: Table) -> dict[str, str]:
    """The checks of a table, and what each says when it is green."""
    own = {"supplied": SUPPLIED} if table.is_supplied else {}
    found = {spec.name: spec.description for spec in checks.specs_of(table.name) if not spec.between}
    return CHECKS | own | ({"corrections": CORRECTIONS} if corrections_for(table.name) else {}) | found


def _passed_checks(table: Table, outcome: Outcome) -> Iterator[dg.AssetCheckResult]:
    done = outcome.load
    yield dg.AssetCheckResult(check_name="contract", passed=True, metadata=_quarantine(outcome))
    yield dg.AssetCheckResult(check_name="references", passed=True, metadata={"unknown": dict(done.unknown)})
    yield dg.AssetCheckResult(check_name="volume", passed=True, metadata={"rows": done.rows or 0})
    if corrections_for(table.name):
        idle = [one.text for one in as_recorded(table.name, done.corrections) if one.found == 0]
        yield dg.AssetCheckResult(
            check_name="corrections",
            passed=not idle,
            severity=dg.AssetCheckSeverity.WARN,
            description="; ".join(idle) or None,
            metadata={"rows corrected": dict(done.corrections)},
        )
    if table.is_supplied:
        yield dg.AssetCheckResult(
            check_name="supplied",
            passed=bool(done.releases),
            severity=dg.AssetCheckSeverity.WARN,
            description=None
            if done.releases
            else f"No file of {', '.join(table.sources)}: see docs/editorial-files.md.",
        )


def _quarantine(outcome: Outcome) -> dict[str, Any]:
    """How many rows a load refused, and why the first of them; the ledger has them all."""
    found: dict[str, Any] = {"refused": outcome.load.refused}
    if outcome.refused:
        found["quarantine"] = dg.MetadataValue.md(markdown(["key", "reasons"], outcome.refused, REASONS))
    return found


def _metadata(outcome: Outcome) -> dict[str, Any]:
    done = outcome.load
    found: dict[str, Any] = {"skipped": outcome.skipped, "dagster/row_count": done.rows}
    if done.invented:
        found["data"] = INVENTED
    if outcome.skipped:
        return found
    changes = {"added": done.added, "changed": done.changed, "removed": done.removed}
    found |= {f"rows_{name}": count for name, count in changes.items() if count is not None}
    found |= {"rows_refused": done.refused, "strategy": done.strategy, "releases": dict(done.releases)}
    found["hidden_cells"] = dict(done.hidden)
    if outcome.preview is not None:
        found["preview"] = dg.MetadataValue.md(_markdown(outcome))
    return found


def _markdown(outcome: Outcome) -> str:
    assert outcome.preview is not None
    return markdown(outcome.preview.columns, outcome.preview.rows())


def markdown(columns: Sequence[str], rows: Iterable[Sequence[object]], longest: int = 60) -> str:
    """A table in Markdown, its cells cut to ``longest`` characters."""
    lines = [columns, ["---"] * len(columns), *([_cell(value, longest) for value in row] for row in rows)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _cell(value: object, longest: int) -> str:
    text = "" if value is None else str(value).replace("|", "\\|").replace("\n", " ")
    return text if len(text) <= longest else f"{text[: longest - 3]}..."


def _column_schema(table: Table) -> dg.TableSchema:
    described = described_columns(table)
    return dg.TableSchema(
        columns=[
            dg.TableColumn(
                name,
                spec(column).sql,
                description=described[name],
                constraints=dg.TableColumnConstraints(nullable=column.nullable, unique=table.key == [name]),
            )
            for name, column in table.contract.columns().items()
        ]
    )


def _source_tags(table: Table) -> dict[str, str]:
    sources = [catalogue()[name] for name in table.sources]
    if not sources:
        return {}
    return {"cadence": sources[0].cadence, "publisher": _tag(sources[0].publisher)}


def _tag(text: str) -> str:
    """A tag's value may have letters, digits, _, - and . only, 63 at most."""
    plain = "".join(char if char.isascii() and char.isalnum() else "_" for char in text)
    return plain.strip("_")[:63]


def _code(path: Any) -> dict[str, Any]:
    with warnings.catch_warnings(action="ignore", category=dg.BetaWarning):
        reference = dg.LocalFileCodeReference(file_path=str(path), line_number=1)
        return {"dagster/code_references": dg.CodeReferencesMetadataValue(code_references=[reference])}
