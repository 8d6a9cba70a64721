"""What each layer needs beyond the general reading: one module per kind, with functions of the same names."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from siteplan.layers import areas, buildings, facilities, poles, population, stations
from siteplan.layers.file_log import FileLog
from siteplan.layers.formats.raw_table import RawTable
from siteplan.schema import empty_columns, layer_schema

Complete = Callable[[pd.DataFrame, NDArray[np.object_], FileLog], tuple[pd.DataFrame, NDArray[np.bool_]]]


@dataclass(frozen=True)
class Kind:
    """Hooks of a layer.

    Attributes
    ----------
    prepare : callable
        ``prepare(raw, log) -> raw``: before columns are matched; may split rows.
    complete : callable
        ``complete(table, shapes, log) -> (table, refused)``: after typing, in the study CRS, before geometry is
        reduced to the layer's kind.
    added : mapping of str to str
        Columns that reading adds, with their dtypes.
    """

    prepare: Callable[[RawTable, FileLog], RawTable]
    complete: Complete
    added: Mapping[str, str]


def _as_it_is(raw: RawTable, log: FileLog) -> RawTable:
    del log
    return raw


def _nothing_more(table: pd.DataFrame, shapes: NDArray[np.object_], log: FileLog,
                  ) -> tuple[pd.DataFrame, NDArray[np.bool_]]:
    del shapes, log
    return table, np.zeros(len(table), dtype=bool)


_GENERAL = Kind(_as_it_is, _nothing_more, MappingProxyType({}))
_MODULES: tuple[Any, ...] = (areas, buildings, facilities, poles, population, stations)
KINDS: Mapping[str, Kind] = MappingProxyType({
    name: Kind(module.prepare, module.complete, MappingProxyType(module.ADDED))
    for module in _MODULES for name in module.NAMES})
"""Hooks by layer name; layers not listed have the general reading."""


def kind_of(layer: str) -> Kind:
    """The hooks of a layer.

    >>> sorted(kind_of("facilities").added)
    ['class_rule', 'department_source', 'venue_class']
    """
    return KINDS.get(layer, _GENERAL)


def column_order(layer: str) -> list[str]:
    """Columns of a finished table, without index and geometry."""
    schema = layer_schema(layer)
    trace = schema.columns[-2:]
    return [*schema.columns[:-2], *kind_of(layer).added, *trace]


def empty_table(layer: str, crs: Any) -> gpd.GeoDataFrame:
    """A table without rows, with every column of the layer."""
    columns = empty_columns(layer) | {name: pd.Series([], dtype=dtype) for name, dtype in kind_of(layer).added.items()}
    frame = pd.DataFrame({name: columns[name] for name in column_order(layer)})
    frame.index = pd.Index([], dtype="str", name=layer_schema(layer).key)
    return gpd.GeoDataFrame(frame, geometry=gpd.GeoSeries([], index=frame.index, crs=crs), crs=crs)
