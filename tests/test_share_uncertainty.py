"""How sure a share is: closed forms of one and two pixels, properties, and drawn error fields."""

from __future__ import annotations

from collections.abc import Sequence

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
from hypothesis import given, settings
from hypothesis import strategies as st
from odc.geo.geobox import GeoBox
from scipy.special import ndtr, ndtri
from scipy.stats import binom, multivariate_normal
from shapely import box

from siteplan.errors import ModelError
from siteplan.gaps.certainty.error_field import PAIRED, ErrorComponent, error_components
from siteplan.gaps.certainty.uncertainty import pass_probability, share_band
from siteplan.gaps.judging.shares import AreaPixels, area_pixels
from siteplan.params import CoverageParams
from tests.longer import FUZZ

CRS = "EPSG:4547"
SIDE, PIXEL_M = 60, 10.0
GRID = GeoBox.from_bbox((0, 0, SIDE * PIXEL_M, SIDE * PIXEL_M), crs=CRS, resolution=PIXEL_M)
URBAN = (ErrorComponent(6.0, 50.0), ErrorComponent(12.0, 500.0))
ROWS, COLS = np.mgrid[:SIDE, :SIDE]
TOGETHER, APART = ErrorComponent(6.0, 1e9), ErrorComponent(6.0, 0.5)


def one_area(fractions: np.ndarray, grid: GeoBox = GRID) -> AreaPixels:
    return AreaPixels(sp.csr_matrix(fractions.reshape(1, -1).astype(float)), pd.Index(["a"]), grid)


def square(side: int, row: int = 0, col: int = 0) -> AreaPixels:
    inside = np.zeros((SIDE, SIDE))
    inside[row:row + side, col:col + side] = 1.0
    return one_area(inside)


def strip(values: Sequence[float]) -> tuple[np.ndarray, AreaPixels]:
    """Probabilities side by side in one area."""
    grid = GeoBox.from_bbox((0, 0, len(values) * PIXEL_M, PIXEL_M), crs=CRS, resolution=PIXEL_M)
    return np.array([values]), one_area(np.ones((1, len(values))), grid)


def correlation(components: Sequence[ErrorComponent], away_m: np.ndarray) -> np.ndarray:
    total = sum(part.sigma_db ** 2 for part in components)
    return sum(part.sigma_db ** 2 / total * np.exp(-away_m / part.distance_m) for part in components)


def both_covered(p: float, q: float, rho: float) -> float:
    return float(multivariate_normal(cov=[[1.0, rho], [rho, 1.0]]).cdf([ndtri(p), ndtri(q)]))


# ---------------------------------------------------------------- closed forms

@pytest.mark.parametrize("p", [0.0, 0.03, 0.5, 0.9, 1.0])
@pytest.mark.parametrize("minimum", [0.01, 0.3, 0.95, 1.0])
def test_one_pixel_is_covered_or_not(p: float, minimum: float) -> None:
    band = share_band(*strip([p]), URBAN)
    assert band.share["a"] == p
    assert band.sigma["a"] == pytest.approx(np.sqrt(p * (1 - p)), abs=1e-12)
    assert pass_probability(band, minimum)["a"] == pytest.approx(p, abs=1e-6)


def test_area_smaller_than_a_pixel_is_as_sure_as_its_pixel() -> None:
    areas = gpd.GeoDataFrame(geometry=[box(2, 592, 5, 597)], index=["a"], crs=CRS)
    band = share_band(np.full(GRID.shape, 0.8), area_pixels(GRID, areas), URBAN)
    assert band.sigma["a"] == pytest.approx(0.4)
    assert (band.low["a"], band.high["a"]) == (pytest.approx(0.0, abs=1e-9), pytest.approx(1.0))


@pytest.mark.parametrize(("p", "q", "reach_m"), [(0.5, 0.5, 50), (0.9, 0.3, 20), (0.999, 0.7, 200), (0.05, 0.02, 10)])
def test_two_pixels_are_a_bivariate_normal(p: float, q: float, reach_m: float) -> None:
    both = both_covered(p, q, float(np.exp(-PIXEL_M / reach_m)))
    band = share_band(*strip([p, q]), [ErrorComponent(6.0, reach_m)])
    variance = 0.25 * (p * (1 - p) + q * (1 - q) + 2 * (both - p * q))
    assert band.sigma["a"] == pytest.approx(np.sqrt(variance), rel=1e-6)
    assert pass_probability(band, 1.0)["a"] == pytest.approx(both, abs=0.02)
    assert pass_probability(band, 0.5)["a"] == pytest.approx(p + q - both, abs=0.02)


@pytest.mark.parametrize("side", [1, 5, 30])
def test_error_that_is_the_same_everywhere_leaves_the_variance_of_one_pixel(side: int) -> None:
    band = share_band(np.full(GRID.shape, 0.9), square(side), [TOGETHER])
    assert band.sigma["a"] == pytest.approx(0.3, rel=0.06)
    assert band.sigma["a"] <= 0.3 <= band.sigma["a"] + band.sigma_error["a"] + 0.005
    assert pass_probability(band, 0.95)["a"] == pytest.approx(0.9, abs=0.02)


def test_independent_pixels_are_a_binomial() -> None:
    band = share_band(np.full(GRID.shape, 0.9), square(30), [APART])
    assert band.sigma["a"] == pytest.approx(np.sqrt(0.09 / 900), rel=1e-3)
    for covered in (795, 805, 815, 825):
        assert pass_probability(band, (covered - 0.5) / 900)["a"] == pytest.approx(
            binom.sf(covered - 1, 900, 0.9), abs=0.02)


def test_series_is_the_sum_over_all_pairs() -> None:
    rng = np.random.default_rng(2)
    p, inside = np.full(GRID.shape, np.nan), np.zeros(GRID.shape)
    p[20:28, 7:16] = rng.uniform(0.02, 0.98, (8, 9))
    inside[20:28, 7:16] = rng.uniform(0.1, 1.0, (8, 9))
    where = np.argwhere(inside > 0)
    assert len(where) > PAIRED
    f, q = (inside / inside.sum())[inside > 0], p[inside > 0]
    variance = float(f * f @ (q * (1 - q)))
    for i in range(len(f)):
        for j in range(i):
            rho = float(correlation(URBAN, PIXEL_M * np.hypot(*(where[i] - where[j]))))
            variance += 2 * f[i] * f[j] * (both_covered(q[i], q[j], rho) - q[i] * q[j])
    band = share_band(p, one_area(inside), URBAN)
    assert band.sigma["a"] == pytest.approx(np.sqrt(variance), rel=0.01)
    assert band.sigma["a"] - 5e-4 <= np.sqrt(variance) <= band.sigma["a"] + band.sigma_error["a"] + 5e-4


# ---------------------------------------------------------------- drawn fields

SHORT = (ErrorComponent(6.0, 50.0),)
SETS = {"50 and 500 m": (URBAN, 60), "13 and 200 m": ((ErrorComponent(6.0, 13.0), ErrorComponent(12.0, 200.0)), 60),
        "50 m": (SHORT, 30), "13 m": ((ErrorComponent(6.0, 13.0),), 30)}
"""Parts of the error, and pixels a side of the window in which fields are drawn."""


def drawn_fields(components: Sequence[ErrorComponent], side: int, count: int, seed: int = 11) -> np.ndarray:
    """Error fields on a square in the middle of the grid by Cholesky, shape (pixels, fields), 0 elsewhere."""
    own = (slice((SIDE - side) // 2, (SIDE + side) // 2),) * 2
    away = [np.subtract.outer(axis[own].ravel(), axis[own].ravel()) for axis in (ROWS, COLS)]
    rho = correlation(components, PIXEL_M * np.hypot(*away))
    root = np.linalg.cholesky(rho + 1e-9 * np.eye(side * side)).astype(np.float32)
    half = root @ np.random.default_rng(seed).standard_normal((side * side, count // 2), dtype=np.float32)
    fields = np.zeros((SIDE, SIDE, count), np.float32)  # each with its opposite
    fields[(*own, slice(count // 2))] = half.reshape(side, side, -1)
    fields[(*own, slice(count // 2, count))] = -half.reshape(side, side, -1)
    return fields.reshape(SIDE * SIDE, count)


def drawn_shares(p: np.ndarray, fields: np.ndarray) -> np.ndarray:
    """Share that is covered in each field."""
    covered = np.zeros(fields.shape[1], np.float32)
    for z, error in zip(ndtri(p).astype(np.float32), fields, strict=True):
        covered += z + error > 0
    return covered / len(p)


@pytest.fixture(scope="module", params=list(SETS.values()), ids=list(SETS))
def drawn(request: pytest.FixtureRequest) -> tuple[Sequence[ErrorComponent], int, np.ndarray]:
    components, side = request.param
    return components, side, drawn_fields(components, side, 8000)


MAPS = {
    "even": np.full(GRID.shape, 0.9),
    "even chances": np.full(GRID.shape, 0.5),
    "nearly sure": np.full(GRID.shape, 0.99),
    "half sure": np.where(COLS < 30, 1.0, 0.5),
    "half all but sure": np.where(COLS < 30, 0.999, 0.5),
    "slope": ndtr((COLS - 25) / 12.0),
    "checks": np.where((COLS // 3 + ROWS // 3) % 2, 0.3, 0.95),
    "without order": np.random.default_rng(4).uniform(size=GRID.shape),
    "one mast": ndtr(3.5 - ((COLS - 30) ** 2 + (ROWS - 30) ** 2) / 300.0),
}


FEW = ("nearly sure", "checks")


@pytest.mark.hypothesis
@pytest.mark.parametrize("name", MAPS if FUZZ else FEW)
def test_drawn_fields_give_the_stated_probabilities(drawn: tuple[Sequence[ErrorComponent], int, np.ndarray],
                                                    name: str) -> None:
    components, widest, fields = drawn
    for side in (1, 2, 4, 8, 10, 15, 20, 30, 60):
        if side <= widest:
            agrees(components, fields, name, side)


def agrees(components: Sequence[ErrorComponent], fields: np.ndarray, name: str, side: int) -> None:
    """Compare a square area with its shares in the drawn fields."""
    area = square(side, (SIDE - side) // 2, (SIDE - side) // 2)
    inside = area.fractions.indices
    p = MAPS[name].ravel()[inside]
    shares = drawn_shares(p, fields[inside])
    band = share_band(MAPS[name], area, components)
    assert band.share["a"] == pytest.approx(p.mean())
    off = (shares - shares.mean()) ** 2
    noise = off.std() / np.sqrt(len(off) / 2) / max(2 * shares.std(), 1e-9)  # of the spread of the drawn shares
    rare = 1e-4 if shares.std() > 0.02 else 0.02  # what happens once in thousands of fields may not have been drawn
    assert band.sigma["a"] == pytest.approx(shares.std(), rel=0.02, abs=3.5 * noise + rare)
    for minimum in (0.3, 0.5, 0.8, 0.9, 0.95, 0.98):
        passed = (shares >= minimum - 1e-6).mean()
        noise = np.sqrt(passed * (1 - passed) / len(shares))
        assert pass_probability(band, minimum)["a"] == pytest.approx(passed, abs=0.02 + noise)
    for stated, part in ((band.low["a"], 0.1), (band.high["a"], 0.9)):
        assert (shares < stated - 0.02).mean() - 0.02 <= part <= (shares <= stated + 0.02).mean() + 0.02


@pytest.mark.slow
@pytest.mark.hypothesis
@pytest.mark.skipif(not FUZZ, reason="minutes long: make fuzz runs it")
@pytest.mark.parametrize("distances", [(50,), (13,), (120,), (50, 500), (13, 500)], ids=str)
def test_many_drawn_fields_agree_within_two_points(distances: tuple[int, ...]) -> None:
    """Sizes by probabilities by minima; 20,000 fields, whose own error is below half a point."""
    components = [ErrorComponent(sigma, reach) for sigma, reach in zip((6.0, 12.0), distances, strict=False)]
    fields = drawn_fields(components, SIDE, 20_000)
    mixed = ndtr(1.0 + np.random.default_rng(7).standard_normal((12, 12)).repeat(5, axis=0).repeat(5, axis=1))
    wrong = []
    for p in (*(np.full(GRID.shape, even) for even in (0.5, 0.8, 0.95, 0.99)), mixed, *MAPS.values()):
        for side in (1, 2, 4, 8, 10, 15, 20, 30, 45, 60):
            area = square(side, (SIDE - side) // 2, (SIDE - side) // 2)
            inside = area.fractions.indices
            shares, band = drawn_shares(p.ravel()[inside], fields[inside]), share_band(p, area, components)
            for minimum in (0.5, 0.8, 0.95, 0.98):
                passed, stated = (shares >= minimum - 1e-6).mean(), pass_probability(band, minimum)["a"]
                if abs(passed - stated) > 0.02:
                    wrong.append((side, p.flat[inside].mean(), minimum, passed, stated))
    assert wrong == []


# ---------------------------------------------------------------- properties

@settings(max_examples=25)
@given(near=st.floats(5, 400), factor=st.floats(1.2, 4), p=st.floats(0.02, 0.98), side=st.sampled_from([2, 7, 12, 40]))
def test_errors_alike_over_longer_distances_average_out_less(near: float, factor: float, p: float, side: int) -> None:
    short, long = (share_band(np.full(GRID.shape, p), square(side), [ErrorComponent(8.0, reach)])
                   for reach in (near, factor * near))
    single = np.sqrt(p * (1 - p))
    assert short.sigma["a"] < long.sigma["a"] + long.sigma_error["a"]
    assert single / side * 0.999 <= short.sigma["a"] <= single * 1.001


@settings(max_examples=25)
@given(st.lists(st.sampled_from([0.0, 0.001, 0.4, 0.75, 0.9, 1.0]), min_size=1, max_size=90))
def test_pass_probability_falls_as_more_is_asked(values: list[float]) -> None:
    band = share_band(*strip(values), URBAN)
    asked = [pass_probability(band, minimum)["a"] for minimum in np.linspace(0, 1, 11)]
    assert asked[0] == 1.0
    assert (np.diff(asked) <= 1e-9).all()
    assert all(0 <= chance <= 1 for chance in asked)
    assert band.low["a"] <= band.high["a"]


@pytest.mark.parametrize(("components", "within"), [(URBAN, 0.003), ([ErrorComponent(6.0, 13.0)], 0.03)])
@pytest.mark.parametrize("patch", [1, 5])
def test_wide_windows_in_blocks_agree_with_single_pixels(components: Sequence[ErrorComponent], within: float,
                                                         patch: int, monkeypatch: pytest.MonkeyPatch) -> None:
    grid = GeoBox.from_bbox((0, 0, 2000, 1500), crs=CRS, resolution=10)
    rng = np.random.default_rng(8)
    p = np.kron(rng.uniform(size=(150 // patch, 200 // patch)), np.ones((patch, patch)))
    inside = np.hypot(*(np.mgrid[:150, :200] - np.array([75, 100])[:, None, None])) < 74
    area = one_area(inside, grid)
    blocks = share_band(p, area, components).sigma["a"]
    monkeypatch.setattr("siteplan.gaps.certainty.error_field._CELLS", 200)
    single = share_band(p, area, components).sigma["a"]
    assert blocks != single
    assert blocks == pytest.approx(single, rel=within)


# ---------------------------------------------------------------- what is unknown, empty, certain or wrong

def test_unknown_pixels_count_nothing() -> None:
    p = np.full(GRID.shape, 0.7)
    p[:, 6:] = np.nan
    whole, known = share_band(p, square(12), URBAN), np.zeros(GRID.shape)
    known[:12, :6] = 1.0
    part = share_band(np.full(GRID.shape, 0.7), one_area(known), URBAN)
    assert whole.sigma["a"] == pytest.approx(part.sigma["a"], rel=1e-9)
    assert pass_probability(whole, 0.8)["a"] == pytest.approx(pass_probability(part, 0.8)["a"])


def test_areas_without_anything_known_stay_unknown() -> None:
    areas = gpd.GeoDataFrame(geometry=[box(-90, -90, -10, -10), box(0, 0, 50, 50), box(300, 300, 400, 400)],
                             index=["off the grid", "unknown", "known"], crs=CRS)
    p = np.full(GRID.shape, 0.6)
    p[30:] = np.nan
    band = share_band(p, area_pixels(GRID, areas), URBAN)
    chance = pass_probability(band, 0.0)
    for values in (band.share, band.sigma, band.sigma_error, band.low, band.high, chance):
        assert list(values.index) == list(areas.index)
        assert values.isna().tolist() == [True, True, False]


def test_certain_pixels_leave_no_doubt() -> None:
    band = share_band(*strip([1.0, 1.0, 1.0, 0.0]), URBAN)
    assert (band.share["a"], band.sigma["a"], band.low["a"], band.high["a"]) == (0.75, 0.0, 0.75, 0.75)
    assert [pass_probability(band, minimum)["a"] for minimum in (0.75, 0.76)] == [1.0, 0.0]


@pytest.mark.parametrize("certain", [1, 80])
def test_one_doubtful_pixel_among_certain_ones_decides(certain: int) -> None:
    band = share_band(*strip([1.0] * certain + [0.3]), URBAN)
    step = 1 / (certain + 1)
    assert pass_probability(band, 1 - 0.9 * step)["a"] == pytest.approx(0.3, abs=1e-6)
    assert pass_probability(band, 1 - step)["a"] == 1.0


def test_share_of_people_counts_where_they_live() -> None:
    p, pixels = strip([0.9, 0.2])
    people = np.array([[30.0, 0.0]])
    band = share_band(p, pixels, URBAN, people)
    assert band.share["a"] == pytest.approx(pixels.mean(p, people)["a"])
    assert band.sigma["a"] == pytest.approx(0.3)


def test_arguments_stay_as_they_are_and_answers_repeat() -> None:
    p = MAPS["slope"].astype(np.float32)
    before = p.copy()
    first, second = (share_band(p, square(8), URBAN) for _ in range(2))
    assert (p == before).all()
    assert pass_probability(first, 0.9).equals(pass_probability(second, 0.9))


def test_correlation_distances_come_from_the_table() -> None:
    model = CoverageParams().model_sigma_db
    near, far = error_components("rma", blocked=True, shadow_sigma_db=8.0, model_sigma_db=model)
    assert (near, far.sigma_db) == (ErrorComponent(8.0, 120.0), model)
    assert error_components("umi", blocked=False, shadow_sigma_db=4.0, model_sigma_db=model,
                            model_distance_m=300.0)[1].distance_m == 300.0
    with pytest.raises(ModelError, match="cost231"):
        error_components("cost231", blocked=False, shadow_sigma_db=3.0, model_sigma_db=model)


@pytest.mark.parametrize(("p", "components", "weight", "said"), [
    (np.array([[0.5, 1.2]]), URBAN, None, "within 0..1"),
    (np.array([[0.5]]), URBAN, None, "do not fit"),
    (np.array([[0.5, 0.5]]), URBAN, np.array([[1.0, -1.0]]), "weights"),
    (np.array([[0.5, 0.5]]), URBAN, np.array([[1.0, np.nan]]), "weights"),
    (np.array([[0.5, 0.5]]), [ErrorComponent(6.0, 0.0)], None, "positive distance"),
    (np.array([[0.5, 0.5]]), [ErrorComponent(0.0, 50.0)], None, "an error"),
    (np.array([[0.5, 0.5]]), [], None, "an error"),
])
def test_wrong_arguments_are_told(p: np.ndarray, components: Sequence[ErrorComponent], weight: np.ndarray | None,
                                  said: str) -> None:
    with pytest.raises(ModelError, match=said):
        share_band(p, strip([0.5, 0.5])[1], components, weight)


@pytest.mark.parametrize("minimum", [-0.1, 1.5, float("nan")])
def test_a_minimum_is_a_share(minimum: float) -> None:
    with pytest.raises(ModelError, match="least share"):
        pass_probability(share_band(*strip([0.5]), URBAN), minimum)
