"""Commands on quotas, schedules and scores: ``siteplan register quota ...``, ``schedule``, ``scores``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from siteplan.cli._register import AsOf, register_app
from siteplan.cli._register_entry import QUOTAS, Entry, command, counted, day_of, sub_app
from siteplan.cli._register_words import shown, table_named
from siteplan.cli._terminal import BAD_INPUT
from siteplan.errors import Problem, RegisterError

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Iterator, Mapping

    import pandas as pd
    from sqlalchemy import Connection

    from siteplan.register import Register

quota_app = sub_app("指标:分解、核对、进度。Quotas.")
register_app.add_typer(quota_app, name="quota", rich_help_panel=QUOTAS)
QuotaId = Annotated[str, typer.Argument(metavar="ID", help="指标编号,如 ZB000001")]
_LEVELS = {"county": "county", "县区": "county", "town": "town", "镇街": "town"}
_NEEDS = ("demand", "sites", "people")
_STEPS = ("month", "quarter", "half", "year")
_KINDS = ("departments", "enterprises", "counties")
_GAIN = "village_gain"
"""Indicator that is a difference of two shares."""


def one_of(option: str, value: str, known: tuple[str, ...]) -> str:
    """The value of an option that may have a few words only."""
    if value not in known:
        raise RegisterError("选项不能使用:", [Problem("register", "", "", option, f"没有“{value}”", f"可用:{'、'.join(known)}")])
    return value


@command(quota_app)
def split(entry: Entry, parent: QuotaId,
          level: Annotated[str, typer.Option(help="分到:county 县区,town 镇街")] = "county",
          by_need: Annotated[str, typer.Option(
              "--by-need", help="按需求:demand 待建站址的需求,sites 待建站址数,people 未覆盖人口")] = "demand") -> None:
    """按需求分解一个指标(最大余数法)。Split a quota by need."""
    from siteplan.register import read_rows, writing
    from siteplan.register.quotas import decompose, needs_of

    one_of("--level", level, tuple(_LEVELS))
    one_of("--by-need", by_need, _NEEDS)
    register = entry.open()
    needs = needs_of(read_rows(register, "sites"), read_rows(register, "indicators"), _LEVELS[level], by_need)
    with writing(register, entry.stamp) as transaction:
        ids = decompose(transaction, parent, _LEVELS[level], needs)
    rows = read_rows(register, "quotas", ids=ids)
    for row_id, row in rows.iterrows():
        entry.say(f"{row_id}  {row['area']}  {row['value']:.0f} {row['unit']}  {row['basis'].rpartition(':')[2]}")
    for note in needs.notes:
        entry.say(note, "yellow")
    entry.say(f"{parent} 已按{needs.basis}分解为 {len(ids)} 项,合计 {rows['value'].sum():.0f};"
              f"另有已定的分解时用 siteplan register import split 文件 --parent {parent} 取代")


@command(quota_app)
def tree(entry: Entry, as_of: AsOf = "") -> int:
    """按层级列出现行指标,核对加总、期限和区域。有问题时返回 2。The tree of quotas, checked."""
    import pandas as pd

    from siteplan.register import read_rows, reading
    from siteplan.register.quotas import areas_of, quotas_in, tree_problems

    register, day = entry.open(), day_of(as_of, "--as-of")
    with reading(register) as connection:
        quotas, organisations, sites = (pd.DataFrame(read_rows(register, name, day, connection=connection))
                                        for name in ("quotas", "organisations", "sites"))
    current = {row_id: quota for row_id, quota in quotas_in(quotas).items() if quota.is_current}
    spec = table_named("quotas")
    for depth, row_id in _branches({row_id: quota.parent_id for row_id, quota in current.items()}):
        row = quotas.loc[row_id]
        value = "-" if row["value"] != row["value"] else f"{row['value']:.0f}"
        entry.say(f"{'  ' * depth}{row_id}  {shown(spec, 'level', row['level'])} {row['area']}  {row['title']}  "
                  f"{value} {row['unit']}  {shown(spec, 'by', row['by'])} 前")
    problems = tree_problems(quotas, areas_of(organisations, sites[["county", "town"]], register.city))
    entry.say_some((f"{problem}" for problem in problems), "red")
    told = (f"{len(problems)} 处须改正;改:siteplan register set 编号 字段=值,或重新 import split" if problems
            else "加总、期限、区域无误;进度:siteplan register quota progress")
    entry.say(f"现行指标 {len(current)} 项:{told}")
    return BAD_INPUT if problems else 0


def _branches(parents: dict[str, str]) -> Iterator[tuple[int, str]]:
    """Ids with their depth, each below the one it belongs to; what hangs in a circle comes last."""
    below: dict[str, list[str]] = {}
    for row_id, parent in parents.items():
        below.setdefault(parent if parent in parents else "", []).append(row_id)
    waiting, seen = [(0, row_id) for row_id in reversed(below.get("", []))], set[str]()
    while waiting:
        depth, row_id = waiting.pop()
        seen.add(row_id)
        yield depth, row_id
        waiting += [(depth + 1, child) for child in reversed(below.get(row_id, [])) if child not in seen]
    yield from ((0, row_id) for row_id in parents if row_id not in seen)


@command(quota_app)
def progress(entry: Entry, as_of: AsOf = "") -> None:
    """各指标的完成数与线性进度。Progress of quotas against a linear plan."""
    from siteplan.register import reading

    register, day = entry.open(), day_of(as_of, "--as-of") or entry.day
    with reading(register) as connection:
        table = _progress(register, day, connection)
    for row_id, row in table.iterrows():
        done = f"{row['done']:.0f}" if row["done"] == row["done"] else "-"
        plan = f"(计划 {100 * row['plan_share']:.1f} %)"
        shares = "" if row["share"] != row["share"] else f",完成 {100 * row['share']:.1f} %{plan}"
        entry.say(f"{row_id}  {row['title']}  {row['area']}  {done}/{row['value']:.0f} {row['unit']}{shares}  "
                  f"{row['status_zh']}")
    entry.say(f"截至 {day}(含当日):{len(table)} 项指标;上报数用 siteplan register import reports 文件")


def _progress(register: Register, day: dt.date, connection: Connection) -> pd.DataFrame:
    from siteplan.register import read_rows
    from siteplan.register.quotas import quota_progress

    quotas, sites, reports, milestones, cases = (read_rows(register, name, day, connection=connection) for name in (
        "quotas", "sites", "reports", "milestones", "cases"))
    return quota_progress(quotas, sites, reports, day, milestones=milestones, cases=cases, city=register.city)


@command(quota_app)
def milestones(entry: Entry, quota: QuotaId,
               by: Annotated[str, typer.Option(help="每:month 月,quarter 季,half 半年,year 年")] = "quarter") -> None:
    """按时间均匀编排一个指标的累计里程碑。Cumulative milestones of a quota."""
    from siteplan.register import read_rows, writing
    from siteplan.register.quotas import quota_milestones

    one_of("--by", by, _STEPS)
    register = entry.open()
    with writing(register, entry.stamp) as transaction:
        ids = quota_milestones(transaction, quota, by)
    rows = read_rows(register, "milestones")
    rows = rows[(rows["quota_id"] == quota) & rows["is_current"].fillna(False).astype(bool)].sort_values("due_on")
    for row_id, row in rows.iterrows():
        entry.say(f"{row_id}  {row['due_on']:%Y-%m-%d}  累计 {row['value']:.0f}  {row['step']}")
    entry.say(f"{quota} 有里程碑 {len(rows)} 个,新编 {len(ids)} 个;进度按里程碑比较:siteplan register quota progress")


@command(quota_app, "from-study")
def from_study(entry: Entry, study: Annotated[Path, typer.Argument(metavar="STUDY", help="研究文件")]) -> None:
    """把研究文件里站址数、基站数的目标登记为指标。Targets of a study as quotas."""
    import pandas as pd

    from siteplan.cli._register_lists import tell_result
    from siteplan.gaps.progress.targets import targets_of
    from siteplan.register.edits import ListTable
    from siteplan.register.list_kinds import import_list
    from siteplan.register.quotas import quotas_of_targets
    from siteplan.study import Study

    targets = targets_of(Study.from_toml(study).params.targets)
    register = entry.open()
    rows = quotas_of_targets(targets.values(), register.city)
    if not rows:
        entry.say(f"研究 {study.name} 的 {len(targets)} 个目标都不是站址数、基站数的目标(达标率由规划判断),没有登记指标")
        return
    table = pd.DataFrame(rows, dtype=object).assign(
        source_file=study.name, source_row=[str(row["title"]) for row in rows])
    done = import_list(register, "quotas", ListTable("quotas", table), entry.stamp)
    tell_result(entry, done)
    entry.say(f"下一步:siteplan register quota tree 核对,quota split 编号 分解;其余 {len(targets) - len(rows)} 个目标由规划判断")


@command(register_app, group=QUOTAS)
def schedule(entry: Entry, sites: Annotated[list[str] | None, typer.Argument(
        metavar="SITE...", help="站址编号;不写为全部有应开通日期的")] = None) -> None:
    """按应开通日期倒排各站址的环节。Back-scheduled milestones of sites."""
    from siteplan.register import read_rows, writing
    from siteplan.register.quotas import schedule_sites

    register = entry.open()
    with writing(register, entry.stamp) as transaction:
        ids = schedule_sites(transaction, sites or None)
    rows = read_rows(register, "sites")
    waiting = ~rows["state"].isin(["on_air", "withdrawn"])
    lacks = int((rows["due_on"].isna() & waiting).sum())
    if lacks and not sites:
        entry.say(f"{lacks} 处站址没有应开通日期,没有倒排;补填:siteplan register set 编号 应开通日期=2026-12-31,"
                  "多处的用 export 导出、import ledger 读回", "yellow")
    if not ids:
        dated = len(sites) if sites else int((rows["due_on"].notna() & waiting).sum())
        why = (f"{dated} 处站址的里程碑与已有的相同" if dated else "没有一处未开通的站址有应开通日期" if waiting.any()
               else "储备库里没有未开通的站址")
        entry.say(f"没有新编里程碑:{why}", "yellow")
    entry.say(f"倒排工期:{counted('新的里程碑', ids)};查看:siteplan register list milestones")


@command(register_app, group=QUOTAS)
def scores(entry: Entry, kind: Annotated[str, typer.Option(
               help="departments 部门,enterprises 企业,counties 县区")] = "counties", as_of: AsOf = "") -> None:
    """按公布的权重考评,逐项列出得分。Scores of organisations with their parts."""
    from siteplan.register import read_rows, reading
    from siteplan.register.scores import (
        SCORE_TABLES,
        score_facts,
        score_organisations,
        score_parts,
        score_rules,
        weakest,
    )

    wanted = one_of("--kind", kind, _KINDS)
    register, day = entry.open(), day_of(as_of, "--as-of") or entry.day
    with reading(register) as connection:
        tables = {name: read_rows(register, name, day, connection=connection) for name in SCORE_TABLES}
        plan = _progress(register, day, connection)
    facts = score_facts(wanted, tables, day, plan)  # type: ignore[arg-type]
    table = score_organisations(wanted, facts, day)  # type: ignore[arg-type]
    parts, units = score_parts(wanted, table), dict(score_rules(wanted)["unit"])  # type: ignore[arg-type]
    unscored = []
    for name, row in table.iterrows():
        own = parts[parts["organisation"] == name]
        known = own[own["value"].notna()]
        if row["score"] != row["score"] and known.empty:
            unscored.append(str(name))
            continue
        score = "已有数据的权重不足,不评分" if row["score"] != row["score"] else (
            f"{row['score']:.2f} 分,第 {row['rank_no']:.0f} 名")
        entry.say(f"{name}  {score}")
        for part in known.itertuples():
            points = "" if part.points != part.points else f",权重 {part.weight:.2f},得 {part.points:.2f} 分"
            entry.say(f"    {part.zh}:{_told(part.value, part.indicator, units)}{points}")
        if len(known) < len(own):
            entry.say(f"    不适用或没有数据:{'、'.join(own.loc[own['value'].isna(), 'zh'])}")
    if unscored:
        entry.say(f"没有一项可评:{'、'.join(unscored)}", "yellow")
    for row in weakest(facts, 1, wanted).itertuples():  # type: ignore[arg-type]
        entry.say(f"弱项 {row.zh}:{row.organisation} {_told(row.value, row.indicator, units)}", "yellow")
    entry.say(f"截至 {day}(含当日):{len(table)} 家;没有数据的指标不计,其权重按比例分给其余指标(权重见 scores 表)")


def _told(value: float, indicator: str, units: Mapping[str, str]) -> str:
    """A value of an indicator: a share in per cent, a difference of shares in points, or a number."""
    if indicator == _GAIN:
        return f"{100 * value:+.1f} 个百分点"
    return f"{100 * value:.1f} %" if units[indicator] == "share" else f"{value:g}"
