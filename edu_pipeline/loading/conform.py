"""Making rows what the contract says, and refusing those that cannot be: the quarantine.

Belongs here: text to the contract's types, rounding, the contract's rules, duplicates, and the reason for
every refusal in words. Does not belong here: how many refusals a load tolerates (``acceptance.py``), and recording
them (``database/ledger.py``).

The rows pass in batches, and the good ones wait in Parquet files: five million rows take no more memory than
a hundred thousand.
"""

from __future__ import annotations

import inspect
import types
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import dataframely as dy
import polars as pl

from edu_pipeline import accounts
from edu_pipeline.accounts import SOURCE_ROW
from edu_pipeline.contracts import REFUSED_BECAUSE, Contract, spec
from edu_pipeline.database.ledger import REFUSED
from edu_pipeline.errors import LONGEST_VALUE
from edu_pipeline.normalise import FLAGS, FRENCH_DAY, ISO_DAY
from edu_pipeline.table import Table

ROW = "row_number"
"""Name of the column that numbers the rows while good and refused ones are separated."""

BATCH = 50_000
"""Rows that are checked together."""

EXACT_DIGITS = 10
"""Decimal places that are kept before a NUMERIC column is rounded to its own."""

NOT_TO_BE_SHOWN = r"[\p{Cc}\p{Cf}]"
"""Characters of cells that texts show as U+FFFD: control characters, and marks that nobody sees."""

NUL_IN_JSON = (r"\\u0000", r"\ufffd")
"""How polars writes a NUL character in JSON, which PostgreSQL refuses, and what stands for it."""

NO_COMPLAINT = pl.DataFrame(schema={ROW: pl.get_index_type(), "reason": pl.String})


@dataclass(frozen=True)
class Conformed:
    """Rows that meet the contract, and those that do not.

    Attributes:
        tracked: the contract's columns with its types, one row per key, and where the rows come from, if the transform
            was given that (``SOURCE_ROW``); it reads files in the scratch folder.
        rows: the number of these rows.
        refused: every other row, as ``ledger.REFUSED`` says.
    """

    tracked: pl.LazyFrame
    rows: int
    refused: pl.DataFrame

    @property
    def frame(self) -> pl.LazyFrame:
        """The contract's columns of the good rows."""
        return self.tracked.drop(SOURCE_ROW, strict=False)


def conform(produced: pl.LazyFrame, table: Table, scratch: Path) -> Conformed:
    """Separate the rows that a transform produced into those that meet the table's contract and those that do not.

    Args:
        scratch: folder for the good rows; it must live as long as their frame is used.

    Raises:
        polars.exceptions.ColumnNotFoundError: the transform did not produce a column of the contract.
    """
    folder = scratch / f"{table.name}-conformed"
    folder.mkdir()
    refused = [pl.DataFrame(schema=REFUSED)]
    rows = seen = 0
    extra = [name for name in produced.collect_schema() if name in (REFUSED_BECAUSE, SOURCE_ROW)]
    chosen = produced.select([*table.contract.columns(), *extra])
    for number, batch in enumerate(chosen.collect_batches(chunk_size=BATCH, maintain_order=True, engine="streaming")):
        good, bad = _separated(batch.with_row_index(ROW, offset=seen), table)
        seen += batch.height
        rows += good.height
        refused.append(bad)
        good.write_parquet(folder / f"{number:06d}.parquet", compression="lz4", statistics=False)
    if not seen:
        empty = table.contract.create_empty()
        return Conformed(empty.lazy(), 0, refused[0])
    frame = pl.scan_parquet(folder / "*.parquet")
    losers = _duplicates(frame, table)
    if losers.height:
        refused.append(_quarantine(losers.drop("reason"), losers.select(ROW, "reason"), table))
        frame = frame.join(losers.lazy(), on=ROW, how="anti", maintain_order="left")
    return Conformed(frame.drop(ROW), rows - losers.height, pl.concat(refused))


def refuse(conformed: Conformed, table: Table, column: str, values: pl.Series, expected: str) -> Conformed:
    """Refuse in addition the rows that have one of ``values`` in ``column``.

    Args:
        expected: what should have been there, in words.
    """
    wrong = pl.col(column).is_in(values.unique().implode()).fill_null(False)
    rows = conformed.tracked.filter(wrong).collect(engine="streaming").rechunk().with_row_index(ROW)
    complaints = rows.select(ROW, reason=_complaint([column], expected, rows.schema))
    refused = pl.concat([conformed.refused, _quarantine(rows, complaints, table)])
    return Conformed(conformed.tracked.filter(~wrong), conformed.rows - rows.height, refused)


def _separated(given: pl.DataFrame, table: Table) -> tuple[pl.DataFrame, pl.DataFrame]:
    """The numbered rows of a batch that meet the contract, and the quarantine of the others."""
    columns = table.contract.columns()
    tracked = [SOURCE_ROW] if SOURCE_ROW in given.columns else []
    cast = given.select(ROW, *tracked, *(_cast(name, column, given[name]) for name, column in columns.items()))
    complaints = [NO_COMPLAINT, *_refused_by_transform(given), *_not_castable(given, cast, columns)]
    refused = pl.concat(complaints)
    castable = cast if refused.is_empty() else cast.join(refused, on=ROW, how="anti", maintain_order="left")
    good, failure = _row_by_row(table.contract, *tracked).filter(castable)
    if len(failure):
        complaints += _broken_rules(failure.details(), table)
    return good, _quarantine(given, pl.concat(complaints), table)


@lru_cache
def _row_by_row(contract: type[Contract], *tracked: str) -> type[Contract]:
    """The contract with columns for the row's number, which identifies refused rows, and where it comes from, and
    without the rule that a single batch cannot check: that each key occurs once in the table."""
    own = {name: column.with_properties(primary_key=False) for name, column in contract.columns().items()}
    own |= {name: dy.Any() for name in (ROW, *tracked)}
    return types.new_class(contract.__name__, (contract,), exec_body=lambda body: body.update(own))


def _duplicates(frame: pl.LazyFrame, table: Table) -> pl.DataFrame:
    """Rows that give way to another row with the same key, with the ``reason``.

    If the table says by which column, the newest row stays (the first of equally new ones); otherwise none does.
    """
    hashes = frame.select(ROW, pl.struct(table.key).hash().alias("hash")).collect(engine="streaming")
    in_order = hashes["hash"].sort()
    twice = in_order.filter(in_order == in_order.shift())
    suspects = hashes.filter(pl.col("hash").is_in(twice.implode())).select(ROW)
    rows = frame.join(suspects.lazy(), on=ROW, how="semi").collect(engine="streaming")
    rows = rows.filter(pl.struct(table.key).is_duplicated()).rechunk()
    if table.newest_by is None:
        return rows.with_columns(reason=_complaint(table.key, "a key that occurs once", rows.schema))
    newest_first = rows.sort([table.newest_by, ROW], descending=[True, False], nulls_last=True)
    losers = newest_first.filter(pl.int_range(pl.len()).over(table.key) > 0).rechunk()
    return losers.with_columns(
        reason=pl.format(
            f"{', '.join(table.key)}: expected one row, found several; kept the one with the greatest "
            f"{table.newest_by}, this one has {{}}",
            pl.col(table.newest_by).cast(pl.String).fill_null("none"),
        ),
    )


def _cast(name: str, column: dy.Column, cells: pl.Series) -> pl.Expr | pl.Series:
    """The column in the contract's type; NULL where it cannot be."""
    value, wanted, given = pl.col(name), column.dtype, cells.dtype
    if wanted.is_integer():
        if given == pl.String:
            digits = cells.cast(wanted, strict=False)
            if digits.null_count() == cells.null_count():  # as nearly always, and in half the time
                return digits
        number = value.cast(pl.Float64, strict=False)
        value = pl.when(number == number.round()).then(number).cast(wanted, strict=False)
    elif isinstance(column, dy.Decimal):
        exact = value.str.to_decimal(scale=EXACT_DIGITS) if given == pl.String else value
        exact = exact.cast(pl.Decimal(38, EXACT_DIGITS), strict=False)
        value = exact.round(column.scale, mode="half_away_from_zero").cast(wanted, strict=False)
    elif wanted == pl.Boolean and given == pl.String:
        value = value.str.to_lowercase().replace_strict(FLAGS, default=None, return_dtype=pl.Boolean)
    elif wanted == pl.Date and given == pl.String:
        iso = value.str.replace(FRENCH_DAY, "${3}-${2}-${1}").str.extract(ISO_DAY)
        value = iso.str.to_date("%Y-%m-%d", strict=False)
    else:
        value = value.cast(wanted, strict=False)
    return value.alias(name)


def _refused_by_transform(given: pl.DataFrame) -> Iterator[pl.DataFrame]:
    """Rows that the transform itself refuses."""
    if REFUSED_BECAUSE in given.columns:
        yield given.drop_nulls(REFUSED_BECAUSE).select(ROW, reason=REFUSED_BECAUSE)


def _not_castable(given: pl.DataFrame, cast: pl.DataFrame, columns: Mapping[str, dy.Column]) -> Iterator[pl.DataFrame]:
    """Rows with a value that could not be cast.

    Here and below frames are in one chunk before texts are composed: polars 2.1 can panic on several.
    """
    for name, column in columns.items():
        lost = given[name].is_not_null() & cast[name].is_null()
        if lost.any():
            yield (
                given.filter(lost)
                .rechunk()
                .select(
                    ROW,
                    reason=pl.format(f"{name}: expected {_kind(column)}, found '{{}}'", _shown(name, given.schema)),
                )
            )


def _kind(column: dy.Column) -> str:
    if column.dtype.is_integer():
        return "a whole number"
    if isinstance(column, dy.Decimal):
        return f"a number of at most {column.precision} digits ({spec(column).sql})"
    if column.dtype.is_float():
        return "a number"
    if column.dtype == pl.Boolean:
        return f"one of {', '.join(FLAGS)}"
    if column.dtype == pl.Date:
        return "a date (2024-11-26 or 26/11/2024)"
    return spec(column).sql


def _broken_rules(details: pl.DataFrame, table: Table) -> Iterator[pl.DataFrame]:
    """Rows that break a rule of the contract, one complaint per rule."""
    columns = table.contract.columns()
    for rule in [name for name in details.columns if name not in columns and name not in (ROW, SOURCE_ROW)]:
        broken = details.filter(pl.col(rule) == "invalid")
        if broken.height:
            column, _, check = rule.rpartition("|")
            if column:
                complaint = _complaint([column], _expectation(check, columns[column]), details.schema)
            else:
                declared = getattr(table.contract, rule)
                concerned = list(dict.fromkeys(declared.make(table.contract).expr.meta.root_names()))
                expected = inspect.cleandoc(declared.validation_fn.__doc__).rstrip(".")
                complaint = _complaint(concerned, expected, details.schema)
            yield broken.rechunk().select(ROW, reason=complaint)


def _complaint(concerned: list[str], expected: str, schema: pl.Schema) -> pl.Expr:
    values = pl.concat_str([_shown(name, schema) for name in concerned], separator=", ")
    return pl.format("{}: expected {}, found {}", pl.lit(", ".join(concerned)), pl.lit(expected), values)


def _shown(name: str, schema: pl.Schema) -> pl.Expr:
    """A cell, as a failure text shows it."""
    value = pl.col(name)
    if isinstance(schema[name], pl.List):
        value = pl.format("[{}]", value.cast(pl.List(pl.String)).list.join(", ", ignore_nulls=True))
    text = (
        value.cast(pl.String, strict=False)
        .fill_null("nothing")
        .str.replace_all(NOT_TO_BE_SHOWN, "\N{REPLACEMENT CHARACTER}")
    )
    return pl.when(text.str.len_chars() > LONGEST_VALUE).then(text.str.head(LONGEST_VALUE) + "...").otherwise(text)


def _storable(text: pl.Expr) -> pl.Expr:
    """A text without NUL characters, which PostgreSQL does not take."""
    return text.str.replace_all("\0", "\N{REPLACEMENT CHARACTER}", literal=True)


def _expectation(check: str, column: dy.Column) -> str:
    """What a rule of a column expects, in words."""
    if check == "nullability":
        return "a value"
    if check == "regex":
        return f"text that matches {getattr(column, check)}"
    if check in ("min", "max"):
        return f"at {'least' if check == 'min' else 'most'} {getattr(column, check)}"
    return check.removeprefix("check__").replace("_", " ")


def _quarantine(given: pl.DataFrame, complaints: pl.DataFrame, table: Table) -> pl.DataFrame:
    if complaints.is_empty():
        return pl.DataFrame(schema=REFUSED)
    reasons = complaints.group_by(ROW, maintain_order=True).agg(reasons=pl.col("reason").unique(maintain_order=True))
    rows = given.join(reasons, on=ROW, how="inner").sort(ROW)
    if SOURCE_ROW in rows.columns:
        accounts.note(rows[SOURCE_ROW], accounts.REFUSED)
        rows = rows.with_columns(accounts.places(rows[SOURCE_ROW]))
    return rows.select(
        key=pl.concat_str(
            [_storable(pl.col(name).cast(pl.String).fill_null("")) for name in table.key], separator=" / "
        ),
        place=pl.col(accounts.PLACE) if SOURCE_ROW in rows.columns else pl.lit(None, pl.String),
        reasons=pl.col("reasons").list.eval(_storable(pl.element())),
        row=pl.struct(*table.contract.columns()).struct.json_encode().str.replace_all(*NUL_IN_JSON),
    )
