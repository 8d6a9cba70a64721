"""Screening of candidates for exposure: schools, kindergartens and hospitals within the distance a site is managed by.

A flag, never a ban: such venues are to be opened as well. A screening estimate, not an environmental assessment.
"""

from __future__ import annotations

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely
from numpy.typing import NDArray

from siteplan.coverage import Equipment, ExposureRules, load_exposure, sectors_of_sites
from siteplan.coverage._exposure_sectors import sector_power_w, traffic_beam
from siteplan.coverage._sensitive import sensitive_targets
from siteplan.grid import sample
from siteplan.radio import compliance_distance_m
from siteplan.surface import Surface

EMF = "emf"
"""Code of the flag in the column ``flags`` of the sites table."""
ESTIMATE = "筛查估算,非环境影响评价"
Floats = NDArray[np.float64]


def managed_distance_m(sites: gpd.GeoDataFrame, equipment: Equipment, rules: ExposureRules | None = None) -> Floats:
    """Distance on axis at which one sector of a site falls to the share of the limit that a single site may use.

    Parameters
    ----------
    sites : GeoDataFrame
        Points with ``kind`` and ``antenna_height_m``; optional ``azimuths``.
    equipment : Equipment
    rules : ExposureRules, optional
        The package's table when absent.

    Returns
    -------
    ndarray of float64 (site,)
        Metres, the greatest of the sectors of the site; NaN for kinds that the equipment does not have.

    Notes
    -----
    Power, gain, factor, limit and formula are those of the exposure screening of the plan (``managed_distance_m`` of
    its sectors): ``sqrt(P G F / (4 pi S))`` with one fifth of the limit of GB 8702-2014.

    Examples
    --------
    >>> from siteplan.coverage import load_equipment
    >>> sites = gpd.GeoDataFrame({"kind": ["macro", "micro", "indoor"], "antenna_height_m": [30.0, 8.0, 3.0]},
    ...                          geometry=gpd.points_from_xy([0, 0, 0], [0, 0, 0]), crs=4547)
    >>> managed_distance_m(sites, load_equipment()).round(1).tolist()
    [89.6, 9.0, nan]
    """
    own = load_exposure() if rules is None else rules
    word = sites["azimuths"].astype("object").fillna("") if "azimuths" in sites else pd.Series("", index=sites.index)
    alike = pd.Series(sites["kind"].astype(str).to_numpy(object) + "/" + word.to_numpy(object).astype(str))
    first = sites.iloc[alike.drop_duplicates().index].reset_index(drop=True)
    first = first[first["kind"].isin(list(equipment.site_types))]
    if first.empty:
        return np.full(len(sites), np.nan)
    sectors = sectors_of_sites(first, equipment)
    names = sectors["antenna"].astype(str).tolist()
    gain = [traffic_beam(equipment.antennas[name], own.antennas.get(name)).gain_dbi for name in names]
    factor = [entry.factor if (entry := own.antennas.get(name)) else 1.0 for name in names]
    limit = own.limit_w_m2(sectors["freq_mhz"].to_numpy(np.float64)) * own.screening.management_share
    power = sector_power_w(sectors, equipment, own.screening.lte_resource_blocks)
    reach = pd.Series(compliance_distance_m(power, gain, limit, factor)).groupby(
        sectors["site_id"].astype(int).to_numpy()).max()
    by_word = {alike.drop_duplicates().iloc[number]: metres for number, metres in reach.items()}
    return np.asarray(alike.map(by_word).to_numpy(np.float64))


def emf_flags(sites: gpd.GeoDataFrame, facilities: gpd.GeoDataFrame, equipment: Equipment,
              rules: ExposureRules | None = None, *, buildings: gpd.GeoDataFrame | None = None,
              surface: Surface | None = None) -> pd.DataFrame:
    """Candidates near a school, a kindergarten or a hospital.

    Parameters
    ----------
    sites : GeoDataFrame
        Points with ``kind, antenna_height_m, source, source_id``; optional ``azimuths``.
    facilities : GeoDataFrame
        Layer ``facilities``. Places are those whose sensitive class has ``justify = true`` in ``tables/exposure.toml``.
    equipment : Equipment
    rules : ExposureRules, optional
        The package's table when absent; ``exposure_of`` gives that of a study.
    buildings : GeoDataFrame, optional
        Layer ``buildings``: a venue is then as large as the building it belongs to (``snap_m`` of the table).
    surface : Surface, optional
        Its ground puts antennas and places on one datum; level ground when absent.

    Returns
    -------
    DataFrame
        Index of the sites. ``flag`` : bool. ``distance_m`` : slope distance to ``nearest`` (name, or id), NaN and empty
        where there is no such place at all. ``compliance_m`` : :func:`managed_distance_m`. ``sentence`` :
        Chinese, empty without a flag.

    Notes
    -----
    A site is flagged when the slope distance from its antenna to the nearest point of a place, between its ground and
    its roof, is at most ``compliance_m``; and always above the place itself: on its roof or, for a site made from the
    facility (``source`` facility or ground), on its land. Heights that are not known count as no difference.

    Examples
    --------
    >>> from siteplan.coverage import load_equipment
    >>> schools = gpd.GeoDataFrame({"name": ["一小"], "venue_class": ["school"], "roof_height_m": [15.0],
    ...                             "storeys": [np.nan]}, geometry=gpd.points_from_xy([0], [0]), crs=4547, index=["F1"])
    >>> sites = gpd.GeoDataFrame({"kind": "macro", "antenna_height_m": 45.0, "source": "building", "source_id": ""},
    ...                          geometry=gpd.points_from_xy([40, 100], [0, 0]), crs=4547, index=["a", "b"])
    >>> told = emf_flags(sites, schools, load_equipment())
    >>> told["flag"].tolist(), told["distance_m"].tolist()
    ([True, False], [50.0, 104.4])
    >>> told["sentence"].iloc[0]
    '距中小学“一小”斜距 50 米,在单站管理值距离 90 米之内,尽量避让或说明理由(筛查估算,非环境影响评价)'
    """
    own = load_exposure() if rules is None else rules
    reach = managed_distance_m(sites, equipment, own)
    venues, places = _places(facilities, buildings, own)
    out = pd.DataFrame({"flag": False, "distance_m": np.nan, "nearest": "", "compliance_m": np.round(reach, 1),
                        "sentence": ""}, index=sites.index)
    if places.empty or sites.empty:
        return out
    place, level, slope = _nearest_places(sites, places, reach, surface)
    own_id = sites["source_id"].astype(str).where(sites["source"].isin(["facility", "ground"]), "")
    made_here = own_id.isin(venues.index).to_numpy(bool)
    known = np.isfinite(reach)
    above = known & (made_here | (level == 0.0))
    flag = above | (known & (slope <= reach))
    place_words, venue_words = _words(places, own).to_numpy(object), _words(venues, own).to_dict()
    said, ids = np.full(len(sites), "", object), own_id.to_numpy(object)
    for row in np.flatnonzero(flag):
        where = venue_words[ids[row]] if made_here[row] else place_words[place[row]]
        told = (f"位于{where}的屋顶或用地上" if above[row] else
                f"距{where}斜距 {slope[row]:.0f} 米,在单站管理值距离 {reach[row]:.0f} 米之内")
        said[row] = f"{told},尽量避让或说明理由({ESTIMATE})"
    nearest = _names(places).to_numpy(object)[place]
    return out.assign(flag=flag, distance_m=np.round(slope, 1), nearest=nearest, sentence=said)


def _names(places: gpd.GeoDataFrame) -> pd.Series:
    """Name of every place, its id where it has none."""
    return places["name"].astype(str).where(places["name"] != "", places.index.astype(str))


def _words(places: gpd.GeoDataFrame, rules: ExposureRules) -> pd.Series:
    """Class and name of every place, for a sentence."""
    return places["target_class"].map({key: entry.zh for key, entry in rules.sensitive.items()}) + "“" + _names(
        places) + "”"


def _places(facilities: gpd.GeoDataFrame, buildings: gpd.GeoDataFrame | None,
            rules: ExposureRules) -> tuple[gpd.GeoDataFrame, gpd.GeoDataFrame]:
    """The venues to be avoided or justified, and their places (footprints where known), sorted by id."""
    none = gpd.GeoDataFrame({"height_m": np.zeros(0)}, geometry=[], crs=facilities.crs)
    venues = _justified(sensitive_targets(none, facilities, rules), rules)
    if buildings is None or buildings.empty or venues.empty:
        return venues, venues.sort_index()
    tree = shapely.STRtree(buildings.geometry.to_numpy())
    near = np.unique(tree.query(venues.geometry.to_numpy(), "dwithin", rules.screening.snap_m)[1])
    mine = facilities[facilities.index.astype(str).isin(venues.index)]
    return venues, _justified(sensitive_targets(buildings.iloc[near], mine, rules), rules).sort_index()


def _justified(places: gpd.GeoDataFrame, rules: ExposureRules) -> gpd.GeoDataFrame:
    wanted = [key for key, entry in rules.sensitive.items() if entry.justify]
    return places[places["target_class"].isin(wanted)]


def _nearest_places(sites: gpd.GeoDataFrame, places: gpd.GeoDataFrame, reach_m: Floats,
                    surface: Surface | None) -> tuple[NDArray[np.int64], Floats, Floats]:
    """Position of the nearest place of each site, its distance on the level and along the slope, m.

    By the slope among the places within ``reach_m`` on the level; where there is none, the nearest on the level.
    """
    points, shapes = sites.geometry.to_numpy(), places.geometry.to_numpy()
    tree = shapely.STRtree(shapes)
    place = tree.query_nearest(points, all_matches=False)[1].astype(np.int64)
    site, near = tree.query(points, "dwithin", np.nan_to_num(reach_m, nan=0.0))
    every = np.concatenate([np.arange(len(points)), site]), np.concatenate([place, near])
    level = shapely.distance(points[every[0]], shapes[every[1]])
    rise = _rise_m(sites, places, every, surface)
    table = pd.DataFrame({"site": every[0], "far": np.arange(len(level)) < len(points), "slope": np.hypot(level, rise),
                          "place": every[1], "level": level})
    table.loc[table["far"] & (level <= reach_m[every[0]]), "far"] = False
    best = table.sort_values(["site", "far", "slope", "place"]).drop_duplicates("site")
    return best["place"].to_numpy(), best["level"].to_numpy(), best["slope"].to_numpy()


def _rise_m(sites: gpd.GeoDataFrame, places: gpd.GeoDataFrame, pairs: tuple[NDArray[np.int64], NDArray[np.int64]],
            surface: Surface | None) -> Floats:
    """How far the antenna is above the roof of a place, or below its ground, m; 0 between them and where unknown."""
    base, foot = np.zeros(len(sites)), np.zeros(len(places))
    if surface is not None:
        spot = shapely.point_on_surface(places.geometry.to_numpy())
        base = sample(surface.ground_m, surface.geobox, sites.geometry.x, sites.geometry.y).astype(np.float64)
        foot = sample(surface.ground_m, surface.geobox, shapely.get_x(spot), shapely.get_y(spot)).astype(np.float64)
    antenna = (base + sites["antenna_height_m"].to_numpy(np.float64))[pairs[0]]
    roof = (foot + places["height_m"].to_numpy(np.float64))[pairs[1]]
    return np.nan_to_num(np.maximum(np.maximum(antenna - roof, foot[pairs[1]] - antenna), 0.0), nan=0.0)
