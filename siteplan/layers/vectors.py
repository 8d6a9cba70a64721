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

from siteplan.layers.encodings import dbf_encoding
from siteplan.layers.file_log import FileLog
from siteplan.layers.osm import TAGS, expand_tags, scratch_folder, write_config
from siteplan.layers.raw_table import RawTable
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
            yield _raw(gpd.read_parquet(path), "", log)
            return
        for name in _layer_names(path, source, log):
            yield _read_layer(path, name, source, log)
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


def _read_layer(path: Path, name: str, source: LayerSource, log: FileLog) -> RawTable:
    suffix, where = path.suffix.lower(), source.where or None
    if suffix == ".pbf":
        return _read_osm(path, name, where, log)
    encoding = dbf_encoding(path, source.encoding, log) if suffix == ".shp" else (source.encoding or "")
    try:
        frame = _read(path, log, layer=name, where=where, encoding=encoding or None)
    except UnicodeDecodeError:
        if suffix != ".shp":
            raise
        clause = where.encode(encoding).decode("latin-1") if where else None
        frame = _decode(_read(path, log, layer=name, where=clause, encoding="ISO-8859-1"), encoding)
        log.line("", "encoding", encoding, "repaired", "有字段名或文字在字符中间被截断，已去掉残缺的字节", "用较短的字段名重新导出")
    return _raw(frame, encoding, log, where)


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


def _read_osm(path: Path, name: str, where: str | None, log: FileLog) -> RawTable:
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
    plain, labels = expand_tags(pd.DataFrame(frame.drop(columns="geometry")), name, words | set(TAGS))
    chosen = f"按 where 条件（{where}）" if where else ""
    log.line("", "layer", name, "note", f"OSM 图层 {name}：{chosen}读入 {len(plain)} 个要素", "无需处理")
    return RawTable(plain, labels, geometry, frame.crs, "utf-8")
