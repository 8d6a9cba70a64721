"""2026: a register is made, a plan is brought in, quotas are split, two half-years pass."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd

from siteplan.errors import RegisterError
from siteplan.register import create_register, read_rows, reading, writing
from telling.office import BUILDINGS, COUNTY_WORKS, STORY, WORKS, Office, build, day_of, stamp
from telling.packs import make_plan, minutes, snapshot, sync, write_pack
from telling.planning import CITY_FOLDER

CITY, CRS = "溪口市", "EPSG:4547"
YEARS = (2026, 2027, 2028)


def begin(office: Office) -> None:
    """January: register, what had been decided before, the first plan."""
    from siteplan.layers import inspect_layers
    from siteplan.params import LayerSource
    from siteplan.register.edits import ListTable, apply_list
    from siteplan.register.organisations import seed_rows
    from siteplan.venues import load_venues

    first = stamp("2026-01-05", "建库")
    register = create_register(office.where, CITY, CRS, first.at)
    towns = inspect_layers({"towns": LayerSource(path="basemap.gpkg", layer="towns"),
                            "boundary": LayerSource(path="boundary.geojson")}, CRS, CITY_FOLDER).table("towns")
    pairs = list(zip(towns["name"], towns["county"], strict=True))
    rows = seed_rows(load_venues(), dict.fromkeys(county for _, county in pairs), pairs)
    done = apply_list(register, "organisations", ListTable("organisations", pd.DataFrame(rows).astype(object)), first)
    office.tell("2026-01-05", f"新建{CITY}储备库,登记责任单位 {len(done.added)} 个。")
    known, wrong = opinions_until(office, "2026-01-05")
    office.tell("2026-01-05", f"登记建库以前的会议决定、拒绝和收费 {known} 条;不能登记 {len(wrong)} 条:{';'.join(wrong)}。")
    make_plan(office, 2026, "2026-01-05", YEARS)
    result = sync(office, 2026, "2026-01-12")
    office.found["first_sites"] = dict(zip(result.added.index, result.added["study_id"], strict=True))


def opinions_until(office: Office, day: str) -> tuple[int, tuple[str, ...]]:
    """The city's table of decisions, as far as it goes on a day; rows that cannot stand are told and left out."""
    from dataclasses import replace

    from siteplan.layers import read_list
    from siteplan.register.list_kinds import import_list

    register = office.register
    given = read_list(CITY_FOLDER / "decisions.csv", "opinions")
    said = (given.rows["date"] <= pd.Timestamp(day)).to_numpy(bool)
    given = replace(given, rows=given.rows[said].reset_index(drop=True))
    try:
        return len(import_list(register, "decisions", given, stamp(day)).added), ()
    except RegisterError as error:
        wrong = {problem.row for problem in error.problems}
        right = given.rows[~given.rows["source_row"].isin(wrong).to_numpy(bool)].reset_index(drop=True)
        added = import_list(register, "decisions", replace(given, rows=right, problems=()), stamp(day)).added
        return len(added), tuple(str(problem) for problem in error.problems)


def fill_ledger(office: Office, day: str, year_due: dict[int, str]) -> None:
    """Who builds each site and by when: filled into the editable workbook, which is read back."""
    from openpyxl import load_workbook

    from siteplan.export.register_ledger import write_ledger
    from siteplan.layers import ledger_sheets, read_list
    from siteplan.register.edits import apply_within

    register, path = office.register, office.out / f"ledger_{day}.xlsx"
    write_ledger(register, path, ("sites",))
    sites = read_rows(register, "sites")
    book = load_workbook(path)
    sheet = book[ledger_sheets(path)["sites"]]
    column = {str(cell.value): cell.column for cell in sheet[1] if cell.value}
    for row in sheet.iter_rows(min_row=2):
        key = row[column["储备库编号"] - 1].value
        if key not in sites.index or sites.loc[key, "state"] in ("on_air", "withdrawn"):
            continue
        row[column["建设单位"] - 1].value = sites.loc[key, "enterprise"] if isinstance(
            sites.loc[key, "enterprise"], str) else enterprise_of(sites.loc[key])
        due = year_due.get(int(sites.loc[key, "phase_year"]))
        if due:
            row[column["应开通日期"] - 1].value = day_of(due)
    book.save(path)
    with writing(register, stamp(day, "落实建设单位和应开通日期")) as transaction:
        done = apply_within(transaction, read_list(path, "sites", register.crs, layer=sheet.title))
    office.tell(day, f"在储备库表中填写建设单位和应开通日期,读回 {len(done.changed)} 处。")


def enterprise_of(site: Any) -> str:
    """Reused sites go to an operator that they serve, new ones to the tower company."""
    networks = str(site["networks"]).split("|")
    if site["build"] == "reuse":
        return "移动公司" if networks == ["移动"] else "电信公司" if "电信" in networks else "联通公司"
    return "铁塔公司"


def set_up(office: Office) -> None:
    """January: who builds by when, quotas and their splits, milestones, joint works, plans of work."""
    from siteplan.register.quotas import decompose, needs_of, quota_milestones, schedule_sites

    fill_ledger(office, "2026-01-13", {2026: "2026-10-31", 2027: "2027-10-31", 2028: "2028-09-30"})
    added = office.bring("quotas", "quotas.xlsx", "2026-01-14").added
    office.tell("2026-01-14", f"登记指标任务 {len(added)} 项。")
    quota = {title: str(key) for key, title in office.rows("quotas")["title"].items()}
    told = office.refused("split", "split_free_public_draft.csv", "2026-01-14", parent_id=quota["免费开放公共区域站址"])
    office.found["refused_split"] = told
    office.tell("2026-01-14", f"初次分解不平,没有写入:{told[0]}。")
    for title, name in (("免费开放公共区域站址", "split_free_public.csv"), ("疑难站址攻坚", "split_hard_sites.csv"),
                        ("2026至2027年新建基站", "split_stations.csv")):
        office.bring("split", name, "2026-01-14", parent_id=quota[title])
    office.tell("2026-01-14", "13 处免费开放公共区域站址、6 处疑难站址、30 个基站按已定数分解到县。")
    register = office.register
    with writing(register, stamp("2026-01-14")) as transaction:
        parts = decompose(transaction, quota["2026年新建站址"], "county",
                          needs_of(read_rows(register, "sites"), None, "county", "demand"))
        quota_milestones(transaction, quota["2026年新建站址"], "quarter")
    shares = office.rows("quotas").loc[parts]
    told_parts = "、".join(f"{area} {value:.0f}" for area, value in zip(shares["area"], shares["value"], strict=True))
    office.tell("2026-01-14", f"2026年新建站址任务按需求分解:{told_parts}。")
    with writing(register, stamp("2026-01-15")) as transaction:
        steps = schedule_sites(transaction)
    office.tell("2026-01-15", f"按应开通日期倒排工期,里程碑 {len(steps)} 个。")
    joint_works(office, "2026-01-16", "works_2026_counties.csv")
    bring_work_plan(office, 2026, "2026-01-20")
    snapshot(office, "2026年初", "2026-01-20")


def bring_work_plan(office: Office, year: int, day: str) -> None:
    added = office.bring("tasks", f"work_plan_{year}.csv", day).added
    office.tell(day, f"收到各单位 {year} 年度工作计划,登记任务 {len(added)} 项。")


def joint_works(office: Office, day: str, counties: str, digs: Path | None = None, accepted: int = 2) -> None:
    """Works lists of a year; what can be built together; some of it is accepted."""
    from siteplan.layers import read_list
    from siteplan.register.list_kinds import import_list
    from siteplan.register.works import (
        accept_match,
        change_lines,
        import_works,
        match_works,
        record_suggestions,
        works_of_layers,
    )

    register = office.register
    given = read_list(digs or CITY_FOLDER / "planning.gpkg", "works", register.crs)
    lists = [import_list(register, "works", given, stamp(day), list_name=WORKS),
             office.bring("works", counties, day, list_name=COUNTY_WORKS)]
    office.found[f"works_{day}"] = [line.reason for done in lists for line in done.ledger]
    if digs is None:
        projects = office.layers(2026).layers["planned_buildings"].set_index("project_id")
        with writing(register, stamp(day)) as transaction:
            change = import_works(transaction, works_of_layers(None, projects), BUILDINGS, day_of(day))
        office.tell(day, change_lines(change, pd.DataFrame(read_rows(register, "works")))[0] + "。")
    for done in lists:
        office.tell(day, next(line.reason for line in done.ledger if line.reason.startswith("工程清单")) + "。")
        for line in done.ledger:
            if line.reason.startswith("须复核") or "推迟" in line.reason:
                office.tell(day, line.reason + "。")
    with reading(register) as connection:
        sites, links, works, decided = (read_rows(register, name, connection=connection)
                                        for name in ("sites", "links", "works", "joint_matches"))
    found = match_works(sites, links, works, day_of(day), decided=decided)
    with writing(register, stamp(day)) as transaction:
        record_suggestions(transaction, found)
    free = found[(found["suggested_year"].notna() & (found["decided"] != "accepted")).to_numpy(bool)]
    taken = free.drop_duplicates("site_id").head(accepted)
    for row in taken.itertuples():
        with writing(register, stamp(day, "业主单位会商同意")) as transaction:
            accept_match(transaction, row.work_id, row.site_id, int(row.suggested_year), "业主单位会商同意")
    told = "、".join(f"{row.site_name}与{row.work_name}({row.suggested_year:.0f}年)" for row in taken.itertuples())
    office.tell(day, f"可同步实施 {found['site_id'].nunique()} 处站址,采纳 {len(taken)} 处:{told}。")


def first_half(office: Office) -> None:
    """January to June, and the first days of July, which do not count for it."""
    from siteplan.register.duties import block_task, close_case, escalate, report_in

    sites = office.batch(2026)
    build(office, sites[:6], {"ready": "2026-02-10"})
    build(office, sites[:5], {"approved": "2026-03-05"})
    build(office, sites[:4], {"building": "2026-04-01"})
    build(office, sites[:1], {"on_air": "2026-05-20"})
    office.edit("sites", "2026-05-25", {sites[5]: {"state": "blocked", "state_reason": "站房屋面权属未定"}})
    build(office, sites[1:2], {"on_air": "2026-06-30"})
    added, wrong = opinions_until(office, "2026-06-12")
    office.found["wrong_opinions"] = wrong
    office.tell("2026-06-12", f"登记上半年会议决定、拒绝和收费 {added} 条;不能登记 {len(wrong)} 条:{';'.join(wrong)}。")
    office.bring("cases", "cases_2026h1.csv", "2026-06-20")
    with writing(office.register, stamp("2026-06-20")) as transaction:
        for title, names, day in (("村民阻挠塔基施工", ("公安局", "竹园镇"), "2026-03-12"),
                                  ("社区楼面进场受阻", ("住房和城乡建设局", "东门镇"), "2026-05-08"),
                                  ("F0018 群众反对，站址长期空置", ("卫生健康局", "云岭镇"), "2026-02-05"),
                                  ("火车站站房屋面权属不清", ("交通运输局",), "2026-05-29")):
            report_in(transaction, office.case(title), names, day_of(day))
    with writing(office.register, stamp("2026-06-30")) as transaction:
        close_case(transaction, office.case("村民阻挠塔基施工"), "solved", day_of("2026-04-05"), "补偿协议已签")
        escalate(transaction, office.case("社区楼面进场受阻"), day_of("2026-05-20"))
        escalate(transaction, office.case("火车站站房屋面权属不清"), day_of("2026-06-05"))
        escalate(transaction, office.case("火车站站房屋面权属不清"), day_of("2026-06-25"))
        close_case(transaction, office.case("F0018 群众反对，站址长期空置"), "solved", day_of("2026-06-30"), "监测结果已公示")
    office.tell("2026-06-30", "2026年一批:开通 2 处(其中 1 处就在 06-30),在建 2 处,受阻 1 处。")
    office.tell("2026-06-30", "吹哨 3 件、疑难站址 4 件:办结各 1 件,一件升到领导小组。")
    for day, title, organisation in (
            ("2026-03-30", "公布教育系统可开放场所目录", "教育和体育局"), ("2026-06-10", "完成本县年度站址征地和青苗补偿", "溪西县"),
            ("2026-06-20", "政府机关办公楼屋面开放", "机关事务管理局"), ("2026-06-30", "组织卫生院、村卫生室开放屋面", "卫生健康局"),
            ("2026-07-01", "车站、服务区开放站址并落实用电", "交通运输局")):
        office.finish(day, title, organisation)
    with writing(office.register, stamp("2026-06-10")) as transaction:
        block_task(transaction, office.task("村民委员会屋面无偿开放", "农业农村局"), day_of("2026-06-10"), "村集体要求先谈补偿")
    office.tell("2026-07-01", "卫生健康局一项任务 06-30 完成,交通运输局一项 07-01 完成:上半年只计前一项。")
    report_until(office, "2026-07-01", "2026-06-30")
    build(office, sites[2:3], {"on_air": "2026-07-01"})
    write_pack(office, "2026-06-30", "2026-07-03", 2026)


def report_until(office: Office, day: str, until: str) -> None:
    """What was reported of quotas up to a cut-off; it counts from its own day."""
    from dataclasses import replace

    from siteplan.layers import read_list
    from siteplan.register.list_kinds import import_list

    register = office.register
    given = read_list(STORY / "reports.csv", "reports")
    rows = given.rows[(given.rows["day"] == pd.Timestamp(until)).to_numpy(bool)].reset_index(drop=True)
    import_list(register, "reports", replace(given, rows=rows), stamp(day))


def second_half(office: Office) -> None:
    """July to December: minutes, reminders answered, refusals, a site given up."""
    from siteplan.register.duties import close_case, record_reply, report_in

    minutes(office, "minutes_2026h1.csv", "2026-07-08")
    with writing(office.register, stamp("2026-07-08")) as transaction:
        record_reply(transaction, office.task("灯杆挂高荷载核定", "城市管理和综合执法局"), day_of("2026-07-07"), "已委托检测机构",
                     day_of("2026-08-31"))
        record_reply(transaction, office.task("完成本县年度站址征地和青苗补偿", "溪东县"), day_of("2026-07-06"), "青苗补偿已到位")
    office.tell("2026-07-08", "两个单位答复催办函,一个承诺 08-31 前完成。")
    with writing(office.register, stamp("2026-07-15")) as transaction:
        close_case(transaction, office.case("社区楼面进场受阻"), "solved", day_of("2026-07-02"), "业主大会同意")
    sites = office.batch(2026)
    build(office, sites[3:4], {"on_air": "2026-08-20"})
    build(office, sites[7:8], {"ready": "2026-07-20", "approved": "2026-08-30", "building": "2026-10-15"})
    build(office, sites[8:9], {"ready": "2026-09-01", "approved": "2026-11-20"})
    build(office, sites[4:5], {"building": "2026-09-10", "on_air": "2026-11-30"})
    for day, title, organisation in (
            ("2026-08-14", "核实小学屋面拒绝开放的理由并反馈", "教育和体育局"), ("2026-08-20", "完成本县年度站址征地和青苗补偿", "溪东县"),
            ("2026-08-30", "协调东门镇楼面进场", "溪东县"), ("2026-09-30", "新建住宅小区通信设施验收备案清查", "住房和城乡建设局"),
            ("2026-11-05", "基站环境影响登记表集中备案", "铁塔公司")):
        office.finish(day, title, organisation)
    with writing(office.register, stamp("2026-09-15")) as transaction:
        close_case(transaction, office.case("高坪村进村道路塌方，塔材进不了场"), "solved", day_of("2026-09-10"), "便道已通")
        report_in(transaction, office.case("灯杆取电迟迟未批"), ("供电局",), day_of("2026-09-02"))
    office.bring("decisions", "opinions_2026h2.csv", "2026-11-10")
    office.edit("sites", "2026-11-12", {office.site_of("V-facility:F0097"): {
        "state": "withdrawn", "state_reason": "业主拒绝:办公楼列入危房改造"}})
    office.tell("2026-11-12", "两处场所拒绝开放、两处收费登记在册;其中一处站址撤销。")
    office.tell("2026-12-20", "下半年又开通 3 处(07-01、08-20、11-30),1 处在建,1 处已批准。")
    report_until(office, "2027-01-04", "2026-12-31")
    write_pack(office, "2026-12-31", "2027-01-04", 2026)
