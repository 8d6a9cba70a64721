"""OpenStreetMap .pbf: tags as columns, ids that tell nodes, ways and relations apart."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

TAGS = (
    "name", "name:zh", "amenity", "building", "building:levels", "height", "operator", "highway", "man_made",
    "power", "office", "shop", "tourism", "leisure", "healthcare", "government", "landuse", "natural", "waterway",
    "water", "width", "railway", "aeroway", "public_transport", "place", "boundary", "admin_level", "historic",
    "ref", "tower:type", "communication:mobile_phone", "addr:street", "addr:full", "barrier", "type", "station",
)
"""Tags made columns where a ``where`` clause needs them."""
_PAIR = re.compile(r'"((?:[^"\\]|\\.)*)"=>"((?:[^"\\]|\\.)*)"')
_PREFIX = {"points": "n", "lines": "w", "multilinestrings": "r", "other_relations": "r"}
_AREAS = ("aeroway,amenity,boundary,building,craft,geological,historic,landuse,leisure,military,natural,office,place,"
          "shop,sport,tourism")


def write_config(folder: str) -> Path:
    """GDAL configuration that makes every tag of `TAGS` a column of every layer."""
    attributes = ",".join(TAGS)
    sections = "\n".join(f"[{layer}]\nosm_id=yes\nattributes={attributes}\nother_tags=yes"
                         for layer in ("points", "lines", "multipolygons", "multilinestrings", "other_relations"))
    path = Path(folder) / "osm.ini"
    path.write_text(f"attribute_name_laundering=no\nclosed_ways_are_polygons={_AREAS}\n{sections}\n", encoding="utf-8")
    return path


def expand_tags(frame: pd.DataFrame, layer: str, wanted: set[str]) -> tuple[pd.DataFrame, NDArray[np.object_]]:
    """Make `wanted` keys of ``other_tags`` columns and give every row an id such as ``w123``.

    Parameters
    ----------
    frame : DataFrame
        Attributes as GDAL gives them.
    layer : str
        OSM layer name (``points``, ``multipolygons`` ...).
    wanted : set of str
        Tags worth a column.

    Returns
    -------
    frame : DataFrame
    labels : ndarray of str
        ``points n123``: what a planner can look up on openstreetmap.org.
    """
    out = frame.drop(columns=["other_tags", "osm_way_id"], errors="ignore").copy()
    if "other_tags" in frame:
        tags = [dict(_PAIR.findall(text)) if isinstance(text, str) else {} for text in frame["other_tags"]]
        for key in sorted({key for found in tags for key in found} & wanted):
            more = pd.Series([found.get(key) for found in tags], index=frame.index, dtype="str")
            out[key] = out[key].astype("str").fillna(more) if key in out else more
    ids = _PREFIX.get(layer, "r") + frame["osm_id"].astype("str")
    if "osm_way_id" in frame:
        ids = ids.where(frame["osm_id"].notna(), "w" + frame["osm_way_id"].astype("str"))
    out["osm_id"] = ids
    return out, np.array([f"{layer} {name}" for name in ids], dtype=object)
