"""Contracts: the base class, and the kinds of columns that contracts consist of.

Belongs here: how a column is described (type, nullability, key, bounds, pattern, description, unit, upstream name)
and its SQL type. Does not belong here: the columns of a particular table (``assets/<layer>/<table>.py``), reading
files (``sources``), casting and writing rows (``loading``).
"""

from __future__ import annotations

import datetime
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from decimal import Decimal
from functools import partial
from typing import Any

import polars as pl

from edu_pipeline import normalise
from edu_pipeline.without import without

with without("sqlalchemy"):  # a fifth of a second, for tables that dataframely would declare in SQLAlchemy's terms
    import dataframely as dy

Normaliser = Callable[[pl.Expr], pl.Expr]

CODES_ANCIENS = "codes_anciens"
"""Column that marks rows which ``loading/passage.py`` has computed from the rows of former communes."""

MOST_PUPILS = 20_000
"""More pupils, candidates or mentions than any school has."""

MOST_PEOPLE = 3_000_000
"""More people, households, dwellings or jobs than any commune has."""

FIRST_YEAR, LAST_YEAR = 1990, datetime.date.today().year + 1
"""The years that a column of years may have: publishers are at most a year ahead."""

LAST_DATE = datetime.date(2100, 12, 31)
"""The last day that a column of dates may have."""

REFUSED_BECAUSE = "refused_because"
"""Column in which a transform says why it refuses a row, where no rule about a single row can: a reason, or NULL."""


@dataclass(frozen=True)
class Rate:
    """What a rate is made of: ``per * count / base``.

    Attributes:
        count, base: columns of the same table that add up.
        other_bases: a value of another column to the base that rows with this value have instead.
    """

    count: str
    base: str
    per: int = 100
    other_bases: Mapping[tuple[str, str], str] = field(default_factory=dict)


@dataclass(frozen=True)
class Spec:
    """What a contract says about a column beyond what dataframely checks.

    Attributes:
        sql: the PostgreSQL type as ``format_type`` prints it, e.g. ``character varying(5)``.
        upstream: the publisher's name for the column: one for all inputs of the table, or one per input. A name that
            begins with ``^`` is a regular expression that matches slugs.
        aliases: other names that publishers have used for the column.
        optional: whether it is normal that a file lacks the column, which is then NULL; of others that is reported.
        may_be_empty: whether it is normal that no row of a file has a value in the column; of others that is reported.
        unit: unit of the values, e.g. ``%`` or ``€``.
        references: tables; the value must be a key of one of them.
        follows_passage: whether it is a commune code that is replaced by the code in force (``loading/passage.py``).
        adds_up: whether it is a count: summed when communes merge, divided by population when a commune is split. The
            first such column of a contract decides which commune of a merger is the largest.
        rate_of: the counts that a rate or share follows from when communes merge.
        mean_over: of a mean, or a share whose numerator is not in the table: the count that weighs it when communes
            merge.
        computed_from: the columns of the table that the transform computes the column from.
        normalise: turns the publisher's spelling into the one used in this database.
    """

    sql: str
    upstream: str | Mapping[str, str] | None = None
    aliases: tuple[str, ...] = ()
    optional: bool = False
    may_be_empty: bool = False
    unit: str | None = None
    references: tuple[str, ...] = ()
    follows_passage: bool = False
    adds_up: bool = False
    rate_of: Rate | None = None
    mean_over: str | None = None
    computed_from: tuple[str, ...] = ()
    normalise: Normaliser | None = None

    def upstream_in(self, source: str) -> str | None:
        """The column's name in ``source`` (a parameter of the transform), or None if it does not come from there."""
        if isinstance(self.upstream, Mapping):
            return self.upstream.get(source)
        return self.upstream


class Contract(dy.Schema):
    """Base class of all contracts. The docstring of a subclass describes its table."""


def spec(column: dy.Column) -> Spec:
    """The ``Spec`` of a column of a contract."""
    assert column.metadata is not None, f"column {column.name} was not created by edu_pipeline.contracts"
    column_spec = column.metadata["spec"]
    assert isinstance(column_spec, Spec)
    return column_spec


def specs(contract: type[Contract]) -> dict[str, Spec]:
    """The ``Spec`` of every column of ``contract`` by name, in the contract's order."""
    return {name: spec(column) for name, column in contract.columns().items()}


def computed_from(contract: type[Contract]) -> dict[str, tuple[str, ...]]:
    """The columns of ``contract`` that name what they are computed from, each with those names."""
    return {name: column.computed_from for name, column in specs(contract).items() if column.computed_from}


_SPEC_ARGUMENTS = tuple(attribute.name for attribute in fields(Spec) if attribute.name != "sql")
_LISTS = {"aliases", "references", "computed_from"}


def _column(
    kind: Callable[..., dy.Column], description: str, sql: str, *, key: bool, required: bool, **rest: Any
) -> dy.Column:
    for_spec = {name: rest.pop(name) for name in _SPEC_ARGUMENTS if name in rest}
    for name in _LISTS & for_spec.keys():
        for_spec[name] = tuple(for_spec[name])
    return kind(
        nullable=not (key or required),
        primary_key=key,
        description=description,
        metadata={"spec": Spec(sql=sql, **for_spec)},
        **rest,
    )


def _at_most(length: int) -> dict[str, Normaliser]:
    """A rule of our own, since PostgreSQL counts characters and dataframely's ``max_length`` counts bytes."""
    return {f"at_most_{length}_characters": lambda value: value.str.len_chars() <= length}


_UNDAMAGED: dict[str, Normaliser] = {"undamaged_text": lambda value: ~value.str.contains(normalise.GARBLED)}
_SOUND: dict[str, Normaliser] = {
    "no_error_of_a_spreadsheet": lambda value: ~value.str.contains(normalise.SPREADSHEET_ERROR),
    **_UNDAMAGED,
}
"""What is expected of texts that have no pattern."""


def text(description: str, *, length: int | None = None, key: bool = False, required: bool = False, **rest: Any) -> Any:
    """Text: ``TEXT``, or ``VARCHAR(length)`` with the length in characters.

    ``rest`` takes a ``pattern`` (regular expression) and any attribute of ``Spec``.
    """
    checks: dict[str, Normaliser] = dict(rest.pop("check", {}))
    if "pattern" not in rest:
        checks |= _SOUND
    if length is not None:
        checks |= _at_most(length)
    sql = "text" if length is None else f"character varying({length})"
    pattern = rest.pop("pattern", None)
    return _column(dy.String, description, sql, key=key, required=required, regex=pattern, check=checks or None, **rest)


def integer(description: str, *, key: bool = False, required: bool = False, **rest: Any) -> Any:
    """A whole number, ``INTEGER``. ``rest`` takes ``min``, ``max`` and any attribute of ``Spec``.

    Every numeric column of a table has both bounds, with a generous margin: a figure beyond them is no figure of this
    kind, but one read with a wrong decimal mark or in another unit.
    """
    return _column(dy.Int32, description, "integer", key=key, required=required, **rest)


def numeric(description: str, precision: int = 5, scale: int = 2, *, required: bool = False, **rest: Any) -> Any:
    """A decimal number, ``NUMERIC(precision, scale)``, rounded half away from zero as PostgreSQL does.

    ``rest`` takes ``min``, ``max`` and any attribute of ``Spec``.
    """
    for bound in ("min", "max"):
        if bound in rest:
            rest[bound] = Decimal(str(rest[bound]))
    decimal = partial(dy.Decimal, precision, scale)
    return _column(decimal, description, f"numeric({precision},{scale})", key=False, required=required, **rest)


def real(description: str, *, required: bool = False, **rest: Any) -> Any:
    """A floating-point number, ``DOUBLE PRECISION``; NaN and infinity are refused. ``rest`` as for ``integer``."""
    return _column(dy.Float64, description, "double precision", key=False, required=required, **rest)


def boolean(description: str, *, required: bool = False, **rest: Any) -> Any:
    """A flag, ``BOOLEAN``; publishers write ``1``/``0``, ``O``/``N``, ``oui``/``non`` or ``true``/``false``."""
    return _column(dy.Bool, description, "boolean", key=False, required=required, **rest)


def date(description: str, *, since: int, key: bool = False, required: bool = False, **rest: Any) -> Any:
    """A date, ``DATE``; publishers write ``2024-11-26`` (possibly with a time) or ``26/11/2024``.

    Args:
        since: the first year that it can be in; the last is 2100.
    """
    rest.setdefault("normalise", normalise.day)
    rest |= {"min": datetime.date(since, 1, 1), "max": LAST_DATE}
    return _column(dy.Date, description, "date", key=key, required=required, **rest)


def texts(
    description: str, *, length: int | None = None, pattern: str | None = None, required: bool = False, **rest: Any
) -> Any:
    """A list of texts, ``TEXT[]`` or ``VARCHAR(length)[]``; no element is NULL or empty.

    Args:
        pattern: a regular expression that every element matches.
    """
    sql = "text[]" if length is None else f"character varying({length})[]"
    checks = (_SOUND if pattern is None else _UNDAMAGED) | (_at_most(length) if length is not None else {})
    element = dy.String(min_length=1, regex=pattern, check=checks)
    return _column(partial(dy.List, element), description, sql, key=False, required=required, **rest)


def geometry(description: str, kind: str, *, required: bool = False, **rest: Any) -> Any:
    """A geometry in WGS 84, ``GEOMETRY(kind,4326)``; transforms return it as EWKB in upper-case hexadecimal."""
    sql, hexadecimal = f"geometry({kind},4326)", "^[0-9A-F]+$"
    return _column(dy.String, description, sql, key=False, required=required, regex=hexadecimal, **rest)


UAI = normalise.UAI
COMMUNE = "^([0-9]{2}|2[AB])[0-9]{3}$"
POSTAL_CODE = "^([0-9]{5}|AD[0-9]{3})$"
"""The patterns of codes that are also elements of lists."""

COMMUNE_WITHIN = r"\b((?:[0-9]{2}|2[AB])[0-9]{3})\b"
"""The code of a commune within a longer text."""


def uai(description: str = "Establishment code: 7 digits and a check letter.", **rest: Any) -> Any:
    """The establishment code (UAI, formerly RNE), its check letter verified."""
    rest.setdefault("upstream", "uai")
    rest.setdefault("required", True)
    check = {"check_letter": normalise.has_uai_check_letter}
    return text(description, length=8, pattern=UAI, check=check, normalise=normalise.upper, **rest)


def code_commune(description: str = "INSEE code of the commune or municipal arrondissement.", **rest: Any) -> Any:
    """The 5-character INSEE code; by default a former code is replaced by the code in force."""
    rest.setdefault("references", ("info_communes",))
    rest.setdefault("follows_passage", "info_communes" in rest["references"])
    return text(description, length=5, pattern=COMMUNE, normalise=normalise.code_commune, **rest)


def codes_anciens() -> Any:
    """The column ``codes_anciens`` of a table whose key is ``code_commune``: which rows are not as published."""
    description = (
        "Codes under which the publisher gives the figures, if the commune has been merged, split or recoded since; "
        "the largest commune first. Counts are then sums, or a split commune's share by population. Of a merger, rates "
        "and shares follow from the sums, and means are weighted by their count; what cannot be computed from the row "
        "(medians, texts, a rate of which a part is not published) is that of the first code. NULL: as published."
    )
    return texts(description, length=5, pattern=COMMUNE, min_length=1)


def code_departement(
    description: str = "Code of the département or collectivity, e.g. 01, 2A, 971.", **rest: Any
) -> Any:
    """The code of a département in one spelling, however the source writes it (``001``, ``02A``)."""
    pattern = "^([0-9]{2}|2[AB]|9[78][0-9])$"
    return text(description, length=5, pattern=pattern, normalise=normalise.code_departement, **rest)


def code(description: str, digits: int, *, zeros: int = 1, **rest: Any) -> Any:
    """A code of a number of digits, with the leading zeros that a spreadsheet drops: at most ``zeros``.

    ``rest`` as for ``text``; by default the pattern allows these digits only.
    """
    rest.setdefault("pattern", f"^[0-9]{{{digits}}}$")
    return text(description, normalise=normalise.digits(digits, zeros), **rest)


def code_academie(description: str = "Code of the académie, two digits.", **rest: Any) -> Any:
    """The code of an académie, two digits."""
    return code(description, 2, length=2, **rest)


def code_region(description: str = "INSEE code of the region.", **rest: Any) -> Any:
    """The code of a region or région académique: two digits, or three of an overseas collectivity."""
    return code(description, 2, pattern="^([0-9]{2}|9[78][0-9])$", **rest)


def code_postal(description: str, **rest: Any) -> Any:
    """A postal code: five digits, or Andorra's (AD500)."""
    return code(description, 5, length=10, pattern=POSTAL_CODE, **rest)


def siren(description: str, **rest: Any) -> Any:
    """A SIREN number: nine digits."""
    return code(description, 9, zeros=3, length=9, **rest)


def siren_or_siret(description: str, **rest: Any) -> Any:
    """A SIRET number (14 digits), or the SIREN number it begins with (9)."""
    return text(description, pattern="^[0-9]{9}([0-9]{5})?$", normalise=normalise.siren_or_siret, **rest)


def secteur(
    description: str = "public, privé, privé sous contrat or privé hors contrat; plain privé where not specified.",
    **rest: Any,
) -> Any:
    """The sector in one spelling, however the source writes it (``PU``, ``Public``, ``PRIVE SOUS CONTRAT``)."""
    pattern = "^(public|privé|privé sous contrat|privé hors contrat)$"
    return text(description, length=50, pattern=pattern, normalise=normalise.secteur, **rest)


def year(description: str, *, key: bool = False, **rest: Any) -> Any:
    """A year, ``INTEGER``; publishers write ``2024``, ``2024.0`` or the timestamp of its first day."""
    return integer(description, key=key, min=FIRST_YEAR, max=LAST_YEAR, normalise=normalise.year, **rest)


def percentage(description: str, **rest: Any) -> Any:
    """A percentage, ``NUMERIC(5,2)``, from 0 to 100."""
    return numeric(description, unit="%", min=0, max=100, **rest)


def latitude(description: str = "Latitude, WGS 84.", **rest: Any) -> Any:
    """Latitude in decimal degrees."""
    return real(description, unit="°", min=-90, max=90, **rest)


def longitude(description: str = "Longitude, WGS 84.", **rest: Any) -> Any:
    """Longitude in decimal degrees."""
    return real(description, unit="°", min=-180, max=180, **rest)


class Located(Contract):
    """A contract whose rows have a position, which must be in a French territory: this catches swapped axes."""

    latitude = latitude(upstream="latitude")
    longitude = longitude(upstream="longitude")

    @dy.rule()
    def in_french_territory(cls) -> pl.Expr:
        """a position in a French territory (latitude before longitude)"""
        return normalise.in_french_territory(pl.col("latitude"), pl.col("longitude"))
