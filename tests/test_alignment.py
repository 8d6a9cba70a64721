"""Datum suspicion: planted offsets are found, good files are left in peace, and the real traps of Chengdu are told."""

from __future__ import annotations

import tomllib
from pathlib import Path
from types import MappingProxyType

import numpy as np
import pyproj
import pytest
import shapely
from affine import Affine
from conftest import CRS, X0, Y0, table
from hypothesis import given, settings
from hypothesis import strategies as st
from odc.geo.geobox import GeoBox

from siteplan.crs import transform_points
from siteplan.datums import from_wgs84
from siteplan.input_ledger import InputLedger
from siteplan.layers import read_layers
from siteplan.layers.alignment import check_alignment, shift_plot, tell_alignment
from siteplan.layers.alignment._references import built_by_polygons, near_lines
from siteplan.layers.alignment._shift_search import STEP_M, Mask, best_shift, class_agreement, count_shifts, hit_share
from siteplan.layers.collection import InputFile, Layers, Raster
from siteplan.params import LayerSource, StudyParams

CITY_M = 4000.0
ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def houses():
    """1,500 houses strewn over 4 x 4 km, none nearer than a street apart, of 12 to 40 m."""
    random = np.random.default_rng(3)
    cells = random.choice(60 * 60, 1500, replace=False)
    x = X0 + (cells % 60) * CITY_M / 60 + random.uniform(0, 20, 1500)
    y = Y0 + (cells // 60) * CITY_M / 60 + random.uniform(0, 20, 1500)
    width, depth = random.uniform(12, 40, (2, 1500))
    return shapely.box(x, y, x + width, y + depth)


def layers_of(houses, points=None, rasters=None, datum="", layer="facilities", more=None, crs=CRS):
    """Finished layers: the houses, points of one layer in one file, rasters."""
    tables = {"buildings": rows("buildings", houses)} if houses is not None else {}
    files = []
    if points is not None:
        tables[layer] = rows(layer, points)
        files.append(InputFile(layer, f"{layer}.csv", 1, "", "", "EPSG:4326", datum, len(points), len(points), 0))
    for name, shapes in (more or {}).items():
        tables[name] = rows(name, shapes)
    files += [InputFile(name, f"{name}.tif", 1, "", "", "", "", 0, 0, 0) for name in rasters or {}]
    return Layers(pyproj.CRS.from_user_input(crs), MappingProxyType(tables), MappingProxyType(rasters or {}),
                  InputLedger(), tuple(files))


def rows(layer, shapes):
    return table(layer, {str(number): {"geometry": shape, "source_file": f"{layer}.csv", "source_row": str(number)}
                         for number, shape in enumerate(shapes)})


def inside(houses, count, seed=0, scatter=0.0):
    random = np.random.default_rng(seed)
    xy = shapely.get_coordinates(shapely.centroid(random.choice(houses, count, replace=False)))
    return xy + random.normal(0.0, scatter, xy.shape) if scatter else xy


def distorted(xy, datum):
    """What a reader makes of coordinates in `datum` that it takes for WGS 84."""
    lon, lat = transform_points(*xy.T, CRS, 4326)
    return np.column_stack(transform_points(*from_wgs84(lon, lat, datum), 4326, CRS))


def lines(found):
    ledger = InputLedger()
    tell_alignment(found, ledger)
    return list(ledger)


def test_file_in_its_place_is_left_in_peace(houses):
    found = check_alignment(layers_of(houses, shapely.points(inside(houses, 200))))
    assert [one.verdict for one in found] == ["fits"]
    assert found[0].share_here > 0.95
    assert found[0].points == 200
    assert not found[0].doubt
    assert not found[0].remedy
    assert lines(found) == []


@pytest.mark.parametrize("datum", ["gcj02", "bd09"])
def test_file_in_another_datum_is_found(houses, datum):
    xy = inside(houses, 200, scatter=8.0)
    one, = check_alignment(layers_of(houses, shapely.points(distorted(xy, datum))))
    assert one.verdict == datum
    assert getattr(one, f"share_{datum}") > 0.6 > 0.3 > one.share_here
    line, = lines((one,))
    assert (line.layer, line.file, line.field, line.action) == ("facilities", "facilities.csv", "datum", "note")
    assert f'datum = "{datum}"' in line.remedy
    assert f"{one.share_here:.1%}" in line.reason
    assert f"{one.points} 个点" in line.reason
    if datum == "gcj02":
        assert np.hypot(one.east_m - one.gcj02_m[0], one.north_m - one.gcj02_m[1]) < 15
        assert 400 < np.hypot(one.east_m, one.north_m) < 700


def test_wrongly_declared_file_is_found(houses):
    """WGS 84 taken for GCJ-02: the reader has moved the file to the other side."""
    xy = inside(houses, 200)
    undone = 2 * xy - distorted(xy, "gcj02")
    one, = check_alignment(layers_of(houses, shapely.points(undone), datum="gcj02"))
    assert one.verdict == "not_gcj02"
    assert one.share_wgs84 > 0.9
    assert one.datum == "gcj02"
    line, = lines((one,))
    assert line.value == "gcj02"
    assert '"wgs84"' in line.remedy
    right, = check_alignment(layers_of(houses, shapely.points(xy), datum="gcj02"))
    assert right.verdict == "fits"


def test_plain_shift_is_found(houses):
    xy = inside(houses, 200) + [0.0, 57.0]
    one, = check_alignment(layers_of(houses, shapely.points(xy)))
    assert one.verdict == "shifted"
    assert abs(one.east_m) < 5
    assert abs(one.north_m + 57) < 6
    line, = lines((one,))
    assert line.field == "crs"
    assert "57 m" in line.reason or "56 m" in line.reason or "58 m" in line.reason


def test_points_anywhere_and_few_points_are_unclear(houses):
    random = np.random.default_rng(1)
    anywhere = np.column_stack([random.uniform(X0, X0 + CITY_M, 300), random.uniform(Y0, Y0 + CITY_M, 300)])
    found = check_alignment(layers_of(houses, shapely.points(anywhere)))
    found += check_alignment(layers_of(houses, shapely.points(distorted(inside(houses, 20), "gcj02"))))
    assert [one.verdict for one in found] == ["unclear", "unclear"]
    assert lines(found) == []


def test_nothing_to_judge_by(houses):
    assert check_alignment(layers_of(None, shapely.points(inside(houses, 100)))) == ()
    assert check_alignment(layers_of(houses)) == ()
    assert check_alignment(layers_of(houses, [shapely.Point(), None])) == ()


def test_every_file_of_a_layer_is_judged(houses):
    xy = inside(houses, 300)
    layers = layers_of(houses, shapely.points(np.vstack([xy[:150], distorted(xy[150:], "gcj02")])))
    layers.tables["facilities"]["source_file"] = ["a.csv"] * 150 + ["b.csv"] * 150
    found = check_alignment(layers)
    assert [(one.file, one.verdict) for one in found] == [("a.csv", "fits"), ("b.csv", "gcj02")]


def test_shifted_reference_is_named(houses):
    xy = inside(houses, 300)
    layers = layers_of(shapely.transform(houses, lambda corners: distorted(corners, "gcj02")), shapely.points(xy[:150]),
                       more={"complaints": shapely.points(xy[150:])})
    found = check_alignment(layers)
    assert [one.verdict for one in found] == ["shifted", "shifted"]
    assert all(one.reference_gcj02 for one in found)
    told = lines(found)
    assert [line.layer for line in told] == ["facilities", "complaints", "buildings"]
    assert "参照图层" in told[0].reason
    assert "[layers.buildings]" in told[0].remedy


def test_outside_china_no_datum_is_suspected(houses):
    """The same houses in Europe: a shift is found, a datum never."""
    xy = inside(houses, 200)
    move = np.array([500000.0 - X0, 5_200_000.0 - Y0])
    there = shapely.transform(houses, lambda corners: corners + move)
    layers = layers_of(there, shapely.points(xy + move + [400.0, 300.0]), crs="EPSG:32632")
    one, = check_alignment(layers)
    assert one.verdict == "shifted"
    assert np.isnan(one.share_gcj02)
    assert one.gcj02_m == (0.0, 0.0)
    assert abs(one.east_m + 400) < 6
    assert abs(one.north_m + 300) < 6


def test_lamps_beside_roads():
    random = np.random.default_rng(5)
    ends = np.column_stack([random.uniform(X0, X0 + CITY_M, 60), random.uniform(Y0, Y0 + CITY_M, 60)])
    turn = random.uniform(0, np.pi, 60)
    roads = shapely.linestrings([[start, start + 900 * np.array([np.cos(way), np.sin(way)])]
                                 for start, way in zip(ends, turn, strict=True)])
    lamps = shapely.points(shapely.get_coordinates(shapely.segmentize(roads, 35.0)) + random.normal(0, 4, 2))
    good, = check_alignment(layers_of(None, lamps, layer="poles", more={"roads": roads}))
    bad, = check_alignment(layers_of(None, shapely.transform(lamps, lambda xy: distorted(xy, "gcj02")), layer="poles",
                                     more={"roads": roads}))
    assert (good.against, good.verdict, bad.verdict) == ("roads", "fits", "gcj02")


def heights_of(houses, known_share, shift=(0.0, 0.0)):
    """A heights raster of 5 m with a share of its pixels known, lying `shift` off."""
    size = int(CITY_M / 5)
    affine = Affine(5.0, 0.0, X0, 0.0, -5.0, Y0 + CITY_M)
    box = GeoBox((size, size), affine, CRS)
    built = built_by_polygons(houses, (X0, Y0, X0 + CITY_M, Y0 + CITY_M))[::-1].repeat(2, axis=0).repeat(2, axis=1)
    array = np.where(built, np.float32(12.0), np.float32(0.0))
    array[np.random.default_rng(2).random(array.shape) > known_share] = np.nan
    return Raster(array, GeoBox(box.shape, Affine.translation(*shift) @ affine, CRS))


def test_heights_known_only_in_part(houses):
    """Shares are over known pixels only, so that a tenth of the pixels is enough."""
    xy = inside(houses, 400)
    raster = {"heights": heights_of(houses, 0.1)}
    good, = check_alignment(layers_of(None, shapely.points(xy), raster))
    bad, = check_alignment(layers_of(None, shapely.points(distorted(xy, "gcj02")), raster))
    assert (good.verdict, bad.verdict, bad.against) == ("fits", "gcj02", "heights")
    assert good.share_here > 0.8
    assert good.points < 400


def test_clutter_too_far_north_is_found(houses):
    """Nobody says which class is built."""
    true = heights_of(houses, 1.0)
    random = np.random.default_rng(4)
    classes = np.where(true.array > 0, random.choice([11.0, 12.0], true.array.shape),
                       random.choice([2.0, 5.0, 6.0], true.array.shape)).astype(np.float32)
    for shift, verdict in (((0.0, 0.0), "fits"), ((0.0, 57.0), "shifted")):
        moved = GeoBox(true.geobox.shape, Affine.translation(*shift) @ true.geobox.affine, CRS)
        one, = check_alignment(layers_of(houses, rasters={"clutter": Raster(classes, moved)}))
        assert (one.layer, one.file, one.verdict) == ("clutter", "clutter.tif", verdict)
        assert abs(one.north_m + shift[1]) < 6
        assert one.share_best > 0.9


def test_heights_and_footprints_judge_each_other(houses):
    shifted = {"heights": heights_of(houses, 0.5, (0.0, 60.0))}
    found = check_alignment(layers_of(houses, rasters=shifted))
    assert {one.layer: one.verdict for one in found} == {"buildings": "shifted", "heights": "shifted"}


def test_same_input_same_answer_and_nothing_changed(houses):
    layers = layers_of(houses, shapely.points(inside(houses, 200)), {"heights": heights_of(houses, 0.3)})
    before = layers.tables["facilities"].copy(), layers.rasters["heights"].array.copy()
    first, second = check_alignment(layers), check_alignment(layers)
    assert [one.doubt for one in first] == [one.doubt for one in second]
    assert all(np.array_equal(one.score, other.score, equal_nan=True)
               for one, other in zip(first, second, strict=True))
    assert layers.tables["facilities"].equals(before[0])
    assert np.array_equal(layers.rasters["heights"].array, before[1], equal_nan=True)


def test_plot_shows_the_search(houses):
    one, = check_alignment(layers_of(houses, shapely.points(distorted(inside(houses, 200), "gcj02"))))
    plot = shift_plot(one)
    assert plot.extent_m == (-805.0, 805.0, -805.0, 805.0)
    assert plot.share.shape == (161, 161)
    assert [name for name, _, _ in plot.marks] == ["现坐标", "最佳平移", "若为 GCJ-02"]
    row, col = (round((metres + 800) / STEP_M) for metres in (one.north_m, one.east_m))
    assert plot.share[row, col] == pytest.approx(one.share_best)


@settings(max_examples=25)
@given(st.integers(0, 2**32 - 1), st.integers(0, 30), st.integers(1, 3))
def test_counts_equal_a_plain_loop(seed, count, kinds):
    random = np.random.default_rng(seed)
    mask = Mask(random.random((6, 7)) < 0.4, random.random((6, 7)) < 0.8, 100.0, 200.0)
    x, y = random.uniform(80, 190, count), random.uniform(180, 280, count)
    labels = random.integers(0, kinds, count)
    found = count_shifts(x, y, mask, labels, reach=2)
    hits, known = np.zeros_like(found.hits), np.zeros_like(found.known)
    for east in range(-2, 3):
        for north in range(-2, 3):
            for point_x, point_y, label in zip(x, y, labels, strict=True):
                # a point off the grid as it lies is left out under every shift
                cell = int((point_y - 200) // 10), int((point_x - 100) // 10)
                row, col = cell[0] + north, cell[1] + east
                if not (0 <= cell[0] < 6 and 0 <= cell[1] < 7 and 0 <= row < 6 and 0 <= col < 7):
                    continue
                known[label, north + 2, east + 2] += mask.known[row, col]
                hits[label, north + 2, east + 2] += mask.known[row, col] & mask.hit[row, col]
    assert np.array_equal(found.known, known)
    assert np.array_equal(found.hits, hits)


def test_share_and_agreement_by_hand():
    mask = Mask(np.eye(3, dtype=bool), np.ones((3, 3), bool), 0.0, 0.0)
    xy = np.array([5.0, 15.0, 25.0, 5.0]), np.array([5.0, 15.0, 5.0, 15.0])
    share, known = hit_share(count_shifts(*xy, mask, reach=1), False)
    assert (share[1, 1], known[1, 1]) == (0.5, 4.0)
    agreement, _ = class_agreement(count_shifts(*xy, mask, np.array([0, 0, 1, 1]), reach=1), False)
    assert agreement[1, 1] == 1.0
    agreement, _ = class_agreement(count_shifts(*xy, mask, np.array([0, 1, 0, 1]), reach=1), False)
    assert agreement[1, 1] == 0.5
    assert best_shift(np.full((5, 5), np.nan)) == (-20.0, -20.0)


def test_footprints_keep_their_area():
    area = (0.0, 0.0, 200.0, 100.0)
    hit = built_by_polygons(np.array([shapely.box(20, 20, 60, 40), shapely.box(101, 51, 104, 53)]), area)
    assert hit.sum() == 4 * 2 + 1
    assert hit[2:4, 2:6].all()
    assert hit[5, 10]
    turned = shapely.Polygon([(100, 0), (150, 50), (100, 100), (50, 50)])
    assert 40 <= built_by_polygons(np.array([turned]), area).sum() <= 65  # of 50
    assert not built_by_polygons(np.array([shapely.box(900, 0, 950, 50)]), area).any()
    assert near_lines(np.array([shapely.LineString([(5, 5), (195, 5)])]), area, 1).sum() == 2 * 20


CHENGDU = "data/chengdu"


@pytest.fixture(scope="module")
def chengdu():
    from conftest import SHARED

    folder = SHARED / CHENGDU
    if not folder.exists():
        pytest.skip(f"../shared/{CHENGDU} is absent")
    places = folder / "facilities_population"
    districts = LayerSource(
        path=str(folder.parent / "boundaries_china/districts_chengdu_zhongshan_ankang_liupanshui.geojson"),
        where="name IN ('武侯区', '金牛区', '青羊区', '成华区', '锦江区')")
    sources = {
        "boundary": districts,
        "zones": districts,
        "heights": LayerSource(path=str(folder / "radio/building_height_m_5m.tif")),
        "clutter": LayerSource(path=str(folder / "radio/clutter_index_5m.tif")),
        "stations": LayerSource(path=str(folder / "radio/cells.csv"), crs="EPSG:32648"),
        "facilities": LayerSource(path=str(places / "supply_facilities_CLEAN.csv"), datum="wgs84"),
        "complaints": LayerSource(path=str(places / "hotel_facilities_filtered.csv"), datum="wgs84"),
        "rail": LayerSource(path=str(folder / "roads_metro/成都地铁.geojson"),
                            where="OGR_GEOMETRY = 'LINESTRING' OR OGR_GEOMETRY = 'MULTILINESTRING'"),
    }
    layers = read_layers(sources, "EPSG:4544", ROOT)
    return {one.layer: one for one in check_alignment(layers)}


def test_chengdu_hotels_are_gcj02(chengdu):
    hotels = chengdu["complaints"]
    assert hotels.verdict == "gcj02"
    assert hotels.share_gcj02 > 0.45 > 0.3 > hotels.share_here
    assert np.hypot(hotels.east_m + 230, hotels.north_m - 270) < 20


@pytest.mark.parametrize("layer", ["facilities", "stations", "rail"])
def test_chengdu_wgs84_files_are_not_suspected(chengdu, layer):
    assert chengdu[layer].verdict == "fits"


def test_chengdu_clutter_lies_too_far_north(chengdu):
    clutter = chengdu["clutter"]
    assert clutter.verdict == "shifted"
    assert abs(clutter.east_m) < 6
    assert -62 < clutter.north_m < -52
    assert clutter.share_best > 0.8 > 0.6 > clutter.share_here


@pytest.mark.parametrize(("change", "verdicts"), [
    ({}, {}),
    ({"facilities": {"datum": "wgs84"}, "complaints": {"datum": "wgs84"}, "poles": {"datum": "gcj02"}},
     {"facilities": "gcj02", "complaints": "gcj02", "poles": "not_gcj02"})])
def test_sample_city(change, verdicts):
    """Right as its study file declares it; wrong words are found. (Drive tests and works are not needed here.)"""
    study = StudyParams.model_validate(tomllib.loads((ROOT / "data/xikou/study.toml").read_text(encoding="utf-8")))
    wanted = ("boundary", "buildings", "ground", "zones", "villages", "village_points", "facilities", "poles",
              "stations", "roads", "complaints")
    sources = {name: [source.model_copy(update=change.get(name, {})) for source in study.layers[name]]
               for name in wanted}
    found = {one.layer: one for one in check_alignment(read_layers(sources, study.study.crs, ROOT / "data/xikou"))}
    expected = dict.fromkeys(("facilities", "village_points", "stations", "complaints", "poles", "roads"), "fits")
    assert {name: one.verdict for name, one in found.items()} == expected | verdicts
    assert len(lines(tuple(found.values()))) == len(verdicts)


def test_liechtenstein_is_not_suspected(shared):
    shared("data/liechtenstein/liechtenstein-latest.osm.pbf")
    folder = ROOT / "data/liechtenstein"
    study = StudyParams.model_validate(tomllib.loads((folder / "study.toml").read_text(encoding="utf-8")))
    found = check_alignment(read_layers(study.layers, study.study.crs, folder))
    assert {one.layer: one.verdict for one in found}["facilities"] == "fits"
    assert not any(one.suspected for one in found)
