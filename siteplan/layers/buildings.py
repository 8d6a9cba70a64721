"""Buildings: use and height of every one."""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from siteplan.layers.file_log import FileLog
from siteplan.layers.formats.raw_table import RawTable
from siteplan.schema import layer_schema

NAMES = ("buildings",)
ADDED = {"height_source": "str"}


def prepare(raw: RawTable, log: FileLog) -> RawTable:
    """As it is."""
    del log
    return raw


def complete(table: pd.DataFrame, shapes: NDArray[np.object_], log: FileLog) -> tuple[pd.DataFrame, NDArray[np.bool_]]:
    """Fill ``use`` (other) and ``height_m`` (storeys, else a default by use); ``height_source`` says which."""
    del shapes
    rows = table["source_row"].to_numpy()
    refused = np.zeros(len(table), dtype=bool)
    defaults = layer_schema("buildings").defaults
    unknown = table["use"].isna().to_numpy()
    log.rows(rows[unknown], "use", "other", "assumed", "没有用途，按其他", "有用途时补填")
    use = table["use"].fillna("other")
    measured = table["height_m"].notna().to_numpy()
    counted = ~measured & table["storeys"].notna().to_numpy()
    height = table["height_m"].where(measured, table["storeys"] * use.map(dict(defaults["storey_m"])))
    for name, metres in defaults["storey_m"].items():
        mine = counted & (use == name).to_numpy()
        log.rows(rows[mine], "height_m", f"层数×{metres:g}", "assumed", f"没有高度，按层数乘 {metres:g} m（{name}）", "有实测高度时补填")
    for name, metres in defaults["height_m"].items():
        mine = ~measured & ~counted & (use == name).to_numpy()
        height = height.where(~mine, metres)
        log.rows(rows[mine], "height_m", metres, "assumed", f"没有高度和层数，按 {metres:g} m（{name}）", "补测高度或层数")
    source = np.where(measured, "measured", np.where(counted, "storeys", "default"))
    return table.assign(use=use, height_m=height.clip(lower=2.0), height_source=pd.Series(source, index=table.index,
                                                                                         dtype="str")), refused
