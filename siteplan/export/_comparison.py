"""Two folders of deliverables compared, and the comparison as a workbook."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import geopandas as gpd
import pandas as pd
import pyogrio
import shapely

from siteplan.errors import ExportError, Problem
from siteplan.export._plan import FILES
from siteplan.export._staging import write_files
from siteplan.export._workbook import add_sheet, open_book
from siteplan.gaps.judging.areas import VERDICT_ZH, percent_down
from siteplan.gaps.progress.comparison import CHANGE_ZH, NOT_COMPARABLE, apart
from siteplan.gaps.progress.matching import GAP_CHANGE_ZH, SITE_CHANGE_ZH
from siteplan.gaps.progress.plan_comparison import STATE_ZH, Comparison, PlanTables, compare_plans

NO_DATA = "无数据"
PLAN_FILE = "plan.json"
AGAIN = "用 siteplan run 重新生成这个成果目录"
_FACTS: Mapping[str, type] = {"study": dict, "parameters": dict, "indicators": dict, "versions": dict, "inputs": list}
_JUDGED = ("name", "rule", "verdict_before", "verdict_after", "reason_before", "reason_after")
_LAYERS: Mapping[str, tuple[str, str, str, tuple[str, ...]]] = {
    "boundary": ("areas.gpkg", "boundary", "boundary_id", ()),
    "villages": ("areas.gpkg", "villages", "village_code", _JUDGED),
    "zones": ("areas.gpkg", "zones", "zone_id", _JUDGED),
    "gaps": ("gaps.gpkg", "gaps_after", "gap_id", ("demand",)),
    "sites": ("sites.gpkg", "sites", "site_id", ("name", "kind", "cost_yuan")),
}
"""Table -> file, layer, id column, further columns that must be there."""


def _read_facts(folder: Path) -> tuple[dict[str, Any], list[Problem]]:
    """``plan.json``, and what is wrong with it."""
    where = ("成果", str(folder / PLAN_FILE))
    try:
        facts = json.loads((folder / PLAN_FILE).read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}, [Problem(*where, "", "", "文件不存在", AGAIN)]
    except OSError as error:
        return {}, [Problem(*where, "", "", f"不能读取:{error.strerror or error}", AGAIN)]
    except ValueError as error:
        return {}, [Problem(*where, "", "", f"不是有效的 JSON:{error}", AGAIN)]
    if not isinstance(facts, dict):
        return {}, [Problem(*where, "", "", "内容不是 siteplan 的成果说明", "指定 siteplan run 写出的目录")]
    wrong = [key for key, kind in _FACTS.items() if not isinstance(facts.get(key), kind)]
    problems = [Problem(*where, "", key, "缺少这一项,或与本版本的结构不同", AGAIN) for key in wrong]
    if not wrong:
        problems += [Problem(*where, "", f"indicators.{state}", "缺少这一项,或与本版本的结构不同", AGAIN)
                     for state in STATE_ZH if not isinstance(facts["indicators"].get(state), dict)]
        problems += [Problem(*where, "", "inputs", "内容与本版本的结构不同", AGAIN)
                     for _ in [0] if not all(isinstance(file, dict) for file in facts["inputs"])]
    return facts, problems


def _read_table(folder: Path, file: str, layer: str, key: str,
                columns: Sequence[str]) -> tuple[gpd.GeoDataFrame | None, list[Problem]]:
    """One layer by its id, shapes made valid, and what is wrong with it."""
    place = str(folder / file)
    if not (folder / file).is_file():
        return None, [Problem("成果", place, "", "", "文件不存在", AGAIN)]
    try:
        table = gpd.read_file(folder / file, layer=layer)
    except (pyogrio.errors.DataSourceError, pyogrio.errors.DataLayerError, OSError, ValueError) as error:
        return None, [Problem("成果", place, layer, "", f"不能读取:{error}", AGAIN)]
    missing = [name for name in (key, *columns) if name not in table]
    if missing or not isinstance(table, gpd.GeoDataFrame) or table.crs is None:
        faults = [*missing, *(["几何或坐标系"] if not missing else [])]
        return None, [Problem("成果", place, layer, name, "缺少这个字段,或与本版本的结构不同", AGAIN) for name in faults]
    table.index = pd.Index(table[key].astype("str"), name=key)
    twice = table.index[table.index.duplicated()].unique()
    if len(twice):
        return None, [Problem("成果", place, layer, key, f"编号重复:{'、'.join(twice[:5])}", AGAIN)]
    odd = sorted({str(word) for name in columns if name.startswith("verdict_") for word in table[name].dropna()}
                 - set(VERDICT_ZH))
    if odd:
        return None, [Problem("成果", place, layer, "verdict", f"不认识的结论:{'、'.join(odd)}", AGAIN)]
    return table.drop(columns=key).set_geometry(shapely.make_valid(table.geometry.to_numpy()), crs=table.crs), []


def read_plan_tables(folder: Path) -> tuple[PlanTables | None, list[Problem]]:
    """What a folder of deliverables holds for a comparison.

    Returns
    -------
    (PlanTables or None, list of Problem)
        None where anything is missing or has another structure; every problem is listed.
    """
    if not folder.is_dir():
        return None, [Problem("成果", str(folder), "", "", "不是文件夹", "指定 siteplan run 写出的成果目录")]
    facts, problems = _read_facts(folder)
    tables: dict[str, gpd.GeoDataFrame] = {}
    for name, (file, layer, key, columns) in _LAYERS.items():
        table, faults = _read_table(folder, file, layer, key, columns)
        problems += faults
        if table is not None:
            tables[name] = table
    if problems:
        return None, list(dict.fromkeys(problems))
    return PlanTables(name=f"{facts['study'].get('name', '')}({folder})", study=facts["study"],
                      parameters=facts["parameters"], indicators=facts["indicators"], versions=facts["versions"],
                      inputs=tuple(facts["inputs"]), **tables), []


def compare_folders(one: Path, other: Path) -> Comparison:
    """Compare two folders of deliverables.

    Raises
    ------
    ExportError
        A file is missing, cannot be read or has another structure: all problems of both folders are listed.
    """
    if one.resolve() == other.resolve():
        raise ExportError(f"两个成果目录是同一个:{one}")
    first, problems = read_plan_tables(one)
    second, more = read_plan_tables(other)
    if first is None or second is None:
        raise ExportError("成果目录不能比较", [*problems, *more])
    return compare_plans(first, second)


def in_words(value: float, unit: str) -> float | str:
    """A number as planners read it: percent rounded down to a tenth, hectares, ten thousand yuan.

    >>> in_words(0.9496, "share"), in_words(25000.0, "m2"), in_words(float("nan"), "share")
    (94.9, 2.5, '无数据')
    """
    if math.isnan(value):
        return NO_DATA
    if unit == "share":
        return percent_down(value)
    return round(value / {"m2": 1e4, "yuan": 1e4}.get(unit, 1.0), 2)


UNIT_ZH = {"share": "%", "count": "个", "m2": "公顷", "yuan": "万元", "m": "米", "per_10000": "个/万人"}


def change_in_words(row: pd.Series) -> float | str:
    """The change of an indicator: points of percent to a tenth, or why there is none."""
    if not row["comparable"]:
        return NOT_COMPARABLE
    if math.isnan(row["change"]):
        return "—"
    return round(100 * row["change"], 1) if row["unit"] == "share" else in_words(row["change"], row["unit"])


def rule_in_words(row: pd.Series) -> str:
    """The rule of an indicator; where two differ, how they do."""
    if not row["comparable"]:
        return apart(row["rule_before"], row["rule_after"])
    return str(row["rule_before"] or row["rule_after"])


INDICATOR_HEAD = ["阶段", "指标", "单位", "A", "B", "变化(B-A)", "规则与口径(A / B)", "说明"]
AREA_HEAD = ["阶段", "变化", "代码", "名称", "县区", "镇街", "类型", "A结论", "B结论", "A规则", "B规则", "A原因", "B原因"]
SITE_HEAD = ["变化", "A站址编号", "A名称", "B站址编号", "B名称", "距离(米)", "A投资估算(元)", "B投资估算(元)"]
GAP_HEAD = ["变化", "A空洞", "B空洞", "A面积(公顷)", "B面积(公顷)", "重合(公顷)", "A需求", "B需求"]


def indicator_rows(table: pd.DataFrame) -> list[list[Any]]:
    """Rows under `INDICATOR_HEAD`."""
    return [[STATE_ZH[row["state"]], row["label_zh"], UNIT_ZH.get(row["unit"], ""),
             in_words(row["before"], row["unit"]), in_words(row["after"], row["unit"]), change_in_words(row),
             rule_in_words(row), row["note"] if row["comparable"] else ""] for _, row in table.iterrows()]


def _area_rows(table: pd.DataFrame) -> list[list[Any]]:
    verdicts = {"": "没有这个区域", **VERDICT_ZH}
    return [[STATE_ZH[row["state"]], row["change_zh"], code, row["name"], row["county"], row["town"], row["zone_type"],
             verdicts[row["verdict_before"]], verdicts[row["verdict_after"]], row["rule_before"], row["rule_after"],
             row["reason_before"], row["reason_after"]] for code, row in table.iterrows()]


def _rounded(value: float, divisor: float = 1.0, digits: int = 1) -> float | str:
    return "" if math.isnan(value) else round(value / divisor, digits)


def _site_rows(table: pd.DataFrame) -> list[list[Any]]:
    return [[row["change_zh"], row["site_before"], row["name_before"], row["site_after"], row["name_after"],
             _rounded(row["distance_m"]), _rounded(row["cost_before_yuan"]), _rounded(row["cost_after_yuan"])]
            for _, row in table.iterrows()]


def _gap_rows(table: pd.DataFrame) -> list[list[Any]]:
    areas = ("area_before_m2", "area_after_m2", "overlap_m2")
    return [[row["change_zh"], row["gap_before"], row["gap_after"], *(_rounded(row[name], 1e4, 2) for name in areas),
             _rounded(row["demand_before"], digits=0), _rounded(row["demand_after"], digits=0)]
            for _, row in table.iterrows()]


def _tally(table: pd.DataFrame, words: Mapping[str, str]) -> str:
    counts = table["change"].value_counts()
    return "、".join(f"{zh}{counts[change]}" for change, zh in words.items() if change in counts) or "没有变化"


def summary_lines(comparison: Comparison) -> list[str]:
    """Sentences on what changed: areas by state, sites, gap areas, and what else differs."""
    lines = []
    for state, zh in STATE_ZH.items():
        for what, table in (("行政村", comparison.villages), ("重点区域", comparison.zones)):
            lines.append(f"{zh}{what}结论:{_tally(table[table['state'] == state], CHANGE_ZH)}")
    lines.append(f"规划站址:{_tally(comparison.sites, SITE_CHANGE_ZH)}")
    lines.append(f"规划后空洞:{_tally(comparison.gaps, GAP_CHANGE_ZH)}")
    notes = [f"{what}{note}" for what, note in (("行政村、重点区域结论", comparison.area_note), ("空洞", comparison.gap_note))
             if note]
    return [*lines, *notes, *comparison.notes]


def _write_book(comparison: Comparison, path: Path) -> None:
    notes = ["方案对比", f"A(前者):{comparison.names[0]}", f"B(后者):{comparison.names[1]}", *comparison.notices]
    rows = indicator_rows(comparison.indicators)
    marks = {(number, 5): "warn" for number, row in enumerate(rows) if row[5] == NOT_COMPARABLE}
    with open_book(path, "方案对比") as book:
        add_sheet(book, "指标对比", INDICATOR_HEAD, rows, [*notes, *summary_lines(comparison)], {6: 60.0, 7: 40.0}, marks)
        for name, table in (("行政村变化", comparison.villages), ("重点区域变化", comparison.zones)):
            told = [comparison.area_note] * bool(comparison.area_note)
            add_sheet(book, name, AREA_HEAD, _area_rows(table), [*notes, *told],
                      {9: 24.0, 10: 24.0, 11: 36.0, 12: 36.0})
        add_sheet(book, "站址对比", SITE_HEAD, _site_rows(comparison.sites), notes, {})
        told = [comparison.gap_note] * bool(comparison.gap_note)
        add_sheet(book, "空洞对比", GAP_HEAD, _gap_rows(comparison.gaps), [*notes, *told], {})


def write_comparison(comparison: Comparison, path: Path) -> Path:
    """Write the workbook 指标对比, 行政村变化, 重点区域变化, 站址对比, 空洞对比.

    Parameters
    ----------
    comparison : Comparison
    path : Path
        File name ending in ``.xlsx``; its folder is made when absent. An existing file is replaced when the new one is
        ready.

    Raises
    ------
    ExportError
        The name does not end in ``.xlsx``, is that of a deliverable, or the file cannot be written.
    """
    if path.suffix.lower() != ".xlsx":
        raise ExportError(f"输出文件应以 .xlsx 结尾:{path}")
    if path.name.lower() in {name for name, _ in FILES} and (path.parent / PLAN_FILE).exists():
        raise ExportError(f"{path} 是成果文件,不能被对比结果覆盖:换一个文件名")
    return write_files(path.parent, [(path.name, lambda draft: _write_book(comparison, draft))])[path.name]
