"""A table as it stands in a file, before columns are matched."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
import pyproj
from numpy.typing import NDArray


@dataclass(frozen=True)
class RawTable:
    """Cells of one file (or one layer of it).

    Attributes
    ----------
    frame : DataFrame
        Columns as the file names them, RangeIndex.
    rows : ndarray of str
        Row labels as planners see them: file line of a table (header = 1), feature number from 1 of a vector file.
    geometry : ndarray of shapely geometry, or None
        None when the file is a plain table.
    crs : pyproj.CRS or None
    encoding : str
    """

    frame: pd.DataFrame
    rows: NDArray[np.object_]
    geometry: NDArray[np.object_] | None
    crs: pyproj.CRS | None
    encoding: str
    made: int = 0
