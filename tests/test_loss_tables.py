"""Loss tables by ring against the formulas they stand for, and what the tables of one reach may share."""

from __future__ import annotations

import numpy as np
import pytest

from siteplan.coverage import MODEL_NAMES
from siteplan.coverage._losses import FADING_BY_LINK, ring_losses, ring_terms
from siteplan.params import CoverageParams
from siteplan.radio import fading_sigma_db, path_loss_db, sight_loss_db, sight_sigma_db

DISTANCE_M = np.hypot(*np.meshgrid(np.arange(1, 40), np.arange(0, 40, 7))).ravel() * 37.0
RECEIVER_M = CoverageParams().receiver_height_m


@pytest.mark.parametrize("has_clutter", [True, False])
@pytest.mark.parametrize("model", MODEL_NAMES)
def test_tables_are_those_of_the_formulas(model: str, has_clutter: bool) -> None:
    """Every bit of the path loss; the spread by the formula of the mixture with both means alike."""
    params = CoverageParams(building_weight=0.7)
    link = model, DISTANCE_M, 3.5, 22.0, RECEIVER_M
    weight = params.building_weight if has_clutter else 0.0
    clear, blocked = sight_loss_db(*link, weight)
    if not has_clutter:
        blocked = path_loss_db(*link, False)
    made = ring_losses(model, 22.0, 3.5, DISTANCE_M, has_clutter, params)
    assert np.array_equal(made.path_db, np.stack([clear, blocked], axis=1).astype(np.float32))
    if not has_clutter:
        sigma = np.stack([sight_sigma_db(*link, 0.0)[0], fading_sigma_db(*link)[1]], axis=1)
        np.testing.assert_allclose(1.0 / made.inverse_sigma, np.hypot(sigma, params.model_sigma_db), rtol=1e-6)


@pytest.mark.parametrize("has_clutter", [True, False])
@pytest.mark.parametrize("model", MODEL_NAMES)
def test_shared_terms_change_no_bit(model: str, has_clutter: bool) -> None:
    params = CoverageParams()
    terms = ring_terms(model, DISTANCE_M, has_clutter, params)
    for height_m, freq_ghz in ((8.0, 0.7), (22.0, 3.5), (90.0, 4.9)):
        alone = ring_losses(model, height_m, freq_ghz, DISTANCE_M, has_clutter, params)
        shared = ring_losses(model, height_m, freq_ghz, DISTANCE_M, has_clutter, params, terms)
        for one, other in zip(alone, shared, strict=True):
            assert np.array_equal(one, other)


@pytest.mark.parametrize("model", MODEL_NAMES)
def test_which_fading_depends_on_the_link(model: str) -> None:
    """The list says for which models one table of the spread will not do for every height and frequency."""
    ends = [np.stack(fading_sigma_db(model, DISTANCE_M, freq_ghz, height_m, RECEIVER_M))
            for height_m, freq_ghz in ((5.0, 0.7), (150.0, 4.9))]
    assert np.array_equal(*ends) == (model not in FADING_BY_LINK)
