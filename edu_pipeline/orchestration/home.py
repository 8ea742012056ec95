"""The folder that is Dagster's home, with its configuration.

Belongs here: nothing else. Does not belong here: what the configuration refers to (``instance.py``). Nothing here
imports Dagster, which takes seconds.
"""

from __future__ import annotations

import os
from pathlib import Path

from edu_pipeline.settings import Settings

CONFIGURATION = Path(__file__).with_name("dagster.yaml")


def home(settings: Settings) -> str:
    """The folder for DAGSTER_HOME: the environment's, otherwise ``.local/dagster`` with the package's dagster.yaml.

    A dagster.yaml that an operator has put there instead of the link is kept.
    """
    if "DAGSTER_HOME" in os.environ:
        return os.environ["DAGSTER_HOME"]
    folder = settings.local / "dagster"
    folder.mkdir(parents=True, exist_ok=True)
    link = folder / CONFIGURATION.name
    if link.is_symlink() or not link.exists():
        link.unlink(missing_ok=True)
        link.symlink_to(CONFIGURATION)
    return str(folder)
