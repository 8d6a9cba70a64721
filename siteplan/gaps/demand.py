"""Demand: people per pixel; floor area where no population is given, and named so."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import geopandas as gpd
import numpy as np
from odc.geo.geobox import GeoBox
from scipy.spatial import cKDTree

from siteplan.grid import inside, pixel_of, pixel_size_m, rasterize

DEMAND_ZH = {"people": "人口(人)", "floor_area_m2": "建筑面积(平方米,代替人口)", "area_m2": "土地面积(平方米,代替人口)"}
STOREY_HEIGHT_M = 3.0


@dataclass(frozen=True)
class Demand:
    """Demand per pixel.

    Attributes
    ----------
    per_pixel : ndarray
        float32 (row, col); 0 outside the boundary.
    kind : str
        ``people``, ``floor_area_m2`` or ``area_m2``.
    geobox : GeoBox
    """

    per_pixel: np.ndarray
    kind: str
    geobox: GeoBox

    @property
    def zh(self) -> str:
        """What the numbers count, in Chinese."""
        return DEMAND_ZH[self.kind]


def _cell_sides(population: gpd.GeoDataFrame, pixel_m: float) -> np.ndarray:
    """Side of the square each population point stands for, m: its own area, else the spacing of the points."""
    area = population["cell_area_m2"].to_numpy(dtype=float, na_value=np.nan)
    if len(population) > 1:
        xy = np.column_stack([population.geometry.x, population.geometry.y])
        spacing = float(np.median(cKDTree(xy).query(xy, k=2)[0][:, 1]))
    else:
        spacing = pixel_m
    return np.where(np.isnan(area), max(spacing, pixel_m), np.sqrt(area))


def _spread_people(geobox: GeoBox, population: gpd.GeoDataFrame) -> np.ndarray:
    """Spread the people of each point evenly over the pixels of its square; totals on the grid are kept."""
    out = np.zeros(geobox.shape, dtype=np.float64)
    pixel_m = pixel_size_m(geobox)
    people = population["people"].to_numpy(dtype=float, na_value=0.0)
    pixels = np.maximum(1, np.rint(_cell_sides(population, pixel_m) / pixel_m)).astype(int)
    x, y = population.geometry.x.to_numpy(), population.geometry.y.to_numpy()
    for width in np.unique(pixels):
        chosen = pixels == width
        shift = (width - 1) * pixel_m / 2
        top, left = pixel_of(geobox, x[chosen] - shift, y[chosen] + shift)
        share = people[chosen] / width**2
        for down in range(width):
            for right in range(width):
                on = inside(geobox, top + down, left + right)
                np.add.at(out, (top[on] + down, left[on] + right), share[on])
    return out


def _floor_area(geobox: GeoBox, buildings: gpd.GeoDataFrame) -> np.ndarray:
    """Floor area of each building at the pixel of its representative point, m2."""
    out = np.zeros(geobox.shape, dtype=np.float64)
    storeys = np.maximum(1.0, np.rint(buildings["height_m"].to_numpy(dtype=float) / STOREY_HEIGHT_M))
    floor = buildings.geometry.area.to_numpy() * storeys
    points = buildings.geometry.representative_point()
    rows, cols = pixel_of(geobox, points.x.to_numpy(), points.y.to_numpy())
    on = inside(geobox, rows, cols)
    np.add.at(out, (rows[on], cols[on]), floor[on])
    return out


class PeopleRaster(Protocol):
    """People per pixel beside the grid of the raster."""

    @property
    def array(self) -> np.ndarray:
        """float32 (row, col), NaN = no data."""

    @property
    def geobox(self) -> GeoBox:
        """Where the array lies, in any CRS."""


def people_points(raster: PeopleRaster, crs: object) -> gpd.GeoDataFrame:
    """Populated pixels of a raster as points in a projected CRS, each with its people and the area it stands for."""
    rows, cols = np.nonzero(np.nan_to_num(raster.array) > 0)
    affine = raster.geobox.affine
    places = []
    for right, down in ((0.5, 0.5), (1.0, 0.5), (0.5, 1.0)):
        x = affine.a * (cols + right) + affine.b * (rows + down) + affine.c
        y = affine.d * (cols + right) + affine.e * (rows + down) + affine.f
        moved = gpd.GeoSeries(gpd.points_from_xy(x, y), crs=str(raster.geobox.crs)).to_crs(crs)
        places.append(np.column_stack([moved.x, moved.y]))
    middle, across, along = places[0], 2 * (places[1] - places[0]), 2 * (places[2] - places[0])
    area = np.abs(across[:, 0] * along[:, 1] - across[:, 1] * along[:, 0])
    return gpd.GeoDataFrame({"people": raster.array[rows, cols].astype(float), "cell_area_m2": area},
                            geometry=gpd.points_from_xy(*middle.T), crs=crs)


def build_demand(geobox: GeoBox, boundary: gpd.GeoDataFrame, population: gpd.GeoDataFrame,
                 buildings: gpd.GeoDataFrame) -> Demand:
    """Demand on the study grid: people where given, else floor area, else land area.

    Parameters
    ----------
    geobox : GeoBox
        Study grid.
    boundary, population, buildings : GeoDataFrame
        Tables in the CRS of the grid; empty ones are allowed (a boundary without rows means the whole grid).

    Returns
    -------
    Demand
        What lies outside the boundary counts nothing.
    """
    if len(population):
        values, kind = _spread_people(geobox, population), "people"
    elif len(buildings):
        values, kind = _floor_area(geobox, buildings), "floor_area_m2"
    else:
        values, kind = np.full(geobox.shape, pixel_size_m(geobox) ** 2), "area_m2"
    if len(boundary):
        within = rasterize(boundary.geometry, np.ones(len(boundary)), geobox, merge="max")
        values = np.where(np.isnan(within), 0.0, values)
    return Demand(values.astype(np.float32), kind, geobox)
