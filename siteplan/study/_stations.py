"""5G stations as targets and rates count them: one radio network at a site."""

from __future__ import annotations

import geopandas as gpd
import numpy as np
import pandas as pd

from siteplan.candidates.refuse import inside_polygons
from siteplan.study._places import PLACES
from siteplan.study._scene import Scene


def stations_of(scene: Scene, sites: gpd.GeoDataFrame | None) -> pd.DataFrame:
    """Sites with 5G and their number of stations.

    A station is one radio network at a site: a shared network counts once. A new site carries one set of equipment,
    which serves all its networks, and counts as one station.

    Parameters
    ----------
    scene : Scene
    sites : GeoDataFrame or None
        The sites table, whose proposed sites count as well.

    Returns
    -------
    DataFrame
        ``status`` (existing | proposed), ``county, town, stations`` (number), ``built_on`` (first day on air; NaT where
        not known, and of new sites), indexed by site.
    """
    five = scene.tables["stations"]
    five = five[five["technology"] == "5G"].sort_index()
    by_site = five.groupby(five["source_site"].astype("str"), sort=True)
    points = gpd.GeoDataFrame(geometry=by_site["geometry"].first(), crs=scene.crs)
    place = {column: inside_polygons(points, scene.tables[layer]) for column, layer in PLACES}
    here = pd.DataFrame({"status": "existing", **place, "stations": by_site["network"].nunique().astype("float64"),
                         "built_on": pd.to_datetime(by_site["built_on"].min())}, index=points.index)
    if sites is None:
        return here
    new = sites[sites["status"] == "proposed"]
    planned = pd.DataFrame({
        "status": "proposed", "county": new["county"].astype("str"), "town": new["town"].astype("str"), "stations": 1.0,
        "built_on": pd.Series(np.datetime64("NaT"), new.index, "datetime64[us]")}, index=new.index)
    return pd.concat([here.astype({"built_on": "datetime64[us]"}), planned])
