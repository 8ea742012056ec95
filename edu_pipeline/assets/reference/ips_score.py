"""ips_score: the social position score of each socio-professional category, from an editorial file.

Does not belong here: the index of a school, which is the mean of its pupils' scores (ips_lycees, ips_colleges).
"""

import polars as pl

from edu_pipeline import contracts as c
from edu_pipeline.table import table


class IpsScore(c.Contract):
    """The social position score (IPS) of a socio-professional category, as given in DEPP's document.

    DEPP publishes the scores only in a document, from which an operator transcribes them (docs/editorial-files.md).
    Without that file the table is empty. The scale of 2022 runs from 45 to 185, that of 2016 from 38 to 179; the file
    uses one of them and does not say which.
    """

    code_pcs = c.text(
        "Code of the category, as in pcs_libelle.",
        length=10,
        key=True,
        pattern="^[0-9]{1,4}[A-Za-z]?$",
        references=("pcs_libelle",),
        upstream="code_pcs",
    )
    ips_score = c.numeric(
        "Social position score: the higher, the more favourable to learning.",
        min=0,
        max=200,
        required=True,
        upstream="ips_score",
        normalise=lambda number: number.str.replace(",", ".", literal=True),
    )


@table(IpsScore, max_unknown=0)
def ips_score(editorial_ips_score: pl.LazyFrame | None = None) -> pl.LazyFrame:
    """Take the rows of the file, if there is one."""
    return IpsScore.create_empty(lazy=True) if editorial_ips_score is None else editorial_ips_score
