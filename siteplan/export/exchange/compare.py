"""A layer held against what was read back from its file: every row, name, type, value, shape, and the CRS."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

import geopandas as gpd
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyproj
import shapely
from numpy.typing import NDArray

from siteplan.errors import ExportError, Problem
from siteplan.export.exchange.formats.registry import Kept
from siteplan.export.exchange.out_layer import OutLayer
from siteplan.profiles import ProfileField

METRES_PER_DEGREE = 111_000.0
"""Metres of a degree of latitude, by which a way in metres is told in degrees."""
REMEDY = "文件未按原样写成:检查磁盘空间和写权限后重新导出;仍不行则换一种格式"
_SHOWN = 3
_LOOSE = 1e-6
"""Relative room of floats where a format does not keep their decimals."""
_TYPES_ZH = {"text": "文本", "int": "整数", "float": "小数", "date": "日期"}
Mask = NDArray[np.bool_]


class _Fault(NamedTuple):
    """A difference: the rows that are named, the field, and the words for it."""

    rows: str
    field: str
    words: str


def differences(layer: OutLayer, read: gpd.GeoDataFrame, kept: Kept) -> list[str]:
    """What a file says differently from the layer that was written into it.

    Rows are matched by their order where the keys stand in the same order, else by key. Text is compared exactly, an
    empty one counts as missing; floats at the decimals of their field; dates by the day; coordinates within
    ``kept.geometry_m``, whichever way rings run and in whatever order parts come. Where ``kept.types`` is false, a
    text that says the same number or day counts as equal.

    Parameters
    ----------
    layer : OutLayer
    read : GeoDataFrame
        The layer as it was read back.
    kept : Kept
        What the format keeps.

    Returns
    -------
    list of str
        A sentence for each field that differs, with the first few rows, the written and the read value; empty when
        all is equal.

    Examples
    --------
    >>> from siteplan.profiles import Profile, ProfileField
    >>> profile = Profile("p", "点", "sites", "p", "Point", "BH", (ProfileField("BH", "编号", "编号", "text", 9),))
    >>> table = gpd.GeoDataFrame({"BH": ["甲", "乙"]}, geometry=gpd.points_from_xy([0, 1], [0, 0]), crs=4547)
    >>> differences(OutLayer(profile, "p", table), table, Kept())
    []
    >>> moved = table.set_geometry(table.translate(0.002))
    >>> differences(OutLayer(profile, "p", table), moved, Kept())
    ['geometry / 甲、乙: 坐标相差最多 0.002 米']
    """
    return [": ".join(part for part in (" / ".join(filter(None, (fault.field, fault.rows))), fault.words) if part)
            for fault in _faults(layer, read, kept)]


def check_read_back(layer: OutLayer, read: gpd.GeoDataFrame, kept: Kept, file: str) -> None:
    """Compare a layer with what was read back from its file (see `differences`).

    Raises
    ------
    ExportError
        They are not equal; every difference is listed with layer, file, row and field.
    """
    problems = [Problem(layer.name, file, fault.rows, fault.field, fault.words, REMEDY)
                for fault in _faults(layer, read, kept)]
    if problems:
        raise ExportError(f"{file} 读回检查未通过:", problems)


def key_column(layer: OutLayer) -> str:
    """Name, in the table, of the field that tells rows apart; columns stand in the order of the fields.

    >>> from siteplan.profiles import Profile, ProfileField
    >>> profile = Profile("p", "点", "sites", "p", "Point", "BH", (ProfileField("BH", "编号", "编号", "text", 9),))
    >>> key_column(OutLayer(profile, "p", gpd.GeoDataFrame({"编号": ["甲"]}, geometry=[None])))
    '编号'
    """
    place = [field.name for field in layer.profile.fields].index(layer.profile.key)
    return str(layer.table.columns[place])


def _faults(layer: OutLayer, read: gpd.GeoDataFrame, kept: Kept) -> Iterator[_Fault]:
    written = layer.table
    shape = written.geometry.name
    fields = {str(name): field for name, field in zip(written.columns.drop(shape), layer.profile.fields, strict=True)
              if kept.fields is None or str(name) in kept.fields}
    has_shape = isinstance(read, gpd.GeoDataFrame) and read.active_geometry_name is not None
    here = [name for name in read.columns if not has_shape or name != read.active_geometry_name]
    for name in fields:
        if name not in here:
            yield _Fault("", name, "读回时缺少这个字段")
    for name in here:
        if name not in written.columns:
            yield _Fault("", str(name), "读回时多出这个字段")
    if len(read) != len(written):
        yield _Fault("", "", f"写出 {len(written)} 行,读回 {len(read)} 行")
    key = key_column(layer)
    rows, faults = _matched(written[key], read[key] if key in here else None, len(read), key)
    yield from faults
    if rows is None:
        return
    left, right = (table if part is None else table.iloc[part]
                   for table, part in zip((written, read), rows, strict=True))
    labels = _texts(left[key])
    for name, field in fields.items():
        if name in here:
            yield from _field_faults(field, left[name], right[name], kept, labels)
    if kept.geometry_m < np.inf and layer.profile.geometry in kept.kinds:
        if not has_shape:
            yield _Fault("", "geometry", "读回时没有几何")
        else:
            yield from _shape_faults(left.geometry, right.geometry, kept, labels)
    if kept.crs and layer.profile.geometry in kept.kinds:
        yield from _crs_faults(written.crs, read.crs if has_shape else None)


Part = NDArray[np.intp] | None


def _matched(written: pd.Series, read: pd.Series | None, count: int,
             key: str) -> tuple[tuple[Part, Part] | None, list[_Fault]]:
    """Rows of both tables that belong together (None = all, in order); no pair of parts where they cannot be told."""
    if read is None:
        return ((None, None) if count == len(written) else None), []
    here, there = _texts(written), _texts(read)
    if len(here) == len(there) and not _unequal(here, there).any():
        return (None, None), []
    one, other = pd.Index(here.to_numpy(zero_copy_only=False)), pd.Index(there.to_numpy(zero_copy_only=False))
    faults = []
    for words, names in (("读回时缺少这些行", one.difference(other)), ("读回时多出这些行", other.difference(one))):
        if len(names):
            faults.append(_Fault(_listed(list(names)), key, words))
    if not (one.is_unique and other.is_unique):
        twice = other[other.duplicated()].unique()
        if len(twice):
            faults.append(_Fault(_listed(list(twice)), key, "读回时编号重复"))
        return ((None, None) if len(one) == len(other) else None), faults
    both = one.intersection(other, sort=False)
    return (one.get_indexer(both), other.get_indexer(both)), faults


def _listed(names: Sequence[Any]) -> str:
    """The first few, and how many there are."""
    first = "、".join("(空)" if name is None or name == "" else str(name) for name in names[:_SHOWN])
    return first + (f"等{len(names)}行" if len(names) > _SHOWN else "")


def _texts(values: pd.Series) -> Any:
    """A column as an Arrow array of texts; missing ones are empty."""
    array = pa.array(values, from_pandas=True)
    array = array.combine_chunks() if isinstance(array, pa.ChunkedArray) else array
    if not (pa.types.is_string(array.type) or pa.types.is_large_string(array.type)):
        array = pa.array([None if value is None else str(value) for value in array.to_pylist()], pa.string())
    return pc.fill_null(array.cast(pa.large_string()), "")


def _unequal(here: Any, there: Any) -> Mask:
    return np.asarray(pc.not_equal(here, there).to_numpy(zero_copy_only=False), dtype=bool)


def _field_faults(field: ProfileField, written: pd.Series, read: pd.Series, kept: Kept,
                  labels: Any) -> Iterator[_Fault]:
    """Type and values of one field."""
    if kept.types and not _TYPED[field.type](read):
        yield _Fault("", str(written.name), f"应为{_TYPES_ZH[field.type]},读回的类型是 {read.dtype}")
    bad = np.flatnonzero(_DIFFER[field.type](field, written, read, kept))
    if len(bad):
        shown = ";".join(f"写出{_quoted(written.iloc[row])},读回{_quoted(read.iloc[row])}" for row in bad[:_SHOWN])
        names = labels.take(pa.array(bad)).to_pylist()
        yield _Fault(_listed(names), str(written.name), shown)


def _quoted(value: Any) -> str:
    if pd.isna(value) or value == "":
        return "空"
    return f"“{float(value)!r}”" if isinstance(value, float) else f"“{value}”"


def _is_text(values: pd.Series) -> bool:
    return bool(pd.api.types.is_string_dtype(values) or not values.notna().any())


def _is_int(values: pd.Series) -> bool:
    if pd.api.types.is_integer_dtype(values) or not values.notna().any():
        return True
    return bool(pd.api.types.is_float_dtype(values) and (values.dropna() % 1 == 0).all())


def _is_number(values: pd.Series) -> bool:
    return bool((pd.api.types.is_numeric_dtype(values) and not pd.api.types.is_bool_dtype(values))
                or not values.notna().any())


def _is_date(values: pd.Series) -> bool:
    return bool(pd.api.types.is_datetime64_any_dtype(values) or not values.notna().any()
                or pd.api.types.infer_dtype(values, skipna=True) in ("date", "datetime"))


_TYPED: dict[str, Callable[[pd.Series], bool]] = {"text": _is_text, "int": _is_int, "float": _is_number,
                                                  "date": _is_date}


def _text_differs(_: ProfileField, written: pd.Series, read: pd.Series, __: Kept) -> Mask:
    return _unequal(_texts(written), _texts(read))


def _int_differs(_: ProfileField, written: pd.Series, read: pd.Series, __: Kept) -> Mask:
    """Whole numbers digit by digit: a float holds those above 2^53 no more."""
    whole = pa.array(written.astype("Int64"), from_pandas=True)
    if pd.api.types.is_integer_dtype(read):
        return _unequal_numbers(whole, pa.array(read.astype("Int64"), from_pandas=True))
    bad = _unequal(pc.fill_null(whole.cast(pa.large_string()), ""), _texts(read))
    rows = np.flatnonzero(bad)
    number = pd.to_numeric(read.iloc[rows], errors="coerce").to_numpy(dtype="float64", na_value=np.nan)
    asked = written.iloc[rows].to_numpy(dtype="float64", na_value=np.nan)
    small = np.abs(asked) < 2.0**53
    empty = np.isnan(asked) & read.iloc[rows].isna().to_numpy()
    bad[rows] = ~(((asked == number) & small) | empty)
    return bad


def _unequal_numbers(here: Any, there: Any) -> Mask:
    same = pc.fill_null(pc.equal(here, there), False)
    both = pc.and_(pc.is_null(here), pc.is_null(there))
    return ~np.asarray(pc.or_(same, both).to_numpy(zero_copy_only=False), dtype=bool)


def _float_differs(field: ProfileField, written: pd.Series, read: pd.Series, kept: Kept) -> Mask:
    here = written.to_numpy(dtype="float64", na_value=np.nan)
    empty = _nothing(read)
    number = read if pd.api.types.is_numeric_dtype(read) else pd.to_numeric(read.where(~empty), errors="coerce")
    there = number.to_numpy(dtype="float64", na_value=np.nan)
    if kept.numbers:
        with np.errstate(invalid="ignore"):
            apart = np.abs(np.round(here, field.decimals) - np.round(there, field.decimals))
        same = apart < 0.5 * 10.0**-field.decimals
    else:
        same = np.isclose(here, there, rtol=_LOOSE, atol=0.5 * 10.0**-field.decimals)
    return np.asarray(~(same | (here == there) | (np.isnan(here) & empty)), dtype=bool)


def _nothing(read: pd.Series) -> Mask:
    """Where nothing was read: missing, or an empty text."""
    missing = read.isna().to_numpy()
    if pd.api.types.is_numeric_dtype(read) or pd.api.types.is_datetime64_any_dtype(read):
        return np.asarray(missing, dtype=bool)
    return np.asarray(missing | (read == "").fillna(False).to_numpy(dtype=bool), dtype=bool)


def _date_differs(_: ProfileField, written: pd.Series, read: pd.Series, __: Kept) -> Mask:
    empty = _nothing(read)
    days = read if pd.api.types.is_datetime64_any_dtype(read) else pd.to_datetime(
        read.where(~empty).astype("object"), errors="coerce", format="ISO8601")
    if getattr(days.dt, "tz", None) is not None:
        days = days.dt.tz_localize(None)
    here = written.to_numpy(dtype="datetime64[s]")
    there = days.to_numpy(dtype="datetime64[ns]")
    return np.asarray(~((here == there) | (np.isnat(here) & empty)), dtype=bool)


_DIFFER: dict[str, Callable[[ProfileField, pd.Series, pd.Series, Kept], Mask]] = {
    "text": _text_differs, "int": _int_differs, "float": _float_differs, "date": _date_differs}


def _shape_faults(written: gpd.GeoSeries, read: gpd.GeoSeries, kept: Kept, labels: Any) -> Iterator[_Fault]:
    degrees = written.crs is not None and written.crs.is_geographic
    room = kept.geometry_m / (METRES_PER_DEGREE if degrees else 1.0)
    here, there = written.to_numpy(), read.to_numpy()
    bad = np.flatnonzero(_moved(here, there, room))
    if not len(bad):
        return
    names = _listed(labels.take(pa.array(bad)).to_pylist())
    kinds = [f"写出 {_kind(here[row])},读回 {_kind(there[row])}" for row in bad[:_SHOWN]
             if _kind(here[row]).removeprefix("Multi") != _kind(there[row]).removeprefix("Multi")]
    if kinds:
        yield _Fault(names, "geometry", ";".join(kinds))
        return
    corners = [f"写出 {shapely.get_num_coordinates(here[row])} 点,读回 {shapely.get_num_coordinates(there[row])} 点"
               for row in bad[:_SHOWN]
               if shapely.get_num_coordinates(here[row]) != shapely.get_num_coordinates(there[row])]
    if corners:
        yield _Fault(names, "geometry", ";".join(corners))
        return
    way = float(np.nanmax(_way(here[bad], there[bad])))
    yield _Fault(names, "geometry", f"坐标相差最多 {way:.3g} {'度' if degrees else '米'}" if way > room
                 else "形状或高程不一致")


def _kind(shape: Any) -> str:
    return "空" if shape is None or shape.is_empty else str(shape.geom_type)


def _way(here: NDArray[Any], there: NDArray[Any]) -> NDArray[np.float64]:
    """Greatest distance between corners of one shape and those of the other."""
    cloud = [shapely.multipoints(shapely.get_coordinates(shape)) for shape in here]
    other = [shapely.multipoints(shapely.get_coordinates(shape)) for shape in there]
    return np.asarray(shapely.hausdorff_distance(np.array(cloud, dtype=object), np.array(other, dtype=object)),
                      dtype=float)


def _moved(here: NDArray[Any], there: NDArray[Any], room: float) -> Mask:
    """Where shapes are not the same within a way; the order of parts, and how rings run, say nothing."""
    nothing, none = (shapely.is_missing(shapes) | shapely.is_empty(shapes) for shapes in (here, there))
    bad = ~(shapely.equals_exact(here, there, room) | (nothing & none))
    left = np.flatnonzero(bad & ~nothing & ~none)
    for ordered in (shapely.orient_polygons, lambda shapes: shapely.normalize(shapely.orient_polygons(shapes))):
        if len(left):
            same = shapely.equals_exact(ordered(_single(here[left])), ordered(_single(there[left])), room)
            bad[left[same]] = False
            left = left[~same]
    for row in left:
        bad[row] = not _same_corners(here[row], there[row], room)
    return bad | _height_lost(here, there, room)


def _single(shapes: NDArray[Any]) -> NDArray[Any]:
    """Multi shapes of one part as that part."""
    multi = (shapely.get_type_id(shapes) >= shapely.GeometryType.MULTIPOINT) & (
        shapely.get_num_geometries(shapes) == 1)
    return np.where(multi, shapely.get_geometry(shapes, 0), shapes) if multi.any() else shapes


def _same_corners(here: Any, there: Any, room: float) -> bool:
    """Shapes whose parts or corners come in another order: the same corners, length and area.

    Sorting is no help where two coordinates are nearer to each other than the way that they may move.
    """
    if _kind(here).removeprefix("Multi") != _kind(there).removeprefix("Multi"):
        return False
    count = shapely.get_num_coordinates(here)
    if count != shapely.get_num_coordinates(there):
        return False
    one, other = np.array([here], dtype=object), np.array([there], dtype=object)
    return bool(_way(one, other)[0] <= room * np.sqrt(2) and abs(here.length - there.length) <= 4 * room * count
                and abs(here.area - there.area) <= 2 * room * (here.length + there.length))


def _height_lost(here: NDArray[Any], there: NDArray[Any], room: float) -> Mask:
    """Where heights of corners were written and did not come back."""
    bad = np.zeros(len(here), dtype=bool)
    for row in np.flatnonzero(shapely.has_z(here)):
        one, other = (np.sort(shapely.get_coordinates(shape, include_z=True)[:, 2])
                      for shape in (here[row], there[row]))
        bad[row] = len(one) != len(other) or not np.allclose(one, other, rtol=0, atol=room, equal_nan=True)
    return bad


def _crs_faults(written: pyproj.CRS | None, read: pyproj.CRS | None) -> Iterator[_Fault]:
    if written is None:
        return
    if read is None:
        yield _Fault("", "", f"坐标系 {written.name} 没有读回")
        return
    here, there = written.to_epsg(20), read.to_epsg(20)
    same = here == there if here is not None else written.equals(read, ignore_axis_order=True)
    if not same:
        yield _Fault("", "", f"坐标系写出 {written.name}(EPSG:{here}),读回 {read.name}(EPSG:{there})")
