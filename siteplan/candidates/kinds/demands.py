"""Operators' half-yearly requests for sites (建站需求), merged into sites to be built together (共建)."""

from __future__ import annotations

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from siteplan.candidates.context import CandidateContext, load_mounts
from siteplan.candidates.kinds.operators import (
    EVERY,
    only_words,
    operators_named,
    operators_with_5g,
    wanted_operators,
)
from siteplan.candidates.kinds.origins import Fact, joined, origin_words, tell_rows
from siteplan.candidates.rules.rule_table import site_rules
from siteplan.candidates.table import empty_sites, site_ids, sites_table, text
from siteplan.schema import layer_schema

DEMAND_CLASS = "open_land"
"""Venue class of a place that nobody owns as far as is known."""
MACRO_FROM_M = 15.0
"""A request that names no kind asks for a macro site from this antenna height, m (design choice); or without one."""
WAIVED = frozenset({"no_gap", "crowded"})
"""Rules that do not bar a site which operators ask for: the request is a need of its own."""
KIND_ZH = {"macro": "宏站", "micro": "微站"}
GROUP_COLUMNS = ("name", "kind", "operators", "networks", "demand_ids", "bands", "antenna_height_m", "earliest",
                 "latest", "people", "requests", "evidence")
"""Columns of the merged requests, beside their geometry."""


def merge_points(xy: NDArray[np.float64], distance_m: float) -> NDArray[np.int64]:
    """Which points are merged: each is told the centre of its group.

    Parameters
    ----------
    xy : ndarray, shape (n, 2)
        Points, m. Their order breaks ties: sort them by id.
    distance_m : float
        No member is farther from the centre of its group.

    Returns
    -------
    ndarray of int, shape (n,)
        Number of the point that is the centre of the group.

    Notes
    -----
    The point with the most others within the distance (of equals the first) starts a group with all of them; the same
    is done with the rest until none is left. The centre is the medoid of the group: of the members that have all others
    within the distance (the starting point always has), the one with the least sum of distances, the first of equals.
    A chain of points is thus cut, not merged along its whole length.

    Examples
    --------
    >>> merge_points(np.array([[0.0, 0.0], [60.0, 0.0], [130.0, 0.0], [500.0, 0.0]]), 100.0).tolist()
    [1, 1, 1, 3]
    """
    centre = np.arange(len(xy))
    if len(xy) < 2:
        return centre
    near = [np.sort(np.asarray(found)) for found in cKDTree(xy).query_ball_point(xy, distance_m)]
    count = np.array([len(found) for found in near])
    free = np.ones(len(xy), dtype=bool)
    while free.any():
        start = int(np.argmax(np.where(free, count, -1)))
        members = near[start][free[near[start]]]
        free[members] = False
        np.subtract.at(count, np.concatenate([near[member] for member in members]), 1)
        apart = np.hypot(*(xy[members][:, None] - xy[members][None]).transpose(2, 0, 1))
        total = np.where(apart.max(axis=1) <= distance_m, np.round(apart.sum(axis=1), 6), np.inf)
        total[members == start] = round(float(apart[members == start].sum()), 6)
        centre[members] = members[np.argmin(total)]
    return centre


def _asked_kind(demands: gpd.GeoDataFrame) -> pd.Series:
    """Kind asked for; where none is given, by the height: a macro site unless it is low."""
    height = demands["antenna_height_m"].astype("float64")
    by_height = np.where(height < MACRO_FROM_M, "micro", "macro")
    return demands["kind"].astype("str").where(demands["kind"].notna(), by_height)


def _asking(demands: gpd.GeoDataFrame, known: tuple[str, ...]) -> pd.DataFrame:
    """``operators`` (tuple) and ``strange`` words of every request."""
    cells = text(demands["operators"])
    found = {cell: operators_named(cell, known) for cell in cells.unique()}
    return pd.DataFrame({"operators": cells.map({cell: names for cell, (names, _) in found.items()}),
                         "strange": cells.map({cell: "、".join(strange) for cell, (_, strange) in found.items()})},
                        index=demands.index)


def _tell_faults(demands: gpd.GeoDataFrame, asking: pd.DataFrame, context: CandidateContext) -> None:
    """What is doubtful in the requests, one line for each kind of fact."""
    none = (asking["operators"].map(len) == 0).to_numpy()
    area = context.boundary.geometry.union_all()
    outside = ~shapely.intersects_xy(area, demands.geometry.x.to_numpy(), demands.geometry.y.to_numpy())
    facts: list[tuple[NDArray[np.bool_], Fact]] = []
    for word in sorted(set(asking["strange"]) - {""}):
        mine = (asking["strange"] == word).to_numpy()
        facts += [
            (mine & ~none, Fact("operators", "note", f"“{word}”不是认识的运营商,已略去", "改用运营商名称")),
            (mine & none, Fact("operators", "assumed", f"“{word}”不是认识的运营商,按研究中的全部网络", "改用运营商名称"))]
    facts += [
        (none & (asking["strange"] == "").to_numpy(), Fact("operators", "assumed", "没有运营商,按研究中的全部网络", "补填需求运营商")),
        (demands["kind"].isna().to_numpy(), Fact(
            "kind", "assumed", f"没有站型,按宏站(期望挂高低于{MACRO_FROM_M:g}米的按微站)", "补填宏站或微站")),
        (demands["date"].isna().to_numpy(), Fact("date", "note", "没有提出日期", "补填提出日期")),
        (outside, Fact("geometry", "note", "建站需求在规划范围之外,不在那里提出新址", "核对坐标"))]
    for where, fact in facts:
        tell_rows(context.ledger, "demands", demands[where], fact)


def _tell_twice(demands: gpd.GeoDataFrame, group: pd.Series, asking: pd.DataFrame, context: CandidateContext) -> None:
    """A note on each operator that asks more than once in one group."""
    each = asking["operators"].explode().dropna()
    pairs = pd.DataFrame({"operator": each, "group": group.reindex(each.index)})
    again = pairs[pairs.duplicated(keep=False)]
    for (operator, _), rows in again.groupby(["operator", "group"], sort=True):
        tell_rows(context.ledger, "demands", demands[demands.index.isin(rows.index)], Fact(
            "operators", "note", f"{operator}在同一处提出{len(rows)}次,合并为一处", "核对是否重复提出"))


def _days(values: pd.Series, group: pd.Series, last: bool) -> pd.Series:
    days = pd.to_datetime(values).groupby(group)
    return days.max() if last else days.min()


def demand_groups(context: CandidateContext) -> gpd.GeoDataFrame:
    """Requests within ``demand_merge_m`` of each other, merged; what is doubtful in them is told in the ledger.

    Parameters
    ----------
    context : CandidateContext

    Returns
    -------
    GeoDataFrame
        Index ``group_id`` (id of the request at the centre), sorted: ``name`` (of that request), ``kind`` (macro |
        micro), ``operators`` (joined by ``|``, "" = none known), ``networks`` (the same; ``*`` where a request names no
        known operator), ``demand_ids, bands`` (joined by ``|``), ``antenna_height_m`` (greatest asked for, NaN = none),
        ``earliest, latest`` (dates, NaT = none), ``people`` (sum, NaN = none given), ``requests`` (number),
        ``evidence``, ``geometry`` (place of the request at the centre).

    Notes
    -----
    Macro and micro requests are merged apart from each other: they ask for different sites. See :func:`merge_points`.
    """
    demands = context.tables["demands"].sort_index()
    if demands.empty:
        columns = {name: pd.Series(dtype="str") for name in GROUP_COLUMNS}
        return gpd.GeoDataFrame(pd.DataFrame(columns, index=pd.Index([], name="group_id")),
                                geometry=gpd.GeoSeries([], crs=demands.crs), crs=demands.crs)
    asking = _asking(demands, operators_with_5g(context.tables["stations"]))
    _tell_faults(demands, asking, context)
    kind = _asked_kind(demands)
    xy = np.column_stack([demands.geometry.x, demands.geometry.y])
    centre = np.arange(len(demands))
    for name in ("macro", "micro"):
        mine = np.flatnonzero((kind == name).to_numpy())
        centre[mine] = mine[merge_points(xy[mine], context.params.demand_merge_m)] if len(mine) else mine
    group = pd.Series(demands.index.to_numpy(object)[centre], index=demands.index).astype("str")
    _tell_twice(demands, group, asking, context)
    return _grouped(demands, group, kind, asking)


def _grouped(demands: gpd.GeoDataFrame, group: pd.Series, kind: pd.Series, asking: pd.DataFrame) -> gpd.GeoDataFrame:
    """The table of :func:`demand_groups` from the group of every request."""
    each = asking["operators"].explode()
    operators = joined(each.fillna(""), group.reindex(each.index))
    heads = demands.loc[operators.index]
    open_to_all = (asking["operators"].map(len) == 0).groupby(group).any()
    ids = joined(pd.Series(demands.index.astype("str"), index=demands.index), group)
    first, last = (_days(demands["date"], group, late) for late in (False, True))
    table = pd.DataFrame({
        "name": text(heads["name"]), "kind": kind.reindex(operators.index), "operators": operators,
        "networks": operators.where(~open_to_all, EVERY), "demand_ids": ids,
        "bands": joined(text(demands["band"]), group),
        "antenna_height_m": demands["antenna_height_m"].astype("float64").groupby(group).max(),
        "earliest": first, "latest": last,
        "people": demands["people"].astype("float64").groupby(group).sum(min_count=1),
        "requests": group.value_counts().reindex(operators.index),
    }, index=operators.index)
    words = [_request_words(*facts) for facts in zip(
        table["demand_ids"], operators, table["bands"], first, table["people"], strict=True)]
    table = table.assign(evidence=origin_words("demands", heads) + pd.Series(words, index=table.index))
    return gpd.GeoDataFrame(table[list(GROUP_COLUMNS)].rename_axis("group_id"), geometry=heads.geometry.to_numpy(),
                            crs=demands.crs)


def _request_words(ids: str, operators: str, bands: str, day: pd.Timestamp, people: float) -> str:
    """What a group asks for, in words."""
    asked = [f"需求编号 {ids.replace('|', '、')}", f"运营商 {operators.replace('|', '、') or '未注明'}"]
    asked += [f"频段 {bands.replace('|', '、')}"] if bands else []
    asked += ["提出日期未提供" if pd.isna(day) else f"最早{day:%Y-%m-%d}提出"]
    asked += [] if pd.isna(people) else [f"涉及{people:g}人"]
    return ";" + ";".join(asked)


def _serves(networks: NDArray[np.object_], asked: str, serves: frozenset[str]) -> NDArray[np.bool_]:
    """Sites that may serve all networks asked for; ``*`` is what the study serves (all where that is empty)."""
    wanted = serves if asked == EVERY else frozenset(asked.split("|"))
    has = {cell: (not serves if cell == EVERY and not serves else
                  bool(wanted) and wanted <= (serves if cell == EVERY else frozenset(cell.split("|"))))
           for cell in set(networks)}
    return np.array([has[cell] for cell in networks], dtype=bool)


def _union(*cells: str) -> str:
    return "|".join(sorted({part for cell in cells for part in cell.split("|") if part}))


def _may_take(sites: gpd.GeoDataFrame) -> NDArray[np.int64]:
    """Rows that may take requests: open ones, and those that only breach rules which a request overrides."""
    codes = sites["refusal_code"]
    waived = {cell: bool(cell) and WAIVED.issuperset(cell.split("|")) for cell in codes.unique()}
    usable = (sites["status"] == "candidate") | ((sites["status"] == "refused") & codes.map(waived).astype(bool))
    return np.flatnonzero(usable.to_numpy(dtype=bool) & (sites["source"] != "demand").to_numpy(dtype=bool))


def attach_demands(sites: gpd.GeoDataFrame, groups: gpd.GeoDataFrame, distance_m: float,
                   serves: tuple[str, ...] = ()) -> tuple[gpd.GeoDataFrame, gpd.GeoDataFrame]:
    """Merged requests given to the best usable site nearby; those that have none remain.

    Parameters
    ----------
    sites : GeoDataFrame
        The sites table after the rules. Rows of status ``candidate`` take requests, and rows that are refused for
        nothing but ``WAIVED`` (no gap nearby, a better candidate nearby): these become candidates again.
    groups : GeoDataFrame
        Of :func:`demand_groups`.
    distance_m : float
        A candidate is no farther from the place of the group.
    serves : tuple of str
        Operators of the study (:func:`~siteplan.candidates.kinds.operators.wanted_operators`), which ``*`` stands for;
        where none is given it stands for everybody.

    Returns
    -------
    tuple of (GeoDataFrame, GeoDataFrame)
        The sites, with ``operators, demand_ids`` and ``evidence`` completed; the groups that are left, whose evidence
        says why nothing nearby takes them.

    Notes
    -----
    The candidate is of the kind asked for (macro or micro) and may serve all operators that ask. The best tier wins,
    then an open one before a refused one (so the candidate that stands for a crowded one, where it is near enough),
    then the nearest, then the first id. Several groups may come to one candidate; a new tower is the last resort.
    """
    if groups.empty:
        return sites, groups
    taking = _may_take(sites)
    xy = np.column_stack([sites.geometry.x, sites.geometry.y])[taking]
    tier = sites["tier"].to_numpy()[taking]
    kinds, networks = (sites[name].to_numpy(dtype=object)[taking] for name in ("kind", "networks"))
    shut = (sites["status"] == "refused").to_numpy()[taking]
    ids = sites.index.to_numpy(dtype=object).astype(str)[taking]
    centres = np.column_stack([groups.geometry.x, groups.geometry.y])
    near = cKDTree(xy).query_ball_point(centres, distance_m) if len(taking) else [[]] * len(groups)
    taken: dict[int, list[int]] = {}
    why: dict[int, str] = {}
    for number, (kind, asked) in enumerate(zip(groups["kind"], groups["networks"], strict=True)):
        alike = np.asarray(near[number], dtype=int)
        alike = alike[kinds[alike] == kind]
        found = alike[_serves(networks[alike], asked, frozenset(serves))]
        if len(found):
            away = np.round(np.hypot(*(xy[found] - centres[number]).T), 3)
            best = found[np.lexsort((ids[found], away, shut[found], tier[found]))[0]]
            shut[best] = False
            taken.setdefault(int(taking[best]), []).append(number)
        else:
            word = f"{distance_m:g}米内" + ("" if len(alike) else "没有") + f"可用的{KIND_ZH[kind]}候选"
            why[number] = f";{word}" + (f"({len(alike)}处)都不能服务全部需求运营商" if len(alike) else "")
    left = groups.iloc[list(why)]
    told = left["evidence"] + pd.Series(list(why.values()), index=left.index, dtype="str")
    return _with_requests(_reopened(sites, list(taken)), groups, taken), left.assign(evidence=told.astype("str"))


def _reopened(sites: gpd.GeoDataFrame, rows: list[int]) -> gpd.GeoDataFrame:
    """The sites where the refused ones of these rows are candidates again; their evidence says why."""
    back = np.zeros(len(sites), dtype=bool)
    back[rows] = True
    back &= (sites["status"] == "refused").to_numpy()
    if not back.any():
        return sites
    codes, rules = sites["refusal_code"], site_rules()
    words = codes.map({cell: f";有运营商需求,不按“{'、'.join(rules[code].zh for code in cell.split('|'))}”排除"
                       for cell in codes[back].unique()})
    return sites.assign(
        status=sites["status"].mask(back, "candidate"), refusal_code=codes.mask(back, ""),
        reason=sites["reason"].mask(back, ""), evidence=(sites["evidence"] + words.where(back, "")).astype("str"))


def _with_requests(sites: gpd.GeoDataFrame, groups: gpd.GeoDataFrame, taken: dict[int, list[int]]) -> gpd.GeoDataFrame:
    """The sites with the groups that came to them, by row number; a height that is not reached is told."""
    cells = {name: sites[name].to_numpy(dtype=object, copy=True) for name in ("operators", "demand_ids", "evidence")}
    height = sites["antenna_height_m"].to_numpy(dtype=float)
    for row, numbers in taken.items():
        mine = groups.iloc[numbers]
        for name in ("operators", "demand_ids"):
            cells[name][row] = _union(cells[name][row], *mine[name])
        low = [f";需求挂高{asked:g}米,本处{height[row]:g}米" if asked > height[row] else ""
               for asked in mine["antenna_height_m"].astype("float64")]
        told = [words + more for words, more in zip(mine["evidence"], low, strict=True)]
        cells["evidence"][row] = ";".join(words for words in (cells["evidence"][row], *told) if words)
    return sites.assign(**{name: pd.Series(values, index=sites.index, dtype="str") for name, values in cells.items()})


def demand_sites(context: CandidateContext, groups: gpd.GeoDataFrame) -> gpd.GeoDataFrame:
    """Merged requests as candidates of their own: a tower on the ground, or a new pole, of the last tier.

    The antenna is as high as the highest request, at least as high as the mount is built; nobody is known to own the
    place.
    """
    if groups.empty:
        return empty_sites(context.tables["demands"].crs)
    macro, mounts = (groups["kind"] == "macro").to_numpy(), load_mounts()
    tower, pole = mounts["ground_tower"], mounts["pole"]
    lamp_m = float(layer_schema("poles").fields["height_m"].default) + pole.raise_m
    asked = groups["antenna_height_m"].to_numpy(dtype=float)
    usual = np.where(macro, tower.min_antenna_m, max(lamp_m, pole.min_antenna_m))
    least = np.where(macro, tower.min_antenna_m, pole.min_antenna_m)
    height = np.where(np.isnan(asked), usual, np.maximum(asked, least))
    words = [f";挂高{high:g}米{'按默认' if np.isnan(want) else '按需求' if want == high else f'(需求{want:g}米,不低于默认)'};权属未知"
             for high, want in zip(height, asked, strict=True)]
    wanted = wanted_operators(context)
    only = groups["networks"].map(lambda networks: only_words(networks, wanted))
    traits = context.class_columns(pd.Series(DEMAND_CLASS, index=groups.index))
    named = groups["name"].where(groups["name"] != "", "建站需求 " + groups.index.astype("str"))
    rows = traits.assign(
        name=named, kind=groups["kind"], source="demand", source_id=groups.index, build="new",
        department=np.where(macro, context.venues.departments["natural"].zh, context.venues.departments["urban"].zh),
        mount=np.where(macro, "ground_tower", "pole"), opens=np.where(macro, "ground", "pole"), antenna_height_m=height,
        networks=groups["networks"], operators=groups["operators"], demand_ids=groups["demand_ids"],
        cost_model=np.where(macro, "open_land", "public_pole"),
        evidence=groups["evidence"] + pd.Series(words, index=groups.index) + only)
    rows.index = site_ids("demand", groups.index)
    return sites_table(rows, gpd.GeoSeries(groups.geometry.to_numpy(), crs=groups.crs))


def propose(context: CandidateContext) -> gpd.GeoDataFrame:
    """Every merged request as a candidate, as if nothing else stood nearby; see :func:`attach_demands`."""
    return demand_sites(context, demand_groups(context))
