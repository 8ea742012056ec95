"""The dates that publishers give: in the answers of their interfaces, and in HTTP headers.

Belongs here: reading such a date, and which of a file's dates is the publisher's own. Does not belong here: asking for
it (``origins.py``, ``download.py``).
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any


def moment_of(text: str | None) -> datetime | None:
    """A publisher's date, as an interface or an HTTP header writes it; None if it is not a date."""
    if not text:
        return None
    for read in (datetime.fromisoformat, parsedate_to_datetime):
        try:
            moment = read(text)
        except (TypeError, ValueError):
            continue
        return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return None


def publication_date(description: Mapping[str, Any], last_modified: str | None = None) -> datetime | None:
    """When the data was published: as the publisher's interface says, else as its server dates the file."""
    return moment_of(description.get("data_processed") or description.get("last_modified") or last_modified)
