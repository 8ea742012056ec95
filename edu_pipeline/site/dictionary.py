"""The dictionary: a page per table and view, the sources, and the list from which all of it is searched.

Belongs here: which pages there are, and what the templates get. Does not belong here: what is known of a table
(``facts.py``), how it looks (``templates/``).
"""

from __future__ import annotations

import json
from itertools import groupby

from edu_pipeline.site.code import coloured
from edu_pipeline.site.context import DATA, Site
from edu_pipeline.site.facts import Facts, TableFacts
from edu_pipeline.site.lineage import lineage
from edu_pipeline.site.profile import first_rows, profiles
from edu_pipeline.table import LAYERS

SHOWN = 10
"""Rows of a table that its page shows."""


def pages(site: Site, facts: Facts) -> None:
    """Write the pages of the dictionary."""
    by_layer = sorted(facts.tables.values(), key=lambda table: LAYERS.index(table.described.layer))
    layers = [(layer, list(tables)) for layer, tables in groupby(by_layer, lambda table: table.described.layer)]
    site.page("index.html", "dictionary.html", "dictionary", layers=layers, facts=facts)
    site.page("sources.html", "sources.html", "dictionary", facts=facts)
    for table in facts.tables.values():
        site.page(f"table/{table.name}.html", "table.html", "dictionary", **_table(site, facts, table))
    site.write(f"{DATA}/search.json", json.dumps(search_list(facts), ensure_ascii=False, separators=(",", ":")))


def _table(site: Site, facts: Facts, table: TableFacts) -> dict[str, object]:
    file = site.files[table.name]
    path = site.folder / DATA / file.name
    names = [field.name for field in table.described.fields]
    return {
        "table": table,
        "facts": facts,
        "file": file,
        "profiles": dict(profiles(path, table.described)),
        "rows": first_rows(path, names, SHOWN),
        "graph": lineage(facts, table.name),
        "code": coloured(table.code, table.language),
    }


def search_list(facts: Facts) -> list[list[str]]:
    """Everything that can be found: kind, name, where it belongs, path of its page, and the text that is searched."""
    found = []
    for table in facts.tables.values():
        page = f"table/{table.name}.html"
        kind = "view" if table.table is None else "table"
        found.append([kind, table.name, table.described.layer, page, table.summary])
        for column in table.columns.values():
            names = " ".join(dict.fromkeys(name for _, name in column.upstream))
            text = f"{column.field.description} {names}".strip()
            found.append(["column", column.field.name, table.name, f"{page}#{column.field.name}", text])
    for source in facts.sources:
        found.append(["source", source.source, source.publisher, f"sources.html#{source.source}", source.title])
    return found
