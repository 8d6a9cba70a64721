"""Limits relaxed for a choice: by how much, recounted from the data, in numbers and in Chinese words."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from siteplan.selection.methods.advice_model import Found, Limit, limits_of, rows_of
from siteplan.selection.model import Problem, Row
from siteplan.selection.model.count import TOLERANCE

NOT_SURE = "(至少如此,未必足够)"
_SITES_TOLD = 5
_MEASURES = {"站址": "处", "基站": "个"}


@dataclass(frozen=True)
class Relaxation:
    """One limit relaxed.

    Attributes
    ----------
    name, zh : str
        The limit; a yearly one carries its year (``new_sites@2026``).
    side : str
        ``least`` is lowered, ``most`` is raised, ``share`` (of free venues) is lowered.
    from_value, to_value, amount : float
        What the side is, should be, and the difference (> 0); of a floor in the weight it is measured in.
    unit : str
    sentence : str
        The same in Chinese; numbers are rounded so that they still suffice.
    enough : bool
        A plan exists when this is done (of ``Advice.combined``: when all is done); a choice was found and recounted.
        False: at least so much is needed, and it may not suffice.
    smallest : bool
        Proved: less does not suffice.
    sites : tuple of int
        Candidates that give way: mandatory ones given up, barred ones used, pairs too near (two by two), second ones of
        a group, those not built in their year.
    """

    name: str
    zh: str
    side: str
    from_value: float
    to_value: float
    amount: float
    unit: str
    sentence: str
    enough: bool = True
    smallest: bool = True
    sites: tuple[int, ...] = ()


def relaxation(problem: Problem, limit: Limit, choice: Found, complete: bool) -> Relaxation | None:
    """How a limit must be relaxed for a choice to fulfil it, recounted; None where it is fulfilled."""
    change = _COUNTED.get(limit.kind, _count_sites)(problem, limit, choice)
    if change is None:
        return None
    side, before, after, unit, sentence, sites = change
    tail = "" if complete else NOT_SURE
    return Relaxation(limit.name, limit.zh, side, before, after, abs(before - after), unit, sentence + tail,
                      complete, choice.best, sites)


_Change = tuple[str, float, float, str, str, tuple[int, ...]]


def _count_row(problem: Problem, limit: Limit, choice: Found) -> _Change | None:
    row = rows_of(problem, limit)[limit.index]
    when = choice.stage == limit.stage if limit.part == "new" else choice.stage <= limit.stage
    taken = np.isin(row.candidates, choice.chosen if limit.part == "rows" else choice.chosen[when])
    has = row.already + float(row.amounts[taken].sum())
    scale = TOLERANCE * max([1.0, abs(has), *(abs(side) for side in (row.least, row.most) if np.isfinite(side))])
    if row.least - scale <= has <= row.most + scale:
        return None
    shared = share_of(row)
    if shared is not None:
        share, amount = shared
        reached = float(amount[taken & (row.amounts > 0)].sum() / amount[taken].sum())
        return "share", share, reached, "%", (f"把“{limit.zh}”的占比要求从{_percent(share)}降到{_percent(reached)}"
                                              f"(减少{_points(share, reached)}个百分点)"), ()
    side, before = ("least", row.least) if has < row.least else ("most", row.most)
    return side, before, has, row.unit, row_words(limit, row, has), ()


def row_words(limit: Limit, row: Row, has: float) -> str:
    """The side of a row that a sum breaks, moved to that sum, in words; rounded so that it still suffices."""
    if has < row.least:
        return (f"把“{limit.zh}”的下限从{_number(row.least, row.unit)}降到{_number(has, row.unit, -1)}"
                f"(减少{_number(row.least - has, row.unit, 1)})")
    return (f"把“{limit.zh}”的上限从{_number(row.most, row.unit)}提高到{_number(has, row.unit, 1)}"
            f"(增加{_number(has - row.most, row.unit, 1)})")


def _count_floor(problem: Problem, limit: Limit, choice: Found) -> _Change | None:
    floor = problem.floors[limit.index]
    has = _served_weight(problem, limit.index, choice)
    if has >= floor.least - TOLERANCE * max(1.0, abs(floor.least)):
        return None
    return "least", floor.least, has, "权重", floor_words(problem, limit, has), ()


def floor_words(problem: Problem, limit: Limit, has: float) -> str:
    """The least of a floor lowered to what is had, as a share of its area, in words."""
    floor, total = problem.floors[limit.index], float(problem.floors[limit.index].weights.sum())
    before, after = floor.least / total if total else np.inf, has / total if total else 0.0
    if before > 1:  # more than there is: a share would not say it
        return f"把“{limit.zh}”的覆盖要求从{_number(floor.least, '')}降到{_number(has, '', -1)}"
    return (f"把“{limit.zh}”的覆盖要求从{_percent(before)}降到{_percent(after)}"
            f"(减少{_points(before, after)}个百分点)")


def _served_weight(problem: Problem, number: int, choice: Found) -> float:
    floor = problem.floors[number]
    return float(floor.weights[problem.reach.served(choice.chosen)[floor.cells] > 0].sum())


def _count_wanted(problem: Problem, limit: Limit, choice: Found) -> _Change | None:
    wish = problem.wanted[limit.index]
    least = [problem.floors[number].least for number in wish.floors]
    passing = sum(_served_weight(problem, number, choice) >= need - TOLERANCE * max(1.0, abs(need))
                  for number, need in zip(wish.floors, least, strict=True))
    if passing >= wish.least:
        return None
    words = f"把“{limit.zh}”少要求 {wish.least - passing} 个"  # its least may leave out what passes already
    return "least", float(wish.least), float(passing), "个", words, ()


def _count_sites(problem: Problem, limit: Limit, choice: Found) -> _Change | None:
    """Mandatory, barred, near, group and fixed years: by the sites that give way."""
    taken = np.zeros(len(problem), dtype=bool)
    taken[choice.chosen] = True
    if limit.kind == "near":
        pairs = problem.near[taken[problem.near].all(axis=1)]
        words = f"允许{len(pairs)}对站址的间距小于规定:{sites_told(problem, pairs)}"
        return ("most", 0.0, float(len(pairs)), "对", words, tuple(pairs.ravel().tolist())) if len(pairs) else None
    if limit.kind == "locked":
        sites, verb = np.flatnonzero(problem.locked & ~taken), "放弃{}处必选站址"
    elif limit.kind == "barred":
        sites, verb = np.flatnonzero(problem.barred & taken), "启用{}处不可用站址"
    elif limit.kind == "group":
        own = choice.chosen[problem.group[choice.chosen] >= 0]
        extra = np.ones(len(own), dtype=bool)
        extra[np.unique(problem.group[own], return_index=True)[1]] = False
        sites, verb = own[extra], "允许同一场所多选{}处"
    else:
        fixed = problem.built_in[choice.chosen]
        sites, verb = choice.chosen[(fixed >= 0) & (fixed != choice.stage)], "{}处站址不按指定年度建设"
    if not len(sites):
        return None
    words, count = f"{verb.format(len(sites))}:{sites_told(problem, sites)}", float(len(sites))
    before = float(problem.locked.sum()) if limit.kind == "locked" else 0.0
    after = before - count if limit.kind == "locked" else count
    side = "least" if limit.kind == "locked" else "most"
    return side, before, after, "站址", words, tuple(sites.tolist())


_COUNTED: dict[str, Callable[[Problem, Limit, Found], _Change | None]] = {
    "row": _count_row, "floor": _count_floor, "wanted": _count_wanted}


def sites_told(problem: Problem, sites: NDArray[Any]) -> str:
    """Ids of candidates, each once, the first five; how many there are where there are more."""
    each = list(dict.fromkeys(sites.ravel().tolist()))
    names = [problem.names[site] if problem.names else str(site) for site in each[:_SITES_TOLD]]
    return "、".join(names) + (f"等{len(each)}处" if len(each) > _SITES_TOLD else "")


def _number(value: float, unit: str, way: int = 0) -> str:
    """A number with its unit; what is not whole is rounded down (way -1) or up (1) to two decimals at most."""
    unit = _MEASURES.get(unit, unit)
    if unit == "元" and abs(value) >= 10_000:
        value, unit = value / 10_000, "万元"
    if abs(value - round(value)) < 1e-9 * max(1.0, abs(value)):
        return f"{round(value):,}{unit}"
    turn = {-1: np.floor, 0: np.rint, 1: np.ceil}[way]
    return f"{turn(value * 100) / 100:,.2f}".rstrip("0").rstrip(".") + unit


def _percent(share: float) -> str:
    return f"{np.floor(share * 10_000 + 1e-6) / 100:.2f}%"


def _points(before: float, after: float) -> str:
    return f"{(np.floor(before * 10_000 + 1e-6) - np.floor(after * 10_000 + 1e-6)) / 100:.2f}"


def relax(problem: Problem, relaxations: Iterable[Relaxation]) -> Problem:
    """The problem with some limits relaxed.

    >>> import scipy.sparse as sp
    >>> from siteplan.selection.model.problem import cover_problem
    >>> from siteplan.selection.model.reach import reach_of_matrix
    >>> problem = cover_problem(reach_of_matrix(sp.eye(2).tocsc()), np.ones(2), 1, locked=np.array([True, True]))
    >>> one = Relaxation("max_sites", "", "most", 1.0, 2.0, 1.0, "站址", "")
    >>> relax(problem, [one]).rows[0].most
    2.0
    """
    limits = {limit.name: limit for limit in limits_of(problem)}
    for one in relaxations:
        problem = _relaxed(problem, limits[one.name], one)
    return problem


def _relaxed(problem: Problem, limit: Limit, one: Relaxation) -> Problem:
    if limit.kind == "row":
        rows = list(rows_of(problem, limit))
        rows[limit.index] = _relaxed_row(rows[limit.index], one)
        if limit.part == "rows":
            return replace(problem, rows=tuple(rows))
        stages = list(problem.stages)
        stage = stages[limit.stage]
        stages[limit.stage] = (replace(stage, on_air=tuple(rows)) if limit.part == "on_air"
                               else replace(stage, new=tuple(rows)))
        return replace(problem, stages=tuple(stages))
    if limit.kind == "floor":
        floors = list(problem.floors)
        floors[limit.index] = replace(floors[limit.index], least=one.to_value)
        return replace(problem, floors=tuple(floors))
    if limit.kind == "wanted":
        wanted = list(problem.wanted)
        wanted[limit.index] = replace(wanted[limit.index], least=int(one.to_value))
        return replace(problem, wanted=tuple(wanted))
    sites = np.array(one.sites, dtype=np.int64)
    if limit.kind == "near":
        gone = {tuple(pair) for pair in sites.reshape(-1, 2).tolist()}
        kept = [tuple(pair) not in gone for pair in problem.near.tolist()]
        return replace(problem, near=problem.near[np.array(kept, dtype=bool)])
    values = getattr(problem, limit.kind).copy()
    values[sites] = False if limit.kind in ("locked", "barred") else -1
    changed: dict[str, Any] = {limit.kind: values}
    return replace(problem, **changed)


def _relaxed_row(row: Row, one: Relaxation) -> Row:
    if one.side != "share":
        return replace(row, least=one.to_value) if one.side == "least" else replace(row, most=one.to_value)
    share, amount = share_of(row) or (0.0, np.abs(row.amounts))
    return replace(row, amounts=row.amounts + amount * (share - one.to_value))


def share_of(row: Row) -> tuple[float, NDArray[np.float64]] | None:
    """The least share that a row asks for, and the amount of each candidate; None for rows of another kind."""
    below = -row.amounts[row.amounts < 0]
    if row.least != 0 or row.already != 0 or np.isfinite(row.most) or not len(below) or not (row.amounts > 0).any():
        return None
    share = float(below.min())  # the least amount is one site, or one station
    if not 0 < share < 1 or (row.amounts == 0).any():
        return None
    amount = np.where(row.amounts > 0, row.amounts / (1 - share), -row.amounts / share)
    return (share, np.rint(amount)) if np.allclose(amount, np.rint(amount), atol=1e-6) else None
