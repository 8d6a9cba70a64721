"""A layer as it leaves: the nouns between profiles and formats."""

from __future__ import annotations

from dataclasses import dataclass

import geopandas as gpd

from siteplan.profiles import Profile


@dataclass(frozen=True)
class Adjustment:
    """One value that was changed on purpose on its way out.

    Attributes
    ----------
    layer, row, field : str
        Name of the exchange layer, key of the row, name of the field (``geometry`` for its shape).
    value, written : str
        As it stands in the master, and as it is written.
    reason : str
        Why, in Chinese.
    """

    layer: str
    row: str
    field: str
    value: str
    written: str
    reason: str


@dataclass(frozen=True)
class OutLayer:
    """A layer under its profile, ready for the formats.

    Attributes
    ----------
    profile : Profile
    name : str
        ``profile.out``, with the code of the CRS behind it where the layer is split by zones.
    table : GeoDataFrame
        Columns = names of the fields in their order (always ``ProfileField.name``), then ``geometry``; numbered rows.
        Text is ``str`` with NaN = empty, int ``Int64``, float ``float64``, date ``datetime64[s]`` (NaT = empty). Of a
        narrow format the columns bear the names that are written there.
    adjustments : tuple of Adjustment
    """

    profile: Profile
    name: str
    table: gpd.GeoDataFrame
    adjustments: tuple[Adjustment, ...] = ()
