"""The site as a reader has it: in Chromium, below a path, from a server that knows nothing but files."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from edu_pipeline_tests.site.communes import COUNT, name_of
from edu_pipeline_tests.site.conftest import Reader

ROWS = "en/rows/info_communes.html"
PAGES = ("index.html", "sources.html", "lineage.html", "freshness.html", "tables.html", "table/info_communes.html")
TOTAL = COUNT + 3
ADDRESSES = "links => links.map(link => new URL(link.getAttribute('href'), location.href).href)"
MOST_BYTES = 300_000
"""Of everything that the first page loads."""


@pytest.fixture(autouse=True)
def nothing_goes_wrong(reader: Reader) -> object:
    """Every test ends without an error in the console, and without a request to anywhere else."""
    reader.problems.clear()
    yield
    assert reader.problems == []


def status(page: Page, text: str) -> None:
    expect(page.locator('[data-part="status"]')).to_contain_text(text)


def column(page: Page, number: int) -> list[str]:
    """The texts of a column of the rows that are shown."""
    return page.locator(f'[data-part="body"] td:nth-child({number})').all_inner_texts()


def test_the_first_page_speaks_the_readers_language(reader: Reader) -> None:
    page = reader.open("index.html")
    page.wait_for_url("**/en/index.html")
    expect(page.locator("h1")).to_have_text("Data dictionary")
    expect(page.get_by_label("About the data")).to_contain_text("Invented data")
    page.get_by_title("Français").click()
    page.wait_for_url("**/fr/index.html")
    expect(page.locator("html")).to_have_attribute("lang", "fr")
    expect(page.get_by_label("À propos des données")).to_contain_text("Données inventées")


def test_the_first_page_is_small(reader: Reader) -> None:
    page = reader.open("fr/index.html")
    page.wait_for_load_state("networkidle")
    sizes = page.evaluate("performance.getEntries().map(entry => entry.encodedBodySize ?? 0)")
    assert sum(size > 0 for size in sizes) > 3
    assert sum(sizes) < MOST_BYTES


def test_search_finds_columns_without_accents(reader: Reader) -> None:
    page = reader.open("fr/index.html")
    page.keyboard.press("/")
    page.keyboard.type("INDICE position SOCIAL ips_lyc")
    expect(page.locator(".results")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.locator(".results")).to_be_hidden()
    page.keyboard.press("ControlOrMeta+a")
    page.keyboard.type("departements")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    page.wait_for_url("**/fr/table/departements.html")


def test_every_link_leads_to_a_page_or_place(reader: Reader, site: Path) -> None:
    for path in PAGES:
        page = reader.open(f"en/{path}")
        for link in page.locator("a[href]").evaluate_all(ADDRESSES):
            address, _, place = link.partition("#")
            if "/below/a/path/" not in address:
                continue
            file = site / address.partition("/below/a/path/")[2]
            assert file.is_file(), link
            assert not place or f'id="{place}"' in file.read_text(encoding="utf-8"), link


def test_lineage_is_usable_by_keyboard(reader: Reader) -> None:
    page = reader.open("en/lineage.html")
    node = page.locator('.node[data-name="info_communes"]').first
    node.focus()
    expect(page.locator('.node[data-name="geo-api-communes"]')).to_have_class("node source marked")
    expect(page.locator(".graph svg").first).to_have_class("marking")
    page.keyboard.press("Enter")
    page.wait_for_url("**/en/table/info_communes.html")


def test_rows_are_paged_sorted_and_filtered(reader: Reader) -> None:
    page = reader.open(ROWS)
    status(page, f"Rows 1 to 50 of {TOTAL}")
    page.get_by_role("button", name="next").click()
    status(page, f"Rows 51 to 100 of {TOTAL}")
    page.get_by_role("button", name="nom_commune").click()
    status(page, "Rows 1 to 50")
    page.get_by_role("button", name="nom_commune").click()
    expect(page.locator("th[aria-sort]")).to_have_attribute("aria-sort", "descending")
    assert column(page, 2)[:2] == [name_of(99), name_of(98)]
    page.get_by_label("Value").fill("OEUF SUR EVRE 7")
    page.locator("[data-part=column]").select_option("nom_commune")
    page.get_by_role("button", name="Filter", exact=True).click()
    status(page, "of 11 ")
    assert column(page, 2) == [name_of(number) for number in (79, 78, 77, 76, 75, 74, 73, 72, 71, 70, 7)]
    page.get_by_role("button", name="Remove the filter").click()
    status(page, f"of {TOTAL} ")


def test_an_address_says_what_is_shown(reader: Reader) -> None:
    shown = "columns=code_commune,population&filter=population~least~11000&sort=-population"
    page = reader.open(f"{ROWS}#{shown}")
    status(page, "of 10 ")
    assert column(page, 2) == [str(100 * number) for number in range(119, 109, -1)]
    page = reader.open(f"{ROWS}#columns=code_commune,population&filter=population~null~")
    status(page, "of 4 ")
    page = reader.open(f"{ROWS}#filter=population~is~many")
    status(page, "That failed")


def test_filtered_rows_are_downloaded_as_csv(reader: Reader, tmp_path: Path) -> None:
    page = reader.open("en/rows/pcs_libelle.html#columns=code_pcs,libelle,code_parent&filter=code_pcs~contains~01")
    status(page, "of 5 ")
    with page.expect_download() as downloading:
        page.get_by_role("button", name="Download").click()
    downloading.value.save_as(tmp_path / "rows.csv")
    with (tmp_path / "rows.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["code_pcs"] for row in rows] == ["010", "011", "01A", "01Z", "01a"]
    assert {row["libelle"] for row in rows} == {'a "quoted" text, with a comma,\na second line, É, 🏫, \\. and \\N'}
    assert [row["code_parent"] for row in rows] == ["", "010", "010", "", "010"]


def test_values_of_every_kind_are_shown_as_they_are(reader: Reader) -> None:
    page = reader.open("en/rows/criminalite_2024.html#columns=code_commune,taux_pour_mille,codes_anciens")
    status(page, "of 6 ")
    assert column(page, 2) == ["", "1.2345678"] * 3
    assert column(page, 3)[0] == '["a,b","c\\"d","\\\\","é"]'
    page = reader.open("en/rows/annuaire_education.html#columns=uai,ulis,date_ouverture&filter=uai~contains~00100")
    status(page, "of 3 ")
    assert column(page, 2) == ["true", "", "false"]
    assert column(page, 3) == ["1850-02-03", "", "2026-09-01"]


def test_shapes_are_shown_as_geojson_when_asked_for(reader: Reader) -> None:
    page = reader.open("en/rows/commune_boundaries.html")
    status(page, f"of {COUNT + 2} ")
    expect(page.locator('[data-part="head"]')).not_to_contain_text("geometry")
    page = reader.open("en/rows/commune_boundaries.html#columns=code_commune,geometry")
    expect(page.locator('[data-part="body"] td:nth-child(2)').first).to_contain_text('{"type":"MultiPolygon"')


def test_an_empty_table_says_so(reader: Reader) -> None:
    status(reader.open("en/rows/ips_score.html"), "No rows.")
    status(reader.open("en/rows/ips_score.html#sort=score&filter=score~known~"), "No rows.")


@pytest.mark.parametrize("path", [*PAGES, "rows/info_communes.html"])
def test_axe_finds_nothing_serious(reader: Reader, packages: Path, path: str) -> None:
    page = reader.open(f"fr/{path}")
    if path.startswith("rows/"):
        status(page, "sur")
    page.locator("details").evaluate_all("all => all.forEach(one => { one.open = true })")
    page.add_script_tag(path=packages / "node_modules" / "axe-core" / "axe.min.js")
    found = page.evaluate("axe.run().then(found => found.violations)")
    serious = [violation for violation in found if violation["impact"] in ("serious", "critical")]
    assert [(violation["id"], [node["html"] for node in violation["nodes"]][:3]) for violation in serious] == []


def test_pages_fit_a_narrow_window(reader: Reader) -> None:
    reader.page.set_viewport_size({"width": 320, "height": 700})
    for path in (*PAGES, "rows/info_communes.html"):
        page = reader.open(f"fr/{path}")
        assert page.evaluate("document.documentElement.scrollWidth") <= 320, path
    reader.page.set_viewport_size({"width": 1500, "height": 1000})
