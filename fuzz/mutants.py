"""Making mutants and judging them.

Belongs here: which file is damaged how. Does not belong here: the files (``subjects.py``), the mutations
(``mutations.py``), what is right (``judging.py``), the processes (``processes.py``).
"""

from __future__ import annotations

import os
import random
from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import cache, partial

from fuzz.document import Document
from fuzz.judging import FOREIGN, Verdict, judged
from fuzz.mutations import MUTATIONS
from fuzz.processes import in_processes
from fuzz.subjects import Subject, real_subjects, subjects

TOGETHER = 20
"""Mutants that a process is handed at a time."""


def mutants(seed: int, count: int) -> Iterator[tuple[str, Verdict]]:
    """Make and judge mutants, in a process for each processor; one that ends its process is judged too.

    Yields:
        What was changed, and the verdict.
    """
    os.environ["POLARS_MAX_THREADS"] = "1"  # of the processes: this one has begun with more
    for number, judged_mutant in in_processes(mutant_of, range(seed, seed + count), at_a_time=TOGETHER):
        yield judged_mutant or (f"seed {number}", Verdict(FOREIGN, "its process ended"))


def mutant_of(seed: int) -> tuple[str, Verdict]:
    """What was changed in the mutant with this seed of all files, and the verdict."""
    return mutant(seed, _subjects())


def mutant(seed: int, chosen: Sequence[Subject]) -> tuple[str, Verdict]:
    """What was changed in the mutant with this seed of some files, and the verdict."""
    rng = random.Random(seed)
    subject = rng.choice(chosen)
    name, damaged = _damaged(rng, subject, chosen)
    return f"seed {seed}, {subject.table.name}, {subject.path.name}, {name}", _verdict(subject, name, damaged)


@cache
def _subjects() -> list[Subject]:
    return subjects() + real_subjects()


def _damaged(rng: random.Random, subject: Subject, chosen: Sequence[Subject]) -> tuple[str, Document]:
    """A mutant, and how it was made."""
    kinds = subject.document.kinds
    names = [name for name, mutation in MUTATIONS.items() if mutation.needs in kinds]
    others = [other for other in chosen if other.file.source != subject.file.source]
    while True:
        name = rng.choice(names)
        original = replace(subject.document, stranger=rng.choice(others).content)
        if damaged := MUTATIONS[name].apply(rng, original):
            return name, damaged


def _verdict(subject: Subject, name: str, damaged: Document) -> Verdict:
    make, file_name = partial(subject.rows, damaged), subject.name_of(damaged)
    return judged(make, subject.table, subject.expected, MUTATIONS[name], subject.row_by_row, file_name)
