"""Sectors as the exposure screening sees them: total power, traffic beam, distances on axis, loss off the axis."""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from siteplan.coverage._antennas import VERTICAL_STEP_DEG, Antenna, AntennaPattern, pattern_tables
from siteplan.coverage._equipment import Equipment
from siteplan.coverage._sectors import numbers
from siteplan.coverage._sensitive import ExposureAntenna, ExposureRules
from siteplan.errors import ModelError
from siteplan.grid import sample
from siteplan.radio import compliance_distance_m, pattern_loss_db
from siteplan.surface import Surface

Floats = NDArray[np.float64]

_NEEDED = ("x", "y", "antenna_height_m", "azimuth_deg", "freq_mhz", "epre_dbm", "antenna", "kind", "technology",
           "site_id")


def radiating_sectors(sectors: pd.DataFrame, surface: Surface, equipment: Equipment,
                      rules: ExposureRules) -> pd.DataFrame:
    """Sectors that radiate outdoors, with power, gain, limit, distances on axis and radius; sorted by id."""
    missing = [name for name in _NEEDED if name not in sectors.columns]
    if missing:
        raise ModelError(f"table of sectors lacks the columns {', '.join(missing)}")
    table = sectors[sectors["kind"] != "indoor"].sort_index()
    unknown = sorted(set(table["antenna"].astype(str)) - set(equipment.antennas))
    if unknown:
        raise ModelError(f"antennas without an entry in the equipment table: {', '.join(unknown)}")
    names = table["antenna"].astype(str).tolist()
    own = [rules.antennas.get(name) for name in names]
    gain = np.array([equipment.antennas[name].gain_dbi if entry is None or entry.gain_dbi is None else entry.gain_dbi
                     for name, entry in zip(names, own, strict=True)], np.float64)
    factor = np.array([1.0 if entry is None else entry.factor for entry in own], np.float64)
    freq = table["freq_mhz"].to_numpy(np.float64)
    power = sector_power_w(table, equipment, rules.screening.lte_resource_blocks)
    limit = rules.limit_w_m2(freq)
    ground = sample(surface.ground_m, surface.geobox, table["x"], table["y"]).astype(np.float64)
    out = pd.DataFrame({
        "site_id": table["site_id"].astype("str"), "site_name": _column(table, "site_name", ""),
        "site_status": _column(table, "site_status", "proposed"), "x": table["x"].astype(float),
        "y": table["y"].astype(float), "antenna_height_m": table["antenna_height_m"].astype(float),
        "azimuth_deg": table["azimuth_deg"].astype(float), "tilt_deg": _tilt_deg(table), "freq_mhz": freq,
        "antenna": names, "power_w": power, "gain_dbi": gain, "factor": factor, "limit_w_m2": limit,
        "limit_distance_m": compliance_distance_m(power, gain, limit, factor),
        "managed_distance_m": compliance_distance_m(power, gain, limit * rules.screening.management_share, factor),
        "ground_m": np.nan_to_num(ground, nan=0.0), "on_ground": np.isfinite(ground),
    }, index=table.index.astype("str").rename("sector_id"))
    for name in ("x", "y", "antenna_height_m", "tilt_deg", "power_w", "limit_w_m2"):
        bad = ~np.isfinite(out[name].to_numpy(float))
        if bad.any():
            raise ModelError(f"exposure cannot be screened: {name} of {', '.join(out.index[bad][:20])} is unknown")
    reach = np.maximum(out["managed_distance_m"], rules.screening.least_radius_m)
    return out.assign(radius_m=reach.groupby(out["site_id"]).transform("max") if len(out) else reach)


def _column(table: pd.DataFrame, name: str, default: str) -> pd.Series:
    return table[name].astype("str") if name in table.columns else pd.Series(default, index=table.index, dtype="str")


def _tilt_deg(table: pd.DataFrame) -> pd.Series:
    """Total tilt: electrical and mechanical where the table has both, else ``tilt_deg``."""
    parts = ("tilt_electrical_deg", "tilt_mechanical_deg")
    if all(name in table.columns for name in parts):
        return table[parts[0]].astype(float) + table[parts[1]].astype(float)
    return table["tilt_deg"].astype(float)


def sector_power_w(sectors: pd.DataFrame, equipment: Equipment, lte_resource_blocks: int = 100) -> Floats:
    """Total power of every sector, W: EPRE on all subcarriers of its carrier, less the feeder where that is known.

    Parameters
    ----------
    sectors : DataFrame
        ``epre_dbm``, ``freq_mhz``, ``technology``; optional ``bandwidth_mhz``, ``scs_khz``, ``feeder_db``.
    equipment : Equipment
        The resource blocks are those of the band of the same technology that is nearest in frequency, in proportion to
        the width of the carrier and against its subcarrier spacing where these are known.
    lte_resource_blocks : int
        For a technology that the equipment table has no band of.

    Returns
    -------
    ndarray of float64 (sector,)
        ``10 ** ((EPRE + 10 log10(12 N_RB) - feeder) / 10) / 1000``.

    Examples
    --------
    >>> from siteplan.coverage import load_equipment
    >>> table = pd.DataFrame({"epre_dbm": [17.86], "freq_mhz": [3500.0], "technology": ["5G"]})
    >>> sector_power_w(table, load_equipment()).round(1).tolist()
    [200.1]
    """
    freq, technology = sectors["freq_mhz"].to_numpy(np.float64), sectors["technology"].astype(str).to_numpy(object)
    blocks = np.full(len(sectors), float(lte_resource_blocks))
    bandwidth, spacing = (numbers(sectors, name) for name in ("bandwidth_mhz", "scs_khz"))
    for name in sorted(set(technology)):
        bands = [band for band in equipment.bands.values() if band.technology == name]
        if bands:
            mine = technology == name
            table = np.array([(b.freq_mhz, b.resource_blocks, b.bandwidth_mhz, b.scs_khz) for b in bands], np.float64)
            near = table[np.argmin(np.abs(freq[mine][:, None] - table[None, :, 0]), axis=1)]
            wider, denser = bandwidth[mine] / near[:, 2], near[:, 3] / spacing[mine]
            blocks[mine] = near[:, 1] * np.nan_to_num(wider, nan=1.0) * np.nan_to_num(denser, nan=1.0)
    feeder = np.nan_to_num(numbers(sectors, "feeder_db"))
    total_dbm = sectors["epre_dbm"].to_numpy(np.float64) + 10.0 * np.log10(12.0 * blocks) - feeder
    return np.asarray(10.0 ** (total_dbm / 10.0) / 1000.0, np.float64)


def off_axis_db(sectors: pd.DataFrame, azimuth_off: Floats, down: Floats, equipment: Equipment,
              rules: ExposureRules) -> tuple[Floats, NDArray[np.bool_]]:
    """Loss off the axis, dB, and whether the direction is within the half-power beam; one row per direction.

    What an array sends steeply up or down is capped by the pattern of its element, which stands upright:
    ``12 (down / element_deg)^2`` dB at least, at most the depth of the antenna.
    """
    names, tilt = sectors["antenna"].to_numpy(object), sectors["tilt_deg"].to_numpy(np.float64)
    loss, main = np.zeros(len(sectors)), np.zeros(len(sectors), np.bool_)
    for name in sorted(set(names)):
        mine = names == name
        own = rules.antennas.get(name)
        beam = traffic_beam(equipment.antennas[name], own)
        pattern = equipment.pattern_of(name) if beam.pattern is not None else None
        loss[mine], main[mine] = beam_loss_db(beam, own, azimuth_off[mine], down[mine] - tilt[mine], pattern)
        if own is not None and own.element_deg is not None:
            upright = np.minimum(12.0 * (down[mine] / own.element_deg) ** 2, beam.depth_db)
            loss[mine] = np.maximum(loss[mine], upright)
    return loss, main


def traffic_beam(antenna: Antenna, own: ExposureAntenna | None) -> Antenna:
    """The antenna of the equipment table with what the exposure table says of its traffic beam.

    Examples
    --------
    >>> from siteplan.coverage import load_equipment
    >>> from siteplan.coverage._sensitive import load_exposure
    >>> name = "macro_64t"
    >>> traffic_beam(load_equipment().antennas[name], load_exposure().antennas[name]).gain_dbi
    24.0
    """
    if own is None:
        return antenna
    given = {key: getattr(own, key) for key in ("gain_dbi", "horizontal_deg", "vertical_deg")}
    known = {key: value for key, value in given.items() if value is not None}
    return antenna.model_copy(update={**known, "beams": (), "pattern": None} if known else {})


def beam_loss_db(antenna: Antenna, own: ExposureAntenna | None, azimuth_off_deg: Floats, vertical_off_deg: Floats,
                 pattern: AntennaPattern | None = None) -> tuple[Floats, NDArray[np.bool_]]:
    """Loss of the exposure pattern of an antenna, dB, and whether a direction is within its half-power beam.

    Parameters
    ----------
    antenna : Antenna
        As :func:`traffic_beam` gives it.
    own : ExposureAntenna or None
        Entry of the exposure table; None = a beam that is not steered.
    azimuth_off_deg, vertical_off_deg : ndarray of float64 (direction,)
        Angles off the axis, -180..180 (without meaning for an omni antenna) and positive below the axis; degrees.
    pattern : AntennaPattern, optional
        The measured pattern that the antenna names.

    Returns
    -------
    (ndarray of float64, ndarray of bool)

    Notes
    -----
    The parabola of TR 38.901 table 7.3-1 (or the measured planes, or the envelope of the SSB beams) on the angles that
    remain beyond the steering range: within it the beam may point at the place with its full gain.

    Examples
    --------
    >>> from siteplan.coverage import load_equipment
    >>> panel = load_equipment().antennas["panel_passive"]
    >>> loss, main = beam_loss_db(panel, None, np.array([0.0, 32.5, 65.0]), np.array([0.0, 3.5, 0.0]))
    >>> loss.tolist(), main.tolist()
    ([0.0, 6.0, 12.0], [True, True, False])
    """
    steer = (0.0, 0.0) if own is None else (own.steer_horizontal_deg, own.steer_vertical_deg)
    around = _beyond(np.zeros_like(azimuth_off_deg) if antenna.omni else azimuth_off_deg, steer[0])
    above = _beyond(vertical_off_deg, steer[1])
    widths = (antenna.horizontal_deg, antenna.vertical_deg)
    if antenna.pattern is None and not antenna.beams:
        loss = pattern_loss_db(around, above, widths, antenna.depth_db, antenna.side_lobe_db)
    else:
        horizontal, vertical, depth = pattern_tables(antenna, pattern, antenna.depth_db, 1.0)
        below = np.arange(vertical.size) * VERTICAL_STEP_DEG - 90.0
        loss = np.minimum(np.interp(around % 360.0, np.arange(361.0), horizontal) + np.interp(above, below, vertical),
                          depth)
    return loss, (np.abs(around) <= widths[0] / 2.0) & (np.abs(above) <= widths[1] / 2.0)


def _beyond(off_deg: Floats, steer_deg: float) -> Floats:
    """What remains of an angle beyond the steering range, with its sign."""
    return np.sign(off_deg) * np.maximum(np.abs(off_deg) - steer_deg, 0.0)
