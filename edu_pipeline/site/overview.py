"""The pages about everything at once: lineage, and freshness.

Belongs here: what their templates get. Does not belong here: the graphs (``lineage.py``), judging what is fresh
(``monitoring/health.py``).
"""

from __future__ import annotations

from collections import defaultdict
from datetime import datetime

from edu_pipeline.monitoring.health import ages_over_time
from edu_pipeline.site.context import Site
from edu_pipeline.site.facts import Facts
from edu_pipeline.site.lineage import lineage, references
from edu_pipeline.sources.archive import Archive
from edu_pipeline.table import LAYERS


def pages(site: Site, facts: Facts, archive: Archive) -> None:
    """Write both pages.

    Raises:
        ArchiveUnusable: the archive cannot be read.
    """
    graphs = {"lineage": lineage(facts), "references": references(facts)}
    site.page("lineage.html", "lineage.html", "lineage", facts=facts, kinds=("source", *LAYERS), **graphs)
    ages: dict[str, list[tuple[datetime, float]]] = defaultdict(list)
    for moment, source, age in ages_over_time(archive):
        ages[source].append((moment, age))
    titles = {source.source: source.title for source in facts.sources}
    site.page("freshness.html", "freshness.html", "freshness", facts=facts, ages=ages, titles=titles)
