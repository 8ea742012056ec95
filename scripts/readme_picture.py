"""Takes docs/picture.png: the map of the site about the target database, with the invented data of `make demo`.
`make picture`.

Belongs here: what the picture shows. Does not belong here: the map itself (``edu_pipeline/site/atlas``).
"""

from __future__ import annotations

import io
import json
import shutil
import sys
import tempfile
import threading
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from PIL import Image
from playwright.sync_api import sync_playwright

from edu_pipeline.database.connection import target
from edu_pipeline.settings import PROJECT, settings
from edu_pipeline.site.build import build
from edu_pipeline.sources.archive import Archive

PICTURE = PROJECT / "docs" / "picture.png"
DEPARTEMENT = "31"
WIDTH, HEIGHT = 1180, 960

STYLE = "#map { height: 33rem } #hint, #explanation { display: none }"
"""Room for the card below the map."""

COLOURS = 255
"""Of the picture, so that it is small."""


class Quiet(SimpleHTTPRequestHandler):
    """A server of files that writes no log."""

    def log_message(self, *_: object) -> None:
        """Nothing."""


def state(site: Path) -> str:
    """What the map shows: incomes of the communes, sectors and lycées of a département, and the card of a lycée."""
    folder = site / "data" / "atlas"
    lycees, departements = (
        json.loads((folder / layer / "places.json").read_text(encoding="utf-8")) for layer in ("lycees", "departements")
    )
    lycee, departement = lycees["dep"].index(DEPARTEMENT), departements["code"].index(DEPARTEMENT)
    view = f"9.2/{departements['y'][departement]}/{departements['x'][departement]}"
    return f"place=lycees/{lycees['code'][lycee]}&with=lycees+secteurs&view={view}"


def screenshot(site: Path) -> bytes:
    """The map with what stands beside and below it, in French."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(site)))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": WIDTH, "height": HEIGHT})
        page.goto(f"http://127.0.0.1:{server.server_port}/fr/atlas.html#{state(site)}")
        page.add_style_tag(content=STYLE)
        page.locator("#map[data-ready]").wait_for(timeout=60_000)
        page.locator("#card h2").wait_for()
        page.evaluate("document.activeElement.blur(); scrollTo(0, document.querySelector('h1').offsetTop - 20)")
        taken = page.screenshot()
        browser.close()
    server.shutdown()
    return taken


def main() -> None:
    """Take the picture."""
    known = settings()
    with tempfile.TemporaryDirectory() as folder:
        site = Path(folder) / "site"
        built = build(target(known), Archive(known.archive_root), site, known.local / "javascript")
        if not built.collection.invented:
            sys.exit("expected a database with the sample publisher's invented data, found another. Run `make demo`.")
        taken = Image.open(io.BytesIO(screenshot(site))).convert("RGB")
    taken.quantize(COLOURS).save(PICTURE, optimize=True)
    print(f"{PICTURE.name}: {PICTURE.stat().st_size:,} bytes")


if __name__ == "__main__":
    main()
