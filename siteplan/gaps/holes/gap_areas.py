"""Gap areas: uncovered pixels clustered by the people, complaints and key places there; the rest as loose land."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely
from numpy.typing import NDArray
from odc.geo.geobox import GeoBox
from scipy import ndimage

from siteplan.errors import ModelError
from siteplan.gaps.holes.clusters import cluster_cells, divide_wide, fill_between
from siteplan.gaps.holes.gap_cells import (
    ExtraWeight,
    GapCells,
    Lattice,
    Whole,
    cell_sums,
    gather_cells,
    heaviest_pixels,
    lattice_of,
    renumber_cells,
)
from siteplan.gaps.holes.gap_ids import place_ids
from siteplan.gaps.holes.outlines import label_polygons
from siteplan.gaps.holes.touched import names_touched, nearest_sites, nearest_venues, towns_around
from siteplan.gaps.people.complaints import check_crs
from siteplan.gaps.people.demand import Demand
from siteplan.grid import inside, pixel_of, pixel_size_m, pixel_xy
from siteplan.params import GapParams, SelectionParams
from siteplan.venues import VenueCatalogue

GAP_TYPE_ZH: Mapping[str, str] = MappingProxyType({"populated": "聚居", "land": "零散土地", "indoor": "仅室内"})
SHARES = ("share_no_site", "share_terrain", "share_buildings", "share_weak")
GAP_COLUMNS = (
    "rank_no", "gap_type", "area_m2", "demand", "demand_kind", "weight", "complaints", "key_points", "reason_code",
    "reason", *SHARES, "nearest_site", "distance_m", "nearest_venue", "venue_name", "venue_distance_m", "villages",
    "zones", "town", "county", "geometry",
)
WIDEST_M = 3000.0
"""A populated area higher or wider than this is divided, so that each stands for one or a few sites. Editable default,
unverified."""
INDOOR_ZH = "室外已覆盖,仅室内未覆盖"
UNEXPLAINED_ZH = "原因未分析"


@dataclass(frozen=True)
class GapPlaces:
    """Tables that gap areas are weighed by and described with, in the CRS of the grid; what is None is left out.

    Attributes
    ----------
    sites : GeoDataFrame or None
        Serving sites, for the nearest one; index = id.
    villages, zones, towns : GeoDataFrame or None
        Polygons with ``name``, towns with ``county`` too.
    facilities : GeoDataFrame or None
        Layer of public facilities, for the nearest venue that must be opened.
    complaints, key_points : GeoDataFrame or None
        Points that add weight; rows without a geometry are passed over.
    catalogue : VenueCatalogue or None
        Tells which facilities must be opened; the package's when None.
    """

    sites: gpd.GeoDataFrame | None = None
    villages: gpd.GeoDataFrame | None = None
    zones: gpd.GeoDataFrame | None = None
    towns: gpd.GeoDataFrame | None = None
    facilities: gpd.GeoDataFrame | None = None
    complaints: gpd.GeoDataFrame | None = None
    key_points: gpd.GeoDataFrame | None = None
    catalogue: VenueCatalogue | None = None


@dataclass(frozen=True)
class LeftOut:
    """Number and sums of the pieces that are too small to be listed."""

    count: int
    area_m2: float
    demand: float
    complaints: int
    key_points: int


@dataclass(frozen=True)
class GapAreas:
    """Gap areas as a table, and the pixels of each.

    Attributes
    ----------
    table : GeoDataFrame
        Index ``gap_id``, columns ``GAP_COLUMNS``, by rank.
    labels : ndarray of int32, shape (rows, cols)
        ``rank_no`` of the area of each pixel; 0 where there is none, or the piece was left out.
    left_out : LeftOut
    cells : GapCells
        The pixels gathered by area (``rank_no``) and cell.
    lattice : Lattice
    geobox : GeoBox
    """

    table: gpd.GeoDataFrame
    labels: NDArray[np.int32]
    left_out: LeftOut
    cells: GapCells
    lattice: Lattice
    geobox: GeoBox


def default_demand_per_person(kind: str) -> float:
    """Demand that stands for one person of weight, by the defaults of ``[selection]`` (editable there, unverified).

    >>> default_demand_per_person("people"), default_demand_per_person("floor_area_m2")
    (1.0, 30.0)
    """
    defaults = SelectionParams()
    per_person = {"people": 1.0, "floor_area_m2": defaults.floor_area_per_person_m2,
                  "area_m2": 1e6 / max(defaults.area_people_per_km2, 1e-9)}
    if kind not in per_person:
        raise ModelError(f"demand of kind {kind!r} is not one of {', '.join(per_person)}")
    return per_person[kind]


def find_gap_areas(mask: NDArray[np.bool_], demand: Demand, params: GapParams, places: GapPlaces | None = None, *,
                   demand_per_person: float | None = None, point_people: float = 200.0) -> GapAreas:
    """Gather uncovered pixels to gap areas, ranked by their weight.

    Parameters
    ----------
    mask : ndarray of bool, shape (rows, cols)
        Uncovered pixels, see :func:`siteplan.gaps.holes.mask.gap_mask`.
    demand : Demand
    params : GapParams
        ``cluster_cell_m``, ``cluster_distance_m``, ``cluster_people``, ``complaint_people``, ``min_gap_area_m2``.
    places : GapPlaces, optional
    demand_per_person : float, optional
        Demand that stands for one person of weight; :func:`default_demand_per_person` of the kind when absent.
    point_people : float
        Weight of a key point in the gap, people.

    Returns
    -------
    GapAreas
        ``populated`` areas are weighted density clusters (:mod:`siteplan.gaps.holes.clusters`) of the cells
        that hold uncovered pixels: all of these pixels, and those of weightless cells between such cells.
        One wider than ``WIDEST_M`` is divided around its densest places. None is left out. Pieces of the land that
        remains (pixels joined by their edges) follow as ``land``, or are summed in ``left_out`` when smaller than
        ``min_gap_area_m2``: area and demand of the table and of what is left out come to those of the mask. Each part
        is ranked by weight, demand, area. ``distance_m`` and ``venue_distance_m`` count from the heaviest pixel of the
        heaviest cell, which the id is made of too; ``town`` and ``county`` are those of this pixel. Causes are not
        known yet: see :func:`siteplan.gaps.holes.causes.with_causes`.

    Raises
    ------
    ModelError
        When the mask has not the shape of the grid, or a weight is not positive.
    CrsError
        When a table of ``places`` is not in the CRS of the grid.

    Examples
    --------
    Two hamlets in one hole of 1 km x 200 m:

    >>> from siteplan.grid import study_geobox
    >>> box = study_geobox((0.0, 0.0, 1000.0, 200.0), "EPSG:4547", 10.0)
    >>> people = np.zeros(box.shape, np.float32)
    >>> people[10, 12], people[10, 87] = 80.0, 60.0
    >>> found = find_gap_areas(np.ones(box.shape, bool), Demand(people, "people", box), GapParams())
    >>> found.table[["gap_type", "area_m2", "demand"]].to_numpy().tolist()
    [['populated', 2500.0, 80.0], ['populated', 2500.0, 60.0], ['land', 195000.0, 0.0]]
    """
    return _find(mask, demand, params, places or GapPlaces(), (demand_per_person, point_people), indoor=False)


def find_indoor_gaps(outdoor: NDArray[np.float32], indoor: NDArray[np.float32], demand: Demand, params: GapParams,
                     places: GapPlaces | None = None, *, within: NDArray[np.bool_] | None = None,
                     demand_per_person: float | None = None, point_people: float = 200.0) -> GapAreas:
    """Buildings that are covered outside but not inside, gathered as :func:`find_gap_areas` gathers uncovered land.

    Parameters
    ----------
    outdoor, indoor : ndarray, shape (rows, cols)
        Probabilities of coverage in the street and inside buildings, the latter NaN where no building stands; what is
        not known is neither covered nor a gap.
    demand, params, places, demand_per_person, point_people
        As in :func:`find_gap_areas`.
    within : ndarray of bool, shape (rows, cols), optional
        Pixels inside the boundary; all when absent.

    Returns
    -------
    GapAreas
        All of type ``indoor``, with reason ``indoor``. Buildings outside of the clusters are listed after them when
        they reach ``min_gap_area_m2``.
    """
    with np.errstate(invalid="ignore"):
        mask = (outdoor >= params.gap_probability) & (indoor < params.gap_probability)
    if within is not None:
        mask &= within
    return _find(mask, demand, params, places or GapPlaces(), (demand_per_person, point_people), indoor=True)


def _find(mask: NDArray[np.bool_], demand: Demand, params: GapParams, places: GapPlaces,
          factors: tuple[float | None, float], *, indoor: bool) -> GapAreas:
    geobox, (per_person, point_people) = demand.geobox, factors
    per_person = default_demand_per_person(demand.kind) if per_person is None else per_person
    if mask.shape != tuple(geobox.shape) or per_person <= 0 or point_people < 0:
        raise ModelError("a gap mask has the shape of its grid, and weights are positive")
    for table in vars(places).values():
        if isinstance(table, gpd.GeoDataFrame) and len(table):
            check_crs(table, geobox)
    complaints, key_points = (_points_in(mask, geobox, table) for table in (places.complaints, places.key_points))
    extra = ExtraWeight(np.r_[complaints[0], key_points[0]], np.r_[complaints[1], key_points[1]],
                        np.repeat([params.complaint_people, point_people], [len(complaints[0]), len(key_points[0])]))
    weak = np.where(mask, demand.per_pixel, np.float32(0))
    lattice = lattice_of(geobox, params.cluster_cell_m)
    labels, clusters = _label_areas(mask, weak, lattice, params, per_person, extra)
    cells = gather_cells(labels, weak, lattice, per_person, extra)
    table = _sum_areas(cells, int(labels.max(initial=0)), pixel_size_m(geobox) ** 2)
    for name, points in (("complaints", complaints), ("key_points", key_points)):
        table[name] = np.bincount(labels[points], minlength=len(table) + 1)[1:]
    table["clustered"] = table.index <= clusters
    listed = table["clustered"] | (table["area_m2"] >= params.min_gap_area_m2)
    kept = table[listed]
    rows, cols = heaviest_pixels(cells, labels, weak, lattice, per_person, extra)
    x, y = pixel_xy(geobox, rows, cols)
    ranked = kept.assign(x=x[listed], y=y[listed], weight=kept["weight"].round(6)).sort_values(
        ["clustered", "weight", "demand", "area_m2", "x", "y"], ascending=[False, False, False, False, True, True])
    rank = np.zeros(len(table) + 1, np.int32)
    rank[ranked.index] = np.arange(1, len(ranked) + 1)
    labels = rank[labels]
    polygons = label_polygons(labels, geobox, len(ranked))
    return GapAreas(_describe(ranked.assign(demand_kind=demand.kind), polygons, geobox, places, indoor), labels,
                    _left_out(table[~listed]), renumber_cells(cells, rank), lattice, geobox)


def _points_in(mask: NDArray[np.bool_], geobox: GeoBox, table: gpd.GeoDataFrame | None) -> tuple[Whole, Whole]:
    """Rows and columns of the points that lie on the mask."""
    if table is None or table.empty:
        return np.zeros(0, np.int64), np.zeros(0, np.int64)
    shapes = table.geometry.to_numpy()
    shapes = shapes[~(shapely.is_missing(shapes) | shapely.is_empty(shapes))]
    rows, cols = pixel_of(geobox, shapely.get_x(shapes), shapely.get_y(shapes))
    on = inside(geobox, rows, cols)
    on[on] = mask[rows[on], cols[on]]
    return rows[on], cols[on]


def _label_areas(mask: NDArray[np.bool_], weak: NDArray[np.float32], lattice: Lattice, params: GapParams,
                 per_person: float, extra: ExtraWeight) -> tuple[NDArray[np.int32], int]:
    """Area of each pixel: clusters first, then the pieces of the rest; and how many clusters there are."""
    weight = cell_sums(weak, lattice) / per_person
    np.add.at(weight, lattice.cell_of(extra.rows, extra.cols), extra.people)
    reach = params.cluster_distance_m / lattice.edge_m
    clusters = divide_wide(cluster_cells(weight, reach, params.cluster_people), weight, reach,
                           WIDEST_M / lattice.edge_m)
    clusters = fill_between(clusters)
    labels = np.where(mask, lattice.spread(clusters, mask.shape), np.int32(0))
    count = int(clusters.max(initial=0))
    pieces, _ = ndimage.label(mask & (labels == 0))
    return np.where(pieces > 0, pieces + np.int32(count), labels), count


def _sum_areas(cells: GapCells, count: int, pixel_m2: float) -> pd.DataFrame:
    """Area, demand and weight of the areas 1..count."""
    sums = {name: np.bincount(cells.area, values, minlength=count + 1)[1:] for name, values in (
        ("area_m2", cells.pixels * pixel_m2), ("demand", cells.demand), ("weight", cells.weight))}
    return pd.DataFrame(sums, index=pd.RangeIndex(1, count + 1))


def _left_out(table: pd.DataFrame) -> LeftOut:
    return LeftOut(len(table), float(table["area_m2"].sum()), float(table["demand"].sum()),
                   int(table["complaints"].sum()), int(table["key_points"].sum()))


def _describe(ranked: pd.DataFrame, polygons: NDArray[np.object_], geobox: GeoBox, places: GapPlaces,
              indoor: bool) -> gpd.GeoDataFrame:
    """The table of `GapAreas` from the sums of the ranked areas, with names and neighbours."""
    xy = ranked[["x", "y"]].to_numpy(np.float64)
    ids = pd.Index(place_ids(xy, "I" if indoor else "G", pixel_size_m(geobox)), name="gap_id", dtype="str")
    kinds = "indoor" if indoor else np.where(ranked["clustered"], "populated", "land")
    table = gpd.GeoDataFrame(ranked.drop(columns=["clustered", "x", "y"]).set_axis(ids, axis=0), geometry=polygons,
                             crs=geobox.crs and str(geobox.crs))
    table = table.assign(rank_no=np.arange(1, len(ids) + 1), gap_type=pd.Series(kinds, index=ids, dtype="str"),
                         **dict.fromkeys(SHARES, np.nan),
                         reason_code=pd.Series("indoor" if indoor else "", index=ids, dtype="str"),
                         reason=pd.Series(INDOOR_ZH if indoor else UNEXPLAINED_ZH, index=ids, dtype="str"))
    for column, areas in (("villages", places.villages), ("zones", places.zones)):
        table[column] = names_touched(table.geometry, areas) if areas is not None else pd.Series("", ids, dtype="str")
    venues = nearest_venues(xy, places.facilities, ids, places.catalogue)
    towns = towns_around(xy, places.towns, ids)
    return table.join([nearest_sites(xy, places.sites, ids), venues, towns])[list(GAP_COLUMNS)]
