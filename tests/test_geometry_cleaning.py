"""Geometry that files really hold: mended, split, kept as context or refused, always with a line."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pyproj
import pytest
import shapely
from test_layers import EAST, EPSG, NORTH, square

from siteplan.input_ledger import InputLedger, LedgerLine
from siteplan.layers.file_log import FileLog
from siteplan.layers.formats.raw_table import RawTable
from siteplan.layers.kinds.buildings import read_storeys, same_footprints
from siteplan.layers.places.surroundings import inside_boundary
from siteplan.layers.typing_rows import Frame, finish_table, type_rows
from siteplan.params import LayerSource

CRS = pyproj.CRS.from_epsg(EPSG)
TOWN = square(0, 0, 2000)
STUDY = Frame(CRS, TOWN.buffer(500.0), None, 500.0, TOWN)


def read(layer, shapes, study=STUDY, crs=CRS, **cells):
    frame = pd.DataFrame(cells, index=range(len(shapes)), dtype=object)
    rows = np.array([str(number + 1) for number in range(len(shapes))], dtype=object)
    array = np.empty(len(shapes), dtype=object)
    array[:] = shapes
    log = FileLog(layer, "f.gpkg", InputLedger())
    typed = type_rows(RawTable(frame, rows, array, crs, ""), LayerSource(path="f.gpkg"), study, log)
    assert typed is not None, log.problems
    return finish_table(layer, [typed], study, log.ledger), log.ledger


def lines(ledger, action, row=None) -> list[LedgerLine]:
    return [line for line in ledger if line.action == action and row in (None, line.row) and line.field == "geometry"]


def test_a_bow_tie_becomes_its_halves_and_says_both_areas():
    bow = shapely.Polygon([(EAST, NORTH), (EAST + 100, NORTH + 100), (EAST + 100, NORTH), (EAST, NORTH + 100)])
    table, ledger = read("zones", [bow])
    assert table.geometry.area.tolist() == pytest.approx([5000.0])
    (line,) = lines(ledger, "repaired", "1")
    assert "面积由 0.0 变为 5000.0 m²" in line.reason
    assert "Self-intersection" in line.value


def test_holes_outside_go_and_courtyards_stay():
    shell = square(0, 0, 100)
    outside = shapely.Polygon(shell.exterior, [square(300, 300, 10).exterior])
    courtyard = shapely.Polygon(shell.exterior, [square(40, 40, 20).exterior])
    table, ledger = read("buildings", [outside, courtyard], 高度=[9.0, 9.0])
    assert table.geometry.area.tolist() == pytest.approx([10_000.0, 9_600.0])
    assert table.geometry.iloc[1].interiors[0].is_closed
    assert {line.row for line in lines(ledger, "repaired")} == {"1"}


def test_overlapping_parts_are_one_surface():
    table, _ = read("zones", [shapely.MultiPolygon([square(0, 0, 100), square(50, 0, 100)])])
    assert table.geometry.area.tolist() == pytest.approx([15_000.0])


def test_double_vertices_are_no_fault():
    corner = (EAST + 100, NORTH)
    ring = [(EAST, NORTH), corner, corner, (EAST + 100, NORTH + 100), (EAST, NORTH)]
    table, ledger = read("zones", [shapely.Polygon(ring)])
    assert len(table) == 1
    assert not lines(ledger, "repaired")


@pytest.mark.parametrize("shape", [
    None, shapely.Polygon(), shapely.GeometryCollection(), shapely.Polygon([(EAST, NORTH)] * 4),
    shapely.Polygon([(EAST, NORTH), (EAST + 9, NORTH), (EAST + 20, NORTH), (EAST, NORTH)]),
    shapely.box(EAST, NORTH, 1e300, NORTH + 9), shapely.box(EAST, NORTH, np.inf, NORTH + 9),
    shapely.box(EAST, NORTH, EAST + 7e6, NORTH + 9), shapely.Point(EAST, NORTH), shapely.LineString([(EAST, NORTH), (
        EAST + 9, NORTH)]), square(90_000, 0), shapely.GeometryCollection([shapely.Point(EAST, NORTH)])])
def test_what_no_area_can_be_made_of_is_refused_once(shape):
    table, ledger = read("zones", [shape, square(0, 0)])
    assert len(table) == 1
    assert [line.row for line in ledger if line.action == "refused"] == ["1"]


def test_degrees_beyond_the_earth_and_across_the_date_line():
    good = shapely.box(113.39, 22.51, 113.391, 22.511)
    across = shapely.box(-179.9, 22.5, 179.9, 22.6)
    wild = [shapely.Polygon([(113.39, 1e300), (113.40, 22.5), (113.41, 22.5), (113.39, 1e300)]), across,
            shapely.Polygon([(113.39, 99.0), (113.40, 99.0), (113.41, 99.5), (113.39, 99.0)])]
    table, ledger = read("zones", [*wild, good], Frame(CRS, None, None, 500.0), pyproj.CRS.from_epsg(4326))
    assert table["source_row"].tolist() == ["4"]
    assert {line.row for line in lines(ledger, "refused")} == {"1", "2", "3"}


def test_collections_give_the_wanted_kind_and_tell_the_rest():
    mixed = shapely.GeometryCollection([
        square(0, 0, 10), shapely.GeometryCollection([square(5, 0, 10)]), shapely.Point(EAST, NORTH),
        shapely.LineString([(EAST, NORTH), (EAST + 30, NORTH)])])
    table, ledger = read("zones", [mixed])
    assert table.geometry.area.tolist() == pytest.approx([150.0])
    assert lines(ledger, "repaired", "1")[0].reason == "几何集合中只取面，舍去线 1 个、点 1 个"
    table, _ = read("roads", [mixed])
    assert table.geom_type.tolist() == ["MultiLineString"]
    table, _ = read("water", [mixed])
    assert table.geom_type.tolist() == ["Polygon"]
    table, ledger = read("poles", [mixed])
    assert table.geometry.tolist() == [shapely.Point(EAST, NORTH)]
    assert lines(ledger, "repaired", "1")[0].reason == "几何集合中只取点，舍去面 2 个、线 1 个"


def test_several_points_are_several_rows():
    three = shapely.MultiPoint([(EAST + 10, NORTH), (EAST + 20, NORTH), (EAST + 20, NORTH), (EAST + 90_000, NORTH)])
    one = shapely.MultiPoint([(EAST + 40, NORTH)])
    table, ledger = read("poles", [one, three], 编号=["a", "b"], 高度=[9.0, 8.0])
    assert table.index.tolist() == ["a", "b-1", "b-2"]
    assert table["source_row"].tolist() == ["1", "2（1/3）", "2（2/3）"]
    assert table["height_m"].tolist() == [9.0, 8.0, 8.0]
    assert [line.row for line in lines(ledger, "refused")] == ["2（3/3）"]
    assert {line.row for line in lines(ledger, "repaired")} == {"2", "2（1/3）", "2（2/3）", "2（3/3）"}


def test_people_of_several_points_are_not_multiplied():
    two = shapely.MultiPoint([(EAST + 10, NORTH), (EAST + 20, NORTH)])
    table, ledger = read("population", [two, shapely.Point(EAST, NORTH)], 人口=[100, 7])
    assert table["people"].tolist() == [50.0, 50.0, 7.0]
    assert any("平分" in line.reason for line in ledger if line.field == "people")


def test_lines_with_several_parts_stay_one_row():
    parts = shapely.MultiLineString([[(EAST, NORTH), (EAST + 9, NORTH)], [(EAST, NORTH + 9), (EAST + 9, NORTH + 9)]])
    table, _ = read("roads", [parts, square(0, 0, 10).exterior])
    assert table.geom_type.tolist() == ["MultiLineString", "LineString"]


def test_closed_lines_of_a_drawing_are_areas():
    table, ledger = read("zones", [square(0, 0, 10).exterior, shapely.LineString(square(50, 0, 20).exterior.coords)])
    assert table.geometry.area.tolist() == pytest.approx([100.0, 400.0])
    assert lines(ledger, "repaired")[0].value == "闭合线"


def test_heights_are_dropped_without_a_word():
    table, ledger = read("poles", [shapely.Point(EAST, NORTH, 12.0)])
    assert not table.geometry.has_z.any()
    assert not lines(ledger, "repaired")


def test_context_is_kept_and_marked():
    shapes = [shapely.Point(EAST + 5, NORTH), shapely.Point(EAST - 400, NORTH), shapely.Point(EAST - 600, NORTH)]
    table, ledger = read("poles", shapes)
    assert table["inside"].tolist() == [True, False]
    (note,) = lines(ledger, "note")
    assert (note.row, "作为周边背景保留" in note.reason) == ("2", True)
    assert [line.row for line in lines(ledger, "refused")] == ["3"]
    table, ledger = read("poles", shapes, Frame(CRS, None, None, 500.0))
    assert table["inside"].isna().all()


def test_neighbours_that_share_an_edge_do_not_count():
    shapes = np.array([square(-1000, 0), square(-999.99, 0), square(-500, 0), square(-5000, -5000, 20_000),
                       shapely.LineString([(EAST - 9, NORTH), (EAST + 9, NORTH + 1)]), shapely.Point(EAST, NORTH)])
    assert inside_boundary(shapes, TOWN).tolist() == [False, False, True, True, True, True]


def test_what_is_partly_outside_is_kept_whole():
    table, _ = read("villages", [square(-800, 0)])
    assert table.geometry.area.tolist() == pytest.approx([1e6])
    assert table["inside"].tolist() == [True]


def test_absurdly_large_areas_are_told():
    _, ledger = read("zones", [square(-50_000, -50_000, 100_000)])
    (line,) = lines(ledger, "note")
    assert line.value == "10000.0 km²"


def test_remnants_are_refused_and_kiosks_kept():
    sliver = shapely.box(EAST, NORTH, EAST + 100, NORTH + 0.05)
    table, ledger = read("buildings", [sliver, square(0, 0, 0.2), square(5, 5, 0.6), square(9, 9, 10)], 高度=[9.0] * 4)
    assert table["source_row"].tolist() == ["3", "4"]
    assert {line.row: line.reason[:2] for line in lines(ledger, "refused")} == {"1": "狭长", "2": "面积"}
    assert [line.row for line in lines(ledger, "note")] == ["3"]


def test_buildings_drawn_twice_are_told_with_their_rows():
    shapes = [square(0, 0, 20), square(100, 0, 20), square(0.3, 0, 20), square(100, 0, 20), square(2, 2, 15),
              square(0, 0, 20)]
    table, ledger = read("buildings", shapes, 高度=[9.0] * 6, 编号=list("abcdef"))
    assert len(table) == 6
    (note,) = lines(ledger, "note")
    assert (note.row, note.value) == ("共 3 行", "3=1、6=1、4=2")
    assert same_footprints(np.array([], dtype=object)).shape == (0, 2)


def test_many_footprints_round_one_centre_are_quick():
    rings = np.array([shapely.box(-size, -size, size, size) for size in np.linspace(1.0, 50.0, 2000)])
    assert len(same_footprints(rings)) > 0


@pytest.mark.parametrize(("text", "storeys"), [
    ("地上6层地下1层", 6.0), ("地上33层，地下2层", 33.0), ("6+1", 7.0), ("18F/B2", 18.0), ("6/-1", 6.0), ("６层", None),
    ("6F", None), ("12", None), ("六层", None), ("3-5", None), ("", None)])
def test_storeys_as_written(text, storeys):
    found = read_storeys(text)
    assert (None if found is None else found[0]) == storeys


def test_heights_from_height_storeys_and_use():
    shapes = [square(30.0 * number, 0, 20) for number in range(6)]
    table, ledger = read("buildings", shapes, 高度=["30", None, None, "0", -3, None],
                         层数=[None, "地上6层地下1层", "6F", 2, None, None], 用途=["办公", "住宅", "商场", "住宅", "厂房", None])
    assert table["height_m"].tolist() == pytest.approx([30.0, 18.0, 22.8, 6.0, 8.0, 6.0])
    assert table["height_source"].tolist() == ["measured", "storeys", "storeys", "storeys", "default", "default"]
    assert {line.row for line in ledger if line.field == "height_m" and "置空" in line.reason} == {"4", "5"}
    assert next(line.row for line in ledger if line.field == "storeys" and line.action == "repaired") == "2"


@pytest.mark.parametrize(("metres", "word"), [(9.8, "英尺"), (30.0, "分米"), (0.5, "单位可能不是米"), (3.0, "")])
def test_heights_in_another_unit_are_suspected(metres, word):
    floors = np.arange(3, 9)
    shapes = [square(30.0 * number, 0, 20) for number in floors]
    _, ledger = read("buildings", shapes, 高度=np.maximum(floors * metres, 2.0), 层数=floors * (4 if metres == 0.5 else 1))
    notes = [line for line in ledger if line.field == "height_m" and line.action == "note"]
    assert [word in line.reason for line in notes] == ([True] if word else [])
    assert all("中位数" in line.value for line in notes)
