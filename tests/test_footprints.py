"""Footprints: the same pixels as a prediction of each site alone, as runs; sums over runs; files."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import ndtr
from slow_engine import mixed_sectors, signals
from test_calibrated_engine import made_up_calibration
from test_coverage import CRS, flat, omni, params, random_sectors, town

from siteplan import _kernels as kernels
from siteplan._kernels._footprint import _ground_is_low, rays_of
from siteplan.coverage import (
    Footprints,
    demand_of,
    footprint_parts,
    footprints,
    join_footprints,
    pick_footprints,
    predict_coverage,
    sectors_of_sites,
    to_csc,
)
from siteplan.coverage import _footprinting as making
from siteplan.coverage import _footprints as nouns
from siteplan.coverage._assemble import probability_of
from siteplan.errors import ExportError, ModelError
from siteplan.export import open_footprints, write_footprints
from siteplan.grid import study_geobox
from siteplan.surface import Surface


def predicted(surface: Surface, sectors: pd.DataFrame, settings, probability: float, **more) -> dict[str, np.ndarray]:
    """Pixels of each site by the prediction of the site alone: the slow way."""
    out = {}
    for site, own in sectors.groupby(sectors["site_id"].astype(str)):
        coverage = predict_coverage(surface, own, settings, **more)
        out[str(site)] = (coverage.probability >= probability).any(axis=0)
    return out


def dense(found: Footprints, site: str) -> np.ndarray:
    out = np.zeros(found.geobox.shape, np.int64)
    np.add.at(out, found.pixels(site), 1)
    assert out.max(initial=0) <= 1  # no pixel twice
    return out.astype(bool)


def agree(found: Footprints, want: dict[str, np.ndarray]) -> None:
    assert found.site_ids == tuple(sorted(want))
    for site, pixels in want.items():
        np.testing.assert_array_equal(dense(found, site), pixels, err_msg=site)
    assert any(pixels.any() for pixels in want.values())
    assert any(not pixels.all() for pixels in want.values())


def one_site_each(surface: Surface, count: int = 4, seed: int = 3) -> pd.DataFrame:
    """Sectors of several frequencies, some with mechanical tilt, as sites at four corners of the town and inside."""
    table = mixed_sectors(surface, count, seed)
    edge = surface.geobox.shape[0] * surface.pixel_m - 1.0
    corners = {"S0": (1.0, edge), "S1": (edge, 1.0), "S2": (edge / 2, 1.0)}
    for site, (x, y) in corners.items():
        table.loc[table["site_id"] == site, ["x", "y"]] = x, y
    return table


@pytest.mark.parametrize("more", [
    {}, {"building_weight": 0.3, "diffraction_weight": 0.1, "pattern_scale": 0.4},
    {"terrain_diffraction": "knife_edge", "body_loss_db": 3.0, "indoor": False}, {"sight": "exact"},
    {"sight": "exact", "terrain_diffraction": "knife_edge"}, {"has_clutter": False}, {"probability": 1.0},
    {"probability": 1 / 4096}, {"building_weight": 0.25, "threshold_dbm": -95.0, "model_macro": "rma"},
])
def test_footprints_are_predictions_of_each_site_alone(more):
    more = dict(more)
    surface = replace(town(61, seed=8), has_clutter=more.pop("has_clutter", True))
    if not surface.has_clutter:
        surface = replace(surface, clutter_m=np.zeros_like(surface.clutter_m))
    probability = more.pop("probability", 0.75)
    sectors, chosen = one_site_each(surface), params(300.0, **{"threshold_dbm": -80.0, **more})
    agree(footprints(surface, sectors, chosen, probability), predicted(surface, sectors, chosen, probability))


def test_a_calibration_the_unknown_surface_and_a_mask():
    base = town(61, seed=8)
    rng = np.random.default_rng(1)
    known, mask = np.ones(base.geobox.shape, bool), rng.random(base.geobox.shape) < 0.9
    known[10:25, 30:] = False
    surface = replace(base, classes=rng.choice([0, 3, 7], base.geobox.shape).astype(np.int16), known=known)
    sectors = one_site_each(surface).assign(planned=np.arange(len(one_site_each(surface))) % 2 == 0)
    chosen, model = params(300.0, threshold_dbm=-85.0), made_up_calibration()
    want = predicted(surface, sectors, chosen, 0.6, calibration=model)
    plain = predicted(surface, sectors, chosen, 0.6)
    assert any((want[site] != plain[site]).any() for site in want)
    agree(footprints(surface, sectors, chosen, 0.6, calibration=model), want)
    agree(footprints(surface, sectors, chosen, 0.6, calibration=model, mask=mask),
          {site: pixels & mask for site, pixels in want.items()})


def test_masts_of_several_places_kinds_and_ranges_make_one_footprint():
    """A site whose macro and micro sectors stand apart; one indoors; azimuths of a few."""
    surface = town(61, seed=8)
    sectors = random_sectors(surface, 6)
    sectors["site_id"] = np.where(sectors["site_id"].isin(["S0", "S1", "S2"]), "joint", sectors["site_id"])
    assert set(sectors.loc[sectors["site_id"] == "joint", "kind"]) == {"macro", "micro"}
    sectors.loc[sectors["site_id"] == "S3", "kind"] = "indoor"
    sectors = sectors[(sectors["site_id"] != "S4") | (sectors["azimuth_deg"] != 120.0)]
    chosen = params(300.0, micro_range_m=150.0, threshold_dbm=-75.0)
    found = footprints(surface, sectors, chosen, 0.7)
    agree(found, predicted(surface, sectors, chosen, 0.7))
    assert found.areas()[found.places["S3"]] == 0.0
    for site in found.site_ids:  # rows rise, in them columns, and runs neither meet nor touch
        runs = slice(*found.indptr[found.places[site]:found.places[site] + 2])
        row, first, last = (part[runs].astype(int) for part in (found.row, found.first, found.last))
        assert (first <= last).all()
        assert ((np.diff(row) > 0) | ((np.diff(row) == 0) & (first[1:] > last[:-1] + 1))).all()


@pytest.mark.shared
def test_on_a_measured_surface(shared: Callable[[str], Path]) -> None:
    import rasterio

    heights = {}
    for name in ("hills_5m", "chengdu_buildings_5m"):
        with rasterio.open(shared(f"checks/los/{name}.tif")) as source:
            heights[name] = source.read(1)[:200, :240].astype(np.float32)
    box = study_geobox((0.0, 0.0, 1200.0, 1000.0), CRS, 5.0)
    roofs = heights["chengdu_buildings_5m"]
    surface = Surface(box, heights["hills_5m"], roofs - roofs.min(), np.ones(box.shape, bool), True)
    rng = np.random.default_rng(2)
    sites = gpd.GeoDataFrame(
        {"kind": ["micro"] * 8 + ["macro"] * 3, "antenna_height_m": [8.0] * 8 + [30.0] * 3, "networks": "*"},
        index=[f"P{k}" for k in range(11)], crs=CRS,
        geometry=gpd.points_from_xy(rng.uniform(0, 1200, 11), rng.uniform(0, 1000, 11)))
    sectors, chosen = sectors_of_sites(sites), params(300.0, building_weight=0.25)
    agree(footprints(surface, sectors, chosen, 0.75), predicted(surface, sectors, chosen, 0.75))


def test_against_float64_formulas():
    """Away from the threshold the slow twin of the engine decides alike."""
    surface = town(61, seed=8)
    sectors, chosen = one_site_each(surface), params(300.0, threshold_dbm=-80.0)
    rsrp, sigma = signals(surface, sectors, chosen)
    chance = ndtr(np.where(np.isfinite(rsrp), (rsrp - chosen.threshold_dbm) / sigma, -np.inf))
    found = footprints(surface, sectors, chosen, 0.75)
    for site in found.site_ids:
        best = chance[(sectors["site_id"] == site).to_numpy()].max(axis=0)
        sure = np.abs(best - 0.75) > 6e-3
        np.testing.assert_array_equal(dense(found, site)[sure], best[sure] >= 0.75)


def test_a_disc_worked_by_hand():
    """Two pixels of range around the middle of flat ground, and around a corner: everything in range is covered."""
    box = study_geobox((0.0, 0.0, 3050.0, 3050.0), CRS, 50.0)
    surface = Surface(box, *np.zeros((2, 61, 61), np.float32), np.ones((61, 61), bool), True)
    table = pd.concat([omni(1525, 1525, "A"), omni(5, 3045, "B")]).assign(site_id=["A", "B"])
    found = footprints(surface, table, params(100.0), 0.5)
    assert found.row.dtype == np.int16
    runs = list(zip(found.row.tolist(), found.first.tolist(), found.last.tolist(), strict=True))
    assert runs == [(28, 30, 30), (29, 29, 31), (30, 28, 32), (31, 29, 31), (32, 30, 30),
                    (0, 0, 2), (1, 0, 1), (2, 0, 0)]
    assert found.indptr.tolist() == [0, 5, 8]
    assert found.areas().tolist() == [13 * 2500.0, 6 * 2500.0]
    people = np.zeros(found.geobox.shape)
    people[30, 30:40], people[0, 0], people[1, 1] = 1.0, 7.0, np.nan
    assert demand_of(found, people).tolist() == [3.0, 7.0]


def same(a: Footprints, b: Footprints) -> None:
    assert (a.geobox, a.site_ids, a.probability) == (b.geobox, b.site_ids, b.probability)
    for name in ("indptr", "row", "first", "last"):
        one, two = getattr(a, name), getattr(b, name)
        assert one.dtype == two.dtype
        np.testing.assert_array_equal(one, two, err_msg=name)


def test_batches_order_workers_and_room_do_not_change_a_bit(monkeypatch: pytest.MonkeyPatch) -> None:
    surface = town(61, seed=8)
    sectors, chosen = random_sectors(surface, 14), params(300.0, threshold_dbm=-80.0)
    want = footprints(surface, sectors, chosen, 0.75, workers=1)
    same(footprints(surface, sectors.sample(frac=1.0, random_state=3), chosen, 0.75), want)
    parts = list(footprint_parts(surface, sectors, chosen, 0.75, workers=1))
    assert len(parts) == 1
    for room in (1, 3000):
        monkeypatch.setattr(making, "ROOM_RUNS", room)
        same(footprints(surface, sectors, chosen, 0.75), want)
    for batch in (1, 5000, 10_000):
        monkeypatch.setattr(making, "BATCH_PX", batch)
        for workers in (1, 2, 3):
            parts = list(footprint_parts(surface, sectors, chosen, 0.75, workers=workers))
            assert len(parts) > 2
            same(join_footprints(parts), want)
    some = [want.site_ids[3], want.site_ids[0]]
    alone = sectors[sectors["site_id"].isin(some)]
    same(pick_footprints(want, sorted(some)), footprints(surface, alone, chosen, 0.75))
    assert next(footprint_parts(surface, sectors, chosen, 0.75, workers=2)).site_ids  # the rest is not asked for


def low_and_swept(ground: np.ndarray, height_m: float, limit: float) -> tuple[bool, np.ndarray]:
    """Whether the kernel says that nu of the ground stays below a limit, and nu of the terrain sweep."""
    radius = ground.shape[0] // 2 - 1
    disc = kernels.build_disc(radius)
    mast = kernels.Mast(radius, radius, float(ground[radius + 1, radius + 1]) + height_m, 1.5, 10.0, 5.9e-8)
    tables = rays_of(disc)
    work = tuple(np.empty(tables.corner.size, np.float32) for _ in range(3))
    low = _ground_is_low(ground, mast, disc, tables, np.full(disc.distance.size, limit, np.float32), work)
    nu = np.full((2 * radius + 1,) * 2, np.nan, np.float32)
    kernels.sweep_terrain(ground, mast, disc, (0, 2 * radius + 1, 0, 2 * radius + 1), nu)
    return low, nu[disc.ring >= 0]


@settings(max_examples=150)
@given(seed=st.integers(0, 10_000), radius=st.integers(1, 30), rough=st.floats(0.0, 3.0), slope=st.floats(-3.0, 3.0),
       height_m=st.floats(2.0, 60.0), limit=st.floats(-0.8, 0.5))
def test_ground_that_is_called_low_never_reaches_the_limit(seed, radius, rough, slope, height_m, limit) -> None:
    """What lets the kernel leave the terrain sweep out."""
    rng = np.random.default_rng(seed)
    size = 2 * radius + 3
    ground = rng.normal(0, rough, (size, size)).cumsum(axis=0) * 0.3 + slope * np.arange(size)
    low, nu = low_and_swept(ground.astype(np.float32), height_m, limit)
    assert not low or (nu <= np.float32(limit)).all()


@pytest.mark.parametrize(("slope", "ridge_m", "low"), [(0.0, 0.0, True), (2.0, 0.0, True), (0.0, 6.0, False)])
def test_even_ground_is_called_low_and_a_ridge_is_not(slope: float, ridge_m: float, low: bool) -> None:
    ground = (np.zeros((63, 63)) + slope * np.arange(63)).astype(np.float32)
    ground[:, 50] += ridge_m
    said, nu = low_and_swept(ground, 8.0, -0.05)
    assert (said, bool((nu <= -0.05).all())) == (low, low)


@given(probability=st.floats(1 / 4096, 1.0))
def test_the_limit_of_z_is_that_of_the_rounded_probability(probability: float) -> None:
    z = np.float32(making.least_z(probability))
    below = np.nextafter(z, np.float32(-np.inf))
    chances = probability_of(np.array([below, z]))
    assert chances[0] < np.float32(probability) <= chances[1]
    near = below - np.arange(1, 200, dtype=np.float32) * np.float32(1e-6)
    assert (probability_of(near) < np.float32(probability)).all()


Drawn = tuple[Footprints, np.ndarray]


@st.composite
def drawn(draw: st.DrawFn) -> Drawn:
    """Footprints of random pixels, and the pixels (sites, rows, cols)."""
    rng = np.random.default_rng(draw(st.integers(0, 10_000)))
    sites, rows, cols = draw(st.integers(1, 6)), draw(st.integers(1, 9)), draw(st.integers(1, 12))
    pixels = rng.random((sites, rows, cols)) < draw(st.sampled_from([0.0, 0.2, 0.6, 1.0]))
    pixels &= (rng.random(sites) < 0.8)[:, None, None]
    runs, indptr = [], [0]
    for site in pixels:
        for row in range(rows):
            edge = np.flatnonzero(np.diff(np.concatenate([[0], site[row].astype(int), [0]])))
            runs += [(row, first, last - 1) for first, last in edge.reshape(-1, 2)]
        indptr.append(len(runs))
    row, first, last = np.array(runs, np.int16).reshape(-1, 3).T
    box = study_geobox((0.0, 0.0, cols * 5.0, rows * 5.0), CRS, 5.0)
    names = tuple(f"S{k}" for k in range(sites))
    return Footprints(box, names, 0.5, np.array(indptr, np.int64), row, first, last), pixels


@given(drawn=drawn(), seed=st.integers(0, 999), at_once=st.sampled_from([1, 3, 10**6]))
def test_sums_over_runs_are_sums_over_pixels(drawn: Drawn, seed: int, at_once: int) -> None:
    found, pixels = drawn
    rng = np.random.default_rng(seed)
    whole = rng.integers(0, 1000, pixels.shape[1:])
    real = np.where(rng.random(whole.shape) < 0.1, np.nan, rng.lognormal(0, 3, whole.shape)).astype(np.float32)
    points = rng.integers(0, whole.size, rng.integers(0, 30))
    rows, cols = np.divmod(points, whole.shape[1])
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(nouns, "RUNS_AT_ONCE", at_once)
        np.testing.assert_array_equal(demand_of(found, whole), (pixels * whole).sum(axis=(1, 2)))
        dense_sum = np.where(pixels, np.nan_to_num(real.astype(float)), 0.0).sum(axis=(1, 2))
        np.testing.assert_allclose(demand_of(found, real), dense_sum, rtol=1e-9, atol=1e-9 * np.nansum(real))
        np.testing.assert_array_equal(found.areas(), pixels.sum(axis=(1, 2)) * 25.0)
        np.testing.assert_array_equal(to_csc(found, rows, cols).toarray(), pixels[:, rows, cols].T)
    for place, site in enumerate(found.site_ids):
        np.testing.assert_array_equal(dense(found, site), pixels[place])


@given(drawn=drawn(), seed=st.integers(0, 999))
def test_united_runs_hold_what_each_of_them_holds(drawn: Drawn, seed: int) -> None:
    """Footprints laid over each other, in pairs of owners, in any order."""
    found, pixels = drawn
    owner = np.repeat(np.arange(len(found)) % 2, np.diff(found.indptr))
    order = np.random.default_rng(seed).permutation(owner.size)
    runs = np.stack([found.row, found.first, found.last]).astype(np.int32)
    owners, united = making._united(owner[order], runs[:, order])
    row, first, last = united.astype(np.int16)
    indptr = np.searchsorted(owners, [0, 1, 2])
    both = Footprints(found.geobox, ("even", "odd"), 0.5, indptr, row, first, last)
    for place, site in enumerate(both.site_ids):
        np.testing.assert_array_equal(dense(both, site), pixels[place::2].any(axis=0))
        inside = slice(*indptr[place:place + 2])
        assert ((np.diff(row[inside]) > 0) | (first[inside][1:] > last[inside][:-1] + 1)).all()


def test_what_cannot_be_used_is_named():
    surface = flat()
    table, chosen = omni(305, 305).assign(site_id="A"), params(100.0)
    for probability in (0.0, -0.1, 1.01, np.nan):
        with pytest.raises(ModelError, match="probability"):
            footprints(surface, table, chosen, probability)
    with pytest.raises(ModelError, match="mask"):
        footprint_parts(surface, table, chosen, 0.5, mask=np.ones((3, 3), bool))
    with pytest.raises(ModelError, match="site_id"):
        footprint_parts(surface, omni(305, 305), chosen, 0.5)
    with pytest.raises(ModelError, match="grid"):
        footprints(surface, table.assign(x=-5.0), chosen, 0.5)
    found = footprints(surface, table, chosen, 0.5)
    with pytest.raises(ModelError, match="no footprint"):
        found.pixels("B")
    with pytest.raises(ModelError, match="no footprint"):
        pick_footprints(found, ["A", "B"])
    with pytest.raises(ModelError, match="two footprints: A"):
        join_footprints([found, found])
    with pytest.raises(ModelError, match="different"):
        join_footprints([found, footprints(surface, table.assign(site_id="B"), chosen, 0.6)])
    with pytest.raises(ModelError, match="no footprints"):
        join_footprints([])
    with pytest.raises(ModelError, match="weight"):
        demand_of(found, np.zeros((3, 3)))
    with pytest.raises(ModelError, match="points"):
        to_csc(found, [61], [0])
    empty = footprints(surface, table.iloc[:0], chosen, 0.5)
    assert (len(empty), demand_of(empty, np.ones((61, 61))).size, to_csc(empty, [3], [3]).shape) == (0, 0, (1, 0))


def test_written_in_parts_and_opened_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    surface = town(61, seed=8)
    sectors, chosen = random_sectors(surface, 8), params(300.0, threshold_dbm=-80.0)
    want = footprints(surface, sectors, chosen, 0.75)
    monkeypatch.setattr(making, "BATCH_PX", 5000)
    got = write_footprints(footprint_parts(surface, sectors, chosen, 0.75), tmp_path / "reach")
    assert isinstance(got.row, np.memmap)
    same(got, want)
    same(open_footprints(tmp_path / "reach"), want)
    np.testing.assert_array_equal(demand_of(got, surface.ground_m), demand_of(want, surface.ground_m))
    np.testing.assert_array_equal(np.load(tmp_path / "reach" / "row.npy"), want.row)  # a plain .npy file
    empty = write_footprints([pick_footprints(want, [])], tmp_path / "none")
    assert (len(empty), empty.row.size) == (0, 0)


def test_a_writing_that_fails_leaves_what_was_there(tmp_path: Path) -> None:
    table, chosen = omni(305, 305).assign(site_id="A"), params(100.0)
    found = footprints(flat(), table, chosen, 0.5)
    write_footprints([found], tmp_path)
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}

    def breaking() -> Iterator[Footprints]:
        yield found
        raise ModelError("stop")

    with pytest.raises(ModelError, match="stop"):
        write_footprints(breaking(), tmp_path)
    for bad in ([], [found, found], [found, footprints(flat(), table.assign(site_id="B"), chosen, 0.6)]):
        with pytest.raises(ExportError, match="未能写出"):
            write_footprints(bad, tmp_path)
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before
    header = json.loads(before["footprints.json"])
    (tmp_path / "footprints.json").write_text(json.dumps({**header, "runs": header["runs"] + 1}), "utf-8")
    for break_it in (lambda: None, (tmp_path / "row.npy").unlink, (tmp_path / "footprints.json").unlink):
        break_it()
        with pytest.raises(ExportError, match="没有完整"):
            open_footprints(tmp_path)
