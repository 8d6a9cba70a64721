"""Demand: people per pixel by night or by day; floor area where no population is given, and named so."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, Protocol

import geopandas as gpd
import numpy as np
import pandas as pd
from odc.geo.geobox import GeoBox
from scipy.spatial import cKDTree

from siteplan.errors import ModelError
from siteplan.gaps.judging.shares import AreaPixels
from siteplan.grid import inside, pixel_of, pixel_size_m, rasterize
from siteplan.input_ledger import LedgerLine

Basis = Literal["resident", "day", "greater"]
DEMAND_ZH = {"people": "人口(人)", "floor_area_m2": "建筑面积(平方米,代替人口)", "area_m2": "土地面积(平方米,代替人口)"}
PEOPLE_ZH: Mapping[Basis, str] = {"resident": DEMAND_ZH["people"], "day": "日间人口(人)", "greater": "昼夜较大值(人)"}
"""What people mean, by ``Demand.basis``."""
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
    basis : str
        Which people, where these are counted: ``resident``, ``day`` or ``greater`` (of the two, cell by cell). It is
        what was counted, not what was asked for.
    notes : tuple of LedgerLine
        What had to be assumed or left out, for the input ledger.
    """

    per_pixel: np.ndarray
    kind: str
    geobox: GeoBox
    basis: Basis = "resident"
    notes: tuple[LedgerLine, ...] = ()

    @property
    def zh(self) -> str:
        """What the numbers count, in Chinese."""
        return PEOPLE_ZH[self.basis] if self.kind == "people" else DEMAND_ZH[self.kind]


def _numbers(population: gpd.GeoDataFrame, column: str) -> np.ndarray:
    """A column as float64; all NaN where the table does not have it."""
    if column not in population:
        return np.full(len(population), np.nan)
    return population[column].to_numpy(dtype=float, na_value=np.nan)


def _note(population: gpd.GeoDataFrame, field: str, value: str, action: str, words: tuple[str, str]) -> LedgerLine:
    """A line on the population layer; the file is named where there is but one. ``words``: reason, remedy."""
    files = list(population["source_file"].dropna().unique()) if "source_file" in population else []
    return LedgerLine("population", str(files[0]) if len(files) == 1 else "", "", field, value, action, *words)


def _people_of(population: gpd.GeoDataFrame, basis: Basis) -> tuple[np.ndarray, Basis, list[LedgerLine]]:
    """People of each cell (NaN where unknown), which people they are, and what is to be told of that."""
    resident, day = _numbers(population, "people"), _numbers(population, "people_day")
    notes: list[LedgerLine] = []
    if basis != "resident" and np.isnan(day).all():
        notes.append(_note(population, "people_day", PEOPLE_ZH[basis], "assumed",
                           ("没有日间人口(栅格只有常住人口一个波段),改按常住人口", "提供带日间人口一列的人口格网;或设 gaps.people = \"resident\"")))
        basis = "resident"
    values = {"resident": resident, "day": np.where(np.isnan(day), resident, day),
              "greater": np.fmax(resident, day)}[basis]
    replaced = int((np.isnan(day) & ~np.isnan(resident)).sum())
    if basis != "resident" and replaced:
        notes.append(_note(population, "people_day", f"共 {replaced} 格", "assumed",
                           (f"{len(population)} 个格网中 {replaced} 个没有日间人口,这些格网按常住人口", "补填日间人口")))
    unknown = int(np.isnan(values).sum())
    if unknown:
        notes.append(_note(population, "people", f"共 {unknown} 格", "note",
                           (f"{len(population)} 个格网中 {unknown} 个没有人口数,未计入人口", "补填人口")))
    return values, basis, notes


def _cell_sides(population: gpd.GeoDataFrame, pixel_m: float) -> np.ndarray:
    """Side of the square each population point stands for, m: its own area, else the spacing of the points."""
    area = population["cell_area_m2"].to_numpy(dtype=float, na_value=np.nan)
    if len(population) > 1:
        xy = np.column_stack([population.geometry.x, population.geometry.y])
        spacing = float(np.median(cKDTree(xy).query(xy, k=2)[0][:, 1]))
    else:
        spacing = pixel_m
    return np.where(np.isnan(area), max(spacing, pixel_m), np.sqrt(area))


def _spread_people(geobox: GeoBox, population: gpd.GeoDataFrame, people: np.ndarray) -> np.ndarray:
    """Spread the people of each point evenly over the pixels of its square; totals on the grid are kept."""
    out = np.zeros(geobox.shape, dtype=np.float64)
    pixel_m = pixel_size_m(geobox)
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


def _within(geobox: GeoBox, boundary: gpd.GeoDataFrame, values: np.ndarray) -> np.ndarray:
    """Values of the pixels inside the boundary as float32, 0 elsewhere; a boundary without rows is the whole grid."""
    if len(boundary):
        within = rasterize(boundary.geometry, np.ones(len(boundary)), geobox, merge="max")
        values = np.where(np.isnan(within), 0.0, values)
    return values.astype(np.float32)


def build_demand(geobox: GeoBox, boundary: gpd.GeoDataFrame, population: gpd.GeoDataFrame,
                 buildings: gpd.GeoDataFrame, people: Basis = "resident") -> Demand:
    """Demand on the study grid: people where given, else floor area, else land area.

    Parameters
    ----------
    geobox : GeoBox
        Study grid.
    boundary, population, buildings : GeoDataFrame
        Tables in the CRS of the grid; empty ones are allowed (a boundary without rows means the whole grid). The
        population has ``people``, and ``people_day`` where there are numbers for the day.
    people : {"resident", "day", "greater"}
        Which people count: by night, by day, or the greater of both in every cell of the population.

    Returns
    -------
    Demand
        What lies outside the boundary counts nothing. Where there is no number for the day at all, people are
        resident ones and ``basis`` says so; a cell without its own takes its resident people. Each of these, and cells
        whose people are unknown, is a line of ``notes``. A population without a single number is no population.

    Raises
    ------
    ModelError
        ``people`` is none of the three.

    Examples
    --------
    >>> from shapely import Point
    >>> grid = GeoBox.from_bbox((0, 0, 20, 10), crs="EPSG:4547", resolution=10)
    >>> nothing = gpd.GeoDataFrame(geometry=[], crs="EPSG:4547")
    >>> cells = gpd.GeoDataFrame({"people": [8.0, 2.0], "people_day": [3.0, 9.0], "cell_area_m2": 100.0},
    ...                          geometry=[Point(5, 5), Point(15, 5)], crs="EPSG:4547")
    >>> found = build_demand(grid, nothing, cells, nothing, people="greater")
    >>> found.per_pixel.tolist(), found.zh
    ([[8.0, 9.0]], '昼夜较大值(人)')
    """
    if people not in PEOPLE_ZH:
        raise ModelError(f"people {people!r} is not one of {', '.join(PEOPLE_ZH)}")
    basis: Basis = "resident"
    notes: list[LedgerLine] = []
    values = np.zeros(geobox.shape)
    kind = "area_m2"
    if len(population):
        counted, basis, notes = _people_of(population, people)
        if not np.isnan(counted).all():
            values, kind = _spread_people(geobox, population, np.nan_to_num(counted)), "people"
    if kind != "people" and len(buildings):
        values, kind = _floor_area(geobox, buildings), "floor_area_m2"
    elif kind != "people":
        values = np.full(geobox.shape, pixel_size_m(geobox) ** 2)
    per_pixel = _within(geobox, boundary, values)
    if kind == "people" and not per_pixel.any():
        what = PEOPLE_ZH[basis].partition("(")[0]
        notes.append(_note(population, "people", "0", "note",
                           (f"规划范围内{what}合计为0,人口覆盖率无法计算", "核对人口图层的位置和数值")))
    return Demand(per_pixel, kind, geobox, basis if kind == "people" else "resident", tuple(notes))


def day_and_night(geobox: GeoBox, boundary: gpd.GeoDataFrame, population: gpd.GeoDataFrame) -> dict[str, Demand]:
    """Demand by resident people and by people of the day, for :func:`day_night_shares`.

    Parameters
    ----------
    geobox : GeoBox
    boundary, population : GeoDataFrame
        As in :func:`build_demand`.

    Returns
    -------
    dict of str to Demand
        ``resident`` and ``day``; only those of which the population has a number, so it may be empty.
    """
    nothing = population.iloc[:0]
    wanted: dict[Basis, str] = {"resident": "people", "day": "people_day"}
    return {basis: build_demand(geobox, boundary, population, nothing, people=basis)
            for basis, column in wanted.items() if not np.isnan(_numbers(population, column)).all()}


def _share_reason(total: float, known: float, zh: str) -> str:
    """Why a share of people is missing, or how much of the people it does not speak of; empty where all is known."""
    what = zh.partition("(")[0]
    if not total > 0:
        return f"区域内{what}为0,无法计算覆盖率"
    if not known > 0:
        return f"{what}全部位于无数据区域,无法计算覆盖率"
    return "" if known > 1.0 - 1e-6 else f"仅{math.floor(1000 * known) / 10:g}%的{what}有数据"


def day_night_shares(pixels: AreaPixels, probability: np.ndarray, demands: Mapping[str, Demand]) -> pd.DataFrame:
    """Covered share of each area by land and by every kind of people, side by side.

    Parameters
    ----------
    pixels : AreaPixels
        Pixel fractions of the areas.
    probability : ndarray, shape (rows, cols)
        Probability of coverage; NaN where unknown.
    demands : mapping of str to Demand
        By a key that names the columns, as :func:`day_and_night` gives them.

    Returns
    -------
    DataFrame
        On the index of the areas: ``area_share``, and for each key ``demand_KEY`` (all of it), ``demand_share_KEY``
        (mean probability of the known part, 0..1), ``known_share_KEY`` (part of the demand whose pixels are known)
        and ``reason_KEY`` (Chinese; empty where nothing is missing). Demand on unknown pixels is neither covered nor
        uncovered. An area without demand has NaN shares and a reason, never 0 or 1.

    Examples
    --------
    >>> from shapely import box
    >>> from siteplan.gaps.judging.shares import area_pixels
    >>> grid = GeoBox.from_bbox((0, 0, 20, 10), crs="EPSG:4547", resolution=10)
    >>> pixels = area_pixels(grid, gpd.GeoDataFrame(geometry=[box(0, 0, 20, 10)], crs="EPSG:4547"))
    >>> both = {"resident": Demand(np.array([[3.0, 1.0]]), "people", grid),
    ...         "day": Demand(np.zeros((1, 2)), "people", grid)}
    >>> found = day_night_shares(pixels, np.array([[1.0, 0.0]]), both).loc[0]
    >>> float(found["area_share"]), float(found["demand_share_resident"]), float(found["demand_share_day"])
    (0.5, 0.75, nan)
    """
    known = (~np.isnan(probability)).astype(np.float32)
    table: dict[str, pd.Series | list[str]] = {"area_share": pixels.mean(probability)}
    for key, demand in demands.items():
        total = pixels.sums(demand.per_pixel)
        there = pixels.sums(known * demand.per_pixel) / total.where(total > 0)
        table[f"demand_{key}"] = total
        table[f"demand_share_{key}"] = pixels.mean(probability, demand.per_pixel)
        table[f"known_share_{key}"] = there.where(~(there > 1.0 - 1e-6), 1.0)
        table[f"reason_{key}"] = [_share_reason(people, part, demand.zh)
                                  for people, part in zip(total, there, strict=True)]
    return pd.DataFrame(table, index=pixels.index)
