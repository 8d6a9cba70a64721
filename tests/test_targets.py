"""Targets: a toy county of ten villages worked by hand, dates, and what may never happen."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from typing import Any

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from siteplan.errors import ModelError
from siteplan.gaps.progress.targets import Target, load_targets, shortfall
from siteplan.tables import read_table

BY = dt.date(2024, 12, 31)


def target(**changes: Any) -> Target:
    """70 % of the villages of the city by the end of 2024, with changes."""
    given: dict[str, Any] = {"id": "t", "level": "city", "measure": "village_rate", "value": 70, "unit": "%", "by": BY,
                             "source": "a test"}
    return Target(**(given | changes))


def quota(**changes: Any) -> Target:
    return target(**({"measure": "site_quota", "value": 3, "unit": "站址", "since": dt.date(2024, 1, 1)} | changes))


def villages_of(verdicts: list[str | None], **columns: Any) -> pd.DataFrame:
    index = pd.Index([f"v{number:02d}" for number in range(len(verdicts))], name="village_code")
    return pd.DataFrame({"verdict": pd.Series(verdicts, dtype="object").to_numpy(), **columns}, index=index)


def sites_of(days: list[str | None], **columns: Any) -> pd.DataFrame:
    return pd.DataFrame({"status": "existing", "built_on": pd.to_datetime(pd.Series(days, dtype="object"))} | columns)


def only(table: pd.DataFrame) -> Mapping[str, Any]:
    [row] = table.to_dict("records")
    return row


def one(given: Target, villages: pd.DataFrame | None = None, *, zones: pd.DataFrame | None = None,
        sites: pd.DataFrame | None = None, today: dt.date | None = None) -> Mapping[str, Any]:
    return only(shortfall([given], villages, zones, sites, today))


@pytest.mark.parametrize(("passed", "failed", "unknown", "needed", "status"), [
    (6, 4, 0, 1, "未达成"), (7, 3, 0, 0, "已达成"), (10, 0, 0, 0, "已达成"), (0, 10, 0, 7, "未达成"),
    (6, 3, 1, 1, "无法判定"), (5, 4, 1, 2, "未达成"), (0, 0, 10, 7, "无法判定"), (7, 0, 3, 0, "已达成"),
    (7, 4, 0, 1, "未达成"),  # 11 villages: ceil(7.7) = 8
])
def test_seventy_percent_of_ten_villages_is_seven(passed: int, failed: int, unknown: int, needed: int,
                                                  status: str) -> None:
    row = one(target(), villages_of(["pass"] * passed + ["fail"] * failed + ["not_assessable"] * unknown))
    assert (row["total"], row["reached"], row["not_assessable"]) == (passed + failed + unknown, passed, unknown)
    assert (row["needed"], row["status"]) == (needed, status)
    assert row["rate"] == passed / (passed + failed + unknown)


def test_an_empty_verdict_is_not_assessable_not_failed() -> None:
    row = one(target(), villages_of(["pass"] * 6 + ["fail"] * 3 + [None]))
    assert (row["not_assessable"], row["needed"], row["status"]) == (1, 1, "无法判定")


def test_no_village_is_neither_reached_nor_failed() -> None:
    row = one(target(), villages_of([]))
    assert row["status"] == "无法判定"
    assert pd.isna(row["needed"])
    assert pd.isna(row["rate"])
    assert "没有可统计的行政村" in row["reason"]


@given(st.integers(1, 1000), st.integers(0, 3000))
def test_wanted_is_the_least_number_that_reaches_the_rate(tenths: int, total: int) -> None:
    """In whole numbers: wanted * 1000 >= tenths * total, and one less does not. Floating point has no say in it."""
    if tenths < 10:
        return
    wanted = target(value=tenths / 10).wanted(total)
    assert wanted * 1000 >= tenths * total > (wanted - 1) * 1000


def test_a_rate_with_rounding_noise_is_the_rate_that_was_meant() -> None:
    assert 0.07 * 100 > 7.0
    assert target(value=0.07 * 100).wanted(100) == 7


@given(st.lists(st.sampled_from(["pass", "fail", "not_assessable"]), min_size=1, max_size=60),
       st.integers(1, 100), st.data())
def test_progress_never_goes_backwards(verdicts: list[str], value: int, data: st.DataObject) -> None:
    """One more passed village, or one that passes from now on, never increases what is needed."""
    asked = target(value=value)
    before = one(asked, villages_of(verdicts))
    added = one(asked, villages_of([*verdicts, "pass"]))
    place = data.draw(st.integers(0, len(verdicts) - 1))
    mended = one(asked, villages_of([*verdicts[:place], "pass", *verdicts[place + 1:]]))
    assert 0 <= added["needed"] <= before["needed"]
    assert mended["needed"] <= before["needed"]
    assert (before["status"] == "已达成") == (before["needed"] == 0)
    if before["status"] == "已达成":
        assert added["status"] == mended["status"] == "已达成"


@given(st.lists(st.sampled_from(["pass", "fail", "not_assessable"]), min_size=1, max_size=12), st.integers(1, 100))
def test_status_is_told_only_when_the_unknown_cannot_change_it(verdicts: list[str], value: int) -> None:
    """Oracle: the same villages with all unknown ones failed, and with all of them passed."""
    asked = target(value=value)
    ends = {one(asked, villages_of([end if v == "not_assessable" else v for v in verdicts]))["status"]
            for end in ("pass", "fail")}
    expected = ends.pop() if len(ends) == 1 else "无法判定"
    assert one(asked, villages_of(verdicts))["status"] == expected


def test_every_county_and_rows_without_one() -> None:
    villages = villages_of(["pass", "pass", "fail", "fail", "pass"], county=["乙县", "乙县", "甲县", "甲县", None])
    table = shortfall([target(level="county", value=50)], villages, None, None).set_index("county")
    assert list(table.index) == ["乙县", "甲县", "未注明"]
    assert table.loc["乙县", "status"] == "已达成"
    assert table.loc["甲县", "needed"] == 1
    assert table.loc["未注明", ["total", "status"]].tolist() == [1, "无法判定"]
    assert "另有1行未注明所属县区" in table.loc["甲县", "reason"]
    assert table["total"].sum() == len(villages)


def test_a_town_name_that_two_counties_share() -> None:
    villages = villages_of(["pass", "fail"], county=["甲县", "乙县"], town=["城关镇", "城关镇"])
    assert len(shortfall([target(level="town")], villages, None, None)) == 2
    row = one(target(level="town", area="城关镇"), villages)
    assert (row["status"], row["town"]) == ("无法判定", "城关镇")
    assert "乙县、甲县都有“城关镇”,须写“县区/镇街”" in row["reason"]
    assert pd.isna(row["needed"])
    assert one(target(level="town", area="甲县/城关镇"), villages)["status"] == "已达成"
    assert one(target(level="town", area="乙县/城关镇"), villages)["status"] == "未达成"


def test_an_area_that_is_nowhere_is_not_at_zero_percent() -> None:
    row = one(target(level="county", area="丙县"), villages_of(["fail"], county=["甲县"]))
    assert row["status"] == "无法判定"
    assert pd.isna(row["reached"])
    assert "丙县" in row["reason"]


def test_a_county_known_from_the_villages_has_no_site_yet() -> None:
    sites = sites_of(["2024-05-01"], county=["甲县"])
    table = shortfall([quota(level="county", value=1)], villages_of(["pass"] * 2, county=["甲县", "乙县"]), None, sites)
    assert dict(zip(table["county"], table["needed"], strict=True)) == {"甲县": 0, "乙县": 1}


@pytest.mark.parametrize("measure", ["village_rate", "full_coverage", "site_total"])
def test_a_table_or_column_that_is_not_there(measure: str) -> None:
    units = {"village_rate": "%", "full_coverage": "%", "site_total": "基站"}
    asked = target(measure=measure, unit=units[measure])
    row = only(shortfall([asked], None, None, None))
    assert row["status"] == "无法判定"
    assert "没有" in row["reason"]
    assert pd.isna(row["total"])
    plain = pd.DataFrame({"verdict": ["pass"], "status": ["existing"]})
    counties = shortfall([target(id="c", measure=measure, unit=units[measure], level="county")], plain, plain, plain)
    assert set(counties["status"]) == {"无法判定"}
    assert "没有所属县区" in counties["reason"].iloc[0]


def test_full_coverage_asks_for_every_zone_of_the_type() -> None:
    zones = pd.DataFrame({"verdict_before": ["pass", "fail", "fail"], "verdict_after": ["pass", "pass", "fail"],
                          "zone_type": ["县城主城区", "县城主城区", "景区"]}, index=["z1", "z2", "z3"])
    asked = target(measure="full_coverage", value=100, zone_types=("县城主城区",))
    assert one(asked, zones=zones)["needed"] == 1
    after = only(shortfall([asked], None, zones, None, state="after"))
    assert (after["total"], after["needed"], after["status"]) == (2, 0, "已达成")


def test_first_and_last_day_of_a_quota_count() -> None:
    sites = sites_of(["2023-12-31", "2024-01-01", "2024-12-31", "2025-01-01"])
    row = one(quota(), sites=sites)
    assert (row["reached"], row["needed"], row["status"]) == (2, 1, "未达成")
    assert one(target(measure="site_total", value=3, unit="站址"), sites=sites)["reached"] == 3
    cut = one(quota(), sites=sites, today=dt.date(2024, 6, 30))
    assert (cut["reached"], cut["overdue"]) == (1, False)
    assert [one(quota(), sites=sites, today=day)["overdue"] for day in (BY, dt.date(2025, 1, 1))] == [False, True]


def test_a_quota_without_a_first_day_begins_with_the_year() -> None:
    assert quota(since=None).first_day == dt.date(2024, 1, 1)


def test_an_undated_site_is_built_but_nobody_knows_when() -> None:
    sites = sites_of(["2024-03-01", None, None])
    assert one(quota(), sites=sites)["status"] == "无法判定"
    assert one(quota(value=4), sites=sites)["status"] == "未达成"
    assert one(quota(value=1), sites=sites)["status"] == "已达成"
    total = target(measure="site_total", value=3, unit="站址")
    assert one(total, sites=sites, today=BY)["status"] == "已达成"
    assert one(total, sites=sites, today=dt.date(2025, 1, 1))["status"] == "无法判定"


def test_proposed_sites_count_only_in_the_state_after_and_before_the_last_day() -> None:
    sites = sites_of(["2024-03-01", None, None, None])
    sites["status"] = ["existing", "proposed", "proposed", "candidate"]
    asked = quota()
    assert one(asked, sites=sites)["reached"] == 1
    assert only(shortfall([asked], None, None, sites, state="after"))["reached"] == 3
    late = only(shortfall([asked], None, None, sites, dt.date(2025, 2, 1), state="after"))
    assert late["reached"] == 1


def test_a_planned_day_counts_within_the_window_only() -> None:
    sites = sites_of(["2023-12-31", "2024-12-31", "2025-12-31"])
    sites["status"] = "proposed"
    told = [only(shortfall([quota()], None, None, sites, today, state=state))["reached"] for today, state in (
        (None, "after"), (dt.date(2024, 6, 30), "after"), (dt.date(2025, 2, 1), "after"), (None, "before"))]
    assert told == [1, 1, 0, 0]


def test_stations_are_networks_at_a_site() -> None:
    sites = sites_of(["2024-03-01"] * 2, networks=["移动&广电|电信&联通", "移动&广电"])
    assert one(quota(unit="基站"), sites=sites)["reached"] == 3
    assert one(quota(unit="站址"), sites=sites)["reached"] == 2
    star = sites.assign(networks=["移动", "*"])
    assert one(quota(unit="基站"), sites=star)["status"] == "无法判定"
    assert one(quota(unit="基站", value=1), sites=star)["status"] == "已达成"
    assert one(quota(unit="基站"), sites=sites.assign(stations=[1.0, 1.0]))["status"] == "未达成"


def test_context_outside_the_boundary_does_not_count() -> None:
    sites = sites_of(["2024-03-01"] * 3, inside=pd.array([True, False, None], dtype="boolean"))
    assert one(quota(), sites=sites)["reached"] == 2


def test_the_rule_is_named_and_never_mixed() -> None:
    villages = pd.DataFrame({"verdict": ["pass", "fail"], "rule": ["village_miit_2025", "area_share_95"]},
                            index=["v1", "v1"])
    row = one(target(), villages)
    assert (row["status"], row["rule"]) == ("无法判定", "")
    assert "行政村按多条规则判定(area_share_95、village_miit_2025),须写 rule" in row["reason"]
    assert pd.isna(row["reached"])
    rows = [one(target(rule=rule), villages) for rule in ("village_miit_2025", "area_share_95", "population_share_95")]
    assert [row["status"] for row in rows] == ["已达成", "未达成", "无法判定"]
    assert one(target(), villages.iloc[:1])["rule"] == "village_miit_2025"
    absent = one(target(rule="population_share_95"), villages)
    assert "没有按规则 population_share_95 判定的行政村" in absent["reason"]


def test_types_of_zones_come_before_the_question_which_rule() -> None:
    """Hospitals are judged by points, the town by area: a target of the town alone has one rule."""
    zones = pd.DataFrame({"verdict": ["pass", "fail"], "rule": ["area_share_95", "key_points_all"],
                          "zone_type": ["县城主城区", "医疗机构"]}, index=["z1", "z2"])
    asked = {"measure": "full_coverage", "value": 100}
    row = one(target(**asked, zone_types=("县城主城区",)), zones=zones)
    assert (row["rule"], row["status"], row["total"]) == ("area_share_95", "已达成", 1)
    assert one(target(**asked), zones=zones)["status"] == "无法判定"
    by_county = shortfall([target(**asked, level="county")], None, zones.assign(county="甲县"), None)
    assert by_county["county"].tolist() == ["甲县"]
    assert "须写 rule" in by_county["reason"].iloc[0]


def test_people_left_are_unknown_where_one_village_is() -> None:
    verdicts: list[str | None] = ["pass", "fail", "not_assessable"]
    assert one(target(), villages_of(verdicts, people=[100.0, 20.0, 3.0]))["people_left"] == 23.0
    assert pd.isna(one(target(), villages_of(verdicts, people=[100.0, 20.0, None]))["people_left"])
    assert one(target(), villages_of(verdicts, people=[None, 20.0, 3.0]))["people_left"] == 23.0


@pytest.mark.parametrize("changes", [
    {"unit": "基站"}, {"value": 0.7}, {"value": 101}, {"measure": "site_quota", "unit": "站址", "value": 2.5},
    {"measure": "site_quota", "unit": "站址", "since": dt.date(2025, 1, 1)}, {"level": "province"}, {"colour": "red"},
])
def test_a_target_that_makes_no_sense_is_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        target(**changes)


@pytest.mark.parametrize(("villages", "message"), [
    (villages_of(["pass", "ok"]), "unknown verdict ok"), (pd.DataFrame({"name": ["a"]}), "neither verdict"),
    (pd.DataFrame({"verdict": ["pass", "pass"]}, index=["v1", "v1"]), "there twice"),
])
def test_a_table_that_cannot_be_counted_is_refused(villages: pd.DataFrame, message: str) -> None:
    with pytest.raises(ModelError, match=message):
        one(target(), villages)


def test_ids_of_targets_are_unique() -> None:
    with pytest.raises(ModelError, match="twice"):
        shortfall([target(), target()], villages_of(["pass"]), None, None)


def test_tables_are_not_changed() -> None:
    villages, sites = villages_of(["pass", None], county=["甲县", None]), sites_of(["2024-03-01", None])
    kept = villages.copy(), sites.copy()
    shortfall([target(level="county"), quota(id="q")], villages, None, sites, BY)
    pd.testing.assert_frame_equal(villages, kept[0])
    pd.testing.assert_frame_equal(sites, kept[1])


def test_published_targets_read_as_sentences_with_their_source() -> None:
    assert set(read_table("targets")["kinds"]) == {"village_rate", "site_quota", "site_total", "full_coverage"}
    assert all(kind["source"] for kind in read_table("targets")["kinds"].values())
    sentences = {key: item.sentence() for key, item in load_targets().items()}
    assert sentences["new_stations_2022"] == "2022年1月1日至2022年12月31日,全市新建基站不少于2600个"
    assert sentences["total_stations_2024"] == "到2024年12月31日,全市累计建成基站不少于10000个"
    assert all("{" not in text for text in sentences.values())
