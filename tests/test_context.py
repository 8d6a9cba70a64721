"""What lies outside the boundary but within reach is context: it serves and blocks, is never counted, never chosen."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from conftest import CRS, SIZE_M, X0, Y0, rect
from test_minimal_studies import ground, poles, raster, rows, shapes, stations, study, villages

from siteplan.study import build_scene, cover_existing, propose_candidates, read_layers, run

AWAY = 700.0
"""Metres east of the boundary: inside the range of 1500 m, outside the margin of 200 m."""


def test_a_station_outside_the_margin_serves(tmp_path: Path) -> None:
    raster(tmp_path / "dem.tif", margin=2000.0)
    near = stations(tmp_path, {"x": X0 + SIZE_M + AWAY})
    opened = study(tmp_path, {"ground": "dem.tif", **villages(tmp_path), **near})
    layers = read_layers(opened)
    scene = build_scene(opened.params, layers)
    assert list(scene.sectors.index) == ["A-1"]
    assert [line for line in layers.ledger if line.layer == "stations" and line.action == "refused"] == []
    covered = cover_existing(scene).any_5g().probability
    assert np.nanmax(covered[40:100, 20:120]) > 0.5


def test_a_station_beyond_its_range_is_refused_and_does_not_widen_the_grid(tmp_path: Path) -> None:
    raster(tmp_path / "dem.tif", margin=2000.0)
    far = stations(tmp_path, {}, {"小区号": "B-1", "站号": "B", "x": X0 + SIZE_M + 1700.0})
    opened = study(tmp_path, {"ground": "dem.tif", **villages(tmp_path), **far})
    layers = read_layers(opened)
    assert [(line.row, line.action) for line in layers.ledger if line.layer == "stations" and line.field == "geometry"
            and line.action == "refused"] == [("3", "refused")]
    assert list(layers.tables["stations"].index) == ["A-1"]
    scene = build_scene(opened.params, layers)
    assert scene.surface.geobox.shape == (140, 140)


def test_a_micro_station_outside_its_own_range_does_not_widen_the_grid(tmp_path: Path) -> None:
    raster(tmp_path / "dem.tif", margin=2000.0)
    micro = stations(tmp_path, {"x": X0 + SIZE_M + AWAY, "站型": "微站", "挂高": 8.0})
    opened = study(tmp_path, {"ground": "dem.tif", **villages(tmp_path), **micro})
    scene = build_scene(opened.params, read_layers(opened))
    assert scene.surface.geobox.shape == (140, 140)


def test_context_is_never_counted_and_never_a_candidate(tmp_path: Path) -> None:
    raster(tmp_path / "dem.tif", margin=2000.0)
    rows(tmp_path / "people.csv", {"编号": "in", "人口": 100, "格网面积": 100, "x": X0 + 100, "y": Y0 + 100},
         {"编号": "out", "人口": 900, "格网面积": 100, "x": X0 + SIZE_M + 60.0, "y": Y0 + 100})
    lamps = poles(tmp_path)
    rows(tmp_path / "poles.csv", {"杆号": "in", "杆高": 10, "x": X0 + 255, "y": Y0 + 255},
         {"杆号": "out", "杆高": 10, "x": X0 + SIZE_M + 60.0, "y": Y0 + 255})
    opened = study(tmp_path, {"ground": "dem.tif", **villages(tmp_path), **lamps,
                              "population": {"path": "people.csv", "crs": CRS}}, selection={"min_gain": 1.0})
    layers = read_layers(opened)
    assert list(layers.tables["poles"].index) == ["in", "out"]
    plan = run(opened)
    assert plan.demand.sum() == pytest.approx(100.0)
    assert plan.sites.loc["P-pole:out", "status"] == "refused"
    assert plan.sites.loc["P-pole:out", "reason"] == "在规划范围之外"


def test_a_building_outside_the_margin_blocks_a_station_behind_it(tmp_path: Path) -> None:
    """A wall between a station outside and the boundary lowers what arrives inside."""
    raster(tmp_path / "dem.tif", margin=2000.0)
    outside = stations(tmp_path, {"x": X0 + SIZE_M + AWAY, "y": Y0 + 500.0})
    received = []
    for left in (SIZE_M + 1200.0, SIZE_M + 400.0):  # behind the station, then between it and the boundary
        shapes(tmp_path / "wall.gpkg", [rect(left, 300, left + 20.0, 700)], 建筑编号=["W"], 高度=[60.0])
        opened = study(tmp_path, {"ground": "dem.tif", **villages(tmp_path), **outside, "buildings": "wall.gpkg"})
        received.append(cover_existing(build_scene(opened.params, read_layers(opened))).rsrp_dbm[0])
    free, blocked = received
    inside = (slice(60, 80), slice(110, 120))  # straight behind the wall, just inside the boundary
    assert np.nanmean(blocked[inside]) < np.nanmean(free[inside]) - 5.0


def test_without_a_boundary_the_villages_say_where_the_study_is(tmp_path: Path) -> None:
    """Rows far from every village are refused although no boundary layer is named."""
    rows(tmp_path / "poles.csv", {"杆号": "in", "杆高": 10, "x": X0 + 255, "y": Y0 + 255},
         {"杆号": "far", "杆高": 10, "x": X0 + 60_000.0, "y": Y0 + 255})
    opened = study(tmp_path, {**ground(tmp_path), **villages(tmp_path), "poles": {"path": "poles.csv", "crs": CRS}})
    layers = read_layers(opened)
    assert list(layers.tables["poles"].index) == ["in"]
    assert [line.row for line in layers.ledger if line.layer == "poles" and line.action == "refused"] == ["3"]


def test_propose_refuses_only_by_place(tmp_path: Path) -> None:
    """A pole on the boundary itself stays a candidate."""
    rows(tmp_path / "poles.csv", {"杆号": "edge", "杆高": 10, "x": X0 + 255, "y": Y0})
    opened = study(tmp_path, {**ground(tmp_path), **villages(tmp_path), "poles": {"path": "poles.csv", "crs": CRS}})
    scene = build_scene(opened.params, read_layers(opened))
    assert propose_candidates(scene, cover_existing(scene)).loc["P-pole:edge", "status"] == "candidate"


def test_villages_next_door_are_read_and_never_judged(tmp_path: Path) -> None:
    """With a boundary of the west half only the west village counts; the east one is context."""
    shapes(tmp_path / "boundary.gpkg", [rect(0, 0, 500, 1000)], 编号=["b"], 名称=["西半"])
    opened = study(tmp_path, {**ground(tmp_path), **villages(tmp_path), "boundary": "boundary.gpkg"})
    layers = read_layers(opened)
    assert layers.tables["villages"]["inside"].tolist() == [True, False]
    assert any(line.layer == "villages" and line.action == "note" and "1" in line.value + line.row + line.reason
               for line in layers.ledger)
    plan = run(opened)
    assert list(plan.villages.index) == ["449901"]


def test_a_layer_moves_only_on_the_planners_word(tmp_path: Path) -> None:
    lamps = poles(tmp_path)
    still = read_layers(study(tmp_path, {**ground(tmp_path), **villages(tmp_path), **lamps})).tables["poles"]
    lamps["poles"]["shift_m"] = [30.0, -57.0]
    layers = read_layers(study(tmp_path, {**ground(tmp_path), **villages(tmp_path), **lamps}))
    moved = layers.tables["poles"]
    assert (moved.geometry.x - still.geometry.x).tolist() == pytest.approx([30.0] * 4)
    assert (moved.geometry.y - still.geometry.y).tolist() == pytest.approx([-57.0] * 4)
    assert [line.value for line in layers.ledger if line.layer == "poles" and "shift_m" in line.reason] == ["[30, -57]"]


def test_a_raster_moves_too(tmp_path: Path) -> None:
    source = {"ground": {"path": "dem.tif", "shift_m": [40.0, 20.0]}}
    ground(tmp_path)
    still = read_layers(study(tmp_path, {**ground(tmp_path), **villages(tmp_path)})).rasters["ground"].geobox
    moved = read_layers(study(tmp_path, {**source, **villages(tmp_path)})).rasters["ground"].geobox
    assert moved.transform.c - still.transform.c == pytest.approx(40.0)
    assert moved.transform.f - still.transform.f == pytest.approx(20.0)


def test_refused_rows_keep_their_place(tmp_path: Path) -> None:
    """For the map of what was refused: layer, file, row, the first reason, and where it would have been."""
    rows(tmp_path / "poles.csv", {"杆号": "in", "杆高": 10, "x": X0 + 255, "y": Y0 + 255},
         {"杆号": "far", "杆高": 10, "x": X0 + 60_000.0, "y": Y0 + 255}, {"杆号": "lost", "杆高": 10, "x": "", "y": ""},
         {"杆号": "in", "杆高": 10, "x": X0 + 255, "y": Y0 + 255})
    opened = study(tmp_path, {**ground(tmp_path), **villages(tmp_path), "poles": {"path": "poles.csv", "crs": CRS}})
    refused = read_layers(opened).refused
    assert set(refused["layer"] + " " + refused["file"]) == {"poles poles.csv"}
    assert refused["row"].tolist() == ["3", "5"]
    assert "范围外" in refused["reason"].iloc[0]
    assert "相同" in refused["reason"].iloc[1]
    assert refused.geometry.x.tolist() == pytest.approx([X0 + 60_000.0, X0 + 255])
