"""Targets of coverage papers: what is asked for, what is reached, what is still needed."""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Iterable, Sequence
from fractions import Fraction
from functools import cache
from typing import Literal, NamedTuple

import numpy as np
import pandas as pd
from pydantic import Field, model_validator

from siteplan.entries import Entries, completed
from siteplan.errors import ModelError
from siteplan.gaps.judging.areas import VERDICTS
from siteplan.params import Settings
from siteplan.tables import read_table

REACHED, NOT_REACHED, UNKNOWN = "已达成", "未达成", "无法判定"
LEVEL_ZH = {"city": "全市", "county": "县区", "town": "镇街"}
TABLE_ZH = {"villages": "行政村", "zones": "重点区域", "sites": "站址"}
NO_AREA = "未注明"
State = Literal["before", "after"]


class Target(Settings):
    """One target of a paper: a rate, a dated quota, a total or full coverage, for a city, its counties or its towns."""

    id: str
    zh: str = Field("", description="the paper's own sentence")
    level: Literal["city", "county", "town"]
    area: str = Field("*", min_length=1, description="name, 'county/town' where names repeat, * = each of the level")
    measure: Literal["village_rate", "site_quota", "site_total", "full_coverage"]
    value: float = Field(ge=0, le=1e7, description="percent (1..100) or whole number")
    unit: Literal["基站", "站址", "村", "%"]
    since: dt.date | None = Field(None, description="first day of a quota; 1 January of the year of 'by' when absent")
    by: dt.date = Field(description="last day that counts")
    zone_types: tuple[str, ...] = Field((), description="types of zones that full coverage is asked of; none = all")
    rule: str | None = Field(None, description="id of the coverage rule; the only one of those areas when absent")
    source: str

    @model_validator(mode="after")
    def _agrees(self) -> Target:
        units = read_table("targets")["kinds"][self.measure]["units"]
        if self.unit not in units:
            raise ValueError(f"{self.measure} 的单位只能是 {'、'.join(units)},不是 {self.unit} (unit)")
        if self.unit == "%" and not 1 <= self.value <= 100:
            raise ValueError(f"{self.value:g} % 不在 1 到 100 之间,70% 写作 70 (outside 1..100)")
        if self.unit != "%" and self.value != int(self.value):
            raise ValueError(f"{self.value:g} {self.unit} 不是整数 (not a whole number)")
        if self.first_day > self.by:
            raise ValueError(f"起始日 since {self.since} 晚于期限 by {self.by} (later than)")
        return self

    @property
    def first_day(self) -> dt.date:
        """First day that counts towards a quota of new sites."""
        return self.since or dt.date(self.by.year, 1, 1)

    def wanted(self, total: int) -> int:
        """Number that reaches the target, of ``total`` there are: ``ceil(rate * total)``, exact in decimals.

        >>> load_targets()["villages_70_2024"].wanted(10), load_targets()["villages_70_2024"].wanted(11)
        (7, 8)
        """
        if self.unit != "%":
            return int(self.value)
        return math.ceil(Fraction(f"{self.value:.9f}") * total / 100)

    def sentence(self) -> str:
        """The target in Chinese, as the tables print it.

        >>> load_targets()["villages_70_2024"].sentence()
        '到2024年12月31日,全市达标行政村不低于70%'
        """
        area = self.area if self.area != "*" else {"city": "全市", "county": "各县区", "town": "各镇街"}[self.level]
        since, by = (f"{day.year}年{day.month}月{day.day}日" for day in (self.first_day, self.by))
        template: str = read_table("targets")["kinds"][self.measure]["sentence"]
        return template.format(area=area, since=since, by=by, value=f"{self.value:.10g}", unit=self.unit)


@cache
def load_targets() -> dict[str, Target]:
    """The targets of ``tables/targets.toml`` by id.

    >>> load_targets()["new_stations_2022"].value
    2600.0
    """
    return {key: Target(id=key, **entry) for key, entry in read_table("targets")["targets"].items()}


def targets_of(extra: Entries) -> dict[str, Target]:
    """The targets of a study by id; ``like`` takes over the fields of one of ``tables/targets.toml``.

    Parameters
    ----------
    extra : mapping
        ``[targets]`` of the study file. Targets of the table that it does not name are not asked for.

    Raises
    ------
    ModelError
        ``like`` leads nowhere.
    pydantic.ValidationError
        A field is missing, unknown or out of bounds.

    Examples
    --------
    >>> targets_of({"mine": {"like": "villages_70_2024", "by": dt.date(2027, 12, 31), "zh": ""}})["mine"].sentence()
    '到2027年12月31日,全市达标行政村不低于70%'
    """
    known = read_table("targets")["targets"]
    return {name: Target(**{"source": "研究文件", **completed(name, known, extra), "id": name}) for name in extra}


class _Count(NamedTuple):
    """What one area has: ``total`` things of which ``wanted`` are asked, ``unknown`` may be reached or not."""

    total: int | None
    wanted: int
    reached: int
    unknown: int = 0
    open_ended: bool = False
    people_left: float = math.nan
    trouble: str = ""


def _places(table: pd.DataFrame, level: str) -> pd.Series:
    """Area of each row as a pair (county, town), the town blank at the level of counties, both blank for the city."""
    blank = pd.Series("", index=table.index)
    names = [table[name].astype("object").where(table[name].notna(), "").astype(str).str.strip()
             if name in table else blank for name in ("county", "town")]
    if level == "city":
        return pd.Series([("", "")] * len(table), index=table.index, dtype="object")
    pairs = [(county, town if level == "town" else "") for county, town in zip(*names, strict=True)]
    unplaced = [not pair[1 if level == "town" else 0] for pair in pairs]
    return pd.Series([None if lost else pair for pair, lost in zip(pairs, unplaced, strict=True)], index=table.index,
                     dtype="object")


def _areas(target: Target, tables: Sequence[pd.DataFrame]) -> list[tuple[str, str]]:
    """Areas a target is about; empty when the named one is in no table, several where it is in several counties."""
    if target.level == "city":
        return [("", "")]
    known = sorted({pair for table in tables for pair in _places(table, target.level) if pair is not None})
    if target.area == "*":
        return known
    county, _, town = target.area.rpartition("/")
    return [pair for pair in known if (pair[0] == target.area if target.level == "county" else
                                       pair[1] == town and county in ("", pair[0]))]


def _count_verdicts(target: Target, table: pd.DataFrame, state: State) -> _Count:
    """Villages or zones of one area: how many pass."""
    verdict = table[f"verdict_{state}"] if f"verdict_{state}" in table else table["verdict"]
    passed, failed = verdict.isin(["pass"]), verdict.isin(["fail"])
    people = table["people"].astype("float64") if "people" in table else pd.Series(np.nan, index=table.index)
    what = "重点区域" if target.measure == "full_coverage" else "行政村"
    return _Count(len(table), target.wanted(len(table)), int(passed.sum()), int((~passed & ~failed).sum()),
                  people_left=float(people[~passed].sum(skipna=False)),
                  trouble="" if len(table) else f"没有可统计的{what}")


def _stations(sites: pd.DataFrame, unit: str) -> pd.Series:
    """Stations at each site: the column ``stations``, else the networks of the site; NaN = not known."""
    if unit == "站址":
        return pd.Series(1.0, index=sites.index)
    if "stations" in sites:
        return sites["stations"].astype("float64")
    names = sites["networks"].astype("object") if "networks" in sites else pd.Series(None, sites.index, dtype="object")
    known = names.map(lambda text: isinstance(text, str) and text.strip() not in ("", "*"))
    return names.where(known, "").map(lambda text: len({n for n in text.split("|") if n.strip()})).where(known)


def _count_sites(target: Target, sites: pd.DataFrame, state: State, today: dt.date | None) -> _Count:
    """Sites or stations of one area: those that count, and those whose date or number decides but is not known.

    A proposed one counts by its day where it has one; without a day it is in time for every target that is still open.
    """
    stands = sites["status"] == "existing"
    planned = (sites["status"] == "proposed") & (state == "after")
    day = (pd.to_datetime(sites["built_on"]) if "built_on" in sites
           else pd.Series(pd.NaT, index=sites.index, dtype="datetime64[us]"))
    due = today is not None and today > target.by
    last = day.mask(stands, pd.Timestamp(target.by if today is None else min(today, target.by)))
    last = last.where(stands, pd.Timestamp(target.by))
    in_time = day <= last
    if target.measure == "site_quota":
        in_time &= day >= pd.Timestamp(target.first_day)
    undated = day.isna() & stands
    sure = undated & (target.measure == "site_total") & (not due)
    counts = (in_time & stands) | sure | (planned & (in_time | day.isna()) & (not due))
    number = _stations(sites, target.unit)
    open_ended = bool((number.isna() & (counts | (undated & ~sure))).any())
    return _Count(int((stands | planned).sum()), int(target.value), int(number[counts].sum()),
                  int(number[undated & ~sure].sum()), open_ended)


def _judge(count: _Count) -> str:
    if count.trouble:
        return UNKNOWN
    if count.reached >= count.wanted:
        return REACHED
    return UNKNOWN if count.open_ended or count.reached + count.unknown >= count.wanted else NOT_REACHED


def _reason(target: Target, count: _Count, lost: int) -> str:
    """What the row says, as a Chinese sentence."""
    note = f";另有{lost}行未注明所属{LEVEL_ZH[target.level]},未计入" if lost else ""
    if count.trouble:
        return f"{count.trouble},{UNKNOWN}{note}"
    unit = {"%": "个区域" if target.measure == "full_coverage" else "个村", "村": "个村"}.get(target.unit, f"个{target.unit}")
    of = f"(共{count.total}{unit})" if target.unit in ("%", "村") else ""
    parts = [f"应达到{count.wanted}{unit}{of}", f"已达到{count.reached}{unit}"]
    if count.reached < count.wanted:
        parts.append(f"还差{count.wanted - count.reached}{unit}")
    if count.unknown:
        parts.append(f"另有{count.unknown}{unit}无法判定")
    if count.open_ended:
        parts.append("部分站址的基站数不明")
    return ",".join(parts) + note


def _check(table: pd.DataFrame, name: str, state: State) -> None:
    """Raise ModelError for a table that cannot be counted."""
    if name == "sites":
        if "status" not in table:
            raise ModelError("the sites table has no column status")
        return
    column = f"verdict_{state}" if f"verdict_{state}" in table else "verdict"
    if column not in table:
        raise ModelError(f"the {name} table has neither verdict_{state} nor verdict")
    odd = sorted({str(word) for word in table[column].dropna()} - set(VERDICTS))
    if odd:
        raise ModelError(f"{name}: unknown verdict {', '.join(odd)}; known: {', '.join(VERDICTS)}")


def _under_rule(target: Target, table: pd.DataFrame, name: str) -> tuple[pd.DataFrame, str, str]:
    """Rows that a target asks for, the id of the rule that judges them, and why they cannot be counted, in Chinese."""
    rows = table
    if target.zone_types:
        rows = rows[rows["zone_type"].isin(target.zone_types)] if "zone_type" in rows else rows.iloc[:0]
    rules = sorted({str(rule) for rule in rows["rule"].dropna()}) if "rule" in rows else []
    rule = target.rule or (rules[0] if len(rules) == 1 else "")
    if not rule and len(rules) > 1:
        return rows, "", f"{TABLE_ZH[name]}按多条规则判定({'、'.join(rules)}),须写 rule"
    if target.rule and len(rows) and rule not in rules:
        return rows, rule, f"没有按规则 {rule} 判定的{TABLE_ZH[name]}"
    rows = rows[rows["rule"] == rule] if rules else rows
    twice = rows.index[rows.index.duplicated()].unique()
    if len(twice):
        raise ModelError(f"{name}: {len(twice)} are there twice, e.g. {twice[0]}")
    return rows, rule, ""


def _rows_of(target: Target, given: dict[str, pd.DataFrame], today: dt.date | None,
             state: State) -> list[dict[str, object]]:
    """The rows of one target: one per area, and one for rows without an area where every area is asked for."""
    name = {"village_rate": "villages", "full_coverage": "zones"}.get(target.measure, "sites")
    name_zh = TABLE_ZH[name]
    table, rule, trouble = given.get(name), target.rule or "", ""
    if table is None:
        table, trouble = pd.DataFrame(), f"没有{name_zh}表"
    elif name != "sites":
        table, rule, trouble = _under_rule(target, table, name)
    if not trouble and target.level != "city" and target.level not in table:
        trouble = f"{name_zh}表没有所属{LEVEL_ZH[target.level]}"
    place = _places(table, target.level)
    lost = 0 if trouble else int(place.isna().sum())
    areas: list[tuple[str, str] | None] = [*_areas(target, list(given.values()))]
    if target.area != "*" and len(areas) > 1:
        trouble = f"{'、'.join(pair[0] or '未注明县区' for pair in areas if pair)}都有“{target.area}”,须写“县区/镇街”"
        areas = [None]
    elif target.area == "*" and (lost or not areas):
        areas.append(None)
    elif not areas:
        trouble = trouble or f"各表中没有“{target.area}”"
    rows = []
    for area in areas or [None]:
        inside = table[np.fromiter((pair == area for pair in place), bool, len(place))]
        why = trouble or (f"{lost}行未注明所属{LEVEL_ZH[target.level]}" if area is None else "")
        count = (_Count(lost or None, 0, 0, trouble=why) if why
                 else _count_sites(target, inside, state, today) if name == "sites"
                 else _count_verdicts(target, inside, state))
        rows.append(_row(target, area, count, rule, lost if area is not None else 0, today))
    return rows


def _row(target: Target, area: tuple[str, str] | None, count: _Count, rule: str, lost: int,
         today: dt.date | None) -> dict[str, object]:
    status = _judge(count)
    blank = "" if target.level == "city" else NO_AREA if target.area == "*" else target.area
    county, town = area if area is not None else ((blank, "") if target.level == "county" else ("", blank))
    told = not count.trouble
    by_verdict = target.measure in ("village_rate", "full_coverage")
    return {
        "target": target.id, "zh": target.zh or target.sentence(), "measure": target.measure, "rule": rule,
        "level": target.level, "county": county, "town": town, "value": target.value, "unit": target.unit,
        "by": target.by, "total": pd.NA if count.total is None else count.total,
        "wanted": count.wanted if told else pd.NA,
        "reached": count.reached if told else pd.NA, "not_assessable": count.unknown if told else pd.NA,
        "needed": max(0, count.wanted - count.reached) if told else pd.NA,
        "rate": count.reached / ((count.total if by_verdict else count.wanted) or math.nan) if told else math.nan,
        "people_left": count.people_left if told else math.nan, "status": status,
        "overdue": today is not None and today > target.by and status == NOT_REACHED,
        "reason": _reason(target, count, lost),
    }


def shortfall(targets: Iterable[Target], villages: pd.DataFrame | None, zones: pd.DataFrame | None,
              sites: pd.DataFrame | None, today: dt.date | None = None, *, state: State = "before") -> pd.DataFrame:
    """What each target still needs, area by area.

    A rate wants ``ceil(rate * N)`` of the N villages (zones). Those that cannot be judged count in N and not as
    reached; where they decide, the status is 无法判定. So does an undated site decide a quota of new sites. A target
    that can be read in several ways (several rules and none named, a town that several counties have) is 无法判定, and
    the reason says what to write.

    Parameters
    ----------
    targets : iterable of Target
    villages, zones : DataFrame or None
        One row per village (zone), unique index (per ``rule``): ``verdict_before`` and ``verdict_after``, or
        ``verdict`` (pass | fail | not_assessable, empty = not assessable), ``county``, ``town``, ``rule``,
        ``people``, ``zone_type``; a level needs its column. None = there is no such table.
    sites : DataFrame or None
        One row per site: ``status`` (existing | proposed | other), ``county``, ``town``, ``built_on`` (date; of
        a proposed one the day it is planned for), ``stations`` (number; else counted from ``networks``, joined by
        ``|``). Rows of any table whose ``inside`` is False are context and do not count.
    today : date, optional
        Sites built later do not count; a target not reached whose day is past is overdue. None = no such limit.
    state : {"before", "after"}
        As it stands, or with the proposed sites.

    Returns
    -------
    DataFrame
        One row per target and area: ``target, zh, measure, rule, level, county, town, value, unit, by, total, wanted,
        reached, not_assessable, needed, rate, people_left`` (people of villages or zones that are not reached; NaN
        where one is unknown), ``status`` 已达成 | 未达成 | 无法判定, ``overdue, reason``.

    Raises
    ------
    ModelError
        Verdicts are missing or misspelled, villages stand twice under a rule, ids repeat.

    Examples
    --------
    >>> villages = pd.DataFrame({"verdict": ["pass"] * 6 + ["fail"] * 4})
    >>> shortfall([load_targets()["villages_70_2024"]], villages, None, None)[["wanted", "reached", "needed"]]
       wanted  reached  needed
    0       7        6       1
    """
    given = {name: table[~table["inside"].isin([False])] if "inside" in table else table
             for name, table in (("villages", villages), ("zones", zones), ("sites", sites)) if table is not None}
    for name, table in given.items():
        _check(table, name, state)
    seen: set[str] = set()
    rows = []
    for target in targets:
        if target.id in seen:
            raise ModelError(f"target {target.id} is there twice")
        seen.add(target.id)
        rows += _rows_of(target, given, today, state)
    columns = ["target", "zh", "measure", "rule", "level", "county", "town", "value", "unit", "by", "total", "wanted",
               "reached", "not_assessable", "needed", "rate", "people_left", "status", "overdue", "reason"]
    numbers = dict.fromkeys(("total", "wanted", "reached", "not_assessable", "needed"), "Int64")
    return pd.DataFrame(rows, columns=columns).astype(numbers)
