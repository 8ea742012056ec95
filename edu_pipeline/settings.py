"""The settings: one class, read from the environment (``EDU_...``) or a file, by the command line and by Dagster alike.

Belongs here: names, defaults and validation of settings. Does not belong here: opening what they name.
"""

from __future__ import annotations

import os
import re
from functools import lru_cache
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit

import psycopg
from fsspec import get_filesystem_class
from psycopg.conninfo import conninfo_to_dict
from pydantic import Field, SecretStr, ValidationError, ValidationInfo, field_validator
from pydantic_core import ErrorDetails
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

    model_config = SettingsConfigDict(
        env_prefix="EDU_", extra="ignore", populate_by_name=True, hide_input_in_errors=True
    )

    home: Path = Field(
        default_factory=home, description="Folder of edu_pipeline.env and of `.local/`, the private state."
    )
    database_url: SecretStr | None = Field(
        None, description="Target database, postgresql://...; unset: the private cluster."
    )
    target_schema: str = Field("educational_data", validation_alias="EDU_SCHEMA", description="Schema of the tables.")
    archive: str | None = Field(
        None, description="Folder or bucket (a universal-pathlib URL) of the releases; unset: `.local/archive`."
    )
    upstream: str | None = Field(
        None,
        description="Replaces the publishers: a stand-in directory `<source>/<file>`, or the URL of a mirror.",
    )
    dagster_url: SecretStr | None = Field(
        None, description="Dagster's storage, postgresql://...; unset: schema `dagster` of the target database."
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
    wait_minutes: float = Field(60, gt=0, description="Minutes that a run waits for another one to end.")
    keep_loads: int = Field(5, ge=1, description="`prune` keeps the releases of each table's last so many loads.")
    keep_days: int = Field(90, ge=1, description="`prune` keeps what `--as-of` needs for any of the last so many days.")
    keep_as_of: str = Field("", description="Days, separated by commas, for which `--as-of` is promised for ever.")
    keep_refused_days: int = Field(90, ge=1, description="Days for which `prune` keeps refused rows and failed loads.")
    keep_run_days: int = Field(30, ge=1, description="Days for which `prune` keeps Dagster's runs and events.")
    alert_webhook: SecretStr | None = Field(None, description="Slack-compatible URL to post alerts to; a secret.")
    alert_urls: SecretStr | None = Field(
        None, description="URLs of apprise to send alerts to (mail, Teams, Matrix, ...), separated by spaces; secrets."
    )
    alert_config: Path | None = Field(None, description="Configuration file of apprise with more of them, with tags.")
    alert_tag: str | None = Field(None, description="Tag of the services to alert; unset: all of them.")
    ui_url: str | None = Field(None, description="Address under which people open the Dagster UI.")

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

    @field_validator("database_url", "dagster_url")
    @classmethod
    def _of_postgresql(cls, value: SecretStr | None, field: ValidationInfo) -> SecretStr | None:
        """Parsed here once, and refused without the value: whatever parses it later would show a password."""
        if value is None or not value.get_secret_value():
            return None
        url = value.get_secret_value().replace("postgresql+psycopg2://", "postgresql://", 1)
        if not _is_url_of_postgresql(url):
            raise SettingInvalid(
                f"EDU_{str(field.field_name).upper()}",
                "expected postgresql://USER@HOST:PORT/NAME, found another form (not shown: it may contain a password).",
                "Correct it. Percent-encode special characters (% is %25, / is %2F, @ is %40), or keep the password in "
                "the file that PGPASSFILE names.",
            )
        return SecretStr(url)

    @field_validator("archive")
    @classmethod
    def _reachable(cls, value: str | None) -> str | None:
        protocol, separator, _ = (value or "").partition("://")
        if separator:
            try:
                get_filesystem_class(protocol)
            except (ImportError, ValueError) as error:
                raise SettingInvalid(
                    "EDU_ARCHIVE",
                    f"expected a folder, or a URL whose kind can be read here, found {protocol}://: {error}.",
                    "Install the package that the text names (s3:// is the extra edu_pipeline[s3]), or use a folder.",
                ) from error
        return value or None

    @field_validator("ui_url")
    @classmethod
    def _address(cls, value: str | None) -> str | None:
        if value and not re.fullmatch(r"https?://[^/?#@\s]+/?[^?#\s]*", value):
            raise SettingInvalid(
                "EDU_UI_URL",
                f"expected an address such as https://dagster.example.org, found {value!r}.",
                "Correct or unset it.",
            )
        return value or None

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
        SettingInvalid: a value cannot be used; the text names the variable, and shows no secret.
    """
    folder = home()
    try:
        return Settings(_env_file=folder / FILE, home=folder)
    except ValidationError as error:
        raise _invalid(error.errors(include_url=False)[0]) from None


def _invalid(error: ErrorDetails) -> SettingInvalid:
    """Pydantic's own errors: a number that is none or too small, a word that is not one of those allowed."""
    name = str(error["loc"][0])
    variable = name if name.startswith("EDU_") else f"EDU_{name.upper()}"
    expected = error["msg"].removeprefix("Input should be ").partition(", unable")[0]
    return SettingInvalid(variable, f"expected {expected}, found {error['input']!r}.", "Correct or unset it.")


def _is_url_of_postgresql(url: str) -> bool:
    """Whether libpq and urllib both read it, and in the same way.

    Unencoded, a / in a password ends the host there and the rest becomes the name of the database; # and ? end it for
    urllib only; of several @ the two take different ones.
    """
    try:
        parts, found = urlsplit(url), conninfo_to_dict(url)
    except (psycopg.Error, ValueError):
        return False
    return (
        parts.scheme in ("postgresql", "postgres")
        and "#" not in url
        and "@" not in parts.query
        and parts.netloc.count("@") <= 1
        and not set("@/") & set(str(found.get("dbname", "")))
        and all(not port or port.isdecimal() for port in str(found.get("port", "")).split(","))
    )
