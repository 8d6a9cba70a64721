"""Back-scheduled milestones (倒排工期): of sites from their due day, of quotas as cumulative values."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import pandas as pd

from siteplan.errors import Problem, RegisterError
from siteplan.register.dictionary import register_tables, word_of
from siteplan.register.quotas.plan_share import cumulative_plan
from siteplan.register.quotas.rows import day_in, quotas_in, text_in
from siteplan.register.store import Transaction, add_rows, edit_rows, read_rows
from siteplan.tables import read_table

STATUS_ZH = {"done": "已完成", "due": "未到期", "late": "逾期", "withdrawn": "站址已撤销"}
COLUMNS = ("site_id", "site_name", "county", "town", "enterprise", "step", "due_on", "status", "status_zh", "days_late",
           "light", "reason")


class SiteStep(NamedTuple):
    """A step of building a site, as planners call it, and its latest day."""

    step: str
    due_on: dt.date


def site_milestones(due_on: dt.date, mount: str = "", build: str = "") -> list[SiteStep]:
    """Latest day of each step of a site, back from the day on which it must be on air.

    A step must end so early that every step that needs it can still take its days (``tables/lead_times.toml``, editable
    defaults, unverified); steps that do not need each other run side by side.

    Parameters
    ----------
    due_on : date
        The last step ends on it.
    mount, build : str
        Key (or Chinese word) of ``mounts.toml``, and new | reuse | share; others have the general lead times.

    Returns
    -------
    list of SiteStep
        In the order of the table.

    Examples
    --------
    >>> for step, day in site_milestones(dt.date(2026, 6, 30), "roof_pole", "new"):
    ...     print(step, day)
    现场勘察 2026-04-11
    场所协议 2026-05-01
    手续审批 2026-05-31
    用电报装送电 2026-06-20
    施工 2026-06-20
    验收开通 2026-06-30
    """
    steps, days = read_table("lead_times")["steps"], lead_days(mount, build)
    latest: dict[str, dt.date] = {}
    for name in reversed(steps):
        after = [later for later, entry in steps.items() if name in entry["needs"]]
        latest[name] = min((latest[later] - dt.timedelta(days[later]) for later in after), default=due_on)
    return [SiteStep(entry["zh"], latest[name]) for name, entry in steps.items()]


def lead_days(mount: str = "", build: str = "") -> dict[str, int]:
    """Days of each step for a mount and a build.

    >>> lead_days("落地塔")["construction"], lead_days("ground_tower", "share")["construction"]
    (45, 7)
    """
    table, mounts = read_table("lead_times"), read_table("mounts")["mounts"]
    key = next((name for name, entry in mounts.items() if mount in (name, entry["zh"])), mount)
    return {name: int(entry["days"]) for name, entry in table["steps"].items()} | dict(
        table["mounts"].get(key, {})) | dict(table["builds"].get(build, {}))


def schedule_sites(transaction: Transaction, ids: Iterable[str] | None = None) -> list[str]:
    """Write the milestones of sites; those that changed replace the old ones.

    Parameters
    ----------
    transaction : Transaction
    ids : iterable of str, optional
        Sites to schedule; all that have a due day and are neither on air nor withdrawn when absent.

    Returns
    -------
    list of str
        Ids of the milestones that are new.

    Raises
    ------
    RegisterError
        A site is not there, has no due day, is on air or withdrawn; every problem with its site. Nothing is written.
    """
    sites = pd.DataFrame(read_rows(transaction.register, "sites", connection=transaction.connection))
    over = sites["state"].isin(["on_air", "withdrawn"])
    chosen = [str(row_id) for row_id in sites.index[sites["due_on"].notna() & ~over]] if ids is None else list(ids)
    rows = {str(row_id): row for row_id, row in zip(sites.index, sites.to_dict("records"), strict=True)}
    problems = [problem for site_id in chosen for problem in _site_problems(transaction, site_id, rows.get(site_id))]
    if problems:
        raise RegisterError("不能倒排工期:", problems)
    wanted = {}
    for site_id in chosen:
        due_on = day_in(rows[site_id], "due_on")
        if due_on is not None:
            wanted[site_id] = [(step, day, None) for step, day in site_milestones(
                due_on, text_in(rows[site_id], "mount"), text_in(rows[site_id], "build"))]
    return _replace(transaction, "site_id", wanted, "倒排工期")


def _site_problems(transaction: Transaction, site_id: str, row: Mapping[str, Any] | None) -> list[Problem]:
    where = ("sites", transaction.register.shown, site_id)
    if row is None:
        return [Problem(*where, "id", "储备库中没有这一站址", "核对站址编号")]
    if row["state"] in ("on_air", "withdrawn"):
        return [Problem(*where, "state", f"站址{word_of('sites', 'state', row['state'])},不需要倒排工期", "不列入")]
    return [] if day_in(row, "due_on") else [Problem(*where, "due_on", "没有应开通日期", "补填应开通日期")]


def quota_milestones(transaction: Transaction, quota_id: str, steps: str | Sequence[dt.date] = "month",
                     weights: Sequence[float] | None = None) -> list[str]:
    """Write cumulative milestones of a quota; those that changed replace the old ones.

    Parameters
    ----------
    transaction : Transaction
    quota_id : str
    steps : {"month", "quarter", "half", "year"} or sequence of date
    weights : sequence of float, optional
        Of the steps; their length in months when absent.

    Returns
    -------
    list of str
        Ids of the milestones that are new.

    Raises
    ------
    RegisterError
        There is no such current quota, or see `cumulative_plan`.
    """
    table = read_rows(transaction.register, "quotas", connection=transaction.connection)
    quota = quotas_in(pd.DataFrame(table)).get(quota_id)
    if quota is None or not quota.is_current or quota.value is None or quota.by is None or quota.first_day is None:
        raise RegisterError("不能编排指标的里程碑:", [Problem("quotas", transaction.register.shown, quota_id, "id",
                                                    "没有这一现行指标,或它没有任务数和期限", "核对指标编号")])
    plan = cumulative_plan(quota.value, quota.first_day, quota.by, steps, quota.base or 0, weights)
    return _replace(transaction, "quota_id", {quota_id: [(f"至{day}累计", day, value) for day, value in plan]},
                    f"指标 {quota_id} 编排里程碑")


def _replace(transaction: Transaction, field: str, wanted: Mapping[str, Sequence[tuple[str, dt.date, int | None]]],
             why: str) -> list[str]:
    """Put milestones in place of the current ones of sites or quotas; equal ones stay."""
    table = pd.DataFrame(read_rows(transaction.register, "milestones", connection=transaction.connection))
    table = table[table[field].isin(wanted) & table["is_current"].fillna(True).astype(bool)]
    standing: dict[tuple[str, str, dt.date | None, int | None], str] = {}
    gone = []
    for row_id, row in zip(table.index, table.to_dict("records"), strict=True):
        value = None if pd.isna(row["value"]) else int(row["value"])
        key = (str(row[field]), text_in(row, "step"), day_in(row, "due_on"), value)
        if key in standing or key not in {(row[field], *part) for part in wanted[row[field]]}:
            gone.append(str(row_id))
        else:
            standing[key] = str(row_id)
    edit_rows(transaction, "milestones", {row_id: {"is_current": False} for row_id in gone}, f"{why}(替换)")
    rows = [{field: owner, "step": step, "due_on": day, "value": value, "is_current": True}
            for owner, parts in wanted.items() for step, day, value in parts
            if (owner, step, day, value) not in standing]
    return add_rows(transaction, "milestones", rows, why)


def milestones_due(milestones: pd.DataFrame, sites: pd.DataFrame, as_of: dt.date,
                   venues: pd.DataFrame | None = None) -> pd.DataFrame:
    """Milestones of sites as of a day: done, due or late, judged by the columns of each site.

    What shows that a step is done stands in ``tables/lead_times.toml``. A step is late from the day after its latest
    day. Milestones of quotas (`quota_progress`) and replaced ones have no row.

    Parameters
    ----------
    milestones, sites : DataFrame
        Tables of the register, read as of the cut-off.
    as_of : date
    venues : DataFrame, optional
        With ``agreed_on``, the day of an agreement.

    Returns
    -------
    DataFrame
        Index ``id``, by latest day: ``site_id, site_name, county, town, enterprise, step, due_on, status`` done | due |
        late | withdrawn (the site is), ``status_zh, days_late`` (0 when not late), ``light`` (yellow = due within the
        days of the table), ``reason``.
    """
    rows = milestones[milestones["site_id"].notna() & milestones["is_current"].fillna(True).astype(bool)]
    rows = rows.sort_values(["due_on", "site_id"], kind="stable")
    table = pd.DataFrame(sites)
    table = table[table.index.isin(rows["site_id"])]
    known = {str(row_id): row for row_id, row in zip(table.index, table.to_dict("records"), strict=True)}
    agreed = {} if venues is None else {str(row_id): day for row_id, day in venues["agreed_on"].dropna().items()}
    steps = {entry["zh"]: name for name, entry in read_table("lead_times")["steps"].items()}
    out = {}
    for row_id, row in zip(rows.index, rows.to_dict("records"), strict=True):
        site = known.get(str(row["site_id"]), {})
        due_on = row["due_on"].date()
        proof = _proof(steps.get(text_in(row, "step"), ""), site, agreed.get(text_in(site, "venue_id")), as_of)
        status = ("done" if proof else "withdrawn" if site.get("state") == "withdrawn"
                  else "late" if due_on < as_of else "due")
        late = (as_of - due_on).days if status == "late" else 0
        soon = status == "due" and (due_on - as_of).days <= read_table("lead_times")["soon_days"]
        out[row_id] = {
            "site_id": row["site_id"], "site_name": text_in(site, "name"), "county": text_in(site, "county"),
            "town": text_in(site, "town"), "enterprise": text_in(site, "enterprise"), "step": row["step"],
            "due_on": due_on, "status": status, "status_zh": STATUS_ZH[status], "days_late": late,
            "light": "red" if late else "yellow" if soon else "green",
            "reason": _told(site, (due_on, as_of), status, proof, text_in(row, "step") in steps)}
    found = pd.DataFrame.from_dict(out, orient="index", columns=list(COLUMNS)).rename_axis("id")
    texts = [name for name in COLUMNS if name not in ("due_on", "days_late")]
    return found.assign(due_on=pd.to_datetime(found["due_on"]).astype("datetime64[us]")).astype(
        {"days_late": "int64", **dict.fromkeys(texts, "str")})


def _proof(step: str, site: Mapping[str, Any], agreed_on: Any, as_of: dt.date) -> str:
    """What shows that a step is done by a day, in words; empty when nothing does."""
    entry = read_table("lead_times")["steps"].get(step)
    if entry is None:
        return ""
    if "venue" in entry and agreed_on is not None and agreed_on.date() <= as_of:
        return f"协议日期 {agreed_on:%Y-%m-%d}"
    for name, codes in entry["done_when"].items():
        day = day_in(site, entry.get("dated", {}).get(name, ""))
        if site.get(name) in codes and (day is None or day <= as_of):
            return f"{register_tables()['sites'].fields[name].spec.zh}:{word_of('sites', name, site[name])}"
    return ""


def _told(site: Mapping[str, Any], days: tuple[dt.date, dt.date], status: str, proof: str, judged: bool) -> str:
    """The reason of a status, as a Chinese sentence."""
    due_on, as_of = days
    if proof:
        return proof
    why = text_in(site, "state_reason")
    if status == "withdrawn":
        return f"站址已撤销:{why}"
    blocked = f",站址受阻:{why}" if site.get("state") == "blocked" else ""
    unknown = "" if judged else ",环节不在 lead_times 表中,不能由储备库各栏判断"
    gap = (as_of - due_on).days
    return (f"最迟 {due_on},已逾期{gap}天" if status == "late" else f"最迟 {due_on},还有{-gap}天") + blocked + unknown
