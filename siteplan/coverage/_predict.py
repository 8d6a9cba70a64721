"""Prediction: the best signal and the coverage probability of every pixel, per network."""

from __future__ import annotations

import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.special import ndtr

from siteplan._kernels import CLEAR_NU, Best, add_sectors, copy_window, merge_best, sweep
from siteplan.coverage._equipment import Equipment, load_equipment
from siteplan.coverage._masts import LossTables, Masts, disc_of, prepare_masts, split_runs
from siteplan.coverage._nouns import EVERY, Coverage, Network
from siteplan.coverage._sectors import check_sectors
from siteplan.params import CoverageParams
from siteplan.surface import Surface

PROBABILITY_STEPS = 4096.0
"""Probabilities are multiples of 1/4096, far below what any model is worth, so that files stay small and exact."""


def predict_coverage(surface: Surface, sectors: pd.DataFrame, params: CoverageParams,
                     networks: Sequence[Network] | None = None, *, equipment: Equipment | None = None,
                     workers: int | None = None) -> Coverage:
    """Predict the outdoor coverage of sectors.

    Parameters
    ----------
    surface : Surface
    sectors : DataFrame
        Columns ``SECTOR_COLUMNS``, index of unique sector ids. ``networks`` are joined by ``|``; ``*`` serves every
        network of the sector's technology. Indoor sectors do not radiate outdoors. May be empty.
    params : CoverageParams
    networks : sequence of Network, optional
        Networks of the result; all that occur, sorted, when absent (``Network("*", "5G")`` when none occurs).
    equipment : Equipment, optional
        Antenna patterns; the package's table when absent.
    workers : int, optional
        Threads; one per processor when absent. The result does not depend on it.

    Returns
    -------
    Coverage
        ``server`` counts in the rows of ``sectors``.

    Raises
    ------
    ModelError
        When the table cannot be used, or a mast stands outside of the grid; everything wrong is named.

    Notes
    -----
    Path loss is TR 38.901 with line of sight decided over the surface (ground and clutter) by a radial sweep. Where the
    ground alone cuts the sight line it is at least free space plus the knife edge of the ground obstacle of greatest
    slope (P.526). Where the study knows no clutter, pixels that the ground leaves clear take the mean over the LOS
    probability of TR 38.901. A mast stands at the centre of its pixel. ``params.tile_px`` groups masts into parts
    that are computed with their halo and merged: it bounds memory and never changes the result.
    sigma of the probability is hypot(shadow fading of TR 38.901, ``params.model_sigma_db``).
    """
    table = load_equipment() if equipment is None else equipment
    check_sectors(surface, sectors, table)
    chosen = tuple(Network(*network) for network in networks) if networks is not None else _occurring(sectors)
    masts = prepare_masts(surface, sectors, params, table)
    serves = _serves(sectors, chosen)[masts.number]
    shape = (len(chosen), *tuple(surface.geobox.shape))
    rsrp, z = np.full(shape, -np.inf, np.float32), np.full(shape, -np.inf, np.float32)
    server = np.full(shape, -1, np.int32)
    groups = [group for group in masts.groups() if serves[group].any()]
    parts = _by_tile(masts, groups)
    tables = LossTables(masts)
    top = surface.top_m
    threads = max(1, min(workers or os.cpu_count() or 1, len(parts)))
    with ThreadPoolExecutor(threads) as pool:
        for start in range(0, len(parts), threads):
            batch = parts[start:start + threads]
            for best in pool.map(lambda part: _predict_part(masts, part, serves, tables, top), batch):
                merge_best(rsrp, server, z, best)
    probability = (np.rint(ndtr(z) * PROBABILITY_STEPS) / PROBABILITY_STEPS).astype(np.float32)
    rsrp[np.isneginf(rsrp)] = np.nan
    rsrp[:, ~surface.known], probability[:, ~surface.known], server[:, ~surface.known] = np.nan, np.nan, -1
    return Coverage(surface.geobox, chosen, rsrp, server, probability, tuple(map(str, sectors.index)),
                    params.threshold_dbm)


def _split(text: object) -> list[str]:
    return [name for name in (part.strip() for part in str(text).split("|")) if name]


def _occurring(sectors: pd.DataFrame) -> tuple[Network, ...]:
    """Networks that the sectors name, sorted; ``*`` only for technologies without a named one."""
    pairs = sectors[["networks", "technology"]].drop_duplicates()
    found = {Network(name, str(kind)) for text, kind in pairs.itertuples(index=False) for name in _split(text)}
    named = {network.technology for network in found if network.name != EVERY}
    kept = sorted(network for network in found if network.name != EVERY or network.technology not in named)
    return tuple(kept) or (Network(EVERY, "5G"),)


def _serves(sectors: pd.DataFrame, networks: tuple[Network, ...]) -> NDArray[np.bool_]:
    """(sectors, networks): which sector serves which network."""
    out = np.zeros((len(sectors), len(networks)), np.bool_)
    known: dict[tuple[str, str], list[bool]] = {}
    for i, key in enumerate(zip(sectors["networks"].astype(str), sectors["technology"].astype(str), strict=True)):
        if key not in known:
            names = _split(key[0])
            known[key] = [n.technology == key[1] and (n.name in names or EVERY in names) for n in networks]
        out[i] = known[key]
    return out


def _by_tile(masts: Masts, groups: list[NDArray[np.int64]]) -> list[list[NDArray[np.int64]]]:
    """Groups of masts by the tile that holds them."""
    if not groups:
        return []
    first = np.array([group[0] for group in groups])
    tile = masts.params.tile_px
    return [[groups[i] for i in run] for run in split_runs([masts.row[first] // tile, masts.col[first] // tile])]


def _predict_part(masts: Masts, groups: list[NDArray[np.int64]], serves: NDArray[np.bool_], tables: LossTables,
                  top: NDArray[np.float32]) -> Best:
    """Best signal of some masts on the part of the grid that they reach."""
    first = np.array([group[0] for group in groups])
    height, width = masts.surface.geobox.shape
    row, col, reach = masts.row[first], masts.col[first], masts.radius[first]
    row0, row1 = max(int((row - reach).min()), 0), min(int((row + reach).max()) + 1, height)
    col0, col1 = max(int((col - reach).min()), 0), min(int((col + reach).max()) + 1, width)
    shape = (serves.shape[1], row1 - row0, col1 - col0)
    best = Best(row0, col0, np.full(shape, -np.inf, np.float32), np.full(shape, -1, np.int32),
                np.full(shape, -np.inf, np.float32))
    ground, two = masts.surface.ground_m, masts.surface.has_clutter
    for group in groups:
        mast, disc = masts.mast(int(group[0])), disc_of(int(masts.radius[group[0]]))
        edge = 2 * disc.radius + 3
        ground_window = np.empty((edge, edge), np.float32)
        copy_window(ground, mast.row, mast.col, disc.radius + 1, ground_window)
        top_window = ground_window
        if two:
            top_window = np.empty((edge, edge), np.float32)
            copy_window(top, mast.row, mast.col, disc.radius + 1, top_window)
        sight = np.zeros(disc.ring.shape, np.bool_), np.full(disc.ring.shape, CLEAR_NU, np.float32)
        corner_row, corner_col = mast.row - disc.radius, mast.col - disc.radius
        within = (-corner_row, height - corner_row, -corner_col, width - corner_col)
        sweep(top_window, ground_window, two, mast, disc, within, *sight)
        for same in split_runs([masts.freq_ghz[group], *serves[group].T]):
            chosen = group[same]
            add_sectors(ground, mast, disc, sight, tables.of(int(chosen[0])), masts.sectors(chosen, serves[chosen[0]]),
                        masts.params.threshold_dbm, best)
    return best
