"""Checking sources before they are loaded: the sample publisher, behaving and misbehaving, and a directory."""

from __future__ import annotations

import gzip
import io
import json
import re
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from typer.testing import CliRunner
from upath import UPath

from edu_pipeline.catalogue import catalogue
from edu_pipeline.cli.main import app
from edu_pipeline.loading.source_check import SourceCheck, check_sources, closest_names
from edu_pipeline.sample.misbehaviour import Misbehaviour
from edu_pipeline.sample.server import SampleServer, serving
from edu_pipeline.settings import settings
from edu_pipeline.sources.archive import Archive
from edu_pipeline.sources.fetch import fetch
from edu_pipeline.sources.form import Part, form_of
from edu_pipeline.sources.licences import same_licence
from edu_pipeline.sources.policy import Policy
from edu_pipeline_tests.sample.sample_files import copied_sample

SALES, LYCEES, EQUIPMENT, CRIME = "dvf-indicateurs-communes", "fr-en-ips-lycees-ap2023", "insee-bpe", "ssmsi-communale"
COMMUNES, CONTOURS, PARIS, OPTIONS = (
    "geo-api-communes",
    "contours-communes",
    "paris-affectation-lycees",
    "onisep-60113c3d5fee0",
)
LONG = 600.0
"""Seconds that no check takes, even on a slow machine."""


@dataclass
class Publishers:
    """The sample's server, and an archive that stays empty unless a test fills it."""

    server: SampleServer
    archive: Archive

    def check(self, *sources: str, seconds: float = LONG) -> list[SourceCheck]:
        """Check some sources, or all of the catalogue."""
        chosen = [catalogue()[source] for source in sources or catalogue()]
        return check_sources(chosen, self.archive, self.server.url, policy=Policy(tries=1), seconds=seconds)

    def check_misbehaving(self, source: str, misbehaviour: Misbehaviour, seconds: float = LONG) -> SourceCheck:
        """Check a source that misbehaves; afterwards it no longer does."""
        self.server.shelf.publish(source, misbehaviour)
        try:
            (check,) = self.check(source, seconds=seconds)
        finally:
            self.server.shelf.publish(source)
        return check


@pytest.fixture(scope="module")
def sample(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SampleServer]:
    with serving(copied_sample(tmp_path_factory.mktemp("check") / "sample")) as server:
        yield server


@pytest.fixture
def publishers(sample: SampleServer, tmp_path: Path) -> Publishers:
    return Publishers(sample, Archive(UPath(tmp_path / "archive")))


# --- the sample publisher


def test_the_sample_publisher_passes_and_nothing_is_archived(publishers: Publishers) -> None:
    checks = publishers.check()
    assert [(check.source, check.stops, check.notes) for check in checks if check.stops or check.notes] == []
    assert [check.source for check in checks] == list(catalogue())
    assert {check.state for check in checks} == {"ok"}
    unchecked = [check.source for check in checks if any(form.startswith("form not") for form in check.forms)]
    assert unchecked == []
    assert all(check.edition or check.forms == ["optional, and nobody has it"] for check in checks)
    assert not Path(publishers.archive.root.path).exists()


def test_a_renamed_column_gives_the_line_to_paste(publishers: Publishers) -> None:
    check = publishers.check_misbehaving(SALES, Misbehaviour(rename={"nb_mutations": "nb_de_mutations"}))
    assert check.state == "stops"
    assert check.stops[0].startswith("ColumnMissing: dvf-indicateurs-communes, communesdvf2024.csv: expected column")
    (renamed,) = check.renamed
    assert (renamed.expected, renamed.column) == ("nb_mutations", "nb_de_mutations")
    assert renamed.line == 'aliases=["nb_de_mutations"],'
    assert renamed.path == "edu_pipeline/assets/socio_economic/mutations_immo_latest.py"
    assert f"{renamed.field} =" in Path(renamed.path).read_text(encoding="utf-8")


def test_the_archive_shows_which_columns_are_new(publishers: Publishers) -> None:
    fetch(catalogue()[SALES], publishers.archive, publishers.server.url)
    check = publishers.check_misbehaving(SALES, Misbehaviour(rename={"PrixMoyen": "Prix"}))
    assert [renamed.column for renamed in check.renamed] == ["prix"], "less alike, but new"
    assert check.archived.endswith("communesdvf2024.csv")
    (check,) = publishers.check(SALES)
    assert (check.state, check.new, check.missing) == ("ok", [], [])


def test_a_dropped_column_has_no_candidate(publishers: Publishers) -> None:
    check = publishers.check_misbehaving(SALES, Misbehaviour(drop=("Prixm2Moyen",)))
    assert (check.state, check.missing, check.renamed) == ("differs", ["Prixm2Moyen"], [])


@pytest.mark.parametrize(
    ("source", "misbehaviour", "text"),
    [
        (LYCEES, Misbehaviour(html=True), "FileInvalid: .*found an HTML page"),
        (EQUIPMENT, Misbehaviour(html=True), "FileInvalid: .*found an HTML page"),
        (OPTIONS, Misbehaviour(html=True), "FileInvalid: .*found an HTML page"),
        (PARIS, Misbehaviour(html=True), "FileInvalid: .*found an HTML page"),
        (EQUIPMENT, Misbehaviour(truncate=True), "FileInvalid: .*cut off"),
        (COMMUNES, Misbehaviour(truncate=True), "FileInvalid: .*cut off"),
        (OPTIONS, Misbehaviour(status=503), "PublisherUnavailable: .*HTTP status 503"),
        (LYCEES, Misbehaviour(status=404), "DownloadFailed: .*HTTP status 404"),
        (SALES, Misbehaviour(status=410), "DownloadFailed: .*HTTP status 410"),
        (CRIME, Misbehaviour(rename={"annee": "an"}), "ColumnMissing: .*'annee'"),
        (EQUIPMENT, Misbehaviour(drop=("GEO",)), "ColumnMissing: .*'GEO'"),
        (COMMUNES, Misbehaviour(drop=("code",)), "ColumnMissing: .*'code'"),
    ],
)
def test_what_stops_a_load_has_its_text(
    publishers: Publishers, source: str, misbehaviour: Misbehaviour, text: str
) -> None:
    check = publishers.check_misbehaving(source, misbehaviour)
    assert check.state == "stops"
    assert re.match(text, check.stops[0])


def test_a_cut_file_is_seen_by_its_size(publishers: Publishers) -> None:
    check = publishers.check_misbehaving(SALES, Misbehaviour(truncate=True))
    assert check.state == "differs"
    assert any("as the publisher announces" in note for note in check.notes)


def test_another_licence_is_reported_and_stops_nothing(publishers: Publishers) -> None:
    for source in (LYCEES, SALES):
        check = publishers.check_misbehaving(source, Misbehaviour(licence="CC BY-NC 4.0"))
        assert check.state == "differs"
        (note,) = check.notes
        assert note.startswith(f"expected the licence {catalogue()[source].licence}, found CC BY-NC 4.0.")


def test_a_slow_publisher_delays_no_other(publishers: Publishers) -> None:
    publishers.server.shelf.publish(OPTIONS, Misbehaviour(delay=20))
    try:
        late, fine = publishers.check(OPTIONS, SALES, seconds=10)
    finally:
        publishers.server.shelf.publish(OPTIONS)
    assert late.stops[0].startswith(f"PublisherUnavailable: {OPTIONS}: expected an answer within 10 s, found none.")
    assert fine.state == "ok"


# --- a directory


def test_a_directory_is_checked_by_its_first_kilobytes(tmp_path: Path) -> None:
    folder = tmp_path / "upstream"
    (folder / SALES).mkdir(parents=True)
    header = "INSEE_COM,annee,nb_mutations,NbMaisons,NbApparts,PropMaison,PropAppart,PrixMoyen,Prixm2Moyen,SurfaceMoy\n"
    path = folder / SALES / "communesdvf2024.csv"
    archive = Archive(UPath(tmp_path / "archive"))

    def check(text: str) -> SourceCheck:
        path.write_text(text, encoding="utf-8")
        (result,) = check_sources([catalogue()[SALES]], archive, str(folder))
        return result

    rows = "01001,2024,4,4,0,100,0,290575,3258,96\n" * 10_000
    assert check(header + rows).state == "ok"
    assert check(header.replace("annee", "anneee") + rows).renamed[0].line == 'aliases=["anneee"],'
    assert check(header).stops[0].startswith("NoRows: ")
    assert check("").stops[0].startswith("FileInvalid: ")
    assert check('{"error": "no such file"}').stops[0].startswith("FileInvalid: ")
    assert "the file may be cut off" in check(header + rows[:-30]).notes[0]
    path.unlink()
    (waiting,) = check_sources([catalogue()[SALES]], archive, str(folder))
    assert waiting.state == "waits"


# --- the command


def test_the_command_shows_all_and_exits_with_1_if_a_load_stops(
    publishers: Publishers, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("EDU_UPSTREAM", publishers.server.url)
    settings.cache_clear()
    runner = CliRunner()
    fine = runner.invoke(app, ["sources", "check", SALES, "--json"])
    assert fine.exit_code == 0
    (check,) = json.loads(fine.stdout)
    assert (check["source"], check["state"], check["forms"]) == (SALES, "ok", ["csv, 10 columns"])
    publishers.server.shelf.publish(SALES, Misbehaviour(rename={"nb_mutations": "nb_de_mutations"}))
    try:
        stopped = runner.invoke(app, ["sources", "check", SALES])
    finally:
        publishers.server.shelf.publish(SALES)
    assert stopped.exit_code == 1
    assert "ColumnMissing: " in stopped.stdout and 'aliases=["nb_de_mutations"],' in stopped.stdout
    listed = runner.invoke(app, ["sources", "--json"])
    assert listed.exit_code == 0 and len(json.loads(listed.stdout)) == len(catalogue())
    assert runner.invoke(app, ["sources", "check", "no-such-source"]).exit_code == 1


# --- forms, names, licences


def test_a_beginning_is_enough_for_packed_csv(tmp_path: Path) -> None:
    file = catalogue()[EQUIPMENT].files["main"]
    text = "GEO;FACILITY_DOM\n" + "".join(f"{number:05};{number * 7919}\n" for number in range(100_000))
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        with archive.open("readme.txt", "w", force_zip64=True) as member:
            member.write(b"read me")
        archive.writestr("DS_BPE_2024_data.csv", text)
    for name, packed in {"x.zip": stream.getvalue(), "x.csv.gz": gzip.compress(text.encode())}.items():
        scratch = tmp_path / name
        scratch.mkdir()
        form = form_of(Part(packed[: 64 << 10], name, False), file, scratch, "somewhere")
        assert form.columns == ("geo", "facility_dom")


def test_a_beginning_is_enough_for_lists_and_features(tmp_path: Path) -> None:
    list_file, features_file = catalogue()[COMMUNES].files["main"], catalogue()[CONTOURS].files["main"]
    entries = [{"nom": f"Commune {number}", "code": f"{number:05}"} for number in range(5_000)]
    features = [
        {"type": "Feature", "properties": entry, "geometry": {"type": "Point", "coordinates": [2, 48]}}
        for entry in entries
    ]
    collection = json.dumps({"type": "FeatureCollection", "features": features}).encode()
    content = json.dumps(entries).encode()[: 64 << 10]
    assert form_of(Part(content, "a.json", False), list_file, tmp_path, "somewhere").columns == ("nom", "code")
    form = form_of(Part(collection[: 64 << 10], "a.geojson", False), features_file, tmp_path, "somewhere")
    assert form.columns == ("nom", "code", "geometry")


def test_a_workbook_says_that_it_was_not_checked(tmp_path: Path) -> None:
    file = catalogue()["insee-bassins-de-vie"].files["main"]
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("table-appartenance-geo-communes-2024.xlsx", bytes(range(256)) * 10_000)
    form = form_of(Part(stream.getvalue()[:2_000], "x.zip", False), file, tmp_path, "somewhere")
    assert form.columns is None and "workbook" in form.unchecked


def test_a_candidate_is_given_to_the_closest_name_only() -> None:
    assert closest_names(["prix", "prix_moyens"], ["prix_moyen"], 0.5) == {"prix_moyens": "prix_moyen"}
    assert closest_names(["effectif_total"], ["effectif_total_en_terminale_generale"], 0.85) == {}
    assert closest_names(["^codgeo.*"], ["codgeo"], 0.6) == {}


@pytest.mark.parametrize(
    ("stated", "expected", "is_same"),
    [
        ("Licence Ouverte v2.0 (Etalab)", "Licence Ouverte 2.0", True),
        ("lov2", "Licence Ouverte 2.0", True),
        ("fr-lo", "Licence Ouverte 2.0", True),
        ("Open Licence v1.0", "Licence Ouverte 2.0", False),
        ("odc-odbl", "ODbL 1.0", True),
        ("Open Database License (ODbL)", "Licence Ouverte 2.0", False),
        (None, "ODbL 1.0", True),
        ("notspecified", "ODbL 1.0", True),
    ],
)
def test_licences_are_compared_whatever_their_spelling(stated: str | None, expected: str, is_same: bool) -> None:
    assert same_licence(stated, expected) is is_same
