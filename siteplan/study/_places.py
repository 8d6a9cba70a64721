"""County and town of villages and zones: as their table says, else by the county and town they lie in."""

from __future__ import annotations

from collections.abc import Mapping

import geopandas as gpd
import pandas as pd
from odc.geo.geobox import GeoBox

from siteplan.candidates.refuse import inside_polygons
from siteplan.gaps import AreaPixels, area_pixels

PLACES = (("town", "towns"), ("county", "counties"))
"""Column of the areas, and the layer it is looked up in."""


def with_places(areas: gpd.GeoDataFrame, tables: Mapping[str, gpd.GeoDataFrame]) -> gpd.GeoDataFrame:
    """Areas with ``town`` and ``county`` filled in where they are empty; ``""`` where neither source knows.

    Parameters
    ----------
    areas : GeoDataFrame
        Polygons; a point inside each is looked up.
    tables : mapping of str to GeoDataFrame
        ``towns`` and ``counties`` are used.
    """
    points = gpd.GeoDataFrame(geometry=areas.geometry.representative_point(), crs=areas.crs, index=areas.index)
    found = {}
    for column, layer in PLACES:
        given = areas[column] if column in areas else pd.Series(pd.NA, index=areas.index)
        said = given.astype("object").where(given.notna(), "").astype("str").str.strip()
        found[column] = said.where(said != "", inside_polygons(points, tables[layer]))
    return areas.assign(**found)


def people_of(areas: gpd.GeoDataFrame) -> pd.Series:
    """People of each area as its table says, float; NaN where it does not."""
    if "people" not in areas:
        return pd.Series(float("nan"), index=areas.index)
    return areas["people"].astype("float64")


LEVELS: Mapping[str, str] = {"counties": "county", "towns": "town"}
"""Layer -> column of the areas that names it."""


def place_keys(table: pd.DataFrame, level: str) -> pd.Series:
    """Name of the county, or ``county/town``, of each row; empty where the table does not say."""
    county = table["county"].fillna("").astype("str") if "county" in table else pd.Series("", index=table.index)
    if level == "county":
        return county
    town = table["town"].fillna("").astype("str")
    return pd.Series([f"{c}/{t}" if c and t else t for c, t in zip(county, town, strict=True)], index=table.index)


def _outlines(tables: Mapping[str, gpd.GeoDataFrame], boundary: gpd.GeoDataFrame, layer: str) -> gpd.GeoDataFrame:
    """Polygons of the counties or towns on their names; those of the villages put together where there is no layer."""
    level, areas = LEVELS[layer], tables[layer]
    if len(areas):
        named = areas.assign(town=areas["name"]) if level == "town" else areas.assign(county=areas["name"])
    else:
        named = tables["villages"]
    named = named.set_geometry(named.geometry).assign(key=place_keys(named, level))
    named = named[named["key"] != ""]
    if named.empty:
        return gpd.GeoDataFrame(geometry=[], crs=boundary.crs)
    whole = named.dissolve("key")[["geometry"]].rename_axis("area")
    inside = whole.intersection(boundary.geometry.union_all())
    kept = inside.geom_type.isin(["Polygon", "MultiPolygon"]) & (inside.area > 0)
    return gpd.GeoDataFrame(geometry=inside[kept], crs=boundary.crs)


def place_pixels(tables: Mapping[str, gpd.GeoDataFrame], boundary: gpd.GeoDataFrame, geobox: GeoBox,
                 ) -> dict[str, AreaPixels]:
    """Pixel fractions of counties and towns, the part inside the boundary."""
    outlines = {layer: _outlines(tables, boundary, layer) for layer in LEVELS}
    return {layer: area_pixels(geobox, areas) for layer, areas in outlines.items() if len(areas)}
