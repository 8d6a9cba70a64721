"""What the Word templates may name: texts and rows of text."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from siteplan.export._word import plain_line
from siteplan.report._sentences import (
    case_sentences,
    chinese_day,
    next_sentences,
    overview,
    plan_sentences,
    problem_sentences,
    quota_sentences,
    venue_sentences,
    works_sentences,
)
from siteplan.report._sites import NO_PLACES
from siteplan.report.facts import ReportFacts
from siteplan.report.workbook import cut_off_note, report_sheets, told

if TYPE_CHECKING:
    from siteplan.register.duties import Reminder

MOST = 30
"""Rows of a list in a document; the workbook has all."""
LONGEST = 60
"""Letters of a cell in a document."""
TOWN_LONGEST: Mapping[str, int] = MappingProxyType({
    "title": 44, "name": 34, "organisation": 24, "enterprise": 24, "department": 18, "reason": 12, "why": 16})
"""Letters of the columns of town sheets, so that two lines of small letters hold them."""
NONE_ZH = "没有记录"
ROW_NAMES: Mapping[str, tuple[str, ...]] = {
    "quotas": ("title", "area", "unit", "value", "done", "share", "plan_share", "ahead", "needed", "by", "light"),
    "departments": ("name", "tasks_total", "tasks_done", "tasks_open", "tasks_late", "tasks_blocked", "rate", "missed",
                    "refusals", "light"),
    "counties": ("name", "sites", "on_air", "on_air_now", "building", "blocked", "tasks_total", "tasks_done",
                 "tasks_late", "tasks_overdue", "cases_opened_in_period", "light"),
    "enterprises": ("name", "sites", "on_air", "on_air_now", "building", "blocked", "sites_late", "tasks_total",
                    "tasks_done", "tasks_late", "tasks_overdue", "light"),
    "overdue": ("title", "organisation", "county", "due_on", "days_late", "status_zh", "reminders"),
    "blocked": ("what", "title", "organisation", "county", "since", "reason"),
    "refusals": ("name", "department", "town", "action_zh", "day", "why"),
    "works_owners": ("works_owner", "work_name", "window", "sites", "saving_yuan", "asked"),
    "worst": ("indicator", "level_zh", "rank", "area", "value"),
    "scores": ("kind_zh", "rank", "name", "score", "light"),
    "year_plan": ("organisation", "kind_zh", "item", "number", "unit", "due_on", "note"),
    "town_tasks": ("title", "organisation", "due_on", "status_zh", "light"),
    "town_sites": ("name", "state_zh", "phase_year", "due_on", "department", "reason"),
    "town_cases": ("title", "enterprise", "opened_on", "level_zh", "status_zh"),
    "phases": ("phase", "sites", "on_air", "on_air_share", "building", "blocked", "left", "delayed"),
}
"""Tables that documents may list, with the names of their rows."""
KINDS: Mapping[str, str] = {"due_on": "date", "opened_on": "date", "day": "date", "phase_year": "year",
                            "light": "light"}
"""What values of tables without a sheet of their own are."""


def cell(text: Any, longest: int = LONGEST) -> str:
    """A value as a cell of a document: one line, not longer than ``longest``."""
    line = plain_line(f"{text:,.1f}".removesuffix(".0") if isinstance(text, float) else str(text))
    return line if len(line) <= longest else line[:longest - 1] + "…"


TELLING: Mapping[str, tuple[tuple[str, ...], str]] = {
    "departments": (("tasks_total", "missed", "refusals"), "没有任务和事项"),
    "enterprises": (("sites", "withdrawn", "tasks_total", "cases_opened_in_period", "cases_open"), "没有站址和任务"),
    "scores": (("score",), "没有足够的数据,不评分"),
}
"""Tables of which documents list the rows that tell something: columns with any number, words for the others."""


def telling_rows(facts: ReportFacts, key: str) -> tuple[pd.DataFrame, str]:
    """Rows of a table that a document lists, and how many organisations it leaves out for telling nothing."""
    table = facts.tables.get(key, pd.DataFrame())
    if key not in TELLING or not len(table):
        return table, ""
    columns, words = TELLING[key]
    numbers = table[list(columns)]
    kept = (numbers.notna().any(axis=1) if key == "scores" else (numbers > 0).any(axis=1)).to_numpy(bool)
    out = int((~kept).sum())
    return table[kept], f"另有{out}个单位{words}" if out else ""


def rows_of(facts: ReportFacts, key: str, most: int = MOST) -> list[dict[str, str]]:
    """Rows of a table as texts."""
    return frame_rows(telling_rows(facts, key)[0].iloc[:most], key)


def frame_rows(table: pd.DataFrame, key: str, longest: Mapping[str, int] = MappingProxyType({}),
               ) -> list[dict[str, str]]:
    """Rows of a part of a table as texts, told as the workbook tells them; ``longest``: letters of some columns."""
    kinds = dict(KINDS)
    if key in report_sheets():
        kinds |= {column.name: column.kind for column in report_sheets()[key].columns}
    columns = {name: [cell(told(value, kinds.get(name, "text")), longest.get(name, LONGEST))
                      for value in table[name].astype("object")] if name in table else [""] * len(table)
               for name in ROW_NAMES[key]}
    return [{name: columns[name][at] for name in columns} for at in range(len(table))]


def more_of(facts: ReportFacts, key: str, most: int = MOST) -> str:
    """How many rows are not listed."""
    table, left_out = telling_rows(facts, key)
    sheet = f"见 half_year.xlsx“{report_sheets()[key].sheet}”"
    cut = f"共{len(table)}项,列出前{most}项,其余{sheet}" if len(table) > most else ""
    return ";".join(text for text in (cut, f"{left_out},{sheet}" if left_out else "") if text)


def common_facts(facts: ReportFacts, office: str, signed: dt.date | None = None) -> dict[str, Any]:
    """What every document may name; ``signed``: its day, that of the cut-off when absent."""
    period = facts.period
    return {"city": plain_line(facts.city), "office": plain_line(office), "period": period.title,
            "first": chinese_day(period.first), "last": chinese_day(period.last), "year": str(period.year),
            "plan_year": str(period.plan_year), "reply_by": chinese_day(period.reply_by),
            "next_report": chinese_day(period.next_report), "note": plain_line(cut_off_note(facts)), "no_rows": NONE_ZH,
            "date": chinese_day(signed or period.last)}


def report_document_facts(facts: ReportFacts, office: str, picture: bytes, signed: dt.date | None = None,
                          ) -> dict[str, Any]:
    """What the half-year and the annual report may name."""
    out = common_facts(facts, office, signed)
    for name, sentences in (("overview", overview), ("quota_texts", quota_sentences), ("case_texts", case_sentences),
                            ("venue_texts", venue_sentences), ("works_texts", works_sentences),
                            ("problems", problem_sentences), ("next_steps", next_sentences),
                            ("plan_texts", plan_sentences)):
        out[name] = lines(sentences(facts))
    for key in ROW_NAMES:
        out[key], out[f"more_{key}"] = rows_of(facts, key), more_of(facts, key) if key in report_sheets() else ""
    return {**out, "map": picture}


def town_facts(facts: ReportFacts, office: str) -> dict[str, Any]:
    """What the sheets of towns may name: one entry for each town, its lists short enough for one page."""
    tables, sites = facts.tables, facts.sites
    left = pd.DataFrame(sites[sites["is_live"]]).assign(
        reason=sites["state_reason"], order=lambda rows: np.where(rows["is_late"], 0, np.where(
            rows["state"] == "blocked", 1, 2))).reset_index(names="id").sort_values(["order", "due_on", "id"])
    open_cases = tables["cases"][tables["cases"]["status"] != "closed"]
    undone = tables["tasks"][tables["tasks"]["status"].isin(["late", "blocked", "open"])].sort_values(["due_on", "id"])
    parts = {"tasks": ("town_tasks", undone, 6), "sites_left": ("town_sites", left, 8),
             "cases": ("town_cases", open_cases, 3), "refusals": ("refusals", tables["refusals"], 3)}
    lists = {name: _by_town(key, table, most) for name, (key, table, most) in parts.items()}
    towns = tables["towns"]
    shown = {column.name: column.kind for column in report_sheets()["towns"].columns}
    out = []
    for row in towns[~towns["name"].isin(NO_PLACES)].to_dict("records"):
        town: dict[str, Any] = {name: cell(told(row[name], kind)) for name, kind in shown.items() if name in row}
        town["light_reason"] = f"（{cell(town['light_reason'], 24)}）" if town.get("light_reason") else ""
        for name, (_, _, most) in parts.items():
            town[name], number = lists[name].get(str(row["town_key"]), ([], 0))
            town[f"more_{name}"] = f"共{number}项，列出前{most}项" if number > most else ""
        out.append(town)
    return {**common_facts(facts, office), "towns": out}


def _by_town(key: str, table: pd.DataFrame, most: int) -> dict[str, tuple[list[dict[str, str]], int]]:
    """The first rows of each town as texts, and how many there are."""
    first = table[table.groupby("town_key").cumcount() < most]
    numbers = table["town_key"].value_counts()
    out: dict[str, tuple[list[dict[str, str]], int]] = {
        str(name): ([], int(number)) for name, number in numbers.items()}
    for name, row in zip(first["town_key"], frame_rows(first, key, TOWN_LONGEST), strict=True):
        out[str(name)][0].append(row)
    return out


def lines(texts: Iterable[str]) -> list[str]:
    """Sentences as a document may hold them."""
    return [plain_line(text) for text in texts]


def letter_facts(reminder: Reminder, facts: ReportFacts, office: str) -> dict[str, Any]:
    """What a reminder letter may name."""
    items = [{"number": str(number), "title": plain_line(item.title), "due_on": chinese_day(item.due_on),
              "days_late": str(item.days_late), "source": plain_line(item.source), "why": plain_line(item.why),
              "blocked_reason": plain_line(item.blocked_reason), "times": str(item.times)}
             for number, item in enumerate(reminder.items, start=1)]
    return {**common_facts(facts, office), "organisation": plain_line(reminder.organisation),
            "number": plain_line(reminder.number), "title": plain_line(reminder.title), "items": items,
            "count": str(len(items)), "reply_by": chinese_day(reminder.reply_by), "date": chinese_day(reminder.day),
            "copies": plain_line("、".join(reminder.cc)), "times": str(reminder.times)}


def plan_facts(facts: ReportFacts, office: str, without_plan: Sequence[str]) -> dict[str, Any]:
    """What the plan of work of a year may name: groups of organisations with their rows."""
    table = facts.tables["year_plan"]
    groups = [{"name": cell(name), "rows": frame_rows(rows, "year_plan"), "count": str(len(rows))}
              for name, rows in table.groupby("organisation", sort=True)]
    missing = f"尚未报送年度工作计划：{'、'.join(without_plan)}。" if without_plan else "各成员单位均已报送年度工作计划。"
    return {**common_facts(facts, office), "organisations": groups, "missing": plain_line(missing),
            "plan_texts": lines(plan_sentences(facts))}
