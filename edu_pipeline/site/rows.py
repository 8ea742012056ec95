"""The pages on which the rows of a table are filtered, sorted and downloaded, in the reader's browser.

Belongs here: what these pages are told. Does not belong here: reading the rows (``static/rows.mjs``), the files
(package ``export``).
"""

from __future__ import annotations

import pyarrow as pa

from edu_pipeline.export.description import Field
from edu_pipeline.export.export import DESCRIPTIONS
from edu_pipeline.site.context import DATA, Site
from edu_pipeline.site.facts import Facts, TableFacts
from edu_pipeline.site.texts import LANGUAGES, text

SCRIPT = (
    "contains",
    "is",
    "least",
    "most",
    "null",
    "known",
    "reading",
    "writing",
    "failed",
    "shown",
    "none",
    "download",
    "too_many",
    "remove",
)
"""The texts that the script of these pages shows."""


def pages(site: Site, facts: Facts) -> None:
    """Write the list of the tables, and a page for each."""
    written = [name for name in DESCRIPTIONS if (site.folder / DATA / name).exists()]
    site.page("tables.html", "tables.html", "tables", facts=facts, files=site.files, descriptions=written)
    texts = {language: {name: text(language, f"rows.{name}") for name in SCRIPT} for language in LANGUAGES}
    for table in facts.tables.values():
        told = {"table": table, "file": site.files[table.name], "browser": _browser(site, table), "script": texts}
        site.page(f"rows/{table.name}.html", "rows.html", "tables", **told)


def _browser(site: Site, table: TableFacts) -> dict[str, object]:
    """What the script knows of a table: its file, relative to the page, and its columns."""
    file = site.files[table.name]
    columns = [
        {"name": field.name, "kind": kind(field), "description": field.explanation} for field in table.described.fields
    ]
    return {
        "name": table.name,
        "file": f"../../{DATA}/{file.name}",
        "bytes": file.bytes,
        "rows": table.rows,
        "columns": columns,
    }


def kind(field: Field) -> str:
    """How the values of a column are compared: ``text``, ``number``, ``date``, ``flag``, ``list`` or ``shape``."""
    if field.is_geometry:
        return "shape"
    for name, belongs in (
        ("list", pa.types.is_list),
        ("flag", pa.types.is_boolean),
        ("date", pa.types.is_date),
        ("text", pa.types.is_string),
    ):
        if belongs(field.arrow):
            return name
    return "number"
