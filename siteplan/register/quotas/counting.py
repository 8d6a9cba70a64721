"""What the register counts towards a quota, by the rules of the targets of a study (`siteplan.gaps.shortfall`)."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np
import pandas as pd

from siteplan.register.quotas.rows import Quota, county_and_town
from siteplan.tables import read_table

_EVER = dt.date(1, 1, 1)
"""The first day of what has no first day."""


@dataclass(frozen=True)
class RegisterCount:
    """What sites of the register count towards one quota.

    Attributes
    ----------
    done : int
        Up to ``by`` or the cut-off, whichever comes first.
    late : int
        More of it after ``by``, up to the cut-off.
    notes : tuple of str
        What could not be counted, and why (Chinese).
    trouble : str
        Why nothing can be counted; empty when it can.
    """

    done: int = 0
    late: int = 0
    notes: tuple[str, ...] = ()
    trouble: str = ""


class _Tally(NamedTuple):
    """Sites of one area that count one way, by the day they were on air.

    ``days`` in order; the other arrays are sums up to each place in it (one longer), ``without`` = sites without a
    number of stations. ``undated``: sites, stations and sites without a number that have no day. ``gone``: days of
    sites that are withdrawn.
    """

    days: np.ndarray
    sites: np.ndarray
    stations: np.ndarray
    without: np.ndarray
    undated: tuple[int, int, int]
    gone: np.ndarray

    def between(self, first: dt.date, last: dt.date) -> tuple[int, int, int, int]:
        """Sites, stations, sites without a number, sites withdrawn, from one day to another."""
        start, end = np.datetime64(first, "D"), np.datetime64(last, "D")
        low, gone = int(np.searchsorted(self.days, start)), int(np.searchsorted(self.gone, start))
        high = max(low, int(np.searchsorted(self.days, end, side="right")))
        left = max(0, int(np.searchsorted(self.gone, end, side="right")) - gone)
        sites, stations, without = (int(sums[high] - sums[low]) for sums in (self.sites, self.stations, self.without))
        return sites, stations, without, left


def _tally(rows: pd.DataFrame) -> _Tally:
    stands = rows[rows["stands"].to_numpy(bool)]
    dated = stands[stands["built_on"].notna()].sort_values("built_on", kind="stable")
    rest, gone = stands[stands["built_on"].isna()], rows[rows["gone"].to_numpy(bool)]

    def sums(values: np.ndarray) -> np.ndarray:
        return np.concatenate([[0], np.cumsum(values)])
    return _Tally(
        dated["built_on"].to_numpy("datetime64[D]"), sums(np.ones(len(dated))),
        sums(dated["stations"].fillna(0.0).to_numpy()), sums(dated["stations"].isna().to_numpy()),
        (len(rest), int(rest["stations"].sum()), int(rest["stations"].isna().sum())),
        np.sort(gone["built_on"].dropna().to_numpy("datetime64[D]")))


class SiteCounter:
    """The sites of a register, sorted by area once, to count them for many quotas.

    Parameters
    ----------
    sites : DataFrame
        The table ``sites`` as it stood on the cut-off.
    cases : DataFrame or None
        The table ``cases``, for hard sites.
    as_of : date
        The cut-off: what is dated that day counts.
    city : str
        Quotas of other cities are not counted; empty = there are none.
    """

    def __init__(self, sites: pd.DataFrame, cases: pd.DataFrame | None, as_of: dt.date, city: str = "") -> None:
        self.as_of, self.city = as_of, city
        self._sites, self._cases = sites, cases
        self._tallies: dict[tuple[str, str, str, str], _Tally] = {}

    def count(self, quota: Quota, line: list[Quota]) -> RegisterCount:
        """Count for a quota whose ``value`` and ``by`` are known; ``line`` are the quotas above it.

        New sites count by the day they went on air, from ``since`` to ``by``. A total counts all that are on air, or
        its ``base_value`` and what came on air since. A hard site counts once, on the day it went on air or its case
        was closed as solved, whichever is earlier.
        """
        trouble = self._trouble(quota)
        if trouble or quota.by is None:
            return RegisterCount(trouble=trouble or "没有完成期限")
        tally, lost, homes = self._inside(quota, line)
        if tally is None:
            return RegisterCount(trouble=f"{'、'.join(homes)}都有“{quota.area}”,须写“县区/镇街”")
        number, notes = self._number(quota, tally)
        notes += self._case_notes(quota, line)
        if lost:
            notes.append(f"另有{lost}处已开通站址未注明{'镇街' if quota.level == 'town' else '县区'},未计入")
        late = 0
        if self.as_of > quota.by:
            counted = tally.between(max(quota.by + dt.timedelta(1), quota.first_day or _EVER), self.as_of)
            late = counted[1 if quota.unit == "基站" else 0]
        return RegisterCount(number + (quota.base or 0), late, tuple(notes))

    def _trouble(self, quota: Quota) -> str:
        """Why the register cannot count a quota; empty when it can."""
        table = read_table("quotas")
        if quota.measure not in table["measures"] or table["measures"][quota.measure]["counted"] != "register":
            return "这一口径储备库不能计数"
        if quota.unit not in table["register"]["units"]:
            return f"单位“{quota.unit}”储备库不能计数"
        if quota.level == "province":
            return "储备库只有本市站址,省级指标不能计数"
        own = {"全市", self.city, self.city.removesuffix("市")}
        if quota.level == "city" and self.city and quota.area not in own:
            return f"储备库只有{self.city}的站址"
        return ""

    def _inside(self, quota: Quota, line: list[Quota]) -> tuple[_Tally | None, int, list[str]]:
        """Sites of the quota's area, sites without an area, and the counties of a town that several have (no tally)."""
        counts = quota.measure if quota.measure in ("free_public", "hard_site") else "all"
        county, town = county_and_town(quota, line)
        level = quota.level if quota.level in ("county", "town") else ""
        lost, homes = self._lost[counts, level] if level else 0, self._homes.get(town, []) if level == "town" else []
        if len(homes) > 1 and not county:
            return None, lost, homes
        key = (counts, level, county, town)
        if key not in self._tallies:
            rows = self._counting[counts]
            here = (rows["county"] == county).to_numpy(bool)
            if level == "town":
                unsaid = (rows["county"] == "").to_numpy(bool) & (homes in ([], [county]))
                here = (here | unsaid | (not county)) & (rows["town"] == town).to_numpy(bool)
            self._tallies[key] = _tally(rows[here] if level else rows)
        return self._tallies[key], lost, []

    @cached_property
    def _lost(self) -> Mapping[tuple[str, str], int]:
        """Standing sites without a county or town, by way to count and level."""
        return {(counts, level): int((rows["stands"].to_numpy(bool) & (rows[level] == "").to_numpy(bool)).sum())
                for counts, rows in self._counting.items() for level in ("county", "town")}

    @cached_property
    def _homes(self) -> Mapping[str, list[str]]:
        """Counties that have a town of a name, by the sites of the register."""
        pairs = self._names[(self._names["town"] != "") & (self._names["county"] != "")].drop_duplicates()
        return {str(town): sorted(part["county"]) for town, part in pairs.groupby("town")}

    @cached_property
    def _names(self) -> pd.DataFrame:
        return pd.DataFrame({name: _words(self._sites[name]) for name in ("county", "town")}, index=self._sites.index)

    @cached_property
    def _counting(self) -> Mapping[str, pd.DataFrame]:
        """Sites by the way they count: all | free_public | hard_site."""
        sites = self._sites
        state = sites["state"].astype("object")
        rows = pd.DataFrame({
            "site": sites.index, "stands": (state == "on_air").to_numpy(bool),
            "gone": (state == "withdrawn").to_numpy(bool), "built_on": pd.to_datetime(sites["on_air_on"]).to_numpy(),
            "stations": sites["station_count"].to_numpy(float),
            **{name: self._names[name].to_numpy() for name in ("county", "town")}})
        free, hard = (sites[name].fillna(False).to_numpy(bool) for name in ("is_free", "is_hard"))
        used = (rows["stands"] | (rows["gone"] & rows["built_on"].notna())).to_numpy(bool)
        return {"all": rows[used], "free_public": rows[used & free], "hard_site": self._hard(rows[hard])}

    def _hard(self, rows: pd.DataFrame) -> pd.DataFrame:
        """Hard sites, each with the day it was settled; solved cases without a registered site count by themselves."""
        if self._cases is None or not len(self._cases):
            return rows
        cases = self._cases[(self._cases["kind"] == "hard_site") & self._cases["closed_on"].notna()
                            & self._cases["outcome"].isin(read_table("quotas")["register"]["solved"])]
        solved = pd.DataFrame({
            "site": self._sites_of_cases(cases),
            "stands": True, "gone": False, "built_on": pd.to_datetime(cases["closed_on"]), "stations": float("nan"),
            **{name: _words(cases[name]) for name in ("county", "town")}})
        both = pd.concat([part for part in (rows, solved) if len(part)] or [rows], ignore_index=True)
        both = both.assign(waits=~both["stands"].astype(bool)).sort_values(["waits", "built_on"], kind="stable")
        first = both.drop_duplicates("site").drop(columns="waits")
        for name in ("county", "town"):  # of the site, else of the case
            home = first["site"].map(self._names[name]).fillna("").astype("object")
            first[name] = home.where(home != "", first[name])
        return first

    def _sites_of_cases(self, cases: pd.DataFrame) -> pd.Series:
        """The site of each case: the one that it names, else a hard site that it shares its place with, else itself."""
        hard = self._sites[self._sites["is_hard"].fillna(False).to_numpy(bool)]
        known = list(zip(hard.index, *(_cells(hard, name) for name in ("venue_id", "name", "county")), strict=True))
        named, used = _cells(cases, "site_id"), set(_cells(cases, "site_id"))
        out = []
        for case_id, site, *place in zip(cases.index, named, *(_cells(cases, name) for name in (
                "venue_id", "title", "county")), strict=True):
            same = [] if site else [key for key, *other in known if _share_place(place, other)]
            found = site or next((key for key in same if key not in used), same[0] if same else case_id)
            used.add(found)
            out.append(found)
        return pd.Series(out, index=cases.index, dtype="object")

    def _case_notes(self, quota: Quota, line: list[Quota]) -> list[str]:
        """How many solved cases of the quota's area count by themselves, because no site of the register fits them."""
        if quota.measure != "hard_site" or quota.by is None:
            return []
        rows, last = self._counting["hard_site"], pd.Timestamp(min(quota.by, self.as_of))
        rows = rows[~rows["site"].isin(self._sites.index) & (pd.to_datetime(rows["built_on"]) <= last)]
        if quota.since is not None:
            rows = rows[pd.to_datetime(rows["built_on"]) >= pd.Timestamp(quota.since)]
        for name, word in zip(("county", "town"), county_and_town(quota, line), strict=True):
            if word:
                rows = rows[rows[name] == word]
        return [f"其中{len(rows)}件已解决的疑难站址事项没有对应的站址编号,按事项计入"] if len(rows) else []

    def _number(self, quota: Quota, tally: _Tally) -> tuple[int, list[str]]:
        """Number counted up to the quota's day or the cut-off, and what could not be counted.

        What has no day counts only for a total without base that is not due yet: it stands, whenever it was built.
        """
        by, at = quota.by or self.as_of, 1 if quota.unit == "基站" else 0
        all_time = quota.measure == "total" and quota.base is None
        settled = quota.measure in ("free_public", "hard_site") and quota.since is None
        first = _EVER if all_time or settled else quota.first_day or _EVER
        counted = tally.between(first, min(by, self.as_of))
        number, without, gone = counted[at], counted[2], counted[3]
        notes = []
        if all_time and self.as_of <= by:
            number, without = number + tally.undated[at], without + tally.undated[2]
        elif tally.undated[0]:
            notes.append(f"{tally.undated[0]}处已开通站址没有开通日期,未计入")
        if without and at:
            notes.append(f"{without}处已开通站址没有基站数,未计入")
        if gone:
            notes.append(f"{gone}处站址开通后已撤销,未计入")
        return number, notes


def _cells(table: pd.DataFrame, name: str) -> list[str]:
    """Texts of a column, empty where there is none."""
    return _words(table[name]).tolist() if name in table else [""] * len(table)


def _share_place(case: Sequence[str], site: Sequence[str]) -> bool:
    """Whether a case and a site are of one place: the venue; the name; the county and the name within the title."""
    (venue, title, county), (own, name, home) = case, site
    if venue and own:
        return venue == own
    if not name or not title or (county and home and county != home):
        return False
    return title == name or (bool(county) and county == home and name in title)


def _words(column: pd.Series) -> pd.Series:
    """Names of areas, empty where there is none."""
    return column.astype("object").where(column.notna(), "").astype(str).str.strip().astype("object")
