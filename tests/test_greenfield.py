"""Towers on open land of the toy town: only where the land-use code permits, one in a cell, nothing left out silently.
"""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import shapely
from candidate_town import told, town_context
from conftest import X0, Y0, rect
from hypothesis import given, settings
from hypothesis import strategies as st

from siteplan.candidates.kinds import greenfield
from siteplan.candidates.kinds.greenfield import cut_by_cells, gap_cells, without_buildings
from siteplan.candidates.rules.land_use import land_use_of
from siteplan.params import CandidateParams
from siteplan.surface import Surface
from siteplan.tables import read_table

PARCELS = {  # the square kilometre is four cells of 500 m: 874..875, 4982..4983
    "DK1": {"geometry": rect(50, 50, 150, 150), "land_use_code": "1403", "source_file": "规划.gpkg", "source_row": "1"},
    "DK2": {"geometry": rect(200, 50, 450, 450), "land_use_code": "1302"},
    "DK3": {"geometry": rect(550, 50, 950, 450), "land_use_code": "0701"},
    "DK4": {"geometry": rect(550, 460, 560, 470), "land_use_code": "16"},
    "DK5": {"geometry": rect(50, 550, 450, 950), "land_use_code": "99"},
    "DK6": {"geometry": rect(600, 600, 900, 900), "land_use_code": "U15"},
}
BUILDINGS = {"B1": {"geometry": rect(600, 600, 900, 890), "height_m": 9.0, "use": "industrial"}}
CELL = CandidateParams(greenfield_spacing_m=500.0)


def test_one_tower_in_a_cell_on_the_parcel_whose_use_comes_first(flat: Surface) -> None:
    sites = greenfield.propose(town_context(flat, parcels=PARCELS, buildings=BUILDINGS, params=CELL))
    square = sites.loc["L-greenfield:874-4982"]
    assert square["status"] == "candidate"
    assert PARCELS["DK1"]["geometry"].contains(square.geometry)  # a square before the greater waterworks
    assert square[["mount", "antenna_height_m", "opens", "cost_model", "tier", "kind", "build", "owner"]].tolist() == [
        "ground_tower", 30.0, "ground", "open_land", 6, "macro", "new", ""]
    assert square["evidence"].startswith("地块 规划.gpkg 第 1 行;编号 DK1,用地性质 1403 广场用地(允许);500米网格内取一处;空地10000平方米")
    assert "占地不超过100平方米" in square["evidence"]
    works = sites.loc["L-greenfield:875-4983"]
    assert works["status"] == "candidate"
    assert not BUILDINGS["B1"]["geometry"].intersects(works.geometry)  # the strip of 10 m that is not built on


def test_a_cell_with_a_gap_and_no_permitted_land_keeps_one_refused_parcel(flat: Surface) -> None:
    context = town_context(flat, parcels=PARCELS, buildings=BUILDINGS, params=CELL)
    sites = greenfield.propose(context)
    housing, strange = sites.loc["L-greenfield:875-4982"], sites.loc["L-greenfield:874-4983"]
    assert housing[["status", "refusal_code"]].tolist() == ["refused", "land_use"]
    assert housing["reason"] == "用地性质 16 留白用地,须先征得自然资源部门同意新建落地塔"  # may be asked for, housing not
    assert strange["reason"] == "用地性质“99”不认识,不作落地塔候选"
    assert len(sites) == 4
    assert told(context, "parcels") == [
        "用地性质不允许或须先征得同意,不作落地塔候选;覆盖空洞处列出 2 块", "用地性质不认识,不作落地塔候选"]
    assert next(line.value for line in context.ledger) == "07 1块、16 1块"


def test_where_all_is_covered_no_parcel_is_refused(flat: Surface) -> None:
    context = town_context(flat, parcels=PARCELS, gap=np.zeros(flat.geobox.shape, bool), params=CELL)
    sites = greenfield.propose(context)
    assert set(sites["status"]) == {"candidate"}
    assert told(context, "parcels")[0].endswith("覆盖空洞处列出 0 块")


def test_a_parcel_is_refused_once_however_many_cells_it_fills(flat: Surface) -> None:
    forest = {"DK9": {"geometry": rect(0, 0, 1000, 1000), "land_use_code": "0301"}}
    sites = greenfield.propose(town_context(flat, parcels=forest, params=CandidateParams(greenfield_spacing_m=100.0)))
    assert len(sites) == 1
    assert sites["reason"].iloc[0] == "用地性质 03 林地,不允许新建落地塔"


def test_built_over_land_gives_no_tower_and_is_told(flat: Surface) -> None:
    full = {"B1": {"geometry": rect(590, 590, 910, 910), "height_m": 9.0, "use": "industrial"}}
    context = town_context(flat, parcels={"DK6": PARCELS["DK6"]}, buildings=full, params=CELL)
    assert greenfield.propose(context).empty
    assert told(context, "parcels") == ["用地性质允许,但除去建筑后空地不足100平方米,没有落地塔候选"]


def test_without_parcels_there_is_one_line_and_no_tower(flat: Surface) -> None:
    context = town_context(flat)
    assert greenfield.propose(context).empty
    assert told(context, "parcels") == ["没有地块图层,不知用地性质,不提出新征用地的落地塔候选"]


def test_parcels_next_door_are_context_only(flat: Surface) -> None:
    context = town_context(flat, parcels={"DK1": {**PARCELS["DK1"], "inside": False}}, params=CELL)
    assert greenfield.propose(context).empty


def test_rows_do_not_depend_on_their_order(flat: Surface) -> None:
    turned = town_context(flat, parcels=dict(reversed(PARCELS.items())), buildings=BUILDINGS, params=CELL)
    straight = town_context(flat, parcels=PARCELS, buildings=BUILDINGS, params=CELL)
    assert greenfield.propose(turned).to_wkb().equals(greenfield.propose(straight).to_wkb())


@pytest.mark.parametrize(("code", "permits"), [
    ("1306", "yes"), ("1312", "yes"), ("120801", "yes"), ("1207", "no"), ("0103", "no"), ("0301", "no"),
    ("070101", "no"), ("G1", "yes"), ("g2", "yes"), ("U12", "yes"), ("R2", "no"), ("A51", "ask"), ("A7", "no"),
    ("1401 公园绿地", "yes"),
    ("公园绿地", "yes"), ("1401/0701", "no"), ("1401+16", "ask"), ("087", "no"), ("1", "no"), ("商住", "no")])
def test_codes_are_read_by_their_longest_beginning(code: str, permits: str) -> None:
    assert land_use_of(code).permits == permits


def test_every_entry_of_the_table_has_a_source_an_edition_and_an_order() -> None:
    for code, entry in read_table("land_use")["codes"].items():
        assert entry["source"], code
        assert entry["edition"] in ("trial", "2023", "GB50137")
        assert (entry["order"] > 0) == (entry["permits"] != "no")
        strict = ["yes", "ask", "no"]  # what may be built anew may stand beside a venue all the more
        assert strict.index(entry["venues"]) <= strict.index(entry["permits"]), code
        assert land_use_of(code).code == code


rectangles = st.tuples(*[st.integers(-300, 300)] * 2, *[st.integers(1, 250)] * 2)


@given(corners=st.lists(rectangles, min_size=1, max_size=5), cell=st.sampled_from([50.0, 70.0, 100.0]))
def test_pieces_lie_in_their_cell_and_make_up_the_shape(corners: list[tuple[int, int, int, int]], cell: float) -> None:
    shapes = np.array([shapely.box(x, y, x + w, y + h) for x, y, w, h in corners], dtype=object)
    pieces = cut_by_cells(shapes, cell)
    for row in pieces.itertuples():
        box = shapely.box(row.col * cell, row.row * cell, (row.col + 1) * cell, (row.row + 1) * cell)
        assert shapely.covers(box, row.shape)
    total = pieces.assign(area=shapely.area(pieces["shape"].to_numpy(object))).groupby("number")["area"].sum()
    assert np.allclose(total.to_numpy(), shapely.area(shapes))
    assert not pieces.duplicated(["number", "col", "row"]).any()


@settings(max_examples=12)
@given(corners=st.lists(st.tuples(*[st.integers(0, 800)] * 2, *[st.integers(5, 200)] * 2,
                                  st.sampled_from(["1401", "0701"])), max_size=6))
def test_every_cell_with_permitted_land_has_one_tower_on_it(flat: Surface,
                                                            corners: list[tuple[int, int, int, int, str]]) -> None:
    parcels = {f"DK{number}": {"geometry": rect(x, y, x + w, y + h), "land_use_code": code}
               for number, (x, y, w, h, code) in enumerate(corners)}
    sites = greenfield.propose(town_context(flat, parcels=parcels, params=CandidateParams(greenfield_spacing_m=200.0)))
    parks = [row["geometry"] for row in parcels.values() if row["land_use_code"] == "1401"]
    slow = {f"{col}-{row}" for col in range(2185, 2191) for row in range(12455, 12461) for park in parks
            if park.intersection(shapely.box(200 * col, 200 * row, 200 * col + 200, 200 * row + 200)).area >= 100.0}
    towers = sites[sites["status"] == "candidate"]
    assert set(towers["source_id"]) == slow
    assert all(any(park.covers(point) for park in parks) for point in towers.geometry)


@given(seed=st.integers(0, 10**6), cell=st.sampled_from([70.0, 130.0, 500.0]), share=st.floats(0, 0.02))
def test_gap_cells_are_those_a_plain_loop_finds(flat: Surface, seed: int, cell: float, share: float) -> None:
    gap = np.random.default_rng(seed).random(flat.geobox.shape) < share
    slow = {(int((X0 + 10 * col + 5) // cell), int((Y0 + 1000 - 10 * row - 5) // cell))
            for row, col in itertools.product(range(100), range(100)) if gap[row, col]}
    assert set(gap_cells(town_context(flat, gap=gap), cell)) == slow


def test_buildings_are_taken_off_the_land_they_stand_on(flat: Surface) -> None:
    buildings = town_context(flat, buildings=BUILDINGS).tables["buildings"]
    shapes = np.array([rect(600, 600, 900, 900), rect(0, 0, 10, 10)], dtype=object)
    assert shapely.area(without_buildings(shapes, buildings)).tolist() == [3000.0, 100.0]
