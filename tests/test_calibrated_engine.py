"""A calibration in the engine."""

from __future__ import annotations

from dataclasses import replace

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
from scipy.special import ndtr
from slow_engine import NET, close, mixed_sectors, same
from test_coverage import CRS, params, town

from siteplan.coverage import (
    load_equipment,
    predict_coverage,
    reach_probability,
    sectors_of_sites,
)
from siteplan.coverage._calibration import Calibration, Curve, predict_samples, sigma_of_samples
from siteplan.coverage._features import measurement_samples
from siteplan.coverage._masts import prepare_masts
from siteplan.errors import ModelError
from siteplan.grid import pixel_xy


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
    table["planned"] = pd.array([True] * (len(table) - 1) + [pd.NA], dtype="boolean")
    unsaid = prepare_masts(surface, table, params(), equipment, model)  # what is not said stands already
    np.testing.assert_array_equal(unsaid.power_dbm[:-1], plain.power_dbm[:-1])
    assert unsaid.power_dbm[-1] == standing.power_dbm[-1]
