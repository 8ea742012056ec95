"""What every page of the site is made with: the data's descriptions, the languages, the templates.

Belongs here: writing a page in every language, and addresses from one page to another. Does not belong here: what is
on a page.

Every address in a page is relative to it, so that the site works below any path.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined

from edu_pipeline.export.description import Collection
from edu_pipeline.export.files import ExportedFile
from edu_pipeline.site.drawing import bars, line
from edu_pipeline.site.texts import LANGUAGES, number, size, text
from edu_pipeline.site.values import breakable, cell, figure, marked

DATA, ASSETS = "data", "assets"
"""Folders of the site that the pages of all languages share."""

NAVIGATION = {
    "dictionary": "index.html",
    "lineage": "lineage.html",
    "freshness": "freshness.html",
    "tables": "tables.html",
    "atlas": "atlas.html",
    "ask": "ask.html",
}
"""The parts of the site, each with its first page, as all pages show them."""


@dataclass(frozen=True)
class Site:
    """The site that is being made.

    Attributes:
        folder: where its files are written.
        files: the Parquet file of each table and view, in ``DATA``.
    """

    folder: Path
    collection: Collection
    files: Mapping[str, ExportedFile]

    @cached_property
    def environment(self) -> Environment:
        """The templates; a name that they lack is an error."""
        environment = Environment(
            loader=PackageLoader("edu_pipeline.site"),
            autoescape=True,
            trim_blocks=True,
            lstrip_blocks=True,
            undefined=StrictUndefined,
        )
        environment.globals |= {
            "bars": bars,
            "breakable": breakable,
            "cell": cell,
            "collection": self.collection,
            "languages": LANGUAGES,
            "line": line,
            "marked": marked,
            "navigation": NAVIGATION,
        }
        return environment

    def page(self, path: str, template: str, part: str, **values: Any) -> None:
        """Write a page in every language.

        Args:
            path: of the page within the folder of a language, e.g. ``table/ips_lycees.html``.
            part: the entry of ``NAVIGATION`` that it belongs to.
            values: what the template shows. Besides, it has ``language``; ``t(name, **values)``, a text; ``number``,
                ``size`` and ``figure``; and addresses: ``to(path)`` of a page in the same language, ``shared(path)`` of
                a file that all languages share, ``in_language(language)`` of the same page in another one.
        """
        root = "../" * (path.count("/") + 1)
        for language in LANGUAGES:
            page = self.environment.get_template(template).render(
                language=language,
                part=part,
                t=partial(text, language),
                number=partial(number, language),
                size=partial(size, language),
                figure=partial(figure, language),
                to=lambda target, language=language: f"{root}{language}/{target}",
                shared=lambda target: f"{root}{target}",
                in_language=lambda other: f"{root}{other}/{path}",
                **values,
            )
            self.write(f"{language}/{path}", page)

    def write(self, path: str, content: str) -> None:
        """Write a text file at ``path`` below the site's folder."""
        target = self.folder / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(content, encoding="utf-8")
