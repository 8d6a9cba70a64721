"""Hot spots: places of which many complaints are made."""

from __future__ import annotations

import datetime as dt
from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely
from numpy.typing import NDArray

from siteplan.gaps.people.complaint_findings import FINDING_ZH
from siteplan.gaps.people.complaints import complaint_xy, counted_complaints
from siteplan.params import GapParams
from siteplan.tables import read_table

COLUMNS = ("rank_no", "count", "first_date", "last_date", "undated", "sources", "operators", "statuses", "in_gap_share",
           "finding", "finding_zh", "gap_ids", "village", "zone", "complaint_ids", "geometry")
NOT_SAID = "未注明"


def _tally(values: pd.Series) -> str:
    """Values with how often each occurs, the most frequent first: ``移动3、电信1``."""
    counts = values.astype("str").fillna(NOT_SAID).value_counts()
    return "、".join(f"{word}{counts[word]}" for word in sorted(counts.index, key=lambda word: (-counts[word], word)))


def _leading(findings: pd.Series) -> str:
    """The most frequent finding; of equally frequent ones the first of `FINDING_ZH`, unknown last."""
    order = [*list(FINDING_ZH)[1:], next(iter(FINDING_ZH))]
    counts = findings.value_counts().reindex(order, fill_value=0)
    return str(counts.idxmax())


def _outline(points: NDArray[np.object_], margin_m: float) -> Any:
    """Hull of the points, widened, so that complaints at one address have an area too."""
    return shapely.buffer(shapely.convex_hull(shapely.multipoints(points)), margin_m)


def _place_ids(x: NDArray[np.float64], y: NDArray[np.float64], cell_m: float) -> list[str]:
    """Ids from the middle of the cell that holds each centre; a second one in a cell has -2 behind it."""
    ids: list[str] = []
    seen: dict[str, int] = {}
    for east, north in zip((np.floor(x / cell_m) + 0.5) * cell_m, (np.floor(y / cell_m) + 0.5) * cell_m, strict=True):
        name = f"H-{east:.0f}-{north:.0f}"
        seen[name] = seen.get(name, 0) + 1
        ids.append(name if seen[name] == 1 else f"{name}-{seen[name]}")
    return ids


def _nearest_names(centres: NDArray[np.object_], areas: gpd.GeoDataFrame | None, within_m: float) -> list[str]:
    """Name of the area that holds each centre, else of the nearest within a distance; empty where there is none."""
    names = [""] * len(centres)
    if areas is None:
        return names
    usable = areas[~(areas.geometry.isna() | areas.geometry.is_empty)].sort_index()
    if usable.empty:
        return names
    who, which = shapely.STRtree(np.asarray(usable.geometry.array, dtype=object)).query_nearest(
        centres, max_distance=within_m, all_matches=True)
    words = usable["name"].astype("str").fillna("").tolist()
    for one, area in sorted(zip(who.tolist(), which.tolist(), strict=True), reverse=True):
        names[one] = words[area]
    return names


def _describe(rows: gpd.GeoDataFrame) -> dict[str, Any]:
    """What is said of one hot spot, apart from its place."""
    known = rows.loc[rows["finding"] != "unknown", "finding"]
    leading = _leading(rows["finding"])
    return {
        "count": len(rows), "first_date": rows["date"].min(), "last_date": rows["date"].max(),
        "undated": int(rows["date"].isna().sum()), "sources": _tally(rows["source"]),
        "operators": _tally(rows["operator"]), "statuses": _tally(rows["status"]),
        "in_gap_share": float((known == "in_gap").mean()) if len(known) else np.nan,
        "finding": leading, "finding_zh": FINDING_ZH[leading],
        "gap_ids": "、".join(sorted({gap for gap in rows["gap_id"] if gap})),
        "complaint_ids": "、".join(rows.index.astype(str)),
    }


def _empty(crs: Any) -> gpd.GeoDataFrame:
    kinds = {"rank_no": "int64", "count": "int64", "undated": "int64", "first_date": "datetime64[us]",
             "last_date": "datetime64[us]", "in_gap_share": "float64"}
    return gpd.GeoDataFrame({name: pd.Series([], dtype=kinds.get(name, "str")) for name in COLUMNS[:-1]}, geometry=[],
                            crs=crs).set_index(pd.Index([], name="hot_spot_id", dtype="str"))


def hot_spots(matched: gpd.GeoDataFrame, params: GapParams, *, villages: gpd.GeoDataFrame | None = None,
              zones: gpd.GeoDataFrame | None = None, since: dt.date | None = None) -> gpd.GeoDataFrame:
    """Places of which many complaints are made (DBSCAN), ranked.

    Parameters
    ----------
    matched : GeoDataFrame
        From :func:`~siteplan.gaps.people.complaint_findings.match_complaints`. Only complaints that count take part.
    params : GapParams
        A hot spot grows from complaints with at least ``hot_spot_count`` (itself among them) within ``hot_spot_m``.
    villages, zones : GeoDataFrame, optional
        Areas with a ``name``; the one at the centre, else the nearest within ``hot_spot_m``, is told.
    since : date, optional
        First day that counts; undated complaints are left out then.

    Returns
    -------
    GeoDataFrame
        Index ``hot_spot_id``: the centre's place on a grid of ``hot_spot_m``, not an order. ``rank_no`` by ``count``,
        then the latest ``last_date``, then id; ``first_date``, ``undated``; ``sources, operators, statuses`` with how
        often each occurs; ``in_gap_share`` (in_gap among the complaints with a known finding, 0..1; NaN without one);
        ``finding`` and ``finding_zh`` that lead; ``gap_ids, village, zone, complaint_ids``; geometry: the hull of the
        complaints, widened.
    """
    from sklearn.cluster import DBSCAN

    rows = matched[counted_complaints(matched, since)].sort_index()
    if len(rows) < params.hot_spot_count:
        return _empty(matched.crs)
    xy = np.column_stack(complaint_xy(rows))
    labels = DBSCAN(eps=params.hot_spot_m, min_samples=params.hot_spot_count).fit_predict(xy)
    groups = [np.flatnonzero(labels == label) for label in range(labels.max() + 1)]
    if not groups:
        return _empty(matched.crs)
    groups.sort(key=lambda members: tuple(xy[members].mean(axis=0)))
    centres = np.array([xy[members].mean(axis=0) for members in groups])
    points = np.asarray(rows.geometry.array, dtype=object)
    margin = params.hot_spot_m * float(read_table("complaints")["hot_spots"]["margin_share"])
    middle = shapely.points(centres)
    table = gpd.GeoDataFrame(
        [_describe(rows.iloc[members]) for members in groups], crs=matched.crs,
        geometry=[_outline(points[members], margin) for members in groups],
        index=pd.Index(_place_ids(centres[:, 0], centres[:, 1], params.hot_spot_m), name="hot_spot_id", dtype="str"))
    for column, areas in (("village", villages), ("zone", zones)):
        table[column] = pd.Series(_nearest_names(middle, areas, params.hot_spot_m), index=table.index, dtype="str")
    table = table.astype({"first_date": "datetime64[us]", "last_date": "datetime64[us]"})
    table = table.sort_index().sort_values(["count", "last_date"], ascending=False, kind="stable", na_position="last")
    table["rank_no"] = np.arange(1, len(table) + 1)
    return table[list(COLUMNS)]
