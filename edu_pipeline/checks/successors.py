"""The check that no commune of an earlier list is lost: it is in force, or ``passage_communes`` has its successor.

What an earlier release said of a commune stays in the table, so of a lost one no release has said anything.

Belongs here: the codes that the archive's releases of INSEE's Code officiel géographique had. Does not belong here:
making ``passage_communes`` (``assets/reference/passage_communes.py``), other checks of a table (``agreements.py``).
"""

from __future__ import annotations

import csv
from collections.abc import Iterator
from itertools import chain
from pathlib import Path

from edu_pipeline.checks.subject import Finding, Subject, examples_of, finding
from edu_pipeline.errors import EXAMPLES

SOURCE, IN_FORCE = "insee-cog", ("COM", "ARM")


def successors(subject: Subject) -> Finding:
    """That every code in force in an earlier release is still in force, or has a successor."""
    explained = subject.ask(
        "SELECT code_commune FROM info_communes UNION SELECT code_ancien FROM {table} WHERE code_ancien <> code_commune"
    )
    earlier = {code: name for path in _lists(subject) for code, name in _in_force(path)}
    lost = sorted(earlier.keys() - set(chain.from_iterable(explained)))
    listed = [f"{code} ({earlier[code]})" for code in lost]
    text = (
        f"expected that each of the {len(earlier):,} communes in the archive's releases of {SOURCE} is in force or has "
        f"a successor, found {len(lost):,} without one{examples_of(listed)}."
    )
    remedy = "Load INSEE's list of movements (v_mvt_commune): it says what became of them."
    return finding(not lost, text, remedy, {"lost": len(lost), "examples": listed[:EXAMPLES]})


def _lists(subject: Subject) -> Iterator[Path]:
    """The lists of all releases of the same origin (invented or real) as the newest."""
    newest = subject.archive.newest(SOURCE)
    for release in subject.archive.releases(SOURCE):
        if newest and release.invented == newest.invented and (received := release.file("main")) is not None:
            yield subject.archive.local(release, received)


def _in_force(path: Path) -> Iterator[tuple[str, str]]:
    """Codes and names of the communes and arrondissements of a list; codes are ASCII, whatever the encoding."""
    with path.open(encoding="utf-8-sig", errors="replace", newline="") as file:
        for row in csv.DictReader(file):
            if row.get("TYPECOM") in IN_FORCE and row.get("COM"):
                yield row["COM"], row.get("LIBELLE") or row["COM"]
