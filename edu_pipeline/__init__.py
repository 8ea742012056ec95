"""French open data about schools and their communes, in one PostGIS database, by a Dagster asset graph.

The data flows one way: publisher -> ``sources`` (download, archive, read) -> ``assets`` (one contract and one pure
transform per table) -> ``loading`` (validate, compare, write, record) -> views. docs/architecture.md is the map.

Belongs here: settings of the process for memory and threads, which must come before anything else is imported. Does not
belong here: anything else.
"""

import ctypes
import os
from contextlib import suppress

# Options of jemalloc, polars' allocator, which reads them when it is imported. Memory returns to the system one second
# after it is freed: that takes a tenth off the peak of the large tables. Sooner would add a twentieth to their time.
os.environ.setdefault("_RJEM_MALLOC_CONF", "narenas:1,dirty_decay_ms:1000,muzzy_decay_ms:0")

# Rows in a morsel of polars' streaming engine, which has some dozens of them in flight. With the default of 100,000 the
# crime table takes 250 MB more and is no faster.
os.environ.setdefault("POLARS_IDEAL_MORSEL_SIZE", "10000")

# numpy's OpenBLAS starts a thread for each processor, which spin for a while: a tenth of a second of processor time of
# every program. Nothing here multiplies matrices.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

# Everything else allocates through glibc, which gives each thread its own arena; memory freed in one is no use to the
# others. With a single arena the large tables take a quarter less memory and no more time.
M_ARENA_MAX = -8
if "MALLOC_ARENA_MAX" not in os.environ:
    with suppress(AttributeError):  # a C library other than glibc
        ctypes.CDLL(None).mallopt(M_ARENA_MAX, 1)
