"""What the UI shows of assets, and of what they have loaded.

Belongs here: owners, freshness, columns, code and sources of an asset; the release, the counts, the first rows and the
plot of a materialization. Does not belong here: results of checks (``check_results.py``), how a table is laid out
(``untrusted.py``), drawing plots (``monitoring/plots.py``).
"""

from __future__ import annotations

import warnings
from collections.abc import Iterable
from datetime import timedelta
from logging import Logger
from pathlib import Path
from typing import Any

import dagster as dg

from edu_pipeline.accounts import summed
from edu_pipeline.catalogue import catalogue
from edu_pipeline.contracts import spec
from edu_pipeline.database.connection import Database
from edu_pipeline.database.ledger import Load
from edu_pipeline.database.migrate import described_columns
from edu_pipeline.loading.load import Outcome
from edu_pipeline.monitoring.plots import as_markdown, balance, plot
from edu_pipeline.orchestration.untrusted import table as table_of
from edu_pipeline.orchestration.untrusted import transposed
from edu_pipeline.settings import settings
from edu_pipeline.sources.fetch import Fetched
from edu_pipeline.table import Table

OWNERS = ["team:data-engineering"]

INVENTED = "INVENTED by the sample publisher: nothing of it is real"

PREVIEWED = 40
"""Characters of a value in a preview, of which several stand side by side."""

WARN_AFTER = 0.75
"""An asset's freshness is a warning from this share of the age that its source may reach."""


def freshness_policy(sources: Iterable[str]) -> dg.FreshnessPolicy:
    """How old a materialization may get: as old as a release of the source that changes most often."""
    days = min(catalogue()[source].max_age_days for source in sources)
    return dg.FreshnessPolicy.time_window(
        fail_window=timedelta(days=days), warn_window=timedelta(days=WARN_AFTER * days)
    )


def source_tags(sources: Iterable[str]) -> dict[str, str]:
    """Cadence and publisher of the first source, as tags; none without a source."""
    source = next((catalogue()[name] for name in sources), None)
    return {"cadence": source.cadence, "publisher": tag_value(source.publisher)} if source else {}


def tag_value(text: str) -> str:
    """A text as a tag may have it: at most 63 letters, digits, underscores, hyphens and dots."""
    plain = "".join(char if char.isascii() and char.isalnum() else "_" for char in text)
    return plain.strip("_")[:63]


def relation_metadata(name: str, path: Path) -> dict[str, Any]:
    """Where the rows of a table or view are, and the file that declares it."""
    with warnings.catch_warnings(action="ignore", category=dg.BetaWarning):
        code = dg.LocalFileCodeReference(file_path=str(path), line_number=1)
        references = dg.CodeReferencesMetadataValue(code_references=[code])
    return {"dagster/table_name": f"{settings().target_schema}.{name}", "dagster/code_references": references}


def table_metadata(table: Table) -> dict[str, Any]:
    """Columns, sources, place and code of a table."""
    links = [f"[{catalogue()[name].title}]({catalogue()[name].landing_page})" for name in table.sources]
    return {
        "dagster/column_schema": column_schema(table),
        "sources": dg.MetadataValue.md(", ".join(links) or "derived from other tables"),
        **relation_metadata(table.name, table.path),
    }


def column_schema(table: Table) -> dg.TableSchema:
    """The columns of a table, with type, description and constraints."""
    descriptions = described_columns(table)
    return dg.TableSchema(
        columns=[
            dg.TableColumn(
                name,
                spec(column).sql,
                description=descriptions[name],
                constraints=dg.TableColumnConstraints(nullable=column.nullable, unique=table.key == [name]),
            )
            for name, column in table.contract.columns().items()
        ]
    )


def release_metadata(fetched: Fetched) -> dict[str, Any]:
    """A release: where it is from, its files, when it was retrieved."""
    release = fetched.release
    return {
        "release": release.id,
        "new": fetched.new,
        "data": INVENTED if release.invented else "the publisher's",
        "sha256": release.sha256,
        "bytes": sum(file.bytes for file in release.files),
        "files": table_of(["name", "bytes", "from"], [(file.name, file.bytes, file.url) for file in release.files]),
        "retrieved_at": dg.MetadataValue.timestamp(release.retrieved_at),
    }


def load_metadata(outcome: Outcome) -> dict[str, Any]:
    """A load of a table or a refresh of a view: counts, releases and the first rows."""
    load = outcome.load
    metadata: dict[str, Any] = {"skipped": outcome.skipped, "dagster/row_count": load.rows}
    if load.invented:
        metadata["data"] = INVENTED
    if outcome.skipped:
        return metadata
    changes = {"rows_added": load.added, "rows_changed": load.changed, "rows_removed": load.removed}
    metadata |= {name: count for name, count in changes.items() if count is not None}
    metadata |= {"rows_refused": load.refused, "strategy": load.strategy, "releases": dict(load.releases)}
    metadata["hidden_cells"] = dict(load.hidden)
    if load.skipped:
        metadata["skipped_lines"] = dict(load.skipped)
    metadata |= balance_metadata(load)
    if outcome.preview is not None:
        metadata["preview"] = transposed(outcome.preview.columns, outcome.preview.rows(), PREVIEWED)
    return metadata


def balance_metadata(load: Load) -> dict[str, Any]:
    """Where the rows of the files went, as a table and as a picture, and what was looked up for them."""
    if not load.balance:
        return {}
    rows = [(file, fate, number) for file, fates in summed(load.balance).items() for fate, number in fates.items()]
    metadata: dict[str, Any] = {"balance": table_of(["file", "rows", "number"], rows)}
    if load.look_ups:
        found = [(what, asked, found) for what, (asked, found) in load.look_ups.items()]
        metadata["look_ups"] = table_of(["looked up", "rows", "found"], found)
    return metadata | {
        "where_the_rows_went": dg.MetadataValue.md(as_markdown(balance(summed(load.balance)), "balance"))
    }


def plot_metadata(name: str, database: Database, log: Logger) -> dict[str, Any]:
    """The plot of a table, if it has one. An error costs no more than the plot: it is logged as a warning."""
    try:
        picture = plot(name, database)
    except Exception as error:
        log.warning(f"no plot of {name}: {type(error).__name__}: {error}")
        return {}
    return {"plot": dg.MetadataValue.md(as_markdown(picture, name))} if picture else {}
