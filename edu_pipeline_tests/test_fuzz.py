"""A sample of what `make fuzz` tries: what is damaged is read right, refused, or said; and how that is judged."""

from __future__ import annotations

from collections import Counter
from subprocess import getoutput

import polars as pl
import pytest

from edu_pipeline import contracts as c
from edu_pipeline.errors import EduError, FileInvalid, RowsUnaccounted
from edu_pipeline_tests.loading.samples import a_table
from fuzz.document import Means, Mutation
from fuzz.judging import BAD, FOREIGN, MISLEADING, REFUSED, RIGHT, SAID, SILENT, UNACCOUNTED, judged
from fuzz.making import Rows
from fuzz.mutants import mutant
from fuzz.processes import in_processes
from fuzz.subjects import subjects

SEED, COUNT = 1, 60


class Schools(c.Contract):
    """Schools."""

    uai = c.uai(key=True)
    pupils = c.integer("Pupils.", min=0, max=5_000)
    name = c.text("Name.")


TABLE = a_table(Schools, "schools")
Row = tuple[str, int | None, str | None]
OTHERS: list[Row] = [(f"001000{number}A", 10, "Voltaire") for number in range(9)]
UNCHANGED: list[Row] = [*OTHERS, ("0010002B", 20, "ND du Roc")]  # a mark, ND, is part of the name


def rows(content: list[Row], **signs: int) -> Rows:
    schema = {"uai": pl.String, "pupils": pl.Int32, "name": pl.String}
    return Rows(pl.DataFrame(content, schema=schema, orient="row"), signs, {}, 0)


def kind_of(made: Rows | BaseException, means: Means = "same", row_by_row: bool = True) -> str:
    def make() -> Rows:
        if isinstance(made, BaseException):
            raise made
        return made

    mutation = Mutation(lambda rng, document: document, means=means)
    return judged(make, TABLE, rows(UNCHANGED), mutation, row_by_row, "schools.csv").kind


def error(kind: type[EduError], found: str, where: str = "schools, file schools.csv") -> EduError:
    return kind(where, f"expected rows, found {found}.", "Look at it.")


@pytest.mark.parametrize(
    ("last", "kind"),
    [
        (("0010002B", 20, "ND du Roc"), RIGHT),
        (("0010002B", 21, "ND du Roc"), SILENT),
        (("0010002B", 0, "ND du Roc"), SILENT),
        (("0010002B", None, "ND du Roc"), SILENT),
        (("0010003C", 20, "ND du Roc"), SILENT),
        (("0010002B", 20, "INCONNU"), RIGHT),
        (None, SILENT),
    ],
)
def test_a_value_or_row_that_is_not_as_it_was(last: Row | None, kind: str) -> None:
    content = [*OTHERS, *([last] if last else [])]
    assert kind_of(rows(content)) == kind_of(rows(content), row_by_row=False) == kind


def test_what_is_said_is_right() -> None:
    assert kind_of(rows(OTHERS, refused=1)) == SAID
    assert kind_of(rows([*OTHERS, ("0010002B", 5, "ND du Roc")], refused=1), row_by_row=False) == SAID
    assert kind_of(rows([*OTHERS, ("0010002B", 5, "ND du Roc")], refused=1)) == SILENT, "its row was not merged"


def test_what_a_mutation_takes_away_needs_no_word() -> None:
    emptied = rows([*OTHERS, ("0010002B", None, "ND du Roc")])
    assert (kind_of(emptied, "less"), kind_of(emptied)) == (RIGHT, SILENT)
    assert (kind_of(rows(OTHERS), "fewer"), kind_of(rows(OTHERS), "less")) == (RIGHT, SILENT)
    assert kind_of(emptied, "fewer", row_by_row=False) == SILENT, "a side file lacks rows"


def test_another_file_must_be_refused() -> None:
    assert kind_of(rows(UNCHANGED), "another") == SILENT


def test_failures_are_judged_by_their_texts() -> None:
    assert kind_of(error(FileInvalid, "none in line 7")) == REFUSED
    assert kind_of(error(FileInvalid, "none")) == MISLEADING, "no line"
    assert kind_of(error(FileInvalid, "none in line 7", "another table")) == MISLEADING
    assert kind_of(error(RowsUnaccounted, "one")) == UNACCOUNTED
    assert kind_of(pl.exceptions.PanicException("assertion failed")) == FOREIGN


def test_damaged_files_are_read_right_refused_or_said() -> None:
    chosen = subjects()
    outcomes = [mutant(seed, chosen) for seed in range(SEED, SEED + COUNT)]
    wrong = [(label, verdict) for label, verdict in outcomes if verdict.kind in BAD]
    assert [f"{label}: {verdict.detail}" for label, verdict in wrong] == []
    kinds = Counter(verdict.kind for _, verdict in outcomes)
    assert kinds[RIGHT] and kinds[REFUSED] and kinds[SAID], "the sample shows all three"


def test_what_ends_its_process_is_named_and_the_rest_is_done() -> None:
    commands = ["echo 1", "echo 2", "kill -KILL $PPID", "echo 4", "echo 5"]
    results = in_processes(getoutput, commands, at_a_time=2)
    assert list(results) == list(zip(commands, ["1", "2", None, "4", "5"], strict=True))
