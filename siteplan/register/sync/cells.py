"""Tables of the register as plain cells, to be compared with a plan's."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from siteplan.register.dictionary import RegisterTable
from siteplan.register.store.values import text_of

_PLAIN: Mapping[str, Callable[[Any], Any]] = {
    "int": int, "float": float, "bool": bool, "date": lambda day: day.date()}


def plain_cells(frame: pd.DataFrame, spec: RegisterTable, names: Sequence[str]) -> dict[str, list[Any]]:
    """Columns of a table as the register keeps them: str, int, float, bool, date, shape; None for nothing."""
    out: dict[str, list[Any]] = {}
    for name in names:
        column = frame[name]
        missing = np.asarray(column.isna())
        cells = column.to_numpy(object, copy=True)
        cells[missing] = None
        kind = spec.fields[name].spec.type if name in spec.fields else ""
        convert = _PLAIN.get(kind)
        out[name] = cells.tolist() if convert is None else [None if cell is None else convert(cell) for cell in cells]
    return out


def joined_ids(former: str | None, more: Sequence[str | None], but: str | None) -> str | None:
    """Former ids with further ones, each once, without the present one.

    >>> joined_ids("S1|S2", ["S3", "S1"], "S2")
    'S1|S3'
    """
    told = [*(former or "").split("|"), *(text for text in more if text)]
    kept = [text for text in dict.fromkeys(told) if text and text != but]
    return "|".join(kept) or None


def shown(spec: RegisterTable, name: str, value: Any) -> str:
    """A value in words for people."""
    if name in spec.fields:
        words: Mapping[str, tuple[str, ...]] = spec.fields[name].spec.values
        if isinstance(value, str) and value in words:
            return words[value][0]
        if isinstance(value, bool):
            return "是" if value else "否"
    return text_of(value) or ""


def zh_of(spec: RegisterTable, name: str) -> str:
    """What planners call a field.

    >>> from siteplan.register import register_tables
    >>> zh_of(register_tables()["sites"], "owner"), zh_of(register_tables()["sites"], "geometry")
    ('权属单位', '位置')
    """
    return spec.fields[name].spec.zh if name in spec.fields else "位置"
