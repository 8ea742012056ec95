"""What stops a load before it writes: inputs that are not there, rows that are too few, too wrong or of another origin.

Belongs here: every such rule, and its failure text. Does not belong here: the rules of a single row (``conform.py``),
and the checks of the whole table (``checks``).
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping

import polars as pl

from edu_pipeline.accounts import ADDED, PUBLISHED, USED, summed
from edu_pipeline.contracts import specs
from edu_pipeline.database.connection import Connection
from edu_pipeline.errors import (
    EXAMPLES,
    FileShrank,
    InputMissing,
    NoRows,
    NothingFound,
    OriginMixed,
    RowsUnaccounted,
    TableShrank,
    TooManyRefused,
    UnknownReference,
    shown,
)
from edu_pipeline.loading.balance import Balance
from edu_pipeline.loading.conform import Conformed, refuse
from edu_pipeline.loading.rows import keys
from edu_pipeline.sources.archive import Release
from edu_pipeline.sources.inputs import Awaited, awaited
from edu_pipeline.table import Table

Figures = Mapping[str, Mapping[str, int]]

COUNTING = (PUBLISHED, ADDED, USED)
"""What becomes of the rows that have a part in the table."""


def described(releases: Mapping[str, Release]) -> str:
    """The releases, as failure texts name them."""
    return ", ".join(f"{source} {release.label}" for source, release in releases.items()) or "from other tables"


def check_inputs(table: Table, releases: Mapping[str, Release], loaded: Collection[str]) -> None:
    """That everything is there that the table is made from.

    Raises:
        InputMissing: it waits for a file, or for another table.
    """
    missing = awaited(table, releases, loaded)
    if missing.files:
        raise _file_missing(table, missing)
    if missing.tables:
        raise InputMissing(
            f"table {table.name}",
            f"expected that {', '.join(missing.tables)} was loaded, found that it never was.",
            f"Load it first: `edu-pipeline refresh {missing.tables[0]}`.",
            str(missing),
        )


def _file_missing(table: Table, missing: Awaited) -> InputMissing:
    in_parts = {source.id for source in table.in_parts.values()}
    names = ", ".join(
        f"a part of {file.source}" if file.source in in_parts else f"{file.source} ({file.part})"
        for file in missing.files
    )
    first = missing.files[0]
    return InputMissing(
        f"table {table.name}",
        f"expected a release with {names} in the archive, found none.",
        f"Fetch it: materialize raw/{first.parameter.split('__')[0]}, or `edu-pipeline refresh {table.name}`; "
        f"under EDU_UPSTREAM its name must match {first.name!r}.",
        str(missing),
    )


def check_origin(
    table: Table, releases: Mapping[str, Release], held: Iterable[bool | None], schema: str
) -> bool | None:
    """Whether the releases are of the sample publisher; all data of a schema must be, or none.

    Args:
        held: whether the rows of the live schema, and of the one that is loaded, are invented; None: nothing is loaded.

    Returns:
        None if nothing is read from a file.

    Raises:
        OriginMixed: the schema holds data of the other kind.
    """
    known = next((origin for origin in held if origin is not None), None)
    origins = {release.invented for release in releases.values()}
    if origins and len(origins | ({known} if known is not None else set())) > 1:
        names = {True: "invented data of the sample publisher", False: "data of real publishers", None: "nothing yet"}
        raise OriginMixed(
            f"table {table.name}",
            f"expected what the schema {schema} holds, {names[known]}, found {described(releases)}, which is "
            f"{' and '.join(names[origin] for origin in sorted(origins))}.",
            "Use another EDU_SCHEMA or EDU_DATABASE_URL, or empty this one first: `edu-pipeline start-over`.",
        )
    return any(origins) if origins else None


def check_rows(conformed: Conformed, where: str) -> None:
    """That there are rows at all.

    Raises:
        NoRows: there is none, not even a refused one.
    """
    if conformed.rows + conformed.refused.height == 0:
        raise NoRows(
            where,
            "expected rows, found none: all rows of its files were set aside.",
            "Look at the publisher's page; the old rows stay.",
        )


def check_refused(table: Table, conformed: Conformed, where: str) -> None:
    """That no more rows break the contract than the table tolerates.

    Raises:
        TooManyRefused: more do; the text has the first of them.
    """
    refused, total = conformed.refused.height, conformed.rows + conformed.refused.height
    if refused > table.max_refused * total:
        examples = conformed.refused.head(EXAMPLES).select("key", pl.col("reasons").list.join("; ")).rows()
        raise TooManyRefused(
            where,
            f"expected at most {table.max_refused:.1%} of the rows to be refused, found {refused:,} of "
            f"{total:,}: " + " | ".join(f"{key}: {reasons}" for key, reasons in examples),
            f"See edu_pipeline.refused_rows; then fix the file, the contract of {table.name}, or its max_refused.",
        )


def check_references(
    table: Table, connection: Connection, conformed: Conformed, where: str
) -> tuple[Conformed, dict[str, int]]:
    """Refuse the rows whose own key points to nothing; count per column the others that do.

    Raises:
        UnknownReference: more rows point to nothing than the table tolerates.
    """
    unknown: dict[str, int] = {}
    for column, spec in specs(table.contract).items():
        if not spec.references:
            continue
        known = {key for name in spec.references for key in keys(connection, name)}
        values = conformed.frame.select(pl.col(column).alias("value")).filter(~pl.col("value").is_in(list(known)))
        orphans = values.collect(engine="streaming")["value"]
        if table.name in spec.references and len(orphans):
            own = conformed.frame.select(table.key[0]).collect()[table.key[0]]
            orphans = orphans.filter(~orphans.is_in(own.implode()))
        if len(orphans) > table.max_unknown * conformed.rows:
            raise UnknownReference(
                where,
                f"expected {column} to be a key of {' or '.join(spec.references)} ({len(known):,} keys) in all but "
                f"{table.max_unknown:.1%} of the rows, found {len(orphans):,} of {conformed.rows:,} that are not, e.g. "
                f"{', '.join(map(repr, orphans.unique(maintain_order=True).head(EXAMPLES)))}.",
                f"Load {spec.references[0]} first if it is behind; else fix the file or max_unknown of {table.name}.",
            )
        if len(orphans) and column in table.key:
            conformed = refuse(conformed, table, column, orphans, f"a key of {' or '.join(spec.references)}")
        elif len(orphans):
            unknown[column] = len(orphans)
    return conformed, unknown


def check_balance(table: Table, balance: Balance, where: str) -> None:
    """That every row of every file is accounted for, and that look-ups find something.

    Raises:
        RowsUnaccounted: rows are neither published nor refused, and no rule of the transform has set them aside.
        NothingFound: what is looked up for the rows is found for none of them.
    """
    for file, (number, first) in balance.unaccounted().items():
        raise RowsUnaccounted(
            where,
            f"expected every row of {file} to be published, refused, or set aside by a rule, found {number:,} of which "
            f"nothing is known: {' | '.join(map(shown, first))}.",
            f"Use the operations of edu_pipeline/flow.py in {table.path.name}, where these rows are left out.",
        )
    for what, (asked, found) in balance.look_ups.items():
        if asked and not found:
            raise NothingFound(
                where,
                f"expected {what} for most of {asked:,} rows, found it for none.",
                "Compare the codes of the two files; the old rows stay.",
            )


def check_files(table: Table, balance: Figures, previous: Figures, accepted: bool, where: str) -> None:
    """That no file has lost its rows.

    Args:
        balance, previous: the figures of this load, and of the one whose rows readers have, as ``Balance.files``.
        accepted: whether an operator has accepted that the table shrinks.

    Raises:
        FileShrank: the rows of a file that count are fewer than the share of the last load's that must be kept.
    """
    files_before = summed(previous)
    for file, fates in summed(balance).items():
        before, now = (
            sum(figures.get(fate, 0) for fate in COUNTING) for figures in (files_before.get(file, {}), fates)
        )
        if now < table.min_kept * before and not accepted:
            raise FileShrank(
                where,
                f"expected at least {table.min_kept:.0%} of the {before:,} rows of {file} that counted in the last "
                f"load, found {now:,}.",
                f"If that is right, accept it once: `edu-pipeline refresh {table.name} --accept-shrink {table.name}`.",
            )


def check_volume(table: Table, rows: int, published: int, accepted: bool, where: str) -> None:
    """That the table keeps the share of its rows that it must.

    Args:
        published: rows that readers have.
        accepted: whether an operator has accepted that it shrinks.

    Raises:
        TableShrank: it would lose more.
    """
    if rows < table.min_kept * published and not accepted:
        raise TableShrank(
            where,
            f"expected at least {table.min_kept:.0%} of the {published:,} published rows, found {rows:,}.",
            f"If that is right, accept it once: `edu-pipeline refresh {table.name} --accept-shrink {table.name}`.",
        )
