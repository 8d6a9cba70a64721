"""Buildings: use and height of every one; remnants of drawing refused, doubtful heights and double footprints told."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import pandas as pd
import shapely
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from siteplan.input_ledger import InputLedger
from siteplan.layers.file_log import FileLog
from siteplan.layers.formats.raw_table import RawTable
from siteplan.schema import layer_schema, match_columns

NAMES = ("buildings",)
ADDED = {"height_source": "str"}
LEAST_AREA_M2 = 0.1
"""A smaller footprint is a remnant of drawing, m2 (design choice; real files hold kiosks and shafts from 0.2 m2)."""
LEAST_WIDTH_M = 0.3
"""A long footprint that is narrower is a sliver, m: twice its area by its perimeter (design choice: about a wall)."""
_LONG = 60.0
"""Square of the perimeter by the area from which a footprint is long; 16 of a square, 48 of 1 : 10."""
STOREY_RANGE_M = (2.0, 7.0)
"""Usual height of a storey, m; heights of many buildings beyond it speak for another unit."""
_UNITS = (("英尺", 8.0, 13.0), ("分米", 20.0, 50.0), ("厘米", 200.0, 500.0))
"""Unit that a height divided by the storeys in this range speaks for (storeys of 2.5 to 4 m in that unit)."""
_TALL_MEDIAN_M = 100.0
_OVERLAP = 0.9
"""Two footprints are the same where their common part is this share of each of them."""
_NEAR_M = 2.0
"""Centres of the same footprint are nearer, m."""
_MOST_TOLD = 20
_ABOVE = re.compile(r"(?:地上|地面)?(\d+(?:\.\d+)?)(?:层|f)?((?:[,;/、+]?(?:地下|b)|[,;/、+]-)\d+(?:层|f)?)?")
_LOFT = re.compile(r"(\d+)(?:层|f)?\+(\d)(?:层|f)?")
_STOREY_WORDS = ("地上", "地面", "地下")


def read_storeys(text: str) -> tuple[float, str] | None:
    """Storeys above ground that a text names, and what was done; None when it is a plain number or no storeys at all.

    >>> read_storeys("地上6层地下1层"), read_storeys("6+1"), read_storeys("6/-1"), read_storeys("6层")
    ((6.0, '只取地上层数'), (7.0, '“6+1”按 7 层（跃层）'), (6.0, '只取地上层数'), None)
    """
    plain = re.sub(r"\s", "", unicodedata.normalize("NFKC", text).casefold())
    loft = _LOFT.fullmatch(plain)
    if loft:
        total = float(loft[1]) + float(loft[2])
        return total, f"“{plain}”按 {total:g} 层（跃层）"
    found = _ABOVE.fullmatch(plain)
    if found and (found[2] or any(word in plain for word in _STOREY_WORDS)):
        return float(found[1]), "只取地上层数"
    return None


def plain_storeys(raw: RawTable, named: Mapping[str, str], log: FileLog) -> RawTable:
    """Texts such as 地上6层地下1层 in the columns of storeys made plain numbers, a line per row."""
    spec = layer_schema(log.layer).fields["storeys"]
    columns = [str(column) for column in raw.frame.columns]
    own = match_columns(columns, [spec], named).columns.get("storeys")
    chosen = [column for column in columns if column == own or "层" in column]
    frame = raw.frame
    for column in chosen:
        cells = frame[column]
        if pd.api.types.is_numeric_dtype(cells.dtype):
            continue
        codes, texts = pd.factorize(cells.to_numpy(dtype=object))
        read = [read_storeys(text) if isinstance(text, str) else None for text in texts]
        for number, found in enumerate(read):
            if found is not None:
                mine = codes == number
                log.each(raw.rows[mine], "storeys", [texts[number]] * int(mine.sum()), "repaired", found[1], "核对层数")
        new = [text if found is None else f"{found[0]:g}" for text, found in zip(texts, read, strict=True)]
        if any(found is not None for found in read):
            values = np.array([*new, None], dtype=object)[codes]
            frame = frame.assign(**{column: pd.Series(values, index=frame.index, dtype=object)})
    return replace(raw, frame=frame)


def prepare(raw: RawTable, columns: Mapping[str, str], log: FileLog) -> RawTable:
    """Storeys as plain numbers."""
    return plain_storeys(raw, columns, log)


def complete(table: pd.DataFrame, shapes: NDArray[np.object_], log: FileLog) -> tuple[pd.DataFrame, NDArray[np.bool_]]:
    """Fill ``use`` (other) and ``height_m`` (storeys, else a default by use); ``height_source`` says which.

    Footprints smaller than `LEAST_AREA_M2` or narrower than `LEAST_WIDTH_M` are refused: one of them would raise a
    whole pixel of the surface.
    """
    rows = table["source_row"].to_numpy(dtype=object)
    refused = _slivers(shapes, log, rows)
    good = ~refused
    _doubt_heights(table[good], log)
    defaults = layer_schema("buildings").defaults
    unknown = table["use"].isna().to_numpy()
    log.rows(rows[unknown & good], "use", "other", "assumed", "没有用途，按其他", "有用途时补填")
    use = table["use"].fillna("other")
    words = use.to_numpy(dtype=object)
    measured = table["height_m"].notna().to_numpy()
    counted = ~measured & table["storeys"].notna().to_numpy()
    height = table["height_m"].where(measured, table["storeys"] * use.map(dict(defaults["storey_m"])).astype("float64"))
    for name, metres in defaults["storey_m"].items():
        mine = counted & (words == name)
        log.rows(rows[mine & good], "height_m", f"层数×{metres:g}", "assumed", f"没有高度，按层数乘 {metres:g} m（{_use_zh(name)}）",
                 "有实测高度时补填")
    for name, metres in defaults["height_m"].items():
        mine = ~measured & ~counted & (words == name)
        height = height.where(~mine, metres)
        log.rows(rows[mine & good], "height_m", metres, "assumed",
                 f"没有高度和层数，按 {metres:g} m（{_use_zh(name)}）", "补测高度或层数")
    source = np.where(measured, "measured", np.where(counted, "storeys", "default"))
    return table.assign(use=use, height_m=height.clip(lower=2.0), height_source=pd.Series(source, index=table.index,
                                                                                         dtype="str")), refused


def _use_zh(use: str) -> str:
    words = layer_schema("buildings").fields["use"].values.get(use, ())
    return next((word for word in words if not word.isascii()), "其他")


def _slivers(shapes: NDArray[np.object_], log: FileLog, rows: NDArray[np.object_]) -> NDArray[np.bool_]:
    area = shapely.area(shapes)
    tiny = area < LEAST_AREA_M2
    log.each(rows[tiny], "geometry", [f"{value:.3f} m²" for value in area[tiny]], "refused",
             f"面积不足 {LEAST_AREA_M2:g} m²，是绘图残余，不是建筑", "需要保留时核对图形")
    edge = np.maximum(shapely.length(shapes), 1e-9)
    width = 2.0 * area / edge
    thin = ~tiny & (width < LEAST_WIDTH_M) & (edge * edge > _LONG * area)
    log.each(rows[thin], "geometry", [f"{value:.2f} m" for value in width[thin]], "refused",
             f"狭长碎片，平均宽度不足 {LEAST_WIDTH_M:g} m，不是建筑", "需要保留时核对图形")
    return np.asarray(tiny | thin)


def _doubt_heights(table: pd.DataFrame, log: FileLog) -> None:
    """Notes where heights look like feet, decimetres or centimetres, or do not fit the storeys."""
    both = (table["height_m"].notna() & table["storeys"].notna()).to_numpy()
    rows = table["source_row"].to_numpy(dtype=object)
    if both.any():
        ratio = (table["height_m"] / table["storeys"]).to_numpy(dtype=float)
        low, high = STOREY_RANGE_M
        typical = float(np.median(ratio[both]))
        unit = next((name for name, least, most in _UNITS if least <= typical <= most), "")
        if not low <= typical <= high:
            log.line("", "height_m", f"高度÷层数 = {typical:.2f}（中位数，{int(both.sum())} 栋）", "note",
                     f"每层高度不在 {low:g} 至 {high:g} m 之内" + (f"，高度的单位可能是{unit}" if unit else "，单位可能不是米"),
                     "核对高度的单位，单位写进列名，例如 高度(ft)")
            return
        with np.errstate(invalid="ignore"):
            odd = both & ((ratio < low) | (ratio > high))
        log.rows(rows[odd], "height_m", "、".join(f"{row}: {value:.1f}" for row, value in zip(
            rows[odd][:_MOST_TOLD], ratio[odd][:_MOST_TOLD], strict=True)), "note",
            f"高度除以层数不在 {low:g} 至 {high:g} m 之内，按高度计算", "核对高度和层数")
        return
    given = table["height_m"].dropna()
    if len(given) and float(given.median()) > _TALL_MEDIAN_M:
        log.line("", "height_m", f"{given.median():.0f}（中位数，{len(given)} 栋）", "note",
                 f"一半以上的建筑高于 {_TALL_MEDIAN_M:g} m，单位可能不是米", "核对高度的单位，单位写进列名，例如 高度(ft)")


def same_footprints(shapes: NDArray[np.object_]) -> NDArray[np.int_]:
    """Pairs of footprints of which each covers at least 90 % of the other.

    Parameters
    ----------
    shapes : ndarray of polygon

    Returns
    -------
    ndarray of int, shape (n, 2)
        Positions, the earlier first, in order. Of footprints drawn more than twice, each is paired with the first.

    Notes
    -----
    Such footprints have their centres within 2 m of each other; those are found on four shifted grids of 4 m, so that
    a million buildings cost about two seconds.

    Examples
    --------
    >>> shapes = np.array([shapely.box(0, 0, 9, 9), shapely.box(20, 0, 29, 9), shapely.box(0, 0, 9, 9.1)])
    >>> same_footprints(shapes).tolist()
    [[0, 2]]
    """
    centre = shapely.get_coordinates(shapely.centroid(shapes))
    crowded = np.zeros(len(shapes), dtype=bool)
    for shift in ((0, 0), (0, _NEAR_M), (_NEAR_M, 0), (_NEAR_M, _NEAR_M)):
        cell = np.floor((centre + shift) / (2.0 * _NEAR_M)).astype(np.int64)
        crowded |= pd.Series(cell[:, 0] * 100_000_007 + cell[:, 1]).duplicated(keep=False).to_numpy()
    place = np.flatnonzero(crowded)
    if not len(place):
        return np.empty((0, 2), dtype=int)
    exact = pd.DataFrame(np.round(np.column_stack([centre[place], shapely.area(shapes[place])]), 2))
    first = exact.assign(row=np.arange(len(exact))).groupby([0, 1, 2], sort=False)["row"].transform("min").to_numpy()
    pairs = {(int(place[head]), int(place[tail])) for tail, head in enumerate(first) if head != tail}
    heads = place[np.unique(first)]
    size = 10.0 * np.log(np.maximum(shapely.area(shapes[heads]), 1e-6))  # areas of the same footprint: 1.1 apart
    spot = np.column_stack([centre[heads], size])
    _, near = cKDTree(spot).query(spot, k=min(5, len(heads)), distance_upper_bound=1.2 * _NEAR_M)
    near = near.reshape(len(heads), -1)
    left, right = np.repeat(np.arange(len(heads)), near.shape[1]), near.ravel()
    kept = (right < len(heads)) & (left < right)
    one, two = heads[left[kept]], heads[np.minimum(right, len(heads) - 1)[kept]]
    common = shapely.area(shapely.intersection(shapes[one], shapes[two]))
    same = common >= _OVERLAP * np.maximum(shapely.area(shapes[one]), shapely.area(shapes[two]))
    pairs |= {(int(a), int(b)) for a, b in zip(one[same], two[same], strict=True)}
    return np.array(sorted(pairs), dtype=int).reshape(-1, 2)


def review(table: pd.DataFrame, shapes: NDArray[np.object_], ledger: InputLedger) -> None:
    """Footprints drawn twice, in one file or in several: one note per file, with the first pairs of rows."""
    pairs = same_footprints(shapes)
    if not len(pairs):
        return
    files, rows = table["source_file"].to_numpy(dtype=object), table["source_row"].to_numpy(dtype=object)
    later = pairs[:, 1]
    for file in dict.fromkeys(files[later]):
        mine = pairs[files[later] == file]
        told = "、".join(f"{rows[two]}={rows[one]}" + (f"（{files[one]}）" if files[one] != file else "")
                        for one, two in mine[:_MOST_TOLD])
        count = len(np.unique(mine[:, 1]))
        ledger.add("buildings", str(file), str(rows[mine[0, 1]]) if count == 1 else f"共 {count} 行", "geometry", told,
                   "note", f"轮廓与另一栋重合 {_OVERLAP:.0%} 以上，可能重复；都保留，高度取较高者，建筑面积会重复计算", "删去重复的建筑")
