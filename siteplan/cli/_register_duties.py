"""Commands on duties: whistle cases, reminders, the closing of a year."""

from __future__ import annotations

from typing import Annotated

import typer

from siteplan.cli._register import AsOf, register_app
from siteplan.cli._register_entry import DUTIES, QUOTAS, Entry, command, counted, day_of, sub_app
from siteplan.cli._register_words import shown, table_named
from siteplan.errors import Problem, RegisterError

case_app = sub_app("企业吹哨、部门报到。Whistle cases.")
register_app.add_typer(case_app, name="case", rich_help_panel=DUTIES)
Case = Annotated[str, typer.Argument(metavar="ID", help="吹哨编号,如 SX000001")]


@command(case_app, "open")
def open_one(entry: Entry, title: Annotated[str, typer.Argument(help="事项")],
             enterprise: Annotated[str, typer.Option(help="吹哨企业")],
             failed_talks: Annotated[str, typer.Option("--failed-talks", help="企业自行协调的情况")],
             lead: Annotated[str, typer.Option(help="牵头单位")],
             called: Annotated[list[str], typer.Option(help="应报到的单位,可写多次")],
             site: Annotated[str, typer.Option(help="站址编号")] = "",
             county: Annotated[str, typer.Option(help="所属县区")] = "") -> None:
    """登记一件吹哨事项。Open a case."""
    from siteplan.register import writing
    from siteplan.register.duties import open_case

    values = {"title": title, "enterprise": enterprise, "failed_talks": failed_talks, "lead": lead,
              "called": "|".join(called), "site_id": site or None, "county": county or None}
    register = entry.open()
    with writing(register, entry.stamp) as transaction:
        case_id = open_case(transaction, values)
    entry.say(f"已登记 {case_id};单位报到:siteplan register case report-in {case_id} 单位")


@command(case_app, "report-in")
def report_one(entry: Entry, case_id: Case,
               organisations: Annotated[list[str], typer.Argument(metavar="单位...")]) -> None:
    """登记单位报到。Note that organisations reported in."""
    from siteplan.register import writing
    from siteplan.register.duties import report_in

    register = entry.open()
    with writing(register, entry.stamp) as transaction:
        changed = report_in(transaction, case_id, organisations)
    entry.say(f"{case_id}:{'已登记报到' if changed else '这些单位已报到过,没有变化'};办结:siteplan register case close {case_id} 结果")


@command(case_app, "escalate")
def escalate_one(entry: Entry, case_id: Case) -> None:
    """提交上一级协调。Take a case to the next level."""
    from siteplan.register import writing
    from siteplan.register.duties import escalate

    register = entry.open()
    with writing(register, entry.stamp) as transaction:
        escalate(transaction, case_id, why=entry.why)
    entry.say(f"{case_id} 已升级;查看:siteplan register show {case_id}")


@command(case_app, "close")
def close_one(entry: Entry, case_id: Case, outcome: Annotated[str, typer.Argument(help="已解决、另行选址、不再建设")],
              note: Annotated[str, typer.Option(help="办理经过")] = "") -> None:
    """办结一件吹哨事项。Close a case."""
    from siteplan.register import writing
    from siteplan.register.duties import close_case

    register = entry.open()
    with writing(register, entry.stamp) as transaction:
        close_case(transaction, case_id, outcome, note=note)
    entry.say(f"{case_id} 已办结({outcome});平均办结天数见 siteplan register case list")


@command(case_app, "list")
def list_cases(entry: Entry, as_of: AsOf = "") -> None:
    """吹哨事项、到期应升级的、平均办结天数。Cases as of a day."""
    from siteplan.register import read_rows, reading
    from siteplan.register.duties import case_table, escalation_due, mean_days_to_close

    register, day = entry.open(), day_of(as_of, "--as-of") or entry.day
    with reading(register) as connection:
        cases, organisations = (read_rows(register, name, day, connection=connection)
                                for name in ("cases", "organisations"))
    table, due = case_table(cases, day, organisations), escalation_due(cases, day, organisations)
    for case_id, row in table.iterrows():
        mark = ",到期应升级" if case_id in due.index else ""
        entry.say(f"{case_id}  {row['title']}  {row['status_zh']}  第 {row['level']:.0f} 级{mark}")
    mean = mean_days_to_close(cases, day)
    told = f",平均办结 {mean:.1f} 天" if mean == mean else ""
    entry.say(f"截至 {day}(含当日):{len(table)} 件{told};升级:siteplan register case escalate 编号")


@command(register_app, group=DUTIES)
def remind(entry: Entry, as_of: AsOf = "",
           reply_days: Annotated[int, typer.Option("--reply-days", show_default=False, min=0,
                                               help="几日内答复;不写为办理规则的天数")] = 0,
           send: Annotated[bool, typer.Option("--send", help="函已发出:登记催办日期、次数和答复期限")] = False) -> None:
    """列出逾期任务应发的催办函,发出后用 --send 登记。Reminders that are due."""
    from siteplan.register import read_rows, reading, writing
    from siteplan.register.duties import record_reminders, reminders_due

    register, day = entry.open(), day_of(as_of, "--as-of") or entry.day
    with reading(register) as connection:
        tasks, organisations, decisions = (read_rows(register, name, day, connection=connection)
                                           for name in ("tasks", "organisations", "decisions"))
    letters = reminders_due(tasks, organisations, day, reply_days or None, decisions=decisions)
    for letter in letters:
        entry.say(f"{letter.organisation}:{len(letter.items)} 项,{letter.reply_by} 前答复")
        entry.say_some(f"  {item.task_id}  {item.title}  应于 {item.due_on} 完成,逾期 {item.days_late} 天"
                       for item in letter.items)
    if send and letters:
        with writing(register, entry.stamp) as transaction:
            entry.say(f"已登记催办 {record_reminders(transaction, letters)} 项任务")
    entry.say(f"截至 {day}(含当日)应发催办函 {len(letters)} 份;函件由 siteplan report 写出" + (
        "" if send else ",发出后用 --send 登记") + ";收到反馈:siteplan register task reply 编号 反馈情况")


@command(register_app, group=QUOTAS)
def year(entry: Entry, close: Annotated[int, typer.Option("--close", show_default=False, help="结转这一年未建成的站址")] = 0,
         plan: Annotated[int, typer.Option("--plan", show_default=False, help="列出这一年的建设计划")] = 0) -> None:
    """年度:--plan 列出建设计划,--close 把未建成的结转到下一年。The batch of a year; its carry-over."""
    from siteplan.register import read_rows, writing
    from siteplan.register.phases import LIST_AGAIN_ZH, carry_over, unlisted_sites, year_plan

    if not close and not plan:
        raise RegisterError("选项不能使用:", [Problem("register", "", "", "--close", "没有写年度",
                                                "写 --close 2026 或 --plan 2027")])
    register = entry.open()
    if close:
        with writing(register, entry.stamp) as transaction:
            table = carry_over(transaction, close, entry.day, entry.why)
        entry.say_some(f"{row_id}  {row['name']}  {row['what_zh']}" for row_id, row in table.iterrows())
        moved = table.index[table["what"] == "carried"]
        entry.say(f"{close} 年未建成的站址:{counted('结转', moved)}到 {close + 1} 年,未结转 {len(table) - len(moved)} 项;"
                  f"查看:siteplan register year --plan {close + 1}")
    if plan:
        sites = read_rows(register, "sites", entry.day)
        table, unlisted = year_plan(sites, plan), unlisted_sites(sites, plan)
        spec = table_named("sites")
        names = ("name", "county", "town", "state", "enterprise", "due_on")
        entry.say_some(f"{row_id}  " + "  ".join(shown(spec, name, row[name]) or "-" for name in names)
                       for row_id, row in table.iterrows())
        if len(unlisted):
            entry.say(f"{counted('未列入现行方案、不计入计划的站址', unlisted.index)};{LIST_AGAIN_ZH}", "yellow")
        entry.say(f"截至 {entry.day}(含当日),{plan} 年计划 {len(table)} 处;"
                  f"改年度:siteplan register set 编号 phase_year={plan + 1} --why 原因")
