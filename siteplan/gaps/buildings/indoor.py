"""Indoor coverage: which buildings the macro layer reaches, which lack what they must have, and the filings to come."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd
from numpy.typing import NDArray
from odc.geo.geobox import GeoBox

from siteplan.errors import CrsError, ModelError
from siteplan.gaps.buildings.building_duty import DUTIES, DUTY_ZH, RULE
from siteplan.gaps.buildings.building_standard import load_building_standard
from siteplan.gaps.judging.small_areas import pixel_parts

STATE_ZH = {"reached": "宏站室内已达", "not_reached": "宏站室内未达", "not_assessable": "宏站室内无法判定"}
LIST_COLUMNS = ["rank_no", "name", "use", "rule", "duty", "clause", "need", "has_indoor", "reach", "indoor_probability",
                "known_share", "floor_area_m2", "floor_area_source", "doubtful", "reason"]
FILING_COLUMNS = ["rank_no", "name", "use", "rule", "duty", "clause", "must_build", "must_file", "filing_basis",
                  "filing", "completed_on", "overdue", "overdue_days", "floor_area_m2", "floor_area_source",
                  "storeys", "seats", "town", "unit", "doubtful", "reason"]
_RANK = {("must", "must"): 0, ("should", "should"): 1, ("unknown", "must"): 2, ("unknown", "should"): 3,
         ("none", "none"): 4}
FILED, PENDING, NOT_FILED, BLANK = "已备案", "办理中", "未备案", "未填"


def _weighed(values: NDArray[np.float64], owner: NDArray[np.int64], count: int) -> NDArray[np.float64]:
    return np.asarray(np.bincount(owner, values, count), dtype=np.float64)


def indoor_reach(buildings: gpd.GeoDataFrame, indoor_probability: NDArray[np.floating[Any]] | None, geobox: GeoBox,
                 minimum: float, *, unknown: NDArray[np.bool_] | None = None) -> pd.DataFrame:
    """How far the outdoor sites reach into each building.

    Parameters
    ----------
    buildings : GeoDataFrame
        Polygons in the CRS of the geobox.
    indoor_probability : ndarray, shape (rows, cols), or None
        Probability of coverage inside, NaN where nothing is built or nothing is known; None = not predicted.
    geobox : GeoBox
    minimum : float
        Least mean probability at which a building counts as reached, 0..1 (the study's choice, not the standard's).
    unknown : ndarray of bool, shape (rows, cols), optional
        Where the surface is not known (NaN outdoors); tells it from what is only not built. None: nothing is unknown.

    Returns
    -------
    DataFrame
        On the index of the buildings: ``indoor_probability``, the mean over the built pixels of the footprint, each by
        its exact fraction (NaN = no such pixel); ``known_share`` 0..1 of the footprint on the grid and on known
        surface; ``state``: reached | not_reached | not_assessable. What is unknown is tried both ways: where that
        decides, the building is not assessable.

    Raises
    ------
    CrsError
        Buildings and geobox do not share a CRS.
    ModelError
        An array does not fit the geobox, or ``minimum`` is not within 0..1.

    Examples
    --------
    >>> from shapely import box
    >>> from siteplan.grid import study_geobox
    >>> grid = study_geobox((0.0, 0.0, 30.0, 10.0), "EPSG:4547", 10.0)
    >>> house = gpd.GeoDataFrame(geometry=[box(0, 0, 15, 10)], index=["B1"], crs="EPSG:4547")
    >>> reach = indoor_reach(house, np.array([[0.9, 0.6, np.nan]]), grid, 0.75)
    >>> round(float(reach.loc["B1", "indoor_probability"]), 6), reach.loc["B1", "state"]
    (0.8, 'reached')
    """
    if not 0.0 < minimum <= 1.0:
        raise ModelError(f"minimum {minimum} is not a probability within 0..1")
    if buildings.crs is None or geobox.crs is None or (buildings.crs.to_wkt() != geobox.crs.to_wkt()
                                                       and buildings.crs != geobox.crs.proj):
        raise CrsError(f"buildings are in {buildings.crs}, the raster in {geobox.crs}: bring both into one CRS first")
    count = len(buildings)
    for array in (indoor_probability, unknown):
        if array is not None and array.shape != tuple(geobox.shape):
            raise ModelError(f"array of shape {array.shape} does not fit a geobox of shape {tuple(geobox.shape)}")
    if indoor_probability is None:
        mean, known_share = np.full(count, np.nan), np.zeros(count)
    else:
        shapes = buildings.geometry.to_numpy()
        owner, cell, fraction = pixel_parts(shapes, geobox)
        inside = indoor_probability.ravel()[cell].astype(np.float64)
        built = fraction * ~np.isnan(inside)
        known = fraction if unknown is None else np.where(np.isnan(inside), fraction * ~unknown.ravel()[cell], fraction)
        weight = _weighed(built, owner, count)
        mean = np.divide(_weighed(np.nan_to_num(inside) * built, owner, count), weight,
                         out=np.full(count, np.nan), where=weight > 0)
        area = buildings.geometry.area.to_numpy(np.float64) / abs(geobox.affine.a * geobox.affine.e)
        known_share = np.divide(_weighed(known, owner, count), area, out=np.zeros(count), where=area > 0)
        known_share = np.where(known_share > 1.0 - 1e-6, 1.0, known_share)
    worst, best = mean * known_share, mean * known_share + (1.0 - known_share)
    with np.errstate(invalid="ignore"):
        reached, missed = worst >= minimum - 1e-12, best < minimum - 1e-12
    return pd.DataFrame({
        "indoor_probability": mean, "known_share": known_share,
        "state": pd.Series(np.select([reached, missed], ["reached", "not_reached"], "not_assessable"),
                           index=buildings.index, dtype="str"),
    }, index=buildings.index)


def _column(table: pd.DataFrame, name: str, dtype: str) -> pd.Series:
    """A column, or one of the same type without any value."""
    if name in table:
        return table[name].astype(dtype)
    return pd.Series(pd.NA if dtype == "boolean" else None, index=table.index, dtype=dtype)


def _of_study(table: pd.DataFrame) -> pd.Series:
    """True but for rows known to lie outside the boundary."""
    return _column(table, "inside", "boolean").fillna(True).astype(bool)


def _need(duty: str, at_most: str, has_indoor: object, state: str) -> str:
    """What a building needs, in the words of a list."""
    reach = STATE_ZH[state]
    what = DUTY_ZH[duty] if duty in ("must", "should") else ""
    if duty == "unknown" and at_most != "none":
        what = f"是否{DUTY_ZH[at_most]}不明"
    if not what:
        return reach if has_indoor is not True else f"已有室分,{reach}"
    if has_indoor is True:
        return f"{what}已建" if duty != "unknown" else f"{what},已有室分"
    if has_indoor is False:
        return f"{what}未建,{reach}" if duty != "unknown" else f"{what},无室分,{reach}"
    return f"{what},有无室分未知,{reach}"


def _joined(buildings: pd.DataFrame, duty: pd.DataFrame, reach: pd.DataFrame) -> pd.DataFrame:
    """The columns of a list on the index of the buildings, context left out."""
    for name, other in (("duty", duty), ("reach", reach)):
        if not buildings.index.equals(other.index):
            raise ModelError(f"the table of {name} is not on the index of the buildings")
    table = pd.DataFrame({
        "name": _column(buildings, "name", "str"), "use": _column(buildings, "use", "str"),
        "has_indoor": _column(buildings, "has_indoor", "boolean"), "reach": reach["state"],
        "indoor_probability": reach["indoor_probability"], "known_share": reach["known_share"],
    }, index=buildings.index)
    wanted = ["rule", "duty", "duty_at_most", "clause", "floor_area_m2", "floor_area_source", "doubtful", "reason"]
    return table.join(duty[wanted])[_of_study(buildings).to_numpy()]


def indoor_list(buildings: pd.DataFrame, duty: pd.DataFrame, reach: pd.DataFrame, *,
                without_duty: bool = True) -> pd.DataFrame:
    """Buildings that must or should have indoor infrastructure, and those that the outdoor sites do not reach.

    Parameters
    ----------
    buildings : DataFrame
        The buildings layer; rows with ``inside`` False are context and left out. ``has_indoor`` may be unknown.
    duty : DataFrame
        From `building_duty`, on the same index.
    reach : DataFrame
        From `indoor_reach`, on the same index.
    without_duty : bool
        Buildings of no or unknown duty are listed as well where they are known not to be reached and not known to have
        indoor infrastructure.

    Returns
    -------
    DataFrame
        The columns `LIST_COLUMNS` on the index of the buildings. ``need`` says in Chinese what is there and what is
        not (应建未建,宏站室内未达); ``has_indoor`` stays NA where nothing is given. Ranked: must before should before
        unknown before none; known to have infrastructure last; not reached, not assessable, reached; the larger floor
        area first; ties by id.

    Raises
    ------
    ModelError
        The tables are not on one index.
    """
    table = _joined(buildings, duty, reach)
    built = table["has_indoor"].fillna(False).astype(bool)
    bound = table["duty"].isin(["must", "should"])
    weak = (table["reach"] == "not_reached") & ~built
    table = table[bound | weak] if without_duty else table[bound]
    told = table["has_indoor"].astype("object")
    table = table.assign(need=pd.Series(
        [_need(duty, most, has if isinstance(has, bool) else None, state) for duty, most, has, state
         in zip(table["duty"], table["duty_at_most"], told, table["reach"], strict=True)],
        index=table.index, dtype="str"))
    order = pd.DataFrame({
        "duty": [_RANK[duty, most] for duty, most in zip(table["duty"], table["duty_at_most"], strict=True)],
        "built": table["has_indoor"].fillna(False).astype(bool),
        "reach": table["reach"].map({"not_reached": 0, "not_assessable": 1, "reached": 2}),
        "area": -table["floor_area_m2"].fillna(0.0), "id": table.index.astype("str"),
    }, index=table.index)
    table = table.loc[order.sort_values(list(order.columns), kind="stable").index]
    table["rank_no"] = np.arange(1, len(table) + 1)
    return table[LIST_COLUMNS]


def count_indoor(buildings: pd.DataFrame, duty: pd.DataFrame, reach: pd.DataFrame) -> Mapping[str, Any]:
    """Counts of the buildings inside the boundary by duty, by what they have and by reach, with the rule's name.

    Parameters
    ----------
    buildings, duty, reach : DataFrame
        As `indoor_list` takes them.

    Returns
    -------
    mapping
        ``rule, rule_zh, total``; for each duty its number; for must and should ``*_built, *_not_built,
        *_built_unknown, *_not_reached, *_reach_unknown``; ``doubtful``; ``must_built_least`` and
        ``must_built_most``: the share of those that must which is built, were none or all of the unknown ones built
        (equal where all is known; None where no building must).
    """
    table = _joined(buildings, duty, reach)
    counts: dict[str, Any] = {"rule": RULE, "rule_zh": load_building_standard().zh, "total": len(table)}
    for name in DUTIES:
        mine = table[table["duty"] == name]
        counts[name] = len(mine)
        if name in ("must", "should"):
            counts |= {
                f"{name}_built": int(mine["has_indoor"].fillna(False).sum()),
                f"{name}_not_built": int((~mine["has_indoor"].fillna(True)).sum()),
                f"{name}_built_unknown": int(mine["has_indoor"].isna().sum()),
                f"{name}_not_reached": int((mine["reach"] == "not_reached").sum()),
                f"{name}_reach_unknown": int((mine["reach"] == "not_assessable").sum()),
            }
    counts["doubtful"] = int(table["doubtful"].sum())
    must, built = counts["must"], counts["must_built"]
    counts["must_built_least"] = built / must if must else None
    counts["must_built_most"] = (built + counts["must_built_unknown"]) / must if must else None
    return counts


def _filing_state(text: object) -> str:
    """State of a filing in the list's words; the file's own where it is none of the known ones."""
    if not isinstance(text, str) or not text.strip():
        return BLANK
    words = load_building_standard().filing
    plain = text.strip()
    for state, key in ((FILED, "filed"), (PENDING, "pending"), (NOT_FILED, "not_filed")):
        if plain in words[key]:
            return state
    return plain


def _overdue(must_file: pd.Series, state: pd.Series, done: pd.Series, today: dt.date | None) -> pd.Series:
    """Completed before the day and not filed; NA where one of the three things is not known and could change it."""
    filed = pd.Series(pd.NA, index=state.index, dtype="boolean").mask(state == FILED, True)
    filed = filed.mask(state.isin([NOT_FILED, PENDING]), False)
    past = pd.Series(pd.NA, index=state.index, dtype="boolean")
    if today is not None:
        past = past.mask(done.notna(), done < pd.Timestamp(today))
    return must_file & past & ~filed


def filing_list(planned_buildings: pd.DataFrame, duty: pd.DataFrame, *, today: dt.date | None = None) -> pd.DataFrame:
    """Planned buildings and the acceptance filing of their communication facilities (竣工通信设施验收备案).

    Parameters
    ----------
    planned_buildings : DataFrame
        The planned buildings layer; ``town`` and ``unit`` (or ``unit_code``) are carried over where given, rows with
        ``inside`` False are left out.
    duty : DataFrame
        From `building_duty` for the same table.
    today : date, optional
        The day of the list; without it nothing is judged overdue or not.

    Returns
    -------
    DataFrame
        The columns `FILING_COLUMNS` on the index of the planned buildings. ``must_build``: what the standard asks for,
        Chinese; ``must_file``: True for buildings that must be equipped and for housing (the filing scheme names
        housing), False where no duty is, NA where it is not known or only advisable, ``filing_basis`` says by what;
        ``filing``: 已备案 | 办理中 | 未备案 | 未填, or the file's own words; ``overdue``: completed before ``today``,
        must be filed and is not; NA where that is not known; ``overdue_days`` NA unless overdue. Ranked: overdue,
        possibly overdue, the rest; the day of completion; ties by id.

    Raises
    ------
    ModelError
        The tables are not on one index.
    """
    if not planned_buildings.index.equals(duty.index):
        raise ModelError("the table of duty is not on the index of the planned buildings")
    standard = load_building_standard()
    housing = duty["kinds"].str.split("|").map(lambda kinds: kinds == ["housing"]).astype(bool)
    must_file = pd.Series(pd.NA, index=duty.index, dtype="boolean").mask(duty["duty"] == "none", False)
    must_file = must_file.mask(housing | (duty["duty"] == "must"), True)
    build = {"must": "应配建:", "should": "宜按需求配建:", "unknown": "是否配建待核实:"}
    basis = pd.Series("", index=duty.index, dtype="str").mask(duty["duty"] == "must", standard.standard)
    basis = basis.mask(housing, standard.limits.filing_zh)
    state = _column(planned_buildings, "filing", "object").map(_filing_state, na_action=None).astype("str")
    done = pd.to_datetime(_column(planned_buildings, "completed_on", "object")).astype("datetime64[us]")
    late = _overdue(must_file, state, done, today)
    days = (pd.Timestamp(today or dt.date(1970, 1, 1)) - done).dt.days.astype("Int64").where(late.fillna(False))
    unit = _column(planned_buildings, "unit" if "unit" in planned_buildings else "unit_code", "str")
    table = pd.DataFrame({
        "name": _column(planned_buildings, "name", "str"), "use": _column(planned_buildings, "use", "str"),
        "must_build": pd.Series([build[kind] + standard.limits.room_zh if kind in build else ""
                                 for kind in duty["duty"]], index=duty.index, dtype="str"),
        "must_file": must_file, "filing_basis": basis, "filing": state, "completed_on": done, "overdue": late,
        "overdue_days": days, "seats": _column(planned_buildings, "seats", "Int64"),
        "town": _column(planned_buildings, "town", "str"), "unit": unit,
    }, index=planned_buildings.index)
    wanted = ["rule", "duty", "clause", "floor_area_m2", "floor_area_source", "storeys", "doubtful", "reason"]
    table = table.join(duty[wanted])[_of_study(planned_buildings).to_numpy()]
    late_first = table["overdue"].astype("object").map({True: 0.0, False: 2.0}).astype("float64").fillna(1.0)
    order = pd.DataFrame({"late": late_first,
                          "done": table["completed_on"], "id": table.index.astype("str")}, index=table.index)
    table = table.loc[order.sort_values(["late", "done", "id"], kind="stable").index]
    table["rank_no"] = np.arange(1, len(table) + 1)
    return table[FILING_COLUMNS]
