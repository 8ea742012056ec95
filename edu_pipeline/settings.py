"""The settings: one class, read from the environment (``EDU_...``) or a file, by the command line and by Dagster alike.

Belongs here: names, defaults and validation of settings. Does not belong here: opening what they name.
"""

from __future__ import annotations

import os
import re
from functools import lru_cache
from pathlib import Path
from typing import Literal

from pydantic import Field, SecretStr, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict
from upath import UPath

from edu_pipeline.errors import SettingInvalid

PROJECT = Path(__file__).resolve().parent.parent
"""The checkout; if the package is installed without one, the folder that contains it."""

FILE = "edu_pipeline.env"
"""Name of the settings file. Not ``.env``, because Dagster lets a file of that name override the environment."""

RESERVED_SCHEMAS = {"public", "user_mgmt", "analytics", "edu_pipeline", "dagster", "postgis", "information_schema"}


def home() -> Path:
    """The folder of the settings file and of `.local/`: EDU_HOME, else the checkout, else the current folder."""
    return Path(os.environ.get("EDU_HOME") or (PROJECT if (PROJECT / "pyproject.toml").exists() else Path.cwd()))


class Settings(BaseSettings):
    """What an operator can set. Field ``x`` is the variable ``EDU_X``; only ``target_schema`` is ``EDU_SCHEMA``."""

    model_config = SettingsConfigDict(env_prefix="EDU_", extra="ignore", populate_by_name=True)

    home: Path = Field(
        default_factory=home, description="Folder of edu_pipeline.env and of `.local/`, the private state."
    )
    database_url: str | None = Field(None, description="Target database, postgresql://...; unset: the private cluster.")
    target_schema: str = Field("educational_data", validation_alias="EDU_SCHEMA", description="Schema of the tables.")
    archive: str | None = Field(
        None, description="Folder or bucket (a universal-pathlib URL) of the releases; unset: `.local/archive`."
    )
    upstream: str | None = Field(
        None,
        description="Replaces the publishers: a stand-in directory `<source>/<file>`, or the URL of a mirror.",
    )
    dagster_url: str | None = Field(
        None,
        description="Dagster's storage, postgresql+psycopg2://...; unset: schema `dagster` of the target database.",
    )
    executor: Literal["in_process", "multiprocess", "dask", "celery"] = Field(
        "in_process", description="Dagster executor of all jobs."
    )
    steps_at_once: int = Field(
        2, ge=1, description="Steps that `in_process` and the command line run at the same time, in threads."
    )
    exports: str | None = Field(
        None,
        description="Folder or bucket to which every run exports what readers see, as Parquet; unset: no exports.",
    )
    probe_seconds: int = Field(600, ge=5, description="Seconds between two checks for new releases.")
    alert_webhook: SecretStr | None = Field(None, description="Slack-compatible URL to post alerts to; a secret.")
    ui_url: str | None = Field(None, description="Address of the Dagster UI, for the links in alerts.")

    @field_validator("target_schema")
    @classmethod
    def _identifier(cls, value: str) -> str:
        if not re.fullmatch(r"[a-z_][a-z0-9_]{0,49}", value) or value in RESERVED_SCHEMAS or value.startswith("pg_"):
            raise SettingInvalid(
                "EDU_SCHEMA",
                f"expected a lower-case identifier of at most 50 characters (letters, digits, _), not one of "
                f"{', '.join(sorted(RESERVED_SCHEMAS))} and not beginning with pg_, found {value!r}.",
                "Choose another schema name, e.g. educational_data.",
            )
        return value

    @field_validator("upstream")
    @classmethod
    def _exists(cls, value: str | None) -> str | None:
        if not value:
            return None
        if not value.startswith(("http://", "https://")) and not Path(value).is_dir():
            raise SettingInvalid(
                "EDU_UPSTREAM",
                f"expected an existing directory <source>/<file> or the URL of a mirror, found {value!r}.",
                "Name an existing directory, or unset EDU_UPSTREAM to use the real publishers.",
            )
        return value

    @property
    def local(self) -> Path:
        """The folder of the private state: cluster, archive, Dagster's files."""
        return self.home / ".local"

    @property
    def archive_root(self) -> UPath:
        """Root of the release archive."""
        return UPath(self.archive) if self.archive else UPath(self.local / "archive")


@lru_cache(maxsize=1)
def settings() -> Settings:
    """The settings of this process: from the environment, then from the settings file.

    Raises:
        SettingInvalid: a value cannot be used; the text names the variable.
    """
    folder = home()
    return Settings(_env_file=folder / FILE, home=folder)
