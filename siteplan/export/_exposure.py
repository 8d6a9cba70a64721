"""Exposure screening (电磁环境筛查) as sheets and as ``exposure.csv``: predicted, never an environmental assessment."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from siteplan.coverage._exposure import Exposure
from siteplan.coverage._sensitive import ExposureParams, load_exposure
from siteplan.export._check import MOST_SHEET_ROWS
from siteplan.export._workbook import add_sheet, write_csv
from siteplan.plan import Plan

SHEET, SECTOR_SHEET = "电磁环境筛查", "扇区达标距离"
SOURCE_ZH = {"measured": "有高度", "storeys": "按层数", "default": "无高度,按缺省"}
STATUS_ZH = {"proposed": "规划", "existing": "现状"}
NUMBER_DIGITS: Mapping[str, int] = {
    "target_height_m": 1, "distance_m": 1, "worst_height_m": 1, "drop_m": 1, "slope_m": 1, "s_w_m2": 5, "s_uw_cm2": 3,
    "limit_w_m2": 4, "share": 4, "total_share": 4, "limit_distance_m": 1, "fifth_distance_m": 1}
SHEET_COLUMNS: Mapping[str, float] = {
    "rank_no": 5, "site_id": 17, "site_name": 20, "site_status": 8, "target_id": 10, "target_name": 16,
    "target_class": 19, "target_height_m": 8, "height_source": 13, "distance_m": 8, "worst_height_m": 8, "drop_m": 8,
    "sector_id": 18, "in_main_beam": 8, "s_w_m2": 9, "s_uw_cm2": 10, "share": 8, "total_share": 9, "above_limit": 8,
    "above_fifth": 12, "taller_near": 8, "justify": 8, "note": 70}
"""Columns of the sheet and their widths; the table file has all."""
_SECTOR_WIDTHS = {"site_id": 20.0, "site_name": 24.0, "sector_id": 22.0}


def exposure_table(plan: Plan) -> pd.DataFrame:
    """Pairs of site and sensitive building under ``[columns]`` of ``tables/exposure.toml``, numbers rounded.

    Proposed sites in their order of choice, then existing ones; the greatest share of a site first. Without a screening
    the table has no row.
    """
    rules = load_exposure()
    if plan.exposure is None:
        return pd.DataFrame({name: pd.Series(dtype="object") for name in rules.columns})
    pairs = plan.exposure.pairs
    place = {site_id: number for number, site_id in enumerate(plan.proposed.index)}
    order = pairs["site_id"].map(place).fillna(len(place)).sort_values(kind="stable").index
    table = pairs.loc[order].reset_index(drop=True)
    table = table.assign(rank_no=np.arange(1, len(table) + 1), note=[_note(row, rules) for row in _rows(table)])
    return table[list(rules.columns)].round(dict(NUMBER_DIGITS))


def _rows(table: pd.DataFrame) -> list[dict[str, Any]]:
    return [{str(name): value for name, value in row.items()} for row in table.to_dict("records")]


def _note(row: Mapping[str, Any], rules: ExposureParams) -> str:
    """What the screening says of one pair, worst first."""
    own = rules.screening
    part = f"限值的 {100 * own.management_share:g}%"
    told = (
        (row["above_limit"], "各站合计估算超过公众限值,须调整后重算"),
        (row["above_fifth"], f"本站估算超过{part}(单项管理值),宜调整或说明"),
        (row["taller_near"], f"{own.taller_radius_m:g} 米内高于天线(YD 5039),抬高或移位"),
        (row["justify"], f"{rules.sensitive[row['target_class']].zh}:尽量避让,确需设置时说明理由"),
        (row["distance_m"] == 0 and row["taller_near"], "天线在轮廓内且低于屋顶,核对站位与轮廓"),
        (row["distance_m"] == 0 and not row["taller_near"], f"天线在其屋面以上,已计屋面衰减 {own.roof_loss_db:g} dB"),
        (row["height_source"] == "default", f"建筑没有高度和层数,按缺省 {row['target_height_m']:g} 米"))
    parts = [words for holds, words in told if holds]
    return ";".join(parts if row["above_limit"] or row["above_fifth"] else [*parts, f"估算低于{part}"])


def _in_words(table: pd.DataFrame) -> pd.DataFrame:
    """Coded values in Chinese."""
    zh = {key: entry.zh for key, entry in load_exposure().sensitive.items()}
    out = table.assign(**{name: table[name].map({True: "是", False: "否"}) for name in
                          ("in_main_beam", "above_limit", "above_fifth", "taller_near", "justify")})
    return out.assign(site_status=out["site_status"].map(STATUS_ZH).fillna(out["site_status"]),
                      target_class=out["target_class"].map(zh),
                      height_source=out["height_source"].map(SOURCE_ZH).fillna(out["height_source"]))


def exposure_notes(plan: Plan) -> list[str]:
    """Sentences every sheet of the screening carries."""
    rules = load_exposure()
    limits = "公众照射限值 GB 8702-2014:30–3000 MHz 为 0.4 W/m²(40 μW/cm²),3000–15000 MHz 为 f/7500 W/m²"
    managed = f"单个项目按限值的 {100 * rules.screening.management_share:g}% 管理(HJ/T 10.3-1996)"
    notes = [rules.wording, rules.method, f"{limits};{managed}", rules.unverified]
    if plan.exposure is not None and not plan.exposure.has_buildings:
        notes.append("没有建筑物图层:只筛查了公共设施点,住宅等未筛查")
    return notes


def add_exposure_sheets(book: Any, plan: Plan, notes: list[str]) -> None:
    """The sheets 电磁环境筛查 and 扇区达标距离; none where no screening was made."""
    if plan.exposure is None:
        return
    rules = load_exposure()
    table = _in_words(exposure_table(plan))[list(SHEET_COLUMNS)]
    rows = table.head(MOST_SHEET_ROWS).to_numpy(object).tolist()
    if len(table) > MOST_SHEET_ROWS:
        rows.append([""] * (len(SHEET_COLUMNS) - 1) + [f"另有 {len(table) - MOST_SHEET_ROWS} 行,见 exposure.csv"])
    told = [*notes, *exposure_notes(plan), _summary(plan.exposure)]
    add_sheet(book, SHEET, [rules.columns[name]["zh"] for name in SHEET_COLUMNS], rows, told,
              dict(enumerate(SHEET_COLUMNS.values())))
    widths = {number: _SECTOR_WIDTHS.get(name, 11.0) for number, name in enumerate(rules.sector_columns)}
    add_sheet(book, SECTOR_SHEET, [entry["zh"] for entry in rules.sector_columns.values()],
              _sector_rows(plan.exposure, rules), told, widths)


def _summary(exposure: Exposure) -> str:
    """How many buildings are told of what."""
    if exposure.pairs.empty:
        return "规划站址附近没有敏感建筑,或没有规划站址"
    counts = exposure.counts()
    return (f"规划站附近敏感建筑 {counts['sensitive_buildings']} 栋(估算):各站合计超过限值 {counts['above_limit']} 栋,单站超过五分之一 "
            f"{counts['above_fifth']} 栋,30 米内高于天线 {counts['taller_near']} 栋,避让或说明理由 {counts['justify']} 栋")


def _sector_rows(exposure: Exposure, rules: ExposureParams) -> list[list[Any]]:
    """Rows of the sheet 扇区达标距离: proposed sites first."""
    table = exposure.sectors.reset_index()
    table = table.assign(old=table["site_status"] != "proposed").sort_values(["old", "sector_id"], kind="stable")
    table = table[list(rules.sector_columns)].round(
        {"power_w": 1, "limit_w_m2": 4, "limit_distance_m": 1, "fifth_distance_m": 1})
    around = table["azimuth_deg"].astype(object).where(table["azimuth_deg"].notna(), "全向")
    words = table["site_status"].map(STATUS_ZH).fillna(table["site_status"])
    rows: list[list[Any]] = table.assign(site_status=words, azimuth_deg=around).to_numpy(object).tolist()
    return rows


def write_exposure_csv(plan: Plan, path: Path) -> None:
    """``exposure.csv``: the same rows with English column names, and the wording in a column of its own."""
    notice = ";".join([load_exposure().wording, *plan.study["notices"]])
    write_csv(exposure_table(plan).assign(notice=notice), path)
