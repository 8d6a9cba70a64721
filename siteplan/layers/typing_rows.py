"""From a raw table to typed rows in the study CRS: columns, places, kinds, keys; every loss has a ledger line."""

from __future__ import annotations

from dataclasses import dataclass, replace

import geopandas as gpd
import numpy as np
import pandas as pd
import pyproj
import shapely
from numpy.typing import NDArray
from shapely.geometry.base import BaseGeometry

from siteplan import crs as crs_module
from siteplan.errors import CrsError
from siteplan.input_ledger import InputLedger
from siteplan.layers.coordinates import locate
from siteplan.layers.file_log import FileLog
from siteplan.layers.formats.raw_table import RawTable
from siteplan.layers.geometry import clean_shapes, outside, swap, swapped_lonlat, swapped_plane
from siteplan.layers.keys import settle_keys
from siteplan.layers.kinds import column_order, kind_of
from siteplan.layers.values import read_column
from siteplan.params import LayerSource
from siteplan.schema import find_column, layer_schema, match_columns, table_schema

Mask = NDArray[np.bool_]


@dataclass(frozen=True)
class Frame:
    """Where the study is: its CRS, the area that features must touch (None = anywhere), its box in degrees."""

    crs: pyproj.CRS
    area: BaseGeometry | None
    box: tuple[float, float, float, float] | None
    context_m: float


@dataclass(frozen=True)
class TypedRows:
    """Typed rows of one file and the shapes that belong to them.

    ``rows_in`` is the number of rows in the file, ``rows_made`` that of rows added by splitting them.
    """

    table: pd.DataFrame
    shapes: NDArray[np.object_]
    rows_in: int
    rows_made: int
    crs: str
    datum: str


def place_rows(raw: RawTable, source: LayerSource, log: FileLog) -> tuple[RawTable, tuple[str, ...]] | None:
    """The raw table with geometry and CRS, and the columns used up for them; None = a problem was logged."""
    if layer_schema(log.layer).geometry == "none":
        return raw, ()
    if raw.geometry is None or bool(shapely.is_missing(raw.geometry).all()):
        return locate(raw, source, log)
    found = raw.crs
    if source.crs is not None:
        named = crs_module.read_crs(source.crs)
        if found is not None and found != named:
            log.line("", "crs", found.name, "repaired", f"文件写的坐标系按研究文件改为 {named.name}", "核对坐标系")
        found = named
    if found is None:
        log.problem("没有坐标系（缺 .prj）", "在研究文件写明 crs，例如 EPSG:4547", "crs")
        return None
    return replace(raw, crs=crs_module.read_crs(found)), ()


def unswap(raw: RawTable, log: FileLog, box: tuple[float, float, float, float] | None) -> RawTable:
    """Exchange coordinates that are surely swapped."""
    if raw.geometry is None or raw.crs is None:
        return raw
    swapped = swapped_lonlat(raw.geometry, box) if raw.crs.is_geographic else swapped_plane(raw.geometry)
    return replace(raw, geometry=swap(raw.geometry, swapped, log, raw.rows))


def fit_columns(raw: RawTable, source: LayerSource) -> LayerSource:
    """The source with those of its `columns` that this table has, spelled as the table spells them."""
    have = [str(column) for column in raw.frame.columns]
    found = {field: find_column(have, column) for field, column in source.columns.items()}
    return source.model_copy(update={"columns": {field: column for field, column in found.items() if column}})


def _match(frame: pd.DataFrame, source: LayerSource, used: tuple[str, ...], log: FileLog,
           ) -> tuple[dict[str, str], dict[str, float]]:
    fields = layer_schema(log.layer).fields
    override = {field: column for field, column in source.columns.items() if field in fields}
    columns = [str(column) for column in frame.columns if column not in used or column in override.values()]
    found = match_columns(columns, fields.values(), override)
    for column, text in found.notes:
        log.line("", column, "", "note", text, "需要另一列时在 columns 写明")
    unused = [column for column in found.unused if frame[column].notna().any()]
    if unused:
        log.line("", "", "、".join(unused), "note", f"{len(unused)} 列没有对应字段，未读入", "需要时在 columns 写明")
    return dict(found.columns), dict(found.factors)


def _typed(raw: RawTable, source: LayerSource, used: tuple[str, ...], log: FileLog) -> tuple[pd.DataFrame, Mask]:
    """Typed columns of the schema, and the rows refused on the way."""
    schema = layer_schema(log.layer)
    frame = raw.frame
    columns, factors = _match(frame, source, used, log)
    refused = np.zeros(len(frame), dtype=bool)
    absent = pd.Series([None] * len(frame), index=frame.index, dtype=object)
    out: dict[str, pd.Series] = {}
    for name, spec in schema.fields.items():
        cells = frame[columns[name]] if name in columns else absent
        out[name], bad = read_column(cells, spec, factors.get(name, 1.0), log, raw.rows, is_key=name == schema.key)
        refused |= bad
    table = pd.DataFrame(out, index=frame.index)
    return table.assign(source_file=pd.Series(log.file, index=frame.index, dtype="str"),
                        source_row=pd.Series(raw.rows, index=frame.index, dtype="str")), refused


def type_rows(raw: RawTable, source: LayerSource, study: Frame, log: FileLog) -> TypedRows | None:
    """Type, place, clean and clip the rows of one file.

    Returns
    -------
    TypedRows or None
        None when a problem was logged.
    """
    schema = layer_schema(log.layer)
    try:
        placed = place_rows(kind_of(log.layer).prepare(raw, log), source, log)
        if placed is None:
            return None
        located, used = placed
        located = unswap(located, log, study.box)
        table, refused = _typed(located, source, used, log)
        shapes = _study_shapes(located, source, study)
    except CrsError as error:
        problem = error.problems[0] if error.problems else None
        log.problem(problem.reason if problem else str(error), problem.remedy if problem else "核对研究文件", "")
        return None
    may_lack = ~table["exists"].fillna(True).to_numpy(dtype=bool) if "exists" in table else None
    if schema.geometry == "none":
        may_lack = np.ones(len(table), dtype=bool)
    table, more = kind_of(log.layer).complete(table, shapes, log)
    cleaned, bad = clean_shapes(shapes, schema.geometry, log, located.rows, may_lack)
    refused = refused | more | bad
    if log.layer != "boundary":
        refused |= outside(cleaned, study.area, log, located.rows, refused, study.context_m)
    keep = ~refused
    crs_name = "" if located.crs is None else crs_text(located.crs)
    return TypedRows(table[keep].reset_index(drop=True), cleaned[keep], len(table) - located.made, located.made,
                     crs_name, source.datum or "")


def crs_text(crs: pyproj.CRS) -> str:
    """``EPSG:4547`` where it has a code, else its name."""
    code = crs.to_epsg()
    return f"EPSG:{code}" if code else crs.name


def _study_shapes(raw: RawTable, source: LayerSource, study: Frame) -> NDArray[np.object_]:
    if raw.geometry is None or raw.crs is None:
        return np.full(len(raw.frame), None, dtype=object)
    return crs_module.transform_geometry(raw.geometry, raw.crs, study.crs, source.datum)


def finish_table(layer: str, parts: list[TypedRows], study: Frame, ledger: InputLedger) -> gpd.GeoDataFrame:
    """One table of all files of a layer: unique keys, the pandera gate, canonical columns, sorted by nothing."""
    schema = layer_schema(layer)
    joined = pd.concat([part.table for part in parts], ignore_index=True)
    shapes = np.concatenate([part.shapes for part in parts])
    joined, repeated = settle_keys(layer, schema.key, joined, shapes, ledger)
    keep = np.flatnonzero(~repeated)
    table = joined.iloc[keep].set_index(schema.key)
    table.index = table.index.astype("str")
    good = _gate(layer, table, ledger)
    order = column_order(layer)
    return gpd.GeoDataFrame(table.loc[good, order], geometry=gpd.GeoSeries(
        shapes[keep][good], index=table.index[good], crs=study.crs), crs=study.crs)


def _gate(layer: str, table: pd.DataFrame, ledger: InputLedger) -> Mask:
    """Rows that pass the layer's pandera schema; each fault of the others is a refused line."""
    from pandera.errors import SchemaErrors

    good = np.ones(len(table), dtype=bool)
    try:
        table_schema(layer).validate(table, lazy=True)
    except SchemaErrors as faults:
        for fault in faults.failure_cases.itertuples(index=False):
            place = table.index.get_indexer(pd.Index([fault.index]))[0] if fault.index is not None else -1
            row = table.iloc[place] if place >= 0 else None
            ledger.add(layer, "" if row is None else row["source_file"], "" if row is None else row["source_row"],
                       str(fault.column), fault.failure_case, "refused", f"不符合字段要求 {fault.check}", "核对数值")
            if place >= 0:
                good[place] = False
    return good
