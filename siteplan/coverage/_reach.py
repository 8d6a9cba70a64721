"""Reach: with which probability each candidate site would cover each point of demand."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike
from scipy.sparse import csc_matrix
from scipy.special import ndtr, ndtri

from siteplan._kernels import reach_mast
from siteplan.coverage._calibration import Calibration
from siteplan.coverage._equipment import Equipment, load_equipment
from siteplan.coverage._masts import LossTables, disc_of, prepare_masts, split_runs, table_key
from siteplan.coverage._receivers import receiver_pixels
from siteplan.coverage._sectors import check_sectors, complete_sectors
from siteplan.coverage._surroundings import facade_steps, for_profiles
from siteplan.errors import ModelError
from siteplan.grid import inside
from siteplan.params import CoverageParams
from siteplan.surface import Surface


@dataclass(frozen=True)
class Reach:
    """Probability of coverage per point and candidate.

    Attributes
    ----------
    matrix : scipy.sparse.csc_matrix of float32 (points, candidates)
        Probability that the candidate covers the point, by its best sector; pairs below the floor are left out.
    site_ids : tuple of str
        Candidate of each column, sorted.
    """

    matrix: csc_matrix
    site_ids: tuple[str, ...]


def reach_probability(surface: Surface, sectors: pd.DataFrame, params: CoverageParams, rows: ArrayLike,
                      cols: ArrayLike, *, floor: float = 0.01, equipment: Equipment | None = None,
                      calibration: Calibration | None = None) -> Reach:
    """Probability that each candidate site covers each point.

    Parameters
    ----------
    surface : Surface
    sectors : DataFrame
        As in :func:`predict_coverage`, with ``site_id`` (see :func:`sectors_of_sites`).
    params : CoverageParams
    rows, cols : array_like of int, shape (points,)
        Pixels of the points; several points may share a pixel.
    floor : float
        Smaller probabilities are left out; above 0 and below 1.
    equipment : Equipment, optional
    calibration : Calibration, optional

    Returns
    -------
    Reach
        Points whose surface is unknown are reached by no candidate.

    Raises
    ------
    ModelError
        When the table cannot be used, or points lie outside of the grid.

    Notes
    -----
    Same path loss as :func:`predict_coverage`, but with the exact profile to every point instead of the sweep.
    """
    table = load_equipment() if equipment is None else equipment
    check_sectors(surface, sectors, table)
    row, col = np.asarray(rows, np.int64).ravel(), np.asarray(cols, np.int64).ravel()
    if row.shape != col.shape or not inside(surface.geobox, row, col).all() or not 0.0 < floor < 1.0:
        raise ModelError("points must lie on the grid, rows and columns in pairs, and the floor between 0 and 1")
    if "site_id" not in sectors.columns:
        raise ModelError("table of sectors lacks the column site_id")
    usable = np.flatnonzero(surface.known[row, col])
    order = usable[np.lexsort((col[usable], row[usable]))]
    starts = np.searchsorted(row[order], np.arange(surface.geobox.shape[0] + 1)).astype(np.int64)
    points = starts, col[order]
    site_ids, code = np.unique(sectors["site_id"].astype(str).to_numpy(object).astype(str), return_inverse=True)
    masts = prepare_masts(surface, complete_sectors(sectors, table), params, table, calibration)
    code = code[masts.number]
    tables = LossTables(params, calibration, surface.pixel_m, surface.has_clutter)
    everyone = np.ones(1, np.bool_)
    facade, nothing = facade_steps(surface), np.zeros((0, 0), np.float32)
    pixels = receiver_pixels(surface, params, facade, calibration)
    heights = (for_profiles(surface.top_m), for_profiles(pixels.ground_m), surface.has_clutter,
               params.terrain_diffraction == "bullington")
    best_z, touched = np.full(order.size, -np.inf, np.float32), np.empty(order.size, np.int64)
    limits = params.threshold_dbm, float(ndtri(floor))
    found = [(np.zeros(0, np.int64), np.zeros(0, np.float32))] * site_ids.size
    sites = split_runs([code]) if code.size else []
    for site in sorted(sites, key=lambda site: table_key(masts, int(site[0]))):  # every table is made once
        count = np.zeros(1, np.int64)
        columns = (masts.row, masts.col, masts.height_m, masts.radius, masts.model, masts.carrier, masts.calibrated)
        for same in split_runs([part[site] for part in columns]):
            chosen = site[same]
            i = int(chosen[0])
            extra = pixels.extra_db if masts.calibrated[i] else nothing
            reach_mast((*heights, extra, facade), masts.mast(i), disc_of(int(masts.radius[i])), tables.of(masts, i),
                       masts.sectors(chosen, everyone), limits, points, (best_z, touched, count))
        hit = np.sort(touched[:count[0]])
        found[code[site[0]]] = order[hit], best_z[hit]
        best_z[hit] = -np.inf
    indices = np.concatenate([np.zeros(0, np.int64), *(numbers for numbers, _ in found)])
    z = np.concatenate([np.zeros(0, np.float32), *(values for _, values in found)])
    data = ndtr(z.astype(np.float64)).astype(np.float32)
    indptr = np.cumsum([0, *(len(values) for _, values in found)])
    matrix = csc_matrix((data, indices, indptr), shape=(row.size, site_ids.size))
    matrix.sort_indices()
    return Reach(matrix, tuple(map(str, site_ids)))
