"""The certificate held against the deliverables beside it: the same sites, places, costs, years, and numbers."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd
import pyogrio

from siteplan.errors import Problem
from siteplan.verify._check import STATUS_ZH, CertificateError, Check, figure, figures, near, percents
from siteplan.verify._header import is_number
from siteplan.verify._limits import totals
from siteplan.verify._problem import Case
from siteplan.verify._read import AGAIN, read_json
from siteplan.verify._recount import gains
from siteplan.verify._settings import price_check, radio_check, settings_check
from siteplan.verify._site_rows import (
    PLACE_TOLERANCE_M,
    certified,
    certified_check,
    layer_check,
    listed,
    missing_rows,
    numbers,
    placed,
    plan_check,
    shapefile_check,
    site_fields,
)

COST_TOLERANCE_YUAN = 0.51
"""Costs stand in the site layer to the yuan."""
GAIN_TOLERANCE = 2e-3
"""Gains stand in ``plan.json`` to three decimals."""
_OPEN = ("candidate", "proposed")
_YEAR = ("build_year", "year", "phase_year")
_NAMED = 5
_WITHIN = ("site_id", "status", "source", "spacing_m", "cost_yuan", "rank_no", "year", "phase_year")
CLAIMS = {"status": ("status", "状态"), "value": ("value", "目标值"), "upper_bound": ("bound", "上界"),
          "optimality_gap": ("gap", "间隙"), "covered": ("served_weight", "入选站址服务的权重"),
          "total_weight": ("total_weight", "全部需求权重")}
"""What ``plan.json`` says under ``bound``, the same in ``certificate.json``, and the word for it."""


@dataclass(frozen=True, eq=False)
class Deliverables:
    """``plan.json``, the proposed and all sites, sectors, the Shapefile (None without a file)."""

    plan: dict[str, Any]
    sites: gpd.GeoDataFrame
    all_sites: gpd.GeoDataFrame
    servers: pd.DataFrame | None
    shapefile: gpd.GeoDataFrame | None


def read_deliverables(folder: Path) -> Deliverables:
    """Read the deliverables that a certificate is held against.

    Raises
    ------
    CertificateError
        A file is missing, damaged or of another structure; every problem is listed.
    """
    problems: list[Problem] = []
    plan = read_json(folder / "plan.json", problems)
    if plan:
        problems += [Problem("成果", str(folder / "plan.json"), "", name, "缺少,或类型不对", AGAIN)
                     for name, kind in (("study", dict), ("sites", list), ("bound", dict))
                     if not isinstance(plan.get(name), kind)]
        problems += [Problem("成果", str(folder / "plan.json"), str(row), name, "缺少,或类型不对", AGAIN)
                     for row, name in _site_faults(plan.get("sites"))]
    tables = {name: _read_layer(folder / name, problems) for name in ("sites.gpkg", "candidates.gpkg")}
    servers = _read_servers(folder / "servers.csv", problems)
    if problems:
        raise CertificateError("成果文件不完整或已损坏,不能复核", problems)
    return Deliverables(plan, tables["sites.gpkg"], tables["candidates.gpkg"], servers,
                        _read_shapefile(folder / "shp" / "sites.shp"))


def _site_faults(sites: Any) -> Iterator[tuple[int, str]]:
    for row, site in enumerate(sites if isinstance(sites, list) else ()):
        if not isinstance(site, dict) or not isinstance(site.get("site_id"), str):
            yield row, "site_id"
            continue
        yield from ((row, name) for name in ("x", "y", "cost_yuan", "gain", "rank_no") if not is_number(site.get(name)))


def _read_layer(path: Path, problems: list[Problem]) -> gpd.GeoDataFrame:
    wanted = list(dict.fromkeys([*_WITHIN, *site_fields()]))
    try:
        if not path.is_file():
            raise FileNotFoundError("文件不存在")
        table = gpd.read_file(path, layer="sites", columns=wanted)
    except (pyogrio.errors.DataSourceError, pyogrio.errors.DataLayerError, OSError, ValueError, RuntimeError) as error:
        problems.append(Problem("成果", str(path), "sites", "", f"不能读取:{error}", AGAIN))
        return gpd.GeoDataFrame()
    needed = ["site_id", "cost_yuan", *(["status"] if path.name == "candidates.gpkg" else [])]
    missing = [name for name in needed if name not in table]
    if missing or not isinstance(table, gpd.GeoDataFrame):
        problems += [Problem("成果", str(path), "sites", name, "缺少这个字段", AGAIN) for name in missing or ["geometry"]]
        return gpd.GeoDataFrame()
    table.index = pd.Index(table["site_id"].astype("str"))
    twice = table.index[table.index.duplicated()].unique()
    if len(twice):
        problems.append(Problem("成果", str(path), "sites", "site_id", f"编号重复:{'、'.join(twice[:_NAMED])}", AGAIN))
    return table


def _read_shapefile(path: Path) -> gpd.GeoDataFrame | None:
    if not path.is_file():
        return None
    try:
        return gpd.read_file(path)
    except (pyogrio.errors.DataSourceError, pyogrio.errors.DataLayerError, OSError, ValueError, RuntimeError):
        return None  # told by its check


def _read_servers(path: Path, problems: list[Problem]) -> pd.DataFrame | None:
    if not path.is_file():
        return None
    try:
        table = pd.read_csv(path, dtype="str", keep_default_na=False, encoding="utf-8-sig")
    except (OSError, ValueError) as error:
        problems.append(Problem("成果", str(path), "", "", f"不能读取:{error}", AGAIN))
        return None
    return table


def table_checks(case: Case, found: Deliverables) -> list[Check]:
    """Checks of the certificate against the tables beside it."""
    chosen = case.papers.candidates.iloc[case.papers.chosen].set_index("site_id")
    plan = pd.DataFrame.from_records(found.plan["sites"])
    plan = plan.set_index("site_id") if len(plan) else pd.DataFrame(
        {name: pd.Series(dtype="float64") for name in ("x", "y", "cost_yuan", "rank_no")})
    years = bool(case.papers.years)
    asked = [check for check in (price_check(case, found.plan), radio_check(case.papers.folder, found.plan))
             if check is not None]
    sites, layer = placed(found.sites), placed(found.all_sites)
    everything = certified(case.papers.candidates, years=years)
    own = everything.loc[chosen.index].assign(gain=pd.Series(gains(case), dtype="float64"))
    return [_study(case, found), _same_sites("sites_plan", "入选站址与 plan.json 一致", chosen, plan, years=years),
            _same_sites("sites_layer", "入选站址与 sites.gpkg 一致", chosen, sites, years=years),
            certified_check("sites_certified", "sites.gpkg 各站的归属、基站数、投资和新增服务与证书一致", own, sites),
            plan_check(sites, plan), shapefile_check(sites, found.shapefile), _all_candidates(case, found),
            certified_check("candidate_facts", "候选站址的位置、投资和归属与 candidates.gpkg 一致", everything, layer),
            layer_check(sites, layer), _servers(case, found), _counts(case, found), settings_check(case, found.plan),
            *asked, _claims(case, found)]


def _study(case: Case, found: Deliverables) -> Check:
    facts, study = case.papers.facts, found.plan["study"]
    same = (facts["study"], facts["study_sha256"]) == (study.get("name"), study.get("sha256"))
    return Check("study", "证书与成果是同一研究", same, f"{study.get('name')} {str(study.get('sha256'))[:12]}",
                 f"{facts['study']} {facts['study_sha256'][:12]}")


def _same_sites(key: str, zh: str, chosen: pd.DataFrame, other: pd.DataFrame, *, years: bool) -> Check:
    """Whether a table has the chosen sites: ids, places, cost, rank and year."""
    told = missing_rows(chosen.index, other.index)
    both = chosen.index.intersection(other.index)
    here, there = chosen.loc[both], other.loc[both]
    apart = np.hypot(here["x"] - numbers(there, "x"), here["y"] - numbers(there, "y"))
    wrong = {"位置": ~(apart <= PLACE_TOLERANCE_M),
             "投资": ~((here["cost_yuan"] - numbers(there, "cost_yuan")).abs() <= COST_TOLERANCE_YUAN)}
    if "rank_no" in there:
        wrong["名次"] = here["rank_no"] != numbers(there, "rank_no")
    if years:
        name = next((name for name in _YEAR if name in there), "")
        wrong["年度"] = here["year"] != numbers(there, name) if name else pd.Series(True, index=both)
    told += [f"{word}不一致:{listed(both[bad.to_numpy()])}" for word, bad in wrong.items() if bad.any()]
    return Check(key, zh, not told, f"{len(other)} 处", f"{len(chosen)} 处", ";".join(told))


def _all_candidates(case: Case, found: Deliverables) -> Check:
    """No site that the candidate layer calls open may be missing: the bound would not be about it."""
    table = found.all_sites
    open_ = table.index[table["status"].isin(_OPEN)]
    proposed = table.index[table["status"] == "proposed"]
    known = pd.Index(case.papers.candidates["site_id"])
    chosen = known[case.papers.chosen]
    told = [f"证书缺 {listed(lost)}" for lost in [open_.difference(known)] if len(lost)]
    usable = known[(case.papers.candidates["state"] != "barred").to_numpy()]
    told += [f"候选图层没有 {listed(more)}" for more in [usable.difference(open_)] if len(more)]
    told += [f"证书列为不可选而候选图层可用:{listed(shut)}" for shut in [_shut_without_twin(case, open_)] if len(shut)]
    told += [f"规划站址与入选不一致:{listed(odd)}" for odd in [proposed.symmetric_difference(chosen)] if len(odd)]
    return Check("candidates_layer", "候选站址与 candidates.gpkg 一致", not told, f"{len(open_)} 处", f"{len(known)} 处",
                 ";".join(told))


def _shut_without_twin(case: Case, open_: pd.Index) -> pd.Index:
    """Open candidates that the certificate bars although no other one stands in the same place and serves the same."""
    papers = case.papers
    barred = np.flatnonzero((papers.candidates["state"] == "barred").to_numpy())
    places = papers.candidates[["x", "y"]].to_numpy(dtype=np.float64)
    served = [papers.indices[papers.indptr[number]:papers.indptr[number + 1]] for number in barred]
    alone = []
    for number, cells in zip(barred, served, strict=True):
        near = np.flatnonzero((np.abs(places - places[number]) <= PLACE_TOLERANCE_M).all(axis=1))
        same = [other for other in near if other not in barred and np.array_equal(
            papers.indices[papers.indptr[other]:papers.indptr[other + 1]], cells)]
        if not same:
            alone.append(str(papers.candidates["site_id"].iloc[number]))
    return pd.Index(alone, dtype="str").intersection(open_)


def _servers(case: Case, found: Deliverables) -> Check:
    """Sectors called planned are those of the chosen sites."""
    zh, table = "规划扇区都属于入选站址", found.servers
    if table is None or not {"sector_id", "status"} <= set(table.columns):
        return Check("servers", zh, None, told="没有 servers.csv,或缺少字段 sector_id、status")
    planned = table.loc[table["status"] == "规划", "sector_id"].str.rsplit("-", n=1).str[0]
    chosen = case.papers.candidates["site_id"].iloc[case.papers.chosen]
    more, lost = pd.Index(planned.unique()).difference(chosen), pd.Index(chosen).difference(planned)
    told = [f"不属于入选站址:{listed(more)}"] * bool(len(more)) + [f"没有扇区:{listed(lost)}"] * bool(len(lost))
    return Check("servers", zh, not told, f"{planned.nunique()} 处", f"{len(chosen)} 处", ";".join(told))


def _counts(case: Case, found: Deliverables) -> Check:
    """Number of sites and their cost, as the indicators of the plan say them."""
    own = totals(case)
    after = found.plan.get("indicators", {})
    for key in ("after", "sites"):
        after = after.get(key, {}) if isinstance(after, Mapping) else {}
    after = after if isinstance(after, Mapping) else {}
    sites, cost = after.get("proposed"), after.get("proposed_cost_yuan")
    zh, here = "站址数和投资与指标一致", f"{own['sites']:.0f} 处、{figure(own['cost_yuan'])} 元"
    if sites is None or cost is None or not is_number(sites) or not is_number(cost):
        return Check("counts", zh, None, "", here, "plan.json 的指标中没有规划站址数或投资")
    same = sites == own["sites"] and abs(cost - own["cost_yuan"]) <= COST_TOLERANCE_YUAN * max(own["sites"], 1)
    return Check("counts", zh, bool(same), f"{sites:g} 处、{figure(cost)} 元", here)


def _claims(case: Case, found: Deliverables) -> Check:
    """What ``plan.json`` claims is what the certificate claims."""
    claimed, facts = found.plan["bound"], case.papers.facts
    told = []
    for name, (key, zh) in CLAIMS.items():
        said, known = claimed.get(name), facts.get(key)
        both = is_number(said) and is_number(known)
        same = name in claimed and (near(float(said or 0), float(known or 0)) if both else said == known)
        if not same:
            words = _said(name, said, known)
            told.append(f"{zh}:plan.json {words[0]},证书{words[1]}")
    return Check("claims", "plan.json 的覆盖、上界和间隙与证书一致", not told, f"{len(CLAIMS)} 项",
                 f"{len(CLAIMS) - len(told)} 项一致", ";".join(told))


def _said(name: str, said: Any, known: Any) -> tuple[str, str]:
    """What ``plan.json`` and the certificate say, in words."""
    if is_number(said) and is_number(known) and said is not None and known is not None:
        one, other = (percents if name == "optimality_gap" else figures)(float(said), float(known))
        return f"写 {one}", f"写 {other}"
    words = (f"写“{STATUS_ZH.get(entry, entry) if isinstance(entry, str) else figure(entry)}”"
             if isinstance(entry, str) or (is_number(entry) and entry is not None) else "没有写"
             for entry in (said, known))
    one, other = words
    return one, other
