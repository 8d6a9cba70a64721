"""What comes again in every half-year: a plan brought in, minutes, snapshots, the pack of a cut-off."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from siteplan.register import writing
from telling.office import Office, day_of, stamp
from telling.planning import run_plan


def make_plan(office: Office, year: int, day: str, years: tuple[int, ...]) -> None:
    """The plan of a year: a finished one where it is given, else run."""
    if year not in office.plans:
        folder = office.out / f"plan_{year}"
        folder.mkdir(parents=True, exist_ok=True)
        place = office.where if "://" in office.where else Path(os.path.relpath(office.where, folder)).as_posix()
        office.plans[year] = run_plan(folder, place, day_of(day), years)


def sync(office: Office, year: int, day: str) -> Any:
    """Bring the plan of a year in."""
    from siteplan.export.register_record import record_of
    from siteplan.register.sync import sync_plan

    record = record_of(office.layers(year), day_of(day), f"plan_{year}")
    result = sync_plan(office.register, record, stamp(day))
    for sentence in result.sentences():
        office.tell(day, sentence)
    return result


def minutes(office: Office, name: str, day: str) -> None:
    done = office.bring("minutes", name, day)
    tasks = sum(key.startswith("RW") for key in done.added)
    office.tell(day, f"会议纪要登记决定 {len(done.added) - tasks} 条,转为任务 {tasks} 项。")


def snapshot(office: Office, name: str, day: str) -> None:
    from siteplan.register.snapshots import take_snapshot

    take_snapshot(office.register, name, day_of(day), stamp(day))
    office.tell(day, f"留存快照“{name}”。")


def write_pack(office: Office, as_of: str, day: str, plan_year: int) -> None:
    """The pack of a cut-off, written some days later; its letters go out."""
    from siteplan.report.facts import report_facts
    from siteplan.report.pack import send_reminders, write_report

    register = office.register
    if office.with_reports:
        pack = write_report(register, day_of(as_of), office.out / "reports", plan=office.layers(plan_year))
        facts, files = pack.facts, len(pack.files)
    else:
        facts, files = report_facts(register, day_of(as_of)), 0
    numbers = dict(facts.numbers)
    office.found[f"numbers_{as_of}"] = numbers
    letters = [letter.organisation for letter in facts.reminders]
    office.found[f"letters_{as_of}"] = letters
    send_reminders(register, facts, stamp(day, "发出催办函"))
    office.tell(day, f"{facts.period.title}(截至 {as_of}):任务完成 {numbers['done']:.0f}/{numbers['tasks']:.0f} 项,逾期 "
                     f"{numbers['late']:.0f} 项;开通 {numbers['sites_on_air']:.0f} 处;催办函 {len(letters)} 份"
                     f"{f';写出 {files} 个文件' if files else ''}。")


def close_year(office: Office, year: int, day: str) -> Any:
    """What was not built in a year goes on to the next."""
    from siteplan.register.phases import carry_over

    with writing(office.register, stamp(day)) as transaction:
        table = carry_over(transaction, year, day_of(day))
    carried = table[(table["what"] == "carried").to_numpy(bool)]
    office.found[f"carried_{year}"] = [str(key) for key in carried.index]
    office.tell(day, f"{year} 年度未建成 {len(table)} 处,结转 {len(carried)} 处,未结转 {len(table) - len(carried)} 处。")
    return table
