"""The map page.

Belongs here: what its template shows. Does not belong here: the data that it reads (``files.py``).
"""

from __future__ import annotations

from concurrent.futures import Future

from loky.process_executor import TerminatedWorkerError

from edu_pipeline.errors import ProcessKilled
from edu_pipeline.site.atlas.figures import the_table
from edu_pipeline.site.context import Site
from edu_pipeline.site.texts import script_texts

LAYERS = ("communes", "lycees", "colleges", "departements")
"""What can be coloured, in the order in which the page offers it."""


def page(site: Site, communes: Future[int]) -> None:
    """Write the page, when its files are there.

    Args:
        communes: what ``files.write`` returns in another process: in how many an address can be found.

    Raises:
        ProcessKilled: that process was killed.
    """
    try:
        count = communes.result()
    except TerminatedWorkerError as error:
        raise ProcessKilled(
            "the map of the site",
            "expected the process that makes its files to finish, found that it was killed, most often by the system "
            "because memory ran out.",
            "Check the system's log, give the machine or the container more memory, and build the site again.",
        ) from error
    shapes = [the_table(site.collection, name) for name in ("commune_boundaries", "sectorisation_zones")]
    credits = dict.fromkeys(origin.citation for table in shapes for origin in table.provenance.origins)
    told = {"layers": LAYERS, "communes": count, "credits": list(credits), "script_texts": script_texts}
    site.page("atlas.html", "atlas.html", "atlas", **told)
