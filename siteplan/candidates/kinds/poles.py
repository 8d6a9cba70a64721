"""Poles of lamps, signals, cameras and signs as micro candidates: 多杆合一, height and load, owner, lease."""

from __future__ import annotations

from collections.abc import Callable

import geopandas as gpd
import numpy as np
import pandas as pd

from siteplan.candidates.context import CandidateContext, load_mounts
from siteplan.candidates.kinds.origins import Fact, origin_words, tell_rows
from siteplan.candidates.kinds.pole_groups import (
    USUAL_KIND,
    best_first,
    describe_groups,
    kinds_of,
    load_pole_kinds,
    merge_poles,
    of_kind,
)
from siteplan.candidates.kinds.pole_leases import LEASE_UNUSED, lease_state, tell_leases
from siteplan.candidates.table import empty_sites, site_ids, sites_table, text
from siteplan.params import CandidateParams

OWN_CODES = frozenset({"pole_kind", "pole_height", "pole_load", "no_gap"})
"""Reasons for which a pole carries no site and is still merged into one that does; for others it stays alone."""


def _spare_kg(poles: gpd.GeoDataFrame) -> pd.Series:
    """Load that a pole still takes, kg, NaN where its limit is unknown; an unknown load counts as none."""
    return poles["max_load_kg"].astype("float64") - poles["load_kg"].astype("float64").fillna(0.0)


def pole_refusals(poles: gpd.GeoDataFrame, params: CandidateParams) -> pd.DataFrame:
    """Poles that take no equipment: by their kind, their height, their load.

    Parameters
    ----------
    poles : GeoDataFrame
        Rows of the poles layer.
    params : CandidateParams
        ``pole_min_height_m``; ``pole_equipment_kg``: ``max_load_kg - load_kg`` must reach it. Where the greatest load
        is unknown it is taken as enough.

    Returns
    -------
    DataFrame
        On the poles' index: ``refusal_code`` (``pole_kind, pole_height, pole_load`` joined by ``|``, "" = none),
        ``reason`` (sentences joined by ``;``).
    """
    spare, height_m, kinds = _spare_kg(poles).to_numpy(), poles["height_m"].to_numpy(dtype="float64"), kinds_of(poles)
    least_m, need = params.pole_min_height_m, params.pole_equipment_kg
    low = [f"杆高{metres:g}米,低于{least_m:g}米" for metres in height_m[height_m < least_m]]
    loaded = [f"荷载余量{kg:g}公斤,不足设备的{need:g}公斤" for kg in spare[spare < need]]
    barred = ~of_kind(kinds, "takes_equipment")
    codes, reasons = np.full(len(poles), "", dtype=object), np.full(len(poles), "", dtype=object)
    for name, where, words in (("pole_kind", barred, of_kind(kinds, "why")[barred]),
                               ("pole_height", height_m < least_m, low), ("pole_load", spare < need, loaded)):
        found = np.flatnonzero(where)
        codes[found] = [f"{old}|{name}" if old else name for old in codes[found]]
        reasons[found] = [f"{old};{new}" if old else new for old, new in zip(reasons[found], words, strict=True)]
    return pd.DataFrame({"refusal_code": codes, "reason": reasons}, index=poles.index, dtype="str")


def _departments(poles: gpd.GeoDataFrame, context: CandidateContext) -> pd.Series:
    """Chinese name of the department that answers for each pole, by its kind."""
    names = {name: context.venues.department_name(kind.venue_class) for name, kind in load_pole_kinds().items()}
    return pd.Series(of_kind(kinds_of(poles), names), index=poles.index, dtype="str")


def _tell(poles: gpd.GeoDataFrame, departments: pd.Series, context: CandidateContext) -> None:
    """Ledger lines on what is assumed of poles: kind, load, who answers; and on their leases."""
    table, params, ledger = load_pole_kinds(), context.params, context.ledger
    kinds, spare = kinds_of(poles), _spare_kg(poles)
    no_kind = poles[(text(poles["kind"]) == "").to_numpy()]
    tell_rows(ledger, "poles", no_kind, Fact("kind", "assumed", f"没有填杆类型,按{table[USUAL_KIND].zh}", "补填杆类型"))
    unknown = spare.isna().to_numpy() & of_kind(kinds, "takes_equipment")
    doubtful = int((unknown & (of_kind(kinds, "spare_load_kg") < params.pole_equipment_kg)).sum())
    also = f";其中 {doubtful} 根的杆类型通常余量不足{params.pole_equipment_kg:g}公斤" if doubtful else ""
    tell_rows(ledger, "poles", poles[unknown], Fact(
        "max_load_kg", "assumed", f"没有填允许荷载,按够挂设备计算{also}", "选用前核算荷载,补填允许荷载和已挂载重量"))
    tell_rows(ledger, "poles", poles[(spare < 0).to_numpy()], Fact(
        "load_kg", "note", "已挂载重量超过允许荷载", "核对重量,核查该杆安全"))
    no_owner = (text(poles["owner"]) == "").to_numpy()
    for name in sorted(kinds[no_owner].unique()):
        rows = poles[no_owner & (kinds == name).to_numpy()]
        tell_rows(ledger, "poles", rows, Fact(
            "owner", "assumed", f"没有填权属单位,按{table[name].zh}通常的主管部门:{departments[rows.index[0]]}", "补填权属单位"))
    tell_leases(poles, context.as_of, ledger)


def _worded(numbers: pd.Series, say: Callable[[float], str]) -> np.ndarray:
    """Words for numbers of which many are alike."""
    values, place = np.unique(numbers.to_numpy(dtype="float64"), return_inverse=True)
    return np.array([say(float(value)) for value in values], dtype=object)[place]


def _evidence(heads: gpd.GeoDataFrame, lease: pd.DataFrame, judged: bool) -> pd.Series:
    """Facts that each candidate rests on, joined by ``;``."""
    table, kinds, spare = load_pole_kinds(), kinds_of(heads), _spare_kg(heads)
    raised = {name: load_mounts()[kind.mount].raise_m for name, kind in table.items()}
    kind_words = np.where(text(heads["kind"]) != "", of_kind(kinds, {n: f"杆类型:{kind.zh}" for n, kind in table.items()}),
                          f"杆类型未填,按{table[USUAL_KIND].zh}")
    high = _worded(heads["height_m"], lambda metres: f"杆高{metres:g}米")
    top = of_kind(kinds, {name: f",天线在杆顶{'下' if m < 0 else '上'}{abs(m):g}米" for name, m in raised.items()})
    loads = _worded(spare, lambda kg: "荷载未知,按够用" if np.isnan(kg) else f"荷载余量{kg:g}公斤")
    owner = np.where(text(heads["owner"]) != "", "权属单位据图层,主管部门按杆类型", "权属单位未填,主管部门按杆类型")
    power = heads["has_power"].astype("boolean")
    powered = np.select([power.fillna(False), ~power.fillna(True)], ["已通电", "未通电"], "通电情况未填")
    since = np.where(lease["age_unknown"], "已租未安装,租用日期未填" if judged else "已租未安装,没有判定日",
                     _worded(lease["days"], lambda days: "" if np.isnan(days) else f"已租{days:.0f}天未安装"))
    origin = origin_words("poles", heads).to_numpy(dtype=object)
    columns = (origin, kind_words, high + top, loads, powered, owner, since)
    texts = [";".join(filter(None, parts)) for parts in zip(*(column.tolist() for column in columns), strict=True)]
    return pd.Series(texts, index=heads.index, dtype="str")


def offered(context: CandidateContext) -> gpd.GeoDataFrame:
    """Every pole as a micro candidate, also where several stand close together; see :func:`merged`.

    Candidates that take no equipment are there, refused (:func:`pole_refusals`). A lease that is not used sets the flag
    ``lease_unused`` and refuses nothing.

    Parameters
    ----------
    context : CandidateContext
        ``tables["poles"]``, ``params``, ``venues``, ``equipment``, ``as_of``; the ledger takes what is assumed.

    Returns
    -------
    GeoDataFrame
        Sites table, sorted by pole id. The class follows from the kind of pole (``tables/poles.toml``). ``address`` is
        the road; ``power_m`` is 0 where the layer says that the pole has power.
    """
    poles = context.tables["poles"].sort_index()
    if poles.empty:
        return empty_sites(poles.crs)
    params, table = context.params, load_pole_kinds()
    departments = _departments(poles, context)
    _tell(poles[poles["inside"].astype("boolean").fillna(True).to_numpy(dtype=bool)], departments, context)
    kinds, refused = kinds_of(poles), pole_refusals(poles, params)
    lease = lease_state(poles, params, context.as_of)
    mounts = {name: load_mounts()[kind.mount] for name, kind in table.items()}
    raise_m, least_m = (of_kind(kinds, {name: getattr(mount, field) for name, mount in mounts.items()})
                        for field in ("raise_m", "min_antenna_m"))
    road, zh = text(poles["road"]), pd.Series(of_kind(kinds, "zh"), index=poles.index, dtype="str")
    traits = context.class_columns(pd.Series(of_kind(kinds, "venue_class"), index=poles.index, dtype="str"))
    rows = traits.assign(
        name=(road + " ").where(road != "", "") + zh + " " + poles.index.astype("str"),
        kind="micro", source="pole", source_id=poles.index, build="share", opens="pole",
        status=np.where(refused["refusal_code"] != "", "refused", "candidate"),
        refusal_code=refused["refusal_code"], reason=refused["reason"],
        owner=text(poles["owner"]), address=road, department=departments, lessee=text(poles["lessee"]),
        town=text(poles["town"]), mount=of_kind(kinds, "mount"),
        antenna_height_m=np.maximum(poles["height_m"].to_numpy(dtype="float64") + raise_m, least_m),
        power_m=np.where(poles["has_power"].astype("boolean").fillna(False), 0.0, np.nan),
        flags=np.where(lease["unused"], LEASE_UNUSED, ""),
        evidence=_evidence(poles, lease, context.as_of is not None))
    rows.index = site_ids("pole", poles.index)
    return sites_table(rows, gpd.GeoSeries(poles.geometry.to_numpy(), crs=poles.crs))


def _stand_alone(codes: pd.Series) -> pd.Series:
    """Whether a pole is refused for more than what it is: for its place, or by a decision."""
    return codes.map({cell: not OWN_CODES.issuperset(cell.split("|") if cell else ()) for cell in codes.unique()})


def merged(sites: gpd.GeoDataFrame, context: CandidateContext) -> gpd.GeoDataFrame:
    """多杆合一: poles nearer than ``pole_merge_m`` to a better one become one candidate (:func:`merge_poles`).

    To be called after the rules of place, so that the chosen pole is one that may be used. A pole that is refused for
    its place or by a decision stays a row of its own, and so does one that a meeting moved; one that is too low or too
    weak, or without a gap around, is merged into a usable one.

    Parameters
    ----------
    sites : GeoDataFrame
        The sites table; rows of source ``pole`` are looked at.
    context : CandidateContext

    Returns
    -------
    GeoDataFrame
        The table without the poles that are merged into others: these are named in ``members`` of the chosen pole,
        itself first, and in its evidence. ``power_m`` is 0 where one of them has power.
    """
    mine = (sites["source"] == "pole").to_numpy(dtype=bool)
    if not mine.any():
        return sites
    rows = sites[mine].set_index("source_id")
    poles = context.tables["poles"].loc[rows.index].set_geometry(rows.geometry)  # a moved one where it stands now
    distance_m, moved = context.params.pole_merge_m, rows["moved_m"] > 0
    codes = rows["refusal_code"]
    barred = (rows["status"] != "candidate").astype("int64") + (~codes.isin(["", "no_gap"])).astype("int64")
    groups = merge_poles(poles, distance_m, barred, _stand_alone(codes) | moved)
    found = describe_groups(poles, groups, rows["owner"].where(rows["owner"] != "", rows["department"]), distance_m)
    if found.empty:
        return sites
    powered = groups["merged_into"][(rows["power_m"] == 0.0).reindex(groups.index).to_numpy()]
    kept = ~sites["source_id"].isin(groups.index[groups["merged_into"] != groups.index]).to_numpy() | ~mine
    table = sites[kept]
    own = table["source_id"].where(table["source"] == "pole", "")
    heads = own.isin(found.index)
    words = own.map(found["words"]).where(heads, "")
    return table.assign(
        members=own.map(found["members"]).where(heads, table["members"]).astype("str"),
        evidence=(table["evidence"] + (";" + words).where(heads, "")).astype("str"),
        power_m=table["power_m"].mask(heads & own.isin(powered), 0.0))


def propose(context: CandidateContext) -> gpd.GeoDataFrame:
    """Poles as micro candidates before the rules of place, one for each group of merged poles."""
    return merged(offered(context), context)


def thinning_order(context: CandidateContext, sites: gpd.GeoDataFrame) -> np.ndarray:
    """Row numbers of the pole candidates ``sites``, best first: with power, not leased, by kind, higher, by id."""
    return best_first(context.tables["poles"].loc[sites["source_id"].to_numpy()], kind_first=False)
