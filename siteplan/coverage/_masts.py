"""From a table of sectors to what the kernels take: masts, loss tables and sector arrays."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from threading import Lock
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from siteplan._kernels import Disc, Losses, Mast, Sectors, build_disc
from siteplan.constants import EARTH_RADIUS_EFFECTIVE_M
from siteplan.coverage._antennas import pattern_tables
from siteplan.coverage._calibration import Calibration, calibrated_power_dbm, holds_for
from siteplan.coverage._equipment import Equipment
from siteplan.coverage._losses import RingTerms, calibrated_losses, ring_losses, ring_terms
from siteplan.coverage._models import MODEL_NAMES, models_of
from siteplan.coverage._sectors import PLANNED
from siteplan.coverage._spectrum import Spectrum, spectrum_of
from siteplan.errors import ModelError
from siteplan.grid import pixel_of
from siteplan.params import CoverageParams
from siteplan.radio import wall_loss_db, wall_sigma_db
from siteplan.surface import Surface

KEPT_VALUES = 4_000_000
"""Loss tables are kept up to so many path losses, about 64 MB."""


@lru_cache(maxsize=8)
def disc_of(radius: int) -> Disc:
    """Tables of a disc, kept: every mast of one reach shares them."""
    return build_disc(radius)


@dataclass(frozen=True)
class Patterns:
    """Attenuation of every antenna that occurs, as tables over angle."""

    horizontal_db: NDArray[np.float32]
    """(antennas, 362)"""
    vertical_db: NDArray[np.float32]
    """(antennas, 722)"""
    depth_db: NDArray[np.float32]
    """(antennas,)"""


@dataclass(frozen=True)
class Masts:
    """Columns of the radiating sectors as arrays of one length, and what they stand on.

    ``number`` is the row in the table of sectors; ``model`` an index of ``MODEL_NAMES``; ``radius`` in pixels;
    ``antenna`` a row of ``patterns``; ``spectrum`` is that of the whole table, ``carrier`` this sector's place in it;
    ``calibrated`` tells whether the calibration holds for the sector's frequency and kind.
    """

    surface: Surface
    params: CoverageParams
    calibration: Calibration | None
    spectrum: Spectrum
    patterns: Patterns
    number: NDArray[np.int64]
    row: NDArray[np.int64]
    col: NDArray[np.int64]
    height_m: NDArray[np.float64]
    freq_ghz: NDArray[np.float64]
    carrier: NDArray[np.int64]
    calibrated: NDArray[np.bool_]
    radius: NDArray[np.int64]
    model: NDArray[np.int64]
    antenna: NDArray[np.int64]
    azimuth_deg: NDArray[np.float32]
    tilt_electrical_deg: NDArray[np.float32]
    tilt_mechanical_deg: NDArray[np.float32]
    power_dbm: NDArray[np.float32]

    def groups(self, among: NDArray[np.int64] | None = None) -> list[NDArray[np.int64]]:
        """Positions of the sectors that share a mast: place, height, reach and model; of ``among`` only, when given."""
        chosen = np.arange(self.number.size) if among is None else among
        if chosen.size == 0:
            return []
        keys = [values[chosen] for values in (self.row, self.col, self.height_m, self.radius, self.model)]
        return [chosen[run] for run in split_runs(keys)]

    def mast(self, i: int) -> Mast:
        """The mast of sector ``i`` as the kernels take it."""
        row, col = int(self.row[i]), int(self.col[i])
        top = float(self.surface.ground_m[row, col]) + float(self.height_m[i])
        return Mast(row, col, top, self.params.receiver_height_m, self.surface.pixel_m,
                    0.5 / EARTH_RADIUS_EFFECTIVE_M)

    def sectors(self, chosen: NDArray[np.int64], serves: NDArray[np.bool_]) -> Sectors:
        """Sector arrays of the kernels; ``serves`` tells of each network whether the chosen sectors serve it."""
        antenna, freq = self.antenna[chosen], float(self.freq_ghz[chosen[0]])
        wall, sigma = 0.0, 0.0
        if self.params.indoor:
            wall = float(wall_loss_db(freq, self.params.wall))
            sigma = float(wall_sigma_db(self.params.wall))
        return Sectors(
            self.azimuth_deg[chosen], self.tilt_electrical_deg[chosen], self.tilt_mechanical_deg[chosen],
            self.power_dbm[chosen], self.patterns.depth_db[antenna], self.patterns.horizontal_db[antenna],
            self.patterns.vertical_db[antenna], self.spectrum.load[self.number[chosen]], self.number[chosen],
            int(self.carrier[chosen[0]]), np.flatnonzero(serves), wall, sigma,
        )


def split_runs(keys: Sequence[NDArray[Any]]) -> list[NDArray[np.int64]]:
    """Positions grouped by equal keys, groups sorted by the keys, positions rising inside each."""
    if keys[0].size == 1:
        return [np.zeros(1, np.int64)]
    order = np.lexsort(tuple(reversed(keys)))
    change = np.zeros(order.size, np.bool_)
    for key in keys:
        change[1:] |= key[order][1:] != key[order][:-1]
    return np.split(order, np.flatnonzero(change))


def prepare_masts(surface: Surface, sectors: pd.DataFrame, params: CoverageParams, equipment: Equipment,
                  calibration: Calibration | None = None) -> Masts:
    """Arrays of the sectors that radiate outdoors."""
    if calibration is not None and not surface.has_clutter:
        raise ModelError("a calibration needs to know the buildings: the study has neither buildings nor heights")
    number = np.flatnonzero((sectors["kind"] != "indoor").to_numpy(bool))
    table = sectors.iloc[number]
    row, col = pixel_of(surface.geobox, table["x"].to_numpy(float), table["y"].to_numpy(float))
    names, antenna = np.unique(table["antenna"].astype(str).to_numpy(object).astype(str), return_inverse=True)
    entries = [equipment.antennas[name] for name in names]
    gain = np.array([entry.gain_dbi for entry in entries], np.float64)[antenna]
    azimuth = table["azimuth_deg"].to_numpy(np.float64)
    spectrum = spectrum_of(sectors, params.load_share, params.noise_figure_db)
    calibrated = np.zeros(number.size, np.bool_)
    if calibration is not None:
        calibrated = holds_for(calibration, table)
    lost = table["feeder_db"].to_numpy(np.float64) + params.body_loss_db
    power = table["epre_dbm"].to_numpy(np.float64) + gain - lost
    return Masts(
        surface, params, calibration, spectrum, _patterns(equipment, names, params, calibration), number, row, col,
        table["antenna_height_m"].to_numpy(np.float64), table["freq_mhz"].to_numpy(np.float64) / 1000.0,
        spectrum.carrier_of[number], calibrated, reach_px(table["kind"], params, surface.pixel_m),
        models_of(surface, table, row, col, params), antenna + names.size * (np.isnan(azimuth) + 2 * calibrated),
        (np.nan_to_num(azimuth) % 360.0).astype(np.float32), table["tilt_electrical_deg"].to_numpy(np.float32),
        table["tilt_mechanical_deg"].to_numpy(np.float32),
        _trusted_dbm(power, table, calibrated, calibration).astype(np.float32),
    )


def _trusted_dbm(power_dbm: NDArray[np.float64], table: pd.DataFrame, calibrated: NDArray[np.bool_],
                 calibration: Calibration | None) -> NDArray[np.float64]:
    """Power towards the beam; of sectors that stand already as far as the calibration trusts the table."""
    if calibration is None:
        return power_dbm
    planned = np.zeros(len(table), np.bool_)
    if PLANNED in table:
        planned = table[PLANNED].eq(True).fillna(False).to_numpy(bool)
    return np.where(calibrated & ~planned, calibrated_power_dbm(calibration, power_dbm), power_dbm)


def reach_px(kind: pd.Series, params: CoverageParams, pixel_m: float) -> NDArray[np.int64]:
    """How far each sector is computed, pixels; -1 for indoor ones, which do not radiate outdoors."""
    metres = np.where((kind == "micro").to_numpy(bool), params.micro_range_m, params.max_range_m)
    reach = np.maximum(np.floor(metres / pixel_m), 1).astype(np.int64)
    return np.where((kind == "indoor").to_numpy(bool), -1, reach)


def _patterns(equipment: Equipment, names: NDArray[Any], params: CoverageParams, calibration: Calibration | None,
              ) -> Patterns:
    """Tables of the named antennas: as drawn; without the horizontal plane; both again as the calibration scales them.

    The rows are in blocks of ``names``, so a sector's row is its antenna's plus the size of the blocks before.
    """
    scales = [(params.pattern_scale, params.pattern_scale, params.pattern_depth_db)]
    if calibration is not None:
        scales.append((calibration.pattern_scale_horizontal, calibration.pattern_scale_vertical,
                       calibration.pattern_depth_db))
    blocks: list[tuple[NDArray[np.float32], NDArray[np.float32], float]] = []
    for across, along, deepest in scales:
        drawn = [pattern_tables(equipment.antennas[name], equipment.pattern_of(str(name)), 100.0, 1.0)
                 for name in names]
        for flat in (1.0, 0.0):
            blocks.extend((table * np.float32(across * flat), column * np.float32(along),
                           min(depth * max(across, along), deepest)) for table, column, depth in drawn)
    horizontal = np.array([np.append(table, table[1]) for table, _, _ in blocks], np.float32).reshape(-1, 362)
    vertical = np.array([np.append(column, column[-1]) for _, column, _ in blocks], np.float32).reshape(-1, 722)
    return Patterns(horizontal, vertical, np.array([depth for _, _, depth in blocks], np.float32))


TableKey = tuple[int, float, float, int, bool]


def table_key(masts: Masts, i: int) -> TableKey:
    """What the loss tables of sector ``i`` depend on: model, height, frequency, reach, whether it is calibrated."""
    return (int(masts.model[i]), float(masts.height_m[i]), float(masts.freq_ghz[i]), int(masts.radius[i]),
            bool(masts.calibrated[i]))


class LossTables:
    """Loss tables by ring, computed once per model, height, frequency and reach; the oldest go when they are too many.

    Parameters
    ----------
    params : CoverageParams
    calibration : Calibration or None
    pixel_m : float
    has_clutter : bool
    """

    def __init__(self, params: CoverageParams, calibration: Calibration | None, pixel_m: float,
                 has_clutter: bool) -> None:
        self._params, self._calibration, self._pixel_m, self._clutter = params, calibration, pixel_m, has_clutter
        self._known: dict[TableKey, Losses] = {}
        self._values = 0
        self._distance_m: dict[int, NDArray[np.float64]] = {}
        self._terms: dict[tuple[int, int], RingTerms] = {}
        self._lock = Lock()

    def of(self, masts: Masts, i: int) -> Losses:
        """Tables of sector ``i``."""
        key = table_key(masts, i)
        found = self._known.get(key)
        if found is None:
            distance_m = self._distances(key[3])
            if self._calibration is not None and key[4]:
                found = calibrated_losses(self._calibration, key[1], key[2], distance_m, self._params)
            else:
                found = ring_losses(MODEL_NAMES[key[0]], key[1], key[2], distance_m, self._clutter, self._params,
                                    self._terms_of(key[0], key[3]))
            with self._lock:
                if key not in self._known:
                    self._values += found.path_db.size
                self._known[key] = found
                while self._values > KEPT_VALUES and len(self._known) > 1:
                    self._values -= self._known.pop(next(iter(self._known))).path_db.size
        return found

    def _distances(self, radius: int) -> NDArray[np.float64]:
        """Distance of every ring of a reach, m."""
        found = self._distance_m.get(radius)
        if found is None:
            found = self._distance_m[radius] = disc_of(radius).distance * self._pixel_m
        return found

    def _terms_of(self, model: int, radius: int) -> RingTerms:
        """What masts of one model and reach share."""
        found = self._terms.get((model, radius))
        if found is None:
            found = ring_terms(MODEL_NAMES[model], self._distances(radius), self._clutter, self._params)
            self._terms[model, radius] = found
        return found
