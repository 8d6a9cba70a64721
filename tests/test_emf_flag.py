"""Candidates near schools, kindergartens and hospitals: flagged by the coverage engine's own distance."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import geopandas as gpd
import numpy as np
import pytest
from conftest import CRS, at, rect, table
from hypothesis import given
from hypothesis import strategies as st

from siteplan.candidates.traits.screening import emf_flags, managed_distance_m
from siteplan.coverage import exposure_of, load_equipment, load_exposure, screen_exposure, sectors_of_sites
from siteplan.params import ExposureParams
from siteplan.surface import Surface

MACRO_M = float(np.sqrt(200.0 * 10**2.4 * 0.1875 / (4 * np.pi * 3500.0 / 7500.0 / 5.0)))
"""On axis of a 200 W, 24 dBi, F 0.1875 array at 3.5 GHz, one fifth of the limit: 89.6 m (domain reference, 5)."""


def school(east: float, north: float, **more: Any) -> dict[str, Any]:
    return {"geometry": at(east, north), "name": "一小", "venue_class": "school", "roof_height_m": 15.0, **more}


def sites_of(*places: tuple[float, float], height_m: float = 15.0, **more: Any) -> gpd.GeoDataFrame:
    usual = {"kind": "macro", "antenna_height_m": height_m, "source": "building", "source_id": "", **more}
    return gpd.GeoDataFrame(usual, geometry=[at(*place) for place in places], crs=CRS,
                            index=[f"S{number}" for number in range(len(places))])


def flags(sites: gpd.GeoDataFrame, *venues: dict[str, Any], **more: Any) -> Any:
    layer = table("facilities", {f"F{number}": venue for number, venue in enumerate(venues)})
    return emf_flags(sites, layer, load_equipment(), **more)


def test_the_distance_is_that_of_the_screening_of_the_plan(flat: Surface) -> None:
    sites = sites_of((500, 500), (600, 500)).assign(kind=["macro", "micro"])
    sectors = sectors_of_sites(sites).assign(site_status="proposed")
    empty = table("facilities", {}), table("buildings", {})
    for rules in (load_exposure(), exposure_of(ExposureParams(management_share=0.5, antennas={
            "macro_64t": {"factor": 0.75, "gain_dbi": 25.0}}))):
        engine = screen_exposure(sectors, *empty, flat, load_equipment(), rules).sectors
        want = engine.groupby("site_id")["managed_distance_m"].max()
        np.testing.assert_allclose(managed_distance_m(sites, load_equipment(), rules), want.to_numpy())
    assert managed_distance_m(sites, load_equipment())[0] == pytest.approx(MACRO_M)


def test_a_school_within_the_distance_flags_and_one_beyond_does_not() -> None:
    got = flags(sites_of((500, 500), (500, 500 + MACRO_M + 1.0), (500, 500 + MACRO_M - 1.0)), school(500, 500))
    assert got["flag"].tolist() == [True, False, True]
    assert got["distance_m"].tolist() == [0.0, round(MACRO_M + 1, 1), round(MACRO_M - 1, 1)]
    assert got["nearest"].tolist() == ["一小"] * 3
    assert got["compliance_m"].tolist() == [89.6] * 3
    assert got["sentence"].iloc[1] == ""
    assert got["sentence"].iloc[2] == ("距中小学“一小”斜距 89 米,在单站管理值距离 90 米之内,尽量避让或说明理由"
                                       "(筛查估算,非环境影响评价)")


def test_heights_count_along_the_slope() -> None:
    sites = sites_of((560, 500), (560, 500), (560, 500), (560, 500)).assign(antenna_height_m=[55.0, 85.0, 5.0, np.nan])
    got = flags(sites, school(500, 500))
    assert got["distance_m"].tolist() == [round(np.hypot(60, 40), 1), round(np.hypot(60, 70), 1), 60.0, 60.0]
    assert got["flag"].tolist() == [True, False, True, True]


def test_ground_heights_put_both_on_one_datum(flat: Surface) -> None:
    ground = flat.ground_m.copy()
    ground[:, 56:] += 70.0  # the site stands on a terrace
    terrace = replace(flat, ground_m=ground)
    site = sites_of((565, 500))
    assert flags(site, school(505, 500))["flag"].tolist() == [True]
    got = flags(site, school(505, 500), surface=terrace)
    assert got["flag"].tolist() == [False]
    assert got["distance_m"].tolist() == [round(np.hypot(60, 70), 1)]
    # the other way round the school is above the antenna: from its ground down to the antenna
    above = flags(sites_of((505, 500)), school(565, 500), surface=terrace)
    assert above["distance_m"].tolist() == [round(np.hypot(60, 55), 1)]


def test_a_site_on_the_school_itself_is_flagged_whatever_its_height() -> None:
    own = sites_of((500, 500), (500, 500), height_m=150.0, source="facility").assign(source_id=["F0", "F9"])
    moved = own.assign(geometry=[at(700, 500), at(700, 500)])
    assert flags(own, school(500, 500))["flag"].tolist() == [True, True]
    got = flags(moved, school(500, 500))
    assert got["flag"].tolist() == [True, False]
    assert got["sentence"].iloc[0].startswith("位于中小学“一小”的屋顶或用地上")


def test_which_places_count() -> None:
    site = sites_of((520, 500))
    for name, kind, word in (("春苗幼儿园", "school", "幼儿园"), ("县医院", "hospital", "医院")):
        got = flags(site, school(500, 500, name=name, venue_class=kind))
        assert got["flag"].tolist() == [True]
        assert f"距{word}“{name}”" in got["sentence"].iloc[0]
    for kind in ("government", "park", "commercial", "other"):
        assert flags(site, school(500, 500, name="某处", venue_class=kind))["flag"].tolist() == [False]
    wanted = {entry.zh for entry in load_exposure().sensitive.values() if entry.justify}
    assert wanted == {"幼儿园", "中小学", "医院"}


def test_a_micro_site_is_managed_by_a_few_metres() -> None:
    got = flags(sites_of((508, 500), (512, 500), kind="micro"), school(500, 500))
    assert got["flag"].tolist() == [True, False]
    assert got["compliance_m"].tolist() == [9.0, 9.0]


def test_a_venue_is_as_large_as_its_building() -> None:
    hall = table("buildings", {"B1": {"geometry": rect(400, 480, 520, 520), "height_m": 20.0, "use": "public"},
                               "B2": {"geometry": rect(700, 700, 720, 720), "height_m": 20.0, "use": "residential"}})
    sites = sites_of((600, 500), (405, 500), (600, 900), height_m=20.0)
    assert flags(sites, school(410, 500))["flag"].tolist() == [False, True, False]
    got = flags(sites, school(410, 500), buildings=hall)
    assert got["flag"].tolist() == [True, True, False]
    assert got["distance_m"].tolist()[:2] == [80.0, 0.0]
    on_roof = flags(sites_of((405, 500), height_m=200.0), school(410, 500), buildings=hall)
    assert on_roof["sentence"].iloc[0].startswith("位于中小学“一小”的屋顶")


def test_of_several_places_the_nearest_along_the_slope_counts() -> None:
    low, high = school(530, 500, name="低", roof_height_m=5.0), school(535, 500, name="高", roof_height_m=60.0)
    assert flags(sites_of((500, 500), height_m=60.0), low, high)["nearest"].tolist() == ["高"]


def test_nothing_near_and_nothing_at_all() -> None:
    for got in (flags(sites_of((500, 500))), flags(sites_of((500, 500)), school(500, 500, venue_class="park"))):
        assert got["flag"].tolist() == [False]
        assert got["distance_m"].isna().all()
        assert got[["nearest", "sentence"]].to_numpy().tolist() == [["", ""]]
    assert flags(sites_of(), school(500, 500)).empty
    indoor = flags(sites_of((500, 500), kind="indoor"), school(500, 500))
    assert indoor["flag"].tolist() == [False]
    assert indoor["compliance_m"].isna().all()


@given(st.integers(0, 2**32 - 1), st.integers(1, 12))
def test_slow_twin(seed: int, count: int) -> None:
    rng = np.random.default_rng(seed)
    venues = [school(*rng.uniform(0.0, 400.0, 2), name=f"第{n}小学", roof_height_m=rng.uniform(5.0, 40.0))
              for n in range(count)]
    sites = sites_of(*rng.uniform(0.0, 400.0, (15, 2)).tolist()).assign(
        antenna_height_m=rng.uniform(4.0, 90.0, 15), kind=rng.choice(["macro", "micro"], 15))
    got = flags(sites, *venues)
    reach = {"macro": MACRO_M, "micro": float(managed_distance_m(sites.assign(kind="micro"), load_equipment())[0])}
    for row, kind, height, point in zip(got.itertuples(), sites["kind"], sites["antenna_height_m"], sites.geometry,
                                        strict=True):
        slope = [np.hypot(point.distance(venue["geometry"]), max(height - venue["roof_height_m"], 0.0))
                 for venue in venues]
        assert row.flag == (min(slope) <= reach[kind])
        assert (row.sentence != "") == row.flag
        if row.flag:
            assert row.distance_m == pytest.approx(min(slope), abs=0.051)
            assert row.nearest == venues[int(np.argmin(slope))]["name"]


def test_the_answer_does_not_depend_on_the_order_of_rows() -> None:
    sites, twins = sites_of((500, 500), (900, 900)), [school(480, 500, name="西"), school(520, 500, name="东")]
    layer = table("facilities", {"F0": twins[0], "F1": twins[1]})
    got = emf_flags(sites, layer, load_equipment())
    turned = emf_flags(sites.iloc[::-1], layer.iloc[::-1], load_equipment())
    assert turned.loc[got.index].equals(got)
