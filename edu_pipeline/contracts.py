"""What a table must be: the base class of the contracts and the kinds of columns they are made of.

Belongs here: how a column is described (type, nullability, key, bounds, pattern, description, unit,
upstream name) and what follows from the type alone (its SQL type, how text becomes a value of it).
Does not belong here: any one table's columns (they are in ``assets/<layer>/<table>.py``), reading files,
writing tables.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import dataframely as dy
import polars as pl

from edu_pipeline import normalise

Normaliser = Callable[[pl.Expr], pl.Expr]

CODES_ANCIENS = "codes_anciens"
"""Name of the column that flags rows which ``passage.py`` has made of those of former communes."""

REFUSED_BECAUSE = "refused_because"
"""Name of the column by which a transform sets a row aside that no rule of one row can tell: the reason, or NULL."""


@dataclass(frozen=True)
class Spec:
    """What a contract says of a column beyond what dataframely checks.

    Attributes:
        sql: the PostgreSQL type as ``format_type`` prints it, e.g. ``character varying(5)``.
        upstream: the publisher's column; one name for every input of the table, or one per input; a name that
            begins with ``^`` is a pattern of slugs.
        aliases: other names under which publishers have given the same column.
        optional: whether the column may be absent from a file (it is NULL then).
        unit: unit of the values, e.g. ``%`` or ``€``.
        references: tables in one of which the value must be a key.
        follows_passage: whether it is a commune's code, which is brought to the one in force (``passage.py``).
        adds_up: whether it is a count: the sum when communes merge, shared out by population when one is split. The
            first such column of a contract says which part of a merger is the largest.
        normalise: how the publisher's text is brought to this product's one form.
    """

    sql: str
    upstream: str | Mapping[str, str] | None = None
    aliases: tuple[str, ...] = ()
    optional: bool = False
    unit: str | None = None
    references: tuple[str, ...] = ()
    follows_passage: bool = False
    adds_up: bool = False
    normalise: Normaliser | None = None

    def upstream_in(self, source: str) -> str | None:
        """The column's name in ``source`` (a transform's parameter name), or None if it is not from there."""
        if isinstance(self.upstream, Mapping):
            return self.upstream.get(source)
        return self.upstream


class Contract(dy.Schema):
    """Base of every table's contract. The docstring of the subclass describes the table."""


def spec(column: dy.Column) -> Spec:
    """The ``Spec`` of a contract's column."""
    assert column.metadata is not None, f"column {column.name} was not made by edu_pipeline.contracts"
    found = column.metadata["spec"]
    assert isinstance(found, Spec)
    return found


def specs(contract: type[Contract]) -> dict[str, Spec]:
    """Name to ``Spec`` for all columns of ``contract``, in its order."""
    return {name: spec(column) for name, column in contract.columns().items()}


def _column(
    kind: Callable[..., dy.Column], description: str, sql: str, *, key: bool, required: bool, **rest: Any
) -> dy.Column:
    described: dict[str, Any] = {}
    for field in ("upstream", "optional", "unit", "normalise", "aliases", "references", "follows_passage", "adds_up"):
        if field in rest:
            value = rest.pop(field)
            described[field] = tuple(value) if field in ("aliases", "references") else value
    return kind(
        nullable=not (key or required),
        primary_key=key,
        description=description,
        metadata={"spec": Spec(sql=sql, **described)},
        **rest,
    )


def _at_most(length: int) -> dict[str, Normaliser]:
    """PostgreSQL counts characters, dataframely's ``max_length`` bytes: an own rule."""
    return {f"at_most_{length}_characters": lambda value: value.str.len_chars() <= length}


def text(description: str, *, length: int | None = None, key: bool = False, required: bool = False, **rest: Any) -> Any:
    """Text: ``TEXT``, or ``VARCHAR(length)`` with the length counted in characters.

    ``rest``: ``pattern`` (a regular expression), ``upstream``, ``aliases``, ``optional``, ``references``,
    ``normalise``, as in ``Spec``.
    """
    checks: dict[str, Normaliser] = dict(rest.pop("check", {}))
    if length is not None:
        checks |= _at_most(length)
    sql = "text" if length is None else f"character varying({length})"
    pattern = rest.pop("pattern", None)
    return _column(dy.String, description, sql, key=key, required=required, regex=pattern, check=checks or None, **rest)


def integer(description: str, *, key: bool = False, required: bool = False, **rest: Any) -> Any:
    """A whole number, ``INTEGER``. ``rest``: ``min``, ``max``, and as in ``text``."""
    return _column(dy.Int32, description, "integer", key=key, required=required, **rest)


def numeric(description: str, precision: int = 5, scale: int = 2, *, required: bool = False, **rest: Any) -> Any:
    """A decimal number, ``NUMERIC(precision, scale)``, rounded half away from zero as PostgreSQL does.

    ``rest``: ``min``, ``max``, and as in ``text``.
    """
    for bound in ("min", "max"):
        if bound in rest:
            rest[bound] = Decimal(str(rest[bound]))
    sql = f"numeric({precision},{scale})"
    return _column(
        lambda **given: dy.Decimal(precision, scale, **given), description, sql, key=False, required=required, **rest
    )


def real(description: str, *, required: bool = False, **rest: Any) -> Any:
    """A floating-point number, ``DOUBLE PRECISION``; NaN and infinities are refused. ``rest`` as in ``integer``."""
    return _column(dy.Float64, description, "double precision", key=False, required=required, **rest)


def boolean(description: str, *, required: bool = False, **rest: Any) -> Any:
    """A flag, ``BOOLEAN``; publishers write it ``1``/``0``, ``O``/``N``, ``oui``/``non``, ``true``/``false``."""
    return _column(dy.Bool, description, "boolean", key=False, required=required, **rest)


def date(description: str, *, key: bool = False, required: bool = False, **rest: Any) -> Any:
    """A day, ``DATE``; publishers write it ``2024-11-26`` (a time may follow) or ``26/11/2024``."""
    return _column(dy.Date, description, "date", key=key, required=required, **rest)


def texts(description: str, *, length: int | None = None, required: bool = False, **rest: Any) -> Any:
    """A list of texts, ``TEXT[]`` or ``VARCHAR(length)[]``; no element is NULL or empty."""
    sql = "text[]" if length is None else f"character varying({length})[]"
    inner = dy.String(min_length=1, check=_at_most(length) if length is not None else None)
    return _column(lambda **given: dy.List(inner, **given), description, sql, key=False, required=required, **rest)


def geometry(description: str, kind: str, *, required: bool = False, **rest: Any) -> Any:
    """A geometry in WGS 84, ``GEOMETRY(kind,4326)``; a transform gives it as EWKB in upper-case hexadecimal."""
    return _column(
        dy.String, description, f"geometry({kind},4326)", key=False, required=required,
        regex="^[0-9A-F]+$", **rest,
    )  # fmt: skip


def uai(description: str = "Establishment code: 7 digits and a check letter.", **rest: Any) -> Any:
    """The establishment code (UAI, formerly RNE), its check letter verified."""
    rest.setdefault("upstream", "uai")
    rest.setdefault("required", True)
    check = {"check_letter": normalise.has_uai_check_letter}
    return text(description, length=8, pattern=r"^\d{7}[A-Z]$", check=check, normalise=normalise.upper, **rest)


def code_commune(description: str = "INSEE code of the commune or municipal arrondissement.", **rest: Any) -> Any:
    """The 5-character INSEE code; by default that of a commune in force, to which a former one is brought."""
    rest.setdefault("references", ("info_communes",))
    rest.setdefault("follows_passage", "info_communes" in rest["references"])
    return text(description, length=5, pattern=r"^(\d{2}|2[AB])\d{3}$", normalise=normalise.code_commune, **rest)


def codes_anciens() -> Any:
    """The flag of a row that is not as published, ``passage.CODES_ANCIENS``; a key ``code_commune`` goes with it."""
    return texts(
        "Codes under which the publisher has the figures, where these are of communes merged, split or recoded since; "
        "the largest part first. Counts are the sum, of a split commune the share of the population; rates, medians "
        "and texts are those of the first code. NULL: as published.",
        length=5, min_length=1,
    )  # fmt: skip


def code_departement(
    description: str = "Code of the département or collectivity, e.g. 01, 2A, 971.", **rest: Any
) -> Any:
    """The département's code in its one form, whatever the source writes (``001``, ``02A``)."""
    return text(description, length=5, pattern=r"^(\d{2}|2[AB]|9[78]\d)$", normalise=normalise.code_departement, **rest)


def code_academie(description: str = "Code of the académie, two digits.", **rest: Any) -> Any:
    """The académie's code, two digits."""
    return text(description, length=2, pattern=r"^\d{2}$", normalise=normalise.two_digits, **rest)


def secteur(
    description: str = "public, privé, privé sous contrat or privé hors contrat, as far as the publisher says.",
    **rest: Any,
) -> Any:
    """The sector in one spelling, whatever the source writes (``PU``, ``Public``, ``PRIVE SOUS CONTRAT``)."""
    return text(
        description, length=50, pattern="^(public|privé|privé sous contrat|privé hors contrat)$",
        normalise=normalise.secteur, **rest,
    )  # fmt: skip


def year(description: str, *, key: bool = False, **rest: Any) -> Any:
    """A year, ``INTEGER``; publishers write it ``2024``, ``2024.0`` or as the date-time of its first day."""
    return integer(description, key=key, min=1990, max=2100, normalise=normalise.year, **rest)


def percentage(description: str, **rest: Any) -> Any:
    """A share of 100, ``NUMERIC(5,2)``, between 0 and 100."""
    return numeric(description, unit="%", min=0, max=100, **rest)


def latitude(description: str = "Latitude, WGS 84.", **rest: Any) -> Any:
    """Latitude in decimal degrees."""
    return real(description, unit="°", min=-90, max=90, **rest)


def longitude(description: str = "Longitude, WGS 84.", **rest: Any) -> Any:
    """Longitude in decimal degrees."""
    return real(description, unit="°", min=-180, max=180, **rest)


class Located(Contract):
    """A contract whose rows have a position, which must lie in a French territory: catches swapped axes."""

    latitude = latitude(upstream="latitude")
    longitude = longitude(upstream="longitude")

    @dy.rule()
    def in_french_territory(cls) -> pl.Expr:
        """a position in a French territory (latitude before longitude)"""
        return normalise.in_french_territory(pl.col("latitude"), pl.col("longitude"))
