"""GeoPackage: one file with all layers, nothing lost; titles of layers and fields beside their names."""

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
    write_arrow,
    write_columns,
)
from siteplan.export.exchange.formats.words import CREATED
from siteplan.export.exchange.out_layer import OutLayer
from siteplan.export.exchange.style import style_text
from siteplan.profiles import ProfileField

FILE = "plan.gpkg"
_VERSION = "1.2"
"""Of the standard: an old one, for old programs (GDAL 3.6 warns of 1.4); later ones add nothing that is needed here."""
_STYLES = "layer_styles"


def write(layers: Sequence[OutLayer], folder: Path) -> None:
    """Write all layers into ``plan.gpkg``.

    Raises
    ------
    ExportError
        Something cannot be held, or GDAL changed something.
    """
    refuse(layers, f" ({FILE})")
    titles = [layer.profile.zh for layer in layers]
    for layer in layers:
        zh = layer.profile.zh
        names = {name.casefold() for _, name, _ in fields_of(layer)}
        write_columns(layer, _columns(layer), folder / FILE, layer=layer.name, driver="GPKG",
                      append=(folder / FILE).exists(), dataset_options={"VERSION": _VERSION}, layer_options={
                          # an identifier is unique in the file; a layer split by zones has one title for all
                          "IDENTIFIER": zh if titles.count(zh) == 1 else f"{zh} {layer.name}",
                          "DESCRIPTION": layer.profile.source or zh,
                          "FID": _free("fid", names), "GEOMETRY_NAME": _free("geom", names)})
    if layers:
        _write_styles(layers, folder / FILE)


def _write_styles(layers: Sequence[OutLayer], path: Path) -> None:
    """The table in which QGIS keeps the styles of a GeoPackage; it opens each layer in its style."""
    geometry = [_free("geom", {name.casefold() for _, name, _ in fields_of(layer)}) for layer in layers]
    told = {
        "f_table_catalog": ["" for _ in layers], "f_table_schema": ["" for _ in layers],
        "f_table_name": [layer.name for layer in layers], "f_geometry_column": geometry,
        "styleName": [layer.name for layer in layers], "styleQML": [style_text(layer) for layer in layers],
        "styleSLD": ["" for _ in layers], "useAsDefault": [True for _ in layers],
        "description": [layer.profile.zh for layer in layers], "owner": ["" for _ in layers],
        "ui": ["" for _ in layers],
    }
    write_arrow(pa.table({**told, "update_time": pa.array([CREATED] * len(layers), pa.timestamp("ms"))}), path,
                layer=_STYLES, driver="GPKG", append=True, layer_options={"FID": "id"})


def _columns(layer: OutLayer) -> list[Column]:
    zh = [field.zh for field in layer.profile.fields]
    columns = []
    for field, name, values in fields_of(layer):
        # the standard asks for titles that differ within a layer
        title = field.zh if zh.count(field.zh) == 1 else f"{field.zh} {name}"
        told = {"GDAL:OGR:alternative_name": title} | ({"GDAL:OGR:comment": field.note} if field.note else {})
        columns.append(Column(name, _values(field, values), told))
    return columns


def _values(field: ProfileField, values: pd.Series) -> pa.Array:
    if field.type == "text":
        return text_values(values)
    if field.type == "int":
        return int_values(field, values, pa.int64())
    return float_values(values) if field.type == "float" else date_values(values, pa.date32())


def _free(name: str, taken: set[str]) -> str:
    """A name that no field has."""
    while name in taken:
        name += "_"
    return name


def read(folder: Path, layer: OutLayer) -> gpd.GeoDataFrame:
    """The layer as it stands in the file."""
    return read_columns(layer, folder / FILE, layer=layer.name)


GPKG = Format("gpkg", "GeoPackage", False, write, read, Kept(geometry_m=1e-9))
