"""What is known of the receivers' pixels: ground, terms of their own, the way from the wall inwards."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from siteplan._kernels import OUT_OF_REACH_DB, Pixels
from siteplan.coverage._calibration import Calibration, pixel_term_db
from siteplan.coverage._surroundings import surroundings
from siteplan.params import CoverageParams
from siteplan.radio import depth_loss_db
from siteplan.surface import Surface

DEEPEST_M = 25.0
"""TR 38.901 draws the way inside from 0 to 25 m: what lies deeper counts as so deep."""


def receiver_pixels(surface: Surface, params: CoverageParams, facade: NDArray[np.int8],
                    calibration: Calibration | None = None) -> Pixels:
    """Arrays of the receivers' pixels as the kernels take them; terms of a calibration for its bands.

    Notes
    -----
    The way inside is the distance from the middle of the pixel to the nearest pixel that is not built (``facade``),
    less half a pixel (the wall), 25 m at most.
    """
    nothing = np.zeros((0, 0), np.float32)
    inside = nothing
    if params.indoor:
        built = surface.built
        inside = np.full(built.shape, OUT_OF_REACH_DB, np.float32)
        if built.any():
            pixels = np.hypot(facade[built, 0].astype(np.float64), facade[built, 1])
            depth_m = np.where(pixels > 0.0, np.clip((pixels - 0.5) * surface.pixel_m, 0.0, DEEPEST_M), DEEPEST_M)
            inside[built] = depth_loss_db(depth_m).astype(np.float32)
    extra = nothing
    if calibration is not None and (calibration.clutter_db or calibration.pixel_terms):
        near = surroundings(surface)
        classes = np.zeros(surface.clutter_m.shape, np.int16) if surface.classes is None else surface.classes
        extra = pixel_term_db(calibration, classes, near._asdict()).astype(np.float32)
    return Pixels(np.ascontiguousarray(surface.ground_m), extra, inside)


def indoor_threshold_dbm(params: CoverageParams) -> float:
    """Threshold inside buildings, dBm."""
    return params.threshold_dbm if params.indoor_threshold_dbm is None else params.indoor_threshold_dbm
