"""Coverage: closed forms, properties, merging, reach."""

from __future__ import annotations

import tomllib
from importlib.resources import files

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
from scipy.special import ndtr

from siteplan import radio
from siteplan.coverage import (
    SECTOR_COLUMNS,
    Equipment,
    Network,
    below_roof,
    load_equipment,
    merge_coverage,
    on_grid,
    planned_tilt_deg,
    predict_coverage,
    reach_probability,
    sectors_of_sites,
    sectors_of_stations,
    visible,
)
from siteplan.errors import ModelError
from siteplan.grid import pixel_xy, study_geobox
from siteplan.params import CoverageParams
from siteplan.surface import Surface

CRS = "EPSG:4547"
ARRAYS = ("rsrp_dbm", "server", "probability")
CT, CM = Network("电信&联通", "5G"), Network("移动", "5G")


def flat(size: int = 61, has_clutter: bool = True) -> Surface:
    box = study_geobox((0, 0, size * 10, size * 10), CRS, 10.0)
    zero = np.zeros(box.shape, np.float32)
    return Surface(box, zero, zero.copy(), np.ones(box.shape, bool), has_clutter)


def town(size: int = 121, seed: int = 5) -> Surface:
    rng = np.random.default_rng(seed)
    base = flat(size)
    rows, cols = np.mgrid[0:size, 0:size]
    ground = (15 * np.sin(rows / 11) + 25 * np.cos(cols / 17) + 300).astype(np.float32)
    clutter = np.zeros(base.geobox.shape, np.float32)
    for _ in range(2 * size):
        r, c = rng.integers(0, size, 2)
        clutter[r:r + 3, c:c + 3] = rng.uniform(6, 40)
    return Surface(base.geobox, ground, clutter, base.known, True)


def params(range_m: float = 400.0, **more) -> CoverageParams:
    usual = {"max_range_m": range_m, "micro_range_m": min(range_m, 300.0), "building_weight": 1.0,
             "pattern_scale": 1.0}
    return CoverageParams(**{**usual, **more})


def omni(x: float, y: float, name: str = "A", **more) -> pd.DataFrame:
    row = {"x": x, "y": y, "antenna_height_m": 25.0, "azimuth_deg": np.nan, "tilt_deg": 0.0, "freq_mhz": 3500.0,
           "epre_dbm": 17.86, "antenna": "macro_omni", "kind": "macro", "networks": "电信&联通", "technology": "5G", **more}
    return pd.DataFrame([row], index=pd.Index([name], name="sector_id"))


def random_sectors(surface: Surface, count: int, seed: int = 1) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    edge = surface.geobox.shape[0] * 10
    sites = gpd.GeoDataFrame(
        {"kind": rng.choice(["macro", "micro"], count), "antenna_height_m": rng.choice([20.0, 30.0], count)},
        index=pd.Index([f"S{i}" for i in range(count)], name="site_id"), crs=CRS,
        geometry=gpd.points_from_xy(rng.uniform(0, edge, count), rng.uniform(0, edge, count)))
    sectors = sectors_of_sites(sites)
    sectors["networks"] = rng.choice(["*", "移动", "电信&联通", "移动|电信&联通"], len(sectors))
    return sectors


def same(a, b, names=ARRAYS) -> None:
    for name in names:
        np.testing.assert_array_equal(getattr(a, name), getattr(b, name), err_msg=name)


@pytest.mark.parametrize("model", ["uma", "rma"])
def test_flat_ground_closed_form(model):
    surface = flat()
    got = predict_coverage(surface, omni(305, 305), params(250.0, model_macro=model, model_sigma_db=3.0))
    assert got.networks == (CT,)
    x, y = pixel_xy(surface.geobox, *np.mgrid[0:61, 0:61])
    d = np.hypot(x - 305, y - 305)
    antenna = load_equipment().antennas["macro_omni"]
    down = np.degrees(np.arctan2(25.0 - 1.5, d))
    want = 17.86 + antenna.gain_dbi - radio.pattern_loss_db(0, down, (np.inf, antenna.vertical_deg), antenna.depth_db,
                                                          antenna.side_lobe_db)
    want = want - radio.path_loss_db(model, d, 3.5, 25.0, 1.5, True)
    want[d > 250] = np.nan
    error = np.abs(got.rsrp_dbm[0] - want)
    np.testing.assert_array_equal(np.isnan(got.rsrp_dbm[0]), np.isnan(want))
    assert np.nanquantile(error, 0.9) < 0.005  # steps of 1/1024 dB, pattern linear between quarter degrees ...
    assert np.nanmax(error) < 0.25  # ... and cutting the corner where the pattern's parabola meets its side lobe
    sigma = np.hypot(radio.shadow_sigma_db(model, True), 3.0)
    np.testing.assert_allclose(got.probability[0], np.nan_to_num(ndtr((want + 105) / sigma)), atol=5e-4)
    assert (got.server[0] == np.where(d > 250, -1, 0)).all()


def test_the_default_counts_the_error_of_the_model():
    surface = flat()
    sector = omni(305, 305, epre_dbm=-17.0)
    alone = predict_coverage(surface, sector, params(model_macro="uma", model_sigma_db=0.0))
    usual = predict_coverage(surface, sector, params(model_macro="uma"))
    np.testing.assert_array_equal(usual.rsrp_dbm, alone.rsrp_dbm)
    over = np.nan_to_num(alone.rsrp_dbm[0].astype(float) + 105, nan=-np.inf)
    assert (over < -4).any()
    assert (over > 4).any()
    np.testing.assert_allclose(alone.probability[0], ndtr(over / 4.0), atol=2.5e-4)
    np.testing.assert_allclose(usual.probability[0], ndtr(over / np.sqrt(160.0)), atol=2.5e-4)  # hypot(4, 12)


def test_sector_pattern_and_tilt():
    surface = flat()
    sector = omni(305, 305, azimuth_deg=90.0, tilt_deg=6.0, antenna="panel_passive")
    got = predict_coverage(surface, sector, params(model_macro="uma"))
    antenna = load_equipment().antennas["panel_passive"]
    for row, col in ((30, 50), (20, 40), (30, 5), (55, 30)):
        east, south = (col - 30) * 10.0, (row - 30) * 10.0
        d = np.hypot(east, south)
        bearing = np.degrees(np.arctan2(east, -south))
        down = np.degrees(np.arctan2(23.5, d))
        off = radio.pattern_loss_db(bearing - 90, down - 6, (65, 7), 30, antenna.side_lobe_db)
        want = 17.86 + antenna.gain_dbi - off - radio.path_loss_db("uma", d, 3.5, 25, 1.5, True)
        assert got.rsrp_dbm[0, row, col] == pytest.approx(float(want), abs=8e-3)


@pytest.mark.parametrize("model_sigma", [0.0, 5.0])
def test_without_clutter_sight_is_a_probability(model_sigma):
    surface = flat(has_clutter=False)
    got = predict_coverage(surface, omni(305, 305), params(model_sigma_db=model_sigma))
    antenna = load_equipment().antennas["macro_omni"]
    d = 200.0
    share = radio.los_probability("uma", d, 1.5)
    clear, blocked = radio.path_loss_db("uma", d, 3.5, 25, 1.5, [True, False])
    off = radio.pattern_loss_db(0, np.degrees(np.arctan2(23.5, d)), (np.inf, 7), 15, 15)
    want = 17.86 + antenna.gain_dbi - off - (share * clear + (1 - share) * blocked)
    assert got.rsrp_dbm[0, 30, 50] == pytest.approx(float(want), abs=8e-3)
    sigma = np.sqrt(share * 16 + (1 - share) * 36 + share * (1 - share) * (blocked - clear) ** 2 + model_sigma**2)
    assert got.probability[0, 30, 50] == pytest.approx(float(ndtr((want + 105) / sigma)), abs=4e-4)


def test_a_ridge_and_a_wall_shadow():
    surface = flat()
    open_ground = predict_coverage(surface, omni(105, 305), params(model_macro="uma"))
    wall, ridge = surface.clutter_m.copy(), surface.ground_m.copy()
    wall[:, 25:27], ridge[:, 25:29] = 40.0, 300.0
    walled = predict_coverage(Surface(surface.geobox, surface.ground_m, wall, surface.known, True), omni(105, 305),
                              params(model_macro="uma"))
    hidden = predict_coverage(Surface(surface.geobox, ridge, surface.clutter_m, surface.known, True), omni(105, 305),
                              params(model_macro="uma"))
    at = (0, 30, 40)
    assert walled.rsrp_dbm[at] < open_ground.rsrp_dbm[at] - 10
    assert hidden.rsrp_dbm[at] < walled.rsrp_dbm[at]
    np.testing.assert_array_equal(walled.rsrp_dbm[:, :, :20], open_ground.rsrp_dbm[:, :, :20])
    profile = np.arange(31) * 10.0
    heights = np.where((profile >= 150) & (profile < 190), 300.0, 0.0)
    loss = radio.bullington_loss_db(profile / 1000, heights, 25.0, 1.5, 3.5)
    loss += radio.free_space_loss_db(np.hypot(300, 23.5), 3.5)
    assert hidden.rsrp_dbm[at] == pytest.approx(float(17.86 + 11 - 12 * (4.48 / 7) ** 2 - loss), abs=1.5)


def test_model_follows_the_built_share():
    bare, built = flat(), flat()
    built.clutter_m[::4, ::4] = 2.5
    args = omni(305, 305), params(200.0)
    rural, urban = predict_coverage(bare, *args), predict_coverage(built, *args)
    at = (0, 30, 45)
    off = radio.path_loss_db("uma", 150, 3.5, 25, 1.5, True) - radio.path_loss_db("rma", 150, 3.5, 25, 1.5, True)
    assert rural.rsrp_dbm[at] - urban.rsrp_dbm[at] == pytest.approx(float(off), abs=1e-3)


def test_adding_sectors_never_lowers_anything():
    surface, settings = town(), params()
    sectors = random_sectors(surface, 8)
    networks = (CT, CM)
    before = predict_coverage(surface, sectors.iloc[:0], settings, networks)
    assert (before.probability == 0).all()
    for count in (4, 9, len(sectors)):
        after = predict_coverage(surface, sectors.iloc[:count], settings, networks)
        assert (after.probability >= before.probability).all()
        assert not (np.nan_to_num(after.rsrp_dbm, nan=-999) < np.nan_to_num(before.rsrp_dbm, nan=-999)).any()
        before = after
    assert before.probability.mean() > 0.3


def test_merge_equals_joint_prediction():
    surface, settings = town(), params()
    sectors = random_sectors(surface, 9, seed=4)
    joint = predict_coverage(surface, sectors, settings, (CT, CM))
    for cut in (0, 1, 7, len(sectors)):
        halves = sectors.iloc[:cut], sectors.iloc[cut:]
        parts = [predict_coverage(surface, half, settings, (CT, CM)) for half in halves]
        merged = merge_coverage(*parts)
        same(merged, joint)
        assert merged.sector_ids == joint.sector_ids
    with pytest.raises(ModelError):
        merge_coverage(joint, joint)


def test_merge_spreads_the_network_that_stands_for_all():
    surface, settings = town(), params()
    sectors = random_sectors(surface, 6)
    old, new = sectors.iloc[:5].assign(networks="移动"), sectors.iloc[5:].assign(networks="*")
    merged = merge_coverage(predict_coverage(surface, old, settings), predict_coverage(surface, new, settings))
    same(merged, predict_coverage(surface, pd.concat([old, new]), settings))
    assert merged.networks == (CM,)
    empty = predict_coverage(surface, sectors.iloc[:0], settings)
    assert merge_coverage(empty, predict_coverage(surface, old, settings)).networks == (CM,)


def test_tiles_and_threads_change_nothing():
    surface = town()
    sectors = random_sectors(surface, 9, seed=2)
    whole = predict_coverage(surface, sectors, params(tile_px=8192), workers=1)
    same(whole, predict_coverage(surface, sectors, params(tile_px=64), workers=1))
    same(whole, predict_coverage(surface, sectors, params(tile_px=64), workers=3))


def test_empty_unknown_and_indoor():
    surface = flat(21)
    known = np.ones(surface.geobox.shape, bool)
    known[:, 15:] = False
    surface = Surface(surface.geobox, surface.ground_m, surface.clutter_m, known, True)
    for sectors in (omni(105, 105).iloc[:0], omni(105, 105, kind="indoor", antenna="indoor")):
        got = predict_coverage(surface, sectors, params())
        assert np.isnan(got.rsrp_dbm).all()
        assert (got.server == -1).all()
        assert (got.probability[0][known] == 0).all()
        assert np.isnan(got.probability[0][~known]).all()
    heard = predict_coverage(surface, omni(105, 105), params())
    assert np.isnan(heard.probability[0][~known]).all()
    assert (heard.server[0][~known] == -1).all()
    four = predict_coverage(surface, omni(105, 105, technology="4G"), params())
    rsrp, server, probability = four.any_5g()[:3]
    assert np.isnan(rsrp).all()
    assert (server == -1).all()
    assert (probability[known] == 0).all()
    assert np.isnan(probability[~known]).all()


def test_any_5g_is_the_best_of_the_5g_networks():
    surface, settings = town(), params()
    sectors = random_sectors(surface, 6, seed=3)
    sectors.loc[sectors.index[:4], "technology"] = "4G"
    got = predict_coverage(surface, sectors, settings)
    assert {network.technology for network in got.networks} == {"4G", "5G"}
    best = got.any_5g()
    numbers = [i for i, network in enumerate(got.networks) if network.technology == "5G"]
    np.testing.assert_array_equal(best.probability, got.probability[numbers].max(axis=0))
    assert set(np.unique(best.server)) <= {-1, *range(4, len(sectors))}
    assert got.index_of(got.networks[1]) == 1
    with pytest.raises(ModelError):
        got.index_of(Network("none", "5G"))


@pytest.mark.parametrize("has_clutter", [True, False])
def test_reach_agrees_with_prediction(has_clutter):
    surface, settings = town(), params()
    clutter = surface.clutter_m * np.float32(has_clutter)
    surface = Surface(surface.geobox, surface.ground_m, clutter, surface.known, has_clutter)
    sectors = random_sectors(surface, 8).assign(networks="*")
    rng = np.random.default_rng(0)
    rows, cols = rng.integers(0, 121, (2, 700))
    reach = reach_probability(surface, sectors, settings, rows, cols)
    assert reach.site_ids == tuple(sorted(sectors["site_id"].unique()))
    assert reach.matrix.shape == (700, 8)
    assert reach.matrix.dtype == np.float32
    agree = 0
    for column, site in enumerate(reach.site_ids):
        alone = predict_coverage(surface, sectors[sectors["site_id"] == site], settings)
        want = alone.probability[0][rows, cols]
        want = np.where(want >= 0.01, want, 0)
        agree += (np.abs(reach.matrix[:, [column]].toarray()[:, 0] - want) <= 0.011).sum()  # floor, and steps of 1/4096
    assert agree / (700 * 8) > 0.985


def test_reach_edges():
    surface, settings = flat(), params()
    none = reach_probability(surface, omni(305, 305).iloc[:0].assign(site_id=""), settings, [1, 2], [1, 2])
    assert none.matrix.shape == (2, 0)
    known = surface.known.copy()
    known[30, 35] = False
    surface = Surface(surface.geobox, surface.ground_m, surface.clutter_m, known, True)
    got = reach_probability(surface, omni(305, 305).assign(site_id="s"), settings, [30, 30, 30], [35, 36, 36])
    assert got.matrix.toarray()[:, 0].tolist()[0] == 0
    assert got.matrix[1, 0] == got.matrix[2, 0] > 0.9
    with pytest.raises(ModelError):
        reach_probability(surface, omni(305, 305).assign(site_id="s"), settings, [99], [0])
    with pytest.raises(ModelError):
        reach_probability(surface, omni(305, 305), settings, [9], [0])


def test_faulty_sectors_are_named_all_at_once():
    surface = flat()
    assert on_grid(surface, omni(9999, 5)).tolist() == [False]
    with pytest.raises(ModelError, match="A"):
        predict_coverage(surface, omni(9999, 5), params())
    bad = pd.concat([omni(5, 5, "B1", antenna="none"), omni(5, 5, "B2", antenna_height_m=np.nan)])
    with pytest.raises(ModelError, match=r"B2.*B1"):
        predict_coverage(surface, bad, params())
    with pytest.raises(ModelError, match="kind"):
        predict_coverage(surface, omni(5, 5).drop(columns="kind"), params())


def test_sectors_of_stations():
    stations = gpd.GeoDataFrame(
        {"kind": ["macro", "macro", "micro", "indoor", "macro", "micro"], "technology": ["5G", "4G", *["5G"] * 4],
         "freq_mhz": [2565.0, 1850.0, 3500.0, 3350.0, 743.0, 3500.0], "tilt_deg": 6.0,
         "azimuth_deg": [30.0, 30.0, np.nan, np.nan, 0.0, 90.0], "antenna_height_m": 30.0, "epre_dbm": 15.0,
         "network": "移动"},
        index=pd.Index(list("abcdef"), name="sector_id"), crs=CRS,
        geometry=gpd.points_from_xy(range(5, 11), range(5, 11)))
    got = sectors_of_stations(stations)
    assert tuple(got.columns) == SECTOR_COLUMNS
    assert got["antenna"].tolist() == ["macro_64t", "panel_passive", "pole_micro", "indoor", "panel_700",
                                       "panel_micro"]
    assert got.index.tolist() == list("abcdef")
    assert predict_coverage(flat(), got, params()).sector_ids == tuple("abcdef")


def test_sectors_of_sites():
    sites = gpd.GeoDataFrame({"kind": ["micro", "macro"], "antenna_height_m": [8.0, 30.0], "networks": ["移动", "*"]},
                             index=pd.Index(["p", "m"], name="site_id"), crs=CRS,
                             geometry=gpd.points_from_xy([1, 2], [3, 4]))
    got = sectors_of_sites(sites)
    assert got.index.tolist() == ["p-1", "m-1", "m-2", "m-3"]
    assert got["networks"].unique().tolist() == ["*"]
    assert got["azimuth_deg"].iloc[1:].tolist() == [0.0, 120.0, 240.0]
    assert got["epre_dbm"].round(2).tolist() == [7.86, 17.86, 17.86, 17.86]
    assert sectors_of_sites(sites, networks=None)["networks"].tolist() == ["移动", "*", "*", "*"]
    assert len(sectors_of_sites(sites.iloc[:0])) == 0
    with pytest.raises(ModelError, match="tower"):
        sectors_of_sites(sites.assign(kind="tower"))


def test_tilt_follows_the_radius_of_the_site():
    radius = [2400.0, 200.0, np.nan, np.inf, 0.0, -5.0, 2400.0]
    sites = gpd.GeoDataFrame({"kind": ["macro"] * 6 + ["micro"], "antenna_height_m": 36.0, "tilt_radius_m": radius},
                             index=pd.Index(list("abcdefp"), name="site_id"), crs=CRS,
                             geometry=gpd.points_from_xy(range(7), range(7)))
    got = sectors_of_sites(sites).groupby("site_id")["tilt_deg"].unique().map(list).to_dict()
    usual = planned_tilt_deg(36.0, 400.0, 12.0)  # atan(36 / 400) = 5.14 degrees
    assert usual == 11.0
    assert got == {"a": [7.0], "b": [16.0], **{site: [usual] for site in "cdef"}, "p": [0.0]}
    absent = sectors_of_sites(sites.drop(columns="tilt_radius_m"))
    assert absent["tilt_deg"].unique().tolist() == [usual, 0.0]
    nothing = sites.assign(tilt_radius_m=pd.array([pd.NA] * 7, dtype="Float64"))
    pd.testing.assert_frame_equal(sectors_of_sites(nothing), absent)
    pd.testing.assert_frame_equal(sectors_of_sites(sites.assign(tilt_radius_m=None)), absent)
    assert sites["tilt_radius_m"].tolist()[:2] == [2400.0, 200.0]


def test_only_feasible_azimuths_radiate():
    words = ["0|240", "omni", "", None, "120", "", "90|270"]
    sites = gpd.GeoDataFrame({"kind": ["macro"] * 5 + ["micro"] * 2, "antenna_height_m": 36.0, "azimuths": words},
                             index=pd.Index(list("abcdepq"), name="site_id"), crs=CRS,
                             geometry=gpd.points_from_xy(range(7), range(7)))
    got = sectors_of_sites(sites)
    found = {site: rows.fillna(-1.0).tolist() for site, rows in got.groupby("site_id")["azimuth_deg"]}
    assert found == {"a": [0.0, 240.0], "b": [-1.0], "c": [0.0, 120.0, 240.0], "d": [0.0, 120.0, 240.0], "e": [120.0],
                     "p": [-1.0], "q": [90.0, 270.0]}
    assert got.index.tolist() == [f"{site}-{n}" for site, rows in found.items() for n in range(1, len(rows) + 1)]
    assert got.groupby("site_id")["antenna"].unique().map(list).to_dict() == {
        **{site: ["macro_64t"] for site in "acde"}, "b": ["macro_omni"], "p": ["pole_micro"], "q": ["panel_micro"]}
    assert got.loc[["b-1", "p-1"], "tilt_deg"].tolist() == [0.0, 0.0]
    assert set(got.loc[["a-1", "c-1", "e-1"], "tilt_deg"]) == {planned_tilt_deg(36.0, 400.0, 12.0)}
    usual = sectors_of_sites(sites.drop(columns="azimuths"))
    pd.testing.assert_frame_equal(sectors_of_sites(sites.assign(azimuths="")), usual)
    pd.testing.assert_frame_equal(sectors_of_sites(sites.assign(azimuths=np.nan)), usual)
    pd.testing.assert_frame_equal(got.loc[["c-1", "c-2", "c-3", "p-1"]], usual.loc[["c-1", "c-2", "c-3", "p-1"]])


@pytest.mark.parametrize("word", ["north", "0|", "0|400", "-10", "nan", "0,120"])
def test_azimuths_that_are_none_are_named(word):
    site = gpd.GeoDataFrame({"kind": ["macro"], "antenna_height_m": [30.0], "azimuths": [word]}, index=["m"], crs=CRS,
                            geometry=gpd.points_from_xy([5], [5]))
    with pytest.raises(ModelError, match="azimuths"):
        sectors_of_sites(site)


def test_sectors_of_many_sites_are_those_of_each_alone():
    rng = np.random.default_rng(3)
    sites = gpd.GeoDataFrame(
        {"kind": rng.choice(["macro", "micro"], 40), "antenna_height_m": rng.uniform(5, 60, 40),
         "tilt_radius_m": np.where(rng.random(40) < 0.3, np.nan, rng.uniform(100, 2000, 40)),
         "azimuths": rng.choice(["", "omni", "0", "0|120", "30|150|270"], 40)},
        index=pd.Index([f"S{i}" for i in range(40)], name="site_id"), crs=CRS,
        geometry=gpd.points_from_xy(rng.uniform(0, 600, 40), rng.uniform(0, 600, 40)))
    alone = pd.concat([sectors_of_sites(sites.iloc[[i]]) for i in range(40)])
    pd.testing.assert_frame_equal(sectors_of_sites(sites), alone, check_dtype=False)
    directed = alone[alone["azimuth_deg"].notna()]
    for sector in directed.itertuples():
        radius = sites.at[sector.site_id, "tilt_radius_m"]
        radius = {"macro": 400.0, "micro": 150.0}[sector.kind] if np.isnan(radius) else radius
        width = load_equipment().antennas[sector.antenna].vertical_deg
        assert sector.tilt_deg == planned_tilt_deg(sector.antenna_height_m, radius, width)


def test_every_band_is_what_cell_tables_call_it_and_serves_a_site():
    table = load_equipment()
    text = files("siteplan").joinpath("tables", "band_words.toml").read_text(encoding="utf-8")
    words = tomllib.loads(text)["bands"]
    assert table.bands["n41"].freq_mhz == 2565.0
    site = gpd.GeoDataFrame({"kind": ["macro"], "antenna_height_m": [30.0]}, index=pd.Index(["m"], name="site_id"),
                            crs=CRS, geometry=gpd.points_from_xy([5], [5]))
    for name, band in table.bands.items():
        assert band.freq_mhz == words[name]["freq_mhz"]
        assert band.technology in words[name]["technologies"]
        settings = table.model_dump()
        settings["site_types"]["macro"]["band"] = name
        got = sectors_of_sites(site, Equipment.model_validate(settings))
        assert set(got["freq_mhz"]) == {band.freq_mhz}
        assert set(got["technology"]) == {band.technology}
        np.testing.assert_allclose(got["epre_dbm"], radio.epre_dbm(200.0, band.resource_blocks))


def test_masts_below_a_roof():
    surface = flat()
    surface.clutter_m[30, 30] = 12.1  # float32: a little more than 12.1
    masts = pd.concat([omni(305, 305, "in", antenna_height_m=8.0), omni(305, 305, "level", antenna_height_m=12.1),
                       omni(305, 305, "above", antenna_height_m=25.0), omni(315, 305, "beside", antenna_height_m=8.0),
                       omni(9999, 5, "away", antenna_height_m=1.0), omni(305, 305, "unknown", antenna_height_m=np.nan)])
    got = below_roof(surface, masts)
    assert got.index.equals(masts.index)
    assert got.dtype == np.float64
    np.testing.assert_allclose(got, [4.1, 0, 0, 0, 0, np.nan], atol=1e-5)
    assert (got[1:5] == 0).all()
    assert below_roof(surface, masts.iloc[:0]).tolist() == []
    raised = Surface(surface.geobox, surface.ground_m + 500, surface.clutter_m, surface.known, True)
    pd.testing.assert_series_equal(below_roof(raised, masts), got)


@pytest.mark.parametrize(("height", "radius", "want"), [(20, 300, 7.5), (30, 300, 9.0), (30, 500, 7.0), (40, 400, 9.0)])
def test_planned_tilt(height, radius, want):
    assert planned_tilt_deg(height, radius, 7.0) == want


def test_visible_refuses_what_it_cannot_judge():
    with pytest.raises(ModelError):
        visible(np.full((3, 3), np.nan), 1.0, 1, 1, 1.0, 1.0)
    with pytest.raises(ModelError):
        visible(np.zeros((3, 3)), 1.0, 3, 1, 1.0, 1.0)


def test_inputs_are_left_alone():
    surface, settings = town(), params()
    sectors = random_sectors(surface, 3)
    copies = sectors.copy(), surface.ground_m.copy(), surface.clutter_m.copy()
    predict_coverage(surface, sectors, settings)
    reach_probability(surface, sectors, settings, [1], [1])
    pd.testing.assert_frame_equal(sectors, copies[0])
    np.testing.assert_array_equal(surface.ground_m, copies[1])
    np.testing.assert_array_equal(surface.clutter_m, copies[2])


@pytest.mark.parametrize("networks", ["", " | ", None])
def test_sectors_that_serve_nobody_are_named(networks):
    with pytest.raises(ModelError, match="networks is missing: A"):
        predict_coverage(flat(), omni(305, 305, networks=networks), params())


def test_no_network_at_all_is_refused():
    with pytest.raises(ModelError, match="at least one network"):
        predict_coverage(flat(), omni(305, 305), params(), ())
