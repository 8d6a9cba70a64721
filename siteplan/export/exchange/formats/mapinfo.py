"""MapInfo tables: a .tab with its .dat, .map and .id for each layer, Chinese in CP936."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import geopandas as gpd
import numpy as np
import pandas as pd
import pyarrow as pa
import shapely

from siteplan.crs import transform_points
from siteplan.errors import ExportError, Problem
from siteplan.export.exchange.compare import key_column
from siteplan.export.exchange.formats.registry import Format, Kept
from siteplan.export.exchange.formats.text import reading
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
from siteplan.export.exchange.formats.words import encodes, lacking
from siteplan.export.exchange.out_layer import OutLayer
from siteplan.profiles import ProfileField

ENCODING = "CP936"
"""MapInfo of any version reads it (``WindowsSimpChinese``); UTF-8 tables need MapInfo Pro 15.2."""
_WIDEST = 254
_HEAD_BYTES, _NAME_BYTES, _HEAD_END = 32, 11, 0x0D
"""Of the head of a ``.dat``: bytes of its first part and of a descriptor, of a name, and what ends it."""
_MARGIN = (100_000.0, 1.0)
"""Room to draw around the data, in metres and in degrees: nothing can be drawn outside of the bounds of a table."""
_DIGITS = 15
"""Digits that a double keeps for certain."""
_SAME_PLACE_DEG = 1e-6


def write(layers: Sequence[OutLayer], folder: Path) -> None:
    """Write ``NAME.tab`` and the files beside it for each layer.

    MapInfo has no empty number: a number field with empty values is written as text, so that none becomes 0.

    Raises
    ------
    ExportError
        A text is too long or outside of CP936, something else cannot be held, or GDAL changed something.
    """
    refuse(layers, ".tab", whole=True)
    problems = [problem for layer in layers for problem in (*_text_problems(layer), *_point_problems(layer))]
    if problems:
        raise ExportError("有内容不能写成 MapInfo 表:", problems)
    for layer in layers:
        columns = [_column(field, name, values) for field, name, values in fields_of(layer)]
        bounds = ",".join(repr(float(edge)) for edge in _bounds(layer.table))
        write_columns(layer, columns, folder / f"{layer.name}.tab", layer=layer.name, driver="MapInfo File",
                      layer_options={"ENCODING": ENCODING, "BOUNDS": bounds})
        _clean_names(folder / f"{layer.name}.dat")


def _clean_names(path: Path) -> None:
    """Zero what stands behind the names of fields in the head of a ``.dat``: GDAL leaves random bytes there.

    Source: dBASE III, as MapInfo has it: descriptors of 32 bytes from byte 32 to a 0x0D, a name of 11 bytes first.
    """
    with path.open("r+b") as file:
        head = bytearray(file.read(int.from_bytes(file.read(10)[8:10], "little") - 10))
        at = _HEAD_BYTES - 10
        while at + _HEAD_BYTES <= len(head) and head[at] != _HEAD_END:
            name = bytes(head[at:at + _NAME_BYTES]).split(b"\0")[0]
            head[at:at + _NAME_BYTES] = name.ljust(_NAME_BYTES, b"\0")
            at += _HEAD_BYTES
        file.seek(10)
        file.write(head)


def _point_problems(layer: OutLayer) -> list[Problem]:
    """Rows of several points: GDAL writes each as a row of its own."""
    many = (layer.table.geom_type == "MultiPoint").to_numpy() & (
        shapely.get_num_geometries(layer.table.geometry.to_numpy()) > 1)
    return [Problem(layer.name, f"{layer.name}.tab", str(row), "geometry", "一行有多个点,MapInfo 表会写成多行",
                    "拆成多行,或使用 GeoPackage、File GDB、Shapefile") for row in layer.table.loc[many, key_column(layer)]]


def _text_problems(layer: OutLayer) -> list[Problem]:
    problems = []
    for field, name, values in fields_of(layer):
        _, problem = _encoded(name)
        if problem:
            problems.append(Problem(layer.name, f"{layer.name}.tab", "", name, f"字段名{problem}", "改用拼音字段名"))
        if field.type != "text":
            continue
        for row, value in zip(layer.table[key_column(layer)], values, strict=True):
            if pd.isna(value):
                continue
            size, problem = _encoded(value)
            if problem:
                problems.append(Problem(layer.name, f"{layer.name}.tab", str(row), name, problem,
                                        "在导出方案中写明替代字,或改用 GeoPackage、File GDB、UTF-8 的 Shapefile"))
            elif size > _WIDEST:
                problems.append(Problem(layer.name, f"{layer.name}.tab", str(row), name,
                                        f"文本有 {size} 字节,超过 {_WIDEST}", "缩短文本,或在导出方案中写明 over_long = \"cut\""))
    return problems


def _encoded(text: str) -> tuple[int, str]:
    """Bytes of a text in CP936, and what it has that is not in there."""
    if encodes(text, ENCODING):
        return len(text.encode(ENCODING)), ""
    return 0, f"“{lacking(text, ENCODING)}”不在 {ENCODING} 字符集内"


def _bounds(table: gpd.GeoDataFrame) -> np.ndarray:
    """Bounds of the table: coordinates become steps of a 2,000,000,000th of them, so they are near the data."""
    metres, degrees = _MARGIN
    margin = degrees if table.crs.is_geographic else metres
    edges = table.total_bounds
    if not np.isfinite(edges).all():
        edges = np.array([73.0, 3.0, 136.0, 54.0]) if table.crs.is_geographic else np.array([0.0, 0.0, 1e6, 6e6])
    low = np.floor(edges[:2] / margin - 1.0) * margin
    high = np.ceil(edges[2:] / margin + 1.0) * margin
    return np.concatenate([low, high])


def _column(field: ProfileField, name: str, values: pd.Series) -> Column:
    if field.type == "date":
        return Column(name, date_values(values, pa.date32()))
    if field.type == "text":
        return _text_column(name, text_values(values), field.width)
    if values.isna().any():
        texts = [None if pd.isna(value) else _number_text(field, value) for value in values]
        return _text_column(name, pa.array(texts, pa.string()), field.width)
    if field.type == "int":
        return Column(name, int_values(field, values, pa.float64()))
    numbers = float_values(values)
    digits = min(max(field.width - 2, field.decimals + 1), _DIGITS)
    if field.decimals and (values.abs() < 10.0 ** (digits - field.decimals) - 1).all():
        fixed = numbers.cast(pa.decimal128(digits, field.decimals))
        if fixed.cast(pa.float64()).equals(numbers):  # no value has more decimals than its field
            return Column(name, fixed)
    return Column(name, numbers)


def _text_column(name: str, values: pa.Array, width: int) -> Column:
    longest = max((len(text.encode(ENCODING)) for text in values.to_pylist() if text), default=1)
    return Column(name, values, {"GDAL:OGR:width": str(min(max(width, longest), _WIDEST))})


def _number_text(field: ProfileField, value: float) -> str:
    """A number as text: with the decimals of its field when these are all it has, else with all of its own."""
    if field.type == "int":
        return str(int(value))
    text = f"{value:.{field.decimals}f}"
    return text if float(text) == value else repr(float(value))


def read(folder: Path, layer: OutLayer) -> gpd.GeoDataFrame:
    """The layer as it stands in its file.

    GDAL knows no CGCS2000 of MapInfo: the file says WGS 84 with the same projection (the two differ by centimetres).
    The table gets the CRS of the layer when that puts it on the same place.

    Raises
    ------
    ExportError
        It cannot be read, or the CRS of the file means another place.
    """
    with reading(f"{layer.name}.tab"):
        return _in_place(layer, read_columns(layer, folder / f"{layer.name}.tab"))


def _in_place(layer: OutLayer, table: gpd.GeoDataFrame) -> gpd.GeoDataFrame:
    """The table in the CRS of its layer, which means the same place as that of the file."""
    if table.crs is None and not len(table):  # a table without rows has no map
        return table.set_crs(layer.table.crs)
    edges = _bounds(table) if table.crs else np.zeros(4)
    try:
        there = transform_points(edges[[0, 2]], edges[[1, 3]], table.crs, "EPSG:4326")
        here = transform_points(edges[[0, 2]], edges[[1, 3]], layer.table.crs, "EPSG:4326")
    except ValueError as error:
        raise ExportError(f"{layer.name}.tab 读回的坐标系不能使用:{error}") from error
    if not np.allclose(there, here, rtol=0.0, atol=_SAME_PLACE_DEG):
        raise ExportError(f"{layer.name}.tab 读回的坐标系与图层的坐标系不是同一位置")
    return table.set_crs(layer.table.crs, allow_override=True)


TAB = Format("tab", "MapInfo TAB", True, write, read, Kept(geometry_m=1e-3, crs=False))
