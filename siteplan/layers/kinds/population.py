"""Population: grid points, or polygons whose area says how large the cell is."""

from __future__ import annotations

import numpy as np
import pandas as pd
import shapely
from numpy.typing import NDArray

from siteplan.layers.file_log import FileLog

NAMES = ("population",)
ADDED: dict[str, str] = {}


def complete(table: pd.DataFrame, shapes: NDArray[np.object_], log: FileLog) -> tuple[pd.DataFrame, NDArray[np.bool_]]:
    """The area of a cell, where the file gives polygons and no area."""
    area = shapely.area(shapes)
    fill = table["cell_area_m2"].isna().to_numpy() & (area >= 1.0)
    log.rows(table["source_row"].to_numpy()[fill], "cell_area_m2", "", "assumed", "没有格网面积，按图形计算", "无需处理")
    return (table.assign(cell_area_m2=table["cell_area_m2"].where(~fill, area)), np.zeros(len(table), dtype=bool))
