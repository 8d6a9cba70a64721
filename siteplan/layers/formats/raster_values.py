"""Values of a raster: read strip by strip, no-data masked, metres, impossible values taken out; every loss is told."""

from __future__ import annotations

import itertools
import math
from bisect import bisect_left
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray
from odc.geo.geobox import GeoBox
from rasterio.enums import MaskFlags
from rasterio.io import DatasetReader
from rasterio.windows import Window

from siteplan.layers.file_log import FileLog

Heights = NDArray[np.float32]
Mask = NDArray[np.bool_]

LIMITS = {"ground": (-500.0, 9000.0), "heights": (-50.0, 1000.0), "clutter": (0.0, 32767.0), "population": (0.0, 1e7)}
"""Values outside are no data: below the Dead Sea or above Everest (m); no building or tree is higher (m); no class has
a negative code; no pixel has negative people."""
TALL_M = 300.0
"""Object heights above this are kept and told: few buildings in China are higher."""
SPIKE_M, SPIKE_PIXELS, SPIKE_SPREADS = 50.0, 4.0, 6.0
"""Ground that differs from the median of its neighbours by more than the larger of 50 m and 4 pixel sizes, plus 6 times
their median deviation, is impossible."""
_LOW_M = 30.0
_MOST_ALIKE = 3
_LEAST_KNOWN = 5
_UNLABELLED = (-9999.0, -32768.0)
_HUGE = 1e9
_STRIP_PX = 1 << 21
_METRES_PER_DEGREE = 111_320.0
_AROUND = [(row, col) for row in range(-2, 3) for col in range(-2, 3) if (row, col) != (0, 0)]
_PAIRS = ((0, 1), (1, 0), (1, 1), (1, -1))


@dataclass(frozen=True)
class Encoding:
    """How the numbers of one band are to be understood: ``(raw * scale + offset) * to_metres``.

    Attributes
    ----------
    band : int
        From 1.
    declared : float or None
        No data as the file says.
    named : float or None
        No data as the study says.
    scale, offset : float
        As the file says.
    to_metres : float
    """

    band: int
    declared: float | None
    named: float | None
    scale: float = 1.0
    offset: float = 0.0
    to_metres: float = 1.0


@dataclass
class _Tally:
    """Counts of what was met, with the first value of each."""

    counts: Counter[str] = field(default_factory=Counter)
    first: dict[str, float] = field(default_factory=dict)

    def take(self, name: str, hits: Mask, values: NDArray[Any]) -> None:
        number = int(np.count_nonzero(hits))
        if number:
            self.counts[name] += number
            self.first.setdefault(name, float(values[hits][0]))


def pixel_metres(geobox: GeoBox) -> float:
    """Edge of a pixel, m: the mean of both edges; degrees are taken at the middle of the raster.

    >>> from affine import Affine
    >>> round(pixel_metres(GeoBox((2, 2), Affine(0.001, 0, 9, 0, -0.001, 60), "EPSG:4326")), 1)
    78.7
    """
    affine = geobox.affine
    area = abs(affine.determinant)
    crs = geobox.crs
    if crs is not None and crs.geographic:
        middle = affine.f + affine.e * geobox.shape[0] / 2.0
        area *= _METRES_PER_DEGREE ** 2 * math.cos(math.radians(min(89.0, abs(middle))))
    return math.sqrt(area)


def read_values(data: DatasetReader, window: Window, encoding: Encoding, absent: list[Window], log: FileLog) -> Heights:
    """Read a window of one band as float32, NaN = no data.

    Parameters
    ----------
    data : DatasetReader
    window : Window
        Whole numbers of pixels, inside the raster.
    encoding : Encoding
    absent : list of Window
        Parts of the raster that the file does not hold (unwritten blocks), from the north: no data.
    log : FileLog
        Takes a line for everything that was done without being told, with its count.

    Returns
    -------
    ndarray of float32, shape of `window`
        Metres (ground, heights), class codes (clutter) or people (population).

    Notes
    -----
    No more than the answer and a strip of about 2 million pixels is held in memory.
    """
    height, width = int(window.height), int(window.width)
    out = np.empty((height, width), dtype=np.float32)
    block = max(1, int(data.block_shapes[encoding.band - 1][0]))
    step = max(block, _STRIP_PX // width // block * block)
    masked = MaskFlags.per_dataset in data.mask_flag_enums[encoding.band - 1]
    tally, holes = _Tally(), _Holes(width)
    # strips begin at whole blocks of the file, so that no block is decoded twice
    start, stop = int(window.row_off), int(window.row_off) + height
    edges = [start, *range((start // step + 1) * step, stop, step), stop]
    with np.errstate(all="ignore"):
        for top, bottom in itertools.pairwise(edges):
            strip = Window(window.col_off, top, width, bottom - top)
            raw = data.read(encoding.band, window=strip)
            void = _declared(raw, encoding, tally)
            if masked:
                void |= data.read_masks(encoding.band, window=strip) == 0
            _unwritten(void, strip, absent, tally)
            holes.take(~void)
            out[top - start:bottom - start] = _clean(raw, void, encoding, log.layer, tally)
    if height * width < data.height * data.width:
        tally.counts["named"] += 1  # a window need not hold what the study names
    _tell(tally, holes, encoding, log, height * width)
    return out


class _Holes:
    """Counts pixels without data between known ones, in their row and in their column, while strips pass by."""

    def __init__(self, width: int) -> None:
        self.rows = 0
        self.known = 0
        self.seen = np.zeros(width, dtype=np.int64)
        self.first = np.full(width, -1, dtype=np.int64)
        self.last = np.full(width, -2, dtype=np.int64)
        self.in_rows = 0

    def take(self, known: Mask) -> None:
        height, width = known.shape
        count = known.sum(axis=0, dtype=np.int64)
        has = count > 0
        new = has & (self.first < 0)
        self.first[new] = self.rows + known[:, new].argmax(axis=0)
        self.last[has] = self.rows + height - 1 - known[::-1][:, has].argmax(axis=0)
        self.seen += count
        if count.sum() < height * width:
            in_row = known.sum(axis=1, dtype=np.int64)
            filled = known[in_row > 0]
            span = width - filled.argmax(axis=1) - filled[:, ::-1].argmax(axis=1)
            self.in_rows += int(span.sum() - in_row.sum())
        self.rows += height
        self.known += int(count.sum())

    def most(self) -> int:
        """No more pixels than this are holes with data around them."""
        in_columns = int((self.last - self.first + 1 - self.seen)[self.first >= 0].sum())
        return min(self.in_rows, in_columns)


def _declared(raw: NDArray[Any], encoding: Encoding, tally: _Tally) -> Mask:
    """Pixels that the file or the study calls no data, and NaN."""
    void = np.isnan(raw) if raw.dtype.kind == "f" else np.zeros(raw.shape, dtype=bool)
    for value in (encoding.declared, encoding.named):
        if value is not None and not math.isnan(value):
            hits = raw == (value if raw.dtype.kind != "f" else raw.dtype.type(value))
            void |= hits
            if value == encoding.named:
                tally.take("named", hits, raw)
    return void


def _unwritten(void: Mask, strip: Window, absent: list[Window], tally: _Tally) -> None:
    """Mark what the file does not hold at all."""
    first = bisect_left(absent, int(strip.row_off), key=lambda part: int(part.row_off + part.height) - 1)
    last = bisect_left(absent, int(strip.row_off + strip.height), key=lambda part: int(part.row_off))
    for part in absent[first:last]:
        rows = slice(max(0, int(part.row_off - strip.row_off)),
                     max(0, int(part.row_off + part.height - strip.row_off)))
        cols = slice(max(0, int(part.col_off - strip.col_off)),
                     max(0, int(part.col_off + part.width - strip.col_off)))
        tally.counts["unwritten"] += int((~void[rows, cols]).sum())
        void[rows, cols] = True


def _clean(raw: NDArray[Any], void: Mask, encoding: Encoding, layer: str, tally: _Tally) -> Heights:
    """One strip: unlabelled no-data masked, scaled, in metres, impossible values masked."""
    lost = void.copy()
    unlabelled = [*_UNLABELLED, *([65535.0] if raw.dtype == np.uint16 else [])]
    for value in unlabelled:
        hits = (raw == value) & ~lost
        tally.take(f"{value:g}", hits, raw)
        lost |= hits
    if raw.dtype.kind == "f" or raw.dtype.itemsize >= 4:
        hits = ((raw >= _HUGE) | (raw <= -_HUGE)) & ~lost
        tally.take("huge", hits, raw)
        lost |= hits
    if encoding.scale != 1.0 or encoding.offset != 0.0:
        values = ((raw.astype(np.float64) * encoding.scale + encoding.offset) * encoding.to_metres).astype(np.float32)
    else:
        values = raw.astype(np.float32)
        if encoding.to_metres != 1.0:
            values *= np.float32(encoding.to_metres)
    values[lost] = np.nan
    low, high = LIMITS.get(layer, (-np.inf, np.inf))
    wild = (values < low) | (values > high)
    tally.take("wild", wild, values)
    if layer == "clutter":
        parts = ~wild & (values != np.rint(values)) & ~lost
        tally.take("parts", parts, values)
        wild |= parts
    if layer == "heights":
        tally.take("tall", (values > TALL_M) & ~wild, values)
        tally.take("low", values <= _LOW_M, values)
    values[wild] = np.nan
    return values


def _tell(tally: _Tally, holes: _Holes, encoding: Encoding, log: FileLog, size: int) -> None:
    """The lines of what was met."""
    counts, first = tally.counts, tally.first
    for name in (f"{value:g}" for value in (*_UNLABELLED, 65535.0)):
        if counts[name]:
            log.line("", "nodata", name, "assumed",
                     f"{counts[name]} 个像元是 {name}，文件未声明，作为无数据", "在研究文件写明 nodata")
    if counts["huge"]:
        log.line("", "nodata", f"{first['huge']:g}", "assumed",
                 f"{counts['huge']} 个像元的绝对值极大（如 {first['huge']:g}），文件未声明，作为无数据", "在研究文件写明 nodata")
    if encoding.named is not None and not math.isnan(encoding.named) and not counts["named"]:
        log.line("", "nodata", encoding.named, "note", f"研究文件写的 nodata = {encoding.named:g}，没有一个像元是这个值",
                 "核对无数据值")
    if counts["unwritten"]:
        log.line("", "nodata", "", "assumed", f"{counts['unwritten']} 个像元在文件里没有写入（稀疏 GeoTIFF），作为无数据",
                 "重新导出完整的栅格")
    if counts["wild"]:
        low, high = LIMITS[log.layer]
        unit = " m" if log.layer in ("ground", "heights") else ""
        log.line("", "", f"{first['wild']:g}", "repaired",
                 f"{counts['wild']} 个像元超出 {low:g}–{high:g}{unit}（如 {first['wild']:g}），作为无数据", "核对单位和无数据值")
    if counts["parts"]:
        log.line("", "", f"{first['parts']:g}", "repaired",
                 f"{counts['parts']} 个像元的地物类别不是整数（如 {first['parts']:g}），作为无数据",
                 "地物类别重采样只能用最邻近法；请用原始类别栅格")
    if counts["tall"]:
        log.line("", "", f"{first['tall']:g}", "note",
                 f"{counts['tall']} 个像元超过 {TALL_M:g} m（如 {first['tall']:g} m），保留", "核对是否真有这样高的建筑")
    if log.layer == "heights" and holes.known - counts["wild"] >= 100 and not counts["low"]:
        log.line("", "", "", "note", f"没有一个像元低于 {_LOW_M:g} m，像是海拔高程而不是离地高度", "核对；海拔高程应写在 [layers.ground]")
    most = holes.most()
    if most and log.layer != "population":
        kept = "" if log.layer == "ground" else "，保持无数据"  # the voids of the ground are filled, and told then
        log.line("", "nodata", most, "note",
                 f"有值范围之内至多有 {most} 个像元无数据（占全部像元的 {100 * most / size:.2g} %）{kept}", "补全数据")


def zeros_apart(array: Heights) -> tuple[int, float]:
    """Pixels of ground that are exactly 0 m while no other is within 20 m of sea level, and the lowest of the others.

    Such zeros are often no data that was not labelled; they are told, never masked.

    >>> zeros_apart(np.array([[0.0, 480.0, 500.0]], np.float32))
    (1, 480.0)
    >>> zeros_apart(np.array([[0.0, 3.0, 500.0]], np.float32))[0]
    0
    """
    zeros = int(np.count_nonzero(array == 0.0))
    near = int(np.count_nonzero(np.abs(array) < 20.0)) if zeros else 0
    if not zeros or near > zeros:
        return 0, float("nan")
    others = np.abs(array[np.isfinite(array) & (array != 0.0)])
    return (zeros, float(others.min())) if others.size else (0, float("nan"))


def find_spikes(array: Heights, pixel_m: float) -> tuple[NDArray[np.int64], NDArray[np.int64]] | None:
    """Isolated impossible heights of bare ground.

    Parameters
    ----------
    array : ndarray of float32 (row, col)
        Heights, m; NaN = no data.
    pixel_m : float
        Edge of a pixel, m.

    Returns
    -------
    (rows, cols) : two ndarrays of int64, or None
        None when steps between neighbours are so common that the array is no ground at all (over 1 % of the pixels).

    Notes
    -----
    A pixel is a spike when it differs from the median of its known neighbours (5 x 5, at least 5 known) by more than
    ``max(50 m, 4 pixels) + 6 * median deviation`` of them, and at most 3 of them are within the first term of it. A
    cliff, however high, has many alike pixels on either side; rough ground has a large deviation.

    Examples
    --------
    >>> ground = np.full((9, 9), 500.0, np.float32)
    >>> ground[:, 6:] = 900.0  # a cliff
    >>> ground[2, 3] = 0.0
    >>> [part.tolist() for part in find_spikes(ground, 5.0)]
    [[2], [3]]
    """
    limit = max(SPIKE_M, SPIKE_PIXELS * pixel_m)
    rows, cols = _beside_steps(array, np.float32(limit))
    if len(rows) > max(100_000, array.size // 100):
        return None
    found = [_are_spikes(array, rows[first:first + 50_000], cols[first:first + 50_000], limit)
             for first in range(0, len(rows), 50_000)]
    spikes = np.concatenate(found) if found else np.zeros(0, dtype=bool)
    return rows[spikes], cols[spikes]


def _beside_steps(array: Heights, limit: np.float32) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Pixels with a neighbour (of 8) that differs by more than the limit; row by row."""
    height, width = array.shape
    step = max(1, _STRIP_PX // 4 // width)
    places = []
    for top in range(0, height, step):
        part = array[top:top + step + 1]
        for row, col in _PAIRS:
            one = part[:len(part) - row, max(0, -col):width - max(0, col)]
            other = part[row:, max(0, col):width + min(0, col)]
            jump = np.subtract(one, other)
            hits = np.flatnonzero(np.abs(jump, out=jump) > limit)
            if len(hits):
                r, c = np.divmod(hits, one.shape[1])
                places += [(r + top) * width + c + max(0, -col), (r + top + row) * width + c + max(0, col)]
        if sum(map(len, places)) > max(400_000, array.size // 12):
            break
    flat = np.unique(np.concatenate(places)) if places else np.zeros(0, dtype=np.int64)
    return flat // width, flat % width


def _are_spikes(array: Heights, rows: NDArray[np.int64], cols: NDArray[np.int64], limit: float) -> Mask:
    height, width = array.shape
    around = np.full((len(rows), len(_AROUND)), np.nan)
    for place, (row, col) in enumerate(_AROUND):
        r, c = rows + row, cols + col
        inside = (r >= 0) & (r < height) & (c >= 0) & (c < width)
        around[inside, place] = array[r[inside], c[inside]]
    value = array[rows, cols].astype(np.float64)
    median, number = _median(around)
    spread, _ = _median(np.abs(around - median[:, None]))
    beyond = limit + SPIKE_SPREADS * spread
    alike = (np.abs(around - value[:, None]) <= limit).sum(axis=1)
    return np.asarray((number >= _LEAST_KNOWN) & (np.abs(value - median) > beyond) & (alike <= _MOST_ALIKE))


def _median(table: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Lower median of the known values of each row (NaN: none), and how many there are."""
    number = np.isfinite(table).sum(axis=1)
    ordered = np.sort(table, axis=1)  # NaN last
    return ordered[np.arange(len(table)), np.maximum(0, (number - 1) // 2)], number
