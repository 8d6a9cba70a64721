"""Words on where a row comes from, texts joined within groups, one ledger line for many rows."""

from __future__ import annotations

from typing import NamedTuple

import geopandas as gpd
import numpy as np
import pandas as pd

from siteplan.candidates.table import text
from siteplan.input_ledger import InputLedger
from siteplan.schema import layer_schema

_FEW = 20
"""So many ids are named in one ledger line; further ones are counted."""


def origin_words(layer: str, table: gpd.GeoDataFrame) -> pd.Series:
    """Layer, file (without its folder) and row of every row of a layer, such as ``规划建筑 planning.gpkg 第 3 行``.

    Parameters
    ----------
    layer : str
        Name of the layer.
    table : GeoDataFrame
        With ``source_file, source_row``.

    Returns
    -------
    Series of str
        On the table's index; only the layer's name where file and row are not known.

    Examples
    --------
    >>> rows = pd.DataFrame({"source_file": ["sub/a.gpkg", ""], "source_row": ["3", ""]}, index=["X1", "X2"])
    >>> origin_words("works", rows).tolist()
    ['道路工程 a.gpkg 第 3 行', '道路工程']
    """
    files, row = text(table["source_file"]), text(table["source_row"])
    file = files.map({name: name.replace("\\", "/").rsplit("/", 1)[-1] for name in set(files)}).astype("str")
    at_file, at_row = (" " + file).where(file != "", ""), (" 第 " + row + " 行").where(row != "", "")
    return (layer_schema(layer).zh + at_file + at_row).astype("str")


def joined(values: pd.Series, groups: pd.Series) -> pd.Series:
    """Different values of every group, sorted, joined by ``|``; empty values are left out.

    Parameters
    ----------
    values, groups : Series of str
        Of the same length.

    Returns
    -------
    Series of str
        Index = the groups, sorted.

    Examples
    --------
    >>> joined(pd.Series(["b", "a", "b", ""]), pd.Series(["X", "X", "X", "Y"])).to_dict()
    {'X': 'a|b', 'Y': ''}
    """
    pairs = pd.DataFrame({"group": groups.to_numpy(object), "value": values.to_numpy(object)}).drop_duplicates()
    pairs = pairs.sort_values(["group", "value"])
    if pairs.empty:
        return pd.Series([], index=pd.Index([], dtype="str"), dtype="str")
    names, starts = np.unique(pairs["group"].to_numpy(object), return_index=True)
    words, ends = pairs["value"].to_numpy(object), [*starts[1:], len(pairs)]
    cells = ["|".join(word for word in words[start:end] if word) for start, end in zip(starts, ends, strict=True)]
    return pd.Series(cells, index=pd.Index(names, dtype="str"), dtype="str")


def few(ids: pd.Index | pd.Series | list[str]) -> str:
    """Ids for a ledger line: all of them where they are few, else the first ones.

    >>> few(["A", "B"]), few([f"D{number}" for number in range(10, 40)])[-12:]
    ('A、B', 'D28、D29 等30个')
    """
    names = sorted(str(name) for name in ids)
    return "、".join(names[:_FEW]) + (f" 等{len(names)}个" if len(names) > _FEW else "")


def count_words(number: int, first: object, unit: str = "行") -> str:
    """The ``row`` of a ledger line on so many rows: the row itself where there is one.

    >>> count_words(1, "7"), count_words(3, "7"), count_words(3, "S1", "个站址")
    ('7', '共 3 行', '共 3 个站址')
    """
    return str(first) if number == 1 else f"共 {number} {unit}"


class Fact(NamedTuple):
    """What a ledger line says of rows of a layer: field, action (assumed | note | refused), reason, remedy."""

    field: str
    action: str
    reason: str
    remedy: str


def tell_rows(ledger: InputLedger, layer: str, rows: gpd.GeoDataFrame, fact: Fact, value: str = "") -> None:
    """One ledger line on rows of a layer, with their ids where no other value is given; none where there are no rows.

    Parameters
    ----------
    ledger : InputLedger
    layer : str
    rows : GeoDataFrame
        The rows concerned, with ``source_file, source_row``.
    fact : Fact
    value : str
        What was found.

    Examples
    --------
    >>> ledger = InputLedger()
    >>> rows = pd.DataFrame({"source_file": ["a.csv"] * 2, "source_row": ["3", "9"]}, index=["X1", "X2"])
    >>> tell_rows(ledger, "works", rows, Fact("kind", "note", "工程类型不明", "补填"))
    >>> [(line.file, line.row, line.value) for line in ledger]
    [('a.csv', '共 2 行', 'X1、X2')]
    """
    if len(rows):
        files = "|".join(sorted(set(text(rows["source_file"])) - {""}))
        first = text(rows["source_row"]).iloc[0] or rows.index[0]
        ledger.add(layer, files, count_words(len(rows), first), fact.field, value or few(rows.index), fact.action,
                   fact.reason, fact.remedy)
