"""French open data about schools and their communes, in one PostGIS database, by a Dagster asset graph.

The way of the data, one direction: publisher -> ``sources`` (download, archive, read) -> ``assets`` (one
contract and one pure transform per table) -> ``publish`` (validate, compare, write, record) -> views.
"""

import ctypes
import os
from contextlib import suppress

os.environ.setdefault("_RJEM_MALLOC_CONF", "narenas:1,dirty_decay_ms:1000,muzzy_decay_ms:0")
# jemalloc's options in polars, read when that is imported: memory goes back to the system a second after it is freed,
# which takes a tenth off the peak of the large tables; sooner takes a twentieth of their time.

os.environ.setdefault("POLARS_IDEAL_MORSEL_SIZE", "10000")
# Rows that polars' streaming engine passes on together. It has some dozens of such morsels under way: with its own
# 100,000 the crime table takes 250 MB more, and no less time.

M_ARENA_MAX = -8
if "MALLOC_ARENA_MAX" not in os.environ:
    with suppress(AttributeError):  # another C library than glibc
        ctypes.CDLL(None).mallopt(M_ARENA_MAX, 1)
# What does not allocate by polars does by glibc, which gives threads arenas of their own: what is freed in one is of no
# use to the others. With a single one the large tables take a quarter less, and no more time.
