"""The workbook ``ledger.xlsx``: opening of public venues, exposure screening, and the input ledger."""

from __future__ import annotations

from pathlib import Path

from siteplan.export._check import add_ledger_sheets
from siteplan.export._exposure import add_exposure_sheets
from siteplan.export._opening import GIVEN, add_opening_sheets
from siteplan.export._workbook import open_book
from siteplan.plan import Plan
from siteplan.selection import price_sentences
from siteplan.selection.explain import DEMAND_UNIT


def _sentences(plan: Plan) -> dict[str, list[str]]:
    """The unit of demand over the sheets that tell it; over that of the preference what it costs or saves."""
    price, unit = plan.selection.price, DEMAND_UNIT.get(plan.demand_kind, "")
    told = {name: [f"预计新增服务需求的单位：{unit}。"] if unit else [] for name in ("venues", "departments", "towns")}
    return told if price is None else {**told, "preference": price_sentences(price, unit)}


def write_ledger(plan: Plan, path: Path) -> None:
    """Write the workbook: the sheets of the opening ledger, of the exposure screening, of data problems and files.

    Text is never taken for a formula or a link.
    """
    name = str(plan.study["name"])
    with open_book(path) as book:
        if plan.opening is not None:
            given = {key: plan.results[key] for key in GIVEN if key in plan.results}
            add_opening_sheets(book, plan.opening, [name, *plan.study["notices"]], given, _sentences(plan))
        if plan.exposure is not None:
            add_exposure_sheets(book, plan)
        notes = [f"{name} 开放台账与数据问题清单", *plan.study["notices"]]
        add_ledger_sheets(book, plan.ledger, plan.inputs, notes)
