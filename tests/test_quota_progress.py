"""Progress of quotas: the papers' own numbers by hand, cut-offs, what counts, and what may never happen."""

from __future__ import annotations

import datetime as dt
from fractions import Fraction
from typing import Any

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from siteplan.errors import RegisterError
from siteplan.gaps.progress.targets import Target, shortfall
from siteplan.register import Register, add_rows, read_rows, writing
from siteplan.register.quotas import (
    Quota,
    linear_share,
    months_between,
    quota_milestones,
    quota_of,
    quota_progress,
    shortfall_by_year,
)
from tests.registers import day, stamp

DAYS = st.dates(dt.date(2018, 1, 1), dt.date(2030, 12, 31))
TEXTS = ("title", "parent_id", "level", "area", "measure", "unit", "organisation", "counted", "basis", "source")
SITE = {"name": "站", "state": "on_air", "on_air_on": None, "station_count": 1.0, "is_free": None, "is_hard": None,
        "county": None, "town": None}


def quotas_of(*rows: dict[str, Any]) -> pd.DataFrame:
    """The table quotas with some rows: S4's by default."""
    full = [{"id": f"ZB{number}", **dict.fromkeys(TEXTS), "title": "新建5G基站", "level": "city", "area": "中山市",
             "measure": "new", "unit": "基站", "value": 3399.0, "since": "2020-01-01", "by": "2020-12-31",
             "base_value": None, "is_current": True, **row} for number, row in enumerate(rows, 1)]
    table = pd.DataFrame(full).set_index("id")
    return table.assign(since=pd.to_datetime(table["since"]), by=pd.to_datetime(table["by"]))


def sites_of(*rows: dict[str, Any]) -> pd.DataFrame:
    table = pd.DataFrame([{**SITE, **row} for row in rows], columns=list(SITE),
                         index=pd.Index([f"ZZ{number}" for number in range(len(rows))], name="id"))
    return table.assign(on_air_on=pd.to_datetime(table["on_air_on"]), is_free=table["is_free"].astype("boolean"),
                        is_hard=table["is_hard"].astype("boolean"),
                        station_count=table["station_count"].astype("float64"))


def reports_of(*rows: tuple[str, str, int]) -> pd.DataFrame:
    table = pd.DataFrame(rows, columns=["quota_id", "day", "value"],
                         index=[f"SB{number}" for number in range(len(rows))])
    return table.assign(day=pd.to_datetime(table["day"]))


def on_air(*days: str | None, **values: Any) -> pd.DataFrame:
    return sites_of(*({"on_air_on": one, **values} for one in days))


def one(quotas: pd.DataFrame, sites: pd.DataFrame | None, reports: pd.DataFrame | None, as_of: str, **more: Any) -> Any:
    table = quota_progress(quotas, sites_of() if sites is None else sites, reports, day(as_of), **more)
    return table.iloc[0]


def test_2289_of_3399_at_the_end_of_august_is_on_schedule() -> None:
    row = one(quotas_of({"counted": "reported"}), None, reports_of(("ZB1", "2020-08-31", 2289)), "2020-08-31")
    assert (row["status"], row["status_zh"], row["light"]) == ("on_schedule", "达到进度", "green")
    assert (row["done"], row["needed"], row["counted"]) == (2289, 1110, "reported")
    assert row["share"] == pytest.approx(2289 / 3399)
    assert row["plan_share"] == pytest.approx(8 / 12)
    assert row["ahead"] == pytest.approx(2289 / 3399 - 2 / 3)
    assert row["per_month_needed"] == pytest.approx(1110 / 4)
    assert row["reason"] == ("截至2020-08-31完成2289个新建基站,任务3399个,完成67.34%,计划进度66.67%(自2020-01-01至2020-12-31按月均匀推进),"
                             "超前0.68个百分点,尚差1110个;按上报数(截至2020-08-31);储备库计数为0个,与上报数不一致")


@pytest.mark.parametrize(("done", "status", "light"), [
    (2266, "on_schedule", "green"),      # exactly 8/12
    (2265, "behind", "yellow"), (1927, "behind", "yellow"),    # 9.97 points behind
    (1926, "behind", "red"),             # 10.003 points behind
    (3399, "done", "green"), (3400, "done", "green"), (0, "behind", "red")])
def test_the_light_turns_where_the_table_says(done: int, status: str, light: str) -> None:
    row = one(quotas_of({}), None, reports_of(("ZB1", "2020-08-31", done)), "2020-08-31")
    assert row["counted"] == "register"
    row = one(quotas_of({"counted": "reported"}), None, reports_of(("ZB1", "2020-08-31", done)), "2020-08-31")
    assert (row["status"], row["light"]) == (status, light)


@pytest.mark.parametrize(("since", "by", "as_of", "share"), [
    ("2020-01-01", "2020-12-31", "2020-08-31", Fraction(8, 12)),
    ("2020-01-01", "2020-12-31", "2019-12-31", Fraction(0)),
    ("2020-01-01", "2020-12-31", "2021-01-01", Fraction(1)), ("2020-01-01", "2020-12-31", "2020-12-31", Fraction(1)),
    ("2020-01-01", "2020-12-31", "2020-02-29", Fraction(2, 12)),
    ("2021-01-01", "2021-12-31", "2021-02-14", Fraction(3, 24)),
    ("2020-01-16", "2020-03-31", "2020-01-31", Fraction(Fraction(16, 31), 2 + Fraction(16, 31))),
    ("2020-05-05", "2020-05-05", "2020-05-05", Fraction(1)), ("2020-05-05", "2020-05-05", "2020-05-04", Fraction(0))])
def test_a_linear_plan_goes_by_months_and_their_days(since: str, by: str, as_of: str, share: Fraction) -> None:
    assert linear_share(day(since), day(by), day(as_of)) == share


@given(DAYS, DAYS, DAYS)
def test_a_linear_plan_never_falls_and_its_parts_add_up(one_day: dt.date, other: dt.date, third: dt.date) -> None:
    since, middle, by = sorted((one_day, other, third))
    assert 0 <= linear_share(since, by, middle) <= linear_share(since, by, by) == 1
    after = middle + dt.timedelta(1)
    assert linear_share(since, by, after) >= linear_share(since, by, middle)
    if after <= by:
        assert months_between(since, middle) + months_between(after, by) == months_between(since, by)


@pytest.mark.parametrize(("as_of", "done", "late", "status", "status_zh"), [
    ("2019-12-31", 0, 0, "not_started", "未到起始日"), ("2020-06-29", 1, 0, "behind", "落后进度"),
    ("2020-06-30", 2, 0, "on_schedule", "达到进度"), ("2020-12-31", 3, 0, "behind", "落后进度"),
    ("2021-01-01", 3, 0, "overdue", "逾期未完成"), ("2021-01-02", 3, 1, "overdue", "逾期未完成")])
def test_cut_offs_are_exact_and_what_comes_late_is_told(as_of: str, done: int, late: int, status: str,
                                                        status_zh: str) -> None:
    sites = on_air("2019-12-31", "2020-01-01", "2020-06-30", "2020-12-31", "2021-01-02")
    row = one(quotas_of({"value": 4}), sites, None, as_of)
    assert (row["done"], row["done_late"], row["status"], row["status_zh"]) == (done, late, status, status_zh)


def test_ankang_has_853_when_660_join_193() -> None:
    quota = {"area": "安康市", "value": 853, "measure": "total", "base_value": 193}
    sites = on_air("2020-03-01", "2020-06-30", station_count=165.0)
    row = one(quotas_of(quota, {"area": "安康市", "value": 660}), sites, None, "2020-06-30")
    assert (row["done"], row["needed"], row["status"]) == (193 + 330, 330, "on_schedule")
    assert row["plan_share"] == pytest.approx((193 + 330) / 853)
    assert "含基期193个" in row["reason"]
    new = quota_progress(quotas_of({"value": 660}), sites, None, day("2020-06-30")).iloc[0]
    assert (new["done"], new["share"], new["plan_share"]) == (330, 0.5, 0.5)


def test_a_total_without_base_counts_all_that_stands_and_says_so() -> None:
    row = one(quotas_of({"measure": "total", "value": 10}), on_air("2015-01-01", "2020-02-01", None), None,
              "2020-03-31")
    assert row["done"] == 3
    assert "未登记基期数" in row["reason"]


def test_2600_in_a_year_and_ten_thousand_by_2024_year_by_year() -> None:
    new = Quota("a", measure="new", unit="基站", value=2600, since=day("2022-01-01"), by=day("2022-12-31"))
    assert shortfall_by_year(new, {2022: 2500}).loc[2022].tolist() == [2600, 2500, 100, 2600]
    total = Quota("b", measure="total", unit="基站", value=10000, base=1900, since=day("2022-01-01"),
                  by=day("2024-12-31"))
    table = shortfall_by_year(total, {2022: 4500})
    assert table["planned"].tolist() == [4600, 7300, 10000]          # 2700 a year
    assert table["shortfall"].tolist()[0] == 100
    assert table["to_build"].tolist() == [2700, 2800, 2700]
    by_plan = shortfall_by_year(total, {}, [(day("2022-12-31"), 4500), (day("2023-12-31"), 7000)])
    assert by_plan["planned"].tolist() == [4500, 7000, 10000]
    with pytest.raises(RegisterError):
        shortfall_by_year(Quota("c"), {})


def test_what_cannot_be_counted_is_told_and_not_guessed() -> None:
    sites = sites_of({"on_air_on": "2020-02-01", "station_count": None}, {"on_air_on": None, "station_count": 2},
                     {"on_air_on": "2020-03-01", "state": "withdrawn"}, {"on_air_on": "2020-03-01", "station_count": 3},
                     {"state": "building"})
    row = one(quotas_of({"value": 10}), sites, None, "2020-08-31")
    assert row["done"] == 3
    for words in ("1处已开通站址没有基站数,未计入", "1处已开通站址没有开通日期,未计入", "1处站址开通后已撤销,未计入"):
        assert words in row["reason"]
    assert one(quotas_of({"value": 10, "unit": "站址"}), sites, None, "2020-08-31")["done"] == 2


def test_counties_and_towns_count_their_own_sites() -> None:
    sites = sites_of(*({"on_air_on": "2020-02-01", "county": county, "town": town} for county, town in (
        ("甲县", "城关镇"), ("甲县", "城关镇"), ("乙县", "城关镇"), ("乙县", None), (None, None))))
    table = quota_progress(quotas_of(
        {"value": 5}, {"parent_id": "ZB1", "level": "county", "area": "甲县", "value": 2},
        {"parent_id": "ZB1", "level": "county", "area": "乙县", "value": 2},
        {"parent_id": "ZB1", "level": "county", "area": "丙县", "value": 1},
        {"parent_id": "ZB2", "level": "town", "area": "城关镇", "value": 2}, {"level": "town", "area": "城关镇", "value": 2},
        {"level": "town", "area": "乙县/城关镇", "value": 2}), sites, None, day("2020-12-31"))
    assert table["done"].fillna(-1).tolist() == [5, 2, 2, 0, 2, -1, 1]
    assert "另有1处已开通站址未注明县区,未计入" in table.loc["ZB3", "reason"]
    assert table.loc["ZB1", "children_done"] == 4
    assert "下级完成数合计4个,与本级5个不一致" in table.loc["ZB1", "reason"]
    assert (table.loc["ZB6", "status"], table.loc["ZB6", "counted"]) == ("unknown", "reported")
    assert "不一致" not in table.loc["ZB2", "reason"]
    early = quota_progress(quotas_of({"level": "town", "area": "城关镇"},
                                     {"counted": "register", "level": "town", "area": "城关镇"}),
                           sites, None, day("2020-06-30"))
    assert "甲县都有“城关镇”" in early.loc["ZB2", "reason"].replace("乙县、", "")


def test_a_site_without_county_belongs_to_the_only_town_of_its_name() -> None:
    sites = sites_of(*({"on_air_on": "2020-02-01", "county": county, "town": "云岭镇"} for county in ("甲县", None)))
    town = {"level": "town", "value": 2}
    table = quota_progress(quotas_of({**town, "area": "云岭镇"}, {**town, "area": "甲县/云岭镇"}, {**town, "area": "乙县/云岭镇"}),
                           sites, None, day("2020-12-31"))
    assert table["done"].tolist() == [2, 2, 0]


def test_free_and_hard_sites_and_solved_cases_count_once() -> None:
    sites = sites_of({"on_air_on": "2020-02-01", "is_free": True, "is_hard": True}, {"on_air_on": "2020-02-01"},
                     {"state": "building", "is_hard": True, "county": "甲县"}, {"state": "blocked", "is_hard": True},
                     {"on_air_on": "2020-09-01", "is_hard": True})
    cases = pd.DataFrame([("hard_site", "ZZ0", "2020-01-05", "solved", None),
                          ("hard_site", "ZZ2", "2020-05-01", "solved", "乙县"),
                          ("hard_site", None, "2020-06-01", "solved", "甲县"),
                          ("hard_site", "ZZ3", "2020-06-01", "dropped", None),
                          ("whistle", "ZZ3", "2020-06-01", "solved", None), ("hard_site", "ZZ3", None, None, None)],
                         columns=["kind", "site_id", "closed_on", "outcome", "county"],
                         index=[f"SX{n}" for n in range(6)])
    cases = cases.assign(closed_on=pd.to_datetime(cases["closed_on"]), town=None)
    hard = {"measure": "hard_site", "unit": "站址", "value": 6}
    quotas = quotas_of(hard, {"measure": "free_public", "unit": "站址", "value": 13},
                       {**hard, "level": "county", "area": "甲县"})
    table = quota_progress(quotas, sites, None, day("2020-08-31"), cases=cases)
    assert table["done"].tolist() == [3, 1, 2]
    assert quota_progress(quotas, sites, None, day("2020-09-01"))["done"].tolist() == [2, 1, 0]
    assert "个疑难站址,任务" in table.loc["ZB1", "reason"], "the unit is said once"
    assert "其中1件已解决的疑难站址事项没有对应的站址编号,按事项计入" in table.loc["ZB1", "reason"]


@pytest.mark.parametrize(("place", "number"), [
    ({"venue_id": "CS1"}, 1), ({"title": "锦溪站"}, 1), ({"title": "锦溪站业主阻挠", "county": "甲县"}, 1),
    ({"title": "锦溪站业主阻挠", "county": "乙县"}, 2), ({"title": "别处"}, 2), ({"venue_id": "CS2", "title": "锦溪站"}, 2)])
def test_a_solved_case_without_a_site_is_the_hard_site_of_its_place(place: dict[str, str], number: int) -> None:
    sites = sites_of({"on_air_on": "2020-02-01", "is_hard": True, "county": "甲县"}).assign(name="锦溪站", venue_id="CS1")
    cases = pd.DataFrame([{"kind": "hard_site", "site_id": None, "venue_id": None, "title": None, "county": None,
                           "town": None, "closed_on": pd.Timestamp("2020-06-01"), "outcome": "solved", **place}],
                         index=["SX1"])
    row = one(quotas_of({"measure": "hard_site", "unit": "站址", "value": 6}), sites, None, "2020-08-31", cases=cases)
    assert row["done"] == number
    assert ("没有对应的站址编号" in row["reason"]) == (number == 2)


def test_what_came_on_air_after_the_day_finishes_no_quota_of_the_year_before() -> None:
    """9 asked for by the end of 2026: 5 came by then, 4 in 2027; those are of the quota of 2027 alone."""
    sites = on_air(*["2026-06-30"] * 5, *["2027-03-01"] * 4)
    years = [{"value": 9, "unit": "站址", "since": f"{year}-01-01", "by": f"{year}-12-31"} for year in (2026, 2027)]
    table = quota_progress(quotas_of(*years), sites, None, day("2027-06-30"))
    assert table["done"].tolist() == [5, 4]
    assert table.loc["ZB1", ["status", "light", "needed", "done_late"]].tolist() == ["overdue", "red", 4, 4]
    assert "到期时差4个" in table.loc["ZB1", "reason"]
    assert "期限后另有4处开通,计入开通所在年度" in table.loc["ZB1", "reason"]


def test_villages_and_items_count_by_reports_only() -> None:
    quotas = quotas_of({"unit": "村", "value": 40, "measure": "total"}, {"unit": "项", "value": 20, "measure": "other"})
    table = quota_progress(quotas, on_air("2020-02-01"), reports_of(("ZB1", "2020-06-30", 25)), day("2020-06-30"))
    assert table["counted"].tolist() == ["reported", "reported"]
    assert table["done"].fillna(-1).tolist() == [25, -1]
    assert table.loc["ZB2", ["status", "light", "status_zh"]].tolist() == ["unknown", "yellow", "无法判定"]
    assert "没有上报数" in table.loc["ZB2", "reason"]
    late = quota_progress(quotas, on_air(), None, day("2021-01-01"))
    assert late["status"].tolist() == ["overdue", "overdue"]


def test_the_last_report_up_to_the_cut_off_counts() -> None:
    reports = reports_of(("ZB1", "2020-06-30", 30), ("ZB1", "2020-07-01", 99), ("ZB1", "2020-05-31", 40))
    row = one(quotas_of({"value": 100, "counted": "reported"}), on_air("2020-02-01"), reports, "2020-06-30")
    assert (row["done"], row["done_register"], row["done_reported"]) == (30, 1, 30)
    assert row["reported_on"] == pd.Timestamp("2020-06-30")
    assert "上报数比2020-05-31的40个少" in row["reason"]
    assert "储备库计数为1个" in row["reason"]
    own = one(quotas_of({"value": 100}), on_air("2020-02-01"), reports, "2020-06-30")
    assert (own["done"], own["done_reported"]) == (1, 30)
    assert "上报数为30个(截至2020-06-30),与储备库不一致" in own["reason"]


@pytest.mark.parametrize(("reports", "status_zh"), [
    ([("ZB1", "2020-12-31", 100)], "已完成"), ([("ZB1", "2021-01-01", 100)], "逾期完成"),
    ([("ZB1", "2020-12-31", 100), ("ZB1", "2021-02-01", 105)], "已完成"), ([("ZB1", "2020-12-31", 99)], "逾期未完成")])
def test_a_report_after_the_day_is_not_in_time(reports: list[tuple[str, str, int]], status_zh: str) -> None:
    row = one(quotas_of({"value": 100, "counted": "reported"}), None, reports_of(*reports), "2021-03-01")
    assert row["status_zh"] == status_zh


def test_reports_to_a_replaced_quota_count_for_its_successor() -> None:
    quotas = quotas_of({"level": "county", "area": "甲县", "value": 10, "is_current": False},
                       {"level": "county", "area": "甲县", "value": 12, "counted": "reported"})
    table = quota_progress(quotas, on_air(), reports_of(("ZB1", "2020-06-30", 6)), day("2020-06-30"))
    assert table.index.tolist() == ["ZB2"]
    assert (table.loc["ZB2", "done"], table.loc["ZB2", "status"]) == (6, "on_schedule")
    assert "上报给调整前的指标 ZB1" in table.loc["ZB2", "reason"]


def test_what_lies_outside_the_register_is_not_counted_by_it() -> None:
    quotas = quotas_of({"level": "province", "area": "某省"}, {"area": "江北市"}, {"value": None}, {"area": "全市"})
    table = quota_progress(quotas, on_air("2020-02-01"), None, day("2020-06-30"), city="中山市")
    assert table["done_register"].fillna(-1).tolist() == [-1, -1, 1, 1]
    assert table["status"].tolist() == ["unknown", "unknown", "unknown", "behind"]


@given(st.lists(DAYS, max_size=30), DAYS, DAYS, DAYS)
def test_what_counts_is_what_lies_between_the_days(days: list[dt.date], one_day: dt.date, other: dt.date,
                                                   as_of: dt.date) -> None:
    since, by = sorted((one_day, other))
    quotas = quotas_of({"value": 5, "since": str(since), "by": str(by), "unit": "站址"})
    row = one(quotas, on_air(*map(str, days)), None, str(as_of))
    assert row["done"] == sum(since <= built <= min(by, as_of) for built in days)
    assert row["done"] + row["done_late"] == sum(since <= built <= as_of for built in days)


@settings(max_examples=25)
@given(st.lists(st.tuples(st.none() | DAYS, st.none() | st.integers(0, 5), st.sampled_from(["甲县", "乙县"])), max_size=12),
       DAYS, DAYS, st.sampled_from(["基站", "站址"]), st.sampled_from(["site_quota", "site_total"]),
       st.sampled_from(["city", "county"]))
def test_the_register_counts_as_the_targets_of_a_study_do(built: list[tuple[Any, Any, str]], by: dt.date,
                                                          as_of: dt.date, unit: Any, measure: Any, level: Any) -> None:
    sites = sites_of(*({"on_air_on": one_day and str(one_day), "station_count": number, "county": county}
                       for one_day, number, county in [*built, (dt.date(2017, 1, 1), 1, "甲县")]))
    area = "甲县" if level == "county" else "中山市"
    row = one(quotas_of({"value": 9, "since": f"{by.year}-01-01", "by": str(by), "unit": unit, "level": level,
                         "area": area, "measure": "new" if measure == "site_quota" else "total"}),
              sites, None, str(as_of))
    target = Target(id="t", level=level, area=area if level == "county" else "*", measure=measure, value=9, unit=unit,
                    since=dt.date(by.year, 1, 1), by=by, source="a test")
    table = pd.DataFrame({"status": "existing", "built_on": sites["on_air_on"], "stations": sites["station_count"],
                          "county": sites["county"]})
    assert row["done"] == shortfall([target], None, None, table, as_of)["reached"].iloc[0]


def test_milestones_of_a_quota_take_the_place_of_the_linear_plan(register: Register) -> None:
    with writing(register, stamp("2026-01-10")) as transaction:
        quota, linear = add_rows(transaction, "quotas", [
            {"title": title, "level": "市", "area": "溪口市", "measure": "新建", "unit": "站址", "value": 12,
             "since": "2026-01-01", "by": "2026-12-31", "is_current": True} for title in ("分段", "均匀")])
        quota_milestones(transaction, quota, "quarter", [0, 1, 1, 2])
        add_rows(transaction, "sites", [{"name": f"站{number}", "state": "on_air", "on_air_on": "2026-05-01",
                                         "event_day": day("2026-05-01")} for number in range(3)])
    tables = {name: read_rows(register, name, day("2026-06-30"))
              for name in ("quotas", "sites", "reports", "milestones", "cases")}
    assert quota_of(quota, tables["quotas"].loc[quota].to_dict()).value == 12
    table = quota_progress(tables["quotas"], tables["sites"], tables["reports"], day("2026-06-30"),
                           milestones=tables["milestones"], cases=tables["cases"], city=register.city)
    assert table.loc[[quota, linear], "plan_share"].tolist() == [0.25, 0.5]
    assert table.loc[[quota, linear], "status"].tolist() == ["on_schedule", "behind"]
    assert "按里程碑分段折算" in table.loc[quota, "reason"]
    empty = quota_progress(tables["quotas"].iloc[:0], tables["sites"], None, day("2026-06-30"))
    assert empty.dtypes.to_dict() == table.dtypes.to_dict()
