"""passage_communes: how the codes of communes changed. Not here: the communes in force (info_communes)."""

import polars as pl

from edu_pipeline import contracts as c
from edu_pipeline.table import table

NATURES = {"f": "fusion", "d": "scission", "c": "changement de code"}


class PassageCommunes(c.Contract):
    """A commune before a merger, a split or a change of code, and one that it is (partly) found in afterwards.

    A commune that keeps its code through a merger or a split has a row with `code_ancien` = `code_commune`: the share
    of it that stays. With these rows the shares of a `code_ancien` add up to 1 at each date, and counts carried over by
    sum(value * part) are complete. For changed codes only, filter `code_ancien <> code_commune`. Counts may be carried
    over, rates and medians may not. Codes change several times: follow the rows in the order of `date_effet`, and never
    join on `code_ancien` alone, since a split commune's code stays in force. The file known so
    far ends on 1 January 2024: later changes are missing.

    The columns are those of the table of changes drawn from INSEE's tables de passage (geo_ini, cod_ini, ...). INSEE's
    own workbooks (one column CODGEO_<year> per year) and its list of events (v_mvt_commune) could not be tried.
    """

    code_ancien = c.code_commune(
        "INSEE code of the commune before the change.", key=True, upstream="cod_ini", references=()
    )
    code_commune = c.code_commune(
        "INSEE code afterwards; not necessarily one in force today.", key=True, upstream="cod_fin", references=()
    )
    date_effet = c.date("Day on which the change took effect.", key=True, upstream="annee")
    nature = c.text(
        "fusion (into one commune), scission (into several), changement de code.",
        required=True, pattern=f"^({'|'.join(NATURES.values())})$", upstream="typemodif",
    )  # fmt: skip
    part = c.real(
        "Share of the former commune's population that is in `code_commune` afterwards, from 0 to 1.",
        required=True, min=0, max=1, upstream="ratio",
    )  # fmt: skip
    geo_ini = c.year("Year of the geography (on 1 January) with the code before the change.", upstream="geo_ini")
    geo_fin = c.year("Year of the geography with the code after the change.", upstream="geo_fin")


@table(PassageCommunes)
def passage_communes(insee_table_passage: pl.LazyFrame) -> pl.LazyFrame:
    """Write the nature of the change out; an unknown letter stays, to be refused."""
    return insee_table_passage.with_columns(pl.col("nature").replace(NATURES))
