"""Invented numbers in the form of real ones: establishment codes, SIREN numbers, postal codes.

Belongs here: how a number is put together, with its check letter or digit. Does not belong here: who has which number.
"""

from __future__ import annotations

import polars as pl

from edu_pipeline.normalise import UAI_LETTERS


def with_check_letter(digits: pl.Expr) -> pl.Expr:
    """The establishment code (UAI): seven digits and their check letter."""
    remainder = digits.cast(pl.Int64) % len(UAI_LETTERS)
    letter = remainder.replace_strict(dict(enumerate(UAI_LETTERS)), return_dtype=pl.String)
    return pl.concat_str(digits, letter)


def with_check_digit(digits: pl.Expr) -> pl.Expr:
    """A SIREN: eight digits and the ninth that makes them valid (Luhn)."""
    weighted = [digits.str.slice(place, 1).cast(pl.Int64) * (1 + place % 2) for place in range(8)]
    total = pl.sum_horizontal(weight // 10 + weight % 10 for weight in weighted)
    return digits + ((10 - total % 10) % 10).cast(pl.String)


def municipal_digits() -> pl.Expr:
    """The first eight digits of a municipality's SIREN, taken from its code and its code_departement."""
    departement, code = pl.col("code_departement"), pl.col("code")
    overseas = pl.format("21{}1{}", departement, code.str.slice(3))
    mainland = pl.format(
        "21{}{}{}", departement.str.replace("[AB]", "0"), (departement == "2B").cast(pl.Int8), code.str.slice(2)
    )
    return pl.when(departement.str.len_chars() == 3).then(overseas).otherwise(mainland)


def postal_code() -> pl.Expr:
    """The postal code of a bassin de vie (columns bassin, code_departement), numbered within its département."""
    departement = pl.col("code_departement")
    number = pl.col("bassin").rank("dense").over("code_departement").cast(pl.Int64) * 10
    number = number + departement.replace_strict({"2A": 0, "2B": 200}, default=100)
    return (
        pl.when(departement.str.len_chars() == 3)
        .then(departement + (number % 100).cast(pl.String).str.zfill(2))
        .otherwise(departement.str.replace("[AB]", "0") + number.cast(pl.String).str.zfill(3))
    )
