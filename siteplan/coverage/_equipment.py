"""Equipment as data: bands, antennas and site types of ``tables/equipment.toml``, and what a study changes in them."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Annotated, Any, Literal

from pydantic import Field, InstanceOf, model_validator

from siteplan.coverage._antennas import Antenna, AntennaPattern
from siteplan.errors import ModelError
from siteplan.params import EquipmentParams, Settings
from siteplan.radio import epre_dbm
from siteplan.tables import read_table

__all__ = ["Antenna", "Band", "Equipment", "SiteType", "equipment_of", "load_equipment"]

_MEASURED_DEPTH_DB = 40.0
"""Depth of a measured antenna whose entry does not say: patterns deeper than that are noise of the chamber."""


class Band(Settings):
    """One carrier: frequency, width, subcarriers, resource blocks, technology."""

    freq_mhz: float = Field(ge=300, le=7125, description="centre of the downlink, MHz")
    bandwidth_mhz: float = Field(ge=1, le=400, description="width of the carrier, MHz")
    scs_khz: Literal[15, 30, 60] = Field(description="subcarrier spacing, kHz")
    resource_blocks: int = Field(ge=6, le=275, description="resource blocks of the carrier")
    technology: Literal["5G", "4G"]
    source: str = Field(min_length=1)

    @model_validator(mode="after")
    def _fits(self) -> Band:
        used_mhz = self.resource_blocks * 12 * self.scs_khz / 1000.0
        if used_mhz > self.bandwidth_mhz:
            raise ValueError(f"{self.resource_blocks} resource blocks of {self.scs_khz} kHz are {used_mhz:g} MHz wide, "
                             f"more than the carrier's {self.bandwidth_mhz:g} MHz")
        return self


class SiteType(Settings):
    """What a new site of one kind carries."""

    band: str
    antenna: str
    power_w: float = Field(gt=0, le=2000, description="total power of a sector, W")
    azimuths_deg: tuple[Annotated[float, Field(ge=0, le=360)], ...] = Field(
        description="one sector each; empty = one omni sector")
    planning_radius_m: float = Field(gt=0, le=20000, description="radius the tilt aims at where a site has none, m")
    cost_yuan: float = Field(ge=0, description="cost of a new site, yuan")
    source: str = Field(min_length=1)


class Equipment(Settings):
    """The whole table; ``patterns`` holds the measured patterns that antennas name, by that name.

    Examples
    --------
    >>> equipment = load_equipment()
    >>> equipment.bands["n41"].resource_blocks, round(equipment.epre_dbm("macro"), 2)
    (273, 17.86)
    """

    bands: dict[str, Band]
    antennas: dict[str, Antenna]
    site_types: dict[str, SiteType]
    patterns: dict[str, InstanceOf[AntennaPattern]] = Field(default_factory=dict, exclude=True, repr=False)

    @model_validator(mode="after")
    def _refers_to_known(self) -> Equipment:
        for name, kind in self.site_types.items():
            if kind.band not in self.bands or kind.antenna not in self.antennas:
                raise ValueError(f"site type {name}: unknown band {kind.band!r} or antenna {kind.antenna!r}")
        for name, antenna in self.antennas.items():
            if antenna.pattern is not None and antenna.pattern not in self.patterns:
                raise ValueError(f"antenna {name}: pattern {antenna.pattern!r} was not read")
        return self

    def epre_dbm(self, site_type: str) -> float:
        """Energy per resource element of a new site's sector, dBm."""
        kind = self.site_types[site_type]
        return float(epre_dbm(kind.power_w, self.bands[kind.band].resource_blocks))

    def band_of(self, freq_mhz: float, technology: str) -> Band:
        """The band nearest to a frequency among those of a technology; the lower one, then the first by name, of two.

        Raises
        ------
        ModelError
            No band has this technology.

        Examples
        --------
        >>> load_equipment().band_of(2600.0, "5G").bandwidth_mhz, load_equipment().band_of(2600.0, "4G").scs_khz
        (100.0, 15)
        """
        known = [(abs(band.freq_mhz - freq_mhz), band.freq_mhz, name) for name, band in self.bands.items()
                 if band.technology == technology]
        if not known:
            raise ModelError(f"no band of the equipment has the technology {technology!r}")
        return self.bands[min(known)[2]]

    def pattern_of(self, antenna: str) -> AntennaPattern | None:
        """The measured pattern of an antenna, None where it has none."""
        name = self.antennas[antenna].pattern
        return None if name is None else self.patterns[name]


@lru_cache(maxsize=1)
def load_equipment() -> Equipment:
    """Read ``tables/equipment.toml`` of the package.

    Returns
    -------
    Equipment
        Frozen; the same object on every call.

    Examples
    --------
    >>> sorted(load_equipment().site_types)
    ['macro', 'micro']
    """
    return Equipment.model_validate(dict(read_table("equipment")))


def equipment_of(params: EquipmentParams, patterns: Mapping[str, AntennaPattern]) -> Equipment:
    """The package's table with what a study adds to it or changes in it.

    Parameters
    ----------
    params : EquipmentParams
        Entries by name. An entry of the package's name overrides single keys of it, any other is new and complete.
    patterns : mapping of str to AntennaPattern
        The measured patterns that antennas name, by that name.

    Returns
    -------
    Equipment

    Raises
    ------
    ModelError
        An antenna names a pattern that is not among `patterns`.
    pydantic.ValidationError
        A key is unknown, missing or out of bounds, or a site type names an unknown band or antenna; all are named.

    Notes
    -----
    An antenna with a measured pattern takes gain and beam widths from it where the entry does not say.

    Examples
    --------
    >>> changes = EquipmentParams(site_types={"micro": {"band": "n41"}})
    >>> equipment_of(changes, {}).site_types["micro"].power_w, load_equipment().site_types["micro"].band
    (20.0, 'n78')
    """
    unread = [f"{name} ({entry['pattern']})" for name, entry in params.antennas.items()
              if entry.get("pattern") is not None and str(entry["pattern"]) not in patterns]
    if unread:
        raise ModelError(f"measured patterns that were not read: {', '.join(unread)}")
    table = load_equipment().model_dump()
    given: dict[str, Mapping[str, Mapping[str, Any]]] = {
        "bands": params.bands, "antennas": params.antennas, "site_types": params.site_types}
    for kind, entries in given.items():
        for name, entry in entries.items():
            old = table[kind].get(name, {})
            table[kind][name] = {**old, **(_antenna_keys(old, entry, patterns) if kind == "antennas" else {}), **entry}
    return Equipment.model_validate({**table, "patterns": dict(patterns)})


def _antenna_keys(old: Mapping[str, Any], entry: Mapping[str, Any], patterns: Mapping[str, AntennaPattern],
                  ) -> dict[str, Any]:
    """What follows from the form that an antenna's new entry gives it."""
    pattern = patterns.get(str(entry.get("pattern")))
    if pattern is None:
        return {"pattern": None} if old and "beams" in entry else {}
    found = {"beams": (), "horizontal_deg": pattern.horizontal_deg, "vertical_deg": min(pattern.vertical_deg, 180.0),
             "side_lobe_db": _MEASURED_DEPTH_DB, "depth_db": _MEASURED_DEPTH_DB,
             "source": f"measured pattern {pattern.name} ({entry['pattern']})"}
    return found if pattern.gain_dbi != pattern.gain_dbi else {**found, "gain_dbi": pattern.gain_dbi}
