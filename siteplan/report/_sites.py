"""The reserve library in tables: states, progress and status columns, years, what is blocked, what went on air."""

from __future__ import annotations

import pandas as pd

from siteplan.register import register_tables, word_of
from siteplan.register.phases import listed, year_batches
from siteplan.report._counting import counts_by, joined, share_of, text_of, words_of
from siteplan.report.period import Period

STATES = ("reserve", "ready", "approved", "building", "on_air", "blocked", "withdrawn")
PROGRESS = ("procedures", "funding", "construction")
STATUS = ("power_supply", "power_application", "land", "title", "environment")
ALL_ZH = "全市"
NO_AREA = "(未写)"
"""Stands for rows without a county or town, so that every site is counted somewhere."""
CITY_LEVEL = "市级"
"""Stands for the county of tasks that the city's own departments or the enterprises lead and that lie in no county."""
NO_PLACES = (CITY_LEVEL, NO_AREA)


def place_order(name: str) -> tuple[bool, bool, str]:
    """Places by name, what is no place last.

    >>> sorted(["(未写)", "西县", "市级", "东县"], key=place_order)
    ['东县', '西县', '市级', '(未写)']
    """
    return name == NO_AREA, name == CITY_LEVEL, name


def site_facts(sites: pd.DataFrame, period: Period) -> pd.DataFrame:
    """Sites that count, with flags: ``is_now`` on air in the period, ``is_live``, ``is_late``, ``is_carried`` over.

    Those that a new plan dropped before they were approved do not count.
    """
    sites = sites[listed(sites)]
    state = sites["state"].astype("object")
    on_air = sites["on_air_on"].between(pd.Timestamp(period.first), pd.Timestamp(period.last)) & (state == "on_air")
    carried = (sites["first_year"] < sites["phase_year"]) | ((sites["phase_year"] < period.year) & ~state.isin(
        ["on_air", "withdrawn"]))
    return pd.DataFrame(sites).assign(
        state_zh=words_of("sites", "state", state), is_now=on_air.to_numpy(bool),
        is_live=~state.isin(["on_air", "withdrawn"]).to_numpy(bool), is_carried=carried.to_numpy(bool),
        county=filled(sites["county"]), town=filled(sites["town"]),
        is_late=((sites["due_on"] < pd.Timestamp(period.last)) & ~state.isin(["on_air", "withdrawn"])).to_numpy(bool))


def filled(names: pd.Series) -> pd.Series:
    """Names of places with a word for none.

    >>> filled(pd.Series(["云岭镇", None])).tolist()
    ['云岭镇', '(未写)']
    """
    texts = names.astype("object").where(names.notna(), "").astype("str").str.strip()
    return texts.where(texts != "", NO_AREA)


def state_counts(sites: pd.DataFrame, by: str) -> pd.DataFrame:
    """Sites (without those withdrawn), those of each state, on air in the period, late, by the names of a column."""
    state = sites["state"].astype("object").to_numpy()
    return counts_by(sites, by, {"sites": state != "withdrawn", **{code: state == code for code in STATES},
                                 "on_air_now": sites["is_now"], "sites_late": sites["is_late"]})


def library_rows(sites: pd.DataFrame) -> pd.DataFrame:
    """Sites by state: all, then each county."""
    whole = state_counts(sites.assign(whole=ALL_ZH), "whole")
    parts = state_counts(sites, "county")
    names = [ALL_ZH, *sorted(parts.index, key=place_order)]
    return joined(names, pd.concat([whole, parts])).reset_index(names="area")


def progress_rows(sites: pd.DataFrame) -> pd.DataFrame:
    """How many sites of the library have each value of the progress and status columns; withdrawn ones do not count.

    Columns ``group, column, value, sites, share``; the share is of the sites that count.
    """
    there = sites[sites["state"] != "withdrawn"]
    rows: list[dict[str, object]] = []
    for group, columns in (("四项进度", PROGRESS), ("办理状态", STATUS)):
        for column in columns:
            field = register_tables()["sites"].fields[column].spec
            number = there[column].astype("object").value_counts()
            listed = [(code, spellings[0]) for code, spellings in field.values.items()]
            for code, zh in listed:
                count = int(number.get(code, 0))
                rows.append({"group": group, "column": field.zh, "value": zh, "sites": count,
                             "share": share_of(count, len(there))})
            empty = int(there[column].isna().sum())
            rows.append({"group": group, "column": field.zh, "value": "未填", "sites": empty,
                         "share": share_of(empty, len(there))})
        if group == "四项进度":
            rows += _spending(there)
    return pd.DataFrame(rows, columns=["group", "column", "value", "sites", "share"])


def _spending(sites: pd.DataFrame) -> list[dict[str, object]]:
    """The fourth progress column: how many sites have spent their planned sum."""
    planned, spent = sites["capex_yuan"].to_numpy(float), sites["invested_yuan"].fillna(0.0).to_numpy(float)
    known = planned > 0
    counts = (("未投入", known & (spent <= 0)), ("部分投入", known & (spent > 0) & (spent < planned)),
              ("已全部投入", known & (spent >= planned)), ("没有计划投资", ~known))
    return [{"group": "四项进度", "column": "投资进度", "value": word, "sites": int(which.sum()),
             "share": share_of(int(which.sum()), len(sites))} for word, which in counts]


def investment_rows(sites: pd.DataFrame) -> pd.DataFrame:
    """Planned and spent money by county; the share only of sites with a planned sum."""
    there = sites[sites["state"] != "withdrawn"]
    rows = []
    counties = sorted(there.groupby("county", sort=True), key=lambda item: place_order(item[0]))
    for name, part in [(ALL_ZH, there), *counties]:
        planned, spent = float(part["capex_yuan"].sum()), float(part["invested_yuan"].sum())
        rows.append({"area": name, "sites": len(part), "planned_sites": int(part["capex_yuan"].notna().sum()),
                     "spent_sites": int(part["invested_yuan"].notna().sum()), "capex_yuan": planned,
                     "invested_yuan": spent, "share": share_of(spent, planned)})
    return pd.DataFrame(rows)


def phase_rows(sites: pd.DataFrame) -> pd.DataFrame:
    """Sites by year of the plan, from `register.phases.year_batches`; those withdrawn are told apart."""
    out = year_batches(sites)
    out["sites"] -= out["withdrawn"]
    out["on_air_share"] = out["on_air"] / out["sites"].where(out["sites"] > 0)
    words = ["未排期" if year == 0 else f"{int(year)}年" for year in out.index]
    return out.assign(phase=words).reset_index(drop=True)


def blocked_sites(sites: pd.DataFrame) -> pd.DataFrame:
    """Blocked sites as rows of the list of what is blocked."""
    part = sites[sites["state"] == "blocked"]
    return pd.DataFrame({
        "what": "站址", "id": part.index.astype("str"), "title": [text_of(name) for name in part["name"]],
        "organisation": [text_of(row.department) or text_of(row.enterprise) for row in part.itertuples()],
        "county": part["county"].to_numpy(), "town": part["town"].to_numpy(), "since": part["state_on"].to_numpy(),
        "reason": [text_of(why) for why in part["state_reason"]],
        "before": [word_of("sites", "state", code) for code in part["blocked_from"]],
    })


def site_rows(sites: pd.DataFrame) -> pd.DataFrame:
    """The ledger: every site with what planners ask for, codes in words."""
    words = {f"{name}_zh": words_of("sites", name, sites[name]) for name in ("kind", "build", *PROGRESS, *STATUS)}
    return pd.DataFrame(sites).drop(columns="geometry", errors="ignore").assign(**words).reset_index(names="id")
