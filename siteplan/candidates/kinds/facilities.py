"""Public facilities as macro candidates: on the roof of the building they stand in, or a tower on their land."""

from __future__ import annotations

from collections.abc import Mapping

import geopandas as gpd
import numpy as np
import pandas as pd

from siteplan.candidates.context import CandidateContext
from siteplan.candidates.kinds.origins import Fact, tell_rows
from siteplan.candidates.kinds.same_spot import ROOF_MOUNTS, SAME_SPOT, one_per_spot, refuse_same_spot
from siteplan.candidates.kinds.venue_evidence import HEIGHT_SOURCE_ZH, tell_venues, venue_evidence
from siteplan.candidates.rules.rule_table import SiteRule, site_rules
from siteplan.candidates.rules.thin import SAME_SPOT_M
from siteplan.candidates.table import empty_sites, site_ids, sites_table, text
from siteplan.decisions import kept_sites
from siteplan.grid import sample

BUILDING_SNAP_M = 30.0
STOREY_HEIGHT_M = 3.5
LEAST_ROOF_M = 3.0
"""Lower values of a height raster are no roof, m."""


def building_of(points: gpd.GeoSeries, buildings: gpd.GeoDataFrame) -> pd.DataFrame:
    """Building each point stands in, or the nearest within BUILDING_SNAP_M.

    Returns
    -------
    DataFrame
        Index of the points; ``building`` (id, "" where there is none), ``distance_m`` (0 inside, NaN where none).
    """
    found = pd.DataFrame({"building": "", "distance_m": np.nan}, index=points.index)
    if buildings.empty or points.empty:
        return found
    ordered = buildings.sort_index()
    (point, house), distance = ordered.geometry.sindex.nearest(
        points.to_numpy(), return_all=False, max_distance=BUILDING_SNAP_M, return_distance=True)
    houses, metres = np.full(len(points), "", dtype=object), np.full(len(points), np.nan)
    houses[point], metres[point] = ordered.index.to_numpy()[house], distance
    return found.assign(building=houses, distance_m=metres)


def roof_heights(facilities: gpd.GeoDataFrame, house: pd.DataFrame, context: CandidateContext,
                 class_roof_m: pd.Series) -> pd.DataFrame:
    """Roof height of every facility, and in words where it comes from.

    First that of the building it stands in, within ``SAME_SPOT_M`` (measured, or of its storeys), then what the
    facility's row says (height, storeys), the height raster there, the building's where it is only the default of its
    use or where it is a neighbour's, and last the default of the class.

    Returns
    -------
    DataFrame
        ``roof_m``, ``words``.
    """
    buildings = context.tables["buildings"]
    height = house["building"].map(buildings["height_m"].astype("float64")).astype("float64")
    source = text(house["building"].map(text(buildings["height_source"])))
    storeys = facilities["storeys"].astype("float64")
    there = pd.Series(sample(context.surface.clutter_m, context.surface.geobox, facilities.geometry.x.to_numpy(),
                             facilities.geometry.y.to_numpy()), index=facilities.index, dtype="float64")
    own = house["distance_m"] <= SAME_SPOT_M
    choices = [height.where(own & (source != "default")), facilities["roof_height_m"].astype("float64"),
               storeys * STOREY_HEIGHT_M, there.where(there >= LEAST_ROOF_M), height, class_roof_m]
    known = np.array([values.notna().to_numpy() for values in choices])
    which = known.argmax(axis=0)
    roof = np.array([values.to_numpy() for values in choices])[which, np.arange(len(facilities))]
    words = []
    for rule, metres, name, far, kind, floors in zip(which, roof, house["building"], house["distance_m"], source,
                                                      storeys, strict=True):
        if rule in (0, 4):
            where = f"所在建筑 {name}" if far == 0 else f" {far:.0f} 米外的建筑 {name}"
            words.append(f"楼高取{where} 的 {metres:.3g} 米({HEIGHT_SOURCE_ZH.get(kind, '来源不详')})")
        else:
            words.append((f"楼高取本表所填的 {metres:.3g} 米", f"楼高按 {floors:g} 层推算为 {metres:.3g} 米",
                          f"楼高取高度栅格的 {metres:.3g} 米", "", f"楼高按类别默认 {metres:.3g} 米")[rule - 1])
    return pd.DataFrame({"roof_m": roof, "words": words}, index=facilities.index)


def _is_given(facilities: gpd.GeoDataFrame) -> pd.Series:
    """Whether the file itself names the department."""
    source = text(facilities["department_source"])
    return (text(facilities["department"]) != "") & (source != "class")


def _takes_site(context: CandidateContext, classes: pd.Series) -> pd.Series:
    return classes.map({name: context.venues.classes[name].takes_site for name in set(classes)}).astype(bool)


def offered(context: CandidateContext) -> gpd.GeoDataFrame:
    """Every facility as a macro candidate, also where several stand on one spot; see :func:`settle_spots`.

    On a roof that is high enough the antenna stands on a pole, on a lower one on a roof tower, without a usable roof on
    a ground tower (``tables/mounts.toml``); towers cost more. The department is the file's, else that of the class.
    """
    facilities = context.tables["facilities"].sort_index()
    if facilities.empty:
        return empty_sites(facilities.crs)
    classes = text(facilities["venue_class"])
    traits = context.class_columns(classes)
    buildings = context.tables["buildings"]
    house = building_of(facilities.geometry, buildings)
    roofs = roof_heights(facilities, house, context, traits["class_roof_m"])
    usable = (traits["class_mount"] == "roof") & (roofs["roof_m"] >= context.params.venue_min_roof_m)
    mounted = context.roof_mounts(roofs["roof_m"].where(usable))
    on_roof = mounted["mount"].isin(ROOF_MOUNTS)
    given = _is_given(facilities)
    department = text(facilities["department"]).where(given, traits["class_department"])
    mine = house["building"].where(house["distance_m"] <= SAME_SPOT_M)
    area = mine.map(pd.Series(buildings.geometry.area, index=buildings.index)).astype("float64")
    heights = [words if roof else "建在地面" for words, roof in zip(roofs["words"], on_roof, strict=True)]
    rows = traits.assign(
        name=text(facilities["name"]), kind="macro", source="facility", source_id=facilities.index, build="new",
        owner=text(facilities["owner"]), address=text(facilities["address"]), department=department,
        opens=np.where(on_roof, "roof", "ground"), roof_area_m2=area.where(on_roof).round(1),
        evidence=venue_evidence(facilities, heights, given.to_numpy(), department)).join(mounted)
    points = gpd.GeoSeries(facilities.geometry.to_numpy(), crs=facilities.crs)
    rows.index = site_ids("facility", facilities.index)
    tell_venues(facilities, given.to_numpy(), context)
    return sites_table(rows, points)


def settle_spots(sites: gpd.GeoDataFrame, context: CandidateContext,
                 rules: Mapping[str, SiteRule] | None = None) -> gpd.GeoDataFrame:
    """Of open venues on one spot one stands for the others, which break the rule ``same_spot``.

    Which one, tells :func:`one_per_spot`. To be called after the rules of place: a venue that a rule or its owner
    refuses stands for none. Towers on the land of venues follow their venue, and tell whether its roof is the other
    alternative.

    Parameters
    ----------
    sites : GeoDataFrame
        The sites table; rows of the sources ``facility`` and ``ground`` are looked at.
    context : CandidateContext
    rules : mapping of str to SiteRule, optional
        Those of the study; made from ``context.params.rules`` when absent.
    """
    known = site_rules(context.params.rules) if rules is None else rules
    mine = np.flatnonzero(sites["source"].isin(["facility", "ground"]).to_numpy(dtype=bool))
    places = sites.iloc[mine]
    if places.empty:
        return sites
    house = building_of(places.geometry, context.tables["buildings"])
    house_of = house["building"].where(house["distance_m"] <= SAME_SPOT_M, "")
    given = _is_given(context.tables["facilities"]).reindex(places["source_id"]).to_numpy(dtype=bool)
    competes = ((places["source"] == "facility") & (places["status"] == "candidate")
                & _takes_site(context, places["venue_class"]))
    stands_for = one_per_spot(places, house_of, pd.Series(given, index=places.index), competes,
                              kept_sites(context.decisions, sites))
    _tell_same_spot(stands_for, places["source_id"].to_numpy(dtype=object), known[SAME_SPOT], context)
    settled = _with_alternatives(refuse_same_spot(places, stands_for, house_of, known), context)
    changed = {}
    for name in ("status", "refusal_code", "reason", "flags", "evidence"):
        values = sites[name].to_numpy(dtype=object, copy=True)
        values[mine] = settled[name].to_numpy(dtype=object)
        changed[name] = pd.Series(values, index=sites.index, dtype="str")
    return sites.assign(**changed)


def _with_alternatives(places: gpd.GeoDataFrame, context: CandidateContext) -> gpd.GeoDataFrame:
    """Evidence of open towers on land: whether the roof of their venue is the other alternative."""
    land = ((places["source"] == "ground") & (places["status"] == "candidate")).to_numpy(dtype=bool)
    if not land.any() or "facility" not in context.params.kinds:
        return places
    state = places["status"].reindex(places["members"]).to_numpy(dtype=object)
    words = [f"与屋顶备选 {roof} 二选一" if status == "candidate" else f"屋顶 {roof} 不可用"
             for roof, status in zip(places["members"][land], state[land], strict=True)]
    evidence = places["evidence"].to_numpy(dtype=object, copy=True)
    evidence[land] = [f"{before};{more}" for before, more in zip(evidence[land], words, strict=True)]
    return places.assign(evidence=pd.array(evidence, dtype=places["evidence"].dtype))


def propose(context: CandidateContext) -> gpd.GeoDataFrame:
    """Every facility as a macro candidate; of those on one spot one stands for the others, which are refused."""
    return settle_spots(offered(context), context)


def _tell_same_spot(stands_for: np.ndarray, ids: np.ndarray, rule: SiteRule, context: CandidateContext) -> None:
    """One ledger line on venues that another one stands for."""
    spoken = stands_for >= 0
    if spoken.any() and rule.effect != "off":
        others = len(set(stands_for[spoken].tolist()))
        done = "其余列为不可用(same_spot)" if rule.effect == "refuse" else "其余保留并提示(same_spot)"
        tell_rows(context.ledger, "facilities", context.tables["facilities"].loc[ids[spoken]], Fact(
            "geometry", "note", f"同一建筑或5米内有多处场所:由 {others} 处代表,{done}", "核对坐标;确为不同楼时补全建筑图层"))


def buildings_taken(context: CandidateContext) -> pd.Series:
    """Buildings whose roof is not offered as a private one, and why.

    Returns
    -------
    Series of str
        Index: id of the building. ``venue`` = a venue that stands in it, within ``SAME_SPOT_M``, has its antenna on the
        roof and is offered itself; ``hazard`` = a venue that takes no site (a petrol station) stands inside.
    """
    facilities = context.tables["facilities"]
    classes = text(facilities["venue_class"])
    takes = _takes_site(context, classes)
    roof = classes.map({name: context.venues.classes[name].mount == "roof" for name in set(classes)}).astype(bool)
    house = building_of(facilities.geometry, context.tables["buildings"])
    offers = takes & roof & (house["distance_m"] <= SAME_SPOT_M) & ("facility" in context.params.kinds)
    shut = ~takes & (house["distance_m"] == 0)
    taken = pd.concat([house["building"][shut], house["building"][offers]]).drop_duplicates()
    why = np.where(taken.isin(house["building"][shut]), "hazard", "venue")
    return pd.Series(why, index=taken.to_numpy(), dtype="str")
