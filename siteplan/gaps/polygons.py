"""Gap polygons: connected land below the gap probability, ranked by the demand inside."""

from __future__ import annotations

import geopandas as gpd
import numpy as np
import pandas as pd
from odc.geo.geobox import GeoBox
from rasterio.features import shapes
from scipy import ndimage
from shapely.geometry import shape

from siteplan.gaps.demand import Demand
from siteplan.grid import pixel_size_m, rasterize
from siteplan.params import GapParams

FAR_M = 1500.0
"""A gap further than this from the nearest 5G site lacks a site; a nearer one is mostly shadowed. Editable default."""
GAP_COLUMNS = ["rank_no", "area_m2", "demand", "demand_kind", "reason", "villages", "zones", "nearest_site",
               "distance_m", "geometry"]


def gap_mask(probability: np.ndarray, geobox: GeoBox, boundary: gpd.GeoDataFrame, gap_probability: float) -> np.ndarray:
    """Pixels inside the boundary whose known probability is below ``gap_probability`` (bool, rows x cols)."""
    with np.errstate(invalid="ignore"):
        weak = np.nan_to_num(probability, nan=1.0) < gap_probability
    if len(boundary):
        weak &= ~np.isnan(rasterize(boundary.geometry, np.ones(len(boundary)), geobox, merge="last"))
    return weak


def _label_polygons(labels: np.ndarray, keep: np.ndarray, geobox: GeoBox) -> dict[int, object]:
    """Polygon of every kept label."""
    drawn = np.where(keep[labels], labels, 0).astype(np.int32)
    return {int(value): shape(geometry) for geometry, value in
            shapes(drawn, mask=drawn > 0, connectivity=4, transform=geobox.affine)}


def _names_touched(gaps: gpd.GeoDataFrame, areas: gpd.GeoDataFrame) -> pd.Series:
    """Names of the areas each gap overlaps, joined by 、 (areas that only touch are left out)."""
    empty = pd.Series("", index=gaps.index)
    if areas.empty or gaps.empty:
        return empty
    inner = gpd.GeoDataFrame({"gap": gaps.index}, geometry=gaps.geometry.to_numpy(), crs=gaps.crs)
    named = gpd.GeoDataFrame({"area_name": areas["name"].fillna("").astype(str).to_numpy()},
                             geometry=areas.geometry.buffer(-0.01).to_numpy(), crs=areas.crs)
    pairs = gpd.sjoin(inner, named[~named.geometry.is_empty], predicate="intersects")
    joined = pairs.sort_values(["gap", "area_name"]).groupby("gap")["area_name"].agg(
        lambda names: "、".join(dict.fromkeys(names)))
    return joined.reindex(gaps.index).fillna("")


def _nearest_sites(gaps: gpd.GeoDataFrame, sites: gpd.GeoDataFrame) -> pd.DataFrame:
    """Id of and distance to the nearest site of each gap (m, from its representative point)."""
    out = pd.DataFrame({"nearest_site": "", "distance_m": np.nan}, index=gaps.index)
    if sites.empty or gaps.empty:
        return out
    ordered = sites.sort_index()
    tree = ordered.geometry.sindex
    found, distance = tree.nearest(gaps.geometry.representative_point(), return_all=False, return_distance=True)
    out["nearest_site"] = ordered.index.to_numpy()[found[1]]
    out["distance_m"] = np.round(distance, 1)
    return out


def _reasons(unserved: np.ndarray, distance_m: pd.Series) -> list[str]:
    """Why nothing covers a gap, as far as distance and the computed range tell."""
    words = []
    for nothing, distance in zip(unserved, distance_m, strict=True):
        if nothing or np.isnan(distance):
            words.append("计算范围内无5G基站")
        elif distance > FAR_M:
            words.append(f"最近5G基站在{distance / 1000:.1f}公里外,距离远")
        else:
            words.append(f"最近5G基站{distance:.0f}米,信号被地形或建筑遮挡,或天线背向")
    return words


def find_gaps(probability: np.ndarray, served: np.ndarray, demand: Demand, boundary: gpd.GeoDataFrame,
              sites: gpd.GeoDataFrame, params: GapParams, *, villages: gpd.GeoDataFrame | None = None,
              zones: gpd.GeoDataFrame | None = None) -> gpd.GeoDataFrame:
    """Connected areas without coverage, ranked by the demand in them.

    Parameters
    ----------
    probability : ndarray, shape (rows, cols)
        Probability of coverage; NaN where unknown (never a gap, never covered).
    served : ndarray of bool, shape (rows, cols)
        True where at least one sector is computed at all; tells "no site in range" from "signal too weak".
    demand : Demand
    boundary, sites : GeoDataFrame
        Study boundary (may be empty: the whole grid); serving sites, for the nearest one.
    params : GapParams
        A pixel below ``gap_probability`` is a gap; polygons under ``min_gap_area_m2`` are left out.
    villages, zones : GeoDataFrame, optional
        Areas whose names are listed (column ``name``).

    Returns
    -------
    GeoDataFrame
        Index ``gap_id`` (made of the place, not of the order) and the columns of DESIGN.md.
    """
    geobox = demand.geobox
    weak = gap_mask(probability, geobox, boundary, params.gap_probability)
    labels, count = ndimage.label(weak)
    flat = labels.ravel()
    pixels = np.bincount(flat, minlength=count + 1)
    pixel_area = pixel_size_m(geobox) ** 2
    keep = pixels * pixel_area >= params.min_gap_area_m2
    keep[0] = False
    polygons = _label_polygons(labels, keep, geobox)
    numbers = np.array(sorted(polygons), dtype=int)
    people = np.bincount(flat, weights=demand.per_pixel.ravel(), minlength=count + 1)
    unserved = np.bincount(flat, weights=~served.ravel(), minlength=count + 1)
    gaps = gpd.GeoDataFrame({
        "area_m2": pixels[numbers] * pixel_area, "demand": people[numbers], "demand_kind": demand.kind,
    }, geometry=[polygons[number] for number in numbers], crs=boundary.crs)
    inner = gaps.geometry.representative_point()
    gaps.index = pd.Index([f"G-{x:.0f}-{y:.0f}" for x, y in zip(inner.x, inner.y, strict=True)], name="gap_id",
                          dtype="str")
    gaps = gaps.join(_nearest_sites(gaps, sites))
    gaps["reason"] = _reasons(unserved[numbers] > 0.5 * pixels[numbers], gaps["distance_m"])
    for column, areas in (("villages", villages), ("zones", zones)):
        gaps[column] = _names_touched(gaps, areas) if areas is not None else ""
    gaps = gaps.sort_index().sort_values(["demand", "area_m2"], ascending=False, kind="stable")
    gaps["rank_no"] = np.arange(1, len(gaps) + 1)
    return gaps[GAP_COLUMNS]
