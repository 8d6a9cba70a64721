"""Columns of the register as an office reads them: headings, words for codes, what may be edited."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import pandas as pd

from siteplan.crs import crs_zh
from siteplan.register import Register, word_of
from siteplan.register.dictionary import RegisterField, RegisterTable
from siteplan.register.edits import LOCKED, join_many

ID_ZH, REVISION_ZH = "储备库编号", "储备库版次"
EAST_ZH, NORTH_ZH = "东坐标(米)", "北坐标(米)"
_UNIT_ZH = {"m": "米", "m2": "平方米", "yuan": "元"}


@dataclass(frozen=True)
class LedgerColumn:
    """One column: its field (None = id, revision or a coordinate), heading, whether it is not to be edited."""

    name: str
    heading: str
    field: RegisterField | None
    is_locked: bool


def heading_of(field: RegisterField) -> str:
    """Chinese heading of a field, with its unit.

    >>> from siteplan.register import register_tables
    >>> heading_of(register_tables()["sites"].fields["antenna_height_m"])
    '挂高(米)'
    """
    unit = _UNIT_ZH.get(field.spec.unit, "")
    return f"{field.spec.zh}({unit})" if unit else field.spec.zh


def ledger_columns(spec: RegisterTable) -> list[LedgerColumn]:
    """Columns of a table in a ledger: id and revision first, places of points last."""
    locked = LOCKED.get(spec.name, {})
    out = [LedgerColumn("id", ID_ZH, None, True), LedgerColumn("revision", REVISION_ZH, None, True)]
    out += [LedgerColumn(name, heading_of(field), field, name in locked and name != "name")
            for name, field in spec.fields.items()]
    if spec.geometry == "point":
        out += [LedgerColumn("x", EAST_ZH, None, False), LedgerColumn("y", NORTH_ZH, None, False)]
    return out


def ledger_cells(spec: RegisterTable, rows: pd.DataFrame, column: LedgerColumn) -> list[Any]:
    """Cells of a column: words for codes, 是 and 否, dates, numbers; None = empty."""
    if column.name == "id":
        return [str(row_id) for row_id in rows.index]
    if column.name in ("x", "y"):
        points = rows["geometry"].to_numpy(object)
        return [None if point is None or point.is_empty else float(point.x if column.name == "x" else point.y)
                for point in points]
    cells = rows[column.name].to_numpy(object)
    return [_shown(spec, column, cell) for cell in cells]


def _shown(spec: RegisterTable, column: LedgerColumn, cell: Any) -> Any:
    if cell is None or cell is pd.NA or cell is pd.NaT or (isinstance(cell, float) and math.isnan(cell)):
        return None
    kind = "int" if column.field is None else column.field.spec.type
    if kind == "bool":
        return "是" if cell else "否"
    if kind == "date":
        return pd.Timestamp(cell).to_pydatetime()
    if kind == "int":
        return cell if isinstance(cell, str) else int(cell)
    if kind == "float":
        return float(cell)
    if column.field is not None and column.field.many:
        return join_many(str(cell))
    return word_of(spec.name, column.name, str(cell))


def crs_words(register: Register) -> str:
    """The CRS of the register as notes name it."""
    code = register.crs.to_epsg()
    return f"{crs_zh(register.crs)}(EPSG:{code})" if code else crs_zh(register.crs)
