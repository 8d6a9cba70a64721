"""How far power and fibre are from every candidate."""

from __future__ import annotations

from collections.abc import Sequence

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely
from numpy.typing import ArrayLike, NDArray

from siteplan.candidates.context import CandidateContext

Floats = NDArray[np.float64]


def nearest_feature_m(points: gpd.GeoSeries, layer: gpd.GeoDataFrame) -> Floats:
    """Distance of every point to the nearest feature of a layer.

    Parameters
    ----------
    points : GeoSeries
        Points in the CRS of the layer.
    layer : GeoDataFrame
        Points, lines or polygons (0 inside of a polygon); missing and empty shapes are passed over.

    Returns
    -------
    ndarray of float64 (point,)
        Metres; NaN where the layer has no shape at all, and for missing points.

    Notes
    -----
    Lines are taken apart into their segments, whose boxes are small: a cable along a whole road has a box that holds
    half of the study area. The distance is the same.

    Examples
    --------
    >>> cable = gpd.GeoDataFrame(geometry=[shapely.LineString([(0, 0), (100, 0)])], crs=4547)
    >>> nearest_feature_m(gpd.GeoSeries.from_xy([50.0, 130.0], [20.0, 40.0], crs=4547), cable).tolist()
    [20.0, 50.0]
    """
    out = np.full(len(points), np.nan)
    parts = _small_parts(layer.geometry.to_numpy())
    if not parts.size or not len(points):
        return out
    place, distance = shapely.STRtree(parts).query_nearest(points.to_numpy(), return_distance=True, all_matches=False)
    out[place[0]] = distance
    return out


def _small_parts(shapes: NDArray[np.object_]) -> NDArray[np.object_]:
    """The shapes in single parts, lines in segments."""
    parts = shapely.get_parts(shapes[~(shapely.is_missing(shapes) | shapely.is_empty(shapes))])
    while np.isin(kind := shapely.get_type_id(parts), (4, 5, 6, 7)).any():  # collections may hold collections
        parts = shapely.get_parts(parts)
    parts = parts[~shapely.is_empty(parts)]
    kind = shapely.get_type_id(parts)
    line = np.isin(kind, (1, 2))
    xy, number = shapely.get_coordinates(parts[line], return_index=True)
    ends = np.flatnonzero(number[1:] == number[:-1])
    segments = shapely.linestrings(np.stack([xy[ends], xy[ends + 1]], axis=1)) if ends.size else parts[:0]
    return np.concatenate([parts[~line], np.asarray(segments, object)])


def with_power_on_poles(power_m: ArrayLike,
                        has_power: Sequence[bool | None] | NDArray[np.bool_] | pd.Series) -> Floats:
    """Distances to power with 0 m where the pole itself has power.

    Parameters
    ----------
    power_m : array_like of float (site,)
        Distance to the nearest power feature, m; NaN = not known.
    has_power : sequence of bool (site,)
        True where the site is a pole with power; False, NA or None elsewhere.

    Returns
    -------
    ndarray of float64 (site,)

    Examples
    --------
    >>> with_power_on_poles([40.0, float("nan"), 40.0], [True, True, None]).tolist()
    [0.0, 0.0, 40.0]
    """
    powered = pd.Series(has_power, dtype="boolean").fillna(False).to_numpy(bool)
    return np.where(powered, 0.0, np.asarray(power_m, np.float64))


def with_distances(sites: gpd.GeoDataFrame, context: CandidateContext) -> gpd.GeoDataFrame:
    """The sites table with ``power_m`` and ``fibre_m`` filled in.

    Parameters
    ----------
    sites : GeoDataFrame
        Points with ``source``, ``source_id`` and ``members`` (poles that are merged in one, joined by ``|``).
    context : CandidateContext
        Tables ``power``, ``fibre`` and ``poles``; its ledger takes a line for a layer that is absent.

    Returns
    -------
    GeoDataFrame
        A new table; NaN where a layer is empty. A pole with ``has_power`` True, or one that such a pole is merged in,
        has ``power_m`` 0.
    """
    poles = context.tables["poles"]
    powered = poles["has_power"].astype("boolean").fillna(False).to_numpy(bool)
    with_power = set(poles.index[powered].astype(str))
    is_pole = (sites["source"] == "pole").to_numpy(bool)
    mine = np.zeros(len(sites), bool)
    mine[is_pole] = sites["source_id"][is_pole].astype(str).isin(with_power).to_numpy()
    merged = np.flatnonzero(is_pole & ~mine & (sites["members"] != "").to_numpy(bool))
    for place, members in zip(merged, sites["members"].iloc[merged], strict=True):
        mine[place] = not with_power.isdisjoint(members.split("|"))
    away = {name: nearest_feature_m(sites.geometry, context.tables[name]) for name in ("power", "fibre")}
    away["power"] = with_power_on_poles(away["power"], mine)
    for name, words in (("power", "供电"), ("fibre", "光缆")):
        unknown = int(np.isnan(away[name]).sum())
        if unknown:
            context.ledger.add(name, "", f"共 {unknown} 行", f"{name}_m", "", "assumed",
                               f"没有{words}图层,候选站址到{words}的距离不明,接入线路的费用没有计入", f"提供{words}图层({name})")
    return sites.assign(power_m=np.round(away["power"], 1), fibre_m=np.round(away["fibre"], 1))
