"""What goes along with exchange files: metadata, layers as they were checked, inputs, settings, what was changed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
import pyogrio
import pyproj

from siteplan.crs import crs_zh
from siteplan.export._workbook import add_sheet, open_book, write_csv
from siteplan.export.exchange.out_layer import Adjustment, OutLayer
from siteplan.export.master.plan_layers import PlanLayers
from siteplan.params import DeliverParams

HOW_CHECKED = "先写入临时目录,再逐一读回,与写出前的数据比对,全部一致后才移入成果目录;行数每种格式都比,其余各格式如下"
PREDICTED = "覆盖为模型预测值,非实测"
SYNTHETIC = "合成数据,不可用于真实规划"
AXES = "X 坐标(XZB)为北向,Y 坐标(YZB)为东向;图形坐标按(东,北)次序存放"
_GEOGRAPHIC_AXES = "图形坐标按(经度,纬度)次序存放,单位度"
_ADJUSTED = ("图层", "行", "字段", "原值", "写出值", "原因")
_CHECKED = ("格式", "图层", "名称", "行数", "字段数", "比对值数", "坐标系", "编码", "不保留", "字段依据(原文)")
_INPUTS = ("图层", "文件", "字节", "SHA-256", "编码", "坐标系")


@dataclass(frozen=True)
class LayerCheck:
    """A layer of a format that was read back equal.

    Attributes
    ----------
    format : str
        Id of the format.
    layer : OutLayer
        As it was written.
    fields : int
        Fields whose values were compared, in every row.
    shapes : bool
        Whether shapes were compared.
    not_kept : str
        What the format does not keep, in Chinese; empty = everything came back.
    compared : str
        What was compared, in Chinese, rows aside.
    """

    format: str
    layer: OutLayer
    fields: int
    shapes: bool
    not_kept: str = ""
    compared: str = ""

    @property
    def values(self) -> int:
        """Number of values that were compared, shapes among them."""
        return len(self.layer.table) * (self.fields + self.shapes)


def metadata_tables(plan: PlanLayers, checks: Sequence[LayerCheck], adjustments: Sequence[Adjustment],
                    settings: DeliverParams, left: Sequence[str] = (),
                    absent: Sequence[str] = ()) -> dict[str, pd.DataFrame]:
    """The tables of the metadata by the names of their sheets.

    Parameters
    ----------
    plan : PlanLayers
    checks : sequence of LayerCheck
    adjustments : sequence of Adjustment
    settings : DeliverParams
    left : sequence of str
        Folders of earlier exports that stay beside.
    absent : sequence of str
        Titles of profiles whose layer the plan does not have.
    """
    rows = [*_study_rows(plan.facts, settings), *_crs_rows(checks), *_tool_rows(plan.facts), ("检查方法", HOW_CHECKED),
            *_compared_rows(checks), ("比对结果", f"{len(checks)} 个图层文件、{sum(check.values for check in checks)} 个值读回一致"),
            ("导出调整", f"{len(adjustments)} 处,见导出调整清单" if adjustments else "没有"),
            *([("没有数据而未导出的图层", "、".join(absent))] if absent else []),
            *([("早先导出、本次没有重写的格式", "、".join(left))] if left else [])]
    inputs = [[str(entry.get(key) or "") for key in ("layer", "file")] + [entry.get("bytes", "")]
              + [str(entry.get(key) or "") for key in ("sha256", "encoding", "crs")]
              for entry in plan.facts.get("inputs", []) if isinstance(entry, Mapping)]
    return {"元数据": pd.DataFrame(rows, columns=["项目", "内容"]),
            "图层与检查": pd.DataFrame([_check_row(check) for check in checks], columns=list(_CHECKED)),
            "输入文件": pd.DataFrame(inputs, columns=list(_INPUTS)),
            "参数": pd.DataFrame(list(_flat(plan.facts.get("parameters", {}))), columns=["参数", "值"]),
            "导出调整清单": adjustment_table(adjustments)}


def adjustment_table(adjustments: Sequence[Adjustment]) -> pd.DataFrame:
    """The list of what was changed on its way out (导出调整清单).

    >>> adjustment_table([Adjustment("sites", "S1", "LY", "长理由", "长…", "超过宽度")]).loc[0, "写出值"]
    '长…'
    """
    return pd.DataFrame([[item.layer, item.row, item.field, item.value, item.written, item.reason]
                         for item in adjustments], columns=list(_ADJUSTED), dtype="str")


def write_metadata(tables: Mapping[str, pd.DataFrame], folder: Path, title: str) -> None:
    """Write ``metadata.xlsx`` (all tables), ``metadata.csv`` and ``adjustments.csv``; no text becomes a formula."""
    with open_book(folder / "metadata.xlsx", "元数据") as book:
        widths = {"元数据": {0: 22, 1: 90}, "参数": {0: 44, 1: 60}, "输入文件": {3: 68}}
        for name, table in tables.items():
            rows = table.to_numpy(dtype=object).tolist()
            add_sheet(book, name, list(table.columns), rows, [f"{title} {name}"], widths.get(name, {}))
    write_csv(tables["元数据"], folder / "metadata.csv")
    write_csv(tables["导出调整清单"], folder / "adjustments.csv")


def crs_facts(crs: pyproj.CRS) -> str:
    """Name, code, datum and central meridian of a CRS, and how its axes are meant.

    >>> crs_facts(pyproj.CRS(4547)).split(";")[:3]
    ['CGCS2000 3度带 中央子午线114°', 'EPSG:4547', '基准 China 2000']
    """
    code = crs.to_epsg(20)
    parts = [crs_zh(crs), f"EPSG:{code}" if code else "没有 EPSG 代码"]
    if crs.datum is not None:
        parts.append(f"基准 {crs.datum.name}")
    if crs.is_geographic:
        return ";".join([*parts, _GEOGRAPHIC_AXES])
    known = {} if crs.coordinate_operation is None else {
        entry.name: entry.value for entry in crs.coordinate_operation.params}
    if "Longitude of natural origin" in known:
        parts.append(f"中央经线 {known['Longitude of natural origin']:g}°")
    if "False easting" in known:
        parts.append(f"东伪偏移 {known['False easting']:.0f} 米")
    return ";".join([*parts, AXES])


def _study_rows(facts: Mapping[str, Any], settings: DeliverParams) -> Iterator[tuple[str, str]]:
    study = facts.get("study", {})
    asked = facts.get("parameters", {}).get("study", {})
    title = settings.title
    notices = [str(notice) for notice in study.get("notices", [])]
    yield "成果名称", str(title.project or study.get("name", ""))
    yield "数据截止日期", str(asked.get("as_of") or "未写明")
    yield "研究文件", f"{study.get('file', '')} SHA-256 {study.get('sha256', '')}"
    yield "审图号", str(study.get("map_approval_no") or "未提供")
    yield "密级或使用范围", title.secrecy
    for label, words in (("编制单位", title.institute), ("制图", title.drawn_by), ("校核", title.checked_by),
                         ("审定", title.approved_by)):
        if words:
            yield label, words
    for notice in notices:
        yield "声明", notice
    if not any("预测" in notice for notice in notices):
        yield "声明", PREDICTED
    if study.get("synthetic") and not any("合成" in notice for notice in notices):
        yield "声明", SYNTHETIC
    if study.get("threshold_dbm") is not None:
        yield "覆盖门限", f"SS-RSRP {study['threshold_dbm']:g} dBm"


def _crs_rows(checks: Sequence[LayerCheck]) -> Iterator[tuple[str, str]]:
    found: dict[str, list[str]] = {}
    for check in checks:
        if check.layer.table.crs is not None:
            found.setdefault(crs_facts(check.layer.table.crs), []).append(check.layer.name)
    for words, names in found.items():
        yield "坐标系", f"{words};图层 {'、'.join(dict.fromkeys(names))}"


def _tool_rows(facts: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    from siteplan import __version__

    made = facts.get("versions", {})
    yield "写出软件", f"siteplan {__version__};GDAL {pyogrio.__gdal_version_string__};pyogrio {pyogrio.__version__}"
    if made:
        yield "规划软件", ";".join(f"{name} {number}" for name, number in made.items())


def _compared_rows(checks: Sequence[LayerCheck]) -> Iterator[tuple[str, str]]:
    """What was compared in each format; the layers are named where they differ."""
    for entry in dict.fromkeys(check.format for check in checks):
        found: dict[str, list[str]] = {}
        for check in checks:
            if check.format == entry and check.compared:
                found.setdefault(check.compared, []).append(check.layer.name)
        told = [words if len(found) == 1 else f"{'、'.join(layers)}:{words}" for words, layers in found.items()]
        if told:
            yield f"比对内容 {entry}", ";".join(told)


def _check_row(check: LayerCheck) -> list[Any]:
    layer = check.layer
    crs = layer.table.crs
    code = crs.to_epsg(20) if crs is not None else None
    return [check.format, layer.name, layer.profile.zh, len(layer.table), check.fields, check.values,
            f"EPSG:{code}" if code else "" if crs is None else crs_zh(crs), layer.profile.encoding, check.not_kept,
            layer.profile.source]


def _flat(settings: Any, path: str = "") -> Iterator[tuple[str, str]]:
    """Settings one by one, with the names of their tables before them."""
    if isinstance(settings, Mapping) and settings:
        for name, value in settings.items():
            yield from _flat(value, f"{path}.{name}" if path else str(name))
    elif settings is not None and settings != {} and settings != []:
        yield path, str(settings)
