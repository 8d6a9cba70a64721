"""Where a tower may stand on land of its own, by land-use codes (``tables/land_use.toml``)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cache, lru_cache

import pandas as pd

from siteplan.tables import read_table

_CODE = re.compile(r"[A-Z]{1,2}\d*|\d+")
_PARTS = re.compile(r"[/+、,，;；|()（）\s]+")
_STRICT = {"yes": 0, "ask": 1, "no": 2}
PERMITS_ZH = {"yes": "允许", "ask": "须先征得自然资源部门同意", "no": "不允许"}


@dataclass(frozen=True)
class LandUse:
    """What a land-use code permits; see the head of ``tables/land_use.toml`` for the fields."""

    code: str
    zh: str
    permits: str
    venues: str
    order: int
    reason: str


@cache
def _entries() -> Mapping[str, LandUse]:
    return {code: LandUse(code, entry["zh"], entry["permits"], entry["venues"], entry["order"],
                          f"用地性质 {code} {entry['zh']},{PERMITS_ZH[entry['permits']]}新建落地塔")
            for code, entry in read_table("land_use")["codes"].items()}


def _unknown(text: str) -> LandUse:
    reason = f"用地性质“{text}”不认识,不作落地塔候选" if text else "用地性质未提供,不作落地塔候选"
    return LandUse("", "", "no", "ask", 0, reason)


def _part(text: str) -> LandUse:
    """The entry of one code or name."""
    entries = _entries()
    named = [entry for entry in entries.values() if text in (entry.zh, entry.zh.removesuffix("用地"))]
    found = _CODE.match(text.upper())
    if found is None:
        return named[0] if named else _unknown(text)
    code = found[0]
    if code.isdigit() and len(code) % 2:  # three digits: GB/T 21010, where 101 is a railway
        return _unknown(text)
    fits = [entry for prefix, entry in entries.items() if code.startswith(prefix)]
    return max(fits, key=lambda entry: len(entry.code)) if fits else _unknown(text)


@lru_cache(maxsize=4096)
def land_use_of(text: str) -> LandUse:
    """What the land-use code of a parcel permits.

    The longest entry that the code begins with decides; names are known as well. Of mixed uses the strictest counts.
    A code that nothing fits, or three digits (an older classification with other meanings), permits nothing; venues
    there and requests are to be asked about.

    Parameters
    ----------
    text : str
        ``land_use_code`` of a parcel.

    Returns
    -------
    LandUse
        ``code`` is empty where the code is not known.

    Examples
    --------
    >>> [land_use_of(code).permits for code in ("1401", "130601", "070102", "16", "G1", "0701/1401", "广场用地", "99", "")]
    ['yes', 'yes', 'no', 'ask', 'yes', 'no', 'yes', 'no', 'no']
    >>> land_use_of("0804").venues, land_use_of("0101").venues  # on the land of a school, on a field
    ('yes', 'no')
    >>> land_use_of("16").reason, land_use_of("X9").reason
    ('用地性质 16 留白用地,须先征得自然资源部门同意新建落地塔', '用地性质“X9”不认识,不作落地塔候选')
    """
    parts = [part for part in _PARTS.split(text.strip()) if part]
    codes = [part for part in parts if _CODE.match(part.upper())] or parts
    uses = [_part(part) for part in codes] or [_unknown("")]
    strictest = max(uses, key=lambda use: (_STRICT[use.permits], use.code == ""))
    return replace(strictest, venues=max((use.venues for use in uses), key=lambda verdict: _STRICT[verdict]))


def land_use_table(codes: pd.Series) -> pd.DataFrame:
    """What each land-use code permits: ``code`` (entry of the table, "" = unknown), ``zh, permits, order, reason``.

    >>> land_use_table(pd.Series(["1403", "99"], index=["P1", "P2"]))["permits"].to_dict()
    {'P1': 'yes', 'P2': 'no'}
    """
    known = {text: land_use_of(text) for text in codes.unique()}
    fields = ("code", "zh", "permits", "order", "reason")
    return pd.DataFrame({name: codes.map({text: getattr(use, name) for text, use in known.items()}) for name in fields},
                        index=codes.index)
