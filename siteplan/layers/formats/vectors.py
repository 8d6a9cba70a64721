"""Shapefile, GeoPackage, GeoJSON, FlatGeobuf, GDB, TAB, KML, OSM, GeoParquet into raw tables."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd
import pyogrio
from pyogrio.errors import DataLayerError, DataSourceError

from siteplan.layers.file_log import FileLog
from siteplan.layers.formats.encodings import dbf_encoding
from siteplan.layers.formats.osm import TAGS, expand_tags, scratch_folder, write_config
from siteplan.layers.formats.raw_table import RawTable
from siteplan.layers.where import bad_where, names_known, quote_names, select_rows
from siteplan.params import LayerSource
from siteplan.schema import layer_schema

SUFFIXES = (".shp", ".gpkg", ".geojson", ".json", ".fgb", ".gdb", ".tab", ".mif", ".kml", ".kmz", ".pbf", ".parquet")
"""File name endings read here."""
_READ_ERRORS = (DataSourceError, DataLayerError, UnicodeDecodeError, ValueError, OSError, RuntimeError)


def read_vector(path: Path, source: LayerSource, log: FileLog) -> Iterator[RawTable]:
    """Read every wanted layer of a vector file; problems are logged."""
    if "!" in str(path):
        log.problem("路径里有 !，读取库会把它当作压缩包分隔符", "改名，去掉 !")
        return
    try:
        if path.suffix.lower() == ".parquet":
            raw = _chosen(_raw(gpd.read_parquet(path), "", log), source.where, log)
            if raw is not None:
                yield raw
            return
        for name in _layer_names(path, source, log):
            raw = _read_layer(path, name, source, log)
            if raw is not None:
                yield raw
    except _READ_ERRORS as error:
        log.problem(f"读不出来（{str(error).splitlines()[0][:160]}）", "用 GIS 软件打开检查，另存为 GeoPackage 后再提供")


def _layer_names(path: Path, source: LayerSource, log: FileLog) -> list[str]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the reading itself repeats them, and logs them
        names = [str(name) for name in pyogrio.list_layers(path)[:, 0]]
    if source.layer:
        return [name.strip() for name in source.layer.split(",") if name.strip()]
    if path.suffix.lower() == ".pbf":
        kind = layer_schema(log.layer).geometry
        usual = {"point": ["points"], "polygon": ["multipolygons"], "line": ["lines"]}
        wanted = usual.get(kind, ["lines", "multipolygons"])
        chosen = ["points", "multipolygons"] if log.layer in ("facilities", "population") else wanted
        log.line("", "layer", ",".join(chosen), "assumed", "OSM 文件未写明 layer", "需要别的要素时写明 layer")
        return chosen
    if len(names) > 1:
        log.line("", "layer", names[0], "note", f"有 {len(names)} 个图层（{'、'.join(names[:8])}），读第一个", "写明 layer")
    return names[:1]


def _read_layer(path: Path, name: str, source: LayerSource, log: FileLog) -> RawTable | None:
    """One layer; None = its `where` cannot be used, which was logged."""
    suffix, where = path.suffix.lower(), quote_names(source.where) if source.where else None
    if suffix == ".gpkg" and where and not names_known(where, _fields(path, name, None, hidden=True), log):
        return None
    encoding = ""
    try:
        if suffix == ".pbf":
            return _read_osm(path, name, where, source, log)
        encoding = dbf_encoding(path, source.encoding, log) if suffix == ".shp" else (source.encoding or "")
        frame = _read_attributes(path, name, where, encoding, log)
    except (ValueError, DataLayerError) as error:
        if where is None or isinstance(error, UnicodeDecodeError) or not _blames_where(str(error), where):
            raise
        bad_where(where, _parser_words(path, name, where, encoding, str(error)), _fields(path, name, encoding), log)
        return None
    return _raw(frame, encoding, log, source.where)


def _read_attributes(path: Path, name: str, where: str | None, encoding: str, log: FileLog) -> pd.DataFrame:
    try:
        return _read(path, log, layer=name, where=where, encoding=encoding or None)
    except UnicodeDecodeError:
        if path.suffix.lower() != ".shp":
            raise
        clause = where.encode(encoding, "replace").decode("latin-1") if where else None
        frame = _decode(_read(path, log, layer=name, where=clause, encoding="ISO-8859-1"), encoding)
        log.line("", "encoding", encoding, "repaired", "有字段名或文字在字符中间被截断，已去掉残缺的字节", "用较短的字段名重新导出")
        return frame


def _blames_where(message: str, where: str) -> bool:
    return "Invalid SQL query" in message or "prepare SQL" in message or where in message


def _parser_words(path: Path, name: str, where: str, encoding: str, message: str) -> str:
    """What the parser has against a clause: SQLite's words, or those OGR has for the same clause in a SELECT."""
    if "prepare SQL" in message:
        return message.rpartition(f"{where}: ")[2]
    layer = name.replace('"', '""')
    try:
        pyogrio.read_dataframe(path, sql=f'SELECT * FROM "{layer}" WHERE {where}', sql_dialect="OGRSQL", max_features=1,
                               read_geometry=False, encoding=encoding or None)
    except (ValueError, DataLayerError, DataSourceError) as error:
        message = str(error)
    return message.splitlines()[0].partition(" Occurred around")[0][:160]


def _fields(path: Path, name: str, encoding: str | None, hidden: bool = False) -> list[str]:
    """Field names of one layer, and those of its feature number and geometry where `hidden`."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            info = pyogrio.read_info(path, layer=name, encoding=encoding or None)
            more = [info["fid_column"], info["geometry_name"]] if hidden else []
            return [str(field) for field in [*info["fields"], *more]]
        except UnicodeDecodeError:
            fields = pyogrio.read_info(path, layer=name, encoding="ISO-8859-1")["fields"]
            return [field.encode("latin-1", "ignore").decode(encoding or "gb18030", "ignore") for field in fields]


def _chosen(raw: RawTable, where: str | None, log: FileLog) -> RawTable | None:
    """Rows of a file no driver filters (GeoParquet)."""
    if not where:
        return raw
    keep = select_rows(raw.frame, where, log)
    if keep is None:
        return None
    shapes = None if raw.geometry is None else raw.geometry[keep]
    return RawTable(raw.frame.iloc[keep].reset_index(drop=True), raw.rows[keep], shapes, raw.crs, raw.encoding)


def _read(path: Path, log: FileLog, **options: Any) -> pd.DataFrame:
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        frame = pyogrio.read_dataframe(path, on_invalid="warn", **options)
    for message in sorted({str(warning.message).splitlines()[0] for warning in caught}):
        log.line("", "", message, "note", "读取库的提示", "用 GIS 软件检查该文件")
    return frame


def _raw(frame: pd.DataFrame, encoding: str, log: FileLog, where: str | None = None) -> RawTable:
    geometry, crs = None, None
    if isinstance(frame, gpd.GeoDataFrame):
        geometry, crs = np.asarray(frame.geometry.array, dtype=object), frame.crs
        frame = pd.DataFrame(frame.drop(columns=frame.geometry.name))
    if where:
        log.line("", "where", where, "note", f"按 where 条件选出 {len(frame)} 个要素，行号从选出的要素数起", "无需处理")
    labels = np.array([str(number) for number in range(1, len(frame) + 1)], dtype=object)
    return RawTable(frame.reset_index(drop=True), labels, geometry, crs, encoding)


def _decode(frame: pd.DataFrame, encoding: str) -> pd.DataFrame:
    """Latin-1 text back to bytes and on to the real encoding; cut characters are dropped."""

    def real(value: Any) -> Any:
        return value.encode("latin-1", "ignore").decode(encoding, "ignore") if isinstance(value, str) else value

    out = frame.rename(columns=real)
    for column in out.columns:
        if (out[column].dtype == "str" or out[column].dtype == object) and column != "geometry":
            out[column] = out[column].map(real)
    return out


def _read_osm(path: Path, name: str, where: str | None, source: LayerSource, log: FileLog) -> RawTable:
    """One layer of an OSM file; a tag that GDAL keeps in ``other_tags`` may be used in `where` too."""
    try:
        frame = _read(path, log, layer=name, where=where)
    except ValueError:
        if not where:
            raise
        with scratch_folder() as folder:
            frame = _read(path, log, layer=name, where=where, CONFIG_FILE=str(write_config(folder)))
    geometry = np.asarray(frame.geometry.array, dtype=object)
    words = {word for spec in layer_schema(log.layer).fields.values() for word in spec.accepts}
    words |= {*TAGS, *source.columns.values()}
    plain, labels = expand_tags(pd.DataFrame(frame.drop(columns="geometry")), name, words)
    chosen = f"按 where 条件（{source.where}）" if where else ""
    log.line("", "layer", name, "note", f"OSM 图层 {name}：{chosen}读入 {len(plain)} 个要素", "无需处理")
    return RawTable(plain, labels, geometry, frame.crs, "utf-8")
