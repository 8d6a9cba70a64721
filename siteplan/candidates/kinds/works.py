"""Planned road works (道路工程) as an occasion for new poles, dug and put up with the road (同步开挖、同步安装)."""

from __future__ import annotations

from functools import lru_cache

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely
from numpy.typing import NDArray

from siteplan.candidates.context import CandidateContext, load_mounts
from siteplan.candidates.kinds.origins import Fact, origin_words, tell_rows
from siteplan.candidates.table import empty_sites, site_ids, sites_table, text
from siteplan.schema import layer_schema
from siteplan.tables import read_table

OWNER = "工程建设单位(名称待补)"
POLE_CLASS = "pole"
LEAST_SPACING_M = 20.0
"""New poles are never planned nearer to each other, m (about the shortest distance of street lamps)."""


@lru_cache(maxsize=4096)
def kind_of_works(kind: str, name: str = "") -> str:
    """Whether works are road works: ``road``, ``other``, or ``unknown`` where no word of ``tables/works.toml`` fits.

    The kind decides; the name only where the kind is empty or says nothing. The word that ends last counts.

    >>> kind_of_works("道路改造"), kind_of_works("雨污分流"), kind_of_works("", "滨河公路工程"), kind_of_works("技改")
    ('road', 'other', 'road', 'unknown')
    """
    table, verdicts = read_table("works"), {"roads": "road", "others": "other"}
    words = [(word, verdict) for key, verdict in verdicts.items() for word in table[key]["words"]]
    for told in (kind.casefold(), name.casefold()):
        hits = [(told.rfind(word) + len(word), len(word), verdict) for word, verdict in words if word in told]
        if hits:
            return max(hits)[2]
    return "unknown"


def line_points(shape: shapely.Geometry, spacing_m: float) -> NDArray[np.float64]:
    """Points along lines, or along the edges of areas, at a spacing.

    Parameters
    ----------
    shape : line or area
        Parts of a line that meet are joined. A ring has one point at its start.
    spacing_m : float
        Distance of the points along the line, m.

    Returns
    -------
    ndarray, shape (n, 2)
        Of each part: as many points as fit, with equal rests at both ends, so that it does not matter from which end it
        was drawn; they are numbered from the western (southern) end.

    Examples
    --------
    >>> line_points(shapely.LineString([(250, 0), (0, 0)]), 100.0).tolist()
    [[25.0, 0.0], [125.0, 0.0], [225.0, 0.0]]
    """
    lines = shapely.boundary(shape) if shapely.get_dimensions(shape) == 2 else shape
    parts = [part for part in shapely.get_parts(shapely.line_merge(lines)) if part.length > 0]
    found = []
    for part in sorted(parts, key=lambda part: sorted([part.coords[0], part.coords[-1]])):
        line = part if part.coords[0] <= part.coords[-1] else part.reverse()
        if line.is_ring:
            along = np.arange(max(1, int(line.length / spacing_m + 1e-9))) * spacing_m
        else:
            count = int(line.length / spacing_m + 1e-9) + 1
            along = (line.length - (count - 1) * spacing_m) / 2 + np.arange(count) * spacing_m
        along = np.clip(along, 0.0, line.length)  # a negative distance would count from the other end
        found.append(shapely.get_coordinates(shapely.line_interpolate_point(line, along)))
    return np.concatenate(found) if found else np.empty((0, 2))


def _days(works: gpd.GeoDataFrame) -> pd.DataFrame:
    return pd.DataFrame({name: pd.to_datetime(works[f"{name}_date"]) for name in ("start", "end")}, index=works.index)


def _window(start: pd.Timestamp, end: pd.Timestamp) -> str:
    """Words on when the road is open for digging."""
    words = [f"{day:%Y-%m-%d}{what}" for day, what in ((start, "开工"), (end, "完工")) if not pd.isna(day)]
    return "同步开挖窗口:" + (" 至 ".join(words) if words else "开工、完工日期未提供")


def road_works(context: CandidateContext) -> gpd.GeoDataFrame:
    """Road works that are still to come or going on; what else there is, is told in the ledger.

    Works without an end date count as going on. Without the day of the study nothing has ended.
    """
    works = context.tables["works"].sort_index()
    if works.empty:
        return works
    days = _days(works)
    kinds = np.array([kind_of_works(kind, name) for kind, name in zip(text(works["kind"]), text(works["name"]),
                                                                      strict=True)], dtype=object)
    ended = np.zeros(len(works), dtype=bool)
    if context.as_of is not None:
        ended = (days["end"] < pd.Timestamp(context.as_of)).to_numpy()
    road = (kinds == "road") & ~ended
    others = kinds == "other"
    point = shapely.get_dimensions(works.geometry.to_numpy()) == 0
    late = (days["start"] > days["end"]).to_numpy()
    tell_rows(context.ledger, "works", works[others], Fact(
        "kind", "note", "不是道路工程,不立杆,没有新杆候选", "属于道路工程时改正工程类型"),
        "、".join(sorted(set(text(works["kind"])[others]) - {""})))
    for where, fact in (
        (kinds == "unknown", Fact("kind", "note", "工程类型不明,没有新杆候选", "补填工程类型,例如 新建道路、道路改造")),
        ((kinds == "road") & ended, Fact("end_date", "note", f"道路工程在 {context.as_of} 前已完工,没有新杆候选",
                                         "未完工时改正完工日期")),
        (road & late, Fact("start_date", "note", "开工日期晚于完工日期,按完工日期判断", "核对开工、完工日期")),
        (road & days["end"].isna().to_numpy(), Fact("end_date", "assumed", "没有完工日期,按未完工计", "补填完工日期")),
        (road & point, Fact("geometry", "note", "道路工程只有一个点,不知走向,没有新杆候选", "提供道路工程的线或面")),
    ):
        tell_rows(context.ledger, "works", works[where], fact)
    return works[road & ~point]


def propose(context: CandidateContext) -> gpd.GeoDataFrame:
    """New poles along road works inside the boundary, as micro candidates.

    They stand at ``pole_spacing_m`` along lines, and along the edges of works drawn as areas, are as high as the
    default of the layer of poles, and belong to the class of poles. ``members`` holds the id of the works.
    """
    works = road_works(context)
    empty = empty_sites(context.tables["works"].crs)
    if works.empty:
        return empty
    spacing = max(context.params.pole_spacing_m, LEAST_SPACING_M)
    places = [line_points(shape, spacing) for shape in works.geometry]
    count = np.array([len(found) for found in places])
    xy = np.concatenate(places)
    number = np.concatenate([np.arange(1, n + 1) for n in count])
    row = np.repeat(np.arange(len(works)), count)
    area = context.boundary.geometry.union_all()
    shapely.prepare(area)
    inside = shapely.intersects_xy(area, xy[:, 0], xy[:, 1])
    away = np.bincount(row[inside], minlength=len(works)) == 0
    tell_rows(context.ledger, "works", works[away], Fact("geometry", "note", "道路工程在规划范围之外,没有新杆候选", "核对坐标"))
    row, number, xy = row[inside], number[inside], xy[inside]
    if not len(row):
        return empty
    pole, metres = load_mounts()["pole"], float(layer_schema("poles").fields["height_m"].default)
    days = _days(works)
    named = text(works["name"]).where(text(works["name"]) != "", "道路工程 " + works.index.astype("str")).to_numpy(object)
    origin = origin_words("works", works).to_numpy(object)
    windows = [_window(start, end) for start, end in zip(days["start"], days["end"], strict=True)]
    ids = works.index.astype("str").to_numpy(object)[row]
    keys = pd.Index([f"{work}-{at:03d}" for work, at in zip(ids, number, strict=True)], dtype="str")
    traits = context.class_columns(pd.Series(POLE_CLASS, index=keys))
    rows = traits.assign(
        name=[f"{named[i]} 新杆{at}" for i, at in zip(row, number, strict=True)], kind="micro", source="works",
        source_id=keys, build="new", owner=OWNER, department=traits["class_department"], mount="pole", opens="pole",
        antenna_height_m=max(metres + pole.raise_m, pole.min_antenna_m), cost_model="public_pole", members=ids,
        evidence=[f"{origin[i]};{windows[i]};新杆间距{spacing:g}米;杆高{metres:g}米按默认" for i in row])
    rows.index = site_ids("works", keys)
    return sites_table(rows, gpd.GeoSeries(gpd.points_from_xy(xy[:, 0], xy[:, 1]), crs=works.crs))
