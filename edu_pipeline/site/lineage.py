"""What is made from what, and which columns refer to which tables, as drawings.

Belongs here: the nodes of these graphs and where they lead. Does not belong here: placing them (``graph.py``).
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from edu_pipeline.site.facts import Facts, TableFacts
from edu_pipeline.site.graph import Drawing, depths, draw

LETTER, PADDING, HEIGHT = 6.7, 20, 26
"""Width of a letter, width beside the text, and height of a line, in pixels."""

LINE = 19
"""Height of a column's name in a box of several, in pixels."""


@dataclass(frozen=True)
class Node:
    """What a box stands for.

    Attributes:
        kind: ``source``, or the layer of a table or view.
        path: of the page that it leads to, within the folder of a language.
        lines: names of columns below the name, each with whether it is of the key.
    """

    name: str
    kind: str
    path: str
    lines: tuple[tuple[str, bool], ...] = ()


@dataclass(frozen=True)
class Graph:
    """A drawing and what its boxes stand for, by name."""

    drawing: Drawing
    nodes: Mapping[str, Node]


def lineage(facts: Facts, around: str | None = None) -> Graph:
    """Sources, tables and views, with what each is made from.

    Args:
        around: only what this table or view is made from and what is made from it, all the way; None: everything.
    """
    before: dict[str, list[str]] = {source: [] for table in facts.tables.values() for source in table.sources}
    for name, table in facts.tables.items():
        before[name] = [*table.sources, *(other for other in table.made_from if other in facts.tables)]
    chosen = set(before) if around is None else _around(around, before)
    columns = {name: depth for name, depth in depths(before).items() if name in chosen}
    last = max(columns.values(), default=0)
    for name in columns:
        if name in facts.tables and facts.tables[name].described.layer == "views":
            columns[name] = last
    nodes = {name: _node(name, facts) for name in columns}
    edges = [(start, end) for end in columns for start in before[end] if start in columns]
    return _drawn(nodes, columns, edges)


def _around(name: str, before: Mapping[str, Collection[str]]) -> set[str]:
    after = {start: [end for end in before if start in before[end]] for start in before}
    found: set[str] = set()
    for neighbours in (before, after):
        pending = [name]
        while pending:
            found.add(current := pending.pop())
            pending += neighbours[current]
    return found


def references(facts: Facts) -> Graph:
    """The tables that refer to others or are referred to: key, referring columns, and where these lead."""
    targets = {name: _targets(table, facts) for name, table in facts.tables.items()}
    referred = {target for found in targets.values() for target in found}
    shown = [name for name in targets if targets[name] or name in referred]
    before: dict[str, list[str]] = {name: [] for name in shown}
    for name in shown:
        for target in targets[name]:
            before[target].append(name)
    columns = depths(before)
    nodes = {name: _entity(facts.tables[name]) for name in shown}
    edges = [(name, target) for name in shown for target in targets[name]]
    return _drawn(nodes, columns, edges)


def _targets(table: TableFacts, facts: Facts) -> list[str]:
    """The other tables that columns of ``table`` refer to."""
    found = (target for field in table.described.fields for target in field.references if target in facts.tables)
    return [target for target in dict.fromkeys(found) if target != table.name]


def _node(name: str, facts: Facts) -> Node:
    if name in facts.tables:
        return Node(name, facts.tables[name].described.layer, f"table/{name}.html")
    return Node(name, "source", f"sources.html#{name}")


def _entity(table: TableFacts) -> Node:
    key = [(name, True) for name in table.described.key]
    others = [
        (field.name, False)
        for field in table.described.fields
        if field.references and field.name not in table.described.key
    ]
    return Node(table.name, table.described.layer, f"table/{table.name}.html", (*key, *others))


def _drawn(nodes: Mapping[str, Node], columns: Mapping[str, int], edges: list[tuple[str, str]]) -> Graph:
    sizes = {name: _size(node) for name, node in nodes.items()}
    return Graph(draw(columns, edges, sizes), nodes)


def _size(node: Node) -> tuple[float, float]:
    longest = max(len(text) for text in [node.name, *(line for line, _ in node.lines)])
    return longest * LETTER + PADDING, HEIGHT + LINE * len(node.lines) + (6 if node.lines else 0)
