"""The sentences of a report, made of its numbers."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping

import pandas as pd

from siteplan.report._counting import day_text, text_of
from siteplan.report._sites import NO_PLACES
from siteplan.report.facts import ReportFacts
from siteplan.report.workbook import percent, told

_MEASURES: Mapping[str, str] = {"基站": "个", "村": "个", "站址": "处"}
"""Measure words between a number and its unit."""
MOST_NAMES = 8
"""Names of a sentence; the rest is counted."""


def chinese_day(day: dt.date) -> str:
    """A day as documents write it.

    >>> chinese_day(dt.date(2026, 6, 30))
    '2026年6月30日'
    """
    return f"{day.year}年{day.month}月{day.day}日"


def names_of(names: list[str], most: int = MOST_NAMES) -> str:
    """Names in words, the first ones.

    >>> names_of(["甲局", "乙局", "丙局"], 2)
    '甲局、乙局等3个'
    """
    return "、".join(names[:most]) + (f"等{len(names)}个" if len(names) > most else "")


def overview(facts: ReportFacts) -> list[str]:
    """How things stand: sites, tasks, money."""
    n = facts.numbers
    out = [
        *(f"{warning}。" for warning in facts.warnings),
        f"截至{chinese_day(facts.period.last)}，储备库在册站址{n['sites']:.0f}处（不含已撤销{n['sites_withdrawn']:.0f}处）："
        f"已开通{n['sites_on_air']:.0f}处，其中{facts.period.title}开通{n['on_air_now']:.0f}处；在建{n['sites_building']:.0f}处，"
        f"已批准{n['sites_approved']:.0f}处，具备条件{n['sites_ready']:.0f}处，储备{n['sites_reserve']:.0f}处，"
        f"受阻{n['sites_blocked']:.0f}处。" + (f"逾期未开通{n['sites_late']:.0f}处。" if n["sites_late"] else ""),
        f"{facts.period.year}年度批次{n['year_sites']:.0f}处，首次列入在以前年度而尚未开通的{n['carried']:.0f}处。",
        _tasks_told(n)]
    if n["capex_yuan"] > 0:
        out.append(f"已填报计划投资{told(n['capex_yuan'], 'wan')}万元，完成投资{told(n['invested_yuan'], 'wan')}万元"
                   f"（{percent(n['invested_yuan'] / n['capex_yuan'])}%）；未填报的站址不计入。")
    return out


def _tasks_told(n: Mapping[str, float]) -> str:
    if not n["tasks"]:
        return "没有下达任务。"
    rate = f"到期任务{n['due']:.0f}项，完成{n['due_done']:.0f}项（完成率{percent(n['rate'])}%）。" if n["due"] else "没有到期任务。"
    return (f"在册任务{n['tasks']:.0f}项：已完成{n['done']:.0f}项（本期完成{n['done_in_period']:.0f}项），"
            f"办理中{n['open']:.0f}项，逾期{n['late']:.0f}项，受阻{n['blocked']:.0f}项。{rate}")


def quota_sentences(facts: ReportFacts) -> list[str]:
    """Every quota of the city, or of the province where the city has none, in a sentence."""
    quotas = facts.tables["quotas"]
    top = quotas[quotas["level"].isin(["city", "province"])]
    return [_quota_told(row) for row in top.sort_values(["by", "id"]).to_dict("records")] or ["没有登记全市指标任务。"]


def _quota_told(row: Mapping[object, object]) -> str:
    title, unit, value = text_of(row["title"]), text_of(row["unit"]), told(row["value"], "int")
    head = f"{title}：任务{value}{_MEASURES.get(unit, '')}{unit}，期限{day_text(row['by'])}"
    done = told(row["done"], "int")
    if done == "":
        return f"{head}，完成数未知（{text_of(row['reason']) or '没有上报'}）。"
    where = f"，上报截止{day_text(row['reported_on'])}" if row["counted"] == "reported" else ""
    ahead = told(row["ahead"], "points")
    pace = ""
    if ahead != "":
        word = "超前" if ahead > 0 else "滞后" if ahead < 0 else "与计划持平"
        pace = f"，应达{told(row['plan_share'], 'rate')}%，{word}{f'{abs(ahead)}个百分点' if ahead else ''}"
    left = f"，尚缺{told(row['needed'], 'int')}" if told(row["needed"], "int") else ""
    return f"{head}；已完成{done}，完成{told(row['share'], 'rate')}%{where}{pace}{left}。"


def case_sentences(facts: ReportFacts) -> list[str]:
    """Whistle cases: how many, how long, at which level."""
    n = facts.numbers
    if not n["cases_opened"] and not n["cases_open"] and not n["cases_closed"]:
        return ["本期没有企业吹哨和疑难站址事项。"]
    days = f"，平均办结{n['days_to_close']:.1f}天" if n["days_to_close"] == n["days_to_close"] else ""
    summed = (f"本期企业吹哨和疑难站址事项{n['cases_opened']:.0f}件，办结{n['cases_closed']:.0f}件{days}；截止日未办结{n['cases_open']:.0f}件，"
                f"其中超期{n['cases_overdue']:.0f}件，已呈报领导小组{n['cases_top']:.0f}件。")
    out = [summed]
    if len(facts.tables["escalations"]):
        out.append(f"应升级协调的{len(facts.tables['escalations'])}件：" + names_of(
            [text_of(title) for title in facts.tables["escalations"]["title"]]) + "。")
    missed = facts.tables["departments"].query("missed > 0")
    if len(missed):
        out.append("未按时报到：" + names_of([f"{row.name}{row.missed}次" for row in missed[["name", "missed"]].itertuples(
            index=False)]) + "。")
    return out


def venue_sentences(facts: ReportFacts) -> list[str]:
    """Refusals, hard places, fees."""
    n, refusals = facts.numbers, facts.tables["refusals"]
    out = [f"拒绝开放的场所和站址{n['refusals']:.0f}处，疑难{n['hard']:.0f}处；收费投诉{n['fees']:.0f}件，未办结{n['fees_open']:.0f}件"
           + (f"，其中初判违规{n['fees_wrong']:.0f}件。" if n["fees_wrong"] else "。")]
    by = refusals["department"].dropna().value_counts()
    if len(by):
        out.append("按主管部门：" + names_of([f"{name}{number}处" for name, number in by.items()]) + "。")
    return out


def works_sentences(facts: ReportFacts) -> list[str]:
    """Joint works."""
    n, owners = facts.numbers, facts.tables["works_owners"]
    if not n["works"]:
        return ["没有可同步实施的工程。"]
    out = [f"可与{n['works']:.0f}项工程同步实施的站址{n['works_sites']:.0f}处，预计节省{told(n['saving_yuan'], 'wan')}万元（估算）。"]
    if len(owners):
        out.append("须对接的业主单位：" + names_of(list(dict.fromkeys(map(str, owners["works_owner"])))) + "。")
    return out


def problem_sentences(facts: ReportFacts) -> list[str]:
    """What stands in the way: blocked, late, weak."""
    blocked, overdue = facts.tables["blocked"], facts.tables["overdue"]
    out = []
    if len(blocked):
        reasons = blocked["reason"].map(text_of).replace("", "未写原因").value_counts()
        told_reasons = names_of([f"{reason}（{number}项）" for reason, number in reasons.items()], 6)
        out.append(f"受阻{len(blocked)}项，原因：{told_reasons}。")
    if len(overdue):
        by = overdue["organisation"].value_counts()
        held = int((overdue["status"] == "blocked").sum())
        of_them = f"（含受阻{held}项）" if held else ""
        out.append(f"逾期任务合计{len(overdue)}项{of_them}，涉及" + names_of(
            [f"{name}{number}项" for name, number in by.items()]) + "。")
    for title, table in (("县区", facts.tables["counties"]), ("镇街", facts.tables["towns"])):
        red = table[(table["light"] == "red") & ~table["name"].isin(NO_PLACES)]
        if len(red):
            out.append(f"亮红灯的{title}：" + names_of([str(name) for name in red["name"]]) + "。")
    return out or ["没有逾期和受阻事项。"]


def next_sentences(facts: ReportFacts) -> list[str]:
    """What comes next, with its days."""
    n, out = facts.numbers, []
    if n["letters"]:
        names = [reminder.organisation for reminder in facts.reminders]
        out.append(f"向{names_of(names)}发出催办函{n['letters']:.0f}份，请于{chinese_day(facts.period.reply_by)}前反馈。")
    soon = _due_next(facts)
    if len(soon):
        out.append(f"至{chinese_day(facts.period.next_report)}到期的任务{len(soon)}项，请责任单位按期完成。")
    out.append(f"请各单位于{chinese_day(facts.period.next_report)}前报送下一期工作完成情况。")
    return out


def _due_next(facts: ReportFacts) -> pd.DataFrame:
    tasks = facts.tables["tasks"]
    return tasks[(tasks["status"] == "open") & (tasks["due_on"] <= pd.Timestamp(facts.period.next_report))]


def plan_sentences(facts: ReportFacts) -> list[str]:
    """What the next year's plan of work holds, in sums."""
    plan, year = facts.tables["year_plan"], facts.period.plan_year
    tasks = plan[plan["kind_zh"] == "任务"]
    sites = facts.sites[(facts.sites["phase_year"] <= year) & facts.sites["is_live"]]
    left = int((sites["phase_year"] < year).sum())
    out = [f"{year}年应建设开通站址{len(sites)}处" + (f"，其中以前年度结转{left}处" if left else "") + "。"] if len(sites) else [
        f"{year}年没有列入批次的站址。"]
    if len(tasks):
        carried = int((tasks["note"] != "").sum())
        out.append(f"{year}年到期任务{len(tasks)}项" + (f"，其中上年结转{carried}项" if carried else "") + "。")
    for row in plan[plan["kind_zh"] == "指标"].to_dict("records"):
        number = told(row["number"], "int")
        out.append(f"{text_of(row['organisation'])}：{text_of(row['item'])}，期限{day_text(row['due_on'])}，"
                   + (f"尚缺{number}{text_of(row['unit'])}" if number != "" else "完成数未知") + f"({text_of(row['note'])})。")
    return out[:MOST_NAMES]
