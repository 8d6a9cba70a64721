"""Write docs/study-file.md, and the tables inside other pages, from the code: ``python docs/make_pages.py``.

Type, default and range of a key come from ``siteplan.params``; the Chinese sentence of every key stands here. A key
without a sentence, or a sentence without a key, is an error, so the page cannot fall behind the code. In the other pages
what stands between ``<!-- name -->`` and ``<!-- /name -->`` is written anew.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, get_args, get_origin

import numpy as np
import pandas as pd
from pydantic import BaseModel
from pydantic.fields import FieldInfo

from siteplan.coverage import MODEL_NAMES
from siteplan.coverage._antennas import Antenna, SsbBeam
from siteplan.coverage._equipment import Band, SiteType, load_equipment
from siteplan.coverage._sectors import _usual_antenna
from siteplan.coverage._sensitive import load_exposure
from siteplan.export._detailed_plan import site_fields
from siteplan.gaps import load_rules
from siteplan.gaps.rules import KIND_ZH
from siteplan.layers.formats.catalogue import load_formats
from siteplan.layers.kinds.band_table import load_bands
from siteplan.params import LAYER_NAMES, REQUIRED_PAIRS, CoverageParams, ExposureAntennaParams, LayerSource, StudyParams
from siteplan.radio import MODEL_WORDS, epre_dbm, sight_loss_db, validity
from siteplan.schema import coordinate_words, layer_names_zh, load_columns, place_words
from siteplan.venues import load_venues

DOCS = Path(__file__).resolve().parent

TABLES_ZH = {
    "study": "研究本身", "coverage": "覆盖预测", "gaps": "用哪条规则判定", "candidates": "哪里可以设站", "selection": "选几处、偏向谁",
    "equipment": "设备：频段、天线、新站带什么", "exposure": "电磁环境筛查",
}

KEYS_ZH = {
    "study.name": "研究名称，写在地图和各张表上",
    "study.crs": "研究坐标系，须为以米为单位的投影坐标系，如 `EPSG:4547`；不写时按数据位置选 CGCS2000 三度带（境外用 UTM），并记入数据问题清单",
    "study.resolution_m": "预测栅格的像元边长，米；越小越细，也越慢",
    "study.margin_m": "预测范围比规划范围四周多出的宽度，米；范围外的基站也在这个宽度内参与计算",
    "study.synthetic": "数据是虚构的：成果上注明“合成数据”",
    "study.notices": "成果上要带的声明（许可、替代数据、保密要求等）",
    "study.stand_in_5g": "没有 5G 工参时用 4G 小区代替；成果上会注明",
    "study.map_approval_no": "审图号，写在地图上；没有就留空",
    "coverage.threshold_dbm": "SS-RSRP 达到此值算有信号，dBm",
    "coverage.receiver_height_m": "接收终端离地高度，米（室外行人手持 1.5 m）",
    "coverage.max_range_m": "宏站扇区算到多远，米；再远按没有信号处理",
    "coverage.micro_range_m": "微站扇区算到多远，米",
    "coverage.model_macro": "宏站传播模型：`auto` 按周围建筑多少选 uma（城区）或 rma（农村），也可以强制其一（都是 TR 38.901）；"
                            "另有 `cost231`（COST231-Hata，1.5–2 GHz）、`p2108`（自由空间，遮挡时加 P.2108 统计地物损耗）、"
                            "`free_space`（自由空间），见 [覆盖预测](coverage.md)",
    "coverage.built_share_uma": "`auto` 时，500 m 内地物高于 2 m 的像元占比达到此值用 uma，否则用 rma",
    "coverage.building_weight": "对建筑视距判断信几分，0–1：1 = 建筑表面说通视就按视距、说遮挡就按非视距；0 = 不看表面，"
                                "处处取 TR 38.901 按视距概率的平均。缺省 0.25 由成都、累西腓的实测选出。地形遮挡不打折",
    "coverage.diffraction_weight": "屋顶单刃峰绕射损耗计入的比例，0–1；实测校正一般在 0.1 左右，全额计入反而更差",
    "coverage.diffraction_cap_db": "屋顶绕射损耗打折前的上限，dB",
    "coverage.terrain_diffraction": "地形绕射：`bullington`（ITU-R P.526）或 `knife_edge`（最大的单刃峰）",
    "coverage.sight": "视距与绕射：`sweep` 径向扫描（快），`exact` 逐像元精确剖面（慢几倍，供核对）",
    "coverage.pattern_depth_db": "天线方向图最大衰减的上限，dB；街道反射使实际旁瓣、背瓣没有那么深时调小",
    "coverage.pattern_scale": "方向图衰减乘以此数，0–1；街道反射会填平方向图。缺省 0.5 由成都、累西腓的实测选出，校正时拟合",
    "coverage.body_loss_db": "人体损耗，dB；0 = 路测口径",
    "coverage.load_share": "干扰小区的资源负荷，0–1；工参有负荷列的扇区以工参为准",
    "coverage.noise_figure_db": "终端噪声系数，dB",
    "coverage.indoor": "是否同时预测建筑内的信号（墙体损耗和进深损耗按 TR 38.901）",
    "coverage.wall": "墙体：`low` 普通玻璃，`high` 镀膜玻璃",
    "coverage.indoor_threshold_dbm": "室内算有信号的门限，dBm；不写 = 同 `threshold_dbm`",
    "coverage.calibration": "校正文件（TOML），相对于研究文件；由路测或测量报告拟合（notebooks/07_calibrate.ipynb），在其频段内代替 TR 38.901",
    "coverage.model_sigma_db": "模型本身的误差（均方根），dB；与阴影衰落按平方和合并，缺省合计约 13 dB，即未校正模型在实测上的离散；"
                               "越大预测越保守。用校正文件时以其中的标准差为准。0 = 只计阴影衰落",
    "coverage.raise_above_roofs": "宏站挂高低于所在位置的建筑时，按楼顶以上 3 米计算（数据问题清单逐站说明）",
    "coverage.tile_px": "分块计算的块边长，像元；只影响内存，不影响结果",
    "gaps.village_rule": "行政村用哪条规则判定（规则名见 [规则与数字](rules-and-numbers.md)）",
    "gaps.zone_rule": "重点区域用哪条规则判定",
    "gaps.gap_probability": "覆盖概率低于此值的像元算空洞；候选站达到此概率才算服务到一个需求格",
    "gaps.min_gap_area_m2": "小于此面积的空洞不列出，平方米",
    "candidates.pole_spacing_m": "路灯杆按此间距抽稀，米；0 = 不抽稀",
    "candidates.venue_min_roof_m": "公共场所楼顶不低于此高度才装在楼面，否则在院内立落地塔，米",
    "candidates.roof_spacing_m": "非公共建筑楼顶按此间距抽稀，米；0 = 不抽稀",
    "candidates.roof_min_height_m": "非公共建筑楼顶不低于此高度才作候选，米",
    "candidates.gap_radius_macro_m": "宏站候选在此距离内须有覆盖空洞，米",
    "candidates.gap_radius_micro_m": "微站候选在此距离内须有覆盖空洞，米",
    "candidates.min_distance_existing_m": "宏站候选距现有 5G 宏站至少这么远，米",
    "candidates.serves": "新站服务哪些运营商，写法同工参（`中国电信` 即 `电信`，`电信&联通` 算两家）；`[\"*\"]` = 全部 5G 网络共享",
    "selection.max_sites": "最多新建几处",
    "selection.budget_yuan": "投资上限，元；不写 = 不限",
    "selection.max_yuan_per_gain": "每新增服务一人（加权需求）最多花多少元，更贵的不建，元/人",
    "selection.min_gain": "一处站新增服务的加权需求少于此值就不值得建，人（加权）",
    "selection.spacing_m": "两处新站的最小间距，米",
    "selection.demand_cell_m": "空洞内需求归并到多大的格子再选址，米",
    "selection.floor_area_per_person_m2": "没有人口数据时，多少平方米建筑面积折一个人",
    "selection.zone_priority": "重点区域内需求的权重倍数",
    "selection.area_people_per_km2": "空地的权重：每平方公里折多少人；0 = 只看有人的地方",
    "selection.point_people": "一个未覆盖的规则点位（村委会、学校、卫生室等）折多少人",
    "equipment.bands": "频段，写作 `[equipment.bands.名称]` 一节；键见下",
    "equipment.antennas": "天线，写作 `[equipment.antennas.名称]` 一节；键见下",
    "equipment.site_types": "新站的类型（`macro`、`micro`）带什么，写作 `[equipment.site_types.名称]` 一节；键见下",
    "exposure.management_share": "单个站址可用限值的多少，0–1；决定“超过单站管理值”和筛查半径",
    "exposure.least_radius_m": "至少在多远之内找敏感建筑，米",
    "exposure.taller_radius_m": "水平多远之内不得有高于天线的敏感建筑，米；地方另有规定时改",
    "exposure.storey_m": "层高，米；敏感建筑每层取一个点",
    "exposure.roof_loss_db": "天线在楼顶时，屋面板对楼内的衰减，dB；0 = 不计（最不利）",
    "exposure.antennas": "天线在暴露计算中怎样辐射，写作 `[exposure.antennas.名称]` 一节；键见下",
}

ENTRY_TABLES = {"bands": ("频段", Band), "antennas": ("天线", Antenna), "site_types": ("新站类型", SiteType), "beams": ("SSB 波束", SsbBeam)}
ENTRY_ZH = {
    "bands.freq_mhz": "下行中心频率，MHz；工参只有频率时，带宽和子载波间隔取同制式中最近的频段",
    "bands.bandwidth_mhz": "载波带宽，MHz",
    "bands.scs_khz": "子载波间隔，kHz",
    "bands.resource_blocks": "载波的资源块数；总功率按它折算每 RE 功率",
    "bands.technology": "制式",
    "bands.source": "数值的来源",
    "antennas.gain_dbi": "最强方向的增益，dBi",
    "antennas.horizontal_deg": "水平半功率角，度；360 = 全向",
    "antennas.vertical_deg": "垂直半功率角，度",
    "antennas.side_lobe_db": "垂直面的最大衰减，dB",
    "antennas.depth_db": "总衰减的上限，dB；`coverage.pattern_depth_db` 再限一次",
    "antennas.feeder_db": "发射机到天线的损耗，dB；工参有馈线损耗列时以工参为准",
    "antennas.beams": "SSB 波束集：水平面取各波束（阵元方向图 × 波束）的包络；`horizontal_deg` 为阵元的半功率角",
    "antennas.pattern": "实测方向图文件（MSI Planet：.msi、.pln、.ant、.txt），相对于研究文件；写了它，增益、半功率角可不写，按文件",
    "antennas.source": "数值的来源",
    "site_types.band": "频段的名称",
    "site_types.antenna": "天线的名称",
    "site_types.power_w": "每扇区总功率，W",
    "site_types.azimuths_deg": "各扇区的方位角，度；`[]` = 一个全向扇区",
    "site_types.planning_radius_m": "没有邻站距离时，下倾角瞄准的半径，米",
    "site_types.cost_yuan": "一处新站的设备造价，元",
    "site_types.source": "数值的来源",
    "beams.azimuth_deg": "波束轴线，从天线法线顺时针，度",
    "beams.width_deg": "波束的半功率宽度，度",
    "beams.gain_db": "比最强波束低多少，dB（0 或负数）",
}

EXPOSURE_ZH = {
    "factor": "功率折减 F：下行时间占比（TDD）与波束摆动的功率折减之积，0–1；1 = 满功率不间断（最不利）",
    "gain_dbi": "业务波束的增益，dBi（不是 SSB 的增益）",
    "horizontal_deg": "业务波束的水平半功率角，度",
    "vertical_deg": "业务波束的垂直半功率角，度",
    "steer_horizontal_deg": "波束水平偏离轴线可达多少度，此范围内按满增益计",
    "steer_vertical_deg": "同上，垂直面",
    "element_deg": "阵元的垂直半功率角，度；限制阵列向正上、正下能发多少",
}

SOURCE_ZH = {
    "path": "文件，或文件列表；相对于研究文件所在文件夹，路径分隔用 `/`",
    "crs": "文件没有坐标系或写错时，在此写明，如 `EPSG:4547`",
    "datum": "经纬度的基准：`wgs84`、`cgcs2000`、`gcj02`（高德、腾讯）、`bd09`（百度）；图商坐标必须写明，程序不猜",
    "encoding": "文本编码，如 `GBK`；不写时自动判断，并记入数据问题清单",
    "towgs84": "原坐标基准到 WGS84 的 3 或 7 参数：dX、dY、dZ（米）、rX、rY、rZ（角秒，位置矢量法）、尺度（ppm）；北京54、西安80 数据必须给出",
    "shift_m": "整层平移多少米 `[东, 北]`：程序报告图层偏移、人工核实后才写；程序自己从不平移",
    "member": "ZIP 内的文件，如 `子目录/村.shp`；`*` 代表任意文字；包内只有一个图层文件时可不写",
    "layer": "文件内的图层名或工作表名，几个用逗号分开；文件里只有一个时可不写",
    "where": "属性筛选条件（OGR SQL 的 WHERE 部分），如 `name IN ('城关镇')`；矢量文件、CSV、XLSX",
    "nodata": "栅格中表示无数据的值，文件自己没有声明时写",
    "unit": "栅格高程的单位",
    "columns": "列名对应，写作 `字段 = \"文件里的列名\"`；能自动认出的列不必写，可认的写法见 [图层与字段](layers.md)",
}

USE_ZH = {
    "boundary": "划定规划范围；不给时用行政村（或重点区域）的并集",
    "buildings": "遮挡、楼顶候选、公共设施的楼高；无人口时以建筑面积代替",
    "heights": "遮挡：与建筑物取高者",
    "ground": "地形遮挡、站址高程；只有 heights 时按平地算",
    "poles": "微站候选", "facilities": "宏站候选：公共场所优先", "villages": "逐村判定", "village_points": "村委会、学校、卫生室等点位判定",
    "zones": "逐个重点区域判定，区内需求加权", "stations": "现状覆盖；没有 5G 的铁塔作利旧候选",
    "population": "需求（点或面；人口栅格会读入，但尚未用于需求）",
    "towns": "站址所属镇街，地图", "counties": "站址所属县区，地图", "roads": "地图", "rail": "地图", "water": "水域内不设站，地图",
    "units": "站址所在编制单元", "parcels": "站址所在地块和用地代码", "restricted": "限制区内不设站，地图",
    "clutter": "地物类别；只有校正文件含地物分类项时参与预测", "measurements": "拟合校正文件（notebooks/07_calibrate.ipynb）；不会自己改变结果",
    "complaints": "", "works": "", "planned_buildings": "", "power": "", "fibre": "",
    "demands": "", "decisions": "",
}
NOT_YET = "仅读入检查，尚未参与计算"


def type_zh(annotation: Any) -> str:
    """Chinese name of a type, as a planner writes it in TOML."""
    if get_origin(annotation) is not None and type(None) in get_args(annotation):
        return "或".join(type_zh(part) for part in get_args(annotation) if part is not type(None))
    if str(get_origin(annotation)) == "typing.Literal":
        return "、".join(f"`\"{word}\"`" if isinstance(word, str) else f"`{word}`" for word in get_args(annotation)) + " 之一"
    if get_origin(annotation) is tuple:
        return "表的列表" if annotation == tuple[SsbBeam, ...] else "数的列表"
    if get_args(annotation) and get_origin(annotation) not in (list, dict):
        return "或".join(type_zh(part) for part in get_args(annotation))
    names = {float: "数", int: "整数", bool: "true / false", str: "文本", list[float]: "数的列表", list[str]: "文本列表", dict[str, str]: "表",
             dict[str, dict[str, Any]]: "若干节", dict[str, ExposureAntennaParams]: "若干节"}
    return names[annotation]


def range_zh(field: FieldInfo) -> str:
    """Bounds of a field: ``1–200``, ``>0，<1``; empty when it has none."""
    bounds = {name: getattr(rule, name) for rule in field.metadata for name in ("ge", "gt", "le", "lt")
              if getattr(rule, name, None) is not None}
    if set(bounds) == {"ge", "le"}:
        return f"{bounds['ge']:g} – {bounds['le']:g}"
    signs = {"ge": "≥", "gt": ">", "le": "≤", "lt": "<"}
    lengths = [f"至多 {rule.max_length} 字" for rule in field.metadata if getattr(rule, "max_length", None)]
    return "，".join([f"{signs[name]} {value:g}" for name, value in bounds.items()] + lengths)


def default_zh(field: FieldInfo) -> str:
    """Default of a field as it is written in TOML."""
    if field.is_required():
        return "**必填**"
    value = field.get_default(call_default_factory=True)
    if value is None or value in ("", [], {}, ()):
        return "（空）"
    if isinstance(value, bool):
        return f"`{str(value).lower()}`"
    if isinstance(value, list):
        return "`[" + ", ".join(f'"{word}"' for word in value) + "]`"
    return f"`\"{value}\"`" if isinstance(value, str) else f"`{value:g}`"


def key_rows(model: type[BaseModel], sentences: Mapping[str, str], prefix: str = "") -> Iterator[str]:
    """Rows of the table of one model."""
    for name, field in model.model_fields.items():
        cells = (f"`{name}`", type_zh(field.annotation), default_zh(field), range_zh(field), sentences[f"{prefix}{name}"])
        yield "| " + " | ".join(cells) + " |"


def settings_tables() -> dict[str, type[BaseModel]]:
    """Tables of a study file other than ``[layers.*]``."""
    return {name: field.annotation for name, field in StudyParams.model_fields.items()
            if isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel)}


def faults() -> list[str]:
    """Keys without a Chinese sentence, and sentences without a key."""
    keys = {f"{table}.{name}" for table, model in settings_tables().items() for name in model.model_fields}
    pairs = ((keys, set(KEYS_ZH)), (set(LayerSource.model_fields), set(SOURCE_ZH)), (set(LAYER_NAMES), set(USE_ZH)),
             (set(settings_tables()), set(TABLES_ZH)), (set(ExposureAntennaParams.model_fields), set(EXPOSURE_ZH)),
             ({f"{table}.{name}" for table, (_, model) in ENTRY_TABLES.items() for name in model.model_fields}, set(ENTRY_ZH)))
    return [f"{name}: only in the {'code' if name in known else 'page'}" for known, said in pairs for name in sorted(known ^ said)]


def equipment_lines(head: str) -> Iterator[str]:
    """The part on entries of ``[equipment]``."""
    yield from ("名称与程序自带的条目相同时，只改写出的键，其余照旧；其他名称是新条目，必填的键都要写；名称含汉字、空格、点时加引号。自带的：", "")
    known = load_equipment()
    for name in ("bands", "antennas", "site_types"):
        yield f"- {ENTRY_TABLES[name][0]} `{name}`：" + "、".join(f"`{entry}`" for entry in getattr(known, name))
    yield ""
    for name, (zh, model) in ENTRY_TABLES.items():
        title = f"`beams` 中的每一个（{zh}）" if name == "beams" else f"`[equipment.{name}.名称]` {zh}"
        yield from (f"### {title}", "", head, *key_rows(model, ENTRY_ZH, f"{name}."), "")
    yield from ("例：", "", "```toml", "[equipment.antennas.AAU5613]          # 工参“天线型号”列写 AAU5613 的小区用它",
                'pattern = "antennas/AAU5613_2600.msi"', "", "[equipment.site_types.macro]           # 新建宏站改用 2.6 GHz",
                'band = "n41"', 'antenna = "AAU5613"', "```", "")


def exposure_lines(head: str) -> Iterator[str]:
    """The part on entries of ``[exposure]``."""
    known = "、".join(f"`{name}`" for name in load_exposure().antennas)
    yield from ("不写的键取 `siteplan/tables/exposure.toml` 的值；限值（GB 8702-2014）、敏感目标类别只在该表中。", "",
                "### `[exposure.antennas.名称]` 天线", "",
                (f"名称是设备表或 `[equipment.antennas]` 中的天线。{known} 在表中已有条目，只改写出的键；"
                 "其他天线不写就按设备表的增益、方向图满功率计。"), "",
                head, *key_rows(ExposureAntennaParams, EXPOSURE_ZH), "", "例：", "", "```toml",
                "[exposure.antennas.macro_64t]          # 运营商给出的实际平均功率占比", "factor = 0.25", "```", "")


def study_file() -> str:
    """The text of docs/study-file.md."""
    if faults():
        raise SystemExit("docs/make_pages.py: " + "; ".join(faults()))
    head = "| 键 | 类型 | 缺省 | 范围 | 含义 |\n|---|---|---|---|---|"
    lines = ["# 研究文件（study.toml）", "", "由 `python docs/make_pages.py` 生成，请勿手改。", "",
             "一座城市一个研究文件：UTF-8 编码的 TOML，写明图层在哪里、按什么规则算。键名为英文，不认识的键会报错并提示最接近的写法；",
             "全部问题一次列出。`siteplan check 研究文件` 只读入并检查图层，`siteplan run 研究文件 --out 文件夹` 写出全部成果。",
             "完整的例子见 [data/xikou/study.toml](../data/xikou/study.toml)。", ""]
    for table, model in settings_tables().items():
        lines += [f"## `[{table}]` {TABLES_ZH[table]}", "", head, *key_rows(model, KEYS_ZH, f"{table}."), ""]
        lines += equipment_lines(head) if table == "equipment" else exposure_lines(head) if table == "exposure" else ()
    lines += ["## `[layers.图层名]` 图层从哪里来", "",
              "每个图层一张表，图层名见下一节。同一图层的几个文件要求不同时（坐标基准、列名不一），写几张 `[[layers.图层名]]`。", "", head,
              *key_rows(LayerSource, SOURCE_ZH), "",
              "## 图层名", "", "至少要有：" + "；".join(f"`{a}` 或 `{b}`" for a, b in REQUIRED_PAIRS) + "。其余可选，少一层就少一项结果。",
              "各图层的列见 [图层与字段](layers.md)。", "", "| 图层名 | 内容 | 用途 |", "|---|---|---|"]
    lines += [f"| `{name}` | {layer_names_zh()[name]} | {USE_ZH[name] or NOT_YET} |" for name in LAYER_NAMES]
    return "\n".join([*lines, ""])


def layers_page() -> str:
    """The text of docs/layers.md: every layer and column, from ``tables/columns.toml``."""
    kinds = {"polygon": "面", "point": "点", "line": "线", "any": "任意", "none": "无坐标"}
    needs = {(True, True): "是", (False, True): "填则须合格", (False, False): ""}
    types = {"text": "文本", "float": "数", "int": "整数", "bool": "是否", "date": "日期"}
    lines = ["# 图层与字段", "", "由 `python docs/make_pages.py` 按 `siteplan/tables/columns.toml` 生成，请勿手改。",
             "", "列名不分大小写、全角半角，忽略空格、下划线和括号里的单位（单位不同时自动换算）。",
             "点图层可用经纬度列：" + "、".join((*coordinate_words()["lon"][:4], *coordinate_words()["lat"][:4]))
             + "；或东、北坐标列：" + "、".join((*coordinate_words()["x"][:4], *coordinate_words()["y"][:4]))
             + "（不带带号的须写明 crs）；两个坐标在一格的列："
             + "、".join(place_words()["pair"][:3]) + "；或几何文字（WKT、GeoJSON）的列："
             + "、".join(place_words()["shape"][:4]) + "。",
             "认不出的列在研究文件的 `columns` 写明（`字段 = \"文件里的列名\"`），字段名或列名写错时停止运行。", ""]
    for name, schema in load_columns().items():
        lines += [f"## {schema.zh} `{name}`", "", f"几何：{kinds[schema.geometry]}；主键：`{schema.key}`", "",
                  "| 字段 | 中文名 | 类型 | 单位 | 必填 | 范围 | 缺省 | 文件中可写作 |",
                  "|---|---|---|---|---|---|---|---|"]
        for spec in schema.fields.values():
            bounds = "" if spec.low is None and spec.high is None else f"{spec.low:g}–{spec.high:g}"
            default = "" if spec.default is None else str(spec.default)
            lines.append(f"| `{spec.name}` | {spec.zh} | {types[spec.type]} | {spec.unit} | "
                         f"{needs[spec.required, spec.strict]} | {bounds} | {default} | {'、'.join(spec.accepts)} |")
        lines.append("")
    return "\n".join(lines)


def fields_table() -> str:
    """Fields of the site layer, from ``tables/export_fields.toml``."""
    types = {"text": "文本，{width} 字节", "int": "整数", "float": "数，{decimals} 位小数"}
    rows = [f"| `{name}` | `{entry['out']}` | {entry['zh']} | {types[entry['type']].format(**entry)} |"
            for name, entry in site_fields().items()]
    return "\n".join(["| 字段 | Shapefile | 中文名 | 类型 |", "|---|---|---|---|", *rows])


def rules_table() -> str:
    """Coverage rules, from ``tables/rules.toml``."""
    rows = []
    for rule in load_rules().values():
        points = f"{'、'.join(KIND_ZH[kind] for kind in rule.kinds)}；点位概率 {rule.point_probability:g}" if rule.kinds else ""
        points += f"；{rule.technology}" if rule.technology != "5G" else ""
        rows.append(f"| `{rule.id}` | {rule.zh} | `{rule.measure}` | {rule.minimum:g} | {points} | {rule.source} |")
    return "\n".join(["| 编号 | 规则 | 量什么 | 下限 | 点位 | 出处 |", "|---|---|---|---|---|---|", *rows])


def tiers_table() -> str:
    """Tiers of candidate sites and the venue classes in each, from ``tables/venues.toml``."""
    venues = load_venues()
    rows = []
    for number, tier in sorted(venues.tiers.items()):
        classes = "、".join(entry.zh for entry in venues.classes.values() if entry.tier == number)
        rows.append(f"| {number} | {tier.zh} | {tier.preference:g} | {classes} |")
    return "\n".join(["| 层级 | 名称 | 系数 | 场所类别 |", "|---|---|---|---|", *rows])


def exposure_table() -> str:
    """Columns of the exposure screening, from ``tables/exposure.toml``."""
    rows = [f"| `{name}` | {entry['zh']} | {entry['unit']} | {entry['said']} |"
            for name, entry in load_exposure().columns.items()]
    return "\n".join(["| 列 | 表头 | 单位 | 含义 |", "|---|---|---|---|", *rows])


def radius_words(model: str, freq_ghz: float, power_dbm: float, height_m: float) -> str:
    """Distance where the median falls to the default threshold, in the clear / blocked, km; ``*`` = outside of the ranges."""
    params, longest_m = CoverageParams(), 20_000.0
    distance = np.geomspace(10.0, longest_m, 5000)
    words = []
    for sight, loss in zip((True, False), sight_loss_db(model, distance, freq_ghz, height_m, params.receiver_height_m,
                                                       params.building_weight), strict=True):
        served = distance[power_dbm - loss >= params.threshold_dbm]
        radius = float(served[-1]) if served.size else 0.0
        mark = "*" if validity(model, radius, freq_ghz, height_m, params.receiver_height_m, sight).any() else ""
        words.append("> 20" if radius >= longest_m else f"{radius / 1000.0:#.2g}".rstrip(".") + mark)
    return words[0] if words[0] == words[1] else " / ".join(words)


def radii_table() -> str:
    """Reach of a new macro site by model and band, from ``tables/equipment.toml`` and the default settings."""
    equipment = load_equipment()
    site, bands = equipment.site_types["macro"], {name: equipment.bands[name] for name in ("n28", "n1", "n41", "n78", "n79")}
    sectors = pd.DataFrame({"kind": "macro", "freq_mhz": [band.freq_mhz for band in bands.values()], "technology": "5G",
                            "azimuth_deg": 0.0})
    antennas = [equipment.antennas[name] for name in _usual_antenna(sectors)]
    power = [float(epre_dbm(site.power_w, band.resource_blocks)) + antenna.gain_dbi - antenna.feeder_db
             for band, antenna in zip(bands.values(), antennas, strict=True)]
    height = load_bands()["assumed"]["antenna_height_m"]["macro"]
    head = [f"{name}（{band.freq_mhz:g} MHz）" for name, band in bands.items()]
    rows = [["模型", *head], ["---"] * (1 + len(head)), ["EPRE + 增益 dBm", *(f"{value:.1f}" for value in power)]]
    for model in MODEL_NAMES:
        rows.append([f"`{model}` {MODEL_WORDS[model]}", *(
            radius_words(model, band.freq_mhz / 1000.0, value, height) for band, value in zip(bands.values(), power, strict=True))])
    return "\n".join("| " + " | ".join(cells) + " |" for cells in rows)


def formats_table(*kinds: str) -> str:
    """Formats of some kinds, from ``tables/formats.toml``."""
    rows = [f"| {entry.zh} | {'、'.join(f'`{suffix}`' for suffix in entry.suffixes)} | {entry.detects} | {entry.refuses} |"
            for entry in load_formats().values() if entry.kind in kinds]
    return "\n".join(["| 格式 | 文件名后缀 | 自动识别 | 拒收与限制 |", "|---|---|---|---|", *rows])


def refused_table() -> str:
    """Formats that are not read, and what to do instead."""
    rows = [f"| {entry.zh} | {'、'.join(f'`{suffix}`' for suffix in entry.suffixes)} | {entry.advice} |"
            for entry in load_formats().values() if entry.kind == "refused"]
    return "\n".join(["| 格式 | 文件名后缀 | 怎么办 |", "|---|---|---|", *rows])


BLOCKS = {"coverage.md": {"radii": radii_table},
          "formats.md": {"vectors": lambda: formats_table("vector"), "tables": lambda: formats_table("table"),
                         "rasters": lambda: formats_table("raster"), "archives": lambda: formats_table("archive"),
                         "refused": refused_table},
          "outputs.md": {"fields": fields_table, "exposure": exposure_table}, "rules-and-numbers.md": {"rules": rules_table, "tiers": tiers_table}}


def filled(name: str) -> str:
    """The text of a page with its tables written anew."""
    text = (DOCS / name).read_text("utf-8")
    for block, table in BLOCKS[name].items():
        start, end = f"<!-- {block} -->\n", f"<!-- /{block} -->"
        before, rest = text.split(start)
        text = f"{before}{start}{table()}\n{end}{rest.split(end)[1]}"
    return text


def pages() -> dict[str, str]:
    """Every page that is written, or partly written, from the code: name -> text."""
    return {"study-file.md": study_file(), "layers.md": layers_page(), **{name: filled(name) for name in BLOCKS}}


if __name__ == "__main__":
    for name, text in pages().items():
        (DOCS / name).write_text(text, encoding="utf-8", newline="\n")
