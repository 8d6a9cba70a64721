"""Areas: villages, zones, towns, counties, restricted, units, parcels, boundary."""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from siteplan.layers.file_log import FileLog

NAMES = ("boundary", "villages", "zones", "towns", "counties", "restricted", "units", "parcels")
ADDED: dict[str, str] = {}


def complete(table: pd.DataFrame, shapes: NDArray[np.object_], log: FileLog) -> tuple[pd.DataFrame, NDArray[np.bool_]]:
    """An area without a name is called by its key, or 未命名."""
    del shapes
    refused = np.zeros(len(table), dtype=bool)
    if "name" not in table:
        return table, refused
    unnamed = table["name"].isna().to_numpy()
    log.rows(table["source_row"].to_numpy()[unnamed], "name", "", "assumed", "没有名称，用编号或“未命名”代替", "补填名称")
    key = table.columns[0]
    return table.assign(name=table["name"].fillna(table[key]).fillna("未命名")), refused
