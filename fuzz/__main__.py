"""Fuzz the readers and contracts: `python -m fuzz --seed 1 --minutes 5 --count 10000`.

Belongs here: which files and tables are tried, the command and its report. Does not belong here: the mutations
(`mutations.py`) and what is right (`judging.py`).

The files are those of the sample publisher, and of the directory EDU_UPSTREAM if it is set; everything else that a
table needs is the sample's. `--only SEED` makes one mutant again, under the same EDU_UPSTREAM. Exit code 1: a foreign
exception, a failure text without file, line or advice, or a difference or loss that nothing says.
"""

from __future__ import annotations

import argparse
import gzip
import json
import os
import random
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path

from edu_pipeline.catalogue import File
from edu_pipeline.sources.readers import read
from edu_pipeline.table import Table, tables
from edu_pipeline_tests.real_files import real_file
from edu_pipeline_tests.sample import sample_files
from fuzz import json_damage
from fuzz.judging import BAD, Rows, Verdict, judged, rows_of
from fuzz.mutations import MUTATIONS, Document

LINES = 200
"""Rows of a file that mutants are made of."""


@dataclass(frozen=True)
class Subject:
    """A file as a table reads it, cut to its first rows."""

    table: Table
    parameter: str
    path: Path

    @property
    def file(self) -> File:
        """The file's entry in the catalogue."""
        return self.table.files[self.parameter]

    @cached_property
    def document(self) -> Document:
        """The file's rows, or its content if it is not a plain table."""
        with tempfile.TemporaryDirectory() as scratch:
            rows = read(self.path, self.file, Path(scratch), "the fuzzer").frame.head(LINES).collect()
        if any(kind.is_nested() for kind in rows.dtypes) or "geometry" in rows.columns:
            return Document(raw=_first_items(self.path))
        cells = [["" if value is None else value for value in row] for row in rows.rows()]
        return Document([rows.columns, *cells])

    @cached_property
    def mutations(self) -> list[str]:
        """The names of the mutations that can damage it."""
        document = self.document
        kinds = {"any", "table" if document.rows else "json" if document.is_json else "any"}
        return [name for name, mutation in MUTATIONS.items() if mutation.needs in kinds]

    def name_of(self, document: Document) -> str:
        """The name of a mutant's file."""
        stem, _, ending = self.path.name.removesuffix(".gz").partition(".")
        return stem + (document.suffix if document.rows else f".{ending}")

    def rows(self, document: Document) -> Rows:
        """The rows of the table if the file has this content, and everything else is the sample's."""
        with tempfile.TemporaryDirectory() as folder:
            changed = Path(folder) / self.name_of(document)
            changed.write_bytes(document.content())
            return rows_of(
                self.table,
                lambda file: changed if file == self.file else sample_files.file_of(file),
                lambda name: sample_files.produced(name).frame,
                Path(folder),
            )

    @property
    def row_by_row(self) -> bool:
        """Whether each line becomes a row; where lines are merged, a refused one changes the others' row."""
        return self.expected.frame.height + self.expected.refused == len(self.document.rows) - 1

    @cached_property
    def expected(self) -> Rows:
        """The rows that the unchanged file gives."""
        return self.rows(self.document)


def _first_items(path: Path) -> bytes:
    """The content of a file, of JSON only the first items."""
    content = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
    if not content.startswith((b"[", b"{")):
        return content
    document = json.loads(content)
    del json_damage.items_of(document)[LINES:]
    return json.dumps(document, ensure_ascii=False).encode()


def subjects(find: Callable[[File], Path | None] = sample_files.file_of) -> list[Subject]:
    """Every file that ``find`` has, once for each table that reads it; without tables made of parts."""
    return [
        Subject(table, parameter, path)
        for table in tables().values()
        if not table.in_parts
        for parameter, file in table.files.items()
        if (path := find(file))
    ]


def real_subjects() -> list[Subject]:
    """The same of the real files."""
    return subjects(real_file) if Path(os.environ.get("EDU_UPSTREAM", "")).is_absolute() else []


def mutants(seed: int, count: int, chosen: list[Subject]) -> Iterator[tuple[str, Verdict]]:
    """Make and judge mutants; the number of each is its seed.

    Yields:
        What was changed, and the verdict.
    """
    for number in range(seed, seed + count):
        rng = random.Random(number)
        subject = rng.choice(chosen)
        name = rng.choice(subject.mutations)
        yield f"seed {number}, {subject.table.name}, {subject.path.name}, {name}", _verdict(subject, name, rng)


def _verdict(subject: Subject, name: str, rng: random.Random) -> Verdict:
    mutation, expected = MUTATIONS[name], subject.expected
    mutant = mutation.apply(rng, subject.document)
    make = partial(subject.rows, mutant)
    return judged(make, subject.table, expected, mutation.keeps_values and subject.row_by_row, subject.name_of(mutant))


def main() -> int:
    """Run the fuzzer and print what became of the mutants.

    Returns:
        The exit code.
    """
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--seed", type=int, default=1, help="number of the first mutant")
    parser.add_argument("--minutes", type=float, default=5, help="stop after this time")
    parser.add_argument("--count", type=int, default=10_000, help="stop after this many mutants")
    parser.add_argument("--only", type=int, help="make one mutant alone")
    arguments = parser.parse_args()
    seed, count = (arguments.seed, arguments.count) if arguments.only is None else (arguments.only, 1)
    end = time.monotonic() + 60 * arguments.minutes
    counts: Counter[str] = Counter()
    first: dict[tuple[str, str], str] = {}
    for label, verdict in mutants(seed, count, subjects() + real_subjects()):
        counts[verdict.kind] += 1
        if verdict.kind in BAD or arguments.only is not None:
            first.setdefault((verdict.kind, label.rpartition(", ")[2]), f"{label}: {verdict.detail}")
        if time.monotonic() > end:
            break
    print(f"{counts.total():,} mutants: {', '.join(f'{number:,} {kind}' for kind, number in counts.most_common())}")
    for (kind, _), example in sorted(first.items()):
        print(f"{kind}: {example}")
    return 1 if any(counts[kind] for kind in BAD) else 0


if __name__ == "__main__":
    sys.exit(main())
