"""Where the site goes: made in a folder next to it, and put into its place when it is whole.

Belongs here: the temporary folder, and the exchange. Does not belong here: what is in it.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from edu_pipeline.errors import SettingInvalid, SiteFailed

MARK = "edu-pipeline-site.json"
"""A file that every site has: only a folder with it is replaced."""


@contextmanager
def replacing(target: Path) -> Iterator[Path]:
    """An empty folder, which takes the place of ``target`` at the end of the block; after a failure that is as it was.

    Raises:
        SettingInvalid: ``target`` is something else than a site or an empty folder.
        SiteFailed: the folder cannot be written, or a disk is full.
    """
    if target.exists() and not (target.is_dir() and ((target / MARK).exists() or not any(target.iterdir()))):
        raise SettingInvalid(
            "--to",
            f"expected a folder with an earlier site, an empty one or none, found something else in {target}.",
            "Name another folder: the site takes the place of all that is in it.",
        )
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=".edu-site-", dir=target.parent) as temporary:
            made, old = Path(temporary) / "new", Path(temporary) / "old"
            made.mkdir()
            yield made
            if target.exists():
                target.rename(old)
            made.rename(target)
    except OSError as error:
        raise SiteFailed(
            f"site in {target}",
            f"expected a folder with room for the files, found: {error}.",
            "An earlier site was left as it was. Fix that, or name another folder with --to; then build again.",
        ) from error
