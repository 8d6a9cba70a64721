"""The table of villages as the annex of a report: by county and town, with subtotals, every rate with its rule."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import geopandas as gpd
import pandas as pd

from siteplan.export._results import NO_DATA, VERDICT_MARKS, tell
from siteplan.gaps import KIND_ZH, VERDICT_ZH
from siteplan.gaps.judging.areas import percent_down
from siteplan.plan import Plan

SHEET = "行政村"
HEAD = ["序号", "县区", "镇街", "行政村", "户数", "人口", *(f"{zh}(现状)" for zh in KIND_ZH.values()), "现状结论", "现状面积覆盖率(%)",
        "现状需求覆盖率(%)", "现状覆盖率下限(%)", "现状覆盖率上限(%)", "现状达标概率(%)", "现状说明", "4G", "光纤", "规划后结论",
        "规划后面积覆盖率(%)", "规划后需求覆盖率(%)", "规划后达标概率(%)", "规划后说明", "面积(公顷)", "行政村代码", "规则"]
WIDTHS: Mapping[int, float] = {
    0: 6, 1: 10, 2: 10, 3: 16, 4: 8, 5: 8, **dict.fromkeys(range(6, 10), 9.0), 10: 14,
    **dict.fromkeys(range(11, 16), 10.0), 16: 40, 17: 7, 18: 7, 19: 14,
    **dict.fromkeys(range(20, 23), 10.0), 23: 36, 24: 10, 25: 15, 26: 18}
POINT_ZH: Mapping[str, str] = {"covered": "√", "not_covered": "×", "none": "不设", "missing": "缺资料"}


def rule_notes(plan: Plan, rule_ids: Iterable[str]) -> list[str]:
    """Every rule once: id, sentence, source."""
    return [f"规则 {name}:{plan.rules[name].zh}(来源:{plan.rules[name].source})" for name in dict.fromkeys(rule_ids)]


def annex_notes(plan: Plan) -> list[str]:
    """Title, rules, meaning of the columns."""
    told = rule_notes(plan, plan.villages["rule"])
    total = len(plan.villages)
    verdicts = {"现状": plan.villages["verdict_before"], "规划后": plan.villages["verdict_after"]}
    counts = [f"{word}达标 {int((found == 'pass').sum())} 个,占 {_rate(found)}(至多 {_at_most(found)})"
              for word, found in verdicts.items()]
    return [
        f"附表1 {plan.study['name']} 行政村5G网络覆盖情况表", *told,
        f"行政村共 {total} 个:{';'.join(counts)}。无法判定的计入总数、不计入达标;补齐资料后至多达标的比例见括号",
        "√ 该类点位全部覆盖(覆盖概率不低于规则的点位概率),× 有点位未覆盖,不设 = 本村没有该类场所,缺资料 = 没有点位数据",
        f"覆盖率为模型预测的覆盖概率均值,向下取到0.1;需求单位:{plan.study['demand_zh']}",
        ("下限、上限:考虑阴影衰落与模型误差的空间相关,规则所量的覆盖率(点位规则取面积覆盖率)有80%的可能落在其间;"
         "达标概率:真实覆盖率(或全部点位)达到规则的概率"),
        "4G、光纤:上报的以上报为准,其余为预测或按光缆图层推断,见“4G与光纤”",
    ]


def _at_most(verdicts: pd.Series) -> str:
    return f"{percent_down((verdicts != 'fail').mean()):.1f}%" if len(verdicts) else NO_DATA


def _rate(verdicts: pd.Series) -> str:
    return f"{percent_down((verdicts == 'pass').mean()):.1f}%" if len(verdicts) else NO_DATA


def annex_rows(villages: gpd.GeoDataFrame, extra: pd.DataFrame | None = None,
               ) -> tuple[list[list[Any]], dict[tuple[int, int], str]]:
    """Rows under `HEAD` and the colours of cells.

    Parameters
    ----------
    villages : GeoDataFrame
        Areas results with ``county, town``.
    extra : DataFrame, optional
        On the codes: ``households, people``, a column for each kind of point, ``has_4g, has_fibre``.

    Returns
    -------
    rows : list of list
        Villages by county and town in the order of their codes; below each town and county its subtotal.
    marks : dict
    """
    table = villages if extra is None else villages.join(extra.drop(columns=list(villages.columns), errors="ignore"))
    table = table.assign(county=_words(table, "county"), town=_words(table, "town"), code=table.index.astype("str"))
    table = table.sort_values("code", kind="stable")
    rows: list[list[Any]] = []
    marks: dict[tuple[int, int], str] = {}
    number = 0
    for county, by_county in table.groupby("county", sort=False):
        for town, by_town in by_county.groupby("town", sort=False):
            for row in by_town.to_dict("records"):
                number += 1
                marks |= {(len(rows), HEAD.index(head)): VERDICT_MARKS[row[f"verdict_{state}"]]
                          for head, state in (("现状结论", "before"), ("规划后结论", "after"))
                          if row[f"verdict_{state}"] in VERDICT_MARKS}
                rows.append([number, county, town, *_cells(row)])
            if by_county["town"].nunique() > 1 and town:
                rows.append(_subtotal(str(county), f"{town}小计", by_town))
        if table["county"].nunique() > 1 and county:
            rows.append(_subtotal(f"{county}小计", "", by_county))
    if len(table):
        rows.append(_subtotal("合计", "", table))
    return rows, marks


def _words(table: pd.DataFrame, name: str) -> pd.Series:
    return table[name].fillna("").astype("str") if name in table else pd.Series("", index=table.index)


def _cells(row: Mapping[str, Any]) -> Iterator[Any]:
    """Cells of one village after its number and place."""
    def cell(name: str, kind: str) -> Any:
        return tell(row.get(name), kind)

    yield from (row["name"], cell("households", "int"), cell("people", "int"))
    for kind in KIND_ZH:
        state = row.get(kind)
        asked = not isinstance(asked_kinds := row.get("asked_kinds"), str) or kind in asked_kinds.split("|")
        yield POINT_ZH.get(state, "") if isinstance(state, str) and (asked or state != "missing") else ""
    yield cell("verdict_before", "verdict")
    yield from (cell(f"{name}_before", "share") for name in (
        "area_share", "demand_share", "share_low", "share_high", "pass_probability"))
    yield row["reason_before"]
    yield from (tell(row.get(name, "unknown"), "state") for name in ("has_4g", "has_fibre"))
    yield cell("verdict_after", "verdict")
    yield from (cell(f"{name}_after", "share") for name in ("area_share", "demand_share", "pass_probability"))
    yield from (row["reason_after"], cell("area_m2", "hectares"), row["code"], row["rule"])


def _subtotal(county: str, town: str, group: pd.DataFrame) -> list[Any]:
    """Number of villages, people, and how many pass."""
    out: list[Any] = [""] * len(HEAD)
    out[:4] = ["", county, town, f"{len(group)} 个村"]
    for column, name in ((4, "households"), (5, "people")):
        values = pd.to_numeric(group[name], errors="coerce") if name in group else pd.Series(dtype=float)
        out[column] = tell(values.sum(min_count=1), "int")
    for head, state in (("现状结论", "before"), ("规划后结论", "after")):
        verdicts = group[f"verdict_{state}"]
        unsure = int((verdicts == "not_assessable").sum())
        out[HEAD.index(head)] = (f"{VERDICT_ZH['pass']} {int((verdicts == 'pass').sum())} 个,{_rate(verdicts)}"
                                 + (f";{VERDICT_ZH['not_assessable']} {unsure} 个" if unsure else ""))
    out[HEAD.index("面积(公顷)")] = tell(float(group["area_m2"].sum()), "hectares")
    return out
