"""Tables: the decorator that declares a transform to be a table, and the registry of all tables.

Belongs here: what a table is beyond its columns (layer, inputs, tolerances, storage), and finding the modules that
declare tables. Does not belong here: Dagster assets (``orchestration/table_assets.py``), loading (``loading/load.py``),
columns (``contracts.py``).
"""

from __future__ import annotations

import importlib
import inspect
import pkgutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from pathlib import Path
from typing import TypeVar

import polars as pl

from edu_pipeline.catalogue import File, Source, catalogue, files_by_parameter, sources_in_parts
from edu_pipeline.contracts import Contract, specs

RELEASE = "release"
"""The column that says which release a row is from, where a table reads all of them: 0 is the newest, 1 the one before.
"""

LAYERS = ("reference", "geographic", "socio_economic", "educational", "specialty", "sectorisation", "views")
"""The layers in the order in which data flows."""

Transform = TypeVar("Transform", bound=Callable[..., pl.LazyFrame])
Needs = Sequence[str]


@dataclass(frozen=True)
class Table:
    """A table: its contract, the transform that makes its rows, and how it is loaded.

    Attributes:
        contract: columns, key and rules.
        transform: a pure function of lazy frames. Each parameter is named after a file of a source
            (``File.parameter``) or another table; with the default None, the input may be missing (a table that was
            never loaded has no rows). A parameter named after a source in parts receives all the parts
            (``parts.Parts``).
        needs: by parameter, upstream columns that the transform uses beyond those of the contract; a name that begins
            with ``^`` is a regular expression that matches slugs. If given for another table, only these columns and
            those that the contract's columns come from are read.
        may_be_empty: slugs of the needed columns of which it is normal that no row of a file has a value.
        newest_by: among rows with the same key, the one with the greatest value in this column is kept; the others go
            to quarantine.
        max_refused: the load fails if a greater share of the rows is refused.
        max_unknown: the load fails if a greater share of the rows has an unknown reference.
        min_kept: the load fails if the rows are fewer than this share of the published ones.
        large: whether a large difference is published by exchanging the table's only partition.
        latest: by parameter that names another table, a column: only the rows with its greatest value are read.
        structures: slugs of the needed columns that are structures or lists, as in JSON, and not texts.
        all_releases: parameters that name a file and receive its rows in all releases of the archive up to the newest,
            with the column ``RELEASE``. A file without a change, and one that cannot be read any more, are left out.
    """

    contract: type[Contract]
    transform: Callable[..., pl.LazyFrame]
    needs: Mapping[str, Needs]
    newest_by: str | None
    max_refused: float
    max_unknown: float
    min_kept: float
    large: bool
    latest: Mapping[str, str] = field(default_factory=dict)
    structures: Sequence[str] = ()
    all_releases: Sequence[str] = ()
    may_be_empty: Sequence[str] = ()

    @property
    def name(self) -> str:
        """The table's name, which is the transform's and the module's."""
        return self.transform.__name__

    @property
    def layer(self) -> str:
        """The layer: the name of the module's package."""
        return self.transform.__module__.split(".")[-2]

    @cached_property
    def description(self) -> str:
        """What the table is: the docstring of its contract."""
        return inspect.cleandoc(self.contract.__doc__ or "")

    @cached_property
    def key(self) -> list[str]:
        """The primary key's columns."""
        return self.contract.primary_key()

    @cached_property
    def parameters(self) -> dict[str, bool]:
        """The transform's parameters, each with whether its input may be missing."""
        return {
            name: parameter.default is None for name, parameter in inspect.signature(self.transform).parameters.items()
        }

    @cached_property
    def files(self) -> dict[str, File]:
        """The upstream files that the table reads, by parameter."""
        return {name: files_by_parameter()[name] for name in self.parameters if name in files_by_parameter()}

    @cached_property
    def in_parts(self) -> dict[str, Source]:
        """The sources of which the table reads all parts, by parameter."""
        return {name: sources_in_parts()[name] for name in self.parameters if name in sources_in_parts()}

    @cached_property
    def input_tables(self) -> list[str]:
        """The tables that its rows are made from."""
        return [name for name in self.parameters if name not in self.files and name not in self.in_parts]

    def columns_read_of(self, parameter: str) -> set[str]:
        """The columns that it reads from another table; an empty set means all of them."""
        needs = set(self.needs.get(parameter, ()))
        own = {spec.upstream_in(parameter) for spec in specs(self.contract).values()}
        return needs | {name for name in own if name} if needs else needs

    @cached_property
    def tables(self) -> list[str]:
        """All tables that a load reads: inputs, tables that references point to, and those of the passage."""
        referenced = [name for spec in specs(self.contract).values() for name in spec.references]
        of_passage = ["passage_communes", "info_communes"] if self.follows_passage else []
        return [name for name in dict.fromkeys(self.input_tables + referenced + of_passage) if name != self.name]

    @cached_property
    def follows_passage(self) -> bool:
        """Whether a file has a column of commune codes that must be replaced by the codes in force."""
        columns = specs(self.contract).values()
        return any(spec.follows_passage and spec.upstream_in(file) for spec in columns for file in self.files)

    @cached_property
    def counts(self) -> list[str]:
        """The columns that are summed when communes merge."""
        return [name for name, spec in specs(self.contract).items() if spec.adds_up]

    @cached_property
    def contours(self) -> list[str]:
        """The columns of geometries, which are united when communes merge."""
        return [name for name, spec in specs(self.contract).items() if spec.sql.startswith("geometry(")]

    @cached_property
    def sources(self) -> list[str]:
        """The ids of the sources that the table reads."""
        files = (file.source for file in self.files.values())
        return list(dict.fromkeys([*files, *(source.id for source in self.in_parts.values())]))

    @property
    def is_supplied(self) -> bool:
        """Whether all its sources are files that an operator may supply; without them the table is empty."""
        return bool(self.sources) and all(catalogue()[source].optional for source in self.sources)

    @property
    def path(self) -> Path:
        """The file that declares the table."""
        return Path(inspect.getfile(self.transform))


_registry: dict[str, Table] = {}


def table(
    contract: type[Contract],
    *,
    needs: Mapping[str, Needs] | None = None,
    newest_by: str | None = None,
    max_refused: float = 0.01,
    max_unknown: float = 0.02,
    min_kept: float = 0.8,
    large: bool = False,
    latest: Mapping[str, str] | None = None,
    structures: Sequence[str] = (),
    all_releases: Sequence[str] = (),
    may_be_empty: Sequence[str] = (),
) -> Callable[[Transform], Transform]:
    """Declare the decorated transform, which is returned unchanged, to be the table of the same name.

    Args: see the attributes of ``Table``.
    """

    def declare(transform: Transform) -> Transform:
        declared = Table(
            contract=contract,
            transform=transform,
            needs=needs or {},
            newest_by=newest_by,
            max_refused=max_refused,
            max_unknown=max_unknown,
            min_kept=min_kept,
            large=large,
            latest=latest or {},
            structures=structures,
            all_releases=all_releases,
            may_be_empty=may_be_empty,
        )
        module = transform.__module__.split(".")[-1]
        assert module == declared.name, f"the table {declared.name} must be declared in {declared.name}.py"
        _registry[declared.name] = declared
        return transform

    return declare


@lru_cache(maxsize=1)
def tables() -> dict[str, Table]:
    """Every declared table by name, layer by layer, each after the tables that it reads."""
    for layer in LAYERS[:-1]:
        package = importlib.import_module(f"edu_pipeline.assets.{layer}")
        for module in pkgutil.iter_modules(package.__path__):
            importlib.import_module(f"{package.__name__}.{module.name}")
    ordered: dict[str, Table] = {}

    def add(name: str) -> None:
        if name not in ordered:
            for upstream in _registry[name].tables:
                add(upstream)
            ordered[name] = _registry[name]

    for name in sorted(_registry, key=lambda name: (LAYERS.index(_registry[name].layer), name)):
        add(name)
    return ordered
