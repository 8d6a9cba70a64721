"""Equipment as data: bands, antennas and site types of ``tables/equipment.toml``."""

from __future__ import annotations

import tomllib
from functools import lru_cache
from importlib.resources import files
from typing import Literal

from pydantic import Field, model_validator

from siteplan.params import Settings
from siteplan.radio import epre_dbm


class Band(Settings):
    """One carrier that a site type may name: frequency, resource blocks, technology."""

    freq_mhz: float = Field(ge=300, le=7125, description="centre of the downlink, MHz")
    resource_blocks: int = Field(ge=6, le=275, description="resource blocks of the carrier")
    technology: Literal["5G", "4G"]
    source: str = Field(min_length=1)


class Antenna(Settings):
    """One antenna pattern in the form of TR 38.901 table 7.3-1."""

    gain_dbi: float = Field(ge=-10, le=35, description="gain towards the axis, dBi")
    horizontal_deg: float = Field(gt=0, le=360, description="half-power beam width; 360 = omni, degrees")
    vertical_deg: float = Field(gt=0, le=180, description="half-power beam width, degrees")
    side_lobe_db: float = Field(ge=0, le=40, description="greatest attenuation of the vertical plane, dB")
    depth_db: float = Field(ge=0, le=40, description="greatest attenuation, dB")
    source: str = Field(min_length=1)

    @property
    def omni(self) -> bool:
        """True when the antenna has no horizontal axis."""
        return self.horizontal_deg >= 360.0


class SiteType(Settings):
    """What a new site of one kind carries."""

    band: str
    antenna: str
    power_w: float = Field(gt=0, le=2000, description="total power of a sector, W")
    azimuths_deg: tuple[float, ...] = Field(description="one sector each; empty = one omni sector")
    planning_radius_m: float = Field(gt=0, le=20000, description="radius the tilt aims at where a site has none, m")
    cost_yuan: float = Field(ge=0, description="cost of a new site, yuan")
    source: str = Field(min_length=1)


class Equipment(Settings):
    """The whole table.

    Examples
    --------
    >>> equipment = load_equipment()
    >>> equipment.bands["n41"].resource_blocks, round(equipment.epre_dbm("macro"), 2)
    (273, 17.86)
    """

    bands: dict[str, Band]
    antennas: dict[str, Antenna]
    site_types: dict[str, SiteType]

    @model_validator(mode="after")
    def _refers_to_known(self) -> Equipment:
        for name, kind in self.site_types.items():
            if kind.band not in self.bands or kind.antenna not in self.antennas:
                raise ValueError(f"site type {name}: unknown band {kind.band!r} or antenna {kind.antenna!r}")
        return self

    def epre_dbm(self, site_type: str) -> float:
        """Energy per resource element of a new site's sector, dBm."""
        kind = self.site_types[site_type]
        return float(epre_dbm(kind.power_w, self.bands[kind.band].resource_blocks))


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
    text = files("siteplan").joinpath("tables", "equipment.toml").read_text(encoding="utf-8")
    return Equipment.model_validate(tomllib.loads(text))
