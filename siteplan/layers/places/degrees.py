"""Longitude, latitude and plane coordinates as planners write them, one cell at a time or a whole column."""

from __future__ import annotations

import math
import re
import unicodedata

import numpy as np
import pandas as pd
import shapely
from numpy.typing import NDArray
from shapely.geometry.base import BaseGeometry

from siteplan.layers.values import parse_number, plain_numbers

PLAIN, CONVERTED, COMMA, UNREAD = 0, 1, 2, 3
"""How a coordinate was read: a number as it is; degrees, minutes, seconds or words; a decimal comma; not at all."""

Floats = NDArray[np.float64]

_MARKS = str.maketrans({"º": "°", "˚": "°", "∘": "°", "゜": "°", "′": "'", "’": "'", "‘": "'", "´": "'", "`": "'",
                        "ʹ": "'",
                        "″": '"', "”": '"', "“": '"', "〃": '"', "˝": '"', "＂": '"', "＇": "'", "−": "-", "–": "-",
                        "－": "-"})
_WORDS = (("东经", "E"), ("西经", "W"), ("北纬", "N"), ("南纬", "S"), ("经度", ""), ("纬度", ""), ("''", '"'))
_DECIMAL = re.compile(r"([+-]?(?:\d+(?:\.\d*)?|\.\d+)(?:E[+-]?\d+)?)\s*[°度]?", re.IGNORECASE)
_MARKED = re.compile(r"([+-]?\d{1,3})\s*[°度:]\s*(\d{1,2}(?:\.\d+)?)\s*(?:['分:]\s*(?:(\d{1,2}(?:\.\d+)?)\s*[\"秒']?)?)?")
_LETTERED = re.compile(r"([+-]?\d{1,3})\s*D(?:EG)?\s*(\d{1,2}(?:\.\d+)?)\s*"
                       r"(?:M(?:IN)?\s*(?:(\d{1,2}(?:\.\d+)?)\s*(?:S(?:EC)?)?)?)?",
                       re.IGNORECASE)
_SPACED = re.compile(r"([+-]?\d{1,3})[\s-]+(\d{1,2})[\s-]+(\d{1,2}(?:\.\d+)?)")
_COMMA = re.compile(r"([+-]?\d{1,3}),(\d+)")
_PARTS = re.compile(r"[,，;；、|/]")
_DEEPEST = 1000
_HEX = re.compile(r"0[01][0-9A-Fa-f]{16,}")
_SRID = re.compile(r"\s*SRID\s*=\s*(\d+)\s*;", re.IGNORECASE)


def _tidy(text: str) -> str:
    plain = unicodedata.normalize("NFKC", text.translate(_MARKS)).translate(_MARKS)
    for word, letter in _WORDS:
        plain = plain.replace(word, letter)
    return plain.strip()


def _hemisphere(text: str) -> tuple[str, str]:
    """The text without the letter of its hemisphere, and that letter (empty when there is none)."""
    first, last = text[:1].upper(), text[-1:].upper()
    if first in ("N", "S", "E", "W") and first:
        return text[1:].strip(" :"), first
    if last in ("N", "S", "E", "W") and last and not _LETTERED.fullmatch(text):  # 22d31m12s: the S is of seconds
        return text[:-1].strip(" :"), last
    return text, ""


def read_degrees(text: str) -> tuple[float, int]:
    """Degrees that a cell says, and how it was read; (NaN, UNREAD) when it says none.

    Packed forms such as 1132248.5 (DDDMMSS.s) are not guessed: they come back as the number they are.

    >>> read_degrees("113.38"), read_degrees("东经１１３度２２分４８秒"), read_degrees("113,38")
    ((113.38, 0), (113.38, 1), (113.38, 2))
    """
    plain = _tidy(text)
    comma = _COMMA.fullmatch(plain)
    if comma:
        return float(f"{comma[1]}.{comma[2]}"), COMMA
    body, hemisphere = _hemisphere(plain.strip(" :"))
    sign = -1.0 if hemisphere in ("S", "W") else 1.0
    decimal = _DECIMAL.fullmatch(body)
    if decimal:
        value = float(decimal[1])
        how = PLAIN if not hemisphere and text.strip() == decimal[1] else CONVERTED
        return (sign * value, how) if math.isfinite(value) else (math.nan, UNREAD)
    found = _MARKED.fullmatch(body) or _LETTERED.fullmatch(body) or _SPACED.fullmatch(body)
    if found is None:
        return math.nan, UNREAD
    minutes, seconds = float(found[2]), float(found[3] or 0.0)
    if minutes >= 60.0 or seconds >= 60.0 or (found[3] and not minutes.is_integer()):
        return math.nan, UNREAD
    size = abs(float(found[1])) + minutes / 60.0 + seconds / 3600.0
    return sign * math.copysign(size, -1.0 if found[1].startswith("-") else 1.0), CONVERTED


def parse_degrees(text: str) -> float:
    """Decimal degrees, or degrees, minutes and seconds; NaN when neither.

    >>> round(parse_degrees("113°22′48″E"), 6), parse_degrees("113.38"), parse_degrees("x")
    (113.38, 113.38, nan)
    """
    return read_degrees(text)[0]


def _metres(text: str) -> tuple[float, int]:
    value, how = parse_number(text, "m")
    return (math.nan, UNREAD) if value is None else (float(value), PLAIN if how == 0 else CONVERTED)


def read_axis(cells: pd.Series, degrees: bool) -> tuple[Floats, NDArray[np.int8]]:
    """A column of coordinates and how each cell was read; cells left empty are NaN and PLAIN.

    >>> values, how = read_axis(pd.Series(["113.38", "113°22′48″", None, "x"]), True)
    >>> values.round(6).tolist(), how.tolist()
    ([113.38, 113.38, nan, nan], [0, 1, 0, 3])
    """
    values, left = plain_numbers(cells)
    how = np.zeros(len(values), dtype=np.int8)
    read = read_degrees if degrees else _metres
    for place in np.flatnonzero(left):
        text = str(cells.iloc[place]).strip()
        if text.casefold() not in ("", "nan", "none", "null", "-", "--", "—", "/"):
            values[place], how[place] = read(text)
    return values, how


def split_pair(text: str) -> tuple[str, str] | None:
    """The two coordinates of one cell, in the order in which they stand; None when there are not two.

    >>> split_pair("(113.38, 22.52)"), split_pair("113.38 22.52"), split_pair("E113°22′48″N22°31′12″"), split_pair("x")
    (('113.38', '22.52'), ('113.38', '22.52'), ('E113°22′48″', 'N22°31′12″'), None)
    """
    plain = text.strip().strip("()（）[]【】 ")
    parts = [part.strip() for part in _PARTS.split(plain) if part.strip()]
    if len(parts) == 1:
        parts = plain.split()
    if len(parts) != 2:
        parts = [part.strip() for part in re.split(r"(?<=[NSEWnsew])\s*(?=\d)|(?<=[\d°′″'\"度分秒])\s*(?=[NSEWnsew北东南西])",
                                                   plain) if part.strip()]
    if len(parts) == 4 and all(part.upper() in ("N", "S", "E", "W") for part in parts[::2]):
        parts = [parts[0] + parts[1], parts[2] + parts[3]]
    return (parts[0], parts[1]) if len(parts) == 2 else None


def read_pairs(cells: pd.Series) -> tuple[Floats, Floats, NDArray[np.int8]]:
    """First and second coordinate of a column that holds both, and how each cell was read.

    >>> first, second, how = read_pairs(pd.Series(["113.38,22.52", "?"]))
    >>> first[0], second[0], how.tolist()
    (np.float64(113.38), np.float64(22.52), [0, 3])
    """
    first, second = np.full(len(cells), np.nan), np.full(len(cells), np.nan)
    how = np.zeros(len(cells), dtype=np.int8)
    for place, cell in enumerate(cells):
        if cell is None or pd.isna(cell) or not str(cell).strip():
            continue
        pair = split_pair(str(cell))
        read = [read_degrees(part) for part in pair or ()]
        how[place] = max((kind for _, kind in read), default=UNREAD)
        if read and how[place] != UNREAD:
            first[place], second[place] = read[0][0], read[1][0]
    return first, second, how


def _from_wkt(text: str) -> BaseGeometry | None:
    """A shape of WKT; None for what cannot be read, arcs among it."""
    try:
        return shapely.from_wkt(text, on_invalid="ignore")
    except NotImplementedError:
        return None


def _too_deep(text: str) -> bool:
    """Whether collections may be nested beyond what the stack of GEOS holds; counted by their words."""
    return len(text) > _DEEPEST and any(text.upper().count(word) > _DEEPEST for word in (
        "COLLECTION", "MULTI", "0104000000", "0105000000", "0106000000", "0107000000", "0000000007"))


def read_shapes(cells: pd.Series) -> tuple[NDArray[np.object_], int | None, NDArray[np.bool_]]:
    """Shapes of a column that holds WKT, EWKT, GeoJSON or hexadecimal WKB; the EPSG code it names; cells not read.

    >>> shapes, code, unread = read_shapes(pd.Series(["SRID=4490;POINT (113.38 22.52)", "x", None]))
    >>> shapes[0].x, code, unread.tolist()
    (113.38, 4490, [False, True, False])
    """
    texts = [("" if cell is None or pd.isna(cell) else str(cell).strip()) for cell in cells]
    codes = {int(found[1]) for text in texts if (found := _SRID.match(text))}
    plain = [_SRID.sub("", text, count=1) if text[:4].upper() == "SRID" else text for text in texts]
    out = np.full(len(plain), None, dtype=object)
    for place, text in enumerate(plain):
        if _too_deep(text):
            continue
        with np.errstate(all="ignore"):
            if text.startswith("{"):
                out[place] = shapely.from_geojson(text, on_invalid="ignore")
            elif _HEX.fullmatch(text):
                out[place] = shapely.from_wkb(text, on_invalid="ignore")
            elif text:
                out[place] = _from_wkt(text)
    unread = np.array([bool(text) for text in plain], dtype=bool) & shapely.is_missing(out)
    return out, codes.pop() if len(codes) == 1 else None, unread
