"""Building the site: everything that readers see, of one moment, as pages that need no server of their own.

Belongs here: the order of the steps. Does not belong here: what any part of it looks like.
"""

from __future__ import annotations

import json
import shutil
from dataclasses import dataclass, replace
from importlib import resources
from pathlib import Path

import pyarrow.parquet as pq
from loky.process_executor import ProcessPoolExecutor

from edu_pipeline.database.connection import Database
from edu_pipeline.export.description import Collection
from edu_pipeline.export.export import Export, Progress, describe, write
from edu_pipeline.export.form import Format
from edu_pipeline.export.snapshot import names_of, snapshot
from edu_pipeline.site import ask, dictionary, javascript, overview, rows
from edu_pipeline.site.atlas import atlas, files
from edu_pipeline.site.context import ASSETS, DATA, Site
from edu_pipeline.site.facts import gather_facts
from edu_pipeline.site.place import MARK, replacing
from edu_pipeline.sources.archive import Archive


@dataclass(frozen=True)
class Built:
    """What was built.

    Attributes:
        files: how many files the site has.
        bytes: their size.
    """

    collection: Collection
    files: int
    bytes: int


def build(
    database: Database,
    archive: Archive,
    target: Path,
    cache: Path,
    progress: Progress = lambda table, rows: None,
) -> Built:
    """Build the site of the target schema in the folder ``target``; after a failure, that is as it was.

    Args:
        archive: where the releases are, for their ages.
        cache: folder in which the JavaScript packages are kept.

    Raises:
        SettingInvalid: ``target`` is not a folder for a site, or there is no npm.
        SiteFailed: the files cannot be written, or npm cannot install the packages.
        SchemaMissing: the database was never migrated.
        DatabaseUnreachable: the server does not answer.
        ArchiveUnusable: the archive cannot be read.
    """
    packages = javascript.packages(cache)
    with replacing(target) as folder:
        data = folder / DATA
        data.mkdir()
        with snapshot(database) as source:
            done = write(source, source.describe(names_of(())), data, Format.PARQUET, progress)
        describe(done, data)
        site = Site(folder, _counted(done, data), done.files)
        _assets(site, packages)
        _pages(site, database, archive)
        site.write(MARK, json.dumps({"day": site.collection.day.isoformat(), "invented": site.collection.invented}))
        written = [path.stat().st_size for path in folder.rglob("*") if path.is_file()]
    return Built(site.collection, len(written), sum(written))


def _counted(done: Export, data: Path) -> Collection:
    """The collection with the number of rows that each file has: nobody else knows it, once another load has ended."""
    counts = {name: pq.read_metadata(data / file.name).num_rows for name, file in done.files.items()}
    tables = (replace(table, rows=counts[table.name]) for table in done.collection.tables)
    return replace(done.collection, tables=tuple(tables))


def _assets(site: Site, packages: Path) -> None:
    """The files that all pages share: our own, and those of the packages."""
    with resources.as_file(resources.files("edu_pipeline.site").joinpath("static")) as ours:
        shutil.copytree(ours, site.folder / ASSETS)
    shutil.copytree(packages / javascript.LIBRARY, site.folder / ASSETS / javascript.LIBRARY)


def _pages(site: Site, database: Database, archive: Archive) -> None:
    """All pages, part by part; the map's files, which take longest, are made beside them in a process of their own."""
    with ProcessPoolExecutor(1) as beside:
        communes = beside.submit(files.write, site.collection, site.folder / DATA)
        site.write("index.html", site.environment.get_template("choice.html").render())
        facts = gather_facts(database, archive, site.collection)
        dictionary.pages(site, facts)
        overview.pages(site, facts, archive)
        rows.pages(site, facts)
        ask.page(site)
        atlas.page(site, communes)
