"""Roads, rail and waterways judged section by section: which share of the length is covered, and where it is not."""

from __future__ import annotations

from typing import NamedTuple

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely
from numpy.typing import NDArray
from odc.geo.geobox import GeoBox

from siteplan.errors import CrsError, ModelError
from siteplan.gaps.judging.rules import LINE_LAYER_ZH, Rule
from siteplan.gaps.judging.verdicts import JUDGED, judge_shares
from siteplan.grid import inside, pixel_size_m

SECTION_COLUMNS = ["name", "layer", "rule", "length_m", "known_share", "length_share", *JUDGED, "worst_stretch_m"]
STRETCH_COLUMNS = ["section_id", "name", "layer", "length_m", "geometry"]
_LINES = (shapely.GeometryType.LINESTRING, shapely.GeometryType.LINEARRING, shapely.GeometryType.MULTILINESTRING)
_ROUNDING_M = 1e-6
Floats = NDArray[np.float64]
Numbers = NDArray[np.int64]


class LineResults(NamedTuple):
    """Lines judged by a rule.

    Attributes
    ----------
    sections : DataFrame
        Index ``section_id`` (``layer:name``, ``layer:#id`` where unnamed): ``name, layer, rule, length_m`` (inside the
        boundary), ``known_share`` (of the length), ``length_share`` (mean probability along the known part), ``verdict,
        shortfall`` (in share), ``reason, worst_stretch_m`` (longest uncovered stretch, 0 without one, NaN where nothing
        is known). A layer that the rule names and that has no usable line is one row without a length, not assessable.
    stretches : GeoDataFrame
        Index ``stretch_id``: ``section_id, name, layer, length_m``, the line; longest first.
    skipped : DataFrame
        Lines that are judged by nothing, on their index: ``name, layer, reason`` (Chinese).
    """

    sections: pd.DataFrame
    stretches: gpd.GeoDataFrame
    skipped: pd.DataFrame


class _Pieces(NamedTuple):
    """Pieces of lines, each within one pixel, in the order of the lines.

    ``part`` is the number of the line, ``length`` in CRS units, ``start`` and ``end`` (n, 2) its ends, ``corner``
    whether a vertex of the line is at the start, ``row`` and ``col`` the pixel (may lie off the grid).
    """

    part: Numbers
    length: Floats
    start: Floats
    end: Floats
    corner: NDArray[np.bool_]
    row: Numbers
    col: Numbers


def cut_at_pixels(lines: NDArray[np.object_], geobox: GeoBox) -> _Pieces:
    """Cut lines where they cross edges of pixels.

    Parameters
    ----------
    lines : ndarray of LineString
        In the CRS of the grid, none of them empty.
    geobox : GeoBox

    Returns
    -------
    _Pieces
        Their lengths add up to those of the lines. A piece along the edge of two pixels counts for the one to the
        east or south of it.

    Examples
    --------
    >>> grid = GeoBox.from_bbox((0, 0, 30, 10), crs="EPSG:4547", resolution=10)
    >>> pieces = cut_at_pixels(np.array([shapely.LineString([(5, 5), (25, 5)])]), grid)
    >>> pieces.length.tolist(), pieces.col.tolist()
    ([5.0, 10.0, 5.0], [0, 1, 2])
    """
    points, owner = shapely.get_coordinates(lines, return_index=True)
    ahead = np.flatnonzero(owner[1:] == owner[:-1])
    begin, step = points[ahead], points[ahead + 1] - points[ahead]
    affine = geobox.affine
    on_grid = (points - (affine.c, affine.f)) / (affine.a, affine.e)
    segment, at = [np.arange(len(ahead))], [np.zeros(len(ahead))]
    for axis in (0, 1):
        own, share = _crossings(on_grid[ahead, axis], on_grid[ahead + 1, axis])
        segment.append(own)
        at.append(share)
    owned, share = np.concatenate(segment), np.concatenate(at)
    order = np.lexsort((share, owned))
    owned, share = owned[order], share[order]
    until = np.ones(len(share))
    until[:-1] = np.where(owned[1:] == owned[:-1], share[1:], 1.0)
    length = (until - share) * np.hypot(*step.T)[owned]
    kept = length > _ROUNDING_M
    owned, share, until, length = owned[kept], share[kept], until[kept], length[kept]
    middle = begin[owned] + step[owned] * (0.5 * (share + until))[:, None]
    middle = (middle - (affine.c, affine.f)) / (affine.a, affine.e)
    col, row = np.floor(middle).astype(np.int64).T
    corner = np.ones(len(owned), bool)
    corner[1:] = owned[1:] != owned[:-1]
    return _Pieces(owner[ahead][owned], length, begin[owned] + step[owned] * share[:, None],
                   begin[owned] + step[owned] * until[:, None], corner, row, col)


def _crossings(start: Floats, end: Floats) -> tuple[Numbers, Floats]:
    """Segments that cross whole numbers between two coordinates, and at which share of their length."""
    low, high = np.floor(np.minimum(start, end)) + 1, np.ceil(np.maximum(start, end)) - 1
    count = np.maximum(high - low + 1, 0).astype(np.int64)
    own = np.repeat(np.arange(len(start)), count)
    nth = np.arange(len(own)) - np.repeat(np.cumsum(count) - count, count)
    return own, (low[own] + nth - start[own]) / (end - start)[own]


def assess_lines(lines: gpd.GeoDataFrame, probability: np.ndarray, geobox: GeoBox, rule: Rule, *,
                 boundary: gpd.GeoDataFrame | None = None, gap_probability: float = 0.75) -> LineResults:
    r"""Share of the length of each section that is covered, and its uncovered stretches.

    A section is all rows of one layer with the same name (a line that is there twice counts once), or a single row
    without one. Its share is
    :math:`\int p\,ds / \int ds` along its known part, by the exact length of the line in every pixel. The unknown part
    is tried both ways, as for areas.

    Parameters
    ----------
    lines : GeoDataFrame
        Unique index; ``layer`` (roads, rail, water), ``name`` and, for roads, ``road_class``; in the CRS of the grid.
    probability : ndarray, shape (rows, cols)
        Probability of coverage; NaN where unknown. What lies off the grid is unknown.
    geobox : GeoBox
    rule : Rule
        Of a share of lines.
    boundary : GeoDataFrame, optional
        Only what lies inside its polygons counts; without rows or when absent: everything.
    gap_probability : float
        A piece of line below it is uncovered; pieces in a row of more than one pixel's edge in all are a stretch.

    Returns
    -------
    LineResults

    Raises
    ------
    CrsError
        Lines and grid do not share a CRS.
    ModelError
        The rule is not about lines; the array does not fit the grid.

    Examples
    --------
    >>> from siteplan.gaps.judging.rules import rule_named
    >>> grid = GeoBox.from_bbox((0, 0, 40, 10), crs="EPSG:4547", resolution=10)
    >>> lines = gpd.GeoDataFrame({"name": ["京广线"], "layer": ["rail"]}, index=["L1"], crs="EPSG:4547",
    ...                          geometry=[shapely.LineString([(0, 5), (40, 5)])])
    >>> found = assess_lines(lines, np.array([[1.0, 0.0, 0.0, 1.0]]), grid, rule_named("line_share_95"))
    >>> found.sections.loc["rail:京广线", "reason"], found.stretches["length_m"].to_list()
    ('长度覆盖率50.0%,低于95%', [20.0])
    >>> found.sections.loc["roads:", "reason"]
    '缺道路图层(roads),无法判定'
    """
    if rule.measure != "line_share":
        raise ModelError(f"rule {rule.id} is not about lines")
    if np.shape(probability) != tuple(geobox.shape):
        raise ModelError(f"array of shape {np.shape(probability)} does not fit a geobox of shape {tuple(geobox.shape)}")
    if lines.empty:
        lines = lines.assign(layer="", name="")
    elif geobox.crs is None or lines.crs is None or (lines.crs.to_wkt() != geobox.crs.to_wkt()
                                                     and lines.crs != geobox.crs.proj):
        raise CrsError(f"lines are in {lines.crs}, the raster in {geobox.crs}: bring both into one CRS first")
    chosen, skipped = _chosen(lines, rule)
    parts, section, facts = _sections(chosen, boundary)
    pieces = cut_at_pixels(parts, geobox)
    chance = _along(pieces, probability, geobox)
    owner = section[pieces.part]
    around = _from_a_covered_piece(pieces, chance < gap_probability)
    stretches = _stretches(_Pieces._make(values[around] for values in pieces), chance[around] < gap_probability, owner,
                           facts, pixel_size_m(geobox)).set_crs(lines.crs)
    total, known, covered = (np.bincount(owner, weight, len(facts)) for weight in (
        pieces.length, pieces.length * ~np.isnan(chance), pieces.length * np.nan_to_num(chance)))
    share = pd.Series(np.divide(covered, known, out=np.full(len(facts), np.nan), where=known > 0), index=facts.index)
    part = np.divide(known, total, out=np.zeros(len(facts)), where=total > 0)
    part = np.where(part < 1.0 - 1e-6, part, 1.0)
    worst = stretches.groupby("section_id")["length_m"].max().reindex(facts.index).fillna(0.0)
    table = facts.assign(rule=rule.id, length_m=total, known_share=part, length_share=share,
                         worst_stretch_m=worst.where(known > 0))
    judged = judge_shares(share, table["known_share"], rule.minimum, "长度覆盖率")
    table = table.join(judged)[total > _ROUNDING_M]
    return LineResults(_with_absent(table, lines, chosen, rule)[SECTION_COLUMNS], stretches, skipped)


def _chosen(lines: gpd.GeoDataFrame, rule: Rule) -> tuple[gpd.GeoDataFrame, pd.DataFrame]:
    """Lines that the rule is about, and those of them that nothing can judge."""
    about = lines[lines["layer"].isin(rule.line_layers).to_numpy(bool)]
    kind = shapely.get_type_id(about.geometry.to_numpy())
    empty = (about.geometry.isna() | about.geometry.is_empty).to_numpy(bool)
    reason = np.where(empty, "没有几何", "").astype(object)
    reason[~empty & ~np.isin(kind, _LINES)] = "是面或点,不按线路判定"
    counts = np.ones(len(about), bool)
    if rule.line_classes:
        road = (about["layer"] == "roads").to_numpy(bool)
        given = about["road_class"] if "road_class" in about else pd.Series(None, index=about.index, dtype="object")
        words = given.astype("object").where(given.notna(), "").astype(str).str.strip().str.lower()
        main = words.str.removesuffix("_link").isin([word.lower() for word in rule.line_classes]).to_numpy(bool)
        reason[road & (words == "").to_numpy(bool) & (reason == "")] = "道路等级未注明,规则只判列出的等级"
        counts = ~road | main
    names = about["name"] if "name" in about else pd.Series(None, index=about.index, dtype="object")
    odd = reason != ""
    skipped = pd.DataFrame({"name": names[odd].fillna("").astype("str"), "layer": about.loc[odd, "layer"].astype("str"),
                            "reason": reason[odd]}, index=about.index[odd])
    return about.assign(name=names)[counts & ~odd], skipped


def _sections(lines: gpd.GeoDataFrame, boundary: gpd.GeoDataFrame | None,
              ) -> tuple[NDArray[np.object_], Numbers, pd.DataFrame]:
    """Simple lines inside the boundary, the number of the section of each, and the sections (sorted by id)."""
    name = lines["name"].astype("object").where(lines["name"].notna(), "").astype(str).str.strip()
    layer = lines["layer"].astype(str)
    ids = layer + ":" + name.where(name != "", "#" + lines.index.astype(str).to_series(index=lines.index))
    number, unique = pd.factorize(ids, sort=True)
    facts = pd.DataFrame({"name": name.to_numpy(), "layer": layer.to_numpy()}, index=ids.to_numpy())
    facts = facts[~facts.index.duplicated()].reindex(unique)
    facts.index = pd.Index(unique, name="section_id", dtype="str")
    parts, owner = shapely.get_parts(shapely.force_2d(lines.geometry.to_numpy()), return_index=True)
    section = number[owner].astype(np.int64)
    if boundary is not None and len(boundary):
        parts, section = _clipped(parts, section, boundary.geometry.union_all())
    if len(parts) == 0:
        return parts, section, facts
    same = pd.DataFrame({"section": section, "shape": shapely.to_wkb(shapely.normalize(parts))}).duplicated().to_numpy()
    parts, section = parts[~same], section[~same]
    order = np.argsort(section, kind="stable")
    held, place = np.unique(section[order], return_inverse=True)
    joined = shapely.line_merge(shapely.multilinestrings(parts[order], indices=place))
    parts, owner = shapely.get_parts(joined, return_index=True)
    return parts, held[owner], facts


def _clipped(parts: NDArray[np.object_], section: Numbers,
             boundary: shapely.Geometry) -> tuple[NDArray[np.object_], Numbers]:
    """What of the lines lies inside the boundary; only those that cross it are cut."""
    shapely.prepare(boundary)
    whole = shapely.covers(boundary, parts)
    crossing = ~whole & shapely.intersects(boundary, parts)
    cut, owner = shapely.get_parts(shapely.intersection(parts[crossing], boundary), return_index=True)
    usable = np.isin(shapely.get_type_id(cut), _LINES)
    pieces, inner = shapely.get_parts(cut[usable], return_index=True)
    return (np.concatenate([parts[whole], pieces]),
            np.concatenate([section[whole], section[crossing][owner[usable][inner]]]))


def _along(pieces: _Pieces, probability: np.ndarray, geobox: GeoBox) -> Floats:
    """Probability of each piece; NaN where unknown and off the grid."""
    out = np.full(len(pieces.length), np.nan)
    on = inside(geobox, pieces.row, pieces.col)
    out[on] = probability[pieces.row[on], pieces.col[on]]
    return out


def _from_a_covered_piece(pieces: _Pieces, weak: NDArray[np.bool_]) -> Numbers:
    """Order of the pieces in which a closed line does not begin within an uncovered stretch."""
    order = np.arange(len(weak))
    edges = np.flatnonzero(np.diff(pieces.part)) + 1
    first, last = np.append(0, edges)[:len(weak)], np.append(edges, len(weak))[:len(weak)]
    closed = (pieces.start[first] == pieces.end[last - 1]).all(axis=1)
    for start, end in zip(*(edge[closed & weak[first] & weak[last - 1]] for edge in (first, last)), strict=True):
        turn = int(np.argmin(weak[start:end]))
        order[start:end] = np.roll(order[start:end], -turn)
    return order


def _stretches(pieces: _Pieces, weak: NDArray[np.bool_], section: Numbers, facts: pd.DataFrame,
               pixel_m: float) -> gpd.GeoDataFrame:
    """Runs of uncovered pieces longer than a pixel, as lines; the longest first."""
    change = np.ones(len(weak), bool)
    change[1:] = (weak[1:] != weak[:-1]) | (pieces.part[1:] != pieces.part[:-1])
    run = np.cumsum(change) - 1
    first = np.flatnonzero(change)
    length = np.bincount(run, pieces.length, len(first))
    keep = weak[first] & (length > pixel_m + _ROUNDING_M)
    number = np.cumsum(keep) - 1
    own = keep[run]
    last = np.append(first[1:], len(weak))[keep] - 1
    corner = own & (pieces.corner | change)
    points = np.concatenate([pieces.start[corner], pieces.end[last]])
    owner = np.concatenate([number[run[corner]], np.arange(len(last))])
    order = np.argsort(owner, kind="stable")
    shapes = shapely.linestrings(points[order], indices=owner[order]) if len(last) else np.zeros(0, object)
    held = facts.iloc[section[last]]
    table = pd.DataFrame({"section_id": held.index.to_numpy(), "name": held["name"].to_numpy(),
                          "layer": held["layer"].to_numpy(), "length_m": length[keep]})
    middle = shapely.get_coordinates(shapely.line_interpolate_point(shapes, 0.5, normalized=True))
    ids = pd.Series([f"L-{x:.0f}-{y:.0f}" for x, y in middle], dtype="str")
    again = ids.groupby(ids).cumcount()
    ids = ids.where(again == 0, ids + "-" + (again + 1).astype("str"))
    found = gpd.GeoDataFrame(table, geometry=shapes)
    found.index = pd.Index(ids.to_numpy(), name="stretch_id", dtype="str")
    return found.sort_index().sort_values("length_m", ascending=False, kind="stable")[STRETCH_COLUMNS]


def _with_absent(table: pd.DataFrame, lines: gpd.GeoDataFrame, chosen: gpd.GeoDataFrame, rule: Rule) -> pd.DataFrame:
    """The sections, and a row that is not assessable for each layer of the rule without a usable line."""
    rows = {}
    for layer in rule.line_layers:
        zh = LINE_LAYER_ZH[layer]
        if not (lines["layer"] == layer).any():
            rows[f"{layer}:"] = (layer, f"缺{zh}图层({layer}),无法判定")
        elif not (chosen["layer"] == layer).any():
            rows[f"{layer}:"] = (layer, f"{zh}图层({layer})中没有规则所列的线路,无法判定")
    if not rows:
        return table
    absent = pd.DataFrame({
        "name": "", "layer": [layer for layer, _ in rows.values()], "rule": rule.id, "length_m": 0.0,
        "known_share": 0.0, "length_share": np.nan, "verdict": "not_assessable", "shortfall": np.nan,
        "reason": [reason for _, reason in rows.values()], "worst_stretch_m": np.nan,
    }, index=pd.Index(list(rows), name="section_id", dtype="str"))
    return absent if table.empty else pd.concat([table, absent])
