"""From a table of sectors to what the kernels take: masts, loss tables and sector arrays."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from siteplan._kernels import Disc, Losses, Mast, Sectors, build_disc
from siteplan.constants import EARTH_RADIUS_EFFECTIVE_M
from siteplan.coverage._equipment import Equipment
from siteplan.grid import pixel_of
from siteplan.params import CoverageParams
from siteplan.radio import (
    breakpoint_m,
    free_space_loss_db,
    knife_edge_nu,
    los_probability,
    path_loss_db,
    shadow_sigma_db,
)
from siteplan.surface import Surface

BUILT_RADIUS_M = 500.0
"""Distance within which the built share decides between uma and rma."""
MODEL_NAMES = ("uma", "umi", "rma")


@lru_cache(maxsize=8)
def disc_of(radius: int) -> Disc:
    """Tables of a disc, kept: every mast of one reach shares them."""
    return build_disc(radius)


@dataclass(frozen=True)
class Masts:
    """Columns of the radiating sectors as arrays of one length, and what they stand on.

    ``number`` is the row in the table of sectors; ``pattern`` is that of the kernels' ``Sectors``;
    ``model`` an index of ``MODEL_NAMES``; ``radius`` in pixels.
    """

    surface: Surface
    params: CoverageParams
    number: NDArray[np.int32]
    row: NDArray[np.int64]
    col: NDArray[np.int64]
    height_m: NDArray[np.float64]
    freq_ghz: NDArray[np.float64]
    radius: NDArray[np.int64]
    model: NDArray[np.int64]
    pattern: NDArray[np.float64]

    def groups(self, first: NDArray[Any] | None = None) -> list[NDArray[np.int64]]:
        """Positions of the sectors that share a mast: place, height, reach and model (and ``first``, when given)."""
        if self.number.size == 0:
            return []
        keys = [self.row, self.col, self.height_m, self.radius, self.model]
        if first is not None:
            keys.insert(0, first)
        return split_runs(keys)

    def mast(self, i: int) -> Mast:
        """The mast of sector ``i`` as the kernels take it."""
        row, col = int(self.row[i]), int(self.col[i])
        top = float(self.surface.ground_m[row, col]) + float(self.height_m[i])
        return Mast(row, col, top, self.params.receiver_height_m, self.surface.pixel_m,
                    0.5 / EARTH_RADIUS_EFFECTIVE_M)

    def sectors(self, chosen: NDArray[np.int64], serves: NDArray[np.bool_]) -> Sectors:
        """Sector arrays of the kernels; ``serves`` tells of each network whether the chosen sectors serve it."""
        return Sectors(np.ascontiguousarray(self.pattern[:, chosen]), self.number[chosen], serves)


def split_runs(keys: Sequence[NDArray[Any]]) -> list[NDArray[np.int64]]:
    """Positions grouped by equal keys, groups sorted by the keys, positions rising inside each."""
    order = np.lexsort(tuple(reversed(keys)))
    change = np.zeros(order.size, np.bool_)
    for key in keys:
        change[1:] |= key[order][1:] != key[order][:-1]
    return np.split(order, np.flatnonzero(change))


def prepare_masts(surface: Surface, sectors: pd.DataFrame, params: CoverageParams, equipment: Equipment) -> Masts:
    """Arrays of the sectors that radiate outdoors."""
    number = np.flatnonzero((sectors["kind"] != "indoor").to_numpy(bool))
    table = sectors.iloc[number]
    row, col = pixel_of(surface.geobox, table["x"].to_numpy(float), table["y"].to_numpy(float))
    micro = (table["kind"] == "micro").to_numpy(bool)
    metres = np.where(micro, params.micro_range_m, params.max_range_m)
    return Masts(
        surface, params, number.astype(np.int32), row, col, table["antenna_height_m"].to_numpy(np.float64),
        table["freq_mhz"].to_numpy(np.float64) / 1000.0,
        np.maximum(np.floor(metres / surface.pixel_m), 1).astype(np.int64),
        _models(surface, row, col, micro, params), _pattern(table, params, equipment),
    )


def _pattern(table: pd.DataFrame, params: CoverageParams, equipment: Equipment) -> NDArray[np.float64]:
    """Rows of ``Sectors.pattern`` for every sector."""
    names = table["antenna"].astype(str).tolist()
    fields = ("gain_dbi", "horizontal_deg", "vertical_deg", "depth_db", "side_lobe_db", "omni")
    values = {name: [float(getattr(equipment.antennas[name], field)) for field in fields] for name in set(names)}
    columns = np.array([values[name] for name in names], np.float64).reshape(-1, len(fields)).T
    gain, horizontal, vertical, depth, side_lobe, omni = columns
    azimuth = table["azimuth_deg"].to_numpy(np.float64)
    round_ = np.isnan(azimuth) | (omni > 0)
    depth = np.minimum(depth, params.pattern_depth_db)
    return np.stack([
        np.where(round_, 0.0, azimuth) % 360.0, table["tilt_deg"].to_numpy(np.float64),
        table["epre_dbm"].to_numpy(np.float64) + gain, np.where(round_, 0.0, 1.0 / horizontal), 1.0 / vertical,
        depth, np.minimum(side_lobe, depth),
    ])


def _models(surface: Surface, row: NDArray[np.int64], col: NDArray[np.int64], micro: NDArray[np.bool_],
            params: CoverageParams) -> NDArray[np.int64]:
    """Model of each sector: umi for micro; macro as set, or by the built share around the mast.

    Where the study knows no clutter at all the share means nothing, and ``auto`` takes uma, the cautious one.
    """
    model = np.full(row.size, MODEL_NAMES.index("umi"), np.int64)
    macro = np.flatnonzero(~micro)
    if params.model_macro != "auto" or not surface.has_clutter:
        model[macro] = MODEL_NAMES.index("uma" if params.model_macro == "auto" else params.model_macro)
        return model
    built = surface.clutter_m > 0
    reach = max(int(BUILT_RADIUS_M // surface.pixel_m), 1)
    span = np.arange(-reach, reach + 1)
    disc = span[:, None] ** 2 + span[None, :] ** 2 <= reach**2
    places: dict[tuple[int, int], int] = {}
    for i in macro:
        place = (int(row[i]), int(col[i]))
        if place not in places:
            top, left = place[0] - reach, place[1] - reach
            part = built[max(top, 0):place[0] + reach + 1, max(left, 0):place[1] + reach + 1]
            mask = disc[max(-top, 0):max(-top, 0) + part.shape[0], max(-left, 0):max(-left, 0) + part.shape[1]]
            urban = int((part & mask).sum()) >= params.built_share_uma * int(mask.sum())
            places[place] = MODEL_NAMES.index("uma" if urban else "rma")
        model[i] = places[place]
    return model


class LossTables:
    """Loss tables by ring, computed once per model, height, frequency and reach."""

    def __init__(self, masts: Masts) -> None:
        self._masts = masts
        self._known: dict[tuple[int, float, float, int], Losses] = {}

    def of(self, i: int) -> Losses:
        """Tables of sector ``i``."""
        masts = self._masts
        key = (int(masts.model[i]), float(masts.height_m[i]), float(masts.freq_ghz[i]), int(masts.radius[i]))
        if key not in self._known:
            self._known[key] = ring_losses(MODEL_NAMES[key[0]], key[1], key[2], disc_of(key[3]).distance, masts.surface,
                                           masts.params)
        return self._known[key]


def ring_losses(model: str, height_m: float, freq_ghz: float, distance_px: NDArray[np.float64], surface: Surface,
                params: CoverageParams) -> Losses:
    """Path loss and its standard deviation by ring.

    Row 0 holds pixels in the clear, row 1 blocked ones. Where the study knows no clutter, "in the clear" of the ground
    does not mean in the clear of buildings: row 0 then holds the mean over the LOS probability of TR 38.901, and the
    standard deviation of the mixture of both states (fading of each, and the spread between them).
    """
    d, h_ut = distance_px * surface.pixel_m, params.receiver_height_m
    clear, blocked = (path_loss_db(model, d, freq_ghz, height_m, h_ut, los) for los in (True, False))
    beyond = d > breakpoint_m(model, freq_ghz, height_m, h_ut)
    sigma_clear = shadow_sigma_db(model, np.ones(d.shape, np.bool_), beyond)
    sigma_blocked = shadow_sigma_db(model, np.zeros(d.shape, np.bool_))
    if not surface.has_clutter:
        share = los_probability(model, d, h_ut)
        spread = share * (1.0 - share) * (blocked - clear) ** 2
        sigma_clear = np.sqrt(share * sigma_clear**2 + (1.0 - share) * sigma_blocked**2 + spread)
        clear = share * clear + (1.0 - share) * blocked
    sigma = np.hypot(np.stack([sigma_clear, sigma_blocked]), params.model_sigma_db)
    free, scale = free_space_loss_db(np.hypot(d, height_m - h_ut), freq_ghz), float(np.sqrt(freq_ghz))
    limit = knife_edge_nu(blocked - free) / scale - 1e-6
    return Losses(np.stack([clear, blocked]), sigma, free, limit, scale)
