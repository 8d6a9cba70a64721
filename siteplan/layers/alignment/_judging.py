"""Datum suspicion: a file that would fit better if its coordinates were GCJ-02, BD-09 or shifted is told.

Every file of points or lines, and the clutter raster, is laid against buildings, building heights or roads under all
shifts up to 800 m (`_shift_search`). What fits best elsewhere is told with the figures; it is never moved.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np
import pyproj
from numpy.typing import NDArray

from siteplan.crs import transform_points
from siteplan.datums import from_wgs84, to_wgs84
from siteplan.input_ledger import InputLedger
from siteplan.layers.alignment._references import Reference, References, search_area
from siteplan.layers.alignment._samples import Sample, find_samples
from siteplan.layers.alignment._shift_search import (
    REACH,
    STEP_M,
    Floats,
    best_shift,
    count_shifts,
    find_background,
    shift_axis,
    value_near,
)
from siteplan.layers.collection import Layers
from siteplan.layers.finding import DATUM_ZH, LEAST_SHIFT_M, REFERENCE_ZH, Alignment, same_shift

MIN_POINTS = 30
"""Fewer points where the reference is known say nothing."""
FIT_SCORE = 4.0
"""A file fits where it lies from this standard score on (against the shares of all shifts)."""
DATUM_SCORE, DATUM_LEAD = 5.0, 2.5
"""Another datum is suspected from this score on, when it leads where the file lies by so much."""
BEST_LEAD = 1.5
"""No plain shift may lead the datum by more, unless it is that of the datum itself."""
SHIFT_SCORE, SHIFT_LEAD = 7.0, 4.0
"""The same for a plain shift: it is the best of 26,000, of which chance makes one reach 6."""


@dataclass(frozen=True)
class Judged:
    """How one kind of layer is judged: against which references in order of liking, and why."""

    against: tuple[str, ...]
    why: str


JUDGED: Mapping[str, Judged] = MappingProxyType({
    "facilities": Judged(("on_buildings",), "a venue is, or has, a building"),
    "village_points": Judged(("on_buildings",), "committees, schools and clinics are houses"),
    "stations": Judged(("on_buildings",), "many masts stand on roofs; ground masts add nothing to any shift"),
    "complaints": Judged(("on_buildings",), "geocoded to an address"),
    "demands": Judged(("on_buildings",), "geocoded to an address"),
    "poles": Judged(("on_roads", "off_buildings"), "lamps line the roads; without roads: no pole stands in a house"),
    "measurements": Judged(("on_roads", "off_buildings"), "drive tests follow the roads"),
    "works": Judged(("on_roads", "off_buildings"), "road works lie on roads"),
    "roads": Judged(("off_buildings",), "no house stands on a road"),
    "rail": Judged(("off_buildings",), "no house stands on a railway"),
    "buildings": Judged(("on_heights",), "two sources of the same walls"),
    "clutter": Judged(("classes_buildings",), "some classes are built, others open, whichever they are"),
    "heights": Judged(("classes_footprints",), "two sources of the same walls"),
})
"""Areas (villages, zones), population cells and water are not judged: their edges follow nothing that is mapped."""

_WORDS = MappingProxyType({
    "on": "落在{0}上的比例", "off": "避开{0}的比例", "classes": "类别与{0}的相符率"})


@dataclass(frozen=True)
class ShiftPlot:
    """What a picture of one search needs: ``imshow(share, origin="lower", extent=extent_m)`` and the marks.

    Attributes
    ----------
    title : str
    share : ndarray of float32, (north, east)
    extent_m : (west, east, south, north)
        Edges of the picture, m.
    marks : tuple of (text, east_m, north_m)
        Where the file lies, the best shift, and where it would lie were it GCJ-02.
    """

    title: str
    share: NDArray[np.float32]
    extent_m: tuple[float, float, float, float]
    marks: tuple[tuple[str, float, float], ...]


def check_alignment(layers: Layers) -> tuple[Alignment, ...]:
    """Lay every file against buildings or roads under all shifts and judge where it fits best.

    A share is the number of points that hit (lie on a building, off it, within 15 m of a road line) by the number of
    points where one can tell, pooled over 3 x 3 shifts of 10 m. Its standard score is taken against a quadratic trend
    over all shifts, in units of the scatter about it. Points of one place count once; of large files 3,000 are taken.

    * another datum: its share (every point converted for itself) scores >= 5 and leads the place where the file lies
      by 2.5, and no plain shift leads it by 1.5, but for one within 40 m of the datum's own;
    * a plain shift: the best shift is >= 25 m, scores >= 7 and leads by 4;
    * fits: scores >= 4 where it lies; everything else, and fewer than 30 points, is unclear.

    Parameters
    ----------
    layers : Layers
        Finished tables and rasters.

    Returns
    -------
    tuple of Alignment
        One for each file that could be judged, in the order of the layers.

    Notes
    -----
    Figures behind the rule: random subsets of 19 right sets of points (hotels, schools and parks, masts of Chengdu
    against a heights raster known on 9 % of its pixels; places, lamps and roads of the sample city, and of
    Liechtenstein and Helsinki set down in China), each as it is and moved:

    ========================  ========  ========  ========  ========  ========
    points                          50       100       300      1000      3000
    ========================  ========  ========  ========  ========  ========
    right, yet suspected        0 / 57    0 / 45    0 / 39    0 / 27    0 / 12
    GCJ-02 named               23 / 57   20 / 45   19 / 39   23 / 27   12 / 12
    BD-09 named                24 / 57   20 / 45   18 / 39   21 / 27   12 / 12
    wrong "GCJ-02" named       22 / 57   18 / 45   20 / 39   21 / 27   12 / 12
    57 m found                 19 / 57   14 / 45   15 / 39   14 / 27    6 / 12
    ========================  ========  ========  ========  ========  ========

    None was given a wrong datum: what was missed was unclear, told as a plain shift (5), or, 57 m off, taken as right
    (11: a yard of houses is as large). Fifty points are enough inside footprints or along roads (GCJ-02 named in 23 of
    24), 300 hotels and 1,000 masts on the heights raster; an area smaller than the offset (Helsinki, 1 x 2 km) is
    mostly unclear.
    """
    samples = list(find_samples(layers, tuple(JUDGED)))
    if not samples:
        return ()
    reach_m = REACH * STEP_M
    west, south, east, north = search_area(np.concatenate([sample.x for sample in samples]),
                                           np.concatenate([sample.y for sample in samples]))
    references = References(layers, (west - reach_m, south - reach_m, east + reach_m, north + reach_m))
    out = []
    for sample, places in zip(samples, _other_places(samples, layers.crs), strict=True):
        for name in JUDGED[sample.layer].against:
            found = references.get(name)
            if found is not None and found.layer != sample.layer:
                out.append(_judge(sample, places, found))
                break
    return tuple(out)


def tell_alignment(found: tuple[Alignment, ...], ledger: InputLedger) -> None:
    """One ledger line per suspicion; one on the reference when several files point to the same shift and none fits.

    Parameters
    ----------
    found : tuple of Alignment
    ledger : InputLedger
        Gets the lines (action ``note``: nothing was moved).
    """
    for one in found:
        if one.suspected:
            field, value = ("crs", "") if one.verdict == "shifted" else ("datum", one.datum)
            ledger.add(one.layer, one.file, "", field, value, "note", one.doubt, one.remedy)
    for against in sorted({one.against for one in found}):
        judged = [one for one in found if one.against == against and one.verdict != "unclear"]
        moved = [one for one in judged if one.suspected]
        if len(moved) < 2 or len(moved) < len(judged) or len({one.layer for one in moved}) < 2:
            continue
        first = moved[0]
        if all(same_shift((one.east_m, one.north_m), (first.east_m, first.north_m)) for one in moved):
            names = "、".join(dict.fromkeys(one.layer for one in moved))
            ledger.add(against, "", "", "crs", "", "note",
                       f"{names} 相对{REFERENCE_ZH[against]}都偏了同样的距离（东 {first.east_m:+.0f} m、北 {first.north_m:+.0f} m），"
                       f"更可能是{REFERENCE_ZH[against]}偏了", f"先核对 [layers.{against}] 的坐标系和 datum（坐标未改动）")


def shift_plot(one: Alignment) -> ShiftPlot:
    """The search of one file as a picture.

    Parameters
    ----------
    one : Alignment

    Returns
    -------
    ShiftPlot
    """
    half = (one.score.shape[0] // 2 + 0.5) * one.step_m
    marks = [("现坐标", 0.0, 0.0), ("最佳平移", one.east_m, one.north_m)]
    if one.datum == "wgs84" and np.isfinite(one.share_gcj02):
        marks.append(("若为 GCJ-02", *one.gcj02_m))
    return ShiftPlot(f"{one.layer} {one.file}：{one.measure}", one.score, (-half, half, -half, half), tuple(marks))


def _other_places(samples: Sequence[Sample], crs: pyproj.CRS) -> list[dict[str, tuple[Floats, Floats]]]:
    """Where the points of each file lie if their coordinates are of another datum than declared.

    Nothing outside China, where no datum differs. All files go through one transformation, since to set one up takes
    longer than to use it.
    """
    lon, lat = transform_points(np.concatenate([sample.x for sample in samples]),
                                np.concatenate([sample.y for sample in samples]), crs, 4326)
    ends = np.cumsum([len(sample.x) for sample in samples])[:-1]
    tried: list[tuple[int, str, Floats, Floats]] = []
    for number, (part_lon, part_lat) in enumerate(zip(np.split(lon, ends), np.split(lat, ends), strict=True)):
        declared = samples[number].datum
        raw = from_wgs84(part_lon, part_lat, declared)
        tried += [(number, datum, *to_wgs84(*raw, datum)) for datum in DATUM_ZH if datum != declared]
    x, y = transform_points(np.concatenate([part[2] for part in tried]), np.concatenate([part[3] for part in tried]),
                            4326, crs)
    ends = np.cumsum([len(part[2]) for part in tried])[:-1]
    out: list[dict[str, tuple[Floats, Floats]]] = [{} for _ in samples]
    for part, moved_x, moved_y in zip(tried, np.split(x, ends), np.split(y, ends), strict=True):
        sample = samples[part[0]]
        if np.median(np.hypot(moved_x - sample.x, moved_y - sample.y)) > 4.0 * LEAST_SHIFT_M:
            out[part[0]][part[1]] = moved_x, moved_y
    return out


def _judge(sample: Sample, places: Mapping[str, tuple[Floats, Floats]], reference: Reference) -> Alignment:
    """Search all shifts of one file and say what they tell."""
    mask, measure, pool = reference.mask, reference.measure, reference.pool
    counted = count_shifts(sample.x, sample.y, mask, sample.labels)
    shown, known = measure(counted, False)
    shifts = {datum: (float(np.mean(x - sample.x)), float(np.mean(y - sample.y))) for datum, (x, y) in places.items()}
    shares = dict.fromkeys(DATUM_ZH, float("nan")) | {sample.datum: value_near(shown, (0.0, 0.0), 0)}
    points = int(known[REACH, REACH])
    verdict, east, north = "unclear", 0.0, 0.0
    share, _ = measure(counted, pool)
    background = find_background(share, [(0.0, 0.0), *shifts.values()])
    if points >= MIN_POINTS and background is not None:
        axis = shift_axis()
        scores = background.score(share, axis[None, :], axis[:, None])
        others = {}
        for datum, (x, y) in places.items():
            moved = count_shifts(x, y, mask, sample.labels, reach=3)
            placed, seen = measure(moved, False)
            if seen[3, 3] >= max(MIN_POINTS, 0.5 * points):
                shares[datum] = value_near(placed, (0.0, 0.0), 0)
                reached = value_near(measure(moved, pool)[0], (0.0, 0.0))
                others[datum] = float(background.score(reached, *shifts[datum]))
        east, north = best_shift(scores)
        verdict = _decide(value_near(scores, (0.0, 0.0)), others, float(np.nanmax(scores)), (east, north), shifts)
        if value_near(shown, (east, north), 0) <= shares[sample.datum] and verdict in ("fits", "unclear"):
            east, north = 0.0, 0.0
    words = _WORDS[reference.kind].format(REFERENCE_ZH[reference.layer])
    return Alignment(
        sample.layer, sample.file, reference.layer, words, points, shares[sample.datum],
        value_near(shown, (east, north), 0), east, north, shares["gcj02"], shares["bd09"], verdict,
        shown.astype(np.float32), STEP_M, sample.datum, shares["wgs84"], shifts.get("gcj02", (0.0, 0.0)))


def _decide(here: float, others: Mapping[str, float], best: float, shift: tuple[float, float],
            offsets: Mapping[str, tuple[float, float]]) -> str:
    """The verdict by standard scores: where the file lies, by datum, and at the best of all shifts.

    >>> offsets = {"gcj02": (-230.0, 270.0), "wgs84": (240.0, -270.0)}
    >>> _decide(1.8, {"gcj02": 15.0}, 15.2, (-234.0, 275.0), offsets)
    'gcj02'
    >>> _decide(6.0, {"gcj02": 1.8}, 6.0, (8.0, -8.0), offsets)
    'fits'
    >>> _decide(1.0, {"wgs84": 9.0}, 9.0, (240.0, -270.0), offsets), _decide(1.0, {}, 9.0, (0.0, -57.0), offsets)
    ('not_gcj02', 'shifted')
    """
    likely = max(others, key=lambda datum: others[datum], default="")
    if likely and others[likely] >= max(DATUM_SCORE, here + DATUM_LEAD) and (
            others[likely] >= best - BEST_LEAD or same_shift(shift, offsets[likely])):
        return "not_gcj02" if likely == "wgs84" else likely
    if best >= max(SHIFT_SCORE, here + SHIFT_LEAD) and float(np.hypot(*shift)) >= LEAST_SHIFT_M:
        return "shifted"
    return "fits" if here >= FIT_SCORE else "unclear"
