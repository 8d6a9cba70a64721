"""Write docs/study-file.md, and the tables inside other pages, from the code: ``python docs/make_pages.py``.

Type, default and range of a key come from ``siteplan.params``, the Chinese sentence of every key from
``study_keys.toml``. A key without a sentence, or a sentence without a key, is an error, so the page cannot fall behind
the code. In the other pages what stands between ``<!-- name -->`` and ``<!-- /name -->`` is written anew.
"""

from __future__ import annotations

import datetime as dt
import sys
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, get_args, get_origin

import numpy as np
import pandas as pd
from pydantic import BaseModel
from pydantic.fields import FieldInfo

sys.path.insert(0, str(Path(__file__).resolve().parent))

from register_blocks import REGISTER_BLOCKS, report_sheets_table

from siteplan.candidates.rules.rule_table import SiteRule, site_rules
from siteplan.candidates.table import PREFIX
from siteplan.candidates.traits.costs import CostModel, cost_models_of
from siteplan.candidates.traits.scenes import PlaceScene, scenes_of
from siteplan.coverage import MODEL_NAMES
from siteplan.coverage._antennas import Antenna, SsbBeam
from siteplan.coverage._equipment import Band, SiteType, load_equipment
from siteplan.coverage._sectors import _usual_antenna
from siteplan.coverage._sensitive import load_exposure
from siteplan.export._detailed_plan import site_fields
from siteplan.export._opening import opening_sheets
from siteplan.export.exchange.changes import LAYER_ZH
from siteplan.export.master.plan_layers import FILES as MASTER_FILES
from siteplan.gaps import load_rankings, load_rules, load_targets
from siteplan.gaps.judging.rules import KIND_ZH, Rule
from siteplan.gaps.progress.ranking import Indicator, Weights
from siteplan.gaps.progress.targets import Target
from siteplan.layers.formats.catalogue import load_formats
from siteplan.layers.kinds.band_table import load_bands
from siteplan.params import (
    CANDIDATE_KINDS,
    LAYER_NAMES,
    REQUIRED_PAIRS,
    CoverageParams,
    ExposureAntennaParams,
    LayerSource,
    MapParams,
    PassingParams,
    PhaseParams,
    QuotaParams,
    ShareParams,
    StudyParams,
    TitleParams,
)
from siteplan.profiles import load_profiles
from siteplan.radio import MODEL_WORDS, epre_dbm, sight_loss_db, validity
from siteplan.schema import coordinate_words, layer_names_zh, load_columns, place_words
from siteplan.tables import read_table
from siteplan.venues import Department, Tier, VenueClass, gap_outside, load_venues, profile_names, venues_of

DOCS = Path(__file__).resolve().parent

ENTRY_TABLES = {"bands": ("频段", Band), "antennas": ("天线", Antenna), "site_types": ("新站类型", SiteType), "beams": ("SSB 波束", SsbBeam)}
WORDS: Mapping[str, Mapping[str, str]] = tomllib.loads((DOCS / "study_keys.toml").read_text("utf-8"))
TABLES_ZH, KEYS_ZH, ENTRY_ZH, EXPOSURE_ZH, SOURCE_ZH, USE_ZH = (
    WORDS[name] for name in ("tables", "keys", "entries", "exposure_antennas", "layer_source", "layer_use"))
JUDGING_TABLES = {"rules": ("自己的规则", Rule, "gaps.rules.规则名"), "targets": ("目标", Target, "targets.目标名"),
                  "rankings": ("评分", Weights, "rankings.评分名"),
                  "indicators": ("评分的一个指标", Indicator, "rankings.评分名.indicators.指标")}
PLACE_TABLES = {"site_rules": ("一条场址规则", SiteRule, "candidates.rules.编号"),
                "scenes": ("一个场景", PlaceScene, "candidates.scenes.名称"),
                "costs": ("一个造价模型", CostModel, "candidates.costs.名称"),
                "classes": ("一个场所类别", VenueClass, "venues.classes.名称"), "tiers": ("一个优先级", Tier, "venues.tiers.序号"),
                "departments": ("一个主管部门", Department, "venues.departments.代号")}
"""Entries of ``[candidates]`` and ``[venues]``: Chinese noun, model, where they stand."""
SELECTION_TABLES = {"quotas": ("一条限额", QuotaParams, "[[selection.quotas]]"),
                    "shares": ("一条最低覆盖比例", ShareParams, "[[selection.shares]]"),
                    "phases": ("分期", PhaseParams, "[selection.phases]"),
                    "passing": ("达标个数", PassingParams, "[selection.passing]")}
"""Tables below ``[selection]``: Chinese noun, model, how they are headed."""
DELIVER_TABLES = {"title": ("图签", TitleParams, "[deliver.title]"), "map": ("评审图", MapParams, "[deliver.map]")}
"""Tables below ``[deliver]``, likewise."""
DELIVER_EXAMPLE = (
    "例：", "", "```toml", "[deliver]", 'crs = "EPSG:4526"', 'encoding = "GBK"', 'profiles = ["本市站址.toml"]', "[deliver.county_crs]",
    '"白河县" = "EPSG:4525"', "[deliver.title]", 'institute = "某市规划设计研究院"', "[deliver.map]", 'base = "影像.tif"', "public = true",
    "```", "", "天地图底图：制图时在环境变量 `SITEPLAN_TIANDITU_KEY` 写密钥（联网取图，图存入网页，密钥不存）。", "")
SELECTION_EXAMPLE = (
    "例：", "", "```toml", "[selection]", "max_sites = 60", "free_share_least = 0.3         # 三成以上建在应免费开放的场所",
    "[[selection.quotas]]", 'of = "county"', 'value = "溪西县"', "year = 2026", "least = 5                      # 溪西县 2026年 新建站址 不少于 5 处",
    "[[selection.quotas]]", 'unit = "基站"', 'count = "on_air"', "year = 2028", "least = 10000                  # 含现有的基站",
    "[[selection.shares]]", 'layer = "zones"', "least_share = 0.9", "[selection.phases]", "years = [2026, 2027, 2028]",
    "[selection.passing]", "villages = 25", "```", "")
ENTRY_NAMES = {"id", "code", "number"}
"""Fields that are the name of the entry itself."""
PLACE_NOTES = {
    "site_rules": ("编号与程序自带的相同时只改写出的键；其他编号是一种新的限制区，须写 `zh` 和 `words`。"
                   "各条的含义和缺省距离见 [公共场所与候选站址](venues.md)。"),
    "scenes": "名称与程序自带的相同时只改写出的键；`like` 取另一条的全部键。",
    "costs": "名称与程序自带的相同时只改写出的键；`like` 取另一条的全部键；没有写的键取 `siteplan/tables/costs.toml` 的 `[usual]`。",
    "classes": ("名称与程序自带的相同时只改写出的键；`like` 取另一类的各键，但不取其名称和用词；"
                "`more_words` 在已有的用词之外再加（`words` 则取而代之）。"),
    "tiers": "序号 1 最优先；只改写出的键，新的序号是新的一级。",
    "departments": "代号与程序自带的相同时只改写出的键。"}
PLACE_EXAMPLES = {
    "candidates": ("例：", "", "```toml", "[candidates.rules.ecology_red_line]", "distance_m = 50            # 红线外再让 50 米",
                   "[candidates.rules.water_works]         # 新的限制区类型", 'zh = "水厂防护区"', 'words = ["水厂防护"]',
                   "[candidates.costs.housing_roof]", "rent_yuan_per_year = 26000", "```", ""),
    "venues": ("例：", "", "```toml", "[venues]", 'profile = "hubei"', "[venues.classes.night_market]          # 本市的一类场所",
               'like = "park"', 'zh = "夜市"', 'words = ["夜市"]', "[venues.tiers.4]", "preference = 0.7", "```", "")}
JUDGING_EXAMPLES = {
    "gaps": ("例：", "", "```toml", "[gaps]", 'village_rule = "village_80"', "[gaps.zone_rules]             # 区域类型 = 规则名",
             '"县城主城区" = "area_full"', "[gaps.rules.village_80]", 'like = "area_share_95"', 'zh = "行政村面积覆盖率不低于80%(本市口径)"',
             "minimum = 0.8", "```", ""),
    "targets": ("例：", "", "```toml", "[targets.villages]", 'like = "villages_70_2024"', "by = 2027-12-31", "[rankings.mine]",
                'like = "coverage"', "[rankings.mine.indicators.area_share]", "weight = 0", "[rankings.mine.indicators.zone_rate]",
                "weight = 0.3", "```", "")}
SOURCES_ZH = {"facility": "公共场所", "ground": "公共场所院内用地", "pole": "公共杆体", "building": "其他楼顶", "station": "利旧铁塔",
              "sharing": "共享站址", "planned": "规划建筑", "works": "道路工程新杆", "greenfield": "空地", "demand": "运营商需求"}
NOT_YET = "仅读入检查，尚未参与计算"
RESULT_LAYERS_ZH = {**LAYER_ZH, "stretches": "未覆盖路段", "complaints": "投诉核对", "hot_spots": "投诉热点",
                    "fibre_links": "规划站址到最近光缆的直线（不含光缆本身）", "venues": "开放台账的公共场所"}




def type_zh(annotation: Any) -> str:
    """Chinese name of a type, as a planner writes it in TOML."""
    if get_origin(annotation) is not None and type(None) in get_args(annotation):
        return "或".join(type_zh(part) for part in get_args(annotation) if part is not type(None))
    if str(get_origin(annotation)) == "typing.Literal":
        return "、".join(f"`\"{word}\"`" if isinstance(word, str) else f"`{word}`" for word in get_args(annotation)) + " 之一"
    if get_origin(annotation) is tuple:
        part = get_args(annotation)[0]
        return "表的列表" if part in (SsbBeam, Indicator) else "数的列表" if part is float else "文本列表"
    if get_args(annotation) and get_origin(annotation) not in (list, dict):
        return "或".join(type_zh(part) for part in get_args(annotation))
    if get_origin(annotation) is list and str(get_origin(get_args(annotation)[0])) == "typing.Literal":
        return "文本列表"
    names = {float: "数", int: "整数", bool: "true / false", str: "文本", dt.date: "日期", list[float]: "数的列表",
             list[str]: "文本列表", list[int]: "整数的列表", dict[str, str]: "表", dict[str, float]: "表",
             list[QuotaParams]: "若干节", list[ShareParams]: "若干节", PhaseParams: "一节", PassingParams: "一节",
             TitleParams: "一节", MapParams: "一节",
             dict[str, dict[str, Any]]: "若干节", dict[str, ExposureAntennaParams]: "若干节"}
    return names[annotation]


def range_zh(field: FieldInfo) -> str:
    """Bounds of a field: ``1–200``, ``>0，<1``; empty when it has none."""
    bounds = {name: getattr(rule, name) for rule in field.metadata for name in ("ge", "gt", "le", "lt")
              if getattr(rule, name, None) is not None}
    if set(bounds) == {"ge", "le"}:
        return f"{bounds['ge']:g} – {bounds['le']:g}"
    signs = {"ge": "≥", "gt": ">", "le": "≤", "lt": "<"}
    noun = "个" if get_origin(field.annotation) is list else "字"
    lengths = [f"至多 {rule.max_length} {noun}" for rule in field.metadata if getattr(rule, "max_length", None)]
    return "，".join([f"{signs[name]} {value:g}" for name, value in bounds.items()] + lengths)


def default_zh(field: FieldInfo) -> str:
    """Default of a field as it is written in TOML."""
    if field.is_required():
        return "**必填**"
    value = field.get_default(call_default_factory=True)
    if value is None or isinstance(value, BaseModel) or value in ("", [], {}, ()):
        return "（空）"
    if isinstance(value, bool):
        return f"`{str(value).lower()}`"
    if isinstance(value, list):
        return "`[" + ", ".join(f'"{word}"' if isinstance(word, str) else f"{word:g}" for word in value) + "]`"
    return f"`\"{value}\"`" if isinstance(value, str) else f"`{value:g}`"


def key_rows(model: type[BaseModel], sentences: Mapping[str, str], prefix: str = "",
             without: tuple[str, ...] = (), filled_in: tuple[str, ...] = ()) -> Iterator[str]:
    """Rows of the table of one model; keys that are ``filled_in`` by the program need not be written."""
    for name, field in ((name, field) for name, field in model.model_fields.items() if name not in without):
        default = "（空）" if name in filled_in else default_zh(field)
        cells = (f"`{name}`", type_zh(field.annotation), default, range_zh(field), sentences[f"{prefix}{name}"])
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
             *((set(model.model_fields) - ENTRY_NAMES, set(WORDS[name]))
               for name, (_, model, _) in {**JUDGING_TABLES, **PLACE_TABLES, **SELECTION_TABLES, **DELIVER_TABLES}.items()),
             (set(site_rules()), set(WORDS["site_rule_words"])),
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


def judging_lines(head: str, table: str) -> Iterator[str]:
    """The part on rules (below ``[gaps]``), or on targets and rankings."""
    own = {"gaps": ("rules",), "targets": ("targets", "rankings", "indicators")}[table]
    for name in own:
        zh, model, place = JUDGING_TABLES[name]
        listed = {"rules": load_rules(), "targets": load_targets(), "rankings": load_rankings()}.get(name, {})
        yield from (f"### `[{place}]` {zh}", "")
        if listed:
            yield from ("`like` 取另一条的全部键（含程序自带的），只写要改的。程序自带：" + "、".join(f"`{key}`" for key in listed), "")
        filled_in = ("source",) if name in ("rules", "targets") else ("source", "zh")
        yield from (head, *key_rows(model, WORDS[name], without=("id",), filled_in=filled_in), "")
    yield from JUDGING_EXAMPLES[table]


def place_lines(head: str, table: str) -> Iterator[str]:
    """The part on entries of ``[candidates]`` or ``[venues]``."""
    known = {"site_rules": site_rules(), "scenes": scenes_of({}), "costs": cost_models_of({}),
             **{name: getattr(load_venues(), name) for name in ("classes", "tiers", "departments")}}
    usual = {*read_table("costs")["usual"], "source"}
    filled = {"site_rules": ("effect", "source"), "costs": usual, "departments": ("source",)}
    for name, (zh, model, place) in PLACE_TABLES.items():
        if place.startswith(table):
            yield from (f"### `[{place}]` {zh}", "", PLACE_NOTES[name], "",
                        "程序自带：" + "、".join(f"`{key}` {entry.zh}" for key, entry in known[name].items()), "", head,
                        *key_rows(model, WORDS[name], without=tuple(ENTRY_NAMES), filled_in=tuple(filled.get(name, ()))), "")
    yield from PLACE_EXAMPLES[table]


def selection_lines(head: str) -> Iterator[str]:
    """The part on tables below ``[selection]``."""
    for name, (zh, model, title) in SELECTION_TABLES.items():
        yield from (f"### `{title}` {zh}", "", WORDS["selection_tables"][name], "", head, *key_rows(model, WORDS[name]), "")
    yield from SELECTION_EXAMPLE


def deliver_lines(head: str) -> Iterator[str]:
    """The part on tables below ``[deliver]``."""
    for name, (zh, model, title) in DELIVER_TABLES.items():
        yield from (f"### `{title}` {zh}", "", head, *key_rows(model, WORDS[name]), "")
    yield from DELIVER_EXAMPLE


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
        lines += judging_lines(head, table) if table == "gaps" else ()
        lines += place_lines(head, table) if table in PLACE_EXAMPLES else ()
        lines += selection_lines(head) if table == "selection" else ()
        lines += deliver_lines(head) if table == "deliver" else ()
    lines += ["## `[targets]`、`[rankings]` 目标与评分", "", *judging_lines(head, "targets")]
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
    """Columns of the site layer, and the fields of its Shapefile: ``tables/export_fields.toml``, ``tables/profiles/sites.toml``."""
    types = {"text": "文本，{width} 字节", "int": "整数", "float": "数，{decimals} 位小数", "date": "日期"}
    profile = load_profiles()["sites"]
    rows = []
    for name, entry in site_fields().items():
        mine = [field for field in profile.fields if field.source == name]
        told = "、".join(dict.fromkeys(types[field.type].format(**vars(field)) for field in mine))
        rows.append(f"| `{name}` | {'、'.join(f'`{field.name}`' for field in mine)} | {entry['zh']} | {told} |")
    rows += [f"| | `{field.name}` | {field.zh}（{field.note}） | {types[field.type].format(**vars(field))} |"
             for field in profile.fields if field.source not in site_fields()]
    return "\n".join(["| 字段 | Shapefile | 中文名 | Shapefile 中的类型 |", "|---|---|---|---|", *rows])


def master_table() -> str:
    """Layers of the GeoPackages with the columns that ``tables/export_fields.toml`` lists."""
    listed, rows = read_table("export_fields"), []
    for name, (file, layer, _) in MASTER_FILES.items():
        same = {"gaps_before": "gaps", "indoor_gaps": "gaps"}.get(name, name)
        columns = "、".join(f"`{column}` {entry['zh']}" for column, entry in listed.get(same, {}).items())
        told = ("见下表" if name == "sites" else f"`sites` 的各列，另有 {columns}" if name == "all_sites"
                else f"同 `{same}`" if same != name else "`ledger.xlsx` 场所表的列" if name == "venues"
                else columns or ("资料中的列" if name in layer_names_zh() else "结果表的列"))
        rows.append(f"| `{name}` | `{file}` | `{layer}` | {RESULT_LAYERS_ZH.get(name) or layer_names_zh()[name]} | {told} |")
    return "\n".join(["| 名称 | 文件 | 文件中的图层 | 内容 | 列 |", "|---|---|---|---|---|", *rows])


def packaged_table() -> str:
    """Profiles of the package with their fields, from ``tables/profiles``."""
    kinds = {"Point": "点", "LineString": "线", "Polygon": "面"}
    rows = [f"| `{name}` | {profile.zh} | {kinds[profile.geometry]} | `{profile.key}` | "
            f"{'、'.join(f'`{field.name}` {field.zh}' for field in profile.fields)} |" for name, profile in load_profiles().items()]
    return "\n".join(["| 导出方案 | 图层 | 几何 | 主键 | 字段 |", "|---|---|---|---|---|", *rows])


def exchange_table() -> str:
    """What each exchange format keeps, from ``tables/export_formats.toml``."""
    table = read_table("export_formats")
    rows = ["| " + " | ".join((entry["zh"], *(entry[content] for content in table["contents"]))) + " |"
            for entry in table["formats"].values()]
    return "\n".join(["| 格式 | " + " | ".join(table["contents"].values()) + " |", "|---" * (len(table["contents"]) + 1) + "|", *rows])


def opens_table() -> str:
    """Files of each exchange format and what opens them, from ``tables/export_formats.toml``."""
    rows = [f"| {entry['zh']} | `{entry['file']}` | {entry['opens']} |" for entry in read_table("export_formats")["formats"].values()]
    return "\n".join(["| 格式 | 文件 | 怎样打开（按软件厂商的说明，没有逐一试过） |", "|---|---|---|", *rows])


def rules_table() -> str:
    """Coverage rules, from ``tables/rules.toml``."""
    rows = []
    for rule in load_rules().values():
        points = f"{'、'.join(KIND_ZH[kind] for kind in rule.kinds)}；点位概率 {rule.point_probability:g}" if rule.kinds else ""
        said = [points, rule.technology if rule.technology != "5G" else "", {"one": "一家单独满足", "every": "每家都满足"}.get(rule.operators, ""),
                f"门限 {rule.threshold_dbm:g} dBm" if rule.threshold_dbm is not None else "",
                f"室内不低于 {rule.indoor_minimum:g}" if rule.indoor_minimum is not None else ""]
        rows.append(f"| `{rule.id}` | {rule.zh} | `{rule.measure}` | {rule.minimum:g} | {'；'.join(filter(None, said))} | {rule.source} |")
    return "\n".join(["| 编号 | 规则 | 量什么 | 下限 | 其他条件 | 出处 |", "|---|---|---|---|---|---|", *rows])


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


def _metres(rule: SiteRule) -> str:
    """Distances of a rule of place in words, m."""
    usual = "" if rule.distance_m is None else "区内" if rule.distance_m == 0 else f"{rule.distance_m:g}"
    own = "、".join(f"{word} {metres:g}" for word, metres in rule.by_word.items())
    return f"{usual}（{own}）" if own else usual


def _for_whom(rule: SiteRule) -> str:
    """Candidates that a rule of place is for, in words."""
    mounts = read_table("mounts")["mounts"]
    parts = ["、".join({"macro": "宏站", "micro": "微站"}[kind] for kind in rule.kinds),
             "、".join(mounts[mount]["zh"] for mount in rule.mounts), "、".join(SOURCES_ZH[name] for name in rule.sources)]
    if rule.not_sources:
        parts.append(f"{'、'.join(SOURCES_ZH[name] for name in rule.not_sources)}除外")
    return "；".join(filter(None, parts)) or "全部"


def site_rules_table() -> str:
    """Rules of place, from ``tables/site_rules.toml``."""
    effects = {"refuse": "不可用", "flag": "提示", "off": "停用"}
    rows = [f"| `{code}` | {rule.zh} | {effects[rule.effect]} | {_metres(rule)} | {_for_whom(rule)} | "
            f"{WORDS['site_rule_words'][code]}{'（未经核实）' if 'unverified' in rule.source else ''} |"
            for code, rule in site_rules().items()]
    return "\n".join(["| 代码 | 规则 | 处理 | 距离（米） | 用于 | 怎样判断，依据 |", "|---|---|---|---|---|---|", *rows])


def kinds_table() -> str:
    """Kinds of candidates and what the first letter of their ids is."""
    rows = [f"| `{name}` | `{PREFIX[name]}-` | {SOURCES_ZH[name]} | {WORDS['kinds'][name]} |" for name in CANDIDATE_KINDS]
    return "\n".join(["| `kinds` | 编号 | 候选 | 从哪里来 |", "|---|---|---|---|", *rows])


def scenes_table() -> str:
    """Scenes with the distances that they ask for, from ``tables/scenes.toml``."""
    rows = []
    for scene in sorted(scenes_of({}).values(), key=lambda scene: scene.order):
        told = ["、".join(scene.zone_types), "" if scene.built_share is None else f"建筑占比 ≥ {scene.built_share:g}",
                f"平均高度 ≥ {scene.mean_height_m:g} 米" if scene.mean_height_m else "",
                f"{'、'.join(scene.town_endings)}内" if scene.town_endings else ""]
        rows.append(f"| {scene.zh} | {'；'.join(filter(None, told)) or '其余'} | {scene.site_distance_m:g} | "
                    f"{scene.spacing_m('macro'):g} | {scene.spacing_m('micro'):g} |")
    return "\n".join(["| 场景 | 什么地方 | 通常站间距（米） | 宏站最小间距（米） | 微站最小间距（米） |", "|---|---|---|---|---|", *rows])


def costs_table() -> str:
    """Cost models, from ``tables/costs.toml``."""
    rows = [f"| `{name}` | {model.zh} | {model.fixed_yuan:g} | {model.rent_yuan_per_year:g} |"
            for name, model in cost_models_of({}).items()]
    return "\n".join(["| 名称 | 用于 | 一次性费用（元） | 年租金（元） |", "|---|---|---|---|", *rows])


def profiles_table() -> str:
    """Profiles of duties and the classes whose duties they change, from ``tables/venue_profiles.toml``."""
    words = {(True, True): "应开放且免费", (True, False): "应开放", (False, False): "不在应开放之列"}
    national, rows = load_venues(), []
    for name, zh in profile_names().items():
        mine, changed = venues_of(name), {}
        for key, entry in mine.classes.items():
            duty = (entry.must_open, entry.must_be_free)
            if duty != (national.classes[key].must_open, national.classes[key].must_be_free):
                changed.setdefault(duty, []).append(entry.zh)
        said = "；".join(f"{words[duty]}：{'、'.join(names)}" for duty, names in changed.items())
        rows.append(f"| `{name}` | {zh} | {said or '同全国'} | {'、'.join(mine.banned_fees)} | {mine.source} |")
    return "\n".join(["| 口径 | 名称 | 与全国不同的类别 | 点名禁止的费用 | 来源 |", "|---|---|---|---|---|", *rows])


def decisions_table() -> str:
    """Actions of the layer ``decisions``, and what its values may say, from ``tables/decisions.toml``."""
    table, rows = read_table("decisions"), []
    values = {"refused": "refusals", "fee": "fees", "hard": "causes"}
    for name, entry in table["actions"].items():
        kinds = "、".join(kind["zh"] for kind in table[values[name]].values()) if name in values else ""
        rows.append(f"| `{name}` {entry['zh']} | {'、'.join(entry['words'])} | {WORDS['decisions'][name]}{kinds} |")
    return "\n".join(["| 决定 | 文件中可写作 | 取值与作用 |", "|---|---|---|", *rows])


def ledger_table() -> str:
    """Sheets of the opening ledger with their columns, from ``tables/ledger_words.toml``."""
    rows = [f"| `{sheet.sheet}` | {sheet.title} | {'、'.join(field.zh for field in sheet.fields)} |"
            for sheet in opening_sheets().values()]
    return "\n".join(["| 工作表 | 内容 | 列 |", "|---|---|---|", *rows])


def departments_table() -> str:
    """Departments outside the coordination group that answer for venues."""
    outside = gap_outside(load_venues())
    rows = [f"| {row.zh} | {row.classes} | {row.note} |" for row in outside.itertuples()]
    return "\n".join(["| 部门 | 负责的场所 | 为何须另行商请 |", "|---|---|---|", *rows])


BLOCKS = {"register.md": REGISTER_BLOCKS,
          "venues.md": {"kinds": kinds_table, "site_rules": site_rules_table, "scenes": scenes_table, "costs": costs_table,
                        "profiles": profiles_table, "decisions": decisions_table, "departments": departments_table},
          "coverage.md": {"radii": radii_table},
          "formats.md": {"vectors": lambda: formats_table("vector"), "tables": lambda: formats_table("table"),
                         "rasters": lambda: formats_table("raster"), "archives": lambda: formats_table("archive"),
                         "refused": refused_table},
          "outputs.md": {"layers": master_table, "fields": fields_table, "ledger": ledger_table, "exposure": exposure_table,
                         "report_sheets": report_sheets_table},
          "exchange.md": {"export_formats": exchange_table, "export_opens": opens_table}, "profiles.md": {"packaged": packaged_table},
          "rules-and-numbers.md": {"rules": rules_table, "tiers": tiers_table}}


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
