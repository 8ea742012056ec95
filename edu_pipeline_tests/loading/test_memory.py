"""How the process allocates memory, which is said before anything else is imported (``edu_pipeline/__init__.py``)."""

from __future__ import annotations

import ctypes
import os
import subprocess
import sys

import pytest

PROGRAM = """
import ctypes, threading
import edu_pipeline
threads = [threading.Thread(target=lambda: [bytes(1000) for _ in range(1000)]) for _ in range(8)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
ctypes.CDLL(None).malloc_stats()
"""


@pytest.mark.skipif(not hasattr(ctypes.CDLL(None), "malloc_stats"), reason="glibc alone has arenas")
@pytest.mark.parametrize("wanted", [None, "3"])
def test_threads_share_an_arena_unless_an_operator_wants_more(wanted: str | None) -> None:
    environment = {name: value for name, value in os.environ.items() if name != "MALLOC_ARENA_MAX"}
    environment |= {"MALLOC_ARENA_MAX": wanted} if wanted else {}
    done = subprocess.run([sys.executable, "-c", PROGRAM], env=environment, capture_output=True, text=True, check=True)
    arenas = [line for line in done.stderr.splitlines() if line.startswith("Arena")]
    assert arenas == ["Arena 0:"] if wanted is None else len(arenas) > 1
