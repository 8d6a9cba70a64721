"""A calibration fitted on macro sites leaves micro sites to TR 38.901, sector by sector."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from siteplan.coverage import Calibration, measurement_samples, predict_coverage, reach_probability
from siteplan.coverage._calibration_fit import FitSettings, fit_calibration
from siteplan.params import CoverageParams
from siteplan.surface import Surface
from tests.calibration_data import points, sector


def model_for(*kinds: str) -> Calibration:
    return Calibration.model_validate({
        "name": "table", "distance_m": (10.0, 1000.0), "clear_db": (80.0, 130.0), "blocked_db": (85.0, 140.0),
        "domain": {"kinds": kinds}})


@pytest.mark.parametrize("reach_m", [300.0, 900.0])
def test_each_kind_has_its_own_model_even_on_one_mast(flat: Surface, reach_m: float) -> None:
    """Both kinds on one mast, of one height, carrier, reach and model: nothing but the kind parts them."""
    params = CoverageParams(indoor=False, max_range_m=900.0, micro_range_m=reach_m)
    same = sector(antenna_height_m=12.0, azimuth_deg=float("nan"), antenna="pole_micro", model="umi", technology="5G")
    table = pd.DataFrame([same, same | {"kind": "micro"}], index=["macro", "micro"])
    rows = np.repeat([30, 50, 70], 3), np.tile([15, 25, 40], 3)

    def alone(name: str, model: Calibration | None) -> np.ndarray:
        return predict_coverage(flat, table.loc[[name]], params, calibration=model).rsrp_dbm[0]

    model = model_for("macro")
    np.testing.assert_array_equal(alone("micro", model), alone("micro", None))
    np.testing.assert_array_equal(alone("macro", model), alone("macro", model_for()))
    assert np.nanmin(alone("macro", None) - alone("macro", model)) > 3.0
    both = predict_coverage(flat, table, params, calibration=model)
    np.testing.assert_array_equal(both.rsrp_dbm[0], np.fmax(alone("macro", model), alone("micro", model)))
    sites = table.assign(site_id=["macro", "micro"])
    reach = reach_probability(flat, sites.assign(site_id="both"), params, *rows, calibration=model).matrix.toarray()
    parts = [reach_probability(flat, sites.loc[[name]], params, *rows, calibration=model).matrix.toarray()
             for name in table.index]
    np.testing.assert_array_equal(reach, np.maximum(*parts))


def test_samples_tell_the_fit_what_was_measured(flat: Surface) -> None:
    sectors = pd.DataFrame([sector(), sector(kind="micro", antenna="pole_micro", antenna_height_m=9.0)],
                           index=["A", "B"])
    east = np.arange(225.0, 925.0, 10.0)
    places = {f"p{i}": (float(x), 505.0) for i, x in enumerate(east)}
    rows = points(places, sector_id=np.where(np.arange(east.size) % 2, "A", "B"), rsrp_dbm=-60.0 - 0.05 * east)
    samples = measurement_samples(rows, sectors, flat, CoverageParams(receiver_height_m=3.0))
    assert samples["kind"].tolist() == ["micro", "macro"] * 35
    domain = fit_calibration(samples, "both", FitSettings(max_reach_ratio=50.0)).domain
    assert domain.kinds == ("macro", "micro")
    assert domain.antenna_height_m == (9.0, 30.0)
    assert domain.receiver_height_m == 3.0
