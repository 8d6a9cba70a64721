"""Tables with geometry as plain lists for JSON: shapes in degrees, light enough for a page; places of points."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely

from siteplan.maps._texts import as_text

Json = dict[str, Any]
VERTEX_BUDGET = 60_000
"""Greatest number of vertices of one layer; layers with more are simplified further."""


def shape_items(frame: gpd.GeoDataFrame, tolerance_m: float, make: Callable[[Mapping[str, Any], str], Json], *,
           labelled: bool) -> list[Json]:
    """One entry per row with a shape: what ``make`` says, the shape, and a place inside for a label."""
    kept, shapes = _light_shapes(frame, tolerance_m)
    inside = shapely.point_on_surface(np.asarray(shapes.array)) if labelled else [None] * len(shapes)
    out = []
    for key, row, shape, point in zip(kept.index, _rows(kept), shapes, inside, strict=True):
        entry = {**make(row, str(key)), "shape": _geojson(shape)}
        if point is not None:
            entry["at"] = [round(float(point.y), 5), round(float(point.x), 5)]
        out.append(entry)
    return out


def plain_shapes(frame: gpd.GeoDataFrame, tolerance_m: float) -> list[Json]:
    """The shapes alone, as GeoJSON geometries."""
    return [_geojson(shape) for shape in _light_shapes(frame, tolerance_m)[1]]


def _light_shapes(frame: gpd.GeoDataFrame, tolerance_m: float) -> tuple[gpd.GeoDataFrame, gpd.GeoSeries]:
    """Rows with a shape, and their shapes in degrees, simplified until they fit the vertex budget."""
    kept = _placed(frame)
    shapes = kept.geometry.simplify(tolerance_m)
    for _ in range(10):
        if int(shapely.get_num_coordinates(np.asarray(shapes.array)).sum()) <= VERTEX_BUDGET:
            break
        tolerance_m *= 2.0
        shapes = kept.geometry.simplify(tolerance_m)
    return kept, shapes.to_crs("EPSG:4326") if len(shapes) else shapes


def _placed(frame: gpd.GeoDataFrame) -> gpd.GeoDataFrame:
    """Rows that have a geometry which is not empty."""
    shapes = np.asarray(frame.geometry.array)
    return frame[~(shapely.is_missing(shapes) | shapely.is_empty(shapes))]


def _geojson(shape: Any) -> Json:
    """A GeoJSON geometry with five decimals (1 m)."""
    rounded = shapely.transform(shapely.force_2d(shape), lambda xy: np.round(xy, 5))
    out: Json = shapely.geometry.mapping(rounded)
    return out


def point_rows(frame: gpd.GeoDataFrame) -> Iterable[tuple[tuple[float, float], str, Mapping[str, Any]]]:
    """``((lat, lon), key, row)`` of every row with a place, lines and areas by a point inside."""
    kept, lats, lons = located(frame)
    for lat, lon, key, row in zip(lats, lons, kept.index, _rows(kept), strict=True):
        yield (lat, lon), str(key), row


def located(frame: gpd.GeoDataFrame) -> tuple[gpd.GeoDataFrame, list[float], list[float]]:
    """Rows with a place, their latitudes and longitudes in degrees."""
    kept = _placed(frame)
    if not len(kept):
        return kept, [], []
    points = kept.geometry.representative_point().to_crs("EPSG:4326")
    return kept, *(np.round(part.to_numpy(), 6).tolist() for part in (points.y, points.x))


def told_column(frame: gpd.GeoDataFrame, name: str, tell: Callable[[Any], str] = as_text) -> list[str]:
    """A column in words, each different value told once; empty texts where the table does not have it."""
    if name not in frame:
        return [""] * len(frame)
    values = frame[name].tolist()
    told = {value: tell(value) for value in set(values)}
    return [told[value] for value in values]


def _rows(frame: gpd.GeoDataFrame) -> list[dict[str, Any]]:
    """Rows as dictionaries without the geometry."""
    out: list[dict[str, Any]] = pd.DataFrame(frame.drop(columns=frame.geometry.name)).to_dict("records")
    return out
