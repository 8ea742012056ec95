"""The check that a table has a row for every commune and arrondissement in force, and for no other.

Belongs here: comparing codes with ``info_communes``. Does not belong here: how many communes there are, which changes
every year.
"""

from __future__ import annotations

from edu_pipeline.checks.subject import Finding, Subject, examples_of, finding
from edu_pipeline.errors import EXAMPLES


def every_commune(subject: Subject) -> Finding:
    """That each commune and arrondissement in force has its row; those without one are named."""
    assert subject.table is not None
    key = subject.table.key[0]
    absent = subject.ask(
        "SELECT code_commune, nom_commune FROM info_communes WHERE code_commune NOT IN (SELECT {key} FROM {table}) "
        "ORDER BY 1",
        key=key,
    )
    others = subject.ask(
        "SELECT {key} FROM {table} WHERE {key} NOT IN (SELECT code_commune FROM info_communes) ORDER BY 1", key=key
    )
    in_force = subject.ask("SELECT count(*) FROM info_communes")[0][0]
    without, codes = [f"{code} ({name})" for code, name in absent], [str(code) for (code,) in others]
    text = (
        f"expected a row for each of the {in_force:,} communes and arrondissements in force, found {len(without):,} "
        f"without one{examples_of(without)}, and {len(codes):,} rows of others{examples_of(codes)}."
    )
    remedy = (
        "If the contours are older than a split, wait for the next release, or load with `--accept-red`; else look for "
        "a part of the country that the file lacks."
    )
    numbers = {
        "absent": len(without),
        "examples": without[:EXAMPLES],
        "not_in_force": len(codes),
        "examples_not_in_force": codes[:EXAMPLES],
    }
    return finding(bool(in_force) and not without and not codes, text, remedy, numbers)
