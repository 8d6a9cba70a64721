"""Why each site was chosen and why its owner, and why each candidate was not: gains, public rivals, sentences."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import geopandas as gpd
import numpy as np
import pandas as pd
from scipy.spatial import cKDTree

from siteplan.selection.choose import NEARBY_M, RIVAL_SHARE, Selection, is_public

CHOICE_ZH: Mapping[str, str] = {
    "public": "公共场所、公共杆塔或现有站址", "no_public_near": "附近没有公共场所、杆塔", "public_refused": "附近公共场所、杆塔均不可用",
    "public_weaker": "附近公共候选能服务的少得多", "public_too_near": "公共候选距入选站过近", "public_too_dear": "公共候选投资过高或超出预算",
}
"""Codes of ``choice_code``: why the owner of a proposed site is the one it is."""
DEMAND_UNIT = {"people": "人", "floor_area_m2": "平方米建筑面积", "area_m2": "平方米"}
BARRED_ZH = {"no_gain": "能服务的空洞已由入选站服务", "min_gain": "新增服务的需求太少", "too_dear": "单位新增需求的投资过高", "budget": "超出预算"}
REASON_BYTES = 254
"""Longest text of a Shapefile field, bytes of UTF-8."""
_NAME_LETTERS = 16
_LEAST_SHARE = 0.005
_LIMITS_ZH = {"spacing": "(但距入选站过近)", "venue": "(但同一场所已选)", "min_gain": "(但新增服务的需求太少)",
              "too_dear": "(但单位新增需求的投资过高)", "budget": "(但超出预算)"}


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
    ``reason``, ``x``, ``y``; a tree of places for each, None where there are none.
    """

    selection: Selection
    sites: pd.DataFrame
    column: Mapping[str, int]
    tier: np.ndarray
    public: np.ndarray
    tree: cKDTree | None
    refused: pd.DataFrame
    refused_tree: cKDTree | None

    def near(self, site: str, wanted: np.ndarray) -> np.ndarray:
        """Columns of the wanted candidates within ``NEARBY_M`` of a chosen site, ascending."""
        found = _within(self.tree, self.selection.xy[self.column[site]])
        return found[wanted[found]]

    def refused_near(self, site: str) -> pd.DataFrame:
        """Refused public sites within ``NEARBY_M`` of a chosen site, best first."""
        return self.refused.iloc[_within(self.refused_tree, self.selection.xy[self.column[site]])]


def _tree(xy: np.ndarray) -> cKDTree | None:
    return cKDTree(xy) if len(xy) else None


def _within(tree: cKDTree | None, here: np.ndarray) -> np.ndarray:
    """Numbers of the places within ``NEARBY_M``, ascending."""
    found = [] if tree is None else tree.query_ball_point(here, NEARBY_M, return_sorted=True)
    return np.asarray(found, dtype=np.int64)


def _around(sites: pd.DataFrame, selection: Selection) -> _Around:
    """Column numbers, tiers, trees of places and refused sites, each made once for all chosen sites."""
    asked = pd.DataFrame(sites)[[name for name in ("tier", "must_open") if name in sites]]
    asked = asked.loc[list(selection.candidate_ids)]
    refused = _refused_public(sites)
    return _Around(selection, sites, {site: number for number, site in enumerate(selection.candidate_ids)},
                   asked["tier"].to_numpy(), is_public(asked), _tree(selection.xy),
                   refused, _tree(refused[["x", "y"]].to_numpy(dtype=float)))


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
    reason, other = selection.barred.get(site, ("", ""))
    if reason == "spacing":
        return f"备选:距入选站 {other} 过近"
    if reason == "venue":
        return f"备选:同一场所已选 {other}"
    return f"备选:{BARRED_ZH[reason]}" if reason else "备选:新增服务量(按优先级加权)不及入选站址"


def _rival(selection: Selection, near: np.ndarray, new: np.ndarray) -> tuple[float, str]:
    """The greatest share of the new weight that one of these candidates serves, and which one."""
    weight = np.zeros(len(selection.weight))
    weight[new] = selection.weight[new]
    if not len(near) or not weight.any():
        return 0.0, ""
    served = selection.reach[:, near].T @ weight
    best = int(served.argmax())
    return float(served[best] / weight.sum()), selection.candidate_ids[near[best]]


def _private_reason(site: str, number: int, new: np.ndarray, around: _Around) -> tuple[str, str]:
    """Code and sentence on why the site chosen after ``number`` others is a private one."""
    selection, near = around.selection, around.near(site, around.public)
    if not len(near):
        refused = around.refused_near(site)
        if refused.empty:
            return "no_public_near", f"{NEARBY_M:g}米内没有公共场所、杆塔候选"
        return "public_refused", (f"{NEARBY_M:g}米内公共场所、杆塔{len(refused)}处均不可用,最优的 "
                                  f"{_label(around.sites, str(refused.index[0]))}:{refused['reason'].iloc[0]}")
    share, rival = _rival(selection, near, new)
    if share < _LEAST_SHARE:
        return "public_weaker", f"{NEARBY_M:g}米内{len(near)}处公共候选都不能服务这些需求"
    early = selection.barred_after.get(rival, number + 1) <= number
    barred, other = selection.barred[rival] if early else ("", "")
    told = f"公共候选 {_label(around.sites, rival)}"
    if share >= RIVAL_SHARE * (1 - 1e-9):
        if barred in ("spacing", "venue"):
            why = "同一场所已选 " if barred == "venue" else "距入选站过近:"
            return "public_too_near", f"{told} 能服务其中{share:.0%},但{why}{_label(around.sites, other)}"
        if barred in ("too_dear", "budget"):
            return "public_too_dear", f"{told} 能服务其中{share:.0%},但{BARRED_ZH[barred]}"
    return "public_weaker", f"{told} 最多能服务其中{share:.0%}" + _LIMITS_ZH.get(barred, "")


def _public_reason(site: str, number: int, new: np.ndarray, around: _Around) -> str:
    """How much of the new weight a candidate of a better tier would serve, what barred it; empty for the best tier."""
    selection, tier = around.selection, int(around.sites.at[site, "tier"])
    if tier <= 1:
        return ""
    share, rival = _rival(selection, around.near(site, (around.tier >= 1) & (around.tier < tier)), new)
    if share < _LEAST_SHARE:
        return f"{NEARBY_M:g}米内没有更优层级的候选能服务这些需求"
    early = selection.barred_after.get(rival, number + 1) <= number
    limit = _LIMITS_ZH.get(selection.barred[rival][0], "") if early else ""
    return f"更优层级的 {_label(around.sites, rival)} 最多能服务其中{share:.0%}{limit}"


def _owner_words(row: pd.Series) -> str:
    """Duty, department and owner of a site, as far as the table tells."""
    duty = "须免费开放" if row.get("must_be_free", False) else "应开放" if row.get("must_open", False) else ""
    department, owner = str(row.get("department", "") or ""), str(row.get("owner", "") or "")
    answers = department if not department or department.startswith("无") else f"主管{department}"
    return ",".join(part for part in (duty, answers, f"权属{owner[:_NAME_LETTERS]}" if owner else "权属待查") if part)


def explain_choice(sites: pd.DataFrame, selection: Selection, demand: np.ndarray, kind: str) -> pd.DataFrame:
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

    Returns
    -------
    DataFrame
        Index: the chosen sites in the order of choice. ``rank_no, gain, gain_demand, gain_share``; ``choice_code``
        (see ``CHOICE_ZH``); ``choice_text``: the whole explanation; ``reason``: the same, cut to ``REASON_BYTES``.
    """
    total, news, unit = float(selection.weight.sum()), new_cells(selection), DEMAND_UNIT[kind]
    around, rows = _around(sites, selection), []
    for number, (site, new, gain) in enumerate(zip(selection.site_ids, news, selection.gains, strict=True)):
        row, plain = sites.loc[site], float(demand[new].sum())
        share = float(gain) / total if total > 0 else 0.0
        there = f"第{number + 1}位:{row['tier_name']};新增服务{plain:.0f}{unit},加权{gain:.0f}(占空洞{share:.1%})"
        if around.public[around.column[site]]:
            code, why = "public", _public_reason(site, number, new, around)
        else:
            code, why = _private_reason(site, number, new, around)
        only = next((part for part in str(row.get("evidence", "")).split(";") if part.startswith("仅服务")), "")
        text = ";".join(part for part in (there, only, _owner_words(row), why) if part)
        rows.append((number + 1, round(float(gain), 3), round(plain, 3), share, code, text, fit(text)))
    return pd.DataFrame(rows, index=pd.Index(list(selection.site_ids), dtype="str", name=sites.index.name), columns=[
        "rank_no", "gain", "gain_demand", "gain_share", "choice_code", "choice_text", "reason"])


def mark_proposed(sites: gpd.GeoDataFrame, selection: Selection, demand: np.ndarray, kind: str,
                  networks: str) -> gpd.GeoDataFrame:
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

    Returns
    -------
    GeoDataFrame
        ``status, rank_no, gain, gain_demand, gain_share, networks, reason`` filled in, and ``choice_code`` and
        ``choice_text`` where the table has them; every open candidate that was not chosen says why.
    """
    chosen, told = list(selection.site_ids), explain_choice(sites, selection, demand, kind)
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
