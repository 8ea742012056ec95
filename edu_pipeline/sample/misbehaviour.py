"""How a publisher of the sample misbehaves on request, so that each failure of a check or a load can be watched.

Belongs here: what can be wrong, and files and answers that are. Does not belong here: which source misbehaves
(`shelf.py`), which of its answers are altered (`hosts.py`).
"""

from __future__ import annotations

import csv
import gzip
import io
import json
import time
import zipfile
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from http import HTTPStatus
from typing import Any, Literal

from edu_pipeline.errors import SettingInvalid
from edu_pipeline.sample.answers import Answer, as_json

PAGE = b"<!DOCTYPE html>\n<html><head><title>Maintenance</title></head><body>Page inventee.</body></html>\n"
LONGEST_DELAY = 600.0


@dataclass(frozen=True)
class Misbehaviour:
    """What is wrong with a source; nothing by default.

    Attributes:
        rename: name of a column to the new one.
        drop: columns that the file no longer has.
        truncate: whether its files end in the middle.
        html: whether an HTML page, with status 200, stands in for its files.
        status: HTTP status of every answer about it.
        delay: seconds before every answer about it.
        licence: what its metadata gives as the licence.
    """

    rename: Mapping[str, str] = field(default_factory=dict)
    drop: tuple[str, ...] = ()
    truncate: bool = False
    html: bool = False
    status: int | None = None
    delay: float = 0.0
    licence: str | None = None

    @classmethod
    def parsed(cls, text: str) -> Misbehaviour:
        """The misbehaviour that ``as_text`` has written.

        Raises:
            SettingInvalid: the text is something else.
        """
        try:
            entry = dict(json.loads(text))
            columns = {"rename": dict(entry.get("rename", {})), "drop": tuple(entry.get("drop", ()))}
            misbehaviour = cls(**entry | columns)
            HTTPStatus(misbehaviour.status or 200)
            if not 0 <= misbehaviour.delay <= LONGEST_DELAY:
                raise ValueError(f"delay {misbehaviour.delay}")
        except (TypeError, ValueError) as error:
            raise SettingInvalid(
                "sample publish",
                f"expected what is wrong with a source, found {error}.",
                "See edu-pipeline sample publish --help.",
            ) from None
        return misbehaviour

    @property
    def as_text(self) -> str:
        """All of it as JSON."""
        return json.dumps(asdict(self))

    @property
    def alters_columns(self) -> bool:
        """Whether the files have other columns."""
        return bool(self.rename or self.drop)


AS_EXPECTED = Misbehaviour()
"""Nothing is wrong."""


def altered(content: bytes, name: str, misbehaviour: Misbehaviour) -> bytes:
    """The content of a file with the columns renamed and dropped.

    Raises:
        SettingInvalid: the file has no such column, or is of a form whose columns cannot be altered.
    """
    lower = name.lower()
    if lower.endswith(".gz"):
        return gzip.compress(altered(gzip.decompress(content), name[:-3], misbehaviour), mtime=0)
    if lower.endswith(".zip"):
        return _altered_zip(content, misbehaviour)
    if lower.endswith(".csv"):
        return _altered_csv(content, name, misbehaviour)
    if lower.endswith((".json", ".geojson")):
        return _altered_json(content, name, misbehaviour)
    raise SettingInvalid(name, "expected CSV or JSON, found another form.", "Choose a source of CSV or JSON.")


def misbehave(answer: Answer, misbehaviour: Misbehaviour, is_file: bool) -> Answer:
    """The answer as a misbehaving publisher gives it.

    Args:
        is_file: whether the answer is a file, and not an interface's.
    """
    time.sleep(misbehaviour.delay)
    if misbehaviour.status is not None:
        _received(answer)
        return as_json({"message": HTTPStatus(misbehaviour.status).phrase}, misbehaviour.status)
    if not is_file or answer.status != HTTPStatus.OK or not (misbehaviour.html or misbehaviour.truncate):
        return answer
    content = _received(answer)
    if misbehaviour.html:
        return Answer(200, {"Content-Type": "text/html; charset=utf-8"}, PAGE)
    return Answer(200, answer.headers, content[: len(content) // 2])


def _received(answer: Answer) -> bytes:
    """The whole body of an answer; an open file is closed."""
    if isinstance(answer.body, bytes):
        return answer.body
    if not isinstance(answer.body, io.BufferedReader):
        return b"".join(answer.body)
    with answer.body as stream:
        return stream.read()


def _altered_zip(content: bytes, misbehaviour: Misbehaviour) -> bytes:
    """The archive with its largest member altered, the one with the data."""
    out = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(content)) as old, zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as new:
        largest = max(old.infolist(), key=lambda member: member.file_size).filename
        for member in old.infolist():
            data = old.read(member)
            new.writestr(member, altered(data, member.filename, misbehaviour) if member.filename == largest else data)
    return out.getvalue()


def _altered_csv(content: bytes, name: str, misbehaviour: Misbehaviour) -> bytes:
    encoding = "utf-8-sig" if content.startswith(b"\xef\xbb\xbf") else "utf-8"
    text = content.decode(encoding)
    first = text.partition("\n")[0]
    delimiter = max(";,\t|", key=first.count)
    line_end = "\r\n" if first.endswith("\r") else "\n"
    rows = list(csv.reader(io.StringIO(text, newline=""), delimiter=delimiter))
    header = rows[0]
    _check_columns(header, name, misbehaviour)
    kept = [position for position, column in enumerate(header) if column not in misbehaviour.drop]
    rows[0] = [misbehaviour.rename.get(column, column) for column in header]
    out = io.StringIO()
    quoting: Literal[0, 1] = csv.QUOTE_ALL if first.startswith('"') else csv.QUOTE_MINIMAL
    writer = csv.writer(out, delimiter=delimiter, lineterminator=line_end, quoting=quoting)
    writer.writerows([row[position] for position in kept] for row in rows)
    return out.getvalue().encode(encoding)


def _altered_json(content: bytes, name: str, misbehaviour: Misbehaviour) -> bytes:
    data: Any = json.loads(content)
    features = data["features"] if isinstance(data, dict) else None
    entries = [feature["properties"] for feature in features] if features is not None else data
    _check_columns({key for entry in entries for key in entry}, name, misbehaviour)
    changed = [
        {misbehaviour.rename.get(key, key): value for key, value in entry.items() if key not in misbehaviour.drop}
        for entry in entries
    ]
    if features is None:
        return json.dumps(changed, ensure_ascii=False).encode()
    together = [feature | {"properties": entry} for feature, entry in zip(features, changed, strict=True)]
    return json.dumps(data | {"features": together}, ensure_ascii=False).encode()


def _check_columns(columns: Iterable[str], name: str, misbehaviour: Misbehaviour) -> None:
    known = set(columns)
    if unknown := sorted({*misbehaviour.rename, *misbehaviour.drop} - known):
        raise SettingInvalid(
            name,
            f"expected columns of the file, found {', '.join(unknown)}.",
            f"Choose some of {', '.join(sorted(known)[:100])}.",
        )
