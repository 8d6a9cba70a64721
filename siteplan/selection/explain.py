"""Why each site was chosen and why its owner, and why each candidate was not: gains, public rivals, sentences."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import geopandas as gpd
import numpy as np
import pandas as pd
from scipy.spatial import cKDTree

from siteplan.selection.choose import Selection
from siteplan.selection.rivals import Need, best_rivals, exchange_bar, needed_for
from siteplan.selection.standing import Standing
from siteplan.selection.task import is_public

CHOICE_ZH: Mapping[str, str] = {
    "public": "公共场所、公共杆塔或现有站址", "no_public_near": "附近没有公共场所、杆塔", "public_refused": "附近公共场所、杆塔均不可用",
    "public_weaker": "附近公共候选能服务的少得多", "public_too_near": "公共候选距入选站过近", "public_too_dear": "公共候选投资过高或超出预算",
    "public_over_quota": "公共候选超出数量限制", "kept": "会议决定保留",
    "for_limit": "为满足数量、投资或达标限制入选",
}
"""Codes of ``choice_code``: why the owner of a proposed site is the one it is."""
DEMAND_UNIT = {"people": "人", "floor_area_m2": "平方米建筑面积", "area_m2": "平方米"}
BARRED_ZH = {"no_gain": "能服务的空洞已由入选站服务", "min_gain": "新增服务的需求太少", "too_dear": "单位新增需求的投资过高", "budget": "超出预算",
             "max_sites": "新增服务量(按优先级加权)不及入选站址"}
REASON_BYTES = 254
"""Longest text of a Shapefile field, bytes of UTF-8."""
_NAME_LETTERS = 16
_LEAST_SHARE = 0.005
_OWN_FLOORS = ("required_share", "best_coverage")
"""Floors that are the aim itself: every site is there for them."""
_LOOKED_AT_M = 1000.0
"""Where private sites never give way, public candidates within this distance are told of, m."""


def new_cells(selection: Selection) -> list[np.ndarray]:
    """For every chosen site the numbers of the cells it is the first to serve."""
    column = {site: number for number, site in enumerate(selection.candidate_ids)}
    waiting, found = np.ones(selection.reach.shape[0], dtype=bool), []
    for site in selection.site_ids:
        cells = selection.reach.indices[slice(*selection.reach.indptr[column[site]:column[site] + 2])]
        found.append(cells[waiting[cells]])
        waiting[cells] = False
    return found


def fit(text: str, most: int = REASON_BYTES) -> str:
    """The text, cut at a letter where its UTF-8 is longer than a field.

    >>> fit("站址站址", 9)
    '站址…'
    """
    raw = text.encode()
    return text if len(raw) <= most else raw[:most - 3].decode(errors="ignore") + "…"


def _label(sites: pd.DataFrame, site: str) -> str:
    """``name(id)`` of a site, the id alone where it has no name."""
    name = str(sites.at[site, "name"] or "") if "name" in sites else ""
    return f"{name[:_NAME_LETTERS]}({site})" if name else site


@dataclass(frozen=True)
class _Around:
    """What surrounds chosen sites, gathered once: the candidates of the selection, and the refused public sites.

    ``column`` of every candidate; ``tier`` and ``public`` in the order of the columns; ``refused`` best first, with
    ``reason``, ``x``, ``y``; a tree of places for each, None where there are none; ``standing`` the whole plan;
    ``needs`` the limits that hold a chosen site (its column) which brings less than its price; ``near_m`` how far a
    public rival may be; ``unit`` of the demand.
    """

    selection: Selection
    sites: pd.DataFrame
    standing: Standing
    needs: Mapping[int, tuple[Need, ...]]
    near_m: float
    unit: str
    column: Mapping[str, int]
    tier: np.ndarray
    public: np.ndarray
    tree: cKDTree | None
    refused: pd.DataFrame
    refused_tree: cKDTree | None

    def near(self, site: str, wanted: np.ndarray) -> np.ndarray:
        """Columns of the wanted candidates within ``near_m`` of a chosen site, ascending."""
        found = _within(self.tree, self.selection.xy[self.column[site]], self.near_m)
        return found[wanted[found]]

    def refused_near(self, site: str) -> pd.DataFrame:
        """Refused public sites within ``near_m`` of a chosen site, best first."""
        return self.refused.iloc[_within(self.refused_tree, self.selection.xy[self.column[site]], self.near_m)]


def _tree(xy: np.ndarray) -> cKDTree | None:
    return cKDTree(xy) if len(xy) else None


def _within(tree: cKDTree | None, here: np.ndarray, radius_m: float) -> np.ndarray:
    """Numbers of the places within a distance, ascending."""
    found = [] if tree is None else tree.query_ball_point(here, radius_m, return_sorted=True)
    return np.asarray(found, dtype=np.int64)


def _standing(selection: Selection) -> Standing:
    """The plan with its years."""
    problem, order = selection.task.problem, np.argsort(selection.chosen)
    number = {year.year: at for at, year in enumerate(problem.stages)}
    stage = np.array([number[selection.years[at]] for at in order], dtype=np.int32) if number else None
    return Standing(problem, selection.chosen[order], stage)


def _around(sites: pd.DataFrame, selection: Selection, unit: str) -> _Around:
    """Column numbers, tiers, trees of places and refused sites, each made once for all chosen sites."""
    asked = pd.DataFrame(sites)[[name for name in ("tier", "must_open") if name in sites]]
    asked = asked.loc[list(selection.candidate_ids)]
    refused = _refused_public(sites)
    standing = _standing(selection)
    needs = {column: tuple(need for need in found if need.name not in (*_OWN_FLOORS, "locked"))
             for column, found in needed_for(standing).items()}
    near_m = selection.task.params.give_way_m or _LOOKED_AT_M
    columns = {site: number for number, site in enumerate(selection.candidate_ids)}
    return _Around(selection, sites, standing, needs, near_m, unit, columns, asked["tier"].to_numpy(),
                   is_public(asked), _tree(selection.xy), refused, _tree(refused[["x", "y"]].to_numpy(dtype=float)))


def _refused_public(sites: pd.DataFrame) -> pd.DataFrame:
    """Refused public sites, best first: tier, duty to be free, id."""
    public = sites[(sites["status"] == "refused").to_numpy(dtype=bool) & is_public(sites)].sort_index()
    if public.empty or not isinstance(sites, gpd.GeoDataFrame):
        return pd.DataFrame({"x": [], "y": [], "reason": []}, dtype="object")
    table = pd.DataFrame({"x": public.geometry.x, "y": public.geometry.y, "reason": public["reason"],
                          "tier": public["tier"], "charged": ~public["must_be_free"].astype(bool)})
    return table.sort_values(["tier", "charged"], kind="stable")


def _why_not(site: str, selection: Selection, useful: set[str]) -> str:
    """Why an open candidate was not chosen; ``useful`` are those that serve a cell at all."""
    if site not in useful:
        return "备选:不能服务任何空洞"
    if site in selection.task.wishes.barred:
        return f"备选:{selection.task.wishes.barred[site]}"
    reason, other = selection.barred.get(site, ("", ""))
    if reason == "spacing":
        return f"备选:距入选站 {other} 过近"
    if reason == "venue":
        return f"备选:同一场所已选 {other}"
    if reason in BARRED_ZH or not reason:
        return f"备选:{BARRED_ZH[reason or 'max_sites']}"
    return f"备选:受限于“{_limit_zh(selection, reason)}”"


def _limit_zh(selection: Selection, name: str) -> str:
    return next((limit.zh for limit in selection.task.limits if limit.name == name), name)


def _rival(selection: Selection, near: np.ndarray, new: np.ndarray) -> tuple[float, str]:
    """The greatest share of the new weight that one of these candidates serves, and which one."""
    weight = np.zeros(len(selection.weight))
    weight[new] = selection.weight[new]
    if not len(near) or not weight.any():
        return 0.0, ""
    served = selection.reach[:, near].T @ weight
    best = int(served.argmax())
    return float(served[best] / weight.sum()), selection.candidate_ids[near[best]]


def _private_reason(site: str, new: np.ndarray, around: _Around) -> tuple[str, str]:
    """Code and sentence on why a chosen site is a private one."""
    selection, near = around.selection, around.near(site, around.public)
    if not len(near):
        refused = around.refused_near(site)
        if refused.empty:
            return "no_public_near", f"{around.near_m:g}米内没有公共场所、杆塔候选"
        return "public_refused", (f"{around.near_m:g}米内公共场所、杆塔{len(refused)}处均不可用,最优的 "
                                  f"{_label(around.sites, str(refused.index[0]))}:{refused['reason'].iloc[0]}")
    share, rival = _rival(selection, near, new)
    if not selection.weight[new].any():
        return ("for_limit" if around.needs.get(around.column[site]) else "public_weaker"), ""
    if share < _LEAST_SHARE:
        every = "都" if len(near) > 1 else ""
        return "public_weaker", f"{around.near_m:g}米内的{len(near)}处公共候选{every}不能服务这些需求"
    barred, words_of_bar = _bar(around, rival, site, new)
    told = f"公共候选 {_label(around.sites, rival)}"
    if share >= selection.task.params.give_way_share * (1 - 1e-9) and barred:
        code = {"near": "public_too_near", "group": "public_too_near", "too_dear": "public_too_dear",
                "min_gain": "public_too_dear", "budget_yuan": "public_too_dear"}.get(barred, "public_over_quota")
        return code, f"{told} 能服务其中{share:.0%},但{words_of_bar}"
    words = f"(但{words_of_bar})" if barred else ""
    return "public_weaker", f"{told} 最多能服务其中{share:.0%}{words}"


def _bar(around: _Around, rival: str, site: str, new: np.ndarray) -> tuple[str, str]:
    """What bars a rival from the place of a chosen site, and its words: a limit, or what it is worth; "" if nothing."""
    selection, column = around.selection, around.column[rival]
    bar = exchange_bar(around.standing, column, around.column[site])
    if bar.name:
        return bar.name, _bar_zh(around, bar.name, bar.other, bar.zh)
    if around.needs.get(around.column[site]):
        return "", ""
    task, start = selection.task, selection.reach.indptr
    fresh = np.intersect1d(selection.reach.indices[start[column]:start[column + 1]], new)
    gain = float(selection.weight[fresh].sum())
    if gain >= task.least[column] * (1 - 1e-9):
        return "", ""
    name = "min_gain" if gain < task.params.min_gain else "too_dear"
    return name, BARRED_ZH[name]


def _bar_zh(around: _Around, name: str, other: int, zh: str = "") -> str:
    """The words for what bars a candidate; ``zh`` those of the limit itself, of a yearly one that of its year."""
    names = around.selection.candidate_ids
    if name in ("near", "group"):
        where = "同一场所已选 " if name == "group" else "距入选站过近:"
        return where + _label(around.sites, names[other])
    if name == "budget_yuan":
        return BARRED_ZH["budget"]
    if name in ("locked", "built_in", "barred"):
        return {"locked": "本站址由会议决定保留", "built_in": zh, "barred": "该候选不可用"}[name]
    return f"受限于“{zh or _limit_zh(around.selection, name)}”"


def _need_words(needs: tuple[Need, ...]) -> str:
    """Which limits a site is there for, and what each of them would lack."""
    count = {"站址": "处", "基站": "个"}
    told = [f"“{need.zh or need.name}”入选,不选它该限制" + (
        f"差{need.short:.0f}{count.get(need.unit, need.unit)}" if need.unit else "不满足") for need in needs]
    return ";".join(f"为满足{words}" for words in told)


def _public_reason(site: str, new: np.ndarray, around: _Around) -> str:
    """How much of the new weight a candidate of a better tier would serve, what barred it; empty for the best tier."""
    selection, tier = around.selection, int(around.sites.at[site, "tier"])
    if tier <= 1 or not selection.weight[new].any():
        return ""
    share, rival = _rival(selection, around.near(site, (around.tier >= 1) & (around.tier < tier)), new)
    if share < _LEAST_SHARE:
        return f"{around.near_m:g}米内没有更优层级的候选能服务这些需求"
    barred, words = _bar(around, rival, site, new)
    why = f"但{words}" if barred else "按目标值不及"
    return f"更优层级的 {_label(around.sites, rival)} 最多能服务其中{share:.0%},{why}"


def _owner_words(row: pd.Series) -> str:
    """Duty, department and owner of a site, as far as the table tells."""
    duty = "须免费开放" if row.get("must_be_free", False) else "应开放" if row.get("must_open", False) else ""
    department, owner = str(row.get("department", "") or ""), str(row.get("owner", "") or "")
    answers = department if not department or department.startswith("无") else f"主管{department}"
    return ",".join(part for part in (duty, answers, f"权属{owner[:_NAME_LETTERS]}" if owner else "权属待查") if part)


def explain_choice(sites: pd.DataFrame, selection: Selection, demand: np.ndarray, kind: str,
                   points: np.ndarray | None = None) -> pd.DataFrame:
    """Why every chosen site is there, and why this owner.

    Parameters
    ----------
    sites : GeoDataFrame
        The sites table before or after the choice; refused public sites are told of where the table has geometry.
    selection : Selection
    demand : ndarray, shape (demand cells,)
        Plain demand per cell.
    kind : str
        What the demand counts (``people``, ``floor_area_m2``, ``area_m2``).
    points : ndarray, shape (demand cells,), optional
        Key points in each cell.

    Returns
    -------
    DataFrame
        Index: the chosen sites in the order of choice. ``rank_no, gain, gain_demand, gain_share``; ``choice_code``
        (see ``CHOICE_ZH``); ``choice_text``: the whole explanation; ``reason``: the same, cut to ``REASON_BYTES``;
        ``loss``, ``loss_demand``: weight and plain demand that nobody else of the plan serves; ``rival_id``,
        ``rival_text``: the best candidate that could stand in its place, and why it does not; ``gain_points``,
        ``loss_points``: key points (village committees, schools, hospitals) newly and alone served.
    """
    total, news, unit = float(selection.weight.sum()), new_cells(selection), DEMAND_UNIT[kind]
    around, rows = _around(sites, selection, unit), []
    spots = np.zeros(len(demand)) if points is None else np.asarray(points, dtype=np.float64)
    own = _own_parts(around.standing, selection, demand, spots)
    for number, (site, new, gain) in enumerate(zip(selection.site_ids, news, selection.gains, strict=True)):
        row, plain = sites.loc[site], float(demand[new].sum())
        share = float(gain) / total if total > 0 else 0.0
        places = int(spots[new].sum())
        also = f",关键点位{places}个" if places else ""
        there = f"第{number + 1}位:{row['tier_name']};新增服务{plain:.0f}{unit},加权{gain:.0f}(占空洞{share:.1%}){also}"
        if around.public[around.column[site]]:
            code, why = "public", _public_reason(site, new, around)
        else:
            code, why = _private_reason(site, new, around)
        if site in selection.task.wishes.kept:
            code, why = "kept", ";".join(part for part in ("会议决定保留", why) if part)
        lost, need = own.loc[site], _need_words(around.needs.get(around.column[site], ()))
        only = next((part for part in str(row.get("evidence", "")).split(";") if part.startswith("仅服务")), "")
        text = ";".join(part for part in (there, only, _owner_words(row), need, why) if part)
        rival = _rival_text(around, site, lost)
        rows.append((number + 1, round(float(gain), 3), round(plain, 3), share, code, text, fit(text),
                     round(float(lost["loss"]), 3), round(float(lost["loss_demand"]), 3), lost["rival_id"], rival,
                     places, int(lost["loss_points"])))
    return pd.DataFrame(rows, index=pd.Index(list(selection.site_ids), dtype="str", name=sites.index.name), columns=[
        "rank_no", "gain", "gain_demand", "gain_share", "choice_code", "choice_text", "reason", "loss", "loss_demand",
        "rival_id", "rival_text", "gain_points", "loss_points"])


def _own_parts(standing: Standing, selection: Selection, demand: np.ndarray, points: np.ndarray) -> pd.DataFrame:
    """What is lost without each chosen site, and its best rival; index: the chosen sites."""
    task, chosen, names = selection.task, selection.chosen, selection.candidate_ids
    servers = np.zeros(task.matrix.shape[0])
    for column in chosen:
        servers[task.matrix.indices[task.matrix.indptr[column]:task.matrix.indptr[column + 1]]] += 1
    alone = servers == 1
    losses = task.matrix[:, chosen].T @ np.column_stack([task.weight * alone, demand * alone, points * alone])
    told = best_rivals(task.problem, standing.chosen, task.xy, standing.stage, task.levels.weight)
    told.index = pd.Index([names[column] for column in np.sort(chosen)], dtype="str")
    told = told.loc[list(selection.site_ids)].drop(columns="loss")
    ids = ["" if column < 0 or share < _LEAST_SHARE else names[column]
           for column, share in zip(told["rival"], told["rival_share"], strict=True)]
    return told.assign(loss=losses[:, 0], loss_demand=losses[:, 1], loss_points=losses[:, 2], rival_id=ids)


def _rival_text(around: _Around, site: str, row: pd.Series) -> str:
    """Who could stand in the place of a site, and why it does not."""
    if not row["rival_id"]:
        return "没有能接替的候选" if row["loss"] > 0 else "没有只由它服务的需求"
    told = f"{_label(around.sites, row['rival_id'])} 可接替其中{row['rival_share']:.0%}"
    if row["rival_bar"] not in ("", "locked"):
        return f"{told},但{_bar_zh(around, row['rival_bar'], int(row['rival_other']), row['rival_bar_zh'])}"
    change, better = _change_zh(around, site, row)
    if not better:
        return f"{told},但换用它{change}"
    kept, came = site in around.selection.task.wishes.kept, site in around.selection.given.values()
    why = "因会议决定保留" if kept else "按让位规则" if came else ""
    return f"{told},换用它{change}," + (f"{why}不换" if why else "本次搜索未作此替换")


def _change_zh(around: _Around, site: str, row: pd.Series) -> tuple[str, bool]:
    """What the objective changes by when the rival stands instead, and whether that is clearly better."""
    task, worse = around.selection.task, float(row["rival_worse"])
    if task.params.objective == "least_cost" or task.params.preference_mode == "lexicographic":
        out, into = around.column[site], around.column[row["rival_id"]]
        if task.params.objective != "least_cost" and task.public[out] != task.public[into]:
            return f"非公共站址{'多' if worse > 0 else '少'}1处", worse < 0
        what, more, unit, change = "投资", worse > 0, "元", abs(float(task.cost[into] - task.cost[out]))
    else:
        what, more, unit, change = "目标值", worse < 0, f"加权{around.unit}", abs(worse)
    if change < 1:
        return f"{what}相同(差不到1{unit})", False
    return f"{what}{'多' if more else '少'}{change:.0f}{unit}", worse < 0


def mark_proposed(sites: gpd.GeoDataFrame, selection: Selection, demand: np.ndarray, kind: str,
                  networks: str, points: np.ndarray | None = None) -> gpd.GeoDataFrame:
    """The sites table with the choice in it.

    Parameters
    ----------
    sites : GeoDataFrame
        Index ``site_id``; the candidates of the selection have status ``candidate``.
    selection : Selection
    demand : ndarray, shape (demand cells,)
        Plain demand per cell.
    kind : str
        What the demand counts (``people``, ``floor_area_m2``, ``area_m2``).
    networks : str
        Networks that new sites serve, joined by ``|``, where the site does not say which (``*``).
    points : ndarray, shape (demand cells,), optional
        Key points in each cell.

    Returns
    -------
    GeoDataFrame
        ``status, rank_no, gain, gain_demand, gain_share, networks, reason`` filled in, and ``choice_code`` and
        ``choice_text`` where the table has them; every open candidate that was not chosen says why.
    """
    chosen, told = list(selection.site_ids), explain_choice(sites, selection, demand, kind, points)
    table = sites.copy()
    waiting = table.index[table["status"] == "candidate"]
    served = np.diff(selection.reach.indptr)
    useful = {site for site, cells in zip(selection.candidate_ids, served, strict=True) if cells}
    table.loc[waiting, "reason"] = [_why_not(site, selection, useful) for site in waiting]
    table.loc[chosen, "status"] = "proposed"
    own = table.loc[chosen, "networks"]
    table.loc[chosen, "networks"] = own.where(own != "*", networks)
    for name in told.columns:
        if name in table:
            table.loc[chosen, name] = told[name].astype(table[name].dtype)
    return table
