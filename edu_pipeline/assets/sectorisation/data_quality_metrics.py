"""data_quality_metrics: how many of each département's streets were matched, and how well.

Does not belong here: the streets themselves (sectorisation_segments).
"""

import polars as pl

from edu_pipeline import contracts as c
from edu_pipeline.parts import Parts
from edu_pipeline.sectors import addresses
from edu_pipeline.table import table

MOST_SEGMENTS = 10_000_000
"""More segments than any département has."""


class DataQualityMetrics(c.Contract):
    """How many of a département's segments were located on the map, and how similar the matched labels were.

    This compares the labels of the cartes scolaires with the BAN; it says nothing about whether the rules are right.
    (The BAN has replaced OpenStreetMap; `osm_matched` keeps its name.)
    """

    department = c.code_departement("Code of the département of the segments.", key=True)
    total_segments = c.integer(
        "Segments: rows of sectorisation_segments.", required=True, min=1, max=MOST_SEGMENTS, unit="segments"
    )
    osm_matched = c.integer("Segments with a geometry.", required=True, min=0, max=MOST_SEGMENTS, unit="segments")
    match_confidence = c.numeric(
        "Mean match_score of the segments whose street was matched: 100 if all labels are identical; NULL if none was "
        "matched.",
        unit="of 100",
        min=0,
        max=100,
    )
    adresses = c.integer(
        "Addresses of the BAN through which the segments of the département are drawn: those of their communes.",
        unit="addresses",
        min=0,
    )
    adresses_sans_numero = c.integer(
        f"Addresses left out since their number (0, or from {addresses.MARKERS_FROM:,} on) only says that there is "
        "none.",
        unit="addresses",
        min=0,
    )
    adresses_isolees = c.integer(
        "Addresses left out since they are far from all others of their street.", unit="addresses", min=0
    )


COUNTS = ("adresses", "adresses_sans_numero", "adresses_isolees")


@table(
    DataQualityMetrics,
    needs={
        "sectorisation_segments": ["code_departement", "code_commune", "match_score", "motif"],
        "ban": addresses.COLUMNS,
    },
)
def data_quality_metrics(sectorisation_segments: pl.LazyFrame, ban: Parts | None = None) -> pl.LazyFrame:
    """Count and average by département."""
    metrics = (
        sectorisation_segments.group_by(department="code_departement")
        .agg(
            total_segments=pl.len(),
            osm_matched=pl.col("motif").is_null().sum(),
            match_confidence=pl.col("match_score").cast(pl.Float64).mean(),
            communes=pl.col("code_commune").unique(),
        )
        .sort("department")
        .collect(engine="streaming")
    )
    communes = metrics.select("department", "communes").iter_rows()
    counts = [(None, None, None) if ban is None else addresses.counts(ban, *row) for row in communes]
    counted = pl.DataFrame(counts, dict.fromkeys(COUNTS, pl.Int64), orient="row")
    return metrics.drop("communes").hstack(counted).lazy()
