"""How one file lies against its reference: the finding, and what it says to a planner."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

LEAST_SHIFT_M = 25.0
"""A smaller shift is not told: footprints, entrances and pixels differ by as much."""
SAME_SHIFT_M = 40.0
"""Shifts no farther apart count as one."""
DATUM_ZH = {"wgs84": "WGS84", "gcj02": "GCJ-02", "bd09": "BD-09"}
REFERENCE_ZH = {"buildings": "建筑", "heights": "建筑（高度栅格）", "roads": "道路"}


def same_shift(one: tuple[float, float], other: tuple[float, float]) -> bool:
    """Whether two shifts (east, north, m) are one within `SAME_SHIFT_M`.

    >>> same_shift((0.0, -57.0), (10.0, -60.0)), same_shift((0.0, -57.0), (0.0, 0.0))
    (True, False)
    """
    return float(np.hypot(one[0] - other[0], one[1] - other[1])) <= SAME_SHIFT_M


@dataclass(frozen=True)
class Alignment:
    """How one file lies against its reference.

    Attributes
    ----------
    layer, file : str
    against : str
        Layer it was laid against: ``buildings``, ``heights`` or ``roads``.
    measure : str
        What the shares are shares of, in Chinese.
    points : int
        Points (or pixels) where the reference is known, with the file as it lies.
    share_here, share_best : float
        Share that fits as the file lies, and at the best shift, 0..1; of rasters the agreement (0.5 = none).
    east_m, north_m : float
        Shift within 800 m that, added to the whole file, makes it fit best; 0 where no other share is greater.
        (A datum moves every point for itself, so its share may be greater still; BD-09 lies beyond 800 m.)
    share_gcj02, share_bd09 : float
        Share if its coordinates were GCJ-02 or BD-09; NaN outside China.
    verdict : {"fits", "gcj02", "bd09", "not_gcj02", "shifted", "unclear"}
        ``not_gcj02``: a datum is declared (GCJ-02 or BD-09), yet the file fits as WGS 84.
    score : ndarray of float32, (north, east)
        Share by shift, both from -800 m to 800 m in steps of `step_m`; NaN = not known.
    step_m : float
    datum : str
        Datum as declared; ``wgs84`` when none is.
    share_wgs84 : float
        Share if its coordinates were WGS 84 (or CGCS2000).
    gcj02_m : (float, float)
        Shift (east, north, m) that the file would need here if it were GCJ-02; (0, 0) when it is declared so, and
        outside China.
    """

    layer: str
    file: str
    against: str
    measure: str
    points: int
    share_here: float
    share_best: float
    east_m: float
    north_m: float
    share_gcj02: float
    share_bd09: float
    verdict: str
    score: NDArray[np.float32]
    step_m: float
    datum: str
    share_wgs84: float
    gcj02_m: tuple[float, float]

    @property
    def suspected(self) -> bool:
        """Whether something speaks against the coordinates."""
        return self.verdict not in ("fits", "unclear")

    @property
    def reference_gcj02(self) -> bool:
        """Whether the file would fit if the reference, not the file, were GCJ-02."""
        size = float(np.hypot(*self.gcj02_m))
        return self.verdict == "shifted" and size > 4.0 * LEAST_SHIFT_M and same_shift(
            (self.east_m, self.north_m), (-self.gcj02_m[0], -self.gcj02_m[1]))

    @property
    def doubt(self) -> str:
        """What speaks against the coordinates, a Chinese sentence with the figures; empty when nothing does."""
        if not self.suspected:
            return ""
        figures = f"{self.measure}：按现坐标 {self.share_here:.1%}"
        shares = {"wgs84": self.share_wgs84, "gcj02": self.share_gcj02, "bd09": self.share_bd09}
        figures += "".join(f"，若为 {DATUM_ZH[datum]} {share:.1%}" for datum, share in shares.items()
                           if datum != self.datum and np.isfinite(share))
        figures += (f"；800 m 内最好的平移是东 {self.east_m:+.0f} m、北 {self.north_m:+.0f} m，{self.share_best:.1%}"
                    f"（{self.points} {'个像元' if self.layer in ('clutter', 'heights') else '个点'}）")
        if self.verdict in ("gcj02", "bd09"):
            return f"坐标像是 {DATUM_ZH[self.verdict]} 而不是 {DATUM_ZH[self.datum]}：{figures}"
        if self.verdict == "not_gcj02":
            return f"写明是 {DATUM_ZH[self.datum]}，但不换算更合：{figures}"
        if self.reference_gcj02:
            return f"像是参照图层（{REFERENCE_ZH[self.against]}）为 GCJ-02，或本文件换算了两次：{figures}"
        return f"位置像是整体偏移了约 {np.hypot(self.east_m, self.north_m):.0f} m：{figures}"

    @property
    def remedy(self) -> str:
        """What the planner may do, in Chinese; empty when nothing speaks against the coordinates."""
        if not self.suspected:
            return ""
        if self.verdict in ("gcj02", "bd09"):
            return f'问明来源；属实就在 [layers.{self.layer}] 写明 datum = "{self.verdict}"（坐标未改动）'
        if self.verdict == "not_gcj02":
            return f'问明来源；属实就把 [layers.{self.layer}] 的 datum 改为 "wgs84"（坐标未改动）'
        if self.reference_gcj02:
            return f'问明两个图层的来源；参照图层是 GCJ-02 就在 [layers.{self.against}] 写明 datum = "gcj02"（坐标未改动）'
        return (f"问明来源的坐标系和椭球；核实确有偏移就在 [layers.{self.layer}] 写 shift_m = [{self.east_m:.0f}, "
                f"{self.north_m:.0f}]；也可能是参照图层偏了（坐标未改动）")
