"""Ledger notes on the study as a whole: layers that are absent or unused, points that fit nothing, missing points."""

from __future__ import annotations

import difflib
from collections.abc import Collection, Mapping

import geopandas as gpd
import numpy as np
import pandas as pd

from siteplan.coverage import MODEL_NAMES, Calibration, Equipment, models_of
from siteplan.coverage._calibration import holds_for
from siteplan.gaps import KIND_ZH, AreaPixels, Demand, Rule, area_faults, complaint_notes, operator_notes
from siteplan.grid import pixel_of
from siteplan.input_ledger import InputLedger
from siteplan.layers import Layers
from siteplan.params import CoverageParams
from siteplan.radio import MODEL_WORDS, VALIDITY_WORDS, Validity, validity
from siteplan.study._calibration import kinds_zh, new_sectors
from siteplan.surface import FILL_LIMIT_M, Surface

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


STATED_M = {"uma": (25.0, 10.0, 50.0), "umi": (10.0, 4.0, 20.0)}
"""The one mast height of a model's table (TR 38.901 table 7.4.1-1), and between what heights masts are near it, m."""


def tell_validity(surface: Surface, sectors: pd.DataFrame, equipment: Equipment, params: CoverageParams,
                  ledger: InputLedger, calibration: Calibration | None = None) -> None:
    """A note for each way in which sectors, there or to be built, leave the ranges of their model's table.

    Counted by model, kind and whether calibrated. uma and umi are stated for one mast height (25 and 10 m); every real
    network differs, so single masts are not told, but once where most of them are far from it. Sectors that take a
    calibration by tables use no formula: :func:`~siteplan.study._calibration.tell_calibration` tells of them.

    Parameters
    ----------
    surface : Surface
    sectors : DataFrame
        Existing sectors, see ``SECTOR_COLUMNS``.
    equipment : Equipment
        Its site types are what may be built; macro ones take uma or rma by their place, so either is looked at.
    params : CoverageParams
    ledger : InputLedger
    calibration : Calibration, optional
        The one that is used.
    """
    there = sectors[sectors["kind"] != "indoor"]
    rows, cols = pixel_of(surface.geobox, there["x"].to_numpy(float), there["y"].to_numpy(float))
    old = there.assign(model=np.array(MODEL_NAMES)[models_of(surface, there, rows, cols, params)], stands=True)
    new = new_sectors(equipment)
    macro = ("uma", "rma") if params.model_macro == "auto" and surface.has_clutter else (
        params.model_macro if params.model_macro != "auto" else "uma",)
    new = pd.concat([new[(new["kind"] == "micro") == (model == "umi")].assign(model=model, stands=False)
                     for model in ("umi", *macro)])
    columns = ["kind", "freq_mhz", "antenna_height_m", "model", "stands"]
    table = pd.concat([old[columns], new[columns]], ignore_index=True)
    table["calibrated"] = False if calibration is None else holds_for(calibration, table)
    if calibration is not None:
        table = table[~table["calibrated"] | (calibration.base != "table")]
        table.loc[table["calibrated"], "model"] = calibration.base
    for (model, kind, calibrated), group in table.groupby(["model", "kind", "calibrated"], sort=True):
        _tell_ranges(str(model), str(kind), group, params, ledger, "校正模型" if calibrated else "传播模型")


def _tell_ranges(model: str, kind: str, group: pd.DataFrame, params: CoverageParams, ledger: InputLedger,
                 lead: str) -> None:
    """Notes on the sectors of one model and kind; ``lead`` says which formula they take."""
    height, stands = group["antenna_height_m"].to_numpy(float), group["stands"].to_numpy(bool)
    reach_m = params.micro_range_m if kind == "micro" else params.max_range_m
    flags = validity(model, np.full(len(group), reach_m), group["freq_mhz"].to_numpy(float) / 1000.0, height,
                     params.receiver_height_m)
    shown, how = f"{model} {kinds_zh([kind])}", "仍按公式计算" if lead == "传播模型" else "公式之上加校正,仍照算"
    for bit, words in VALIDITY_WORDS.items():
        outside = (flags & int(bit)) > 0
        if not outside.any() or (bit is Validity.MAST and model in STATED_M):
            continue
        what = f"算到 {reach_m:g} 米,{words}" if bit is Validity.FAR else words
        ledger.add("stations", "", _counted(int((outside & stands).sum()), (outside & ~stands).any(), kind), "", shown,
                   "note", f"{lead} {MODEL_WORDS[model]}:{what},{how}",
                   "减小 coverage 的 max_range_m 或 micro_range_m" if bit is Validity.FAR else
                   "结论依赖这些扇区时,用实测校正或改用别的模型")
    if model in STATED_M and stands.any():
        stated, low, high = STATED_M[model]
        far = int((stands & ((height < low) | (height > high))).sum())
        if 2 * far > int(stands.sum()):
            ledger.add("stations", "", f"共 {far} 个扇区", "antenna_height_m", shown, "note",
                       f"{lead} {MODEL_WORDS[model]} 的公式按挂高 {stated:g} 米给出,{int(stands.sum())} 个扇区中有 "
                       f"{far} 个低于 {low:g} 米或高于 {high:g} 米,{how}", "核对挂高和站型;结论依赖这些扇区时,用实测校正")


def _counted(number: int, planned: bool, kind: str) -> str:
    """How many sectors stand, and whether the site type that may be built is among them."""
    parts = [f"现有 {number} 个扇区"] * bool(number) + [f"拟建{kinds_zh([kind])}"] * bool(planned)
    return "、".join(parts)


def tell_masts(surface: Surface, sectors: pd.DataFrame, stations: gpd.GeoDataFrame, equipment: Equipment,
               ledger: InputLedger) -> None:
    """What is assumed of existing sectors: the ground they stand on where it is unknown, antennas without a direction.

    Parameters
    ----------
    surface : Surface
    sectors : DataFrame
        Of the stations on the grid, see ``SECTOR_COLUMNS``.
    stations : GeoDataFrame
        Their rows in the layer, with ``source_site``, ``source_file`` and ``source_row``.
    equipment : Equipment
    ledger : InputLedger
    """
    radiating = sectors[sectors["kind"] != "indoor"]
    rows, cols = pixel_of(surface.geobox, radiating["x"].to_numpy(float), radiating["y"].to_numpy(float))
    if surface.known.any():  # where no ground is known at all, the ground itself says so
        blind = stations.loc[radiating.index[~surface.known[rows, cols]]]
        ground = dict(zip(radiating.index, surface.ground_m[rows, cols], strict=True))
        for site, mine in blind.groupby("source_site", sort=True):
            ledger.add("stations", str(mine["source_file"].iloc[0]), "、".join(mine["source_row"]), "geometry", site,
                       "assumed", f"站址离有地面高程的地方超过 {FILL_LIMIT_M:.0f} 米,按最近的已知高程 {ground[mine.index[0]]:.0f} 米架设天线",
                       "补全 ground 图层在该站址处的高程,或核对站址坐标")
    omni = {name for name, antenna in equipment.antennas.items() if antenna.omni}
    aimless = stations.loc[radiating.index[radiating["azimuth_deg"].isna() & ~radiating["antenna"].isin(omni)]]
    antennas = radiating["antenna"].reindex(aimless.index)
    for (file, antenna), mine in aimless.groupby([aimless["source_file"].astype("str"), antennas], sort=True):
        ledger.add("stations", str(file), "、".join(mine["source_row"]), "azimuth_deg", "、".join(map(str, mine.index)),
                   "assumed", f"{len(mine)} 个扇区用定向天线 {antenna} 而没有方位角,按各方向都是其最大增益 "
                   f"{equipment.antennas[antenna].gain_dbi:g} dBi 计算,信号偏强", "补填方位角;确为全向的改用全向天线(如 macro_omni)")


def _tell_absent(layers: Layers, ledger: InputLedger) -> None:
    """One ledger note for each absent layer (or pair of layers) that changes the result."""
    for names, effect in ABSENT:
        if not any(layers.has(name) for name in names):
            ledger.add(names[0], "", "", "", "", "note", effect, f"需要时增加 [layers.{names[0]}]")


UNUSED = ("clutter", "measurements")
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


def tell_area_faults(layer: str, areas: gpd.GeoDataFrame, demand: Demand, pixels: AreaPixels, surface: Surface,
                     ledger: InputLedger) -> None:
    """One note for each overlap, duplicate, sliver and the like among villages or zones."""
    known = np.where(surface.known, np.float32(0), np.float32(np.nan))
    for fault in area_faults(areas, demand.geobox, demand, pixels, known).itertuples():
        file = str(areas["source_file"].get(fault.area, "")) if "source_file" in areas else ""
        ledger.add(layer, file, str(fault.area), "geometry", str(fault.other), "note", str(fault.reason),
                   str(fault.remedy))


def tell_people(tables: Mapping[str, gpd.GeoDataFrame], demand: Demand, networks: Collection[str],
                ledger: InputLedger) -> None:
    """What is assumed of people, and which complaints do not count or name an operator without a network."""
    ledger.extend(demand.notes)
    if len(tables["complaints"]):
        ledger.extend(complaint_notes(tables["complaints"]))
        ledger.extend(operator_notes(tables["complaints"], networks))


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
