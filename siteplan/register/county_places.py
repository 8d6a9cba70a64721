"""Whether each site lies in the county that the register says, and whether two counties have the same site."""

from __future__ import annotations

from collections.abc import Iterator

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely

from siteplan.errors import ModelError, Problem
from siteplan.register._edit_checks import SAME_PLACE_M

_GONE = "withdrawn"


def county_problems(sites: gpd.GeoDataFrame, counties: gpd.GeoDataFrame, file: str = "") -> list[Problem]:
    """Sites whose county is not the one that they lie in, and sites that two counties have.

    Quotas of counties are counted by the county that the register says; these are the rows for which that is doubtful.
    Sites on the border of two counties may be in either. Withdrawn sites count nowhere and are left out, as are sites
    without a place.

    Parameters
    ----------
    sites : GeoDataFrame
        The table ``sites`` of a register.
    counties : GeoDataFrame
        Column ``name``; in the CRS of the sites.
    file : str
        Where the sites stand, for the problems.

    Returns
    -------
    list of Problem
        By id of the site.

    Raises
    ------
    ModelError
        The two tables are not in one CRS.

    Examples
    --------
    >>> land = gpd.GeoDataFrame({"name": ["甲县", "乙县"]}, crs="EPSG:4547",
    ...                         geometry=[shapely.box(0, 0, 10, 10), shapely.box(10, 0, 20, 10)])
    >>> sites = gpd.GeoDataFrame({"name": ["一", "二"], "state": ["reserve"] * 2, "county": ["甲县", "甲县"]},
    ...                          index=["ZZ000001", "ZZ000002"], geometry=[shapely.Point(3, 3), shapely.Point(13, 3)],
    ...                          crs="EPSG:4547")
    >>> print(*county_problems(sites, land))
    sites / ZZ000002 / county: 所属县区写的是甲县,位置在乙县 -> 核对坐标和所属县区;县区有误的用 siteplan register set 改
    """
    if sites.crs != counties.crs:
        raise ModelError(f"sites are in {sites.crs}, counties in {counties.crs}")
    here = sites.geometry.notna() & ~sites.geometry.is_empty & (sites["state"] != _GONE)
    placed = sites[here.to_numpy(bool)].sort_index()
    said = placed["county"].fillna("").astype("str")
    lies: dict[str, list[str]] = {str(row_id): [] for row_id in placed.index}
    tree = shapely.STRtree(placed.geometry.to_numpy())
    for name, shape in zip(counties["name"], counties.geometry, strict=True):
        for at in np.sort(tree.query(shape, predicate="intersects")):
            names = lies[str(placed.index[at])]
            names += [str(name)] * (str(name) not in names)
    found = [Problem("sites", file, row_id, "county", reason, remedy)
             for row_id, county in zip(lies, said, strict=True)
             for reason, remedy in _faults(county, lies[row_id])]
    return sorted([*found, *_in_two(placed, said, tree, file)], key=lambda problem: problem.row)


def unplaced_sites(sites: gpd.GeoDataFrame) -> list[str]:
    """Ids of sites without a place, whose county cannot be checked; withdrawn ones are left out."""
    lacks = (sites.geometry.isna() | sites.geometry.is_empty) & (sites["state"] != _GONE)
    return [str(row_id) for row_id in sites.index[lacks.to_numpy(bool)]]


def _faults(said: str, lies: list[str]) -> Iterator[tuple[str, str]]:
    where = "、".join(lies)
    if not lies:
        yield "位置不在任何一个县区内", "核对坐标,或县区面是否完整"
    elif not said:
        yield f"没有写所属县区,位置在{where}", "补填所属县区;没有县区的站址不计入县区指标"
    elif said not in lies:
        yield f"所属县区写的是{said},位置在{where}", "核对坐标和所属县区;县区有误的用 siteplan register set 改"


def _in_two(placed: gpd.GeoDataFrame, said: pd.Series, tree: shapely.STRtree, file: str) -> Iterator[Problem]:
    """Sites of one kind at one place that two counties have."""
    kinds = placed["kind"].fillna("").astype("str").to_numpy(object) if "kind" in placed else np.full(len(placed), "")
    one, other = tree.query(placed.geometry.to_numpy(), predicate="dwithin", distance=SAME_PLACE_M)
    names = said.to_numpy(object)
    for first, second in sorted(zip(other.tolist(), one.tolist(), strict=True)):
        if first < second and names[first] and names[second] and names[first] != names[second] and (
                kinds[first] == kinds[second]):
            yield Problem("sites", file, str(placed.index[second]), "county",
                          f"与 {placed.index[first]} 是同一处,分别列在{names[first]}和{names[second]}",
                          "查明归哪一个县区,另一行撤销并写原因")
