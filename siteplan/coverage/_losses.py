"""Loss tables by ring: what the distance alone decides, computed once per model, height, frequency and reach."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from siteplan._kernels import Losses
from siteplan.coverage._calibration import Calibration, environment_loss_tables, environment_sigma_tables
from siteplan.params import CoverageParams
from siteplan.radio import (
    edge_correction_db,
    fading_sigma_db,
    free_space_loss_db,
    knife_edge_nu,
    los_probability,
    mixture_db,
    path_loss_db,
    sight_sigma_db,
)

FADING_BY_LINK = frozenset({"rma", "p2108"})
"""Models whose fading depends on heights or frequency; that of the others on the state of sight alone."""

BELOW = 1e-4
"""How far the limit of nu is kept below the value that matters: single precision in the kernel."""


class RingTerms(NamedTuple):
    """Tables by ring that do not depend on the antenna's height: masts of one model and reach share them."""

    share: NDArray[np.float64]
    """(rings,): LOS probability of TR 38.901"""
    sigma_db: NDArray[np.float64] | None
    """(rings, 2): standard deviation with the model's own error; None where it depends on heights or frequency"""


def ring_terms(model: str, distance_m: NDArray[np.float64], has_clutter: bool, params: CoverageParams) -> RingTerms:
    """What :func:`ring_losses` of one model takes at these distances, whatever the height and the frequency."""
    share = los_probability(model, distance_m, params.receiver_height_m)
    if model in FADING_BY_LINK or not has_clutter:
        return RingTerms(share, None)
    any_height_m, any_ghz = 25.0, 1.0
    return RingTerms(share, _sigma(model, distance_m, any_ghz, any_height_m, share, params))


def ring_losses(model: str, height_m: float, freq_ghz: float, distance_m: NDArray[np.float64], has_clutter: bool,
                params: CoverageParams, terms: RingTerms | None = None) -> Losses:
    """Path loss and its standard deviation by ring.

    Parameters
    ----------
    model : str
    height_m, freq_ghz : float
        Antenna above ground; frequency.
    distance_m : ndarray of float64 (rings,)
    has_clutter : bool
        False: nothing is known of buildings, "in the clear" of the ground does not mean in the clear of buildings. The
        clear state then holds the mean over the LOS probability of TR 38.901 and the spread of this mixture.
    params : CoverageParams
    terms : RingTerms, optional
        :func:`ring_terms` of the same model, distances and settings, where they are ready.

    Returns
    -------
    Losses
    """
    share, sigma = ring_terms(model, distance_m, has_clutter, params) if terms is None else terms
    h_ut = params.receiver_height_m
    los = path_loss_db(model, distance_m, freq_ghz, height_m, h_ut, True)
    nlos = path_loss_db(model, distance_m, freq_ghz, height_m, h_ut, False)
    clear, blocked = _sight_losses(share, params.building_weight if has_clutter else 0.0, los, nlos)
    if not has_clutter:
        blocked = nlos
    if sigma is None:
        sigma = _sigma(model, distance_m, freq_ghz, height_m, share if has_clutter else None, params)
    return _losses(np.stack([clear, blocked], axis=1), sigma, (height_m, freq_ghz, distance_m), params,
                   (params.diffraction_weight, params.diffraction_cap_db))


def _sight_losses(share: NDArray[np.float64], weight: float, los: NDArray[np.float64], nlos: NDArray[np.float64],
                  ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Twin of :func:`siteplan.radio.sight_loss_db` from ready losses: the mean of the mixture alone, not its spread."""
    in_clear, if_blocked = weight + (1.0 - weight) * share, (1.0 - weight) * share
    clear = in_clear * los + (1.0 - in_clear) * nlos
    return clear, np.maximum(clear, if_blocked * los + (1.0 - if_blocked) * nlos)


def calibrated_losses(calibration: Calibration, height_m: float, freq_ghz: float, distance_m: NDArray[np.float64],
                      params: CoverageParams) -> Losses:
    """Tables by ring of a calibrated model; as :func:`ring_losses`.

    Its standard deviations are those of the whole error seen in the measurements, so ``model_sigma_db`` does not come
    on top.
    """
    h_ut = params.receiver_height_m
    path = np.stack(environment_loss_tables(calibration, distance_m, freq_ghz, height_m, h_ut), axis=1)
    sigma = np.stack(environment_sigma_tables(calibration, distance_m), axis=1)
    return _losses(path, sigma, (height_m, freq_ghz, distance_m), params,
                   (calibration.diffraction_weight, calibration.diffraction_cap_db))


def _losses(path: NDArray[np.float64], sigma: NDArray[np.float64], link: tuple[float, float, NDArray[np.float64]],
            params: CoverageParams, edge: tuple[float, float]) -> Losses:
    """Tables from path loss and standard deviation (rings, 2); ``link`` is (height, frequency, distances)."""
    height_m, freq_ghz, distance_m = link
    free = free_space_loss_db(np.hypot(distance_m, height_m - params.receiver_height_m), freq_ghz)
    correction = np.zeros(distance_m.size)
    if params.terrain_diffraction == "bullington":
        correction = edge_correction_db(distance_m / 1000.0)
    scale = float(np.sqrt(freq_ghz))
    return Losses(
        path.astype(np.float32), (1.0 / sigma).astype(np.float32),
        _nu_limit(path - free[:, None], correction[:, None], scale).astype(np.float32), free.astype(np.float32),
        correction.astype(np.float32), scale, *edge,
    )


def _sigma(model: str, distance_m: NDArray[np.float64], freq_ghz: float, height_m: float,
           share: NDArray[np.float64] | None, params: CoverageParams) -> NDArray[np.float64]:
    """Standard deviation (rings, 2), in the clear and blocked, dB; ``share`` None: nothing is known of buildings.

    Where the surface tells sight, the blend of both states is a loss between them, not now the one and now the other:
    their fadings are mixed, and how far the blend is from the truth is part of ``model_sigma_db``.
    """
    h_ut = params.receiver_height_m
    fading = fading_sigma_db(model, distance_m, freq_ghz, height_m, h_ut)
    if share is None:
        clear = sight_sigma_db(model, distance_m, freq_ghz, height_m, h_ut, 0.0)[0]
        return np.hypot(np.stack([clear, fading[1]], axis=1), params.model_sigma_db)
    weight = params.building_weight
    seen = weight + (1.0 - weight) * share, (1.0 - weight) * share
    return np.hypot(np.stack([mixture_db(part, (0.0, 0.0), fading)[1] for part in seen], axis=1), params.model_sigma_db)


def _nu_limit(need_db: NDArray[np.float64], correction_db: NDArray[np.float64], scale: float) -> NDArray[np.float64]:
    """Greatest nu (at 1 GHz) whose edge surely stays below ``need_db``.

    The edge's loss J + (1 - exp(-J / 6)) c is at most J + c and at most J (1 + c / 6).
    """
    edge = np.maximum(np.maximum(need_db - correction_db, need_db / (1.0 + correction_db / 6.0)), 0.0)
    return np.asarray(knife_edge_nu(edge) / scale - BELOW)
