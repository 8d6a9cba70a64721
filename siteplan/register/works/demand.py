"""What each building project and the operators should know of each other (联合报装): sites, fibre, power, duty."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from typing import Any, NamedTuple

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely

from siteplan.gaps.buildings.building_duty import DUTY_ZH, building_duty
from siteplan.gaps.buildings.building_standard import load_building_standard
from siteplan.register.dictionary import word_of
from siteplan.register.works.matching import current_links, match_works, waiting_sites
from siteplan.register.works.pairs import mended, placed, sites_beside
from siteplan.register.works.rates import JointWorks, load_joint_works
from siteplan.register.works.windows import Window, open_works, window_columns, window_words

DEMAND_COLUMNS = (
    "work_no", "project", "works_owner", "kind", "kind_zh", "window_start", "window_end", "window", "join", "file_by",
    "floor_area_m2", "use", "duty", "duty_zh", "clause", "duty_reason", "filing", "sites", "site_ids", "site_names",
    "operators", "existing_sites", "fibre_m", "power_kw", "gap_ids", "gap_known", "to_operators", "to_project")
PLOT_NOTE = ";标准按单体建筑面积计,地块请逐栋核对"
_COUNTS = ("sites", "existing_sites")
_REALS = ("floor_area_m2", "fibre_m", "power_kw")
_DAYS = ("window_start", "window_end", "file_by")


class _Asked(NamedTuple):
    """What the sites at one project need."""

    ids: list[str]
    names: list[str]
    operators: list[str]
    fibre_m: float
    power_kw: float


def demand_list(works: gpd.GeoDataFrame, sites: gpd.GeoDataFrame, links: gpd.GeoDataFrame | None, as_of: dt.date, *,
                settings: JointWorks | None = None, decided: pd.DataFrame | None = None,
                gap_areas: gpd.GeoDataFrame | None = None, matches: pd.DataFrame | None = None) -> pd.DataFrame:
    """A line for every building project that is current and not finished: also for those at which no site is planned.

    Parameters
    ----------
    works, sites, links : GeoDataFrame
        Tables of a register, in one projected CRS.
    as_of : date
    settings, decided
        As in :func:`~siteplan.register.works.match_works`.
    gap_areas : GeoDataFrame, optional
        Areas that lack coverage, their index the ids; without them ``gap_known`` is False.
    matches : DataFrame, optional
        Of ``match_works`` with the same tables, day and settings; made when absent.

    Returns
    -------
    DataFrame
        Index ``work_id``, by latest day of the request: the columns `DEMAND_COLUMNS`. ``duty`` must | should | none |
        unknown after GB 51456-2023 (from use, floor area, storeys, seats), ``clause``, ``duty_reason``; ``filing`` as
        the list has it; ``sites``, ``site_ids``, ``site_names``, ``operators`` of the planned sites at the project;
        ``existing_sites`` on air there; ``fibre_m``: length of the links of those sites (NaN = not known);
        ``power_kw``: power they need, an estimate (NaN = no site); ``gap_ids`` of gap areas at the project;
        ``to_operators`` and ``to_project``: what each side should be told, Chinese.

    Raises
    ------
    ModelError
        The tables are not in one CRS.
    """
    rules = settings or load_joint_works()
    if matches is None:
        matches = match_works(sites, links, works, as_of, rules, decided=decided)
    windows = open_works(works, as_of, rules)
    projects = works.loc[[key for key in windows if works.at[key, "kind"] in rules.match.demand_kinds]]
    asked = _asked(matches[matches["work_id"].isin(projects.index)], sites, links, rules)
    gaps = _at_projects(projects, gap_areas, rules)
    on_air = sites[sites["state"] == "on_air"]
    there = _existing(projects, on_air[placed(on_air)], rules)
    rows = []
    listed = pd.DataFrame(projects.drop(columns=projects.geometry.name)).to_dict("records")
    for key, row, duty in zip(projects.index.astype("str"), listed, _duty(projects).to_dict("records"), strict=True):
        needs = asked.get(key, _Asked([], [], [], np.nan, np.nan))
        told = _project_facts(row, duty, windows[key]) | {
            "sites": len(needs.ids), "site_ids": "|".join(needs.ids), "site_names": "、".join(needs.names),
            "operators": "、".join(needs.operators), "existing_sites": there.get(key, 0),
            "fibre_m": needs.fibre_m, "power_kw": needs.power_kw, "gap_ids": "|".join(gaps.get(key, [])),
            "gap_known": gap_areas is not None}
        rows.append({**told, "to_operators": _to_operators(told), "to_project": _to_project(told)})
    out = pd.DataFrame(rows, columns=list(DEMAND_COLUMNS), index=pd.Index(projects.index, dtype="str", name="work_id"))
    out = out.assign(**window_columns([windows[str(key)] for key in projects.index]))
    return out.astype({"gap_known": "bool", **dict.fromkeys(_COUNTS, "int64"), **dict.fromkeys(_REALS, "float64"), **{
        name: "str" for name in DEMAND_COLUMNS if name not in (*_COUNTS, *_REALS, *_DAYS, "gap_known")}}).sort_values(
            ["file_by", "work_id"], kind="stable", na_position="last")


def _project_facts(row: Mapping[str, Any], duty: Mapping[str, Any], window: Window) -> dict[str, Any]:
    """What the works list and the standard say of a project."""
    return {
        "work_no": _text(row, "work_no"), "project": _text(row, "name"), "works_owner": _text(row, "works_owner"),
        "kind": row["kind"], "kind_zh": word_of("works", "kind", row["kind"]),
        "window": window_words(window.start, window.end), "join": window.join, "file_by": window.file_by,
        "floor_area_m2": row.get("floor_area_m2", np.nan), "use": _text(row, "use"), "duty": duty["duty"],
        "duty_zh": DUTY_ZH[duty["duty"]], "clause": duty["clause"], "filing": _text(row, "filing"),
        "duty_reason": duty["reason"] + (PLOT_NOTE if row["kind"] == "land" else "")}


def _text(row: Mapping[str, Any], name: str) -> str:
    value = row.get(name)
    return value if isinstance(value, str) else ""


def _duty(projects: gpd.GeoDataFrame) -> pd.DataFrame:
    """Duty of the projects; a drawing is the footprint only where the storeys are known, else it may be the plot."""
    held = [name for name in ("name", "use", "floor_area_m2", "storeys", "seats") if name in projects]
    shapes = projects.geometry.to_numpy().copy()
    storeys = projects["storeys"].notna().to_numpy() if "storeys" in projects else np.zeros(len(projects), bool)
    shapes[(shapely.get_dimensions(shapes) < 2) | ~storeys | (projects["kind"] != "building").to_numpy()] = None
    return building_duty(gpd.GeoDataFrame(projects[held], geometry=gpd.GeoSeries(
        shapes, index=projects.index, crs=projects.crs)))


def _asked(matches: pd.DataFrame, sites: gpd.GeoDataFrame, links: gpd.GeoDataFrame | None, rules: JointWorks,
           ) -> dict[str, _Asked]:
    """What the planned sites at each project need."""
    if not len(matches):
        return {}
    own = current_links(links, waiting_sites(sites))
    length = own["length_m"].astype("float64") if "length_m" in own else pd.Series(np.nan, own.index)
    metres = length.where(length.notna(), own.geometry.length).groupby(own["site_id"]).sum()
    at: dict[str, set[str]] = {}
    for work, site in zip(matches["work_id"], matches["site_id"], strict=True):
        at.setdefault(str(work), set()).add(str(site))
    held = sites.loc[sorted({key for keys in at.values() for key in keys})]
    name, operators, power, fibre = (column.to_dict() for column in (
        held["name"], _operators(held), _power_kw(held, rules), metres.reindex(held.index)))
    out = {}
    for work, keys in at.items():
        ids = sorted(keys)
        known = [fibre[key] for key in ids if fibre[key] == fibre[key]]
        out[work] = _Asked(ids, [str(name[key]) for key in ids], sorted(set().union(*(operators[key] for key in ids))),
                           round(sum(known), 1) if known else np.nan, round(sum(power[key] for key in ids), 2))
    return out


def _operators(sites: pd.DataFrame) -> pd.Series:
    """Operators of each site: those of its networks, else the enterprise that builds it; a set of names each."""
    told = pd.Series(None, index=sites.index, dtype="object")
    for name in ("enterprise", "networks"):
        if name in sites:
            given = sites[name].astype("object")
            told = given.where(given.notna(), told)
    return told.map(_names_of)


def _names_of(networks: object) -> set[str]:
    """Operators named in a list of networks; a shared network is of several, ``*`` of all.

    >>> sorted(_names_of("移动|电信&联通")), _names_of("*"), _names_of(None)
    (['电信', '移动', '联通'], {'各运营商'}, set())
    """
    parts = networks.replace("&", "|").split("|") if isinstance(networks, str) else []
    return {"各运营商" if part == "*" else part for part in parts if part}


def _power_kw(sites: pd.DataFrame, rules: JointWorks) -> pd.Series:
    """Power of each site, kW: its stations by kind, with headroom; a site of unknown kind counts as a macro site."""
    kinds = sites["kind"] if "kind" in sites else pd.Series("macro", sites.index)
    each = kinds.where(kinds.isin(list(rules.power.kind_kw)), "macro").map(rules.power.kind_kw).astype("float64")
    stations = sites["station_count"].fillna(1.0).clip(lower=1.0) if "station_count" in sites else 1.0
    return each * stations * rules.power.headroom


def _at_projects(projects: gpd.GeoDataFrame, areas: gpd.GeoDataFrame | None, rules: JointWorks) -> dict[str, list[str]]:
    """Gap areas that reach into the corridor of each project."""
    there = projects[placed(projects)]
    if areas is None or not len(areas) or not len(there):
        return {}
    shapes = areas.geometry.to_numpy()
    reach = there["kind"].map({kind: rule.site_corridor_m for kind, rule in rules.kinds.items()}).to_numpy(np.float64)
    work, area = shapely.STRtree(shapes).query(mended(there.geometry.to_numpy()), predicate="dwithin", distance=reach)
    out: dict[str, list[str]] = {}
    for at, of in zip(work, area, strict=True):
        out.setdefault(str(there.index[at]), []).append(str(areas.index[of]))
    return {key: sorted(found) for key, found in out.items()}


def _existing(projects: gpd.GeoDataFrame, on_air: gpd.GeoDataFrame, rules: JointWorks) -> Mapping[str, int]:
    there = projects[placed(projects)]
    if not len(there) or not len(on_air):
        return {}
    pairs = sites_beside(on_air, there, rules)
    return pd.Series(there.index.astype("str")[pairs.work]).value_counts().to_dict()


def _to_operators(told: Mapping[str, Any]) -> str:
    """What the operators are told of a project."""
    area = told["floor_area_m2"]
    facts = [told["use"] or "用途未提供", f"建筑面积{area:.0f}平方米" if area == area and area is not None else "建筑面积未提供",
             f"窗口{told['window']}"]
    duty = f"室内覆盖基础设施{told['duty_zh']}" + (f"({told['clause']})" if told["clause"] else "")
    gap = f";附近有覆盖缺口{told['gap_ids'].replace('|', '、')}" if told["gap_ids"] else (
        "" if told["gap_known"] else ";覆盖缺口未提供")
    ask = f";项目处已规划站址{told['sites']}处" if told["sites"] else ";项目处尚无规划站址,请报需求"
    return f"{','.join(facts)};{duty}{gap}{ask}"


def _to_project(told: Mapping[str, Any]) -> str:
    """What a project is asked for."""
    asked = []
    if told["sites"]:
        fibre = "长度未知" if told["fibre_m"] != told["fibre_m"] else f"约{told['fibre_m']:.0f}米"
        asked.append(f"预留站址{told['sites']}处({told['site_names']}),光缆接入{fibre},用电约{told['power_kw']:g}千瓦(估算),联合报装")
    if told["duty"] in ("must", "should"):
        asked.append(f"{told['duty_zh']}{load_building_standard().limits.room_zh}({told['clause']})")
    elif told["duty"] == "unknown":
        asked.append("请提供建筑用途、面积、层数,以判定室内覆盖配建要求")
    if not asked:
        return "暂无要求"
    by = told["file_by"]
    when = "来不及同步实施,另行协商" if told["join"] == "too_late" else "请告知开工、完工日期" if by is None else (
        f"请于{by:%Y-%m-%d}前(含当日)落实到设计")
    return f"{';'.join(asked)};{when}"
