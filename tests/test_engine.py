"""The coverage engine as a whole: a slow twin in float64, order of work, parts of the grid, what-if, monotony."""

from __future__ import annotations

from dataclasses import replace

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import ndtr
from test_coverage import CRS, flat, omni, params, random_sectors, town

from siteplan import radio
from siteplan.coverage import (
    Coverage,
    Network,
    complete_sectors,
    crop_coverage,
    load_equipment,
    merge_coverage,
    predict_coverage,
    predict_tiles,
    prepare_situation,
    reach_probability,
    sectors_of_sites,
    what_if,
)
from siteplan.coverage import _predict as predict
from siteplan.coverage._calibration import Calibration, Curve, predict_samples, sigma_of_samples
from siteplan.coverage._features import measurement_samples
from siteplan.coverage._masts import disc_of, prepare_masts
from siteplan.coverage._models import MODEL_NAMES
from siteplan.coverage._nouns import Layer
from siteplan.coverage._predict import make_job, make_place, sight_windows
from siteplan.errors import ModelError
from siteplan.grid import pixel_xy, study_geobox
from siteplan.params import CoverageParams
from siteplan.surface import Surface

ARRAYS = (*Layer._fields, "power")
NET = Network("移动", "5G")


def same(a: Coverage, b: Coverage, but: tuple[str, ...] = ()) -> None:
    """Bit for bit."""
    for name in ARRAYS:
        if name not in but:
            np.testing.assert_array_equal(getattr(a, name), getattr(b, name), err_msg=name)


def signals(surface: Surface, sectors: pd.DataFrame, settings: CoverageParams) -> tuple[np.ndarray, np.ndarray]:
    """RSRP and sigma of every sector at every pixel (sectors, rows, cols), float64, formula by formula.

    Only the diffraction parameters come from the engine (they have twins of their own).
    """
    equipment = load_equipment()
    table = complete_sectors(sectors, equipment)
    masts = prepare_masts(surface, table, settings, equipment)
    job = make_job(make_place(surface, settings), sectors, settings, equipment, (NET,))
    shape = tuple(surface.geobox.shape)
    rsrp, sigma = np.full((len(table), *shape), -np.inf), np.full((len(table), *shape), np.nan)
    rows, cols = np.mgrid[0:shape[0], 0:shape[1]]
    h_ut, scale_angle = settings.receiver_height_m, settings.pattern_scale
    for i, (_, sector) in enumerate(table.iterrows()):
        mast, radius = masts.mast(i), int(masts.radius[i])
        windows = sight_windows(job, mast, radius, (0, shape[0], 0, shape[1]))
        dy, dx = rows - mast.row, cols - mast.col
        near = dy**2 + dx**2 <= radius**2
        top, ground = (window[(dy + radius)[near], (dx + radius)[near]].astype(float) for window in windows)
        d = np.hypot(dy, dx)[near] * surface.pixel_m
        freq, height, model = sector.freq_mhz / 1000, sector.antenna_height_m, MODEL_NAMES[masts.model[i]]
        los, nlos = (radio.path_loss_db(model, d, freq, height, h_ut, state) for state in (True, False))
        share = radio.los_probability(model, d, h_ut)
        weight = settings.building_weight if surface.has_clutter else 0.0
        blocked = top > 0
        seen = np.where(blocked, 0.0, weight) + (1 - weight) * share
        seen = np.where(blocked & (not surface.has_clutter), 0.0, seen)
        loss = seen * los + (1 - seen) * nlos
        beyond = d > radio.breakpoint_m(model, freq, height, h_ut)
        fading = radio.shadow_sigma_db(model, True, beyond), radio.shadow_sigma_db(model, False)
        spread = 0.0 if surface.has_clutter else seen * (1 - seen) * (nlos - los) ** 2
        s = np.sqrt(seen * fading[0]**2 + (1 - seen) * fading[1]**2 + spread)
        loss = loss + settings.diffraction_weight * np.minimum(
            radio.knife_edge_loss_db(top * np.sqrt(freq)), settings.diffraction_cap_db)
        edge = radio.edge_loss_db(ground * np.sqrt(freq), d / 1000)
        if settings.terrain_diffraction == "knife_edge":
            edge = radio.knife_edge_loss_db(ground * np.sqrt(freq))
        free = radio.free_space_loss_db(np.hypot(d, height - h_ut), freq)
        loss = np.where(ground * np.sqrt(freq) > -0.78, np.maximum(loss, free + edge), loss)
        antenna = equipment.antennas[sector.antenna]
        bearing = np.degrees(np.arctan2(dx, -dy))[near] - (0 if np.isnan(sector.azimuth_deg) else sector.azimuth_deg)
        fall = mast.top_amsl_m - surface.ground_m[near].astype(float) - h_ut
        down = np.degrees(np.arctan2(fall, np.maximum(d, 1e-9)))
        lean = sector.tilt_electrical_deg + sector.tilt_mechanical_deg * np.cos(np.radians(bearing))
        wide = np.inf if np.isnan(sector.azimuth_deg) or antenna.omni else antenna.horizontal_deg
        depth = min(antenna.depth_db, settings.pattern_depth_db)
        away = scale_angle * radio.pattern_loss_db(bearing, down - lean, (wide, antenna.vertical_deg), depth,
                                                   antenna.side_lobe_db)
        power = sector.epre_dbm + antenna.gain_dbi - sector.feeder_db - settings.body_loss_db
        rsrp[i, near], sigma[i, near] = power - away - loss, np.hypot(s, settings.model_sigma_db)
    return rsrp, sigma


def close(got: np.ndarray, want: np.ndarray, usual: float = 0.01, most: float = 0.15) -> None:
    """Nearly everywhere very close; a little off where a pattern table is linear across a kink."""
    error = np.abs(got - want)
    assert np.quantile(error, 0.95) < usual
    assert error.max() < most


def sinr_of(rsrp: np.ndarray, table: pd.DataFrame, settings: CoverageParams) -> np.ndarray:
    """SINR of the best server from linear sums, dB."""
    best, mw = rsrp.argmax(axis=0), 10.0 ** (rsrp / 10)
    out = np.full(rsrp.shape[1:], np.nan)
    load = table["load_share"].fillna(settings.load_share).to_numpy()
    for s in range(len(table)):
        here = (best == s) & np.isfinite(rsrp.max(axis=0))
        noise = 10.0 ** (float(radio.noise_dbm(table["scs_khz"].iloc[s], settings.noise_figure_db)) / 10)
        total = np.full(here.sum(), noise)
        for other in range(len(table)):
            a, b = table.iloc[s], table.iloc[other]
            low = max(a.freq_mhz - a.bandwidth_mhz / 2, b.freq_mhz - b.bandwidth_mhz / 2)
            high = min(a.freq_mhz + a.bandwidth_mhz / 2, b.freq_mhz + b.bandwidth_mhz / 2)
            if other != s and high > low:
                total += load[other] * (high - low) / a.bandwidth_mhz * a.scs_khz / b.scs_khz * mw[other][here]
        out[here] = 10 * np.log10(mw[s][here] / total)
    return out


def mixed_sectors(surface: Surface, count: int = 5, seed: int = 3) -> pd.DataFrame:
    """Three-sector and omni sites on several carriers, some with mechanical tilt and a load of their own."""
    sectors = complete_sectors(random_sectors(surface, count, seed), load_equipment())
    rng = np.random.default_rng(seed)
    sectors["networks"] = "移动"
    sectors["freq_mhz"] = rng.choice([2565.0, 2615.0, 773.0, 3500.0], len(sectors))
    sectors["scs_khz"] = np.where(sectors["freq_mhz"] < 1000, 15.0, 30.0)
    sectors["bandwidth_mhz"] = np.where(sectors["freq_mhz"] < 1000, 30.0, 100.0)
    sectors["tilt_mechanical_deg"] = np.where(sectors["azimuth_deg"].notna(), rng.choice([0.0, 4.0], len(sectors)), 0.0)
    sectors["load_share"] = rng.choice([np.nan, 0.2, 1.0], len(sectors))
    return sectors


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
    rows, cols = np.nonzero(np.pad(~built, 1, constant_values=True))
    for r, c in zip(*np.nonzero(built), strict=True):
        depth[r, c] = np.clip((np.hypot(rows - 1 - r, cols - 1 - c).min() - 0.5) * 10.0, 0.0, 25.0)
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


def test_merged_equals_joint_in_every_array():
    surface, sectors = town(), mixed_sectors(town(), 9)
    joint = predict_coverage(surface, sectors, params(), (NET,))
    merged = merge_coverage(*(predict_coverage(surface, half, params(), (NET,))
                              for half in (sectors.iloc[:7], sectors.iloc[7:])))
    same(merged, joint)
    assert merged.sector_ids == joint.sector_ids


@settings(max_examples=15, deadline=None)
@given(st.data())
def test_what_if_equals_predicting_anew(data):
    surface = town(81, seed=2)
    sectors = random_sectors(surface, 8)
    chosen = params(200.0)
    situation = prepare_situation(surface, sectors, chosen, predict_coverage(surface, sectors, chosen))
    gone = data.draw(st.lists(st.sampled_from(list(sectors.index)), unique=True, max_size=4))
    extra = random_sectors(surface, 2, seed=data.draw(st.integers(50, 60)))
    new = extra.rename(index=lambda name: f"new-{name}").iloc[:data.draw(st.integers(0, 4))]
    moved = sectors.loc[gone[:2]].assign(x=lambda t: (t["x"] + 150.0) % 810.0)
    added = pd.concat([new, moved])
    change = what_if(situation, gone, added)
    after = pd.concat([sectors.drop(gone), added])
    want = predict_coverage(surface, after, chosen, situation.coverage.networks)
    same(change.after, crop_coverage(want, change.region), but=("server", "second_server", "power"))
    for name in ("server", "second_server"):
        got, full = getattr(change.after, name), crop_coverage(want, change.region)
        ids = np.array([*change.after.sector_ids, ""], object)
        np.testing.assert_array_equal(ids[got], np.array([*want.sector_ids, ""], object)[getattr(full, name)])
    outside = np.ones(surface.geobox.shape, bool)
    outside[change.region] = False
    np.testing.assert_array_equal(want.rsrp_dbm[:, outside], situation.coverage.rsrp_dbm[:, outside])
    np.testing.assert_array_equal(want.sinr_db[:, outside], situation.coverage.sinr_db[:, outside])
    assert set(change.removed) == set(gone) - set(moved.index)
    assert set(change.changed) == set(moved.index)


def test_what_if_tells_what_it_does_not_know():
    surface = town(81, seed=2)
    sectors = random_sectors(surface, 3)
    coverage = predict_coverage(surface, sectors, params())
    situation = prepare_situation(surface, sectors, params(), coverage)
    with pytest.raises(ModelError, match="no such sectors: nobody; sectors are there already: S0-1"):
        what_if(situation, ["nobody"], sectors.iloc[:1])
    with pytest.raises(ModelError, match="just these sectors"):
        prepare_situation(surface, sectors.iloc[:-1], params(), coverage)
    nothing = what_if(situation)
    same(nothing.after, nothing.before, but=("power", "server", "second_server"))


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


def test_sinr_may_fall_when_a_site_is_added_and_the_server_keeps_its_signal():
    surface = flat()
    one = predict_coverage(surface, omni(205, 305), params())
    two = predict_coverage(surface, pd.concat([omni(205, 305), omni(405, 305, "B")]), params())
    assert two.sinr_db[0, 30, 25] < one.sinr_db[0, 30, 25]
    noise = float(radio.noise_dbm(30.0, 7.0))
    np.testing.assert_allclose(one.sinr_db, one.rsrp_dbm - noise, atol=0.01)


@pytest.mark.parametrize(("freq_mhz", "bandwidth_mhz", "share"),
                         [(3500.0, 100.0, 1.0), (3550.0, 100.0, 0.5), (3600.0, 100.0, 0.0), (3500.0, 20.0, 0.2)])
def test_only_overlapping_carriers_interfere(freq_mhz, bandwidth_mhz, share):
    """Two masts at one place, seen from the same pixel: the second is 20 dB weaker and loaded by a half."""
    surface = flat()
    pair = pd.concat([omni(305, 305), omni(305, 305, "B", epre_dbm=-2.14, freq_mhz=freq_mhz)])
    pair["bandwidth_mhz"], pair["scs_khz"] = [100.0, bandwidth_mhz], 30.0
    got = predict_coverage(surface, pair, params(model_macro="uma", load_share=0.5))
    alone = predict_coverage(surface, pair.iloc[1:], params(model_macro="uma"))
    signal, other = got.rsrp_dbm[0, 30, 45], alone.rsrp_dbm[0, 30, 45]
    noise = 10.0 ** (float(radio.noise_dbm(30.0, 7.0)) / 10)
    want = 10 * np.log10(10.0 ** (signal / 10) / (0.5 * share * 10.0 ** (other / 10) + noise))
    assert got.sinr_db[0, 30, 45] == pytest.approx(want, abs=0.01)


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


def made_up_calibration() -> Calibration:
    """Every term that the engine applies, none of them 0."""
    return Calibration(
        name="made up", base="table", freq_low_mhz=2500.0, freq_high_mhz=2700.0, offset_db=3.0, slope_db_per_decade=2.0,
        distance_m=(10.0, 100.0, 1000.0), clear_db=(40.0, 70.0, 110.0), blocked_db=(45.0, 80.0, 125.0),
        diffraction_weight=0.2, diffraction_cap_db=15.0, pattern_scale_horizontal=0.3, pattern_scale_vertical=0.5,
        pattern_depth_db=11.0, power_weight=0.6, power_reference_dbm=28.0, clutter_db={3: 2.5, 7: -4.0},
        pixel_terms={"built_share": Curve(knots=(0.0, 0.4), db=(-1.0, 3.0)),
                     "clutter_mean_m": Curve(knots=(0.0, 10.0), db=(0.0, 2.0))},
        sigma_distance_m=(50.0, 500.0), sigma_clear_db=(6.0, 8.0), sigma_blocked_db=(7.0, 9.0))


def test_a_calibrated_engine_gives_what_the_calibration_says_at_every_pixel():
    base = town(61, seed=8)
    codes = np.random.default_rng(1).choice([0, 3, 7], base.geobox.shape).astype(np.int16)
    surface, model = replace(base, classes=codes), made_up_calibration()
    sectors = mixed_sectors(surface).assign(freq_mhz=2565.0, bandwidth_mhz=100.0, scs_khz=30.0, tilt_mechanical_deg=0.0,
                                            planned=False)
    chosen = params(300.0, sight="exact", tile_px=64)
    rows, cols = (part.ravel() for part in np.mgrid[0:61:2, 0:61:2])
    x, y = pixel_xy(surface.geobox, rows, cols)
    table = [gpd.GeoDataFrame({"rsrp_dbm": -90.0, "sector_id": name}, geometry=gpd.points_from_xy(x, y), crs=CRS,
                              index=[f"{name}-{k}" for k in range(len(x))]) for name in sectors.index]
    samples = measurement_samples(pd.concat(table), sectors, surface, chosen, codes)
    want = pd.Series(predict_samples(samples, model), index=samples.index)
    z = (want + 105.0) / sigma_of_samples(samples, model)
    got = [predict_coverage(surface, sectors.loc[[name]], chosen, (NET,), calibration=model) for name in sectors.index]
    compared = 0
    for name, coverage in zip(sectors.index, got, strict=True):
        ids = [f"{name}-{k}" for k in range(len(x))]
        here = coverage.rsrp_dbm[0][rows, cols]
        near = ~np.isnan(here) & np.isin(ids, samples.index)
        far_enough = np.hypot(x - sectors.at[name, "x"], y - sectors.at[name, "y"]) > 25.0
        near &= far_enough
        wanted = want.reindex(ids).to_numpy()
        close(here[near], wanted[near], 0.02, 0.2)
        share = ndtr(z.reindex(ids).to_numpy()[near])
        np.testing.assert_allclose(coverage.probability[0][rows, cols][near], share, atol=0.01)
        compared += int(near.sum())
    assert compared > 2000
    reach = reach_probability(surface, sectors.assign(site_id=sectors.index), chosen, rows, cols, calibration=model)
    for column, name in enumerate(reach.site_ids):
        alone = got[list(sectors.index).index(name)].probability[0][rows, cols]
        found = reach.matrix[:, [column]].toarray()[:, 0]
        np.testing.assert_allclose(found, np.where(alone < 0.0101, 0, alone), atol=0.011)


def test_a_calibration_holds_for_its_bands_alone_and_needs_buildings():
    surface, model = town(61, seed=8), made_up_calibration()
    sectors = mixed_sectors(surface).assign(freq_mhz=3500.0)
    plain = predict_coverage(surface, sectors, params(), (NET,))
    same(predict_coverage(surface, sectors, params(), (NET,), calibration=model), plain)
    new = sectors.assign(freq_mhz=2600.0, planned=True)
    stand = new.assign(planned=False)
    signals = [predict_coverage(surface, table, params(), (NET,), calibration=model).rsrp_dbm for table in (new, stand)]
    assert np.nanmax(np.abs(signals[0] - signals[1])) > 1.0  # powers of standing sectors are trusted by 0.6 only
    with pytest.raises(ModelError, match="buildings"):
        predict_coverage(replace(surface, has_clutter=False), sectors, params(), calibration=model)


def test_new_sites_keep_their_own_power_under_a_calibration():
    """A calibration that does not trust the stations' powers says nothing about the radio that will be bought."""
    surface, model = town(61, seed=8), made_up_calibration().model_copy(update={"power_weight": 0.1})
    sites = gpd.GeoDataFrame({"kind": ["macro", "micro"], "antenna_height_m": [30.0, 8.0]},
                             index=pd.Index(["A", "B"], name="site_id"), crs=CRS,
                             geometry=gpd.points_from_xy([155, 455], [305, 305]))
    table = sectors_of_sites(sites).assign(freq_mhz=2565.0)
    equipment = load_equipment()
    plain = prepare_masts(surface, table, params(), equipment)
    fitted = prepare_masts(surface, table, params(), equipment, model)
    assert fitted.calibrated.all()
    np.testing.assert_array_equal(fitted.power_dbm, plain.power_dbm)
    standing = prepare_masts(surface, table.drop(columns="planned"), params(), equipment, model)
    assert np.ptp(standing.power_dbm) < 0.2 * np.ptp(plain.power_dbm)


def test_coverages_of_other_settings_do_not_mix():
    surface = flat()
    one = predict_coverage(surface, omni(205, 305), params())
    with pytest.raises(ModelError, match="noise"):
        merge_coverage(one, predict_coverage(surface, omni(405, 305, "B"), params(noise_figure_db=15.0)))
    for other in (params(threshold_dbm=-80.0), params(indoor=False), params(noise_figure_db=3.0)):
        with pytest.raises(ModelError, match="other settings"):
            prepare_situation(surface, omni(205, 305), other, one)


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
