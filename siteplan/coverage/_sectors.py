"""Tables of sectors: of stations that stand, and of sites that may be built."""

from __future__ import annotations

import geopandas as gpd
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from siteplan.coverage._equipment import Equipment, load_equipment
from siteplan.errors import ModelError
from siteplan.grid import inside, pixel_of
from siteplan.surface import Surface

SECTOR_COLUMNS = ("x", "y", "antenna_height_m", "azimuth_deg", "tilt_deg", "freq_mhz", "epre_dbm", "antenna", "kind",
                  "networks", "technology")
"""Columns of a table of sectors (index ``sector_id``); ``networks`` are joined by ``|``, ``*`` = all."""
KINDS = ("macro", "micro", "indoor")


def planned_tilt_deg(height_m: float, radius_m: float, vertical_deg: float) -> float:
    """Downtilt that aims the upper edge of the beam at the planning radius, rounded to half a degree.

    ``atan(H / R) + half the vertical beam width``: the rule behind operators' LTE tilt tables.

    Examples
    --------
    >>> planned_tilt_deg(30.0, 300.0, 7.0)
    9.0
    """
    return float(np.round(2.0 * (np.degrees(np.arctan2(height_m, radius_m)) + vertical_deg / 2.0)) / 2.0)


def sectors_of_stations(stations: gpd.GeoDataFrame) -> pd.DataFrame:
    """Table of sectors of the existing stations.

    Parameters
    ----------
    stations : GeoDataFrame
        Layer ``stations``: points in the study CRS, one row per sector, index ``sector_id``, everything filled.

    Returns
    -------
    DataFrame
        ``SECTOR_COLUMNS``, same index and order. The antenna follows kind, technology and frequency: pole antenna for
        micro, omni without azimuth, active array for 5G from 2.3 GHz, else a passive panel.
    """
    kind = stations["kind"].astype(str)
    freq = stations["freq_mhz"].astype(float)
    azimuth = stations["azimuth_deg"].astype(float)
    technology = stations["technology"].astype(str)
    antenna = np.select(
        [kind == "indoor", kind == "micro", azimuth.isna(), freq < 1000.0, (technology == "5G") & (freq >= 2300.0)],
        ["indoor", "pole_micro", "macro_omni", "panel_700", "macro_64t"], default="panel_passive",
    )
    return pd.DataFrame(
        {
            "x": stations.geometry.x.astype(float), "y": stations.geometry.y.astype(float),
            "antenna_height_m": stations["antenna_height_m"].astype(float), "azimuth_deg": azimuth,
            "tilt_deg": stations["tilt_deg"].astype(float), "freq_mhz": freq,
            "epre_dbm": stations["epre_dbm"].astype(float), "antenna": antenna, "kind": kind,
            "networks": stations["network"].astype(str), "technology": technology,
        },
        index=pd.Index(stations.index.astype(str), name="sector_id"),
    )


def sectors_of_sites(sites: gpd.GeoDataFrame, equipment: Equipment | None = None,
                     networks: str | None = "*") -> pd.DataFrame:
    """Table of sectors of new sites: three sectors for a macro site, one omni for a micro site.

    Parameters
    ----------
    sites : GeoDataFrame
        Points in the study CRS, index ``site_id``, with ``kind`` (macro or micro), ``antenna_height_m`` and, optional,
        ``tilt_radius_m``: the radius that the tilt aims at, m.
    equipment : Equipment, optional
        What a site of each kind carries; the package's table when absent.
    networks : str or None
        Networks that the sites serve, joined by ``|``; ``*`` = all; None = each site's own ``networks``.

    Returns
    -------
    DataFrame
        ``SECTOR_COLUMNS`` and ``site_id``; index ``sector_id`` = site id, hyphen, number from 1. Sites in their order.

    Raises
    ------
    ModelError
        For a kind that the equipment does not have.

    Notes
    -----
    The tilt of a sector with an azimuth is :func:`planned_tilt_deg` of its height and the site's ``tilt_radius_m``;
    where that is absent, not finite or not positive, of the planning radius of its kind. Practice takes the distance of
    the nearest site / 1.5, so that a lone tower looks further than one in a dense network. Omni sectors have tilt 0.
    """
    table = load_equipment() if equipment is None else equipment
    unknown = sorted(set(sites["kind"].astype(str)) - set(table.site_types))
    if unknown:
        raise ModelError(f"site kinds without equipment: {', '.join(unknown)}; known: {', '.join(table.site_types)}")
    parts = []
    place = np.arange(len(sites))
    wanted_m = _tilt_radius_m(sites)
    kinds = sites["kind"].astype(str).to_numpy()
    serves = np.full(len(sites), networks, object) if networks is not None else sites["networks"].to_numpy(object)
    for name in sorted(table.site_types):
        kind, chosen = table.site_types[name], place[kinds == name]
        antenna, band = table.antennas[kind.antenna], table.bands[kind.band]
        for number, azimuth in enumerate(kind.azimuths_deg or (np.nan,), start=1):
            heights = sites["antenna_height_m"].to_numpy(float)[chosen]
            radii = np.where(np.isnan(wanted_m[chosen]), kind.planning_radius_m, wanted_m[chosen])
            tilts = [planned_tilt_deg(h, r, antenna.vertical_deg) for h, r in zip(heights, radii, strict=True)]
            parts.append(pd.DataFrame({
                "x": sites.geometry.x.to_numpy(float)[chosen], "y": sites.geometry.y.to_numpy(float)[chosen],
                "antenna_height_m": heights, "azimuth_deg": float(azimuth),
                "tilt_deg": np.asarray(tilts, float) if kind.azimuths_deg else 0.0,
                "freq_mhz": band.freq_mhz, "epre_dbm": table.epre_dbm(name), "antenna": kind.antenna, "kind": name,
                "networks": serves[chosen], "technology": band.technology,
                "site_id": sites.index.astype(str).to_numpy(object)[chosen], "_place": chosen, "_number": number,
            }))
    out = pd.concat(parts, ignore_index=True).sort_values(["_place", "_number"], kind="stable")
    ids = out["site_id"].astype(str) + "-" + out["_number"].astype(str)
    out.index = pd.Index(ids.to_numpy(object), name="sector_id", dtype="str")
    return out[[*SECTOR_COLUMNS, "site_id"]]


def _tilt_radius_m(sites: gpd.GeoDataFrame) -> NDArray[np.float64]:
    """Each site's own tilt radius, m; NaN where the table has none that is finite and positive."""
    if "tilt_radius_m" not in sites.columns:
        return np.full(len(sites), np.nan)
    radius: NDArray[np.float64] = sites["tilt_radius_m"].to_numpy(np.float64, na_value=np.nan)
    return np.where(np.isfinite(radius) & (radius > 0.0), radius, np.nan)


def on_grid(surface: Surface, sectors: pd.DataFrame) -> pd.Series:
    """True for the sectors whose mast stands on a pixel of the surface (bool, index of the table)."""
    rows, cols = pixel_of(surface.geobox, sectors["x"].to_numpy(float), sectors["y"].to_numpy(float))
    return pd.Series(inside(surface.geobox, rows, cols), index=sectors.index, name="on_grid")


def below_roof(surface: Surface, sectors: pd.DataFrame) -> pd.Series:
    """How far each antenna is below the top of the clutter on its own pixel: a mast in or beside a higher building.

    Parameters
    ----------
    surface : Surface
    sectors : DataFrame
        With ``x``, ``y`` (finite) and ``antenna_height_m``; ``SECTOR_COLUMNS`` in general.

    Returns
    -------
    Series of float
        Metres, index of the table, name ``below_roof_m``; 0 where the antenna is as high as the clutter or higher, and
        where the mast stands outside of the grid; NaN for an antenna of unknown height.

    Notes
    -----
    Prediction takes an antenna where the table has it and looks past its own pixel: a sector named here is predicted
    as if it hung outside of the wall. Indoor sectors count as any other.

    Examples
    --------
    >>> from siteplan.grid import study_geobox
    >>> box = study_geobox((0.0, 0.0, 20.0, 10.0), "EPSG:4547", 10.0)
    >>> roofs = np.array([[18.0, 0.0]], np.float32)
    >>> surface = Surface(box, np.zeros_like(roofs), roofs, np.ones(roofs.shape, bool), True)
    >>> masts = pd.DataFrame({"x": [5.0, 5.0, 15.0], "y": 5.0, "antenna_height_m": [15.0, 25.0, 8.0]})
    >>> below_roof(surface, masts).tolist()
    [3.0, 0.0, 0.0]
    """
    rows, cols = pixel_of(surface.geobox, sectors["x"].to_numpy(float), sectors["y"].to_numpy(float))
    here = inside(surface.geobox, rows, cols)
    roof_m = np.full(len(sectors), -np.inf, np.float32)
    roof_m[here] = surface.clutter_m[rows[here], cols[here]]
    height_m = sectors["antenna_height_m"].to_numpy(np.float32)  # the clutter's precision: equal heights are equal
    below_m = np.maximum(roof_m - height_m, 0.0).astype(np.float64)
    return pd.Series(below_m, index=sectors.index, name="below_roof_m")


def check_sectors(surface: Surface, sectors: pd.DataFrame, equipment: Equipment) -> None:
    """Raise one ModelError with everything that is wrong with a table of sectors."""
    missing = [name for name in SECTOR_COLUMNS if name not in sectors.columns]
    if missing:
        raise ModelError(f"table of sectors lacks the columns {', '.join(missing)}")
    faults: list[str] = []
    if not sectors.index.is_unique:
        faults.append("sector ids are not unique")
    for name in ("x", "y", "antenna_height_m", "tilt_deg", "freq_mhz", "epre_dbm"):
        bad = ~np.isfinite(sectors[name].to_numpy(float))
        if name in ("antenna_height_m", "freq_mhz"):
            bad |= ~(sectors[name].to_numpy(float) > 0)
        if bad.any():
            faults.append(f"{name} is missing or not positive: {_some(sectors.index[bad])}")
    for name, known in (("kind", KINDS), ("antenna", tuple(equipment.antennas))):
        bad = ~sectors[name].isin(known).to_numpy(bool)
        if bad.any():
            faults.append(f"{name} is not one of {', '.join(known)}: {_some(sectors.index[bad])}")
    if not faults:
        away = ~on_grid(surface, sectors).to_numpy(bool) & (sectors["kind"] != "indoor").to_numpy(bool)
        if away.any():
            faults.append(f"masts outside of the study grid: {_some(sectors.index[away])}")
    if faults:
        raise ModelError("table of sectors cannot be used: " + "; ".join(faults))


def _some(ids: pd.Index) -> str:
    return ", ".join(map(str, ids[:20])) + (f" and {len(ids) - 20} more" if len(ids) > 20 else "")
