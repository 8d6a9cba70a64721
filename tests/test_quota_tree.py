"""The tree of quotas: what must add up, splits imported and made, replaced, and every fault with its row."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pandas as pd
import pytest

from siteplan.errors import RegisterError
from siteplan.gaps.progress.targets import Target, load_targets
from siteplan.register import Register, add_rows, edit_rows, read_events, read_rows, writing
from siteplan.register.quotas import (
    Areas,
    areas_of,
    decompose,
    import_split,
    needs_of,
    quotas_of_targets,
    split_problems,
    tree_problems,
)
from siteplan.register.rules import row_faults
from tests.registers import day, stamp

FREE = {"title": "免费开放公共区域站址", "level": "city", "area": "溪口市", "measure": "free_public", "unit": "站址", "value": 13,
        "since": day("2026-01-01"), "by": day("2026-12-31"), "is_current": True}
HARD = {**FREE, "title": "历年遗留疑难站址", "measure": "hard_site", "value": 6}
AREAS = Areas(frozenset({"溪西县", "溪东县"}), {"云岭镇": frozenset({"溪西县"}), "城关镇": frozenset({"溪西县", "溪东县"})}, "溪口市")


def row(row_id: str, parent: str = "", **values: Any) -> dict[str, Any]:
    return {**FREE, "id": row_id, "parent_id": parent or None, "is_current": True, **values}


def county(row_id: str, area: str, value: int, **values: Any) -> dict[str, Any]:
    return row(row_id, "ZB1", **{"level": "county", "area": area, "value": value, **values})


def faults(*rows: dict[str, Any], areas: Areas | None = AREAS) -> list[tuple[str, str]]:
    table = pd.DataFrame(rows).set_index("id")
    return [(problem.row, problem.field) for problem in tree_problems(table, areas)]


def test_thirteen_free_sites_and_six_hard_ones_add_up() -> None:
    assert faults(row("ZB1"), county("ZB2", "溪西县", 8), county("ZB3", "溪东县", 5),
                  row("ZB4", **{**HARD, "by": day("2026-12-31")}),
                  row("ZB5", "ZB4", **{**HARD, "level": "county", "area": "溪西县", "value": 4}),
                  row("ZB6", "ZB4", **{**HARD, "level": "county", "area": "溪东县", "value": 2})) == []


def test_a_city_without_counties_splits_to_towns() -> None:
    towns = Areas(frozenset(), {"三角镇": frozenset({""}), "民众镇": frozenset({""})}, "中山市")
    rows = [row("ZB1", area="中山市", value=5), row("ZB2", "ZB1", level="town", area="三角镇", value=3),
            row("ZB3", "ZB1", level="town", area="民众镇", value=2)]
    assert faults(*rows, areas=towns) == []
    rows[2]["value"] = 3
    assert faults(*rows, areas=towns) == [("ZB1", "value")]


def test_one_city_under_its_province_may_have_less_but_cities_side_by_side_add_up() -> None:
    province = row("ZB0", level="province", area="某省", value=100)
    assert faults(province, row("ZB1", "ZB0")) == []
    assert faults(province, row("ZB1", "ZB0", value=101)) == [("ZB0", "value")]
    assert faults(province, row("ZB1", "ZB0"), row("ZB2", "ZB0", area="江北市")) == [("ZB0", "value")]


@pytest.mark.parametrize(("rows", "found"), [
    ([county("ZB2", "溪西县", 8), county("ZB3", "溪东县", 4)], [("ZB1", "value")]),
    ([county("ZB2", "溪西县", 8, unit="基站"), county("ZB3", "溪东县", 5)], [("ZB2", "unit")]),
    ([county("ZB2", "溪西县", 8), county("ZB3", "溪东县", 5, measure="new")], [("ZB3", "measure")]),
    ([county("ZB2", "江北市", 8, level="city"), county("ZB3", "溪东县", 5)], [("ZB2", "level")]),
    ([county("ZB2", "溪西县", 8, by=day("2027-01-01")), county("ZB3", "溪东县", 5)], [("ZB2", "by")]),
    ([county("ZB2", "溪西县", 8, since=day("2025-12-31")), county("ZB3", "溪东县", 5)], [("ZB2", "since")]),
    ([county("ZB2", "溪西县", 8), county("ZB3", "溪西县", 5)], [("ZB3", "area")]),
    ([county("ZB2", "溪西县", 8), county("ZB3", "溪北县", 5)], [("ZB3", "area")]),
    ([row("ZB2", "ZB1", level="town", area="云岭镇"), row("ZB3", "ZB2", level="town", area="城关镇")],
     [("ZB3", "level"), ("ZB3", "area")]),                         # a town below a town; and 城关镇 of which county
    ([row("ZB2", "ZB1", level="town", area="城关镇")], [("ZB2", "area")]),
    ([row("ZB2", "ZB1", level="town", area="溪东县/城关镇")], []),
    ([row("ZB2", "ZB1", level="town", area="溪东县/云岭镇")], [("ZB2", "area")]),
    ([county("ZB2", "溪西县", 8), row("ZB3", "ZB1", level="town", area="云岭镇", value=5)], [("ZB3", "area")]),
    ([row("ZB2", "ZB9", level="county", area="溪西县")], [("ZB2", "parent_id")]),
    ([row("ZB2", "ZB3", value=None), row("ZB3", "ZB2", by=None)],
     [("ZB2", "value"), ("ZB3", "by"), ("ZB2", "parent_id"), ("ZB3", "parent_id"), ("ZB2", "level"), ("ZB3", "level")]),
    ([row("ZB2", "ZB2")], [("ZB2", "parent_id"), ("ZB2", "level")]),
    ([row("ZB2")], [("ZB2", "area")]),                             # the same quota of the city twice
    ([row("ZB2", area="江北市")], [("ZB2", "area")]),                # not the city of this register
    ([row("ZB2", is_current=False, value=1), row("ZB3", "ZB2", level="county", area="溪西县")], [("ZB3", "parent_id")]),
    ([county("ZB2", "溪西县", 3, is_current=False)], []),
])
def test_each_fault_of_a_tree_is_told_with_its_row(rows: list[dict[str, Any]], found: list[tuple[str, str]]) -> None:
    assert faults(row("ZB1"), *rows) == found


def test_a_split_problem_names_the_line_of_the_file() -> None:
    parts = [{**FREE, "level": "county", "area": "溪西县", "value": 13, "unit": "基站", "source_file": "分解表.xlsx",
              "source_row": "第3行"}]
    [problem] = split_problems({**FREE, "id": "ZB1"}, parts)
    assert (problem.file, problem.row, problem.field) == ("分解表.xlsx", "第3行", "unit")
    assert "不能混计" in problem.reason


def add_quota(register: Register, **values: Any) -> str:
    with writing(register, stamp("2026-01-10")) as transaction:
        [row_id] = add_rows(transaction, "quotas", [{**FREE, **values}])
    return row_id


def test_a_decided_split_is_written_with_what_it_takes_over(register: Register) -> None:
    parent = add_quota(register)
    with writing(register, stamp("2026-01-20")) as transaction:
        ids = import_split(transaction, parent, [{"area": "溪西县", "value": "8", "organisation": "溪西县"},
                                                 {"area": "溪东县", "value": 5, "by": "2026-06-30"}])
    table = read_rows(register, "quotas")
    assert table.loc[ids, ["level", "area", "value", "unit", "measure", "parent_id"]].to_numpy().tolist() == [
        ["county", "溪西县", 8, "站址", "free_public", parent], ["county", "溪东县", 5, "站址", "free_public", parent]]
    assert table.loc[ids, "by"].tolist() == [pd.Timestamp("2026-12-31"), pd.Timestamp("2026-06-30")]
    assert table.loc[ids, "basis"].tolist() == ["导入已定的分解"] * 2
    assert tree_problems(table, areas_of(read_rows(register, "organisations"))) == []


def test_a_split_that_does_not_add_up_is_refused_whole_with_all_its_faults(register: Register) -> None:
    parent = add_quota(register)
    rows = [{"area": "溪西县", "value": 8, "source_file": "a.xlsx", "source_row": "2"},
            {"area": "溪北县", "value": 4, "source_file": "a.xlsx", "source_row": "3"},
            {"area": "溪东县", "value": "很多", "source_file": "a.xlsx", "source_row": "4"},
            {"area": None, "value": 1, "source_file": "a.xlsx", "source_row": "5"}]
    with pytest.raises(RegisterError) as caught, writing(register, stamp("2026-01-20")) as transaction:
        import_split(transaction, parent, rows)
    assert [(problem.row, problem.field) for problem in caught.value.problems] == [
        ("4", "value"), ("5", "area"), ("3", "area")]
    with pytest.raises(RegisterError, match="下级任务数合计 12,应为 13,少 1"), \
            writing(register, stamp("2026-01-20")) as transaction:
        import_split(transaction, parent, [{"area": "溪西县", "value": 8}, {"area": "溪东县", "value": 4}])
    with pytest.raises(RegisterError, match="没有这一现行指标"), writing(register, stamp("2026-01-20")) as transaction:
        import_split(transaction, "ZB000099", [])
    with pytest.raises(RegisterError, match="分解没有任何区域"), writing(register, stamp("2026-01-20")) as transaction:
        import_split(transaction, parent, [])
    assert read_rows(register, "quotas").index.tolist() == [parent]


def test_a_split_by_need_tells_how_and_a_new_one_replaces_it_with_all_below(register: Register) -> None:
    parent = add_quota(register)
    with writing(register, stamp("2026-01-20")) as transaction:
        old = decompose(transaction, parent, "县区", {"溪西县": 60, "溪东县": 40}, basis="缺口需求")
        [below] = decompose(transaction, old[0], "town", {"云岭镇": 1})
    table = read_rows(register, "quotas")
    assert table.loc[old, "value"].tolist() == [8, 5]
    assert table.loc[old[0], "basis"] == "按缺口需求用最大余数法分解:需求 60/合计 100,应得 7.80"
    with writing(register, stamp("2026-03-01")) as transaction:
        same = decompose(transaction, parent, "county", {"溪西县": 6, "溪东县": 4})
        new = decompose(transaction, parent, "county", {"溪西县": 60, "溪东县": 40}, floors={"溪东县": 7}, basis="缺口需求")
    assert same == old                                             # nothing to replace
    after = read_rows(register, "quotas")
    assert after.loc[new, "value"].tolist() == [6, 7]
    assert after.loc[new[1], "basis"].endswith("应得 7.00,下限7")
    assert after["is_current"].to_dict() == {parent: True, old[0]: False, old[1]: False, below: False,
                                             new[0]: True, new[1]: True}
    log = read_events(register, table="quotas", field="is_current")
    assert log["why"].unique().tolist() == [f"指标 {parent} 重新分解(按缺口需求用最大余数法分解)"]
    assert read_rows(register, "quotas", day("2026-02-28"))["is_current"].all()
    assert tree_problems(after, areas_of(read_rows(register, "organisations"))) == []


def test_needs_of_the_register_say_what_they_are() -> None:
    sites = pd.DataFrame({
        "state": ["reserve", "ready", "on_air", "withdrawn", "building", "reserve"],
        "county": ["甲", "乙", "甲", "甲", "乙", None], "town": ["一镇", None, "一镇", None, "二镇", None],
        "gain_demand": [10.0, 20.0, 99.0, 99.0, None, 5.0]})
    needs = needs_of(sites, None, "county")
    assert needs.values == {"甲": 10.0, "乙": 20.0}
    assert needs.notes == ("1处储备站址未注明县区,未计入需求", "1处储备站址没有预计新增服务需求,按0计")
    assert needs_of(sites, None, "county", "sites").values == {"甲": 1.0, "乙": 2.0}
    assert needs_of(sites, None, "town", "sites").values == {"甲/一镇": 1.0, "乙/二镇": 1.0}
    indicators = pd.DataFrame(
        [("2025-12-31", "甲", "people_left", 9.0), ("2026-06-30", "甲", "people", 1000.0),
         ("2026-06-30", "甲", "population_share", 0.75), ("2026-06-30", "乙", "people", 10.0)],
        columns=["day", "area", "name", "now"]).assign(level="county", day=lambda table: pd.to_datetime(table["day"]))
    people = needs_of(sites, indicators, "county", "people")
    assert (people.values, people.basis) == ({"甲": 250.0}, "未覆盖人口(2026-06-30)")
    assert people.notes == ("乙没有未覆盖人口,未计入需求",)
    with pytest.raises(RegisterError, match="没有这一层级的覆盖指标"):
        needs_of(sites, indicators, "town", "people")
    with pytest.raises(RegisterError):
        needs_of(sites, None, "province")


def test_targets_of_a_study_become_quotas(register: Register) -> None:
    known = load_targets()
    rows = quotas_of_targets(known.values(), "溪口市")
    assert [(one["measure"], one["value"], one["by"]) for one in rows] == [
        ("new", 2600, dt.date(2022, 12, 31)), ("total", 10000, dt.date(2024, 12, 31))]
    with writing(register, stamp("2026-01-10")) as transaction:
        add_rows(transaction, "quotas", rows)
    assert tree_problems(read_rows(register, "quotas"), AREAS) == []
    each = Target(id="each", level="county", measure="site_quota", value=3, unit="站址", by=dt.date(2026, 12, 31),
                  source="a test")
    with pytest.raises(RegisterError) as caught:
        quotas_of_targets([each], "溪口市")
    assert [problem.row for problem in caught.value.problems] == ["each"]


@pytest.mark.parametrize(("values", "fields"), [
    ({"measure": "free_public", "unit": "村"}, ["unit"]),
    ({"measure": "other", "unit": "项", "counted": "register"}, ["counted"]),
    ({"measure": "new", "unit": "村", "counted": "register"}, ["counted"]),
    ({"level": "province", "area": "某省", "counted": "register"}, ["counted"]),
    ({"level": "county", "area": "*"}, ["area"]), ({"since": day("2027-01-01")}, ["by"]),
    ({"base_value": 3}, ["base_value"]),
    ({"measure": "total", "base_value": 14, "since": None}, ["base_value", "base_value"]),
    ({"measure": "total", "base_value": 3}, []), ({"counted": "register"}, []),
])
def test_a_quota_that_cannot_be_is_told(values: dict[str, Any], fields: list[str]) -> None:
    assert [fault.field for fault in row_faults("quotas", None, {**FREE, **values})] == fields


def test_what_no_quota_can_hold_is_refused_with_all_its_faults(register: Register) -> None:
    with pytest.raises(RegisterError) as caught:
        add_quota(register, value=-1, unit="座", measure="新建", level="县区", area="各县区", since="2027-01-01")
    assert [problem.field for problem in caught.value.problems] == ["unit", "value", "area", "by"]


def test_an_edit_by_hand_that_breaks_the_sum_is_found(register: Register) -> None:
    parent = add_quota(register)
    with writing(register, stamp("2026-01-20")) as transaction:
        ids = import_split(transaction, parent, [{"area": "溪西县", "value": 8}, {"area": "溪东县", "value": 5}])
        edit_rows(transaction, "quotas", {ids[0]: {"value": 9}}, "会议调整")
    [problem] = tree_problems(read_rows(register, "quotas"), AREAS)
    assert (problem.row, problem.reason) == (parent, "下级任务数合计 14,应为 13,多 1")
