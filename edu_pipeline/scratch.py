"""A folder for temporary files, removed at the end; one that is full is a failure with a text.

Belongs here: nothing else. Does not belong here: what is written to it.
"""

from __future__ import annotations

import errno
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from edu_pipeline.errors import DiskFull

NO_SPACE = {errno.ENOSPC, errno.EDQUOT}


@contextmanager
def scratch_folder(prefix: str) -> Iterator[Path]:
    """A new folder in that of TMPDIR.

    Raises:
        DiskFull: there is no space for what is written to it, or for the folder.
    """
    try:
        with tempfile.TemporaryDirectory(prefix=prefix) as folder:
            yield Path(folder)
    except OSError as error:
        if error.errno not in NO_SPACE:
            raise
        raise DiskFull(
            tempfile.gettempdir(),
            f"expected space for temporary files, found: {error}.",
            "Free some, or set TMPDIR to a folder with more; then run the same command again.",
        ) from error
