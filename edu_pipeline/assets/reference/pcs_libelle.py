"""pcs_libelle: the labels of INSEE's socio-professional categories. Not here: their social position (ips_score)."""

import polars as pl

from edu_pipeline import contracts as c
from edu_pipeline.table import table


class PcsLibelle(c.Contract):
    """A category of INSEE's nomenclature of professions and socio-professional categories (PCS 2003), of any level.

    The publisher lists 14 categories twice under one code, on levels 2 and 3 (21 Artisans, for instance): here they
    are one row, with `niveau` 2 and `niveau_fin` 3. All categories of level 3 are therefore the rows
    `WHERE 3 BETWEEN niveau AND niveau_fin`, their labels are in `libelle_fin`. Counting rows by `niveau` misses them.
    """

    code_pcs = c.text(
        "Code of the category: a digit (level 1), two (levels 2 and 3), three and a letter (level 4).",
        length=10, key=True, pattern=r"^\d[0-9A-Za-z]*$", upstream="code",
    )  # fmt: skip
    libelle = c.text("Label of the category on its level `niveau`.", required=True, upstream="libelle")
    niveau = c.integer(
        "Level, from 1 (8 groups) to 4 (497 professions); the more general one if the code is used on two.",
        required=True, min=1, max=4, upstream="level",
    )  # fmt: skip
    niveau_fin = c.integer("The most detailed level on which the code is used.", required=True, min=1, max=4)
    libelle_fin = c.text("Label on that level; it differs from `libelle` for code 31 only.", required=True)
    code_parent = c.text(
        "Code of the category one level up from `niveau`; NULL on level 1.",
        length=10, references=("pcs_libelle",), upstream="parent_code",
    )  # fmt: skip


@table(PcsLibelle)
def pcs_libelle(insee_pcs: pl.LazyFrame) -> pl.LazyFrame:
    """Make one row of the rows with one code on different levels (on the same level it is a duplicate)."""
    return (
        insee_pcs.with_columns(
            libelle=pl.col("libelle").str.replace_all(r"\s+", " "),
            duplicate=pl.int_range(pl.len()).over("code_pcs", "niveau"),
        )
        .sort("niveau", maintain_order=True)
        .group_by("code_pcs", "duplicate", maintain_order=True)
        .agg(pl.all().first(), niveau_fin=pl.col("niveau").last(), libelle_fin=pl.col("libelle").last())
    )
