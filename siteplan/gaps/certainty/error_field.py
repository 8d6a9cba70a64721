"""The error of a prediction as a random field: alike in neighbouring pixels, so it does not average out in an area."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache, cached_property
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import fft
from scipy.special import ndtr, ndtri, owens_t

from siteplan.errors import ModelError
from siteplan.radio import shadow_correlation_m
from siteplan.tables import read_table

Floats = NDArray[np.float64]
Cells = NDArray[np.signedinteger[Any]]
Where = tuple[Cells, Cells]

PAIRED = 64
"""Areas of so few uncertain pixels are summed pair by pair."""
SINGLE = 256
"""The pixels of areas of so few uncertain ones are drawn one by one, those of greater areas by blocks."""
DRAWS = 4096
_SIDE = 16  # pixels a side of the window whose drawn errors serve all areas that fit into it
_CELLS, _WIDEST, _COARSEST = 24, 128, 8  # cells a side of a window, at most; pixels a side of a cell, until at most
_BLOCKS = 10  # blocks a side of a window, for drawing
_NEAR = 8  # cells: up to there correlations are averaged over all pixels of two cells, beyond their centres are taken
_OFFSETS = 33  # pixels: more apart are not tried one by one when correlations are averaged
_STEPS = (4, 8, 16, 32, 64)  # terms after which the rest of the series is looked at
_REST, _SIGMA_FLOOR = 0.01, 0.001  # the rest may be this part of the variance, or this standard deviation
_LEVELS = 4096  # steps of probability that areas of many pixels are counted in
_NODES = np.linspace(-4.5, 4.5, 257)
_FINE = 4000.0  # steps of a drawn error of 1, as whole numbers of 16 bits
_FACTOR, _REGULAR = 153, 16  # of the lattice; rows of normal numbers that are regular


class ErrorComponent(NamedTuple):
    """A part of the prediction error: standard deviation (dB), and the distance (m) over which it is alike."""

    sigma_db: float
    distance_m: float


def error_components(scenario: str, *, blocked: bool, shadow_sigma_db: float, model_sigma_db: float,
                     model_distance_m: float | None = None) -> tuple[ErrorComponent, ErrorComponent]:
    """Shadow fading and model error with their correlation distances.

    That of fading is :func:`siteplan.radio.shadow_correlation_m` (TR 38.901 table 7.5-6, section 7.4.4), that of the
    model stands in ``tables/correlation.toml``.

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
        TR 38.901 has no correlation distance for the scenario.

    Examples
    --------
    >>> error_components("uma", blocked=True, shadow_sigma_db=6.0, model_sigma_db=12.0)[0]
    ErrorComponent(sigma_db=6.0, distance_m=50.0)
    """
    shadow_m = float(shadow_correlation_m(scenario, not blocked))
    own = float(read_table("correlation")["model"]["distance_m"])
    model_m = own if model_distance_m is None else model_distance_m
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


class Classes(NamedTuple):
    """Classes of probability: the first can never be covered, the last always is."""

    lower: NDArray[np.int32]  # of each level: the class at or below it
    upper: NDArray[np.float32]  # part of it that goes to the next class
    p: Floats
    z: Floats  # of the doubtful classes


class Counted(NamedTuple):
    """An area of many pixels, counted by cells and classes."""

    weight: Floats  # (cells, classes), sums to 1
    own: float  # sum of f^2 p (1 - p) over the pixels
    shape: tuple[int, int]  # cells
    block: int  # pixels a side of a cell
    step: float  # weight of each pixel where all weigh the same, else 0


class BlockParts(NamedTuple):
    """An area of many pixels as it is drawn."""

    pixels: int  # a side of a block
    parts: NDArray[np.float32]  # (blocks * functions of the error of a block)
    never: float  # part of the area
    certain: float
    step: float  # shares are multiples of it, if not 0
    mean: Floats  # share when the error is the same in all blocks, rising, and
    spread: Floats  # how far single pixels then differ: sum of f p (1 - p)


class ErrorField:
    """The error field, with what is needed again and again for windows of the same size."""

    def __init__(self, components: Sequence[ErrorComponent], pixel_m: float) -> None:
        if not all(part.distance_m > 0 and part.sigma_db >= 0 for part in components) \
                or not sum(part.sigma_db for part in components) > 0:
            raise ModelError(f"every part of the error needs a positive distance and one an error, found {components}")
        total = sum(part.sigma_db ** 2 for part in components)
        self.pixel_m = pixel_m
        self.parts = [(part.sigma_db ** 2 / total, part.distance_m) for part in components]
        self.spectrum = cache(self._spectrum)
        self._responses = cache(self._responses_of)

    def at(self, distance_m: ArrayLike) -> Floats:
        """Correlation at a distance, below 1."""
        away = np.asarray(distance_m, dtype=np.float64)
        rho = sum((share * np.exp(-away / reach_m) for share, reach_m in self.parts), np.zeros(away.shape))
        return np.minimum(rho, 1.0 - 1e-12)

    def between(self, where: Where) -> Floats:
        """Correlation of each pixel with each."""
        return self.at(self.pixel_m * np.hypot(*(np.subtract.outer(axis, axis) for axis in where)))

    # ------------------------------------------------------------ few pixels

    def pair_variance(self, f: Floats, z: Floats, p: Floats, where: Where) -> float:
        """Variance of the share of a few pixels ``f``, pair by pair; ``where`` is (row, col)."""
        i, j = np.triu_indices(len(f), 1)
        z = np.where(z == 0, 1e-12, z)
        rho = self.between(where)[i, j]
        return float(f * f @ (p * (1.0 - p))) + 2.0 * float(f[i] * f[j] @ pair_covariance(z[i], z[j], rho))

    def draw_pixels(self, f: Floats, z: Floats, where: Where) -> NDArray[np.float32]:
        """Shares of a few pixels in drawn error fields, in no order."""
        row, col = (axis - axis.min() for axis in where)
        if max(int(row.max()), int(col.max())) < _SIDE:
            error = self._window[row * _SIDE + col]
        else:
            error = _whole(_drawn(self.between(where)))
        covered = error > _whole(-z)[:, None]
        return np.asarray(f.astype(np.float32) @ covered.astype(np.float32))

    @cached_property
    def _window(self) -> NDArray[np.int16]:
        """Drawn errors of the pixels of a square window."""
        row, col = np.divmod(np.arange(_SIDE * _SIDE), _SIDE)
        return _whole(_drawn(self.between((row, col))))

    # ------------------------------------------------------------ many pixels, counted by cells

    def variance(self, counted: Counted) -> tuple[float, float]:
        """Variance of the share of an area of many pixels, and what it may lack at most."""
        rows, cols = counted.shape
        kinds = probability_classes()
        doubtful = counted.weight[:, 1:-1]
        left, table = kinds.p[1:-1] * (1.0 - kinds.p[1:-1]), _term_table()
        total, rest, done = counted.own, 0.0, 0
        for step in _STEPS:
            left = left - (table[:, done:step] ** 2).sum(axis=1)
            tried = np.column_stack([table[:, done:step], np.sqrt(np.maximum(left, 0.0))])
            grids = (tried.T @ doubtful.T).reshape(-1, rows, cols)
            sums = self._sums(grids, (rows, cols, counted.block), done + 1)
            total, rest, done = total + float(sums[:-1].sum()), max(float(sums[-1]), 0.0), step
            if rest <= _REST * total + _SIGMA_FLOOR ** 2:
                break
        return total, rest

    def _sums(self, grids: Floats, kind: tuple[int, int, int], power: int) -> Floats:
        """Sum of values_i values_j rho_ij^n over all pairs of different pixels, n = power, power + 1, ..."""
        shape = (8 * (-(-kind[0] // 8)), 8 * (-(-kind[1] // 8)))
        seen = fft.rfft2(grids, (2 * shape[0], 2 * shape[1])).reshape(len(grids), -1)
        known = self.spectrum(*shape, kind[2], power, power + len(grids))
        return np.asarray(((seen.real ** 2 + seen.imag ** 2) * known).sum(axis=1))

    def _spectrum(self, rows: int, cols: int, block: int, first: int, last: int) -> Floats:
        """Spectra of rho^power between cells, for Parseval's sum; first <= power < last, each a row."""
        powers = np.arange(first, last)
        quadrant = self._quadrants(rows, cols, block, powers)
        kernel = np.zeros((len(powers), 2 * rows, 2 * cols))
        kernel[:, :rows, :cols] = quadrant
        kernel[:, rows + 1:] = kernel[:, rows - 1:0:-1]
        kernel[:, :, cols + 1:] = kernel[:, :, cols - 1:0:-1]
        spectrum = fft.rfft2(kernel).real / kernel[0].size
        spectrum[:, :, 1:-1] *= 2.0
        return np.ascontiguousarray(spectrum.reshape(len(powers), -1))

    def _quadrants(self, rows: int, cols: int, block: int, powers: NDArray[np.int64]) -> Floats:
        """Mean of rho^power over the pixels of two cells so many cells apart; 0 for a pixel with itself."""
        down, right = np.arange(rows)[:, None], np.arange(cols)[None, :]
        far = self.at(block * self.pixel_m * np.hypot(down, right))
        out = far ** powers[:, None, None]
        step, by = _offsets(block)
        near = (slice(0, _NEAR + 1), slice(0, _NEAR + 1))
        pixels = np.hypot((block * down[near[0]])[:, :, None, None] + step[:, None],
                          (block * right[:, near[1]])[:, :, None, None] + step)
        alike = np.where(pixels > 0, self.at(self.pixel_m * pixels), 0.0)
        for number, power in enumerate(powers):
            out[number][near] = np.einsum("ijuv,u,v->ij", alike ** power, by, by)
        return out

    def block_parts(self, counted: Counted) -> BlockParts:
        """An area of many pixels as it is drawn: what is left of its pixels."""
        gather = -(-max(counted.shape) // _BLOCKS)
        basis, _, chance = self._responses(counted.block * gather)
        grid = (counted.weight @ basis).reshape(*counted.shape, -1)
        down, right = (np.arange(0, size, gather) for size in counted.shape)
        out = np.zeros((_BLOCKS, _BLOCKS, basis.shape[1]), np.float32)
        out[:len(down), :len(right)] = np.add.reduceat(np.add.reduceat(grid, down, axis=0), right, axis=1)
        by_class = counted.weight.sum(axis=0)
        return BlockParts(counted.block * gather, out.ravel(), float(by_class[0]), float(by_class[-1]),
                          counted.step, by_class @ chance, by_class @ (chance * (1.0 - chance)))

    def draw_blocks(self, areas: Sequence[BlockParts], mean: Floats, variance: Floats) -> NDArray[np.float32]:
        """Shares of areas of many pixels in drawn error fields, rising, shape (areas, draws).

        The areas have blocks of the same number of pixels. The error of a block is drawn, that of a pixel given its
        block's is taken to be independent of the others; what that lacks of ``variance`` is added, most where single
        pixels differ most.
        """
        shares = np.stack([one.parts for one in areas]) @ self._answers(areas[0].pixels)
        least = np.array([[one.certain] for one in areas], np.float32)
        most = np.array([[1.0 - one.never] for one in areas], np.float32)
        middle, goal = mean.astype(np.float32)[:, None], variance.astype(np.float32)[:, None]
        shares += middle - shares.mean(axis=1, keepdims=True)
        np.clip(shares, least, most, out=shares)
        doubt = np.stack([np.interp(drawn, one.mean, one.spread)
                          for drawn, one in zip(shares, areas, strict=True)]).astype(np.float32)
        lack = np.maximum(goal - shares.var(axis=1, keepdims=True), 0.0)
        doubt *= lack / np.maximum(doubt.mean(axis=1, keepdims=True), 1e-30)
        shares += np.sqrt(doubt) * _normals()[-1].astype(np.float32)
        shares -= shares.mean(axis=1, keepdims=True)
        shares *= np.sqrt(goal / np.maximum(shares.var(axis=1, keepdims=True), 1e-30))
        shares += middle
        np.clip(shares, least, most, out=shares)
        for number, one in enumerate(areas):
            if one.step:
                shares[number] = np.rint(shares[number] / one.step) * one.step
        shares.sort(axis=1)
        return shares

    def _alike_within(self, pixels: int) -> tuple[Floats, float]:
        """Mean correlation of the pixels of two blocks so many apart, shape (blocks, blocks); and within a block."""
        near = self._quadrants(_BLOCKS, _BLOCKS, pixels, np.array([1]))[0]
        near[0, 0] /= 1.0 - 1.0 / pixels ** 2
        return near, min(float(near[0, 0]), 1.0 - 1e-6)

    def _responses_of(self, pixels: int) -> tuple[Floats, Floats, Floats]:
        """Share of each class that is covered given the error of its block, as a sum of few functions of that error.

        Their parts in each class, shape (classes, functions), their values at the nodes, shape (functions, nodes), and
        the share itself at every eighth node, shape (classes, nodes).
        """
        alike = self._alike_within(pixels)[1]
        kinds = probability_classes()
        chance = np.zeros((len(kinds.p), len(_NODES)))
        chance[-1] = 1.0
        chance[1:-1] = ndtr((kinds.z[:, None] + np.sqrt(alike) * _NODES) / np.sqrt(1.0 - alike))
        often = np.exp(-0.25 * _NODES ** 2)
        values, vectors = np.linalg.eigh((chance * often) @ (chance * often).T)
        basis = vectors[:, values > 4e-6 * values[-1]]
        return basis, basis.T @ chance, chance[:, ::8]

    def _answers(self, pixels: int) -> NDArray[np.float32]:
        """Values of those functions in the draws, shape (blocks * functions, draws)."""
        near, alike = self._alike_within(pixels)
        row, col = np.divmod(np.arange(_BLOCKS * _BLOCKS), _BLOCKS)
        error = _drawn(near[np.abs(np.subtract.outer(row, row)), np.abs(np.subtract.outer(col, col))])
        step = _NODES[1] - _NODES[0]
        at = np.rint((np.clip(error / np.sqrt(alike), _NODES[0], _NODES[-1]) - _NODES[0]) / step).astype(np.intp)
        values = self._responses(pixels)[1].astype(np.float32)
        return np.stack([row[at] for row in values], axis=1).reshape(-1, DRAWS)


def count_pixels(cells: Cells, f: Floats, p: Floats, columns: int, chunk: int) -> Counted:
    """An area of many pixels counted by cells and classes; all are known."""
    top, bottom = int(cells.min()) // columns, int(cells.max()) // columns
    pieces = [slice(start, start + chunk) for start in range(0, len(cells), chunk)]
    sides = [(int(col.min()), int(col.max())) for col in (cells[piece] % columns for piece in pieces)]
    left, right = min(side[0] for side in sides), max(side[1] for side in sides)
    side = max(bottom - top, right - left) + 1
    block = max(min(-(-side // _CELLS), _COARSEST), -(-side // _WIDEST))
    shape = ((bottom - top) // block + 1, (right - left) // block + 1)
    kinds = probability_classes()
    count = len(kinds.p)
    weight, own, total = np.zeros(shape[0] * shape[1] * count), 0.0, 0.0
    for piece in pieces:
        row = cells[piece] // columns
        number = (row - top) // block * shape[1]
        number += (cells[piece] - row * columns - left) // block
        number *= count
        q, part = p[piece], f[piece]
        level = (q * _LEVELS + 0.5).astype(np.int32)
        number += kinds.lower[level]
        above = part * kinds.upper[level]
        weight += np.bincount(np.concatenate([number, number + 1]), np.concatenate([part - above, above]), len(weight))
        total += float(part.sum(dtype=np.float64))
        own += float(np.einsum("i,i,i,i", part, part, q, 1.0 - q, dtype=np.float64))
    weight /= total
    step = float(f.max()) / total if len(f) and f.min() == f.max() else 0.0
    return Counted(weight.reshape(-1, count), own / total ** 2, shape, block, step)


@cache
def probability_classes() -> Classes:
    """Classes of the levels 0..4096 of probability, a sixth of a standard deviation apart.

    A level between two classes is split so that its probability stays.
    """
    p = np.arange(_LEVELS + 1) / _LEVELS
    z = np.linspace(ndtri(p[1]), ndtri(p[-2]), 43)
    classes = np.concatenate(([0.0], ndtr(z), [1.0]))
    lower = np.clip(np.searchsorted(classes, p, side="right") - 1, 0, len(classes) - 2)
    upper = (p - classes[lower]) / (classes[lower + 1] - classes[lower])
    upper[[1, -2]] = np.rint(upper[[1, -2]])
    return Classes(lower.astype(np.int32), upper.astype(np.float32), classes, z)


@cache
def _offsets(block: int) -> tuple[Floats, Floats]:
    """How far apart pixels of two cells are along an axis beyond the cells themselves, and how often, sum 1."""
    if block <= _OFFSETS // 2:
        step = np.arange(1.0 - block, block)
        return step, (block - np.abs(step)) / block ** 2
    part = (np.arange(_OFFSETS) + 0.5) / _OFFSETS
    half = block * part ** 3  # denser where near
    often = (block - half) * part ** 2
    return np.concatenate([-half, half]), np.concatenate([often, often]) / (2.0 * often.sum())


@cache
def _normals() -> Floats:
    """Normal numbers for the draws, each with its opposite, shape (rows, draws); the first rows are the most regular.

    The first rows are a rank-1 lattice of Korobov's form, the others are drawn with even steps in each row.
    """
    half = DRAWS // 2
    rng = np.random.default_rng(5)
    number = np.stack([np.arange(half) * pow(_FACTOR, row, half) % half if row < _REGULAR else rng.permutation(half)
                       for row in range(SINGLE + 1)])
    normal = ndtri((number + 0.5) / half)
    return np.hstack([normal, -normal])


def _drawn(rho: Floats) -> Floats:
    """Error fields with that correlation, shape (places, draws); the widest waves take the most regular numbers."""
    values, vectors = np.linalg.eigh(rho)
    root = (vectors * np.sqrt(np.maximum(values, 0.0)))[:, ::-1]
    return np.asarray(root @ _normals()[:len(rho)])


def _whole(error: Floats) -> NDArray[np.int16]:
    """Errors as whole numbers."""
    return np.rint(np.clip(error, -8.0, 8.0) * _FINE).astype(np.int16)


@cache
def _term_table() -> Floats:
    """Terms phi(z) He_{n-1}(z) / sqrt(n!) of the series for each doubtful class; column n - 1."""
    z = probability_classes().z
    before, term = np.zeros_like(z), np.exp(-0.5 * z * z) / np.sqrt(2.0 * np.pi)
    table = []
    for n in range(1, _STEPS[-1] + 1):
        table.append(term)
        before, term = term, z / np.sqrt(n + 1.0) * term - (n - 1.0) / np.sqrt(n * (n + 1.0)) * before
    return np.column_stack(table)
