"""Keys: every row has one, no two rows share one."""

from __future__ import annotations

import hashlib

import numpy as np
import pandas as pd
import shapely
from numpy.typing import NDArray

from siteplan.input_ledger import InputLedger
from siteplan.layers.file_log import FileLog
from siteplan.schema import layer_schema

_IDENTITY = {"stations": ("name", "network", "technology", "azimuth_deg", "freq_mhz", "carrier"),
             "village_points": ("village_code", "kind", "name"), "decisions": ("id", "action", "date")}
"""Columns that tell two rows without a key apart, beside the place; ``name`` for other layers."""
_COUNTED_UNITS = ("people", "households", "seats", "m2")
"""Units of quantities that several points of one row share."""


def share_out(layer: str, table: pd.DataFrame, part: NDArray[np.int_], log: FileLog) -> pd.DataFrame:
    """Rows made of one row with several points: the key gets the number of the point, quantities are shared out.

    Parameters
    ----------
    layer : str
    table : DataFrame
        Typed rows.
    part : ndarray of int
        Number of the point within its row, from 1; 0 for rows that were not split.
    log : FileLog

    Returns
    -------
    DataFrame
    """
    made = part > 0
    if not made.any():
        return table
    schema = layer_schema(layer)
    rows, keys = table["source_row"].to_numpy(dtype=object), table[schema.key]
    numbered = keys.astype("str") + pd.Series([f"-{number}" for number in part], index=table.index, dtype="str")
    out = table.assign(**{schema.key: keys.where(~made | keys.isna(), numbered)})
    starts = np.maximum.accumulate(np.where(part <= 1, np.arange(len(part)), 0))
    sizes = np.bincount(starts, minlength=len(part))[starts]
    for name, spec in schema.fields.items():
        mine = made & out[name].notna().to_numpy()
        if spec.unit in _COUNTED_UNITS and mine.any():
            out = out.assign(**{name: out[name].where(~mine, out[name] / sizes)})
            log.rows(rows[mine], name, "", "assumed", f"一行有多个点，“{spec.zh}”平分到各点", "每个点各写一行")
    return out


def made_keys(layer: str, table: pd.DataFrame, shapes: NDArray[np.object_]) -> list[str]:
    """Keys from the content of rows (place to 0.1 m and identifying columns), never from their order."""
    columns = [column for column in _IDENTITY.get(layer, ("name",)) if column in table]
    bounds = np.round(shapely.bounds(shapes), 1) + 0.0
    contents = table[columns].astype("str").fillna("").to_numpy() if columns else np.empty((len(table), 0), dtype=str)
    return [f"{layer}-" + hashlib.sha1(f"{place.tolist()}|{'|'.join(map(str, words))}".encode(), usedforsecurity=False
                                       ).hexdigest()[:10]
            for place, words in zip(bounds, contents, strict=True)]


def settle_keys(layer: str, key: str, table: pd.DataFrame, shapes: NDArray[np.object_], ledger: InputLedger,
                ) -> tuple[pd.DataFrame, NDArray[np.bool_]]:
    """Fill missing keys, mark repeated rows, tell different rows with one key apart.

    Parameters
    ----------
    layer, key : str
    table : DataFrame
        Typed rows of all files of the layer, with ``source_file`` and ``source_row``.
    shapes : ndarray of geometry
    ledger : InputLedger
        Gets a line per repeated row, per changed key, and per file with missing keys.

    Returns
    -------
    table : DataFrame
        With full, unique keys.
    refused : ndarray of bool
        Rows equal to an earlier one.
    """
    out = table.copy()
    missing = out[key].isna().to_numpy()
    if missing.any():
        out.loc[missing, key] = made_keys(layer, out[missing], shapes[missing])
        for file, count in out.loc[missing, "source_file"].value_counts(sort=False).items():
            ledger.add(layer, str(file), f"共 {count} 行", key, "", "assumed", "没有编号，按位置和名称生成", "有正式编号时补填")
    repeated = out[key].duplicated(keep=False).to_numpy()
    refused = np.zeros(len(out), dtype=bool)
    if not repeated.any():
        return out, refused
    content = out[repeated].drop(columns=["source_file", "source_row"]).assign(_wkb=shapely.to_wkb(shapes[repeated]))
    refused[np.flatnonzero(repeated)[content.duplicated().to_numpy()]] = True
    for place in np.flatnonzero(refused):
        row = out.iloc[place]
        ledger.add(layer, row["source_file"], row["source_row"], key, row[key], "refused", "与前面一行完全相同", "删除重复行")
    used = set(out[key])
    keys = out[key].to_numpy(dtype=object).copy()
    again = pd.Series(keys).where(~refused).duplicated().to_numpy() & ~refused
    for place in np.flatnonzero(again):
        number = 2
        while f"{keys[place]}-{number}" in used:
            number += 1
        new = f"{keys[place]}-{number}"
        used.add(new)
        row = out.iloc[place]
        ledger.add(layer, row["source_file"], row["source_row"], key, keys[place], "repaired",
                   f"编号重复而内容不同，改为 {new}", "核对编号")
        keys[place] = new
    out[key] = pd.Series(keys, index=out.index, dtype="str")
    return out, refused
