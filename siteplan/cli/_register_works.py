"""Commands on joint works: ``siteplan register works match``, ``accept``, ``decline``, ``owners``, ``demand`` ..."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from siteplan.cli._register import AsOf, register_app
from siteplan.cli._register_entry import WORKS, Entry, command, day_of, sub_app
from siteplan.errors import Problem, RegisterError

if TYPE_CHECKING:
    import datetime as dt

    import geopandas as gpd
    import pandas as pd

    from siteplan.register import Register

works_app = sub_app("同步开挖、同步安装:匹配、采纳、清单。Joint works.")
register_app.add_typer(works_app, name="works", rich_help_panel=WORKS)
WorkId = Annotated[str, typer.Argument(metavar="WORK", help="工程的储备库编号,如 GC000001")]
SiteId = Annotated[str, typer.Argument(metavar="SITE", help="站址编号,如 ZZ000001")]
All = Annotated[bool, typer.Option("--all", help="每处站址列出走廊内的全部工程,不只最合适的一项")]


def _tables(register: Register, day: dt.date) -> dict[str, Any]:
    """Tables that joint works are matched from, as of one day."""
    from siteplan.register import read_rows, reading

    with reading(register) as connection:
        return {name: read_rows(register, name, day, connection=connection)
                for name in ("sites", "links", "works", "joint_matches")}


def _matches(held: dict[str, Any], day: dt.date) -> pd.DataFrame:
    from siteplan.register.works import match_works

    return match_works(held["sites"], held["links"], held["works"], day, decided=held["joint_matches"])


@command(works_app)
def match(entry: Entry, as_of: AsOf = "", every: All = False,
          record: Annotated[bool, typer.Option("--record", help="把最合适的建议记入储备库")] = False,
          out: Annotated[Path | None, typer.Option("--out", help="把全部匹配写成 CSV")] = None) -> None:
    """找出能与道路开挖等工程同步实施的站址和光缆,不采纳的不再列出。Sites and links that can be built with joint works."""
    from siteplan.register import writing
    from siteplan.register.works import record_suggestions, unplaced

    register, day = entry.open(), day_of(as_of, "--as-of") or entry.day
    held = _tables(register, day)
    found = _matches(held, day)
    listed = found if every else found[found["is_best"]]
    entry.say_some(_match_line(row) for row in listed.itertuples())
    entry.say_some((f"{problem}" for problem in unplaced(held["sites"], held["links"], held["works"], day)), "yellow")
    if record:
        with writing(register, entry.stamp) as transaction:
            entry.say(f"已记入同步实施建议:新增或变更 {record_suggestions(transaction, found)} 条;"
                      "查看:siteplan register list joint_matches")
    if out is not None:
        from siteplan.export._workbook import write_csv

        write_csv(found, out)
        entry.say(f"全部匹配: {out}")
    best = found[found["is_best"]]
    late = len(set(found.loc[found["join"] == "too_late", "site_id"]) - set(best["site_id"]))
    what = "上列走廊内的全部工程" if every else "上列每处站址最合适的一项工程(走廊内的全部工程用 --all)"
    entry.say(f"截至 {day}:{best['site_id'].nunique()} 处站址可同步实施{f',{what}' if len(found) else ''}"
              + (f";{late} 处只有来不及的工程" if late else ""))
    if not len(held["works"]):
        entry.say("储备库里没有同步工程:先 siteplan register import works 清单,或 works import 成果目录")
    elif len(found):
        entry.say("采纳:siteplan register works accept 工程编号 站址编号 --year 年度;不采纳:works decline;业主清单:works owners --out 文件")


def _match_line(row: Any) -> str:
    year = "" if row.suggested_year != row.suggested_year else f"  {row.suggested_year:.0f} 年"
    state = {"accepted": "  已采纳", "suggested": "  已建议"}.get(row.decided, "")
    return f"{row.work_id}  {row.work_name}  {row.site_id}  {row.site_name}{year}{state}  {row.reason}"


@command(works_app)
def accept(entry: Entry, work: WorkId, site: SiteId,
           year: Annotated[int, typer.Option(help="同步实施的年度")]) -> None:
    """采纳一处同步实施:站址列入该年度。Build a site together with works."""
    from siteplan.register import writing
    from siteplan.register.works import accept_match

    register = entry.open()
    with writing(register, entry.stamp) as transaction:
        accept_match(transaction, work, site, year, entry.why)
    entry.say(f"{site} 与 {work} 于 {year} 年同步实施;查看:siteplan register show {site}")


@command(works_app)
def decline(entry: Entry, work: WorkId, site: SiteId) -> None:
    """不采纳一处同步实施,不再建议;已采纳的随之取消,须写 --why。Do not build a site with works."""
    from siteplan.register import writing
    from siteplan.register.works import decline_match

    if not entry.why:
        raise RegisterError("不能登记:", [Problem("joint_matches", "", f"{work}+{site}", "--why", "没有写不采纳的原因",
                                              "写 --why 原因")])
    register = entry.open()
    with writing(register, entry.stamp) as transaction:
        decline_match(transaction, work, site, entry.why)
    entry.say(f"{site} 不与 {work} 同步实施,以后不再建议;站址的计划年度没有改,要改:siteplan register set {site} phase_year=年度")


@command(works_app)
def owners(entry: Entry, out: Annotated[Path, typer.Option("--out", help="清单(.xlsx 每家业主一张表,或 .csv)")],
           as_of: AsOf = "", every: All = False) -> None:
    """按工程业主写出请求同步实施的清单,含最迟提出日期。What is asked of each owner of works."""
    from siteplan.export.works_lists import write_owner_lists
    from siteplan.register.works import owner_table

    register, day = entry.open(), day_of(as_of, "--as-of") or entry.day
    table = owner_table(_matches(_tables(register, day), day), all_works=every)
    for row in table.itertuples():
        by = "时间待定" if row.file_by != row.file_by else f"最迟 {row.file_by:%Y-%m-%d} 提出"
        entry.say(f"{row.works_owner}  {row.work_name}({row.work_id})  站址 {row.sites} 处,光缆 {row.links} 段  {by}")
    entry.say(f"清单: {write_owner_lists(table, out, register.city, day)};{table['works_owner'].nunique()} 家业主、"
              f"{len(table)} 项工程;来不及的工程不列,见 siteplan register works match --all")


@command(works_app)
def demand(entry: Entry, out: Annotated[Path, typer.Option("--out", help="清单(.xlsx 或 .csv)")], as_of: AsOf = "",
           plan: Annotated[Path | None, typer.Option("--plan", help="成果目录:取现状覆盖空洞")] = None) -> None:
    """按建设项目写出通信需求清单,告知项目和运营商。The demand list of building projects."""
    from siteplan.export.works_lists import write_demand_list
    from siteplan.register.works import demand_list

    register, day = entry.open(), day_of(as_of, "--as-of") or entry.day
    held = _tables(register, day)
    gaps = None if plan is None else _layer_of(plan, register, "gaps_before", "gaps")
    table = demand_list(held["works"], held["sites"], held["links"], day, decided=held["joint_matches"], gap_areas=gaps)
    written = write_demand_list(table, out, register.city, day)
    unknown = "" if plan is not None else ";附近覆盖空洞没有提供(--plan 成果目录)"
    entry.say(f"清单: {written};{len(table)} 个建设项目,其中须配建室内覆盖 {int((table['duty'] == 'must').sum())} 个{unknown}")


@command(works_app, "import")
def import_plan(entry: Entry, plan: Annotated[Path, typer.Argument(metavar="PLAN", help="成果目录")],
                list_name: Annotated[str, typer.Option("--list-name", help="清单名称;不写为“规划名称 同步工程”")] = "",
                replaces: Annotated[list[str] | None, typer.Option("--replaces", help="取代的清单名称,可写多次")] = None,
                ) -> None:
    """从成果目录取同步工程和拟建建筑,登记为工程清单。Works and planned buildings of a plan."""
    from siteplan.cli._register_lists import tell_result
    from siteplan.export.master import read_plan_layers
    from siteplan.register import writing
    from siteplan.register.list_kinds import take_works
    from siteplan.register.works import works_of_layers

    register, layers = entry.open(), read_plan_layers(plan)
    held = [_keyed(layers.layers.get(name), key, register)
            for name, key in (("works", "work_id"), ("planned_buildings", "project_id"))]
    rows = [{"source_file": str(plan), "source_row": row["work_no"], **row} for row in works_of_layers(*held)]
    if not rows:
        raise RegisterError("没有可登记的工程:", [Problem("works", str(plan), "", "", "成果里没有同步工程和拟建建筑",
                                                "在研究文件里写 [layers.works] 或 [layers.planned_buildings] 后重新运行")])
    name = list_name or f"{layers.facts['study'].get('name', plan.name)} 同步工程"
    with writing(register, entry.stamp) as transaction:
        done = take_works(transaction, rows, name, replaces or ())
    tell_result(entry, done)
    entry.say("下一步:siteplan register works match 匹配同步工程")


def _keyed(layer: gpd.GeoDataFrame | None, key: str, register: Register) -> gpd.GeoDataFrame | None:
    """A layer under its own numbers, in the register's CRS."""
    if layer is None or not len(layer):
        return None
    placed = _moved(layer, register)
    return placed.set_index(key) if key in placed else placed


def _moved(layer: gpd.GeoDataFrame, register: Register) -> gpd.GeoDataFrame:
    import geopandas as gpd

    from siteplan.crs import transform_geometry

    shapes = transform_geometry(layer.geometry.to_numpy(), layer.crs, register.crs)
    return gpd.GeoDataFrame(layer.drop(columns=layer.geometry.name), geometry=list(shapes), crs=register.crs)


def _layer_of(plan: Path, register: Register, *names: str) -> gpd.GeoDataFrame | None:
    """The first of some layers that a plan has, in the register's CRS."""
    from siteplan.export.master import read_plan_layers

    held = read_plan_layers(plan).layers
    found = next((held[name] for name in names if name in held), None)
    return None if found is None else _moved(found, register)
