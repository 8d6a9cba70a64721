"""GeoJSON as RFC 7946 has it: a file for each layer, longitude and latitude with seven decimals."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import geopandas as gpd
import numpy as np
import pandas as pd
import pyarrow as pa
import shapely

from siteplan.crs import transform_geometry
from siteplan.errors import ExportError, Problem
from siteplan.export.exchange.compare import key_column
from siteplan.export.exchange.formats.registry import Format, Kept
from siteplan.export.exchange.formats.text import reading
from siteplan.export.exchange.formats.through_gdal import (
    Column,
    date_values,
    fields_of,
    float_values,
    read_columns,
    refuse,
    text_values,
    write_columns,
)
from siteplan.export.exchange.out_layer import OutLayer
from siteplan.profiles import ProfileField

_DECIMALS = 7
"""Decimals of degrees; the last is 11 mm on the ground."""
_LON_LAT = "EPSG:4326"
_HALF_DEG, _CUT_DEG = 180.0, 10.0
"""GDAL cuts shapes that have places within so many degrees of the 180th meridian on both sides of it."""


def write(layers: Sequence[OutLayer], folder: Path) -> None:
    """Write ``NAME.geojson`` for each layer; CGCS2000 is taken as WGS 84.

    Raises
    ------
    ExportError
        Something cannot be held, or GDAL changed something.
    """
    refuse(layers, ".geojson")
    for layer in layers:
        shapes = transform_geometry(layer.table.geometry.to_numpy(), layer.table.crs, _LON_LAT)
        # rounded here, and written with more decimals: GDAL takes 113.9999995 of seven decimals for 114
        shapes = shapely.transform(shapes, lambda degrees: np.round(degrees, _DECIMALS))
        _refuse_turns(layer, shapes)
        placed = OutLayer(layer.profile, layer.name, layer.table.set_geometry(shapes, crs=_LON_LAT))
        columns = [Column(name, _values(field, placed.table[name])) for field, name, _ in fields_of(layer)]
        write_columns(placed, columns, folder / f"{layer.name}.geojson", layer=layer.name, driver="GeoJSON",
                      layer_options={"RFC7946": "YES", "COORDINATE_PRECISION": "15",
                                     "DESCRIPTION": layer.profile.zh, "AUTODETECT_JSON_STRINGS": "NO"})


def _refuse_turns(layer: OutLayer, shapes: np.ndarray) -> None:
    """Raise for shapes over the 180th meridian, which GDAL cuts in two there, as RFC 7946 asks."""
    bounds = shapely.bounds(shapes)
    over = (bounds[:, 0] < -_HALF_DEG) | (bounds[:, 2] > _HALF_DEG) | (
        (bounds[:, 0] < _CUT_DEG - _HALF_DEG) & (bounds[:, 2] > _HALF_DEG - _CUT_DEG))
    if over.any():
        raise ExportError("GeoJSON 不能写出:", [
            Problem(layer.name, f"{layer.name}.geojson", str(row), "geometry", "图形跨过 180 度经线,GeoJSON 要在该处切开",
                    "改正坐标,或使用 GeoPackage") for row in layer.table.loc[over, key_column(layer)]])


def _values(field: ProfileField, values: pd.Series) -> pa.Array:
    if field.type == "text":
        return text_values(values)
    if field.type == "int":
        return pa.array(values.astype("Int64"))
    return float_values(values) if field.type == "float" else date_values(values, pa.string())


def read(folder: Path, layer: OutLayer) -> gpd.GeoDataFrame:
    """The layer as it stands in its file, back in the CRS it came from."""
    file = f"{layer.name}.geojson"
    with reading(file):
        table = read_columns(layer, folder / file, DATE_AS_STRING="YES", ARRAY_AS_STRING="YES")
        return table.set_geometry(transform_geometry(table.geometry.to_numpy(), _LON_LAT, layer.table.crs),
                                  crs=layer.table.crs)


GEOJSON = Format("geojson", "GeoJSON", False, write, read, Kept(geometry_m=0.01, crs=False))
