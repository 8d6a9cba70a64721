"""Rules of the exposure screening (``tables/exposure.toml`` and a study's changes), and its sensitive buildings."""

from __future__ import annotations

import difflib
from functools import lru_cache
from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely
from numpy.typing import NDArray
from pydantic import Field

from siteplan.coverage._equipment import Equipment, load_equipment
from siteplan.coverage._sectors import numbers
from siteplan.errors import ModelError
from siteplan.params import ExposureAntennaParams, ExposureParams, Settings
from siteplan.tables import read_table
from siteplan.venues import classify_venue, load_venues

TARGET_COLUMNS = ("name", "target_class", "height_m", "height_source")
"""Columns of a table of sensitive buildings, beside ``geometry``; index ``target_id``."""


class LimitRange(Settings):
    """Limit of the power density in one range of frequency: a constant, or the frequency over ``mhz_per_w_m2``."""

    from_mhz: float = Field(ge=0)
    to_mhz: float = Field(gt=0)
    s_w_m2: float | None = Field(None, gt=0)
    mhz_per_w_m2: float | None = Field(None, gt=0)
    source: str = Field(min_length=1)


class ScreeningRules(Settings):
    """Radii, heights and shares of the screening."""

    management_share: float = Field(gt=0, le=1, description="share of the limit that one site may use")
    least_radius_m: float = Field(gt=0, le=1000, description="buildings are looked for at least this far, m")
    taller_radius_m: float = Field(ge=0, le=1000, description="no higher sensitive building within this distance, m")
    probe_m: float = Field(gt=0, lt=3, description="height of the probe above a floor, m")
    storey_m: float = Field(ge=2, le=10, description="height of a storey, m")
    nearest_m: float = Field(gt=0, le=20, description="shorter slope distances count as this, m")
    snap_m: float = Field(ge=0, le=500, description="a venue belongs to the nearest building within, m")
    roof_loss_db: float = Field(ge=0, le=60, description="roof slab below an antenna on a roof, dB")
    lte_resource_blocks: int = Field(ge=6, le=110, description="of a 4G sector without a band of its own")
    source: str = Field(min_length=1)


class ExposureAntenna(ExposureAntennaParams):
    """What of an antenna differs from the equipment table when exposure is asked for."""

    factor: float = Field(1.0, gt=0, le=1, description="share of the total power; 1 = all of it, all the time")
    steer_horizontal_deg: float = Field(0.0, ge=0, le=180, description="the beam points this far off the axis, degrees")
    steer_vertical_deg: float = Field(0.0, ge=0, le=90, description="the same in the vertical plane, degrees")
    source: str = Field(min_length=1)


class SensitiveClass(Settings):
    """One class of sensitive buildings: a building fits by its use, or by its venue class and the words of its name."""

    zh: str = Field(min_length=1)
    uses: tuple[str, ...] = ()
    classes: tuple[str, ...] = ()
    words: tuple[str, ...] = ()
    justify: bool = Field(False, description="avoid, or justify the site")

    def fits(self, use: str, venue_class: str, name: str) -> bool:
        """Whether a building is of this class; ``venue_class`` empty = no venue is known there."""
        named = any(word in name for word in self.words)
        if not venue_class:
            return use in self.uses or (named and not self.classes)
        by_class = venue_class in self.classes if self.classes else bool(self.words)
        return by_class and (named or not self.words)


class ExposureRules(Settings):
    """What the screening goes by: the whole table, or the table with a study's changes.

    Examples
    --------
    >>> rules = load_exposure()
    >>> rules.limit_w_m2(np.array([700.0, 3500.0])).round(4).tolist()
    [0.4, 0.4667]
    """

    wording: str = Field(min_length=1)
    standard: str = Field(min_length=1)
    method: str = Field(min_length=1)
    advice: str = Field(min_length=1)
    unverified: str = Field(min_length=1)
    passed_over: tuple[str, ...] = Field((), description="venue classes where nobody stays")
    limits: tuple[LimitRange, ...] = Field(min_length=1)
    screening: ScreeningRules
    antennas: dict[str, ExposureAntenna]
    sensitive: dict[str, SensitiveClass]
    columns: dict[str, dict[str, str]]
    sector_columns: dict[str, dict[str, str]]

    def limit_w_m2(self, freq_mhz: NDArray[np.float64]) -> NDArray[np.float64]:
        """Public limit of the power density (GB 8702-2014 table 1), W/m2; NaN outside of the ranges of the table."""
        freq = np.asarray(freq_mhz, np.float64)
        limit = np.full(freq.shape, np.nan)
        for part in reversed(self.limits):
            value = freq / part.mhz_per_w_m2 if part.mhz_per_w_m2 else np.full(freq.shape, part.s_w_m2 or np.nan)
            limit = np.where((freq >= part.from_mhz) & (freq <= part.to_mhz), value, limit)
        return limit

    def class_of(self, use: str, venue_class: str, name: str) -> str:
        """Key of the first class that fits; empty when the building is not sensitive."""
        return next((key for key, entry in self.sensitive.items() if entry.fits(use, venue_class, name)), "")


@lru_cache(maxsize=1)
def load_exposure() -> ExposureRules:
    """Read ``tables/exposure.toml`` of the package.

    Returns
    -------
    ExposureRules
        The same object on every call.

    Examples
    --------
    >>> load_exposure().antennas["macro_64t"].factor
    0.1875
    """
    return ExposureRules.model_validate(dict(read_table("exposure")))


def exposure_of(params: ExposureParams, equipment: Equipment | None = None) -> ExposureRules:
    """The package's table with what a study changes in it.

    Parameters
    ----------
    params : ExposureParams
        Keys that are absent keep the table's value. An antenna of the table has single keys changed; any other is new
        and radiates all of its power all the time where it does not say.
    equipment : Equipment, optional
        The equipment of the study; the package's when absent.

    Returns
    -------
    ExposureRules

    Raises
    ------
    ModelError
        An antenna is not among the equipment; the nearest name is said.

    Examples
    --------
    >>> changed = exposure_of(ExposureParams(management_share=0.5, antennas={"macro_64t": {"factor": 0.25}}))
    >>> changed.screening.management_share, changed.antennas["macro_64t"].factor, changed.antennas["macro_64t"].gain_dbi
    (0.5, 0.25, 24.0)
    """
    known = (load_equipment() if equipment is None else equipment).antennas
    unknown = sorted(set(params.antennas) - set(known))
    if unknown:
        near = difflib.get_close_matches(unknown[0], known, n=1, cutoff=0.5) or list(known)
        raise ModelError(f"exposure.antennas: the equipment has no antenna {', '.join(unknown)}; "
                         f"known: {', '.join(near)}")
    rules = load_exposure()
    given = params.model_dump(exclude={"antennas"}, exclude_none=True)
    antennas = dict(rules.antennas)
    for name, entry in params.antennas.items():
        old = antennas[name].model_dump() if name in antennas else {}
        antennas[name] = ExposureAntenna(**{**old, **entry.model_dump(exclude_none=True), "source": "study file"})
    return rules.model_copy(update={"screening": rules.screening.model_copy(update=given), "antennas": antennas})


def sensitive_targets(buildings: gpd.GeoDataFrame, facilities: gpd.GeoDataFrame,
                      rules: ExposureRules | None = None) -> gpd.GeoDataFrame:
    """Buildings where the public lives, works or learns.

    Parameters
    ----------
    buildings : GeoDataFrame
        Layer ``buildings``: polygons in metres, with ``name``, ``use``, ``height_m``, ``height_source``.
    facilities : GeoDataFrame
        Layer ``facilities``: points with ``name``, ``venue_class``, ``roof_height_m``, ``storeys``.
    rules : ExposureRules, optional
        The package's table when absent.

    Returns
    -------
    GeoDataFrame
        `TARGET_COLUMNS` and geometry, index ``target_id``: buildings in their order, then venues without a building.
        ``height_source`` is that of the building (measured | storeys | default); of a venue without one ``measured``
        (its own roof height), ``storeys`` or ``default`` (the roof height usual for its class).

    Notes
    -----
    A venue belongs to the building it stands in, or the nearest within ``snap_m``; of several the one whose class
    stands first in the table counts. A building of public use without a venue is told by its name where it has one.
    """
    own = load_exposure() if rules is None else rules
    order = {key: number for number, key in enumerate(own.sensitive)}
    venues = _venue_classes(facilities, own)
    place = _building_of(venues, buildings, own.screening.snap_m)
    best = _own_classes(buildings, own)
    given = _texts(buildings, "name")
    names = given.copy()
    for venue, building in sorted(zip(range(len(venues)), place, strict=True), key=lambda pair: pair[1]):
        key = venues["target_class"].iloc[venue]
        if building >= 0 and order[key] < order.get(best[building], len(order)):
            best[building] = key
            names[building] = given[building] or venues["name"].iloc[venue]
    kept = best != ""
    found = gpd.GeoDataFrame(
        {"name": names[kept], "target_class": best[kept],
         "height_m": buildings["height_m"].to_numpy(np.float64)[kept],
         "height_source": _texts(buildings, "height_source")[kept]},
        geometry=buildings.geometry.to_numpy()[kept], crs=buildings.crs, index=buildings.index[kept].astype("str"))
    alone = venues[place < 0]
    out = pd.concat([found, alone[[*TARGET_COLUMNS, "geometry"]]]) if len(alone) else found
    return gpd.GeoDataFrame(out, crs=buildings.crs).rename_axis("target_id")


def _texts(table: pd.DataFrame, column: str) -> NDArray[np.object_]:
    """A text column as an array, empty where nothing is known."""
    if column not in table.columns:
        return np.full(len(table), "", object)
    values: NDArray[np.object_] = table[column].astype("object").where(table[column].notna(), "").to_numpy(object)
    return values.copy()


def _own_classes(buildings: gpd.GeoDataFrame, rules: ExposureRules) -> NDArray[np.object_]:
    """Class of every building by its use, and by its name where the use is public or not known."""
    uses, names = _texts(buildings, "use"), _texts(buildings, "name")
    known: dict[tuple[str, str], str] = {}
    out = np.full(len(buildings), "", object)
    for i, (use, name) in enumerate(zip(uses, names, strict=True)):
        asked = (use, name if use in ("public", "other") else "")
        if asked not in known:
            guess = classify_venue("", asked[1]).venue_class if asked[1] else ""
            by_name = rules.class_of("", guess, asked[1]) if asked[1] else ""
            by_use = rules.class_of(use, "", asked[1]) if guess not in rules.passed_over else ""
            known[asked] = by_name or by_use
        out[i] = known[asked]
    return out


def _venue_classes(facilities: gpd.GeoDataFrame, rules: ExposureRules) -> gpd.GeoDataFrame:
    """Sensitive venues with their class and their own height, in order of id."""
    ordered = facilities.sort_index()
    names, classes = _texts(ordered, "name"), _texts(ordered, "venue_class")
    keys = np.array([rules.class_of("", kind, name) if kind else "" for kind, name in zip(classes, names, strict=True)],
                    dtype=object)
    catalogue = load_venues().classes
    usual = np.array([catalogue[kind].default_roof_height_m if kind in catalogue else np.nan for kind in classes],
                     dtype=np.float64)
    roof = numbers(ordered, "roof_height_m")
    storeys = numbers(ordered, "storeys") * rules.screening.storey_m
    height = np.where(np.isfinite(roof), roof, np.where(np.isfinite(storeys), storeys, usual))
    source = np.where(np.isfinite(roof), "measured", np.where(np.isfinite(storeys), "storeys", "default"))
    table: dict[str, Any] = {"name": names, "target_class": keys, "height_m": height, "height_source": source}
    out = gpd.GeoDataFrame(table, geometry=ordered.geometry.to_numpy(), crs=ordered.crs,
                           index=ordered.index.astype("str"))
    return out[(keys != "") & ~shapely.is_missing(out.geometry.to_numpy())]


def _building_of(venues: gpd.GeoDataFrame, buildings: gpd.GeoDataFrame, within_m: float) -> NDArray[np.int64]:
    """Position of the nearest building of each venue; -1 where there is none within the distance."""
    place = np.full(len(venues), -1, np.int64)
    if len(venues) and len(buildings):
        tree = shapely.STRtree(buildings.geometry.to_numpy())
        pairs, away = tree.query_nearest(venues.geometry.to_numpy(), max_distance=max(within_m, 1e-9),
                                         return_distance=True)
        first = pd.DataFrame({"venue": pairs[0], "away": away, "building": pairs[1]}).sort_values(
            ["venue", "away", "building"]).drop_duplicates("venue")
        place[first["venue"].to_numpy()] = first["building"].to_numpy()
    return place
