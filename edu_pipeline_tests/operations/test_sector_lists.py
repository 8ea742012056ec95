"""A PDF of lycées' sectors becomes two files, with names looked up in the published tables."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest

from edu_pipeline.database.connection import Database
from edu_pipeline.errors import InputMissing
from edu_pipeline.operations.sector_lists import convert
from edu_pipeline.sample import sector_pdf
from edu_pipeline_tests.database.rows import put

GOOD = "Antony : A RIOU (RUELLE) 92ANTON1 [_] DESCARTES (Antony)"
UNKNOWN = "Antony : HAUTE (RUE) 92ANTON1 [_] MARIE CURIE (Antony)"


def test_what_is_read_and_what_is_not(database: Database, tmp_path: Path) -> None:
    pdf, segments, unread = (tmp_path / name for name in ("list-92.pdf", "segments.csv", "unread.csv"))
    sector_pdf.write([GOOD, "Sans suite", UNKNOWN], pdf, "Lycées")
    with pytest.raises(InputMissing, match=r"expected rows in info_communes, .* `edu-pipeline refresh info_communes`"):
        convert(pdf, database, segments, unread, None)
    commune = {"code_commune": "92002", "nom_commune": "Antony", "code_departement": "92"}
    school = {"type_etablissement": "Lycée", "statut_public_prive": "public", "code_academie": "25"}
    with database.connect() as connection:
        put(connection, "info_communes", **commune)
        for uai, name, has_track in (("0920130S", "Lycée Descartes", True), ("0920131T", "Lycée Marie Curie", False)):
            put(
                connection,
                "annuaire_education",
                uai=uai,
                nom_etablissement=name,
                voie_generale=has_track,
                **commune,
                **school,
            )
        connection.commit()
    done = convert(pdf, database, segments, unread, "2026-2027")
    assert (done.pages, done.segments, done.entries_unread, done.pages_doubtful) == (1, 1, 4, 0)
    assert done.lines == done.lines_read + done.lines_unread
    (segment,) = rows(segments)
    assert segment | {"uai_lycees": "0920130S", "libelle_rue": "RUELLE A RIOU", "rule": "list-92"} == segment
    assert [row["text"] for row in rows(unread)] == ["Lycées", "Sans suite", UNKNOWN, "Page 1 / 1"]
    assert "expected a school named MARIE CURIE, found none; closest: 0920130S" in rows(unread)[2]["reason"]


def rows(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as stream:
        return list(csv.DictReader(stream, delimiter=";"))
