"""Which path-loss model a sector takes."""

from __future__ import annotations

from typing import get_args

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from siteplan.params import CoverageParams, SectorModel
from siteplan.surface import Surface

BUILT_RADIUS_M = 500.0
"""Distance within which the built share decides between uma and rma."""
MODEL_NAMES: tuple[str, ...] = get_args(SectorModel)
"""Values of the optional column ``model`` of a table of sectors."""


def models_of(surface: Surface, sectors: pd.DataFrame, row: NDArray[np.int64], col: NDArray[np.int64],
              params: CoverageParams) -> NDArray[np.int64]:
    """Index in ``MODEL_NAMES`` of each sector: the table's own ``model``, else umi for micro and the study's for macro.

    ``auto`` decides by the built share around the mast. Where the study knows no clutter at all the share means
    nothing, and ``auto`` takes uma, the cautious one.
    """
    model = np.full(row.size, MODEL_NAMES.index("umi"), np.int64)
    given = np.zeros(row.size, np.bool_)
    if "model" in sectors.columns:
        names = sectors["model"].astype(str).to_numpy(object)
        for number, name in enumerate(MODEL_NAMES):
            model[names == name] = number
            given |= names == name
    macro = np.flatnonzero(~given & (sectors["kind"] != "micro").to_numpy(bool))
    if params.model_macro != "auto" or not surface.has_clutter:
        model[macro] = MODEL_NAMES.index("uma" if params.model_macro == "auto" else params.model_macro)
        return model
    urban = built_share(surface, row[macro], col[macro]) >= params.built_share_uma
    model[macro] = np.where(urban, MODEL_NAMES.index("uma"), MODEL_NAMES.index("rma"))
    return model


def built_share(surface: Surface, row: NDArray[np.int64], col: NDArray[np.int64]) -> NDArray[np.float64]:
    """Share of built pixels within 500 m of pixels (what lies outside of the grid counts as not built)."""
    built = surface.built
    reach = max(int(BUILT_RADIUS_M // surface.pixel_m), 1)
    span = np.arange(-reach, reach + 1)
    disc = span[:, None] ** 2 + span[None, :] ** 2 <= reach**2
    places, inverse = np.unique(np.stack([row, col], axis=1), axis=0, return_inverse=True)
    share = np.zeros(len(places))
    for number, (r, c) in enumerate(places):
        top, left = int(r) - reach, int(c) - reach
        part = built[max(top, 0):int(r) + reach + 1, max(left, 0):int(c) + reach + 1]
        mask = disc[max(-top, 0):max(-top, 0) + part.shape[0], max(-left, 0):max(-left, 0) + part.shape[1]]
        share[number] = int((part & mask).sum()) / int(mask.sum())
    return share[inverse.ravel()]
