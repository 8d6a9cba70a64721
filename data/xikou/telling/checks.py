"""The facts of the story counted again in plain code, from the register, its log and the plan folders."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from siteplan.register import check_seals, read_events, register_tables
from telling.office import Office, day_of

OVER = pd.Timestamp("2027-12-31")


def check_story(office: Office) -> list[str]:
    """A sentence for each fact that holds; an error for the first that does not."""
    return [check(office) for check in CHECKS]


def require(holds: object, told: str) -> None:
    """Stop the story where a fact does not hold."""
    if not holds:
        raise RuntimeError(f"不符:{told}")


def splits_add_up(office: Office) -> str:
    """The 13 free public sites and the 6 hard ones, county by county."""
    rows = office.rows("quotas")
    rows = rows[rows["is_current"].astype(bool)]
    told = []
    for title, value in (("免费开放公共区域站址", 13), ("疑难站址攻坚", 6)):
        (above,) = rows.index[(rows["title"] == title).to_numpy(bool)]
        parts = rows.loc[(rows["parent_id"] == above).to_numpy(bool), "value"]
        require(rows.loc[above, "value"] == value and parts.sum() == value, f"{title}的分解")
        told.append(f"{'+'.join(f'{part:.0f}' for part in parts)}={value}")
    return f"指标分解合计相符({'、'.join(told)})。"


def quota_of_sites(office: Office) -> str:
    """Sites and stations on air, counted from the days in the table."""
    from siteplan.register import read_rows
    from siteplan.register.quotas import quota_progress

    told = []
    for as_of in ("2026-06-30", "2026-12-31", "2027-12-31", "2028-12-31"):
        register, day = office.register, day_of(as_of)
        tables = {name: pd.DataFrame(read_rows(register, name, day))
                  for name in ("quotas", "sites", "reports", "milestones", "cases")}
        progress = quota_progress(tables["quotas"], tables["sites"], tables["reports"], day,
                                  milestones=tables["milestones"], cases=tables["cases"], city=register.city)
        now = office.rows("sites")
        for row in progress[(progress["level"] == "city") & progress["measure"].isin(["new", "free_public"])
                            & (progress["counted"] == "register")].itertuples():
            last = min(pd.Timestamp(as_of), pd.Timestamp(row.by))
            built = now[((now["on_air_on"] >= pd.Timestamp(row.since)) & (now["on_air_on"] <= last)).to_numpy(bool)]
            if row.measure == "free_public":
                built = built[built["is_free"].astype(bool)]
            mine = built["station_count"].sum() if row.unit == "基站" else len(built)
            require(row.done == mine, f"{as_of} {row.title}:{row.done} 与 {mine}")
        told.append(f"{as_of} 开通 {int((now['on_air_on'] <= pd.Timestamp(as_of)).sum())} 处")
    return f"指标完成数与开通日期逐一相符({'、'.join(told)})。"


def cut_off_is_exact(office: Office) -> str:
    """What was done on 06-30 counts in the first half-year, what was done on 07-01 does not."""
    tasks, sites = office.rows("tasks"), office.rows("sites")
    done = int((tasks["done_on"] <= pd.Timestamp("2026-06-30")).sum())
    require(office.found["numbers_2026-06-30"]["done"] == done == 4, "上半年完成的任务数")
    require((tasks["done_on"] == pd.Timestamp("2026-06-30")).sum() == 1, "06-30 完成的任务")
    require((tasks["done_on"] == pd.Timestamp("2026-07-01")).sum() == 1, "07-01 完成的任务")
    on_air = int((sites["on_air_on"] <= pd.Timestamp("2026-06-30")).sum())
    require(office.found["numbers_2026-06-30"]["sites_on_air"] == on_air == 2, "上半年开通的站址数")
    return f"截止日准确:06-30 完成的任务计入({done} 项),07-01 的不计;站址 {on_air} 处同理。"


def ids_are_kept(office: Office) -> str:
    """Every site of the first plan has its id and study id still; none is lost; the new ones are more."""
    sites, first = office.rows("sites"), office.found["first_sites"]
    require(set(first) <= set(sites.index), "站址丢失")
    former = {key: [study, *(old.split("|") if isinstance(old, str) else [])]
              for key, study, old in zip(sites.index, sites["study_id"], sites["former_ids"], strict=True)}
    require(all(study in former[key] for key, study in first.items()), "站址编号对不上")
    counts = office.found["replan"]
    require(len(sites) == len(first) + counts["added"], "站址总数")
    listed = counts["kept"] + counts["dropped"] + counts["committed"]
    require(listed == len(first), "第一次规划的站址没有全部交代")
    return (f"重新规划后编号不变:第一次的 {len(first)} 处 = 保留 {counts['kept']} + 未再列入 {counts['dropped']} + "
            f"已落实 {counts['committed']},另新增 {counts['added']} 处。")


def proposed(folder: Path) -> set[str]:
    """Study ids that a plan proposes, from its own table."""
    import pyogrio

    return set(pyogrio.read_dataframe(folder / "sites.gpkg", layer="sites", read_geometry=False)["site_id"])


def refused_stay_away(office: Office) -> str:
    """No venue that refused, or that a meeting banned, is proposed by the re-plan."""
    rows = office.rows("decisions")
    said = rows[rows["action"].isin(["refused", "agreed", "ban"]) & (rows["day"] <= pd.Timestamp("2027-01-13"))]
    last = said.sort_values("day", kind="stable").drop_duplicates("ref", keep="last")
    away = {str(ref).rpartition(":")[2] for ref in last.loc[last["action"] != "agreed", "ref"]}
    chosen = {name.rpartition(":")[2] for name in proposed(office.plans[2027])}
    require(not away & chosen, f"又提出了 {away & chosen}")
    gone = away & {name.rpartition(":")[2] for name in office.found["first_sites"].values()}
    return f"拒绝和禁用的 {len(away)} 处都没有再提出,其中 {len(gone)} 处第一次规划选过({'、'.join(sorted(gone))})。"


def built_sites_serve(office: Office) -> str:
    """The re-plan starts from more coverage than the first plan, because what was built counts."""
    shares = [indicators(office.plans[year])["before"]["area_share"] for year in (2026, 2027)]
    require(shares[1] > shares[0], "重新规划的现状覆盖没有提高")
    built = office.found["before_replan"].query("state == 'on_air'")["study_id"]
    require(not set(built) & proposed(office.plans[2027]), "已开通的站址又被提出")
    return f"已开通站址计入现状:面积覆盖率 {100 * shares[0]:.1f} % 升到 {100 * shares[1]:.1f} %。"


def committed_sites_stay(office: Office) -> str:
    """What was approved or being built when the plan was made again is in it."""
    before = office.found["before_replan"]
    kept = before[before["state"].isin(["approved", "building"]).to_numpy(bool)]
    require(len(kept), "没有已批准或在建的站址可查")
    require(set(kept["study_id"]) <= proposed(office.plans[2027]), "已批准或在建的站址不在新方案里")
    return f"已批准和在建的 {len(kept)} 处都在新方案里:{'、'.join(kept['name'])}。"


def study_and_register_agree(office: Office) -> str:
    """The target of new stations in the re-plan counts as many as the register has on air since it began."""
    results = json.loads((office.plans[2027] / "plan.json").read_text("utf-8"))["results"]["targets"]
    (target,) = [row for row in results if row["target"] == "new_stations_2027"]
    before = office.found["before_replan"].query("state == 'on_air'")
    require(target["reached_before"] == before["station_count"].sum(), "研究的目标与储备库的基站数不同")
    return f"新方案的目标“{target['zh']}”现状 {target['reached_before']} 个基站,与储备库开通数相同。"


def indicators(folder: Path) -> Mapping[str, Any]:
    facts: Mapping[str, Any] = json.loads((folder / "plan.json").read_text("utf-8"))["indicators"]
    return facts


def log_makes_tables(office: Office) -> str:
    """Replay of the log by hand gives every cell of every table; no row was touched by another program."""
    register = office.register
    held: dict[tuple[str, str], dict[str, str | None]] = {}
    events = read_events(register)
    said = events.sort_values("seq")[["kind", "row_id", "field", "new"]]
    for kind, row_id, name, new in said.itertuples(index=False):
        row = held.setdefault((kind, row_id), {})
        if name == "*":
            row |= json.loads(new)
        else:
            row[name] = new if isinstance(new, str) else None
    cells = 0
    for table, spec in register_tables().items():
        rows = office.rows(table)
        require(set(rows.index) == {row_id for kind, row_id in held if kind == table}, f"{table} 的行与记录不符")
        for name in spec.fields:
            column = rows[name]
            for row_id, value in zip(rows.index, column.to_numpy(object), strict=True):
                require(spelled(value) == plain(held[table, str(row_id)].get(name)), f"{table} {row_id} {name}")
                cells += 1
    require(not check_seals(register), "有行被其他程序改动")
    return f"{len(events)} 条变更逐条重放,与各表 {cells} 个单元格一致。"


def spelled(value: Any) -> str | float | None:
    """A cell as text, numbers as numbers."""
    if value is None or value is pd.NaT or value is pd.NA or value != value:
        return None
    if isinstance(value, pd.Timestamp):
        return value.strftime("%Y-%m-%d")
    return float(value) if not isinstance(value, str) else plain(value)


def plain(text: str | None) -> str | float | None:
    """A text of the log, numbers as numbers."""
    try:
        return None if text is None else float(text)
    except ValueError:
        return text


def hard_sites_done(office: Office) -> str:
    """Hard sites by the end of 2027: five cases solved; the sixth got another place, and counts as that is on air."""
    from siteplan.register import read_rows
    from siteplan.register.quotas import quota_progress

    cases = office.rows("cases")
    ended = cases[((cases["kind"] == "hard_site") & (cases["closed_on"] <= OVER)).to_numpy(bool)]
    solved = ended[(ended["outcome"] == "solved").to_numpy(bool)]
    require(dict(solved["county"].value_counts()) == {"溪西县": 4, "溪东县": 1} and len(ended) == 6, "疑难站址的办结")
    register, day = office.register, OVER.date()
    tables = {name: pd.DataFrame(read_rows(register, name, day)) for name in ("quotas", "sites", "reports", "cases")}
    progress = quota_progress(tables["quotas"], tables["sites"], tables["reports"], day, cases=tables["cases"])
    above = progress[((progress["measure"] == "hard_site") & (progress["level"] == "city")).to_numpy(bool)]
    sites = office.rows("sites")
    instead = sites[(sites["is_hard"].astype(bool) & (sites["on_air_on"] <= OVER)).to_numpy(bool)]
    require(above["done"].tolist() == [5 + len(instead)] == [6], "疑难站址的指标完成数")
    return (f"到2027年底疑难站址 6 处:解决 5 处(溪西县 4、溪东县 1),另行选址 1 处,新址{'、'.join(instead['name'])}"
            "已开通,计入。")


CHECKS: tuple[Callable[[Office], str], ...] = (
    splits_add_up, quota_of_sites, cut_off_is_exact, hard_sites_done, ids_are_kept, refused_stay_away,
    built_sites_serve, committed_sites_stay, study_and_register_agree, log_makes_tables)
