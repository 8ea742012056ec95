"""commune_at(code, day): through mergers, splits and changes of code, forwards and never backwards."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from edu_pipeline.database.connection import Connection, Database, set_search_path
from edu_pipeline_tests.database.rows import put

CHANGES = [
    ("2016-01-01", "01001", "01002", 1.0),  # a merger: 01001 into 01002, which keeps its code
    ("2016-01-01", "01002", "01002", 1.0),
    ("2018-01-01", "01002", "01003", 1.0),  # which then gets another code
    ("2019-01-01", "01010", "01011", 0.4),  # a split of which no part keeps the code
    ("2019-01-01", "01010", "01012", 0.6),
    ("2015-01-01", "01020", "01021", 1.0),  # a merger
    ("2015-01-01", "01021", "01021", 1.0),
    ("2020-01-01", "01021", "01020", 0.3),  # that is undone: 01020 is back
    ("2020-01-01", "01021", "01021", 0.7),
]


@pytest.fixture
def connection(database: Database) -> Iterator[Connection]:
    """A database with these changes, and with a commune that never changed."""
    with database.connect() as session:
        for day, old, new, part in CHANGES:
            put(session, "passage_communes", date_effet=day, code_ancien=old, code_commune=new, part=part)
        put(session, "info_communes", code_commune="01099")
        yield session


@pytest.mark.parametrize(
    ("code", "day", "expected"),
    [
        ("01001", "2015-12-31", "01001"),
        ("01001", "2016-01-01", "01002"),
        ("01002", "2017-06-01", "01002"),
        ("01001", "2018-01-01", "01003"),
        ("01003", "2018-01-01", "01003"),
        ("01003", "2017-12-31", None),
        ("01010", "2018-12-31", "01010"),
        ("01010", "2026-01-01", "01012"),
        ("01011", "2018-12-31", None),
        ("01020", "2014-12-31", "01020"),
        ("01020", "2019-12-31", "01021"),
        ("01020", "2020-01-01", "01020"),
        ("01021", "2020-01-01", "01021"),
        ("01099", "2005-01-01", "01099"),
        ("99999", "2020-01-01", None),
        (None, "2020-01-01", None),
    ],
)
def test_a_code_leads_to_the_commune_of_the_day(
    connection: Connection, code: str | None, day: str, expected: str | None
) -> None:
    found = connection.execute("SELECT commune_at(%s, %s)", [code, day]).fetchone()
    assert found == (expected,)


def test_it_works_from_any_search_path(connection: Connection) -> None:
    connection.commit()
    set_search_path(connection, ["public"])
    found = connection.execute("SELECT educational_data.commune_at('01001', '2020-01-01')").fetchone()
    assert found == ("01003",)
