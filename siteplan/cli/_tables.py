"""What ``check``, ``verify`` and ``compare`` print."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from siteplan.input_ledger import ACTION_ZH

if TYPE_CHECKING:
    from rich.console import Console

    from siteplan.gaps.progress.plan_comparison import Comparison
    from siteplan.layers import Layers
    from siteplan.verify import Verdict as Verification

_VERDICT_STYLE = {"可用": "green", "不可用": "red"}


def print_verdicts(console: Console, name: str, layers: Layers) -> bool:
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


def print_ledger(console: Console, layers: Layers, most: int) -> None:
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


def print_verification(console: Console, verdict: Verification, full: bool) -> None:
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


def print_comparison(console: Console, comparison: Comparison, most: int) -> None:
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
