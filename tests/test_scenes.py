"""Scene of every place: what is built around it, zones and towns, site distance and spacing, what a study changes."""

from __future__ import annotations

from dataclasses import replace

import geopandas as gpd
import numpy as np
import pytest
from conftest import CRS, X0, Y0, at, rect, table
from hypothesis import given
from hypothesis import strategies as st

from siteplan.candidates import CandidateContext
from siteplan.candidates.table import site_ids, sites_table
from siteplan.candidates.traits.scenes import built_around, scene_named, scene_of, scenes_of, with_scenes
from siteplan.coverage import load_equipment
from siteplan.errors import ModelError
from siteplan.grid import study_geobox
from siteplan.params import LAYER_NAMES, RASTER_LAYERS, CandidateParams
from siteplan.study._site_tables import site_table_problems
from siteplan.surface import Surface
from siteplan.tables import read_table
from siteplan.venues import load_venues

SCRIPT_M = {"dense_urban": 400, "urban": 600, "suburb": 600, "county": 550, "town": 1200, "rural": 1500}
"""Site distances of the planning script, TDD layer."""


def surface_of(clutter: np.ndarray, pixel_m: float = 10.0, has_clutter: bool = True) -> Surface:
    rows, cols = clutter.shape
    grid = study_geobox((X0, Y0, X0 + cols * pixel_m, Y0 + rows * pixel_m), CRS, pixel_m)
    heights = clutter.astype(np.float32)
    return Surface(grid, np.zeros_like(heights), heights, np.ones(heights.shape, bool), has_clutter)


def striped(every: int, height_m: float, size: int = 100) -> Surface:
    """Every so many columns one is built, so that the built share is 1 / every."""
    clutter = np.zeros((size, size))
    clutter[:, ::every] = height_m
    return surface_of(clutter)


def middle(surface: Surface, **more) -> str:
    x, y = X0 + 505.0, Y0 + 505.0
    (name,) = scene_of(surface, [x], [y], **more)
    return str(name)


@pytest.mark.parametrize(("every", "height_m", "want"), [
    (5, 18.0, "dense_urban"),   # 20 % built, six storeys
    (5, 17.0, "urban"),         # as dense, but lower
    (8, 9.0, "urban"),          # 12.5 %
    (8, 8.0, "suburb"),
    (10, 60.0, "suburb"),       # 10 %, however high
    (20, 6.0, "suburb"),        # 5 % is the least
    (25, 6.0, "rural"),         # 4 %
])
def test_scene_follows_from_what_is_built(every: int, height_m: float, want: str) -> None:
    assert middle(striped(every, height_m)) == want


def test_fences_and_open_land_are_rural() -> None:
    assert middle(striped(2, 2.0)) == "rural"  # not higher than 2 m: not built
    assert middle(striped(2, 0.0)) == "rural"


def test_without_clutter_and_off_the_grid_nothing_is_known() -> None:
    bare = surface_of(np.zeros((100, 100)), has_clutter=False)
    assert middle(bare) == "unknown"
    assert scene_of(striped(5, 20.0), [X0 - 1.0, X0 + 1001.0], [Y0 + 5.0] * 2).tolist() == ["unknown"] * 2
    assert scene_of(bare, [], []).tolist() == []
    zone = table("zones", {"Z": {"geometry": rect(0, 0, 1000, 1000), "zone_type": "县城主城区"}})
    assert middle(bare, zones=zone) == "county"


def test_a_zone_goes_before_what_is_built_and_a_town_takes_the_place_of_the_suburb() -> None:
    dense, loose, open_land = striped(5, 24.0), striped(10, 6.0), striped(2, 0.0)
    zone = table("zones", {"Z1": {"geometry": rect(500, 500, 600, 600), "zone_type": "县城主城区"},
                           "Z2": {"geometry": rect(0, 0, 1000, 1000), "zone_type": "旅游景区"}})
    assert middle(dense, zones=zone) == "county"
    assert middle(dense, zones=zone.iloc[1:]) == "dense_urban"
    for name, want in (("河湾镇", "town"), ("白石乡", "town"), ("城南街道", "suburb")):
        town = table("towns", {"T": {"geometry": rect(0, 0, 1000, 1000), "name": name}})
        assert middle(loose, towns=town) == want
        assert middle(dense, towns=town) == "dense_urban"
        assert middle(open_land, towns=town) == "rural"
    away = table("towns", {"T": {"geometry": rect(0, 0, 400, 400), "name": "河湾镇"}})
    assert middle(loose, towns=away) == "suburb"


def test_of_overlapping_zones_the_first_scene_counts_whatever_their_order() -> None:
    both = {"Z1": {"geometry": rect(0, 0, 1000, 1000), "zone_type": "集镇"},
            "Z2": {"geometry": rect(0, 0, 1000, 1000), "zone_type": "县城主城区"}}
    for zones in (both, dict(reversed(both.items()))):
        assert middle(striped(2, 0.0), zones=table("zones", zones)) == "county"


@given(st.integers(0, 2**32 - 1), st.integers(7, 60), st.integers(7, 60), st.sampled_from([5.0, 10.0, 25.0]))
def test_built_around_is_the_mean_over_the_square_of_cells(seed: int, rows: int, cols: int, pixel_m: float) -> None:
    rng = np.random.default_rng(seed)
    clutter = np.where(rng.random((rows, cols)) < 0.3, rng.uniform(0.0, 40.0, (rows, cols)), 0.0).astype(np.float32)
    surface = surface_of(clutter, pixel_m)
    around = built_around(surface)
    reach = round(500.0 / (around.factor * pixel_m))
    assert around.factor == max(1, round(50.0 / pixel_m))
    for row in range(around.share.shape[0]):
        for col in range(around.share.shape[1]):
            top, left = max(row - reach, 0) * around.factor, max(col - reach, 0) * around.factor
            part = clutter[top:(row + reach + 1) * around.factor, left:(col + reach + 1) * around.factor]
            built = part[part > 2.0]
            assert around.share[row, col] == pytest.approx(built.size / part.size, abs=2e-6)
            assert around.mean_height_m[row, col] == pytest.approx(built.mean() if built.size else 0.0, abs=2e-3)


def test_the_square_reaches_500_m_and_no_further() -> None:
    clutter = np.zeros((300, 300))
    clutter[:, :100] = 30.0  # the western kilometre is built
    x = X0 + np.array([1475.0, 1525.0, 1575.0])  # 475, 525 and 575 m east of it: cells begin every 50 m
    around = built_around(surface_of(clutter))
    cells = ((x - X0) // 50).astype(int)
    assert around.share[30, cells].round(4).tolist() == [round(1 / 21, 4), 0.0, 0.0]


def test_site_distances_are_those_of_the_script_and_dense_towns_keep_80_metres() -> None:
    scenes = scenes_of({})
    assert {name: scene.site_distance_m for name, scene in scenes.items() if name in SCRIPT_M} == SCRIPT_M
    assert scenes["dense_urban"].spacing_m("macro") == scenes["unknown"].spacing_m("macro") == 80.0
    for scene in scenes.values():
        assert 0.0 < scene.spacing_m("micro") < scene.spacing_m("macro") < scene.site_distance_m
        assert scene.spacing_m("macro") >= scenes["unknown"].spacing_m("macro")
    assert all(entry["source"] for entry in read_table("scenes")["scenes"].values())


def context(surface: Surface, params: CandidateParams | None = None, **layers) -> CandidateContext:
    tables = {name: table(name, layers.get(name, {})) for name in LAYER_NAMES if name not in RASTER_LAYERS}
    return CandidateContext(tables, tables["boundary"], surface, np.zeros(surface.geobox.shape, bool), load_venues(),
                            load_equipment(), params or CandidateParams())


def two_sites() -> gpd.GeoDataFrame:
    """A macro and a micro site in the middle of the toy town."""
    plain = gpd.GeoDataFrame({"kind": ["macro", "micro"], "source": "facility"}, index=["A", "B"],
                             geometry=[at(505, 505), at(505, 505)], crs=CRS)
    return sites_table(plain.drop(columns="geometry").set_index(site_ids("facility", plain.index)), plain.geometry)


def test_sites_get_scene_and_spacing_by_their_kind() -> None:
    sites = two_sites()
    got = with_scenes(sites, context(striped(5, 24.0)))
    assert got["scene"].tolist() == ["dense_urban"] * 2
    assert got["spacing_m"].tolist() == [80.0, 50.0]
    assert sites["scene"].tolist() == ["", ""]
    town = {"T": {"geometry": rect(0, 0, 1000, 1000), "name": "河湾镇"}}
    assert with_scenes(sites, context(striped(10, 6.0), towns=town))["spacing_m"].tolist() == [240.0, 120.0]
    assert with_scenes(sites.iloc[:0], context(striped(5, 24.0))).empty


def test_that_nothing_is_known_of_what_is_built_is_told_once() -> None:
    bare = context(surface_of(np.zeros((100, 100)), has_clutter=False))
    got = with_scenes(two_sites(), bare)
    assert got[["scene", "spacing_m"]].to_numpy().tolist() == [["unknown", 80.0], ["unknown", 50.0]]
    (line,) = bare.ledger
    assert (line.layer, line.row, line.field, line.action) == ("buildings", "共 2 行", "scene", "assumed")
    assert "80 米" in line.reason
    known = context(striped(5, 24.0))
    with_scenes(two_sites(), known)
    assert len(known.ledger) == 0


def test_a_study_changes_scenes_and_adds_its_own() -> None:
    extra = {"dense_urban": {"site_distance_m": 300.0}, "old_town": {
        "like": "urban", "zh": "老城", "order": 0, "built_share": 0.1, "mean_height_m": 0.0, "source": "本市"}}
    sites, params = two_sites(), CandidateParams(scenes=extra)
    assert with_scenes(sites, context(striped(5, 24.0), params))["scene"].tolist() == ["old_town"] * 2
    assert with_scenes(sites, context(striped(5, 24.0), params))["spacing_m"].tolist() == [120.0, 75.0]
    denser = CandidateParams(scenes={"dense_urban": extra["dense_urban"]})
    assert with_scenes(sites, context(striped(5, 24.0), denser))["spacing_m"].tolist() == [60.0, 37.5]
    with pytest.raises(ModelError, match="nothing_like_it"):
        scene_named("a", {"a": {"like": "nothing_like_it"}})


def test_faults_of_scenes_in_a_study_file_are_told() -> None:
    raw = {"candidates": {"scenes": {
        "urban": {"site_distance_m": -5}, "a": {"like": "subrub"}, "b": {"zh": "甲"},
        "c": {"like": "rural", "spacing": 80}, "good": {"like": "town", "zh": "集镇"}}}}
    told = {problem.field: problem.reason + problem.remedy for problem in site_table_problems(raw, "study.toml")}
    assert "须大于 0" in told["candidates.scenes.urban.site_distance_m"]
    assert "suburb" in told["candidates.scenes.a.like"]
    assert "缺少" in told["candidates.scenes.b.order"]
    assert "没有这个键" in told["candidates.scenes.c.spacing"]
    assert not any("good" in field for field in told)
    assert list(site_table_problems({}, "study.toml")) == []


def test_the_surface_is_left_alone() -> None:
    surface = striped(5, 24.0)
    same = replace(surface, clutter_m=surface.clutter_m.copy())
    middle(surface)
    np.testing.assert_array_equal(surface.clutter_m, same.clutter_m)
