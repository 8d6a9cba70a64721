"""Tables of sectors: of stations that stand, and of sites that may be built."""

from __future__ import annotations

import geopandas as gpd
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from siteplan.coverage._azimuths import alike_sites
from siteplan.coverage._equipment import Equipment, load_equipment
from siteplan.coverage._models import MODEL_NAMES
from siteplan.errors import ModelError
from siteplan.grid import inside, pixel_of
from siteplan.schema import normalise_word
from siteplan.surface import Surface

SECTOR_COLUMNS = ("x", "y", "antenna_height_m", "azimuth_deg", "tilt_electrical_deg", "tilt_mechanical_deg",
                  "freq_mhz", "bandwidth_mhz", "scs_khz", "epre_dbm", "feeder_db", "load_share", "antenna", "kind",
                  "networks", "technology", "tilt_deg")
"""Columns of a table of sectors (index ``sector_id``); ``networks`` are joined by ``|``, ``*`` = all; ``azimuth_deg``
NaN = omni; ``load_share`` NaN = the study's; ``tilt_deg`` = electrical + mechanical."""
KINDS = ("macro", "micro", "indoor")
_FILLED = ("tilt_electrical_deg", "tilt_mechanical_deg", "tilt_deg", "bandwidth_mhz", "scs_khz", "feeder_db",
           "load_share")
"""Columns that :func:`complete_sectors` fills."""
PLANNED = "planned"
"""Optional column: True for sectors that do not stand yet; a calibration takes their power as it is."""
_LIMITS = {"antenna_height_m": (0.0, 1000.0), "tilt_electrical_deg": (-90.0, 90.0),
           "tilt_mechanical_deg": (-90.0, 90.0), "tilt_deg": (-90.0, 90.0), "freq_mhz": (400.0, 100_000.0),
           "bandwidth_mhz": (1.0, 2000.0), "scs_khz": (15.0, 240.0), "epre_dbm": (-100.0, 45.0),
           "feeder_db": (0.0, 50.0), "load_share": (0.0, 1.0)}
"""Least and greatest value; an antenna height of 0 is refused as well."""


def planned_tilt_deg(height_m: float, radius_m: float, vertical_deg: float) -> float:
    """Downtilt that aims the upper edge of the beam at the planning radius, rounded to half a degree.

    ``atan(H / R) + half the vertical beam width``: the rule behind operators' LTE tilt tables.

    Examples
    --------
    >>> planned_tilt_deg(30.0, 300.0, 7.0)
    9.0
    """
    return float(_planned_tilts_deg(np.asarray([height_m]), np.asarray([radius_m]), vertical_deg)[0])


def _planned_tilts_deg(height_m: NDArray[np.float64], radius_m: NDArray[np.float64],
                       vertical_deg: float) -> NDArray[np.float64]:
    """:func:`planned_tilt_deg` of many sectors."""
    return np.asarray(np.round(2.0 * (np.degrees(np.arctan2(height_m, radius_m)) + vertical_deg / 2.0)) / 2.0)


def sectors_of_stations(stations: gpd.GeoDataFrame, equipment: Equipment | None = None) -> pd.DataFrame:
    """Table of sectors of the existing stations.

    Parameters
    ----------
    stations : GeoDataFrame
        Layer ``stations``: points in the study CRS, one row per sector, index ``sector_id``, everything filled.
    equipment : Equipment, optional
        Antennas and bands; the package's table when absent.

    Returns
    -------
    DataFrame
        ``SECTOR_COLUMNS``, same index and order. The antenna is the one that ``antenna`` names where the equipment
        has it; else it follows from kind, technology and frequency: for micro a pole antenna, or a panel where there
        is an azimuth; for macro an omni without azimuth, an active array for 5G from 2.3 GHz, else a passive panel.
        Width and subcarrier spacing are those of the nearest band, the feeder loss that of the antenna, where the
        stations do not say. A shared network (``电信&联通``) serves each of its operators. Of the total tilt all is
        electrical but what stands in ``tilt_mechanical_deg``.
    """
    out = pd.DataFrame(
        {
            "x": stations.geometry.x.astype(float), "y": stations.geometry.y.astype(float),
            "antenna_height_m": stations["antenna_height_m"].astype(float),
            "azimuth_deg": stations["azimuth_deg"].astype(float), "tilt_deg": stations["tilt_deg"].astype(float),
            "tilt_mechanical_deg": _given(stations, "tilt_mechanical_deg").fillna(0.0),
            "freq_mhz": stations["freq_mhz"].astype(float), "bandwidth_mhz": _given(stations, "bandwidth_mhz"),
            "scs_khz": _given(stations, "scs_khz"), "epre_dbm": stations["epre_dbm"].astype(float),
            "feeder_db": _given(stations, "feeder_db"), "load_share": _given(stations, "load_share"),
            "kind": stations["kind"].astype(str), "networks": served_by(stations["network"]),
            "technology": stations["technology"].astype(str),
        })
    out.index = pd.Index(stations.index.astype(str), name="sector_id")
    table = load_equipment() if equipment is None else equipment
    usual = _usual_antenna(out)
    if "antenna" in stations:
        named = antenna_names(stations["antenna"], table).to_numpy(object)
        usual = np.where(pd.isna(named), usual, named)
    return complete_sectors(out.assign(antenna=usual), table)


def served_by(network: pd.Series) -> pd.Series:
    """Networks that stations serve, joined by ``|``: each operator of a shared one.

    Examples
    --------
    >>> served_by(pd.Series(["电信&联通", "移动"])).tolist()
    ['电信|联通', '移动']
    """
    return network.astype(str).str.replace("&", "|", regex=False)


def numbers(table: pd.DataFrame, column: str) -> NDArray[np.float64]:
    """A column as floats, NaN where nothing is known or the table does not have it."""
    if column not in table.columns:
        return np.full(len(table), np.nan)
    values: NDArray[np.float64] = table[column].to_numpy(np.float64, na_value=np.nan)
    return values


def _given(table: pd.DataFrame, name: str) -> pd.Series:
    """:func:`numbers` on the index of the table."""
    return pd.Series(numbers(table, name), index=table.index)


def _usual_antenna(sectors: pd.DataFrame) -> NDArray[np.object_]:
    """Antenna of sectors that name none."""
    kind, freq, technology = sectors["kind"], sectors["freq_mhz"], sectors["technology"]
    around = sectors["azimuth_deg"].isna()
    conditions = [kind == "indoor", (kind == "micro") & around, kind == "micro", around, freq < 1000.0,
                  (technology == "5G") & (freq >= 2300.0)]
    chosen = ["indoor", "pole_micro", "panel_micro", "macro_omni", "panel_700", "macro_64t"]
    return np.select(conditions, chosen, default="panel_passive").astype(object)


def antenna_names(names: pd.Series, equipment: Equipment) -> pd.Series:
    """Antennas of the equipment that texts name, case, blanks and width apart; missing where there is none such.

    Examples
    --------
    >>> antenna_names(pd.Series(["Macro_64T", "AAU5613", None]), load_equipment()).fillna("").tolist()
    ['macro_64t', '', '']
    """
    known = {normalise_word(name): name for name in sorted(equipment.antennas, reverse=True)}
    found = [None if pd.isna(text) else known.get(normalise_word(str(text))) for text in names]
    return pd.Series(found, index=names.index, dtype="str")


def complete_sectors(sectors: pd.DataFrame, equipment: Equipment) -> pd.DataFrame:
    """The table with every column of ``SECTOR_COLUMNS``, in that order, further columns behind.

    Parameters
    ----------
    sectors : DataFrame
        At least ``x, y, antenna_height_m, azimuth_deg, freq_mhz, epre_dbm, antenna, kind, networks, technology`` and a
        tilt: ``tilt_deg``, or one or both of its parts.
    equipment : Equipment

    Returns
    -------
    DataFrame
        A new table. Missing columns and NaN are filled: width and subcarrier spacing from the nearest band of the
        technology, feeder loss from the antenna, mechanical tilt 0, electrical tilt the rest of the total;
        ``load_share`` stays NaN (the study's).

    Examples
    --------
    >>> row = {"x": 5.0, "y": 5.0, "antenna_height_m": 30.0, "azimuth_deg": 0.0, "tilt_deg": 6.0, "freq_mhz": 3450.0,
    ...        "epre_dbm": 17.8, "antenna": "macro_64t", "kind": "macro", "networks": "*", "technology": "5G"}
    >>> full = complete_sectors(pd.DataFrame([row], index=["A"]), load_equipment())
    >>> full.loc["A", ["tilt_electrical_deg", "bandwidth_mhz", "scs_khz", "feeder_db"]].tolist()
    [6.0, 100.0, 30.0, 0.0]
    """
    mechanical = _given(sectors, "tilt_mechanical_deg").fillna(0.0)
    total = _given(sectors, "tilt_deg")
    electrical = _given(sectors, "tilt_electrical_deg")
    electrical = electrical.where(electrical.notna(), total - mechanical)
    pairs = pd.Series(list(zip(sectors["freq_mhz"].astype(float), sectors["technology"].astype(str), strict=True)),
                      index=sectors.index, dtype=object)
    width, spacing, feeder = (_given(sectors, name) for name in ("bandwidth_mhz", "scs_khz", "feeder_db"))
    known = {band.technology for band in equipment.bands.values()}
    bands = {pair: equipment.band_of(*pair) for pair in pairs[width.isna() | spacing.isna()].unique()
             if np.isfinite(pair[0]) and pair[1] in known}
    band_width, band_spacing = (
        pairs.map({pair: float(getattr(band, name)) for pair, band in bands.items()}).astype(float)
        for name in ("bandwidth_mhz", "scs_khz"))
    losses = {name: antenna.feeder_db for name, antenna in equipment.antennas.items()}
    filled = {
        "tilt_electrical_deg": electrical, "tilt_mechanical_deg": mechanical, "tilt_deg": electrical + mechanical,
        "bandwidth_mhz": width.fillna(band_width), "scs_khz": spacing.fillna(band_spacing),
        "feeder_db": feeder.fillna(sectors["antenna"].map(losses).astype(float)).fillna(0.0),
        "load_share": _given(sectors, "load_share"),
    }
    out = sectors.assign(**filled)
    more = [name for name in out.columns if name not in SECTOR_COLUMNS]
    return out[[*(name for name in SECTOR_COLUMNS if name in out.columns), *more]]


def sectors_of_sites(sites: gpd.GeoDataFrame, equipment: Equipment | None = None,
                     networks: str | None = "*") -> pd.DataFrame:
    """Table of sectors of new sites: three sectors for a macro site, one omni for a micro site.

    Parameters
    ----------
    sites : GeoDataFrame
        Points in the study CRS, index ``site_id``, with ``kind`` (macro or micro), ``antenna_height_m`` and, optional,
        ``tilt_radius_m``: the radius that the tilt aims at, m; ``azimuths``: those that a site can use, ``0|240`` or
        ``omni``; all of its kind where that is empty or missing.
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
        For a kind that the equipment does not have, and for ``azimuths`` that are none.

    Notes
    -----
    The tilt of a sector with an azimuth is :func:`planned_tilt_deg` of its height and the site's ``tilt_radius_m``;
    where that is absent, not finite or not positive, of the planning radius of its kind. Practice takes the distance of
    the nearest site / 1.5, so that a lone tower looks further than one in a dense network. Omni sectors have tilt 0.
    All of the tilt is electrical. A site whose ``azimuths`` ask for an omni sector where its kind has azimuths, or for
    azimuths where its kind has none, takes the antenna that is usual for stations of that kind.
    """
    table = load_equipment() if equipment is None else equipment
    unknown = sorted(set(sites["kind"].astype(str)) - set(table.site_types))
    if unknown:
        raise ModelError(f"site kinds without equipment: {', '.join(unknown)}; known: {', '.join(table.site_types)}")
    parts = []
    wanted_m = _tilt_radius_m(sites)
    x, y = sites.geometry.x.to_numpy(float), sites.geometry.y.to_numpy(float)
    height_m, ids = sites["antenna_height_m"].to_numpy(float), sites.index.astype(str).to_numpy(object)
    serves = np.full(len(sites), networks, object) if networks is not None else sites["networks"].to_numpy(object)
    for name, azimuths, chosen in alike_sites(sites, table):
        kind = table.site_types[name]
        band, antenna = table.bands[kind.band], _antenna_for(name, azimuths, table)
        radii = np.where(np.isnan(wanted_m[chosen]), kind.planning_radius_m, wanted_m[chosen])
        tilts = _planned_tilts_deg(height_m[chosen], radii, table.antennas[antenna].vertical_deg)
        for number, azimuth in enumerate(azimuths or (np.nan,), start=1):
            parts.append(pd.DataFrame({
                "x": x[chosen], "y": y[chosen], "antenna_height_m": height_m[chosen], "azimuth_deg": float(azimuth),
                "tilt_electrical_deg": tilts if azimuths else 0.0,
                "freq_mhz": band.freq_mhz, "bandwidth_mhz": band.bandwidth_mhz, "scs_khz": float(band.scs_khz),
                "epre_dbm": table.epre_dbm(name), "antenna": antenna, "kind": name,
                "networks": serves[chosen], "technology": band.technology, "planned": True,
                "site_id": ids[chosen], "_place": chosen, "_number": number,
            }))
    out = pd.concat(parts, ignore_index=True).sort_values(["_place", "_number"], kind="stable")
    names = out["site_id"].astype(str) + "-" + out["_number"].astype(str)
    out.index = pd.Index(names.to_numpy(object), name="sector_id", dtype="str")
    return complete_sectors(out.drop(columns=["_place", "_number"]), table)


def _antenna_for(name: str, azimuths: tuple[float, ...], equipment: Equipment) -> str:
    """Antenna of the site type, or the usual one of its kind where that has no axis and a sector needs one, or not."""
    kind = equipment.site_types[name]
    if bool(azimuths) == bool(kind.azimuths_deg):
        return kind.antenna
    band = equipment.bands[kind.band]
    asked = pd.DataFrame({"kind": [name], "azimuth_deg": [azimuths[0] if azimuths else np.nan],
                          "freq_mhz": [band.freq_mhz], "technology": [band.technology]})
    usual = str(_usual_antenna(asked)[0])
    return usual if usual in equipment.antennas else kind.antenna


def _tilt_radius_m(sites: gpd.GeoDataFrame) -> NDArray[np.float64]:
    """Each site's own tilt radius, m; NaN where the table has none that is finite and positive."""
    radius = numbers(sites, "tilt_radius_m")
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
    """Raise one ModelError with everything that is wrong with a table of sectors.

    Parameters
    ----------
    surface : Surface
    sectors : DataFrame
        As :func:`complete_sectors` takes it; what that fills in may be missing.
    equipment : Equipment

    Raises
    ------
    ModelError
        A column is missing, a value missing, not finite or out of bounds, an antenna or kind unknown, an id twice, a
        mast outside of the grid.
    """
    given = set(sectors.columns)
    missing = [name for name in SECTOR_COLUMNS if name not in given and name not in _FILLED]
    if not given & {"tilt_deg", "tilt_electrical_deg"}:
        missing.append("tilt_electrical_deg")
    if missing:
        raise ModelError(f"table of sectors lacks the columns {', '.join(missing)}")
    full = complete_sectors(sectors, equipment)
    faults = [] if sectors.index.is_unique else ["sector ids are not unique"]
    for name in ("x", "y", *_LIMITS):
        values = full[name].to_numpy(float)
        low, high = _LIMITS.get(name, (-np.inf, np.inf))
        bad = ~np.isfinite(values) | (values < low) | (values > high)
        if name == "load_share":
            bad &= ~np.isnan(values)
        if name == "antenna_height_m":
            bad |= values <= 0.0
        if bad.any():
            bounds = f" or not in {low:g}..{high:g}" if np.isfinite(low) else ""
            faults.append(f"{name} is missing{bounds}: {_some(full.index[bad])}")
    if np.isinf(full["azimuth_deg"].to_numpy(float)).any():
        faults.append(f"azimuth_deg is infinite: {_some(full.index[np.isinf(full['azimuth_deg'].to_numpy(float))])}")
    faults += _blank_faults(full)
    words = {"kind": KINDS, "antenna": tuple(equipment.antennas)} | ({"model": MODEL_NAMES} if "model" in given else {})
    for name, known in words.items():
        bad = ~full[name].isin(known).to_numpy(bool) & ((name != "model") | full[name].notna().to_numpy(bool))
        if bad.any():
            faults.append(f"{name} is not one of {', '.join(known)}: {_some(full.index[bad])}")
    if not faults:
        away = ~on_grid(surface, full).to_numpy(bool) & (full["kind"] != "indoor").to_numpy(bool)
        if away.any():
            faults.append(f"masts outside of the study grid: {_some(full.index[away])}")
    if faults:
        raise ModelError("table of sectors cannot be used: " + "; ".join(faults))


def _blank_faults(sectors: pd.DataFrame) -> list[str]:
    faults = []
    for name in ("networks", "technology"):
        blank = sectors[name].isna() | ~sectors[name].astype("str").str.strip(" |").astype(bool)
        if blank.any():
            faults.append(f"{name} is missing: {_some(sectors.index[blank.to_numpy(bool)])}")
    return faults


def _some(ids: pd.Index) -> str:
    return ", ".join(map(str, ids[:20])) + (f" and {len(ids) - 20} more" if len(ids) > 20 else "")
