"""Fuzz the readers and contracts: `python -m fuzz --seed 1 --minutes 30 --count 10000`.

Belongs here: the command and its report. Does not belong here: the mutants (`mutants.py`).

The files are those of the sample publisher, and of the directory EDU_UPSTREAM if it is set. Other tables that a table
needs are the sample's, and so are the files that EDU_UPSTREAM lacks. `--only SEED` makes one mutant again, under the
same EDU_UPSTREAM. Exit code 1: a foreign exception, a row of which nothing is known, a failure text without file, line
or advice, or with wrong advice, or a value or row that is not as it was while nothing says so.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections import Counter

from fuzz.judging import BAD
from fuzz.mutants import mutant_of, mutants


def main() -> int:
    """Run the fuzzer and print what became of the mutants.

    Returns:
        The exit code.
    """
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--seed", type=int, default=1, help="number of the first mutant")
    parser.add_argument("--minutes", type=float, default=30, help="stop after this time")
    parser.add_argument("--count", type=int, default=10_000, help="stop after this many mutants")
    parser.add_argument("--only", type=int, help="make one mutant alone")
    parser.add_argument("--kinds", action="store_true", help="say of each mutation what became of it")
    arguments = parser.parse_args()
    made = mutants(arguments.seed, arguments.count) if arguments.only is None else iter([mutant_of(arguments.only)])
    end = time.monotonic() + 60 * arguments.minutes
    counts: Counter[str] = Counter()
    by_mutation: dict[str, Counter[str]] = {}
    first: dict[tuple[str, str], str] = {}
    for label, verdict in made:
        name = label.split(", ", 3)[-1]
        counts[verdict.kind] += 1
        by_mutation.setdefault(name, Counter())[verdict.kind] += 1
        if verdict.kind in BAD or arguments.only is not None:
            first.setdefault((verdict.kind, name), f"{label}: {verdict.detail}")
        if time.monotonic() > end:
            break
    print(f"{counts.total():,} mutants: {', '.join(f'{number:,} {kind}' for kind, number in counts.most_common())}")
    for name, kinds in sorted(by_mutation.items()) if arguments.kinds else ():
        print(f"  {name}: {', '.join(f'{number} {kind}' for kind, number in kinds.most_common())}")
    for (kind, _), example in sorted(first.items()):
        print(f"{kind}: {example}")
    return 1 if any(counts[kind] for kind in BAD) else 0


if __name__ == "__main__":
    sys.exit(main())
