"""Graphs in layers, and the paths of small figures."""

from __future__ import annotations

from datetime import UTC, datetime
from itertools import pairwise

from edu_pipeline.site.drawing import HEIGHT, bars, line
from edu_pipeline.site.graph import Drawing, depths, draw

BEFORE = {"source": [], "other": [], "table": ["source"], "second": ["table", "other"], "view": ["second", "table"]}
EDGES = [(start, end) for end, starts in BEFORE.items() for start in starts]


def drawn() -> Drawing:
    return draw(depths(BEFORE), EDGES, dict.fromkeys(BEFORE, (100, 20)))


def test_a_node_is_right_of_all_that_it_is_made_from() -> None:
    assert depths(BEFORE) == {"source": 0, "other": 0, "table": 1, "second": 2, "view": 3}
    boxes = {box.name: box for box in drawn().boxes}
    assert all(boxes[start].x + boxes[start].width < boxes[end].x for start, end in EDGES)


def test_boxes_do_not_overlap_and_are_inside() -> None:
    drawing = drawn()
    by_column: dict[float, list[float]] = {}
    for box in drawing.boxes:
        by_column.setdefault(box.x, []).append(box.y)
        assert 0 <= box.x <= drawing.width - box.width
        assert 0 <= box.y <= drawing.height - box.height
    assert all(second - first >= 20 for tops in by_column.values() for first, second in pairwise(sorted(tops)))


def test_curves_go_from_box_to_box() -> None:
    drawing = drawn()
    boxes = {box.name: box for box in drawing.boxes}
    assert [(curve.start, curve.end) for curve in drawing.curves] == EDGES
    for curve in drawing.curves:
        start, end = boxes[curve.start], boxes[curve.end]
        assert curve.path.startswith(f"M{start.x + start.width:g} {start.y + 10:g}C")
        assert curve.path.endswith(f" {end.x:g} {end.y + 10:g}")


def test_columns_are_ordered_so_that_curves_do_not_cross() -> None:
    columns = {"a": 0, "b": 0, "c": 0, "for c": 1, "for b": 1, "for a": 1}
    drawing = draw(columns, [(name, f"for {name}") for name in "abc"], dict.fromkeys(columns, (50, 20)))
    tops = {box.name: box.y for box in drawing.boxes}
    assert all(tops[name] == tops[f"for {name}"] for name in "abc")


def test_an_empty_graph_has_no_size() -> None:
    assert draw({}, [], {}) == Drawing((), (), 0, 0)


def test_small_numbers_are_still_a_bar() -> None:
    assert bars([1000, 0, 1]) == f"M0 {HEIGHT}v-{HEIGHT}h.9v{HEIGHT}zM2 {HEIGHT}v-1h.9v1z"
    assert bars([]) == bars([0]) == ""


def test_a_line_spans_the_time_and_stays_inside() -> None:
    days = [datetime(2026, 1, day, tzinfo=UTC) for day in (1, 2, 5)]
    assert line(list(zip(days, (0, 5, 20), strict=True)), 10, 100) == "M0.0 36.0L25.0 18.0L100.0 0.0"
    assert line([], 10) == ""
