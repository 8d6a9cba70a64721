"""The noun of a format; ``FORMATS`` of :mod:`siteplan.export.exchange.bundle` lists them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

import geopandas as gpd

from siteplan.export.exchange.out_layer import OutLayer
from siteplan.profiles._nouns import GeometryKind


class Kept(NamedTuple):
    """What a format keeps of a layer.

    Attributes
    ----------
    geometry_m : float
        How far a coordinate may move, m (degrees x 111,000 in geographic CRS).
    numbers : bool
        Whether float values come back to their decimals.
    types : bool
        Whether numbers and dates come back as such; else they are compared as text.
    crs : bool
        Whether the CRS comes back.
    degrees : bool
        Whether longitudes and latitudes stand in the file as such; else it shows their place in the CGCS2000 3-degree
        zone of their middle, from which they come back.
    kinds : tuple of {"Point", "LineString", "Polygon"}
        Kinds of geometry that come back; of a layer of another kind only the attributes are compared.
    fields : tuple of str or None
        Names of the fields that come back; None = all.
    """

    geometry_m: float = 1e-6
    numbers: bool = True
    types: bool = True
    crs: bool = True
    degrees: bool = True
    kinds: tuple[GeometryKind, ...] = ("Point", "LineString", "Polygon")
    fields: tuple[str, ...] | None = None


class Format(NamedTuple):
    """A format of exchange files.

    Attributes
    ----------
    id : str
        ``shp``, ``gpkg``, ``gdb``, ``tab``, ``kmz``, ``dxf``, ``geojson``, ``xlsx``, ``csv``.
    zh : str
    narrow : bool
        Whether names, widths and encoding of the profile bind (Shapefile, MapInfo).
    write : callable
        ``write(layers, folder)``: writes all layers into an existing folder of its own. Raises ExportError.
    read : callable
        ``read(folder, layer)``: the layer read back, columns named and typed as ``layer.table`` (as far as
        ``kept.types``).
    kept : Kept
    """

    id: str
    zh: str
    narrow: bool
    write: Callable[[Sequence[OutLayer], Path], None]
    read: Callable[[Path, OutLayer], gpd.GeoDataFrame]
    kept: Kept = Kept()
