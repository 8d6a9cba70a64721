"""Tables of the pages about the register and the half-year report, from the code: blocks of ``make_pages.py``."""

from __future__ import annotations

import io
import re
import zipfile
from collections.abc import Iterator, Mapping
from importlib.resources import files
from typing import Any

import typer.main

from siteplan.cli import register_app
from siteplan.register import register_tables, word_of
from siteplan.register.edits import DEFAULTS, LOCKED
from siteplan.register.list_kinds import KINDS
from siteplan.report._document_facts import ROW_NAMES
from siteplan.report.documents import DOCUMENTS
from siteplan.report.workbook import report_sheets
from siteplan.schema import layer_schema
from siteplan.tables import read_table

TABLES_OF_REGISTER = {
    "organisations": "部门、企业、县区、镇街、牵头办公室、领导小组；别的表只能填这里的单位", "plans": "每次并入的规划成果：日期、版本、站数",
    "sites": "储备库的站址：状态、四项进度、办理状态、年度、投资", "links": "站址到最近光缆的直线，供同步开挖匹配",
    "venues": "开放台账的公共场所", "quotas": "省、市、县区、镇街的指标和分解", "reports": "按指标上报的累计完成数",
    "milestones": "倒排工期各环节的最迟日期", "tasks": "有责任单位和期限的任务，催办和反馈", "cases": "企业吹哨事项和疑难站址事项",
    "decisions": "会议决定，场所的拒绝、同意、疑难", "fees": "收费投诉、移送、办结", "works": "道路、土地、建设项目、管廊工程清单",
    "joint_matches": "同步实施的建议、采纳、不采纳", "indicators": "每次规划成果的覆盖指标（预测）", "snapshots": "留存的快照"}
"""What each table of the register is for."""
LISTS_ZH = {
    "works": "同步工程清单（CSV、Excel 或 GIS 文件）", "quotas": "指标任务", "split": "一个指标已定的分解（`--parent` 指标编号）",
    "reports": "上报进度", "tasks": "任务", "minutes": "会议纪要议定事项：成为决定和任务", "cases": "吹哨事项",
    "decisions": "会议决定和场所意见：与 `decisions` 图层同一格式，收费记到收费投诉", "fees": "收费投诉", "organisations": "责任单位",
    "sites": "站址（人工登记的，或改已有的）", "venues": "公共场所", "work-plan": "各单位年度工作计划（`--year` 年度）：成为任务"}
"""What each kind of list is."""


def register_table() -> str:
    """Tables of the register with the letters of their ids, from ``tables/register.toml``."""
    shapes = {"point": "点", "line": "线", "any": "点、线、面", "": ""}
    rows = [f"| {table.zh} | `{name}` | {table.prefix} | {shapes[table.geometry]} | {TABLES_OF_REGISTER[name]} |"
            for name, table in register_tables().items()]
    return "\n".join(["| 表 | 名称 | 编号 | 位置 | 记什么 |", "|---|---|---|---|---|", *rows])


def register_fields() -> str:
    """Fields of every table of the register, from ``tables/register.toml``."""
    kinds = {"text": "文本", "float": "数", "int": "整数", "bool": "是/否", "date": "日期"}
    tables, lines = register_tables(), list[str]()
    for name, table in tables.items():
        lines += [f"### {table.zh} `{name}`", "", "| 字段 | 列名 | 类型 | 取值 | 清单中也可写作 |", "|---|---|---|---|---|"]
        for field in table.fields.values():
            spec = field.spec
            words = "、".join(spellings[0] for spellings in spec.values.values())
            told = [words, f"{tables[field.refers].zh}编号" if field.refers else "", "责任单位名称" if field.organisation else "",
                    "可多个，以 `|` 分隔" if field.many else "", f"{spec.low:g}–{spec.high:g}" if spec.high is not None
                    else f"不小于 {spec.low:g}" if spec.low is not None else "", "必填" if spec.required else ""]
            lines.append(f"| `{field.name}` | {spec.zh}{f'（{spec.unit}）' if spec.unit else ''} | {kinds[spec.type]} | "
                         f"{'；'.join(filter(None, told))} | {'、'.join(spec.accepts)} |")
        lines.append("")
    return "\n".join(lines[:-1])


def register_states() -> str:
    """States of a site and what may follow, from ``tables/register.toml``."""
    table = read_table("register")
    rows = []
    for state, entry in table["states"].items():
        dated = register_tables()["sites"].fields[entry["dated"]].spec.zh if "dated" in entry else ""
        always = table["states_need_reason"]["states"]
        why = "、".join(word_of("sites", "state", code) for code in entry.get("reason", ()) if code not in always)
        needs = ["须写原因" if state in always else "", f"自动填{dated}" if dated else "",
                 f"退回“{why}”须写原因" if why and state != "withdrawn" else "恢复须写原因" if why else ""]
        rows.append(f"| {word_of('sites', 'state', state)} | `{state}` | "
                    f"{'、'.join(word_of('sites', 'state', code) for code in entry['next'])} | {'；'.join(filter(None, needs))} |")
    return "\n".join(["| 状态 | 代码 | 可变为 | 要求 |", "|---|---|---|---|", *rows])


def register_lists() -> str:
    """Lists that can be imported, with the headings that a new row needs or may have."""
    own = {"split": ("area", "value"), "decisions": ("id", "action"), "minutes": ("meeting", "day", "matter"),
           "work-plan": ("organisation", "title")}
    rows = []
    for kind, name in KINDS.items():
        fields, held = layer_schema(f"register.{name}").fields, register_tables().get(name)
        needed = own.get(kind, ()) if held is None or kind in own else tuple(
            field.name for field in held.fields.values() if field.spec.required and field.name not in DEFAULTS.get(name, {}))
        locked = {"id", "revision", *LOCKED.get(name, {})}
        more = [field.zh for field in fields.values() if field.name not in locked.union(needed)]
        rows.append(f"| `{kind}` | {LISTS_ZH[kind]} | {'、'.join(fields[field].zh for field in needed)} | {'、'.join(more)} |")
    return "\n".join(["| 类别 | 清单 | 必有的列 | 可有的列 |", "|---|---|---|---|", *rows])


def case_level_table() -> str:
    """Levels of a whistle case, from ``tables/cases.toml``."""
    rows = [f"| {entry['level']} | {entry['zh']} | {entry['days']} | {'、'.join([entry['words'], *entry['with']])} |"
            for entry in read_table("cases")["levels"]]
    return "\n".join(["| 层级 | 名称 | 时限（天） | 由谁协调 |", "|---|---|---|---|", *rows])


def step_table() -> str:
    """Steps of building a site, from ``tables/lead_times.toml``."""
    table = read_table("lead_times")
    steps = table["steps"]
    rows = [f"| {entry['zh']} | {entry['days']} | {'、'.join(steps[need]['zh'] for need in entry['needs']) or '无'} | "
            f"{'；'.join(_other_days(table, step))} |" for step, entry in steps.items()]
    return "\n".join(["| 环节 | 天数 | 在哪些环节之后 | 另行规定 |", "|---|---|---|---|", *rows])


def _other_days(table: Mapping[str, Any], step: str) -> Iterator[str]:
    """Days of a step that differ by mount or by build."""
    mounts, builds = read_table("mounts")["mounts"], register_tables()["sites"].fields["build"].spec.values
    for name, days in table["mounts"].items():
        if step in days:
            yield f"{mounts[name]['zh']} {days[step]}"
    for name, days in table["builds"].items():
        if step in days:
            yield f"{builds[name][0]} {days[step]}"


def works_rates() -> str:
    """Corridors, lead times and rates of joint works, from ``tables/joint_works.toml``."""
    kinds, rows = register_tables()["works"].fields["kind"].spec.values, list[str]()
    for name, entry in read_table("joint_works")["kinds"].items():
        costs = f"{entry['own_trench_yuan_per_m']:g} → {entry['joint_trench_yuan_per_m']:g}"
        rows.append(f"| {kinds[name][0]} | {entry['site_corridor_m']:g} | {entry['link_corridor_m']:g} | {entry['lead_months']} | "
                    f"{'是' if entry['joins_after_start'] else '否'} | {costs} | {entry['foundation_yuan']:g} | {entry['power_yuan']:g} | "
                    f"{entry['positions_yuan']:g} |")
    head = ["工程类型", "站址走廊（米）", "光缆走廊（米）", "提前（月）", "开工后可加入", "沟槽 单独→合建（元/米）", "基础（元）", "引电（元）",
            "机房井道（元）"]
    return "\n".join(["| " + " | ".join(head) + " |", "|---" * len(head) + "|", *rows])


def scores_table() -> str:
    """Weights of the scores of organisations, from ``tables/scores.toml``."""
    rows = [f"| {ranking['zh']} | {entry['zh']} | {entry['weight'] * 100:g} | {entry['worst']:g} | {entry['best']:g} | {entry['rule']} |"
            for ranking in read_table("scores")["rankings"].values() for entry in ranking["indicators"].values()]
    return "\n".join(["| 考评 | 指标 | 权重（%） | 零分值 | 满分值 | 口径 |", "|---|---|---|---|---|---|", *rows])


def placeholders_table() -> str:
    """What the shipped templates of the report name: texts, and lists with the names of their rows."""
    rows = []
    for name, zh in DOCUMENTS.items():
        with zipfile.ZipFile(io.BytesIO(files("siteplan").joinpath("templates", name).read_bytes())) as archive:
            text = re.sub(r"<[^>]+>", "", archive.read("word/document.xml").decode("utf-8"))
        loops = dict(re.findall(r"for (\w+) in ([\w.]+)", text))
        plain = sorted(word for word in set(re.findall(r"\{\{ (\w+) \}\}", text)) - set(loops) if not word.startswith("more_"))
        lists = [f"`{source}`" for source in dict.fromkeys(source for _, source in re.findall(r"for (\w+) in ([\w.]+)", text))]
        rows.append(f"| `{name}` | {zh.removesuffix('模板')} | {'、'.join(f'`{word}`' for word in plain)} | {'、'.join(lists)} |")
    return "\n".join(["| 模板文件 | 文件 | 文字 | 列表（逐行） |", "|---|---|---|---|", *rows])


def rows_table() -> str:
    """Lists that the templates of the report may name, with the names of their rows."""
    rows = [f"| `{name}` | {'、'.join(f'`row.{field}`' for field in fields)} |" for name, fields in ROW_NAMES.items()]
    return "\n".join(["| 列表 | 每行可用 |", "|---|---|", *rows])


def report_sheets_table() -> str:
    """Sheets of the half-year workbook, from ``tables/report_sheets.toml``."""
    rows = [f"| `{sheet.sheet}` | {sheet.title} | {sheet.rule} |" for sheet in report_sheets().values()]
    return "\n".join(["| 工作表 | 内容 | 口径 |", "|---|---|---|", *rows])


def commands_table() -> str:
    """Commands of ``siteplan register``, with their own words."""
    rows = [f"| `siteplan register {name}` | {words} |" for name, words in _commands(typer.main.get_group(register_app), "")]
    return "\n".join(["| 命令 | 作用 |", "|---|---|", *rows])


def _commands(group: Any, before: str) -> Iterator[tuple[str, str]]:
    """Names and first words of the commands of a group, those inside groups in it."""
    for name, command in group.commands.items():
        if hasattr(command, "commands"):
            yield from _commands(command, f"{before}{name} ")
        else:
            chinese = re.match(r".*。", (command.help or "").replace("\n", " "))
            yield f"{before}{name}", chinese[0].rstrip("。") if chinese else (command.help or "").splitlines()[0]


REGISTER_BLOCKS = {"commands": commands_table,
                   "tables": register_table, "states": register_states, "lists": register_lists, "levels": case_level_table,
                   "steps": step_table, "works": works_rates, "scores": scores_table, "placeholders": placeholders_table,
                   "rows": rows_table, "register_fields": register_fields}
