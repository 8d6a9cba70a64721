"""File Geodatabase: one folder with all layers and Chinese titles of layers and fields, as ArcGIS 10 opens it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import geopandas as gpd
import pandas as pd
import pyarrow as pa

from siteplan.export.exchange.formats.registry import Format, Kept
from siteplan.export.exchange.formats.through_gdal import (
    Column,
    date_values,
    fields_of,
    float_values,
    int_values,
    read_columns,
    refuse,
    text_values,
    write_columns,
)
from siteplan.export.exchange.out_layer import OutLayer
from siteplan.profiles import ProfileField

FILE = "plan.gdb"
_STEP_M = 1e-4
"""Step of the grid that ArcGIS keeps coordinates on by default, in metres (in degrees it is finer)."""


def write(layers: Sequence[OutLayer], folder: Path) -> None:
    """Write all layers into ``plan.gdb``.

    Types are those that ArcGIS 10 knows: long whole numbers become doubles (exact up to 2**53), days become points in
    time at 0 h.

    Raises
    ------
    ExportError
        Something cannot be held, or GDAL changed something.
    """
    refuse(layers, f" ({FILE})", whole=True)
    for layer in layers:
        columns = [_column(field, name, values) for field, name, values in fields_of(layer)]
        write_columns(layer, columns, folder / FILE, layer=layer.name, driver="OpenFileGDB",
                      append=(folder / FILE).exists(), layer_options={
                          "LAYER_ALIAS": layer.profile.zh, "TIME_IN_UTC": "NO"})


def _column(field: ProfileField, name: str, values: pd.Series) -> Column:
    told = {"GDAL:OGR:alternative_name": field.zh}
    if field.type == "text":
        longest = int(values.str.encode("utf-16-le").str.len().max()) // 2 if values.notna().any() else 0
        return Column(name, text_values(values), told | {"GDAL:OGR:width": str(max(field.width, longest, 1))})
    if field.type == "int":
        return Column(name, int_values(field, values, pa.float64()), told)
    if field.type == "float":
        return Column(name, float_values(values), told)
    return Column(name, date_values(values, pa.timestamp("ms")), told)


def read(folder: Path, layer: OutLayer) -> gpd.GeoDataFrame:
    """The layer as it stands in the file."""
    return read_columns(layer, folder / FILE, layer=layer.name)


GDB = Format("gdb", "File Geodatabase", False, write, read, Kept(geometry_m=_STEP_M))
