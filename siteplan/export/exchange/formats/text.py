"""CSV: UTF-8 with BOM, Chinese headings, no cell and no heading that a spreadsheet takes for a formula."""

from __future__ import annotations

import csv
import struct
import zlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import geopandas as gpd
import numpy as np
import pandas as pd
import pyarrow as pa
import shapely

from siteplan.errors import ExportError, Problem
from siteplan.export.exchange.compare import REMEDY
from siteplan.export.exchange.formats.registry import Format, Kept
from siteplan.export.exchange.out_layer import OutLayer
from siteplan.profiles._nouns import FieldType

_STARTS = ("=", "+", "-", "@", "\t", "\r", "\n", "\uff1d", "\uff0b", "\uff0d", "\uff20", "'")
"""How a formula may start, wide forms too; and the mark itself, so that it can be taken off again exactly."""


_PLACE_ROOM = 1e-14
"""Relative room of places: XLSX has 16 digits."""
_DAMAGED: tuple[type[Exception], ...] = (
    OSError, ValueError, LookupError, TypeError, ArithmeticError, AssertionError, AttributeError, EOFError, MemoryError,
    RuntimeError, StopIteration, SyntaxError, UnboundLocalError, struct.error, zlib.error, BadZipFile,
    pa.ArrowException, shapely.errors.ShapelyError)
"""What readers raise over damaged files: zip, XML (a SyntaxError), GDAL (a RuntimeError), Arrow, geometry; pyogrio
an UnboundLocalError where it cannot decode a damaged .prj."""


def guarded(text: str) -> str:
    """The text with a mark (``'``) before what a spreadsheet could take for a formula.

    `unguarded` takes the mark off again, whatever the text is.

    >>> guarded("=1+1"), guarded("'=1"), guarded("溪口镇")
    ("'=1+1", "''=1", '溪口镇')
    """
    return f"'{text}" if text.startswith(_STARTS) else text


def unguarded(text: str) -> str:
    """The text before `guarded`.

    >>> unguarded(guarded("'=1"))
    "'=1"
    """
    return text[1:] if text.startswith("'") else text


def typed_column(kind: FieldType, values: Sequence[Any]) -> pd.Series:
    """A column as an exchange layer has it, from what a file gave.

    Parameters
    ----------
    kind : {"text", "int", "float", "date"}
    values : sequence
        Text, numbers or days; None and empty text are empty.

    Returns
    -------
    Series
        ``str``, ``Int64``, ``float64`` or ``datetime64[s]``; numbered rows.

    Examples
    --------
    >>> typed_column("int", ["7", "", 12.0]).tolist()
    [7, <NA>, 12]
    >>> typed_column("date", ["2027-06-30", None]).isna().tolist()
    [False, True]
    """
    given = [None if value is None or value == "" else value for value in values]
    if kind == "text":
        return pd.Series([None if value is None else str(value) for value in given], dtype="str")
    if kind == "int":
        return pd.Series(pd.array([pd.NA if value is None else int(value) for value in given], dtype="Int64"))
    if kind == "float":
        return pd.Series([np.nan if value is None else float(value) for value in given], dtype="float64")
    days = [np.datetime64("NaT") if value is None else np.datetime64(value, "s") for value in given]
    return pd.Series(np.array(days, dtype="datetime64[s]"))


def layer_cells(layer: OutLayer) -> Iterator[tuple[str, list[Any]]]:
    """Fields of a layer with their values as plain Python: str, int, float, ISO text of a day; None = empty."""
    for field in layer.profile.fields:
        column = layer.table[field.name]
        empty = column.isna().to_numpy()
        if field.type == "date":
            values: list[Any] = [_iso(value) for value in column]
        else:
            make = {"text": str, "int": int, "float": float}[field.type]
            values = [None if gone else make(value) for value, gone in zip(column, empty, strict=True)]
        yield field.name, [None if gone or value == "" else value for value, gone in zip(values, empty, strict=True)]


def _iso(value: Any) -> str | None:
    """``2027-06-30``, with the time of day where there is one."""
    if pd.isna(value):
        return None
    stamp = pd.Timestamp(value)
    return stamp.date().isoformat() if stamp == stamp.normalize() else stamp.isoformat()


def place_columns(layer: OutLayer) -> Mapping[str, list[float]]:
    """Columns of places, for tables: of points where they are, else a point inside and the size.

    Returns
    -------
    mapping of str to list of float
        ``图形X(北,米;EPSG:4547)``, ``图形Y(东,米;EPSG:4547)`` (north first), or ``图形经度(度;EPSG:4490)``, ``图形纬度(...)`` in a
        geographic CRS; of lines and polygons ``代表点...`` and ``图形长度(米)`` or ``图形面积(平方米)``, on the ellipsoid in a
        geographic CRS.
    """
    shapes = layer.table.geometry
    is_point = layer.profile.geometry == "Point"
    points = shapes if is_point else shapes.representative_point()
    word = "图形" if is_point else "代表点"
    code = "坐标系未知" if shapes.crs is None else ":".join(shapes.crs.to_authority() or (shapes.crs.name,))
    if shapes.crs is not None and shapes.crs.is_geographic:
        places = {f"{word}经度(度;{code})": points.x.tolist(), f"{word}纬度(度;{code})": points.y.tolist()}
    else:
        places = {f"{word}X(北,米;{code})": points.y.tolist(), f"{word}Y(东,米;{code})": points.x.tolist()}
    if is_point:
        return places
    size = _length if layer.profile.geometry == "LineString" else _area
    title = "图形长度(米)" if layer.profile.geometry == "LineString" else "图形面积(平方米)"
    return {**places, title: [round(value, 1) for value in size(shapes)]}


def _area(shapes: gpd.GeoSeries) -> list[float]:
    if shapes.crs is None or not shapes.crs.is_geographic:
        return list(shapes.area)
    return [abs(shapes.crs.get_geod().geometry_area_perimeter(shape)[0]) for shape in shapes]


def _length(shapes: gpd.GeoSeries) -> list[float]:
    if shapes.crs is None or not shapes.crs.is_geographic:
        return list(shapes.length)
    return [shapes.crs.get_geod().geometry_length(shape) for shape in shapes]


def headings(layer: OutLayer) -> list[str]:
    """Headings of a table: Chinese titles of the fields, then those of the places."""
    return [*(field.zh for field in layer.profile.fields), *place_columns(layer)]


def table_faults(layers: Sequence[OutLayer], folder: str, most: int) -> list[Problem]:
    """What a table cannot hold: several points in a row, endless numbers, halves of letters, texts over ``most`` units.

    Units are those of UTF-16, by which spreadsheets count.
    """
    found = []
    for layer in layers:
        keys = layer.table[layer.profile.key].astype("str")
        shapes = layer.table.geometry
        gone = (shapes.isna() | shapes.is_empty).to_numpy()
        many = (shapes.geom_type == "MultiPoint").to_numpy() & ~gone
        for rows, reason, remedy in ((gone, "没有图形", "在来源图层补全位置,或不列入该行"),
                                     (many, "一行有多个点,表格的一行只能写一个", "拆成多行,或使用 GeoPackage")):
            found += [Problem(layer.name, folder, keys.iloc[row], "geometry", reason, remedy)
                      for row in np.flatnonzero(rows)]
        for name, values in layer_cells(layer):
            for key, value in zip(keys, values, strict=True):
                if isinstance(value, float) and not np.isfinite(value):
                    found.append(Problem(layer.name, folder, key, name, "数值为无穷大", "改正来源数据"))
                if isinstance(value, str):
                    found += [Problem(layer.name, folder, key, name, *fault) for fault in _text_faults(value, most)]
    return found


def _text_faults(text: str, most: int) -> Iterator[tuple[str, str]]:
    if any("\ud800" <= letter <= "\udfff" for letter in text):
        yield "文字含不完整的字符(半个代理对)", "改正来源文字"
    elif len(text.encode("utf-16-le")) > 2 * most:
        yield f"文字超过一个单元格能放的 {most} 字", "缩短来源文字,或使用 GeoPackage"


def placed_table(layer: OutLayer, file: str, columns: Mapping[str, pd.Series], places: Sequence[Sequence[Any]],
                 ) -> gpd.GeoDataFrame:
    """The table read back; of a layer of points with its places, else without shapes.

    Raises
    ------
    ExportError
        The columns of places of lines or polygons do not say what follows from the shapes.
    """
    first, second = places[0], places[1]
    shapes: Any = [None] * len(first)
    if layer.profile.geometry != "Point":
        _check_places(layer, file, places)
    else:
        geographic = layer.table.crs is not None and layer.table.crs.is_geographic
        east, north = (first, second) if geographic else (second, first)
        shapes = gpd.points_from_xy([float(value) for value in east], [float(value) for value in north])
    return gpd.GeoDataFrame(dict(columns), geometry=gpd.GeoSeries(shapes, crs=layer.table.crs), crs=layer.table.crs)


def _check_places(layer: OutLayer, file: str, places: Sequence[Sequence[Any]]) -> None:
    """Places and sizes of shapes as they were read, against those that follow from the shapes, row by row."""
    problems = []
    keys = layer.table[layer.profile.key].astype("str")
    for (title, asked), given in zip(place_columns(layer).items(), places, strict=True):
        if len(asked) != len(given):
            return  # the comparison tells which rows
        read = [float(value) for value in given]
        problems += [Problem(layer.name, file, keys.iloc[row], title, f"写出“{asked[row]!r}”,读回“{read[row]!r}”", REMEDY)
                     for row in np.flatnonzero(~np.isclose(read, asked, rtol=_PLACE_ROOM, atol=0.0))]
    if problems:
        raise ExportError(f"{file} 读回检查未通过:", problems)


@contextmanager
def reading(file: str, *faults: type[Exception]) -> Iterator[None]:
    """Turn whatever a missing, cut, damaged or foreign file raises into an ExportError."""
    try:
        yield
    except ExportError:
        raise
    except (*_DAMAGED, *faults) as error:
        raise ExportError(f"{file} 不能读回:{error}") from error


def _write(layers: Sequence[OutLayer], folder: Path) -> None:
    """A file for each layer; see :class:`Format`.

    Raises
    ------
    ExportError
        A value cannot be written to a table.
    """
    problems = table_faults(layers, "csv", csv.field_size_limit())
    if problems:
        raise ExportError("CSV 不能写出:", problems)
    for layer in layers:
        kinds = {field.name: field.type for field in layer.profile.fields}
        columns = [[("" if value is None else guarded(value) if kinds[name] == "text" else
                     repr(value) if isinstance(value, float) else str(value)) for value in values]
                   for name, values in layer_cells(layer)]
        columns += [[repr(value) for value in values] for values in place_columns(layer).values()]
        with (folder / f"{layer.name}.csv").open("w", encoding="utf-8-sig", newline="") as file:
            lines = csv.writer(file, lineterminator="\r\n")
            lines.writerow([guarded(title) for title in headings(layer)])
            lines.writerows(zip(*columns, strict=True))


def _read(folder: Path, layer: OutLayer) -> gpd.GeoDataFrame:
    """A layer read back; the mark before guarded text is taken off."""
    name = f"{layer.name}.csv"
    with reading(name, csv.Error), (folder / name).open(encoding="utf-8-sig", newline="") as file:
        head, *rows = csv.reader(file)
        return _from_rows(layer, name, head, rows)


def _from_rows(layer: OutLayer, name: str, head: Sequence[str], rows: Sequence[Sequence[str]]) -> gpd.GeoDataFrame:
    titles = [unguarded(title) for title in head]
    if titles != headings(layer):
        raise ExportError(f"{name} 的表头与写出的不同:{titles}")
    cells = list(zip(*rows, strict=True)) if rows else [() for _ in titles]
    columns = {}
    for field, given in zip(layer.profile.fields, cells, strict=False):
        plain = [unguarded(value) for value in given] if field.type == "text" else given
        columns[field.name] = typed_column(field.type, plain)
    count = len(columns)
    return placed_table(layer, name, columns, cells[count:])


CSV = Format("csv", "CSV(UTF-8)", narrow=False, write=_write, read=_read, kept=Kept(kinds=("Point",)))
