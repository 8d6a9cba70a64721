"""Command ``siteplan report``: the half-year pack of a cut-off from a register."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from siteplan.cli._register_entry import Where
from siteplan.cli._terminal import Debug, open_console, told_errors
from siteplan.errors import ExportError, Problem

if TYPE_CHECKING:
    from siteplan.export.master import PlanLayers
    from siteplan.register import Register
    from siteplan.report.facts import ReportFacts

REGISTER = "register.gpkg"
"""The register where the command names none: of the folder that it runs in."""


def report(as_of: Annotated[str, typer.Option("--as-of", metavar="DAY", help="截止日,如 2026-06-30;当天计入,次日起不计")],
           out: Annotated[Path, typer.Option("--out", metavar="DIR", help="输出目录;内建以截止日命名的文件夹,整体替换")],
           register: Where = REGISTER,
           plan: Annotated[Path | None, typer.Option("--plan", metavar="PLAN_DIR", help="规划成果目录:取行政界线和覆盖空洞")] = None,
           template_dir: Annotated[Path | None, typer.Option("--template-dir", metavar="DIR",
                                                             help="本市的 Word 模板目录")] = None,
           previous: Annotated[str, typer.Option("--previous", metavar="DAY", help="与哪一截止日比较变化;默认上一期末")] = "",
           sent_by: Annotated[str, typer.Option("--send-reminders", metavar="NAME",
                                                help="催办函已发出:以此登记人记入储备库;不写则储备库不变")] = "",
           debug: Debug = False) -> None:
    """按截止日生成半年通报、催办函、督导表和进展图;12月31日和1月另有年度报告。Half-year pack of a cut-off."""
    with told_errors(debug):
        from siteplan.register import open_register
        from siteplan.report.documents import read_templates
        from siteplan.report.pack import write_report

        day, before = _days(as_of, previous)
        console, templates = open_console(), read_templates(template_dir)
        held = open_register(register)
        pack = write_report(held, day, out, plan=_plan(plan), previous=before, templates=templates)
        n = pack.facts.numbers
        console.print(f"{pack.facts.period.title},截止日 {day}:任务 {n['tasks']:.0f} 项,完成 {n['done']:.0f},"
                      f"逾期 {n['late']:.0f},受阻 {n['blocked']:.0f};站址开通 {n['sites_on_air']:.0f} 处,"
                      f"本期 {n['on_air_now']:.0f} 处", markup=False)
        for warning in pack.facts.warnings:
            console.print(f"注意:{warning}", style="yellow", markup=False)
        if pack.annual is not None:
            console.print(f"{pack.annual.period.title}报告和 {pack.annual.period.plan_year} 年度工作计划一并生成", markup=False)
        for path in pack.files:
            console.print(str(path), markup=False)
        if sent_by:
            number = _record(held, pack.facts, sent_by, day)
            console.print(f"已记入储备库:催办函 {len(pack.facts.reminders)} 份,任务 {number} 项", markup=False)


def _days(as_of: str, previous: str) -> tuple[dt.date, dt.date | None]:
    """Both days; what cannot be read is told at once."""
    problems: list[Problem] = []
    found: dict[str, dt.date] = {}
    for name, text in (("--as-of", as_of), ("--previous", previous)):
        if text:
            try:
                found[name] = dt.date.fromisoformat(text.strip())
            except ValueError:
                problems.append(Problem("report", "", "", name, f"{text} 不是日期", "写成 2026-06-30"))
    if not problems and "--as-of" not in found:
        problems.append(Problem("report", "", "", "--as-of", "没有写截止日", "写成 2026-06-30"))
    if not problems and "--previous" in found and found["--previous"] >= found["--as-of"]:
        problems.append(Problem("report", "", "", "--previous", f"{previous} 不早于截止日 {as_of}", "写较早的一天"))
    if problems:
        raise ExportError("选项不能使用:", problems)
    return found["--as-of"], found.get("--previous")


def _plan(folder: Path | None) -> PlanLayers | None:
    from siteplan.export.master import read_plan_layers

    return None if folder is None else read_plan_layers(folder)


def _record(register: Register, facts: ReportFacts, author: str, day: dt.date) -> int:
    from siteplan.register import Stamp
    from siteplan.report.pack import send_reminders

    return send_reminders(register, facts, Stamp(author, day, dt.datetime.now(dt.UTC), "发出催办函"))
