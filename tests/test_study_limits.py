"""Least shares and passing areas as floors on cells: worked out by hand, and held to the rules' own verdicts."""

from __future__ import annotations

from collections.abc import Mapping
from types import SimpleNamespace
from typing import Any

import geopandas as gpd
import numpy as np
import pytest
import scipy.sparse as sp
from conftest import CRS, at, rect, table
from hypothesis import given, settings
from hypothesis import strategies as st

from siteplan.errors import StudyError
from siteplan.gaps import Demand, area_pixels, rules_of
from siteplan.gaps.judging.areas import assess_areas
from siteplan.params import StudyParams
from siteplan.selection import DemandCells, gather_demand
from siteplan.selection.model.count import breaches
from siteplan.selection.model.problem import cover_problem
from siteplan.selection.model.reach import reach_of_matrix
from siteplan.study._limits import AreaLimits, floors_of, pixel_cells, why_not_modelled
from siteplan.study._wish_names import check_names
from siteplan.surface import Surface
from siteplan.venues import load_venues

POINTS = {"A-c": ("A", "committee", (55, 555)), "A-s": ("A", "school", (155, 555)), "A-k": ("A", "clinic", (455, 55)),
          "B-c": ("B", "committee", (955, 555)), "B-s": ("B", "school", (955, 155)), "B-k": ("B", "clinic", None)}


def village_points(**places: tuple[float, float] | None) -> gpd.GeoDataFrame:
    rows = {name: {"village_code": code, "kind": kind, "exists": True,
                   "geometry": None if place is None else at(*place)}
            for name, (code, kind, place) in POINTS.items()}
    for name, place in places.items():
        rows[name.replace("_", "-")] |= {"geometry": None if place is None else at(*place)}
    return table("village_points", rows)


def town(surface: Surface, selection: Mapping[str, Any], *, village_rule: str = "area_share_95",
         zone_rule: str = "area_share_95", points: gpd.GeoDataFrame | None = None) -> Any:
    """West (A) and east (B) village of 500 x 1000 m; one zone over both, 300 to 700 m; a person on every pixel."""
    tables = {
        "villages": table("villages", {"A": {"name": "西村", "geometry": rect(0, 0, 500, 1000)},
                                       "B": {"name": "东村", "geometry": rect(500, 0, 1000, 1000)}}),
        "zones": table("zones", {"Z": {"name": "中心区", "geometry": rect(300, 0, 700, 1000)}}),
        "village_points": village_points() if points is None else points,
        "zone_points": table("zone_points", {
            name: {"name": name, "zone_id": "Z", "geometry": at(*place)}
            for name, place in {"东门": (350, 950), "西门": (650, 50), "南门": (450, 950)}.items()}),
        "facilities": table("facilities", {})}
    grid, known = surface.geobox, rules_of({})
    params = StudyParams(study={"name": "玩具镇", "crs": CRS}, layers={}, selection=selection)
    return SimpleNamespace(
        params=params, tables=tables, demand=Demand(np.ones(grid.shape, np.float32), "people", grid),
        rules={"villages": known[village_rule], "zones": known[zone_rule]}, all_rules=known,
        pixels={name: area_pixels(grid, tables[name]) for name in ("villages", "zones")})


def judged(scene: Any, layer: str, probability: np.ndarray) -> Any:
    return assess_areas(scene.tables[layer], probability, scene.demand, scene.rules[layer],
                        points=scene.tables["village_points"], key_points=scene.tables["zone_points"],
                        pixels=scene.pixels[layer])


def west_half_dark(surface: Surface) -> np.ndarray:
    """0.2 in the north of the west village, 0.5 in the easternmost 100 m, else 1."""
    probability = np.ones(surface.geobox.shape)
    probability[:50, :50], probability[:, 90:] = 0.2, 0.5
    return probability


def asked(scene: Any, probability: np.ndarray, reached: np.ndarray | None = None,
          ) -> tuple[AreaLimits, DemandCells, np.ndarray]:
    gap = probability < scene.params.gaps.gap_probability
    cells = gather_demand(gap, scene.demand.per_pixel, np.ones(gap.shape), scene.demand.geobox,
                          scene.params.selection.demand_cell_m)
    signals = SimpleNamespace(coverage=SimpleNamespace(any_5g=lambda: SimpleNamespace(probability=probability)))
    before = SimpleNamespace(signals=signals, areas={
        layer: judged(scene, layer, probability) for layer in ("villages", "zones")})
    return floors_of(scene, before, cells, gap, reached), cells, gap


def shares(**share: Any) -> dict[str, Any]:
    return {"demand_cell_m": 100, "shares": [{"layer": "villages", **share}]}


def test_shares_of_people_are_what_lacks_on_the_gap_cells(flat: Surface) -> None:
    """West: 2500 of 5000 covered, 2000 lack to 90 %, on 25 cells of 100; east: 4000, 500 lack, on 10 cells."""
    found, cells, _ = asked(town(flat, shares(least_share=0.9)), west_half_dark(flat))
    west, east = found.floors
    assert (west.name, west.zh, west.required) == ("shares#1/villages:A", "西村 人口覆盖率不少于 90%", True)
    assert (west.least, east.least) == (pytest.approx(2000), pytest.approx(500))
    assert (west.weights.tolist(), east.weights.tolist()) == ([100.0] * 25, [100.0] * 10)
    assert west.cells.tolist() == np.flatnonzero(cells.cols < 50).tolist()
    assert found.wanted == found.notes == ()
    assert found.facts[0] == {"name": west.name, "zh": west.zh, "kind": "villages", "share": 0.9, "met": False,
                              "covered": 2500.0, "total": 5000.0}


def test_shares_of_the_area_are_in_square_metres_and_names_choose_areas(flat: Surface) -> None:
    scene = town(flat, shares(least_share=0.9, measure="area", names=["东村"]))
    (floor,) = asked(scene, west_half_dark(flat))[0].floors
    assert (floor.name, floor.least, floor.weights[0]) == ("shares#1/villages:B", pytest.approx(50_000), 10_000.0)


def test_shares_that_are_reached_already_are_left_out(flat: Surface) -> None:
    found = asked(town(flat, shares(least_share=0.8)), west_half_dark(flat))[0]
    assert [floor.name for floor in found.floors] == ["shares#1/villages:A"]
    assert [(fact["met"], fact["covered"]) for fact in found.facts] == [(False, 2500.0), (True, 4000.0)]


def test_shares_of_points_count_uncovered_points(flat: Surface) -> None:
    """West: two of three points in the dark; east: the clinic has no place, so that two are known, both in the dark."""
    scene = town(flat, shares(least_share=0.6, measure="points"), village_rule="village_miit_2025")
    west, east = asked(scene, west_half_dark(flat))[0].floors
    assert (west.least, west.weights.tolist()) == (pytest.approx(0.6 * 3 - 1), [1.0, 1.0])
    assert (east.least, east.weights.tolist()) == (pytest.approx(0.6 * 2), [1.0, 1.0])


def test_unknown_land_is_no_part_of_a_share_and_no_people_are_told(flat: Surface) -> None:
    probability = west_half_dark(flat)
    probability[:, 50:] = np.nan
    found, _, _ = asked(town(flat, shares(least_share=0.9)), probability)
    assert [floor.name for floor in found.floors] == ["shares#1/villages:A"]
    assert [(note.row, note.field) for note in found.notes] == [("东村", "selection.shares#1")]


def test_a_share_out_of_reach_stays_required_and_is_told(flat: Surface) -> None:
    """Gap pixels outside of the boundary are on no cell: nobody can be chosen to cover them."""
    scene, probability = town(flat, shares(least_share=1.0, names=["A"])), west_half_dark(flat)
    gap = probability < 0.75
    gap[:25] = False
    cells = gather_demand(gap, scene.demand.per_pixel, np.ones(gap.shape), scene.demand.geobox, 100.0)
    signals = SimpleNamespace(coverage=SimpleNamespace(any_5g=lambda: SimpleNamespace(probability=probability)))
    found = floors_of(scene, SimpleNamespace(signals=signals, areas={}), cells, gap)
    assert (found.floors[0].least, found.floors[0].weights.sum()) == (2500.0, 1250.0)
    assert "空洞全部覆盖也达不到" in found.notes[0].reason


def test_areas_that_there_are_not_are_told_at_once(flat: Surface) -> None:
    scene = town(flat, {**shares(least_share=0.5, names=["西存", "B"]), "passing": {"villages": 3, "zones": 1}})
    with pytest.raises(StudyError) as caught:
        asked(scene, west_half_dark(flat))
    assert [(problem.field, problem.reason, problem.remedy) for problem in caught.value.problems] == [
        ("selection.shares#1.names", "没有这个行政村:西存", "是否应为 西村?"),
        ("selection.passing.villages", "要求 3 个行政村达标,而一共只有 2 个", "不大于 2")]


def test_names_that_no_layer_knows_are_told_in_one_round(flat: Surface) -> None:
    """Before anything is computed: counties of the villages, departments, operators, areas, numbers."""
    scene = town(flat, {"passing": {"villages": 3}, "shares": [{"layer": "zones", "names": ["中心"], "least_share": 0.5}],
                        "quotas": [{"of": "county", "value": "西溪县", "most": 1},
                                   {"of": "county", "value": "溪西县", "most": 1},
                                   {"of": "operator", "value": "中国电信", "most": 1},
                                   {"of": "requested_by", "value": "移动", "most": 1},
                                   {"of": "department", "value": "教育局", "most": 1}]})
    tables = {**scene.tables, "counties": table("counties", {}), "towns": table("towns", {}),
              "stations": table("stations", {"S": {"network": "电信&联通", "technology": "5G", "geometry": at(1, 1)}}),
              "demands": table("demands", {"D": {"operators": "联通", "geometry": at(1, 1)}})}
    tables["villages"] = tables["villages"].assign(county=["溪西县", None])
    with pytest.raises(StudyError) as caught:
        check_names(scene.params, tables, load_venues())
    assert [(problem.field.removeprefix("selection."), problem.remedy) for problem in caught.value.problems] == [
        ("quotas#1.value", "是否应为 溪西县?"), ("quotas#3.value", "写 电信"), ("quotas#4.value", "可用:联通"),
        ("quotas#5.value", "是否应为 教育和体育局?"), ("shares#1.names", "是否应为 中心区?"), ("passing.villages", "不大于 2")]


def test_passing_villages_lack_what_their_rule_measures(flat: Surface) -> None:
    """Mean probability of the west 0.6, of the east 0.9; a served cell adds 80 pixels there, 50 here."""
    scene = town(flat, {"demand_cell_m": 100, "passing": {"villages": 2, "zones": 0}})
    found, _, _ = asked(scene, west_half_dark(flat))
    west, east = found.floors
    assert (west.least / 100, east.least / 100) == (pytest.approx(4750 - 3000), pytest.approx(4750 - 4500))
    assert (west.weights[0] / 100, east.weights[0] / 100) == (pytest.approx(80), pytest.approx(50))
    assert not west.required
    (wish,) = found.wanted
    assert (wish.floors, wish.least, wish.zh) == ((0, 1), 2, "行政村达标不少于 2 个(现已达标 0 个,新建须再使 2 个达标)")
    assert found.facts[0]["passed"] == 0


def test_a_lower_probability_that_counts_as_served_is_told(flat: Surface) -> None:
    wished = {"demand_cell_m": 100, "passing": {"villages": 1}, "probability_weighted": True}
    found, _, _ = asked(town(flat, wished), west_half_dark(flat))
    assert [note.field for note in found.notes] == ["selection.probability_levels"]
    surer = town(flat, {**wished, "probability_levels": [0.75, 0.9]})
    assert asked(surer, west_half_dark(flat))[0].notes == ()


def test_floors_of_wishes_stand_behind_those_of_shares(flat: Surface) -> None:
    scene = town(flat, {**shares(least_share=0.9), "passing": {"villages": 1}})
    found, _, _ = asked(scene, west_half_dark(flat))
    assert [floor.required for floor in found.floors] == [True, True, False, False]
    assert found.wanted[0].floors == (2, 3)
    assert [fact.get("share") for fact in found.facts] == [0.9, 0.9, None, None, None]


def test_villages_that_pass_already_count(flat: Surface) -> None:
    probability = west_half_dark(flat)
    probability[:, 90:] = 1.0
    enough = asked(town(flat, {"passing": {"villages": 1}}), probability)[0]
    assert (enough.wanted, enough.facts[0]["met"], enough.facts[0]["passed"]) == ((), True, 1)
    (wish,) = asked(town(flat, {"passing": {"villages": 2}}), probability)[0].wanted
    assert (wish.floors, wish.least) == ((0,), 1)


def test_points_of_villages_have_to_be_covered_one_and_all(flat: Surface) -> None:
    """The east lacks the place of its clinic: no site can make it pass; no more is wished for than cells can tell."""
    scene = town(flat, {"demand_cell_m": 100, "passing": {"villages": 2}}, village_rule="village_miit_2025")
    found, cells, _ = asked(scene, west_half_dark(flat))
    (floor,) = found.floors
    assert (floor.name, floor.least, floor.weights.tolist()) == ("passing/villages:A", 2.0, [1.0, 1.0])
    assert [(cells.rows[cell] // 10, cells.cols[cell] // 10) for cell in floor.cells] == [(4, 0), (4, 1)]
    assert [note.row for note in found.notes] == ["东村", ""]
    assert found.notes[1].reason == "要求 2 个行政村达标;现已达标 0 个,按需求格最多能核算 1 个,其余由选址后的规则判定"
    assert (found.wanted[0].least, found.wanted[0].floors) == (1, (0,))


def test_key_points_of_zones(flat: Surface) -> None:
    """Two of three gates are in the dark, in two cells."""
    scene = town(flat, {"demand_cell_m": 100, "passing": {"zones": 1}}, zone_rule="key_points_all")
    (floor,) = asked(scene, west_half_dark(flat))[0].floors
    assert (floor.name, floor.least, floor.weights.tolist()) == ("passing/zones:Z", 2.0, [1.0, 1.0])


@pytest.mark.parametrize(("rule", "why"), [
    ("village_4g_2018", "规则按4G判定"), ("village_miit_2025_one", "规则按单个运营商判定"), ("indoor_outdoor_95", "规则还要求建筑内覆盖"),
    ("area_98_-95", "规则按-95dBm门限判定"), ("population_share_95", "")])
def test_rules_that_cells_do_not_tell_are_named(rule: str, why: str) -> None:
    assert why_not_modelled(rules_of({})[rule], -105.0) == why


def test_areas_whose_rule_cells_do_not_tell_are_left_out_and_told(flat: Surface) -> None:
    scene = town(flat, {"passing": {"villages": 1}}, village_rule="area_98_-95")
    found, _, _ = asked(scene, west_half_dark(flat))
    assert found.floors == ()
    assert [note.reason for note in found.notes] == [
        "规则按-95dBm门限判定,选址时无法估算是否达标,没有计入", "要求 1 个行政村达标;现已达标 0 个,按需求格最多能核算 0 个,其余由选址后的规则判定"]
    assert (found.notes[0].row, found.wanted, found.facts[0]["met"]) == ("西村、东村", (), True)


def test_cells_that_no_candidate_serves_make_no_area_pass(flat: Surface) -> None:
    """Nobody reaches the west: it is no part of the wish, rather than proof that there is no plan."""
    scene = town(flat, {"demand_cell_m": 100, "passing": {"villages": 2}})
    _, cells, _ = asked(scene, west_half_dark(flat))
    found, _, _ = asked(scene, west_half_dark(flat), cells.cols >= 50)
    assert ([floor.name for floor in found.floors], found.wanted[0].least) == (["passing/villages:B"], 1)
    assert "最多能核算 1 个" in found.notes[-1].reason


def test_every_gap_pixel_lies_on_the_cell_that_it_was_gathered_on(flat: Surface) -> None:
    probability = west_half_dark(flat)
    scene = town(flat, {"demand_cell_m": 150})
    scene.demand.per_pixel[:] = np.arange(10_000).reshape(100, 100)
    _, cells, gap = asked(scene, probability)
    cell = pixel_cells(cells, gap, 150.0, 10.0)
    assert (cell[~gap.ravel()] == -1).all()
    own = np.bincount(cell[gap.ravel()], weights=scene.demand.per_pixel.ravel()[gap.ravel()], minlength=len(cells))
    np.testing.assert_allclose(own, cells.demand)


@settings(max_examples=15)
@given(st.integers(0, 2**32 - 1), st.sampled_from([100.0, 150.0]),
       st.sampled_from(["area_share_95", "population_share_95", "village_miit_2025"]))
def test_floors_are_met_exactly_where_the_rules_pass_with_these_cells_covered(
        flat: Surface, seed: int, cell_m: float, rule: str) -> None:
    """Cells of a random choice are covered: the floors and the shares say what the rules and a recount say."""
    random = np.random.default_rng(seed)
    points = village_points(B_k=(855, 855), A_c=tuple(random.uniform(0, 499, 2)),
                            B_s=tuple(random.uniform(501, 999, 2)))
    scene = town(flat, {"demand_cell_m": cell_m, "passing": {"villages": 2},
                        "shares": [{"layer": "zones", "least_share": 0.97}]}, village_rule=rule, points=points)
    scene.demand.per_pixel[:] = random.integers(1, 4, (100, 100))
    probability = west_half_dark(flat)
    probability[random.integers(0, 60):, 85:] = 1.0
    found, cells, gap = asked(scene, probability)
    served = random.random(len(cells)) < random.choice([0.5, 0.9, 1.0])
    after = probability.ravel().copy()
    cell = pixel_cells(cells, gap, cell_m, 10.0)
    after[(cell >= 0) & served[cell]] = 1.0
    after = after.reshape(probability.shape)

    reach = reach_of_matrix(sp.csc_matrix(served[:, None].astype(float)))
    broken = {breach.name for breach in breaches(cover_problem(
        reach, cells.weight, floors=found.floors, wanted=found.wanted), np.array([0]))}
    villages = judged(scene, "villages", after)["verdict"]
    assert ("passing/villages" in broken) == ((villages == "pass").sum() < 2)
    zone = scene.pixels["zones"].mean((after >= 0.75).astype(float), scene.demand.per_pixel).iloc[0]
    assert ("shares#1/zones:Z" in broken) == (zone < 0.97 - 1e-9)
