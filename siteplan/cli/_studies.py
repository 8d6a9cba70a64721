"""Commands on studies and finished plans: ``demo``, ``run``, ``check``, ``verify``, ``compare``."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from siteplan.cli._plan_words import print_plan
from siteplan.cli._tables import print_comparison, print_ledger, print_verdicts, print_verification
from siteplan.cli._terminal import BAD_INPUT, Debug, give_back_memory, open_console, told_errors
from siteplan.errors import SiteplanError

SAMPLE = Path("data", "xikou", "study.toml")
STAGE_ZH = {
    "ingest": "读取图层", "surface": "生成地表", "coverage": "现状覆盖", "gaps": "现状空洞", "candidates": "候选站址",
    "selection": "优选站址", "coverage_after": "规划后覆盖", "gaps_after": "规划后空洞", "write": "写出成果",
}


def sample_study() -> Path:
    """Study file of the sample city: below this folder, else in the checkout the package runs from."""
    places = (Path.cwd(), Path(__file__).resolve().parents[2])
    for place in places:
        if (place / SAMPLE).is_file():
            return place / SAMPLE
    raise SiteplanError(f"找不到示例城市 {SAMPLE.as_posix()}:请在项目检出目录中运行 siteplan demo")


def run_study(study_file: Path, out: Path) -> None:
    """Run a study, write the deliverables, print the indicators."""
    import pandas as pd

    from siteplan.export import check_folder
    from siteplan.study import Study, run, write_deliverables

    console = open_console()
    study = Study.from_toml(study_file)
    check_folder(out)  # a folder that cannot be written to is told before the work, not after it

    def tell(stage: str) -> None:
        console.print(f"· {STAGE_ZH.get(stage, stage)}", style="dim", markup=False)
        give_back_memory()

    with pd.option_context("mode.string_storage", "python"):  # many small tables: saves 1 cpu second and 70 MB
        plan = run(study, tell)
        tell("write")
        written = write_deliverables(plan, out, lambda _: give_back_memory(), study.root)
    print_plan(console, plan)
    console.print(f"成果目录(deliverables): {out}", markup=False)
    console.print(f"评审图(review map): {written['review_map.html']}", markup=False)


def demo(out: Annotated[Path, typer.Option(help="成果目录 (output folder)")] = Path("build", "demo"),
         debug: Debug = False) -> None:
    """运行示例城市(合成数据)。Run the synthetic sample city."""
    with told_errors(debug):
        run_study(sample_study(), out)


def run(study: Annotated[Path, typer.Argument(help="研究文件 (study file, TOML)")],
        out: Annotated[Path, typer.Option("--out", help="成果目录 (output folder)")],
        debug: Debug = False) -> None:
    """运行一个研究,写出全部成果。Run a study and write every deliverable."""
    with told_errors(debug):
        run_study(study, out)


def check(study: Annotated[Path, typer.Argument(help="研究文件 (study file, TOML)")],
          out: Annotated[Path | None, typer.Option(help="把问题清单写入此文件夹 (ledger.csv, ledger.xlsx)")] = None,
          lines: Annotated[int, typer.Option(help="每个图层最多列出的问题行数")] = 10, debug: Debug = False) -> None:
    """只读取并检查图层,逐文件、逐图层给出结论;有图层不能使用时返回 2。Read and check the layers only."""
    with told_errors(debug):
        from siteplan.study import Study, check_layers, write_layer_check

        opened = Study.from_toml(study)
        layers = check_layers(opened)
        console = open_console()
        print_ledger(console, layers, lines)
        unusable = print_verdicts(console, study.name, layers)
        if out is not None:
            written = write_layer_check(opened, layers, out)
            console.print(f"问题清单(ledger): {written['ledger.csv']}、{written['ledger.xlsx']}", markup=False)
        for problem in layers.problems:
            console.print(f"不能运行:{problem}", style="red", markup=False)
    if unusable:
        raise typer.Exit(BAD_INPUT)


def verify(folder: Annotated[Path, typer.Argument(metavar="DIR", help="成果目录 (output folder)")],
           as_json: Annotated[bool, typer.Option("--json", help="输出 JSON (machine-readable)")] = False,
           full: Annotated[bool, typer.Option("--full", help="列出全部核对项和抽查的配对 (every check)")] = False,
           debug: Debug = False) -> None:
    """复核成果目录:另行编写的程序重算覆盖、投资、各项限制和上界;未通过时返回 2。Verify a plan and its bound."""
    with told_errors(debug):
        from siteplan.verify import verify as verify_folder

        steps = open_console(stderr=True)
        steps.quiet = as_json
        verdict = verify_folder(folder, lambda step: steps.print(f"· {step}", style="dim", markup=False))
        if as_json:
            typer.echo(json.dumps(verdict.facts(), ensure_ascii=False, indent=1))
        else:
            print_verification(open_console(), verdict, full)
    if not verdict.ok:
        raise typer.Exit(BAD_INPUT)


def compare(one: Annotated[Path, typer.Argument(metavar="DIR_A", help="前一方案的成果目录 (output folder)")],
            other: Annotated[Path, typer.Argument(metavar="DIR_B", help="后一方案的成果目录 (output folder)")],
            out: Annotated[Path, typer.Option("--out", help="对比结果 (workbook, .xlsx)")],
            lines: Annotated[int, typer.Option(help="行政村、重点区域最多各列出的行数")] = 20,
            debug: Debug = False) -> None:
    """对比两个成果目录:指标、行政村、重点区域、站址、空洞;规则不同的比率不相比。Compare two output folders."""
    with told_errors(debug):
        from siteplan.export._comparison import compare_folders, write_comparison

        comparison = compare_folders(one, other)
        written = write_comparison(comparison, out)
        print_comparison(open_console(), comparison, lines)
        open_console().print(f"对比结果(comparison): {written}", markup=False)
