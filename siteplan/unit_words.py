"""Units as planners write them, and what they are worth in the unit of a field."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

UNIT_FACTORS: Mapping[str, Mapping[str, float]] = MappingProxyType({
    "m": {"m": 1.0, "米": 1.0, "公尺": 1.0, "meter": 1.0, "meters": 1.0, "metre": 1.0, "metres": 1.0, "cm": 0.01,
          "厘米": 0.01, "dm": 0.1, "km": 1000.0, "公里": 1000.0, "ft": 0.3048, "英尺": 0.3048, "feet": 0.3048,
          "foot": 0.3048, "'": 0.3048},
    "m2": {"m2": 1.0, "平方米": 1.0, "平米": 1.0, "sqm": 1.0, "km2": 1e6, "平方公里": 1e6, "ha": 1e4, "公顷": 1e4,
           "万平方米": 1e4, "万平米": 1e4, "万m2": 1e4, "亩": 2000.0 / 3.0},
    "1": {"层": 1.0, "f": 1.0, "层楼": 1.0},
    "deg": {"°": 1.0, "度": 1.0, "deg": 1.0},
    "mhz": {"mhz": 1.0, "m": 1.0, "ghz": 1000.0, "g": 1000.0, "khz": 0.001},
    "dbm": {"dbm": 1.0, "01dbm": 0.1, "毫瓦分贝": 1.0, "01毫瓦分贝": 0.1},
    "w": {"w": 1.0, "瓦": 1.0, "kw": 1000.0, "mw": 0.001},
    "people": {"人": 1.0, "万人": 1e4, "万": 1e4},
    "households": {"户": 1.0, "万户": 1e4},
    "seats": {"座": 1.0, "席": 1.0},
    "yuan": {"元": 1.0, "yuan": 1.0, "千元": 1e3, "万元": 1e4, "亿元": 1e8},
})
"""Unit words of a field unit and what they are worth in it."""
