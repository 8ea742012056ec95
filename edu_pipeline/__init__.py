"""French open data about schools and their communes, in one PostGIS database, by a Dagster asset graph.

The way of the data, one direction: publisher -> ``sources`` (download, archive, read) -> ``assets`` (one
contract and one pure transform per table) -> ``publish`` (validate, compare, write, record) -> views.
"""

import os

os.environ.setdefault("_RJEM_MALLOC_CONF", "narenas:1,dirty_decay_ms:200,muzzy_decay_ms:0")
# jemalloc's options in polars, read when that is imported: memory goes back to the system soon after it is freed, which
# takes a tenth off the peak of the large tables and no time.
