"""The catalogue of sources: well formed, and consistent with the publishers' real files, if available.

Belongs here: what holds for every entry. Does not belong here: reading the files (the tests of the readers and of the
tables do that).
"""

from __future__ import annotations

import re
from pathlib import PurePosixPath
from urllib.parse import urlsplit

import pytest

from edu_pipeline.catalogue import File, Source, catalogue, files_by_parameter
from edu_pipeline_tests.real_files import real_file, upstream

SOURCES = list(catalogue().values())
FILES = [file for source in SOURCES for file in source.files.values()]

UNUSED = {
    "insee-bpe/typequ_2023.csv": "labels of the facility types, for people: the table's columns are named by hand",
    "insee-rp/meta_dossier_complet.csv": "labels of the census variables, for people",
    "insee-rp/base-cc-logement-2021-7cols.csv": "an extract of 7 columns: the table requires others, which a test adds",
    "fr-en-sections-internationales/fr-en-sections-internationales.xlsx": "an extract of 4 columns without the level",
}
"""Files in the sources' folders that no entry reads, and why."""

NO_COPY = {
    "insee_rp__diplomes": "no copy of the publisher's file (81 MB) was available",
    "insee_rp__population": "no copy of the publisher's file was available",
    "insee_rp__emploi": "no copy of the publisher's file was available",
    "insee_rp__logement": "only an extract of 7 columns was available",
    "fr_en_sections_internationales": "only an extract of 4 columns was available",
}
"""Required files that may be missing among the real files, and why."""

for_every_file = pytest.mark.parametrize("file", FILES, ids=lambda file: file.parameter)
for_every_source = pytest.mark.parametrize("source", SOURCES, ids=lambda source: source.id)


def test_parameters_are_unique_identifiers() -> None:
    assert len(files_by_parameter()) == len(FILES)
    assert all(parameter.isidentifier() for parameter in files_by_parameter())


@for_every_source
def test_source_is_described(source: Source) -> None:
    assert source.title and source.publisher and source.licence and source.note
    assert "\n" not in source.note
    assert source.max_age_days > 0
    nowhere = not source.landing_page and all(file.supplied for file in source.files.values())
    assert nowhere or source.landing_page.startswith("https://")


@for_every_file
def test_exactly_one_origin(file: File) -> None:
    origins = (file.url, file.opendatasoft, file.datagouv, file.arcgis, file.supplied or None)
    assert sum(origin is not None for origin in origins) == 1


@for_every_file
def test_regular_expressions_compile(file: File) -> None:
    title = file.datagouv.title if file.datagouv is not None else None
    for expression in (file.name, file.member, file.vintage, title):
        if expression is not None:
            re.compile(expression)
    if file.vintage is not None:
        assert re.compile(file.vintage).groups == 1


@for_every_file
def test_live_url_is_https(file: File) -> None:
    for url in (file.url, file.arcgis):
        assert url is None or urlsplit(url).scheme == "https"
    if file.opendatasoft is not None:
        assert re.fullmatch(r"[a-z0-9-]+(\.[a-z0-9-]+)+", file.opendatasoft.portal)


def test_one_entry_describes_the_files_of_all_departements() -> None:
    addresses = catalogue()["ban"].files
    assert len(addresses) == 101
    assert {"01", "2A", "2B", "974"} < set(addresses)
    assert addresses["2A"].url == "https://adresse.data.gouv.fr/data/ban/adresses/latest/csv/adresses-2A.csv.gz"
    assert re.fullmatch(addresses["2A"].name, "adresses-2A.csv.gz")
    assert addresses["2A"].parameter == "ban__2A"


@for_every_file
def test_name_matches_the_publishers_file_name(file: File) -> None:
    if file.opendatasoft is not None:
        assert re.fullmatch(file.name, f"{file.opendatasoft.dataset}.{file.format}")
    if file.url is not None and (own := PurePosixPath(urlsplit(file.url).path)).suffix:
        assert re.fullmatch(file.name, own.name)


@for_every_file
def test_member_is_named_for_zip_archives(file: File) -> None:
    if file.url is not None:
        address = urlsplit(file.url).path
        assert address.endswith((".zip", "_CSV_FR")) == (file.member is not None), "Melodi names no format"


@pytest.mark.parametrize(
    ("parameter", "member", "matches"),
    [
        ("insee_rp__emploi", "base-cc-emploi-pop-active-2022.CSV", True),
        ("insee_rp__emploi", "base-cc-emploi-pop-active-2022-COM.CSV", False),
        ("insee_rp__emploi", "meta_base-cc-emploi-pop-active-2022.CSV", False),
        ("insee_bpe", "DS_BPE_data.csv", True),
        ("insee_bpe", "DS_BPE_2025_data.csv", True),
        ("insee_bpe", "DS_BPE_2025_metadata.csv", False),
        ("insee_filosofi_2021", "cc_filosofi_2021_COM.csv", True),
        ("insee_filosofi_2021", "cc_filosofi_2021_BV2022.csv", False),
        ("insee_filosofi_2021__bv", "cc_filosofi_2021_BV2022.csv", True),
    ],
)
def test_member_of_the_zip_archive(parameter: str, member: str, matches: bool) -> None:
    expression = files_by_parameter()[parameter].member
    assert expression is not None
    assert bool(re.fullmatch(expression, member, re.IGNORECASE)) == matches


@for_every_source
def test_every_required_file_is_among_the_real_ones(source: Source) -> None:
    if not (upstream() / source.id).is_dir():
        pytest.skip(f"EDU_UPSTREAM has no folder {source.id}")
    missing = [file.parameter for file in source.files.values() if not file.optional and real_file(file) is None]
    assert set(missing) <= set(NO_COPY)


@for_every_source
def test_every_real_file_is_read(source: Source) -> None:
    folder = upstream() / source.id
    if not folder.is_dir():
        pytest.skip(f"EDU_UPSTREAM has no folder {source.id}")
    unread = {
        f"{source.id}/{path.name}"
        for path in folder.iterdir()
        if not any(re.fullmatch(file.name, path.name) for file in source.files.values())
    }
    assert unread <= set(UNUSED)


def test_exceptions_name_entries_of_the_catalogue() -> None:
    assert set(NO_COPY) <= set(files_by_parameter())
    assert {name.split("/")[0] for name in UNUSED} <= set(catalogue())
    for name in UNUSED:
        source, file_name = name.split("/")
        assert not any(re.fullmatch(file.name, file_name) for file in catalogue()[source].files.values())
