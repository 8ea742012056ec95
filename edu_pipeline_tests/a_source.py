"""A source that no publisher has, for tests of fetching and probing."""

from __future__ import annotations

from typing import Any

from edu_pipeline.catalogue import File, Source


def a_source(**files: dict[str, Any]) -> Source:
    """A source whose parts are ``files``; unless a part says otherwise, it is CSV with any name."""
    return Source(
        id="a-source",
        title="A source",
        publisher="INSEE",
        licence="Licence Ouverte 2.0",
        landing_page="https://example.org/",
        cadence="yearly",
        max_age_days=400,
        files={
            part: File(source="a-source", part=part, **{"format": "csv", "name": r".*\.csv", **file})
            for part, file in files.items()
        },
    )
