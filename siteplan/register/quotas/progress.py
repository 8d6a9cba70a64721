"""Progress of quotas on a cut-off against their plan: linear by months, or by milestones."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import pandas as pd

from siteplan.errors import RegisterError
from siteplan.register.dictionary import word_of
from siteplan.register.quotas.counting import RegisterCount, SiteCounter
from siteplan.register.quotas.plan_share import linear_share, months_between, planned_value
from siteplan.register.quotas.reported import Reported, reported_counts
from siteplan.register.quotas.rows import Quota, line_above, quotas_in
from siteplan.register.quotas.tree import children_of
from siteplan.tables import read_table

Points = Sequence[tuple[dt.date, int]]
LIGHTS = {"done": "green", "done_late": "yellow", "on_schedule": "green", "overdue": "red", "not_started": "green",
          "unknown": "yellow"}
"""Light of each status; ``behind`` is yellow or red by how much."""
COLUMNS = ("title", "level", "area", "parent_id", "measure", "unit", "organisation", "value", "since", "by", "done",
           "counted", "done_register", "done_reported", "reported_on", "done_late", "share", "plan_share", "ahead",
           "status", "status_zh", "light", "needed", "per_month_needed", "children_done", "reason")


@dataclass(frozen=True)
class _Counts:
    """What is done of one quota, by each source."""

    register: RegisterCount
    reported: Reported | None
    counted: str

    @property
    def done(self) -> int | None:
        if self.counted == "register":
            return None if self.register.trouble else self.register.done
        return self.reported.value if self.reported else None

    @property
    def late(self) -> int:
        """Counted by the register after the day of the quota; it is no part of what is done."""
        return self.register.late if self.counted == "register" else 0

    @property
    def in_time(self) -> int | None:
        """What counts for being in time: by the day of the quota."""
        return self.done if self.counted == "register" else self.reported.in_time if self.reported else None


def quota_progress(quotas: pd.DataFrame, sites: pd.DataFrame, reports: pd.DataFrame | None, as_of: dt.date, *,
                   milestones: pd.DataFrame | None = None, cases: pd.DataFrame | None = None, city: str = "",
                   yellow_below: float | None = None) -> pd.DataFrame:
    """Progress of every current quota as of a day, with the plan beside it.

    A quota counted by the register takes its sites (`SiteCounter`: on air from ``since`` to ``by`` or the cut-off,
    whichever is earlier); one counted by reports takes the last report up to the cut-off. Which one is the quota's
    ``counted``; where it is empty, the register wherever it can count the measure and unit, else reports. Both are
    shown where both exist. The plan is linear by months (`linear_share`), for a total with a ``base_value`` from there;
    milestones with values take its place.

    Parameters
    ----------
    quotas, sites : DataFrame
        Tables of the register, read as of the cut-off. Replaced quotas have no row; what was reported to them counts
        for the same area's present one.
    reports : DataFrame or None
        The table ``reports``.
    as_of : date
        What is dated that day counts, the day after does not.
    milestones, cases : DataFrame, optional
        Tables of the register: cumulative values of quotas, solved hard-site cases.
    city : str
        Quotas of other cities are not counted by the register; empty = there are none.
    yellow_below : float, optional
        Behind by less than this share of the quota is yellow, else red; that of ``tables/quotas.toml`` when absent.

    Returns
    -------
    DataFrame
        Index ``id``: ``title, level, area, parent_id, measure, unit, organisation, value, since`` (first day that
        counts), ``by, done`` (NaN = not known), ``counted`` register | reported, ``done_register, done_reported,
        reported_on, done_late`` (counted after ``by``, no part of ``done``), ``share, plan_share, ahead`` (difference
        of both; shares of the value),
        ``status`` done | on_schedule | behind | overdue | not_started | unknown, ``status_zh, light``
        green | yellow | red, ``needed`` (left to do; past ``by`` what was
        missing then), ``per_month_needed`` (to reach it by ``by``; NaN where it is
        past), ``children_done`` (sum of the parts; NaN without), ``reason`` (Chinese).
    """
    known = quotas_in(pd.DataFrame(quotas))
    current = {row_id: quota for row_id, quota in known.items() if quota.is_current}
    counter = SiteCounter(pd.DataFrame(sites), cases, as_of, city)
    told = reported_counts(known, reports, as_of)
    points = milestone_points(milestones)
    bound = read_table("quotas")["light"]["yellow_below"] if yellow_below is None else yellow_below
    rows = {}
    for row_id, quota in current.items():
        counts = _counts(quota, counter, list(line_above(current, quota)), told.get(row_id))
        rows[row_id] = _row(quota, counts, points.get(row_id, ()), as_of, Fraction(str(bound)))
    _add_children(rows, current)
    out = pd.DataFrame.from_dict(rows, orient="index", columns=list(COLUMNS)).rename_axis("id")
    numbers = ("value", "done", "done_register", "done_reported", "done_late", "share", "plan_share", "ahead", "needed",
               "per_month_needed", "children_done")
    days = {name: pd.to_datetime(out[name]).astype("datetime64[us]") for name in ("since", "by", "reported_on")}
    texts = [name for name in COLUMNS if name not in (*numbers, *days)]
    return out.assign(**days).astype({**dict.fromkeys(numbers, "float64"), **dict.fromkeys(texts, "str")})


def milestone_points(milestones: pd.DataFrame | None) -> dict[str, list[tuple[dt.date, int]]]:
    """Current milestones of quotas that have a value, in order, by the id of the quota."""
    if milestones is None or not len(milestones):
        return {}
    rows = milestones[milestones["quota_id"].notna() & milestones["value"].notna() & milestones["due_on"].notna()
                      & milestones["is_current"].fillna(True).astype(bool)]
    out: dict[str, list[tuple[dt.date, int]]] = {}
    for quota_id, due_on, value in sorted(zip(rows["quota_id"], rows["due_on"], rows["value"], strict=True)):
        out.setdefault(str(quota_id), []).append((due_on.date(), int(value)))
    return out


def shortfall_by_year(quota: Quota, done_by_year: Mapping[int, int], points: Points = ()) -> pd.DataFrame:
    """What a quota asks for at the end of each of its years, and what is missing.

    Parameters
    ----------
    quota : Quota
        With ``value`` and ``by``.
    done_by_year : mapping of int to int
        Cumulative count at the end of a year (the base included), as far as it is known.
    points : sequence of (date, int)
        Milestones; linear by months without.

    Returns
    -------
    DataFrame
        Index ``year``: ``planned`` (rounded up), ``done`` (NaN = not known), ``shortfall`` (planned - done, 0 or more),
        ``to_build`` (in that year to keep the plan: planned less the last known count, or less the plan of the year
        before).

    Raises
    ------
    RegisterError
        The quota has no value or no day.

    Examples
    --------
    >>> total = Quota("a", measure="total", value=10000, base=2000, since=dt.date(2022, 1, 1), by=dt.date(2024, 12, 31))
    >>> shortfall_by_year(total, {2022: 4600})["shortfall"].tolist()
    [67.0, nan, nan]
    """
    if quota.value is None or quota.by is None or quota.first_day is None:
        raise RegisterError(f"指标 {quota.id} 没有任务数或完成期限")
    rows, last = {}, quota.base or 0
    for year in range(quota.first_day.year, quota.by.year + 1):
        planned = -int(-_planned(quota, points, dt.date(year, 12, 31)) // 1)
        done = done_by_year.get(year)
        rows[year] = {"planned": planned, "done": done, "shortfall": None if done is None else max(0, planned - done),
                      "to_build": max(0, planned - last)}
        last = planned if done is None else done
    return pd.DataFrame.from_dict(rows, orient="index", dtype="float64").rename_axis("year")


def _counts(quota: Quota, counter: SiteCounter, line: list[Quota], reported: Reported | None) -> _Counts:
    register = counter.count(quota, line)
    return _Counts(register, reported, quota.counted or ("reported" if register.trouble else "register"))


def _planned(quota: Quota, points: Points, as_of: dt.date) -> Fraction:
    """Cumulative value that the plan asks for."""
    value, by, first, base = quota.value or 0, quota.by, quota.first_day, quota.base or 0
    if by is None or first is None:
        return Fraction(0)
    if points:
        full = [point for point in points if point[0] < by] + [(by, value)]
        return planned_value(full, first, base, as_of)
    return base + (value - base) * linear_share(first, by, as_of)


def _row(quota: Quota, counts: _Counts, points: Points, as_of: dt.date, bound: Fraction) -> dict[str, Any]:
    told = counts.reported
    row: dict[str, Any] = {name: getattr(quota, name) for name in (
        "title", "level", "area", "parent_id", "measure", "unit", "organisation", "value", "by")}
    row |= {"since": quota.first_day, "counted": counts.counted, "done": counts.done, "done_late": counts.late,
            "done_register": None if counts.register.trouble else counts.register.done,
            "done_reported": told.value if told else None, "reported_on": told.day if told else None}
    if quota.value is None or quota.by is None or quota.first_day is None:
        return row | {"status": "unknown", "status_zh": _word("unknown"), "light": LIGHTS["unknown"],
                      "reason": "没有任务数或完成期限,不能计算进度"}
    planned = _planned(quota, points, as_of)
    plan_share = planned / quota.value if quota.value else Fraction(1)
    share = None if counts.done is None else Fraction(counts.done, quota.value) if quota.value else Fraction(1)
    ahead = None if share is None else share - plan_share
    status = _status(quota, counts, ahead, as_of)
    light = LIGHTS.get(status) or ("yellow" if ahead is not None and -ahead < bound else "red")
    needed = None if counts.done is None else max(0, quota.value - counts.done)
    months = (months_between(max(as_of + dt.timedelta(1), quota.first_day), quota.by)
              if as_of < quota.by else Fraction(0))
    per_month = None if needed is None or not months else float(needed / months)
    return row | {
        "share": None if share is None else float(share), "plan_share": float(plan_share),
        "ahead": None if ahead is None else float(ahead), "status": status.removesuffix("_late"),
        "status_zh": _word(status), "light": light, "needed": needed, "per_month_needed": per_month,
        "reason": _reason(quota, counts, (share, plan_share), points, as_of)}


def _word(status: str) -> str:
    return str(read_table("quotas")["status"][status])


def _status(quota: Quota, counts: _Counts, ahead: Fraction | None, as_of: dt.date) -> str:
    """Status of a quota with a value and a day; ``done_late`` was reported as reached, but after its day.

    What the register counts after the day belongs to the year in which it came on air, so it reaches nothing here.
    """
    value, by, first = quota.value or 0, quota.by or as_of, quota.first_day or as_of
    if counts.done is not None and counts.done >= value:
        return "done" if counts.in_time is not None and counts.in_time >= value else "done_late"
    if as_of > by:
        return "overdue"
    if as_of < first:
        return "not_started"
    if ahead is None:
        return "unknown"
    return "on_schedule" if ahead >= 0 else "behind"


def _reason(quota: Quota, counts: _Counts, shares: tuple[Fraction | None, Fraction], points: Points,
            as_of: dt.date) -> str:
    """What is done against what is planned, which count and which rule, as a Chinese sentence."""
    share, plan_share = shares
    what = what_counts(quota.measure, quota.unit)
    rule = "按里程碑分段折算" if points else f"自{quota.first_day}至{quota.by}按月均匀推进"
    plan = f"计划进度{percent(plan_share)}({rule})"
    if counts.done is None or share is None:
        parts = [f"截至{as_of}没有可用的完成数", f"任务{quota.value}个{what}", plan]
    else:
        gap = share - plan_share
        word = "持平" if gap == 0 else f"{'超前' if gap > 0 else '落后'}{_points(abs(gap))}个百分点"
        left, is_past = (quota.value or 0) - counts.done, quota.by is not None and as_of > quota.by
        parts = [f"截至{as_of}完成{counts.done}个{what},任务{quota.value}个,完成{percent(share)}", plan, word,
                 *([f"{'到期时差' if is_past else '尚差'}{left}个"] if left > 0 else [])]
    notes = [*_source_notes(quota, counts), *counts.register.notes] if counts.counted == "register" else [
        *_source_notes(quota, counts)]
    return ";".join([",".join(parts), *notes])


def what_counts(measure: str, unit: str) -> str:
    """What is counted, the unit said once.

    >>> what_counts("new", "基站"), what_counts("hard_site", "站址"), what_counts("hard_site", "")
    ('新建基站', '疑难站址', '疑难站址')
    """
    word = word_of("quotas", "measure", measure) or ""
    return word if word.endswith(unit) else f"{word}{unit}"


def percent(share: Fraction) -> str:
    """A share in percent with two decimals.

    >>> percent(Fraction(2289, 3399)), percent(Fraction(8, 12))
    ('67.34%', '66.67%')
    """
    return f"{float(share) * 100:.2f}%"


def _points(share: Fraction) -> str:
    return f"{float(share) * 100:.2f}"


def _source_notes(quota: Quota, counts: _Counts) -> list[str]:
    """Which count it is, and what the other one says."""
    register, told, notes = counts.register, counts.reported, list[str]()
    if counts.counted == "register":
        notes.append(f"按储备库计数:{register.trouble}" if register.trouble else "按储备库开通日期计数"
                     + (f",含基期{quota.base}个" if quota.base is not None else ""))
        if told and told.value != register.done:
            notes.append(f"上报数为{told.value}个(截至{told.day}),与储备库不一致")
        if quota.measure == "total" and quota.base is None and not register.trouble:
            notes.append("未登记基期数,只计储备库中的站址,计划自0起算")
    else:
        notes.append(f"按上报数(截至{told.day})" if told else f"没有上报数(单位“{quota.unit}”)")
        if told is not None and not register.trouble and told.value != register.done:
            notes.append(f"储备库计数为{register.done}个,与上报数不一致")
    if counts.late:
        number = f"{counts.late}{'处' if quota.unit == '站址' else '个'}"
        notes.append(f"期限后另有{number}解决,不计入按期完成" if quota.measure == "hard_site"
                     else f"期限后另有{number}开通,计入开通所在年度")
    return notes + (list(told.notes) if told else [])


def _add_children(rows: dict[str, dict[str, Any]], current: Mapping[str, Quota]) -> None:
    """Sums of the parts beside the count of the whole; told where they differ."""
    for row_id, parts in children_of(current).items():
        if row_id not in rows:
            continue
        row, numbers = rows[row_id], [rows[part.id]["done"] for part in parts]
        known = [number for number in numbers if number is not None]
        row["children_done"] = sum(known) if known else None
        lacks = len(numbers) - len(known)
        if known and not lacks and row["done"] is not None and sum(known) != row["done"]:
            row["reason"] += f";下级完成数合计{sum(known)}个,与本级{row['done']}个不一致"
        elif lacks:
            row["reason"] += f";{lacks}个下级区域没有可用的完成数"
