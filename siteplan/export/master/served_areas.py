"""What the plan newly covers, and the pixels, names and signal of areas."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import geopandas as gpd
import numpy as np
import pandas as pd
from numpy.typing import NDArray
from odc.geo.geobox import GeoBox

from siteplan.coverage import Coverage
from siteplan.grid import pixel_of, rasterize

BETWEEN = "、"
"""What stands between names in a list."""


def newly_served(before: Coverage, after: Coverage, probability: float) -> NDArray[np.int32]:
    """Best server of every pixel that the plan newly covers.

    Parameters
    ----------
    before, after : Coverage
        On one grid.
    probability : float
        A pixel is covered from this probability of any 5G network on.

    Returns
    -------
    ndarray of int32, shape (row, col)
        Row number in ``after.sector_ids``; -1 where nothing is newly covered. Pixels that were unknown before are not
        newly covered.
    """
    first, then = before.any_5g(), after.any_5g()
    new = (first.probability < probability) & (then.probability >= probability)
    return np.where(new, then.server, np.int32(-1)).astype(np.int32)


def area_parts(areas: gpd.GeoDataFrame, geobox: GeoBox) -> Iterator[tuple[int, tuple[slice, slice], NDArray[np.bool_]]]:
    """Pixels of each area by their centres: number of the area, the window around it, and which of it are inside.

    Areas without a shape, or off the grid, are left out.
    """
    shapes = areas.geometry.to_numpy()
    rows, cols = geobox.shape
    for number, (left, bottom, right, top) in enumerate(areas.geometry.bounds.to_numpy()):
        if not np.isfinite(left):
            continue
        row, col = pixel_of(geobox, np.array([left, right]), np.array([top, bottom]))
        window = (slice(max(int(row[0]), 0), min(int(row[1]) + 1, rows)),
                  slice(max(int(col[0]), 0), min(int(col[1]) + 1, cols)))
        if window[0].start >= window[0].stop or window[1].start >= window[1].stop:
            continue
        yield number, window, np.isfinite(rasterize([shapes[number]], 1.0, geobox[window], merge="last"))


def sites_of_sectors(sector_ids: Sequence[str], site_ids: Sequence[str]) -> NDArray[np.int64]:
    """Number of the proposed site of each sector (site id, hyphen, number), -1 for sectors of other sites.

    >>> sites_of_sectors(["E-1", "A-x-1", "A-x-2"], ["A-x"]).tolist()
    [-1, 0, 0]
    """
    known = {str(site): number for number, site in enumerate(site_ids)}
    return np.array([known.get(str(sector).rpartition("-")[0], -1) for sector in sector_ids], dtype=np.int64)


def named(found: Mapping[str, Sequence[int]], names: Sequence[str], index: pd.Index) -> pd.Series:
    """Names of the areas of each site, joined by 、; empty for sites without any.

    >>> named({"A": [1, 0]}, ["甲村", "乙村"], pd.Index(["A", "B"])).tolist()
    ['乙村、甲村', '']
    """
    words = {site: BETWEEN.join(str(names[number]) for number in numbers) for site, numbers in found.items()}
    return pd.Series([words.get(str(site), "") for site in index], index=index, dtype="str")


def best_rsrp_dbm(areas: gpd.GeoDataFrame, coverage: Coverage) -> pd.Series:
    """Strongest predicted 5G signal of each area over the pixels whose centres it holds, dBm; NaN where none is."""
    signal = coverage.any_5g().rsrp_dbm
    out = np.full(len(areas), np.nan)
    for number, window, mask in area_parts(areas, coverage.geobox):
        values = signal[window][mask]
        if np.isfinite(values).any():
            out[number] = float(np.nanmax(values))
    return pd.Series(out, index=areas.index)


def names_of(areas: gpd.GeoDataFrame) -> list[str]:
    """Name of each area, its id where it has none."""
    names = areas["name"].astype("str").where(areas["name"].notna() & (areas["name"] != ""), "")
    return [name or str(key) for name, key in zip(names, areas.index, strict=True)]
