#!/usr/bin/env bash
# A Python function in `filter` over `scan_parquet` is called with rows that are not in the file.
#
# With polars 2.1.0, an expression made by `map_batches(..., is_elementwise=True)` and used as a predicate is also called
# with the minima of all row groups as one Series, and with a single NULL before each row group, even if the column has
# no NULL: polars tries the predicate on the statistics, to skip row groups. The rows that come out are right, and an
# exception that the function raises for these made-up rows is swallowed. But whatever else the function does with what
# it is given (counting, logging, noting which rows were refused) covers rows that nobody wrote: here 1,020 rows of a
# file with 1,000. Without `is_elementwise`, or over a frame in memory, it sees each row once.
#
# Seen with polars 2.1.0, Python 3.11, Linux x86-64:
#   elementwise over the file: kept 500, shown 1020, of which NULL: 10
#   not elementwise: kept 500, shown 1000, of which NULL: 0
#   elementwise over a frame in memory: kept 500, shown 1000, of which NULL: 0
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check polars==2.1.0
cd "$folder"
cat >seen.py <<'PYTHON'
import polars as pl

print("polars", pl.__version__)
numbers = pl.DataFrame({"number": range(1_000)})
numbers.write_parquet("numbers.parquet", row_group_size=100)


def shown(frame, **how):
    values = []

    def is_odd(batch):
        values.extend(batch.to_list())
        return batch % 2 == 1

    kept = frame.filter(pl.col("number").map_batches(is_odd, return_dtype=pl.Boolean, **how)).collect()
    return kept.height, len(values), values.count(None)


for name, frame, how in (
    ("elementwise over the file", pl.scan_parquet("numbers.parquet"), {"is_elementwise": True}),
    ("not elementwise", pl.scan_parquet("numbers.parquet"), {}),
    ("elementwise over a frame in memory", numbers.lazy(), {"is_elementwise": True}),
):
    kept, seen, nulls = shown(frame, **how)
    print(f"{name}: kept {kept}, shown {seen}, of which NULL: {nulls}")
    expected = (500, 1020, 10) if name == "elementwise over the file" else (500, 1000, 0)
    assert (kept, seen, nulls) == expected, f"expected {expected}: polars has changed"
PYTHON
"$folder/venv/bin/python" seen.py
