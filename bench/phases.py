"""Where the processor time of a rebuild at national size goes, phase by phase. `make bench-phases`, or with
`--without-sectors`.

Measured: `edu-pipeline rebuild --offline`, in this process and one step at a time, so that what is used between the
beginning and the end of a function is its own; what a function calls that has a phase of its own is not counted twice.
While some rows meet the contract polars already makes the next ones, so both are one phase. The server's processor time
is that of all its processes. Floor: none; the total is that of bench/national.py.
"""

from __future__ import annotations

import functools
import importlib
import os
import resource
import sys
from collections import defaultdict
from collections.abc import Callable
from contextlib import suppress
from typing import Any, NamedTuple

from national import without_sectors
from rich.console import Console
from rich.table import Table
from workbench import BIN, arguments, run, server_cpu, workbench

from edu_pipeline.cli.main import app
from edu_pipeline.settings import settings

PHASES = {
    "unpack and parse files without a copy": ["edu_pipeline.sources.readers.read"],
    "unfold long files": ["edu_pipeline.loading.unfolding.unfolded"],
    "look at all cells": ["edu_pipeline.loading.cells.look_at"],
    "make the rows: read copies, transform, contract": ["edu_pipeline.loading.rows.make"],
    "references": ["edu_pipeline.loading.acceptance.check_references"],
    "read other tables": ["edu_pipeline.database.copying.copy_out"],
    "difference": ["edu_pipeline.loading.difference.difference"],
    "COPY": ["edu_pipeline.database.copying.copy_in"],
    "keys and indexes": ["edu_pipeline.loading.writing.write"],
    "ANALYZE": ["edu_pipeline.loading.load._analyze"],
    "checks": ["edu_pipeline.checks.running._run"],
    "pictures": ["edu_pipeline.orchestration.metadata.plot_metadata"],
    "refresh of the views": ["edu_pipeline.loading.view_refresh.refresh"],
    "the rest of a load": ["edu_pipeline.loading.load.load"],
}
"""The functions whose processor time is that of a phase."""

REST = "start, Dagster, the swap"


class Used(NamedTuple):
    """Seconds of processor: of this process and those that it started, and of the server."""

    client: float
    server: float


class Clock:
    """Divides the processor time among phases.

    Args:
        server: the server's process.
    """

    def __init__(self, server: int) -> None:
        self.server = server
        self.client_of: defaultdict[str, float] = defaultdict(float)
        self.server_of: defaultdict[str, float] = defaultdict(float)
        self._phases = [REST]
        self._last = self._now()

    def timed(self, phase: str, function: Callable[..., Any]) -> Callable[..., Any]:
        """The function, of which what it uses is the phase's."""

        @functools.wraps(function)
        def measured(*arguments: Any, **named: Any) -> Any:
            self.charge()
            self._phases.append(phase)
            try:
                return function(*arguments, **named)
            finally:
                self.charge()
                self._phases.pop()

        return measured

    def charge(self) -> None:
        """Add what was used since the last time to the phase that is under way."""
        now = self._now()
        self.client_of[self._phases[-1]] += now.client - self._last.client
        self.server_of[self._phases[-1]] += now.server - self._last.server
        self._last = now

    def _now(self) -> Used:
        own = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
        return Used(sum(used.ru_utime + used.ru_stime for used in own), server_cpu(self.server))


def watch(clock: Clock) -> None:
    """Put the clock around the functions of all phases, wherever they were imported."""
    importlib.import_module("edu_pipeline.definitions")
    for phase, places in PHASES.items():
        for place in places:
            module, _, name = place.rpartition(".")
            function = getattr(importlib.import_module(module), name)
            measured = clock.timed(phase, function)
            for other in [other for other in sys.modules.values() if other.__name__.startswith("edu_pipeline")]:
                if getattr(other, name, None) is function:
                    setattr(other, name, measured)


def main() -> None:
    """Print the processor time of each phase."""
    parser = arguments(__doc__)
    parser.add_argument("--without-sectors", action="store_true", help="without the tables of the layer sectorisation")
    asked = parser.parse_args()
    with workbench(asked.scale) as bench:
        run(BIN / "edu-pipeline", "migrate")
        run(BIN / "edu-pipeline", "rebuild")
        run(BIN / "edu-pipeline", "start-over", "--yes")
        os.environ["EDU_STEPS_AT_ONCE"] = "1"
        if asked.without_sectors:
            os.environ["EDU_ARCHIVE"] = str(without_sectors(settings().local / "archive", bench.folder / "smaller"))
        settings.cache_clear()
        clock = Clock(bench.cluster.status().pid or sys.exit("the server does not run"))
        watch(clock)
        with suppress(SystemExit):
            app(["rebuild", "--offline"])
        clock.charge()
    grid = Table("phase", "client", "server", "together")
    together = {phase: seconds + clock.server_of[phase] for phase, seconds in clock.client_of.items()}
    for phase, seconds in sorted(together.items(), key=lambda item: -item[1]):
        grid.add_row(phase, *(f"{of[phase]:.1f} s" for of in (clock.client_of, clock.server_of)), f"{seconds:.1f} s")
    grid.add_row("all", *(f"{sum(of.values()):.1f} s" for of in (clock.client_of, clock.server_of, together)))
    Console().print(grid)


if __name__ == "__main__":
    main()
