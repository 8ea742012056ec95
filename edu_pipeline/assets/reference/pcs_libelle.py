"""pcs_libelle: the labels of INSEE's socio-professional categories.

Does not belong here: their social position (ips_score).
"""

import polars as pl

from edu_pipeline import contracts as c
from edu_pipeline.accounts import SOURCE_ROW
from edu_pipeline.flow import add_up
from edu_pipeline.table import table


class PcsLibelle(c.Contract):
    """A category of INSEE's nomenclature of professions and socio-professional categories (PCS 2003), at any level.

    The publisher lists 14 categories twice under one code, at levels 2 and 3 (21 Artisans, for instance). Here they are
    one row, with `niveau` 2 and `niveau_fin` 3. To select all categories of level 3, use
    `WHERE 3 BETWEEN niveau AND niveau_fin`, with the labels in `libelle_fin`; `WHERE niveau = 3` misses some.
    """

    code_pcs = c.text(
        "Code of the category: one digit (level 1), two (levels 2 and 3), three and a letter (level 4).",
        length=10,
        key=True,
        pattern="^[0-9]{1,4}[A-Za-z]?$",
        upstream="code",
    )
    libelle = c.text("Label of the category at the level `niveau`.", required=True, upstream="libelle")
    niveau = c.integer(
        "Level, from 1 (8 groups) to 4 (497 professions); the more general one if the code is used at two.",
        required=True,
        min=1,
        max=4,
        upstream="level",
    )
    niveau_fin = c.integer("The most detailed level at which the code is used.", required=True, min=1, max=4)
    libelle_fin = c.text("Label at that level; it differs from `libelle` only for code 31.", required=True)
    code_parent = c.text(
        "Code of the category one level above `niveau`; NULL at level 1.",
        length=10,
        pattern="^[0-9]{1,4}[A-Za-z]?$",
        references=("pcs_libelle",),
        upstream="parent_code",
    )


@table(PcsLibelle)
def pcs_libelle(insee_pcs: pl.LazyFrame) -> pl.LazyFrame:
    """Merge the rows that have the same code at different levels (at the same level they are duplicates)."""
    levels = insee_pcs.with_columns(
        libelle=pl.col("libelle").str.replace_all(r"\s+", " "),
        duplicate=pl.int_range(pl.len()).over("code_pcs", "niveau"),
    ).sort("niveau", maintain_order=True)
    most_detailed = [pl.col(name).last().alias(f"{name}_fin") for name in ("niveau", "libelle")]
    return add_up(levels, ["code_pcs", "duplicate"], [pl.exclude(SOURCE_ROW).first(), *most_detailed])
