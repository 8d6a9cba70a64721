"""Values of a register: typed, spelled as text for the log, checked one by one."""

from __future__ import annotations

import datetime as dt
import math
import re
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import shapely

from siteplan.register.dictionary import RegisterField, register_tables
from siteplan.schema import match_value, normalise_word

LONGEST = 10_000
"""Letters of a text, at most."""
DECIMALS = 3
"""Places are kept to the millimetre, so that both stores and the log hold the same."""
FARTHEST_M = 1e8
"""No coordinate of a projected CRS lies farther from its origin."""
LARGEST_WHOLE = 2 ** 53
"""Whole numbers beyond this are not exact as floats, which tables hold them as."""
FIRST_YEAR, LAST_YEAR = 1900, 2200
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ud800-\udfff\ufffe\uffff]")
_DAY = re.compile(r"(\d{4})\D(\d{1,2})\D(\d{1,2})\D?(?:[T\s].*)?|(\d{4})(\d{2})(\d{2})")
_YES, _NO = {"是", "有", "true", "1", "yes", "y"}, {"否", "无", "false", "0", "no", "n"}
_EMPTY = ("nan", "none", "null", "nat", "<na>")
_KINDS = {"point": ("Point",), "line": ("LineString", "MultiLineString")}


def has_control(text: str) -> bool:
    """Whether a text has letters that no planner typed: control codes, halves of letters."""
    return _CONTROL.search(text) is not None


class ValueFault(NamedTuple):
    """Why a value cannot be taken, and how to mend it."""

    reason: str
    remedy: str


Reader = Callable[[Any], Any]


def typed(field: RegisterField, value: Any) -> Any:
    """A value in the type of its column: str, int, float, bool, date, or None for nothing; else a `ValueFault`.

    Codes may be given as their spelling; whole numbers and days may be text; several values are a list, or joined by
    ``|``.

    >>> from siteplan.register.dictionary import register_tables
    >>> fields = register_tables()["sites"].fields
    >>> typed(fields["state"], "在建"), typed(fields["due_on"], "2026-06-30"), typed(fields["station_count"], 2.0)
    ('building', datetime.date(2026, 6, 30), 2)
    >>> typed(fields["bands"], ["n78", "n28", "n78"])
    'n78|n28'
    """
    if isinstance(value, np.generic):
        value = pd.Timestamp(value).to_pydatetime() if isinstance(value, np.datetime64) else value.item()
    if value is None or value is pd.NaT or value is pd.NA or (isinstance(value, float) and math.isnan(value)):
        return None
    if isinstance(value, str):
        value = value.strip()
        if not value or value.casefold() in _EMPTY:
            return None
    if field.many:
        return _several(field, value)
    return _TYPED[field.spec.type](field, value)


def _several(field: RegisterField, value: Any) -> Any:
    """Several values in their order, each once."""
    words = [value] if not isinstance(value, list | tuple | set | frozenset) else (
        list(value) if isinstance(value, list | tuple) else sorted(value))
    parts = [part.strip() for word in words if word is not None for part in re.split("[|\uff5c]", str(word))]
    found = [_text(field, part) for part in parts if part]
    fault = next((part for part in found if isinstance(part, ValueFault)), None)
    joined = "|".join(dict.fromkeys(map(str, found)))
    return fault or _too_long(joined) or joined or None


def _too_long(text: str) -> ValueFault | None:
    return ValueFault(f"超过 {LONGEST} 字", "改短,详情另附文件") if len(text) > LONGEST else None


def _text(field: RegisterField, value: Any) -> Any:
    if isinstance(value, str):
        text = value
    elif isinstance(value, int | float | dt.date):
        text = str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)
    else:
        return ValueFault(f"是 {type(value).__name__},不是文字", "填文字")
    if _CONTROL.search(text):
        return ValueFault("含有控制字符", "删去后重填")
    fault = _too_long(text)
    if fault or not field.spec.values:
        return fault or text
    code = match_value(field.spec, text)
    if code is None:
        return ValueFault(f"“{text[:40]}”不是可用的取值", f"可用:{'、'.join(words[0] for words in field.spec.values.values())}")
    return code


def _number(field: RegisterField, value: Any) -> Any:
    if isinstance(value, bool):
        return ValueFault("不是数", "填数")
    try:
        number = float(value)
    except (TypeError, ValueError, OverflowError):
        return ValueFault(f"“{str(value)[:40]}”不是数", "填数,不带单位")
    if not math.isfinite(number):
        return ValueFault("不是有限的数", "填数")
    low, high = field.spec.low, field.spec.high
    if (low is not None and number < low) or (high is not None and number > high):
        unit = field.spec.unit if field.spec.unit not in ("yuan", "1") else ""
        return ValueFault(f"{number:.15g} 不在 {low:g} 到 {high:g}{unit} 之间" if low is not None and high is not None
                          else f"{number:.15g} 超出范围", "核对数值和单位")
    if field.spec.type == "int":
        if abs(number) > LARGEST_WHOLE:
            return ValueFault(f"{number:.15g} 超出范围", "核对数值")
        return int(number) if number.is_integer() else ValueFault(f"{number:.15g} 不是整数", "填整数")
    return number + 0.0  # no -0.0: one store would give back 0.0


def _bool(field: RegisterField, value: Any) -> Any:
    if isinstance(value, bool):
        return value
    word = normalise_word(str(value).removesuffix(".0"))
    return True if word in _YES else False if word in _NO else ValueFault(
        f"“{str(value)[:40]}”不是“是”或“否”", f"{field.spec.zh}填 是 或 否")


def _day(field: RegisterField, value: Any) -> Any:
    return typed_day(value, field.spec.zh)


def typed_day(value: Any, zh: str = "日期") -> Any:
    """A day, None for nothing; else a `ValueFault`.

    >>> typed_day("2026年6月30日"), typed_day("20260630"), typed_day(None)
    (datetime.date(2026, 6, 30), datetime.date(2026, 6, 30), None)
    """
    if _is_nothing(value) or value == "":
        return None
    if isinstance(value, dt.date):
        day = value.date() if isinstance(value, dt.datetime) else value
    else:
        found = _DAY.fullmatch(str(value).strip())
        if not found:
            return ValueFault(f"“{str(value)[:40]}”不是日期", "填 2026-06-30 这样的日期")
        try:
            day = dt.date(*(int(part) for part in found.groups() if part is not None))
        except ValueError:
            return ValueFault(f"没有 {value} 这一天", f"核对{zh}")
    if not FIRST_YEAR <= day.year <= LAST_YEAR:
        return ValueFault(f"{day} 不在 {FIRST_YEAR} 到 {LAST_YEAR} 年之间", f"核对{zh}")
    return day


_TYPED: Mapping[str, Callable[[RegisterField, Any], Any]] = {
    "text": _text, "int": _number, "float": _number, "bool": _bool, "date": _day}


@cache
def readers_of(table: str) -> Mapping[str, Reader]:
    """`typed` of each field of a table; spellings of codes are looked up once."""
    return {name: _reader(held) for name, held in register_tables()[table].fields.items()}


def _reader(field: RegisterField) -> Reader:
    plain = field.spec.type == "text" and not field.many
    known: dict[str, Any] = {}

    def read(value: Any) -> Any:
        if not plain or type(value) is not str:
            return typed(field, value)
        if not field.spec.values:
            return typed(field, value)
        if value not in known:
            found = typed(field, value)
            if isinstance(found, ValueFault) or len(known) > LONGEST:
                return found
            known[value] = found
        return known[value]
    return read


def typed_shape(kind: str, shape: Any) -> Any:
    """A geometry as it is kept: rounded to the millimetre, None for nothing; else a `ValueFault`."""
    return typed_shapes(kind, [shape])[0]


def typed_shapes(kind: str, shapes: Sequence[Any]) -> list[Any]:
    """Geometries as they are kept, all at once: `typed_shape` of each.

    >>> [str(shape) for shape in typed_shapes("point", [shapely.Point(1.00049, 2.0), None])]
    ['POINT (1 2)', 'None']
    """
    out: list[Any] = [None if _is_nothing(shape) else shape if isinstance(shape, shapely.Geometry) else ValueFault(
        "不是几何", "给出点、线或面") for shape in shapes]
    rows = [row for row, shape in enumerate(out) if isinstance(shape, shapely.Geometry)]
    if not rows:
        return out
    found = np.empty(len(rows), dtype=object)
    found[:] = [shapely.LineString(out[row]) if out[row].geom_type == "LinearRing" else out[row] for row in rows]
    flat = shapely.force_2d(found)
    farthest = np.zeros(len(rows))
    coordinates, owner = shapely.get_coordinates(flat, return_index=True)
    with np.errstate(invalid="ignore"):
        np.maximum.at(farthest, owner, np.where(np.isfinite(coordinates), np.abs(coordinates), np.inf).max(axis=1))
    good = farthest <= FARTHEST_M
    flat[good] = shapely.transform(flat[good], lambda xy: np.round(xy, DECIMALS) + 0.0)
    empty = shapely.is_empty(flat)
    for place, row in enumerate(rows):
        if empty[place]:
            out[row] = None
        elif kind in _KINDS and flat[place].geom_type not in _KINDS[kind]:
            out[row] = ValueFault(f"几何是 {flat[place].geom_type}", f"须为 {_KINDS[kind][0]}")
        elif not good[place]:
            out[row] = ValueFault("坐标不是有限的数,或超出投影坐标的范围", "核对坐标和坐标系")
        else:
            out[row] = flat[place]
    return out


def _is_nothing(value: Any) -> bool:
    return value is None or value is pd.NA or value is pd.NaT or (isinstance(value, float) and math.isnan(value))


def text_of(value: Any) -> str | None:
    """A typed value as the log spells it.

    >>> text_of(True), text_of(0.1), text_of(dt.date(2026, 1, 2)), text_of(shapely.Point(1.0, 2.5))
    ('1', '0.1', '2026-01-02', 'POINT (1 2.5)')
    """
    if value is None or type(value) is str:
        return value
    if isinstance(value, bool):
        return "1" if value else "0"
    if isinstance(value, shapely.Geometry):
        return str(shapely.to_wkt(value, rounding_precision=DECIMALS))
    if isinstance(value, float):
        return repr(value)
    return value.isoformat() if isinstance(value, dt.date) else str(value)


def value_of(field: RegisterField | None, text: str | None) -> Any:
    """The value that `text_of` spelled; ``field`` None = a geometry.

    Raises
    ------
    ValueError
        It spelled no such value: another program changed the log.
    """
    if text is None:
        return None
    if field is None:
        shape = shapely.from_wkt(text, on_invalid="ignore")
        if shape is None:
            raise ValueError(text)
        return shape
    kind = field.spec.type
    if kind == "bool":
        return text == "1"
    if kind == "date":
        return dt.date.fromisoformat(text)
    return int(text) if kind == "int" else float(text) if kind == "float" else text


def is_same(one: Any, other: Any) -> bool:
    """Whether two typed values are the same, geometries to the millimetre."""
    if isinstance(one, shapely.Geometry) and isinstance(other, shapely.Geometry):
        return bool(shapely.equals_exact(one, other, tolerance=0.5 * 10.0 ** -DECIMALS))
    return bool(one == other) if type(one) is type(other) else False


def spelled(values: Mapping[str, Any]) -> dict[str, str]:
    """Values of a row as the log spells them, without those that are nothing."""
    return {name: text for name, value in values.items() if (text := text_of(value)) is not None}
