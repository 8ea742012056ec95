"""How QGIS draws a layer of the GeoPackage: one symbol, by the kind of its geometry and the table's layer.

Belongs here: QGIS's style files (QML). Does not belong here: where they are stored (``geopackage.py``).
"""

from __future__ import annotations

from xml.etree import ElementTree

from edu_pipeline.export.description import Described

COLOURS = {"educational": "31,98,166,255", "specialty": "134,70,156,255", "sectorisation": "190,90,20,255"}
"""Red, green, blue and opacity by layer of the product."""

OTHER = "90,90,90,255"

KINDS = {
    "Point": ("marker", "SimpleMarker", {"name": "circle", "size": "1.8", "outline_color": "255,255,255,255"}),
    "LineString": ("line", "SimpleLine", {"line_width": "0.4"}),
    "Polygon": ("fill", "SimpleFill", {"outline_width": "0.15", "style": "solid"}),
}
"""Symbol, kind of its layer and properties by kind of geometry."""

COLOUR = {"marker": "color", "line": "line_color", "fill": "outline_color"}


def layer_style(layer: Described) -> str:
    """The style of a layer with a geometry, as QML."""
    assert layer.geometry is not None
    symbol, kind, properties = KINDS[layer.geometry.geometry_type.removeprefix("Multi")]
    colour = COLOURS.get(layer.layer, OTHER)
    properties = properties | {COLOUR[symbol]: colour} | ({"color": "235,235,235,90"} if symbol == "fill" else {})
    root = ElementTree.Element("qgis", version="3.22.0", styleCategories="Symbology")
    renderer = ElementTree.SubElement(root, "renderer-v2", type="singleSymbol", symbollevels="0", enableorderby="0")
    symbols = ElementTree.SubElement(renderer, "symbols")
    drawn = ElementTree.SubElement(symbols, "symbol", type=symbol, name="0", alpha="1", clip_to_extent="1")
    part = ElementTree.SubElement(drawn, "layer", {"class": kind, "enabled": "1", "locked": "0", "pass": "0"})
    options = ElementTree.SubElement(part, "Option", type="Map")
    for name, value in properties.items():
        ElementTree.SubElement(options, "Option", type="QString", name=name, value=value)
        ElementTree.SubElement(part, "prop", k=name, v=value)
    return f"<!DOCTYPE qgis>\n{ElementTree.tostring(root, encoding='unicode')}"
