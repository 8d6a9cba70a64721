"""Exposure screening (电磁环境筛查) as sheets and as ``exposure.csv``: predicted, never an environmental assessment."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from siteplan.coverage._exposure import Exposure, site_exposure
from siteplan.coverage._sensitive import ExposureRules, load_exposure
from siteplan.export._check import MOST_SHEET_ROWS
from siteplan.export._workbook import add_sheet, write_csv
from siteplan.plan import Plan

SHEET, SECTOR_SHEET = "电磁环境筛查", "扇区达标距离"
SITE_HEAD = "电磁环境筛查(估算)"
"""Heading of what the screening says of a proposed site."""
SITE_MARKS: Mapping[str, str] = {"above_limit": "bad", "taller_near": "warn", "above_managed": "warn"}
SOURCE_ZH = {"measured": "有高度", "storeys": "按层数", "default": "无高度,按缺省"}
STATUS_ZH = {"proposed": "规划", "existing": "现状"}
FLAGS = ("in_main_beam", "above_limit", "above_managed", "taller_near", "justify")
NUMBER_DIGITS: Mapping[str, int] = {
    "target_height_m": 1, "distance_m": 1, "worst_height_m": 1, "drop_m": 1, "slope_m": 1, "s_w_m2": 5, "s_uw_cm2": 3,
    "limit_w_m2": 4, "share": 4, "total_share": 4, "limit_distance_m": 1, "managed_distance_m": 1}
SHEET_COLUMNS: Mapping[str, float] = {
    "rank_no": 6, "site_id": 21, "site_name": 18, "site_status": 7, "target_id": 11, "target_name": 16,
    "target_class": 12, "target_height_m": 8, "height_source": 9, "distance_m": 8, "worst_height_m": 8, "drop_m": 8,
    "sector_id": 23, "in_main_beam": 7, "s_uw_cm2": 10, "share": 8, "total_share": 9, "above_limit": 7,
    "above_managed": 8, "taller_near": 8, "justify": 7, "note": 58}
"""Columns of the sheet and their widths; the table file has all."""
CELL_MARKS: Mapping[str, tuple[str, str]] = {
    "above_limit": ("above_limit", "bad"), "total_share": ("above_limit", "bad"),
    "above_managed": ("above_managed", "warn"), "share": ("above_managed", "warn"),
    "taller_near": ("taller_near", "warn"), "justify": ("justify", "warn")}
"""Column of the sheet -> flag that colours it, and the mark."""
_SECTOR_WIDTHS = {"site_id": 20.0, "site_name": 24.0, "sector_id": 22.0}


def exposure_table(plan: Plan) -> pd.DataFrame:
    """Pairs of site and sensitive building under ``[columns]`` of ``tables/exposure.toml``, numbers rounded.

    The worst building first, its sites side by side. Without a screening the table has no row.
    """
    if plan.exposure is None:
        return pd.DataFrame({name: pd.Series(dtype="object") for name in load_exposure().columns})
    rules, table = plan.exposure.rules, plan.exposure.pairs
    table = table.assign(rank_no=np.arange(1, len(table) + 1), note=[_note(row, rules) for row in _rows(table)])
    return table[list(rules.columns)].round(dict(NUMBER_DIGITS))


def _rows(table: pd.DataFrame) -> list[dict[str, Any]]:
    return [{str(name): value for name, value in row.items()} for row in table.to_dict("records")]


def _note(row: Mapping[str, Any], rules: ExposureRules) -> str:
    """What the screening says of one pair, worst first."""
    own, table = rules.screening, load_exposure().screening
    source = "(YD 5039)" if own.taller_radius_m == table.taller_radius_m else ""
    part = f"限值的 {100 * own.management_share:g}%"
    told = (
        (row["above_limit"], "各站合计估算超过公众限值,须调整后重算"),
        (row["above_managed"], f"本站估算超过{part}(单站管理值),宜调整或说明"),
        (row["taller_near"], f"{own.taller_radius_m:g} 米内高于天线{source},抬高或移位"),
        (row["justify"], f"{rules.sensitive[row['target_class']].zh}:尽量避让,确需设置时说明理由"),
        (row["distance_m"] == 0 and row["taller_near"], "天线在轮廓内且低于屋顶,核对站位与轮廓"),
        (row["distance_m"] == 0 and not row["taller_near"], f"天线在其屋面以上,已计屋面衰减 {own.roof_loss_db:g} dB"),
        (row["height_source"] == "default", f"建筑没有高度和层数,按缺省 {row['target_height_m']:g} 米"))
    parts = [words for holds, words in told if holds]
    return ";".join(parts if row["above_limit"] or row["above_managed"] else [*parts, f"估算低于{part}"])


def _in_words(table: pd.DataFrame, rules: ExposureRules) -> pd.DataFrame:
    """Coded values in Chinese."""
    zh = {key: entry.zh for key, entry in rules.sensitive.items()}
    out = table.assign(**{name: table[name].map({True: "是", False: "否"}) for name in FLAGS})
    return out.assign(site_status=out["site_status"].map(STATUS_ZH).fillna(out["site_status"]),
                      target_class=out["target_class"].map(zh),
                      height_source=out["height_source"].map(SOURCE_ZH).fillna(out["height_source"]))


_GIVEN_ZH: Mapping[str, str] = {
    "management_share": "单站管理值", "least_radius_m": "最小筛查半径", "taller_radius_m": "邻近高于天线的半径", "storey_m": "层高",
    "roof_loss_db": "屋面衰减"}
_BEAM_KEYS = ("gain_dbi", "horizontal_deg", "vertical_deg", "steer_horizontal_deg", "steer_vertical_deg", "element_deg")


def whose_values(exposure: Exposure, given: Mapping[str, Any]) -> str:
    """Which values of the screening the study file gave, and which are defaults that nobody has checked.

    Parameters
    ----------
    exposure : Exposure
    given : mapping
        The ``[exposure]`` table of the study, None or absent where it does not say.

    Returns
    -------
    str
        The sentence of the package's table where the study gave nothing.
    """
    rules = exposure.rules
    antennas = {name: {key for key, value in dict(entry).items() if value is not None}
                for name, entry in (given.get("antennas") or {}).items()}
    told = [name for key, name in _GIVEN_ZH.items() if given.get(key) is not None]
    told += [f"天线 {name} 的{'、'.join(_key_words(keys))}" for name, keys in sorted(antennas.items()) if keys]
    if not told:
        return rules.unverified
    used = set(exposure.sectors["antenna"].astype(str)) or set(rules.antennas)
    old = {name: entry for name, entry in load_exposure().antennas.items() if name in used}
    left = ["功率折减 F"] * any("factor" not in antennas.get(name, ()) for name in used)
    left += ["屋面衰减"] * (given.get("roof_loss_db") is None)
    left += ["有源天线的增益与波束范围"] * any(entry.gain_dbi is not None and not set(_BEAM_KEYS) <= antennas.get(name, set())
                                   for name, entry in old.items())
    rest = f";其余{'、'.join(left)}为缺省值,未经核实" if left else ""
    return f"研究文件给定:{'、'.join(told)}{rest}"


def _key_words(keys: set[str]) -> list[str]:
    """What the study changed of an antenna, in words."""
    return ["功率折减 F"] * ("factor" in keys) + ["增益与波束范围"] * bool(keys & set(_BEAM_KEYS))


def exposure_notes(exposure: Exposure, given: Mapping[str, Any] | None = None) -> list[str]:
    """Sentences above the pairs: what the numbers are, what was found, who was assessed, what to do.

    Parameters
    ----------
    exposure : Exposure
    given : mapping, optional
        The ``[exposure]`` table of the study. A standard is named only beside its own value.

    Returns
    -------
    list of str
    """
    rules, own, table = exposure.rules, exposure.rules.screening, load_exposure().screening
    classes = "、".join(entry.zh for entry in rules.sensitive.values())
    assessed = (f"评估对象:{classes};规划站主瓣轴向降到管理值的距离之内,至少 {own.least_radius_m:g} 米;每 {own.storey_m:g} 米一层,取各层楼板以上 "
                f"{own.probe_m:g} 米处最不利的一层,包括高于天线的楼层;水平 {own.taller_radius_m:g} 米内高于天线的建筑另行标出"
                f"({'YD 5039-2009' if own.taller_radius_m == table.taller_radius_m else '研究文件给定'});"
                "商业建筑、用途不明的建筑和空地不评估")
    managed = f"单站按限值的 {100 * own.management_share:g}% 管理"
    managed += f"({'HJ/T 10.3-1996' if own.management_share == table.management_share else '研究文件给定'})"
    notes = [f"{rules.wording};{whose_values(exposure, given or {})};方法见“{SECTOR_SHEET}”", _summary(exposure),
             f"{rules.standard};{managed}", assessed, rules.advice]
    if not exposure.has_buildings:
        notes.append("没有建筑物图层:只筛查了公共设施点,住宅等未筛查")
    return notes


def _summary(exposure: Exposure) -> str:
    """How many buildings are told of what."""
    if exposure.pairs.empty:
        if not (exposure.sectors["site_status"] == "proposed").any():
            return "没有规划的室外站址,未作筛查"
        return f"规划站址的筛查范围内未发现敏感{'建筑' if exposure.has_buildings else '的公共设施'}"
    counts, own = exposure.counts(), exposure.rules.screening
    sites = int((site_exposure(exposure)["state"] == "above_limit").sum())
    return (f"规划站附近敏感建筑 {counts['sensitive_buildings']} 栋(估算):各站合计超过限值 {counts['above_limit']} 栋(红色,涉及规划站 {sites} 处),"
            f"单站超过管理值 {counts['above_managed']} 栋(黄色),{own.taller_radius_m:g} 米内高于天线 {counts['taller_near']} 栋,"
            f"避让或说明理由 {counts['justify']} 栋")


def add_exposure_sheets(book: Any, plan: Plan) -> None:
    """The sheets 电磁环境筛查 and 扇区达标距离; none where no screening was made."""
    exposure = plan.exposure
    if exposure is None:
        return
    rules, table = exposure.rules, exposure_table(plan)
    shown = table.head(MOST_SHEET_ROWS)
    rows = _in_words(shown, rules)[list(SHEET_COLUMNS)].to_numpy(object).tolist()
    if len(table) > len(shown):
        rows.append([""] * (len(SHEET_COLUMNS) - 1) + [f"另有 {len(table) - len(shown)} 行,见 exposure.csv"])
    notices = list(plan.study["notices"])
    given = plan.parameters.get("exposure") or {}
    title = f"{plan.study['name']} {SHEET}(筛查估算)"
    add_sheet(book, SHEET, [rules.columns[name]["zh"] for name in SHEET_COLUMNS], rows,
              [title, *exposure_notes(exposure, given), *notices], dict(enumerate(SHEET_COLUMNS.values())),
              _cell_marks(shown), pages=2)
    widths = {number: _SECTOR_WIDTHS.get(name, 11.0) for number, name in enumerate(rules.sector_columns)}
    add_sheet(book, SECTOR_SHEET, [entry["zh"] for entry in rules.sector_columns.values()],
              _sector_rows(exposure), [f"{plan.study['name']} {SECTOR_SHEET}(筛查估算)", rules.wording, rules.standard,
                                       rules.method, whose_values(exposure, given), *notices], widths)


def _cell_marks(table: pd.DataFrame) -> dict[tuple[int, int], str]:
    """Cells of the sheet to colour, by row and column number."""
    place = {name: number for number, name in enumerate(SHEET_COLUMNS)}
    return {(int(row), place[column]): mark for column, (flag, mark) in CELL_MARKS.items()
            for row in np.flatnonzero(table[flag].to_numpy(bool))}


def _sector_rows(exposure: Exposure) -> list[list[Any]]:
    """Rows of the sheet 扇区达标距离: proposed sites first."""
    table = exposure.sectors.reset_index()
    table = table.assign(old=table["site_status"] != "proposed").sort_values(["old", "sector_id"], kind="stable")
    table = table[list(exposure.rules.sector_columns)].round(
        {"power_w": 1, "limit_w_m2": 4, "limit_distance_m": 1, "managed_distance_m": 1})
    around = table["azimuth_deg"].astype(object).where(table["azimuth_deg"].notna(), "全向")
    words = table["site_status"].map(STATUS_ZH).fillna(table["site_status"])
    rows: list[list[Any]] = table.assign(site_status=words, azimuth_deg=around).to_numpy(object).tolist()
    return rows


def site_states(plan: Plan, site_ids: Sequence[Any]) -> pd.DataFrame:
    """``state``, ``share`` and ``flag`` of :func:`site_exposure` for these sites; empty words where none was made."""
    blank = {"state": "", "share": np.nan, "flag": ""}
    if plan.exposure is None:
        return pd.DataFrame(blank, index=pd.Index(site_ids, dtype="str"))
    return site_exposure(plan.exposure).reindex([str(site_id) for site_id in site_ids]).fillna(blank)


def write_exposure_csv(plan: Plan, path: Path) -> None:
    """``exposure.csv``: the same rows with English column names, and the wording in a column of its own."""
    notice = ";".join([load_exposure().wording, *plan.study["notices"]])
    write_csv(exposure_table(plan).assign(notice=notice), path)
