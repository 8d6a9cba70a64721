"""The numbers that the sentences of a report say: sums of its tables, so that text and tables cannot differ."""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd

from siteplan.report._changes import changed_counts
from siteplan.report._counting import share_of
from siteplan.report._sites import STATES
from siteplan.report.period import Period


def report_numbers(tables: Mapping[str, pd.DataFrame], sites: pd.DataFrame, period: Period, letters: int,
                   ) -> dict[str, float]:
    """Numbers by name; NaN where nothing can be told."""
    tasks, cases = tables["tasks"], tables["cases"]
    whole = tables["library"].iloc[0]
    status = tasks["status"].value_counts()
    due = tasks["due_on"] <= pd.Timestamp(period.last)
    closed = cases[cases["closed_in_period"]]
    works = tables["joint_works"][tables["joint_works"]["join"] != "too_late"]
    fees = tables["fees"]
    out: dict[str, float] = {
        "tasks": len(tasks), **{name: int(status.get(name, 0)) for name in ("done", "open", "late", "blocked")},
        "overdue": int(tasks["is_overdue"].sum()), "done_in_period": int(tasks["done_in_period"].sum()),
        "due": int(due.sum()), "due_done": int((due & (tasks["status"] == "done")).sum()),
        "sites": int(whole["sites"]), **{f"sites_{state}": int(whole[state]) for state in STATES},
        "on_air_now": int(whole["on_air_now"]), "sites_late": int(whole["sites_late"]),
        "capex_yuan": float(tables["investment"].iloc[0]["capex_yuan"]),
        "invested_yuan": float(tables["investment"].iloc[0]["invested_yuan"]),
        "cases_opened": int(cases["opened_in_period"].sum()), "cases_closed": len(closed),
        "cases_open": int((cases["status"] != "closed").sum()),
        "cases_overdue": int((cases["status"] == "overdue").sum()),
        "cases_top": int(((cases["status"] != "closed") & (cases["level"] == 3)).sum()),
        "days_to_close": float(closed["days_to_close"].mean()) if len(closed) else float("nan"),
        "refusals": int((tables["refusals"]["action"] == "refused").sum()),
        "hard": int((tables["refusals"]["action"] == "hard").sum()), "fees": len(fees),
        "fees_open": int(fees["is_open"].sum()), "fees_wrong": int(fees["is_violation"].sum()), "letters": letters,
        "works": int(works["work_id"].nunique()), "works_sites": int(works["site_id"].nunique()),
        "saving_yuan": float(works.loc[works["is_best"].astype(bool), "saving_yuan"].sum()),
        "year_sites": int(((sites["phase_year"] == period.year) & (sites["state"] != "withdrawn")).sum()),
        "carried": int((sites["is_carried"] & sites["is_live"]).sum()),
    }
    out |= changed_counts(tables["changes"])
    return out | {"rate": share_of(out["due_done"], out["due"])}
