"""Azimuths of new sites: all of their kind, or those that a site can use."""

from __future__ import annotations

from collections.abc import Iterator

import geopandas as gpd
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from siteplan.coverage._equipment import Equipment
from siteplan.errors import ModelError

OMNI = "omni"
"""What ``azimuths`` of a site says of one omnidirectional sector; numbers of degrees are joined by ``|``."""


def alike_sites(sites: gpd.GeoDataFrame, equipment: Equipment,
                ) -> Iterator[tuple[str, tuple[float, ...], NDArray[np.int64]]]:
    """Kind, azimuths (empty = one omni sector) and positions of the sites that radiate alike; no kind is left out."""
    kinds = sites["kind"].astype(str).to_numpy(object)
    words = np.full(len(sites), "", object)
    if "azimuths" in sites.columns:
        words = sites["azimuths"].astype("object").where(sites["azimuths"].notna(), "").to_numpy(object)
    for name, kind in sorted(equipment.site_types.items()):
        chosen = np.flatnonzero(kinds == name)
        codes, texts = pd.factorize(words[chosen], sort=True)
        if not len(texts):
            yield name, kind.azimuths_deg, chosen
        for code, text in enumerate(texts):
            yield name, azimuths_of(str(text), kind.azimuths_deg), chosen[codes == code]


def azimuths_of(text: str, usual: tuple[float, ...]) -> tuple[float, ...]:
    """Azimuths that a text names, degrees: the usual ones when it is empty, none when it says omni.

    Raises
    ------
    ModelError
        The text names no azimuths.

    Examples
    --------
    >>> azimuths_of("0|240", (0.0, 120.0, 240.0)), azimuths_of("", (90.0,)), azimuths_of("omni", (90.0,))
    ((0.0, 240.0), (90.0,), ())
    """
    if not text.strip():
        return usual
    if text.strip() == OMNI:
        return ()
    try:
        azimuths = tuple(float(word) for word in text.split("|"))
    except ValueError:
        azimuths = (np.nan,)
    if not all(0.0 <= azimuth <= 360.0 for azimuth in azimuths):
        raise ModelError(f"azimuths {text!r} of sites: degrees 0..360 joined by '|', or {OMNI!r}")
    return azimuths
