"""Operators' requests in the toy town: merged, given to what stands nearby, or sites of their own."""

from __future__ import annotations

from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd
from candidate_town import town_context
from conftest import CRS, at
from hypothesis import given, settings
from hypothesis import strategies as st

from siteplan.candidates.kinds import demands
from siteplan.candidates.kinds.demands import attach_demands, demand_groups, demand_sites, merge_points
from siteplan.candidates.table import site_ids, sites_table
from siteplan.params import CandidateParams
from siteplan.surface import Surface


def request(east: float, north: float, operators: str | None, **more: Any) -> dict[str, Any]:
    return {"geometry": at(east, north), "operators": operators, "kind": "macro", "date": pd.Timestamp(2026, 3, 1),
            **more}


DEMANDS = {
    "X1": request(100, 100, "中国移动", name="城东一号", band="n41", antenna_height_m=30.0, people=200.0,
                  source_file="需求.csv", source_row="2"),
    "X2": request(160, 100, "联通", band="n78", antenna_height_m=40.0, date=pd.Timestamp(2026, 1, 5)),
    "X3": request(190, 100, "电信", band="n78"),
    "X4": request(100, 110, "移动", kind="micro", antenna_height_m=8.0),
    "X5": request(700, 700, "移动"),
    "X6": request(705, 700, "CMCC", date=None),
    "X7": request(500, 500, "某通信公司"),
    "X8": request(900, 900, None, kind=None, antenna_height_m=6.0),
    "X9": request(1500, 500, "广电、某公司"),
}


def sites_at(**rows: dict[str, Any]) -> Any:
    """Open candidates: source, kind, tier and place by id."""
    plain = {"status": "candidate", "networks": "*", "evidence": "地点"}
    frame = pd.DataFrame.from_dict({name: {**plain, **row} for name, row in rows.items()}, orient="index")
    return sites_table(frame, gpd.GeoSeries([at(*row["place"]) for row in rows.values()], crs=CRS))


HALL = {"source": "facility", "kind": "macro", "tier": 1, "place": (130, 180)}
ROOF = {"source": "building", "kind": "macro", "tier": 4, "place": (160, 101)}
POLE = {"source": "pole", "kind": "micro", "tier": 2, "place": (100, 115)}


def test_requests_of_one_place_and_kind_are_one_site_to_be_built_together(flat: Surface) -> None:
    groups = demand_groups(town_context(flat, demands=DEMANDS))
    assert groups.index.tolist() == ["X2", "X4", "X5", "X7", "X8", "X9"]
    one = groups.loc["X2"]  # the middle one of three: 60 and 30 m from the others
    assert one[["kind", "operators", "networks", "demand_ids", "bands"]].tolist() == [
        "macro", "电信|移动|联通", "电信|移动|联通", "X1|X2|X3", "n41|n78"]
    assert one[["antenna_height_m", "people", "requests"]].tolist() == [40.0, 200.0, 3]
    assert one["earliest"] == pd.Timestamp(2026, 1, 5)
    assert one["latest"] == pd.Timestamp(2026, 3, 1)
    assert one["evidence"] == "建站需求;需求编号 X1、X2、X3;运营商 电信、移动、联通;频段 n41、n78;最早2026-01-05提出;涉及200人"
    assert groups.loc["X4", "kind"] == "micro"  # ten metres from X1, but another kind of site
    assert groups.loc["X8", ["kind", "networks", "operators"]].tolist() == ["micro", "*", ""]


def test_doubtful_requests_are_told(flat: Surface) -> None:
    context = town_context(flat, demands=DEMANDS)
    demand_groups(context)
    lines = {line.reason: (line.action, line.value) for line in context.ledger}
    assert lines == {
        "“某公司”不是认识的运营商,已略去": ("note", "X9"),
        "“某通信公司”不是认识的运营商,按研究中的全部网络": ("assumed", "X7"),
        "没有运营商,按研究中的全部网络": ("assumed", "X8"),
        "没有站型,按宏站(期望挂高低于15米的按微站)": ("assumed", "X8"),
        "没有提出日期": ("note", "X6"),
        "建站需求在规划范围之外,不在那里提出新址": ("note", "X9"),
        "移动在同一处提出2次,合并为一处": ("note", "X5、X6"),
    }


def test_a_request_goes_to_the_best_tier_nearby_not_to_the_nearest(flat: Surface) -> None:
    sites = sites_at(hall=HALL, roof=ROOF, pole=POLE)
    groups = demand_groups(town_context(flat, demands=DEMANDS))
    given_to, left = attach_demands(sites, groups, 100.0)
    # the hall is 85 m from X2 and of tier 1, the roof 1 m away and of tier 4; the micro request takes the pole
    assert given_to["demand_ids"].to_dict() == {"hall": "X1|X2|X3", "roof": "", "pole": "X4"}
    assert given_to.loc["hall", "operators"] == "电信|移动|联通"
    assert given_to.loc["hall", "evidence"].startswith("地点;建站需求")
    assert left.index.tolist() == ["X5", "X7", "X8", "X9"]
    assert left.loc[["X5", "X7", "X9"], "evidence"].str.endswith(";100米内没有可用的宏站候选").all()
    assert left.loc["X8", "evidence"].endswith(";100米内没有可用的微站候选")
    assert sites["demand_ids"].eq("").all()  # the argument stays as it was
    near, _ = attach_demands(sites, groups, 80.0)
    assert near["demand_ids"].to_dict() == {"hall": "", "roof": "X1|X2|X3", "pole": "X4"}


def test_only_open_candidates_that_may_serve_all_who_ask_take_a_request(flat: Surface) -> None:
    groups = demand_groups(town_context(flat, demands=DEMANDS))
    refused = sites_at(hall={**HALL, "status": "refused"}, roof=ROOF)
    assert attach_demands(refused, groups, 100.0)[0]["demand_ids"].to_dict() == {"hall": "", "roof": "X1|X2|X3"}
    mast = {"source": "sharing", "kind": "macro", "tier": 2, "place": (160, 100), "networks": "电信|联通"}
    assert attach_demands(sites_at(mast=mast), groups, 100.0)[0]["demand_ids"].tolist() == [""]
    wide = {**mast, "networks": "电信|联通|移动"}
    assert attach_demands(sites_at(mast=wide), groups, 100.0)[0]["demand_ids"].tolist() == ["X1|X2|X3"]


def test_equal_tiers_and_distances_are_broken_by_the_id(flat: Surface) -> None:
    twins = sites_at(b={**HALL, "place": (700, 710)}, a={**HALL, "place": (700, 690)})
    groups = demand_groups(town_context(flat, demands={"X5": DEMANDS["X5"]}))
    assert attach_demands(twins, groups, 100.0)[0]["demand_ids"].to_dict() == {"b": "", "a": "X5"}


def test_several_groups_may_come_to_one_candidate(flat: Surface) -> None:
    wide = {"X1": DEMANDS["X1"], "X2": request(260, 100, "联通")}
    sites, left = attach_demands(sites_at(hall={**HALL, "place": (180, 100)}),
                                 demand_groups(town_context(flat, demands=wide)), 100.0)
    assert sites.loc["hall", ["demand_ids", "operators"]].tolist() == ["X1|X2", "移动|联通"]
    assert left.empty


def test_what_is_left_becomes_a_tower_or_a_pole_of_nobody(flat: Surface) -> None:
    sites = demands.propose(town_context(flat, demands=DEMANDS))
    tower, pole = sites.loc["D-demand:X2"], sites.loc["D-demand:X4"]
    assert tower[["kind", "mount", "opens", "antenna_height_m", "tier"]].tolist() == [
        "macro", "ground_tower", "ground", 40.0, 6]
    assert tower[["owner", "cost_model", "networks"]].tolist() == ["", "open_land", "电信|移动|联通"]
    assert pole[["kind", "mount", "opens", "antenna_height_m", "name"]].tolist() == [
        "micro", "pole", "pole", 8.0, "建站需求 X4"]
    assert sites.loc["D-demand:X5", "antenna_height_m"] == 30.0  # nothing asked: as the mount is built
    assert "挂高40米按需求" in tower["evidence"]


def test_no_requests_no_groups(flat: Surface) -> None:
    context = town_context(flat)
    groups = demand_groups(context)
    assert groups.empty
    assert demand_sites(context, groups).empty
    sites = sites_at(hall=HALL)
    assert attach_demands(sites, groups, 100.0)[0] is sites
    assert demands.propose(context).empty


def test_nothing_open_leaves_all_groups(flat: Surface) -> None:
    groups = demand_groups(town_context(flat, demands=DEMANDS))
    sites, left = attach_demands(sites_at(hall={**HALL, "status": "refused"}), groups, 100.0)
    assert left.index.equals(groups.index)
    assert sites["operators"].eq("").all()


def test_a_site_refused_only_for_want_of_a_gap_takes_a_request_and_is_open_again(flat: Surface) -> None:
    no_gap = {**HALL, "status": "refused", "refusal_code": "no_gap", "reason": "900米内没有覆盖空洞"}
    also_wet = {**no_gap, "refusal_code": "water|no_gap", "reason": "位于水域内;900米内没有覆盖空洞", "place": (160, 100)}
    groups = demand_groups(town_context(flat, demands={name: DEMANDS[name] for name in ("X1", "X2", "X3")}))
    sites, left = attach_demands(sites_at(hall=no_gap, wet=also_wet, roof=ROOF), groups, 100.0)
    assert left.empty
    # the hall is of tier 1: it comes before the open roof of tier 4; what stands in water stays refused
    assert sites["demand_ids"].to_dict() == {"hall": "X1|X2|X3", "wet": "", "roof": ""}
    assert sites.loc["hall", ["status", "refusal_code", "reason"]].tolist() == ["candidate", "", ""]
    assert "地点;有运营商需求,不按“附近没有覆盖空洞”排除;建站需求" in sites.loc["hall", "evidence"]
    assert sites.loc["wet", ["status", "refusal_code"]].tolist() == ["refused", "water|no_gap"]
    nobody, _ = attach_demands(sites_at(hall={**no_gap, "place": (900, 900)}), groups, 100.0)
    assert nobody["status"].tolist() == ["refused"]


def test_the_one_that_stands_for_a_crowded_pole_takes_its_request_where_it_is_near(flat: Surface) -> None:
    crowded = {**POLE, "status": "refused", "refusal_code": "crowded", "reason": "距更优候选60米,由 best 代表"}
    groups = demand_groups(town_context(flat, demands={"X4": DEMANDS["X4"]}))  # at (100, 110)
    near, _ = attach_demands(sites_at(best={**POLE, "place": (160, 110)}, pole=crowded), groups, 100.0)
    assert near["demand_ids"].to_dict() == {"best": "X4", "pole": ""}
    assert near["status"].to_dict() == {"best": "candidate", "pole": "refused"}
    far, left = attach_demands(sites_at(best={**POLE, "place": (160, 110)}, pole=crowded), groups, 50.0)
    assert far["demand_ids"].to_dict() == {"best": "", "pole": "X4"}
    assert far["status"].to_dict() == {"best": "candidate", "pole": "candidate"}
    assert "不按“与更优候选过近”排除" in far.loc["pole", "evidence"]
    assert left.empty


def test_a_site_that_one_request_opened_is_open_for_the_next(flat: Surface) -> None:
    shut = {**HALL, "status": "refused", "refusal_code": "no_gap"}
    two = {"X1": request(100, 100, "移动"), "X2": request(260, 100, "联通")}
    sites, _ = attach_demands(sites_at(a={**shut, "place": (170, 100)}, b={**shut, "place": (330, 100)}),
                              demand_groups(town_context(flat, demands=two)), 90.0)
    assert sites["demand_ids"].to_dict() == {"a": "X1|X2", "b": ""}  # 70 m from X1 and 90 m from X2; b is 70 m from X2
    assert sites["status"].to_dict() == {"a": "candidate", "b": "refused"}


def test_a_lower_antenna_than_asked_for_is_told(flat: Surface) -> None:
    groups = demand_groups(town_context(flat, demands={"X2": {**DEMANDS["X2"], "antenna_height_m": 45.0}}))
    low, _ = attach_demands(sites_at(hall={**HALL, "antenna_height_m": 19.0}), groups, 100.0)
    assert low.loc["hall", "evidence"].endswith(";需求挂高45米,本处19米")
    high, _ = attach_demands(sites_at(hall={**HALL, "antenna_height_m": 45.0}), groups, 100.0)
    assert "需求挂高" not in high.loc["hall", "evidence"]


def test_who_serves_all_serves_the_operators_of_the_study(flat: Surface) -> None:
    one = demand_groups(town_context(flat, demands={"X5": DEMANDS["X5"]}))  # 移动
    hall = sites_at(hall={**HALL, "place": (700, 720)})
    assert attach_demands(hall, one, 100.0, ("移动", "电信"))[0]["demand_ids"].tolist() == ["X5"]
    sites, left = attach_demands(hall, one, 100.0, ("电信",))
    assert sites["demand_ids"].tolist() == [""]
    assert left["evidence"].iloc[0].endswith(";100米内可用的宏站候选(1处)都不能服务全部需求运营商")
    anyone = demand_groups(town_context(flat, demands={"X7": DEMANDS["X7"]}))
    mast = sites_at(mast={"source": "sharing", "kind": "macro", "tier": 2, "place": (500, 500), "networks": "电信|移动"})
    assert attach_demands(mast, anyone, 100.0, ("移动", "电信"))[1].empty  # these two are all of the study
    assert len(attach_demands(mast, anyone, 100.0, ("移动", "电信", "联通"))[1]) == 1


def test_a_tower_for_some_operators_says_so(flat: Surface) -> None:
    sites = demands.propose(town_context(flat, demands=DEMANDS, params=CandidateParams(serves=["移动", "联通"])))
    assert sites.loc["D-demand:X5", "evidence"].endswith(";仅服务移动")
    assert "仅服务" not in sites.loc["D-demand:X2", "evidence"]  # 电信, 移动 and 联通


def test_groups_do_not_depend_on_the_order_of_the_rows(flat: Surface) -> None:
    straight = demand_groups(town_context(flat, demands=DEMANDS))
    turned = demand_groups(town_context(flat, demands=dict(reversed(DEMANDS.items()))))
    assert straight.to_wkb().equals(turned.to_wkb())


def test_a_distance_of_zero_merges_only_one_spot(flat: Surface) -> None:
    spot = {"X1": request(100, 100, "移动"), "X2": request(100, 100, "联通"), "X3": request(101, 100, "电信")}
    groups = demand_groups(town_context(flat, demands=spot, params=CandidateParams(demand_merge_m=0.0)))
    assert groups["demand_ids"].to_dict() == {"X1": "X1|X2", "X3": "X3"}


places = st.lists(st.tuples(st.integers(0, 12), st.integers(0, 12)), max_size=30)


@given(xy=places, distance=st.floats(0, 8))
def test_every_point_is_in_one_group_near_its_centre_which_is_the_medoid(xy: list[tuple[int, int]],
                                                                         distance: float) -> None:
    points = np.array(xy, dtype=float).reshape(-1, 2)
    centre = merge_points(points, distance)
    assert len(centre) == len(points)
    for head in set(centre.tolist()):
        members = np.flatnonzero(centre == head)
        apart = np.hypot(*(points[members][:, None] - points[members][None]).transpose(2, 0, 1))
        at_head = members == head
        assert at_head.sum() == 1  # the centre belongs to its own group
        assert apart[at_head].max() <= distance + 1e-9
        central = apart.max(axis=1) <= distance
        assert apart[at_head].sum() <= apart[central].sum(axis=1).min() + 1e-5


@settings(max_examples=12)
@given(xy=st.lists(st.tuples(st.integers(0, 12), st.integers(0, 12)), min_size=1, max_size=20),
       distance=st.floats(0, 8), seed=st.integers(0, 1000))
def test_groups_of_named_points_are_the_same_in_any_order(flat: Surface, xy: list[tuple[int, int]], distance: float,
                                                           seed: int) -> None:
    rows = {f"X{number:02d}": request(10 * x, 10 * y, "移动") for number, (x, y) in enumerate(xy)}
    order = np.random.default_rng(seed).permutation(list(rows))
    params = CandidateParams(demand_merge_m=10 * distance)
    straight = demand_groups(town_context(flat, demands=rows, params=params))
    turned = demand_groups(town_context(flat, demands={name: rows[name] for name in order}, params=params))
    assert straight["demand_ids"].to_dict() == turned["demand_ids"].to_dict()
    named = [name for cell in straight["demand_ids"] for name in cell.split("|")]
    assert sorted(named) == sorted(rows)


@settings(max_examples=15)
@given(spots=st.lists(st.tuples(st.integers(0, 9), st.integers(0, 9), st.integers(1, 3)), min_size=1, max_size=8),
       distance=st.integers(0, 60))
def test_a_request_goes_where_a_plain_search_sends_it(flat: Surface, spots: list[tuple[int, int, int]],
                                                      distance: int) -> None:
    sites = sites_at(**{f"s{number}": {**HALL, "tier": tier, "place": (10 * x, 10 * y)}
                        for number, (x, y, tier) in enumerate(spots)})
    groups = demand_groups(town_context(flat, demands={"X1": request(45, 45, "移动")}))
    away = [round(float(np.hypot(10 * x - 45, 10 * y - 45)), 3) for x, y, _ in spots]
    near = [number for number, metres in enumerate(away) if metres <= distance]
    found = [(spots[number][2], away[number], f"s{number}") for number in near]
    after, left = attach_demands(sites, groups, float(distance))
    assert after.index[after["demand_ids"] == "X1"].tolist() == ([min(found)[2]] if found else [])
    assert len(left) == (0 if found else 1)


def test_a_chain_of_requests_is_cut_not_merged_whole() -> None:
    chain = np.column_stack([np.arange(7) * 60.0, np.zeros(7)])
    centre = merge_points(chain, 100.0)
    assert len(set(centre.tolist())) >= 3
    assert (np.abs(chain[centre, 0] - chain[:, 0]) <= 100.0).all()


def test_a_mast_that_lacks_an_operator_is_told_apart_from_one_for_all(flat: Surface) -> None:
    anyone = demand_groups(town_context(flat, demands={"X8": DEMANDS["X8"]}))
    mast = {"source": "pole", "kind": "micro", "tier": 2, "place": (900, 900), "networks": "移动"}
    assert attach_demands(sites_at(mast=mast), anyone, 100.0)[1].index.tolist() == ["X8"]
    assert site_ids("demand", pd.Index(["X8"])).tolist() == ["D-demand:X8"]
