"""The static site at national size: how long each part of it takes, how much memory, how soon the map is there.
`make bench-site`.

Goals: built in less than 60 s on two processors; the map's first view painted within 2 s after its page was asked for;
the first page below 300 kB.

The map's files are made beside the pages, and the parts are those of the process that makes the pages. Reading the peak
memory takes a good part of a processor. Chromium draws without a GPU.
"""

from __future__ import annotations

import shutil
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial, wraps
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from playwright.sync_api import sync_playwright
from rich.console import Console
from rich.table import Table
from workbench import BIN, arguments, run, workbench

from edu_pipeline.database.connection import target
from edu_pipeline.settings import PROJECT, settings
from edu_pipeline.site import ask, build, dictionary, javascript, overview, rows
from edu_pipeline.site.atlas import atlas
from edu_pipeline.sources.archive import Archive

PARTS: dict[str, tuple[Any, str]] = {
    "Parquet files": (build, "write"),
    "dictionary": (dictionary, "pages"),
    "lineage and freshness": (overview, "pages"),
    "rows": (rows, "pages"),
    "the DuckDB file": (ask, "page"),
    "waiting for the map's files": (atlas, "page"),
}
"""What is timed: the function of each part."""

VIEWS = {"first view": "", "communes": "view=7.5/46.5/2.4", "collèges": "layer=colleges"}
"""The map as it is opened, by the state after ``#``."""


@contextmanager
def timed(seconds: dict[str, float]) -> Iterator[None]:
    """Note how long each of ``PARTS`` takes."""

    def timing(name: str, function: Callable[..., Any]) -> Callable[..., Any]:
        @wraps(function)
        def wrapper(*values: Any, **named: Any) -> Any:
            begin = time.perf_counter()
            try:
                return function(*values, **named)
            finally:
                seconds[name] = time.perf_counter() - begin

        return wrapper

    functions = {name: getattr(module, function) for name, (module, function) in PARTS.items()}
    for name, (module, function) in PARTS.items():
        setattr(module, function, timing(name, functions[name]))
    try:
        yield
    finally:
        for name, (module, function) in PARTS.items():
            setattr(module, function, functions[name])


class Quiet(SimpleHTTPRequestHandler):
    """A server of files that writes no log."""

    def log_message(self, *_: object) -> None:
        """Nothing."""


def painted(folder: Path) -> dict[str, float]:
    """Seconds from asking for the page of the map until it is painted, for each of ``VIEWS``."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(folder)))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    seconds = {}
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
        for name, state in VIEWS.items():
            page = browser.new_page(viewport={"width": 1400, "height": 900})
            page.goto(f"http://127.0.0.1:{server.server_port}/fr/atlas.html#{state}")
            page.locator("#map[data-ready]").wait_for(timeout=120_000)
            mark = "painted" if name == "first view" else "complete"
            seconds[name] = page.evaluate("mark => performance.getEntriesByName(mark)[0].startTime", mark) / 1000
            page.close()
        browser.close()
    server.shutdown()
    return seconds


def build_once(folder: Path) -> None:
    """Build the site of the target database, and print the time of every part."""
    known, seconds = settings(), dict[str, float]()
    begin = time.perf_counter()
    with timed(seconds):
        built = build.build(target(known), Archive(known.archive_root), folder, known.local / "javascript")
    grid = Table("part", "seconds")
    for name, time_taken in (seconds | {"all": time.perf_counter() - begin}).items():
        grid.add_row(name, f"{time_taken:.1f}")
    console = Console()
    console.print(grid)
    console.print(f"{built.files:,} files, {built.bytes / 1e6:,.0f} MB")


def main() -> None:
    """Print the time of every part, the peak memory, and the time until the map is painted."""
    parser = arguments(__doc__)
    parser.add_argument("--build", type=Path, metavar="FOLDER", help="only build the site of the target database")
    asked = parser.parse_args()
    if asked.build:
        build_once(asked.build)
        return
    console = Console()
    with workbench(asked.scale) as bench:
        run(BIN / "edu-pipeline", "migrate")
        run(BIN / "edu-pipeline", "rebuild")
        javascript.packages(settings().local / "javascript")
        folder = bench.folder / "site"
        _, memory = run(
            sys.executable, PROJECT / "bench" / "peak_memory.py", "python", __file__, "--build", str(folder)
        )
        console.print(memory.strip().splitlines()[-1])
        for name, seconds in painted(folder).items():
            console.print(f"map, {name}: painted after {seconds:.1f} s")


if __name__ == "__main__":
    main()
