"""GeoParquet, and Parquet without geometry as a plain table."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pyproj
from numpy.typing import NDArray

from siteplan.layers.file_log import FileLog
from siteplan.layers.formats.features import arrow_frame, crs_of, label_rows
from siteplan.layers.formats.layer_reading import MANY_ROWS, useful_columns
from siteplan.layers.formats.raw_table import RawTable
from siteplan.layers.formats.shapes import decode_shapes
from siteplan.layers.where import select_rows
from siteplan.params import LayerSource

_MOST_BYTES = 1 << 33


def read_parquet(path: Path, source: LayerSource, log: FileLog) -> Iterator[RawTable]:
    """Read a (Geo)Parquet file; its CRS is that of the ``geo`` metadata (none named = WGS 84, null = unknown).

    Parameters
    ----------
    path : Path
    source : LayerSource
    log : FileLog
    """
    with pq.ParquetFile(path) as file:
        claimed = sum(file.metadata.row_group(number).total_byte_size for number in range(file.num_row_groups))
        if claimed > max(_MOST_BYTES, 1000 * path.stat().st_size):
            log.problem(f"文件头说数据有 {claimed} 字节，与文件大小不符", "文件可能已损坏，请重新导出")
            return
        geo = json.loads((file.schema_arrow.metadata or {}).get(b"geo", b"{}"))
        geo = geo if isinstance(geo, dict) else {}
        about = geo.get("columns", {}).get(name) if (name := geo.get("primary_column")) else None
        names = [str(column) for column in file.schema_arrow.names]
        geometries = [column for column in geo.get("columns", {}) if column in names]
        plain = [column for column in names if column not in geometries]
        wanted, left = _wanted(plain, file.metadata.num_rows, source, log)
        if len(set(names)) < len(names):
            twice = sorted({name for name in names if names.count(name) > 1})
            log.problem(f"列名重复：{'、'.join(twice[:10])}", "改名或删除重复列后重新导出")
            return
        table = file.read(columns=[*wanted, *([name] if about is not None and name in names else [])])
    rows = label_rows(table.num_rows)
    shapes: NDArray[np.object_] | None = None
    crs: pyproj.CRS | None = None
    if about is None or name not in names:
        log.line("", "", "", "note", "Parquet 里没有几何（无 geo 元数据），按普通表读入", "要图形时导出 GeoParquet")
        cells = table
    else:
        cells = table.drop_columns([name])
        if str(about.get("encoding", "WKB")).upper() == "WKB":
            shapes = decode_shapes(np.array(table.column(name).to_pylist() or [], dtype=object), rows, log)
        else:
            shapes = np.asarray(gpd.read_parquet(path, columns=[name])[name].array, dtype=object)
        crs = _named_crs(about, log)
    frame = arrow_frame(cells)
    for column in left:
        frame[column] = pd.Categorical.from_codes(np.full(len(frame), -1, np.int8), categories=[""])
    raw = RawTable(frame, rows, shapes, crs, "utf-8")
    chosen = raw if source.where is None else _chosen(raw, source.where, log)
    if chosen is not None:
        yield chosen


def _wanted(names: list[str], count: int, source: LayerSource, log: FileLog) -> tuple[list[str], list[str]]:
    if count < MANY_ROWS or source.where:
        return names, []
    wanted = useful_columns(names, source, log.layer)
    left = [column for column in names if column not in wanted]
    if left:
        log.line("", "", "、".join(left), "note", f"要素很多，{len(left)} 列与本图层的字段无关，没有读", "需要时在 columns 写明")
    return wanted, left


def _named_crs(about: dict[str, Any], log: FileLog) -> pyproj.CRS | None:
    if "crs" not in about:
        return pyproj.CRS.from_epsg(4326)
    return None if about["crs"] is None else crs_of(json.dumps(about["crs"]), log)


def _chosen(raw: RawTable, where: str, log: FileLog) -> RawTable | None:
    """Rows that a clause selects; no driver filters this format."""
    keep = select_rows(raw.frame, where, log)
    if keep is None:
        return None
    shapes = None if raw.geometry is None else raw.geometry[keep]
    return RawTable(raw.frame.iloc[keep].reset_index(drop=True), raw.rows[keep], shapes, raw.crs, raw.encoding)
