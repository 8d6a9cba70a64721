"""Who serves what the plan newly covers: worked out by hand on a grid of 10 x 10 pixels."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
from conftest import CRS, X0, Y0, at, rect
from odc.geo.geobox import GeoBox
from shapely import MultiPolygon, Polygon

from siteplan.export.master.credit import Served, credited_sites, deciding_sites, sharing_sites
from siteplan.export.master.gather import nearest_sites, village_places
from siteplan.export.master.served_areas import (
    area_parts,
    best_rsrp_dbm,
    named,
    names_of,
    newly_served,
    sites_of_sectors,
)
from siteplan.gaps.judging.rules import load_rules

GRID = GeoBox.from_bbox((X0, Y0, X0 + 100, Y0 + 100), CRS, resolution=10)
SECTORS = ("E1-1", "A-1", "A-2", "B-1")


def coverage(probability: np.ndarray, server: np.ndarray | None = None, rsrp: np.ndarray | None = None) -> Any:
    best = SimpleNamespace(probability=np.asarray(probability, np.float32), server=server, rsrp_dbm=rsrp)
    return SimpleNamespace(geobox=GRID, sector_ids=SECTORS, any_5g=lambda: best)


def areas(*shapes: Any, names: list[Any] | None = None) -> gpd.GeoDataFrame:
    ids = pd.Index([f"V{number}" for number in range(len(shapes))], dtype="str")
    return gpd.GeoDataFrame({"name": names or [f"{number}村" for number in range(len(shapes))]}, geometry=list(shapes),
                            index=ids, crs=CRS)


def test_only_what_becomes_covered_counts() -> None:
    """Of four pixels one was covered before, one is not covered after, one was unknown, one becomes covered."""
    before = np.full(GRID.shape, 0.9)
    before[0, :4] = [0.8, 0.1, np.nan, 0.7499]
    after = np.full(GRID.shape, 0.9)
    after[0, :4] = [0.9, 0.7, 0.9, 0.75]
    server = np.full(GRID.shape, 3, np.int32)
    new = newly_served(coverage(before), coverage(after, server), 0.75)
    assert np.argwhere(new >= 0).tolist() == [[0, 3]]
    assert new[0, 3] == 3


def test_sites_are_found_in_the_ids_of_their_sectors() -> None:
    """Ids with hyphens and digits of their own; existing sectors belong to nobody."""
    found = sites_of_sectors(["V-facility:F-1-1", "V-facility:F-1-12", "V-facility:F-1", "XK-1", "x"],
                             ["V-facility:F", "V-facility:F-1"])
    assert found.tolist() == [1, 1, 0, -1, -1]


@pytest.mark.parametrize(("shape", "pixels"), [
    (rect(0, 0, 20, 10), 2), (rect(4, 4, 6, 6), 1), (rect(6, 6, 9, 9), 0), (rect(-50, -50, 200, 200), 100),
    (rect(200, 200, 300, 300), 0), (MultiPolygon([rect(0, 0, 10, 10), rect(50, 50, 60, 60)]), 2),
    (Polygon([at(0, 0), at(30, 0), at(30, 30), at(0, 30)], [[at(10, 10), at(20, 10), at(20, 20), at(10, 20)]]), 8),
], ids=["two", "holds a centre", "between centres", "larger", "elsewhere", "two parts", "with a hole"])
def test_a_pixel_is_its_centre(shape: Any, pixels: int) -> None:
    assert sum(int(mask.sum()) for _, _, mask in area_parts(areas(shape), GRID)) == pixels


def served(site: np.ndarray, new: np.ndarray, before: float = 0.0, after: float = 1.0) -> Served:
    return Served(GRID, np.full(GRID.shape, before, np.float32), np.full(GRID.shape, after, np.float32), site, new)


def test_a_site_has_to_serve_its_share_of_what_is_new() -> None:
    """50 new pixels on the left: 44 by site 0, 5 by site 1, 1 by an existing station. Every 10th of them is enough."""
    site = np.zeros(GRID.shape, np.int64)
    site[0, :5] = 1
    site[9, 0] = -1
    new = np.zeros(GRID.shape, bool)
    new[:, :5] = True
    table = areas(rect(0, 0, 50, 100), rect(50, 0, 100, 100), rect(0, 90, 100, 100), Polygon(), None)
    assert sharing_sites(table, served(site, new), 0.1) == {0: [0, 1], 2: [1]}
    assert sharing_sites(table, served(site, new), 0.11) == {0: [0], 2: [1]}


def test_a_point_is_decided_by_its_best_server() -> None:
    """Area 0: two points, sites 0 and 1. Area 1: one of an existing station, one outside of the grid."""
    site = np.zeros(GRID.shape, np.int64)
    site[:, 5:] = 1
    site[0, 0] = -1
    rows = pd.DataFrame({"area": [0, 0, 1, 1], "x": [X0 + 5, X0 + 95, X0 + 5, X0 - 500],
                         "y": [Y0 + 5, Y0 + 5, Y0 + 95, Y0],
                         "least": 0.75})
    new = np.ones(GRID.shape, bool)
    assert deciding_sites(rows, served(site, new)) == {0: [0, 1]}
    assert deciding_sites(rows, served(site, new, before=0.8)) == {}, "covered before"
    assert deciding_sites(rows, served(site, new, after=0.7)) == {}, "not covered after"
    assert deciding_sites(rows.iloc[:0], served(site, new)) == {}


def judged(table: gpd.GeoDataFrame, rule: str, *verdicts: tuple[str, str]) -> gpd.GeoDataFrame:
    before, after = zip(*verdicts, strict=True)
    return table.assign(rule=rule, verdict_before=before, verdict_after=after)


@pytest.mark.parametrize("known", [True, False], ids=["points", "no points"])
def test_only_what_decides_is_credited(known: bool) -> None:
    """Site A serves the west half, B the east half; all is newly covered.

    V0 is the western 60 m: its committee lies in the east of it, so B decides, though A serves more of it. V1 fails
    after all, V2 passed before. Without points the share counts: B has one sixth of V0. Zone Z passes, zone Y does not.
    """
    server = np.full(GRID.shape, 1, np.int32)
    server[:, 5:] = 3
    land = judged(areas(rect(0, 0, 60, 100), rect(0, 0, 100, 100), rect(0, 0, 100, 100)), "village_miit_2025",
                  ("fail", "pass"), ("fail", "fail"), ("pass", "pass"))
    spots = gpd.GeoDataFrame({"village_code": ["V0", "V0", "V1"], "kind": ["committee", "school", "committee"],
                              "exists": [True, False, True]}, geometry=[at(55, 50), at(5, 50), at(5, 50)], crs=CRS)
    zones = judged(areas(rect(0, 0, 50, 100), rect(50, 0, 100, 100), names=["甲区", "乙区"]), "area_share_95",
                   ("not_assessable", "pass"), ("fail", "fail"))
    table = pd.DataFrame(index=pd.Index(["A", "B", "C"], dtype="str"))
    plan: Any = SimpleNamespace(
        before=coverage(np.zeros(GRID.shape), server), after=coverage(np.ones(GRID.shape), server), zones=zones,
        villages=land, proposed=table, sites=table, context={"village_points": spots} if known else {},
        rules=load_rules(),
        parameters={"gaps": {"gap_probability": 0.75}})
    by_zone, by_village = credited_sites(plan)
    assert by_village.to_dict() == {"A": "" if known else "0村", "B": "0村", "C": ""}
    assert by_zone.to_dict() == {"A": "甲区", "B": "", "C": ""}
    assert named({"A": [1, 0]}, names_of(zones), table.index).tolist() == ["乙区、甲区", "", ""]


def test_key_points_decide_on_zones_that_ask_for_them() -> None:
    """The key point of the zone lies on B's side; A serves three quarters of the zone."""
    server = np.full(GRID.shape, 1, np.int32)
    server[:, 5:] = 3
    zones = judged(areas(rect(0, 0, 65, 100)), "key_points_all", ("fail", "pass"))
    spots = gpd.GeoDataFrame({"name": ["东门"], "zone_id": [None]}, geometry=[at(60, 50)], crs=CRS)
    table = pd.DataFrame(index=pd.Index(["A", "B"], dtype="str"))
    plan: Any = SimpleNamespace(
        before=coverage(np.zeros(GRID.shape), server), after=coverage(np.ones(GRID.shape), server), zones=zones,
        villages=zones.iloc[:0], proposed=table, sites=table, context={"zone_points": spots}, rules=load_rules(),
        parameters={"gaps": {"gap_probability": 0.75}})
    assert credited_sites(plan)[0].to_dict() == {"A": "", "B": "0村"}


def test_an_area_without_a_name_goes_by_its_id() -> None:
    assert names_of(areas(rect(0, 0, 1, 1), rect(0, 0, 1, 1), rect(0, 0, 1, 1), names=["甲", None, ""])) == [
        "甲", "V1", "V2"]


def test_best_signal_of_an_area() -> None:
    rsrp = np.full(GRID.shape, np.nan)
    rsrp[9, :3] = [-90.0, -80.5, -70.0]
    found = best_rsrp_dbm(areas(rect(0, 0, 20, 10), rect(0, 50, 50, 100), rect(500, 0, 600, 10)),
                          coverage(rsrp, rsrp=rsrp))
    assert found.tolist() == pytest.approx([-80.5, np.nan, np.nan], nan_ok=True)


def points(kind: list[str], codes: list[str], places: list[Any]) -> gpd.GeoDataFrame:
    return gpd.GeoDataFrame({"kind": kind, "village_code": codes}, geometry=places, crs=CRS,
                            index=[f"P{number}" for number in range(len(kind))])


def test_a_village_is_where_its_committee_is() -> None:
    """The first committee by id; a point inside of its land where none is placed."""
    villages = areas(rect(0, 0, 10, 10), rect(20, 0, 30, 10), rect(40, 0, 50, 10))
    known = points(["school", "committee", "committee", "committee"], ["V0", "V0", "V0", "V1"],
                   [at(1, 1), at(2, 2), at(3, 3), None])
    found = village_places(villages, known)
    assert found.iloc[0] == at(2, 2)
    assert [villages.geometry.iloc[number].contains(found.iloc[number]) for number in (1, 2)] == [True, True]
    assert village_places(villages, None).iloc[0].within(villages.geometry.iloc[0])


def sites(*rows: tuple[str, str, str, Any]) -> gpd.GeoDataFrame:
    names, status, networks, places = zip(*rows, strict=True)
    return gpd.GeoDataFrame({"status": status, "networks": networks}, geometry=list(places), crs=CRS,
                            index=pd.Index(names, dtype="str"))


def test_nearest_site_has_5g_with_the_plan() -> None:
    """A 4G site, a candidate and a refused one are nearer and do not count; of two as near the first by id."""
    table = sites(("E4", "existing", "移动 4G", at(1, 0)), ("C", "candidate", "*", at(2, 0)),
                  ("R", "refused", "*", None), ("P2", "proposed", "*", at(0, 30)), ("P1", "proposed", "*", at(30, 0)),
                  ("E5", "existing", "移动 4G|电信 5G", at(100, 0)))
    places = gpd.GeoSeries([at(0, 0), at(100, 40), None], crs=CRS)
    names, away = nearest_sites(places, table)
    assert names == ["P1", "E5", ""]
    assert away.tolist() == pytest.approx([30.0, 40.0, np.nan], nan_ok=True)
    assert nearest_sites(places, table.iloc[:3])[0] == ["", "", ""]
