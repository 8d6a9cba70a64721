"""Commands that keep the register sound: ``siteplan register check``, ``rescue``, ``migrate``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from siteplan.cli._register import register_app
from siteplan.cli._register_entry import KEEP, Entry, command, counted
from siteplan.cli._register_words import zh_of
from siteplan.cli._terminal import BAD_INPUT
from siteplan.errors import Problem, RegisterError

if TYPE_CHECKING:
    from siteplan.register import Register


@command(register_app, group=KEEP)
def check(entry: Entry, counties: Annotated[Path | None, typer.Option(
              help="另按位置核对站址的所属县区:县区面、研究文件或成果目录")] = None,
          adopt: Annotated[bool, typer.Option("--adopt", help="认定其他程序的改动,记入历史;须写 --why")] = False,
          restore: Annotated[bool, typer.Option("--restore", help="按变更记录恢复原样")] = False) -> int:
    """查找其他程序(QGIS、数据库工具)改动过的行,核对站址所属县区。有问题时返回 2。Rows that another program changed."""
    from siteplan.register import check_seals, hand_edits

    register = entry.open()
    problems = check_seals(register)
    left = len(problems)
    if problems:
        edits = hand_edits(register)
        entry.say_some((f"{problem}" for problem in problems), "red")
        entry.say_some(_hand_edit_line(*row)
                       for row in edits[["table", "id", "field", "logged", "found"]].itertuples(index=False))
        if adopt or restore:
            _settle(entry, register, list(dict.fromkeys(edits["id"])), adopt=adopt)
            left = 0
        else:
            entry.say(f"共 {len(problems)} 处。恢复原样:siteplan register check --restore;核对无误要认定:--adopt --why 原因")
    else:
        entry.say(f"储备库 {register.shown} 没有被其他程序改动过")
    if counties is not None:
        left += _in_counties(entry, register, counties)
    return BAD_INPUT if left else 0


def _settle(entry: Entry, register: Register, ids: list[str], *, adopt: bool) -> None:
    """Adopt what another program changed, or undo it."""
    from siteplan.register import adopt_edits, restore_edits, writing

    if adopt and not entry.why:
        raise RegisterError("不能认定:", [Problem("register", register.shown, "", "--why", "没有写原因", "写 --why 原因")])
    with writing(register, entry.stamp) as transaction:
        done = len(adopt_edits(transaction, ids, entry.why)) if adopt else restore_edits(transaction, ids)
    entry.say(f"已{'认定' if adopt else '恢复'} {done} 行;再运行 siteplan register check 核对")


def _in_counties(entry: Entry, register: Register, path: Path) -> int:
    """Sites that lie in another county than the register says; their number."""
    import geopandas as gpd

    from siteplan.cli._register_places import counties_of
    from siteplan.register import read_rows
    from siteplan.register.county_places import county_problems, unplaced_sites

    areas = counties_of(path, register.crs)
    sites = gpd.GeoDataFrame(read_rows(register, "sites"))
    problems, unplaced = county_problems(sites, areas, register.shown), unplaced_sites(sites)
    entry.say_some((f"{problem}" for problem in problems), "red")
    if unplaced:
        entry.say(f"{counted('没有位置、不能核对县区的站址', unplaced)}", "yellow")
    entry.say(f"按 {areas['name'].nunique()} 个县区核对站址 {len(sites)} 处:{len(problems)} 处须改正" + (
        ";改:siteplan register set 编号 所属县区=县区 --why 原因" if problems else ""))
    return len(problems)


def _hand_edit_line(table: str, row_id: str, field: str, logged: Any, found: Any) -> str:
    from siteplan.register import register_tables

    spec = register_tables()[table]
    if field == "*":
        return f"  {spec.zh} {row_id or '(无编号)'}:{'被加进来' if not isinstance(logged, str) else '被删除'}"
    old, new = (text if isinstance(text, str) else "(空)" for text in (logged, found))
    return f"  {spec.zh} {row_id} {zh_of(spec, field)}:登记为 {old},现为 {new}"


@command(register_app, group=KEEP)
def rescue(entry: Entry, damaged: Annotated[Path, typer.Argument(metavar="FILE", help="损坏的储备库文件")],
           out: Annotated[Path, typer.Option("--out", help="救出的内容写成这个新储备库(.gpkg)")],
           city: Annotated[str, typer.Option(help="城市名称,文件里读不出时")] = "",
           crs: Annotated[str, typer.Option(help="坐标系,文件里读不出时")] = "") -> None:
    """从损坏的储备库里救出还能读的内容,写成新的;原文件不动。Save what can be read of a damaged register."""
    from siteplan.register import rescue as rescue_file

    saved = rescue_file(damaged, out, entry.at, city=city, crs=crs)
    entry.say(saved.sentence)
    entry.say(f"救出的储备库: {out};核对:siteplan register check --register {out}")


@command(register_app, group=KEEP)
def migrate(entry: Entry) -> None:
    """把旧版本的储备库升到现在的版本,先自动备份。Bring an older register to the present version."""
    from siteplan.register import open_register

    register = open_register(entry.where, entry.at)
    entry.say(f"储备库 {register.shown} 已升到版本 {register.version},备份: {register.migrated};核对后可删去备份"
              if register.migrated else f"储备库 {register.shown} 已是版本 {register.version},无需升级")
