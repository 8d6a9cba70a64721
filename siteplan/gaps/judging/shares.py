"""Shares of areas with exact pixel fractions (exactextract)."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property

import geopandas as gpd
import numpy as np
import pandas as pd
import scipy.sparse as sp
from numpy.typing import ArrayLike, NDArray
from odc.geo.geobox import GeoBox

from siteplan.errors import CrsError, ModelError

_CHUNK = 1 << 16  # pixels of areas that are gathered at once: so many that they stay near the processor
_BATCH = 200  # areas that exactextract hands over at once


@dataclass(frozen=True)
class AreaPixels:
    """Which part of each pixel lies in each area: computed once, used for any number of rasters.

    Attributes
    ----------
    fractions : csr_matrix of float32 or float64, shape (areas, rows * cols)
        Share 0..1 of the pixel that lies inside the area.
    index : Index
        Index of the areas.
    geobox : GeoBox
    """

    fractions: sp.csr_matrix
    index: pd.Index
    geobox: GeoBox

    def sums(self, values: np.ndarray) -> pd.Series:
        """Sum of a per-pixel quantity in each area; unknown (NaN) pixels count nothing."""
        flat = self._flat(values)
        total = self.gathered(lambda cells, part: (part * np.nan_to_num(flat[cells]),))[0]
        return pd.Series(total, index=self.index, name="area_sum")

    def mean(self, values: np.ndarray, weight: np.ndarray | None = None) -> pd.Series:
        """Mean of the known pixels of each area, weighted by their fraction (times ``weight``); NaN where none is."""
        flat = self._flat(values)
        by = None if weight is None else self._flat(weight)

        def products(cells: np.ndarray, part: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
            value = flat[cells]
            unknown = np.isnan(value)
            base = part if by is None else part * by[cells]
            if unknown.any():
                base, value = np.where(unknown, 0.0, base), np.where(unknown, 0.0, value)
            return base, base * value

        total, served = self.gathered(products)
        return pd.Series(np.divide(served, total, out=np.full(len(total), np.nan), where=total > 0), index=self.index)

    def means(self, layers: Mapping[str, np.ndarray], weight: np.ndarray) -> tuple[pd.DataFrame, pd.DataFrame]:
        """:meth:`mean` of several rasters in one pass: by land, and by land times ``weight``; a column for each.

        >>> grid = GeoBox.from_bbox((0, 0, 20, 10), crs="EPSG:4547", resolution=10)
        >>> land, people = AreaPixels(sp.csr_matrix([[1.0, 1.0]]), pd.Index(["a"]), grid).means(
        ...     {"first": np.array([[1.0, 0.0]])}, np.array([[3.0, 1.0]]))
        >>> land.loc["a", "first"].item(), people.loc["a", "first"].item()
        (0.5, 0.75)
        """
        flats, by = [self._flat(layer) for layer in layers.values()], self._flat(weight)

        def products(cells: np.ndarray, part: np.ndarray) -> tuple[np.ndarray, ...]:
            weighed = part * by[cells]
            made: list[np.ndarray] = []
            for flat in flats:
                value, land, people = flat[cells], part, weighed
                unknown = np.isnan(value)
                if unknown.any():
                    value, land, people = (np.where(unknown, 0.0, values) for values in (value, land, people))
                made += [land, land * value, people, people * value]
            return tuple(made)

        sums = self.gathered(products)
        tables = []
        for first in (0, 2):
            ratios = [np.divide(served, total, out=np.full(len(total), np.nan), where=total > 0)
                      for total, served in zip(sums[first::4], sums[first + 1::4], strict=True)]
            tables.append(pd.DataFrame(dict(zip(layers, ratios, strict=True)), index=self.index))
        return tables[0], tables[1]

    def rows(self, positions: ArrayLike) -> AreaPixels:
        """The same for some of the areas.

        >>> grid = GeoBox.from_bbox((0, 0, 20, 10), crs="EPSG:4547", resolution=10)
        >>> AreaPixels(sp.csr_matrix([[1.0, 0.0], [0.5, 1.0]]), pd.Index(["a", "b"]), grid).rows([1]).sums(
        ...     np.array([[2.0, 3.0]])).to_list()
        [4.0]
        """
        where = np.asarray(positions, dtype=np.intp)
        return AreaPixels(self.fractions[where], self.index[where], self.geobox)

    def crop(self, rows: slice, cols: slice) -> AreaPixels:
        """The same on a part of the grid, given with its start and stop; pixels of areas beyond it are left out.

        >>> grid = GeoBox.from_bbox((0, 0, 20, 10), crs="EPSG:4547", resolution=10)
        >>> pixels = AreaPixels(sp.csr_matrix([[1.0, 0.5]]), pd.Index(["a"]), grid)
        >>> pixels.crop(slice(0, 1), slice(1, 2)).sums(np.array([[4.0]])).to_list()
        [2.0]
        """
        row, col = np.divmod(self.fractions.indices, np.int32(self.geobox.shape[1]))
        on = (row >= rows.start) & (row < rows.stop) & (col >= cols.start) & (col < cols.stop)
        wide, high = cols.stop - cols.start, rows.stop - rows.start
        counts = np.concatenate(([0], np.cumsum(on)))[self.fractions.indptr]
        cells = (row[on] - rows.start) * wide + (col[on] - cols.start)
        part = sp.csr_matrix((self.fractions.data[on], cells, counts), shape=(len(self.index), high * wide))
        return AreaPixels(part, self.index, self.geobox[rows, cols])

    @cached_property
    def bounds(self) -> NDArray[np.int32]:
        """First and last row and column of each area, shape (areas, 4); an area without pixels has 0, -1, 0, -1."""
        out = np.tile(np.array([0, -1, 0, -1], np.int32), (len(self.index), 1))
        starts, indices = self.fractions.indptr, self.fractions.indices
        columns = np.int32(self.geobox.shape[1])
        for first, last in self._chunks():
            held = first + np.flatnonzero(np.diff(starts[first:last + 1]))
            if len(held):
                row, col = np.divmod(indices[starts[first]:starts[last]], columns)
                at = starts[held] - starts[first]
                out[held] = np.column_stack([reduce.reduceat(axis, at) for axis in (row, col)
                                             for reduce in (np.minimum, np.maximum)])
        return out

    def gathered(self, products: Callable[[np.ndarray, np.ndarray], tuple[np.ndarray, ...]]) -> list[np.ndarray]:
        """Sums over the pixels of each area of what ``products`` makes of (cells, fractions), in float64."""
        indptr, indices, data = self.fractions.indptr, self.fractions.indices, self.fractions.data
        totals: list[np.ndarray] = []
        for first, last in [*self._chunks(), (0, 0)]:
            held = first + np.flatnonzero(np.diff(indptr[first:last + 1]))
            for start in range(indptr[first], max(indptr[last], indptr[first] + 1), _CHUNK):
                own = slice(start, min(start + _CHUNK, indptr[last]))
                made = products(indices[own], data[own].astype(np.float64))
                totals = totals or [np.zeros(len(self.index)) for _ in made]
                for total, values in zip(totals, made, strict=True):
                    if len(values):
                        total[held] += np.add.reduceat(values, np.maximum(indptr[held] - start, 0))
        return totals

    def _chunks(self) -> Iterator[tuple[int, int]]:
        """First area and the one after the last of pieces of about ``_CHUNK`` pixels; a greater area is a piece."""
        indptr, first = self.fractions.indptr, 0
        while first < len(self.index):
            last = max(int(np.searchsorted(indptr, indptr[first] + _CHUNK, side="right")) - 1, first + 1)
            yield first, last
            first = last

    def _flat(self, values: np.ndarray) -> np.ndarray:
        array = np.asarray(values)
        if array.shape != tuple(self.geobox.shape):
            raise ModelError(f"array of shape {array.shape} does not fit a geobox of shape {tuple(self.geobox.shape)}")
        return array.ravel()


def area_pixels(geobox: GeoBox, areas: gpd.GeoDataFrame) -> AreaPixels:
    """Exact pixel fractions of areas (exactextract).

    Areas without a geometry, or outside the grid, hold no pixel. Areas may overlap: each counts its own pixels.

    Raises
    ------
    CrsError
        Areas and geobox do not share a CRS.
    ModelError
        An area is not a polygon.
    """
    from exactextract import exact_extract
    from exactextract.raster import NumPyRasterSource

    if areas.crs is None or geobox.crs is None or (areas.crs.to_wkt() != geobox.crs.to_wkt()
                                                   and areas.crs != geobox.crs.proj):
        raise CrsError(f"areas are in {areas.crs}, the raster in {geobox.crs}: bring both into one CRS first")
    shape = (len(areas), geobox.shape[0] * geobox.shape[1])
    usable = np.flatnonzero(~(areas.geometry.isna() | areas.geometry.is_empty).to_numpy())
    kinds = set(areas.geometry.iloc[usable].geom_type) - {"Polygon", "MultiPolygon"}
    if kinds:
        raise ModelError(f"areas must be polygons, found {', '.join(sorted(kinds))}")
    box = geobox.boundingbox
    raster = NumPyRasterSource(np.broadcast_to(np.int8(0), tuple(geobox.shape)), xmin=box.left, ymin=box.bottom,
                               xmax=box.right, ymax=box.top, srs_wkt=areas.crs.to_wkt())
    counts, cells, parts = np.zeros(len(areas), np.int64), [np.empty(0, np.int32)], [np.empty(0, np.float32)]
    index_type = np.int32 if shape[1] <= np.iinfo(np.int32).max else np.int64
    for start in range(0, len(usable), _BATCH):
        batch = usable[start:start + _BATCH]
        shapes = gpd.GeoDataFrame(geometry=areas.geometry.to_numpy()[batch], crs=areas.crs)
        table = exact_extract(raster, shapes, ["cell_id", "coverage"], output="pandas")
        counts[batch] = table["cell_id"].map(len)
        cells += [found.astype(index_type) for found in table["cell_id"]]
        parts += [found.astype(np.float32) for found in table["coverage"]]
    places = (np.concatenate(parts), np.concatenate(cells), np.concatenate(([0], np.cumsum(counts))))
    return AreaPixels(sp.csr_matrix(places, shape=shape), areas.index, geobox)


def covered_share(covered: np.ndarray, geobox: GeoBox, areas: gpd.GeoDataFrame) -> pd.Series:
    """Share of each area that is covered, pixels counted by the exact fraction inside the area.

    Parameters
    ----------
    covered : ndarray, shape (rows, cols)
        Booleans, or probabilities 0..1; NaN where nothing is known.
    geobox : GeoBox
        Where the array lies.
    areas : GeoDataFrame
        Polygons in the CRS of the geobox; areas smaller than a pixel are welcome.

    Returns
    -------
    Series
        ``covered_share`` 0..1 on the index of the areas. Unknown pixels are left out of both sums; an area without
        any known pixel is NaN, never 0.

    Raises
    ------
    CrsError
        Areas and geobox do not share a CRS.

    Examples
    --------
    >>> from odc.geo.geobox import GeoBox
    >>> from shapely import box
    >>> grid = GeoBox.from_bbox((0, 0, 20, 10), crs="EPSG:4547", resolution=10)
    >>> areas = gpd.GeoDataFrame(geometry=[box(5, 0, 15, 10)], index=["a"], crs="EPSG:4547")
    >>> float(covered_share(np.array([[True, False]]), grid, areas)["a"])
    0.5
    """
    return area_pixels(geobox, areas).mean(covered).rename("covered_share")


def area_sum(values: np.ndarray, geobox: GeoBox, areas: gpd.GeoDataFrame) -> pd.Series:
    """Sum of a per-pixel quantity (people) in each area, by exact pixel fractions; 0 where no pixel is known."""
    return area_pixels(geobox, areas).sums(values)


def weighted_share(covered: np.ndarray, weight: np.ndarray, geobox: GeoBox, areas: gpd.GeoDataFrame) -> pd.Series:
    """Share of a weight (people, floor area) of each area that is covered; NaN where the area has no weight."""
    return area_pixels(geobox, areas).mean(covered, weight).rename("weighted_share")
