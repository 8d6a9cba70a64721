"""Planning units with what the plan puts into each: the numbers of a planning-unit sheet (图则)."""

from __future__ import annotations

import geopandas as gpd
import pandas as pd

from siteplan.candidates.table import on_existing_sites
from siteplan.export.master.conflicts import conflict_count
from siteplan.export.master.served_areas import names_of
from siteplan.gaps.judging.shares import area_pixels
from siteplan.plan import Plan

IDS_BETWEEN = "|"


def unit_table(plan: Plan, columns: pd.DataFrame) -> gpd.GeoDataFrame | None:
    """The planning units of a plan.

    Parameters
    ----------
    plan : Plan
    columns : DataFrame
        From :func:`site_columns`: ``room_m2, land_m2, conflicts`` of every site.

    Returns
    -------
    GeoDataFrame or None
        Index ``unit_code``; columns ``[units]`` of ``tables/export_fields.toml`` without the notice. Shares are the
        mean predicted probability of any 5G network over the known pixels, each by the exact part of it inside the
        unit. None where the study has no units.
    """
    units = plan.context.get("units")
    if units is None or not len(units):
        return None
    chosen = plan.proposed.assign(**columns.loc[plan.proposed.index])
    per_unit = _new_of_units(chosen)
    existing = plan.sites.loc[plan.sites["status"] == "existing", "unit_code"].value_counts()
    pixels = area_pixels(plan.after.geobox, units)
    shares = {f"area_share_{name}": pixels.mean(coverage.any_5g().probability)
              for name, coverage in (("before", plan.before), ("after", plan.after))}
    keys = units.index.astype("str")
    counts = per_unit.reindex(keys).fillna({name: 0 for name in per_unit.columns if name != "site_ids"})
    whole = {name: counts[name].astype("int64").to_numpy() for name in _COUNTS}
    standing = existing.reindex(keys).fillna(0).astype("int64").to_numpy()
    table = {
        "unit_name": names_of(units),
        "sites_existing": standing, "sites_total": standing + whole["sites_new"], **whole,
        "rooms_m2": counts["rooms_m2"].to_numpy(dtype=float), "land_m2": counts["land_m2"].to_numpy(dtype=float),
        "site_ids": counts["site_ids"].astype("object").fillna("").to_numpy(),
        **{name: share.to_numpy() for name, share in shares.items()},
        "share_basis": f"任一5G网络SS-RSRP≥{plan.study['threshold_dbm']:g}dBm的预测概率按面积平均(可评估部分)",
        "conflicts": counts["conflicts"].astype("int64").to_numpy()}
    return gpd.GeoDataFrame(table, geometry=units.geometry.to_numpy(), crs=units.crs,
                            index=pd.Index(keys, name="unit_code"))


_COUNTS = ("sites_new", "sites_reuse", "macro_new", "micro_new", "stations_new")


def _new_of_units(chosen: gpd.GeoDataFrame) -> pd.DataFrame:
    """Numbers and sums of the chosen sites of each unit, by its code."""
    again = on_existing_sites(chosen).astype("int64")
    rows = pd.DataFrame({
        "unit_code": chosen["unit_code"].astype("str"), "site_ids": chosen.index.astype("str"), "sites_new": 1 - again,
        "sites_reuse": again,
        "macro_new": (chosen["kind"] == "macro").astype("int64"),
        "micro_new": (chosen["kind"] == "micro").astype("int64"), "stations_new": chosen["station_count"],
        "rooms_m2": chosen["room_m2"].fillna(0.0), "land_m2": chosen["land_m2"].fillna(0.0),
        "conflicts": conflict_count(chosen["conflicts"])})
    rows = rows[rows["unit_code"] != ""]
    sums = rows.drop(columns="site_ids").groupby("unit_code").sum()
    return sums.assign(site_ids=rows.groupby("unit_code")["site_ids"].agg(IDS_BETWEEN.join))
