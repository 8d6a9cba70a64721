"""Counties and towns: their outlines inside the boundary, and which of them things lie in."""

from __future__ import annotations

from collections.abc import Mapping

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely
from odc.geo.geobox import GeoBox

from siteplan.gaps import AreaPixels, area_pixels
from siteplan.grid import pixel_size_m
from siteplan.input_ledger import InputLedger

LEVELS: Mapping[str, str] = {"counties": "county", "towns": "town"}
"""Layer -> column of the areas that names it."""
_LEVEL_ZH = {"counties": "县区", "towns": "镇街"}
_POLYGONS = ("Polygon", "MultiPolygon")
Tables = Mapping[str, gpd.GeoDataFrame]


def _text(table: pd.DataFrame, column: str) -> pd.Series:
    """A column as text without blanks around it; ``""`` where it is empty or not there."""
    values = table[column] if column in table else pd.Series(pd.NA, index=table.index)
    return values.astype("object").where(values.notna(), "").astype("str").str.strip()


def _labels(areas: pd.DataFrame) -> pd.Series:
    """Names of counties or towns; the id of those without a name."""
    names = _text(areas, "name")
    return names.where(names != "", areas.index.astype("str"))


def labels_at(points: gpd.GeoSeries, areas: gpd.GeoDataFrame, labels: pd.Series) -> pd.Series:
    """Label of the area each point lies in or on the edge of, the first by id where several do; ``""`` in none.

    Parameters
    ----------
    points : GeoSeries
    areas : GeoDataFrame
    labels : Series of str
        On the index of the areas; areas without a label are passed over.
    """
    found = pd.Series("", index=points.index, dtype="object")
    usable = areas[areas.geometry.geom_type.isin(_POLYGONS) & (labels != "")].sort_index()
    if len(usable) and len(points):
        polygon, point = points.sindex.query(usable.geometry.to_numpy(), predicate="covers")
        first = pd.Series(polygon).groupby(point).min()
        found.iloc[first.index.to_numpy()] = labels.reindex(usable.index).to_numpy()[first.to_numpy()]
    return found


def _names_at(points: gpd.GeoSeries, tables: Tables) -> dict[str, pd.Series]:
    """Town and county of points as the layers say; the county by the town's table where there are no counties."""
    towns, counties = tables["towns"], tables["counties"]
    county = labels_at(points, counties, _labels(counties))
    return {"town": labels_at(points, towns, _labels(towns)),
            "county": county.where(county != "", labels_at(points, towns, _text(towns, "county")))}


def with_places(areas: gpd.GeoDataFrame, tables: Tables) -> gpd.GeoDataFrame:
    """Areas with ``town`` and ``county`` filled in where they are empty; ``""`` where neither source knows.

    Where the table writes the name of the place it lies in shorter or longer than the layer does (溪西, 溪西县), the
    layer's name is taken: one place, one name.

    Parameters
    ----------
    areas : GeoDataFrame
        Polygons; a point inside each is looked up.
    tables : mapping of str to GeoDataFrame
        ``towns`` and ``counties`` are used.
    """
    names = {}
    for column, found in _names_at(areas.geometry.representative_point(), tables).items():
        said = _text(areas, column)
        alike = [one.startswith(other) or other.startswith(one) for one, other in zip(said, found, strict=True)]
        names[column] = found.where(np.array(alike, dtype=bool) & (found != ""), said).astype("str")
    return areas.assign(**names)


def places_at(points: gpd.GeoSeries, tables: Tables) -> pd.DataFrame:
    """``county`` and ``town`` of points: as the layers say, else those of the village they stand in; ``""`` in none.

    Parameters
    ----------
    points : GeoSeries
    tables : mapping of str to GeoDataFrame
        ``towns, counties, villages``; the villages as :func:`with_places` gives them.
    """
    villages = tables["villages"]
    found = _names_at(points, tables)
    return pd.DataFrame({column: found[column].where(
        found[column] != "", labels_at(points, villages, _text(villages, column))).astype("str")
        for column in ("county", "town")}, index=points.index)


def people_of(areas: gpd.GeoDataFrame) -> pd.Series:
    """People of each area as its table says, float; NaN where it does not."""
    if "people" not in areas:
        return pd.Series(float("nan"), index=areas.index)
    return areas["people"].astype("float64")


def place_keys(table: pd.DataFrame, level: str) -> pd.Series:
    """Name of the county, or ``county/town``, of each row; empty where the table does not say."""
    county = _text(table, "county")
    if level == "county":
        return county
    return pd.Series([f"{c}/{t}" if c and t else t for c, t in zip(county, _text(table, "town"), strict=True)],
                     index=table.index, dtype="object")


def _keyed(tables: Tables, layer: str) -> gpd.GeoDataFrame:
    """Polygons of counties or towns with their ``key``; the villages with theirs where there is no such layer.

    The county of a town is the one it lies in, else what its table says, else that of the village around a point of it.
    """
    areas, level = tables[layer], LEVELS[layer]
    if areas.empty:
        named = tables["villages"]
    elif level == "county":
        named = areas.assign(county=_labels(areas))
    else:
        around = places_at(areas.geometry.representative_point(), tables)
        named = areas.assign(town=_labels(areas), county=around["county"])
    return gpd.GeoDataFrame({"key": place_keys(named, level)}, geometry=named.geometry, crs=named.crs)


def keys_at(points: gpd.GeoSeries, tables: Tables, layer: str) -> pd.Series:
    """Key of the county or town each point lies in, as :func:`place_pixels` names them; ``""`` in none.

    Parameters
    ----------
    points : GeoSeries
    tables : mapping of str to GeoDataFrame
    layer : {"counties", "towns"}
    """
    keyed = _keyed(tables, layer)
    return labels_at(points, keyed, keyed["key"])


def area_keys(tables: Tables, name: str, layer: str) -> pd.Series:
    """Key of the county or town a point inside each village or zone lies in; ``""`` in none.

    Parameters
    ----------
    tables : mapping of str to GeoDataFrame
    name : {"villages", "zones"}
    layer : {"counties", "towns"}
    """
    if name == "villages" and tables[layer].empty:  # the outlines are made of them, overlaps and all
        return place_keys(tables[name], LEVELS[layer])
    return keys_at(tables[name].geometry.representative_point(), tables, layer)


def _outlines(tables: Tables, boundary: gpd.GeoDataFrame, layer: str, least_m2: float) -> gpd.GeoDataFrame:
    """The part inside the boundary of every county or town, on its key; those of less than ``least_m2`` left out."""
    keyed = _keyed(tables, layer)
    keyed = keyed[keyed["key"] != ""]
    if keyed.empty:
        return gpd.GeoDataFrame(geometry=[], crs=boundary.crs)
    whole = keyed.dissolve("key").geometry
    pieces = whole.intersection(boundary.geometry.union_all()).explode(index_parts=False)
    pieces = pieces[pieces.geom_type.isin(_POLYGONS)]  # where outline and boundary share an edge, lines come along
    inside = pieces.groupby(level=0).agg(lambda parts: shapely.union_all(parts.to_numpy()))
    inside = gpd.GeoSeries(inside, crs=boundary.crs)
    kept = inside[inside.area >= least_m2]
    return gpd.GeoDataFrame(geometry=kept, crs=boundary.crs).rename_axis("area")


def place_pixels(tables: Tables, boundary: gpd.GeoDataFrame, geobox: GeoBox) -> dict[str, AreaPixels]:
    """Pixel fractions of counties and towns, the part inside the boundary.

    A place of which less than the area of one pixel lies inside is a neighbour whose outline is drawn a little
    differently, and is left out.
    """
    least_m2 = pixel_size_m(geobox) ** 2 * (1.0 - 1e-9)
    outlines = {layer: _outlines(tables, boundary, layer, least_m2) for layer in LEVELS}
    return {layer: area_pixels(geobox, areas) for layer, areas in outlines.items() if len(areas)}


def tell_unplaced(tables: Tables, pixels: Mapping[str, AreaPixels], ledger: InputLedger) -> None:
    """Villages, zones and sectors inside the boundary that no county or town holds: their indicators leave them out.

    Parameters
    ----------
    tables : mapping of str to GeoDataFrame
        ``villages, zones, stations, towns, counties``.
    pixels : mapping of str to AreaPixels
        With those of :func:`place_pixels`.
    ledger : InputLedger
        Takes one line for each kind of place and of thing.
    """
    stations = tables["stations"]
    stations = stations[stations["inside"].fillna(True).astype(bool)]
    for layer, zh in _LEVEL_ZH.items():
        if layer not in pixels:
            continue
        keys = {name: area_keys(tables, name, layer) for name in ("villages", "zones")}
        keys["stations"] = keys_at(stations.geometry, tables, layer)
        for name, found in keys.items():
            lost = found.index[~found.isin(pixels[layer].index)]
            if len(lost):
                ledger.add(name, "", f"共 {len(lost)} 行", layer, str(lost[0]), "note",
                           f"不在任何{zh}的范围内,{zh}评分未计入", f"核对{zh}图层的范围和对象的坐标")
