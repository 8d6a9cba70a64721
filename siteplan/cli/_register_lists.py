"""Command ``siteplan register import``: lists and hand-edited ledgers into the register."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from siteplan.cli._register import register_app
from siteplan.cli._register_entry import BUILD, Entry, command, counted, tell_ledger
from siteplan.errors import Problem, RegisterError

if TYPE_CHECKING:
    import geopandas as gpd

    from siteplan.register.edits import EditResult

LEDGER = "ledger"
_DATUMS = ("wgs84", "cgcs2000", "gcj02", "bd09")
_NEXT = {
    "works": "siteplan register works match 匹配同步工程", "quotas": "siteplan register quota tree 核对,quota progress 查看进度",
    "split": "siteplan register quota tree 核对,quota progress 查看进度", "reports": "siteplan register quota progress 查看进度",
    "cases": "siteplan register case list 查看吹哨事项", "tasks": "siteplan register task list 查看任务",
    "work-plan": "siteplan register task list 查看任务", "minutes": "siteplan register task list 查看任务"}
"""What comes after a kind of list."""


@dataclass(frozen=True)
class FileOptions:
    """How the file is read."""

    layer: Annotated[str, typer.Option(help="工作表或图层")] = ""
    datum: Annotated[str, typer.Option(help="经纬度的基准:wgs84、cgcs2000、gcj02、bd09")] = ""
    counties: Annotated[Path | None, typer.Option(help="核对所属县区与位置:县区面、研究文件或成果目录")] = None


@dataclass(frozen=True)
class KindOptions:
    """What some kinds of lists need."""

    list_name: Annotated[str, typer.Option(
        "--list-name", help="works:清单名称,不写为文件名;同名清单再来时,未列的工程不再现行")] = ""
    replaces: Annotated[list[str] | None, typer.Option("--replaces", help="works:这份清单取代的清单名称,可写多次")] = None
    parent: Annotated[str, typer.Option("--parent", help="split:上级指标编号")] = ""
    year: Annotated[int, typer.Option(show_default=False, help="work-plan:计划年度;不写为生效日期所在年")] = 0


@command(register_app, "import", BUILD)
def import_file(entry: Entry, kind: Annotated[str, typer.Argument(
                    metavar="KIND", help="works 同步工程,quotas 指标,split 已定的分解,reports 上报数,tasks 任务,work-plan 年度计划,"
                                         "minutes 纪要,cases 吹哨事项,decisions 决定和意见,fees 收费投诉,organisations 单位,"
                                         "sites 站址,venues 场所;ledger 改好的储备库表")],
                file: Annotated[Path, typer.Argument(metavar="FILE", help="xlsx、csv 或 GIS 文件")],
                reading: FileOptions, more: KindOptions) -> None:
    """读入一份清单或改好的储备库表,有一处不对就全部不写入。Bring a list into the register, or nothing of it."""
    from siteplan.cli._register_places import counties_of
    from siteplan.layers import read_list
    from siteplan.register.list_kinds import KINDS, import_list

    _check_options(kind, (*KINDS, LEDGER), reading, more)
    register = entry.open()
    areas = None if reading.counties is None else counties_of(reading.counties, register.crs)
    if kind == LEDGER:
        for done in _ledger(entry, file, areas):
            tell_result(entry, done)
        entry.say("储备库表已读回;再导出一份新的继续改:siteplan register export --out ledger.xlsx")
        return
    given = read_list(file, KINDS[kind], register.crs, layer=reading.layer or None,
                      datum=reading.datum or None)  # type: ignore[arg-type]
    done = import_list(register, kind, given, entry.stamp, list_name=more.list_name, replaces=more.replaces or (),
                       parent_id=more.parent, year=more.year, counties=areas)
    tell_result(entry, done)
    entry.say(f"下一步:{_NEXT.get(kind, f'siteplan register list {done.table} 查看')}")


def _check_options(kind: str, kinds: tuple[str, ...], reading: FileOptions, more: KindOptions) -> None:
    """A kind that is none, and options that another kind of list has: they would be left without a word."""
    if kind not in kinds:
        raise RegisterError("不能导入:", [Problem("register", "", "", kind, "没有这一类清单", f"可用:{'、'.join(kinds)}")])
    given: list[tuple[str, Any, str]] = [
        ("--list-name", more.list_name, "works"), ("--replaces", more.replaces, "works"),
        ("--parent", more.parent, "split"), ("--year", more.year, "work-plan")]
    faults = [Problem("register", "", "", option, f"只用于 {own},这份清单是 {kind}", f"去掉 {option},或核对清单类别")
              for option, value, own in given if value and kind != own]
    if reading.datum and reading.datum not in _DATUMS:
        faults.append(Problem("register", "", "", "--datum", f"没有 {reading.datum}", f"可用:{'、'.join(_DATUMS)}"))
    if faults:
        raise RegisterError("选项不能使用:", faults)


def _ledger(entry: Entry, file: Path, counties: gpd.GeoDataFrame | None) -> list[EditResult]:
    """Every sheet of a ledger, together or not at all."""
    from siteplan.layers import ledger_sheets, read_list
    from siteplan.register import writing
    from siteplan.register.edits import apply_within

    register = entry.open()
    given = [read_list(file, table, register.crs, layer=sheet) for table, sheet in ledger_sheets(file).items()]
    with writing(register, entry.stamp) as transaction:
        return [apply_within(transaction, table, counties=counties) for table in given]


def tell_result(entry: Entry, done: EditResult) -> None:
    """What became of a list."""
    from siteplan.register import register_tables

    tell_ledger(entry, done.ledger)
    works = "" if not (done.gone or done.returned) else (
        f",{counted('不再列入', done.gone)},{counted('重新列入', done.returned)}")
    entry.say(f"{register_tables()[done.table].zh}:{counted('新增', done.added)},{counted('修改', done.changed)},"
              f"不变 {done.unchanged} 项{works}")
