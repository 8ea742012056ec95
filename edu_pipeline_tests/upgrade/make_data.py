"""Writes the test data of `test_upgrade.py`: a database and an archive that version 0.1.0 has filled.

Run it as `python -m edu_pipeline_tests.upgrade.make_data`, in a checkout with its history. There is no need to, unless
the data should have more in them: the database of a version that is out does not change.

Belongs here: what that version is given, and how it is run. Does not belong here: what an upgrade has to keep.
"""

from __future__ import annotations

import gzip
import os
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

from upath import UPath

from edu_pipeline.database.binaries import find_binaries
from edu_pipeline.database.connection import Database
from edu_pipeline.settings import PROJECT
from edu_pipeline.sources.archive import Archive
from edu_pipeline_tests.servers import own_server
from edu_pipeline_tests.stand_in import StandIn, sale

COMMIT = "aff80b3"
"""The last one of version 0.1.0."""

DATA = Path(__file__).parent
DUMP, ARCHIVE = DATA / "0.1.0.sql.gz", DATA / "0.1.0-archive.tar.gz"

FIRST_PRICE, SECOND_PRICE = "200000", "250000"
"""Of the sales in the previous schema, and in the live one."""


def publish(stand_in: StandIn, price: str) -> None:
    """An edition of the communes and their sales."""
    stand_in.put_sales([sale(code, price=price) for code in stand_in.put_communes(12)])


def main() -> None:
    """Let 0.1.0 rebuild twice, and keep what it has made."""
    with tempfile.TemporaryDirectory() as name, own_server() as cluster:
        folder, url = Path(name), cluster.url("postgres")
        code = subprocess.run(["git", "archive", COMMIT], cwd=PROJECT, check=True, capture_output=True).stdout
        (folder / "code").mkdir()
        subprocess.run(["tar", "-x", "-C", str(folder / "code")], input=code, check=True)
        stand_in = StandIn(folder / "upstream", Archive(UPath(folder / "archive")), Database(url, "educational_data"))
        environment = {name: value for name, value in os.environ.items() if not name.startswith("EDU_")} | {
            "PYTHONPATH": str(folder / "code"),
            "EDU_HOME": str(folder),
            "EDU_ARCHIVE": str(folder / "archive"),
            "EDU_DATABASE_URL": url,
            "EDU_UPSTREAM": str(folder / "upstream"),
        }
        program = [sys.executable, "-c", "from edu_pipeline.cli.main import main; main()"]
        for price in (FIRST_PRICE, SECOND_PRICE):
            publish(stand_in, price)
            for command in ("migrate", "rebuild"):
                subprocess.run([*program, command], env=environment, cwd=folder, check=True)
        dump = [
            str(find_binaries().folder / "pg_dump"),
            "--no-owner",
            "--no-privileges",
            "--exclude-schema=dagster",
            url,
        ]
        DUMP.write_bytes(gzip.compress(subprocess.run(dump, check=True, capture_output=True).stdout, mtime=0))
        with tarfile.open(ARCHIVE, "w:gz") as tar:
            tar.add(folder / "archive", "archive")


if __name__ == "__main__":
    main()
