"""What every command needs: a console, errors as sentences, memory given back."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated, Any

import typer

from siteplan.errors import SiteplanError

if TYPE_CHECKING:
    from rich.console import Console

BAD_INPUT, INTERNAL = 2, 1
REDIRECTED_WIDTH = 120
"""Width of tables where there is no terminal to ask (a file, a pipe)."""


def use_utf8() -> None:
    """Chinese text must not stop the command on a terminal of another encoding."""
    for stream in (sys.stdout, sys.stderr):
        reconfigure: Callable[..., Any] | None = getattr(stream, "reconfigure", None)
        if reconfigure is not None:
            reconfigure(errors="replace")


def open_console(stderr: bool = False) -> Console:
    from rich.console import Console

    stream = sys.stderr if stderr else sys.stdout
    width = None if stream.isatty() else REDIRECTED_WIDTH
    return Console(stderr=stderr, highlight=False, soft_wrap=True, width=width)


@contextmanager
def told_errors(debug: bool) -> Iterator[None]:
    """Errors as sentences: 2 for bad input with every problem, 1 for a fault of the program."""
    try:
        yield
    except SiteplanError as error:
        open_console(stderr=True).print(str(error), markup=False)
        raise typer.Exit(BAD_INPUT) from error
    except KeyboardInterrupt as error:
        open_console(stderr=True).print("已中断,未写出任何成果(interrupted)", markup=False)
        raise typer.Exit(130) from error
    except Exception as error:
        if debug:
            raise
        open_console(stderr=True).print(
            f"程序内部错误({type(error).__name__}: {error})。请附上研究文件和加 --debug 的输出报告此问题。", markup=False)
        raise typer.Exit(INTERNAL) from error


def give_back_memory() -> None:
    """Hand the pages that a stage has left free back to the system; only the GNU allocator keeps so many."""
    import ctypes

    if sys.platform == "linux":
        trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
        if trim is not None:
            trim(0)


Debug = Annotated[bool, typer.Option("--debug", help="出错时显示完整信息 (show the full trace on a fault)")]


