"""Results of whole small studies: a square kilometre, its answers worked out by hand."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from conftest import CRS, X0, Y0, rect
from shapely import LineString
from test_minimal_studies import ground, rows, shapes, stations, study, villages

from siteplan.plan import Plan
from siteplan.study import run

STRONG = {"参考信号功率": 40.0}
"""So strong that the whole square is covered."""


def points(folder: Path, *records: tuple[str, str, float, float, str]) -> dict[str, Any]:
    """Village points: village, kind, x, y, whether it is there."""
    rows(folder / "points.csv", *({"行政村代码": code, "类型": kind, "名称": kind, "x": X0 + x, "y": Y0 + y, "是否设有": there}
                                  for code, kind, x, y, there in records))
    return {"village_points": {"path": "points.csv", "crs": CRS}}


ALL_POINTS = tuple((code, kind, x, 500.0, "是") for code, x in (("449901", 250.0), ("449902", 750.0))
                   for kind in ("村委会", "学校", "卫生室"))


def plan_of(folder: Path, layers: dict[str, Any], **tables: Any) -> Plan:
    return run(study(folder, layers, **tables))


def test_without_4g_cells_nothing_is_said_of_4g(tmp_path: Path) -> None:
    plan = plan_of(tmp_path, {**ground(tmp_path), **villages(tmp_path), **stations(tmp_path, STRONG),
                              **points(tmp_path, *ALL_POINTS)})
    row = plan.results["rules"].loc["village_4g_2018"]
    assert row[["passed_before", "failed_before", "not_assessable_before"]].tolist() == [0, 0, 2]
    assert plan.results["connectivity"]["has_4g"].unique().tolist() == ["unknown"]


def test_a_4g_rule_for_villages_without_4g_cells_is_not_assessable(tmp_path: Path) -> None:
    plan = plan_of(tmp_path, {**ground(tmp_path), **villages(tmp_path), **stations(tmp_path, STRONG),
                              **points(tmp_path, *ALL_POINTS)}, gaps={"village_rule": "village_4g_2018"})
    assert plan.villages["verdict_before"].tolist() == ["not_assessable"] * 2
    assert plan.villages["reason_before"].str.contains("没有4G工参").all()
    assert plan.villages["area_share_before"].isna().all()


def test_a_village_near_a_4g_site_passes_and_no_chance_contradicts_it(tmp_path: Path) -> None:
    far = {"制式": "4G", "频段": "B3", "参考信号功率": -30.0}
    plan = plan_of(tmp_path, {**ground(tmp_path), **villages(tmp_path), **stations(tmp_path, far),
                              **points(tmp_path, *ALL_POINTS)}, gaps={"village_rule": "village_4g_2018"})
    assert plan.villages["verdict_before"].tolist() == ["pass"] * 2
    assert plan.villages["pass_probability_before"].isna().all()


def test_lines_that_are_not_there_are_no_lines(tmp_path: Path) -> None:
    shapes(tmp_path / "roads.gpkg", [LineString([(X0, Y0 + 500), (X0 + 1000, Y0 + 500)])], name=["人民路"],
           road_class=["主干路"])
    plan = plan_of(tmp_path, {**ground(tmp_path), **villages(tmp_path), **stations(tmp_path, STRONG),
                              "roads": "roads.gpkg"})
    assert plan.indicators["before"]["lines"]["total"] == 1
    assert plan.results["lines"].at["roads:人民路", "length_m"] == pytest.approx(1000.0)


def test_a_threshold_of_a_rule_is_predicted_and_told(tmp_path: Path) -> None:
    """One station in the middle: at -105 dBm more of the land is covered than at -60 dBm."""
    layers = {**ground(tmp_path), **villages(tmp_path), **stations(tmp_path)}
    own = {"village_rule": "loud", "rules": {"loud": {"like": "area_share_95", "zh": "响亮", "threshold_dbm": -60.0}}}
    rules = own.pop("rules")
    plain, loud = (plan_of(tmp_path, layers, **tables) for tables in (
        {}, {"gaps": own, "gaps.rules.loud": rules["loud"]}))
    assert (loud.villages["area_share_before"] < plain.villages["area_share_before"] - 0.2).all()
    assert loud.villages["rule"].unique().tolist() == ["loud"]
    told = loud.results["comparison"].loc["villages.rate", "rule_before"]
    assert "-60dBm" in told
    assert "-105" not in told
    assert "-105" in loud.results["comparison"].loc["area_share", "rule_before"]


def test_every_operator_must_reach_where_the_rule_says_so(tmp_path: Path) -> None:
    """移动 covers all, 联通 is dumb: any passes, every fails and names 联通."""
    dumb = {**STRONG, "小区号": "B-1", "站号": "B", "运营商": "联通", "频段": "n78", "参考信号功率": -40.0, "x": X0 + 100.0}
    layers = {**ground(tmp_path), **villages(tmp_path), **stations(tmp_path, STRONG, dumb)}
    rule = {"like": "area_share_80", "zh": "每家80%", "operators": "every"}
    plan = plan_of(tmp_path, layers, gaps={"village_rule": "all"}, **{"gaps.rules.all": rule})
    assert plan.villages["verdict_before"].tolist() == ["fail"] * 2
    assert plan.villages["reason_before"].str.contains("联通").all()
    assert plan.villages["pass_probability_before"].isna().all()
    told = plan.results["operators"].xs("villages")["verdict_before"]
    assert told.xs("移动", level="network").tolist() == ["pass"] * 2
    assert told.xs("联通", level="network").tolist() == ["fail"] * 2


def test_zones_of_a_type_have_their_own_rule(tmp_path: Path) -> None:
    shapes(tmp_path / "zones.gpkg", [rect(0, 0, 500, 500), rect(500, 500, 1000, 1000)], 编号=["Z1", "Z2"], 名称=["景", "院"],
           类型=["景区", "医院"])
    layers = {**ground(tmp_path), **villages(tmp_path), **stations(tmp_path, STRONG), "zones": "zones.gpkg"}
    plan = plan_of(tmp_path, layers, **{"gaps.zone_rules": {'"景区"': "area_share_80", '"车站"': "area_share_98"}})
    assert plan.zones["rule"].to_dict() == {"Z1": "area_share_80", "Z2": "area_share_95"}
    parts = plan.indicators["before"]["zones"]["by_rule"]
    assert [part["rule"] for part in parts] == ["area_share_80", "area_share_95"]
    assert any(line.field == "gaps.zone_rules" and line.value == "车站" for line in plan.ledger)


def test_complaints_before_the_day_count_nowhere(tmp_path: Path) -> None:
    rows(tmp_path / "told.csv", *({"工单号": f"C{number}", "日期": day, "运营商": "移动", "内容": f"信号弱{number}",
                                   "x": X0 + 40.0 + 5 * number, "y": Y0 + 40.0}
                                  for number, day in enumerate(["2023-05-01", "2024-05-01", "2024-06-01"])))
    layers = {**ground(tmp_path), **villages(tmp_path), "complaints": {"path": "told.csv", "crs": CRS},
              **stations(tmp_path, {"参考信号功率": -60.0})}
    for since, count in ((None, 3), ("2024-01-01", 2)):
        tables = {} if since is None else {"gaps": {"complaints_since": since}}
        results = plan_of(tmp_path, layers, **tables).results
        assert int(results["complaints"]["counted"].sum()) == count
        assert int(results["complaint_findings"]["number"].sum()) == count
        assert int(results["complaint_rates"]["number"].sum()) == count


def test_nobody_lives_here_is_no_share(tmp_path: Path) -> None:
    """All people live in the west: the east has no share of people, and no verdict about them."""
    rows(tmp_path / "people.csv", {"x": X0 + 200.0, "y": Y0 + 500.0, "人口": 100})
    layers = {**ground(tmp_path), **villages(tmp_path), **stations(tmp_path, STRONG),
              "population": {"path": "people.csv", "crs": CRS}}
    plan = plan_of(tmp_path, layers, gaps={"village_rule": "population_share_95"})
    east = plan.villages.loc["449902"]
    assert np.isnan(east["demand_share_before"])
    assert east["verdict_before"] == "not_assessable"
    assert plan.villages.at["449901", "verdict_before"] == "pass"


def test_overlapping_villages_are_told_and_each_counts_its_own(tmp_path: Path) -> None:
    shapes(tmp_path / "villages.gpkg", [rect(0, 0, 600, 1000), rect(500, 0, 1000, 1000)], 村代码=["449901", "449902"],
           村名=["西村", "东村"])
    plan = plan_of(tmp_path, {**ground(tmp_path), "villages": "villages.gpkg", **stations(tmp_path, STRONG)})
    assert any(line.layer == "villages" and "重叠" in line.reason for line in plan.ledger)
    assert plan.villages["area_m2"].tolist() == [600_000.0, 500_000.0]
