"""What each layer needs beyond the general reading: one module per kind, with functions of the same names."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from types import MappingProxyType
from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from siteplan.input_ledger import InputLedger
from siteplan.layers.file_log import FileLog
from siteplan.layers.formats.raw_table import RawTable
from siteplan.layers.kinds import areas, buildings, facilities, population, stations
from siteplan.schema import empty_columns, layer_schema

Complete = Callable[[pd.DataFrame, NDArray[np.object_], FileLog], tuple[pd.DataFrame, NDArray[np.bool_]]]
Review = Callable[[pd.DataFrame, NDArray[np.object_], InputLedger], None]
INSIDE = "inside"
"""Column of every table: whether the row counts (in the boundary), or is context only; NA = no boundary is known."""


@dataclass(frozen=True)
class Kind:
    """Hooks of a layer.

    Attributes
    ----------
    prepare : callable
        ``prepare(raw, columns, log) -> raw``: before columns are matched (but those the study names); may split rows.
    complete : callable
        ``complete(table, shapes, log) -> (table, refused)``: the good rows of one file after typing, valid geometry in
        the study CRS; surfaces of a layer of points are still surfaces.
    review : callable
        ``review(table, shapes, ledger)``: the finished table of all files, for notes on what only shows there.
    added : mapping of str to str
        Columns that reading adds, with their dtypes.
    """

    prepare: Callable[[RawTable, Mapping[str, str], FileLog], RawTable]
    complete: Complete
    review: Review
    added: Mapping[str, str]


def _as_it_is(raw: RawTable, columns: Mapping[str, str], log: FileLog) -> RawTable:
    del columns, log
    return raw


def _nothing_more(table: pd.DataFrame, shapes: NDArray[np.object_], log: FileLog,
                  ) -> tuple[pd.DataFrame, NDArray[np.bool_]]:
    del shapes, log
    return table, np.zeros(len(table), dtype=bool)


def _no_review(table: pd.DataFrame, shapes: NDArray[np.object_], ledger: InputLedger) -> None:
    del table, shapes, ledger


_GENERAL = Kind(_as_it_is, _nothing_more, _no_review, MappingProxyType({}))
_MODULES: tuple[Any, ...] = (areas, buildings, facilities, population, stations)
KINDS: Mapping[str, Kind] = MappingProxyType({
    name: Kind(getattr(module, "prepare", _as_it_is), module.complete, getattr(module, "review", _no_review),
               MappingProxyType(module.ADDED))
    for module in _MODULES for name in module.NAMES})
"""Hooks by layer name; layers not listed have the general reading."""


def kind_of(layer: str) -> Kind:
    """The hooks of a layer.

    >>> sorted(kind_of("facilities").added)
    ['class_confidence', 'class_rule', 'department_source', 'venue_class']
    """
    return KINDS.get(layer, _GENERAL)


def column_order(layer: str) -> list[str]:
    """Columns of a finished table, without index and geometry."""
    schema = layer_schema(layer)
    trace = schema.columns[-2:]
    return [*schema.columns[:-2], *kind_of(layer).added, INSIDE, *trace]


def empty_table(layer: str, crs: Any) -> gpd.GeoDataFrame:
    """A table without rows, with every column of the layer."""
    return _empty(layer).set_crs(crs) if crs is not None else _empty(layer).copy()


@cache
def _empty(layer: str) -> gpd.GeoDataFrame:
    """An empty table without CRS; to be copied."""
    columns = empty_columns(layer) | {name: pd.Series([], dtype=dtype) for name, dtype in kind_of(layer).added.items()}
    columns |= {INSIDE: pd.Series([], dtype="boolean")}
    frame = pd.DataFrame({name: columns[name] for name in column_order(layer)})
    frame.index = pd.Index([], dtype="str", name=layer_schema(layer).key)
    return gpd.GeoDataFrame(frame, geometry=gpd.GeoSeries([], index=frame.index))
