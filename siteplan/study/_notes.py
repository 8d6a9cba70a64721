"""Ledger notes on the study as a whole: layers that are absent or unused, points that fit nothing, missing points."""

from __future__ import annotations

import difflib
from collections.abc import Collection, Mapping

import geopandas as gpd
import numpy as np
import pandas as pd

from siteplan.coverage import MODEL_NAMES, models_of
from siteplan.gaps import KIND_ZH, Rule
from siteplan.grid import pixel_of
from siteplan.input_ledger import InputLedger
from siteplan.layers import Layers
from siteplan.params import CoverageParams
from siteplan.radio import VALIDITY_WORDS, Validity, validity
from siteplan.surface import Surface

ABSENT = (
    (("buildings", "heights"), "没有建筑或高度数据:视距按概率计算,没有楼顶候选站址"),
    (("ground",), "没有地面高程:按平地(0米)计算"),
    (("stations",), "没有现有基站:全部区域都是覆盖空洞"),
    (("population",), "没有人口:以建筑面积(没有建筑时以土地面积)代替,指标已注明"),
    (("facilities",), "没有公共设施:没有免费开放场所候选站址"),
    (("poles",), "没有路灯杆:没有灯杆候选站址"),
    (("villages",), "没有行政村:不判定行政村达标"),
    (("zones",), "没有重点区域:不判定重点区域达标"),
    (("restricted",), "没有限制区:未检查候选站址是否位于限制区"),
    (("village_points",), "没有村内点位:按点位判定的规则无法判定"),
)
"""Layers whose absence changes the result, and how."""


def tell_validity(surface: Surface, sectors: pd.DataFrame, params: CoverageParams, ledger: InputLedger) -> None:
    """A note for each way in which sectors are used outside of the ranges of their model's table.

    uma and umi are stated for one mast height (25 and 10 m); every real network differs, so that is not told.
    """
    radiating = sectors[sectors["kind"] != "indoor"]
    found: dict[tuple[str, str], int] = {}
    reach = np.where(radiating["kind"] == "micro", params.micro_range_m, params.max_range_m)
    rows, cols = pixel_of(surface.geobox, radiating["x"].to_numpy(float), radiating["y"].to_numpy(float))
    models = np.array(MODEL_NAMES)[models_of(surface, radiating, rows, cols, params)]
    for model in sorted(set(models)):
        here = models == model
        flags = validity(model, reach[here], radiating["freq_mhz"].to_numpy(float)[here] / 1000.0,
                         radiating["antenna_height_m"].to_numpy(float)[here], params.receiver_height_m)
        for bit, words in VALIDITY_WORDS.items():
            count = int(((flags & int(bit)) > 0).sum())
            if count and not (bit is Validity.MAST and model != "rma"):
                found[model, words] = count
    for (model, words), count in found.items():
        ledger.add("stations", "", f"共 {count} 个扇区", "", model, "note",
                   f"传播模型 {model}：{words}（TR 38.901 的适用范围），仍按公式计算", "结论依赖这些扇区时，用实测校正或改用别的模型")


def _tell_absent(layers: Layers, ledger: InputLedger) -> None:
    """One ledger note for each absent layer (or pair of layers) that changes the result."""
    for names, effect in ABSENT:
        if not any(layers.has(name) for name in names):
            ledger.add(names[0], "", "", "", "", "note", effect, f"需要时增加 [layers.{names[0]}]")


UNUSED = ("clutter", "works", "planned_buildings", "power", "fibre", "demands", "decisions", "measurements",
          "complaints")
"""Layers that are read and checked, but do not change a plan in this version."""


def _tell_unused(layers: Layers, used: Collection[str], ledger: InputLedger) -> None:
    """One note for each layer that is read and checked but does not change the plan."""
    for name in UNUSED:
        if layers.has(name) and name not in used:
            use, remedy = "已读取并检查;本版本的选址计算尚未使用该图层", "无需处理"
            if name == "measurements":
                use, remedy = "已读取并检查;不会自动改变预测", "用 notebooks/07_calibrate.ipynb 拟合校正文件,写入 coverage.calibration"
            ledger.add(name, "", "", "", "", "note", use, remedy)


def _tell_orphan_points(tables: Mapping[str, gpd.GeoDataFrame], ledger: InputLedger) -> None:
    """One note for each village code that the points name and the villages do not have."""
    codes = list(tables["villages"].index)
    known = set(codes)
    points = tables["village_points"]
    if not codes or points.empty:
        return
    for code, rows in points[~points["village_code"].isin(known)].groupby("village_code"):
        near = difflib.get_close_matches(str(code), codes, n=1)
        hint = f"是否应为 {near[0]}?" if near else "核对行政村代码"
        where = "、".join(rows["source_row"][:5])
        ledger.add("village_points", rows["source_file"].iloc[0], where, "village_code", code,
                   "note", f"行政村图层中没有这个代码,{len(rows)} 个点位未参与判定", hint)


def _tell_missing_points(tables: Mapping[str, gpd.GeoDataFrame], rule: Rule, ledger: InputLedger) -> None:
    """One note for each village without a row of a kind that the rule asks for: missing data, not "has none"."""
    points = tables["village_points"]
    if points.empty:
        return
    there = set(zip(points["village_code"], points["kind"], strict=True))
    for code in tables["villages"].index:
        for kind in rule.kinds:
            if (code, kind) not in there:
                ledger.add("village_points", "", code, kind, "", "note", f"该村没有“{KIND_ZH[kind]}”一行,按资料缺失处理",
                           "补充点位;确实没有的填一行并在“是否设有”写否")


def tell_new_networks(serves: list[str], networks: tuple[str, ...], ledger: InputLedger) -> None:
    """A note for each network that new sites shall serve and that no 5G station has: a typo, or a newcomer."""
    for name in serves:
        if name != "*" and name not in networks:
            ledger.add("stations", "", "", "network", name, "note", "新站要服务的网络在现有5G工参中没有,按新网络计算",
                       f"核对 candidates.serves;现有:{'、'.join(networks) or '无'}")


def tell_notes(layers: Layers, tables: Mapping[str, gpd.GeoDataFrame], rule: Rule, ledger: InputLedger,
               used: Collection[str] = ()) -> None:
    """Every note: absent layers, unused layers, points of unknown villages, points the village rule lacks."""
    _tell_absent(layers, ledger)
    _tell_unused(layers, used, ledger)
    _tell_orphan_points(tables, ledger)
    _tell_missing_points(tables, rule, ledger)


def absent_layers(ledger: InputLedger) -> list[str]:
    """What the notes on absent layers say, for the plan."""
    effects = {effect for _, effect in ABSENT}
    return [line.reason for line in ledger if line.reason in effects]
