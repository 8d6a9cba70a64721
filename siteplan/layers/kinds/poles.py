"""Lamp poles and other public poles."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from siteplan.layers.file_log import FileLog
from siteplan.layers.formats.raw_table import RawTable

NAMES = ("poles",)
ADDED: dict[str, str] = {}


def prepare(raw: RawTable, columns: Mapping[str, str], log: FileLog) -> RawTable:
    """As it is."""
    del columns, log
    return raw


def complete(table: pd.DataFrame, shapes: NDArray[np.object_], log: FileLog) -> tuple[pd.DataFrame, NDArray[np.bool_]]:
    """Nothing more: the height default is in the column dictionary."""
    del shapes, log
    return table, np.zeros(len(table), dtype=bool)
