"""Gap pixels gathered on square cells whose place does not depend on where the grid begins."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from odc.geo.geobox import GeoBox

from siteplan.grid import pixel_size_m

Floats = NDArray[np.float64]
Whole = NDArray[np.int64]


class Lattice(NamedTuple):
    """Square cells of ``step`` pixels that begin at multiples of their edge: the first ones of a grid may be cut."""

    step: int
    row0: int
    """pixels of the first row of cells that lie north of the grid"""
    col0: int
    """pixels of the first column of cells that lie west of the grid"""
    shape: tuple[int, int]
    """rows and columns of cells"""
    edge_m: float
    """edge of a cell, m"""

    def cell_of(self, rows: Whole, cols: Whole) -> tuple[Whole, Whole]:
        """Row and column of the cells that hold the pixels."""
        return (rows + self.row0) // self.step, (cols + self.col0) // self.step

    def pixels_of(self, cell_row: Whole, cell_col: Whole, shape: tuple[int, int],
                  ) -> tuple[Whole, Whole, NDArray[np.bool_]]:
        """Rows and columns of the pixels of cells, each (cells, step^2), and which of them lie on the grid.

        Those that do not are given as a pixel of the edge.
        """
        down, right = np.divmod(np.arange(self.step**2), self.step)
        rows = np.asarray(cell_row)[:, None] * self.step - self.row0 + down
        cols = np.asarray(cell_col)[:, None] * self.step - self.col0 + right
        on = (rows >= 0) & (rows < shape[0]) & (cols >= 0) & (cols < shape[1])
        return np.clip(rows, 0, shape[0] - 1), np.clip(cols, 0, shape[1] - 1), on

    def off_centre(self) -> Floats:
        """Distance of the pixels of a cell from its centre, pixels, in the order of :meth:`pixels_of`."""
        down, right = np.divmod(np.arange(self.step**2), self.step)
        half = (self.step - 1) / 2
        return np.asarray(np.hypot(down - half, right - half), np.float64)

    def spread(self, cells: NDArray[np.int32], shape: tuple[int, int]) -> NDArray[np.int32]:
        """Value of each cell on all its pixels."""
        wide = np.repeat(cells, self.step, axis=1)[:, self.col0:self.col0 + shape[1]]
        return np.repeat(wide, self.step, axis=0)[self.row0:self.row0 + shape[0]]


class ExtraWeight(NamedTuple):
    """Weight that points add to their pixels, in people."""

    rows: Whole
    cols: Whole
    people: Floats


class GapCells(NamedTuple):
    """Pixels of gap areas by area and cell, ordered by area, cell row and cell column; one entry each."""

    area: Whole
    """label of the area"""
    row: Whole
    col: Whole
    pixels: Whole
    demand: Floats
    weight: Floats


def lattice_of(geobox: GeoBox, cell_m: float) -> Lattice:
    """Cells of about ``cell_m`` on a grid, a whole number of pixels wide.

    >>> from siteplan.grid import study_geobox
    >>> lattice_of(study_geobox((20.0, 0.0, 120.0, 80.0), "EPSG:4547", 10.0), 50.0)
    Lattice(step=5, row0=2, col0=2, shape=(2, 3), edge_m=50.0)
    """
    pixel = pixel_size_m(geobox)
    step = max(1, round(cell_m / pixel))
    row0, col0 = round(-geobox.affine.f / pixel) % step, round(geobox.affine.c / pixel) % step
    rows, cols = geobox.shape
    return Lattice(step, row0, col0, (-(-(rows + row0) // step), -(-(cols + col0) // step)), step * pixel)


def _cuts(first: int, step: int, size: int) -> Whole:
    """Where cells begin along one axis."""
    return np.r_[0, np.arange(step - first, size, step)].astype(np.int64)


def cell_sums(values: NDArray[np.float32], lattice: Lattice) -> Floats:
    """Sum of the pixels of each cell, shape of the lattice."""
    rows = np.add.reduceat(values, _cuts(lattice.row0, lattice.step, values.shape[0]), axis=0, dtype=np.float64)
    return np.asarray(np.add.reduceat(rows, _cuts(lattice.col0, lattice.step, values.shape[1]), axis=1), np.float64)


def gather_cells(labels: NDArray[np.int32], demand: NDArray[np.float32], lattice: Lattice, per_person: float,
                 extra: ExtraWeight) -> GapCells:
    """Pixels, demand and weight of every area in every cell.

    Parameters
    ----------
    labels : ndarray of int32, shape (rows, cols)
        Area of each pixel, 0 = none.
    demand : ndarray of float32, shape (rows, cols)
    lattice : Lattice
    per_person : float
        Demand that stands for one person of weight.
    extra : ExtraWeight
        Its pixels lie inside of areas.
    """
    change = np.zeros(labels.shape, np.bool_)
    np.not_equal(labels[:, 1:], labels[:, :-1], out=change[:, 1:])
    change[:, _cuts(lattice.col0, lattice.step, labels.shape[1])] = True
    start = np.flatnonzero(change)
    area = labels.ravel()[start].astype(np.int64)
    length = np.diff(start, append=labels.size)
    total = np.add.reduceat(demand.ravel(), start, dtype=np.float64) if start.size else np.zeros(0)
    taken = np.flatnonzero(area > 0)
    row, col = lattice.cell_of(start[taken] // labels.shape[1], start[taken] % labels.shape[1])
    across, cells = lattice.shape[1], lattice.shape[0] * lattice.shape[1]
    key = area[taken] * cells + row * across + col
    order = np.argsort(key, kind="stable")
    ordered = key[order]
    first = np.flatnonzero(np.diff(ordered, prepend=-1))
    if first.size == 0:
        none, nothing = np.zeros(0, np.int64), np.zeros(0)
        return GapCells(none, none, none, none, nothing, nothing)
    pixels = np.add.reduceat(length[taken][order], first)
    plain = np.add.reduceat(total[taken][order], first)
    found = ordered[first]
    weight = plain / per_person
    cell_row, cell_col = lattice.cell_of(extra.rows, extra.cols)
    point_key = labels[extra.rows, extra.cols].astype(np.int64) * cells + cell_row * across + cell_col
    np.add.at(weight, np.searchsorted(found, point_key), extra.people)
    place = found % cells
    return GapCells(found // cells, place // across, place % across, pixels, plain, weight)


def renumber_cells(cells: GapCells, number: NDArray[np.int32]) -> GapCells:
    """Cells with other area numbers, ordered by these; areas that become 0 are left out."""
    area = number[cells.area].astype(np.int64)
    order = np.argsort(area, kind="stable")
    order = order[area[order] > 0]
    return GapCells(area[order], cells.row[order], cells.col[order], cells.pixels[order], cells.demand[order],
                    cells.weight[order])


def heaviest_pixels(cells: GapCells, labels: NDArray[np.int32], demand: NDArray[np.float32], lattice: Lattice,
                    per_person: float, extra: ExtraWeight) -> tuple[Whole, Whole]:
    """Row and column of the heaviest pixel of the heaviest cell of the areas 1, 2, ...

    Of equally heavy cells the one with more pixels, then the one nearest to the middle of the area, then the first;
    of equally heavy pixels the one nearest to the middle of the cell, then the first.
    """
    if cells.area.size == 0:
        return np.zeros(0, np.int64), np.zeros(0, np.int64)
    size = np.bincount(cells.area, cells.pixels)
    middle = [np.bincount(cells.area, cells.pixels * part)[cells.area] / size[cells.area]
              for part in (cells.row, cells.col)]
    away = np.round(np.hypot(cells.row - middle[0], cells.col - middle[1]), 6)
    order = np.lexsort((away, -cells.pixels, -np.round(cells.weight, 6), cells.area))
    best = order[np.flatnonzero(np.diff(cells.area[order], prepend=0))]
    rows, cols, on = lattice.pixels_of(cells.row[best], cells.col[best], labels.shape)
    own = on & (labels[rows, cols] == cells.area[best, None])
    weight = np.where(own, demand[rows, cols] / per_person, -1.0)
    here = best[labels[extra.rows, extra.cols] - 1]
    cell_row, cell_col = lattice.cell_of(extra.rows, extra.cols)
    hit = (cells.row[here] == cell_row) & (cells.col[here] == cell_col)
    inner = (((extra.rows + lattice.row0) % lattice.step) * lattice.step
             + (extra.cols + lattice.col0) % lattice.step)
    np.add.at(weight, (labels[extra.rows, extra.cols][hit] - 1, inner[hit]), extra.people[hit])
    off = np.broadcast_to(lattice.off_centre(), weight.shape)
    chosen = np.lexsort((off, -np.round(weight, 6)), axis=1)[:, :1]
    return np.take_along_axis(rows, chosen, 1)[:, 0], np.take_along_axis(cols, chosen, 1)[:, 0]
