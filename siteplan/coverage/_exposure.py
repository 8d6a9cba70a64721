"""Screening of electromagnetic exposure: power density at the worst storey of sensitive buildings near new sites.

A screening estimate, not an environmental assessment: free space, no walls, predicted and never measured.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely
from numpy.typing import NDArray

from siteplan.coverage._equipment import Equipment
from siteplan.coverage._exposure_sectors import off_axis_db, radiating_sectors
from siteplan.coverage._sensitive import ExposureRules, load_exposure, sensitive_targets
from siteplan.grid import sample
from siteplan.radio import power_density_w_m2
from siteplan.surface import Surface


@dataclass(frozen=True)
class Exposure:
    """What the screening found.

    Attributes
    ----------
    sectors : DataFrame
        One row per radiating sector, index ``sector_id``: ``site_id, site_name, site_status, x, y, antenna_height_m,
        azimuth_deg`` (NaN = omni), ``tilt_deg, freq_mhz, antenna, power_w`` (total, after feeder), ``gain_dbi, factor,
        limit_w_m2, limit_distance_m, managed_distance_m`` (on axis, to the limit and to the management share of it),
        ``radius_m, targets`` (sensitive buildings near its site).
    pairs : DataFrame
        One row per site and sensitive building, columns ``[columns]`` of ``tables/exposure.toml`` without
        ``rank_no`` and ``note``; existing sites only where a proposed site is near the same building. The building with
        the greatest ``total_share`` first, its sites by their own share. Index 0, 1, ...
    has_buildings : bool
        False where the study has no footprints at all: then only venues were screened.
    rules : ExposureRules
        What it was screened by.
    """

    sectors: pd.DataFrame
    pairs: pd.DataFrame
    has_buildings: bool
    rules: ExposureRules

    @cached_property
    def _said(self) -> pd.DataFrame:
        """:func:`site_exposure`, which every deliverable asks for."""
        return _said_of_sites(self)

    def counts(self) -> dict[str, int]:
        """Numbers for the indicators: buildings screened near proposed sites, and how many are told of what."""
        new = self.pairs[self.pairs["site_status"] == "proposed"]
        told = {name: int(new.loc[new[name], "target_id"].nunique())
                for name in ("above_limit", "above_managed", "taller_near", "justify")}
        return {"sensitive_buildings": int(new["target_id"].nunique()), **told}


def describe_exposure(exposure: Exposure) -> str:
    """The screening in one Chinese sentence, for the terminal and the map.

    It asks for another calculation only where something was found, and says so where only venues could be looked at.
    """
    counts, new = exposure.counts(), exposure.pairs[exposure.pairs["site_status"] == "proposed"]
    near, number = exposure.rules.screening.taller_radius_m, counts["sensitive_buildings"]
    lead = "筛查估算(不是环境影响评价):"
    if not (exposure.sectors["site_status"] == "proposed").any():
        return f"{lead}没有规划的室外站,未作筛查"
    only = "" if exposure.has_buildings else "没有建筑物图层,只查了公共设施,住宅等未查;"
    objects = "栋敏感建筑" if exposure.has_buildings else "处敏感设施"
    if not number:
        return f"{lead}{only}规划站的筛查范围内未发现{objects[1:]}"
    lead = f"{lead}{only}规划站附近 {number} {objects}中,"
    if not counts["above_limit"] and not counts["taller_near"]:
        return f"{lead}未发现可能超过公众限值的,也未发现在 {near:g} m 内高于天线的;详见 exposure.csv 和 ledger.xlsx"
    sites = int(new.loc[new["above_limit"], "site_id"].nunique())
    above = f"{counts['above_limit']} {objects[0]}可能超过公众限值(涉及 {sites} 处站)" if sites else "未发现可能超过公众限值的"
    taller = (f"{counts['taller_near']} {objects[0]}高于天线且在 {near:g} m 内" if counts["taller_near"] else
              f"未发现在 {near:g} m 内高于天线的")
    return f"{lead}{above},{taller};须调整方位、下倾、挂高或功率后重算;详见 exposure.csv 和 ledger.xlsx"


def site_exposure(exposure: Exposure) -> pd.DataFrame:
    """What the screening says of every proposed site, in words for the tables and the map.

    Returns
    -------
    DataFrame
        Index ``site_id``, one row per proposed site that radiates outdoors. ``state``: ``above_limit`` (with all sites
        near), ``taller_near``, ``above_managed`` (the site alone), ``below`` or ``none`` (no sensitive building near),
        the first that holds; ``share``: greatest share of the limit with all sites near, 0 when none; ``flag``: Chinese
        sentence, an estimate.

    Examples
    --------
    >>> from siteplan.coverage import load_exposure
    >>> sectors = pd.DataFrame({"site_id": ["A"], "site_status": ["proposed"]}, index=["A-1"])
    >>> rules = load_exposure()
    >>> site_exposure(Exposure(sectors, _no_pairs(rules), True, rules)).loc["A", ["state", "flag"]].tolist()
    ['none', '筛查范围内没有敏感建筑']
    """
    return exposure._said.copy()


def _said_of_sites(exposure: Exposure) -> pd.DataFrame:
    """Table of :func:`site_exposure`."""
    sectors, pairs = (table[table["site_status"] == "proposed"] for table in (exposure.sectors, exposure.pairs))
    met = {str(site_id): group for site_id, group in pairs.groupby("site_id", sort=False)}
    said = {site_id: _site_words(met.get(site_id), exposure) for site_id in sorted(set(sectors["site_id"].astype(str)))}
    table = pd.DataFrame.from_dict(said, orient="index", columns=["state", "share", "flag"])
    return table.astype({"state": "str", "share": "float64", "flag": "str"}).rename_axis("site_id")


def _site_words(group: pd.DataFrame | None, exposure: Exposure) -> tuple[str, float, str]:
    """State, share and sentence of one site from its pairs, worst first."""
    if group is None:
        nothing = "筛查范围内没有敏感建筑" if exposure.has_buildings else "没有建筑物图层,筛查范围内没有敏感的公共设施"
        return "none", 0.0, nothing
    own = exposure.rules.screening
    worst, strongest = group.iloc[0], group.loc[group["share"].idxmax()]
    number = {name: int(group[name].sum()) for name in ("above_limit", "above_managed", "taller_near", "justify")}
    state = next((name for name in ("above_limit", "taller_near", "above_managed") if number[name]), "below")
    taller, managed = f"{own.taller_radius_m:g} 米内高于天线的敏感建筑", f"限值的 {100 * own.management_share:g}%"
    highest = f"最高为 {_place(strongest, exposure)},限值的 {math.floor(1000 * strongest['share']) / 10:g}%"
    lead = {"above_limit": f"超过限值,需复核:{_place(worst, exposure)},各站合计为限值的 {worst['total_share']:.2f} 倍"
                           f",共 {number['above_limit']} 栋超过",
            "taller_near": f"有{taller},需复核:{number['taller_near']} 栋;{highest}",
            "above_managed": f"超过单站管理值({managed}),宜调整或说明:{highest},共 {number['above_managed']} 栋超过",
            "below": f"低于{managed}:{highest}"}[state]
    more = [f"{taller} {number['taller_near']} 栋"] * (state == "above_limit" and number["taller_near"] > 0)
    more += [f"须避让或说明理由 {number['justify']} 栋"] * (number["justify"] > 0)
    return state, float(worst["total_share"]), ";".join([lead, *more])


def _place(pair: pd.Series, exposure: Exposure) -> str:
    """Building, class, distance and height of the worst place of a pair."""
    zh = exposure.rules.sensitive[pair["target_class"]].zh
    return (f"{pair['target_name'] or pair['target_id']}({zh})水平 {pair['distance_m']:.0f} 米、"
            f"离地 {pair['worst_height_m']:.1f} 米处")


def screen_exposure(sectors: pd.DataFrame, facilities: gpd.GeoDataFrame, buildings: gpd.GeoDataFrame, surface: Surface,
                    equipment: Equipment, rules: ExposureRules | None = None) -> Exposure:
    """Screen the sensitive buildings near sites against the public limits of GB 8702-2014.

    Parameters
    ----------
    sectors : DataFrame
        ``SECTOR_COLUMNS`` and ``site_id``, index ``sector_id``; optional ``site_name``, ``site_status`` (``proposed``
        when absent; buildings that no proposed site is near are left out) and ``feeder_db``. Indoor sectors are passed
        over.
    facilities, buildings : GeoDataFrame
        Layers of the study, see :func:`sensitive_targets`.
    surface : Surface
        Its ground puts antennas and storeys on one datum.
    equipment : Equipment
        Antennas, and the bands that give the resource blocks of a sector.
    rules : ExposureRules, optional
        The package's table when absent; :func:`exposure_of` gives that of a study.

    Returns
    -------
    Exposure
        Tables with all their columns, without rows where nothing is near.

    Raises
    ------
    ModelError
        A column is missing, an antenna is unknown, a number is not finite, or no limit is known for a frequency.

    Notes
    -----
    ``S = P G F / (4 pi r^2)`` with P the total power of the sector (EPRE + 10 log10(12 N_RB), less the feeder), G the
    gain off the axis, F the power factor, r the slope distance from the antenna to the nearest point of the footprint,
    1.7 m above the floor of a storey. The worst storey of a pair is that of the greatest sum of S / limit over the
    sectors of the site; ``total_share`` is the greatest sum over the sectors of all sites near. A building is near when
    a site's distance on axis to one fifth of the limit reaches its footprint, and within 50 m always. Where the antenna
    stands above the building itself the loss of the roof slab counts.

    Examples
    --------
    >>> from shapely import Point, box
    >>> from siteplan.coverage import load_equipment
    >>> from siteplan.grid import study_geobox
    >>> grid = study_geobox((0.0, 0.0, 200.0, 200.0), "EPSG:4547", 10.0)
    >>> zero = np.zeros(grid.shape, np.float32)
    >>> surface = Surface(grid, zero, zero, np.ones(grid.shape, bool), True)
    >>> school = gpd.GeoDataFrame({"name": ["小学"], "use": ["public"], "height_m": [12.0],
    ...                            "height_source": ["measured"]}, geometry=[box(40, 0, 60, 20)], crs=4547,
    ...                           index=["B1"])
    >>> venues = gpd.GeoDataFrame({"name": [], "venue_class": []}, geometry=[], crs=4547)
    >>> sectors = pd.DataFrame({"x": 10.0, "y": 10.0, "antenna_height_m": 12.0, "azimuth_deg": 90.0, "tilt_deg": 3.0,
    ...                         "freq_mhz": 3500.0, "epre_dbm": 17.86, "antenna": "macro_64t", "kind": "macro",
    ...                         "technology": "5G", "site_id": "A"}, index=["A-1"])
    >>> pairs = screen_exposure(sectors, venues, school, surface, load_equipment()).pairs
    >>> pairs[["target_class", "distance_m", "worst_height_m", "in_main_beam", "above_limit"]].values.tolist()
    [['school', 30.0, 10.7, True, True]]
    """
    own = load_exposure() if rules is None else rules
    radiating = radiating_sectors(sectors, surface, equipment, own)
    targets = _near_targets(radiating, facilities, buildings, surface, own)
    meetings = _meetings(radiating, targets)
    if meetings.empty:
        return Exposure(_sector_table(radiating, meetings), _no_pairs(own), len(buildings) > 0, own)
    storeys = _storeys(radiating, targets, meetings, equipment, own)
    pairs = _pairs(radiating, targets, storeys, own)
    return Exposure(_sector_table(radiating, meetings), pairs, len(buildings) > 0, own)


def _near_targets(radiating: pd.DataFrame, facilities: gpd.GeoDataFrame, buildings: gpd.GeoDataFrame,
                  surface: Surface, rules: ExposureRules) -> gpd.GeoDataFrame:
    """Sensitive buildings near proposed sites, with the ground they stand on."""
    new = radiating[radiating["site_status"] == "proposed"]
    reach = float(new["radius_m"].max()) if len(new) else 0.0
    snap = rules.screening.snap_m
    near = sensitive_targets(_within(buildings, new, reach + 2.0 * snap), _within(facilities, new, reach + snap), rules)
    _, target = _query(new, near)
    kept = near.iloc[np.unique(target)]
    spot = shapely.get_coordinates(shapely.point_on_surface(kept.geometry.to_numpy())).reshape(-1, 2)
    ground = sample(surface.ground_m, surface.geobox, spot[:, 0], spot[:, 1]).astype(np.float64)
    return kept.assign(ground_m=ground)


def _within(table: gpd.GeoDataFrame, sectors: pd.DataFrame, distance_m: float) -> gpd.GeoDataFrame:
    """Rows of a layer within a distance of any sector, in their order."""
    shapes = table.geometry.to_numpy()
    points = shapely.points(np.unique(sectors[["x", "y"]].to_numpy(np.float64), axis=0))
    return table.iloc[np.unique(shapely.STRtree(shapes).query(points, "dwithin", distance_m)[1])]


def _query(sectors: pd.DataFrame, targets: gpd.GeoDataFrame) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Positions of sectors and of targets within the radius of the sector's site, sorted."""
    points = shapely.points(sectors[["x", "y"]].to_numpy(np.float64))
    found = shapely.STRtree(targets.geometry.to_numpy()).query(points, "dwithin", sectors["radius_m"].to_numpy(float))
    order = np.lexsort((found[1], found[0]))
    return found[0][order].astype(np.int64), found[1][order].astype(np.int64)


def _meetings(radiating: pd.DataFrame, targets: gpd.GeoDataFrame) -> pd.DataFrame:
    """One row per sector and target near its site: positions, distance, azimuth off the axis.

    A site takes all its sectors along, those too that stand a little further away than the radius.
    """
    sector, target = _query(radiating, targets)
    site = pd.factorize(radiating["site_id"])[0]
    met = pd.DataFrame({"site": site[sector], "target": target}).drop_duplicates()
    both = met.merge(pd.DataFrame({"site": site, "sector": np.arange(len(radiating))}), on="site")
    both = both.sort_values(["target", "site", "sector"], ignore_index=True)
    start = radiating[["x", "y"]].to_numpy(np.float64)[both["sector"]]
    lines = shapely.shortest_line(shapely.points(start), targets.geometry.to_numpy()[both["target"]])
    step = shapely.get_coordinates(lines).reshape(-1, 2, 2)[:, 1] - start if len(both) else np.zeros((0, 2))
    distance = np.hypot(step[:, 0], step[:, 1])
    azimuth = radiating["azimuth_deg"].to_numpy(np.float64)[both["sector"]]
    off = (np.degrees(np.arctan2(step[:, 0], step[:, 1])) - azimuth + 180.0) % 360.0 - 180.0
    off = np.where(np.isnan(off) | (distance == 0.0), 0.0, off)
    return both.assign(distance_m=distance, azimuth_off_deg=off)


def _storeys(radiating: pd.DataFrame, targets: gpd.GeoDataFrame, meetings: pd.DataFrame, equipment: Equipment,
             rules: ExposureRules) -> pd.DataFrame:
    """One row per meeting and storey: heights, slope, angles, S in W/m2, share of the limit, in the main beam."""
    screening = rules.screening
    height = targets["height_m"].to_numpy(np.float64)
    count = np.maximum(np.floor(height / screening.storey_m + 1e-9), 1.0).astype(np.int64)[meetings["target"]]
    rows = meetings.loc[np.repeat(np.arange(len(meetings)), count)].reset_index(drop=True)
    storey = np.arange(len(rows)) - np.repeat(np.cumsum(count) - count, count)
    probe = screening.probe_m + screening.storey_m * storey
    sector, target = rows["sector"].to_numpy(), rows["target"].to_numpy()
    mast = radiating["ground_m"].to_numpy(np.float64)[sector]
    ground = targets["ground_m"].to_numpy(np.float64)[target]
    known = np.isfinite(ground) & radiating["on_ground"].to_numpy(bool)[sector]
    raised = np.where(known, mast - np.nan_to_num(ground), 0.0) + radiating["antenna_height_m"].to_numpy()[sector]
    distance = rows["distance_m"].to_numpy(np.float64)
    drop = raised - probe
    slope = np.maximum(np.hypot(distance, drop), screening.nearest_m)
    down = np.degrees(np.arctan2(drop, distance))
    loss, main = off_axis_db(radiating.iloc[sector], rows["azimuth_off_deg"].to_numpy(), down, equipment, rules)
    loss = loss + np.where((distance == 0.0) & (raised > height[target]), screening.roof_loss_db, 0.0)
    gain = radiating["gain_dbi"].to_numpy(np.float64)[sector] - loss
    density = power_density_w_m2(radiating["power_w"].to_numpy()[sector], gain, slope,
                                 radiating["factor"].to_numpy()[sector])
    return rows.assign(storey=storey, probe_m=probe, raised_m=raised, drop_m=drop, slope_m=slope, s_w_m2=density,
                       share=density / radiating["limit_w_m2"].to_numpy(np.float64)[sector], in_main_beam=main)


def _pairs(radiating: pd.DataFrame, targets: gpd.GeoDataFrame, storeys: pd.DataFrame,
           rules: ExposureRules) -> pd.DataFrame:
    """One row per site and target at its worst storey."""
    sums = storeys.groupby(["site", "target", "storey"], as_index=False)[["s_w_m2", "share"]].sum()
    worst = sums.loc[sums.groupby(["site", "target"])["share"].idxmax()]
    total = sums.groupby(["target", "storey"])["share"].sum().groupby("target").max()
    there = storeys.merge(worst[["site", "target", "storey"]], on=["site", "target", "storey"])
    best = there.loc[there.groupby(["site", "target"])["share"].idxmax()].set_index(["site", "target"])
    nearest = storeys.groupby(["site", "target"])["distance_m"].min()
    lowest = storeys.groupby(["site", "target"])["raised_m"].min()
    worst = worst.set_index(["site", "target"])
    best = best.loc[worst.index]
    target = best.index.get_level_values("target").to_numpy()
    sector, place = radiating.iloc[best["sector"].to_numpy()], targets.iloc[target]
    height = place["height_m"].to_numpy(np.float64)
    distance = nearest.loc[worst.index].to_numpy()
    taller = (distance <= rules.screening.taller_radius_m) & (height > lowest.loc[worst.index].to_numpy())
    share, total_share = worst["share"].to_numpy(), total.loc[target].to_numpy()
    out = pd.DataFrame({
        "site_id": sector["site_id"].to_numpy(object), "site_name": sector["site_name"].to_numpy(object),
        "site_status": sector["site_status"].to_numpy(object), "target_id": place.index.to_numpy(object),
        "target_name": place["name"].to_numpy(object), "target_class": place["target_class"].to_numpy(object),
        "target_height_m": height, "height_source": place["height_source"].to_numpy(object), "distance_m": distance,
        "worst_height_m": best["probe_m"].to_numpy(), "drop_m": best["drop_m"].to_numpy(),
        "slope_m": best["slope_m"].to_numpy(), "sector_id": sector.index.to_numpy(object),
        "in_main_beam": best["in_main_beam"].to_numpy(), "s_w_m2": worst["s_w_m2"].to_numpy(),
        "s_uw_cm2": 100.0 * worst["s_w_m2"].to_numpy(), "limit_w_m2": sector["limit_w_m2"].to_numpy(), "share": share,
        "total_share": total_share, "limit_distance_m": sector["limit_distance_m"].to_numpy(),
        "managed_distance_m": sector["managed_distance_m"].to_numpy(), "above_limit": total_share > 1.0,
        "above_managed": share > rules.screening.management_share, "taller_near": taller,
        "justify": [rules.sensitive[key].justify for key in place["target_class"]],
    })
    order = out.assign(less_total=-out["total_share"], less=-out["share"])
    order = order.sort_values(["less_total", "target_id", "less", "site_id"], kind="stable").index
    return out.loc[order].reset_index(drop=True).astype(_dtypes(rules))


def _dtypes(rules: ExposureRules) -> dict[str, str]:
    """Type of every column of the pairs."""
    flags = ("in_main_beam", "above_limit", "above_managed", "taller_near", "justify")
    texts = ("site_id", "site_name", "site_status", "target_id", "target_name", "target_class", "height_source",
             "sector_id")
    return {name: "bool" if name in flags else "str" if name in texts else "float64"
            for name in rules.columns if name not in ("rank_no", "note")}


def _no_pairs(rules: ExposureRules) -> pd.DataFrame:
    return pd.DataFrame({name: pd.Series(dtype=kind) for name, kind in _dtypes(rules).items()})


def _sector_table(radiating: pd.DataFrame, meetings: pd.DataFrame) -> pd.DataFrame:
    """Sectors of proposed sites, and of existing ones that meet a target; with the number of targets near the site."""
    met = meetings.drop_duplicates(["sector", "target"]).groupby("sector").size()
    count = np.zeros(len(radiating), np.int64)
    count[met.index.to_numpy(np.int64)] = met.to_numpy()
    kept = (radiating["site_status"] == "proposed") | (count > 0)
    return radiating.assign(targets=count)[kept].drop(columns=["ground_m", "on_ground"])
