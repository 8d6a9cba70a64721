"""Read the layer ``decisions``: each row by itself, then the rows against each other."""

from __future__ import annotations

import datetime as dt
import re
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import NamedTuple

import pandas as pd

from siteplan.decisions._values import (
    KIND_TABLES,
    Decision,
    Decisions,
    action_of,
    kind_of,
    parse_amount,
    parse_place,
    plain_text,
    words_of,
)
from siteplan.input_ledger import InputLedger
from siteplan.tables import read_table

LAYER = "decisions"
_FULL_ID = re.compile(r"[A-Z]-[a-z]+:(.+)")


class _Fault(NamedTuple):
    """What is wrong with a row: the field, the ledger action, why, how to mend."""

    field: str
    action: str
    reason: str
    remedy: str


def _read_value(row: Decision) -> tuple[Decision | None, list[_Fault]]:
    """The row with its value understood; None where it cannot be used."""
    if row.action == "year":
        low, high = read_table("decisions")["limits"]["year"]
        digits = re.findall(r"\d+", row.value.removesuffix(".0"))
        if len(digits) != 1 or not low <= int(digits[0]) <= high:
            return None, [_Fault("value", "refused", "取值不是年份，这一行没有使用", f"填 {low} 至 {high} 的年份，如 2027")]
        return replace(row, year=int(digits[0])), []
    if row.action == "move":
        place, lonlat, note = parse_place(row.value)
        if place is None:
            return None, [_Fault("value", "refused", f"{note}，这一行没有使用", "填 东坐标,北坐标(米) 或 经度,纬度")]
        faults = [_Fault("value", "assumed", note, "按 经度,纬度 或 东坐标,北坐标 填写")] if note else []
        return replace(row, place=place, lonlat=lonlat), faults
    if row.action in KIND_TABLES:
        return _read_kind(row)
    return row, []


def _read_kind(row: Decision) -> tuple[Decision, list[_Fault]]:
    """Kind of refusal, fee or cause, and the amount of a fee."""
    table, faults = KIND_TABLES[row.action], []
    kind = kind_of(table, row.value, row.why)
    if not kind:
        kind = "owner" if row.action == "refused" and (row.value or row.why) else "other"
        zh = words_of(table)[kind]["zh"]
        faults.append(_Fault("value", "assumed", f"看不出{row.action_zh}的种类，按“{zh}”记", "写明种类(decisions.toml)"))
    if row.action != "fee":
        return replace(row, kind=kind), faults
    amount, note = parse_amount(row.value, row.why)
    if note:
        remedy = "填金额，如 进场费 20000"
        faults.append(_Fault("value", "assumed", f"{note}，记录保留" + ("，金额按不明" if amount != amount else ""), remedy))
    return replace(row, kind=kind, amount_yuan=amount), faults


def read_decisions(table: pd.DataFrame, ledger: InputLedger) -> Decisions:
    """Read the layer ``decisions``; whatever cannot be read or contradicts another row has a ledger line.

    Assumptions made, each told: of two fee records of one id, kind and day with different amounts (and the same payer,
    or none) the greater stands; of contradicting rows of one id the later stands, and where days do not tell, ban and
    refused stand before keep and agreed; a fee without a readable amount is kept without one; a row without a day
    counts as older than all that have one.

    Parameters
    ----------
    table : DataFrame
        Columns ``id, action, value, who, date, why, source_file, source_row``; missing ones count as empty.
    ledger : InputLedger
        Takes the lines.

    Returns
    -------
    Decisions
        Every row of the table is in ``rows`` or in ``unused``.

    Examples
    --------
    >>> rows = pd.DataFrame({"id": ["F1", "F2"], "action": ["收费", "涨价"], "value": ["进场费 2万", ""],
    ...                      "who": "某公司", "date": "2026-01-05"})
    >>> ledger = InputLedger()
    >>> [(row.id, row.kind_zh, row.amount_yuan) for row in read_decisions(rows, ledger).rows], ledger.count("refused")
    ([('F1', '进场费', 20000.0)], 1)
    """
    names = {"id": True, "action": True, "value": True, "who": False, "why": False, "source_file": False,
             "source_row": False}
    columns = {name: [plain_text(value, fold=fold) for value in table[name]] if name in table else [""] * len(table)
               for name, fold in names.items()}
    days = pd.to_datetime(pd.Series(table["date"].to_numpy() if "date" in table else None, index=range(len(table)),
                                    dtype="object"), errors="coerce", format="mixed")
    rows: list[Decision] = []
    unused: list[Decision] = []
    for number in range(len(table)):
        cell = {name: values[number] for name, values in columns.items()}
        day = None if pd.isna(days[number]) else days[number].date()
        raw = Decision(cell["id"], action_of(cell["action"]), value=cell["value"], who=cell["who"], why=cell["why"],
                       date=day, file=cell["source_file"], row=cell["source_row"], said=cell["action"], number=number)
        if not raw.id or not raw.action:
            field, word = ("id", "站址编号为空") if not raw.id else ("action", f"“{cell['action']}”不是可用的决定")
            known = "、".join(str(entry["zh"]) for entry in words_of("actions").values())
            ledger.add(LAYER, raw.file, raw.row, field, cell[field], "refused", f"{word}，这一行没有使用", f"可用：{known}")
            unused.append(replace(raw, note=f"{word}，这一行没有使用"))
            continue
        row, faults = _read_value(raw)
        for fault in faults:
            ledger.add(LAYER, raw.file, raw.row, fault.field, raw.value, fault.action, fault.reason, fault.remedy)
        if row is None:
            unused.append(replace(raw, note=faults[0].reason))
        else:
            rows.append(row)
    _tell_missing(rows, ledger)
    rows, twice = _one_fee(rows, ledger)
    return Decisions(tuple(_settle(rows, ledger)), (*unused, *twice))


def _tell_missing(rows: Sequence[Decision], ledger: InputLedger) -> None:
    """One line for each kind of cell that is empty."""
    for field, zh, needs, effect in (("date", "日期", None, "视为早于其他记录"), ("why", "理由", ("refused", "hard", "ban"), "照录"),
                                     ("who", "决定人", ("refused", "fee", "hard"), "记作不明")):
        empty = [row for row in rows if not getattr(row, field) and (needs is None or row.action in needs)]
        if empty:
            places = "、".join(row.row or row.id for row in empty[:5]) + ("…" if len(empty) > 5 else "")
            reason = f"{zh}为空，{effect}，共 {len(empty)} 行"
            ledger.add(LAYER, empty[0].file, places, field, "", "assumed", reason, f"补填{zh}")


def _keys(rows: Iterable[Decision]) -> dict[str, str]:
    """Id as written -> the id that stands for it: a bare id that only one full id ends with means that one."""
    full: dict[str, set[str]] = defaultdict(set)
    ids = {row.id for row in rows}
    for text in ids:
        found = _FULL_ID.fullmatch(text)
        if found:
            full[found[1]].add(text)
    return {text: next(iter(full[text])) if len(full.get(text, ())) == 1 else text for text in ids}


def day_order(row: Decision) -> tuple[dt.date, bool]:
    """Later rows and, on one day, the stricter ones come last."""
    return row.date or dt.date.min, row.action not in ("keep", "agreed")


def _one_fee(rows: Sequence[Decision], ledger: InputLedger) -> tuple[list[Decision], list[Decision]]:
    """Of fee records of one id, kind, day and payer the greatest; what falls away is told, and comes second."""
    keys, groups = _keys(rows), defaultdict(list)
    for number, row in enumerate(rows):
        if row.action == "fee":
            groups[keys[row.id], row.kind, row.date].append(number)
    gone: dict[int, str] = {}
    for numbers in groups.values():
        named = sorted({rows[number].who for number in numbers} - {""})
        payers = [{who, ""} if rank == 0 else {who} for rank, who in enumerate(named)] or [{""}]
        for who in payers:
            same = [number for number in numbers if rows[number].who in who]
            best = max(same, key=lambda number: (rows[number].amount_yuan == rows[number].amount_yuan,
                                                 rows[number].amount_yuan, bool(rows[number].who), -number))
            for number in (entry for entry in same if entry != best):
                gone[number] = _tell_fee(rows[number], rows[best], ledger)
    return ([row for number, row in enumerate(rows) if number not in gone],
            [replace(rows[number], note=note) for number, note in gone.items()])


def _tell_fee(row: Decision, best: Decision, ledger: InputLedger) -> str:
    if row.amount_yuan == best.amount_yuan:
        reason = f"与第 {best.row} 行是同一笔{row.kind_zh}，只计一次"
    else:
        reason = f"与第 {best.row} 行同一天同一{row.kind_zh}金额不同，按较大的 {best.amount_yuan:.15g} 元计，本行不计"
    ledger.add(LAYER, row.file, row.row, "value", row.value, "assumed", reason, "核对后只留一行")
    return reason


def _settle(rows: Sequence[Decision], ledger: InputLedger) -> list[Decision]:
    """Mark rows that a later or stricter row of the same id overrules."""
    keys, mine = _keys(rows), defaultdict(list)
    for number, row in enumerate(rows):
        mine[keys[row.id]].append(number)
    overruled: dict[int, Decision] = {}
    for numbers in mine.values():
        ordered = sorted(numbers, key=lambda number: (day_order(rows[number]), number))
        for place, number in enumerate(ordered):
            row, entry = rows[number], words_of("actions")[rows[number].action]
            for later in (rows[other] for other in ordered[place + 1:]):
                if later.action in entry["against"] or (entry["single"] and later.action == row.action):
                    overruled[number] = later
    notes: dict[int, str] = {}
    for number, later in sorted(overruled.items()):
        row = rows[number]
        same = row.action == later.action and (row.value == later.value or row.action in ("keep", "ban", "agreed"))
        reason = f"与第 {later.row} 行{'重复' if same else f'“{later.action_zh}”不一致'}，以第 {later.row} 行为准"
        ledger.add(LAYER, row.file, row.row, "action", row.action_zh, "note" if same else "assumed", reason, "核对后只留一行")
        notes[number] = reason
    return [replace(row, overruled=True, note=notes[number]) if number in notes else row
            for number, row in enumerate(rows)]
