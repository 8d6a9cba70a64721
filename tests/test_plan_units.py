"""Planning units: the numbers of a planning-unit sheet, and the columns of sites that they sum up."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
from conftest import CRS, X0, Y0, at, rect
from odc.geo.geobox import GeoBox

from siteplan.candidates.table import sites_table
from siteplan.coverage import load_exposure
from siteplan.coverage._exposure import Exposure
from siteplan.export.master.conflicts import conflict_count, conflicts_of
from siteplan.export.master.short_texts import reason_parts
from siteplan.export.master.site_columns import (
    bureau_numbers,
    county_codes,
    phases,
    site_columns,
    tower_heights_m,
)
from siteplan.export.master.units import unit_table

GRID = GeoBox.from_bbox((X0, Y0, X0 + 100, Y0 + 100), CRS, resolution=10)
UNITS = gpd.GeoDataFrame({"name": ["西", "东", "界外"]}, crs=CRS, index=pd.Index(["U1", "U2", "U3"], name="unit_code"),
                         geometry=[rect(0, 0, 45, 100), rect(45, 0, 100, 100), rect(900, 900, 990, 990)])
ROWS: list[dict[str, Any]] = [
    {"status": "proposed", "kind": "macro", "mount": "ground_tower", "build": "new", "station_count": 3, "rank_no": 2,
     "unit_code": "U1", "antenna_height_m": 32.0, "land_use_code": "1403", "build_year": 2027},
    {"status": "proposed", "kind": "micro", "mount": "pole", "build": "share", "station_count": 1, "rank_no": 1,
     "unit_code": "U1", "flags": "lease_unused|bridge", "evidence": "灯杆;提示:位于水域“溪;水”内,距道路16.7米;多杆合一"},
    {"status": "proposed", "kind": "macro", "mount": "roof_tower", "build": "new", "station_count": 2, "rank_no": 3,
     "unit_code": "U2", "antenna_height_m": 24.0, "build_year": 2032},
    {"status": "proposed", "kind": "macro", "mount": "mast", "build": "reuse", "station_count": 2, "rank_no": 4,
     "unit_code": "", "source": "station", "antenna_height_m": 41.0},
    {"status": "existing", "kind": "macro", "mount": "mast", "build": "reuse", "unit_code": "U2", "networks": "移动 5G"},
    {"status": "candidate", "kind": "macro", "mount": "roof_tower", "build": "new", "unit_code": "U2",
     "antenna_height_m": 18.0},
]


def sites(rows: list[dict[str, Any]] = ROWS) -> gpd.GeoDataFrame:
    table = pd.DataFrame(rows, index=pd.Index([f"S{number}" for number in range(len(rows))], dtype="str"))
    return sites_table(table, gpd.GeoSeries([at(5 + 15 * number, 50) for number in range(len(rows))], crs=CRS))


def coverage(probability: np.ndarray) -> Any:
    best = SimpleNamespace(probability=probability.astype(np.float32), server=np.full(GRID.shape, -1, np.int32),
                           rsrp_dbm=probability)
    return SimpleNamespace(geobox=GRID, sector_ids=(), any_5g=lambda: best)


def plan(table: gpd.GeoDataFrame | None = None, **changes: Any) -> Any:
    """As much of a plan as units and columns are made of; nothing is covered before, four columns on the left after."""
    after = np.zeros(GRID.shape)
    after[:, :4] = 1.0
    after[0, 9] = np.nan
    table = sites() if table is None else table
    none = gpd.GeoDataFrame({name: [] for name in ("name", "rule", "verdict_before", "verdict_after")},
                            geometry=[], crs=CRS)
    facts = {"sites": table, "proposed": table[table["status"] == "proposed"].sort_values("rank_no"),
             "context": {"units": UNITS}, "before": coverage(np.zeros(GRID.shape)), "after": coverage(after),
             "study": {"threshold_dbm": -105.0, "sha256": "ab"}, "versions": {"siteplan": "1"}, "exposure": None,
             "zones": none, "villages": none, "rules": {},
             "parameters": {"gaps": {"gap_probability": 0.75}, "selection": {"phases": {"years": [2027, 2032]}}}}
    return SimpleNamespace(**{**facts, **changes})


def test_units_sum_up_what_stands_in_them() -> None:
    """U1: 40 of 45 m are covered after. U2: nothing; its unknown pixel counts for nothing."""
    made = plan()
    units = unit_table(made, site_columns(made))
    assert units.index.tolist() == ["U1", "U2", "U3"]
    counts = ["sites_existing", "sites_total", "sites_new", "sites_reuse", "macro_new", "micro_new", "stations_new",
              "rooms_m2", "land_m2", "conflicts"]
    assert units[counts].to_numpy().tolist() == [
        [0, 2, 2, 0, 1, 1, 4, 5.5, 100.0, 2], [1, 2, 1, 0, 1, 0, 2, 5.5, 0.0, 0], [0, 0, 0, 0, 0, 0, 0, 0.0, 0.0, 0]]
    assert units["site_ids"].tolist() == ["S1|S0", "S2", ""]
    assert units["area_share_before"].tolist() == pytest.approx([0.0, 0.0, np.nan], nan_ok=True)
    assert units["area_share_after"].tolist() == pytest.approx([40 / 45, 0.0, np.nan], nan_ok=True, abs=1e-6)
    assert set(units["share_basis"]) == {"任一5G网络SS-RSRP≥-105dBm的预测概率按面积平均(可评估部分)"}
    assert units.geometry.equals(UNITS.geometry)


def test_a_mast_that_is_used_again_is_no_further_site() -> None:
    """The existing site of U2 gets 5G, as a chosen site of its own: still one site, and one tower beside it.

    A lamp pole that is shared (S1) was no site before.
    """
    rows = [*ROWS[:3], {**ROWS[3], "unit_code": "U2"}, *ROWS[4:]]
    made = plan(sites(rows))
    units = unit_table(made, site_columns(made))
    assert units[["sites_existing", "sites_new", "sites_reuse", "sites_total"]].to_numpy().tolist() == [
        [0, 2, 0, 2], [1, 1, 1, 2], [0, 0, 0, 0]]
    assert units.loc["U2", ["macro_new", "stations_new", "site_ids"]].tolist() == [2, 4, "S2|S3"]


def test_no_units_make_no_layer_and_no_site_makes_zeros() -> None:
    bare = plan(context={})
    assert unit_table(bare, site_columns(bare)) is None
    none = plan(sites().iloc[4:])
    units = unit_table(none, site_columns(none))
    assert units[["sites_new", "stations_new", "conflicts"]].to_numpy().sum() == 0
    assert units["sites_existing"].tolist() == [0, 1, 0]
    assert units["site_ids"].tolist() == ["", "", ""]


def test_columns_of_sites() -> None:
    """S0 ground tower, S1 lamp pole, S2 tower on a roof, S3 on a mast, S4 existing, S5 roof too low to tell."""
    table = site_columns(plan())
    assert table["tower_height_m"].tolist() == pytest.approx([32.0, np.nan, 9.0, 41.0, np.nan, np.nan], nan_ok=True)
    assert table["room_m2"].tolist() == pytest.approx([5.5, 0.0, 5.5, np.nan, np.nan, 5.5], nan_ok=True)
    assert table["land_m2"].tolist() == pytest.approx([100.0, *[np.nan] * 5], nan_ok=True)
    assert table["phase"].tolist() == ["近期", "", "中期", "", "", ""]
    assert table["bands"].tolist() == ["n78"] * 4 + ["", "n78"]
    assert table["land_use_name"].tolist() == ["广场用地", *[""] * 5]
    assert set(table["version"]) == {site_columns(plan(study={"threshold_dbm": 0, "sha256": "ab"}))["version"].iloc[0]}
    assert table["version"].iloc[0] != site_columns(plan(study={"threshold_dbm": 0, "sha256": "cd"}))["version"].iloc[0]
    assert (table["element_code"] == "").all()


def test_bands_are_those_that_the_study_gives() -> None:
    own = plan(parameters={"gaps": {"gap_probability": 0.75}, "equipment": {
        "site_types": {"macro": {"band": "n41"}, "micro": {"power_w": 5.0}}}})
    assert site_columns(own)["bands"].tolist()[:3] == ["n41", "n78", "n41"]


def test_conflicts_tell_the_sentence_of_the_rule() -> None:
    """The sentence belongs to the last flag: the first one was not given by a rule of place and has its short name."""
    found = conflicts_of(sites(), None, {})
    told = found["conflicts"]
    assert told.tolist() == ["", "租用未安装;桥上的杆:位于水域“溪；水”内,距道路16.7米", "", "", "", ""]
    assert found["conflict_codes"].tolist() == ["", "lease_unused|bridge", "", "", "", ""]
    assert conflict_count(told).tolist() == [0, 2, 0, 0, 0, 0]


@pytest.mark.parametrize(("flags", "evidence", "told"), [
    ("bridge", "灯杆;提示:距道路16.7米", "桥上的杆:距道路16.7米"), ("bridge", "提示:距道路3米", "桥上的杆:距道路3米"),
    ("bridge", "灯杆", "桥上的杆"), ("bridge|emf", "a;提示:一;提示:二", "桥上的杆:一;电磁环境敏感目标:二"),
    ("bridge", "a;提示:假;提示:真", "桥上的杆"), ("own", "", "own"),
    ("bridge", "a;提示:位于“开;多", "桥上的杆:位于“开"),
    ("land_ask", "a;提示:用地性质 16 留白用地,须先征得同意", "用地须先征得同意:用地性质 16 留白用地,须先征得同意"),
], ids=["sentence", "only a sentence", "none", "two", "more sentences than flags", "unknown code",
        "open quote", "land use"])
def test_flags_and_their_sentences(flags: str, evidence: str, told: str) -> None:
    table = sites([{"status": "proposed", "kind": "micro", "flags": flags, "evidence": evidence}])
    found = conflicts_of(table, None, {}).iloc[0]
    assert found.tolist() == [told, flags]


def exposure(share: float, *more: dict[str, Any]) -> Exposure:
    rules = load_exposure()
    sectors = pd.DataFrame({"site_id": ["S0"], "site_status": ["proposed"]}, index=["S0-1"])
    row = {"site_id": "S0", "site_status": "proposed", "target_id": "B;1", "target_name": "", "target_class": "home",
           "distance_m": 35.0, "worst_height_m": 10.7, "share": share, "total_share": share, "above_limit": share > 1,
           "above_managed": share > 0.2, "taller_near": False, "justify": False}
    far = {**row, "distance_m": 60.0, "above_limit": False}
    return Exposure(sectors, pd.DataFrame([row, far, *({**far, **entry} for entry in more)]), True, rules)


def test_exposure_above_the_limit_is_a_conflict() -> None:
    found = conflicts_of(sites(), exposure(1.28), {})
    assert found.loc["S0"].tolist() == ["电磁超限:B；1(住宅)处为限值的1.28倍(距离35米,估算)", "exposure_limit"]
    assert conflict_count(found["conflicts"])["S0"] == 1
    assert conflicts_of(sites(), exposure(0.9), {}).loc["S0"].tolist() == ["", ""]
    near = site_columns(plan(exposure=exposure(0.9)))["sensitive_m"]
    assert near.tolist() == pytest.approx([35.0, *[np.nan] * 5], nan_ok=True)


def test_the_building_below_the_antennas_is_flagged_and_not_the_nearest_one() -> None:
    """S0 stands on a school (0 m), the next sensitive building is 35 m away; S2 stands on a house with nothing near."""
    school = {"distance_m": 0.0, "target_name": "小学", "target_class": "school"}
    house = {"site_id": "S2", "distance_m": 0.0, "target_id": "B2"}
    table = site_columns(plan(exposure=exposure(0.9, school, house)))
    assert table["sensitive_m"].tolist() == pytest.approx([35.0, *[np.nan] * 5], nan_ok=True)
    assert table["conflicts"].tolist()[0] == "所在建筑敏感:小学(中小学)"
    assert table["conflicts"].tolist()[2] == "所在建筑敏感:B2(住宅)"
    assert table["conflict_codes"].tolist()[::2] == ["sensitive_own", "sensitive_own", ""]


def test_numbers_for_the_bureau_run_by_county_and_kind() -> None:
    """S1 (rank 1) is the only micro site, S0, S2 and S3 (ranks 2 to 4) are macro ones, S3 of no known county."""
    codes = pd.Series(["449921000000", "449921", "449921", "溪口", "449921", "449921"], index=sites().index)
    assert bureau_numbers(sites(), codes).tolist() == [
        "449921H0001", "449921W0001", "449921H0002", "000000H0001", "", ""]


@pytest.mark.parametrize("size", [0, 40, 200])
def test_a_reason_leaves_in_whole_clauses(size: int) -> None:
    """The clauses of both texts are those of the whole reason; the first text fits 254 bytes."""
    clauses = ["第1位:公共杆塔", "新增服务8524人", "权属" + "甲" * size, "须免费开放", "更优层级的" + "乙" * size]
    first, rest = reason_parts(";".join(clauses))
    assert len(first.encode()) <= 254
    told = [*first.removesuffix(";余见理由续").split(";"), *filter(None, rest.split(";"))]
    assert sorted(told) == sorted(clauses)
    assert first.endswith("余见理由续") == bool(rest)
    assert reason_parts("长" * 85) == ("见理由续", "长" * 85)


@pytest.mark.parametrize(("years", "told"), [
    ([], ["", "", "", ""]), ([2026], ["近期", "近期", "中期", "远期"]), ([2031, 2026], ["近期", "近期", "中期", "远期"]),
    ([2030], ["", "近期", "近期", "中期"])])
def test_phases_count_from_the_first_year(years: list[int], told: list[str]) -> None:
    assert phases(pd.Series([2026, 2030, 2031, 2036]), years).tolist() == told


def test_codes_of_counties_are_real_ones() -> None:
    """A made key is no code, and a name of two counties names none."""
    counties = gpd.GeoDataFrame({"name": ["甲县", "乙县", "丙县", "丙县", None]}, geometry=[rect(0, 0, 1, 1)] * 5, crs=CRS,
                                index=["449901", "counties-0123456789", "449903", "449904", "449905"])
    names = pd.Series(["甲县", "乙县", "丙县", "", "丁县"])
    assert county_codes(names, counties).tolist() == ["449901", "", "", "", ""]
    assert county_codes(names, None).tolist() == [""] * 5


def test_height_of_a_tower_that_stands_already_on_a_roof_is_not_known() -> None:
    rows = [{"mount": "roof_tower", "build": "reuse", "antenna_height_m": 40.0},
            {"mount": "ground_tower", "build": "reuse", "antenna_height_m": np.nan}]
    assert np.isnan(tower_heights_m(sites(rows))).all()


def test_shares_of_units_in_a_whole_plan(tmp_path: Path) -> None:
    """A unit that is a village has the village's share; the sites of the plan are counted once."""
    from master_town import town_plan

    from siteplan.export.master import plan_layers

    made = plan_layers(town_plan(tmp_path)).layers
    units, villages = made["units"], made["villages"]
    for state in ("before", "after"):
        assert units.loc[["U-W", "U-E"], f"area_share_{state}"].tolist() == pytest.approx(
            villages[f"area_share_{state}"].tolist(), abs=1e-9)
    assert (units["sites_new"] + units["sites_reuse"]).sum() == len(made["sites"])
    assert units["stations_new"].sum() == made["sites"]["station_count"].sum()
    assert units["rooms_m2"].sum() == pytest.approx(made["sites"]["room_m2"].sum())
    assert sorted("|".join(filter(None, units["site_ids"])).split("|")) == sorted(made["sites"].index)
