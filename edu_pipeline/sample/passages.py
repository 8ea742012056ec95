"""How commune codes of the past became those in force: invented mergers, splits and changes of code.

Belongs here: the events, in the columns of INSEE's table de passage. Does not belong here: the communes in force
(`country.py`), the files that list the events (`publishers/insee.py`).
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import polars as pl

from edu_pipeline.sample.territory import CITY_NAMES

MERGED = 0.03
"""Share of the communes that others were merged into."""
PERIODS = (
    ("2018", "2019", "2019-01-01"),
    ("2015", "2016", "2016-01-01"),
    ("2016", "2017", "2017-01-01"),
    ("2015", "2016", "2015-12-31"),
    ("2023", "2024", "2024-01-01"),
    ("2018", "2019", "2018-03-01"),
    ("2015", "2016", "2016-01-01"),
    ("2021", "2022", "2022-01-01"),
    ("2012", "2013", "2013-01-01"),
    ("2016", "2017", "2016-06-30"),
)
"""The geography before, the geography after and the day of each merger; the list starts over at its end."""

COLUMNS = ("geo_ini", "geo_fin", "cod_ini", "cod_fin", "date", "typemodif", "ratio")
Row = tuple[str, str, str, str, str, str, float]


def passages_of(communes: pl.DataFrame, unused: Mapping[str, list[str]], rng: np.random.Generator) -> pl.DataFrame:
    """The events, by date.

    One commune that took in others was itself merged three years later, one commune was split, one changed its code.
    A commune that others were merged into also has a row from its code to itself. The last two events
    are one more merger and one more split, whose ratios follow today's populations.

    Args:
        communes: those in force, with their populations.
        unused: codes that no commune in force has, by département.
    """
    unused = {code: rng.permutation(codes).tolist() for code, codes in unused.items() if len(code) == 2}
    candidates = communes.filter(
        pl.col("code_departement").is_in(list(unused)),
        ~pl.col("code").is_in(list(CITY_NAMES)),
        pl.col("population") > 0,
    )
    drawn = rng.permutation(candidates["code"].to_list()).tolist()
    count = round(MERGED * communes.height)
    rows = _mergers(drawn[:count], unused, rng)
    split, *others = drawn[count:]
    splinter = next(code for code in others if code[:2] == split[:2])
    recoded = next(code for code in others if code != splinter and unused[code[:2]])
    rows += [("2023", "2024", split, code, "2024-01-01", "d", part) for code, part in ((split, 0.7), (splinter, 0.3))]
    rows.append(("2022", "2023", unused[recoded[:2]].pop(), recoded, "2023-01-01", "c", 1.0))
    unchanged = [code for code in others if code not in (splinter, recoded)]
    rows += _latest(communes, unchanged, unused)
    return pl.DataFrame(rows, schema=COLUMNS, orient="row").sort("date", "cod_fin", "cod_ini")


def _mergers(poles: list[str], unused: Mapping[str, list[str]], rng: np.random.Generator) -> list[Row]:
    """One to three former communes merged into each pole, as long as its département has unused codes."""
    rows: list[Row] = []
    for number, pole in enumerate(poles):
        codes = unused[pole[:2]]
        formers = [codes.pop() for _ in range(rng.choice([1, 2, 3], p=[0.6, 0.25, 0.15])) if codes]
        if not formers:
            continue
        since, until, day = PERIODS[number % len(PERIODS)]
        rows += [(since, until, code, pole, day, "f", 1.0) for code in (*formers, pole)]
        if number == 0:
            earlier = (codes.pop(), formers[0])
            rows += [("2015", "2016", code, formers[0], "2016-01-01", "f", 1.0) for code in earlier]
    return rows


def _latest(communes: pl.DataFrame, unchanged: list[str], unused: Mapping[str, list[str]]) -> list[Row]:
    """A merger in 2025 and a split in 2026, of communes that nothing has happened to before."""
    pole = next(code for code in unchanged if unused[code[:2]])
    rows: list[Row] = [("2024", "2025", code, pole, "2025-01-01", "f", 1.0) for code in (unused[pole[:2]][-1], pole)]
    split, *others = (code for code in unchanged if code != pole)
    parts = [split, next(code for code in others if code[:2] == split[:2])]
    people = communes.filter(pl.col("code").is_in(parts)).select("code", "population").rows()
    total = sum(count for _, count in people)
    return rows + [("2025", "2026", split, code, "2026-01-01", "d", count / total) for code, count in people]
