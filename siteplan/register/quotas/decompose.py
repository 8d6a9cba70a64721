"""Write the split of a quota: one already decided, or one made by need; needs out of the register."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

import pandas as pd

from siteplan.errors import Problem, RegisterError
from siteplan.register.dictionary import register_tables
from siteplan.register.quotas.rows import LEVELS, Areas, Quota, areas_of, quota_of, quotas_in, text_in
from siteplan.register.quotas.split import exact_shares, split_quota
from siteplan.register.quotas.tree import children_of, split_problems
from siteplan.register.store import DAY, Transaction, add_rows, edit_rows, read_rows
from siteplan.register.store.values import ValueFault, typed
from siteplan.tables import read_table

_TAKEN_OVER = ("measure", "unit", "counted", "source")
"""What a part takes over from the quota that is split."""
_OWN = ("title", "level", "area", "value", "since", "by", "base_value", "organisation", "basis")
"""What a row of a split may say itself."""
_ORIGIN = ("source_file", "source_row", DAY)


class Needs(NamedTuple):
    """Needs of areas, which need it is (Chinese, for the basis of a split), and what could not be counted."""

    values: dict[str, float]
    basis: str
    notes: tuple[str, ...] = ()


def import_split(transaction: Transaction, parent_id: str, rows: Iterable[Mapping[str, Any]], *, level: str = "",
                 basis: str = "") -> list[str]:
    """Write a split that was decided elsewhere; it must add up before anything is written.

    Parts that are there already as given stay as they are; others of an earlier split are no longer current, with what
    lies below them.

    Parameters
    ----------
    transaction : Transaction
    parent_id : str
        The quota that is split.
    rows : iterable of mapping
        ``area`` and ``value``; ``level, title, since, by, base_value, organisation`` where they differ from the quota
        above; ``source_file, source_row`` name the row in problems.
    level : str, optional
        Of rows without their own; otherwise it follows from the known areas.
    basis : str
        How it was decided; "导入已定的分解" when empty.

    Returns
    -------
    list of str
        Ids in the order of ``rows``.

    Raises
    ------
    RegisterError
        The split does not add up, or a row is wrong; every problem with its row. Nothing is written.
    """
    known, areas = _known(transaction)
    parent = _parent(transaction, known, parent_id)
    ready, problems = [], list[Problem]()
    for number, row in enumerate(rows, 1):
        values, found = _typed_row(row, number)
        problems += found
        code = values.get("level") or typed(register_tables()["quotas"].fields["level"], level) or _level_of(
            text_in(values, "area"), parent, areas)
        if isinstance(code, ValueFault):
            raise RegisterError(f"没有层级“{level}”:", [Problem("quotas", "", "", "level", code.reason, code.remedy)])
        ready.append({**values, "level": code, "basis": values.get("basis") or basis or "导入已定的分解"})
    return _write_split(transaction, (parent, known, areas), ready, problems)


def decompose(transaction: Transaction, parent_id: str, level: str, needs: Mapping[str, float] | Needs,
              floors: Mapping[str, int] | None = None, caps: Mapping[str, int] | None = None, basis: str = "",
              ) -> list[str]:
    """Split a quota by need (`split_quota`) and write it; each part tells how it came about.

    Parameters
    ----------
    transaction : Transaction
    parent_id : str
    level : str
        ``county`` or ``town`` (or ``city``), below that of the quota.
    needs : mapping of str to float, or Needs
        Area -> need.
    floors, caps : mapping of str to int, optional
    basis : str
        Which need it is (Chinese); that of `needs_of` when empty.

    Returns
    -------
    list of str
        Ids in the order of ``needs``.

    Raises
    ------
    RegisterError
        See `split_quota` and `import_split`. Nothing is written.
    """
    known, areas = _known(transaction)
    parent = _parent(transaction, known, parent_id)
    code = typed(register_tables()["quotas"].fields["level"], level)
    if isinstance(code, ValueFault) or code is None:
        raise RegisterError(f"没有层级“{level}”", [Problem("quotas", "", parent_id, "level", "不是可用的层级", "用 县区 或 镇街")])
    values, taken = (needs.values, basis or needs.basis) if isinstance(needs, Needs) else (dict(needs), basis)
    shares = split_quota(parent.value or 0, values, floors, caps)
    exact = exact_shares(parent.value or 0, values, floors, caps)
    rows = []
    for area, share in shares.items():
        bounds = "".join(f",{zh}{held[area]}" for zh, held in (("下限", floors or {}), ("上限", caps or {}))
                         if area in held)
        rows.append({"area": area, "level": code, "value": share,
                     "basis": f"按{taken or '需求'}用最大余数法分解:需求 {values[area]:.6g}/合计 {sum(values.values()):.6g},"
                              f"应得 {float(exact[area]):.2f}{bounds}"})
    return _write_split(transaction, (parent, known, areas), rows, [])


def needs_of(sites: pd.DataFrame, indicators: pd.DataFrame | None, by: str, take: str = "demand") -> Needs:
    """Needs of counties or towns, as the register knows them.

    Parameters
    ----------
    sites : DataFrame
        The table ``sites``.
    indicators : DataFrame or None
        The table ``indicators``; only for ``people``: ``people_left``, else ``people * (1 - population_share)``, of the
        latest day. Their names are those of ``tables/register_sync.toml``, keys or Chinese.
    by : {"county", "town"}
        A town is named ``county/town`` where the county is known.
    take : {"demand", "sites", "people"}
        ``gain_demand`` of sites that wait to be built, their number, or people that are not covered.

    Returns
    -------
    Needs

    Raises
    ------
    RegisterError
        There is nothing to take them from, or ``by`` or ``take`` is unknown.
    """
    words = read_table("quotas")["needs"]
    if by not in ("county", "town") or take not in ("demand", "sites", "people"):
        raise RegisterError(f"needs of {take!r} by {by!r}: county or town; demand, sites or people")
    if take == "people":
        return _people_left(indicators, by, str(words["people"]))
    waiting = sites[sites["state"].isin(words["states"])]
    names = [[text_in(row, name) for name in ("county", "town")]
             for row in waiting[["county", "town"]].to_dict("records")]
    areas = pd.Series([(f"{county}/{town}" if county and town else town) if by == "town" else county
                       for county, town in names], index=waiting.index, dtype="object")
    amount = (waiting["gain_demand"].astype("float64") if take == "demand" else pd.Series(1.0, waiting.index))
    notes = []
    if (areas == "").any():
        notes.append(f"{int((areas == '').sum())}处储备站址未注明{'镇街' if by == 'town' else '县区'},未计入需求")
    if amount.isna().any():
        notes.append(f"{int(amount.isna().sum())}处储备站址没有预计新增服务需求,按0计")
    placed = areas != ""
    sums = amount[placed].fillna(0.0).groupby(areas[placed]).sum()
    return Needs({str(area): float(value) for area, value in sums.items()}, str(words[take]), tuple(notes))


def _people_left(indicators: pd.DataFrame | None, by: str, zh: str) -> Needs:
    if indicators is None or not len(indicators[indicators["level"] == by]):
        raise RegisterError("不能按未覆盖人口分解:", [Problem("indicators", "", "", "level", "没有这一层级的覆盖指标",
                                                      "先并入带县区(镇街)指标的规划成果,或换一种需求")])
    rows = indicators[indicators["level"] == by].sort_values("day", kind="stable")
    last = rows[rows["day"] == rows["day"].max()].drop_duplicates(["area", "name"], keep="last")
    table = last.pivot(index="area", columns="name", values="now").astype("float64")
    table = table.rename(columns={entry["zh"]: key for key, entry in read_table("register_sync")["indicators"].items()})
    blank = pd.Series(float("nan"), table.index)
    left = table.get("people_left", blank)
    left = left.fillna(table.get("people", blank) * (1.0 - table.get("population_share", blank)))
    lacks = [str(area) for area in left.index[left.isna()]]
    if left.isna().all():
        raise RegisterError("不能按未覆盖人口分解:", [Problem(
            "indicators", "", "", "name", f"{rows['day'].max():%Y-%m-%d} 的覆盖指标里没有这一层级的常住人口和人口覆盖率",
            "研究里给出人口图层后重新规划并入,或换一种需求")])
    notes = (f"{'、'.join(lacks)}没有未覆盖人口,未计入需求",) if lacks else ()
    return Needs({str(area): float(value) for area, value in left.dropna().items()},
                 f"{zh}({rows['day'].max():%Y-%m-%d})", notes)


def _known(transaction: Transaction) -> tuple[dict[str, Quota], Areas]:
    """Current quotas and the known areas, as the transaction sees them."""
    tables = {name: read_rows(transaction.register, name, connection=transaction.connection)
              for name in ("quotas", "organisations", "sites")}
    known = quotas_in(pd.DataFrame(tables["quotas"]))
    return ({row_id: quota for row_id, quota in known.items() if quota.is_current},
            areas_of(tables["organisations"], pd.DataFrame(tables["sites"][["county", "town"]]),
                     transaction.register.city))


def _parent(transaction: Transaction, known: Mapping[str, Quota], parent_id: str) -> Quota:
    if parent_id not in known:
        raise RegisterError("不能分解指标:", [Problem("quotas", transaction.register.shown, parent_id, "parent_id",
                                                "没有这一现行指标", "核对指标编号")])
    return known[parent_id]


def _typed_row(row: Mapping[str, Any], number: int) -> tuple[dict[str, Any], list[Problem]]:
    """Values of a row of a split in their types; what has no value is left out."""
    where = ("quotas", text_in(row, "source_file"), text_in(row, "source_row") or str(number))
    fields = register_tables()["quotas"].fields
    values: dict[str, Any] = {name: row[name] for name in _ORIGIN if name in row}
    problems = []
    for name, value in row.items():
        if name in _ORIGIN:
            continue
        if name not in (*_OWN, *_TAKEN_OVER):
            raise RegisterError(f"a row of a split has no column {name!r}")
        found = typed(fields[name], value)
        if isinstance(found, ValueFault):
            problems.append(Problem(*where, name, found.reason, found.remedy))
        elif found is not None:
            values[name] = found
    problems += [Problem(*where, name, f"{fields[name].spec.zh}为空", f"补填{fields[name].spec.zh}")
                 for name in ("area", "value") if name not in values and not any(
                     problem.field == name and problem.row == where[2] for problem in problems)]
    return {"source_row": str(number), **values}, problems


def _level_of(area: str, parent: Quota, areas: Areas) -> str:
    """Level of an area by its name; the next one below where it is not known."""
    if area in areas.counties and parent.level in LEVELS[:2]:
        return "county"
    if area.rpartition("/")[2] in areas.towns:
        return "town"
    if parent.level == "city":
        return "county" if areas.counties else "town"
    return LEVELS[min(LEVELS.index(parent.level) + 1, 3)] if parent.level in LEVELS else "county"


def _write_split(transaction: Transaction, held: tuple[Quota, Mapping[str, Quota], Areas],
                 rows: Sequence[Mapping[str, Any]], problems: Sequence[Problem]) -> list[str]:
    """Check a split as a whole, then replace the present one by it."""
    parent, known, areas = held
    full = [{**{name: getattr(parent, name) or None for name in _TAKEN_OVER}, "since": parent.since, "by": parent.by,
             "title": f"{parent.title}({row.get('area', '')})", **row, "parent_id": parent.id, "is_current": True}
            for row in rows]
    parts = [quota_of("", row) for row in full]
    found = [*problems, *split_problems(parent, parts, areas)]
    if not parts:
        found.append(Problem("quotas", transaction.register.shown, parent.id, "area", "分解没有任何区域", "补充分解"))
    if found:
        raise RegisterError(f"指标 {parent.id} 的分解没有写入,须先改正:", dict.fromkeys([*transaction.problems, *found]))
    standing = {_key(quota): quota.id for quota in children_of(known).get(parent.id, [])}
    kept = {number: standing[_key(part)] for number, part in enumerate(parts) if _key(part) in standing}
    gone = [row_id for row_id in standing.values() if row_id not in kept.values()]
    retire(transaction, known, gone, f"指标 {parent.id} 重新分解({parts[0].basis.partition(':')[0]})")
    edit_rows(transaction, "quotas", {row_id: {"basis": parts[number].basis} for number, row_id in kept.items()})
    new = iter(add_rows(transaction, "quotas", [row for number, row in enumerate(full) if number not in kept],
                        f"指标 {parent.id} 分解"))
    return [kept.get(number) or next(new) for number in range(len(full))]


def _key(quota: Quota) -> Quota:
    """What makes two parts the same: all but the id, the origin and the words."""
    return replace(quota, id="", file="", row="", basis="", title="", source="", counted="")


def retire(transaction: Transaction, known: Mapping[str, Quota], ids: Iterable[str], why: str) -> list[str]:
    """Make quotas no longer current, with everything below them.

    Parameters
    ----------
    transaction : Transaction
    known : mapping of str to Quota
        The current ones.
    ids : iterable of str
    why : str

    Returns
    -------
    list of str
        Ids of all that are no longer current.
    """
    below = children_of(known)
    out = list(dict.fromkeys(_with_below(below, ids)))
    edit_rows(transaction, "quotas", {row_id: {"is_current": False} for row_id in out}, why)
    return out


def _with_below(below: Mapping[str, Sequence[Quota]], ids: Iterable[str]) -> Iterator[str]:
    waiting, seen = list(ids), set[str]()
    while waiting:
        row_id = waiting.pop()
        if row_id not in seen:
            seen.add(row_id)
            yield row_id
            waiting += [part.id for part in below.get(row_id, ())]
