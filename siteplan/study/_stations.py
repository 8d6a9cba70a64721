"""5G stations and sites as targets and rates count them: a station is one radio network at a site."""

from __future__ import annotations

import geopandas as gpd
import numpy as np
import pandas as pd

from siteplan.study._places import places_at
from siteplan.study._scene import Scene


def _existing(stations: gpd.GeoDataFrame) -> gpd.GeoDataFrame:
    """One row per site and 5G network inside the boundary. What stands in for 5G is not 5G."""
    technology = stations["given_technology"] if "given_technology" in stations else stations["technology"]
    inside = stations["inside"].fillna(True).astype(bool)  # NA = there is no boundary
    five = stations[(technology == "5G") & inside].sort_index()
    rows = pd.DataFrame({"site": five["source_site"].astype("str"), "network": five["network"].astype("str"),
                         "built_on": pd.to_datetime(five["built_on"]).astype("datetime64[us]")}, index=five.index)
    rows = rows.assign(x=five.geometry.x, y=five.geometry.y)
    found = rows.groupby(["site", "network"], sort=True).agg({"built_on": "min", "x": "first", "y": "first"})
    found = found.reset_index()
    points = gpd.points_from_xy(found["x"], found["y"])
    return gpd.GeoDataFrame(found[["site", "network", "built_on"]].assign(status="existing"), geometry=points,
                            crs=stations.crs).set_index(found["site"] + " " + found["network"])


def _planned_days(new: gpd.GeoDataFrame) -> np.ndarray:
    """31 December of the year in which a new site is built; NaT where no year is given."""
    years = new["build_year"].to_numpy(dtype=np.int64) if "build_year" in new else np.zeros(len(new), dtype=np.int64)
    days = [f"{year:04d}-12-31" if year > 0 else "NaT" for year in years.tolist()]
    return np.array(days, dtype="datetime64[us]")


def stations_of(scene: Scene, sites: gpd.GeoDataFrame | None) -> gpd.GeoDataFrame:
    """5G stations inside the boundary, one row for each.

    A station is one radio network at a site: a shared network counts once. A new site counts as many as it carries
    (``station_count``, 1 where the table does not say). 4G stations that stand in for 5G ones do not count.

    Parameters
    ----------
    scene : Scene
    sites : GeoDataFrame or None
        The sites table, whose proposed sites count as well.

    Returns
    -------
    GeoDataFrame
        Index ``station``: ``site`` (id of the station layer, else of the sites table), ``network``, ``status``
        (existing | proposed), ``county, town`` (as the layers say, else those of the village it stands in; ``""``
        where none does), ``stations`` (1), ``built_on`` (first day on air that a sector of the network gives; NaT
        where none does; of new sites the last day of ``build_year``, NaT where that is 0), ``geometry``.
    """
    found = _existing(scene.tables["stations"])
    if sites is not None and (sites["status"] == "proposed").any():
        new = sites[sites["status"] == "proposed"]
        count = new["station_count"].to_numpy() if "station_count" in new else np.ones(len(new), dtype=np.int64)
        new = new.loc[np.repeat(new.index, np.maximum(count, 1))]
        number = new.groupby(level=0).cumcount()
        reused = new["source"].isin(["station", "sharing"]).to_numpy(dtype=bool)
        names = new.index.astype("str") + np.where(number > 0, " " + (number + 1).astype("str"), "")
        planned = gpd.GeoDataFrame({
            "site": np.where(reused, new["source_id"].astype("str"), new.index.astype("str")),
            "network": new["networks"].astype("str").to_numpy(),
            "built_on": _planned_days(new), "status": "proposed",
        }, geometry=new.geometry.to_numpy(), crs=found.crs, index=names)
        found = gpd.GeoDataFrame(pd.concat([found, planned]) if len(found) else planned, crs=found.crs)
    return found.assign(**dict(places_at(found.geometry, scene.tables).items()), stations=1.0).rename_axis("station")


def sites_of(stations: gpd.GeoDataFrame) -> gpd.GeoDataFrame:
    """Sites with 5G, one row for each, dated by its first station.

    Parameters
    ----------
    stations : GeoDataFrame
        Of :func:`stations_of`.

    Returns
    -------
    GeoDataFrame
        Index ``site``: ``network`` (joined by ``|``), ``built_on`` (first day that a station of the site gives;
        planned days do not date a site that exists), ``status`` (proposed where no station exists yet),
        ``county, town, stations`` (number), ``geometry``.
    """
    order = stations.sort_values("status", kind="stable")  # existing before proposed
    by_site = order.groupby("site", sort=True)
    first = by_site[["status", "county", "town", "geometry"]].first()
    dated = order[order["status"] == order["site"].map(first["status"])]
    return gpd.GeoDataFrame(first.assign(
        network=by_site["network"].agg(lambda names: "|".join(dict.fromkeys(names))),
        built_on=dated.groupby("site", sort=True)["built_on"].min(), stations=by_site["stations"].sum(),
    ), geometry="geometry", crs=stations.crs)
