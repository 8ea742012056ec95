"""The command line ``edu-pipeline sample``: write the sample, serve it, publish new releases of it.

Belongs here: arguments, and what is printed. Does not belong here: any of the work (``edu_pipeline/sample``).
"""

from __future__ import annotations

import logging
import time
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from edu_pipeline.sample import background
from edu_pipeline.settings import settings

app = typer.Typer(
    no_args_is_help=True, help="The sample publisher.\n\nInvented data in the publishers' formats, and a local server."
)


class Size(StrEnum):
    """How large the invented country is."""

    sample = "sample"
    national = "national"


ScaleOption = Annotated[Size, typer.Option("--scale", help="A few départements, or the whole country.")]
FolderOption = Annotated[Path | None, typer.Option("--folder", help="Sample directory; unset: .local/sample/<scale>.")]


@app.command("make")
def make_command(scale: ScaleOption = Size.sample, folder: FolderOption = None) -> None:
    """Write the sample directory.

    Files that the same code has already written are kept. Prints sizes and seconds.
    """
    from edu_pipeline.sample import shelf

    started = time.monotonic()
    directory = _folder(scale, folder)
    contents = shelf.make(directory, scale.value)
    total = 0
    for source in contents.sources():
        holding = contents.holding(source)
        for name, path in holding.files.items() if holding else ():
            size = path.stat().st_size
            total += size
            print(f"{size:>13,}  {source}/{name}")
    print(f"{total:>13,}  bytes in {directory}, in {time.monotonic() - started:.1f} s. All of it is invented.")


@app.command("serve")
def serve_command(
    scale: ScaleOption = Size.sample,
    folder: FolderOption = None,
    port: Annotated[int, typer.Option(help="Port on 127.0.0.1; 0: any free port.")] = 0,
    quota: Annotated[int | None, typer.Option(help="Calls per day that each Opendatasoft portal allows.")] = None,
    in_background: Annotated[
        bool, typer.Option("--background", help="Keep it running after this command; `sample stop` ends it.")
    ] = False,
) -> None:
    """Serve the sample directory.

    Writes it first if necessary. Prints the server's URL, which is the value for EDU_UPSTREAM.
    """
    from edu_pipeline.sample import shelf

    directory = _folder(scale, folder)
    contents = shelf.make(directory, scale.value)
    if in_background:
        print(background.start(_home(), directory, scale.value, port, quota).url)
        return
    from edu_pipeline.sample import server

    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    server.serve(contents, port, quota)


@app.command("publish")
def publish_command(
    source: Annotated[str, typer.Argument(help="Id of a source in the catalogue.")],
    url: Annotated[str | None, typer.Option(help="URL of the server; unset: the one in the background.")] = None,
    rename: Annotated[list[str] | None, typer.Option(metavar="OLD=NEW", help="Rename a column.")] = None,
    drop: Annotated[list[str] | None, typer.Option(metavar="COLUMN", help="Leave a column out.")] = None,
    truncate: Annotated[bool, typer.Option("--truncate", help="End its files in the middle.")] = False,
    html: Annotated[bool, typer.Option("--html", help="Send an HTML page in place of its files.")] = False,
    status: Annotated[int | None, typer.Option(help="Answer everything about it with this HTTP status.")] = None,
    delay: Annotated[float, typer.Option(help="Seconds before every answer about it.")] = 0.0,
    licence: Annotated[str | None, typer.Option(help="Name this licence in its metadata.")] = None,
) -> None:
    """Publish a new release of a source.

    A running server does it, as the publisher would. With an option, something is wrong with the release: watch what
    `sources check`, `refresh` and the UI make of it. A plain `sample publish SOURCE` ends that.
    """
    from edu_pipeline.sample.misbehaviour import AS_EXPECTED, Misbehaviour

    renamed = dict(_pair(text) for text in rename or ())
    misbehaviour = Misbehaviour(renamed, tuple(drop or ()), truncate, html, status, delay, licence)
    release = background.publish(url or _running().url, source, misbehaviour.as_text)
    what = "" if misbehaviour == AS_EXPECTED else ", with which something is wrong"
    print(f"{release['source']}: release {release['release']} of {release['published_at']}{what}")


@app.command("pdf")
def pdf_command(
    output: Annotated[Path, typer.Option("--output", "-o", help="PDF to write.")],
    departement: Annotated[str, typer.Option(help="Code of a département with lycées.")] = "78",
) -> None:
    """Write a PDF of lycées' sectors.

    In the form of the académie de Versailles, for `sectors read-pdf`.
    """
    from edu_pipeline.sample import sector_pdf
    from edu_pipeline.sample.world import World

    listed = sector_pdf.entries(World(), departement)
    if not listed:
        raise typer.BadParameter(f"the sample has nothing in {departement!r}", param_hint="--departement")
    sector_pdf.write(listed, output, f"Lycées de secteur inventés, département {departement}")
    print(f"{output}: {len(listed)} streets. All of it is invented.")


@app.command("stop")
def stop_command() -> None:
    """Stop the server in the background."""
    server = background.stop(_home())
    print(f"stopped {server.url}" if server else "no server was running")


@app.command("url")
def url_command() -> None:
    """Print the URL of the server in the background."""
    print(_running().url)


def _pair(text: str) -> tuple[str, str]:
    """The old and the new name in ``OLD=NEW``."""
    old, _, new = text.partition("=")
    if not (old and new):
        raise typer.BadParameter(f"expected OLD=NEW, found {text!r}", param_hint="--rename")
    return old, new


def _home() -> Path:
    return settings().local / "sample"


def _folder(scale: Size, folder: Path | None) -> Path:
    return folder or _home() / scale.value


def _running() -> background.Running:
    server = background.running(_home())
    if server is None:
        raise background.SampleServerFailed(
            "sample",
            "expected a server in the background, found none running.",
            "Start one: edu-pipeline sample serve --background.",
        )
    return server
