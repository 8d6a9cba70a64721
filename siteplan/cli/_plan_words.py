"""What ``run`` and ``demo`` print of a plan: indicators before and after, targets, the choice and its proof."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import Console

    from siteplan.plan import Plan


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


def print_plan(console: Console, plan: Plan) -> None:
    """Indicators before and after, sites, bound - each rate with its rule."""
    from rich.table import Table

    from siteplan.coverage import describe_exposure
    from siteplan.maps._statements import describe_model

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


