"""OpenStreetMap .pbf: tags as columns, ids that tell nodes, ways and relations apart."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from siteplan.venues import load_venues

TAGS = (
    "name", "name:zh", "amenity", "building", "building:levels", "height", "operator", "highway", "man_made",
    "power", "office", "shop", "tourism", "leisure", "healthcare", "government", "landuse", "natural", "waterway",
    "water", "width", "railway", "aeroway", "public_transport", "place", "boundary", "admin_level", "historic",
    "ref", "tower:type", "communication:mobile_phone", "addr:street", "addr:full", "barrier", "type", "station",
    "telecom",
)
"""Tags made columns where a ``where`` clause needs them."""
_PAIR = re.compile(r'"((?:[^"\\]|\\.)*)"=>"((?:[^"\\]|\\.)*)"')
_PREFIX = {"points": "n", "lines": "w", "multilinestrings": "r", "other_relations": "r"}
_AREAS = ("aeroway,amenity,boundary,building,craft,geological,historic,landuse,leisure,military,natural,office,place,"
          "shop,sport,tourism")
_ROADS = ("motorway", "trunk", "primary", "secondary", "tertiary", "unclassified", "residential", "motorway_link",
          "trunk_link", "primary_link", "secondary_link", "tertiary_link")
_RAILS = ("rail", "light_rail", "subway", "narrow_gauge")
_DWELLINGS = "housing"
"""Class of venues that is no venue to look for: ``building=yes``, ``building=house`` ..."""
_ADMINISTRATIVE = "boundary = 'administrative' AND admin_level = '8'"
_EXAMPLES: Mapping[str, str] = MappingProxyType({
    "zones": "landuse IN ('industrial', 'commercial', 'retail')", "restricted": "landuse = 'military'",
    "village_points": "place IN ('village', 'hamlet')", "power": "power IN ('line', 'substation')",
    "towns": _ADMINISTRATIVE, "counties": "boundary = 'administrative' AND admin_level = '6'",
})


class Selection(NamedTuple):
    """Features that a layer takes where the study gives no ``where``.

    Attributes
    ----------
    where : str
        OGR WHERE clause on tags.
    areas : tuple of str
        Tags (``key`` or ``key=value``) by which a closed way is an area, beside the usual ones.
    zh : str
        The selection as planners read it.
    """

    where: str
    areas: tuple[str, ...]
    zh: str


def usual_selection(layer: str) -> Selection | None:
    """Tags by which OpenStreetMap marks the things of a layer; None = there are none that all would agree on.

    Facilities are what the classifier knows (``tables/venues.toml``), but for dwellings.

    Examples
    --------
    >>> usual_selection("poles").where
    "highway = 'street_lamp'"
    >>> usual_selection("villages") is None
    True
    """
    if layer == "facilities":
        classes = load_venues().classes
        tags = sorted({tag for venue in classes.values() if venue.id != _DWELLINGS for tag in venue.osm})
        return Selection(_any_of(tags), tuple(tag.removesuffix("=*") for tag in tags), "场所标签（分类表的 osm 标签，住宅除外）")
    known = {
        "buildings": Selection("building IS NOT NULL AND building <> 'no'", (), "building 有值且不是 no"),
        "poles": Selection("highway = 'street_lamp'", (), "highway=street_lamp"),
        "roads": Selection(f"highway IN {_ROADS}", (), "highway 为 motorway 至 residential 及匝道"),
        "rail": Selection(f"railway IN {_RAILS}", (), f"railway 为 {'、'.join(_RAILS)}"),
        "water": Selection("natural = 'water' OR waterway IN ('riverbank', 'river')", ("waterway=riverbank",),
                           "natural=water 或 waterway=riverbank、river"),
        "stations": Selection("man_made IN ('mast', 'tower') AND \"communication:mobile_phone\" = 'yes'", (),
                              "man_made=mast、tower 且 communication:mobile_phone=yes"),
    }
    return known.get(layer)


def example_where(layer: str) -> str:
    """A ``where`` as a study may write it for a layer.

    >>> example_where("village_points")
    "place IN ('village', 'hamlet')"
    """
    return _EXAMPLES.get(layer, _ADMINISTRATIVE)


def _any_of(tags: Sequence[str]) -> str:
    r"""Clause for any of some tags; ``key=*`` = the key has a value.

    >>> _any_of(["office=*", "office=research", "shop=tea", "shop=rice"])
    '("office" IS NOT NULL AND "office" <> \'no\') OR "shop" IN (\'tea\', \'rice\')'
    """
    values: dict[str, list[str]] = {}
    for tag in tags:
        key, _, value = tag.partition("=")
        values.setdefault(key, []).append(value)
    parts = [f"(\"{key}\" IS NOT NULL AND \"{key}\" <> 'no')" if "*" in found else
             f"\"{key}\" IN ({', '.join(repr(value) for value in found)})" for key, found in values.items()]
    return " OR ".join(parts)


def write_config(folder: str, areas: Sequence[str] = ()) -> Path:
    """GDAL configuration that makes every tag of `TAGS` a column of every layer, and ways with `areas` areas."""
    attributes = ",".join(TAGS)
    sections = "\n".join(f"[{layer}]\nosm_id=yes\nattributes={attributes}\nother_tags=yes"
                         for layer in ("points", "lines", "multipolygons", "multilinestrings", "other_relations"))
    path = Path(folder) / "osm.ini"
    closed = ",".join(dict.fromkeys([*_AREAS.split(","), *areas]))
    path.write_text(f"attribute_name_laundering=no\nclosed_ways_are_polygons={closed}\n{sections}\n", encoding="utf-8")
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
