"""What is made from what, all the way: sources, tables and views.

Belongs here: questions about the graph that tables and views declare. Does not belong here: the declarations
(``table.py``, ``database/views.py``), and Dagster's graph, which is made from the same.
"""

from __future__ import annotations

from collections.abc import Iterable

from edu_pipeline.catalogue import catalogue
from edu_pipeline.database import views
from edu_pipeline.table import tables


def used_sources() -> list[str]:
    """The sources that a table reads, in the catalogue's order."""
    used = {source for table in tables().values() for source in table.sources}
    return [source for source in catalogue() if source in used]


def downstream_of(sources: Iterable[str]) -> list[str]:
    """The tables and views that are made from ``sources``, directly or by way of others."""
    changed = set(sources)
    return [name for name in [*tables(), *views.views()] if not changed.isdisjoint(sources_of(name))]


def sources_of(name: str) -> list[str]:
    """The sources that a table or view is made from, directly or by way of others."""
    table = tables().get(name)
    above = table.tables if table else views.views()[name].inputs
    own = table.sources if table else []
    return list(dict.fromkeys([*own, *(source for upper in above for source in sources_of(upper))]))


def upstream_tables(name: str) -> set[str]:
    """The tables that a table is made from, directly or by way of others."""
    above = tables()[name].tables
    return set(above).union(*map(upstream_tables, above))
