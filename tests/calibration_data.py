"""Made-up measurements and a calibration that they follow, for the tests of calibrations."""

from __future__ import annotations

import geopandas as gpd
import numpy as np
import pandas as pd
from shapely.geometry import Point

from siteplan.coverage._calibration import Calibration, Curve, predict_samples
from tests.conftest import CRS, X0, Y0

TRUTH = Calibration(
    name="truth", distance_m=(10.0, 100.0, 1000.0, 3000.0), clear_db=(70.0, 78.0, 102.0, 125.0),
    blocked_db=(75.0, 88.0, 112.0, 128.0), diffraction_weight=0.1, pattern_scale_horizontal=0.4,
    pattern_scale_vertical=0.2, pattern_depth_db=60.0, power_weight=0.5, power_reference_dbm=28.0,
    clutter_db={5: -1.0, 7: 3.0}, pixel_terms={"built_share": Curve(knots=(0.0, 0.5, 1.0), db=(-2.0, 1.0, 4.0))},
)


def made_up(rows: int = 6000, sites: int = 40, seed: int = 1) -> pd.DataFrame:
    """Samples of sectors in made-up surroundings; the signal is still to be filled in."""
    rng = np.random.default_rng(seed)
    site = rng.integers(sites, size=rows)
    return pd.DataFrame({
        "sector_id": [f"{s}-{n}" for s, n in zip(site, rng.integers(3, size=rows), strict=True)],
        "site": [f"m{s}" for s in site], "x": 1000.0 * (site % 7) + rng.uniform(0, 300, rows),
        "y": rng.uniform(0, 3000, rows), "rsrp_dbm": 0.0, "power_dbm": 25.0 + 2.0 * (site % 4),
        "freq_ghz": 2.6, "antenna_height_m": 30.0, "distance_m": 10.0 ** rng.uniform(1.2, 3.4, rows),
        "azimuth_off_deg": 0.0, "down_deg": 0.0, "horizontal_db": rng.uniform(0, 30, rows),
        "vertical_db": rng.uniform(0, 18, rows), "depth_db": 50.0, "nu_ground": -5.0,
        "clutter_code": rng.choice([5, 7], rows),
        "built_share": rng.uniform(0, 1, rows), "clutter_mean_m": 0.0, "reach_ratio": 1.0,
    }).assign(nu_top=lambda t: rng.normal(0.0, 3.0, rows), blocked=lambda t: t["nu_top"] > 0).rename_axis("sample_id")


def measured(samples: pd.DataFrame, model: Calibration, sigma_db: float, seed: int = 2) -> pd.DataFrame:
    noise = np.random.default_rng(seed).normal(0.0, 1.0, len(samples)) * sigma_db
    return samples.assign(rsrp_dbm=predict_samples(samples, model) + noise)


def sector(**changes: object) -> dict[str, object]:
    return {"x": X0 + 205.0, "y": Y0 + 505.0, "antenna_height_m": 30.0, "azimuth_deg": 90.0, "tilt_electrical_deg": 2.0,
            "tilt_mechanical_deg": 4.0, "freq_mhz": 2600.0, "epre_dbm": 18.0, "feeder_db": 1.5,
            "antenna": "panel_passive", "kind": "macro", "networks": "*", "technology": "4G"} | changes


def points(places: dict[str, tuple[float, float]], **columns: object) -> gpd.GeoDataFrame:
    geometry = [Point(X0 + east, Y0 + north) for east, north in places.values()]
    return gpd.GeoDataFrame(columns, geometry=geometry, crs=CRS, index=pd.Index(list(places), name="sample_id"))
