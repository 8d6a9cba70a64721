"""The review map's further layers, tooltips and panel tables: gaps by reason, complaints, lines, buildings, targets."""

from __future__ import annotations

import copy
import json
from typing import Any

import numpy as np
import pandas as pd
import pytest
from map_plan import HOSTILE, make_plan
from test_maps import SMALL, data_of

from siteplan.gaps.holes.causes import CAUSE_ZH
from siteplan.maps import _gap_layers, render_review_map
from siteplan.maps._area_layer import area_layer
from siteplan.maps._gap_layers import building_layer, complaint_layer, gap_layer, result_layers
from siteplan.maps._panel import list_indicators

pytestmark = pytest.mark.filterwarnings("ignore::PendingDeprecationWarning")


@pytest.fixture(scope="module")
def plan() -> Any:
    return make_plan(**SMALL)


def told(layer: dict[str, Any], number: int) -> dict[str, str]:
    """Field -> value of one item's tooltip, without the empty ones."""
    pairs = zip(layer["fields"], layer["items"][number]["values"], strict=True)
    return {field: value for field, value in pairs if value}


def panel(plan: Any, label: str) -> Any:
    return next(row for row in list_indicators(plan) if row["label"] == label)


def test_gap_says_why_and_what_is_near(plan: Any) -> None:
    layer = gap_layer(plan.gaps_before, 50.0)
    assert told(layer, 1) == {
        "类型": "聚居", "面积": f"{plan.gaps_before['area_m2'].iloc[1] / 1e4:,.2f} 公顷",
        "需求": f"{plan.gaps_before['demand'].iloc[1]:,.0f} 人", "投诉": "1 件", "未覆盖点位": "2 处",
        "原因": "有基站但信号弱(距离远或受遮挡)", "最近站址": "S-1,812 m", "最近应开放场所": "东升镇文化站,340 m",
        "涉及行政村": "甲村、乙村", "镇街": "示例县 东升镇", "编号": "G-1"}
    assert layer["items"][1]["look"] == "buildings"


def test_land_is_faint_and_only_the_first_populated_gaps_carry_a_rank(plan: Any) -> None:
    kinds = ["land"] + ["populated"] * 29
    many = pd.concat([plan.gaps_before.iloc[:1]] * 30).assign(rank_no=range(1, 31), gap_type=kinds)
    items = gap_layer(many, 50.0)["items"]
    assert [bool(item.get("faint")) for item in items] == [True] + [False] * 29
    assert [item["no"] for item in items if "no" in item] == list(range(2, 21))


def test_every_reason_has_a_look_a_hatch_and_a_word(plan: Any) -> None:
    page = render_review_map(plan)
    reasons = dict(data_of(page)["layers"]["reasons"])
    assert reasons == {**{code: CAUSE_ZH[code] for code in ("no_site", "terrain", "buildings", "weak")}, "": "原因未分析"}
    for code in reasons:
        assert page.count(f'<pattern id="sp-gap-{code or "none"}"') == 1
    looks = {item["look"] for item in gap_layer(plan.gaps_before, 50.0)["items"]}
    assert looks <= set(reasons)


def test_gaps_of_an_old_plan(plan: Any) -> None:
    old = plan.gaps_after[["rank_no", "area_m2", "demand", "demand_kind", "reason", "geometry"]]
    layer = gap_layer(old, 50.0)
    assert {item["look"] for item in layer["items"]} == {""}
    assert set(told(layer, 0)) == {"面积", "需求", "原因", "编号"}


def test_area_tells_band_chance_and_operators(plan: Any) -> None:
    row = plan.villages.iloc[0]
    found = told(area_layer(plan, "villages", 25.0), 0)
    assert found["评判规则"] == plan.rules["area_share_95"].zh
    low, high = (np.floor(1000 * row[name] + 1e-9) / 10 for name in ("share_low_before", "share_high_before"))
    assert found["覆盖率80%区间"].startswith(f"面积 {low:.1f}%~{high:.1f}%")
    assert found["各运营商(现状)"] == "移动✗ 电信✗"
    assert found["各运营商(规划后)"] == "移动✓ 电信?"
    assert found["4G"] == f"已通(预测,规则:{plan.rules['village_4g_2018'].zh},与预测不一致,需核实)"
    assert found["光纤"] == "无资料"
    zone = told(area_layer(plan, "zones", 25.0), 0)
    assert (zone["4G"], zone["光纤"]) == ("未通(上报)", "已通(光缆图层,与光缆图层不一致,需核实)")


def test_area_that_cannot_be_judged_has_no_chance_of_passing(plan: Any) -> None:
    assert plan.villages["verdict_after"].iloc[-1] == "not_assessable"
    assert plan.villages["pass_probability_after"].iloc[-1] == 1.0
    found = told(area_layer(plan, "villages", 25.0), len(plan.villages) - 1)
    assert found["达标概率"] == "无法判定"
    assert "%" not in found["面积覆盖率"]


def test_rule_of_the_study_is_told_by_its_own_sentence(plan: Any) -> None:
    own = copy.copy(plan)
    sentence = "本市规则:面积覆盖率不低于93%"
    own.rules = {**plan.rules, "ours": plan.rules["area_share_95"].model_copy(update={"id": "ours", "zh": sentence})}
    own.villages = plan.villages.assign(rule="ours")
    assert told(area_layer(own, "villages", 25.0), 0)["评判规则"] == sentence
    assert sentence in panel(own, "行政村达标")["note"]


def test_band_names_the_share_that_the_rule_measures(plan: Any) -> None:
    own = copy.copy(plan)
    own.zones = plan.zones.assign(rule="population_share_95")
    assert told(area_layer(own, "zones", 25.0), 0)["覆盖率80%区间"].startswith("需求 ")


def test_complaints_that_count_by_finding_without_their_words(plan: Any) -> None:
    layer = complaint_layer(plan.results["complaints"])
    assert layer["total"] == len(layer["items"]) == 28
    assert sum(number for _, _, number in layer["findings"]) == 28
    assert layer["findings"][0][0] == "unknown"
    assert "SECRET" not in render_review_map(plan)
    assert layer["items"][0]["title"] == "2024-02-06 12345热线"


def test_long_lists_are_cut_and_say_so(plan: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_gap_layers, "MOST_COMPLAINTS", 3)
    monkeypatch.setattr(_gap_layers, "MOST_BUILDINGS", 2)
    for layer, total, shown in ((complaint_layer(plan.results["complaints"]), 28, 3),
                                (building_layer(plan.results["indoor_buildings"]), 3, 2)):
        assert (layer["total"], len(layer["items"])) == (total, shown)


def test_buildings_that_must_and_are_not_reached(plan: Any) -> None:
    layer = building_layer(plan.results["indoor_buildings"])
    assert [item["values"][-1] for item in layer["items"]] == ["B-0", "B-2", "B-3"]  # B-1 has an indoor system
    assert [(code, number) for code, _, number in layer["states"]] == [("no", 1), ("unknown", 2)]


def test_hot_spots_and_stretches(plan: Any) -> None:
    layers = result_layers(plan, 50.0)
    assert told(layers["hot_spots"], 0) == {
        "投诉": "6 件", "时间": "2024-02-01 至 2024-02-06", "来源": "12345热线6", "运营商": "移动4", "结论(现状)": "位于覆盖空洞",
        "位于空洞的占比": "50%", "行政村": "甲村", "编号": "H-1"}
    assert not {"时间", "位于空洞的占比"} & set(told(layers["hot_spots"], 1))
    assert layers["stretches"]["total"] == "0.3 km"
    assert layers["stretches"]["items"][0]["shape"]["type"] == "LineString"


def test_targets_tell_wanted_reached_and_still_needed(plan: Any) -> None:
    first, second, third = panel(plan, "规划目标")["rows"]
    assert (first["before"], first["after"]) == ("22,还差 4", "33 ✓")
    assert first["note"].startswith("应达到 26(共 36);期限 2027-12-31;规划后无法判定 3;规则:行政村通5G")
    assert (second["before"], second["after"]) == ("10,还差 30", "35,还差 5")
    assert second["note"] == "应达到 40;期限 2024-12-31"
    assert (third["label"], third["before"], third["after"]) == ("全覆盖(示例县)", "无法判定", "无法判定")
    assert third["note"].endswith("规则:my_rule")
    assert [panel(plan, "目标达成")[state] for state in ("before", "after")] == ["0/3", "1/3"]


def test_ranking_best_first_and_none_without_score(plan: Any) -> None:
    group = panel(plan, "县区排名")
    assert "5G覆盖综合评分" in group["note"]
    assert [(row["label"], row["before"], row["after"]) for row in group["rows"]] == [
        ("乙县", "50.00 (2)", "80.50 (1)"), ("甲县", "60.00 (1)", "70.25 (2)"), ("丙县", "无法判定", "无法判定")]
    assert group["rows"][2]["note"] == "缺:重点区域达标率"


def test_lines_name_their_rule_and_what_is_unknown(plan: Any) -> None:
    row = panel(plan, "线路达标")
    assert (row["before"], row["after"]) == ("0/3", "1/3")
    for part in (plan.rules["line_share_95"].zh, "1 段无法判定,不计入达标", "1 处未覆盖路段,共 0.3 km"):
        assert part in row["note"]


def test_complaints_and_rules_in_the_panel(plan: Any) -> None:
    group = panel(plan, "投诉与模型对照")
    assert "另有 2 件重复或在范围外,不计" in group["note"]
    assert sum(int(row["before"]) for row in group["rows"]) == 28
    rows = panel(plan, "同一批行政村按不同规则")["rows"]
    assert [(row["label"], row["before"], row["after"]) for row in rows] == [
        ("规则一", "22/36", "33/36"), ("规则二", "1/36", "6/36")]


def test_plan_without_results_still_has_a_page(plan: Any) -> None:
    old = copy.copy(plan)
    del old.results
    del old.rules
    old.gaps_before, old.gaps_after = (gaps.drop(columns=["gap_type", "reason_code", "complaints", "venue_name"])
                                       for gaps in (plan.gaps_before, plan.gaps_after))
    bands = [name for name in plan.villages if name.startswith(("share_", "pass_"))]
    old.villages, old.zones = plan.villages.drop(columns=bands), plan.zones.drop(columns=bands)
    data = data_of(render_review_map(old))
    assert not {"complaints", "hot_spots", "stretches", "indoor_gaps", "indoor_buildings"} & set(data["layers"])
    assert not any("rows" in row for row in data["indicators"])
    assert not {"覆盖率80%区间", "达标概率", "各运营商(现状)", "4G"} & set(told(data["layers"]["villages"], 0))


def test_empty_results_are_left_out(plan: Any) -> None:
    bare = copy.copy(plan)
    bare.results = {name: table.iloc[:0] for name, table in plan.results.items()}
    data = data_of(render_review_map(bare))
    assert not {"complaints", "hot_spots", "stretches", "indoor_gaps", "indoor_buildings"} & set(data["layers"])
    assert not any("rows" in row for row in data["indicators"])


def test_words_of_results_stay_data() -> None:
    page = render_review_map(make_plan(**SMALL, hostile=True))
    data = data_of(page)
    said = json.dumps([data["layers"], [row for row in data["indicators"] if "rows" in row]], ensure_ascii=False)
    shown = [word for number, word in enumerate(HOSTILE) if number != 7]  # names of lines are not on the page
    assert [word for word in shown if json.dumps(word.strip(), ensure_ascii=False)[1:-1] not in said] == []
    blob = page.split('id="siteplan-data">')[1].split("</script>", maxsplit=1)[0]
    assert not set("<>$`\u2028\u2029") & set(blob)
