"""The coverage engine as a whole: a slow twin in float64, order of work, parts of the grid, what-if, monotony."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import ndtr
from slow_engine import NET, close, mixed_sectors, same, signals, sinr_of
from test_coverage import flat, omni, params, random_sectors, town

from siteplan import radio
from siteplan.coverage import (
    Network,
    complete_sectors,
    crop_coverage,
    load_equipment,
    predict_coverage,
    predict_tiles,
)
from siteplan.coverage import _predict as predict
from siteplan.coverage._masts import disc_of
from siteplan.errors import ModelError
from siteplan.grid import study_geobox
from siteplan.params import CoverageParams
from siteplan.surface import Surface


@pytest.mark.parametrize("more", [
    {}, {"building_weight": 0.3, "diffraction_weight": 0.1, "diffraction_cap_db": 12.0, "pattern_scale": 0.4},
    {"terrain_diffraction": "knife_edge", "sight": "exact", "body_loss_db": 3.0, "pattern_depth_db": 20.0},
    {"has_clutter": False},
])
def test_engine_equals_the_slow_twin(more):
    more = dict(more)
    surface = replace(town(61, seed=8), has_clutter=more.pop("has_clutter", True))
    if not surface.has_clutter:
        surface = replace(surface, clutter_m=np.zeros_like(surface.clutter_m))
    sectors = mixed_sectors(surface)
    chosen = params(300.0, **more)
    got = predict_coverage(surface, sectors, chosen, (NET,))
    rsrp, sigma = signals(surface, sectors, chosen)
    order = np.sort(rsrp, axis=0)
    served = np.isfinite(order[-1])
    np.testing.assert_array_equal(served, got.server[0] >= 0)
    close(got.rsrp_dbm[0][served], order[-1][served])
    two = np.isfinite(order[-2])
    np.testing.assert_array_equal(two, got.second_server[0] >= 0)
    close(got.second_rsrp_dbm[0][two], order[-2][two])
    clear = two.copy()
    clear[two] = order[-1][two] - order[-2][two] > 0.3
    np.testing.assert_array_equal(got.server[0][clear], rsrp.argmax(axis=0)[clear])
    near_threshold = (np.abs(rsrp - chosen.threshold_dbm) < 0.15).any(axis=0)
    counted = (rsrp >= chosen.threshold_dbm).sum(axis=0)
    np.testing.assert_array_equal(got.servers_above[0][~near_threshold], counted[~near_threshold])
    z = np.where(np.isfinite(rsrp), (rsrp - chosen.threshold_dbm) / sigma, -np.inf).max(axis=0)
    np.testing.assert_allclose(got.probability[0], ndtr(z), atol=6e-3)
    table = complete_sectors(sectors, load_equipment())
    close(got.sinr_db[0][clear], sinr_of(rsrp, table, chosen)[clear], 0.03, 0.5)


def test_inside_a_building_the_wall_and_the_way_inwards_are_lost():
    surface = town(61, seed=8)
    sectors = mixed_sectors(surface)
    chosen = params(300.0, wall="high", indoor_threshold_dbm=-110.0)
    got = predict_coverage(surface, sectors, chosen, (NET,))
    rsrp, sigma = signals(surface, sectors, chosen)
    wall = np.array([float(radio.wall_loss_db(f / 1000, "high")) for f in sectors["freq_mhz"]])
    built = surface.built
    depth = np.full(built.shape, np.inf)  # to the nearest pixel that is not built, by brute force
    rows, cols = np.nonzero(~built)
    for r, c in zip(*np.nonzero(built), strict=True):
        depth[r, c] = np.clip((np.hypot(rows - r, cols - c).min() - 0.5) * 10.0, 0.0, 25.0)
    inside = (rsrp - wall[:, None, None] - 0.5 * depth)[:, built]
    heard = np.isfinite(inside.max(axis=0))
    np.testing.assert_array_equal(heard, ~np.isnan(got.indoor_rsrp_dbm[0][built]))
    close(got.indoor_rsrp_dbm[0][built][heard], inside.max(axis=0)[heard])
    spread = np.hypot(sigma[:, built], radio.wall_sigma_db("high"))
    z = np.where(np.isfinite(inside), (inside + 110.0) / spread, -np.inf).max(axis=0)
    np.testing.assert_allclose(got.indoor_probability[0][built], ndtr(z), atol=6e-3)
    assert np.isnan(got.indoor_probability[0][~built]).all()
    assert predict_coverage(surface, sectors, params(300.0, indoor=False), (NET,)).indoor_probability is None


def test_order_tiles_and_workers_do_not_change_a_bit():
    surface, sectors = town(), random_sectors(town(), 12)
    want = predict_coverage(surface, sectors, params(), workers=1)
    for tile, workers in ((64, 1), (64, 2), (64, 3), (100, 2), (8192, 2), (8192, 5)):
        same(predict_coverage(surface, sectors, params(tile_px=tile), workers=workers), want)
    turned = predict_coverage(surface, sectors.iloc[::-1], params())
    same(turned, want, but=("server", "second_server"))


def test_a_region_and_tiles_are_parts_of_the_whole():
    surface, sectors = town(), random_sectors(town(), 12)
    want = predict_coverage(surface, sectors, params())
    for region in ((slice(0, 1), slice(0, 1)), (slice(20, 77), slice(60, 121)), (slice(100, 121), slice(3, 9))):
        same(predict_coverage(surface, sectors, params(), want.networks, region=region), crop_coverage(want, region))
    seen = np.zeros(surface.geobox.shape, int)
    for region, part in predict_tiles(surface, sectors, params(tile_px=64)):
        same(part, crop_coverage(want, region))
        assert part.geobox == surface.geobox[region]
        seen[region] += 1
    assert (seen == 1).all()
    with pytest.raises(ModelError, match="region"):
        predict_coverage(surface, sectors, params(), region=(slice(5, 5), slice(0, 3)))


def test_a_tile_needs_only_its_halo():
    surface, sectors = town(), random_sectors(town(), 12)
    chosen = params(200.0, model_macro="uma")
    want = predict_coverage(surface, sectors, chosen)
    tile, halo = (slice(40, 70), slice(50, 90)), 21  # 20 pixels of reach and one for the bilinear samples
    rows, cols = (slice(part.start - halo, part.stop + halo) for part in tile)
    cut = Surface(surface.geobox[rows, cols], surface.ground_m[rows, cols], surface.clutter_m[rows, cols],
                  surface.known[rows, cols], True)
    left, bottom, right, top = cut.geobox.boundingbox
    near = sectors[sectors["x"].between(left, right) & sectors["y"].between(bottom, top)]
    inner = slice(halo, halo + 30), slice(halo, halo + 40)
    got = predict_coverage(cut, near, replace_indoor(chosen), want.networks, region=inner)
    same(got, crop_coverage(predict_coverage(surface, sectors, replace_indoor(chosen), want.networks), tile),
         but=("server", "second_server"))


def replace_indoor(chosen: CoverageParams) -> CoverageParams:
    """Without the signal inside: the way inwards reaches as far as a building does."""
    return chosen.model_copy(update={"indoor": False})


@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 10**6), gain_db=st.floats(0.0, 20.0), extra=st.integers(1, 4))
def test_more_sites_or_power_never_lower_signal_or_coverage(seed, gain_db, extra):
    surface = town(61, seed=seed % 7)
    sectors = random_sectors(surface, 6 + extra, seed)
    chosen = params(300.0)
    networks = (Network("移动", "5G"), Network("电信&联通", "5G"))
    more = predict_coverage(surface, sectors, chosen, networks)
    fewer = predict_coverage(surface, sectors.iloc[:-extra], chosen, networks)
    strong = sectors.assign(epre_dbm=sectors["epre_dbm"] + gain_db * (np.arange(len(sectors)) % 2))
    louder = predict_coverage(surface, strong, chosen, networks)
    for low, high in ((fewer, more), (more, louder)):
        for name in ("rsrp_dbm", "probability", "servers_above", "indoor_rsrp_dbm", "indoor_probability",
                     "second_rsrp_dbm"):
            a, b = (np.nan_to_num(getattr(part, name), nan=-999.0) for part in (low, high))
            assert (b >= a).all(), name


def test_urban_clutter_is_counted_once():
    """A blocked urban pixel loses what TR 38.901 says for no line of sight, and nothing on top of it."""
    surface = flat()
    clutter = surface.clutter_m.copy()
    clutter[:, 40:43] = 40.0
    walled = replace(surface, clutter_m=clutter)
    chosen = params(model_macro="uma", building_weight=1.0)
    got = predict_coverage(walled, omni(305, 305, antenna="macro_omni"), chosen)
    free = predict_coverage(surface, omni(305, 305), chosen)
    d = 200.0
    lost = float(radio.path_loss_db("uma", d, 3.5, 25, 1.5, False) - radio.path_loss_db("uma", d, 3.5, 25, 1.5, True))
    assert free.rsrp_dbm[0, 30, 50] - got.rsrp_dbm[0, 30, 50] == pytest.approx(lost, abs=2e-3)


def test_terrain_is_never_weighted():
    """A hill costs the same whatever the study trusts of its buildings."""
    surface = flat(121)
    ground = surface.ground_m.copy()
    ground[:, 60:64] = 150.0
    hilly = replace(surface, ground_m=ground)
    sector = omni(305, 605, antenna="macro_omni")
    behind = [predict_coverage(hilly, sector, params(1000.0, model_macro="uma", building_weight=w)).rsrp_dbm[0, 60, 100]
              for w in (0.0, 0.5, 1.0)]
    assert behind[0] == behind[1] == behind[2]
    assert behind[0] < predict_coverage(surface, sector, params(1000.0, building_weight=0.0)).rsrp_dbm[0, 60, 100] - 10


def test_unknown_ground_is_blank_in_every_array():
    base = town(61)
    known = base.known.copy()
    known[:, :20] = False
    got = predict_coverage(replace(base, known=known), random_sectors(base, 6).query("x > 210"), params())
    for name in ("rsrp_dbm", "probability", "second_rsrp_dbm", "sinr_db", "indoor_probability", "indoor_rsrp_dbm"):
        assert np.isnan(getattr(got, name)[:, :, :20]).all(), name
    assert (got.server[:, :, :20] == -1).all()
    assert (got.servers_above[:, :, :20] == 0).all()


def test_tiles_share_what_does_not_depend_on_them(monkeypatch):
    calls: list[int] = []
    made = predict.receiver_pixels
    monkeypatch.setattr(predict, "receiver_pixels", lambda *given: calls.append(1) or made(*given))
    assert len(list(predict_tiles(town(), random_sectors(town(), 3), params(tile_px=64)))) == 4
    assert calls == [1]


def test_no_sector_at_all_is_a_gap_everywhere():
    surface = flat(21)
    sectors = omni(105, 105).iloc[:0]
    got = predict_coverage(surface, sectors, params())
    assert (got.probability == 0).all()
    assert np.isnan(got.sinr_db).all()
    assert not np.isnan(got.any_5g().probability).any()


def test_the_grid_of_a_region_is_its_place():
    surface = flat(21)
    part = predict_coverage(surface, omni(105, 105), params(), region=(slice(5, 10), slice(2, 4)))
    assert part.geobox.boundingbox == study_geobox((20, 110, 40, 160), "EPSG:4547", 10.0).boundingbox


def test_a_disc_is_made_once_for_all_masts():
    assert disc_of(20) is disc_of(20)
