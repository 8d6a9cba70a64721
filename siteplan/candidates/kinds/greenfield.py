"""Towers on open land: only where the land-use code of the parcel permits them, and last in preference."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely
from numpy.typing import NDArray

from siteplan.candidates.context import CandidateContext
from siteplan.candidates.kinds.origins import origin_words
from siteplan.candidates.rules.land_use import PERMITS_ZH, land_use_table
from siteplan.candidates.table import empty_sites, site_ids, sites_table, text
from siteplan.grid import pixel_xy
from siteplan.tables import read_table

LAND_CLASS = "open_land"
"""Venue class of open land: nothing says that it is public."""
_FEW_CODES = 30


def site_area() -> Mapping[str, Any]:
    """Land that a tower takes: ``area_m2``, and in words where that comes from.

    >>> site_area()["area_m2"]
    100.0
    """
    found: Mapping[str, Any] = read_table("land_use")["site"]
    return found


def _cells_of(values: NDArray[np.float64], cell_m: float) -> NDArray[np.int64]:
    return np.floor(values / cell_m).astype(np.int64)


def _box(col: NDArray[np.int64], row: NDArray[np.int64], cell_m: float) -> NDArray[np.object_]:
    found: NDArray[np.object_] = shapely.box(col * cell_m, row * cell_m, (col + 1) * cell_m, (row + 1) * cell_m)
    return found


def cut_by_cells(shapes: NDArray[np.object_], cell_m: float) -> pd.DataFrame:
    """Pieces of areas in the cells of a grid that lies at multiples of ``cell_m``.

    Parameters
    ----------
    shapes : ndarray of polygon, shape (n,)
    cell_m : float
        Edge of a cell, m.

    Returns
    -------
    DataFrame
        ``number`` (of the shape), ``col, row`` (of the cell, from the origin of the CRS), ``shape``; pieces without
        area are left out.

    Examples
    --------
    >>> cut_by_cells(np.array([shapely.box(90, 10, 120, 20)]), 100.0)[["number", "col", "row"]].values.tolist()
    [[0, 0, 0], [0, 1, 0]]
    """
    low, high = np.split(_cells_of(shapely.bounds(shapes), cell_m), 2, axis=1)
    width = high - low + 1
    count = width.prod(axis=1)
    number = np.repeat(np.arange(len(shapes)), count)
    place = np.arange(len(number)) - np.repeat(np.cumsum(count) - count, count)
    col, row = low[number, 0] + place % width[number, 0], low[number, 1] + place // width[number, 0]
    pieces, cut = shapes[number], count[number] > 1
    pieces[cut] = shapely.intersection(pieces[cut], _box(col[cut], row[cut], cell_m))
    table = pd.DataFrame({"number": number, "col": col, "row": row, "shape": pieces})
    return table[shapely.area(pieces) > 0].reset_index(drop=True)


def without_buildings(shapes: NDArray[np.object_], buildings: gpd.GeoDataFrame) -> NDArray[np.object_]:
    """What of each area no building stands on."""
    out: NDArray[np.object_] = shapes.copy()
    if buildings.empty or not len(shapes):
        return out
    place, house = buildings.sindex.query(shapes, predicate="intersects")
    order = np.argsort(place, kind="stable")
    place, houses = place[order], buildings.geometry.to_numpy()[house[order]]
    built, starts = np.unique(place, return_index=True)
    if len(built):
        unions = [shapely.union_all(part) for part in np.split(houses, starts[1:])]
        out[built] = shapely.difference(out[built], np.array(unions, dtype=object))
    return out


def gap_cells(context: CandidateContext, cell_m: float) -> pd.MultiIndex:
    """Cells (col, row) with at least one pixel of a gap, in order."""
    rows, cols = context.gap.shape
    geobox = context.surface.geobox
    x, _ = pixel_xy(geobox, np.zeros(cols, dtype=int), np.arange(cols))
    _, y = pixel_xy(geobox, np.arange(rows), np.zeros(rows, dtype=int))
    found = context.gap
    keys = []
    for axis, values in ((0, y), (1, x)):
        cell = _cells_of(values, cell_m)
        starts = np.r_[0, np.flatnonzero(np.diff(cell)) + 1]
        found = np.logical_or.reduceat(found, starts, axis=axis)
        keys.append(cell[starts])
    at_row, at_col = np.nonzero(found)
    return pd.MultiIndex.from_arrays([keys[1][at_col], keys[0][at_row]], names=["col", "row"]).sort_values()


def _keys(cells: pd.DataFrame) -> pd.Index:
    return pd.Index([f"{col}-{row}" for col, row in zip(cells["col"], cells["row"], strict=True)], dtype="str")


def _chosen(parcels: gpd.GeoDataFrame, cell_m: float, context: CandidateContext) -> pd.DataFrame:
    """The best permitted piece of open land in every cell: order of its use, then area, then id of the parcel."""
    pieces = cut_by_cells(parcels.geometry.to_numpy(), cell_m)
    bare = without_buildings(pieces["shape"].to_numpy(), context.tables["buildings"])
    pieces = pieces.assign(shape=bare, area_m2=np.round(shapely.area(bare), 1))
    small = pieces["area_m2"] < site_area()["area_m2"]
    full = ~np.isin(np.arange(len(parcels)), pieces.loc[~small, "number"].to_numpy())
    if full.any():
        context.ledger.add("parcels", "", f"共 {int(full.sum())} 行", "geometry", "", "note",
                           f"用地性质允许,但除去建筑后空地不足{site_area()['area_m2']:g}平方米,没有落地塔候选", "核对地块和建筑")
    pieces = pieces[~small].assign(order=lambda table: parcels["order"].to_numpy()[table["number"]])
    pieces = pieces.sort_values(["col", "row", "order", "area_m2", "number"], ascending=[True, True, True, False, True])
    return pieces.drop_duplicates(["col", "row"])


def _refused(parcels: gpd.GeoDataFrame, cells: pd.MultiIndex, cell_m: float) -> pd.DataFrame:
    """For cells with a gap and without permitted land, the parcel that comes nearest to it; each parcel once.

    Parcels that may be asked for come first, then the greater piece in the cell, then the id.
    """
    col, row = (cells.get_level_values(name).to_numpy(dtype=np.int64) for name in ("col", "row"))
    box = _box(col, row, cell_m)
    cell, parcel = parcels.sindex.query(box, predicate="intersects")
    piece = shapely.intersection(parcels.geometry.to_numpy()[parcel], box[cell])
    table = pd.DataFrame({"number": parcel, "col": col[cell], "row": row[cell], "shape": piece,
                          "area_m2": np.round(shapely.area(piece), 1),
                          "no": (parcels["permits"] != "ask").to_numpy()[parcel]})
    table = table[table["area_m2"] > 0].sort_values(["no", "area_m2", "number", "col", "row"],
                                                    ascending=[True, False, True, True, True])
    table = table.drop_duplicates(["col", "row"]).drop_duplicates("number")
    return table.sort_values(["col", "row"])


def _rows(cells: pd.DataFrame, parcels: gpd.GeoDataFrame, cell_m: float, context: CandidateContext) -> gpd.GeoDataFrame:
    """Sites of the chosen pieces, open or refused by what their use permits."""
    keys, mine = _keys(cells), parcels.iloc[cells["number"].to_numpy()]
    names, bad = mine.index.astype("str").to_numpy(object), (mine["permits"] != "yes").to_numpy()
    traits = context.class_columns(pd.Series(LAND_CLASS, index=keys))
    origin, site = origin_words("parcels", mine).to_numpy(object), site_area()
    words = [f"{where};编号 {name},用地性质 {code or '未提供'} {zh}".rstrip() + f"({PERMITS_ZH[permits]});{cell_m:g}米网格内取一处"
             for where, name, code, zh, permits in zip(
                 origin, names, text(mine["land_use_code"]), mine["zh"], mine["permits"], strict=True)]
    land = ["" if barred else f";空地{area:.0f}平方米(已扣除建筑);{site['zh']},{site['basis']}"
            for area, barred in zip(cells["area_m2"], bad, strict=True)]
    mounts = context.roof_mounts(pd.Series(np.nan, index=keys))
    rows = traits.assign(
        name=[f"地块 {name} 落地塔" for name in names], kind="macro", source="greenfield", source_id=keys, build="new",
        department=context.venues.departments["natural"].zh, opens="ground", cost_model="open_land",
        status=np.where(bad, "refused", "candidate"), refusal_code=np.where(bad, "land_use", ""),
        reason=np.where(bad, mine["reason"].to_numpy(object), ""),
        evidence=[told + more for told, more in zip(words, land, strict=True)],
    ).join(mounts)
    rows.index = site_ids("greenfield", keys)
    return sites_table(rows, gpd.GeoSeries(shapely.point_on_surface(cells["shape"].to_numpy(object)), crs=parcels.crs))


def _tell_codes(parcels: gpd.GeoDataFrame, shown: int, context: CandidateContext) -> None:
    """How many parcels no tower may stand on, by land-use code; what is not known, line by line."""
    barred = parcels[(parcels["permits"] != "yes").to_numpy()]
    if barred.empty:
        return
    known = (barred["code"] != "").to_numpy()
    if known.any():
        count = barred["code"][known].value_counts()
        told = "、".join(f"{code} {int(count[code])}块" for code in sorted(count.index)[:_FEW_CODES])
        context.ledger.add("parcels", "", f"共 {int(known.sum())} 行", "land_use_code", told, "note",
                           f"用地性质不允许或须先征得同意,不作落地塔候选;覆盖空洞处列出 {shown} 块", "规则见 tables/land_use.toml")
    strange = text(barred["land_use_code"])[~known]
    for code, number in sorted(strange.value_counts().items(), key=lambda pair: str(pair[0]))[:_FEW_CODES]:
        context.ledger.add("parcels", "", f"共 {number} 行", "land_use_code", code, "note",
                           "用地性质不认识,不作落地塔候选" if code else "用地性质未提供,不作落地塔候选",
                           "按用地用海分类或 GB 50137 改写代码")


def propose(context: CandidateContext) -> gpd.GeoDataFrame:
    """Towers on permitted land, one for each cell of ``greenfield_spacing_m``, as macro candidates of the last tier.

    In a cell the parcel whose use comes first in ``tables/land_use.toml`` is taken, of these the one with the most
    open land in the cell; the site is a point on it, off the buildings. Of the parcels that are not permitted, one is
    kept as refused (``land_use``) for each cell that has a gap and no permitted land, and no parcel more than once: so
    many rows at most as there are cells, however many parcels a city has. The others are counted in the ledger by
    code. Cells depend on the coordinates only: the same place keeps its id. Without parcels there is no such candidate.
    """
    every = context.tables["parcels"].sort_index()
    if every.empty:
        context.ledger.add("parcels", "", "", "", "", "note", "没有地块图层,不知用地性质,不提出新征用地的落地塔候选",
                           "提供 parcels 图层(地块编号、用地性质代码)")
        return empty_sites(every.crs)
    parcels = every[every["inside"].fillna(True).to_numpy(dtype=bool)]
    parcels = parcels.join(land_use_table(text(parcels["land_use_code"])))
    cell_m = context.params.greenfield_spacing_m
    good = (parcels["permits"] == "yes").to_numpy()
    chosen, open_land = _chosen(parcels[good], cell_m, context), parcels[good]
    left = gap_cells(context, cell_m).difference(pd.MultiIndex.from_frame(chosen[["col", "row"]]))
    barred = _refused(parcels[~good], left, cell_m)
    _tell_codes(parcels, len(barred), context)
    parts = [_rows(cells, table, cell_m, context) for cells, table in ((chosen, open_land), (barred, parcels[~good]))
             if len(cells)]
    return gpd.GeoDataFrame(pd.concat(parts), crs=every.crs) if parts else empty_sites(every.crs)
