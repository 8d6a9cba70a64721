"""Columns of a table that was read, in their dtypes; a cell that another program filled otherwise is nothing."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa

from siteplan.register.store.cells import DAY_LETTERS, day_of_cell

_TEXT = {str, type(None)}


def _texts(cells: list[Any]) -> Any:
    """One column in its dtype; a cell that another program filled with something else is nothing here."""
    if not set(map(type, cells)) <= _TEXT:
        cells = [cell if isinstance(cell, str) else None for cell in cells]
    return pd.array(pa.array(cells, type=pa.large_string()), dtype="str")


def _numbers(cells: list[Any]) -> Any:
    try:
        out = np.array(cells, dtype=np.float64)  # None becomes NaN
    except (TypeError, ValueError, OverflowError):
        out = np.array([cell if isinstance(cell, int | float) and abs(cell) < np.finfo(float).max else np.nan
                        for cell in cells], dtype=np.float64)
    return np.where(np.isfinite(out), out, np.nan)


def _truths(cells: list[Any]) -> Any:
    return pd.array([bool(cell) if isinstance(cell, int) and cell in (0, 1) else None for cell in cells],
                    dtype="boolean")


def _days(cells: list[Any]) -> Any:
    texts = [cell if cell is None or (isinstance(cell, str) and len(cell) == DAY_LETTERS) else
             None if (day := day_of_cell(cell)) is None else day.isoformat() for cell in cells]
    try:
        return np.array(texts, dtype="datetime64[D]").astype("datetime64[us]")
    except ValueError:
        return pd.to_datetime(pd.Series(texts, dtype="object"), errors="coerce", format="%Y-%m-%d").to_numpy(
            "datetime64[us]")


COLUMNS: Mapping[str, Callable[[list[Any]], Any]] = {
    "text": _texts, "int": _numbers, "float": _numbers, "bool": _truths, "date": _days}
"""By the type of a field."""
