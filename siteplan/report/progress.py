"""The map of progress as a page: what `maps` draws, from the facts of a report."""

from __future__ import annotations

import geopandas as gpd
import pandas as pd

from siteplan.crs import crs_name, crs_zh
from siteplan.maps._progress import ProgressMap, render_progress_map
from siteplan.register import register_tables
from siteplan.report._counting import days_of, texts_of, words_of
from siteplan.report.facts import ReportFacts
from siteplan.report.workbook import cut_off_note, summary_rows

_CODES = ("kind", "build", "procedures", "funding", "construction", "power_application", "land", "title", "environment")
_TEXTS = ("county", "town", "enterprise", "department", "owner", "address")
_DAYS = ("state_on", "due_on", "on_air_on")
_LISTED = ("sites", "sites_on_air", "on_air_now", "sites_building", "sites_blocked", "sites_late", "tasks", "overdue",
           "cases_open")
"""Numbers of the first sheet that stand beside the map."""


def progress_page(facts: ReportFacts) -> str:
    """The map of progress as one HTML page.

    Raises
    ------
    ExportError
        An asset package is not installed.
    """
    return render_progress_map(progress_content(facts))


def progress_content(facts: ReportFacts) -> ProgressMap:
    """What the map of progress shows: sites with their facts and what is asked of them, numbers, title block."""
    table = pd.DataFrame(facts.sites)
    spec = register_tables()["sites"].fields
    names = [name or str(key) for key, name in zip(table.index, texts_of(table["name"]), strict=True)]
    shown = pd.DataFrame({"name": names, "state": table["state"].astype("object"), "state_zh": table["state_zh"]},
                         index=table.index)
    fields = {"state_zh": "状态", "phase_year": "计划年度"}
    shown["phase_year"] = [f"{int(year)}年" if year == year else "" for year in table["phase_year"]]
    for name in _TEXTS:
        shown[name], fields[name] = texts_of(table[name]), _LABELS.get(name, spec[name].spec.zh)
    for name in _CODES:
        shown[name], fields[name] = words_of("sites", name, table[name]), spec[name].spec.zh
    for name in _DAYS:
        shown[name], fields[name] = days_of(table[name]), spec[name].spec.zh
    shown["reason"], fields["reason"] = texts_of(table["state_reason"]), spec["state_reason"].spec.zh
    shown["tasks"], fields["tasks"] = _open_tasks(facts, table.index), "未完成任务"
    sites = gpd.GeoDataFrame(shown, geometry=facts.sites.geometry.to_numpy(), crs=facts.crs)
    numbers = [(f"{row[0]}:{row[1]}", f"{row[2]}{row[3]}") for row in summary_rows(facts, _LISTED)]
    title = [("城市", facts.city), ("期间", facts.period.title), ("截止日", facts.period.last.isoformat()),
             ("变更号", str(facts.last_event)), ("坐标系", f"{crs_zh(facts.crs)} {crs_name(facts.crs)}"),
             ("底图", "无,仅行政界线" if facts.areas else "无"), ("审图号", "无审图号,不得公开"), ("密级", "内部资料")]
    return ProgressMap(f"{facts.city}5G站址进展图", facts.period.title, f"截至 {facts.period.last}", sites, fields,
                       facts.areas, numbers, title, (cut_off_note(facts), *facts.warnings))


_LABELS = {"county": "县区", "town": "镇街"}


def _open_tasks(facts: ReportFacts, sites: pd.Index) -> list[str]:
    """Tasks of each site that are not done, in words."""
    tasks = facts.tables["tasks"]
    left = tasks[tasks["site_id"].notna() & (tasks["status"] != "done")]
    words = [f"{title}({status},{due})" for title, status, due in zip(
        texts_of(left["title"]), left["status_zh"], days_of(left["due_on"]), strict=True)]
    told: dict[str, list[str]] = {}
    for site, text in zip(left["site_id"].astype("object"), words, strict=True):
        told.setdefault(str(site), []).append(text)
    return ["；".join(told.get(str(site), ())) for site in sites]
