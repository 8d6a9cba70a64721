"""The coverage engine again, formula by formula in float64, and how two coverages are compared."""

from __future__ import annotations

import numpy as np
import pandas as pd
from test_coverage import random_sectors

from siteplan import radio
from siteplan.coverage import (
    Coverage,
    Network,
    complete_sectors,
    load_equipment,
)
from siteplan.coverage._masts import prepare_masts
from siteplan.coverage._models import MODEL_NAMES
from siteplan.coverage._nouns import Layer
from siteplan.coverage._predict import make_job, make_place, sight_windows
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
