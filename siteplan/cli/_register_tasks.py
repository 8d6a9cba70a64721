"""Commands on tasks: ``siteplan register task list``, ``done``, ``block``, ``reopen``, ``cancel``, ``reply``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from siteplan.cli._register import AsOf, register_app
from siteplan.cli._register_entry import DUTIES, Entry, command, day_of, sub_app
from siteplan.errors import Problem, RegisterError

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Callable

    from siteplan.register import Transaction

task_app = sub_app("任务:办结、受阻、反馈。Tasks.")
register_app.add_typer(task_app, name="task", rich_help_panel=DUTIES)
TaskIds = Annotated[list[str], typer.Argument(metavar="ID...", help="任务编号,如 RW000001,可写多个")]
_STATUS = {"已完成": "done", "受阻": "blocked", "逾期": "late", "办理中": "open", "已取消": "cancelled"}


@command(task_app, "list")
def list_tasks(entry: Entry, as_of: AsOf = "",
               organisation: Annotated[str, typer.Option(help="只列这个责任单位")] = "",
               status: Annotated[str, typer.Option(help="只列:已完成、受阻、逾期、办理中、已取消")] = "",
               most: Annotated[int, typer.Option(help="最多列出的行数", min=1)] = 50) -> None:
    """截止日的任务:已完成、受阻、逾期、办理中。Tasks as of a day."""
    from siteplan.register import read_rows
    from siteplan.register.duties import task_table

    if status and status not in (*_STATUS, *_STATUS.values()):
        raise RegisterError("选项不能使用:", [Problem("tasks", "", "", "--status", f"没有“{status}”",
                                                f"可用:{'、'.join(_STATUS)}")])
    register, day = entry.open(), day_of(as_of, "--as-of") or entry.day
    table = task_table(read_rows(register, "tasks", day), day)
    counts = table["status_zh"].value_counts()
    if organisation:
        table = table[table["organisation"] == organisation]
        if not len(table):
            entry.say(f"没有“{organisation}”牵头的任务;单位名称见 siteplan register list organisations", "yellow")
    if status:
        table = table[table["status"] == _STATUS.get(status, status)]
    for task_id, row in table.sort_values("due_on", kind="stable").head(most).iterrows():
        late = f" {row['days_late']} 天" if row["status"] == "late" else (
            f",逾期 {row['days_late']} 天" if row["is_overdue"] else "")
        entry.say(f"{task_id}  {row['title']}  {row['organisation']}  {row['due_on']:%Y-%m-%d} 前  "
                  f"{row['status_zh']}{late}")
    told = "、".join(f"{word} {counts[word]}" for word in _STATUS if word in counts) or "没有任务"
    cut = f";列出前 {most} 行(--most 改)" if len(table) > most else ""
    entry.say(f"截至 {day}(含当日)全部任务:{told}{cut};办结:siteplan register task done 编号 --day 办结日期")


def _change(entry: Entry, ids: list[str], verb: Callable[[Transaction, str, dt.date, str], int], told: str,
            needs_why: str = "") -> None:
    """Change some tasks together, or none of them; ``needs_why``: what has to be reasoned."""
    from siteplan.register import writing

    if needs_why and not entry.why:
        raise RegisterError("不能登记:", [Problem("tasks", "", "", "--why", f"没有写{needs_why}的原因", "写 --why 原因")])
    register = entry.open()
    with writing(register, entry.stamp) as transaction:
        changed = [task_id for task_id in dict.fromkeys(ids) if verb(transaction, task_id, entry.day, entry.why)]
    same = [task_id for task_id in dict.fromkeys(ids) if task_id not in changed]
    parts = [f"{'、'.join(changed)} {told},自 {entry.day} 起生效"] * bool(changed) + [f"{'、'.join(same)} 没有变化"] * bool(same)
    entry.say(f"{';'.join(parts)};查看:siteplan register task list")


@command(task_app)
def done(entry: Entry, ids: TaskIds) -> None:
    """任务办结,--day 是办结日期,截止日当天办结的计入。Tasks are done."""
    from siteplan.register.duties import finish_task

    _change(entry, ids, finish_task, "已办结")


@command(task_app)
def block(entry: Entry, ids: TaskIds) -> None:
    """任务受阻,须写 --why。Tasks are blocked."""
    from siteplan.register.duties import block_task

    _change(entry, ids, block_task, "受阻", "受阻")


@command(task_app)
def reopen(entry: Entry, ids: TaskIds) -> None:
    """重新办理受阻、已办结或已取消的任务,须写 --why。Tasks are open again."""
    from siteplan.register.duties import reopen_task

    _change(entry, ids, reopen_task, "重新办理", "重新办理")


@command(task_app)
def cancel(entry: Entry, ids: TaskIds) -> None:
    """取消任务,须写 --why。Tasks are called off."""
    from siteplan.register.duties import cancel_task

    _change(entry, ids, cancel_task, "已取消", "取消")


@command(task_app)
def reply(entry: Entry, task: Annotated[str, typer.Argument(metavar="ID", help="任务编号,如 RW000001")],
          text: Annotated[str, typer.Argument(metavar="TEXT", help="反馈情况")],
          promised: Annotated[str, typer.Option(help="承诺完成日期")] = "") -> None:
    """登记责任单位的反馈,--day 是反馈日期;按期反馈的不再催办。What an organisation replied."""
    from siteplan.register import writing
    from siteplan.register.duties import record_reply

    by, register = day_of(promised, "--promised"), entry.open()
    if by is not None and by < entry.day:
        raise RegisterError("选项不能使用:", [Problem("tasks", "", task, "--promised", f"承诺完成日期 {by} 早于反馈日期 {entry.day}",
                                                "核对日期")])
    with writing(register, entry.stamp) as transaction:
        changed = record_reply(transaction, task, entry.day, text, by)
    entry.say(f"{task} {'已登记反馈' if changed else '没有变化'}" + (f",承诺 {by} 前完成" if by else "")
              + f";办结:siteplan register task done {task} --day 办结日期")
