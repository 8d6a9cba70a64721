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
from siteplan.schema import Field, match_value, normalise_word
from siteplan.unit_words import UNIT_FACTORS

EXACT, TIDIED, CHANGED, BAD = 0, 1, 2, 3
"""How a value was read: as it is; without unit text or full-width forms; converted; not at all."""
Parsed = tuple[Any, int]
_FEW_ROWS = 50
"""Values that only lost their unit text get a line each up to this number, one line in all beyond."""

_MISSING_TEXT = {"", "nan", "none", "null", "<null>", "<na>", "nat"}
_MISSING = _MISSING_TEXT | {"n/a", "na", "-", "--", "/", "—", "——", "\\", "空", "暂无", "不详", "未知", "无"}
_NUMBER = re.compile(r"[约≈]?\s*([+-]?(?:\d+(?:\.\d*)?|\.\d+)(?:e[+-]?\d+)?)\s*(\D[^\d]*2?)?", re.IGNORECASE)
_THOUSANDS = re.compile(r"[+-]?[1-9]\d{0,2}(,\d{3})+(\.\d+)?(?![\d,])")
_DECIMAL_COMMA = re.compile(r"([+-]?\d+),(\d{1,2})(\D.*)?")
_EXCEL_ERRORS = {"#n/a", "#ref!", "#div/0!", "#value!", "#name?", "#num!", "#null!", "#getting_data", "#spill!",
                 "#calc!"}
_SEVERAL = re.compile(r".*\d\D*[/、;；|,，]\s*[+-]?\d.*")
_RANGE = re.compile(r"\D*\d+(?:\.\d+)?\D{0,3}\s*(?:-|~|～|—|–|至|到)\s*\d+(?:\.\d+)?\D*")
_CHINESE_DIGITS = re.compile(r"[零〇一二两三四五六七八九十百千万点]+\D?")
_SCIENTIFIC = re.compile(r"\d+(?:\.\d+)?[Ee]\+?\d+")
_WHOLE = re.compile(r"\d{5,}\.0+")
_EXACT_WHOLE = 2.0 ** 53
_TRUE = {"是", "有", "y", "yes", "true", "t", "1", "√", "✓", "已", "已通", "通", "1.0", "真"}
_FALSE = {"否", "无", "n", "no", "false", "f", "0", "×", "x", "未", "未通", "没有", "0.0", "假"}
_DATE = re.compile(r"(\d{4})\D{0,2}(\d{1,2})(?:\D{0,2}(\d{1,2}))?(?:日|号)?(?:[T\s].*)?")
_EXCEL_DAY_0 = dt.datetime(1899, 12, 30)  # noqa: DTZ001 - dates of planning tables carry no zone
_UNIT_ZH = {"1": "", "deg": "度", "people": "人", "households": "户", "seats": "座", "m2": "平方米"}
"""Units that planners read in Chinese; the others are the same everywhere."""
_TYPE_ZH = {"text": "文字", "float": "数", "int": "整数", "bool": "是、否", "date": "日期"}


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


def _word_parser(spec: Field) -> Callable[[str], Parsed]:
    def parse_word(text: str) -> Parsed:
        value = match_value(spec, text)
        return value, BAD if value is None or text.lower() in _EXCEL_ERRORS else EXACT

    return {"bool": parse_bool, "date": parse_date}.get(spec.type, parse_word)


def _number_parser(spec: Field) -> Callable[[str], Parsed]:
    def parse_any_number(text: str) -> Parsed:
        value, how = parse_number(text, spec.unit)
        if spec.type == "int" and value is not None and not float(value).is_integer():
            return float(round(value)), CHANGED
        return value, how

    return parse_any_number


def plain_numbers(cells: pd.Series) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Cells that are plain numbers, as float64 (NaN elsewhere), and the cells that hold something else.

    >>> values, left = plain_numbers(pd.Series(["1.5", None, "2 m"]))
    >>> values.tolist(), left.tolist()
    ([1.5, nan, nan], [False, False, True])
    """
    if pd.api.types.is_datetime64_any_dtype(cells.dtype) or cells.dtype == bool:
        return np.full(len(cells), np.nan), cells.notna().to_numpy()
    if pd.api.types.is_numeric_dtype(cells.dtype):
        values = cells.to_numpy(dtype=float, na_value=np.nan)
        return np.where(np.isfinite(values), values, np.nan), np.isinf(values)
    values = np.array(pd.to_numeric(cells.astype(object), errors="coerce"), dtype=float)
    left = ~np.isfinite(values) & cells.notna().to_numpy()
    if pd.api.types.infer_dtype(cells, skipna=True) != "string":
        left |= np.array([isinstance(cell, (bool, np.bool_, dt.date)) for cell in cells], dtype=bool)
    return np.where(left | ~np.isfinite(values), np.nan, values), left


def _flags(found: pd.Series) -> NDArray[np.bool_]:
    """Answers of a text method as a fresh array; missing cells are False."""
    return np.array(found, dtype=bool)


def _cell_texts(raw: pd.Series) -> pd.Series:
    """Cells as stripped text, missing ones stay missing."""
    if pd.api.types.is_datetime64_any_dtype(raw.dtype):
        return raw.dt.strftime("%Y-%m-%dT%H:%M:%S").astype("str")
    if raw.dtype != "str" and pd.api.types.infer_dtype(raw, skipna=True) != "string":
        raw = pd.Series([None if missing else _as_text(value) for value, missing in zip(raw, raw.isna(), strict=True)],
                        index=raw.index, dtype=object)
    return raw.astype("str").str.strip()


def _texts(raw: pd.Series, spec: Field) -> pd.Series:
    """Cells as text, those that say nothing missing."""
    texts = _cell_texts(raw)
    tokens = _MISSING_TEXT if spec.type == "text" else (_MISSING - {"无"} if spec.type == "bool" else _MISSING)
    return texts.mask(texts.str.lower().isin(list(tokens)))


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
    refused = np.zeros(len(raw), dtype=bool)
    if raw.isna().all():
        column = pd.Series(None, index=raw.index, dtype=object).astype(spec.dtype)
        missing = np.ones(len(raw), dtype=bool)
    elif spec.type in ("float", "int"):
        column, missing, refused = _number_column(raw, spec, factor, log, rows)
    elif spec.type == "text" and not spec.values:
        column, missing, refused = _text_column(raw, spec, is_key, log, rows)
    else:
        column, missing, refused = _word_column(raw, spec, log, rows)
    if spec.required and missing.any():
        refused = refused | missing
        log.each(rows[missing], spec.name, [""] * int(missing.sum()), "refused", f"缺少必填的“{spec.zh}”", "补填后重新提供")
    if spec.default is not None:
        empty = column.isna().to_numpy() & ~refused
        log.rows(rows[empty], spec.name, spec.default, "assumed", f"缺“{spec.zh}”，按缺省值", "有实际值时补填")
        column = column.where(~empty, spec.default)
    return column.astype(spec.dtype), refused


_Typed = tuple[pd.Series, NDArray[np.bool_], NDArray[np.bool_]]
"""Column, cells that say nothing, rows refused."""


def _number_column(raw: pd.Series, spec: Field, factor: float, log: FileLog, rows: NDArray[np.object_]) -> _Typed:
    values, left = plain_numbers(raw)
    missing = ~left & np.isnan(values)
    bad = np.zeros(len(raw), dtype=bool)
    if spec.type == "int":
        left |= np.isfinite(values) & (values != np.floor(values))
    if left.any():
        texts = _texts(raw[left], spec)
        values[left], how = _parse_each(texts, _number_parser(spec))
        missing[left] |= texts.isna().to_numpy()
        bad[left] = how == BAD
        _log_reading(spec, how, texts.to_numpy(dtype=object), log, rows[left])
    values = values * factor
    outside = (values < (-np.inf if spec.low is None else spec.low)) | (
        values > (np.inf if spec.high is None else spec.high))
    if outside.any():
        _log_outside(spec, outside, _cell_texts(raw[outside]).to_numpy(dtype=object), log, rows)
    if factor != 1.0:
        log.rows(rows[~missing], spec.name, f"×{factor:g}", "repaired", "列名写明的单位已换算", "无需处理")
    return pd.Series(np.where(outside, np.nan, values), index=raw.index), missing, (bad | outside) & spec.strict


def _parse_each(texts: pd.Series, parse: Callable[[str], Parsed]) -> tuple[NDArray[Any], NDArray[np.int_]]:
    """Value and way of reading of each cell, each different text parsed once."""
    codes, uniques = pd.factorize(texts.to_numpy(dtype=object))
    parsed = [parse(text) for text in uniques]
    values = np.empty(len(parsed) + 1, dtype=object)
    values[:-1] = [value for value, _ in parsed]
    values[-1] = None
    return values[codes], np.array([kind for _, kind in parsed] + [EXACT])[codes]


def _text_column(raw: pd.Series, spec: Field, is_key: bool, log: FileLog, rows: NDArray[np.object_]) -> _Typed:
    texts = _texts(raw, spec)
    column = texts.str.normalize("NFKC") if is_key else texts
    tidied = _flags((column != texts) & texts.notna())
    dotted = _flags(texts.str.endswith(".0"))
    if dotted.any():
        whole = _flags(texts[dotted].str.fullmatch(_WHOLE.pattern))
        dotted[dotted] = whole
        column = column.where(~dotted, column.str.split(".").str[0])
    broken = _flags(texts.str.startswith("#"))
    if broken.any():
        broken &= _flags(texts.str.lower().isin(list(_EXCEL_ERRORS)))
        column = column.mask(broken)
    _log_reading(spec, np.select([broken, tidied | dotted], [BAD, TIDIED], EXACT), texts.to_numpy(dtype=object), log,
                 rows)
    if is_key or spec.name.endswith(("_id", "_code", "_site")):
        _log_lost_digits(raw, spec, texts, log, rows)
    return column, texts.isna().to_numpy(), broken & spec.strict


def _log_lost_digits(raw: pd.Series, spec: Field, texts: pd.Series, log: FileLog, rows: NDArray[np.object_]) -> None:
    """A note where a spreadsheet has cut the digits of a long number."""
    lost = _flags(texts.str.contains("e+", case=False, regex=False))
    if lost.any():
        lost[lost] = _flags(texts[lost].str.fullmatch(_SCIENTIFIC.pattern))
    if pd.api.types.is_float_dtype(raw.dtype) or raw.dtype == object:
        long = np.array(texts.str.len() > 15, dtype=bool)
        long[long] = [isinstance(cell, (float, np.floating)) and abs(float(cell)) >= _EXACT_WHOLE for cell in raw[long]]
        lost |= long
    places = np.flatnonzero(lost)
    reason, remedy = f"“{spec.zh}”在电子表格里成了科学计数法，尾数已丢失", "把该列设为文本后从原系统重新导出"
    if len(places) > _FEW_ROWS:
        log.rows(rows[places], spec.name, texts.iloc[places[0]], "note", reason, remedy)
    else:
        log.each(rows[places], spec.name, texts.iloc[places], "note", reason, remedy)


def _word_column(raw: pd.Series, spec: Field, log: FileLog, rows: NDArray[np.object_]) -> _Typed:
    """Listed words, truths and dates."""
    texts = _texts(raw, spec)
    values, how = _parse_each(texts, _word_parser(spec))
    _log_reading(spec, how, texts.to_numpy(dtype=object), log, rows)
    column = pd.Series(pd.to_datetime(values) if spec.type == "date" else values, index=raw.index)
    return column, texts.isna().to_numpy(), (how == BAD) & spec.strict


def _log_outside(spec: Field, outside: NDArray[np.bool_], texts: NDArray[np.object_], log: FileLog,
                 rows: NDArray[np.object_]) -> None:
    low, high = (-math.inf if spec.low is None else spec.low), (math.inf if spec.high is None else spec.high)
    reason = f"“{spec.zh}”超出 {low:.10g} 至 {high:.10g} {_UNIT_ZH.get(spec.unit, spec.unit)}".rstrip()
    if spec.strict:
        log.each(rows[outside], spec.name, texts, "refused", reason, "核对数值和单位")
    else:
        log.each(rows[outside], spec.name, texts, "repaired", f"{reason}，已置空", "核对数值和单位")


def _log_reading(spec: Field, how: NDArray[np.int_], texts: NDArray[np.object_], log: FileLog,
                 rows: NDArray[np.object_]) -> None:
    tidied, changed, bad = how == TIDIED, how == CHANGED, how == BAD
    reason = f"“{spec.zh}”去掉了单位文字、千分位或全角字符"
    if tidied.sum() <= _FEW_ROWS:
        log.each(rows[tidied], spec.name, texts[tidied], "repaired", reason, "无需处理")
    else:
        log.rows(rows[tidied], spec.name, texts[tidied][0], "repaired", reason, "无需处理")
    wanted = _UNIT_ZH.get(spec.unit, spec.unit) or _TYPE_ZH[spec.type]
    log.each(rows[changed], spec.name, texts[changed], "repaired", f"“{spec.zh}”已换算为 {wanted}", "核对换算结果")
    if not bad.any():
        return
    if spec.values:
        wanted = "可写：" + "、".join(words[0] for words in spec.values.values() if words)
    else:
        wanted = {"float": "填数值", "int": "填整数", "bool": "填 是/否", "date": "填 2023-05-01 样式"}.get(spec.type, "核对")
    why = {text: _why(text, spec) for text in dict.fromkeys(texts[bad])}
    for reason in dict.fromkeys(why.values()):
        mine = bad & np.array([why.get(text) == reason for text in texts], dtype=bool)
        action, done = ("refused", "") if spec.strict else ("repaired", "，已置空")
        log.each(rows[mine], spec.name, texts[mine], action, f"“{spec.zh}”{reason}{done}", wanted)


def _why(text: str, spec: Field) -> str:
    """What is wrong with a text that could not be read."""
    if text.lower() in _EXCEL_ERRORS:
        return "是电子表格的错误值"
    if spec.type in ("float", "int"):
        plain = unicodedata.normalize("NFKC", text)
        if _RANGE.fullmatch(plain):
            return "写的是范围，取哪个值要由人定"
        if _SEVERAL.fullmatch(plain):
            return "一格里有几个数，取哪个要由人定"
        if _CHINESE_DIGITS.fullmatch(plain):
            return "是中文数字，请写阿拉伯数字"
    return "无法识别"
