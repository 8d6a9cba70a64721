"""All points of a village covered at once: closed forms, bounds, and drawn errors."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import ndtri
from scipy.stats import multivariate_normal

from siteplan.errors import ModelError
from siteplan.gaps.certainty.error_field import ErrorComponent
from siteplan.gaps.certainty.point_chances import points_pass_probability

URBAN = (ErrorComponent(6.0, 50.0), ErrorComponent(12.0, 500.0))


def village(p: list[float], x: list[float] | None = None, code: str = "a") -> pd.DataFrame:
    return pd.DataFrame({"code": code, "x": x if x is not None else 300.0 * np.arange(len(p)), "y": 0.0, "p": p})


def rho(away_m: np.ndarray) -> np.ndarray:
    return 0.2 * np.exp(-away_m / 50.0) + 0.8 * np.exp(-away_m / 500.0)


def chance(points: pd.DataFrame) -> float:
    return float(points_pass_probability(points, URBAN)["a"])


@pytest.mark.parametrize("p", [0.0, 0.3, 0.999, 1.0])
def test_one_point_is_its_probability(p: float) -> None:
    assert chance(village([p])) == pytest.approx(p, abs=1e-12)


@pytest.mark.parametrize(("p", "away"), [((0.9, 0.9), 10.0), ((0.5, 0.5), 300.0), ((0.99, 0.4), 800.0)])
def test_two_points_are_a_bivariate_normal(p: tuple[float, float], away: float) -> None:
    r = float(rho(np.array(away)))
    both = float(multivariate_normal(cov=[[1, r], [r, 1]]).cdf(ndtri(p)))
    assert chance(village(list(p), [0.0, away])) == pytest.approx(both, abs=0.003)


def test_points_far_apart_multiply_and_points_at_one_place_do_not() -> None:
    assert chance(village([0.9, 0.8, 0.7], [0.0, 1e6, 2e6])) == pytest.approx(0.9 * 0.8 * 0.7, abs=0.003)
    assert chance(village([0.9, 0.7, 0.8], [5.0, 5.0, 5.0])) == pytest.approx(0.7, abs=1e-12)
    assert chance(village([0.9, 0.7, 0.8], [5.0, 5.001, 5.002])) == pytest.approx(0.7, abs=0.005)


@pytest.mark.parametrize("count", [3, 6, 10])
def test_drawn_errors_agree(count: int) -> None:
    rng = np.random.default_rng(count)
    p, x = rng.uniform(0.5, 0.99, count), rng.uniform(0, 1500, count)
    root = np.linalg.cholesky(rho(np.abs(np.subtract.outer(x, x))) + 1e-9 * np.eye(count))
    covered = ndtri(p)[:, None] + root @ rng.standard_normal((count, 200_000)) > 0
    assert chance(village(list(p), list(x))) == pytest.approx(covered.all(axis=0).mean(), abs=0.006)


def test_missing_points_are_unknown_unless_another_is_surely_not_covered() -> None:
    points = pd.concat([village([0.9, np.nan], code="unknown"), village([0.0, np.nan], code="no"),
                        village([1.0, 1.0], code="yes"), village([0.8], code="one")])
    points.loc[points["p"].isna(), "x"] = np.nan
    assert points_pass_probability(points, URBAN).round(9).to_dict() == pytest.approx(
        {"no": 0.0, "one": 0.8, "unknown": np.nan, "yes": 1.0}, nan_ok=True)


@settings(max_examples=30)
@given(st.lists(st.tuples(st.floats(0.01, 1.0), st.integers(0, 900)), min_size=1, max_size=8))
def test_within_the_bounds_of_any_correlation_above_zero(points: list[tuple[float, int]]) -> None:
    """At least as if independent (Slepian), at most the least covered point; the order of rows says nothing."""
    p, x = [one[0] for one in points], [float(one[1]) for one in points]
    found = chance(village(p, x))
    assert np.prod(p) - 0.006 <= found <= min(p) + 0.006
    turned = village(p[::-1], x[::-1])
    assert chance(turned) == pytest.approx(found, abs=1e-12)


def test_wrong_probabilities_and_places_are_refused() -> None:
    with pytest.raises(ModelError, match="must be within"):
        points_pass_probability(village([1.2]), URBAN)
    with pytest.raises(ModelError, match="needs a place"):
        points_pass_probability(village([0.5], [np.nan]), URBAN)
    assert len(points_pass_probability(village([]), URBAN)) == 0
