"""The command line ``edu-pipeline sample``: make the sample, serve it, publish new releases of it.

Belongs here: arguments, and what is printed. Does not belong here: any of the work. What imports polars is imported
by the command that needs it, as in `cli.py`.
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

sample = typer.Typer(no_args_is_help=True, help="Invented data in the publishers' forms, and a server that plays them.")


class Size(StrEnum):
    """How large the invented country is."""

    sample = "sample"
    national = "national"


ScaleOption = Annotated[Size, typer.Option("--scale", help="A few départements, or the whole country.")]
FolderOption = Annotated[Path | None, typer.Option("--folder", help="Where it is; unset: .local/sample/<scale>.")]


@sample.command("make")
def make(scale: ScaleOption = Size.sample, folder: FolderOption = None) -> None:
    """Write the sample directory; what is there already from the same code stays. Prints sizes and seconds."""
    from edu_pipeline.sample.shelf import make as write

    began = time.monotonic()
    target = _folder(scale, folder)
    shelf = write(target, scale.value)
    total = 0
    for source in shelf.sources():
        holding = shelf.holding(source)
        for name, path in holding.files.items() if holding else ():
            size = path.stat().st_size
            total += size
            print(f"{size:>13,}  {source}/{name}")
    print(f"{total:>13,}  bytes in {target}, in {time.monotonic() - began:.1f} s. All of it is invented.")


@sample.command("serve")
def serve(
    scale: ScaleOption = Size.sample,
    folder: FolderOption = None,
    port: Annotated[int, typer.Option(help="Port on 127.0.0.1; 0: any free one.")] = 0,
    quota: Annotated[int | None, typer.Option(help="Calls per day that each Opendatasoft portal allows.")] = None,
    in_background: Annotated[
        bool, typer.Option("--background", help="Leave it running; `sample stop` ends it.")
    ] = False,
) -> None:
    """Make the sample if need be, serve it, and print the URL, which is the value for EDU_UPSTREAM."""
    from edu_pipeline.sample.shelf import make as write

    target = _folder(scale, folder)
    shelf = write(target, scale.value)
    if in_background:
        print(background.start(_home(), target, scale.value, port, quota).url)
        return
    from edu_pipeline.sample.server import serve as run

    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    run(shelf, port, quota)


@sample.command("publish")
def publish(
    source: Annotated[str, typer.Argument(help="Id of the source in the catalogue.")],
    url: Annotated[str | None, typer.Option(help="Of the server; unset: the one in the background.")] = None,
) -> None:
    """Make a running server publish a new release of a source."""
    said = background.publish(url or _running().url, source)
    print(f"{said['source']}: release {said['release']} of {said['published_at']}")


@sample.command("stop")
def stop() -> None:
    """End the server in the background."""
    found = background.stop(_home())
    print(f"stopped {found.url}" if found else "no server was running")


@sample.command("url")
def url() -> None:
    """Print the URL of the server in the background."""
    print(_running().url)


def _home() -> Path:
    return settings().local / "sample"


def _folder(scale: Size, folder: Path | None) -> Path:
    return folder or _home() / scale.value


def _running() -> background.Running:
    found = background.running(_home())
    if found is None:
        raise background.SampleServerFailed(
            "sample",
            "expected a server in the background; none is running.",
            "Start one: edu-pipeline sample serve --background.",
        )
    return found
