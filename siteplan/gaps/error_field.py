"""The error of a prediction as a random field: alike in neighbouring pixels, so it does not average out in an area."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cache
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import fft
from scipy.special import ndtr, ndtri, owens_t

from siteplan.errors import ModelError
from siteplan.tables import read_table

Floats = NDArray[np.float64]
Cells = NDArray[np.signedinteger[Any]]

FEW = 64
"""Areas of so few uncertain pixels are summed pair by pair, and the distribution of their share is drawn."""
_DRAWS = 4096
_CELLS = 64  # windows are gathered to blocks of pixels until they have at most so many cells a side
_NEAR = 8  # blocks: up to there correlations are averaged over all pixels of two blocks, beyond their centres are taken
_STEPS = (4, 8, 16, 32, 64)  # terms after which the rest of the series is looked at
_REST, _SIGMA_FLOOR = 0.01, 0.001  # the rest may be this part of the variance, or this standard deviation


class ErrorComponent(NamedTuple):
    """A part of the prediction error: standard deviation (dB), and the distance (m) over which it is alike."""

    sigma_db: float
    distance_m: float


def error_components(scenario: str, *, blocked: bool, shadow_sigma_db: float, model_sigma_db: float,
                     model_distance_m: float | None = None) -> tuple[ErrorComponent, ErrorComponent]:
    """Shadow fading and model error with their correlation distances (``tables/correlation.toml``).

    Parameters
    ----------
    scenario : {"uma", "umi", "rma"}
    blocked : bool
        Whether most of the land is blocked (NLOS) from its server.
    shadow_sigma_db : float
        Standard deviation of shadow fading, dB.
    model_sigma_db : float
        Standard deviation of the model's error beyond it, dB (``params.coverage.model_sigma_db``). Of a calibrated
        model, whose sigma holds both, it is what remains when shadow fading is taken off.
    model_distance_m : float, optional
        Distance over which the model is wrong together; by default that of the table, which nobody has verified.

    Returns
    -------
    tuple of ErrorComponent

    Raises
    ------
    ModelError
        The table has no such scenario.

    Examples
    --------
    >>> error_components("uma", blocked=True, shadow_sigma_db=6.0, model_sigma_db=12.0)[0]
    ErrorComponent(sigma_db=6.0, distance_m=50.0)
    """
    table = read_table("correlation")
    if scenario not in table["shadow"]:
        raise ModelError(f"no correlation distance for scenario {scenario!r}; known: {', '.join(table['shadow'])}")
    shadow_m = float(table["shadow"][scenario]["blocked_m" if blocked else "clear_m"])
    model_m = float(table["model"]["distance_m"]) if model_distance_m is None else model_distance_m
    return ErrorComponent(shadow_sigma_db, shadow_m), ErrorComponent(model_sigma_db, model_m)


def pair_covariance(z: ArrayLike, other: ArrayLike, rho: ArrayLike) -> Floats:
    """Covariance of 1[z + e > 0] and 1[other + e' > 0], correlation of the errors below 1 (Owen 1956); no z is 0.

    >>> float(pair_covariance(1e-12, 1e-12, 0.5).round(6)), float((np.arcsin(0.5) / (2 * np.pi)).round(6))
    (0.083333, 0.083333)
    """
    h, k, r = np.asarray(z), np.asarray(other), np.asarray(rho)
    root = np.sqrt(1.0 - r * r)
    both = 0.5 * (ndtr(h) + ndtr(k)) - owens_t(h, (k - r * h) / (h * root)) - owens_t(k, (h - r * k) / (k * root))
    return np.asarray(both - 0.5 * (h * k < 0) - ndtr(h) * ndtr(k))


class ErrorField:
    """Correlation of the error field, with what is needed again and again for windows of the same size."""

    def __init__(self, components: Sequence[ErrorComponent], pixel_m: float) -> None:
        if not all(part.distance_m > 0 and part.sigma_db >= 0 for part in components) \
                or not sum(part.sigma_db for part in components) > 0:
            raise ModelError(f"every part of the error needs a positive distance and one an error, found {components}")
        total = sum(part.sigma_db ** 2 for part in components)
        self.pixel_m = pixel_m
        self.parts = [(part.sigma_db ** 2 / total, part.distance_m) for part in components]
        self.spectrum = cache(self._spectrum)

    def at(self, distance_m: ArrayLike) -> Floats:
        """Correlation at a distance, below 1."""
        away = np.asarray(distance_m, dtype=np.float64)
        rho = sum((share * np.exp(-away / reach_m) for share, reach_m in self.parts), np.zeros(away.shape))
        return np.minimum(rho, 1.0 - 1e-12)

    def between(self, where: tuple[Cells, Cells]) -> Floats:
        """Correlation of each pixel with each."""
        return self.at(self.pixel_m * np.hypot(*(np.subtract.outer(axis, axis) for axis in where)))

    def draw(self, f: Floats, z: Floats, where: tuple[Cells, Cells]) -> NDArray[np.float32]:
        """Shares of a few pixels in drawn error fields, rising."""
        values, vectors = np.linalg.eigh(self.between(where))
        field = (vectors * np.sqrt(np.maximum(values, 0.0))) @ _draws()[-len(f):]
        return np.sort(f @ (field > -z[:, None])).astype(np.float32)

    def variance(self, f: Floats, z: Floats, p: Floats, where: tuple[Cells, Cells]) -> tuple[float, float]:
        """Variance of the share of the pixels ``f``, and what it may lack at most; ``where`` is (row, col)."""
        own = float(f * f @ (p * (1.0 - p)))
        if len(f) <= FEW:
            i, j = np.triu_indices(len(f), 1)
            z = np.where(z == 0, 1e-12, z)
            rho = self.between(where)[i, j]
            return own + 2.0 * float(f[i] * f[j] @ pair_covariance(z[i], z[j], rho)), 0.0
        rows, cols = (axis - axis.min() for axis in where)
        block = self._block(int(max(rows.max(), cols.max())) + 1)
        shape = (8 * (int(rows.max()) // block // 8 + 1), 8 * (int(cols.max()) // block // 8 + 1))
        cell = rows // block * shape[1] + cols // block
        left, terms = p * (1.0 - p), _terms(z)
        total, rest, done = own, 0.0, 0
        for step in _STEPS:
            while done < step:
                done, term = done + 1, next(terms)
                left = left - term * term
                total += self._sum(f * term, cell, (*shape, block, done))
            rest = max(self._sum(f * np.sqrt(np.maximum(left, 0.0)), cell, (*shape, block, done + 1)), 0.0)
            if rest <= _REST * total + _SIGMA_FLOOR ** 2:
                break
        return total, rest

    def _block(self, side: int) -> int:
        """Pixels a side of a block: at most twice the shortest distance, unless a window is very wide."""
        fine = max(int(2.0 * min(reach_m for _, reach_m in self.parts) / self.pixel_m), 1)
        return max(min(-(-side // _CELLS), fine), -(-side // (8 * _CELLS)))

    def _sum(self, values: Floats, cell: Cells, kind: tuple[int, int, int, int]) -> float:
        """Sum of values_i values_j rho_ij^n over all pairs of different pixels."""
        rows, cols = kind[:2]
        grid = np.bincount(cell, values, rows * cols).reshape(rows, cols)
        seen = fft.rfft2(grid, (2 * rows, 2 * cols))
        return float((seen.real ** 2 + seen.imag ** 2).ravel() @ self.spectrum(*kind))

    def _spectrum(self, rows: int, cols: int, block: int, power: int) -> Floats:
        """Spectrum of rho^power between blocks, 0 for a pixel with itself; with the weights of Parseval's sum."""
        down, right = np.arange(rows)[:, None], np.arange(cols)[None, :]
        quadrant = self.at(block * self.pixel_m * np.hypot(down, right)) ** power
        step = np.arange(1 - block, block)
        by = (block - np.abs(step)) / block ** 2
        near = (slice(0, _NEAR + 1), slice(0, _NEAR + 1))
        pixels = np.hypot((block * down[near[0]])[:, :, None, None] + step[:, None],
                          (block * right[:, near[1]])[:, :, None, None] + step)
        alike = np.where(pixels > 0, self.at(self.pixel_m * pixels) ** power, 0.0)
        quadrant[near] = np.einsum("ijuv,u,v->ij", alike, by, by)
        kernel = np.zeros((2 * rows, 2 * cols))
        kernel[:rows, :cols] = quadrant
        kernel[rows + 1:] = kernel[rows - 1:0:-1]
        kernel[:, cols + 1:] = kernel[:, cols - 1:0:-1]
        spectrum = fft.rfft2(kernel).real / kernel.size
        spectrum[:, 1:-1] *= 2.0
        return np.ascontiguousarray(spectrum.ravel())


@cache
def _draws() -> Floats:
    """Normal numbers, each with its opposite; the last row, for the greatest eigenvalue, in even steps."""
    rng = np.random.default_rng(5)
    half = rng.standard_normal((FEW, _DRAWS // 2))
    half[-1] = ndtri((np.arange(_DRAWS // 2) + 0.5) / _DRAWS)
    return np.hstack([half, -half])


def _terms(z: Floats) -> Iterator[Floats]:
    """Terms phi(z) He_{n-1}(z) / sqrt(n!) of the series, n = 1, 2, ..."""
    before, term, n = np.zeros_like(z), np.exp(-0.5 * z * z) / np.sqrt(2.0 * np.pi), 1
    while True:
        yield term
        before, term = term, z / np.sqrt(n + 1.0) * term - (n - 1.0) / np.sqrt(n * (n + 1.0)) * before
        n += 1
