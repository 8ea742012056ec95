"""Unfolding a long file: a row for each area and period in place of one for each figure.

Belongs here: which rows of the file are figures that a table reads, what their statuses mean, and what a missing row
means. Does not belong here: the names of figures (``long_form.py``), what a file says of itself (``catalogue.py``).

After unfolding a file is like any other: its columns are the area, the period, the statuses, and one for each figure,
under the slug of the figure's name. A figure that occurs nowhere in the file is a missing column, which is reported, or
stops the load, as in any other file. Everything is text, codes included: ``01001`` stays what it is.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence

import polars as pl

from edu_pipeline.accounts import SOURCE_ROW, UNKNOWN_WORD
from edu_pipeline.catalogue import Long
from edu_pipeline.contracts import REFUSED_BECAUSE, specs
from edu_pipeline.errors import ColumnMissing
from edu_pipeline.flow import add_up, keep, keep_words, once, pick
from edu_pipeline.loading.columns import another_file, check_kind, close_names
from edu_pipeline.long_form import TOTAL, Figure, is_figure, parsed
from edu_pipeline.normalise import slug
from edu_pipeline.table import Table

AREA, LEVEL, PERIOD, VALUE = "GEO", "GEO_OBJECT", "TIME_PERIOD", "OBS_VALUE"
"""The columns of a long file that are in every one."""

AREAS = [slug(name) for name in (AREA, LEVEL, PERIOD)]
"""What one row of an unfolded file is about."""

STATUS, SECRECY, EXPONENT = "OBS_STATUS", "CONF_STATUS", "UNIT_MULT"
"""Columns that say of a value whether it is one, and in which unit; not every file has them."""

ATTRIBUTES = (STATUS, f"{STATUS}_FR", SECRECY, "UNIT_MEASURE", EXPONENT, "DECIMALS", "FREQ")
"""Columns that are no dimensions: they describe the value."""

OTHER_LEVELS = "^(AAV|ARR|BV|CANOV|CV|DEP|EPCI|F|FM|FRANCE|IRIS|METRO|OTHER|REG|UU|ZE)([0-9]{4})?$"
"""Geographic levels that are neither a commune nor an arrondissement."""

HAS_VALUE = ("A", "B", "D", "E", "F", "I", "N", "P", "U", "V", "W")
"""Statuses in SDMX's list that go with a value: normal, break in the series, another definition, estimated, forecast,
imputed, not significant, provisional, of low reliability, not validated, including another category."""

ELSEWHERE = "K"
"""The status of a figure that is included in that of another area, such as a commune déléguée's in its commune's."""

PUBLIC = "F"
"""The status of a value that is not confidential (SDMX: free for publication)."""

NOTHING = "nothing"
"""What stands for a value where the file has none, although no status says why."""

FIGURE, FIGURES, REFUSED = "figure", "number_of_figures", "refused"

CODES = "codes"
"""The number of a combination of codes. It stands for the columns of all dimensions, which take most of the memory."""


def unfolded(
    rows: pl.LazyFrame, table: Table, parameter: str, long: Long, where: str, begins: str = ""
) -> tuple[pl.LazyFrame, list[str]]:
    """The rows of a long file as one row for each area and period, with a column for each figure that it has.

    Where a status says that there is no value, the text is the status (``OBS_STATUS K``), which the catalogue lists
    among what the publisher writes in place of hidden values, or which the contract refuses.

    Args:
        rows: the reader's rows, columns named by slug; all text.
        where: source and release, for the failure text.
        begins: the file's first line, for the failure text.

    Returns:
        In addition, which figures no area, or not every area, has in a period in which there are others, in sentences.

    Raises:
        AnotherFile: the file lacks most of the columns that a long file has.
        ColumnMissing: it lacks one of them, or the dimension of a figure.
    """
    figures = figures_of(table, parameter)
    schema = rows.collect_schema()
    present = schema.names()
    is_there = {name: slug(name) in present for name in columns_of_long(table, parameter)}
    if 2 * sum(is_there.values()) < len(is_there):
        raise another_file(table, is_there, begins or ", ".join(present), where)
    for name in is_there:
        if slug(name) not in present:
            remedy = (
                "Look at the file: it may be that of another dataset. If the publisher renamed a dimension, change the "
                f"names of the figures in the contract of {table.name}."
            )
            raise ColumnMissing(where, name, close_names(name, present), table.name, parameter, remedy)
        check_kind(slug(name), schema[slug(name)], False, where)
    attributes = [slug(name) for name in ATTRIBUTES if slug(name) in present]
    values = _values(_figures_read(rows, figures, long), attributes).collect(engine="streaming").lazy()
    occurring = values.select(slug(PERIOD), FIGURE).unique().sort(FIGURE).collect()
    periods_of = occurring.cast(pl.String).group_by(FIGURE, maintain_order=True).agg(slug(PERIOD))
    periods = {str(name): pl.Series(years, dtype=pl.String) for name, years in periods_of.iter_rows()}
    of_area = [_statuses()] if slug(STATUS) in attributes else []
    of_area += [pl.col(REFUSED).drop_nulls().first(), _numbers().alias(FIGURES)]
    sums = [name for name in periods if len(_combinations(figures[name])) > 1]
    of_area += [_summed(name).alias(name) for name in sums]
    areas = add_up(values, AREAS, of_area).collect(engine="streaming").lazy()
    single = _side_by_side(values, [name for name in periods if name not in sums]).collect()
    wide = areas.join(single.lazy(), on=AREAS, how="left", maintain_order="left")
    wide = wide.with_columns(pl.col(AREAS).cast(pl.String))
    if long.absent == "zero":
        wide = wide.with_columns(_zero_if_absent(name, years) for name, years in periods.items())
    rows_of_areas = wide.drop(FIGURES).rename({REFUSED: REFUSED_BECAUSE}).collect(engine="streaming")
    of_some = _of_some_areas(rows_of_areas, periods) if long.absent == "unknown" else []
    return rows_of_areas.lazy(), [*_of_no_area(periods), *of_some]


def _of_no_area(periods: Mapping[str, pl.Series]) -> list[str]:
    every = sorted({period for known in periods.values() for period in known if period})
    absent = {period: [name for name, known in periods.items() if period not in known] for period in every}
    return [f"no area has a value of {', '.join(names)} in {period}" for period, names in absent.items() if names]


def _of_some_areas(rows_of_areas: pl.DataFrame, periods: Mapping[str, pl.Series]) -> list[str]:
    """Which figures some areas have no row of, which others have in the same period."""
    sentences = []
    for name, known in periods.items():
        is_known = pl.col(slug(AREA)).is_not_null() & pl.col(slug(PERIOD)).is_in(known.implode())
        without = rows_of_areas.filter(is_known, pl.col(name).is_null())
        for (period,), areas in without.group_by(slug(PERIOD), maintain_order=True):
            first = areas[slug(AREA)][0]
            sentences.append(f"areas without a row of {name} in {period}: {areas.height:,}, such as {first}")
    return sentences


def columns_of_long(table: Table, parameter: str) -> list[str]:
    """The columns without which ``table`` cannot read a long file."""
    return [AREA, LEVEL, PERIOD, VALUE, *dimensions(figures_of(table, parameter))]


def figures_of(table: Table, parameter: str) -> dict[str, Figure]:
    """The figures that ``table`` reads from a file, by the slugs of their names."""
    names = [name for spec in specs(table.contract).values() if (name := spec.upstream_in(parameter))]
    return {slug(name): parsed(name) for name in names if is_figure(name)}


def dimensions(figures: Mapping[str, Figure]) -> list[str]:
    """The dimensions that the names of figures mention."""
    return list(dict.fromkeys(name for figure in figures.values() for name in figure))


def _combinations(figure: Figure) -> list[dict[str, str]]:
    """The codes of the values that a figure consists of, dimension to code."""
    return [dict(zip(figure, codes, strict=True)) for codes in itertools.product(*figure.values())]


def _figures_read(rows: pl.LazyFrame, figures: Mapping[str, Figure], long: Long) -> pl.LazyFrame:
    """The rows with a figure that is read, of a commune or an arrondissement, with its name; others are set aside."""
    mentioned = dimensions(figures)
    named = [slug(name) for name in mentioned]
    known = {*named, SOURCE_ROW, *map(slug, (AREA, LEVEL, PERIOD, VALUE, *ATTRIBUTES, *long.follow))}
    others = [name for name in rows.collect_schema() if name not in known]
    rows = keep_words(rows, slug(LEVEL), ["COM", "ARM"], OTHER_LEVELS, "other geographic level")
    for name, pattern in long.codes.items():
        rows = keep(rows, pl.col(slug(name)).str.contains(pattern), f"{UNKNOWN_WORD} in {slug(name)}")
    codes = [
        [name, *(combination.get(key, TOTAL) for key in mentioned)]
        for name, figure in figures.items()
        for combination in _combinations(figure)
    ]
    schema: dict[str, pl.DataType] = {FIGURE: pl.Enum(list(figures)), **dict.fromkeys(named, pl.String())}
    wanted = pl.LazyFrame(codes, schema=schema, orient="row").with_row_index(CODES)
    joined = rows.join(wanted, on=named, how="left", maintain_order="left")
    is_total = [pl.col(name).fill_null(TOTAL) == TOTAL for name in others]
    return keep(joined, pl.all_horizontal(pl.col(FIGURE).is_not_null(), *is_total), "figure that is not read")


def _values(rows: pl.LazyFrame, attributes: list[str]) -> pl.LazyFrame:
    """The figures, each once, with the reason in ``REFUSED`` if they contradict each other or have another unit."""
    areas = [pl.col(name).cast(pl.Categorical) for name in AREAS]
    picked = pick(rows, *areas, CODES, FIGURE, *attributes, slug(VALUE)).collect(engine="streaming").lazy()
    single = once(picked, [*attributes, slug(VALUE)])
    reasons = [pl.col(REFUSED_BECAUSE)] if REFUSED_BECAUSE in single.collect_schema() else []
    if slug(EXPONENT) in attributes:
        exponent = pl.col(slug(EXPONENT))
        reasons.append(pl.when(exponent != "0").then(pl.format(f"expected {EXPONENT} 0, found {{}}", exponent)))
    if slug(STATUS) in attributes:
        is_elsewhere = (pl.col(slug(STATUS)) == ELSEWHERE).fill_null(False)
        single = keep(single, ~is_elsewhere.all().over(AREAS), "counted in another area")
    reason = pl.coalesce(*reasons, pl.lit(None, pl.String)).alias(REFUSED)
    return single.with_columns(reason, _value(attributes).alias(slug(VALUE))).drop(REFUSED_BECAUSE, strict=False)


def _value(attributes: list[str]) -> pl.Expr:
    """The value, or why there is none."""
    value = pl.col(slug(VALUE)).fill_null(NOTHING)
    for name, usual in ((SECRECY, (PUBLIC,)), (STATUS, HAS_VALUE)):
        if slug(name) in attributes:
            status = pl.col(slug(name))
            value = (
                pl.when(status.is_in(usual) | status.is_null()).then(value).otherwise(pl.format(f"{name} {{}}", status))
            )
    return value


def _statuses() -> pl.Expr:
    """The statuses of an area's figures."""
    return pl.col(slug(STATUS)).drop_nulls().unique().sort().str.join(",")


def _numbers() -> pl.Expr:
    """How many values of an area are numbers."""
    return pl.col(slug(VALUE)).cast(pl.Float64, strict=False).count()


def _summed(name: str) -> pl.Expr:
    """The sum of the values of a figure, the only value unchanged; one that is not a number; NULL if there is none."""
    value = pl.col(slug(VALUE)).filter(pl.col(FIGURE) == name)
    number = value.cast(pl.Float64, strict=False)
    wrong, total = value.filter(number.is_null()), number.sum()
    text = total.cast(pl.String).str.strip_suffix(".0")
    return pl.when(wrong.len() > 0).then(wrong.first()).when(value.len() > 1).then(text).otherwise(value.first())


def _side_by_side(values: pl.LazyFrame, figures: Sequence[str]) -> pl.LazyFrame:
    """A row for each area and period, with a column for each figure, which has one value there.

    Of several, which contradict each other, it has the first: the row is refused.
    """
    own = values.filter(pl.col(FIGURE).is_in(figures))
    return own.pivot(FIGURE, on_columns=figures, index=AREAS, values=slug(VALUE), aggregate_function="first")


def _zero_if_absent(name: str, periods: pl.Series) -> pl.Expr:
    """The figure, 0 where the area has others but not this one, which other areas have in the same period."""
    is_absent = pl.col(name).is_null() & pl.col(slug(PERIOD)).is_in(periods.implode()) & (pl.col(FIGURES) > 0)
    return pl.when(is_absent).then(pl.lit("0")).otherwise(pl.col(name)).alias(name)
