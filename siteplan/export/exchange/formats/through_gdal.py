"""Tables on their way through GDAL: typed Arrow columns with titles out, typed tables back."""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import geopandas as gpd
import numpy as np
import pandas as pd
import pyarrow as pa
import pyogrio
import shapely

from siteplan.errors import ExportError, Problem
from siteplan.export.exchange.compare import key_column
from siteplan.export.exchange.formats.text import reading
from siteplan.export.exchange.out_layer import OutLayer
from siteplan.profiles import ProfileField

GREATEST_INT = 2**53
"""Whole numbers up to here stay exact as a double."""
_INT32 = 2**31 - 1
_SHORT_INT = 9
"""Fields of so many digits hold no number over 32 bits."""
_FIXED = {"OGR_CURRENT_DATE": "2000-01-01T00:00:00.000Z", "OPENFILEGDB_REPRODUCIBLE_UUID": "YES"}
"""Dates of change and ids that GDAL would make up anew each time: same plan, same bytes."""
_ONLY_SLOW = re.compile(r"organizePolygons\(\) received a polygon with more than \d+ parts")
"""GDAL's warning that it will be slow; it sorts out islands and holes all the same."""
_XML_BARRED = r"[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]"
_BARRED = r"[\x00\ud800-\udfff]"


class Column(NamedTuple):
    """One column as it goes to GDAL: its name, values, and what the driver is told of it (title, width)."""

    name: str
    values: pa.Array
    told: Mapping[str, str] = {}


def fields_of(layer: OutLayer) -> Iterator[tuple[ProfileField, str, pd.Series]]:
    """Field, name as written, and values, in order.

    Raises
    ------
    ExportError
        The table does not have the columns of its profile.
    """
    names = [str(name) for name in layer.table.columns if name != layer.table.active_geometry_name]
    if len(names) != len(layer.profile.fields):
        raise ExportError(f"图层 {layer.name} 有 {len(names)} 个字段,"
                          f"导出方案 {layer.profile.id} 规定 {len(layer.profile.fields)} 个")
    for field, name in zip(layer.profile.fields, names, strict=True):
        yield field, name, layer.table[name]


def refuse(layers: Sequence[OutLayer], suffix: str, *, whole: bool = False, xml: bool = False) -> None:
    """Raise for everything in the layers that a format cannot hold.

    Parameters
    ----------
    suffix : str
        What stands behind the name of the layer in the name of its file.
    whole : bool
        Whether whole numbers over 2**53 are refused too.
    xml : bool
        Whether the texts become XML, which knows no control characters.

    Raises
    ------
    ExportError
        All faults are listed: missing CRS, infinite numbers, whole numbers that would not stay exact, characters that
        end a text in the file or that XML does not know.
    """
    problems = []
    for layer in layers:
        file = layer.name + suffix
        if layer.table.crs is None:
            problems.append(Problem(layer.name, file, "", "", "没有坐标系", "在研究文件 [deliver] 中写明 crs"))
        for field, name, column in fields_of(layer):
            bad, reason, remedy = _faults(field, column, whole, _XML_BARRED if xml else _BARRED)
            rows = layer.table.loc[bad.to_numpy(dtype=bool), key_column(layer)] if bad.any() else []
            problems += [Problem(layer.name, file, str(row), name, reason, remedy) for row in rows]
    if problems:
        raise ExportError("有内容不能写出:", problems)


def _faults(field: ProfileField, column: pd.Series, whole: bool, barred: str) -> tuple[pd.Series, str, str]:
    if field.type == "float":
        return np.isinf(column.astype("float64")), "无穷大不能写出", "检查计算出该值的数据"
    if field.type == "int" and whole:
        return (column.abs() > GREATEST_INT).fillna(False), "整数超过 2 的 53 次方,写出后不再准确", "把该字段改为文本"
    if field.type == "text":
        return column.str.contains(barred, regex=True, na=False), "含有控制字符或残缺字符", "在源数据中删除该字符"
    return pd.Series(False, index=column.index), "", ""


def text_values(column: pd.Series) -> pa.Array:
    """Texts, null where empty."""
    return pa.array(column.astype(object).where(column.notna(), None), pa.string())


def int_values(field: ProfileField, column: pd.Series, long: pa.DataType) -> pa.Array:
    """Whole numbers: 32 bits where the field asks for no more and they fit, else of the type ``long``."""
    short = field.width <= _SHORT_INT and not (column.abs() > _INT32).any()
    return pa.array(column.astype("Int64")).cast(pa.int32() if short else long)


def float_values(column: pd.Series) -> pa.Array:
    """Numbers, null where missing."""
    return pa.array(column.to_numpy(dtype="float64", na_value=np.nan), pa.float64(), from_pandas=True)


def date_values(column: pd.Series, kind: pa.DataType) -> pa.Array:
    """Days of the type ``kind`` (a date, a point in time, or text as 2026-01-31), null where missing."""
    days = pa.array(column.astype("datetime64[s]").dt.floor("D").to_numpy(), pa.timestamp("s"), from_pandas=True)
    return days.cast(pa.date32()).cast(pa.string()) if kind == pa.string() else days.cast(kind)


@contextmanager
def no_warning() -> Iterator[None]:
    """Every warning of GDAL is an error: a value was lost or changed. That many polygons are slow is no such thing.

    They are gathered and raised at the end: GDAL calls back from C, where an exception would only be printed.

    Raises
    ------
    ValueError
        With the words of the first few.
    """
    with warnings.catch_warnings(record=True) as found:
        warnings.simplefilter("always")
        yield
    told = [str(warning.message) for warning in found
            if not issubclass(warning.category, FutureWarning | DeprecationWarning)
            and not _ONLY_SLOW.match(str(warning.message))]
    if told:
        raise ValueError(f"GDAL 报告内容有改变:{';'.join(list(dict.fromkeys(told))[:3])}")


@contextmanager
def _reproducible() -> Iterator[None]:
    before = {name: pyogrio.get_gdal_config_option(name) for name in _FIXED}
    pyogrio.set_gdal_config_options(_FIXED)
    try:
        yield
    finally:
        pyogrio.set_gdal_config_options(before)


def write_columns(layer: OutLayer, columns: Sequence[Column], path: Path, /, *, kind: str = "", **options: Any) -> None:
    """Write a layer; every warning of GDAL (a cut text, a lost character, another type) is an error.

    Parameters
    ----------
    kind : str
        Kind of geometry that the file is told; empty = that of the profile, its multi kind when a row has one.

    Raises
    ------
    ExportError
    """
    shapes = layer.table.geometry
    fields = [pa.field(column.name, column.values.type, metadata=dict(column.told)) for column in columns]
    fields.append(pa.field("geometry", pa.binary(), metadata={"ARROW:extension:name": "geoarrow.wkb"}))
    kind = kind or geometry_kind(layer)
    wkb = shapely.to_wkb(_as_kind(shapes.to_numpy(), kind))
    table = pa.Table.from_arrays([*(column.values for column in columns), pa.array(wkb, pa.binary())],
                                 schema=pa.schema(fields))
    write_arrow(table, path, geometry_name="geometry", geometry_type=kind, crs=layer.table.crs.to_wkt(), **options)


def write_arrow(table: pa.Table, path: Path, /, **options: Any) -> None:
    """Write an Arrow table; every warning of GDAL is an error, and dates of change are always the same.

    Raises
    ------
    ExportError
    """
    file = f"{path.name}(图层 {options.get('layer', path.stem)})"
    try:
        with _reproducible(), no_warning():
            pyogrio.write_arrow(table, path, **options)
    except (pyogrio.errors.DataSourceError, pyogrio.errors.DataLayerError, pyogrio.errors.FeatureError,
            pyogrio.errors.CRSError, RuntimeError, ValueError, OSError, UnicodeError) as error:
        raise ExportError(f"{file}写出失败:{error}") from error


def geometry_kind(layer: OutLayer) -> str:
    """Kind of the profile, or its multi kind when a row has one."""
    kinds = set(layer.table.geometry.geom_type.dropna())
    kind = layer.profile.geometry
    return f"Multi{kind}" if f"Multi{kind}" in kinds else kind


def _as_kind(shapes: np.ndarray, kind: str) -> np.ndarray:
    """Single parts as multi ones where the layer is of a multi kind: files have one kind for a layer."""
    if kind not in ("MultiPolygon", "MultiLineString"):
        return shapes
    single = shapely.get_type_id(shapes) == (3 if kind == "MultiPolygon" else 1)
    make = shapely.multipolygons if kind == "MultiPolygon" else shapely.multilinestrings
    multi = shapes.copy()
    multi[single] = [make([shape]) for shape in shapes[single]]
    return multi


def read_columns(layer: OutLayer, path: Path, /, **options: Any) -> gpd.GeoDataFrame:
    """A layer as it stands in a file, its columns named and typed as those of ``layer.table``; further ones follow.

    Raises
    ------
    ExportError
        It cannot be read, lacks a field, or has values that are not of the type of their field.
    """
    with reading(f"{path.name}(图层 {layer.name})"), warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # of opening; what matters shows in the comparison
        meta, table = pyogrio.read_arrow(path, **options)
        table.validate(full=True)  # texts of a damaged file may be no UTF-8
        place = meta["geometry_name"] or "wkb_geometry"
        found = table[place].to_numpy() if place in table.column_names else np.full(len(table), None)
        values = {name: table[name] for name in table.column_names if name != place}
        return typed(layer, values, shapely.from_wkb(found), meta["crs"], path.name)


def typed(layer: OutLayer, values: Mapping[str, Any], shapes: np.ndarray, crs: Any, file: str) -> gpd.GeoDataFrame:
    """Arrow columns as a table like ``layer.table``.

    Raises
    ------
    ExportError
        A field is missing, or a value is not of the type of its field.
    """
    columns: dict[str, Any] = {}
    faults = []
    for field, name, _ in fields_of(layer):
        if not values and not len(shapes):  # GeoJSON has fields only where it has rows
            columns[name] = layer.table[name].iloc[:0]
            continue
        if name not in values:
            faults.append(f"缺少字段 {name}")
            continue
        try:
            columns[name] = _typed(field, values[name])
        except (pa.ArrowInvalid, pa.ArrowNotImplementedError, ValueError, TypeError) as error:
            faults.append(f"字段 {name} 的值不是导出方案规定的类型:{error}")
    if faults:
        raise ExportError(f"{file} 读回检查未通过(图层 {layer.name}):{';'.join(faults)}")
    columns |= {name: column.to_pandas() for name, column in values.items() if name not in columns}
    return gpd.GeoDataFrame(columns, geometry=shapes, crs=crs)


def _typed(field: ProfileField, column: pa.ChunkedArray) -> pd.Series:
    if field.type == "text":
        return column.cast(pa.string()).to_pandas().astype("str")
    if field.type == "date":
        return column.cast(pa.timestamp("s")).to_pandas().astype("datetime64[s]")
    if pa.types.is_string(column.type) or pa.types.is_large_string(column.type):
        blank = pa.compute.equal(column, "")
        column = pa.compute.if_else(blank, pa.scalar(None, column.type), column)
    if field.type == "float":
        return column.cast(pa.float64()).to_pandas().astype("float64")
    return column.cast(pa.int64()).to_pandas(types_mapper={pa.int64(): pd.Int64Dtype()}.get)
