"""Gauss-Kruger zones: zone numbers in eastings, where a reading would put the rows, conflicts with the CRS named."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

import numpy as np
import pyproj
import shapely
from numpy.typing import NDArray

from siteplan import crs as crs_module
from siteplan.layers.file_log import FileLog

Floats = NDArray[np.float64]
Mask = NDArray[np.bool_]
Box = tuple[float, float, float, float]

THREE_DEGREE = range(25, 46)
"""Numbers of the 3-degree zones of China; EPSG 4488 + zone with the number in the easting, 4509 + zone without."""
SIX_DEGREE = range(13, 24)
"""Numbers of the 6-degree zones of China; EPSG 4478 + zone with the number in the easting."""
LIKE_MERCATOR = (13, 14, 15)
"""Zones of western Xinjiang and Tibet whose eastings look like Web Mercator in the east of China."""
WEB_MERCATOR = 3857
NO_ZONE, NO_EASTING = 0, -1
_SAMPLE = 5000
_MOST = 0.5


@dataclass(frozen=True)
class Meridian:
    """What a Gauss-Kruger CRS says of its eastings: central meridian (degrees) and zone number (0 = none)."""

    degrees: float
    zone: int


def central_meridian(zone: int) -> float:
    """Central meridian of a zone by its number, degrees.

    >>> central_meridian(38), central_meridian(19)
    (114.0, 111.0)
    """
    return 3.0 * zone if zone in THREE_DEGREE else 6.0 * zone - 3.0


def zone_epsg(zone: int) -> int:
    """EPSG code of a CGCS2000 zone whose eastings carry the zone number.

    >>> zone_epsg(38), zone_epsg(19)
    (4526, 4497)
    """
    return (4488 if zone in THREE_DEGREE else 4478) + zone


def zone_numbers(east: Floats) -> NDArray[np.int_]:
    """Zone number that starts each easting; 0 = an easting without it, -1 = no easting of China.

    >>> zone_numbers(np.array([38437528.1, 19437528.1, 437528.1, 24437528.1, 113.4])).tolist()
    [38, 19, 0, -1, -1]
    """
    finite = np.where((east >= 0.0) & (east < 1e8), east, -1.0)
    zones = np.floor(finite / 1e6).astype(int)
    rest = finite - zones * 1e6
    known = np.isin(zones, [0, *THREE_DEGREE, *SIX_DEGREE]) & (rest >= 1e5) & (rest <= 9e5)
    return np.where(known, zones, NO_EASTING)


def exchanged(x: Floats, y: Floats) -> Mask:
    """Rows whose easting and northing are exchanged (survey tables call the northing X), by the size of the numbers.

    >>> exchanged(np.array([2491154.0, 437528.0]), np.array([38437528.0, 2491154.0])).tolist()
    [True, False]
    """

    def north(values: Floats) -> Mask:
        return (values >= 1.0e6) & (values <= 6.2e6)

    return (zone_numbers(y) >= 0) & north(x) & ~((zone_numbers(x) >= 0) & north(y))


def _transverse(crs: pyproj.CRS) -> bool:
    """Whether a CRS is a transverse Mercator projection (Gauss-Kruger, UTM)."""
    plain = crs.source_crs if crs.is_bound and crs.source_crs is not None else crs
    operation = plain.coordinate_operation
    return operation is not None and operation.method_name in ("Transverse Mercator", "Gauss-Kruger", "Gauss Kruger")


def meridian_of(crs: pyproj.CRS) -> Meridian | None:
    """Central meridian and zone number of a Gauss-Kruger CRS; None for any other.

    >>> meridian_of(pyproj.CRS(4526)), meridian_of(pyproj.CRS(32649))
    (Meridian(degrees=114.0, zone=38), None)
    """
    plain = crs.source_crs if crs.is_bound and crs.source_crs is not None else crs
    operation = plain.coordinate_operation
    if operation is None or not _transverse(crs):
        return None
    found = {parameter.name.lower(): float(parameter.value) for parameter in operation.params}
    zone, rest = divmod(found.get("false easting", 0.0) - 5e5, 1e6)
    if rest or abs(found.get("scale factor at natural origin", 1.0) - 1.0) > 1e-9:
        return None
    return Meridian(float(found.get("longitude of natural origin", 0.0)), int(zone))


def share_inside(x: Floats, y: Floats, crs: pyproj.CRS, box: Box) -> float:
    """Share of points that lie in a box of degrees (west, south, east, north) when read in a CRS.

    >>> share_inside(np.array([437528.1]), np.array([2491154.5]), pyproj.CRS(4547), (113.0, 22.0, 114.0, 23.0))
    1.0
    """
    step = max(1, len(x) // _SAMPLE)
    lon, lat = crs_module.transform_points(x[::step], y[::step], crs, 4326)
    west, south, east, north = box
    inside = (lon >= west) & (lon <= east) & (lat >= south) & (lat <= north)
    return float(inside.mean()) if len(inside) else 0.0


def zone_that_fits(x: Floats, y: Floats, box: Box | None) -> int | None:
    """EPSG code that puts plane coordinates without zone number in a box: a 3-degree zone, or Web Mercator.

    None when none does, or when there is no box.

    >>> zone_that_fits(np.array([437528.1]), np.array([2491154.5]), (113.0, 22.0, 114.0, 23.0))
    4547
    """
    if box is None or not len(x):
        return None
    zones = [zone for zone in THREE_DEGREE if box[0] - 6.0 <= central_meridian(zone) <= box[2] + 6.0]
    codes = [*(4509 + zone for zone in zones), WEB_MERCATOR]
    shares = {code: share_inside(x, y, pyproj.CRS.from_epsg(code), box) for code in codes}
    best = max(shares, key=lambda code: (shares[code], -code), default=0)
    return best if best and shares[best] > 0.0 else None


def which_zone(x: Floats, y: Floats, box: Box | None) -> str:
    """A Chinese sentence: which zone would put the rows in the study area.

    >>> which_zone(np.array([437528.1]), np.array([2491154.5]), (113.0, 22.0, 114.0, 23.0))
    'EPSG:4547 会落在规划范围内；同带的北京54、西安80 和 UTM 也会落在附近，先问明提供方'
    """
    if box is None:
        return "例如 EPSG:4547"
    code = zone_that_fits(x, y, box)
    return (f"EPSG:{code} 会落在规划范围内；同带的北京54、西安80 和 UTM 也会落在附近，先问明提供方" if code
            else "按 CGCS2000 三度带的任何一带都不落在规划范围内，核对坐标")


def _shifted(shapes: NDArray[np.object_], mine: Mask, metres: float) -> NDArray[np.object_]:
    out = shapes.copy()
    out[mine] = shapely.transform(shapes[mine], lambda xy: xy + np.array([metres, 0.0]))
    return out


def _moved(shapes: NDArray[np.object_], mine: Mask, start: pyproj.CRS, end: pyproj.CRS) -> NDArray[np.object_]:
    out = shapes.copy()
    out[mine] = crs_module.transform_geometry(shapes[mine], start, end)
    return out


@dataclass(frozen=True)
class Eastings:
    """Shapes of a file with their centres (x easting, y northing), row labels and the study box."""

    shapes: NDArray[np.object_]
    x: Floats
    y: Floats
    rows: NDArray[np.object_]
    box: Box | None

    @property
    def zones(self) -> NDArray[np.int_]:
        """Zone number of each row, see `zone_numbers`."""
        return zone_numbers(self.x)

    def inside(self, mine: Mask, crs: pyproj.CRS, metres: float = 0.0) -> float:
        """Share of marked rows in the box when read in `crs`, eastings shifted by `metres` first."""
        return 0.0 if self.box is None else share_inside(self.x[mine] + metres, self.y[mine], crs, self.box)


def by_zone_numbers(found: Eastings, action: str, reason: str, log: FileLog,
                    ) -> tuple[pyproj.CRS, NDArray[np.object_]] | None:
    """CRS and shapes of a file read by the zone numbers in its eastings; None when they carry none that is sure.

    Rows of other zones than the commonest are transformed to it; eastings without number take it when that puts
    them in the study area.
    """
    numbers = Counter(found.zones[found.zones > NO_ZONE].tolist())
    if not numbers:
        return None
    main = min(numbers, key=lambda zone: (-numbers[zone], zone))
    if main in LIKE_MERCATOR and found.inside(found.zones == main, pyproj.CRS.from_epsg(zone_epsg(main))) <= _MOST:
        return None
    crs, shapes = crs_module.read_crs(zone_epsg(main)), found.shapes
    log.line("", "crs", f"EPSG:{zone_epsg(main)}", action,
             f"{reason}，按横坐标的带号 {main} 选 CGCS2000 {'三' if main in THREE_DEGREE else '六'}度带", "在研究文件写明 crs")
    for zone in sorted(set(numbers) - {main}):
        mine = found.zones == zone
        shapes = _moved(shapes, mine, crs_module.read_crs(zone_epsg(zone)), crs)
        log.rows(found.rows[mine], "geometry", f"{zone} 带", "repaired", f"同一文件有 {main} 带和 {zone} 带的坐标，按各自带号读",
                 "核对坐标")
    bare = found.zones == NO_ZONE
    if bare.any() and found.inside(bare, crs, main * 1e6) > _MOST:
        shapes = _shifted(shapes, bare, main * 1e6)
        log.rows(found.rows[bare], "geometry", f"{found.x[bare][0]:.3f}", "repaired",
                 f"其余各行横坐标带带号 {main}，这些没有，补上后落在规划范围内", "核对坐标")
    return crs, shapes


def agree_with(found: Eastings, named: pyproj.CRS, log: FileLog) -> NDArray[np.object_] | None:
    """Shapes whose eastings agree with the zone of the CRS named; None = a problem with figures was logged."""
    meridian, shapes = meridian_of(named), found.shapes
    name = crs_module.crs_name(named)
    if not _transverse(named):
        return shapes
    for zone in sorted(set(found.zones.tolist()) - {NO_EASTING}):
        mine = found.zones == zone
        if (meridian is None and zone == NO_ZONE) or (meridian is not None and zone == meridian.zone):
            continue
        sample = f"{found.x[mine][0]:.3f}"
        if meridian is not None and (zone == NO_ZONE or central_meridian(zone) == meridian.degrees):
            shapes = _shifted(shapes, mine, (meridian.zone - zone) * 1e6)
            words = (f"横坐标带带号 {zone}，坐标系 {name} 不带带号，已去掉带号" if not meridian.zone else
                     f"横坐标{f'带带号 {zone}' if zone else '没有带号'}，坐标系 {name} 的带号是 {meridian.zone}，已按坐标系改正")
            log.rows(found.rows[mine], "geometry", sample, "repaired", words, "核对坐标系")
            continue
        other = crs_module.read_crs(zone_epsg(zone))
        by_number = found.inside(mine, other)
        by_name = 0.0 if meridian is None else found.inside(mine, named, (meridian.zone - zone) * 1e6)
        figures = f"横坐标 {sample} 的带号是 {zone}（中央经线 {central_meridian(zone):g}°），坐标系却是 {name}"
        if by_number > _MOST > by_name and not named.is_bound:
            shapes = _moved(shapes, mine, other, named)
            log.rows(found.rows[mine], "crs", sample, "repaired",
                     f"{figures}；按带号 {100 * by_number:.0f} % 落在规划范围内，按坐标系 {100 * by_name:.0f} %，采用带号",
                     "改正坐标系")
        elif meridian is not None and by_name > _MOST > by_number:
            shapes = _shifted(shapes, mine, (meridian.zone - zone) * 1e6)
            log.rows(found.rows[mine], "crs", sample, "repaired",
                     f"{figures}；按坐标系 {100 * by_name:.0f} % 落在规划范围内，按带号 {100 * by_number:.0f} %，采用坐标系",
                     "改正带号")
        else:
            shares = "" if found.box is None else f"；按带号 {100 * by_number:.0f} %、按坐标系 {100 * by_name:.0f} % 落在规划范围内"
            log.problem(f"{figures}{shares}，定不了", f"核对后写明 crs，例如 EPSG:{zone_epsg(zone)}", "crs")
            return None
    return shapes


def note_other_zone(x: Floats, y: Floats, named: pyproj.CRS, box: Box | None, log: FileLog) -> None:
    """A note when a CRS puts no row in the study area, and another 3-degree zone would."""
    meridian = meridian_of(named)
    if box is None or meridian is None or not len(x) or share_inside(x, y, named, box) > 0.0:
        return
    plain = x - meridian.zone * 1e6
    code = zone_that_fits(plain, y, box)
    if code and share_inside(plain, y, pyproj.CRS.from_epsg(code), box) > _MOST:
        log.line("", "crs", crs_module.crs_name(named), "note",
                 f"按 {crs_module.crs_name(named)} 全部落在规划范围外，按 EPSG:{code} 会落在规划范围内", f"坐标系写错时改为 EPSG:{code}")
