"""Commands on the register of a plan's life: ``siteplan register init``, ``sync``, ``list``, ``show``, ``set`` ..."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from siteplan.cli._register_entry import BUILD, KEEP, LOOK, Entry, command, counted, day_of, sub_app, tell_ledger
from siteplan.cli._register_words import assignment, shown, table_named, table_of_id, zh_of
from siteplan.errors import Problem, RegisterError

if TYPE_CHECKING:
    from siteplan.cli._register_places import StudyPlaces
    from siteplan.register import Register
    from siteplan.register.dictionary import RegisterTable
    from siteplan.register.edits import ListTable

register_app = sub_app("储备库:指标、任务、站址、吹哨、半年报的唯一台账。The register of a plan's life.")
AsOf = Annotated[str, typer.Option("--as-of", help="截止日(含当日),如 2026-06-30;不写为现状")]
_SHOWN = {
    "sites": ("name", "state", "state_on", "county", "phase_year", "enterprise"),
    "tasks": ("title", "organisation", "due_on", "state", "done_on"),
    "cases": ("title", "kind", "opened_on", "level", "closed_on"),
    "quotas": ("title", "level", "area", "value", "unit", "by"), "decisions": ("ref", "action", "value", "day", "why"),
    "fees": ("ref", "kind", "amount_yuan", "payer", "day"), "works": ("work_no", "name", "kind", "start_on", "end_on"),
    "organisations": ("name", "kind", "words", "county"), "venues": ("name", "venue_class", "department", "county")}
"""Fields that a list shows."""


@command(register_app, group=BUILD)
def init(entry: Entry, city: Annotated[str, typer.Option(help="城市名称")] = "",
         crs: Annotated[str, typer.Option(help="坐标系,如 EPSG:4547")] = "",
         study: Annotated[Path | None, typer.Option(help="研究文件:取其城市、坐标系、县区、镇街、主管部门")] = None,
         organisations: Annotated[Path | None, typer.Option(help="责任单位表(xlsx、csv)")] = None) -> None:
    """新建储备库。Make an empty register."""
    from siteplan.cli._register_places import study_places
    from siteplan.register import create_register
    from siteplan.register.edits import apply_list

    found = None if study is None else study_places(study)
    city, crs = (city, crs) if found is None else (city or found.city, crs or found.crs)
    lacking = [(option, what) for option, given, what in (("--city", city, "城市名称"), ("--crs", crs, "坐标系"),
                                                          ("--author", entry.author, "登记人")) if not given]
    if lacking:
        why = "" if study is None else ",研究的规划范围图层也没有给出"
        raise RegisterError("不能新建储备库:", [Problem(
            "register", "" if study is None else str(study), "", option,
            f"没有写{what}{why if option == '--city' else ''}",
            f"写 {option}{' 如 溪口市' if option == '--city' else ''}") for option, what in lacking])
    given = _organisations(organisations, found)  # their faults before there is a register
    if given.problems:
        raise RegisterError("责任单位表须先改正,没有新建储备库:", given.problems)
    register = create_register(entry.where, city, crs, entry.at)
    done = apply_list(register, "organisations", given, entry.stamp)
    entry.say(f"已新建 {city} 的储备库 {register.shown};责任单位{counted('登记', done.added)}")
    entry.say("下一步:siteplan register list organisations 核对责任单位(修改用 import organisations 文件),"
              "再 siteplan register sync 成果目录")


def _organisations(path: Path | None, found: StudyPlaces | None) -> ListTable:
    """The organisations of a list; without one those that the package and the study know."""
    import pandas as pd

    from siteplan.layers import read_list
    from siteplan.register.edits import ListTable
    from siteplan.register.organisations import seed_rows
    from siteplan.venues import load_venues

    if path is not None:
        return read_list(path, "organisations")
    rows = seed_rows(load_venues()) if found is None else seed_rows(found.venues, found.counties, found.towns)
    return ListTable("organisations", pd.DataFrame(rows).astype(object))


@command(register_app, group=BUILD)
def sync(entry: Entry, plan: Annotated[Path, typer.Argument(
        metavar="PLAN", help="成果目录 (output folder of siteplan run)")],
        out: Annotated[Path | None, typer.Option("--out", help="把各类站址和未照方案改的取值写成 CSV 的文件夹")] = None) -> None:
    """并入一次规划成果:编号和历史不变,报告新增、保留、移动、未列入的站址。Merge a plan."""
    from siteplan.export._workbook import write_csv
    from siteplan.export.master import read_plan_layers
    from siteplan.export.register_record import record_of
    from siteplan.register.sync import sync_plan

    register = entry.open()
    result = sync_plan(register, record_of(read_plan_layers(plan), entry.day, str(plan)), entry.stamp)
    first, *rest = result.sentences()
    entry.say(first)
    entry.say_some(rest, "yellow")
    if out is not None:
        out.mkdir(parents=True, exist_ok=True)
        for name, table in {**result.tables, "held": result.held}.items():
            write_csv(table.reset_index(), out / f"sync_{name}.csv")
        entry.say(f"各类站址写到 {out}")
    _tell_lacking(entry, register, list(result.added.index))
    entry.say("下一步:siteplan register list sites 查看,siteplan register snapshot 名称 留存")


def _tell_lacking(entry: Entry, register: Register, added: list[str]) -> None:
    """What new sites lack that a plan does not give, and how it is filled in."""
    from siteplan.register import read_rows

    rows = read_rows(register, "sites", ids=added) if added else None
    lacks = {} if rows is None else {zh: int(rows[name].isna().sum())
                                     for name, zh in (("due_on", "应开通日期"), ("enterprise", "建设单位"))}
    if any(lacks.values()):
        told = ",".join(f"{number} 处没有{zh}" for zh, number in lacks.items() if number)
        names = "、".join(zh for zh, number in lacks.items() if number)
        entry.say(f"新增站址中 {told}:siteplan register export --out ledger.xlsx 导出,填{names},import ledger 读回,"
                  "再 siteplan register schedule 倒排工期", "yellow")


@command(register_app, "list", LOOK)
def list_rows(entry: Entry, table: Annotated[str, typer.Argument(help="表:sites、tasks、cases、quotas …,或中文表名")],
              where: Annotated[list[str] | None, typer.Option("--where", help="条件 字段=值,可写多次")] = None,
              as_of: AsOf = "", most: Annotated[int, typer.Option(help="最多列出的行数", min=1)] = 50) -> None:
    """列出一张表的行。List the rows of a table."""
    from siteplan.register import read_rows

    spec, register = table_named(table), entry.open()
    rows = read_rows(register, spec.name, day_of(as_of, "--as-of"))
    for condition in where or ():
        name, value = assignment(spec, condition)
        wanted = {str(value), shown(spec, name, value)}
        rows = rows[[bool({str(cell), shown(spec, name, cell)} & wanted) for cell in rows[name].to_numpy(object)]]
    names = _SHOWN.get(spec.name) or tuple(name for name in spec.fields)[:6]
    for row_id, row in rows.head(most).iterrows():
        entry.say(f"{row_id}  " + "  ".join(shown(spec, name, row[name]) or "-" for name in names))
    more = f",列出前 {most} 行(--most 改)" if len(rows) > most else ""
    entry.say(f"{spec.zh}:{len(rows)} 行{more};看一行的全部和历史用 siteplan register show 编号")


@command(register_app, group=LOOK)
def show(entry: Entry, row_id: Annotated[str, typer.Argument(metavar="ID", help="编号,如 ZZ000001")]) -> None:
    """一行的全部内容和变更历史。A row with its history."""
    from siteplan.register import read_events, read_rows

    register, spec = entry.open(), table_of_id(row_id)
    rows = read_rows(register, spec.name, ids=[row_id], technical=True)
    if not len(rows):
        raise RegisterError("没有这一行:", [Problem(spec.name, register.shown, row_id, "id", f"{spec.zh}中没有这个编号",
                                               f"用 siteplan register list {spec.name} 查编号")])
    row = rows.iloc[0]
    entry.say(f"{spec.zh} {row_id},第 {int(row['revision'])} 版")
    for name in spec.columns:
        text = shown(spec, name, row[name])
        if text:
            entry.say(f"  {zh_of(spec, name)} {name}: {text}")
    events = read_events(register, table=spec.name, row_id=row_id, with_void=True).sort_values("seq")
    voided = set(events["voids"].dropna().astype(int))
    entry.say("变更(编号 日期 登记人 字段 原值 -> 新值):")
    for event in events.to_dict("records"):
        entry.say("  " + _event_line(spec, event, event["seq"] in voided))
    entry.say(f"要改:siteplan register set {row_id} 字段=值 --why 原因;记错的:siteplan register correct 变更编号 --why 原因")


def _event_line(spec: RegisterTable, event: dict[str, Any], is_void: bool) -> str:
    name, why = str(event["field"]), event["why"]
    if name == "*":
        what = "登记"
    else:
        old, new = (shown(spec, name, event[key]) if event[key] == event[key] else "" for key in ("old", "new"))
        what = f"{zh_of(spec, name)} {old or '(空)'} -> {new or '(空)'}"
    reason = f",{why}" if isinstance(why, str) and why else ""
    void = ",已被更正" if is_void else ""
    return f"{event['seq']} {event['day']:%Y-%m-%d} {event['author']} {what}{reason}{void}"


@command(register_app, "set", LOOK)
def set_values(entry: Entry, row_id: Annotated[str, typer.Argument(metavar="ID", help="编号,如 ZZ000001")],
               assignments: Annotated[list[str], typer.Argument(metavar="FIELD=VALUE...",
                                                                help="字段=值;值写“清空”为去掉")]) -> None:
    """改一行的若干字段。Change fields of a row."""
    import pandas as pd

    from siteplan.register.edits import EMPTY_WORD, ListTable, apply_list

    register, spec = entry.open(), table_of_id(row_id)
    given = dict(assignment(spec, text) for text in assignments)
    emptied = "|".join(name for name, value in given.items() if value == EMPTY_WORD)
    cells = {name: [value] for name, value in given.items() if value != EMPTY_WORD}
    rows = pd.DataFrame({"id": [row_id], "emptied": [emptied], "source_file": ["命令行"], "source_row": [row_id], **cells},
                        dtype=object)
    done = apply_list(register, spec.name, ListTable(spec.name, rows), entry.stamp)
    tell_ledger(entry, done.ledger)
    if spec.name == "sites" and {"phase_year", "state"} & set(given):
        from siteplan.register import read_rows
        from siteplan.register.phases import LIST_AGAIN_ZH, NOT_LISTED_ZH, listed

        if not listed(read_rows(register, "sites", ids=[row_id])).all():
            entry.say(f"{row_id} {NOT_LISTED_ZH};{LIST_AGAIN_ZH}", "yellow")
    entry.say(f"{row_id} 已修改,自 {entry.day} 起生效;查看:siteplan register show {row_id}" if done.changed
              else f"{row_id} 没有变化:所给的值与储备库相同")


@command(register_app, group=LOOK)
def correct(entry: Entry, event: Annotated[int, typer.Argument(metavar="EVENT", help="变更编号,见 show")],
            value: Annotated[str | None, typer.Option(help="正确的值;不写为值不变")] = None,
            on: Annotated[str, typer.Option("--on", help="正确的生效日期;不写为日期不变")] = "") -> None:
    """更正记错的一条变更,两条都留在历史里;须写 --why。Correct an event."""
    from siteplan.register import correct_event, writing

    right = day_of(on, "--on")
    if value is None and right is None:
        raise RegisterError("没有写更正什么:", [Problem("events", "", str(event), "--value", "没有写正确的值或日期",
                                                 "写 --value 或 --on")])
    register = entry.open()
    with writing(register, entry.stamp) as transaction:
        correct_event(transaction, event, value, right, entry.why)
    entry.say(f"变更 {event} 已更正;查看:siteplan register list、show")


@command(register_app, group=BUILD)
def export(entry: Entry, out: Annotated[Path, typer.Option("--out", help="工作簿(.xlsx)")],
           layers: Annotated[Path | None, typer.Option(help="同时写出 QGIS 图层(副本)到此文件夹")] = None, as_of: AsOf = "") -> None:
    """写出可编辑的储备库表,改完用 import ledger 读回。An editable workbook of the register."""
    from siteplan.export.register_ledger import write_ledger, write_register_layers

    register, day = entry.open(), day_of(as_of, "--as-of")
    if out.suffix.lower() != ".xlsx":
        raise RegisterError("选项不能使用:", [Problem("register", str(out), "", "--out", "不是 .xlsx 文件名", "写如 ledger.xlsx")])
    entry.say(f"储备库表(ledger): {write_ledger(register, out, as_of=day)}")
    if layers is not None:
        path, names = write_register_layers(register, layers, day)
        entry.say(f"QGIS 图层(副本): {path},{'、'.join(names)}" if names else "储备库里没有带位置的行,没有写出图层")
    entry.say("截止日的查阅本,不能读回" if day is not None else f"改完后读回:siteplan register import ledger {out}")


@command(register_app, group=KEEP)
def snapshot(entry: Entry, name: Annotated[str, typer.Argument(help="快照名称,如 2026年上半年")]) -> None:
    """留存 --day 当日的快照。Keep a snapshot."""
    from siteplan.register.snapshots import take_snapshot

    register = entry.open()
    take_snapshot(register, name, entry.day, entry.stamp)
    entry.say(f"快照“{name}”(截至 {entry.day})已留存;比较:siteplan register diff {name} 另一快照或日期")


@command(register_app, group=KEEP)
def diff(entry: Entry, one: Annotated[str, typer.Argument(metavar="A", help="快照名称或日期")],
         other: Annotated[str, typer.Argument(metavar="B", help="快照名称或日期")],
         out: Annotated[Path | None, typer.Option("--out", help="把差别写成 CSV")] = None) -> None:
    """两个快照或日期之间的差别。Difference between two snapshots or days."""
    from siteplan.register.snapshots import difference, snapshot_sentences

    register, moments = entry.open(), (_moment_named(one), _moment_named(other))
    found = difference(register, *moments)
    entry.say_some(f"{row.id}  {row.county}  {row.town}  {row.name}  {row.change_zh}:{row.words}"
                   for row in found.itertuples(index=False))
    entry.say_some(snapshot_sentences(register, [text for text in moments if isinstance(text, str)]), "yellow")
    if out is not None:
        from siteplan.export._workbook import write_csv

        write_csv(found, out)
    entry.say(f"{one} 与 {other} 之间有 {len(found)} 处差别" + (f",写到 {out}" if out is not None else ";写成文件用 --out"))


def _moment_named(text: str) -> Any:
    try:
        return day_of(text)
    except RegisterError:
        return text
