"""Complaints of weak signal: which of them count, what they weigh, and what there is to tell of them."""

from __future__ import annotations

import datetime as dt
import re
import unicodedata

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely
from numpy.typing import NDArray
from odc.geo.geobox import GeoBox
from scipy.sparse import csr_matrix
from scipy.sparse.csgraph import connected_components
from scipy.spatial import cKDTree

from siteplan.errors import CrsError, ModelError
from siteplan.grid import inside, pixel_of
from siteplan.input_ledger import LedgerLine
from siteplan.params import GapParams
from siteplan.tables import read_table

_NO_WORD = re.compile(r"[\W_]+")
_NAMED = 5
"""A note names so many rows."""


def complaint_xy(complaints: gpd.GeoDataFrame) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Easting and northing of each complaint, m; NaN without a place."""
    points = np.asarray(complaints.geometry.array, dtype=object)
    return shapely.get_x(points), shapely.get_y(points)


def check_crs(table: gpd.GeoDataFrame, geobox: GeoBox) -> None:
    """CrsError unless a table lies in the CRS of a grid."""
    if table.crs is None or geobox.crs is None or (table.crs != geobox.crs.proj
                                                   and table.crs.to_wkt() != geobox.crs.to_wkt()):
        raise CrsError(f"the table is in {table.crs}, the grid in {geobox.crs}: bring both into one CRS first")


def is_inside(complaints: gpd.GeoDataFrame) -> NDArray[np.bool_]:
    """False for complaints outside the boundary; True where no boundary is known."""
    return complaints["inside"].map(lambda value: True if pd.isna(value) else bool(value)).to_numpy(dtype=bool)


def _plain(text: object) -> str:
    """Text without blanks and punctuation, in one spelling; empty where there is none."""
    return "" if pd.isna(text) else _NO_WORD.sub("", unicodedata.normalize("NFKC", str(text)).casefold())


def duplicate_complaints(complaints: gpd.GeoDataFrame) -> pd.Series:
    """Which complaints repeat another one: the same place, the same day, the same text.

    Parameters
    ----------
    complaints : GeoDataFrame
        Points, m, with ``date``, ``text`` and ``inside``; index of unique ids. Places that are no further apart than
        ``duplicates.distance_m`` of ``tables/complaints.toml`` are the same; blanks and punctuation do not count.

    Returns
    -------
    Series of str
        On the same index: id of the complaint that is repeated, empty for one that counts. Of several the one inside
        the boundary with the lowest id counts. Without a date, a text or a place nothing is known to be the same.

    Examples
    --------
    >>> from shapely import Point
    >>> told = gpd.GeoDataFrame({"date": pd.to_datetime(["2024-05-01"] * 2), "text": ["信号弱!", "信号 弱"], "inside": True},
    ...                         geometry=[Point(0, 0), Point(3, 0)], index=["b", "a"], crs="EPSG:4547")
    >>> duplicate_complaints(told).to_dict()
    {'b': 'a', 'a': ''}
    """
    x, y = complaint_xy(complaints)
    table = pd.DataFrame({
        "id": complaints.index.astype(str), "day": pd.to_datetime(complaints["date"]).dt.normalize().to_numpy(),
        "text": [_plain(text) for text in complaints["text"]], "x": x, "y": y, "outside": ~is_inside(complaints)})
    table = table[table["day"].notna() & (table["text"] != "") & table["x"].notna()]
    table = table[table.duplicated(["day", "text"], keep=False)].sort_values(["outside", "id"])
    near_m = float(read_table("complaints")["duplicates"]["distance_m"])
    repeated: dict[str, str] = {}
    for _, same in table.groupby(["day", "text"], sort=True):
        pairs = cKDTree(same[["x", "y"]].to_numpy()).query_pairs(near_m, output_type="ndarray")
        linked = csr_matrix((np.ones(len(pairs)), (pairs[:, 0], pairs[:, 1])), shape=(len(same), len(same)))
        _, first, place = np.unique(connected_components(linked, directed=False)[1], return_index=True,
                                    return_inverse=True)
        ids = same["id"].to_numpy()
        repeated |= {one: kept for one, kept in zip(ids, ids[first[place]], strict=True) if one != kept}
    return pd.Series([repeated.get(str(one), "") for one in complaints.index], index=complaints.index, dtype="str",
                     name="duplicate_of")


def counted_complaints(complaints: gpd.GeoDataFrame, since: dt.date | None = None) -> pd.Series:
    """Which complaints count: inside the boundary, with a place, no duplicate, and recent enough.

    Parameters
    ----------
    complaints : GeoDataFrame
        As in :func:`duplicate_complaints`; a column ``duplicate_of``, where there is one, says which are duplicates.
    since : date, optional
        First day that counts. An undated complaint is not known to be recent and does not count then.

    Returns
    -------
    Series of bool
        On the same index.
    """
    x, _ = complaint_xy(complaints)
    repeated = complaints["duplicate_of"] if "duplicate_of" in complaints else duplicate_complaints(complaints)
    good = is_inside(complaints) & ~np.isnan(x) & (repeated == "").to_numpy(dtype=bool)
    if since is not None:
        good &= (pd.to_datetime(complaints["date"]) >= pd.Timestamp(since)).to_numpy(dtype=bool)
    return pd.Series(good, index=complaints.index, name="counted")


def complaint_weight(complaints: gpd.GeoDataFrame, geobox: GeoBox, params: GapParams, *,
                     mask: np.ndarray | None = None, since: dt.date | None = None) -> NDArray[np.float64]:
    """Weight of the complaints in people, at the pixel of each.

    Parameters
    ----------
    complaints : GeoDataFrame
        As in :func:`duplicate_complaints`, in the CRS of the grid.
    geobox : GeoBox
    params : GapParams
        A complaint that counts weighs ``complaint_people``.
    mask : ndarray of bool, shape (rows, cols), optional
        Only complaints on its True pixels (a gap mask) weigh.
    since : date, optional
        As in :func:`counted_complaints`.

    Returns
    -------
    ndarray of float64, shape (rows, cols)
        Its sum is ``complaint_people`` times the number of complaints that count on the grid (and in the mask).

    Raises
    ------
    CrsError
        The complaints do not lie in the CRS of the grid.
    ModelError
        The mask does not have the shape of the grid.

    Examples
    --------
    >>> from shapely import Point
    >>> grid = GeoBox.from_bbox((0, 0, 20, 10), crs="EPSG:4547", resolution=10)
    >>> told = gpd.GeoDataFrame({"date": pd.to_datetime(["2024-05-01", None]), "text": "信号弱", "inside": True},
    ...                         geometry=[Point(5, 5), Point(15, 5)], index=["a", "b"], crs="EPSG:4547")
    >>> complaint_weight(told, grid, GapParams(complaint_people=20)).tolist()
    [[20.0, 20.0]]
    >>> complaint_weight(told, grid, GapParams(complaint_people=20), since=dt.date(2024, 1, 1)).tolist()
    [[20.0, 0.0]]
    """
    check_crs(complaints, geobox)
    out = np.zeros(tuple(geobox.shape))
    if mask is not None and mask.shape != out.shape:
        raise ModelError(f"mask of shape {mask.shape} does not fit a grid of shape {out.shape}")
    good = counted_complaints(complaints, since).to_numpy()
    x, y = (part[good] for part in complaint_xy(complaints))
    rows, cols = pixel_of(geobox, x, y)
    on = inside(geobox, rows, cols)
    np.add.at(out, (rows[on], cols[on]), params.complaint_people)
    return out if mask is None else np.where(mask, out, 0.0)


def _line(complaints: gpd.GeoDataFrame, chosen: np.ndarray, field: str, words: tuple[str, str]) -> list[LedgerLine]:
    """One note on the chosen rows, none where no row is chosen. ``words``: reason, remedy."""
    rows = complaints[chosen].sort_index()
    if rows.empty:
        return []
    files = list(rows["source_file"].dropna().unique()) if "source_file" in rows else []
    named = "、".join(str(one) for one in rows.index[:_NAMED]) + ("等" if len(rows) > _NAMED else "")
    return [LedgerLine("complaints", str(files[0]) if len(files) == 1 else "", f"共 {len(rows)} 条", field, named, "note",
                       *words)]


def complaint_notes(complaints: gpd.GeoDataFrame) -> tuple[LedgerLine, ...]:
    """What is to be told of the complaints: undated, outside the boundary, without a place, repeated.

    Parameters
    ----------
    complaints : GeoDataFrame
        As in :func:`duplicate_complaints`.

    Returns
    -------
    tuple of LedgerLine
        One note for each of the four that occurs, with the number of rows and the first ids.
    """
    x, _ = complaint_xy(complaints)
    repeated = (duplicate_complaints(complaints) != "").to_numpy()
    undated = complaints["date"].isna().to_numpy()
    return (
        *_line(complaints, undated, "date", ("没有日期:不参与查重和按日期的筛选,其余照常计入", "补填受理日期")),
        *_line(complaints, ~is_inside(complaints), "geometry", ("在规划范围之外:列出但不计入热点和权重", "核对坐标和坐标系(图商坐标设 datum)")),
        *_line(complaints, np.isnan(x), "geometry", ("没有位置:列为无数据,不计入热点和权重", "补充坐标")),
        *_line(complaints, repeated, "text", ("与另一条同一地点、同一天、内容相同,视为重复,只计一次", "核对;确为不同投诉的改写内容或日期")),
    )
