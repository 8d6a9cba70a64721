"""Leases of public poles: leased and never used (恶意租用), and who holds how many of a street (公共杆塔资源垄断)."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping

import geopandas as gpd
import numpy as np
import pandas as pd

from siteplan.candidates.kinds.origins import Fact, tell_rows
from siteplan.candidates.table import text
from siteplan.input_ledger import InputLedger
from siteplan.params import CandidateParams

LEASE_UNUSED = "lease_unused"
"""Flag of a candidate whose pole is leased and has stood without equipment for longer than the study allows."""
NO_ROAD, NO_TOWN, NO_LESSEE = "(未填道路)", "(未知镇街)", "(未填租用单位)"
"""What stands in place of a road, a town, a lessee that is not known."""


def lease_state(poles: gpd.GeoDataFrame, params: CandidateParams, as_of: dt.date | None) -> pd.DataFrame:
    """How the lease of every pole stands on a day.

    A pole with a lessee or a lease date is leased. Its lease is *installed* (an install date, not after the day), else
    *unused* (leased for more than ``lease_unused_days``), *waiting* (for less, or from a later day on), or of *unknown
    age* (no lease date, or no day to judge on): exactly one of the four.

    Parameters
    ----------
    poles : GeoDataFrame
        Rows of the poles layer.
    params : CandidateParams
    as_of : date or None
        Without a day every install date counts, and no lease is called unused: never the computer's clock.

    Returns
    -------
    DataFrame
        On the poles' index: bool ``leased, installed, unused, waiting, age_unknown``; float ``days`` (since the lease,
        of unused leases; else NaN).
    """
    begins, installs = pd.to_datetime(poles["lease_date"]), pd.to_datetime(poles["install_date"])
    leased = (text(poles["lessee"]) != "") | begins.notna()
    installed = leased & installs.notna()
    days = pd.Series(np.nan, index=poles.index)
    if as_of is not None:
        day = pd.Timestamp(as_of)
        installed &= installs <= day
        days = (day - begins).dt.days.astype("float64")
    pending = leased & ~installed
    unused = pending & (days > params.lease_unused_days)
    return pd.DataFrame({"leased": leased, "installed": installed, "unused": unused,
                         "waiting": pending & ~unused & days.notna(), "age_unknown": pending & days.isna(),
                         "days": days.where(unused)}, index=poles.index)


def tell_leases(poles: gpd.GeoDataFrame, as_of: dt.date | None, ledger: InputLedger) -> None:
    """Ledger lines on leases that contradict themselves, or whose age cannot be told."""
    lessee = text(poles["lessee"])
    begins, installs = pd.to_datetime(poles["lease_date"]), pd.to_datetime(poles["install_date"])
    day = pd.Timestamp.max if as_of is None else pd.Timestamp(as_of)
    faults = (
        (begins > installs, Fact("install_date", "note", "租用日期晚于安装日期,按已安装", "核对两个日期")),
        (installs.notna() & (lessee == "") & begins.isna(),
         Fact("lessee", "note", "有安装日期而没有租用单位,按未租用", "核实设备属于谁,补填租用单位")),
        (begins.notna() & (lessee == ""),
         Fact("lessee", "note", f"有租用日期而没有租用单位,按已租,单位记为{NO_LESSEE}", "补填租用单位")),
        ((lessee != "") & installs.isna() & begins.isna(),
         Fact("lease_date", "note", "没有租用日期,闲置多久无法判断", "补填租用日期")),
        (begins > day, Fact("lease_date", "note", f"租用日期晚于判定日{as_of},不算闲置", "核对租用日期")),
    )
    for where, fact in faults:
        tell_rows(ledger, "poles", poles[where.to_numpy(dtype=bool)], fact)


def _towns_of(poles: gpd.GeoDataFrame, towns: gpd.GeoDataFrame) -> pd.Series:
    """Town of every pole: its own word, else the first town polygon by id that it stands in."""
    own = text(poles["town"])
    missing = np.flatnonzero((own == "").to_numpy())
    solid = towns[towns.geometry.geom_type.isin(["Polygon", "MultiPolygon"])].sort_index()
    named = own.to_numpy(dtype=object, copy=True)
    if len(missing) and len(solid):
        names = text(solid["name"]).where(solid["name"].notna(), solid.index.astype("str")).to_numpy(dtype=object)
        area, point = poles.geometry.iloc[missing].sindex.query(solid.geometry.to_numpy(), predicate="covers")
        first = pd.Series(area).groupby(point).min()
        named[missing[first.index.to_numpy()]] = names[first.to_numpy()]
    return pd.Series(np.where(named == "", NO_TOWN, named), index=poles.index, dtype="str")


def _lease_rows(leased: pd.DataFrame) -> pd.DataFrame:
    """Leases counted by lessee, town and road; the rows are sorted by id."""
    by = leased.groupby(["lessee", "town", "road"], sort=True)
    counts = by[["installed", "unused", "waiting", "age_unknown"]].sum().astype("int64")
    table = counts.assign(longest_unused_days=by["days"].max(), first_lease=by["lease_date"].min())
    table.insert(0, "poles", by.size().astype("int64"))
    idle = leased[leased["unused"] | leased["age_unknown"]]
    ids = idle.groupby(["lessee", "town", "road"], sort=True)["pole_id"].agg("、".join)
    return table.assign(idle_ids=text(ids.reindex(table.index))).reset_index()


def _share_rows(poles: pd.DataFrame, level: str, params: CandidateParams) -> pd.DataFrame:
    """Shares of every lessee in the poles of each place of a level."""
    place = ["town", "road"] if level == "street" else ["town"]
    here = poles.groupby(place, sort=True)
    held = poles[poles["leased"]].groupby([*place, "lessee"], sort=True).size().rename("leased").reset_index()
    places = pd.DataFrame({"poles": here.size(), "place_leased": here["leased"].sum()}).astype("int64").reset_index()
    table = held.merge(places, on=place, how="left")
    if level == "town":
        table["road"] = pd.Series("", index=table.index, dtype="str")
    table = table.assign(level=pd.Series(level, index=table.index, dtype="str"), share=table["leased"] / table["poles"],
                         share_of_leased=table["leased"] / table["place_leased"])
    few = table["poles"] < params.lessee_least_poles
    nowhere = (table["town"] == NO_TOWN) if level == "town" else (table["road"] == NO_ROAD)
    unnamed = table["lessee"] == NO_LESSEE
    over = table["share"] > params.lessee_share
    limit = f"{100 * params.lessee_share:g}%"
    table["verdict"] = np.select([few | nowhere | unnamed, over], ["not_judged", "over"], "within")
    table["reason"] = np.select(
        [nowhere, unnamed, few, over],
        ["没有填所在道路,不按街道判定" if level == "street" else "镇街未知,不判定", "没有填租用单位,不判定",
         f"公共杆不足{params.lessee_least_poles}根,不判定", f"占公共杆的份额超过{limit}"], f"占公共杆的份额不超过{limit}")
    return table


def lease_tables(poles: gpd.GeoDataFrame, params: CandidateParams, as_of: dt.date | None,
                 towns: gpd.GeoDataFrame) -> Mapping[str, pd.DataFrame]:
    """Leases by lessee and road, and the shares of lessees in the public poles of every street and town.

    A street is a road within one town, because towns have roads of the same name. Poles outside the boundary
    (``inside`` False) are not counted. The share that is judged is that of all public poles of the place, leased or
    not; more than ``lessee_share`` is over the limit. Places of fewer than ``lessee_least_poles`` poles, poles without
    a road (as a street) or a known town (as a town) and leases without a lessee's name are listed and not judged.

    Parameters
    ----------
    poles : GeoDataFrame
        The poles layer, in any order.
    params : CandidateParams
    as_of : date or None
        See :func:`lease_state`.
    towns : GeoDataFrame
        Polygons with ``name``, for poles that do not name their town; may be empty.

    Returns
    -------
    mapping of str to DataFrame
        ``pole_leases``, sorted by lessee, town, road: ``lessee, town, road, poles`` (leased there) ``= installed +
        unused + waiting + age_unknown, longest_unused_days`` (NaN = none), ``first_lease, idle_ids`` (poles without
        equipment whose lease is unused or of unknown age, joined by 、).
        ``pole_shares``, streets before towns, sorted by town, road, poles leased (most first), lessee: ``level``
        (street | town), ``town, road, lessee, leased, poles`` (all public poles there), ``place_leased`` (by anybody),
        ``share, share_of_leased, verdict`` (over | within | not_judged), ``reason``.

    References
    ----------
    Paper of Ankang (seed S2): 恶意租用市政灯杆(塔)资源, 公共杆塔资源垄断; it gives no number: the limits are settings.
    """
    here = poles[poles["inside"].astype("boolean").fillna(True).to_numpy(dtype=bool)].sort_index()
    state = lease_state(here, params, as_of)
    road, lessee = text(here["road"]), text(here["lessee"])
    rows = pd.DataFrame(state).assign(
        pole_id=here.index.astype("str"), town=_towns_of(here, towns), road=road.where(road != "", NO_ROAD),
        lessee=lessee.where(lessee != "", NO_LESSEE), lease_date=pd.to_datetime(here["lease_date"]))
    shares = pd.concat([_share_rows(rows, level, params) for level in ("street", "town")], ignore_index=True)
    shares = shares[["level", "town", "road", "lessee", "leased", "poles", "place_leased", "share", "share_of_leased",
                     "verdict", "reason"]]
    return {"pole_leases": _lease_rows(rows[rows["leased"]]), "pole_shares": shares.sort_values(
        ["level", "town", "road", "leased", "lessee"], ascending=[True, True, True, False, True], ignore_index=True)}
