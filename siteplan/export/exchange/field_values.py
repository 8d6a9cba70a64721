"""Columns of the master as fields of a profile: words, codes, types, rounding; nothing is guessed, nothing is lost."""

from __future__ import annotations

import datetime as dt
import decimal
import math
import re
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from siteplan.export.exchange.findings import Findings, rows_of, shown
from siteplan.profiles import ProfileField

GREATEST_INT = 2**53
"""Whole numbers beyond this are not told apart once they are read as float64, as many programs do."""
NOT_TEXT = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")
"""Characters that XML (xlsx, kml, qml) and databases have no place for."""
LISTED = "|"
"""What the master joins entries of a list by."""
_WHOLE = re.compile(r"[+-]?[0-9]{1,400}")
_WIDE = {code + 0xFEE0: code for code in b"0123456789+-./:"}
"""Full-width digits and signs of numbers and days -> those that programs know."""
_SCALARS = (str, bool, np.bool_, int, float, np.number, decimal.Decimal, dt.date, np.datetime64, pd.Timestamp)
_DAYS = tuple(re.compile(form) for form in (
    r"([0-9]{4})-([0-9]{1,2})-([0-9]{1,2})", r"([0-9]{4})/([0-9]{1,2})/([0-9]{1,2})",
    r"([0-9]{4})([0-9]{2})([0-9]{2})"))
_MOMENT = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}[T ][0-9]{2}:[0-9]{2}(:[0-9]{2}(\.[0-9]+)?)?(Z|[+-][0-9]{2}:?[0-9]{2})?")
_ZONED = re.compile(r"[T ].*(?:Z|[+-][0-9]{2}:?[0-9]{2})$")
_BEIJING = dt.timezone(dt.timedelta(hours=8))
"""A day is that of Beijing; its time had summers until 1991, of which no plan speaks."""
_BEIJING_ZH = "带时区的时刻换算为北京时间"
_FIVE_ROOM = 1e-15
"""How far, relative, a double may be from the five that its digits say."""
_YES_NO: Mapping[bool, str] = {True: "是", False: "否"}


def field_column(field: ProfileField, source: pd.Series | None, rows: int, findings: Findings) -> pd.Series:
    """One field of an exchange layer: codes, type, rounding, what empty rows have; what is wrong is told.

    Parameters
    ----------
    field : ProfileField
    source : Series or None
        Column of the master, rows numbered; None where every row has ``field.value``.
    rows : int
    findings : Findings

    Returns
    -------
    Series
        ``str`` (NaN = empty), ``Int64``, ``float64`` or ``datetime64[s]``; values that are told as wrong are empty.

    Examples
    --------
    >>> import numpy as np
    >>> field = ProfileField("LX", "类型", "类型", "text", 4, source="kind", codes={"宏站": "1", "微站": "2"})
    >>> field_column(field, pd.Series(["宏站", ""]), 2, Findings("sites", np.array(["A", "B"]))).tolist()
    ['1', nan]
    """
    if source is None:
        values = _typed(field, pd.Series([field.value] * rows, dtype="object"), findings)
    else:
        plain = plain_column(field.name, source, findings)
        if field.between and plain.dtype == "str":
            plain = plain.str.replace(LISTED, field.between, regex=False)
        values = _typed(field, _coded(field, plain, findings) if field.codes else plain, findings)
        if field.value is not None and field.value != "":
            instead = _typed(field, pd.Series([field.value], dtype="object"), findings).iloc[0]
            values = values.mask(values.isna().to_numpy() & plain.isna().to_numpy(), instead)
    if field.mandatory:
        empty = values.isna() if field.type != "text" else values.isna() | (values.str.strip() == "").fillna(False)
        findings.rows(np.setdiff1d(_where(empty), findings.rows_told(field.name)), field.name, "必填字段为空",
                      "补全数据,或在导出方案中写 value = 缺省值")
    return values


def plain_column(name: str, column: pd.Series, findings: Findings) -> pd.Series:
    """A column as ``str``, ``boolean``, ``Int64``, ``float64`` or ``datetime64``, empty texts as NaN.

    Lists, tables and what else is no single value are told; characters that no format holds become blanks and are
    told as well.
    """
    column = column.reset_index(drop=True)
    if isinstance(column.dtype, pd.CategoricalDtype):
        column = column.astype(column.cat.categories.dtype)
    if isinstance(column.dtype, pd.DatetimeTZDtype):
        local, moved = column.dt.tz_localize(None), column.dt.tz_convert(_BEIJING).dt.tz_localize(None)
        far = _where((local != moved) & column.notna())
        findings.changed(far, name, (f"{column.dtype.tz} 时间", "北京时间"), _BEIJING_ZH)
        return moved
    if pd.api.types.is_datetime64_any_dtype(column.dtype):
        return column
    if pd.api.types.is_bool_dtype(column.dtype):
        return column.astype("boolean")
    if pd.api.types.is_integer_dtype(column.dtype):
        return column.astype("str") if column.dtype == "uint64" else column.astype("Int64")
    if pd.api.types.is_float_dtype(column.dtype):
        return column.astype("float64")
    if column.dtype == "object":
        column = _unmixed(name, column, findings)
        return _clean(name, column, findings) if column.dtype == "object" else column
    return _clean(name, column.astype("str"), findings)


def _unmixed(name: str, column: pd.Series, findings: Findings) -> pd.Series:
    """An object column in one type: that of its values, or their words where they are of several."""
    empty = np.array([value is None or value is pd.NA or value is pd.NaT
                      or (isinstance(value, (float, np.floating)) and value != value) for value in column], dtype=bool)
    odd = np.array([not isinstance(value, _SCALARS) for value in column], dtype=bool) & ~empty
    findings.rows(np.flatnonzero(odd), name,
                  lambda row: f"不是单个值({type(column.iloc[row]).__name__}):{shown(column.iloc[row])}", "在主数据中改为文字或数")
    values = column[~(empty | odd)]
    kinds = {_kind(value) for value in values}
    if kinds == {"bool"}:
        return column.where(~(empty | odd), None).astype("boolean")
    if kinds == {"date"}:
        zoned = [isinstance(value, dt.datetime) and value.tzinfo is not None for value in values]
        moved = [far and value.utcoffset() != _BEIJING.utcoffset(None)
                 for value, far in zip(values, zoned, strict=True)]
        findings.changed(values.index.to_numpy(dtype=np.intp)[moved], name, ("其他时区的时刻", "北京时间"), _BEIJING_ZH)
        moments = [value.astimezone(_BEIJING).replace(tzinfo=None) if far else value
                   for value, far in zip(values, zoned, strict=True)]
        out = pd.Series(np.datetime64("NaT", "s"), index=column.index, dtype="datetime64[us]")
        out[values.index] = np.array(moments, dtype="datetime64[us]")
        return out
    if kinds and kinds <= {"float", "int"} and all(abs(value) < 2**53 or kinds == {"float"} for value in values):
        numbers = column.where(~(empty | odd), None)
        return numbers.astype("Int64") if kinds == {"int"} else numbers.astype("float64")
    words = pd.Series([None] * len(column), index=column.index, dtype="object")
    words[values.index] = [value if isinstance(value, str) else word_of(value) for value in values]
    return words


def _kind(value: object) -> str:
    if isinstance(value, str):
        return "str"
    if isinstance(value, (bool, np.bool_)):
        return "bool"
    if isinstance(value, (int, np.integer)):
        return "int"
    return "float" if isinstance(value, (float, np.floating, decimal.Decimal)) else "date"


def word_of(value: Any) -> str:
    """A value as a text.

    >>> word_of(3.0), word_of(0.25), word_of(True), word_of(dt.date(2026, 6, 30))
    ('3', '0.25', '是', '2026-06-30')
    """
    if isinstance(value, (bool, np.bool_)):
        return _YES_NO[bool(value)]
    if isinstance(value, (int, np.integer)):
        return str(int(value))
    if isinstance(value, (float, np.floating, decimal.Decimal)):
        number = float(value)
        return f"{number:.0f}" if number.is_integer() and abs(number) < GREATEST_INT else repr(number)
    if isinstance(value, dt.date) and not isinstance(value, dt.datetime):
        return value.isoformat()
    moment = pd.Timestamp(value)
    whole_day = moment == moment.normalize()
    return moment.strftime("%Y-%m-%d") if whole_day else moment.isoformat(sep=" ", timespec="seconds")


def _clean(name: str, column: pd.Series, findings: Findings) -> pd.Series:
    """Texts without characters that no format holds, as ``str``; empty ones as NaN."""
    if column.dtype == "object":
        texts = list(dict.fromkeys(value for value in column if isinstance(value, str)))
        joined = "\n".join(texts)
    else:
        texts, joined = [], joined_text(column)
    if NOT_TEXT.search(joined):
        bad = [text for text in texts or column.dropna().unique() if NOT_TEXT.search(text)]
        clean = {text: NOT_TEXT.sub(" ", text) for text in bad}
        for text, rows in rows_of(column, bad).items():
            findings.changed(rows, name, (shown(text), shown(clean[text])), "含有文件格式不能存的控制字符,改为空格")
        column = column.map(lambda text: clean.get(text, text), na_action="ignore")
    column = column.astype("str")
    return column.mask((column == "").to_numpy(dtype=bool, na_value=False))


def joined_text(column: pd.Series) -> str:
    """All different texts of a ``str`` column, one behind the other: to be searched or encoded at once.

    >>> joined_text(pd.Series(["甲", "乙", "甲", None], dtype="str"))
    '甲乙'
    """
    return joined(different(column))


def different(column: pd.Series) -> pa.Array:
    """The different texts of a ``str`` column."""
    texts = pc.unique(pa.array(column, type=pa.large_string(), from_pandas=True))
    return texts.drop_null()


def joined(texts: pa.Array) -> str:
    """All texts of an array, one behind the other."""
    if len(texts) == 0:
        return ""
    return "".join(texts.to_pylist()) if texts.offset else bytes(texts.buffers()[2]).decode("utf-8")


def words_column(column: pd.Series) -> pd.Series:
    """A plain column as texts, NaN = empty."""
    if column.dtype == "str":
        return column
    if pd.api.types.is_integer_dtype(column.dtype):
        return column.astype("str")
    different_values = column.dropna().unique()
    words = {value: word_of(value) for value in different_values}
    return column.astype("object").map(words.get, na_action="ignore").astype("str")


def _coded(field: ProfileField, column: pd.Series, findings: Findings) -> pd.Series:
    """Words of the master as codes of the bureau; unknown ones are told, or kept where the field says so."""
    words = words_column(column)
    found = [str(word) for word in words.dropna().unique()]
    strange = [word for word in found if word not in field.codes] if field.other_codes == "error" else []
    if strange:
        known = "、".join(field.codes)
        for word, rows in rows_of(words, strange).items():
            findings.rows(rows, field.name, f"代码表中没有“{shown(word)}”", f"补入 codes,或写 other_codes = \"keep\";已有:{known}")
    codes = {word: None if word in strange else field.codes.get(word, word) or None for word in found}
    return words.map(codes.get, na_action="ignore").astype("str")


def _typed(field: ProfileField, column: pd.Series, findings: Findings) -> pd.Series:
    """A column as the type of its field."""
    plain = column if column.dtype != "object" else plain_column(field.name, column, findings)
    return _TYPED[field.type](field, plain, findings)


def _as_text(field: ProfileField, column: pd.Series, findings: Findings) -> pd.Series:
    if column.dtype == "float64":
        column = _finite(field, column, findings)
    return words_column(column)


def _as_int(field: ProfileField, column: pd.Series, findings: Findings) -> pd.Series:
    if pd.api.types.is_datetime64_any_dtype(column.dtype):
        return _as_int(field, words_column(column), findings)
    if column.dtype == "str":
        return _parsed(field, column, findings, "整数", _whole_number).astype("Int64")
    if column.dtype == "float64":
        column = _finite(field, column, findings)
        broken = (column % 1 != 0) & column.notna()
        findings.rows(_where(broken), field.name, lambda row: f"不是整数:{column.iloc[row]}",
                      "在导出方案中把 type 改为 float,或改正数据")
        column = column.mask(broken)
    elif column.dtype == "boolean":
        column = column.astype("Int64")
    far = ((column > GREATEST_INT) | (column < -GREATEST_INT)).fillna(False).astype(bool)
    findings.rows(_where(far), field.name, lambda row: f"整数超过 2 的 53 次方:{column.iloc[row]}",
                  "在导出方案中把 type 改为 text")
    return column.mask(far).astype("Int64")


def _whole_number(text: str) -> int | None:
    number = int(text) if _WHOLE.fullmatch(text) else None
    return number if number is not None and abs(number) <= GREATEST_INT else None


def _as_float(field: ProfileField, column: pd.Series, findings: Findings) -> pd.Series:
    if column.dtype == "str" or pd.api.types.is_datetime64_any_dtype(column.dtype):
        column = _parsed(field, words_column(column), findings, "数", _plain_number)
    column = _finite(field, column.astype("float64"), findings)
    return pd.Series(rounded(column.to_numpy(dtype=np.float64), field.decimals), index=column.index)


def rounded(values: NDArray[np.float64], decimals: int) -> NDArray[np.float64]:
    """Numbers at so many decimals, as planners round (四舍五入): a five, as the number is written, goes up in size.

    numpy rounds it to the even side (0.25 to 0.2), and takes 2.675 for what a double makes of it (2.67).

    >>> rounded(np.array([0.25, 2.675, -0.25, -0.04, np.nan]), 1).tolist(), rounded(np.array([2.675]), 2).tolist()
    ([0.3, 2.7, -0.3, 0.0, nan], [2.68])
    """
    with np.errstate(over="ignore", invalid="ignore"):
        near = np.round(values, decimals)
        parts = np.abs(values) * 10.0**decimals
        doubtful = np.abs(parts % 1.0 - 0.5) <= _FIVE_ROOM * (1.0 + parts)
    step = decimal.Decimal(1).scaleb(-decimals)
    large = ~(np.abs(values) < GREATEST_INT / 10.0**decimals)  # has no such digits; rounding would overflow
    for place in np.flatnonzero(doubtful & ~large):
        near.flat[place] = float(decimal.Decimal(repr(float(values.flat[place]))).quantize(step, decimal.ROUND_HALF_UP))
    return np.asarray(np.where(large, values, near + 0.0), dtype=np.float64)  # no minus before a zero


def _plain_number(text: str) -> float | None:
    try:
        number = float(text)
    except ValueError:
        return None
    return number if math.isfinite(number) and "_" not in text and text.isascii() else None


def _as_date(field: ProfileField, column: pd.Series, findings: Findings) -> pd.Series:
    if not pd.api.types.is_datetime64_any_dtype(column.dtype):
        words = words_column(column)
        column = _parsed(field, words, findings, "日期", _day)
        zoned = words.str.contains(_ZONED, regex=True, na=False).to_numpy(dtype=bool) & column.notna().to_numpy()
        findings.changed(np.flatnonzero(zoned), field.name, ("其他时区的时刻", "北京时间"), _BEIJING_ZH)
    days = pd.to_datetime(column).dt.normalize()
    for row in _where((column != days) & column.notna()):
        findings.changed(np.array([row]), field.name, (str(column.iloc[row]), str(days.iloc[row].date())), "日期字段不存时刻")
    return days.astype("datetime64[s]")


def _day(text: str) -> np.datetime64 | None:
    """The day or the moment (in Beijing) that a text says in full; nothing is guessed of a month or a week."""
    try:
        for form in _DAYS:
            if found := form.fullmatch(text):
                return np.datetime64(dt.date(*map(int, found.groups())), "us")
        if not _MOMENT.fullmatch(text):
            return None
        moment = dt.datetime.fromisoformat(text)
        return np.datetime64((moment.astimezone(_BEIJING) if moment.tzinfo else moment).replace(tzinfo=None), "us")
    except (ValueError, OverflowError):
        return None


def _parsed(field: ProfileField, column: pd.Series, findings: Findings, what: str,
            parse: Callable[[str], Any]) -> pd.Series:
    """Texts as another type; those that do not say one are told, so is what stands there in full-width digits."""
    stripped = {text: str(text).strip().translate(_WIDE) for text in column.dropna().unique()}
    parsed = {text: parse(short) for text, short in stripped.items() if short}
    bad = [text for text, value in parsed.items() if value is None]
    for text, rows in rows_of(column, bad).items():
        findings.rows(rows, field.name, f"不是{what}:{shown(text)}", f"改正数据,或在导出方案中把 type 改为 text(现为 {field.type})")
    wide = [text for text, value in parsed.items() if value is not None and stripped[text] != str(text).strip()]
    for text, rows in rows_of(column, wide).items():
        findings.changed(rows, field.name, (shown(text), stripped[text]), "全角数字改为半角")
    kind = {"整数": "Int64", "数": "float64"}.get(what, "datetime64[us]")
    values = [parsed.get(text) if isinstance(text, str) else None for text in column]
    return pd.Series(values, index=column.index, dtype=kind)


def _finite(field: ProfileField, column: pd.Series, findings: Findings) -> pd.Series:
    wild = np.isinf(column.to_numpy(dtype=np.float64))
    findings.rows(np.flatnonzero(wild), field.name, "是无穷大", "改正数据,或留空")
    return column.mask(wild)


def _where(mask: Any) -> NDArray[np.intp]:
    return np.flatnonzero(np.asarray(mask, dtype=bool))


_TYPED: Mapping[str, Callable[[ProfileField, pd.Series, Findings], pd.Series]] = {
    "text": _as_text, "int": _as_int, "float": _as_float, "date": _as_date}
