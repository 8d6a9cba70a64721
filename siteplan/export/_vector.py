"""Vector files: GeoPackage layers and a Shapefile, each read back and compared before it counts as written."""

from __future__ import annotations

import warnings
from pathlib import Path

import geopandas as gpd
import numpy as np
import pandas as pd
import pyogrio
import shapely

from siteplan.errors import ExportError


def _strict_write(table: gpd.GeoDataFrame, path: Path, **options: object) -> None:
    """Write with every warning of the writer an error (lost characters, cut fields)."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        # a debugging aid of pandas in the writer's own code, not about the data
        warnings.filterwarnings("ignore", category=FutureWarning)
        try:
            pyogrio.write_dataframe(table, path, **options)
        except Exception as error:
            raise ExportError(f"{path.name} 写出失败:{error}") from error


def _differs(written: pd.Series, read: pd.Series) -> bool:
    """True when a column did not survive the file."""
    if pd.api.types.is_numeric_dtype(written) or pd.api.types.is_bool_dtype(written):
        left = pd.to_numeric(written, errors="coerce").to_numpy(dtype=float, na_value=np.nan)
        right = pd.to_numeric(read, errors="coerce").to_numpy(dtype=float, na_value=np.nan)
        return not np.allclose(left, right, rtol=1e-9, atol=1e-6, equal_nan=True)
    left_text = written.astype("str").where(written.notna(), "").to_numpy(dtype=object)
    right_text = read.astype("str").where(read.notna(), "").to_numpy(dtype=object)
    return bool((left_text != right_text).any())


def check_read_back(table: gpd.GeoDataFrame, path: Path, layer: str | None = None) -> None:
    """Read the file again and compare rows, names, values, CRS and geometry.

    Raises
    ------
    ExportError
        What was written does not read back.
    """
    read = gpd.read_file(path, layer=layer, use_arrow=True) if layer else gpd.read_file(path)
    names = [name for name in table.columns if name != table.active_geometry_name]
    missing = [name for name in names if name not in read.columns]
    faults = [f"缺少字段 {', '.join(missing)}"] if missing else []
    if len(read) != len(table):
        faults.append(f"写出 {len(table)} 行,读回 {len(read)} 行")
    elif not missing:
        faults += [f"字段 {name} 读回不一致" for name in names if _differs(table[name], read[name])]
        here, there = table.geometry.to_numpy(), read.geometry.to_numpy()
        if not (shapely.equals_exact(here, there, 1e-6) | (shapely.is_missing(here) & shapely.is_missing(there))).all():
            faults.append("几何读回不一致")
    if table.crs is not None and (read.crs is None or read.crs.to_epsg(20) != table.crs.to_epsg(20)):
        faults.append(f"坐标系读回为 {read.crs}")
    if faults:
        raise ExportError(f"{path.name} 读回检查未通过:{';'.join(faults)}")


def write_geopackage(layers: dict[str, gpd.GeoDataFrame], path: Path) -> None:
    """Write layers into one GeoPackage (index as first column) and read every one back."""
    path.unlink(missing_ok=True)
    for number, (name, table) in enumerate(layers.items()):
        flat = table.reset_index()
        kind = _geometry_type(flat)
        _strict_write(flat, path, driver="GPKG", layer=name, append=number > 0, geometry_type=kind,
                      promote_to_multi=False, use_arrow=True)
        check_read_back(flat, path, name)


def _geometry_type(table: gpd.GeoDataFrame) -> str:
    """One type for the layer; ``Unknown`` admits a mixture."""
    kinds = set(table.geometry.geom_type.dropna())
    if len(kinds) == 1:
        return str(kinds.pop())
    return "MultiPolygon" if not kinds else "Unknown"


def write_shp(table: gpd.GeoDataFrame, path: Path, encoding: str = "UTF-8") -> None:
    """Write one Shapefile and read it back.

    Raises
    ------
    ExportError
        A field name over 10 bytes, a text over 254 bytes or outside the encoding, a non-finite number, or a file that
        does not read back: all faults are listed.
    """
    faults = []
    for name in (column for column in table.columns if column != table.active_geometry_name):
        if len(name.encode(encoding, errors="replace")) > 10:
            faults.append(f"字段名 {name} 超过10字节")
        column = table[name]
        if pd.api.types.is_float_dtype(column):
            if np.isinf(column.to_numpy(dtype=float, na_value=np.nan)).any():
                faults.append(f"字段 {name} 含无穷大")
        elif not pd.api.types.is_numeric_dtype(column):
            faults += _text_faults(name, column, encoding)
    bad = table.geometry.isna() | table.geometry.is_empty | ~table.geometry.is_valid
    if bad.any():
        faults.append(f"{int(bad.sum())} 行几何为空或无效")
    if table.crs is None:
        faults.append("没有坐标系")
    if faults:
        raise ExportError(f"{path.name} 不能写成 Shapefile:{';'.join(faults)}")
    _strict_write(table, path, driver="ESRI Shapefile", encoding=encoding, geometry_type=_point_or(table))
    check_read_back(table, path)


def _point_or(table: gpd.GeoDataFrame) -> str:
    kinds = set(table.geometry.geom_type)
    return str(next(iter(kinds))) if len(kinds) == 1 else "Point" if not kinds else "MultiPolygon"


def _text_faults(name: str, column: pd.Series, encoding: str) -> list[str]:
    faults = []
    for value in column.dropna().astype("str"):
        try:
            size = len(value.encode(encoding))
        except UnicodeEncodeError as error:
            faults.append(f"字段 {name} 的“{value[error.start:error.end]}”不在 {encoding} 字符集内(改用 UTF-8)")
            continue
        if size > 254:
            faults.append(f"字段 {name} 有 {size} 字节的文本,超过254")
    return faults[:5]
