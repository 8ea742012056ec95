"""Damage to JSON and GeoJSON: items, values, geometries, and the text.

Belongs here: changes that need to know the structure. Does not belong here: changes of any bytes (`mutations.py`).
"""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from typing import Any

import shapely

OTHER: tuple[Any, ...] = (None, True, -1, 1.5e300, "", "x", [], [[1]], {}, {"a": {"b": []}}, [None, "x", 1])
"""Values of all kinds."""

GEOMETRIES: tuple[Any, ...] = (
    *OTHER,
    {"type": "Polygon"},
    {"type": "Polygon", "coordinates": []},
    {"type": "Polygon", "coordinates": [[[0, 0], [1, 1]]]},
    {"type": "Polygon", "coordinates": [[[0, 0], [1, 1], [1, 0], [0, 1]]]},
    {"type": "Polygon", "coordinates": [[["a", "b"], [1, 1], [1, 0], ["a", "b"]]]},
    {"type": "Polygon", "coordinates": [[[float("nan"), 0], [1, 1], [1, 0], [float("inf"), 0]]]},
    {"type": "MultiPolygon", "coordinates": [[[[0, 0], [2, 2], [2, 0], [0, 2], [0, 0]]]]},
    {"type": "Point", "coordinates": [999, 999]},
    {"type": "LineString", "coordinates": [[0, 0]]},
    {"type": "GeometryCollection", "geometries": []},
    {"type": "Cercle", "coordinates": [1, 2, 3]},
)

TOPS: tuple[Any, ...] = (
    *OTHER,
    {"type": "FeatureCollection"},
    {"type": "FeatureCollection", "features": None},
    {"type": "FeatureCollection", "features": {}},
    {"type": "FeatureCollection", "features": []},
    {"type": "FeatureCollection", "features": [None, 1]},
    {"error": {"code": 400, "message": "Invalid URL"}},
    [[], {}],
)

Change = Callable[[random.Random, list[Any]], object]


def items_of(content: Any) -> Any:
    """The items of a document: its features, or itself."""
    return content["features"] if isinstance(content, dict) and "features" in content else content


def _inner(rng: random.Random, item: Any) -> Any:
    """An item, or its properties."""
    return item["properties"] if rng.random() < 0.7 and isinstance(item.get("properties"), dict) else item


def _other_item(rng: random.Random, items: list[Any]) -> None:
    items[rng.randrange(len(items))] = rng.choice(OTHER)


def _other_value(rng: random.Random, items: list[Any]) -> None:
    holder = _inner(rng, rng.choice(items))
    holder[rng.choice(list(holder))] = rng.choice(OTHER)


def _other_values(rng: random.Random, items: list[Any]) -> None:
    holder = _inner(rng, rng.choice(items))
    name, value = rng.choice(list(holder)), rng.choice(OTHER)
    for item in items:
        for each in (item, item.get("properties")):
            if isinstance(each, dict) and name in each:
                each[name] = value


def _lost_key(rng: random.Random, items: list[Any]) -> None:
    holder = _inner(rng, rng.choice(items))
    del holder[rng.choice(list(holder))]


def _geometry(rng: random.Random, items: list[Any]) -> None:
    for item in rng.sample(items, rng.choice((1, len(items)))):
        item["geometry"] = rng.choice(GEOMETRIES)


def _rings(geometry: Any) -> list[list[Any]]:
    """The outer rings of a polygon or several."""
    if not isinstance(geometry, dict) or geometry.get("type") not in ("Polygon", "MultiPolygon"):
        return []
    polygons = [geometry["coordinates"]] if geometry["type"] == "Polygon" else geometry["coordinates"]
    return [polygon[0] for polygon in polygons]


def _crossed(rng: random.Random, items: list[Any]) -> None:
    """Two corners of a ring change places, so that it crosses itself: not every exchange does that."""
    for item in rng.sample(items, rng.choice((1, len(items)))):
        for ring in [ring for ring in _rings(item.get("geometry")) if len(ring) > 5][:1]:
            for other in range(3, len(ring) - 1):
                ring[1], ring[other] = ring[other], ring[1]
                if not shapely.Polygon(ring).is_valid:
                    break
                ring[1], ring[other] = ring[other], ring[1]


def _item_twice(rng: random.Random, items: list[Any]) -> None:
    items.append(rng.choice(items))


def _empty_item(rng: random.Random, items: list[Any]) -> None:
    items.insert(rng.randrange(len(items)), rng.choice((None, {})))


def _numbers_as_text(rng: random.Random, items: list[Any]) -> None:
    """Numbers as texts in some items, as a change of software brings it about."""
    for item in rng.sample(items, rng.choice((1, len(items)))):
        for holder in (item, item.get("properties")):
            for name, value in list(holder.items() if isinstance(holder, dict) else ()):
                if isinstance(value, int | float) and not isinstance(value, bool):
                    holder[name] = str(value)


def _codes_as_numbers(rng: random.Random, items: list[Any]) -> None:
    names = [name for name, value in items[0].items() if isinstance(value, str) and value.isdigit()]
    for item in items if names else ():
        name = rng.choice(names)
        if isinstance(item.get(name), str) and item[name].isdigit():
            item[name] = int(item[name])


def _wrapped(rng: random.Random, content: bytes) -> bytes:
    """As portals answer: the items in an object."""
    items = items_of(json.loads(content))
    return json.dumps({"total_count": len(items), "results": items}, ensure_ascii=False).encode()


def _lines(rng: random.Random, content: bytes) -> bytes:
    return "\n".join(json.dumps(item, ensure_ascii=False) for item in items_of(json.loads(content))).encode()


def _structured(change: Change) -> Callable[[random.Random, bytes], bytes]:
    def apply(rng: random.Random, content: bytes) -> bytes:
        document = json.loads(content)
        change(rng, items_of(document))
        return json.dumps(document, ensure_ascii=False).encode()

    return apply


def _spoiled(rng: random.Random, content: bytes) -> bytes:
    """With one mark of punctuation lost, doubled, or exchanged for another."""
    places = [place for place, byte in enumerate(content) if byte in b'{}[],:"']
    at = rng.choice(places)
    return content[:at] + rng.choice((b"", content[at : at + 1] * 2, b"'", b"//", b",", b"}")) + content[at + 1 :]


def _closed(rng: random.Random, content: bytes) -> bytes:
    """Cut off somewhere, and closed again."""
    return content[: rng.randrange(len(content))] + rng.choice((b"]", b"}", b"]}", b'"}]'))


DAMAGE: dict[str, Callable[[random.Random, bytes], bytes]] = {
    "other item": _structured(_other_item),
    "other value": _structured(_other_value),
    "other values": _structured(_other_values),
    "lost key": _structured(_lost_key),
    "other geometry": _structured(_geometry),
    "other top": lambda rng, content: json.dumps(rng.choice(TOPS)).encode(),
    "deep": lambda rng, content: rng.choice((b"[" * 99_999 + b"]" * 99_999, b'{"a":' * 9_999 + b"1" + b"}" * 9_999)),
    "punctuation": _spoiled,
    "cut and closed": _closed,
    "not a number": lambda rng, content: content.replace(b": 1", b": NaN", rng.choice((1, -1))),
}
"""Ways to damage the text of a JSON document whose items are objects."""

HARMLESS: dict[str, Callable[[random.Random, bytes], bytes]] = {
    "wrapped": _wrapped,
    "lines": _lines,
    "item twice": _structured(_item_twice),
    "empty item": _structured(_empty_item),
    "items twice": _structured(lambda rng, items: items.extend(list(items))),
    "numbers as text": _structured(_numbers_as_text),
    "codes as numbers": _structured(_codes_as_numbers),
    "comma behind": lambda rng, content: content[:-1] + b"," + content[-1:],
    "byte order mark": lambda rng, content: b"\xef\xbb\xbf" + content,
    "escaped": lambda rng, content: json.dumps(json.loads(content)).encode(),
}
"""Other forms of the same items, or the same items and more."""

crossed = _structured(_crossed)
"""Rings that cross themselves."""
