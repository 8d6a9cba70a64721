"""Tables that come from no file: typed, placed and judged as the rows of a file are, and joined to their layer."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType

import geopandas as gpd
import numpy as np
import pandas as pd
import pyproj
import shapely
from numpy.typing import NDArray

from siteplan.errors import Problem
from siteplan.input_ledger import InputLedger
from siteplan.layers.collection import InputFile, Layers
from siteplan.layers.file_log import FileLog
from siteplan.layers.formats.raw_table import RawTable
from siteplan.layers.reading import FIRST, frame_of, refused_places, with_reasons
from siteplan.layers.typing_rows import Frame, TypedRows, finish_table, type_rows
from siteplan.params import LAYER_NAMES, LayerSource
from siteplan.schema import layer_schema
from siteplan.venues import VenueCatalogue


@dataclass(frozen=True)
class GivenTable:
    """Rows for a layer that stand in no file.

    Attributes
    ----------
    layer : str
    file : str
        What ledger, tables and input facts call the place they come from.
    frame : DataFrame
        Cells; columns are fields of the layer.
    rows : sequence of str
        Label of each row.
    geometry : ndarray of shapely geometry, or None
    crs : pyproj.CRS or None
    """

    layer: str
    file: str
    frame: pd.DataFrame
    rows: Sequence[str]
    geometry: NDArray[np.object_] | None = None
    crs: pyproj.CRS | None = None


def join_tables(found: Layers, given: Sequence[GivenTable], context_m: float, venues: VenueCatalogue | None = None,
                ) -> Layers:
    """Layers with further rows that went the way of the rows of a file.

    Parameters
    ----------
    found : Layers
        What was read from files; stays as it is.
    given : sequence of GivenTable
    context_m : float
        As :func:`~siteplan.layers.read_layers` was told.
    venues : VenueCatalogue, optional

    Returns
    -------
    Layers
        Each given table is an input file of its layer, also one without rows: its digest is that of its rows. A table
        that cannot be used is a problem.
    """
    ledger, frame = InputLedger(found.ledger), _frame_of(found, context_m)
    tables, files, problems, refused = dict(found.tables), list(found.files), list(found.problems), [found.refused]
    for table in given:
        log = FileLog(table.layer, table.file, ledger, venues)
        size, sha256 = _digest(table)
        fact = InputFile(table.layer, table.file, size, sha256, "", "", "", len(table.frame), 0, 0)
        part = type_rows(_raw(table), _source(table), frame, log) if len(table.frame) else None
        if part is not None:
            old = tables.get(table.layer)
            parts = [*([] if old is None else [_as_rows(old)]), part]
            joined = finish_table(table.layer, parts, frame, ledger) if any(len(one.table) for one in parts) else None
            kept = 0 if joined is None else int((joined["source_file"] == table.file).sum())
            fact = replace(fact, crs=part.crs, rows_made=part.rows_made, rows_kept=kept,
                           rows_refused=part.rows_in + part.rows_made - kept)
            lost = refused_places(table.layer, [table.file], [part], joined)
            refused += [with_reasons(lost, ledger, found.crs)] if lost else []
            if joined is not None and len(joined):
                tables[table.layer] = joined
        elif len(table.frame):
            fact = replace(fact, rows_refused=fact.rows_in, problem=log.problems[0].reason)
            _refuse(log.problems, ledger)
            problems += log.problems
        files.append(fact)
    order = {name: number for number, name in enumerate(LAYER_NAMES)}
    places = [places for places in refused if len(places)]
    return replace(found, tables=MappingProxyType(tables), ledger=ledger, problems=tuple(problems),
                   files=tuple(sorted(files, key=lambda file: order[file.layer])),
                   refused=gpd.GeoDataFrame(pd.concat(places, ignore_index=True), crs=found.crs) if places
                   else found.refused)


def _refuse(problems: Sequence[Problem], ledger: InputLedger) -> None:
    for problem in problems:
        ledger.add(problem.layer, problem.file, "", problem.field, "", "refused", problem.reason, problem.remedy)


def _frame_of(found: Layers, context_m: float) -> Frame:
    """Where the study is, as reading the files found it."""
    for name in FIRST:
        if name in found.tables:
            frame = frame_of(found.crs, found.tables[name], context_m)
            if frame.box is not None and np.isfinite(frame.box).all():
                return frame
    return Frame(found.crs, None, None, context_m)


def _raw(table: GivenTable) -> RawTable:
    frame = table.frame.reset_index(drop=True).astype("object")
    return RawTable(frame.where(frame.notna(), None), np.array(table.rows, dtype=object), table.geometry, table.crs, "")


def _source(table: GivenTable) -> LayerSource:
    known = layer_schema(table.layer).fields
    return LayerSource.model_validate({"path": table.file, "columns": {
        str(name): str(name) for name in table.frame.columns if name in known}})


def _as_rows(table: gpd.GeoDataFrame) -> TypedRows:
    """A finished table as the rows it was made of."""
    none = np.empty(0, dtype=object)
    return TypedRows(pd.DataFrame(table.drop(columns=table.geometry.name)).reset_index(), table.geometry.to_numpy(),
                     len(table), 0, "", "", (none, none))


def _digest(table: GivenTable) -> tuple[int, str]:
    """Bytes and sha256 of the rows written as CSV."""
    frame = table.frame.assign(_row=list(table.rows))
    if table.geometry is not None:
        frame = frame.assign(_place=shapely.to_wkt(table.geometry, rounding_precision=3))
    text = frame.to_csv(index=False, lineterminator="\n").encode("utf-8", "surrogatepass")
    return len(text), hashlib.sha256(text).hexdigest()
