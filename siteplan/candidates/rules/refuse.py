"""Refusals and flags: how a candidate is told what rules it breaks, and where candidates lie."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely
from numpy.typing import ArrayLike, NDArray
from scipy import ndimage

from siteplan.candidates.rules.rule_table import SiteRule, site_rules
from siteplan.errors import ModelError
from siteplan.grid import inside, pixel_of
from siteplan.surface import Surface

SECRET = "secrecy"
"""Code of the rule beside which nothing else is told."""


class Hits(NamedTuple):
    """Candidates that break one rule.

    Attributes
    ----------
    rows : ndarray of int, shape (n,)
        Row numbers of the sites table, each once.
    reasons : sequence of str, length n
        A Chinese sentence for each.
    """

    rows: NDArray[np.int64]
    reasons: Sequence[str]


def hits_where(where: np.ndarray, reason: str) -> Hits:
    """Hits of one sentence for all rows that are marked."""
    rows = np.flatnonzero(where)
    return Hits(rows, [reason] * len(rows))


def metres(values: ArrayLike) -> list[str]:
    """Distances as they are told, cut (not rounded) to decimetres, so that a distance never reads as its limit.

    >>> metres([35.0, 49.97])
    ['35', '49.9']
    """
    return [f"{value:g}" for value in np.floor(np.asarray(values, float) * 10 + 1e-6) / 10]


def _appended(old: np.ndarray, rows: np.ndarray, words: Sequence[str], between: str) -> np.ndarray:
    """Texts with words appended in some rows."""
    out = old.copy()
    out[rows] = [f"{text}{between}{word}" if text else word for text, word in zip(old[rows], words, strict=True)]
    return out


def _new(old: np.ndarray, hits: Hits, code: str) -> Hits:
    """The hits without those of rows that have the code already, or that are secret."""
    fresh = np.array([code not in (held := text.split("|")) and SECRET not in held for text in old[hits.rows]], bool)
    return Hits(hits.rows[fresh], np.asarray(hits.reasons, object)[fresh].tolist())


def mark(sites: gpd.GeoDataFrame, broken: Iterable[tuple[SiteRule, Hits]]) -> gpd.GeoDataFrame:
    """The table with what the rules found, by the effect of each rule.

    Parameters
    ----------
    sites : GeoDataFrame
        The sites table; existing sites are left alone.
    broken : iterable of (SiteRule, Hits)
        In the order in which codes and sentences are to stand.

    Returns
    -------
    GeoDataFrame
        A new table. Refusing: ``status`` refused, the code in ``refusal_code`` (joined by ``|``), the sentence in
        ``reason`` (joined by ``;``). Flagging: the code in ``flags``, the sentence after ``提示:`` in ``evidence``.
        A code that a row has already is not told again; a secret site tells nothing but that.
    """
    text = {name: sites[name].to_numpy(object) for name in ("refusal_code", "reason", "flags", "evidence")}
    open_to = (sites["status"] != "existing").to_numpy(dtype=bool)
    for rule, found in broken:
        if rule.effect == "off":
            continue
        kept = open_to[found.rows]
        hits = Hits(found.rows[kept], np.asarray(found.reasons, object)[kept].tolist())
        if rule.effect == "flag":
            hits = _new(text["flags"], hits, rule.id)
            text["flags"] = _appended(text["flags"], hits.rows, [rule.id] * len(hits.rows), "|")
            text["evidence"] = _appended(text["evidence"], hits.rows, [f"提示:{word}" for word in hits.reasons], ";")
            continue
        hits = _new(text["refusal_code"], hits, rule.id)
        if rule.id == SECRET:
            text = {**text, **{name: text[name].copy() for name in ("refusal_code", "reason")}}
            text["refusal_code"][hits.rows] = ""
            text["reason"][hits.rows] = ""
        text["refusal_code"] = _appended(text["refusal_code"], hits.rows, [rule.id] * len(hits.rows), "|")
        text["reason"] = _appended(text["reason"], hits.rows, hits.reasons, ";")
    refused = open_to & (text["refusal_code"] != "")
    columns = {name: pd.array(values, dtype=sites[name].dtype) for name, values in text.items()}
    return sites.assign(**columns, status=pd.array(np.where(refused, "refused", sites["status"].to_numpy(object)),
                                                   dtype=sites["status"].dtype))


def refuse(sites: gpd.GeoDataFrame, where: np.ndarray, code: str, reasons: str | Sequence[str],
           rules: Mapping[str, SiteRule] | None = None) -> gpd.GeoDataFrame:
    """The table with these candidates refused (or flagged, as the effect of the rule is); see :func:`mark`.

    Parameters
    ----------
    sites : GeoDataFrame
    where : ndarray of bool, shape (sites,)
    code : str
        Code of the rule; its ``kinds``, ``mounts`` and ``sources`` are heeded.
    reasons : str or sequence of str
        One sentence for all, or one for each row of the table.
    rules : mapping of str to SiteRule, optional
        Those of the study; the package's when absent.

    Raises
    ------
    ModelError
        There is no rule of that code.
    """
    known = site_rules() if rules is None else rules
    if code not in known:
        raise ModelError(f"there is no rule {code!r}; known: {', '.join(known)}")
    rows = np.flatnonzero(np.asarray(where, dtype=bool) & known[code].applies_to(sites))
    words = [reasons] * len(rows) if isinstance(reasons, str) else np.asarray(reasons, object)[rows].tolist()
    return mark(sites, [(known[code], Hits(rows, words))])


def outside_boundary(sites: gpd.GeoDataFrame, boundary: gpd.GeoDataFrame) -> np.ndarray:
    """Candidates outside the study boundary."""
    area = boundary.geometry.union_all()
    shapely.prepare(area)
    return ~shapely.covers(area, sites.geometry.to_numpy())


def inside_polygons(sites: gpd.GeoDataFrame, areas: gpd.GeoDataFrame) -> pd.Series:
    """Name of the area each site lies in ("" where none), its edge included; the first by id where several do."""
    names = pd.Series("", index=sites.index)
    solid = areas[areas.geometry.geom_type.isin(["Polygon", "MultiPolygon"])].sort_index()
    if solid.empty or sites.empty:
        return names
    # the polygons are the ones to prepare: they are few, and each is asked about many points
    polygon, point = sites.geometry.sindex.query(solid.geometry.to_numpy(), predicate="covers")
    first = pd.Series(polygon).groupby(point).min()
    label = solid["name"].astype("str").where(solid["name"].notna(), solid.index.astype("str")).to_numpy()
    names.iloc[first.index.to_numpy()] = label[first.to_numpy()]
    return names


def gap_distance_m(gap: np.ndarray, surface: Surface) -> np.ndarray:
    """Distance of every pixel to the nearest gap pixel, m; infinite where there is none."""
    if not gap.any():
        return np.full(gap.shape, np.inf)
    distance: np.ndarray = ndimage.distance_transform_edt(~gap)
    distance *= surface.pixel_m
    return distance


def far_from_gap(sites: gpd.GeoDataFrame, distance_m: np.ndarray, surface: Surface, radius_m: np.ndarray) -> np.ndarray:
    """Sites with no gap pixel within their planning radius; ``distance_m`` is :func:`gap_distance_m`."""
    rows, cols = pixel_of(surface.geobox, sites.geometry.x.to_numpy(), sites.geometry.y.to_numpy())
    on = inside(surface.geobox, rows, cols)
    far = np.ones(len(sites), dtype=bool)
    far[on] = distance_m[rows[on], cols[on]] > radius_m[on]
    return far


def unknown_ground(sites: gpd.GeoDataFrame, surface: Surface) -> np.ndarray:
    """Sites off the grid or on pixels whose ground is unknown."""
    rows, cols = pixel_of(surface.geobox, sites.geometry.x.to_numpy(), sites.geometry.y.to_numpy())
    on = inside(surface.geobox, rows, cols)
    out = np.ones(len(sites), dtype=bool)
    out[on] = ~surface.known[rows[on], cols[on]]
    return out


def slope_deg(sites: gpd.GeoDataFrame, surface: Surface) -> np.ndarray:
    """Slope of the ground at each site, degrees; NaN off the grid and beside unknown ground.

    Central differences over the two neighbours of the pixel in either direction, one-sided at the edge of the grid, as
    ``numpy.gradient`` takes them.
    """
    height, width = surface.geobox.shape
    rows, cols = pixel_of(surface.geobox, sites.geometry.x.to_numpy(), sites.geometry.y.to_numpy())
    on = inside(surface.geobox, rows, cols)
    row, col = rows[on], cols[on]
    out = np.full(len(sites), np.nan)
    if height < 2 or width < 2:
        return out
    north, south = np.maximum(row - 1, 0), np.minimum(row + 1, height - 1)
    west, east = np.maximum(col - 1, 0), np.minimum(col + 1, width - 1)
    ground, known = surface.ground_m, surface.known
    across = (ground[row, east].astype(float) - ground[row, west]) / ((east - west) * surface.pixel_m)
    along = (ground[south, col].astype(float) - ground[north, col]) / ((south - north) * surface.pixel_m)
    sure = known[row, col] & known[row, east] & known[row, west] & known[south, col] & known[north, col]
    out[on] = np.where(sure, np.degrees(np.arctan(np.hypot(across, along))), np.nan)
    return out
