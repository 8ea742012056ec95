"""Precision and recall of the matching of street labels. `python bench/street_labels.py`.

Measured: on labelled pairs of a label of the carte scolaire and one of the BAN, whether the label finds the street in a
commune that has no other one.
Goals: precision at least 0.99, recall at least 0.95. There is no floor: the labels are the truth.

The rules and the threshold were made from the first part of the pairs only; the held-out part shows how well they do on
labels that nobody has looked at. `python bench/street_labels.py tuned` lists the errors in the first part.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

import polars as pl
from rich.console import Console
from rich.table import Table

from edu_pipeline.sectors import likeness
from edu_pipeline.sectors.labels import read

PAIRS = Path(__file__).parent.parent / "edu_pipeline_tests" / "sectors" / "street_labels.csv"
PRECISION, RECALL = 0.99, 0.95
THRESHOLDS = (60, 70, 75, 80, 84, 86, 88, 90, 92, 94, 96, 98, 100)


class Counts(NamedTuple):
    """How many pairs were matched rightly, matched wrongly, and missed."""

    right: int
    wrong: int
    missed: int

    @property
    def precision(self) -> float:
        """The share of the matches that are right."""
        return self.right / (self.right + self.wrong)

    @property
    def recall(self) -> float:
        """The share of the true pairs that are matched."""
        return self.right / (self.right + self.missed)


def pairs(held_out: bool | None = None) -> pl.DataFrame:
    """The labelled pairs of one part, or of both: ``libelle_rue``, ``nom_voie``, ``same``."""
    frame = pl.read_csv(PAIRS).with_columns(pl.col("same", "held_out") == "yes")
    return frame if held_out is None else frame.filter(pl.col("held_out") == held_out)


def score(libelle_rue: str, nom_voie: str) -> float:
    """101 for an exact match, else the similarity of the words that differ, up to 100."""
    label, street = read(libelle_rue), read(nom_voie)
    exact = {label.spaced, label.glued, label.content} & {street.spaced, street.glued, street.content}
    return 101.0 if exact and likeness.same_number(label, street) else likeness.likeness(label, street)


def count(results: Iterable[tuple[bool, bool]]) -> Counts:
    """Count pairs of (is the same street, was matched)."""
    pairs = list(results)
    return Counts(pairs.count((True, True)), pairs.count((False, True)), pairs.count((True, False)))


def counts(frame: pl.DataFrame, threshold: float) -> Counts:
    """The counts with ``threshold`` in place of ``likeness.ALIKE``."""
    rows = frame.select("libelle_rue", "nom_voie", "same").iter_rows()
    return count((same, score(label, name) >= threshold) for label, name, same in rows)


def main() -> None:
    """Print precision and recall of both parts, and of the first part for other thresholds."""
    grid = Table("part", "pairs", "right", "wrong", "missed", "precision", f"{PRECISION}", "recall", f"{RECALL}")
    for part, held_out in (("rules made from", False), ("held out", True), ("both", None)):
        frame = pairs(held_out)
        result = counts(frame, likeness.ALIKE)
        precision = (f"{result.precision:.4f}", "yes" if result.precision >= PRECISION else "NO")
        recall = (f"{result.recall:.4f}", "yes" if result.recall >= RECALL else "NO")
        grid.add_row(part, str(len(frame)), *map(str, result), *precision, *recall)
    Console().print(grid)
    sweep = Table("likeness at least", "wrong", "missed", "precision", "recall", title="rules made from")
    for threshold in THRESHOLDS:
        result = counts(pairs(False), threshold)
        mark = " (in force)" if threshold == likeness.ALIKE else ""
        figures = (str(result.wrong), str(result.missed), f"{result.precision:.4f}", f"{result.recall:.4f}")
        sweep.add_row(f"{threshold}{mark}", *figures)
    Console().print(sweep)
    if sys.argv[1:] == ["tuned"]:
        for label, name, same, _ in pairs(False).iter_rows():
            if same != (score(label, name) >= likeness.ALIKE):
                print("missed" if same else "wrong", label, name, sep=" | ")


if __name__ == "__main__":
    main()
