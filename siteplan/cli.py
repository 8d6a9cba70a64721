"""Command: ``siteplan demo``, ``check STUDY``, ``run STUDY --out DIR``, ``verify DIR``, ``compare A B --out FILE``."""

from __future__ import annotations

import gc
import json
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from siteplan.errors import SiteplanError
from siteplan.input_ledger import ACTION_ZH

if TYPE_CHECKING:
    from rich.console import Console

    from siteplan.gaps.progress.plan_comparison import Comparison
    from siteplan.layers import Layers
    from siteplan.plan import Plan
    from siteplan.verify import Verdict as Verification

SAMPLE = Path("data", "xikou", "study.toml")
BAD_INPUT, INTERNAL = 2, 1
REDIRECTED_WIDTH = 120
"""Width of tables where there is no terminal to ask (a file, a pipe)."""
STAGE_ZH = {
    "ingest": "读取图层", "surface": "生成地表", "coverage": "现状覆盖", "gaps": "现状空洞", "candidates": "候选站址",
    "selection": "优选站址", "coverage_after": "规划后覆盖", "gaps_after": "规划后空洞", "write": "写出成果",
}

app = typer.Typer(add_completion=False, no_args_is_help=True, rich_markup_mode=None, pretty_exceptions_enable=False,
                  help="5G站址规划工具:从城市图层到站址方案。Plans a city's 5G sites from its layers.")


def main() -> None:
    """Entry point of the ``siteplan`` command."""
    _use_utf8()
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # before numpy: waiting threads would cost 5 cpu s
    gc.set_threshold(100_000, 50, 100)  # tables of many small objects: saves about 2 of 17 cpu seconds on the sample
    try:
        app(prog_name="siteplan")
    finally:
        gc.freeze()  # what is left when the process ends need not be searched for cycles: saves 0.7 cpu seconds


def _use_utf8() -> None:
    """Chinese text must not stop the command on a terminal of another encoding."""
    for stream in (sys.stdout, sys.stderr):
        reconfigure: Callable[..., Any] | None = getattr(stream, "reconfigure", None)
        if reconfigure is not None:
            reconfigure(errors="replace")


def _console(stderr: bool = False) -> Console:
    from rich.console import Console

    stream = sys.stderr if stderr else sys.stdout
    width = None if stream.isatty() else REDIRECTED_WIDTH
    return Console(stderr=stderr, highlight=False, soft_wrap=True, width=width)


@contextmanager
def _told_errors(debug: bool) -> Iterator[None]:
    """Errors as sentences: 2 for bad input with every problem, 1 for a fault of the program."""
    try:
        yield
    except SiteplanError as error:
        _console(stderr=True).print(str(error), markup=False)
        raise typer.Exit(BAD_INPUT) from error
    except KeyboardInterrupt as error:
        _console(stderr=True).print("已中断,未写出任何成果(interrupted)", markup=False)
        raise typer.Exit(130) from error
    except Exception as error:
        if debug:
            raise
        _console(stderr=True).print(
            f"程序内部错误({type(error).__name__}: {error})。请附上研究文件和加 --debug 的输出报告此问题。", markup=False)
        raise typer.Exit(INTERNAL) from error


Debug = Annotated[bool, typer.Option("--debug", help="出错时显示完整信息 (show the full trace on a fault)")]


def _sample_study() -> Path:
    """Study file of the sample city: below this folder, else in the checkout the package runs from."""
    places = (Path.cwd(), Path(__file__).resolve().parents[1])
    for place in places:
        if (place / SAMPLE).is_file():
            return place / SAMPLE
    raise SiteplanError(f"找不到示例城市 {SAMPLE.as_posix()}:请在项目检出目录中运行 siteplan demo")


def _run(study_file: Path, out: Path) -> None:
    """Run a study, write the deliverables, print the indicators."""
    import pandas as pd

    from siteplan.export import check_folder
    from siteplan.study import Study, run, write_deliverables

    console = _console()
    study = Study.from_toml(study_file)
    check_folder(out)  # a folder that cannot be written to is told before the work, not after it

    def tell(stage: str) -> None:
        console.print(f"· {STAGE_ZH.get(stage, stage)}", style="dim", markup=False)
        _give_back_memory()

    with pd.option_context("mode.string_storage", "python"):  # many small tables: saves 1 cpu second and 70 MB
        plan = run(study, tell)
        tell("write")
        written = write_deliverables(plan, out, lambda _: _give_back_memory())
    _print_plan(console, plan)
    console.print(f"成果目录(deliverables): {out}", markup=False)
    console.print(f"评审图(review map): {written['review_map.html']}", markup=False)


def _give_back_memory() -> None:
    """Hand the pages that a stage has left free back to the system; only the GNU allocator keeps so many."""
    import ctypes

    if sys.platform == "linux":
        trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
        if trim is not None:
            trim(0)


def _percent(value: float | None) -> str:
    from siteplan.gaps.judging.areas import percent_down

    return "无数据" if value is None else f"{percent_down(value):.1f}%"


def _target_lines(plan: Plan) -> Iterator[str]:
    """What every target wants, and how far it is reached now and as planned."""
    targets = plan.results.get("targets")
    for row in () if targets is None else targets.itertuples():
        where = "/".join(word for word in (str(row.county), str(row.town)) if word)
        yield (f"目标 {row.zh}{f'({where})' if where else ''}:现状{row.status_before}({row.reason_before});"
               f"规划后{row.status_after}({row.reason_after})")


def _choice_lines(plan: Plan) -> Iterator[str]:
    """What is chosen and at what cost, what the preference costs or saves, how far from the optimum it can be."""
    from siteplan.selection import price_sentences, proof_sentence
    from siteplan.selection.explain import DEMAND_UNIT

    counts, chosen = plan.indicators["after"]["sites"], plan.selection
    tiers = "、".join(f"{tier} {count}" for tier, count in counts["proposed_by_tier_name"].items()) or "无"
    years = plan.parameters["candidates"]["cost_years"]
    yield (f"新增站址 {counts['proposed']} 处:{tiers};其中应免费开放 {counts['proposed_free_venues']} 处;"
           f"投资估算 {counts['proposed_cost_yuan'] / 1e4:.0f} 万元{f'(含{years:g}年租金和电费)' if years > 0 else ''}")
    if chosen.price is not None:
        yield price_sentences(chosen.price, DEMAND_UNIT[plan.demand_kind])[0]
    yield proof_sentence(chosen)


def _print_plan(console: Console, plan: Plan) -> None:
    """Indicators before and after, sites, bound - each rate with its rule."""
    from rich.table import Table

    from siteplan.coverage import describe_exposure
    from siteplan.maps._panel import describe_model

    before, after = plan.indicators["before"], plan.indicators["after"]
    for notice in plan.study["notices"]:
        console.print(f"※ {notice}", style="yellow", markup=False)
    table = Table(title=str(plan.study["name"]), title_justify="left")
    for heading in ("指标", "现状", "规划后", "规则"):
        table.add_column(heading, overflow="fold")
    threshold = f"SS-RSRP≥{plan.study['threshold_dbm']:g}dBm 的概率均值,任一5G网络"
    table.add_row("面积覆盖率", _percent(before["area_share"]), _percent(after["area_share"]), threshold)
    table.add_row("需求覆盖率", _percent(before["demand_share"]), _percent(after["demand_share"]),
                  f"{threshold};需求={plan.study['demand_zh']}")
    if after["indoor_share"] is not None:
        table.add_row("室内(建筑内)", _percent(before["indoor_share"]), _percent(after["indoor_share"]),
                      f"SS-RSRP≥{plan.after.indoor_threshold_dbm:g}dBm,建筑像元的概率均值,任一5G网络")
    for name, title in (("villages", "行政村达标"), ("zones", "重点区域达标")):
        if not before[name]["total"]:
            continue
        cells = [f"{state[name]['passed']}/{state[name]['total']}" + (
            f"(无法判定{state[name]['not_assessable']})" if state[name]["not_assessable"] else "")
                 for state in (before, after)]
        table.add_row(title, *cells, before[name]["rule_zh"])
    table.add_row("空洞面积(平方公里)", f"{before['gap_area_m2'] / 1e6:.2f}", f"{after['gap_area_m2'] / 1e6:.2f}",
                  f"覆盖概率<{plan.parameters['gaps']['gap_probability']:g} 的连片区域")
    console.print(table)
    for sentence in _target_lines(plan):
        console.print(sentence, markup=False)
    model, *warnings = describe_model(plan)
    console.print(model, markup=False)
    for sentence in warnings:
        console.print(sentence, style="yellow", markup=False)
    if plan.study["calibration"] is not None:
        console.print(f"校正模型“{plan.study['calibration']['name']}”(适用的扇区见数据问题清单)", markup=False)
    console.print("各运营商的面积、需求、室内、SINR 见 indicators.xlsx 的“分运营商”", markup=False)
    for sentence in _choice_lines(plan):
        console.print(sentence, markup=False)
    counts = after["sites"]
    if plan.exposure is not None and counts["proposed"]:
        console.print(f"电磁环境{describe_exposure(plan.exposure)}", markup=False)
    for file in plan.inputs:
        if file["problem"]:
            console.print(f"图层文件不可用,未参与规划:{file['layer']} {file['file']}:{file['problem']}", style="red", markup=False)
    for effect in plan.study["absent"]:
        console.print(f"缺少图层:{effect}", markup=False)
    summary = plan.ledger.summary()
    refused = sum(actions.get("refused", 0) for actions in summary.values())
    console.print(f"数据问题清单 {len(plan.ledger)} 行,其中拒收 {refused} 行(见 ledger.xlsx)", markup=False)


@app.command()
def demo(out: Annotated[Path, typer.Option(help="成果目录 (output folder)")] = Path("build", "demo"),
         debug: Debug = False) -> None:
    """运行示例城市(合成数据)。Run the synthetic sample city."""
    with _told_errors(debug):
        _run(_sample_study(), out)


@app.command()
def run(study: Annotated[Path, typer.Argument(help="研究文件 (study file, TOML)")],
        out: Annotated[Path, typer.Option("--out", help="成果目录 (output folder)")],
        debug: Debug = False) -> None:
    """运行一个研究,写出全部成果。Run a study and write every deliverable."""
    with _told_errors(debug):
        _run(study, out)


@app.command()
def check(study: Annotated[Path, typer.Argument(help="研究文件 (study file, TOML)")],
          out: Annotated[Path | None, typer.Option(help="把问题清单写入此文件夹 (ledger.csv, ledger.xlsx)")] = None,
          lines: Annotated[int, typer.Option(help="每个图层最多列出的问题行数")] = 10, debug: Debug = False) -> None:
    """只读取并检查图层,逐文件、逐图层给出结论;有图层不能使用时返回 2。Read and check the layers only."""
    with _told_errors(debug):
        from siteplan.study import Study, check_layers, write_layer_check

        opened = Study.from_toml(study)
        layers = check_layers(opened)
        console = _console()
        _print_ledger(console, layers, lines)
        unusable = _print_verdicts(console, study.name, layers)
        if out is not None:
            written = write_layer_check(opened, layers, out)
            console.print(f"问题清单(ledger): {written['ledger.csv']}、{written['ledger.xlsx']}", markup=False)
        for problem in layers.problems:
            console.print(f"不能运行:{problem}", style="red", markup=False)
    if unusable:
        raise typer.Exit(BAD_INPUT)


@app.command()
def verify(folder: Annotated[Path, typer.Argument(metavar="DIR", help="成果目录 (output folder)")],
           as_json: Annotated[bool, typer.Option("--json", help="输出 JSON (machine-readable)")] = False,
           full: Annotated[bool, typer.Option("--full", help="列出全部核对项和抽查的配对 (every check)")] = False,
           debug: Debug = False) -> None:
    """复核成果目录:另行编写的程序重算覆盖、投资、各项限制和上界;未通过时返回 2。Verify a plan and its bound."""
    with _told_errors(debug):
        from siteplan.verify import verify as verify_folder

        steps = _console(stderr=True)
        steps.quiet = as_json
        verdict = verify_folder(folder, lambda step: steps.print(f"· {step}", style="dim", markup=False))
        if as_json:
            typer.echo(json.dumps(verdict.facts(), ensure_ascii=False, indent=1))
        else:
            _print_verification(_console(), verdict, full)
    if not verdict.ok:
        raise typer.Exit(BAD_INPUT)


def _print_verification(console: Console, verdict: Verification, full: bool) -> None:
    """The verdict, what failed or could not be checked (or everything), and what passed in one line."""
    from rich.table import Table
    from rich.text import Text

    from siteplan.verify import HEADINGS, told_of

    told, styles = told_of(verdict, full=full), {"通过": "green", "未通过": "red"}
    table = Table()
    for heading in HEADINGS:
        table.add_column(heading, overflow="fold")
    for word, (name, *cells) in told.rows:
        table.add_row(Text(name, style=styles.get(word, "yellow")), *map(Text, cells))
    for line in told.head:
        console.print(line, markup=False)
    if told.rows:
        console.print(table)
    for name, lines in told.pairs:
        console.print("\n".join((f"{name}:", *lines)), markup=False)
    for line in told.tail:
        console.print(line, markup=False)


@app.command()
def compare(one: Annotated[Path, typer.Argument(metavar="DIR_A", help="前一方案的成果目录 (output folder)")],
            other: Annotated[Path, typer.Argument(metavar="DIR_B", help="后一方案的成果目录 (output folder)")],
            out: Annotated[Path, typer.Option("--out", help="对比结果 (workbook, .xlsx)")],
            lines: Annotated[int, typer.Option(help="行政村、重点区域最多各列出的行数")] = 20,
            debug: Debug = False) -> None:
    """对比两个成果目录:指标、行政村、重点区域、站址、空洞;规则不同的比率不相比。Compare two output folders."""
    with _told_errors(debug):
        from siteplan.export._comparison import compare_folders, write_comparison

        comparison = compare_folders(one, other)
        written = write_comparison(comparison, out)
        _print_comparison(_console(), comparison, lines)
        _console().print(f"对比结果(comparison): {written}", markup=False)


def _print_comparison(console: Console, comparison: Comparison, most: int) -> None:
    """The indicators without the breakdowns, the areas that changed, and how many sites and gap areas did."""
    from rich.table import Table
    from rich.text import Text

    from siteplan.export._comparison import INDICATOR_HEAD, indicator_rows, summary_lines
    from siteplan.gaps import VERDICT_ZH
    from siteplan.gaps.progress.plan_comparison import STATE_ZH

    for notice in comparison.notices:
        console.print(f"※ {notice}", style="yellow", markup=False)
    for letter, name in zip("AB", comparison.names, strict=True):
        console.print(f"{letter}:{name}", markup=False)
    table = Table(title="指标对比", title_justify="left")
    for heading in INDICATOR_HEAD:
        table.add_column(heading, overflow="fold")
    main = comparison.indicators[~comparison.indicators.index.str.contains(r"\.(?:networks|proposed_by_\w+)\.")]
    both = main[["before", "after"]]
    main = main[~(both["before"].eq(both["after"]) | both.isna().all(axis=1))]  # what is equal stands in the workbook
    for row in indicator_rows(main):
        table.add_row(*(Text(str(cell)) for cell in row))
    console.print(table)
    for what, areas in (("行政村", comparison.villages), ("重点区域", comparison.zones)):
        for code, row in areas.head(most).iterrows():
            verdicts = (VERDICT_ZH.get(row[f"verdict_{side}"], "没有") for side in ("before", "after"))
            console.print(f"{STATE_ZH[row['state']]}{what} {code} {row['name']}:{row['change_zh']}"
                          f"({'→'.join(verdicts)});"
                          f"A:{row['reason_before']};B:{row['reason_after']}", markup=False)
        if len(areas) > most:
            console.print(f"{what}:另有 {len(areas) - most} 行(用 --lines 显示,全部见对比结果)", markup=False)
    for sentence in summary_lines(comparison):
        console.print(sentence, markup=False)


_VERDICT_STYLE = {"可用": "green", "不可用": "red"}


def _print_verdicts(console: Console, name: str, layers: Layers) -> bool:
    """One row per file, then one row per layer; whether a layer is unusable."""
    from rich.table import Table
    from rich.text import Text

    from siteplan.layers import UNUSABLE, Verdict, file_verdicts, layer_verdicts
    from siteplan.schema import layer_zh

    def cells(verdict: Verdict) -> tuple[Text, Text]:
        return Text(verdict.word, style=_VERDICT_STYLE.get(verdict.word, "yellow")), Text(verdict.why)

    table = Table(title=f"文件:{name}", title_justify="left")
    for heading in ("图层", "文件", "编码", "坐标系", "基准", "读入", "增行", "保留", "拒收", "结论", "说明"):
        table.add_column(heading, overflow="fold")
    for file, verdict in zip(layers.files, file_verdicts(layers), strict=True):
        counts = (file.rows_in, file.rows_made, file.rows_kept, file.rows_refused)
        facts = (layer_zh(file.layer), Text(Path(file.file).name), file.encoding or "", Text(file.crs or ""),
                 file.datum or "")
        table.add_row(*facts, *(str(count) if file.rows_in else "" for count in counts), *cells(verdict))
    console.print(table)
    table = Table(title="图层结论", title_justify="left")
    for heading in ("图层", "结论", "说明"):
        table.add_column(heading, overflow="fold")
    judged = layer_verdicts(layers)
    for verdict in judged:
        table.add_row(layer_zh(verdict.layer), *cells(verdict))
    console.print(table)
    return bool(layers.problems) or any(verdict.word == UNUSABLE for verdict in judged)


def _print_ledger(console: Console, layers: Layers, most: int) -> None:
    """The first lines of each layer's ledger."""
    from siteplan.schema import layer_zh

    shown: dict[str, int] = {}
    for line in layers.ledger:
        shown[line.layer] = shown.get(line.layer, 0) + 1
        if shown[line.layer] <= most:
            where = " ".join(part for part in (layer_zh(line.layer), line.file, line.row, line.field) if part)
            value = f" [{line.value}]" if line.value else ""
            console.print(f"{ACTION_ZH[line.action]} {where}{value}:{line.reason}。{line.remedy}", markup=False)
    for layer, count in shown.items():
        if count > most:
            console.print(f"{layer_zh(layer)}:另有 {count - most} 行(用 --lines 显示)", markup=False)
    console.print(f"共 {len(layers.ledger)} 行问题记录", markup=False)
