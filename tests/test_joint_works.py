"""Joint works: a toy street worked by hand, windows on the exact day, properties of the corridors."""

from __future__ import annotations

import datetime as dt
from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st
from shapely import LineString, Point, Polygon, affinity

from siteplan.errors import ModelError, RegisterError
from siteplan.register.works import (
    load_joint_works,
    match_works,
    owner_lists,
    owner_table,
    unplaced,
    window_of,
    works_kind,
)
from tests.joint_street import AS_OF, DIG, POLE, ROOF, STREET, links, sites, works

ALONG = LineString([(280, 5), (500, 5)])
"""A link of 220 m of which 120 m lie beside the dig, which ends at 400 m."""


def day(text: str) -> dt.date:
    return dt.date.fromisoformat(text)


def windows(start: str | None, end: str | None, as_of: str, kind: str = "road") -> Any:
    rule = load_joint_works().kinds[kind]
    return window_of(day(start) if start else None, day(end) if end else None, day(as_of), rule)


def test_the_toy_street_is_worked_by_hand() -> None:
    found = match_works(sites(), links(ALONG), works(), AS_OF)
    told = found[["site_name", "what", "distance_m", "shared_m", "suggested_year", "year_move", "saving_yuan"]]
    # 甲: foundation 6000 + power 4000; 乙 stands on a roof: power alone; the link: 120 m x (260 - 110)
    assert told.to_numpy().tolist() == [["甲", "site", 8.0, 0.0, 2026, "earlier", 10000.0],
                                        ["乙", "site", 25.0, 0.0, 2026, "same", 4000.0],
                                        ["乙", "link", 5.0, 120.0, 2026, "same", 18000.0]]
    assert found["file_by"].unique().tolist() == [pd.Timestamp("2026-06-01")]
    assert found["is_best"].all()
    assert found["reason"].iloc[0] == ("距道路开挖“滨河路改造”8米(走廊30米);窗口2026-09-01 至 2027-03-31;最迟2026-06-01提出;"
                                       "建议提前到2026年;估算节省10000元(基础6000、引电4000)")


def test_a_trench_is_shared_no_further_than_the_works_go() -> None:
    beyond = LineString([(390, 5), (600, 5)])
    assert not len(match_works(sites(), links(beyond), works(), AS_OF).query("what == 'link'"))


def test_a_link_that_only_crosses_the_works_shares_nothing() -> None:
    crossing = LineString([(200, -100), (200, 100)])
    assert not len(match_works(sites(), links(crossing), works(), AS_OF).query("what == 'link'"))


def test_a_bent_link_shares_what_lies_in_the_corridor_alone() -> None:
    (row,) = match_works(sites(), links(), works(), AS_OF).query("what == 'link'").to_dict("records")
    assert row["shared_m"] == pytest.approx(124.0)  # 120 m beside, 2 m down to it at either end


def test_the_edge_of_the_corridor_belongs_to_it() -> None:
    edge = sites({**POLE, "geometry": Point(100, 30)}, {**POLE, "geometry": Point(100, 30.01)})
    assert match_works(edge, None, works(), AS_OF)["site_id"].tolist() == ["ZZ000001"]


def test_a_site_inside_a_plot_is_at_no_distance() -> None:
    plot = {**DIG, "kind": "land", "geometry": Polygon([(0, -50), (200, -50), (200, 50), (0, 50)])}
    (row,) = match_works(sites(POLE), None, works(plot), AS_OF).to_dict("records")
    assert (row["distance_m"], row["saving_yuan"]) == (0.0, 3000.0 + 8000.0)


@pytest.mark.parametrize(("change", "saved"), [
    ({"build": "share"}, 4000.0), ({"build": "reuse"}, 4000.0), ({"power_application": "connected"}, 6000.0),
    ({"mount": "roof_tower"}, 4000.0), ({"mount": None}, 4000.0), ({"mount": "ground_tower"}, 10000.0)])
def test_what_a_site_saves_at_a_road(change: dict[str, Any], saved: float) -> None:
    assert match_works(sites({**POLE, **change}), None, works(), AS_OF)["saving_yuan"].tolist() == [saved]


def test_places_in_a_building_are_saved_by_roofs_and_indoor_sites_alone() -> None:
    tower = works({**DIG, "kind": "building"})
    told = match_works(sites(POLE, {**POLE, "mount": None, "kind": "indoor"}, {**ROOF, "geometry": Point(90, 5)}), None,
                       tower, day("2026-01-01"))
    assert told["saving_yuan"].tolist() == [11000.0, 28000.0, 28000.0]


@pytest.mark.parametrize(("start", "end", "as_of", "join", "file_by", "year"), [
    ("2026-09-01", "2027-03-31", "2026-06-01", "in_time", "2026-06-01", 2026),
    ("2026-09-01", "2027-03-31", "2026-06-02", "late", "2026-12-31", 2027),
    ("2026-09-01", "2027-03-31", "2026-12-31", "late", "2026-12-31", 2027),
    ("2026-09-01", "2027-03-31", "2027-01-01", "too_late", "2026-12-31", None),
    ("2026-09-01", "2027-03-31", "2027-03-31", "too_late", "2026-12-31", None),
    ("2026-09-01", "2027-03-31", "2027-04-01", "finished", None, None),
    (None, "2027-03-31", "2026-12-31", "in_time", "2026-12-31", 2027),
    (None, "2027-03-31", "2027-01-01", "too_late", "2026-12-31", None),
    ("2026-09-01", None, "2026-06-01", "in_time", "2026-06-01", 2026),
    ("2026-09-01", None, "2027-06-01", "late", "2027-06-01", 2027),
    ("2026-09-01", None, "2027-09-01", "too_late", "2027-06-01", None),
    ("2026-09-01", None, "2027-09-02", "unknown", None, None),
    (None, None, "2026-06-01", "unknown", None, None),
    ("2027-03-31", "2026-09-01", "2026-06-01", "unknown", None, None)])
def test_a_window_seen_from_the_exact_day(start: str | None, end: str | None, as_of: str, join: str,
                                          file_by: str | None, year: int | None) -> None:
    found = windows(start, end, as_of)
    assert (found.join, found.file_by, found.usual_year) == (join, day(file_by) if file_by else None, year)
    assert bool(found.note) == (start is None or end is None or start > end or join == "finished")


def test_nothing_joins_a_land_sale_once_it_has_begun() -> None:
    assert windows("2026-09-01", "2027-03-31", "2026-07-01", "land").join == "in_time"
    assert windows("2026-09-01", "2027-03-31", "2026-07-02", "land").join == "too_late"


def test_works_that_end_on_the_day_still_count_and_are_gone_the_day_after() -> None:
    last = works({**DIG, "end_on": "2026-06-01", "start_on": "2026-01-01"})
    (row,) = match_works(sites(POLE), None, last, day("2026-06-01")).to_dict("records")
    assert (row["join"], row["saving_yuan"], row["is_best"]) == ("too_late", 0.0, False)
    assert np.isnan(row["suggested_year"])
    assert "已来不及" in row["reason"]
    assert not len(match_works(sites(POLE), None, last, day("2026-06-02")))


def test_an_unknown_window_is_matched_and_told() -> None:
    (row,) = match_works(sites(POLE), None, works({**DIG, "start_on": None, "end_on": None}), AS_OF).to_dict("records")
    assert (row["join"], row["window"]) == ("unknown", "时间待定")
    assert np.isnan(row["suggested_year"])
    assert "时间待定" in row["reason"]
    assert row["is_best"]


@pytest.mark.parametrize(("planned", "suggested", "move"), [
    (2026.0, 2026, "same"), (2027.0, 2027, "same"), (2028.0, 2028, "same"), (2029.0, 2026, "earlier"),
    (2025.0, 2026, "later"), (np.nan, 2026, "set")])
def test_the_year_of_the_plan_stays_where_the_works_allow_it(planned: float, suggested: int, move: str) -> None:
    long = works({**DIG, "end_on": "2028-03-31"})
    (row,) = match_works(sites({**POLE, "phase_year": planned}), None, long, AS_OF).to_dict("records")
    assert (row["suggested_year"], row["year_move"]) == (suggested, move)


def test_a_site_under_construction_keeps_its_year() -> None:
    late = sites({**POLE, "state": "building", "phase_year": 2028.0})
    (row,) = match_works(late, None, works(), AS_OF).to_dict("records")
    assert np.isnan(row["suggested_year"])
    assert "年度不再调整" in row["reason"]


@pytest.mark.parametrize("state", ["on_air", "withdrawn"])
def test_sites_that_need_nothing_more_are_left_out_with_their_links(state: str) -> None:
    assert not len(match_works(sites(POLE, {**ROOF, "state": state}).iloc[1:], links(ALONG), works(), AS_OF))


def test_links_and_works_that_are_no_longer_current_are_left_out() -> None:
    assert not len(match_works(sites(ROOF, ROOF), links(ALONG).assign(is_current=False), works(), AS_OF).query(
        "what == 'link'"))
    assert not len(match_works(sites(), links(ALONG), works().assign(is_current=False), AS_OF))


def test_the_works_that_save_most_with_site_and_link_together_are_the_best() -> None:
    gallery = {**DIG, "name": "管廊", "kind": "gallery", "geometry": affinity.translate(STREET, 0, 20)}
    near = match_works(sites(POLE, ROOF), links(ALONG), works(DIG, gallery), day("2026-01-01"))
    best = near[near["is_best"]].drop_duplicates("site_id")[["site_name", "work_name"]].to_numpy().tolist()
    assert best == [["甲", "滨河路改造"], ["乙", "滨河路改造"]]
    assert near["site_id"].is_monotonic_increasing
    # of equal savings the nearer works
    twin = match_works(sites(POLE), None, works({**DIG, "geometry": affinity.translate(STREET, 0, -9)}, DIG), AS_OF)
    assert twin["distance_m"].tolist() == [8.0, 17.0]
    assert twin["is_best"].tolist() == [True, False]


def test_an_accepted_works_goes_before_a_greater_saving_and_a_declined_one_is_not_suggested_again() -> None:
    two = works(DIG, {**DIG, "name": "另一条", "geometry": affinity.translate(STREET, 0, -9)})
    taken = sites({**POLE, "joint_work": "GC000002"})
    assert match_works(taken, None, two, AS_OF).query("is_best")["work_id"].tolist() == ["GC000002"]
    decided = pd.DataFrame({"work_id": ["GC000001"], "site_id": ["ZZ000001"], "state": ["declined"]})
    assert match_works(sites(POLE), None, two, AS_OF, decided=decided)["work_id"].tolist() == ["GC000002"]


def test_rows_that_cannot_be_matched_are_named() -> None:
    blank = works({**DIG, "geometry": None}, {**DIG, "kind": "挖洞"})
    told = unplaced(sites(POLE, {**ROOF, "geometry": None}), links(None, "ZZ000001"), blank, AS_OF)
    assert [(problem.layer, problem.row, problem.field) for problem in told] == [
        ("sites", "ZZ000002", "geometry"), ("works", "GC000001", "geometry"), ("works", "GC000002", "kind"),
        ("links", "GL000001", "geometry")]
    assert not len(match_works(sites(POLE, {**ROOF, "geometry": None}), links(None), blank, AS_OF))


def test_tables_of_two_crs_are_refused() -> None:
    with pytest.raises(ModelError, match="4549"):
        match_works(sites(), None, works().to_crs("EPSG:4549"), AS_OF)


def test_each_owner_is_asked_once_for_each_works_by_the_latest_day() -> None:
    nobody = {**DIG, "name": "无主路", "works_owner": None, "geometry": affinity.translate(STREET, 0, 1000)}
    far = {**POLE, "name": "丙", "geometry": Point(50, 1005)}
    table = owner_table(match_works(sites(POLE, ROOF, far), links(ALONG), works(nobody, DIG), AS_OF))
    assert table[["works_owner", "work_id", "sites", "links", "shared_m", "saving_yuan"]].to_numpy().tolist() == [
        ["市政工程处", "GC000002", 2, 1, 120.0, 32000.0], ["业主单位不明", "GC000001", 1, 0, 0.0, 10000.0]]
    assert table["asked"].iloc[0] == "为2处站址(甲、乙)同步预留;容纳1段光缆接入(120米)共沟敷设;请于2026-06-01前(含当日)答复"
    assert list(owner_lists(match_works(sites(), None, works(), AS_OF))) == ["市政工程处"]
    assert owner_lists(match_works(sites(), None, works(), day("2027-03-01"))) == {}


def test_a_city_changes_single_rates_and_every_wrong_one_is_named() -> None:
    rates = load_joint_works({"kinds": {"road": {"site_corridor_m": 5.0}}})
    assert match_works(sites(), None, works(), AS_OF, rates).empty
    with pytest.raises(RegisterError) as caught:
        load_joint_works({"kinds": {"road": {"lead_months": -1, "width": 3}}, "power": {"headroom": "很多"}})
    assert {problem.field for problem in caught.value.problems} == {
        "kinds.road.lead_months", "kinds.road.width", "power.headroom"}
    with pytest.raises(RegisterError, match="高于单独开挖"):
        load_joint_works({"kinds": {"road": {"joint_trench_yuan_per_m": 1000.0}}})


@pytest.mark.parametrize(("told", "kind"), [
    ("道路改造", "road"), ("雨污分流", "gallery"), ("电力管沟", "gallery"), ("道路排水管网", "gallery"), ("地块出让", "land"),
    ("住宅项目", "building"), ("河道清淤", ""), ("", "")])
def test_kinds_are_taken_by_their_words(told: str, kind: str) -> None:
    assert works_kind(told) == kind


@st.composite
def streets(draw: st.DrawFn) -> tuple[gpd.GeoDataFrame, gpd.GeoDataFrame, gpd.GeoDataFrame]:
    """Some sites, their links and some works within one kilometre."""
    spot = st.tuples(st.integers(0, 1000), st.integers(0, 1000))
    places = draw(st.lists(spot, min_size=1, max_size=6, unique=True))
    ways = draw(st.lists(st.lists(spot, min_size=2, max_size=4, unique=True), min_size=1, max_size=4))
    some = st.sampled_from(["road", "gallery", "building", "land"])
    kinds = draw(st.lists(some, min_size=len(ways), max_size=len(ways)))
    held = sites(*({**POLE, "name": f"站{number}", "geometry": Point(place)} for number, place in enumerate(places)))
    own = gpd.GeoDataFrame({"site_id": held.index, "is_current": True}, index=[f"GL{n}" for n in range(len(places))],
                           geometry=[LineString([place, (500, 500.5)]) for place in places], crs=held.crs)
    return held, own, works(*({**DIG, "kind": kind, "geometry": LineString(way)} for way, kind in zip(ways, kinds,
                                                                                                     strict=True)))


def pairs(found: pd.DataFrame) -> set[tuple[str, str, str]]:
    return set(zip(found["work_id"], found["site_id"], found["what"], strict=True))


@settings(max_examples=25, deadline=None)
@given(streets(), st.floats(1.1, 5.0))
def test_a_wider_corridor_loses_no_match(street: Any, factor: float) -> None:
    wide = load_joint_works({"kinds": {kind: {name: getattr(rule, name) * factor for name in (
        "site_corridor_m", "link_corridor_m")} for kind, rule in load_joint_works().kinds.items()}})
    assert pairs(match_works(*street, AS_OF)) <= pairs(match_works(*street, AS_OF, wide))


@settings(max_examples=15, deadline=None)
@given(streets(), st.randoms(use_true_random=False))
def test_the_order_of_the_rows_does_not_matter(street: Any, chance: Any) -> None:
    def shuffled(table: gpd.GeoDataFrame) -> gpd.GeoDataFrame:
        return table.loc[chance.sample(list(table.index), len(table))]
    pd.testing.assert_frame_equal(match_works(*street, AS_OF), match_works(*map(shuffled, street), AS_OF))


@settings(max_examples=15, deadline=None)
@given(streets())
def test_works_that_are_moved_away_match_nothing(street: Any) -> None:
    held, own, digs = street
    assert match_works(held, own, digs.set_geometry(digs.translate(5000, 0)), AS_OF).empty


@settings(max_examples=15, deadline=None)
@given(streets())
def test_shared_lengths_and_distances_are_those_of_plain_geometry(street: Any) -> None:
    """Counted again point by point: what lies within the corridor, whatever the ends of the works cut off."""
    held, own, digs = street
    found = match_works(held, own, digs, AS_OF)
    rates = load_joint_works().kinds
    for row in found.to_dict("records"):
        dig = digs.geometry[row["work_id"]]
        if row["what"] == "site":
            assert row["distance_m"] == pytest.approx(held.geometry[row["site_id"]].distance(dig), abs=1e-3)
            assert row["distance_m"] <= rates[row["kind"]].site_corridor_m
        else:
            line = own.geometry[row["link_id"]]
            spots = shapely.line_interpolate_point(line, np.arange(0.5, line.length, 1.0))
            near = (shapely.distance(spots, dig) <= rates[row["kind"]].link_corridor_m).sum()
            assert 30.0 <= row["shared_m"] <= near + 2.0
    every = {(key, site) for key, dig in digs.geometry.items() for site, point in held.geometry.items()
             if point.distance(dig) <= rates[digs.at[key, "kind"]].site_corridor_m}
    assert {(work, site) for work, site, what in pairs(found) if what == "site"} == every
