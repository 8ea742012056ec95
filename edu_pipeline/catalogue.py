"""The catalogue of upstream datasets: ``catalogue.toml``, typed and validated.

Belongs here: what describes a source and its files, and how a transform's parameter names them. Does not belong here:
the entries themselves (``catalogue.toml``), anything that opens a connection or an upstream file (``sources``).
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterator
from functools import lru_cache
from importlib import resources
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from edu_pipeline.normalise import slug

Cadence = Literal["continuous", "monthly", "quarterly", "yearly", "irregular"]
Format = Literal["csv", "parquet", "json", "geojson", "xlsx"]


class _Entry(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Opendatasoft(_Entry):
    """A dataset on an Opendatasoft portal, exported with its machine names through the Explore API v2.1.

    The file's ``format`` is that of the export.
    """

    portal: str
    dataset: str


class DataGouv(_Entry):
    """A resource of a data.gouv.fr dataset, identified by title and format because resource ids change."""

    dataset: str
    title: str = Field(description="regular expression that matches the resource's title")
    format: str


class Long(_Entry):
    """How a file is laid out that has a row for each figure (``long_form.py``)."""

    absent: Literal["zero", "unknown"] = Field(
        description="what it means that an area has no row for a figure that others have in the same period"
    )
    follow: tuple[str, ...] = Field((), description="dimensions whose code follows from that of another")
    codes: dict[str, str] = Field({}, description="patterns of the known codes of a dimension; others are reported")


class File(_Entry):
    """One file of a source: where it comes from and how it is read.

    Exactly one of ``url`` (``{year}`` in it stands for the newest year that the publisher has), ``opendatasoft``,
    ``datagouv``, ``arcgis`` and ``supplied`` says where it comes from.
    """

    source: str
    part: str
    format: Format
    name: str = Field(description="regular expression that matches the file's name in the folder EDU_UPSTREAM")
    exact_name: bool = Field(False, description="no file with the ending of another form is read in its place")
    url: str | None = None
    opendatasoft: Opendatasoft | None = None
    datagouv: DataGouv | None = None
    arcgis: str | None = Field(None, description="URL of a layer of an ArcGIS service; the whole layer is one file")
    supplied: bool = Field(False, description="supplied by an operator in the folder EDU_UPSTREAM")
    member: str | None = Field(None, description="regular expression that matches the member's name in a zip archive")
    encoding: Literal["utf-8", "windows-1252"] = "utf-8"
    delimiter: str | None = Field(None, description="field delimiter of a CSV file; unset: detected from the header")
    decimal: Literal[".", ","] = "."
    hidden: tuple[str, ...] = Field((), description="what the publisher writes in place of values it hides")
    sheet: str | None = None
    header_rows: int = Field(1, description="rows of the header; texts are joined, merged cells repeated")
    skip_rows: int = Field(0, description="rows above the header")
    vintage: str | None = Field(None, description="regular expression on the file's name; its group is the vintage")
    geography: int | str | None = Field(
        None,
        description="year (1 January) whose commune codes it uses, or regular expression on the file's name",
    )
    long: Long | None = Field(None, description="set if it has a row for each figure")
    optional: bool = Field(False, description="whether the tables load without it")
    max_bytes: int = Field(2 << 30, description="a download beyond this size is refused")
    max_unpacked_bytes: int = Field(1 << 30, description="a gzip file or zip archive that unpacks to more is refused")

    @model_validator(mode="after")
    def _one_origin(self) -> File:
        origins = [self.url, self.opendatasoft, self.datagouv, self.arcgis, self.supplied or None]
        if sum(origin is not None for origin in origins) != 1:
            raise ValueError(f"{self.source}: give exactly one of url, opendatasoft, datagouv, arcgis, supplied")
        return self

    @property
    def parameter(self) -> str:
        """Name of the transform's parameter that receives this file: ``source`` or ``source__part``."""
        return slug(self.source) + ("" if self.part == "main" else f"__{self.part}")


class Source(_Entry):
    """An upstream dataset: its publisher, licence and files, and how often it is updated."""

    id: str
    title: str
    publisher: str
    licence: str
    landing_page: str
    cadence: Cadence
    max_age_days: int = Field(description="the newest release is stale from this age on")
    note: str = ""
    files: dict[str, File]

    @property
    def slug(self) -> str:
        """The id with underscores: name of the raw asset and of a transform's parameter."""
        return slug(self.id)

    @property
    def optional(self) -> bool:
        """Whether the tables load without the whole source, as with editorial files."""
        return all(file.optional for file in self.files.values())


@lru_cache(maxsize=1)
def catalogue() -> dict[str, Source]:
    """Every source by its id, in the order of ``catalogue.toml``.

    Raises:
        pydantic.ValidationError: an entry is malformed; the message names it.
    """
    text = resources.files("edu_pipeline").joinpath("catalogue.toml").read_text(encoding="utf-8")
    sources = {}
    for identifier, entry in tomllib.loads(text).items():
        files = entry.pop("files", None) or {"main": entry.pop("file")}
        sources[identifier] = Source(
            id=identifier,
            files={
                part: File(source=identifier, part=part, **file)
                for name, listed in files.items()
                for part, file in _parts(name, listed)
            },
            **entry,
        )
    return sources


def _parts(name: str, file: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """The files that an entry describes: one, or one part for each of its ``departements``.

    Such a part is named after the département, whose code replaces ``{departement}`` in ``url`` and ``name``.
    """
    departements = file.pop("departements", None)
    if departements is None:
        yield name, file
        return
    for code in departements:
        yield code, file | {field: file[field].replace("{departement}", code) for field in ("url", "name")}


@lru_cache(maxsize=1)
def files_by_parameter() -> dict[str, File]:
    """Every file by the name of the transform's parameter that receives it."""
    return {file.parameter: file for source in catalogue().values() for file in source.files.values()}


@lru_cache(maxsize=1)
def sources_in_parts() -> dict[str, Source]:
    """Every source in parts (without a main file) by the name of the parameter that receives all its parts."""
    return {source.slug: source for source in catalogue().values() if "main" not in source.files}
