"""From a raw table to typed rows in the study CRS: columns, places, kinds, keys; every loss has a ledger line."""

from __future__ import annotations

from dataclasses import dataclass

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
from siteplan.layers.file_log import FileLog
from siteplan.layers.formats.raw_table import RawTable
from siteplan.layers.keys import settle_keys, share_out
from siteplan.layers.kinds import column_order, kind_of
from siteplan.layers.places.geometry import across_date_line, fit_kind, mend_shapes, split_points
from siteplan.layers.places.placing import place_rows, unswap, warn_spread
from siteplan.layers.places.surroundings import inside_boundary, outside, tell_context, tell_sizes
from siteplan.layers.values import read_column
from siteplan.params import LayerSource
from siteplan.schema import find_column, layer_schema, match_columns, table_schema

Mask = NDArray[np.bool_]
Shapes = NDArray[np.object_]


@dataclass(frozen=True)
class Frame:
    """Where the study is.

    Attributes
    ----------
    crs : pyproj.CRS
    area : geometry or None
        Features must touch it (the boundary and its surroundings); None = anywhere.
    box : tuple of float or None
        The box of `area`, degrees.
    context_m : float
        How far the surroundings reach, m.
    boundary : geometry or None
        The study area itself; None = not known.
    """

    crs: pyproj.CRS
    area: BaseGeometry | None
    box: tuple[float, float, float, float] | None
    context_m: float
    boundary: BaseGeometry | None = None


@dataclass(frozen=True)
class TypedRows:
    """Typed rows of one file and the shapes that belong to them.

    ``rows_in`` is the number of rows in the file, ``rows_made`` that of rows added by splitting them; ``lost`` are the
    labels of refused rows that have a place, and that place.
    """

    table: pd.DataFrame
    shapes: NDArray[np.object_]
    rows_in: int
    rows_made: int
    crs: str
    datum: str
    lost: tuple[NDArray[np.object_], Shapes]


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
    for spec in fields.values():
        if spec.required and spec.name not in found.columns and len(frame):
            log.problem(f"没有“{spec.zh}”这一列", f"在 columns 写明 {spec.name}；文件的列：{'、'.join(columns[:30])}", spec.name)
    return dict(found.columns), dict(found.factors)


def _typed(raw: RawTable, source: LayerSource, used: tuple[str, ...], log: FileLog) -> tuple[pd.DataFrame, Mask]:
    """Typed columns of the schema, and the rows refused on the way."""
    schema = layer_schema(log.layer)
    frame = raw.frame
    columns, factors = _match(frame, source, used, log)
    refused = np.zeros(len(frame), dtype=bool)
    absent = pd.Series(None, index=frame.index, dtype=object)
    out: dict[str, pd.Series] = {}
    for name, spec in schema.fields.items():
        if name not in columns and not spec.required and spec.default is None:
            out[name] = absent.astype(spec.dtype)
            continue
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
        placed = place_rows(kind_of(log.layer).prepare(raw, source.columns, log), source, log, study.box)
        if placed is None:
            return None
        located, used = placed
        part = np.zeros(len(located.frame), dtype=int)
        if schema.geometry == "point":
            located, part = split_points(located, log)
        located = unswap(located, log, study.box)
        before = len(log.problems)
        table, refused = _typed(located, source, used, log)
        if len(log.problems) > before:
            return None
        if located.geometry is not None and located.crs is not None and located.crs.is_geographic:
            refused |= across_date_line(located.geometry, log, located.rows)
        shapes = _study_shapes(located, source, study, log)
    except CrsError as error:
        problem = error.problems[0] if error.problems else None
        log.problem(problem.reason if problem else str(error), problem.remedy if problem else "核对研究文件", "")
        return None
    everywhere = shapes
    table = share_out(log.layer, table, part, log)[~refused]
    mended, shapes, bad = _clean(table, shapes[~refused], study, log)
    table, mended, shapes = table[~bad].reset_index(drop=True), mended[~bad], shapes[~bad]
    table, more = kind_of(log.layer).complete(table, mended if schema.geometry == "point" else shapes, log)
    table, shapes = table[~more].reset_index(drop=True), shapes[~more]
    warn_spread(shapes[~shapely.is_missing(shapes)], study.crs, log)
    table = _with_surroundings(table, shapes, study, log)
    crs_name = "" if located.crs is None else crs_module.crs_name(located.crs)
    return TypedRows(table, shapes, len(refused) - located.made, located.made, crs_name, source.datum or "",
                     _lost(located.rows, everywhere, table["source_row"]))


def _lost(rows: NDArray[np.object_], shapes: Shapes, kept: pd.Series) -> tuple[NDArray[np.object_], Shapes]:
    """Labels and shapes of rows that were refused and have a place."""
    if len(kept) == len(rows):
        return rows[:0], shapes[:0]
    there = set(kept.tolist())
    gone = np.array([row not in there for row in rows], dtype=bool) & np.isfinite(shapely.bounds(shapes)).all(axis=1)
    return rows[gone], shapes[gone]


def _clean(table: pd.DataFrame, shapes: Shapes, study: Frame, log: FileLog) -> tuple[Shapes, Shapes, Mask]:
    """Shapes mended, and of the wanted kind; the rows refused for them, or because they lie too far off."""
    kind, rows = layer_schema(log.layer).geometry, table["source_row"].to_numpy(dtype=object)
    may_lack = ~table["exists"].fillna(True).to_numpy(dtype=bool) if "exists" in table else None
    if kind == "none":
        may_lack = np.ones(len(table), dtype=bool)
    mended, bad = mend_shapes(shapes, log, rows, may_lack)
    usable = ~bad & ~shapely.is_missing(mended)
    fitted, wrong = fit_kind(mended, kind, usable, log, rows)
    bad = bad | wrong
    if log.layer != "boundary":
        bad |= outside(fitted, study.area, log, rows, bad, study.context_m)
    return mended, fitted, bad


def _with_surroundings(table: pd.DataFrame, shapes: Shapes, study: Frame, log: FileLog) -> pd.DataFrame:
    """Column ``inside`` (NA where no boundary is known), and notes on context and sizes."""
    kind, rows = layer_schema(log.layer).geometry, table["source_row"].to_numpy(dtype=object)
    inside = pd.Series(pd.NA, index=table.index, dtype="boolean")
    if log.layer != "boundary" and kind != "none":
        placed = ~shapely.is_missing(shapes)
        if study.boundary is not None and placed.any():
            found = inside_boundary(shapes[placed], study.boundary)
            inside[placed] = found
            tell_context(found, log, rows[placed], study.context_m)
        if kind == "polygon":
            tell_sizes(shapes, study.boundary, log, rows)
    return table.assign(inside=inside)


def _study_shapes(raw: RawTable, source: LayerSource, study: Frame, log: FileLog) -> Shapes:
    """Shapes in the study CRS, moved by the study's ``shift_m``."""
    if raw.geometry is None or raw.crs is None:
        return np.full(len(raw.frame), None, dtype=object)
    shapes = crs_module.transform_geometry(raw.geometry, raw.crs, study.crs, source.datum)
    if source.shift_m is None:
        return shapes
    log.line("", "geometry", f"[{source.shift_m[0]:g}, {source.shift_m[1]:g}]", "assumed",
             "按研究文件 shift_m 整层平移（东、北，m）", "来源改正后去掉 shift_m")
    return np.asarray(shapely.transform(shapes, lambda xy: xy + np.asarray(source.shift_m)), dtype=object)


def finish_table(layer: str, parts: list[TypedRows], study: Frame, ledger: InputLedger) -> gpd.GeoDataFrame:
    """One table of all files of a layer: unique keys, the pandera gate, canonical columns, in order of the files."""
    schema = layer_schema(layer)
    joined = pd.concat([part.table for part in parts], ignore_index=True)
    shapes = np.concatenate([part.shapes for part in parts])
    joined, repeated = settle_keys(layer, schema.key, joined, shapes, ledger)
    keep = np.flatnonzero(~repeated)
    table = joined.iloc[keep].set_index(schema.key)
    table.index = table.index.astype("str")
    good = _gate(layer, table, ledger)
    table, shapes = table.loc[good], shapes[keep][good]
    kind_of(layer).review(table, shapes, ledger)
    return gpd.GeoDataFrame(table[column_order(layer)], geometry=gpd.GeoSeries(
        shapes, index=table.index, crs=study.crs), crs=study.crs)


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
