"""What is doubtful about the polygons of villages and zones: told, never mended; each area counts its own land."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd
import scipy.sparse as sp
import shapely
from numpy.typing import NDArray
from odc.geo.geobox import GeoBox
from scipy.sparse.csgraph import connected_components

from siteplan.errors import ModelError
from siteplan.gaps.judging.shares import AreaPixels
from siteplan.gaps.people.demand import Demand
from siteplan.grid import pixel_size_m

Shapes = NDArray[np.object_]
Positions = NDArray[np.intp]

FAULT_ZH = {
    "no_geometry": "没有面", "duplicate": "重复", "same_name": "重名", "overlap": "重叠", "sliver": "碎面",
    "off_grid": "在计算范围之外", "partly_off_grid": "部分在计算范围之外", "unknown": "没有覆盖数据",
    "partly_unknown": "部分没有覆盖数据", "no_people": "人口为零", "multi_part": "多部分", "holes": "有洞",
}
"""Faults in the order in which they are told."""

_REMEDY = {
    "no_geometry": "补充面;没有面不能判定", "duplicate": "删去其中一个,或核对代码;现各算各的", "same_name": "核对名称和代码",
    "overlap": "核对边界;重叠部分在两处各算一次,合计时不要相加", "sliver": "核对是否数字化残留;不需要时删去",
    "off_grid": "核对坐标系和坐标,或加大 study.margin_m", "partly_off_grid": "核对边界,或加大 study.margin_m",
    "unknown": "补充地形、建筑等数据;现无法判定", "partly_unknown": "补充地形、建筑等数据;未知部分不算覆盖也不算未覆盖",
    "no_people": "核对人口数据;人口覆盖率为空,不按 0% 或 100% 计", "multi_part": "飞地无需修改;否则核对", "holes": "无需修改;若洞为误画请补上",
}

OVERLAP_WIDTH_M = 2.0
"""Overlaps narrower than this on average come from digitising and are not told; an editable default, not verified."""
_SAME = 0.99  # of the union in common: the same polygon twice
_SLIVER_PIXELS = 4.0
_ALL = 1e-4  # less than this part of an area beyond the grid, or unknown, is not told


def area_faults(areas: gpd.GeoDataFrame, geobox: GeoBox, demand: Demand | None = None,
                pixels: AreaPixels | None = None, probability: np.ndarray | None = None) -> pd.DataFrame:
    """Faults of a layer of areas that change what its numbers mean.

    Nothing is mended: of two areas that overlap each counts the land in common, so sums over areas count it twice.
    Land between areas is no fault.

    Parameters
    ----------
    areas : GeoDataFrame
        Polygons in the CRS of the grid, index unique; ``name`` and ``town`` are looked at where they are there.
    geobox : GeoBox
        The study grid.
    demand : Demand, optional
        Areas without people are told where people are what it counts; needs ``pixels``.
    pixels : AreaPixels, optional
        Of the areas.
    probability : ndarray, shape (rows, cols), optional
        Areas with pixels where it is NaN are told; needs ``pixels``.

    Returns
    -------
    DataFrame
        A row for each fault, by area and fault: ``area`` (id), ``fault`` (key of ``FAULT_ZH``), ``fault_zh``,
        ``other`` (id of the other area of a pair, else empty), ``figure`` (m2 of an overlap, a sliver or the land
        beyond or unknown; number of parts or holes; NaN without one), ``share`` (of the area; of an overlap: of the
        smaller one; NaN without one), ``reason`` and ``remedy`` (Chinese), ``action`` (``note``, as the input ledger
        has it).

    Raises
    ------
    ModelError
        Demand or probabilities without pixels, or pixels of other areas.

    Examples
    --------
    >>> grid = GeoBox.from_bbox((0, 0, 100, 100), crs="EPSG:4547", resolution=10)
    >>> areas = gpd.GeoDataFrame({"name": ["a", "b"]}, index=["1", "2"], crs="EPSG:4547",
    ...                          geometry=[shapely.box(0, 0, 60, 50), shapely.box(50, 0, 100, 50)])
    >>> area_faults(areas, grid)[["area", "fault", "other", "figure"]].to_numpy().tolist()
    [['1', 'overlap', '2', 500.0]]
    """
    if pixels is None and (demand is not None or probability is not None):
        raise ModelError("faults by demand or probability need the pixels of the areas")
    if pixels is not None and not pixels.index.equals(areas.index):
        raise ModelError("pixels and areas must share one index")
    shapes = np.asarray(areas.geometry.to_numpy(), dtype=object)
    there = ~(shapely.is_missing(shapes) | shapely.is_empty(shapes))
    found = [_rows("no_geometry", areas, np.flatnonzero(~there), "没有面")]
    found += _pair_faults(areas, shapes)
    found += _same_names(areas)
    found += _shape_faults(areas, shapes, np.flatnonzero(there), geobox)
    if pixels is not None:
        found += _pixel_faults(areas, np.flatnonzero(there), pixels, demand, probability)
    table = pd.DataFrame([row for rows in found for row in rows], columns=_COLUMNS)
    order = table["fault"].map({fault: number for number, fault in enumerate(FAULT_ZH)})
    table = table.assign(order=order).sort_values(["area", "order", "other"], kind="stable").drop(columns="order")
    return table.reset_index(drop=True).astype({"figure": np.float64, "share": np.float64})


_COLUMNS = ["area", "fault", "fault_zh", "other", "figure", "share", "reason", "remedy", "action"]
Rows = list[Mapping[str, Any]]


def _row(fault: str, area: object, reason: str, figure: float = np.nan, share: float = np.nan, other: object = "",
         ) -> Mapping[str, Any]:
    return {"area": str(area), "fault": fault, "fault_zh": FAULT_ZH[fault], "other": str(other), "figure": figure,
            "share": share, "reason": reason, "remedy": _REMEDY[fault], "action": "note"}


def _rows(fault: str, areas: gpd.GeoDataFrame, where: Positions, reason: str) -> Rows:
    return [_row(fault, areas.index[k], reason) for k in where]


def _named(areas: gpd.GeoDataFrame, position: int) -> str:
    """Name and id of an area."""
    name = areas["name"].iloc[position] if "name" in areas else None
    code = str(areas.index[position])
    return f"{name}({code})" if isinstance(name, str) and name else code


def _percent(share: float) -> str:
    """A share above 0 that never reads as 0 %, one below 1 that never reads as 100 %."""
    if share < 0.001:
        return "不到0.1%"
    return f"{min(100 * share, 99.9 if share < 1 else 100.0):.1f}%"


def overlapping_pairs(shapes: Shapes, width_m: float = OVERLAP_WIDTH_M) -> pd.DataFrame:
    """Pairs of polygons whose common land is at least so wide on average.

    Parameters
    ----------
    shapes : ndarray of polygons
        None and empty ones overlap nothing.
    width_m : float
        Narrower overlaps (twice the area by the perimeter) are left out.

    Returns
    -------
    DataFrame
        ``left, right`` (positions, left < right), ``area_m2`` of the common land, ``share`` of the smaller area that
        it takes, ``alike`` (common land by the union).
    """
    tree = shapely.STRtree(shapes)
    left, right = tree.query(shapes)
    once = left < right
    left, right = left[once], right[once]
    low = np.maximum(*(shapely.bounds(shapes[side])[:, :2] for side in (left, right)))
    high = np.minimum(*(shapely.bounds(shapes[side])[:, 2:] for side in (left, right)))
    wide = ((high - low) >= width_m / 2).all(axis=1)
    left, right = left[wide], right[wide]
    own = shapes.copy()
    shapely.prepare(own)
    deep = ~shapely.touches(own[left], own[right])
    left, right = left[deep], right[deep]
    common = shapely.intersection(shapes[left], shapes[right])
    area, edge = shapely.area(common), shapely.length(common)
    size = shapely.area(shapes)
    table = pd.DataFrame({"left": left, "right": right, "area_m2": area,
                          "share": area / np.minimum(size[left], size[right]),
                          "alike": area / (size[left] + size[right] - area)})
    told = 2.0 * area >= width_m * edge
    return table[told & (area > 0)].sort_values(["left", "right"], ignore_index=True)


def _pair_faults(areas: gpd.GeoDataFrame, shapes: Shapes) -> list[Rows]:
    """Duplicates and overlaps."""
    rows: Rows = []
    for pair in overlapping_pairs(shapes).itertuples(index=False):
        one, other = _named(areas, pair.left), _named(areas, pair.right)
        if pair.alike >= _SAME:
            fault, reason = "duplicate", f"{one}与{other}的面几乎相同({_percent(pair.alike)}重合)"
        else:
            fault = "overlap"
            reason = f"{one}与{other}重叠{pair.area_m2:.0f}平方米,占较小者{_percent(pair.share)}"
        rows.append(_row(fault, areas.index[pair.left], reason, pair.area_m2, pair.share, areas.index[pair.right]))
    return [rows]


def _same_names(areas: gpd.GeoDataFrame) -> list[Rows]:
    """The same name in the same town more than once; one row for each after the first."""
    if "name" not in areas:
        return []
    name = areas["name"].astype("str").where(areas["name"].notna(), "").str.strip().to_numpy(dtype=object)
    town = areas["town"].astype("str").where(areas["town"].notna(), "").str.strip().to_numpy(dtype=object) \
        if "town" in areas else np.full(len(areas), "", dtype=object)
    keys = pd.DataFrame({"town": town, "name": name, "code": areas.index.astype(str)})
    twice = keys[(keys["name"] != "") & keys.duplicated(["town", "name"], keep=False)]
    rows: Rows = []
    for (where, called), codes in twice.groupby(["town", "name"])["code"]:
        first, *others = codes
        rows += [_row("same_name", code, f"{where}有{len(codes)}个{called}:{'、'.join(codes)}", other=first)
                 for code in others]
    return [rows]


def _shape_faults(areas: gpd.GeoDataFrame, shapes: Shapes, there: Positions, geobox: GeoBox) -> list[Rows]:
    """Slivers, parts, holes, and what lies off the grid."""
    pixel_m = pixel_size_m(geobox)
    own = shapes[there]
    area, edge = shapely.area(own), shapely.length(own)
    width = np.divide(2.0 * area, edge, out=np.zeros(len(own)), where=edge > 0)
    small = (area < _SLIVER_PIXELS * pixel_m ** 2) | (width < pixel_m)
    box = geobox.boundingbox
    bounds = shapely.bounds(own)
    beyond = (bounds[:, 0] < box.left) | (bounds[:, 1] < box.bottom) | (bounds[:, 2] > box.right) | \
        (bounds[:, 3] > box.top)
    on_grid = area.copy()
    on_grid[beyond] = shapely.area(shapely.intersection(own[beyond], shapely.box(*box.bbox)))
    off = np.divide(area - on_grid, area, out=np.zeros(len(own)), where=area > 0)
    parts, belongs = shapely.get_parts(own, return_index=True)
    holes = np.bincount(belongs, shapely.get_num_interior_rings(parts), len(own)).astype(int)
    count = _separate_parts(parts, belongs, len(own))
    rows: Rows = []
    for k in np.flatnonzero(small | (off > _ALL) | (count > 1) | (holes > 0)):
        code, name = areas.index[there[k]], _named(areas, there[k])
        if small[k]:
            rows.append(_row("sliver", code, f"{name}面积{area[k]:.0f}平方米,平均宽{width[k]:.1f}米,"
                             f"不足{_SLIVER_PIXELS:g}个像元或窄于一个像元({pixel_m:g}米)", area[k]))
        if on_grid[k] <= 0:
            rows.append(_row("off_grid", code, f"{name}全部在计算范围之外,无法判定", area[k], 1.0))
        elif off[k] > _ALL:
            rows.append(_row("partly_off_grid", code, f"{name}有{_percent(off[k])}在计算范围之外,按未知处理",
                             area[k] - on_grid[k], off[k]))
        if count[k] > 1:
            rows.append(_row("multi_part", code, f"{name}由{count[k]}块组成,合并计算", float(count[k])))
        if holes[k] > 0:
            rows.append(_row("holes", code, f"{name}有{holes[k]}个洞,洞内不计", float(holes[k])))
    return [rows]


def _separate_parts(parts: Shapes, belongs: Positions, count: int) -> NDArray[np.intp]:
    """Number of parts of each area that do not touch one another."""
    out = np.bincount(belongs, minlength=count)
    several = np.flatnonzero(out > 1)
    some = np.flatnonzero(np.isin(belongs, several))
    if len(some):
        left, right = shapely.STRtree(parts[some]).query(parts[some], predicate="intersects")
        same = belongs[some][left] == belongs[some][right]
        links = sp.coo_matrix((np.ones(int(same.sum())), (left[same], right[same])), shape=(len(some),) * 2)
        _, label = connected_components(links, directed=False)
        _, first = np.unique(label, return_index=True)
        out[several] = np.bincount(belongs[some][first], minlength=count)[several]
    return np.asarray(out, dtype=np.intp)


def _pixel_faults(areas: gpd.GeoDataFrame, there: Positions, pixels: AreaPixels, demand: Demand | None,
                  probability: np.ndarray | None) -> list[Rows]:
    """Unknown coverage and areas without people."""
    rows: Rows = []
    held = pixels.sums(np.ones(tuple(pixels.geobox.shape), np.int8)).to_numpy()[there]
    if probability is not None:
        known = pixels.sums(~np.isnan(probability)).to_numpy()[there]
        unknown = np.divide(held - known, held, out=np.zeros(len(held)), where=held > 0)
        pixel_area = pixel_size_m(pixels.geobox) ** 2
        for k in np.flatnonzero(unknown > _ALL):
            code, name = areas.index[there[k]], _named(areas, there[k])
            lack = (held[k] - known[k]) * pixel_area
            if known[k] <= 0:
                rows.append(_row("unknown", code, f"{name}没有覆盖数据,无法判定", lack, 1.0))
            else:
                rows.append(_row("partly_unknown", code, f"{name}有{_percent(unknown[k])}没有覆盖数据", lack, unknown[k]))
    if demand is not None and demand.kind == "people":
        people = pixels.sums(demand.per_pixel).to_numpy()[there]
        rows += [_row("no_people", areas.index[there[k]], f"{_named(areas, there[k])}人口为零,没有人口覆盖率", 0.0)
                 for k in np.flatnonzero((people <= 0) & (held > 0))]
    return [rows]
