"""Which site of a plan is which site of the register: worked out by hand on a line of sites, and as a property."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from siteplan.register.sync import match_sites, mount_family
from siteplan.register.sync.record import place_setting

SAME_M, FAR_M = place_setting("same_place_m"), place_setting("id_trust_m")


def plan(**rows: dict[str, Any]) -> pd.DataFrame:
    """Sites of a plan by study id: a new roof pole at x = 0 unless said otherwise."""
    usual = {"name": "甲", "venue": "", "family": "roof", "build": "new", "x": 0.0, "y": 0.0}
    table = pd.DataFrame([{**usual, **row} for row in rows.values()], index=list(rows), columns=list(usual))
    return table.astype({"x": float, "y": float})


def held(**rows: dict[str, Any]) -> pd.DataFrame:
    """Sites of the register by id."""
    usual = {"name": "甲", "venue": "", "family": "roof", "study_id": "", "former_ids": "", "state": "reserve", "x": 0.0,
             "y": 0.0}
    table = pd.DataFrame([{**usual, **row} for row in rows.values()], index=list(rows), columns=list(usual))
    return table.astype({"x": float, "y": float})


def matched(one: pd.DataFrame, other: pd.DataFrame) -> dict[str, tuple[str, str]]:
    pairs = match_sites(one, other).pairs
    return {key: (row["row_id"], row["how"]) for key, row in pairs.iterrows() if row["row_id"]}


def test_the_id_comes_before_the_venue_and_the_place() -> None:
    sites = held(Z1={"study_id": "S1", "x": 300.0}, Z2={"venue": "V1", "x": 0.0}, Z3={"x": 1.0})
    assert matched(plan(S1={"venue": "V1"}), sites) == {"S1": ("Z1", "id")}


def test_the_present_id_comes_before_a_former_one() -> None:
    sites = held(Z1={"study_id": "S2", "former_ids": "S0|S1"}, Z2={"study_id": "S1", "x": 50.0})
    assert matched(plan(S1={"x": 50.0}), sites) == {"S1": ("Z2", "id")}
    assert matched(plan(S0={}), sites) == {"S0": ("Z1", "former")}


def test_two_ids_of_one_site_give_one_match_and_one_new_site() -> None:
    """S1 is the present id of Z1, S0 a former one; S0 stands too far away to be anything else."""
    sites = held(Z1={"study_id": "S1", "former_ids": "S0"})
    assert matched(plan(S0={"x": 100.0}, S1={}), sites) == {"S1": ("Z1", "id")}


def test_an_id_that_was_given_to_another_place_is_not_believed() -> None:
    """Farther than the limit and named otherwise: two sites. Named alike, or as near as the limit: one."""
    sites = held(Z1={"study_id": "S1", "name": "锦溪 小学"})
    found = match_sites(plan(S1={"name": "东门医院", "x": FAR_M + 1.0}), sites)
    assert found.pairs["row_id"].tolist() == [""]
    assert found.distrusted.to_numpy().tolist() == [["S1", "Z1", FAR_M + 1.0]]
    assert matched(plan(S1={"name": "锦溪小学", "x": FAR_M + 1.0}), sites) == {"S1": ("Z1", "id")}
    assert matched(plan(S1={"name": "东门医院", "x": FAR_M}), sites) == {"S1": ("Z1", "id")}


def test_sites_of_one_venue_match_when_they_stand_in_the_same_way() -> None:
    sites = held(Z1={"venue": "V1", "x": 200.0}, Z2={"venue": "V1", "family": "ground", "x": 100.0})
    assert matched(plan(N1={"venue": "V1"}), sites) == {"N1": ("Z1", "venue")}
    assert matched(plan(N1={"venue": "V1", "family": "ground"}), sites) == {"N1": ("Z2", "venue")}
    assert matched(plan(N1={"venue": "V1", "family": "pole"}), sites) == {}
    assert matched(plan(N1={"venue": "V1", "family": ""}), sites) == {}


def test_several_sites_of_one_venue_match_the_nearest_each() -> None:
    sites = held(Z1={"venue": "V1", "x": 90.0}, Z2={"venue": "V1", "x": 10.0})
    assert matched(plan(N1={"venue": "V1", "x": 0.0}, N2={"venue": "V1", "x": 100.0}), sites) == {
        "N1": ("Z2", "venue"), "N2": ("Z1", "venue")}


@pytest.mark.parametrize(("away_m", "found"), [(SAME_M, True), (np.nextafter(SAME_M, 99.0), False)])
def test_places_match_up_to_the_distance_of_the_table(away_m: float, found: bool) -> None:
    assert matched(plan(N1={"x": away_m}), held(Z1={})) == ({"N1": ("Z1", "place")} if found else {})


@pytest.mark.parametrize(("one", "other", "found"), [
    ("roof", "ground", False), ("roof", "", True), ("", "pole", True), ("pole", "pole", True)])
def test_a_place_is_not_the_same_where_the_site_stands_otherwise(one: str, other: str, found: bool) -> None:
    assert bool(matched(plan(N1={"family": one}), held(Z1={"family": other}))) is found


def test_the_nearest_pair_goes_first_and_ties_go_by_id() -> None:
    """N1 is 4 m from Z1 and N2 is 2 m: N2 has Z1, N1 the farther Z2. Of two equally near the first id."""
    sites = held(Z1={"x": 0.0}, Z2={"x": -6.0})
    assert matched(plan(N1={"x": -4.0}, N2={"x": 2.0}), sites) == {"N1": ("Z2", "place"), "N2": ("Z1", "place")}
    assert matched(plan(N1={}), held(Z2={"x": 3.0}, Z1={"x": -3.0})) == {"N1": ("Z1", "place")}
    assert matched(plan(N2={"x": 3.0}, N1={"x": -3.0}), held(Z1={})) == {"N1": ("Z1", "place")}


def test_withdrawn_sites_come_last_and_are_found_all_the_same() -> None:
    gone = {"state": "withdrawn", "x": 1.0}
    assert matched(plan(N1={}), held(Z1=gone, Z2={"x": 9.0})) == {"N1": ("Z2", "place")}
    assert matched(plan(N1={}), held(Z1=gone)) == {"N1": ("Z1", "place")}


@pytest.mark.parametrize(("build", "found"), [("new", True), ("share", False), ("reuse", False)])
def test_what_is_built_on_a_site_on_air_is_another_site(build: str, found: bool) -> None:
    sites = held(Z1={"state": "on_air", "study_id": "S1"})
    assert bool(matched(plan(N1={"build": build}), sites)) is found
    assert matched(plan(S1={"build": build}), sites) == {"S1": ("Z1", "id")}, "its own id says that it is this site"


def test_a_site_without_a_place_matches_by_id_alone() -> None:
    sites = held(Z1={"study_id": "S1", "x": np.nan, "y": np.nan}, Z2={"x": np.nan, "y": np.nan})
    found = match_sites(plan(S1={}, N1={}), sites).pairs
    assert found["row_id"].tolist() == ["Z1", ""]
    assert found["distance_m"].isna().all()


def test_nothing_matches_nothing() -> None:
    assert match_sites(plan(), held()).pairs.empty
    assert match_sites(plan(S1={}), held()).pairs["row_id"].tolist() == [""]
    assert match_sites(plan(), held(Z1={})).pairs.empty


@pytest.mark.parametrize(("words", "family"), [
    ("楼面抱杆", "roof"), ("楼面塔", "roof"), ("落地塔", "ground"), ("现有铁塔", "ground"), ("灯杆", "pole"), ("室内分布", "indoor"),
    ("美化天线", ""), ("Roof_Pole", "roof"), ("", "")])
def test_families_of_ways_of_standing(words: str, family: str) -> None:
    assert mount_family(words) == family


names, spots = st.sampled_from(["甲", "乙"]), st.integers(0, 40)
texts = st.sampled_from(["", "S0", "S1", "S2"])
venues, families = st.sampled_from(["", "V1"]), st.sampled_from(["", "roof", "pole"])
plan_rows = st.lists(st.tuples(names, venues, families, spots), max_size=6)
held_rows = st.lists(st.tuples(names, venues, families, spots, texts,
                               st.sampled_from(["reserve", "on_air", "withdrawn"])), max_size=6)


@given(plan_rows, held_rows)
def test_matches_are_one_to_one_and_do_not_hang_on_the_order(mine: list[Any], theirs: list[Any]) -> None:
    one = plan(**{f"S{number}": {"name": row[0], "venue": row[1], "family": row[2], "x": float(row[3])}
                  for number, row in enumerate(mine)})
    other = held(**{f"Z{number}": {"name": row[0], "venue": row[1], "family": row[2], "x": float(row[3]),
                                   "former_ids": row[4], "state": row[5]} for number, row in enumerate(theirs)})
    found = match_sites(one, other).pairs
    taken = found.loc[found["row_id"] != "", "row_id"]
    assert not taken.duplicated().any()
    by_place = found[found["how"] == "place"]
    assert (by_place["distance_m"] <= SAME_M).all()
    again = match_sites(one.iloc[::-1], other.iloc[::-1]).pairs.reindex(found.index)
    pd.testing.assert_frame_equal(found, again)


@given(plan_rows)
def test_every_plan_matches_itself(mine: list[Any]) -> None:
    one = plan(**{f"S{number}": {"name": row[0], "venue": row[1], "family": row[2], "x": float(row[3])}
                  for number, row in enumerate(mine)})
    other = held(**{f"Z{number}": {"study_id": f"S{number}", "x": float(row[3])} for number, row in enumerate(mine)})
    assert matched(one, other) == {f"S{number}": (f"Z{number}", "id") for number in range(len(mine))}
