"""2027 and 2028: what was not built goes on, a new works list, a re-plan, and the rest is built."""

from __future__ import annotations

from siteplan.register import writing
from telling.office import STORY, Office, build, day_of, stamp
from telling.packs import close_year, make_plan, minutes, snapshot, sync, write_pack
from telling.year_2026 import bring_work_plan, fill_ledger, joint_works, report_until

ENDED = ("on_air", "withdrawn")


def plan_again(office: Office) -> None:
    """January 2027: carry-over, the new works lists, the re-plan, the difference to the year before."""
    from siteplan.register.quotas import schedule_sites
    from siteplan.register.snapshots import difference

    office.found["before_replan"] = office.rows("sites")
    close_year(office, 2026, "2027-01-05")
    joint_works(office, "2027-01-06", "works_2027_counties.csv", STORY / "works_2027.csv", accepted=3)
    minutes(office, "minutes_2026h2.csv", "2027-01-12")
    make_plan(office, 2027, "2027-01-13", (2027, 2028))
    result = sync(office, 2027, "2027-01-15")
    office.found["replan"] = result.counts()
    office.found["dropped"] = [str(key) for key in result.dropped.index]
    fill_ledger(office, "2027-01-18", {2027: "2027-10-31", 2028: "2028-09-30"})
    with writing(office.register, stamp("2027-01-18")) as transaction:
        schedule_sites(transaction)
    bring_work_plan(office, 2027, "2027-01-20")
    snapshot(office, "2027年初", "2027-01-20")
    changes = difference(office.register, "2026年初", "2027年初")
    office.found["difference"] = changes
    counts = changes["change_zh"].value_counts()
    office.tell("2027-01-20", f"与2026年初相比:{'、'.join(f'{word} {number} 处' for word, number in counts.items())}。")


def waiting(office: Office, year: int) -> list[str]:
    """Sites of a year's batch that may go on: neither ended nor blocked."""
    rows = office.rows("sites")
    return [key for key in office.batch(year) if rows.loc[key, "state"] not in (*ENDED, "blocked")]


def take_up(office: Office, keys: list[str], days: dict[str, str]) -> None:
    """Build sites from whatever state each has come to."""
    order = list(days)
    for state in order:
        rows = office.rows("sites")
        below = ["reserve", *order[:order.index(state)]] if state != order[0] else ["reserve"]
        ready = [key for key in keys if rows.loc[key, "state"] == below[-1]]
        build(office, ready, {state: days[state]})


def first_half_2027(office: Office) -> None:
    from siteplan.register.duties import close_case, escalate, report_in

    going = waiting(office, 2027)
    office.found["batch_2027"] = going
    take_up(office, going[:5], {"ready": "2027-02-05", "approved": "2027-03-01", "building": "2027-04-06",
                                "on_air": "2027-06-18"})
    take_up(office, going[5:8], {"ready": "2027-03-10", "approved": "2027-05-20"})
    (blocked,) = [key for key in office.batch(2026) if office.rows("sites").loc[key, "state"] == "blocked"]
    office.edit("sites", "2027-02-26", {blocked: {"state": "withdrawn", "state_reason": "屋面权属不清,改按新方案建地面站"}}, "新方案改在地面")
    with writing(office.register, stamp("2027-03-01")) as transaction:
        close_case(transaction, office.case("火车站站房屋面权属不清"), "relocated", day_of("2027-02-26"), "改在站前地面建站")
        close_case(transaction, office.case("灯杆取电迟迟未批"), "solved", day_of("2027-01-22"), "已送电")
    office.tell("2027-03-01", "火车站屋面站址撤销,疑难事项以另行选址办结:新方案改在站前地面建站。")
    office.bring("decisions", "opinions_2027h1.csv", "2027-05-20")
    office.bring("cases", "cases_2027.csv", "2027-08-12", why="登记全年吹哨和疑难站址")
    with writing(office.register, stamp("2027-08-12")) as transaction:
        report_in(transaction, office.case("上洞村扩容用电线路跨越林地"), ("自然资源局", "供电局", "石桥镇"), day_of("2027-03-24"))
        escalate(transaction, office.case("上洞村扩容用电线路跨越林地"), day_of("2027-04-02"))
        close_case(transaction, office.case("上洞村扩容用电线路跨越林地"), "solved", day_of("2027-04-20"), "改走村道")
        close_case(transaction, office.case("大岗村群众反对建站"), "solved", day_of("2027-04-02"), "监测公示后同意")
    for day, title, organisation in (
            ("2027-02-10", "灯杆挂高荷载核定", "城市管理和综合执法局"), ("2027-04-28", "校园屋面开放回头看", "教育和体育局"),
            ("2027-03-30", "完成结转站址的征地", "溪西县"), ("2027-02-27", "未建成站址逐处说明原因并报结转计划", "铁塔公司"),
            ("2027-06-30", "公路沿线站址用地保障", "交通运输局"), ("2027-03-20", "督促服务区落实场地免费", "交通运输局")):
        office.finish(day, title, organisation)
    report_until(office, "2027-07-01", "2027-06-30")
    write_pack(office, "2027-06-30", "2027-07-02", 2027)


def second_half_2027(office: Office) -> None:
    from siteplan.register.duties import close_case

    minutes(office, "minutes_2027h1.csv", "2027-07-09")
    rows = office.rows("sites")
    going = waiting(office, 2027)
    take_up(office, [key for key in going if rows.loc[key, "state"] == "reserve"], {"ready": "2027-07-12"})
    take_up(office, going, {"ready": "2027-07-13", "approved": "2027-08-16", "building": "2027-09-20"})
    office.found["late_2027"] = going[-2:]
    rows = office.rows("sites")
    build(office, [key for key in going[:-2] if rows.loc[key, "state"] == "building"], {"on_air": "2027-12-10"})
    office.bring("decisions", "opinions_2027h2.csv", "2027-11-01")
    settle_fees(office)
    office.tell("2027-12-10", f"2027年下半年开通 {len(going) - 2} 处,2 处还在建。")
    with writing(office.register, stamp("2027-11-16")) as transaction:
        close_case(transaction, office.case("工业路东灯杆荷载不足"), "solved", day_of("2027-10-30"), "换杆")
        close_case(transaction, office.case("F0062 绿地占用手续未办结"), "solved", day_of("2027-11-15"), "绿地占用已批")
    for day, title, organisation in (
            ("2027-09-28", "行政村通5G信号升格配合", "农业农村局"), ("2027-09-20", "半岭村进场费限期退还", "农业农村局"),
            ("2027-12-31", "站址专项规划纳入控制性详细规划", "自然资源局"), ("2027-07-20", "完成结转站址的征地", "溪东县")):
        office.finish(day, title, organisation)
    report_until(office, "2028-01-04", "2027-12-31")
    write_pack(office, "2027-12-31", "2028-01-04", 2027)


def settle_fees(office: Office) -> None:
    """Complaints about fees go to the market regulator and are settled; one is not."""
    rows = office.rows("fees")
    open_ones = [str(key) for key, ref in rows["ref"].items() if ref in ("F0057", "F0512", "F0274")]
    office.edit("fees", "2027-07-20", {key: {"told_on": day_of("2027-07-20")} for key in open_ones})
    settled = [key for key in open_ones if rows.loc[key, "ref"] != "F0274"]
    office.edit("fees", "2027-09-20", {key: {"resolved_on": day_of("2027-09-20"), "outcome": "已退还"} for key in settled})
    office.tell("2027-09-20", f"移送市场监督管理局收费投诉 {len(open_ones)} 件,退还 {len(settled)} 件。")


def year_2028(office: Office) -> None:
    """The last year: what is left is built; the plan ends."""
    close_year(office, 2027, "2028-01-05")
    minutes(office, "minutes_2027h2.csv", "2028-01-11")
    bring_work_plan(office, 2028, "2028-01-20")
    going = waiting(office, 2028)
    office.found["batch_2028"] = going
    rows = office.rows("sites")
    build(office, [key for key in going if rows.loc[key, "state"] == "building"], {"on_air": "2028-03-15"})
    rest = [key for key in going if rows.loc[key, "state"] in ("reserve", "ready", "approved")]
    take_up(office, rest, {"ready": "2028-02-10", "approved": "2028-03-20", "building": "2028-05-08"})
    office.finish("2028-06-30", "场所开放协议续签", "教育和体育局")
    write_pack(office, "2028-06-30", "2028-07-03", 2027)
    rows = office.rows("sites")
    build(office, [key for key in rest if rows.loc[key, "state"] == "building"], {"on_air": "2028-09-28"})
    for day, title, organisation in (
            ("2028-08-30", "剩余行政村站址用电", "供电局"), ("2028-11-28", "对照规划目标开展评估", "通信建设管理办公室"),
            ("2028-12-20", "规划实施评估", "通信建设管理办公室"), ("2028-07-20", "人力资源和社会保障局屋面恢复无偿使用", "机关事务管理局")):
        office.finish(day, title, organisation)
    write_pack(office, "2028-12-31", "2029-01-04", 2027)
    snapshot(office, "规划期末", "2029-01-05")
