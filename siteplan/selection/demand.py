"""The problem in arrays: uncovered demand gathered on cells."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from odc.geo.geobox import GeoBox

from siteplan.grid import pixel_size_m
from siteplan.params import SelectionParams


@dataclass(frozen=True)
class DemandCells:
    """Cells of uncovered demand.

    Attributes
    ----------
    rows, cols : ndarray of int
        Pixel at which the cell's signal is computed: the one of greatest weight in the cell.
    weight : ndarray of float
        Weight of the cell, in people: people in the gap (times the zone priority), a small worth of empty land, and a
        fixed worth of every uncovered village point.
    demand : ndarray of float
        Plain demand (people or floor area) of the gap pixels of the cell.
    """

    rows: np.ndarray
    cols: np.ndarray
    weight: np.ndarray
    demand: np.ndarray

    def __len__(self) -> int:
        return len(self.rows)


def demand_weight(demand: np.ndarray, kind: str, geobox: GeoBox, in_zone: np.ndarray,
                  points: tuple[np.ndarray, np.ndarray], params: SelectionParams) -> np.ndarray:
    """Weight of each pixel in people.

    Parameters
    ----------
    demand : ndarray, shape (rows, cols)
        Plain demand per pixel.
    kind : str
        ``people``, ``floor_area_m2`` (turned into people) or ``area_m2`` (land only).
    geobox : GeoBox
    in_zone : ndarray of bool, shape (rows, cols)
        Pixels of key zones: demand and land count ``zone_priority`` times there.
    points : (rows, cols)
        Pixels of village points; each adds ``point_people``.
    params : SelectionParams
    """
    per_person = {"people": 1.0, "floor_area_m2": params.floor_area_per_person_m2}.get(kind)
    people = demand.astype(np.float64) / per_person if per_person else np.zeros(demand.shape)
    land = params.area_people_per_km2 * pixel_size_m(geobox) ** 2 / 1e6
    weight = (people + land) * np.where(in_zone, params.zone_priority, 1.0)
    np.add.at(weight, points, params.point_people)
    return weight


def gather_demand(gap: np.ndarray, demand: np.ndarray, weight: np.ndarray, geobox: GeoBox,
                  cell_m: float) -> DemandCells:
    """Gather the gap pixels on square cells.

    Parameters
    ----------
    gap : ndarray of bool, shape (rows, cols)
        Pixels that are not covered today.
    demand, weight : ndarray, shape (rows, cols)
        Plain demand and weight per pixel.
    geobox : GeoBox
    cell_m : float
        Edge of a cell, rounded to whole pixels.

    Returns
    -------
    DemandCells
        Cells with a positive weight, ordered by row and column. Sums over the cells equal sums over the gap pixels.
    """
    step = max(1, round(cell_m / pixel_size_m(geobox)))
    rows, cols = np.nonzero(gap & (weight > 0))
    if len(rows) == 0:
        nothing = np.zeros(0)
        return DemandCells(nothing.astype(int), nothing.astype(int), nothing, nothing)
    across = -(-gap.shape[1] // step)
    cell = (rows // step) * across + cols // step
    centre = (step - 1) / 2
    off_centre = np.abs(rows % step - centre) + np.abs(cols % step - centre)
    order = np.lexsort((cols, rows, off_centre, -weight[rows, cols], cell))
    first = np.flatnonzero(np.diff(cell[order], prepend=-1))
    total = np.add.reduceat(weight[rows, cols][order].astype(np.float64), first)
    plain = np.add.reduceat(demand[rows, cols][order].astype(np.float64), first)
    return DemandCells(rows[order][first], cols[order][first], total, plain)
