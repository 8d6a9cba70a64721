"""A decision as a noun, and its words, amounts and places read from text."""

from __future__ import annotations

import datetime as dt
import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

import pandas as pd

from siteplan.tables import read_table

_GROUPED = re.compile(r"(?<=\d)[, ](?=\d{3}(?!\d))")
_SIGNED = r"(?:^|[^\d~至到元亿万千百wk-])-\s*\d"
_NUMBER = r"\d+(?:\.\d+)?"
_UNIT = r"\s*(?:[亿万千百]|[wk](?![a-z]))"
_AMOUNT = re.compile(rf"((?:{_NUMBER}{_UNIT})+)(?:零?(\d+)(?![\d.年月日天次户个层人家]))?|({_NUMBER})")
_PART = re.compile(rf"({_NUMBER})\s*([亿万千百wk])")
_TIMES: Mapping[str, float] = {"百": 1e2, "千": 1e3, "k": 1e3, "万": 1e4, "w": 1e4, "亿": 1e8}
_NO_AMOUNT = re.compile(
    r"(?<!\d)1[3-9]\d(?:[ -]?\d{4}){2}(?!\d)|(?<!\d)0\d{2,3}[ -]?\d{7,8}(?!\d)|(?<!\d)400-?\d{3}-?\d{4}(?!\d)"
    r"|(?:电话|手机|微信|qq)(?:号码?|号)?[:\s]*[\d-]{5,}"
    r"|(?:19|20)\d\d([-/.])\d{1,2}\1\d{1,2}(?!\d)|(?:19|20)\d\d\s*[-~至到]\s*(?:19|20)\d\d\s*年"
    r"|(?:19|20)\d\d\s*年|\d{1,2}\s*月(?:\s*\d{1,2}\s*日)?")
"""Numbers of telephones and days."""
_FIGURES = str.maketrans("〇两圆壹贰叁肆伍陆柒捌玖拾佰仟萬億", "零二元一二三四五六七八九十百千万亿")
_CHINESE = re.compile(r"[一二三四五六七八九十](?:[零一二三四五六七八九十百千万亿]*(?=\s*(?:元|块))"
                      r"|[零一二三四五六七八九]*[十百千万亿][零一二三四五六七八九十百千万亿]*)(?=\s*(?:元|块|整|/|每|$|[\s,;。、)]))")


@dataclass(frozen=True)
class Decision:
    """One row of the layer that could be read.

    Attributes
    ----------
    id : str
        Site id (``V-facility:F0012``) or id in the layer the site comes from (``F0012``), as written.
    action : str
        keep, ban, move, year, refused, agreed, fee or hard.
    kind : str
        Kind of refusal or fee, cause of a hard site (keys of ``tables/decisions.toml``); else empty.
    year : int
        Year of construction; 0 where the action is another.
    amount_yuan : float
        Amount of a fee; NaN where it is not known.
    place : tuple of float, optional
        Where a site is moved to: easting and northing in the study CRS (m), or longitude and latitude.
    lonlat : bool
        Whether ``place`` is longitude and latitude (WGS 84 or CGCS2000).
    value, who, why : str
        As written.
    date : date, optional
    file, row : str
        Where it stands.
    overruled : bool
        A later row, or a stricter one, says otherwise: told in the lists, not followed.
    said : str
        The action as written.
    note : str
        Chinese: why the row is not followed; empty where it is.
    number : int
        Its place in the table, from 0.
    """

    id: str
    action: str
    kind: str = ""
    year: int = 0
    amount_yuan: float = float("nan")
    place: tuple[float, float] | None = None
    lonlat: bool = False
    value: str = ""
    who: str = ""
    why: str = ""
    date: dt.date | None = None
    file: str = ""
    row: str = ""
    overruled: bool = False
    said: str = ""
    note: str = ""
    number: int = 0

    @property
    def kind_zh(self) -> str:
        """The kind in Chinese; empty where the action has none."""
        return str(words_of(KIND_TABLES[self.action])[self.kind]["zh"]) if self.kind else ""

    @property
    def action_zh(self) -> str:
        """The action in Chinese; as written where it is none."""
        return str(words_of("actions")[self.action]["zh"]) if self.action else self.said

    @property
    def origin(self) -> str:
        """Who decided and when, in brackets; empty where neither is known.

        >>> Decision("F1", "keep", who="例会", date=dt.date(2026, 6, 5)).origin, Decision("F1", "keep").origin
        ('（例会，2026-06-05）', '')
        """
        facts = [word for word in (self.who, "" if self.date is None else self.date.isoformat()) if word]
        return f"（{'，'.join(facts)}）" if facts else ""


@dataclass(frozen=True)
class Decisions:
    """All decisions of a study, in the order of the file.

    Attributes
    ----------
    rows : tuple of Decision
        What could be read; overruled ones are among them.
    unused : tuple of Decision
        Rows that could not be read, and records that say the same as another one; ``note`` tells why.

    Examples
    --------
    >>> Decisions((Decision("F1", "keep"), Decision("F2", "ban", overruled=True))).of("ban")
    ()
    """

    rows: tuple[Decision, ...] = ()
    unused: tuple[Decision, ...] = ()

    @property
    def every(self) -> tuple[Decision, ...]:
        """All rows of the table, in its order."""
        return tuple(sorted((*self.rows, *self.unused), key=lambda row: row.number))

    def of(self, action: str, *, overruled: bool = False) -> tuple[Decision, ...]:
        """Rows of an action; overruled ones only where asked for."""
        return tuple(row for row in self.rows if row.action == action and (overruled or not row.overruled))


KIND_TABLES: Mapping[str, str] = {"refused": "refusals", "fee": "fees", "hard": "causes"}


@cache
def words_of(table: str) -> Mapping[str, Mapping[str, Any]]:
    entries: Mapping[str, Mapping[str, Any]] = read_table("decisions")[table]
    return entries


def fee_is_rent(kind: str) -> bool:
    """Whether a kind of fee is asked for the place itself.

    >>> fee_is_rent("rent"), fee_is_rent("entry")
    (True, False)
    """
    return bool(words_of("fees")[kind]["rent"])


def plain_text(value: Any, *, fold: bool = True) -> str:
    """A cell as text, empty where missing; ``fold``: full-width letters and digits as half-width ones."""
    if value is None or value is pd.NA or value is pd.NaT or (isinstance(value, float) and value != value):
        return ""
    return (unicodedata.normalize("NFKC", str(value)) if fold else str(value)).strip()


def action_of(text: str) -> str:
    word = text.casefold()
    for name, entry in words_of("actions").items():
        if word == name or word == entry["zh"] or word in entry["words"]:
            return name
    return ""


def kind_of(table: str, *texts: str) -> str:
    """Key of the longest word found in the first text that has one; "" when none has.

    Kinds that come ``first`` win wherever one of their words stands.
    """
    for name, entry in words_of(table).items():
        if entry.get("first") and any(word in text for text in texts for word in (entry["zh"], *entry["words"])):
            return name
    for text in texts:
        found = [(len(word), -number, name) for number, (name, entry) in enumerate(words_of(table).items())
                 for word in (entry["zh"], name, *entry["words"]) if word in text]
        if found:
            return max(found)[2]
    return ""


def _chinese_number(text: str) -> float:
    """A number in Chinese figures; a last figure without a unit is a tenth of the unit before (一千五 = 1500).

    >>> _chinese_number("二万五千"), _chinese_number("十二万"), _chinese_number("三百零五"), _chinese_number("一千五")
    (25000.0, 120000.0, 305.0, 1500.0)
    """
    total = part = digit = 0.0
    last = 1.0
    for letter in text:
        if letter in "零一二三四五六七八九":
            digit, last = float("零一二三四五六七八九".index(letter)), 1.0 if letter == "零" else last
        elif letter in "万亿":
            last = _TIMES[letter]
            total, part, digit = (total + part + digit) * last, 0.0, 0.0
        else:
            last = 10.0 if letter == "十" else _TIMES[letter]
            part, digit = part + (digit or 1.0) * last, 0.0
    return total + part + digit * (last / 10 if last > 10 else 1.0)


def _amounts(plain: str) -> list[float]:
    """Amounts in a text without telephones and days: 2万5千, 2w, 2万5 (a last figure is a tenth of the unit before)."""
    out = []
    for whole, rest, bare in _AMOUNT.findall(plain):
        if bare:
            out.append(float(bare))
            continue
        parts = [(float(number), _TIMES[unit]) for number, unit in _PART.findall(whole)]
        last = parts[-1][1] / 10 if len(rest) == 1 else 1.0
        out.append(sum(number * times for number, times in parts) + (float(rest) * last if rest else 0.0))
    return out


def parse_amount(text: str, why: str = "") -> tuple[float, str]:
    """Amount in yuan, and what was assumed in reading it (Chinese, empty when nothing was).

    Numbers of telephones and days are no amounts. A small number without a unit is in 万元 where ``why`` says so.

    >>> parse_amount("进场费 20,000元"), parse_amount("2.5万"), parse_amount("协调费")
    ((20000.0, ''), (25000.0, ''), (nan, '没有金额'))
    >>> parse_amount("1-2万元")[0], parse_amount("-500"), parse_amount("进场费 2")
    (20000.0, (nan, '金额为负'), (nan, '金额过小，请核对单位'))
    >>> parse_amount("二万五千元"), parse_amount("2w 电话13800138000"), parse_amount("进场费 2", "单位万元")
    ((25000.0, ''), (20000.0, ''), (20000.0, '金额没有单位，按说明中的万元计'))
    """
    plain = unicodedata.normalize("NFKC", text).replace("−", "-").casefold().translate(_FIGURES)
    plain = _GROUPED.sub("", _NO_AMOUNT.sub(" ", plain))
    plain = _CHINESE.sub(lambda found: f"{_chinese_number(found[0]):.15g}", plain)
    amounts = _amounts(plain)
    if not amounts:
        return float("nan"), "没有金额"
    if re.search(_SIGNED, plain) or "负" in plain.replace("负责", "").replace("负担", ""):
        return float("nan"), "金额为负"
    limits, amount = read_table("decisions")["limits"], max(amounts)
    notes = ["写有几个数，取最大的一个"] if len(amounts) > 1 else []
    if amount < limits["fee_least_yuan"] and "元" not in plain and "万元" in unicodedata.normalize("NFKC", why):
        amount, notes = amount * _TIMES["万"], [*notes, "金额没有单位，按说明中的万元计"]
    if amount < limits["fee_least_yuan"]:
        return float("nan"), "金额过小，请核对单位"
    if amount > limits["fee_yuan"]:
        notes.append("金额过大，请核对单位")
    if re.search(r"/\s*年|每年|年租", plain):
        notes.append("按年收取，记一年的金额")
    return amount, "，".join(notes)


def parse_place(text: str) -> tuple[tuple[float, float] | None, bool, str]:
    """Place that a site is moved to: (x, y), whether it is longitude and latitude, and what was assumed.

    >>> parse_place("113.39, 22.51"), parse_place("437507.6,2491176.7")
    (((113.39, 22.51), True, ''), ((437507.6, 2491176.7), False, ''))
    >>> parse_place("22.51, 113.39")
    ((113.39, 22.51), True, '先写了纬度，按经度在前读')
    """
    numbers = [float(word) for word in re.findall(r"-?\d+(?:\.\d+)?", unicodedata.normalize("NFKC", text))]
    if len(numbers) != 2:
        return None, False, "不是两个坐标"
    x, y = numbers
    if abs(x) <= 180 and abs(y) <= 90:
        return (x, y), True, ""
    if abs(x) <= 90 and abs(y) <= 180:
        return (y, x), True, "先写了纬度，按经度在前读"
    if x >= 1e6 and abs(y) < 1e6 and x < 1e7:
        return (y, x), False, "先写了北坐标，按东坐标在前读"
    return (x, y), False, ""
