"""Command: ``siteplan demo``, ``run STUDY --out DIR``, ``check STUDY``, ``verify DIR``, ``compare A B --out FILE`` ...

``siteplan --help`` lists all of them.
"""

from __future__ import annotations

import gc
import os

import typer

from siteplan.cli import (  # noqa: F401  their commands join register_app
    _register_care,
    _register_duties,
    _register_lists,
    _register_quotas,
    _register_tasks,
    _register_works,
)
from siteplan.cli._deliveries import changes, export, print_sheets, survey
from siteplan.cli._register import register_app
from siteplan.cli._report import report
from siteplan.cli._studies import check, compare, demo, run, verify
from siteplan.cli._terminal import use_utf8

__all__ = ["app", "main"]

app = typer.Typer(add_completion=False, no_args_is_help=True, rich_markup_mode=None, pretty_exceptions_enable=False,
                  help="5G站址规划工具:从城市图层到站址方案。Plans a city's 5G sites from its layers.")
for _command in (demo, run, check, verify, compare, export, changes, survey, report):
    app.command()(_command)
app.command("print")(print_sheets)
app.add_typer(register_app, name="register")


def main() -> None:
    """Entry point of the ``siteplan`` command."""
    use_utf8()
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # before numpy: waiting threads would cost 5 cpu s
    gc.set_threshold(100_000, 50, 100)  # tables of many small objects: saves about 2 of 17 cpu seconds on the sample
    try:
        app(prog_name="siteplan")
    finally:
        gc.freeze()  # what is left when the process ends need not be searched for cycles: saves 0.7 cpu seconds
