"""Runs that start together, and restarts of the server while they run.

Belongs here: two rebuilds and a refresh at the same time, PostgreSQL restarted in mid-load, and what must hold after
each. Does not belong here: kills (`kills.py`).
"""

from __future__ import annotations

import time
from collections.abc import Iterator

from torture.kills import Killer, stop_server

REFUSALS = ("RebuildUnderWay", "SwapBlocked", "TableBusy", "WaitTooLong")
"""How one of several runs may end because of another."""

OUTAGE = "DatabaseUnreachable"
"""How a run may end without the server."""


def together(killer: Killer, times: int) -> Iterator[tuple[str, list[str]]]:
    """Start two rebuilds and a refresh to the other edition at the same time.

    Yields:
        A line of the report, and what does not hold: some run ends well, the others do too or say who is in the way,
        and the content is the new one.
    """
    for number in range(1, times + 1):
        edition = 1 - killer.edition
        started = [killer.ground.start(command, edition) for command in ("rebuild", "rebuild", "refresh")]
        ends = [run.ended() for run in started]
        problems = [] if any(code == 0 for code, _ in ends) else ["none of the three ended well"]
        problems += [text for code, text in ends if code and not any(word in text for word in REFUSALS)]
        problems += killer.ground.left_behind()
        problems += killer.finish("refresh", edition)
        yield f"two rebuilds and a refresh, {number} of {times}: exit codes {[code for code, _ in ends]}", problems


def restarts(killer: Killer, times: int) -> Iterator[tuple[str, list[str]]]:
    """Shut the server down in the middle of a run, and start it again.

    Yields:
        A line of the report, and what does not hold: the run ends by itself, and the next one has the new content.
    """
    rng = killer.rng
    for number in range(1, times + 1):
        command, edition = rng.choice(["rebuild", "refresh"]), 1 - killer.edition
        with killer.reader.whole(command == "rebuild"):
            run = killer.ground.start(command, edition)
            time.sleep(rng.uniform(0.3, 0.9) * killer.durations[command])
            stop_server(killer, run)
            code, text = run.ended()
            problems = [] if code == 0 or OUTAGE in text else [f"ended with {code}: {text}"]
            problems += killer.ground.left_behind()
            problems += killer.finish(command, edition)
        yield f"restart in the middle of a {command}, {number} of {times}: exit code {code}", problems
