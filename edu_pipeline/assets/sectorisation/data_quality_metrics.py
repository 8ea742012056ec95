"""data_quality_metrics: how many of each département's streets were matched, and how well.

Does not belong here: the streets themselves (sectorisation_segments).
"""

import polars as pl

from edu_pipeline import contracts as c
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


@table(DataQualityMetrics, needs={"sectorisation_segments": ["code_departement", "match_score", "motif"]})
def data_quality_metrics(sectorisation_segments: pl.LazyFrame) -> pl.LazyFrame:
    """Count and average by département."""
    return (
        sectorisation_segments.group_by(department="code_departement")
        .agg(
            total_segments=pl.len(),
            osm_matched=pl.col("motif").is_null().sum(),
            match_confidence=pl.col("match_score").cast(pl.Float64).mean(),
        )
        .sort("department")
    )
