"""Directions in which a new site can radiate: not into a wall that stands close before it and above it."""

from __future__ import annotations

from functools import cache

import geopandas as gpd
import numpy as np
import pandas as pd
from numpy.typing import NDArray
from pydantic import Field

from siteplan.coverage import Equipment
from siteplan.coverage._azimuths import OMNI
from siteplan.grid import inside, pixel_of
from siteplan.params import Settings
from siteplan.surface import Surface
from siteplan.tables import read_table

Floats = NDArray[np.float64]


class WallRule(Settings):
    """Which walls take an azimuth away (``[walls]`` of ``tables/scenes.toml``)."""

    within_m: float = Field(gt=0, le=500)
    beam_deg: float = Field(ge=0, le=180)
    step_m: float = Field(gt=0, le=100)
    step_deg: float = Field(gt=0, le=180)
    source: str = Field(min_length=1)

    def distances_m(self) -> Floats:
        """Distances that are looked at, m: every step, and the end."""
        steps = np.arange(self.step_m, self.within_m, self.step_m)
        return np.append(steps, self.within_m)

    def off_deg(self) -> Floats:
        """Directions off the azimuth that are looked at, degrees: even steps to both edges of the beam."""
        count = int(np.ceil(self.beam_deg / self.step_deg))
        return np.linspace(-self.beam_deg, self.beam_deg, 2 * count + 1)


@cache
def wall_rule() -> WallRule:
    """The rule of the package's table.

    >>> wall_rule().distances_m().tolist(), wall_rule().off_deg().tolist()
    ([10.0, 20.0, 30.0], [-30.0, -15.0, 0.0, 15.0, 30.0])
    """
    return WallRule(**read_table("scenes")["walls"])


def feasible_azimuths(sites: gpd.GeoDataFrame, surface: Surface, equipment: Equipment,
                      rule: WallRule | None = None) -> pd.Series:
    """Azimuths of its site type that each site can use.

    Parameters
    ----------
    sites : GeoDataFrame
        Points with ``kind`` and ``antenna_height_m`` (above the ground of its pixel).
    surface : Surface
    equipment : Equipment
        ``site_types`` says which azimuths a site of a kind has.
    rule : WallRule, optional
        The package's when absent.

    Returns
    -------
    Series of str
        Index of the sites, name ``azimuths``: ``"0|120|240"``, ``"omni"`` for a kind without azimuths, ``""`` where no
        azimuth is feasible (and for kinds that the equipment does not have).

    Notes
    -----
    An azimuth is not feasible when the surface (ground and what stands on it) is higher than the antenna at a distance
    of 10, 20 or 30 m in a direction of -30, -15, 0, 15 or 30 degrees off it. The roof that the antenna stands on is
    below it. What lies outside of the grid is no wall, an antenna of unknown height has none. Omnidirectional sites
    are not judged: a pole in a street has walls to both sides and serves the street.

    Examples
    --------
    >>> from siteplan.coverage import load_equipment
    >>> from siteplan.grid import study_geobox
    >>> box = study_geobox((0.0, 0.0, 90.0, 90.0), "EPSG:4547", 10.0)
    >>> walls = np.zeros(box.shape, np.float32)
    >>> walls[2, 4] = 40.0  # 20 m north of the middle
    >>> surface = Surface(box, np.zeros_like(walls), walls, np.ones(walls.shape, bool), True)
    >>> sites = gpd.GeoDataFrame({"kind": ["macro", "macro", "micro"], "antenna_height_m": [30.0, 45.0, 8.0]},
    ...                          geometry=gpd.points_from_xy([45.0] * 3, [45.0] * 3), crs=4547, index=list("abc"))
    >>> feasible_azimuths(sites, surface, load_equipment()).tolist()
    ['120|240', '0|120|240', 'omni']
    """
    walls = wall_rule() if rule is None else rule
    kinds = sites["kind"].astype(str).to_numpy(object)
    out = np.full(len(sites), "", object)
    for name, kind in sorted(equipment.site_types.items()):
        chosen = np.flatnonzero(kinds == name)
        if not kind.azimuths_deg:
            out[chosen] = OMNI
        elif chosen.size:
            part = sites.iloc[chosen]
            blocked = np.column_stack([_blocked(part, surface, azimuth, walls) for azimuth in kind.azimuths_deg])
            code, number = np.unique(blocked, axis=0, return_inverse=True)
            words = ["|".join(f"{azimuth:g}" for azimuth, shut in zip(kind.azimuths_deg, row, strict=True) if not shut)
                     for row in code]
            out[chosen] = np.array(words, object)[number.ravel()]
    return pd.Series(out, index=sites.index, name="azimuths", dtype="str")


def _blocked(sites: gpd.GeoDataFrame, surface: Surface, azimuth_deg: float, rule: WallRule) -> NDArray[np.bool_]:
    """Sites with a wall in the beam of an azimuth that stands higher than their antenna."""
    x, y = sites.geometry.x.to_numpy(np.float64), sites.geometry.y.to_numpy(np.float64)
    own = _height_m(surface, x, y, top=False) + sites["antenna_height_m"].to_numpy(np.float64)
    blocked = np.zeros(len(sites), bool)
    for direction in np.radians(azimuth_deg + rule.off_deg()):
        for distance in rule.distances_m():
            place = x + distance * np.sin(direction), y + distance * np.cos(direction)
            blocked |= _height_m(surface, *place, top=True) > own
    return blocked


def _height_m(surface: Surface, x: Floats, y: Floats, *, top: bool) -> Floats:
    """Height of the ground, or of what stands on it, above sea level at each point; NaN outside of the grid."""
    rows, cols = pixel_of(surface.geobox, x, y)
    on = inside(surface.geobox, rows, cols)
    out = np.full(len(x), np.nan)
    here = rows[on], cols[on]
    out[on] = surface.ground_m[here]
    if top:
        out[on] += surface.clutter_m[here]
    return out


def without_sector(sites: gpd.GeoDataFrame, equipment: Equipment) -> NDArray[np.bool_]:
    """Sites of a kind of the equipment whose ``azimuths`` is empty: walls on all sides (refusal code ``no_sector``).

    Parameters
    ----------
    sites : GeoDataFrame
        With ``kind``, ``status`` and ``azimuths`` as :func:`feasible_azimuths` gives them.
    equipment : Equipment

    Returns
    -------
    ndarray of bool (site,)
        False for existing sites.
    """
    known = sites["kind"].isin(list(equipment.site_types)) & (sites["status"] != "existing")
    return (known & (sites["azimuths"] == "")).to_numpy(bool)
