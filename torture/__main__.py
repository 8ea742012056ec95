"""The campaign: `python -m torture --seed 1 --kills 200 --together 20 --restarts 20 --report torture.md`.

Belongs here: the command, and its report in Markdown. Does not belong here: what is done (`kills.py`, `together.py`,
`disks.py`, `faults.py`), on what (`ground.py`).

Everything happens in a folder and on a server of its own, which are removed at the end. The same seed gives the same
commands, victims and instants; what a kill meets at that instant depends on the machine. Exit code 1: something that
must hold did not.
"""

from __future__ import annotations

import argparse
import random
import signal
import sys
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path

from torture.disks import disks
from torture.faults import FAULTS, faults
from torture.ground import Ground, ground, scratch
from torture.kills import Killer
from torture.reader import PAUSE, Reader, distribution
from torture.together import restarts, together

Entry = tuple[str, list[str]]
"""A line of the report, and what does not hold."""

LONGEST = 200
"""Characters of a failure text in the report."""

SHOWN = 5
"""Errors of the reader in the report."""

SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)

GOAL = 20.0
"""Milliseconds in which the slowest answer must come, at the sample's size."""


def campaign(made: Ground, arguments: argparse.Namespace) -> Iterator[Entry]:
    """Run the parts of the campaign that are asked for.

    Yields:
        A line of the report, and what does not hold.
    """
    if arguments.kills or arguments.together or arguments.restarts:
        yield from with_a_reader(made, arguments)
    if arguments.disks:
        yield from disks(made)
    for outcome in faults(made, list(FAULTS)[: arguments.faults]):
        yield f"publisher: {outcome.fault}: {outcome.text[:LONGEST] or 'loaded'}", list(outcome.problems)


def with_a_reader(made: Ground, arguments: argparse.Namespace) -> Iterator[Entry]:
    """Kill runs, start them together, restart the server, while a reader asks throughout."""
    with Reader(made.cluster.url()) as reader:
        killer = Killer(made, random.Random(arguments.seed), reader)
        yield "undisturbed: a rebuild and a refresh, there and back", killer.measure()
        counts: Counter[str] = Counter()
        for number in range(1, arguments.kills + 1):
            kill = killer.kill()
            counts[f"{kill.command}, {kill.victim}"] += 1
            yield f"kill {number}: {kill.victim} of {kill.command} after {kill.seconds:.1f} s", list(kill.problems)
        listed = ", ".join(f"{what}: {count}" for what, count in sorted(counts.items()))
        yield f"{counts.total()} kills ({listed or 'none'})", []
        yield from together(killer, arguments.together)
        yield from restarts(killer, arguments.restarts)
    times, late = distribution(reader.milliseconds), distribution(reader.lateness)
    yield (
        f"reader: {len(reader.milliseconds):,} answers, {_listed(times)} (goal {GOAL:.0f} ms); {reader.excused} lost "
        f"connections while the server was down on purpose; its pauses of {1_000 * PAUSE:.0f} ms were too long by "
        f"{_listed(late)}",
        [*reader.errors[:SHOWN], *reader.mixed[:SHOWN]],
    )


def _listed(times: Mapping[str, float]) -> str:
    return ", ".join(f"{name} {milliseconds:.1f} ms" for name, milliseconds in times.items())


def _end(number: int, _: object) -> None:
    """End the campaign, and with it all that it has started; once, lest the end be interrupted."""
    for each in SIGNALS:
        signal.signal(each, signal.SIG_IGN)
    sys.exit(128 + number)


def main() -> int:
    """Run the campaign, print what it finds, and write the report, also of a campaign that is ended early.

    Returns:
        The exit code.
    """
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--kills", type=int, default=200, help="kills of a rebuild or a refresh")
    parser.add_argument("--together", type=int, default=20, help="times that two rebuilds and a refresh start together")
    parser.add_argument("--restarts", type=int, default=20, help="restarts of PostgreSQL in mid-load")
    parser.add_argument("--faults", type=int, default=len(FAULTS), help="faults of a publisher")
    parser.add_argument("--disks", action=argparse.BooleanOptionalAction, default=True, help="full disks")
    parser.add_argument("--whole", action="store_true", help="with all sources, some five times as slow")
    parser.add_argument("--report", type=Path, help="file for the report")
    arguments = parser.parse_args()
    for each in SIGNALS:
        signal.signal(each, _end)
    begin, lines, bad = time.monotonic(), [f"# Campaign with seed {arguments.seed}", ""], 0
    try:
        with scratch() as folder, ground(folder, arguments.whole) as made:
            for line, problems in campaign(made, arguments):
                bad += bool(problems)
                lines += [
                    f"- {'FAILED' if problems else 'passed'}: {line}",
                    *(f"  - {problem}" for problem in problems),
                ]
                print("\n".join(lines[-1 - len(problems) :]), flush=True)
    finally:
        minutes = (time.monotonic() - begin) / 60
        lines += ["", f"{bad} of {len(lines) - 2} entries failed; {minutes:.0f} min."]
        print(lines[-1])
        if arguments.report:
            arguments.report.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
