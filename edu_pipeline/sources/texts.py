"""Wording that the failure texts of this package share.

Belongs here: how a text names files, a list and a URL. Does not belong here: the failures themselves (``errors.py``).
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from urllib.parse import SplitResult, parse_qsl, quote, urlencode, urlsplit, urlunsplit

from edu_pipeline.catalogue import File
from edu_pipeline.errors import EXAMPLES

CATALOGUE = "edu_pipeline/catalogue.toml"
"""The file that most remedies ask to change."""

SECRET = re.compile(r"token|key|secret|passw|pwd|sig|auth|credential|^x-(amz|goog)-", re.IGNORECASE)
"""Query parameters whose value is never shown."""


def file_names(*files: File) -> str:
    """The files of one source as texts name them: the source, and the parts if it has several."""
    parts = ", ".join(file.part for file in files if file.part != "main")
    return f"{files[0].source} ({parts})" if parts else files[0].source


def listed(names: Sequence[str]) -> str:
    """The first names of a list, and how many more there are."""
    more = f" and {len(names) - EXAMPLES} more" if len(names) > EXAMPLES else ""
    return ", ".join(names[:EXAMPLES]) + more or "nothing"


def without_secrets(url: str) -> str:
    """``url`` as it may be shown: without user and password, without the values of tokens in the query."""
    try:
        parts = urlsplit(url)
        host = parts.netloc.rpartition("@")[2]
        query = parts.query
        pairs = parse_qsl(query, keep_blank_values=True)
        if any(SECRET.search(name) for name, _ in pairs):
            masked = [(name, "***" if SECRET.search(name) else value) for name, value in pairs]
            query = urlencode(masked, safe="*", quote_via=quote)
        return urlunsplit(SplitResult(parts.scheme, host, parts.path, query, ""))
    except ValueError:
        return "(not a URL)"
