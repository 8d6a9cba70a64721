"""Shapefile: the exchange copy, with the names, widths, decimals and encoding of the profile really in its table."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyogrio
import shapely

from siteplan.errors import ExportError, Problem
from siteplan.export.exchange.formats.registry import Format, Kept
from siteplan.export.exchange.formats.text import reading
from siteplan.export.exchange.formats.through_gdal import no_warning
from siteplan.export.exchange.formats.words import CREATED
from siteplan.export.exchange.out_layer import OutLayer
from siteplan.profiles import ProfileField

TEXT_BYTES = 254
"""Widest text of a DBF table."""
NAME = re.compile(r"\w[\w-]{0,59}")
"""Names of files: nothing in them leads elsewhere."""
_LANGUAGE_ID = {"GBK": "LDID/77"}
"""Encodings that the byte of the language in the DBF header tells."""
_CODE_PAGE = {"GBK": "936"}
"""What the .cpg says where GDAL writes none: the number of the code page, which old and new readers know."""
_LANGUAGE_BYTE = 29
"""Place of the byte of the language in the DBF header."""
_GIB = 2**31 - 1
_DIGITS = 38
"""Digits of the Arrow type that numbers are rounded in."""


def write_shapefiles(layers: Sequence[OutLayer], folder: Path) -> None:
    """Write each layer as ``NAME.shp`` with its parts.

    Parameters
    ----------
    layers : sequence of OutLayer
        Narrowed ones: names and texts fit the encoding ``profile.encoding``.
    folder : Path
        Existing folder.

    Raises
    ------
    ExportError
        A layer is too large for a Shapefile, or GDAL fails or warns; every layer is told.

    Notes
    -----
    GDAL takes the width of texts and whole numbers from the metadata ``GDAL:OGR:width`` of an Arrow field. Width and
    decimals of a float follow from an Arrow decimal: a point and a sign are added to its digits. GBK is told twice:
    by the language byte of the DBF header and by the ``.cpg``.
    """
    problems: list[Problem] = []
    for layer in layers:
        try:
            _write(layer, folder / f"{layer.name}.shp")
        except ExportError as error:
            problems += error.problems
    if problems:
        raise ExportError("Shapefile 写出失败:", problems)


def _write(layer: OutLayer, path: Path) -> None:
    encoding = layer.profile.encoding
    try:
        if not NAME.fullmatch(layer.name):
            raise ValueError(f"图层名 {layer.name!r} 只能用文字、数字、下划线和连字符")
        table = _arrow_table(layer)
        _check_size(layer)
        with no_warning():
            pyogrio.write_arrow(
                table, path, driver="ESRI Shapefile", geometry_name="geometry", crs=_crs_text(layer),
                geometry_type=_geometry_type(layer), encoding=_LANGUAGE_ID.get(encoding, encoding),
                layer_options={"DBF_DATE_LAST_UPDATE": CREATED.date().isoformat()})
        if encoding in _CODE_PAGE:
            path.with_suffix(".cpg").write_text(_CODE_PAGE[encoding], encoding="ascii")
    except (pyogrio.errors.DataSourceError, pyogrio.errors.DataLayerError, pyogrio.errors.GeometryError,
            pyogrio.errors.CRSError, pyogrio.errors.FeatureError, pa.ArrowInvalid, RuntimeError, OSError,
            ValueError) as error:
        raise ExportError("", [Problem(layer.name, path.name, "", "", f"写出失败:{error}",
                                       "检查磁盘空间、写权限和字段设置后重新导出")]) from error


def _crs_text(layer: OutLayer) -> str:
    """The CRS for GDAL: its EPSG code where it has one."""
    if layer.table.crs is None:
        raise ValueError("没有坐标系")
    code = layer.table.crs.to_epsg(20)
    return f"EPSG:{code}" if code else str(layer.table.crs.to_wkt())


def _geometry_type(layer: OutLayer) -> str:
    """Lines and areas of one part and of many share a type in a Shapefile; points do not."""
    kind = layer.profile.geometry
    return "MultiPoint" if kind == "Point" and (layer.table.geom_type == "MultiPoint").any() else kind


def _check_size(layer: OutLayer) -> None:
    size = len(layer.table) * sum(field.width for field in layer.profile.fields)
    if size > _GIB:
        raise ValueError(f"{len(layer.table)} 行共约 {size / 2**30:.1f} GB,超过 Shapefile 的 2 GB;改用 GeoPackage 或 File GDB")


def _arrow_table(layer: OutLayer) -> Any:
    """The layer as Arrow arrays whose types and metadata say the widths."""
    shape = layer.table.geometry.name
    columns, fields = [], []
    for field, name in zip(layer.profile.fields, layer.table.columns.drop(shape), strict=True):
        array, width = _array(field, layer.table[name])
        meta = {"GDAL:OGR:width": str(width)} if width else None
        columns.append(array)
        fields.append(pa.field(str(name), array.type, metadata=meta))
    shapes = layer.table.geometry.to_numpy()
    if _geometry_type(layer) == "MultiPoint":
        shapes = np.array([shape if shape is None or shape.geom_type == "MultiPoint" else shapely.multipoints([shape])
                           for shape in shapes], dtype=object)
    columns.append(pa.array(shapely.to_wkb(shapes), pa.binary()))
    fields.append(pa.field("geometry", pa.binary(), metadata={"ARROW:extension:name": "geoarrow.wkb"}))
    return pa.table(columns, schema=pa.schema(fields))


def _array(field: ProfileField, values: pd.Series) -> tuple[Any, int]:
    """A column as Arrow array, and the width that its metadata must say; 0 where the type says it."""
    if field.type == "text":
        return pa.array(values.astype("str"), pa.string(), from_pandas=True), min(field.width, TEXT_BYTES)
    if field.type == "int":
        return pa.array(values.astype("Int64"), pa.int64(), from_pandas=True), field.width
    if field.type == "date":
        return pa.array(values.astype("datetime64[s]"), from_pandas=True).cast(pa.date32()), 0
    return _decimals(values, field), 0


def _decimals(values: pd.Series, field: ProfileField) -> Any:
    """Floats as decimals of the width and the decimals of the field.

    GDAL makes the column of the table two letters wider than the digits, for point and sign; a positive number may use
    these. So the digits are rounded in the widest type, and told as the narrower one.
    """
    array = pa.array(values.to_numpy(dtype="float64", na_value=np.nan), from_pandas=True)
    wide = pc.cast(array, pa.decimal128(_DIGITS, field.decimals))
    digits = max(field.width - 2, field.decimals, 1)
    return pa.Array.from_buffers(pa.decimal128(digits, field.decimals), len(wide), wide.buffers(), wide.null_count)


def read_shapefile(folder: Path, layer: OutLayer) -> gpd.GeoDataFrame:
    """The layer read back; numbers, days and texts in the types of ``layer.table``.

    Raises
    ------
    ExportError
        It cannot be read.
    """
    path = folder / f"{layer.name}.shp"
    with reading(path.name):
        _check_encoding(layer.profile.encoding, path)
        with no_warning():
            facts, table = pyogrio.read_arrow(path)
        table.validate(full=True)  # texts of a damaged file may be no UTF-8
        shape = facts["geometry_name"] or "wkb_geometry"
        columns = {name: _typed(table[name], layer.table[name].dtype if name in layer.table else None)
                   for name in table.column_names if name != shape}
        shapes = shapely.from_wkb(table[shape].to_numpy(zero_copy_only=False))
        return gpd.GeoDataFrame(columns, geometry=shapes, crs=facts["crs"])


def _check_encoding(encoding: str, path: Path) -> None:
    """The encoding stands in the ``.cpg`` and the head of the table: without it GDAL reads right, others guess."""
    with path.with_suffix(".dbf").open("rb") as file:
        language = file.read(_LANGUAGE_BYTE + 1)[_LANGUAGE_BYTE]
    page = path.with_suffix(".cpg").read_bytes()
    asked = _LANGUAGE_ID.get(encoding, "LDID/0").removeprefix("LDID/"), _CODE_PAGE.get(encoding, encoding).encode()
    if (str(language), page.strip()) != asked:
        raise ValueError(f"编码标记应为 {encoding},读到 .cpg {page[:20]!r},.dbf 语言字节 {language}")


def _typed(array: Any, dtype: Any) -> pd.Series:
    """A column in the type that was written where it is of that kind; else as it was read, which is a difference."""
    kind = array.type
    if pa.types.is_string(kind) or pa.types.is_large_string(kind):
        return pd.Series(array.to_pandas(), dtype="str")
    if pa.types.is_date(kind):
        return pd.Series(array.cast(pa.timestamp("s")).to_pandas(), dtype="datetime64[s]")
    if pa.types.is_integer(kind) and dtype is not None and not pd.api.types.is_float_dtype(dtype):
        return pd.Series(array.to_pandas(types_mapper={kind: pd.Int64Dtype()}.get), dtype="Int64")
    if pa.types.is_integer(kind) or pa.types.is_floating(kind):
        return pd.Series(array.cast(pa.float64()).to_pandas(), dtype="float64")
    return pd.Series(array.to_pandas())


SHP = Format("shp", "Shapefile", narrow=True, write=write_shapefiles, read=read_shapefile, kept=Kept())
