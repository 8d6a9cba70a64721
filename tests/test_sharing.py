"""Masts of the toy town: what stands, what is used again, and where there is room for whom."""

from __future__ import annotations

from typing import Any

import pandas as pd
import pytest
from candidate_town import told, town_context
from conftest import at
from hypothesis import given
from hypothesis import strategies as st

from siteplan.candidates import propose_sites
from siteplan.candidates.kinds import sharing, stations
from siteplan.candidates.kinds.mast_places import allot_places, partners_of
from siteplan.candidates.kinds.operators import operators_named, operators_with_5g, wanted_operators
from siteplan.candidates.kinds.origins import joined
from siteplan.candidates.kinds.sharing import sharing_table
from siteplan.params import CandidateParams
from siteplan.study._networks import wanted_networks
from siteplan.surface import Surface


def sector(site: str, network: str, technology: str = "5G", place: tuple[float, float] = (100, 100),
           **more: Any) -> dict[str, Any]:
    return {"geometry": at(*place), "source_site": site, "name": f"{site}站", "network": network,
            "technology": technology, "antenna_height_m": 30.0, "kind": "macro", "owner": "铁塔公司", **more}


STATIONS = {
    "A-1": sector("A", "移动", antenna_height_m=30.0, source_file="工参.xlsx", source_row="2"),
    "A-2": sector("A", "移动", antenna_height_m=34.0, source_file="工参.xlsx", source_row="3"),
    "B-1": sector("B", "电信&联通", place=(500, 100)),
    "C-1": sector("C", "移动", place=(900, 100)),
    "C-2": sector("C", "电信&联通", place=(900, 100)),
    "D-1": sector("D", "电信&联通", place=(100, 500)),
    "D-2": sector("D", "移动", "4G", place=(100, 500)),
    "E-1": sector("E", "移动", place=(500, 500), kind="indoor"),
    "F-1": sector("F", "移动", place=(900, 500), free_positions=0),
    "G-1": sector("G", "移动", place=(100, 900), free_positions=2),
    "G-2": sector("G", "移动", place=(100, 900), free_positions=1),
    "H-1": sector("H", "联通", "4G", place=(500, 900), antenna_height_m=35.0),
    "I-1": sector("I", "联通", "4G", place=(900, 900), antenna_height_m=12.0),
}


def test_room_is_what_is_given_or_what_the_setting_leaves(flat: Surface) -> None:
    table = sharing_table(town_context(flat, stations=STATIONS))
    # A: 移动 of 3 -> two more; B: a shared RAN is two operators -> one more; C: three of three, nobody missing;
    # D: 移动 has 4G there and comes with 5G to its own place, although three operators are there;
    # F, G: positions are given; a shared RAN takes one position; of 2 and 1 the least counts.
    # E is a room, H and I have no 5G.
    assert table["offered"].to_dict() == {"A": "电信|联通", "B": "移动", "C": "", "D": "移动", "F": "", "G": "电信|联通"}
    assert table["missing"].to_dict() == {"A": "电信|联通", "B": "移动", "C": "", "D": "移动", "F": "电信|联通", "G": "电信|联通"}
    assert table["places"].to_dict() == {"A": 2, "B": 1, "C": 0, "D": 0, "F": 0, "G": 1}
    assert table["verdict"].to_dict() == {
        "A": "room", "B": "room", "C": "complete", "D": "room", "F": "full", "G": "room"}
    assert set(table.index[table["places_source"] == "given"]) == {"F", "G"}


def test_candidates_name_the_missing_networks_and_keep_the_height(flat: Surface) -> None:
    context = town_context(flat, stations=STATIONS)
    sites = sharing.propose(context)
    row = sites.loc["S-sharing:A"]
    assert row[["status", "build", "kind", "source", "networks"]].tolist() == [
        "candidate", "share", "macro", "sharing", "电信|联通"]
    assert row[["antenna_height_m", "cost_model", "tier"]].tolist() == [34.0, "existing_mast", 2]
    assert "工参.xlsx 第 2 行等2个小区" in row["evidence"]
    assert "5G现有 移动" in row["evidence"]
    assert "按每塔3家运营商还可容纳2家(假定)" in row["evidence"]
    assert "空余挂载位1个(资料给出)" in sites.loc["S-sharing:G", "evidence"]
    assert "S-sharing:C" not in sites.index
    assert told(context, "stations") == ["空余挂载位未提供,每塔按3家运营商计", "同一站址各行的空余挂载位不一致,取最小值"]


def test_a_full_mast_is_kept_as_refused_with_its_code(flat: Surface) -> None:
    row = sharing.propose(town_context(flat, stations=STATIONS)).loc["S-sharing:F"]
    assert row[["status", "refusal_code", "networks"]].tolist() == ["refused", "no_capacity", "电信|联通"]
    assert row["reason"] == "没有空余挂载位:塔上已有移动,容不下电信、联通"


def test_more_operators_to_a_mast_make_room(flat: Surface) -> None:
    two = {key: STATIONS[key] for key in ("A-1", "B-1")}
    tight = town_context(flat, stations=two, params=CandidateParams(station_operators=2))
    assert sharing_table(tight)["offered"].to_dict() == {"A": "", "B": ""}  # 电信 and 联通 come together or not at all
    named = town_context(flat, stations=two, params=CandidateParams(serves=["中国广电"]))
    assert sharing_table(named)["missing"].to_dict() == {"A": "广电", "B": "广电"}


def test_existing_masts_are_listed_once_with_all_their_networks(flat: Surface) -> None:
    sites = stations.existing_sites(town_context(flat, stations=STATIONS))
    assert sites.index.tolist() == [f"E-station:{name}" for name in "ABCDEFGHI"]
    assert sites.loc["E-station:D", "networks"] == "电信&联通 5G|移动 4G"
    assert sites.loc["E-station:A", "antenna_height_m"] == 34.0
    assert sites.loc["E-station:E", "kind"] == "indoor"


def test_a_mast_with_an_indoor_sector_first_is_still_a_macro_mast(flat: Surface) -> None:
    mixed = {"A-0": sector("A", "移动", kind="indoor"), "A-1": sector("A", "移动")}
    assert stations.existing_sites(town_context(flat, stations=mixed)).loc["E-station:A", "kind"] == "macro"


def test_masts_without_5g_are_used_again_and_low_ones_told(flat: Surface) -> None:
    context = town_context(flat, stations=STATIONS)
    sites = stations.propose(context)
    assert sites.index.tolist() == ["R-station:H"]
    assert sites.loc["R-station:H", ["build", "networks", "opens", "cost_model"]].tolist() == [
        "reuse", "*", "ground", "existing_mast"]
    assert "现有 联通 4G" in sites.loc["R-station:H", "evidence"]
    assert told(context, "stations") == ["没有5G,挂高不足15米,不作宏站利旧候选"]


FIVE = {"A-1": sector("A", "移动"), "B-1": sector("B", "电信&联通", place=(900, 100))}
"""5G of three operators: 移动 alone, 电信 and 联通 in one RAN."""


@pytest.mark.parametrize(("network", "free", "serving", "words"), [
    ("移动", 0, "移动", "空余挂载位0个(资料给出);仅服务移动"),       # only its own place
    ("联通", 0, "联通", "空余挂载位0个(资料给出);仅服务联通"),       # its partner has none; 联通 takes its own
    ("移动", 1, "*", "空余挂载位1个(资料给出)"),                  # the RAN of 电信 and 联通 takes one position
    ("移动", None, "移动", "按每塔2家运营商还可容纳1家(假定);仅服务移动"),  # one more operator is not both partners
    ("移动&电信&联通", 0, "*", "空余挂载位0个(资料给出)"),
    ("广电", 0, "", "空余挂载位0个(资料给出)"), ("未注明", 0, "", "空余挂载位0个(资料给出)"),
])
def test_a_mast_without_5g_is_offered_to_whom_it_has_room_for(flat: Surface, network: str, free: int | None,
                                                              serving: str, words: str) -> None:
    old = {**FIVE, "K-1": sector("K", network, "4G", place=(500, 500), free_positions=free)}
    context = town_context(flat, stations=old, params=CandidateParams(station_operators=2))
    row = stations.propose(context).loc["R-station:K"]
    assert row["evidence"].endswith(words)
    if serving:
        assert row[["status", "networks", "refusal_code"]].tolist() == ["candidate", serving, ""]
    else:
        assert row[["status", "networks", "refusal_code"]].tolist() == ["refused", "电信|移动|联通", "no_capacity"]
        there = "无" if network == "未注明" else network
        assert row["reason"] == f"没有空余挂载位:塔上已有{there},容不下电信、移动、联通"


def test_where_no_operator_has_5g_a_mast_is_for_whoever_comes(flat: Surface) -> None:
    row = stations.propose(town_context(flat, stations={"H-1": STATIONS["H-1"]})).loc["R-station:H"]
    assert row[["status", "networks"]].tolist() == ["candidate", "*"]
    assert row["evidence"].endswith("空余挂载位未提供,按每塔3家运营商还可容纳2家(假定)")


def test_the_rule_of_capacity_is_for_masts_without_5g_too(flat: Surface) -> None:
    old = {**FIVE, "K-1": sector("K", "广电", "4G", place=(500, 900), free_positions=0)}
    only = CandidateParams(kinds=["station"])
    assert propose_sites(town_context(flat, stations=old, params=only)).loc[
        "R-station:K", ["status", "refusal_code"]].tolist() == ["refused", "no_capacity"]
    off = CandidateParams(kinds=["station"], rules={"no_capacity": {"effect": "off"}})
    assert propose_sites(town_context(flat, stations=old, params=off)).loc["R-station:K", "status"] == "candidate"


def test_two_numbers_of_one_tower_are_asked_together_who_is_missing(flat: Surface) -> None:
    """移动 numbers the tower M1, 电信 M2 five metres away; M3 twelve metres away is another tower."""
    towers = {"1": sector("M1", "移动", place=(500, 500)), "2": sector("M2", "电信", place=(505, 500)),
              "3": sector("M3", "联通", place=(512, 500)), "4": sector("M2", "广电", "4G", place=(505, 500))}
    context = town_context(flat, stations=towers, params=CandidateParams(kinds=["sharing"], station_operators=4))
    table = sharing_table(context)
    assert table["operators_5g"].to_dict() == {"M1": "电信|移动", "M3": "联通"}
    assert table["missing"].to_dict() == {"M1": "联通", "M3": "电信|移动"}
    sites = propose_sites(context)
    row = sites.loc["S-sharing:M1"]
    assert row[["status", "networks", "members"]].tolist() == ["candidate", "联通", "M1|M2"]  # 12 m from M3: no matter
    assert row["evidence"].startswith("现有基站 M1、M2")
    assert row["evidence"].endswith(";仅服务联通")
    assert "S-sharing:M2" not in sites.index
    assert {f"E-station:M{number}" for number in (1, 2, 3)} <= set(sites.index)


def test_4g_under_another_number_of_a_5g_tower_is_no_mast_without_5g(flat: Surface) -> None:
    tower = {"1": sector("M1", "移动", place=(500, 500)), "2": sector("M2", "电信", "4G", place=(503, 504))}
    context = town_context(flat, stations=tower, params=CandidateParams(serves=["移动", "电信"]))
    assert stations.propose(context).empty
    assert sharing_table(context)["offered"].to_dict() == {"M1": "电信"}  # to its own place


@pytest.mark.parametrize(("serves", "wanted"), [
    (["n78"], ("移动", "电信")), (["5G", "3.5G"], ("移动", "电信")), (["移动 n41"], ("移动",)), (["电信/5G"], ("电信",)),
    (["n41", "联通"], ("联通",))])
def test_a_band_or_a_technology_is_no_network(flat: Surface, serves: list[str], wanted: tuple[str, ...]) -> None:
    two = {"1": sector("M1", "移动"), "2": sector("M2", "电信", place=(900, 900)), "3": sector("M3", "移动", place=(9, 9))}
    context = town_context(flat, stations=two, params=CandidateParams(serves=serves))
    assert wanted_operators(context) == wanted
    assert set(wanted_networks(serves, ("移动", "电信"))) == set(wanted)  # as the study reads it


def test_a_city_without_stations_shares_nothing(flat: Surface) -> None:
    context = town_context(flat)
    assert sharing.propose(context).empty
    assert sharing_table(context).empty
    assert stations.propose(context).empty
    rooms = town_context(flat, stations={"E-1": STATIONS["E-1"]})
    assert sharing_table(rooms).empty


def test_rows_do_not_depend_on_their_order(flat: Surface) -> None:
    turned = town_context(flat, stations=dict(reversed(STATIONS.items())))
    assert sharing.propose(turned).to_wkb().equals(sharing.propose(town_context(flat, stations=STATIONS)).to_wkb())


def test_operators_wanted_are_those_of_the_5g_stations_or_of_the_setting(flat: Surface) -> None:
    assert operators_with_5g(town_context(flat, stations=STATIONS).tables["stations"]) == ("移动", "电信", "联通")
    one = town_context(flat, stations=STATIONS, params=CandidateParams(serves=["联通、某公司"]))
    assert wanted_operators(one) == ("联通", "某公司")
    assert operators_named("CMCC+中国电信") == (("电信", "移动"), ())


@given(networks=st.lists(st.sampled_from(["移动", "电信&联通", "移动&广电", "联通"]), max_size=6))
def test_partners_split_the_operators_and_run_the_same_networks(networks: list[str]) -> None:
    wanted = ("移动", "电信", "联通", "广电")
    groups = partners_of(pd.Series(networks, dtype="str"), wanted)
    assert sorted(name for group in groups for name in group) == sorted(wanted)
    for group in groups:
        assert len({tuple(name in text.split("&") for text in networks) for name in group}) == 1


@given(places=st.integers(0, 4), there=st.sets(st.sampled_from("ABCDE")), is_given=st.booleans())
def test_no_more_places_are_taken_than_there_are(places: int, there: set[str], is_given: bool) -> None:
    missing = (("A", "B"), ("C",), ("D", "E"))
    offered = allot_places(missing, there, places, is_given)
    used = [sum(name not in there for name in group) for group in missing if set(group) <= set(offered)]
    assert sum(min(count, 1) if is_given else count for count in used) <= places
    at_home = [group for group in missing if set(group) <= there]
    assert set(offered) >= set().union(*at_home)  # who is there needs no place


@given(pairs=st.lists(st.tuples(st.sampled_from("XYZ"), st.sampled_from(["", "a", "b", "c"])), max_size=12))
def test_texts_are_joined_as_a_plain_loop_does(pairs: list[tuple[str, str]]) -> None:
    slow = {group: "|".join(sorted({value for key, value in pairs if key == group and value})) for group, _ in pairs}
    groups, values = (pd.Series([pair[which] for pair in pairs], dtype="str") for which in (0, 1))
    fast = joined(values, groups)
    assert fast.to_dict() == slow
