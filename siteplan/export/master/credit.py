"""Which sites make a village or a key zone pass: those that serve what decides it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import geopandas as gpd
import numpy as np
import pandas as pd
from numpy.typing import NDArray
from odc.geo.geobox import GeoBox

from siteplan.export.master.served_areas import area_parts, named, names_of, newly_served, sites_of_sectors
from siteplan.gaps.judging.areas import asked_points
from siteplan.gaps.judging.key_points import points_of_areas
from siteplan.gaps.judging.rules import Rule
from siteplan.grid import inside, pixel_of
from siteplan.plan import Plan
from siteplan.tables import read_table

Credits = dict[int, list[int]]
"""Number of an area -> numbers of the sites that it is credited to, ascending."""


@dataclass(frozen=True, eq=False)
class Served:
    """What the plan changes, pixel by pixel.

    Attributes
    ----------
    geobox : GeoBox
    before, after : ndarray of float32, shape (row, col)
        Probability of any 5G network.
    site : ndarray of int64, shape (row, col)
        Number of the proposed site that serves best after; -1 where another site does, or none.
    new : ndarray of bool, shape (row, col)
        Newly covered pixels.
    """

    geobox: GeoBox
    before: NDArray[np.float32]
    after: NDArray[np.float32]
    site: NDArray[np.int64]
    new: NDArray[np.bool_]


def credited_sites(plan: Plan) -> tuple[pd.Series, pd.Series]:
    """Names of the zones and of the villages that pass with the plan and did not before, by the sites they owe it to.

    Where the rule is one of points, an area is credited to the best servers of the points that were not covered and
    are with the plan. Under other rules, and where no point tells it, to the sites that serve at least ``least_share``
    (``[credit]`` of ``tables/export_fields.toml``) of the area's newly covered pixels.

    Returns
    -------
    (Series of str, Series of str)
        On the sites of the plan; names joined by 、.
    """
    ids = [str(site) for site in plan.proposed.index]
    served = _served(plan, ids)
    share = float(read_table("export_fields")["credit"]["least_share"])
    told = []
    for name, areas in (("zones", plan.zones), ("villages", plan.villages)):
        gained = areas[(areas["verdict_after"] == "pass") & (areas["verdict_before"] != "pass")]
        found = sharing_sites(gained, served, share) | deciding_sites(_point_rows(plan, name, gained), served)
        by_site: dict[str, list[int]] = {}
        for area in sorted(found):
            for site in found[area]:
                by_site.setdefault(ids[site], []).append(area)
        told.append(named(by_site, names_of(gained), plan.sites.index))
    return told[0], told[1]


def _served(plan: Plan, ids: list[str]) -> Served:
    before, after = plan.before.any_5g(), plan.after.any_5g()
    of_sector = np.r_[sites_of_sectors(plan.after.sector_ids, ids), -1]  # server -1: nobody
    new = newly_served(plan.before, plan.after, float(plan.parameters["gaps"]["gap_probability"])) >= 0
    return Served(plan.after.geobox, before.probability, after.probability, of_sector[after.server], new)


def sharing_sites(areas: gpd.GeoDataFrame, served: Served, least_share: float) -> Credits:
    """Sites by their share of the newly covered pixels of each area, whoever serves the rest."""
    found: Credits = {}
    for number, window, mask in area_parts(areas, served.geobox):
        new = served.site[window][mask & served.new[window]]
        sites, counts = np.unique(new[new >= 0], return_counts=True)
        enough = sites[counts >= least_share * len(new)]
        if len(enough):
            found[number] = enough.tolist()
    return found


def deciding_sites(points: pd.DataFrame, served: Served) -> Credits:
    """Sites that serve points which the plan covers and which were not covered.

    Parameters
    ----------
    points : DataFrame
        ``area`` (number of the area), ``x, y`` (m), ``least`` (probability at which the point counts as covered).
    served : Served
    """
    row, col = pixel_of(served.geobox, points["x"].to_numpy(float), points["y"].to_numpy(float))
    on = inside(served.geobox, row, col)
    points, row, col = points[on], row[on], col[on]
    least = points["least"].to_numpy(float)
    gained = (served.after[row, col] >= least) & ~(served.before[row, col] >= least)
    pairs = pd.DataFrame({"area": points["area"].to_numpy(int), "site": served.site[row, col]})[gained]
    return {int(area): sorted({int(site) for site in group if site >= 0})
            for area, group in pairs.groupby("area")["site"] if (group >= 0).any()}


def _point_rows(plan: Plan, name: str, areas: gpd.GeoDataFrame) -> pd.DataFrame:
    """Points that decide on the areas whose rule is one of points, as :func:`deciding_sites` takes them."""
    rows = [pd.DataFrame({"area": [], "x": [], "y": [], "least": []}, dtype="float64")]
    layer = plan.context.get("village_points" if name == "villages" else "zone_points")
    if layer is not None and len(layer) and len(areas):
        placed = layer[~(layer.geometry.isna() | layer.geometry.is_empty)]
        rows += list(_of_rules(placed, areas, plan.rules))
    return pd.concat(rows, ignore_index=True)


def _of_rules(points: gpd.GeoDataFrame, areas: gpd.GeoDataFrame, rules: Mapping[str, Rule]) -> Iterator[pd.DataFrame]:
    """The points of each rule with the numbers of their areas."""
    for rule_id in dict.fromkeys(areas["rule"]):
        rule = rules.get(str(rule_id))
        if rule is None or rule.measure not in ("points", "key_points") or rule.technology != "5G":
            continue
        mine = np.flatnonzero((areas["rule"] == rule_id).to_numpy())
        if rule.measure == "points":
            asked = asked_points(points, rule)
            asked = asked[asked["exists"]]
            area = areas.index[mine].astype("str").get_indexer(pd.Index(asked["village_code"].astype("str")))
            chosen, area = asked[area >= 0], area[area >= 0]
        else:
            found = points_of_areas(areas.iloc[mine], points, np.zeros(len(points)), rule)
            chosen, area = points.iloc[found.point], found.area
        yield pd.DataFrame({"area": mine[area], "x": chosen.geometry.x.to_numpy(), "y": chosen.geometry.y.to_numpy(),
                            "least": rule.point_probability})
