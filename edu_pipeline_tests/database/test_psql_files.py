"""SQL files for psql, read without it; that psql reads ours in the same way is tested in test_migrate.py."""

from __future__ import annotations

from pathlib import Path

from edu_pipeline.database.psql_files import sql_of

SHARED = r"""
-- The columns.
SELECT $sql$
a,
:more
$sql$ AS columns \gset
"""

VIEW = r"""-- A view.

\ir parts/shared.sql
\set more b
CREATE VIEW v AS
SELECT :columns, c::text, ':unknown', d[1:2]
FROM :unknown;
\set more c
COMMENT ON COLUMN v.:more IS 'As of: today';
"""


def test_files_and_variables_are_inserted(tmp_path: Path) -> None:
    (tmp_path / "parts").mkdir()
    (tmp_path / "parts" / "shared.sql").write_text(SHARED)
    view = tmp_path / "view.sql"
    view.write_text(VIEW)
    head, statement = sql_of(view).split("CREATE VIEW v AS\n")
    assert head.split() == ["--", "A", "view.", "--", "The", "columns."]
    assert statement == (
        "SELECT a,\nb, c::text, ':unknown', d[1:2]\nFROM :unknown;\nCOMMENT ON COLUMN v.c IS 'As of: today';\n"
    )


def test_an_included_file_is_relative_to_the_including_one(tmp_path: Path) -> None:
    (tmp_path / "a" / "b").mkdir(parents=True)
    (tmp_path / "top.sql").write_text("\\ir a/middle.sql\n")
    (tmp_path / "a" / "middle.sql").write_text("\\ir b/bottom.sql\n")
    (tmp_path / "a" / "b" / "bottom.sql").write_text("SELECT 1;\n")
    assert sql_of(tmp_path / "top.sql") == "SELECT 1;\n"
