"""The map and the page for SQL as a reader has them: in Chromium, below a path, from a server that knows only files."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from pathlib import Path

import mapbox_vector_tile
import numpy as np
import pytest
from matplotlib import image
from playwright.sync_api import Locator, Page, expect

from edu_pipeline.database.connection import Database
from edu_pipeline.site import ask
from edu_pipeline_tests.site import land
from edu_pipeline_tests.site.communes import COUNT, name_of
from edu_pipeline_tests.site.conftest import Reader

SEA = (201, 219, 227)
CLASSES = {(237, 243, 201), (168, 217, 181), (86, 180, 184), (44, 127, 176), (37, 58, 132)}
UNKNOWN = (217, 217, 214)

CLOSE = "view=8/45.9/4.36"
"""All communes of the lattice."""


@pytest.fixture(autouse=True)
def nothing_goes_wrong(reader: Reader) -> Iterator[None]:
    """Every test ends without an error in the console, and without a request to anywhere else."""
    reader.problems.clear()
    yield
    assert reader.problems == []


def atlas(reader: Reader, state: str = "", language: str = "fr") -> Page:
    """The map, when it is painted with the state after ``#``."""
    reader.page.goto("about:blank")  # or only the state would change
    page = reader.open(f"{language}/atlas.html#{state}")
    page.locator("#map[data-ready]").wait_for()
    return page


def colours(page: Page) -> dict[tuple[int, ...], int]:
    """How many pixels of the map have each colour."""
    pixels = image.imread(io.BytesIO(page.locator("#map canvas").screenshot()))[..., :3]
    found, counts = np.unique((pixels.reshape(-1, 3) * 255).round().astype(int), axis=0, return_counts=True)
    return {tuple(colour.tolist()): int(count) for colour, count in zip(found, counts, strict=True)}


def card(page: Page) -> Locator:
    return page.locator("#card")


def test_every_code_is_in_the_tiles_of_every_zoom(site: Path) -> None:
    folder = site / "data" / "atlas"
    index = json.loads((folder / "atlas.json").read_text(encoding="utf-8"))["tiles"]
    found: dict[str, dict[str, set[str]]] = {}
    for kind, zooms in index.items():
        for zoom, names in zooms.items():
            for name in names:
                tile = mapbox_vector_tile.decode((folder / kind / zoom / f"{name}.pbf").read_bytes())
                for layer, shapes in tile.items():
                    codes = {shape["properties"]["code"] for shape in shapes["features"]}
                    found.setdefault(layer, {}).setdefault(zoom, set()).update(codes)
    communes = {"01001", "2A004", *(f"01{number + 100:03}" for number in range(COUNT))}
    assert found["communes"] == {"7": communes, "8": communes}
    assert found["departements"] == {zoom: {"01", "2A"} for zoom in "345678"}
    assert found["lycees"] == {str(zoom): {land.NEAR, land.FAR} for zoom in range(3, 11)}
    assert found["secteurs"] == {zoom: {"20", "21"} for zoom in ("8", "9", "10")}


def test_the_map_is_painted_from_afar_by_departement(reader: Reader) -> None:
    painted = colours(atlas(reader))
    assert set(painted) & CLASSES and painted[SEA] > 10_000


def test_communes_are_painted_in_the_classes_of_the_legend(reader: Reader) -> None:
    page = atlas(reader, CLOSE)
    painted = colours(page)
    assert min(painted.get(colour, 0) for colour in [*CLASSES, UNKNOWN]) > 500
    expect(page.locator("#legend li")).to_have_count(len(CLASSES) + 1)
    expect(page.locator("#legend")).to_contain_text(f"pas de valeur publiée ({COUNT // 4 + 3})")
    expect(page.locator(".map-note")).to_have_text("Données inventées")


def test_another_figure_is_another_map_and_another_table(reader: Reader) -> None:
    page = atlas(reader, CLOSE)
    before = colours(page)
    page.get_by_label("Chiffre").select_option("info_communes.population")
    page.locator("#map[data-figure='info_communes.population']").wait_for()
    expect(page.locator("#explanation")).to_contain_text("Municipal population")
    expect(page.locator("#explanation")).to_contain_text("inhabitants")
    highest = page.locator("#extremes table").first.locator("tbody tr").first
    expect(highest).to_contain_text(name_of(COUNT - 1))
    assert "figure=info_communes.population" in page.url
    assert colours(page) != before


def test_a_click_opens_the_card_of_the_commune(reader: Reader) -> None:
    x, y = land.square(30).centroid.coords[0]
    page = atlas(reader, f"view=10/{y}/{x}")
    page.locator("#map canvas").click()
    expect(card(page).locator("h2")).to_have_text(name_of(30))
    row = card(page).get_by_role("row", name="Médiane niveau vie").first
    expect(row).to_contain_text("18\u202f000 € a year")
    page.reload()
    expect(card(page).locator("h2")).to_have_text(name_of(30))


def test_a_click_on_a_sector_shows_where_it_leads(reader: Reader) -> None:
    x, y = land.square(6).centroid.coords[0]
    page = atlas(reader, f"with=secteurs&view=10/{y}/{x}")
    page.locator("#map canvas").click()
    expect(card(page).locator("h2")).to_have_text(name_of(6))
    expect(card(page).locator(".sectors")).to_contain_text("Zone 21, « Zone 21 », toute la commune")
    expect(card(page).locator(".sectors .school")).to_have_text("LYCEE DES LILAS, Œuf-sur-Évre 5")


def test_search_finds_a_school_and_opens_its_card(reader: Reader) -> None:
    page = atlas(reader, language="en")
    page.get_by_label("Lycée, collège, commune").fill("lycee lilas")
    page.locator("#results button").first.click()
    expect(card(page).locator("h2")).to_have_text("LYCEE DES LILAS")
    expect(card(page)).to_contain_text("Mathématiques, Physique-chimie")
    card(page).locator("summary", has_text="aggregated_data_lycees_2024").click()
    link = card(page).get_by_role("link", name="Taux réussite toutes séries", exact=True)
    assert link.get_attribute("href") == "table/aggregated_data_lycees_2024.html#taux_reussite_toutes_series"


def test_an_address_shows_its_lycees_with_the_evidence(reader: Reader) -> None:
    page = atlas(reader)
    page.get_by_label("Lycée, collège, commune").fill(f"8 r des lilas, {name_of(5)}")
    page.get_by_role("button", name="8 RUE DES LILAS").click()
    expect(card(page).locator("h2")).to_have_text("8 RUE DES LILAS")
    schools = card(page).locator(".sectors").first.locator(".school")
    expect(schools).to_have_text(["LYCEE FOCH, Œuf-sur-Évre 5", "LYCEE DES LILAS, Œuf-sur-Évre 5"])
    expect(card(page)).to_contain_text("Segment 11, « RUE DES LILAS », du n° 2 au n° 98, numéros pairs")
    card(page).get_by_role("link", name="Segment 11").first.click()
    expect(page.locator('[data-part="status"]')).to_contain_text("sur 1 ")


def test_sectors_are_those_of_the_database(reader: Reader, site: Path, published: Database) -> None:
    asked = [(land.WITH_STREETS, *address) for address in land.ADDRESSES] + [(land.WHOLE, "RUE DES LILAS", 3)]
    with published.connect() as connection:
        query = "SELECT array_agg(uai ORDER BY rang) FROM lycees_de_secteur(%s, %s, %s)"
        expected = [connection.execute(query, address).fetchall()[0][0] for address in asked]
    page = atlas(reader)
    script = """async asked => {
        const find = await import(new URL('../assets/atlas-find.mjs', location))
        const read = path => fetch(new URL(`../data/atlas/${path}`, location)).then(answer => answer.json())
        const [zones, vocabulary] = [await read('zones/01.json'), await read('streets/vocabulary.json')]
        const files = {'01105': await read('streets/01105.json')}
        return asked.map(([commune, street, number]) => {
            const key = find.streetWords(vocabulary, street).join(' ')
            const { lycees } = find.sectorsOf(files[commune] ?? null, zones, commune, key, number)
            return lycees.length ? lycees.flatMap(row => row.lycees) : null
        })
    }"""
    assert page.evaluate(script, asked) == expected
    assert len({str(lycees) for lycees in expected}) >= 4


def test_the_map_is_usable_by_keyboard(reader: Reader) -> None:
    page = atlas(reader)
    page.get_by_label("Lycée, collège, commune").focus()
    page.keyboard.type(name_of(44))
    page.locator("#results button").first.wait_for()
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    expect(card(page).locator("h2")).to_have_text(name_of(44))
    before = page.url
    page.locator("#map canvas").focus()
    page.keyboard.press("ArrowRight")
    page.wait_for_function("before => location.href !== before", arg=before)


def test_every_example_has_an_answer(reader: Reader) -> None:
    page = reader.open("en/ask.html")
    assert not page.evaluate("performance.getEntriesByType('resource').some(one => /wasm|[.]duckdb/.test(one.name))")
    expect(page.locator("#load")).to_contain_text("MB")
    page.locator("#load").click()
    for example in ask.examples():
        page.locator("#run:not([disabled])").wait_for()
        page.get_by_role("button", name=example.titles["en"]).click()
        expect(page.locator("#status")).to_contain_text(" rows in ")


def test_sql_in_the_page_has_exact_values_and_a_csv(reader: Reader, tmp_path: Path) -> None:
    page = loaded(reader)
    answer(page, "SELECT code_commune, surface_km2 FROM commune_boundaries WHERE surface_km2 > 80 ORDER BY 1 LIMIT 1")
    assert page.locator("#answer tbody td").all_inner_texts() == ["01001", "85.1"]
    answer(page, "SELECT code_commune, codes_postaux, latitude FROM info_communes ORDER BY 1 LIMIT 2")
    with page.expect_download() as downloading:
        page.get_by_role("button", name="CSV").click()
    downloading.value.save_as(tmp_path / "answer.csv")
    text = (tmp_path / "answer.csv").read_text(encoding="utf-8")
    assert text == 'code_commune,codes_postaux,latitude\n01001,"[""01000"",""AD500""]",46.1\n01002,[],\n'


def test_errors_are_explained_and_nothing_is_fetched(reader: Reader) -> None:
    page = loaded(reader)
    for sql, words in {
        "SELECT * FRO x": "not correct SQL",
        "FROM no_such_table": "no table or function of that name",
        "SELECT no_such_column FROM departements": "no column of that name",
        "FROM read_csv('https://example.org/a.csv')": "its own tables only",
        "SELECT json_extract(results, '$.x') FROM lycee_context_cache": "an extension of DuckDB",
    }.items():
        page.locator("#sql").fill(sql)
        page.locator("#run").click()
        expect(page.get_by_role("alert")).to_contain_text(words)


def loaded(reader: Reader) -> Page:
    """The page for SQL when DuckDB is loaded."""
    page = reader.page
    if "en/ask.html" not in page.url or page.locator("#offer").is_visible():
        reader.open("en/ask.html")
        page.locator("#load").click()
    page.locator("#run:not([disabled])").wait_for()
    return page


def answer(page: Page, sql: str) -> None:
    page.locator("#sql").fill(sql)
    page.locator("#run").click()
    expect(page.locator("#status")).to_contain_text(" rows in ")


@pytest.mark.parametrize("path", ["atlas.html", "ask.html"])
def test_axe_finds_nothing_serious_on_it(reader: Reader, packages: Path, path: str) -> None:
    page = atlas(reader, f"place=lycees/{land.NEAR}") if path == "atlas.html" else reader.open(f"fr/{path}")
    page.add_script_tag(path=packages / "node_modules" / "axe-core" / "axe.min.js")
    found = page.evaluate("axe.run().then(found => found.violations)")
    serious = [violation for violation in found if violation["impact"] in ("serious", "critical")]
    assert [(violation["id"], [node["html"] for node in violation["nodes"]][:3]) for violation in serious] == []


def test_map_and_sql_fit_a_narrow_window(reader: Reader) -> None:
    reader.page.set_viewport_size({"width": 320, "height": 700})
    for page in (atlas(reader, f"place=lycees/{land.NEAR}"), reader.open("fr/ask.html")):
        assert page.evaluate("document.documentElement.scrollWidth") <= 320
    reader.page.set_viewport_size({"width": 1500, "height": 1000})
