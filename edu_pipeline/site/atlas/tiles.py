"""Vector tiles as plain files ``z/x/y.pbf``, which every web server can serve.

Belongs here: writing layers of shapes to tiles. Does not belong here: what the shapes are (``shapes.py``).

The tiles are not compressed: a plain server would not say so, and the map could not read them.
"""

from __future__ import annotations

import gzip
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from edu_pipeline.errors import SettingInvalid

if TYPE_CHECKING:
    import geopandas

Index = dict[str, list[str]]
"""The tiles that there are: ``x/y`` by zoom. The map asks for no others, so that it finds none missing."""


@dataclass(frozen=True)
class TileLayer:
    """A layer of tiles.

    Attributes:
        shapes: WGS 84, with the properties that the tiles have. NULL is left out.
        lowest, highest: the zooms at which there are tiles; nearer, the map enlarges those of ``highest``.
    """

    shapes: geopandas.GeoDataFrame
    lowest: int
    highest: int


def write(layers: Mapping[str, TileLayer], folder: Path) -> Index:
    """Write tiles with all ``layers`` that have a shape; no shape is left out at any zoom.

    Returns:
        What was written; empty if there is no shape at all.

    Raises:
        SettingInvalid: the packages that write and read tiles are not installed.
    """
    try:
        import freestiler  # noqa: PLC0415 - an extra
    except ImportError as error:
        raise SettingInvalid(
            "site",
            "expected the packages freestiler and pmtiles, which make the map, found none.",
            "Install them: `pip install 'edu_pipeline[site]'`.",
        ) from error
    given = {
        name: freestiler.freestile_layer(layer.shapes, min_zoom=layer.lowest, max_zoom=layer.highest)
        for name, layer in layers.items()
        if len(layer.shapes)
    }
    if not given:
        return {}
    with tempfile.TemporaryDirectory(dir=folder.parent) as temporary:
        archive = Path(temporary) / "tiles.pmtiles"
        lowest = min(layer.lowest for layer in layers.values())
        highest = max(layer.highest for layer in layers.values())
        freestiler.freestile(given, archive, min_zoom=lowest, max_zoom=highest, generate_ids=False, quiet=True)
        return _unpack(archive, folder)


def _unpack(archive: Path, folder: Path) -> Index:
    from pmtiles.reader import MmapSource, all_tiles  # noqa: PLC0415 - an extra

    index: Index = {}
    with archive.open("rb") as stream:
        for (zoom, column, row), content in all_tiles(MmapSource(stream)):
            path = folder / str(zoom) / str(column) / f"{row}.pbf"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(gzip.decompress(content))
            index.setdefault(str(zoom), []).append(f"{column}/{row}")
    return index
