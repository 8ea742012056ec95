"""Writing a workbook (.xlsx) of text cells: only what a publisher's tables need.

Belongs here: sheets of text, titles above the header. Does not belong here: numbers, formulas, styles.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from xml.sax.saxutils import escape

import polars as pl

from edu_pipeline.sample.formats import write_zip

XML = '<?xml version="1.0" encoding="UTF-8" standalone="yes"?>\n'
MAIN = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
RELATIONS = "http://schemas.openxmlformats.org/package/2006/relationships"
OFFICE = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
CONTENT = "application/vnd.openxmlformats-officedocument.spreadsheetml"
ESCAPES = {"&": "&amp;", "<": "&lt;", ">": "&gt;"}


def write_workbook(path: Path, sheets: Mapping[str, pl.DataFrame], titles: Sequence[str]) -> None:
    """Write each frame as a sheet: the titles, one per row, then the header and the rows (all text, nulls empty)."""
    members = {
        "[Content_Types].xml": _content_types(len(sheets)),
        "_rels/.rels": _relations({"officeDocument": "xl/workbook.xml"}),
        "xl/workbook.xml": _workbook(list(sheets)),
        "xl/_rels/workbook.xml.rels": _relations(
            {f"worksheet {number}": f"worksheets/sheet{number}.xml" for number in range(1, len(sheets) + 1)}
        ),
    }
    for number, frame in enumerate(sheets.values(), 1):
        members[f"xl/worksheets/sheet{number}.xml"] = _sheet(frame, titles)
    write_zip(path, {name: text.encode() for name, text in members.items()})


def _content_types(sheets: int) -> str:
    parts = {"/xl/workbook.xml": f"{CONTENT}.sheet.main+xml"} | {
        f"/xl/worksheets/sheet{number}.xml": f"{CONTENT}.worksheet+xml" for number in range(1, sheets + 1)
    }
    overrides = "".join(f'<Override PartName="{part}" ContentType="{kind}"/>' for part, kind in parts.items())
    rels = '<Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/>'
    types = "http://schemas.openxmlformats.org/package/2006/content-types"
    return (
        f'{XML}<Types xmlns="{types}">{rels}<Default Extension="xml" ContentType="application/xml"/>{overrides}</Types>'
    )


def _relations(targets: Mapping[str, str]) -> str:
    """Relationships rId1, rId2, ... to the targets; the first word of each key is the type."""
    links = "".join(
        f'<Relationship Id="rId{number}" Type="{OFFICE}/{kind.split()[0]}" Target="{target}"/>'
        for number, (kind, target) in enumerate(targets.items(), 1)
    )
    return f'{XML}<Relationships xmlns="{RELATIONS}">{links}</Relationships>'


def _workbook(names: Sequence[str]) -> str:
    sheets = "".join(
        f'<sheet name="{escape(name)}" sheetId="{number}" r:id="rId{number}"/>' for number, name in enumerate(names, 1)
    )
    return f'{XML}<workbook xmlns="{MAIN}" xmlns:r="{OFFICE}"><sheets>{sheets}</sheets></workbook>'


def _sheet(frame: pl.DataFrame, titles: Sequence[str]) -> str:
    text = frame.cast(pl.String).with_columns(pl.all().str.replace_many(ESCAPES))
    rows = text.select(pl.concat_str(_cell(pl.col(name)) for name in frame.columns)).to_series()
    header = "".join(f"<c t='inlineStr'><is><t>{escape(name)}</t></is></c>" for name in frame.columns)
    above = [f"<c t='inlineStr'><is><t>{escape(title)}</t></is></c>" for title in titles]
    body = "".join(f"<row>{cells}</row>" for cells in [*above, header, *rows])
    return f'{XML}<worksheet xmlns="{MAIN}"><sheetData>{body}</sheetData></worksheet>'


def _cell(value: pl.Expr) -> pl.Expr:
    filled = pl.concat_str(pl.lit("<c t='inlineStr'><is><t>"), value, pl.lit("</t></is></c>"))
    return pl.when(value.is_not_null()).then(filled).otherwise(pl.lit("<c/>"))
