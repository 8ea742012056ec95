"""The parameters of a request to an Opendatasoft portal, and what is wrong with those that it refuses.

Belongs here: reading and checking parameters. A parameter that real portals know and this one does not (`where` on
data, `group_by`, `refine`, ...) is refused, never ignored. Does not belong here: what is answered (`portal.py`,
`portal_data.py`).
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from edu_pipeline.sample.portal_data import Compression, Content, Dataset, Export

Query = Mapping[str, str]

FORMATS = ("csv", "json", "jsonl", "parquet")
FORMATS_OF_FEATURES = ("geojson", "json", "jsonl")
"""The formats of the exports: of a dataset that is stored as CSV, and of one that is stored as GeoJSON."""

OWN_PARAMETERS = {"csv": {"delimiter", "with_bom", "quote_all"}, "parquet": {"parquet_compression"}}
"""The parameters that only one format has."""
WITHOUT_EFFECT = {"lang", "timezone", "epsg", "list_separator"}
"""Parameters that make no difference to this data."""
DELIMITERS = {";", ",", "\t", "|"}
COMPRESSIONS: dict[str, Compression] = {"snappy": "snappy", "zstd": "zstd"}
MOST_RECORDS, FARTHEST_RECORD = 100, 10_000


class BadRequest(Exception):
    """A request that the portal answers with 400."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


def malformed(problem: str, clause: str) -> BadRequest:
    """A clause of the query language that cannot be read."""
    return BadRequest(
        "ODSQLError", f"ODSQL query is malformed: {problem}. Clause(s) containing the error(s): {clause}."
    )


def invalid(parameter: str, value: str, expected: str) -> BadRequest:
    """A parameter with a value that it cannot have."""
    return BadRequest(
        "InvalidRESTParameterError",
        f"Invalid value for {parameter} API parameter: {value} was found but {expected} is expected.",
    )


def check_known(query: Query, known: set[str]) -> None:
    """Refuse parameters that would make a difference on a real portal and make none here."""
    if unknown := sorted(set(query) - known):
        raise BadRequest("InvalidRESTParameterError", f"Parameter {unknown[0]} is not known to this sample portal.")


def matching(datasets: Sequence[Dataset], where: str) -> list[Dataset]:
    """The datasets that ``dataset_id in ("a", "b")`` or ``dataset_id = "a"`` names."""
    match = re.fullmatch(r"""\s*dataset_id\s*(?:in\s*\((.*)\)|=\s*("[^"]*"|'[^']*'))\s*""", where, re.IGNORECASE)
    if not match:
        raise malformed(f"Syntax error in {where!r}", "where")
    names = set(re.findall(r"""["']([^"']*)["']""", match[1] or match[2]))
    return [dataset for dataset in datasets if dataset.name in names]


def ordered(datasets: Sequence[Dataset], order: str) -> list[Dataset]:
    """The datasets by name or by date, as ``order_by`` says."""
    match = re.fullmatch(r"(dataset_id|modified|data_processed)(?:\s+(asc|desc))?", order.strip(), re.IGNORECASE)
    if not match:
        raise malformed(f"Unknown field: {order.split(maxsplit=1)[0] if order.split() else order}", "order_by")
    by_name = match[1].lower() == "dataset_id"
    return sorted(
        datasets,
        key=lambda dataset: dataset.name if by_name else dataset.holding.published_at.isoformat(),
        reverse=(match[2] or "").lower() == "desc",
    )


def page(query: Query) -> tuple[int, int]:
    """Offset and limit of a page."""
    limit, offset = _number(query, "limit", 10), _number(query, "offset", 0)
    if not -1 <= limit <= MOST_RECORDS:
        raise invalid("limit", str(limit), f"-1 <= limit <= {MOST_RECORDS}")
    limit = MOST_RECORDS if limit == -1 else limit
    if offset < 0 or offset + limit > FARTHEST_RECORD:
        raise invalid("offset + limit", str(offset + limit), f"0 <= offset + limit <= {FARTHEST_RECORD}")
    return offset, limit


def selected(query: Query, known: Sequence[str]) -> list[str]:
    """The known names that ``select`` names; all of them without it."""
    select = query.get("select", "").strip()
    if select in ("", "*"):
        return list(known)
    names = [name.strip() for name in select.split(",")]
    if unknown := [name for name in names if name not in known]:
        raise malformed(f"Unknown field: {unknown[0]}", "select")
    return names


def formats_of(dataset: Dataset) -> tuple[str, ...]:
    """The formats of a dataset's exports."""
    return FORMATS_OF_FEATURES if dataset.has_features else FORMATS


def export_of(kind: str, query: Query, content: Content, formats: Sequence[str] = FORMATS) -> Export:
    """The parameters of an export in the format ``kind``, one of ``formats``."""
    if kind not in formats:
        raise invalid("format", kind, f"one of {', '.join(formats)} (in this sample)")
    check_known(query, {"limit", "select", "use_labels"} | OWN_PARAMETERS.get(kind, set()) | WITHOUT_EFFECT)
    delimiter, compression = query.get("delimiter", ";"), query.get("parquet_compression", "snappy")
    if delimiter not in DELIMITERS:
        raise invalid("delimiter", delimiter, "one of ; , | and a tabulator")
    if compression not in COMPRESSIONS:
        raise invalid("parquet_compression", compression, "snappy or zstd")
    limit = _number(query, "limit", -1)
    if limit < -1:
        raise invalid("limit", str(limit), "-1 <= limit")
    return Export(
        fields=selected(query, list(content.types)),
        limit=None if limit == -1 else limit,
        use_labels=_flag(query, "use_labels", False),
        with_bom=_flag(query, "with_bom", True),
        delimiter=delimiter,
        quote_all=_flag(query, "quote_all", False),
        compression=COMPRESSIONS[compression],
    )


def _number(query: Query, name: str, default: int) -> int:
    try:
        return int(query.get(name) or default)
    except ValueError:
        raise invalid(name, query[name], "an integer") from None


def _flag(query: Query, name: str, default: bool) -> bool:
    value = query.get(name, "").lower() or str(default).lower()
    if value not in ("true", "false"):
        raise invalid(name, value, "true or false")
    return value == "true"
