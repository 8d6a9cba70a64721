"""Values as planners write them: numbers with units, 是/否, dates in many shapes, full-width digits."""

from __future__ import annotations

import datetime as dt
import math
import re
import unicodedata
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from siteplan.layers.file_log import FileLog
from siteplan.schema import UNIT_FACTORS, Field, match_value, normalise_word

EXACT, TIDIED, CHANGED, BAD = 0, 1, 2, 3
"""How a value was read: as it is; without unit text or full-width forms; converted; not at all."""
Parsed = tuple[Any, int]
_FEW_ROWS = 50
"""Values that only lost their unit text get a line each up to this number, one line in all beyond."""

_MISSING_TEXT = {"", "nan", "none", "null", "<null>", "#n/a", "<na>", "nat"}
_MISSING = _MISSING_TEXT | {"n/a", "na", "-", "--", "/", "—", "——", "\\", "空", "暂无", "不详", "未知", "无"}
_NUMBER = re.compile(r"[约≈]?\s*([+-]?(?:\d+(?:\.\d*)?|\.\d+)(?:e[+-]?\d+)?)\s*(\D[^\d]*2?)?", re.IGNORECASE)
_THOUSANDS = re.compile(r"[+-]?\d{1,3}(,\d{3})+(\.\d+)?\b")
_DECIMAL_COMMA = re.compile(r"([+-]?\d+),(\d{1,2})(\D.*)?")
_TRUE = {"是", "有", "y", "yes", "true", "t", "1", "√", "✓", "已", "已通", "通", "1.0", "真"}
_FALSE = {"否", "无", "n", "no", "false", "f", "0", "×", "x", "未", "未通", "没有", "0.0", "假"}
_DATE = re.compile(r"(\d{4})\D{0,2}(\d{1,2})(?:\D{0,2}(\d{1,2}))?(?:日|号)?(?:[T\s].*)?")
_EXCEL_DAY_0 = dt.datetime(1899, 12, 30)  # noqa: DTZ001 - dates of planning tables carry no zone


def parse_number(text: str, unit: str) -> Parsed:
    """A number with or without its unit; feet, kilometres, 万 ... are converted.

    >>> parse_number("３０米", "m"), parse_number("98ft", "m")[1] == CHANGED, parse_number("三十", "m")[1] == BAD
    ((30.0, 1), True, True)
    """
    plain = unicodedata.normalize("NFKC", text).strip()
    how = EXACT if plain == text.strip() else TIDIED
    if _THOUSANDS.match(plain):
        plain, how = plain.replace(",", ""), TIDIED
    comma = _DECIMAL_COMMA.fullmatch(plain)
    if comma:
        plain, how = f"{comma[1]}.{comma[2]}{comma[3] or ''}", CHANGED
    found = _NUMBER.fullmatch(plain)
    if not found:
        return None, BAD
    value, word = float(found[1]), normalise_word(found[2] or "")
    if not math.isfinite(value):
        return None, BAD
    if not word:
        return value, how
    factor = UNIT_FACTORS.get(unit.lower(), {}).get(word)
    if factor is None:
        return None, BAD
    return value * factor, max(how, TIDIED if factor == 1.0 else CHANGED)


def parse_bool(text: str) -> Parsed:
    """是/否, 有/无, yes/no, 1/0.

    >>> parse_bool("有"), parse_bool("也许")[1] == BAD
    ((True, 0), True)
    """
    word = unicodedata.normalize("NFKC", text).strip().casefold()
    if word in _TRUE:
        return True, EXACT
    return (False, EXACT) if word in _FALSE else (None, BAD)


def parse_date(text: str) -> Parsed:
    """ISO, 2023/5/1, 2023年5月1日, 20230501, or an Excel day number.

    >>> parse_date("2023年5月1日")[0].isoformat(), parse_date("45047")[0].isoformat()
    ('2023-05-01T00:00:00', '2023-05-01T00:00:00')
    """
    plain = unicodedata.normalize("NFKC", text).strip()
    if re.fullmatch(r"[2-7]\d{4}(\.\d+)?", plain):
        return _EXCEL_DAY_0 + dt.timedelta(days=int(float(plain))), CHANGED
    found = _DATE.fullmatch(plain)
    if not found:
        return None, BAD
    try:
        date = dt.datetime(int(found[1]), int(found[2]), int(found[3] or 1))  # noqa: DTZ001
    except ValueError:
        return None, BAD
    return date, EXACT if found[3] else CHANGED


def _as_text(value: Any) -> str:
    """Text of a cell: whole floats without .0, dates as ISO."""
    if isinstance(value, (float, np.floating)) and math.isfinite(value) and float(value).is_integer():
        return str(int(value))
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace")
    return str(value).strip()


def _parser(spec: Field, is_key: bool) -> Callable[[str], Parsed]:
    def parse_text(text: str) -> Parsed:
        if spec.values:
            value = match_value(spec, text)
            return value, BAD if value is None else EXACT
        plain = unicodedata.normalize("NFKC", text) if is_key else text
        return plain, EXACT if plain == text else TIDIED

    def parse_any_number(text: str) -> Parsed:
        value, how = parse_number(text, spec.unit)
        if spec.type == "int" and value is not None and not float(value).is_integer():
            return float(round(value)), CHANGED
        return value, how

    return {"text": parse_text, "bool": parse_bool, "date": parse_date}.get(spec.type, parse_any_number)


def _texts(raw: pd.Series, spec: Field) -> NDArray[np.object_]:
    """Cells as text; None where missing."""
    if pd.api.types.is_datetime64_any_dtype(raw.dtype):
        raw = raw.dt.strftime("%Y-%m-%dT%H:%M:%S")
    texts = np.empty(len(raw), dtype=object)
    texts[:] = [None if missing else _as_text(value) for value, missing in zip(raw, raw.isna(), strict=True)]
    tokens = _MISSING_TEXT if spec.type == "text" else (_MISSING - {"无"} if spec.type == "bool" else _MISSING)
    texts[[text is not None and text.casefold() in tokens for text in texts]] = None
    return texts


def read_column(raw: pd.Series, spec: Field, factor: float, log: FileLog, rows: NDArray[np.object_],
                is_key: bool = False) -> tuple[pd.Series, NDArray[np.bool_]]:
    """One typed column, and the rows that must be refused because of it.

    Parameters
    ----------
    raw : Series
        Cells of the file, any dtype.
    spec : Field
    factor : float
        Worth of the unit in the header.
    log : FileLog
        Gets the lines.
    rows : ndarray of str
        Row labels as planners see them.
    is_key : bool
        Full-width forms of a key are made half-width.

    Returns
    -------
    column : Series
        Of ``spec.dtype``, on the index of `raw`.
    refused : ndarray of bool
    """
    texts = _texts(raw, spec)
    codes, uniques = pd.factorize(texts)
    parse = _parser(spec, is_key)
    parsed = [parse(text) for text in uniques]
    how = np.array([kind for _, kind in parsed] + [EXACT])[codes]
    values = np.empty(len(parsed) + 1, dtype=object)
    values[:-1] = [value for value, _ in parsed]
    values[-1] = None
    column = values[codes]
    bad, missing = how == BAD, codes == -1
    numbers = spec.type in ("float", "int")
    if numbers:
        floats = np.array([np.nan if value is None else value for value in column], dtype=float) * factor
        outside = (floats < (-np.inf if spec.low is None else spec.low)) | (
            floats > (np.inf if spec.high is None else spec.high))
        column = np.where(outside, np.nan, floats)
        _log_outside(spec, outside, texts, log, rows)
        if factor != 1.0:
            log.rows(rows[~missing], spec.name, f"×{factor:g}", "repaired", "列名写明的单位已换算", "无需处理")
    else:
        outside = np.zeros(len(texts), dtype=bool)
    _log_reading(spec, how, texts, log, rows)
    refused = (bad | outside) & spec.strict | missing & spec.required
    if spec.required and missing.any():
        log.each(rows[missing], spec.name, [""] * int(missing.sum()), "refused", f"缺少必填的“{spec.zh}”", "补填后重新提供")
    series = pd.Series(column, index=raw.index)
    if spec.default is not None:
        empty = series.isna().to_numpy() & ~refused
        log.rows(rows[empty], spec.name, spec.default, "assumed", f"缺“{spec.zh}”，按缺省值", "有实际值时补填")
        series = series.astype(object).where(~empty, spec.default)
    if spec.type == "date":
        return pd.Series(pd.to_datetime(series.to_numpy()), index=raw.index).astype(spec.dtype), refused
    return series.astype(spec.dtype), refused


def _log_outside(spec: Field, outside: NDArray[np.bool_], texts: NDArray[np.object_], log: FileLog,
                 rows: NDArray[np.object_]) -> None:
    low, high = (-math.inf if spec.low is None else spec.low), (math.inf if spec.high is None else spec.high)
    reason = f"“{spec.zh}”超出 {low:g} 至 {high:g} {'' if spec.unit == '1' else spec.unit}".rstrip()
    if spec.strict:
        log.each(rows[outside], spec.name, texts[outside], "refused", reason, "核对数值和单位")
    else:
        log.each(rows[outside], spec.name, texts[outside], "repaired", f"{reason}，已置空", "核对数值和单位")


def _log_reading(spec: Field, how: NDArray[np.int_], texts: NDArray[np.object_], log: FileLog,
                 rows: NDArray[np.object_]) -> None:
    tidied, changed, bad = how == TIDIED, how == CHANGED, how == BAD
    reason = f"“{spec.zh}”去掉了单位文字、千分位或全角字符"
    if tidied.sum() <= _FEW_ROWS:
        log.each(rows[tidied], spec.name, texts[tidied], "repaired", reason, "无需处理")
    else:
        log.rows(rows[tidied], spec.name, texts[tidied][0], "repaired", reason, "无需处理")
    log.each(rows[changed], spec.name, texts[changed], "repaired", f"“{spec.zh}”已换算为 {spec.unit or spec.type}",
             "核对换算结果")
    if spec.values:
        wanted = "可写：" + "、".join(words[0] for words in spec.values.values() if words)
    else:
        wanted = {"float": "填数值", "int": "填整数", "bool": "填 是/否", "date": "填 2023-05-01 样式"}.get(spec.type, "核对")
    if spec.strict:
        log.each(rows[bad], spec.name, texts[bad], "refused", f"“{spec.zh}”无法识别", wanted)
    else:
        log.each(rows[bad], spec.name, texts[bad], "repaired", f"“{spec.zh}”无法识别，已置空", wanted)
