"""What every command of ``siteplan register`` needs: where the register is, who enters what on which day."""

from __future__ import annotations

import datetime as dt
import functools
import inspect
from collections.abc import Callable, Iterable
from dataclasses import MISSING, dataclass, fields, is_dataclass
from typing import TYPE_CHECKING, Annotated, Any, get_type_hints

import typer
from typer.core import TyperGroup

from siteplan.cli._terminal import Debug, open_console, told_errors
from siteplan.errors import Problem, RegisterError

if TYPE_CHECKING:
    from rich.console import Console

    from siteplan.input_ledger import InputLedger
    from siteplan.register import Register, Stamp

Where = Annotated[str, typer.Option("--register", envvar="SITEPLAN_REGISTER",
                                    help="储备库:GeoPackage 文件,或 postgresql://用户@主机/库?schema=模式")]
Day = Annotated[str, typer.Option("--day", help="生效日期,如 2026-06-30;不写为今天")]
Author = Annotated[str, typer.Option("--author", envvar="SITEPLAN_AUTHOR", help="登记人;不写为登录名")]
Why = Annotated[str, typer.Option("--why", help="原因")]
Command = Callable[..., int | None]
MOST_LINES = 20
BUILD, LOOK, DUTIES, QUOTAS, WORKS, KEEP = "建库和读入", "查看和修改", "任务、吹哨、催办", "指标、年度、考评", "同步工程", "留存和核对"
"""Groups of the commands, in the order of the help."""
_GROUPS = (BUILD, LOOK, DUTIES, QUOTAS, WORKS, KEEP)


@dataclass(frozen=True)
class Entry:
    """One call of a command: the register, the day, who and why."""

    where: str
    day: dt.date
    author: str
    why: str
    console: Console

    @property
    def at(self) -> dt.datetime:
        """The present moment."""
        return dt.datetime.now(dt.UTC)

    @property
    def stamp(self) -> Stamp:
        """Who enters what on which day."""
        from siteplan.register import Stamp

        return Stamp(self.author, self.day, self.at, self.why)

    def open(self) -> Register:
        """The register."""
        from siteplan.register import open_register

        return open_register(self.where)

    def say(self, text: str, style: str | None = None) -> None:
        """One line."""
        self.console.print(text, style=style, markup=False)

    def say_some(self, lines: Iterable[str], style: str | None = None) -> None:
        """The first lines of a list, and how many are left."""
        listed = list(lines)
        for line in listed[:MOST_LINES]:
            self.say(line, style)
        if len(listed) > MOST_LINES:
            self.say(f"另有 {len(listed) - MOST_LINES} 条", style)


def day_of(text: str, option: str = "--day") -> dt.date | None:
    """A day of the command line; None for nothing.

    Raises
    ------
    RegisterError
        It is no day.

    Examples
    --------
    >>> day_of("2026-06-30").isoformat(), day_of("")
    ('2026-06-30', None)
    """
    if not text.strip():
        return None
    try:
        return dt.date.fromisoformat(text.strip())
    except ValueError:
        raise RegisterError("选项不能使用:", [Problem("register", "", "", option, f"“{text}”不是日期", "写 2026-06-30 这样的日期")]
                            ) from None


def login_name() -> str:
    """Name of the person at the computer."""
    import getpass

    try:
        return getpass.getuser()
    except (OSError, KeyError, ImportError):  # no name is known to the system
        return ""


_SHARED: tuple[tuple[str, Any, Any], ...] = (
    ("register", Where, "register.gpkg"), ("day", Day, ""), ("author", Author, ""), ("why", Why, ""),
    ("debug", Debug, False))


def _options(parameter: inspect.Parameter) -> list[inspect.Parameter]:
    """A parameter of a command as options of the command line: a dataclass stands for one option per field."""
    if not is_dataclass(parameter.annotation):
        return [parameter.replace(kind=inspect.Parameter.KEYWORD_ONLY)]
    hints = get_type_hints(parameter.annotation, include_extras=True)
    return [inspect.Parameter(
        held.name, inspect.Parameter.KEYWORD_ONLY, annotation=hints[held.name],
        default=inspect.Parameter.empty if held.default is MISSING else held.default)
        for held in fields(parameter.annotation)]


def command(app: typer.Typer, name: str | None = None, group: str = "") -> Callable[[Command], Command]:
    """Make a function a command; it gets an `Entry` first, and its own options beside the shared ones.

    What it gives back is the exit code. ``group`` is its place in the help.
    """
    def made(function: Command) -> Command:
        own = list(inspect.signature(function, eval_str=True).parameters.values())[1:]
        shared = [inspect.Parameter(key, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=annotation)
                  for key, annotation, default in _SHARED]
        mine = [option for parameter in own for option in _options(parameter)]
        bundles: dict[str, Any] = {one.name: one.annotation for one in own if is_dataclass(one.annotation)}

        @functools.wraps(function)
        def run(**given: Any) -> None:
            where, day, author, why, debug = (given.pop(key) for key, _, _ in _SHARED)
            for key, kind in bundles.items():
                given[key] = kind(**{held.name: given.pop(held.name) for held in fields(kind)})
            with told_errors(debug):
                on = day_of(day) or dt.datetime.now().astimezone().date()
                code = function(Entry(where, on, author or login_name(), why, open_console()), **given)
            if code:
                raise typer.Exit(code)

        run.__signature__ = inspect.Signature([*mine, *shared])  # type: ignore[attr-defined]
        run.__annotations__ = {parameter.name: parameter.annotation for parameter in (*mine, *shared)}
        app.command(name, rich_help_panel=group or None)(run)
        return function

    return made


class _Grouped(TyperGroup):
    """Commands under the headings of their groups, each with its first Chinese sentence."""

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        """Write the commands, group by group."""
        names = [name for name in self.list_commands(ctx) if not self.commands[name].hidden]
        width = max((len(name) for name in names), default=0)
        for group in (*_GROUPS, None):
            rows = [(name.ljust(width), (self.commands[name].help or "").strip().partition("。")[0]) for name in names
                    if getattr(self.commands[name], "rich_help_panel", None) == group]
            if rows:
                with formatter.section(group or "命令"):
                    formatter.write_dl(rows)


def sub_app(help_text: str) -> typer.Typer:
    """A group of commands."""
    return typer.Typer(cls=_Grouped, add_completion=False, no_args_is_help=True, rich_markup_mode=None,
                       pretty_exceptions_enable=False, help=help_text)


def tell_ledger(entry: Entry, ledger: InputLedger) -> None:
    """What was repaired, assumed or not read."""
    from siteplan.input_ledger import ACTION_ZH

    entry.say_some((f"{ACTION_ZH[line.action]} {' '.join(part for part in (line.file, line.row, line.field) if part)}:"
                    f"{line.reason}{f'({line.value})' if line.value else ''}" for line in ledger), "yellow")


def counted(words: str, ids: Iterable[str]) -> str:
    """A number and the first ids.

    >>> counted("新增", ["RW000001", "RW000002"]), counted("修改", [])
    ('新增 2 项(RW000001、RW000002)', '修改 0 项')
    """
    listed = list(ids)
    shown = "、".join(listed[:5]) + ("……" if len(listed) > 5 else "")
    return f"{words} {len(listed)} 项" + (f"({shown})" if listed else "")
